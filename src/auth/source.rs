//! One source of users: what it says of a name, and whether a password is that user's.
//!
//! What auth cannot do itself (PAM may hang, crash, and needs root; so do shadow(5) and programs) it has done
//! [`Outside`]. **Blocking.**

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::hash::{Scheme, Stored};
use super::passwd_file::PasswdFile;
use super::passwd_line::{self, Entry};
use super::scram_keys::{Hash, Keys};
use super::verified::Verified;
use super::{AccountFields, Purpose, Verdict, system};
use crate::config;
use crate::imap::core::Secret;

/// What auth has others do. May block.
pub trait Outside: Send + Sync {
    /// Opens a file of users for reading: that of the source of this place in the configuration, as it is for a user,
    /// by its path.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn open(&self, source: usize, user: &str, path: &Path) -> io::Result<File>;

    /// Has a password checked by the source of this place in the configuration.
    ///
    /// # Errors
    ///
    /// Why nobody can say.
    fn prove(&self, source: usize, question: Question) -> io::Result<Proof>;
}

/// A password that is checked elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// The user's name.
    pub user: String,
    /// The password; `None`: only what is known of the user is asked.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The client's address.
    pub peer: Option<IpAddr>,
    /// What for.
    pub purpose: Purpose,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// It is the user's.
    Right,
    /// The same, and this is said of the user, in the fields of a passwd-file.
    Known(Vec<(String, String)>),
    /// It is not, or there is no such user.
    Wrong,
    /// It is, but the user may not log in, for this reason.
    Disabled(String),
    /// Nobody can say now, for this reason.
    Unavailable(String),
}

/// Where names and passwords are known.
pub(super) enum Source {
    PasswdFile(PasswdFile),
    /// One user, whose password is in memory.
    Single {
        user: String,
        password: Secret,
    },
    /// Every name, with one password.
    Static {
        password: String,
    },
    /// The system's users; their passwords are checked elsewhere.
    System {
        outside: Arc<dyn Outside>,
        number: usize,
        first_uid: u32,
    },
    /// Users that a program knows.
    Exec {
        outside: Arc<dyn Outside>,
        number: usize,
    },
}

/// What asking several sources has come to so far.
#[derive(Default)]
pub(super) struct Tally {
    pub unavailable: bool,
    pub no_delay: bool,
    pub hashed: bool,
}

impl Tally {
    /// What is said to whom nobody lets in.
    pub fn refusal(&self) -> Verdict {
        match self.unavailable {
            true => Verdict::Unavailable,
            false => Verdict::Denied,
        }
    }
}

/// What all sources share.
pub(super) struct Means {
    verified: Verified,
    /// As many permits as there are cores, for hashes.
    hashing: Semaphore,
    /// For checks elsewhere, some of which may hang.
    proving: Semaphore,
}

impl Means {
    /// Remembers a good password for so long.
    pub fn new(cache: Duration) -> Means {
        Means {
            verified: Verified::new(cache),
            hashing: Semaphore::new(cores()),
            proving: Semaphore::new(PROOFS),
        }
    }

    /// Computes a hash, when it is its turn. Not for a thread of the runtime.
    pub fn hash<T>(&self, compute: impl FnOnce() -> T) -> T {
        // The semaphore is never closed, so there is always a permit.
        let _permit = Handle::current().block_on(self.hashing.acquire());
        compute()
    }

    /// Has a password checked elsewhere, if its turn comes soon enough. Not for a thread of the runtime.
    fn prove(&self, ask: impl FnOnce() -> io::Result<Proof>) -> io::Result<Proof> {
        let turn = async { timeout(PROOF_TURN, self.proving.acquire()).await };
        let Ok(_permit) = Handle::current().block_on(turn) else {
            return Err(io::Error::other("too many are being checked"));
        };
        ask()
    }
}

/// How many checks elsewhere there are at once, and how long one waits for its turn.
const PROOFS: usize = 64;
const PROOF_TURN: Duration = Duration::from_secs(10);

