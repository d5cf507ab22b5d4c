//! Values → bytes: the only place that writes the wire format.

pub mod fetch;

use crate::imap::response::{Data, Status};

/// How mailbox names are written: modified UTF-7, or UTF-8 once the client enabled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// RFC 3501 §5.1.3.
    Mutf7,
    /// RFC 9051 §5.1, RFC 9755.
    Utf8,
}

/// Writes a status response and its CRLF.
pub fn status(out: &mut Vec<u8>, status: &Status) {
    let _ = (out, status);
    todo!()
}

/// Writes one untagged response and its CRLF.
pub fn data(out: &mut Vec<u8>, data: &Data, names: NameForm) {
    let _ = (out, data, names);
    todo!()
}

/// Writes a command continuation request (RFC 3501 §7.5) and its CRLF.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    let _ = (out, text);
    todo!()
}
