//! SELECT, CLOSE, UNSELECT (RFC 3501 §6.3.1, §6.4.2; RFC 9051 §6.3.2; RFC 3691).

use super::states;
use crate::harness::{Maildir, Server, message};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

/// `select = "SELECT" SP mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE a]b");
    for name in states::INBOX {
        c.ok(&format!("sElEcT {name}"));
    }
    for form in states::forms("a]b") {
        assert_eq!(c.outcome(&format!("SELECT {form}")), "OK [READ-WRITE]");
    }
    // What does not parse selects nothing, and leaves selected what is. Dovecot leaves nothing.
    states::takes_one_name(&server, &mut c, "SELECT");
    c.check("SEARCH ALL", &["* SEARCH"], "OK");
    c.no("SELECT \"*\"");
}

/// RFC 3501 §6.3.1: "Before returning an OK to the client, the server MUST send the following untagged data to the
/// client": FLAGS, EXISTS, RECENT, and with OK: UNSEEN, PERMANENTFLAGS, UIDNEXT, UIDVALIDITY. "If the client is
/// permitted to modify the mailbox, the server SHOULD prefix the text of the tagged OK response with the
/// "[READ-WRITE]" response code."
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
    let mut lines = c2.ok("SELECT INBOX");
    let is_own = |line: &str| {
        let own = ["* OK [HIGHESTMODSEQ ", "* OK [MAILBOXID "];
        own.iter().any(|code| line.starts_with(code))
    };
    lines.retain(|line| !is_own(line));
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

/// RFC 3501 §6.3.1: "if a mailbox is selected and a SELECT command that fails is attempted, no mailbox is selected."
/// RFC 9051 §6.3.2: "When deselecting a selected mailbox, the server MUST return an untagged OK response with the
/// "[CLOSED]" response code when the currently selected mailbox is closed".
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

/// "NO - select failure, now in authenticated state: no such mailbox, can't access mailbox"
#[test]
fn what_cannot_be_selected() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("CREATE a.b");
    // An implied parent, a name of no mailbox, and names that are none.
    for name in ["a", "nosuch", "../x", "\"\"", "a..b", "x/y", "&bad", "a."] {
        c.no(&format!("SELECT {name}"));
    }
    c.bad("CLOSE");
    c.ok("CREATE shut");
    let cur = maildir.folder("shut");
    let mode = |mode| {
        std::fs::set_permissions(&cur, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0);
    c.no("SELECT shut");
    mode(0o700);
    c.ok("SELECT shut");
}

/// RFC 3501 §6.3.1: "If the client is not permitted to modify the mailbox but is permitted read access, the mailbox is
/// selected as read-only, and the server MUST prefix the text of the tagged OK response to SELECT with the
/// "[READ-ONLY]" response code."
#[test]
fn a_mailbox_that_may_only_be_read() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("CREATE shelf");
    c.append("shelf", "(\\Seen) ", &message("one"));
    let folder = maildir.folder("shelf");
    let mode = |mode| {
        for dir in ["", "cur", "new", "tmp"] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.join(dir), mode).unwrap();
        }
    };
    mode(0o500);
    let reply = c.run("SELECT shelf");
    assert_eq!(reply.outcome(), "OK [READ-ONLY]", "{reply:?}");
    assert!(reply.plain().contains(&"* 1 EXISTS".to_owned()));
    assert_eq!(c.ok("FETCH 1 BODY.PEEK[TEXT]").len(), 1);
    if server.either(true, false) {
        c.no("STORE 1 +FLAGS (\\Flagged)");
    }
    mode(0o700);
    assert_eq!(c.outcome("SELECT shelf"), "OK [READ-WRITE]");
}

/// RFC 9051 §6.3.2: "The server MUST return a LIST response with the mailbox name. The list of mailbox attributes MUST
/// be accurate. If the server allows denormalized UTF-8 mailbox names (see Section 5.1) and the supplied mailbox name
/// differs from the normalized version, the server MUST return LIST with the OLDNAME extended data item."
#[test]
fn with_imap4rev2() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    c.ok("CREATE \"\u{e9}\"");
    for (name, list) in [
        ("\u{e9}", "* LIST () \".\" \"\u{e9}\""),
        (
            "e\u{301}",
            "* LIST () \".\" \"\u{e9}\" (OLDNAME (\"e\u{301}\"))",
        ),
    ] {
        for command in ["SELECT", "EXAMINE"] {
            let told = c.ok(&format!("{command} \"{name}\""));
            for wanted in [
                "* FLAGS (",
                "* 0 EXISTS",
                "* OK [PERMANENTFLAGS (",
                "* OK [UIDNEXT 1]",
                "* OK [UIDVALIDITY ",
            ] {
                let found = told.iter().filter(|line| line.starts_with(wanted));
                assert_eq!(found.count(), 1, "{wanted} in {told:?}");
            }
            assert!(told.contains(&list.to_owned()), "{told:?}");
            c.check("UNSELECT", &[], "OK");
        }
    }
}

/// The UIDVALIDITY among a SELECT's responses.
pub fn validity(lines: &[String]) -> u32 {
    let line = lines
        .iter()
        .find_map(|line| line.strip_prefix("* OK [UIDVALIDITY "));
    line.and_then(|rest| rest.trim_end_matches(']').parse().ok())
        .unwrap()
}
