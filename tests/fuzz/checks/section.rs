//! What FETCH means of a message: every section and content that a client can name is the octets that lie where
//! BODYSTRUCTURE says, counted out here from the structure alone, and any part of it what lies there.
//!
//! Octet 1 says how many octets a read brings; up to the next line end stands what is asked for; the rest is the
//! message.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

use culver::imap::command::{Command, CommandBody};
use culver::imap::encode::fetch::{Items, nil};
use culver::imap::fetch::{FetchItem, Partial, Section, SectionText};
use culver::imap::parse;
use culver::imap::sequence::SeqNum;
use culver::imap::structure::{BodyStructure, SingleKind};
use culver::message::binary::{self, BinaryStream, Located};
use culver::message::crlf::CrlfStream;
use culver::message::mime::{self, Content, Structure};
use culver::message::section::{self, FIELDS_MAX, Octets};
use culver::message::structure::Form;

use crate::message::{Short, as_sent, partial, slice};

/// What a row of part numbers names.
#[derive(Clone, Debug)]
struct Named {
    header: Range<u64>,
    body: Range<u64>,
    lines: u64,
    /// Header and body of the message that it is.
    message: Option<[Range<u64>; 2]>,
    /// How many parts it is said to have, as a multipart.
    parts: Option<usize>,
    /// It is no part of the file: the part of a multipart without parts.
    made_up: bool,
}

type Names = BTreeMap<Vec<u32>, Named>;

pub fn check(octets: &[u8]) {
    let Some((how, rest)) = octets.split_first() else {
        return;
    };
    let asked = rest.split(|octet| *octet == b'\n').next().unwrap();
    let message = rest.get(asked.len() + 1..).unwrap_or_default();
    let line = [b"a FETCH 1 (", asked, b")"].concat();
    let Ok(Command { body, .. }) = parse::command(&line) else {
        return;
    };
    let CommandBody::Fetch { items, .. } = body else {
        panic!("{body:?}");
    };
    let short = Short(message, usize::from(how % 16) + 1);
    let structure = mime::parse(&short).unwrap();
    let mut names = Names::new();
    let whole = &structure.parts[0];
    let top = Named {
        message: Some([whole.header.clone(), whole.body.clone()]),
        header: 0..0,
        ..named(&structure, 0)
    };
    names.insert(
        Vec::new(),
        Named {
            body: 0..message.len() as u64,
            ..top
        },
    );
    name_message(&structure, 0, &[], &mut names);
    assert!(names.len() <= 2 * structure.parts.len() + 1);
    for (extended, rev2) in [(false, false), (true, false), (true, true)] {
        let form = Form { extended, rev2 };
        let told = structure.body_structure(&short, form).unwrap();
        told_message(&told, &[], message, &names);
    }
    for item in &items {
        match item {
            FetchItem::BodySection {
                section, partial, ..
            } => {
                echoed(section, *partial);
                answered(&short, message, &structure, &names, section, *partial);
            }
            FetchItem::Binary { part, partial, .. } => {
                decoded(&short, message, &structure, &names, part, *partial);
            }
            FetchItem::BinarySize { part } => {
                decoded(&short, message, &structure, &names, part, None);
            }
            _ => {}
        }
    }
}

fn named(structure: &Structure, at: usize) -> Named {
    let part = &structure.parts[at];
    let inner = |at: usize| {
        let inner = &structure.parts[at];
        [inner.header.clone(), inner.body.clone()]
    };
    Named {
        header: part.header.clone(),
        body: part.body.clone(),
        lines: part.lines,
        message: match part.content {
            Content::Message(at) => Some(inner(at)),
            _ => None,
        },
        parts: match &part.content {
            Content::Multipart(parts) => Some(parts.len()),
            _ => None,
        },
        made_up: false,
    }
}

/// RFC 3501 §6.4.5: "Every message has at least one part number. Non-[MIME-IMB] messages, and non-multipart
/// [MIME-IMB] messages with no encapsulated message, only have a part 1."
fn name_message(structure: &Structure, at: usize, before: &[u32], names: &mut Names) {
    match &structure.parts[at].content {
        Content::Multipart(_) => name_parts(structure, at, before, names),
        _ => name_part(structure, at, &[before, &[1]].concat(), names),
    }
}

fn name_parts(structure: &Structure, at: usize, before: &[u32], names: &mut Names) {
    let Content::Multipart(parts) = &structure.parts[at].content else {
        panic!("no multipart");
    };
    for (number, part) in (1..).zip(parts) {
        name_part(structure, *part, &[before, &[number]].concat(), names);
    }
    if parts.is_empty() {
        let end = structure.parts[at].body.end;
        let nothing = Named {
            header: end..end,
            body: end..end,
            lines: 0,
            message: None,
            parts: None,
            made_up: true,
        };
        names.insert([before, &[1]].concat(), nothing);
    }
}

