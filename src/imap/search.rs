//! Search keys (RFC 3501 §6.4.4) as a tree, and what is to be told of what they find.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;

use crate::imap::command::WireName;
use crate::imap::fetch::FetchItem;
use crate::imap::flag::{Keyword, SystemFlag};
use crate::imap::objectid::ObjectId;
use crate::imap::sequence::{ModSeq, SequenceSet};

/// What SORT sorts by (RFC 5256 §3, RFC 5957 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// INTERNALDATE with its time.
    Arrival,
    /// The mailbox of the first address in `Cc:`.
    Cc,
    /// The sent date.
    Date,
    /// The first address in `From:` as a person reads it.
    DisplayFrom,
    /// The first address in `To:` as a person reads it.
    DisplayTo,
    /// The mailbox of the first address in `From:`.
    From,
    /// RFC822.SIZE.
    Size,
    /// The base subject.
    Subject,
    /// The mailbox of the first address in `To:`.
    To,
}

impl SortKey {
    /// Each with its name on the wire.
    pub const NAMES: [(&'static str, SortKey); 9] = [
        ("ARRIVAL", SortKey::Arrival),
        ("CC", SortKey::Cc),
        ("DATE", SortKey::Date),
        ("DISPLAYFROM", SortKey::DisplayFrom),
        ("DISPLAYTO", SortKey::DisplayTo),
        ("FROM", SortKey::From),
        ("SIZE", SortKey::Size),
        ("SUBJECT", SortKey::Subject),
        ("TO", SortKey::To),
    ];
}

/// `sort-criterion`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortCriterion {
    /// `REVERSE`
    pub reverse: bool,
    /// By what.
    pub key: SortKey,
}

/// `thread-alg`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    /// By subject alone.
    OrderedSubject,
    /// By References, then by subject.
    References,
    /// By References alone; the thread with the newest message comes last.
    Refs,
}

impl ThreadAlgorithm {
    /// Each with its name on the wire.
    pub const NAMES: [(&'static str, ThreadAlgorithm); 3] = [
        ("ORDEREDSUBJECT", ThreadAlgorithm::OrderedSubject),
        ("REFERENCES", ThreadAlgorithm::References),
        ("REFS", ThreadAlgorithm::Refs),
    ];
}

/// Which mailboxes an ESEARCH looks into (RFC 7377 §2.2, RFC 5465 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Those that mail may be delivered to.
    Inboxes,
    /// Those named.
    Mailboxes(Vec<WireName>),
    /// All of the user's own.
    Personal,
    /// The selected one.
    Selected,
    /// Those subscribed to.
    Subscribed,
    /// Those named, and all below them.
    Subtree(Vec<WireName>),
    /// Those named, and the level below them.
    SubtreeOne(Vec<WireName>),
}

/// A search key. Strings are as the client sent them, in the command's charset, until
/// the search decodes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// `ALL`
    All,
    /// Several keys, all of which must match.
    And(Vec<SearchKey>),
    /// `BCC`, `CC`, `FROM`, `SUBJECT`, `TO` and `HEADER`: the field's name and the string in it.
    /// An empty string asks for the field's presence.
    Header(Vec<u8>, Vec<u8>),
    /// `BEFORE`: INTERNALDATE's day is earlier.
    Before(Day),
    /// `BODY`
    Body(Vec<u8>),
    /// `EMAILID`: the message has this one (RFC 8474 §6).
    EmailId(ObjectId),
    /// `ANSWERED`, `DELETED`, `DRAFT`, `FLAGGED`, `SEEN`; their opposites are [`SearchKey::Not`] of them.
    Flag(SystemFlag),
    /// `KEYWORD`; `UNKEYWORD` is [`SearchKey::Not`] of it.
    Keyword(Keyword),
    /// `LARGER`: RFC822.SIZE is above this.
    Larger(u64),
    /// `MODSEQ`: the mod-sequence is this, perhaps 0, or above (RFC 7162 §3.1.5). There is one for all that may
    /// change of a message, and so the server "MUST ignore" what the key says of an entry.
    ModSeq(ModSeq),
    /// `THREADID`: its thread has this one (RFC 8474 §6).
    ThreadId(ObjectId),
    /// `NEW`: recent and not seen.
    New,
    /// `NOT`
    Not(Box<SearchKey>),
    /// `OLD`: not recent.
    Old,
    /// `OLDER`: INTERNALDATE is so many seconds ago, or more (RFC 5032 §2).
    Older(NonZeroU32),
    /// `ON`
    On(Day),
    /// `OR`
    Or(Box<SearchKey>, Box<SearchKey>),
    /// `RECENT`
    Recent,
    /// `$`, and `UID $`: what the last SEARCH with SAVE found (RFC 5182).
    Saved,
    /// `SAVEDBEFORE`: it came into the mailbox on an earlier day (RFC 8514 §4.3).
    SavedBefore(Day),
    /// `SAVEDON`
    SavedOn(Day),
    /// `SAVEDSINCE`
    SavedSince(Day),
    /// `SENTBEFORE`, by the Date: header's own day.
    SentBefore(Day),
    /// `SENTON`
    SentOn(Day),
    /// `SENTSINCE`
    SentSince(Day),
    /// A sequence set as a key of its own.
    Sequence(SequenceSet),
    /// `SINCE`
    Since(Day),
    /// `SMALLER`: RFC822.SIZE is below this.
    Smaller(u64),
    /// `TEXT`: header or body.
    Text(Vec<u8>),
    /// `UID`
    Uid(SequenceSet),
    /// `YOUNGER`: INTERNALDATE is so many seconds ago, or less (RFC 5032 §2).
    Younger(NonZeroU32),
}

