//! The role login: strangers, and TLS. It speaks what is spoken before somebody has logged in, has auth decide, and
//! gives those that are let in to their worker; where TLS is spoken it stays between. It can name no file, and nobody
//! believes what it says of who somebody is.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tracing::{debug, error, warn};
use zeroize::Zeroizing;

use crate::auth::{Line, Mechanism, Secret, Step, Verdict};
use crate::net::listener::Accepted;
use crate::net::shutdown::SESSIONS_GRACE;
use crate::net::stream::Stream;
use crate::net::tls::{Identities, server_config};
use crate::process::ServeError;
use crate::process::certificates;
use crate::process::confine;
use crate::process::connection::{Entrance, Inside, Security};
use crate::process::inquiry::{Inquiries, Inquiry};
use crate::process::link::{Link, unexpected};
use crate::process::message::{Ask, Connection, Entry, FromLogin, LoginSetup, Reply, ToLogin};
use crate::process::ports::{Port, Serving};
use crate::process::privileges;
use crate::process::pump::{Pumped, pump};
use crate::process::settings::{self, mechanisms, minimum_version, session_limits};
use crate::process::start::{THREADS_GRACE, Threads, deaf, finish, start, tell_confinement};
use crate::process::way;
use crate::session::prelogin::{Attempt, Authenticate};
use crate::session::{Handover, Opening, Released};

