//! One mailbox's directories, held open: what happens to the path meanwhile does not matter.
//!
//! A [`Folder`] is made by [`Tree::folder`](crate::spool::tree::Tree::folder). It reaches every file
//! through descriptors of the mailbox directory, `new/` and `cur/`; a mailbox that is renamed while it is
//! open goes on working, and nothing is ever made in another one that takes its place. If `new/` or `cur/`
//! themselves are replaced, [`Folder::stamp`] notices and opens the present ones. One that was removed is
//! empty until something is put there: who only looks makes nothing, for somebody may be removing it all.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustix::fs::{Access, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::spool::broken::Told;
use crate::spool::dir::{self, DIRECTORY, Modes, Root};

mod messages;

/// `new/` or `cur/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sub {
    /// Delivered, no session has taken it over.
    New,
    /// Everything else.
    Cur,
}

impl Sub {
    /// The directory's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Sub::New => "new",
            Sub::Cur => "cur",
        }
    }
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

/// An open mailbox directory with its `new/`, `cur/`, `tmp/`, and where its control files lie.
#[derive(Debug)]
pub struct Folder {
    root: Arc<Root>,
    dir: Arc<OwnedFd>,
    identity: (u64, u64),
    path: PathBuf,
    new: RwLock<Arc<Held>>,
    cur: RwLock<Arc<Held>>,
    control: Control,
    /// What the log has heard of its control files.
    pub(super) told: Told,
}

/// `new/` or `cur/`, or another directory, open.
#[derive(Debug)]
struct Held {
    dir: OwnedFd,
    identity: (u64, u64),
}

/// A directory held open, so that the path to it by descriptor stays its own.
#[derive(Clone, Debug)]
pub struct Place(Arc<Held>);

impl Place {
    /// Any other directory.
    pub(super) fn hold(dir: OwnedFd) -> io::Result<Place> {
        let identity = dir::identity(&dir::stat(&dir)?);
        Ok(Place(Arc::new(Held { dir, identity })))
    }

    /// `/proc/self/fd/N`: leads to this directory as long as this is held, even if the mailbox is renamed.
    pub fn path(&self) -> PathBuf {
        dir::by_descriptor(&self.0.dir)
    }

    /// Device and inode.
    pub fn identity(&self) -> (u64, u64) {
        self.0.identity
    }
}

/// The directory of uidlist and keywords: the mailbox's own, or one below the control root, which is made
/// when something is to be written there.
#[derive(Debug)]
struct Control {
    apart: Option<(Arc<Root>, PathBuf)>,
    open: OnceLock<Arc<OwnedFd>>,
}

impl Folder {
    /// Takes an open mailbox directory; makes what is missing of `cur/`, `new/` and `tmp/`. `control` is
    /// the control root and the mailbox's place below it, where it is not the mailbox directory itself.
    pub(super) fn enter(
        root: Arc<Root>,
        dir: OwnedFd,
        path: PathBuf,
        control: Option<(Arc<Root>, PathBuf)>,
    ) -> io::Result<Folder> {
        let dir = Arc::new(dir);
        let open = OnceLock::new();
        if control.is_none() {
            let _ = open.set(Arc::clone(&dir));
        }
        match open_or_make(&root, dir.as_fd(), "tmp") {
            // It will be made when something is written.
            Err(error) if is_refusal(&error) => {}
            result => drop(result?),
        }
        let new = Held::open(&root, dir.as_fd(), Sub::New)?;
        let cur = Held::open(&root, dir.as_fd(), Sub::Cur)?;
        Ok(Folder {
            identity: dir::identity(&dir::stat(&dir)?),
            root,
            dir,
            path,
            new: RwLock::new(Arc::new(new)),
            cur: RwLock::new(Arc::new(cur)),
            control: Control {
                apart: control,
                open,
            },
            told: Told::default(),
        })
    }

    /// Identity of the directory (device, inode): orders locks, tells a replaced mailbox.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// The path it was opened by: for log lines only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `new/` or `cur/` as it is open now, for the watcher. When the identity in [`Folder::stamp`] has
    /// changed, there is another directory to watch.
    pub fn place(&self, sub: Sub) -> Place {
        Place(self.sub(sub))
    }

    /// The path that leads there, as long as the mailbox keeps its name.
    pub fn path_of(&self, sub: Sub) -> PathBuf {
        self.path.join(sub.name())
    }

