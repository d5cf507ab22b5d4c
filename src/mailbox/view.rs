//! What one client has been told of a mailbox: sequence number ↔ UID, and the differences to come.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::flag::{Keyword, SystemFlags};
use crate::imap::sequence::{ModSeq, NumberSet, SeqNum, SequenceSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::{Message, Snapshot};

/// A client's picture of a selected mailbox. Dropping it ends the selection.
pub struct View {
    _private: (),
}

/// Whether expunges may be told now (RFC 3501 §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expunge {
    /// They may.
    Allowed,
    /// They are held back; the messages keep their numbers.
    Held,
}

/// One thing the client must hear, in the order given.
#[derive(Clone, Debug)]
pub enum Update {
    /// `* n EXPUNGE`, highest first.
    Expunge(SeqNum),
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
    },
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

impl View {
    /// The mailbox.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        todo!()
    }

    /// The state the client's picture rests on.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        todo!()
    }

    /// EXISTS, as the client knows it.
    pub fn exists(&self) -> u32 {
        todo!()
    }

    /// RECENT, as the client knows it.
    pub fn recent(&self) -> u32 {
        todo!()
    }

    /// The first message without `\Seen`.
    pub fn first_unseen(&self) -> Option<SeqNum> {
        todo!()
    }

    /// Whether it was opened by EXAMINE or cannot be written.
    pub fn is_read_only(&self) -> bool {
        todo!()
    }

    /// All messages of the picture, in order, those that are gone but not yet told included.
    pub fn all(&self) -> Vec<Picked> {
        todo!()
    }

    /// The messages a set names, in order. UIDs that do not exist are skipped; a sequence number above
    /// EXISTS is [`OutOfRange`] (`*` in an empty mailbox too).
    pub fn resolve(
        &self,
        numbering: Numbering,
        set: &SequenceSet,
    ) -> Result<Vec<Picked>, OutOfRange> {
        let _ = (numbering, set);
        todo!()
    }

    /// The message's number, if the client knows it.
    pub fn number(&self, uid: Uid) -> Option<SeqNum> {
        let _ = uid;
        todo!()
    }

    /// The picture of one message by UID.
    pub fn pick(&self, uid: Uid) -> Option<Picked> {
        let _ = uid;
        todo!()
    }

    /// The client has been shown the FLAGS of these messages as of `snapshot` (in a FETCH response), or
    /// wants to hear nothing of them (`.SILENT`): [`View::sync`] will not tell them again. What others
    /// changed since is still told.
    pub fn told(&mut self, uids: &NumberSet, snapshot: &Arc<Snapshot>) {
        let _ = (uids, snapshot);
        todo!()
    }

    /// Moves the picture on to the mailbox's present state and gives what the client must hear.
    /// `Fault::Ended` if the mailbox is gone or another one has taken its place.
    pub fn sync(&mut self, expunge: Expunge) -> Result<Vec<Update>, Fault> {
        let _ = expunge;
        todo!()
    }

    /// Whether [`View::sync`] would have something to tell.
    pub fn is_stale(&self) -> bool {
        todo!()
    }

    /// System flags and keywords defined in the mailbox, and whether the client may make more: for FLAGS and
    /// PERMANENTFLAGS.
    pub fn defined_flags(&self) -> (SystemFlags, Vec<Keyword>, bool) {
        todo!()
    }

    /// The highest mod-sequence of the picture.
    pub fn modseq(&self) -> ModSeq {
        self.snapshot().modseq
    }
}
