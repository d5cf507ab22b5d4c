//! Numbers that name messages: sequence numbers, UIDs, UIDVALIDITY, mod-sequences, and sets of them.

use std::fmt;
use std::num::NonZeroU32;

/// A message's position in the mailbox as one client knows it, from 1 (RFC 3501 §2.3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNum(pub NonZeroU32);

impl SeqNum {
    /// The sequence number of the message at `index` (from 0). `None` beyond 2^32 − 2.
    pub fn from_index(index: usize) -> Option<SeqNum> {
        u32::try_from(index)
            .ok()?
            .checked_add(1)
            .and_then(NonZeroU32::new)
            .map(SeqNum)
    }

    /// The position from 0.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A unique identifier, 1 to 2^32 − 1 (RFC 3501 §2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub NonZeroU32);

impl Uid {
    /// 1.
    pub const FIRST: Uid = Uid(NonZeroU32::MIN);

    /// The UID after this one; `None` after 2^32 − 1.
    pub fn following(self) -> Option<Uid> {
        self.0.checked_add(1).map(Uid)
    }

    /// `None` for 0.
    pub fn new(number: u32) -> Option<Uid> {
        NonZeroU32::new(number).map(Uid)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// A mailbox's unique identifier validity value, 1 to 2^32 − 1 (RFC 3501 §2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidValidity(pub NonZeroU32);

impl UidValidity {
    /// 1.
    pub const FIRST: UidValidity = UidValidity(NonZeroU32::MIN);

    /// `None` for 0.
    pub fn new(number: u32) -> Option<UidValidity> {
        NonZeroU32::new(number).map(UidValidity)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// A modification sequence, 1 to 2^63 − 1 (RFC 7162 §3.1); 0 stands for "none".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(pub u64);

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One end of a range: a number, or `*`, the largest number in use (RFC 3501 §9 `seq-number`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A number from 1.
    Number(NonZeroU32),
    /// `*`.
    Last,
}

/// What a client wrote as `sequence-set` (RFC 3501 §9): numbers of messages or UIDs, never empty.
/// The order of a range's ends does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSet(Vec<(Bound, Bound)>);

impl SequenceSet {
    /// `None` if there are no ranges.
    pub fn new(ranges: Vec<(Bound, Bound)>) -> Option<SequenceSet> {
        if ranges.is_empty() {
            None
        } else {
            Some(SequenceSet(ranges))
        }
    }

    /// The ranges as written.
    pub fn ranges(&self) -> &[(Bound, Bound)] {
        &self.0
    }

    /// The set as inclusive ranges, sorted, merged and never overlapping, with `*` standing for `last`.
    /// The cost is that of sorting what was written, whatever the numbers are.
    pub fn resolve(&self, last: u32) -> NumberSet {
        let number = |bound: Bound| match bound {
            Bound::Number(n) => n.get(),
            Bound::Last => last,
        };
        NumberSet::from_ranges(self.0.iter().map(|&(from, to)| {
            let (from, to) = (number(from), number(to));
            (from.min(to), from.max(to))
        }))
    }
}

/// The messages a command names (RFC 5182 §3 `sequence-set`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSet {
    /// By their numbers.
    Numbers(SequenceSet),
    /// By their numbers, and what is saved too (`2,4:7,$`).
    NumbersAndSaved(SequenceSet),
    /// `$`: what the last SEARCH with SAVE found, whether the command's numbers are sequence numbers or UIDs.
    Saved,
}

/// A set of numbers as sorted inclusive ranges that neither touch nor overlap. May be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberSet(Vec<(u32, u32)>);

impl NumberSet {
    /// The empty set.
    pub fn new() -> NumberSet {
        NumberSet::default()
    }

    /// Sorts and merges inclusive ranges whose lower end comes first.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> NumberSet {
        let mut sorted: Vec<(u32, u32)> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(sorted.len().min(64));
        for (from, to) in sorted {
            match merged.last_mut() {
                Some((_, end)) if from <= end.saturating_add(1) => *end = (*end).max(to),
                _ => merged.push((from, to)),
            }
        }
        NumberSet(merged)
    }

    /// Adds one number; cheap when numbers come in rising order.
    pub fn insert(&mut self, number: u32) {
        if self.contains(number) {
            return;
        }
        match self.0.last_mut() {
            Some((_, end)) if number == end.saturating_add(1) => *end = number,
            Some((_, end)) if number < *end => {
                let mut ranges = std::mem::take(&mut self.0);
                ranges.push((number, number));
                *self = NumberSet::from_ranges(ranges);
            }
            _ => self.0.push((number, number)),
        }
    }

    /// Takes one number out; true if it was there.
    pub fn remove(&mut self, number: u32) -> bool {
        let at = self.0.partition_point(|&(_, to)| to < number);
        let Some(&(from, to)) = self.0.get(at) else {
            return false;
        };
        if number < from {
            return false;
        }
        let mut parts = Vec::with_capacity(2);
        if from < number {
            parts.push((from, number - 1));
        }
        if number < to {
            parts.push((number + 1, to));
        }
        self.0.splice(at..=at, parts);
        true
    }

    /// Whether the number is in the set.
    pub fn contains(&self, number: u32) -> bool {
        let at = self.0.partition_point(|&(_, to)| to < number);
        self.0.get(at).is_some_and(|&(from, _)| from <= number)
    }

    /// The lowest number.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|range| range.0)
    }

    /// The highest.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|range| range.1)
    }

