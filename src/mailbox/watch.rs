//! What other programs do in `new/` and `cur/`, told by the kernel: notify events → names.
//!
//! One inotify instance and one thread serve the whole process (an account may have 128 instances, a
//! mailbox needs two watches). The thread only gives names to each directory's [`Ear`]s, such as a mailbox's
//! [`Inbox`]; it touches no other state. A lost event or a full queue asks for a rescan, never for a guess.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use notify::event::{EventKindMask, ModifyKind, RenameMode};
use notify::{Config, EventKind, INotifyWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::blocking;
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
}

/// Who wants to know what happens in a directory. Called by notify's thread: it must be quick.
pub(super) trait Ear: std::fmt::Debug + Send + Sync {
    /// Something happened to a name.
    fn hear(&self, sub: Sub, name: &[u8], kind: Kind);

    /// Anything may have happened.
    fn hear_loss(&self);
}

impl Ear for Inbox {
    fn hear(&self, sub: Sub, name: &[u8], kind: Kind) {
        let name = name.to_vec();
        let event = Event { sub, name, kind };
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

    fn hear_loss(&self) {
        self.ask_rescan();
    }
}

/// Directories being watched. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Subscription {
    directories: Box<[Identity]>,
    ear: Arc<dyn Ear>,
}

impl Subscription {
    /// Whether these are the directories that are watched.
    pub fn covers(&self, [new, cur]: &[Stamp; 2]) -> bool {
        *self.directories == [new.identity, cur.identity]
    }
}

/// Device and inode of a directory.
type Identity = (u64, u64);

/// A directory to be watched.
#[derive(Debug)]
pub(super) struct Spot {
    /// It, open.
    pub place: Place,
    /// What leads to it now: with it, nothing stays open for the watch.
    pub path: Option<PathBuf>,
    /// What it is to its ear.
    pub sub: Sub,
}

/// Who listens to one directory, as whose `new/` or `cur/`. Two accounts, or an alias by symbolic link, may
/// share one.
struct Route {
    /// The path that it is watched by.
    path: PathBuf,
    /// Keeps the descriptor open that the path names.
    place: Option<Place>,
    ears: Vec<(Weak<dyn Ear>, Sub)>,
}

#[derive(Default)]
struct Routes {
    by_identity: HashMap<Identity, Route>,
    by_path: HashMap<PathBuf, Identity>,
}

impl Routes {
    /// Another ear for a directory that is watched already; false if it is not.
    fn join(&mut self, identity: Identity, ear: &Arc<dyn Ear>, sub: Sub) -> bool {
        let route = self.by_identity.get_mut(&identity);
        route
            .map(|route| route.ears.push((Arc::downgrade(ear), sub)))
            .is_some()
    }

    /// A directory that is watched from now on.
    fn begin(&mut self, identity: Identity, route: Route) {
        self.by_path.insert(route.path.clone(), identity);
        self.by_identity.insert(identity, route);
    }

    /// Takes an ear away. Gives the path that is to be watched no more, if nobody else listens there.
    fn leave(&mut self, identity: Identity, ear: &Arc<dyn Ear>) -> Option<Route> {
        let route = self.by_identity.get_mut(&identity)?;
        let is_ours = |other: &Weak<dyn Ear>| std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(ear));
        route.ears.retain(|(other, _)| !is_ours(other));
        match route.ears.is_empty() {
            true => self.by_identity.remove(&identity),
            false => None,
        }
    }
}

struct Hub {
    /// Never held while `routes` is: notify's thread, which takes `routes`, answers calls on this. `None`: it could not be
    /// begun so far.
    watcher: Mutex<Option<INotifyWatcher>>,
    routes: Arc<Mutex<Routes>>,
}

/// Begins to watch a mailbox. `None` where the kernel gives no instance or no watch (the reason is
/// logged, once): the caller has to look from time to time. **Blocking**, shortly.
pub(super) fn subscribe(folder: &Folder, inbox: &Arc<Inbox>) -> Option<Subscription> {
    let spots = [Sub::New, Sub::Cur].map(|sub| Spot {
        place: folder.place(sub),
        path: None,
        sub,
    });
    let ear: Arc<dyn Ear> = Arc::<Inbox>::clone(inbox);
    attend(spots, ear)
}

/// The same for any directories.
pub(super) fn attend(
    spots: impl IntoIterator<Item = Spot>,
    ear: Arc<dyn Ear>,
) -> Option<Subscription> {
    let hub = hub();
    let mut watcher = lock(&hub.watcher);
    if watcher.is_none() {
        *watcher = begun(&hub.routes);
    }
    let watching = watcher.as_mut()?;
    let mut directories = Vec::with_capacity(2);
    for spot in spots {
        directories.push(spot.place.identity());
        if let Err(error) = begin(watching, &hub.routes, spot, &ear) {
            warn_once(&error);
            leave(watching, &hub.routes, &directories, &ear);
            return None;
        }
    }
    Some(Subscription {
        directories: directories.into(),
        ear,
    })
}

