//! A command as a value. What may be said of one without running it: `rules`.

mod rules;

pub use rules::StateName;

use crate::imap::core::{Secret, Tag};
use crate::imap::date::DateTime;
use crate::imap::fetch::FetchItem;
use crate::imap::flag::Flag;
use crate::imap::metadata::{Depth, EntryName};
use crate::imap::notify::NotifySet;
use crate::imap::search::{
    PartialRange, ReturnOptions, SearchKey, SortCriterion, Source, ThreadAlgorithm,
};
use crate::imap::sequence::{Bound, MessageSet, ModSeq, SequenceSet, UidValidity};

/// A mailbox name or LIST pattern as the client sent it; what it means depends on the session
/// (modified UTF-7 or UTF-8) and on the hierarchy separator: see [`crate::imap::name`].
pub type WireName = Vec<u8>;

/// A field of ID and its value (RFC 2971 §3.1); `None` for NIL.
pub type IdField = (Vec<u8>, Option<Vec<u8>>);

/// One command of a client (RFC 3501 §6).
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What the tagged response will repeat.
    pub tag: Tag,
    /// The rest of it.
    pub body: CommandBody,
}

/// A command's name and arguments.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the variants and fields are the grammar's own names, RFC 3501 §9"
)]
pub enum CommandBody {
    // Any state (RFC 3501 §6.1).
    Capability,
    Noop,
    Logout,
    /// RFC 2971. `None` for NIL.
    Id(Option<Vec<IdField>>),

    // Not authenticated (RFC 3501 §6.2).
    StartTls,
    /// `initial` is the decoded initial response of RFC 4959; empty for `=`.
    Authenticate {
        mechanism: String,
        initial: Option<Secret>,
    },
    Login {
        user: Vec<u8>,
        password: Secret,
    },

    // Authenticated (RFC 3501 §6.3).
    /// Capability names in upper case (RFC 5161).
    Enable(Vec<String>),
    /// SELECT, or EXAMINE where `read_only`.
    Select {
        mailbox: WireName,
        read_only: bool,
        parameters: SelectParameters,
    },
    Create {
        mailbox: WireName,
        /// Special uses (RFC 6154 §3), each with its backslash as the client wrote it.
        uses: Vec<String>,
    },
    Delete {
        mailbox: WireName,
    },
    Rename {
        from: WireName,
        to: WireName,
    },
    Subscribe {
        mailbox: WireName,
    },
    Unsubscribe {
        mailbox: WireName,
    },
    List(List),
    Lsub {
        reference: WireName,
        pattern: WireName,
    },
    /// RFC 2342.
    Namespace,
    /// RFC 5464 §4.2. An empty name is the server's.
    GetMetadata {
        mailbox: WireName,
        entries: Vec<EntryName>,
        depth: Depth,
        /// Octets of a value.
        max_size: Option<u64>,
    },
    /// RFC 5464 §4.3. `None` takes an entry away.
    SetMetadata {
        mailbox: WireName,
        values: Vec<(EntryName, Option<Vec<u8>>)>,
    },
    Status {
        mailbox: WireName,
        items: Vec<StatusItem>,
    },
    /// RFC 9208 §4.1.1.
    GetQuota {
        root: Vec<u8>,
    },
    /// RFC 9208 §4.1.2.
    GetQuotaRoot {
        mailbox: WireName,
    },
    /// RFC 9208 §4.1.3. Resources and their limits.
    SetQuota {
        root: Vec<u8>,
        limits: Vec<(String, u64)>,
    },
    /// APPEND and, in the selected state, REPLACE. Literals with messages are not part of the value: each is
    /// streamed.
    Append(AppendHead, Vec<AppendStep>),
    /// RFC 2177.
    Idle,
    /// RFC 5465. `None` for NONE.
    Notify(Option<NotifySet>),
    /// RFC 4978: by DEFLATE, the one algorithm that there is.
    Compress,
    /// RFC 8437.
    Unauthenticate,

