//! One connection as strangers see it, from accept to login: TLS, STARTTLS, and who it is. What comes then is
//! another's: of this very process or of a worker.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ProtocolVersion, ServerConfig};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::auth::{Channel, Mechanism, Tls};
use crate::config::Plaintext;
use crate::net::limits::Place;
use crate::net::listener::{Accepted, Refusals, Seldom, canonical, turn_away};
use crate::net::proxy::{self, Ends};
use crate::net::shutdown::stopped;
use crate::net::stream::Stream;
use crate::net::tls;
use crate::process::binding;
use crate::session::prelogin::{Authenticate, PreloginEnd};
use crate::session::{self, Handover, Limits, Opening, Released, Situation, Stop};

/// Whether TLS begins with the first byte or by STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In clear, STARTTLS offered (RFC 3501 §6.2.1).
    StartTls,
    /// TLS from the first byte (RFC 8314 §3.2).
    Implicit,
}

impl Security {
    /// Whether TLS begins at once.
    pub fn is_implicit(self) -> bool {
        self == Security::Implicit
    }

    /// What clients hear that the listener cannot let in.
    pub fn refusals(self) -> Refusals {
        match self {
            Security::StartTls => Refusals {
                full: b"* BYE Too many connections, try again later\r\n",
                address: b"* BYE Too many connections from your address\r\n",
            },
            Security::Implicit => Refusals {
                full: b"",
                address: b"",
            },
        }
    }
}

/// The two ends of a connection.
#[derive(Clone, Copy)]
struct Line {
    peer: SocketAddr,
    local: SocketAddr,
}

/// What all connections share on their way in.
pub struct Entrance<A> {
    /// Who may log in.
    pub auth: A,
    /// Certificates and versions, as they are now.
    pub tls: watch::Receiver<Arc<ServerConfig>>,
    /// Of every session.
    pub limits: Limits,
    /// Who may send a password in clear.
    pub plaintext: Plaintext,
    /// The SASL mechanisms offered.
    pub mechanisms: Arc<[Mechanism]>,
    /// Told when the server stops.
    pub stop: Stop,
    /// Proxies' connections that were refused.
    pub refusing: Mutex<Seldom>,
}

/// Who serves those that have logged in.
pub trait Inside<P>: Send + Sync + 'static {
    /// Serves one to the end of the connection, or until it is a stranger's again.
    fn serve(
        &self,
        handover: Handover<Stream, P>,
        peer: SocketAddr,
    ) -> impl Future<Output = Option<Released<Stream>>> + Send;
}

impl<A: Authenticate + Sync> Entrance<A> {
    /// Serves one client to the end of its connection.
    pub async fn serve(
        &self,
        accepted: Accepted,
        security: Security,
        inside: &impl Inside<A::Passage>,
    ) {
        let Some(accepted) = Box::pin(self.announced(accepted, security)).await else {
            return;
        };
        let Accepted {
            tcp,
            peer,
            local,
            mut place,
            ..
        } = accepted;
        let line = Line { peer, local };
        let mut stream = Stream::Tcp(tcp);
        let mut channel = None;
        let mut opening = Opening {
            greeting: true,
            ..Opening::default()
        };
        let mut at_once = security.is_implicit();
        loop {
            let displaced = place.displaced();
            // In a box: who has logged in keeps no room for what a stranger takes.
            let entering = self.enter((stream, at_once), (line, &place), &mut channel, opening);
            let entering = Box::pin(entering);
            let handover = tokio::select! {
                biased;
                handover = entering => handover,
                () = displaced => {
                    debug!(%peer, "closed: the server is full, and others have fewer connections");
                    None
                }
            };
            let Some(handover) = handover else { return };
            place.logged_in();
            let Some(released) = inside.serve(handover, peer).await else {
                return;
            };
            place.logged_out(peer.ip());
            Released { stream, opening } = released;
            at_once = false;
        }
    }

