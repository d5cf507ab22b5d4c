//! An account: its tree of mailboxes, and those of them that are open.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use crate::imap::name::{MailboxName, NameError};
pub use crate::imap::response::ListAttribute;
use crate::mailbox::annotations::Heralds;
use crate::mailbox::closing::{Slot, close_unused};
use crate::mailbox::events::Events;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::patience::{LOCK_WAIT, Patience};
use crate::mailbox::quota::{Limits, Quota};
use crate::mailbox::special_use::{SpecialUses, stored_use};
use crate::spool::lock::REMOVAL_PAUSE;
use crate::spool::subscriptions;
use crate::spool::tree::Tree;
pub use crate::spool::tree::{DiskNames, Layout, Location};

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
    /// Whether arriving messages get `$HasAttachment` or `$HasNoAttachment`.
    pub attachment_keywords: bool,
    /// Mailboxes made and subscribed at first login, with their special use.
    pub auto_create: Vec<(String, Option<ListAttribute>)>,
    /// How much there may be; with none, what `maildirsize` says holds.
    pub quota: Limits,
}

/// One line of LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name.
    pub name: MailboxName,
    /// Whether it can be selected; false for an implied parent.
    pub selectable: bool,
    /// Whether there is anything of that name: false for an implied parent in Maildir++. In the fs layout
    /// it has a directory, which is no mailbox.
    pub exists: bool,
    /// Whether there are mailboxes below it.
    pub has_children: bool,
    /// `\Sent` and so on: by configuration, as it was made for, or by its usual name.
    pub special_use: Option<ListAttribute>,
}

/// An account, shared by all of its connections.
pub struct User {
    pub(super) tree: Arc<Tree>,
    fsync: Fsync,
    attachment_keywords: bool,
    special: SpecialUses,
    pub(super) quota: Arc<Quota>,
    pub(super) heralds: Heralds,
    pub(super) events: Events,
    /// One mailbox for each directory, under the name it was opened by. Held only while names are looked up
    /// or changed, never while a mailbox is being opened.
    pub(super) open: Mutex<HashMap<MailboxName, Arc<Slot>>>,
    /// Somebody closes what nobody uses.
    pub(super) closes: AtomicBool,
}

