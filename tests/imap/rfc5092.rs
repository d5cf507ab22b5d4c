//! IMAP URLs (RFC 5092) as CATENATE takes them. Ranges in them: `rfc5550`.

use super::rfc4469::{ORIGINAL, drafts, literal, nothing_left, octets};
use crate::harness::{Client, Server, message};

/// What an APPEND to INBOX of one URL makes.
#[track_caller]
pub fn made(c: &mut Client, url: &str) -> String {
    let reply = c.run(&format!(
        "APPEND Made CATENATE (URL \"{url}\" TEXT {})",
        literal(".")
    ));
    let code = reply.tagged.strip_prefix("OK [APPENDUID ");
    let code = code.unwrap_or_else(|| panic!("{url} → {reply:?}"));
    let uid = code.split([' ', ']']).nth(1).unwrap();
    c.ok("EXAMINE Made");
    let mut text = octets(c, uid.parse().unwrap(), "");
    assert_eq!(text.pop(), Some('.'));
    text
}

/// §6: "the URL refers to the object returned by a "UID FETCH <uid> BODY.PEEK[<section>]" command." "Note that unsafe
/// characters in [isection] MUST be percent-encoded".
#[test]
fn sections() {
    let server = Server::start();
    let (mut c, validity) = drafts(&server);
    c.ok("CREATE Made");
    for (url, section) in [
        ("", ""),
        ("/;SECTION=HEADER", "HEADER"),
        ("/;section=TEXT", "TEXT"),
        ("/;Section=1", "1"),
        ("/;SECTION=1.MIME", "1.MIME"),
        ("/;SECTION=2.mime", "2.MIME"),
        (
            "/;SECTION=HEADER.FIELDS%20(From%20SUBJECT)",
            "HEADER.FIELDS (From SUBJECT)",
        ),
        (
            "/;SECTION=header.fields.not%20(From)",
            "HEADER.FIELDS.NOT (From)",
        ),
        ("/;SECTION=%31", "1"),
    ] {
        c.ok("EXAMINE Drafts");
        let expected = octets(&mut c, 1, section);
        let url = format!("/Drafts;UIDVALIDITY={validity}/;UID=1{url}");
        assert_eq!(made(&mut c, &url), expected, "{url}");
    }
}

/// RFC 4469 §3: "The base URL for evaluating the relative URL is considered "imap://user@server/" […]. When in the
/// selected state, the base URL is considered "imap://user@server/mailbox"". RFC 5092 §9.1: "The following
/// relative-path reference <;UID=20> references a message with UID in the mailbox specified by the Base URI."
#[test]
fn of_the_selected_mailbox() {
    let server = Server::start();
    let (mut c, _) = drafts(&server);
    c.ok("CREATE Made");
    c.ok("SELECT Drafts");
    assert_eq!(made(&mut c, ";UID=1"), ORIGINAL);
    c.ok("SELECT Drafts");
    assert_eq!(made(&mut c, ";UID=1/;SECTION=2/;PARTIAL=0.4"), "UEsD");
    c.ok("UNSELECT");
    let outcome = c.outcome("APPEND Made CATENATE (URL \";UID=1\")");
    assert_eq!(outcome, "NO [BADURL ;UID=1]");
    nothing_left(&server, "Made", 2);
}

/// §8: "IMAP's modified UTF-7 encoding for mailboxes MUST be converted to UTF-8. Since 8-bit octets are not permitted in
/// URLs, the UTF-8 octets are percent-encoded".
#[test]
fn names_are_utf8() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Made");
    for (wire, url) in [
        ("Entw&APw-rfe", "Entw%C3%BCrfe"),
        ("\"gray council\"", "gray%20council"),
        ("R&-D", "R&D"),
        ("R&-E", "R%26E"),
        ("x;y", "x%3By"),
    ] {
        c.ok(&format!("CREATE {wire}"));
        c.append(wire, "", &message("one"));
        assert_eq!(
            made(&mut c, &format!("/{url}/;UID=1")),
            message("one"),
            "{url}"
        );
    }
    assert_eq!(made(&mut c, "/R&D/./../R&D/;UID=1"), message("one"));
    c.append("INBOX", "", &message("one"));
    assert_eq!(made(&mut c, "/inbox/;UID=1"), message("one"));
    for url in [
        "/Entw&APw-rfe/;UID=1",
        "/R&-D/;UID=1",
        "/gray+council/;UID=1",
    ] {
        let outcome = c.outcome(&format!("APPEND Made CATENATE (URL \"{url}\")"));
        assert_eq!(outcome, format!("NO [BADURL {url}]"));
    }
}

