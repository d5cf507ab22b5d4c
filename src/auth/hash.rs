//! Password schemes: `{SCHEME}data`, as Dovecot's passwd-files have them.
//!
//! A [`Stored`] is such a text taken apart; [`Stored::verify`] computes the hash anew from a password
//! that was typed and compares in constant time. [`make`] writes new ones. What a user is and where
//! the text comes from is not known here. **Slow by intent**: call it from a thread that may block.

use std::fmt;
use std::fmt::Write as _;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, Mac};
use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{cram_md5, crypt};

/// What scheme a new hash has unless another is asked for.
pub const DEFAULT_SCHEME: &str = "CRYPT";

/// Rounds of a new SCRAM secret (RFC 7677 §4 asks for 4096 at least).
const SCRAM_ROUNDS: u32 = 4096;

/// Rounds of a new PBKDF2 hash.
const PBKDF2_ROUNDS: u32 = 5000;

/// The most rounds believed of a stored hash: some seconds of one core.
const MAX_ROUNDS: u32 = 10_000_000;

/// Cost of a new bcrypt hash: 2^10 rounds.
const BCRYPT_COST: u8 = 10;

/// Octets of salt behind a new salted digest.
const SALT: usize = 8;

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
            | Scheme::DesCrypt => verify_crypt(text()?, password).ok_or(malformed),
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
            Scheme::Ssha => verify_salted::<Sha1>(&self.raw, password).ok_or(malformed),
            Scheme::Ssha256 => verify_salted::<Sha256>(&self.raw, password).ok_or(malformed),
            Scheme::Ssha512 => verify_salted::<Sha512>(&self.raw, password).ok_or(malformed),
            Scheme::Smd5 => verify_salted::<Md5>(&self.raw, password).ok_or(malformed),
            Scheme::CramMd5 => Ok(equal(&self.raw, &cram_md5::states(password))),
            Scheme::DigestMd5 => Ok(equal(&self.raw, &digest_md5(user, password))),
            Scheme::ScramSha1 | Scheme::ScramSha256 => {
                verify_scram(self.scheme, text()?, password).ok_or(malformed)
            }
            Scheme::Pbkdf2 => verify_pbkdf2(text()?, password).ok_or(malformed),
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
        Scheme::Ssha => new_salted::<Sha1>(password).ok_or(unavailable)?,
        Scheme::Ssha256 => new_salted::<Sha256>(password).ok_or(unavailable)?,
        Scheme::Ssha512 => new_salted::<Sha512>(password).ok_or(unavailable)?,
        Scheme::Smd5 => new_salted::<Md5>(password).ok_or(unavailable)?,
        Scheme::CramMd5 => cram_md5::states(password).to_vec(),
        Scheme::DigestMd5 => {
            let user = user.ok_or(HashError::NeedsUser(name))?;
            digest_md5(user, password).to_vec()
        }
        Scheme::ScramSha1 | Scheme::ScramSha256 => {
            let salt = random::<16>().ok_or(unavailable)?;
            let (stored, server) = scram_keys(scheme, password, &salt, SCRAM_ROUNDS);
            let encode = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
            let (salt, stored, server) = (encode(&salt), encode(&stored), encode(&server));
            format!("{SCRAM_ROUNDS},{salt},{stored},{server}").into_bytes()
        }
        Scheme::Pbkdf2 => {
            let salt = hex(&random::<8>().ok_or(unavailable)?);
            let hash = pbkdf2_sha1(password, salt.as_bytes(), PBKDF2_ROUNDS);
            format!("$1${salt}${PBKDF2_ROUNDS}${}", hex(&hash)).into_bytes()
        }
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

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    let got = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
    (got == Ok(N)).then_some(bytes)
}

