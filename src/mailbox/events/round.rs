//! Who finds out what happens in an account: one task, woken by the kernel, for as long as anybody listens.
//!
//! A mailbox that is not open is opened when something has happened there, and from then on heard of like one that is
//! selected; when nobody has used it for a while it is closed as any other, and a rename or a delivery opens it again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::imap::name::MailboxName;
use crate::mailbox::events::look::{look, look_and_log};
use crate::mailbox::events::names::Names;
use crate::mailbox::events::{Events, MAILBOXES, NameChange, NameKind, Post, Ticks};
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::user::User;
use crate::mailbox::watch::{self, Ear, Kind, Spot, Subscription};
use crate::spool::folder::Sub;
use crate::spool::subscriptions;
use crate::spool::tree::Tree;

/// How often what cannot be watched is looked at.
const POLL: Duration = Duration::from_secs(30);

/// Mailboxes looked at for the first time at once.
const AT_ONCE: usize = 4;

/// Who removes files may be removing the whole mailbox: it is not opened in the midst of that.
const REMOVAL: Duration = Duration::from_millis(50);

/// How long what seems to be vanishing, or could not be looked at, rests before the next look.
const REST: Duration = Duration::from_secs(1);

/// What has happened since the task looked last.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<Rung>,
    call: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Rung {
    /// Posts at which something has happened.
    pub posts: BTreeSet<u64>,
    /// Posts at which something was removed.
    removals: BTreeSet<u64>,
    /// Posts that could not be looked at.
    pub put_off: BTreeSet<u64>,
    /// Mailboxes, subscriptions or listeners may be others.
    names: bool,
}

impl Bell {
    pub fn ring_names(&self) {
        self.ring(|rung| rung.names = true);
    }

