//! `dovecot-uidlist`: which UID belongs to which base name. Versions 1 and 3 are read, 3 is written.
//!
//! The file is the only authority for UIDs and UIDVALIDITY, for Dovecot as for us. Its grammar is in
//! [`format`]. Two rules keep all who have it open in step: it is replaced as a whole by a rename (so its
//! inode changes), or records are appended to it (so it grows), and both are done under the
//! [lock](crate::spool::lock) only. Reading needs no lock.
//!
//! Of a file that is broken everything is taken that can mean one thing only ([`format`] has the rules), and
//! what was replaced is [kept](crate::spool::broken). What the unreadable lines held gets new UIDs; no UID
//! that stood in any line, and none below the header's `N`, is ever given to another message. Where the
//! file's end is lost, more UIDs may have been given than it tells: as many are passed over as can be lost.
//! Without UIDVALIDITY or `N` nothing is certain, and UIDVALIDITY gets larger than it was. A file cut off
//! exactly between two records looks whole: that alone nobody can tell.

mod floor;
mod format;
mod record;
mod whole;

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::OFlags;
use rustix::io::retry_on_intr;

use crate::imap::sequence::{Uid, UidValidity};
use crate::spool::broken::{self, Found};
use crate::spool::dir::{self, Draft};
use crate::spool::folder::{Folder, Stamp};
use crate::spool::uidlist::format::{Header, Parser};
use crate::spool::uidlist::record::drop_older_of_doubled;
pub use crate::spool::uidlist::record::{Fields, Record, guid_number};

pub(super) const NAME: &str = "dovecot-uidlist";
const DRAFT: &str = "dovecot-uidlist.tmp";

/// Octets read at a time.
const PIECE: usize = 64 * 1024;

/// The largest file that is read, in octets: some twenty million messages.
const LARGEST: u64 = 2 << 30;

/// The UID at which there is none left to give: UIDNEXT itself must be one that a message could have.
const EXHAUSTED: u32 = u32::MAX - 1;

/// The file as last read or written by us.
#[derive(Debug)]
pub struct UidList {
    /// `V`.
    pub uid_validity: UidValidity,
    /// The next UID: above `N` and above every UID ever seen here; never goes back. At 4294967295 there
    /// is none left to give.
    pub next: Uid,
    header: Header,
    guid: Box<str>,
    file: File,
    /// The file's stamp after what we know of it was read or written.
    stamp: Stamp,
    /// Octets of whole lines: where the next record goes.
    whole: u64,
    /// The UID of the last record.
    last: u32,
    count: usize,
    /// What we could not take back follows `whole`.
    spoiled: bool,
    /// The file's last line lacks its end.
    cut_off: bool,
    /// Behind the last record is what cannot be read.
    end_lost: bool,
}

/// What reading the file brought.
#[derive(Debug)]
pub enum Read {
    /// There is no file.
    Missing,
    /// It cannot go on under its UIDVALIDITY: it is no file that can be read, its header cannot be used, or
    /// its UIDs are used up. What was in it has been kept.
    Broken(Salvage),
    /// All of it. `rewrite`: it is not as we would write it, or broken (what was in it has been kept).
    Whole {
        /// The file's state.
        list: UidList,
        /// Its records, rising by UID; of two with one base name the higher UID only.
        records: Vec<Record>,
        /// It should be rewritten as version 3.
        rewrite: bool,
    },
}

/// What is known of a file that is [`Read::Broken`].
#[derive(Debug, Default)]
pub struct Salvage {
    /// The UIDVALIDITY it had; a new one must be larger.
    pub uid_validity: Option<UidValidity>,
    /// Records to begin the new file with.
    pub records: Vec<Record>,
}

/// What has happened to the file since it was read or written last.
#[derive(Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// Others appended these records. Their UIDs are above all before; one may name a base name that an earlier
    /// record names too, and replaces that.
    Appended(Vec<Record>),
    /// It is another file now (or gone): read it again.
    Replaced,
}

