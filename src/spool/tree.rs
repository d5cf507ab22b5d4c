//! An account's mailboxes as directories: Maildir++ and fs layouts ↔ [`MailboxName`].

use std::io;
use std::path::PathBuf;

use crate::imap::name::{MailboxName, NameError};
use crate::spool::folder::Folder;

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
#[derive(Clone, Debug)]
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
}

impl Tree {
    /// Opens the root; makes it with `cur/`, `new/`, `tmp/` if it is not there (mode 0700).
    pub fn open(location: Location) -> io::Result<Tree> {
        let _ = location;
        todo!()
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
        let _ = name;
        todo!()
    }

    /// Every mailbox and implied parent; INBOX always.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        todo!()
    }

    /// Whether the name can be selected.
    pub fn exists(&self, name: &MailboxName) -> io::Result<bool> {
        let _ = name;
        todo!()
    }

    /// Device and inode of a mailbox's directory, if it is there.
    pub fn identity(&self, name: &MailboxName) -> io::Result<Option<(u64, u64)>> {
        let _ = name;
        todo!()
    }

    /// Opens a mailbox; missing `cur/`, `new/`, `tmp/` are made. `NotFound` if there is none (INBOX is made).
    pub fn folder(&self, name: &MailboxName) -> io::Result<Folder> {
        let _ = name;
        todo!()
    }

    /// Makes a mailbox. `AlreadyExists` if it is one.
    pub fn create(&self, name: &MailboxName) -> io::Result<()> {
        let _ = name;
        todo!()
    }

    /// Removes a mailbox: moved aside first, so that it is gone at once or not at all. Its children stay.
    /// `NotFound` if it is none; `DirectoryNotEmpty` for a name with children that is not selectable (fs).
    pub fn delete(&self, name: &MailboxName) -> io::Result<()> {
        let _ = name;
        todo!()
    }

    /// Renames a mailbox (or an implied parent) and all below it. `NotFound`, `AlreadyExists`;
    /// `InvalidInput` under itself. Not for INBOX. Gives every old name with its new one.
    pub fn rename(
        &self,
        from: &MailboxName,
        to: &MailboxName,
    ) -> io::Result<Vec<(MailboxName, MailboxName)>> {
        let _ = (from, to);
        todo!()
    }
}
