//! New mail: `tmp/` → fsync → rename, through the `maildir` crate.
//!
//! The crate makes the file in `tmp/`, under a name nobody else has, and removes it if we give up. The rest is
//! ours: line ends, mode, time, and the rename into place, for the crate's own would overwrite a file of the
//! same name, names the date as now, knows no `,W=`, and takes the host name as it is.
//!
//! One that is whole keeps no descriptor of its own, so that many can wait in `tmp/` to be placed together.
//!
//! No lock is needed. A crash before the rename leaves a file in `tmp/`, which [`clear_old`] or any other program
//! removes some day; after it, a message without a UID, which the next look at the mailbox numbers.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use maildir::{Maildir, MaildirError, TemporaryMailFile};
use rustix::fs::{FallocateFlags, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::{Errno, retry_on_intr};

use crate::imap::date::DateTime;
use crate::imap::flag::SystemFlags;
use crate::spool::dir::{self, Modes};
use crate::spool::filename::{FileName, Letters};
use crate::spool::folder::{Folder, Sub};

/// Octets gathered before they are written, and read at a time when copying.
const PIECE: usize = 64 * 1024;

/// Octets that are set aside to try whether there is room, which takes a disk its time; whether there is more is asked.
const TRIAL_MAX: u64 = 1 << 20;

/// How old, by its ctime, a file in `tmp/` must be to be removed.
const OLD: Duration = Duration::from_secs(36 * 60 * 60);

/// How long `tmp/` is left alone after a look: Dovecot's `mail_temp_scan_interval`.
const LOOK_AGAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A message being written in `tmp/`. Dropping it removes it.
pub struct Delivery {
    /// Before `folder`, so that it is dropped first: its path leads over that descriptor.
    file: BufWriter<TemporaryMailFile>,
    _folder: Arc<OwnedFd>,
    in_tmp: InTmp,
    /// The file, opened when it was empty: an error in writing any of it back shows when this is synced.
    synced: File,
    /// Octets stored.
    size: u64,
    /// Octets with every line end as CRLF, as stored so far.
    virtual_size: u64,
    /// The last octet stored.
    last: u8,
    /// A CR came last, and what follows decides about it.
    held_cr: bool,
    /// A write failed: what is in the file is not what was given.
    failed: bool,
}

/// A message wholly written and synced, still in `tmp/`. Dropping it removes it.
pub struct Complete {
    in_tmp: InTmp,
    placed: bool,
    size: u64,
    virtual_size: u64,
}

/// Where the temporary file is.
struct InTmp {
    name: PathBuf,
    tmp: Arc<OwnedFd>,
}

impl Delivery {
    /// Makes the file in `tmp/` (which is made again if it is missing).
    pub fn create(folder: &Folder) -> io::Result<Delivery> {
        Delivery::create_in(folder, Arc::new(folder.tmp()?))
    }

    /// Another one in the same `tmp/`, which `folder` must be that of.
    pub fn another(&self, folder: &Folder) -> io::Result<Delivery> {
        Delivery::create_in(folder, Arc::clone(&self.in_tmp.tmp))
    }

    fn create_in(folder: &Folder, tmp: Arc<OwnedFd>) -> io::Result<Delivery> {
        let maildir = Maildir::from(dir::by_descriptor(folder.dir()));
        let temporary = maildir.open_file_in_tmp().map_err(|error| match error {
            MaildirError::Io(error) => error,
            error => io::Error::other(error.to_string()),
        })?;
        let name = temporary.path().file_name().unwrap_or_default();
        let name = PathBuf::from(name);
        // By the descriptor: it is in this very `tmp/`, whatever the path led through.
        let file = dir::open_at(tmp.as_fd(), &name, OFlags::RDWR | OFlags::NOFOLLOW)?;
        Modes::of(folder.dir().as_fd())?.apply_to_file(&file)?;
        Ok(Delivery {
            file: BufWriter::with_capacity(PIECE, temporary),
            _folder: Arc::clone(folder.dir()),
            in_tmp: InTmp { name, tmp },
            synced: File::from(file),
            size: 0,
            virtual_size: 0,
            last: 0,
            held_cr: false,
            failed: false,
        })
    }

    /// Whether so many octets would find room on the disk, where its file system can tell. Gives it up then.
    pub fn try_room(self, octets: u64) -> io::Result<()> {
        let (keep, trial) = (FallocateFlags::KEEP_SIZE, octets.min(TRIAL_MAX));
        match retry_on_intr(|| rustix::fs::fallocate(&self.synced, keep, 0, trial)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
        if octets <= TRIAL_MAX {
            return Ok(());
        }
        let there = retry_on_intr(|| rustix::fs::fstatvfs(&self.synced))?;
        // Some say nothing of themselves.
        let is_known = there.f_blocks > 0;
        match is_known && there.f_bavail.saturating_mul(there.f_frsize) < octets {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    /// Adds bytes as the client sent them; CRLF is stored as LF, a bare CR stays, as Dovecot does.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        if self.held_cr && !rest.is_empty() {
            self.held_cr = false;
            if rest.first() != Some(&b'\n') {
                self.store(b"\r")?;
            }
        }
        while let Some((before, from_cr)) =
            memchr::memchr(b'\r', rest).and_then(|at| rest.split_at_checked(at))
        {
            self.store(before)?;
            rest = from_cr.get(1..).unwrap_or_default();
            match rest.first() {
                Some(b'\n') => {}
                Some(_) => self.store(b"\r")?,
                None => self.held_cr = true,
            }
        }
        self.store(rest)
    }

    /// Adds bytes as they are. A message is written either so or by [`Delivery::write`].
    pub fn write_as_is(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.store(bytes)
    }

    /// What has been written, to be read.
    pub fn written(&mut self) -> io::Result<&File> {
        if self.failed {
            return Err(io::Error::other("the message was not written as a whole"));
        }
        self.file.flush()?;
        Ok(&self.synced)
    }

    /// A copy of a message file as it is, byte for byte and with its time, whole and synced.
    pub fn copy_of(folder: &Folder, source: &File) -> io::Result<Complete> {
        let mut delivery = Delivery::create(folder)?;
        delivery.copy_from(source)?;
        let modified = source.metadata()?.mtime();
        delivery.finish(Some(DateTime {
            seconds: modified,
            offset: 0,
        }))
    }

    /// Adds the whole of a file as it is, without touching line ends.
    fn copy_from(&mut self, source: &File) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut at = 0u64;
        loop {
            let got = match source.read_at(&mut buffer, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                got => got?,
            };
            if got == 0 {
                return Ok(());
            }
            self.store(buffer.get(..got).unwrap_or_default())?;
            at = at.saturating_add(got as u64);
        }
    }

    /// Sets the time (`None` is now), and syncs the file.
    pub fn finish(mut self, date: Option<DateTime>) -> io::Result<Complete> {
        if self.held_cr {
            self.store(b"\r")?;
        }
        if self.failed {
            return Err(io::Error::other("the message was not written as a whole"));
        }
        let guard = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let file = &self.synced;
        if let Some(date) = date {
            let at = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
            let times = Timestamps {
                last_access: at(0, UTIME_NOW),
                last_modification: at(date.seconds, 0),
            };
            rustix::fs::futimens(file, &times)?;
        }
        retry_on_intr(|| rustix::fs::fsync(file))?;
        if file.metadata()?.len() != self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Under a name that the crate does not know it outlives the crate's guard, and that one's descriptor.
        let tmp = self.in_tmp.tmp;
        let name = dir::path_of(&FileName::fresh_base()).to_path_buf();
        dir::rename(tmp.as_fd(), &self.in_tmp.name, tmp.as_fd(), &name)?;
        drop(guard);
        Ok(Complete {
            in_tmp: InTmp { name, tmp },
            placed: false,
            size: self.size,
            virtual_size: self.virtual_size,
        })
    }

    /// Writes bytes as they are, and counts them.
    fn store(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write of this message failed"));
        }
        let Some(&last) = bytes.last() else {
            return Ok(());
        };
        if let Err(error) = self.file.write_all(bytes) {
            self.failed = true;
            return Err(error);
        }
        let mut bare = 0u64;
        for at in memchr::memchr_iter(b'\n', bytes) {
            let before = match at.checked_sub(1) {
                Some(before) => bytes.get(before).copied(),
                None => Some(self.last),
            };
            bare += u64::from(before != Some(b'\r'));
        }
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.virtual_size = self
            .virtual_size
            .saturating_add(bytes.len() as u64)
            .saturating_add(bare);
        self.last = last;
        Ok(())
    }
}

