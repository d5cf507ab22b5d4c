//! A mailbox's side of the disk: its uidlist and keywords as last read, and which base names it knows.
//!
//! Everything here runs on the blocking pool, one job at a time for a mailbox, nearly always with
//! `dovecot-uidlist.lock` held (a [`Turn`]). What is done goes to the disk first, then into the draft of
//! the next [`Snapshot`], which is published when the turn ends.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::mailbox::durability::Durability;
use crate::mailbox::fault::Fault;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::watch::{Event, Kind};
use crate::spool::filename::{FileName, Letters};
use crate::spool::folder::{Folder, Stamp, Sub};
use crate::spool::keywords::Keywords;
use crate::spool::lock::Lock;
use crate::spool::tree::Tree;
use crate::spool::uidlist::{Change, Fields, Read, Record, Salvage, UidList};
use crate::spool::{scan, uidvalidity};

/// How often a name is looked for again when it keeps changing under us (as often as Dovecot does).
const NAME_TRIES: usize = 10;

/// A rewrite of the uidlist inside a session has to be worth its fsyncs: that many dead records at least.
const DEAD_RECORDS: usize = 500;

/// A record of the uidlist whose file is not in the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub uid: Uid,
    pub virtual_size: Option<u64>,
}

/// What is known of the disk between two turns.
pub(super) struct Disk {
    pub folder: Arc<Folder>,
    /// `None` if there is no uidlist and none can be written: UIDs are made up then.
    uidlist: Option<UidList>,
    pub keywords: Keywords,
    /// Base names of the messages in the picture.
    pub live: HashMap<Box<[u8]>, Uid>,
    /// Base names that the uidlist has and the picture has not.
    pub listed: HashMap<Box<[u8]>, Listed>,
    /// Base names told as expunged: one that comes back gets a new UID.
    pub expunged: HashSet<Box<[u8]>>,
    /// The directories as they were when the picture was last known to be whole.
    pub seen: Option<[Stamp; 2]>,
    /// When that was noted: a time younger than this by less than a clock tick may hide a change.
    pub seen_at: Option<SystemTime>,
    /// Something was in doubt: both directories must be listed at the next look.
    pub rescan: bool,
    /// New messages wait for room on the disk, and the log says so.
    pub crowded: bool,
    /// Some records must be written anew: a sync of the file has failed, or it was damaged.
    rewrite: bool,
}

impl Disk {
    /// Reads uidlist and keywords, and gives the empty picture to begin with. With `lock` a missing or
    /// broken uidlist is made; without it `None` says that it has to be, where it could.
    pub fn load(
        folder: Arc<Folder>,
        tree: &Tree,
        lock: Option<&Lock>,
    ) -> Result<Option<(Disk, Snapshot)>, Fault> {
        let doing = |act: &str| format!("{act} {}", folder.path().display());
        let mut keywords = Keywords::read(&folder)
            .map_err(|error| Fault::from_io(doing("reading keywords of"), error))?;
        let read = UidList::read(&folder)
            .map_err(|error| Fault::from_io(doing("reading the uidlist of"), error))?;
        let make = |salvage: Salvage| -> std::io::Result<_> {
            let Salvage {
                uid_validity: above,
                records,
            } = salvage;
            let validity = uidvalidity::next(tree, above)?;
            let list = UidList::create(&folder, validity, Uid::FIRST, &records)?;
            tracing::info!(
                mailbox = %folder.path().display(),
                uidvalidity = validity.get(),
                "new uidlist"
            );
            Ok((Some(list), records))
        };
        let mut rewrite = false;
        let (uidlist, records) = match read {
            Read::Whole {
                list,
                records,
                rewrite: wanted,
            } => {
                rewrite = wanted;
                // Whoever wrote it last may not have synced it, and its UIDs are about to be spoken.
                let synced = list.file().and_then(|file| file.sync_data());
                synced.map_err(|error| Fault::from_io(doing("syncing the uidlist of"), error))?;
                (Some(list), records)
            }
            Read::Missing if lock.is_some() => make(Salvage::default())
                .map_err(|error| Fault::from_io(doing("making the uidlist of"), error))?,
            Read::Broken(mut salvage) if lock.is_some() => {
                // It may have been anything up to now.
                let now = passing_uid_validity();
                salvage.uid_validity = salvage.uid_validity.max(Some(now));
                make(salvage)
                    .map_err(|error| Fault::from_io(doing("making the uidlist of"), error))?
            }
            Read::Missing | Read::Broken(_) if folder.is_writable() => return Ok(None),
            Read::Missing | Read::Broken(_) => (None, Vec::new()),
        };
        let listed = records.into_iter().map(|record| {
            let virtual_size = record.virtual_size();
            let uid = record.uid;
            (record.base, Listed { uid, virtual_size })
        });
        let listed: HashMap<_, _> = listed.collect();
        if lock.is_some()
            && let Err(error) = keywords.mend(&folder)
        {
            tracing::warn!(mailbox = %folder.path().display(), %error, "dovecot-keywords cannot be written");
        }
        let (uid_validity, uid_next) = match &uidlist {
            Some(list) => (list.uid_validity, list.next),
            None => (passing_uid_validity(), Uid::FIRST),
        };
        let snapshot = Snapshot::empty(uid_validity, uid_next, Arc::new(keywords.clone()));
        let disk = Disk {
            folder,
            uidlist,
            keywords,
            live: HashMap::new(),
            listed,
            expunged: HashSet::new(),
            seen: None,
            seen_at: None,
            rescan: true,
            crowded: false,
            rewrite,
        };
        Ok(Some((disk, snapshot)))
    }

