//! When an account's open mailboxes are closed: what they keep of mod-sequences is made to outlast a stop of the
//! machine, and those that nobody uses any more leave memory.
//!
//! Most are closed long before the server stops, so that little is left to do then.

use std::future::Future;
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

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How many mailboxes of one account are synced at once: who syncs together waits together.
const AT_ONCE: usize = 8;

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
}

/// What is to be done with a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// It is closed, but stays.
    Close,
    /// It is closed, and leaves.
    Leave,
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
            return match now.duration_since(begun) >= CALM {
                true => Due::Close,
                false => Due::Nothing,
            };
        }
        match now.duration_since(*since.unused.get_or_insert(now)) {
            unused if unused >= KEEP => Due::Leave,
            unused if unused >= REST => Due::Close,
            _ => Due::Nothing,
        }
    }
}

impl User {
    /// Makes every open mailbox durable, before the server stops: first all that was told, then what is kept of
    /// mod-sequences.
    pub async fn flush(&self) {
        let open = self.open.lock().await;
        let held = open.values().filter_map(|slot| slot.mailbox.get().cloned());
        let held: Vec<_> = held.collect();
        drop(open);
        together(&held, |mailbox| async move {
            if let Err(fault) = mailbox.flush().await {
                tracing::error!(%fault, "at the end");
            }
        })
        .await;
        close_all(&held).await;
    }
}

/// Closes mailboxes that nobody has used for a while, until none is open.
pub(super) async fn close_unused(user: Weak<User>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(user) = user.upgrade() else { return };
        let mut open = user.open.lock().await;
        let now = Instant::now();
        let mut close = Vec::new();
        open.retain(|_, slot| {
            let due = slot.due(now);
            close.extend(slot.mailbox.get().cloned().filter(|_| due != Due::Nothing));
            due != Due::Leave
        });
        let empty = open.is_empty();
        drop(open);
        drop(user);
        // Who opens one anew meanwhile meets it as another process would.
        close_all(&close).await;
        if empty {
            return;
        }
    }
}

async fn close_all(mailboxes: &[Arc<Mailbox>]) {
    together(mailboxes, |mailbox| async move {
        if let Err(fault) = mailbox.close().await {
            tracing::debug!(%fault, "closing a mailbox");
        }
    })
    .await;
}

/// Does the same with all of them, with some at once.
async fn together<F: Future<Output = ()> + Send + 'static>(
    mailboxes: &[Arc<Mailbox>],
    act: impl Fn(Arc<Mailbox>) -> F,
) {
    let mut running = JoinSet::new();
    for mailbox in mailboxes {
        if running.len() >= AT_ONCE {
            running.join_next().await;
        }
        running.spawn(act(Arc::clone(mailbox)));
    }
    while running.join_next().await.is_some() {}
}
