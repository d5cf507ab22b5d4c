//! Input that does not parse: BAD, nothing of it executed, and the session goes on (threat B5 and kin).

use crate::harness::{Kind, Server, message};

/// What Culver answers BAD after login, whatever the mailbox. No line holds a literal.
const LINES: &[&str] = &[
    "BOGUS",
    "NOOP x",
    "NOOP ",
    "SELECT",
    "SELECT \"unclosed",
    "SELECT \"bad \\x escape\"",
    "SELECT (INBOX)",
    "LIST",
    "LIST \"\"",
    "LIST \"\" * *",
    "LSUB \"\"",
    "CREATE",
    "CREATE a b",
    "DELETE",
    "RENAME x",
    "SUBSCRIBE",
    "STATUS INBOX",
    "STATUS INBOX ()",
    "STATUS INBOX (MESSAGES",
    "APPEND",
    "APPEND INBOX",
    "APPEND INBOX (\\Seen)",
    "UID",
    "UID NOOP",
    "UID FETCH",
    "UID FETCH 1",
    "FETCH x FLAGS",
    "STORE 1 FLAGS",
    "COPY 1",
    "COPY box",
    "MOVE",
    "SEARCH",
    "SEARCH )",
    "EXPUNGE 1",
    "UID EXPUNGE x",
    "ENABLE",
    "ID \"x\"",
    "CHECK it",
    "CLOSE it",
    "UNSELECT it",
    "LOGOUT it",
    "NAMESPACE x",
];

#[test]
fn every_bad_line_gets_bad_and_nothing_else() {
    let server = Server::start();
    for lines in LINES.chunks(8) {
        let mut c = server.client();
        c.append("INBOX", "", &message("one"));
        c.ok("SELECT INBOX");
        for line in lines {
            let reply = c.run(line);
            let outcome = reply.outcome();
            let tolerated = server.kind == Kind::Dovecot;
            assert!(
                tolerated || (outcome.starts_with("BAD") && reply.untagged.is_empty()),
                "{line:?} → {reply:?}"
            );
            if outcome.starts_with("BAD") {
                c.check("NOOP", &[], "OK");
            } else {
                c = server.selected("INBOX");
            }
        }
    }
}

#[test]
fn strange_bytes() {
    let server = Server::start();
    // Dovecot lets NUL and 8-bit through in places; what Culver promises is tested on Culver.
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.selected("INBOX");
    for line in [
        &b"SELECT \xff\xfe"[..],
        b"SELECT \"a\xffb\"",
        b"SELECT a\0b",
        b"SELECT \"a\0b\"",
        b"NO\rOP",
        b"CREATE a\rb",
        b"\xc3\xa9",
        b"(",
        b"\"\"",
        b" NOOP",
    ] {
        let reply = c.run_bytes(line);
        assert!(
            reply.tagged.starts_with("BAD") || reply.tagged.starts_with("NO"),
            "{line:?} → {reply:?}"
        );
        c.check("NOOP", &[], "OK");
    }
}

#[test]
fn bad_tags_and_empty_lines() {
    let server = Server::start();
    for line in [
        "\r\n",
        " \r\n",
        "+ NOOP\r\n",
        "* NOOP\r\n",
        "tag\r\n",
        "t(g NOOP\r\n",
    ] {
        let mut c = server.client();
        c.send(line.as_bytes());
        c.send(b"end NOOP\r\n");
        let mut bad = 0;
        loop {
            let answer = String::from_utf8(c.line()).unwrap();
            if answer.starts_with("end ") {
                assert!(answer.starts_with("end OK"), "{line:?} → {answer}");
                break;
            }
            assert!(answer.contains("BAD"), "{line:?} → {answer}");
            bad += 1;
        }
        assert!(bad <= 1, "{line:?} was answered {bad} times");
    }
}

#[test]
fn a_bare_line_feed_ends_a_line() {
    let server = Server::start();
    let mut c = server.client();
    c.send(b"x NOOP\ny NOOP\n");
    assert!(c.until_tagged("x").tagged.starts_with("OK"));
    assert!(c.until_tagged("y").tagged.starts_with("OK"));
}

#[test]
fn literals_of_bad_commands_are_not_executed() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return; // Dovecot takes the rest of some bad commands for commands.
    }
    let mut c = server.selected("INBOX");
    for command in [
        "BOGUS {11+}\r\nx1 LOGOUT\r\n",
        "FETCH 1 ({11+}\r\nx1 LOGOUT\r\n",
        "CREATE a {11+}\r\nx1 LOGOUT\r\n",
        "SEARCH NOSUCH {11+}\r\nx1 LOGOUT\r\n ALL",
        "LOGIN {11+}\r\nx1 LOGOUT\r\n {11+}\r\nx1 LOGOUT\r\n",
    ] {
        c.bad(command);
        c.check("NOOP", &[], "OK");
    }
    // Literals that wait: asked for or refused, but never run.
    for command in [
        "BOGUS {11}\r\nx1 LOGOUT\r\n",
        "FETCH 1 ({11}\r\nx1 LOGOUT\r\n",
    ] {
        c.bad(command);
        c.check("NOOP", &[], "OK");
    }
}

#[test]
fn marks_that_are_no_literals() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    for mark in [
        "{-1}",
        "{0x10}",
        "{}",
        "{+}",
        "{1++}",
        "{1",
        "1}",
        "{ 1}",
        "{4294967296+}x",
    ] {
        let mut c = server.client();
        c.send(format!("m SELECT {mark}\r\nend NOOP\r\n").as_bytes());
        let answer = String::from_utf8(c.line()).unwrap();
        assert!(
            answer.starts_with("m BAD")
                || answer.starts_with("m NO")
                || answer.starts_with("* BYE"),
            "{mark} → {answer}"
        );
        if !answer.starts_with("* BYE") {
            assert!(c.until_tagged("end").tagged.starts_with("OK"), "{mark}");
        }
    }
}

#[test]
fn others_are_served_while_one_misbehaves() {
    let server = Server::start();
    let mut half = server.connect();
    half.send(b"a LOGIN {5");
    let mut slow = server.client();
    slow.send(b"a APPEND INBOX {1000000+}\r\nSubject");
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    c.check("NOOP", &[], "OK");
}
