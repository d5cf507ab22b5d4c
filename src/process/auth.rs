//! The role auth: who may log in. It reads what sources say and computes hashes, sees no mail, and tells master, not
//! login, whom a connection belongs to. What it may not do itself it has master do: files of users
//! are given to it, and passwords of the system checked by a process of their own.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, warn};

use crate::auth::userdb::Describe;
use crate::auth::{
    self, Authenticator, Line, Mechanism, Outside, Proof, Question, Secret, Step, Verdict,
};
use crate::config::AuthProtocol;
use crate::net::listener::Seldom;
use crate::net::tls::Identities;
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::believed::Believed;
use crate::process::certificates;
use crate::process::confine;
use crate::process::errands;
use crate::process::link::{Link, unexpected};
use crate::process::message::{Ask, AuthSetup, Connection, FromAuth, Reply, Seek, Sought, ToAuth};
use crate::process::privileges;
use crate::process::settings::{self, mechanisms};
use crate::process::start::{THREADS_GRACE, Threads, deaf, finish, start, tell_confinement};

/// Logins that may be under way at a time for one login process.
const ATTEMPTS_MAX: usize = 16_384;

/// Recipients that may be looked up at a time for one lmtp process; others wait.
const SEEKING_MAX: usize = 256;

/// How long the check of a password of the system may take; its process then ends itself, too.
pub const PROOF_LIMIT: Duration = Duration::from_secs(60);

/// How long master may take to open a file or to start a process.
const ANSWER_LIMIT: Duration = Duration::from_secs(2 * errands::OPEN_LIMIT.as_secs());

/// Connections of MTAs at a time; each of Postfix's smtpd keeps one.
const MTAS_MAX: usize = 2000;

/// How long accepting rests after trouble.
const REST: Duration = Duration::from_millis(100);

/// Where the system keeps what it says of users, and the libraries that ask.
const READABLE: &[&str] = &[
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/run",
    "/var/lib/sss",
    "/var/lib/extrausers",
    "/var/lib/misc",
    "/var/db",
];

