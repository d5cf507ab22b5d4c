//! Text of `culver.toml` → [`Config`], or every mistake in it with line and column.
//!
//! A mistake does not end the reading: whoever edits the file hears of all of them at once. Keys
//! that do not exist are mistakes too, with the nearest one that does.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::keys::{Section, Visitor, names_in};
use super::value::{Complaint, Value};

/// One mistake in the file, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What reading it said.
        error: io::Error,
    },
    /// The file has mistakes; one line for each.
    #[error("{}", listed(path, mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them, from the top.
        mistakes: Vec<Mistake>,
    },
}

fn listed(path: &Path, mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes
        .iter()
        .map(|mistake| format!("{}:{mistake}", path.display()))
        .collect();
    lines.join("\n")
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: it cannot be read, or has mistakes.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read(path)
            .and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| io::Error::other("the file is not UTF-8"))
            })
            .map_err(|error| ConfigError::Unreadable {
                path: path.to_owned(),
                error,
            })?;
        Config::parse(&text).map_err(|mistakes| ConfigError::Mistakes {
            path: path.to_owned(),
            mistakes,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// Every mistake in it, from the top.
    pub fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut mistakes: Vec<Mistake> = errors
            .into_iter()
            .map(|error| {
                let start = error.span().map_or(0, |span| span.start);
                placed(text, start, error.message().to_owned())
            })
            .collect();
        // Where the grammar is broken, the value is a guess: nothing more is said of that line.
        let broken: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        let mut complaints = Vec::new();
        let mut config = Config::default();
        fill(&mut config, "", document.get_ref(), 0, &mut complaints);
        mistakes.extend(
            complaints
                .into_iter()
                .map(|(span, complaint)| placed(text, span.start, complaint))
                .filter(|mistake| !broken.contains(&mistake.line)),
        );
        if mistakes.is_empty() {
            return Ok(config);
        }
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        mistakes.dedup();
        Err(mistakes)
    }
}

fn placed(text: &str, offset: usize, complaint: String) -> Mistake {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Mistake {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        text: complaint,
    }
}

/// Fills `section` from `table` and complains of keys that it does not have.
fn fill(
    section: &mut impl Section,
    path: &str,
    table: &DeTable<'_>,
    start: usize,
    complaints: &mut Vec<Complaint>,
) {
    section.visit(&mut Filler {
        path,
        table,
        start,
        complaints,
    });
    let known = names_in(section);
    for (name, _) in table {
        let name_text = name.get_ref();
        if known.iter().any(|known| known == name_text) {
            continue;
        }
        let place = match path {
            "" => String::new(),
            path => format!(" in [{path}]"),
        };
        let advice = match nearest(name_text, &known) {
            Some(near) => format!("; did you mean {near:?}?"),
            None => format!("; known are: {}", known.join(", ")),
        };
        complaints.push((
            name.span(),
            format!("unknown key {name_text:?}{place}{advice}"),
        ));
    }
}

/// Reads each key of a section from a table.
struct Filler<'t, 'i> {
    /// Full name of the section, empty at the top.
    path: &'t str,
    table: &'t DeTable<'i>,
    /// Where the section begins, for what is missing in it.
    start: usize,
    complaints: &'t mut Vec<Complaint>,
}

impl<'t, 'i> Filler<'t, 'i> {
    fn value(&self, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.table.get(name)
    }

    fn path_of(&self, name: &str) -> String {
        match self.path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    fn complain(&mut self, at: &Spanned<DeValue<'_>>, text: String) {
        self.complaints.push((at.span(), text));
    }
}

impl Visitor for Filler<'_, '_> {
    fn key<T: Value>(&mut self, name: &'static str, place: &mut T) {
        let Some(value) = self.value(name) else {
            return;
        };
        let from = self.complaints.len();
        if let Some(value) = T::read(value, self.complaints) {
            *place = value;
        }
        for (_, text) in self.complaints.iter_mut().skip(from) {
            *text = format!("{name}: {text}");
        }
    }

    fn required<T: Value>(&mut self, name: &'static str, place: &mut T) {
        if self.value(name).is_none() {
            let text = format!("{name:?} is missing in [[{}]]", self.path);
            self.complaints.push((self.start..self.start, text));
        }
        self.key(name, place);
    }

