//! What a client is told of mod-sequences (RFC 7162), and up to which it has heard of everything.
//!
//! "A server implementing QRESYNC MUST send untagged events to a client in a way that the client doesn't lose any
//! changes in case of connectivity loss" (§3.2). A client takes the highest mod-sequence that it is shown for the one
//! to go on from; while it may not hear of an expunge with a lower one, it has to be told that one lower still.

use crate::imap::sequence::{ModSeq, NumberSet};
use crate::mailbox::view::View;

/// What a [`View`] remembers of them.
#[derive(Debug)]
pub(super) struct Modseqs {
    /// The client hears of them.
    told: bool,
    /// The client has heard of all that happened up to this one.
    complete: ModSeq,
    /// The highest that it was shown since it was told last which one to take.
    shown: ModSeq,
}

impl Modseqs {
    pub(super) fn new(complete: ModSeq) -> Modseqs {
        Modseqs {
            told: false,
            complete,
            shown: ModSeq::default(),
        }
    }

    pub(super) fn note_shown(&mut self, modseq: ModSeq) {
        self.shown = self.shown.max(modseq);
    }
}

impl View {
    /// From now on the client hears of mod-sequences, if the mailbox keeps them: whether it does.
    pub fn with_modseqs(&mut self) -> bool {
        self.modseqs.told = self.base.keeps_modseqs();
        self.modseqs.told
    }

    /// Whether it hears of them. Not as long as there is one that is not kept.
    pub fn tells_modseqs(&self) -> bool {
        self.modseqs.told && self.base.keeps_modseqs()
    }

    /// Whether it does not for the time being, and was not told so: some change cannot be kept.
    pub fn awaits_modseqs(&self) -> bool {
        self.modseqs.told && !self.base.keeps_modseqs()
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
            return (self.modseqs.told && shown > complete).then_some(complete);
        }
        if !self.base.keeps_modseqs() {
            return None;
        }
        let now = self.base.modseq;
        let before = std::mem::replace(&mut self.modseqs.complete, now);
        (risen && now > before && now > shown).then_some(now)
    }

    /// UIDs of all messages of the picture, those that are gone but not yet told included.
    pub fn uids(&self) -> NumberSet {
        let all = self.base.iter().chain(&self.ghosts);
        all.map(|message| message.uid.get()).collect()
    }
}
