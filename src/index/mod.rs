//! What Culver remembers of a mailbox besides Dovecot's files: mod-sequences and vanished UIDs (RFC 7162).
//!
//! `culver.index` ([`record`]) holds what was known when it was written, `culver.log` ([`log`]) what has changed since:
//! an entry a change, whatever the size of the mailbox. Both lie beside the uidlist and are written under its lock
//! only. When the log has grown to a quarter of the mailbox, both are written anew.
//!
//! They may be deleted at any time: lost is the history, nothing else. Neither is synced, so after a start of the
//! machine nobody knows what they lack; they are believed if they were written since it started, or were
//! [closed](Index::close). Whatever else raises a doubt (a sum, a cut, another UIDVALIDITY, a file that is a copy of
//! the one that was written) makes [`Index::read`] give nothing, and who asks begins anew with a mod-sequence above
//! all ever given: the header field `M` of the uidlist sees to that.
//!
//! Who cannot note a change that will be told must [`forsake`] them: else they would be believed without it.

pub mod log;
pub mod record;
pub mod status;
pub mod vanished;

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crate::imap::sequence::{ModSeq, UidValidity};
use crate::index::log::{Change, Entry, Header, Line};
use crate::index::record::{Known, Record, Writing};
use crate::index::vanished::Vanished;
use crate::spool::beside::{self, Lies};
use crate::spool::folder::Folder;

const INDEX: &str = "culver.index";
const INDEX_DRAFT: &str = "culver.index.tmp";
const LOG: &str = "culver.log";
const LOG_DRAFT: &str = "culver.log.tmp";

/// No mod-sequence is above it: it is exact in a floating-point number too, which some clients keep it in.
pub const HIGHEST: ModSeq = ModSeq((1 << 53) - 1);

/// A mailbox may have so many messages here, or twice as many as its uidlist has records, whichever is more: a file
/// that tells of more is not believed, nor a log with more entries. Either takes 20 or 28 octets for each.
const PLENTY: usize = 1 << 18;

/// A log of so many entries is short whatever the size of the mailbox.
const SHORT: usize = 1024;

/// Both files, as last read or written.
#[derive(Debug)]
pub struct Index {
    number: u64,
    log: File,
    /// Of index and log.
    identities: [(u64, u64); 2],
    /// Octets of the log that are known.
    whole: u64,
    /// Entries in the log.
    entries: usize,
    /// So many it may have.
    most: usize,
    /// Behind the last entry is a part of one.
    torn: bool,
    /// The index is synced, and where both files lie.
    safe: bool,
    /// All is synced, and nothing may be appended before that is taken back.
    closed: bool,
    /// The log is all in the index, for who wrote that was stopped midway: both are to be written anew.
    stale: bool,
    boot: u64,
}

/// What others have done to the files.
#[derive(Debug)]
pub enum News {
    /// Nothing.
    None,
    /// They have appended these.
    Entries(Vec<Entry>),
    /// The files are others now, or cannot be believed: read them again.
    Replaced,
}

impl Index {
    /// Reads both files. `None` if they are not there, or there is any doubt about them. The uidlist has so many
    /// `listed` records.
    pub fn read(
        folder: &Folder,
        uid_validity: UidValidity,
        listed: usize,
    ) -> io::Result<Option<(Index, Known)>> {
        Index::read_in(folder, uid_validity, listed, this_boot())
    }

    fn read_in(
        folder: &Folder,
        uid_validity: UidValidity,
        listed: usize,
        boot: u64,
    ) -> io::Result<Option<(Index, Known)>> {
        let most = listed.saturating_mul(2).max(PLENTY);
        // The log first: what is written anew meanwhile does not fit it.
        let log = Opened::read(folder, LOG, |first, size| {
            let header = log::decode_header(first)?;
            (size <= whole_octets(most)).then_some(header)
        });
        let Some((header, log)) = log? else {
            return Ok(None);
        };
        let index = Opened::read(folder, INDEX, |first, size| {
            record::size(first, most).filter(|whole| *whole == size)
        });
        let Some((_, index)) = index? else {
            return Ok(None);
        };
        Ok(Index::decode(header, log, &index, most, uid_validity, boot))
    }

