//! ENABLE (RFC 5161, RFC 9051 §6.3.1).

use super::states;
use crate::harness::{Server, message};

/// §4: `"ENABLE" 1*(SP capability)`, in any case. §3.1: BAD without an argument, and where one is malformed.
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    for arguments in ["X", "x y z", "AUTH=PLAIN", "X X", "X-2.0/b"] {
        c.ok(&format!("eNaBlE {arguments}"));
    }
    let wrong = [
        "", " ", " (X)", " \"X\"", " X ", " X  Y", "  X", " {1}X", " X)", " *", " X%",
    ];
    states::bad_arguments(&server, &mut c, "ENABLE", &wrong);
}

/// §3.1, the last example: `ENABLE CONDSTORE` is what the name says, from then on.
#[test]
fn the_rfcs_example() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    let mut plain = server.selected("INBOX");
    c.check("ENABLE CONDSTORE", &["* ENABLED CONDSTORE"], "OK");
    c.ok("SELECT INBOX");
    let lines = c.ok("STORE 1 +FLAGS (\\Seen)");
    assert!(lines[0].contains("MODSEQ ("), "{lines:?}");
    // Of this connection and of no other.
    let lines = plain.ok("STORE 1 +FLAGS (\\Flagged)");
    assert!(!lines[0].contains("MODSEQ"), "{lines:?}");
    // There is no way back, and the mailboxes after it are the same.
    c.ok("UNSELECT");
    c.check("ENABLE CONDSTORE", &["* ENABLED CONDSTORE"], "OK");
    c.ok("SELECT INBOX");
    let lines = c.ok("STORE 1 -FLAGS (\\Seen)");
    assert!(lines[0].contains("MODSEQ ("), "{lines:?}");
}

/// §3.1: what is not known MUST be ignored, and so MUST what is known but not to be enabled.
#[test]
fn what_is_not_known_is_ignored() {
    let server = Server::start();
    let mut c = server.client();
    // §3.1: ENABLED MUST come all the same; §3.2: with no capability in it. Dovecot sends none then.
    let none: &[&str] = server.either(&["* ENABLED"], &[]);
    c.check("ENABLE X-GOOD-IDEA", none, "OK");
    c.check("ENABLE IDLE", none, "OK");
    c.check("ENABLE idle x-good-idea NAMESPACE", none, "OK");
    c.check("ENABLE IMAP4rev1 AUTH=PLAIN LITERAL+", none, "OK");
}

/// §3.1, the first example: the list MUST be the same before and behind ENABLE.
#[test]
fn the_list_of_capabilities_stays() {
    let server = Server::start();
    let mut c = server.client();
    let before = c.ok("CAPABILITY");
    assert!(format!("{before:?}").contains(" ENABLE "), "{before:?}");
    c.check(
        "ENABLE CONDSTORE X-GOOD-IDEA",
        &["* ENABLED CONDSTORE"],
        "OK",
    );
    assert_eq!(c.ok("CAPABILITY"), before);
    c.ok("ENABLE UTF8=ACCEPT IMAP4rev2 QRESYNC");
    assert_eq!(c.ok("CAPABILITY"), before);
}

/// §3.1: in the authenticated state; and it may be pipelined behind LOGIN and before SELECT.
#[test]
fn not_before_login_and_by_pipelining_right_after_it() {
    let server = Server::start();
    server.connect().bad_strictly("ENABLE UTF8=ACCEPT");
    let mut c = server.connect();
    c.send(b"x LOGIN u p\r\ny ENABLE CONDSTORE\r\nz SELECT INBOX\r\nw FETCH 1:* (MODSEQ)\r\n");
    assert!(c.until_tagged("x").tagged.starts_with("OK"));
    assert_eq!(c.until_tagged("y").plain(), ["* ENABLED CONDSTORE"]);
    let selected = c.until_tagged("z").plain().join("\n");
    assert!(selected.contains("* OK [HIGHESTMODSEQ "), "{selected}");
    c.until_tagged("w");
    let mut c = server.connect();
    c.send(b"x LOGIN u p\r\ny ENABLE UTF8=ACCEPT\r\nz CREATE \"Entw\xc3\xbcrfe\"\r\nw LIST \"\" Entw*\r\n");
    c.until_tagged("x");
    let enabled = c.until_tagged("y");
    if server.either(true, false) {
        assert_eq!(enabled.plain(), ["* ENABLED UTF8=ACCEPT"]);
        c.until_tagged("z");
        assert_eq!(
            c.until_tagged("w").plain(),
            ["* LIST (\\HasNoChildren) \".\" \"Entwürfe\""]
        );
    }
}

/// §3.1: of several commands each response SHOULD name only what that command enabled.
#[test]
fn each_answer_names_what_that_command_enabled() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.check("ENABLE utf8=accept", &["* ENABLED UTF8=ACCEPT"], "OK");
    c.check("ENABLE IMAP4REV2 X", &["* ENABLED IMAP4rev2"], "OK");
    c.check(
        "ENABLE IMAP4rev2 UTF8=ACCEPT",
        &["* ENABLED IMAP4rev2 UTF8=ACCEPT"],
        "OK",
    );
}

/// §3.1: for as long as the connection lasts (MUST), and one ENABLE adds to the others.
#[test]
fn what_is_enabled_stays_so() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.check("ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    c.check("ENABLE X", &["* ENABLED"], "OK");
    c.check("ENABLE UTF8=ACCEPT", &["* ENABLED UTF8=ACCEPT"], "OK");
    for _ in 0..2 {
        let told = c.ok("SELECT INBOX");
        assert!(!told.iter().any(|line| line.ends_with(" RECENT")));
        c.ok("UNSELECT");
    }
    // Of this connection, and of no other.
    let told = server.client().ok("EXAMINE INBOX");
    assert!(
        told.iter().any(|line| line.ends_with(" RECENT")),
        "{told:?}"
    );
}

/// §3.1: a client MUST NOT send it there, and a server need not mind.
#[test]
fn while_a_mailbox_is_selected() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let none: &[&str] = server.either(&["* ENABLED"], &[]);
    c.check("ENABLE X", none, "OK");
    c.check("SEARCH ALL", &["* SEARCH"], "OK");
}
