//! When a mailbox is looked at: after events, before answers, and from time to time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::mailbox::disk::Disk;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::{Mailbox, Watching};
use crate::mailbox::watch::{self, Inbox};

/// How often a selected mailbox that cannot be watched is looked at.
const POLL: Duration = Duration::from_secs(2);

/// How long a doubt about a watched mailbox rests before it is looked at again; twice as long each time.
const DOUBT: Duration = Duration::from_millis(30);

/// How often a watched mailbox is looked at although nothing was told.
const CALM: Duration = Duration::from_secs(60);

/// A mailbox with more events than this at once is busy.
const BURST: usize = 64;

/// After one look at a busy mailbox, events are gathered this long before the next.
const GATHER: Duration = Duration::from_millis(20);

impl Mailbox {
    /// Brings the state up to date with the directories, as far as that is not known already. Called
    /// before SELECT, STATUS, NOOP, CHECK and the end of every command that may tell news; costs eight
    /// stat calls when nothing has changed. `Fault::Ended` if the directory was removed.
    pub async fn refresh(self: &Arc<Self>) -> Result<(), Fault> {
        self.bring_up_to_date(false).await
    }

    /// With `take_over` also when mail that came while nobody was there lies in `new/`.
    pub(super) async fn bring_up_to_date(self: &Arc<Self>, take_over: bool) -> Result<(), Fault> {
        let mut disk = self.enter_queue().await?;
        let mailbox = Arc::clone(self);
        let due = blocking("looking at a mailbox", move || {
            Ok(mailbox.is_look_due(&mut disk)?
                || take_over && mailbox.snapshot().in_new() > 0 && mailbox.folder().is_writable())
        })
        .await??;
        if !due {
            return Ok(());
        }
        let mailbox = Arc::clone(self);
        let wants_lock = self
            .glance(move |turn| turn.glance(&mailbox.inbox, mailbox.has_writers()))
            .await?;
        if wants_lock {
            let mailbox = Arc::clone(self);
            self.look(move |turn| turn.look(&mailbox.inbox, mailbox.has_writers()))
                .await?;
        }
        Ok(())
    }

    fn is_look_due(&self, disk: &mut Disk) -> Result<bool, Fault> {
        let doing = |error| {
            Fault::from_io(
                format!("looking at {}", self.folder().path().display()),
                error,
            )
        };
        if self.folder().is_removed().map_err(doing)? {
            self.end();
            return Err(Fault::Ended);
        }
        let stamps = disk.stamps().map_err(doing)?;
        disk.note_vanishing();
        let others = matches!(&*self.watching(), Watching::Events(held) if !held.covers(&stamps));
        if others {
            // One of the directories has been replaced.
            self.watch_now(disk);
        }
        let snapshot = self.snapshot();
        self.inbox.sift(|event| !disk.is_echo(event, &snapshot));
        Ok(disk.rescan
            || disk.seen != Some(stamps)
            || disk.new_listed != Some(stamps[0])
            || !self.inbox.is_empty()
            || self.durability().has_doubt()
            || disk.given.has_news(&disk.folder)
            || disk.owes_extras()
            || disk.owes_modseqs()
            || disk.rewrite && self.folder().is_writable())
    }

    /// Begins to watch, once somebody has selected it.
    pub(super) async fn begin_watching(self: &Arc<Self>) -> Result<(), Fault> {
        if !matches!(*self.watching(), Watching::NotYet) {
            return Ok(());
        }
        let mut disk = self.enter_queue().await?;
        let mailbox = Arc::clone(self);
        blocking("watching a mailbox", move || {
            if matches!(*mailbox.watching(), Watching::NotYet) {
                mailbox.watch_now(&mut disk);
                tokio::spawn(look_out(
                    Arc::downgrade(&mailbox),
                    Arc::clone(&mailbox.inbox),
                ));
            }
        })
        .await
    }

    /// Events come from now on. What has happened before they did, they cannot tell.
    pub(super) fn watch_now(&self, disk: &mut Disk) {
        // Dropped first, for it may share a directory with the next.
        drop(std::mem::take(&mut *self.watching()));
        let held = watch::subscribe(self.folder(), &self.inbox);
        *self.watching() = held.map_or(Watching::Polling, Watching::Events);
        if !disk.is_whole() {
            self.inbox.note_rescan();
        }
    }
}

/// Waits for news of a watched mailbox and acts on them, as long as anybody holds it.
async fn look_out(mailbox: Weak<Mailbox>, inbox: Arc<Inbox>) {
    let mut doubt = DOUBT;
    loop {
        let (watched, in_doubt) = match mailbox.upgrade() {
            None => return,
            Some(mailbox) if mailbox.has_ended() => return,
            Some(mailbox) => (
                mailbox.is_watched(),
                mailbox
                    .disk
                    .try_lock()
                    .map_or(true, |disk| disk.is_in_doubt()), // busy: nobody knows
            ),
        };
        let patience = match watched {
            false => POLL,
            true if in_doubt => doubt,
            true => CALM,
        };
        doubt = if in_doubt {
            (doubt * 2).min(POLL)
        } else {
            DOUBT
        };
        let called = tokio::time::timeout(patience, inbox.wait()).await.is_ok();
        let Some(mailbox) = mailbox.upgrade() else {
            return;
        };
        let busy = called && inbox.len() > BURST;
        match mailbox.refresh().await {
            Ok(()) => {}
            Err(Fault::Ended) => return,
            Err(fault) => {
                tracing::warn!(mailbox = %mailbox.folder().path().display(), %fault, "a look at it failed")
            }
        }
        // What was published names UIDs that a client will ask for next.
        if let Err(fault) = mailbox.settle_mail().await {
            tracing::error!(mailbox = %mailbox.folder().path().display(), %fault, "syncing failed");
        }
        drop(mailbox);
        if busy {
            tokio::time::sleep(GATHER).await;
        }
    }
}
