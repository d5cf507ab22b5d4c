//! Who changes a mailbox next: one turn at a time, in order of asking, under Dovecot's lock.
//!
//! A turn waits for the mailbox's queue as a future, then tries `dovecot-uidlist.lock` from the blocking
//! pool; while somebody else holds it the thread and the place in the queue are given back and a timer waits:
//! nothing is held by who waits. Disk first, then memory, then clients: so all hear changes in one order, and
//! of nothing that did not happen. A turn that has begun comes to its end and is published, whether or not
//! anybody still waits for it. Who only looks takes the lock only where something is to be written.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use crate::mailbox::disk::Disk;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::patience::{LOCK_WAIT, Patience};
use crate::mailbox::turn::Turn;
use crate::spool::folder::Folder;
use crate::spool::lock::{Lock, Try, Watch};

/// How long a look waits for it, before it goes on without.
const LOOK_WAIT: Duration = Duration::from_secs(1);

/// What a turn does.
type Act<R> = Box<dyn FnOnce(&mut Turn<'_>) -> Result<R, Fault> + Send>;

/// What a turn on two mailboxes does: first the source's, then the target's.
type PairAct<R> = Box<dyn FnOnce(&mut Turn<'_>, &mut Turn<'_>) -> Result<R, Fault> + Send>;

/// A lock wanted, over its tries.
struct Wanted {
    watch: Watch,
    patience: Patience,
}

impl Wanted {
    fn new(limit: Duration) -> Wanted {
        Wanted {
            watch: Watch::default(),
            patience: Patience::new(limit),
        }
    }

    /// One try. A folder that cannot be written has no lock to take.
    fn attempt(&mut self, folder: &Folder) -> Result<Held, Fault> {
        if !folder.is_writable() {
            return Ok(Held::Unlocked);
        }
        match Lock::attempt(folder, &mut self.watch) {
            Ok(Try::Held(lock)) => Ok(Held::Locked(lock)),
            Ok(Try::Busy) => Ok(Held::Busy),
            Err(_) if folder.is_removed().unwrap_or(false) => Err(Fault::Ended),
            Err(error) => Err(Fault::from_io(
                format!("locking {}", folder.path().display()),
                error,
            )),
        }
    }
}

/// What a turn does where the lock cannot be had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    /// Nothing: it fails.
    Fails,
    /// It renames and unlinks, and makes no file. Where the disk has no room even for the lock, it goes on:
    /// else nobody could make room. Whoever races with it finds names gone, which happens anyway.
    RoomGoesOn,
    /// It only looks, and goes on.
    GoesOn,
}

enum Held {
    Locked(Lock),
    Unlocked,
    Busy,
}

impl Held {
    fn lock(&self) -> Option<&Lock> {
        match self {
            Held::Locked(lock) => Some(lock),
            Held::Unlocked | Held::Busy => None,
        }
    }
}

