//! Programs that know users, in the manner of checkpassword (<https://cr.yp.to/checkpwd/interface.html>) and with what
//! Dovecot adds: name, password and a time, each ended by NUL, come on descriptor 3; the exit code is 1 for a wrong
//! password (3: no such user), 111 for trouble. Where it is right the program runs the one that its arguments name, and
//! that is [`reply`], this very program once more, which writes what it finds in its environment to descriptor 4.
//!
//! With `AUTHORIZED=1` in its environment the program is asked what it knows of a user, without a password, and sets
//! `AUTHORIZED=2` to say that it was not asked for one. The process that runs it is [`super::proof`]'s, so it may
//! hang or crash.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Signal, set_parent_process_death_signal};
use zeroize::Zeroizing;

use crate::auth::{Proof, Purpose, Question};
use crate::process::privileges::{self, Ids, own_gid, own_uid};

/// What a program may say of a user, in octets.
const REPLY_MAX: u64 = 64 << 10;

/// Where programs are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that say whom the program was started as.
const STARTED_UID: &str = "CULVER_UID";
const STARTED_GID: &str = "CULVER_GID";

/// Where the program hears the password, where [`reply`] writes, and where it is: below these numbers nothing
/// else is.
const HEARS: RawFd = 3;
const WRITES: RawFd = 4;
const ITSELF: RawFd = 5;

/// Asks the program; `ids`: whom it runs as, `None` for whoever runs this.
///
/// # Errors
///
/// Why it cannot be run.
pub fn ask(command: &[String], ids: Option<Ids>, question: &Question) -> io::Result<Proof> {
    let (Some(program), arguments) = (command.first(), command.get(1..).unwrap_or_default()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (heard, mut say) = io::pipe()?;
    let (hear, said) = io::pipe()?;
    let itself = File::open("/proc/self/exe")?;
    let high = |descriptor: OwnedFd| fcntl_dupfd_cloexec(descriptor, ITSELF + 1);
    let given = [
        high(heard.into())?,
        high(said.into())?,
        high(itself.into())?,
    ];
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(format!("/proc/self/fd/{ITSELF}"))
        .args(["role", "reply"])
        .env_clear()
        .env("PATH", PATH)
        .env("PROTO", "TCP")
        .env("SERVICE", service(question.purpose))
        .env(
            STARTED_UID,
            ids.map_or(own_uid(), |ids| ids.uid).to_string(),
        )
        .env(
            STARTED_GID,
            ids.map_or(own_gid(), |ids| ids.gid).to_string(),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(peer) = question.peer {
        command.env("TCPREMOTEIP", peer.to_string());
    }
    if question.password.is_none() {
        command.env("AUTHORIZED", "1");
    }
    if let Some(ids) = ids {
        command.uid(ids.uid).gid(ids.gid);
    }
    let numbers = given.each_ref().map(AsRawFd::as_raw_fd);
    give(&mut command, numbers);
    let mut child = command.spawn()?;
    drop(given);
    let mut message = Zeroizing::new(Vec::new());
    let password = question
        .password
        .as_ref()
        .map(|password| password.as_slice());
    for part in [question.user.as_bytes(), password.unwrap_or_default(), b"0"] {
        message.extend_from_slice(part);
        message.push(0);
    }
    // It need not be heard.
    let saying = thread::spawn(move || say.write_all(&message));
    let mut answer = Vec::new();
    hear.take(REPLY_MAX + 1).read_to_end(&mut answer)?;
    let status = child.wait()?;
    let _ = saying.join();
    if answer.len() as u64 > REPLY_MAX {
        return Ok(Proof::Unavailable("the program says too much".to_owned()));
    }
    Ok(proof(status, &answer, question.password.is_none()))
}

/// Puts descriptors where the program expects them.
#[allow(unsafe_code, reason = "no safe way leads between fork and exec")]
fn give(command: &mut Command, numbers: [RawFd; 3]) {
    let place = move || {
        for (from, to) in numbers.into_iter().zip([HEARS, WRITES, ITSELF]) {
            // SAFETY: dup2(2) is safe between fork and exec. The child has this one thread, and whoever owned the numbers
            // that are taken has them in its parent: what is given stands above them.
            if unsafe { libc::dup2(from, to) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // It ends with whoever asked.
        Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
    };
    // SAFETY: the closure neither allocates nor takes a lock, and touches nothing but its own copy of three numbers.
    unsafe { command.pre_exec(place) };
}

fn service(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Session => "imap",
        Purpose::Submission { .. } => "smtp",
    }
}

/// What the program has said. `known`: it was asked without a password.
fn proof(status: ExitStatus, answer: &[u8], known: bool) -> Proof {
    let right = if known { 2 } else { 0 };
    let answer = std::str::from_utf8(answer);
    match (status.code(), answer) {
        (Some(1 | 3), _) => Proof::Wrong,
        (Some(code), Ok(answer)) if code == right && !answer.is_empty() => {
            let fields = answer.split('\t').filter(|field| !field.is_empty());
            let fields = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
            let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
            Proof::Known(fields.map(own).collect())
        }
        (Some(0), _) if known => {
            Proof::Unavailable("the program does not say what it knows without a password".into())
        }
        _ => Proof::Unavailable(format!("the program ended with {status}")),
    }
}

/// The program that is run where the password is right. Says what its environment holds: `USER`, `HOME`, and what `EXTRA`
/// names; and whom the program has become, where that is another than it was. The exit code is returned.
#[allow(unsafe_code, reason = "a descriptor is known by its number alone")]
pub fn reply() -> u8 {
    // Its environment has what the program says of the user, and may have the password.
    if privileges::hide().is_err() {
        return 111;
    }
    let text = |name: &str| env::var_os(name).map(OsString::into_string);
    let mut fields = Vec::new();
    for (name, field) in [("USER", "user"), ("HOME", "userdb_home")] {
        fields.extend(text(name).map(|value| (field.to_owned(), value)));
    }
    if let Some(Ok(names)) = text("EXTRA") {
        for name in names.split(' ').filter(|name| !name.is_empty()) {
            fields.extend(text(name).map(|value| (name.to_ascii_lowercase(), value)));
        }
    }
    let was = |name: &str| text(name)?.ok()?.parse::<u32>().ok();
    let is = [("userdb_uid", own_uid()), ("userdb_gid", own_gid())];
    for ((field, is), was) in is.into_iter().zip([was(STARTED_UID), was(STARTED_GID)]) {
        if Some(is) != was && fields.iter().all(|(known, _)| known != field) {
            fields.push((field.to_owned(), Ok(is.to_string())));
        }
    }
    let mut answer = String::new();
    for (field, value) in fields {
        match value {
            Ok(value) if !value.contains('\t') => answer += &format!("{field}={value}\t"),
            // What cannot be said must not be left out: it may be why somebody is kept out.
            _ => return 111,
        }
    }
    let authorized = text("AUTHORIZED") == Some(Ok("2".to_owned()));
    // SAFETY: nobody in this process owns the number; who is not given a descriptor there is told that it is none.
    let to = unsafe { BorrowedFd::borrow_raw(WRITES) };
    let written = to.try_clone_to_owned().map(File::from);
    match written.and_then(|mut to| to.write_all(answer.as_bytes())) {
        Ok(()) if authorized => 2,
        Ok(()) => 0,
        Err(_) => 111,
    }
}
