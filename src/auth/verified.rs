//! Passwords found right a short while ago, so that their slow hashes need not be computed for each
//! of a client's connections.
//!
//! What is kept is a keyed digest over the user, the stored hash and the password. So no entry can
//! serve another user, and one of a password that has been changed is never found again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::passwd_line::Entry;

/// How many passwords are remembered.
const MAX_ENTRIES: usize = 8192;

/// One remembered password, as a digest that nobody without the key can make.
type Digest = [u8; 32];

/// The table.
pub struct Verified {
    /// How long a password is remembered; 0: not at all.
    time: Duration,
    /// Random, new in each process; `None`: there is no randomness, and nothing is remembered.
    key: Option<[u8; 32]>,
    /// When each ends, and what was said of the user.
    entries: Mutex<HashMap<Digest, (Instant, Entry)>>,
}

impl Verified {
    /// An empty table whose entries last for `time`.
    pub fn new(time: Duration) -> Verified {
        let mut key = [0u8; 32];
        let got = rustix::rand::getrandom(&mut key[..], rustix::rand::GetRandomFlags::empty());
        Verified {
            time,
            key: (got == Ok(key.len())).then_some(key),
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// What was said when `password` was found right for `user` and this very `stored` hash; `None`: it was not.
    pub fn find(&self, user: &str, stored: &str, password: &[u8], now: Instant) -> Option<Entry> {
        let digest = self.digest(user, stored, password)?;
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(&digest).filter(|(ends, _)| now < *ends);
        found.map(|(_, entry)| entry.clone())
    }

    /// Remembers a password that was found right.
    pub fn insert(
        &self,
        (user, stored, password): (&str, &str, &[u8]),
        entry: Entry,
        now: Instant,
    ) {
        let Some(digest) = self.digest(user, stored, password) else {
            return;
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, (ends, _)| now < *ends);
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        entries.insert(digest, (now + self.time, entry));
    }

    fn digest(&self, user: &str, stored: &str, password: &[u8]) -> Option<Digest> {
        if self.time.is_zero() {
            return None;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_ref()?).ok()?;
        for field in [user.as_bytes(), stored.as_bytes(), password] {
            mac.update(&(field.len() as u64).to_le_bytes());
            mac.update(field);
        }
        Some(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_user_hash_and_password_are_found() {
        let verified = Verified::new(Duration::from_secs(60));
        let now = Instant::now();
        verified.insert(("ann", "{X}1", b"pw"), Entry::default(), now);
        assert!(verified.find("ann", "{X}1", b"pw", now).is_some());
        assert!(verified.find("bob", "{X}1", b"pw", now).is_none());
        assert!(verified.find("ann", "{X}2", b"pw", now).is_none());
        assert!(verified.find("ann", "{X}1", b"pW", now).is_none());
        assert!(verified.find("an", "n{X}1", b"pw", now).is_none());
        assert!(
            verified
                .find("ann", "{X}1", b"pw", now + Duration::from_secs(60))
                .is_none()
        );
    }

    #[test]
    fn nothing_is_kept_when_told_so() {
        let verified = Verified::new(Duration::ZERO);
        let now = Instant::now();
        verified.insert(("ann", "{X}1", b"pw"), Entry::default(), now);
        assert!(verified.find("ann", "{X}1", b"pw", now).is_none());
        assert!(verified.entries.lock().unwrap().is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let verified = Verified::new(Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..2 * MAX_ENTRIES {
            verified.insert(
                ("ann", "{X}1", &number.to_le_bytes()),
                Entry::default(),
                now,
            );
        }
        assert!(verified.entries.lock().unwrap().len() <= MAX_ENTRIES);
    }
}
