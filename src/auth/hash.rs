//! Password schemes: `{SCHEME}data`, as Dovecot's passwd-files have them.
//!
//! A [`Stored`] is such a text taken apart; [`Stored::verify`] computes the hash anew from a password
//! that was typed and compares in constant time. [`make`] writes new ones. What a user is and where
//! the text comes from is not known here. **Slow by intent**: call it from a thread that may block.

use std::fmt;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::digest::{self, equal, hex, random, unhex};
use super::scram_keys::{Hash, Keys, ROUNDS, prepared};
use super::{cram_md5, crypt};

/// Cost of a new bcrypt hash: 2^10 rounds.
const BCRYPT_COST: u8 = 10;

/// What scheme a new hash has unless another is asked for.
pub const DEFAULT_SCHEME: &str = "CRYPT";

/// Nobody's: hashed in vain where there is no hash to try, so that time does not tell who exists.
pub const DUMMY: &str =
    "{CRYPT}$y$j9T$3Y3l7QzWbkhrhcVIC5aJ81$7XnUnMJmHQkYqP0vSH5JYmQZBsMzZ2eYmQyqJvTz0dC";

/// The shortest hash of crypt(3), in octets: the oldest kind.
const SHORTEST_CRYPT: usize = 13;

/// Why a password cannot be compared with what is stored, or hashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The scheme depends on the user's name, which is not known.
    #[error("scheme {0} depends on the user name")]
    NeedsUser(&'static str),
    /// The data is not what the scheme's data looks like.
    #[error("not a valid {0} hash")]
    Malformed(&'static str),
    /// The system has no randomness, or its libcrypt does not know the method.
    #[error("this system cannot make {0} hashes")]
    Unavailable(&'static str),
    /// There is no such scheme, or not here.
    #[error("unknown password scheme {0:?}; known are {known}", known = names().join(", "))]
    UnknownScheme(String),
}

/// How a password is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The password itself.
    Plain,
    /// Any method of crypt(3).
    Crypt,
    /// crypt(3) with `$2y$`.
    BlfCrypt,
    /// crypt(3) with `$5$`.
    Sha256Crypt,
    /// crypt(3) with `$6$`.
    Sha512Crypt,
    /// crypt(3) with `$1$`; or, by habit, a [`Scheme::PlainMd5`].
    Md5Crypt,
    /// crypt(3), the oldest.
    DesCrypt,
    /// RFC 9106, Argon2i.
    Argon2i,
    /// RFC 9106, Argon2id.
    Argon2id,
    /// SHA-1 of the password.
    Sha1,
    /// SHA-256 of the password.
    Sha256,
    /// SHA-512 of the password.
    Sha512,
    /// SHA-1 of password and salt, then the salt.
    Ssha,
    /// SHA-256 of password and salt, then the salt.
    Ssha256,
    /// SHA-512 of password and salt, then the salt.
    Ssha512,
    /// MD5 of password and salt, then the salt.
    Smd5,
    /// MD5 of the password, in hexadecimal.
    PlainMd5,
    /// MD5 of the password, in base64.
    LdapMd5,
    /// MD4 of the password.
    PlainMd4,
    /// The states of HMAC-MD5.
    CramMd5,
    /// MD5 of user, realm and password (RFC 2831 §2.1.2.1).
    DigestMd5,
    /// RFC 5802's keys, with SHA-1.
    ScramSha1,
    /// RFC 7677's keys, with SHA-256.
    ScramSha256,
    /// PBKDF2 with HMAC-SHA-1, in Dovecot's own form.
    Pbkdf2,
}

/// How a scheme's data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// As it is.
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// Name, scheme, usual encoding, and the length of the raw data where it is fixed. The first name of
/// a scheme is the one written.
const SCHEMES: &[(&str, Scheme, Encoding, Option<usize>)] = &[
    ("ARGON2ID", Scheme::Argon2id, Encoding::Text, None),
    ("ARGON2I", Scheme::Argon2i, Encoding::Text, None),
    ("BLF-CRYPT", Scheme::BlfCrypt, Encoding::Text, None),
    ("CRAM-MD5", Scheme::CramMd5, Encoding::Hex, Some(32)),
    ("HMAC-MD5", Scheme::CramMd5, Encoding::Hex, Some(32)),
    ("CRYPT", Scheme::Crypt, Encoding::Text, None),
    ("DES-CRYPT", Scheme::DesCrypt, Encoding::Text, None),
    ("DIGEST-MD5", Scheme::DigestMd5, Encoding::Hex, Some(16)),
    ("LDAP-MD5", Scheme::LdapMd5, Encoding::Base64, Some(16)),
    ("MD5-CRYPT", Scheme::Md5Crypt, Encoding::Text, None),
    ("MD5", Scheme::Md5Crypt, Encoding::Text, None),
    ("PBKDF2", Scheme::Pbkdf2, Encoding::Text, None),
    ("PLAIN", Scheme::Plain, Encoding::Text, None),
    ("CLEAR", Scheme::Plain, Encoding::Text, None),
    ("CLEARTEXT", Scheme::Plain, Encoding::Text, None),
    ("PLAIN-MD4", Scheme::PlainMd4, Encoding::Hex, Some(16)),
    ("PLAIN-MD5", Scheme::PlainMd5, Encoding::Hex, Some(16)),
    ("SCRAM-SHA-1", Scheme::ScramSha1, Encoding::Text, None),
    ("SCRAM-SHA-256", Scheme::ScramSha256, Encoding::Text, None),
    ("SHA", Scheme::Sha1, Encoding::Base64, Some(20)),
    ("SHA1", Scheme::Sha1, Encoding::Base64, Some(20)),
    ("SHA256", Scheme::Sha256, Encoding::Base64, Some(32)),
    ("SHA256-CRYPT", Scheme::Sha256Crypt, Encoding::Text, None),
    ("SHA512", Scheme::Sha512, Encoding::Base64, Some(64)),
    ("SHA512-CRYPT", Scheme::Sha512Crypt, Encoding::Text, None),
    ("SMD5", Scheme::Smd5, Encoding::Base64, None),
    ("SSHA", Scheme::Ssha, Encoding::Base64, None),
    ("SSHA256", Scheme::Ssha256, Encoding::Base64, None),
    ("SSHA512", Scheme::Ssha512, Encoding::Base64, None),
];

/// The name of every scheme, aliases included.
pub fn names() -> Vec<&'static str> {
    SCHEMES.iter().map(|(name, ..)| *name).collect()
}

