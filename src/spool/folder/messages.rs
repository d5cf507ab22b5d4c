//! The files of a mailbox's messages, by their names in `new/` and `cur/`: looked at, opened, renamed, linked and unlinked,
//! over the directories that a [`Folder`] holds open.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::{Folder, Sub};
use crate::spool::dir;
use crate::spool::filename::FileName;

impl Folder {
    /// Whether an entry of exactly this name exists now (not following links).
    pub fn exists(&self, sub: Sub, name: &FileName) -> io::Result<bool> {
        Ok(self.inode(sub, name)?.is_some())
    }

    /// Device, inode and link count of an entry; `None` if it is not there.
    pub fn inode(&self, sub: Sub, name: &FileName) -> io::Result<Option<(u64, u64, u64)>> {
        let stat = dir::stat_at(self.sub(sub).dir.as_fd(), dir::path_of(name.bytes()))?;
        Ok(stat.map(|stat| {
            let (device, inode) = dir::identity(&stat);
            (device, inode, dir::wide(stat.st_nlink))
        }))
    }

    /// Opens a message for reading: a regular file, or a symbolic link to one inside the mail root.
    /// `NotFound` if the name is gone (or a link dangles), `PermissionDenied` for a link that leads out of the
    /// root, `InvalidInput` for anything else that is no regular file.
    pub fn open(&self, sub: Sub, name: &FileName) -> io::Result<File> {
        // Without NONBLOCK, opening a FIFO would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let held = self.sub(sub);
        let (dir, path) = (held.dir.as_fd(), dir::path_of(name.bytes()));
        let file = match dir::open_at(dir, path, flags | OFlags::NOFOLLOW) {
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                self.root.open_landing(dir, path, flags)
            }
            // What a socket, or a device without a driver, answers.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                Err(io::ErrorKind::InvalidInput.into())
            }
            opened => opened,
        }?;
        if !dir::kind(&dir::stat(&file)?).is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(File::from(file))
    }

    /// When a message's file was last modified, in seconds since 1970: INTERNALDATE. It is not opened, unless
    /// it is a symbolic link. Fails as [`Folder::open`] does where the name is gone.
    pub fn modified(&self, sub: Sub, name: &FileName) -> io::Result<i64> {
        let stat = dir::stat_at(self.sub(sub).dir.as_fd(), dir::path_of(name.bytes()))?;
        match stat.ok_or(io::ErrorKind::NotFound)? {
            stat if dir::kind(&stat).is_symlink() => Ok(self.open(sub, name)?.metadata()?.mtime()),
            stat => Ok(dir::wide(stat.st_mtime)),
        }
    }

    /// Octets of a message's file. Fails as [`Folder::open`] does where the name is gone.
    pub fn size(&self, sub: Sub, name: &FileName) -> io::Result<u64> {
        let stat = dir::stat_at(self.sub(sub).dir.as_fd(), dir::path_of(name.bytes()))?;
        match stat.ok_or(io::ErrorKind::NotFound)? {
            stat if dir::kind(&stat).is_symlink() => Ok(self.open(sub, name)?.metadata()?.len()),
            stat => Ok(dir::wide(stat.st_size)),
        }
    }

    /// Renames within the mailbox, never over an existing entry (`AlreadyExists`).
    pub fn rename(&self, from: Sub, old: &FileName, to: Sub, new: &FileName) -> io::Result<()> {
        self.rename_into(from, old, self, to, new)
    }

    /// Renames a message into `target`, never over an existing entry; makes the directory if it is missing.
    /// `CrossesDevices` where it cannot.
    pub fn rename_into(
        &self,
        from: Sub,
        old: &FileName,
        target: &Folder,
        to: Sub,
        new: &FileName,
    ) -> io::Result<()> {
        let (old, new) = (dir::path_of(old.bytes()), dir::path_of(new.bytes()));
        target.placing(to, |dir| {
            dir::rename(self.sub(from).dir.as_fd(), old, dir, new)
        })
    }

    /// Hard-links a message into `target`, never over an existing entry. `CrossesDevices` where a link cannot
    /// be made and the bytes must be copied: another file system, one without links, a message that is itself
    /// a symbolic link, or a file with too many links or that we may not link.
    pub fn link_into(
        &self,
        from: Sub,
        old: &FileName,
        target: &Folder,
        to: Sub,
        new: &FileName,
    ) -> io::Result<()> {
        let source = self.sub(from);
        let old = dir::path_of(old.bytes());
        let Some(stat) = dir::stat_at(source.dir.as_fd(), old)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if !dir::kind(&stat).is_file() {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        target.link(source.dir.as_fd(), old, to, new)
    }

    /// Unlinks an expunged message.
    pub fn unlink(&self, sub: Sub, name: &FileName) -> io::Result<()> {
        let dir = &self.sub(sub).dir;
        Ok(rustix::fs::unlinkat(
            dir,
            dir::path_of(name.bytes()),
            AtFlags::empty(),
        )?)
    }

    /// Whether an entry is a message: a regular file, or a symbolic link to one inside the mail root. `None` if there
    /// is no such entry.
    pub fn is_message(&self, sub: Sub, name: &FileName) -> io::Result<Option<bool>> {
        let held = self.sub(sub);
        let (dir, path) = (held.dir.as_fd(), dir::path_of(name.bytes()));
        let Some(stat) = dir::stat_at(dir, path)? else {
            return Ok(None);
        };
        if !dir::kind(&stat).is_symlink() {
            return Ok(Some(dir::kind(&stat).is_file()));
        }
        Ok(Some(
            match self.root.open_landing(dir, path, OFlags::PATH) {
                Ok(target) => dir::kind(&dir::stat(&target)?).is_file(),
                Err(_) => false,
            },
        ))
    }

    /// Puts a file into `new/` or `cur/`, never over an existing entry; makes the directory if it is missing.
    pub(in crate::spool) fn put(
        &self,
        from: BorrowedFd<'_>,
        name: &Path,
        sub: Sub,
        new: &FileName,
    ) -> io::Result<()> {
        let new = dir::path_of(new.bytes());
        self.placing(sub, |dir| dir::rename(from, name, dir, new))
    }

    /// Hard-links a file into `new/` or `cur/`, never over an existing entry; makes the directory if it is missing.
    /// `CrossesDevices` as [`Folder::link_into`] has it.
    pub(in crate::spool) fn link(
        &self,
        from: BorrowedFd<'_>,
        name: &Path,
        sub: Sub,
        new: &FileName,
    ) -> io::Result<()> {
        let new = dir::path_of(new.bytes());
        self.placing(sub, |dir| {
            match rustix::fs::linkat(from, name, dir, new, AtFlags::empty()) {
                Err(Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    Err(io::ErrorKind::CrossesDevices.into())
                }
                result => Ok(result?),
            }
        })
    }

    /// Does what makes an entry in `new/` or `cur/`; once more if the directory was missing.
    fn placing(&self, sub: Sub, act: impl Fn(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<()> {
        let held = self.sub(sub);
        match act(held.dir.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && held.is_removed()? => {
                self.reopen(sub)?;
                act(self.sub(sub).dir.as_fd())
            }
            result => result,
        }
    }
}
