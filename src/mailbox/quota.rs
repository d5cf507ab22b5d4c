//! How much an account has and may have: one number for all of its mailboxes and sessions, shared with every other
//! program by `maildirsize` ([`crate::spool::quota`]).
//!
//! Limits are the account's own. Where it has none, and there is a `maildirsize` that names some, these hold, for
//! whoever keeps such a file says so to all who use the Maildir. Where there is no such file either, nothing is kept.
//!
//! Whoever is to bring mail in takes [`Room`] for it first, by the announced size, and gives that back when the mail is
//! in and counted: so those who come at once do not all get the last room there is. What a turn did is noted at its
//! end, in one line. While all is counted anew nobody changes anything of this process between the last look and the
//! new file, so that no change is in it twice, or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio::time::{Instant, timeout};

pub use crate::spool::quota::{Amount, Limits};

use crate::imap::name::MailboxName;
use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::{Mailbox, lock};
use crate::spool::quota::count::{self, Count};
use crate::spool::quota::{self, Change, Kept, Sums};
use crate::spool::tree::Tree;

/// How long who has counted waits for those who change something, before it goes on all the same: they may wait for
/// a lock of somebody else.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counting that takes so long is not done again to check a number
const LONG: Duration = Duration::from_secs(2);

/// until so many times as long have passed.
const RESTS: u32 = 20;

/// How often what has changed while it was counted is counted again.
const ROUNDS: usize = 4;

/// An account's quota.
pub struct Quota {
    tree: Arc<Tree>,
    /// The account's own limits, as its source of users said last.
    own: Mutex<Limits>,
    /// There are limits, or a file: else there is nothing to look at.
    kept: AtomicBool,
    /// The file as last read.
    known: Mutex<Option<Sums>>,
    /// For mail on its way.
    reserved: Mutex<Reserved>,
    /// The account had limits and has none any more: those in the file were these.
    lifted: AtomicBool,
    /// One counts, the others wait for what it finds.
    counting: tokio::sync::Mutex<()>,
    /// When that ended, and how long it took.
    counted: Mutex<Option<(Instant, Duration)>>,
    /// Those who change something share it; who has counted has it alone.
    gate: Arc<RwLock<()>>,
}

/// Room that is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reserved {
    amount: Amount,
    /// All that was ever given back. What it was for is counted then: a number read before may know of neither.
    returned: Amount,
}

/// What there is, and what there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Not empty.
    pub limits: Limits,
    /// So much is there.
    pub usage: Amount,
}

impl Quota {
    /// **Blocking**.
    pub(super) fn new(tree: Arc<Tree>, own: Limits) -> Arc<Quota> {
        // What cannot be read will be told when it is needed.
        let file = quota::read(&tree, None).unwrap_or(Kept::Spent(None));
        if own.is_none()
            && let Kept::There(Sums { limits, .. }) | Kept::Spent(Some(limits)) = file
            && !limits.is_none()
        {
            let (root, limits) = (tree.location().root.display(), limits);
            tracing::info!("{root}: maildirsize has limits, which hold: {limits:?}");
        }
        Arc::new(Quota {
            kept: AtomicBool::new(!own.is_none() || file != Kept::Nowhere),
            tree,
            own: Mutex::new(own),
            known: Mutex::default(),
            reserved: Mutex::default(),
            lifted: AtomicBool::default(),
            counting: tokio::sync::Mutex::default(),
            counted: Mutex::default(),
            gate: Arc::default(),
        })
    }

    /// From now on these are the account's own limits.
    pub(super) fn limit(&self, own: Limits) {
        let before = std::mem::replace(&mut *lock(&self.own), own);
        if own.is_none() != before.is_none() {
            self.lifted.store(own.is_none(), Ordering::Relaxed);
        }
        if !own.is_none() {
            self.kept.store(true, Ordering::Relaxed);
        }
    }

    fn own(&self) -> Limits {
        *lock(&self.own)
    }

