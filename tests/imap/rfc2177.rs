//! IDLE (RFC 2177, RFC 9051 §6.3.13): news at once.

use super::states;
use crate::harness::{Server, message};

/// §3, the example. From the "+" on, news may come at any time; nothing of an EXPUNGE is told before the FETCH that
/// counts on the old numbers is through, and all of it once the client idles again.
#[test]
fn the_rfcs_example() {
    let server = Server::start();
    let mut other = server.client();
    for subject in ["one", "two", "three"] {
        other.append("INBOX", "(\\Seen) ", &message(subject));
    }
    other.ok("CREATE box");
    other.ok("SELECT INBOX");
    let mut c = server.client();
    let told = c.ok("SELECT INBOX");
    assert!(told.contains(&"* 3 EXISTS".to_owned()), "{told:?}");
    // "...time passes; new mail arrives..."
    let mut idle = c.idle();
    server.maildir.deliver("INBOX", &message("four"));
    idle.expect(&["* 4 EXISTS"]);
    idle.done(&[]);
    // "...another client expunges message 2 now..."
    other.ok("NOOP");
    other.ok("MOVE 2 box");
    let lines = c.ok("FETCH 4 ALL");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("* 4 FETCH (ENVELOPE "), "{lines:?}");
    // The EXISTS behind the EXPUNGE is needless (RFC 3501 §7.4.1).
    let mut idle = c.idle();
    idle.expect(&["* 2 EXPUNGE"]);
    other.ok("MOVE 3 box");
    idle.expect(&["* 3 EXPUNGE"]);
    server.maildir.deliver("INBOX", &message("five"));
    idle.expect(&["* 3 EXISTS"]);
    idle.done(&[]);
    let lines = c.ok("FETCH 3 ALL");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(" \"five\" "), "{lines:?}");
    c.idle().done(&[]);
}

/// §3: what is queued when DONE comes MAY still be said, and belongs before the tagged response.
#[test]
fn what_is_queued_comes_before_the_tagged_response() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let mut other = server.client();
    for number in 1..=10 {
        c.send(b"x IDLE\r\n");
        assert!(c.line().starts_with(b"+ "));
        other.append("INBOX", "", &message("one"));
        c.send(b"DONE\r\n");
        let reply = c.until_tagged("x");
        assert!(reply.tagged.starts_with("OK"), "{reply:?}");
        let exists = format!("* {number} EXISTS");
        if !reply.plain().contains(&exists) {
            c.check("NOOP", &[&exists], "OK");
        }
    }
}

/// §4: `idle = "IDLE" CRLF "DONE"`, in the authenticated and the selected state. §3: at DONE the tagged response MUST
/// come at once, and the server MUST take the next command.
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

/// §3: whatever a client sends in the place of DONE, which it MUST NOT, cannot be told from a continuation: BAD, once,
/// and no command is carried out.
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
