//! Charsets → UTF-8 (RFC 2978 names them; encoding_rs knows what mailers meant), and UTF-7 (RFC 2152).

use encoding_rs::{Decoder, DecoderResult, Encoding, WINDOWS_1252};

/// A text's charset, decoding in pieces of any size.
pub enum Charset {
    /// UTF-8; each octet that is not valid as such is windows-1252. Also for US-ASCII and names not known,
    /// under which mailers send both.
    Mixed(Vec<u8>),
    /// One of encoding_rs.
    Known(Box<Decoder>),
    /// UTF-7
    Utf7(Utf7),
}

impl Default for Charset {
    fn default() -> Charset {
        Charset::Mixed(Vec::new())
    }
}

/// A string in a named charset (SEARCH CHARSET) as UTF-8. `None` if the charset is not known.
pub fn from_charset(charset: &[u8], bytes: &[u8]) -> Option<String> {
    let mut charset = Charset::named(charset)?;
    let mut out = String::new();
    charset.push(bytes, &mut out);
    charset.finish(&mut out);
    Some(out)
}

impl Charset {
    /// The charset of that name. `None` if there is none.
    pub fn named(name: &[u8]) -> Option<Charset> {
        let name = name.trim_ascii().to_ascii_lowercase();
        let label: &[u8] = match name.as_slice() {
            b"us-ascii" | b"ascii" | b"ansi_x3.4-1968" | b"iso646-us" | b"646" | b"utf-8"
            | b"utf8" => {
                return Some(Charset::default());
            }
            b"utf-7" | b"utf7" | b"unicode-1-1-utf-7" | b"x-unicode-2-0-utf-7" => {
                return Some(Charset::Utf7(Utf7::default()));
            }
            // Names of code pages that encoding_rs knows under others.
            b"cp932" | b"ms_kanji" => b"shift_jis",
            b"cp936" | b"ms936" => b"gbk",
            b"cp949" | b"ms949" | b"uhc" => b"euc-kr",
            b"cp950" | b"ms950" => b"big5",
            b"cp51932" => b"euc-jp",
            b"cp50220" | b"cp50221" | b"cp50222" | b"iso-2022-jp-ms" | b"iso-2022-jp-1"
            | b"iso-2022-jp-2" => b"iso-2022-jp",
            b"koi8" => b"koi8-r",
            other => other,
        };
        let encoding = Encoding::for_label_no_replacement(label)?;
        Some(Charset::Known(Box::new(
            encoding.new_decoder_with_bom_removal(),
        )))
    }

    /// Decodes a piece onto `out`.
    pub fn push(&mut self, input: &[u8], out: &mut String) {
        match self {
            Charset::Mixed(held) => mixed(held, input, false, out),
            Charset::Known(decoder) => known(decoder, input, false, out),
            Charset::Utf7(utf7) => utf7.push(input, out),
        }
    }

    /// What the last piece left undecided.
    pub fn finish(&mut self, out: &mut String) {
        match self {
            Charset::Mixed(held) => mixed(held, b"", true, out),
            Charset::Known(decoder) => known(decoder, b"", true, out),
            Charset::Utf7(utf7) => utf7.finish(out),
        }
    }
}