/// How many hashes are computed at once.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Who asks for what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub user: &'a str,
    pub password: &'a [u8],
    pub peer: Option<IpAddr>,
    pub purpose: Purpose,
}

impl Source {
    /// The source of this place in the configuration.
    pub fn new(
        number: usize,
        source: &config::Source,
        first_uid: u32,
        outside: &Arc<dyn Outside>,
    ) -> Source {
        let outside = Arc::clone(outside);
        match source {
            config::Source::PasswdFile { path, .. } => {
                let open = move |user: &str, path: &Path| outside.open(number, user, path);
                Source::PasswdFile(PasswdFile::new(path.clone(), Box::new(open)))
            }
            config::Source::Static { password } => Source::Static {
                password: password.clone(),
            },
            config::Source::Pam { .. } | config::Source::Passwd => Source::System {
                outside,
                number,
                first_uid,
            },
            config::Source::Exec { .. } => Source::Exec { outside, number },
        }
    }

    /// Whether it waits for others, who may take their time.
    pub fn waits(&self) -> bool {
        matches!(self, Source::System { .. } | Source::Exec { .. })
    }

    /// What the source says of `user`; `None`: nothing, or it cannot say, which is counted.
    pub fn lookup(&self, user: &str, tally: &mut Tally) -> Option<Entry> {
        match self {
            Source::PasswdFile(file) => file.lookup(user).unwrap_or_else(|error| {
                tracing::error!("{error}");
                tally.unavailable = true;
                None
            }),
            Source::Single { user: known, .. } => {
                (known.to_lowercase() == user.to_lowercase()).then(Entry::default)
            }
            Source::Static { password } => Some(Entry {
                password: password.clone(),
                ..Entry::default()
            }),
            Source::System { first_uid, .. } => {
                let account =
                    system_account(user, tally).filter(|account| serves(account, *first_uid));
                account.map(|account| Entry {
                    account,
                    ..Entry::default()
                })
            }
            Source::Exec { outside, number } => {
                let question = Question {
                    user: user.to_owned(),
                    password: None,
                    peer: None,
                    purpose: Purpose::Session,
                };
                answered(user, outside.prove(*number, question), tally)
            }
        }
    }

    /// The entry of a user, and the keys for SCRAM; nothing where the password is stored in a way that gives none.
    pub fn scram(
        &self,
        user: &str,
        hash: Hash,
        salt: &[u8],
        means: &Means,
        tally: &mut Tally,
    ) -> Option<(Entry, Keys)> {
        let entry = self.lookup(user, tally)?;
        tally.no_delay |= entry.no_delay;
        if let Source::Single { password, .. } = self {
            let stored = Stored::plain(password.expose());
            return Some((entry, means.hash(|| stored.scram(hash, salt)).ok()??));
        }
        if entry.password.is_empty() || matches!(self, Source::System { .. } | Source::Exec { .. })
        {
            return None;
        }
        let stored = Stored::parse(&entry.password, self.scheme(&entry));
        match stored.and_then(|stored| means.hash(|| stored.scram(hash, salt))) {
            Ok(keys) => Some((entry, keys?)),
            Err(error) => {
                tracing::error!("user {user}: {error}");
                tally.unavailable = true;
                None
            }
        }
    }

    /// The scheme of a password that names none.
    fn scheme(&self, entry: &Entry) -> Scheme {
        entry.scheme.unwrap_or(match self {
            Source::Static { .. } => Scheme::Plain,
            _ => Scheme::Crypt,
        })
    }

    /// The entry of a user whose password this is.
    pub fn log_in(&self, asked: Asked<'_>, means: &Means, tally: &mut Tally) -> Option<Entry> {
        if let Source::Exec { outside, number } = self {
            return prove(outside.as_ref(), *number, asked, means, tally);
        }
        if let Source::System {
            outside,
            number,
            first_uid,
        } = self
        {
            let account = system_account(asked.user, tally);
            // Root's password is not tried out here, nor are those of other users of the system's own.
            if account
                .as_ref()
                .is_some_and(|account| !serves(account, *first_uid))
            {
                return None;
            }
            // Who does not exist is asked about all the same, for time would tell it.
            let mut entry = prove(outside.as_ref(), *number, asked, means, tally)?;
            entry.account = account?;
            return Some(entry);
        }
        let entry = self.lookup(asked.user, tally)?;
        tally.no_delay |= entry.no_delay;
        self.verify(asked, &entry, means, tally).then_some(entry)
    }

