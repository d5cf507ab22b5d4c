//! One job on a mailbox's disk, from beginning to end.
//!
//! What is done goes to the disk first, then into the draft of the next [`Snapshot`], which is published when
//! the turn ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::imap::sequence::{ModSeq, NumberSet, Uid};
use crate::mailbox::disk::{Disk, Listed};
use crate::mailbox::durability::Durability;
use crate::mailbox::fault::Fault;
use crate::mailbox::finder::Finder;
use crate::mailbox::kept::Notes;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::spool::filename::FileName;
use crate::spool::folder::{Stamp, Sub};
use crate::spool::lock::Lock;
use crate::spool::quota::Change;

/// After this many messages a long turn renews the lock's time.
pub(super) const TOUCH_EVERY: usize = 1000;

/// How often a name is looked for again when it keeps changing under us (as often as Dovecot does).
const NAME_TRIES: usize = 10;

/// One job on a mailbox's disk: what it has, and the draft of the state that will be published.
pub(super) struct Turn<'t> {
    pub disk: &'t mut Disk,
    pub draft: Snapshot,
    pub durability: &'t Durability,
    /// `None` where the mailbox cannot be written, or somebody else kept the lock for too long.
    pub lock: Option<&'t Lock>,
    /// Nobody has been told anything of this mailbox yet.
    pub first: bool,
    /// Something is to be written, and this turn may not: it has no lock.
    pub wants_lock: bool,
    /// The state before this turn, to take changes back to.
    pub before: Arc<Snapshot>,
    /// Events tell what others do in the directories.
    pub watched: bool,
    /// The directories were as known when the turn began, or have been looked at in it.
    whole: bool,
    /// Names were changed by this turn.
    moved: bool,
    /// Keywords that no name tells were changed by it.
    pub(super) stirs: bool,
    /// Recent to whoever hears of them first.
    arrived: Vec<Uid>,
    /// No longer in the draft.
    dropped: BTreeSet<Uid>,
    pub(super) finder: Finder,
    /// What this turn's changes get. Where it gives none, the last one given.
    pub(super) modseq: ModSeq,
    pub(super) notes: Notes,
    /// How much mail came and went by it.
    pub(super) change: Change,
    /// What is new is left for a turn with the lock.
    pub(super) glances: bool,
    /// It hears what others did; no client waits for what it does itself.
    pub(super) looks: bool,
}

/// What a turn leaves behind.
pub(super) struct Outcome {
    /// The state to publish.
    pub draft: Snapshot,
    /// Recent to whoever hears of them first.
    pub arrived: Vec<Uid>,
    /// Gone.
    pub dropped: BTreeSet<Uid>,
    /// How much mail came and went.
    pub change: Change,
}

