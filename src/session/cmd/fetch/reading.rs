//! One message's file being read for its FETCH response: the values of items, and literals as they are written.

use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::imap::date::DateTime;
use crate::imap::encode::fetch::{literal_header, literal8_header};
use crate::imap::fetch::{Partial, PreviewForm, Section};
use crate::imap::objectid::ObjectId;
use crate::imap::structure::{BodyStructure, Envelope};
use crate::message::Source;
use crate::message::binary::{self, BinaryStream, Located};
use crate::message::crlf::{self, CrlfStream};
use crate::message::mime::{self, Structure};
use crate::message::section::{self, Octets};
use crate::message::structure::Form;
use crate::session::cmd::fetch::plan::{is_own_header, is_whole};

/// A message up to this size is read at once where most of it is needed: one system call for many.
const READ_AT_ONCE: u64 = 256 << 10;

/// A literal that is being written.
pub(super) enum Literal {
    Section {
        octets: CrlfStream,
        /// Where they come from, if not from the message.
        memory: Option<Vec<u8>>,
    },
    Binary(Box<BinaryStream>),
}

impl Literal {
    /// Writes what comes before its octets.
    pub(super) fn announce(&self, out: &mut Vec<u8>) {
        match self {
            Literal::Section { octets, .. } => literal_header(out, octets.remaining()),
            // "If the domain of the decoded data is "8bit" and the data does not contain the NUL octet, the
            // server SHOULD return the data in a <string> instead of a <literal8>" (RFC 3516 §4.3).
            Literal::Binary(octets) if octets.has_nul() => literal8_header(out, octets.remaining()),
            Literal::Binary(octets) => literal_header(out, octets.remaining()),
        }
    }

    pub(super) fn fill(&mut self, body: &Body, out: &mut Vec<u8>, room: usize) -> io::Result<()> {
        match self {
            Literal::Section {
                octets,
                memory: Some(memory),
            } => octets.fill(memory.as_slice(), out, room),
            Literal::Section { octets, .. } => octets.fill(body, out, room),
            Literal::Binary(octets) => octets.fill(body, out, room),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        match self {
            Literal::Section { octets, .. } => octets.remaining() == 0,
            Literal::Binary(octets) => octets.remaining() == 0,
        }
    }
}

/// The answer to one item. The number is the item's place in the plan.
pub(super) enum Value {
    EmailId,
    Flags,
    ModSeq,
    ThreadId(ObjectId),
    Uid,
    Date(DateTime),
    SaveDate(DateTime),
    Size(u64),
    /// `None` is NIL: it is not at hand.
    Preview(PreviewForm, Option<Arc<str>>),
    Envelope(Box<Envelope>),
    Structure(&'static str, Box<BodyStructure>),
    Nil(usize),
    Literal(usize, Literal),
    BinarySize(usize, u64),
    /// Only the file could say, and it uses an encoding that nobody knows.
    UnknownEncoding,
}

/// Where a message's octets come from.
pub(super) enum Body {
    Memory(Vec<u8>),
    File(File),
}

impl Source for Body {
    fn len(&self) -> io::Result<u64> {
        match self {
            Body::Memory(octets) => Source::len(octets.as_slice()),
            Body::File(file) => Source::len(file),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Body::Memory(octets) => octets.as_slice().read_at(offset, buffer),
            Body::File(file) => Source::read_at(file, offset, buffer),
        }
    }
}

/// A message being read: what was learnt of it once is not looked for again.
pub(super) struct Reading {
    pub(super) body: Body,
    structure: Option<Structure>,
    pub(super) virtual_size: Option<u64>,
    /// How much memory header fields may still take.
    fields_room: usize,
}

impl Reading {
    pub(super) fn new(file: File, length: u64, whole: bool) -> io::Result<Reading> {
        let body = if whole && length <= READ_AT_ONCE {
            Body::Memory(read_all(&file, length)?)
        } else {
            Body::File(file)
        };
        Ok(Reading {
            body,
            structure: None,
            virtual_size: None,
            fields_room: section::FIELDS_MAX,
        })
    }

