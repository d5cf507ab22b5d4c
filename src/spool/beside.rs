//! Culver's own files beside the uidlist: opened, replaced whole, removed. What is in them is for others to know.
//!
//! Nothing here is synced but a removal: a file put in another's place may after a power cut be the old one, the new
//! one, or neither. Who cannot do with that calls [`sync`].

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::fs::OFlags;

use crate::spool::dir::{self, Draft};
use crate::spool::folder::Folder;

/// A file as it lies there now: its inode and how many octets it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lies {
    /// Device and inode.
    pub identity: (u64, u64),
    /// Octets.
    pub size: u64,
}

/// What an open file is.
pub fn lies(file: &File) -> io::Result<Lies> {
    let stamp = dir::stamp(&dir::stat(file)?);
    Ok(Lies {
        identity: stamp.identity,
        size: stamp.size,
    })
}

/// What the file of this name is; `None` if there is none.
pub fn find(folder: &Folder, name: &str) -> io::Result<Option<Lies>> {
    let Some(control) = folder.control()? else {
        return Ok(None);
    };
    let stat = dir::stat_at(control.as_fd(), name)?;
    Ok(stat.map(|stat| {
        let stamp = dir::stamp(&stat);
        Lies {
            identity: stamp.identity,
            size: stamp.size,
        }
    }))
}

/// Opens a regular file for reading, and for appending where it may be written. `None` if there is none;
/// `InvalidInput` for what is no regular file.
pub fn open(folder: &Folder, name: &str) -> io::Result<Option<File>> {
    let Some(control) = folder.control()? else {
        return Ok(None);
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let append = flags | OFlags::RDWR | OFlags::APPEND;
    let opened = match dir::open_at(control.as_fd(), name, append) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) => dir::open_at(control.as_fd(), name, flags | OFlags::RDONLY)?,
        Ok(file) => file,
    };
    if !dir::kind(&dir::stat(&opened)?).is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Some(File::from(opened)))
}

/// Puts a new file in the place of `name`, written under the name `draft` first. `write` gives what is in it, and is
/// told its inode. On failure the old file stays.
pub fn replace(
    folder: &Folder,
    name: &str,
    draft: &str,
    write: impl FnOnce(u64) -> Vec<u8>,
) -> io::Result<()> {
    let control = folder.control_to_write()?;
    let draft = Draft::create(control.as_fd(), draft)?;
    let (_, inode) = dir::identity(&dir::stat(&draft.file)?);
    (&draft.file).write_all(&write(inode))?;
    draft.place(name)
}

/// Removes a file, for good: the directory is synced.
pub fn remove(folder: &Folder, name: &str) -> io::Result<()> {
    match folder.control()? {
        Some(control) if dir::remove(control.as_fd(), name)? => dir::sync_dir(&*control),
        Some(_) | None => Ok(()),
    }
}

/// Makes the names of the files safe as they are.
pub fn sync(folder: &Folder) -> io::Result<()> {
    match folder.control()? {
        Some(control) => dir::sync_dir(&*control),
        None => Ok(()),
    }
}
