//! Giving up root, and what the process may use.
//!
//! The calls here are the kernel's own and change the calling thread alone, so all of it happens
//! before any other thread starts; threads inherit what they find.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::sys::signal::{SigHandler, Signal as Caught, signal};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Uid, geteuid, getgid, getrlimit, getuid,
    set_dumpable_behavior, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use serde::{Deserialize, Serialize};

/// Where users are looked up by number. Users that only a directory service knows have no name here.
const PASSWD: &str = "/etc/passwd";

/// A user and group by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What passwd(5) says of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUser {
    /// Login name.
    pub name: String,
    /// Primary group.
    pub gid: u32,
    /// Home directory; may be empty.
    pub home: String,
}

/// Whether the process has root's rights to give up.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The user the process runs for.
pub fn own_uid() -> u32 {
    getuid().as_raw()
}

/// The group the process runs for.
pub fn own_gid() -> u32 {
    getgid().as_raw()
}

/// What the system says of a user; `None` where it says nothing.
pub fn system_user(uid: u32) -> Option<SystemUser> {
    find_user(&fs::read_to_string(PASSWD).ok()?, uid)
}

/// Gives up root for good: no groups but `ids.gid`, no way back by a saved id or a set-user-ID
/// program, no core dump that would hold mail and passwords.
///
/// # Errors
///
/// What the system says; rights may then be dropped in part, so the caller must end.
pub fn become_user(ids: Ids) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    set_thread_groups(&[gid])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    set_no_new_privs(true)?;
    if !uid.is_root() {
        if set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
            return Err(io::Error::other("root's rights could be taken back"));
        }
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

/// Keeps what this process was started with from all that it starts.
#[allow(unsafe_code, reason = "no safe function does it for all descriptors")]
pub fn keep_descriptors() {
    let all = libc::c_uint::MAX;
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
    // SAFETY: with this flag nothing is closed, so no descriptor that somebody owns becomes another's. A kernel that does
    // not know the call refuses it.
    unsafe { libc::close_range(3, all, flags) };
}

/// Has the ends of this process's children be seen, though whoever started it ignores those of its own (SIGCHLD).
#[allow(unsafe_code, reason = "there is no safe function for it")]
pub fn see_children() -> io::Result<()> {
    // SAFETY: the default action runs no code of this program, so nothing of it has to be safe in a signal's handler.
    unsafe { signal(Caught::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}

/// Keeps other processes of the same user from looking into this one, and its core from being written.
pub fn hide() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The user of this name, who owns nothing.
pub const NOBODY: Ids = Ids {
    uid: 65534,
    gid: 65534,
};

/// The system's user of this name; `None`: there is none, or it is root.
pub fn system_user_named(name: &str) -> Option<Ids> {
    let passwd = fs::read_to_string(PASSWD).ok()?;
    let mut fields = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(fields)
    })?;
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid > 0 && gid > 0).then_some(Ids { uid, gid })
}

/// As [`become_user`], for a process that has one task: no right beyond the user's can come back to it by a program
/// either. `None`: it stays who it is, which is not root.
///
/// # Errors
///
/// What the system says; the caller must end.
pub fn become_role(ids: Option<Ids>) -> io::Result<()> {
    match ids {
        Some(ids) => {
            for capability in CapabilitySet::all().iter() {
                match remove_capability_from_bounding_set(capability) {
                    // One that this kernel does not know; or no right to give rights up. Without new privileges there is
                    // no way to them all the same.
                    Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            become_user(ids)
        }
        None if is_root() => Err(io::Error::other("a process of the server may not be root")),
        None => {
            // What a service manager gave to bind ports with is master's.
            clear_ambient_capability_set()?;
            let none = CapabilitySet::empty();
            set_capabilities(
                None,
                CapabilitySets {
                    effective: none,
                    permitted: none,
                    inheritable: none,
                },
            )?;
            set_no_new_privs(true)?;
            hide()
        }
    }
}

/// What a process needs to begin others that become somebody else, and to end them.
const TO_START: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::KILL);

/// Gives up all of root's rights but those to begin processes of others and to end them.
///
/// # Errors
///
/// What the system says; the caller must end.
pub fn keep_to_starting() -> io::Result<()> {
    let had = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: had.effective.intersection(TO_START),
            permitted: had.permitted.intersection(TO_START),
            inheritable: CapabilitySet::empty(),
        },
    )?;
    set_no_new_privs(true)?;
    hide()
}

/// Where an empty directory is made.
const EMPTY_AT: [&str; 3] = ["/run", "/tmp", "/"];

/// Leaves the process in an empty directory that is the only one it can name. Needs root.
pub fn leave_files() -> io::Result<()> {
    let mut made = Err(io::ErrorKind::NotFound.into());
    for place in EMPTY_AT {
        let empty = Path::new(place).join(format!("culver-{}", std::process::id()));
        made = DirBuilder::new().mode(0o700).create(&empty).map(|()| empty);
        if made.is_ok() {
            break;
        }
    }
    let empty = made?;
    std::env::set_current_dir(&empty)?;
    // Without a name nobody can put anything there.
    fs::remove_dir(&empty)?;
    std::os::unix::fs::chroot(".")
}

/// Allows as many open files as the system lets the process have, and no core dump.
pub fn set_limits() -> io::Result<()> {
    let files = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: files.maximum,
            maximum: files.maximum,
        },
    )?;
    // One octet, not none: where core(5) sends dumps to a program, 1 alone prevents it, and a file
    // is not begun for less than a page.
    let core = getrlimit(Resource::Core);
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(core.maximum.map_or(1, |most| most.min(1))),
            maximum: core.maximum,
        },
    )?;
    Ok(())
}

/// How many files the process may have open; `None`: any number.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

fn find_user(passwd: &str, uid: u32) -> Option<SystemUser> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (number, gid) = (fields.nth(1)?, fields.next()?);
        let home = fields.nth(1)?;
        (number.parse() == Ok(uid)).then_some(())?;
        Some(SystemUser {
            name: name.to_owned(),
            gid: gid.parse().ok()?,
            home: home.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_number() {
        let passwd = "# comment\n\nroot:x:0:0:root:/root:/bin/bash\nshort:x:7\n\
                      bad:x:seven:7::/:/bin/sh\nana:x:7:70:Ana,,,:/home/ana:/bin/sh\n\
                      second:x:7:71::/:/bin/sh\n";
        let ana = SystemUser {
            name: "ana".to_owned(),
            gid: 70,
            home: "/home/ana".to_owned(),
        };
        assert_eq!(find_user(passwd, 7), Some(ana));
        assert_eq!(find_user(passwd, 8), None);
    }
}
