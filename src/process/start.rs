//! The steps of a start: certificates, ports, rights, and then threads. Which of them a server takes,
//! and with what, is in [`super::single`].

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::runtime::{Builder, Runtime};
use tracing::warn;

use crate::config::{Config, Limits, LogLevel, Sni};
use crate::net::listener;
use crate::net::tls::{Identity, MinimumVersion, server_config};
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::connection::Security;
use crate::process::log::Log;
use crate::process::privileges::{self, Ids, SystemUser};

/// Threads that may wait for the disk.
const DISK_THREADS: usize = 16;

/// How long an idle one of them stays.
const DISK_THREAD_STAYS: Duration = Duration::from_secs(2);

/// A port that is listened on.
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
}

/// Begins what needs threads: the log and the runtime. Rights are dropped by now.
pub fn start(level: LogLevel) -> Result<(Log, Runtime), ServeError> {
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    let log = Log::start(level).map_err(ServeError::system("begin to log"))?;
    let runtime = Builder::new_multi_thread()
        .max_blocking_threads(DISK_THREADS)
        .thread_keep_alive(DISK_THREAD_STAYS)
        .enable_all()
        .build()
        .map_err(ServeError::system("start threads"))?;
    Ok((log, runtime))
}

/// Ends what [`start`] began.
pub fn finish(log: &Log, runtime: Runtime, grace: Duration) {
    runtime.shutdown_timeout(grace);
    log.finish();
}

/// Certificates from files or, where none are named, one made on the fly.
pub fn tls_config(
    certificate: Option<&Path>,
    key: Option<&Path>,
    further: &[Sni],
    self_signed_names: &[&str],
    minimum: MinimumVersion,
) -> Result<Arc<ServerConfig>, ServeError> {
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Identity::load(certificate, key)?,
        (None, None) => Identity::self_signed(self_signed_names)?,
        _ => {
            return Err(ServeError::Usage(
                "a certificate and its key go together: give both or none".to_owned(),
            ));
        }
    };
    let further = further
        .iter()
        .map(|sni| Identity::load(&sni.certificate, &sni.key))
        .collect::<Result<_, _>>()?;
    Ok(server_config(identity, further, minimum)?)
}

/// Where root was asked to serve a Maildir, the process becomes the Maildir's owner. What is
/// returned is a warning.
pub fn become_owner(maildir: &Path) -> Result<Option<String>, ServeError> {
    if !privileges::is_root() {
        return Ok(None);
    }
    let owner = match fs::metadata(maildir) {
        Ok(metadata) => Ids {
            uid: metadata.uid(),
            // Not the directory's own: a group such as mail gives rights to more than this mail.
            gid: privileges::system_user(metadata.uid()).map_or(metadata.gid(), |user| user.gid),
        },
        // It is made later, by root.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ids { uid: 0, gid: 0 },
        Err(error) => {
            return Err(ServeError::system(format!("look at {}", maildir.display()))(error));
        }
    };
    if owner.uid == 0 {
        return Ok(Some(format!(
            "{} belongs to root, so this server runs as root; better give it an owner",
            maildir.display()
        )));
    }
    privileges::become_user(owner)
        .map_err(ServeError::system(format!("become user {}", owner.uid)))?;
    Ok(None)
}

/// Becomes the user the mail of a configuration belongs to, or finds that it is that user.
pub fn become_mail_owner(owner: Option<Ids>, config: &Config) -> Result<(), ServeError> {
    if privileges::is_root() {
        let owner = owner.ok_or_else(|| {
            ServeError::Usage(
                "users.uid and users.gid are needed: who owns the mail? Root does not serve it"
                    .to_owned(),
            )
        })?;
        return privileges::become_user(owner)
            .map_err(ServeError::system(format!("become user {}", owner.uid)));
    }
    let own_uid = privileges::own_uid();
    accounts::check_uid(own_uid, config.users.first_uid)?;
    match owner {
        Some(owner) if owner.uid != own_uid => Err(ServeError::Usage(format!(
            "users.uid is {}, but the server was started by uid {own_uid}, not by root",
            owner.uid
        ))),
        _ => Ok(()),
    }
}

/// The user the process runs as, by the system or, where that knows no name, by the environment.
pub fn own_user() -> SystemUser {
    let uid = privileges::own_uid();
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    privileges::system_user(uid).unwrap_or_else(|| SystemUser {
        name: variable("USER").unwrap_or_else(|| uid.to_string()),
        gid: privileges::own_gid(),
        home: variable("HOME").unwrap_or_else(|| "/".to_owned()),
    })
}

/// That user's name.
pub fn own_name() -> String {
    own_user().name
}

/// The name of this host.
pub fn hostname(config: &Config) -> String {
    config.hostname.clone().unwrap_or_else(|| {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    })
}

/// Says so at the start if the system allows fewer open files than there may be connections.
pub fn warn_of_few_descriptors(limits: &Limits) {
    let needed = u64::from(limits.connections);
    if let Some(allowed) = privileges::open_files()
        && allowed <= needed
    {
        warn!(
            allowed,
            needed, "the limit of open files is below limits.connections"
        );
    }
}
