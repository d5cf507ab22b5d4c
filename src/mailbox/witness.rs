//! What is there, what is new, and what counts as gone.
//!
//! A directory cannot be trusted at one glance. While others rename, readdir misses entries that are
//! there all the time and shows others twice; a rename is two events that may come apart; a program may
//! replace a name by linking the new one before it unlinks the old. So:
//!
//! - The base name alone says which message a file is. One the mailbox knows never gets a second UID.
//! - Nobody is told EXPUNGE on the word of one witness. Gone is (a) a kernel event that the exact last
//!   known name was unlinked, no other name of that base now, and ENOENT for it; or (b) two complete
//!   scans, both quiet, with both directories the same before, between and after. A rename away counts
//!   as no witness: its other half may still come.
//! - What is in doubt stays in the picture and is looked at again.
//! - A base name told as expunged that comes back gets a new UID, once a second look has found it.
//! - Two files with one base name: the same inode is one message that somebody is renaming by link and
//!   unlink, and left alone; different inodes that are both still there get different base names.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::imap::sequence::Uid;
use crate::mailbox::disk::{Listed, Newcomer, Turn, fresh_name};
use crate::mailbox::fault::Fault;
use crate::mailbox::watch::{Kind, News};
use crate::spool::filename::FileName;
use crate::spool::folder::{Stamp, Sub};
use crate::spool::scan;

/// Scans in one look before what is missing stays in doubt.
const SCANS: usize = 6;

/// Longer than the guard below which a directory time cannot be trusted (two clock ticks).
const SETTLE: Duration = Duration::from_millis(12);

/// After this many renames from `new/` to `cur/` the lock's time is renewed.
const TOUCH_EVERY: usize = 1000;

/// Names of one base seen in a scan or told by events, the latest last.
type Sightings = HashMap<Box<[u8]>, Vec<(Sub, FileName)>>;

/// A name that exists, and its device and inode.
type Standing = ((Sub, FileName), (u64, u64));

/// Files that the uidlist names, by UID, with the size that it tells.
type Listings = BTreeMap<Uid, (Sub, FileName, Option<u64>)>;

