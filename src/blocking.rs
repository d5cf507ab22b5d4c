//! Threads for what may block: files, hashes, the name service. Everything that may not hold up a task goes through here,
//! onto the runtime's pool.
//!
//! The system may be out of threads (pids cgroup, `RLIMIT_NPROC`). Then nothing fails and nothing is forgotten: what has
//! to be done waits until one can be started, for which it is tried time and again. A change to mail is therefore never
//! made after somebody was told that it failed; those who ask have time limits of their own.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::warn;

/// How often what waits looks whether a thread can be started.
const AGAIN: Duration = Duration::from_secs(1);

/// A thread is not tried to be started more often than this, however many wait.
const TRY_PAUSE: Duration = Duration::from_millis(250);

/// By then the system does not count the thread of a trial any more, which may have been the last that there can be.
const TRIAL_ENDS: Duration = Duration::from_millis(20);

/// The log says so again after this long.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Whether threads can be started, in all of the process.
static SHORTAGE: Mutex<Shortage> = Mutex::new(Shortage {
    tried: None,
    logged: None,
});

thread_local! {
    static OFFERING: Cell<bool> = const { Cell::new(false) };
}

/// What is being done. It is done whether or not anybody waits for it.
#[derive(Debug)]
pub struct Job<T>(oneshot::Receiver<Result<T, Lost>>);

/// Why a job has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It panicked.
    #[error("a fault of the server's own, which the log tells")]
    Panicked,
    /// The runtime has ended.
    #[error("the server ends")]
    Stopped,
}

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> io::Error {
        io::Error::other(lost)
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|done| done.unwrap_or(Err(Lost::Stopped)))
    }
}

/// Does something on a thread that may wait. Must be called inside the runtime.
pub fn spawn<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Job<T> {
    let (sender, result) = oneshot::channel();
    offer(&Handle::current(), move || {
        let done = catch_unwind(AssertUnwindSafe(job)).map_err(|_| Lost::Panicked);
        // Nobody need wait for it.
        let _ = sender.send(done);
    });
    Job(result)
}

/// Whether this thread is in the midst of what panics when no thread can be started: that is caught, and told in the log
/// as what it is.
pub fn is_offering() -> bool {
    OFFERING.get()
}

/// Gives a job to the pool, or has it wait for threads.
fn offer(runtime: &Handle, job: impl FnOnce() + Send + 'static) {
    if shortage().tried.is_none() {
        give(runtime, job);
        return;
    }
    let pool = runtime.clone();
    runtime.spawn(async move {
        while !shortage().is_over(try_thread) {
            sleep(AGAIN).await;
        }
        sleep(TRIAL_ENDS).await;
        give(&pool, job);
    });
}

/// Gives a job to the pool, which panics where it has no thread and can start none. The job is in its queue all the same,
/// and done as soon as there is a thread: each new job begins one.
fn give(runtime: &Handle, job: impl FnOnce() + Send + 'static) {
    OFFERING.set(true);
    let given = catch_unwind(AssertUnwindSafe(|| drop(runtime.spawn_blocking(job))));
    OFFERING.set(false);
    if let Err(panic) = given {
        let why = panic.downcast_ref::<String>().map_or("", String::as_str);
        shortage().begin(&why);
        offer(runtime, nothing);
    }
}

/// Begins a thread, and what is in the queue before it.
fn nothing() {}

/// Tries whether a thread can be started, by one that does nothing and has ended when this returns.
///
/// # Errors
///
/// What the system says.
pub fn try_thread() -> io::Result<()> {
    let thread = thread::Builder::new().spawn(|| ())?;
    thread.join().map_err(|_| Lost::Panicked.into())
}

fn shortage() -> MutexGuard<'static, Shortage> {
    SHORTAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether threads can be started.
#[derive(Debug)]
struct Shortage {
    /// When it was last tried in vain; `None`: they can.
    tried: Option<Instant>,
    logged: Option<Instant>,
}

impl Shortage {
    fn begin(&mut self, why: &dyn fmt::Display) {
        let now = Instant::now();
        self.tried = Some(now);
        if self.logged.is_none_or(|at| now - at >= LOG_INTERVAL) {
            self.logged = Some(now);
            warn!("no thread can be started, what needs one waits: {why}");
        }
    }

    /// Whether there is none any more: it is tried now and then, whoever asks.
    fn is_over(&mut self, start: impl FnOnce() -> io::Result<()>) -> bool {
        let Some(tried) = self.tried else {
            return true;
        };
        if tried.elapsed() < TRY_PAUSE {
            return false;
        }
        match start() {
            Ok(()) => self.tried = None,
            Err(error) => self.begin(&error),
        }
        self.tried.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_has_a_result_or_the_reason_why_not() {
        assert_eq!(spawn(|| 7).await, Ok(7));
        let panicking = spawn(|| -> u8 { panic!("on purpose") });
        assert_eq!(panicking.await, Err(Lost::Panicked));
        assert_eq!(spawn(|| 8).await, Ok(8));
    }

    #[tokio::test]
    async fn a_job_is_done_though_nobody_waits() {
        let (sender, done) = oneshot::channel();
        drop(spawn(move || sender.send(9)));
        assert_eq!(done.await, Ok(9));
    }

    #[test]
    fn a_job_that_the_runtime_leaves_behind_is_lost() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build();
        let ended = runtime().unwrap().handle().clone();
        let job = {
            let _inside = ended.enter();
            spawn(|| 1)
        };
        assert_eq!(runtime().unwrap().block_on(job), Err(Lost::Stopped));
    }

    #[test]
    fn a_shortage_ends_when_a_thread_can_be_started() {
        let mut shortage = Shortage {
            tried: None,
            logged: None,
        };
        let none = || Err(io::ErrorKind::WouldBlock.into());
        assert!(shortage.is_over(|| panic!("nothing is to be tried")));
        shortage.begin(&"");
        // So many that wait need not all try.
        assert!(!shortage.is_over(|| panic!("it was tried just now")));
        thread::sleep(TRY_PAUSE);
        assert!(!shortage.is_over(none));
        assert!(!shortage.is_over(|| Ok(())));
        thread::sleep(TRY_PAUSE);
        assert!(shortage.is_over(|| Ok(())) && shortage.is_over(none));
    }
}
