//! What has happened to a mailbox since a mod-sequence that a client names (RFC 7162).

use crate::imap::sequence::{ModSeq, NumberSet, SequenceSet, Uid};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;

impl Mailbox {
    /// UIDs that were expunged after `since` (RFC 7162 §3.2.5.1), of those in `known` where it is given. Exact as far
    /// back as the history goes; for a mod-sequence from before it, or one that was never given, every UID below
    /// UIDNEXT that is not there.
    pub fn vanished(&self, since: ModSeq, known: Option<&SequenceSet>) -> NumberSet {
        self.snapshot().vanished(since, known)
    }
}

impl Snapshot {
    /// The same as of this state. `*` in `known` stands for the highest UID there can be.
    pub fn vanished(&self, since: ModSeq, known: Option<&SequenceSet>) -> NumberSet {
        let gone = self.gone_since(since).unwrap_or_else(|| self.absent());
        let highest = self.uid_next.get().saturating_sub(1);
        match known {
            None => gone,
            Some(known) => {
                // What is in both.
                let known = known.resolve(highest);
                gone.difference(&gone.difference(&known))
            }
        }
    }

    /// Whether it keeps mod-sequences (RFC 7162 §3.1.2.2, NOMODSEQ). Where UIDs are made up nothing lasts, and what
    /// cannot be written down would be given twice.
    pub fn keeps_modseqs(&self) -> bool {
        self.kept
    }

    /// Since when a client has to be told what has changed that names a mod-sequence: since then, or from the beginning
    /// if that was never given. A client may have it from another server on the same mail.
    pub fn since(&self, named: ModSeq) -> ModSeq {
        match named > self.modseq {
            true => ModSeq::default(),
            false => named,
        }
    }

    /// `None` where the history does not tell.
    fn gone_since(&self, since: ModSeq) -> Option<NumberSet> {
        let gone = self.vanished.since(self.since(since))?;
        // What has come back under its old UID is not gone.
        let mut parts = Vec::with_capacity(gone.ranges().len());
        for &(from, to) in gone.ranges() {
            parts.extend(self.gaps(from, to));
        }
        Some(NumberSet::from_ranges(parts))
    }

    /// Every UID below UIDNEXT that is not there.
    fn absent(&self) -> NumberSet {
        let highest = self.uid_next.get().saturating_sub(1);
        NumberSet::from_ranges(self.gaps(1, highest))
    }

    /// The UIDs from one to another that are not there, in ranges.
    fn gaps(&self, from: u32, to: u32) -> Vec<(u32, u32)> {
        let mut gaps = Vec::new();
        let Some(first) = Uid::new(from.max(1)) else {
            return gaps;
        };
        let mut next = Some(first.get());
        let mut index = self.rank(first);
        while let Some(message) = self.get(index).filter(|message| message.uid.get() <= to) {
            let uid = message.uid.get();
            gaps.extend(next.filter(|next| *next < uid).map(|next| (next, uid - 1)));
            next = uid.checked_add(1);
            index += 1;
        }
        gaps.extend(next.filter(|next| *next <= to).map(|next| (next, to)));
        gaps
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::imap::sequence::Bound;
    use crate::index::vanished::Vanished;
    use crate::mailbox::snapshot::tests::snapshot;

    fn set(ranges: &[(u32, u32)]) -> NumberSet {
        NumberSet::from_ranges(ranges.iter().copied())
    }

    fn known(from: u32, to: Option<u32>) -> SequenceSet {
        let number = |number| Bound::Number(NonZeroU32::new(number).unwrap());
        SequenceSet::new(vec![(number(from), to.map_or(Bound::Last, number))]).unwrap()
    }

    #[test]
    fn the_history_tells_what_is_gone_and_without_it_all_that_is_not_there() {
        let mut made = snapshot([2, 3, 7]);
        let mut history = Vanished::new(ModSeq(100));
        history.push(&set(&[(4, 4)]), ModSeq(101));
        history.push(&set(&[(1, 1), (5, 5)]), ModSeq(102));
        made.vanished = Arc::new(history);
        made.modseq = ModSeq(102);
        assert_eq!(made.vanished(ModSeq(100), None), set(&[(1, 1), (4, 5)]));
        assert_eq!(made.vanished(ModSeq(101), None), set(&[(1, 1), (5, 5)]));
        assert_eq!(made.vanished(ModSeq(102), None), set(&[]));
        let all = set(&[(1, 1), (4, 6)]);
        // From before the history, as from Dovecot; and never given.
        for since in [0, 1, 99, 103, u64::MAX] {
            assert_eq!(made.vanished(ModSeq(since), None), all, "{since}");
        }
        let some = known(5, None);
        assert_eq!(made.vanished(ModSeq(1), Some(&some)), set(&[(5, 6)]));
        assert_eq!(made.vanished(ModSeq(100), Some(&some)), set(&[(5, 5)]));
        assert_eq!(made.vanished(ModSeq(1), Some(&known(2, Some(3)))), set(&[]));
    }

    #[test]
    fn what_is_there_is_never_told_as_gone() {
        let mut made = snapshot([2, 3, 7]);
        let mut history = Vanished::new(ModSeq(100));
        history.push(&set(&[(1, 7)]), ModSeq(101));
        made.vanished = Arc::new(history);
        made.modseq = ModSeq(101);
        assert_eq!(made.vanished(ModSeq(100), None), set(&[(1, 1), (4, 6)]));
        assert_eq!(snapshot([]).vanished(ModSeq(0), None), set(&[]));
    }
}
