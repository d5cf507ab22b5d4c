//! What a client is told of mod-sequences (RFC 7162), and up to which it has heard of everything.
//!
//! "A server implementing QRESYNC MUST send untagged events to a client in a way that the client doesn't lose any
//! changes in case of connectivity loss" (§3.2). A client takes the highest mod-sequence that it is shown for the one
//! to go on from; while it may not hear of an expunge with a lower one, it has to be told that one lower still.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::imap::sequence::{ModSeq, NumberSet};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::{Expunge, View};

/// What a [`View`] remembers of them.
#[derive(Debug)]
pub(super) struct Modseqs {
    /// The client wants to hear of them.
    wanted: bool,
    /// It was told that the mailbox keeps none (NOMODSEQ): as long as it is selected that stands.
    denied: bool,
    /// It has to be told which one is the highest, as soon as they are kept.
    owed: bool,
    /// The client has heard of all that happened up to this one.
    complete: ModSeq,
    /// The highest that it was shown since it was told last which one to take.
    shown: ModSeq,
}

impl Modseqs {
    pub(super) fn new(complete: ModSeq) -> Modseqs {
        Modseqs {
            wanted: false,
            denied: false,
            owed: false,
            complete,
            shown: ModSeq::default(),
        }
    }

    pub(super) fn note_shown(&mut self, modseq: ModSeq) {
        self.shown = self.shown.max(modseq);
    }
}

impl View {
    /// What SELECT tells before anything else has been told: HIGHESTMODSEQ; or `None`, which is NOMODSEQ, and the
    /// client does not hear of mod-sequences for as long as the mailbox is selected. Waits for a moment where they are
    /// about to be kept again.
    pub async fn begin_modseqs(&mut self, patience: Duration) -> Result<Option<ModSeq>, Fault> {
        if !self.base.keeps_modseqs() {
            Arc::clone(self.mailbox()).await_modseqs(patience).await?;
            self.sync(Expunge::Allowed)?;
            self.modseqs.complete = self.base.modseq;
        }
        self.modseqs.denied = !self.base.keeps_modseqs();
        Ok((!self.modseqs.denied).then_some(self.base.modseq))
    }

    /// From now on the client wants to hear of mod-sequences: whether it is told of them at once.
    pub fn with_modseqs(&mut self) -> bool {
        self.modseqs.wanted = true;
        self.modseqs.owed = self.awaits_modseqs();
        self.tells_modseqs()
    }

    /// HIGHESTMODSEQ, if it was to be told when the client began to hear of mod-sequences, and can be only now.
    pub fn take_owed_modseq(&mut self) -> Option<ModSeq> {
        let due = self.modseqs.owed && self.tells_modseqs();
        self.modseqs.owed &= !due;
        due.then_some(self.modseqs.complete)
    }

    /// Whether the client hears of them, now or when they are kept again.
    pub fn hears_modseqs(&self) -> bool {
        self.modseqs.wanted && !self.modseqs.denied
    }

    /// Whether it is told of them. Not as long as there is one that is not kept.
    pub fn tells_modseqs(&self) -> bool {
        self.hears_modseqs() && self.base.keeps_modseqs()
    }

    /// Whether it is not for the time being, and has not heard that: some change cannot be kept.
    pub fn awaits_modseqs(&self) -> bool {
        self.hears_modseqs() && !self.base.keeps_modseqs()
    }

    /// The client is shown mod-sequences of the picture, this one being the highest.
    pub fn note_shown(&mut self, modseq: ModSeq) {
        self.modseqs.note_shown(modseq);
    }

    /// What HIGHESTMODSEQ is to this client: it has heard of everything up to it.
    pub fn highest_modseq(&self) -> ModSeq {
        self.modseqs.complete
    }

    /// At the end of a command, when its news have been told: what HIGHESTMODSEQ is from now on, if the client has
    /// to be told. It has if it would take a higher one for it; and with `risen` if it would not know it from what it
    /// was shown, such as after an expunge.
    pub fn settle_modseq(&mut self, risen: bool) -> Option<ModSeq> {
        let shown = std::mem::take(&mut self.modseqs.shown);
        if !self.ghosts.is_empty() || !self.owed.is_empty() {
            // It was kept when it was noted, whatever is now.
            let complete = self.modseqs.complete;
            return (self.hears_modseqs() && shown > complete).then_some(complete);
        }
        if !self.base.keeps_modseqs() {
            return None;
        }
        let now = self.base.modseq;
        let before = std::mem::replace(&mut self.modseqs.complete, now);
        if shown > now {
            // It asked for what is newer than its picture, which rests.
            return self.hears_modseqs().then_some(now);
        }
        (risen && now > before && now > shown).then_some(now)
    }

    /// UIDs of all messages of the picture, those that are gone but not yet told included.
    pub fn uids(&self) -> NumberSet {
        let all = self.base.iter().chain(&self.ghosts);
        all.map(|message| message.uid.get()).collect()
    }
}

impl Mailbox {
    /// Waits, if it keeps no mod-sequences at present, until it does: while another program holds the lock for a
    /// moment, say. Not where nothing can be written, nor longer than `patience`.
    pub async fn await_modseqs(self: &Arc<Self>, patience: Duration) -> Result<(), Fault> {
        let mut states = self.changes();
        let kept = async {
            self.refresh().await?;
            if self.can_keep_modseqs().await? {
                // Who watches the mailbox looks at it again and again as long as there is something to note. A mailbox
                // that ends tells nothing more, and its clients find out by themselves.
                let settled = |state: &Arc<Snapshot>| state.ended || state.keeps_modseqs();
                let _ = states.wait_for(settled).await;
            }
            Ok(())
        };
        timeout(patience, kept).await.unwrap_or(Ok(()))
    }

    /// Whether it may soon keep what it does not keep now: UIDs last, and its own files have not been found in a state
    /// that somebody has to mend.
    async fn can_keep_modseqs(&self) -> Result<bool, Fault> {
        let can_write = self.uids_are_sticky() && self.folder().is_writable();
        Ok(can_write && !self.enter_queue().await?.given.reported)
    }
}