    // Selected (RFC 3501 §6.4).
    Check,
    Close,
    /// RFC 3691.
    Unselect,
    /// EXPUNGE, or UID EXPUNGE (RFC 4315) with its set.
    Expunge {
        uids: Option<MessageSet>,
    },
    Search {
        numbering: Numbering,
        /// `None` without RETURN.
        returns: Option<ReturnOptions>,
        charset: Option<Vec<u8>>,
        key: SearchKey,
    },
    /// The tags of searches with UPDATE (RFC 5267 §4.3.5), or what stands for one.
    CancelUpdate {
        tags: Vec<Vec<u8>>,
    },
    /// RFC 5256.
    Sort {
        numbering: Numbering,
        /// `None` without RETURN (RFC 5267 §3).
        returns: Option<ReturnOptions>,
        criteria: Vec<SortCriterion>,
        charset: Vec<u8>,
        key: SearchKey,
    },
    /// RFC 7377.
    Esearch {
        /// `None`: the selected mailbox.
        sources: Option<Vec<Source>>,
        returns: Option<ReturnOptions>,
        charset: Option<Vec<u8>>,
        key: SearchKey,
    },
    /// RFC 5256.
    Thread {
        numbering: Numbering,
        algorithm: ThreadAlgorithm,
        charset: Vec<u8>,
        key: SearchKey,
    },
    Fetch {
        numbering: Numbering,
        set: MessageSet,
        items: Vec<FetchItem>,
        modifiers: FetchModifiers,
    },
    Store {
        numbering: Numbering,
        set: MessageSet,
        /// UNCHANGEDSINCE, perhaps 0 (RFC 7162 §3.1.3).
        unchanged_since: Option<ModSeq>,
        action: StoreAction,
        silent: bool,
        flags: Vec<Flag>,
    },
    Copy {
        numbering: Numbering,
        set: MessageSet,
        mailbox: WireName,
    },
    /// RFC 6851.
    Move {
        numbering: Numbering,
        set: MessageSet,
        mailbox: WireName,
    },
    /// RFC 10022.
    UidBatches {
        /// Messages of each.
        size: u32,
        /// The first and the last that are wanted.
        batches: Option<(u32, u32)>,
    },
}

/// Whether a command's numbers are sequence numbers or UIDs (the `UID` prefix).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// Message sequence numbers.
    Sequence,
    /// Unique identifiers.
    Uid,
}

/// `select-params` (RFC 4466 §2.3, RFC 7162 §7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectParameters {
    /// `CONDSTORE`: the client is to hear of mod-sequences.
    pub condstore: bool,
    /// `QRESYNC`: it is to hear what has changed since it was here.
    pub qresync: Option<Resync>,
}

/// What a client knows of a mailbox that it was in before (RFC 7162 §3.2.5). No set has `*` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// The last UIDVALIDITY that it knows.
    pub uid_validity: UidValidity,
    /// The last mod-sequence, from 1.
    pub modseq: ModSeq,
    /// Which UIDs; `None`: all that there may have been.
    pub known: Option<SequenceSet>,
    /// Some sequence numbers, and the UIDs that they had.
    pub sample: Option<(SequenceSet, SequenceSet)>,
}

/// `fetch-modifiers` (RFC 4466 §2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchModifiers {
    /// `PARTIAL`: which of the set's messages, by their positions (RFC 9394 §3.3).
    pub partial: Option<PartialRange>,
    /// `CHANGEDSINCE`: those of them whose mod-sequence is above this one, from 1 (RFC 7162 §3.1.4.1).
    pub changed_since: Option<ModSeq>,
    /// `VANISHED`: those too that are expunged since then. Only of UID FETCH, and with CHANGEDSINCE (RFC 7162
    /// §3.2.6).
    pub vanished: bool,
}

/// What STORE does with its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAction {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// What an APPEND or REPLACE begins with (RFC 3501 §6.3.11, RFC 8508 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendHead {
    /// REPLACE: the one message that the new one is for.
    pub replaces: Option<(Numbering, Bound)>,
    /// Where to.
    pub mailbox: WireName,
}

impl AppendHead {
    /// The command's name.
    pub fn name(&self) -> &'static str {
        match self.replaces {
            None => "APPEND",
            Some((Numbering::Sequence, _)) => "REPLACE",
            Some((Numbering::Uid, _)) => "UID REPLACE",
        }
    }
}

/// One of the steps that an APPEND's messages are made in, as its arguments name them. They are Begin, octets
/// from literals and URLs, End, and so on for the next message (RFC 3502); one literal and nothing else but in
/// CATENATE.
#[derive(Clone, Debug, PartialEq)]
pub enum AppendStep {
    /// A message begins.
    Begin {
        /// What is said of it.
        options: AppendOptions,
        /// Of CATENATE, several parts make the message (RFC 4469).
        catenate: bool,
    },
    /// The octets of a literal are to be added.
    Literal(Announced),
    /// Those that this URL names, as the client wrote it.
    Url(Vec<u8>),
    /// The message is complete.
    End,
}

impl AppendStep {
    /// The literal that the steps so far end in, if more of the command comes after it.
    pub fn announced(steps: &[AppendStep]) -> Option<Announced> {
        match steps.last() {
            Some(AppendStep::Literal(announced)) => Some(*announced),
            _ => None,
        }
    }
}

/// A literal of an APPEND that is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its octets.
    pub size: u64,
    /// The client does not wait for `+ OK`.
    pub non_sync: bool,
    /// A literal8 (RFC 3516 §4.4).
    pub binary: bool,
}

