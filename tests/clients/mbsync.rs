//! mbsync, two-way: 500 messages in 12 nested folders with non-ASCII names; flags, keywords, new messages
//! and deletions on both sides. A second run must change nothing, not even after a restart that begins
//! without the server's caches.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Client, Maildir, Server, have};

/// Twelve folders, in the form of the wire.
const FOLDERS: [&str; 12] = [
    "Archiv",
    "Archiv.2023",
    "Archiv.2023.M&AOQ-rz",
    "Archiv.2024",
    "Entw&APw-rfe",
    "Entw&APw-rfe.Alt &- neu",
    "&ZeVnLIqe-",
    "&ZeVnLIqe-.&U,BTFw-",
    "Lists",
    "Lists.rust.dev",
    "&2D3eAA-",
    "tief.er.und.tiefer.&AMk-t&AOk-",
];

struct Near {
    dir: PathBuf,
    config: PathBuf,
}

impl Near {
    fn new(home: &Path) -> Near {
        let dir = home.join("near");
        fs::create_dir(&dir).unwrap();
        Near {
            dir,
            config: home.join("mbsyncrc"),
        }
    }

    /// Runs mbsync against this server.
    fn sync(&self, server: &Server) {
        let dir = self.dir.display();
        fs::write(
            &self.config,
            format!(
                "IMAPStore far\nHost 127.0.0.1\nPort {}\nUser {USER}\nPass {PASSWORD}\nSSLType None\nAuthMechs LOGIN\n\n\
                 MaildirStore near\nPath {dir}/\nInbox {dir}/INBOX\nSubFolders Verbatim\n\n\
                 Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\n\
                 SyncState *\nCopyArrivalDate yes\n",
                server.imap.port(),
            ),
        )
        .unwrap();
        let output = Command::new("mbsync")
            .arg("-c")
            .arg(&self.config)
            .arg("-a")
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mbsync: {said}");
        assert!(!said.contains("rror"), "mbsync: {said}");
    }

    /// Every message file below it.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let parent = dir.file_name().unwrap();
                if path.is_dir() {
                    walk(&path, found);
                } else if parent == "cur" || parent == "new" {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.dir, &mut found);
        found.sort();
        found
    }

    /// Its messages by their `X-Number`, with flag letters.
    fn messages(&self) -> BTreeMap<u32, String> {
        let mut found = BTreeMap::new();
        for path in self.files() {
            let letters = path
                .to_str()
                .unwrap()
                .rsplit(":2,")
                .next()
                .unwrap()
                .to_owned();
            let letters = if letters.contains('/') {
                String::new()
            } else {
                letters
            };
            let before = found.insert(number(&fs::read_to_string(&path).unwrap()), letters);
            assert!(before.is_none(), "twice on the near side: {path:?}");
        }
        found
    }

    fn file(&self, wanted: u32) -> PathBuf {
        let mut files = self.files().into_iter();
        files
            .find(|path| number(&fs::read_to_string(path).unwrap()) == wanted)
            .unwrap()
    }
}

fn number(text: &str) -> u32 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("X-Number: "));
    line.unwrap().trim().parse().unwrap()
}

/// The server's messages by their `X-Number`: flag letters as a Maildir writes them, and keywords.
fn far(server: &Server) -> BTreeMap<u32, (String, String)> {
    let mut found = BTreeMap::new();
    let mut c = server.client();
    for folder in FOLDERS.iter().chain(&["INBOX"]) {
        c.ok(&format!("EXAMINE \"{folder}\""));
        for line in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (X-NUMBER)])") {
            let flags = line
                .split("FLAGS (")
                .nth(1)
                .unwrap()
                .split(')')
                .next()
                .unwrap();
            let has = |flag: &str| flags.split(' ').any(|word| word == flag);
            let letters: String = [
                ("\\Draft", 'D'),
                ("\\Flagged", 'F'),
                ("\\Answered", 'R'),
                ("\\Seen", 'S'),
                ("\\Deleted", 'T'),
            ]
            .iter()
            .filter(|(flag, _)| has(flag))
            .map(|(_, letter)| *letter)
            .collect();
            let keywords: Vec<&str> = flags
                .split(' ')
                .filter(|word| !word.starts_with('\\'))
                .collect();
            let before = found.insert(
                number(&line.replace("\r\n", "\n")),
                (letters, keywords.join(" ")),
            );
            assert!(before.is_none(), "twice on the server: {line}");
        }
    }
    found
}

fn letters_only(far: &BTreeMap<u32, (String, String)>) -> BTreeMap<u32, String> {
    far.iter()
        .map(|(number, (letters, _))| (*number, letters.clone()))
        .collect()
}

