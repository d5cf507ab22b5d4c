//! The MIME structure of a message by offsets (RFC 2045, RFC 2046): one pass, bounded, linear.
//!
//! The message is read line by line. A stack holds the parts that are open; a line that begins with `--`
//! is compared with their boundaries from the innermost outward, and the longest that fits wins. The line
//! end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1), also where it is the empty line
//! that would have ended a header. What the parts say beyond their type is read again when it is asked
//! for: see [`crate::message::structure`].

use std::io;
use std::ops::Range;

use crate::message::Source;
use crate::message::header::{Collector, HEADER_MAX};
use crate::message::parameter::ContentType;
use crate::message::pieces::{Piece, Pieces};
use crate::message::text::Text;

/// How deep parts are looked for; the message itself is at depth 1.
const DEPTH_MAX: usize = 100;
/// How many parts are looked for. The last one holds all that follows.
const PARTS_MAX: usize = 10_000;
/// Octets of a boundary that are compared; RFC 2046 §5.1.1 allows 70.
const BOUNDARY_MAX: usize = 1000;

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
    /// Octets of `header` with every line end as CRLF.
    pub header_virtual: u64,
    /// What follows.
    pub body: Range<u64>,
    /// Octets of `body` with every line end as CRLF.
    pub body_virtual: u64,
    /// Lines of `body`: its line ends, as Dovecot counts.
    pub lines: u64,
    /// What is inside: indices into [`Structure::parts`].
    pub content: Content,
    /// How its body is encoded if that is read as text; `None` for a part of another media type that holds nothing.
    pub text: Option<Text>,
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing that is a part.
    Leaf,
    /// `multipart/…`
    Multipart(Vec<usize>),
    /// `message/rfc822` or `message/global`
    Message(usize),
    /// Parts that were not looked for, because there are too many or they lie too deep.
    Opaque,
}

/// A message's parts by offsets alone, without what would have to be counted: where they lie, and which of them are
/// text.
#[derive(Clone, Debug)]
pub struct Outline {
    /// As in [`Structure::parts`]. What is said of their lines and virtual octets is not true.
    pub(super) parts: Vec<Part>,
}

impl From<Structure> for Outline {
    fn from(structure: Structure) -> Outline {
        Outline {
            parts: structure.parts,
        }
    }
}

/// Reads a message once and notes where its parts are. Fails only where reading does.
pub fn parse<S: Source + ?Sized>(source: &S) -> io::Result<Structure> {
    read(source, true)
}

/// The same for those who do not ask for sizes.
pub fn outline<S: Source + ?Sized>(source: &S) -> io::Result<Outline> {
    Ok(read(source, false)?.into())
}

fn read<S: Source + ?Sized>(source: &S, counts: bool) -> io::Result<Structure> {
    let mut pieces = Pieces::new(source, 0..source.len()?);
    let mut parser = Parser::new(counts);
    loop {
        if !parser.in_header && !parser.opening {
            let lines = pieces.lines_before_dashes()?;
            if !lines.is_empty() {
                parser.pass(lines);
                continue;
            }
        }
        match pieces.next()? {
            Some(piece) => parser.push(&piece),
            None => return Ok(parser.finish()),
        }
    }
}

/// The fields that decide about structure, and how a text is read.
fn is_structural(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"Content-Type")
        || name.eq_ignore_ascii_case(b"Content-Transfer-Encoding")
}

/// A place in the message, between two lines or at the end of one.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    offset: u64,
    /// Octets before it with every line end as CRLF.
    virtual_offset: u64,
    /// Line ends before it.
    lines: u64,
}

impl Place {
    fn min(self, other: Place) -> Place {
        if other.offset < self.offset {
            other
        } else {
            self
        }
    }

    fn max(self, other: Place) -> Place {
        if other.offset > self.offset {
            other
        } else {
            self
        }
    }
}

/// A part whose end has not come yet.
struct Open {
    part: usize,
    start: Place,
    /// Where its header ended, once it has.
    body: Option<Place>,
    /// What separates its parts, as long as they may come.
    boundary: Option<Vec<u8>>,
    /// Its parts are messages where they do not say otherwise (RFC 2046 §5.1.5).
    digest: bool,
    /// It is itself a part of a digest.
    in_digest: bool,
}

struct Parser {
    parts: Vec<Part>,
    stack: Vec<Open>,
    collector: Collector<fn(&[u8]) -> bool>,
    /// The innermost part's header is being read.
    in_header: bool,
    /// Where the next piece begins.
    here: Place,
    /// Where the last line ended, its line end not counted.
    before_line_end: Place,
    /// A delimiter has been read, whose line goes on.
    opening: bool,
    /// Lines and virtual octets are wanted.
    counts: bool,
}

