//! The pool of threads that read message files for SEARCH, SORT and THREAD.
//!
//! Messages go to the pool in small batches, a few at a time for each command, and the pool takes them in
//! the order they come: so several commands share it fairly, and one that is cancelled or dropped leaves it
//! within a batch. No thread of the pool waits for a lock or a socket.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;
use tracing::error;

use crate::mailbox::fault::Fault;

/// Messages a thread of the pool takes at once: a millisecond or two of work for ordinary mail. With more, others wait
/// longer for the processor.
const BATCH: usize = 32;

/// Batches under way at once for one search, for each thread of the pool.
const BATCHES_PER_THREAD: usize = 4;

/// How much the pool gives way to the rest of the machine, the server's other threads included.
const NICENESS: i32 = 10;

/// How far the work for a command is, and whether it is still wanted: clones speak of the same work.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    cancelled: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
}

impl Progress {
    /// Nothing is done yet.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// A part of the work, which stops with it and is counted for itself.
    pub fn part(&self) -> Progress {
        Progress {
            cancelled: Arc::clone(&self.cancelled),
            done: Arc::default(),
        }
    }

    /// Stops the work: the next message, or the next piece of a long one, is not looked at any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// So many messages more are done with.
    pub fn add(&self, messages: u64) {
        self.done.fetch_add(messages, Ordering::Relaxed);
    }

    /// Messages done with, each as often as it was looked at.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Does the work for every item on the pool and gives the results in the items' order: all of them, or those
/// up to a batch that has one that is `enough`.
pub(super) async fn spread<T, R>(
    items: Vec<T>,
    progress: Progress,
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
    let abandoned = Abandon(Progress::new());
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
            let (work, progress, abandoned) = (work.clone(), progress.clone(), abandoned.0.clone());
            pool.spawn(move || {
                let mut done = Vec::with_capacity(batch.len());
                for item in batch {
                    if progress.is_cancelled() || abandoned.is_cancelled() {
                        return;
                    }
                    let result = work(&item);
                    progress.add(1);
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
            Err(_) if progress.is_cancelled() => break,
            Err(_) => {
                let died = io::Error::other("a thread of the search pool died");
                return Err(Fault::from_io("looking through messages", died));
            }
        }
    }
    if progress.is_cancelled() {
        return Err(Fault::from_io(
            "looking through messages",
            io::ErrorKind::Interrupted.into(),
        ));
    }
    Ok(results)
}

/// Cancels when it is dropped.
struct Abandon(Progress);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The process's one pool for searches: a thread for each core, made at the first use that there are threads for.
fn pool() -> Result<&'static ThreadPool, Fault> {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    if let Some(pool) = POOL.get() {
        return Ok(pool);
    }
    // The next search tries it again if there are no threads now.
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = POOL.get() {
        return Ok(pool);
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(thread::available_parallelism().map_or(1, usize::from))
        .thread_name(|number| format!("search-{number}"))
        .start_handler(|_| {
            // On Linux a thread has a priority of its own. Without it the search is only less polite.
            let _ = rustix::process::setpriority_process(None, NICENESS);
        })
        // The batch's sender is dropped with it, and that search fails; the others go on.
        .panic_handler(|_| error!("a search panicked"))
        .build()
        .map_err(|error| Fault::from_io("making the search pool", io::Error::other(error)))?;
    Ok(POOL.get_or_init(|| pool))
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
            let spread = spread((0..count).collect(), Progress::new(), |_| false, |n| n * 2);
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
                Progress::new(),
                |n| *n >= 1000,
                work,
            ))
            .unwrap();
        assert!(results.len() > 1000 && results.len() <= 1000 + BATCH);
        assert!(results.iter().enumerate().all(|(at, (n, _))| at == *n));
    }

    #[test]
    fn cancelling_stops_within_the_batches_under_way() {
        let cancel = Progress::new();
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
        let panicking = spread((0..1000).collect(), Progress::new(), |()| false, work);
        assert!(matches!(runtime().block_on(panicking), Err(Fault::Io(..))));
        let next = spread(
            (0..1000).collect(),
            Progress::new(),
            |_| false,
            |n: &u32| *n,
        );
        assert_eq!(runtime().block_on(next).unwrap().len(), 1000);
    }

    #[test]
    fn a_dropped_search_leaves_the_pool() {
        let held = Arc::new(());
        let inner = held.clone();
        let mut search = Box::pin(spread(
            (0..1_000_000).collect(),
            Progress::new(),
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
                spread(vec![0], Progress::new(), |()| false, |_| ())
                    .await
                    .unwrap();
            }
        });
    }
}
