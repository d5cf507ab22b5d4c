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
//! next UID when the header was written, `G` the mailbox's GUID; other header fields are kept as they are, by Dovecot
//! too. Culver adds `M`: every mod-sequence that may have been told is below it; and to records `D`, the seconds since
//! 1970 at which the message came into the mailbox, where its base name tells another time.
//! A record's UID is above the one before it. Records are appended without touching the header.
//!
//! Version 1 is Courier's: `1 <uidvalidity> <next uid>`, then `<uid> <base name>`. A record with ` :` in it
//! is one of version 3, whatever the header says, and one without is one of version 1.
//!
//! Of a broken file everything is taken that can mean one thing only:
//!
//! - A byte order mark, CR at a line's end, an unknown version number: the line counts as it reads without.
//! - A header without UIDVALIDITY or next UID is none, but the UIDVALIDITY it names is noted, and the
//!   records count. Of several next UIDs the highest counts.
//! - A line that is no record costs itself alone. A UID it begins with counts as given.
//! - Where UIDs do not rise, some line is wrong. What all longest rising rows of lines have in common
//!   stands; a line that may be the wrong one loses its UID, and so does each of two lines with one UID.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::imap::sequence::{Uid, UidValidity};
use crate::spool::filename::{LONGEST, number};
use crate::spool::uidlist::Record;

/// The longest line that is read, in octets. A header or record that Dovecot writes is far below it.
const LONGEST_LINE: usize = 8 * 1024;

/// The highest UID a message can have: Dovecot takes no higher one, so that there is always a next.
const HIGHEST_UID: u32 = u32::MAX - 1;

/// The key of the header's field that Culver adds.
pub(super) const FLOOR: u8 = b'M';

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
    /// Behind the first line.
    Records,
}

