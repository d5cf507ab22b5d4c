//! OBJECTID (RFC 8474): identifiers that tell mailboxes and messages again, wherever they have gone.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, message};

/// What stands in the parentheses behind a word.
#[track_caller]
fn behind(line: &str, word: &str) -> String {
    let Some((_, rest)) = line.split_once(&format!("{word} (")) else {
        panic!("no {word} in {line}");
    };
    let id = rest.split(')').next().unwrap().to_owned();
    // §7: "objectid = 1*255(ALPHA / DIGIT / "_" / "-")"; §8.1: "it is wise to avoid" IDs "starting with a dash", "with digits".
    let is_right = |octet: u8| octet.is_ascii_alphanumeric() || b"_-".contains(&octet);
    assert!(
        (1..=255).contains(&id.len()) && id.bytes().all(is_right),
        "{id}"
    );
    assert!(
        id.starts_with(|first: char| first.is_ascii_alphabetic()),
        "{id}"
    );
    id
}

fn mailbox_id(c: &mut Client, mailbox: &str) -> String {
    let lines = c.ok(&format!("STATUS {mailbox} (MAILBOXID)"));
    behind(&lines.concat(), "MAILBOXID")
}

fn email_ids(c: &mut Client) -> Vec<String> {
    let lines = c.ok("FETCH 1:* EMAILID");
    lines.iter().map(|line| behind(line, "EMAILID")).collect()
}

/// §4.1: "MUST include the MAILBOXID response code in the tagged OK response to all successful CREATE commands." §4.2: "on all
/// successful SELECT and EXAMINE commands". §4.3, with its examples.
#[test]
fn mailboxes() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    let created = c.run("create foo");
    assert!(created.tagged.starts_with("OK [MAILBOXID ("), "{created:?}");
    let foo = behind(&created.tagged, "MAILBOXID");
    let bar = behind(&c.run("create bar").tagged, "MAILBOXID");
    assert_eq!(c.outcome("create foo"), "NO [ALREADYEXISTS]");
    let junk = behind(&c.run("CREATE kept (USE (\\Junk))").tagged, "MAILBOXID");
    let inbox = mailbox_id(&mut c, "INBOX");
    // "The server MUST NOT report the same MAILBOXID for two mailboxes at the same time."
    let all = BTreeSet::from([&foo, &bar, &junk, &inbox]);
    assert_eq!(all.len(), 4);
    for command in ["select \"foo\"", "EXAMINE foo"] {
        let told = format!("* OK [MAILBOXID ({foo})]");
        assert_eq!(
            c.ok(command).iter().filter(|line| **line == told).count(),
            1
        );
    }
    c.ok("CLOSE");
    c.check(
        "status foo (mailboxid messages)",
        &[&format!("* STATUS foo (MAILBOXID ({foo}) MESSAGES 0)")],
        "OK",
    );
    // "The server MUST keep the same MAILBOXID for the source and destination when renaming".
    c.ok("rename foo renamed");
    assert_eq!(mailbox_id(&mut c, "renamed"), foo);
    assert_eq!(mailbox_id(&mut c, "bar"), bar);
    let listed = c.ok("list \"\" \"*\" return (status (mailboxid))").concat();
    for id in [&foo, &bar, &junk, &inbox] {
        assert!(listed.contains(&format!("(MAILBOXID ({id}))")), "{listed}");
    }
    // RENAME of INBOX "is treated as creating a new mailbox and moving the messages".
    c.append("INBOX", "", &message("one"));
    c.ok("RENAME INBOX old");
    assert_eq!(mailbox_id(&mut c, "INBOX"), inbox);
    assert_ne!(mailbox_id(&mut c, "old"), inbox);
    // Another mailbox of the same name.
    c.ok("DELETE bar");
    c.ok("CREATE bar");
    assert_ne!(mailbox_id(&mut c, "bar"), bar);
}

/// "The server MUST return the same MAILBOXID for a mailbox with the same name and UIDVALIDITY", "the same EMAILID for the same
/// triple": in every session, and after a start without the files that may be lost.
#[test]
fn they_last() {
    let maildir = Arc::new(Maildir::new());
    let learn = |server: &Server| {
        let mut c = server.selected("INBOX");
        (mailbox_id(&mut c, "INBOX"), email_ids(&mut c))
    };
    let known = {
        let server = Server::on(&maildir);
        if server.kind == Kind::Dovecot {
            return;
        }
        let mut c = server.client();
        c.append("INBOX", "", &message("one"));
        c.append("INBOX", "(\\Seen) ", &message("two"));
        maildir.deliver("INBOX", &message("three"));
        c.ok("SELECT INBOX");
        c.ok("COPY 1 INBOX");
        c.ok("STORE 1:* +FLAGS (\\Flagged kw)");
        let known = learn(&server);
        assert_eq!(known.1.len(), 4);
        known
    };
    maildir.forget_caches();
    assert_eq!(learn(&Server::on(&maildir)), known);
}

