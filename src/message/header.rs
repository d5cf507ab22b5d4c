//! Header fields (RFC 5322 §2.2): which line begins which field, and a bounded copy of wanted ones.
//!
//! A header ends with its first empty line, or where the message ends. A line without a colon is
//! passed over with the lines that continue it: nothing in a header can end it early.

use std::io;
use std::ops::Range;

use crate::message::Source;
use crate::message::lexer::is_space;
use crate::message::pieces::{Piece, Pieces};

/// Octets kept of one field. What is longer is cut.
const FIELD_MAX: usize = 256 * 1024;
/// Octets kept of one header, all fields together.
pub const HEADER_MAX: usize = 1024 * 1024;
/// Fields kept of one header.
const FIELDS_MAX: usize = 10_000;

/// What a piece of a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'b> {
    /// The first line of a field.
    Field {
        /// Its name, without white space before the colon (RFC 5322 §4.5.8).
        name: &'b [u8],
        /// What follows the colon, with the line end.
        body: &'b [u8],
    },
    /// More of what the line before began.
    More,
    /// No field: a line without a colon, such as mbox's `From `.
    Junk,
    /// The empty line.
    End,
}

/// Says what a line of a header is, by its first piece.
pub fn line<'b>(piece: &Piece<'b>) -> Line<'b> {
    if !piece.first {
        return Line::More;
    }
    match piece.bytes {
        b"\n" | b"\r\n" => return Line::End,
        [b' ' | b'\t', ..] => return Line::More,
        _ => {}
    }
    let Some(colon) = memchr::memchr(b':', piece.bytes) else {
        return Line::Junk;
    };
    let (name, rest) = piece.bytes.split_at_checked(colon).unwrap_or_default();
    // "field-name *WSP ":"" (RFC 5322 §4.5): a CR there is a part of the name.
    let last = name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    Line::Field {
        name: name.get(..last.map_or(0, |at| at + 1)).unwrap_or_default(),
        body: rest.get(1..).unwrap_or_default(),
    }
}

/// The wanted fields of a header, as many and as much of them as the limits allow.
#[derive(Clone, Debug, Default)]
pub struct Header {
    text: Vec<u8>,
    fields: Vec<Field>,
}

/// Where in [`Header::text`] a field lies.
#[derive(Clone, Debug)]
struct Field {
    name: Range<usize>,
    body: Range<usize>,
}

impl Header {
    /// Reads the fields of a header whose names `wanted` takes, compared as it likes.
    pub fn read<S: Source + ?Sized>(
        source: &S,
        range: Range<u64>,
        limit: usize,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Header> {
        let mut collector = Collector::new(limit, wanted);
        let mut pieces = Pieces::new(source, range);
        while let Some(piece) = pieces.next()? {
            if !collector.push(&piece) {
                break;
            }
        }
        Ok(collector.finish())
    }

    /// Names and bodies in their order. A body is as written, folded, with its last line end.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| {
            let part = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
            (part(&field.name), part(&field.body))
        })
    }

    /// The bodies of all fields of a name.
    pub fn all<'h>(&'h self, name: &'h [u8]) -> impl DoubleEndedIterator<Item = &'h [u8]> {
        self.fields()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, body)| body)
    }

    /// The body of the first field of a name.
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, body)| body)
    }

    /// The body of the last field of a name.
    pub fn last(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields()
            .rfind(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, body)| body)
    }

    /// How much memory its text takes.
    pub fn size(&self) -> usize {
        self.text.len()
    }
}

/// Takes a header line by line and keeps the fields that are wanted.
#[derive(Debug)]
pub struct Collector<W> {
    header: Header,
    limit: usize,
    wanted: W,
    /// The last line belongs to the last field kept, and what follows it too.
    keeping: bool,
}

impl<W: Fn(&[u8]) -> bool> Collector<W> {
    /// Keeps at most `limit` octets.
    pub fn new(limit: usize, wanted: W) -> Collector<W> {
        Collector {
            header: Header::default(),
            limit: limit.min(HEADER_MAX),
            wanted,
            keeping: false,
        }
    }

    /// Takes the next piece; `false` if it was the empty line that ends the header.
    pub fn push(&mut self, piece: &Piece<'_>) -> bool {
        match line(piece) {
            Line::End => return false,
            Line::Junk => self.keeping = false,
            Line::More => self.extend(piece.bytes),
            Line::Field { name, body } => {
                self.keeping = (self.wanted)(name)
                    && self.header.fields.len() < FIELDS_MAX
                    && self.header.text.len() + name.len() <= self.limit;
                if self.keeping {
                    let start = self.header.text.len();
                    self.header.text.extend_from_slice(name);
                    let end = self.header.text.len();
                    self.header.fields.push(Field {
                        name: start..end,
                        body: end..end,
                    });
                    self.extend(body);
                }
            }
        }
        true
    }