    fn decode(
        header: Header,
        log: Opened,
        index_file: &Opened,
        most: usize,
        uid_validity: UidValidity,
        boot: u64,
    ) -> Option<(Index, Known)> {
        let (writing, mut known) = record::decode(&index_file.octets)?;
        let identities = [index_file.lies.identity, log.lies.identity];
        let is_own = [writing.inode, header.inode] == identities.map(|(_, inode)| inode);
        let is_this = [header.uid_validity, writing.uid_validity] == [uid_validity; 2];
        if !is_own || !is_this {
            return None;
        }
        let mut index = Index {
            number: header.number,
            log: log.file,
            identities,
            whole: log.lies.size,
            entries: 0,
            most,
            torn: false,
            safe: false,
            closed: false,
            stale: header.number == writing.before,
            boot,
        };
        if index.stale {
            return (writing.boot == boot && boot != 0).then_some((index, known));
        }
        if header.number != writing.number {
            return None;
        }
        let (lines, torn) = log::decode(log.octets.get(log::HEADER..)?, header.number)?;
        let (mut vouched, mut closed) = (header.boot, false);
        let mut entries = Vec::with_capacity(lines.len());
        for line in &lines {
            match line {
                Line::Open(boot) => (vouched, closed) = (*boot, false),
                _ if closed => return None,
                Line::Closed => closed = true,
                Line::Entry(entry) => entries.push(*entry),
            }
        }
        if !closed && (vouched != boot || boot == 0) {
            return None;
        }
        // Whoever appends knows of all before.
        let rising = entries.is_sorted_by_key(|entry| entry.modseq);
        if !rising
            || entries
                .first()
                .is_some_and(|first| first.modseq < known.last)
        {
            return None;
        }
        index.entries = lines.len();
        index.whole = whole_octets(lines.len());
        (index.torn, index.closed) = (torn, closed);
        index.safe = closed;
        known.apply(entries);
        Some((index, known))
    }

    /// Whether [`Index::poll`] would tell anything.
    pub fn has_news(&self, folder: &Folder) -> bool {
        let Ok([index, log]) = lies(folder) else {
            return true;
        };
        let identities = [index, log].map(|lies| lies.map(|lies| lies.identity));
        identities != self.identities.map(Some) || log.is_none_or(|log| log.size != self.whole)
    }

    /// Looks whether others changed the files.
    pub fn poll(&mut self, folder: &Folder) -> io::Result<News> {
        let [Some(index), Some(lies)] = lies(folder)? else {
            return Ok(News::Replaced);
        };
        if [index.identity, lies.identity] != self.identities
            || lies.size < self.whole
            || lies.size > whole_octets(self.most)
        {
            return Ok(News::Replaced);
        }
        if lies.size == self.whole {
            self.torn = false;
            return Ok(News::None);
        }
        let mut added = Vec::new();
        read_more(&self.log, self.whole, lies.size, &mut added)?;
        let Some((lines, torn)) = log::decode(&added, self.number) else {
            return Ok(News::Replaced);
        };
        self.torn = torn;
        self.entries = self.entries.saturating_add(lines.len());
        self.whole = whole_octets(self.entries);
        let mut entries = Vec::with_capacity(lines.len());
        for line in lines {
            match line {
                Line::Entry(entry) => entries.push(entry),
                Line::Open(_) => self.closed = false,
                Line::Closed => self.closed = true,
            }
        }
        Ok(match entries.is_empty() {
            true => News::None,
            false => News::Entries(entries),
        })
    }

