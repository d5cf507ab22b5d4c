//! `culver.log`: octets ↔ the changes since `culver.index` was written. No file is touched here.
//!
//! All numbers are little-endian. A header of 40 octets: `CulvLog2`, the number of the writing of `culver.index` that
//! it goes on from, its own inode, in which boot it was begun (8 octets each), UIDVALIDITY, and the CRC-32 of all
//! these (4 each). Then entries of 28 octets, appended only: mod-sequence (8), UID (4), flags (8), kind, and the CRC-32
//! of the number of the writing and the 24 octets before (4 each). The number is in the sum so that an entry of another
//! file, which a power cut may leave in this one, is none here.

use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::index::HIGHEST;
use crate::index::record::{Flags, long_at, short_at};

const MAGIC: [u8; 8] = *b"CulvLog2";

/// Octets of the header.
pub(super) const HEADER: usize = 40;

/// Octets of an entry.
pub(super) const ENTRY: usize = 28;

/// The first line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub number: u64,
    pub inode: u64,
    pub boot: u64,
    pub uid_validity: UidValidity,
}

/// What a change left of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there, with these flags: it is new, or they were changed.
    Here(Flags),
    /// It is not there any more.
    Gone,
}

/// A change to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub modseq: ModSeq,
    /// Which.
    pub uid: Uid,
    /// What.
    pub change: Change,
}

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Entry(Entry),
    /// From here on it was written in this boot, and was synced up to here.
    Open(u64),
    /// Everything up to here is synced, `culver.index` too.
    Closed,
}

pub(super) fn encode_header(header: &Header) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(header.number.to_le_bytes());
    out.extend(header.inode.to_le_bytes());
    out.extend(header.boot.to_le_bytes());
    out.extend(header.uid_validity.get().to_le_bytes());
    let sum = crc32fast::hash(&out);
    out.extend(sum.to_le_bytes());
    out
}

pub(super) fn decode_header(octets: &[u8]) -> Option<Header> {
    let (octets, sum) = octets.first_chunk::<HEADER>()?.split_last_chunk::<4>()?;
    if !octets.starts_with(&MAGIC) || crc32fast::hash(octets) != u32::from_le_bytes(*sum) {
        return None;
    }
    Some(Header {
        number: long_at(octets, 8)?,
        inode: long_at(octets, 16)?,
        boot: long_at(octets, 24)?,
        uid_validity: UidValidity::new(short_at(octets, 32)?)?,
    })
}

pub(super) fn encode(out: &mut Vec<u8>, number: u64, line: Line) {
    let (first, uid, flags, kind) = match line {
        Line::Entry(entry) => match entry.change {
            Change::Here(flags) => (entry.modseq.0, entry.uid.get(), flags.0, 1),
            Change::Gone => (entry.modseq.0, entry.uid.get(), 0, 2),
        },
        Line::Open(boot) => (boot, 0, 0, 3),
        Line::Closed => (0, 0, 0, 4_u32),
    };
    let mut entry = [0; ENTRY];
    let fields = [
        &first.to_le_bytes()[..],
        &uid.to_le_bytes(),
        &flags.to_le_bytes(),
        &kind.to_le_bytes(),
    ];
    for (place, octet) in entry.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *octet;
    }
    let sum = sum(&entry, number);
    out.extend_from_slice(entry.get(..ENTRY - 4).unwrap_or_default());
    out.extend(sum.to_le_bytes());
}

/// The sum that stands at the end of an entry.
fn sum(entry: &[u8; ENTRY], number: u64) -> u32 {
    let mut summed = [0; ENTRY + 4];
    let octets = number.to_le_bytes();
    let octets = octets.iter().chain(entry.iter().take(ENTRY - 4));
    for (place, octet) in summed.iter_mut().zip(octets) {
        *place = *octet;
    }
    crc32fast::hash(&summed)
}

/// What the entries say, and whether a part of one follows them: it is being written, or was cut off. `None` if a whole
/// one is not as it was written.
pub(super) fn decode(octets: &[u8], number: u64) -> Option<(Vec<Line>, bool)> {
    let (entries, over) = octets.as_chunks::<ENTRY>();
    let lines = entries.iter().map(|entry| decode_one(entry, number));
    let lines = lines.collect::<Option<Vec<Line>>>()?;
    Some((lines, !over.is_empty()))
}

fn decode_one(octets: &[u8; ENTRY], number: u64) -> Option<Line> {
    if short_at(octets, ENTRY - 4)? != sum(octets, number) {
        return None;
    }
    let (first, kind) = (long_at(octets, 0)?, short_at(octets, 20)?);
    let entry = |change| {
        let modseq = ModSeq(first);
        let uid = Uid::new(short_at(octets, 8)?)?;
        let entry = Entry {
            modseq,
            uid,
            change,
        };
        (first > 0 && modseq <= HIGHEST).then_some(Line::Entry(entry))
    };
    match kind {
        1 => entry(Change::Here(Flags(long_at(octets, 12)?))),
        2 => entry(Change::Gone),
        3 => Some(Line::Open(first)),
        4 => Some(Line::Closed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let entry = |modseq, uid, change| {
            Line::Entry(Entry {
                modseq: ModSeq(modseq),
                uid: Uid::new(uid).unwrap(),
                change,
            })
        };
        vec![
            entry(5, 1, Change::Here(Flags(8))),
            entry(6, 2, Change::Gone),
            Line::Closed,
            Line::Open(u64::MAX),
            entry(7, u32::MAX, Change::Here(Flags(u64::MAX))),
        ]
    }

    fn octets() -> Vec<u8> {
        let mut out = Vec::new();
        lines()
            .into_iter()
            .for_each(|line| encode(&mut out, 42, line));
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let header = Header {
            number: 42,
            inode: 7,
            boot: 9,
            uid_validity: UidValidity::new(77).unwrap(),
        };
        let written = encode_header(&header);
        assert_eq!(written.len(), HEADER);
        assert_eq!(decode_header(&written), Some(header));
        for at in 0..HEADER {
            let mut other = written.clone();
            other[at] ^= 16;
            assert_eq!(decode_header(&other), None);
            assert_eq!(decode_header(&written[..at]), None);
        }
        assert_eq!(octets().len(), ENTRY * 5);
        assert_eq!(decode(&octets(), 42), Some((lines(), false)));
    }

    #[test]
    fn an_entry_of_another_log_is_none() {
        assert_eq!(decode(&octets(), 43), None);
    }

    #[test]
    fn what_is_cut_off_loses_its_last_entry_alone() {
        let octets = octets();
        for length in 0..octets.len() {
            let whole = length / ENTRY;
            let read = decode(&octets[..length], 42);
            assert_eq!(read, Some((lines()[..whole].to_vec(), length % ENTRY > 0)));
        }
    }

    #[test]
    fn an_octet_changed_makes_all_doubtful() {
        let octets = octets();
        for at in 0..octets.len() {
            let mut other = octets.clone();
            other[at] ^= 1;
            assert_eq!(decode(&other, 42), None, "octet {at}");
        }
    }
}
