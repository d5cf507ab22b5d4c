//! The beginning of every process that master starts: it hears what it is.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use crate::process::ServeError;
use crate::process::link::{is_link, receive_alone};
use crate::process::message::Setup;
use crate::process::{auth, checkpassword, lmtp, login, nursery, proof, worker};

/// Does what master wants, to the end; or says what a program knows of a user, whose exit code is returned.
///
/// # Errors
///
/// Whatever keeps it from that; master hears of it by the exit code, the log by standard error.
pub fn run(name: &str) -> Result<u8, ServeError> {
    if name == "reply" {
        return Ok(checkpassword::reply());
    }
    by_master().map(|()| 0)
}

fn by_master() -> Result<(), ServeError> {
    let stdin = io::stdin();
    if !is_link(&stdin) {
        return Err(ServeError::Usage(
            "this command is the server's own: it is started by culver serve".to_owned(),
        ));
    }
    let doing = "hear what to do";
    let master = stdin.as_fd().try_clone_to_owned();
    let master = master.map_err(ServeError::system(doing))?;
    // What a library might read or close is not the link.
    let quiet = rustix::stdio::dup2_stdin(io::stderr());
    quiet.map_err(|error| ServeError::system(doing)(error.into()))?;
    let first = receive_alone(&master).map_err(ServeError::system(doing))?;
    let Some((setup, descriptors)) = first else {
        return Ok(());
    };
    // What a terminal sends goes to master alone, and nothing goes to the terminal.
    let _ = rustix::process::setsid();
    // Else all would be called by the name of the link they were started through.
    let name = match setup {
        Setup::Login(_) => c"culver-login",
        Setup::Auth(_) => c"culver-auth",
        Setup::Nursery(_) => c"culver-nursery",
        Setup::Proof(_) => c"culver-proof",
        Setup::Lmtp(_) => c"culver-lmtp",
    };
    call_it(name)?;
    match setup {
        Setup::Login(setup) => login::run(setup, master, descriptors),
        Setup::Auth(setup) => auth::run(setup, master),
        Setup::Nursery(setup) => match nursery::run(setup, master)? {
            Some(begun) => {
                call_it(c"culver-worker")?;
                worker::run(begun)
            }
            None => Ok(()),
        },
        Setup::Proof(setup) => proof::run(&setup, descriptors),
        Setup::Lmtp(setup) => lmtp::run(setup, master, descriptors),
    }
}

/// Names the process, for ps(1).
fn call_it(name: &CStr) -> Result<(), ServeError> {
    let named = rustix::thread::set_name(name);
    named.map_err(|error| ServeError::system("name the process")(error.into()))
}
