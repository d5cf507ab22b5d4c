//! The role Single: one process that does everything, as the user the mail belongs to. It serves one
//! Maildir, over the network or on standard input and output.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::auth::{self, AccountFields, Authenticator, Granted, Line, Mechanism, Secret, Step};
use crate::blocking;
use crate::config::{Config, Limits, LogLevel, Plaintext, Tls};
use crate::mailbox::user::User;
use crate::net::shutdown::{Hangup, SESSIONS_GRACE, Signals, stop_on_signal, stopped};
use crate::net::tls::{MinimumVersion, server_config};
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::certificates;
use crate::process::connection::{Entrance, Security};
use crate::process::password::random_password;
use crate::process::ports::{Port, Serving};
use crate::process::privileges;
use crate::process::screen::{Census, Screen};
use crate::process::service::Service;
use crate::process::settings::session_limits;
use crate::process::start::{
    FLUSH_GRACE, THREADS_GRACE, Threads, become_owner, finish, own_name, own_user, start,
};
use crate::process::users::Users;
use crate::session;
use crate::session::prelogin::{Attempt, Authenticate};

/// Where `serve MAILDIR` speaks IMAP with STARTTLS.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1143);

/// Where `serve MAILDIR` speaks IMAP under TLS.
pub const DEFAULT_LISTEN_TLS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1993);

/// The names a self-signed certificate is good for.
pub const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

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
    let files = Tls {
        certificate: options.certificate,
        key: options.key,
        ..Tls::default()
    };
    let identities = certificates::read(&files, &LOCAL_NAMES)?;
    let tls = server_config(&identities, MinimumVersion::default())?;
    let imap = Port::bind(options.listen, Security::StartTls)?;
    let imaps = Port::bind(options.listen_tls, Security::Implicit)?;
    let root_warning = become_owner(&options.maildir)?;
    set_limits()?;
    let (log, runtime) = start(LogLevel::Info, Threads::Many)?;
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
        let census = blocking::spawn(move || Census::of(&maildir)).await;
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
        let password = Secret::new(password.as_bytes().to_vec());
        let entrance = Entrance {
            auth: Arc::new(Authenticator::single(name.clone(), password)),
            tls: watch::channel(tls).1,
            limits: session_limits(&config),
            plaintext: Plaintext::Loopback,
            mechanisms: Mechanism::ALL.into(),
            stop: stop.clone(),
            refusing: Mutex::default(),
        };
        let service = Service {
            // The one user may have all the connections there are.
            users: Users::new(usize::MAX, Box::new(move |_| Ok(account.clone()))),
            limits: session_limits(&config),
            stop,
        };
        let ports = vec![imap, imaps];
        serve(
            ports,
            &config.limits,
            entrance,
            service,
            signals,
            stop_sender,
        )
        .await
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
                master: None,
                account: fields,
            };
            accounts::of_granted(&config, privileges::own_uid(), &own)?
        }
    };
    let root_warning = become_owner(&account.location.root)?;
    set_limits()?;
    // What is said on standard error, ssh shows to whoever sits at the other end.
    let level = match config.log.level {
        LogLevel::Info => LogLevel::Warn,
        chosen => chosen,
    };
    let (log, runtime) = start(level, Threads::Many)?;
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

impl Authenticate for Arc<Authenticator> {
    type Passage = Granted;
    type Attempt = auth::Attempt;

    fn begin(&self, mechanism: Mechanism, line: Line) -> auth::Attempt {
        auth::Attempt::new(Arc::clone(self), mechanism, line)
    }
}

impl Attempt for auth::Attempt {
    type Passage = Granted;

    async fn step(&mut self, response: Option<Secret>) -> Step {
        auth::Attempt::step(self, response.as_ref()).await
    }
}

/// Serves connections until a signal comes, then ends in order: ports closed, sessions told and waited for,
/// everything on disk. A second signal ends at once.
async fn serve(
    ports: Vec<Port>,
    limits: &Limits,
    entrance: Entrance<Arc<Authenticator>>,
    service: Service,
    signals: Signals,
    stop_sender: watch::Sender<bool>,
) -> Result<(), ServeError> {
    let users = Arc::clone(&service.users);
    let shared = Arc::new((entrance, service));
    let stop = stop_sender.subscribe();
    let serving = Serving::begin(ports, limits, &[], &stop, move |accepted, security| {
        let shared = Arc::clone(&shared);
        async move { shared.0.serve(accepted, security, &shared.1).await }
    })?;
    let closing = tokio::spawn(Arc::clone(&users).close_unused());
    let mut told = stop.clone();
    let in_order = async {
        stopped(&mut told).await;
        let last_writes = Instant::now() + SESSIONS_GRACE + FLUSH_GRACE;
        serving.end(SESSIONS_GRACE).await;
        if timeout_at(last_writes, users.flush()).await.is_err() {
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
    blocking::spawn(move || Ok(User::open(account)?))
        .await
        .unwrap_or_else(|error| Err(ServeError::system("open the mail")(error.into())))
}

fn set_limits() -> Result<(), ServeError> {
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))
}

fn catch_signals(hangup: Hangup) -> Result<Signals, ServeError> {
    Signals::catch(hangup).map_err(ServeError::system("catch signals"))
}

/// Shows the screen; nobody may be looking, and serving goes on all the same.
fn show(screen: &Screen<'_>) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{screen}").and_then(|()| out.flush());
}
