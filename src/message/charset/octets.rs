//! Charsets in which a character takes one octet, by a table that encoding_rs fills.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use encoding_rs::Encoding;

/// What each octet of a charset stands for in which a character takes one: several times as fast as a decoder.
pub struct Octets {
    characters: [Character; 256],
}

/// A character in UTF-8: three octets at the most, and how many.
#[derive(Clone, Copy, Default)]
struct Character {
    octets: [u8; 4],
    length: u8,
    /// The charset has nothing here.
    missing: bool,
}

/// Octets decoded together.
const TOGETHER: usize = 128;

impl Octets {
    /// Those of an encoding: the library is asked once for each, and there are some thirty.
    pub fn of(encoding: &'static Encoding) -> Arc<Octets> {
        static KNOWN: LazyLock<RwLock<HashMap<&'static str, Arc<Octets>>>> =
            LazyLock::new(RwLock::default);
        let name = encoding.name();
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(octets) = known.get(name) {
            return Arc::clone(octets);
        }
        drop(known);
        let octets = Arc::new(Octets::new(encoding));
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name).or_insert(octets))
    }

    fn new(encoding: &'static Encoding) -> Octets {
        let mut characters = [Character::default(); 256];
        for (octet, character) in (0..=u8::MAX).zip(&mut characters) {
            let alone = [octet];
            let (text, missing) = encoding.decode_without_bom_handling(&alone);
            character.missing = missing;
            for (to, from) in character.octets.iter_mut().zip(text.bytes()) {
                *to = from;
                character.length += 1;
            }
        }
        Octets { characters }
    }

    /// Decodes a piece onto `out`; gives whether nothing was malformed.
    pub fn push(&self, input: &[u8], out: &mut String) -> bool {
        let mut missing = false;
        for piece in input.chunks(TOGETHER) {
            let mut decoded = [0; 4 * TOGETHER];
            let mut length = 0;
            for octet in piece {
                let character = self.characters.get(usize::from(*octet)).copied();
                let character = character.unwrap_or_default();
                // Always four, of which as many stay as the next ones leave.
                if let Some(place) = decoded.get_mut(length..length + 4) {
                    place.copy_from_slice(&character.octets);
                }
                length += usize::from(character.length);
                missing |= character.missing;
            }
            let decoded = decoded.get(..length).unwrap_or_default();
            out.push_str(simdutf8::basic::from_utf8(decoded).unwrap_or_default());
        }
        !missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::message::charset::Charset;

    #[test]
    fn charsets_of_single_octets_are_those_of_the_library() {
        let octets: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
        for name in [
            "iso-8859-1",
            "iso-8859-8",
            "koi8-r",
            "windows-1253",
            "windows-874",
            "macintosh",
            "ibm866",
        ] {
            let encoding = Encoding::for_label(name.as_bytes()).unwrap();
            let (expected, malformed) = encoding.decode_without_bom_handling(&octets);
            let mut charset = Charset::named(name.as_bytes()).unwrap();
            let mut text = String::new();
            for piece in octets.chunks(77) {
                charset.push(piece, &mut text);
            }
            charset.finish(&mut text);
            assert_eq!(text, expected, "{name}");
            assert_eq!(charset.is_sound(), !malformed, "{name}");
        }
    }
}
