//! A FETCH response, item by item (RFC 3501 §7.4.2), so that long literals can be streamed.

use std::num::NonZeroU32;

use crate::imap::date::DateTime;
use crate::imap::encode::string::{astring, flag_list, number};
use crate::imap::encode::structure;
use crate::imap::fetch::{Partial, PreviewForm, Section, SectionText};
use crate::imap::flag::{Keyword, SystemFlags};
use crate::imap::objectid::ObjectId;
use crate::imap::sequence::{ModSeq, SeqNum, Uid};
use crate::imap::structure::{BodyStructure, Envelope};

pub use crate::imap::encode::string::{literal_header, literal8_header, nil, nstring};

/// Where the next item goes in an open `* n FETCH (` or `* uid UIDFETCH (`.
#[derive(Debug)]
pub struct Items {
    first: bool,
}

impl Items {
    /// Writes `* n FETCH (`.
    pub fn begin(out: &mut Vec<u8>, number: SeqNum) -> Items {
        out.extend_from_slice(format!("* {number} FETCH (").as_bytes());
        Items { first: true }
    }

    /// Writes `* uid UIDFETCH (`, for clients that have enabled UIDONLY (RFC 9586 §3.3).
    pub fn begin_by_uid(out: &mut Vec<u8>, uid: Uid) -> Items {
        out.extend_from_slice(format!("* {uid} UIDFETCH (").as_bytes());
        Items { first: true }
    }

    /// `FLAGS (…)`, system flags first, then `\Recent`, then keywords, as Dovecot orders them.
    pub fn flags<'k>(
        &mut self,
        out: &mut Vec<u8>,
        flags: SystemFlags,
        recent: bool,
        keywords: impl Iterator<Item = &'k Keyword>,
    ) {
        self.name(out, "FLAGS");
        flag_list(out, flags, recent, keywords, false);
    }

    /// `UID n`
    pub fn uid(&mut self, out: &mut Vec<u8>, uid: Uid) {
        self.name(out, "UID");
        number(out, u64::from(uid.get()));
    }

    /// `MODSEQ (n)`
    pub fn modseq(&mut self, out: &mut Vec<u8>, modseq: ModSeq) {
        self.name(out, "MODSEQ");
        out.push(b'(');
        number(out, modseq.0);
        out.push(b')');
    }

    /// `EMAILID (…)`
    pub fn email_id(&mut self, out: &mut Vec<u8>, id: &ObjectId) {
        self.name(out, "EMAILID");
        out.push(b'(');
        out.extend_from_slice(id.as_str().as_bytes());
        out.push(b')');
    }

    /// `THREADID (…)`
    pub fn thread_id(&mut self, out: &mut Vec<u8>, id: &ObjectId) {
        self.name(out, "THREADID");
        out.push(b'(');
        out.extend_from_slice(id.as_str().as_bytes());
        out.push(b')');
    }

    /// `INTERNALDATE "…"`
    pub fn internal_date(&mut self, out: &mut Vec<u8>, date: DateTime) {
        self.name(out, "INTERNALDATE");
        out.extend_from_slice(format!("\"{date}\"").as_bytes());
    }

    /// `SAVEDATE "…"`
    pub fn save_date(&mut self, out: &mut Vec<u8>, date: DateTime) {
        self.name(out, "SAVEDATE");
        out.extend_from_slice(format!("\"{date}\"").as_bytes());
    }

    /// `RFC822.SIZE n`
    pub fn size(&mut self, out: &mut Vec<u8>, octets: u64) {
        self.name(out, "RFC822.SIZE");
        number(out, octets);
    }

    /// `PREVIEW "…"`, or NIL; for who asked so, `PREVIEW (FUZZY "…")` or `SNIPPET (FUZZY "…")`, or NIL in it.
    pub fn preview(&mut self, out: &mut Vec<u8>, form: PreviewForm, text: Option<&str>) {
        self.name(
            out,
            match form {
                PreviewForm::Plain | PreviewForm::Fuzzy => "PREVIEW",
                PreviewForm::Snippet => "SNIPPET",
            },
        );
        let is_plain = form == PreviewForm::Plain;
        if !is_plain {
            out.extend_from_slice(b"(FUZZY ");
        }
        nstring(out, text.map(str::as_bytes));
        if !is_plain {
            out.push(b')');
        }
    }

    /// `ENVELOPE (…)`
    pub fn envelope(&mut self, out: &mut Vec<u8>, envelope: &Envelope) {
        self.name(out, "ENVELOPE");
        structure::envelope(out, envelope);
    }

    /// `BODY (…)`, or `BODYSTRUCTURE (…)` if the structure was made with extension data.
    pub fn body_structure(
        &mut self,
        out: &mut Vec<u8>,
        name: &'static str,
        structure: &BodyStructure,
    ) {
        self.name(out, name);
        structure::body(out, structure);
    }

    /// `BODY[…]<origin>` and a space: the caller adds a value.
    pub fn section(&mut self, out: &mut Vec<u8>, section: &Section, partial: Option<Partial>) {
        self.separate(out);
        out.extend_from_slice(b"BODY[");
        part_numbers(out, &section.part);
        let (text, names) = match &section.text {
            SectionText::Whole => ("", None),
            SectionText::Header => ("HEADER", None),
            SectionText::HeaderFields(names) => ("HEADER.FIELDS", Some(names)),
            SectionText::HeaderFieldsNot(names) => ("HEADER.FIELDS.NOT", Some(names)),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
        };
        if !section.part.is_empty() && !text.is_empty() {
            out.push(b'.');
        }
        out.extend_from_slice(text.as_bytes());
        if let Some(names) = names {
            out.extend_from_slice(b" (");
            for (at, name) in names.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                astring(out, name);
            }
            out.push(b')');
        }
        out.push(b']');
        origin(out, partial);
        out.push(b' ');
    }

    /// `BINARY[…]<origin>` and a space: the caller adds a value.
    pub fn binary(&mut self, out: &mut Vec<u8>, part: &[NonZeroU32], partial: Option<Partial>) {
        self.separate(out);
        out.extend_from_slice(b"BINARY[");
        part_numbers(out, part);
        out.push(b']');
        origin(out, partial);
        out.push(b' ');
    }

    /// `BINARY.SIZE[…] n`
    pub fn binary_size(&mut self, out: &mut Vec<u8>, part: &[NonZeroU32], octets: u64) {
        self.separate(out);
        out.extend_from_slice(b"BINARY.SIZE[");
        part_numbers(out, part);
        out.extend_from_slice(b"] ");
        number(out, octets);
    }

    /// An item's plain name and a space, such as `RFC822.HEADER`: the caller adds a value.
    pub fn name(&mut self, out: &mut Vec<u8>, name: &'static str) {
        self.separate(out);
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
    }

    /// Writes `)` and CRLF.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b")\r\n");
    }

    /// Writes the space before any item but the first.
    fn separate(&mut self, out: &mut Vec<u8>) {
        if !self.first {
            out.push(b' ');
        }
        self.first = false;
    }
}