/// §5.1: "The server MUST return the same EMAILID as the source message for the matching destination message in the COPYUID
/// pairing after a COPY or MOVE command."
#[test]
fn copies_and_moved_messages() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    c.ok("CREATE box");
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    c.ok("SELECT INBOX");
    let ids = email_ids(&mut c);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    let [one, two, three] = &ids[..] else {
        panic!("{ids:?}")
    };
    c.ok("COPY 1 box");
    c.ok("COPY 1:2 box");
    c.ok("COPY 1 INBOX");
    c.ok("MOVE 2 box");
    assert_eq!(email_ids(&mut c), [one, three, one].map(Clone::clone));
    // To its own mailbox.
    c.ok("MOVE 2 INBOX");
    assert_eq!(email_ids(&mut c), [one, one, three].map(Clone::clone));
    c.ok("SELECT box");
    assert_eq!(email_ids(&mut c), [one, one, two, two].map(Clone::clone));
    // Copies of copies, which have another name than the first.
    c.ok("CREATE third");
    c.ok("COPY 2 third");
    c.ok("MOVE 2 third");
    c.ok("COPY 2:* third");
    c.ok("SELECT third");
    assert_eq!(email_ids(&mut c), [one, one, two, two].map(Clone::clone));
}

/// By whomever: a file keeps its base name.
#[test]
fn moved_by_hand() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    c.ok("CREATE box");
    c.append("INBOX", "(\\Seen) ", &message("one"));
    c.ok("SELECT INBOX");
    let known = email_ids(&mut c);
    let name = server.maildir.files("INBOX").remove(0);
    let from = server.maildir.folder("INBOX").join(&name);
    fs::rename(from, server.maildir.folder("box").join(&name)).unwrap();
    c.ok("SELECT box");
    assert_eq!(email_ids(&mut c), known);
}

/// §5.2: "if the server doesn't support THREADID […] it MUST return NIL to all FETCH responses for the THREADID data item, and a
/// SEARCH for THREADID MUST NOT match any messages." §6.
#[test]
fn fetch_and_search() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "(\\Seen) ", &message(subject));
    }
    c.ok("SELECT INBOX");
    let ids = email_ids(&mut c);
    let [one, two, _] = &ids[..] else {
        panic!("{ids:?}")
    };
    c.check(
        "fetch 1:2 (emailid threadid)",
        &[
            &format!("* 1 FETCH (EMAILID ({one}) THREADID NIL)"),
            &format!("* 2 FETCH (EMAILID ({two}) THREADID NIL)"),
        ],
        "OK",
    );
    c.check(&format!("search emailid {two}"), &["* SEARCH 2"], "OK");
    c.check(
        &format!("UID SEARCH OR EMAILID {two} EMAILID {one}"),
        &["* SEARCH 1 2"],
        "OK",
    );
    c.check(
        &format!("SEARCH NOT EMAILID {two}"),
        &["* SEARCH 1 3"],
        "OK",
    );
    // "Please note specifically that ObjectID values are case sensitive."
    c.check(
        &format!("SEARCH EMAILID {}", two.to_lowercase()),
        &["* SEARCH"],
        "OK",
    );
    c.check("SEARCH EMAILID x", &["* SEARCH"], "OK");
    c.check(&format!("SEARCH THREADID {two}"), &["* SEARCH"], "OK");
    c.check("SEARCH NOT THREADID x", &["* SEARCH 1 2 3"], "OK");
    let longest = "x".repeat(255);
    c.check(&format!("SEARCH EMAILID {longest}"), &["* SEARCH"], "OK");
    for wrong in [
        "",
        " ",
        " \"x\"",
        " (x)",
        " a.b",
        " é",
        &format!(" {longest}x"),
    ] {
        for key in ["EMAILID", "THREADID"] {
            c.bad(&format!("SEARCH {key}{wrong}"));
        }
    }
    for wrong in [
        "FETCH 1 EMAILID()",
        "FETCH 1 MAILBOXID",
        "STATUS INBOX (EMAILID)",
    ] {
        c.bad(wrong);
    }
}
