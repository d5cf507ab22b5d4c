//! What is there, what is new, and what counts as gone.
//!
//! A directory cannot be trusted at one glance. While others rename, readdir misses entries that are
//! there all the time and shows others twice; a rename is two events that may come apart; a program may
//! replace a name by linking the new one before it unlinks the old. So:
//!
//! - The base name alone says which message a file is. One the mailbox knows never gets a second UID.
//! - Nobody is told EXPUNGE on the word of one witness. Gone is (a) a kernel event that the exact last
//!   known name was unlinked, no other name of that base told, and ENOENT for it; or (b) two complete
//!   scans, both quiet, with both directories the same before, between and after. A rename away counts
//!   as no witness: its other half may still come.
//! - What is in doubt stays in the picture and is looked at again.
//! - A base name told as expunged that comes back gets a new UID.
//! - Two files with one base name: the same inode is one message that somebody is renaming by link and
//!   unlink, and left alone; different inodes that are both still there at a second look get different base names.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use crate::imap::sequence::Uid;
use crate::mailbox::fault::Fault;
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::{Turn, fresh_name};
use crate::mailbox::watch::{Inbox, Kind, News};
use crate::spool::filename::FileName;
use crate::spool::folder::{Stamp, Sub};
use crate::spool::scan::{self, is_settled};

/// Scans in one look before what is missing stays in doubt.
pub(super) const SCANS: usize = 6;

/// Longer than the guard below which a directory time cannot be trusted (two clock ticks).
const SETTLE: Duration = Duration::from_millis(12);

/// Names of one base seen in a scan or told by events, the latest last.
pub(super) type Sightings = HashMap<Box<[u8]>, Vec<(Sub, FileName)>>;

/// An entry that is there, and its device and inode.
type Standing = ((Sub, FileName), (u64, u64));

