//! What lies in a Maildir, read straight from its files, to be compared with what a program believes.

use std::fs;
use std::path::Path;

use crate::harness::Maildir;

/// Each message of the server's folder as `subject<TAB>flags`, both sorted, the flags in the form of the wire.
pub fn messages(maildir: &Maildir, folder: &str) -> Vec<String> {
    let dir = maildir.folder(folder);
    let keywords = fs::read_to_string(dir.join("dovecot-keywords")).unwrap_or_default();
    messages_in(&dir, &keywords)
}

/// The same of any Maildir, with keywords as `dovecot-keywords` has them: lines of `number keyword`.
pub fn messages_in(dir: &Path, keywords: &str) -> Vec<String> {
    let keyword = |letter: char| {
        let number = u32::from(letter) - u32::from('a');
        let line = keywords
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{number} ")));
        line.unwrap_or_else(|| panic!("{}: no keyword {letter}", dir.display()))
            .to_owned()
    };
    let files = ["cur", "new"]
        .into_iter()
        .flat_map(|sub| fs::read_dir(dir.join(sub)).unwrap());
    let mut found: Vec<String> = files
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let letters = name.split_once(":2,").map_or("", |(_, letters)| letters);
            let mut flags: Vec<String> = letters
                .chars()
                .map(|letter| match letter {
                    'D' => "\\Draft".to_owned(),
                    'F' => "\\Flagged".to_owned(),
                    'P' => "$Forwarded".to_owned(),
                    'R' => "\\Answered".to_owned(),
                    'S' => "\\Seen".to_owned(),
                    'T' => "\\Deleted".to_owned(),
                    letter => keyword(letter),
                })
                .collect();
            flags.sort();
            let text = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&text);
            let subject = text.lines().find_map(|line| line.strip_prefix("Subject: "));
            format!("{}\t{}", subject.unwrap(), flags.join(" "))
        })
        .collect();
    found.sort();
    found
}

/// Demands that a program's lines `mailbox<TAB>subject<TAB>flags` are what lies on disk. Mailboxes are
/// pairs: the name the program uses, and the name in the Maildir.
#[track_caller]
pub fn agrees(told: &str, maildir: &Maildir, mailboxes: &[(&str, &str)]) {
    let mut believed: Vec<&str> = told.lines().collect();
    believed.sort_unstable();
    let mut there: Vec<String> = mailboxes
        .iter()
        .flat_map(|(name, folder)| {
            messages(maildir, folder)
                .into_iter()
                .map(move |message| format!("{name}\t{message}"))
        })
        .collect();
    there.sort();
    assert_eq!(believed, there, "believed, and on disk");
    assert!(!there.is_empty());
}