impl Complete {
    /// See [`Delivery::another`].
    pub fn another(&self, folder: &Folder) -> io::Result<Delivery> {
        Delivery::create_in(folder, Arc::clone(&self.in_tmp.tmp))
    }

    /// Octets with every line end as CRLF.
    pub fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// Octets of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A name for it that nobody has had before, with `,S=` and `,W=`. In `cur/` it has an info suffix, also without
    /// flags.
    pub fn fresh_name(
        &self,
        sub: Sub,
        flags: SystemFlags,
        letters: Letters,
    ) -> io::Result<FileName> {
        let sizes = format!(",S={},W={}", self.size, self.virtual_size);
        let base = [FileName::fresh_base().as_slice(), sizes.as_bytes()].concat();
        let name = FileName::new(&base).and_then(|name| match sub {
            Sub::New if flags.is_empty() && letters == Letters::default() => Some(name),
            _ => name.with_flags(flags, letters),
        });
        Ok(name.ok_or(io::ErrorKind::InvalidFilename)?)
    }

    /// Renames into `new/` or `cur/` under a name chosen by the caller, never over an existing entry
    /// (`AlreadyExists`). The directory is not synced yet. `folder` must be the one it was created for.
    pub fn place_as(mut self, folder: &Folder, sub: Sub, name: &FileName) -> io::Result<()> {
        folder.put(self.in_tmp.tmp.as_fd(), &self.in_tmp.name, sub, name)?;
        self.placed = true;
        Ok(())
    }

