//! Annotations of mailboxes and of the server as the protocol names them (RFC 5464 §3.2). Nothing of their
//! values here: these are octets.

use std::fmt;

/// Longest name of an entry, in octets.
pub const LONGEST_ENTRY: usize = 1024;

/// Why octets are no entry's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnEntry {
    /// The rules of RFC 5464 §3.2 forbid it.
    Invalid,
    /// It is longer than [`LONGEST_ENTRY`].
    TooLong,
}

/// The name of an entry as a client wrote it, such as `/private/comment`. Names that differ in case alone are the
/// same.
#[derive(Clone, Debug)]
pub struct EntryName(String);

impl EntryName {
    /// Takes what may stand in a GETMETADATA: `/private` or `/shared`, and perhaps more components. RFC 5464 §3.2:
    /// "An entry name MUST NOT contain two consecutive "/" characters and MUST NOT end with a "/" character", nor
    /// `*`, `%`, controls and what is not ASCII.
    pub fn new(octets: &[u8]) -> Result<EntryName, NotAnEntry> {
        if octets.len() > LONGEST_ENTRY {
            return Err(NotAnEntry::TooLong);
        }
        let allowed = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'*' | b'%');
        let text = std::str::from_utf8(octets)
            .ok()
            .filter(|text| text.bytes().all(|byte| allowed(&byte)))
            .ok_or(NotAnEntry::Invalid)?;
        let mut components = text.split('/');
        let scope = match (components.next(), components.next()) {
            (Some(""), Some(scope)) => scope,
            _ => return Err(NotAnEntry::Invalid),
        };
        let known = ["private", "shared"]
            .iter()
            .any(|known| scope.eq_ignore_ascii_case(known));
        match known && components.all(|component| !component.is_empty()) {
            true => Ok(EntryName(text.to_owned())),
            false => Err(NotAnEntry::Invalid),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What tells names apart: all in lower case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether such an entry may have a value. §3.2: names "can have any number of components starting at 2, unless
    /// they fall under the vendor namespaces […], in which case they have at least 4 components."
    pub fn may_have_value(&self) -> bool {
        let mut components = self.0.split('/').skip(2);
        match components.next() {
            None => false,
            Some(vendor) if vendor.eq_ignore_ascii_case("vendor") => components.count() >= 2,
            Some(_) => true,
        }
    }
}

impl PartialEq for EntryName {
    fn eq(&self, other: &EntryName) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for EntryName {}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much below an entry GETMETADATA asks for (RFC 5464 §4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// The entry itself.
    #[default]
    Zero,
    /// Those immediately below it too.
    One,
    /// All below it.
    Infinity,
}

impl Depth {
    /// Whether `key` is asked for where `asked` is, both in lower case.
    pub fn reaches(self, asked: &str, key: &str) -> bool {
        match key.strip_prefix(asked) {
            Some("") => true,
            Some(below) => match below.strip_prefix('/') {
                Some(below) => match self {
                    Depth::Zero => false,
                    Depth::One => !below.contains('/'),
                    Depth::Infinity => true,
                },
                None => false,
            },
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, may_have_value) in [
            ("/private", false),
            ("/shared", false),
            ("/Shared/Comment", true),
            ("/private/comment", true),
            ("/private/filters/values/small", true),
            ("/shared/vendor", false),
            ("/shared/VENDOR/example", false),
            ("/shared/vendor/example/x", true),
            ("/private/vendors", true),
            ("/private/two words", true),
        ] {
            let name = EntryName::new(text.as_bytes()).unwrap();
            assert_eq!(name.may_have_value(), may_have_value, "{text}");
            assert_eq!(name.as_str(), text);
            let same = EntryName::new(text.to_ascii_uppercase().as_bytes());
            assert_eq!(same, Ok(name));
        }
    }

    #[test]
    fn no_names() {
        for text in [
            &b""[..],
            b"/",
            b"comment",
            b"private/comment",
            b"/public/comment",
            b"/privat",
            b"/private/",
            b"//private/comment",
            b"/private//comment",
            b"/private/comment/",
            b"/private/com*ment",
            b"/private/com%ment",
            b"/private/com\x19ment",
            b"/private/com\x7fment",
            b"/private/com\0ment",
            b"/private/caf\xc3\xa9",
            b"/private/caf\xe9",
        ] {
            let shown = text.escape_ascii();
            assert_eq!(EntryName::new(text), Err(NotAnEntry::Invalid), "{shown}");
        }
        let long = |octets: usize| format!("/private/{}", "x".repeat(octets - "/private/".len()));
        assert!(EntryName::new(long(LONGEST_ENTRY).as_bytes()).is_ok());
        let longer = EntryName::new(long(LONGEST_ENTRY + 1).as_bytes());
        assert_eq!(longer, Err(NotAnEntry::TooLong));
    }

    /// §4.2.2: ""depth 1" for an entry "/a" will match "/a" as well as its children entries (e.g., "/a/b"), but will
    /// not match grandchildren entries (e.g., "/a/b/c")."
    #[test]
    fn depths() {
        for (key, reached) in [
            ("/a", [true, true, true]),
            ("/a/b", [false, true, true]),
            ("/a/b/c", [false, false, true]),
            ("/ab", [false; 3]),
            ("/b", [false; 3]),
            ("/", [false; 3]),
        ] {
            let depths = [Depth::Zero, Depth::One, Depth::Infinity];
            assert_eq!(
                depths.map(|depth| depth.reaches("/a", key)),
                reached,
                "{key}"
            );
        }
    }
}