impl<'t> Turn<'t> {
    /// Begins a turn. Whatever comes of it is to be published, for it may change what is known of the disk.
    pub fn begin(
        disk: &'t mut Disk,
        before: Arc<Snapshot>,
        durability: &'t Durability,
        lock: Option<&'t Lock>,
        watched: bool,
    ) -> Turn<'t> {
        let draft = (*before).clone();
        Turn {
            modseq: draft.modseq,
            whole: disk.is_whole(),
            first: !disk.opened,
            disk,
            draft,
            durability,
            lock,
            wants_lock: false,
            before,
            watched,
            moved: false,
            stirs: false,
            arrived: Vec::new(),
            dropped: BTreeSet::new(),
            finder: Finder::default(),
            notes: Notes::default(),
            change: Change::default(),
            glances: false,
            looks: false,
        }
    }

    /// Ends the turn.
    pub fn finish(mut self) -> Outcome {
        self.keep_modseqs();
        if self.stirs && !self.moved {
            // Nobody is told of that by a name: not who listens to this mailbox among others, nor another process.
            match self.disk.folder.stir() {
                Ok(()) => self.moved = true,
                Err(error) => tracing::debug!(%error, "who watches is not told"),
            }
        }
        if self.moved {
            // Stamps that hold our own changes may hide those of others, unless events tell them.
            let sure = self.whole && self.watched;
            self.disk.seen = sure.then(|| self.disk.stamps().ok()).flatten();
        }
        Outcome {
            draft: self.draft,
            arrived: self.arrived,
            dropped: self.dropped,
            change: self.change,
        }
    }

    /// Notes that the picture is whole as of these stamps.
    pub fn note_seen(&mut self, stamps: [Stamp; 2]) {
        self.whole = true;
        self.disk.seen = Some(stamps);
    }

    /// Notes that the picture may lack anything.
    pub fn note_doubt(&mut self) {
        self.whole = false;
        self.disk.seen = None;
        self.disk.rescan = true;
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

    /// Puts a message that the uidlist has into the draft. `recent`: nobody has heard of it.
    pub fn show(&mut self, listed: Listed, sub: Sub, name: FileName, recent: bool) {
        let uid = listed.uid;
        self.disk.listed.remove(name.base());
        self.disk.expunged.remove(name.base());
        self.disk.live.insert(name.base().into(), uid);
        self.name_letters(name.flags().1);
        if recent {
            self.arrived.push(uid);
        }
        let extras = self.disk.extras.of(name.base());
        let modseq = self.modseq_of(uid, &name, &extras);
        let message = Message::new(listed, sub, name, extras, modseq);
        self.draft.push(message);
    }

    /// Takes messages that are gone out of the draft.
    pub fn drop_gone(&mut self, gone: &BTreeSet<Uid>) {
        let here = gone.iter().filter(|uid| self.draft.find(**uid).is_some());
        let here: NumberSet = here.copied().map(Uid::get).collect();
        self.drop_at(gone, self.modseq);
        if !here.is_empty() {
            self.note_gone(&here);
        }
    }

    /// The same, for what somebody else has noted.
    pub(super) fn drop_at(&mut self, gone: &BTreeSet<Uid>, modseq: ModSeq) {
        for uid in gone {
            if let Some(message) = self.draft.find(*uid) {
                let base: Box<[u8]> = message.name.base().into();
                self.disk.dead_extras += usize::from(!message.keywords.extras.is_empty());
                self.disk.live.remove(&base);
                self.disk.doubled.remove(&base);
                if self.disk.has_uidlist() {
                    self.disk.expunged.insert(base);
                }
            }
        }
        self.draft.remove(gone, modseq);
        self.dropped.extend(gone);
    }

    /// Notes that a message has another name now.
    pub fn note_name(&mut self, message: &Message, sub: Sub, name: FileName) {
        let (flags, letters) = name.flags();
        self.name_letters(letters);
        let renamed = message.renamed(sub, name, self.modseq);
        if (flags, letters) != (message.flags, message.keywords.letters) {
            self.note_here(&renamed);
        }
        self.draft.replace(renamed);
    }

    /// True where this turn has no lock: notes that one is wanted, if it can be had.
    pub fn asks_for_lock(&mut self) -> bool {
        self.wants_lock |= self.lock.is_none() && self.disk.folder.is_writable();
        self.lock.is_none()
    }

    /// True where a turn only glances: whatever gets a mod-sequence is left for who has the lock.
    pub fn defers(&mut self) -> bool {
        self.glances && self.asks_for_lock() && self.wants_lock
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
            let stale = (message.sub, &*message.name);
            let Some((sub, name)) = self.finder.find(&self.disk.folder, stale)? else {
                // Whether it is gone for good is for two witnesses to say.
                self.disk.rescan = true;
                return Ok(None);
            };
            self.note_name(&message, sub, name);
        }
        Err(std::io::Error::other("the file's name keeps changing"))
    }

    /// Renames a message's file. Where the new name is another link to the same file, somebody was stopped
    /// between link and unlink: the old name goes.
    pub fn rename(&mut self, message: &Message, sub: Sub, name: FileName) -> std::io::Result<()> {
        let folder = &self.disk.folder;
        match folder.rename(message.sub, &message.name, sub, &name) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let inode = |sub, name| {
                    let stat = folder.inode(sub, name)?;
                    Ok::<_, std::io::Error>(stat.map(|(device, inode, _)| (device, inode)))
                };
                let old = inode(message.sub, &message.name)?;
                if old.is_none() {
                    return Err(std::io::ErrorKind::NotFound.into());
                }
                if old != inode(sub, &name)? || *message.name == name && message.sub == sub {
                    self.disk.rescan = true; // twins: the next look parts them
                    return Err(error);
                }
                folder.unlink(message.sub, &message.name)?;
            }
            renamed => renamed?,
        }
        self.note_moved(message.sub, sub);
        self.note_name(message, sub, name);
        Ok(())
    }

    /// Octets of a file: as many as its name says, or it has.
    pub fn size_of(&self, sub: Sub, name: &FileName) -> u64 {
        let size = name
            .size()
            .map_or_else(|| self.disk.folder.size(sub, name), Ok);
        size.unwrap_or_default()
    }

    /// Unlinks a file, and counts that.
    pub fn unlink_file(&mut self, sub: Sub, name: &FileName) -> std::io::Result<()> {
        let size = self.size_of(sub, name);
        self.disk.folder.unlink(sub, name)?;
        self.change.remove(size);
        Ok(())
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
