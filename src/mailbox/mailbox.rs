//! One open mailbox: the only door to change it, and the publisher of its [`Snapshot`]s.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch as states};

use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::disk::Disk;
use crate::mailbox::durability::Durability;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::patience::{LOCK_WAIT, Patience};
use crate::mailbox::previews::Previews;
use crate::mailbox::quota::Quota;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::turn::Turn;
use crate::mailbox::user::Fsync;
use crate::mailbox::view::View;
use crate::mailbox::watch::{Inbox, Subscription};
use crate::spool::deliver;
use crate::spool::filename::FileName;
use crate::spool::folder::{Folder, Sub};
use crate::spool::lock::{Lock, Try, Watch};
use crate::spool::scan;
use crate::spool::tree::Tree;

/// How often a file's name is looked up again when it changes under a reader.
const OPEN_TRIES: usize = 10;

/// An open mailbox.
pub struct Mailbox {
    folder: Arc<Folder>,
    fsync: Fsync,
    pub(super) quota: Arc<Quota>,
    /// See [`crate::mailbox::attachments`].
    pub(super) attachment_keywords: bool,
    pub(super) disk: Arc<tokio::sync::Mutex<Disk>>,
    published: states::Sender<Arc<Snapshot>>,
    durability: Arc<Durability>,
    sticky: bool,
    /// Recent to nobody yet, all of them in the picture.
    unclaimed: Mutex<NumberSet>,
    /// Sessions that have it selected read-write.
    writers: AtomicUsize,
    pub(super) inbox: Arc<Inbox>,
    watching: Mutex<Watching>,
    previews: Previews,
}

/// Whether events come.
#[derive(Debug, Default)]
pub(super) enum Watching {
    /// Nobody has selected it yet.
    #[default]
    NotYet,
    /// Events come.
    Events(Subscription),
    /// The kernel refused: it is polled.
    Polling,
}

impl Mailbox {
    /// Opens a mailbox: reads its uidlist, makes one where there is none, and looks at every file's name.
    pub(super) async fn open_folder(
        folder: Folder,
        tree: Arc<Tree>,
        quota: Arc<Quota>,
        (fsync, attachment_keywords): (Fsync, bool),
    ) -> Result<Arc<Mailbox>, Fault> {
        let folder = Arc::new(folder);
        let of = Arc::clone(&folder);
        let (mut disk, snapshot) = Mailbox::load(of, tree).await?;
        disk.attachment_keywords = attachment_keywords;
        let sticky = disk.has_uidlist();
        let mailbox = Arc::new(Mailbox {
            durability: Arc::new(Durability::new(Arc::clone(&folder))),
            folder,
            fsync,
            quota,
            attachment_keywords,
            disk: Arc::new(tokio::sync::Mutex::new(disk)),
            published: states::Sender::new(Arc::new(snapshot)),
            sticky,
            unclaimed: Mutex::default(),
            writers: AtomicUsize::new(0),
            inbox: Arc::default(),
            watching: Mutex::default(),
            previews: Previews::default(),
        });
        mailbox
            .durability
            .note_safe(mailbox.snapshot().uid_next.get().saturating_sub(1));
        let inbox = Arc::clone(&mailbox.inbox);
        mailbox
            .look(move |turn| {
                turn.look(&inbox, false)?;
                turn.end_comparison();
                turn.disk.opened = true;
                Ok(())
            })
            .await?;
        Ok(mailbox)
    }

    /// Reads what there is; waits for the lock only where a uidlist has to be made.
    async fn load(folder: Arc<Folder>, tree: Arc<Tree>) -> Result<(Disk, Snapshot), Fault> {
        let mut patience = Patience::new(LOCK_WAIT);
        let mut watch = Watch::default();
        loop {
            let (folder, tree) = (Arc::clone(&folder), Arc::clone(&tree));
            let (loaded, back) = blocking("opening a mailbox", move || {
                if let Err(error) = deliver::clear_old(&folder) {
                    tracing::debug!(%error, "tmp/ was not cleared");
                }
                let tried = folder
                    .is_writable()
                    .then(|| Lock::attempt(&folder, &mut watch));
                let (lock, error) = match tried {
                    Some(Ok(Try::Held(lock))) => (Some(lock), None),
                    Some(Ok(Try::Busy)) | None => (None, None),
                    Some(Err(error)) => (None, Some(error)),
                };
                let doing = format!("locking {}", folder.path().display());
                let loaded = match (Disk::load(folder, &tree, lock.as_ref()), error) {
                    // What cannot be locked at all is not waited for.
                    (Ok(None), Some(error)) => Err(Fault::from_io(doing, error)),
                    (loaded, _) => loaded,
                };
                (loaded, watch)
            })
            .await?;
            if let Some(loaded) = loaded? {
                return Ok(loaded);
            }
            if patience.is_over() {
                return Err(Fault::Locked);
            }
            watch = back;
            patience.pause(watch.least_pause()).await;
        }
    }

