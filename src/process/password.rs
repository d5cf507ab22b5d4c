//! The password that is made where none was given.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

/// Characters of a password made here: those that look alike are left out, and none means anything
/// to a shell.
const PASSWORD_CHARACTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Characters in it, each of five bits: 100 bits.
const PASSWORD_LENGTH: usize = 20;

/// A password that nobody can guess.
pub fn random_password() -> io::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0; PASSWORD_LENGTH]);
    // So few octets come whole, once the system has any (getrandom(2)).
    let filled = getrandom(&mut *random, GetRandomFlags::empty())?;
    if filled != PASSWORD_LENGTH {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // 32 characters divide 256, so each is as likely as the others.
    let characters = random
        .iter()
        .map(|byte| char::from(PASSWORD_CHARACTERS[usize::from(byte % 32)]));
    Ok(Zeroizing::new(characters.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ() {
        let (one, two) = (random_password().unwrap(), random_password().unwrap());
        assert_eq!(one.len(), PASSWORD_LENGTH);
        assert_ne!(one, two);
        assert!(one.bytes().all(|byte| PASSWORD_CHARACTERS.contains(&byte)));
    }
}
