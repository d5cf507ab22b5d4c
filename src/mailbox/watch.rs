//! What other programs do in `new/` and `cur/`, told by the kernel: notify events → names.
//!
//! One inotify instance and one thread serve the whole process (an account may have 128 instances, a
//! mailbox needs two watches). The thread only sorts names into each mailbox's [`Inbox`] and rings its
//! bell; it touches no other state. A lost event or a full queue asks for a rescan, never for a guess.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use notify::event::{EventKindMask, ModifyKind, RenameMode};
use notify::{Config, EventKind, INotifyWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::spool::folder::{Folder, Place, Stamp, Sub};

/// Names kept for one mailbox before its directories are listed instead.
const INBOX_LIMIT: usize = 16_384;

/// Something that happened to one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// In which directory.
    pub sub: Sub,
    /// To which name.
    pub name: Vec<u8>,
    /// What.
    pub kind: Kind,
}

/// What happened to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Created, linked or renamed to.
    Appeared,
    /// Unlinked.
    Deleted,
    /// Renamed away, perhaps to elsewhere.
    Left,
}

/// What has happened to one mailbox since it last looked.
#[derive(Debug, Default)]
pub(super) struct News {
    /// In the order of the kernel.
    pub events: Vec<Event>,
    /// Some were lost, or a directory itself was touched: list both.
    pub rescan: bool,
}

impl News {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.rescan
    }
}

/// Where a mailbox's news wait for it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    news: Mutex<News>,
    bell: Notify,
}

impl Inbox {
    /// Takes what has come.
    pub fn take(&self) -> News {
        std::mem::take(&mut *lock(&self.news))
    }

    /// Puts back what was taken, for the next who looks; with `rescan` both directories are to be listed.
    pub fn put_back(&self, taken: News, rescan: bool) {
        let mut news = lock(&self.news);
        let later = std::mem::replace(&mut *news, taken);
        news.rescan |= rescan || later.rescan;
        news.events.extend(later.events);
        if news.rescan {
            news.events.clear();
        }
    }

    /// Whether anything has come.
    pub fn is_empty(&self) -> bool {
        lock(&self.news).is_empty()
    }

    /// Waits until something comes, or somebody rings.
    pub async fn wait(&self) {
        self.bell.notified().await;
    }

    /// Wakes who waits, news or not.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        lock(&self.news).events.len()
    }

    /// Drops the events that tell nothing.
    pub fn sift(&self, tells: impl Fn(&Event) -> bool) {
        lock(&self.news).events.retain(tells);
    }

    /// Asks for a rescan now.
    pub fn ask_rescan(&self) {
        self.note_rescan();
        self.ring();
    }

    /// Asks for a rescan at the next look.
    pub fn note_rescan(&self) {
        lock(&self.news).rescan = true;
    }

    /// Adds what has come.
    pub fn add(&self, event: Event) {
        let mut news = lock(&self.news);
        if news.events.len() >= INBOX_LIMIT {
            news.rescan = true;
        }
        if news.rescan {
            // Both directories will be listed: names are no use.
            news.events.clear();
        } else {
            news.events.push(event);
        }
        drop(news);
        self.ring();
    }
}

/// A mailbox being watched. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Subscription {
    directories: [Identity; 2],
    inbox: Arc<Inbox>,
}

impl Subscription {
    /// Whether these are the directories that are watched.
    pub fn covers(&self, [new, cur]: &[Stamp; 2]) -> bool {
        self.directories == [new.identity, cur.identity]
    }
}

/// Device and inode of a directory.
type Identity = (u64, u64);

/// Who listens to one directory, as whose `new/` or `cur/`. Two accounts, or an alias by symbolic link, may
/// share one.
struct Route {
    /// Keeps the descriptor open that the watched path names.
    place: Place,
    inboxes: Vec<(Weak<Inbox>, Sub)>,
}

#[derive(Default)]
struct Routes {
    by_identity: HashMap<Identity, Route>,
    by_path: HashMap<PathBuf, Identity>,
}

struct Hub {
    /// Never held while `routes` is: notify's thread, which takes `routes`, answers calls on this.
    watcher: Mutex<Option<INotifyWatcher>>,
    routes: Arc<Mutex<Routes>>,
}