    fn section<S: Section>(&mut self, name: &'static str, place: &mut S) {
        let Some(value) = self.value(name) else {
            return;
        };
        let path = self.path_of(name);
        match value.get_ref().as_table() {
            Some(table) => fill(place, &path, table, value.span().start, self.complaints),
            None => self.complain(value, format!("{name} is a section; write [{path}]")),
        }
    }

    fn list<S: Section + Default>(&mut self, name: &'static str, place: &mut Vec<S>) {
        let Some(value) = self.value(name) else {
            return;
        };
        let path = self.path_of(name);
        let Some(items) = value.get_ref().as_array() else {
            self.complain(
                value,
                format!("{name} may be there several times; write [[{path}]]"),
            );
            return;
        };
        if items.is_empty() {
            self.complain(value, format!("an empty list; write [[{path}]] or nothing"));
            return;
        }
        place.clear();
        for item in items {
            let Some(table) = item.get_ref().as_table() else {
                self.complain(item, format!("expected a table; write [[{path}]]"));
                continue;
            };
            let mut section = S::default();
            fill(
                &mut section,
                &path,
                table,
                item.span().start,
                self.complaints,
            );
            place.push(section);
        }
    }
}

/// The known name that is nearest to `name`, if one is near.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped or changed to make one word of the other; `_` and `-` are
/// the same, and so are upper and lower case.
fn distance(left: &str, right: &str) -> usize {
    let letter = |c: char| {
        if c == '_' {
            '-'
        } else {
            c.to_ascii_lowercase()
        }
    };
    let right: Vec<char> = right.chars().map(letter).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().map(letter).enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let kept = diagonal + usize::from(from != *to);
            diagonal = *cell;
            before = kept.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Endpoint, Fsync, Id, Layout, Size, SocketFile, Source, Time};
    use std::time::Duration;

    fn mistakes(text: &str) -> Vec<String> {
        let found = Config::parse(text).expect_err("mistakes");
        found.iter().map(Mistake::to_string).collect()
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
        assert_eq!(Config::parse("# nothing\n").unwrap(), Config::default());
    }

    #[test]
    fn values_of_every_kind() {
        let config = Config::parse(
            r#"
hostname = "mail.example.org"
[listen]
imap = ["127.0.0.1:143", "localhost:144"]
lmtp = ["/run/culver/lmtp", "127.0.0.1:24"]
auth = ["/run/culver/auth", { path = "/p", user = "postfix", group = 12, mode = "0660" }]
proxy-protocol-from = ["10.0.0.0/8"]
xclient-from = ["10.1.0.0/16", "2001:db8::/32"]
[mail]
location = "/var/vmail/%d/%n/Maildir"
layout = "fs"
control = ""
fsync = "delivery"
auto-create = { Drafts = '\Drafts', "Söme" = "" }
max-message-size = "10M"
attachment-keywords = true
[auth]
master-separator = "*"
cache = "0"
[[auth.source]]
kind = "passwd-file"
path = "/etc/culver/users"
[[auth.source]]
path = "/etc/culver/masters"
master = true
kind = "passwd-file"
[users]
uid = "vmail"
gid = 5000
[limits]
idle-timeout = "45m"
"#,
        )
        .expect("no mistakes");
        assert_eq!(config.listen.imap.len(), 2);
        let lmtp = Endpoint::Socket(SocketFile {
            path: PathBuf::from("/run/culver/lmtp"),
            ..SocketFile::default()
        });
        assert_eq!(config.listen.lmtp[0], lmtp);
        assert_eq!(config.listen.auth[1].mode, Some(0o660));
        assert_eq!(config.listen.auth[1].group, Some(Id::Number(12)));
        assert_eq!(config.mail.layout, Layout::Fs);
        assert_eq!(config.mail.control, None);
        assert_eq!(config.mail.fsync, Fsync::Delivery);
        assert_eq!(config.mail.auto_create["Drafts"], "\\Drafts");
        assert_eq!(config.mail.max_message_size, Size(10 << 20));
        assert!(config.mail.attachment_keywords);
        assert_eq!(config.auth.master_separator, Some('*'));
        assert!(matches!(
            [&config.auth.source[0].source, &config.auth.source[1].source],
            [
                Source::PasswdFile { master: false, .. },
                Source::PasswdFile { master: true, .. }
            ]
        ));
        assert_eq!(config.users.uid, Some(Id::Name("vmail".to_owned())));
        assert_eq!(
            config.limits.idle_timeout,
            Time(Duration::from_secs(45 * 60))
        );
    }

