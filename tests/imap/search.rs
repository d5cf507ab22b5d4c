//! SEARCH with every key of RFC 3501 §6.4.4 and RFC 9051 §6.4.4: what each finds. [`grammar`] has what parses,
//! [`strings`] how text is compared. RETURN has its tests in `rfc4731.rs` and `rfc5182.rs`.

mod grammar;
mod strings;

use std::sync::Arc;

use crate::harness::{Client, Maildir, Server, message};

fn mail(extra: &str, body: &str) -> String {
    format!("From: Anna <anna@example.org>\r\nTo: Bob <bob@example.org>\r\n{extra}\r\n{body}\r\n")
}

/// Six messages that differ in everything a key can ask for.
fn prepared(server: &Server) -> Client {
    let mut c = server.client();
    let append = |c: &mut Client, arguments: &str, extra: &str, body: &str| {
        c.append("INBOX", arguments, &mail(extra, body));
    };
    append(
        &mut c,
        "(\\Seen) \"10-Jan-2020 12:00:00 +0000\" ",
        "Subject: Alpha report\r\nDate: Fri, 10 Jan 2020 23:30:00 -0500\r\nCc: Carl <carl@example.net>\r\n",
        "the first body",
    );
    append(
        &mut c,
        "(\\Flagged \\Answered) \"11-Jan-2020 12:00:00 +0000\" ",
        "Subject: Beta\r\nDate: Sat, 11 Jan 2020 00:30:00 +0500\r\nX-Spam: yes\r\n",
        "second BODY here",
    );
    append(
        &mut c,
        "(\\Deleted $Junk) \"12-Jan-2020 12:00:00 +0000\" ",
        "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nDate: Sun, 12 Jan 2020 12:00:00 +0000\r\n",
        "nothing",
    );
    append(
        &mut c,
        "(\\Draft) \"13-Jan-2020 12:00:00 +0000\" ",
        "Subject: quoted\r\nDate: Mon, 13 Jan 2020 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        "Stra=DFe und Caf=E9, so long=\r\n line",
    );
    append(
        &mut c,
        "() \"14-Jan-2020 12:00:00 +0000\" ",
        "Subject: base64\r\nDate: Tue, 14 Jan 2020 12:00:00 +0000\r\nBcc: dora@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
        "aGlkZGVuIHRyZWFzdXJl",
    );
    append(
        &mut c,
        "(\\Seen) \"15-Jan-2020 12:00:00 +0000\" ",
        "Subject: multi\r\nDate: Wed, 15 Jan 2020 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
        "--b\r\n\r\npart one\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>part</b> two\r\n--b--",
    );
    c.ok("SELECT INBOX");
    c
}

/// Runs a SEARCH that must find exactly these. "Responses: REQUIRED untagged response: SEARCH", also where nothing
/// is found.
#[track_caller]
fn finds(c: &mut Client, key: &str, expected: &str) {
    let expected = if expected.is_empty() {
        "* SEARCH".to_owned()
    } else {
        format!("* SEARCH {expected}")
    };
    c.check(&format!("SEARCH {key}"), &[&expected], "OK");
}

/// The keys of flags, numbers and sizes.
#[test]
fn flags_and_numbers() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("ALL", "1 2 3 4 5 6"),
        ("SEEN", "1 6"),
        ("UNSEEN", "2 3 4 5"),
        ("FLAGGED", "2"),
        ("UNFLAGGED", "1 3 4 5 6"),
        ("ANSWERED", "2"),
        ("UNANSWERED", "1 3 4 5 6"),
        ("DELETED", "3"),
        ("UNDELETED", "1 2 4 5 6"),
        ("DRAFT", "4"),
        ("UNDRAFT", "1 2 3 5 6"),
        ("KEYWORD $Junk", "3"),
        ("KEYWORD $JUNK", "3"),
        ("UNKEYWORD $Junk", "1 2 4 5 6"),
        ("RECENT", "1 2 3 4 5 6"),
        // "This is functionally equivalent to "(RECENT UNSEEN)"."
        ("NEW", "2 3 4 5"),
        ("(RECENT UNSEEN)", "2 3 4 5"),
        // "This is functionally equivalent to "NOT RECENT" (as opposed to "NOT NEW")."
        ("OLD", ""),
        ("NOT RECENT", ""),
        ("NOT NEW", "1 6"),
        ("2:4", "2 3 4"),
        ("*", "6"),
        ("1,3,5:*", "1 3 5 6"),
        ("UID 2:3", "2 3"),
        ("UID 99", ""),
        ("UID 99:*", "6"),
        ("LARGER 1", "1 2 3 4 5 6"),
        ("LARGER 100000", ""),
        ("SMALLER 1", ""),
        ("SMALLER 100000", "1 2 3 4 5 6"),
    ] {
        finds(&mut c, key, expected);
    }
}

#[test]
fn a_keyword_that_is_not_there_is_not_made_by_looking_for_it() {
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot makes it.
    }
    let mut c = prepared(&server);
    finds(&mut c, "KEYWORD nosuch", "");
    finds(&mut c, "UNKEYWORD nosuch", "1 2 3 4 5 6");
}