    /// What there is and may be now; `None` where nothing is limited.
    pub async fn state(self: &Arc<Self>) -> Result<Option<State>, Fault> {
        let sums = self.sums(None).await?;
        let limited = sums.filter(|sums| !sums.limits.is_none());
        Ok(limited.map(|sums| State {
            limits: sums.limits,
            usage: sums.usage,
        }))
    }

    /// What the file says, made anew where it says nothing, or only what is `disbelieved`. `None` where none is kept.
    async fn sums(self: &Arc<Self>, disbelieved: Option<Sums>) -> Result<Option<Sums>, Fault> {
        let (own, read) = (self.own(), self.read().await?);
        let is_good = |kept: &Kept| match kept {
            Kept::There(sums) => {
                (own.is_none() || sums.limits == own) && Some(*sums) != disbelieved
            }
            Kept::Nowhere => own.is_none(),
            Kept::Spent(_) => false,
        };
        let read = match is_good(&read) {
            true => read,
            false => {
                let _alone = self.counting.lock().await;
                // Somebody may have counted meanwhile.
                let read = self.read().await?;
                match (is_good(&read), read) {
                    (true, read) => read,
                    (false, read) => {
                        let limits = match read {
                            _ if !own.is_none() => own,
                            Kept::There(Sums { limits, .. }) | Kept::Spent(Some(limits)) => limits,
                            Kept::Spent(None) | Kept::Nowhere => Limits::default(),
                        };
                        Kept::There(self.count(limits).await?)
                    }
                }
            }
        };
        Ok(match read {
            Kept::There(sums) => Some(sums),
            Kept::Nowhere | Kept::Spent(_) => None,
        })
    }

    async fn read(self: &Arc<Self>) -> Result<Kept, Fault> {
        let quota = Arc::clone(self);
        blocking("reading maildirsize", move || {
            if quota.lifted.swap(false, Ordering::Relaxed) {
                quota.forget();
            }
            let mut known = lock(&quota.known);
            let read = quota::read(&quota.tree, *known);
            let read = read.map_err(|error| quota.fault("reading maildirsize", error))?;
            *known = match read {
                Kept::There(sums) => Some(sums),
                Kept::Nowhere | Kept::Spent(_) => None,
            };
            let kept = !quota.own().is_none() || read != Kept::Nowhere;
            quota.kept.store(kept, Ordering::Relaxed);
            Ok(read)
        })
        .await?
    }

    /// Counts all mail, and writes that down. Where it cannot be written it is true all the same.
    async fn count(self: &Arc<Self>, limits: Limits) -> Result<Sums, Fault> {
        tracing::debug!(root = %self.tree.location().root.display(), "maildirsize is counted anew");
        let step = |count: Option<Count>| {
            let quota = Arc::clone(self);
            blocking("counting mail", move || {
                let fault = |error| quota.fault("counting mail", error);
                let mut count = match count {
                    Some(count) => count,
                    None => Count::begin(&quota.tree).map_err(fault)?,
                };
                let done = count.go_on(&quota.tree).map_err(fault)?;
                Ok::<(Count, bool), Fault>((count, done))
            })
        };
        let begun = Instant::now();
        let mut begin = None;
        let mut count = loop {
            let (counted, done) = step(begin).await??;
            if done {
                break counted;
            }
            begin = Some(counted);
        };
        *lock(&self.counted) = Some((Instant::now(), begun.elapsed()));
        let _alone = timeout(PATIENCE, Arc::clone(&self.gate).write_owned())
            .await
            .ok();
        let (mut last, mut is_true) = (None, false);
        for _ in 0..ROUNDS {
            let quota = Arc::clone(self);
            let (back, sums, same) = blocking("counting mail", move || quota.settle(count, limits))
                .await?
                .map_err(|error| self.fault("counting mail", error))?;
            (count, last, is_true) = (back, Some(sums), same);
            if same {
                break;
            }
        }
        if !is_true {
            // Who needs it next counts again.
            let quota = Arc::clone(self);
            blocking("counting mail", move || quota.forget()).await?;
        }
        last.ok_or_else(|| {
            self.fault(
                "counting mail",
                std::io::Error::other("nothing was counted"),
            )
        })
    }

