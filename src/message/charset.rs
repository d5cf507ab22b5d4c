//! Charsets → UTF-8 (RFC 2978 names them; encoding_rs knows what mailers meant), with UTF-7 (RFC 2152) and UTF-16
//! (RFC 2781), where a text may be one of several that were each encoded for itself.

use std::sync::Arc;

use encoding_rs::{
    Decoder, DecoderResult, Encoding, ISO_2022_JP, UTF_16BE, UTF_16LE, WINDOWS_1252,
};

mod octets;

use octets::Octets;

/// Names of UTF-8 and its part US-ASCII, as which mailers send it too.
const UTF8: [&[u8]; 7] = [
    b"utf-8",
    b"us-ascii",
    b"utf8",
    b"ascii",
    b"ansi_x3.4-1968",
    b"iso646-us",
    b"646",
];

/// A text's charset, decoding in pieces of any size.
pub struct Charset {
    form: Form,
    /// Nothing was malformed.
    sound: bool,
}

enum Form {
    /// UTF-8; each octet that is not valid as such is windows-1252. Also for US-ASCII and names not known,
    /// under which mailers send both.
    Mixed(Vec<u8>),
    /// One of encoding_rs in which a character may take several octets.
    Known(Box<Decoder>),
    /// One of the others.
    Single(Arc<Octets>),
    Utf7(Utf7),
    Utf16(Utf16),
}

