//! A turn and mod-sequences (RFC 7162): which one a change gets, and what is kept of it.
//!
//! All who change a mailbox, in whatever process, give mod-sequences under Dovecot's lock, and have read before what
//! the others gave: so whoever knows of one knows of all below it. What is heard too late all the same, at or below
//! what has been told here, gets another one. A turn notes what it gave before its state is published, and none is
//! published that the floor in `dovecot-uidlist` does not cover.
//!
//! Without the lock (a mailbox that cannot be written, or a lock that somebody keeps for too long) changes are shown
//! with mod-sequences that only memory knows; the files are forsaken then, and written anew as soon as it can be done.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::imap::flag::SystemFlags;
use crate::imap::sequence::{ModSeq, NumberSet, Uid};
use crate::index::log::{Change, Entry};
use crate::index::record::{Flags, Record};
use crate::index::vanished::Vanished;
use crate::index::{self, HIGHEST, Index, News};
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;
use crate::spool::filename::Letters;
use crate::spool::folder::Folder;
use crate::spool::uidlist::UidList;

/// How far the floor is set above the clock: so long it need not be moved. 2^36 µs are 19 hours.
const RESERVE: Duration = Duration::from_micros(1 << 36);

/// What is known of mod-sequences between two turns.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Culver's own files. `None` if they are not believed, or cannot be written.
    pub(super) index: Option<Index>,
    /// The files lack something: they must be written anew.
    pub(super) behind: bool,
    /// The uidlist, and its floor with it, were made just now: nothing was given before.
    fresh: bool,
    /// The highest given by anybody that is known of.
    last: ModSeq,
    /// What the uidlist says: all that may have been told is below it.
    floor: ModSeq,
    /// What others gave to messages that are not in the picture yet.
    pub(super) heard: HashMap<Uid, (ModSeq, Flags)>,
}

impl Given {
    /// Nothing is known but what the uidlist says, which is `fresh` if it was made just now.
    pub fn new(floor: Option<ModSeq>, fresh: bool) -> Given {
        Given {
            floor: floor.unwrap_or_default(),
            fresh,
            ..Given::default()
        }
    }

    /// Another uidlist was read. False if it tells less than the one before, and must be written anew.
    pub fn note_floor(&mut self, list: &mut UidList) -> bool {
        let told = list.floor().unwrap_or_default();
        if told < self.floor {
            list.set_floor(self.floor);
        }
        let is_enough = told >= self.floor;
        self.floor = self.floor.max(told);
        is_enough
    }

    /// Whether others have noted something.
    pub fn has_news(&self, folder: &Folder) -> bool {
        (self.index.as_ref()).is_some_and(|index| index.has_news(folder))
    }

    /// Whether the files lack something.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether [`Turn::close_index`] has something to do.
    pub fn is_open(&self) -> bool {
        self.behind || self.index.as_ref().is_some_and(Index::is_open)
    }
}

/// What a turn knows and leaves of mod-sequences.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What was known when the mailbox was closed, as long as it has not been compared with what is there.
    pub(super) remembered: Option<Remembered>,
    /// What this turn has changed: the last change counts.
    changed: BTreeMap<Uid, Change>,
}

/// Messages as they were known.
#[derive(Debug)]
pub(super) struct Remembered {
    records: Vec<Record>,
    /// Where the message asked for last stands.
    at: usize,
}

impl Remembered {
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
/// one is known; else it may be anything below the floor.
fn next(last: ModSeq, floor: ModSeq, now: u64, sure: bool) -> ModSeq {
    let above = last.0.saturating_add(1);
    let next = match sure {
        true if now < floor.0 => above.max(now),
        true => above,
        false => above.max(floor.0).max(now),
    };
    ModSeq(next).min(HIGHEST)
}

/// Microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    // A clock that is far off counts as none.
    u64::try_from(micros).map_or(0, |micros| if micros < HIGHEST.0 { micros } else { 0 })
}

/// The floor to set when this has been given.
fn next_floor(given: ModSeq, now: u64) -> ModSeq {
    let reserve = u64::try_from(RESERVE.as_micros()).unwrap_or_default();
    ModSeq(given.0.max(now).saturating_add(reserve)).min(HIGHEST)
}

/// The floor of a new uidlist.
pub(super) fn first_floor() -> ModSeq {
    next_floor(ModSeq(1), now())
}

/// A message's flags as they are noted.
pub(super) fn flags_of(message: &Message) -> Flags {
    Flags::new(message.flags, message.letters)
}

