//! Listing `new/` and `cur/`. One scan proves nothing about what it did not see: readdir misses and
//! repeats entries that are renamed meanwhile.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;

use crate::spool::filename::FileName;
use crate::spool::folder::{Folder, Stamp, Sub};

/// Two clock ticks (4 ms each in distributions' kernels), rounded up: of two changes nearer to each other
/// than that, the second may leave the directory's time as it is.
const GUARD: Duration = Duration::from_millis(10);

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
///
/// `new/` is read first: what is taken over from `new/` to `cur/` meanwhile is then seen in one of them at
/// least, or in both.
pub fn scan(folder: &Folder) -> io::Result<Scan> {
    let now = SystemTime::now();
    let (new, cur) = (folder.stamp(Sub::New)?, folder.stamp(Sub::Cur)?);
    let mut entries = Vec::new();
    for sub in [Sub::New, Sub::Cur] {
        each_message(folder, sub, |name| entries.push((sub, name)))?;
    }
    let unchanged = folder.stamp(Sub::New)? == new && folder.stamp(Sub::Cur)? == cur;
    Ok(Scan {
        entries,
        new,
        cur,
        quiet: unchanged && is_settled(&new, now) && is_settled(&cur, now),
    })
}

/// Lists one directory only (`new/` after an event).
pub fn list(folder: &Folder, sub: Sub) -> io::Result<Vec<FileName>> {
    folder.stamp(sub)?;
    let mut names = Vec::new();
    each_message(folder, sub, |name| names.push(name))?;
    Ok(names)
}

/// Finds where a message is now, by its base name, after its last known name gave ENOENT.
pub fn locate(folder: &Folder, base: &[u8]) -> io::Result<Option<(Sub, FileName)>> {
    for sub in [Sub::New, Sub::Cur] {
        let names = list(folder, sub)?;
        if let Some(name) = names.into_iter().find(|name| name.base() == base) {
            return Ok(Some((sub, name)));
        }
    }
    Ok(None)
}

/// Calls `found` with the name of each entry that is a message.
fn each_message(folder: &Folder, sub: Sub, mut found: impl FnMut(FileName)) -> io::Result<()> {
    folder.entries(sub, |name, kind| {
        let bytes = name.to_bytes();
        let message = match (FileName::new(bytes), kind) {
            (Some(name), FileType::RegularFile) => Some(name),
            (Some(name), FileType::Symlink | FileType::Unknown) => {
                (folder.is_message(sub, &name)? == Some(true)).then_some(name)
            }
            _ => None,
        };
        match message {
            Some(name) => found(name),
            // Dot files are common and meant to be passed over. The rest an admin may look for, but each scan
            // sees it again: not for the ordinary log.
            None if bytes.first() == Some(&b'.') => {}
            None => tracing::debug!(
                folder = %folder.path().display(),
                name = %name.to_bytes().escape_ascii(),
                "not a message, skipped"
            ),
        }
        Ok(())
    })
}

/// Whether any change of a directory after `now` would give the directory another time than it has. One far in the
/// future (the clock was set back) is as good as an old one.
pub fn is_settled(stamp: &Stamp, now: SystemTime) -> bool {
    is_unchanged_for(stamp, now, GUARD)
}

/// Whether the time of a directory is farther from `now` than that.
pub fn is_unchanged_for(stamp: &Stamp, now: SystemTime, time: Duration) -> bool {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i128::try_from(since.as_nanos()).unwrap_or_default()
    });
    let (seconds, nanos) = stamp.modified;
    let modified = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    now.abs_diff(modified) > time.as_nanos()
}

#[cfg(test)]
mod tests;
