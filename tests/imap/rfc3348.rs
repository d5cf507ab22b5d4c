//! CHILDREN (RFC 3348): whether a mailbox has others below it. LSUB, of which §3 wants nothing: `lsub`.

use std::fs;
use std::sync::Arc;

use crate::harness::maildir::own;
use crate::harness::{Client, Kind, Maildir, Server, Setup};

/// §3, example 3.1. What the user cannot come to is no mailbox here, and then SHOULD be no child either: where the
/// example's server gives a hint, `ITEM_2` says \HasNoChildren.
#[test]
fn the_rfcs_example() {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::chosen()).fs_layout().start(&maildir);
    let mut c = server.client();
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" CHILDREN "), "{told}");
    c.ok("CREATE ITEM_1");
    c.ok("CREATE ITEM_1/ITEM_1A");
    c.ok("CREATE ITEM_2");
    // A file where a mailbox would be.
    let secret = maildir.path().join("ITEM_2/TOP_SECRET");
    fs::write(&secret, "").unwrap();
    own(&secret);
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasChildren) \"/\" ITEM_1",
            "* LIST (\\HasNoChildren) \"/\" ITEM_1/ITEM_1A",
            "* LIST (\\HasNoChildren) \"/\" ITEM_2",
        ],
        "OK",
    );
    // §2: the list as it is shown first, collapsed.
    c.check_sorted(
        "LIST \"\" %",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasChildren) \"/\" ITEM_1",
            "* LIST (\\HasNoChildren) \"/\" ITEM_2",
        ],
        "OK",
    );
}

/// §3: one of the two is said of each mailbox and never both, nor \HasChildren with \NoInferiors; and it is true: a
/// child is what LIST shows. Whatever pattern asked for the name, it is the same.
#[test]
fn one_of_the_two_and_a_true_one() {
    let server = Server::start();
    let mut c = server.client();
    for name in [
        "a.b.c",
        "a.x",
        "ab",
        "abc.d",
        "lone",
        "INBOX.below",
        "\"sp ace.x\"",
    ] {
        c.ok(&format!("CREATE {name}"));
    }
    consistent(&server, &mut c);
    // It follows what happens, here and elsewhere.
    let mut other = server.client();
    for command in [
        "CREATE lone.child",
        "DELETE a.x",
        "RENAME abc.d moved",
        "DELETE lone.child",
        "RENAME a.b lone.b",
    ] {
        other.ok(command);
        consistent(&server, &mut c);
    }
    c.check(
        "LIST \"\" lone",
        &["* LIST (\\HasChildren) \".\" lone"],
        "OK",
    );
    other.ok("DELETE lone.b.c");
    c.check(
        "LIST \"\" lone",
        &["* LIST (\\HasNoChildren) \".\" lone"],
        "OK",
    );
}

/// §3: what lies beside the mailboxes without being one makes no parent: files, and directories whose names no mailbox
/// can have.
#[test]
fn what_is_not_listed_is_no_child() {
    let maildir = Arc::new(Maildir::new());
    for folder in [".parent", ".parent..child", ".other", ".other.", "..other"] {
        for sub in ["", "/cur", "/new", "/tmp"] {
            let dir = maildir.path().join(format!("{folder}{sub}"));
            fs::create_dir(&dir).unwrap();
            own(&dir);
        }
    }
    maildir.place("INBOX", "", ".parent.file", b"");
    let server = Server::on(&maildir);
    if server.either(false, true) {
        return; // Dovecot shows such names as they are.
    }
    let mut c = server.client();
    consistent(&server, &mut c);
    for name in ["parent", "other"] {
        let line = format!("* LIST (\\HasNoChildren) \".\" {name}");
        c.check(&format!("LIST \"\" {name}"), &[&line], "OK");
    }
}

/// The attributes and the name of each line of LIST.
fn listed(c: &mut Client, pattern: &str) -> Vec<(String, String)> {
    let lines = c.ok(&format!("LIST \"\" {pattern}"));
    let parted = lines.iter().map(|line| {
        let rest = line.strip_prefix("* LIST (").unwrap();
        let (attributes, name) = rest.split_once(") \".\" ").unwrap();
        (attributes.to_owned(), name.trim_matches('"').to_owned())
    });
    parted.collect()
}

/// Demands of every mailbox that exactly what is listed below it is what it is said to have.
#[track_caller]
fn consistent(server: &Server, c: &mut Client) {
    let all = listed(c, "*");
    for (attributes, name) in &all {
        let below = format!("{name}.");
        let has = all.iter().any(|(_, other)| other.starts_with(&below));
        let words: Vec<String> = attributes
            .to_ascii_lowercase()
            .split(' ')
            .map(str::to_owned)
            .collect();
        let said = |word: &str| words.iter().any(|one| one == word);
        assert_eq!(said("\\haschildren"), has, "{name}: {attributes}");
        assert_eq!(said("\\hasnochildren"), !has, "{name}: {attributes}");
        assert!(!said("\\noinferiors"), "{name}: {attributes}");
        let alone = listed(c, &format!("\"{name}\""));
        let expected = vec![(attributes.clone(), name.clone())];
        if server.either(true, !attributes.contains("Noselect")) {
            assert_eq!(alone, expected);
        }
    }
    let top: Vec<_> = all.iter().filter(|(_, name)| !name.contains('.')).collect();
    let mut shown = listed(c, "%");
    shown.sort();
    let mut expected: Vec<_> = top.into_iter().cloned().collect();
    expected.sort();
    assert_eq!(shown, expected);
}
