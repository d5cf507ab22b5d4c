//! Running a query: what the client's picture decides is decided at once, the rest on a pool of threads
//! that read the files.
//!
//! Messages go to the pool in small batches, a few at a time for each search, and the pool takes them in
//! the order they come: so several searches share it fairly, and one that is cancelled or dropped leaves it
//! within a batch. No thread of the pool waits for a lock or a socket.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::Picked;
use crate::search::examine::{Scratch, examine};
use crate::search::query::{Picture, Query};

/// Messages a thread of the pool takes at once: a millisecond or two of work for ordinary mail.
const BATCH: usize = 32;

/// Batches under way at once for one search, for each thread of the pool.
const BATCHES_PER_THREAD: usize = 4;

/// Messages decided by memory between two looks at what else the session's thread has to do.
const BREATH: usize = 4096;

/// How much the pool gives way to the rest of the machine, the server's other threads included.
const NICENESS: i32 = 10;

/// Stops a search: its clones stop the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nothing is stopped yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Stops it: the next message, or the next piece of a long one, is not looked at any more.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which of the messages that match are to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every one.
    All,
    /// The one with the lowest UID.
    First,
    /// The one with the highest.
    Last,
    /// These two, which may be the same.
    Ends,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// UIDs of the messages that match, as far as they were wanted.
    pub uids: NumberSet,
    /// Some messages could not be looked at because they are gone: `OK [EXPUNGEISSUED]` (RFC 5530).
    pub expunged: bool,
    /// UIDs of messages that are there and could not be read: whether they match is not known.
    pub unreadable: Vec<Uid>,
}

/// Finds which of `picked`, in rising order, match. `last` is the highest sequence number and UID of the
/// client's picture. No more is looked at than it takes to find what is `wanted`.
///
/// A message that is gone matches by what memory knows of it, or not at all. One that cannot be read is
/// logged and named. Stopped by `cancel`, it fails with [`io::ErrorKind::Interrupted`]; dropping
/// the future stops it as well.
pub async fn run(
    mailbox: Arc<Mailbox>,
    mut picked: Vec<Picked>,
    snapshot: Arc<Snapshot>,
    last: (u32, u32),
    query: Query,
    wanted: Wanted,
    cancel: Cancel,
) -> Result<Found, Fault> {
    let picture = query.picture(last, &snapshot);
    let search = Arc::new(Search {
        mailbox,
        query,
        picture,
        cancel,
    });
    let (mut uids, mut found) = (Vec::new(), Found::default());
    let forward = match wanted {
        Wanted::All | Wanted::First => std::mem::take(&mut picked),
        Wanted::Ends => picked.clone(),
        Wanted::Last => Vec::new(),
    };
    let only_first = wanted != Wanted::All;
    look_through(&search, forward, only_first, &mut uids, &mut found).await?;
    // What is left is looked through from its end, down to the first that was found.
    match uids.first() {
        Some(first) => picked.retain(|picked| picked.message.uid.get() > *first),
        None if wanted == Wanted::Ends => picked.clear(),
        None => {}
    }
    picked.reverse();
    look_through(&search, picked, true, &mut uids, &mut found).await?;
    found.uids = uids.into_iter().collect();
    found.unreadable.sort_unstable();
    found.unreadable.dedup();
    Ok(found)
}