/// Answers until master says stop.
///
/// # Errors
///
/// Whatever keeps it from beginning, and a link to master that ends or says what may not be said.
pub fn run(setup: AuthSetup, master: OwnedFd) -> Result<(), ServeError> {
    let config = settings::read(&setup.config)?;
    let identities = certificates::hear(setup.identities, &master)?;
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    privileges::become_role(setup.ids).map_err(ServeError::system("drop root's rights"))?;
    let confined = confine::to_directories(&[], READABLE)
        .map_err(ServeError::system("leave other files behind"))?;
    let calls = confine::to_calls(confine::Calls::FilesAndHost);
    let calls = calls.map_err(ServeError::system("filter system calls"))?;
    let (log, runtime) = start(config.log.level, Threads::ManyThatWait)?;
    tell_confinement("files", confined);
    tell_confinement("system calls", calls);
    let result = runtime.block_on(async {
        deaf()?;
        let master = Link::new(master).map_err(ServeError::system("reach master"))?;
        let outside = Arc::new(ByMaster {
            master: Arc::new(master),
            asked: Mutex::default(),
            next: AtomicU32::default(),
            runtime: Handle::current(),
        });
        let by_master: Arc<dyn Outside> = outside.clone();
        let authenticator = Authenticator::new(&config.auth, config.users.first_uid, &by_master);
        let mtas = Arc::new(Mtas {
            auth: Arc::new(authenticator),
            mechanisms: mechanisms(&config),
            describe: Box::new(move |granted| accounts::described(&config, granted)),
            served: AtomicU64::default(),
            places: Arc::new(Semaphore::new(MTAS_MAX)),
        });
        let believed = Arc::new(Believed::default());
        believed.renew(&identities);
        let heard = hear(&outside, &mtas, &believed).await;
        heard.map_err(ServeError::system("hear master"))
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

async fn hear(outside: &ByMaster, mtas: &Arc<Mtas>, believed: &Arc<Believed>) -> io::Result<()> {
    let mut coming = Identities::default();
    let mut logins = JoinSet::new();
    outside.master.send(&FromAuth::Ready, &[]).await?;
    while let Some((order, mut descriptors)) = outside.master.receive().await? {
        match order {
            ToAuth::Login(number) => {
                let Some(link) = descriptors.pop() else {
                    return Err(unexpected("a login process without a link"));
                };
                let desk = Desk {
                    number,
                    login: Link::new(link)?,
                    master: Arc::clone(&outside.master),
                    auth: Arc::clone(&mtas.auth),
                    believed: Arc::clone(believed),
                };
                logins.spawn(serve(Arc::new(desk)));
            }
            ToAuth::Lmtp(number) => {
                let Some(link) = descriptors.pop() else {
                    return Err(unexpected("an lmtp process without a link"));
                };
                let window = Window {
                    number,
                    lmtp: Link::new(link)?,
                    master: Arc::clone(&outside.master),
                    auth: Arc::clone(&mtas.auth),
                };
                logins.spawn(inform(Arc::new(window)));
            }
            ToAuth::Socket(protocol, place) => {
                let Some(socket) = descriptors.pop() else {
                    return Err(unexpected("a socket is missing"));
                };
                let socket = UnixListener::from_std(socket.into())?;
                logins.spawn(Arc::clone(mtas).accept(socket, protocol, place));
            }
            ToAuth::Here(question, error) => outside.answer(question, error, descriptors.pop()),
            ToAuth::Renew(piece) => coming.add(piece),
            ToAuth::Renewed => believed.renew(&std::mem::take(&mut coming)),
            ToAuth::Stop => return Ok(()),
        }
    }
    Ok(())
}

/// What MTAs are answered with.
struct Mtas {
    auth: Arc<Authenticator>,
    mechanisms: Arc<[Mechanism]>,
    /// What is said of users.
    describe: Box<Describe>,
    /// The number of the last connection.
    served: AtomicU64,
    places: Arc<Semaphore>,
}

impl Mtas {
    /// Serves all that connect to a socket.
    async fn accept(self: Arc<Self>, socket: UnixListener, protocol: AuthProtocol, name: String) {
        let (name, broken) = (Arc::<str>::from(name), Arc::<Mutex<Seldom>>::default());
        loop {
            // Who finds no place waits for one.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                return;
            };
            let stream = match socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!("an MTA cannot be heard: {error}");
                    sleep(REST).await;
                    continue;
                }
            };
            let number = self.served.fetch_add(1, Ordering::Relaxed);
            let (mtas, name) = (Arc::clone(&self), Arc::clone(&name));
            let broken = Arc::clone(&broken);
            tokio::spawn(async move {
                let auth = Arc::clone(&mtas.auth);
                let served = match protocol {
                    AuthProtocol::Client => {
                        auth::mta::serve(stream, auth, &mtas.mechanisms, number).await
                    }
                    AuthProtocol::Userdb => {
                        auth::userdb::serve(stream, auth, mtas.describe.as_ref()).await
                    }
                };
                if let Err(error) = served {
                    tell_end(&name, &broken, &error);
                }
                drop(place);
            });
        }
    }
}

/// Says why a connection of an MTA has ended; now and then, where that was its own fault, for it will come again.
fn tell_end(socket: &str, broken: &Mutex<Seldom>, error: &io::Error) {
    if error.kind() != io::ErrorKind::InvalidData {
        debug!(socket, "an MTA has gone: {error}");
        return;
    }
    let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(times) = broken.is_due() {
        warn!(
            socket,
            times, "an MTA that does not keep to the protocol is cut off: {error}"
        );
    }
}

/// Where one login process is answered.
struct Desk {
    number: u32,
    login: Link,
    master: Arc<Link>,
    auth: Arc<Authenticator>,
    believed: Arc<Believed>,
}

