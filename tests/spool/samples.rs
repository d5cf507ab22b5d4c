//! The trees of `tests/maildirs`, as Dovecot left them: everything a client sees must be what Dovecot showed,
//! and Dovecot must say the same of them afterwards, also when Culver has changed them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::picture::{self, Folder, Message, Picture};
use crate::harness::{Kind, Maildir, Server, Setup, have, message};

const MAILDIRS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/maildirs");

fn unpack(sample: &str) -> Arc<Maildir> {
    Arc::new(Maildir::unpack(
        &Path::new(MAILDIRS).join(sample).join("maildir.tar"),
    ))
}

fn start(kind: Kind, sample: &str, maildir: &Arc<Maildir>) -> Server {
    let setup = Setup::new(kind);
    if sample == "fs" {
        setup.fs_layout()
    } else {
        setup
    }
    .start(maildir)
}

/// What `expected.json` says, less what only Dovecot's index or configuration knows (see the README there).
fn expected(sample: &str) -> Picture {
    let text =
        std::fs::read_to_string(Path::new(MAILDIRS).join(sample).join("expected.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let text_of = |value: &Value| value.as_str().unwrap().to_owned();
    let list = json["list"].as_array().unwrap().iter().map(|line| {
        let attributes = line["attrs"].as_array().unwrap();
        let selectable = !attributes
            .iter()
            .any(|name| name == "\\NonExistent" || name == "\\Noselect");
        (text_of(&line["name"]), selectable)
    });
    let lsub = json["lsub"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| text_of(&line["name"]));
    let folders = json["folders"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, folder)| {
            let messages = folder["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| {
                    let flags = message["flags"].as_array().unwrap().iter();
                    let flags = flags.chain(message["keywords"].as_array().unwrap());
                    let one = Message {
                        flags: flags.map(&text_of).collect(),
                        date: picture::seconds(message["internaldate"].as_str().unwrap()),
                        size: message["size"].as_u64().unwrap(),
                        digest: text_of(&message["sha256"]),
                    };
                    (message["uid"].as_u64().unwrap(), one)
                });
            let one = Folder {
                uid_validity: folder["uidvalidity"].as_u64().unwrap(),
                uid_next: folder["uidnext"].as_u64().unwrap(),
                messages: messages.collect(),
            };
            (name.clone(), one)
        });
    let mut picture = Picture {
        list: list.collect(),
        lsub: lsub.collect(),
        folders: folders.collect(),
    };
    without_index_keywords(&mut picture);
    picture
}

/// The two keywords that live in `dovecot.index` only.
fn without_index_keywords(picture: &mut Picture) {
    for folder in picture.folders.values_mut() {
        for message in folder.messages.values_mut() {
            message
                .flags
                .retain(|flag| flag != "kw26" && flag != "kw27");
        }
    }
}

/// The folders whose UIDVALIDITY the tree does not hold: it was made up when the tree was first opened.
fn unnumbered(sample: &str, maildir: &Maildir, picture: &Picture) -> BTreeSet<String> {
    let dir = |name: &str| -> PathBuf {
        match (name, sample) {
            ("INBOX", _) => maildir.path().to_owned(),
            (_, "fs") => maildir.path().join(name),
            _ => maildir.folder(name),
        }
    };
    let names = picture.folders.keys();
    names
        .filter(|name| !dir(name).join("dovecot-uidlist").exists())
        .cloned()
        .collect()
}

#[track_caller]
fn same(what: &str, got: &Picture, expected: &Picture) {
    assert_eq!(got.list, expected.list, "{what}: LIST");
    assert_eq!(got.lsub, expected.lsub, "{what}: LSUB");
    for (name, folder) in &expected.folders {
        let other = &got.folders[name];
        assert_eq!(
            other.uid_validity, folder.uid_validity,
            "{what}: UIDVALIDITY of {name}"
        );
        assert_eq!(other.uid_next, folder.uid_next, "{what}: UIDNEXT of {name}");
        for (uid, message) in &folder.messages {
            assert_eq!(
                other.messages.get(uid),
                Some(message),
                "{what}: {name}, UID {uid}"
            );
        }
        assert_eq!(
            other.messages.len(),
            folder.messages.len(),
            "{what}: {name}"
        );
    }
    assert_eq!(got, expected, "{what}");
}

