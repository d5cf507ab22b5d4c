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
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tracing::error;

use crate::net::tls::Identities;
use crate::process::auth::PROOF_LIMIT;
use crate::process::held::Held;
use crate::process::link::{self, Link};
use crate::process::looks::{Found, Question};
use crate::process::message::{FromAuth, FromLmtp, FromLogin, FromNursery, FromWorker, Setup};
use crate::process::place::Place;

/// What is run: the program that runs, even if a newer one has taken its name.
const PROGRAM: &str = "/proc/self/exe";

/// Of the environment the child gets nothing but this.
const VARIABLES: &[&str] = &["JOURNAL_STREAM", "TZ"];

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
    /// Lmtp.
    Lmtp,
    /// The one that begins workers.
    Nursery,
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
            Who::Lmtp => f.write_str("the lmtp process"),
            Who::Nursery => f.write_str("the process that starts workers"),
            Who::Worker(place) => write!(f, "the worker of {place}"),
            Who::Proof => f.write_str("a process that checks a password"),
        }
    }
}

/// What happens to master.
#[derive(Debug)]
pub enum Event {
    /// The process of this number has said something, and has sent a descriptor with it.
    Said(Who, u32, Said, Option<OwnedFd>),
    /// One has ended.
    Gone(Gone),
    /// It is time to start one again.
    Again(Who),
    /// The worker of this number has had its time to begin.
    Overdue(u32),
    /// Certificates have been renewed.
    Certificates(Identities),
    /// A look at a user's mail has found this, or nothing; `None`: it is late and goes on.
    Looked(Question, Option<io::Result<Found>>),
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
    /// Lmtp.
    Lmtp(FromLmtp),
    /// The nursery.
    Nursery(FromNursery),
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
    /// It is not well, and is to be ended.
    ill: Arc<Notify>,
}

impl<M: Serialize + Send + Sync + 'static> Child<M> {
    /// Starts a process, tells it what it is and whatever `identities` there are for it, and has all that it says sent to
    /// `events`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn start<H: DeserializeOwned + Send + 'static>(
        who: Who,
        number: u32,
        (setup, identities): (&Setup, &Identities),
        descriptors: &[BorrowedFd<'_>],
        events: &mpsc::Sender<Event>,
        wrap: fn(H) -> Said,
    ) -> io::Result<Child<M>> {
        let (here, there) = link::pair()?;
        let name = match who {
            Who::Login => "login",
            Who::Auth => "auth",
            Who::Lmtp => "lmtp",
            // Workers keep the name that the nursery was started by.
            Who::Nursery | Who::Worker(_) => "worker",
            Who::Proof => "proof",
        };
        let variables = VARIABLES
            .iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let process = Command::new(PROGRAM)
            .arg0("culver")
            .args(["role", name])
            .env_clear()
            .envs(variables)
            .stdin(Stdio::from(there))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let link = Link::new(here)?;
        link.send(setup, descriptors).await?;
        for piece in identities.pieces() {
            link.send(&piece, &[]).await?;
        }
        let process = Held::Own(process);
        Ok(Child::attend(who, number, (link, process), events, wrap))
    }

    /// Has all that a process says sent to `events`, and its end.
    pub fn attend<H: DeserializeOwned + Send + 'static>(
        who: Who,
        number: u32,
        (link, mut process): (Link, Held),
        events: &mpsc::Sender<Event>,
        wrap: fn(H) -> Said,
    ) -> Child<M> {
        let link = Arc::new(link);
        let (queue, mut waiting) = mpsc::channel::<(M, Option<OwnedFd>)>(QUEUE);
        let (out, events) = (Arc::clone(&link), events.clone());
        let ill = Arc::new(Notify::new());
        let gone_ill = Arc::clone(&ill);
        let writing = async move {
            while let Some((message, descriptor)) = waiting.recv().await {
                let descriptor = descriptor.as_ref().map(OwnedFd::as_fd);
                out.send(&message, descriptor.as_slice()).await?;
            }
            // Nothing more is to be said; it may say something still.
            std::future::pending::<io::Result<()>>().await
        };
        let limit = (who == Who::Proof).then_some(PROOF_LIMIT + ENDING);
        tokio::spawn(async move {
            let trouble = tokio::select! {
                heard = hear(&link, &who, number, &events, wrap) => heard.err(),
                written = writing => written.err(),
                () = gone_ill.notified() => Some(io::Error::other("it does not do what it is told")),
                () = after(limit) => Some(io::ErrorKind::TimedOut.into()),
            };
            drop(link);
            if let Some(error) = &trouble {
                error!("there is no speaking with {who}, and it is ended: {error}");
                process.kill();
            }
            let how = match timeout(ENDING, process.wait()).await {
                Ok(how) => how,
                Err(_) => {
                    process.kill();
                    process.wait().await
                }
            };
            // Nobody hears it once master is at its end.
            let _ = events.send(Event::Gone(Gone { who, number, how })).await;
        });
        Child { number, queue, ill }
    }

    /// Tells it something; `false`: it does not listen, and is ended for that.
    pub fn tell(&self, message: M, descriptor: Option<OwnedFd>) -> bool {
        let told = self.queue.try_send((message, descriptor));
        if matches!(told, Err(TrySendError::Full(_))) {
            self.end();
        }
        told.is_ok()
    }

    /// Has it ended, for it does not do what it is told.
    pub fn end(&self) {
        self.ill.notify_one();
    }

    /// Another that tells the same process.
    pub fn teller(&self) -> Child<M> {
        Child {
            number: self.number,
            queue: self.queue.clone(),
            ill: Arc::clone(&self.ill),
        }
    }
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
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
        let Some((said, mut descriptors)) = link.receive::<H>().await? else {
            return Ok(());
        };
        let event = Event::Said(who.clone(), number, wrap(said), descriptors.pop());
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
}