    /// The set as a client would write it; `None` where it is empty, or all it has is 0.
    pub fn to_sequence_set(&self) -> Option<SequenceSet> {
        let bound = |number: u32| NonZeroU32::new(number).map(Bound::Number);
        let range = |&(from, to): &(u32, u32)| Some((bound(from.max(1))?, bound(to)?));
        SequenceSet::new(self.0.iter().filter_map(range).collect())
    }

    /// The ranges, sorted.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Every number, rising.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(from, to)| from..=to)
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.0
            .iter()
            .map(|&(from, to)| u64::from(to - from) + 1)
            .sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers of either set.
    pub fn union(&self, other: &NumberSet) -> NumberSet {
        NumberSet::from_ranges(self.0.iter().chain(&other.0).copied())
    }

    /// The numbers that are in both sets.
    pub fn intersection(&self, other: &NumberSet) -> NumberSet {
        self.difference(&self.difference(other))
    }

    /// The numbers that are not in the other set.
    pub fn difference(&self, other: &NumberSet) -> NumberSet {
        let mut left = Vec::new();
        let mut others = other.0.iter().peekable();
        for &(mut from, to) in &self.0 {
            let mut whole = false;
            while let Some(&&(out_from, out_to)) = others.peek() {
                if out_from > to {
                    break;
                }
                if out_from > from {
                    left.push((from, out_from - 1));
                }
                if out_to >= to {
                    whole = true;
                    break;
                }
                from = from.max(out_to.saturating_add(1));
                others.next();
            }
            if !whole {
                left.push((from, to));
            }
        }
        NumberSet(left)
    }
}

/// Numbers in an order that means something, such as SORT's: as inclusive ranges of neighbours that rise by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberList(Vec<(u32, u32)>);

impl NumberList {
    /// The ranges, in order. The lower end comes first (RFC 5267 §3.2).
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Every number, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(from, to)| from..=to)
    }

    /// The number that comes first.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|range| range.0)
    }

    /// The number that comes last.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|range| range.1)
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        let count = |&(from, to): &(u32, u32)| (to - from) as usize + 1;
        self.0.iter().map(count).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers at these positions, from 0.
    pub fn at(&self, positions: std::ops::Range<usize>) -> NumberList {
        self.iter()
            .skip(positions.start)
            .take(positions.len())
            .collect()
    }
}

impl From<NumberSet> for NumberList {
    fn from(set: NumberSet) -> NumberList {
        NumberList(set.0)
    }
}

impl FromIterator<u32> for NumberList {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> NumberList {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, end)) if end.checked_add(1) == Some(number) => *end = number,
                _ => ranges.push((number, number)),
            }
        }
        NumberList(ranges)
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> NumberSet {
        NumberSet::from_ranges(numbers.into_iter().map(|n| (n, n)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_keeps_its_order() {
        let list = |numbers: &[u32]| numbers.iter().copied().collect::<NumberList>();
        let sorted = list(&[5, 4, 3, 7, 8, 9, 1, u32::MAX, 0]);
        let last = (u32::MAX, u32::MAX);
        let ranges = [(5, 5), (4, 4), (3, 3), (7, 9), (1, 1), last, (0, 0)];
        assert_eq!(sorted.ranges(), ranges);
        assert_eq!(sorted.len(), 9);
        assert_eq!((sorted.first(), sorted.last()), (Some(5), Some(0)));
        assert_eq!(sorted.at(2..5), list(&[3, 7, 8]));
        assert_eq!(sorted.at(8..20), list(&[0]));
        assert!(sorted.at(9..9).is_empty());
    }

    proptest! {
        #[test]
        fn sets_are_sets(
            one in proptest::collection::btree_set(0u32..60, 0..40),
            other in proptest::collection::btree_set(0u32..60, 0..40),
        ) {
            let set = |numbers: &BTreeSet<u32>| numbers.iter().copied().collect::<NumberSet>();
            let (a, b) = (set(&one), set(&other));
            prop_assert_eq!(a.union(&b), set(&(&one | &other)));
            prop_assert_eq!(a.difference(&b), set(&(&one - &other)));
            prop_assert_eq!(a.intersection(&b), set(&(&one & &other)));
        }
    }
}
