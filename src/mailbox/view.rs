//! What one client has been told of a mailbox: sequence number ↔ UID, and the differences to come.
//!
//! A view rests on one [`Snapshot`] and keeps beside it the messages that are gone from it while the
//! client may not be told yet. There is no queue of changes: a slow client skips states. How it moves on, and
//! finds what the client must hear, is in [`crate::mailbox::news`].

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::imap::command::Numbering;
use crate::imap::flag::{Keyword, SystemFlag, SystemFlags};
use crate::imap::sequence::{Bound, NumberSet, SeqNum, SequenceSet, Uid};
use crate::mailbox::mailbox::{Mailbox, Selection};
use crate::mailbox::modseqs::Modseqs;
use crate::mailbox::news::Told;
use crate::mailbox::snapshot::{Message, Snapshot};

/// Most ranges of UIDs kept for `$`: they take 1 MiB.
const SAVED_RANGES: usize = 1 << 17;

/// A client's picture of a selected mailbox. Dropping it ends the selection.
pub struct View {
    selection: Selection,
    pub(super) states: watch::Receiver<Arc<Snapshot>>,
    pub(super) base: Arc<Snapshot>,
    /// Gone from `base`, but the client does not know: they keep their numbers. By rising UID.
    pub(super) ghosts: Vec<Arc<Message>>,
    /// What the client takes messages to be, whatever `base` says.
    pub(super) told: HashMap<Uid, Told>,
    /// UIDs of messages whose flags the client must hear, whatever it was told.
    pub(super) owed: NumberSet,
    pub(super) recent: NumberSet,
    /// UIDs that the last SEARCH with SAVE found, without those told as expunged (RFC 5182 §2.1).
    pub(super) saved: NumberSet,
    knows_recent: bool,
    pub(super) told_exists: u32,
    pub(super) told_recent: u32,
    pub(super) modseqs: Modseqs,
}

/// Whether expunges may be told now (RFC 3501 §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expunge {
    /// They may.
    Allowed,
    /// They are held back; the messages keep their numbers.
    Held,
}

/// A message that a command's set names.
#[derive(Clone, Debug)]
pub struct Picked {
    /// Its number in this view.
    pub number: SeqNum,
    /// Its state when last heard of.
    pub message: Arc<Message>,
    /// It has been expunged, but the client has not been told yet.
    pub gone: bool,
    /// `\Recent` for this session.
    pub recent: bool,
}

/// A sequence set named a number the client has not been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// What was found is too scattered to be kept (RFC 5182 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSaved;

impl View {
    pub(super) fn new(selection: Selection, states: watch::Receiver<Arc<Snapshot>>) -> View {
        let base = states.borrow().clone();
        let mut view = View {
            selection,
            states,
            ghosts: Vec::new(),
            told: HashMap::new(),
            owed: NumberSet::new(),
            recent: NumberSet::new(),
            saved: NumberSet::new(),
            knows_recent: true,
            told_exists: u32::try_from(base.len()).unwrap_or(u32::MAX),
            told_recent: 0,
            modseqs: Modseqs::new(base.modseq),
            base,
        };
        view.claim_recent(Uid::FIRST);
        view.told_recent = view.count_recent();
        view
    }