    /// Whether both files should be written anew rather than that many entries be appended.
    pub fn is_due(&self, entries: usize, messages: usize) -> bool {
        let after = self.entries.saturating_add(entries);
        self.stale || after > SHORT.max(messages / 4)
    }

    /// Appends entries, in one write. Under the lock, after [`Index::poll`]. If it fails, some may be there: read the
    /// files again.
    pub fn append(&mut self, entries: impl Iterator<Item = Entry>) -> io::Result<()> {
        self.open()?;
        self.write(entries.map(Line::Entry))
    }

    /// Cuts off what a stopped process has left behind the last entry. Under the lock, after [`Index::poll`].
    pub fn cut_torn(&mut self) -> io::Result<()> {
        if self.torn {
            self.log.set_len(self.whole)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Takes back that all is synced, where it was.
    fn open(&mut self) -> io::Result<()> {
        if !self.closed {
            return Ok(());
        }
        self.write([Line::Open(self.boot)].into_iter())?;
        self.log.sync_data()?;
        self.closed = false;
        Ok(())
    }

    fn write(&mut self, lines: impl Iterator<Item = Line>) -> io::Result<()> {
        self.cut_torn()?;
        let (mut out, mut count) = (Vec::new(), 0_usize);
        for line in lines {
            log::encode(&mut out, self.number, line);
            count = count.saturating_add(1);
        }
        (&self.log).write_all(&out)?;
        self.entries = self.entries.saturating_add(count);
        self.whole = whole_octets(self.entries);
        Ok(())
    }

    /// Writes both files anew, with records by rising UID. `before` are those that are there, if they are believed.
    /// Under the lock.
    pub fn replace(
        before: Option<&mut Index>,
        folder: &Folder,
        uid_validity: UidValidity,
        last: ModSeq,
        records: &[Record],
        vanished: &Vanished,
    ) -> io::Result<Index> {
        // The old ones may be back after a power cut: they must not be believed then.
        let number_before = match before {
            Some(before) => {
                before.open()?;
                before.number
            }
            None => {
                beside::remove(folder, LOG)?;
                0
            }
        };
        let boot = this_boot();
        let number = fresh_number()?;
        beside::replace(folder, INDEX, INDEX_DRAFT, |inode| {
            let writing = Writing {
                number,
                before: number_before,
                inode,
                boot,
                uid_validity,
            };
            record::encode(&writing, last, records, vanished)
        })?;
        beside::replace(folder, LOG, LOG_DRAFT, |inode| {
            log::encode_header(&Header {
                number,
                inode,
                boot,
                uid_validity,
            })
        })?;
        let index = beside::find(folder, INDEX)?.ok_or(io::ErrorKind::NotFound)?;
        let log = beside::open(folder, LOG)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Index {
            number,
            identities: [index.identity, beside::lies(&log)?.identity],
            log,
            whole: whole_octets(0),
            entries: 0,
            most: records.len().saturating_mul(2).max(PLENTY),
            torn: false,
            safe: false,
            closed: false,
            stale: false,
            boot,
        })
    }

    /// Whether there is something that [`Index::close`] would make safe.
    pub fn is_open(&self) -> bool {
        !self.closed
    }

    /// Syncs both files, so that they are believed after the machine has stopped. Under the lock, after
    /// [`Index::poll`].
    pub fn close(&mut self, folder: &Folder) -> io::Result<()> {
        if self.closed || self.stale {
            return Ok(());
        }
        if !self.safe {
            let index = beside::open(folder, INDEX)?.ok_or(io::ErrorKind::NotFound)?;
            index.sync_data()?;
            beside::sync(folder)?;
            self.safe = true;
        }
        self.log.sync_data()?;
        // If this one is lost nobody believes what is there, no more.
        self.write([Line::Closed].into_iter())?;
        self.closed = true;
        Ok(())
    }
}

/// What `culver.index` and `culver.log` are now.
pub fn lies(folder: &Folder) -> io::Result<[Option<Lies>; 2]> {
    Ok([beside::find(folder, INDEX)?, beside::find(folder, LOG)?])
}

/// One of the files, read whole.
struct Opened {
    file: File,
    lies: Lies,
    octets: Vec<u8>,
}

impl Opened {
    /// Reads a file if its first octets, [`record::HEADER`] at the most, and its size are as they should be: `is_whole`
    /// says what they tell. `None` for what is no such file.
    fn read<T>(
        folder: &Folder,
        name: &str,
        is_whole: impl FnOnce(&[u8], u64) -> Option<T>,
    ) -> io::Result<Option<(T, Opened)>> {
        let file = match beside::open(folder, name) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(error) if is_no_file(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let lies = beside::lies(&file)?;
        let mut octets = Vec::new();
        let first = lies.size.min(record::HEADER as u64);
        let read = read_more(&file, 0, first, &mut octets).and_then(|()| {
            let told = is_whole(&octets, lies.size);
            let Some(told) = told else { return Ok(None) };
            read_more(&file, first, lies.size, &mut octets)?;
            Ok(Some(told))
        });
        match read {
            Ok(told) => Ok(told.map(|told| (told, Opened { file, lies, octets }))),
            // Cut off meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says that there is something else than a file: a directory, a symbolic link.
fn is_no_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

impl Known {
    /// Brings it up to date with what has happened since.
    fn apply(&mut self, entries: Vec<Entry>) {
        let mut changed: Vec<Entry> = entries;
        self.last = changed
            .iter()
            .fold(self.last, |last, entry| last.max(entry.modseq));
        let gone = changed.iter().filter(|entry| entry.change == Change::Gone);
        let mut gone = gone.copied().peekable();
        while let Some(first) = gone.next() {
            let mut uids = crate::imap::sequence::NumberSet::new();
            uids.insert(first.uid.get());
            while let Some(next) = gone.next_if(|next| next.modseq == first.modseq) {
                uids.insert(next.uid.get());
            }
            self.vanished.push(&uids, first.modseq);
        }
        // Of several entries about one message the last counts.
        changed.sort_by_key(|entry| entry.uid);
        let mut records = std::mem::take(&mut self.records).into_iter().peekable();
        let mut merged = Vec::with_capacity(records.len());
        for about in changed.chunk_by(|one, other| one.uid == other.uid) {
            let Some(entry) = about.last() else { continue };
            while let Some(record) = records.next_if(|record| record.uid < entry.uid) {
                merged.push(record);
            }
            records.next_if(|record| record.uid == entry.uid);
            if let Change::Here(flags) = entry.change {
                merged.push(Record {
                    uid: entry.uid,
                    flags,
                    modseq: entry.modseq,
                });
            }
        }
        merged.extend(records);
        self.records = merged;
    }
}

/// Octets of a log with that many entries.
fn whole_octets(entries: usize) -> u64 {
    (entries as u64)
        .saturating_mul(log::ENTRY as u64)
        .saturating_add(log::HEADER as u64)
}

/// Reads the octets `from .. to` of a file.
fn read_more(file: &File, from: u64, to: u64, octets: &mut Vec<u8>) -> io::Result<()> {
    let size = usize::try_from(to.saturating_sub(from)).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut more = vec![0; size];
    file.read_exact_at(&mut more, from)?;
    octets.append(&mut more);
    Ok(())
}

/// A number never used before.
fn fresh_number() -> io::Result<u64> {
    let mut octets = [0; 8];
    rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty())?;
    Ok(u64::from_le_bytes(octets))
}

/// A number for the time since the machine started; 0 if there is no telling.
fn this_boot() -> u64 {
    static BOOT: OnceLock<u64> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits = id.bytes().filter_map(|byte| char::from(byte).to_digit(16));
        digits.fold(0, |all, digit| all.rotate_left(4) ^ u64::from(digit))
    })
}

#[cfg(test)]
mod tests;
