//! Bytes → [`Command`]. The grammar of RFC 3501 §9 and of the extensions that are announced.
//!
//! The reader cuts literals before the grammar sees them: what comes here is one whole command, its
//! literals inline as on the wire (`{n}` CRLF and n octets), without the last CRLF.

use crate::imap::command::{Append, Command};
use crate::imap::core::Tag;

/// Why a command is BAD. The text says what was expected and where; it goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}")]
pub struct ParseError {
    /// The tag, where there was one.
    pub tag: Option<Tag>,
    /// What the grammar wanted instead, such as `expected a sequence set after FETCH (octet 9)`.
    pub expected: String,
}

/// A literal that a line's end announces (RFC 3501 §4.3, RFC 7888, RFC 3516).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiteralMark {
    /// Octets that follow. Numbers beyond 2^63 − 1 are an error of the announcement.
    pub size: u64,
    /// `{n+}`: the client does not wait.
    pub non_sync: bool,
    /// `~{n}`: literal8.
    pub binary: bool,
    /// Where in the line the mark begins.
    pub start: usize,
}

/// Parses a whole command.
pub fn command(bytes: &[u8]) -> Result<Command, ParseError> {
    let _ = bytes;
    todo!()
}

/// What a line's end says about a literal: `Ok(None)` if it announces none, an error if it ends like an
/// announcement whose number is too big.
pub fn literal_mark(line: &[u8]) -> Result<Option<LiteralMark>, ParseError> {
    let _ = line;
    todo!()
}

/// For an APPEND cut off just before a literal's mark: the head if this literal is the message, `None`
/// if it is still the mailbox's name (or the command is no APPEND).
pub fn append_head(bytes: &[u8]) -> Result<Option<(Tag, Append)>, ParseError> {
    let _ = bytes;
    todo!()
}
