//! UTF8=ACCEPT (RFC 9755, and RFC 6855 before it).

use crate::harness::{Server, message};

/// §3: "the server MUST NOT send UTF-8 in quoted-strings to the client unless the client has indicated support
/// for that syntax by using the "ENABLE UTF8=ACCEPT" command."
#[test]
fn names_in_utf_8_once_enabled() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    assert!(c.ok("CAPABILITY")[0].contains(" UTF8=ACCEPT"));
    c.ok("CREATE Entw&APw-rfe");
    c.check(
        "LIST \"\" E*",
        &["* LIST (\\HasNoChildren) \".\" Entw&APw-rfe"],
        "OK",
    );
    c.check("ENABLE UTF8=ACCEPT", &["* ENABLED UTF8=ACCEPT"], "OK");
    c.check(
        "LIST \"\" \"Entwü*\"",
        &["* LIST (\\HasNoChildren) \".\" \"Entwürfe\""],
        "OK",
    );
    c.check("SELECT Entw&APw-rfe", &[], "NO [NONEXISTENT]");
    // It changes nothing else: this is IMAP4rev1.
    c.append("\"Entwürfe\"", "", &message("one"));
    let lines = c.ok("SELECT \"Entwürfe\"");
    assert!(lines.contains(&"* 1 RECENT".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("LIST")), "{lines:?}");
}

/// §3: servers "that also support the Mailbox International Naming Convention described in RFC 3501, Section
/// 5.1.3, MUST accept UTF8-quoted mailbox names and convert them to the appropriate internal format."
#[test]
fn names_in_utf_8_are_taken_from_everybody() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.ok("CREATE \"Entwürfe\"");
    c.check(
        "LIST \"\" \"Entwü%\"",
        &["* LIST (\\HasNoChildren) \".\" Entw&APw-rfe"],
        "OK",
    );
    c.ok("SELECT \"Entwürfe\"");
    c.ok("SELECT Entw&APw-rfe");
    // "the server MUST reject, with a "BAD" response, any octet sequences with the high bit set that fail to
    // comply with the formal syntax requirements of UTF-8".
    for command in [
        &b"CREATE \"a\xfcb\""[..],
        b"SELECT \"\xc0\x80\"",
        b"LIST \"\" \"\xff*\"",
        b"LIST \"\xff\" \"\"",
        b"LSUB \"\xff\" *",
        b"STATUS \"\xf4\x90\x80\x80\" (MESSAGES)",
        b"RENAME INBOX \"\xe4\"",
    ] {
        let reply = c.run_bytes(command);
        assert!(reply.tagged.starts_with("BAD"), "{reply:?}");
    }
    // An atom is 7-bit as ever.
    let reply = c.run_bytes("CREATE Entwürfe2".as_bytes());
    assert!(reply.tagged.starts_with("BAD"), "{reply:?}");
}

/// §4: a server "accepts UTF-8 headers in the "APPEND" command message argument", and has them served as they are.
///
/// One sentence of §4 is not followed: without ENABLE, an APPEND with 8-bit header fields is not refused.
/// Such messages are in every old mailbox, the MTA puts more there without asking, and programs that copy mail
/// from one server to another enable nothing: refused, their user's mail would be left behind. Dovecot takes
/// them.
#[test]
fn messages_with_utf_8_headers() {
    let server = Server::start();
    let text = "From: Jörg <jörg@bücher.example>\r\nSubject: Grüße\r\n\r\nHallo.\r\n";
    let mut c = server.client();
    for _ in 0..2 {
        c.append("INBOX", "", text);
        c.ok("SELECT INBOX");
        let size = text.len();
        c.check(
            "FETCH 1 BODY.PEEK[]",
            &[&format!("* 1 FETCH (BODY[] {{{size}}}\r\n{text})")],
            "OK",
        );
        c.ok("UNSELECT");
        c.ok("ENABLE UTF8=ACCEPT");
    }
}

/// §3: after ENABLE, a client "MUST NOT issue a SEARCH command that contains a charset specification. If an IMAP
/// server receives such a SEARCH command in that situation, it SHOULD reject the command with a BAD response".
#[test]
fn search_without_charset() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append(
        "INBOX",
        "",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nx\r\n",
    );
    c.ok("SELECT INBOX");
    c.check(
        "SEARCH CHARSET UTF-8 SUBJECT \"grüß\"",
        &["* SEARCH 1"],
        "OK",
    );
    c.ok("ENABLE UTF8=ACCEPT");
    c.bad("SEARCH CHARSET UTF-8 SUBJECT \"grüß\"");
    c.check("SEARCH SUBJECT \"grüß\"", &["* SEARCH 1"], "OK");
    c.check("SEARCH SUBJECT {6+}\r\ngrüß", &["* SEARCH 1"], "OK");
}
