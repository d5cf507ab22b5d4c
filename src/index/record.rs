//! `culver.index`: octets ↔ what was known of a mailbox's messages when it was written. No file is touched here.
//!
//! All numbers are little-endian. A header of 72 octets:
//!
//! | octets | what |
//! |---|---|
//! | 0–7 | `CulvIdx2` |
//! | 8–15 | this writing's number, made at random; a `culver.log` with the same goes on from here |
//! | 16–23 | the number of the writing before it, whose log is in this one |
//! | 24–31 | the file's own inode: a copy is not taken for it |
//! | 32–39 | in which boot it was written |
//! | 40–47 | the highest mod-sequence given |
//! | 48–55 | the mod-sequence at which the history of vanished UIDs begins |
//! | 56–59 | UIDVALIDITY |
//! | 60–63 | how many messages |
//! | 64–67 | how many ranges of vanished UIDs |
//! | 68–71 | 0 |
//!
//! Then 20 octets for each message by rising UID: UID (4), flags (8, see [`Flags`]), mod-sequence (8); and 16 for each
//! range, the oldest first: lowest and highest UID, mod-sequence. At the end the CRC-32 of all before it.

use crate::imap::flag::{SystemFlag, SystemFlags};
use crate::imap::sequence::{ModSeq, NumberSet, Uid, UidValidity};
use crate::index::HIGHEST;
use crate::index::vanished::{RANGES, Vanished};
use crate::spool::filename::Letters;
use crate::spool::keyword_set::KeywordSet;

const MAGIC: [u8; 8] = *b"CulvIdx2";

/// Octets of the header.
pub(super) const HEADER: usize = 72;

/// Octets of a record.
const RECORD: usize = 20;

/// Octets of a range.
const RANGE: usize = 16;

/// The flags of a message in one number: system flags in bits 0 to 4, keyword letters `a` to `z` from bit 5, and from
/// bit 32 the digest of the keywords that have no letter. Those themselves are in `culver.keywords`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags(pub u64);

impl Flags {
    /// Those of a message.
    pub fn new(flags: SystemFlags, keywords: &KeywordSet) -> Flags {
        let digest = u64::from(keywords.extras.digest()) << 32;
        let letters = u64::from(keywords.letters.0) << 5;
        Flags(
            flags
                .iter()
                .fold(digest | letters, |all, flag| all | flag as u64),
        )
    }

    /// System flags and keyword letters again.
    pub fn parts(self) -> (SystemFlags, Letters) {
        let here = SystemFlag::ALL.into_iter();
        let here = here.filter(|flag| self.0 & *flag as u64 != 0);
        let flags = here.fold(SystemFlags::NONE, SystemFlags::with);
        let letters = u32::try_from(self.0 >> 5 & ((1 << 26) - 1));
        (flags, Letters(letters.unwrap_or_default()))
    }
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its UID.
    pub uid: Uid,
    /// Its flags.
    pub flags: Flags,
    /// When it or they changed last.
    pub modseq: ModSeq,
}

/// What the header says besides what [`Known`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    pub number: u64,
    pub before: u64,
    pub inode: u64,
    pub boot: u64,
    pub uid_validity: UidValidity,
}

/// What is known of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The highest mod-sequence given.
    pub last: ModSeq,
    /// Its messages by rising UID.
    pub records: Vec<Record>,
    /// What is not there any more.
    pub vanished: Vanished,
}

/// The file's octets, with records by rising UID.
pub(super) fn encode(
    writing: &Writing,
    last: ModSeq,
    records: &[Record],
    vanished: &Vanished,
) -> Vec<u8> {
    let count = records.len();
    let ranges = vanished.ranges().count();
    let mut out = Vec::with_capacity(whole_octets(count, ranges));
    let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    out.extend(MAGIC);
    out.extend(writing.number.to_le_bytes());
    out.extend(writing.before.to_le_bytes());
    out.extend(writing.inode.to_le_bytes());
    out.extend(writing.boot.to_le_bytes());
    out.extend(last.0.to_le_bytes());
    out.extend(vanished.begins().0.to_le_bytes());
    out.extend(writing.uid_validity.get().to_le_bytes());
    out.extend(small(count));
    out.extend(small(ranges));
    out.extend([0; 4]);
    for record in records {
        out.extend(record.uid.get().to_le_bytes());
        out.extend(record.flags.0.to_le_bytes());
        out.extend(record.modseq.0.to_le_bytes());
    }
    for range in vanished.ranges() {
        out.extend(range.from.to_le_bytes());
        out.extend(range.to.to_le_bytes());
        out.extend(range.modseq.0.to_le_bytes());
    }
    let sum = crc32fast::hash(&out);
    out.extend(sum.to_le_bytes());
    out
}