/// Watches one directory, if nobody does yet. The route is there before the first event can come.
fn begin(
    watching: &mut INotifyWatcher,
    routes: &Mutex<Routes>,
    spot: Spot,
    ear: &Arc<dyn Ear>,
) -> notify::Result<()> {
    let Spot { place, path, sub } = spot;
    let identity = place.identity();
    let leads_there = |path: &Path| {
        let found = std::fs::metadata(path);
        found.is_ok_and(|found| (found.dev(), found.ino()) == identity)
    };
    {
        let mut routes = lock(routes);
        if routes.join(identity, ear, sub) {
            return Ok(());
        }
        // A directory that was renamed may be watched by the name that another has now.
        let path = path.filter(|path| !routes.by_path.contains_key(path));
        let (path, place) = match path {
            Some(path) => (path, None),
            None => (place.path(), Some(place.clone())),
        };
        let ears = vec![(Arc::downgrade(ear), sub)];
        routes.begin(identity, Route { path, place, ears });
    }
    let watched = |watching: &mut INotifyWatcher, path: &Path| {
        watching.watch(path, RecursiveMode::NonRecursive)
    };
    let (path, by_name) = match lock(routes).by_identity.get(&identity) {
        Some(route) => (route.path.clone(), route.place.is_none()),
        None => return Ok(()),
    };
    match watched(watching, &path) {
        Ok(()) if !by_name || leads_there(&path) => Ok(()),
        Err(error) if !by_name => Err(error),
        // The name led elsewhere meanwhile.
        outcome => {
            if outcome.is_ok() {
                let _ = watching.unwatch(&path);
            }
            let by_descriptor = place.path();
            let mut routes = lock(routes);
            routes.by_path.remove(&path);
            routes.by_path.insert(by_descriptor.clone(), identity);
            if let Some(route) = routes.by_identity.get_mut(&identity) {
                route.path.clone_from(&by_descriptor);
                route.place = Some(place);
            }
            drop(routes);
            watched(watching, &by_descriptor)
        }
    }
}

/// Ends watches, as far as nobody else listens.
fn leave(
    watching: &mut INotifyWatcher,
    routes: &Mutex<Routes>,
    directories: &[Identity],
    ear: &Arc<dyn Ear>,
) {
    for identity in directories {
        let last = lock(routes).leave(*identity, ear);
        if let Some(route) = last {
            // A directory that was removed has lost its watch already: nothing to end.
            let _ = watching.unwatch(&route.path);
            lock(routes).by_path.remove(&route.path);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let hub = hub();
        if let Some(watching) = lock(&hub.watcher).as_mut() {
            leave(watching, &hub.routes, &self.directories, &self.ear);
        }
    }
}

fn hub() -> &'static Hub {
    static HUB: OnceLock<Hub> = OnceLock::new();
    HUB.get_or_init(|| Hub {
        watcher: Mutex::default(),
        routes: Arc::default(),
    })
}

/// Begins to hear the kernel. `None` where it gives no instance, or the system no thread: the next mailbox tries it again.
fn begun(routes: &Arc<Mutex<Routes>>) -> Option<INotifyWatcher> {
    let watcher = blocking::try_thread().map_err(notify::Error::io);
    let watcher = watcher.and_then(|()| {
        let config = Config::default().with_event_kinds(
            EventKindMask::CREATE | EventKindMask::REMOVE | EventKindMask::MODIFY_NAME,
        );
        let sorter = Arc::clone(routes);
        let watcher = INotifyWatcher::new(
            move |told: notify::Result<notify::Event>| sort(&sorter, told),
            config,
        )?;
        match watcher.watched_paths() {
            Ok(_) => Ok(watcher),
            // Its thread could not be started after all. Dropping it would panic, for it says so to that thread.
            Err(error) => {
                std::mem::forget(watcher);
                Err(error)
            }
        }
    });
    watcher.map_err(|error| warn_once(&error)).ok()
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
                .for_each(|route| route.ears().for_each(|(ear, _)| ear.hear_loss()));
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
            listeners.for_each(|route| route.ears().for_each(|(ear, _)| ear.hear_loss()));
        } else if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Some(identity) = routes.by_path.get(parent as &Path)
        {
            let listeners = routes.by_identity.get(identity).into_iter();
            for (ear, sub) in listeners.flat_map(Route::ears) {
                ear.hear(sub, name.as_encoded_bytes(), kind);
            }
        }
    }
}

impl Route {
    fn ears(&self) -> impl Iterator<Item = (Arc<dyn Ear>, Sub)> {
        let held = |(ear, sub): &(Weak<dyn Ear>, Sub)| Some((ear.upgrade()?, *sub));
        self.ears.iter().filter_map(held)
    }
}

fn warn_once(error: &notify::Error) {
    static WARNED: OnceLock<()> = OnceLock::new();
    WARNED.get_or_init(|| {
        tracing::warn!(
            %error,
            "mailboxes cannot be watched: they are looked at every 2 s while selected, every 30 s under NOTIFY alone; \
             `sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024` raises the limits"
        );
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
