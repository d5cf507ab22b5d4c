//! `BODY[…]` → the octets it means (RFC 3501 §6.4.5).

use std::io;
use std::num::NonZeroU32;
use std::ops::Range;

use crate::imap::fetch::{Section, SectionText};
use crate::message::Source;
use crate::message::crlf::replace_nul;
use crate::message::header::{Line, line};
use crate::message::mime::{Content, Part, Structure};
use crate::message::pieces::Pieces;

/// Octets of chosen header fields that one answer may hold, all its sections together; fields beyond it are
/// left out. No header that was ever sent comes near.
pub const FIELDS_MAX: usize = 16 * 1024 * 1024;
/// Octets from which on a header is read twice rather than kept in a buffer that grows.
const LONG_HEADER: u64 = 1024 * 1024;

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

/// Finds a section. `None` where the message has no such part (the answer is NIL). Of chosen header fields at
/// most `room` octets are kept, and it shrinks by them: [`FIELDS_MAX`] for a whole answer.
pub fn locate<S: Source + ?Sized>(
    structure: &Structure,
    source: &S,
    section: &Section,
    room: &mut usize,
) -> io::Result<Option<Octets>> {
    let Some(message) = structure.parts.first() else {
        return Ok(None);
    };
    if section.part.is_empty() {
        return of_message(source, message, structure, &section.text, room);
    }
    let part = match walk(structure, &section.part) {
        Some(Found::Part(part)) => part,
        Some(Found::Empty(at)) => {
            let there = matches!(section.text, SectionText::Whole | SectionText::Mime);
            return Ok(there.then_some(Octets::File {
                range: at..at,
                virtual_size: 0,
            }));
        }
        None => return Ok(None),
    };
    match (&section.text, &part.content) {
        (SectionText::Whole, _) => Ok(Some(body(part))),
        (SectionText::Mime, _) => Ok(Some(header(part))),
        // "The HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, and TEXT part specifiers can be the sole part
        // specifier or can be prefixed by one or more numeric part specifiers, provided that the numeric
        // part specifier(s) refer to a part of type MESSAGE/RFC822."
        (text, Content::Message(inner)) => match structure.parts.get(*inner) {
            Some(inner) => of_message(source, inner, structure, text, room),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The same for sections that need only the message's own header (`part` empty, and HEADER or
/// HEADER.FIELDS…): reads no more than the header. `None` for any other section.
pub fn locate_in_header<S: Source + ?Sized>(
    source: &S,
    section: &Section,
    room: &mut usize,
) -> io::Result<Option<Octets>> {
    if !section.part.is_empty() {
        return Ok(None);
    }
    match &section.text {
        SectionText::Header => {
            let mut virtual_size = 0;
            let mut end = 0;
            let mut pieces = Pieces::new(source, 0..source.len()?);
            while let Some(piece) = pieces.next()? {
                virtual_size += piece.virtual_len();
                end = piece.next_offset();
                if line(&piece) == Line::End {
                    break;
                }
            }
            Ok(Some(Octets::File {
                range: 0..end,
                virtual_size,
            }))
        }
        SectionText::HeaderFields(names) => {
            choose(source, 0..source.len()?, Choice::only(names), room).map(Some)
        }
        SectionText::HeaderFieldsNot(names) => {
            choose(source, 0..source.len()?, Choice::all_but(names), room).map(Some)
        }
        SectionText::Whole | SectionText::Text | SectionText::Mime => Ok(None),
    }
}

/// What a section text means of a message: the whole one, or the one inside a part.
fn of_message<S: Source + ?Sized>(
    source: &S,
    message: &Part,
    structure: &Structure,
    text: &SectionText,
    room: &mut usize,
) -> io::Result<Option<Octets>> {
    let range = message.header.clone();
    let octets = match text {
        SectionText::Whole => Octets::File {
            range: message.header.start..message.body.end,
            virtual_size: structure.virtual_size,
        },
        SectionText::Header => header(message),
        SectionText::HeaderFields(names) => choose(source, range, Choice::only(names), room)?,
        SectionText::HeaderFieldsNot(names) => choose(source, range, Choice::all_but(names), room)?,
        SectionText::Text => body(message),
        // "MIME MUST be prefixed by one or more numeric part specifiers."
        SectionText::Mime => return Ok(None),
    };
    Ok(Some(octets))
}

fn header(part: &Part) -> Octets {
    Octets::File {
        range: part.header.clone(),
        virtual_size: part.header_virtual,
    }
}

fn body(part: &Part) -> Octets {
    Octets::File {
        range: part.body.clone(),
        virtual_size: part.body_virtual,
    }
}

/// What part numbers lead to.
pub(super) enum Found<'s> {
    Part(&'s Part),
    /// The empty part that a multipart without parts is said to have, and where it would be.
    Empty(u64),
}

/// Follows part numbers from the message inward.
pub(super) fn walk<'s>(structure: &'s Structure, numbers: &[NonZeroU32]) -> Option<Found<'s>> {
    let mut part = structure.parts.first()?;
    // The numbers count the parts of a message: a message that is no multipart is its own part 1.
    let mut is_message = true;
    let mut numbers = numbers.iter();
    while let Some(number) = numbers.next() {
        let at = usize::try_from(number.get()).ok()?.checked_sub(1)?;
        if !is_message && let Content::Message(inner) = &part.content {
            part = structure.parts.get(*inner)?;
            is_message = true;
        }
        match &part.content {
            Content::Multipart(parts) if parts.is_empty() => {
                let only = at == 0 && numbers.next().is_none();
                return only.then_some(Found::Empty(part.body.end));
            }
            Content::Multipart(parts) => part = structure.parts.get(*parts.get(at)?)?,
            _ if is_message && at == 0 => {}
            _ => return None,
        }
        is_message = false;
    }
    Some(Found::Part(part))
}

/// Which fields of a header are wanted.
struct Choice {
    /// In lower case, sorted.
    names: Vec<Vec<u8>>,
    /// These, or all but these.
    wanted: bool,
}

impl Choice {
    fn only(names: &[Vec<u8>]) -> Choice {
        Choice::new(names, true)
    }

    fn all_but(names: &[Vec<u8>]) -> Choice {
        Choice::new(names, false)
    }

    fn new(names: &[Vec<u8>], wanted: bool) -> Choice {
        let mut names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        Choice { names, wanted }
    }

    fn takes(&self, name: &[u8]) -> bool {
        let name = |at: usize| name.get(at).map(u8::to_ascii_lowercase);
        let named = self.names.binary_search_by(|other| {
            let mut at = 0;
            loop {
                match (other.get(at), name(at)) {
                    (None, None) => return std::cmp::Ordering::Equal,
                    (a, b) if a.copied() == b => at += 1,
                    (a, b) => return a.copied().cmp(&b),
                }
            }
        });
        named.is_ok() == self.wanted
    }
}

/// The chosen fields of a header as they are, with CRLF. An empty line ends them where one ends the
/// header, and with names to take always, as in Dovecot: "the delimiting blank line is always included".
fn choose<S: Source + ?Sized>(
    source: &S,
    range: Range<u64>,
    choice: Choice,
    room: &mut usize,
) -> io::Result<Octets> {
    let mut out = Vec::new();
    if range.end - range.start > LONG_HEADER {
        // Counting first takes less memory than growing does.
        let mut length = 0;
        each_chosen(source, range.clone(), &choice, |text| length += text.len())?;
        out.reserve_exact(length.min(*room) + b"\r\n\r\n".len());
    }
    // Once a field does not fit, it and what follows is left out, but for the empty line.
    let mut full = false;
    let mut field = 0;
    let ended = each_chosen(source, range, &choice, |text| {
        if out.ends_with(b"\r\n") && !matches!(text, [b' ' | b'\t', ..]) {
            field = out.len();
        }
        if !full && out.len() + text.len() > *room {
            full = true;
            out.truncate(field);
        }
        if !full {
            out.extend_from_slice(text);
        }
    })?;
    if ended || choice.wanted {
        if !out.is_empty() && !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
    replace_nul(&mut out);
    *room = room.saturating_sub(out.len());
    Ok(Octets::Memory(out))
}

/// Gives the chosen lines piece by piece, each line end as CRLF, and says whether an empty line ended the
/// header. Lines that are no field are among those not named.
fn each_chosen<S: Source + ?Sized>(
    source: &S,
    range: Range<u64>,
    choice: &Choice,
    mut take: impl FnMut(&[u8]),
) -> io::Result<bool> {
    let mut taking = !choice.wanted;
    let mut pieces = Pieces::new(source, range);
    while let Some(piece) = pieces.next()? {
        match line(&piece) {
            Line::End => return Ok(true),
            Line::More => {}
            Line::Junk => taking = !choice.wanted,
            Line::Field { name, .. } => taking = choice.takes(name),
        }
        if taking {
            take(piece.text());
            if piece.line_end() > 0 {
                take(b"\r\n");
            }
        }
    }
    Ok(false)
}
