//! `culver.status`: what STATUS tells of a mailbox (RFC 3501 §6.3.10), noted so that nobody has to open the mailbox for
//! it.
//!
//! It stands together with [marks](Marks) of all that it rests on: `new/` and `cur/`, the uidlist, `culver.index`,
//! `culver.log` and, where it is there, `culver.keywords`. As long as they are the same, opening the mailbox would tell the same. It may be deleted at any time.
//! Nothing here is synced, and nothing need be: what a power cut leaves of the file is believed only if the rest is as
//! it was.
//!
//! It is noted only if the marks were [settled](Marks::are_settled), if `culver.log` was closed, so that it is believed
//! in every boot, and if everything that it tells is on disk.
//!
//! All numbers are little-endian. 384 octets:
//!
//! | octets | what |
//! |---|---|
//! | 0–7 | `CulvSta1` |
//! | 8–295 | of each of the six in their order: device, inode, size, seconds of the modification time and of the change time (8 octets each), nanoseconds of both (4 each); all zero for one that is not there |
//! | 296–303 | HIGHESTMODSEQ |
//! | 304–311 | SIZE; all bits are set if nobody has found it out |
//! | 312–335 | MESSAGES, RECENT, UNSEEN, DELETED, UIDVALIDITY, UIDNEXT |
//! | 336–379 | MAILBOXID, filled up with zeros |
//! | 380–383 | the CRC-32 of all before it |

use std::io;

use crate::imap::objectid::ObjectId;
use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::index::record::{long_at, short_at};
use crate::index::{INDEX, LOG};
use crate::spool::extra_keywords;
use crate::spool::folder::Stamp;
use crate::spool::site::{self, Mark, Site};

const NAME: &str = "culver.status";

const MAGIC: [u8; 8] = *b"CulvSta1";

/// Octets of the file.
const SIZE: usize = 384;

/// Octets of a mark.
const MARK: usize = 48;

/// Octets for a MAILBOXID.
const ID: usize = 44;

/// What is marked beside the uidlist.
const FILES: [&str; 3] = [INDEX, LOG, extra_keywords::NAME];

/// Marks of all that it rests on.
pub type Marks = site::Marks<3>;

/// What STATUS tells of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// MAILBOXID (RFC 8474 §4.3).
    pub id: ObjectId,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// MESSAGES.
    pub messages: u32,
    /// RECENT: to nobody yet.
    pub recent: u32,
    /// UNSEEN.
    pub unseen: u32,
    /// DELETED (RFC 9051 §6.3.11).
    pub deleted: u32,
    /// SIZE (RFC 8438), if it is known.
    pub size: Option<u64>,
    /// HIGHESTMODSEQ (RFC 7162 §3.1.2.1). `None` where none are kept.
    pub modseq: Option<ModSeq>,
}

/// Marks of a mailbox as it is now. `None` where something is missing.
pub fn marks(site: &Site) -> io::Result<Option<Marks>> {
    let marks = site.marks(FILES)?;
    Ok(marks.filter(|marks| matches!(marks.files, [Some(_), Some(_), _])))
}

/// What was noted, if it is still so.
pub fn read(site: &Site) -> io::Result<Option<Status>> {
    let Some(octets) = site.read::<SIZE>(NAME)? else {
        return Ok(None);
    };
    // The marks after it: who notes it has taken them before.
    match (decode(&octets), site.marks(FILES)?) {
        (Some((noted, status)), Some(now)) if noted == now => Ok(Some(status)),
        _ => Ok(None),
    }
}

/// Notes it. The caller knows that it was so when these marks were taken.
pub fn note(site: &Site, marks: &Marks, status: &Status) -> io::Result<()> {
    let Some(octets) = encode(marks, status) else {
        return Ok(());
    };
    if site.read(NAME).is_ok_and(|noted| noted == Some(octets)) {
        return Ok(());
    }
    site.write(NAME, &octets)
}

/// The file's octets. `None` where something has no place there.
fn encode(marks: &Marks, status: &Status) -> Option<[u8; SIZE]> {
    let mut out = Vec::with_capacity(SIZE);
    out.extend(MAGIC);
    let [Some(index), Some(log), keywords] = &marks.files else {
        return None;
    };
    let six = [&marks.uidlist, index, log].into_iter().map(Some);
    let six = marks
        .subs
        .iter()
        .map(Some)
        .chain(six)
        .chain([keywords.as_ref()]);
    for mark in six {
        let Some(mark) = mark else {
            out.extend([0; MARK]);
            continue;
        };
        let Stamp {
            identity: (device, inode),
            modified,
            size,
        } = mark.stamp;
        out.extend([device, inode, size].into_iter().flat_map(u64::to_le_bytes));
        let (seconds, nanos): (Vec<i64>, Vec<u32>) = [modified, mark.changed].into_iter().unzip();
        out.extend(seconds.into_iter().flat_map(i64::to_le_bytes));
        out.extend(nanos.into_iter().flat_map(u32::to_le_bytes));
    }
    out.extend(status.modseq?.0.to_le_bytes());
    out.extend(status.size.unwrap_or(u64::MAX).to_le_bytes());
    let counts = [
        status.messages,
        status.recent,
        status.unseen,
        status.deleted,
        status.uid_validity.get(),
        status.uid_next.get(),
    ];
    out.extend(counts.into_iter().flat_map(u32::to_le_bytes));
    let id = status.id.as_str().as_bytes();
    out.extend(id);
    out.extend(vec![0; ID.checked_sub(id.len())?]);
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out.try_into().ok()
}