    /// Hears from a proxy whose connection it is. `None`: it is over.
    async fn announced(&self, mut accepted: Accepted, security: Security) -> Option<Accepted> {
        if !accepted.proxied {
            return Some(accepted);
        }
        let proxy = accepted.peer;
        let mut stop = self.stop.clone();
        let header = proxy::read_header(&mut accepted.tcp);
        let header = tokio::select! {
            () = stopped(&mut stop) => return None,
            header = timeout(proxy::HEADER_TIMEOUT, header) => header,
        };
        match header.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(Some(Ends {
                source,
                destination,
            })) => {
                accepted.peer = canonical(source);
                accepted.local = canonical(destination);
            }
            Ok(None) => {}
            // So does whoever asks whether anybody is there.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
            Err(error) => {
                self.note_refusal(proxy, &error);
                return None;
            }
        }
        if let Err(refused) = accepted.place.is_of(accepted.peer.ip()) {
            self.note_refusal(accepted.peer, &refused);
            turn_away(&accepted.tcp, security.refusals().said(refused));
            return None;
        }
        Some(accepted)
    }

    fn note_refusal(&self, peer: SocketAddr, why: &impl std::fmt::Display) {
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = refusing.is_due() {
            warn!(%peer, times, "refused, through a proxy: {why}");
        }
    }

    /// From a stranger's connection, TLS first where it is due `at_once`, to somebody who has logged in.
    async fn enter(
        &self,
        (mut stream, at_once): (Stream, bool),
        (line, place): (Line, &Place),
        channel: &mut Option<Channel>,
        opening: Opening,
    ) -> Option<Handover<Stream, A::Passage>> {
        let at = (line, place, self.login_deadline());
        if at_once {
            (stream, *channel) = self.secure(stream, at).await?;
        }
        self.log_in(stream, at, channel, opening).await
    }

    /// TLS and login have one span of time together.
    fn login_deadline(&self) -> Instant {
        Instant::now() + self.limits.login_timeout
    }

    /// STARTTLS, which makes a channel to be bound to, and login.
    async fn log_in(
        &self,
        stream: Stream,
        (line, place, deadline): (Line, &Place, Instant),
        channel: &mut Option<Channel>,
        opening: Opening,
    ) -> Option<Handover<Stream, A::Passage>> {
        let peer = line.peer.ip().to_string();
        let in_clear = Situation {
            tls: Tls::No,
            starttls: true,
            login_allowed: may_send_plaintext(self.plaintext, line.peer, line.local),
            mechanisms: Arc::clone(&self.mechanisms),
            channel: None,
            shown: Vec::new(),
            peer: peer.clone(),
        };
        let (stream, opening) = match stream {
            Stream::Tls(_) => (stream, opening),
            Stream::Tcp(_) => {
                let failed_logins = opening.failed_logins;
                match self.prelogin(stream, &in_clear, deadline, opening).await {
                    PreloginEnd::Handover(handover) => return Some(handover),
                    PreloginEnd::StartTls(stream) => {
                        let secured = self.secure(stream, (line, place, deadline)).await?;
                        let (secured, bound) = secured;
                        *channel = bound;
                        // After STARTTLS there is no second greeting (RFC 3501 §6.2.1), and nothing counts that was
                        // said before.
                        let opening = Opening {
                            failed_logins,
                            ..Opening::default()
                        };
                        (secured, opening)
                    }
                    PreloginEnd::Logout => return None,
                }
            }
        };
        let under_tls = Situation {
            tls: match stream.version() {
                Some(ProtocolVersion::TLSv1_2) => Tls::V1_2,
                Some(ProtocolVersion::TLSv1_3) => Tls::V1_3,
                _ => Tls::Yes,
            },
            starttls: false,
            login_allowed: true,
            mechanisms: Arc::clone(&self.mechanisms),
            channel: channel.clone(),
            shown: stream.certificates(),
            peer,
        };
        match self.prelogin(stream, &under_tls, deadline, opening).await {
            PreloginEnd::Handover(handover) => Some(handover),
            PreloginEnd::StartTls(_) | PreloginEnd::Logout => None,
        }
    }

    /// TLS on a connection in clear, and what a login can be bound to, if any is.
    async fn secure(
        &self,
        stream: Stream,
        (line, place, deadline): (Line, &Place, Instant),
    ) -> Option<(Stream, Option<Channel>)> {
        let Stream::Tcp(tcp) = stream else {
            return None;
        };
        let mut stop = self.stop.clone();
        let config = Arc::clone(&self.tls.borrow());
        let handshake = tokio::select! {
            () = stopped(&mut stop) => return None,
            handshake = Box::pin(tls::accept(config, tcp, place, deadline)) => handshake,
        };
        match handshake {
            Ok((stream, certificate)) => {
                let is_bound = self.mechanisms.iter().any(|one| one.is_bound());
                let channel = is_bound.then(|| binding::channel(&stream, certificate.as_ref()));
                Some((stream, channel.flatten()))
            }
            Err(error) => {
                debug!(peer = %line.peer, %error, "TLS handshake failed");
                None
            }
        }
    }

    async fn prelogin(
        &self,
        stream: Stream,
        situation: &Situation,
        deadline: Instant,
        opening: Opening,
    ) -> PreloginEnd<Stream, A::Passage> {
        let limits = Limits {
            login_timeout: deadline.saturating_duration_since(Instant::now()),
            ..self.limits.clone()
        };
        let stop = self.stop.clone();
        session::prelogin(stream, situation, &limits, &self.auth, opening, stop).await
    }
}

/// Whether a password may cross this line although it is in clear.
fn may_send_plaintext(rule: Plaintext, peer: SocketAddr, local: SocketAddr) -> bool {
    match rule {
        Plaintext::Always => true,
        Plaintext::Never => false,
        Plaintext::Loopback => peer.ip().to_canonical() == local.ip().to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_within_the_host_needs_no_tls_by_default() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (rule, peer, local, allowed) in [
            (Plaintext::Loopback, "127.0.0.1:5", "127.0.0.1:143", true),
            (Plaintext::Loopback, "[::1]:5", "[::1]:143", true),
            (
                Plaintext::Loopback,
                "[::ffff:127.0.0.1]:5",
                "127.0.0.1:143",
                true,
            ),
            (Plaintext::Loopback, "192.0.2.1:5", "192.0.2.1:143", true),
            (Plaintext::Loopback, "192.0.2.2:5", "192.0.2.1:143", false),
            (Plaintext::Loopback, "127.0.0.1:5", "127.0.0.2:143", false),
            (Plaintext::Never, "127.0.0.1:5", "127.0.0.1:143", false),
            (Plaintext::Always, "192.0.2.2:5", "192.0.2.1:143", true),
        ] {
            let says = may_send_plaintext(rule, at(peer), at(local));
            assert_eq!(says, allowed, "{rule:?} {peer} {local}");
        }
    }
}
