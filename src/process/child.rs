//! A process that master has started: this very program once more, with a link in place of its standard input.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::error;

use crate::process::link::{self, Link};
use crate::process::message::{FromAuth, FromLogin, FromWorker, Setup};
use crate::process::place::Place;

/// What is run: the program that runs, even if a newer one has taken its name.
const PROGRAM: &str = "/proc/self/exe";

/// Of the environment the child gets nothing but this.
const VARIABLES: &[&str] = &["JOURNAL_STREAM", "TZ", "RUST_BACKTRACE"];

/// Messages that may wait for one process; one that does not take them is not well.
const QUEUE: usize = 1024;

/// How long a process may take to end once its link has.
const ENDING: Duration = Duration::from_secs(10);

/// Which process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Login.
    Login,
    /// Auth.
    Auth,
    /// The worker for this place.
    Worker(Place),
    /// One that checks a password.
    Proof,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Login => f.write_str("the login process"),
            Who::Auth => f.write_str("the auth process"),
            Who::Worker(place) => write!(f, "the worker of {place}"),
            Who::Proof => f.write_str("a process that checks a password"),
        }
    }
}

/// What happens to master.
#[derive(Debug)]
pub enum Event {
    /// The process of this number has said something.
    Said(Who, u32, Said),
    /// One has ended.
    Gone(Gone),
    /// It is time to start one again.
    Again(Who),
    /// It is time to look for sockets that could not be opened.
    Sockets,
}

/// What a process has said.
#[derive(Debug)]
pub enum Said {
    /// Login.
    Login(FromLogin),
    /// Auth.
    Auth(FromAuth),
    /// A worker.
    Worker(FromWorker),
}

/// A process that has ended.
#[derive(Debug)]
pub struct Gone {
    /// Which.
    pub who: Who,
    /// Its number.
    pub number: u32,
    /// Why, for the log.
    pub how: String,
}

/// A process that hears `M`.
#[derive(Debug)]
pub struct Child<M> {
    /// Its number; no other has it.
    pub number: u32,
    queue: mpsc::Sender<(M, Option<OwnedFd>)>,
}

impl<M: Serialize + Send + Sync + 'static> Child<M> {
    /// Starts a process, tells it what it is, and has all that it says sent to `events`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn start<H: DeserializeOwned + Send + 'static>(
        who: Who,
        number: u32,
        setup: &Setup,
        descriptors: &[BorrowedFd<'_>],
        events: &mpsc::Sender<Event>,
        wrap: fn(H) -> Said,
    ) -> io::Result<Child<M>> {
        let (here, there) = link::pair()?;
        let name = match who {
            Who::Login => "login",
            Who::Auth => "auth",
            Who::Worker(_) => "worker",
            Who::Proof => "proof",
        };
        let variables = VARIABLES
            .iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let mut process = Command::new(PROGRAM)
            .arg0("culver")
            .args(["role", name])
            .env_clear()
            .envs(variables)
            .current_dir("/")
            .stdin(Stdio::from(there))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let link = Arc::new(Link::new(here)?);
        link.send(setup, descriptors).await?;
        let (queue, mut waiting) = mpsc::channel::<(M, Option<OwnedFd>)>(QUEUE);
        let (out, events) = (Arc::clone(&link), events.clone());
        let writing = tokio::spawn(async move {
            while let Some((message, descriptor)) = waiting.recv().await {
                let descriptor = descriptor.as_ref().map(OwnedFd::as_fd);
                if out.send(&message, descriptor.as_slice()).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let trouble = hear(&link, &who, number, &events, wrap).await.err();
            writing.abort();
            drop(link);
            if let Some(error) = &trouble {
                error!("{who} said what may not be said, and is ended: {error}");
                // It may have ended meanwhile.
                let _ = process.start_kill();
            }
            let status = match timeout(ENDING, process.wait()).await {
                Ok(status) => status,
                Err(_) => {
                    let _ = process.start_kill();
                    process.wait().await
                }
            };
            let gone = Gone {
                who,
                number,
                how: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
            };
            // Nobody hears it once master is at its end.
            let _ = events.send(Event::Gone(gone)).await;
        });
        Ok(Child { number, queue })
    }

    /// Tells it something; `false`: it does not listen.
    pub fn tell(&self, message: M, descriptor: Option<OwnedFd>) -> bool {
        self.queue.try_send((message, descriptor)).is_ok()
    }
}

async fn hear<H: DeserializeOwned>(
    link: &Link,
    who: &Who,
    number: u32,
    events: &mpsc::Sender<Event>,
    wrap: fn(H) -> Said,
) -> io::Result<()> {
    loop {
        let Some((said, _)) = link.receive::<H>().await? else {
            return Ok(());
        };
        let event = Event::Said(who.clone(), number, wrap(said));
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
}
