//! Encoded words in header fields (RFC 2047, RFC 2231 §5) → text, with what mailers get wrong: words in
//! quoted strings or in the middle of others, blanks in them, characters cut in two between them.

use memchr::{memchr_iter, memmem};

use crate::message::charset::Charset;
use crate::message::header::compressed;
use crate::message::lexer::is_space;
use crate::message::transfer::{Base64, QuotedPrintable};

/// The longest charset name.
const CHARSET_MAX: usize = 64;

/// A header field's body as a person reads it: unfolded, encoded words decoded and joined, raw 8-bit
/// text taken as UTF-8 where valid.
pub fn header_text(raw: &[u8]) -> String {
    Reader::read(&compressed(raw)).text
}

/// The same where every octet is of the charset that it is said to be in, and that is known; UTF-8, where none is
/// named. If not, the octets themselves, without folds and encodings: what is then compared (RFC 5255 §4.6).
pub fn collated_text(raw: &[u8]) -> Result<String, Vec<u8>> {
    let body = compressed(raw);
    let read = Reader::read(&body);
    match read.sound {
        true => Ok(read.text),
        false => Err(read.octets),
    }
}

/// A field's body, read from its beginning on.
struct Reader<'a> {
    text: String,
    /// What the text was decoded from.
    octets: Vec<u8>,
    /// Every octet is of its charset, and that is known.
    sound: bool,
    /// What was read last, if that were encoded words: the next may go on with their characters.
    open: Option<Open<'a>>,
}

impl<'a> Reader<'a> {
    fn read(body: &'a [u8]) -> Reader<'a> {
        let mut reader = Reader {
            text: String::with_capacity(body.len()),
            octets: Vec::new(),
            sound: true,
            open: None,
        };
        let mut rest = body;
        while let Some(at) = memmem::find(rest, b"=?") {
            let (before, from) = rest.split_at_checked(at).unwrap_or_default();
            let Some((word, after)) = Word::parse(from) else {
                let (text, after) = rest.split_at_checked(at + 2).unwrap_or_default();
                reader.plain(text);
                rest = after;
                continue;
            };
            // White space between two encoded words is not shown (RFC 2047 §6.2).
            if reader.open.is_none() || !before.iter().copied().all(is_space) {
                reader.plain(before);
            }
            reader.word(word);
            rest = after;
        }
        reader.plain(rest);
        reader
    }

    /// Takes what is not in encoded words.
    fn plain(&mut self, octets: &[u8]) {
        self.close();
        let mut charset = Charset::default();
        charset.push(octets, &mut self.text);
        charset.finish(&mut self.text);
        self.sound &= charset.is_sound();
        self.octets.extend_from_slice(octets);
    }

    /// Takes an encoded word. "Each 'encoded-word' MUST represent an integral number of characters" (RFC 2047 §5);
    /// where one does not, and the next is alike, that one goes on with the character.
    fn word(&mut self, word: Word<'a>) {
        if let Some(open) = self.open.as_mut().filter(|open| open.word.is_like(&word)) {
            open.charset.next_text();
        } else {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| Open::new(word));
        let begin = self.octets.len();
        word.decode(&mut self.octets);
        let octets = self.octets.get(begin..).unwrap_or_default();
        open.charset.push(octets, &mut self.text);
        // ASCII is the same in those that are not known.
        self.sound &= open.is_known || octets.is_ascii();
    }

    /// Ends the characters of the last word.
    fn close(&mut self) {
        if let Some(Open { mut charset, .. }) = self.open.take() {
            charset.finish(&mut self.text);
            self.sound &= charset.is_sound();
        }
    }
}

/// Encoded words of one charset and encoding, one behind the other.
struct Open<'a> {
    /// The first.
    word: Word<'a>,
    charset: Charset,
    /// Whether the charset is what it is named.
    is_known: bool,
}