impl Turn<'_> {
    /// Brings the draft up to date: by the names that events told, or by listing both directories where
    /// that is due. With `take_over`, what is in `new/` moves to `cur/`.
    ///
    /// The events are taken here and not before, so that nobody who goes away takes them along.
    pub fn look(&mut self, inbox: &Inbox, take_over: bool) -> Result<(), Fault> {
        self.looks = true;
        let looked = self.look_at(&inbox.take(), take_over);
        // The events are used up: if this failed, or has left out what has no UID, only the directories can
        // tell.
        self.disk.rescan |= looked.is_err() || self.wants_lock;
        looked.map(drop)
    }

    /// The same without the lock. True if something is to be written: all that was new is left for who has it.
    pub fn glance(&mut self, inbox: &Inbox, take_over: bool) -> Result<bool, Fault> {
        (self.glances, self.looks) = (true, true);
        if self.wants_lock {
            return Ok(true); // it has heard already what it cannot answer
        }
        let (news, seen, doubled) = (inbox.take(), self.disk.seen, self.disk.doubled.clone());
        let new_listed = self.disk.new_listed;
        let looked = self.look_at(&news, take_over);
        self.disk.rescan |= looked.is_err();
        let listed = looked?;
        if self.wants_lock {
            inbox.put_back(news, listed);
            // The second look that twins are owed is not the one that follows at once.
            (self.disk.seen, self.disk.doubled) = (seen, doubled);
            self.disk.new_listed = new_listed;
        }
        Ok(self.wants_lock)
    }

    /// True if both directories were listed.
    fn look_at(&mut self, news: &News, take_over: bool) -> Result<bool, Fault> {
        let stamps = self
            .disk
            .stamps()
            .map_err(|error| self.fault("looking", error))?;
        let cur_rests = self.disk.seen.is_some_and(|[_, cur]| cur == stamps[1]);
        // Where names were told they come first; a doubt can rest that long. Without events names cannot tell:
        // if `cur/` has changed, it is listed.
        let by_names = match news.events.is_empty() {
            false => self.watched && !news.rescan,
            true => cur_rests && !news.rescan && !self.disk.rescan,
        };
        let by_names = by_names && self.look_at_names(news, stamps)?;
        if !by_names {
            self.look_at_all()?;
        }
        if take_over {
            self.take_over();
        }
        Ok(!by_names)
    }

    /// Looks only at the names that events told, and at `new/` if it has changed. False if that is not enough.
    fn look_at_names(&mut self, news: &News, stamps: [Stamp; 2]) -> Result<bool, Fault> {
        let mut sightings = Sightings::new();
        let mut deleted: HashSet<(Sub, &[u8])> = HashSet::new();
        let mut touched: Vec<Box<[u8]>> = Vec::new();
        for event in &news.events {
            let Some(name) = FileName::new(&event.name) else {
                continue;
            };
            let base: Box<[u8]> = name.base().into();
            touched.push(base.clone());
            match event.kind {
                Kind::Appeared => sightings.entry(base).or_default().push((event.sub, name)),
                Kind::Deleted => drop(deleted.insert((event.sub, &event.name))),
                Kind::Left => {}
            }
        }
        // The stamp of new/ may be ahead of the events: a look at it is cheap and finds mail at once.
        let mut whole = self.watched;
        let is_known = self.disk.seen.is_some_and(|[new, _]| new == stamps[0]);
        if !is_known || self.disk.new_listed != Some(stamps[0]) {
            let now = SystemTime::now();
            let listed = scan::list(&self.disk.folder, Sub::New)
                .map_err(|error| self.fault("listing new/", error))?;
            let mut known = HashSet::new();
            for name in listed {
                let base: Box<[u8]> = name.base().into();
                match self.disk.live.get(&base) {
                    Some(uid) => drop(known.insert(*uid)),
                    None => {
                        touched.push(base.clone());
                        sightings.entry(base).or_default().push((Sub::New, name));
                    }
                }
            }
            if !self.watched && known.len() != self.draft.in_new() {
                return Ok(false); // something has left new/, and nobody told whereto
            }
            let after = self.disk.folder.stamp(Sub::New);
            let settled = is_settled(&stamps[0], now);
            self.disk.new_listed = settled.then_some(stamps[0]);
            whole |= settled && after.is_ok_and(|after| after == stamps[0]);
        }
        touched.sort_unstable();
        touched.dedup();

        let (mut gone, mut strangers) = (BTreeSet::new(), Sightings::new());
        for base in touched {
            let seen = sightings.remove(&base).unwrap_or_default();
            let Some(uid) = self.disk.live.get(&base).copied() else {
                strangers.insert(base, seen);
                continue;
            };
            let is_gone = self
                .follow(uid, seen, &deleted)
                .map_err(|error| self.fault("looking", error))?;
            if is_gone {
                gone.insert(uid);
            }
        }
        if !gone.is_empty() && !self.leaves(&gone) {
            self.drop_gone(&gone);
            self.compact_uidlist();
        }
        if whole {
            self.note_seen(stamps);
            let cur_rests = |[_, cur]: [Stamp; 2]| cur == stamps[1];
            if !self.watched && self.disk.proven.is_some_and(cur_rests) {
                self.disk.proven = Some(stamps);
            }
        }
        self.meet(strangers)?;
        Ok(true)
    }

    /// Finds out what events about one known message mean. True if it is gone.
    fn follow(
        &mut self,
        uid: Uid,
        seen: Vec<(Sub, FileName)>,
        deleted: &HashSet<(Sub, &[u8])>,
    ) -> std::io::Result<bool> {
        let Some(message) = self.draft.find(uid).cloned() else {
            return Ok(false);
        };
        let known = (message.sub, &*message.name);
        let stands = self.disk.folder.exists(message.sub, &message.name)?;
        let had_another = seen.iter().any(|(sub, name)| (*sub, name) != known);
        let mut others: Vec<(Sub, FileName)> = Vec::new();
        for (sub, name) in seen {
            if (sub, &name) != known
                && !others.contains(&(sub, name.clone()))
                && self.disk.folder.is_message(sub, &name)? == Some(true)
            {
                others.push((sub, name));
            }
        }
        if usize::from(stands) + others.len() > 1 {
            // Twins, or a rename by link and unlink that is not over.
            self.disk.doubled.insert(message.name.base().into());
            self.disk.rescan = true;
        }
        match (stands, others.pop()) {
            (true, _) => {}
            (false, Some((sub, name))) => self.note_sight(&message, sub, name),
            (false, None) => {
                let told = deleted.contains(&(message.sub, message.name.bytes()));
                // A name that it has got and lost again meanwhile may have been linked to a third, of which nobody has
                // told yet.
                let in_doubt = had_another || self.disk.doubled.contains(message.name.base());
                if told && !in_doubt {
                    return Ok(true);
                }
                self.disk.rescan = true;
            }
        }
        Ok(false)
    }

    /// Takes over a name that was seen. One with other flags is for who has the lock.
    fn note_sight(&mut self, message: &Message, sub: Sub, name: FileName) {
        let same = name.flags() == (message.flags, message.keywords.letters);
        if same || !self.defers() {
            self.note_name(message, sub, name);
        }
    }

    /// Whether what is gone is left for who has the lock. Not where somebody seems to be removing the whole mailbox:
    /// the lock would be in the way.
    fn leaves(&mut self, gone: &BTreeSet<Uid>) -> bool {
        if !self.glances {
            return false;
        }
        if gone.len() > 1 || gone.len() == self.draft.len() {
            std::thread::sleep(SETTLE);
        }
        self.disk.note_vanishing();
        !self.disk.is_vanishing() && self.defers()
    }

    /// Lists both directories, as often as it takes to be sure, or leaves the rest in doubt.
    fn look_at_all(&mut self) -> Result<(), Fault> {
        let mut strangers = Sightings::new();
        let mut witness: Option<([Stamp; 2], BTreeSet<Uid>)> = None;
        let mut gone = BTreeSet::new();
        let doubled_before = std::mem::take(&mut self.disk.doubled);
        self.note_doubt();
        let mut unsettled = false;
        for _ in 0..SCANS {
            let scan =
                scan::scan(&self.disk.folder).map_err(|error| self.fault("listing", error))?;
            let mut sightings = Sightings::with_capacity(scan.entries.len());
            for (sub, name) in scan.entries {
                sightings
                    .entry(name.base().into())
                    .or_default()
                    .push((sub, name));
            }
            let mut here = HashSet::with_capacity(self.draft.len());
            for (base, seen) in sightings {
                match self.disk.live.get(&base).copied() {
                    Some(uid) => {
                        here.insert(uid);
                        unsettled |= self.settle(uid, &seen, &doubled_before)?;
                    }
                    None => drop(strangers.insert(base, seen)),
                }
            }
            if self.glances && self.wants_lock {
                return Ok(()); // who has the lock looks again
            }
            let missing: BTreeSet<Uid> = self
                .draft
                .iter()
                .map(|message| message.uid)
                .filter(|uid| !here.contains(uid))
                .collect();
            // A first look must not take a listed file that one scan missed for a dead record.
            let whole = missing.is_empty() && !self.lacks_listed(&strangers);
            let stamps = [scan.new, scan.cur];
            if !scan.quiet {
                witness = None;
                if whole {
                    break; // but it may have missed what is new: that stays in doubt
                }
                std::thread::sleep(SETTLE);
                continue;
            }
            let before = witness.take().filter(|(before, _)| *before == stamps);
            if whole || before.is_some() {
                gone = before.map_or(BTreeSet::new(), |(_, before)| &before & &missing);
                self.note_seen(stamps);
                self.disk.proven = Some(stamps);
                self.disk.new_listed = Some(scan.new);
                self.disk.rescan = false;
                break;
            }
            witness = Some((stamps, missing));
        }
        if !gone.is_empty() && !self.leaves(&gone) {
            self.drop_gone(&gone);
        }
        if !self.disk.rescan {
            self.bury_listed(&strangers);
        }
        self.disk.rescan |= unsettled;
        self.meet(strangers)?;
        if !self.disk.rescan {
            self.compact_uidlist();
            self.count_dead_extras();
            self.compact_extras();
        }
        Ok(())
    }

    /// Whether the uidlist names files that no scan has shown so far.
    fn lacks_listed(&self, strangers: &Sightings) -> bool {
        self.disk
            .listed
            .keys()
            .any(|base| !strangers.contains_key(base))
    }

    /// Takes over what a scan saw of a known message: its name, or twins of it. Twins that an earlier look has
    /// seen are parted. True if there are some to be parted later.
    fn settle(
        &mut self,
        uid: Uid,
        seen: &[(Sub, FileName)],
        doubled_before: &HashSet<Box<[u8]>>,
    ) -> Result<bool, Fault> {
        let Some(message) = self.draft.find(uid).cloned() else {
            return Ok(false);
        };
        let is_known =
            |(sub, name): &(Sub, FileName)| *sub == message.sub && *name == *message.name;
        if let [one] = seen {
            if !is_known(one) {
                self.note_sight(&message, one.0, one.1.clone());
            }
            return Ok(false);
        }
        let standing = self.standing(seen)?;
        let known = standing.iter().find(|(entry, _)| is_known(entry));
        let Some((kept, inode)) = known.or(standing.last()).cloned() else {
            return Ok(false);
        };
        if !is_known(&kept) {
            self.note_sight(&message, kept.0, kept.1);
        }
        if standing.len() < 2 {
            return Ok(false);
        }
        self.disk.doubled.insert(message.name.base().into());
        let twins = standing.iter().filter(|(_, other)| *other != inode);
        if doubled_before.contains(message.name.base()) {
            twins.for_each(|((sub, name), _)| self.part_twin(*sub, name));
            return Ok(false);
        }
        Ok(twins.count() > 0)
    }

    /// Those of several names of one base that exist, each once, with their inodes.
    pub(super) fn standing(&self, seen: &[(Sub, FileName)]) -> Result<Vec<Standing>, Fault> {
        let mut standing: Vec<Standing> = Vec::new();
        for entry in seen {
            let inode = self
                .disk
                .folder
                .inode(entry.0, &entry.1)
                .map_err(|error| self.fault("looking", error))?;
            if let Some((device, number, _)) = inode
                && !standing.iter().any(|(known, _)| known == entry)
            {
                standing.push((entry.clone(), (device, number)));
            }
        }
        Ok(standing)
    }

    /// Gives the second of two different files with one base name a base name of its own; the next scan
    /// finds it as a new message. Nothing is lost if that fails: only one of them shows.
    fn part_twin(&mut self, sub: Sub, name: &FileName) {
        if self.asks_for_lock() {
            return;
        }
        let Some(fresh) = fresh_name(name) else {
            return;
        };
        // Its keywords go with it, as those in its name do.
        let extras = self.disk.extras.of(name.base());
        if let Err(fault) = self.put_extras(&[(fresh.base(), extras)]) {
            tracing::warn!(%fault, "a message loses keywords");
        }
        match self.disk.folder.rename(sub, name, sub, &fresh) {
            Ok(()) => {
                tracing::warn!(
                    mailbox = %self.disk.folder.path().display(),
                    name = %name.bytes().escape_ascii(),
                    "two files with one base name: the second was renamed"
                );
                self.disk.rescan = true;
                self.note_moved(sub, sub);
            }
            Err(error) => tracing::warn!(
                mailbox = %self.disk.folder.path().display(),
                name = %name.bytes().escape_ascii(),
                %error,
                "two files with one base name, and the second cannot be renamed"
            ),
        }
    }
}
