//! Transfer encodings, charsets and encoded words (RFC 2045 §6, RFC 2047) → UTF-8, leniently: what
//! SEARCH looks into. Nothing is refused; what cannot be decoded is read as it stands.

use crate::message::charset::Charset;
pub use crate::message::charset::from_charset;
pub use crate::message::encoded_word::{collated_text, header_text};
use crate::message::parameter::token;
use crate::message::transfer::Transfer;

/// Content-Transfer-Encoding as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEncoding {
    /// 7bit, 8bit, binary, and what is not known.
    Identity,
    /// base64
    Base64,
    /// quoted-printable
    QuotedPrintable,
}

impl TransferEncoding {
    /// The value of a Content-Transfer-Encoding field, comments and stray spaces tolerated.
    pub fn parse(value: &[u8]) -> TransferEncoding {
        TransferEncoding::known(value).unwrap_or(TransferEncoding::Identity)
    }

    /// The same, but `None` where it is one that is not known. An empty value is none at all: 7bit.
    pub fn known(value: &[u8]) -> Option<TransferEncoding> {
        let token = token(value);
        let table: [(&[u8], TransferEncoding); 6] = [
            (b"", TransferEncoding::Identity),
            (b"7bit", TransferEncoding::Identity),
            (b"8bit", TransferEncoding::Identity),
            (b"binary", TransferEncoding::Identity),
            (b"base64", TransferEncoding::Base64),
            (b"quoted-printable", TransferEncoding::QuotedPrintable),
        ];
        table
            .iter()
            .find(|(name, _)| token.eq_ignore_ascii_case(name))
            .map(|(_, encoding)| *encoding)
    }
}

/// The whole text of a part, if it is UTF-8 once its transfer encoding is taken away, for which `room` serves: what
/// [`TextDecoder`] gives, at less cost.
pub fn utf8_text<'t>(
    encoding: TransferEncoding,
    charset: &[u8],
    body: &'t [u8],
    room: &'t mut Vec<u8>,
) -> Option<&'t str> {
    if !Charset::may_be_utf8(charset) {
        return None;
    }
    let octets = match Transfer::new(encoding) {
        Transfer::Identity => body,
        mut transfer => {
            room.clear();
            // An encoding makes it no shorter.
            room.reserve(body.len());
            transfer.push(body, room);
            transfer.finish(room);
            room
        }
    };
    simdutf8::basic::from_utf8(octets).ok()
}

/// Decodes a text part in pieces of any size: transfer encoding first, charset then.
pub struct TextDecoder {
    transfer: Transfer,
    charset: Charset,
    /// The piece without its transfer encoding.
    octets: Vec<u8>,
}

impl TextDecoder {
    /// `charset` as the part names it; unknown or empty ones are read as UTF-8 where valid, else windows-1252.
    pub fn new(encoding: TransferEncoding, charset: &[u8]) -> TextDecoder {
        TextDecoder {
            transfer: Transfer::new(encoding),
            charset: Charset::named(charset).unwrap_or_default(),
            octets: Vec::new(),
        }
    }

    /// Decodes the next piece of the part's body onto `out`.
    pub fn push(&mut self, input: &[u8], out: &mut String) {
        if let Transfer::Identity = self.transfer {
            return self.charset.push(input, out);
        }
        self.octets.clear();
        // An encoding makes it no shorter.
        self.octets.reserve(input.len());
        self.transfer.push(input, &mut self.octets);
        self.charset.push(&self.octets, out);
    }

