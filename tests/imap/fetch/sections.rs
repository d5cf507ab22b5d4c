//! BODY[…] (RFC 3501 §6.4.5, RFC 9051 §6.4.5.1): every form of section, and parts of sections.

use super::structure::NESTED;
use super::{one, value};
use crate::harness::{Server, message};

/// RFC822: "Functionally equivalent to BODY[]"; RFC822.HEADER: "to BODY.PEEK[HEADER]"; RFC822.TEXT: "to BODY[TEXT]". "An
/// empty section specification refers to the entire message, including the header."
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

/// "contains only those header fields with a field-name that matches one of the names in the list". "The field-matching
/// is ASCII-range case insensitive but is otherwise exact." "the blank line is included in all header fetches".
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
    // Exact, and each field once whatever the list says.
    assert_eq!(
        value(
            &mut c,
            "BODY.PEEK[HEADER.FIELDS (SUBJ X-OTHE FROM: FROM FROM)]"
        )
        .unwrap_or_default(),
        "From: x@y\r\n\r\n"
    );
    // `header-fld-name = astring`: the answer names them as strings of whatever kind.
    let lines = c.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (\"X-Other\" {4}\r\nFrom)]");
    assert!(
        lines[0].contains("X-Other: 1\r\nFrom: x@y\r\n\r\n"),
        "{lines:?}"
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

/// The RFC's own "example of a complex message with some of its part specifiers", each of them.
const COMPLEX: &str = "Subject: complex\r\n\
Content-Type: multipart/mixed; boundary=A\r\n\
\r\n\
--A\r\n\
Content-Type: text/plain\r\n\
\r\n\
one\r\n\
--A\r\n\
Content-Type: application/octet-stream\r\n\
\r\n\
two\r\n\
--A\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Subject: three\r\n\
Content-Type: multipart/mixed; boundary=B\r\n\
\r\n\
--B\r\n\
Content-Type: text/plain\r\n\
\r\n\
three.one\r\n\
--B\r\n\
Content-Type: application/octet-stream\r\n\
\r\n\
three.two\r\n\
--B--\r\n\
--A\r\n\
Content-Type: multipart/mixed; boundary=C\r\n\
\r\n\
--C\r\n\
Content-Type: image/gif\r\n\
\r\n\
four.one\r\n\
--C\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Subject: four.two\r\n\
Content-Type: multipart/mixed; boundary=D\r\n\
\r\n\
--D\r\n\
Content-Type: text/plain\r\n\
\r\n\
four.two.one\r\n\
--D\r\n\
Content-Type: multipart/alternative; boundary=E\r\n\
\r\n\
--E\r\n\
Content-Type: text/plain\r\n\
\r\n\
four.two.two.one\r\n\
--E\r\n\
Content-Type: text/richtext\r\n\
\r\n\
four.two.two.two\r\n\
--E--\r\n\
--D--\r\n\
--C--\r\n\
--A--\r\n";

/// "Multipart messages are assigned consecutive part numbers, as they occur in the message. If a particular part is of
/// type message or multipart, its parts MUST be indicated by a period followed by the part number within that nested
/// multipart part." "A part of type MESSAGE/RFC822 also has nested part numbers, referring to parts of the MESSAGE
/// part's body."
#[test]
fn the_rfcs_example() {
    let server = Server::start();
    let mut c = one(&server, COMPLEX);
    // What stands between two marks of COMPLEX, the second left out.
    let between = |from: &str, to: &str| {
        let start = COMPLEX.find(from).unwrap();
        &COMPLEX[start..start + COMPLEX[start..].find(to).unwrap()]
    };
    let header = |name: &str, boundary: &str| {
        format!("Subject: {name}\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\n")
    };
    for (section, expected) in [
        ("", COMPLEX.to_owned()),
        ("HEADER", header("complex", "A")),
        (
            "TEXT",
            COMPLEX[COMPLEX.find("--A\r\n").unwrap()..].to_owned(),
        ),
        ("1", "one".into()),
        ("1.MIME", "Content-Type: text/plain\r\n\r\n".into()),
        ("2", "two".into()),
        ("3", between("Subject: three", "\r\n--A\r\n").to_owned()),
        ("3.MIME", "Content-Type: message/rfc822\r\n\r\n".into()),
        ("3.HEADER", header("three", "B")),
        ("3.HEADER.FIELDS (SUBJECT)", "Subject: three\r\n\r\n".into()),
        (
            "3.HEADER.FIELDS.NOT (SUBJECT)",
            "Content-Type: multipart/mixed; boundary=B\r\n\r\n".into(),
        ),
        ("3.TEXT", between("--B\r\n", "\r\n--A\r\n").to_owned()),
        ("3.1", "three.one".into()),
        ("3.2", "three.two".into()),
        (
            "3.2.MIME",
            "Content-Type: application/octet-stream\r\n\r\n".into(),
        ),
        ("4", between("--C\r\n", "\r\n--A--").to_owned()),
        (
            "4.MIME",
            "Content-Type: multipart/mixed; boundary=C\r\n\r\n".into(),
        ),
        ("4.1", "four.one".into()),
        ("4.1.MIME", "Content-Type: image/gif\r\n\r\n".into()),
        ("4.2", between("Subject: four.two", "\r\n--C--").to_owned()),
        ("4.2.HEADER", header("four.two", "D")),
        ("4.2.TEXT", between("--D\r\n", "\r\n--C--").to_owned()),
        ("4.2.1", "four.two.one".into()),
        ("4.2.2", between("--E\r\n", "\r\n--D--").to_owned()),
        ("4.2.2.1", "four.two.two.one".into()),
        ("4.2.2.2", "four.two.two.two".into()),
        ("4.2.2.2.MIME", "Content-Type: text/richtext\r\n\r\n".into()),
    ] {
        let mut got = value(&mut c, &format!("BODY.PEEK[{section}]")).unwrap();
        if server.either(false, true) && !expected.ends_with("\r\n") {
            // Dovecot gives a multipart the line end that belongs to the outer boundary.
            got.truncate(got.trim_end_matches("\r\n").len());
        }
        assert_eq!(got, expected, "{section}");
        // And a substring of each.
        let end = expected.len().min(7);
        assert_eq!(
            value(&mut c, &format!("BODY.PEEK[{section}]<3.4>")).as_deref(),
            Some(&expected[3.min(end)..end]),
            "{section}<3.4>"
        );
    }
    // "provided that the numeric part specifier refers to a part of type MESSAGE/RFC822".
    for section in [
        "1.HEADER",
        "2.TEXT",
        "4.HEADER",
        "4.TEXT",
        "4.1.HEADER",
        "5",
        "3.3",
        "4.2.2.3",
    ] {
        let got = value(&mut c, &format!("BODY.PEEK[{section}]"));
        assert_eq!(got.unwrap_or_default(), "", "{section}");
    }
}

/// "Every message has at least one part number. Messages that do not use MIME, and MIME messages that are not multipart
/// and have no encapsulated message within them, only have a part 1."
#[test]
fn a_message_of_one_part() {
    let server = Server::start();
    let text = "Subject: s\r\n\r\nbody\r\n";
    let mut c = one(&server, text);
    assert_eq!(value(&mut c, "BODY.PEEK[1]").unwrap(), "body\r\n");
    assert_eq!(value(&mut c, "BODY.PEEK[TEXT]").unwrap(), "body\r\n");
    for section in ["2", "1.1", "1.HEADER", "1.TEXT"] {
        let got = value(&mut c, &format!("BODY.PEEK[{section}]"));
        assert_eq!(got.unwrap_or_default(), "", "{section}");
    }
    // The encapsulated message's own parts are numbered below the part that holds it.
    let server = Server::start();
    let inner = "Subject: in\r\n\r\ninner\r\n";
    let mut c = one(
        &server,
        &format!("Content-Type: message/rfc822\r\n\r\n{inner}"),
    );
    for (section, expected) in [
        ("1", inner),
        ("TEXT", inner),
        ("1.HEADER", "Subject: in\r\n\r\n"),
        ("1.TEXT", "inner\r\n"),
        ("1.1", "inner\r\n"),
    ] {
        assert_eq!(
            value(&mut c, &format!("BODY.PEEK[{section}]")).unwrap(),
            expected,
            "{section}"
        );
    }
}

/// "If the starting octet is beyond the end of the text, an empty string is returned. Any partial fetch that attempts to
/// read beyond the end of the text is truncated as appropriate."
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
    for partial in ["<>", "<0>", "<.1>", "<0.>", "<-1.1>", "<0.1", "<a.b>"] {
        c.bad_strictly(&format!("FETCH 1 BODY[TEXT]{partial}"));
    }
}

