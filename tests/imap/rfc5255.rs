//! I18NLEVEL=1 (RFC 5255 §4): SEARCH, SORT and THREAD compare by i;unicode-casemap (RFC 5051).

use crate::harness::{Client, Server};

/// Appends messages of these header fields and bodies, a minute after each other, and selects them.
fn filled(server: &Server, messages: &[&[u8]]) -> Client {
    let mut c = server.client();
    for (at, message) in messages.iter().enumerate() {
        let date = format!("01-Jan-2020 12:{at:02}:00 +0000");
        let command = format!("a APPEND INBOX \"{date}\" {{{}+}}\r\n", message.len());
        c.send(&[command.as_bytes(), *message, b"\r\n"].concat());
        assert!(c.until_tagged("a").tagged.starts_with("OK"));
    }
    c.ok("SELECT INBOX");
    c
}

/// Searches with a key's string in UTF-8, as a literal.
#[track_caller]
fn search(c: &mut Client, key: &str, text: &str, expected: &str) {
    let command = format!("SEARCH CHARSET UTF-8 {key} {{{}+}}\r\n{text}", text.len());
    let expected = format!("* SEARCH {expected}");
    c.check(&command, &[expected.trim_end()], "OK");
}

/// "The active comparator applies to the following SEARCH keys: "BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO", and
/// "HEADER"." "MIME encoding […] MUST be removed in the texts being collated." "The decoded text from (a) MUST be
/// converted to the charset expected by the active comparator." "MUST support UTF-8 as a SEARCH charset."
#[test]
fn every_key_that_has_a_string() {
    let server = Server::start();
    let fields = ["Bcc", "Cc", "From", "Subject", "To", "X-Season"];
    let mut messages: Vec<String> = fields
        .map(|field| format!("{field}: =?iso-8859-1?q?=C9t=E9?= <x@example.org>\r\n\r\nx\r\n"))
        .into();
    messages.push(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw4lUw4k=\r\n"
            .into(),
    );
    let messages: Vec<&[u8]> = messages.iter().map(|text| text.as_bytes()).collect();
    let mut c = filled(&server, &messages);
    for text in ["été", "ÉTÉ", "E\u{301}te\u{301}", "éTe\u{301}"] {
        for (key, expected) in [
            ("BCC", "1"),
            ("CC", "2"),
            ("FROM", "3"),
            ("SUBJECT", "4"),
            ("TO", "5"),
            ("HEADER X-Season", "6"),
            ("BODY", "7"),
            ("TEXT", "1 2 3 4 5 6 7"),
        ] {
            search(&mut c, key, text, expected);
        }
    }
    search(&mut c, "TEXT", "ete", "");
    // The search's own charset is converted as well.
    let command = b"a SEARCH CHARSET ISO-8859-1 SUBJECT {3+}\r\n\xc9T\xe9\r\n";
    c.send(command);
    assert_eq!(c.until_tagged("a").plain(), ["* SEARCH 4"]);
}

