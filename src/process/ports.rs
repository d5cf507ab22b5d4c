//! Ports, from binding to the last connection.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::{Config, Limits, Network};
use crate::net::limits::Admission;
use crate::net::listener::{self, Accepted};
use crate::net::shutdown::drain;
use crate::process::ServeError;
use crate::process::connection::Security;
use crate::process::settings::at_most;

/// A port that is listened on.
#[derive(Debug)]
pub struct Port {
    /// The socket.
    pub socket: TcpListener,
    /// Its address; the port is the one that was picked.
    pub address: SocketAddr,
    /// What is spoken there.
    pub security: Security,
}

impl Port {
    /// Listens; port 0 picks a free one.
    pub fn bind(address: SocketAddr, security: Security) -> Result<Port, ServeError> {
        let doing = || format!("listen on {address}");
        let socket = listener::bind(address).map_err(ServeError::system(doing()))?;
        let address = socket.local_addr().map_err(ServeError::system(doing()))?;
        Ok(Port {
            socket,
            address,
            security,
        })
    }

    /// Listens on all that the configuration names.
    pub fn bind_all(config: &Config) -> Result<Vec<Port>, ServeError> {
        let listen = &config.listen;
        let imap = listen
            .imap
            .iter()
            .map(|address| (*address, Security::StartTls));
        let imaps = listen
            .imaps
            .iter()
            .map(|address| (*address, Security::Implicit));
        let ports: Vec<Port> = imap
            .chain(imaps)
            .map(|(address, security)| Port::bind(address, security))
            .collect::<Result<_, _>>()?;
        match ports.is_empty() {
            false => Ok(ports),
            true => Err(ServeError::Usage(
                "listen.imap and listen.imaps are both empty: there is nothing to serve".to_owned(),
            )),
        }
    }
}

/// Ports that are being served.
pub struct Serving(JoinSet<JoinSet<()>>);

impl Serving {
    /// Accepts on all ports, within the limits, until `stop`. Each connection is served in a task of its own; those from
    /// `proxies` begin with a PROXY header.
    pub fn begin<F, S>(
        ports: Vec<Port>,
        limits: &Limits,
        proxies: &[Network],
        stop: &watch::Receiver<bool>,
        serve: F,
    ) -> Result<Serving, ServeError>
    where
        F: Fn(Accepted, Security) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let admission = Admission::new(
            at_most(limits.connections),
            at_most(limits.connections_per_address),
        );
        let serve = Arc::new(serve);
        let proxies: Arc<[Network]> = proxies.into();
        let mut accepting = JoinSet::new();
        for port in ports {
            info!(address = %port.address, security = ?port.security, "listening");
            let socket = tokio::net::TcpListener::from_std(port.socket)
                .map_err(ServeError::system(format!("listen on {}", port.address)))?;
            let (serve, security) = (Arc::clone(&serve), port.security);
            let proxies = Arc::clone(&proxies);
            accepting.spawn(listener::accept(
                socket,
                Arc::clone(&admission),
                security.refusals(),
                move |address| proxies.iter().any(|network| network.contains(address)),
                stop.clone(),
                move |accepted| serve(accepted, security),
            ));
        }
        Ok(Serving(accepting))
    }

    /// Waits until all ports are closed, which `stop` does, and then for the connections, for as long as `grace` says
    /// from there. Gives how many were cut off.
    pub async fn end(mut self, grace: std::time::Duration) -> usize {
        let mut open = Vec::new();
        while let Some(ended) = self.0.join_next().await {
            match ended {
                Ok(connections) => open.push(connections),
                // A server that no longer listens must not stay as if it did.
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        }
        let deadline = Instant::now() + grace;
        let mut cut_off = 0;
        for mut connections in open {
            cut_off += drain(&mut connections, deadline - Instant::now()).await;
        }
        if cut_off > 0 {
            warn!(connections = cut_off, "cut off: they did not end in time");
        }
        cut_off
    }
}
