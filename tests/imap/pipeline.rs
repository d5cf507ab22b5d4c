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

/// RFC 3501 §5.5: "If the server detects a possible ambiguity, it MUST execute commands to completion in the order given by
/// the client."
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

/// RFC 9051 §5.5: "One example is a FETCH that would cause \Seen flags to be set and a SEARCH UNSEEN command."
#[test]
fn a_fetch_that_sets_seen_comes_before_the_search() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    for _ in 0..5 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    send_all(
        &mut c,
        &["FETCH 2:3 BODY[TEXT]", "SEARCH UNSEEN", "SEARCH SEEN"],
    );
    assert_eq!(c.until_tagged("t0").plain().len(), 2);
    assert_eq!(c.until_tagged("t1").plain(), ["* SEARCH 1 4 5"]);
    assert_eq!(c.until_tagged("t2").plain(), ["* SEARCH 2 3"]);
}

/// "The following are examples of valid non-waiting command sequences: FETCH + STORE + SEARCH + NOOP; STORE + COPY +
/// EXPUNGE"; and UID SEARCH + UID SEARCH where the second has no sequence numbers.
#[test]
fn the_rfcs_examples() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.ok("CREATE box");
    for _ in 0..3 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    send_all(
        &mut c,
        &[
            "FETCH 1 FLAGS",
            "STORE 1 +FLAGS (\\Seen)",
            "SEARCH SEEN",
            "NOOP",
        ],
    );
    for (tag, lines) in [
        ("t0", &["* 1 FETCH (FLAGS (\\Recent))"][..]),
        ("t1", &["* 1 FETCH (FLAGS (\\Seen \\Recent))"]),
        ("t2", &["* SEARCH 1"]),
        ("t3", &[]),
    ] {
        let reply = c.until_tagged(tag);
        assert!(reply.tagged.starts_with("OK"), "{tag}: {reply:?}");
        assert_eq!(reply.plain(), lines, "{tag}");
    }
    send_all(
        &mut c,
        &[
            "STORE 1:2 +FLAGS.SILENT (\\Deleted)",
            "COPY 1:2 box",
            "EXPUNGE",
        ],
    );
    assert!(c.until_tagged("t0").plain().is_empty());
    assert!(c.until_tagged("t1").tagged.starts_with("OK [COPYUID "));
    let mut lines = c.until_tagged("t2").plain();
    lines.retain(|line| line.ends_with("EXPUNGE"));
    assert_eq!(lines, ["* 2 EXPUNGE", "* 1 EXPUNGE"]);
    server.client().check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 2)"],
        "OK",
    );
    send_all(&mut c, &["UID SEARCH ALL", "UID SEARCH UID 1:3"]);
    assert_eq!(c.until_tagged("t0").plain(), ["* SEARCH 3"]);
    assert_eq!(c.until_tagged("t1").plain(), ["* SEARCH 3"]);
}

/// "any command continuation request responses and command continuations MUST be negotiated before any subsequent command is
/// initiated": what is sent behind a literal that was not asked for yet belongs to it.
#[test]
fn a_continuation_comes_before_the_next_command() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    c.send(b"s SEARCH SUBJECT {3}\r\none\r\nn NOOP\r\n");
    assert!(c.line().starts_with(b"+"));
    assert_eq!(c.until_tagged("s").plain(), ["* SEARCH 1"]);
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

/// A program that sends a whole dialogue and closes its direction waits for all answers, be the commands slow or fast.
#[test]
fn a_dialogue_sent_at_once_is_answered_to_its_end() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    for command in [
        "SEARCH TEXT one",
        "UID SEARCH RETURN (COUNT) BODY hello",
        "SORT (SUBJECT) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
    ] {
        let mut c = server.client();
        c.send(
            format!(
                "b SELECT INBOX\r\nc {command}\r\nd {command}\r\ne FETCH 1 UID\r\nf LOGOUT\r\n"
            )
            .as_bytes(),
        );
        c.hang_up();
        let tagged: Vec<String> = c
            .rest()
            .into_iter()
            .filter(|line| !line.starts_with('*'))
            .map(|line| line[..4].to_owned())
            .collect();
        assert_eq!(
            tagged,
            ["b OK", "c OK", "d OK", "e OK", "f OK"],
            "{command}"
        );
    }
}
