//! The MIME structure of a message by offsets (RFC 2045, RFC 2046): one pass, bounded, linear.

use std::io;
use std::ops::Range;

use crate::imap::structure::{BodyStructure, Envelope};
use crate::message::Source;
use crate::message::decode::TransferEncoding;

/// A message's parts, by offsets into its [`Source`].
#[derive(Clone, Debug)]
pub struct Structure {
    /// Part 0 is the message itself.
    pub parts: Vec<Part>,
    /// Octets with every line end as CRLF: RFC822.SIZE.
    pub virtual_size: u64,
}

/// One part: the message itself, a part of a multipart, or the message inside a message/rfc822.
#[derive(Clone, Debug)]
pub struct Part {
    /// The header with the empty line that ends it.
    pub header: Range<u64>,
    /// What follows.
    pub body: Range<u64>,
    /// Octets of `body` with every line end as CRLF.
    pub body_virtual: u64,
    /// Lines of `body`.
    pub lines: u64,
    /// What is inside: indices into [`Structure::parts`].
    pub content: Content,
}

/// What a part holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing that is a part.
    Leaf,
    /// `multipart/…`
    Multipart(Vec<usize>),
    /// `message/rfc822`
    Message(usize),
}

/// A part whose body a person would read: `text/…`, and `message/…` without parts of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPart {
    /// Which part: an index into [`Structure::parts`].
    pub part: usize,
    /// Where its body lies in the file, still encoded.
    pub range: Range<u64>,
    /// How the body is encoded.
    pub encoding: TransferEncoding,
    /// The charset as the part names it; empty where it names none.
    pub charset: Vec<u8>,
}

impl Structure {
    /// The parts that SEARCH BODY looks into, in the order of the file.
    pub fn text_parts<S: Source + ?Sized>(&self, source: &S) -> io::Result<Vec<TextPart>> {
        let _ = source;
        todo!()
    }

    /// The envelope of the message at `part` (0, or the content of a [`Content::Message`]).
    pub fn envelope<S: Source + ?Sized>(&self, source: &S, part: usize) -> io::Result<Envelope> {
        let _ = (source, part);
        todo!()
    }

    /// BODY, or BODYSTRUCTURE with extension data where `extended`.
    pub fn body_structure<S: Source + ?Sized>(
        &self,
        source: &S,
        extended: bool,
    ) -> io::Result<BodyStructure> {
        let _ = (source, extended);
        todo!()
    }
}

/// Reads a message once and notes where its parts are. Fails only where reading does.
pub fn parse<S: Source + ?Sized>(source: &S) -> io::Result<Structure> {
    let _ = source;
    todo!()
}
