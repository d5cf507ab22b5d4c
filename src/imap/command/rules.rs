//! What holds of a command before it is run: the capability that it belongs to, the states in which it may be given, and
//! what it does with message numbers.

use crate::imap::command::{CommandBody, Numbering, ReturnOption};
use crate::imap::search::{SearchKey, ThreadAlgorithm};

/// The states of RFC 3501 §3, as far as a command's permission depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 3501 §3")]
pub enum StateName {
    NotAuthenticated,
    Authenticated,
    Selected,
}

impl CommandBody {
    /// The capability that the command is all of, or that it is part of: without it the command is not known.
    pub fn capability(&self) -> Option<&'static str> {
        use CommandBody::*;
        match self {
            CancelUpdate { .. } => Some("CONTEXT=SEARCH"),
            Compress => Some("COMPRESS=DEFLATE"),
            Enable(_) => Some("ENABLE"),
            Esearch { .. } => Some("MULTISEARCH"),
            Expunge { uids: Some(_) } => Some("UIDPLUS"),
            GetMetadata { .. } | SetMetadata { .. } => Some("METADATA"),
            GetQuota { .. } | GetQuotaRoot { .. } | SetQuota { .. } => Some("QUOTA"),
            Id(_) => Some("ID"),
            Idle => Some("IDLE"),
            List(list) => {
                let returns = list.extended.iter().flat_map(|options| &options.returns);
                let mut metadata =
                    returns.filter(|option| matches!(option, ReturnOption::Metadata(_)));
                metadata.next().map(|_| "LIST-METADATA")
            }
            Move { .. } => Some("MOVE"),
            Namespace => Some("NAMESPACE"),
            Notify(_) => Some("NOTIFY"),
            Sort { .. } => Some("SORT"),
            Thread { algorithm, .. } => Some(match algorithm {
                ThreadAlgorithm::OrderedSubject => "THREAD=ORDEREDSUBJECT",
                ThreadAlgorithm::References => "THREAD=REFERENCES",
                ThreadAlgorithm::Refs => "THREAD=REFS",
            }),
            UidBatches { .. } => Some("UIDBATCHES"),
            Unauthenticate => Some("UNAUTHENTICATE"),
            Unselect => Some("UNSELECT"),
            Append(..)
            | Authenticate { .. }
            | Capability
            | Check
            | Close
            | Copy { .. }
            | Create { .. }
            | Delete { .. }
            | Expunge { uids: None }
            | Fetch { .. }
            | Login { .. }
            | Logout
            | Lsub { .. }
            | Noop
            | Rename { .. }
            | Search { .. }
            | Select { .. }
            | StartTls
            | Status { .. }
            | Store { .. }
            | Subscribe { .. }
            | Unsubscribe { .. } => None,
        }
    }

    /// Whether the command may be given in `state` (RFC 3501 §6, each command's place).
    pub fn allowed_in(&self, state: StateName) -> bool {
        use CommandBody::*;
        match self {
            Capability | Noop | Logout | Id(_) => true,
            Append(head, _) if head.replaces.is_some() => state == StateName::Selected,
            StartTls | Authenticate { .. } | Login { .. } => state == StateName::NotAuthenticated,
            Enable(_)
            | Esearch { .. }
            | Select { .. }
            | Create { .. }
            | Delete { .. }
            | Rename { .. }
            | Subscribe { .. }
            | Unsubscribe { .. }
            | List(_)
            | Lsub { .. }
            | Namespace
            | GetMetadata { .. }
            | SetMetadata { .. }
            | GetQuota { .. }
            | GetQuotaRoot { .. }
            | SetQuota { .. }
            | Status { .. }
            | Append(..)
            | Compress
            | Idle
            | Notify(_)
            | Unauthenticate => state != StateName::NotAuthenticated,
            CancelUpdate { .. }
            | Check
            | Close
            | Unselect
            | Expunge { .. }
            | Search { .. }
            | Sort { .. }
            | Thread { .. }
            | Fetch { .. }
            | Store { .. }
            | Copy { .. }
            | Move { .. }
            | UidBatches { .. } => state == StateName::Selected,
        }
    }

    /// Whether the command names messages by their numbers, which after ENABLE UIDONLY nobody may (RFC 9586 §3). REPLACE
    /// is asked by its head.
    pub fn names_numbers(&self) -> bool {
        use CommandBody::*;
        let by_number = |numbering: &Numbering| *numbering == Numbering::Sequence;
        let is_number = |key: &SearchKey| matches!(key, SearchKey::Sequence(_));
        match self {
            Copy { numbering, .. }
            | Fetch { numbering, .. }
            | Move { numbering, .. }
            | Store { numbering, .. } => by_number(numbering),
            Search { numbering, key, .. }
            | Sort { numbering, key, .. }
            | Thread { numbering, key, .. } => by_number(numbering) || key.any(&is_number),
            Esearch { key, .. } => key.any(&is_number),
            Select { parameters, .. } => {
                let resync = parameters.qresync.as_ref();
                resync.is_some_and(|resync| resync.sample.is_some())
            }
            _ => false,
        }
    }

    /// Whether EXPUNGE responses may be sent while the command runs: not during FETCH, STORE and
    /// SEARCH by sequence number (RFC 3501 §7.4.1), nor SORT and THREAD (RFC 5256 §3); their UID forms may, but for
    /// "a UID SEARCH command that contains message numbers in the search criteria" (RFC 7162 §3.2.10.2).
    pub fn permits_expunge(&self) -> bool {
        use CommandBody::*;
        let may_not = matches!(
            self,
            Fetch { .. } | Search { .. } | Sort { .. } | Store { .. } | Thread { .. }
        );
        !(may_not && self.names_numbers())
    }
}