impl UidList {
    /// Reads the file. Without the lock, an unfinished last line is not there yet.
    pub fn read(folder: &Folder) -> io::Result<Read> {
        let Some(control) = folder.control()? else {
            return Ok(Read::Missing);
        };
        let file = match broken::open(control.as_fd(), folder.path(), NAME)? {
            Found::There(file) => file,
            Found::Missing => return Ok(Read::Missing),
            Found::Unusable => return Ok(Read::Broken(Salvage::default())),
        };
        // Taken before reading: what is appended meanwhile will show as a change.
        let stamp = dir::stamp(&dir::stat(&file)?);
        let report = |what: &str| {
            folder
                .told
                .report(control.as_fd(), folder.path(), NAME, &file, what);
        };
        if stamp.size > LARGEST {
            report("it is too large");
            return Ok(Read::Broken(Salvage::default()));
        }
        let mut parser = Parser::default();
        read_into(&mut parser, &file, 0, stamp.size)?;
        let uid_validity = parser.uid_validity;
        let mut records = std::mem::take(&mut parser.records);
        let doubled = drop_older_of_doubled(&mut records);
        let Some(header) = parser.header.take() else {
            report(match uid_validity {
                None => "line 1 cannot be read: UIDVALIDITY is unknown",
                Some(_) => "line 1 cannot be read: the next UID is unknown",
            });
            if above(parser.highest).get() >= EXHAUSTED {
                records.clear();
            }
            return Ok(Read::Broken(Salvage {
                uid_validity,
                records,
            }));
        };
        let next = above(header.next.saturating_sub(1).max(parser.highest));
        if next.get() >= EXHAUSTED {
            report("its UIDs are used up");
            return Ok(Read::Broken(Salvage {
                uid_validity,
                records: Vec::new(),
            }));
        }
        if parser.broken_lines > 0 {
            let (first, others) = (parser.first_broken, parser.broken_lines.saturating_sub(1));
            report(&match others {
                0 => format!("line {first}"),
                _ => format!("line {first}, and {others} more"),
            });
        } else if doubled > 0 {
            report(&format!("{doubled} files are named twice"));
        }
        let guid = header.guid.clone();
        let rewrite = header.version != 3
            || guid.is_none()
            || parser.broken_lines > 0
            || parser.unclean
            || parser.is_cut_off()
            || doubled > 0;
        let list = UidList {
            uid_validity: header.uid_validity,
            next,
            guid: guid.map_or_else(fresh_guid, Ok)?,
            header,
            stamp,
            whole: parser.whole,
            last: parser.last,
            count: records.len().saturating_add(doubled),
            spoiled: false,
            cut_off: parser.is_cut_off(),
            end_lost: parser.tail_broken,
            file,
        };
        Ok(Read::Whole {
            list,
            records,
            rewrite,
        })
    }

    /// The mailbox's GUID (`G`), 32 lower-case hexadecimal digits. Not on disk yet where the file lacked one, until
    /// it is rewritten.
    pub fn guid(&self) -> &str {
        &self.guid
    }

    /// Whether that was in the file.
    pub fn keeps_guid(&self) -> bool {
        self.header.guid.is_some()
    }

    /// Looks whether others changed the file.
    pub fn poll(&mut self, folder: &Folder) -> io::Result<Change> {
        let Some(control) = folder.control()? else {
            return Ok(Change::Replaced);
        };
        let Some(stat) = dir::stat_at(control.as_fd(), NAME)? else {
            return Ok(Change::Replaced);
        };
        let now = dir::stamp(&stat);
        if now == self.stamp {
            return Ok(Change::None);
        }
        // The file is held open, so another one cannot have its inode.
        if now.identity != self.stamp.identity
            || now.size <= self.stamp.size
            || self.header.version != 3
            || self.spoiled
        {
            return Ok(Change::Replaced);
        }
        let mut parser = Parser::resume(self.last);
        read_into(&mut parser, &self.file, self.whole, now.size)?;
        if parser.broken_lines > 0 || parser.unclean {
            return Ok(Change::Replaced);
        }
        self.stamp = now;
        self.cut_off = parser.is_cut_off();
        self.whole = self.whole.saturating_add(parser.whole);
        self.last = parser.last;
        self.next = self.next.max(above(parser.highest));
        self.count = self.count.saturating_add(parser.records.len());
        Ok(match parser.records.is_empty() {
            true => Change::None,
            false => Change::Appended(parser.records),
        })
    }

    /// Whether the file with this stamp is the one that was read or written last.
    pub fn is_as(&self, stamp: &Stamp) -> bool {
        self.stamp == *stamp
    }

