//! What other programs do to the files: deliveries as an MTA's or a filter's, flags as mutt and Dovecot set them,
//! messages removed, and moved between folders.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::account::Mailbox;
use super::picture::Flags;
use crate::harness::maildir::own;
use crate::harness::{Maildir, PATIENCE, message};

pub const LETTERS: [(char, &str); 5] = [
    ('D', "\\Draft"),
    ('F', "\\Flagged"),
    ('R', "\\Answered"),
    ('S', "\\Seen"),
    ('T', "\\Deleted"),
];

/// The keywords of a folder, by letter.
pub fn keywords(maildir: &Maildir, mailbox: &str) -> HashMap<char, String> {
    let table = maildir.folder(mailbox).join("dovecot-keywords");
    let table = fs::read_to_string(table).unwrap_or_default();
    let line = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        let number: u8 = number.parse().ok()?;
        Some((char::from(b'a' + number), name.to_owned()))
    };
    table.lines().filter_map(line).collect()
}

/// The keywords of a message that have no letter, and so stand in no file name.
pub fn extras(maildir: &Maildir, mailbox: &str, base: &str) -> Flags {
    let table = maildir.folder(mailbox).join("culver.keywords");
    let table = fs::read_to_string(table).unwrap_or_default();
    let (mut names, mut found) = (HashMap::new(), Vec::new());
    for line in table.lines() {
        if let Some((number, name)) = line.strip_prefix("k ").and_then(|one| one.split_once(' ')) {
            names.insert(number, name);
        }
        let message = line.strip_prefix("m ").and_then(|one| one.split_once(" :"));
        if let Some((numbers, _)) = message.filter(|(_, of)| *of == base) {
            found = numbers.split(',').collect();
        }
    }
    let named = found.iter().filter_map(|number| names.get(number));
    named.map(|name| (*name).to_owned()).collect()
}

/// Most letters are taken, so that most keywords find none.
pub fn take_letters(maildir: &Maildir, mailbox: &str) {
    let names: Vec<String> = (0..23)
        .map(|number| format!("{number} taken{number}\n"))
        .collect();
    let table = maildir.folder(mailbox).join("dovecot-keywords");
    fs::write(&table, names.concat()).unwrap();
    own(&table);
}

/// The file of a message, by the uidlist.
pub fn file(maildir: &Maildir, mailbox: &str, uid: u32) -> Option<PathBuf> {
    let list = fs::read_to_string(maildir.folder(mailbox).join("dovecot-uidlist")).unwrap();
    let mut base = None;
    for line in list.lines().skip(1) {
        let number = line.split(' ').next().and_then(|word| word.parse().ok());
        if number == Some(uid) {
            base = line.split_once(" :").map(|(_, base)| base.to_owned());
        }
    }
    maildir.find(mailbox, &base?)
}

fn is_listed(maildir: &Maildir, mailbox: &str, base: &str) -> bool {
    let list = maildir.folder(mailbox).join("dovecot-uidlist");
    let list = fs::read_to_string(list).unwrap_or_default();
    list.lines()
        .any(|line| line.ends_with(&format!(" :{base}")))
}

fn base(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.split(':').next().unwrap().to_owned()
}

/// A message's file gets other flags: renamed into `cur/`, or linked there and unlinked.
pub fn reflag(maildir: &Maildir, mailbox: &str, uid: u32, flags: &Flags, by_link: bool) {
    let old = file(maildir, mailbox, uid).expect("a file");
    let table = keywords(maildir, mailbox);
    let mut letters: Vec<char> = LETTERS
        .iter()
        .filter(|(_, name)| flags.contains(*name))
        .map(|(letter, _)| *letter)
        .collect();
    letters.extend(
        table
            .iter()
            .filter(|(_, name)| flags.contains(*name))
            .map(|(letter, _)| *letter),
    );
    letters.sort_unstable();
    let letters: String = letters.into_iter().collect();
    let new = format!("{}:2,{letters}", base(&old));
    let new = maildir.folder(mailbox).join("cur").join(new);
    if new == old {
        return;
    }
    match by_link {
        true => {
            fs::hard_link(&old, &new).unwrap();
            fs::remove_file(&old).unwrap();
        }
        false => fs::rename(&old, &new).unwrap(),
    }
}

pub fn remove(maildir: &Maildir, mailbox: &str, uid: u32) {
    fs::remove_file(file(maildir, mailbox, uid).expect("a file")).unwrap();
}

