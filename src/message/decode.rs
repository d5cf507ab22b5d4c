//! Transfer encodings, charsets and encoded words (RFC 2045 §6, RFC 2047) → UTF-8, leniently.

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
        let _ = value;
        todo!()
    }
}

/// Decodes a text part in pieces of any size: transfer encoding first, charset then.
pub struct TextDecoder {
    _private: (),
}

impl TextDecoder {
    /// `charset` as the part names it; unknown or empty ones are read as UTF-8 where valid, else windows-1252.
    pub fn new(encoding: TransferEncoding, charset: &[u8]) -> TextDecoder {
        let _ = (encoding, charset);
        todo!()
    }

    /// Decodes the next piece of the part's body onto `out`.
    pub fn push(&mut self, input: &[u8], out: &mut String) {
        let _ = (input, out);
        todo!()
    }

    /// What the last piece left undecided.
    pub fn finish(self, out: &mut String) {
        let _ = out;
        todo!()
    }
}

/// A header field's body as a person reads it: unfolded, encoded words decoded and joined, raw 8-bit
/// text taken as UTF-8 where valid.
pub fn header_text(raw: &[u8]) -> String {
    let _ = raw;
    todo!()
}

/// A string in a named charset (SEARCH CHARSET) as UTF-8. `None` if the charset is not known.
pub fn from_charset(charset: &[u8], bytes: &[u8]) -> Option<String> {
    let _ = (charset, bytes);
    todo!()
}