/// Begins to watch a mailbox. `None` where the kernel gives no instance or no watch (the reason is
/// logged, once): the caller has to look from time to time. **Blocking**, shortly.
pub(super) fn subscribe(folder: &Folder, inbox: &Arc<Inbox>) -> Option<Subscription> {
    let hub = hub();
    let mut watcher = lock(&hub.watcher);
    let watching = watcher.as_mut()?;
    let places = [Sub::New, Sub::Cur].map(|sub| (folder.place(sub), sub));
    let subscription = Subscription {
        directories: places.each_ref().map(|(place, _)| place.identity()),
        inbox: Arc::clone(inbox),
    };
    for (place, sub) in places {
        let listener = (Arc::downgrade(inbox), sub);
        let (identity, path) = (place.identity(), place.path());
        {
            let mut routes = lock(&hub.routes);
            if let Some(route) = routes.by_identity.get_mut(&identity) {
                route.inboxes.push(listener);
                continue;
            }
            let inboxes = vec![listener];
            routes.by_path.insert(path.clone(), identity);
            routes
                .by_identity
                .insert(identity, Route { place, inboxes });
        }
        if let Err(error) = watching.watch(&path, RecursiveMode::NonRecursive) {
            warn_once(&error);
            subscription.leave(watching, &hub.routes);
            drop(watcher); // the subscription takes it again as it is dropped
            return None;
        }
    }
    Some(subscription)
}

impl Subscription {
    /// Ends both watches, as far as nobody else listens.
    fn leave(&self, watching: &mut INotifyWatcher, routes: &Mutex<Routes>) {
        for identity in self.directories {
            let last = {
                let mut routes = lock(routes);
                let Some(route) = routes.by_identity.get_mut(&identity) else {
                    continue;
                };
                let is_ours = |inbox: &Weak<Inbox>| std::ptr::eq(inbox.as_ptr(), &*self.inbox);
                route.inboxes.retain(|(inbox, _)| !is_ours(inbox));
                if !route.inboxes.is_empty() {
                    continue;
                }
                routes.by_identity.remove(&identity)
            };
            let Some(route) = last else { continue };
            let path = route.place.path();
            // A directory that was removed has lost its watch already: nothing to end.
            let _ = watching.unwatch(&path);
            lock(routes).by_path.remove(&path);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let hub = hub();
        if let Some(watching) = lock(&hub.watcher).as_mut() {
            self.leave(watching, &hub.routes);
        }
    }
}

fn hub() -> &'static Hub {
    static HUB: OnceLock<Hub> = OnceLock::new();
    HUB.get_or_init(|| {
        let routes = Arc::new(Mutex::new(Routes::default()));
        let config = Config::default().with_event_kinds(
            EventKindMask::CREATE | EventKindMask::REMOVE | EventKindMask::MODIFY_NAME,
        );
        let sorter = Arc::clone(&routes);
        let watcher = INotifyWatcher::new(
            move |told: notify::Result<notify::Event>| sort(&sorter, told),
            config,
        );
        let watcher = watcher.map_err(|error| warn_once(&error)).ok();
        Hub {
            watcher: Mutex::new(watcher),
            routes,
        }
    })
}

/// Puts one event of notify's into the inboxes it concerns.
fn sort(routes: &Mutex<Routes>, told: notify::Result<notify::Event>) {
    let routes = lock(routes);
    let event = match told {
        Ok(event) if !event.need_rescan() => event,
        _ => {
            return routes
                .by_identity
                .values()
                .for_each(|route| route.inboxes().for_each(|(inbox, _)| inbox.ask_rescan()));
        }
    };
    let kind = match event.kind {
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            Kind::Appeared
        }
        EventKind::Remove(_) => Kind::Deleted,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Kind::Left,
        _ => return, // `Both` repeats a From and a To
    };
    for path in &event.paths {
        if let Some(identity) = routes.by_path.get(path) {
            // new/ or cur/ itself was removed or renamed.
            let listeners = routes.by_identity.get(identity).into_iter();
            listeners.for_each(|route| route.inboxes().for_each(|(inbox, _)| inbox.ask_rescan()));
        } else if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Some(identity) = routes.by_path.get(parent as &Path)
        {
            let listeners = routes.by_identity.get(identity).into_iter();
            for (inbox, sub) in listeners.flat_map(Route::inboxes) {
                inbox.add(Event {
                    sub,
                    name: name.as_encoded_bytes().to_vec(),
                    kind,
                });
            }
        }
    }
}

impl Route {
    fn inboxes(&self) -> impl Iterator<Item = (Arc<Inbox>, Sub)> {
        let held = |(inbox, sub): &(Weak<Inbox>, Sub)| Some((inbox.upgrade()?, *sub));
        self.inboxes.iter().filter_map(held)
    }
}

fn warn_once(error: &notify::Error) {
    static WARNED: OnceLock<()> = OnceLock::new();
    WARNED.get_or_init(|| {
        tracing::warn!(
            %error,
            "mailboxes cannot be watched and are looked at every 2 s instead; \
             `sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024` raises the limits"
        );
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