    pub fn ring(&self, note: impl FnOnce(&mut Rung)) {
        note(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner));
        self.call.notify_one();
    }

    fn take(&self) -> Rung {
        std::mem::take(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Hears what happens in a mailbox.
#[derive(Debug)]
pub(super) struct PostEar {
    pub number: u64,
    pub bell: Arc<Bell>,
}

impl Ear for PostEar {
    fn hear(&self, _: Sub, _: &[u8], kind: Kind) {
        self.bell.ring(|rung| {
            match kind {
                Kind::Appeared | Kind::Left => rung.posts.insert(self.number),
                Kind::Deleted => rung.removals.insert(self.number),
            };
        });
    }

    fn hear_loss(&self) {
        self.bell.ring(|rung| {
            rung.removals.insert(self.number);
        });
    }
}

/// Hears what happens in the directories that hold mailboxes.
#[derive(Debug)]
struct NamesEar {
    tree: Arc<Tree>,
    bell: Arc<Bell>,
}

impl Ear for NamesEar {
    fn hear(&self, _: Sub, name: &[u8], _: Kind) {
        if name == subscriptions::NAME.as_bytes() || self.tree.is_of_names(name) {
            self.bell.ring_names();
        }
    }

    fn hear_loss(&self) {
        self.bell.ring_names();
    }
}

/// Has the task run.
pub(super) fn begin(user: &Arc<User>) {
    let runs = std::mem::replace(&mut user.events.state().runs, true);
    if !runs {
        let bell = Arc::clone(&user.events.bell);
        tokio::spawn(go_round(Arc::downgrade(user), bell));
    }
}

async fn go_round(user: Weak<User>, bell: Arc<Bell>) {
    let mut looks = JoinSet::new();
    let mut later: BTreeMap<u64, Instant> = BTreeMap::new();
    let mut poll_at = Instant::now() + POLL;
    let mut watch: Option<Subscription> = None;
    let mut stale = true;
    loop {
        if stale {
            let Some(user) = user.upgrade() else { return };
            // The one before goes afterwards: what both watch is watched all the time.
            watch = watch_names(&user).await;
            // What happened before the watch began is not told by it.
            settle_and_log(&user).await;
            stale = false;
        }
        let next = later
            .values()
            .min()
            .copied()
            .unwrap_or(poll_at)
            .min(poll_at);
        tokio::select! {
            () = bell.call.notified() => {}
            () = sleep_until(next) => {}
            // A look that panicked has ended its mailbox; the next one meets it anew.
            Some(_) = looks.join_next() => {}
        }
        let Some(user) = user.upgrade() else { return };
        let rung = bell.take();
        let now = Instant::now();
        if rung.names {
            if user.events.end_if_alone() {
                return;
            }
            settle_and_log(&user).await;
            // In the fs layout each mailbox's directory may hold others.
            stale = user.separator() == '/';
        }
        later.extend(
            rung.removals
                .into_iter()
                .map(|number| (number, now + REMOVAL)),
        );
        let mut due = rung.posts;
        due.extend(
            later
                .extract_if(.., |_, at| *at <= now)
                .map(|(number, _)| number),
        );
        if now >= poll_at {
            poll_at = now + POLL;
            due.extend(user.events.unwatched());
            if watch.is_none() {
                settle_and_log(&user).await;
            }
        }
        for number in due {
            if user.events.begins_look(number) {
                let user = Arc::clone(&user);
                looks.spawn(async move { look_and_log(&user, number).await });
            }
        }
        for number in rung.put_off {
            later.entry(number).or_insert(now + REST);
        }
    }
}

/// Watches the directories that hold mailboxes, and subscriptions.
async fn watch_names(user: &Arc<User>) -> Option<Subscription> {
    let (tree, bell) = (Arc::clone(&user.tree), Arc::clone(&user.events.bell));
    let watched = blocking("watching an account", move || {
        let places = tree.places().ok()?;
        let spots = places.into_iter().map(|place| Spot {
            place,
            path: None,
            sub: Sub::Cur,
        });
        watch::attend(spots, Arc::new(NamesEar { tree, bell }))
    });
    watched.await.ok().flatten()
}

async fn settle_and_log(user: &Arc<User>) {
    if let Err(fault) = user.settle().await {
        tracing::warn!(%fault, "mailboxes cannot be looked at for NOTIFY");
    }
    user.events.announce();
}

impl Events {
    /// Forgets everything, if nobody listens any more.
    fn end_if_alone(&self) -> bool {
        let mut state = self.state();
        if !state.listeners.is_empty() {
            return false;
        }
        state.runs = false;
        state.names = None;
        state.inbox_to.clear();
        let over = std::mem::take(&mut state.posts);
        drop(state);
        // Ending a watch takes a word with notify's thread.
        crate::blocking::spawn(move || drop(over));
        true
    }

    /// Posts that have to be looked at from time to time.
    fn unwatched(&self) -> Vec<u64> {
        let state = self.state();
        let posts = state.posts.iter();
        let unwatched = posts.filter(|(_, post)| post.watch.is_none());
        unwatched.map(|(number, _)| *number).collect()
    }

    /// Whether a look at a post is to begin: not while another goes on, nor where one is due anyway.
    fn begins_look(&self, number: u64) -> bool {
        let mut state = self.state();
        let Some(post) = state.posts.get_mut(&number) else {
            return false;
        };
        let followed = post.followed.upgrade();
        if followed.is_some_and(|mailbox| mailbox.is_watched() && !mailbox.has_ended()) {
            return false;
        }
        post.again = post.looking;
        !std::mem::replace(&mut post.looking, true)
    }
}

impl User {
    /// Compares the account's names with what they were, and sets up what is to be watched now. False: that is too
    /// much.
    pub(super) async fn settle(self: &Arc<Self>) -> Result<bool, Fault> {
        let events = &self.events;
        let _settling = events.settling.lock().await;
        let names = Names::read(self).await?;
        let separator = self.separator();
        let (new, dropped, fits) = {
            let mut state = events.state();
            let (mut dropped, mut came) = (Vec::new(), HashSet::new());
            if let Some(before) = &state.names {
                let difference = names.since(before, separator);
                let is_new = |change: &&NameChange| change.kind == NameKind::Came;
                let new = difference.changes.iter().filter(is_new);
                came = new.map(|change| change.folder.name.clone()).collect();
                for mut change in difference.changes {
                    let is_new = change.kind == NameKind::Came && change.folder.selectable;
                    if is_new && state.inbox_to.remove(&change.folder.name) {
                        change.kind = NameKind::Renamed(MailboxName::inbox());
                    }
                    state.log(change);
                }
                for (old, new) in difference.renamed {
                    if let Some(post) = state.post(&old) {
                        post.name = new;
                    }
                }
                for name in difference.gone {
                    let number = state.posts.iter().find(|(_, post)| post.name == name);
                    if let Some(number) = number.map(|(number, _)| *number) {
                        dropped.extend(state.posts.remove(&number));
                    }
                }
            }
            state.names = Some(names);
            let wanted = state.wanted(separator);
            let fits = wanted.len() <= MAILBOXES;
            let unwanted = |post: &Post| !fits || !wanted.contains(&post.name);
            let over = state.posts.extract_if(.., |_, post| unwanted(post));
            dropped.extend(over.map(|(_, post)| post));
            let known: BTreeSet<_> = state.posts.values().map(|post| post.name.clone()).collect();
            let missing = wanted
                .into_iter()
                .filter(|name| fits && !known.contains(name));
            let mut new = Vec::new();
            for name in missing {
                let number = state.number();
                new.push(number);
                let post = Post {
                    fresh: came.contains(&name),
                    name,
                    counts: None,
                    ticks: Ticks::default(),
                    watch: None,
                    followed: Weak::new(),
                    looking: false,
                    again: false,
                };
                state.posts.insert(number, post);
            }
            (new, dropped, fits)
        };
        // Ending a watch takes a word with notify's thread.
        if !dropped.is_empty() {
            blocking("ending a watch", move || drop(dropped)).await?;
        }
        let mut looks = JoinSet::new();
        for number in new {
            if looks.len() >= AT_ONCE {
                looks.join_next().await;
            }
            let user = Arc::clone(self);
            looks.spawn(async move {
                if let Err(fault) = look(&user, number, false).await {
                    tracing::debug!(%fault, "a first look for NOTIFY failed");
                    user.events.put_off(number);
                }
            });
        }
        while looks.join_next().await.is_some() {}
        Ok(fits)
    }
}
