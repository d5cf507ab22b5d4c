//! `culver password hash` and `culver password verify`.
//!
//! The password is never an argument, where others on the host would see it: it is typed without
//! echo, or is the first line of standard input.

use std::io::{self, BufRead, Write};

use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::{Failure, print};
use crate::auth::hash::{self, HashError, Scheme, Stored};

/// The longest password that is read, in octets.
const MAX_PASSWORD: usize = 4096;

/// What Ctrl-C sends.
const INTERRUPT: u8 = 0x03;

pub(super) fn hash(scheme: &str, user: Option<&str>) -> Result<(), Failure> {
    let scheme = Scheme::named(scheme).map_err(usage)?;
    let password = read(true)?;
    if password.is_empty() {
        return Err(Failure::Failed("the password is empty".to_owned()));
    }
    let hash = hash::make(scheme, user, &password).map_err(|error| match error {
        HashError::Malformed(name) => Failure::Failed(format!("{name} cannot hash this password")),
        HashError::NeedsUser(_) => Failure::Usage(format!("{error}: name it with --user")),
        error => Failure::Failed(error.to_string()),
    })?;
    print(&format!("{hash}\n"))
}

pub(super) fn verify(hash: &str, user: Option<&str>) -> Result<(), Failure> {
    let stored = Stored::parse(hash, Scheme::Crypt).map_err(usage)?;
    let password = read(false)?;
    if stored
        .verify(user.unwrap_or(""), &password)
        .map_err(usage)?
    {
        return print("matches\n");
    }
    print("does not match\n")?;
    Err(Failure::Said)
}

fn usage(error: HashError) -> Failure {
    Failure::Usage(error.to_string())
}

/// Reads the password; from a terminal twice if `twice`.
pub(super) fn read(twice: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let stdin = io::stdin();
    if !isatty(&stdin) {
        return first_line(stdin.lock());
    }
    let password = typed("Password: ")?;
    if twice && typed("Once more: ")? != password {
        return Err(Failure::Failed("the two are not the same".to_owned()));
    }
    Ok(password)
}

fn first_line(input: impl BufRead) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD + 2));
    input
        .take(MAX_PASSWORD as u64 + 2)
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::Failed(format!("standard input: {error}")))?;
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    if line.len() > MAX_PASSWORD {
        return Err(too_long());
    }
    Ok(line)
}

/// Asks at the terminal on standard input.
fn typed(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let terminal = |error: io::Error| Failure::Failed(format!("terminal: {error}"));
    let silence = Silence::begin().map_err(|errno| terminal(errno.into()))?;
    let mut err = io::stderr().lock();
    // A prompt that cannot be shown does not keep the password from being typed.
    let _ = write!(err, "{prompt}").and_then(|()| err.flush());
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD + 1));
    let mut byte = Zeroizing::new([0u8; 1]);
    let end = loop {
        // Octet by octet, so that nothing of it stays in a buffer of the library's.
        match rustix::io::read(io::stdin(), &mut byte[..]) {
            Ok(0) => break None,
            Ok(_) if byte[0] == b'\n' || byte[0] == INTERRUPT => break Some(byte[0]),
            Ok(_) if line.len() < MAX_PASSWORD => line.push(byte[0]),
            Ok(_) => return Err(too_long()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(terminal(errno.into())),
        }
    };
    let _ = writeln!(err);
    drop(silence);
    match end {
        Some(INTERRUPT) => Err(Failure::Failed("interrupted".to_owned())),
        _ => Ok(line),
    }
}

fn too_long() -> Failure {
    Failure::Failed(format!("longer than {MAX_PASSWORD} octets"))
}

/// While it lives the terminal does not show what is typed. Ctrl-C ends the line in place of the
/// program, which could not turn the echo on again.
struct Silence {
    before: Termios,
}

impl Silence {
    fn begin() -> rustix::io::Result<Silence> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Silence { before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // If the terminal is gone, its echo is nobody's any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        let line = |input: &[u8]| first_line(input).map(|line| line.to_vec()).ok();
        assert_eq!(line(b"secret\nmore\n"), Some(b"secret".to_vec()));
        assert_eq!(line(b"secret"), Some(b"secret".to_vec()));
        assert_eq!(line(b" a b \r\n"), Some(b" a b ".to_vec()));
        assert_eq!(line(b""), Some(Vec::new()));
        assert_eq!(line(&[b'x'; MAX_PASSWORD + 1]), None);
        assert_eq!(line(&[b'x'; 100_000]), None);
    }
}
