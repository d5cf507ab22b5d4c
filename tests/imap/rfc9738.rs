//! MESSAGELIMIT and SAVELIMIT (RFC 9738).

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// A server with limits, and an INBOX with 2500 messages, UIDs 1 to 2500.
fn limited(settings: &str) -> (Server, Client) {
    let maildir = Arc::new(Maildir::new());
    let text = message("one");
    for number in 0..2500 {
        let name = format!("{}.M{number}.host:2,", 1_700_000_000 + number);
        maildir.place("INBOX", "cur", &name, text.as_bytes());
    }
    let server = Setup::new(Kind::Culver)
        .settings(&format!("[limits]\n{settings}"))
        .mail_settings("fsync = \"never\"\n")
        .start(&maildir);
    let mut c = server.selected("INBOX");
    c.ok("CREATE box");
    (server, c)
}

/// "MESSAGELIMIT=1000": the number is announced, of one limit or the other.
#[test]
fn announced() {
    for (setting, announced, other) in [
        ("message-limit = 1000\n", " MESSAGELIMIT=1000", "SAVELIMIT"),
        ("save-limit = 2000\n", " SAVELIMIT=2000", "MESSAGELIMIT"),
    ] {
        let (_server, mut c) = limited(setting);
        let line = c.ok("CAPABILITY").concat();
        assert!(line.contains(announced) && !line.contains(other), "{line}");
    }
}

/// The messages with the highest UIDs are processed, and the code names the lowest of them; below it the client goes
/// on, until all is done.
#[test]
fn page_by_page() {
    let (_server, mut c) = limited("message-limit = 1000\n");
    for (set, lines, outcome) in [
        ("1:*", 1000, "OK [MESSAGELIMIT 1000 1501]"),
        ("1:1500", 1000, "OK [MESSAGELIMIT 1000 501]"),
        ("1:500", 500, "OK"),
        ("1:1000", 1000, "OK"),
    ] {
        for command in [format!("UID FETCH {set} FLAGS"), format!("FETCH {set} UID")] {
            let reply = c.run(&command);
            assert_eq!((reply.untagged.len(), &*reply.outcome()), (lines, outcome));
        }
        let reply = c.run(&format!("UID SEARCH UID {set} UNDELETED"));
        let found = reply.plain().concat();
        assert_eq!(found.split(' ').count() - 2, lines);
        assert_eq!(reply.outcome(), outcome);
    }
    // "the server is REQUIRED to process messages from highest to lowest UID".
    let lines = c.run("FETCH 1:* UID").plain();
    assert_eq!(lines[0], "* 2500 FETCH (UID 2500)");
    assert_eq!(lines[999], "* 1501 FETCH (UID 1501)");
    // A search names all messages that its sets do not rule out.
    let reply = c.run("SEARCH SUBJECT one");
    assert_eq!(reply.outcome(), "OK [MESSAGELIMIT 1000 1501]");
    for (key, outcome) in [
        ("UIDBEFORE 1501 UNSEEN", "OK [MESSAGELIMIT 1000 501]"),
        ("UNSEEN (UIDBEFORE 1501 UIDAFTER 500)", "OK"),
        ("UIDAFTER 2500", "OK"),
    ] {
        assert_eq!(c.outcome(&format!("UID SEARCH {key}")), outcome, "{key}");
    }
    // "saved result is the partial result".
    let tag = c.next_tag();
    let line = format!("* ESEARCH (TAG \"{tag}\") UID COUNT 1000");
    let limit = "OK [MESSAGELIMIT 1000 1501]";
    c.check("UID SEARCH RETURN (SAVE COUNT) ALL", &[&line], limit);
    let tag = c.next_tag();
    let line = format!("* ESEARCH (TAG \"{tag}\") UID MIN 1501 MAX 2500");
    c.check("UID SEARCH RETURN (MIN MAX) $", &[&line], "OK");
}

#[test]
fn what_changes() {
    let (_server, mut c) = limited("message-limit = 1000\n");
    assert_eq!(
        c.outcome("STORE 1:* +FLAGS.SILENT (\\Deleted)"),
        "OK [MESSAGELIMIT 1000 1501]"
    );
    let tag = c.next_tag();
    let line = format!("* ESEARCH (TAG \"{tag}\") MIN 1501 COUNT 1000");
    c.check(
        "SEARCH RETURN (MIN COUNT) UIDAFTER 1500 DELETED",
        &[&line],
        "OK",
    );
    // What is not deleted does not count.
    assert_eq!(c.outcome("UID EXPUNGE 1:*"), "OK");
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 1500)"],
        "OK",
    );
    // All or nothing.
    assert_eq!(c.outcome("COPY 1:* box"), "NO [MESSAGELIMIT 1000 501]");
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 0)"],
        "OK",
    );
    assert_eq!(c.outcome("MOVE 1:* box"), "OK [MESSAGELIMIT 1000 501]");
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 1000)"],
        "OK",
    );
    let many = format!("APPEND box{}", " {2+}\r\nx\n".repeat(1001));
    assert_eq!(c.outcome(&many), "NO [MESSAGELIMIT 1000]");
    // EXPUNGE and CLOSE are not limited.
    c.ok("SELECT box");
    c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.ok("APPEND box (\\Deleted) {2+}\r\nx\n");
    assert_eq!(c.outcome("UID EXPUNGE 1:*"), "OK [MESSAGELIMIT 1000 2]");
    c.ok("APPEND box (\\Deleted) {2+}\r\nx\n");
    c.ok("EXPUNGE");
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 0)"],
        "OK",
    );
}