/// Adds the UIDs of those that match, or of the first of them alone, to `uids`; in `found` it notes those that
/// might have matched, but are gone or cannot be read.
async fn look_through(
    search: &Arc<Search>,
    picked: Vec<Picked>,
    only_first: bool,
    uids: &mut Vec<u32>,
    found: &mut Found,
) -> Result<(), Fault> {
    let mut undecided = Vec::new();
    // The first that memory knows of. One that the files have to decide may precede it.
    let mut known_first = None;
    for (count, message) in picked.into_iter().enumerate() {
        if count % BREATH == BREATH - 1 {
            tokio::task::yield_now().await;
        }
        let uid = message.message.uid.get();
        let verdict = search
            .query
            .decide(|test| search.picture.answer(test, &message));
        match verdict {
            Some(true) if only_first => {
                known_first = Some(uid);
                break;
            }
            Some(true) => uids.push(uid),
            Some(false) => {}
            None if message.gone => found.expunged = true,
            None => undecided.push(message),
        }
    }
    let enough = |outcome: &Outcome| only_first && matches!(outcome, Outcome::Match);
    let looking = Arc::clone(search);
    let look = move |message: &Picked| looking.look(message);
    let looked = spread(undecided, search.cancel.clone(), enough, look).await?;
    for (message, outcome) in looked {
        match outcome {
            Outcome::Match => {
                uids.push(message.message.uid.get());
                if only_first {
                    return Ok(());
                }
            }
            Outcome::NoMatch => {}
            Outcome::Gone => found.expunged = true,
            Outcome::Unreadable => found.unreadable.push(message.message.uid),
        }
    }
    uids.extend(known_first);
    Ok(())
}

/// One search, as the threads of the pool share it.
struct Search {
    mailbox: Arc<Mailbox>,
    query: Query,
    picture: Picture,
    cancel: Cancel,
}

/// What looking at a message's file brought.
enum Outcome {
    Match,
    NoMatch,
    Gone,
    Unreadable,
}

impl Search {
    fn look(&self, picked: &Picked) -> Outcome {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let message = &picked.message;
        let file = match self.mailbox.open(message) {
            Ok(file) => file,
            Err(Fault::Expunged) => return Outcome::Gone,
            Err(fault) => {
                warn!(uid = message.uid.get(), %fault, "SEARCH cannot open a message");
                return Outcome::Unreadable;
            }
        };
        let answers = (0..self.query.tests().len())
            .map(|test| self.picture.answer(test, picked))
            .collect();
        let note_size = |size| message.note_virtual_size(size);
        let matches = SCRATCH.with_borrow_mut(|scratch| {
            examine(
                &self.query,
                answers,
                &file,
                scratch,
                &self.cancel,
                note_size,
            )
        });
        match matches {
            Ok(true) => Outcome::Match,
            Ok(false) => Outcome::NoMatch,
            Err(error) => {
                warn!(uid = message.uid.get(), %error, "SEARCH cannot read a message");
                Outcome::Unreadable
            }
        }
    }
}

/// Does the work for every item on the pool and gives the results in the items' order: all of them, or those
/// up to a batch that has one that is `enough`.
async fn spread<T, R>(
    items: Vec<T>,
    cancel: Cancel,
    enough: impl Fn(&R) -> bool,
    work: impl Fn(&T) -> R + Send + Sync + 'static,
) -> Result<Vec<(T, R)>, Fault>
where
    T: Send + 'static,
    R: Send + 'static,
{
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let pool = pool()?;
    let work = Arc::new(work);
    // Whatever ends this function early ends the batches under way too.
    let abandoned = Abandon(Cancel::new());
    let mut results = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    let mut under_way = VecDeque::new();
    loop {
        while under_way.len() < BATCHES_PER_THREAD * pool.current_num_threads() {
            let batch: Vec<T> = items.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            let (sender, receiver) = oneshot::channel();
            let (work, cancel, abandoned) = (work.clone(), cancel.clone(), abandoned.0.clone());
            pool.spawn(move || {
                let mut done = Vec::with_capacity(batch.len());
                for item in batch {
                    if cancel.is_cancelled() || abandoned.is_cancelled() {
                        return;
                    }
                    let result = work(&item);
                    done.push((item, result));
                }
                // Nobody may be waiting any more.
                let _ = sender.send(done);
            });
            under_way.push_back(receiver);
        }
        let Some(batch) = under_way.pop_front() else {
            break;
        };
        match batch.await {
            Ok(batch) => {
                let done = batch.iter().any(|(_, result)| enough(result));
                results.extend(batch);
                if done {
                    return Ok(results);
                }
            }
            Err(_) if cancel.is_cancelled() => break,
            Err(_) => {
                let died = io::Error::other("a thread of the search pool died");
                return Err(Fault::from_io("SEARCH", died));
            }
        }
    }
    if cancel.is_cancelled() {
        return Err(Fault::from_io("SEARCH", io::ErrorKind::Interrupted.into()));
    }
    Ok(results)
}

