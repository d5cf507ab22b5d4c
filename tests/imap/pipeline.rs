//! Several commands at once (RFC 3501 §5.5): answered in order, each as if it came alone.

use crate::harness::{Client, Server, message};

fn send_all(c: &mut Client, commands: &[&str]) {
    let bytes: String = commands
        .iter()
        .enumerate()
        .map(|(at, command)| format!("t{at} {command}\r\n"))
        .collect();
    c.send(bytes.as_bytes());
}

#[test]
fn answers_come_in_order() {
    let server = Server::start();
    // Dovecot lets what is not ambiguous overtake, which RFC 3501 §5.5 allows.
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    send_all(
        &mut c,
        &[
            "SELECT INBOX",
            "STORE 1 +FLAGS.SILENT (\\Seen)",
            "FETCH 1 FLAGS",
            "NOSUCH",
            "EXPUNGE",
            "SEARCH SEEN",
        ],
    );
    for (at, (lines, outcome)) in [
        (None, "OK"),
        (Some(vec![]), "OK"),
        (Some(vec!["* 1 FETCH (FLAGS (\\Seen \\Recent))"]), "OK"),
        (Some(vec![]), "BAD"),
        (Some(vec![]), "OK"),
        (Some(vec!["* SEARCH 1"]), "OK"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = c.until_tagged(&format!("t{at}"));
        assert!(reply.tagged.starts_with(outcome), "t{at}: {reply:?}");
        if let Some(lines) = lines {
            assert_eq!(reply.plain(), lines, "t{at}");
        }
    }
}

#[test]
fn a_store_before_a_fetch_is_seen_by_it() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    for _ in 0..20 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    // RFC 3501 §5.5's own example of an ambiguity: FETCH + STORE of the same data, both ways round.
    send_all(
        &mut c,
        &[
            "FETCH 1:20 (FLAGS)",
            "STORE 1:20 FLAGS (\\Flagged)",
            "FETCH 1:20 (FLAGS)",
        ],
    );
    let before = c.until_tagged("t0").plain();
    let stored = c.until_tagged("t1").plain();
    let after = c.until_tagged("t2").plain();
    assert!(
        before
            .iter()
            .all(|line| line.ends_with("(FLAGS (\\Recent))")),
        "{before:?}"
    );
    assert!(
        stored
            .iter()
            .all(|line| line.ends_with("(FLAGS (\\Flagged \\Recent))")),
        "{stored:?}"
    );
    assert_eq!(after, stored);
}

#[test]
fn commands_that_use_numbers_after_an_expunge_use_the_new_ones() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    send_all(&mut c, &["EXPUNGE", "FETCH 1 UID", "FETCH 2 UID"]);
    assert!(
        c.until_tagged("t0")
            .plain()
            .contains(&"* 1 EXPUNGE".to_owned())
    );
    assert_eq!(c.until_tagged("t1").plain(), ["* 1 FETCH (UID 2)"]);
    assert!(c.until_tagged("t2").tagged.starts_with("BAD"));
}

#[test]
fn commands_behind_idle_wait_for_done() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.send(b"i IDLE\r\nDONE\r\nn NOOP\r\n");
    assert!(c.line().starts_with(b"+"));
    assert!(c.until_tagged("i").tagged.starts_with("OK"));
    assert!(c.until_tagged("n").tagged.starts_with("OK"));
}

#[test]
fn a_command_cut_at_every_place_is_one_command() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let bytes = b"c SEARCH SUBJECT {3+}\r\none FROM \"anna\"\r\n";
    for at in 1..bytes.len() {
        c.send(&bytes[..at]);
        c.send(&bytes[at..]);
        assert_eq!(c.until_tagged("c").plain(), ["* SEARCH 1"], "cut at {at}");
    }
}

#[test]
fn many_appends_and_selects_in_one_go() {
    let server = Server::start();
    let mut c = server.client();
    let text = message("x");
    let mut bytes = String::new();
    for at in 0..50 {
        bytes += &format!("t{at} APPEND INBOX {{{}+}}\r\n{text}\r\n", text.len());
    }
    c.send(bytes.as_bytes());
    for at in 0..50 {
        assert!(
            c.until_tagged(&format!("t{at}"))
                .tagged
                .starts_with("OK [APPENDUID ")
        );
    }
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 50)"],
        "OK",
    );
}
