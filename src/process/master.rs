//! The role master: it opens ports, holds certificates, starts all other processes and brings them together. Where it
//! is root, it stays so, and therefore reads nothing that a stranger wrote: what it is told is who has logged in.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::auth::Granted;
use crate::config::Config;
use crate::net::shutdown::{Hangup, SESSIONS_GRACE, Signals};
use crate::net::tls::Identities;
use crate::process::ServeError;
use crate::process::certificates;
use crate::process::child::{Child, Event, Gone, Said, Who};
use crate::process::doors::{Doors, For};
use crate::process::errands;
use crate::process::held;
use crate::process::looks::{Found, Looks, Question};
use crate::process::message::{
    Connection, FromAuth, FromLmtp, FromLogin, FromNursery, Recipient, ToAuth, ToLmtp, ToLogin,
    ToNursery, ToWorker,
};
use crate::process::place::Places;
use crate::process::ports::Port;
use crate::process::privileges;
use crate::process::roles::{self, Roles};
use crate::process::settings::at_most;
use crate::process::single::LOCAL_NAMES;
use crate::process::start::{
    FLUSH_GRACE, THREADS_GRACE, Threads, finish, hostname, start, warn_of_few_descriptors,
};
use crate::process::workers::{Line, Lost, Workers};

mod children;

/// Events that may wait.
const EVENTS: usize = 256;

