//! One open mailbox: the only door to change it, and the publisher of its [`Snapshot`]s.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::watch;

use crate::imap::command::StoreAction;
use crate::imap::date::DateTime;
use crate::imap::flag::Flag;
use crate::imap::sequence::{NumberSet, Uid, UidValidity};
use crate::mailbox::fault::Fault;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::view::View;

/// An open mailbox.
pub struct Mailbox {
    _private: (),
}

/// What a STORE did.
#[derive(Debug)]
pub struct Stored {
    /// The state after it.
    pub snapshot: Arc<Snapshot>,
    /// UIDs that were named and are gone.
    pub gone: NumberSet,
}

/// What a COPY or MOVE did: two lists of the same length, in the same order.
#[derive(Debug)]
pub struct Copied {
    /// The target's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDs in the source, rising.
    pub from: Vec<Uid>,
    /// UIDs in the target, rising.
    pub to: Vec<Uid>,
}

/// A message being appended: bytes go to a file in the target's `tmp/`. Dropping it leaves nothing.
pub struct Upload {
    _private: (),
}

impl Upload {
    /// Writes the next bytes of the literal, on the blocking pool.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Fault> {
        let _ = bytes;
        todo!()
    }
}

impl Mailbox {
    /// The state published last.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        todo!()
    }

    /// Wakes whenever a new state is published (IDLE waits on it).
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        todo!()
    }

    /// Brings the state up to date with the directories, as far as that is not known already. Called
    /// before SELECT, STATUS, NOOP, CHECK and the end of every command that may tell news; costs two
    /// stat calls at the most when nothing has changed.
    pub async fn refresh(&self) -> Result<(), Fault> {
        todo!()
    }

    /// Opens a view of it. A read-write view takes over what is in `new/` and claims `\Recent`.
    /// `read_only` is EXAMINE; a mailbox that cannot be written gives a read-only view in any case.
    pub async fn select(self: &Arc<Self>, read_only: bool) -> Result<View, Fault> {
        let _ = read_only;
        todo!()
    }

    /// How many messages are recent to nobody yet (STATUS RECENT).
    pub fn unclaimed_recent(&self) -> usize {
        todo!()
    }

    /// Whether its UIDs are made up and will not last (UIDNOTSTICKY).
    pub fn uids_are_sticky(&self) -> bool {
        todo!()
    }

    /// Waits until every UID up to this one is safe on disk, so that it may be spoken. Nearly always at once.
    pub async fn durable(&self, up_to: Uid) -> Result<(), Fault> {
        let _ = up_to;
        todo!()
    }

    /// Waits until everything anybody was told about this mailbox is on disk (CHECK).
    pub async fn flush(&self) -> Result<(), Fault> {
        todo!()
    }

    /// STORE: changes flags of these messages, all in one batch, durable when it returns.
    pub async fn store(
        &self,
        uids: &NumberSet,
        action: StoreAction,
        flags: &[Flag],
    ) -> Result<Stored, Fault> {
        let _ = (uids, action, flags);
        todo!()
    }

    /// Expunges the messages with `\Deleted` (of these UIDs, where given). Gives the UIDs expunged.
    pub async fn expunge(&self, uids: Option<&NumberSet>) -> Result<NumberSet, Fault> {
        let _ = uids;
        todo!()
    }

    /// Copies messages, all or none, with flags, keywords and INTERNALDATE. `Fault::Expunged` if one is gone.
    pub async fn copy(&self, uids: &NumberSet, target: &Mailbox) -> Result<Copied, Fault> {
        let _ = (uids, target);
        todo!()
    }

    /// Moves messages: each by one rename. `Fault::Expunged` if one is gone before anything was moved.
    pub async fn move_to(&self, uids: &NumberSet, target: &Mailbox) -> Result<Copied, Fault> {
        let _ = (uids, target);
        todo!()
    }

    /// Begins an APPEND.
    pub async fn upload(self: &Arc<Self>) -> Result<Upload, Fault> {
        todo!()
    }

    /// Ends an APPEND: the message is in the mailbox, durably, under the UID given.
    pub async fn append(
        &self,
        upload: Upload,
        flags: &[Flag],
        date: Option<DateTime>,
    ) -> Result<(UidValidity, Uid), Fault> {
        let _ = (upload, flags, date);
        todo!()
    }

    /// Opens a message's file; looks for it again if it was renamed. **Blocking**: for the blocking pool and
    /// rayon. `Fault::Expunged` if it is gone.
    pub fn open(&self, message: &Message) -> Result<File, Fault> {
        let _ = message;
        todo!()
    }
}