impl Turn<'_> {
    /// Brings the draft up to date: by the names that events told, or by listing both directories where
    /// that is due. With `take_over`, what is in `new/` moves to `cur/`.
    pub fn look(&mut self, news: &News, take_over: bool) -> Result<(), Fault> {
        if news.rescan || self.disk.rescan {
            self.look_at_all()?;
        } else {
            let stamps = self
                .disk
                .stamps()
                .map_err(|error| self.fault("looking", error))?;
            self.look_at_names(news, &stamps)?;
            self.note_seen(Some(stamps));
        }
        if take_over {
            self.take_over();
        }
        Ok(())
    }

    /// Acts on events: only the names they told are looked at.
    fn look_at_names(&mut self, news: &News, stamps: &[Stamp; 2]) -> Result<(), Fault> {
        let mut sightings = Sightings::new();
        let mut deleted: HashSet<&[u8]> = HashSet::new();
        let mut touched: Vec<Box<[u8]>> = Vec::new();
        for event in &news.events {
            let Some(name) = FileName::new(&event.name) else {
                continue;
            };
            let base: Box<[u8]> = name.base().into();
            match event.kind {
                Kind::Appeared => sightings
                    .entry(base.clone())
                    .or_default()
                    .push((event.sub, name)),
                Kind::Deleted => {
                    deleted.insert(&event.name);
                }
                Kind::Left => {}
            }
            touched.push(base);
        }
        // The stamp of new/ may be ahead of the events: a look at it is cheap and finds mail at once.
        if self.disk.seen.is_none_or(|[new, _]| new != stamps[0]) {
            let listed = scan::list(&self.disk.folder, Sub::New)
                .map_err(|error| self.fault("listing new/", error))?;
            for name in listed
                .into_iter()
                .filter(|name| !self.disk.live.contains_key(name.base()))
            {
                let base: Box<[u8]> = name.base().into();
                sightings
                    .entry(base.clone())
                    .or_default()
                    .push((Sub::New, name));
                touched.push(base);
            }
        }
        touched.sort_unstable();
        touched.dedup();

        let (mut gone, mut strangers) = (HashSet::new(), Sightings::new());
        for base in touched {
            let seen = sightings.remove(&base).unwrap_or_default();
            let Some(uid) = self.disk.live.get(&base).copied() else {
                strangers.insert(base, seen);
                continue;
            };
            if let Some(uid) = self
                .follow(uid, seen, &deleted)
                .map_err(|error| self.fault("looking", error))?
            {
                gone.insert(uid);
            }
        }
        self.drop_gone(&gone);
        self.meet(strangers)
    }

    /// Finds out what events about one known message mean. Gives its UID if it is gone.
    fn follow(
        &mut self,
        uid: Uid,
        seen: Vec<(Sub, FileName)>,
        deleted: &HashSet<&[u8]>,
    ) -> std::io::Result<Option<Uid>> {
        let Some(message) = self.draft.find(uid).cloned() else {
            return Ok(None);
        };
        let known = (message.sub, &*message.name);
        let ours = seen.iter().all(|(sub, name)| (*sub, name) == known);
        if ours && !seen.is_empty() && !deleted.contains(message.name.bytes()) {
            return Ok(None); // the echo of our own rename
        }
        let stands = self.disk.folder.exists(message.sub, &message.name)?;
        let mut other = None;
        for (sub, name) in seen
            .into_iter()
            .rev()
            .filter(|(sub, name)| (*sub, name) != known)
        {
            if self.disk.folder.is_message(sub, &name)? {
                other = Some((sub, name));
                break;
            }
        }
        match (stands, other) {
            (true, None) => Ok(None),
            (true, Some(_)) => {
                self.disk.rescan = true; // twins, or a rename by link and unlink that is not over
                Ok(None)
            }
            (false, Some((sub, name))) => {
                self.note_name(&message, sub, name);
                Ok(None)
            }
            (false, None) if deleted.contains(message.name.bytes()) => Ok(Some(uid)),
            (false, None) => {
                self.disk.rescan = true;
                Ok(None)
            }
        }
    }

    /// Lists both directories, as often as it takes to be sure, or leaves the rest in doubt.
    fn look_at_all(&mut self) -> Result<(), Fault> {
        let mut strangers = Sightings::new();
        let mut found: HashSet<Uid> = HashSet::new();
        let mut witness: Option<([Stamp; 2], HashSet<Uid>)> = None;
        let mut gone = HashSet::new();
        self.disk.rescan = true;
        self.note_seen(None);
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
                        self.settle(uid, &seen)?;
                    }
                    None => {
                        strangers.insert(base, seen);
                    }
                }
            }
            let missing: HashSet<Uid> = self
                .draft
                .iter()
                .map(|message| message.uid)
                .filter(|uid| !here.contains(uid))
                .collect();
            found.extend(here);
            let stamps = [scan.new, scan.cur];
            if scan.quiet {
                // A first look must not take a listed file that one scan missed for a dead record.
                let whole = missing.is_empty() && !self.lacks_listed(&strangers);
                let confirmed = witness
                    .as_ref()
                    .is_some_and(|(before, _)| *before == stamps);
                if whole || confirmed {
                    gone = witness
                        .take()
                        .map_or(missing.clone(), |(_, before)| &before & &missing);
                    self.note_seen(Some(stamps));
                    self.disk.rescan = false;
                    break;
                }
                witness = Some((stamps, missing));
            } else {
                witness = None;
                if missing.is_empty() && !self.lacks_listed(&strangers) {
                    self.disk.rescan = false;
                    break;
                }
                std::thread::sleep(SETTLE);
            }
        }
        self.drop_gone(&gone);
        self.meet(strangers)?;
        if !self.disk.rescan {
            self.disk.listed.clear();
            self.compact_uidlist()?;
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

    /// Takes over what a scan saw of a known message: its name, or twins of it.
    fn settle(&mut self, uid: Uid, seen: &[(Sub, FileName)]) -> Result<(), Fault> {
        let Some(message) = self.draft.find(uid).cloned() else {
            return Ok(());
        };
        let is_known =
            |(sub, name): &(Sub, FileName)| *sub == message.sub && *name == *message.name;
        if let [one] = seen {
            if !is_known(one) {
                self.note_name(&message, one.0, one.1.clone());
            }
            return Ok(());
        }
        let standing = self.standing(seen)?;
        match standing
            .iter()
            .position(|(entry, _)| is_known(entry))
            .or(standing.len().checked_sub(1))
        {
            None => Ok(()),
            Some(keep) => {
                let Some(((sub, name), inode)) = standing.get(keep).cloned() else {
                    return Ok(());
                };
                if !is_known(&(sub, name.clone())) {
                    self.note_name(&message, sub, name);
                }
                for ((sub, name), _) in standing.iter().filter(|(_, other)| *other != inode) {
                    self.part_twin(*sub, name);
                }
                Ok(())
            }
        }
    }

    /// Those of several names of one base that exist, each once, with their inodes.
    fn standing(&self, seen: &[(Sub, FileName)]) -> Result<Vec<Standing>, Fault> {
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
        if self.lock.is_none() {
            return;
        }
        let Some(fresh) = fresh_name(name) else {
            return;
        };
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

    /// Gives files that the picture lacks their UIDs: those of the uidlist, else new ones.
    fn meet(&mut self, strangers: Sightings) -> Result<(), Fault> {
        let mut listed = Listings::new();
        let mut fresh: Vec<(Sub, FileName)> = Vec::new();
        for (base, seen) in strangers {
            let mut standing = self.standing(&seen)?;
            standing.retain(|((sub, name), _)| {
                self.disk.folder.is_message(*sub, name).unwrap_or(false)
            });
            let Some(((sub, name), inode)) = standing.pop() else {
                continue;
            };
            for ((sub, name), _) in standing.iter().filter(|(_, other)| *other != inode) {
                self.part_twin(*sub, name);
            }
            match self.disk.listed.get(&base) {
                Some(record) if record.uid >= self.draft.uid_next || self.first => {
                    listed.insert(record.uid, (sub, name, record.virtual_size));
                }
                _ => fresh.push((sub, name)),
            }
        }
        self.show_listed(listed)?;
        if fresh.is_empty() {
            return Ok(());
        }
        if self.lock.is_none() && self.disk.has_uidlist() {
            // They have no UID until somebody can give them one: the next look must find them again.
            self.look_again();
            return Ok(());
        }
        fresh.sort_by(|(_, one), (_, other)| one.arrival_order(other));
        let mut uid = self.next_uid()?;
        let mut messages = Vec::with_capacity(fresh.len());
        for (sub, name) in fresh {
            messages.push(Newcomer {
                uid,
                sub,
                name,
                fields: Vec::new(),
            });
            uid = uid
                .following()
                .ok_or_else(|| Fault::Cannot("This mailbox has used up its UIDs".into()))?;
        }
        let entered = self.enter(messages);
        let crowded = matches!(entered, Err(Fault::DiskFull(_)));
        if crowded && !self.disk.crowded {
            tracing::error!(
                mailbox = %self.disk.folder.path().display(),
                "the disk is full: new messages are not shown, for they cannot be given UIDs"
            );
        }
        self.disk.crowded = crowded;
        if crowded {
            // What has a UID can be read all the same.
            self.look_again();
            return Ok(());
        }
        entered
    }

    /// Leaves things to the next look, which must list everything.
    fn look_again(&mut self) {
        self.note_seen(None);
        self.disk.rescan = true;
    }

    /// Shows the files that others have given UIDs above all of ours, those in `found` and whatever else the
    /// uidlist names: a client must hear of UIDs in their order. A record whose file is nowhere is passed
    /// over; if the file turns up later, it gets a new UID.
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
                    found.insert(record.uid, (sub, name, record.virtual_size));
                }
            }
            if scan.quiet {
                break;
            }
        }
        for (uid, (sub, name, virtual_size)) in found {
            let recent = sub == Sub::New || !self.first;
            self.show(uid, sub, name, virtual_size, recent);
        }
        Ok(())
    }

    /// Moves what is in `new/` to `cur/`, as a session that has the mailbox selected does. What cannot be
    /// moved stays where it is: it is served all the same.
    fn take_over(&mut self) {
        if self.lock.is_none() {
            return;
        }
        let waiting: Vec<_> = self
            .draft
            .iter()
            .filter(|message| message.sub == Sub::New)
            .cloned()
            .collect();
        for (count, message) in waiting.iter().enumerate() {
            let Some(name) = message.name.taken_over() else {
                continue;
            };
            match self
                .disk
                .folder
                .rename(Sub::New, &message.name, Sub::Cur, &name)
            {
                Ok(()) => {
                    self.note_moved(Sub::New, Sub::Cur);
                    self.note_name(message, Sub::Cur, name);
                }
                // Somebody else moved it: the next look finds it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.disk.rescan = true
                }
                Err(error) => {
                    tracing::debug!(%error, "a message stays in new/");
                    return;
                }
            }
            if count % TOUCH_EVERY == TOUCH_EVERY - 1 {
                self.touch();
            }
        }
    }
}