    fn structure(&mut self) -> io::Result<(&Structure, &Body)> {
        let structure = match self.structure.take() {
            Some(structure) => structure,
            None => mime::parse(&self.body)?,
        };
        self.virtual_size = Some(structure.virtual_size);
        Ok((self.structure.insert(structure), &self.body))
    }

    pub(super) fn virtual_size(&mut self) -> io::Result<u64> {
        let size = match self.virtual_size {
            Some(size) => size,
            None => crlf::virtual_size(&self.body, 0..self.body.len()?)?,
        };
        Ok(*self.virtual_size.insert(size))
    }

    pub(super) fn body_structure(&mut self, form: Form) -> io::Result<BodyStructure> {
        let (structure, body) = self.structure()?;
        structure.body_structure(body, form)
    }

    /// A part without its encoding, as far as `partial` asks for it, for the item at place `at`.
    pub(super) fn binary(
        &mut self,
        at: usize,
        part: &[NonZeroU32],
        partial: Option<Partial>,
    ) -> io::Result<Value> {
        let (structure, body) = self.structure()?;
        let Partial { offset, length } = partial.unwrap_or(ALL);
        Ok(match binary::locate(structure, body, part)? {
            Located::Encoded(encoded) => {
                let octets = BinaryStream::open(body, &encoded, offset, length)?;
                Value::Literal(at, Literal::Binary(Box::new(octets)))
            }
            Located::UnknownEncoding => Value::UnknownEncoding,
            Located::Nothing => Value::Nil(at),
        })
    }

    /// How long that is. There is no NIL for a number: of a part that is not there, nothing is 0 octets long.
    pub(super) fn binary_size(&mut self, at: usize, part: &[NonZeroU32]) -> io::Result<Value> {
        let (structure, body) = self.structure()?;
        Ok(match binary::locate(structure, body, part)? {
            Located::Encoded(encoded) => {
                let octets = BinaryStream::open(body, &encoded, 0, u64::MAX)?;
                Value::BinarySize(at, octets.remaining())
            }
            Located::UnknownEncoding => Value::UnknownEncoding,
            Located::Nothing => Value::BinarySize(at, 0),
        })
    }

    /// A section as far as `partial` asks for it, for the item at place `at`.
    pub(super) fn section(
        &mut self,
        at: usize,
        section: &Section,
        partial: Option<Partial>,
    ) -> io::Result<Value> {
        let octets = if is_whole(section) {
            let range = 0..self.body.len()?;
            let virtual_size = self.virtual_size()?;
            Some(Octets::File {
                range,
                virtual_size,
            })
        } else if is_own_header(section) {
            section::locate_in_header(&self.body, section, &mut self.fields_room)?
        } else {
            let mut room = self.fields_room;
            let (structure, body) = self.structure()?;
            let octets = section::locate(structure, body, section, &mut room)?;
            self.fields_room = room;
            octets
        };
        let Partial { offset, length } = partial.unwrap_or(ALL);
        Ok(match octets {
            None => Value::Nil(at),
            Some(Octets::File {
                range,
                virtual_size,
            }) => Value::Literal(
                at,
                Literal::Section {
                    octets: CrlfStream::new(range, virtual_size, offset, length),
                    memory: None,
                },
            ),
            Some(Octets::Memory(octets)) => {
                let size = octets.len() as u64;
                Value::Literal(
                    at,
                    Literal::Section {
                        octets: CrlfStream::new(0..size, size, offset, length),
                        memory: Some(octets),
                    },
                )
            }
        })
    }
}

/// All octets.
const ALL: Partial = Partial {
    offset: 0,
    length: u64::MAX,
};

/// The whole file, as long as it is now.
fn read_all(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut octets = vec![0; length];
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = octets.get_mut(filled..) {
        match Source::read_at(file, filled as u64, rest)? {
            0 => break,
            count => filled += count,
        }
    }
    octets.truncate(filled);
    Ok(octets)
}
