//! The role Single: one process that does everything, as the user the mail belongs to. It serves one
//! Maildir, one Maildir on standard input and output, or the users of one mail uid by a
//! configuration.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::auth::{AccountFields, Authenticator, Granted, Mechanism, Secret};
use crate::config::{Capabilities, Config, Limits, LogLevel, Plaintext, TlsVersion};
use crate::mailbox::user::User;
use crate::net::limits::Admission;
use crate::net::listener;
use crate::net::shutdown::{Hangup, SESSIONS_GRACE, Signals, drain, stop_on_signal};
use crate::net::tls::MinimumVersion;
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::connection::{Security, Server};
use crate::process::login::random_password;
use crate::process::privileges;
use crate::process::screen::{Census, Screen};
use crate::process::start::{
    Port, become_mail_owner, become_owner, finish, hostname, own_name, own_user, start, tls_config,
    warn_of_few_descriptors,
};
use crate::process::users::Users;
use crate::session;
use crate::session::withdrawn::Withdrawn;

/// Where `serve MAILDIR` speaks IMAP with STARTTLS.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1143);

/// Where `serve MAILDIR` speaks IMAP under TLS.
pub const DEFAULT_LISTEN_TLS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1993);

/// The names a self-signed certificate is good for.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How long the last writes may take once all sessions are gone, together with what these have left of their time; and
/// then what runs on a thread.
const FLUSH_GRACE: Duration = Duration::from_secs(2);
const THREADS_GRACE: Duration = Duration::from_millis(500);

/// Stands for "no limit" where a time is needed: a year.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What `serve MAILDIR` is asked to do.
#[derive(Clone, Debug)]
pub struct MaildirOptions {
    /// The Maildir; made if it is not there.
    pub maildir: PathBuf,
    /// Where to speak IMAP with STARTTLS; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where to speak IMAP under TLS; port 0 picks a free one.
    pub listen_tls: SocketAddr,
    /// Who may log in; `None`: the system's name of the user the server runs as.
    pub user: Option<String>,
    /// The password; `None`: a random one is made and shown.
    pub password: Option<Zeroizing<String>>,
    /// Certificate chain as PEM; `None`: a self-signed one is made.
    pub certificate: Option<PathBuf>,
    /// The certificate's key as PEM.
    pub key: Option<PathBuf>,
}

impl MaildirOptions {
    /// The defaults for this Maildir.
    pub fn new(maildir: PathBuf) -> MaildirOptions {
        MaildirOptions {
            maildir,
            listen: DEFAULT_LISTEN,
            listen_tls: DEFAULT_LISTEN_TLS,
            user: None,
            password: None,
            certificate: None,
            key: None,
        }
    }
}

