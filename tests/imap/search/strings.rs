//! How SEARCH compares text (RFC 3501 §6.4.4, RFC 9051 §6.4.4): charsets, decoding, case, and what of a message is
//! header and what is body.

use std::sync::Arc;

use super::{finds, prepared};
use crate::harness::{Client, Maildir, Server};

/// INBOX with these files.
fn serving(messages: &[&str]) -> (Server, Client) {
    let maildir = Arc::new(Maildir::new());
    for (at, message) in messages.iter().enumerate() {
        maildir.place("INBOX", "cur", &format!("{at}.x:2,"), message.as_bytes());
    }
    let server = Server::on(&maildir);
    let client = server.selected("INBOX");
    (server, client)
}

/// "If the server does not support the specified [CHARSET], it MUST return a tagged NO response (not a BAD). This
/// response SHOULD contain the BADCHARSET response code, which MAY list the [CHARSET]s supported by the server."
#[test]
fn charsets() {
    let server = Server::start();
    let mut c = prepared(&server);
    for command in [
        "SEARCH CHARSET X-NONE ALL",
        "UID SEARCH CHARSET X-NONE TEXT x",
    ] {
        let reply = c.run(command);
        assert!(reply.untagged.is_empty(), "{reply:?}");
        let outcome = reply.outcome();
        assert!(outcome.starts_with("NO [BADCHARSET"), "{outcome}");
        // RFC 9051 §9: `"BADCHARSET" [SP "(" charset *(SP charset) ")" ]`. Each of them is one that is known.
        let listed = outcome["NO [BADCHARSET".len()..].trim_matches(['(', ')', ']', ' ']);
        for charset in listed.split_whitespace() {
            finds(&mut c, &format!("CHARSET {charset} SUBJECT alpha"), "1");
        }
        assert_eq!(listed.is_empty(), server.either(false, true), "{outcome}");
    }
    // "US-ASCII MUST be supported"; RFC 9051: "Servers MUST support US-ASCII and UTF-8 charsets".
    finds(&mut c, "CHARSET US-ASCII SUBJECT alpha", "1");
    finds(&mut c, "CHARSET UTF-8 SUBJECT {7}\r\nGr\u{fc}\u{df}e", "3");
    // "other [CHARSET]s MAY be supported".
    let reply = c.run_bytes(b"SEARCH CHARSET ISO-8859-1 SUBJECT {5+}\r\nGr\xfc\xdfe");
    assert_eq!(reply.plain(), ["* SEARCH 3"]);
}

/// RFC 9051: "Note that if CHARSET is not provided, IMAP4rev2 servers MUST assume UTF-8".
#[test]
fn without_charset_it_is_utf_8() {
    let server = Server::start();
    let mut c = prepared(&server);
    finds(&mut c, "SUBJECT {7}\r\nGr\u{fc}\u{df}e", "3");
    finds(&mut c, "BODY {5+}\r\ncaf\u{e9}", "4");
    finds(&mut c, "SUBJECT \"Gr\u{fc}\"", "3");
    if server.either(true, false) {
        c.ok("ENABLE IMAP4rev2");
        let line = format!("* ESEARCH (TAG \"{}\") ALL 3", c.next_tag());
        c.check("SEARCH SUBJECT \"gr\u{fc}\u{df}e\"", &[&line], "OK");
    }
}

/// "[MIME-IMB] content transfer encodings, and [MIME-HDRS] strings in [RFC-2822]/[MIME-IMB] headers, MUST be decoded
/// before comparing text".
#[test]
fn encodings_are_taken_off() {
    let (_server, mut c) = serving(&[
        "Subject: =?iso-8859-1?Q?caf=E9_one?=\n\nx\n",
        "From: =?utf-8?B?SsO8cmdlbg==?= <j@example.org>\nSubject: two\n\nx\n",
        "Subject: =?utf-8?Q?spl?=\n =?utf-8?Q?it?= three\n\nx\n",
        "Subject: four\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n8NLJ18XU\n",
        "Subject: five\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
         Gr=C3=BC=C3=9F=\ne\n",
        "Subject: six\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: base64\n\naW5zaWRl\n--b\nContent-Type: message/rfc822\n\n\
         Subject: =?utf-8?Q?inn=65r?=\nContent-Transfer-Encoding: quoted-printable\n\ndee=\np\n--b--\n",
    ]);
    for (key, expected) in [
        ("SUBJECT caf\u{e9}", "1"),
        ("HEADER Subject \"caf\u{e9} one\"", "1"),
        ("FROM J\u{fc}rgen", "2"),
        ("SUBJECT \"split three\"", "3"),
        ("BODY \u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}", "4"),
        ("BODY Gr\u{fc}\u{df}e", "5"),
        ("BODY inside", "6"),
        ("BODY deep", "6"),
        ("TEXT inside", "6"),
        // Not what stands in the file.
        ("BODY 8NLJ", ""),
        ("BODY aW5zaWRl", ""),
        ("SUBJECT \"=?utf\"", ""),
    ] {
        // The text as a literal: 8-bit characters are for literals alone in RFC 3501.
        let (keys, text) = match key.split_once('"') {
            Some((keys, text)) => (keys.trim_end(), text.trim_end_matches('"')),
            None => key.rsplit_once(' ').unwrap(),
        };
        let key = format!("CHARSET UTF-8 {keys} {{{}+}}\r\n{text}", text.len());
        finds(&mut c, &key, expected);
    }
}

