//! The role worker: mail. It runs as its users' uid, can name nothing but their mail, and holds all of their sessions,
//! which so share what they know. A password or a key it never sees.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout, timeout_at};
use tracing::{debug, warn};

use crate::auth::Granted;
use crate::config::Isolate;
use crate::imap::core::Tag;
use crate::lmtp::MESSAGE_MAX;
use crate::net::shutdown::{SESSIONS_GRACE, drain, note_end};
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::confine;
use crate::process::link::{Link, unexpected};
use crate::process::message::{Entry, FromWorker, ToWorker};
use crate::process::nursery::Begun;
use crate::process::privileges;
use crate::process::receive::Mail;
use crate::process::service::Service;
use crate::process::settings::{at_most, session_limits};
use crate::process::start::{FLUSH_GRACE, THREADS_GRACE, Threads, finish, start, tell_confinement};
use crate::process::users::Users;
use crate::process::way;
use crate::session::Handover;

/// How long login may take to say who comes.
const ENTRY_LIMIT: Duration = Duration::from_secs(10);

/// A worker without a session offers to leave after this long: clients come back soon.
const STAYS: Duration = Duration::from_secs(60);

/// How often it looks whether it has one.
const LOOK: Duration = Duration::from_secs(15);

/// What the system says of times and of itself; see READABLE of auth.
const READABLE: &[&str] = &[
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/fs/inotify",
];

