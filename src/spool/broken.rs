//! Control files that cannot be used as they are: opening what may be anything, telling the log once, and
//! keeping what is replaced.
//!
//! What was broken stays beside the file that replaces it: as `NAME.broken`, or where there is such a one
//! already, as `NAME.broken.2` and so on. An earlier copy is never overwritten, for of several the first
//! knows most. When [`MOST_COPIES`] are there no more are made, and the log says so.
//!
//! The copy is a hard link where there can be one: it takes no space, and by its inode it tells that this
//! very file is known to be broken already. All control files but `dovecot-uidvalidity` are replaced by
//! renames and never written over, so a link keeps what it has.

use std::collections::HashMap;
use std::fs::{File, FileTimes};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::spool::dir::{self, Modes};
use crate::spool::folder::Stamp;

/// How many copies of one control file are kept.
const MOST_COPIES: usize = 9;

/// What stands in a control file's place.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// Nothing.
    Missing,
    /// A directory, a link, a FIFO; or a file that we may not read.
    Unusable,
    /// A file.
    There(T),
}

/// A small control file as it was read.
#[derive(Debug)]
pub(super) struct Contents {
    /// Its octets, up to the limit.
    pub(super) bytes: Vec<u8>,
    /// More follows them.
    pub(super) cut: bool,
    /// Its stamp before reading.
    pub(super) stamp: Stamp,
    /// The file, still open.
    pub(super) file: File,
}

/// Which broken files of a directory the log has heard of.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<&'static str, Stamp>>);

/// Opens the file `name` of the directory `at` for reading: a regular file, not through a link. One of our
/// own that has lost the right to be read gets it back.
pub(super) fn open(dir: BorrowedFd<'_>, at: &Path, name: &str) -> io::Result<Found<File>> {
    // Without NONBLOCK, opening a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = match dir::open_at(dir, name, flags) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && allow(dir, at, name)? => {
            dir::open_at(dir, name, flags)
        }
        opened => opened,
    };
    let file = match opened {
        Ok(file) => File::from(file),
        Err(error) => {
            // A link; a socket, or a device without a driver.
            let odd = [Errno::LOOP, Errno::NXIO].map(|odd| Some(odd.raw_os_error()));
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(Found::Missing),
                io::ErrorKind::PermissionDenied => Ok(Found::Unusable),
                _ if odd.contains(&error.raw_os_error()) => Ok(Found::Unusable),
                _ => Err(error),
            };
        }
    };
    Ok(match dir::kind(&dir::stat(&file)?).is_file() {
        true => Found::There(file),
        false => Found::Unusable,
    })
}

/// Lets the owner read and write a file of ours; false if it is none.
fn allow(dir: BorrowedFd<'_>, at: &Path, name: &str) -> io::Result<bool> {
    let ours = dir::stat_at(dir, name)?.filter(|stat| {
        dir::kind(stat).is_file() && stat.st_uid == rustix::process::geteuid().as_raw()
    });
    let Some(stat) = ours else { return Ok(false) };
    let mode = Mode::from_raw_mode(stat.st_mode) | Mode::RUSR | Mode::WUSR;
    let allowed = rustix::fs::chmodat(dir, name, mode, AtFlags::empty()).is_ok();
    if allowed {
        let path = at.join(name);
        tracing::warn!(
            "{} could not be read by its owner, and now can",
            path.display()
        );
    }
    Ok(allowed)
}

/// Reads the file `name` of the directory `at`, up to `limit` octets of it.
pub(super) fn read(
    dir: BorrowedFd<'_>,
    at: &Path,
    name: &str,
    limit: u64,
) -> io::Result<Found<Contents>> {
    let file = match open(dir, at, name)? {
        Found::There(file) => file,
        Found::Unusable => return Ok(Found::Unusable),
        Found::Missing => return Ok(Found::Missing),
    };
    let stamp = dir::stamp(&dir::stat(&file)?);
    let mut bytes = Vec::new();
    (&file).take(limit).read_to_end(&mut bytes)?;
    let cut = bytes.len() as u64 == limit && (&file).read(&mut [0])? > 0;
    Ok(Found::There(Contents {
        bytes,
        cut,
        stamp,
        file,
    }))
}

impl Told {
    /// Tells the log `what` is wrong with the file `name` of the directory `at`, and keeps a copy. Nothing
    /// of it twice for the same file.
    pub(super) fn report(
        &self,
        dir: BorrowedFd<'_>,
        at: &Path,
        name: &'static str,
        file: &File,
        what: &str,
    ) {
        let kept = dir::stat(file).and_then(|stat| {
            let stamp = dir::stamp(&stat);
            let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match told.insert(name, stamp) == Some(stamp) {
                true => Ok(None),
                false => keep(dir, name, file, &stamp),
            }
        });
        let path = at.join(name);
        let path = path.display();
        match kept {
            Ok(None) => {}
            Ok(Some(copy)) => tracing::warn!("{path} is broken: {what}; it is kept as {copy}"),
            Err(error) => {
                tracing::warn!("{path} is broken: {what}; no copy could be made: {error}")
            }
        }
    }
}

/// Makes a copy of a broken file. Gives its name; `None` if there is one.
fn keep(dir: BorrowedFd<'_>, name: &str, file: &File, stamp: &Stamp) -> io::Result<Option<String>> {
    for copy in copies(name) {
        if let Some(there) = dir::stat_at(dir, &copy)? {
            let there = dir::stamp(&there);
            let same = (there.size, there.modified) == (stamp.size, stamp.modified);
            if same || there.identity == stamp.identity {
                return Ok(None);
            }
            continue;
        }
        let open = dir::by_descriptor(file);
        match rustix::fs::linkat(CWD, &open, dir, &copy, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => return Ok(Some(copy)),
            Err(Errno::EXIST) => continue,
            Err(_) => copy_octets(dir, &copy, file, stamp)?,
        }
        return Ok(Some(copy));
    }
    Err(io::Error::other(format!(
        "there are {MOST_COPIES} already, such as {name}.broken"
    )))
}