impl Scheme {
    /// The scheme of this name; upper and lower case are the same.
    ///
    /// # Errors
    ///
    /// [`HashError::UnknownScheme`].
    pub fn named(name: &str) -> Result<Scheme, HashError> {
        SCHEMES
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name))
            .map(|(_, scheme, ..)| *scheme)
            .ok_or_else(|| HashError::UnknownScheme(name.to_owned()))
    }

    /// Its name, usual encoding and fixed length.
    fn row(self) -> (&'static str, Encoding, Option<usize>) {
        SCHEMES
            .iter()
            .find(|(_, scheme, ..)| *scheme == self)
            .map_or(("?", Encoding::Text, None), |(name, _, encoding, len)| {
                (*name, *encoding, *len)
            })
    }

    fn name(self) -> &'static str {
        self.row().0
    }
}

/// What is stored in place of a password, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    scheme: Scheme,
    /// The data out of its encoding.
    raw: Zeroizing<Vec<u8>>,
}

impl Stored {
    /// Takes `{SCHEME}data` or `{SCHEME.ENCODING}data` apart; `default` is the scheme of data alone.
    ///
    /// # Errors
    ///
    /// [`HashError::UnknownScheme`] and [`HashError::Malformed`].
    pub fn parse(text: &str, default: Scheme) -> Result<Stored, HashError> {
        let prefixed = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (label, data) = match prefixed {
            Some((label, data)) => (Some(label), data),
            None => (None, text),
        };
        let (scheme, explicit) = match label {
            None => (default, None),
            Some(label) => {
                let (name, encoding) = match label.split_once('.') {
                    Some((name, encoding)) => (name, Some(encoding)),
                    None => (label, None),
                };
                let encoding = match encoding.map(str::to_ascii_lowercase).as_deref() {
                    None => None,
                    Some("hex") => Some(Encoding::Hex),
                    Some("b64" | "base64") => Some(Encoding::Base64),
                    Some(_) => return Err(HashError::UnknownScheme(label.to_owned())),
                };
                (Scheme::named(name)?, encoding)
            }
        };
        let (name, usual, len) = scheme.row();
        let raw = decode(data, explicit, usual, len).ok_or(HashError::Malformed(name))?;
        if len.is_some_and(|len| len != raw.len()) {
            return Err(HashError::Malformed(name));
        }
        Ok(Stored {
            scheme,
            raw: Zeroizing::new(raw),
        })
    }