    /// Puts it into `new/` or `cur/` of any mailbox, as often as is wanted: a hard link, or a copy where there can be
    /// none. Under a name chosen by the caller, never over an existing entry (`AlreadyExists`). The directory is not
    /// synced yet.
    pub fn place_also(&self, folder: &Folder, sub: Sub, name: &FileName) -> io::Result<()> {
        let (tmp, own) = (self.in_tmp.tmp.as_fd(), &self.in_tmp.name);
        match folder.link(tmp, own, sub, name) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let file = File::from(dir::open_at(tmp, own, OFlags::RDONLY | OFlags::NOFOLLOW)?);
                Delivery::copy_of(folder, &file)?.place_as(folder, sub, name)
            }
            linked => linked,
        }
    }
}

impl Drop for Complete {
    fn drop(&mut self) {
        if !self.placed {
            // What stays is removed some day, as after a crash.
            let _ = dir::remove(self.in_tmp.tmp.as_fd(), &self.in_tmp.name);
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("name", &self.in_tmp.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Complete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Complete")
            .field("name", &self.in_tmp.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Removes what has lain in `tmp/` for over 36 hours, by Dovecot's rules of when to look: when nobody has for a
/// week. Who looked last is told by `tmp/`'s access time, which whoever looks sets to now.
pub fn clear_old(folder: &Folder) -> io::Result<()> {
    clear_old_at(folder, SystemTime::now())
}

fn clear_old_at(folder: &Folder, now: SystemTime) -> io::Result<()> {
    let tmp = folder.tmp()?;
    let since_epoch = |seconds: i64| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    };
    let age = |seconds: i64| now.duration_since(since_epoch(seconds)).unwrap_or_default();
    let stat = dir::stat(&tmp)?;
    let (looked, changed) = (dir::wide(stat.st_atime), dir::wide(stat.st_ctime));
    if age(looked) < LOOK_AGAIN {
        return Ok(());
    }
    // A look that came 36 hours after the last change has found all there is to find.
    let settled = since_epoch(looked)
        .duration_since(since_epoch(changed))
        .is_ok_and(|apart| apart > OLD);
    if settled {
        return Ok(());
    }
    let mut old = Vec::new();
    dir::entries(tmp.as_fd(), |entry, _| {
        let name = dir::path_of(entry.to_bytes());
        if let Some(stat) = dir::stat_at(tmp.as_fd(), name)?
            && !dir::kind(&stat).is_dir()
            && age(dir::wide(stat.st_ctime)) > OLD
        {
            old.push(name.to_path_buf());
        }
        Ok(())
    })?;
    for name in old {
        dir::remove(tmp.as_fd(), &name)?;
    }
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: at(UTIME_NOW),
        last_modification: at(UTIME_OMIT),
    };
    Ok(rustix::fs::futimens(&tmp, &times)?)
}

#[cfg(test)]
mod tests;
