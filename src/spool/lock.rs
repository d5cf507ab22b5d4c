//! `dovecot-uidlist.lock`: the dot-lock that every changer of a mailbox holds, Dovecot's included.
//!
//! A dot-lock is a file that only one can make (`O_EXCL`); in it stands `pid:host` of the maker. Who finds
//! one waits, or removes it by Dovecot's rules, the only ones by which a lock may be removed:
//!
//! - of this host, and the process is gone: stale at once. (Dovecot looks only after 2 s, for its locks are
//!   empty until they are signed. Ours appear signed.) If the process is there, never stale.
//!   If it is this very process, which knows what it holds, and holds no such lock: a leftover of a former
//!   process with our number;
//! - of another host, or unreadable: stale when neither the lock nor what it guards has changed for 120 s,
//!   as this waiter saw it by its own clock.
//!
//! Two who find the same stale lock must not both remove one: the slower would remove the faster one's new
//! lock. So the stale file itself is locked (`flock`) while it is compared with what is there now and
//! unlinked, and nobody who removed an old one makes a new lock before [`REMOVAL_PAUSE`] is over: Dovecot, too, pauses
//! there for as long at least.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::spool::dir::{self, Modes};
use crate::spool::folder::Folder;

/// How far a time may be ahead and count as now.
const MOMENT: Duration = Duration::from_secs(2);

/// How long a lock that names no process of this host must stay as it is until it counts as left behind.
const STALE: Duration = Duration::from_secs(120);

/// The longest content that is read: a process number, a colon, a host name.
const LONGEST_CONTENT: u64 = 300;

/// So long nobody makes a lock who has removed one.
pub const REMOVAL_PAUSE: Duration = Duration::from_millis(100);

/// The lock files this process holds, by device and inode.
static HELD: LazyLock<Mutex<HashSet<(u64, u64)>>> = LazyLock::new(Mutex::default);

/// The lock, held. Dropping it releases it (only if the file is still ours).
#[derive(Debug)]
pub struct Lock {
    dir: Arc<OwnedFd>,
    name: &'static str,
    file: File,
    identity: (u64, u64),
    /// It has its name.
    appeared: bool,
}

/// What one waiter has seen of a foreign lock, so that it can judge staleness over its tries.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Option<(Trace, Option<Trace>, Instant)>,
    has_removed: bool,
}

impl Watch {
    /// How long to wait at least before the next try.
    pub fn least_pause(&self) -> Duration {
        match self.has_removed {
            true => REMOVAL_PAUSE,
            false => Duration::ZERO,
        }
    }
}

/// What must stay the same for a lock, and the file it guards, to count as unchanged.
type Trace = (u64, u64, u64, (i64, i64), (i64, i64));

/// The result of one try.
#[derive(Debug)]
pub enum Try {
    /// It is ours.
    Held(Lock),
    /// Somebody else holds it, or has left it behind, and it has been removed: see [`Watch::least_pause`].
    Busy,
}

/// When a lock that names no process of this host is stale.
pub(super) enum Patience<'a> {
    /// When a waiter who comes back has seen no change for [`STALE`].
    Watched(&'a mut Watch),
    /// When the file is older than that, by the clock on the wall.
    Age(Duration),
}

/// Who looks, and when: what the tests make up.
struct Observer<'a> {
    wall: SystemTime,
    now: Instant,
    pid: u32,
    host: &'a [u8],
    is_alive: &'a dyn Fn(u32) -> bool,
}

impl Lock {
    /// Tries once, without waiting; takes over a stale lock by Dovecot's rules. `watch` is kept by the
    /// caller from the first try to the last.
    pub fn attempt(folder: &Folder, watch: &mut Watch) -> io::Result<Try> {
        let dir = folder.control_to_write()?;
        let patience = Patience::Watched(watch);
        Lock::attempt_in(dir, "dovecot-uidlist.lock", "dovecot-uidlist", patience)
    }

    /// Renews the lock's time; to be called at least every 10 s of a long change. An error if it was
    /// taken over: then stop.
    pub fn touch(&self) -> io::Result<()> {
        if !self.is_ours()? {
            return Err(io::Error::other(
                "the lock was taken over by another program",
            ));
        }
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let times = Timestamps {
            last_access: now,
            last_modification: now,
        };
        Ok(rustix::fs::futimens(&self.file, &times)?)
    }