/// What the octets say. `None` unless each is as it was written.
fn decode(octets: &[u8; SIZE]) -> Option<(Marks, Status)> {
    let (octets, sum) = octets.split_last_chunk::<4>()?;
    let rest = octets.strip_prefix(&MAGIC)?;
    if crc32fast::hash(octets) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (marks, rest) = rest.split_at_checked(6 * MARK)?;
    let mark = |at: usize| {
        let octets = marks.as_chunks::<MARK>().0.get(at)?;
        let seconds = |at| long_at(octets, at).map(u64::cast_signed);
        Some(Mark {
            stamp: Stamp {
                identity: (long_at(octets, 0)?, long_at(octets, 8)?),
                modified: (seconds(24)?, short_at(octets, 40)?),
                size: long_at(octets, 16)?,
            },
            changed: (seconds(32)?, short_at(octets, 44)?),
        })
    };
    let is_there = marks.get(5 * MARK..)?.iter().any(|octet| *octet != 0);
    let keywords = if is_there { mark(5) } else { None };
    let marks = Marks {
        subs: [mark(0)?, mark(1)?],
        uidlist: mark(2)?,
        files: [Some(mark(3)?), Some(mark(4)?), keywords],
    };
    let (size, id) = (long_at(rest, 8)?, rest.get(40..)?);
    let id = id.split(|octet| *octet == 0).next()?;
    let status = Status {
        id: ObjectId::new(std::str::from_utf8(id).ok()?)?,
        uid_validity: UidValidity::new(short_at(rest, 32)?)?,
        uid_next: Uid::new(short_at(rest, 36)?)?,
        messages: short_at(rest, 16)?,
        recent: short_at(rest, 20)?,
        unseen: short_at(rest, 24)?,
        deleted: short_at(rest, 28)?,
        size: Some(size).filter(|size| *size != u64::MAX),
        modseq: Some(ModSeq(long_at(rest, 0)?)),
    };
    Some((marks, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Marks, Status) {
        let mark = |number: u64| Mark {
            stamp: Stamp {
                identity: (number, u64::MAX - number),
                modified: (-5, 999_999_999),
                size: number * 1000,
            },
            changed: (i64::MAX, 7),
        };
        let marks = Marks {
            subs: [mark(1), mark(2)],
            uidlist: mark(3),
            files: [Some(mark(4)), Some(mark(5)), Some(mark(6))],
        };
        let status = Status {
            id: ObjectId::of('F', u128::MAX),
            uid_validity: UidValidity::new(u32::MAX).unwrap(),
            uid_next: Uid::new(1).unwrap(),
            messages: 9,
            recent: 8,
            unseen: 7,
            deleted: 6,
            size: Some(0),
            modseq: Some(ModSeq(5)),
        };
        (marks, status)
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut marks, mut status) = sample();
        for size in [Some(0), Some(u64::MAX - 1), None] {
            status.size = size;
            let octets = encode(&marks, &status).unwrap();
            assert_eq!(decode(&octets), Some((marks, status.clone())));
            // No keyword needs that file any more.
            marks.files[2] = None;
        }
    }

    #[test]
    fn an_octet_changed_makes_it_none() {
        let (marks, status) = sample();
        let octets = encode(&marks, &status).unwrap();
        for at in 0..octets.len() {
            let mut other = octets;
            other[at] ^= 4;
            assert_eq!(decode(&other), None, "octet {at}");
        }
        assert_eq!(decode(&[0; SIZE]), None);
    }

    #[test]
    fn what_has_no_place_is_not_written() {
        let (marks, status) = sample();
        let without = Status {
            modseq: None,
            ..status.clone()
        };
        assert_eq!(encode(&marks, &without), None);
        let long = Status {
            id: ObjectId::new(&"x".repeat(ID + 1)).unwrap(),
            ..status.clone()
        };
        assert_eq!(encode(&marks, &long), None);
        let mut missing = marks;
        missing.files[1] = None;
        assert_eq!(encode(&missing, &status), None);
    }

    #[test]
    fn what_cannot_be_is_none_with_a_right_sum_too() {
        let (marks, status) = sample();
        let octets = encode(&marks, &status).unwrap();
        let sealed = |from: usize, with: &[u8]| {
            let mut other = octets;
            other[from..from + with.len()].copy_from_slice(with);
            let sum = crc32fast::hash(&other[..SIZE - 4]);
            other[SIZE - 4..].copy_from_slice(&sum.to_le_bytes());
            decode(&other)
        };
        assert!(sealed(0, b"C").is_some());
        assert_eq!(sealed(0, b"D"), None);
        // No UIDVALIDITY, no UIDNEXT, no MAILBOXID, one that is none.
        assert_eq!(sealed(328, &[0; 4]), None);
        assert_eq!(sealed(332, &[0; 4]), None);
        assert_eq!(sealed(336, &[0; ID]), None);
        assert_eq!(sealed(338, b" "), None);
        assert_eq!(sealed(338, b"\xff"), None);
    }
}
