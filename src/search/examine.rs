//! One message against a query: what the picture left open is asked of the file, cheapest first, and the
//! file is read no further than it takes to decide. Each octet is read once for all tests.

use std::cmp::Ordering;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use crate::imap::search::Day;
use crate::message::Source;
use crate::message::address;
use crate::message::crlf::virtual_size;
use crate::message::date::sent_day;
use crate::message::decode::{TextDecoder, header_text, utf8_text};
use crate::message::mime;
use crate::message::pieces::read;
use crate::message::text::TextPart;
use crate::search::header::{each_field, header_length, plain_header};
use crate::search::needle::{Buffers, Needle, Seeker};
use crate::search::pool::Progress;
use crate::search::query::{Cost, Query, Test, local_day};

/// A file up to this size is read as a whole, once; a larger one in pieces, wherever they are needed.
const WHOLE: u64 = 1024 * 1024;

/// What is read first where the header may settle it.
const HEADER_FIRST: u64 = 16 * 1024;

/// Octets of a text part decoded at once.
const PIECE: usize = 32 * 1024;

/// A text part that lies in memory is decoded as a whole up to this size.
const WHOLE_TEXT: usize = 128 * 1024;

/// The fields of addresses that have a search key (RFC 3501 §6.4.4).
const ADDRESSES: [&[u8]; 4] = [b"From", b"To", b"Cc", b"Bcc"];

/// A thread's buffers, used again for each message: at most [`WHOLE`], and what two [`Seeker`]s need.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The file's octets; beyond what was read of this file, those of others.
    file: Vec<u8>,
    /// A piece of a part, or what a part is without its transfer encoding.
    piece: Vec<u8>,
    sought: Buffers,
    sought_in_field: Buffers,
}

/// Whether the message in `file` matches. `answers` are those of the picture, by test; `note_size` is told
/// RFC822.SIZE if it comes out on the way; `None` where it is known. Once it was stopped through `progress`, any answer will do.
pub fn examine(
    query: &Query,
    answers: Vec<Option<bool>>,
    file: &File,
    scratch: &mut Scratch,
    progress: &Progress,
    note_size: Option<&dyn Fn(u64)>,
) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let size = metadata.len();
    let mut bytes = std::mem::take(&mut scratch.file);
    let mut examination = Examination {
        query,
        answers,
        scratch,
        progress,
    };
    let mut loaded = Loaded {
        file,
        bytes: &mut bytes,
        filled: 0,
    };
    let matches = examination.run(&metadata, size, &mut loaded, note_size);
    scratch.file = bytes;
    matches
}

/// The first octets of a file, read so far.
struct Loaded<'a> {
    file: &'a File,
    bytes: &'a mut Vec<u8>,
    filled: usize,
}

impl Loaded<'_> {
    /// Reads on until `size` octets are there, or the file ends.
    fn up_to(&mut self, size: u64) -> io::Result<&[u8]> {
        let size = usize::try_from(size.min(WHOLE)).unwrap_or(usize::MAX);
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        while self.filled < size {
            let room = self.bytes.get_mut(self.filled..size).unwrap_or_default();
            match read(self.file, self.filled as u64, room)? {
                0 => break,
                count => self.filled += count,
            }
        }
        Ok(self.bytes.get(..self.filled).unwrap_or_default())
    }
}

struct Examination<'q, 's> {
    query: &'q Query,
    answers: Vec<Option<bool>>,
    scratch: &'s mut Scratch,
    progress: &'s Progress,
}