impl<'a> Open<'a> {
    fn new(word: Word<'a>) -> Open<'a> {
        let charset = Charset::named(word.charset);
        Open {
            word,
            is_known: charset.is_some(),
            charset: charset.unwrap_or_default(),
        }
    }
}

/// `=?charset?encoding?text?=`
#[derive(Clone, Copy)]
struct Word<'a> {
    /// Without the language that may follow it (RFC 2231 §5).
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

impl<'a> Word<'a> {
    /// Reads the word that the text begins with, and gives what follows.
    fn parse(from: &'a [u8]) -> Option<(Word<'a>, &'a [u8])> {
        let from = from.strip_prefix(b"=?")?;
        let mark = from
            .iter()
            .take(CHARSET_MAX)
            .position(|byte| *byte == b'?')?;
        let (charset, from) = from.split_at_checked(mark)?;
        let charset = charset.split(|byte| *byte == b'*').next()?;
        if charset.is_empty() || charset.iter().copied().any(is_space) {
            return None;
        }
        let (base64, from) = match from {
            [b'?', b'b' | b'B', b'?', from @ ..] => (true, from),
            [b'?', b'q' | b'Q', b'?', from @ ..] => (false, from),
            _ => return None,
        };
        // A mark in the text stands for itself, as some write it; but not one that begins another word.
        let length = memchr_iter(b'?', from).find(|at| {
            let (before, mark) = from.split_at_checked(*at).unwrap_or_default();
            mark.starts_with(b"?=") || before.ends_with(b"=")
        })?;
        let (text, rest) = from.split_at_checked(length)?;
        let rest = rest.strip_prefix(b"?=")?;
        let word = Word {
            charset,
            base64,
            text,
        };
        Some((word, rest))
    }

    /// Whether the octets of the two words may share a character.
    fn is_like(&self, next: &Word<'_>) -> bool {
        self.base64 == next.base64 && self.charset.eq_ignore_ascii_case(next.charset)
    }

