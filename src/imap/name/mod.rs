//! Mailbox names: what is on the wire, modified UTF-7 (RFC 3501 §5.1.3), and LIST patterns.

pub mod mutf7;
mod pattern;

use std::fmt;

pub use self::pattern::Pattern;

/// A mailbox's name: UTF-8 text with the account's hierarchy separator between its levels, `INBOX`
/// in capitals where it is the first level, never empty, without control characters.
/// Whether the store can hold it is for `spool::tree` to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(Box<str>);

/// Why bytes are no mailbox name. The text is for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters at all.
    #[error("Invalid mailbox name: Name is empty")]
    Empty,
    /// Not modified UTF-7, or not its only spelling.
    #[error("Mailbox name is not valid mUTF-7")]
    NotMutf7,
    /// Not UTF-8.
    #[error("Mailbox name is not valid UTF-8")]
    NotUtf8,
    /// No name at all, or the store has no place for it; the text says why.
    #[error("Invalid mailbox name: {0}")]
    Unusable(&'static str),
}

impl MailboxName {
    /// INBOX.
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".into())
    }

    /// The name that a client or a directory spells: as UTF-8 where `utf8`, else as modified UTF-7,
    /// of which only the canonical spelling is taken. A separator at the end stays.
    pub fn from_wire(bytes: &[u8], utf8: bool, separator: char) -> Result<MailboxName, NameError> {
        MailboxName::from_utf8(&decode(bytes, utf8)?, separator)
    }

    /// The name that `text` is, with its first level in capitals if that is `inbox` in any case.
    pub fn from_utf8(text: &str, separator: char) -> Result<MailboxName, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        // RFC 9755 §3: no control characters, nor the separators of lines and paragraphs.
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(NameError::Unusable("Name has control characters"));
        }
        let first = text.split(separator).next().unwrap_or_default();
        if first.eq_ignore_ascii_case("INBOX")
            && let Some(rest) = text.get(first.len()..)
        {
            return Ok(MailboxName(["INBOX", rest].concat().into()));
        }
        Ok(MailboxName(text.into()))
    }

    /// What CREATE makes of the name: RFC 3501 §6.3.3 lets a client end it with the separator to say
    /// that more will come below; the mailbox's own name is without.
    pub fn without_trailing_separator(self, separator: char) -> Result<MailboxName, NameError> {
        match self.0.strip_suffix(separator) {
            Some(shorter) => MailboxName::from_utf8(shorter, separator),
            None => Ok(self),
        }
    }

    /// Whether this is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name as UTF-8.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in modified UTF-7.
    pub fn to_mutf7(&self) -> String {
        mutf7::encode(&self.0)
    }

    /// The levels, outermost first; some are empty where separators are adjacent or at an end.
    pub fn levels(&self, separator: char) -> std::str::Split<'_, char> {
        self.0.split(separator)
    }

    /// The name without its last level. `None` on the first level.
    pub fn parent(&self, separator: char) -> Option<MailboxName> {
        let (parent, _) = self.0.rsplit_once(separator)?;
        (!parent.is_empty()).then(|| MailboxName(parent.into()))
    }

    /// Whether this is a name below `other`, at any depth.
    pub fn is_below(&self, other: &MailboxName, separator: char) -> bool {
        self.0
            .strip_prefix(&*other.0)
            .is_some_and(|rest| rest.starts_with(separator))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name or pattern of a client as text.
fn decode(bytes: &[u8], utf8: bool) -> Result<String, NameError> {
    if utf8 {
        String::from_utf8(bytes.to_vec()).map_err(|_| NameError::NotUtf8)
    } else {
        mutf7::decode(bytes).ok_or(NameError::NotMutf7)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::from_utf8(text, '.').unwrap()
    }

    #[test]
    fn from_the_wire() {
        let wire = |bytes: &[u8], utf8| {
            MailboxName::from_wire(bytes, utf8, '.').map(|name| name.to_string())
        };
        assert_eq!(wire(b"Entw&APw-rfe", false).as_deref(), Ok("Entwürfe"));
        assert_eq!(wire("Entwürfe".as_bytes(), true).as_deref(), Ok("Entwürfe"));
        assert_eq!(wire(b"R&D", true).as_deref(), Ok("R&D"));
        assert_eq!(wire(b"a.", false).as_deref(), Ok("a."));
        assert_eq!(wire(b"a..b", false).as_deref(), Ok("a..b"));
        assert_eq!(wire(b"", false), Err(NameError::Empty));
        assert_eq!(wire(b"R&D", false), Err(NameError::NotMutf7));
        assert_eq!(wire(b"&AC8-", false), Err(NameError::NotMutf7));
        assert_eq!(wire("ü".as_bytes(), false), Err(NameError::NotMutf7));
        assert_eq!(wire(b"\xfc", true), Err(NameError::NotUtf8));
        for control in ["&AAA-", "&AAo-", "&AH8-", "&AIU-", "&ICg-", "&ICk-"] {
            let error = wire(control.as_bytes(), false).unwrap_err();
            assert!(matches!(error, NameError::Unusable(_)), "{control}");
        }
        assert!(wire(b"a\nb", true).is_err());
        assert!(wire(b"a\0b", true).is_err());
    }

    #[test]
    fn inbox_has_one_spelling() {
        assert!(name("inbox").is_inbox());
        assert!(name("InBoX").is_inbox());
        assert_eq!(name("inbox.Sub").as_str(), "INBOX.Sub");
        assert_eq!(name("inbox.").as_str(), "INBOX.");
        assert_eq!(name("inboxes").as_str(), "inboxes");
        assert_eq!(name("inbox/x").as_str(), "inbox/x");
        assert_eq!(name("x.inbox").as_str(), "x.inbox");
        assert!(!name("INBOX.x").is_inbox());
    }

    #[test]
    fn levels() {
        assert_eq!(name("a.b.c").parent('.'), Some(name("a.b")));
        assert_eq!(name("a").parent('.'), None);
        assert_eq!(name(".a").parent('.'), None);
        assert_eq!(name("a.b").parent('/'), None);
        assert!(name("a.b").is_below(&name("a"), '.'));
        assert!(name("a.b.c").is_below(&name("a"), '.'));
        assert!(!name("a").is_below(&name("a"), '.'));
        assert!(!name("ab").is_below(&name("a"), '.'));
        assert!(!name("b.a").is_below(&name("a"), '.'));
        assert_eq!(name("a.b").levels('.').collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn create_drops_one_separator() {
        let created = |text: &str| name(text).without_trailing_separator('.');
        assert_eq!(created("a."), Ok(name("a")));
        assert_eq!(created("a.."), Ok(name("a.")));
        assert_eq!(created("a"), Ok(name("a")));
        assert_eq!(created("inbox."), Ok(MailboxName::inbox()));
        assert_eq!(created("."), Err(NameError::Empty));
    }

    proptest! {
        #[test]
        fn names_come_back(text in "\\PC{1,20}") {
            if let Ok(name) = MailboxName::from_utf8(&text, '/') {
                let wire = name.to_mutf7();
                prop_assert_eq!(
                    MailboxName::from_wire(wire.as_bytes(), false, '/'),
                    Ok(name.clone())
                );
                prop_assert_eq!(
                    MailboxName::from_wire(name.as_str().as_bytes(), true, '/'),
                    Ok(name)
                );
            }
        }
    }
}
