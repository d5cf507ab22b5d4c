//! A session that listens: what it is told of what has happened in the account, each thing once.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::imap::name::MailboxName;
use crate::imap::sequence::NumberSet;
use crate::mailbox::events::scope::{Scope, Wants};
use crate::mailbox::events::{Counts, NameChange, NameKind, Post, State, Tick, look, round};
use crate::mailbox::fault::Fault;
use crate::mailbox::user::User;

/// A session that listens. Dropping it ends that.
pub struct Attendance {
    user: Arc<User>,
    number: u64,
    scope: Arc<Scope>,
    /// Up to which the client has been told.
    told: Tick,
    /// The same for mailboxes in which it did something itself, where that is later.
    own: HashMap<MailboxName, Tick>,
    ticks: watch::Receiver<Tick>,
}

/// What of a mailbox has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which mailbox.
    pub name: MailboxName,
    /// What of it is wanted.
    pub wants: Wants,
    /// Its numbers now.
    pub counts: Counts,
    /// Messages came or went.
    pub messages: bool,
    /// Flags were changed.
    pub flags: bool,
    /// UNSEEN is another.
    pub unseen: bool,
    /// UIDVALIDITY is another.
    pub validity: bool,
}

/// What a session has to tell.
#[derive(Debug, Default)]
pub struct Heard {
    /// Of names, in order.
    pub names: Vec<Arc<NameChange>>,
    /// Of messages.
    pub mailboxes: Vec<Changed>,
    /// Something was lost: it is behind too far.
    pub overflow: bool,
}

/// There are too many mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl User {
    /// Begins to listen. Every mailbox that is wanted has been looked at then: what happens after is news.
    pub async fn attend(
        self: &Arc<Self>,
        scope: Scope,
    ) -> Result<Result<Attendance, Overflow>, Fault> {
        let scope = Arc::new(scope);
        let number = {
            let mut state = self.events.state();
            let number = state.number();
            // Sessions of one user often want the same.
            let same = state.listeners.values().find(|other| **other == scope);
            let scope = Arc::clone(same.unwrap_or(&scope));
            state.listeners.insert(number, scope);
            number
        };
        let mut attendance = Attendance {
            user: Arc::clone(self),
            number,
            scope: self
                .events
                .state()
                .listeners
                .get(&number)
                .cloned()
                .unwrap_or(scope),
            told: 0,
            own: HashMap::new(),
            ticks: self.events.ticks.subscribe(),
        };
        round::begin(self);
        if !self.settle().await? {
            return Ok(Err(Overflow));
        }
        attendance.told = self.events.state().tick;
        Ok(Ok(attendance))
    }
}

impl Attendance {
    /// What is wanted.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What is wanted of a mailbox.
    pub fn wants(&self, name: &MailboxName) -> Wants {
        let subscribed = self.user.events.state().is_subscribed(name);
        self.scope.wants(name, subscribed, self.user.separator())
    }

