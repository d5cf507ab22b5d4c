//! What is new in the directories: it gets its UIDs, comes into the picture, and moves from `new/` to `cur/`.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::disk::Listed;
use crate::mailbox::fault::Fault;
use crate::mailbox::transfer::{now, saved_field};
use crate::mailbox::turn::{TOUCH_EVERY, Turn};
use crate::mailbox::uids::Newcomer;
use crate::mailbox::witness::{SCANS, Sightings};
use crate::spool::filename::FileName;
use crate::spool::folder::Sub;
use crate::spool::scan;
use crate::spool::uidlist::Fields;

/// Seconds for which a file's name counts as made on its arrival here: deliveries may be seen late.
const JUST_MADE: u32 = 3600;

/// Files that the uidlist names, by UID, with what it tells.
type Listings = BTreeMap<Uid, (Sub, FileName, Listed)>;

impl Turn<'_> {
    /// Gives files that the picture lacks their UIDs: those of the uidlist, else new ones.
    pub(super) fn meet(&mut self, strangers: Sightings) -> Result<(), Fault> {
        let mut listed = self.remembered_unseen(&strangers);
        let mut fresh: Vec<(Sub, FileName)> = Vec::new();
        let told_gone = match self.first {
            true => self.told_gone(),
            false => NumberSet::new(),
        };
        for (base, seen) in strangers {
            let (mut standing, mut is_other) = (Vec::new(), false);
            for one in self.standing(&seen)? {
                let (sub, name) = &one.0;
                let is_message = self.disk.folder.is_message(*sub, name);
                match is_message.map_err(|error| self.fault("looking", error))? {
                    Some(true) => standing.push(one),
                    Some(false) => is_other = true,
                    None => {}
                }
            }
            let Some(((sub, name), inode)) = standing.pop() else {
                // A listed file that the scan has shown and that is there no more under that name was most likely
                // renamed since, as for new flags. Passed over, it would get another UID when it is found; whether it
                // is gone, the next look decides.
                if self.first
                    && !is_other
                    && let Some(record) = self.disk.listed.get(&base)
                    && !told_gone.contains(record.uid.get())
                    && let Some((sub, name)) = seen.into_iter().next_back()
                {
                    listed.insert(record.uid, (sub, name, record.clone()));
                    self.disk.rescan = true;
                }
                continue;
            };
            if !standing.is_empty() {
                // Known from now on: the next look parts those that are not the same file.
                self.disk.doubled.insert(base.clone());
                self.disk.rescan |= standing.iter().any(|(_, other)| *other != inode);
            }
            match self.disk.listed.get(&base) {
                Some(record)
                    if record.uid >= self.draft.uid_next
                        || self.first && !told_gone.contains(record.uid.get()) =>
                {
                    listed.insert(record.uid, (sub, name, record.clone()));
                }
                _ => fresh.push((sub, name)),
            }
        }
        self.show_listed(listed)?;
        if fresh.is_empty() {
            return Ok(());
        }
        if self.disk.has_uidlist() && self.asks_for_lock() {
            return Ok(()); // where the lock can be had some time, they get their UIDs then
        }
        fresh.sort_by(|(_, one), (_, other)| one.arrival_order(other));
        match self.number(fresh) {
            Ok(()) => self.disk.unnumbered = false,
            Err(fault) => {
                // The disk is full, most often. What is known can be read and expunged all the same.
                if !std::mem::replace(&mut self.disk.unnumbered, true) {
                    tracing::error!(%fault, "new messages are not shown, for they cannot be given UIDs");
                }
                self.disk.rescan = true;
            }
        }
        Ok(())
    }

    /// Messages that were there when the mailbox was closed, and that no scan has shown, where the first look is not
    /// sure of what it saw: they stay in the picture, as they were, until two witnesses say that they are gone.
    fn remembered_unseen(&mut self, strangers: &Sightings) -> Listings {
        let mut unseen = Listings::new();
        if !self.first || !self.disk.rescan {
            return unseen;
        }
        let Some(remembered) = &mut self.notes.remembered else {
            return unseen;
        };
        for (base, record) in &self.disk.listed {
            if strangers.contains_key(base) {
                continue;
            }
            let known = remembered.find(record.uid);
            let name = FileName::new(base).zip(known).and_then(|(name, known)| {
                let (flags, letters) = known.flags.parts();
                name.with_flags(flags, letters)
            });
            if let Some(name) = name {
                unseen.insert(record.uid, (Sub::Cur, name, record.clone()));
            }
        }
        unseen
    }

    /// Gives new UIDs.
    fn number(&mut self, fresh: Vec<(Sub, FileName)>) -> Result<(), Fault> {
        let mut uid = self.next_uid()?;
        let mut messages = Vec::with_capacity(fresh.len());
        for (sub, name) in fresh {
            messages.push(Newcomer {
                uid,
                sub,
                fields: self.arrival_fields(&name),
                name,
            });
            uid = uid
                .following()
                .ok_or_else(|| Fault::Cannot("This mailbox has used up its UIDs".into()))?;
        }
        self.enter(messages)
    }

    /// What the uidlist is told of a message that somebody else has put here. Its name tells when it was made; where that
    /// was long ago and nobody saw it here before, it was most likely moved from another mailbox just now. Of what lay
    /// here when the mailbox was opened nobody can say that.
    fn arrival_fields(&self, name: &FileName) -> Fields {
        let now = now();
        let is_new = |placed| now.abs_diff(placed) < JUST_MADE;
        match name.placed() {
            None if self.first => Vec::new(),
            Some(placed) if self.first || is_new(placed) => Vec::new(),
            _ => vec![saved_field(now)],
        }
    }

    /// Shows the files that others have given UIDs above all of ours, those in `found` and whatever else the
    /// uidlist names: a client must hear of UIDs in their order. A record whose file is nowhere is passed
    /// over; if the file turns up later, it gets a new UID. Which mod-sequences they have, only who has the lock hears.
    pub fn show_listed(&mut self, mut found: Listings) -> Result<(), Fault> {
        let next = self.draft.uid_next;
        let is_due = |record: &Listed| record.uid >= next;
        let due = self
            .disk
            .listed
            .values()
            .filter(|record| is_due(record))
            .count();
        for _ in 0..SCANS {
            if self.first || found.len() >= due {
                break;
            }
            let scan =
                scan::scan(&self.disk.folder).map_err(|error| self.fault("listing", error))?;
            for (sub, name) in scan.entries {
                if let Some(record) = self
                    .disk
                    .listed
                    .get(name.base())
                    .filter(|record| is_due(record))
                {
                    found.insert(record.uid, (sub, name, record.clone()));
                }
            }
            if scan.quiet {
                break;
            }
        }
        if !found.is_empty() && self.defers() {
            return Ok(());
        }
        for (sub, name, listed) in found.into_values() {
            let recent = sub == Sub::New || !self.first;
            self.show(listed, sub, name, recent);
        }
        Ok(())
    }

    /// Moves what is in `new/` to `cur/`, as a session that has the mailbox selected does. What cannot be
    /// moved stays where it is: it is served all the same.
    pub(super) fn take_over(&mut self) {
        if self.draft.in_new() == 0 || self.asks_for_lock() {
            return;
        }
        // They are the last ones, unless some could not be moved for long.
        let mut waiting = Vec::with_capacity(self.draft.in_new());
        let mut last = self.draft.len();
        while waiting.len() < self.draft.in_new() && last > 0 {
            last -= 1;
            waiting.extend(
                self.draft
                    .get(last)
                    .filter(|one| one.sub == Sub::New)
                    .cloned(),
            );
        }
        for (count, message) in waiting.iter().rev().enumerate() {
            let letters = self.letters_on_arrival(message);
            let Some(message) = self.draft.find(message.uid).cloned() else {
                continue;
            };
            let name = match letters == message.keywords.letters {
                true => message.name.taken_over(),
                false => message.name.with_flags(message.flags, letters),
            };
            let Some(name) = name else {
                continue;
            };
            match self.rename(&message, Sub::Cur, name) {
                Ok(()) => {}
                // Somebody else moved it: the next look finds it.
                Err(error) if error.kind() == ErrorKind::NotFound => self.disk.rescan = true,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    tracing::debug!(%error, "messages stay in new/");
                    return;
                }
            }
            if count % TOUCH_EVERY == TOUCH_EVERY - 1 {
                self.touch();
            }
        }
    }
}