/// RFC 4469 §4.1: "Possible reasons for this are bad URL syntax, unrecognized URL schema, invalid message UID, or invalid
/// body part." RFC 5092 §5: of a UIDVALIDITY that is not that of the mailbox, "the program should behave as if the
/// corresponding mailbox doesn't exist."
#[test]
fn what_names_nothing() {
    let server = Server::start();
    let (mut c, validity) = drafts(&server);
    c.ok("CREATE Made");
    c.ok("CREATE empty.child");
    for url in [
        "/Drafts/;UID=3",
        "/Drafts/;UID=0",
        "/Drafts/;UID=x",
        "/Drafts/;UID=1:2",
        "/Drafts/;UID=1/;SECTION=3",
        "/Drafts/;UID=1/;SECTION=1.1.1",
        "/Drafts/;UID=1/;SECTION=1.HEADER",
        "/Drafts/;UID=1/;SECTION=MIME",
        "/Drafts/;UID=1/;SECTION=x",
        "/Drafts/;UID=1/;PARTIAL=x",
        "/Drafts/;UID=1/;EXPIRE=2030-01-01T00:00:00Z",
        "/Drafts/;UID=1;URLAUTH=anonymous:internal:91354a473744909de610943775f92038",
        "/nosuch/;UID=1",
        "/empty/;UID=1",
        "/../../etc/passwd/;UID=1",
        "/%2E%2E/;UID=1",
        "/%00/;UID=1",
        "/%FF/;UID=1",
        "/Drafts",
        "/",
        "",
        "Drafts",
        // RFC 4469 §3: "a server implementing only this specification would return NO to such a request."
        "imap://example.org/Drafts/;UID=1",
        "imap://u@localhost/Drafts/;UID=1",
        "//u@localhost/Drafts/;UID=1",
        "http://example.org/",
        "ftp:x",
    ] {
        if server.either(false, url == "/%FF/;UID=1") {
            continue; // Dovecot's process dies of it.
        }
        let command = format!("APPEND Made CATENATE (URL \"{url}\" TEXT {})", literal("x"));
        let outcome = c.outcome(&command);
        // Dovecot takes a part that is not there for an empty one.
        let lenient = server.either(false, url.contains("SECTION"));
        assert!(
            outcome.starts_with(server.either("NO [BADURL", "NO")) || lenient,
            "{url} → {outcome}"
        );
    }
    let stale = format!("/Drafts;UIDVALIDITY={}/;UID=1", validity + 1);
    let outcome = c.outcome(&format!("APPEND Made CATENATE (URL \"{stale}\")"));
    assert_eq!(outcome, format!("NO [BADURL {stale}]"));
    // What no response code can hold comes back encoded.
    if server.either(true, false) {
        for (url, told) in [
            ("\"/a]b\"", "/a%5Db"),
            ("\"/a b\\\"\"", "/a%20b\""),
            ("{4}\r\n/a\r\n", "/a%0D%0A"),
            ("\"/\u{fc}\"", "/%C3%BC"),
        ] {
            let outcome = c.outcome(&format!("APPEND Made CATENATE (URL {url})"));
            assert_eq!(outcome, format!("NO [BADURL {told}]"));
        }
    }
    if server.either(true, false) {
        nothing_left(&server, "Made", 0);
    }
}