/// RFC 5051 §2: titlecase, then decomposition "of any type", character by character.
#[test]
fn what_is_the_same_and_what_is_not() {
    let server = Server::start();
    for (text, same, other) in [
        // Case, in every script that has it.
        (
            "Straße",
            &["straße", "STRAßE"][..],
            &["STRASSE", "strasse", "STRAẞE"][..],
        ),
        ("Привет", &["ПРИВЕТ", "привет"], &["Npибет"]),
        ("ΟΔΟΣ", &["οδος", "οδοσ"], &["οδοs"]),
        ("dotless ı", &["DOTLESS I", "dotless i"], &["dotless İ"]),
        // Canonical decomposition: NFC and NFD are one, a letter without its accent another.
        (
            "café",
            &["cafe\u{301}", "CAFÉ", "cafE\u{301}", "cafe"],
            &["cafè"],
        ),
        ("cafe\u{301}", &["café", "CAFÉ"], &["cafè"]),
        (
            "Ångström",
            &["\u{212b}ngstro\u{308}m", "ÅNGSTRÖM"],
            &["Angstrom"],
        ),
        ("ế", &["e\u{302}\u{301}", "Ế"], &["é"]),
        (
            "한글",
            &["\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"],
            &["한국"],
        ),
        // Compatibility decomposition.
        (
            "Ｆｕｌｌ ｗｉｄｔｈ",
            &["Full width", "FULL WIDTH", "ｆｕｌｌ"],
            &["fullwidth"],
        ),
        ("①②", &["12"], &["21"]),
        // The result of decomposing is not titlecased again, so these keep the case they have. "U+01C4 is converted to
        // U+0044 U+007A U+030C".
        ("\u{1c4}", &["\u{1c5}", "\u{1c6}"], &["DŽ", "dž"]),
        ("ﬁne", &["ﬁNE"], &["fine", "FINE"]),
        ("５０ ㎏", &["50 ㎏"], &["50 kg", "50 KG"]),
        ("\u{1f80}", &["\u{1f88}"], &["\u{1f81}"]),
        ("\u{10d0}", &["\u{10d0}"], &["\u{1c90}"]),
    ] {
        // Dovecot decomposes but once.
        if ["Ångström", "ế"].contains(&text) && server.either(false, true) {
            continue;
        }
        let message = format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA {text} B\r\n"
        );
        let mut c = filled(&server, &[message.as_bytes()]);
        for key in same {
            search(&mut c, "BODY", key, "1");
        }
        for key in other {
            search(&mut c, "BODY", key, "");
        }
        c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
        c.ok("CLOSE");
    }
}

/// §4.6 (c): "the original decoded text from (a) (i.e., before the charset conversion attempt) is collated using the
/// i;octet comparator". All that finds is found. More is, as "the set of charsets handled […] is open-ended" (RFC 5051
/// §4): octets that are no UTF-8 are taken for windows-1252, which they mostly are.
#[test]
fn invalid_octets_hide_nothing() {
    let server = Server::start();
    let mut c = filled(
        &server,
        &[
            b"Content-Type: text/plain; charset=utf-8\r\n\r\nwrong \xff caf\xc3\xa9\r\n",
            b"Content-Type: text/plain; charset=x-none\r\n\r\nunknown caf\xc3\xa9\r\n",
            b"Subject: =?x-none?q?wrong_=FF_caf=C3=A9?=\r\n\r\nx\r\n",
            b"Subject: raw \xff caf\xc3\xa9\r\n\r\nx\r\n",
            b"Content-Type: text/plain; charset=utf-8\r\n\r\nin latin caf\xe9\r\n",
        ],
    );
    search(&mut c, "TEXT", "café", server.either("1 2 3 4 5", "1 2 4"));
    search(&mut c, "TEXT", "wrong", server.either("1 3", "1"));
    search(&mut c, "TEXT", "unknown", "2");
    search(&mut c, "TEXT", "raw", "4");
}

/// "If the server also advertises the "SORT" extension, then the active comparator applies to the following SORT keys:
/// "CC", "FROM", "SUBJECT", and "TO"." RFC 5957 §3 applies it to its own too.
#[test]
fn sort() {
    let server = Server::start();
    let fields = |text: &str| {
        let fields = ["From", "To", "Cc"].map(|field| format!("{field}: {text} <{text}@x>\r\n"));
        format!("Subject: {text}\r\n{}\r\nx\r\n", fields.concat())
    };
    let texts = [
        "яблоко",
        "été",
        "zebra",
        "Éta",
        "ete",
        "_under",
        "ǆ",
        "Ärmel",
        "eté",
        "ß",
    ];
    let messages = texts.map(fields);
    let messages = messages.each_ref().map(|text| text.as_bytes());
    let mut c = filled(&server, &messages);
    // Ärmel, ǆ, ete, eté, Éta, été, zebra, _under, ß, яблоко.
    let expected = server.either("* SORT 8 7 5 9 4 2 3 6 10 1", "* SORT 8 5 9 4 2 3 6 10 7 1");
    c.check("SORT (SUBJECT) UTF-8 ALL", &[expected], "OK");
    c.check("SORT (DISPLAYFROM) UTF-8 ALL", &[expected], "OK");
    c.check("SORT (DISPLAYTO) UTF-8 ALL", &[expected], "OK");
    for key in ["CC", "FROM", "TO"] {
        if server.either(true, false) {
            c.check(&format!("SORT ({key}) UTF-8 ALL"), &[expected], "OK");
        }
    }
}