impl Parser {
    fn new(counts: bool) -> Parser {
        let mut parser = Parser {
            parts: Vec::new(),
            stack: Vec::new(),
            collector: collector(),
            in_header: false,
            here: Place::default(),
            before_line_end: Place::default(),
            opening: false,
            counts,
        };
        parser.open(false);
        parser
    }

    /// Takes the next line, or a piece of a very long one.
    fn push(&mut self, piece: &Piece<'_>) {
        let delimiter = self.delimiter(piece);
        let start = self.here;
        let line_end = piece.line_end() as u64;
        let text_end = Place {
            offset: piece.next_offset() - line_end,
            virtual_offset: start.virtual_offset + piece.bytes.len() as u64 - line_end,
            lines: start.lines,
        };
        self.here = Place {
            offset: piece.next_offset(),
            virtual_offset: start.virtual_offset + piece.virtual_len(),
            lines: start.lines + u64::from(line_end > 0),
        };
        if let Some((depth, last)) = delimiter {
            self.end_parts_within(depth);
            self.opening = !last;
            if let Some(multipart) = self.stack.last_mut().filter(|_| last) {
                multipart.boundary = None;
            }
        } else if self.in_header && !self.collector.push(piece) {
            self.end_header(self.here);
        }
        self.before_line_end = text_end;
        // Only a whole line is a delimiter: at the end of the file, one without its end opens nothing.
        if self.opening && line_end > 0 {
            self.opening = false;
            let digest = self.stack.last().is_some_and(|multipart| multipart.digest);
            self.open(digest);
        }
    }

    /// Passes over whole lines of a body, none of which can be a delimiter.
    fn pass(&mut self, lines: &[u8]) {
        let last = if lines.ends_with(b"\r\n") { 2 } else { 1 };
        let length = lines.len() as u64;
        let (line_ends, crlf) = match self.counts {
            true => line_ends(lines),
            // The last one.
            false => (1, last - 1),
        };
        self.here.offset += length;
        self.here.virtual_offset += length + line_ends - crlf;
        self.here.lines += line_ends;
        self.before_line_end = Place {
            offset: self.here.offset - last,
            virtual_offset: self.here.virtual_offset - 2,
            lines: self.here.lines - 1,
        };
    }

    /// If the line is a delimiter: the place in the stack of the multipart it belongs to, and whether it is
    /// the last one.
    fn delimiter(&self, piece: &Piece<'_>) -> Option<(usize, bool)> {
        if !piece.first || self.parts.len() >= PARTS_MAX {
            return None;
        }
        let line = piece.text().strip_prefix(b"--")?;
        let mut found: Option<(usize, &[u8])> = None;
        for (depth, open) in self.stack.iter().enumerate().rev() {
            // "It is sufficient that the boundary appear in its entirety" at the line's beginning (RFC 2046
            // §5.1.1): what follows it does not matter.
            if let Some(boundary) = &open.boundary
                && line.starts_with(boundary)
                && found.is_none_or(|(_, other)| boundary.len() > other.len())
            {
                found = Some((depth, boundary));
            }
        }
        let (depth, boundary) = found?;
        let last = line.get(boundary.len()..).unwrap_or_default();
        Some((depth, last.starts_with(b"--")))
    }

    /// Begins a part here, with its header.
    fn open(&mut self, in_digest: bool) {
        let part = self.parts.len();
        let content = if part + 1 < PARTS_MAX {
            Content::Leaf
        } else {
            Content::Opaque
        };
        if let Some(outer) = self.stack.last()
            && let Some(outer) = self.parts.get_mut(outer.part)
        {
            match &mut outer.content {
                Content::Multipart(parts) => parts.push(part),
                other => *other = Content::Message(part),
            }
        }
        self.parts.push(Part {
            header: 0..0,
            header_virtual: 0,
            body: 0..0,
            body_virtual: 0,
            lines: 0,
            content,
            text: None,
        });
        self.stack.push(Open {
            part,
            start: self.here,
            body: None,
            boundary: None,
            digest: false,
            in_digest,
        });
        self.collector = collector();
        self.in_header = true;
    }