fn known(decoder: &mut Decoder, mut input: &[u8], last: bool, out: &mut String) {
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(input.len());
        out.reserve(room.unwrap_or(input.len()));
        let (result, read) = decoder.decode_to_string_without_replacement(input, out, last);
        input = input.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

/// `held` is the beginning of a UTF-8 sequence that the next piece may complete.
fn mixed(held: &mut Vec<u8>, input: &[u8], last: bool, out: &mut String) {
    let joined;
    let mut input = input;
    if !held.is_empty() {
        held.extend_from_slice(input);
        joined = std::mem::take(held);
        input = &joined;
    }
    // Nearly all text is valid, if for a character that the piece cuts off: many times as fast.
    let valid = match simdutf8::compat::from_utf8(input) {
        Ok(_) => input.len(),
        Err(error) => error.valid_up_to(),
    };
    if let Some((text, rest)) = input.split_at_checked(valid)
        && let Ok(text) = simdutf8::basic::from_utf8(text)
    {
        out.push_str(text);
        input = rest;
    }
    for chunk in input.utf8_chunks() {
        out.push_str(chunk.valid());
        let invalid = chunk.invalid();
        let at_end = !last && is_at_end(input, invalid);
        if at_end && is_unfinished(invalid) {
            held.extend_from_slice(invalid);
        } else {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(invalid);
            out.push_str(&text);
        }
    }
}

/// Whether `part` lies at the end of `whole`, of which it is a part.
fn is_at_end(whole: &[u8], part: &[u8]) -> bool {
    whole.as_ptr_range().end == part.as_ptr_range().end
}

/// Whether more octets could make it valid UTF-8.
fn is_unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// UTF-7 (RFC 2152): `+`, UTF-16 in base64 without padding, and a `-` or anything else that ends it.
#[derive(Default)]
pub struct Utf7 {
    /// Within base64: how many bits are waiting, and the bits.
    shifted: Option<(u32, u32)>,
    /// Nothing has followed the `+` yet.
    fresh: bool,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

impl Utf7 {
    fn push(&mut self, input: &[u8], out: &mut String) {
        for &byte in input {
            match (self.shifted, six_bits(byte)) {
                (Some((count, bits)), Some(more)) => {
                    self.fresh = false;
                    let (count, bits) = (count + 6, bits << 6 | more);
                    if count < 16 {
                        self.shifted = Some((count, bits));
                    } else {
                        let rest = count - 16;
                        self.shifted = Some((rest, bits & ((1 << rest) - 1)));
                        self.unit((bits >> rest) as u16, out);
                    }
                }
                (Some(_), None) => {
                    let fresh = self.fresh;
                    self.finish(out);
                    match byte {
                        b'-' if fresh => out.push('+'),
                        b'-' => {}
                        _ => out.push(char::from(byte)),
                    }
                }
                (None, _) if byte == b'+' => {
                    self.shifted = Some((0, 0));
                    self.fresh = true;
                }
                (None, _) => out.push(char::from(byte)),
            }
        }
    }

    /// A UTF-16 code unit.
    fn unit(&mut self, unit: u16, out: &mut String) {
        let high = self.high.take();
        if high.is_none() && (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        out.extend(
            char::decode_utf16(high.into_iter().chain([unit]))
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
        );
    }

    fn finish(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
        self.shifted = None;
        self.fresh = false;
    }
}

fn six_bits(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "UTF-8",
            "us-ascii",
            " ISO-8859-15 ",
            "koi8-r",
            "windows-1251",
            "gb2312",
            "big5",
            "cp932",
            "ks_c_5601-1987",
            "utf-7",
            "iso-2022-kr-not",
            "x-unknown",
            "",
        ] {
            let known = Charset::named(name.as_bytes()).is_some();
            assert_eq!(
                known,
                !matches!(name, "iso-2022-kr-not" | "x-unknown" | ""),
                "{name}"
            );
        }
    }

    #[test]
    fn strings() {
        let table: &[(&str, &[u8], &str)] = &[
            ("utf-8", "é".as_bytes(), "é"),
            ("iso-8859-1", b"\xe9\x80", "é€"),
            ("koi8-r", b"\xcd\xc9\xd2", "мир"),
            ("gb2312", b"\xc4\xe3", "你"),
            ("utf-7", b"+2D3eAA-x+-+AGE-+ZYU", "😀x+a斅"),
            ("utf-7", b"+AGE+", "a"),
            ("utf-7", b"+2D0-", "\u{fffd}"),
        ];
        for (charset, bytes, expected) in table {
            let text = from_charset(charset.as_bytes(), bytes).unwrap();
            assert_eq!(text, *expected, "{charset}");
        }
        assert_eq!(from_charset(b"no-such", b"x"), None);
    }
}
