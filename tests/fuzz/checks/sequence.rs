//! Sets of numbers: what a client writes as `sequence-set` is the set that a list of its numbers is.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use culver::imap::command::{Command, CommandBody};
use culver::imap::parse;
use culver::imap::sequence::{Bound, MessageSet, NumberSet, SequenceSet};

/// Sets of numbers up to this one are compared with a list.
const FEW: u32 = 300;

/// Octets 1 and 2 say what `*` is and which numbers are put in and taken out; the rest is the set.
pub fn check(octets: &[u8]) {
    let [last, change, text @ ..] = octets else {
        return;
    };
    let line = [b"a EXPUNGE".as_slice(), text].concat();
    assert!(parse::command(&line).is_err() || text.is_empty());
    let line = [b"a UID EXPUNGE ".as_slice(), text].concat();
    let Ok(Command { body, .. }) = parse::command(&line) else {
        return;
    };
    let CommandBody::Expunge { uids: Some(set) } = body else {
        panic!("{body:?}");
    };
    // RFC 5182 §3: `$` may stand for the whole set, or for the last of its members.
    let (set, text) = match set {
        MessageSet::Numbers(set) => (set, Some(text)),
        MessageSet::NumbersAndSaved(set) => (set, text.strip_suffix(b",$")),
        MessageSet::Saved => return assert_eq!(text, b"$"),
    };
    assert_eq!(text.and_then(read).as_ref(), Some(&set));
    for last in [u32::from(*last), 0, 1, u32::MAX] {
        resolve(&set, last, u32::from(*change));
    }
}

/// The set as anybody would read it.
fn read(text: &[u8]) -> Option<SequenceSet> {
    let bound = |text: &str| match text {
        "*" => Some(Bound::Last),
        digits => digits.parse().ok().map(Bound::Number),
    };
    let ranges = std::str::from_utf8(text).ok()?.split(',').map(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        Some((bound(from)?, bound(to)?))
    });
    SequenceSet::new(ranges.collect::<Option<_>>()?)
}

fn resolve(set: &SequenceSet, last: u32, change: u32) {
    let mut resolved = set.resolve(last);
    for pair in resolved.ranges().windows(2) {
        assert!(
            u64::from(pair[0].1) + 1 < u64::from(pair[1].0),
            "{resolved:?}"
        );
    }
    assert!(resolved.ranges().iter().all(|(from, to)| from <= to));
    assert_eq!(
        resolved.first(),
        resolved.ranges().first().map(|range| range.0)
    );
    assert_eq!(
        resolved.last(),
        resolved.ranges().last().map(|range| range.1)
    );
    if let Some(again) = resolved.to_sequence_set() {
        let nothing = resolved.contains(0);
        let again = again.resolve(last);
        assert!(nothing || again == resolved, "{again:?} {resolved:?}");
    }

    // Numbers that matter: the ends, and what lies beside them.
    let number = |bound: Bound| match bound {
        Bound::Number(number) => number.get(),
        Bound::Last => last,
    };
    let named = |wanted: u32| {
        set.ranges().iter().any(|(from, to)| {
            let (from, to) = (number(*from), number(*to));
            (from.min(to)..=from.max(to)).contains(&wanted)
        })
    };
    for (from, to) in set.ranges() {
        for end in [number(*from), number(*to)] {
            for wanted in [end.saturating_sub(1), end, end.saturating_add(1)] {
                assert_eq!(resolved.contains(wanted), named(wanted), "{wanted}");
            }
        }
    }

    if resolved.last().is_none_or(|highest| highest <= FEW) {
        let mut listed: BTreeSet<u32> = (0..=FEW).filter(|number| named(*number)).collect();
        same(&resolved, &listed);
        for number in [change, change / 2, FEW - change, last.min(FEW)] {
            assert_eq!(resolved.remove(number), listed.remove(&number));
            same(&resolved, &listed);
            let number = number / 3 * 2;
            resolved.insert(number);
            listed.insert(number);
            same(&resolved, &listed);
        }
    }
    // Cheap at any size.
    let whole = u64::from(u32::MAX) + 1;
    assert!(resolved.len() <= whole);
    resolved.insert(u32::MAX);
    assert!(resolved.contains(u32::MAX) && resolved.remove(u32::MAX));
    assert!(NonZeroU32::new(last).is_none() || !resolved.contains(u32::MAX));
}

fn same(set: &NumberSet, listed: &BTreeSet<u32>) {
    assert!(set.iter().eq(listed.iter().copied()), "{set:?} {listed:?}");
    assert_eq!(set.len(), listed.len() as u64);
    assert_eq!(set.is_empty(), listed.is_empty());
    assert_eq!(&listed.iter().copied().collect::<NumberSet>(), set);
}
