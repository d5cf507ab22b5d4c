//! What other processes have noted of mod-sequences, and a turn's picture: each change gets the one it was given.
//!
//! What is heard too late, at or below what has been told here, gets this turn's, so that no client misses it. Where
//! the files are not believed nobody knows what was given: everything counts as changed then.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::imap::sequence::{ModSeq, NumberSet, Uid};
use crate::index::log::{Change, Entry};
use crate::index::record::{Flags, Known, Record};
use crate::index::vanished::Vanished;
use crate::index::{self, Index, News};
use crate::mailbox::given::{Remembered, flags_of, next};
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;
use crate::spool::filename::FileName;
use crate::spool::folder::Sub;
use crate::spool::keyword_set::{Extras, KeywordSet};

impl Turn<'_> {
    /// Hears what others have noted, and settles which mod-sequence this turn gives, if any. After the uidlist has been
    /// heard, for the floor must be the present one.
    pub fn hear_index(&mut self) {
        let given = &mut self.disk.given;
        given.last = given.last.max(self.draft.modseq);
        self.modseq = self.draft.modseq;
        if self.disk.uidlist.is_none() {
            return; // UIDs are made up: nothing outlives this mailbox
        }
        let waits = self.lock.is_none() && self.disk.folder.is_writable();
        if waits && !self.first {
            // What others did may need an answer, which only who has the lock can give.
            self.notes.unheard = given.has_news(&self.disk.folder);
            self.wants_lock |= self.notes.unheard || self.disk.owes_modseqs();
            return;
        }
        let polled = match &mut given.index {
            Some(index) => index.poll(&self.disk.folder),
            None => Ok(News::Replaced),
        };
        match polled {
            Ok(News::None) => self.settle_modseq(true),
            Ok(News::Entries(entries)) => {
                let last = entries.iter().map(|entry| entry.modseq).max();
                given.last = given.last.max(last.unwrap_or_default());
                self.settle_modseq(true);
                self.hear_entries(entries);
            }
            Ok(News::Replaced) => self.hear_files(),
            Err(error) => self.report_index(&error),
        }
        if self.lock.is_some()
            && let Some(index) = &mut self.disk.given.index
            && let Err(error) = index.cut_torn()
        {
            self.report_index(&error);
        }
        self.take_up_unkept();
    }

    /// Which mod-sequence this turn gives. Without the lock it gives none: what it changes counts as changed together
    /// with what was changed last, and is not kept. `sure`: all that was given is known.
    fn settle_modseq(&mut self, sure: bool) {
        self.modseq = self.draft.modseq;
        self.notes.settled = Some((self.draft.modseq, Arc::clone(&self.draft.vanished)));
        if self.lock.is_none() {
            return;
        }
        let given = &self.disk.given;
        match next(given.last, given.bound, given.now(), sure) {
            Some(modseq) => {
                self.modseq = modseq;
                self.notes.gives = true;
            }
            None => self.report_index(&std::io::Error::other("no higher mod-sequence is left")),
        }
    }

    /// Both files are others than those known, if there were any.
    fn hear_files(&mut self) {
        let given = &mut self.disk.given;
        given.index = None;
        let fresh = std::mem::take(&mut given.fresh);
        given.doubted = index::lies(&self.disk.folder).ok();
        let records = (self.disk.uidlist.as_ref()).map_or(0, |list| list.record_count());
        match Index::read(&self.disk.folder, self.draft.uid_validity, records) {
            Ok(Some((index, known))) => {
                given.index = Some(index);
                given.last = given.last.max(known.last);
                if self.first {
                    self.compare_with(known);
                } else {
                    self.settle_modseq(true);
                    self.hear_known(known);
                }
            }
            Ok(None) => {
                // Nobody has been told anything.
                let sure = fresh && self.before.modseq <= ModSeq(1);
                self.settle_modseq(sure);
                self.begin_history();
            }
            // They may be all right, and are left alone.
            Err(error) => self.report_index(&error),
        }
    }

    /// Nothing is known of what was before: everything has changed just now.
    fn begin_history(&mut self) {
        if !self.notes.gives {
            return;
        }
        self.disk.given.unkept.clear();
        self.disk.given.heard.clear();
        self.draft.modseq = self.modseq;
        self.draft.vanished = Arc::new(Vanished::new(self.modseq));
        for message in self.before.iter() {
            self.draft.replace(message.at(self.modseq));
        }
    }

    /// What was known when the mailbox was closed is to be compared with what is there, in this turn.
    fn compare_with(&mut self, known: Known) {
        self.draft.modseq = known.last;
        self.draft.vanished = Arc::new(known.vanished);
        self.notes.remembered = Some(Remembered::new(known.records));
        self.settle_modseq(true);
    }

    /// What could not be kept before is changed in this turn.
    fn take_up_unkept(&mut self) {
        if !self.notes.gives {
            return;
        }
        for (uid, change) in &mut self.disk.given.unkept {
            self.draft.modseq = self.draft.modseq.max(self.modseq);
            if let Some(message) = self.draft.find(*uid).cloned() {
                *change = Change::Here(flags_of(&message));
                self.draft.replace(message.at(self.modseq));
            }
        }
    }

    /// Takes over what others have noted.
    fn hear_entries(&mut self, mut entries: Vec<Entry>) {
        // Of several about one message the last counts.
        let mut later = HashSet::new();
        entries.reverse();
        entries.retain(|entry| later.insert(entry.uid));
        let mut gone = Vec::new();
        for entry in entries.into_iter().rev() {
            match entry.change {
                Change::Gone => gone.push((entry.modseq, entry.uid)),
                Change::Here(flags) => self.hear_here(entry.uid, entry.modseq, flags),
            }
        }
        self.hear_gone(&gone, true);
    }

    /// Takes over all of what others know.
    fn hear_known(&mut self, known: Known) {
        self.disk.given.heard.clear();
        self.draft.vanished = Arc::new(known.vanished);
        self.draft.modseq = self.draft.modseq.max(known.last);
        let vanished = Arc::clone(&self.draft.vanished);
        let mut records = known.records.iter().peekable();
        let mut absent: Vec<(Arc<Message>, Option<ModSeq>)> = Vec::new();
        for message in self.before.iter() {
            while records.next_if(|record| record.uid < message.uid).is_some() {}
            let is_known = |record: &&Record| record.uid == message.uid;
            if records.next_if(is_known).is_none() {
                absent.push((Arc::clone(message), None));
            }
        }
        for range in vanished.ranges() {
            let first = absent.partition_point(|(message, _)| message.uid.get() < range.from);
            let within = absent.iter_mut().skip(first);
            for (_, when) in within.take_while(|(message, _)| message.uid.get() <= range.to) {
                *when = Some(range.modseq);
            }
        }
        let mut gone = Vec::new();
        for (message, when) in absent {
            match when {
                Some(when) => gone.push((when, message.uid)),
                // They do not know of it: what it is, the directories tell.
                None => self.note_here(&message),
            }
        }
        gone.sort_unstable();
        self.hear_gone(&gone, false);
        for record in &known.records {
            self.hear_here(record.uid, record.modseq, record.flags);
        }
        // What is noted by now need not be noted again.
        let since = vanished.since(self.before.modseq);
        let is_noted = |uid: &Uid| since.as_ref().is_none_or(|since| since.contains(uid.get()));
        let is_here = |uid: &Uid| {
            known
                .records
                .binary_search_by_key(uid, |one| one.uid)
                .is_ok()
        };
        (self.disk.given.unkept)
            .retain(|uid, change| *change != Change::Gone || is_here(uid) || !is_noted(uid));
    }

    /// Somebody else gave this mod-sequence. What a client may have been told one above it for before gets this
    /// turn's.
    fn in_time(&self, modseq: ModSeq) -> Option<ModSeq> {
        (modseq > self.before.modseq).then_some(modseq)
    }

    /// Takes over what others have seen go, by rising mod-sequence; `untold`: the history lacks it.
    fn hear_gone(&mut self, gone: &[(ModSeq, Uid)], untold: bool) {
        let (mut in_time, mut late) = (BTreeSet::new(), BTreeSet::new());
        for at_once in gone.chunk_by(|(one, _), (other, _)| one == other) {
            let uids = at_once.iter().map(|(_, uid)| *uid);
            let modseq = at_once
                .first()
                .and_then(|(modseq, _)| self.in_time(*modseq));
            let Some(modseq) = modseq else {
                late.extend(uids);
                continue;
            };
            in_time.extend(uids.clone());
            if untold {
                let uids: NumberSet = uids.map(Uid::get).collect();
                Arc::make_mut(&mut self.draft.vanished).push(&uids, modseq);
            }
        }
        let given = &mut self.disk.given;
        for (_, uid) in gone {
            given.heard.remove(uid);
        }
        given.unkept.retain(|uid, _| !in_time.contains(uid));
        let last = gone.iter().map(|(modseq, _)| *modseq).max();
        if let Some(last) = last.filter(|_| !in_time.is_empty()) {
            self.drop_at(&in_time, last);
        }
        if !late.is_empty() {
            self.drop_at(&late, self.modseq);
            self.note_gone(&late.into_iter().map(Uid::get).collect());
        }
    }

    fn hear_here(&mut self, uid: Uid, modseq: ModSeq, flags: Flags) {
        let Some(message) = self.draft.find(uid).cloned() else {
            let given = &mut self.disk.given;
            if given.unkept.get(&uid) != Some(&Change::Gone) {
                given.heard.insert(uid, (modseq, flags));
            }
            return;
        };
        if message.modseq >= modseq {
            if message.modseq > modseq {
                self.note_here(&message);
            }
            return;
        }
        // Only what its file is called counts.
        let known = (message.sub, (*message.name).clone());
        let (sub, name) = match flags_of(&message) == flags {
            true => known,
            false => self.name_with(&message, flags).unwrap_or_else(|| {
                self.disk.rescan = true;
                known
            }),
        };
        let (_, letters) = name.flags();
        let extras = self.disk.extras.of(name.base());
        let now = message.renamed(sub, name, modseq);
        let now = now.with_extras(extras, modseq);
        let found = flags_of(&now);
        let modseq = match self.in_time(modseq) {
            Some(modseq) if found == flags => {
                self.disk.given.unkept.remove(&uid);
                modseq
            }
            _ => {
                self.note_change(uid, Change::Here(found));
                self.modseq
            }
        };
        self.name_letters(letters);
        self.draft.replace(now.at(modseq));
    }

    /// Where a message is that is said to have these flags now: most often under its old name with these.
    fn name_with(&mut self, message: &Message, flags: Flags) -> Option<(Sub, FileName)> {
        let folder = Arc::clone(&self.disk.folder);
        let (system, letters) = flags.parts();
        if let Some(name) = message.name.with_flags(system, letters)
            && folder.exists(Sub::Cur, &name).unwrap_or(false)
        {
            return Some((Sub::Cur, name));
        }
        let stale = (message.sub, &*message.name);
        self.finder.find(&folder, stale).ok().flatten()
    }

    /// The mod-sequence of a message that comes into the picture.
    pub(super) fn modseq_of(&mut self, uid: Uid, name: &FileName, extras: &Extras) -> ModSeq {
        let (flags, letters) = name.flags();
        let extras = extras.clone();
        let flags = Flags::new(flags, &KeywordSet { letters, extras });
        if let Some(remembered) = &mut self.notes.remembered
            && let Some(record) = remembered.find(uid)
            && record.flags == flags
        {
            return record.modseq;
        }
        if let Some((modseq, noted)) = self.disk.given.heard.remove(&uid)
            && noted == flags
            && let Some(modseq) = self.in_time(modseq)
        {
            return modseq;
        }
        self.note_change(uid, Change::Here(flags));
        self.modseq
    }
}
