//! What a [`View`](crate::mailbox::view::View) finds new: for the client to hear, and for what depends on it.

use std::sync::Arc;

use crate::imap::sequence::{NumberSet, SeqNum, Uid};
use crate::mailbox::snapshot::Message;

/// How a picture has changed, as [`View::sync`](crate::mailbox::view::View::sync) found.
#[derive(Clone, Debug, Default)]
pub struct Synced {
    /// Messages that are gone and not told as expunged before `updates`, by rising number: each number is the one
    /// the client knows until it hears of the first expunge.
    pub gone: Vec<(SeqNum, Uid)>,
    /// What the client must hear.
    pub updates: Vec<Update>,
    /// UIDs of messages that are new, or have other flags than before, whether or not the client must hear of it;
    /// and where another message is the last now, which `*` names, of that and the one before.
    pub touched: NumberSet,
}

/// One thing the client must hear, in the order given (new keywords come first).
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
        /// Its state; keywords by [`View::snapshot`](crate::mailbox::view::View::snapshot).
        message: Arc<Message>,
        /// `\Recent` for this session.
        recent: bool,
    },
}
