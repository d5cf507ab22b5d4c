//! `dovecot-uidlist`: which UID belongs to which base name. Versions 1 and 3 are read, 3 is written.

use std::io;

use crate::imap::sequence::{Uid, UidValidity};
use crate::spool::folder::Folder;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The UID.
    pub uid: Uid,
    /// Extension fields (`W`, `G` …), key and value, in the order they stand.
    pub fields: Vec<(u8, Box<[u8]>)>,
    /// The base name.
    pub base: Box<[u8]>,
}

impl Record {
    /// The virtual size that field `W` gives.
    pub fn virtual_size(&self) -> Option<u64> {
        todo!()
    }
}

/// The file as last read or written by us.
#[derive(Debug)]
pub struct UidList {
    /// `V`.
    pub uid_validity: UidValidity,
    /// The next UID: above `N` and above every UID ever seen here; never goes back.
    pub next: Uid,
    _private: (),
}

/// What reading the file brought.
#[derive(Debug)]
pub enum Read {
    /// There is no file.
    Missing,
    /// Its header cannot be used; what was in it has been copied to `dovecot-uidlist.broken`.
    Broken,
    /// All of it. `salvaged`: some lines were unreadable (a copy was made) and it wants rewriting;
    /// also true for version 1 and for a missing `G`.
    Whole {
        /// The file's state.
        list: UidList,
        /// Its records, rising by UID; of two with one base name the higher UID only.
        records: Vec<Record>,
        /// It should be rewritten as version 3.
        rewrite: bool,
    },
}

/// What has happened to the file since it was read or written last.
#[derive(Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// Others appended these records.
    Appended(Vec<Record>),
    /// It is another file now (or gone): read it again.
    Replaced,
}

impl UidList {
    /// Reads the file. Without the lock, an unfinished last line is not there yet.
    pub fn read(folder: &Folder) -> io::Result<Read> {
        let _ = folder;
        todo!()
    }

    /// Writes a new file: temporary, fsync, rename, fsync of the directory. `guid` and unknown header
    /// fields come from `self` where it was read, else are made. Under the lock.
    pub fn create(
        folder: &Folder,
        uid_validity: UidValidity,
        next: Uid,
        records: &[Record],
    ) -> io::Result<UidList> {
        let _ = (folder, uid_validity, next, records);
        todo!()
    }

    /// Looks whether others changed the file.
    pub fn poll(&mut self, folder: &Folder) -> io::Result<Change> {
        let _ = folder;
        todo!()
    }

    /// Appends records in one write, without fsync. Under the lock, after [`UidList::poll`].
    /// On failure nothing of them stays in the file, or the file is marked to be rewritten.
    pub fn append(&mut self, folder: &Folder, records: &[Record]) -> io::Result<()> {
        let _ = (folder, records);
        todo!()
    }

    /// Replaces the file by one with these records: `V`, `N`, `G` and unknown header fields stay.
    pub fn rewrite(&mut self, folder: &Folder, records: &[Record]) -> io::Result<()> {
        let _ = (folder, records);
        todo!()
    }

    /// How many records the file holds, for the rule that a quarter of dead ones is rewritten.
    pub fn record_count(&self) -> usize {
        todo!()
    }

    /// A descriptor for the file as it is now, to be fsynced without holding anything.
    pub fn file(&self) -> io::Result<std::fs::File> {
        todo!()
    }
}