/// A process that ends by itself is started again after this long.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves by a configuration until a signal says stop.
///
/// # Errors
///
/// Whatever keeps it from beginning; what fails later is logged.
pub fn serve(config: Config) -> Result<(), ServeError> {
    privileges::keep_descriptors();
    privileges::see_children().map_err(ServeError::system("see how processes end"))?;
    let places = Places::new(&config)?;
    let roles = Roles::new(!config.listen.lmtp.is_empty());
    let hostname = hostname(&config);
    let mut names = vec![hostname.as_str()];
    names.extend(LOCAL_NAMES);
    let identities = certificates::read(&config.tls, &names)?;
    let ports = Port::bind_all(&config)?;
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    privileges::hide().map_err(ServeError::system("keep others from looking in"))?;
    let (log, runtime) = start(config.log.level, Threads::Few)?;
    if config.tls.certificate.is_none() {
        warn!("no tls.certificate: a self-signed one is used, which clients will not trust");
    }
    certificates::warn_of_times(&config.tls, &identities);
    if !roles.missing.is_empty() {
        warn!("{}", roles::of_missing(&roles.missing));
    }
    warn_of_few_descriptors(&config.limits);
    let result = runtime.block_on(async {
        let signals =
            Signals::catch(Hangup::IsNoted).map_err(ServeError::system("catch signals"))?;
        let (events, happened) = mpsc::channel(EVENTS);
        let workers = Workers::new(at_most(config.limits.connections));
        let doors = Doors::new(&config);
        let mut master = Master {
            config,
            roles,
            places,
            ports,
            identities,
            events,
            login: None,
            auth: None,
            lmtp: None,
            nursery: None,
            nursery_begun: Instant::now(),
            workers,
            looks: Looks::new(),
            next: 0,
            served: Vec::new(),
            proofs: 0,
            doors,
        };
        master.begin().await?;
        let (files, serving) = (master.config.tls.clone(), master.identities.clone());
        tokio::spawn(certificates::watch(files, serving, master.events.clone()));
        master.run(happened, signals).await
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

/// A process that has been there for so long was well.
const WELL: Duration = Duration::from_secs(10);

/// How long those may take to end that are killed.
const KILLED: Duration = Duration::from_secs(1);

struct Master {
    config: Config,
    roles: Roles,
    places: Places,
    ports: Vec<Port>,
    /// The certificates that there are now.
    identities: Identities,
    events: mpsc::Sender<Event>,
    login: Option<Child<ToLogin>>,
    auth: Option<Child<ToAuth>>,
    lmtp: Option<Child<ToLmtp>>,
    nursery: Option<Child<ToNursery>>,
    /// When it was started.
    nursery_begun: Instant,
    /// And who waits for them, by name for the log.
    workers: Workers<(Whom, String)>,
    looks: Looks<(Whom, Granted)>,
    /// The next process's number.
    next: u32,
    /// Which of login, auth, lmtp and the nursery have come to serve, at whatever time.
    served: Vec<Who>,
    /// How many passwords are being checked.
    proofs: usize,
    /// Where MTAs come in.
    doors: Doors,
}

/// Who waits for a worker: a connection of the login process of this number, or a recipient of an lmtp process.
#[derive(Clone, Copy, Debug)]
enum Whom {
    Session(u32, Connection),
    Mail(u32, Recipient),
}

impl Whom {
    fn order(self, granted: Granted) -> ToWorker {
        match self {
            Whom::Session(..) => ToWorker::Serve(granted),
            Whom::Mail(..) => ToWorker::Receive(granted),
        }
    }
}

fn hung() -> ServeError {
    ServeError::system("find the mail")(io::ErrorKind::TimedOut.into())
}

impl Master {
    /// Starts what is always there.
    async fn begin(&mut self) -> Result<(), ServeError> {
        let doing = "start a process";
        let nursery = self.start_nursery().await;
        nursery.map_err(ServeError::system(doing))?;
        self.start_auth().await.map_err(ServeError::system(doing))?;
        self.open_doors(true);
        if self.doors.have(For::Lmtp) {
            self.start_lmtp().await.map_err(ServeError::system(doing))?;
        }
        self.start_login().await.map_err(ServeError::system(doing))
    }

    async fn run(
        &mut self,
        mut happened: mpsc::Receiver<Event>,
        mut signals: Signals,
    ) -> Result<(), ServeError> {
        loop {
            let event = tokio::select! {
                name = signals.stop() => {
                    info!(signal = name, "stopping");
                    break;
                }
                event = happened.recv() => event,
            };
            match event {
                Some(Event::Said(who, number, said, descriptor)) => {
                    self.hear(&who, number, (said, descriptor)).await;
                }
                Some(Event::Gone(gone)) => self.lose(gone)?,
                Some(Event::Again(who)) => self.again(&who).await,
                Some(Event::Overdue(number)) => self.overdue(number),
                Some(Event::Looked(question, found)) => self.looked(&question, found),
                Some(Event::Sockets) => self.open_doors(false),
                Some(Event::Certificates(identities)) => self.renew(identities),
                None => break,
            }
        }
        self.stop(happened, signals).await;
        Ok(())
    }

    fn number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    async fn hear(&mut self, who: &Who, number: u32, (said, descriptor): (Said, Option<OwnedFd>)) {
        match said {
            Said::Login(FromLogin::Ready)
            | Said::Auth(FromAuth::Ready)
            | Said::Lmtp(FromLmtp::Ready)
            | Said::Nursery(FromNursery::Ready) => {
                if !self.served.contains(who) {
                    self.served.push(who.clone());
                }
            }
            Said::Auth(_) if self.auth.as_ref().is_none_or(|auth| auth.number != number) => {}
            Said::Auth(FromAuth::Granted(login, connection, granted)) => {
                self.look(Whom::Session(login, connection), granted);
            }
            Said::Auth(FromAuth::Found(lmtp, recipient, granted)) => {
                self.look(Whom::Mail(lmtp, recipient), granted);
            }
            Said::Auth(FromAuth::Open(question, source, user)) => {
                let source = self.source(source).cloned();
                if let Some(auth) = &self.auth {
                    tokio::spawn(errands::open(auth.teller(), question, source, user));
                }
            }
            Said::Auth(FromAuth::Prove(question, source)) => {
                let (error, link) = match self.start_proof(source).await {
                    Ok(link) => (None, Some(link)),
                    Err(error) => {
                        error!("nobody can be started to check a password: {error}");
                        (error.raw_os_error(), None)
                    }
                };
                if let Some(auth) = &self.auth {
                    auth.tell(ToAuth::Here(question, error), link);
                }
            }
            Said::Nursery(said) => self.hear_nursery(said, descriptor),
            Said::Worker(said) => {
                for ((whom, user), line) in self.workers.hear(number, said) {
                    self.answer(whom, &user, Ok(line));
                }
            }
        }
    }

    fn hear_nursery(&mut self, said: FromNursery, descriptor: Option<OwnedFd>) {
        match said {
            FromNursery::Ready => {}
            FromNursery::Begun(worker) => self.workers.begun(worker, descriptor),
            FromNursery::Ended(worker, status) => self.workers.end(worker, held::ended(status)),
            FromNursery::Unborn(worker, error) => {
                let error = io::Error::from_raw_os_error(error);
                self.workers.end(worker, Err(error));
            }
        }
    }

    /// A worker has had its time to begin: who waits for it hears that it does not.
    fn overdue(&mut self, number: u32) {
        let (waiting, nursery_hangs) = self.workers.overdue(number);
        if nursery_hangs && let Some(nursery) = &self.nursery {
            nursery.end();
        }
        for (whom, user) in waiting {
            let late = io::ErrorKind::TimedOut.into();
            self.answer(whom, &user, Err(ServeError::system("start a worker")(late)));
        }
    }

    fn lose_nursery(&mut self) {
        self.nursery = None;
        self.workers.orphan();
    }

    /// Has the mail of somebody who was let in looked at.
    fn look(&mut self, whom: Whom, granted: Granted) {
        if !self.is_here(&whom) {
            return;
        }
        let user = granted.user.clone();
        let begun = match self.places.of(&self.config, granted) {
            Ok((place, granted, root)) => {
                let errand = (whom, granted);
                let begun = self.looks.begin((place, root), errand, &self.events);
                begun.map_err(|_| hung())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = begun {
            self.answer(whom, &user, Err(error));
        }
    }

    /// The mail has been looked at, or not in time: brings those together with a worker who wait for that.
    fn looked(&mut self, question: &Question, found: Option<io::Result<Found>>) {
        for (whom, granted) in self.looks.end(question, found.is_some()) {
            if !self.is_here(&whom) {
                continue;
            }
            let user = granted.user.clone();
            match &found {
                Some(Ok(found)) => self.seat(found.clone(), whom, (user, granted)),
                Some(Err(error)) => {
                    let error = io::Error::from(error.kind());
                    let error = ServeError::system("find the mail")(error);
                    self.answer(whom, &user, Err(error));
                }
                None => self.answer(whom, &user, Err(hung())),
            }
        }
    }

    /// Gives somebody a line to the worker that serves in this place, at once or when it has begun.
    fn seat(&mut self, found: Found, whom: Whom, (user, granted): (String, Granted)) {
        let number = self.number();
        let (nursery, events) = (self.nursery.as_ref(), &self.events);
        let errand = ((whom, user), whom.order(granted));
        match self.workers.send(nursery, found, errand, number, events) {
            Ok(Some(((whom, user), line))) => self.answer(whom, &user, Ok(line)),
            Ok(None) => {}
            Err(((whom, user), error)) => self.answer(whom, &user, Err(error)),
        }
    }

    /// Whether the process that somebody has come to is the one that is there now.
    fn is_here(&self, whom: &Whom) -> bool {
        match whom {
            Whom::Session(number, _) => {
                let login = self.login.as_ref();
                login.is_some_and(|here| here.number == *number)
            }
            Whom::Mail(number, _) => {
                let lmtp = self.lmtp.as_ref();
                lmtp.is_some_and(|here| here.number == *number)
            }
        }
    }

    /// Gives somebody a line to a worker, or none.
    fn answer(&self, whom: Whom, user: &str, line: Result<Line, ServeError>) {
        match whom {
            Whom::Session(_, connection) => {
                let Some(login) = &self.login else { return };
                match line {
                    Ok((_, line)) => login.tell(ToLogin::Enter(connection), Some(line)),
                    Err(error) => {
                        error!(user, "login refused: {error}");
                        login.tell(ToLogin::Refuse(connection), None)
                    }
                };
            }
            Whom::Mail(_, recipient) => {
                let Some(lmtp) = &self.lmtp else { return };
                match line {
                    Ok((worker, line)) => lmtp.tell(ToLmtp::Enter(recipient, worker), Some(line)),
                    Err(error) => {
                        error!(user, "mail refused: {error}");
                        lmtp.tell(ToLmtp::Refuse(recipient), None)
                    }
                };
            }
        }
    }

    /// A process has ended that was not told to.
    fn lose(&mut self, gone: Gone) -> Result<(), ServeError> {
        let Gone { who, number, how } = gone;
        match &who {
            Who::Login
                if self
                    .login
                    .as_ref()
                    .is_some_and(|login| login.number == number) =>
            {
                self.login = None;
            }
            Who::Auth if self.auth.as_ref().is_some_and(|auth| auth.number == number) => {
                self.auth = None;
            }
            Who::Lmtp if self.lmtp.as_ref().is_some_and(|lmtp| lmtp.number == number) => {
                self.lmtp = None;
            }
            Who::Nursery => self.lose_nursery(),
            Who::Worker(_) => {
                self.lose_worker(&who, number, &how);
                return Ok(());
            }
            Who::Proof => {
                self.proofs = self.proofs.saturating_sub(1);
                return Ok(());
            }
            Who::Login | Who::Auth | Who::Lmtp => return Ok(()),
        }
        if !self.served.contains(&who) {
            return Err(ServeError::Usage(format!("{who} could not begin: {how}")));
        }
        error!("{who} has ended and is started again: {how}");
        // Without the nursery users are turned away: one that was well is started at once.
        let was_well = who == Who::Nursery && self.nursery_begun.elapsed() > WELL;
        let pause = if was_well { Duration::ZERO } else { PAUSE };
        let events = self.events.clone();
        tokio::spawn(async move {
            sleep(pause).await;
            // Master is gone, too, if nobody hears it.
            let _ = events.send(Event::Again(who)).await;
        });
        Ok(())
    }

    fn lose_worker(&mut self, who: &Who, number: u32, how: &str) {
        let Some(Lost { told, waiting }) = self.workers.lose(number) else {
            return;
        };
        if waiting.is_empty() && !told {
            error!("{who} has ended, and its sessions with it: {how}");
        }
        for (whom, user) in waiting {
            let error = ServeError::Usage(format!("{who} could not begin: {how}"));
            self.answer(whom, &user, Err(error));
        }
    }

    async fn again(&mut self, who: &Who) {
        let started = match who {
            Who::Login => self.start_login().await,
            Who::Auth => self.start_auth().await,
            Who::Lmtp => self.start_lmtp().await,
            Who::Nursery => self.start_nursery().await,
            Who::Worker(_) | Who::Proof => return,
        };
        if let Err(error) = started {
            error!("{who} cannot be started: {error}");
            let (events, who) = (self.events.clone(), who.clone());
            tokio::spawn(async move {
                sleep(PAUSE).await;
                let _ = events.send(Event::Again(who)).await;
            });
        }
    }

    /// Ends in order: everybody is told, and waited for. A second signal ends at once; what is still there is killed.
    async fn stop(&mut self, mut happened: mpsc::Receiver<Event>, mut signals: Signals) {
        self.doors.close();
        if let Some(login) = &self.login {
            login.tell(ToLogin::Stop, None);
        }
        if let Some(lmtp) = &self.lmtp {
            lmtp.tell(ToLmtp::Stop, None);
        }
        self.workers.stop();
        let deadline = Instant::now() + SESSIONS_GRACE + FLUSH_GRACE;
        tokio::select! {
            ended = timeout_at(deadline, self.all_end(&mut happened)) => match ended {
                Ok(()) => info!("stopped"),
                Err(_) => warn!("some processes did not end in time"),
            },
            name = signals.stop() => warn!(signal = name, "stopping at once"),
        }
        if !self.workers.is_empty() {
            self.workers.kill();
            let _ = timeout(KILLED, self.all_end(&mut happened)).await;
        }
        if let Some(auth) = &self.auth {
            auth.tell(ToAuth::Stop, None);
        }
    }

    /// Waits until nobody serves any more. May be cancelled.
    async fn all_end(&mut self, happened: &mut mpsc::Receiver<Event>) {
        while self.login.is_some() || self.lmtp.is_some() || !self.workers.is_empty() {
            match happened.recv().await {
                Some(Event::Gone(Gone { who, number, .. })) => match who {
                    Who::Login => self.login = None,
                    Who::Lmtp => self.lmtp = None,
                    Who::Nursery => self.lose_nursery(),
                    Who::Worker(_) => drop(self.workers.lose(number)),
                    Who::Auth | Who::Proof => {}
                },
                Some(Event::Said(_, _, Said::Nursery(said), descriptor)) => {
                    self.hear_nursery(said, descriptor);
                }
                Some(_) => {}
                None => return,
            }
        }
    }
}
