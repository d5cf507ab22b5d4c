//! What has been written and is not yet safe: fsyncs shared by all who wait for one.
//!
//! A change notes what it left to be synced; whoever has to answer a client waits in [`Durability::flush`].
//! One at a time syncs for all that has been noted so far, the others find theirs done. After a failed
//! fsync the kernel may drop the pages and report success next time, so everybody whose data was in
//! the failed batch is told so; nobody tries again and says OK.

use std::fs::File;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::imap::sequence::Uid;
use crate::mailbox::fault::{Fault, blocking};
use crate::spool::folder::{Folder, Sub};

/// Things to be synced.
#[derive(Debug, Default)]
struct Pending {
    uidlist: Option<Arc<File>>,
    extras: Option<Arc<File>>,
    new: bool,
    cur: bool,
    /// The highest UID that `uidlist` holds.
    uid: u32,
}

#[derive(Debug, Default)]
struct State {
    pending: Pending,
    /// Counts what has been noted.
    noted: u64,
    /// Up to here everything is safe, but for what failed.
    done: u64,
    /// Where batches failed: after the first number, up to the second.
    failed: Option<(u64, u64)>,
    /// The uidlist's pages may have been dropped by a failed fsync.
    doubt: bool,
}

/// What of a mailbox is on disk for good.
#[derive(Debug)]
pub(super) struct Durability {
    folder: Arc<Folder>,
    state: Mutex<State>,
    /// Every UID up to this one may be spoken.
    safe_uid: AtomicU32,
    gate: Arc<tokio::sync::Mutex<()>>,
}

impl Durability {
    pub fn new(folder: Arc<Folder>) -> Durability {
        Durability {
            folder,
            state: Mutex::default(),
            safe_uid: AtomicU32::new(0),
            gate: Arc::default(),
        }
    }

    /// Records were appended to the uidlist, the last with this UID.
    pub fn note_uids(&self, file: File, last: Uid) {
        self.note(|pending| {
            pending.uidlist = Some(Arc::new(file));
            pending.uid = pending.uid.max(last.get());
        });
    }

    /// Lines were appended to `culver.keywords`.
    pub fn note_extras(&self, file: Option<Arc<File>>) {
        self.note(|pending| pending.extras = file);
    }

    /// Names in a directory were changed.
    pub fn note_names(&self, sub: Sub) {
        self.note(|pending| match sub {
            Sub::New => pending.new = true,
            Sub::Cur => pending.cur = true,
        });
    }

    /// The uidlist was read from, or wholly written and synced to, the disk with UIDs up to this one.
    pub fn note_safe(&self, last: u32) {
        self.safe_uid.fetch_max(last, Ordering::AcqRel);
    }

    fn note(&self, change: impl FnOnce(&mut Pending)) {
        let mut state = self.lock();
        change(&mut state.pending);
        state.noted += 1;
    }

    /// Whether a UID may be spoken without waiting.
    pub fn is_safe(&self, uid: Uid) -> bool {
        uid.get() <= self.safe_uid.load(Ordering::Acquire)
    }

    /// Waits until everything noted before is on disk.
    pub async fn flush(self: &Arc<Self>) -> Result<(), Fault> {
        let wanted = self.lock().noted;
        if let Some(verdict) = self.lock().verdict(wanted) {
            return verdict;
        }
        let gate = Arc::clone(&self.gate).lock_owned().await;
        let all = Arc::clone(self);
        blocking("syncing the mailbox", move || {
            // The gate goes with the job: if nobody waits for it any more, it comes to its end all the same.
            let _gate = gate;
            all.sync_up_to(wanted)
        })
        .await?
    }

    fn sync_up_to(&self, wanted: u64) -> Result<(), Fault> {
        let (batch, from, to) = {
            let mut state = self.lock();
            if let Some(verdict) = state.verdict(wanted) {
                return verdict;
            }
            (std::mem::take(&mut state.pending), state.done, state.noted)
        };
        let result = batch.sync(&self.folder);
        let mut state = self.lock();
        state.done = state.done.max(to);
        match result {
            Ok(()) => {
                self.note_safe(batch.uid);
                Ok(())
            }
            Err(error) => {
                state.fail(from, to);
                let doing = format!("syncing {}", self.folder.path().display());
                Err(Fault::from_io(doing, error))
            }
        }
    }

    /// Notes that a sync has failed that was not this one's: nothing noted so far counts as safe.
    pub fn note_failed(&self) {
        let mut state = self.lock();
        state.pending = Pending::default();
        let (from, to) = (state.done, state.noted);
        state.fail(from, to);
        state.done = to;
    }

    /// Notes that directories and the uidlist, whose last record has this UID, were synced by another than
    /// [`Durability::flush`], and nobody has changed them since: that need not be done again. To be called in the turn
    /// that did it.
    pub fn note_synced(&self, subs: &[Sub], last: Option<Uid>) {
        let mut state = self.lock();
        if state.doubt {
            return;
        }
        state.pending.new &= !subs.contains(&Sub::New);
        state.pending.cur &= !subs.contains(&Sub::Cur);
        if let Some(last) = last.map(Uid::get)
            && state.pending.uid <= last
        {
            state.pending.uidlist = None;
            self.note_safe(last);
        }
    }

    /// Whether the uidlist must be written as a new file because a sync failed.
    pub fn has_doubt(&self) -> bool {
        self.lock().doubt
    }

    /// Asks so once.
    pub fn take_doubt(&self) -> bool {
        std::mem::take(&mut self.lock().doubt)
    }

    /// No UID is safe any more, as after a start of the machine that forgets all.
    #[cfg(test)]
    pub fn forget_safe(&self) {
        self.safe_uid.store(0, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A batch has failed: what was noted after the first number, up to the second.
    fn fail(&mut self, from: u64, to: u64) {
        // One who comes late to an earlier failure must hear of that, too.
        let first = self.failed.map_or(from, |(first, _)| first);
        self.failed = Some((first, to));
        self.doubt = true;
    }

    /// What has become of things noted up to `wanted`; `None` if they have not been synced yet.
    fn verdict(&self, wanted: u64) -> Option<Result<(), Fault>> {
        (self.done >= wanted).then(|| match self.failed {
            Some((from, to)) if from < wanted && wanted <= to => Err(Fault::Io(
                "syncing the mailbox".into(),
                Arc::new(std::io::Error::other("an earlier sync failed")),
            )),
            _ => Ok(()),
        })
    }
}

impl Pending {
    fn sync(&self, folder: &Folder) -> std::io::Result<()> {
        // First: lines about a file that is not there are harmless, a file without its keywords is not.
        if let Some(file) = &self.extras {
            file.sync_data()?;
        }
        if self.cur {
            folder.sync(Sub::Cur)?;
        }
        if self.new {
            folder.sync(Sub::New)?;
        }
        // Last: a record whose file is not there is harmless, a spoken UID without its record is not.
        match &self.uidlist {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }
}
