//! Search keys (RFC 3501 §6.4.4) as a tree.

use std::num::NonZeroU32;

use crate::imap::flag::{Keyword, SystemFlag};
use crate::imap::sequence::SequenceSet;

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
    /// `ANSWERED`, `DELETED`, `DRAFT`, `FLAGGED`, `SEEN`; their opposites are [`SearchKey::Not`] of them.
    Flag(SystemFlag),
    /// `KEYWORD`; `UNKEYWORD` is [`SearchKey::Not`] of it.
    Keyword(Keyword),
    /// `LARGER`: RFC822.SIZE is above this.
    Larger(u64),
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

/// What SEARCH is to return (RFC 4731 §3.1, RFC 5182 §2.4). RETURN with an empty list is [`ReturnOptions::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReturnOptions {
    /// `MIN`: the lowest number.
    pub min: bool,
    /// `MAX`: the highest.
    pub max: bool,
    /// `ALL`: every number.
    pub all: bool,
    /// `COUNT`: how many there are.
    pub count: bool,
    /// `SAVE`: keep what was found, to be named by `$`.
    pub save: bool,
}

impl ReturnOptions {
    /// `ALL` alone.
    pub const ALL: ReturnOptions = ReturnOptions {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
    };

    /// Whether the lowest and the highest number that were asked for are all it takes: SAVE then keeps only
    /// these too (RFC 5182 §2.4).
    pub fn only_ends(&self) -> bool {
        (self.min || self.max) && !self.all && !self.count
    }

    /// Whether there is an ESEARCH response: not for SAVE alone.
    pub fn is_answered(&self) -> bool {
        self.min || self.max || self.all || self.count
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
