//! Annotations of an account's mailboxes and of the server (RFC 5464): reading and changing them, and who is told
//! of a change. What they mean to a client is the session's matter.
//!
//! An account is one user's, so what is `/shared` is shared by that user's sessions.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use crate::imap::metadata::EntryName;
use crate::imap::name::MailboxName;
use crate::imap::response::ListAttribute;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::patience::{LOCK_WAIT, Patience};
use crate::mailbox::user::User;
use crate::spool::lock::REMOVAL_PAUSE;
use crate::spool::metadata::{self, Outcome};
pub use crate::spool::metadata::{Annotations, MOST_ENTRIES, SPECIAL_USE, Subject};

/// So many changes a session can be behind; of more between two of its commands it hears the last.
const KEPT: usize = 256;

/// About so many octets of names go into one of them.
const TOLD_AT_ONCE: usize = 4 << 10;

/// Somebody changed these entries.
#[derive(Debug)]
pub struct Change {
    /// Of what.
    pub subject: Subject,
    /// As they wrote them.
    pub entries: Vec<EntryName>,
    by: u64,
}

/// Where an account's changes are told.
#[derive(Default)]
pub(super) struct Heralds {
    /// There is none before the first session wants to hear.
    told: OnceLock<broadcast::Sender<Arc<Change>>>,
    listeners: AtomicU64,
}

/// One who wants to hear what others change.
#[derive(Debug)]
pub struct Listener {
    own: u64,
    told: broadcast::Receiver<Arc<Change>>,
    heard: VecDeque<Arc<Change>>,
}

