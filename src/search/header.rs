//! A message's or a part's header as SEARCH reads it: field by field, or as it lies where that says the same.

use std::io;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::message::Source;
use crate::message::header::{Line, line};
use crate::message::pieces::Pieces;

/// Octets of a header field given at once. An encoded word across the border is not seen as one.
const FIELD_PIECE: usize = 64 * 1024;

/// What an encoded word begins with (RFC 2047 §2).
static ENCODED: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"=?"));

/// A header that lies in memory, if its words stand there as they are shown: nothing is encoded (RFC 2047). Only
/// white space is not as in the fields' text.
pub(super) fn plain_header<'s, S: Source + ?Sized>(
    source: &'s S,
    range: &Range<u64>,
) -> Option<&'s str> {
    let whole = source.in_memory()?;
    let start = usize::try_from(range.start).ok()?;
    let end = whole.len().min(usize::try_from(range.end).ok()?);
    let rest = whole.get(start..end)?;
    let header = rest.get(..header_length(rest).unwrap_or(rest.len()))?;
    let text = simdutf8::basic::from_utf8(header).ok()?;
    ENCODED.find(header).is_none().then_some(text)
}

/// Octets of the header with the empty line that ends it, if that is among these.
pub(super) fn header_length(bytes: &[u8]) -> Option<usize> {
    let line_end = |at: usize| match bytes.get(at..) {
        Some([b'\n', ..]) => Some(at + 1),
        Some([b'\r', b'\n', ..]) => Some(at + 2),
        _ => None,
    };
    line_end(0).or_else(|| memchr::memchr_iter(b'\n', bytes).find_map(|at| line_end(at + 1)))
}

/// A header field, or a piece of a very long one.
pub(super) struct Field<'b> {
    /// Empty for a line that is no field.
    pub name: &'b [u8],
    pub body: &'b [u8],
    pub is_first: bool,
    pub is_last: bool,
    /// What joins this piece to the one before: the white space that parts their lines.
    pub joint: &'static str,
}

/// Reads a header field by field, until it ends or `take` has enough and gives false.
pub(super) fn each_field<S: Source + ?Sized>(
    source: &S,
    range: Range<u64>,
    mut take: impl FnMut(Field<'_>) -> bool,
) -> io::Result<()> {
    let mut pieces = Pieces::new(source, range);
    let (mut name, mut body) = (Vec::new(), Vec::new());
    // Whether `body` holds something, whether it began the field, and what joins it to what came before.
    let (mut inside, mut is_first, mut joint) = (false, true, "");
    loop {
        let piece = pieces.next()?;
        let begins = piece.as_ref().map_or(Line::End, line);
        let is_last = begins != Line::More;
        if inside && (is_last || body.len() >= FIELD_PIECE) {
            let wants_more = take(Field {
                name: &name,
                body: &body,
                is_first,
                is_last,
                joint,
            });
            if !wants_more {
                return Ok(());
            }
            let ended_line = body.ends_with(b"\n");
            (is_first, joint) = match is_last {
                true => (true, ""),
                false => (false, if ended_line { " " } else { "" }),
            };
            body.clear();
        }
        match begins {
            Line::End => return Ok(()),
            Line::Field {
                name: begun,
                body: text,
            } => {
                name.clear();
                name.extend_from_slice(begun);
                body.extend_from_slice(text);
            }
            Line::Junk | Line::More => {
                if is_last || !inside {
                    name.clear();
                }
                body.extend_from_slice(piece.map_or(b"".as_slice(), |piece| piece.bytes));
            }
        }
        inside = true;
    }
}
