//! When an account's open mailboxes are closed: what they keep of mod-sequences is made to outlast a stop of the
//! machine, and those that nobody uses any more leave memory.
//!
//! Most are closed long before the server stops, so that little is left to do then.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::imap::sequence::ModSeq;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::user::User;

/// How long a mailbox that nobody has open stays in memory.
const KEEP: Duration = Duration::from_secs(60);

/// How long a mailbox that nobody has open is not closed yet.
const REST: Duration = Duration::from_secs(10);

/// How long nothing may have happened in a mailbox that is in use until it is closed. The next change opens it again,
/// which costs a sync: it must be worth it.
const CALM: Duration = Duration::from_secs(300);

/// One that cannot be closed, because others have its lock, leaves memory all the same by then.
const LONGEST: Duration = Duration::from_secs(600);

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How many mailboxes of one account are synced at once: who syncs together waits together.
const AT_ONCE: usize = 8;

/// After that long nothing has a time any more that something to come could have too.
pub(super) const SETTLE: Duration = Duration::from_millis(20);

/// A mailbox that is open or being opened.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) mailbox: OnceCell<Arc<Mailbox>>,
    since: Mutex<Since>,
}

/// Since when nothing happens, as far as was noticed.
#[derive(Debug, Default)]
struct Since {
    /// Nobody has it open.
    unused: Option<Instant>,
    /// This is the highest mod-sequence.
    calm: Option<(ModSeq, Instant)>,
    /// It was closed with this highest mod-sequence, and has not been changed since.
    closed: Option<ModSeq>,
}

/// What is to be done with a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// It is closed, but stays.
    Close,
    /// It leaves, once it is closed.
    Leave,
    /// It leaves, whether or not.
    GiveUp,
}

impl Slot {
    pub(super) fn is(&self, identity: (u64, u64)) -> bool {
        self.mailbox
            .get()
            .is_some_and(|mailbox| !mailbox.has_ended() && mailbox.folder().identity() == identity)
    }

    fn due(self: &Arc<Self>, now: Instant) -> Due {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = self.mailbox.get();
        // Somebody uses it, or is opening it.
        if Arc::strong_count(self) > 1
            || mailbox.is_some_and(|mailbox| Arc::strong_count(mailbox) > 1)
        {
            since.unused = None;
            let Some(mailbox) = mailbox else {
                return Due::Nothing;
            };
            let highest = mailbox.snapshot().modseq;
            let known = since.calm.filter(|(known, _)| *known == highest);
            let (_, begun) = *since.calm.insert(known.unwrap_or((highest, now)));
            let is_closed = since.closed == Some(highest);
            return match now.duration_since(begun) >= CALM && !is_closed {
                true => Due::Close,
                false => Due::Nothing,
            };
        }
        let highest = mailbox.map(|mailbox| mailbox.snapshot().modseq);
        let is_closed = highest.is_none() || since.closed == highest;
        match now.duration_since(*since.unused.get_or_insert(now)) {
            unused if unused >= LONGEST => Due::GiveUp,
            unused if unused >= KEEP => Due::Leave,
            unused if unused >= REST && !is_closed => Due::Close,
            _ => Due::Nothing,
        }
    }

    /// Whether it has been closed, and not been changed since.
    fn is_closed(&self) -> bool {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match self.mailbox.get() {
            Some(mailbox) => since.closed == Some(mailbox.snapshot().modseq),
            None => true,
        }
    }

    async fn close(&self) {
        let Some(mailbox) = self.mailbox.get() else {
            return;
        };
        let modseq = mailbox.snapshot().modseq;
        match mailbox.close().await {
            Ok(true) => {
                let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
                since.closed = Some(modseq);
            }
            // Somebody has the lock: it is tried again.
            Ok(false) => {}
            Err(fault) => tracing::debug!(%fault, "closing a mailbox"),
        }
    }
}

impl User {
    /// Makes every open mailbox durable, before the server stops: first all that was told, then what is kept of
    /// mod-sequences.
    pub async fn flush(&self) {
        let open = self.open.lock().await;
        let held: Vec<Arc<Slot>> = open.values().cloned().collect();
        drop(open);
        together(held.clone(), |slot| async move {
            if let Some(mailbox) = slot.mailbox.get()
                && let Err(fault) = mailbox.flush().await
            {
                tracing::error!(%fault, "at the end");
            }
        })
        .await;
        close(held).await;
    }
}

/// Closes mailboxes, and notes what STATUS tells of them.
async fn close(slots: Vec<Arc<Slot>>) {
    if slots.is_empty() {
        return;
    }
    together(slots.clone(), |slot| async move { slot.close().await }).await;
    tokio::time::sleep(SETTLE).await;
    together(slots, |slot| async move {
        if let Some(mailbox) = slot.mailbox.get() {
            mailbox.note_status().await;
        }
    })
    .await;
}

/// Closes mailboxes that nobody has used for a while, until none is open.
pub(super) async fn close_unused(user: Weak<User>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(user) = user.upgrade() else { return };
        let open = user.open.lock().await;
        let now = Instant::now();
        let due = open.values().filter_map(|slot| match slot.due(now) {
            Due::Nothing => None,
            due => Some((Arc::clone(slot), due)),
        });
        let due: Vec<(Arc<Slot>, Due)> = due.collect();
        drop(open);
        let slots = due.iter().map(|(slot, _)| Arc::clone(slot)).collect();
        close(slots).await;
        // They leave when they are closed and not before: the end of the server closes what is open.
        let mut open = user.open.lock().await;
        let leave = due.iter().filter(|(slot, due)| match due {
            Due::Leave => slot.is_closed(),
            Due::GiveUp => true,
            Due::Nothing | Due::Close => false,
        });
        let leave: Vec<&Arc<Slot>> = leave.map(|(slot, _)| slot).collect();
        open.retain(|_, slot| {
            let is_unused = || {
                let mailbox = slot.mailbox.get();
                Arc::strong_count(slot) == 2
                    && mailbox.is_none_or(|mailbox| Arc::strong_count(mailbox) == 1)
            };
            !(leave.iter().any(|one| Arc::ptr_eq(one, slot)) && is_unused())
        });
        if open.is_empty() {
            user.closes.store(false, Ordering::Relaxed);
            return;
        }
    }
}

/// Does the same with all of them, with some at once.
pub(super) async fn together<T, F: Future<Output = ()> + Send + 'static>(
    all: Vec<T>,
    act: impl Fn(T) -> F,
) {
    let mut running = JoinSet::new();
    for one in all {
        if running.len() >= AT_ONCE {
            running.join_next().await;
        }
        running.spawn(act(one));
    }
    while running.join_next().await.is_some() {}
}
