//! [`Config`] → TOML that reads back the same, in the order of the manual.

use super::Config;
use super::keys::{Section, Visitor};
use super::value::Value;

/// Begins the line of a key that has no value.
const UNSET: &str = "# ";

impl Config {
    /// Writes the configuration as TOML. With `defaults` every key is written, those without a value
    /// as a comment; else only those whose value is not the default.
    pub fn to_toml(&self, defaults: bool) -> String {
        let all = Printer::print(self.clone());
        let usual = if defaults {
            Vec::new()
        } else {
            Printer::print(Config::default())
        };
        let mut out = String::new();
        for block in all {
            // A list of sections is the default or is not, as a whole.
            let usual = usual.iter().find(|usual| usual.header == block.header);
            let is_list = block.header.starts_with("[[");
            if is_list && usual == Some(&block) {
                continue;
            }
            let lines: Vec<&String> = block
                .lines
                .iter()
                .filter(|line| defaults || !line.starts_with(UNSET))
                .filter(|line| is_list || usual.is_none_or(|usual| !usual.lines.contains(line)))
                .collect();
            if lines.is_empty() {
                continue;
            }
            if !block.header.is_empty() {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(&block.header);
                out.push('\n');
            }
            for line in lines {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }
}

/// One section as it is printed: its header in brackets, and its keys. A list of sections is one
/// block, headers of the further ones among its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    header: String,
    lines: Vec<String>,
}

/// Prints every key.
struct Printer {
    path: String,
    block: Block,
    /// Sections within this one, which follow its own keys.
    inner: Vec<Block>,
}

impl Printer {
    fn print(mut config: Config) -> Vec<Block> {
        Printer::section_blocks(String::new(), String::new(), &mut config)
    }

    fn section_blocks(path: String, header: String, section: &mut impl Section) -> Vec<Block> {
        let mut printer = Printer {
            path,
            block: Block {
                header,
                lines: Vec::new(),
            },
            inner: Vec::new(),
        };
        section.visit(&mut printer);
        let mut blocks = vec![printer.block];
        blocks.append(&mut printer.inner);
        blocks
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }
}

impl Visitor for Printer {
    fn key<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.block.lines.push(match place.write() {
            Some(value) => format!("{name} = {value}"),
            None => format!("{UNSET}{name} is not set"),
        });
    }

    fn required<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.key(name, place);
    }

    fn section<S: Section>(&mut self, name: &'static str, place: &mut S) {
        let path = self.path_of(name);
        let header = format!("[{path}]");
        self.inner
            .append(&mut Printer::section_blocks(path, header, place));
    }

    fn list<S: Section + Default>(&mut self, name: &'static str, place: &mut Vec<S>) {
        let path = self.path_of(name);
        let header = format!("[[{path}]]");
        let mut lines = Vec::new();
        for item in place {
            if !lines.is_empty() {
                lines.push(String::new());
                lines.push(header.clone());
            }
            for block in Printer::section_blocks(path.clone(), String::new(), item) {
                lines.extend(block.lines);
            }
        }
        if !lines.is_empty() {
            self.inner.push(Block { header, lines });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"hostname = "mail.example.org"

[listen]
imap = ["127.0.0.1:143"]
imaps = []
lmtp = [{ path = "/run/culver/lmtp", user = "postfix", mode = "0600" }, "127.0.0.1:24"]
auth = ["/run/culver/auth", { path = "/var/spool/postfix/private/auth", user = "postfix", group = 115, mode = "0660" }]
metrics = "127.0.0.1:9143"
proxy-protocol-from = ["10.0.0.0/8"]
xclient-from = ["10.1.0.0/16"]

[tls]
certificate = "/etc/culver/tls/cert.pem"
key = "/etc/culver/tls/key.pem"
minimum-version = "1.3"
client-ca = "/etc/culver/tls/clients.pem"

[[tls.sni]]
certificate = "/a.pem"
key = "/a.key"

[[tls.sni]]
certificate = "/b.pem"
key = "/b.key"

[mail]
location = "/var/vmail/%d/%n/Maildir"
layout = "fs"
names = "utf-8"
control = "/var/control/%u"
index = "/var/index/%u"
fsync = "never"
shared-storage = true
follow-links-out = true
auto-create = { "Drafts" = '\Drafts', "Söme \"name\"" = "" }
max-message-size = "50M"
attachment-keywords = true

[auth]
mechanisms = ["PLAIN", "SCRAM-SHA-256"]
plaintext-without-tls = "never"
username-format = "%Ln"
master-separator = "*"
failure-delay = "3s"
cache = "0"

[[auth.source]]
kind = "pam"
service = "culver"

[[auth.source]]
kind = "passwd-file"
path = "/etc/culver/%d/users"
master = true

[[auth.source]]
kind = "static"
password = "{PLAIN}x"

[[auth.source]]
kind = "exec"
command = ["/usr/bin/checker", "-v"]
user = "checker"
result-success = "continue-ok"
result-failure = "return-fail"
result-internalfail = "return"
skip = "authenticated"

[users]
uid = "vmail"
gid = 5000
home = "/var/vmail/%d/%n"
first-uid = 1000
isolate = "user"

[quota]
storage = "1G"
messages = 1000

[limits]
connections = 10
connections-per-address = 5
connections-per-user = 0
login-timeout = "90s"
idle-timeout = "1h"
message-limit = 1000
save-limit = 2000

[capabilities]
off = ["UIDONLY"]

[[capabilities.client]]
name = "Some Client"
off = ["QRESYNC"]

[log]
target = "syslog"
level = "debug"
form = "dovecot"
"#;

    #[test]
    fn the_default_is_empty_and_reads_back() {
        let config = Config::default();
        assert_eq!(config.to_toml(false), "");
        let all = config.to_toml(true);
        assert_eq!(Config::parse(&all).unwrap(), config);
        assert!(all.starts_with("# hostname is not set\n"), "{all}");
        assert!(all.contains("[[auth.source]]\nkind = \"pam\"\n"), "{all}");
    }

    #[test]
    fn every_key_reads_back_the_same() {
        let config = Config::parse(FULL).expect("no mistakes");
        for defaults in [false, true] {
            let shown = config.to_toml(defaults);
            assert_eq!(Config::parse(&shown).expect(&shown), config, "{shown}");
        }
        let names: Vec<&str> = FULL
            .lines()
            .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
            .collect();
        for name in crate::config::names() {
            let last = name.rsplit('.').next().unwrap_or_default();
            assert!(names.contains(&last), "{name} is not tried here");
        }
    }

    #[test]
    fn only_what_differs_is_shown() {
        let text = "[mail]\nlayout = \"fs\"\nnames = \"utf-7\"\n[limits]\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.to_toml(false), "[mail]\nlayout = \"fs\"\n");
        let emptied = Config::parse("[listen]\nimap = []\n").unwrap();
        assert_eq!(emptied.to_toml(false), "[listen]\nimap = []\n");
    }
}