impl Listener {
    /// Resolves when there is something to take. May be cancelled.
    pub async fn hears(&mut self) {
        while self.heard.is_empty() {
            match self.told.recv().await {
                Ok(change) => self.hear(change),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// What others have changed since the last time.
    pub fn take(&mut self) -> VecDeque<Arc<Change>> {
        loop {
            match self.told.try_recv() {
                Ok(change) => self.hear(change),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return std::mem::take(&mut self.heard),
            }
        }
    }

    fn hear(&mut self, change: Arc<Change>) {
        if change.by != self.own {
            self.heard.push_back(change);
        }
    }
}

impl User {
    /// What is known of a mailbox or of the server, without what a mailbox is for by its name.
    pub async fn annotations(&self, subject: &Subject) -> Result<Annotations, Fault> {
        let (tree, wanted) = (Arc::clone(&self.tree), subject.clone());
        let known = blocking("reading metadata", move || metadata::read(&tree, &wanted)).await?;
        known.map_err(|error| fault("reading", subject, error))
    }

    /// Sets annotations, or takes them away, all or none, and tells who listens but for `by`. A mailbox whose
    /// annotations change has a higher mod-sequence then (RFC 7162 §3.2), and one that gets a special use takes it from
    /// the others.
    pub async fn annotate(
        self: &Arc<Self>,
        subject: &Subject,
        values: Vec<(EntryName, Option<Vec<u8>>)>,
        by: Option<&Listener>,
    ) -> Result<(), Fault> {
        let mut entries: Vec<EntryName> = values.iter().map(|(entry, _)| entry.clone()).collect();
        let given = values
            .iter()
            .rev()
            .find(|(entry, _)| entry.key() == SPECIAL_USE);
        let given = given.and_then(|(_, value)| value.clone());
        let changes = values
            .into_iter()
            .map(|(entry, value)| (entry.key(), value));
        let changed = self.change_annotations(subject, changes.collect()).await?;
        if !changed.is_empty() {
            self.raise_modseq(subject).await;
        }
        entries.retain(|entry| changed.contains(&entry.key()));
        self.herald(subject, entries, by);
        if let Subject::Mailbox(name) = subject
            && let Some(purpose) = std::str::from_utf8(&given.unwrap_or_default())
                .ok()
                .and_then(ListAttribute::special_use)
        {
            self.take_from_others(name, purpose).await?;
        }
        Ok(())
    }

    /// Tells that a mailbox was made for something.
    pub fn tell_made_for(&self, name: &MailboxName, by: Option<&Listener>) {
        let entry = EntryName::new(SPECIAL_USE.as_bytes()).ok();
        let subject = Subject::Mailbox(name.clone());
        self.herald(&subject, entry.into_iter().collect(), by);
    }

    /// Tells that a mailbox is no more, which had these annotations.
    pub fn tell_gone(&self, name: &MailboxName, known: &Annotations, by: Option<&Listener>) {
        let entries = known.keys().map(|key| EntryName::new(key.as_bytes()).ok());
        let subject = Subject::Mailbox(name.clone());
        self.herald(&subject, entries.flatten().collect(), by);
    }

    /// What a name is for, whatever the mailbox's annotation says.
    pub async fn use_by_name(&self, name: &MailboxName) -> Result<Option<ListAttribute>, Fault> {
        let Some(usual) = self.usual_use(name) else {
            return Ok(self.configured_use(name));
        };
        let folders = self.list().await?;
        let taken = folders
            .iter()
            .any(|folder| folder.name != *name && folder.special_use == Some(usual));
        Ok((!taken).then_some(usual))
    }

    /// Begins to hear what others change.
    pub fn listen(&self) -> Listener {
        let told = self.heralds.told.get_or_init(|| broadcast::channel(KEPT).0);
        Listener {
            own: self.heralds.listeners.fetch_add(1, Ordering::Relaxed) + 1,
            told: told.subscribe(),
            heard: VecDeque::new(),
        }
    }

    /// Gives a new mailbox the annotations of another (RFC 5464 §4.1, of RENAME INBOX).
    pub(super) async fn copy_annotations(
        &self,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Fault> {
        let known = self
            .annotations(&Subject::Mailbox(from.clone()))
            .await?
            .into_iter()
            .filter(|(entry, _)| entry != SPECIAL_USE)
            .map(|(entry, value)| (entry, Some(value)));
        let changes: Vec<_> = known.collect();
        match changes.is_empty() {
            true => Ok(()),
            false => {
                let subject = Subject::Mailbox(to.clone());
                self.change_annotations(&subject, changes).await.map(drop)
            }
        }
    }

    /// RFC 6154 §5.4: "Set new use for SavedDrafts; MyDrafts changes automatically".
    async fn take_from_others(
        self: &Arc<Self>,
        name: &MailboxName,
        purpose: ListAttribute,
    ) -> Result<(), Fault> {
        for folder in self.list().await? {
            if folder.name == *name || folder.special_use != Some(purpose) {
                continue;
            }
            let subject = Subject::Mailbox(folder.name);
            if !self.annotations(&subject).await?.contains_key(SPECIAL_USE) {
                continue;
            }
            let gone = vec![(SPECIAL_USE.to_owned(), None)];
            self.change_annotations(&subject, gone).await?;
            self.raise_modseq(&subject).await;
            let entry = EntryName::new(SPECIAL_USE.as_bytes());
            self.herald(&subject, entry.into_iter().collect(), None);
        }
        Ok(())
    }

    /// Gives the entries that are others now.
    async fn change_annotations(
        &self,
        subject: &Subject,
        changes: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Vec<String>, Fault> {
        let changes: Arc<[_]> = changes.into();
        let mut patience = Patience::new(LOCK_WAIT);
        loop {
            let (tree, wanted) = (Arc::clone(&self.tree), subject.clone());
            let changes = Arc::clone(&changes);
            let outcome = blocking("changing metadata", move || {
                metadata::change(&tree, &wanted, &changes)
            })
            .await?;
            match outcome.map_err(|error| fault("changing", subject, error))? {
                Outcome::Done(changed) => return Ok(changed),
                Outcome::TooMany => return Err(Fault::TooManyAnnotations),
                Outcome::Busy if !patience.is_over() => patience.pause(REMOVAL_PAUSE).await,
                Outcome::Busy => return Err(Fault::Locked),
            }
        }
    }

    /// What is set is set: where the mod-sequence cannot be raised, the log says so.
    async fn raise_modseq(self: &Arc<Self>, subject: &Subject) {
        let Subject::Mailbox(name) = subject else {
            return;
        };
        let raised = match self.mailbox(name).await {
            Ok(mailbox) => mailbox.raise_modseq().await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = raised {
            tracing::warn!(mailbox = %name, %fault, "annotations are changed without a new mod-sequence");
        }
    }

    /// In several changes where the names are long.
    fn herald(&self, subject: &Subject, entries: Vec<EntryName>, by: Option<&Listener>) {
        let Some(told) = self.heralds.told.get() else {
            return;
        };
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let (mut part, mut octets) = (Vec::new(), 0);
            while octets < TOLD_AT_ONCE
                && let Some(entry) = entries.next()
            {
                octets += entry.as_str().len();
                part.push(entry);
            }
            // That nobody listens any more is no fault.
            let _ = told.send(Arc::new(Change {
                subject: subject.clone(),
                entries: part,
                by: by.map_or(0, |listener| listener.own),
            }));
        }
    }
}

fn fault(doing: &str, subject: &Subject, error: io::Error) -> Fault {
    match subject {
        Subject::Mailbox(name) if error.kind() == io::ErrorKind::NotFound => {
            Fault::NonExistent(name.to_string())
        }
        Subject::Mailbox(name) => Fault::from_io(format!("{doing} metadata of {name}"), error),
        Subject::Server => Fault::from_io(format!("{doing} metadata of the server"), error),
    }
}
