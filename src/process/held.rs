//! What master can do with a process that has been started for it: end it, and see its end.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tokio::sync::oneshot;

use crate::process::child::Child;
use crate::process::message::ToNursery;

/// A process.
pub enum Held {
    /// Master's own child.
    Own(tokio::process::Child),
    /// A worker, which is the nursery's.
    Nursed(Nursed),
}

/// How a worker ended: its status, or why it was not begun.
pub type WorkersEnd = io::Result<ExitStatus>;

/// A worker, as master holds it.
pub struct Nursed {
    /// Its number.
    pub number: u32,
    /// Who can end it.
    pub nursery: Child<ToNursery>,
    /// Its end. Nobody is left to say it where the nursery has ended first.
    pub end: oneshot::Receiver<WorkersEnd>,
}

/// The end of a process by this status of wait(2).
pub fn ended(status: i32) -> WorkersEnd {
    Ok(ExitStatus::from_raw(status))
}

impl Held {
    /// Ends it at once. It may have ended by itself meanwhile.
    pub fn kill(&mut self) {
        match self {
            Held::Own(child) => {
                let _ = child.start_kill();
            }
            Held::Nursed(worker) => {
                worker.nursery.tell(ToNursery::Kill(worker.number), None);
            }
        }
    }

    /// How it has ended, once it has. May be cancelled.
    pub async fn wait(&mut self) -> String {
        let end = match self {
            Held::Own(child) => child.wait().await,
            Held::Nursed(worker) => match (&mut worker.end).await {
                Ok(end) => end,
                Err(_) => return "nobody has seen how".to_owned(),
            },
        };
        end.map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}
