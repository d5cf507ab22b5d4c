//! Who runs as whom, and what a whole server is put together from.
//!
//! By a configuration a server is several processes: [`master`] starts all others ([`child`], [`role`]; workers
//! by the [`nursery`]) and brings them together, [`login`] speaks with strangers, [`lmtp`] with MTAs, [`auth`] knows who may come in, and a [`worker`] serves a user's
//! mail; [`message`] has all that they may say to one another. `serve MAILDIR` is one process, [`single`]. All begin in
//! the same order: rights are dropped, then files and system calls, and then threads are started and the log; so
//! nothing that needs root happens after the drop, and no thread exists before it.

mod accounts;
mod auth;
mod believed;
mod binding;
mod bring;
mod certificates;
mod checkpassword;
mod child;
mod confine;
mod connection;
pub mod deliver;
pub mod directory;
mod doors;
mod errands;
mod held;
mod inquiry;
mod link;
mod lmtp;
mod log;
mod login;
mod looks;
pub mod master;
mod message;
mod nursery;
mod password;
mod peers;
mod place;
mod ports;
mod privileges;
mod proof;
mod pump;
mod ration;
mod receive;
pub mod role;
mod roles;
mod screen;
mod service;
mod settings;
pub mod single;
mod sockets;
mod start;
pub mod survey;
mod users;
mod way;
mod worker;
mod workers;

use std::io;

use crate::config::ExpandError;
use crate::mailbox::fault::Fault;
use crate::net::tls::TlsError;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What was asked for makes no sense, or this version cannot do it; one line a mistake.
    #[error("{0}")]
    Usage(String),
    /// A certificate or key is wrong.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The mail cannot be opened.
    #[error("cannot open the mail: {0}")]
    Mail(#[from] Fault),
    /// The mail's place cannot be told.
    #[error("cannot tell where the mail is: {0}")]
    Location(#[from] ExpandError),
    /// The system refuses.
    #[error("cannot {doing}: {error}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system says.
        error: io::Error,
    },
}

impl ServeError {
    /// Whether mending it is up to the command line or the configuration (exit code 2).
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            ServeError::Usage(_) | ServeError::Tls(_) | ServeError::Location(_)
        )
    }

    /// For `map_err`: what was being done when the system refused.
    fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
        let doing = doing.into();
        move |error| ServeError::System { doing, error }
    }
}