    fn decode(&self, octets: &mut Vec<u8>) {
        if self.base64 {
            let mut base64 = Base64::default();
            base64.push(self.text, octets);
            base64.finish(octets);
        } else {
            let text: Vec<u8> = self
                .text
                .iter()
                .map(|byte| if *byte == b'_' { b' ' } else { *byte })
                .collect();
            let mut quoted = QuotedPrintable::default();
            quoted.push(&text, octets);
            quoted.finish(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let table: &[(&[u8], &str)] = &[
            (b" plain\r\n text \r\n", "plain text"),
            // RFC 2047 §8.
            (b"=?ISO-8859-1?Q?a?=", "a"),
            (b"=?ISO-8859-1?Q?a?= b", "a b"),
            (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            (b"=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
            (b"=?ISO-8859-1?Q?a_b?=", "a b"),
            (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            (b"=?utf-8?b?w5Y=?= <o@x>", "Ö <o@x>"),
            // RFC 2231 §5.
            (b"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
            // A character in two words.
            (b"=?utf-8?q?=C3?= =?UTF-8?q?=A9?=", "é"),
            (b"=?utf-8?b?4g==?= =?utf-8?b?gqw=?=", "€"),
            (
                b"=?ISO-2022-JP?B?GyRCJDMbKEI=?= =?iso-2022-jp?B?GyRCJHMbKEI=?=",
                "こん",
            ),
            (
                b"=?iso-2022-jp?b?GyRCJDM=?= =?iso-2022-jp?b?JHMbKEI=?=",
                "こん",
            ),
            (
                b"=?iso-2022-jp?B?GyRCMnE1RCROGyhC?=\n =?iso-2022-jp?B?GyRCSnM5cBsoQg==?=",
                "会議の報告",
            ),
            // Each word begins as if it were alone, if the last has not ended inside a character.
            (b"=?utf-7?q?+AGE?= =?utf-7?q?+AGI-?=", "ab"),
            (b"=?utf-7?q?+AGE?= =?utf-7?q?bc?=", "abc"),
            (b"=?utf-7?q?+2D3?= =?utf-7?q?eAA-?=", "😀"),
            (b"=?utf-7?q?+?= =?utf-7?q?AGE-?=", "a"),
            (b"=?utf-16?b?/v8AYQBi?= =?utf-16?b?/v8AYwBk?=", "abcd"),
            (b"=?utf-16?b?AGEAYg==?= =?utf-16?b?/v8AYwBk?=", "abcd"),
            (b"=?utf-16?b?/v8AYQBi?= =?utf-16?b?//5jAGQA?=", "abcd"),
            (b"=?utf-16?b?/v8AYQBi?= =?utf-16?b?AGMAZA==?=", "abcd"),
            (b"=?utf-16?b?/v8AYQA=?= =?utf-16?b?Yg==?=", "ab"),
            // What should not be, and is.
            (b"\"=?utf-8?q?caf=C3=A9?=\"", "\"café\""),
            (b"x=?utf-8?q?=C3=A9?=y", "xéy"),
            (b"=?utf-8?q?a b?=", "a b"),
            (b"=?utf-8?q?a?b?=", "a?b"),
            (b"=?utf-8?q??=z", "z"),
            (b"=?x-none?q?=E9?=", "é"),
            (b"=?utf-8?b?w6k?=", "é"),
            (b"=?utf-8?q?=C3?=", "Ã"),
            // Not encoded words.
            (b"=?utf-8?q?open", "=?utf-8?q?open"),
            (b"=?utf-8?q?a =?utf-8?q?b=C3=A9?=", "=?utf-8?q?a b\u{e9}"),
            (
                b"=?utf-8?b?w6k=\r\n =?utf-8?b?w6k=?=",
                "=?utf-8?b?w6k= \u{e9}",
            ),
            (b"=?utf-8?q?open=?utf-8?q?b?=", "=?utf-8?q?openb"),
            (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
            (b"=? =?utf-8?q?a?= ?=", "=? a ?="),
            (b"=??q?a?=", "=??q?a?="),
            (b"caf\xe9 caf\xc3\xa9", "café café"),
            (b"caf\xc3 =?utf-8?q?a?=", "cafÃ a"),
        ];
        for (raw, expected) in table {
            assert_eq!(header_text(raw), *expected, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn what_cannot_be_converted_stays_octets() {
        type Expected = Result<&'static str, &'static [u8]>;
        let table: &[(&[u8], Expected)] = &[
            (b" caf\xc3\xa9 =?iso-8859-1?q?=E9?=", Ok("caf\u{e9} \u{e9}")),
            (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", Ok("\u{e9}")),
            (b"=?x-none?q?ascii?=", Ok("ascii")),
            (b"=?us-ascii?q?=C3=A9?=", Ok("\u{e9}")),
            (b"a =?x-none?q?=E9_b?=\r\n c", Err(b"a \xe9 b c")),
            (b"caf\xe9 =?utf-8?q?=C3=A9?=", Err(b"caf\xe9 \xc3\xa9")),
            (b"=?utf-8?b?wMA=?= =?utf-8?q?x?=", Err(b"\xc0\xc0x")),
            (b"=?euc-jp?q?a=A4?=", Err(b"a\xa4")),
            (b"=?utf-7?q?+2D0-?=", Err(b"+2D0-")),
            (b"=?utf-16?b?/v8AYQA=?=", Err(b"\xfe\xff\0a\0")),
            // Not what a decoder has put for something else.
            (b"\xef\xbf\xbdzz", Ok("\u{fffd}zz")),
            (b"=?utf-7?q?+//0-?=", Ok("\u{fffd}")),
            (b"=?iso-2022-jp?q?=1B$B$3=1B(B=1B$B$s=1B(B?=", Ok("こん")),
        ];
        for (raw, expected) in table {
            let found = collated_text(raw);
            let found = found.as_deref().map_err(Vec::as_slice);
            assert_eq!(found, *expected, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn hostile_headers_cost_linear_time() {
        for text in [
            "=?",
            "=?a?q?",
            "=?a?q??=",
            "=?a?q??",
            "=?a=?q?q?",
            "=?a?b?=",
            "?=",
            "?",
            "=?utf-8?q?a?= ",
        ] {
            let body = ["=?a?q?", &text.repeat(200_000), "?="].concat();
            header_text(body.as_bytes());
        }
    }
}