/// How many octets a file has that begins with these, if it may be one, with `most` messages at the most.
pub(super) fn size(octets: &[u8], most: usize) -> Option<u64> {
    let header = octets.first_chunk::<HEADER>()?;
    let count = usize::try_from(short_at(header, 60)?).ok()?;
    let ranges = usize::try_from(short_at(header, 64)?).ok()?;
    if !header.starts_with(&MAGIC) || count > most || ranges > RANGES {
        return None;
    }
    u64::try_from(whole_octets(count, ranges)).ok()
}

/// How many octets a file has with so many messages and ranges.
fn whole_octets(count: usize, ranges: usize) -> usize {
    let ranges = ranges.saturating_mul(RANGE);
    let parts = count.saturating_mul(RECORD).saturating_add(ranges);
    parts.saturating_add(HEADER + 4)
}

/// What a file says. `None` unless every octet is as it was written.
pub(super) fn decode(octets: &[u8]) -> Option<(Writing, Known)> {
    let (octets, sum) = octets.split_last_chunk::<4>()?;
    let (header, rest) = octets.split_first_chunk::<HEADER>()?;
    if !header.starts_with(&MAGIC) || crc32fast::hash(octets) != u32::from_le_bytes(*sum) {
        return None;
    }
    let long = |at: usize| long_at(header, at);
    let writing = Writing {
        number: long(8)?,
        before: long(16)?,
        inode: long(24)?,
        boot: long(32)?,
        uid_validity: UidValidity::new(short_at(header, 56)?)?,
    };
    let (last, begins) = (ModSeq(long(40)?), ModSeq(long(48)?));
    let count = usize::try_from(short_at(header, 60)?).ok()?;
    let ranges = usize::try_from(short_at(header, 64)?).ok()?;
    let (messages, gone) = rest.split_at_checked(count.checked_mul(RECORD)?)?;
    let (messages, _) = messages.as_chunks::<RECORD>();
    let (gone, over) = gone.as_chunks::<RANGE>();
    if !over.is_empty() || gone.len() != ranges {
        return None;
    }
    if begins > last || last.0 == 0 || last > HIGHEST {
        return None;
    }
    let mut records: Vec<Record> = Vec::with_capacity(count);
    for part in messages {
        let record = Record {
            uid: Uid::new(short_at(part, 0)?)?,
            flags: Flags(long_at(part, 4)?),
            modseq: ModSeq(long_at(part, 12)?),
        };
        let rises = records.last().is_none_or(|before| before.uid < record.uid);
        if !rises || record.modseq > last || record.modseq.0 == 0 {
            return None;
        }
        records.push(record);
    }
    let mut vanished = Vanished::new(begins);
    let mut before = begins;
    for part in gone {
        let (from, to) = (short_at(part, 0)?, short_at(part, 4)?);
        let modseq = ModSeq(long_at(part, 8)?);
        if from == 0 || from > to || modseq < before || modseq > last {
            return None;
        }
        before = modseq;
        vanished.push(&NumberSet::from_ranges([(from, to)]), modseq);
    }
    let known = Known {
        last,
        records,
        vanished,
    };
    Some((writing, known))
}

/// Four octets as a number.
pub(super) fn short_at(octets: &[u8], at: usize) -> Option<u32> {
    let octets = octets.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*octets))
}

