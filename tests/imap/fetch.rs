//! FETCH (RFC 3501 §6.4.5, §7.4.2): every item, every form of section, partial ones, and files as they
//! lie on disk.

use std::io::Write;
use std::sync::Arc;

use crate::harness::client::literal;
use crate::harness::{Client, Maildir, Server, message};

/// A multipart message with a message in it, which again has two parts.
const NESTED: &str = "From: \"A. Sender\" <a@example.org>, b@example.org\r\n\
To: undisclosed-recipients:;\r\n\
Cc: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\n\
Reply-To: list@example.org\r\n\
Subject: nested\r\n\
Date: Thu, 14 Mar 2024 09:00:00 +0100\r\n\
Message-ID: <1@example.org>\r\n\
In-Reply-To: <0@example.org>\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"out\"\r\n\
\r\n\
preamble\r\n\
--out\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\
\r\n\
Gr=C3=BC=C3=9Fe\r\n\
--out\r\n\
Content-Type: message/rfc822\r\n\
Content-Disposition: inline\r\n\
\r\n\
From: inner@example.org\r\n\
Subject: inner\r\n\
Content-Type: multipart/alternative; boundary=in\r\n\
\r\n\
--in\r\n\
Content-Type: text/plain\r\n\
\r\n\
plain\r\n\
--in\r\n\
Content-Type: text/html\r\n\
\r\n\
<p>html</p>\r\n\
--in--\r\n\
inner epilogue\r\n\
--out\r\n\
Content-Type: application/octet-stream; name=\"x.bin\"\r\n\
Content-Transfer-Encoding: base64\r\n\
Content-Disposition: attachment; filename=\"x.bin\"\r\n\
Content-ID: <part3@example.org>\r\n\
Content-Description: some bytes\r\n\
\r\n\
AAECAwQ=\r\n\
--out--\r\n\
epilogue\r\n";

fn one(server: &Server, text: &str) -> Client {
    let mut c = server.client();
    c.append("INBOX", "(\\Seen) \"14-Mar-2024 10:00:00 +0000\" ", text);
    c.ok("EXAMINE INBOX");
    c
}

/// The value of a single item that came as a literal, a quoted string or NIL.
fn value(c: &mut Client, item: &str) -> Option<String> {
    let reply = c.run(&format!("FETCH 1 {item}"));
    assert!(reply.tagged.starts_with("OK"), "{item} → {reply:?}");
    assert_eq!(reply.untagged.len(), 1, "{item} → {reply:?}");
    let line = String::from_utf8_lossy(&reply.untagged[0]).into_owned();
    let name = item.replace(".PEEK[", "[");
    let name = match name.rsplit_once('<') {
        Some((name, partial)) if partial.ends_with('>') => {
            format!(
                "{name}<{}>",
                partial.split('.').next().unwrap().trim_end_matches('>')
            )
        }
        _ => name,
    };
    let rest = line
        .strip_prefix(&format!("* 1 FETCH ({name} "))
        .unwrap_or_else(|| panic!("{item} → {line}"));
    if rest == "NIL)" {
        return None;
    }
    if rest.starts_with('{') {
        return Some(String::from_utf8_lossy(literal(&reply.untagged[0])).into_owned());
    }
    Some(
        rest.trim_start_matches('"')
            .trim_end_matches(')')
            .trim_end_matches('"')
            .to_owned(),
    )
}

