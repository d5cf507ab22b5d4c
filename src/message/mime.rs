//! The MIME structure of a message by offsets (RFC 2045, RFC 2046): one pass, bounded, linear.

use std::io;
use std::ops::Range;

use crate::imap::structure::{BodyStructure, Envelope};
use crate::message::Source;

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

impl Structure {
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
