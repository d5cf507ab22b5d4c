//! Messages: whatever the octets are, they have a structure whose parts lie in each other, whose sizes are
//! those of the octets sent, and whose ENVELOPE and BODYSTRUCTURE a client can read. It does not depend on how
//! many octets each read brings.
//!
//! Octet 1 says how many that are and where partial FETCHes begin; the rest is the message.

use std::io;
use std::num::NonZeroU32;

use culver::imap::encode::fetch::Items;
use culver::imap::fetch::{Section, SectionText};
use culver::imap::sequence::SeqNum;
use culver::message::binary::{self, BinaryStream, Located};
use culver::message::crlf::{self, CrlfStream};
use culver::message::decode::{TextDecoder, header_text};
use culver::message::mime::{self, Content, Outline, Structure};
use culver::message::preview::preview;
use culver::message::section::{self, FIELDS_MAX, Octets};
use culver::message::structure::{self, Form};
use culver::message::{Source, date};

/// Part numbers that are tried, at the most.
const PATHS: usize = 40;

/// A file that gives at most so many octets at a read.
pub(crate) struct Short<'m>(pub(crate) &'m [u8], pub(crate) usize);

impl Source for Short<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.1);
        self.0.read_at(offset, &mut buffer[..count])
    }
}

pub fn check(octets: &[u8]) {
    let Some((how, message)) = octets.split_first() else {
        return;
    };
    let step = usize::from(how % 16) + 1;
    let short = Short(message, step);
    let structure = mime::parse(message).unwrap();
    let again = mime::parse(&short).unwrap();
    assert_eq!(format!("{structure:?}"), format!("{again:?}"));
    nested(message, &structure);
    shown(message, &short, &structure);
    for part in paths(message, &structure) {
        sections(message, &short, &structure, &part, usize::from(*how));
        content(message, &short, &structure, &part, usize::from(*how));
    }
    texts(message, &structure, step);
    without_binary(message, &short);
    previewed(message, &short);
}

/// Parts lie where they say, in their order, and their sizes are right.
fn nested(message: &[u8], structure: &Structure) {
    let whole = &structure.parts[0];
    assert_eq!(
        (whole.header.start, whole.body.end),
        (0, message.len() as u64)
    );
    assert_eq!(structure.virtual_size, as_sent(message).len() as u64);
    for (at, part) in structure.parts.iter().enumerate() {
        assert!(part.header.start <= part.header.end);
        assert_eq!(part.header.end, part.body.start);
        let [header, body] = [&part.header, &part.body].map(|range| {
            assert_eq!(
                crlf::virtual_size(message, range.clone()).unwrap(),
                as_sent(slice(message, range)).len() as u64
            );
            slice(message, range)
        });
        assert_eq!(part.header_virtual, as_sent(header).len() as u64);
        assert_eq!(part.body_virtual, as_sent(body).len() as u64);
        let ends = body.iter().filter(|octet| **octet == b'\n').count();
        assert_eq!(part.lines, ends as u64, "part {at}");
        let inside: &[usize] = match &part.content {
            Content::Leaf | Content::Opaque => &[],
            Content::Multipart(parts) => parts,
            Content::Message(inner) => std::slice::from_ref(inner),
        };
        let mut from = part.body.start;
        for inner in inside {
            assert!(*inner > at);
            let inner = &structure.parts[*inner];
            assert!(from <= inner.header.start && inner.body.end <= part.body.end);
            from = inner.body.end;
        }
    }
}

/// ENVELOPE and both forms of the structure can be read.
fn shown(message: &[u8], short: &Short, structure: &Structure) {
    let mut out = Vec::new();
    let mut items = Items::begin(&mut out, SeqNum::from_index(0).unwrap());
    let envelope = structure::own_envelope(message).unwrap();
    assert_eq!(structure::own_envelope(short).unwrap(), envelope);
    for text in [&envelope.date, &envelope.subject].into_iter().flatten() {
        let _ = date::sent_day(text);
        let _ = header_text(text);
    }
    items.envelope(&mut out, &envelope);
    for (name, extended, rev2) in [
        ("BODY", false, false),
        ("BODYSTRUCTURE", true, false),
        ("BODYSTRUCTURE", true, true),
    ] {
        let form = Form { extended, rev2 };
        let body = structure.body_structure(message, form).unwrap();
        let again = structure.body_structure(short, form).unwrap();
        assert_eq!(format!("{body:?}"), format!("{again:?}"));
        items.body_structure(&mut out, name, &body);
    }
    items.end(&mut out);
    expect_lists(&out);
}

