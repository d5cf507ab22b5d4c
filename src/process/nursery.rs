//! The role nursery: it begins workers, each a fork(2) of itself, at master's word.
//!
//! A worker that were begun by execve(2) would have all of the program's relocated pages, its libraries' and its
//! configuration to itself, some 500 KiB; here all workers share them until they write to them. So the nursery has one
//! thread, holds nothing that a worker may not see, and reads nothing but what master says. What workers share, too, is
//! where things lie in memory (address space layout): one who had taken a worker over would know it of the others. They
//! have nothing that leads from one to another, and login, lmtp and auth, which strangers speak with, have each their own.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal as Caught};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, setsid,
    waitpid,
};

use crate::config::Config;
use crate::net::shutdown::SESSIONS_GRACE;
use crate::process::ServeError;
use crate::process::link::{receive_alone, send_alone, unexpected};
use crate::process::message::{FromNursery, NurserySetup, ToNursery, WorkerSetup};
use crate::process::privileges;
use crate::process::settings;
use crate::process::start::{FLUSH_GRACE, THREADS_GRACE};

/// How long workers may take to end once master is gone.
const LAST_GRACE: Duration = SESSIONS_GRACE
    .saturating_add(FLUSH_GRACE)
    .saturating_add(THREADS_GRACE);

/// What a worker begins with: it is a process of its own by now.
pub struct Begun {
    /// What it needs of the configuration.
    pub config: Config,
    /// What it is.
    pub setup: WorkerSetup,
    /// Its end of its link.
    pub master: OwnedFd,
}

/// One that has been begun and has not been seen to end.
struct Worker {
    number: u32,
    pid: Pid,
    /// Can be read from once it has ended (pidfd_open(2)).
    end: OwnedFd,
}

/// Begins workers until master is gone. Returns in each of them, and at the end with nothing.
///
/// # Errors
///
/// Whatever keeps it from beginning, and a link to master that says what may not be said.
pub fn run(setup: NurserySetup, master: OwnedFd) -> Result<Option<Begun>, ServeError> {
    let config = settings::read(&setup.config)?;
    drop(setup);
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    privileges::keep_to_starting().map_err(ServeError::system("give up rights"))?;
    deaf().map_err(ServeError::system("block signals"))?;
    let doing = "hear master";
    send_alone(&master, &FromNursery::Ready, &[]).map_err(ServeError::system(doing))?;
    let mut workers = Vec::new();
    let heard = obey(&master, &mut workers);
    if let Ok(Some((setup, link))) = heard {
        return Ok(Some(Begun {
            config,
            setup,
            master: link,
        }));
    }
    // Nobody tells it anything any more.
    drop(master);
    last(&mut workers).map_err(ServeError::system("wait for the last workers"))?;
    heard.map_err(ServeError::system(doing))?;
    Ok(None)
}

/// Hears no signal that means stop or reload, and neither does any worker: a terminal or a service manager sends these
/// to all processes, and master alone decides.
fn deaf() -> io::Result<()> {
    let signals: SigSet = [Caught::SIGINT, Caught::SIGTERM, Caught::SIGHUP]
        .into_iter()
        .collect();
    Ok(signals.thread_block()?)
}

/// Does what master says until it is gone. In a worker: gives what it is.
fn obey(master: &OwnedFd, workers: &mut Vec<Worker>) -> io::Result<Option<(WorkerSetup, OwnedFd)>> {
    loop {
        if !await_news(Some(master), workers, None)? {
            for (number, status) in bury(workers)? {
                send_alone(master, &FromNursery::Ended(number, status), &[])?;
            }
            continue;
        }
        let Some((ToNursery(number, setup), mut descriptors)) = receive_alone(master)? else {
            return Ok(None);
        };
        let begun = match descriptors.pop() {
            Some(link) => begin(link),
            // There was no room for it.
            None => Err(Errno::MFILE.into()),
        };
        match begun {
            Ok(Fork::Worker(link)) => {
                // The others are not this one's.
                workers.clear();
                return Ok(Some((setup, link)));
            }
            Ok(Fork::Nursery(pid, end)) => {
                send_alone(master, &FromNursery::Begun(number), &[end.as_fd()])?;
                workers.push(Worker { number, pid, end });
            }
            Err(error) => {
                let error = error.raw_os_error().unwrap_or(0);
                send_alone(master, &FromNursery::Unborn(number, error), &[])?;
            }
        }
    }
}

/// Waits until `master` says something (`true`), or a worker has ended or the time is over.
fn await_news(
    master: Option<&OwnedFd>,
    workers: &[Worker],
    most: Option<&Timespec>,
) -> io::Result<bool> {
    let ends = workers.iter().map(|worker| &worker.end);
    let mut awaited: Vec<PollFd<'_>> = ends
        .chain(master)
        .map(|end| PollFd::new(end, PollFlags::IN))
        .collect();
    match poll(&mut awaited, most) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    // Those that have ended come first: who is there is never known too late.
    let mut ended = awaited.iter().map(|one| !one.revents().is_empty());
    let workers_ended = ended.by_ref().take(workers.len()).any(|ended| ended);
    Ok(!workers_ended && ended.next().unwrap_or(false))
}

/// Forgets those that have ended; gives their numbers and statuses.
fn bury(workers: &mut Vec<Worker>) -> io::Result<Vec<(u32, i32)>> {
    let mut ended = Vec::new();
    let mut left = Vec::with_capacity(workers.len());
    for worker in workers.drain(..) {
        match waitpid(Some(worker.pid), WaitOptions::NOHANG)? {
            Some((_, status)) => ended.push((worker.number, status.as_raw())),
            None => left.push(worker),
        }
    }
    *workers = left;
    Ok(ended)
}

/// Which of two processes this is.
enum Fork {
    /// The one that was; what the other is seen by.
    Nursery(Pid, OwnedFd),
    /// The new one, with its link.
    Worker(OwnedFd),
}

/// Begins a worker, at this end of its link.
fn begin(link: OwnedFd) -> io::Result<Fork> {
    let Some(pid) = fork()? else {
        // As every process of the server: a terminal is master's alone.
        let _ = setsid();
        return Ok(Fork::Worker(link));
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(end) => Ok(Fork::Nursery(pid, end)),
        // One whose end cannot be seen is none. It has not been buried, so the number is its own.
        Err(error) => {
            kill_process(pid, Signal::KILL)?;
            waitpid(Some(pid), WaitOptions::empty())?;
            Err(error.into())
        }
    }
}

/// Gives those that are there time to end, and no more.
fn last(workers: &mut Vec<Worker>) -> io::Result<()> {
    let begun = Instant::now();
    while let Some(left) = LAST_GRACE.checked_sub(begun.elapsed())
        && !workers.is_empty()
    {
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        await_news(None, workers, Some(&left))?;
        bury(workers)?;
    }
    for worker in workers {
        // Whom it may not end, or who has ended.
        let _ = pidfd_send_signal(&worker.end, Signal::KILL);
    }
    Ok(())
}

/// Two processes where one was; `None` in the new one.
#[allow(unsafe_code, reason = "there is no safe function for it")]
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: what fork(2) endangers is what other threads were about to do, and this process has one thread: it is begun
    // by execve(2), has started none, and what it calls (reading a configuration, poll(2), messages) starts none.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Pid::from_raw(pid)
            .map(Some)
            .ok_or_else(|| unexpected("a process without a number")),
    }
}
