//! What happens in all the mailboxes of an account, for sessions under NOTIFY (RFC 5465). Not what happens in the
//! mailbox that a session has selected: that is in its [view](crate::mailbox::view).
//!
//! One watch for all sessions of the account: of each mailbox that any of them wants to hear of there is a [`Post`],
//! which is a few numbers and an inotify watch. No list of messages is kept for it; a mailbox is opened when something
//! has happened there, and let go again. All that happens gets a tick. A session knows the tick up to which it has
//! told its client, so nothing is queued for it: a slow client hears of the last state alone.
//!
//! Who finds out what has happened is in [`round`], by a [`look`]; which names there are in [`names`]; who is told of it
//! in [`attendance`].

pub mod attendance;
mod look;
mod names;
mod round;
pub mod scope;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use crate::imap::name::MailboxName;
use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::mailbox::events::names::Names;
use crate::mailbox::events::round::Bell;
use crate::mailbox::events::scope::Scope;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::user::Folder;
use crate::mailbox::watch::Subscription;

/// Most mailboxes of an account that are under NOTIFY: each takes two watches of the kernel, and about 1 KiB.
pub const MAILBOXES: usize = 4096;

/// So many changes of names and subscriptions a session can be behind.
const KEPT: usize = 256;

/// When something happened, counted from 1.
type Tick = u64;

/// The numbers of a mailbox that STATUS tells under NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UIDNEXT; it may be spoken.
    pub uid_next: Uid,
    /// MESSAGES
    pub messages: usize,
    /// UNSEEN
    pub unseen: usize,
    /// HIGHESTMODSEQ; 0 if the mailbox keeps none.
    pub modseq: ModSeq,
}

impl Counts {
    fn of(snapshot: &Snapshot) -> Counts {
        Counts {
            uid_validity: snapshot.uid_validity,
            uid_next: snapshot.uid_next,
            messages: snapshot.len(),
            unseen: snapshot.unseen(),
            modseq: match snapshot.keeps_modseqs() {
                true => snapshot.modseq,
                false => ModSeq::default(),
            },
        }
    }
}

/// When a kind of thing happened last in a mailbox; 0 for never.
#[derive(Clone, Copy, Debug, Default)]
struct Ticks {
    messages: Tick,
    flags: Tick,
    unseen: Tick,
    validity: Tick,
}

/// A mailbox that somebody wants to hear of.
struct Post {
    name: MailboxName,
    /// `None`: not looked at yet.
    counts: Option<Counts>,
    /// It was made while others were listening: what is in it is news.
    fresh: bool,
    ticks: Ticks,
    /// `None` where it cannot be watched: it is looked at from time to time.
    watch: Option<Subscription>,
    /// It is open, and what it publishes is noted.
    followed: Weak<Mailbox>,
    looking: bool,
    /// Something has happened since a look at it began.
    again: bool,
}

/// What has happened to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameChange {
    /// What there is of it now.
    pub folder: Folder,
    /// Whether it is subscribed now.
    pub subscribed: bool,
    /// What.
    pub kind: NameKind,
}

/// The kinds of [`NameChange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// It was made or removed, or is the parent of one that was.
    Came,
    /// It was called this.
    Renamed(MailboxName),
    /// It was subscribed or unsubscribed.
    Subscribed,
}

#[derive(Default)]
struct State {
    tick: Tick,
    /// The task of [`round`] runs.
    runs: bool,
    last_number: u64,
    listeners: HashMap<u64, Arc<Scope>>,
    /// `None` before anybody listens.
    names: Option<Names>,
    posts: BTreeMap<u64, Post>,
    /// What INBOX is being renamed to, until that has been seen.
    inbox_to: HashSet<MailboxName>,
    log: VecDeque<(Tick, Arc<NameChange>)>,
    /// Of the last change that the log has lost.
    lost: Tick,
}

