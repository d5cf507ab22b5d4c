//! Accepting connections: within the limits, and through a lack of descriptors.
//!
//! When the process or the system has no descriptor left (EMFILE, ENFILE), accept fails while the
//! client stays in the queue, so a plain loop would spin. A descriptor is kept in reserve: it is
//! given up for a moment, the waiting clients are told to come back later and closed, and the loop
//! rests before it tries again.

use std::future::{Future, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::net::limits::{Admission, Place, Refused};
use crate::net::shutdown::{note_end, stopped};

/// Connections that may wait to be accepted, where the system allows so many (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// How long accepting rests when a resource is lacking.
const REST: Duration = Duration::from_millis(100);

/// Most clients turned away between two rests.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// A silent client is probed after this long, and this often, until it is given up: after about
/// seven minutes. Clients behind address translation lose their mapping without it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(240);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_PROBES: u32 = 3;

/// How often the log hears of the same trouble, so that a flood of clients is none of lines.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What clients hear that cannot be let in: whole lines of their protocol, or nothing where it
/// would have to be said under TLS.
#[derive(Clone, Copy, Debug)]
pub struct Refusals {
    /// The server is full or has no descriptor left.
    pub full: &'static [u8],
    /// Too many connections from the client's address.
    pub address: &'static [u8],
}

impl Refusals {
    /// The words for a refusal.
    pub fn said(self, refused: Refused) -> &'static [u8] {
        match refused {
            Refused::Total => self.full,
            Refused::PerAddress => self.address,
        }
    }
}

/// An accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub tcp: TcpStream,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address of the server it came to.
    pub local: SocketAddr,
    /// Its share of the limits.
    pub place: Place,
    /// It is a trusted proxy's, that has yet to say whose it is.
    pub proxied: bool,
}

/// Binds a port and listens. `[::]` also takes IPv4, and where the host has no IPv6 it is `0.0.0.0`.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let no_ipv6 = |error: &io::Error| {
        address.is_ipv6()
            && address.ip().is_unspecified()
            && Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
    };
    let socket = match std::net::TcpListener::bind(address) {
        Err(error) if no_ipv6(&error) => {
            std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))?
        }
        bound => bound?,
    };
    rustix::net::listen(&socket, BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Accepts until `stop`, and serves each connection in a task of its own in `sessions`, which the
/// caller gets back when the port is closed. Those from addresses that `proxy` knows are counted once it is known whose
/// they are. Must run inside the runtime.
pub async fn accept<F, S>(
    socket: TcpListener,
    admission: Arc<Admission>,
    refusals: Refusals,
    proxy: impl Fn(IpAddr) -> bool,
    mut stop: watch::Receiver<bool>,
    serve: F,
) -> JoinSet<()>
where
    F: Fn(Accepted) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let mut sessions = JoinSet::new();
    let mut reserve = spare();
    let mut refusing = Seldom::default();
    let mut lacking = Seldom::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => return sessions,
            Some(ended) = sessions.join_next() => {
                note_end(ended);
                continue;
            }
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let peer = canonical(peer);
                if reserve.is_none() {
                    reserve = spare();
                }
                let proxied = proxy(peer.ip());
                let admitted = match proxied {
                    true => admission.admit_nameless(),
                    false => admission.admit(peer.ip()),
                };
                match admitted {
                    Ok(place) => match prepare(tcp, peer, place) {
                        Ok(accepted) => {
                            let accepted = Accepted {
                                proxied,
                                ..accepted
                            };
                            sessions.spawn(serve(accepted));
                        }
                        Err(error) => debug!(%peer, %error, "connection lost at once"),
                    },
                    Err(refused) => {
                        if let Some(times) = refusing.is_due() {
                            warn!(%peer, times, "refused: {refused}");
                        }
                        turn_away(&tcp, refusals.said(refused));
                    }
                }
            }
            Err(error) if concerns_one_client(&error) => debug!(%error, "connection lost at once"),
            Err(error) => {
                if let Some(times) = lacking.is_due() {
                    warn!(times, "cannot accept connections, trying again: {error}");
                }
                if is_out_of_descriptors(&error) {
                    drop(reserve.take());
                    turn_away_waiting(&socket, refusals.full).await;
                    reserve = spare();
                }
                tokio::select! {
                    () = stopped(&mut stop) => return sessions,
                    () = sleep(REST) => {}
                }
            }
        }
    }
}

/// A descriptor that is held back so that a client can be told when none is left. It leads to nothing, for a process may
/// have no files.
fn spare() -> Option<OwnedFd> {
    eventfd(0, EventfdFlags::CLOEXEC).ok()
}

/// Trouble that is logged now and then.
#[derive(Debug, Default)]
pub struct Seldom {
    logged: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// Counts one more time; where it is time for the log, gives how many there were since the last.
    pub fn is_due(&mut self) -> Option<u64> {
        self.times = self.times.saturating_add(1);
        if self.logged.is_some_and(|at| at.elapsed() < LOG_INTERVAL) {
            return None;
        }
        self.logged = Some(Instant::now());
        Some(std::mem::take(&mut self.times))
    }
}

