//! The role lmtp: MTAs that bring mail. It speaks with them, asks auth who is there, and passes what comes on to the
//! workers that master gives it lines to. It can name no file, it sees no mail but what is just coming, and whom it brings
//! that to others decide.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, getsockname};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::config::Network;
use crate::lmtp::note::Client;
use crate::lmtp::session::{self, Setting};
use crate::lmtp::{Desk, MESSAGE_MAX, Refusal, Wanted};
use crate::net::shutdown::{SESSIONS_GRACE, drain, note_end};
use crate::process::ServeError;
use crate::process::bring::{Carrying, Recipient};
use crate::process::confine;
use crate::process::inquiry::Inquiries;
use crate::process::link::{Link, unexpected};
use crate::process::message::{self, FromLmtp, LmtpSetup, Seek, Sought, ToLmtp};
use crate::process::peers::{Peer, Peers, Seat};
use crate::process::privileges;
use crate::process::settings;
use crate::process::start::{THREADS_GRACE, Threads, deaf, finish, start, tell_confinement};
use crate::process::way;

/// How long accepting rests after trouble.
const REST: Duration = Duration::from_secs(1);

/// Serves MTAs until master says stop.
///
/// # Errors
///
/// Whatever keeps it from beginning, and a link that ends or says what may not be said.
pub fn run(setup: LmtpSetup, master: OwnedFd, descriptors: Vec<OwnedFd>) -> Result<(), ServeError> {
    let config = settings::read(&setup.config)?;
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    let left = setup.ids.map(|_| privileges::leave_files());
    privileges::become_role(setup.ids).map_err(ServeError::system("drop root's rights"))?;
    let files = confine::to_directories(&[], &[]);
    let files = files.map_err(ServeError::system("leave all files behind"))?;
    let confined = confine::to_calls(confine::Calls::Open)
        .map_err(ServeError::system("filter system calls"))?;
    let (log, runtime) = start(config.log.level, Threads::Few)?;
    tell_confinement("files", files);
    tell_confinement("system calls", confined);
    if let Some(Err(error)) = left {
        warn!("MTAs are not served in an empty directory: {error}");
    }
    let result = runtime.block_on(async {
        deaf()?;
        let mut descriptors = descriptors.into_iter();
        let auth = descriptors.next();
        let auth = auth.ok_or_else(|| ServeError::Usage("a socket is missing".to_owned()))?;
        let exchange = Exchange::new(auth, read).map_err(ServeError::system("reach auth"))?;
        let master = Link::new(master).map_err(ServeError::system("reach master"))?;
        let (stop_sender, stop) = watch::channel(false);
        let mut reception = Reception {
            exchange,
            host: setup.host,
            most: config.mail.max_message_size.limit().unwrap_or(MESSAGE_MAX),
            believed: config.listen.xclient_from,
            peers: Peers::new(),
            stop,
            accepting: JoinSet::new(),
        };
        for socket in descriptors {
            let opened = reception.listen(socket);
            opened.map_err(ServeError::system("listen for MTAs"))?;
        }
        let ready = master.send(&FromLmtp::Ready, &[]).await;
        ready.map_err(ServeError::system("reach master"))?;
        let orders = orders(&master, &mut reception).await;
        stop_sender.send_replace(true);
        // Those who accept wait for those whom they have accepted.
        let cut_off = drain(&mut reception.accepting, SESSIONS_GRACE).await;
        if cut_off > 0 {
            warn!("cut off: MTAs that did not hear the end in time");
        }
        orders.map_err(ServeError::system("hear master"))
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

/// Does what master says, until that is to stop.
async fn orders(master: &Link, reception: &mut Reception) -> io::Result<()> {
    let exchange = Arc::clone(&reception.exchange);
    loop {
        let order = tokio::select! {
            order = master.receive() => order?,
            () = exchange.lost() => return Err(unexpected("auth")),
        };
        let Some((order, mut descriptors)) = order else {
            return Ok(());
        };
        match (order, descriptors.pop()) {
            (ToLmtp::Auth, Some(link)) => exchange.reach(link)?,
            (ToLmtp::Auth, None) => warn!("auth has begun anew, but there is no way to it"),
            (ToLmtp::Socket, Some(socket)) => reception.listen(socket)?,
            (ToLmtp::Socket, None) => warn!("a socket is missing: out of descriptors"),
            (ToLmtp::Enter(recipient, worker), Some(line)) => {
                exchange.answer(recipient, Ok((worker, line)));
            }
            (ToLmtp::Enter(recipient, _), None) | (ToLmtp::Refuse(recipient), _) => {
                exchange.answer(recipient, Err(Refusal::Temporary));
            }
            (ToLmtp::Stop, _) => return Ok(()),
        }
    }
}

/// Where MTAs come in.
struct Reception {
    exchange: Arc<Exchange>,
    host: String,
    most: u64,
    /// Who is believed for whom it speaks.
    believed: Vec<Network>,
    peers: Arc<Peers>,
    stop: watch::Receiver<bool>,
    accepting: JoinSet<()>,
}

/// A socket that is listened on.
enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Reception {
    /// Serves all that connect to a socket.
    fn listen(&mut self, socket: OwnedFd) -> io::Result<()> {
        let is_unix = getsockname(&socket)?.address_family() == AddressFamily::UNIX;
        let socket = match is_unix {
            true => Socket::Unix(UnixListener::from_std(socket.into())?),
            false => Socket::Tcp(TcpListener::from_std(socket.into())?),
        };
        let (exchange, peers) = (Arc::clone(&self.exchange), Arc::clone(&self.peers));
        let (mut stop, stopping) = (self.stop.clone(), self.stop.clone());
        let (host, most, believed) = (self.host.clone(), self.most, self.believed.clone());
        self.accepting.spawn(async move {
            let mut connections = JoinSet::new();
            let accept = async {
                // Who finds no place waits for one.
                while let Some(place) = peers.place().await {
                    while let Some(ended) = connections.try_join_next() {
                        note_end(ended);
                    }
                    let (stream, peer) = match socket.accept().await {
                        Ok(accepted) => accepted,
                        Err(error) => {
                            warn!("an MTA cannot be heard: {error}");
                            sleep(REST).await;
                            continue;
                        }
                    };
                    let address = match peer {
                        Peer::Host(address) => Some(address),
                        Peer::User(_) => None,
                    };
                    let is_believed = |address| believed.iter().any(|of| of.contains(address));
                    let setting = Setting {
                        host: host.clone(),
                        most,
                        peer: address,
                        xclient: address.is_some_and(is_believed),
                    };
                    let (exchange, stop) = (Arc::clone(&exchange), stopping.clone());
                    connections.spawn(async move {
                        match place.take(peer) {
                            Ok(seat) => {
                                serve(stream, Counter { exchange, seat }, &setting, stop).await
                            }
                            Err(_place) => turn_away(stream, &setting).await,
                        }
                    });
                }
            };
            tokio::select! {
                () = accept => {}
                _ = stop.wait_for(|stopping| *stopping) => {}
            }
            drop(socket);
            while let Some(ended) = connections.join_next().await {
                note_end(ended);
            }
        });
        Ok(())
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                let peer = Peer::User(stream.peer_cred()?.uid());
                Ok((Box::new(stream), peer))
            }
            Socket::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                // Replies are small, and waited for. If it cannot be, they take longer.
                let _ = stream.set_nodelay(true);
                let peer = Peer::Host(peer.ip().to_canonical());
                Ok((Box::new(stream), peer))
            }
        }
    }
}

