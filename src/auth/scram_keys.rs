//! What a server keeps of a password for SCRAM (RFC 5802 §3): salt, rounds, and two keys, neither of which logs anybody
//! in. Dovecot's form of it, `rounds,salt,StoredKey,ServerKey`, is the data of the schemes SCRAM-SHA-1 and SCRAM-SHA-256.
//! **Slow by intent** where keys are made of a password. What clients and servers say is [`super::scram`]'s matter.

use std::borrow::Cow;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::digest::{self, equal};

/// Rounds of new keys (RFC 7677 §4 asks for 4096 at least).
pub const ROUNDS: u32 = 4096;

/// Octets of a new salt.
pub const SALT: usize = 16;

/// By which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hash {
    /// RFC 5802.
    Sha1,
    /// RFC 7677.
    Sha256,
}

impl Hash {
    /// `H(text)`.
    pub fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => Sha1::digest(text).to_vec(),
            Hash::Sha256 => Sha256::digest(text).to_vec(),
        }
    }

    /// `HMAC(key, text)`.
    pub fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => mac::<Hmac<Sha1>>(key, text),
            Hash::Sha256 => mac::<Hmac<Sha256>>(key, text),
        }
    }

    /// `Hi(password, salt, rounds)`.
    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> Zeroizing<Vec<u8>> {
        if self == Hash::Sha1 {
            return Zeroizing::new(digest::pbkdf2_sha1(password, salt, rounds).to_vec());
        }
        let mut salted = Zeroizing::new(vec![0u8; self.len()]);
        // Fails only for an output of a length that HMAC cannot have.
        let _ = pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, rounds, &mut salted);
        salted
    }

    /// Octets of a digest and of each key.
    pub fn len(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
        }
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    match <M as Mac>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
        Err(_) => Vec::new(),
    }
}

/// What is kept of one password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// How often the password is hashed, 1 at least.
    pub rounds: u32,
    /// With what.
    pub salt: Vec<u8>,
    /// By which a client's proof is known to be right.
    pub stored: Vec<u8>,
    /// By which the server proves that it has them.
    pub server: Vec<u8>,
}

impl Keys {
    /// Those of a password. It goes in as it is: see [`prepared`].
    pub fn of(hash: Hash, password: &[u8], salt: &[u8], rounds: u32) -> Keys {
        let salted = hash.salted(password, salt, rounds);
        let client = Zeroizing::new(hash.mac(&salted, b"Client Key"));
        Keys {
            rounds,
            salt: salt.to_vec(),
            stored: hash.digest(&client),
            server: hash.mac(&salted, b"Server Key"),
        }
    }

    /// `rounds,salt,StoredKey,ServerKey`, the last three in base64; `None`: it has not that form.
    pub fn parse(hash: Hash, text: &str) -> Option<Keys> {
        let mut fields = text.split(',');
        let rounds = digest::rounds(fields.next()?)?;
        let mut decoded = || base64_simd::STANDARD.decode_to_vec(fields.next()?).ok();
        let (salt, stored, server) = (decoded()?, decoded()?, decoded()?);
        let of_length = [&stored, &server].iter().all(|key| key.len() == hash.len());
        (fields.next().is_none() && of_length).then_some(Keys {
            rounds,
            salt,
            stored,
            server,
        })
    }

    /// New ones, as the schemes have them; `None`: the system has no randomness.
    pub fn new_text(hash: Hash, password: &[u8]) -> Option<String> {
        let salt = digest::random::<SALT>()?;
        let keys = Keys::of(hash, &prepared(password), &salt, ROUNDS);
        let encode = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
        let (salt, stored, server) = (encode(&salt), encode(&keys.stored), encode(&keys.server));
        Some(format!("{ROUNDS},{salt},{stored},{server}"))
    }

    /// Whether they are this password's. Dovecot makes keys of a password as it is typed, RFC 5802 of what SASLprep
    /// makes of it: for most it is the same, and either is right.
    pub fn are_of(&self, hash: Hash, password: &[u8]) -> bool {
        let same = |password: &[u8]| {
            equal(
                &self.stored,
                &Keys::of(hash, password, &self.salt, self.rounds).stored,
            )
        };
        let prepared = prepared(password);
        same(password) || (*prepared != *password && same(&prepared))
    }
}

/// A password as SASLprep (RFC 4013) has it; one that it forbids stays as it is, so that it can still be used.
pub fn prepared(password: &[u8]) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(password).ok();
    match text.and_then(|text| stringprep::saslprep(text).ok()) {
        Some(Cow::Owned(prepared)) => Cow::Owned(prepared.into_bytes()),
        _ => Cow::Borrowed(password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_the_password_prepared_or_not() {
        // RFC 4013 §3: the soft hyphen is mapped to nothing, the Roman numeral is IX.
        for (typed, other) in [("I\u{ad}X", "IX"), ("\u{2168}", "IX"), ("user", "user")] {
            assert_eq!(&*prepared(typed.as_bytes()), other.as_bytes());
            for hash in [Hash::Sha1, Hash::Sha256] {
                let raw = Keys::of(hash, typed.as_bytes(), b"salt", 2);
                assert!(raw.are_of(hash, typed.as_bytes()));
                let ready = Keys::of(hash, other.as_bytes(), b"salt", 2);
                assert!(ready.are_of(hash, typed.as_bytes()));
                assert!(!ready.are_of(hash, b"Ix"));
            }
        }
        // A forbidden character, and what is no text.
        assert_eq!(&*prepared("a\u{7}".as_bytes()), b"a\x07");
        assert_eq!(&*prepared(b"\xff"), b"\xff");
    }

    #[test]
    fn text_and_back() {
        let text = Keys::new_text(Hash::Sha256, b"secret").unwrap();
        let keys = Keys::parse(Hash::Sha256, &text).unwrap();
        assert!(keys.are_of(Hash::Sha256, b"secret") && !keys.are_of(Hash::Sha256, b"Secret"));
        assert_eq!(Keys::parse(Hash::Sha1, &text), None);
        assert_eq!(Keys::parse(Hash::Sha256, &format!("{text},x")), None);
        assert_eq!(Keys::parse(Hash::Sha256, "0,AAAA,AAAA,AAAA"), None);
    }
}
