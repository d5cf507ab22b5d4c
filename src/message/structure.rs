//! What the parts of a message say of themselves: ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).
//! The headers are read again where [`Structure`] says they lie.

use std::io;
use std::ops::Range;

use crate::imap::structure::{
    Address, BodyFields, BodyStructure, CommonExtension, Envelope, MultiExtension, Parameter,
    SingleExtension, SingleKind,
};
use crate::message::Source;
use crate::message::address;
use crate::message::header::{HEADER_MAX, Header, compressed, unfolded};
use crate::message::mime::{Content, Part, Structure};
use crate::message::parameter::{ContentType, decoded, disposition, languages, token};

/// Octets of header fields that one body structure may hold, all parts together. Parts beyond it are
/// told by their type's default.
const STRUCTURE_MAX: usize = 4 * 1024 * 1024;

/// ENVELOPE of the message in `source`: reads no more than its header.
pub fn own_envelope<S: Source + ?Sized>(source: &S) -> io::Result<Envelope> {
    envelope(source, 0..source.len()?, &mut { HEADER_MAX })
}

/// How much a body structure tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// BODYSTRUCTURE, which has extension data; else BODY.
    pub extended: bool,
    /// As RFC 9051 §7.5.2 has it: message/global is shown with what is in it, and parameters in other charsets
    /// are decoded. Clients of RFC 3501 expect neither.
    pub rev2: bool,
}

impl Structure {
    /// BODY or BODYSTRUCTURE.
    pub fn body_structure<S: Source + ?Sized>(
        &self,
        source: &S,
        form: Form,
    ) -> io::Result<BodyStructure> {
        let mut builder = Builder {
            structure: self,
            source,
            form,
            budget: STRUCTURE_MAX,
        };
        builder.part(0, false)
    }
}

struct Builder<'s, S: Source + ?Sized> {
    structure: &'s Structure,
    source: &'s S,
    form: Form,
    /// Octets that may still be kept.
    budget: usize,
}

impl<S: Source + ?Sized> Builder<'_, S> {
    /// Goes as deep as the structure, which is bounded.
    fn part(&mut self, at: usize, in_digest: bool) -> io::Result<BodyStructure> {
        let Some(part) = self.structure.parts.get(at) else {
            return Ok(empty_text(self.form.extended));
        };
        let header = Header::read(self.source, part.header.clone(), self.budget, |name| {
            name.get(..8)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"Content-"))
        })?;
        self.budget = self.budget.saturating_sub(header.size());
        let content_type = header.first(b"Content-Type");
        let content_type = match content_type.map(ContentType::parse) {
            Some(Some(content_type)) => Some(content_type),
            Some(None) => None,
            None if in_digest => Some(bare_type("message", "rfc822")),
            None => None,
        };
        match &part.content {
            Content::Multipart(parts) => self.multipart(parts, content_type, &header),
            content => self.single(part, content, content_type, &header),
        }
    }

    fn multipart(
        &mut self,
        parts: &[usize],
        content_type: Option<ContentType>,
        header: &Header,
    ) -> io::Result<BodyStructure> {
        let content_type = content_type.unwrap_or_else(|| bare_type("multipart", "mixed"));
        let in_digest = content_type.is_sub(b"digest");
        let mut children = Vec::with_capacity(parts.len().max(1));
        for &part in parts {
            children.push(self.part(part, in_digest)?);
        }
        if children.is_empty() {
            // RFC 3501 §9 body-type-mpart: there must be one.
            children.push(empty_text(self.form.extended));
        }
        let extension = self.form.extended.then(|| MultiExtension {
            parameters: self.parameters(content_type.parameters),
            common: self.common(header),
        });
        Ok(BodyStructure::Multi {
            parts: children,
            subtype: content_type.subtype,
            extension,
        })
    }

    fn single(
        &mut self,
        part: &Part,
        content: &Content,
        content_type: Option<ContentType>,
        header: &Header,
    ) -> io::Result<BodyStructure> {
        let mut content_type = match content {
            // Told as what it is to the client: octets. As multipart or message it would have to have parts.
            Content::Opaque => bare_type("application", "octet-stream"),
            _ => content_type.unwrap_or_else(|| bare_type("text", "plain")),
        };
        let kind = if let Content::Message(inner) = content
            && (self.form.rev2 || !content_type.is_sub(b"global"))
        {
            SingleKind::Message {
                envelope: Box::new(self.envelope(*inner)?),
                body: Box::new(self.part(*inner, false)?),
                lines: part.lines,
            }
        } else if content_type.is(b"text") {
            if content_type.parameter(b"charset").is_none() {
                let charset = (b"charset".to_vec(), b"us-ascii".to_vec());
                content_type.parameters.push(charset);
            }
            SingleKind::Text { lines: part.lines }
        } else {
            SingleKind::Basic
        };
        let encoding = header
            .first(b"Content-Transfer-Encoding")
            .map(token)
            .filter(|token| !token.is_empty())
            .unwrap_or(b"7bit");
        let extension = self.form.extended.then(|| SingleExtension {
            md5: header.first(b"Content-MD5").map(unfolded),
            common: self.common(header),
        });
        Ok(BodyStructure::Single {
            fields: BodyFields {
                media_type: content_type.media_type,
                subtype: content_type.subtype,
                parameters: self.parameters(content_type.parameters),
                id: header.first(b"Content-ID").map(unfolded),
                description: header.first(b"Content-Description").map(unfolded),
                encoding: encoding.to_vec(),
                size: part.body_virtual,
            },
            kind,
            extension,
        })
    }

    fn common(&self, header: &Header) -> CommonExtension {
        let disposition = header.first(b"Content-Disposition").map(disposition);
        CommonExtension {
            disposition: disposition.map(|(kind, parameters)| (kind, self.parameters(parameters))),
            language: header
                .first(b"Content-Language")
                .map(languages)
                .unwrap_or_default(),
            location: header.first(b"Content-Location").map(unfolded),
        }
    }

    /// Parameters as the client expects them.
    fn parameters(&self, mut parameters: Vec<Parameter>) -> Vec<Parameter> {
        if self.form.rev2 {
            for (name, value) in &mut parameters {
                if let Some(text) = decoded(name, value) {
                    *value = text.into_bytes();
                }
            }
        }
        parameters
    }

    fn envelope(&mut self, at: usize) -> io::Result<Envelope> {
        match self.structure.parts.get(at) {
            Some(part) => envelope(self.source, part.header.clone(), &mut self.budget),
            None => Ok(Envelope::default()),
        }
    }
}