    #[test]
    fn unknown_keys_come_with_the_nearest() {
        assert_eq!(
            mistakes("[tls]\ncertficate = \"/x\"\n"),
            [r#"2:1: unknown key "certficate" in [tls]; did you mean "certificate"?"#]
        );
        assert_eq!(
            mistakes("[mial]\nlayout = \"fs\"\n"),
            [r#"1:2: unknown key "mial"; did you mean "mail"?"#]
        );
        assert_eq!(
            mistakes("[mail]\nshared_storage = true\n"),
            [r#"2:1: unknown key "shared_storage" in [mail]; did you mean "shared-storage"?"#]
        );
        assert_eq!(
            mistakes("[quota]\n  xyzzy = 1\n"),
            [r#"2:3: unknown key "xyzzy" in [quota]; known are: storage, messages"#]
        );
    }

    #[test]
    fn all_mistakes_are_named_at_once_in_their_order() {
        let found = mistakes(
            r#"
[mail]
layout = "mbox"
max-message-size = "10 MB"
shared-storage = "yes"
location = "/var/%x"
[limits]
login-timeout = 60
connections = -1
[listen]
imap = ["[::]:143", ":144", 7]
"#,
        );
        assert_eq!(
            found,
            [
                r#"3:10: layout: "mbox" is not one of "maildir++", "fs""#,
                r#"4:20: max-message-size: "10 MB" is no size; expected one like "500K", "10M" or "2G", or "0" for no limit"#,
                r#"5:18: shared-storage: expected true or false, found string"#,
                r#"6:12: location: unknown variable %x; %u, %n, %d, %h may stand here, with L or U before the letter, and %% for a percent sign"#,
                r#"8:17: login-timeout: expected a time like "30m" (quoted), found integer"#,
                r#"9:15: connections: -1 is not between 0 and 4294967295"#,
                r#"11:21: imap: ":144" is no address; expected one like "127.0.0.1:143" or "[::]:143""#,
                r#"11:29: imap: expected an address like "[::]:143", found integer"#,
            ]
        );
    }

    #[test]
    fn mistakes_of_grammar_stand_beside_the_others() {
        let found = mistakes("[mail]\nlayout = \n[log]\nlevel = \"loud\"\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("2:"), "{found:?}");
        assert!(found[1].starts_with("4:9: level: \"loud\" is not one of"));
    }

    #[test]
    fn what_is_spoken_where_mail_comes_is_no_choice() {
        let found = mistakes("[listen]\nlmtp = [{ path = \"/run/lmtp\", kind = \"userdb\" }]\n");
        assert_eq!(found, ["2:9: lmtp: kind: is for listen.auth alone"]);
    }

    #[test]
    fn a_source_has_the_keys_of_its_kind() {
        assert_eq!(
            mistakes("[[auth.source]]\nkind = \"pam\"\npath = \"/x\"\n"),
            [
                r#"3:1: unknown key "path" in [auth.source]; known are: kind, service, result-success, result-failure, result-internalfail, skip"#
            ]
        );
        let found = mistakes("[[auth.source]]\nkind = \"passwd-file\"\n");
        assert_eq!(found, [r#"1:1: "path" is missing in [[auth.source]]"#]);
        assert!(mistakes("[auth.source]\nkind = \"pam\"\n")[0].contains("write [[auth.source]]"));
        assert!(mistakes("[[auth.source]]\n")[0].contains("\"kind\" is missing"));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(
            mistakes("log = { level = \"é\", form = \"ü\" }\n"),
            [
                r#"1:17: level: "é" is not one of "error", "warn", "info", "debug", "trace""#,
                r#"1:29: form: "ü" is not one of "fields", "dovecot""#,
            ]
        );
    }

    #[test]
    fn edit_distance() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("A_b", "a-b"), 0);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]a-z=\"'{}, \n.0-9%é-]{0,200}") {
            let _ = Config::parse(&text);
        }
    }
}
