//! What NOTIFY asks for (RFC 5465 §8).

use crate::imap::command::WireName;
use crate::imap::fetch::FetchItem;

/// `notify-set`
#[derive(Clone, Debug, PartialEq)]
pub struct NotifySet {
    /// `STATUS`: what the numbers are now is to be told first.
    pub status: bool,
    /// `event-groups`: one at least.
    pub groups: Vec<EventGroup>,
}

/// `event-group`
#[derive(Clone, Debug, PartialEq)]
pub struct EventGroup {
    /// Of which mailboxes.
    pub filter: Filter,
    /// Empty for `NONE`.
    pub events: Vec<Event>,
}

/// `filter-mailboxes`
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the grammar's own names")]
pub enum Filter {
    Inboxes,
    Mailboxes(Vec<WireName>),
    Personal,
    Selected,
    SelectedDelayed,
    Subscribed,
    Subtree(Vec<WireName>),
}

impl Filter {
    /// Whether it means the mailbox that is selected, and no other.
    pub fn is_selected(&self) -> bool {
        matches!(self, Filter::Selected | Filter::SelectedDelayed)
    }
}

/// `event`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the grammar's own names")]
pub enum Event {
    AnnotationChange,
    FlagChange,
    MailboxMetadataChange,
    MailboxName,
    MessageExpunge,
    /// With what is to be fetched of each.
    MessageNew(Vec<FetchItem>),
    ServerMetadataChange,
    SubscriptionChange,
    /// `event-ext`: there is none so far.
    Other,
}

impl Event {
    /// The names of those that there are here, for `BADEVENT`. Messages have no annotations (RFC 5257).
    pub const SUPPORTED: [&str; 7] = [
        "MessageNew",
        "MessageExpunge",
        "FlagChange",
        "MailboxName",
        "SubscriptionChange",
        "MailboxMetadataChange",
        "ServerMetadataChange",
    ];

    /// Whether it is a `message-event`.
    pub fn is_of_messages(&self) -> bool {
        match self {
            Event::AnnotationChange
            | Event::FlagChange
            | Event::MessageExpunge
            | Event::MessageNew(_) => true,
            Event::MailboxMetadataChange
            | Event::MailboxName
            | Event::ServerMetadataChange
            | Event::SubscriptionChange
            | Event::Other => false,
        }
    }

    /// Whether it is one of [`Event::SUPPORTED`].
    pub fn is_supported(&self) -> bool {
        !matches!(self, Event::AnnotationChange | Event::Other)
    }
}
