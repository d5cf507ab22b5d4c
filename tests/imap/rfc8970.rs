//! RFC 8970: PREVIEW, a few words of each message for a list of them.

use std::sync::Arc;

use crate::harness::client::literal;
use crate::harness::{Kind, Maildir, Server};

/// §5's four messages, or what they may have been.
const MESSAGES: [&str; 4] = [
    "Subject: 1\r\n\r\nPreview text for\r\nmessage 1.\r\n",
    "Subject: 2\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\nContent-Type: \
     application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--b--\r\n",
    "Subject: 3\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<title>3</title><p>Message data from<br>message \
     3.<blockquote>quoted</blockquote>\r\n",
    "Subject: 4\r\n\r\nMessage 4 preview\r\n\r\nOn 1 Jan 2024 at 10:00, <ann@example.org> wrote:\r\n> quoted\r\n",
];

fn server() -> Server {
    let maildir = Arc::new(Maildir::new());
    for (at, text) in MESSAGES.iter().enumerate() {
        maildir.place("INBOX", "cur", &format!("{at}.preview:2,"), text.as_bytes());
    }
    Server::on(&maildir)
}

/// §6: "capability =/ "PREVIEW"". §5, example 1.
#[test]
fn without_lazy_there_is_always_a_string() {
    let server = server();
    let mut c = server.selected("INBOX");
    let announced = c.ok("CAPABILITY").remove(0);
    assert!(announced.split(' ').any(|name| name == "PREVIEW"));
    c.check(
        "FETCH 1 (RFC822.SIZE PREVIEW)",
        &[&format!(
            "* 1 FETCH (RFC822.SIZE {} PREVIEW \"Preview text for message 1.\")",
            MESSAGES[0].len()
        )],
        "OK",
    );
    // "A server SHOULD strive to generate the same string for a given message for each request." And "a server
    // MUST NOT return NIL to a FETCH PREVIEW request made without the LAZY modifier"; encrypted messages: "the
    // server MUST return a zero-length string".
    let last = server.either(
        "Message 4 preview",
        "Message 4 preview On 1 Jan 2024 at 10:00, <ann@example.org> wrote:",
    );
    for command in [
        "FETCH 1:* PREVIEW",
        "FETCH 1:* (PREVIEW)",
        "fetch 1:4 preview",
    ] {
        c.check(
            command,
            &[
                "* 1 FETCH (PREVIEW \"Preview text for message 1.\")",
                "* 2 FETCH (PREVIEW \"\")",
                server.either(
                    "* 3 FETCH (PREVIEW \"Message data from message 3.\")",
                    "* 3 FETCH (PREVIEW \"3 Message data from message 3.\")",
                ),
                &format!("* 4 FETCH (PREVIEW \"{last}\")"),
            ],
            "OK",
        );
    }
    // Nothing was read by a person: no \Seen.
    c.check("SEARCH UNSEEN", &["* SEARCH 1 2 3 4"], "OK");
    // RFC 3501 §6.4.8.
    let by_uid = c.ok("UID FETCH 1 PREVIEW").remove(0);
    assert!(
        by_uid.contains("UID 1") && by_uid.contains("PREVIEW \"Preview"),
        "{by_uid}"
    );
}

