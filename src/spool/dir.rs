//! Directories by descriptor: opening beneath a root, listing, modes, files replaced whole.
//!
//! Nothing here knows what a message or a mailbox is. Every path is one name, or a few names joined by
//! `/`, below a directory that is held open; so renaming a mailbox, or planting a symbolic link in its
//! place, changes nothing for who has it open.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use crate::spool::folder::Stamp;

/// How directories are opened for use: `fsync` and `getdents` need more than `O_PATH`.
pub(super) const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Octets that one `getdents` call may fill.
const LISTING_BUFFER: usize = 32 * 1024;

/// How often `openat2` is repeated that lost against a rename elsewhere in the tree (it answers EAGAIN).
const RACE_TRIES: usize = 16;

/// A directory that nothing opened through it may leave: the mail root, or the control root.
#[derive(Debug)]
pub(super) struct Root {
    dir: OwnedFd,
    follow_links_out: bool,
}

impl Root {
    /// Opens the directory at `path`, which may itself be a symbolic link.
    pub(super) fn open(path: &Path, follow_links_out: bool) -> io::Result<Root> {
        Ok(Root {
            dir: open_at(rustix::fs::CWD, path, DIRECTORY)?,
            follow_links_out,
        })
    }

    /// The root itself.
    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Opens `path` below `dir`. Symbolic links are followed as long as they stay in the root;
    /// `PermissionDenied` for one that leads out.
    ///
    /// The kernel resolves beneath `dir` (`openat2`), or, where it cannot, each component is opened without
    /// following links. What neither allows (a link that is absolute or climbs above `dir`) is judged
    /// by where it lands.
    pub(super) fn open_at(
        &self,
        dir: BorrowedFd<'_>,
        path: &Path,
        flags: OFlags,
    ) -> io::Result<OwnedFd> {
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..RACE_TRIES {
            let opened =
                rustix::fs::openat2(dir, path, flags | OFlags::CLOEXEC, Mode::empty(), beneath);
            return match opened {
                Err(Errno::AGAIN | Errno::INTR) => continue,
                // EPERM: a sandbox that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => match walk(dir, path, flags) {
                    Err(Errno::LOOP | Errno::NOTDIR) => self.open_landing(dir, path, flags),
                    result => Ok(result?),
                },
                Err(Errno::XDEV | Errno::LOOP) => self.open_landing(dir, path, flags),
                result => Ok(result?),
            };
        }
        Err(Errno::AGAIN.into())
    }

    /// Opens `path`, following every link, if what it leads to lies in the root.
    pub(super) fn open_landing(
        &self,
        dir: BorrowedFd<'_>,
        path: &Path,
        flags: OFlags,
    ) -> io::Result<OwnedFd> {
        if self.follow_links_out {
            return open_at(dir, path, flags);
        }
        let place = open_at(dir, path, OFlags::PATH)?;
        if !whereabouts(&place)?.starts_with(whereabouts(&self.dir)?) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "symbolic link leads out of the mail root",
            ));
        }
        if flags.contains(OFlags::PATH) {
            return Ok(place);
        }
        open_at(rustix::fs::CWD, by_descriptor(&place), flags)
    }
}

/// Opens `path` below `dir`, following links wherever they lead, unless `flags` say otherwise.
pub(super) fn open_at(
    dir: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let path = path.as_ref();
    Ok(retry_on_intr(|| {
        rustix::fs::openat(dir, path, flags | OFlags::CLOEXEC, Mode::empty())
    })?)
}

/// Opens `path` component by component and follows no link.
fn walk(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names = path.components().peekable();
    let mut at: Option<OwnedFd> = None;
    while let Some(component) = names.next() {
        let Component::Normal(name) = component else {
            return Err(Errno::XDEV);
        };
        let flags = if names.peek().is_some() {
            OFlags::PATH | OFlags::DIRECTORY
        } else {
            flags
        };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = at.as_ref().map_or(dir, AsFd::as_fd);
        at = Some(retry_on_intr(|| {
            rustix::fs::openat(from, name, flags, Mode::empty())
        })?);
    }
    at.ok_or(Errno::NOENT)
}

