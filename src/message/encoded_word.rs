//! Encoded words in header fields (RFC 2047, RFC 2231 §5) → text, with what mailers get wrong: words in
//! quoted strings or in the middle of others, blanks in them, characters cut in two between them.

use std::borrow::Cow;

use memchr::memmem;

use crate::message::charset::Charset;
use crate::message::header::compressed;
use crate::message::lexer::is_space;
use crate::message::transfer::{Base64, QuotedPrintable};

/// The longest charset name.
const CHARSET_MAX: usize = 64;

/// A header field's body as a person reads it: unfolded, encoded words decoded and joined, raw 8-bit
/// text taken as UTF-8 where valid.
pub fn header_text(raw: &[u8]) -> String {
    let body = compressed(raw);
    let mut out = String::with_capacity(body.len());
    each_stretch(&body, |stretch| stretch.read(&mut out));
    out
}

/// The same where every octet is of the charset that it is said to be in, and that is known; UTF-8, where none is
/// named. If not, the octets themselves, without folds and encodings: what is then compared (RFC 5255 §4.6).
pub fn collated_text(raw: &[u8]) -> Result<String, Vec<u8>> {
    let body = compressed(raw);
    let (mut text, mut octets, mut sound) = (String::new(), Vec::new(), true);
    each_stretch(&body, |stretch| {
        stretch.read(&mut text);
        sound &= stretch.is_sound();
        octets.extend_from_slice(&stretch.octets);
    });
    // What a decoder could not read it has put this for.
    match sound && !text.contains(char::REPLACEMENT_CHARACTER) {
        true => Ok(text),
        false => Err(octets),
    }
}

/// Octets of a field's body that belong together: encoded words of one charset and encoding, or what is none.
struct Stretch<'a> {
    /// `None` outside of encoded words.
    charset: Option<&'a [u8]>,
    octets: Cow<'a, [u8]>,
}

impl<'a> Stretch<'a> {
    fn plain(octets: &'a [u8]) -> Stretch<'a> {
        Stretch {
            charset: None,
            octets: octets.into(),
        }
    }

    fn read(&self, out: &mut String) {
        let mut charset = self.charset.and_then(Charset::named).unwrap_or_default();
        charset.push(&self.octets, out);
        charset.finish(out);
    }

    /// Whether the octets can be in its charset, as far as that is not for a decoder to say. ASCII is the same in
    /// those that are not known.
    fn is_sound(&self) -> bool {
        let known = self.charset.map(Charset::named);
        match known {
            Some(Some(Charset::Known(_) | Charset::Utf7(_))) => true,
            Some(Some(Charset::Mixed(_))) | None => std::str::from_utf8(&self.octets).is_ok(),
            Some(None) => self.octets.is_ascii(),
        }
    }
}

/// Takes a field's body apart.
fn each_stretch<'b>(body: &'b [u8], mut take: impl FnMut(Stretch<'b>)) {
    let mut rest = body;
    let mut last: Option<Run<'b>> = None;
    // Once no `?=` is found, none follows later: each is looked for once.
    let mut may_end = true;
    while let Some(at) = memmem::find(rest, b"=?").filter(|_| may_end) {
        let (before, from) = rest.split_at_checked(at).unwrap_or_default();
        let Some((word, after)) = Word::parse(from, &mut may_end) else {
            let (text, after) = rest.split_at_checked(at + 2).unwrap_or_default();
            last.take().into_iter().for_each(|run| take(run.stretch()));
            take(Stretch::plain(text));
            rest = after;
            continue;
        };
        // White space between two encoded words is not shown (RFC 2047 §6.2).
        if last.is_none() || !before.iter().copied().all(is_space) {
            last.take().into_iter().for_each(|run| take(run.stretch()));
            take(Stretch::plain(before));
        }
        match &mut last {
            Some(run) if run.word.continues(&word) => run.add(&word),
            _ => {
                last.take().into_iter().for_each(|run| take(run.stretch()));
                let mut octets = Vec::new();
                word.decode(&mut octets);
                last = Some(Run { word, octets });
            }
        }
        rest = after;
    }
    last.into_iter().for_each(|run| take(run.stretch()));
    take(Stretch::plain(rest));
}

/// Encoded words of one charset and encoding, whose octets belong together.
struct Run<'a> {
    word: Word<'a>,
    octets: Vec<u8>,
}

/// What ends a word of ISO-2022: it holds "control codes such that ASCII mode is again selected at the end of the
/// 'encoded-word'" (RFC 2047 §3).
const TO_ASCII: &[u8] = b"\x1b(B";

impl<'a> Run<'a> {
    /// Adds the next word. Where it leaves ASCII mode at once, the run need not return to it: a decoder takes two
    /// escape sequences in a row for a mistake.
    fn add(&mut self, next: &Word<'_>) {
        let end = self.octets.len();
        next.decode(&mut self.octets);
        let (before, after) = self.octets.split_at_checked(end).unwrap_or_default();
        let is_2022 = self
            .word
            .charset
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"iso-2022"));
        if is_2022 && before.ends_with(TO_ASCII) && after.starts_with(b"\x1b") {
            self.octets.drain(end - TO_ASCII.len()..end);
        }
    }

    fn stretch(self) -> Stretch<'a> {
        Stretch {
            charset: Some(self.word.charset),
            octets: self.octets.into(),
        }
    }
}

/// `=?charset?encoding?text?=`
struct Word<'a> {
    /// Without the language that may follow it (RFC 2231 §5).
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

impl<'a> Word<'a> {
    /// Reads the word that the text begins with, and gives what follows.
    fn parse(from: &'a [u8], may_end: &mut bool) -> Option<(Word<'a>, &'a [u8])> {
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
        let Some(length) = memmem::find(from, b"?=") else {
            *may_end = false;
            return None;
        };
        let (text, rest) = from.split_at_checked(length)?;
        let word = Word {
            charset,
            base64,
            text,
        };
        Some((word, rest.get(2..).unwrap_or_default()))
    }

    /// Whether the octets of the two words may share a character.
    fn continues(&self, next: &Word<'_>) -> bool {
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
            "=?a?b?=",
            "?=",
            "=?utf-8?q?a?= ",
        ] {
            header_text(text.repeat(200_000).as_bytes());
        }
    }
}