impl Default for Charset {
    fn default() -> Charset {
        Charset::of(Form::Mixed(Vec::new()))
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
    fn of(form: Form) -> Charset {
        Charset { form, sound: true }
    }

    /// The charset of that name. `None` if there is none.
    pub fn named(name: &[u8]) -> Option<Charset> {
        let name = name.trim_ascii().to_ascii_lowercase();
        let label: &[u8] = match name.as_slice() {
            utf8 if UTF8.contains(&utf8) => return Some(Charset::default()),
            b"utf-7" | b"utf7" | b"unicode-1-1-utf-7" | b"x-unicode-2-0-utf-7" => {
                return Some(Charset::of(Form::Utf7(Utf7::default())));
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
        Some(Charset::of(
            if encoding == UTF_16LE || encoding == UTF_16BE {
                Form::Utf16(Utf16::new(label))
            } else if encoding.is_single_byte() {
                Form::Single(Octets::of(encoding))
            } else {
                Form::Known(Box::new(encoding.new_decoder_with_bom_removal()))
            },
        ))
    }

    /// Whether what is called so is read as UTF-8 where it is valid as such.
    pub fn may_be_utf8(name: &[u8]) -> bool {
        let name = name.trim_ascii();
        let is_utf8 = |utf8: &&[u8]| name.eq_ignore_ascii_case(utf8);
        UTF8.iter().any(is_utf8) || Charset::named(name).is_none()
    }

    /// Decodes a piece onto `out`.
    pub fn push(&mut self, input: &[u8], out: &mut String) {
        self.sound &= match &mut self.form {
            Form::Mixed(held) => mixed(held, input, false, out),
            Form::Known(decoder) => known(decoder, input, false, out),
            Form::Single(octets) => octets.push(input, out),
            Form::Utf7(utf7) => utf7.push(input, out),
            Form::Utf16(utf16) => utf16.push(input, out),
        };
    }

    /// The next piece is a text that was encoded for itself, from the charset's initial state on: it is read so, if
    /// the last one has not ended inside a character, nor in another mode than ASCII in ISO-2022-JP.
    pub fn next_text(&mut self) {
        match &mut self.form {
            // Here a text's end is the initial state.
            Form::Mixed(_) | Form::Known(_) | Form::Single(_) => {}
            Form::Utf7(utf7) => utf7.next_text(),
            Form::Utf16(utf16) => utf16.next_text(),
        }
    }

    /// What the last piece left undecided.
    pub fn finish(&mut self, out: &mut String) {
        self.sound &= match &mut self.form {
            Form::Mixed(held) => mixed(held, b"", true, out),
            Form::Known(decoder) => known(decoder, b"", true, out),
            Form::Single(_) => true,
            Form::Utf7(utf7) => utf7.finish(out),
            Form::Utf16(utf16) => utf16.finish(out),
        };
    }

    /// Whether all octets so far are of the charset, or of UTF-8 where it is not known.
    pub fn is_sound(&self) -> bool {
        self.sound
    }
}

/// Gives whether nothing was malformed.
fn known(decoder: &mut Decoder, mut input: &[u8], last: bool, out: &mut String) -> bool {
    let mut sound = true;
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(input.len());
        out.reserve(room.unwrap_or(input.len()));
        let (result, read) = decoder.decode_to_string_without_replacement(input, out, last);
        input = input.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return sound,
            DecoderResult::OutputFull => {}
            // An escape sequence that another follows at once, as where two texts were joined: the decoder calls
            // it malformed, though it says what it should.
            DecoderResult::Malformed(3, 3) if decoder.encoding() == ISO_2022_JP => {}
            DecoderResult::Malformed(..) => {
                out.push(char::REPLACEMENT_CHARACTER);
                sound = false;
            }
        }
    }
}

/// `held` is the beginning of a UTF-8 sequence that the next piece may complete.
fn mixed(held: &mut Vec<u8>, input: &[u8], last: bool, out: &mut String) -> bool {
    let joined;
    let mut input = input;
    if !held.is_empty() {
        held.extend_from_slice(input);
        joined = std::mem::take(held);
        input = &joined;
    }
    // Nearly all text is valid, if for a character that the piece cuts off: many times as fast.
    match simdutf8::compat::from_utf8(input) {
        Ok(text) => {
            out.push_str(text);
            return true;
        }
        Err(error) => {
            if let Some((text, rest)) = input.split_at_checked(error.valid_up_to())
                && let Ok(text) = simdutf8::basic::from_utf8(text)
            {
                out.push_str(text);
                input = rest;
            }
        }
    }
    let mut sound = true;
    for chunk in input.utf8_chunks() {
        out.push_str(chunk.valid());
        let invalid = chunk.invalid();
        let at_end = !last && is_at_end(input, invalid);
        if at_end && is_unfinished(invalid) {
            held.extend_from_slice(invalid);
        } else {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(invalid);
            out.push_str(&text);
            sound &= invalid.is_empty();
        }
    }
    sound
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
struct Utf7 {
    /// Within base64: how many bits are waiting, and the bits.
    shifted: Option<(u32, u32)>,
    /// Nothing has followed the `+` yet.
    fresh: bool,
    units: Units,
}

impl Utf7 {
    fn push(&mut self, input: &[u8], out: &mut String) -> bool {
        let mut sound = true;
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
                        sound &= self.units.push((bits >> rest) as u16, out);
                    }
                }
                (Some(_), None) => {
                    let fresh = self.fresh;
                    sound &= self.finish(out);
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
            sound &= byte.is_ascii();
        }
        sound
    }

    /// The end of a text ends base64 as well.
    fn next_text(&mut self) {
        // Fewer bits than of an octet of base64, all zero, fill up the last.
        let filled = matches!(self.shifted, Some((0..6, 0)));
        if filled && !self.fresh && !self.units.is_open() {
            self.shifted = None;
        }
    }

    fn finish(&mut self, out: &mut String) -> bool {
        self.shifted = None;
        self.fresh = false;
        self.units.finish(out)
    }
}

/// UTF-16 (RFC 2781), in the order that the byte order mark tells.
struct Utf16 {
    big_endian: bool,
    /// The name has not told the order, and nothing else yet.
    open: bool,
    /// What comes next may be a byte order mark.
    fresh: bool,
    /// The first octet of two.
    half: Option<u8>,
    units: Units,
}

