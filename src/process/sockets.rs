//! Socket files that others connect to: made with the owner and the mode that the configuration asks for.
//!
//! They may lie in a directory of somebody else's, such as Postfix's, who could put anything there at any moment. So what
//! is changed is the very socket that was made, not what its name leads to; and it has its name only once it is ready.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;

use crate::config::{Id, SocketFile};

/// The file of a socket that was made here.
#[derive(Debug)]
pub struct Made {
    path: PathBuf,
    /// Its device and inode.
    identity: (u64, u64),
}

impl Made {
    /// Removes it, but not what another has put in its place.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn remove(self) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == self.identity => fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Listens on a socket file, in place of one that nobody listens on any more. `mode` is that of one for which none is asked.
///
/// # Errors
///
/// `AddrInUse` where somebody does; and what the system says.
pub fn listen(socket: &SocketFile, mode: u32) -> io::Result<(UnixListener, Made)> {
    if is_heard(&socket.path) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let mut draft = socket.path.clone().into_os_string();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let listener = UnixListener::bind(&draft)?;
    let ready = prepare(socket, mode, &draft).and_then(|identity| {
        fs::rename(&draft, &socket.path)?;
        Ok(identity)
    });
    let made = match ready {
        Ok(identity) => Made {
            path: socket.path.clone(),
            identity,
        },
        Err(error) => {
            // What cannot be used is not left there.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
    };
    listener.set_nonblocking(true)?;
    Ok((listener, made))
}

/// Whether somebody listens there. Who does not accept just now (connect(2), EAGAIN) does all the same.
fn is_heard(path: &Path) -> bool {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connected = socket_with(family, kind, flags, None)
        .and_then(|socket| connect(&socket, &SocketAddrUnix::new(path)?));
    matches!(connected, Ok(()) | Err(Errno::AGAIN))
}

/// Gives it owner and mode. Gives its device and inode.
fn prepare(socket: &SocketFile, mode: u32, draft: &PathBuf) -> io::Result<(u64, u64)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = open(draft, flags, Mode::empty())?;
    let stat = fstat(&made)?;
    let is_ours = stat.st_uid == geteuid().as_raw();
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket || !is_ours {
        return Err(io::Error::other(
            "somebody else has put something in its place",
        ));
    }
    // By its number there is no name that could lead elsewhere.
    let by_number = format!("/proc/self/fd/{}", made.as_raw_fd());
    fs::set_permissions(
        by_number,
        Permissions::from_mode(socket.mode.unwrap_or(mode)),
    )?;
    let number = |id: &Option<Id>, find: fn(&Id) -> io::Result<Option<u32>>| match id {
        Some(id) => match find(id)? {
            Some(number) => Ok(Some(number)),
            None => Err(io::Error::other(format!(
                "{id} is not known on this system"
            ))),
        },
        None => Ok(None),
    };
    let user = number(&socket.user, Id::uid)?.map(Uid::from_raw);
    let group = number(&socket.group, Id::gid)?.map(Gid::from_raw);
    if user.is_some() || group.is_some() {
        chownat(&made, "", user, group, AtFlags::EMPTY_PATH)?;
    }
    Ok((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: u32 = 0o600;

    #[test]
    fn a_socket_has_its_mode_and_takes_a_stale_ones_place() {
        let home = tempfile::tempdir().unwrap();
        let mut socket = SocketFile {
            path: home.path().join("auth"),
            ..SocketFile::default()
        };
        for mode in [None, Some(0o660)] {
            socket.mode = mode;
            let listener = listen(&socket, MODE).unwrap();
            let metadata = fs::metadata(&socket.path).unwrap();
            assert_eq!(metadata.mode() & 0o777, mode.unwrap_or(MODE));
            let error = listen(&socket, MODE).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            drop(listener);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        socket.user = Some(Id::Name("no-such-user-here".to_owned()));
        assert!(listen(&socket, MODE).is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        socket.path = home.path().join("not/there");
        assert_eq!(
            listen(&socket, MODE).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn what_is_somebody_elses_stays() {
        let home = tempfile::tempdir().unwrap();
        let socket = SocketFile {
            path: home.path().join("auth"),
            ..SocketFile::default()
        };
        let (listener, made) = listen(&socket, MODE).unwrap();
        drop(listener);
        // Another server has begun meanwhile.
        let (_listener, others) = listen(&socket, MODE).unwrap();
        made.remove().unwrap();
        assert!(socket.path.exists());
        others.remove().unwrap();
        assert!(!socket.path.exists());
        let (_listener, gone) = listen(&socket, MODE).unwrap();
        fs::remove_file(&socket.path).unwrap();
        gone.remove().unwrap();
    }

    #[test]
    fn somebody_who_listens_but_does_not_accept_holds_up_nobody() {
        let home = tempfile::tempdir().unwrap();
        let socket = SocketFile {
            path: home.path().join("auth"),
            ..SocketFile::default()
        };
        let address = SocketAddrUnix::new(&socket.path).unwrap();
        let new = || {
            let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
            socket_with(family, kind, SocketFlags::NONBLOCK, None).unwrap()
        };
        let busy = new();
        rustix::net::bind(&busy, &address).unwrap();
        rustix::net::listen(&busy, 0).unwrap();
        let mut waiting = Vec::new();
        loop {
            let next = new();
            if connect(&next, &address).is_err() {
                break;
            }
            waiting.push(next);
        }
        let (sender, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(listen(&socket, MODE).map(drop)));
        let told = told.recv_timeout(std::time::Duration::from_secs(10));
        let error = told.expect("it waits").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