/// Serves strangers until master says stop.
///
/// # Errors
///
/// Whatever keeps it from beginning, and a link that ends or says what may not be said.
pub fn run(
    setup: LoginSetup,
    master: OwnedFd,
    descriptors: Vec<OwnedFd>,
) -> Result<(), ServeError> {
    let config = settings::read(&setup.config)?;
    let (auth, ports) = unpack(&setup, descriptors)?;
    let identities = certificates::hear(setup.identities, &master)?;
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    let left = setup.ids.map(|_| privileges::leave_files());
    privileges::become_role(setup.ids).map_err(ServeError::system("drop root's rights"))?;
    let files = confine::to_directories(&[], &[]);
    let files = files.map_err(ServeError::system("leave all files behind"))?;
    let confined = confine::to_calls(confine::Calls::Open)
        .map_err(ServeError::system("filter system calls"))?;
    let (log, runtime) = start(config.log.level, Threads::Many)?;
    tell_confinement("files", files);
    tell_confinement("system calls", confined);
    if let Some(Err(error)) = left {
        warn!("strangers are not served in an empty directory: {error}");
    }
    let minimum = minimum_version(config.tls.minimum_version);
    let result = runtime.block_on(async {
        deaf()?;
        let tls = server_config(&identities, minimum)?;
        let (stop_sender, stop) = watch::channel(false);
        let doorkeeper = Doorkeeper::new(auth, read).map_err(ServeError::system("reach auth"))?;
        let master = Link::new(master).map_err(ServeError::system("reach master"))?;
        let (tls_sender, tls) = watch::channel(tls);
        let entrance = Arc::new(Entrance {
            auth: Arc::clone(&doorkeeper),
            tls,
            limits: session_limits(&config),
            plaintext: config.auth.plaintext_without_tls,
            mechanisms: mechanisms(&config),
            stop: stop.clone(),
            refusing: Mutex::default(),
        });
        let serve = move |accepted: Accepted, security: Security| {
            let entrance = Arc::clone(&entrance);
            async move { entrance.serve(accepted, security, &Outwards).await }
        };
        let serving = Serving::begin(
            ports,
            &config.limits,
            &config.listen.proxy_protocol_from,
            &stop,
            serve,
        )?;
        let ready = master.send(&FromLogin::Ready, &[]).await;
        ready.map_err(ServeError::system("reach master"))?;
        let renew = |identities: Identities| match server_config(&identities, minimum) {
            Ok(tls) => drop(tls_sender.send_replace(tls)),
            Err(error) => error!("renewed certificates cannot be used: {error}"),
        };
        let orders = orders(&master, &doorkeeper, renew).await;
        stop_sender.send_replace(true);
        serving.end(SESSIONS_GRACE).await;
        orders.map_err(ServeError::system("hear master"))
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

/// The link to auth comes first, then a socket for each port.
fn unpack(
    setup: &LoginSetup,
    descriptors: Vec<OwnedFd>,
) -> Result<(OwnedFd, Vec<Port>), ServeError> {
    let mut descriptors = descriptors.into_iter();
    let missing = || ServeError::Usage("a socket is missing".to_owned());
    let auth = descriptors.next().ok_or_else(missing)?;
    let ports = setup.ports.iter().map(|(address, implicit)| {
        let socket = descriptors.next().ok_or_else(missing)?;
        Ok(Port {
            socket: socket.into(),
            address: *address,
            security: match implicit {
                true => Security::Implicit,
                false => Security::StartTls,
            },
        })
    });
    Ok((auth, ports.collect::<Result<_, ServeError>>()?))
}

/// Does what master says, until that is to stop.
async fn orders(
    master: &Link,
    doorkeeper: &Arc<Doorkeeper>,
    renew: impl Fn(Identities),
) -> io::Result<()> {
    let mut coming = Identities::default();
    loop {
        let order = tokio::select! {
            order = master.receive() => order?,
            () = doorkeeper.lost() => return Err(unexpected("auth")),
        };
        // Without master nobody could enter any more.
        let Some((order, mut descriptors)) = order else {
            return Ok(());
        };
        match order {
            ToLogin::Auth => match descriptors.pop() {
                Some(link) => doorkeeper.reach(link)?,
                None => warn!("auth has begun anew, but there is no way to it"),
            },
            ToLogin::Enter(connection) => {
                let line = descriptors.pop().map(Verdict::Granted);
                let verdict = line.unwrap_or(Verdict::Unavailable);
                doorkeeper.answer(connection, Step::Verdict(verdict));
            }
            ToLogin::Refuse(connection) => {
                doorkeeper.answer(connection, Step::Verdict(Verdict::Unavailable));
            }
            ToLogin::Renew(piece) => coming.add(piece),
            ToLogin::Renewed => renew(std::mem::take(&mut coming)),
            ToLogin::Stop => return Ok(()),
        }
    }
}

/// Asks auth on behalf of connections, and tells them what comes back: from auth, or from master.
type Doorkeeper = Inquiries<Reply, Step<OwnedFd>>;

/// Whom auth answers, and what.
fn read(reply: Reply) -> (Connection, Step<OwnedFd>) {
    match reply {
        Reply::Challenge(connection, octets) => (connection, Step::Challenge(octets)),
        Reply::Denied(connection) => (connection, Step::Verdict(Verdict::Denied)),
        Reply::Disabled(connection, reason) => {
            (connection, Step::Verdict(Verdict::Disabled(reason)))
        }
        Reply::Unavailable(connection) => (connection, Step::Verdict(Verdict::Unavailable)),
    }
}

impl Authenticate for Arc<Doorkeeper> {
    type Passage = OwnedFd;
    type Attempt = Asked;

    fn begin(&self, mechanism: Mechanism, line: Line) -> Asked {
        Asked {
            inquiry: Inquiries::begin(self),
            first: Some((mechanism, line)),
            over: false,
        }
    }
}

/// A login that auth is asked about.
pub struct Asked {
    inquiry: Inquiry<Reply, Step<OwnedFd>>,
    /// Until auth has heard of it.
    first: Option<(Mechanism, Line)>,
    /// There is a verdict.
    over: bool,
}

impl Asked {
    async fn ask(&mut self, response: Option<Secret>) -> io::Result<()> {
        let connection = self.inquiry.number();
        if let Some((mechanism, line)) = self.first.take() {
            let begin = Ask::Begin(connection, mechanism, line);
            self.inquiry.say(&begin).await?;
        }
        let response = response.map(|secret| Zeroizing::new(secret.expose().to_vec()));
        self.inquiry.say(&Ask::Step(connection, response)).await
    }
}

impl Attempt for Asked {
    type Passage = OwnedFd;

    async fn step(&mut self, response: Option<Secret>) -> Step<OwnedFd> {
        let answer = match self.ask(response).await {
            Ok(()) => self.inquiry.answer().await,
            Err(error) => {
                self.inquiry.tell_failure(&error);
                None
            }
        };
        let step = answer.unwrap_or(Step::Verdict(Verdict::Unavailable));
        self.over = matches!(step, Step::Verdict(_));
        step
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.over && self.first.is_none() {
            let auth = Arc::clone(self.inquiry.auth());
            let cancel = Ask::Cancel(self.inquiry.number());
            tokio::spawn(async move { auth.send(&cancel, &[]).await });
        }
    }
}

/// Whoever has logged in is served by a worker, at the other end of a line.
struct Outwards;

impl Inside<OwnedFd> for Outwards {
    async fn serve(
        &self,
        handover: Handover<Stream, OwnedFd>,
        peer: SocketAddr,
    ) -> Option<Released<Stream>> {
        let Handover {
            stream,
            unread,
            tag,
            passage,
            how,
            capability_asked,
            client_id,
            failed_logins,
        } = handover;
        let entry = Entry {
            tag: tag.as_str().as_bytes().to_vec(),
            capability_asked,
            how,
            opening: Opening {
                greeting: false,
                unread,
                client_id,
                failed_logins,
            },
            peer,
        };
        let served = match stream {
            Stream::Tcp(tcp) => serve_clear(tcp, passage, &entry).await,
            Stream::Tls(tls) => serve_tls(tls, passage, &entry).await,
        };
        served.unwrap_or_else(|error| {
            debug!(%peer, "connection lost: {error}");
            None
        })
    }
}

async fn serve_clear(
    tcp: TcpStream,
    passage: OwnedFd,
    entry: &Entry,
) -> io::Result<Option<Released<Stream>>> {
    let mut line = way::line(passage)?;
    way::send_in(&mut line, entry, Some(tcp.as_fd())).await?;
    // The worker has it; this one would keep the connection open behind its back.
    drop(tcp);
    let Some(tcp) = way::await_end(&mut line).await? else {
        return Ok(None);
    };
    let opening = way::take_back(&mut line).await?;
    let tcp = std::net::TcpStream::from(tcp);
    // A thread of this process must not wait for it, whatever the worker has done to it.
    tcp.set_nonblocking(true)?;
    let tcp = TcpStream::from_std(tcp)?;
    Ok(Some(Released {
        stream: Stream::Tcp(tcp),
        opening,
    }))
}

async fn serve_tls(
    mut tls: Box<tokio_rustls::server::TlsStream<TcpStream>>,
    passage: OwnedFd,
    entry: &Entry,
) -> io::Result<Option<Released<Stream>>> {
    let mut line: UnixStream = way::line(passage)?;
    way::send_in(&mut line, entry, None).await?;
    let kept = match pump(&mut *tls, &mut line).await? {
        Pumped::Over => return Ok(None),
        Pumped::Back(kept) => kept,
    };
    let mut opening = way::take_back(&mut line).await?;
    opening.unread.append(&kept);
    Ok(Some(Released {
        stream: Stream::Tls(tls),
        opening,
    }))
}
