//! The messages of `tests/messages/` against what is expected of them, and any bytes against the rules
//! that hold for all.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use proptest::prelude::*;

use crate::imap::fetch::{Section, SectionText};
use crate::imap::structure::{
    Address, BodyStructure, CommonExtension, Envelope, Parameter, SingleKind,
};
use crate::message::Source;
use crate::message::crlf::{CrlfStream, virtual_size};
use crate::message::date::sent_day;
use crate::message::decode::{TransferEncoding, header_text};
use crate::message::mime::{self, Content, Outline, Structure};
use crate::message::section::{FIELDS_MAX, Octets, locate, locate_in_header};
use crate::message::structure::{Form, own_envelope};

/// Room for the fields of one answer.
fn room() -> usize {
    FIELDS_MAX
}

/// A quoted string as the `.expected` files write it.
fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}").unwrap(),
        }
    }
    out.push('"');
    out
}

fn nstring(text: &Option<Vec<u8>>) -> String {
    text.as_ref().map_or("NIL".to_owned(), |text| quoted(text))
}

fn list(items: Vec<String>) -> String {
    if items.is_empty() {
        "NIL".to_owned()
    } else {
        format!("({})", items.join(" "))
    }
}

fn addresses(all: &[Address]) -> String {
    list(
        all.iter()
            .map(|address| {
                let fields = [&address.name, &address.adl, &address.mailbox, &address.host];
                list(fields.map(nstring).to_vec())
            })
            .collect(),
    )
}

fn envelope(envelope: &Envelope) -> String {
    list(vec![
        nstring(&envelope.date),
        nstring(&envelope.subject),
        addresses(&envelope.from),
        addresses(&envelope.sender),
        addresses(&envelope.reply_to),
        addresses(&envelope.to),
        addresses(&envelope.cc),
        addresses(&envelope.bcc),
        nstring(&envelope.in_reply_to),
        nstring(&envelope.message_id),
    ])
}

fn parameters(all: &[Parameter]) -> String {
    list(
        all.iter()
            .flat_map(|(name, value)| [quoted(name), quoted(value)])
            .collect(),
    )
}

fn common(extension: &CommonExtension) -> Vec<String> {
    let disposition = match &extension.disposition {
        Some((kind, all)) => list(vec![quoted(kind), parameters(all)]),
        None => "NIL".to_owned(),
    };
    let language = list(extension.language.iter().map(|tag| quoted(tag)).collect());
    vec![disposition, language, nstring(&extension.location)]
}

fn body(structure: &BodyStructure) -> String {
    let mut items = Vec::new();
    match structure {
        BodyStructure::Multi {
            parts,
            subtype,
            extension,
        } => {
            items.extend(parts.iter().map(body));
            items.push(quoted(subtype));
            if let Some(extension) = extension {
                items.push(parameters(&extension.parameters));
                items.extend(common(&extension.common));
            }
        }
        BodyStructure::Single {
            fields,
            kind,
            extension,
        } => {
            items.push(quoted(&fields.media_type));
            items.push(quoted(&fields.subtype));
            items.push(parameters(&fields.parameters));
            items.push(nstring(&fields.id));
            items.push(nstring(&fields.description));
            items.push(quoted(&fields.encoding));
            items.push(fields.size.to_string());
            match kind {
                SingleKind::Basic => {}
                SingleKind::Text { lines } => items.push(lines.to_string()),
                SingleKind::Message {
                    envelope: inner,
                    body: inside,
                    lines,
                } => items.extend([envelope(inner), body(inside), lines.to_string()]),
            }
            if let Some(extension) = extension {
                items.push(nstring(&extension.md5));
                items.extend(common(&extension.common));
            }
        }
    }
    list(items)
}

/// Reads what stands between `BODY[` and `]`.
fn section(spec: &str) -> Section {
    let (spec, names) = spec.split_once(" (").unwrap_or((spec, ""));
    let names = || -> Vec<Vec<u8>> {
        let names = names.trim_end_matches(')').split(' ');
        names.map(|name| name.as_bytes().to_vec()).collect()
    };
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let text = spec.trim_start_matches(digits);
    let part = spec[..spec.len() - text.len()].split('.');
    Section {
        part: part.filter_map(|number| number.parse().ok()).collect(),
        text: match text {
            "" => SectionText::Whole,
            "HEADER" => SectionText::Header,
            "HEADER.FIELDS" => SectionText::HeaderFields(names()),
            "HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(names()),
            "TEXT" => SectionText::Text,
            "MIME" => SectionText::Mime,
            other => panic!("{other}"),
        },
    }
}

fn read(message: &[u8], octets: Option<Octets>) -> Option<Vec<u8>> {
    match octets? {
        Octets::Memory(bytes) => Some(bytes),
        Octets::File {
            range,
            virtual_size: size,
        } => {
            assert_eq!(virtual_size(message, range.clone()).unwrap(), size);
            let mut out = Vec::new();
            let mut stream = CrlfStream::new(range, size, 0, u64::MAX);
            stream.fill(message, &mut out, usize::MAX).unwrap();
            Some(out)
        }
    }
}

