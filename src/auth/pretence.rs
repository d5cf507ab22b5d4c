//! What a client of SCRAM is asked for that names nobody: the same each time, and no other than what users are asked for,
//! so that it does not tell who exists.

use std::fs;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::digest::random;
use super::hash::Stored;
use super::scram_keys::{Hash, Keys, ROUNDS, SALT};
use super::turns::Turns;

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

    /// A salt for this name. Another for each hash, for so it is with users whose keys are stored.
    pub fn salt(&self, hash: Hash, user: &str) -> [u8; SALT] {
        let whole = self.mac(b"salt", hash, user);
        let mut salt = [0; SALT];
        for (to, from) in salt.iter_mut().zip(whole) {
            *to = from;
        }
        salt
    }

    /// Keys that no password has, made in the time that it takes with `model`.
    pub fn keys(&self, hash: Hash, model: Option<&Stored>, user: &str, turns: &Turns) -> Keys {
        let salt = self.salt(hash, user);
        // In as many rounds as the others, and of as much salt.
        let model = model.and_then(|model| turns.hash(|| model.scram(hash, &salt)).ok()?);
        let (rounds, length) = match &model {
            Some(keys) => (keys.rounds, keys.salt.len()),
            None => (ROUNDS, SALT),
        };
        let longer = self.mac(b"more salt", hash, user);
        let salt = salt.iter().chain(&longer).cycle().take(length);
        let secret = self.mac(b"key", hash, user);
        Keys {
            rounds,
            salt: salt.copied().collect(),
            stored: hash.mac(&self.key, &secret),
            server: hash.mac(&secret, &self.key),
        }
    }

    fn mac(&self, what: &[u8], hash: Hash, user: &str) -> [u8; 32] {
        let hash: &[u8] = match hash {
            Hash::Sha1 => b"SHA-1",
            Hash::Sha256 => b"SHA-256",
        };
        mac(&self.key, &[what, hash, user.as_bytes()])
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