    /// Whether UIDs come from a uidlist.
    pub fn has_uidlist(&self) -> bool {
        self.uidlist.is_some()
    }

    /// Whether an event only tells what the picture has already, most often the echo of our own change.
    pub fn is_echo(&self, event: &Event, snapshot: &Snapshot) -> bool {
        let Some(name) = FileName::new(&event.name) else {
            return true;
        };
        let known = self
            .live
            .get(name.base())
            .and_then(|uid| snapshot.find(*uid));
        let is_known = known.is_some_and(|known| known.sub == event.sub && *known.name == name);
        match event.kind {
            Kind::Appeared => is_known,
            Kind::Deleted | Kind::Left => !is_known,
        }
    }

    /// `new/`'s and `cur/`'s stamps now.
    pub fn stamps(&self) -> std::io::Result<[Stamp; 2]> {
        Ok([self.folder.stamp(Sub::New)?, self.folder.stamp(Sub::Cur)?])
    }
}

/// A message that has no UID in the uidlist yet.
pub(super) struct Newcomer {
    pub uid: Uid,
    pub sub: Sub,
    pub name: FileName,
    /// Extension fields of its record.
    pub fields: Fields,
}

/// One job on a mailbox's disk: what it has, and the draft of the state that will be published.
pub(super) struct Turn<'t> {
    pub disk: &'t mut Disk,
    pub draft: Snapshot,
    pub durability: &'t Durability,
    /// `None` where the mailbox cannot be written, or somebody else kept the lock for too long.
    pub lock: Option<&'t Lock>,
    /// Recent to whoever hears of them first.
    pub arrived: Vec<Uid>,
    /// Nobody has been told anything of this mailbox yet.
    pub first: bool,
    /// The state before this turn, to take changes back to.
    pub before: Option<Arc<Snapshot>>,
    /// The directories were as known when the turn began, or have been looked at in it.
    pub whole: bool,
    /// Names were changed by this turn.
    moved: bool,
    modseq: ModSeq,
}

