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

/// How many users' passwords are remembered.
const USERS: usize = 8192;

/// How many of one user: with some sources each address counts as one. Whoever has an account makes no other's forgotten.
const OF_ONE: usize = 16;

/// One remembered password, as a digest that nobody without the key can make.
type Digest = [u8; 32];

/// The table.
pub struct Verified {
    /// How long a password is remembered; 0: not at all.
    time: Duration,
    /// Random, new in each process; `None`: there is no randomness, and nothing is remembered.
    key: Option<[u8; 32]>,
    /// By user.
    entries: Mutex<HashMap<String, Vec<One>>>,
}

/// One password of a user.
struct One {
    digest: Digest,
    ends: Instant,
    /// What was said of the user.
    entry: Entry,
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
        let mut own = entries.get(user)?.iter();
        let found = own.find(|one| one.digest == digest && now < one.ends);
        found.map(|one| one.entry.clone())
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
        if entries.len() >= USERS && !entries.contains_key(user) {
            entries.retain(|_, own| own.iter().any(|one| now < one.ends));
            if entries.len() >= USERS {
                entries.clear();
            }
        }
        let own = entries.entry(user.to_owned()).or_default();
        own.retain(|one| now < one.ends && one.digest != digest);
        if own.len() >= OF_ONE {
            own.remove(0);
        }
        own.push(One {
            digest,
            ends: now + self.time,
            entry,
        });
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
        for number in 0..2 * USERS {
            let user = number.to_string();
            verified.insert((&user, "{X}1", b"pw"), Entry::default(), now);
        }
        assert!(verified.entries.lock().unwrap().len() <= USERS);
    }

    #[test]
    fn one_user_makes_no_other_forgotten() {
        let verified = Verified::new(Duration::from_secs(60));
        let now = Instant::now();
        verified.insert(("bob", "{X}1", b"pw"), Entry::default(), now);
        for number in 0..2 * USERS {
            let place = number.to_string();
            verified.insert(("ann", &place, b"pw"), Entry::default(), now);
        }
        assert!(verified.find("bob", "{X}1", b"pw", now).is_some());
        let last = (2 * USERS - 1).to_string();
        assert!(verified.find("ann", &last, b"pw", now).is_some());
        assert!(verified.find("ann", "0", b"pw", now).is_none());
        assert_eq!(verified.entries.lock().unwrap()["ann"].len(), OF_ONE);
    }
}
