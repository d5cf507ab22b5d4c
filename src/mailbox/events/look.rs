//! A look at one mailbox, by which its numbers are found out, and what of it is heard from then on.

use std::sync::{Arc, Weak};

use tokio::sync::watch as states;

use crate::imap::name::MailboxName;
use crate::imap::sequence::Uid;
use crate::mailbox::events::Events;
use crate::mailbox::events::round::PostEar;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::user::User;
use crate::mailbox::watch::{self, Spot};
use crate::spool::folder::Sub;

/// A look that the task began.
pub(super) async fn look_and_log(user: &Arc<User>, number: u64) {
    let looked = look(user, number, true).await;
    let again = user.events.ends_look(number);
    match looked {
        Ok(true) => {}
        Ok(false) | Err(Fault::Ended | Fault::NonExistent(_)) => user.events.put_off(number),
        Err(fault) => {
            tracing::warn!(%fault, "a look for NOTIFY failed");
            user.events.put_off(number);
        }
    }
    if again {
        user.events.bell.ring(|rung| {
            rung.posts.insert(number);
        });
    }
}

/// Looks at a mailbox for a session that changed it itself.
pub(super) async fn look_now(user: &Arc<User>, number: u64) {
    if let Err(fault) = look(user, number, true).await {
        tracing::debug!(%fault, "a look for NOTIFY failed");
    }
}

/// Looks at a mailbox and notes what it is now. With `follows`, something has happened there, and it is heard of as
/// long as it is open. False: not now, for it seems to be vanishing.
pub(super) async fn look(user: &Arc<User>, number: u64, follows: bool) -> Result<bool, Fault> {
    let (name, followed, watched) = {
        let state = user.events.state();
        let Some(post) = state.posts.get(&number) else {
            return Ok(true);
        };
        (
            post.name.clone(),
            post.followed.upgrade(),
            post.watch.is_some(),
        )
    };
    if let Some(mailbox) = followed.filter(|mailbox| !mailbox.has_ended()) {
        mailbox.refresh().await?;
        note(user, number, &mailbox).await?;
        return Ok(true);
    }
    let was_open = user.is_open(&name).await;
    if watched && !was_open && is_vanishing(user, &name).await? {
        user.events.bell.ring_names();
        return Ok(false);
    }
    let mailbox = user.mailbox(&name).await?;
    if watched && !was_open {
        // It has just been looked at. Who listens need not wait for what follows.
        note(user, number, &mailbox).await?;
    }
    if follows {
        mailbox.begin_watching().await?;
    }
    if !watched {
        watch_post(user, number, &mailbox).await?;
    }
    mailbox.refresh().await?;
    note(user, number, &mailbox).await?;
    if follows && mailbox.is_watched() {
        let states = mailbox.changes();
        let is_new = {
            let mut state = user.events.state();
            let post = state.posts.get_mut(&number);
            post.is_some_and(|post| {
                let is_new = post
                    .followed
                    .upgrade()
                    .is_none_or(|other| !Arc::ptr_eq(&other, &mailbox));
                post.followed = Arc::downgrade(&mailbox);
                is_new
            })
        };
        if is_new {
            let (user, mailbox) = (Arc::downgrade(user), Arc::downgrade(&mailbox));
            tokio::spawn(follow(user, number, mailbox, states));
        }
        // Between the note and now it may have changed.
        note(user, number, &mailbox).await?;
    } else if !was_open {
        user.let_go(&name, mailbox).await;
    }
    Ok(true)
}

/// Notes what an open mailbox publishes, until it is closed.
async fn follow(
    user: Weak<User>,
    number: u64,
    mailbox: Weak<Mailbox>,
    mut states: states::Receiver<Arc<Snapshot>>,
) {
    while states.changed().await.is_ok() {
        states.mark_unchanged();
        let (Some(user), Some(mailbox)) = (user.upgrade(), mailbox.upgrade()) else {
            return;
        };
        if mailbox.has_ended() || !user.events.state().posts.contains_key(&number) {
            // It was removed, or its UIDs are others now: whichever, another look tells.
            user.events.bell.ring_names();
            user.events.bell.ring(|rung| {
                rung.posts.insert(number);
            });
            return;
        }
        if let Err(fault) = note(&user, number, &mailbox).await {
            tracing::warn!(%fault, "a look for NOTIFY failed");
        }
    }
}

/// Takes over what a mailbox is now. UIDNEXT is spoken only when the uidlist that holds it is on disk.
async fn note(user: &Arc<User>, number: u64, mailbox: &Arc<Mailbox>) -> Result<(), Fault> {
    loop {
        let snapshot = mailbox.snapshot();
        let last = Uid::new(snapshot.uid_next.get() - 1).unwrap_or(snapshot.uid_next);
        mailbox.durable(last).await?;
        let mut state = user.events.state();
        let now = mailbox.snapshot();
        if (now.uid_next, now.uid_validity) != (snapshot.uid_next, snapshot.uid_validity) {
            continue;
        }
        let news = state.note(number, &now);
        drop(state);
        if news {
            user.events.announce();
        }
        return Ok(());
    }
}

/// Whether `new/` or `cur/` of a mailbox that is not open is gone: opening it would make them again.
async fn is_vanishing(user: &Arc<User>, name: &MailboxName) -> Result<bool, Fault> {
    let (tree, name) = (Arc::clone(&user.tree), name.clone());
    blocking("looking at a mailbox", move || !tree.is_whole(&name)).await
}

/// Begins to watch a mailbox for NOTIFY.
async fn watch_post(user: &Arc<User>, number: u64, mailbox: &Arc<Mailbox>) -> Result<(), Fault> {
    let ear = Arc::new(PostEar {
        number,
        bell: Arc::clone(&user.events.bell),
    });
    let folder = Arc::clone(mailbox.folder());
    let watch = blocking("watching a mailbox", move || {
        let spots = [Sub::New, Sub::Cur].map(|sub| Spot {
            place: folder.place(sub),
            path: Some(folder.path_of(sub)),
            sub,
        });
        watch::attend(spots, ear)
    })
    .await?;
    if let Some(post) = user.events.state().posts.get_mut(&number) {
        post.watch = watch;
    }
    Ok(())
}

impl Events {
    /// Whether something has happened since the look began.
    fn ends_look(&self, number: u64) -> bool {
        let mut state = self.state();
        let Some(post) = state.posts.get_mut(&number) else {
            return false;
        };
        post.looking = false;
        std::mem::take(&mut post.again)
    }

    /// A post is to be looked at later.
    pub(super) fn put_off(&self, number: u64) {
        self.bell.ring(|rung| {
            rung.put_off.insert(number);
        });
    }
}
