//! What auth has master do because it may not do it itself: open a file of users.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use tokio::time::timeout;

use crate::blocking;
use crate::config::{Source, Variables};
use crate::process::child::Child;
use crate::process::message::ToAuth;

/// How long a file of users may take to be opened.
pub const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Opens the file of a source, as it is for this user, and gives it to auth, or the reason why not. What hangs there
/// holds up nobody else.
pub async fn open(auth: Child<ToAuth>, question: u32, source: Option<Source>, user: String) {
    let opening = blocking::spawn(move || open_file(source.as_ref(), &user));
    let opened = match timeout(OPEN_LIMIT, opening).await {
        Ok(Ok(opened)) => opened,
        _ => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
    };
    let (error, file) = match opened {
        Ok(file) => (None, Some(file.into())),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => (Some(libc::EINVAL), None),
        Err(error) => (error.raw_os_error(), None),
    };
    auth.tell(ToAuth::Here(question, error), file);
}

fn open_file(source: Option<&Source>, user: &str) -> io::Result<File> {
    let Some(Source::PasswdFile { path, .. }) = source else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let variables = Variables { user, home: None };
    let path = PathBuf::from(path.expand(&variables).map_err(io::Error::other)?);
    open_regular(&path)
}

/// Opens a file of users for reading, and nothing that is none.
///
/// # Errors
///
/// What the system says, and `InvalidInput` for what is not a regular file, in words.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Whatever else stands there must not hold up the server.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        FileType::Directory => Err(Errno::ISDIR.into()),
        FileType::Fifo => Err(no_file("a FIFO")),
        _ => Err(no_file("a device")),
    }
}

/// Why something is not read that is no file.
pub fn no_file(what: &str) -> io::Error {
    let why = format!("this is {what}, and no regular file");
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        let fifo = home.path().join("fifo");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, mode, 0).unwrap();
        for (path, kind, words) in [
            (fifo.as_path(), io::ErrorKind::InvalidInput, "a FIFO"),
            (home.path(), io::ErrorKind::IsADirectory, "directory"),
            (
                Path::new("/dev/null"),
                io::ErrorKind::InvalidInput,
                "a device",
            ),
        ] {
            let error = open_regular(path).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
