//! One line of the uidlist: a UID and its message.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use sha1::{Digest, Sha1};

use crate::imap::sequence::Uid;

/// Extension fields of a record: key (`A` to `Z`) and value (no space), in the order they stand.
pub type Fields = Vec<(u8, Box<[u8]>)>;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The UID.
    pub uid: Uid,
    /// Extension fields (`W`, `G` …), key and value, in the order they stand.
    pub fields: Fields,
    /// The base name.
    pub base: Box<[u8]>,
}

impl Record {
    /// The GUID that field `G` gives; without one it is the base name.
    pub fn guid(&self) -> Option<&[u8]> {
        let (_, value) = self.fields.iter().find(|(key, _)| *key == b'G')?;
        (!value.is_empty()).then_some(value)
    }

    /// The virtual size that field `W` gives.
    pub fn virtual_size(&self) -> Option<u64> {
        let (_, value) = self.fields.iter().find(|(key, _)| *key == b'W')?;
        crate::spool::filename::number(value)
    }
}

/// A GUID, of a message or a mailbox, in 128 bits as Dovecot makes them: 32 hexadecimal digits say them, of other text
/// it is the beginning of the SHA-1.
pub fn guid_number(guid: &[u8]) -> u128 {
    let digits = std::str::from_utf8(guid)
        .ok()
        .filter(|digits| digits.len() == 32);
    let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if let Some(number) = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()) {
        return number;
    }
    let digest = Sha1::digest(guid);
    let octets = digest.iter().take(16);
    octets.fold(0, |number, octet| number << 8 | u128::from(*octet))
}

/// Of records with one base name leaves the last. Gives how many went.
pub(super) fn drop_older_of_doubled(records: &mut Vec<Record>) -> usize {
    // Hashes beside positions, sorted, take less room than a map would for a million records.
    let state = RandomState::new();
    let mut hashed: Vec<(u64, usize)> = records
        .iter()
        .enumerate()
        .map(|(at, record)| (state.hash_one(&record.base), at))
        .collect();
    hashed.sort_unstable();
    let mut older = vec![];
    for run in hashed.chunk_by(|one, other| one.0 == other.0) {
        for (index, &(_, at)) in run.iter().enumerate() {
            let later = run.iter().skip(index + 1);
            let base = |at: usize| records.get(at).map(|record| &record.base);
            if later.into_iter().any(|&(_, other)| base(other) == base(at)) {
                older.push(at);
            }
        }
    }
    older.sort_unstable();
    let mut at = 0;
    records.retain(|_| {
        at += 1;
        older.binary_search(&(at - 1)).is_err()
    });
    older.len()
}
