//! Removing and renaming mailboxes.
//!
//! What is to be removed is moved aside under a name that is no mailbox, so that it is gone in one step; then
//! its files are removed one by one, links never followed. Where a crash cuts that short, the rest is removed an
//! hour later or more, by us or by Dovecot.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;

use crate::imap::name::MailboxName;
use crate::spool::dir::{self, DIRECTORY, Modes, Root};
use crate::spool::filename::LONGEST;
use crate::spool::tree::{Layout, SUBS, Tree, names};

/// How old the leftovers of a deletion must be: nobody is at it any more.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

/// How deep directories are followed when removing.
const DEEPEST: usize = 32;

/// How often a directory that filled up again is emptied.
const PASSES: usize = 4;

/// [`Tree::delete`].
pub(super) fn delete(tree: &Tree, name: &MailboxName) -> io::Result<()> {
    let Some(place) = names::place(&tree.location, name) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    if tree.check(name).is_err() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if !tree.exists(name)? {
        return match tree.location.layout {
            Layout::MaildirPlusPlus => Err(io::ErrorKind::NotFound.into()),
            Layout::Fs => match remove_empty(&tree.root, &place) {
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    Err(io::ErrorKind::NotFound.into())
                }
                result => result,
            },
        };
    }
    discard(tree, name, place)
}

/// [`Tree::take_back`]. Who removes a directory that has something in it is refused: no message that comes meanwhile is
/// lost.
pub(super) fn take_back(tree: &Tree, name: &MailboxName) -> io::Result<()> {
    let Some(place) = names::place(&tree.location, name) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let dir = tree.root.open_at(tree.root.dir(), &place, DIRECTORY)?;
    remove_dir(dir.as_fd(), "new")?;
    if let Err(error) = remove_dir(dir.as_fd(), "cur") {
        Modes::of(tree.root.dir())?.make_dir(dir.as_fd(), "new")?;
        return Err(error);
    }
    discard(tree, name, place)
}

/// Removes what a mailbox has, in both roots.
fn discard(tree: &Tree, name: &MailboxName, place: PathBuf) -> io::Result<()> {
    let control = tree.control.as_deref().map(|root| {
        let place = names::control_place(&tree.location, name);
        (root, place)
    });
    for (root, place) in [Some((&*tree.root, place)), control].into_iter().flatten() {
        match tree.location.layout {
            Layout::MaildirPlusPlus => discard_whole(root, &place)?,
            Layout::Fs => discard_own(root, &place)?,
        }
    }
    Ok(())
}

/// [`Tree::rename`].
pub(super) fn rename(
    tree: &Tree,
    from: &MailboxName,
    to: &MailboxName,
) -> io::Result<Vec<(MailboxName, MailboxName)>> {
    let separator = tree.separator();
    let location = &tree.location;
    let (from, to) = (
        &names::canonical(location, from),
        &names::canonical(location, to),
    );
    let Some(old) = names::place(location, from) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    tree.refuse_unusable(to)?;
    let Some(new) = names::place(location, to) else {
        return Err(io::ErrorKind::AlreadyExists.into());
    };
    if to.is_below(from, separator) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let below = |name: &MailboxName| name == from || name.is_below(from, separator);
    let mut pairs = Vec::new();
    for entry in tree.list()?.into_iter().filter(|entry| below(&entry.name)) {
        let rest = entry.name.as_str().get(from.as_str().len()..);
        let new = [to.as_str(), rest.unwrap_or_default()].concat();
        let new = MailboxName::from_utf8(&new, separator)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        tree.refuse_unusable(&new)?;
        pairs.push((entry.name, new));
    }
    if pairs.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if from == to {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let moves = match location.layout {
        Layout::MaildirPlusPlus => flat_moves(tree, &old, &new)?,
        Layout::Fs => vec![(old, new)],
    };
    for (_, target) in &moves {
        if !is_free(&tree.root, target)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
    }
    if let Some(control) = &tree.control {
        for (_, target) in &moves {
            // Control files of a mailbox that is no more: the new one must not inherit its UIDs.
            if !is_free(control, target)? {
                discard_whole(control, target)?;
            }
        }
        move_all(control, &moves)?;
    }
    if let Err(error) = move_all(&tree.root, &moves) {
        if let Some(control) = &tree.control {
            let back: Vec<_> = moves.into_iter().map(|(old, new)| (new, old)).collect();
            move_all(control, &back)?;
        }
        return Err(error);
    }
    Ok(pairs)
}

/// Removes, in a root, what deletions have left behind. `now` is since 1970.
pub(super) fn clear_trash(root: &Root, now: Duration) {
    let mut left = Vec::new();
    let listed = dir::entries(root.dir(), |entry, _| {
        if entry.to_bytes().starts_with(names::TRASH.as_bytes()) {
            left.push(dir::path_of(entry.to_bytes()).to_path_buf());
        }
        Ok(())
    });
    if let Err(error) = listed {
        tracing::warn!("looking for leftovers of deleted mailboxes: {error}");
    }
    for name in left {
        // The time of the inode is that of the move aside.
        let age = dir::stat_at(root.dir(), &name).ok().flatten().map(|stat| {
            let moved = u64::try_from(stat.st_ctime).unwrap_or_default();
            now.saturating_sub(Duration::from_secs(moved))
        });
        if age.is_some_and(|age| age >= LEFT_BEHIND) {
            remove_set_aside(root, &name);
        }
    }
}

/// Removes an empty directory.
pub(super) fn remove_dir(parent: BorrowedFd<'_>, name: impl AsRef<Path>) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(
        parent,
        name.as_ref(),
        AtFlags::REMOVEDIR,
    )?)
}