/// Reads a file piece by piece: [`Parser::feed`] all of it, [`Parser::finish`], then look at the fields.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// `None` as long as no usable first line has come.
    pub(super) header: Option<Header>,
    /// The UIDVALIDITY that the first line names, whether or not it can be used.
    pub(super) uid_validity: Option<UidValidity>,
    /// The records so far.
    pub(super) records: Vec<Record>,
    /// How many lines are not as they should be, the first included.
    pub(super) broken_lines: usize,
    /// The number of the first of them.
    pub(super) first_broken: usize,
    /// Something was read that is not as it would be written.
    pub(super) unclean: bool,
    /// The highest UID of any line, usable or not.
    pub(super) highest: u32,
    /// The UID of the last record.
    pub(super) last: u32,
    /// How many octets whole lines take.
    pub(super) whole: u64,
    /// How many whole lines there are.
    pub(super) lines: usize,
    /// Behind the last record comes what is none: it may have held higher UIDs than all that can be read.
    pub(super) tail_broken: bool,
    place: Place,
    /// UIDs must be above this.
    base: u32,
    /// Some UID was not above the one before.
    falling: bool,
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
            base: last,
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
        let partial = std::mem::take(&mut self.partial);
        if self.place == Place::Records {
            self.count_uid(&partial);
        }
        self.partial = partial;
        if self.falling {
            // The highest UID may be the wrong one.
            self.tail_broken = true;
            self.records = certain(std::mem::take(&mut self.records));
            self.last = self.records.last().map_or(0, |record| record.uid.get());
        }
    }

    /// Whether there are octets behind the last whole line.
    pub(super) fn is_cut_off(&self) -> bool {
        !self.partial.is_empty()
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
        self.lines = self.lines.saturating_add(1);
        match self.place {
            Place::Header => {
                self.place = Place::Records;
                self.first_line(line, cut > 0);
            }
            Place::Records if cut > 0 => {
                self.count_uid(line);
                self.break_line();
            }
            Place::Records => self.record(line),
        }
    }

    fn first_line(&mut self, line: &[u8], cut: bool) {
        let mut read = FirstLine::read(line, cut);
        self.uid_validity = read.uid_validity;
        self.header = read.header.take();
        if !read.clean || self.header.is_none() {
            self.break_line();
        }
        // The header itself may be what is missing.
        if read.uid_validity.is_none()
            && memchr::memmem::find(line, b" :").is_some()
            && let Some(record) = self.usable_record(line)
        {
            self.push(record);
        }
    }

    fn record(&mut self, line: &[u8]) {
        let sound = line.strip_suffix(b"\r").unwrap_or(line);
        match self.usable_record(sound) {
            // The same line twice does no harm.
            Some(record) if self.records.last() == Some(&record) => self.unclean = true,
            Some(record) if record.uid.get() > self.base => {
                if record.uid.get() <= self.last {
                    self.falling = true;
                    self.break_line();
                } else if sound.len() < line.len() {
                    self.break_line();
                }
                self.push(record);
            }
            _ => self.break_line(),
        }
    }

    fn push(&mut self, record: Record) {
        self.last = record.uid.get();
        self.tail_broken = false;
        self.records.push(record);
    }

    /// Notes that the present line is not as it should be.
    fn break_line(&mut self) {
        self.broken_lines = self.broken_lines.saturating_add(1);
        self.tail_broken = true;
        if self.broken_lines == 1 {
            self.first_broken = self.lines;
        }
    }

    /// Counts the UID that a line begins with as given.
    fn count_uid(&mut self, line: &[u8]) {
        let digits = memchr::memchr(b' ', line).and_then(|space| line.get(..space));
        if let Some(uid) = digits.and_then(uid) {
            self.highest = self.highest.max(uid.get());
        }
    }

    fn usable_record(&mut self, line: &[u8]) -> Option<Record> {
        self.count_uid(line);
        let space = memchr::memchr(b' ', line)?;
        let (digits, rest) = line.split_at_checked(space)?;
        let uid = uid(digits)?;
        let mut rest = rest.get(1..)?;
        let mut fields = Vec::new();
        if memchr::memmem::find(line, b" :").is_some() {
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
        } else if self
            .header
            .as_ref()
            .is_none_or(|header| header.version != 1)
        {
            if memchr::memchr(b' ', rest).is_some() {
                return None;
            }
            self.break_line();
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

/// Of records whose UIDs do not all rise, those that stand in every longest row that does. A record that
/// comes again says nothing new.
fn certain(mut records: Vec<Record>) -> Vec<Record> {
    let mut seen = HashSet::new();
    records.retain(|record| seen.insert((record.uid, record.base.clone())));
    let uids: Vec<u32> = records.iter().map(|record| record.uid.get()).collect();
    let before = longest_rising(uids.iter().copied());
    let mut behind = longest_rising(uids.iter().rev().map(|uid| u32::MAX - uid));
    behind.reverse();
    // The place of each record in the longest rows it stands in; none if these are shorter than others.
    let longest = before.iter().copied().max().unwrap_or_default();
    let places = before.iter().zip(&behind);
    let places: Vec<Option<usize>> = places
        .map(|(before, behind)| (before + behind == longest + 1).then_some(*before))
        .collect();
    let mut rivals = vec![0_usize; longest + 1];
    for place in places.iter().flatten() {
        if let Some(rivals) = rivals.get_mut(*place) {
            *rivals += 1;
        }
    }
    let alone = |place: &Option<usize>| place.is_some_and(|place| rivals.get(place) == Some(&1));
    let records = records.into_iter().zip(&places);
    records
        .filter(|(_, place)| alone(place))
        .map(|(record, _)| record)
        .collect()
}

/// For each number the length of the longest rising row that ends with it.
fn longest_rising(numbers: impl Iterator<Item = u32>) -> Vec<usize> {
    // The lowest number with which a row of each length ends.
    let mut ends: Vec<u32> = Vec::new();
    numbers
        .map(|number| {
            let length = ends.partition_point(|end| *end < number);
            match ends.get_mut(length) {
                Some(end) => *end = number,
                None => ends.push(number),
            }
            length + 1
        })
        .collect()
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

/// What the first line says.
#[derive(Debug, Default)]
struct FirstLine {
    /// `None` if what cannot be done without is missing: UIDVALIDITY and next UID.
    header: Option<Header>,
    uid_validity: Option<UidValidity>,
    /// It is as it should be.
    clean: bool,
}

impl FirstLine {
    /// Reads it. `cut`: it goes on behind the octets that are there.
    fn read(line: &[u8], cut: bool) -> FirstLine {
        let marked = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let text = marked.strip_suffix(b"\r").unwrap_or(marked);
        let mut words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
        if cut {
            words.pop();
        }
        words.retain(|word| !word.is_empty());
        let (version, fields) = match words.split_first() {
            Some((&b"1", fields)) => (1, fields),
            Some((&b"3", fields)) => (3, fields),
            _ => (0, &*words),
        };
        let clean = line.get(1) == Some(&b' ') && version != 0 && text.len() == line.len() && !cut;
        let read = match version {
            1 => FirstLine::version_1(fields),
            _ => FirstLine::version_3(fields, clean),
        };
        FirstLine {
            clean: clean && read.clean,
            ..read
        }
    }

    fn version_1(fields: &[&[u8]]) -> FirstLine {
        let mut numbers = fields.iter().map(|field| narrow(field));
        let uid_validity = numbers.next().flatten().and_then(UidValidity::new);
        let next = numbers.next().flatten().filter(|next| *next != 0);
        let header = uid_validity.zip(next).filter(|_| numbers.next().is_none());
        FirstLine {
            header: header.map(|(uid_validity, next)| Header {
                version: 1,
                uid_validity,
                next,
                guid: None,
                others: Vec::new(),
            }),
            uid_validity,
            clean: true,
        }
    }

    /// `clean`: what is not understood is a field of somebody's and not garbage.
    fn version_3(fields: &[&[u8]], clean: bool) -> FirstLine {
        let (mut uid_validity, mut guid) = (None, None);
        let (mut validities, mut nexts) = (0_usize, Vec::new());
        let mut others: Vec<(u8, Box<[u8]>)> = Vec::new();
        for field in fields {
            let Some((&key, value)) = field.split_first() else {
                continue;
            };
            match key {
                b'V' => {
                    let other = narrow(value).and_then(UidValidity::new);
                    uid_validity = uid_validity.max(other);
                    validities = validities.saturating_add(1);
                }
                b'N' => nexts.push(narrow(value).filter(|next| *next != 0)),
                // A GUID that is none is made anew: nothing is lost by it but the mailbox's name for
                // replication.
                b'G' => guid = lower_hex(value),
                _ => others.push((key, value.into())),
            }
        }
        if !clean {
            // A floor can only be too low, and then it is as if there were none.
            others.retain(|(key, value)| *key == FLOOR && number(value).is_some());
        }
        // One of several next UIDs is true, and what is above it is free; of several UIDVALIDITYs one is wrong.
        let twice = nexts.len() > 1;
        let next: Option<Vec<u32>> = nexts.into_iter().collect();
        let next = next.and_then(|nexts| nexts.into_iter().max());
        let header = uid_validity.zip(next).filter(|_| validities == 1);
        FirstLine {
            header: header.map(|(uid_validity, next)| Header {
                version: 3,
                uid_validity,
                next,
                guid,
                others,
            }),
            uid_validity,
            clean: !twice,
        }
    }
}

/// A decimal number that fits.
fn narrow(digits: &[u8]) -> Option<u32> {
    u32::try_from(number(digits)?).ok()
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
