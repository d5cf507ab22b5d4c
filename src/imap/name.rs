//! Mailbox names: what is on the wire, modified UTF-7 (RFC 3501 §5.1.3), and LIST patterns.

use std::fmt;

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
    /// The store has no place for such a name; the text says why.
    #[error("Invalid mailbox name: {0}")]
    Unusable(&'static str),
}

impl MailboxName {
    /// INBOX.
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".into())
    }

    /// Whether this is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name as UTF-8.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