/// What an APPEND says of a message (RFC 4466 §3 `append-opts`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppendOptions {
    /// With these flags.
    pub flags: Vec<Flag>,
    /// With this INTERNALDATE, else now.
    pub date: Option<DateTime>,
}

/// LIST (RFC 3501 §6.3.8, RFC 5258 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What is put before each pattern.
    pub reference: WireName,
    /// One in the basic form, which may be empty; one at least in the extended.
    pub patterns: Vec<WireName>,
    /// `None` for the basic form. Any of the three extensions makes it the extended one: options to
    /// select by, patterns in parentheses, options of what to return.
    pub extended: Option<ListOptions>,
}

/// The options of an extended LIST. Order and repetition mean nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Which names are listed.
    pub select: Vec<SelectOption>,
    /// What is said of them.
    pub returns: Vec<ReturnOption>,
}

/// Which names LIST is to give (RFC 5258 §3.1, RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the grammar's own names")]
pub enum SelectOption {
    /// Never without an option that it can match by.
    RecursiveMatch,
    Remote,
    SpecialUse,
    Subscribed,
}

/// What LIST is to say of each name (RFC 5258 §3.2, RFC 5819, RFC 6154 §2, RFC 9590).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the grammar's own names")]
pub enum ReturnOption {
    Children,
    Metadata(Vec<EntryName>),
    SpecialUse,
    Status(Vec<StatusItem>),
    Subscribed,
}

/// What STATUS can be asked for (RFC 3501 §6.3.10, RFC 9051 §6.3.11, RFC 7162, RFC 8438).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the grammar's own names")]
pub enum StatusItem {
    /// RFC 7889 §3.1.
    AppendLimit,
    Deleted,
    /// RFC 9208 §4.1.4.
    DeletedStorage,
    /// RFC 7162 §3.1.7.
    HighestModSeq,
    /// RFC 8474 §4.3.
    MailboxId,
    Messages,
    Recent,
    Size,
    UidNext,
    UidValidity,
    Unseen,
}

impl CommandBody {
    /// The name a response text or a log line uses, such as `UID FETCH`.
    pub fn name(&self) -> &'static str {
        use CommandBody::*;
        let uid = |numbering: &Numbering, plain, prefixed| match numbering {
            Numbering::Sequence => plain,
            Numbering::Uid => prefixed,
        };
        match self {
            Append(head, _) => head.name(),
            Authenticate { .. } => "AUTHENTICATE",
            CancelUpdate { .. } => "CANCELUPDATE",
            Capability => "CAPABILITY",
            Check => "CHECK",
            Close => "CLOSE",
            Compress => "COMPRESS",
            Copy { numbering, .. } => uid(numbering, "COPY", "UID COPY"),
            Create { .. } => "CREATE",
            Delete { .. } => "DELETE",
            Enable(_) => "ENABLE",
            Esearch { .. } => "ESEARCH",
            Expunge { uids: None } => "EXPUNGE",
            Expunge { uids: Some(_) } => "UID EXPUNGE",
            Fetch { numbering, .. } => uid(numbering, "FETCH", "UID FETCH"),
            GetMetadata { .. } => "GETMETADATA",
            GetQuota { .. } => "GETQUOTA",
            GetQuotaRoot { .. } => "GETQUOTAROOT",
            Id(_) => "ID",
            Idle => "IDLE",
            List(_) => "LIST",
            Login { .. } => "LOGIN",
            Logout => "LOGOUT",
            Lsub { .. } => "LSUB",
            Move { numbering, .. } => uid(numbering, "MOVE", "UID MOVE"),
            Namespace => "NAMESPACE",
            Noop => "NOOP",
            Notify(_) => "NOTIFY",
            Rename { .. } => "RENAME",
            Search { numbering, .. } => uid(numbering, "SEARCH", "UID SEARCH"),
            Select {
                read_only: false, ..
            } => "SELECT",
            Select {
                read_only: true, ..
            } => "EXAMINE",
            SetMetadata { .. } => "SETMETADATA",
            SetQuota { .. } => "SETQUOTA",
            Sort { numbering, .. } => uid(numbering, "SORT", "UID SORT"),
            StartTls => "STARTTLS",
            Status { .. } => "STATUS",
            Store { numbering, .. } => uid(numbering, "STORE", "UID STORE"),
            Subscribe { .. } => "SUBSCRIBE",
            Thread { numbering, .. } => uid(numbering, "THREAD", "UID THREAD"),
            UidBatches { .. } => "UIDBATCHES",
            Unauthenticate => "UNAUTHENTICATE",
            Unselect => "UNSELECT",
            Unsubscribe { .. } => "UNSUBSCRIBE",
        }
    }
}