/// A path that leads to what is open, whatever its name is now.
pub(super) fn by_descriptor(fd: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// The path at which the kernel knows an open file at this moment.
fn whereabouts(fd: &OwnedFd) -> io::Result<PathBuf> {
    std::fs::read_link(by_descriptor(fd))
}

/// Device and inode.
pub(super) fn identity(stat: &Stat) -> (u64, u64) {
    (wide(stat.st_dev), wide(stat.st_ino))
}

/// Identity, modification time and size.
pub(super) fn stamp(stat: &Stat) -> Stamp {
    Stamp {
        identity: identity(stat),
        modified: (
            wide(stat.st_mtime),
            u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        ),
        size: u64::try_from(stat.st_size).unwrap_or_default(),
    }
}

/// A field of `stat` in the width we use: how wide it is differs between architectures.
pub(super) fn wide<Field, Wide: TryFrom<Field> + Default>(field: Field) -> Wide {
    Wide::try_from(field).unwrap_or_default()
}

/// What kind of file it is.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// `stat` of what is open.
pub(super) fn stat(fd: impl AsFd) -> io::Result<Stat> {
    Ok(rustix::fs::fstat(fd)?)
}

/// `stat` of an entry, not following links; `None` if there is none.
pub(super) fn stat_at(dir: BorrowedFd<'_>, name: impl AsRef<Path>) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Shows each entry but `.` and `..` to `each`, with its type as far as the file system tells it.
pub(super) fn entries(
    dir: BorrowedFd<'_>,
    mut each: impl FnMut(&CStr, FileType) -> io::Result<()>,
) -> io::Result<()> {
    // A descriptor of its own: the position in the listing belongs to the open file.
    let listing = open_at(dir, ".", DIRECTORY)?;
    let mut buffer = Vec::with_capacity(LISTING_BUFFER);
    let mut listing = RawDir::new(listing, buffer.spare_capacity_mut());
    while let Some(entry) = listing.next() {
        let entry = match entry {
            Err(Errno::INTR) => continue,
            entry => entry?,
        };
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            each(entry.file_name(), entry.file_type())?;
        }
    }
    Ok(())
}

/// An entry's name as a path.
pub(super) fn path_of(name: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(name))
}

