//! What `serve MAILDIR` shows when it is ready: where, who, how much, and what to try.
//!
//! Scripts read the lines that begin with `IMAP`, `IMAPS`, `User` and `Password`.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long counting may hold up the screen.
const CENSUS_LIMIT: Duration = Duration::from_secs(1);

/// Entries counted between two looks at the clock.
const CENSUS_STEP: u64 = 4096;

/// What the screen says.
pub struct Screen<'a> {
    /// The mail served.
    pub maildir: &'a Path,
    /// What is in it.
    pub census: Census,
    /// Where STARTTLS is spoken.
    pub imap: SocketAddr,
    /// Where TLS is spoken from the first byte.
    pub imaps: SocketAddr,
    /// Who may log in.
    pub user: &'a str,
    /// The password, where the server made it; one that was given is not shown.
    pub password: Option<&'a str>,
}

/// How much mail there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Mailboxes, INBOX included.
    pub folders: u64,
    /// Messages in all of them.
    pub messages: u64,
    /// Whether there was no time to count the rest.
    pub cut_short: bool,
}

impl Census {
    /// Counts the folders of a Maildir++ and the names in their `new/` and `cur/`. What cannot be
    /// read counts nothing: this is for a person to recognise their mail by. **Blocking**, for a
    /// second at the most but for a step of reading.
    pub fn of(maildir: &Path) -> Census {
        let end = Instant::now() + CENSUS_LIMIT;
        let mut census = Census::default();
        census.add(maildir, end);
        for folder in fs::read_dir(maildir).into_iter().flatten().flatten() {
            if census.cut_short {
                break;
            }
            if folder.file_name().as_bytes().starts_with(b".") {
                census.add(&folder.path(), end);
            }
        }
        census
    }

    fn add(&mut self, folder: &Path, end: Instant) {
        let Ok(cur) = fs::read_dir(folder.join("cur")) else {
            return;
        };
        self.folders += 1;
        let new = fs::read_dir(folder.join("new"));
        for entry in cur.chain(new.into_iter().flatten()).flatten() {
            if entry.file_name().as_bytes().starts_with(b".") {
                continue;
            }
            self.messages += 1;
            if self.messages.is_multiple_of(CENSUS_STEP) && Instant::now() >= end {
                self.cut_short = true;
                return;
            }
        }
        self.cut_short = Instant::now() >= end;
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.cut_short { "more than " } else { "" };
        let plural = |number| if number == 1 { "" } else { "s" };
        write!(
            f,
            "{more}{} folder{}, {more}{} message{}",
            self.folders,
            plural(self.folders),
            self.messages,
            plural(self.messages)
        )
    }
}

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let maildir = printable(self.maildir.as_os_str());
        writeln!(f, "Culver {} serves {maildir}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f)?;
        writeln!(f, "  IMAP      {} (STARTTLS)", self.imap)?;
        writeln!(f, "  IMAPS     {} (TLS)", self.imaps)?;
        writeln!(f, "  User      {}", printable(OsStr::new(self.user)))?;
        writeln!(
            f,
            "  Password  {}",
            self.password.unwrap_or("(as you gave it)")
        )?;
        writeln!(f, "  Mail      {}", self.census)?;
        writeln!(f)?;
        writeln!(f, "Try it:")?;
        let login = match self.password {
            Some(password) => format!("{}:{password}", self.user),
            // curl asks for the password.
            None => self.user.to_owned(),
        };
        let login = quoted(&printable(OsStr::new(&login)));
        let imaps = reachable(self.imaps);
        let command = "-X 'FETCH 1 (FLAGS ENVELOPE)'";
        writeln!(f, "  curl -k -u {login} imaps://{imaps}/INBOX {command}")
    }
}

/// The address to connect to: the unspecified one is the host itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    match address.ip() {
        ip if !ip.is_unspecified() => {}
        std::net::IpAddr::V4(_) => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        std::net::IpAddr::V6(_) => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
    }
    address
}

/// Text that can be shown on a terminal.
fn printable(text: &OsStr) -> String {
    text.to_string_lossy()
        .chars()
        .map(|character| {
            if character.is_control() {
                '?'
            } else {
                character
            }
        })
        .collect()
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:@%+,/".contains(&byte);
    if word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_messages_are_counted() {
        let maildir = tempfile::tempdir().unwrap();
        for sub in [
            "cur",
            "new",
            "tmp",
            ".Sent/cur",
            ".Sent/new",
            ".nothing",
            "other/cur",
        ] {
            fs::create_dir_all(maildir.path().join(sub)).unwrap();
        }
        for file in [
            "cur/1:2,S",
            "new/2",
            "tmp/3",
            "cur/.hidden",
            ".Sent/cur/4:2,",
            "other/cur/5",
            "dovecot-uidlist",
        ] {
            fs::write(maildir.path().join(file), "").unwrap();
        }
        let census = Census::of(maildir.path());
        assert_eq!(census.to_string(), "2 folders, 3 messages");
        let none = Census::of(Path::new("/nonexistent"));
        assert_eq!(none, Census::default());
    }

    #[test]
    fn the_screen_can_be_read_by_scripts_and_pasted() {
        let screen = Screen {
            maildir: Path::new("/home/ana/Mail\u{1b}dir"),
            census: Census {
                folders: 1,
                messages: 4096,
                cut_short: true,
            },
            imap: "127.0.0.1:1143".parse().unwrap(),
            imaps: "[::]:1993".parse().unwrap(),
            user: "ana o'neill",
            password: Some("secret"),
        };
        let text = screen.to_string();
        for line in [
            "  IMAP      127.0.0.1:1143 (STARTTLS)",
            "  IMAPS     [::]:1993 (TLS)",
            "  User      ana o'neill",
            "  Password  secret",
            "  Mail      more than 1 folder, more than 4096 messages",
            r"  curl -k -u 'ana o'\''neill:secret' imaps://[::1]:1993/INBOX -X 'FETCH 1 (FLAGS ENVELOPE)'",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
        let given = Screen {
            password: None,
            user: "ana",
            ..screen
        };
        assert!(given.to_string().contains("curl -k -u ana imaps://"));
    }
}