/// Eight.
pub(super) fn long_at(octets: &[u8], at: usize) -> Option<u64> {
    let octets = octets.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::keyword_set::Extras;

    fn sample() -> (Writing, Known, Vec<u8>) {
        let writing = Writing {
            number: 7,
            before: 6,
            inode: 99,
            boot: 3,
            uid_validity: UidValidity::new(1000).unwrap(),
        };
        let record = |uid, flags, modseq| Record {
            uid: Uid::new(uid).unwrap(),
            flags: Flags(flags),
            modseq: ModSeq(modseq),
        };
        let mut vanished = Vanished::new(ModSeq(50));
        vanished.push(&NumberSet::from_ranges([(2, 3), (6, 6)]), ModSeq(60));
        let known = Known {
            last: ModSeq(70),
            records: vec![record(1, 0, 50), record(4, 9, 70), record(9, 1 << 63, 55)],
            vanished,
        };
        let octets = encode(&writing, known.last, &known.records, &known.vanished);
        (writing, known, octets)
    }

    #[test]
    fn what_is_written_is_read() {
        let (writing, known, octets) = sample();
        assert_eq!(octets.len(), 72 + 3 * 20 + 2 * 16 + 4);
        assert_eq!(size(&octets, 3), Some(octets.len() as u64));
        assert_eq!(size(&octets, 2), None);
        assert_eq!(decode(&octets), Some((writing, known)));
    }

    #[test]
    fn an_octet_changed_or_missing_or_added_makes_it_none() {
        let (.., octets) = sample();
        for at in 0..octets.len() {
            for bit in 0..8 {
                let mut other = octets.clone();
                other[at] ^= 1 << bit;
                assert_eq!(decode(&other), None, "octet {at}, bit {bit}");
            }
            assert_eq!(decode(&octets[..at]), None, "{at} octets");
        }
        assert_eq!(decode(&[&octets[..], b"\0"].concat()), None);
    }

    #[test]
    fn what_cannot_be_is_none_with_a_right_sum_too() {
        let (writing, known, octets) = sample();
        let sealed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut other = octets[..octets.len() - 4].to_vec();
            change(&mut other);
            let sum = crc32fast::hash(&other);
            other.extend(sum.to_le_bytes());
            decode(&other)
        };
        assert_eq!(sealed(&|_| {}), Some((writing, known)));
        // A UID of 0, UIDs that fall, a modseq above the highest, more records than there are, no UIDVALIDITY.
        assert_eq!(sealed(&|o| o[72] = 0), None);
        assert_eq!(sealed(&|o| o[72] = 200), None);
        assert_eq!(sealed(&|o| o[72 + 12] = 200), None);
        assert_eq!(sealed(&|o| o[60] = 200), None);
        assert_eq!(sealed(&|o| o[60..64].fill(255)), None);
        assert_eq!(sealed(&|o| o[56..60].fill(0)), None);
        assert_eq!(sealed(&|o| o[47] = 255), None);
        assert_eq!(sealed(&|o| o[48] = 61), None);
        assert_eq!(sealed(&|o| o.truncate(72)), None);
    }

    #[test]
    fn flags_in_one_number_are_all_different() {
        let all = SystemFlag::ALL
            .iter()
            .fold(SystemFlags::NONE, |all, flag| all.with(*flag));
        let of = |flags, letters, numbers: &[u16]| {
            let letters = Letters(letters);
            let extras = Extras::new(numbers.iter().copied());
            Flags::new(flags, &KeywordSet { letters, extras })
        };
        assert_eq!(of(all, 0, &[]), Flags(31));
        assert_eq!(of(SystemFlags::NONE, 1, &[]), Flags(32));
        assert_eq!(of(SystemFlags::NONE, 1 << 25, &[]), Flags(1 << 30));
        let extra = of(all, (1 << 26) - 1, &[26]);
        assert_eq!(extra.0 & u64::from(u32::MAX), (1 << 31) - 1);
        assert_eq!(extra.0 >> 32, u64::from(Extras::new([26]).digest()));
        assert_eq!(extra.parts(), (all, Letters((1 << 26) - 1)));
        for flags in [0, 31, 32, 1 << 30, 0x55_5555] {
            let (system, letters) = Flags(flags).parts();
            assert_eq!(of(system, letters.0, &[]), Flags(flags));
        }
    }
}