/// Makes what was done in a directory survive a power cut.
pub(super) fn sync_dir(dir: impl AsFd) -> io::Result<()> {
    match retry_on_intr(|| rustix::fs::fsync(dir.as_fd())) {
        // A file system that has no such thing for directories.
        Err(Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

/// Renames, never over an existing entry (`AlreadyExists`).
///
/// File systems without RENAME_NOREPLACE (some network and FUSE ones) get a look and then a plain rename.
/// `link` and `unlink` would leave two names after a crash, and such file systems often have no links; and
/// the gap is harmless, for whoever calls this holds the mailbox's lock or renames to a name that
/// nobody else would make.
pub(super) fn rename(
    from: BorrowedFd<'_>,
    old: impl AsRef<Path>,
    to: BorrowedFd<'_>,
    new: impl AsRef<Path>,
) -> io::Result<()> {
    let (old, new) = (old.as_ref(), new.as_ref());
    match rustix::fs::renameat_with(from, old, to, new, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            if stat_at(to, new)?.is_some() {
                return Err(Errno::EXIST.into());
            }
            Ok(rustix::fs::renameat(from, old, to, new)?)
        }
        result => Ok(result?),
    }
}

/// Removes an entry that is no directory; true if it was there.
pub(super) fn remove(dir: BorrowedFd<'_>, name: impl AsRef<Path>) -> io::Result<bool> {
    match rustix::fs::unlinkat(dir, name.as_ref(), AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What new files and directories get: mode and group of the directory that is to contain them, and not
/// what the process's umask would make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes {
    dir: Mode,
    file: Mode,
    group: Option<Gid>,
}

impl Modes {
    /// Those of a directory.
    pub(super) fn of(dir: BorrowedFd<'_>) -> io::Result<Modes> {
        let stat = stat(dir)?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        // With the setgid bit the kernel hands the group down; if the group may do what all others may,
        // it does not matter.
        let matters = !mode.contains(Mode::SGID) && (mode.bits() >> 3) & 0o7 != mode.bits() & 0o7;
        Ok(Modes {
            dir: mode & (Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SGID),
            file: mode & Mode::from_raw_mode(0o666),
            group: matters.then(|| Gid::from_raw(stat.st_gid)),
        })
    }

    /// Gives a new file its mode and group.
    pub(super) fn apply_to_file(&self, file: impl AsFd) -> io::Result<()> {
        self.apply(file.as_fd(), self.file)
    }

    fn apply(&self, fd: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
        let stat = stat(fd)?;
        let mut mode = mode;
        if let Some(group) = self.group
            && group.as_raw() != stat.st_gid
            && rustix::fs::fchown(fd, None, Some(group)).is_err()
        {
            // It belongs to another group now, which must not get the rights meant for this one.
            mode &= !Mode::RWXG;
        }
        let all = Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SGID;
        if Mode::from_raw_mode(stat.st_mode) & all != mode {
            rustix::fs::fchmod(fd, mode)?;
        }
        Ok(())
    }

    /// Makes a directory. `AlreadyExists` if there is an entry of that name.
    pub(super) fn make_dir(
        &self,
        parent: BorrowedFd<'_>,
        name: impl AsRef<Path>,
    ) -> io::Result<OwnedFd> {
        let name = name.as_ref();
        rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
        let made = open_at(parent, name, DIRECTORY | OFlags::NOFOLLOW)?;
        self.apply(made.as_fd(), self.dir)?;
        Ok(made)
    }

    /// Makes a file that is not there yet, for reading and writing.
    pub(super) fn make_file(
        &self,
        parent: BorrowedFd<'_>,
        name: impl AsRef<Path>,
    ) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = name.as_ref();
        let file = File::from(retry_on_intr(|| {
            rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
        })?);
        if let Err(error) = self.apply_to_file(&file) {
            remove(parent, name)?;
            return Err(error);
        }
        Ok(file)
    }
}

/// Makes a directory some levels below `root`, with those above it. One that is there is left as it is.
pub(super) fn make_dirs(root: &Root, place: &Path, modes: &Modes) -> io::Result<()> {
    let mut at: Option<OwnedFd> = None;
    for component in place.components() {
        let name = Path::new(component.as_os_str());
        let parent = at.as_ref().map_or(root.dir(), AsFd::as_fd);
        let next = match modes.make_dir(parent, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                root.open_at(parent, name, DIRECTORY)?
            }
            made => {
                let made = made?;
                sync_dir(parent)?;
                made
            }
        };
        at = Some(next);
    }
    Ok(())
}

/// A file being written beside the one it is to replace. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    dir: BorrowedFd<'a>,
    name: &'a str,
    /// The file, for reading and writing.
    pub(super) file: File,
    published: bool,
}

impl<'a> Draft<'a> {
    /// Makes the file `name`; what an earlier, interrupted draft left under that name goes.
    pub(super) fn create(dir: BorrowedFd<'a>, name: &'a str) -> io::Result<Draft<'a>> {
        remove(dir, name)?;
        Ok(Draft {
            dir,
            name,
            file: Modes::of(dir)?.make_file(dir, name)?,
            published: false,
        })
    }

    /// Syncs the file, puts it in the place of `target`, and syncs the directory.
    pub(super) fn publish(self, target: &str) -> io::Result<File> {
        let (dir, file) = (self.dir, self.file.try_clone()?);
        retry_on_intr(|| rustix::fs::fdatasync(&file))?;
        self.place(target)?;
        sync_dir(dir)?;
        Ok(file)
    }

    /// Puts the file in the place of `target`, without syncing anything.
    pub(super) fn place(mut self, target: &str) -> io::Result<()> {
        rustix::fs::renameat(self.dir, self.name, self.dir, target)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.published {
            let _ = remove(self.dir, self.name);
        }
    }
}

#[cfg(test)]
mod tests;