fn text(number: u32) -> String {
    format!(
        "From: a@example.org\r\nSubject: message {number}\r\nX-Number: {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\nText of {number}.\r\n"
    )
}

/// Everything that a run which changes nothing leaves alone: the near side's files, what the server shows,
/// and the server's own files.
fn everything(near: &Near, server: &Server) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut own = Vec::new();
    for folder in FOLDERS.iter().chain(&["INBOX"]) {
        own.push((folder.to_string(), server.maildir.files(folder)));
    }
    (near.files(), far(server), own)
}

#[test]
fn two_way_and_a_second_run_changes_nothing() {
    if !have("mbsync") {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    let near_home = tempfile::tempdir().unwrap();
    let near = Near::new(near_home.path());
    let server = Server::on(&maildir);
    let mut c = server.client();
    for folder in FOLDERS {
        c.ok(&format!("CREATE \"{folder}\""));
    }
    let flags = [
        "",
        "(\\Seen) ",
        "(\\Flagged \\Seen) ",
        "(\\Answered later) ",
        "(\\Draft $Label1 Wichtig) ",
    ];
    for at in 0..500_u32 {
        let folder = FOLDERS[at as usize % 12];
        let flags = flags[at as usize % 5];
        let date = format!("\"{:2}-Jan-2021 10:00:00 +0000\" ", at % 28 + 1);
        c.append(
            &format!("\"{folder}\""),
            &format!("{flags}{date}"),
            &text(at),
        );
    }

    near.sync(&server);
    assert_eq!(near.messages().len(), 500);
    assert_eq!(near.messages(), letters_only(&far(&server)));
    let before = everything(&near, &server);
    near.sync(&server);
    assert_eq!(everything(&near, &server), before, "a second run");

    change_the_far_side(&mut c);
    change_the_near_side(&near);
    near.sync(&server);
    let expected = far(&server);
    assert_eq!(expected.len(), 500 - 12 - 12 + 12 + 12);
    assert_eq!(near.messages(), letters_only(&expected));
    let with_keywords = expected
        .values()
        .filter(|(_, keywords)| !keywords.is_empty())
        .count();
    assert!(with_keywords > 150, "keywords stay: {with_keywords}");

    let before = everything(&near, &server);
    near.sync(&server);
    assert_eq!(everything(&near, &server), before, "a second run");

    drop(c);
    server.stop();
    let server = Server::on(&maildir);
    near.sync(&server);
    assert_eq!(everything(&near, &server), before, "after a restart");
    server.stop();
    maildir.forget_caches();
    let server = Server::on(&maildir);
    near.sync(&server);
    assert_eq!(
        everything(&near, &server),
        before,
        "after a restart without caches"
    );
}

/// In each folder one message goes, one is flagged, one comes.
fn change_the_far_side(c: &mut Client) {
    for (at, folder) in FOLDERS.iter().enumerate() {
        c.ok(&format!("SELECT \"{folder}\""));
        c.ok("STORE 1 +FLAGS (\\Deleted)");
        c.ok("EXPUNGE");
        c.ok("STORE 2 FLAGS (\\Answered \\Seen neu)");
        c.append(
            &format!("\"{folder}\""),
            "(\\Seen) ",
            &text(1000 + at as u32),
        );
    }
    c.ok("UNSELECT");
}

/// The same on the near side, to other messages, by renaming files as a mail reader does.
fn change_the_near_side(near: &Near) {
    for at in 0..12_u32 {
        // Numbers 60 to 71 lie in folders 0 to 11; those from 120 likewise.
        let path = near.file(60 + at);
        relabel(&path, |letters| format!("{letters}T"));
        let path = near.file(120 + at);
        relabel(&path, |letters| {
            let mut letters: Vec<char> = letters.chars().filter(|letter| *letter != 'F').collect();
            letters.extend(['F', 'S']);
            letters.sort_unstable();
            letters.dedup();
            letters.into_iter().collect()
        });
        let folder = path.parent().unwrap().parent().unwrap();
        let message = text(2000 + at).replace("\r\n", "\n");
        fs::write(
            folder.join(format!("new/17000{at:05}.near{at}.host")),
            message,
        )
        .unwrap();
    }
}

fn relabel(path: &Path, change: impl Fn(&str) -> String) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let (stem, letters) = name.split_once(":2,").unwrap_or((name, ""));
    let folder = path.parent().unwrap().parent().unwrap();
    fs::rename(
        path,
        folder
            .join("cur")
            .join(format!("{stem}:2,{}", change(letters))),
    )
    .unwrap();
}