/// Lists, strings and numbers, one space between them, and CRLF at the end.
fn expect_lists(out: &[u8]) {
    let mut depth = 0;
    let mut rest = out;
    while let Some((octet, behind)) = rest.split_first() {
        rest = behind;
        match octet {
            b'(' => {
                depth += 1;
                assert_ne!(rest.first(), Some(&b' '));
            }
            b')' => depth -= 1,
            b' ' => assert!(!matches!(rest.first(), Some(b' ' | b')'))),
            b'"' => loop {
                let (octet, behind) = rest.split_first().expect("a quote that ends");
                rest = match octet {
                    b'"' => {
                        rest = behind;
                        break;
                    }
                    b'\\' => &behind[1..],
                    b'\r' | b'\n' | 0 | 0x80.. => panic!("{octet} in a quoted string"),
                    _ => behind,
                };
            },
            b'{' => {
                let end = rest.windows(3).position(|three| three == b"}\r\n").unwrap();
                let size = std::str::from_utf8(&rest[..end]).unwrap();
                let (literal, behind) = rest[end + 3..].split_at(size.parse().unwrap());
                assert!(!literal.contains(&0));
                rest = behind;
            }
            b'\r' => assert_eq!((rest, depth), (&b"\n"[..], 0)),
            b'\n' => assert!(rest.is_empty()),
            _ => assert!(octet.is_ascii_graphic(), "{octet}"),
        }
        assert!(depth >= 0);
    }
    assert!(out.ends_with(b")\r\n"));
}

/// Part numbers of parts that are there, and of some that are not.
fn paths(message: &[u8], structure: &Structure) -> Vec<Vec<NonZeroU32>> {
    let mut paths = vec![Vec::new()];
    let mut at = 0;
    while let Some(path) = paths.get(at).cloned() {
        at += 1;
        for number in 1..u32::MAX {
            let mut part = path.clone();
            part.push(NonZeroU32::new(number).unwrap());
            let found = binary::locate(structure, message, &part).unwrap();
            if paths.len() == PATHS {
                return paths;
            }
            if found == Located::Nothing {
                if path.is_empty() {
                    paths.push(part);
                }
                break;
            }
            paths.push(part);
        }
    }
    paths
}

/// BODY[…] gives what is announced, and a part of it what lies there.
fn sections(
    message: &[u8],
    short: &Short,
    structure: &Structure,
    part: &[NonZeroU32],
    from: usize,
) {
    let names = || vec![b"Subject".to_vec(), b"to".to_vec(), b"X:".to_vec()];
    for text in [
        SectionText::Whole,
        SectionText::Header,
        SectionText::Text,
        SectionText::Mime,
        SectionText::HeaderFields(names()),
        SectionText::HeaderFieldsNot(names()),
    ] {
        if part.is_empty() && text == SectionText::Mime {
            continue;
        }
        let part = part.to_vec();
        let section = Section { part, text };
        let located = section::locate(structure, message, &section, &mut { FIELDS_MAX }).unwrap();
        let again = section::locate(structure, short, &section, &mut { FIELDS_MAX }).unwrap();
        assert_eq!(located, again);
        if let Some(own) =
            section::locate_in_header(message, &section, &mut { FIELDS_MAX }).unwrap()
        {
            assert_eq!(Some(&own), located.as_ref(), "{section:?}");
        }
        match located {
            None => {}
            Some(Octets::Memory(lines)) => {
                // All but some fields of a header that was cut off are as they are.
                let chosen = matches!(section.text, SectionText::HeaderFields(_));
                assert!(!chosen || lines.ends_with(b"\r\n"));
                assert!(!lines.contains(&0));
                assert_eq!(as_sent(&lines), lines);
            }
            Some(Octets::File {
                range,
                virtual_size,
            }) => {
                let mut whole = as_sent(slice(message, &range));
                for octet in &mut whole {
                    *octet = if *octet == 0 { 0x80 } else { *octet };
                }
                for (skip, length) in [(0, usize::MAX), (from, from / 3 + 1), (1, 1)] {
                    let (skip, length) = (skip as u64, length as u64);
                    let mut stream = CrlfStream::new(range.clone(), virtual_size, skip, length);
                    let announced = stream.remaining();
                    let mut out = Vec::new();
                    while stream.remaining() > 0 {
                        stream.fill(short, &mut out, from / 7 + 1).unwrap();
                    }
                    assert_eq!(out.len() as u64, announced);
                    assert_eq!(out, partial(&whole, skip, length), "{section:?}");
                }
            }
        }
    }
}

