//! What a [`View`] finds new: for the client to hear, and for what depends on it.

use std::sync::Arc;

use crate::imap::flag::SystemFlags;
use crate::imap::sequence::{ModSeq, NumberSet, SeqNum, Uid};
use crate::mailbox::alter::Stored;
use crate::mailbox::fault::Fault;
use crate::mailbox::snapshot::{Difference, Message, Snapshot};
use crate::mailbox::view::{Expunge, View};
use crate::spool::keyword_set::KeywordSet;

/// How a picture has changed, as [`View::sync`] found.
#[derive(Clone, Debug, Default)]
pub struct Synced {
    /// Messages that are gone and not told as expunged before `updates`, by rising number: each number is the one
    /// the client knows until it hears of the first expunge.
    pub gone: Vec<(SeqNum, Uid)>,
    /// What the client must hear.
    pub updates: Vec<Update>,
    /// UIDs of messages that are new, or have other flags or another mod-sequence than before, whether or not the
    /// client must hear of it; and where another message is the last now, which `*` names, of that and the one
    /// before.
    pub touched: NumberSet,
    /// UIDs of messages that are new.
    pub new: NumberSet,
}

/// One thing the client must hear, in the order given (new keywords come first).
#[derive(Clone, Debug)]
pub enum Update {
    /// `* n EXPUNGE`, highest first, with the message's UID.
    Expunge(SeqNum, Uid),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n RECENT`
    Recent(u32),
    /// `* FLAGS` and PERMANENTFLAGS: the mailbox has new keywords.
    Keywords,
    /// `* n FETCH (FLAGS …)`, with `UID` where the command was a UID command.
    Flags {
        /// The message's number.
        number: SeqNum,
        /// Its state; keywords by [`View::snapshot`].
        message: Arc<Message>,
        /// `\Recent` for this session.
        recent: bool,
        /// The client knows the flags: its mod-sequence alone is news.
        known: bool,
    },
}

/// What a client takes a message to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    flags: (SystemFlags, KeywordSet),
    modseq: ModSeq,
}

impl Told {
    fn of(message: &Message) -> Told {
        Told {
            flags: (message.flags, message.keywords.clone()),
            modseq: message.modseq,
        }
    }
}

impl View {
    /// The client wants to hear nothing of what its STORE did to these messages (`.SILENT`), and takes it for
    /// done. Where they are otherwise, because others have changed them too, it is told what they are (RFC 3501
    /// §6.4.6). A client that hears of mod-sequences is told the new ones; after a `conditional` STORE those too
    /// that are as they were (RFC 7162 §3.1.3).
    pub fn silenced(&mut self, uids: &NumberSet, stored: &Stored, conditional: bool) {
        for uid in uids.iter().filter_map(Uid::new) {
            let told = self.told.get(&uid).cloned();
            let in_base = || self.base.find(uid).map(|message| Told::of(message));
            if let Some(was) = told.or_else(in_base) {
                let modseq = match conditional {
                    true => ModSeq::default(),
                    false => was.modseq,
                };
                let flags = stored.expected(was.flags);
                self.told.insert(uid, Told { flags, modseq });
            }
        }
    }

    /// The client has been shown the FLAGS of these messages as of `snapshot` (in a FETCH response), and their
    /// mod-sequences if it hears of them: [`View::sync`] will not tell them again. What others changed since is
    /// still told.
    pub fn told(&mut self, uids: &NumberSet, snapshot: &Arc<Snapshot>) {
        for &(from, to) in uids.ranges() {
            let Some(first) = Uid::new(from.max(1)) else {
                continue;
            };
            let mut index = snapshot.rank(first);
            while let Some(message) = snapshot
                .get(index)
                .filter(|message| message.uid.get() <= to)
            {
                self.told.insert(message.uid, Told::of(message));
                self.modseqs.note_shown(message.modseq);
                index += 1;
            }
        }
    }

    /// The client is to hear the FLAGS of these messages, whatever it was told: [`View::sync`] gives them.
    pub fn owe(&mut self, uids: &NumberSet) {
        self.owed = self.owed.union(uids);
    }

    /// Moves the picture on to the mailbox's present state and gives what the client must hear.
    /// `Fault::Ended` if the mailbox is gone or another one has taken its place.
    pub fn sync(&mut self, expunge: Expunge) -> Result<Synced, Fault> {
        let new = self.states.borrow_and_update().clone();
        if new.ended {
            return Err(Fault::Ended);
        }
        if Arc::ptr_eq(&self.base, &new)
            && self.told.is_empty()
            && self.owed.is_empty()
            && (self.ghosts.is_empty() || expunge == Expunge::Held)
        {
            return Ok(Synced::default());
        }
        let last = self.last_uid();
        let old = std::mem::replace(&mut self.base, new);
        let mut touched = NumberSet::new();
        let mut arrived = NumberSet::new();
        let (changed, mut removed) = self.changed(&old, &mut touched, &mut arrived);
        if !removed.is_empty() {
            self.ghosts.append(&mut removed);
            self.ghosts.sort_by_key(|ghost| ghost.uid);
        }
        let numbered = |ghost: &Arc<Message>| Some((self.number_of(ghost.uid)?, ghost.uid));
        let gone = self.ghosts.iter().filter_map(numbered).collect();

        let mut updates = Vec::new();
        if !Arc::ptr_eq(&old.keywords, &self.base.keywords)
            && !old.keywords.all().eq(self.base.keywords.all())
        {
            updates.push(Update::Keywords);
        }
        if expunge == Expunge::Allowed {
            while let Some(ghost) = self.ghosts.pop() {
                let number = self.number_of(ghost.uid);
                self.recent.remove(ghost.uid.get());
                self.saved.remove(ghost.uid.get());
                self.told_exists = self.told_exists.saturating_sub(1);
                updates.extend(number.map(|number| Update::Expunge(number, ghost.uid)));
            }
        }
        let exists = u32::try_from(self.base.len() + self.ghosts.len()).unwrap_or(u32::MAX);
        if exists != self.told_exists {
            self.told_exists = exists;
            updates.push(Update::Exists(exists));
        }
        if old.uid_next != self.base.uid_next {
            self.claim_recent(old.uid_next);
        }
        let recent = self.count_recent();
        if recent != self.told_recent {
            self.told_recent = recent;
            updates.push(Update::Recent(recent));
        }
        for (message, known) in changed {
            if let Some(number) = self.number_of(message.uid) {
                self.modseqs.note_shown(message.modseq);
                let recent = self.recent.contains(message.uid.get());
                updates.push(Update::Flags {
                    number,
                    message,
                    recent,
                    known,
                });
            }
        }
        let last_now = self.last_uid();
        if last != last_now {
            let lasts = [last, last_now].into_iter().flatten().map(Uid::get);
            touched = touched.union(&lasts.collect());
        }
        Ok(Synced {
            gone,
            updates,
            touched,
            new: arrived,
        })
    }

    /// Messages whose flags or mod-sequences the client must hear, by rising UID and whether it knows the flags;
    /// and those that were in `old` and are gone.
    #[allow(clippy::type_complexity, reason = "two lists of messages")]
    fn changed(
        &mut self,
        old: &Snapshot,
        touched: &mut NumberSet,
        new: &mut NumberSet,
    ) -> (Vec<(Arc<Message>, bool)>, Vec<Arc<Message>>) {
        let told = std::mem::take(&mut self.told);
        let owed = std::mem::take(&mut self.owed);
        let hears_modseqs = self.tells_modseqs();
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        old.compare(&self.base, |difference| match difference {
            Difference::Removed(message) => removed.push(Arc::clone(message)),
            Difference::Changed(was, is) => {
                let (same_flags, same_modseq) = (was.same_flags(is), was.modseq == is.modseq);
                if !same_flags || !same_modseq {
                    touched.insert(is.uid.get());
                }
                if (!same_flags || !same_modseq && hears_modseqs) && !told.contains_key(&is.uid) {
                    changed.push((Arc::clone(is), false));
                }
            }
            Difference::Added(message) => {
                touched.insert(message.uid.get());
                new.insert(message.uid.get());
            }
        });
        for (uid, known) in told {
            let is = self.base.find(uid).map(|is| (Arc::clone(is), Told::of(is)));
            changed.extend(is.and_then(|(message, is)| {
                let known_flags = is.flags == known.flags;
                let news = !known_flags || hears_modseqs && is.modseq != known.modseq;
                news.then_some((message, known_flags))
            }));
        }
        let owed = owed.iter().filter_map(Uid::new);
        let owed = owed.filter_map(|uid| self.base.find(uid)).cloned();
        changed.extend(owed.map(|message| (message, false)));
        // What has to be told whole comes first, and stays.
        changed.sort_by_key(|(message, known)| (message.uid, *known));
        changed.dedup_by_key(|(message, _)| message.uid);
        (changed, removed)
    }

    /// Resolves when the mailbox has another state than the picture rests on; never, if it can have none. May be
    /// cancelled.
    pub async fn changed_since(&mut self) {
        if self.states.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Whether [`View::sync`] would have something to tell.
    pub fn is_stale(&self) -> bool {
        let hears_modseqs = self.tells_modseqs();
        let is_other = |(uid, known): (&Uid, &Told)| {
            let is = self.base.find(*uid).map(|is| Told::of(is));
            is.is_some_and(|is| {
                is.flags != known.flags || hears_modseqs && is.modseq != known.modseq
            })
        };
        !self.ghosts.is_empty()
            || !self.owed.is_empty()
            || !Arc::ptr_eq(&self.base, &*self.states.borrow())
            || self.told.iter().any(is_other)
    }
}
