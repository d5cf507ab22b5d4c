//! Four messages that are larger than any mailer's, read in every way: each is answered as the manual's LIMITS say,
//! and the server's memory stays small. They have a fortieth of their size, unless `CULVER_TEST_LONG` is set.

use std::sync::Arc;

use crate::harness::client::{literal, timed};
use crate::harness::{Client, Kind, Maildir, Setup};
use crate::limits::stated;

/// Octets of a message.
const SIZE: usize = 150 << 20;
/// Memory that the server may take for them.
const MEMORY: u64 = 64 << 20;

/// How large the messages are, as a part of the whole.
fn divisor() -> usize {
    match std::env::var_os("CULVER_TEST_LONG") {
        Some(_) => 1,
        None => 40,
    }
}

struct Huge {
    name: &'static str,
    octets: Vec<u8>,
    /// A section that lies deep in it, and how its content begins; none where there is no such part.
    section: &'static str,
    begins: Option<&'static str>,
}

/// 10,000 parts.
fn parts() -> Huge {
    let size = SIZE / divisor() / 10_000;
    let mut text =
        "Subject: parts\nMessage-ID: <parts@x>\nContent-Type: multipart/mixed; boundary=b\n\n"
            .to_owned();
    for number in 1..=10_000 {
        text += &format!("--b\nContent-Type: text/plain; name=p{number}\n\npart {number}\n");
        let line = format!("{}\n", "0123456789 ".repeat(7));
        text += &line.repeat(size / line.len());
    }
    text += "--b--\n";
    Huge {
        name: "10,000 parts",
        octets: text.into_bytes(),
        section: "9999",
        begins: Some("part 9999\r\n"),
    }
}

/// Multiparts to a depth of 5,000.
fn depth() -> Huge {
    let size = SIZE / divisor() / 5_000;
    let mut text = "Subject: depth\nMessage-ID: <depth@x>\nReferences: <parts@x>\n".to_owned();
    for level in 1..=5_000 {
        text += &format!("Content-Type: multipart/mixed; boundary=b{level:04}\n\n");
        let line = format!("{}\n", "preamble ".repeat(8));
        text += &line.repeat(size / line.len());
        text += &format!("--b{level:04}\n");
    }
    text += "\ndeepest\n";
    Huge {
        name: "depth 5,000",
        octets: text.into_bytes(),
        section: "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.MIME",
        begins: Some("Content-Type: multipart/mixed; boundary=b0021\r\n\r\n"),
    }
}

/// A line of 20 MiB in the header.
fn line() -> Huge {
    let words = "=?utf-8?q?caf=C3=A9?= long ".repeat((20 << 20) / divisor() / 27);
    let text = format!(
        "Message-ID: <line@x>\nReferences: <parts@x> <depth@x>\nSubject: {words}\n\nbody\n"
    );
    let rest = "The quick brown fox jumps over the lazy dog.\n"
        .repeat((SIZE - (20 << 20)) / divisor() / 45);
    Huge {
        name: "a line of 20 MiB",
        octets: (text + &rest).into_bytes(),
        section: "1",
        begins: Some("body\r\n"),
    }
}

/// A million header fields.
fn fields() -> Huge {
    let count = 1_000_000 / divisor();
    let filler = "x".repeat(SIZE / divisor() / count - 22);
    let mut text = "Subject: fields\nMessage-ID: <fields@x>\n".to_owned();
    for number in 0..count {
        text += &format!("X-Field-{number:07}: {filler}\n");
    }
    text += "X-Last: end\n\nbody\n";
    Huge {
        name: "a million fields",
        octets: text.into_bytes(),
        section: "1.1",
        begins: None,
    }
}

#[test]
fn huge_messages_are_answered_in_little_memory() {
    let maildir = Arc::new(Maildir::new());
    let mut all = Vec::new();
    for (at, make) in [parts, depth, line, fields].iter().enumerate() {
        let mut huge = make();
        maildir.place("INBOX", "cur", &format!("{at}.huge:2,S"), &huge.octets);
        println!("{}: {} octets", huge.name, huge.octets.len());
        huge.octets = Vec::new();
        all.push(huge);
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.selected("INBOX");
    let idle = server.memory_now();
    let run = |c: &mut Client, command: &str| {
        let (reply, took) = timed(|| c.run(command));
        let grown = server.peak_memory().saturating_sub(idle) >> 10;
        println!("{command:<60} {took:>10.1?}, peak {grown} KiB above idle");
        assert!(
            reply.tagged.starts_with("OK"),
            "{command}: {}",
            reply.tagged
        );
        reply.untagged
    };
    let (field_max, _) = stated("octets of a header field");
    for (number, huge) in (1..).zip(&all) {
        let name = huge.name;
        let told = run(&mut c, &format!("FETCH {number} (ENVELOPE)")).remove(0);
        assert!(told.len() < field_max + 1000, "{name}");
        let told = run(&mut c, &format!("FETCH {number} (BODYSTRUCTURE)")).remove(0);
        assert!(told.ends_with(b"))"), "{name}");
        run(
            &mut c,
            &format!("FETCH {number} (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"),
        );
        run(&mut c, &format!("FETCH {number} (PREVIEW)"));
        let deep = run(
            &mut c,
            &format!("FETCH {number} (BODY.PEEK[{}])", huge.section),
        )
        .remove(0);
        match huge.begins {
            Some(begins) => assert!(literal(&deep).starts_with(begins.as_bytes()), "{name}"),
            None => assert!(deep.ends_with(b" NIL)"), "{name}"),
        }
        let size = run(&mut c, &format!("FETCH {number} (RFC822.SIZE)")).remove(0);
        let size: usize = plain_number(&size);
        let whole = run(&mut c, &format!("FETCH {number} (BODY.PEEK[])")).remove(0);
        assert_eq!(literal(&whole).len(), size, "{name}");
    }
    for (search, found) in [
        ("TEXT \"nowhere to be found\"", ""),
        ("BODY \"nowhere to be found\"", ""),
        ("BODY \"part 10000\"", " 1"),
        ("BODY deepest", " 2"),
        ("BODY \"lazy dog\"", " 3"),
        ("CHARSET UTF-8 SUBJECT {16+}\r\ncafé long café", " 3"),
        ("HEADER X-Last end", " 4"),
        ("HEADER X-Field-0000001 xxx", " 4"),
        ("TEXT \"X-Last: end\"", " 4"),
    ] {
        let answer = run(&mut c, &format!("SEARCH {search}")).remove(0);
        let expected = format!("* SEARCH{found}");
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{search}");
    }
    let sorted = run(&mut c, "SORT (SUBJECT) UTF-8 ALL").remove(0);
    assert_eq!(String::from_utf8_lossy(&sorted), "* SORT 3 2 4 1");
    let threads = run(&mut c, "THREAD REFERENCES UTF-8 ALL").remove(0);
    assert_eq!(String::from_utf8_lossy(&threads), "* THREAD (1 2 3)(4)");
    let grown = server.peak_memory().saturating_sub(idle);
    println!("peak {} KiB above idle ({} KiB)", grown >> 10, idle >> 10);
    assert!(grown <= MEMORY, "{} MiB above idle", grown >> 20);
}

/// The number that an answer ends with.
fn plain_number(answer: &[u8]) -> usize {
    let text = String::from_utf8_lossy(answer);
    let digits = text.trim_end_matches(')').rsplit(' ').next().unwrap_or("");
    digits.parse().unwrap()
}