/// §4.1, and §5, examples 2 and 3.
#[test]
fn lazy_gives_what_is_at_hand() {
    let server = server();
    let mut c = server.selected("INBOX");
    // "If this modifier is used, and the server is unable to return preview data without undue delay, the server
    // MUST return NIL as the preview response."
    if server.kind == Kind::Culver {
        let nil: Vec<String> = (1..=4)
            .map(|number| format!("* {number} FETCH (PREVIEW NIL)"))
            .collect();
        let nil: Vec<&str> = nil.iter().map(String::as_str).collect();
        c.check("FETCH 1:4 PREVIEW (LAZY)", &nil, "OK");
    }
    c.ok("FETCH 1:2 (PREVIEW)");
    let listed = c.ok("FETCH 1:4 (ENVELOPE PREVIEW (LAZY))");
    assert!(
        listed[0].ends_with("PREVIEW \"Preview text for message 1.\")"),
        "{listed:?}"
    );
    // "Client has preview for message 1 and knows that message 2 has a preview that is empty."
    assert!(listed[1].ends_with("PREVIEW \"\")"), "{listed:?}");
    for line in &listed[2..] {
        assert!(
            line.contains("ENVELOPE (NIL \"") && line.ends_with("PREVIEW NIL)"),
            "{line}"
        );
    }
    c.ok("FETCH 3:4 (PREVIEW)");
    // Other sessions have them at hand, too, and whoever wants nothing else.
    let mut c2 = server.selected("INBOX");
    let listed = c2.ok("FETCH 1:4 (PREVIEW (LAZY) UID)");
    assert!(
        !listed.iter().any(|line| line.contains("NIL")),
        "{listed:?}"
    );

    c.ok("SEARCH RETURN (SAVE) SUBJECT 3");
    c.check(
        "FETCH $ (UID PREVIEW (LAZY))",
        &[server.either(
            "* 3 FETCH (UID 3 PREVIEW \"Message data from message 3.\")",
            "* 3 FETCH (UID 3 PREVIEW \"3 Message data from message 3.\")",
        )],
        "OK",
    );
    if server.kind != Kind::Culver {
        return; // Dovecot hangs up on some of these
    }
    // §6: "preview-mod *(SP preview-mod)", and nothing else.
    c.ok("FETCH 1 (PREVIEW (LAZY LAZY))");
    for wrong in [
        "(PREVIEW ())",
        "(PREVIEW (EAGER))",
        "(PREVIEW LAZY)",
        "(PREVIEW(LAZY))",
    ] {
        c.bad(&format!("FETCH 1 {wrong}"));
    }
    // Other parentheses are FETCH's own (RFC 9394 §3.3).
    let one = c.ok("UID FETCH 1:* PREVIEW (PARTIAL 2:2)");
    assert_eq!(one.len(), 1, "{one:?}");
}

/// §3.3: "The generated string MUST NOT be content transfer encoded and MUST be encoded in UTF-8." "The server SHOULD
/// limit the length of the preview text to 200 preview characters."
#[test]
fn it_is_short_and_in_utf8() {
    let maildir = Arc::new(Maildir::new());
    let words = "=E9t=E9 ".repeat(100);
    let text = format!(
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n{words}\n"
    );
    maildir.place("INBOX", "cur", "1.long:2,", text.as_bytes());
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let shown = c.run("FETCH 1 (PREVIEW)");
    let shown = std::str::from_utf8(literal(&shown.untagged[0])).unwrap();
    assert_eq!(shown.trim_end(), "été ".repeat(50).trim_end());
    assert!(shown.chars().count() <= 200);
}

/// A message that is gone has no preview, unless that is at hand.
#[test]
fn a_message_that_is_gone_is_not_said_to_be_empty() {
    let server = server();
    if server.kind != Kind::Culver {
        return;
    }
    let mut c = server.selected("INBOX");
    c.ok("FETCH 1 PREVIEW");
    let mut c2 = server.selected("INBOX");
    c2.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    c2.ok("EXPUNGE");
    let reply = c.run("FETCH 1:3 PREVIEW");
    assert!(reply.tagged.starts_with("OK [EXPUNGEISSUED]"), "{reply:?}");
    let told: Vec<String> = reply.plain();
    let previews: Vec<&String> = told
        .iter()
        .filter(|line| line.contains("PREVIEW"))
        .collect();
    assert_eq!(
        previews,
        [
            "* 1 FETCH (PREVIEW \"Preview text for message 1.\")",
            "* 3 FETCH (PREVIEW \"Message data from message 3.\")",
        ]
    );
}