/// Cancels when it is dropped.
struct Abandon(Cancel);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The process's one pool for searches: a thread for each core, made at the first use.
fn pool() -> Result<&'static ThreadPool, Fault> {
    static POOL: LazyLock<Result<ThreadPool, String>> = LazyLock::new(|| {
        ThreadPoolBuilder::new()
            .num_threads(thread::available_parallelism().map_or(1, usize::from))
            .thread_name(|number| format!("search-{number}"))
            .start_handler(|_| {
                // On Linux a thread has a priority of its own. Without it the search is only less polite.
                let _ = rustix::process::setpriority_process(None, NICENESS);
            })
            // The batch's sender is dropped with it, and that search fails; the others go on.
            .panic_handler(|_| error!("a search panicked"))
            .build()
            .map_err(|error| error.to_string())
    });
    POOL.as_ref()
        .map_err(|error| Fault::from_io("making the search pool", io::Error::other(error.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn every_item_once_and_in_order() {
        for count in [0, 1, BATCH - 1, BATCH, 100 * BATCH + 1] {
            let spread = spread((0..count).collect(), Cancel::new(), |_| false, |n| n * 2);
            let results = runtime().block_on(spread).unwrap();
            let expected: Vec<(usize, usize)> = (0..count).map(|n| (n, n * 2)).collect();
            assert_eq!(results, expected);
        }
    }

    #[test]
    fn what_is_enough_ends_it() {
        let work = |n: &usize| *n;
        let results = runtime()
            .block_on(spread(
                (0..1_000_000).collect(),
                Cancel::new(),
                |n| *n >= 1000,
                work,
            ))
            .unwrap();
        assert!(results.len() > 1000 && results.len() <= 1000 + BATCH);
        assert!(results.iter().enumerate().all(|(at, (n, _))| at == *n));
    }

    #[test]
    fn cancelling_stops_within_the_batches_under_way() {
        let cancel = Cancel::new();
        let inner = cancel.clone();
        let seen = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = seen.clone();
        let work = move |n: &u32| {
            count.fetch_add(1, Ordering::Relaxed);
            if *n == 100 {
                inner.cancel();
            }
        };
        let spread = spread((0..1_000_000).collect(), cancel, |()| false, work);
        let result = runtime().block_on(spread);
        assert!(
            matches!(result, Err(Fault::Io(_, error)) if error.kind() == io::ErrorKind::Interrupted)
        );
        assert!(seen.load(Ordering::Relaxed) < 100_000);
    }

    #[test]
    fn a_panic_fails_its_search_and_no_other() {
        let work = |n: &u32| assert!(*n != 500, "on purpose");
        let panicking = spread((0..1000).collect(), Cancel::new(), |()| false, work);
        assert!(matches!(runtime().block_on(panicking), Err(Fault::Io(..))));
        let next = spread((0..1000).collect(), Cancel::new(), |_| false, |n: &u32| *n);
        assert_eq!(runtime().block_on(next).unwrap().len(), 1000);
    }

    #[test]
    fn a_dropped_search_leaves_the_pool() {
        let held = Arc::new(());
        let inner = held.clone();
        let mut search = Box::pin(spread(
            (0..1_000_000).collect(),
            Cancel::new(),
            |()| false,
            move |_: &u32| {
                let _ = &inner;
            },
        ));
        runtime().block_on(async {
            let waker = std::task::Waker::noop();
            let mut poll = std::task::Context::from_waker(waker);
            let _ = search.as_mut().poll(&mut poll);
            drop(search);
            // What comes after it is served, and when it was, nothing holds the dropped one's work.
            while Arc::strong_count(&held) > 1 {
                spread(vec![0], Cancel::new(), |()| false, |_| ())
                    .await
                    .unwrap();
            }
        });
    }
}