    /// Resolves when something may have happened. May be cancelled.
    pub async fn hears(&mut self) {
        if self.ticks.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// The numbers of all mailboxes that are wanted but the `selected` one, as far as they are known.
    pub fn all(&self, selected: Option<(u64, u64)>) -> Vec<Changed> {
        let state = self.user.events.state();
        let posts = state.posts.values();
        let others = posts.filter(|post| !state.is(post, selected));
        let mut all: Vec<Changed> = others
            .filter_map(|post| self.changed(&state, post, None))
            .collect();
        drop(state);
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What has happened since the last time, but for messages in the `selected` mailbox.
    pub fn take(&mut self, selected: Option<(u64, u64)>) -> Heard {
        self.ticks.borrow_and_update();
        let state = self.user.events.state();
        if state.tick == self.told {
            return Heard::default();
        }
        let any = self.scope.wants_of_any();
        let overflow = (any.names || any.subscriptions) && state.lost > self.told;
        let log = state.log.iter().filter(|(tick, _)| *tick > self.told);
        let names = log
            .filter(|(_, change)| self.hears_of(change))
            .map(|(_, change)| Arc::clone(change))
            .collect();
        let mailboxes = state.posts.values().filter_map(|post| {
            if state.is(post, selected) {
                return None;
            }
            let told = self.own.get(&post.name).copied().unwrap_or_default();
            self.changed(&state, post, Some(told.max(self.told)))
        });
        let mailboxes = mailboxes.collect();
        self.told = state.tick;
        drop(state);
        self.own.clear();
        Heard {
            names,
            mailboxes,
            overflow,
        }
    }

    fn changed(&self, state: &State, post: &Post, told: Option<Tick>) -> Option<Changed> {
        let counts = post.counts?;
        let subscribed = state.is_subscribed(&post.name);
        let wants = self
            .scope
            .wants(&post.name, subscribed, self.user.separator());
        let is_new = |tick: Tick| told.is_none_or(|told| tick > told);
        let changed = Changed {
            name: post.name.clone(),
            wants,
            counts,
            messages: wants.messages && is_new(post.ticks.messages),
            flags: wants.flags && is_new(post.ticks.flags),
            unseen: is_new(post.ticks.unseen),
            validity: (wants.flags || wants.messages) && is_new(post.ticks.validity),
        };
        (changed.messages || changed.flags || changed.validity).then_some(changed)
    }

    /// Whether the client wants to hear of it: of a name that is another now by either of them.
    fn hears_of(&self, change: &NameChange) -> bool {
        let separator = self.user.separator();
        let wants = |name| self.scope.wants(name, change.subscribed, separator);
        let name = &change.folder.name;
        match &change.kind {
            NameKind::Came => wants(name).names,
            NameKind::Renamed(old) => wants(name).names || wants(old).names,
            // One that is subscribed no more was so before.
            NameKind::Subscribed => self.scope.wants(name, true, separator).subscriptions,
        }
    }

    /// What is known of a mailbox, if the client knows that too.
    pub fn known(&self, name: &MailboxName) -> Option<Counts> {
        let mut state = self.user.events.state();
        let told = self.own.get(name).copied().unwrap_or_default();
        let told = told.max(self.told);
        let post = state.post(name)?;
        let ticks = post.ticks;
        let last = [ticks.messages, ticks.flags, ticks.validity];
        post.counts
            .filter(|_| last.into_iter().all(|tick| tick <= told))
    }

    /// The client has made these messages in a mailbox of which it knew this: no news, unless others have done
    /// something there too.
    pub async fn did(&mut self, name: &MailboxName, known: Option<Counts>, made: &NumberSet) {
        let is_it = |post: &Post| post.name == *name;
        let (Some(known), Some(number)) = (known, self.user.events.state().number_of(is_it)) else {
            return;
        };
        look::look_now(&self.user, number).await;
        let state = self.user.events.state();
        let Some(now) = state.posts.get(&number).and_then(|post| post.counts) else {
            return;
        };
        let count = made.len();
        let uids = u64::from(now.uid_next.get() - known.uid_next.get().min(now.uid_next.get()));
        if now.uid_validity == known.uid_validity
            && uids == count
            && now.messages as u64 == known.messages as u64 + count
        {
            self.own.insert(name.clone(), state.tick);
        }
    }

    /// The client had this mailbox selected: what happened there until now is no news.
    pub async fn leave(&mut self, identity: (u64, u64)) {
        let found = {
            let state = self.user.events.state();
            let number = state.number_of(|post| state.is(post, Some(identity)));
            number.and_then(|number| Some((number, state.posts.get(&number)?.name.clone())))
        };
        let Some((number, name)) = found else { return };
        look::look_now(&self.user, number).await;
        self.own.insert(name, self.user.events.state().tick);
    }

    /// Finds out what has happened to names up to now.
    pub async fn look_at_names(&self) -> Result<(), Fault> {
        self.user.settle().await.map(drop)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let events = &self.user.events;
        events.state().listeners.remove(&self.number);
        events.bell.ring_names();
    }
}
