//! Limits: each of them reached, and what the server says then.

use crate::harness::{Kind, Server, message};

#[test]
fn an_endless_line_before_login_ends_or_is_refused_in_bounded_memory() {
    let server = Server::start();
    let mut c = server.connect();
    let idle = server.memory_now();
    let _ = c.try_send(b"a LOGIN ");
    for _ in 0..256 {
        if c.try_send(&[b'x'; 65_536]).is_err() {
            break;
        }
    }
    let _ = c.try_send(b"\r\n");
    let _ = c.try_send(b"b LOGOUT\r\n");
    let answers = c.rest();
    assert!(
        !answers.iter().any(|line| line.starts_with("a OK")),
        "{answers:?}"
    );
    if server.kind == Kind::Culver {
        assert!(server.peak_memory() - idle < 16 << 20);
    }
    server.client().ok("NOOP");
}

#[test]
fn a_long_line_after_login_is_bad_and_the_session_goes_on() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let reply = c.run(&format!("SEARCH SUBJECT \"{}\"", "x".repeat(100_000)));
    assert!(reply.tagged.starts_with("BAD"), "{reply:?}");
    c.check("NOOP", &[], "OK");
}

#[test]
fn a_line_just_below_the_limit_is_served() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check(
        &format!("SEARCH SUBJECT \"{}\"", "x".repeat(60_000)),
        &["* SEARCH"],
        "OK",
    );
}

#[test]
fn huge_literals_are_not_believed() {
    let server = Server::start();
    for size in ["4294967295", "99999999999999999999", "5000"] {
        if size == "5000" && server.kind == Kind::Dovecot {
            continue;
        }
        let mut c = server.connect();
        c.send(format!("a LOGIN {{{size}}}\r\n").as_bytes());
        // Refused at once, by a tagged BAD or NO or by BYE, and never asked for.
        let line = String::from_utf8(c.line()).unwrap();
        assert!(!line.starts_with('+'), "{size} → {line}");
    }
    let mut c = server.client();
    c.send(b"a SELECT {99999999999999999999}\r\n");
    let line = String::from_utf8(c.line()).unwrap();
    assert!(
        line.starts_with("a BAD") || line.starts_with("* BYE") || line.starts_with("a NO"),
        "{line}"
    );
    server.client().ok("NOOP");
}

#[test]
fn depth_is_bounded() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let deep = |depth: usize| format!("SEARCH {}ALL{}", "(".repeat(depth), ")".repeat(depth));
    c.check(&deep(20), &["* SEARCH 1"], "OK");
    if server.kind == Kind::Culver {
        c.bad(&deep(10_000));
        c.bad(&format!("SEARCH {}ALL", "NOT ".repeat(10_000)));
        c.bad(&format!("SEARCH {}ALL ALL", "OR ALL ".repeat(9_000)));
    }
    c.check("NOOP", &[], "OK");
    // Before login, where no command nests at all.
    let mut c = server.connect();
    let _ = c.try_send(format!("a ID {}\r\n", "(".repeat(7_000)).as_bytes());
    let answer = c.next_line().unwrap_or_default();
    assert!(!answer.starts_with(b"a OK"));
    server.client().ok("NOOP");
}

#[test]
fn bad_commands_in_a_row_end_the_session() {
    let server = Server::start();
    let mut c = server.client();
    let mut ended = false;
    for at in 0..50 {
        if c.try_send(format!("b{at} BOGUS\r\n").as_bytes()).is_err() {
            break;
        }
        match c.next_line() {
            Some(line) if line.starts_with(b"* BYE") => {
                ended = true;
                break;
            }
            Some(line) => assert!(String::from_utf8_lossy(&line).contains(" BAD "), "{line:?}"),
            None => break,
        }
    }
    assert!(ended, "no BYE after 50 bad commands");
    server.client().ok("NOOP");
}

#[test]
fn mime_bombs_are_served_in_bounded_time_and_memory() {
    use std::fmt::Write;
    let maildir = std::sync::Arc::new(crate::harness::Maildir::new());
    let mut deep = String::from("Subject: deep\n");
    for level in 0..10_000 {
        write!(
            deep,
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        )
        .unwrap();
    }
    maildir.place("INBOX", "cur", "1.deep:2,", deep.as_bytes());
    let mut wide = String::from("Subject: wide\nContent-Type: multipart/mixed; boundary=b\n\n");
    wide += &"--b\n\nx\n".repeat(100_000);
    maildir.place("INBOX", "cur", "2.wide:2,", wide.as_bytes());
    let from = format!("{}\n\n", "From: a@example.org\n".repeat(500_000));
    maildir.place("INBOX", "cur", "3.from:2,", from.as_bytes());
    let parameters: String = (0..100_000).map(|at| format!("; p*{at}*=x")).collect();
    maildir.place(
        "INBOX",
        "cur",
        "4.params:2,",
        format!("Content-Type: text/plain{parameters}\n\n").as_bytes(),
    );
    let comment = format!("From: {}\n\n", "(".repeat(1 << 20));
    maildir.place("INBOX", "cur", "5.comment:2,", comment.as_bytes());
    let header = format!("Subject: {}\n\nbody\n", "x".repeat(50 << 20));
    maildir.place("INBOX", "cur", "6.header:2,", header.as_bytes());
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let idle = server.memory_now();
    for number in 1..=6 {
        let (reply, took) = crate::harness::client::timed(|| {
            c.run(&format!("FETCH {number} (ENVELOPE BODYSTRUCTURE)"))
        });
        println!(
            "bomb {number}: {took:?}, {} octets",
            reply.untagged.first().map_or(0, Vec::len)
        );
        assert!(reply.tagged.starts_with("OK"), "{number}: {}", reply.tagged);
        assert!(took.as_secs() < 10, "{number}: {took:?}");
    }
    if server.kind == Kind::Culver {
        let grown = server.peak_memory().saturating_sub(idle);
        println!("peak {} KiB above idle", grown / 1024);
        assert!(grown <= 64 << 20, "{} MiB above idle", grown >> 20);
    }
    c.check("NOOP", &[], "OK");
}