/// The example of §4.6: "using the i;unicode-casemap collation, string (4) will collate before string (2). Using the
/// i;octet collation on the original strings, string (3) will collate before string (1). So the final ordering is as
/// follows: (4) (2) (3) (1)." (Dovecot reads what it can of each.)
#[test]
fn sort_has_what_cannot_be_converted_last() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let strings: [&[u8]; 6] = [
        b"=?utf-8?q?=D0=C0=D0=BD=D0=B4=D1=80=D0=B5=D0=B9?=",
        b"=?utf-8?q?=D1=81=D0=95=D0=A0=D0=93=D0=95=D0=99?=",
        b"=?utf-8?q?=D0=92=D0=B0=D1=81=D0=B8=D0=BB=D0=B8=FF=B9?=",
        b"=?koi8-r?q?=E1=CC=C5=CB=D3=C5=CA?=",
        // "strings encoded using unknown or invalid character encodings, strings in unrecognized charsets, and invalid
        // input" are collated together.
        b"Re: \xd0 (fwd)",
        b"=?x-none?q?=E1?=",
    ];
    let messages = strings.map(|string| {
        let address = |field: &[u8]| [field, b": ", string, b" <x@x>\r\n"].concat();
        let subject = [b"Subject: ", string, b"\r\n"].concat();
        [
            subject,
            address(b"From"),
            address(b"To"),
            b"\r\nx\r\n".to_vec(),
        ]
        .concat()
    });
    let messages = messages.each_ref().map(Vec::as_slice);
    let mut c = filled(&server, &messages);
    c.check("SORT (SUBJECT) UTF-8 1:4", &["* SORT 4 2 3 1"], "OK");
    c.check(
        "SORT (REVERSE SUBJECT) UTF-8 1:4",
        &["* SORT 1 3 2 4"],
        "OK",
    );
    c.check("SORT (SUBJECT) UTF-8 ALL", &["* SORT 4 2 5 3 1 6"], "OK");
    c.check("SORT (DISPLAYFROM) UTF-8 1:4", &["* SORT 4 2 3 1"], "OK");
    c.check("SORT (DISPLAYTO) UTF-8 1:4", &["* SORT 4 2 3 1"], "OK");
}

/// "If the server advertises THREAD=ORDEREDSUBJECT, then the active comparator applies to the ORDEREDSUBJECT threading
/// algorithm. If the server advertises THREAD=REFERENCES, then the active comparator applies to the subject field
/// comparisons done by REFERENCES threading algorithm."
#[test]
fn thread() {
    let server = Server::start();
    let message = |subject: &str| format!("Subject: {subject}\r\n\r\nx\r\n");
    let messages = [
        "ÉTÉ",
        "Straße",
        "Re: e\u{301}te\u{301}",
        "Re: STRASSE",
        "Re: STRAßE",
        "Re: =?utf-8?q?=EF=BD=A5?= x",
        "Re: ete",
    ]
    .map(message);
    let messages = messages.each_ref().map(|text| text.as_bytes());
    let mut c = filled(&server, &messages);
    for algorithm in ["ORDEREDSUBJECT", "REFERENCES"] {
        c.check(
            &format!("THREAD {algorithm} UTF-8 ALL"),
            &["* THREAD (1 3)(2 5)(4)(6)(7)"],
            "OK",
        );
    }
}

/// Level 1 has no COMPARATOR, nor the response.
#[test]
fn there_is_nothing_to_choose() {
    let server = Server::start();
    let mut c = server.client();
    c.bad("COMPARATOR");
    c.bad("COMPARATOR \"i;ascii-casemap\"");
}
