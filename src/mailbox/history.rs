//! Which messages are no longer in a mailbox (RFC 7162 §3.2.6).

use crate::imap::sequence::{ModSeq, NumberSet, SequenceSet};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;

impl Mailbox {
    /// Whether it keeps mod-sequences. Where UIDs are made up, nothing lasts (NOMODSEQ).
    pub fn keeps_modseqs(&self) -> bool {
        self.uids_are_sticky()
    }

    /// UIDs, among those `known` to the client, of messages that were expunged after `since`; those too of which it is
    /// not known when they were, or whether there ever were any. `known` is all UIDs if it is not given, and `*` in it
    /// is the highest that was ever given.
    pub async fn vanished(
        &self,
        since: ModSeq,
        known: Option<&SequenceSet>,
    ) -> Result<NumberSet, Fault> {
        let snapshot = self.snapshot();
        let last = snapshot.uid_next.get() - 1;
        if since == snapshot.modseq || last == 0 {
            return Ok(NumberSet::new());
        }
        let there = snapshot.iter().map(|message| message.uid.get()).collect();
        let gone = NumberSet::from_ranges([(1, last)]).difference(&there);
        Ok(match known {
            Some(known) => gone.intersection(&known.resolve(last)),
            None => gone,
        })
    }
}