/// A connection, of whatever kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn serve(
    stream: Box<dyn Stream>,
    desk: Counter,
    setting: &Setting,
    stop: watch::Receiver<bool>,
) {
    let client = Client(setting.peer);
    info!(%client, "an MTA is here");
    if let Err(error) = session::serve(stream, &desk, setting, stop).await {
        debug!(%client, "an MTA has gone: {error}");
    }
}

/// Has it come again later.
async fn turn_away(mut stream: Box<dyn Stream>, setting: &Setting) {
    let client = Client(setting.peer);
    warn!(%client, "an MTA is turned away: it has too many connections");
    let text = format!("421 4.7.0 {} Too many connections\r\n", setting.host);
    // One that does not hear it finds out.
    let _ = timeout(REST, stream.write_all(text.as_bytes())).await;
}

/// What is known of a recipient who was asked about: the worker's number and a line to it.
type Found = Result<(u32, OwnedFd), Refusal>;

/// Asks auth who recipients are, and tells those who wait for it: what auth says, or master.
type Exchange = Inquiries<Sought, Found>;

/// Whom auth answers, and what.
fn read(sought: Sought) -> (message::Recipient, Found) {
    match sought {
        Sought::Nobody(recipient) => (recipient, Err(Refusal::Unknown)),
        Sought::Unavailable(recipient) => (recipient, Err(Refusal::Temporary)),
    }
}

/// Where an MTA has its recipients looked up, who are counted.
struct Counter {
    exchange: Arc<Exchange>,
    seat: Seat,
}

impl Desk for Counter {
    type Recipient = Recipient;
    type Transfer = Carrying;

    async fn find(&self, wanted: Wanted<'_>) -> Result<Recipient, Refusal> {
        let Some(counted) = self.seat.recipient() else {
            warn!("a recipient has to wait: mail is just coming for too many");
            return Err(Refusal::TooMany);
        };
        let mut inquiry = self.exchange.begin();
        let trouble = |error: io::Error| {
            warn!("who a recipient is cannot be found out: {error}");
            Refusal::Temporary
        };
        let seek = Seek(inquiry.number(), wanted.user.to_owned());
        if let Err(error) = inquiry.say(&seek).await {
            inquiry.tell_failure(&error);
            return Err(Refusal::Temporary);
        }
        let found = inquiry.answer().await;
        let (worker, line) = found.ok_or_else(|| trouble(unexpected("auth has ended")))??;
        let line = way::line(line).map_err(trouble)?;
        Recipient::open(worker, line, wanted, counted).await
    }

    fn begin(&self, recipients: Vec<Recipient>) -> Carrying {
        Carrying::new(recipients)
    }
}