    fn verify(&self, asked: Asked<'_>, entry: &Entry, means: &Means, tally: &mut Tally) -> bool {
        let Asked { user, password, .. } = asked;
        if let Source::Single { password: own, .. } = self {
            tally.hashed = true;
            return own.expose().ct_eq(password).into();
        }
        if entry.password.is_empty() {
            return entry.no_password;
        }
        let now = Instant::now();
        let known = means.verified.find(user, &entry.password, password, now);
        if known.is_some() {
            return true;
        }
        tally.hashed = true;
        let stored = Stored::parse(&entry.password, self.scheme(entry));
        match stored.and_then(|stored| means.hash(|| stored.verify(user, password))) {
            Ok(true) => {
                means
                    .verified
                    .insert((user, &entry.password, password), Entry::default(), now);
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::error!("user {user}: {error}");
                tally.unavailable = true;
                false
            }
        }
    }

    /// The password field of any user, so that one can be tried in vain for a name that is not there.
    pub fn any_password(&self) -> Option<String> {
        match self {
            Source::PasswdFile(file) => file.any_password(),
            Source::Static { password } => Some(password.clone()),
            Source::Single { .. } | Source::System { .. } | Source::Exec { .. } => None,
        }
    }

    /// The user's name as the source writes it.
    pub fn user_name(&self, user: &str) -> String {
        match self {
            Source::Single { user: known, .. } => known.clone(),
            _ => user.to_owned(),
        }
    }
}

/// Has a password checked elsewhere, or remembers that it was, and what was said of the user. What was remembered is not
/// known to have changed until it is forgotten.
fn prove(
    outside: &dyn Outside,
    number: usize,
    asked: Asked<'_>,
    means: &Means,
    tally: &mut Tally,
) -> Option<Entry> {
    let Asked {
        user,
        password,
        peer,
        purpose,
    } = asked;
    let (place, now) = (format!("source {number}"), Instant::now());
    if let Some(known) = means.verified.find(user, &place, password, now) {
        return Some(known);
    }
    tally.hashed = true;
    let question = Question {
        user: user.to_owned(),
        password: Some(Zeroizing::new(password.to_vec())),
        peer,
        purpose,
    };
    let entry = answered(user, means.prove(|| outside.prove(number, question)), tally)?;
    if entry.expired.is_none() {
        let seen = (user, place.as_str(), password);
        means.verified.insert(seen, entry.clone(), now);
    }
    Some(entry)
}

/// What another has said of a user; nothing, or nobody can say, which is counted.
fn answered(user: &str, proof: io::Result<Proof>, tally: &mut Tally) -> Option<Entry> {
    let why = match proof {
        Ok(Proof::Right) => return Some(Entry::default()),
        Ok(Proof::Known(fields)) => match passwd_line::of_fields(user, &fields) {
            Ok(entry) => return entry,
            Err(why) => why,
        },
        Ok(Proof::Wrong) => return None,
        Ok(Proof::Disabled(reason)) => {
            return Some(Entry {
                expired: Some(reason),
                ..Entry::default()
            });
        }
        Ok(Proof::Unavailable(why)) => why,
        Err(error) => error.to_string(),
    };
    tracing::error!("user {user}: the password cannot be checked: {why}");
    tally.unavailable = true;
    None
}

/// Whether an account may have mail here.
fn serves(account: &AccountFields, first_uid: u32) -> bool {
    account.uid.is_some_and(|uid| uid > 0 && uid >= first_uid)
}

/// What the system says of a user's account; nothing, or it cannot say, which is counted.
fn system_account(user: &str, tally: &mut Tally) -> Option<AccountFields> {
    system::account(user).unwrap_or_else(|error| {
        tracing::error!("user {user}: {error}");
        tally.unavailable = true;
        None
    })
}