/// `mv` between folders, as mutt does: into `cur/` with its name, or into `new/` without flags. Gives its base name; `None`
/// if a file of that name is there; with `fresh` also if one was.
pub fn carry(
    maildir: &Maildir,
    from: &str,
    uid: u32,
    to: &str,
    as_new: bool,
    fresh: bool,
) -> Option<String> {
    let old = file(maildir, from, uid).expect("a file");
    let base = base(&old);
    if maildir.find(to, &base).is_some() || fresh && is_listed(maildir, to, &base) {
        return None;
    }
    let name = old.file_name().unwrap().to_str().unwrap();
    let new = match as_new {
        true => format!("new/{base}"),
        false => format!("cur/{name}"),
    };
    fs::rename(&old, maildir.folder(to).join(new)).unwrap();
    Some(base)
}

/// A message that comes by `tmp/` into `new/`, or right into `new/` or `cur/`.
/// Gives its base name and its flags.
pub fn deliver(maildir: &Maildir, mailbox: &str, mark: &str, how: u64) -> (String, Flags) {
    let prepared = maildir.prepare(mailbox, message(mark).as_bytes());
    let base = base(&prepared);
    let mut flags = Flags::new();
    match how {
        0 | 1 => drop(maildir.release(mailbox, &prepared)),
        2 => {
            let name = prepared.file_name().unwrap();
            fs::hard_link(&prepared, maildir.folder(mailbox).join("new").join(name)).unwrap();
            fs::remove_file(&prepared).unwrap();
        }
        _ => {
            let name = format!("{base}:2,FS");
            fs::rename(&prepared, maildir.folder(mailbox).join("cur").join(name)).unwrap();
            flags.extend(["\\Flagged".to_owned(), "\\Seen".to_owned()]);
        }
    }
    (base, flags)
}

/// A file while the server takes messages over from `new/`: looked for until the deed is done.
pub fn with_file(
    maildir: &Maildir,
    mailbox: &str,
    base: &str,
    deed: impl Fn(&Path) -> std::io::Result<()>,
) {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(path) = find(maildir, mailbox, base) {
            match deed(&path) {
                Ok(()) => return,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
        assert!(Instant::now() < end, "{base} is nowhere in {mailbox}");
    }
}

/// A file by its base name; `None` too where it is being renamed.
fn find(maildir: &Maildir, mailbox: &str, base: &str) -> Option<PathBuf> {
    for sub in ["new", "cur"] {
        let dir = maildir.folder(mailbox).join(sub);
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if self::base(&path) == base {
                return Some(path);
            }
        }
    }
    None
}

/// The name of a message with these system flags.
pub fn named(base: &str, flags: &Flags) -> String {
    let letters = LETTERS.iter().filter(|(_, name)| flags.contains(*name));
    let letters: String = letters.map(|(letter, _)| *letter).collect();
    format!("{base}:2,{letters}")
}

/// The files of a mailbox are those of the model, with its flags: what the next program will read.
pub fn compare(maildir: &Maildir, mailbox: &Mailbox) -> Result<(), String> {
    let table = keywords(maildir, mailbox.name);
    let files = maildir.files(mailbox.name);
    if files.len() != mailbox.messages.len() {
        return Err(format!(
            "{}: {} files for {} messages: {files:?}",
            mailbox.name,
            files.len(),
            mailbox.messages.len()
        ));
    }
    for (uid, message) in &mailbox.messages {
        let path = file(maildir, mailbox.name, *uid);
        let path = path.ok_or_else(|| format!("{}: no file of UID {uid}", mailbox.name))?;
        let name = path.file_name().unwrap().to_str().unwrap();
        let letters = name.split_once(":2,").map_or("", |(_, letters)| letters);
        let flag = |letter: char| {
            let system = LETTERS.iter().find(|(known, _)| *known == letter);
            system.map_or_else(|| table[&letter].clone(), |(_, name)| (*name).to_owned())
        };
        let mut flags: Flags = letters.chars().map(flag).collect();
        flags.extend(extras(maildir, mailbox.name, &base(&path)));
        let text = fs::read_to_string(&path).unwrap();
        let subject = text.lines().find_map(|line| line.strip_prefix("Subject: "));
        if flags != message.flags || subject != Some(&message.mark) {
            return Err(format!(
                "{}: UID {uid} is {name}, not {message:?}",
                mailbox.name
            ));
        }
    }
    Ok(())
}