/// Copies a file where it cannot be linked. The copy has its time, to be known by.
fn copy_octets(dir: BorrowedFd<'_>, copy: &str, file: &File, stamp: &Stamp) -> io::Result<()> {
    let mut made = Modes::of(dir)?.make_file(dir, copy)?;
    let copied = (|| {
        let mut from = file;
        io::Seek::seek(&mut from, io::SeekFrom::Start(0))?;
        io::copy(&mut from.take(stamp.size), &mut made)?;
        let (seconds, nanoseconds) = stamp.modified;
        let age = Duration::new(u64::try_from(seconds).unwrap_or_default(), nanoseconds);
        made.set_times(FileTimes::new().set_modified(UNIX_EPOCH + age))
    })();
    if copied.is_err() {
        dir::remove(dir, copy)?;
    }
    copied
}

/// Clears the place of the file `name` of the directory `at` of what cannot be read there, before a new one
/// is put into it.
pub(super) fn make_way(dir: BorrowedFd<'_>, at: &Path, name: &str) -> io::Result<()> {
    if !matches!(open(dir, at, name)?, Found::Unusable) {
        return Ok(());
    }
    let path = at.join(name);
    let path = path.display();
    for copy in copies(name) {
        match dir::rename(dir, name, dir, &copy) {
            Ok(()) => {
                tracing::warn!("{path} is no file that can be read; it is kept as {copy}");
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    tracing::warn!("{path} is no file that can be read, and is replaced: no room for a copy");
    Ok(())
}

/// The names that copies can have.
fn copies(name: &str) -> impl Iterator<Item = String> {
    (1..=MOST_COPIES).map(move |number| match number {
        1 => format!("{name}.broken"),
        _ => format!("{name}.broken.{number}"),
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::spool::testing::Mail;

    fn report(told: &Told, mail: &Mail) {
        let tree = mail.tree();
        let dir = tree.account_dir();
        let Ok(Found::There(file)) = open(dir.as_fd(), Path::new(""), "file") else {
            panic!("a file");
        };
        told.report(dir, mail.path("").as_path(), "file", &file, "so to speak");
    }

    fn copies_of(mail: &Mail) -> Vec<String> {
        let mut names = mail.names("");
        names.retain(|name| name.starts_with("file.broken"));
        names
    }

    #[test]
    fn each_broken_file_is_kept_once_and_none_is_overwritten() {
        let mail = Mail::new();
        for (turn, copies) in [(1, 1), (2, 2), (3, 3)] {
            mail.write("draft", format!("broken {turn}"));
            std::fs::rename(mail.path("draft"), mail.path("file")).expect("rename");
            report(&Told::default(), &mail);
            report(&Told::default(), &mail);
            assert_eq!(copies_of(&mail).len(), copies);
        }
        assert_eq!(mail.read("file.broken"), "broken 1");
        assert_eq!(mail.read("file.broken.3"), "broken 3");
        for turn in 4..20 {
            mail.write("draft", format!("broken {turn}"));
            std::fs::rename(mail.path("draft"), mail.path("file")).expect("rename");
            report(&Told::default(), &mail);
        }
        assert_eq!(copies_of(&mail).len(), MOST_COPIES);
        assert_eq!(mail.read("file.broken.9"), "broken 9");
    }

    #[test]
    fn a_copy_of_octets_is_known_again_by_its_time() {
        let mail = Mail::new();
        mail.write("file", "broken");
        let tree = mail.tree();
        let file = File::open(mail.path("file")).expect("open");
        let stamp = dir::stamp(&dir::stat(&file).expect("stat"));
        copy_octets(tree.account_dir(), "file.broken", &file, &stamp).expect("copy");
        assert_eq!(mail.read("file.broken"), "broken");
        report(&Told::default(), &mail);
        assert_eq!(copies_of(&mail).len(), 1);
    }

    #[test]
    fn what_is_no_file_makes_way() {
        let mail = Mail::new();
        let tree = mail.tree();
        for turn in 1..=12 {
            std::fs::create_dir(mail.path("file")).expect("a directory");
            let found = open(tree.account_dir(), Path::new(""), "file").expect("open");
            assert!(matches!(found, Found::Unusable));
            make_way(tree.account_dir(), Path::new(""), "file").expect("way");
            assert_eq!(mail.exists("file"), turn > MOST_COPIES);
            let _ = std::fs::remove_dir(mail.path("file"));
        }
        std::os::unix::fs::symlink("file.broken", mail.path("file")).expect("a link");
        let found = read(tree.account_dir(), Path::new(""), "file", 9).expect("read");
        assert!(matches!(found, Found::Unusable));
        mail.remove("file");
        assert!(matches!(
            open(tree.account_dir(), Path::new(""), "file"),
            Ok(Found::Missing)
        ));
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let mail = Mail::new();
        mail.write("file", "12345");
        let tree = mail.tree();
        for (limit, cut) in [(4, true), (5, false), (6, false)] {
            let Ok(Found::There(contents)) = read(tree.account_dir(), Path::new(""), "file", limit)
            else {
                panic!("a file");
            };
            assert_eq!((contents.bytes.len() < 5, contents.cut), (cut, cut));
        }
    }
}
