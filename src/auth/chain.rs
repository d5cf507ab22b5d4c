//! Who has logged in: the sources are asked, and refusals are held back.
//!
//! Files are read and hashes computed on the blocking pool, as many at once as there are
//! cores. A name that nobody has costs a hash too, so that time does not tell who exists.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::names::{Named, Names};
use super::penalty::{self, Penalty};
use super::pretence::Pretence;
use super::scram_keys::Hash;
use super::source::{Means, Outside, Source, cores};
use super::sources::{Challenge, Ordered, Outcome, Sources};
use super::{Credentials, Line, Purpose, Verdict};
use crate::config;
use crate::imap::core::Secret;

/// Checks at once where they are done elsewhere, and some may hang there.
const CHECKS: usize = 512;

/// Users looked up at once without a password.
const LOOKUPS: usize = 64;

/// Asks the sources.
pub struct Authenticator {
    sources: Arc<Sources>,
    penalty: Penalty,
    /// As many permits as there may be checks at once: one for each core, but for those that only wait for others.
    pool: Arc<Semaphore>,
    /// As many permits as there may be lookups at once.
    lookups: Arc<Semaphore>,
}

impl Authenticator {
    /// One that asks what `[[auth.source]]` names. Users of the system below `first_uid` are nobody. `outside` does what
    /// is not done here.
    pub fn new(auth: &config::Auth, first_uid: u32, outside: &Arc<dyn Outside>) -> Authenticator {
        let mut users = Vec::new();
        let mut masters = Vec::new();
        for (number, config::AuthSource { source, rules }) in auth.source.iter().enumerate() {
            let master = matches!(source, config::Source::PasswdFile { master: true, .. });
            let whose = if master { &mut masters } else { &mut users };
            whose.push(Ordered {
                source: Source::new(number, source, first_uid, outside),
                rules: *rules,
                master,
            });
        }
        let sources = Sources {
            names: Names {
                format: Some(auth.username_format.clone()),
                master_separator: auth.master_separator,
            },
            users,
            masters,
            means: Means::new(auth.cache.0),
            pretence: Pretence::new(),
        };
        Authenticator::of(sources, Penalty::new(auth.failure_delay.0))
    }

    /// One that knows a single user, in upper or lower case.
    pub fn single(user: String, password: Secret) -> Authenticator {
        let defaults = config::Auth::default();
        let sources = Sources {
            names: Names {
                format: None,
                master_separator: None,
            },
            users: vec![Ordered {
                source: Source::Single { user, password },
                rules: config::Rules::default(),
                master: false,
            }],
            masters: Vec::new(),
            means: Means::new(defaults.cache.0),
            pretence: Pretence::new(),
        };
        Authenticator::of(sources, Penalty::new(defaults.failure_delay.0))
    }

    fn of(sources: Sources, penalty: Penalty) -> Authenticator {
        let waits = sources.users.iter().any(|one| one.source.waits());
        let at_once = if waits { CHECKS } else { cores() };
        Authenticator {
            sources: Arc::new(sources),
            penalty,
            pool: Arc::new(Semaphore::new(at_once)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// Who logs in by these names; `None`: one of them is no user name.
    pub(super) fn named(&self, user: &[u8], authorize_as: Option<&[u8]>) -> Option<Named> {
        self.sources.names.named(user, authorize_as)
    }

    /// Says who has these credentials. A refusal takes its time.
    pub async fn check(&self, credentials: Credentials) -> Verdict {
        let line = credentials.line.clone();
        let at = at(&line);
        let checked = self.ask(&self.pool, move |sources| {
            let named = sources
                .names
                .named(&credentials.user, credentials.authorize_as.as_deref());
            sources.check(named.as_ref(), credentials.password.expose(), at)
        });
        match checked.await {
            Some(outcome) => self.conclude(outcome, &line).await,
            None => Verdict::Unavailable,
        }
    }

    /// What a client of SCRAM has to prove; `None`: nobody can say.
    pub(super) async fn challenge(
        &self,
        named: Option<Named>,
        hash: Hash,
        line: &Line,
    ) -> Option<Challenge> {
        let at = at(line);
        self.ask(&self.pool, move |sources| {
            sources.challenge(named.as_ref(), hash, at)
        })
        .await
    }

    /// Says whether somebody who is this user for certain may log in.
    pub(super) async fn certified(&self, named: Option<Named>, line: &Line) -> Verdict {
        let at = at(line);
        let asked = self.ask(&self.pool, move |sources| {
            sources.certified(named.as_ref(), at)
        });
        match asked.await {
            Some(outcome) => self.conclude(outcome, line).await,
            None => Verdict::Unavailable,
        }
    }

    /// What is known of a user, whoever asks: granted is who is there, also who may not log in, for they get mail all the
    /// same, as with Dovecot. [`Verdict::Denied`]: there is none of that name.
    pub async fn lookup(&self, user: String) -> Verdict {
        let lookup = move |sources: &Sources| sources.lookup(&user);
        let found = self.ask(&self.lookups, lookup).await;
        found.unwrap_or(Verdict::Unavailable)
    }

    /// Asks on the blocking pool; `None`: a panic, which ends in no more than a refusal to answer.
    async fn ask<T: Send + 'static>(
        &self,
        pool: &Arc<Semaphore>,
        question: impl FnOnce(&Sources) -> T + Send + 'static,
    ) -> Option<T> {
        let sources = Arc::clone(&self.sources);
        // The permit goes along: a client that leaves does not make room for another hash.
        let permit = Arc::clone(pool).acquire_owned().await.ok()?;
        let asked = tokio::task::spawn_blocking(move || {
            let answer = question(&sources);
            drop(permit);
            answer
        });
        asked.await.ok()
    }

    /// A verdict, once it has taken its time.
    pub(super) async fn conclude(&self, outcome: Outcome, line: &Line) -> Verdict {
        let (peer, purpose) = at(line);
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

fn at(line: &Line) -> (Option<IpAddr>, Purpose) {
    (penalty::address(&line.peer), line.purpose)
}

#[cfg(test)]
mod tests;
