//! A FETCH response, item by item (RFC 3501 §7.4.2), so that long literals can be streamed.

use crate::imap::date::DateTime;
use crate::imap::fetch::{Partial, Section};
use crate::imap::flag::{Keyword, SystemFlags};
use crate::imap::sequence::{SeqNum, Uid};
use crate::imap::structure::{BodyStructure, Envelope};

/// Where the next item goes in an open `* n FETCH (`.
#[derive(Debug)]
pub struct Items {
    first: bool,
}

impl Items {
    /// Writes `* n FETCH (`.
    pub fn begin(out: &mut Vec<u8>, number: SeqNum) -> Items {
        let _ = (out, number);
        todo!()
    }

    /// `FLAGS (…)`, system flags first, then `\Recent`, then keywords, as Dovecot orders them.
    pub fn flags<'k>(
        &mut self,
        out: &mut Vec<u8>,
        flags: SystemFlags,
        recent: bool,
        keywords: impl Iterator<Item = &'k Keyword>,
    ) {
        let _ = (out, flags, recent, keywords);
        self.first = false;
        todo!()
    }

    /// `UID n`
    pub fn uid(&mut self, out: &mut Vec<u8>, uid: Uid) {
        let _ = (out, uid);
        todo!()
    }

    /// `INTERNALDATE "…"`
    pub fn internal_date(&mut self, out: &mut Vec<u8>, date: DateTime) {
        let _ = (out, date);
        todo!()
    }

    /// `RFC822.SIZE n`
    pub fn size(&mut self, out: &mut Vec<u8>, octets: u64) {
        let _ = (out, octets);
        todo!()
    }

    /// `ENVELOPE (…)`
    pub fn envelope(&mut self, out: &mut Vec<u8>, envelope: &Envelope) {
        let _ = (out, envelope);
        todo!()
    }

    /// `BODY (…)`, or `BODYSTRUCTURE (…)` if the structure was made with extension data.
    pub fn body_structure(
        &mut self,
        out: &mut Vec<u8>,
        name: &'static str,
        structure: &BodyStructure,
    ) {
        let _ = (out, name, structure);
        todo!()
    }

    /// `BODY[…]<origin>` and a space: the caller adds a value.
    pub fn section(&mut self, out: &mut Vec<u8>, section: &Section, partial: Option<Partial>) {
        let _ = (out, section, partial);
        todo!()
    }

    /// An item's plain name and a space, such as `RFC822.HEADER`: the caller adds a value.
    pub fn name(&mut self, out: &mut Vec<u8>, name: &'static str) {
        let _ = (out, name);
        todo!()
    }

    /// Writes `)` and CRLF.
    pub fn end(self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
}

/// `{n}` CRLF; the caller adds exactly n octets.
pub fn literal_header(out: &mut Vec<u8>, octets: u64) {
    let _ = (out, octets);
    todo!()
}

/// `NIL`
pub fn nil(out: &mut Vec<u8>) {
    out.extend_from_slice(b"NIL");
}
