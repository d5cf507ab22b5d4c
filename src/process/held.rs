//! What master can do with a process that has been started for it: end it, and see its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

/// A process.
pub enum Held {
    /// Master's own child.
    Own(tokio::process::Child),
    /// A worker, which is the nursery's.
    Nursed(Nursed),
}

/// How a worker ended: its status, or why it was not begun.
pub type WorkersEnd = io::Result<ExitStatus>;

/// What a worker is ended by, and its end is seen (pidfd_open(2)), once it has been begun.
pub type Handle = Arc<OnceLock<OwnedFd>>;

/// A worker, as master holds it.
pub struct Nursed {
    /// Where it can be got hold of.
    pub handle: Handle,
    /// Its end. Nobody is left to say it where the nursery has ended first.
    pub end: oneshot::Receiver<WorkersEnd>,
}

/// The end of a process by this status of wait(2).
pub fn ended(status: i32) -> WorkersEnd {
    Ok(ExitStatus::from_raw(status))
}

/// Ends a worker at once. It may have ended by itself; and one that has not begun will find nobody there.
pub fn kill(handle: &Handle) {
    if let Some(process) = handle.get() {
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
}

impl Held {
    /// Ends it at once. It may have ended by itself meanwhile.
    pub fn kill(&mut self) {
        match self {
            Held::Own(child) => {
                let _ = child.start_kill();
            }
            Held::Nursed(worker) => kill(&worker.handle),
        }
    }

    /// How it has ended, once it has. May be cancelled.
    pub async fn wait(&mut self) -> String {
        let end = match self {
            Held::Own(child) => child.wait().await,
            Held::Nursed(worker) => match (&mut worker.end).await {
                Ok(end) => end,
                Err(_) => {
                    let seen = over(&worker.handle).await;
                    return seen.map_or_else(|error| error.to_string(), |()| UNSEEN.to_owned());
                }
            },
        };
        end.map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

/// What is said of the end of a worker whose parent has ended.
const UNSEEN: &str = "nobody has seen how";

/// Resolves once a worker is no more, or never was.
#[allow(unsafe_code, reason = "there is no safe function for it")]
async fn over(handle: &Handle) -> io::Result<()> {
    if let Some(process) = handle.get() {
        let (process, interest) = (process.as_fd(), Interest::READABLE);
        // SAFETY: the descriptor stays the same and open for as long as it is borrowed here: a handle is set once, and
        // closes it when it is dropped.
        let process = unsafe { AsyncFd::register_with_interest(process, interest) }?;
        drop(process.readable().await?);
    }
    Ok(())
}
