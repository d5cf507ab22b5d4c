//! A turn and `dovecot-uidlist`: what others have written there, which UIDs are next, and what we write.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::imap::objectid::ObjectId;
use crate::imap::sequence::Uid;
use crate::mailbox::disk::Listed;
use crate::mailbox::fault::Fault;
use crate::mailbox::turn::Turn;
use crate::mailbox::witness::Sightings;
use crate::spool::filename::FileName;
use crate::spool::folder::Sub;
use crate::spool::uidlist::{self, Change, Fields, Read, Record, UidList};

/// A rewrite of the uidlist inside a session has to be worth its fsyncs: that many dead records at least.
const DEAD_RECORDS: usize = 500;

/// A message that has no UID in the uidlist yet.
pub(super) struct Newcomer {
    pub uid: Uid,
    pub sub: Sub,
    pub name: FileName,
    /// Extension fields of its record.
    pub fields: Fields,
}

impl Turn<'_> {
    /// Hears what others have written to uidlist, keywords and index.
    pub fn hear(&mut self) -> Result<(), Fault> {
        let heard_keywords = self.hear_keywords()?;
        let records = self.hear_uidlist()?;
        self.hear_index();
        if heard_keywords {
            self.show_heard_extras();
        } else {
            self.notes.unheard = true;
            self.wants_lock = true;
        }
        if self.disk.uidlist.is_none() {
            return Ok(());
        }
        self.hear_records(records);
        if self.durability.take_doubt() {
            self.disk.rewrite = true;
            self.disk.extras.note_doubt();
        }
        if self.disk.missing && !self.disk.rests() {
            return Ok(()); // restored when a message comes, or when it is calm
        }
        if let Err(fault) = self.mend_uidlist() {
            // Who only reads or expunges can go on; nobody new gets a UID.
            tracing::warn!(%fault, "dovecot-uidlist is to be written anew");
        }
        Ok(())
    }

    /// The records that others have written, if any.
    fn hear_uidlist(&mut self) -> Result<Vec<Record>, Fault> {
        let Some(list) = &mut self.disk.uidlist else {
            return Ok(Vec::new());
        };
        let change = list.poll(&self.disk.folder);
        match change.map_err(|error| self.fault("reading dovecot-uidlist", error))? {
            Change::None => Ok(Vec::new()),
            Change::Appended(records) => {
                let file = self.disk.uidlist.as_ref().map(UidList::file);
                match (records.last(), file) {
                    (Some(last), Some(Ok(file))) => self.durability.note_uids(file, last.uid),
                    // They are told once. What cannot be synced is written anew.
                    (Some(_), Some(Err(_))) => self.disk.rewrite = true,
                    _ => {}
                }
                Ok(records)
            }
            Change::Replaced => self.hear_replaced(),
        }
    }

    fn hear_records(&mut self, records: Vec<Record>) {
        let mut renumbered = BTreeSet::new();
        for record in records {
            match self.disk.live.get(&record.base) {
                Some(uid) if *uid == record.uid => continue,
                // Another server has seen it go and come back. The file decides, or the two of us would
                // never agree again.
                Some(uid) => drop(renumbered.insert(*uid)),
                // A UID below those told cannot be told any more.
                None if record.uid < self.draft.uid_next && !self.draft.is_empty() => continue,
                None => {}
            }
            let listed = Listed::of(&record);
            self.disk.listed.insert(record.base, listed);
        }
        if !renumbered.is_empty() {
            tracing::warn!(
                mailbox = %self.disk.folder.path().display(),
                messages = renumbered.len(),
                "another program has given messages new UIDs"
            );
            self.drop_gone(&renumbered);
            self.disk.rescan = true;
        }
    }

    /// Somebody wrote the whole file anew, or removed it.
    fn hear_replaced(&mut self) -> Result<Vec<Record>, Fault> {
        let read = UidList::read(&self.disk.folder)
            .map_err(|error| self.fault("reading dovecot-uidlist", error))?;
        match read {
            Read::Whole { list, .. } if list.uid_validity != self.draft.uid_validity => {
                tracing::warn!(
                    mailbox = %self.disk.folder.path().display(),
                    was = self.draft.uid_validity.get(),
                    is = list.uid_validity.get(),
                    "another program changed UIDVALIDITY"
                );
                self.draft.ended = true;
                Err(Fault::Ended)
            }
            Read::Whole {
                mut list,
                records,
                rewrite,
            } => {
                // UIDs that were safe in the old file must be so in this one.
                list.sync(&self.disk.folder)
                    .map_err(|error| self.fault("syncing dovecot-uidlist", error))?;
                let before = self
                    .disk
                    .uidlist
                    .as_ref()
                    .map_or(list.next, |list| list.next);
                list.next = list.next.max(self.draft.uid_next).max(before);
                // Whoever made the file anew may have lost the floor.
                self.disk.rewrite |= !self.disk.given.note_floor(&mut list);
                self.durability.note_safe(list.next.get().saturating_sub(1));
                if list.keeps_guid() {
                    let guid = uidlist::guid_number(list.guid().as_bytes());
                    self.draft.id = ObjectId::of('F', guid);
                }
                self.disk.uidlist = Some(list);
                self.disk.missing = false;
                // A message that it lacks has to be written into it again.
                let live = |record: &&Record| self.disk.live.contains_key(&record.base);
                let lacks = records.iter().filter(live).count() < self.draft.len();
                self.disk.rewrite |= rewrite || lacks;
                Ok(records)
            }
            gone => {
                self.disk.missing = matches!(gone, Read::Missing);
                // The messages are known here: the file is written again with the same UIDs.
                if !self.disk.rewrite {
                    tracing::warn!(mailbox = %self.disk.folder.path().display(), "dovecot-uidlist is gone or broken: to be restored");
                }
                self.disk.rewrite = true;
                Ok(Vec::new())
            }
        }
    }

    /// Writes the uidlist anew if it must be, under the lock.
    fn mend_uidlist(&mut self) -> Result<(), Fault> {
        if self.disk.rewrite && !self.asks_for_lock() {
            self.rewrite_uidlist(false)?;
        }
        Ok(())
    }

    /// Writes the uidlist anew: version 3, with what the file knows of each message. `drop_dead` leaves
    /// out records whose message is not in the picture and not about to come into it.
    pub(super) fn rewrite_uidlist(&mut self, drop_dead: bool) -> Result<(), Fault> {
        let held = match UidList::read(&self.disk.folder) {
            Ok(Read::Whole { records, .. }) => records,
            Ok(Read::Broken(salvage)) => salvage.records,
            Ok(Read::Missing) => Vec::new(),
            Err(error) => return Err(self.fault("reading dovecot-uidlist", error)),
        };
        let mut records: Vec<Record> = held
            .into_iter()
            .filter(|record| match self.disk.live.get(&record.base) {
                Some(uid) => *uid == record.uid,
                None => !drop_dead || self.disk.listed.contains_key(&record.base),
            })
            .collect();
        let present: HashSet<Uid> = records.iter().map(|record| record.uid).collect();
        let absent = self.draft.iter().filter(|one| !present.contains(&one.uid));
        records.extend(absent.map(|message| Record {
            uid: message.uid,
            fields: message.fields(),
            base: message.name.base().into(),
        }));
        records.sort_by_key(|record| record.uid);
        let Some(list) = &mut self.disk.uidlist else {
            return Ok(());
        };
        list.next = list.next.max(self.draft.uid_next);
        if let Err(error) = list.rewrite(&self.disk.folder, &records) {
            return Err(self.fault("writing dovecot-uidlist", error));
        }
        let last = list.next.get().saturating_sub(1);
        self.disk.given.note_written(list);
        self.disk.rewrite = false;
        self.disk.missing = false;
        if drop_dead {
            self.disk.expunged.clear();
        }
        self.durability.note_safe(last);
        Ok(())
    }

    /// Drops dead records if that is a quarter of the file, as Dovecot does, and worth it. If it cannot be
    /// done they do no harm.
    pub fn compact_uidlist(&mut self) {
        let Some(list) = &self.disk.uidlist else {
            return;
        };
        let dead = list.record_count().saturating_sub(self.draft.len());
        if self.lock.is_some()
            && dead >= DEAD_RECORDS
            && dead * 4 >= list.record_count()
            && let Err(fault) = self.rewrite_uidlist(true)
        {
            tracing::warn!(%fault, "dead records stay in dovecot-uidlist");
        }
    }

    /// The UID that the next new message gets. What others have numbered meanwhile comes into the draft
    /// before it, for a client must hear of UIDs in their order.
    pub fn next_uid(&mut self) -> Result<Uid, Fault> {
        self.mend_uidlist()?;
        self.show_listed(BTreeMap::new())?;
        let listed = self.disk.uidlist.as_ref().map(|list| list.next);
        let next = listed.map_or(self.draft.uid_next, |next| next.max(self.draft.uid_next));
        if next.get() >= u32::MAX - 1 {
            return Err(Fault::Cannot("This mailbox has used up its UIDs".into()));
        }
        Ok(next)
    }

    /// Enters new messages: into the uidlist first, then into the draft. Their UIDs must be above all others.
    pub fn enter(&mut self, messages: Vec<Newcomer>) -> Result<(), Fault> {
        let records: Vec<Record> = messages
            .iter()
            .map(|new| Record {
                uid: new.uid,
                fields: new.fields.clone(),
                base: new.name.base().into(),
            })
            .collect();
        let Some(last) = records.last().map(|record| record.uid) else {
            return Ok(());
        };
        self.forget_old_records(&records)?;
        if let Some(list) = &mut self.disk.uidlist {
            let appended = list.append(&self.disk.folder, &records);
            match appended.and_then(|()| list.file()) {
                Ok(file) => self.durability.note_uids(file, last),
                Err(error) => {
                    // The files are there and nobody has heard of them: the next look finds them.
                    self.disk.rescan = true;
                    return Err(self.fault("writing dovecot-uidlist", error));
                }
            }
        }
        for (new, record) in messages.into_iter().zip(&records) {
            self.show(Listed::of(record), new.sub, new.name, true);
        }
        Ok(())
    }

    /// Has those records be dead whose files are not among those seen: whoever comes back under such a name gets another
    /// UID. What the history does not tell whoever opens the mailbox next, the file must not tell otherwise.
    pub(super) fn bury_listed(&mut self, seen: &Sightings) {
        let is_dead = |base: &[u8]| !seen.contains_key(base);
        if !self.disk.listed.keys().any(|base| is_dead(base)) {
            return;
        }
        // Without the lock somebody may be about to bring the file. Where it can be had, they wait for who has it.
        if self.asks_for_lock() {
            if !self.wants_lock {
                self.disk.listed.retain(|base, _| !is_dead(base));
            }
            return;
        }
        let buried = self.disk.listed.extract_if(|base, _| is_dead(base));
        let buried: Vec<_> = buried.map(|(base, listed)| (base, listed.uid)).collect();
        let told = self.told_or_remembered();
        let is_told = buried.iter().all(|(_, uid)| told.contains(uid.get()));
        self.disk
            .expunged
            .extend(buried.into_iter().map(|(base, _)| base));
        if !is_told && let Err(fault) = self.rewrite_uidlist(true) {
            tracing::warn!(%fault, "dead records stay in dovecot-uidlist");
        }
    }

    /// What has come back has a record of its former UID, which nobody may take for its own any more: it goes before the
    /// new one is written.
    fn forget_old_records(&mut self, new: &[Record]) -> Result<(), Fault> {
        let mut has_old = false;
        for record in new {
            has_old |= self.disk.listed.remove(&record.base).is_some()
                || self.disk.expunged.contains(&record.base);
        }
        match has_old {
            true => self.rewrite_uidlist(true),
            false => Ok(()),
        }
    }
}