#[test]
fn the_plain_items_and_their_macros() {
    let server = Server::start();
    let text = message("one");
    let mut c = one(&server, &text);
    let size = text.len();
    let envelope = "ENVELOPE (\"Thu, 14 Mar 2024 09:00:00 +0100\" \"one\" ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Bob\" NIL \"bob\" \"example.org\")) NIL NIL NIL \"<one@example.org>\")";
    c.check("FETCH 1 (UID)", &["* 1 FETCH (UID 1)"], "OK");
    c.check(
        "FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "FETCH 1 RFC822.SIZE",
        &[&format!("* 1 FETCH (RFC822.SIZE {size})")],
        "OK",
    );
    c.check(
        "FETCH 1 ENVELOPE",
        &[&format!("* 1 FETCH ({envelope})")],
        "OK",
    );
    let date = c.ok("FETCH 1 INTERNALDATE").remove(0);
    let date = date
        .strip_prefix("* 1 FETCH (")
        .unwrap()
        .strip_suffix(')')
        .unwrap()
        .to_owned();
    let fast = format!("FLAGS (\\Seen \\Recent) {date} RFC822.SIZE {size}");
    let body = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 1)";
    c.check("FETCH 1 FAST", &[&format!("* 1 FETCH ({fast})")], "OK");
    c.check(
        "FETCH 1 ALL",
        &[&format!("* 1 FETCH ({fast} {envelope})")],
        "OK",
    );
    c.check(
        "FETCH 1 FULL",
        &[&format!("* 1 FETCH ({fast} {envelope} BODY {body})")],
        "OK",
    );
    c.check(
        "UID FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)"],
        "OK",
    );
    c.check(
        "fetch 1 (flags uid)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)"],
        "OK",
    );
}

#[test]
fn internal_date_is_the_instant_that_append_gave() {
    let server = Server::start();
    let mut c = one(&server, &message("one"));
    let told = c.ok("FETCH 1 INTERNALDATE").remove(0);
    // The zone is the server's; the tests run in any, so only the form and the minutes are fixed.
    let date = told.split('"').nth(1).unwrap();
    assert_eq!(date.len(), 26, "{date}");
    assert_eq!(&date[2..12], "-Mar-2024 ", "{date}");
    assert_eq!(&date[17..20], ":00", "{date}");
}

#[test]
fn rfc822_and_its_parts() {
    let server = Server::start();
    let text = message("one");
    let (head, body) = text.split_at(text.find("\r\n\r\n").unwrap() + 4);
    let mut c = one(&server, &text);
    assert_eq!(value(&mut c, "RFC822").unwrap(), text);
    assert_eq!(value(&mut c, "RFC822.HEADER").unwrap(), head);
    assert_eq!(value(&mut c, "RFC822.TEXT").unwrap(), body);
    assert_eq!(value(&mut c, "BODY[]").unwrap(), text);
    assert_eq!(value(&mut c, "BODY.PEEK[HEADER]").unwrap(), head);
    assert_eq!(value(&mut c, "BODY.PEEK[TEXT]").unwrap(), body);
    assert_eq!(value(&mut c, "BODY.PEEK[1]").unwrap(), body);
}

#[test]
fn header_fields() {
    let server = Server::start();
    let mut c = one(
        &server,
        "Subject: a\r\n b\r\nX-Other: 1\r\nsubject: second\r\nFrom: x@y\r\n\r\nbody\r\n",
    );
    assert_eq!(
        value(&mut c, "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]").unwrap(),
        "Subject: a\r\n b\r\nsubject: second\r\nFrom: x@y\r\n\r\n"
    );
    assert_eq!(
        value(&mut c, "BODY.PEEK[HEADER.FIELDS (X-NONE)]").unwrap(),
        "\r\n"
    );
    assert_eq!(
        value(&mut c, "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]").unwrap(),
        "X-Other: 1\r\nFrom: x@y\r\n\r\n"
    );
}