/// Serves one Maildir to one user until a signal says stop.
///
/// # Errors
///
/// Whatever keeps it from beginning; what fails later is logged.
pub fn serve_maildir(options: MaildirOptions) -> Result<(), ServeError> {
    let config = Config::default();
    let tls = tls_config(
        options.certificate.as_deref(),
        options.key.as_deref(),
        &[],
        &LOCAL_NAMES,
        MinimumVersion::default(),
    )?;
    let imap = Port::bind(options.listen, Security::StartTls)?;
    let imaps = Port::bind(options.listen_tls, Security::Implicit)?;
    let root_warning = become_owner(&options.maildir)?;
    let (log, runtime) = start(LogLevel::Info)?;
    if let Some(warning) = root_warning {
        warn!("{warning}");
    }

    let name = options.user.unwrap_or_else(own_name);
    let (password, shown) = match options.password {
        Some(given) => (given, None),
        None => {
            let made = random_password().map_err(ServeError::system("make a password"))?;
            (made.clone(), Some(made))
        }
    };
    let result = runtime.block_on(async {
        let signals = catch_signals(Hangup::Stops)?;
        let account = accounts::at(options.maildir.clone(), &config);
        drop(open(account.clone()).await?); // what is wrong with it is said at once
        let maildir = options.maildir.clone();
        let census = spawn_blocking(move || Census::of(&maildir)).await;
        let screen = Screen {
            maildir: &options.maildir,
            census: census.unwrap_or_default(),
            imap: imap.address,
            imaps: imaps.address,
            user: &name,
            password: shown.as_ref().map(|password| password.as_str()),
        };
        show(&screen);
        let (stop_sender, stop) = watch::channel(false);
        let server = Server {
            auth: Authenticator::single(name.clone(), Secret::new(password.as_bytes().to_vec())),
            tls,
            limits: session_limits(&config),
            plaintext: Plaintext::Loopback,
            mechanisms: mechanisms(&config),
            // The one user may have all the connections there are.
            users: Users::new(
                usize::MAX,
                Box::new(move |_| Ok(User::open(account.clone())?)),
            ),
            stop,
        };
        serve(
            vec![imap, imaps],
            &config.limits,
            server,
            signals,
            stop_sender,
        )
        .await
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

/// Serves the users of one mail uid by a configuration until a signal says stop.
///
/// # Errors
///
/// Whatever keeps it from beginning; what fails later is logged.
pub fn serve_config(config: Config) -> Result<(), ServeError> {
    let authenticator = Authenticator::new(&config.auth)?;
    let owner = accounts::mail_owner(&config)?;
    let hostname = hostname(&config);
    let mut names = vec![hostname.as_str()];
    names.extend(LOCAL_NAMES);
    let tls = tls_config(
        config.tls.certificate.as_deref(),
        config.tls.key.as_deref(),
        &config.tls.sni,
        &names,
        match config.tls.minimum_version {
            TlsVersion::Tls12 => MinimumVersion::Tls12,
            TlsVersion::Tls13 => MinimumVersion::Tls13,
        },
    )?;
    let mut ports = Vec::new();
    for address in &config.listen.imap {
        ports.push(Port::bind(*address, Security::StartTls)?);
    }
    for address in &config.listen.imaps {
        ports.push(Port::bind(*address, Security::Implicit)?);
    }
    if ports.is_empty() {
        return Err(ServeError::Usage(
            "listen.imap and listen.imaps are both empty: there is nothing to serve".to_owned(),
        ));
    }
    become_mail_owner(owner, &config)?;
    let (log, runtime) = start(config.log.level)?;
    if config.tls.certificate.is_none() {
        warn!("no tls.certificate: a self-signed one is used, which clients will not trust");
    }
    warn_of_few_descriptors(&config.limits);

    let result = runtime.block_on(async {
        let signals = catch_signals(Hangup::IsNoted)?;
        let (stop_sender, stop) = watch::channel(false);
        let (limits, own_uid) = (config.limits.clone(), privileges::own_uid());
        let server = Server {
            auth: authenticator,
            tls,
            limits: session_limits(&config),
            plaintext: config.auth.plaintext_without_tls,
            mechanisms: mechanisms(&config),
            users: Users::new(
                at_most(config.limits.connections_per_user),
                Box::new(move |granted| {
                    let account = accounts::of_granted(&config, own_uid, granted)?;
                    Ok(User::open(account)?)
                }),
            ),
            stop,
        };
        serve(ports, &limits, server, signals, stop_sender).await
    });
    finish(&log, runtime, THREADS_GRACE);
    result
}

/// Serves one session, already logged in, on standard input and output: for `ssh host culver serve
/// --stdio`. The mail is in `maildir`, else where the configuration says, else in `~/Maildir`.
///
/// # Errors
///
/// Whatever keeps it from beginning.
pub fn serve_stdio(maildir: Option<PathBuf>, config: Option<Config>) -> Result<(), ServeError> {
    let config = config.unwrap_or_default();
    let user = own_user();
    let account = match maildir {
        Some(maildir) => accounts::at(maildir, &config),
        None => {
            let fields = AccountFields {
                home: Some(PathBuf::from(user.home)),
                ..AccountFields::default()
            };
            let own = Granted {
                user: user.name,
                account: fields,
            };
            accounts::of_granted(&config, privileges::own_uid(), &own)?
        }
    };
    let root_warning = become_owner(&account.location.root)?;
    // What is said on standard error, ssh shows to whoever sits at the other end.
    let level = match config.log.level {
        LogLevel::Info => LogLevel::Warn,
        chosen => chosen,
    };
    let (log, runtime) = start(level)?;
    if let Some(warning) = root_warning {
        warn!("{warning}");
    }
    let name = own_name();
    let result = runtime.block_on(async {
        let mut signals = catch_signals(Hangup::Stops)?;
        let user = open(account).await?;
        let (stop_sender, stop) = watch::channel(false);
        let stream = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
        let limits = session_limits(&config);
        let mut last_writes = None;
        let mut session = std::pin::pin!(session::preauth(
            stream,
            &name,
            Arc::clone(&user),
            limits,
            stop
        ));
        tokio::select! {
            () = &mut session => {}
            _ = signals.stop() => {
                stop_sender.send_replace(true);
                last_writes = Some(Instant::now() + SESSIONS_GRACE + FLUSH_GRACE);
                if timeout(SESSIONS_GRACE, session).await.is_err() {
                    warn!("the session did not end in time and was cut off");
                }
            }
        }
        let last_writes =
            last_writes.unwrap_or_else(|| Instant::now() + SESSIONS_GRACE + FLUSH_GRACE);
        if timeout_at(last_writes, user.flush()).await.is_err() {
            warn!("the last changes did not reach the disk in time");
        }
        Ok(())
    });
    // The thread that reads standard input does so until the other end closes it.
    finish(&log, runtime, Duration::ZERO);
    result
}

/// Accepts on all ports until a signal comes, then ends in order: ports closed, sessions told and
/// waited for, everything on disk. A second signal ends at once.
async fn serve(
    ports: Vec<Port>,
    limits: &Limits,
    server: Server,
    signals: Signals,
    stop_sender: watch::Sender<bool>,
) -> Result<(), ServeError> {
    let server = Arc::new(server);
    let admission = Admission::new(
        at_most(limits.connections),
        at_most(limits.connections_per_address),
    );
    let mut accepting = JoinSet::new();
    for port in ports {
        info!(address = %port.address, security = ?port.security, "listening");
        let socket = tokio::net::TcpListener::from_std(port.socket)
            .map_err(ServeError::system(format!("listen on {}", port.address)))?;
        let server = Arc::clone(&server);
        let serve = move |accepted| Arc::clone(&server).serve(accepted, port.security);
        accepting.spawn(listener::accept(
            socket,
            Arc::clone(&admission),
            port.security.refusals(),
            stop_sender.subscribe(),
            serve,
        ));
    }
    let closing = tokio::spawn(Arc::clone(&server.users).close_unused());
    let in_order = async {
        let mut open = Vec::new();
        while let Some(ended) = accepting.join_next().await {
            match ended {
                Ok(sessions) => open.push(sessions),
                // A server that no longer listens must not stay as if it did.
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        }
        let deadline = Instant::now() + SESSIONS_GRACE;
        let last_writes = deadline + FLUSH_GRACE;
        let mut cut_off = 0;
        for mut sessions in open {
            cut_off += drain(&mut sessions, deadline - Instant::now()).await;
        }
        if cut_off > 0 {
            warn!(sessions = cut_off, "cut off: they did not end in time");
        }
        if timeout_at(last_writes, server.users.flush()).await.is_err() {
            warn!("the last changes did not reach the disk in time");
        }
    };
    tokio::select! {
        () = in_order => info!("stopped"),
        () = stop_on_signal(signals, stop_sender) => {}
    }
    closing.abort();
    Ok(())
}

/// Opens an account on the blocking pool.
async fn open(account: crate::mailbox::user::Account) -> Result<Arc<User>, ServeError> {
    spawn_blocking(move || Ok(User::open(account)?))
        .await
        .unwrap_or_else(|error| Err(ServeError::system("open the mail")(error.into())))
}

fn catch_signals(hangup: Hangup) -> Result<Signals, ServeError> {
    Signals::catch(hangup).map_err(ServeError::system("catch signals"))
}

/// Shows the screen; nobody may be looking, and serving goes on all the same.
fn show(screen: &Screen<'_>) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{screen}").and_then(|()| out.flush());
}

fn session_limits(config: &Config) -> session::Limits {
    session::Limits {
        login_timeout: config.limits.login_timeout.limit().unwrap_or(UNLIMITED),
        idle_timeout: config.limits.idle_timeout.limit().unwrap_or(UNLIMITED),
        max_message_size: config.mail.max_message_size.limit(),
        message_limit: Some(config.limits.message_limit).filter(|limit| *limit > 0),
        save_limit: Some(config.limits.save_limit).filter(|limit| *limit > 0),
        withdrawn: Arc::new(withdrawn(&config.capabilities)),
    }
}

/// What the configuration withdraws from clients.
fn withdrawn(capabilities: &Capabilities) -> Withdrawn {
    let clients = capabilities.client.iter();
    Withdrawn::new(
        capabilities.off.clone(),
        clients
            .map(|client| (client.name.clone(), client.off.clone()))
            .collect(),
    )
}

/// The configured mechanisms that there are already; `config check` warns of others.
fn mechanisms(config: &Config) -> Arc<[Mechanism]> {
    let known = config.auth.mechanisms.iter();
    known
        .filter_map(|mechanism| Mechanism::named(mechanism.as_str()))
        .collect()
}

/// A number of the configuration, where 0 means no limit.
fn at_most(number: u32) -> usize {
    match number {
        0 => usize::MAX,
        number => usize::try_from(number).unwrap_or(usize::MAX),
    }
}
