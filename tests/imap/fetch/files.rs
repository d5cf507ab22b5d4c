//! Files as they lie on disk, and how FETCH serves them: line ends, NUL, and sizes.

use std::io::Write;
use std::sync::Arc;

use crate::harness::client::literal;
use crate::harness::{Maildir, Server};

#[test]
fn a_file_with_bare_line_feeds_is_served_with_crlf() {
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "1.lf:2,", b"Subject: lf\n\none\ntwo");
    maildir.place(
        "INBOX",
        "cur",
        "2.crlf:2,",
        b"Subject: crlf\r\n\r\none\r\ntwo\r\n",
    );
    maildir.place(
        "INBOX",
        "cur",
        "3.mixed:2,",
        b"Subject: mixed\r\n\none\r\ntwo\rthree\n",
    );
    maildir.place("INBOX", "cur", "4.empty:2,", b"");
    maildir.place("INBOX", "cur", "5.nul:2,", b"Subject: nul\n\na\0b\n");
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("EXAMINE INBOX");
    for (number, text) in [
        (1, &b"Subject: lf\r\n\r\none\r\ntwo"[..]),
        (2, b"Subject: crlf\r\n\r\none\r\ntwo\r\n"),
        (3, b"Subject: mixed\r\n\r\none\r\ntwo\rthree\r\n"),
        (4, b""),
    ] {
        let reply = c.run(&format!("FETCH {number} (BODY.PEEK[] RFC822.SIZE)"));
        let line = String::from_utf8_lossy(&reply.untagged[0]).into_owned();
        assert!(
            line.contains(&format!("RFC822.SIZE {}", text.len())),
            "{line}"
        );
        if text.is_empty() {
            assert!(
                line.contains("BODY[] {0}\r\n") || line.contains("BODY[] \"\""),
                "{line}"
            );
        } else {
            assert_eq!(literal(&reply.untagged[0]), text);
        }
    }
    // RFC 3501 §7.4.2: "Non-textual data such as binary data MUST be transfer encoded into a textual form"; §9: no NUL in a
    // literal. One octet for one, so that sizes hold.
    let reply = c.run("FETCH 5 BODY.PEEK[TEXT]");
    let served = literal(&reply.untagged[0]);
    assert_eq!(served.len(), 5);
    assert!(!served.contains(&0), "{served:?}");
}

/// RFC 3501 §7.4.2: headers "MUST be 7-bit; 8-bit characters are not permitted in headers". RFC 9051: they "MAY be in UTF-8".
/// What mailers wrote all the same is served as it lies there, for nothing else is the message; with its size.
#[test]
fn a_header_that_is_not_7_bit() {
    let maildir = Arc::new(Maildir::new());
    let header = b"From: J\xc3\xbcrgen <j@example.org>\r\nSubject: caf\xe9\r\n\r\n";
    maildir.place("INBOX", "cur", "1.x:2,", header);
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    for item in ["BODY.PEEK[HEADER]", "RFC822.HEADER", "BODY.PEEK[]"] {
        let reply = c.run(&format!("FETCH 1 {item}"));
        assert_eq!(literal(&reply.untagged[0]), header, "{item}");
    }
    let size = format!("* 1 FETCH (RFC822.SIZE {})", header.len());
    c.check("FETCH 1 RFC822.SIZE", &[&size], "OK");
}

/// A message of 100 MiB is served without being held in memory.
#[test]
fn a_hundred_mebibytes() {
    let maildir = Arc::new(Maildir::new());
    let path = maildir.place("INBOX", "cur", "1.big:2,", b"Subject: big\n\n");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let line = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
    let chunk = line.repeat(1 << 14);
    for _ in 0..100 {
        file.write_all(chunk.as_bytes()).unwrap();
    }
    drop(file);
    let lines = 100 << 14;
    let size = 16 + lines * 65;

    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let idle = server.memory_now();
    c.check(
        "FETCH 1 RFC822.SIZE",
        &[&format!("* 1 FETCH (RFC822.SIZE {size})")],
        "OK",
    );
    let reply = c.run("FETCH 1 BODY.PEEK[]");
    let body = literal(&reply.untagged[0]);
    assert_eq!(body.len(), size);
    assert!(body.ends_with(b"abcde\r\n") && !body.contains(&0));
    c.check(
        "FETCH 1 BODY.PEEK[TEXT]<104857600.10>",
        &[&format!(
            "* 1 FETCH (BODY[TEXT]<104857600> {{10}}\r\n{})",
            &(line.replace('\n', "\r\n").repeat(2))[104_857_600 % 65..][..10]
        )],
        "OK",
    );
    c.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE)");
    // Dovecot may say in between that it is still there.
    let found = c.ok("SEARCH BODY nosuchword");
    assert_eq!(found.last().map(String::as_str), Some("* SEARCH"));
    let grown = server.peak_memory().saturating_sub(idle);
    println!(
        "100 MiB message: peak {} KiB above idle ({} KiB)",
        grown / 1024,
        idle / 1024
    );
    assert!(
        grown <= 64 << 20 || server.either(false, true),
        "{} MiB above idle",
        grown >> 20
    );
}