    /// The directories.
    pub(super) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    pub(super) fn durability(&self) -> &Arc<Durability> {
        &self.durability
    }

    pub(super) fn watching(&self) -> MutexGuard<'_, Watching> {
        lock(&self.watching)
    }

    pub(super) fn is_watched(&self) -> bool {
        matches!(*self.watching(), Watching::Events(_))
    }

    pub(super) async fn enter_queue(&self) -> Result<OwnedMutexGuard<Disk>, Fault> {
        let disk = Arc::clone(&self.disk).lock_owned().await;
        if self.snapshot().ended {
            Err(Fault::Ended)
        } else {
            Ok(disk)
        }
    }

    /// Whether new messages go to `cur/` at once, since somebody has the mailbox selected read-write.
    pub(super) fn has_writers(&self) -> bool {
        self.writers.load(Ordering::Acquire) > 0
    }

    /// Makes the draft of a turn the present state, and notes what it changed. **Blocking**.
    pub(super) fn publish(&self, turn: Turn<'_>) {
        let outcome = turn.finish();
        {
            let mut unclaimed = lock(&self.unclaimed);
            for uid in &outcome.arrived {
                unclaimed.insert(uid.get());
            }
            for uid in &outcome.dropped {
                unclaimed.remove(uid.get());
            }
        }
        let mut draft = outcome.draft;
        self.published.send_if_modified(|state| {
            draft.ended |= state.ended;
            let news = draft.differs_from(state);
            if news {
                *state = Arc::new(draft);
            }
            news
        });
        self.quota.note(outcome.change);
    }

    /// Ends the mailbox for all who have it selected: it was deleted, or its UIDs are no longer valid.
    pub(super) fn end(&self) {
        self.published.send_modify(|state| {
            let mut last = (**state).clone();
            last.ended = true;
            *state = Arc::new(last);
        });
        self.inbox.ring();
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.published.borrow().ended
    }

    /// The state published last.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.borrow().clone()
    }

    /// The previews that were made of its messages.
    pub fn previews(&self) -> &Previews {
        &self.previews
    }

    /// Wakes whenever a new state is published (IDLE waits on it).
    pub fn changes(&self) -> states::Receiver<Arc<Snapshot>> {
        self.published.subscribe()
    }

    /// Opens a view of it. A read-write view takes over what is in `new/` and claims `\Recent`.
    /// `read_only` is EXAMINE; a mailbox that cannot be written gives a read-only view in any case.
    pub async fn select(self: &Arc<Self>, read_only: bool) -> Result<View, Fault> {
        let forbidden = !self.folder.is_writable();
        let read_only = read_only || forbidden;
        let selection = Selection::new(Arc::clone(self), read_only, forbidden);
        self.begin_watching().await?;
        self.bring_up_to_date(!read_only).await?;
        Ok(View::new(selection, self.changes()))
    }

    /// Its directory's device and inode: the same under whatever name it was reached.
    pub fn identity(&self) -> (u64, u64) {
        self.folder.identity()
    }

    /// How many messages are recent to nobody yet (STATUS RECENT).
    pub fn unclaimed_recent(&self) -> usize {
        usize::try_from(lock(&self.unclaimed).len()).unwrap_or(usize::MAX)
    }

    /// Whether its UIDs will last; if not they are made up (UIDNOTSTICKY).
    pub fn uids_are_sticky(&self) -> bool {
        self.sticky
    }

    /// Waits until every UID up to this one is safe on disk, so that it may be spoken. Nearly always at once.
    pub async fn durable(&self, up_to: Uid) -> Result<(), Fault> {
        if self.fsync == Fsync::Never || self.durability.is_safe(up_to) {
            return Ok(());
        }
        self.durability.flush().await
    }

    /// Waits until everything anybody was told about this mailbox is on disk (CHECK).
    pub async fn flush(&self) -> Result<(), Fault> {
        self.durability.flush().await
    }

    /// Makes what is kept of mod-sequences outlast a stop of the machine. For a mailbox that nobody uses any more.
    pub(super) async fn close(self: &Arc<Self>) -> Result<bool, Fault> {
        // What is noted of it must be so on the disk.
        if let Err(fault) = self.flush().await {
            tracing::debug!(%fault, "closing a mailbox");
        }
        let is_open = self.enter_queue().await?.given.is_open();
        if !is_open || !self.folder.is_writable() {
            return Ok(true);
        }
        self.look(|turn| {
            turn.close_index();
            Ok(())
        })
        .await?;
        Ok(!self.enter_queue().await?.given.is_open())
    }

    /// What an answer to a change of flags waits for.
    pub(super) async fn settle_flags(&self) -> Result<(), Fault> {
        if self.fsync == Fsync::Always {
            self.durability.flush().await
        } else {
            Ok(())
        }
    }

    /// Whether answers to new or removed mail wait until that is safe.
    pub(super) fn syncs_mail(&self) -> bool {
        self.fsync != Fsync::Never
    }

    /// What an answer to new or removed mail waits for.
    pub(super) async fn settle_mail(&self) -> Result<(), Fault> {
        match self.syncs_mail() {
            true => self.durability.flush().await,
            false => Ok(()),
        }
    }

    /// Opens a message's file; looks for it again if it was renamed. **Blocking**: for the blocking pool and
    /// rayon. `Fault::Expunged` if it is gone.
    pub fn open(&self, message: &Message) -> Result<File, Fault> {
        self.find(message, |sub, name| self.folder.open(sub, name))
    }

    /// INTERNALDATE, in seconds since 1970: the time of the message's file, which is not opened for it.
    /// **Blocking**, and fails as [`Mailbox::open`] does.
    pub fn internal_date(&self, message: &Message) -> Result<i64, Fault> {
        self.find(message, |sub, name| self.folder.modified(sub, name))
    }

    /// Octets of the message's file, which is not opened for it. **Blocking**, and fails as [`Mailbox::open`] does.
    pub(super) fn file_size(&self, message: &Message) -> Result<u64, Fault> {
        self.find(message, |sub, name| self.folder.size(sub, name))
    }

    /// Does something with a message's file by its name, which may be changing.
    fn find<R>(
        &self,
        message: &Message,
        act: impl Fn(Sub, &FileName) -> std::io::Result<R>,
    ) -> Result<R, Fault> {
        let fault = |error| {
            Fault::from_io(
                format!(
                    "opening UID {} in {}",
                    message.uid,
                    self.folder.path().display()
                ),
                error,
            )
        };
        let (mut sub, mut name) = (message.sub, Arc::clone(&message.name));
        for _ in 0..OPEN_TRIES {
            match act(sub, &name) {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(fault(error)),
            }
            // The present state may know already; else the directory does.
            match self.snapshot().find(message.uid) {
                None => return Err(Fault::Expunged),
                Some(now) if (now.sub, &now.name) != (sub, &name) => {
                    (sub, name) = (now.sub, Arc::clone(&now.name))
                }
                _ => match scan::locate(&self.folder, message.name.base()).map_err(fault)? {
                    Some((found, as_name)) => (sub, name) = (found, Arc::new(as_name)),
                    None => {
                        self.inbox.ask_rescan();
                        return Err(Fault::Expunged);
                    }
                },
            }
        }
        Err(fault(std::io::Error::other(
            "the file's name keeps changing",
        )))
    }
}