/// `section-part`, or nothing.
fn part_numbers(out: &mut Vec<u8>, part: &[NonZeroU32]) {
    for (at, part) in part.iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        number(out, u64::from(part.get()));
    }
}

/// `<origin>` of what was asked for in part.
fn origin(out: &mut Vec<u8>, partial: Option<Partial>) {
    if let Some(partial) = partial {
        out.push(b'<');
        number(out, partial.offset);
        out.push(b'>');
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::imap::flag::SystemFlag;

    #[test]
    fn items_in_a_row() {
        let mut out = Vec::new();
        let mut items = Items::begin(&mut out, SeqNum::from_index(11).unwrap());
        let flags = SystemFlags::NONE.with(SystemFlag::Seen);
        let keyword = Keyword::new("$Forwarded").unwrap();
        items.flags(&mut out, flags, true, [&keyword].into_iter());
        items.uid(&mut out, Uid::new(4711).unwrap());
        let date = DateTime::parse(b"17-Jul-1996 02:44:25 -0700").unwrap();
        items.internal_date(&mut out, date);
        items.size(&mut out, 4286);
        items.name(&mut out, "RFC822.TEXT");
        nil(&mut out);
        items.section(&mut out, &Section::default(), None);
        literal_header(&mut out, 5);
        out.extend_from_slice(b"hello");
        items.end(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* 12 FETCH (FLAGS (\\Seen \\Recent $Forwarded) UID 4711 \
             INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 \
             RFC822.TEXT NIL BODY[] {5}\r\nhello)\r\n"
        );
    }

    #[test]
    fn sections() {
        let part = |numbers: &[u32]| -> Vec<NonZeroU32> {
            numbers.iter().filter_map(|n| NonZeroU32::new(*n)).collect()
        };
        let names = vec![b"Subject".to_vec(), b"X Y".to_vec(), b"X\nY".to_vec()];
        let partial = Partial {
            offset: 2048,
            length: 10,
        };
        for (numbers, text, partial, wire) in [
            (&[][..], SectionText::Whole, None, "BODY[] "),
            (&[], SectionText::Text, Some(partial), "BODY[TEXT]<2048> "),
            (&[1, 2], SectionText::Whole, None, "BODY[1.2] "),
            (&[1, 2], SectionText::Mime, None, "BODY[1.2.MIME] "),
            (&[1], SectionText::Header, None, "BODY[1.HEADER] "),
            (
                &[],
                SectionText::HeaderFields(names.clone()),
                None,
                "BODY[HEADER.FIELDS (Subject \"X Y\" {3}\r\nX\nY)] ",
            ),
            (
                &[3],
                SectionText::HeaderFieldsNot(vec![b"To".to_vec()]),
                None,
                "BODY[3.HEADER.FIELDS.NOT (To)] ",
            ),
        ] {
            let mut out = Vec::new();
            let part = part(numbers);
            Items { first: true }.section(&mut out, &Section { part, text }, partial);
            assert_eq!(String::from_utf8(out).unwrap(), wire);
        }
    }
}
