//! An account's mailboxes as directories: Maildir++ and fs layouts ↔ [`MailboxName`].
//!
//! | layout | INBOX | mailbox `A`, below it `B` | its control directory, where there is a control root |
//! |---|---|---|---|
//! | Maildir++ | the root | `.A`, `.A.B` | `.INBOX`, `.A`, `.A.B` |
//! | fs | the root | `A`, `A/B` | `INBOX`, `A`, `A/B` |
//!
//! In Maildir++ each directory with one leading dot is a mailbox, and a parent may be missing; in fs one is a
//! mailbox if it holds `cur/`. Names are listed only if they can be opened again: a directory whose
//! name is not the one spelling of a mailbox name is passed over, and never renamed.
//!
//! Everything is done below descriptors of the roots; see [`dir`](crate::spool::dir). How names are
//! spelled is in [`names`], moving and removing in [`change`]; what a watcher watches in [`places`].

mod change;
mod names;
mod places;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use crate::imap::name::{MailboxName, NameError};
use crate::spool::broken::Told;
use crate::spool::dir::{self, DIRECTORY, Modes, Root};
use crate::spool::folder::{Folder, Stamp};
pub use crate::spool::tree::places::Origin;

/// The directories of a Maildir.
const SUBS: [&str; 3] = ["tmp", "new", "cur"];

/// How folders lie below the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `.A.B`; the hierarchy separator is `.`.
    MaildirPlusPlus,
    /// `A/B`; the hierarchy separator is `/`.
    Fs,
}

/// How names are written on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskNames {
    /// Modified UTF-7.
    Utf7,
    /// UTF-8, NFC.
    Utf8,
}

/// Where an account's mail is and how it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The Maildir.
    pub root: PathBuf,
    /// Dovecot's CONTROL=: uidlists, keywords, subscriptions, uidvalidity.
    pub control: Option<PathBuf>,
    /// Folder layout.
    pub layout: Layout,
    /// Folder names.
    pub names: DiskNames,
    /// May links to folders or message files lead out of the root?
    pub follow_links_out: bool,
}

/// One name that LIST can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: MailboxName,
    /// False for a parent that is only implied (or, in the fs layout, a directory without `cur/`).
    pub selectable: bool,
}

/// An account's tree.
#[derive(Debug)]
pub struct Tree {
    location: Location,
    root: Arc<Root>,
    control: Option<Arc<Root>>,
    /// What the log has heard of the account's control files.
    pub(super) told: Told,
}