impl<'q> Examination<'q, '_> {
    fn run(
        &mut self,
        metadata: &Metadata,
        size: u64,
        loaded: &mut Loaded<'_>,
        note_size: Option<&dyn Fn(u64)>,
    ) -> io::Result<bool> {
        self.stat(metadata);
        if let Some(verdict) = self.verdict() {
            return Ok(verdict);
        }
        if self.is_open(Cost::Header) {
            let head_only = size > WHOLE || self.header_may_settle();
            let first = if head_only { HEADER_FIRST } else { WHOLE };
            let head = loaded.up_to(size.min(first))?;
            if head.len() as u64 == size || header_length(head).is_some() {
                self.own_header(head)?;
            } else if size <= WHOLE {
                self.own_header(loaded.up_to(size)?)?;
            } else {
                self.own_header(loaded.file)?;
            }
            if let Some(verdict) = self.verdict() {
                return Ok(verdict);
            }
        }
        if size <= WHOLE {
            self.whole(loaded.up_to(size)?, note_size)?;
        } else {
            self.whole(loaded.file, note_size)?;
        }
        Ok(self.verdict().unwrap_or(false))
    }

    fn verdict(&self) -> Option<bool> {
        self.query.decide(|test| self.answer(test))
    }

    fn answer(&self, test: usize) -> Option<bool> {
        self.answers.get(test).copied().flatten()
    }

    /// Whether something is left to ask at this cost.
    fn is_open(&self, cost: Cost) -> bool {
        let mut open = false;
        self.query
            .open_tests(&self.answers, |_, test| open |= test.cost() == cost);
        open
    }

    /// Whether everything is decided if the header's tests fail, as they mostly do.
    fn header_may_settle(&self) -> bool {
        let tests = self.query.tests();
        let failing = |number: usize| {
            let is_header = |test: &Test| test.cost() == Cost::Header;
            self.answer(number)
                .or_else(|| tests.get(number).is_some_and(is_header).then_some(false))
        };
        self.query.decide(failing).is_some()
    }

    /// What the file's time and size tell. RFC822.SIZE is the file's size and one more for each bare LF.
    fn stat(&mut self, metadata: &Metadata) {
        let size = metadata.len();
        let received = local_day(metadata.mtime());
        let answers = &mut self.answers;
        for (test, answer) in self.query.tests().iter().zip(answers) {
            match test {
                Test::Received(order, day) => *answer = Some(stands(received, *order, *day)),
                Test::ReceivedBy(moment) => *answer = Some(metadata.mtime() <= *moment),
                Test::SizeAtLeast(least) if answer.is_none() => {
                    if size >= *least {
                        *answer = Some(true);
                    } else if size.saturating_mul(2) < *least {
                        *answer = Some(false);
                    }
                }
                _ => {}
            }
        }
    }

    /// Answers every test that the message's own header answers, or as many as it takes.
    fn own_header<S: Source + ?Sized>(&mut self, source: &S) -> io::Result<()> {
        let mut wanted = Wanted::default();
        let mut anywhere = Vec::new();
        let query = self.query;
        query.open_tests(&self.answers, |number, test| match test {
            Test::Header(needle) => anywhere.push((number, needle)),
            Test::Field(name, needle) => wanted.fields.push((number, name, needle)),
            Test::Sent(order, day) => wanted.dates.push((number, *order, *day)),
            _ => {}
        });
        let mut in_header = Seeker::new(std::mem::take(&mut self.scratch.sought));
        in_header.seek(anywhere);
        self.header(source, 0..source.len()?, &mut in_header, &mut wanted)?;
        self.scratch.sought = in_header.into_buffers();
        // What has not been found is not there. (If all is decided already, it does not matter.)
        self.deny(Cost::Header);
        Ok(())
    }

    /// Reads a header for what is sought in all of it and for the fields wanted; true if nothing more has to
    /// be read.
    fn header<S: Source + ?Sized>(
        &mut self,
        source: &S,
        range: Range<u64>,
        in_header: &mut Seeker<'q>,
        wanted: &mut Wanted<'q>,
    ) -> io::Result<bool> {
        if wanted.is_empty()
            && let Some(text) = plain_header(source, &range)
            && !in_header.may_find(text)
        {
            return Ok(false);
        }
        let mut in_field = Seeker::new(std::mem::take(&mut self.scratch.sought_in_field));
        let mut over = false;
        each_field(source, range, |field| {
            let has_name = |name: &[u8]| name.eq_ignore_ascii_case(field.name);
            if field.is_first {
                let fields = wanted.fields.iter().filter(|(_, name, _)| has_name(name));
                in_field.seek(fields.map(|(number, _, needle)| (*number, *needle)));
                if !field.name.is_empty() {
                    over |= self.seek(in_header, &String::from_utf8_lossy(field.name));
                    over |= self.seek(in_header, ": ");
                }
            }
            if !in_header.is_done() || !in_field.is_done() {
                let text = header_text(field.body);
                for seeker in [&mut *in_header, &mut in_field] {
                    over |= self.seek(seeker, field.joint);
                    over |= self.seek(seeker, &text);
                    if field.is_last {
                        over |= self.end_text(seeker);
                    }
                }
                // "In the envelope structure's FROM field": there an address has no blanks and comments.
                if !in_field.is_done()
                    && ADDRESSES.iter().any(|name| has_name(name))
                    && let Some(addresses) = address::without_blanks(field.body)
                {
                    over |= self.seek(&mut in_field, &addresses);
                    over |= self.end_text(&mut in_field);
                }
            }
            // Of several Date: fields the first counts.
            if !wanted.dates.is_empty() && has_name(b"Date") {
                let sent = sent_day(field.body);
                for (number, order, day) in wanted.dates.drain(..) {
                    self.note(number, stands(sent, order, day));
                }
                over |= self.verdict().is_some();
            }
            !over
        })?;
        self.scratch.sought_in_field = in_field.into_buffers();
        Ok(over)
    }

    /// Answers what only the whole message answers, or as much as it takes.
    fn whole<S: Source + ?Sized>(
        &mut self,
        source: &S,
        note_size: Option<&dyn Fn(u64)>,
    ) -> io::Result<()> {
        let mut bodies = Vec::new();
        let mut headers = Vec::new();
        let mut wants_size = note_size.is_some();
        let query = self.query;
        query.open_tests(&self.answers, |number, test| match test {
            Test::Body(needle) => bodies.push((number, needle)),
            Test::InnerHeader(needle) => headers.push((number, needle)),
            Test::SizeAtLeast(_) => wants_size = true,
            _ => {}
        });
        if bodies.is_empty() && headers.is_empty() {
            self.sized(virtual_size(source, 0..source.len()?)?, note_size);
            return Ok(());
        }

        let outline = if wants_size {
            let structure = mime::parse(source)?;
            self.sized(structure.virtual_size, note_size);
            structure.into()
        } else {
            mime::outline(source)?
        };
        let mut seeker = Seeker::new(std::mem::take(&mut self.scratch.sought));
        if !headers.is_empty() {
            seeker.seek(headers);
            let mut nothing = Wanted::default();
            for range in outline.inner_headers() {
                if seeker.is_done() || self.header(source, range, &mut seeker, &mut nothing)? {
                    break;
                }
            }
        }
        if !bodies.is_empty() && self.verdict().is_none() {
            seeker.seek(bodies);
            for part in outline.text_parts() {
                if seeker.is_done() || self.body(source, &part, &mut seeker)? {
                    break;
                }
            }
        }
        self.scratch.sought = seeker.into_buffers();
        self.deny(Cost::Body);
        Ok(())
    }

    /// Reads a text part; true if nothing more has to be read.
    fn body<S: Source + ?Sized>(
        &mut self,
        source: &S,
        part: &TextPart<'_>,
        seeker: &mut Seeker<'q>,
    ) -> io::Result<bool> {
        let mut piece = std::mem::take(&mut self.scratch.piece);
        let mut over = false;
        if let Some(body) = short(source, &part.range)
            && let Some(text) = utf8_text(part.encoding, part.charset, body, &mut piece)
        {
            if seeker.may_find(text) {
                over = self.seek(seeker, text) | self.end_text(seeker);
            }
            self.scratch.piece = piece;
            return Ok(over);
        }
        let mut decoder = TextDecoder::new(part.encoding, part.charset);
        let mut at = part.range.start;
        while at < part.range.end && !over {
            let left = usize::try_from(part.range.end - at).unwrap_or(PIECE);
            let encoded = match source.in_memory() {
                Some(whole) => {
                    let rest = usize::try_from(at).ok().and_then(|at| whole.get(at..));
                    let rest = rest.unwrap_or_default();
                    rest.get(..left.min(PIECE)).unwrap_or(rest)
                }
                None => {
                    piece.resize(PIECE, 0);
                    let room = piece.get_mut(..left.min(PIECE)).unwrap_or_default();
                    let count = read(source, at, room)?;
                    room.get(..count).unwrap_or_default()
                }
            };
            if encoded.is_empty() {
                break;
            }
            at += encoded.len() as u64;
            over = self.seek_in(seeker, |text| decoder.push(encoded, text));
        }
        over |= self.seek_in(seeker, |text| decoder.finish(text));
        over |= self.end_text(seeker);
        self.scratch.piece = piece;
        Ok(over)
    }

    /// Gives the seeker a piece of text; true if nothing more has to be read.
    fn seek(&mut self, seeker: &mut Seeker<'q>, piece: &str) -> bool {
        self.seek_in(seeker, |text| text.push_str(piece))
    }

    /// The same for a piece that `add` appends.
    fn seek_in(&mut self, seeker: &mut Seeker<'q>, add: impl FnOnce(&mut String)) -> bool {
        if seeker.is_done() {
            return false;
        }
        let mut found = false;
        seeker.push(add, |number| {
            found = true;
            self.note(number, true);
        });
        (found && self.verdict().is_some()) || self.progress.is_cancelled()
    }

    /// Tells the seeker that the text ends; true if nothing more has to be read.
    fn end_text(&mut self, seeker: &mut Seeker<'q>) -> bool {
        let mut found = false;
        seeker.end(|number| {
            found = true;
            self.note(number, true);
        });
        (found && self.verdict().is_some()) || self.progress.is_cancelled()
    }

    fn note(&mut self, number: usize, value: bool) {
        if let Some(answer) = self.answers.get_mut(number) {
            *answer = Some(value);
        }
    }

    /// RFC822.SIZE is known.
    fn sized(&mut self, size: u64, note_size: Option<&dyn Fn(u64)>) {
        if let Some(note) = note_size {
            note(size);
        }
        for (test, answer) in self.query.tests().iter().zip(&mut self.answers) {
            if let Test::SizeAtLeast(least) = test {
                answer.get_or_insert(size >= *least);
            }
        }
    }

    /// The tests of this cost that have no answer by now fail.
    fn deny(&mut self, cost: Cost) {
        for (test, answer) in self.query.tests().iter().zip(&mut self.answers) {
            if test.cost() == cost {
                answer.get_or_insert(false);
            }
        }
    }
}

/// What a header is asked beside what is sought in all of it.
#[derive(Default)]
struct Wanted<'q> {
    fields: Vec<(usize, &'q [u8], &'q Needle)>,
    dates: Vec<(usize, Ordering, Day)>,
}

impl Wanted<'_> {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.dates.is_empty()
    }
}

/// What lies in a range of a source that lies in memory, if that is not long.
fn short<'s, S: Source + ?Sized>(source: &'s S, range: &Range<u64>) -> Option<&'s [u8]> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    let bytes = source.in_memory()?.get(start..end)?;
    (bytes.len() <= WHOLE_TEXT).then_some(bytes)
}

/// Whether a day is there and stands so to the other.
fn stands(day: Option<Day>, order: Ordering, other: Day) -> bool {
    day.is_some_and(|day| day.cmp(&other) == order)
}

#[cfg(test)]
mod tests;
