//! New mail: `tmp/` → fsync → rename, through the `maildir` crate.

use std::io;

use crate::imap::date::DateTime;
use crate::imap::flag::SystemFlags;
use crate::spool::filename::{FileName, Letters};
use crate::spool::folder::{Folder, Sub};

/// A message being written in `tmp/`. Dropping it removes it.
pub struct Delivery {
    _private: (),
}

/// A message wholly written and synced, still in `tmp/`.
pub struct Complete {
    _private: (),
}

impl Delivery {
    /// Makes the file in `tmp/` (which is made again if it is missing).
    pub fn create(folder: &Folder) -> io::Result<Delivery> {
        let _ = folder;
        todo!()
    }

    /// Adds bytes as the client sent them; CRLF is stored as LF, a bare CR stays, as Dovecot does.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _ = bytes;
        todo!()
    }

    /// Sets the time (`None` is now), and syncs the file.
    pub fn finish(self, date: Option<DateTime>) -> io::Result<Complete> {
        let _ = date;
        todo!()
    }
}

impl Delivery {
    /// A copy of a message file, byte for byte, with its time, whole and synced.
    pub fn copy_of(folder: &Folder, file: &std::fs::File) -> io::Result<Complete> {
        let _ = (folder, file);
        todo!()
    }
}

impl Complete {
    /// Renames under a name chosen by the caller, never over an existing entry.
    pub fn place_as(self, folder: &Folder, sub: Sub, name: &FileName) -> io::Result<()> {
        let _ = (folder, sub, name);
        todo!()
    }

    /// Octets with every line end as CRLF.
    pub fn virtual_size(&self) -> u64 {
        todo!()
    }

    /// Renames into `new/` (no flags) or `cur/`. The directory is not synced yet.
    pub fn place(
        self,
        folder: &Folder,
        sub: Sub,
        flags: SystemFlags,
        letters: Letters,
    ) -> io::Result<FileName> {
        let _ = (folder, sub, flags, letters);
        todo!()
    }
}

/// Removes what has lain in `tmp/` for over 36 hours, by Dovecot's rules of when to look.
pub fn clear_old(folder: &Folder) -> io::Result<()> {
    let _ = folder;
    todo!()
}