    /// Tries once to make the dot-lock `name`, which guards the file `guarded`.
    pub(super) fn attempt_in(
        dir: Arc<OwnedFd>,
        name: &'static str,
        guarded: &str,
        patience: Patience<'_>,
    ) -> io::Result<Try> {
        let uname = rustix::system::uname();
        let observer = Observer {
            wall: SystemTime::now(),
            now: Instant::now(),
            pid: std::process::id(),
            host: uname.nodename().to_bytes(),
            is_alive: &is_alive,
        };
        observer.attempt(dir, name, guarded, patience)
    }

    /// Drops a lock that never appeared under its name.
    fn forget(mut self) {
        self.appeared = false;
    }

    fn is_ours(&self) -> io::Result<bool> {
        let there = dir::stat_at(self.dir.as_fd(), self.name)?;
        Ok(there.is_some_and(|stat| dir::identity(&stat) == self.identity))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let removed = match self.is_ours() {
            _ if !self.appeared => Ok(()),
            Ok(true) => dir::remove(self.dir.as_fd(), self.name).map(drop),
            Ok(false) => Err(io::Error::other("it was taken over by another program")),
            Err(error) => Err(error),
        };
        // The file is still open here, so no new lock can have its inode yet.
        held().remove(&self.identity);
        if let Err(error) = removed {
            tracing::warn!("releasing {}: {error}", self.name);
        }
    }
}

impl Observer<'_> {
    fn attempt(
        &self,
        dir: Arc<OwnedFd>,
        name: &'static str,
        guarded: &str,
        mut patience: Patience<'_>,
    ) -> io::Result<Try> {
        if let Some(lock) = self.make(&dir, name)? {
            return Ok(Try::Held(lock));
        }
        // Whether it is gone by now or removed here: the next try makes a new one.
        let removed = self.examine(&dir, name, guarded, &mut patience)?;
        if let Patience::Watched(watch) = patience {
            watch.has_removed = removed;
        }
        Ok(Try::Busy)
    }

    /// Makes the lock; `None` if there is one.
    ///
    /// It is signed before it appears, as a file without a name that is then linked: killed at any moment, we
    /// leave no lock that nobody can tell the maker of. Where a file system cannot do that, it is made as
    /// Dovecot makes it.
    fn make(&self, dir: &Arc<OwnedFd>, name: &'static str) -> io::Result<Option<Lock>> {
        let modes = Modes::of(dir.as_fd())?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let nameless = rustix::fs::openat(dir, ".", flags, Mode::RUSR | Mode::WUSR);
        let file = match nameless {
            Ok(file) => {
                modes.apply_to_file(&file)?;
                let file = File::from(file);
                self.sign(&file)?;
                file
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let file = match modes.make_file(dir.as_fd(), name) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                    Err(error) => return Err(error),
                };
                // Held before it is signed: no other thread finds one of ours that is not noted.
                let lock = self.hold(dir, name, file)?;
                self.sign(&lock.file)?;
                return Ok(Some(lock));
            }
            Err(error) => return Err(error.into()),
        };
        let from = dir::by_descriptor(&file);
        // Held before it appears, for the same reason.
        let lock = self.hold(dir, name, file)?;
        match rustix::fs::linkat(CWD, &from, dir, name, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(Some(lock)),
            Err(error) => {
                lock.forget();
                if error == Errno::EXIST {
                    Ok(None)
                } else {
                    Err(error.into())
                }
            }
        }
    }

    fn hold(&self, dir: &Arc<OwnedFd>, name: &'static str, file: File) -> io::Result<Lock> {
        let identity = identity(&file.metadata()?);
        held().insert(identity);
        Ok(Lock {
            dir: Arc::clone(dir),
            name,
            file,
            identity,
            appeared: true,
        })
    }

    /// Writes who holds the lock. On a full disk it stays empty, which Dovecot takes for one of another host:
    /// so EXPUNGE goes on and can make room.
    fn sign(&self, mut file: &File) -> io::Result<()> {
        let content = [self.pid.to_string().as_bytes(), b":", self.host].concat();
        match file.write_all(&content) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    /// Removes the lock if it is stale. Whether it has.
    fn examine(
        &self,
        dir: &Arc<OwnedFd>,
        name: &'static str,
        guarded: &str,
        patience: &mut Patience<'_>,
    ) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        // Without the right to read it, there is only its age.
        let file = match dir::open_at(dir.as_fd(), name, flags) {
            Ok(file) => Some(File::from(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(_) => None,
        };
        let Some(lock) = trace(dir, name)? else {
            return Ok(false);
        };
        if let Some(file) = &file
            && identity(&file.metadata()?) != (lock.0, lock.1)
        {
            return Ok(false);
        }
        let content = file.as_ref().and_then(content).unwrap_or_default();
        let age = self.age(lock.3);
        let why = match self.holder(&content) {
            Some(pid) if pid == self.pid => {
                if held().contains(&(lock.0, lock.1)) {
                    return Ok(false);
                }
                "a former process with our number left it"
            }
            Some(pid) => {
                if (self.is_alive)(pid) {
                    return Ok(false);
                }
                "its process is gone"
            }
            None => {
                let stale = match patience {
                    Patience::Watched(watch) => {
                        self.unchanged(watch, lock, trace(dir, guarded)?) >= STALE
                    }
                    Patience::Age(patience) => age.is_some_and(|age| age >= *patience),
                };
                if !stale {
                    return Ok(false);
                }
                "it has not changed for long"
            }
        };
        let removed = remove_stale(dir, name, file.as_ref(), (lock.0, lock.1))?;
        if removed {
            tracing::warn!(
                content = %content.escape_ascii(),
                "removed a stale {name}: {why}"
            );
        }
        Ok(removed)
    }

    /// How old a time is; `None` if it is ahead by more than a moment (the clock was set back): then it
    /// says nothing.
    fn age(&self, (seconds, nanos): (i64, i64)) -> Option<Duration> {
        let since_epoch = Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanos).unwrap_or_default(),
        );
        let then = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
        match self.wall.duration_since(then) {
            Ok(age) => Some(age),
            Err(ahead) => (ahead.duration() < MOMENT).then_some(Duration::ZERO),
        }
    }

    /// The process of this host that the content names.
    fn holder(&self, content: &[u8]) -> Option<u32> {
        let text = std::str::from_utf8(content).ok()?;
        let (pid, host) = text.split_once(':')?;
        (host.as_bytes() == self.host)
            .then(|| pid.parse().ok())
            .flatten()
    }

    /// For how long the waiter has seen the same.
    fn unchanged(&self, watch: &mut Watch, lock: Trace, guarded: Option<Trace>) -> Duration {
        match &watch.seen {
            Some((then, then_guarded, since)) if *then == lock && *then_guarded == guarded => {
                self.now.saturating_duration_since(*since)
            }
            _ => {
                watch.seen = Some((lock, guarded, self.now));
                Duration::ZERO
            }
        }
    }
}

