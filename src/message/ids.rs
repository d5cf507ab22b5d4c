//! Message-IDs in Message-ID, References and In-Reply-To (RFC 5322 §3.6.4), in one spelling each: what may be
//! quoted or not is the same (RFC 5256 §3).

use std::io;

use crate::message::Source;
use crate::message::header::{HEADER_MAX, Header};
use crate::message::lexer::Cursor;

/// Ids kept of one field.
const IDS_MAX: usize = 10_000;

/// The ids in a field's body, without angle brackets, quotes and comments, in their order. What is no id is passed
/// over.
pub fn message_ids(body: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    let mut ids = Vec::new();
    while ids.len() < IDS_MAX {
        cursor.skip_cfws();
        match cursor.peek() {
            None => break,
            Some(b'<') => {
                cursor.bump();
                ids.extend(id(&mut cursor));
            }
            Some(b'"') if cursor.quoted_string().is_some() => {}
            Some(_) => drop(cursor.bump()),
        }
    }
    ids
}

/// The id of the message that a thread began with, as far as a message's own header tells: the first in References, else
/// the first in In-Reply-To, else its own. References is cut in the midst where it grows too long, and its first id stays
/// (RFC 5537 §3.4.4).
pub fn thread_root<S: Source + ?Sized>(source: &S) -> io::Result<Option<Vec<u8>>> {
    const FIELDS: [&[u8]; 3] = [b"References", b"In-Reply-To", b"Message-ID"];
    let is_wanted = |name: &[u8]| FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    let header = Header::read(source, 0..source.len()?, HEADER_MAX, is_wanted)?;
    let first = |name: &&[u8]| message_ids(header.first(name)?).into_iter().next();
    Ok(FIELDS.iter().find_map(first))
}

/// What stands up to the closing bracket, if it has a left and a right side.
fn id(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let mut id = Vec::new();
    loop {
        cursor.skip_cfws();
        match cursor.peek()? {
            b'>' => break,
            b'<' => return None, // the next one may be whole
            b'"' => match cursor.quoted_string() {
                Some(text) => id.extend(text),
                None => id.extend(cursor.bump()),
            },
            _ => id.extend(cursor.bump()),
        }
    }
    cursor.bump();
    let at = id.iter().rposition(|byte| *byte == b'@')?;
    (at > 0 && at + 1 < id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Vec<String> {
        let ids = message_ids(body.as_bytes()).into_iter();
        ids.map(|id| String::from_utf8(id).unwrap()).collect()
    }

    #[test]
    fn one_spelling_for_each() {
        let table: [(&str, &[&str]); 14] = [
            ("", &[]),
            ("<a@b>", &["a@b"]),
            (" <a@b>\r\n\t<c@d> ", &["a@b", "c@d"]),
            ("<a@b><c@d>", &["a@b", "c@d"]),
            ("<\"a\"@b>", &["a@b"]),
            ("<\"a b\"@c>", &["a b@c"]),
            ("<\"a\\\"b\".c@d>", &["a\"b.c@d"]),
            ("< a (x) @ b >", &["a@b"]),
            ("Your message of Monday <a@b> (I think)", &["a@b"]),
            ("\"<no@id>\" <a@b>", &["a@b"]),
            ("<a> <@b> <a@> <> <c@d>", &["c@d"]),
            ("<a@b <c@d>", &["c@d"]),
            ("<a@b", &[]),
            ("<a@b@c>", &["a@b@c"]),
        ];
        for (body, expected) in table {
            assert_eq!(ids(body), expected, "{body}");
        }
    }

    #[test]
    fn they_are_bounded_and_read_in_linear_time() {
        assert_eq!(message_ids(&b"<a@b>".repeat(20_000)).len(), IDS_MAX);
        for bomb in ["<", "\"", "(", "<\"", "<a@", ">", "<a"] {
            assert!(ids(&bomb.repeat(200_000)).is_empty(), "{bomb}");
        }
    }

    #[test]
    fn the_first_message_of_a_thread() {
        let root = |header: &str| {
            let root = thread_root(format!("{header}\r\n<no@header>").as_bytes()).unwrap();
            root.map(|id| String::from_utf8(id).unwrap())
        };
        for (header, expected) in [
            ("Message-ID: <1@x>\r\n", Some("1@x")),
            (
                "message-id: <2@x>\r\nReferences:\r\n <1@x> <3@x>\r\n",
                Some("1@x"),
            ),
            (
                "Message-ID: <2@x>\r\nReferences: \r\nIn-Reply-To: <1@x>\r\n",
                Some("1@x"),
            ),
            (
                "References: (none) x\r\nIn-Reply-To: your mail\r\nMessage-ID: <1@x>\r\n",
                Some("1@x"),
            ),
            ("Subject: <1@x>\r\n", None),
            ("", None),
        ] {
            assert_eq!(root(header).as_deref(), expected, "{header}");
        }
    }
}