/// A session's hold on a mailbox.
pub(super) struct Selection {
    mailbox: Arc<Mailbox>,
    read_only: bool,
    /// It could not have been otherwise.
    forbidden: bool,
}

impl Selection {
    fn new(mailbox: Arc<Mailbox>, read_only: bool, forbidden: bool) -> Selection {
        if !read_only {
            mailbox.writers.fetch_add(1, Ordering::AcqRel);
        }
        Selection {
            mailbox,
            read_only,
            forbidden,
        }
    }

    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub fn is_forbidden(&self) -> bool {
        self.forbidden
    }

    /// Messages from one UID up to below another that are recent to nobody yet; a read-write session makes
    /// them its own.
    pub fn claim_recent(&self, from: Uid, below: Uid) -> NumberSet {
        let (from, to) = (from.get(), below.get() - 1);
        let mut unclaimed = lock(&self.mailbox.unclaimed);
        let claimed = unclaimed.ranges().iter();
        let claimed = claimed.map(|&(first, last)| (first.max(from), last.min(to)));
        let claimed = NumberSet::from_ranges(claimed.filter(|(first, last)| first <= last));
        if !self.read_only {
            let rest = unclaimed.ranges().iter().flat_map(|&(first, last)| {
                [(first, last.min(from - 1)), (first.max(below.get()), last)]
            });
            *unclaimed = NumberSet::from_ranges(rest.filter(|(first, last)| first <= last));
        }
        claimed
    }
}

impl Drop for Selection {
    fn drop(&mut self) {
        if !self.read_only {
            self.mailbox.writers.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