    /// Brings a count up to date and writes it. Tells whether nothing has changed until then. **Blocking**.
    fn settle(&self, mut count: Count, limits: Limits) -> std::io::Result<(Count, Sums, bool)> {
        count.is_as_it_was(&self.tree)?;
        while !count.go_on(&self.tree)? {}
        let usage = count.total();
        let sums = match quota::write(&self.tree, limits, usage) {
            Ok(sums) => sums,
            Err(error) => {
                let root = self.tree.location().root.display();
                tracing::warn!("{root}: maildirsize cannot be written: {error}");
                let stamp = self.tree.account_stamp()?;
                Sums {
                    limits,
                    usage,
                    lines: 1,
                    stamp,
                }
            }
        };
        let same = count.is_as_it_was(&self.tree)?;
        Ok((count, sums, same))
    }

    /// Held by whoever changes something from before that until it is noted.
    pub(super) async fn enter(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.gate).read_owned().await
    }

    /// Notes what has been done. **Blocking**.
    pub(super) fn note(&self, change: Change) {
        if change.is_nothing() {
            return;
        }
        match quota::append(&self.tree, change) {
            Ok(there) => {
                let kept = there || !self.own().is_none();
                self.kept.store(kept, Ordering::Relaxed);
            }
            Err(error) => {
                let root = self.tree.location().root.display();
                tracing::warn!("{root}: maildirsize cannot be written: {error}");
                // It is not true any more.
                self.forget();
            }
        }
    }

    /// **Blocking**.
    fn forget(&self) {
        if let Err(error) = quota::forget(&self.tree) {
            let root = self.tree.location().root.display();
            tracing::warn!("{root}: maildirsize cannot be removed: {error}");
        }
    }

    /// Whether what the file says is to be believed where it says that there is no room. Counting must not become
    /// all that is done for an account.
    fn believes(&self, sums: Sums) -> bool {
        let busy = lock(&self.counted).is_some_and(|(when, took)| {
            took >= LONG && when.elapsed() < took.saturating_mul(RESTS)
        });
        busy || sums.are_fresh(SystemTime::now())
    }

    /// How much is in a mailbox that is to be deleted. **Blocking**.
    pub(super) fn of_mailbox(&self, name: &MailboxName) -> Change {
        if !self.kept.load(Ordering::Relaxed) {
            return Change::default();
        }
        match count::of_mailbox(&self.tree, name) {
            Ok(amount) => Change::loss(amount),
            Err(error) => {
                tracing::debug!(%error, "what is in {name} cannot be counted");
                Change::default()
            }
        }
    }

    /// Room for mail: none yet. `freed` goes for it.
    pub(super) fn room(self: &Arc<Self>, freed: Amount) -> Room {
        Room {
            quota: Arc::clone(self),
            taken: Amount::default(),
            freed,
        }
    }

    pub(super) fn fault(&self, doing: &str, error: std::io::Error) -> Fault {
        Fault::from_io(
            format!("{doing} in {}", self.tree.location().root.display()),
            error,
        )
    }
}

/// Room for mail on its way, given back when it is dropped: what has come is counted by then.
pub(super) struct Room {
    quota: Arc<Quota>,
    taken: Amount,
    freed: Amount,
}