/// `None`: libcrypt cannot do anything with the hash. A password that libcrypt does not take at all
/// is only a wrong one.
fn verify_crypt(hash: &str, password: &[u8]) -> Option<bool> {
    match crypt::crypt(password, hash) {
        Some(computed) => Some(equal(computed.as_bytes(), hash.as_bytes())),
        None => crypt::crypt(b"", hash).map(|_| false),
    }
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

/// `None`: shorter than the digest.
fn verify_salted<D: Digest>(raw: &[u8], password: &[u8]) -> Option<bool> {
    let (digest, salt) = raw.split_at_checked(<D as Digest>::output_size())?;
    let computed = D::new()
        .chain_update(password)
        .chain_update(salt)
        .finalize();
    Some(equal(digest, &computed))
}

fn new_salted<D: Digest>(password: &[u8]) -> Option<Vec<u8>> {
    let salt = random::<SALT>()?;
    let digest = D::new()
        .chain_update(password)
        .chain_update(salt)
        .finalize();
    Some([digest.as_slice(), &salt].concat())
}

/// `H(user:realm:password)`; the realm is the domain of the user name.
fn digest_md5(user: &str, password: &[u8]) -> [u8; 16] {
    let (local, realm) = user.split_once('@').unwrap_or((user, ""));
    Md5::new()
        .chain_update(local)
        .chain_update(":")
        .chain_update(realm)
        .chain_update(":")
        .chain_update(password)
        .finalize()
        .into()
}

/// StoredKey and ServerKey of RFC 5802 §3. The password goes in as it was typed: SASLprep would
/// change some that were hashed without it.
fn scram_keys(scheme: Scheme, password: &[u8], salt: &[u8], rounds: u32) -> (Vec<u8>, Vec<u8>) {
    if scheme == Scheme::ScramSha1 {
        let salted = Zeroizing::new(pbkdf2_sha1(password, salt, rounds));
        let client = mac::<Hmac<Sha1>>(&salted[..], b"Client Key");
        let server = mac::<Hmac<Sha1>>(&salted[..], b"Server Key");
        return (Sha1::digest(client).to_vec(), server);
    }
    let mut salted = Zeroizing::new([0u8; 32]);
    // Fails only for an output of a length that HMAC cannot have.
    let _ = pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, rounds, &mut salted[..]);
    let client = mac::<Hmac<Sha256>>(&salted[..], b"Client Key");
    let server = mac::<Hmac<Sha256>>(&salted[..], b"Server Key");
    (Sha256::digest(client).to_vec(), server)
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    match <M as Mac>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
        Err(_) => Vec::new(),
    }
}

fn pbkdf2_sha1(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 20] {
    let mut out = [0u8; 20];
    // Fails only for an output of a length that HMAC cannot have.
    let _ = pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, rounds, &mut out);
    out
}

/// A number of rounds as a stored hash gives it.
fn rounds(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|rounds| (1..=MAX_ROUNDS).contains(rounds))
}

/// `rounds,salt,StoredKey,ServerKey`, the last three in base64.
fn verify_scram(scheme: Scheme, text: &str, password: &[u8]) -> Option<bool> {
    let mut fields = text.split(',');
    let rounds = rounds(fields.next()?)?;
    let mut decoded = || base64_simd::STANDARD.decode_to_vec(fields.next()?).ok();
    let (salt, stored, server) = (decoded()?, decoded()?, decoded()?);
    let (computed, _) = scram_keys(scheme, password, &salt, rounds);
    if fields.next().is_some() || stored.len() != computed.len() || server.len() != stored.len() {
        return None;
    }
    Some(equal(&stored, &computed))
}

/// `$1$salt$rounds$hash`, the hash of 20 octets in hexadecimal, the salt taken as text.
fn verify_pbkdf2(text: &str, password: &[u8]) -> Option<bool> {
    let mut fields = text.strip_prefix("$1$")?.split('$');
    let salt = fields.next()?;
    let rounds = rounds(fields.next()?)?;
    let hash = unhex(fields.next()?).filter(|hash| hash.len() == 20)?;
    if fields.next().is_some() {
        return None;
    }
    Some(equal(
        &hash,
        &pbkdf2_sha1(password, salt.as_bytes(), rounds),
    ))
}

#[cfg(test)]
mod tests;