impl Desk {
    /// Says that a login cannot be decided now.
    async fn fail(&self, connection: Connection) -> io::Result<()> {
        self.login.send(&Reply::Unavailable(connection), &[]).await
    }
}

/// A login that is under way.
struct Begun {
    responses: mpsc::Sender<Option<Secret>>,
    task: AbortHandle,
}

/// Answers a login process until its link ends, which it does with the first thing that may not be said.
async fn serve(desk: Arc<Desk>) {
    let mut begun: HashMap<Connection, Begun> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let ask = tokio::select! {
            biased;
            Some(ended) = tasks.join_next() => {
                match ended {
                    Ok(connection) => drop(begun.remove(&connection)),
                    Err(error) => {
                        // Whoever was cancelled is not there any more.
                        let of = |_: &Connection, one: &mut Begun| one.task.id() == error.id();
                        let died = begun.extract_if(of).next();
                        if let Some((connection, _)) = died
                            && desk.fail(connection).await.is_err()
                        {
                            return;
                        }
                    }
                }
                continue;
            }
            ask = desk.login.receive() => ask,
        };
        match ask {
            Ok(Some((Ask::Begin(connection, mechanism, line), _))) => {
                if begun.contains_key(&connection) {
                    error!("login begins twice with one number");
                    return;
                }
                if tasks.len() >= ATTEMPTS_MAX {
                    warn!("too many logins at a time");
                    if desk.fail(connection).await.is_err() {
                        return;
                    }
                    continue;
                }
                let (responses, heard) = mpsc::channel(1);
                let line = Line {
                    // Whatever login says of it.
                    certified: desk.believed.name(&line.shown),
                    ..line
                };
                let attempt = attempt(Arc::clone(&desk), connection, mechanism, line, heard);
                let task = tasks.spawn(attempt);
                begun.insert(connection, Begun { responses, task });
            }
            Ok(Some((Ask::Step(connection, response), _))) => {
                let response = response.map(|octets| Secret::new(octets.to_vec()));
                // One that is over hears nothing, and so does one that has not answered yet.
                if let Some(begun) = begun.get(&connection) {
                    let _ = begun.responses.try_send(response);
                }
            }
            Ok(Some((Ask::Cancel(connection), _))) => {
                if let Some(begun) = begun.remove(&connection) {
                    begun.task.abort();
                }
            }
            Ok(None) => return,
            Err(error) => {
                error!("login cannot be understood: {error}");
                return;
            }
        }
    }
}

/// One login, from its beginning to its verdict.
async fn attempt(
    desk: Arc<Desk>,
    connection: Connection,
    mechanism: Mechanism,
    line: Line,
    mut responses: mpsc::Receiver<Option<Secret>>,
) -> Connection {
    let mut attempt = auth::Attempt::new(Arc::clone(&desk.auth), mechanism, line);
    while let Some(response) = responses.recv().await {
        let step = attempt.step(response.as_ref()).await;
        let reply = match step {
            Step::Challenge(octets) => Reply::Challenge(connection, octets),
            Step::Verdict(Verdict::Denied) => Reply::Denied(connection),
            Step::Verdict(Verdict::Disabled(reason)) => Reply::Disabled(connection, reason),
            Step::Verdict(Verdict::Unavailable) => Reply::Unavailable(connection),
            Step::Verdict(Verdict::Granted(granted)) => {
                let granted = FromAuth::Granted(desk.number, connection, granted);
                if let Err(error) = desk.master.send(&granted, &[]).await {
                    error!("master cannot be told: {error}");
                }
                break;
            }
        };
        let goes_on = matches!(reply, Reply::Challenge(..));
        // A login process that is gone needs no answer.
        if desk.login.send(&reply, &[]).await.is_err() || !goes_on {
            break;
        }
    }
    connection
}

/// Where one lmtp process is answered.
struct Window {
    number: u32,
    lmtp: Link,
    master: Arc<Link>,
    auth: Arc<Authenticator>,
}

