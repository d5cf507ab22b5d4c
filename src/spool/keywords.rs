//! `dovecot-keywords`: the names of a mailbox's 26 keyword letters.

use std::io;

use crate::imap::flag::Keyword;
use crate::spool::filename::Letters;
use crate::spool::folder::Folder;

/// The table of letters, as last read or written.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    names: [Option<Keyword>; 26],
}

impl Keywords {
    /// Reads the file; missing is empty.
    pub fn read(folder: &Folder) -> io::Result<Keywords> {
        let _ = folder;
        todo!()
    }

    /// Reads the file again if its stamp changed; true if it did.
    pub fn poll(&mut self, folder: &Folder) -> io::Result<bool> {
        let _ = folder;
        todo!()
    }

    /// The letter of a keyword, if it has one.
    pub fn letter(&self, keyword: &Keyword) -> Option<Letters> {
        let _ = keyword;
        todo!()
    }

    /// Gives each of these a letter, the lowest free; writes nothing yet. `None` if there is no room for
    /// all of them (then nothing is added).
    pub fn assign(&mut self, keywords: &[Keyword]) -> Option<Letters> {
        let _ = keywords;
        todo!()
    }

    /// Names letters that files carry but the table lacks, as Dovecot does (`unknown-3`). True if any.
    pub fn name_unknown(&mut self, letters: Letters) -> bool {
        let _ = letters;
        todo!()
    }

    /// Writes the file as Dovecot does (lock, rename, fsync, growing mtime). Under the uidlist lock.
    pub fn write(&mut self, folder: &Folder) -> io::Result<()> {
        let _ = folder;
        todo!()
    }

    /// The keywords of some letters, in letter order.
    pub fn named(&self, letters: Letters) -> impl Iterator<Item = &Keyword> {
        self.names
            .iter()
            .enumerate()
            .filter(move |(bit, _)| letters.0 >> bit & 1 == 1)
            .filter_map(|(_, name)| name.as_ref())
    }

    /// All keywords, in letter order.
    pub fn all(&self) -> impl Iterator<Item = &Keyword> {
        self.names.iter().flatten()
    }

    /// Whether every letter is taken.
    pub fn is_full(&self) -> bool {
        self.names.iter().all(Option::is_some)
    }
}