/// Removes a directory with all in it; of a link, the link.
fn discard_whole(root: &Root, place: &Path) -> io::Result<()> {
    match dir::stat_at(root.dir(), place)? {
        None => return Ok(()),
        Some(stat) if !dir::kind(&stat).is_dir() => {
            dir::remove(root.dir(), place)?;
            return dir::sync_dir(root.dir());
        }
        Some(_) => {}
    }
    let aside = names::fresh_trash();
    dir::rename(root.dir(), place, root.dir(), &aside)?;
    dir::sync_dir(root.dir())?;
    remove_set_aside(root, &aside);
    Ok(())
}

/// Removes what a directory of the fs layout holds of its own, and itself if it has no children.
fn discard_own(root: &Root, place: &Path) -> io::Result<()> {
    if let Some(stat) = dir::stat_at(root.dir(), place)?
        && dir::kind(&stat).is_symlink()
    {
        dir::remove(root.dir(), place)?;
        return Ok(());
    }
    let own = match root.open_at(root.dir(), place, DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        own => own?,
    };
    let aside = names::fresh_trash();
    let trash = Modes::of(root.dir())?.make_dir(root.dir(), &aside)?;
    // `cur/` first: without it, this is no mailbox any more.
    for sub in SUBS.iter().rev() {
        match dir::rename(own.as_fd(), sub, trash.as_fd(), sub) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
    }
    let mut files = Vec::new();
    dir::entries(own.as_fd(), |entry, kind| {
        let name = dir::path_of(entry.to_bytes());
        let file = match kind {
            FileType::Unknown => {
                dir::stat_at(own.as_fd(), name)?.is_some_and(|stat| dir::kind(&stat).is_file())
            }
            kind => kind.is_file(),
        };
        if file {
            files.push(name.to_path_buf());
        }
        Ok(())
    })?;
    for file in files {
        dir::rename(own.as_fd(), &file, trash.as_fd(), &file)?;
    }
    dir::sync_dir(&own)?;
    remove_set_aside(root, &aside);
    match remove_empty(root, place) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}

/// Removes a directory without a mailbox or children, and those above it that then have none either.
fn remove_empty(root: &Root, place: &Path) -> io::Result<()> {
    let parent_and_name = |place: &Path| {
        let parent = place.parent().filter(|at| !at.as_os_str().is_empty());
        let parent = match parent {
            Some(parent) => root.open_at(root.dir(), parent, DIRECTORY)?,
            None => dir::open_at(root.dir(), ".", DIRECTORY)?,
        };
        Ok::<_, io::Error>((parent, place.file_name().unwrap_or_default().to_owned()))
    };
    let (parent, name) = parent_and_name(place)?;
    remove_dir(parent.as_fd(), &name)?;
    for above in place.ancestors().skip(1) {
        if above.as_os_str().is_empty() {
            break;
        }
        let (parent, name) = parent_and_name(above)?;
        if remove_dir(parent.as_fd(), &name).is_err() {
            break;
        }
    }
    Ok(())
}