#[test]
fn every_section_of_a_nested_message() {
    let server = Server::start();
    let mut c = one(&server, NESTED);
    let cases = [
        ("1", "Gr=C3=BC=C3=9Fe"),
        (
            "1.MIME",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        ),
        (
            "2.MIME",
            "Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n",
        ),
        (
            "2.HEADER",
            "From: inner@example.org\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n",
        ),
        ("2.HEADER.FIELDS (SUBJECT)", "Subject: inner\r\n\r\n"),
        (
            "2.TEXT",
            "--in\r\nContent-Type: text/plain\r\n\r\nplain\r\n--in\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--in--\r\ninner epilogue",
        ),
        ("2.1", "plain"),
        ("2.2", "<p>html</p>"),
        ("2.2.MIME", "Content-Type: text/html\r\n\r\n"),
        ("3", "AAECAwQ="),
    ];
    for (section, expected) in cases {
        assert_eq!(
            value(&mut c, &format!("BODY.PEEK[{section}]")).as_deref(),
            Some(expected),
            "{section}"
        );
    }
    let text = &NESTED[NESTED.find("\r\n\r\n").unwrap() + 4..];
    assert_eq!(value(&mut c, "BODY.PEEK[TEXT]").unwrap(), text);
    // Parts that are not there.
    for section in ["4", "1.2", "2.3", "3.HEADER", "2.1.1.1"] {
        let got = value(&mut c, &format!("BODY.PEEK[{section}]"));
        assert!(
            got.as_deref().unwrap_or("").is_empty(),
            "{section} → {got:?}"
        );
    }
}

#[test]
fn the_structure_of_a_nested_message() {
    let server = Server::start();
    let mut c = one(&server, NESTED);
    let inner_envelope = "(NIL \"inner\" ((NIL NIL \"inner\" \"example.org\")) ((NIL NIL \"inner\" \"example.org\")) ((NIL NIL \"inner\" \"example.org\")) NIL NIL NIL NIL NIL)";
    let inner_size = size_of_part("From: inner", "inner epilogue");
    c.check("FETCH 1 BODY", &[&format!(
        "* 1 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 15 0)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" {inner_size} {inner_envelope} \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 0) \"alternative\") 13)\
         (\"application\" \"octet-stream\" (\"name\" \"x.bin\") \"<part3@example.org>\" \"some bytes\" \"base64\" 8) \"mixed\"))"
    )], "OK");
    c.check("FETCH 1 BODYSTRUCTURE", &[&format!(
        "* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 15 0 NIL NIL NIL NIL)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" {inner_size} {inner_envelope} \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0 NIL NIL NIL NIL)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 0 NIL NIL NIL NIL) \"alternative\" (\"boundary\" \"in\") NIL NIL NIL) 13 NIL (\"inline\" NIL) NIL NIL)\
         (\"application\" \"octet-stream\" (\"name\" \"x.bin\") \"<part3@example.org>\" \"some bytes\" \"base64\" 8 NIL (\"attachment\" (\"filename\" \"x.bin\")) NIL NIL) \"mixed\" (\"boundary\" \"out\") NIL NIL NIL))"
    )], "OK");
    c.check("FETCH 1 ENVELOPE", &[
        "* 1 FETCH (ENVELOPE (\"Thu, 14 Mar 2024 09:00:00 +0100\" \"nested\" \
         ((\"A. Sender\" NIL \"a\" \"example.org\")(NIL NIL \"b\" \"example.org\")) \
         ((\"A. Sender\" NIL \"a\" \"example.org\")(NIL NIL \"b\" \"example.org\")) \
         ((NIL NIL \"list\" \"example.org\")) \
         ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) \
         ((\"=?utf-8?Q?J=C3=BCrgen?=\" NIL \"j\" \"example.org\")) NIL \"<0@example.org>\" \"<1@example.org>\"))",
    ], "OK");
}

fn size_of_part(from: &str, to: &str) -> usize {
    let start = NESTED.find(from).unwrap();
    NESTED[start..].find(to).unwrap() + to.len()
}

#[test]
fn partial_sections() {
    let server = Server::start();
    let mut c = one(&server, "Subject: p\r\n\r\n0123456789\r\n");
    assert_eq!(value(&mut c, "BODY.PEEK[TEXT]<0.4>").unwrap(), "0123");
    assert_eq!(value(&mut c, "BODY.PEEK[TEXT]<4.4>").unwrap(), "4567");
    assert_eq!(value(&mut c, "BODY.PEEK[TEXT]<8.100>").unwrap(), "89\r\n");
    assert_eq!(value(&mut c, "BODY.PEEK[]<11.3>").unwrap(), "\n\r\n");
    assert_eq!(
        value(&mut c, "BODY.PEEK[TEXT]<99.4>").unwrap_or_default(),
        ""
    );
    assert_eq!(
        value(&mut c, "BODY.PEEK[TEXT]<4294967295.4294967295>").unwrap_or_default(),
        ""
    );
    c.bad_strictly("FETCH 1 BODY[TEXT]<0.0>");
    c.bad_strictly("FETCH 1 BODY[TEXT]<1>");
}