fn name_part(structure: &Structure, at: usize, path: &[u32], names: &mut Names) {
    let twice = names.insert(path.to_vec(), named(structure, at));
    assert!(twice.is_none());
    match &structure.parts[at].content {
        Content::Multipart(_) => name_parts(structure, at, path, names),
        Content::Message(inner) => name_message(structure, *inner, path, names),
        Content::Leaf | Content::Opaque => {}
    }
}

/// BODYSTRUCTURE has the parts that the numbers name, with their sizes.
fn told_message(told: &BodyStructure, before: &[u32], message: &[u8], names: &Names) {
    match told {
        BodyStructure::Multi { parts, .. } => told_parts(parts, before, message, names),
        BodyStructure::Single { .. } => {
            told_part(told, &[before, &[1]].concat(), message, names);
            assert!(!names.contains_key(&[before, &[2]].concat()));
        }
    }
}

fn told_parts(parts: &[BodyStructure], before: &[u32], message: &[u8], names: &Names) {
    for (number, part) in (1..).zip(parts) {
        told_part(part, &[before, &[number]].concat(), message, names);
    }
    let beyond = u32::try_from(parts.len()).unwrap() + 1;
    assert!(!names.contains_key(&[before, &[beyond]].concat()));
}

fn told_part(told: &BodyStructure, path: &[u32], message: &[u8], names: &Names) {
    let part = names.get(path).unwrap_or_else(|| panic!("{path:?}"));
    match told {
        BodyStructure::Multi { parts, .. } => {
            assert_eq!(part.parts.map(|count| count.max(1)), Some(parts.len()));
            told_parts(parts, path, message, names);
        }
        BodyStructure::Single { fields, kind, .. } => {
            assert_eq!(part.parts, None);
            let body = as_sent(slice(message, &part.body));
            assert_eq!(fields.size, body.len() as u64, "{path:?}");
            match kind {
                SingleKind::Basic => {}
                SingleKind::Text { lines } => assert_eq!(*lines, part.lines),
                SingleKind::Message { body, lines, .. } => {
                    assert_eq!(*lines, part.lines);
                    assert!(part.message.is_some());
                    told_message(body, path, message, names);
                }
            }
        }
    }
}

/// The answer names the section as a client can read it.
fn echoed(section: &Section, partial: Option<Partial>) {
    let mut out = Vec::new();
    let mut items = Items::begin(&mut out, SeqNum::from_index(0).unwrap());
    items.section(&mut out, section, partial);
    let name = out["* 1 FETCH (".len()..].trim_ascii_end().to_vec();
    nil(&mut out);
    items.end(&mut out);
    // `<origin>` in the answer is `<origin.length>` in the question.
    let name = match partial {
        Some(_) => [name.strip_suffix(b">").unwrap(), b".1>"].concat(),
        None => name,
    };
    let line = [b"a FETCH 1 ", name.as_slice()].concat();
    let command = parse::command(&line).unwrap_or_else(|_| panic!("{}", line.escape_ascii()));
    let CommandBody::Fetch { items, .. } = command.body else {
        panic!("{:?}", command.body);
    };
    let expected = FetchItem::BodySection {
        peek: false,
        section: section.clone(),
        partial: partial.map(|Partial { offset, .. }| Partial { offset, length: 1 }),
    };
    assert_eq!(items, [expected]);
}

fn numbers(path: &[NonZeroU32]) -> Vec<u32> {
    path.iter().map(|number| number.get()).collect()
}

fn answered(
    short: &Short,
    message: &[u8],
    structure: &Structure,
    names: &Names,
    section: &Section,
    asked: Option<Partial>,
) {
    let mut room = FIELDS_MAX;
    let located = section::locate(structure, short, section, &mut room).unwrap();
    let expected = names
        .get(&numbers(&section.part))
        .and_then(|part| expected(message, part, section));
    let Some(mut expected) = expected else {
        assert_eq!(located, None, "{section:?}");
        return;
    };
    for octet in &mut expected {
        *octet = if *octet == 0 { 0x80 } else { *octet };
    }
    let Partial { offset, length } = asked.unwrap_or(ALL);
    let (memory, mut stream) = match located.unwrap_or_else(|| panic!("{section:?}")) {
        Octets::Memory(octets) => {
            assert_eq!(room, FIELDS_MAX - octets.len());
            let size = octets.len() as u64;
            (Some(octets), CrlfStream::new(0..size, size, offset, length))
        }
        Octets::File {
            range,
            virtual_size,
        } => {
            assert!(range.start <= range.end && range.end <= message.len() as u64);
            assert_eq!(room, FIELDS_MAX);
            (None, CrlfStream::new(range, virtual_size, offset, length))
        }
    };
    let announced = stream.remaining();
    let mut out = Vec::new();
    while stream.remaining() > 0 {
        match &memory {
            Some(octets) => stream
                .fill(octets.as_slice(), &mut out, short.1 * 3)
                .unwrap(),
            None => stream.fill(short, &mut out, short.1 * 3).unwrap(),
        }
    }
    assert_eq!(announced, out.len() as u64);
    assert_eq!(
        out.escape_ascii().to_string(),
        partial(&expected, offset, length)
            .escape_ascii()
            .to_string(),
        "{section:?}"
    );
}

