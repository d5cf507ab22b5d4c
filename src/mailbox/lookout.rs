//! When a mailbox is looked at: after events, before answers, and from time to time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::mailbox::disk::Disk;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::{Mailbox, Watching, lock};
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::watch::{self, Inbox};
use crate::spool::folder::{Stamp, Sub};
use crate::spool::scan::is_settled;

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
    /// before SELECT, STATUS, NOOP, CHECK and the end of every command that may tell news; costs three
    /// stat calls when nothing has changed. `Fault::Ended` if the directory was removed.
    pub async fn refresh(self: &Arc<Self>) -> Result<(), Fault> {
        let disk = self.enter_queue().await?;
        let mailbox = Arc::clone(self);
        let due = blocking("looking at a mailbox", move || mailbox.is_look_due(&disk)).await??;
        if due { self.look_now().await } else { Ok(()) }
    }

    fn is_look_due(&self, disk: &Disk) -> Result<bool, Fault> {
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
        if disk.rescan || !self.inbox.is_empty() {
            return Ok(true);
        }
        let stamps = disk.stamps().map_err(doing)?;
        let Some(seen) = disk.seen.filter(|seen| *seen == stamps) else {
            return Ok(true);
        };
        // Two changes within a clock tick leave the same time; events would have told the second.
        let hides = |stamp: &Stamp| disk.seen_at.is_none_or(|at| !is_settled(stamp, at));
        Ok(!self.is_watched() && seen.iter().any(hides))
    }

    pub(super) async fn look_now(self: &Arc<Self>) -> Result<(), Fault> {
        let disk = self.enter_queue().await?;
        let (mailbox, watched) = (Arc::clone(self), self.is_watched());
        let news = blocking("looking at a mailbox", move || {
            let mut news = mailbox.inbox.take();
            let snapshot = mailbox.snapshot();
            news.events.retain(|event| !disk.is_echo(event, &snapshot));
            let stamps = disk.stamps().ok();
            if stamps != disk.seen {
                // Without events names cannot tell: a directory that has changed is listed.
                let cur_moved = disk
                    .seen
                    .zip(stamps)
                    .is_none_or(|([_, was], [_, is])| was != is);
                news.rescan |= cur_moved && news.events.is_empty();
            } else if watched && news.is_empty() && !disk.rescan && !mailbox.has_waiting(&snapshot)
            {
                return None;
            }
            news.rescan |= !watched;
            Some(news)
        })
        .await?;
        let Some(news) = news else { return Ok(()) };
        let mailbox = Arc::clone(self);
        let looked = self
            .look(move |turn| turn.look(&news, mailbox.has_writers()))
            .await;
        if looked.is_err() {
            // The events are used up: only the directories can tell now.
            self.inbox.note_rescan();
        }
        looked
    }

    /// Whether something in `new/` could be taken over.
    fn has_waiting(&self, snapshot: &Snapshot) -> bool {
        self.has_writers()
            && self.folder().is_writable()
            && snapshot.iter().any(|message| message.sub == Sub::New)
    }

    pub(super) async fn begin_watching(self: &Arc<Self>) -> Result<(), Fault> {
        if !matches!(*lock(&self.watching), Watching::NotYet) {
            return Ok(());
        }
        let mailbox = Arc::clone(self);
        let begun = blocking("watching a mailbox", move || {
            let mut watching = lock(&mailbox.watching);
            if !matches!(*watching, Watching::NotYet) {
                return false;
            }
            *watching = match watch::subscribe(mailbox.folder(), &mailbox.inbox) {
                Some(subscription) => Watching::Events(subscription),
                None => Watching::Polling,
            };
            true
        })
        .await?;
        if begun {
            tokio::spawn(look_out(Arc::downgrade(self), Arc::clone(&self.inbox)));
        }
        Ok(())
    }

    fn is_watched(&self) -> bool {
        matches!(*lock(&self.watching), Watching::Events(_))
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
                mailbox.disk.try_lock().is_ok_and(|disk| disk.rescan),
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
        let busy = inbox.len() > BURST;
        let result = if called {
            mailbox.look_now().await
        } else {
            mailbox.refresh().await
        };
        match result {
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
