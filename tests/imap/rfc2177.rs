//! IDLE (RFC 2177, RFC 9051 §6.3.13): news at once.

use super::states;
use crate::harness::{Server, message};

/// `idle = "IDLE" CRLF "DONE"`. §3: "The server requests a response to the IDLE command using the continuation ("+")
/// response." At DONE the server "MUST immediately send the tagged response to the IDLE command and prepare to process
/// other commands."
#[test]
fn grammar_and_every_state() {
    let server = Server::start();
    for c in [&mut server.client(), &mut server.selected("INBOX")] {
        for (begin, end) in [("IDLE", "DONE"), ("iDlE", "dOnE")] {
            c.send(format!("x {begin}\r\n").as_bytes());
            assert!(c.line().starts_with(b"+ "));
            c.send(format!("{end}\r\n").as_bytes());
            let reply = c.until_tagged("x");
            assert!(reply.tagged.starts_with("OK"), "{reply:?}");
            c.check("NOOP", &[], "OK");
        }
        if server.either(true, false) {
            c.bad("IDLE now");
            c.bad("IDLE ");
        }
    }
    server.connect().bad("IDLE");
}

/// "The client MUST NOT send a command while the server is waiting for the DONE": BAD, once, and the command is not
/// carried out.
#[test]
fn anything_else_but_done() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    for line in [
        "z CREATE made",
        "DONE ",
        " DONE",
        "x DONE",
        "",
        "IDLE",
        "{4+}",
    ] {
        c.send(b"y IDLE\r\n");
        assert!(c.line().starts_with(b"+"));
        c.send(format!("{line}\r\n").as_bytes());
        let reply = c.until_tagged("y");
        assert!(reply.tagged.starts_with("BAD"), "{line:?} → {reply:?}");
        c.check("NOOP", &[], "OK");
    }
    c.check("LIST \"\" made", &[], "OK");
}

/// DONE may be sent ahead, and what follows it is carried out.
#[test]
fn all_at_once() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.send(b"x IDLE\r\nDONE\r\ny NOOP\r\n");
    assert!(c.line().starts_with(b"+"));
    assert!(c.until_tagged("x").tagged.starts_with("OK"));
    assert!(c.until_tagged("y").tagged.starts_with("OK"));
}

/// RFC 9051 §6.3.13: "If the server chooses to send unsolicited FETCH responses, they MUST include a UID FETCH item."
#[test]
fn with_imap4rev2() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    let base = server.maildir.deliver("INBOX", &message("one"));
    c.ok("SELECT INBOX");
    let mut idle = c.idle();
    server.maildir.reflag("INBOX", &base, "F");
    idle.expect(&["* 1 FETCH (UID 1 FLAGS (\\Flagged))"]);
    idle.done(&[]);
}

/// "as long as an IDLE command is active, the server is now free to send untagged EXISTS, EXPUNGE, and other messages at
/// any time."
#[test]
fn a_delivery_is_told_while_idling() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let mut idle = c.idle();
    server.maildir.deliver("INBOX", &message("one"));
    idle.expect(&["* 1 EXISTS", "* 1 RECENT"]);
    server.maildir.deliver("INBOX", &message("two"));
    idle.expect(&["* 2 EXISTS", "* 2 RECENT"]);
    idle.done(&[]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 2"], "OK");
}

#[test]
fn flags_and_removals_by_other_programs_are_told() {
    let server = Server::start();
    let first = server.maildir.deliver("INBOX", &message("one"));
    let second = server.maildir.deliver("INBOX", &message("two"));
    let mut c = server.selected("INBOX");
    let mut idle = c.idle();
    server.maildir.reflag("INBOX", &first, "FS");
    idle.expect(&["* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))"]);
    server.maildir.remove("INBOX", &second);
    idle.expect(&["* 2 EXPUNGE"]);
    idle.done(&[]);
}

#[test]
fn what_another_session_does_is_told() {
    let server = Server::start();
    let mut c1 = server.selected("INBOX");
    let mut c2 = server.client();
    let mut idle = c1.idle();
    c2.append("INBOX", "(\\Seen) ", &message("one"));
    idle.expect(&["* 1 EXISTS", "* 1 RECENT"]);
    c2.ok("SELECT INBOX");
    c2.ok("STORE 1 +FLAGS (\\Deleted)");
    idle.expect(&["* 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent))"]);
    c2.ok("EXPUNGE");
    idle.expect(&["* 1 EXPUNGE"]);
    idle.done(&[]);
}

#[test]
fn without_a_selected_mailbox_it_waits_in_silence() {
    let server = Server::start();
    let mut c = server.client();
    let idle = c.idle();
    idle.done(&[]);
    c.check("NOOP", &[], "OK");
}

#[test]
fn a_burst_is_told_to_the_last_message() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let prepared: Vec<_> = (0..300)
        .map(|_| server.maildir.prepare("INBOX", message("x").as_bytes()))
        .collect();
    let mut idle = c.idle();
    for path in &prepared {
        server.maildir.release("INBOX", path);
    }
    idle.expect(&["* 300 EXISTS", "* 300 RECENT"]);
    idle.done(&[]);
    let uids = c.ok("UID SEARCH ALL").remove(0);
    assert_eq!(uids.split(' ').count(), 302, "{uids}");
}