    /// The password itself.
    pub fn plain(password: &[u8]) -> Stored {
        Stored {
            scheme: Scheme::Plain,
            raw: Zeroizing::new(password.to_vec()),
        }
    }

    /// Whether `password` is the one; `user` is the name it is stored for.
    ///
    /// # Errors
    ///
    /// [`HashError::Malformed`]: the stored data cannot be compared with anything.
    pub fn verify(&self, user: &str, password: &[u8]) -> Result<bool, HashError> {
        // HMAC pads its key with NULs, crypt(3) ends at one: no password holds any (RFC 4616 §2).
        if password.contains(&0) {
            return Ok(false);
        }
        let malformed = HashError::Malformed(self.scheme.name());
        let text = || std::str::from_utf8(&self.raw).map_err(|_| malformed.clone());
        match self.scheme {
            Scheme::Plain => Ok(equal(&self.raw, password)),
            Scheme::Md5Crypt if !self.raw.starts_with(b"$1$") => {
                Stored::parse(text()?, Scheme::PlainMd5)
                    .map_err(|_| malformed)?
                    .verify(user, password)
            }
            Scheme::Crypt
            | Scheme::BlfCrypt
            | Scheme::Sha256Crypt
            | Scheme::Sha512Crypt
            | Scheme::Md5Crypt
            | Scheme::DesCrypt => digest::verify_crypt(text()?, password).ok_or(malformed),
            Scheme::Argon2i | Scheme::Argon2id => {
                let hash = PasswordHash::new(text()?).map_err(|_| malformed.clone())?;
                if hash.hash.is_none() {
                    return Err(malformed);
                }
                match Argon2::default().verify_password(password, &hash) {
                    Ok(()) => Ok(true),
                    Err(argon2::password_hash::Error::Password) => Ok(false),
                    Err(_) => Err(malformed),
                }
            }
            Scheme::Sha1 => Ok(equal(&self.raw, &Sha1::digest(password))),
            Scheme::Sha256 => Ok(equal(&self.raw, &Sha256::digest(password))),
            Scheme::Sha512 => Ok(equal(&self.raw, &Sha512::digest(password))),
            Scheme::PlainMd5 | Scheme::LdapMd5 => Ok(equal(&self.raw, &Md5::digest(password))),
            Scheme::PlainMd4 => Ok(equal(&self.raw, &Md4::digest(password))),
            Scheme::Ssha => digest::verify_salted::<Sha1>(&self.raw, password).ok_or(malformed),
            Scheme::Ssha256 => {
                digest::verify_salted::<Sha256>(&self.raw, password).ok_or(malformed)
            }
            Scheme::Ssha512 => {
                digest::verify_salted::<Sha512>(&self.raw, password).ok_or(malformed)
            }
            Scheme::Smd5 => digest::verify_salted::<Md5>(&self.raw, password).ok_or(malformed),
            Scheme::CramMd5 => Ok(equal(&self.raw, &cram_md5::states(password))),
            Scheme::DigestMd5 => Ok(equal(&self.raw, &digest::digest_md5(user, password))),
            Scheme::ScramSha1 => verify_scram(Hash::Sha1, text()?, password).ok_or(malformed),
            Scheme::ScramSha256 => verify_scram(Hash::Sha256, text()?, password).ok_or(malformed),
            Scheme::Pbkdf2 => digest::verify_pbkdf2(text()?, password).ok_or(malformed),
        }
    }

