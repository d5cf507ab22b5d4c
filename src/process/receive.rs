//! Mail that a worker is brought: the end of a recipient's line that is in the worker. It takes a message and places it in
//! the user's mail, and gives nothing of that away.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::auth::Granted;
use crate::mailbox::delivery::{Incoming, Target, Whole};
use crate::mailbox::fault::Fault;
use crate::process::link::unexpected;
use crate::process::message::{Bring, Brought, Refused};
use crate::process::users::{Purpose, Seat, Users};
use crate::process::way;

/// How long lmtp may take to say what comes.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Octets that lmtp may put before a message of the largest size: its trace.
const TRACE_MAX: u64 = 16 << 10;

/// What all lines of a worker share.
pub struct Mail {
    users: Arc<Users>,
    /// The largest message, in octets.
    most: Option<u64>,
    /// Messages that are whole, by their numbers, for as long as the line is there that they came by.
    whole: Mutex<HashMap<u64, Arc<Whole>>>,
    next: AtomicU64,
}

/// A message that came by a line. Its number is forgotten with the line.
struct Held {
    mail: Arc<Mail>,
    number: u64,
}

impl Mail {
    /// None yet.
    pub fn new(users: Arc<Users>, most: Option<u64>) -> Mail {
        Mail {
            users,
            most: most.map(|most| most.saturating_add(TRACE_MAX)),
            whole: Mutex::default(),
            next: AtomicU64::default(),
        }
    }

    /// Takes mail for somebody, to the end of the line.
    pub async fn receive(self: &Arc<Self>, granted: Granted, line: OwnedFd) -> io::Result<()> {
        let mut line = way::line(line)?;
        let Bring::Open(mailbox, size) = timeout(OPEN_LIMIT, way::read(&mut line)).await?? else {
            return Err(unexpected("no delivery begins like this"));
        };
        let user = granted.user.as_str();
        let (_seat, target) = match self.open(&granted, mailbox.as_deref(), size).await {
            Ok(open) => open,
            Err(refused) => return way::write(&mut line, &Brought::Refused(refused)).await,
        };
        way::write(&mut line, &Brought::Ready(target.device())).await?;
        let mut held: Option<Held> = None;
        loop {
            match way::read(&mut line).await? {
                Bring::Octets(octets) => {
                    let taken = self.take(&mut line, &target, octets).await?;
                    let answer = match taken {
                        Ok(whole) => {
                            let number = self.next.fetch_add(1, Ordering::Relaxed);
                            self.whole().insert(number, Arc::new(whole));
                            let mail = Arc::clone(self);
                            // It stays for as long as the line does, or until another comes by it.
                            drop(held.replace(Held { mail, number }));
                            Brought::Whole(number)
                        }
                        Err(refused) => Brought::Refused(refused),
                    };
                    way::write(&mut line, &answer).await?;
                }
                Bring::Place(number) => {
                    let whole = self.whole().get(&number).cloned();
                    let whole = whole.ok_or_else(|| unexpected("a message that is not there"))?;
                    let answer = match whole.place(&target).await {
                        Ok(()) => {
                            info!(user, size = whole.size(), "mail has come");
                            Brought::Placed
                        }
                        Err(fault) => Brought::Refused(refused(user, &fault)),
                    };
                    way::write(&mut line, &answer).await?;
                }
                Bring::Open(..) | Bring::End => return Err(unexpected("no message is like this")),
            }
        }
    }

    /// The account, and the mailbox in it.
    async fn open(
        &self,
        granted: &Granted,
        mailbox: Option<&str>,
        size: Option<u64>,
    ) -> Result<(Seat, Target), Refused> {
        let user = granted.user.as_str();
        let seat = match self.users.enter(granted, Purpose::Mail).await {
            Ok(seat) => seat,
            Err(error) => {
                error!(user, "mail refused: {error}");
                return Err(Refused::Fault);
            }
        };
        let target = seat.user().target(mailbox).await;
        let target = target.map_err(|fault| refused(user, &fault))?;
        let tried = target.try_out(size).await;
        tried.map_err(|fault| refused(user, &fault))?;
        Ok((seat, target))
    }

    /// A message that begins with these octets, up to its end. One that cannot be written is heard out all the same.
    async fn take(
        &self,
        line: &mut UnixStream,
        target: &Target,
        first: Vec<u8>,
    ) -> io::Result<Result<Whole, Refused>> {
        let fault = |fault: Fault| refused("", &fault);
        let mut incoming = Incoming::begin(target).await.map_err(fault);
        let (mut octets, mut size) = (first, 0u64);
        loop {
            size = size.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
            if self.most.is_some_and(|most| size > most) {
                incoming = Err(Refused::TooLarge);
            }
            incoming = match incoming {
                Ok(mut incoming) => {
                    let written = incoming.write(octets).await;
                    written.map(|()| incoming).map_err(fault)
                }
                refused => refused,
            };
            octets = match way::read(line).await? {
                Bring::Octets(octets) => octets,
                Bring::End => break,
                Bring::Open(..) | Bring::Place(_) => {
                    return Err(unexpected("no message goes on like this"));
                }
            };
        }
        Ok(match incoming {
            Ok(incoming) => incoming.end().await.map_err(fault),
            Err(refused) => Err(refused),
        })
    }

    fn whole(&self) -> MutexGuard<'_, HashMap<u64, Arc<Whole>>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.mail.whole().remove(&self.number);
    }
}

fn refused(user: &str, fault: &Fault) -> Refused {
    match fault {
        Fault::OverQuota => {
            info!(user, "mail refused: {fault}");
            Refused::OverQuota
        }
        Fault::OverQuotaForNow => {
            info!(user, "mail refused: {fault}");
            Refused::FullForNow
        }
        Fault::DiskQuota(_) => {
            warn!(user, "mail refused: {fault}");
            Refused::FullForNow
        }
        Fault::DiskFull(_) => {
            warn!(user, "mail refused: {fault}");
            Refused::DiskFull
        }
        _ => {
            error!(user, "mail refused: {fault}");
            Refused::Fault
        }
    }
}
