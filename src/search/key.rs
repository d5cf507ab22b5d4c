//! What SORT holds of a text: where it stands beside another, the pivot, and what it has there.
//!
//! That is enough to tell apart nearly all, and as little for the longest as for any. First the pivot of all is a text
//! of nothing. Of those that are then still alike and go on one becomes the pivot of the others, and so forth: each
//! round reads the text of every message again that is not yet told apart, and leaves half of them, as a sort by
//! pivots does that are drawn by lot.

use std::cmp::{Ordering, Reverse};
use std::hash::{BuildHasher, RandomState};

/// Octets held of each text.
const WINDOW: usize = 512;

/// Where a text stands among all of a SORT, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// How many come before it and those it is like, by what was known before.
    rank: usize,
    beside: Beside,
}

/// A text beside its pivot: how long they are the same, and how the text goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Beside {
    // Of two that come before the pivot, the one that leaves it earlier is the lesser; behind it, the greater.
    Before(usize, Window),
    Same,
    Behind(Reverse<usize>, Window),
}

/// Octets of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    octets: Vec<u8>,
    /// There are more.
    cut: bool,
}

impl Key {
    /// Of a text of which nothing is known yet.
    pub fn new(text: &[u8]) -> Key {
        Key::beside(0, text, &[])
    }

    /// Of a text of this rank, by a pivot of the same rank.
    pub fn beside(rank: usize, text: &[u8], pivot: &[u8]) -> Key {
        let pairs = text.iter().zip(pivot);
        let shared = pairs.take_while(|(one, other)| one == other).count();
        let rest = text.get(shared..).unwrap_or_default();
        let window = Window {
            octets: rest.iter().copied().take(WINDOW).collect(),
            cut: rest.len() > WINDOW,
        };
        let beside = match text.cmp(pivot) {
            Ordering::Less => Beside::Before(shared, window),
            Ordering::Equal => Beside::Same,
            Ordering::Greater => Beside::Behind(Reverse(shared), window),
        };
        Key { rank, beside }
    }

    /// Of a text that is its rank's pivot, or the only one of it, or the same as all others.
    pub fn of_rank(rank: usize) -> Key {
        Key {
            rank,
            beside: Beside::Same,
        }
    }

    /// Whether another of the same key may be of another text.
    pub fn is_cut(&self) -> bool {
        match &self.beside {
            Beside::Before(_, window) | Beside::Behind(_, window) => window.cut,
            Beside::Same => false,
        }
    }
}

/// What is known of texts by their keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Alike {
    /// The rank of each.
    pub ranks: Vec<usize>,
    /// Those that are alike and may not be the same, the pivot first.
    pub groups: Vec<Vec<usize>>,
}

/// Finds those that are not yet told apart.
pub fn alike<'k>(keys: impl Iterator<Item = &'k Key>) -> Alike {
    let lot = RandomState::new();
    let mut order: Vec<(&Key, usize)> = keys.zip(0..).collect();
    order.sort_unstable();
    let mut alike = Alike {
        ranks: vec![0; order.len()],
        groups: Vec::new(),
    };
    let mut rank = 0;
    for group in order.chunk_by(|one, next| one.0 == next.0) {
        let mut members: Vec<usize> = group.iter().map(|(_, at)| *at).collect();
        for at in &members {
            if let Some(slot) = alike.ranks.get_mut(*at) {
                *slot = rank;
            }
        }
        rank += members.len();
        if members.len() > 1 && group.iter().any(|(key, _)| key.is_cut()) {
            // By lot, for whoever sends the messages may know their order.
            if let Some(drawn) = (0..members.len()).min_by_key(|at| lot.hash_one(at)) {
                members.swap(0, drawn);
            }
            alike.groups.push(members);
        }
    }
    alike
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts in order, by number, and how often one was read at most.
    fn sorted(texts: &[Vec<u8>]) -> (Vec<usize>, usize) {
        let mut keys: Vec<Key> = texts.iter().map(|text| Key::new(text)).collect();
        let mut reads = vec![1; texts.len()];
        loop {
            let Alike { ranks, groups } = alike(keys.iter());
            if groups.is_empty() {
                let mut order: Vec<usize> = (0..texts.len()).collect();
                order.sort_by_key(|at| &keys[*at]);
                return (order, reads.into_iter().max().unwrap_or_default());
            }
            keys = ranks.iter().copied().map(Key::of_rank).collect();
            for group in groups {
                for at in &group {
                    keys[*at] = Key::beside(ranks[*at], &texts[*at], &texts[group[0]]);
                    reads[*at] += 1;
                }
            }
        }
    }

    fn in_order(texts: &[Vec<u8>]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|at| &texts[*at]);
        order
    }

    /// Texts made to leave each other at every turn: a stair, a tree, and all the same.
    #[test]
    fn no_text_is_read_often() {
        let block = |octet: u8| vec![octet; WINDOW];
        let stair = |at: usize| [block(b'x').repeat(at), vec![b'a']].concat();
        let tree = |at: usize| {
            (0..9)
                .flat_map(|bit| block(b'0' + (at >> bit & 1) as u8))
                .collect()
        };
        let stairs = (0..64).map(|at| stair(at * 37 % 64)).collect::<Vec<_>>();
        let trees = (0..64).map(tree).collect::<Vec<Vec<u8>>>();
        let same = vec![block(b'x').repeat(3); 250];
        let near = (0..250).map(|at| [block(b'x').repeat(3), vec![at as u8]].concat());
        for (texts, most) in [(stairs, 40), (trees, 40), (same, 2), (near.collect(), 2)] {
            let (order, reads) = sorted(&texts);
            assert_eq!(order, in_order(&texts));
            assert!(reads <= most, "{reads}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_sorted(
            texts in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![
                        prop_oneof![Just(b'a'), Just(b'b')].prop_map(|octet| vec![octet; WINDOW]),
                        proptest::collection::vec(any::<u8>(), 0..3),
                    ],
                    0..6,
                ),
                0..24,
            ),
        ) {
            let texts: Vec<Vec<u8>> = texts.into_iter().map(|blocks| blocks.concat()).collect();
            prop_assert_eq!(sorted(&texts).0, in_order(&texts));
        }
    }
}
