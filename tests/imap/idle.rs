//! IDLE (RFC 2177): news at once.

use crate::harness::{Server, message};

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
fn done_in_any_case_and_anything_else_is_bad() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.send(b"x IDLE\r\n");
    assert!(c.line().starts_with(b"+"));
    c.send(b"dOnE\r\n");
    assert!(c.until_tagged("x").tagged.starts_with("OK"));
    c.send(b"y IDLE\r\n");
    assert!(c.line().starts_with(b"+"));
    c.send(b"z NOOP\r\n");
    assert!(c.until_tagged("y").tagged.starts_with("BAD"));
    c.check("NOOP", &[], "OK");
    if server.kind == crate::harness::Kind::Culver {
        c.bad("IDLE now");
    }
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
