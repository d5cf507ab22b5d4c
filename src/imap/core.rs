//! The smallest pieces of the grammar: a tag, and a secret that is wiped.

use std::fmt;

/// A command's tag (RFC 3501 §2.2.1): one or more `ASTRING-CHAR` except `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Takes `text` if the grammar allows it as a tag, else gives `None`.
    pub fn new(text: &[u8]) -> Option<Tag> {
        let allowed = |byte: &u8| *byte != b'+' && is_astring_char(*byte);
        if text.is_empty() || !text.iter().all(allowed) {
            return None;
        }
        String::from_utf8(text.to_vec()).ok().map(Tag)
    }

    /// The tag as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes that must not stay in memory or reach a log, such as a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes ownership of the bytes; they are wiped when the value is dropped.
    pub fn new(bytes: Vec<u8>) -> Secret {
        Secret(bytes)
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `ATOM-CHAR` of RFC 3501 §9: any CHAR except atom-specials.
pub fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR` of RFC 3501 §9: `ATOM-CHAR` or `]`.
pub fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}
