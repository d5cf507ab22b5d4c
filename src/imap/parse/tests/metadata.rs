//! GETMETADATA and SETMETADATA (RFC 5464 §4 and §5), and LIST's METADATA (RFC 9590).

use super::*;
use crate::imap::command::ReturnOption;
use crate::imap::metadata::{Depth, EntryName};

fn entries(names: &[&str]) -> Vec<EntryName> {
    let entry = |name: &&str| EntryName::new(name.as_bytes()).unwrap();
    names.iter().map(entry).collect()
}

fn get(mailbox: &str, names: &[&str], depth: Depth, max_size: Option<u64>) -> CommandBody {
    CommandBody::GetMetadata {
        mailbox: mailbox.into(),
        entries: entries(names),
        depth,
        max_size,
    }
}

#[test]
fn what_is_asked_for() {
    use Depth::{Infinity, One, Zero};
    let both = &["/shared/comment", "/private/comment"][..];
    for (text, value) in [
        (
            "GETMETADATA \"\" /shared/comment",
            get("", &["/shared/comment"], Zero, None),
        ),
        (
            "getmetadata \"INBOX\" (/shared/comment /private/comment)",
            get("INBOX", both, Zero, None),
        ),
        // §4.4.1.
        (
            "GETMETADATA \"INBOX\" /shared/comment \"/private/comment\"",
            get("INBOX", both, Zero, None),
        ),
        // §4.2.1 and §4.2.2.
        (
            "GETMETADATA \"INBOX\" (MAXSIZE 1024) (/shared/comment /private/comment)",
            get("INBOX", both, Zero, Some(1024)),
        ),
        (
            "GETMETADATA \"INBOX\" (DEPTH 1) (/private/filters/values)",
            get("INBOX", &["/private/filters/values"], One, None),
        ),
        // §5.
        (
            "GETMETADATA (MAXSIZE 0 depth Infinity) INBOX /private",
            get("INBOX", &["/private"], Infinity, Some(0)),
        ),
        (
            "GETMETADATA (DEPTH 1 MAXSIZE 9223372036854775807 DEPTH 0) x {8}\r\n/private",
            get("x", &["/private"], Zero, Some(i64::MAX as u64)),
        ),
        (
            "GETMETADATA INBOX ({8+}\r\n/private)",
            get("INBOX", &["/private"], Zero, None),
        ),
    ] {
        assert_eq!(body(text), value, "{text}");
    }
}

#[test]
fn what_is_set() {
    for (text, mailbox, values) in [
        (
            "SETMETADATA INBOX (/private/comment {4}\r\na\r\nb)",
            "INBOX",
            vec![("/private/comment", Some(&b"a\r\nb"[..]))],
        ),
        (
            "setmetadata INBOX (/private/comment NIL)",
            "INBOX",
            vec![("/private/comment", None)],
        ),
        (
            "SETMETADATA \"\" (/private/comment \"new\" /shared/comment \"\")",
            "",
            vec![
                ("/private/comment", Some(b"new")),
                ("/shared/comment", Some(b"")),
            ],
        ),
        (
            "SETMETADATA x (/shared/vendor/a/b ~{3+}\r\n\0\r\n {16}\r\n/private/comment nil)",
            "x",
            vec![
                ("/shared/vendor/a/b", Some(b"\0\r\n")),
                ("/private/comment", None),
            ],
        ),
    ] {
        let value = |(name, value): &(&str, Option<&[u8]>)| {
            (entries(&[name]).remove(0), value.map(<[u8]>::to_vec))
        };
        let expected = CommandBody::SetMetadata {
            mailbox: mailbox.into(),
            values: values.iter().map(value).collect(),
        };
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn what_list_is_to_say() {
    let list =
        body("LIST \"\" % RETURN (METADATA (/shared/vendor/x/color /private/comment) SUBSCRIBED)");
    let CommandBody::List(list) = list else {
        panic!("{list:?}");
    };
    let names = entries(&["/shared/vendor/x/color", "/private/comment"]);
    assert_eq!(
        list.extended.unwrap().returns,
        [ReturnOption::Metadata(names), ReturnOption::Subscribed]
    );
}

#[test]
fn what_is_none() {
    for (text, expected) in [
        ("GETMETADATA", "Expected a space (octet 14)"),
        ("GETMETADATA \"\"", "Expected a space (octet 17)"),
        ("GETMETADATA \"\" ", "Expected an entry (octet 18)"),
        ("GETMETADATA \"\" ()", "Expected an entry (octet 19)"),
        ("GETMETADATA \"\" comment", "Not the name of an entry"),
        ("GETMETADATA \"\" /shared/", "Not the name of an entry"),
        ("GETMETADATA \"\" /shared//x", "Not the name of an entry"),
        ("GETMETADATA \"\" \"/shared/*\"", "Not the name of an entry"),
        ("GETMETADATA \"\" \"/shared/%\"", "Not the name of an entry"),
        (
            "GETMETADATA \"\" {8}\r\n/shared\n",
            "Not the name of an entry",
        ),
        ("GETMETADATA \"\" /comment", "Not the name of an entry"),
        (
            "GETMETADATA (DEPTH 2) \"\" /shared",
            "Expected 0, 1 or infinity (octet 22)",
        ),
        (
            "GETMETADATA (DEPTH) \"\" /shared",
            "Expected a space (octet 21)",
        ),
        (
            "GETMETADATA (MAXSIZE -1) \"\" /shared",
            "Expected a number (octet 24)",
        ),
        (
            "GETMETADATA (SIZE 1) \"\" /shared",
            "Unknown GETMETADATA option",
        ),
        (
            "GETMETADATA () \"\" /shared",
            "Expected MAXSIZE or DEPTH (octet 16)",
        ),
        (
            "GETMETADATA (DEPTH 1) \"\" (DEPTH 1) /shared",
            "Not the name of an entry",
        ),
        ("GETMETADATA \"\" (DEPTH 1)", "Expected a space (octet 27)"),
        (
            "GETMETADATA \"\" (/shared) /shared",
            "Expected the command's end (octet 27)",
        ),
        ("SETMETADATA \"\"", "Expected a space (octet 17)"),
        (
            "SETMETADATA \"\" /shared/comment x",
            "Expected ( (octet 18)",
        ),
        ("SETMETADATA \"\" ()", "Expected an entry (octet 19)"),
        (
            "SETMETADATA \"\" (/shared/comment)",
            "Expected a space (octet 34)",
        ),
        (
            "SETMETADATA \"\" (/shared/comment x)",
            "Expected a string or NIL (octet 35)",
        ),
        (
            "SETMETADATA \"\" (/shared/comment ~\"x\")",
            "Expected { (octet 36)",
        ),
        (
            "SETMETADATA \"\" (/shared/comment {1}\r\n\0)",
            "Expected no NUL (octet 40)",
        ),
        (
            "SETMETADATA \"\" (/shared \"x\")",
            "Not the name of an entry with a value",
        ),
        (
            "SETMETADATA \"\" (/shared/vendor/x \"x\")",
            "Not the name of an entry with a value",
        ),
        (
            "LIST \"\" % RETURN (METADATA)",
            "Expected a space (octet 29)",
        ),
        (
            "LIST \"\" % RETURN (METADATA ())",
            "Expected an entry (octet 31)",
        ),
        (
            "LIST \"\" % RETURN (METADATA /shared/x)",
            "Expected ( (octet 30)",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    let long = format!("GETMETADATA \"\" /shared/{}", "x".repeat(1020));
    assert_eq!(error(long), "An entry's name has 1024 octets at the most");
}