/// "a message matches the key if the string is a substring of the field. The matching is case-insensitive."
/// RFC 9051: "The matching SHOULD be case insensitive for characters within the ASCII range." "Note that the empty string is a substring; this is useful when performing a HEADER search in order to
/// test for a header field presence in the message."
#[test]
fn substrings_in_any_case() {
    let (_server, mut c) = serving(&[
        "From: Anna Smith <Anna@Example.ORG>\nSubject: A long\n subject line\nX-Flag:\n\nOne two\nthree\n",
        "Subject: other\n\nfour\n",
    ]);
    for (key, expected) in [
        ("FROM anna", "1"),
        ("FROM \"NA SMI\"", "1"),
        ("FROM example.org", "1"),
        ("SUBJECT ONG", "1"),
        // A folded field is one line.
        ("SUBJECT \"long subject\"", "1"),
        ("HEADER subject \"LINE\"", "1"),
        ("HEADER SUBJECT \"\"", "1 2"),
        ("HEADER X-Flag \"\"", "1"),
        ("HEADER X-Flag x", ""),
        ("FROM \"\"", "1"),
        ("NOT FROM \"\"", "2"),
        ("BODY wo", "1"),
        ("BODY TWO", "1"),
        ("BODY \"\"", "1 2"),
        ("TEXT \"\"", "1 2"),
        ("TEXT OTHER", "2"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// TEXT: "in the header (including MIME header fields) or body of the message". BODY: "in the body of the message.
/// Unlike TEXT (see below), this doesn't match any header fields."
#[test]
fn header_and_body() {
    let (_server, mut c) = serving(&[
        "Subject: apple\nX-Outer: banana\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n\
         --b\nContent-Type: text/plain\nX-Part: cherry\n\ndate\n\
         --b\nContent-Type: message/rfc822\n\nSubject: elder\n\nfig\n--b--\n",
        "Subject: second\n\nX-Outer: in the body\n",
    ]);
    for (key, expected) in [
        ("TEXT apple", "1"),
        ("TEXT banana", "1"),
        ("TEXT x-part", "1"),
        ("TEXT cherry", "1"),
        ("TEXT date", "1"),
        ("TEXT elder", "1"),
        ("TEXT fig", "1"),
        ("BODY apple", ""),
        ("BODY banana", ""),
        ("BODY cherry", ""),
        ("BODY date", "1"),
        ("BODY fig", "1"),
        // HEADER: "the text of the header (what comes after the colon)", and only of the message's own.
        ("HEADER X-Outer banana", "1"),
        ("HEADER X-Outer X-Outer", ""),
        ("HEADER X-Outer body", ""),
        ("HEADER X-Part cherry", ""),
        ("HEADER X-Oute banana", ""),
        ("SUBJECT elder", ""),
        ("TEXT x-outer", "1 2"),
        ("BODY x-outer", "2"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// "structure's … field" of the envelope: groups, comments and routes are part of it.
#[test]
fn addresses() {
    let (_server, mut c) = serving(&[
        "From: \"Quoted Q. Name\" <q@example.org>\nTo: Friends: a@example.com, B <b@example.com>;\n\n\n",
        "From: c@example.net (Comment)\nCc: first@example.org, second@example.org\n\
         Bcc: hidden@example.org\n\n\n",
    ]);
    for (key, expected) in [
        ("FROM \"Quoted Q\"", "1"),
        ("FROM q@example.org", "1"),
        ("FROM comment", "2"),
        ("TO friends", "1"),
        ("TO b@example.com", "1"),
        ("CC second@", "2"),
        ("BCC hidden", "2"),
        ("OR TO example.com CC example.org", "1 2"),
        ("FROM first", ""),
    ] {
        finds(&mut c, key, expected);
    }
}
