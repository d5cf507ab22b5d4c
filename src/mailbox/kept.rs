//! What a turn notes of the mod-sequences it gave, before its state is published: see [`crate::mailbox::given`].

use std::sync::Arc;

use crate::imap::sequence::{ModSeq, NumberSet, Uid};
use crate::index::Index;
use crate::index::log::{Change, Entry};
use crate::index::record::Record;
use crate::index::vanished::Vanished;
use crate::mailbox::given::{Remembered, flags_of, next_floor};
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;

/// What a turn knows of mod-sequences.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// It has the lock and has heard all that was given: it may give a mod-sequence.
    pub(super) gives: bool,
    /// What was known when the mailbox was closed, as long as it has not been compared with what is there.
    pub(super) remembered: Option<Remembered>,
    /// The first look has come to its end.
    compared: bool,
    /// Others have noted something that this turn could not hear.
    pub(super) unheard: bool,
    /// The highest mod-sequence and the history as they were before this turn gave any.
    pub(super) settled: Option<(ModSeq, Arc<Vanished>)>,
}

impl Turn<'_> {
    /// Notes that this turn has changed a message.
    pub(super) fn note_change(&mut self, uid: Uid, change: Change) {
        self.disk.given.unkept.insert(uid, change);
    }

    /// Notes that a message is there with its flags.
    pub(super) fn note_here(&mut self, message: &Message) {
        self.note_change(message.uid, Change::Here(flags_of(message)));
    }

    /// Notes that messages are gone.
    pub(super) fn note_gone(&mut self, gone: &NumberSet) {
        for uid in gone.iter().filter_map(Uid::new) {
            self.note_change(uid, Change::Gone);
        }
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

    /// UIDs of messages that the history tells to be gone, and of those that it will tell if they are: they were there
    /// when the mailbox was closed.
    pub(super) fn told_or_remembered(&self) -> NumberSet {
        let history = &self.draft.vanished;
        let told = history.since(history.begins()).unwrap_or_default();
        match &self.notes.remembered {
            Some(remembered) => {
                let there = remembered.records.iter().map(|record| record.uid.get());
                told.union(&there.collect())
            }
            None => told,
        }
    }

    /// Ends the comparison with what was known when the mailbox was closed: what has not been found is gone. What the
    /// first look had reason to doubt is in the picture.
    pub fn end_comparison(&mut self) {
        self.notes.compared = true;
        let Some(remembered) = self.notes.remembered.take() else {
            return;
        };
        let mut here = self.draft.iter().peekable();
        let mut gone = NumberSet::new();
        for record in &remembered.records {
            while here.next_if(|message| message.uid < record.uid).is_some() {}
            if here.next_if(|message| message.uid == record.uid).is_some() {
                continue;
            }
            // One that others have numbered since may still come into the picture.
            match record.uid < self.draft.uid_next {
                true => gone.insert(record.uid.get()),
                false => {
                    let heard = (record.modseq, record.flags);
                    self.disk.given.heard.insert(record.uid, heard);
                }
            }
        }
        drop(here);
        self.note_gone(&gone);
    }

    /// What others have noted of messages that cannot come into the picture any more, for their UIDs are below others
    /// that did: to all who look here they are gone. Nobody finds that by comparing where the first look could not read
    /// the files.
    fn note_unseen(&mut self) {
        if !self.notes.compared {
            return;
        }
        let draft = &self.draft;
        let given = &mut self.disk.given;
        given.heard.retain(|uid, _| {
            let may_come = *uid >= draft.uid_next;
            if !may_come && draft.find(*uid).is_none() {
                given.unkept.insert(*uid, Change::Gone);
            }
            may_come
        });
    }

    /// Keeps what this turn gave: before anybody hears of it. Says in the draft whether all is kept.
    pub(super) fn keep_modseqs(&mut self) {
        if !self.first {
            self.end_comparison();
        }
        self.note_unseen();
        // A first look that has not come to its end knows nothing that should be kept.
        if self.notes.compared && self.notes.gives && !self.draft.ended {
            self.write_modseqs();
        }
        let given = &self.disk.given;
        let is_kept = given.index.is_some() && !given.has_unkept();
        let is_covered = self.draft.modseq > ModSeq(1) && self.draft.modseq < given.floor;
        // What others gave since may be above all that is known here. A glance leaves that for who has the lock.
        let is_heard = !self.notes.unheard || self.glances && self.before.kept;
        self.draft.kept = self.notes.compared && is_kept && is_covered && is_heard;
    }

    fn write_modseqs(&mut self) {
        let given = &self.disk.given;
        let is_news = given.index.is_none() || given.has_unkept();
        // Whoever removes the mailbox must not find files made anew.
        let removed = self.disk.is_vanishing()
            || given.index.is_none() && self.looks && !self.first && !self.disk.rests();
        if is_news && (removed || !self.write_index()) {
            self.give_back();
            return;
        }
        let given = &mut self.disk.given;
        given.last = given.last.max(self.draft.modseq);
        if is_news || given.last >= given.floor {
            self.raise_floor();
        }
    }

    /// What was given cannot be kept: it counts as not given.
    fn give_back(&mut self) {
        let Some((modseq, vanished)) = self.notes.settled.clone() else {
            return;
        };
        let given_now = self.draft.iter().filter(|one| one.modseq == self.modseq);
        let given_now: Vec<_> = given_now.cloned().collect();
        for message in given_now {
            self.note_here(&message);
            self.draft.replace(message.at(modseq));
        }
        let heard = self.draft.iter().map(|message| message.modseq).max();
        self.draft.modseq = modseq.max(heard.unwrap_or_default());
        if self.draft.vanished.begins() == self.modseq {
            self.draft.vanished = vanished;
        }
    }

    /// Moves the floor ahead, if it does not cover what is given now, or will not soon.
    fn raise_floor(&mut self) {
        let given = &self.disk.given;
        let (last, now) = (given.last, given.now());
        if last.0.max(now) < given.floor.0 {
            return;
        }
        let floor = next_floor(last, now);
        if let Some(list) = &mut self.disk.uidlist {
            list.set_floor(floor);
        }
        if let Err(fault) = self.rewrite_uidlist(false) {
            tracing::warn!(%fault, "the floor of mod-sequences is to be moved later");
        }
    }

    /// Whether all is noted now.
    fn write_index(&mut self) -> bool {
        let (given, draft) = (&mut self.disk.given, &mut self.draft);
        let modseq = self.modseq;
        let unkept = &given.unkept;
        let gone = unkept.iter().filter(|(_, change)| **change == Change::Gone);
        let gone: NumberSet = gone.map(|(uid, _)| uid.get()).collect();
        let mut vanished = Arc::clone(&draft.vanished);
        if !gone.is_empty() {
            Arc::make_mut(&mut vanished).push(&gone, modseq);
        }
        if given.has_unkept() {
            draft.modseq = draft.modseq.max(modseq);
        }
        let written = match &mut given.index {
            // The log has entries of messages alone; what is written anew has the highest mod-sequence too.
            Some(index) if !given.raised && !index.is_due(unkept.len(), draft.len()) => {
                let entries = unkept.iter().map(|(&uid, &change)| Entry {
                    modseq,
                    uid,
                    change,
                });
                index.append(entries)
            }
            before => {
                let here = draft.iter().map(|message| Record {
                    uid: message.uid,
                    flags: flags_of(message),
                    modseq: message.modseq,
                });
                let heard = given.heard.iter().map(|(&uid, &(modseq, flags))| Record {
                    uid,
                    flags,
                    modseq,
                });
                let mut records: Vec<Record> = here.chain(heard).collect();
                records.sort_by_key(|record| record.uid);
                records.dedup_by_key(|record| record.uid);
                let last = records.iter().map(|record| record.modseq).max();
                let replaced = Index::replace(
                    before.as_mut(),
                    &self.disk.folder,
                    draft.uid_validity,
                    draft.modseq.max(last.unwrap_or_default()),
                    &records,
                    &vanished,
                );
                replaced.map(|index| *before = Some(index))
            }
        };
        match written {
            Ok(()) => {
                given.unkept.clear();
                given.raised = false;
                given.reported = false;
                draft.vanished = vanished;
                true
            }
            Err(error) => {
                given.index = None;
                self.report_index(&error);
                false
            }
        }
    }

    pub(super) fn report_index(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.disk.given.reported, true) {
            tracing::warn!(
                mailbox = %self.disk.folder.path().display(),
                %error,
                "mod-sequences cannot be kept: clients will have to catch up at length"
            );
        }
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