/// Which directories of the Maildir++ layout a rename moves, and where to.
fn flat_moves(tree: &Tree, old: &Path, new: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let (old, new) = (old.as_os_str().as_bytes(), new.as_os_str().as_bytes());
    let mut moves = Vec::new();
    dir::entries(tree.root.dir(), |entry, kind| {
        let entry = entry.to_bytes();
        let Some(rest) = entry.strip_prefix(old) else {
            return Ok(());
        };
        let path = dir::path_of(entry);
        if matches!(rest.first(), None | Some(b'.')) && tree.is_dir_entry(path, kind)? {
            let target = [new, rest].concat();
            if target.len() > LONGEST {
                return Err(io::ErrorKind::InvalidFilename.into());
            }
            moves.push((path.to_path_buf(), dir::path_of(&target).to_path_buf()));
        }
        Ok(())
    })?;
    moves.sort();
    Ok(moves)
}

/// Whether a directory can be moved to that place. An empty one that is there is in nobody's way, and goes.
fn is_free(root: &Root, place: &Path) -> io::Result<bool> {
    match remove_dir(root.dir(), place) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(dir::stat_at(root.dir(), place).is_ok_and(|stat| stat.is_none()))
        }
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves directories within a root, or none of them. What is not there is passed over.
fn move_all(root: &Root, moves: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    let mut moved: Vec<&(PathBuf, PathBuf)> = Vec::new();
    for pair in moves {
        match move_one(root, &pair.0, &pair.1) {
            Ok(()) => moved.push(pair),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                for (old, new) in moved.into_iter().rev() {
                    if let Err(error) = move_one(root, new, old) {
                        tracing::warn!(
                            "{} stays renamed to {}: {error}",
                            old.display(),
                            new.display()
                        );
                    }
                }
                return Err(error);
            }
        }
    }
    dir::sync_dir(root.dir())
}

fn move_one(root: &Root, old: &Path, new: &Path) -> io::Result<()> {
    let parent = |place: &Path| match place.parent().filter(|at| !at.as_os_str().is_empty()) {
        Some(parent) => root.open_at(root.dir(), parent, DIRECTORY),
        None => dir::open_at(root.dir(), ".", DIRECTORY),
    };
    let from = parent(old)?;
    let (old_name, new_name) = (
        Path::new(old.file_name().unwrap_or_default()),
        Path::new(new.file_name().unwrap_or_default()),
    );
    if dir::stat_at(from.as_fd(), old_name)?.is_none() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let above = new.parent().unwrap_or(Path::new(""));
    dir::make_dirs(root, above, &Modes::of(root.dir())?)?;
    let to = parent(new)?;
    dir::rename(from.as_fd(), old_name, to.as_fd(), new_name)?;
    dir::sync_dir(&to)?;
    dir::sync_dir(&from)?;
    if let Some(above) = old.parent().filter(|above| !above.as_os_str().is_empty()) {
        let _ = remove_empty(root, above);
    }
    Ok(())
}

/// Removes what was moved aside. A failure leaves a leftover, and the mailbox is gone all the same.
fn remove_set_aside(root: &Root, name: &Path) {
    if let Err(error) = remove_all(root.dir(), name, DEEPEST) {
        tracing::warn!("removing {}: {error}", name.display());
    }
}

/// Removes an entry with all in it. Links are removed, not followed.
fn remove_all(parent: BorrowedFd<'_>, name: &Path, levels: usize) -> io::Result<()> {
    let dir = match dir::open_at(parent, name, DIRECTORY | OFlags::NOFOLLOW) {
        Ok(dir) => dir,
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::NOTDIR | Errno::LOOP)
            ) =>
        {
            return dir::remove(parent, name).map(drop);
        }
        Err(error) => return Err(error),
    };
    let Some(levels) = levels.checked_sub(1) else {
        return Err(Errno::NOTEMPTY.into());
    };
    for _ in 0..PASSES {
        dir::entries(dir.as_fd(), |entry, kind| {
            let name = dir::path_of(entry.to_bytes());
            match kind {
                FileType::Directory | FileType::Unknown => remove_all(dir.as_fd(), name, levels),
                _ => dir::remove(dir.as_fd(), name).map(drop),
            }
        })?;
        match remove_dir(parent, name) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            result => return result,
        }
    }
    Err(Errno::NOTEMPTY.into())
}
