//! What a server says (RFC 3501 §7), as values.

use std::borrow::Cow;

use crate::imap::command::StatusItem;
use crate::imap::core::Tag;
use crate::imap::flag::{Keyword, SystemFlags};
use crate::imap::metadata::EntryName;
use crate::imap::name::MailboxName;
use crate::imap::objectid::ObjectId;
use crate::imap::search::{PartialRange, ReturnOptions};
use crate::imap::sequence::{ModSeq, NumberList, NumberSet, SeqNum, Uid, UidValidity};

/// A status response: tagged, untagged, or the greeting (RFC 3501 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `None` for `*`.
    pub tag: Option<Tag>,
    /// Its condition.
    pub kind: StatusKind,
    /// In brackets.
    pub code: Option<Code>,
    /// For a human; the encoder replaces CR, LF and NUL, and an empty text by one that is not.
    pub text: String,
}

/// The five conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 3501 §7.1")]
pub enum StatusKind {
    Ok,
    No,
    Bad,
    PreAuth,
    Bye,
}

/// Response codes (RFC 3501 §7.1, RFC 4315, RFC 5530, RFC 7162 and others).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the registry's own names")]
pub enum Code {
    Alert,
    AlreadyExists,
    AppendUid(UidValidity, NumberSet),
    AuthenticationFailed,
    AuthorizationFailed,
    /// With the charsets that are known.
    BadCharset(Vec<&'static str>),
    /// No such event to be notified of; those that there are (RFC 5465 §3.1).
    BadEvent,
    /// The URL as the client wrote it (RFC 4469 §4.1).
    BadUrl(Vec<u8>),
    Cannot,
    Capability(Vec<Cow<'static, str>>),
    ClientBug,
    Closed,
    ContactAdmin,
    CopyUid(UidValidity, NumberSet, NumberSet),
    Corruption,
    ExpungeIssued,
    HasChildren,
    HighestModSeq(ModSeq),
    /// The command of this tag has come so far of so far (RFC 9585 §4): the second is more than the first.
    InProgress(Option<Tag>, u64, u64),
    InUse,
    Limit,
    /// The mailbox's (RFC 8474 §4).
    MailboxId(ObjectId),
    /// So many messages were processed, or may be; the lowest UID of those that were (RFC 9738).
    MessageLimit(u32, Option<Uid>),
    /// Octets of the largest value that was too large for the client (RFC 5464 §4.2.1).
    MetadataLongEntries(u64),
    /// Octets that a value may have (RFC 5464 §4.3).
    MetadataMaxSize(u64),
    /// RFC 5464 §4.3.
    MetadataTooMany,
    /// The messages that a conditional STORE left alone, not empty, as UIDs for UID STORE (RFC 7162 §3.1.3).
    Modified(NumberSet),
    /// The mailbox does not keep mod-sequences (RFC 7162 §3.1.2.2).
    NoModSeq,
    NonExistent,
    NoPerm,
    /// RFC 5465 §5.8.
    NotificationOverflow,
    /// RFC 5182 §2.5.
    NotSaved,
    /// No UPDATE for the search of this tag (RFC 5267 §4.3.1).
    NoUpdate(Tag),
    OverQuota,
    Parse,
    /// The flags a client can change for good; `true` if it can make new keywords (`\*`).
    PermanentFlags(SystemFlags, Vec<Keyword>, bool),
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    /// RFC 4469 §4.2, RFC 7889 §4.
    TooBig,
    /// RFC 10022.
    TooFew,
    TryCreate,
    UidNext(Uid),
    UidNotSticky,
    /// RFC 9586.
    UidRequired,
    UidValidity(UidValidity),
    Unavailable,
    /// RFC 3516 §4.3.
    UnknownCte,
    Unseen(SeqNum),
    UseAttr,
}

/// Untagged data, but for FETCH, which [`crate::imap::encode::fetch`] writes piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 3501 §7.2 to §7.4")]
pub enum Data {
    Capability(Vec<Cow<'static, str>>),
    Enabled(Vec<&'static str>),
    Esearch(Esearch),
    Exists(u32),
    Expunge(SeqNum),
    /// The flags defined in the mailbox.
    Flags(SystemFlags, Vec<Keyword>),
    /// Field names and values of ID (RFC 2971).
    Id(Vec<(&'static str, String)>),
    List(ListItem),
    Lsub(ListItem),
    /// Entries and values of a mailbox, or of the server (RFC 5464 §4.4.1); not empty.
    Metadata(Option<MailboxName>, Vec<(EntryName, Option<Vec<u8>>)>),
    /// Entries that somebody else changed (RFC 5464 §4.4.2); not empty.
    MetadataChanged(Option<MailboxName>, Vec<EntryName>),
    /// One private namespace with an empty prefix and this separator (RFC 2342).
    Namespace(char),
    /// A quota root's name, and what is limited there (RFC 9208 §4.2.1).
    Quota(&'static str, Vec<Resource>),
    /// The names of a mailbox's quota roots (RFC 9208 §4.2.2).
    QuotaRoot(MailboxName, Vec<&'static str>),
    Recent(u32),
    /// Rising numbers, and the highest of their mod-sequences where the command asked for mod-sequences and there
    /// are numbers (RFC 7162 §3.1.6).
    Search(Vec<u32>, Option<ModSeq>),
    /// The same with numbers in the order asked for (RFC 5256 §4, RFC 7162 §3.1.9).
    Sort(Vec<u32>, Option<ModSeq>),
    /// Threads, as they are written (RFC 5256 §4).
    Thread(Vec<ThreadItem>),
    /// Ranges of UIDs, the higher end first (RFC 10022).
    UidBatches(Tag, Vec<(u32, u32)>),
    /// Of each item its value.
    StatusItems(MailboxName, Vec<(StatusItem, StatusValue)>),
    /// UIDs of messages expunged, not empty: just now, or `earlier` (RFC 7162 §3.2.10).
    Vanished {
        earlier: bool,
        uids: NumberSet,
    },
}

/// `quota-resource` (RFC 9208 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Such as `STORAGE`.
    pub name: &'static str,
    /// In the units of the resource, as the limit.
    pub usage: u64,
    /// The most there may be.
    pub limit: u64,
}

/// What STATUS says of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusValue {
    /// NIL: of APPENDLIMIT alone.
    Nil,
    /// A number.
    Number(u64),
    /// Of MAILBOXID.
    Id(ObjectId),
}

/// One sign of a THREAD response: as a list, for threads may be nested as deep as they are long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadItem {
    /// `(`
    Open,
    /// A message's number.
    Number(u32),
    /// `)`
    Close,
}

/// The answer to SEARCH or SORT with RETURN, and what is told later of one with UPDATE (RFC 4466 §2.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Esearch {
    /// The command's tag.
    pub tag: Tag,
    /// Which mailbox it is about, in the answer to ESEARCH (RFC 7377 §2.1).
    pub mailbox: Option<(MailboxName, UidValidity)>,
    /// Whether the numbers are UIDs.
    pub by_uid: bool,
    /// Perhaps none.
    pub returned: Vec<Returned>,
}

/// `search-return-data` (RFC 4731 §3, RFC 5267 §5, RFC 9394 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// `ADDTO` at position 0: what has come to match, not empty.
    AddTo(NumberSet),
    /// `ALL`, not empty.
    All(NumberList),
    /// `COUNT`
    Count(u64),
    /// `MAX`: the last.
    Max(u32),
    /// `MIN`: the first.
    Min(u32),
    /// `MODSEQ`: the highest of what is returned.
    ModSeq(ModSeq),
    /// `PARTIAL`: the range asked for, and what is in it.
    Partial(PartialRange, NumberList),
    /// `REMOVEFROM` at position 0: what has ceased to match, not empty.
    RemoveFrom(NumberSet),
}

impl Returned {
    /// What of the numbers found is asked for. Where nothing is found, MIN, MAX and ALL are left out (RFC 4731
    /// §3.1).
    pub fn of(found: NumberList, options: &ReturnOptions) -> Vec<Returned> {
        let count = found.len();
        let min = found.first().filter(|_| options.min).map(Returned::Min);
        let max = found.last().filter(|_| options.max).map(Returned::Max);
        let number = options.count.then_some(Returned::Count(count as u64));
        let partial = |range: PartialRange| Returned::Partial(range, found.at(range.of(count)));
        let mut returned: Vec<Returned> = [min, max, number, options.partial.map(partial)]
            .into_iter()
            .flatten()
            .collect();
        if options.all && count > 0 {
            returned.push(Returned::All(found));
        }
        returned
    }
}

/// One line of LIST or LSUB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListItem {
    /// In the order they are sent.
    pub attributes: Vec<ListAttribute>,
    /// `None` is NIL.
    pub separator: Option<char>,
    /// `None` is the empty name that answers `LIST "" ""`.
    pub name: Option<MailboxName>,
    /// Extended data items (RFC 5258 §3), only for clients that know the extended form.
    pub extended: Vec<ListExtended>,
}

/// Extended data items of a LIST response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListExtended {
    /// By which selection options names below this one match (RFC 5258 §3.5).
    ChildInfo(Vec<&'static str>),
    /// What the client called it (RFC 9051 §6.3.9.7).
    OldName(MailboxName),
}

/// Mailbox attributes (RFC 3501 §7.2.2, RFC 3348, RFC 5258, RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the registry's own names")]
pub enum ListAttribute {
    NoAccess,
    NoInferiors,
    NonExistent,
    NoSelect,
    Subscribed,
    Marked,
    Unmarked,
    HasChildren,
    HasNoChildren,
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
}

impl ListAttribute {
    /// The attribute of RFC 6154 §2 that `text` names, with its backslash, in any case.
    pub fn special_use(text: &str) -> Option<ListAttribute> {
        let all = [
            ListAttribute::All,
            ListAttribute::Archive,
            ListAttribute::Drafts,
            ListAttribute::Flagged,
            ListAttribute::Junk,
            ListAttribute::Sent,
            ListAttribute::Trash,
        ];
        all.into_iter()
            .find(|attribute| attribute.as_str().eq_ignore_ascii_case(text))
    }

    /// The attribute as it is written, with its backslash.
    pub fn as_str(self) -> &'static str {
        match self {
            ListAttribute::NoAccess => "\\NoAccess",
            ListAttribute::NoInferiors => "\\Noinferiors",
            ListAttribute::NonExistent => "\\NonExistent",
            ListAttribute::NoSelect => "\\Noselect",
            ListAttribute::Subscribed => "\\Subscribed",
            ListAttribute::Marked => "\\Marked",
            ListAttribute::Unmarked => "\\UnMarked",
            ListAttribute::HasChildren => "\\HasChildren",
            ListAttribute::HasNoChildren => "\\HasNoChildren",
            ListAttribute::All => "\\All",
            ListAttribute::Archive => "\\Archive",
            ListAttribute::Drafts => "\\Drafts",
            ListAttribute::Flagged => "\\Flagged",
            ListAttribute::Junk => "\\Junk",
            ListAttribute::Sent => "\\Sent",
            ListAttribute::Trash => "\\Trash",
        }
    }
}
