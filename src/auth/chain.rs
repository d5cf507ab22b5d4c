//! The sources in their order: name and password in, a verdict out, and refusals held back.
//!
//! A source that does not know the name, or has another password for it, leaves the question to the
//! next one. One that cannot answer makes the verdict [`Verdict::Unavailable`], unless a later one
//! says yes. Files are read and hashes computed on the blocking pool, as many at once as there are
//! cores. A name that nobody has costs a hash too, so that time does not tell who exists.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::hash::{DUMMY, Scheme, Stored};
use super::passwd_line::{AllowedNet, Entry};
use super::penalty::{self, Penalty};
use super::source::{Asked, Means, Outside, Source, Tally, cores};
use super::{AccountFields, Credentials, Granted, Purpose, Verdict};
use crate::config::{self, Template};
use crate::imap::core::Secret;

/// The longest user name, in octets.
const MAX_NAME: usize = 255;

/// The longest password that is looked at, in octets.
const MAX_PASSWORD: usize = 4096;

/// Checks at once where they are done elsewhere, and some may hang there.
const CHECKS: usize = 512;

/// Users looked up at once without a password.
const LOOKUPS: usize = 64;

/// Asks the sources.
pub struct Authenticator {
    inner: Arc<Inner>,
    penalty: Penalty,
    /// As many permits as there may be checks at once: one for each core, but for those that only wait for others.
    pool: Arc<Semaphore>,
    /// As many permits as there may be lookups at once.
    lookups: Arc<Semaphore>,
}

struct Inner {
    /// `None`: names are taken as they are typed.
    format: Option<Template>,
    master_separator: Option<char>,
    users: Vec<Source>,
    masters: Vec<Source>,
    means: Means,
}

