//! COMPRESS=DEFLATE (RFC 4978).

use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};

use super::states;
use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// §3: "If the server issues an OK response, the server MUST compress starting immediately after the CRLF which ends
/// the tagged OK response." In clear and under TLS: "before data is transmitted it is first compressed".
#[test]
fn from_the_ok_on() {
    let server = Server::start();
    for secure in [false, true] {
        let mut c = server.connect();
        if secure {
            c.ok("STARTTLS");
            c.secure(rustls::ALL_VERSIONS);
        }
        c.login();
        c.compress();
        c.check("NOOP", &[], "OK");
        c.append("INBOX", "", &message("one"));
        c.ok("SELECT INBOX");
        c.check(
            "FETCH 1 BODY.PEEK[TEXT]",
            &["* 1 FETCH (BODY[TEXT] {8}\r\nHello.\r\n)"],
            "OK",
        );
        // Commands ahead of their answers, and a command in two pieces.
        c.send(b"x NOOP\r\ny NOOP\r\nz N");
        assert_eq!(c.until_tagged("x").outcome(), "OK");
        assert_eq!(c.until_tagged("y").outcome(), "OK");
        c.send(b"OOP\r\n");
        assert_eq!(c.until_tagged("z").outcome(), "OK");
        // Literals that wait and such that do not.
        c.check(
            "STATUS {5}\r\nINBOX (UIDNEXT)",
            &[&format!(
                "* STATUS INBOX (UIDNEXT {})",
                2 + u8::from(secure)
            )],
            "OK",
        );
        c.check("LOGOUT", &["* BYE"], "OK");
        assert!(c.next_line().is_none());
    }
}

/// §3: "NO Compression is already active via another layer." "BAD Command unknown, invalid or unknown argument, or
/// COMPRESS already active." "If the server issues a BAD or NO response, the server MUST NOT turn on compression." There
/// is no other layer here: TLS does not compress.
#[test]
fn once() {
    let server = Server::start();
    server.connect().bad("COMPRESS DEFLATE");
    let mut c = server.client();
    let wrong = ["", " ", " GZIP", " DEFLATE 9", " \"DEFLATE\"", " (DEFLATE)"];
    states::bad_arguments(&server, &mut c, "COMPRESS", &wrong);
    c.compress();
    let again = server.either("BAD", "NO [COMPRESSIONACTIVE]");
    c.check("COMPRESS DEFLATE", &[], again);
    c.check("compress deflate", &[], again);
    c.bad("COMPRESS GZIP");
    c.check("NOOP", &[], "OK");
}

/// §4: flushed wherever the client waits: in IDLE too.
#[test]
fn idle_is_told_at_once() {
    let server = Server::start();
    let mut c = server.client();
    c.compress();
    c.ok("SELECT INBOX");
    let mut idle = c.idle();
    for number in 1..=3 {
        server.maildir.deliver("INBOX", &message("new"));
        idle.expect(&[&format!("* {number} EXISTS")]);
    }
    idle.done(&[]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 2 3"], "OK");
}

/// Large messages both ways, of what compresses well and what does not; and how much crosses the wire.
#[test]
fn large_messages() {
    let server = Server::start();
    let mut c = server.client();
    c.compress();
    let mut chance = crate::harness::Chance::new(4978);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let noise: String = (0..1_000_000)
        .map(|at| match at % 77 {
            76 => '\n',
            _ => char::from(letters[chance.below(64) as usize]),
        })
        .collect();
    let noise = format!("Subject: noise\r\n\r\n{}", noise.replace('\n', "\r\n"));
    let text = format!(
        "Subject: text\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(100_000)
    );
    for text in [&noise, &text] {
        c.append("INBOX", "", text);
    }
    c.ok("SELECT INBOX");
    for (number, text) in [(1, &noise), (2, &text)] {
        let before = c.received();
        let reply = c.run(&format!("FETCH {number} BODY.PEEK[]"));
        assert!(crate::harness::client::literal(&reply.untagged[0]) == text.as_bytes());
        println!("{} octets as {}", text.len(), c.received() - before);
    }
    // Many small answers.
    for number in 0..200 {
        server
            .maildir
            .deliver("INBOX", &message(&format!("number {number}")));
    }
    c.ok("NOOP");
    let before = c.received();
    let reply = c.run("FETCH 1:* (FLAGS UID ENVELOPE INTERNALDATE RFC822.SIZE)");
    let said: usize = reply.untagged.iter().map(Vec::len).sum();
    let came = c.received() - before;
    println!("{said} octets of answers as {came}");
    assert!(came < said as u64 / 3);
}

/// What is no deflate ends the connection, and nobody else's.
#[test]
fn a_broken_stream() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    for garbage in [&b"a NOOP\r\nb NOOP\r\n"[..], &[0xff; 100], &[0x07; 10]] {
        let mut c = server.client();
        c.compress();
        c.send_raw(garbage).unwrap();
        assert_eq!(c.rest(), ["* BYE"], "{garbage:?}");
    }
    // A stream that ends has no commands behind it.
    let mut c = server.client();
    c.compress();
    let mut packed = Vec::with_capacity(1000);
    Compress::new(Compression::default(), false)
        .compress_vec(b"x NOOP\r\n", &mut packed, FlushCompress::Finish)
        .unwrap();
    c.send_raw(&packed).unwrap();
    assert_eq!(c.until_tagged("x").outcome(), "OK");
    c.send_raw(b"y NOOP\r\n").unwrap();
    assert_eq!(c.rest(), ["* BYE"]);
    server.client().ok("NOOP");
}