    /// Appends records in one write, without fsync. Under the lock, after [`UidList::poll`].
    /// On failure nothing of them stays in the file, or the file is marked to be rewritten.
    ///
    /// `InvalidInput` for a record that cannot stand there (its UID is not above all before, its base name
    /// is none), and for a file of version 1, which must be rewritten first.
    pub fn append(&mut self, folder: &Folder, records: &[Record]) -> io::Result<()> {
        if self.header.version != 3 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a uidlist of version 1 must be rewritten first",
            ));
        }
        let mut lines = Vec::new();
        let mut last = self.last;
        for record in records {
            format::write_record(&mut lines, record, last)?;
            last = record.uid.get();
        }
        let control = folder.control_to_write()?;
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW;
        let (file, writable) = match dir::open_at(control.as_fd(), NAME, flags) {
            // A file that may only be read can still be replaced.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
                (dir::open_at(control.as_fd(), NAME, flags)?, false)
            }
            file => (file?, true),
        };
        let file = File::from(file);
        let now = dir::stamp(&dir::stat(&file)?);
        if now.identity != self.stamp.identity || now.size < self.whole {
            return Err(io::Error::other(format!("{NAME} was replaced by another")));
        }
        if now.size > self.whole || !writable {
            // Behind the whole lines is what a crash, or a write of ours that failed, has left.
            return self.append_to_copy(&control, now.size, &lines, last, records.len());
        }
        match (&file).write_all(&lines) {
            Ok(()) => self.appended(&file, lines.len(), last, records.len()),
            Err(error) => {
                let taken_back = rustix::fs::ftruncate(&file, self.whole);
                self.spoiled = taken_back.is_err();
                self.stamp = dir::stamp(&dir::stat(&file)?);
                Err(error)
            }
        }
    }

    /// How many records the file holds, for the rule that a quarter of dead ones is rewritten.
    pub fn record_count(&self) -> usize {
        self.count
    }

    /// A descriptor for the file as it is now, to be fsynced without holding anything. What
    /// [`UidList::create`] and [`UidList::rewrite`] wrote is synced already, its directory included.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Makes the file safe as it stands, its place in the directory too: whoever wrote it may have synced
    /// neither.
    pub fn sync(&self, folder: &Folder) -> io::Result<()> {
        retry_on_intr(|| rustix::fs::fdatasync(&self.file))?;
        match folder.control()? {
            Some(control) => dir::sync_dir(&*control),
            None => Ok(()),
        }
    }

    /// Appends to a copy of the whole lines, and puts that in the file's place, synced.
    fn append_to_copy(
        &mut self,
        control: &OwnedFd,
        size: u64,
        lines: &[u8],
        last: u32,
        count: usize,
    ) -> io::Result<()> {
        let mut behind = Parser::resume(self.last);
        read_into(&mut behind, &self.file, self.whole, size)?;
        if !self.spoiled && behind.whole > 0 {
            return Err(io::Error::other(format!("{NAME} has records not read yet")));
        }
        let draft = Draft::create(control.as_fd(), DRAFT)?;
        copy(&self.file, &draft.file, self.whole)?;
        (&draft.file).write_all(lines)?;
        self.file = draft.publish(NAME)?;
        self.spoiled = false;
        self.cut_off = false;
        let file = self.file.try_clone()?;
        self.appended(&file, lines.len(), last, count)
    }

    /// Notes what was appended.
    fn appended(&mut self, file: &File, length: usize, last: u32, count: usize) -> io::Result<()> {
        self.whole = self.whole.saturating_add(length as u64);
        self.last = last;
        self.next = self.next.max(above(last));
        self.count = self.count.saturating_add(count);
        self.stamp = dir::stamp(&dir::stat(file)?);
        Ok(())
    }
}

/// The UID above a number; the highest there is above itself.
fn above(number: u32) -> Uid {
    Uid(std::num::NonZeroU32::MIN.saturating_add(number))
}

/// Feeds the octets `from .. to` of the file to the parser.
fn read_into(parser: &mut Parser, file: &File, from: u64, to: u64) -> io::Result<()> {
    if to > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut buffer = vec![0; PIECE];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to - at).map_or(PIECE, |rest| rest.min(PIECE));
        let Some(piece) = buffer.get_mut(..want) else {
            break;
        };
        let got = match file.read_at(piece, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            got => got?,
        };
        if got == 0 {
            break;
        }
        parser.feed(piece.get(..got).unwrap_or_default());
        at = at.saturating_add(got as u64);
    }
    parser.finish();
    Ok(())
}

/// Copies the first `length` octets.
fn copy(from: &File, mut to: &File, length: u64) -> io::Result<()> {
    let mut reader = from;
    io::Seek::seek(&mut reader, io::SeekFrom::Start(0))?;
    let copied = io::copy(&mut reader.take(length), &mut to)?;
    if copied != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// A GUID never used before.
fn fresh_guid() -> io::Result<Box<str>> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .into())
}

#[cfg(test)]
mod tests;
