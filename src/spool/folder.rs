//! One mailbox's directories, held open: what happens to the path meanwhile does not matter.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::spool::filename::FileName;

/// `new/` or `cur/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sub {
    /// Delivered, no session has taken it over.
    New,
    /// Everything else.
    Cur,
}

/// What tells whether a directory or file has changed: times in full, identity and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Device and inode.
    pub identity: (u64, u64),
    /// Seconds and nanoseconds of the modification time.
    pub modified: (i64, u32),
    /// Octets.
    pub size: u64,
}

impl Stamp {
    /// Whether the modification time is later than `age` before `moment`.
    pub fn is_younger_than(&self, moment: SystemTime, age: Duration) -> bool {
        let modified = u64::try_from(self.modified.0)
            .map(|secs| UNIX_EPOCH + Duration::new(secs, self.modified.1));
        modified.is_ok_and(|modified| modified + age > moment)
    }
}

/// An open mailbox directory with its `new/`, `cur/`, `tmp/`, and where its control files lie.
#[derive(Debug)]
pub struct Folder {
    _private: (),
}

impl Folder {
    /// Identity of the directory (device, inode): orders locks, tells a replaced mailbox.
    pub fn identity(&self) -> (u64, u64) {
        todo!()
    }

    /// The path it was opened by: for log lines only.
    pub fn path(&self) -> &Path {
        todo!()
    }

    /// A path to `new/` or `cur/` by descriptor (`/proc/self/fd/N`), valid while the folder is open even
    /// if the mailbox is renamed: what the watcher watches.
    pub fn watch_path(&self, sub: Sub) -> PathBuf {
        let _ = sub;
        todo!()
    }

    /// Whether names in it can be changed (`cur/` and the control directory are writable).
    pub fn is_writable(&self) -> bool {
        todo!()
    }

    /// Whether the directory has been removed (no link is left).
    pub fn is_removed(&self) -> io::Result<bool> {
        todo!()
    }

    /// `new/`'s or `cur/`'s stamp.
    pub fn stamp(&self, sub: Sub) -> io::Result<Stamp> {
        let _ = sub;
        todo!()
    }

    /// Whether an entry of exactly this name exists now (not following links).
    pub fn exists(&self, sub: Sub, name: &FileName) -> io::Result<bool> {
        let _ = (sub, name);
        todo!()
    }

    /// Device, inode and link count of an entry; `None` if it is not there.
    pub fn inode(&self, sub: Sub, name: &FileName) -> io::Result<Option<(u64, u64, u64)>> {
        let _ = (sub, name);
        todo!()
    }

    /// Opens a message for reading: a regular file, or a symbolic link to one inside the mail root.
    pub fn open(&self, sub: Sub, name: &FileName) -> io::Result<File> {
        let _ = (sub, name);
        todo!()
    }

    /// Renames within the mailbox, never over an existing entry (`AlreadyExists`).
    pub fn rename(&self, from: Sub, old: &FileName, to: Sub, new: &FileName) -> io::Result<()> {
        let _ = (from, old, to, new);
        todo!()
    }

    /// Renames a message into `target`, never over an existing entry. `CrossesDevices` where it cannot.
    pub fn rename_into(
        &self,
        from: Sub,
        old: &FileName,
        target: &Folder,
        to: Sub,
        new: &FileName,
    ) -> io::Result<()> {
        let _ = (from, old, target, to, new);
        todo!()
    }

    /// Hard-links a message into `target`, never over an existing entry.
    pub fn link_into(
        &self,
        from: Sub,
        old: &FileName,
        target: &Folder,
        to: Sub,
        new: &FileName,
    ) -> io::Result<()> {
        let _ = (from, old, target, to, new);
        todo!()
    }

    /// Unlinks an expunged message.
    pub fn unlink(&self, sub: Sub, name: &FileName) -> io::Result<()> {
        let _ = (sub, name);
        todo!()
    }

    /// Makes renames in `new/` or `cur/` survive a power cut.
    pub fn sync(&self, sub: Sub) -> io::Result<()> {
        let _ = sub;
        todo!()
    }

    /// A handle for tests and tools that need shared ownership.
    pub fn shared(self) -> Arc<Folder> {
        Arc::new(self)
    }
}
