//! What a client of SCRAM is asked for that names nobody: the same each time, and no other than what users are asked for,
//! so that it does not tell who exists.

use std::fs;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::digest::random;
use super::hash::Stored;
use super::scram_keys::{Hash, Keys, ROUNDS, SALT};
use super::source::Means;

/// What is the host's own and lasts; nobody elsewhere is told it (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";

/// Salts that last as long as the host does; those of users whose password is stored in clear, too.
pub(super) struct Pretence {
    key: [u8; 32],
}

impl Pretence {
    /// Reads what lasts. Where there is no such thing, salts last as long as the process.
    pub fn new() -> Pretence {
        let id = fs::read(MACHINE_ID).ok().filter(|id| id.len() >= 32);
        let key = match id {
            Some(id) => mac(&id, &[b"salts of SCRAM"]),
            None => random().unwrap_or_default(),
        };
        Pretence { key }
    }

    /// A salt for this name.
    pub fn salt(&self, user: &str) -> [u8; SALT] {
        let mut salt = [0; SALT];
        for (to, from) in salt
            .iter_mut()
            .zip(mac(&self.key, &[b"salt", user.as_bytes()]))
        {
            *to = from;
        }
        salt
    }

    /// Keys that no password has, made as long as those of `known` take.
    pub fn keys(&self, hash: Hash, known: Option<&Stored>, user: &str, means: &Means) -> Keys {
        let salt = self.salt(user);
        // In as many rounds as the others, and of as much salt.
        let model = known.and_then(|known| means.hash(|| known.scram(hash, &salt)).ok()?);
        let (rounds, length) = match &model {
            Some(keys) => (keys.rounds, keys.salt.len()),
            None => (ROUNDS, SALT),
        };
        let longer = mac(&self.key, &[b"more salt", user.as_bytes()]);
        let salt = salt.iter().chain(&longer).cycle().take(length);
        let secret = mac(&self.key, &[b"key", user.as_bytes()]);
        Keys {
            rounds,
            salt: salt.copied().collect(),
            stored: hash.mac(&self.key, &secret),
            server: hash.mac(&secret, &self.key),
        }
    }
}

/// Parts of different number or length never give the same.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
