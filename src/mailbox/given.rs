//! What is known between two turns of mod-sequences (RFC 7162), and how the next one is found.
//!
//! A mod-sequence is told only if it is kept: it was given under Dovecot's lock, by who had heard all that was given
//! before, it is noted in Culver's own files ([`crate::index`]), and it is below the floor in `dovecot-uidlist`. So
//! whoever comes later, after whatever crash or loss, gives a higher one: it goes on from what the files say, and
//! where they are not believed from the floor. Turns hear what others have noted in [`crate::mailbox::heard`], and
//! note what they gave in [`crate::mailbox::kept`].
//!
//! A change that cannot be noted (no lock, no room, a mailbox that cannot be written) is shown all the same, but has
//! no mod-sequence of its own: as long as there is one, the mailbox keeps none for its clients (NOMODSEQ). The next
//! turn that can note it gives it one.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::imap::sequence::{ModSeq, Uid};
use crate::index::log::Change;
use crate::index::record::{Flags, Record};
use crate::index::{self, HIGHEST, Index};
use crate::mailbox::snapshot::Message;
use crate::spool::beside::Lies;
use crate::spool::folder::Folder;
use crate::spool::uidlist::UidList;

/// How far the floor is set above the clock: so long it need not be moved. 2^36 µs are 19 hours.
const RESERVE: Duration = Duration::from_micros(1 << 36);

/// A clock that shows this or more, in µs since 1970, counts as none: in the year 2112 it is time to think again.
/// Mod-sequences that began with it would soon be at [`HIGHEST`].
const TOO_LATE: u64 = 1 << 52;

/// What is known of mod-sequences between two turns.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Culver's own files. `None` if they are not believed, or cannot be written: they are to be written anew.
    pub(super) index: Option<Index>,
    /// Changes of the picture that the files lack: of each message the last.
    pub(super) unkept: BTreeMap<Uid, Change>,
    /// Something that is no message has changed, and the files do not say so yet.
    pub(super) raised: bool,
    /// The uidlist, and its floor with it, were made just now: nothing was given before.
    pub(super) fresh: bool,
    /// The highest given by anybody that is known of.
    pub(super) last: ModSeq,
    /// What the uidlist says on the disk: all that may have been told is below it.
    pub(super) floor: ModSeq,
    /// The highest that it has ever been known to say.
    pub(super) bound: ModSeq,
    /// What others gave to messages that are not in the picture yet.
    pub(super) heard: HashMap<Uid, (ModSeq, Flags)>,
    /// The files as they lay there when they were not believed.
    pub(super) doubted: Option<[Option<Lies>; 2]>,
    /// The log says already that nothing can be kept.
    pub(super) reported: bool,
    /// How far the clock was set back, in µs.
    #[cfg(test)]
    pub clock_back: u64,
}

impl Given {
    /// Nothing is known but what the uidlist says, which is `fresh` if it was made just now.
    pub fn new(floor: Option<ModSeq>, fresh: bool) -> Given {
        let floor = floor.unwrap_or_default();
        Given {
            floor,
            bound: floor,
            fresh,
            ..Given::default()
        }
    }

    /// Another uidlist was read. False if it tells less than the one before, and must be written anew.
    pub fn note_floor(&mut self, list: &mut UidList) -> bool {
        self.floor = list.floor().unwrap_or_default();
        if self.floor < self.bound {
            list.set_floor(self.bound);
            return false;
        }
        if self.floor > self.bound {
            // Whoever moved it may have given all below the old one.
            self.last = self.last.max(ModSeq(self.bound.0.saturating_sub(1)));
            self.bound = self.floor;
        }
        true
    }

    /// The uidlist was written, and is safe.
    pub fn note_written(&mut self, list: &UidList) {
        self.floor = list.floor().unwrap_or_default();
        self.bound = self.bound.max(self.floor);
    }

    /// The time, as [`now`] tells it.
    pub fn now(&self) -> u64 {
        #[cfg(test)]
        return now().saturating_sub(self.clock_back);
        #[cfg(not(test))]
        now()
    }

    /// Whether others have noted something.
    pub fn has_news(&self, folder: &Folder) -> bool {
        match (&self.index, &self.doubted) {
            (Some(index), _) => index.has_news(folder),
            (None, Some(doubted)) => index::lies(folder).is_ok_and(|now| now != *doubted),
            (None, None) => false,
        }
    }

    /// Whether something has happened that is not kept yet.
    pub fn has_unkept(&self) -> bool {
        self.raised || !self.unkept.is_empty()
    }

    /// Whether something is not kept that should be.
    pub fn is_behind(&self) -> bool {
        self.index.is_none() || self.has_unkept() || self.last >= self.floor
    }