    /// Whether it is what stands in place of a hash of crypt(3) where no password shall be right: `!` or `*` before
    /// anything, or what is shorter than any hash.
    pub fn is_locked(&self) -> bool {
        let is_crypt = matches!(
            self.scheme,
            Scheme::Crypt
                | Scheme::BlfCrypt
                | Scheme::Sha256Crypt
                | Scheme::Sha512Crypt
                | Scheme::Md5Crypt
                | Scheme::DesCrypt
        );
        let is_marked = matches!(self.raw.first(), None | Some(b'!' | b'*'));
        is_crypt && (is_marked || self.raw.len() < SHORTEST_CRYPT)
    }

    /// Whether [`Stored::scram`] gives keys.
    pub fn gives_scram(&self, hash: Hash) -> bool {
        matches!(
            (self.scheme, hash),
            (Scheme::Plain, _)
                | (Scheme::ScramSha1, Hash::Sha1)
                | (Scheme::ScramSha256, Hash::Sha256)
        )
    }

    /// The keys for SCRAM; `None`: what is stored does not give any. Of a password in clear they are made, with `salt`.
    ///
    /// # Errors
    ///
    /// [`HashError::Malformed`].
    pub fn scram(&self, hash: Hash, salt: &[u8]) -> Result<Option<Keys>, HashError> {
        match (self.scheme, hash) {
            (Scheme::Plain, _) => {
                let password = prepared(&self.raw);
                Ok(Some(Keys::of(hash, &password, salt, ROUNDS)))
            }
            (Scheme::ScramSha1, Hash::Sha1) | (Scheme::ScramSha256, Hash::Sha256) => {
                let text = std::str::from_utf8(&self.raw).ok();
                let keys = text.and_then(|text| Keys::parse(hash, text));
                keys.map(Some)
                    .ok_or(HashError::Malformed(self.scheme.name()))
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({}, …)", self.scheme.name())
    }
}

/// Hashes a new password: `{SCHEME}data`.
///
/// # Errors
///
/// [`HashError::NeedsUser`] for DIGEST-MD5 without a user, [`HashError::Unavailable`], and
/// [`HashError::Malformed`] for a password that crypt(3) cannot take: over 512 octets, or with a NUL.
pub fn make(scheme: Scheme, user: Option<&str>, password: &[u8]) -> Result<String, HashError> {
    let (name, encoding, _) = scheme.row();
    let unavailable = HashError::Unavailable(name);
    let raw: Vec<u8> = match scheme {
        Scheme::Plain => password.to_vec(),
        Scheme::Crypt => new_crypt(name, "$y$", 0, password)?,
        Scheme::BlfCrypt => new_crypt(name, "$2y$", BCRYPT_COST, password)?,
        Scheme::Sha256Crypt => new_crypt(name, "$5$", 0, password)?,
        Scheme::Sha512Crypt => new_crypt(name, "$6$", 0, password)?,
        Scheme::Md5Crypt => new_crypt(name, "$1$", 0, password)?,
        Scheme::DesCrypt => new_crypt(name, "", 0, password)?,
        Scheme::Argon2i | Scheme::Argon2id => {
            let algorithm = match scheme {
                Scheme::Argon2i => Algorithm::Argon2i,
                _ => Algorithm::Argon2id,
            };
            // 64 MiB, three passes, one lane: RFC 9106 §4, second recommendation, for one core.
            let params = Params::new(65_536, 3, 1, None).map_err(|_| unavailable.clone())?;
            let salt = SaltString::encode_b64(&random::<16>().ok_or(unavailable.clone())?)
                .map_err(|_| unavailable.clone())?;
            Argon2::new(algorithm, Version::V0x13, params)
                .hash_password(password, &salt)
                .map_err(|_| unavailable)?
                .to_string()
                .into_bytes()
        }
        Scheme::Sha1 => Sha1::digest(password).to_vec(),
        Scheme::Sha256 => Sha256::digest(password).to_vec(),
        Scheme::Sha512 => Sha512::digest(password).to_vec(),
        Scheme::PlainMd5 | Scheme::LdapMd5 => Md5::digest(password).to_vec(),
        Scheme::PlainMd4 => Md4::digest(password).to_vec(),
        Scheme::Ssha => digest::new_salted::<Sha1>(password).ok_or(unavailable)?,
        Scheme::Ssha256 => digest::new_salted::<Sha256>(password).ok_or(unavailable)?,
        Scheme::Ssha512 => digest::new_salted::<Sha512>(password).ok_or(unavailable)?,
        Scheme::Smd5 => digest::new_salted::<Md5>(password).ok_or(unavailable)?,
        Scheme::CramMd5 => cram_md5::states(password).to_vec(),
        Scheme::DigestMd5 => {
            let user = user.ok_or(HashError::NeedsUser(name))?;
            digest::digest_md5(user, password).to_vec()
        }
        Scheme::ScramSha1 => new_scram(Hash::Sha1, password).ok_or(unavailable)?,
        Scheme::ScramSha256 => new_scram(Hash::Sha256, password).ok_or(unavailable)?,
        Scheme::Pbkdf2 => digest::new_pbkdf2(password).ok_or(unavailable)?,
    };
    let data = match encoding {
        Encoding::Text => String::from_utf8(raw).map_err(|_| HashError::Malformed(name))?,
        Encoding::Hex => hex(&raw),
        Encoding::Base64 => base64_simd::STANDARD.encode_to_string(&raw),
    };
    Ok(format!("{{{name}}}{data}"))
}

/// The data out of its encoding. Where none is named and the length is fixed, twice that length is
/// hexadecimal and everything else base64, which hexadecimal that does not decode may be too.
fn decode(
    data: &str,
    explicit: Option<Encoding>,
    usual: Encoding,
    len: Option<usize>,
) -> Option<Vec<u8>> {
    let base64 = || base64_simd::forgiving_decode_to_vec(data.as_bytes()).ok();
    let encoding = match (explicit, len) {
        (Some(encoding), _) => encoding,
        (None, Some(len)) if data.len() == 2 * len => return unhex(data).or_else(base64),
        (None, Some(_)) => Encoding::Base64,
        (None, None) => usual,
    };
    match encoding {
        Encoding::Text => Some(data.as_bytes().to_vec()),
        Encoding::Hex => unhex(data),
        Encoding::Base64 => base64(),
    }
}

fn verify_scram(hash: Hash, text: &str, password: &[u8]) -> Option<bool> {
    Keys::parse(hash, text).map(|keys| keys.are_of(hash, password))
}

fn new_scram(hash: Hash, password: &[u8]) -> Option<Vec<u8>> {
    Keys::new_text(hash, password).map(String::into_bytes)
}

fn new_crypt(
    name: &'static str,
    prefix: &str,
    cost: u8,
    password: &[u8],
) -> Result<Vec<u8>, HashError> {
    let setting = crypt::new_setting(prefix, cost).ok_or(HashError::Unavailable(name))?;
    let hash = crypt::crypt(password, &setting).ok_or(HashError::Malformed(name))?;
    Ok(hash.into_bytes())
}

#[cfg(test)]
mod tests;