/// Answers an lmtp process until its link ends, which it does with the first thing that may not be said.
async fn inform(window: Arc<Window>) {
    let mut seeking = JoinSet::new();
    loop {
        let seek = tokio::select! {
            biased;
            Some(_) = seeking.join_next() => continue,
            seek = window.lmtp.receive(), if seeking.len() < SEEKING_MAX => seek,
        };
        match seek {
            Ok(Some((Seek(recipient, name), _))) => {
                let window = Arc::clone(&window);
                seeking.spawn(async move {
                    let auth = Arc::clone(&window.auth);
                    // In a task of its own: a panic there is an answer, too.
                    let found = tokio::spawn(async move { auth.lookup(name).await }).await;
                    let answer = match found.unwrap_or(Verdict::Unavailable) {
                        Verdict::Granted(granted) => {
                            let found = FromAuth::Found(window.number, recipient, granted);
                            if let Err(error) = window.master.send(&found, &[]).await {
                                error!("master cannot be told: {error}");
                            }
                            return;
                        }
                        Verdict::Denied => Sought::Nobody(recipient),
                        Verdict::Disabled(_) | Verdict::Unavailable => {
                            Sought::Unavailable(recipient)
                        }
                    };
                    // An lmtp process that is gone needs no answer.
                    let _ = window.lmtp.send(&answer, &[]).await;
                });
            }
            Ok(None) => return,
            Err(error) => {
                error!("lmtp cannot be understood: {error}");
                return;
            }
        }
    }
}

/// What a question for a descriptor waits for.
type Answer = oneshot::Sender<io::Result<OwnedFd>>;

/// What auth has master do: open files of users that it may not open itself, and start who checks passwords of the
/// system.
struct ByMaster {
    master: Arc<Link>,
    asked: Mutex<HashMap<u32, Answer>>,
    next: AtomicU32,
    runtime: Handle,
}

impl Outside for ByMaster {
    fn open(&self, source: usize, user: &str, path: &Path) -> io::Result<File> {
        match errands::open_regular(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let ask = |question| Ok(FromAuth::Open(question, number(source)?, user.to_owned()));
                self.runtime.block_on(self.ask(ask)).map(File::from)
            }
            opened => opened,
        }
    }

    fn prove(&self, source: usize, question: Question) -> io::Result<Proof> {
        let ask = |question| Ok(FromAuth::Prove(question, number(source)?));
        let proof = async {
            let link = Link::new(self.ask(ask).await?)?;
            link.send(&question, &[]).await?;
            match link.receive().await? {
                Some((proof, _)) => Ok(proof),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        let in_time = async { timeout(PROOF_LIMIT, proof).await? };
        self.runtime.block_on(in_time)
    }
}

impl ByMaster {
    /// Asks for something that is answered with a descriptor.
    async fn ask(&self, question: impl FnOnce(u32) -> io::Result<FromAuth>) -> io::Result<OwnedFd> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let question = question(number)?;
        let (sender, answer) = oneshot::channel();
        self.asked().insert(number, sender);
        if let Err(error) = self.master.send(&question, &[]).await {
            self.asked().remove(&number);
            return Err(error);
        }
        match timeout(ANSWER_LIMIT, answer).await {
            Ok(answered) => answered.map_err(io::Error::other)?,
            Err(_) => {
                self.asked().remove(&number);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn answer(&self, question: u32, error: Option<i32>, descriptor: Option<OwnedFd>) {
        let answer = match (descriptor, error) {
            (Some(descriptor), _) => Ok(descriptor),
            (None, Some(libc::EINVAL)) => Err(errands::no_file("a FIFO or a device")),
            (None, Some(error)) => Err(io::Error::from_raw_os_error(error)),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        };
        if let Some(sender) = self.asked().remove(&question) {
            // Who asked may have been given up.
            let _ = sender.send(answer);
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u32, Answer>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(source: usize) -> io::Result<u32> {
    u32::try_from(source).map_err(io::Error::other)
}
