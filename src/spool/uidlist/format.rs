//! The grammar of `dovecot-uidlist`: octets ↔ header and records. No file is touched here.
//!
//! Version 3, the only one written:
//!
//! ```text
//! 3 V1795370762 N1 Gd8457f1c082f036bc44c000083ecc375
//! 1 :1795370760.M256008P19652.vm,S=145,W=152
//! 4 G1795370760.M238081P19652.vm,S=145,W=152 W152 :1795370760.M849175P19652.vm
//! ```
//!
//! Fields of header and record are a key of one byte and a value without spaces. `V` is UIDVALIDITY, `N` the
//! next UID when the header was written, `G` the mailbox's GUID; other header fields are kept as they are.
//! A record's UID is above the one before it. Records are appended without touching the header.
//!
//! Version 1 is Courier's: `1 <uidvalidity> <next uid>`, then `<uid> <base name>`.

use std::io::{self, Write};

use crate::imap::sequence::{Uid, UidValidity};
use crate::spool::filename::{LONGEST, number};
use crate::spool::uidlist::Record;

/// The longest line that is read, in octets. A header or record that Dovecot writes is far below it.
const LONGEST_LINE: usize = 8 * 1024;

/// The highest UID a message can have: Dovecot takes no higher one, so that there is always a next.
const HIGHEST_UID: u32 = u32::MAX - 1;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// 1 or 3.
    pub(super) version: u8,
    /// `V`.
    pub(super) uid_validity: UidValidity,
    /// `N`.
    pub(super) next: u32,
    /// `G`, 32 lower-case hexadecimal digits.
    pub(super) guid: Option<Box<str>>,
    /// Every other field, in order.
    pub(super) others: Vec<(u8, Box<[u8]>)>,
}

/// Where a [`Parser`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// No whole line has come yet.
    #[default]
    Header,
    /// Behind the header.
    Records,
    /// Behind a header that cannot be used: the rest is passed over.
    Unusable,
}

/// Reads a file piece by piece: [`Parser::feed`] all of it, [`Parser::finish`], then look at the fields.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// `None` as long as no usable first line has come.
    pub(super) header: Option<Header>,
    /// The records so far.
    pub(super) records: Vec<Record>,
    /// How many lines behind the first could not be used.
    pub(super) broken_lines: usize,
    /// Something was read that is not as it would be written.
    pub(super) unclean: bool,
    /// The highest UID of any line, usable or not.
    pub(super) highest: u32,
    /// The UID of the last record.
    pub(super) last: u32,
    /// How many octets whole lines take.
    pub(super) whole: u64,
    place: Place,
    /// What has come of a line, up to [`LONGEST_LINE`] octets.
    partial: Vec<u8>,
    /// How many octets more have come of it.
    cut: u64,
}

impl Parser {
    /// Goes on reading a version 3 file behind its record `last`.
    pub(super) fn resume(last: u32) -> Parser {
        Parser {
            last,
            highest: last,
            place: Place::Records,
            ..Parser::default()
        }
    }

    /// Takes the next octets of the file.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((line, rest)) =
            memchr::memchr(b'\n', bytes).and_then(|end| bytes.split_at_checked(end))
        {
            if self.partial.is_empty() && line.len() <= LONGEST_LINE {
                self.line(line, 0);
            } else {
                self.keep(line);
                let (line, cut) = (std::mem::take(&mut self.partial), self.cut);
                self.cut = 0;
                self.line(&line, cut);
            }
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// The octets behind the last whole line are one that is being written, or was cut off. Its UID, where it
    /// can be told, counts as given.
    pub(super) fn finish(&mut self) {
        if self.place == Place::Records
            && let Some(space) = memchr::memchr(b' ', &self.partial)
            && let Some(uid) = self.partial.get(..space).and_then(uid)
        {
            self.highest = self.highest.max(uid.get());
        }
    }

    /// Keeps the part of a line that has come.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.partial.len());
        let (fitting, beyond) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(fitting);
        self.cut = self.cut.saturating_add(beyond.len() as u64);
    }

    /// Takes a whole line, of which `cut` octets are not there.
    fn line(&mut self, line: &[u8], cut: u64) {
        let length = (line.len() as u64).saturating_add(cut);
        self.whole = self.whole.saturating_add(length).saturating_add(1);
        match self.place {
            Place::Header => {
                self.header = header(line).filter(|_| cut == 0);
                self.place = match self.header {
                    Some(_) => Place::Records,
                    None => Place::Unusable,
                };
            }
            Place::Records if cut > 0 => self.broken_lines += 1,
            Place::Records => self.record(line),
            Place::Unusable => {}
        }
    }

    fn record(&mut self, line: &[u8]) {
        let version = self.header.as_ref().map_or(3, |header| header.version);
        match self.usable_record(line, version) {
            Some(record) if record.uid.get() > self.last => {
                self.last = record.uid.get();
                self.records.push(record);
            }
            // The same line twice does no harm.
            Some(record) if self.records.last() == Some(&record) => self.unclean = true,
            _ => self.broken_lines += 1,
        }
    }