impl<'t> Turn<'t> {
    /// Begins a turn: hears what others have written to uidlist and keywords meanwhile.
    pub fn begin(
        disk: &'t mut Disk,
        before: Arc<Snapshot>,
        durability: &'t Durability,
        lock: Option<&'t Lock>,
    ) -> Result<Turn<'t>, Fault> {
        let draft = (*before).clone();
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |age| age.as_micros());
        let now = u64::try_from(micros).unwrap_or(0);
        let modseq = ModSeq(now.max(draft.modseq.0.saturating_add(1)));
        let whole = disk.seen.is_some() && disk.stamps().ok() == disk.seen;
        let before = Some(before);
        let arrived = Vec::new();
        let mut turn = Turn {
            disk,
            draft,
            durability,
            lock,
            arrived,
            first: false,
            before,
            whole,
            moved: false,
            modseq,
        };
        turn.hear()?;
        Ok(turn)
    }

    /// Ends the turn: the state to publish, and what is recent in it.
    pub fn finish(self) -> (Snapshot, Vec<Uid>) {
        if !self.whole {
            self.disk.seen = None;
        } else if self.moved {
            self.disk.seen = self.disk.stamps().ok();
            self.disk.seen_at = Some(SystemTime::now());
        }
        (self.draft, self.arrived)
    }

    /// Notes that the picture is whole as of these stamps, or that it may not be.
    pub fn note_seen(&mut self, stamps: Option<[Stamp; 2]>) {
        self.whole = stamps.is_some();
        self.disk.seen = stamps;
        self.disk.seen_at = stamps.map(|_| SystemTime::now());
    }

    /// Notes that this turn renamed or unlinked a file, so that it is synced before an answer.
    pub fn note_moved(&mut self, from: Sub, to: Sub) {
        self.moved = true;
        self.durability.note_names(from);
        if from != to {
            self.durability.note_names(to);
        }
    }

    /// A fault that says what was being done to this mailbox.
    pub fn fault(&self, doing: &str, error: std::io::Error) -> Fault {
        Fault::from_io(
            format!("{doing} in {}", self.disk.folder.path().display()),
            error,
        )
    }

    fn hear(&mut self) -> Result<(), Fault> {
        let changed = self.disk.keywords.poll(&self.disk.folder);
        if changed.map_err(|error| self.fault("reading dovecot-keywords", error))? {
            self.draft.keywords = Arc::new(self.disk.keywords.clone());
        }
        let Some(list) = &mut self.disk.uidlist else {
            return Ok(());
        };
        let change = list
            .poll(&self.disk.folder)
            .map_err(|error| self.fault("reading dovecot-uidlist", error))?;
        match change {
            Change::None => {}
            Change::Appended(records) => self.hear_records(records)?,
            Change::Replaced => self.hear_replaced()?,
        }
        if self.lock.is_some() && (self.disk.rewrite || self.durability.take_doubt()) {
            self.disk.rewrite = true;
            // What needs the file tries again and fails; what does not can go on.
            if let Err(fault) = self.rewrite_uidlist(false) {
                tracing::error!("{fault}");
            }
        }
        Ok(())
    }

    fn hear_records(&mut self, records: Vec<Record>) -> Result<(), Fault> {
        if let (Some(last), Some(list)) = (records.last(), &self.disk.uidlist) {
            let file = list
                .file()
                .map_err(|error| self.fault("opening dovecot-uidlist", error))?;
            self.durability.note_uids(file, last.uid);
        }
        for record in records {
            if !self.disk.live.contains_key(&record.base) {
                let virtual_size = record.virtual_size();
                self.disk.listed.insert(
                    record.base,
                    Listed {
                        uid: record.uid,
                        virtual_size,
                    },
                );
            }
        }
        Ok(())
    }

    /// Somebody wrote the whole file anew, or removed it.
    fn hear_replaced(&mut self) -> Result<(), Fault> {
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
                list.next = list.next.max(self.draft.uid_next);
                self.disk.rewrite |= rewrite;
                self.disk.uidlist = Some(list);
                self.hear_records(records)
            }
            Read::Missing | Read::Broken(_) => {
                // The messages are known here: the file is written again with the same UIDs.
                tracing::warn!(mailbox = %self.disk.folder.path().display(), "dovecot-uidlist is gone or broken: restored");
                self.disk.rewrite = true;
                Ok(())
            }
        }
    }

    /// Writes the uidlist anew: version 3, with what the file knows of each message. `drop_dead` leaves
    /// out records whose message is not in the picture.
    pub fn rewrite_uidlist(&mut self, drop_dead: bool) -> Result<(), Fault> {
        let held = match UidList::read(&self.disk.folder) {
            Ok(Read::Whole { records, .. }) => records,
            Ok(Read::Broken(salvage)) => salvage.records,
            Ok(Read::Missing) => Vec::new(),
            Err(error) => return Err(self.fault("reading dovecot-uidlist", error)),
        };
        let mut records: Vec<Record> = held
            .into_iter()
            .filter(|record| {
                let live = self
                    .disk
                    .live
                    .get(&record.base)
                    .is_none_or(|uid| *uid == record.uid);
                live && (!drop_dead || self.draft.find(record.uid).is_some())
            })
            .collect();
        let present: HashSet<Uid> = records.iter().map(|record| record.uid).collect();
        for message in self
            .draft
            .iter()
            .filter(|message| !present.contains(&message.uid))
        {
            records.push(Record {
                uid: message.uid,
                fields: Vec::new(),
                base: message.name.base().into(),
            });
        }
        records.sort_by_key(|record| record.uid);
        let Some(list) = &mut self.disk.uidlist else {
            return Ok(());
        };
        list.next = list.next.max(self.draft.uid_next);
        if let Err(error) = list.rewrite(&self.disk.folder, &records) {
            return Err(self.fault("writing dovecot-uidlist", error));
        }
        self.disk.rewrite = false;
        self.durability.note_safe(self.last_uid());
        Ok(())
    }

    /// Drops dead records if that is a quarter of the file, as Dovecot does, and worth it.
    pub fn compact_uidlist(&mut self) -> Result<(), Fault> {
        let Some(list) = &self.disk.uidlist else {
            return Ok(());
        };
        let dead = list.record_count().saturating_sub(self.draft.len());
        if self.lock.is_some() && dead >= DEAD_RECORDS && dead * 4 >= list.record_count() {
            self.rewrite_uidlist(true)?;
        }
        Ok(())
    }

    fn last_uid(&self) -> u32 {
        self.draft.uid_next.get().saturating_sub(1)
    }

    /// The UID that the next new message gets. What others have numbered meanwhile comes into the draft
    /// before it, for a client must hear of UIDs in their order.
    pub fn next_uid(&mut self) -> Result<Uid, Fault> {
        self.show_listed(BTreeMap::new())?;
        let next = self
            .disk
            .uidlist
            .as_ref()
            .map_or(self.draft.uid_next, |list| {
                list.next.max(self.draft.uid_next)
            });
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
        if self.disk.rewrite {
            self.rewrite_uidlist(false)?;
        }
        if let Some(list) = &mut self.disk.uidlist {
            if let Err(error) = list.append(&self.disk.folder, &records) {
                return Err(self.fault("writing dovecot-uidlist", error));
            }
            match list.file() {
                Ok(file) => self.durability.note_uids(file, last),
                Err(error) => return Err(self.fault("opening dovecot-uidlist", error)),
            }
        }
        for (new, record) in messages.into_iter().zip(&records) {
            self.show(new.uid, new.sub, new.name, record.virtual_size(), true);
        }
        Ok(())
    }

    /// Puts a message that the uidlist has into the draft. `recent`: nobody has heard of it.
    pub fn show(
        &mut self,
        uid: Uid,
        sub: Sub,
        name: FileName,
        virtual_size: Option<u64>,
        recent: bool,
    ) {
        self.disk.listed.remove(name.base());
        self.disk.expunged.remove(name.base());
        self.disk.live.insert(name.base().into(), uid);
        self.name_letters(name.flags().1);
        if recent {
            self.arrived.push(uid);
        }
        self.draft
            .push(Message::new(uid, sub, name, self.modseq, virtual_size));
    }

    /// Takes messages that are gone out of the draft.
    pub fn drop_gone(&mut self, gone: &HashSet<Uid>) {
        if gone.is_empty() {
            return;
        }
        for uid in gone {
            if let Some(message) = self.draft.find(*uid) {
                let base: Box<[u8]> = message.name.base().into();
                self.disk.live.remove(&base);
                self.disk.expunged.insert(base);
            }
        }
        self.draft.remove(&|uid| gone.contains(&uid), self.modseq);
    }

    /// Notes that a message has another name now.
    pub fn note_name(&mut self, message: &Message, sub: Sub, name: FileName) {
        self.name_letters(name.flags().1);
        self.draft.replace(message.renamed(sub, name, self.modseq));
    }

    /// Letters that a file carries and `dovecot-keywords` does not name get a name, as Dovecot gives it.
    fn name_letters(&mut self, letters: Letters) {
        if !self.disk.keywords.name_unknown(letters) {
            return;
        }
        if self.lock.is_some()
            && let Err(error) = self.disk.keywords.write(&self.disk.folder)
        {
            tracing::warn!(mailbox = %self.disk.folder.path().display(), %error, "dovecot-keywords cannot be written");
        }
        self.draft.keywords = Arc::new(self.disk.keywords.clone());
    }

    /// Does `act` to a message's file by its last known name; where that is gone, looks for its new one and
    /// tries again. `Ok(None)` if the message is nowhere.
    pub fn on_file<R>(
        &mut self,
        uid: Uid,
        mut act: impl FnMut(&mut Turn<'t>, &Message) -> std::io::Result<R>,
    ) -> std::io::Result<Option<R>> {
        for _ in 0..NAME_TRIES {
            let Some(message) = self.draft.find(uid).cloned() else {
                return Ok(None);
            };
            match act(self, &message) {
                Ok(done) => return Ok(Some(done)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            let Some((sub, name)) = scan::locate(&self.disk.folder, message.name.base())? else {
                // Whether it is gone for good is for two witnesses to say.
                self.disk.rescan = true;
                return Ok(None);
            };
            self.note_name(&message, sub, name);
        }
        Err(std::io::Error::other("the file's name keeps changing"))
    }

    /// Renews the lock's time in the midst of a long turn.
    pub fn touch(&self) {
        if let Some(lock) = self.lock
            && let Err(error) = lock.touch()
        {
            tracing::warn!(mailbox = %self.disk.folder.path().display(), %error, "the lock's time cannot be renewed");
        }
    }
}

/// The same file under a base name never used before; sizes that the name told stay in it.
pub(super) fn fresh_name(name: &FileName) -> Option<FileName> {
    let mut base = FileName::fresh_base();
    for (key, size) in [("S", name.size()), ("W", name.virtual_size())] {
        if let Some(size) = size {
            base.extend_from_slice(format!(",{key}={size}").as_bytes());
        }
    }
    name.with_base(&base)
}

/// UIDVALIDITY for a mailbox that can keep none: larger at each start of the server.
fn passing_uid_validity() -> UidValidity {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |age| age.as_secs());
    u32::try_from(seconds)
        .ok()
        .and_then(UidValidity::new)
        .unwrap_or(UidValidity::FIRST)
}
