//! Listing `new/` and `cur/`. One scan proves nothing about what it did not see: readdir misses and
//! repeats entries that are renamed meanwhile.

use std::io;

use crate::spool::filename::FileName;
use crate::spool::folder::{Folder, Stamp, Sub};

/// What one pass over both directories saw.
#[derive(Debug)]
pub struct Scan {
    /// Every entry that can be a message, in directory order, `new/` first; an entry may be repeated.
    pub entries: Vec<(Sub, FileName)>,
    /// Stamps taken before reading.
    pub new: Stamp,
    /// Stamps taken before reading.
    pub cur: Stamp,
    /// Whether both directories had the same stamps afterwards, and were older than the guard (10 ms)
    /// when reading began.
    pub quiet: bool,
}

/// Lists both directories. Directories, sockets, FIFOs, devices, dangling links, links out of the mail
/// root, dot files and names with CR or LF are left out. Any error of reading fails the whole scan.
pub fn scan(folder: &Folder) -> io::Result<Scan> {
    let _ = folder;
    todo!()
}

/// Lists one directory only (`new/` after an event).
pub fn list(folder: &Folder, sub: Sub) -> io::Result<Vec<FileName>> {
    let _ = (folder, sub);
    todo!()
}

/// Finds where a message is now, by its base name, after its last known name gave ENOENT.
pub fn locate(folder: &Folder, base: &[u8]) -> io::Result<Option<(Sub, FileName)>> {
    let _ = (folder, base);
    todo!()
}

/// Whether this entry is there and can be a message.
pub fn is_message(folder: &Folder, sub: Sub, name: &FileName) -> io::Result<bool> {
    let _ = (folder, sub, name);
    todo!()
}