/// Serves users until master says stop, or nobody has come for a while.
///
/// # Errors
///
/// Whatever keeps it from beginning, and a link to master that ends or says what may not be said.
pub fn run(begun: Begun) -> Result<(), ServeError> {
    let Begun {
        config,
        setup,
        master,
    } = begun;
    privileges::become_role(setup.ids).map_err(ServeError::system("drop root's rights"))?;
    let files = match &setup.reach {
        Some(reach) => {
            for directory in reach {
                // As the user, and before the rest of the files is out of reach: their first login makes it. If it
                // cannot be made, opening the mail will say why.
                let _ = DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(directory);
            }
            confine::to_directories(reach, READABLE)
        }
        None => Ok(confine::Confined::Wholly),
    };
    // What can be named is these directories, not their names: others that take their place cannot.
    let reached = identities(setup.reach.as_deref().unwrap_or_default());
    let files = files.map_err(ServeError::system("leave other files behind"))?;
    // Landlock holds no change of rights: a worker for one of several users of a uid could change the others'.
    let calls = match config.users.isolate {
        Isolate::Uid => confine::Calls::FilesAndRights,
        Isolate::User => confine::Calls::Files,
    };
    let calls = confine::to_calls(calls).map_err(ServeError::system("filter system calls"))?;
    let threads = match setup.crowded {
        true => Threads::Many,
        false => Threads::Few,
    };
    let (log, runtime) = start(config.log.level, threads)?;
    tell_confinement("files", files);
    tell_confinement("system calls", calls);
    let result = runtime.block_on(async {
        let master = Link::new(master).map_err(ServeError::system("reach master"))?;
        let (stop_sender, stop) = watch::channel(false);
        let (own_uid, limits) = (privileges::own_uid(), session_limits(&config));
        let most = config.mail.max_message_size.limit().unwrap_or(MESSAGE_MAX);
        let users = Users::new(
            at_most(config.limits.connections_per_user),
            Box::new(move |granted| accounts::of_granted(&config, own_uid, granted)),
        );
        let service = Service {
            users: Arc::clone(&users),
            limits,
            stop,
        };
        let mail = Arc::new(Mail::new(Arc::clone(&users), most));
        let closing = tokio::spawn(Arc::clone(&users).close_unused());
        let mut sessions = JoinSet::new();
        let ready = FromWorker::Ready(reached);
        let ready = master.send(&ready, &[]).await;
        ready.map_err(ServeError::system("reach master"))?;
        let heard = hear(&master, service, mail, &mut sessions).await;
        closing.abort();
        stop_sender.send_replace(true);
        let deadline = Instant::now() + SESSIONS_GRACE;
        let cut_off = drain(&mut sessions, SESSIONS_GRACE).await;
        if cut_off > 0 {
            warn!(sessions = cut_off, "cut off: they did not end in time");
        }
        if timeout_at(deadline + FLUSH_GRACE, users.flush())
            .await
            .is_err()
        {
            warn!("the last changes did not reach the disk in time");
        }
        heard.map_err(ServeError::system("hear master"))
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

/// Device and inode of each of these directories; 0 for one that is not there.
pub fn identities(directories: &[PathBuf]) -> Vec<(u64, u64)> {
    let identity = |directory: &PathBuf| {
        let found = fs::metadata(directory);
        found.map_or((0, 0), |found| (found.dev(), found.ino()))
    };
    directories.iter().map(identity).collect()
}

/// Does what master says, until that is to leave or to stop.
async fn hear(
    master: &Link,
    service: Service,
    mail: Arc<Mail>,
    sessions: &mut JoinSet<()>,
) -> io::Result<()> {
    let mut look = interval(LOOK);
    let mut served = 0u64;
    let mut idle = Some(Instant::now());
    let mut leaving = false;
    while !(leaving && sessions.is_empty()) {
        tokio::select! {
            biased;
            order = master.receive() => match order? {
                Some((ToWorker::Serve(granted), mut descriptors)) => {
                    served += 1;
                    // Without room for a descriptor it does not come along, and nobody does.
                    let Some(line) = descriptors.pop() else {
                        warn!("a session has lost its way: out of descriptors");
                        continue;
                    };
                    idle = None;
                    let service = service.clone();
                    sessions.spawn(async move {
                        if let Err(error) = serve(service, granted, line).await {
                            debug!("session not begun: {error}");
                        }
                    });
                }
                Some((ToWorker::Receive(granted), mut descriptors)) => {
                    served += 1;
                    let Some(line) = descriptors.pop() else {
                        warn!("mail has lost its way: out of descriptors");
                        continue;
                    };
                    idle = None;
                    let mail = Arc::clone(&mail);
                    sessions.spawn(async move {
                        if let Err(error) = mail.receive(granted, line).await {
                            debug!("mail given up: {error}");
                        }
                    });
                }
                Some((ToWorker::Leave, _)) => leaving = true,
                Some((ToWorker::Stop, _)) | None => return Ok(()),
            },
            Some(ended) = sessions.join_next() => {
                note_end(ended);
                if sessions.is_empty() {
                    idle = Some(Instant::now());
                }
            }
            _ = look.tick() => {
                if idle.is_some_and(|since| since.elapsed() >= STAYS) {
                    master.send(&FromWorker::Idle(served), &[]).await?;
                }
            }
        }
    }
    Ok(())
}

/// One session, on the line that leads to login.
async fn serve(service: Service, granted: Granted, line: OwnedFd) -> io::Result<()> {
    let mut line = way::line(line)?;
    // In boxes, as all that a session that waits is past of, or has before it.
    let (entry, tcp) = Box::pin(timeout(ENTRY_LIMIT, way::take_in(&mut line))).await??;
    let tag = Tag::new(&entry.tag).ok_or_else(|| unexpected("a tag that is none"))?;
    let peer = entry.peer;
    match tcp {
        Some(tcp) => {
            let tcp = std::net::TcpStream::from(tcp);
            tcp.set_nonblocking(true)?;
            let tcp = TcpStream::from_std(tcp)?;
            let back = service.serve(handover(tcp, tag, granted, entry), peer);
            if let Some(back) = Box::pin(back).await {
                let back = way::send_back(&mut line, back.opening, Some(back.stream.as_fd()));
                Box::pin(back).await?;
            }
        }
        None => {
            let back = service.serve(handover(line, tag, granted, entry), peer);
            if let Some(mut back) = Box::pin(back).await {
                Box::pin(way::send_back(&mut back.stream, back.opening, None)).await?;
            }
        }
    }
    Ok(())
}

fn handover<S>(stream: S, tag: Tag, granted: Granted, entry: Entry) -> Handover<S> {
    Handover {
        stream,
        unread: entry.opening.unread,
        tag,
        passage: granted,
        how: entry.how,
        capability_asked: entry.capability_asked,
        client_id: entry.opening.client_id,
        failed_logins: entry.opening.failed_logins,
    }
}