    fn extend(&mut self, bytes: &[u8]) {
        let Some(field) = self.header.fields.last_mut().filter(|_| self.keeping) else {
            return;
        };
        let room = (FIELD_MAX.saturating_sub(field.body.len()))
            .min(self.limit.saturating_sub(self.header.text.len()));
        let kept = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.header.text.extend_from_slice(kept);
        field.body.end = self.header.text.len();
    }

    /// What has been kept.
    pub fn finish(self) -> Header {
        self.header
    }
}

/// A field's body on one line: white space at its ends and all line ends taken away. A CR that belongs to no line
/// end divides words: it becomes a space where there is none.
pub fn unfolded(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    let mut after_return = false;
    for &byte in trimmed(body) {
        if after_return && !byte.is_ascii_whitespace() {
            text.push(b' ');
        }
        after_return = byte == b'\r';
        match byte {
            b'\r' | b'\n' => {}
            _ => push(&mut text, byte),
        }
    }
    text
}

/// A field's body for people: like [`unfolded`], and each run of white space is one space.
pub fn compressed(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    for &byte in trimmed(body) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                if text.last() != Some(&b' ') {
                    text.push(b' ');
                }
            }
            _ => push(&mut text, byte),
        }
    }
    text
}

/// Without the white space at both ends, which is none but that of header fields.
fn trimmed(body: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !is_space(*byte);
    let start = body.iter().position(is_text).unwrap_or(body.len());
    let end = body.iter().rposition(is_text).map_or(start, |at| at + 1);
    body.get(start..end).unwrap_or_default()
}

/// NUL cannot be said in IMAP (RFC 3501 §9, CHAR8): U+FFFD stands for it.
fn push(text: &mut Vec<u8>, byte: u8) {
    match byte {
        0 => text.extend_from_slice("\u{fffd}".as_bytes()),
        _ => text.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Header {
        Header::read(text, 0..text.len() as u64, HEADER_MAX, |_| true).unwrap()
    }

    #[test]
    fn fields_by_name() {
        let header = read(b"From x y: z\n a\r\nTo : b\nno colon\n more\nto:c\r\n d\n\nTo: body\n");
        let fields: Vec<_> = header.fields().collect();
        let expected: Vec<(&[u8], &[u8])> = vec![
            (b"From x y", b" z\n a\r\n"),
            (b"To", b" b\n"),
            (b"to", b"c\r\n d\n"),
        ];
        assert_eq!(fields, expected);
        assert_eq!(header.first(b"TO"), Some(&b" b\n"[..]));
        assert_eq!(header.last(b"TO"), Some(&b"c\r\n d\n"[..]));
        assert_eq!(header.first(b"Cc"), None);
    }

    #[test]
    fn names() {
        let header = read(b"To \t: b\nTo\r: c\n: d\nTo\x0c: e\nCc: f\n");
        let names: Vec<_> = header.fields().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"To"[..], b"To\r", b"", b"To\x0c", b"Cc"]);
    }

    #[test]
    fn no_line_ends_a_header_but_an_empty_one() {
        let header = read(b" \nA: 1\n \n\t\nB: 2\r\r\nC: 3");
        assert_eq!(header.fields().count(), 3);
        assert_eq!(header.first(b"a"), Some(&b" 1\n \n\t\n"[..]));
        assert_eq!(header.first(b"c"), Some(&b" 3"[..]));
    }

    #[test]
    fn limits() {
        let mut text = b"A: ".to_vec();
        text.resize(FIELD_MAX * 2, b'x');
        text.extend_from_slice(b"\nB: 2\n");
        let header = read(&text);
        assert_eq!(header.first(b"A").map(<[u8]>::len), Some(FIELD_MAX));
        assert_eq!(header.first(b"B"), Some(&b" 2\n"[..]));

        let header = read(&b"A: 1\n".repeat(FIELDS_MAX * 2));
        assert_eq!(header.fields().count(), FIELDS_MAX);

        let mut long = b"A: ".to_vec();
        long.resize(FIELD_MAX, b'y');
        long.push(b'\n');
        let header = read(&long.repeat(8));
        assert!(header.size() <= HEADER_MAX);
    }

    #[test]
    fn folds() {
        assert_eq!(unfolded(b"  a\r\n\tb\n c \n"), b"a\tb c");
        assert_eq!(unfolded(b" a\rb\r\r\n c\r\r d \r\re\r\r\n"), b"a b c d  e");
        assert_eq!(
            compressed(b"\n  a \t\n b\t\0c \n"),
            "a b \u{fffd}c".as_bytes()
        );
        assert_eq!(unfolded(b" \n"), b"");
        // A form feed is text, if not much of one (RFC 5322 §2.2.2 has SP and HTAB).
        assert_eq!(unfolded(b" \x0c\t\r\n"), b"\x0c");
        assert_eq!(compressed(b"\x0c a \x0c \r\n"), b"\x0c a \x0c");
    }
}
