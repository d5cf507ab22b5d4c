//! The sockets that MTAs connect to, as master keeps them: opened when they can be, and kept for whatever process serves
//! them. Their directories may come later than the server does.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tracing::{info, warn};

use crate::config::{Config, Endpoint, SocketFile};
use crate::net::listener;
use crate::process::sockets;

/// The mode of a socket for SASL where none is asked: who may use it is to be said.
const AUTH_MODE: u32 = 0o600;

/// That of one for LMTP, as Dovecot's: whoever is on this host may send mail to those who are.
const LMTP_MODE: u32 = 0o666;

/// Who is served there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Who asks who may send.
    Auth,
    /// Who brings mail.
    Lmtp,
}

/// All of them.
pub struct Doors(Vec<Door>);

struct Door {
    purpose: For,
    place: Endpoint,
    /// `None`: it cannot be opened yet.
    socket: Option<OwnedFd>,
}

impl Doors {
    /// Those that the configuration names, none of them open.
    pub fn new(config: &Config) -> Doors {
        let door = |purpose, place| Door {
            purpose,
            place,
            socket: None,
        };
        let socket = |socket: &SocketFile| Endpoint::Socket(socket.clone());
        let auth = config.listen.auth.iter().map(socket);
        let lmtp = config.listen.lmtp.iter().cloned();
        let auth = auth.map(|place| door(For::Auth, place));
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
    pub fn open(&mut self, first: bool) -> Vec<(For, OwnedFd)> {
        let mut opened = Vec::new();
        for door in self.0.iter_mut().filter(|door| door.socket.is_none()) {
            let place = &door.place;
            match listen(door.purpose, place) {
                Ok((socket, copy)) => {
                    info!(%place, "listening for MTAs");
                    door.socket = Some(socket);
                    opened.push((door.purpose, copy));
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
    pub fn copies(&self, purpose: For) -> io::Result<Vec<OwnedFd>> {
        let open = self.0.iter().filter(|door| door.purpose == purpose);
        let open = open.filter_map(|door| door.socket.as_ref());
        open.map(|socket| socket.as_fd().try_clone_to_owned())
            .collect()
    }
}

fn listen(purpose: For, place: &Endpoint) -> io::Result<(OwnedFd, OwnedFd)> {
    let mode = match purpose {
        For::Auth => AUTH_MODE,
        For::Lmtp => LMTP_MODE,
    };
    let socket: OwnedFd = match place {
        Endpoint::Socket(file) => sockets::listen(file, mode)?.into(),
        Endpoint::Address(address) => listener::bind(*address)?.into(),
    };
    let copy = socket.try_clone()?;
    Ok((socket, copy))
}