    /// Whether names in it can be changed (`cur/` and the control directory are writable).
    pub fn is_writable(&self) -> bool {
        let writable = |dir: BorrowedFd<'_>, path: &Path| {
            let access = Access::WRITE_OK | Access::EXEC_OK;
            rustix::fs::accessat(dir, path, access, AtFlags::EACCESS)
        };
        if writable(self.sub(Sub::Cur).dir.as_fd(), Path::new(".")).is_err() {
            return false;
        }
        match (self.control.open.get(), &self.control.apart) {
            (Some(control), _) => writable(control.as_fd(), Path::new(".")).is_ok(),
            // The nearest directory that is there must let us make the rest.
            (None, Some((root, place))) => place
                .ancestors()
                .map(|place| match place.as_os_str().is_empty() {
                    true => writable(root.dir(), Path::new(".")),
                    false => writable(root.dir(), place),
                })
                .find(|result| *result != Err(Errno::NOENT))
                .is_some_and(|result| result.is_ok()),
            (None, None) => false,
        }
    }

    /// Whether new mail can be put there.
    pub fn takes_new(&self) -> io::Result<()> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        let new = self.sub(Sub::New);
        Ok(rustix::fs::accessat(
            &new.dir,
            ".",
            access,
            AtFlags::EACCESS,
        )?)
    }

    /// Whether the directory has been removed (no link is left).
    pub fn is_removed(&self) -> io::Result<bool> {
        Ok(dir::stat(&self.dir)?.st_nlink == 0)
    }

    /// Whether `new/` or `cur/` has been removed, and nothing has taken its place.
    pub fn lacks(&self, sub: Sub) -> io::Result<bool> {
        Ok(
            dir::stat_at(self.dir.as_fd(), Path::new(sub.name()))?.is_none()
                && self.sub(sub).is_removed()?,
        )
    }

    /// `new/`'s or `cur/`'s stamp. One that was replaced is opened; one that was moved away is made again; one
    /// that was removed keeps the stamp of its end.
    pub fn stamp(&self, sub: Sub) -> io::Result<Stamp> {
        match rustix::fs::statat(&self.dir, sub.name(), AtFlags::empty()) {
            Ok(stat) if dir::identity(&stat) == self.sub(sub).identity => {
                return Ok(dir::stamp(&stat));
            }
            Ok(_) => {}
            Err(Errno::NOENT) => {
                let last = dir::stat(&self.sub(sub).dir)?;
                if last.st_nlink == 0 {
                    return Ok(dir::stamp(&last));
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.reopen(sub)
    }

    /// Opens what is `new/` or `cur/` now; makes it if it is missing.
    fn reopen(&self, sub: Sub) -> io::Result<Stamp> {
        let present = Arc::new(Held::open(&self.root, self.dir.as_fd(), sub)?);
        let stamp = dir::stamp(&dir::stat(&present.dir)?);
        let held = match sub {
            Sub::New => &self.new,
            Sub::Cur => &self.cur,
        };
        *held.write().unwrap_or_else(PoisonError::into_inner) = present;
        Ok(stamp)
    }

    /// Makes whoever watches the mailbox look at it, though no message has another name: a name that no message can have
    /// comes into `new/` and goes.
    pub fn stir(&self) -> io::Result<()> {
        let (held, name) = (self.sub(Sub::New), ".culver");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        drop(rustix::fs::openat(&held.dir, name, flags, Mode::RUSR)?);
        Ok(rustix::fs::unlinkat(&held.dir, name, AtFlags::empty())?)
    }

    /// Makes renames in `new/` or `cur/` survive a power cut.
    pub fn sync(&self, sub: Sub) -> io::Result<()> {
        dir::sync_dir(&self.sub(sub).dir)
    }

    /// Shows each entry of `new/` or `cur/`: none of one that was removed.
    pub(super) fn entries(
        &self,
        sub: Sub,
        each: impl FnMut(&std::ffi::CStr, rustix::fs::FileType) -> io::Result<()>,
    ) -> io::Result<()> {
        let held = self.sub(sub);
        match dir::entries(held.dir.as_fd(), each) {
            Err(_) if held.is_removed()? => Ok(()),
            result => result,
        }
    }

    /// The mailbox directory.
    pub(super) fn dir(&self) -> &Arc<OwnedFd> {
        &self.dir
    }

    /// Opens `tmp/`; makes it if it is missing.
    pub(super) fn tmp(&self) -> io::Result<OwnedFd> {
        open_or_make(&self.root, self.dir.as_fd(), "tmp")
    }

    /// The directory of the control files. `None` if nothing has been written there yet.
    pub(super) fn control(&self) -> io::Result<Option<Arc<OwnedFd>>> {
        if let Some(control) = self.control.open.get() {
            return Ok(Some(Arc::clone(control)));
        }
        let Some((root, place)) = &self.control.apart else {
            return Ok(None);
        };
        match root.open_at(root.dir(), place, DIRECTORY) {
            Ok(control) => Ok(Some(Arc::clone(
                self.control.open.get_or_init(|| Arc::new(control)),
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The directory of the control files, made if it is not there.
    pub(super) fn control_to_write(&self) -> io::Result<Arc<OwnedFd>> {
        if let Some(control) = self.control()? {
            return Ok(control);
        }
        if let Some((root, place)) = &self.control.apart {
            dir::make_dirs(root, place, &Modes::of(self.dir.as_fd())?)?;
        }
        self.control()?.ok_or(io::ErrorKind::NotFound.into())
    }

    fn sub(&self, sub: Sub) -> Arc<Held> {
        let held = match sub {
            Sub::New => &self.new,
            Sub::Cur => &self.cur,
        };
        Arc::clone(&held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn open(root: &Root, folder: BorrowedFd<'_>, sub: Sub) -> io::Result<Held> {
        let dir = open_or_make(root, folder, sub.name())?;
        Ok(Held {
            identity: dir::identity(&dir::stat(&dir)?),
            dir,
        })
    }

    fn is_removed(&self) -> io::Result<bool> {
        Ok(dir::stat(&self.dir)?.st_nlink == 0)
    }
}

/// Opens a directory in a mailbox, or makes it if it is missing and the mailbox itself is not.
fn open_or_make(root: &Root, folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    match root.open_at(folder, Path::new(name), DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match Modes::of(folder)?.make_dir(folder, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            root.open_at(folder, Path::new(name), DIRECTORY)
        }
        made => made,
    }
}

/// Whether the system refuses to write: rights, a read-only file system, no space.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests;
