//! `BODY[…]` → the octets it means (RFC 3501 §6.4.5).

use std::io;
use std::ops::Range;

use crate::imap::fetch::Section;
use crate::message::Source;
use crate::message::mime::Structure;

/// The octets of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Octets {
    /// A range of the file, to be sent with line ends as CRLF.
    File {
        /// Where it lies.
        range: Range<u64>,
        /// How long it is then.
        virtual_size: u64,
    },
    /// Chosen header fields, already with CRLF.
    Memory(Vec<u8>),
}

/// Finds a section. `None` where the message has no such part (the answer is NIL).
pub fn locate<S: Source + ?Sized>(
    structure: &Structure,
    source: &S,
    section: &Section,
) -> io::Result<Option<Octets>> {
    let _ = (structure, source, section);
    todo!()
}

/// The same for sections that need only the message's own header (`part` empty, and HEADER or
/// HEADER.FIELDS…): reads no more than the header. `None` for any other section.
pub fn locate_in_header<S: Source + ?Sized>(
    source: &S,
    section: &Section,
) -> io::Result<Option<Octets>> {
    let _ = (source, section);
    todo!()
}
