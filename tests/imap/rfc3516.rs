//! BINARY (RFC 3516, RFC 9051 §6.4.5): parts without their transfer encoding.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server};

/// A multipart with a part for each encoding.
const MIXED: &str = "From: a@example.org\n\
    Subject: mixed\n\
    MIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=\"b\"\n\n\
    --b\nContent-Type: text/plain\n\nplain\ntext\n\
    --b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAEC\n/w==\n\
    --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
    caf=C3=A9 =\nand\nmore\n\
    --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nY2Fmw6kNCg==\n\
    --b\nContent-Type: text/plain\nContent-Transfer-Encoding: 7BIT\n\nwhat\n\
    --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ncaf\u{e9}\n\
    --b--\n";

/// INBOX with these messages, one by one.
fn serving(messages: &[&str]) -> (Server, Client) {
    let maildir = Arc::new(Maildir::new());
    for (at, message) in messages.iter().enumerate() {
        maildir.place("INBOX", "cur", &format!("{at}.x:2,"), message.as_bytes());
    }
    let server = Server::on(&maildir);
    let client = server.selected("INBOX");
    (server, client)
}

/// Fetches one item of message 1, and demands exactly this answer.
#[track_caller]
fn answers(c: &mut Client, item: &str, expected: &[u8]) {
    let reply = c.run(&format!("FETCH 1 {item}"));
    let expected = [b"* 1 FETCH (", expected, b")"].concat();
    // Dovecot gives all that it has decoded as literal8.
    let shown = |bytes: &[u8]| {
        let text = bytes.escape_ascii().to_string();
        match Kind::chosen() {
            Kind::Culver => text,
            Kind::Dovecot => text.replace(" ~{", " {"),
        }
    };
    let got: Vec<String> = reply.untagged.iter().map(|line| shown(line)).collect();
    assert_eq!(got, [shown(&expected)], "{item}: {}", reply.tagged);
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
}

/// "An <nstring> or <literal8> expressing the content of the specified section after removing any CTE-related
/// encoding." "If the domain of the decoded data is "8bit" and the data does not contain the NUL octet, the
/// server SHOULD return the data in a <string> instead of a <literal8>."
#[test]
fn parts_are_decoded() {
    let (_server, mut c) = serving(&[MIXED]);
    answers(&mut c, "BINARY.PEEK[1]", b"BINARY[1] {11}\r\nplain\r\ntext");
    answers(
        &mut c,
        "BINARY.PEEK[2]",
        b"BINARY[2] ~{4}\r\n\x00\x01\x02\xff",
    );
    // "servers MUST ensure that textual line-oriented sections are always transmitted using the IMAP4 CRLF line
    // termination syntax, regardless of the underlying storage representation" (§6).
    answers(
        &mut c,
        "BINARY.PEEK[3]",
        b"BINARY[3] {15}\r\ncaf\xc3\xa9 and\r\nmore",
    );
    answers(
        &mut c,
        "BINARY.PEEK[4]",
        b"BINARY[4] {7}\r\ncaf\xc3\xa9\r\n",
    );
    answers(&mut c, "BINARY.PEEK[6]", b"BINARY[6] {5}\r\ncaf\xc3\xa9");
    answers(&mut c, "binary.peek[1]", b"BINARY[1] {11}\r\nplain\r\ntext");
}

/// "The <partial> arguments refer to the DECODED section data."
#[test]
fn in_part() {
    let (_server, mut c) = serving(&[MIXED]);
    answers(&mut c, "BINARY.PEEK[1]<2.4>", b"BINARY[1]<2> {4}\r\nain\r");
    answers(
        &mut c,
        "BINARY.PEEK[2]<1.2>",
        b"BINARY[2]<1> {2}\r\n\x01\x02",
    );
    answers(
        &mut c,
        "BINARY.PEEK[2]<0.100>",
        b"BINARY[2]<0> ~{4}\r\n\x00\x01\x02\xff",
    );
    answers(&mut c, "BINARY.PEEK[1]<11.5>", b"BINARY[1]<11> {0}\r\n");
    answers(&mut c, "BINARY.PEEK[1]<500.5>", b"BINARY[1]<500> {0}\r\n");
}