const EXTENDED: Form = Form {
    extended: true,
    rev2: false,
};

/// The value of one line of an `.expected` file.
fn answer(message: &[u8], structure: &Structure, item: &str) -> String {
    match item {
        "RFC822.SIZE" => structure.virtual_size.to_string(),
        "ENVELOPE" => envelope(&own_envelope(message).unwrap()),
        "BODY" => body(&structure.body_structure(message, Form::default()).unwrap()),
        "BODYSTRUCTURE" => body(&structure.body_structure(message, EXTENDED).unwrap()),
        _ => {
            let spec = item
                .strip_prefix("BODY[")
                .and_then(|item| item.strip_suffix(']'));
            let section = section(spec.unwrap());
            let octets = read(
                message,
                locate(structure, message, &section, &mut room()).unwrap(),
            );
            let early = read(
                message,
                locate_in_header(message, &section, &mut room()).unwrap(),
            );
            if early.is_some() {
                assert_eq!(early, octets, "{item}");
            }
            nstring(&octets)
        }
    }
}

#[test]
fn descriptions_are_unfolded_and_nothing_else() {
    let message = &b"Content-Type: a/b\nContent-Description: a\n\tb  c\n\n"[..];
    let structure = mime::parse(message).unwrap();
    assert!(answer(message, &structure, "BODY").contains(r#""a\tb  c""#));
}

#[test]
fn messages_are_answered_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let mut wrong = String::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let message = fs::read(&path).unwrap();
        let message = message.as_slice();
        let structure = mime::parse(message).unwrap();
        check(message, &structure);
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        for line in expected.lines().filter(|line| !line.starts_with('#')) {
            let end = match line.strip_prefix("BODY[") {
                Some(_) => line.find(']').unwrap() + 1,
                None => line.find(' ').unwrap(),
            };
            let (item, value) = (&line[..end], &line[end + 1..]);
            let answer = answer(message, &structure, item);
            if answer != value {
                let name = path.file_stem().unwrap().display();
                writeln!(wrong, "{name}\n  {item}\n  - {value}\n  + {answer}").unwrap();
            }
        }
        count += 1;
    }
    assert!(count >= 60);
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What holds for every message.
fn check(message: &[u8], structure: &Structure) {
    let length = message.len() as u64;
    assert_eq!(
        structure.virtual_size,
        virtual_size(message, 0..length).unwrap()
    );
    let root = &structure.parts[0];
    assert_eq!((root.header.start, root.body.end), (0, length));
    let mut seen = vec![0; structure.parts.len()];
    for part in &structure.parts {
        assert!(part.header.start <= part.header.end);
        assert_eq!(part.header.end, part.body.start);
        assert!(part.body.start <= part.body.end && part.body.end <= length);
        for (range, size) in [
            (&part.header, part.header_virtual),
            (&part.body, part.body_virtual),
        ] {
            assert_eq!(virtual_size(message, range.clone()).unwrap(), size);
        }
        let bytes = &message[part.body.start as usize..part.body.end as usize];
        assert_eq!(part.lines, memchr::memchr_iter(b'\n', bytes).count() as u64);
        let inside = match &part.content {
            Content::Leaf | Content::Opaque => &[],
            Content::Multipart(parts) => parts.as_slice(),
            Content::Message(inner) => std::slice::from_ref(inner),
        };
        let mut from = part.body.start;
        for &inner in inside {
            seen[inner] += 1;
            let inner = &structure.parts[inner];
            assert!(from <= inner.header.start && inner.body.end <= part.body.end);
            from = inner.body.end;
        }
    }
    // Each part but the message itself lies in one other.
    assert_eq!(seen[0], 0);
    assert!(seen[1..].iter().all(|count| *count == 1));
    for (extended, rev2) in [(false, false), (true, false), (false, true), (true, true)] {
        let form = Form { extended, rev2 };
        structure.body_structure(message, form).unwrap();
    }
    own_envelope(message).unwrap();
    let outline = mime::outline(message).unwrap();
    let same = Outline::from(structure.clone());
    assert!(outline.inner_headers().eq(same.inner_headers()));
    assert!(outline.text_parts().eq(same.text_parts()));
    assert!(outline.text_parts().all(|part| part.range.end <= length));
}
proptest! {
    /// Lines that matter to the parser, in any order.
    #[test]
    fn any_lines(lines in proptest::collection::vec(proptest::sample::select(vec![
        "\n", "\r\n", "\r", "x", "x\n", "--b\n", "--b--\n", "--bb\r\n", "--bb--\n", "--b", "--\n", " y\n",
        "Content-Type: multipart/mixed; boundary=b\n", "Content-Type: multipart/digest; boundary=bb\r\n",
        "Content-Type: message/rfc822\n", "Content-Type: text/html\n", "Content-Type: x\n",
        "Content-Transfer-Encoding: base64\n", "Content-Type: multipart/x\n", "From: a@b,\n",
    ]), 0..40)) {
        let message = lines.concat();
        check(message.as_bytes(), &mime::parse(message.as_bytes()).unwrap());
    }

    #[test]
    fn any_bytes(message in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&message, &mime::parse(message.as_slice()).unwrap());
    }

    /// Whatever stands in the fields that are parsed.
    #[test]
    fn any_fields(body in "[ -~\t\u{80}-\u{ff}]{0,60}") {
        for name in ["From", "Content-Type", "Content-Type: multipart/mixed", "Content-Disposition",
            "Content-Language", "Content-Transfer-Encoding", "Subject"] {
            let message = format!("{name}: {body}\n\n--b\n\nx\n");
            check(message.as_bytes(), &mime::parse(message.as_bytes()).unwrap());
            header_text(body.as_bytes());
            sent_day(body.as_bytes());
        }
    }
}

