//! A mailbox seen from outside: what tells, without opening it, whether anything has happened there.
//!
//! A [`Mark`] is taken of `new/`, of `cur/`, and of files beside the uidlist. Two that are equal mean that nothing
//! has changed between, if the first was [settled](Mark::is_settled) when it was taken.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, OFlags, Stat};
use rustix::io::Errno;

use crate::spool::dir::{self, Modes};
use crate::spool::folder::{Folder, Stamp, Sub};
use crate::spool::scan;
use crate::spool::uidlist;

/// Where a mailbox and its control files are, held open. [`Tree::site`](crate::spool::tree::Tree::site) finds it.
#[derive(Debug)]
pub struct Site {
    pub(super) mailbox: Arc<OwnedFd>,
    pub(super) control: Arc<OwnedFd>,
}

/// What a directory or a file was at one moment: its stamp, and when it was changed last in any way. That time is the
/// system's own, which nobody can set: a program that restores mail sets the other one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Identity, modification time, size.
    pub stamp: Stamp,
    /// Seconds and nanoseconds of the change time.
    pub changed: (i64, u32),
}

impl Mark {
    fn of(stat: &Stat) -> Mark {
        Mark {
            stamp: dir::stamp(stat),
            changed: (
                dir::wide(stat.st_ctime),
                u32::try_from(stat.st_ctime_nsec).unwrap_or_default(),
            ),
        }
    }

    /// Whether any change after `now` would give it other times than it has.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let changed = Stamp {
            modified: self.changed,
            ..self.stamp
        };
        scan::is_settled(&self.stamp, now) && scan::is_settled(&changed, now)
    }
}

/// Marks of all that a mailbox's numbers rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks<const FILES: usize> {
    /// Of `new/` and `cur/`.
    pub subs: [Mark; 2],
    /// Of `dovecot-uidlist`.
    pub uidlist: Mark,
    /// Of other files; `None` for one that is not there.
    pub files: [Option<Mark>; FILES],
}

impl<const FILES: usize> Marks<FILES> {
    /// Whether any change after `now` would show.
    pub fn are_settled(&self, now: SystemTime) -> bool {
        let files = self.files.iter().flatten();
        let mut all = self.subs.iter().chain([&self.uidlist]).chain(files);
        all.all(|mark| mark.is_settled(now))
    }
}

impl Folder {
    /// Where it is. `None` if it has no control files yet.
    pub fn site(&self) -> io::Result<Option<Site>> {
        let mailbox = Arc::clone(self.dir());
        Ok(self.control()?.map(|control| Site { mailbox, control }))
    }
}

impl Site {
    /// Device and inode of the mailbox's directory.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        Ok(dir::identity(&dir::stat(&self.mailbox)?))
    }

    /// Marks of the directories, of the uidlist, and of these files beside it. `None` where one of the first three is
    /// missing.
    pub fn marks<const FILES: usize>(
        &self,
        files: [&str; FILES],
    ) -> io::Result<Option<Marks<FILES>>> {
        let sub = |sub: Sub| {
            // As everybody opens them: through links, too.
            match rustix::fs::statat(&self.mailbox, sub.name(), AtFlags::empty()) {
                Ok(stat) => Ok(Some(Mark::of(&stat))),
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(io::Error::from(error)),
            }
        };
        let beside = |file: &str| {
            let stat = dir::stat_at(self.control.as_fd(), file)?;
            Ok::<_, io::Error>(stat.as_ref().map(Mark::of))
        };
        let (Some(new), Some(cur), Some(uidlist)) =
            (sub(Sub::New)?, sub(Sub::Cur)?, beside(uidlist::NAME)?)
        else {
            return Ok(None);
        };
        let mut found = [None; FILES];
        for (place, file) in found.iter_mut().zip(files) {
            *place = beside(file)?;
        }
        Ok(Some(Marks {
            subs: [new, cur],
            uidlist,
            files: found,
        }))
    }

    /// What is in a small file beside the uidlist, if it begins with `SIZE` octets.
    pub fn read<const SIZE: usize>(&self, file: &str) -> io::Result<Option<[u8; SIZE]>> {
        // Without NONBLOCK, opening a FIFO would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut opened = match dir::open_at(self.control.as_fd(), file, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => File::from(opened?),
        };
        let mut octets = [0; SIZE];
        match opened.read_exact(&mut octets) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(|()| Some(octets)),
        }
    }

    /// Writes a small file beside the uidlist, in place: who reads it meanwhile may find parts of both. Nothing is
    /// synced.
    pub fn write(&self, file: &str, octets: &[u8]) -> io::Result<()> {
        let control = self.control.as_fd();
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = match dir::open_at(control, file, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Modes::of(control)?.make_file(control, file)?
            }
            opened => File::from(opened?),
        };
        opened.write_all_at(octets, 0)
    }
}