fn bare_type(media_type: &str, subtype: &str) -> ContentType {
    ContentType {
        media_type: media_type.as_bytes().to_vec(),
        subtype: subtype.as_bytes().to_vec(),
        parameters: Vec::new(),
    }
}

/// The part of a multipart that has none.
fn empty_text(extended: bool) -> BodyStructure {
    BodyStructure::Single {
        fields: BodyFields {
            media_type: b"text".to_vec(),
            subtype: b"plain".to_vec(),
            parameters: vec![(b"charset".to_vec(), b"us-ascii".to_vec())],
            encoding: b"7bit".to_vec(),
            ..BodyFields::default()
        },
        kind: SingleKind::Text { lines: 0 },
        extension: extended.then(SingleExtension::default),
    }
}

/// Reads an envelope, keeping at most `budget` octets, which shrinks by what it took. Of several fields of
/// one name the last counts; addresses are taken from all of them.
fn envelope<S: Source + ?Sized>(
    source: &S,
    range: Range<u64>,
    budget: &mut usize,
) -> io::Result<Envelope> {
    let header = Header::read(source, range, *budget, is_envelope_field)?;
    *budget = budget.saturating_sub(header.size());
    let addresses = |name: &[u8]| {
        let mut list = Vec::new();
        for body in header.all(name) {
            address::parse(body, &mut list);
        }
        list
    };
    let from = addresses(b"From");
    // Sender and Reply-To default to From also where they are empty (RFC 3501 §7.4.2).
    let or_from = |list: Vec<Address>| if list.is_empty() { from.clone() } else { list };
    Ok(Envelope {
        date: header.last(b"Date").map(unfolded),
        subject: header.last(b"Subject").map(compressed),
        sender: or_from(addresses(b"Sender")),
        reply_to: or_from(addresses(b"Reply-To")),
        to: addresses(b"To"),
        cc: addresses(b"Cc"),
        bcc: addresses(b"Bcc"),
        in_reply_to: header.last(b"In-Reply-To").map(unfolded),
        message_id: header.last(b"Message-ID").map(unfolded),
        from,
    })
}

fn is_envelope_field(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"Date",
        b"Subject",
        b"From",
        b"Sender",
        b"Reply-To",
        b"To",
        b"Cc",
        b"Bcc",
        b"In-Reply-To",
        b"Message-ID",
    ];
    NAMES.iter().any(|other| other.eq_ignore_ascii_case(name))
}