/// What both servers show: the author's own words, whatever surrounds them.
#[test]
fn words_that_are_the_messages_own() {
    let html = "Content-Type: text/html\n\n";
    let multi = "Content-Type: multipart/mixed; boundary=b\n\n--b\n";
    let table = [
        ("\nAbout section 4:\n> old text\n", "About section 4:"),
        (
            "\nHi Bob,\nI paid 30 EUR.\nHere is what the bill said:\n> old text\nmore\n",
            "Hi Bob, I paid 30 EUR. Here is what the bill said: more",
        ),
        (
            "\nOn 3 May 2024, Ann wrote:\n> old text\n",
            "On 3 May 2024, Ann wrote:",
        ),
        (
            &format!("{html}<script>for(i=0;i<n;i++){{}}</script>Hello\n"),
            "Hello",
        ),
        (&format!("{html}<style><!-- a{{}} </style>Hello\n"), "Hello"),
        (
            &format!(
                "{multi}Content-Type: message/rfc822\nContent-Disposition: attachment\n\nSubject: x\n\ninner\n--b\n\n\
                 outer\n--b--\n"
            ),
            "outer",
        ),
        // RFC 2045 §6.4.
        ("Content-Transfer-Encoding: x-none\n\nunknown\n", ""),
    ];
    let maildir = Arc::new(Maildir::new());
    for (at, (text, _)) in table.iter().enumerate() {
        maildir.place("INBOX", "cur", &format!("{at}.own:2,"), text.as_bytes());
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let expected: Vec<String> = (1..)
        .zip(&table)
        .map(|(number, (_, shown))| format!("* {number} FETCH (PREVIEW \"{shown}\")"))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    c.check("FETCH 1:* (PREVIEW)", &expected, "OK");
}

/// What Dovecot announces as PREVIEW=FUZZY and SNIPPET=FUZZY, from before the RFC: the one algorithm is named in the
/// answer. SNIPPET is fuzzy though nobody says so.
#[test]
fn dovecots_older_forms() {
    let server = server();
    let mut c = server.selected("INBOX");
    let announced = c.ok("CAPABILITY").remove(0);
    for name in ["PREVIEW=FUZZY", "SNIPPET=FUZZY"] {
        assert!(announced.split(' ').any(|one| one == name), "{announced}");
    }
    for (items, name) in [
        ("PREVIEW (LAZY=FUZZY)", "PREVIEW"),
        ("snippet (lazy=fuzzy)", "SNIPPET"),
        ("SNIPPET (LAZY)", "SNIPPET"),
    ] {
        let nil = format!("* 1 FETCH ({name} (FUZZY NIL))");
        c.check(&format!("FETCH 1 ({items})"), &[&nil], "OK");
    }
    let text = "(FUZZY \"Preview text for message 1.\")";
    for (items, name) in [
        ("PREVIEW (FUZZY)", "PREVIEW"),
        ("(PREVIEW (fuzzy))", "PREVIEW"),
        ("(PREVIEW (LAZY=FUZZY))", "PREVIEW"),
        ("SNIPPET", "SNIPPET"),
        ("(SNIPPET (FUZZY))", "SNIPPET"),
        ("(SNIPPET (LAZY=FUZZY))", "SNIPPET"),
        ("(SNIPPET (LAZY))", "SNIPPET"),
    ] {
        let shown = format!("* 1 FETCH ({name} {text})");
        c.check(&format!("FETCH 1 {items}"), &[&shown], "OK");
    }
    c.check(
        "UID FETCH 1 (PREVIEW PREVIEW (FUZZY) SNIPPET)",
        &[&format!(
            "* 1 FETCH (UID 1 PREVIEW \"Preview text for message 1.\" PREVIEW {text} SNIPPET {text})"
        )],
        "OK",
    );
    c.bad("FETCH 1 (PREVIEW (LAZY=EAGER))");
}
