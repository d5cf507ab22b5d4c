//! Which UIDs have vanished, and when (RFC 7162 §3.2): the history that lets a client catch up.
//!
//! It is bounded. Where it would grow beyond [`RANGES`] its oldest part goes, and it begins later. Copies share what
//! they have in common, so that each state of a mailbox can have its own.

use std::sync::Arc;

use crate::imap::sequence::{ModSeq, NumberSet};

/// How many ranges of UIDs are kept, give or take a chunk: 1 MiB of them.
pub const RANGES: usize = 1 << 16;

/// Ranges in a chunk, which is what a change copies, and what goes at once.
const CHUNK: usize = 256;

/// UIDs that vanished at once, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lowest.
    pub from: u32,
    /// The highest.
    pub to: u32,
    /// When.
    pub modseq: ModSeq,
}

/// The UIDs that have vanished since some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vanished {
    begins: ModSeq,
    chunks: Vec<Arc<Vec<Range>>>,
}

impl Vanished {
    /// A history that begins now: nothing is known of what vanished up to this mod-sequence.
    pub fn new(begins: ModSeq) -> Vanished {
        Vanished {
            begins,
            chunks: Vec::new(),
        }
    }

    /// Whatever vanished after this is in it.
    pub fn begins(&self) -> ModSeq {
        self.begins
    }

    /// Notes UIDs. The mod-sequences come in rising order; one that is lower than the last counts as that.
    pub fn push(&mut self, uids: &NumberSet, modseq: ModSeq) {
        let last = self.chunks.last().and_then(|chunk| chunk.last());
        let modseq = last.map_or(modseq, |last| modseq.max(last.modseq));
        for &(from, to) in uids.ranges() {
            let range = Range { from, to, modseq };
            match self.chunks.last_mut() {
                Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(range),
                _ => self.chunks.push(Arc::new(vec![range])),
            }
        }
        let beyond = self.chunks.len().saturating_sub(RANGES.div_ceil(CHUNK));
        if let Some(last) =
            (self.chunks.drain(..beyond).next_back()).and_then(|gone| gone.last().copied())
        {
            self.begins = self.begins.max(last.modseq);
        }
    }

    /// What has vanished after a mod-sequence; `None` where the history does not reach back so far.
    pub fn since(&self, modseq: ModSeq) -> Option<NumberSet> {
        if modseq < self.begins {
            return None;
        }
        let is_known =
            |chunk: &Arc<Vec<Range>>| chunk.last().is_some_and(|range| range.modseq <= modseq);
        let known = self.chunks.partition_point(is_known);
        let after = self
            .chunks
            .iter()
            .skip(known)
            .flat_map(|chunk| chunk.iter());
        let after = after.filter(|range| range.modseq > modseq);
        Some(NumberSet::from_ranges(
            after.map(|range| (range.from, range.to)),
        ))
    }

    /// All of it, the oldest first.
    pub fn ranges(&self) -> impl Iterator<Item = Range> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u32, u32)]) -> NumberSet {
        NumberSet::from_ranges(ranges.iter().copied())
    }

    #[test]
    fn it_tells_what_came_after() {
        let mut history = Vanished::new(ModSeq(10));
        history.push(&set(&[(1, 1), (5, 7)]), ModSeq(11));
        history.push(&set(&[(8, 8)]), ModSeq(20));
        assert_eq!(history.since(ModSeq(9)), None);
        assert_eq!(history.since(ModSeq(10)), Some(set(&[(1, 1), (5, 8)])));
        assert_eq!(history.since(ModSeq(11)), Some(set(&[(8, 8)])));
        assert_eq!(history.since(ModSeq(20)), Some(set(&[])));
    }

    #[test]
    fn what_is_dropped_is_not_told_as_known() {
        let mut history = Vanished::new(ModSeq(1));
        let many = RANGES as u32 + 1000;
        for uid in 1..=many {
            history.push(&set(&[(uid * 2, uid * 2)]), ModSeq(u64::from(uid) + 1));
        }
        let kept = history.ranges().count();
        assert!(kept <= RANGES && kept > RANGES - CHUNK, "{kept}");
        let begins = history.begins();
        assert_eq!(history.since(ModSeq(begins.0 - 1)), None);
        let told = history.since(begins).unwrap();
        assert_eq!(told.len(), kept as u64);
        assert_eq!(told.first(), Some((begins.0 as u32) * 2));
    }

    #[test]
    fn one_change_may_be_larger_than_the_history() {
        let mut history = Vanished::new(ModSeq(1));
        let all = NumberSet::from_ranges((1..=RANGES as u32 * 2).map(|uid| (uid * 2, uid * 2)));
        history.push(&all, ModSeq(7));
        assert_eq!(history.since(ModSeq(6)), None);
        assert_eq!(history.since(ModSeq(7)), Some(set(&[])));
    }
}