/// "A partial fetch that starts at octet 0 is returned as a partial fetch, even if this truncation happened": "BODY[]<0.2048>
/// of a 1500-octet message will return BODY[]<0> with a literal of size 1500, not BODY[]." §7.4.2: "This means that BODY[]<0> MAY be truncated, but
/// BODY[] is NEVER truncated", and "The origin octet facility MUST NOT be used by a server in a FETCH response unless the client
/// specifically requested it".
#[test]
fn a_partial_fetch_of_more_than_there_is() {
    let server = Server::start();
    let text = format!("Subject: p\r\n\r\n{}\r\n", "x".repeat(1484));
    assert_eq!(text.len(), 1500);
    let mut c = one(&server, &text);
    c.check(
        "FETCH 1 BODY[]<0.2048>",
        &[&format!("* 1 FETCH (BODY[]<0> {{1500}}\r\n{text})")],
        "OK",
    );
    c.check(
        "FETCH 1 BODY[]",
        &[&format!("* 1 FETCH (BODY[] {{1500}}\r\n{text})")],
        "OK",
    );
    // In pieces it is the same.
    let mut pieces = String::new();
    for offset in (0..1600).step_by(100) {
        pieces += &value(&mut c, &format!("BODY.PEEK[]<{offset}.100>")).unwrap_or_default();
    }
    assert_eq!(pieces, text);
}

/// "A substring fetch of a HEADER.FIELDS or HEADER.FIELDS.NOT part specifier is calculated after subsetting the header."
#[test]
fn a_partial_fetch_of_header_fields() {
    let server = Server::start();
    let mut c = one(
        &server,
        "X-Long: 0123456789\r\nSubject: s\r\nFrom: a@b\r\n\r\nbody\r\n",
    );
    for (item, expected) in [
        (
            "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]<0.10>",
            "Subject: s",
        ),
        ("BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]<12.4>", "From"),
        (
            "BODY.PEEK[HEADER.FIELDS.NOT (X-LONG)]<9.100>",
            "s\r\nFrom: a@b\r\n\r\n",
        ),
        ("BODY.PEEK[HEADER]<8.10>", "0123456789"),
    ] {
        assert_eq!(value(&mut c, item).unwrap(), expected, "{item}");
    }
}
