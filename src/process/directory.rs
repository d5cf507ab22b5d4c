//! What the sources of users say, without a server and beside one: for those who set one up. What the server has done by
//! processes of their own is done here, with the rights of whoever asks.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::auth::{
    Authenticator, Granted, Known, Outside, Proof, Question, Secret, Trial, Verdict,
};
use crate::config::{AuthSource, Config, LogLevel, Source};
use crate::process::ServeError;
use crate::process::accounts::{self, Described};
use crate::process::errands;
use crate::process::place::Places;
use crate::process::privileges::{self, Ids};
use crate::process::proof;
use crate::process::roles::Roles;
use crate::process::start::{THREADS_GRACE, Threads, finish, start};

/// What a login would give.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The user, as the sources have the name.
    pub user: String,
    /// Who owns the mail.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// The home.
    pub home: Option<String>,
    /// The Maildir.
    pub mail: PathBuf,
    /// Where the control files are, where that is elsewhere.
    pub control: Option<PathBuf>,
    /// Octets of mail, where they are limited.
    pub storage: Option<u64>,
    /// Messages, where they are limited.
    pub messages: Option<u64>,
    /// Which sources say so, by their places in the configuration.
    pub sources: Vec<usize>,
    /// Why the user may have no session, where that is so.
    pub closed: Option<String>,
    /// What else decides whether the user may, and is not asked here.
    pub up_to: Option<&'static str>,
}

/// What became of a password.
#[derive(Debug)]
pub struct Test {
    /// What the sources say.
    pub trial: Trial,
    /// Why the user, who would be let in, would not be served, where that is so.
    pub unserved: Option<String>,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// There is no such user.
    #[error("{0}: there is no such user")]
    Nobody(String),
    /// A source cannot say; the log has why.
    #[error("{0}: a source of users cannot be asked")]
    Unavailable(String),
    /// The user is there, but a login would not be served.
    #[error("{0}")]
    Unserved(String),
    /// The configuration or the system is in the way.
    #[error(transparent)]
    Failed(#[from] ServeError),
}

/// What a login of this user would give.
///
/// # Errors
///
/// Why it would give nothing.
pub fn user(config: &Config, name: &str) -> Result<Facts, Unknown> {
    let typed = name.to_owned();
    let known = ask(config, async |auth| auth.look_up(typed).await)?;
    let Known {
        verdict,
        sources,
        closed,
        is_near,
    } = known;
    let granted = match verdict {
        Some(Verdict::Granted(granted)) => granted,
        Some(Verdict::Denied) => return Err(Unknown::Nobody(name.to_owned())),
        _ => return Err(Unknown::Unavailable(name.to_owned())),
    };
    let described = serve(config, &granted)?;
    let kinds = sources
        .iter()
        .filter_map(|place| config.auth.source.get(*place));
    let mut by_system = kinds.filter_map(|one| match one.source {
        Source::Pam { .. } => Some("as PAM says"),
        Source::Passwd => Some("as shadow(5) says"),
        _ => None,
    });
    let near = is_near.then_some("from some addresses only");
    let account = described.account;
    Ok(Facts {
        uid: described.uid,
        gid: described.gid,
        home: described.home,
        mail: account.location.root,
        control: account.location.control,
        storage: account.quota.storage,
        messages: account.quota.messages,
        user: granted.user,
        up_to: by_system.next().or(near).filter(|_| closed.is_none()),
        sources,
        closed,
    })
}

/// How a user would be served who is let in.
fn serve(config: &Config, granted: &Granted) -> Result<Described, Unknown> {
    let unserved = |error: ServeError| Unknown::Unserved(format!("{}: {error}", granted.user));
    if privileges::is_root() {
        // As master would seat such a user.
        let seated = Places::new(config)?.of(config, granted.clone());
        seated.map_err(unserved)?;
    }
    accounts::describe(config, granted).map_err(unserved)
}

/// Tries a password in every source, as if it came from this address, and finds out how who has it would be served.
///
/// # Errors
///
/// The configuration or the system is in the way.
pub fn password(
    config: &Config,
    name: &str,
    password: Secret,
    peer: Option<IpAddr>,
) -> Result<Test, ServeError> {
    let name = name.as_bytes().to_vec();
    let test = async |auth: Authenticator| auth.try_everywhere(name, password, peer).await;
    let trial = ask(config, test)?;
    let served = match &trial.verdict {
        Some(Verdict::Granted(granted)) => serve(config, granted).map(|_| ()),
        _ => Ok(()),
    };
    let unserved = match served {
        Ok(()) => None,
        Err(Unknown::Failed(error)) => return Err(error),
        Err(error) => Some(error.to_string()),
    };
    Ok(Test { trial, unserved })
}

fn ask<T>(
    config: &Config,
    question: impl AsyncFnOnce(Authenticator) -> T,
) -> Result<T, ServeError> {
    privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
    privileges::hide().map_err(ServeError::system("keep others from looking in"))?;
    let outside: Arc<dyn Outside> = Arc::new(ByItself {
        sources: config.auth.source.clone(),
        auth: Roles::new(false).auth,
    });
    let authenticator = Authenticator::new(&config.auth, config.users.first_uid, &outside);
    // Why a source cannot say stands there.
    let (log, runtime) = start(LogLevel::Warn, Threads::Few)?;
    let answer = runtime.block_on(question(authenticator));
    finish(&log, runtime, THREADS_GRACE);
    Ok(answer)
}

/// Does all of it here, and with as many rights as it has.
struct ByItself {
    sources: Vec<AuthSource>,
    /// Whom programs run as where nothing else is said.
    auth: Option<Ids>,
}

impl Outside for ByItself {
    fn open(&self, _source: usize, _user: &str, path: &Path) -> io::Result<File> {
        errands::open_regular(path)
    }

    fn prove(&self, source: usize, question: Question) -> io::Result<Proof> {
        let source = self.sources.get(source).map(|one| &one.source);
        let setup = proof::setup(source, self.auth)?;
        Ok(proof::check(&setup, &question))
    }
}
