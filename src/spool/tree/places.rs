//! The directories that tell of an account's names: what a watcher has to watch, which mailbox is which whatever it is
//! called, and where it is.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::imap::name::MailboxName;
use crate::spool::dir::{self, Root};
use crate::spool::folder::Place;
use crate::spool::site::Site;
use crate::spool::tree::{Layout, Tree, names};

/// Most directories that are worth watching for names (fs layout): with more, some changes are found later.
const DIRECTORIES: usize = 4096;

/// What a mailbox's directory is known by: under another name it is the same mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    identity: (u64, u64),
    /// When it was made, for a freed inode is soon used again.
    birth: (i64, u32),
}

impl Tree {
    /// The directories in which mailboxes come and go, and subscriptions.
    pub fn places(&self) -> io::Result<Vec<Place>> {
        let mut places = vec![Place::hold(dir::open_at(
            self.root.dir(),
            ".",
            dir::DIRECTORY,
        )?)?];
        if let Some(control) = &self.control {
            let control = dir::open_at(control.dir(), ".", dir::DIRECTORY)?;
            places.push(Place::hold(control)?);
        }
        if self.location.layout == Layout::Fs {
            let names = self.list_nested()?.into_keys();
            // One that went meanwhile is watched no more.
            let held = names.filter_map(|name| {
                let place = names::place(&self.location, &name)?;
                Place::hold(self.open_dir(&place).ok()?).ok()
            });
            places.extend(held.take(DIRECTORIES));
        }
        Ok(places)
    }

    /// Whether something that has happened to this entry of one of those directories can mean another list of
    /// mailboxes.
    pub fn is_of_names(&self, entry: &[u8]) -> bool {
        match self.location.layout {
            Layout::MaildirPlusPlus => names::from_entry(&self.location, entry).is_some(),
            Layout::Fs => entry == b"cur" || names::leads_to_names(&self.location, entry),
        }
    }

    /// Whether a mailbox has all that messages lie in: else it may be on its way out.
    pub fn is_whole(&self, name: &MailboxName) -> bool {
        let place = names::place(&self.location, name).unwrap_or_default();
        ["new", "cur"]
            .iter()
            .all(|sub| self.is_dir(&place.join(sub)).unwrap_or(false))
    }

    /// What a mailbox is known by. `None` if it is not there, or the file system does not say.
    pub fn origin(&self, name: &MailboxName) -> Option<Origin> {
        let place: PathBuf = names::place(&self.location, name)?;
        let dir = self.open_dir(&place).ok()?;
        let mask = StatxFlags::BTIME | StatxFlags::INO;
        let found = rustix::fs::statx(dir.as_fd(), "", AtFlags::EMPTY_PATH, mask).ok()?;
        let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        has_birth.then(|| Origin {
            identity: (
                rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
                found.stx_ino,
            ),
            birth: (found.stx_btime.tv_sec, found.stx_btime.tv_nsec),
        })
    }

    /// Goes to a mailbox without opening it. `None` if it is not there, or has no control files yet.
    pub fn site(&self, name: &MailboxName) -> io::Result<Option<Site>> {
        let place = names::place(&self.location, name);
        if place.is_some() && self.check(name).is_err() {
            return Ok(None);
        }
        let Some(mailbox) = pass(&self.root, &place.unwrap_or_default())? else {
            return Ok(None);
        };
        let control = match &self.control {
            None => Some(Arc::clone(&mailbox)),
            Some(root) => pass(root, &names::control_place(&self.location, name))?,
        };
        Ok(control.map(|control| Site { mailbox, control }))
    }
}

/// Opens a directory only to pass through it. `None` if there is none.
fn pass(root: &Root, place: &Path) -> io::Result<Option<Arc<OwnedFd>>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let opened = match place.as_os_str().is_empty() {
        true => dir::open_at(root.dir(), ".", flags),
        false => root.open_at(root.dir(), place, flags),
    };
    match opened {
        Ok(opened) => Ok(Some(Arc::new(opened))),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            _ => Err(error),
        },
    }
}
