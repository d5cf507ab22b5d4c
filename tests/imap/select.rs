//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 §6.3.1, §6.3.2, §6.4.2; RFC 3691).

use crate::harness::{Maildir, Server, message};
use std::sync::Arc;

#[test]
fn an_empty_inbox() {
    let server = Server::start();
    let mut c = server.client();
    let validity = validity(&c.ok("SELECT INBOX"));
    c.check(
        "SELECT inbox",
        &[
            "* OK [CLOSED]",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)]",
            "* 0 EXISTS",
            "* 0 RECENT",
            &format!("* OK [UIDVALIDITY {validity}]"),
            "* OK [UIDNEXT 1]",
        ],
        "OK [READ-WRITE]",
    );
}

#[test]
fn messages_keywords_unseen_and_recent() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Seen $Forwarded) ", &message("one"));
    c.append("INBOX", "(\\Flagged) ", &message("two"));
    c.append("INBOX", "", &message("three"));
    let mut c2 = server.client();
    let lines = c2.ok("SELECT INBOX");
    let validity = validity(&lines);
    assert_eq!(
        lines,
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded \\*)]",
            "* 3 EXISTS",
            "* 3 RECENT",
            "* OK [UNSEEN 2]",
            &format!("* OK [UIDVALIDITY {validity}]"),
            "* OK [UIDNEXT 4]",
        ]
    );
    // RFC 3501 §2.3.2: recent to one session only.
    assert!(c.ok("SELECT INBOX").contains(&"* 0 RECENT".to_owned()));
}

#[test]
fn examine_changes_nothing() {
    let maildir = Arc::new(Maildir::new());
    let base = maildir.deliver("INBOX", &message("one"));
    let server = Server::on(&maildir);
    let mut c = server.client();
    let lines = c.ok("EXAMINE INBOX");
    let validity = validity(&lines);
    c.check(
        "EXAMINE INBOX",
        &[
            "* OK [CLOSED]",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS ()]",
            "* 1 EXISTS",
            "* 1 RECENT",
            "* OK [UNSEEN 1]",
            &format!("* OK [UIDVALIDITY {validity}]"),
            "* OK [UIDNEXT 2]",
        ],
        "OK [READ-ONLY]",
    );
    assert_eq!(
        maildir.files("INBOX"),
        [format!("new/{base}")],
        "EXAMINE takes nothing over"
    );
    c.check(
        "FETCH 1 BODY[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {8}\r\nHello.\r\n)"],
        "OK",
    );
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    // Dovecot says OK and does nothing.
    let reply = c.run("STORE 1 +FLAGS (\\Seen)");
    assert!(
        reply.tagged.starts_with(server.either("NO", "OK")),
        "{reply:?}"
    );
    let reply = c.run("EXPUNGE");
    assert!(
        reply.tagged.starts_with(server.either("NO", "OK")),
        "{reply:?}"
    );
    if server.either(true, false) {
        c.no("MOVE 1 INBOX"); // Dovecot copies it and leaves the original.
    }
    c.ok("CLOSE");
    assert_eq!(maildir.files("INBOX"), [format!("new/{base}")]);
    // \Recent is still to be had by the first who may have it.
    assert!(c.ok("SELECT INBOX").contains(&"* 1 RECENT".to_owned()));
}

#[test]
fn a_select_that_fails_leaves_nothing_selected() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check(
        "SELECT nosuch",
        &["* OK [CLOSED]"],
        server.either("NO [NONEXISTENT]", "NO"),
    );
    c.bad("FETCH 1 FLAGS");
    c.check(
        "EXAMINE nosuch",
        &[],
        server.either("NO [NONEXISTENT]", "NO"),
    );
}

#[test]
fn close_expunges_in_silence_and_unselect_does_not() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    c.check("UNSELECT", &[], "OK");
    c.bad("CLOSE");
    assert!(c.ok("SELECT INBOX").contains(&"* 2 EXISTS".to_owned()));
    c.check("CLOSE", &[], "OK");
    c.bad("UNSELECT");
    assert!(c.ok("SELECT INBOX").contains(&"* 1 EXISTS".to_owned()));
    c.check("UID SEARCH ALL", &["* SEARCH 2"], "OK");
}

#[test]
fn uids_and_validity_outlast_the_server() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    let before = validity(&c.ok("SELECT INBOX"));
    c.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    drop(c);
    server.stop();
    maildir.forget_caches();
    let server = Server::on(&maildir);
    let mut c = server.client();
    let lines = c.ok("SELECT INBOX");
    assert_eq!(validity(&lines), before);
    assert!(
        lines.contains(&"* OK [UIDNEXT 4]".to_owned()),
        "UIDs never come back: {lines:?}"
    );
    assert_eq!(c.append("INBOX", "", &message("four")), 4);
}

#[test]
fn foreign_letters_and_odd_arguments() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Entw&APw-rfe");
    c.ok("SELECT {12}\r\nEntw&APw-rfe");
    c.ok("SELECT \"Entw&APw-rfe\"");
    c.bad("SELECT");
    c.bad_strictly("SELECT a b c");
    c.bad_strictly("CLOSE now");
}

/// The UIDVALIDITY among a SELECT's responses.
pub fn validity(lines: &[String]) -> u32 {
    let line = lines
        .iter()
        .find_map(|line| line.strip_prefix("* OK [UIDVALIDITY "));
    line.and_then(|rest| rest.trim_end_matches(']').parse().ok())
        .unwrap()
}