impl Turn<'_> {
    /// Hears what others have noted, and settles which mod-sequence this turn gives.
    pub fn hear_index(&mut self) {
        let given = &mut self.disk.given;
        given.last = given.last.max(self.draft.modseq);
        if self.disk.uidlist.is_none() {
            // UIDs are made up: nothing outlives this mailbox.
            let sure = given.last > ModSeq(1);
            self.modseq = next(given.last, given.floor, now(), sure);
            if !sure {
                self.begin_history();
            }
            return;
        }
        let waits = self.lock.is_none() && self.disk.folder.is_writable();
        if waits && self.before.modseq > ModSeq(1) {
            // What others did may need an answer, which only who has the lock can give.
            self.wants_lock |=
                self.disk.given.has_news(&self.disk.folder) || self.disk.owes_modseqs();
            self.settle_modseq();
            return;
        }
        let polled = match &mut given.index {
            Some(index) => index.poll(&self.disk.folder).and_then(|news| {
                if self.lock.is_some() {
                    index.cut_torn()?;
                }
                Ok(news)
            }),
            None => Ok(News::Replaced),
        };
        match polled {
            Ok(News::None) => self.settle_modseq(),
            Ok(News::Entries(entries)) => {
                let last = entries.iter().map(|entry| entry.modseq).max();
                self.disk.given.last = self.disk.given.last.max(last.unwrap_or_default());
                self.settle_modseq();
                self.hear_entries(entries);
            }
            Ok(News::Replaced) => self.hear_files(),
            Err(error) => {
                self.report_index(&error);
                self.hear_files();
            }
        }
    }

    /// What was heard in this turn is not going to be published: the next turn hears all again.
    pub fn unhear_index(&mut self) {
        self.disk.given.index = None;
    }

    /// UIDs of messages that clients were told to be gone before the mailbox was opened: who comes back gets another.
    pub(super) fn told_gone(&self) -> NumberSet {
        let Some(remembered) = &self.notes.remembered else {
            return NumberSet::new();
        };
        let history = &self.draft.vanished;
        let gone = history.since(history.begins()).unwrap_or_default();
        let here = remembered.records.iter().map(|record| record.uid.get());
        gone.difference(&here.collect())
    }

    fn settle_modseq(&mut self) {
        let given = &self.disk.given;
        self.modseq = next(given.last, given.floor, now(), true);
    }

    /// Both files are others than those known, if there were any.
    fn hear_files(&mut self) {
        self.disk.given.index = None;
        let read = Index::read(&self.disk.folder, self.draft.uid_validity);
        // Nobody has been told anything: this is the first turn.
        let begins = self.draft.modseq <= ModSeq(1);
        let given = &mut self.disk.given;
        match read {
            Some((index, known)) => {
                given.index = Some(index);
                given.last = given.last.max(known.last);
                self.settle_modseq();
                if begins {
                    self.draft.modseq = known.last;
                    self.draft.vanished = Arc::new(known.vanished);
                    self.notes.remembered = Some(Remembered {
                        records: known.records,
                        at: 0,
                    });
                } else {
                    self.hear_known(known);
                }
            }
            None if begins => {
                given.behind = true;
                self.modseq = next(given.last, given.floor, now(), given.fresh);
                self.begin_history();
            }
            None => {
                given.behind = true;
                self.settle_modseq();
            }
        }
    }

    /// Nothing is known of what was before.
    fn begin_history(&mut self) {
        self.draft.modseq = self.modseq;
        self.draft.vanished = Arc::new(Vanished::new(self.modseq));
    }

    /// Notes that this turn has changed a message. Where all is to be written anew that is in the picture.
    pub(super) fn note_change(&mut self, uid: Uid, change: Change) {
        if !self.disk.given.behind {
            self.notes.changed.insert(uid, change);
        }
    }

    /// Notes that a message is there with these flags.
    pub(super) fn note_here(&mut self, uid: Uid, (flags, letters): (SystemFlags, Letters)) {
        self.note_change(uid, Change::Here(Flags::new(flags, letters)));
    }

    /// Notes that messages are gone.
    pub(super) fn note_gone(&mut self, gone: &NumberSet) {
        for uid in gone.iter().filter_map(Uid::new) {
            self.note_change(uid, Change::Gone);
        }
        Arc::make_mut(&mut self.draft.vanished).push(gone, self.modseq);
    }

    /// Ends the comparison with what was known when the mailbox was closed: what has not been found is gone.
    pub fn end_comparison(&mut self) {
        let Some(remembered) = self.notes.remembered.take() else {
            return;
        };
        let mut here = self.draft.iter().peekable();
        let mut gone = NumberSet::new();
        for record in &remembered.records {
            while here.next_if(|message| message.uid < record.uid).is_some() {}
            if here.peek().is_none_or(|message| message.uid != record.uid) {
                gone.insert(record.uid.get());
            }
        }
        drop(here);
        if gone.is_empty() {
            return;
        }
        self.note_gone(&gone);
        self.draft.modseq = self.draft.modseq.max(self.modseq);
    }

    /// Keeps what this turn gave: before anybody hears of it.
    pub(super) fn keep_modseqs(&mut self) {
        // A comparison that has not come to its end knows nothing that should be kept.
        if self.notes.remembered.is_some() || self.disk.uidlist.is_none() || self.draft.ended {
            return;
        }
        let changed = std::mem::take(&mut self.notes.changed);
        let given = &mut self.disk.given;
        given.last = given.last.max(self.draft.modseq);
        let is_news = !changed.is_empty() || given.behind;
        if self.lock.is_none() {
            let writable = self.disk.folder.is_writable();
            if is_news && writable && !std::mem::replace(&mut given.behind, true) {
                given.index = None;
                self.forsake_index();
            }
            return;
        }
        // Whoever removes the mailbox must not find files made anew.
        if self.disk.is_vanishing() {
            self.disk.given.behind |= is_news;
            return;
        }
        if is_news || self.disk.given.floor == ModSeq(0) {
            self.raise_floor();
        }
        let postponed = self.looks && !self.first && !self.disk.rests();
        if self.disk.given.index.is_none() && postponed {
            self.disk.given.behind |= is_news;
        } else if is_news {
            self.write_index(changed);
        }
    }

    /// Moves the floor ahead, if it does not cover what is given now, or will not soon.
    fn raise_floor(&mut self) {
        let (last, now) = (self.disk.given.last, now());
        if last.0.max(now) < self.disk.given.floor.0 {
            return;
        }
        let floor = next_floor(last, now);
        if let Some(list) = &mut self.disk.uidlist {
            list.set_floor(floor);
        }
        match self.rewrite_uidlist(false) {
            Ok(()) => self.disk.given.floor = floor,
            Err(fault) => {
                tracing::warn!(%fault, "the floor of mod-sequences is to be moved later");
            }
        }
    }

    fn write_index(&mut self, changed: BTreeMap<Uid, Change>) {
        let (given, draft) = (&mut self.disk.given, &self.draft);
        let modseq = self.modseq;
        let due = given.behind
            || (given.index.as_ref()).is_none_or(|index| index.is_due(changed.len(), draft.len()));
        let written = match &mut given.index {
            Some(index) if !due => index.append(changed.into_iter().map(|(uid, change)| Entry {
                modseq,
                uid,
                change,
            })),
            before => {
                let records = draft.iter().map(|message| Record {
                    uid: message.uid,
                    flags: flags_of(message),
                    modseq: message.modseq,
                });
                let written = Index::replace(
                    before.as_mut(),
                    &self.disk.folder,
                    draft.uid_validity,
                    given.last,
                    draft.len(),
                    records,
                    &draft.vanished,
                );
                written.map(|index| {
                    *before = Some(index);
                    given.behind = false;
                })
            }
        };
        if let Err(error) = written {
            given.index = None;
            if !std::mem::replace(&mut given.behind, true) {
                self.report_index(&error);
                self.forsake_index();
            }
        }
    }

    /// What is noted must not be believed any more, for it lacks what is about to be told.
    fn forsake_index(&self) {
        if let Err(error) = index::forsake(&self.disk.folder) {
            self.report_index(&error);
        }
    }

    fn report_index(&self, error: &std::io::Error) {
        tracing::warn!(
            mailbox = %self.disk.folder.path().display(),
            %error,
            "mod-sequences cannot be kept: clients will have to catch up at length"
        );
    }

    /// Makes what is kept outlast a stop of the machine.
    pub fn close_index(&mut self) {
        if self.lock.is_none() {
            return;
        }
        self.keep_modseqs();
        if let Some(index) = &mut self.disk.given.index
            && let Err(error) = index.close(&self.disk.folder)
        {
            self.report_index(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modseq_is_above_all_before_whatever_the_clock_says() {
        let next = |last, floor, now, sure| next(ModSeq(last), ModSeq(floor), now, sure).0;
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
        assert_eq!(next(HIGHEST.0, 0, 1, true), HIGHEST.0);
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
        let mut remembered = Remembered {
            records: [2, 3, 5, 9].map(record).to_vec(),
            at: 0,
        };
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