/// BINARY[…] does so, too.
fn content(message: &[u8], short: &Short, structure: &Structure, part: &[NonZeroU32], from: usize) {
    let Located::Encoded(encoded) = binary::locate(structure, message, part).unwrap() else {
        return;
    };
    let read = |skip, length| {
        let mut stream = BinaryStream::open(short, &encoded, skip, length).unwrap();
        let announced = stream.remaining();
        let mut out = Vec::new();
        while stream.remaining() > 0 {
            stream.fill(short, &mut out, from / 7 + 1).unwrap();
        }
        assert_eq!(out.len() as u64, announced);
        assert_eq!(stream.has_nul(), out.contains(&0));
        out
    };
    let whole = read(0, u64::MAX);
    let mut stream = BinaryStream::open(message, &encoded, 0, u64::MAX).unwrap();
    let mut at_once = Vec::new();
    stream.fill(message, &mut at_once, usize::MAX).unwrap();
    assert_eq!(whole, at_once);
    for (skip, length) in [(from as u64, from as u64 / 3 + 1), (1, 1)] {
        let part = partial(&whole, skip, length);
        assert_eq!(read(skip, length), part);
    }
}

/// A preview is one short line of characters that can be seen.
fn previewed(message: &[u8], short: &Short) {
    let text = preview(message).unwrap();
    assert_eq!(preview(short).unwrap(), text);
    // RFC 8970 §3.3.
    assert!(text.chars().count() <= 200);
    assert_eq!(text.trim(), text);
    assert!(
        !text.contains("  ") && !text.contains(char::is_control),
        "{text:?}"
    );
}

/// The text that SEARCH looks into does not depend on how it comes.
fn texts(message: &[u8], structure: &Structure, step: usize) {
    let outline = mime::outline(message).unwrap();
    let same = Outline::from(structure.clone());
    assert!(outline.inner_headers().eq(same.inner_headers()));
    assert!(outline.text_parts().eq(same.text_parts()));
    for part in outline.text_parts() {
        let body = slice(message, &part.range);
        let decoded = |step: usize| {
            let mut decoder = TextDecoder::new(part.encoding, part.charset);
            let mut text = String::new();
            for piece in body.chunks(step.max(1)) {
                decoder.push(piece, &mut text);
            }
            decoder.finish(&mut text);
            text
        };
        assert_eq!(decoded(body.len()), decoded(step));
    }
}

/// A message rewritten so that it has no binary contents has none.
fn without_binary(message: &[u8], short: &Short) {
    let rewritten = |source: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
        let mut out = Vec::new();
        source(&mut out).unwrap();
        out
    };
    let once = rewritten(&|out| {
        binary::without_binary(message, |octets| {
            out.extend_from_slice(octets);
            Ok(())
        })
    });
    let again = rewritten(&|out| {
        binary::without_binary(short, |octets| {
            out.extend_from_slice(octets);
            Ok(())
        })
    });
    assert_eq!(once, again);
    let twice = rewritten(&|out| {
        binary::without_binary(once.as_slice(), |octets| {
            out.extend_from_slice(octets);
            Ok(())
        })
    });
    assert_eq!(
        once.escape_ascii().to_string(),
        twice.escape_ascii().to_string()
    );
}

pub(crate) fn slice<'m>(message: &'m [u8], range: &std::ops::Range<u64>) -> &'m [u8] {
    &message[range.start as usize..range.end as usize]
}

/// With every line end as CRLF.
pub(crate) fn as_sent(octets: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(octets.len() + 16);
    for octet in octets {
        if *octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    out
}

pub(crate) fn partial(octets: &[u8], skip: u64, length: u64) -> &[u8] {
    let size = octets.len() as u64;
    let from = skip.min(size);
    let to = skip.saturating_add(length).min(size);
    &octets[from as usize..to as usize]
}