/// The whole walk for one tree: as Dovecot left it, Dovecot's word after Culver, Dovecot's word after
/// Culver's changes, and Culver's word after Dovecot's.
fn walk(sample: &str) {
    let maildir = unpack(sample);
    let mut wanted = expected(sample);
    let unnumbered = unnumbered(sample, &maildir, &wanted);

    let server = start(Kind::chosen(), sample, &maildir);
    let mut got = picture::of(&server);
    let shown = got.clone();
    without_index_keywords(&mut got);
    for name in unnumbered {
        // Not reproducible; but it must last (see below).
        wanted.folders.get_mut(&name).unwrap().uid_validity = got.folders[&name].uid_validity;
    }
    same("as Dovecot left it", &got, &wanted);
    server.stop();

    // A second look, from nothing but the files.
    maildir.forget_caches();
    let server = start(Kind::chosen(), sample, &maildir);
    same("a second look", &picture::of(&server), &shown);
    server.stop();

    if !have("dovecot") {
        return;
    }
    let dovecot = start(Kind::Dovecot, sample, &maildir);
    let mut its = picture::of(&dovecot);
    without_index_keywords(&mut its);
    same("Dovecot afterwards", &its, &wanted);
    dovecot.stop();

    let server = start(Kind::chosen(), sample, &maildir);
    change(&server, sample);
    let mut ours = picture::of(&server);
    without_index_keywords(&mut ours);
    server.stop();
    let dovecot = start(Kind::Dovecot, sample, &maildir);
    let mut its = picture::of(&dovecot);
    without_index_keywords(&mut its);
    same("Dovecot after our changes", &its, &ours);
    change_again(&dovecot);
    let mut its = picture::of(&dovecot);
    without_index_keywords(&mut its);
    dovecot.stop();
    let server = start(Kind::chosen(), sample, &maildir);
    let mut ours = picture::of(&server);
    without_index_keywords(&mut ours);
    same("ours after Dovecot's changes", &ours, &its);
}

/// Appends, copies, flags, renames, moves and expunges.
fn change(server: &Server, sample: &str) {
    let separator = if sample == "fs" { '/' } else { '.' };
    let mut c = server.client();
    c.ok(&format!("CREATE Neu{separator}&AOQ-rger"));
    c.ok(&format!("SUBSCRIBE Neu{separator}&AOQ-rger"));
    c.append(
        "INBOX",
        "(\\Seen neukw) \"03-Mar-2021 10:20:30 +0200\" ",
        &message("appended"),
    );
    c.append("INBOX", "", &message("plain"));
    c.append(
        &format!("Neu{separator}&AOQ-rger"),
        "(\\Flagged) ",
        &message("new folder"),
    );
    c.ok("SELECT INBOX");
    let exists = c.ok("SEARCH ALL").remove(0).split(' ').count() - 2;
    c.ok(&format!("COPY 1:* Neu{separator}&AOQ-rger"));
    c.ok("STORE 1 +FLAGS (\\Answered \\Flagged stamp)");
    c.ok("STORE * -FLAGS (\\Seen)");
    c.ok(&format!("STORE {exists} +FLAGS (\\Deleted)"));
    c.ok("EXPUNGE");
    c.ok(&format!("RENAME Neu Alt{separator}Neu"));
    c.ok("SELECT INBOX");
    c.ok(&format!("MOVE 1 Alt{separator}Neu{separator}&AOQ-rger"));
    c.ok("CREATE Weg");
    c.append("Weg", "", &message("gone soon"));
    c.ok("DELETE Weg");
    c.ok("LOGOUT");
}

/// A few more, by the other server.
fn change_again(server: &Server) {
    let mut c = server.client();
    c.append("INBOX", "(\\Draft andere) ", &message("by the other"));
    c.ok("SELECT INBOX");
    c.ok("STORE 1 FLAGS (\\Deleted)");
    c.ok("EXPUNGE");
    c.ok("CREATE Andere");
    if c.ok("SEARCH ALL").remove(0) != "* SEARCH" {
        c.ok("COPY 1:* Andere");
    }
    c.ok("LOGOUT");
}

#[test]
fn std_written_by_dovecot() {
    walk("std");
}

#[test]
fn v1_uidlist_of_courier() {
    walk("v1");
}

#[test]
fn messy_names_of_many_programs() {
    walk("messy");
}

#[test]
fn fs_layout() {
    walk("fs");
}

/// Looking at a tree changes no message file and loses nothing Dovecot keeps.
#[test]
fn a_look_leaves_every_message_file_as_it_was() {
    for sample in ["std", "v1", "messy", "fs"] {
        let maildir = unpack(sample);
        let before = contents(maildir.path());
        let server = start(Kind::chosen(), sample, &maildir);
        picture::of(&server);
        server.stop();
        let after = contents(maildir.path());
        for (base, bytes) in &before {
            assert_eq!(after.get(base), Some(bytes), "{sample}: {base}");
        }
    }
}

/// Every file of `cur` and `new` by its folder and base name, with its bytes and time.
fn contents(root: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    fn walk(
        dir: &Path,
        root: &Path,
        found: &mut BTreeMap<String, (Vec<u8>, std::time::SystemTime)>,
    ) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let parent = dir.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                walk(&path, root, found);
            } else if parent == "cur" || parent == "new" {
                let folder = dir
                    .parent()
                    .unwrap()
                    .strip_prefix(root)
                    .unwrap()
                    .display()
                    .to_string();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let base = name.split(':').next().unwrap().to_owned();
                let time = path.metadata().unwrap().modified().unwrap();
                found.insert(
                    format!("{folder}/{base}"),
                    (std::fs::read(&path).unwrap(), time),
                );
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}
