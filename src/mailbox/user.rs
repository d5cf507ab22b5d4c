//! An account: its tree of mailboxes, and those of them that are open.

use std::sync::Arc;

use crate::imap::name::{MailboxName, NameError};
use crate::imap::response::ListAttribute;
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::spool::tree::Location;

/// How sure a client may be that what it was told survives a power cut (`[mail] fsync`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Everything.
    #[default]
    Always,
    /// Mail and UIDs, not flags.
    Delivery,
    /// CHECK alone syncs.
    Never,
}

/// What an account is made from.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where its mail is.
    pub location: Location,
    /// How safe.
    pub fsync: Fsync,
    /// Mailboxes made and subscribed at first login, with their special use.
    pub auto_create: Vec<(String, Option<ListAttribute>)>,
}

/// One line of LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name.
    pub name: MailboxName,
    /// Whether it can be selected; false for an implied parent.
    pub selectable: bool,
    /// Whether there are mailboxes below it.
    pub has_children: bool,
    /// `\Sent` and so on, by configuration or by its usual name.
    pub special_use: Option<ListAttribute>,
}

/// An account, shared by all of its connections.
pub struct User {
    _private: (),
}

impl User {
    /// Opens the account; makes the Maildir if it is not there. **Blocking**.
    pub fn open(account: Account) -> Result<Arc<User>, Fault> {
        let _ = account;
        todo!()
    }

    /// The hierarchy separator.
    pub fn separator(&self) -> char {
        todo!()
    }

    /// A name from the wire, checked against what the account's layout can hold.
    pub fn name(&self, wire: &[u8], utf8: bool) -> Result<MailboxName, NameError> {
        let _ = (wire, utf8);
        todo!()
    }

    /// Opens a mailbox, or finds it open.
    pub async fn mailbox(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Mailbox>, Fault> {
        let _ = name;
        todo!()
    }

    /// Every mailbox and implied parent, INBOX included.
    pub async fn list(&self) -> Result<Vec<Folder>, Fault> {
        todo!()
    }

    /// Subscribed names, also of mailboxes that are not there, in the file's order.
    pub async fn subscriptions(&self) -> Result<Vec<MailboxName>, Fault> {
        todo!()
    }

    /// The special use of a name.
    pub fn special_use(&self, name: &MailboxName) -> Option<ListAttribute> {
        let _ = name;
        todo!()
    }

    /// SUBSCRIBE (`NonExistent` for a mailbox that is not there) and UNSUBSCRIBE.
    pub async fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<(), Fault> {
        let _ = (name, subscribed);
        todo!()
    }

    /// CREATE.
    pub async fn create(&self, name: &MailboxName) -> Result<(), Fault> {
        let _ = name;
        todo!()
    }

    /// DELETE. Sessions that have it selected are told it ended.
    pub async fn delete(&self, name: &MailboxName) -> Result<(), Fault> {
        let _ = name;
        todo!()
    }

    /// RENAME, with children; of INBOX: its messages move to the new mailbox.
    pub async fn rename(
        self: &Arc<Self>,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Fault> {
        let _ = (from, to);
        todo!()
    }

    /// Makes every open mailbox durable, before the server stops.
    pub async fn flush(&self) {
        todo!()
    }
}