impl State {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The next tick, at which something happens.
    fn tick(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    fn number_of(&self, is_it: impl Fn(&Post) -> bool) -> Option<u64> {
        let mut posts = self.posts.iter();
        posts
            .find(|(_, post)| is_it(post))
            .map(|(number, _)| *number)
    }

    /// Whether a post is that of this mailbox.
    fn is(&self, post: &Post, selected: Option<(u64, u64)>) -> bool {
        selected.is_some() && self.identity(&post.name) == selected
    }

    fn post(&mut self, name: &MailboxName) -> Option<&mut Post> {
        self.posts.values_mut().find(|post| post.name == *name)
    }

    fn is_subscribed(&self, name: &MailboxName) -> bool {
        let subscribed = |names: &Names| names.subscribed.contains(name);
        self.names.as_ref().is_some_and(subscribed)
    }

    fn log(&mut self, change: NameChange) {
        let tick = self.tick();
        self.log.push_back((tick, Arc::new(change)));
        if self.log.len() > KEPT
            && let Some((lost, _)) = self.log.pop_front()
        {
            self.lost = lost;
        }
    }

    /// Takes over what a mailbox is now. Gives whether that is news.
    fn note(&mut self, number: u64, snapshot: &Snapshot) -> bool {
        let now = Counts::of(snapshot);
        let next = self.tick + 1;
        let Some(post) = self.posts.get_mut(&number) else {
            return false;
        };
        let Some(was) = post.counts.replace(now) else {
            let news = post.fresh && now.messages > 0;
            if news {
                (post.ticks.messages, post.ticks.unseen) = (next, next);
                self.tick = next;
            }
            return news;
        };
        if was == now {
            return false;
        }
        let mut ticks = post.ticks;
        if was.uid_validity != now.uid_validity {
            (ticks.validity, ticks.messages, ticks.flags) = (next, next, next);
        }
        let new = snapshot.len().saturating_sub(snapshot.rank(was.uid_next));
        if was.uid_next != now.uid_next || was.messages + new != now.messages {
            ticks.messages = next;
        }
        if was.unseen != now.unseen {
            ticks.unseen = next;
        }
        let older = snapshot
            .iter()
            .take_while(|message| message.uid < was.uid_next);
        let changed = now.modseq > was.modseq && { older }
            .any(|message| message.modseq > was.modseq)
            || was.unseen != now.unseen && ticks.messages != next;
        if changed {
            ticks.flags = next;
        }
        post.ticks = ticks;
        self.tick = next;
        true
    }
}

/// What there is of it in a [`User`].
pub(super) struct Events {
    state: Mutex<State>,
    /// The last tick, for who waits.
    ticks: watch::Sender<Tick>,
    bell: Arc<Bell>,
    /// Held while the names are looked at, and new posts set up.
    settling: tokio::sync::Mutex<()>,
}

impl Default for Events {
    fn default() -> Events {
        Events {
            state: Mutex::default(),
            ticks: watch::Sender::new(0),
            bell: Arc::default(),
            settling: tokio::sync::Mutex::default(),
        }
    }
}

impl Events {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// INBOX is about to be renamed to this, which only the session that does it knows: INBOX keeps its directory.
    pub(super) fn note_inbox_to(&self, name: &MailboxName) {
        let mut state = self.state();
        if state.names.is_some() {
            state.inbox_to.insert(name.clone());
        }
    }

    /// It was not, after all.
    pub(super) fn forget_inbox_to(&self, name: &MailboxName) {
        self.state().inbox_to.remove(name);
    }

    /// Wakes who waits, if anything has happened.
    fn announce(&self) {
        let tick = self.state().tick;
        self.ticks.send_if_modified(|told| {
            let news = *told < tick;
            *told = tick.max(*told);
            news
        });
    }
}

impl State {
    /// Device and inode of the mailbox that is called this.
    fn identity(&self, name: &MailboxName) -> Option<(u64, u64)> {
        self.names.as_ref()?.identities.get(name).copied()
    }

    /// The mailboxes that anybody wants to hear of messages in.
    fn wanted(&self, separator: char) -> HashSet<MailboxName> {
        let Some(names) = &self.names else {
            return HashSet::new();
        };
        // Many want the same.
        let mut scopes: Vec<&Arc<Scope>> = Vec::new();
        for scope in self.listeners.values() {
            if !scopes.iter().any(|other| Arc::ptr_eq(other, scope)) {
                scopes.push(scope);
            }
        }
        let is_wanted = |folder: &&Folder| {
            let subscribed = names.subscribed.contains(&folder.name);
            scopes.iter().any(|scope| {
                let wants = scope.wants(&folder.name, subscribed, separator);
                wants.messages || wants.flags
            })
        };
        let folders = names.folders.iter().filter(|folder| folder.selectable);
        folders
            .filter(is_wanted)
            .map(|folder| folder.name.clone())
            .collect()
    }
}
