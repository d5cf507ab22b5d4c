//! The steps of a start: rights, and then threads. Which of them a server takes,
//! and with what, is in the file of its role.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::config::{Config, Limits, LogLevel};
use crate::process::ServeError;
use crate::process::confine::Confined;
use crate::process::log::Log;
use crate::process::privileges::{self, Ids, SystemUser};

/// Threads that may wait for the disk.
pub const DISK_THREADS: usize = 16;

/// Threads that may wait for others to check a password.
const PATIENT_THREADS: usize = 600;

/// Connections that can be found ready at a time where there is one thread.
const FEW_EVENTS: usize = 64;

/// How long an idle one of them stays.
const DISK_THREAD_STAYS: Duration = Duration::from_secs(2);

/// How long the last writes may take once all sessions are gone, together with what these have left of their time; and
/// then what runs on a thread.
pub const FLUSH_GRACE: Duration = Duration::from_secs(2);
pub const THREADS_GRACE: Duration = Duration::from_millis(500);

/// How many threads carry the tasks of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// As many as there are cores.
    Many,
    /// The same, and many more that wait.
    ManyThatWait,
    /// The one there is.
    Few,
}

/// Begins what needs threads: the log and the runtime. Rights are dropped by now, but in master.
pub fn start(level: LogLevel, threads: Threads) -> Result<(Log, Runtime), ServeError> {
    let log = Log::start(level).map_err(ServeError::system("begin to log"))?;
    Ok((log, runtime(threads)?))
}

/// What carries tasks.
pub fn runtime(threads: Threads) -> Result<Runtime, ServeError> {
    let mut builder = match threads {
        Threads::Many | Threads::ManyThatWait => Builder::new_multi_thread(),
        Threads::Few => Builder::new_current_thread(),
    };
    if threads == Threads::Few {
        // Few connections are ready at a time, and the room for them is never given back.
        builder.max_io_events_per_tick(FEW_EVENTS);
    }
    let waiting = match threads {
        Threads::ManyThatWait => PATIENT_THREADS,
        Threads::Many | Threads::Few => DISK_THREADS,
    };
    builder
        .max_blocking_threads(waiting)
        .thread_keep_alive(DISK_THREAD_STAYS)
        .enable_all()
        .build()
        .map_err(ServeError::system("start threads"))
}

/// Hears no signal that means stop or reload: a terminal or a service manager sends these to all processes, and
/// master alone decides.
pub fn deaf() -> Result<(), ServeError> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        // Once caught, a signal has no other effect any more.
        drop(signal(kind).map_err(ServeError::system("catch signals"))?);
    }
    Ok(())
}

/// Says so where the kernel cannot confine the process as it should be.
pub fn tell_confinement(what: &str, confined: Confined) {
    match confined {
        Confined::Wholly => {}
        Confined::Partly => info!("this kernel confines {what} in part"),
        Confined::NotAtAll => warn!("this kernel cannot confine {what}"),
    }
}

/// Ends what [`start`] began.
pub fn finish(log: &Log, runtime: Runtime, grace: Duration) {
    runtime.shutdown_timeout(grace);
    log.finish();
}

/// Where root was asked to serve a Maildir, the process becomes the Maildir's owner. What is
/// returned is a warning.
pub fn become_owner(maildir: &Path) -> Result<Option<String>, ServeError> {
    if !privileges::is_root() {
        return Ok(None);
    }
    let owner = match fs::metadata(maildir) {
        Ok(metadata) => Ids {
            uid: metadata.uid(),
            // Not the directory's own: a group such as mail gives rights to more than this mail.
            gid: privileges::system_user(metadata.uid()).map_or(metadata.gid(), |user| user.gid),
        },
        // It is made later, by root.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ids { uid: 0, gid: 0 },
        Err(error) => {
            return Err(ServeError::system(format!("look at {}", maildir.display()))(error));
        }
    };
    if owner.uid == 0 {
        return Ok(Some(format!(
            "{} belongs to root, so this server runs as root; better give it an owner",
            maildir.display()
        )));
    }
    privileges::become_user(owner)
        .map_err(ServeError::system(format!("become user {}", owner.uid)))?;
    Ok(None)
}

/// The user the process runs as, by the system or, where that knows no name, by the environment.
pub fn own_user() -> SystemUser {
    let uid = privileges::own_uid();
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    privileges::system_user(uid).unwrap_or_else(|| SystemUser {
        name: variable("USER").unwrap_or_else(|| uid.to_string()),
        gid: privileges::own_gid(),
        home: variable("HOME").unwrap_or_else(|| "/".to_owned()),
    })
}

/// That user's name.
pub fn own_name() -> String {
    own_user().name
}

/// The name of this host.
pub fn hostname(config: &Config) -> String {
    config.hostname.clone().unwrap_or_else(|| {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    })
}

/// Says so at the start if the system allows fewer open files than there may be connections.
pub fn warn_of_few_descriptors(limits: &Limits) {
    // One under TLS has two: its own, and the line to the worker.
    let needed = u64::from(limits.connections).saturating_mul(2);
    if let Some(allowed) = privileges::open_files()
        && allowed <= needed
    {
        warn!(
            allowed,
            needed, "the limit of open files is below twice limits.connections, which TLS needs"
        );
    }
}
