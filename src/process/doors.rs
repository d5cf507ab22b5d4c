//! The sockets that MTAs connect to, as master keeps them: opened when they can be, and kept for whatever process serves
//! them. Their directories may come later than the server does.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tracing::{info, warn};

use crate::config::{AuthProtocol, Config, Endpoint, SocketFile};
use crate::net::listener;
use crate::process::sockets::{self, Made};

/// The mode of a socket for SASL where none is asked: who may use it is to be said.
const AUTH_MODE: u32 = 0o600;

/// That of one for LMTP, as Dovecot's: whoever is on this host may send mail to those who are.
const LMTP_MODE: u32 = 0o666;

/// Who is served there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Who asks of users, by this protocol.
    Auth(AuthProtocol),
    /// Who brings mail.
    Lmtp,
}

/// One of them that is open.
pub struct Opened {
    /// Who is served there.
    pub purpose: For,
    /// Its name.
    pub place: String,
    /// A copy of it.
    pub socket: OwnedFd,
}

/// All of them.
pub struct Doors(Vec<Door>);

struct Door {
    purpose: For,
    place: Endpoint,
    /// `None`: it cannot be opened yet.
    socket: Option<OwnedFd>,
    /// The file that was made for it, if any was.
    made: Option<Made>,
}

impl Door {
    fn opened(&self, socket: OwnedFd) -> Opened {
        Opened {
            purpose: self.purpose,
            place: self.place.to_string(),
            socket,
        }
    }
}

impl Doors {
    /// Those that the configuration names, none of them open.
    pub fn new(config: &Config) -> Doors {
        let door = |purpose, place| Door {
            purpose,
            place,
            socket: None,
            made: None,
        };
        let ask = |socket: &SocketFile| {
            let place = Endpoint::Socket(socket.clone());
            door(For::Auth(socket.kind), place)
        };
        let auth = config.listen.auth.iter().map(ask);
        let lmtp = config.listen.lmtp.iter().cloned();
        Doors(
            auth.chain(lmtp.map(|place| door(For::Lmtp, place)))
                .collect(),
        )
    }

    /// Whether all are open.
    pub fn are_open(&self) -> bool {
        self.0.iter().all(|door| door.socket.is_some())
    }

    /// Whether there is one for this.
    pub fn have(&self, purpose: For) -> bool {
        self.0.iter().any(|door| door.purpose == purpose)
    }

    /// Opens those that are not open yet, as far as they can be; gives a copy of each. What cannot be is said the `first`
    /// time.
    pub fn open(&mut self, first: bool) -> Vec<Opened> {
        let mut opened = Vec::new();
        for door in self.0.iter_mut().filter(|door| door.socket.is_none()) {
            let place = &door.place;
            match listen(door.purpose, place) {
                Ok((socket, copy, made)) => {
                    info!(%place, "listening for MTAs");
                    (door.socket, door.made) = (Some(socket), made);
                    opened.push(door.opened(copy));
                }
                Err(error) if first => {
                    warn!(%place, "no socket for MTAs yet, trying again: {error}");
                }
                Err(_) => {}
            }
        }
        opened
    }

    /// A copy of each that is open.
    pub fn copies(&self) -> io::Result<Vec<Opened>> {
        let copy = |door: &Door| {
            let socket = door.socket.as_ref()?.as_fd().try_clone_to_owned();
            Some(socket.map(|socket| door.opened(socket)))
        };
        self.0.iter().filter_map(copy).collect()
    }

    /// Closes them, and leaves none of their files behind.
    pub fn close(&mut self) {
        for door in &mut self.0 {
            door.socket = None;
            if let Some(Err(error)) = door.made.take().map(Made::remove) {
                let place = &door.place;
                warn!(%place, "the socket's file cannot be removed: {error}");
            }
        }
    }
}

/// A socket, a copy, and its file.
fn listen(purpose: For, place: &Endpoint) -> io::Result<(OwnedFd, OwnedFd, Option<Made>)> {
    let mode = match purpose {
        For::Auth(_) => AUTH_MODE,
        For::Lmtp => LMTP_MODE,
    };
    let (socket, made): (OwnedFd, _) = match place {
        Endpoint::Socket(file) => {
            let (socket, made) = sockets::listen(file, mode)?;
            (socket.into(), Some(made))
        }
        Endpoint::Address(address) => (listener::bind(*address)?.into(), None),
    };
    let copy = socket.try_clone()?;
    Ok((socket, copy, made))
}