/// Octets that inflate to thousands of times as many pass no limit of lines and literals, and take no memory.
#[test]
fn a_bomb() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let bomb = |front: &[u8], octets: usize, end: &[u8]| {
        let mut packed = Vec::with_capacity(octets / 500 + 10_000);
        let mut state = Compress::new(Compression::best(), false);
        let inside = vec![b'x'; octets];
        for part in [front, &inside, end] {
            state
                .compress_vec(part, &mut packed, FlushCompress::Sync)
                .unwrap();
        }
        assert!(packed.len() < packed.capacity());
        packed
    };
    let before = server.peak_memory();
    let say = |packed: &[u8]| {
        let mut c = server.client();
        c.compress();
        c.doomed = true;
        let _ = c.send_raw(packed);
        let line = String::from_utf8(c.line()).unwrap();
        line.split(" (").next().unwrap().to_owned()
    };
    // A line, a literal, one to be dropped and one that is too much for that.
    let line = say(&bomb(b"a NOOP ", 60 << 20, b"\r\n"));
    assert!(line.starts_with("a BAD [LIMIT]"), "{line}");
    let literal = say(&bomb(b"a SELECT {2000000+}\r\n", 2_000_000, b"\r\n"));
    assert!(literal.starts_with("a BAD [TOOBIG]"), "{literal}");
    let flood = say(&bomb(b"a NOOP ", 100 << 20, b"\r\n"));
    assert!(flood.starts_with("* BYE [TOOBIG]"), "{flood}");
    let grown = server.peak_memory().saturating_sub(before);
    println!("peak {} KiB above", grown >> 10);
    assert!(grown < 32 << 20, "{grown}");
}

/// A session at rest costs little more with compression than without.
#[test]
fn memory_of_sessions() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    for number in 0..50 {
        maildir.deliver("INBOX", &message(&format!("number {number}")));
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let sessions = 100;
    let grown = |compressed: bool| {
        let mut clients: Vec<Client> = Vec::new();
        let before = server.memory_now();
        for _ in 0..sessions {
            let mut c = server.selected("INBOX");
            if compressed {
                c.compress();
            }
            c.ok("FETCH 1:* (FLAGS UID ENVELOPE)");
            clients.push(c);
        }
        let busy = server.memory_now().saturating_sub(before);
        let mut idles: Vec<_> = clients.iter_mut().map(Client::idle).collect();
        for idle in &mut idles {
            idle.expect(&[]);
        }
        let idle = server.memory_now().saturating_sub(before);
        println!(
            "compressed: {compressed}: KiB each, at work {}, in IDLE {}",
            (busy >> 10) / sessions,
            (idle >> 10) / sessions
        );
        busy / sessions
    };
    let _warm = grown(false);
    let plain = grown(false);
    let compressed = grown(true);
    assert!(compressed < plain + (512 << 10), "{compressed}");
}
