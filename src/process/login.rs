//! Who may log in: the session's question put to auth, and the password that is made where none was
//! given.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use tracing::{error, info};
use zeroize::Zeroizing;

use crate::auth::{Authenticator, Credentials, Verdict};
use crate::session::prelogin::Authenticate;

/// Characters of a password made here: those that look alike are left out, and none means anything
/// to a shell.
const PASSWORD_CHARACTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Characters in it, each of five bits: 100 bits.
const PASSWORD_LENGTH: usize = 20;

/// Characters of a failed login's name that the log keeps.
const NAME_MAX: usize = 64;

impl Authenticate for Authenticator {
    async fn check(&self, credentials: Credentials) -> Verdict {
        // A name goes to the log only as far as it can be one.
        let name = String::from_utf8_lossy(&credentials.user);
        let user: String = name.chars().take(NAME_MAX).collect();
        let peer = credentials.peer.clone();
        let verdict = Authenticator::check(self, credentials).await;
        match &verdict {
            Verdict::Granted(_) => {}
            Verdict::Denied => info!(user, peer, "login failed"),
            Verdict::Disabled(why) => info!(user, peer, "login refused: {why}"),
            Verdict::Unavailable => error!(user, peer, "a source of users cannot answer"),
        }
        verdict
    }
}

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
