//! Modified UTF-7 (RFC 3501 §5.1.3): how mailbox names are written in 7-bit ASCII.
//!
//! Printable ASCII stands for itself, `&` is `&-`, and a run of anything else is its UTF-16 in
//! base64 (with `,` for `/`, without padding) between `&` and `-`. Each text has one spelling only,
//! and only that one is taken: two names on the wire are one mailbox if their bytes are equal.

/// RFC 3501 §5.1.3: base64's alphabet "with the further modification that `,` is used instead of `/`".
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The text in modified UTF-7.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run: Vec<u16> = Vec::new();
    for character in text.chars() {
        if !matches!(character, ' '..='~') {
            run.extend_from_slice(character.encode_utf16(&mut [0; 2]));
            continue;
        }
        shift(&mut out, &mut run);
        out.push(character);
        if character == '&' {
            out.push('-');
        }
    }
    shift(&mut out, &mut run);
    out
}

/// The text that `bytes` spell, or `None` if they are not the one spelling of a text: bytes beyond
/// printable ASCII, a shift that is cut off, not base64, encodes what stands for itself, follows
/// another without need, leaves bits over, or holds half a surrogate pair.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'&' {
            text.push(char::from(byte));
            continue;
        }
        let start = text.len();
        let mut units: Vec<u16> = Vec::new();
        let (mut bits, mut held) = (0u32, 0u32);
        loop {
            let &digit = rest.next()?;
            if digit == b'-' {
                break;
            }
            let value = ALPHABET.iter().position(|&known| known == digit)?;
            bits = bits << 6 | value as u32;
            held += 6;
            if held >= 16 {
                held -= 16;
                units.push((bits >> held) as u16);
                bits &= (1 << held) - 1;
            }
        }
        for character in char::decode_utf16(units) {
            text.push(character.ok()?);
        }
        if text.len() == start {
            text.push('&');
        }
    }
    // What is left of the rules is that there is one spelling, so the way back must lead here.
    (encode(&text).as_bytes() == bytes).then_some(text)
}

/// Writes a run of UTF-16 between `&` and `-`, and empties it.
fn shift(out: &mut String, run: &mut Vec<u16>) {
    if run.is_empty() {
        return;
    }
    // The mask keeps the index below 64.
    let digit = |bits: u32| char::from(ALPHABET[(bits & 0x3f) as usize]);
    let (mut bits, mut held) = (0u32, 0u32);
    out.push('&');
    for unit in run.drain(..) {
        bits = (bits << 16 | u32::from(unit)) & 0x003f_ffff;
        held += 16;
        while held >= 6 {
            held -= 6;
            out.push(digit(bits >> held));
        }
    }
    if held > 0 {
        out.push(digit(bits << (6 - held)));
    }
    out.push('-');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode};

    #[test]
    fn the_rfcs_example_and_common_names() {
        for (text, wire) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("Gelöschte Objekte", "Gel&APY-schte Objekte"),
            ("R&D", "R&-D"),
            ("&", "&-"),
            ("&&", "&-&-"),
            ("é&", "&AOk-&-"),
            ("&é", "&-&AOk-"),
            ("😀", "&2D3eAA-"),
            ("a😀b", "a&2D3eAA-b"),
            ("", ""),
        ] {
            assert_eq!(encode(text), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn only_the_one_spelling_is_taken() {
        for wire in [
            "&",                          // cut off
            "&AOk",                       // cut off
            "&Jjo!",                      // RFC 3501: "not a properly formed string"
            "&U,BTFw-&ZeVnLIqe-x&",       // cut off after a good start
            "&U,BTF2XlZyyKng-&ZeVnLIqe-", // superfluous shift
            "&AOk-&AOk-",                 // superfluous shift
            "&AGE-",                      // 'a' in base64
            "&AC8-",                      // '/' in base64
            "&AC4-",                      // '.' in base64
            "&ACY-",                      // '&' in base64
            "&AGEA6Q-",                   // 'a' within a shift
            "&AOl-",                      // bits left over are not zero
            "&AOkA-",                     // six bits too many
            "&A-",                        // less than one unit
            "&AO-",                       // less than one unit
            "&2D0-",                      // high surrogate alone
            "&3gA-",                      // low surrogate alone
            "&3gDYPQ-",                   // in the wrong order
            "&AOk=-",                     // padding
            "&AO/-",                      // '/' is ',' here
            "&*-",
            "&%-",
            "caf\u{e9}", // 8-bit
            "a\tb",      // control
            "a\u{7f}",   // control
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
        assert_eq!(decode(b"\xff"), None);
        assert_eq!(decode(b"a\0b"), None);
    }

    proptest! {
        #[test]
        fn text_comes_back(text in any::<String>()) {
            let wire = encode(&text);
            prop_assert!(wire.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(decode(wire.as_bytes()), Some(text));
        }

        #[test]
        fn bytes_that_decode_come_back(wire in "[&A-D,+a09-]{0,12}") {
            if let Some(text) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&text), wire);
            }
        }

        #[test]
        fn any_bytes(wire in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&wire);
        }
    }
}