/// "The value returned MUST match the size of the <nstring> or <literal8> that will be returned by the
/// corresponding FETCH BINARY request."
#[test]
fn sizes() {
    let (_server, mut c) = serving(&[MIXED]);
    for (part, size) in [("1", 11), ("2", 4), ("3", 15), ("4", 7), ("6", 5)] {
        answers(
            &mut c,
            &format!("BINARY.SIZE[{part}]"),
            format!("BINARY.SIZE[{part}] {size}").as_bytes(),
        );
    }
    c.check(
        "UID FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2])",
        &["* 1 FETCH (BINARY.SIZE[1] 11 BINARY.SIZE[2] 4 UID 1)"],
        "OK",
    );
}

/// "If the server does not know how to decode the section's CTE, it MUST fail the request and issue a "NO"
/// response that contains the "UNKNOWN-CTE" extended response code."
#[test]
fn encodings_that_nobody_knows() {
    let unknown = MIXED.replace("7BIT", "x-unknown");
    let (server, mut c) = serving(&[&unknown, MIXED]);
    for item in ["BINARY.PEEK[5]", "BINARY.SIZE[5]"] {
        let outcome = c.outcome(&format!("FETCH 1 {item}"));
        assert_eq!(outcome, "NO [UNKNOWN-CTE]");
    }
    let reply = c.run("FETCH 1:2 (UID BINARY.PEEK[5])");
    assert!(reply.tagged.starts_with("NO [UNKNOWN-CTE]"), "{reply:?}");
    if server.either(true, false) {
        // What is known of it is told, and so are the others.
        assert_eq!(
            reply.plain(),
            [
                "* 1 FETCH (UID 1)",
                "* 2 FETCH (BINARY[5] {4}\r\nwhat UID 2)"
            ]
        );
    }
    // As it stands it can be had.
    let lines = c.ok("FETCH 1 BODY.PEEK[5]");
    assert!(lines[0].contains("what"), "{lines:?}");
}

/// `.PEEK` is "An alternate form of FETCH BINARY that does not implicitly set the \Seen flag."
#[test]
fn reading_sets_seen() {
    let (_server, mut c) = serving(&[MIXED]);
    c.ok("FETCH 1 BINARY.PEEK[1]");
    c.ok("FETCH 1 BINARY.SIZE[1]");
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    let lines = c.ok("FETCH 1 BINARY[1]");
    assert!(
        lines.concat().contains("FLAGS (\\Seen \\Recent)"),
        "{lines:?}"
    );
    c.check(
        "FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
}

#[test]
fn parts_that_are_not_there() {
    let (server, mut c) = serving(&[MIXED]);
    if server.either(true, false) {
        // As by BODY; Dovecot gives an empty literal.
        answers(&mut c, "BINARY.PEEK[9]", b"BINARY[9] NIL");
        answers(&mut c, "BINARY.PEEK[1.1]", b"BINARY[1.1] NIL");
        answers(&mut c, "BINARY.PEEK[9]<3.5>", b"BINARY[9]<3> NIL");
    }
    // There is no NIL for a number.
    answers(&mut c, "BINARY.SIZE[9]", b"BINARY.SIZE[9] 0");
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let reply = c.run("FETCH 1 (BINARY.PEEK[1])");
    assert_eq!(reply.plain()[0], "* 1 FETCH (BINARY[1] NIL)");
    assert!(reply.tagged.starts_with("OK [EXPUNGEISSUED]"), "{reply:?}");
}

#[test]
fn a_message_that_is_no_multipart() {
    let (_server, mut c) = serving(&[
        "Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\n",
    ]);
    answers(&mut c, "BINARY.PEEK[1]", b"BINARY[1] {5}\r\nHello");
    answers(&mut c, "BINARY.SIZE[1]", b"BINARY.SIZE[1] 5");
}

#[test]
fn messages_within_messages() {
    let (_server, mut c) = serving(&[
        "Subject: outer\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: message/rfc822\n\nSubject: inner\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n\
         SGVsbG8=\n--b--\n",
    ]);
    answers(&mut c, "BINARY.PEEK[1.1]", b"BINARY[1.1] {5}\r\nHello");
    answers(&mut c, "BINARY.SIZE[1.1]", b"BINARY.SIZE[1.1] 5");
}

/// The whole message and multiparts have no encoding of their own: Culver gives them as BODY does. (Dovecot
/// decodes what is inside, too; RFC 9051 has BINARY of leaf parts only.)
#[test]
fn what_is_no_leaf() {
    let (server, mut c) = serving(&[MIXED]);
    if server.either(false, true) {
        return;
    }
    let all = MIXED.replace('\n', "\r\n");
    let expected = format!("BINARY[] {{{}}}\r\n{all}", all.len());
    answers(&mut c, "BINARY.PEEK[]", expected.as_bytes());
    answers(
        &mut c,
        "BINARY.SIZE[]",
        format!("BINARY.SIZE[] {}", all.len()).as_bytes(),
    );
    answers(&mut c, "BINARY.PEEK[]<6.8>", b"BINARY[]<6> {8}\r\na@exampl");
}

fn append(c: &mut Client, message: &[u8]) {
    let command = [
        format!("APPEND INBOX ~{{{}}}\r\n", message.len()).as_bytes(),
        message,
    ]
    .concat();
    let reply = c.run_bytes(&command);
    assert!(reply.tagged.starts_with("OK [APPENDUID "), "{reply:?}");
}

/// "The server MAY modify the CTE of the appended data, however any such transformation MUST NOT result in a
/// loss of data" (§4.4). "the server MUST issue BODYSTRUCTURE responses that describe the message as though the
/// binary-encoded sections are encoded in a CTE acceptable to the IMAP4 base specification. Furthermore, the
/// results of a FETCH BODY MUST return the message body content in the format described by the corresponding
/// FETCH BODYSTRUCTURE response" (§6).
#[test]
fn literal8_is_appended() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let octets: Vec<u8> = (0..=255).collect();
    let mut message =
        b"Subject: y\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n"
            .to_vec();
    message.extend_from_slice(&octets);
    append(&mut c, &message);
    answers(
        &mut c,
        "BINARY.PEEK[1]",
        &[b"BINARY[1] ~{256}\r\n", &octets[..]].concat(),
    );
    answers(&mut c, "BINARY.SIZE[1]", b"BINARY.SIZE[1] 256");
    let lines = c.ok("FETCH 1 (BODYSTRUCTURE BODY.PEEK[1])");
    assert!(lines[0].contains("\"base64\""), "{lines:?}");
    assert!(
        lines[0].contains("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"),
        "{lines:?}"
    );
}