/// A message of parts nested in parts.
fn nested(depth: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for level in 0..depth {
        let head = format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n");
        message.extend_from_slice(head.as_bytes());
    }
    message.extend_from_slice(b"\nin the middle\n");
    message
}

#[test]
fn parts_too_deep_are_one_opaque_part() {
    for message in [
        nested(5000),
        b"Content-Type: message/rfc822\n\n".repeat(5000),
    ] {
        let message = message.as_slice();
        let structure = mime::parse(message).unwrap();
        assert_eq!(structure.parts.len(), 100);
        assert_eq!(structure.parts[99].content, Content::Opaque);
        check(message, &structure);
    }
}

#[test]
fn parts_too_many_are_one_opaque_part() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    message.extend_from_slice(&b"--b\n\nx\n".repeat(20_000));
    let message = message.as_slice();
    let structure = mime::parse(message).unwrap();
    assert_eq!(structure.parts.len(), 10_000);
    let last = &structure.parts[9_999];
    assert_eq!(last.content, Content::Opaque);
    assert_eq!(last.body.end, message.len() as u64);
    check(message, &structure);
}

#[test]
fn chosen_fields_of_a_long_header() {
    let mut message = b"Subject: ".to_vec();
    message.resize(3 << 20, b'x');
    message.extend_from_slice(b"\n folded\nFrom: a@b\n\n");
    let structure = mime::parse(message.as_slice()).unwrap();
    for (names, from, to) in [
        ("subject", 0, message.len() - 11),
        ("from", message.len() - 11, message.len() - 1),
    ] {
        let octets = locate(
            &structure,
            message.as_slice(),
            &section(&format!("HEADER.FIELDS ({names})")),
            &mut room(),
        );
        let mut expected = message[from..to].to_vec();
        expected.push(b'\n');
        let expected = String::from_utf8(expected).unwrap().replace('\n', "\r\n");
        assert!(
            read(&message, octets.unwrap()).unwrap() == expected.as_bytes(),
            "{names}"
        );
    }
}

#[test]
fn text_parts_are_found_where_they_lie() {
    let message = b"Content-Type: multipart/mixed; boundary=b\n\n\
        --b\nContent-Type: text/html; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\nPGI+\n\
        --b\nContent-Type: image/png\n\nx\n\
        --b\nContent-Type: message/rfc822\n\nSubject: s\n\ninner\n\
        --b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\neA==\n\ny\n\
        --b\nContent-Type: multipart/mixed; boundary=c\n\nno parts\n--b--\n";
    let outline = mime::outline(message.as_slice()).unwrap();
    let found: Vec<_> = outline
        .text_parts()
        .map(|part| {
            let body = &message[part.range.start as usize..part.range.end as usize];
            let charset = String::from_utf8_lossy(part.charset);
            (String::from_utf8_lossy(body), part.encoding, charset)
        })
        .collect();
    let expected = [
        ("PGI+", TransferEncoding::Base64, "utf-8"),
        ("inner", TransferEncoding::Identity, ""),
        ("eA==\n\ny", TransferEncoding::Base64, ""),
        ("no parts", TransferEncoding::Identity, ""),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(body, encoding, charset)| ((*body).into(), *encoding, (*charset).into()))
        .collect();
    assert_eq!(found, expected);
}

/// A message of which only the beginning can be read.
struct Beginning<'a>(&'a [u8]);

impl Source for Beginning<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read_at(offset, buffer)? {
            0 => Err(io::Error::other("read too far")),
            count => Ok(count),
        }
    }
}

#[test]
fn an_envelope_takes_the_header_alone() {
    let message = Beginning(b"Subject: one\nFrom: a@b\n\nbody");
    let envelope = own_envelope(&message).unwrap();
    assert_eq!(envelope.subject.as_deref(), Some(b"one".as_slice()));
    assert!(mime::parse(&message).is_err());
}

#[test]
fn sections_of_one_answer_share_the_room_for_their_fields() {
    let message = b"A: 1\nB: 2\nC: 3\n\nbody".as_slice();
    let mut room = 20;
    for expected in ["A: 1\r\n\r\n", "A: 1\r\n\r\n", "\r\n", "\r\n"] {
        let octets = locate_in_header(message, &section("HEADER.FIELDS (A)"), &mut room);
        assert_eq!(
            read(message, octets.unwrap()).unwrap(),
            expected.as_bytes(),
            "{room} left"
        );
    }
}