/// A source that this version does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("auth.source of kind {0:?} is not supported by this version; use a passwd-file")]
pub struct SourceError(pub &'static str);

/// What the sources say, and whether a refusal is held back.
struct Outcome {
    verdict: Verdict,
    no_delay: bool,
}

impl Authenticator {
    /// One that asks what `[[auth.source]]` names. Users of the system below `first_uid` are nobody. `outside` does what is not done here.
    ///
    /// # Errors
    ///
    /// [`SourceError`] for a kind of source that is not there.
    pub fn new(
        auth: &config::Auth,
        first_uid: u32,
        outside: Arc<dyn Outside>,
    ) -> Result<Authenticator, SourceError> {
        let mut users = Vec::new();
        let mut masters = Vec::new();
        for (number, source) in auth.source.iter().enumerate() {
            let whose = match source {
                config::Source::PasswdFile { master: true, .. } => &mut masters,
                _ => &mut users,
            };
            whose.push(Source::new(number, source, first_uid, &outside)?);
        }
        let inner = Inner {
            format: Some(auth.username_format.clone()),
            master_separator: auth.master_separator,
            users,
            masters,
            means: Means::new(auth.cache.0),
        };
        Ok(Authenticator::of(inner, Penalty::new(auth.failure_delay.0)))
    }

    /// One that knows a single user, in upper or lower case.
    pub fn single(user: String, password: Secret) -> Authenticator {
        let defaults = config::Auth::default();
        let inner = Inner {
            format: None,
            master_separator: None,
            users: vec![Source::Single { user, password }],
            masters: Vec::new(),
            means: Means::new(defaults.cache.0),
        };
        Authenticator::of(inner, Penalty::new(defaults.failure_delay.0))
    }

    fn of(inner: Inner, penalty: Penalty) -> Authenticator {
        let waits = inner.users.iter().any(Source::waits);
        let at_once = if waits { CHECKS } else { cores() };
        Authenticator {
            inner: Arc::new(inner),
            penalty,
            pool: Arc::new(Semaphore::new(at_once)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// The name in these credentials, as sources are asked for it; `None`: it is none.
    pub fn user_name(&self, credentials: &Credentials) -> Option<String> {
        let (user, target) = self.inner.names(credentials)?;
        Some(target.unwrap_or(user))
    }

    /// Says who has this name, for mail that comes: granted is who is there, denied who is not. Who may not log in gets
    /// mail all the same, as with Dovecot.
    pub async fn find(&self, name: String) -> Verdict {
        let inner = Arc::clone(&self.inner);
        let Ok(permit) = Arc::clone(&self.lookups).acquire_owned().await else {
            return Verdict::Unavailable;
        };
        let found = tokio::task::spawn_blocking(move || {
            let found = inner.find(&name);
            drop(permit);
            found
        });
        found.await.unwrap_or(Verdict::Unavailable)
    }

    /// Says who has these credentials. A refusal takes its time.
    pub async fn check(&self, credentials: Credentials) -> Verdict {
        let peer = penalty::address(&credentials.line.peer);
        let purpose = credentials.line.purpose;
        let inner = Arc::clone(&self.inner);
        // The permit goes along: a client that leaves does not make room for another hash.
        let Ok(permit) = Arc::clone(&self.pool).acquire_owned().await else {
            return Verdict::Unavailable;
        };
        let outcome = tokio::task::spawn_blocking(move || {
            let outcome = inner.check(&credentials, peer);
            drop(permit);
            outcome
        })
        .await;
        // A panic while checking, too, ends in no more than a refusal to answer.
        let Ok(outcome) = outcome else {
            return Verdict::Unavailable;
        };
        let peer = peer.filter(|_| purpose != Purpose::Submission { penalty: false });
        match outcome.verdict {
            Verdict::Granted(_) => self.penalty.succeeded(peer),
            Verdict::Denied => {
                let delay = self.penalty.failed(peer, Instant::now());
                if !outcome.no_delay {
                    tokio::time::sleep(delay).await;
                }
            }
            Verdict::Disabled(_) | Verdict::Unavailable => {}
        }
        outcome.verdict
    }
}

impl Inner {
    fn check(&self, credentials: &Credentials, peer: Option<IpAddr>) -> Outcome {
        let password = credentials.password.expose();
        let mut tally = Tally::default();
        let names = self.names(credentials);
        let granted = match &names {
            Some((user, target)) if password.len() <= MAX_PASSWORD => {
                let asked = Asked {
                    user,
                    password,
                    peer,
                    purpose: credentials.line.purpose,
                };
                match target {
                    None => self.log_in(&self.users, asked, &mut tally),
                    Some(target) => self.log_in_as(asked, target, &mut tally),
                }
            }
            _ => None,
        };
        let verdict = match granted {
            Some(verdict) => verdict,
            None => {
                if !tally.hashed {
                    self.hash_in_vain(password);
                }
                if tally.unavailable {
                    Verdict::Unavailable
                } else {
                    Verdict::Denied
                }
            }
        };
        Outcome {
            verdict,
            no_delay: tally.no_delay,
        }
    }

    /// The name that has the password, and whom it wants to act as if that is another. `None`: one
    /// of them is no user name.
    fn names(&self, credentials: &Credentials) -> Option<(String, Option<String>)> {
        let typed = std::str::from_utf8(&credentials.user).ok()?;
        let act_as = match &credentials.authorize_as {
            Some(name) => Some(std::str::from_utf8(name).ok()?),
            None => None,
        };
        // `user*master`, as Dovecot has it; a name to act as goes before.
        let split = self
            .master_separator
            .and_then(|mark| typed.split_once(mark));
        let (user, target) = match (act_as, split) {
            (None, Some((target, master))) => (master, Some(target)),
            (act_as, _) => (typed, act_as),
        };
        let user = self.normal(user)?;
        let target = match target {
            Some(target) => Some(self.normal(target)?),
            None => None,
        };
        let target = target.filter(|target| *target != user);
        Some((user, target))
    }

    /// A name as the sources know it; `None`: it holds what no user name does.
    fn normal(&self, typed: &str) -> Option<String> {
        let Some(format) = &self.format else {
            let good = typed.len() <= MAX_NAME && !typed.contains(|c: char| c.is_control());
            return (good && !typed.is_empty()).then(|| typed.to_owned());
        };
        if !is_user_name(typed) {
            return None;
        }
        let name = format.expand_name(typed);
        is_user_name(&name).then_some(name)
    }

    /// The first yes of `sources`, or a disabled user's refusal.
    fn log_in(&self, sources: &[Source], asked: Asked<'_>, tally: &mut Tally) -> Option<Verdict> {
        sources.iter().find_map(|source| {
            let entry = source.log_in(asked, &self.means, tally)?;
            let verdict = || grant(source.user_name(asked.user), entry.clone(), asked.purpose);
            from_allowed(&entry, asked.peer).then(verdict)
        })
    }

    fn find(&self, name: &str) -> Verdict {
        let Some(name) = self.normal(name) else {
            return Verdict::Denied;
        };
        let mut tally = Tally::default();
        let mut users = self.users.iter();
        match users.find_map(|source| Some((source, source.lookup(&name, &mut tally)?))) {
            Some((source, entry)) => admit(source.user_name(&name), entry),
            None if tally.unavailable => Verdict::Unavailable,
            None => Verdict::Denied,
        }
    }

    /// A master user's login as `target`, who must exist.
    fn log_in_as(&self, asked: Asked<'_>, target: &str, tally: &mut Tally) -> Option<Verdict> {
        let verdict = self.log_in(&self.masters, asked, tally)?;
        if !matches!(verdict, Verdict::Granted(_)) {
            return Some(verdict);
        }
        let mut users = self.users.iter();
        let (source, entry) =
            users.find_map(|source| Some((source, source.lookup(target, tally)?)))?;
        tracing::info!("master user {} logs in as {target}", asked.user);
        let mut verdict = grant(source.user_name(target), entry, asked.purpose);
        if let Verdict::Granted(granted) = &mut verdict {
            granted.master = Some(asked.user.to_owned());
        }
        Some(verdict)
    }

    /// Takes the time that a wrong password takes.
    fn hash_in_vain(&self, password: &[u8]) {
        let known = self.users.iter().find_map(Source::any_password);
        let single = matches!(self.users[..], [Source::Single { .. }]);
        if single || password.len() > MAX_PASSWORD {
            return;
        }
        let stored = known
            .and_then(|known| Stored::parse(&known, Scheme::Crypt).ok())
            .or_else(|| Stored::parse(DUMMY, Scheme::Crypt).ok());
        if let Some(stored) = stored {
            let verify = || stored.verify("", password);
            let _ = std::hint::black_box(self.means.hash(verify));
        }
    }
}

/// Whether a login from `peer` is good for this user.
fn from_allowed(entry: &Entry, peer: Option<IpAddr>) -> bool {
    let Some(allowed) = &entry.allowed else {
        return true;
    };
    allowed.iter().any(|net| match (net, peer) {
        (AllowedNet::Local, peer) => peer.is_none(),
        (AllowedNet::Network(network), Some(peer)) => network.contains(peer),
        (AllowedNet::Network(_), None) => false,
    })
}

fn grant(user: String, entry: Entry, purpose: Purpose) -> Verdict {
    // Who may have no session may send mail all the same, as with Dovecot.
    let no_session = (entry.disabled.clone()).filter(|_| purpose == Purpose::Session);
    if let Some(reason) = entry.expired.clone().or(no_session) {
        return Verdict::Disabled(reason);
    }
    admit(user, entry)
}

/// Somebody whom nothing keeps out.
fn admit(user: String, entry: Entry) -> Verdict {
    let user = match entry.renamed {
        Some(name) if is_user_name(&name) => name,
        Some(name) => {
            tracing::error!("user {user}: {name:?} is no user name");
            return Verdict::Unavailable;
        }
        None => user,
    };
    let account: AccountFields = entry.account;
    Verdict::Granted(Granted {
        user,
        master: None,
        account,
    })
}

/// Whether a name is made of what Dovecot allows by default, and could be part of a path.
fn is_user_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte))
        && !name.contains("..")
        && !name.starts_with('.')
}

#[cfg(test)]
mod tests;