impl SearchKey {
    /// Whether `is` says so of this key or of one within it.
    pub fn any(&self, is: &dyn Fn(&SearchKey) -> bool) -> bool {
        is(self)
            || match self {
                SearchKey::And(keys) => keys.iter().any(|key| key.any(is)),
                SearchKey::Or(one, other) => one.any(is) || other.any(is),
                SearchKey::Not(key) => key.any(is),
                _ => false,
            }
    }

    /// Whether it asks for mod-sequences, so that its result is to name the highest.
    pub fn names_modseq(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::ModSeq(_)))
    }

    /// Octets it takes in memory, about, without keys within it.
    pub fn octets(&self) -> usize {
        let inside = match self {
            SearchKey::Header(name, text) => name.len() + text.len(),
            SearchKey::Body(text) | SearchKey::Text(text) => text.len(),
            SearchKey::EmailId(id) | SearchKey::ThreadId(id) => id.as_str().len(),
            SearchKey::Keyword(keyword) => keyword.as_str().len(),
            SearchKey::Sequence(set) | SearchKey::Uid(set) => size_of_val(set.ranges()),
            _ => 0,
        };
        size_of::<SearchKey>() + inside
    }
}

/// What SEARCH or SORT is to return (RFC 4731 §3.1, RFC 5182 §2.4, RFC 5267, RFC 9394). RETURN with an empty list
/// is [`ReturnOptions::ALL`]. `CONTEXT` is but a hint that the client will come back, and leaves no trace here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnOptions {
    /// `MIN`: the first number.
    pub min: bool,
    /// `MAX`: the last.
    pub max: bool,
    /// `ALL`: every number. Never with `partial`.
    pub all: bool,
    /// `COUNT`: how many there are.
    pub count: bool,
    /// `SAVE`: keep what was found, to be named by `$`.
    pub save: bool,
    /// `PARTIAL`: those at some positions.
    pub partial: Option<PartialRange>,
    /// `UPDATE`: tell what comes to match later, and what ceases to (RFC 5267 §4.3); of messages that are new then, also
    /// these items (RFC 5465 §7).
    pub update: Option<Vec<FetchItem>>,
}

impl ReturnOptions {
    /// `ALL` alone.
    pub const ALL: ReturnOptions = ReturnOptions {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
        partial: None,
        update: None,
    };

    /// Whether all that is found has to be known. If not, what MIN, MAX and PARTIAL return is all it takes, and
    /// all that SAVE keeps (RFC 5182 §2.4, RFC 9394 §3.2).
    pub fn needs_all(&self) -> bool {
        let some = self.min || self.max || self.partial.is_some();
        self.all || self.count || !some
    }

    /// Whether there is an ESEARCH response: not for SAVE alone.
    pub fn is_answered(&self) -> bool {
        let ends = self.min || self.max;
        ends || self.all || self.count || self.partial.is_some() || self.update.is_some()
    }
}

/// `partial-range` (RFC 9394 §4): results by their positions, whose order does not matter, from the first result
/// or from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialRange {
    /// `-`: 1 is the last result.
    pub from_last: bool,
    /// As written, from 1.
    pub ends: (NonZeroU32, NonZeroU32),
}

impl PartialRange {
    /// How many results from its end of them it takes to have all in the range.
    pub fn reach(&self) -> usize {
        self.ends.0.max(self.ends.1).get() as usize
    }

    /// How many results it has at the most.
    pub fn most(&self) -> usize {
        self.ends.0.get().abs_diff(self.ends.1.get()) as usize + 1
    }

    /// The range's part of `count` results as indices from 0, rising; empty where it lies beyond them.
    pub fn of(&self, count: usize) -> Range<usize> {
        let nearest = self.ends.0.min(self.ends.1).get() as usize - 1;
        let (from, to) = (nearest.min(count), self.reach().min(count));
        match self.from_last {
            false => from..to,
            true => count - to..count - from,
        }
    }
}

impl fmt::Display for PartialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.from_last { "-" } else { "" };
        write!(f, "{sign}{}:{sign}{}", self.ends.0, self.ends.1)
    }
}

/// A day without time or zone (RFC 3501 §9 `date`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// 0 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, and within the month.
    pub day: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_range_and_what_there_is() {
        let range = |from_last, from, to| PartialRange {
            from_last,
            ends: (NonZeroU32::new(from).unwrap(), NonZeroU32::new(to).unwrap()),
        };
        for (from_last, ends, count, expected) in [
            (false, (1, 3), 5, 0..3),
            (false, (3, 1), 5, 0..3),
            (false, (4, 9), 5, 3..5),
            (false, (6, 9), 5, 5..5),
            (false, (1, u32::MAX), 0, 0..0),
            (true, (1, 3), 5, 2..5),
            (true, (3, 3), 5, 2..3),
            (true, (9, 4), 5, 0..2),
            (true, (6, 9), 5, 0..0),
            (true, (u32::MAX, u32::MAX), 5, 0..0),
        ] {
            let range = range(from_last, ends.0, ends.1);
            assert_eq!(range.of(count), expected, "{range} of {count}");
        }
        assert_eq!(range(true, 1, 100).to_string(), "-1:-100");
        assert_eq!(range(false, 500, 400).to_string(), "500:400");
    }
}
