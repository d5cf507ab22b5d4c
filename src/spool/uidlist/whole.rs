//! `dovecot-uidlist` written as a whole: a temporary file, fsync, rename, fsync of the directory.

use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::spool::broken;
use crate::spool::dir::{self, Draft};
use crate::spool::folder::{Folder, Sub};
use crate::spool::uidlist::format::{self, FLOOR, Header};
use crate::spool::uidlist::{DRAFT, EXHAUSTED, NAME, PIECE, Record, UidList, above, fresh_guid};

/// How many records at the least may be lost with a file's end that were those of expunged messages: so many
/// of them a file can have before it is written anew without them.
pub(super) const DEAD_AT_LEAST: u32 = 1000;

impl UidList {
    /// Writes a new file: temporary, fsync, rename, fsync of the directory. `guid` is made, and there are no unknown
    /// header fields; to keep those of a file that was read, [`UidList::rewrite`] it. Under the lock.
    pub fn create(
        folder: &Folder,
        uid_validity: UidValidity,
        next: Uid,
        floor: Option<ModSeq>,
        records: &[Record],
    ) -> io::Result<UidList> {
        let highest = records.last().map_or(0, |record| record.uid.get());
        let next = next.max(above(highest));
        let header = Header {
            version: 3,
            uid_validity,
            next: next.get(),
            guid: None,
            others: floor
                .map(|floor| (FLOOR, floor.0.to_string().into_bytes().into()))
                .into_iter()
                .collect(),
        };
        write(folder, header, fresh_guid()?, records)
    }

    /// Replaces the file by one with these records: `V`, `N`, `G` and unknown header fields stay. Under the
    /// lock. On failure the old file stays as it was.
    ///
    /// If the end of the old file was lost, `N` passes over the UIDs that may have been lost with it.
    pub fn rewrite(&mut self, folder: &Folder, records: &[Record]) -> io::Result<()> {
        let mut header = self.header.clone();
        header.version = 3;
        let highest = records.last().map_or(0, |record| record.uid.get());
        header.next = self.next.max(above(highest)).get();
        if self.cut_off {
            let control = folder.control_to_write()?;
            let what = "its last line is cut off";
            folder
                .told
                .report(control.as_fd(), folder.path(), NAME, &self.file, what);
        }
        if self.end_lost || self.cut_off {
            let passed = header.next.saturating_add(most_lost(folder)?);
            header.next = header.next.max(passed.min(EXHAUSTED - 1));
        }
        *self = write(folder, header, self.guid.clone(), records)?;
        Ok(())
    }
}

/// How many UIDs at the most can have been lost with a file's end: those of messages that are there, and of
/// expunged ones, which are no more than a third of these or [`DEAD_AT_LEAST`].
fn most_lost(folder: &Folder) -> io::Result<u32> {
    let mut files = 0_u32;
    for sub in [Sub::New, Sub::Cur] {
        folder.entries(sub, |_, _| {
            files = files.saturating_add(1);
            Ok(())
        })?;
    }
    Ok(files.saturating_mul(2).saturating_add(DEAD_AT_LEAST))
}

/// Writes the file anew.
fn write(
    folder: &Folder,
    header: Header,
    guid: Box<str>,
    records: &[Record],
) -> io::Result<UidList> {
    let control = folder.control_to_write()?;
    broken::make_way(control.as_fd(), folder.path(), NAME)?;
    let draft = Draft::create(control.as_fd(), DRAFT)?;
    let mut out = BufWriter::with_capacity(PIECE, &draft.file);
    format::write_header(&mut out, &header, &guid)?;
    let mut last = 0;
    for record in records {
        format::write_record(&mut out, record, last)?;
        last = record.uid.get();
    }
    out.flush()?;
    drop(out);
    let file = draft.publish(NAME)?;
    let stamp = dir::stamp(&dir::stat(&file)?);
    Ok(UidList {
        uid_validity: header.uid_validity,
        next: above(header.next.saturating_sub(1).max(last)),
        header: Header {
            guid: Some(guid.clone()),
            ..header
        },
        guid,
        file,
        stamp,
        whole: stamp.size,
        last,
        count: records.len(),
        spoiled: false,
        cut_off: false,
        end_lost: false,
    })
}