#[test]
fn a_body_that_is_read_is_seen_and_one_peeked_at_is_not() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..4 {
        c.append("INBOX", "", "Subject: s\r\n\r\nx\r\n");
    }
    c.ok("SELECT INBOX");
    c.check(
        "FETCH 1 (BODY.PEEK[TEXT] RFC822.HEADER)",
        &["* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n RFC822.HEADER {14}\r\nSubject: s\r\n\r\n)"],
        "OK",
    );
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    c.check(
        "FETCH 1 BODY[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "FETCH 1 BODY[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n)"],
        "OK",
    );
    c.check(
        "FETCH 2 (RFC822.TEXT FLAGS)",
        &["* 2 FETCH (RFC822.TEXT {3}\r\nx\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "FETCH 3 RFC822",
        &["* 3 FETCH (RFC822 {17}\r\nSubject: s\r\n\r\nx\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check("SEARCH UNSEEN", &["* SEARCH 4"], "OK");
}

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
    // RFC 3501 §9: no NUL in a literal. One octet for one, so that sizes hold.
    let reply = c.run("FETCH 5 BODY.PEEK[TEXT]");
    let served = literal(&reply.untagged[0]);
    assert_eq!(served.len(), 5);
    assert!(!served.contains(&0), "{served:?}");
}

#[test]
fn sets() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..5 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let mut numbers = |set: &str| -> String {
        let lines = c.ok(&format!("{set} (UID)"));
        let uids: Vec<&str> = lines
            .iter()
            .map(|line| line.split("UID ").nth(1).unwrap().trim_end_matches(')'))
            .collect();
        uids.join(" ")
    };
    assert_eq!(numbers("FETCH 1:*"), "1 3 4 5");
    assert_eq!(numbers("FETCH *"), "5");
    assert_eq!(numbers("FETCH 4:2"), "3 4 5");
    assert_eq!(numbers("FETCH *:3"), "4 5");
    assert_eq!(numbers("FETCH 1,1,2:3,2"), "1 3 4");
    assert_eq!(numbers("UID FETCH 2:4"), "3 4");
    assert_eq!(numbers("UID FETCH 9:*"), "5");
    assert_eq!(numbers("UID FETCH 4294967295"), "");
    for set in [
        "5",
        "1:5",
        "0",
        "1:",
        ":1",
        "1,,2",
        "1:2:3",
        "a",
        "4294967296",
        "-1",
    ] {
        c.bad(&format!("FETCH {set} (UID)"));
    }
    // Sets without end are one set.
    let long = vec!["1:*"; 5000].join(",");
    assert_eq!(c.ok(&format!("FETCH {long} (UID)")).len(), 4);
}

#[test]
fn what_does_not_parse() {
    let server = Server::start();
    let mut c = one(&server, &message("one"));
    for items in [
        "",
        "NOSUCH",
        "(FLAGS",
        "FLAGS)",
        "()",
        "BODY[",
        "BODY[0]",
        "BODY[1.]",
        "BODY[.1]",
        "BODY[MIME]",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[TEXT.HEADER]",
        "BODY.PEEK",
        "(ALL FLAGS",
    ] {
        c.bad_strictly(&format!("FETCH 1 {items}"));
    }
    c.check("NOOP", &[], "OK");
}

#[test]
fn an_empty_mailbox() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check("UID FETCH 1:* FLAGS", &[], "OK");
    c.bad("FETCH 1 FLAGS");
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
    c.check("SEARCH BODY nosuchword", &["* SEARCH"], "OK");
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
