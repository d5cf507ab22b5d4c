//! Strings, numbers and lists of them as the wire has them.

use std::io::Write;

use crate::imap::core::is_astring_char;
use crate::imap::flag::{Keyword, SystemFlags};

/// Longest string that goes between quotes, in octets; longer ones become literals.
const LONGEST_QUOTED: usize = 1000;
/// Stands for NUL, which no string may hold, as in Dovecot. It is no character in ASCII or UTF-8.
const FOR_NUL: u8 = 0x80;

/// `string`: between quotes if it is short, 7-bit and on one line, else a literal.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    let fits = text.len() <= LONGEST_QUOTED
        && text
            .iter()
            .all(|byte| byte.is_ascii() && !matches!(byte, 0 | b'\r' | b'\n'));
    if fits {
        quoted(out, text);
    } else {
        literal_header(out, text.len() as u64);
        out.extend(text.iter().map(|byte| match byte {
            0 => FOR_NUL,
            byte => *byte,
        }));
    }
}

/// `nstring`: NIL for `None`.
pub fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, text),
        None => nil(out),
    }
}

/// `nstring / literal8`: the latter for octets that are not text (RFC 5464 §5).
pub fn nstring_or_literal8(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) if value.contains(&0) => {
            literal8_header(out, value.len() as u64);
            out.extend_from_slice(value);
        }
        value => nstring(out, value),
    }
}

/// `astring`: bare where it can be. `NIL` is quoted, lest a client take it for nothing.
pub fn astring(out: &mut Vec<u8>, text: &[u8]) {
    let bare = !text.is_empty()
        && text.len() <= LONGEST_QUOTED
        && text.iter().all(|byte| is_astring_char(*byte))
        && !text.eq_ignore_ascii_case(b"NIL");
    if bare {
        out.extend_from_slice(text);
    } else {
        string(out, text);
    }
}

/// `quoted`, of text that may stand there.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// `{n}` CRLF; the caller adds exactly n octets.
pub fn literal_header(out: &mut Vec<u8>, octets: u64) {
    out.push(b'{');
    number(out, octets);
    out.extend_from_slice(b"}\r\n");
}

/// `~{n}` CRLF, for octets that may be NUL (RFC 3516 §7); the caller adds exactly n of them.
pub fn literal8_header(out: &mut Vec<u8>, octets: u64) {
    out.push(b'~');
    literal_header(out, octets);
}

/// `NIL`
pub fn nil(out: &mut Vec<u8>) {
    out.extend_from_slice(b"NIL");
}

/// `number`
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    // Writing to a Vec does not fail.
    let _ = write!(out, "{number}");
}

/// Words with a space between.
pub(super) fn words<W: AsRef<[u8]>>(out: &mut Vec<u8>, words: impl IntoIterator<Item = W>) {
    for (at, word) in words.into_iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_ref());
    }
}

/// `flag-list`: system flags, then `\Recent`, then keywords, as Dovecot orders them, and `\*` last.
pub(super) fn flag_list<'k>(
    out: &mut Vec<u8>,
    flags: SystemFlags,
    recent: bool,
    keywords: impl IntoIterator<Item = &'k Keyword>,
    any: bool,
) {
    let system = flags.iter().map(|flag| flag.as_str());
    let recent = recent.then_some("\\Recent");
    let keywords = keywords.into_iter().map(Keyword::as_str);
    let any = any.then_some("\\*");
    out.push(b'(');
    words(out, system.chain(recent).chain(keywords).chain(any));
    out.push(b')');
}

/// `sequence-set` or `uid-set` of ranges whose lower end comes first. Nothing where there are none.
pub(super) fn number_ranges(out: &mut Vec<u8>, ranges: &[(u32, u32)]) {
    for (at, &(from, to)) in ranges.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        number(out, u64::from(from));
        if from < to {
            out.push(b':');
            number(out, u64::from(to));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::sequence::NumberSet;

    fn written(write: impl Fn(&mut Vec<u8>, &[u8]), text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, text);
        out
    }

    #[test]
    fn strings() {
        for (text, wire) in [
            (&b""[..], &b"\"\""[..]),
            (b"a b", b"\"a b\""),
            (b"a\"b\\c", b"\"a\\\"b\\\\c\""),
            (b"a\tb", b"\"a\tb\""),
            (b"a\nb", b"{3}\r\na\nb"),
            (b"a\rb", b"{3}\r\na\rb"),
            (b"a\0b", b"{3}\r\na\x80b"),
            (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        ] {
            assert_eq!(written(string, text), wire);
        }
        let long = vec![b'x'; LONGEST_QUOTED + 1];
        assert!(written(string, &long).starts_with(b"{1001}\r\nxx"));
        assert!(written(astring, &long).starts_with(b"{1001}\r\nxx"));
        assert!(written(string, &long[1..]).starts_with(b"\"xx"));
    }

    #[test]
    fn astrings() {
        for (text, wire) in [
            (&b"INBOX"[..], &b"INBOX"[..]),
            (b"a]b&-", b"a]b&-"),
            (b"", b"\"\""),
            (b"sp ace", b"\"sp ace\""),
            (b"a*b", b"\"a*b\""),
            (b"nil", b"\"nil\""),
            (b"(x", b"\"(x\""),
        ] {
            assert_eq!(written(astring, text), wire);
        }
    }

    #[test]
    fn sets() {
        let set = |numbers: &[u32]| {
            let mut out = Vec::new();
            let set: NumberSet = numbers.iter().copied().collect();
            number_ranges(&mut out, set.ranges());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(set(&[1, 2, 3, 5, 7, 8]), "1:3,5,7:8");
        assert_eq!(set(&[u32::MAX]), "4294967295");
        assert_eq!(set(&[]), "");
    }
}