    fn usable_record(&mut self, line: &[u8], version: u8) -> Option<Record> {
        let space = memchr::memchr(b' ', line)?;
        let (digits, rest) = line.split_at_checked(space)?;
        let uid = uid(digits)?;
        self.highest = self.highest.max(uid.get());
        let mut rest = rest.get(1..)?;
        let mut fields = Vec::new();
        if version == 3 {
            loop {
                let (&key, after) = rest.split_first()?;
                match key {
                    b':' => {
                        rest = after;
                        break;
                    }
                    b' ' => rest = after,
                    _ => {
                        let end = memchr::memchr(b' ', after)?;
                        let (value, after) = after.split_at_checked(end)?;
                        if key.is_ascii_uppercase() {
                            fields.push((key, value.into()));
                        } else {
                            self.unclean = true;
                        }
                        rest = after;
                    }
                }
            }
        }
        let end = memchr::memchr(b':', rest).unwrap_or(rest.len());
        let (base, info) = rest.split_at_checked(end)?;
        if !is_base(base) {
            return None;
        }
        self.unclean |= !info.is_empty();
        Some(Record {
            uid,
            fields,
            base: base.into(),
        })
    }
}

/// Whether a base name can stand in a record.
fn is_base(base: &[u8]) -> bool {
    let stands = |byte: &u8| !matches!(byte, b'/' | b':' | b'\0' | b'\r' | b'\n');
    !base.is_empty() && base.len() <= LONGEST && base.iter().all(stands)
}

/// A UID as it stands in a line.
fn uid(digits: &[u8]) -> Option<Uid> {
    let uid = u32::try_from(number(digits)?).ok()?;
    (uid <= HIGHEST_UID).then(|| Uid::new(uid)).flatten()
}

/// The first line. `None` if it lacks what cannot be done without: version, UIDVALIDITY, next UID.
fn header(line: &[u8]) -> Option<Header> {
    let (version, fields) = line.split_at_checked(1)?;
    let fields = fields.strip_prefix(b" ")?;
    let fields = fields.split(|byte| *byte == b' ');
    let fields = fields.filter(|field| !field.is_empty());
    let narrow = |digits: &[u8]| u32::try_from(number(digits)?).ok();
    match version {
        b"1" => {
            let mut fields = fields;
            let header = Header {
                version: 1,
                uid_validity: UidValidity::new(narrow(fields.next()?)?)?,
                next: narrow(fields.next()?)?,
                guid: None,
                others: Vec::new(),
            };
            (header.next != 0 && fields.next().is_none()).then_some(header)
        }
        b"3" => {
            let (mut uid_validity, mut next, mut guid) = (None, None, None);
            let mut others: Vec<(u8, Box<[u8]>)> = Vec::new();
            for field in fields {
                let (&key, value) = field.split_first()?;
                match key {
                    b'V' => uid_validity = narrow(value).and_then(UidValidity::new),
                    b'N' => next = narrow(value).filter(|next| *next != 0),
                    // A GUID that is none is made anew: nothing is lost by it but the mailbox's name for
                    // replication.
                    b'G' => guid = lower_hex(value),
                    _ => others.push((key, value.into())),
                }
            }
            Some(Header {
                version: 3,
                uid_validity: uid_validity?,
                next: next?,
                guid,
                others,
            })
        }
        _ => None,
    }
}

/// 32 hexadecimal digits.
fn lower_hex(value: &[u8]) -> Option<Box<str>> {
    let digits = value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit);
    digits
        .then(|| std::str::from_utf8(value).ok())
        .flatten()
        .map(|text| text.to_ascii_lowercase().into())
}

/// Writes the first line of a version 3 file.
pub(super) fn write_header(out: &mut impl Write, header: &Header, guid: &str) -> io::Result<()> {
    let (validity, next) = (header.uid_validity, header.next);
    write!(out, "3 V{validity} N{next} G{guid}")?;
    for (key, value) in &header.others {
        out.write_all(&[b' ', *key])?;
        out.write_all(value)?;
    }
    out.write_all(b"\n")
}

/// Writes a record of version 3 that follows one with UID `last`. `InvalidInput` if it could not be read back.
pub(super) fn write_record(out: &mut impl Write, record: &Record, last: u32) -> io::Result<()> {
    let value = |value: &[u8]| !value.iter().any(|byte| matches!(byte, b' ' | b'\n'));
    let field = |(key, text): &(u8, Box<[u8]>)| key.is_ascii_uppercase() && value(text);
    let uid = record.uid.get();
    let readable = uid > last
        && uid <= HIGHEST_UID
        && is_base(&record.base)
        && record.fields.iter().all(field);
    if !readable {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("record {uid} cannot follow {last} in a uidlist"),
        ));
    }
    write!(out, "{uid} ")?;
    for (key, value) in &record.fields {
        out.write_all(&[*key])?;
        out.write_all(value)?;
        out.write_all(b" ")?;
    }
    out.write_all(b":")?;
    out.write_all(&record.base)?;
    out.write_all(b"\n")
}
