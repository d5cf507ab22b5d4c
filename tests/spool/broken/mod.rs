//! Control files broken in every way that could be thought of, a row each: what of them is salvaged, what the
//! log says, what is kept for the admin; and that the server serves the mailbox, again after a restart, and
//! Dovecot after it.
//!
//! A table says what can be known from the file, not what the code makes of it.

mod counters;
mod extra_keywords;
mod keywords;
mod subscriptions;
mod uidlists;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::harness::maildir::own;
use crate::harness::{Chance, Client, Maildir, Server, is_root, wait_until};

/// What stands in the file's place.
enum Put {
    Bytes(Vec<u8>),
    Nothing,
    Directory,
    /// To a file that is as it should be.
    Link,
    DanglingLink,
    Fifo,
    Socket,
    /// As it should be, but with mode 0.
    Mode0,
    /// As it should be, but another user's, and with mode 0. Without root: nothing.
    Foreign,
}

use Put::*;

fn text(text: impl AsRef<[u8]>) -> Put {
    Bytes(text.as_ref().to_vec())
}

impl Put {
    fn put(&self, path: &Path, whole: &[u8]) {
        match self {
            Nothing => return,
            Bytes(bytes) => fs::write(path, bytes).unwrap(),
            Directory => fs::create_dir(path).unwrap(),
            Link => {
                let aside = path.with_extension("aside");
                fs::write(&aside, whole).unwrap();
                own(&aside);
                return symlink(aside.file_name().unwrap(), path).unwrap();
            }
            DanglingLink => return symlink("nowhere", path).unwrap(),
            Fifo => {
                let made = std::process::Command::new("mkfifo").arg(path).status();
                assert!(made.unwrap().success());
            }
            Socket => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            Mode0 | Foreign => {
                fs::write(path, whole).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
                if matches!(self, Foreign) {
                    match is_root() {
                        true => return,
                        false => return fs::remove_file(path).unwrap(),
                    }
                }
            }
        }
        own(path);
    }
}

/// The flags of the three messages of a folder, but for `\\Recent`.
fn flags_of(c: &mut Client, folder: &str) -> Vec<String> {
    c.ok(&format!("SELECT {folder}"));
    let lines = c.ok("FETCH 1:3 FLAGS");
    let flags = lines.iter().filter_map(|line| {
        let flags = line.split("FLAGS (").nth(1)?.split(')').next()?;
        let words = flags.split(' ').filter(|word| *word != "\\Recent");
        Some(words.collect::<Vec<_>>().join(" "))
    });
    flags.collect()
}

/// How many warnings name this file.
fn warnings(server: &Server, file: &str) -> Vec<String> {
    let log = server.log();
    let lines = log.lines().filter(|line| {
        let named = line.split(file).nth(1);
        line.contains(" WARN ") && named.is_some_and(|rest| rest.starts_with(' '))
    });
    lines.map(str::to_owned).collect()
}

/// Demands one warning that says so, or none at all.
fn check_warning(server: &Server, file: &str, what: Option<&str>, row: &str) {
    let Some(what) = what else {
        let said = warnings(server, file);
        assert!(said.is_empty(), "{row}: {said:#?}");
        return;
    };
    wait_until(&format!("a warning for {row}: {what}"), || {
        !warnings(server, file).is_empty()
    });
    let said = warnings(server, file);
    assert!(
        said.len() == 1 && said[0].contains(what),
        "{row}: {what}: {said:#?}"
    );
}

/// Demands that what was broken is kept, if it was anything.
fn check_copy(path: &Path, put: &Put, warned: bool, row: &str) {
    let copy = path.with_file_name(format!(
        "{}.broken",
        path.file_name().unwrap().to_str().unwrap()
    ));
    let there = copy.symlink_metadata();
    match put {
        Bytes(bytes) if warned => {
            assert!(fs::read(&copy).expect(row) == *bytes, "{row}: another copy");
        }
        Bytes(_) | Nothing | Mode0 => assert!(there.is_err(), "{row}: a copy of what?"),
        Foreign if !is_root() => {}
        _ => assert!(there.is_ok(), "{row}: no copy"),
    }
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.replace(old, new).into_bytes()
}

/// Octets by chance, the same each time.
fn garbage(size: usize) -> Vec<u8> {
    let mut chance = Chance::new(11);
    (0..size).map(|_| chance.next() as u8).collect()
}

/// UIDVALIDITY, and each message's UID by subject.
fn picture(c: &mut Client, folder: &str) -> (u32, BTreeMap<String, u32>) {
    let lines = c.ok(&format!("SELECT {folder}"));
    let validity = lines.iter().find_map(|line| {
        let rest = line.strip_prefix("* OK [UIDVALIDITY ")?;
        rest.strip_suffix(']')?.parse().ok()
    });
    let mut uids = BTreeMap::new();
    for line in c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") {
        let Some(subject) = line.split("Subject: ").nth(1) else {
            continue;
        };
        let subject = subject.split('\r').next().unwrap().to_owned();
        let uid = line.split("UID ").nth(1).unwrap().trim_end_matches(')');
        uids.insert(subject, uid.parse().unwrap());
    }
    (validity.unwrap(), uids)
}

/// An empty mailbox.
fn make_folder(maildir: &Maildir, name: &str) {
    let folder = maildir.folder(name);
    for sub in ["", "cur", "new", "tmp"] {
        fs::create_dir(folder.join(sub)).unwrap();
        own(&folder.join(sub));
    }
}