    /// Ends the innermost part's header: now it is known what it may hold. If it is a message, its part
    /// begins here, again with a header.
    fn end_header(&mut self, end: Place) {
        self.in_header = false;
        let header = std::mem::replace(&mut self.collector, collector()).finish();
        let may_hold_parts = self.stack.len() < DEPTH_MAX && self.parts.len() < PARTS_MAX;
        let Some(open) = self.stack.last_mut() else {
            return;
        };
        open.body = Some(end);
        let field = header.first(b"Content-Type");
        let content_type = field.and_then(ContentType::parse);
        let kind = match &content_type {
            Some(content_type) => Kind::of(content_type),
            None if field.is_none() && open.in_digest => Kind::Message,
            None => Kind::Text,
        };
        let Some(part) = self.parts.get_mut(open.part) else {
            return;
        };
        if !matches!(kind, Kind::Other) || part.content == Content::Opaque {
            part.text = Some(Text::of(&header, content_type.as_ref()));
        }
        match kind {
            Kind::Text | Kind::Other => {}
            _ if !may_hold_parts => part.content = Content::Opaque,
            Kind::Multipart { boundary, digest } => {
                part.content = Content::Multipart(Vec::new());
                open.boundary = boundary;
                open.digest = digest;
            }
            Kind::Message => self.open(false),
        }
    }

    /// Ends all parts inside the multipart at `depth` before the delimiter that has just been read.
    fn end_parts_within(&mut self, depth: usize) {
        if let Some(outermost) = self.stack.get(depth + 1) {
            // The line end before the delimiter is not the part's, but may be that of the last delimiter.
            let end = self.before_line_end.max(outermost.start);
            self.end_parts(depth + 1, end);
        }
    }

    /// Ends all parts from place `keep` of the stack.
    fn end_parts(&mut self, keep: usize, end: Place) {
        // Twice at the most: a message within the part is empty and holds nothing.
        while self.in_header {
            self.end_header(end);
        }
        for open in self.stack.drain(keep..).rev() {
            let start = open.start.min(end);
            let body = open.body.unwrap_or(end).min(end);
            if let Some(part) = self.parts.get_mut(open.part) {
                part.header = start.offset..body.offset;
                part.header_virtual = body.virtual_offset - start.virtual_offset;
                part.body = body.offset..end.offset;
                part.body_virtual = end.virtual_offset - body.virtual_offset;
                part.lines = end.lines - body.lines;
            }
        }
    }

    fn finish(mut self) -> Structure {
        self.end_parts(0, self.here);
        Structure {
            parts: self.parts,
            virtual_size: self.here.virtual_offset,
        }
    }
}

/// Octets counted together: so few that one octet holds the count, and the compiler makes vectors of that.
const RUN: usize = 240;

/// How many line ends there are, and how many of them are CRLF.
fn line_ends(bytes: &[u8]) -> (u64, u64) {
    let after = bytes.get(1..).unwrap_or_default();
    let (mut all, mut crlf) = (u64::from(bytes.starts_with(b"\n")), 0);
    for (firsts, seconds) in bytes.chunks(RUN).zip(after.chunks(RUN)) {
        let (mut all_here, mut crlf_here) = (0_u8, 0_u8);
        for (first, second) in firsts.iter().zip(seconds) {
            let ends = u8::from(*second == b'\n');
            all_here += ends;
            crlf_here += ends & u8::from(*first == b'\r');
        }
        all += u64::from(all_here);
        crlf += u64::from(crlf_here);
    }
    (all, crlf)
}

fn collector() -> Collector<fn(&[u8]) -> bool> {
    Collector::new(HEADER_MAX, is_structural)
}

/// What a part's type means for the structure.
enum Kind {
    Text,
    Multipart {
        boundary: Option<Vec<u8>>,
        digest: bool,
    },
    Message,
    Other,
}

impl Kind {
    fn of(content_type: &ContentType) -> Kind {
        if content_type.is(b"multipart") {
            // A boundary does not end in a space (RFC 2046 §5.1.1).
            let boundary = content_type.parameter(b"boundary").map(|boundary| {
                let boundary = boundary.trim_ascii_end();
                boundary.get(..BOUNDARY_MAX).unwrap_or(boundary).to_vec()
            });
            Kind::Multipart {
                boundary,
                digest: content_type.is_sub(b"digest"),
            }
        } else if is_message(content_type) {
            Kind::Message
        } else if content_type.is(b"text") || content_type.is(b"message") {
            Kind::Text
        } else {
            Kind::Other
        }
    }
}

/// Whether the body is a message: message/rfc822, or message/global (RFC 6532 §3.7). A transfer encoding,
/// which RFC 2046 §5.2.1 forbids, does not change that; the message is then just not to be understood.
fn is_message(content_type: &ContentType) -> bool {
    content_type.is(b"message")
        && (content_type.is_sub(b"rfc822") || content_type.is_sub(b"global"))
}
