//! Who runs as whom, and what a whole server is put together from.
//!
//! There is one role so far, [`single`]: one process, all of it as one user. The order of a start is
//! the same for all ways to serve: read certificates, bind ports, drop rights, then begin to log,
//! start threads and serve; so nothing that needs root happens after the drop, and no thread exists
//! before it.

mod accounts;
mod connection;
mod log;
mod login;
mod privileges;
mod screen;
pub mod single;
mod start;
mod users;

use std::io;

use crate::auth::SourceError;
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
    /// A source of users cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
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
            ServeError::Usage(_)
                | ServeError::Tls(_)
                | ServeError::Source(_)
                | ServeError::Location(_)
        )
    }

    /// For `map_err`: what was being done when the system refused.
    fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
        let doing = doing.into();
        move |error| ServeError::System { doing, error }
    }
}