impl Utf16 {
    /// Where neither name nor mark tells the order, it is little-endian, as with iconv and browsers.
    fn new(label: &[u8]) -> Utf16 {
        let big_endian = matches!(label, b"utf-16be" | b"unicodefffe");
        Utf16 {
            big_endian,
            open: !big_endian && label != b"utf-16le",
            fresh: true,
            half: None,
            units: Units::default(),
        }
    }

    fn push(&mut self, input: &[u8], out: &mut String) -> bool {
        let mut sound = true;
        for &octet in input {
            let Some(first) = self.half.take() else {
                self.half = Some(octet);
                continue;
            };
            let pair = [first, octet];
            let (fresh, open) = (self.fresh, self.open);
            (self.fresh, self.open) = (false, false);
            match pair {
                [0xfe, 0xff] | [0xff, 0xfe] if fresh => {
                    self.big_endian = first == 0xfe;
                    continue;
                }
                // Latin; the other way round hardly a text's first character.
                [0, 1..=0xff] if open => self.big_endian = true,
                _ => {}
            }
            let unit = match self.big_endian {
                true => u16::from_be_bytes(pair),
                false => u16::from_le_bytes(pair),
            };
            sound &= self.units.push(unit, out);
        }
        sound
    }

    fn next_text(&mut self) {
        self.fresh = self.half.is_none() && !self.units.is_open();
    }

    fn finish(&mut self, out: &mut String) -> bool {
        let whole = self.half.take().is_none();
        let sound = self.units.finish(out);
        if !whole {
            out.push(char::REPLACEMENT_CHARACTER);
        }
        whole && sound
    }
}

/// UTF-16 code units → characters.
#[derive(Default)]
struct Units {
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

impl Units {
    fn push(&mut self, unit: u16, out: &mut String) -> bool {
        let high = self.high.take();
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            out.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
            return high.is_none();
        }
        let mut sound = true;
        for unit in char::decode_utf16(high.into_iter().chain([unit])) {
            sound &= unit.is_ok();
            out.push(unit.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        sound
    }

    fn is_open(&self) -> bool {
        self.high.is_some()
    }

    fn finish(&mut self, out: &mut String) -> bool {
        let high = self.high.take();
        out.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
        high.is_none()
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
            ("utf-16", b"\xfe\xff\0a\xd8\x3d\xde\0", "a😀"),
            ("utf-16", b"\xff\xfea\0\x3d\xd8\0\xde", "a😀"),
            ("utf-16", b"\0aZ\xaf", "a媯"),
            ("utf-16", b"a\0\xafZ", "a媯"),
            ("utf-16", b"a\0\xff\xfe", "a\u{feff}"),
            ("utf-16", b"a\0\x3d\xd8b\0\0", "a\u{fffd}b\u{fffd}"),
            ("utf-16be", b"Z\xaf\0a", "媯a"),
            ("utf-16le", b"\xafZa\0", "媯a"),
            (
                "iso-2022-jp",
                b"\x1b$B2q5D$N\x1b(B\x1b$BJs9p\x1b(B",
                "会議の報告",
            ),
            (
                "iso-2022-jp",
                b"\x1b$B2q\x1b(B\x1b(J\x1b$B5D\x1b(B.",
                "会議.",
            ),
            ("iso-2022-jp", b"\x1b$B2\x1b(B.", "\u{fffd}."),
        ];
        for (charset, bytes, expected) in table {
            let text = from_charset(charset.as_bytes(), bytes).unwrap();
            assert_eq!(text, *expected, "{charset}");
            let mut by_octets = Charset::named(charset.as_bytes()).unwrap();
            let mut text = String::new();
            for octet in bytes.chunks(1) {
                by_octets.push(octet, &mut text);
            }
            by_octets.finish(&mut text);
            assert_eq!(text, *expected, "{charset}");
        }
        assert_eq!(from_charset(b"no-such", b"x"), None);
    }
}