    /// What the last piece left undecided.
    pub fn finish(mut self, out: &mut String) {
        self.octets.clear();
        self.transfer.finish(&mut self.octets);
        self.charset.push(&self.octets, out);
        self.charset.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: TransferEncoding, charset: &str, body: &[u8], piece: usize) -> String {
        let mut out = String::new();
        let mut decoder = TextDecoder::new(encoding, charset.as_bytes());
        for piece in body.chunks(piece) {
            decoder.push(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn names() {
        let table = [
            (" base64\r\n", TransferEncoding::Base64),
            ("(c) BASE64 (d)", TransferEncoding::Base64),
            ("Quoted-Printable; x=y", TransferEncoding::QuotedPrintable),
            ("8bit", TransferEncoding::Identity),
            ("", TransferEncoding::Identity),
        ];
        for (value, expected) in table {
            assert_eq!(TransferEncoding::parse(value.as_bytes()), expected);
        }
    }

    #[test]
    fn the_same_in_pieces_of_any_size() {
        use TransferEncoding::*;
        let table: &[(TransferEncoding, &str, &[u8], &str)] = &[
            (Identity, "iso-8859-1", b"caf\xe9", "café"),
            (Identity, "utf-8", "naïve €".as_bytes(), "naïve €"),
            (Identity, "us-ascii", "naïve".as_bytes(), "naïve"),
            (
                Identity,
                "x-none",
                b"na\xefve \xe2\x82\xac \xe2\x82",
                "naïve € â‚",
            ),
            (Identity, "utf-7", b"Hi +-Mom +Jjo-! +AOk", "Hi +Mom ☺! é"),
            (Identity, "iso-2022-jp", b"\x1b$B$3$s\x1b(B!", "こん!"),
            (Identity, "utf-16le", b"a\0\xac\x20", "a€"),
            (
                QuotedPrintable,
                "utf-8",
                b"caf=C3=\r\n=a9 =3D =zz a=\n",
                "café = =zz a",
            ),
            (QuotedPrintable, "", b"a= \t\r\nb =\t c=", "ab =\t c="),
            (Base64, "utf-8", b"Y2Fm\r\nw6k=\r\n", "café"),
            (Base64, "utf-8", b"Y2 F!m\nw6k=Y2Fm", "cafécaf"),
            (Base64, "utf-8", b"Y2Fmw6", "caf\u{c3}"),
        ];
        for (encoding, charset, body, expected) in table {
            for piece in 1..=body.len() {
                assert_eq!(
                    decode(*encoding, charset, body, piece),
                    *expected,
                    "{charset} {} by {piece}",
                    body.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a_soft_break_behind_much_white_space_is_one_wherever_it_is_cut() {
        for blanks in [0, 1, 75, 78, 79, 80, 81, 997, 998, 999] {
            for end in ["\n", "\r\n"] {
                let body = format!("zeb={}{end}raword", " ".repeat(blanks));
                let whole = decode(TransferEncoding::QuotedPrintable, "", body.as_bytes(), 2000);
                assert_eq!(whole == "zebraword", blanks <= 998, "{blanks}");
                for piece in [1, 2, 3, 40, 80, 500, body.len() - 1] {
                    let cut = decode(
                        TransferEncoding::QuotedPrintable,
                        "",
                        body.as_bytes(),
                        piece,
                    );
                    assert_eq!(cut, whole, "{blanks} by {piece}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_never_matter(
            body in proptest::collection::vec(proptest::sample::select(
                b"=\r\n \tAB3+-/w\xc3\xa9\xe2\x82\xac\x1b$(\0".to_vec()), 0..60),
            piece in 1_usize..10,
            encoding in proptest::sample::select(vec![
                TransferEncoding::Identity,
                TransferEncoding::Base64,
                TransferEncoding::QuotedPrintable,
            ]),
            charset in proptest::sample::select(vec![
                "", "utf-8", "utf-7", "iso-2022-jp", "gb18030", "big5", "utf-16", "euc-kr", "shift_jis",
            ]),
        ) {
            let whole = decode(encoding, charset, &body, 100);
            prop_assert_eq!(&decode(encoding, charset, &body, piece), &whole);
            if let Some(text) = utf8_text(encoding, charset.as_bytes(), &body, &mut b"left over".to_vec()) {
                prop_assert_eq!(text, whole);
            }
        }
    }
}