/// In a multipart; and what has no NUL, and no line end that could be lost, stays as it is.
#[test]
fn literal8_is_changed_no_more_than_it_must_be() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    append(
        &mut c,
        b"Subject: y\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
          --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9\r\n\
          --b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\na\0\n\r\n\xff\r\n--b--\r\n",
    );
    answers(&mut c, "BODY.PEEK[1]", b"BODY[1] {5}\r\ncaf\xc3\xa9");
    answers(&mut c, "BINARY.PEEK[2]", b"BINARY[2] ~{6}\r\na\0\n\r\n\xff");
    answers(&mut c, "BODY.PEEK[2]", b"BODY[2] {8}\r\nYQAKDQr/");
}

#[test]
fn literal8_beside_literals() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let text = b"Subject: x\r\n\r\na\r\n".as_slice();
    let binary = b"Subject: y\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\0".as_slice();
    let mut command = format!("APPEND INBOX (\\Seen) {{{}}}\r\n", text.len()).into_bytes();
    command.extend_from_slice(text);
    command.extend_from_slice(format!(" ~{{{}+}}\r\n", binary.len()).as_bytes());
    command.extend_from_slice(binary);
    command.extend_from_slice(format!(" {{{}+}}\r\n", text.len()).as_bytes());
    command.extend_from_slice(text);
    let reply = c.run_bytes(&command);
    assert!(reply.tagged.contains(" 1:3]"), "{reply:?}");
    let reply = c.run("FETCH 2 BINARY.PEEK[1]");
    assert_eq!(
        reply.untagged[0].escape_ascii().to_string(),
        b"* 2 FETCH (BINARY[1] ~{3}\r\n\0\n\0)"
            .escape_ascii()
            .to_string()
    );
    // A literal8 is of no other use.
    c.bad_strictly("SEARCH TEXT ~{1+}\r\nx");
    c.bad_strictly("APPEND ~{5+}\r\nINBOX {17+}\r\nSubject: z\r\n\r\nb\r\n");
}

#[test]
fn what_cannot_be() {
    let (_server, mut c) = serving(&[MIXED]);
    for item in [
        "BINARY",
        "BINARY.PEEK",
        "BINARY.SIZE",
        "BINARY[HEADER]",
        "BINARY[1.MIME]",
        "BINARY[TEXT]",
        "BINARY[0]",
        "BINARY[1.]",
        "BINARY[.1]",
        "BINARY[1]<0>",
        "BINARY[1]<0.0>",
        "BINARY.SIZE[1]<0.5>",
        "BINARY.SIZE.PEEK[1]",
    ] {
        c.bad_strictly(&format!("FETCH 1 {item}"));
    }
    c.check("NOOP", &[], "OK");
}