impl Mailbox {
    /// Runs a turn that changes the mailbox. [`Fault::NoPermission`] where it cannot be written.
    pub(super) async fn change<R: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Turn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        if !self.folder().is_writable() {
            return Err(Fault::NoPermission("the mailbox is read-only".into()));
        }
        self.turn(Box::new(act), Without::Fails).await
    }

    /// The same for a turn that only renames and unlinks messages: it needs no room on the disk.
    pub(super) async fn change_names<R: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Turn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        if !self.folder().is_writable() {
            return Err(Fault::NoPermission("the mailbox is read-only".into()));
        }
        self.turn(Box::new(act), Without::RoomGoesOn).await
    }

    /// Runs a turn that only looks, and says in [`Turn::wants_lock`] if there is something to write.
    pub(super) async fn glance<R: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Turn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let mut disk = self.enter_queue().await?;
        let mailbox = Arc::clone(self);
        blocking("a look", move || {
            mailbox.run_turn(&mut disk, None, Box::new(act))
        })
        .await?
    }

    /// Runs a turn that looks, and writes what is new. It goes on without the lock where that cannot be had: messages
    /// without a UID are left for later then.
    pub(super) async fn look<R: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Turn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        self.turn(Box::new(act), Without::GoesOn).await
    }

    async fn turn<R: Send + 'static>(
        self: &Arc<Self>,
        mut act: Act<R>,
        without: Without,
    ) -> Result<R, Fault> {
        let mut wanted = Wanted::new(match without {
            Without::GoesOn => LOOK_WAIT,
            Without::Fails | Without::RoomGoesOn => LOCK_WAIT,
        });
        loop {
            let mut disk = self.enter_queue().await?;
            // Who only looks brings nothing and removes nothing.
            let counted = match without {
                Without::GoesOn => None,
                Without::Fails | Without::RoomGoesOn => Some(self.quota.enter().await),
            };
            let mailbox = Arc::clone(self);
            let tried = blocking("a change", move || {
                let _counted = counted;
                // A lock would be in the way of who removes the mailbox.
                let tried = match without == Without::GoesOn && disk.lacks_directories() {
                    true => Ok(Held::Unlocked),
                    false => wanted.attempt(mailbox.folder()),
                };
                let held = match tried {
                    Ok(Held::Busy) if !wanted.patience.is_over() => {
                        return Tried::Busy(act, wanted);
                    }
                    Ok(Held::Busy) if without != Without::GoesOn => {
                        return Tried::Done(Err(Fault::Locked));
                    }
                    Ok(held) => held,
                    Err(_) if without == Without::GoesOn => Held::Unlocked,
                    Err(Fault::DiskFull(_) | Fault::DiskQuota(_))
                        if without == Without::RoomGoesOn =>
                    {
                        Held::Unlocked
                    }
                    Err(fault) => return Tried::Done(Err(fault)),
                };
                Tried::Done(mailbox.run_turn(&mut disk, held.lock(), act))
            })
            .await?;
            match tried {
                Tried::Done(result) => return result,
                Tried::Busy(back, still) => (act, wanted) = (back, still),
            }
            wanted.patience.pause(wanted.watch.least_pause()).await;
        }
    }

    /// One turn with the disk in hand: the act, then the new state, published even where the act failed
    /// midway, for what it did is done.
    fn run_turn<R>(&self, disk: &mut Disk, lock: Option<&Lock>, act: Act<R>) -> Result<R, Fault> {
        let _ended = EndOnPanic(self);
        let mut turn = self.begin_turn(disk, lock)?;
        let result = self.hear(&mut turn).and_then(|()| act(&mut turn));
        self.publish(turn);
        result
    }

    fn begin_turn<'t>(
        &'t self,
        disk: &'t mut Disk,
        lock: Option<&'t Lock>,
    ) -> Result<Turn<'t>, Fault> {
        let before = self.snapshot();
        if before.ended {
            return Err(Fault::Ended);
        }
        let watched = self.is_watched();
        Ok(Turn::begin(disk, before, self.durability(), lock, watched))
    }

    /// A turn hears what others have done.
    fn hear(&self, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let heard = turn.hear();
        if matches!(heard, Err(Fault::Ended)) {
            self.end();
        }
        heard
    }

    /// Runs a turn on two mailboxes at once, both locked; which is locked first depends on the directories
    /// alone, so that two such turns never wait for each other.
    pub(super) async fn change_pair<R: Send + 'static>(
        self: &Arc<Self>,
        target: &Arc<Mailbox>,
        act: impl FnOnce(&mut Turn<'_>, &mut Turn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        if !self.folder().is_writable() || !target.folder().is_writable() {
            return Err(Fault::NoPermission("the mailbox is read-only".into()));
        }
        let mut act: PairAct<R> = Box::new(act);
        let source_first = self.folder().identity() < target.folder().identity();
        let mut wanted = [Wanted::new(LOCK_WAIT), Wanted::new(LOCK_WAIT)];
        loop {
            let (mut source_disk, mut target_disk): (OwnedMutexGuard<Disk>, OwnedMutexGuard<Disk>);
            if source_first {
                source_disk = self.enter_queue().await?;
                target_disk = target.enter_queue().await?;
            } else {
                target_disk = target.enter_queue().await?;
                source_disk = self.enter_queue().await?;
            }
            let (source, goal) = (Arc::clone(self), Arc::clone(target));
            let counted = self.quota.enter().await;
            let tried = blocking("a change", move || {
                let _counted = counted;
                let order = if source_first {
                    [&source, &goal]
                } else {
                    [&goal, &source]
                };
                let mut held = Vec::with_capacity(2);
                for (want, mailbox) in wanted.iter_mut().zip(order) {
                    match want.attempt(mailbox.folder()) {
                        Ok(Held::Busy) if want.patience.is_over() => {
                            return Tried::Done(Err(Fault::Locked));
                        }
                        Ok(Held::Busy) => break,
                        Ok(lock) => held.push(lock),
                        Err(Fault::Ended) => {
                            // Who asks which of them ended must find it out.
                            mailbox.end();
                            return Tried::Done(Err(Fault::Ended));
                        }
                        Err(fault) => return Tried::Done(Err(fault)),
                    }
                }
                let [one, other] = held.as_slice() else {
                    return Tried::Busy(act, wanted);
                };
                let (source_lock, target_lock) = if source_first {
                    (one, other)
                } else {
                    (other, one)
                };
                let _ended = (EndOnPanic(&source), EndOnPanic(&goal));
                Tried::Done((|| {
                    let mut from = source.begin_turn(&mut source_disk, source_lock.lock())?;
                    let mut to = match goal.begin_turn(&mut target_disk, target_lock.lock()) {
                        Ok(to) => to,
                        Err(fault) => {
                            source.publish(from);
                            return Err(fault);
                        }
                    };
                    let heard = source.hear(&mut from).and_then(|()| goal.hear(&mut to));
                    let result = heard.and_then(|()| act(&mut from, &mut to));
                    goal.publish(to);
                    source.publish(from);
                    result
                })())
            })
            .await?;
            match tried {
                Tried::Done(result) => return result,
                Tried::Busy(back, still) => (act, wanted) = (back, still),
            }
            // Whichever it is that somebody holds.
            let [one, other] = &mut wanted;
            let least = one.watch.least_pause().max(other.watch.least_pause());
            one.patience.pause(least).await;
        }
    }
}

/// What one try came to.
enum Tried<R, Act, Wanted> {
    Done(Result<R, Fault>),
    /// Somebody else holds a lock: what is needed for the next try.
    Busy(Act, Wanted),
}

/// After a panic in a turn memory may not be what the disk is: the mailbox ends, and who opens it again
/// reads it anew.
struct EndOnPanic<'m>(&'m Mailbox);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}
