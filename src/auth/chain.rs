//! Who has logged in: the sources are asked, and refusals are held back.
//!
//! Files are read and hashes computed on the blocking pool, as many at once as there are
//! cores for those who are known, and as many for all others. A name that nobody has costs what users cost, so that time
//! does not tell who exists.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::lanes::{Known, Lane, Lanes};
use super::names::{Named, Names};
use super::penalty::{self, Penalty};
use super::pretence::Pretence;
use super::scram_keys::Hash;
use super::source::{Caller, Means, Outside, Source};
use super::sources::{Challenge, Ordered, Outcome, Sources};
use super::turns::cores;
use super::{Credentials, Line, Purpose, Verdict};
use crate::config;
use crate::imap::core::Secret;

/// Checks of a lane at once where they are done elsewhere, and some may hang there.
const CHECKS: usize = 256;

/// Users looked up at once without a password.
const LOOKUPS: usize = 64;

/// Asks the sources.
pub struct Authenticator {
    sources: Arc<Sources>,
    penalty: Penalty,
    /// Who need not wait for strangers.
    known: Known,
    /// As many permits as there may be checks at once: one for each core, but for those that only wait for others.
    checks: Lanes<Arc<Semaphore>>,
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
                number,
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
                number: 0,
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
        let mut all = sources.users.iter().chain(&sources.masters);
        let waits = all.any(|one| one.source.waits());
        let at_once = if waits { CHECKS } else { cores() };
        Authenticator {
            sources: Arc::new(sources),
            penalty,
            known: Known::default(),
            checks: Lanes::new(|| Arc::new(Semaphore::new(at_once))),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// Who logs in by these names; `None`: one of them is no user name.
    pub(super) fn named(&self, user: &[u8], authorize_as: Option<&[u8]>) -> Option<Named> {
        self.sources.names.named(user, authorize_as)
    }

    /// Says who has these credentials. A refusal takes its time.
    pub async fn check(&self, credentials: Credentials) -> Verdict {
        let Credentials {
            user,
            authorize_as,
            password,
            line,
        } = credentials;
        let named = self.named(&user, authorize_as.as_deref());
        let outcome = self.ask(named, &line, move |sources, named, caller| {
            sources.check(named, password.expose(), caller)
        });
        self.conclude(outcome.await, &line).await
    }

    /// What a client of SCRAM has to prove; `None`: nobody can say.
    pub(super) async fn challenge(
        &self,
        named: Option<Named>,
        hash: Hash,
        line: &Line,
    ) -> Option<Challenge> {
        let challenge = move |sources: &Sources, named: Option<&Named>, caller: Caller| {
            Some(sources.challenge(named, hash, caller))
        };
        let challenge = self.ask(named, line, challenge).await;
        challenge.filter(|challenge| challenge.outcome.verdict != Verdict::Unavailable)
    }

    /// Says whether somebody who is this user for certain may log in.
    pub(super) async fn certified(&self, named: Option<Named>, line: &Line) -> Verdict {
        let outcome = self.ask(named, line, |sources, named, caller| {
            sources.certified(named, caller)
        });
        self.conclude(outcome.await, line).await
    }

    /// What is known of a user, whoever asks: granted is who is there, also who may not log in, for they get mail all the
    /// same, as with Dovecot. [`Verdict::Denied`]: there is none of that name.
    pub async fn lookup(&self, user: String) -> Verdict {
        let found = self.inquire(move |sources| sources.lookup(&user)).await;
        found.unwrap_or(Verdict::Unavailable)
    }

    /// Asks what is not about a login.
    pub(super) async fn inquire<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Sources) -> T + Send + 'static,
    ) -> Option<T> {
        self.on_a_thread(&self.lookups, question).await
    }

    /// Asks about a login, when it is its turn; the default where there is no answer.
    async fn ask<T: Default + Send + 'static>(
        &self,
        named: Option<Named>,
        line: &Line,
        question: impl FnOnce(&Sources, Option<&Named>, Caller) -> T + Send + 'static,
    ) -> T {
        let peer = penalty::address(&line.peer);
        let lane = named
            .as_ref()
            .map(|named| self.known.lane(peer, &named.user));
        let caller = Caller {
            peer,
            purpose: line.purpose,
            lane: lane.unwrap_or(Lane::Strangers),
        };
        let pool = self.checks.of(caller.lane);
        let answer = self.on_a_thread(pool, move |sources| {
            question(sources, named.as_ref(), caller)
        });
        answer.await.unwrap_or_default()
    }

    /// Asks on the blocking pool; `None`: a panic, which ends in no more than a refusal to answer.
    async fn on_a_thread<T: Send + 'static>(
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
        let peer = penalty::address(&line.peer);
        let good = match &outcome.verdict {
            Verdict::Granted(_) => Some(true),
            Verdict::Denied => Some(false),
            Verdict::Disabled(_) | Verdict::Unavailable => None,
        };
        if let (Some(user), Some(good)) = (&outcome.who, good) {
            self.known.note(peer, user, good);
        }
        let peer = peer.filter(|_| line.purpose != Purpose::Submission { penalty: false });
        match outcome.verdict {
            Verdict::Granted(_) => self.penalty.succeeded(peer),
            // Where a source cannot say, another has perhaps said no: it is a guess like others.
            Verdict::Denied | Verdict::Unavailable => {
                let delay = self.penalty.failed(peer, Instant::now());
                if !outcome.no_delay {
                    tokio::time::sleep(delay).await;
                }
            }
            Verdict::Disabled(_) => {}
        }
        outcome.verdict
    }
}

#[cfg(test)]
mod discreet;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
