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

use crate::spool::folder::{Folder, Sub};

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

    /// Asks for a rescan now.
    pub fn ask_rescan(&self) {
        self.note_rescan();
        self.ring();
    }

    /// Asks for a rescan at the next look.
    pub fn note_rescan(&self) {
        lock(&self.news).rescan = true;
    }

    fn add(&self, event: Event) {
        let mut news = lock(&self.news);
        if news.events.len() < INBOX_LIMIT {
            news.events.push(event);
        } else {
            news.events.clear();
            news.rescan = true;
        }
        drop(news);
        self.ring();
    }
}

/// A mailbox being watched. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Subscription {
    identity: (u64, u64),
    inbox: Arc<Inbox>,
}

/// Who listens to one directory pair. Two accounts, or an alias by symbolic link, may share one.
struct Route {
    /// Keeps the descriptors open that the watched paths name.
    folder: Arc<Folder>,
    inboxes: Vec<Weak<Inbox>>,
}

#[derive(Default)]
struct Routes {
    by_identity: HashMap<(u64, u64), Route>,
    by_path: HashMap<PathBuf, ((u64, u64), Sub)>,
}

struct Hub {
    /// Never held while `routes` is: notify's thread, which takes `routes`, answers calls on this.
    watcher: Mutex<Option<INotifyWatcher>>,
    routes: Arc<Mutex<Routes>>,
}

/// Begins to watch a mailbox. `None` where the kernel gives no instance or no watch (the reason is
/// logged, once): the caller has to look from time to time. **Blocking**, shortly.
pub(super) fn subscribe(folder: &Arc<Folder>, inbox: &Arc<Inbox>) -> Option<Subscription> {
    let identity = folder.identity();
    let hub = hub();
    let mut watcher = lock(&hub.watcher);
    let watching = watcher.as_mut()?;
    {
        let mut routes = lock(&hub.routes);
        if let Some(route) = routes.by_identity.get_mut(&identity) {
            route.inboxes.push(Arc::downgrade(inbox));
            return Some(Subscription {
                identity,
                inbox: Arc::clone(inbox),
            });
        }
        for sub in [Sub::New, Sub::Cur] {
            routes
                .by_path
                .insert(folder.watch_path(sub), (identity, sub));
        }
        let inboxes = vec![Arc::downgrade(inbox)];
        routes.by_identity.insert(
            identity,
            Route {
                folder: Arc::clone(folder),
                inboxes,
            },
        );
    }
    for sub in [Sub::New, Sub::Cur] {
        if let Err(error) = watching.watch(&folder.watch_path(sub), RecursiveMode::NonRecursive) {
            warn_once(&error);
            forget(watching, &hub.routes, identity);
            return None;
        }
    }
    Some(Subscription {
        identity,
        inbox: Arc::clone(inbox),
    })
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let hub = hub();
        let mut watcher = lock(&hub.watcher);
        let last = {
            let mut routes = lock(&hub.routes);
            let Some(route) = routes.by_identity.get_mut(&self.identity) else {
                return;
            };
            route
                .inboxes
                .retain(|inbox| !std::ptr::eq(inbox.as_ptr(), Arc::as_ptr(&self.inbox)));
            route.inboxes.is_empty()
        };
        if last && let Some(watching) = watcher.as_mut() {
            forget(watching, &hub.routes, self.identity);
        }
    }
}

/// Ends both watches of a mailbox, while its descriptors are still open.
fn forget(watching: &mut INotifyWatcher, routes: &Mutex<Routes>, identity: (u64, u64)) {
    let Some(route) = lock(routes).by_identity.remove(&identity) else {
        return;
    };
    for sub in [Sub::New, Sub::Cur] {
        let path = route.folder.watch_path(sub);
        // A directory that was removed has lost its watch already: nothing to end.
        let _ = watching.unwatch(&path);
        lock(routes).by_path.remove(&path);
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
                .for_each(|route| route.inboxes().for_each(|one| one.ask_rescan()));
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
        if let Some((identity, _)) = routes.by_path.get(path) {
            // new/ or cur/ itself was removed or renamed.
            routes.route(*identity).for_each(|inbox| inbox.ask_rescan());
        } else if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Some(&(identity, sub)) = routes.by_path.get(parent as &Path)
        {
            let name = name.as_encoded_bytes();
            routes.route(identity).for_each(|inbox| {
                inbox.add(Event {
                    sub,
                    name: name.to_vec(),
                    kind,
                })
            });
        }
    }
}

impl Routes {
    fn route(&self, identity: (u64, u64)) -> impl Iterator<Item = Arc<Inbox>> {
        self.by_identity
            .get(&identity)
            .into_iter()
            .flat_map(Route::inboxes)
    }
}

impl Route {
    fn inboxes(&self) -> impl Iterator<Item = Arc<Inbox>> {
        self.inboxes.iter().filter_map(Weak::upgrade)
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
