//! EXPUNGE (RFC 3501 §6.4.3, RFC 9051 §6.4.3) and UID EXPUNGE (RFC 9051 §6.4.9; what it expunges: `rfc4315`).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::selected::only_where_selected;
use crate::harness::{Client, Server, message};

/// Five messages, of which 2, 3 and 5 are `\Deleted`.
pub fn five(server: &Server) -> Client {
    let mut c = server.client();
    for flags in ["", "(\\Deleted) ", "(\\Deleted) ", "", "(\\Deleted) "] {
        c.append("INBOX", flags, &message("x"));
    }
    c.ok("SELECT INBOX");
    c
}

/// Runs a command and gives the numbers of its EXPUNGE responses. There must be nothing else but RECENT.
#[track_caller]
pub fn expunged(c: &mut Client, command: &str) -> Vec<usize> {
    c.ok(command)
        .iter()
        .filter(|line| !line.ends_with(" RECENT"))
        .map(|line| {
            let number = line.strip_prefix("* ").unwrap();
            number.strip_suffix(" EXPUNGE").unwrap().parse().unwrap()
        })
        .collect()
}

/// "The EXPUNGE command permanently removes all messages that have the \Deleted flag set from the currently
/// selected mailbox."
#[test]
fn expunge() {
    let server = Server::start();
    let mut c = five(&server);
    // "Before returning an OK to the client, an untagged EXPUNGE response is sent for each message that is
    // removed." RFC 3501 §7.4.1: "it is not necessary to send an EXISTS response with the new value".
    assert_eq!(expunged(&mut c, "EXPUNGE"), [5, 3, 2]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 4"], "OK");
    assert_eq!(server.maildir.files("INBOX").len(), 2);
    assert_eq!(expunged(&mut c, "EXPUNGE"), [0; 0]);
    // For good: no session finds them again.
    server.selected("INBOX").check(
        "UID FETCH 1:* UID",
        &["* 1 FETCH (UID 1)", "* 2 FETCH (UID 4)"],
        "OK",
    );
}

/// The RFC's own example: of eleven messages, 3, 4, 7 and 11 are `\Deleted`. "The message sequence number for each
/// successive message in the mailbox is immediately decremented by 1, and this decrement is reflected in message
/// sequence numbers in subsequent responses (including other untagged EXPUNGE responses)" (RFC 3501 §7.4.1).
#[test]
fn numbers_close_up_at_once() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..11 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    c.ok("STORE 3,4,7,11 +FLAGS.SILENT (\\Deleted)");
    let mut uids: Vec<u32> = (1..=11).collect();
    for number in expunged(&mut c, "EXPUNGE") {
        uids.remove(number - 1);
    }
    assert_eq!(uids, [1, 2, 5, 6, 8, 9, 10]);
    for (at, uid) in uids.iter().enumerate() {
        let number = at + 1;
        c.check(
            &format!("FETCH {number} UID"),
            &[&format!("* {number} FETCH (UID {uid})")],
            "OK",
        );
    }
    c.bad("FETCH 8 UID");
}

/// `command-select = … / "EXPUNGE"`; `uid-expunge = "UID" SP "EXPUNGE" SP sequence-set`.
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = five(&server);
    for line in ["EXPUNGE 1", "EXPUNGE ", "EXPUNGE (2)", "EXPUNGE INBOX"] {
        c.bad_strictly(line);
        c = server.either(c, server.selected("INBOX"));
    }
    for line in [
        "UID EXPUNGE",
        "UID EXPUNGE ",
        "UID EXPUNGE x",
        "UID EXPUNGE 0",
        "UID EXPUNGE 1:2:3",
        "UID EXPUNGE (1)",
    ] {
        c.bad(line);
    }
    c.bad_strictly("UID EXPUNGE 1,");
    c.bad_strictly("UID EXPUNGE 1 2");
    // All the forms of a sequence set.
    let mut c = server.client();
    c.ok("CREATE sets");
    for _ in 0..9 {
        c.append("sets", "(\\Deleted) ", &message("x"));
    }
    c.ok("SELECT sets");
    assert_eq!(expunged(&mut c, "UID EXPUNGE 2"), [2]);
    assert_eq!(expunged(&mut c, "uid expunge 4:3,77"), [3, 2]);
    assert_eq!(expunged(&mut c, "UID EXPUNGE *"), [6]);
    assert_eq!(expunged(&mut c, "UID EXPUNGE 99:*"), [5]);
    assert_eq!(expunged(&mut c, "UID EXPUNGE 1,5:6,5"), [3, 2, 1]);
    c.check("UID SEARCH ALL", &["* SEARCH 7"], "OK");
}

#[test]
fn states() {
    let server = Server::start();
    only_where_selected(&server, "EXPUNGE");
    only_where_selected(&server, "UID EXPUNGE 1:*");
}

/// RFC 9051 §2.3.1.1: "When a message is expunged, its UID MUST NOT be reused under the same UIDVALIDITY value."
#[test]
fn the_next_uid_stays_ahead() {
    let server = Server::start();
    let mut c = five(&server);
    c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    assert_eq!(
        c.ok("STATUS INBOX (MESSAGES UIDNEXT)"),
        ["* STATUS INBOX (MESSAGES 0 UIDNEXT 6)"]
    );
    assert_eq!(c.append("INBOX", "", &message("y")), 6);
}

/// "NO - expunge failure: can't expunge (e.g., permission denied)".
#[test]
fn a_mailbox_that_cannot_be_written() {
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot says OK with an untagged NO before it.
    }
    let mut c = five(&server);
    let cur = server.maildir.path().join("cur");
    fs::set_permissions(&cur, fs::Permissions::from_mode(0o555)).unwrap();
    c.check("EXPUNGE", &[], "NO [NOPERM]");
    c.check("UID EXPUNGE 2", &[], "NO [NOPERM]");
    c.check("UID SEARCH DELETED", &["* SEARCH 2 3 5"], "OK");
    // EXAMINE permits none, however the directory is.
    fs::set_permissions(&cur, fs::Permissions::from_mode(0o755)).unwrap();
    c.ok("EXAMINE INBOX");
    c.check("EXPUNGE", &[], "NO");
    c.check("UID EXPUNGE 2", &[], "NO");
    c.ok("SELECT INBOX");
    assert_eq!(expunged(&mut c, "EXPUNGE"), [5, 3, 2]);
}