impl Tree {
    /// Opens the root; makes it with `cur/`, `new/`, `tmp/` if it is not there (mode 0700). What a
    /// deletion that was interrupted an hour ago or more has left is removed.
    pub fn open(location: Location) -> io::Result<Tree> {
        let open = |path: &Path| match Root::open(path, location.follow_links_out) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(path)?;
                Root::open(path, location.follow_links_out).map(|root| (root, true))
            }
            root => root.map(|root| (root, false)),
        };
        let (root, made) = open(&location.root)?;
        if made {
            let modes = Modes::of(root.dir())?;
            for sub in SUBS {
                match modes.make_dir(root.dir(), sub) {
                    // Another process opens it for the first time, too.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => drop(made?),
                }
            }
        }
        let control = match &location.control {
            Some(path) => Some(Arc::new(open(path)?.0)),
            None => None,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        for root in control.as_deref().into_iter().chain([&root]) {
            change::clear_trash(root, now);
        }
        Ok(Tree {
            location,
            root: Arc::new(root),
            control,
            told: Told::default(),
        })
    }

    /// Whether the root's path still leads to the directory that is open here.
    pub fn is_current(&self) -> io::Result<bool> {
        let held = dir::identity(&dir::stat(self.root.dir())?);
        match rustix::fs::stat(&self.location.root) {
            Ok(there) => Ok(dir::identity(&there) == held),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// `.` or `/`.
    pub fn separator(&self) -> char {
        match self.location.layout {
            Layout::MaildirPlusPlus => '.',
            Layout::Fs => '/',
        }
    }

    /// Whether the layout can hold this name; the error is Dovecot's text.
    pub fn check(&self, name: &MailboxName) -> Result<(), NameError> {
        names::check(&self.location, name)
    }

    /// The name in Unicode's Normalization Form C.
    pub fn normal(&self, name: &MailboxName) -> MailboxName {
        names::normal(name, self.separator())
    }

    /// Every mailbox and implied parent, sorted by name; INBOX always.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut names = match self.location.layout {
            Layout::MaildirPlusPlus => self.list_flat()?,
            Layout::Fs => self.list_nested()?,
        };
        let listed: Vec<MailboxName> = names.keys().cloned().collect();
        for name in listed {
            let mut parent = name.parent(self.separator());
            while let Some(implied) = parent {
                parent = implied.parent(self.separator());
                names.entry(implied).or_insert(false);
            }
        }
        names.insert(MailboxName::inbox(), true);
        Ok(names
            .into_iter()
            .map(|(name, selectable)| Entry { name, selectable })
            .collect())
    }

    /// Whether the name can be selected.
    pub fn exists(&self, name: &MailboxName) -> io::Result<bool> {
        let Some(place) = names::place(&self.location, name) else {
            return Ok(name.is_inbox());
        };
        if self.check(name).is_err() {
            return Ok(false);
        }
        let place = match self.location.layout {
            Layout::MaildirPlusPlus => place,
            Layout::Fs => place.join("cur"),
        };
        self.is_dir(&place)
    }

    /// Device and inode of a mailbox's directory, if it is there.
    pub fn identity(&self, name: &MailboxName) -> io::Result<Option<(u64, u64)>> {
        if names::place(&self.location, name).is_some() && !self.exists(name)? {
            return Ok(None);
        }
        let place = names::place(&self.location, name).unwrap_or_default();
        match self.place_identity(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            identity => identity.map(Some),
        }
    }

    /// Opens a mailbox; missing `cur/`, `new/`, `tmp/` are made. `NotFound` if there is none (INBOX is made).
    pub fn folder(&self, name: &MailboxName) -> io::Result<Folder> {
        let place = names::place(&self.location, name);
        if place.is_some() && !self.exists(name)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (dir, path) = match &place {
            Some(place) => (
                self.root.open_at(self.root.dir(), place, DIRECTORY)?,
                self.location.root.join(place),
            ),
            None => (
                dir::open_at(self.root.dir(), ".", DIRECTORY)?,
                self.location.root.clone(),
            ),
        };
        let control = self.control.as_ref().map(|control| {
            let place = names::control_place(&self.location, name);
            (Arc::clone(control), place)
        });
        Folder::enter(Arc::clone(&self.root), dir, path, control)
    }

    /// Opens a file beside the mailbox's uidlist, if it is there.
    pub(super) fn control_file(&self, name: &MailboxName, file: &str) -> io::Result<OwnedFd> {
        let (root, place) = match &self.control {
            Some(control) => (control, names::control_place(&self.location, name)),
            None => {
                let place = names::place(&self.location, name);
                (&self.root, place.unwrap_or_default())
            }
        };
        // Without NONBLOCK, opening a FIFO would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        root.open_at(root.dir(), &place.join(file), flags)
    }

    /// Makes a mailbox. `AlreadyExists` if it is one; `InvalidInput` if [`Tree::check`] refuses the name.
    pub fn create(&self, name: &MailboxName) -> io::Result<()> {
        self.refuse_unusable(name)?;
        let Some(place) = names::place(&self.location, name) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        let modes = Modes::of(self.root.dir())?;
        let parent = place.parent().unwrap_or(Path::new(""));
        dir::make_dirs(&self.root, parent, &modes)?;
        let parent = self.open_dir(parent)?;
        let last = Path::new(place.file_name().unwrap_or_default());
        let dir = match modes.make_dir(parent.as_fd(), last) {
            // A directory that is no mailbox yet becomes one.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    && self.location.layout == Layout::Fs
                    && self.is_dir(&place)?
                    && !self.exists(name)? =>
            {
                self.root.open_at(self.root.dir(), &place, DIRECTORY)?
            }
            made => made?,
        };
        if let Err(error) = self.fill(dir.as_fd(), &modes) {
            // Nothing half-made stays. What was there before is not empty, and so does.
            for sub in SUBS {
                let _ = change::remove_dir(dir.as_fd(), sub);
            }
            let _ = dir::remove(dir.as_fd(), "maildirfolder");
            let _ = change::remove_dir(parent.as_fd(), last);
            return Err(error);
        }
        dir::sync_dir(&parent)
    }

    /// Takes back a mailbox that was made and cannot be used, such as for want of room. `DirectoryNotEmpty` if there is
    /// a message in it, and then it stays.
    pub fn take_back(&self, name: &MailboxName) -> io::Result<()> {
        change::take_back(self, name)
    }

    /// Removes a mailbox: moved aside first, so that it is gone at once or not at all. Its children stay; in
    /// the fs layout, parents that were no mailboxes and have no children left go with it.
    /// `NotFound` if it is none; `DirectoryNotEmpty` for a name with children that is not selectable (fs).
    /// `InvalidInput` for INBOX.
    pub fn delete(&self, name: &MailboxName) -> io::Result<()> {
        change::delete(self, name)
    }

    /// Renames a mailbox (or an implied parent) and all below it. `NotFound`, `AlreadyExists`;
    /// `InvalidInput` under itself, for INBOX, and if a new name cannot be. Gives every old name with its new one.
    ///
    /// In Maildir++ each directory is one rename: when one fails, those before it are taken back, but after a crash
    /// some may be renamed and others not.
    pub fn rename(
        &self,
        from: &MailboxName,
        to: &MailboxName,
    ) -> io::Result<Vec<(MailboxName, MailboxName)>> {
        change::rename(self, from, to)
    }

    /// The directory of the account's own files: `subscriptions`, `dovecot-uidvalidity`.
    pub(super) fn account_dir(&self) -> BorrowedFd<'_> {
        self.control.as_ref().unwrap_or(&self.root).dir()
    }

    /// When that directory was last changed.
    pub fn account_stamp(&self) -> io::Result<Stamp> {
        Ok(dir::stamp(&dir::stat(self.account_dir())?))
    }

    /// The path of that directory: for log lines only.
    pub(super) fn account_path(&self) -> &Path {
        let Location { root, control, .. } = &self.location;
        control.as_ref().unwrap_or(root)
    }

    /// A name as it stands in `subscriptions`.
    pub(super) fn stored(&self, name: &MailboxName) -> String {
        names::stored(&self.location, name)
    }

    /// Whether this can be a name as it stands in `subscriptions`, perhaps of another namespace.
    pub(super) fn is_spelled(&self, stored: &[u8]) -> bool {
        names::is_spelled(&self.location, stored)
    }

    /// The name that `subscriptions` means.
    pub(super) fn name_stored(&self, stored: &[u8]) -> Option<MailboxName> {
        if stored.eq_ignore_ascii_case(b"INBOX") {
            return Some(MailboxName::inbox());
        }
        names::from_stored(&self.location, stored)
    }

    /// Makes a mailbox's own directories and files; `cur/` last, for by it others know a mailbox.
    fn fill(&self, dir: BorrowedFd<'_>, modes: &Modes) -> io::Result<()> {
        for sub in SUBS {
            match modes.make_dir(dir, sub) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => drop(made?),
            }
        }
        if self.location.layout == Layout::MaildirPlusPlus {
            modes.make_file(dir, "maildirfolder")?;
        }
        dir::sync_dir(dir)
    }

    fn list_flat(&self) -> io::Result<BTreeMap<MailboxName, bool>> {
        let mut names = BTreeMap::new();
        dir::entries(self.root.dir(), |entry, kind| {
            if let Some(name) = names::from_entry(&self.location, entry.to_bytes())
                && self.is_dir_entry(dir::path_of(entry.to_bytes()), kind)?
            {
                names.insert(name, true);
            }
            Ok(())
        })?;
        Ok(names)
    }

    fn list_nested(&self) -> io::Result<BTreeMap<MailboxName, bool>> {
        let mut names = BTreeMap::new();
        // A link to a directory is listed with all below it, but each such directory once: links may lead in
        // a circle.
        let mut linked = HashSet::from([dir::identity(&dir::stat(self.root.dir())?)]);
        let mut waiting = vec![PathBuf::new()];
        while let Some(place) = waiting.pop() {
            let listing = match self.open_dir(&place) {
                // It went while we were on the way to it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                listing => listing?,
            };
            let name = names::from_stored(&self.location, place.as_os_str().as_bytes());
            let mut selectable = false;
            dir::entries(listing.as_fd(), |entry, kind| {
                let below = place.join(dir::path_of(entry.to_bytes()));
                if entry.to_bytes() == b"cur" {
                    selectable = self.is_dir_entry(&below, kind)?;
                } else if names::leads_to_names(&self.location, below.as_os_str().as_bytes())
                    && self.is_dir_entry(&below, kind)?
                    && (kind == FileType::Directory || linked.insert(self.place_identity(&below)?))
                {
                    waiting.push(below);
                }
                Ok(())
            })?;
            if let Some(name) = name {
                names.insert(name, selectable);
            }
        }
        Ok(names)
    }

    fn refuse_unusable(&self, name: &MailboxName) -> io::Result<()> {
        self.check(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// `new/` and `cur/` of every mailbox, below the root.
    pub(super) fn message_dirs(&self) -> io::Result<Vec<PathBuf>> {
        let entries = self.list()?.into_iter().filter(|entry| entry.selectable);
        Ok(entries
            .flat_map(|entry| self.message_dirs_of(&entry.name))
            .collect())
    }

    /// The same of one mailbox.
    pub(super) fn message_dirs_of(&self, name: &MailboxName) -> [PathBuf; 2] {
        let place = names::place(&self.location, name).unwrap_or_default();
        ["new", "cur"].map(|sub| place.join(sub))
    }

    /// Opens the directory at `place`; the root itself for an empty path.
    pub(super) fn open_dir(&self, place: &Path) -> io::Result<std::os::fd::OwnedFd> {
        match place.as_os_str().is_empty() {
            true => dir::open_at(self.root.dir(), ".", DIRECTORY),
            false => self.root.open_at(self.root.dir(), place, DIRECTORY),
        }
    }

    fn place_identity(&self, place: &Path) -> io::Result<(u64, u64)> {
        Ok(dir::identity(&dir::stat(self.open_dir(place)?)?))
    }

    fn is_dir_entry(&self, place: &Path, kind: FileType) -> io::Result<bool> {
        match kind {
            FileType::Directory => Ok(true),
            FileType::Symlink | FileType::Unknown => self.is_dir(place),
            _ => Ok(false),
        }
    }

    /// Whether there is a directory, or a link to one that may be followed.
    fn is_dir(&self, place: &Path) -> io::Result<bool> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match self.root.open_at(self.root.dir(), place, flags) {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    Errno::from_io_error(&error),
                    Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG)
                ) =>
            {
                Ok(false)
            }
            // A link out of the root, or a directory that is not ours.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