const ALL: Partial = Partial {
    offset: 0,
    length: u64::MAX,
};

/// The octets of a section; `None` where it is not there.
fn expected(message: &[u8], part: &Named, section: &Section) -> Option<Vec<u8>> {
    let sent = |range: &Range<u64>| as_sent(slice(message, range));
    match (&section.text, &part.message) {
        (SectionText::Whole, _) => Some(sent(&part.body)),
        (SectionText::Mime, _) => Some(sent(&part.header)),
        _ if part.made_up => None,
        (_, None) => None,
        (SectionText::Text, Some([_, body])) => Some(sent(body)),
        (SectionText::Header, Some([header, _])) => Some(sent(header)),
        (SectionText::HeaderFields(names), Some([header, _])) => {
            let (mut lines, _) = fields(&sent(header), |name| is_one_of(name, names));
            if !lines.is_empty() && !lines.ends_with(b"\r\n") {
                lines.extend_from_slice(b"\r\n");
            }
            lines.extend_from_slice(b"\r\n");
            Some(lines)
        }
        (SectionText::HeaderFieldsNot(names), Some([header, _])) => {
            let (mut lines, ended) = fields(&sent(header), |name| !is_one_of(name, names));
            if ended {
                lines.extend_from_slice(b"\r\n");
            }
            Some(lines)
        }
    }
}

fn is_one_of(name: Option<&[u8]>, names: &[Vec<u8>]) -> bool {
    name.is_some_and(|name| names.iter().any(|other| other.eq_ignore_ascii_case(name)))
}

/// The lines of a header's fields that are wanted, and whether an empty one ended it. What is no field has no
/// name.
fn fields(header: &[u8], wanted: impl Fn(Option<&[u8]>) -> bool) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut taking = wanted(None);
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        if line == b"\r\n" {
            return (out, true);
        }
        if !matches!(line, [b' ' | b'\t', ..]) {
            let colon = line.iter().position(|octet| *octet == b':');
            // Blanks before the colon are no part of the name; a CR is.
            let blank = |octet: &u8| matches!(octet, b' ' | b'\t');
            let name = |at: usize| {
                &line[..line[..at]
                    .iter()
                    .rposition(|octet| !blank(octet))
                    .map_or(0, |last| last + 1)]
            };
            taking = wanted(colon.map(name));
        }
        if taking {
            out.extend_from_slice(line);
        }
    }
    (out, false)
}

/// A content without its encoding: where there is none, the part's octets; else no more than these, and a part of
/// it what lies there.
fn decoded(
    short: &Short,
    message: &[u8],
    structure: &Structure,
    names: &Names,
    path: &[NonZeroU32],
    asked: Option<Partial>,
) {
    let part = names.get(&numbers(path));
    let encoded = match binary::locate(structure, short, path).unwrap() {
        Located::Encoded(encoded) => encoded,
        Located::UnknownEncoding => return assert!(part.is_some()),
        Located::Nothing => return assert!(part.is_none()),
    };
    let part = part.unwrap_or_else(|| panic!("{path:?}"));
    let read = |Partial { offset, length }: Partial| {
        let mut stream = BinaryStream::open(short, &encoded, offset, length).unwrap();
        let announced = stream.remaining();
        let mut out = Vec::new();
        while stream.remaining() > 0 {
            stream.fill(short, &mut out, short.1 * 3).unwrap();
        }
        assert_eq!(announced, out.len() as u64);
        assert_eq!(stream.has_nul(), out.contains(&0));
        out
    };
    let whole = read(ALL);
    let sent = as_sent(slice(message, &part.body));
    assert!(whole.len() <= sent.len());
    let header = slice(message, &part.header).to_ascii_lowercase();
    if path.is_empty() || !header.windows(8).any(|name| name == b"encoding") {
        assert_eq!(whole, sent);
    }
    let asked = asked.unwrap_or(Partial {
        offset: 1,
        length: 3,
    });
    assert_eq!(read(asked), partial(&whole, asked.offset, asked.length));
}