/// "When multiple keys are specified, the result is the intersection (AND function) of all the messages that match
/// those keys." "A search key can also be a parenthesized list of one or more search keys (e.g., for use with the OR
/// and NOT keys)."
#[test]
fn combinations() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("SEEN SUBJECT alpha", "1"),
        ("NOT SEEN", "2 3 4 5"),
        ("NOT NOT SEEN", "1 6"),
        ("OR SEEN FLAGGED", "1 2 6"),
        ("OR (SEEN SUBJECT multi) DELETED", "3 6"),
        ("NOT (OR SEEN FLAGGED)", "3 4 5"),
        ("(1:3 UNSEEN)", "2 3"),
        ("OR OR 1 2 OR 3 4", "1 2 3 4"),
        ("((((1))))", "1"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// BEFORE: "internal date (disregarding time and timezone) is earlier than the specified date"; ON: "within"; SINCE:
/// "within or later". SENTBEFORE, SENTON and SENTSINCE likewise by the Date field.
#[test]
fn dates() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("BEFORE 12-Jan-2020", "1 2"),
        ("ON 12-Jan-2020", "3"),
        ("SINCE 12-Jan-2020", "3 4 5 6"),
        ("SINCE \"12-jan-2020\"", "3 4 5 6"),
        // The Date header's own day, whatever its zone (RFC 3501 §6.4.4: "disregarding time and timezone").
        ("SENTON 10-Jan-2020", "1"),
        ("SENTON 11-Jan-2020", "2"),
        ("SENTBEFORE 12-Jan-2020", "1 2"),
        ("SENTSINCE 13-Jan-2020", "4 5 6"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// "Messages that contain the specified string in the envelope structure's … field". "If the string to search is
/// zero-length, this matches all messages that have a header field with the specified field-name regardless of the
/// contents."
#[test]
fn headers() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("FROM anna", "1 2 3 4 5 6"),
        ("FROM \"ANNA@EXAMPLE\"", "1 2 3 4 5 6"),
        ("TO bob", "1 2 3 4 5 6"),
        ("TO carl", ""),
        ("CC carl", "1"),
        ("BCC dora", "5"),
        ("SUBJECT ALPHA", "1"),
        ("SUBJECT \"a rep\"", "1"),
        ("HEADER X-Spam yes", "2"),
        ("HEADER x-spam \"\"", "2"),
        ("HEADER X-None \"\"", ""),
        ("HEADER Subject beta", "2"),
        ("CHARSET UTF-8 SUBJECT {7}\r\nGr\u{fc}\u{df}e", "3"),
        ("CHARSET utf-8 SUBJECT {4}\r\ngr\u{fc}", "3"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// RFC 9051: BODY, "Unlike TEXT (see below), […] doesn't match any header fields."
#[test]
fn bodies_are_decoded() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("BODY body", "1 2"),
        ("BODY \"second body\"", "2"),
        ("BODY treasure", "5"),
        ("BODY aGlkZGVu", ""),
        ("BODY \"long line\"", "4"),
        ("CHARSET UTF-8 BODY {7}\r\nstra\u{df}e", "4"),
        ("CHARSET UTF-8 TEXT {5}\r\ncaf\u{e9}", "4"),
        ("BODY \"part one\"", "6"),
        ("TEXT alpha", "1"),
        ("BODY alpha", ""),
        ("TEXT anna", "1 2 3 4 5 6"),
        ("NOT BODY body", "3 4 5 6"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// RFC 3501 §6.4.8: "the numbers returned in a SEARCH response for a UID SEARCH command are unique identifiers
/// instead of message sequence numbers". "The interpretation of the arguments is the same as with SEARCH".
#[test]
fn uid_search_gives_uids() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4"], "OK");
    c.check("UID SEARCH ALL", &["* SEARCH 2 4 5 6"], "OK");
    c.check("UID SEARCH 1", &["* SEARCH 2"], "OK");
    c.check("UID SEARCH UID 4:5", &["* SEARCH 4 5"], "OK");
}

#[test]
fn an_empty_mailbox_and_files_that_are_no_mail() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check("SEARCH ALL", &["* SEARCH"], "OK");
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "1.empty:2,", b"");
    maildir.place(
        "INBOX",
        "cur",
        "2.junk:2,",
        b"\xff\xfe\0\0 no header \n\n\xc3",
    );
    maildir.place("INBOX", "cur", "3.headless:2,", b"\nonly a body\n");
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.check("SEARCH BODY \"only a\"", &["* SEARCH 3"], "OK");
    c.check("SEARCH NOT TEXT zzz", &["* SEARCH 1 2 3"], "OK");
}

#[test]
fn numbers_that_no_message_has_match_nothing() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check("SEARCH *", &["* SEARCH"], "OK");
    c.check("SEARCH 1:*", &["* SEARCH"], "OK");
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    // IMAPClient's live tests search so.
    for (keys, found) in [
        ("5", ""),
        ("NOT DELETED SUBJECT SMALLER 5", ""),
        ("3,5", " 3"),
        ("2:9", " 2 3"),
        ("9:2", " 2 3"),
        // `4:3`, whose ends may be in either order.
        ("4:*", server.either(" 3", "")),
        ("NOT 5", " 1 2 3"),
        ("OR 7 1", " 1"),
    ] {
        c.check(
            &format!("SEARCH {keys}"),
            &[&format!("* SEARCH{found}")],
            "OK",
        );
        c.check(
            &format!("UID SEARCH {keys}"),
            &[&format!("* SEARCH{found}")],
            "OK",
        );
    }
}

#[test]
fn states() {
    let server = Server::start();
    super::selected::only_where_selected(&server, "SEARCH ALL");
}