impl Room {
    /// Takes room for so much more; [`Fault::OverQuota`] if there is none, and [`Fault::OverQuotaForNow`] if there is none
    /// but for mail on its way, which may not come to its end. What a file says that others may have left
    /// to itself for long is counted again before a message is refused for it.
    pub async fn take(&mut self, more: Amount) -> Result<(), Fault> {
        if !self.quota.kept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut rounds = 0;
        let mut sums = loop {
            let before = self.returned();
            let Some(sums) = self.quota.sums(None).await? else {
                return Ok(());
            };
            if self.fits(sums, more, before) {
                return Ok(());
            }
            rounds += 1;
            if rounds >= ROUNDS || self.returned() == before {
                break sums;
            }
        };
        // What is too much alone is too much however much there is.
        let wanted = self.taken.and(more);
        let hopeless = !(sums.limits).have_room(Amount::default(), wanted, self.freed);
        if !hopeless && !self.quota.believes(sums) {
            let before = self.returned();
            match self.quota.sums(Some(sums)).await? {
                Some(counted) if !self.fits(counted, more, before) => sums = counted,
                Some(_) | None => return Ok(()),
            }
        }
        let alone = (sums.limits).have_room(sums.usage, wanted, self.freed);
        Err(match alone {
            true => Fault::OverQuotaForNow,
            false => Fault::OverQuota,
        })
    }

    /// The same for all that there is to be, once that is known.
    pub async fn take_in_all(&mut self, all: Amount) -> Result<(), Fault> {
        let more = all.without(self.taken);
        match more == Amount::default() {
            true => Ok(()),
            false => self.take(more).await,
        }
    }

    /// What goes for it.
    pub fn free(&mut self, freed: Amount) {
        self.freed = freed;
    }

    /// Takes it if it fits. `before` these sums were read so much had been given back: what was since may not be in them.
    fn fits(&mut self, sums: Sums, more: Amount, before: Amount) -> bool {
        let mut reserved = lock(&self.quota.reserved);
        let wanted = self.taken.and(more);
        let others = reserved.amount.without(self.taken);
        let since = reserved.returned.without(before);
        let usage = sums.usage.and(others).and(since);
        let fits = sums.limits.have_room(usage, wanted, self.freed);
        if fits {
            reserved.amount = reserved.amount.and(more);
            self.taken = wanted;
        }
        fits
    }

    fn returned(&self) -> Amount {
        lock(&self.quota.reserved).returned
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut reserved = lock(&self.quota.reserved);
        reserved.amount = reserved.amount.without(self.taken);
        reserved.returned = reserved.returned.and(self.taken);
    }
}

impl Mailbox {
    /// Room for copies of these messages. What is gone needs none, and is told later.
    pub(super) async fn room_for_copies(
        self: &Arc<Self>,
        uids: &NumberSet,
        quota: &Arc<Quota>,
    ) -> Result<Room, Fault> {
        let mut room = quota.room(Amount::default());
        if quota.kept.load(Ordering::Relaxed) {
            let snapshot = self.snapshot();
            let found = uids.iter().filter_map(Uid::new);
            let messages: Vec<_> = found
                .filter_map(|uid| snapshot.find(uid).cloned())
                .collect();
            let copies = Amount {
                messages: messages.len() as u64,
                storage: self.storage(messages).await?,
            };
            room.take(copies).await?;
        }
        Ok(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::tests::account;
    use crate::mailbox::user::{Account, Fsync, User};

    #[tokio::test]
    async fn a_number_from_before_others_were_done_is_not_enough() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits {
            storage: None,
            messages: Some(1),
        };
        let user = User::open(Account {
            fsync: Fsync::Never,
            quota: limits,
            ..account(home.path().join("ann"))
        });
        let user = user.unwrap();
        let quota = user.quota();
        let one = Amount {
            storage: 4,
            messages: 1,
        };
        let mut first = quota.room(Amount::default());
        first.take(one).await.unwrap();
        let mut second = quota.room(Amount::default());
        let old = second.returned();
        let before = quota.sums(None).await.unwrap().unwrap();
        // Its mail comes, and is counted.
        let mut change = Change::default();
        change.add(one.storage);
        quota.note(change);
        drop(first);
        assert!(!second.fits(before, one, old));
        let (new, sums) = (second.returned(), quota.sums(None).await.unwrap().unwrap());
        assert!(!second.fits(sums, one, new));
    }
}
