//! What other processes have noted of mod-sequences, and a turn's picture: each change gets the one it was given.
//!
//! What is heard too late, at or below what has been told here, gets this turn's, so that no client misses it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::imap::sequence::{ModSeq, NumberSet, Uid};
use crate::index::log::{Change, Entry};
use crate::index::record::{Flags, Known};
use crate::mailbox::given::flags_of;
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;
use crate::spool::filename::FileName;
use crate::spool::folder::Sub;

impl Turn<'_> {
    /// Takes over what others have noted.
    pub(super) fn hear_entries(&mut self, mut entries: Vec<Entry>) {
        // Of several about one message the last counts.
        let mut later = HashSet::new();
        entries.reverse();
        entries.retain(|entry| later.insert(entry.uid));
        for entry in entries.into_iter().rev() {
            match entry.change {
                Change::Gone => self.hear_gone(entry.uid, entry.modseq),
                Change::Here(flags) => self.hear_here(entry.uid, entry.modseq, flags),
            }
        }
    }

    /// Takes over all of what others know.
    pub(super) fn hear_known(&mut self, known: Known) {
        let gone = known.vanished.ranges().map(|range| (range.from, range.to));
        let gone = NumberSet::from_ranges(gone);
        self.draft.vanished = Arc::new(known.vanished);
        self.draft.modseq = self.draft.modseq.max(known.last);
        let mut records = known.records.iter().peekable();
        for message in Arc::clone(&self.before).iter() {
            while records.next_if(|record| record.uid < message.uid).is_some() {}
            if records
                .next_if(|record| record.uid == message.uid)
                .is_some()
            {
                continue;
            }
            match gone.contains(message.uid.get()) {
                true if self.in_time(known.last).is_some() => {
                    self.drop_at(&[message.uid].into(), known.last);
                }
                true => self.hear_gone(message.uid, known.last),
                false => self.disk.given.behind = true,
            }
        }
        for record in &known.records {
            self.hear_here(record.uid, record.modseq, record.flags);
        }
    }

    /// Somebody else gave this mod-sequence. What a client may have been told one above it for before gets this
    /// turn's.
    fn in_time(&self, modseq: ModSeq) -> Option<ModSeq> {
        (modseq > self.before.modseq).then_some(modseq)
    }

    fn hear_gone(&mut self, uid: Uid, modseq: ModSeq) {
        self.disk.given.heard.remove(&uid);
        let gone: NumberSet = [uid.get()].into_iter().collect();
        match self.in_time(modseq) {
            Some(modseq) => {
                self.drop_at(&[uid].into(), modseq);
                Arc::make_mut(&mut self.draft.vanished).push(&gone, modseq);
            }
            None => {
                self.drop_at(&[uid].into(), self.modseq);
                self.note_gone(&gone);
            }
        }
    }

    fn hear_here(&mut self, uid: Uid, modseq: ModSeq, flags: Flags) {
        let Some(message) = self.draft.find(uid).cloned() else {
            self.disk.given.heard.insert(uid, (modseq, flags));
            return;
        };
        if message.modseq >= modseq {
            self.disk.given.behind |= message.modseq > modseq;
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
        let (system, letters) = name.flags();
        let found = Flags::new(system, letters);
        let modseq = match self.in_time(modseq) {
            Some(modseq) if found == flags => modseq,
            _ => {
                self.note_change(uid, Change::Here(found));
                self.modseq
            }
        };
        self.name_letters(letters);
        let now = message.renamed(sub, name, modseq).at(modseq);
        self.draft.replace(now);
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
    pub(super) fn modseq_of(&mut self, uid: Uid, name: &FileName) -> ModSeq {
        let (flags, letters) = name.flags();
        let flags = Flags::new(flags, letters);
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