    /// Whether [`Turn::close_index`](crate::mailbox::turn::Turn::close_index) has something to do.
    pub fn is_open(&self) -> bool {
        self.is_behind() || self.index.as_ref().is_some_and(Index::is_open)
    }
}

/// Messages as they were known.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) records: Vec<Record>,
    /// Where the message asked for last stands.
    at: usize,
}

impl Remembered {
    /// These, by rising UID.
    pub fn new(records: Vec<Record>) -> Remembered {
        Remembered { records, at: 0 }
    }

    /// A message.
    pub fn find(&mut self, uid: Uid) -> Option<Record> {
        // Most often they are asked for in order.
        let here = |at: usize| self.records.get(at).filter(|record| record.uid == uid);
        let at = match here(self.at.saturating_add(1)).or_else(|| here(self.at)) {
            Some(_) if here(self.at).is_none() => self.at.saturating_add(1),
            Some(_) => self.at,
            None => self.records.partition_point(|record| record.uid < uid),
        };
        self.at = at;
        here(at).copied()
    }
}

/// The mod-sequence that a turn gives: above the last one, the time where that is below the floor. `sure`: the last
/// one is known; else it may be anything below the floor. `None` where there is none left to give.
pub(super) fn next(last: ModSeq, floor: ModSeq, now: u64, sure: bool) -> Option<ModSeq> {
    let above = last.0.saturating_add(1);
    let next = match sure {
        true if now < floor.0 => above.max(now),
        true => above,
        false => above.max(floor.0).max(now),
    };
    (next < HIGHEST.0).then_some(ModSeq(next))
}

/// Microseconds since 1970; 0 for a clock that cannot be believed.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    u64::try_from(micros).map_or(0, |micros| if micros < TOO_LATE { micros } else { 0 })
}

/// The floor to set when this has been given.
pub(super) fn next_floor(given: ModSeq, now: u64) -> ModSeq {
    let reserve = u64::try_from(RESERVE.as_micros()).unwrap_or_default();
    ModSeq(given.0.max(now).saturating_add(reserve)).min(HIGHEST)
}

/// The floor of a new uidlist.
pub(super) fn first_floor() -> ModSeq {
    next_floor(ModSeq(1), now())
}

/// A message's flags as they are noted.
pub(super) fn flags_of(message: &Message) -> Flags {
    Flags::new(message.flags, &message.keywords)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modseq_is_above_all_before_whatever_the_clock_says() {
        let next = |last, floor, now, sure| {
            next(ModSeq(last), ModSeq(floor), now, sure).map_or(0, |one| one.0)
        };
        // The time, below the floor.
        assert_eq!(next(10, 1000, 500, true), 500);
        // The clock was set back, or stands.
        assert_eq!(next(510, 1000, 500, true), 511);
        // The floor has been passed: it is moved first.
        assert_eq!(next(510, 1000, 2000, true), 511);
        // Nobody knows what was given: whatever it was, it was below the floor.
        assert_eq!(next(1, 1000, 500, false), 1000);
        assert_eq!(next(1, 1000, 2000, false), 2000);
        assert_eq!(next(1, 0, 2000, false), 2000);
        // There is none left: nobody is told the same one twice.
        assert_eq!(next(HIGHEST.0 - 2, 0, 1, true), HIGHEST.0 - 1);
        assert_eq!(next(HIGHEST.0 - 1, 0, 1, true), 0);
        assert_eq!(next(1, HIGHEST.0, 500, false), 0);
        assert_eq!(next(1, HIGHEST.0, 500, true), 500);
    }

    #[test]
    fn the_floor_is_ahead_of_clock_and_modseqs() {
        assert_eq!(next_floor(ModSeq(7), 10).0, 10 + (1 << 36));
        assert_eq!(next_floor(ModSeq(70), 10).0, 70 + (1 << 36));
        assert_eq!(next_floor(HIGHEST, 10), HIGHEST);
    }

    #[test]
    fn what_is_remembered_is_found_in_any_order() {
        let record = |uid| Record {
            uid: Uid::new(uid).unwrap(),
            flags: Flags(0),
            modseq: ModSeq(u64::from(uid)),
        };
        let mut remembered = Remembered::new([2, 3, 5, 9].map(record).to_vec());
        for (uid, found) in [
            (2, true),
            (3, true),
            (4, false),
            (9, true),
            (1, false),
            (5, true),
            (10, false),
            (2, true),
        ] {
            let record = remembered.find(Uid::new(uid).unwrap());
            assert_eq!(record.map(|record| record.uid.get()), found.then_some(uid));
        }
    }
}
