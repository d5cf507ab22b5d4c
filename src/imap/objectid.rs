//! Identifiers of mailboxes, messages and threads (RFC 8474).

use std::sync::Arc;

/// `objectid`: 1 to 255 letters, digits, `_` and `-`, case and all (RFC 8474 §7).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId(Arc<str>);

impl ObjectId {
    /// The longest, in octets.
    pub const LONGEST: usize = 255;

    /// `None` for what is none.
    pub fn new(text: &str) -> Option<ObjectId> {
        let is_right =
            (1..=ObjectId::LONGEST).contains(&text.len()) && text.bytes().all(ObjectId::may_hold);
        is_right.then(|| ObjectId(text.into()))
    }

    /// One of 128 bits behind a letter that says of what it is: "A good solution to these issues is to prefix every ID
    /// with a single alphabetical character" (§8.1).
    pub fn of(kind: char, number: u128) -> ObjectId {
        ObjectId(format!("{kind}{number:032x}").into())
    }

    /// Whether one may have this octet in it.
    pub fn may_hold(octet: u8) -> bool {
        octet.is_ascii_alphanumeric() || octet == b'_' || octet == b'-'
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_two_signs() {
        for text in ["M", "F2212ea87-6097", "a_B-9", &"x".repeat(255)] {
            assert_eq!(ObjectId::new(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "a.b", "é", "a)", &"x".repeat(256)] {
            assert_eq!(ObjectId::new(text), None, "{text}");
        }
        let made = ObjectId::of('M', 0xab);
        assert_eq!(made.as_str(), "M000000000000000000000000000000ab");
        assert_eq!(ObjectId::new(made.as_str()), Some(made));
    }
}
