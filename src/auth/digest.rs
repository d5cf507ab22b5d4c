//! What the password schemes compute: digests with and without salt, and keys from many rounds.
//!
//! Each function knows the form of one scheme's data and nothing of its name or encoding. Comparisons
//! are in constant time. `None` means that the data has not that form, or that the system lacks what
//! is needed to make new data.

use std::fmt::Write as _;

use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use subtle::ConstantTimeEq;

use super::crypt;

/// Rounds of a new PBKDF2 hash.
const PBKDF2_ROUNDS: u32 = 5000;

/// The most rounds believed of a stored hash: some seconds of one core.
const MAX_ROUNDS: u32 = 10_000_000;

/// Octets of salt behind a new salted digest.
const SALT: usize = 8;

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
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

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

pub(super) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    let got = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
    (got == Ok(N)).then_some(bytes)
}

/// `None`: libcrypt cannot do anything with the hash. A password that libcrypt does not take at all
/// is only a wrong one.
pub(super) fn verify_crypt(hash: &str, password: &[u8]) -> Option<bool> {
    match crypt::crypt(password, hash) {
        Some(computed) => Some(equal(computed.as_bytes(), hash.as_bytes())),
        None => crypt::crypt(b"", hash).map(|_| false),
    }
}

/// `None`: shorter than the digest.
pub(super) fn verify_salted<D: Digest>(raw: &[u8], password: &[u8]) -> Option<bool> {
    let (digest, salt) = raw.split_at_checked(<D as Digest>::output_size())?;
    let computed = D::new()
        .chain_update(password)
        .chain_update(salt)
        .finalize();
    Some(equal(digest, &computed))
}

pub(super) fn new_salted<D: Digest>(password: &[u8]) -> Option<Vec<u8>> {
    let salt = random::<SALT>()?;
    let digest = D::new()
        .chain_update(password)
        .chain_update(salt)
        .finalize();
    Some([digest.as_slice(), &salt].concat())
}

/// `H(user:realm:password)`; the realm is the domain of the user name.
pub(super) fn digest_md5(user: &str, password: &[u8]) -> [u8; 16] {
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

pub(super) fn pbkdf2_sha1(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 20] {
    let mut out = [0u8; 20];
    // Fails only for an output of a length that HMAC cannot have.
    let _ = pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, rounds, &mut out);
    out
}

/// A number of rounds as a stored hash gives it.
pub(super) fn rounds(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|rounds| (1..=MAX_ROUNDS).contains(rounds))
}

/// `$1$salt$rounds$hash`, the hash of 20 octets in hexadecimal, the salt taken as text.
pub(super) fn verify_pbkdf2(text: &str, password: &[u8]) -> Option<bool> {
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

/// A new hash for [`verify_pbkdf2`].
pub(super) fn new_pbkdf2(password: &[u8]) -> Option<Vec<u8>> {
    let salt = hex(&random::<8>()?);
    let hash = pbkdf2_sha1(password, salt.as_bytes(), PBKDF2_ROUNDS);
    Some(format!("$1${salt}${PBKDF2_ROUNDS}${}", hex(&hash)).into_bytes())
}