/// Where MODIFIED or HIGHESTMODSEQ (RFC 7162 §3.1.3, §3.2.7) has to be told too, there are two lines.
#[test]
fn with_mod_sequences() {
    let (_server, mut c) = limited("message-limit = 1000\n");
    c.ok("ENABLE QRESYNC");
    c.ok("SELECT INBOX");
    let told = c.ok("UID STORE 2000 +FLAGS (\\Seen)").concat();
    let (_, since) = told.split_once("MODSEQ (").unwrap();
    let since: u64 = since.split(')').next().unwrap().parse().unwrap();
    let store = format!(
        "UID STORE 1:* (UNCHANGEDSINCE {}) +FLAGS.SILENT (\\Deleted)",
        since - 1
    );
    let reply = c.run(&store);
    assert_eq!(reply.outcome(), "OK [MODIFIED 2000]");
    let limits = |line: &&String| *line == "* NO [MESSAGELIMIT 1000 1501]";
    assert_eq!(reply.plain().iter().filter(limits).count(), 1);
    c.ok("UID STORE 1:1500 +FLAGS.SILENT (\\Deleted)");
    c.ok("UID STORE 1:500 +FLAGS.SILENT (\\Deleted)");
    let reply = c.run("UID EXPUNGE 1:*");
    let outcome = reply.outcome();
    assert!(outcome.starts_with("OK [HIGHESTMODSEQ "), "{outcome}");
    let lines = reply.plain();
    assert_eq!(lines[0], "* NO [MESSAGELIMIT 1000 1500]");
    assert_eq!(lines[1], "* VANISHED 1500:1999,2001:2500");
}

/// What is not done by shares is refused before anything is done, and narrower it is done.
#[test]
fn what_is_refused() {
    let (_server, mut c) = limited("message-limit = 1000\n");
    c.ok("SEARCH RETURN (SAVE) UID 7");
    for command in [
        "SORT (SUBJECT) UTF-8 ALL",
        "UID SORT RETURN (COUNT) (SUBJECT) UTF-8 UIDAFTER 1499",
        "THREAD REFS UTF-8 ALL",
        "ESEARCH IN (mailboxes (INBOX box)) RETURN (COUNT) ALL",
        "UID FETCH 1:* FLAGS (PARTIAL 1:1001)",
        "FETCH 1:* FLAGS (PARTIAL -2001:-1001)",
    ] {
        c.check(command, &[], "NO [MESSAGELIMIT 1000]");
    }
    let tag = c.next_tag();
    let line = format!("* ESEARCH (TAG \"{tag}\") UID ALL 7");
    c.check("UID SEARCH RETURN (ALL) $", &[&line], "OK");
    for command in [
        "SORT (SUBJECT) UTF-8 UIDAFTER 1500",
        "THREAD REFS UTF-8 1:1000",
        "ESEARCH IN (mailboxes (INBOX box)) RETURN (COUNT) UIDAFTER 1500",
        "UID FETCH 1:* FLAGS (PARTIAL -2000:-1001)",
    ] {
        c.ok(command);
    }
    // The selected mailbox alone is searched as by SEARCH.
    let tag = c.next_tag();
    let line = format!("* ESEARCH (TAG \"{tag}\" MAILBOX INBOX UIDVALIDITY");
    let reply = c.run("ESEARCH IN (selected) RETURN (COUNT) ALL");
    assert!(reply.plain()[0].starts_with(&line), "{:?}", reply.plain());
    assert!(reply.plain()[0].ends_with(" UID COUNT 1000"));
    assert_eq!(reply.outcome(), "OK [MESSAGELIMIT 1000 1501]");
}

/// With SAVELIMIT alone only APPEND and COPY are limited.
#[test]
fn saving_alone() {
    let (_server, mut c) = limited("save-limit = 1000\n");
    c.ok("FETCH 1:* UID");
    c.ok("SEARCH ALL");
    assert_eq!(c.outcome("COPY 1:1001 box"), "NO [MESSAGELIMIT 1000 2]");
    assert!(c.outcome("COPY 1:1000 box").starts_with("OK [COPYUID "));
    assert_eq!(c.outcome("MOVE 1:2500 box"), "OK");
}

/// Without a setting there is no limit, and the keys are there all the same.
#[test]
fn without_limits() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    c.ok("SELECT INBOX");
    c.check("UID SEARCH UIDAFTER 1", &["* SEARCH 2 3"], "OK");
    c.check("UID SEARCH UIDBEFORE 3", &["* SEARCH 1 2"], "OK");
    c.check("UID SEARCH NOT UIDBEFORE 3", &["* SEARCH 3"], "OK");
    c.check("UID SEARCH UIDAFTER 4294967295", &["* SEARCH"], "OK");
    c.check("UID SEARCH UIDBEFORE 1", &["* SEARCH"], "OK");
    for wrong in [
        "UIDAFTER",
        "UIDAFTER x",
        "UIDAFTER 0",
        "UIDBEFORE 4294967296",
        "UIDAFTER *",
        "UIDBEFORE 1:2",
        "UIDBEFORE -1",
    ] {
        c.bad(&format!("SEARCH {wrong}"));
    }
}