    /// The mailbox.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        self.selection.mailbox()
    }

    /// The state the client's picture rests on.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// EXISTS, as the client knows it.
    pub fn exists(&self) -> u32 {
        self.told_exists
    }

    /// RECENT, as the client knows it.
    pub fn recent(&self) -> u32 {
        self.told_recent
    }

    /// From now on nothing is recent to this client, and it is told of none: IMAP4rev2 has no `\Recent`.
    pub fn without_recent(&mut self) {
        self.knows_recent = false;
        self.recent = NumberSet::new();
        self.told_recent = 0;
    }

    /// The first message without `\Seen`.
    pub fn first_unseen(&self) -> Option<SeqNum> {
        let is_unseen = |message: &&Arc<Message>| !message.flags.has(SystemFlag::Seen);
        let unseen = self.base.iter().chain(&self.ghosts).filter(is_unseen);
        let first = match self.ghosts.is_empty() {
            true => unseen.take(1).next(),
            false => unseen.min_by_key(|message| message.uid),
        };
        self.number_of(first?.uid)
    }

    /// Whether it was opened by EXAMINE or cannot be written.
    pub fn is_read_only(&self) -> bool {
        self.selection.is_read_only()
    }

    /// Whether it is read-only because it cannot be written.
    pub fn is_forbidden(&self) -> bool {
        self.selection.is_forbidden()
    }

    /// All messages of the picture, in order, those that are gone but not yet told included.
    pub fn all(&self) -> Vec<Picked> {
        let mut ghosts = self.ghosts.iter().peekable();
        let mut all = Vec::with_capacity(self.base.len() + self.ghosts.len());
        for message in self.base.iter() {
            while let Some(ghost) = ghosts.next_if(|ghost| ghost.uid < message.uid) {
                self.add(&mut all, ghost, true);
            }
            self.add(&mut all, message, false);
        }
        ghosts.for_each(|ghost| self.add(&mut all, ghost, true));
        all
    }

    /// The messages a set names, in order. UIDs that do not exist are skipped; a sequence number above
    /// EXISTS is [`OutOfRange`] (`*` in an empty mailbox too), but `n:*` always names the last message.
    pub fn resolve(
        &self,
        numbering: Numbering,
        set: &SequenceSet,
    ) -> Result<Vec<Picked>, OutOfRange> {
        match numbering {
            Numbering::Uid => Ok(self.resolve_uids(set)),
            Numbering::Sequence => self.resolve_numbers(set),
        }
    }

    fn resolve_uids(&self, set: &SequenceSet) -> Vec<Picked> {
        match self.last_uid() {
            Some(last) => self.pick_all(&set.resolve(last.get())),
            None => Vec::new(),
        }
    }

    /// The highest UID of the picture, which `*` stands for.
    pub fn last_uid(&self) -> Option<Uid> {
        let last = self.base.len().checked_sub(1);
        let live = last.and_then(|last| self.base.get(last));
        let live = live.map(|message| message.uid);
        live.max(self.ghosts.last().map(|ghost| ghost.uid))
    }

    /// The messages of these UIDs, in order; those that do not exist are skipped.
    pub fn pick_all(&self, uids: &NumberSet) -> Vec<Picked> {
        let mut picked = Vec::new();
        for &(from, to) in uids.ranges() {
            let Some(from) = Uid::new(from.max(1)) else {
                continue;
            };
            let mut index = self.base.rank(from);
            let mut ghosts = self.ghosts.iter().skip(self.ghosts_below(from)).peekable();
            loop {
                let live = self
                    .base
                    .get(index)
                    .filter(|message| message.uid.get() <= to);
                let ghost = ghosts.peek().copied().filter(|ghost| ghost.uid.get() <= to);
                let (message, gone) = match (live, ghost) {
                    (None, None) => break,
                    (Some(live), Some(ghost)) if ghost.uid < live.uid => (ghost, true),
                    (None, Some(ghost)) => (ghost, true),
                    (Some(live), _) => (live, false),
                };
                if gone {
                    ghosts.next();
                } else {
                    index += 1;
                }
                if let Some(number) = self.number_of(message.uid) {
                    picked.push(self.picture(number, message, gone));
                }
            }
        }
        picked
    }

    fn resolve_numbers(&self, set: &SequenceSet) -> Result<Vec<Picked>, OutOfRange> {
        let last = self.told_exists;
        let mut ranges = Vec::with_capacity(set.ranges().len());
        for &(from, to) in set.ranges() {
            let (from, to) = match (from, to) {
                (Bound::Number(from), Bound::Number(to)) => {
                    (from.get().min(to.get()), from.get().max(to.get()))
                }
                (Bound::Number(from), Bound::Last) | (Bound::Last, Bound::Number(from)) => {
                    (from.get().min(last), last)
                }
                (Bound::Last, Bound::Last) => (last, last),
            };
            if to > last || from == 0 {
                return Err(OutOfRange);
            }
            ranges.push((from, to));
        }
        let numbers = NumberSet::from_ranges(ranges);
        let mut picked = Vec::new();
        if self.ghosts.is_empty() {
            for index in numbers.iter().map(|number| number as usize - 1) {
                if let (Some(message), Some(number)) =
                    (self.base.get(index), SeqNum::from_index(index))
                {
                    picked.push(self.picture(number, message, false));
                }
            }
        } else {
            picked = self.all();
            picked.retain(|one| numbers.contains(one.number.0.get()));
        }
        Ok(picked)
    }

    /// Keeps what a SEARCH found, as UIDs, to be named by `$`.
    pub fn save(&mut self, found: NumberSet) -> Result<(), NotSaved> {
        if found.ranges().len() > SAVED_RANGES {
            return Err(NotSaved);
        }
        self.saved = found;
        Ok(())
    }

    /// `$` names nothing.
    pub fn forget_saved(&mut self) {
        self.saved = NumberSet::new();
    }

    /// What `$` names now, as UIDs.
    pub fn saved(&self) -> &NumberSet {
        &self.saved
    }

    /// The messages that `$` names, in order.
    pub fn resolve_saved(&self) -> Vec<Picked> {
        self.pick_all(&self.saved)
    }

    /// The message's number, if the client knows it.
    pub fn number(&self, uid: Uid) -> Option<SeqNum> {
        let known = self.base.find(uid).is_some() || self.ghost(uid).is_some();
        known.then(|| self.number_of(uid)).flatten()
    }

    /// The picture of one message by UID.
    pub fn pick(&self, uid: Uid) -> Option<Picked> {
        let (message, gone) = match self.base.find(uid) {
            Some(message) => (message, false),
            None => (self.ghost(uid)?, true),
        };
        Some(self.picture(self.number_of(uid)?, message, gone))
    }

    /// System flags and keywords defined in the mailbox, and whether the client may make more: for FLAGS and
    /// PERMANENTFLAGS.
    pub fn defined_flags(&self) -> (SystemFlags, Vec<Keyword>, bool) {
        let all = SystemFlag::ALL
            .into_iter()
            .fold(SystemFlags::NONE, SystemFlags::with);
        (
            all,
            self.base.keywords.all().cloned().collect(),
            !self.base.keywords.is_full(),
        )
    }

    /// The number of a UID in the picture, wherever it would stand: live messages and ghosts below it.
    pub(super) fn number_of(&self, uid: Uid) -> Option<SeqNum> {
        SeqNum::from_index(self.base.rank(uid) + self.ghosts_below(uid))
    }

    fn ghosts_below(&self, uid: Uid) -> usize {
        self.ghosts.partition_point(|ghost| ghost.uid < uid)
    }

    fn ghost(&self, uid: Uid) -> Option<&Arc<Message>> {
        let ghost = self.ghosts.get(self.ghosts_below(uid))?;
        (ghost.uid == uid).then_some(ghost)
    }

    /// Takes what is recent to nobody yet, from a UID on. UIDs whose message is gone already never count.
    pub(super) fn claim_recent(&mut self, from: Uid) {
        let claimed = self.selection.claim_recent(from, self.base.uid_next);
        for uid in claimed.iter().filter_map(Uid::new) {
            if self.knows_recent && self.base.find(uid).is_some() {
                self.recent.insert(uid.get());
            }
        }
    }

    pub(super) fn count_recent(&self) -> u32 {
        u32::try_from(self.recent.len()).unwrap_or(u32::MAX)
    }

    fn picture(&self, number: SeqNum, message: &Arc<Message>, gone: bool) -> Picked {
        let recent = self.recent.contains(message.uid.get());
        Picked {
            number,
            message: Arc::clone(message),
            gone,
            recent,
        }
    }

    fn add(&self, all: &mut Vec<Picked>, message: &Arc<Message>, gone: bool) {
        if let Some(number) = SeqNum::from_index(all.len()) {
            all.push(self.picture(number, message, gone));
        }
    }
}