impl User {
    /// Opens the account; makes the Maildir if it is not there, and the mailboxes it should have.
    /// **Blocking**.
    pub fn open(account: Account) -> Result<Arc<User>, Fault> {
        let root = account.location.root.display().to_string();
        let fault = |error| Fault::from_io(format!("opening {root}"), error);
        let tree = Tree::open(account.location).map_err(fault)?;
        let separator = tree.separator();
        let mut configured = Vec::new();
        for (name, purpose) in &account.auto_create {
            let Ok(name) = MailboxName::from_utf8(name, separator) else {
                continue;
            };
            match tree.create(&name) {
                Ok(()) => subscriptions::change(&tree, &name, true).map_err(fault)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fault(error)),
            }
            configured.extend(purpose.map(|purpose| (name, purpose)));
        }
        let tree = Arc::new(tree);
        Ok(Arc::new(User {
            quota: Quota::new(Arc::clone(&tree), account.quota),
            tree,
            fsync: account.fsync,
            attachment_keywords: account.attachment_keywords,
            special: SpecialUses::new(configured, separator),
            heralds: Heralds::default(),
            events: Events::default(),
            open: Mutex::default(),
            closes: AtomicBool::new(false),
        }))
    }

    /// Whether its mail is still where it was opened: false if the Maildir was removed, or moved away and
    /// another put into its place. **Blocking**.
    pub fn is_current(&self) -> bool {
        // What cannot be looked at now may be the same.
        self.tree.is_current().unwrap_or(true)
    }

    /// Where its mail is.
    pub fn location(&self) -> &Location {
        self.tree.location()
    }

    /// From now on it may have so much.
    pub fn limit(&self, quota: Limits) {
        self.quota.limit(quota);
    }

    /// How much there is, and may be.
    pub fn quota(&self) -> &Arc<Quota> {
        &self.quota
    }

    /// The hierarchy separator.
    pub fn separator(&self) -> char {
        self.tree.separator()
    }

    /// A name from the wire, checked against what the account's layout can hold.
    pub fn name(&self, wire: &[u8], utf8: bool) -> Result<MailboxName, NameError> {
        let name = MailboxName::from_wire(wire, utf8, self.separator())?;
        self.tree.check(&name)?;
        Ok(name)
    }

    /// What a name in UTF-8 means (RFC 9051 §5.1): its Normalization Form C. Modified UTF-7 keeps other
    /// forms too, so a mailbox that was made under one is found by it.
    pub async fn canonical(&self, name: MailboxName) -> Result<MailboxName, Fault> {
        let normal = self.tree.normal(&name);
        if normal == name || self.tree.location().names == DiskNames::Utf8 {
            return Ok(normal);
        }
        let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
        let exists = blocking("looking for a mailbox", move || tree.exists(&wanted)).await?;
        let exists =
            exists.map_err(|error| Fault::from_io(format!("looking for {name}"), error))?;
        Ok(if exists { name } else { normal })
    }

    /// Opens a mailbox, or finds it open.
    pub async fn mailbox(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Mailbox>, Fault> {
        let slot = self.slot(name).await?;
        let opened = slot.mailbox.get_or_try_init(|| async {
            let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
            let folder = blocking("opening a mailbox", move || tree.folder(&wanted)).await?;
            let folder = folder.map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Fault::NonExistent(name.to_string()),
                _ => Fault::from_io(format!("opening {name}"), error),
            })?;
            let ways = (self.fsync, self.attachment_keywords);
            let (tree, quota) = (Arc::clone(&self.tree), Arc::clone(&self.quota));
            Mailbox::open_folder(folder, tree, quota, ways).await
        });
        opened.await.cloned()
    }

    /// While this is held no session of the account renames or removes a mailbox: who looks at all names sees none in
    /// the midst of that.
    pub(super) async fn hold_names(&self) -> impl Sized {
        self.open.lock().await
    }

    /// Whether a mailbox is open under this name.
    pub(super) async fn is_open(&self, name: &MailboxName) -> bool {
        let open = self.open.lock().await;
        open.get(name)
            .is_some_and(|slot| slot.mailbox.initialized())
    }

    /// Closes a mailbox at once that was opened for a look, if nobody else uses it. What STATUS tells of it is noted.
    pub(super) async fn let_go(&self, name: &MailboxName, mailbox: Arc<Mailbox>) {
        // Closed first: the end of the server closes what is in the map.
        match mailbox.close().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(fault) => {
                tracing::debug!(%fault, "closing a mailbox");
                return;
            }
        }
        mailbox.note_status().await;
        let mut open = self.open.lock().await;
        let is_unused = |slot: &Arc<Slot>| {
            let opened = slot.mailbox.get();
            Arc::strong_count(slot) == 1
                && opened.is_some_and(|one| Arc::ptr_eq(one, &mailbox))
                && Arc::strong_count(&mailbox) == 2
        };
        if !open.get(name).is_some_and(is_unused) {
            return;
        }
        open.remove(name);
    }

    /// What an open mailbox is called now; `None` where it is open no more.
    pub async fn name_of(&self, mailbox: &Arc<Mailbox>) -> Option<MailboxName> {
        let open = self.open.lock().await;
        let is_it = |slot: &Slot| {
            slot.mailbox
                .get()
                .is_some_and(|one| Arc::ptr_eq(one, mailbox))
        };
        let found = open.iter().find(|(_, slot)| is_it(slot));
        found.map(|(name, _)| name.clone())
    }

    /// Where the mailbox that `name` means now is, or will be, open.
    async fn slot(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Slot>, Fault> {
        let mut open = self.open.lock().await;
        let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
        let identity = blocking("opening a mailbox", move || tree.identity(&wanted)).await?;
        let identity =
            identity.map_err(|error| Fault::from_io(format!("opening {name}"), error))?;
        let identity = identity.ok_or_else(|| Fault::NonExistent(name.to_string()))?;
        // The same directory under this name or, by a symbolic link, under another.
        if let Some(slot) = open.values().find(|slot| slot.is(identity)) {
            return Ok(Arc::clone(slot));
        }
        // Whatever was open under this name is not what the name means now.
        if open
            .get(name)
            .is_some_and(|slot| slot.mailbox.initialized())
        {
            open.remove(name);
        }
        if !self.closes.swap(true, Ordering::Relaxed) {
            tokio::spawn(close_unused(Arc::downgrade(self)));
        }
        Ok(Arc::clone(open.entry(name.clone()).or_default()))
    }

    /// Every mailbox and implied parent, INBOX included.
    pub async fn list(&self) -> Result<Vec<Folder>, Fault> {
        let tree = Arc::clone(&self.tree);
        let entries = blocking("listing mailboxes", move || {
            let entries = tree.list()?;
            let with_use = entries.into_iter().map(|entry| {
                let stored = stored_use(&tree, &entry.name).filter(|_| entry.selectable);
                (entry, stored)
            });
            Ok::<Vec<_>, io::Error>(with_use.collect())
        })
        .await?;
        let mut entries = entries.map_err(|error| Fault::from_io("listing mailboxes", error))?;
        let separator = self.separator();
        // Sorted level by level, a mailbox stands right before what is below it.
        entries.sort_by(|(one, _), (other, _)| {
            one.name
                .as_str()
                .split(separator)
                .cmp(other.name.as_str().split(separator))
        });
        let taken: Vec<ListAttribute> = entries.iter().filter_map(|(_, stored)| *stored).collect();
        let children: Vec<bool> = (0..entries.len())
            .map(|at| match (entries.get(at), entries.get(at + 1)) {
                (Some((one, _)), Some((next, _))) => next.name.is_below(&one.name, separator),
                _ => false,
            })
            .collect();
        let nested = self.tree.location().layout == Layout::Fs;
        let folders = entries
            .into_iter()
            .zip(children)
            .map(|((entry, stored), has_children)| Folder {
                special_use: self.special.configured(&entry.name).or(stored).or_else(|| {
                    let usual = self.special.usual(&entry.name);
                    usual.filter(|usual| !taken.contains(usual))
                }),
                name: entry.name,
                selectable: entry.selectable,
                exists: entry.selectable || nested,
                has_children,
            });
        Ok(folders.collect())
    }

    /// Subscribed names, also of mailboxes that are not there, in the file's order.
    pub async fn subscriptions(&self) -> Result<Vec<MailboxName>, Fault> {
        let tree = Arc::clone(&self.tree);
        let names = blocking("reading subscriptions", move || subscriptions::read(&tree)).await?;
        names.map_err(|error| Fault::from_io("reading subscriptions", error))
    }

    /// Every name that has a special use, whether or not it is among the account's `folders`.
    pub fn special_uses(&self, folders: &[Folder]) -> Vec<(MailboxName, ListAttribute)> {
        let of_folder = |folder: &Folder| Some((folder.name.clone(), folder.special_use?));
        let mut uses: Vec<_> = folders.iter().filter_map(of_folder).collect();
        for (name, purpose) in self.special.by_name() {
            if uses.iter().all(|(_, other)| other != purpose) {
                uses.push((name.clone(), *purpose));
            }
        }
        uses
    }

    /// What the configuration says that a name is for.
    pub fn configured_use(&self, name: &MailboxName) -> Option<ListAttribute> {
        self.special.configured(name)
    }

    /// What a name is usually for.
    pub(super) fn usual_use(&self, name: &MailboxName) -> Option<ListAttribute> {
        self.special.usual(name)
    }

    /// The special use of one mailbox.
    pub async fn special_use(&self, name: &MailboxName) -> Result<Option<ListAttribute>, Fault> {
        if let Some(configured) = self.special.configured(name) {
            return Ok(Some(configured));
        }
        let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
        let stored = blocking("reading metadata", move || stored_use(&tree, &wanted)).await?;
        let usual = self.special.usual(name);
        if stored.is_some() || usual.is_none() {
            return Ok(stored);
        }
        // Another mailbox may have been made for it.
        let uses = self.special_uses(&self.list().await?);
        let own = uses.into_iter().find(|(other, _)| other == name);
        Ok(own.map(|(_, purpose)| purpose))
    }

    /// SUBSCRIBE (`NonExistent` for a mailbox that is not there) and UNSUBSCRIBE.
    pub async fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<(), Fault> {
        let mut patience = Patience::new(LOCK_WAIT);
        loop {
            let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
            let result = blocking("changing subscriptions", move || {
                if subscribed && !tree.exists(&wanted)? {
                    return Err(io::ErrorKind::NotFound.into());
                }
                subscriptions::change(&tree, &wanted, subscribed)
            })
            .await?;
            match result {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Fault::NonExistent(name.to_string()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !patience.is_over() => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Fault::Locked);
                }
                Err(error) => return Err(Fault::from_io("changing subscriptions", error)),
            }
            patience.pause(REMOVAL_PAUSE).await;
        }
    }
}