/// Unlinks the lock if it is still the file found stale, and nobody else is at it. True if it did.
fn remove_stale(
    dir: &OwnedFd,
    name: &str,
    file: Option<&File>,
    stale: (u64, u64),
) -> io::Result<bool> {
    if let Some(file) = file {
        // Where a file system has no flock, the check below has to do.
        let locked = rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
        if locked == Err(Errno::WOULDBLOCK) {
            return Ok(false);
        }
    }
    let there = dir::stat_at(dir.as_fd(), name)?;
    if there.is_none_or(|stat| dir::identity(&stat) != stale) {
        return Ok(false);
    }
    dir::remove(dir.as_fd(), name)
}

/// What is compared to tell whether a file has changed; `None` if it is not there.
fn trace(dir: &OwnedFd, name: &str) -> io::Result<Option<Trace>> {
    Ok(dir::stat_at(dir.as_fd(), name)?.map(|stat| {
        let (device, inode) = dir::identity(&stat);
        (
            device,
            inode,
            dir::wide(stat.st_size),
            (dir::wide(stat.st_mtime), dir::wide(stat.st_mtime_nsec)),
            (dir::wide(stat.st_ctime), dir::wide(stat.st_ctime_nsec)),
        )
    }))
}

/// What stands in a lock file.
fn content(file: &File) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read = file.take(LONGEST_CONTENT).read_to_end(&mut content);
    read.ok().map(|_| content)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn held() -> std::sync::MutexGuard<'static, HashSet<(u64, u64)>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a process of that number is there, whoever's it is.
fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests;