/// Sets what every connection has: small answers go out at once, and a vanished client is noticed.
fn prepare(tcp: TcpStream, peer: SocketAddr, place: Place) -> io::Result<Accepted> {
    tcp.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&tcp, true)?;
    sockopt::set_tcp_keepidle(&tcp, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&tcp, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&tcp, KEEPALIVE_PROBES)?;
    let local = canonical(tcp.local_addr()?);
    Ok(Accepted {
        tcp,
        peer,
        local,
        place,
        proxied: false,
    })
}

/// As an IPv4 address where it is one: a port for IPv6 sees these as `::ffff:192.0.2.1`.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Says `refusal` if it can be said without waiting; the caller closes.
pub fn turn_away(tcp: &TcpStream, refusal: &[u8]) {
    // The buffer of a new socket is empty, so this either takes all or the client has gone. Not
    // try_write(), which waits for the runtime to have seen the socket once.
    let _ = rustix::net::send(
        tcp,
        refusal,
        rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL,
    );
}

/// Turns away clients that wait, with the one descriptor that was in reserve.
async fn turn_away_waiting(socket: &TcpListener, refusal: &[u8]) {
    for _ in 0..TURNED_AWAY_AT_ONCE {
        let waiting = tokio::select! {
            biased;
            accepted = socket.accept() => accepted.ok(),
            () = ready(()) => None,
        };
        let Some((tcp, peer)) = waiting else { return };
        debug!(%peer, "refused: out of file descriptors");
        turn_away(&tcp, refusal);
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// accept(2) passes on errors of the connection it would have returned.
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::INTR
                | Errno::PERM
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::TIMEDOUT
        )
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::shutdown::{SESSIONS_GRACE, drain};

    const REFUSALS: Refusals = Refusals {
        full: b"full\r\n",
        address: b"address\r\n",
    };

    fn listen() -> (TcpListener, SocketAddr) {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        (TcpListener::from_std(socket).unwrap(), address)
    }

    /// All that the server says until it closes.
    async fn hear(mut client: TcpStream) -> String {
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        said
    }

    /// Greets, waits for the client to close, and holds its place so long.
    async fn greet(mut accepted: Accepted) {
        assert!(accepted.tcp.nodelay().unwrap());
        assert!(sockopt::socket_keepalive(&accepted.tcp).unwrap());
        accepted.tcp.write_all(b"hello").await.unwrap();
        let _ = accepted.tcp.read_u8().await;
    }

    #[tokio::test]
    async fn who_passes_a_limit_hears_why() {
        let (socket, address) = listen();
        let (stop, stopping) = watch::channel(false);
        let admission = Admission::new(10, 1);
        let accepting = tokio::spawn(accept(
            socket,
            Arc::clone(&admission),
            REFUSALS,
            |_| false,
            stopping,
            greet,
        ));
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut hello = [0; 5];
        first.read_exact(&mut hello).await.unwrap();
        let second = TcpStream::connect(address).await.unwrap();
        assert_eq!(hear(second).await, "address\r\n");
        drop(first);
        while admission.connections() > 0 {
            tokio::task::yield_now().await;
        }
        let mut third = TcpStream::connect(address).await.unwrap();
        third.read_exact(&mut hello).await.unwrap();

        stop.send_replace(true);
        let mut sessions = accepting.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
        drop(third);
        assert_eq!(drain(&mut sessions, SESSIONS_GRACE).await, 0);
    }

    #[test]
    fn an_ipv4_address_is_one_in_ipv6_too() {
        for (address, known) in [
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("[2001:db8::1]:7", "[2001:db8::1]:7"),
        ] {
            assert_eq!(canonical(address.parse().unwrap()).to_string(), known);
        }
    }

    #[tokio::test]
    async fn those_who_wait_are_turned_away_without_waiting_for_more() {
        let (socket, address) = listen();
        let one = TcpStream::connect(address).await.unwrap();
        let two = TcpStream::connect(address).await.unwrap();
        // Until the runtime knows that somebody is there, nobody is.
        let three = TcpStream::connect(address).await.unwrap();
        drop(socket.accept().await.unwrap());
        turn_away_waiting(&socket, REFUSALS.full).await;
        assert_eq!(hear(two).await, "full\r\n");
        assert_eq!(hear(three).await, "full\r\n");
        drop(one);
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_hears_of_trouble_once_a_minute() {
        let mut trouble = Seldom::default();
        assert_eq!(trouble.is_due(), Some(1));
        assert_eq!(trouble.is_due(), None);
        tokio::time::advance(LOG_INTERVAL).await;
        assert_eq!(trouble.is_due(), Some(2));
    }
}
