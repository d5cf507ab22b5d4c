//! Counting an account's mail: every file in `new/` and `cur/` of every mailbox, by the size in its name, or where
//! that names none as large as it is. Files with a leading dot count too, as Dovecot counts them.
//!
//! That may take long, so it goes by batches: who counts says [`Count::go_on`] until all is counted, and looks with
//! [`Count::is_as_it_was`] whether anything has changed behind its back.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};

use crate::imap::name::MailboxName;
use crate::spool::dir;
use crate::spool::filename::size_in;
use crate::spool::folder::Stamp;
use crate::spool::quota::Amount;
use crate::spool::tree::Tree;

/// After so many files a batch ends, at the end of a directory.
const BATCH: u64 = 20_000;

/// What has been counted so far.
#[derive(Debug)]
pub struct Count {
    places: Vec<Place>,
}

/// `new/` or `cur/` of a mailbox.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    counted: Option<Counted>,
}

/// What was found in a directory.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    /// From before; `None` where there was no such directory.
    stamp: Option<Stamp>,
    amount: Amount,
}

impl Count {
    /// All mailboxes, none counted.
    pub fn begin(tree: &Tree) -> io::Result<Count> {
        let paths = tree.message_dirs()?.into_iter();
        let places = paths.map(|path| Place {
            path,
            counted: None,
        });
        Ok(Count {
            places: places.collect(),
        })
    }

    /// Counts a batch. True when there is no more to count.
    pub fn go_on(&mut self, tree: &Tree) -> io::Result<bool> {
        let mut seen = 0u64;
        for place in &mut self.places {
            if place.counted.is_some() {
                continue;
            }
            if seen >= BATCH {
                return Ok(false);
            }
            let counted = count(tree, &place.path)?;
            seen = seen.saturating_add(counted.amount.messages);
            place.counted = Some(counted);
        }
        Ok(true)
    }

    /// Whether no directory has changed since it was counted. Those that have, and those that are new, are to be
    /// counted next.
    pub fn is_as_it_was(&mut self, tree: &Tree) -> io::Result<bool> {
        let mut same = true;
        let paths: HashSet<PathBuf> = tree.message_dirs()?.into_iter().collect();
        let before = self.places.len();
        self.places.retain(|place| paths.contains(&place.path));
        same &= self.places.len() == before;
        let known: HashSet<PathBuf> = self.places.iter().map(|place| place.path.clone()).collect();
        for place in &mut self.places {
            let stamp = match open(tree, &place.path)? {
                Some(dir) => Some(dir::stamp(&dir::stat(&dir)?)),
                None => None,
            };
            if place.counted.is_none_or(|counted| counted.stamp != stamp) {
                place.counted = None;
                same = false;
            }
        }
        for path in paths.difference(&known) {
            same = false;
            self.places.push(Place {
                path: path.clone(),
                counted: None,
            });
        }
        Ok(same)
    }

    /// Of all that has been counted, each directory once whatever names it has.
    pub fn total(&self) -> Amount {
        let mut seen = HashSet::new();
        let counted = self.places.iter().filter_map(|place| place.counted);
        counted
            .filter(|counted| {
                counted
                    .stamp
                    .is_none_or(|stamp| seen.insert(stamp.identity))
            })
            .fold(Amount::default(), |all, one| all.and(one.amount))
    }
}

/// What is in one mailbox.
pub fn of_mailbox(tree: &Tree, name: &MailboxName) -> io::Result<Amount> {
    let mut all = Amount::default();
    for path in tree.message_dirs_of(name) {
        all = all.and(count(tree, &path)?.amount);
    }
    Ok(all)
}

/// `None` for a directory that is not there, or not for us.
fn open(tree: &Tree, path: &Path) -> io::Result<Option<std::os::fd::OwnedFd>> {
    match tree.open_dir(path) {
        Ok(dir) => Ok(Some(dir)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn count(tree: &Tree, path: &Path) -> io::Result<Counted> {
    let Some(dir) = open(tree, path)? else {
        return Ok(Counted::default());
    };
    let stamp = Some(dir::stamp(&dir::stat(&dir)?));
    let mut amount = Amount::default();
    dir::entries(dir.as_fd(), |name, kind| {
        let bytes = name.to_bytes();
        let may_be_a_file = matches!(
            kind,
            FileType::RegularFile | FileType::Symlink | FileType::Unknown
        );
        if bytes.starts_with(b"..") || !may_be_a_file {
            return Ok(());
        }
        let named = size_in(bytes).filter(|_| kind == FileType::RegularFile);
        let size = match named {
            Some(size) => Some(size),
            None => size_of(&dir, bytes)?,
        };
        if let Some(storage) = size {
            amount = amount.and(Amount {
                storage,
                messages: 1,
            });
        }
        Ok(())
    })?;
    Ok(Counted { stamp, amount })
}

/// The size of a file that may be a link to it, by its name first; `None` for one that has gone, and what is no file.
fn size_of(dir: impl AsFd, name: &[u8]) -> io::Result<Option<u64>> {
    match rustix::fs::statat(dir, dir::path_of(name), AtFlags::empty()) {
        Ok(stat) if dir::kind(&stat).is_file() => {
            Ok(Some(size_in(name).unwrap_or(dir::wide(stat.st_size))))
        }
        Ok(_) => Ok(None),
        // A link that leads nowhere, or in a circle.
        Err(error) if error == rustix::io::Errno::LOOP => Ok(None),
        Err(error) => match io::Error::from(error).kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::PermissionDenied => Ok(None),
            _ => Err(error.into()),
        },
    }
}
