//! Who has logged in: the sources are asked, and refusals are held back.
//!
//! Files are read and hashes computed on the blocking pool, as many at once as there are
//! cores for those who are known, and as many for all others. A name that nobody has costs what users cost, so that time
//! does not tell who exists.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
use crate::blocking;
use crate::config;
use crate::imap::core::Secret;

/// Checks of a lane at once where they are done elsewhere, and some may hang there.
const CHECKS: usize = 256;

/// Users looked up at once without a password.
const LOOKUPS: usize = 64;

/// Asks the sources.
pub struct Authenticator {
    house: Arc<House>,
    /// As many permits as there may be checks at once: one for each core, but for those that only wait for others; and as
    /// many as there may be lookups.
    checks: Lanes<Arc<Semaphore>>,
}

/// What goes along to where sources are asked.
struct House {
    sources: Sources,
    penalty: Penalty,
    /// Who need not wait for strangers.
    known: Known,
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
        let house = House {
            sources,
            penalty,
            known: Known::default(),
        };
        Authenticator {
            house: Arc::new(house),
            checks: Lanes::new(|lane| {
                Arc::new(Semaphore::new(match lane {
                    Lane::Strangers | Lane::Known => at_once,
                    Lane::Lookups => LOOKUPS,
                }))
            }),
        }
    }

    /// Who logs in by these names; `None`: one of them is no user name.
    pub(super) fn named(&self, user: &[u8], authorize_as: Option<&[u8]>) -> Option<Named> {
        self.house.sources.names.named(user, authorize_as)
    }

    /// Says who has these credentials, and tells it before a refusal takes its time, and what on our side was in the way.
    pub(super) async fn log_in(
        &self,
        credentials: Credentials,
        tell: impl FnOnce(&Verdict, Option<&str>) + Send + 'static,
    ) -> Verdict {
        let Credentials {
            user,
            authorize_as,
            password,
            line,
        } = credentials;
        let named = self.named(&user, authorize_as.as_deref());
        let question = move |sources: &Sources, named: Option<&Named>, caller: Caller| {
            sources.check(named, password.expose(), caller)
        };
        self.decide(named, &line, question, tell).await
    }

    /// What a client of SCRAM has to prove; `None`: there is no answer.
    pub(super) async fn challenge(
        &self,
        named: Option<Named>,
        hash: Hash,
        line: &Line,
    ) -> Option<Challenge> {
        let challenge = move |house: &House, named: Option<&Named>, caller: Caller| {
            house.sources.challenge(named, hash, caller)
        };
        self.ask(named, line, challenge).await
    }

    /// Says whether somebody who is this user for certain may log in.
    pub(super) async fn certified(
        &self,
        named: Option<Named>,
        line: &Line,
        tell: impl FnOnce(&Verdict, Option<&str>) + Send + 'static,
    ) -> Verdict {
        let question = |sources: &Sources, named: Option<&Named>, caller: Caller| {
            sources.certified(named, caller)
        };
        self.decide(named, line, question, tell).await
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
        let question = |house: &House| question(&house.sources);
        self.on_a_thread(Lane::Lookups, question).await
    }

    /// Asks about a login, and holds a refusal back. The verdict counts and is told as soon as it is there, for a client
    /// that leaves meanwhile has guessed all the same.
    async fn decide(
        &self,
        named: Option<Named>,
        line: &Line,
        question: impl FnOnce(&Sources, Option<&Named>, Caller) -> Outcome + Send + 'static,
        tell: impl FnOnce(&Verdict, Option<&str>) + Send + 'static,
    ) -> Verdict {
        let decide = move |house: &House, named: Option<&Named>, caller: Caller| {
            let outcome = question(&house.sources, named, caller);
            house.judge(outcome, (caller.peer, caller.purpose), tell)
        };
        match self.ask(named, line, decide).await {
            Some(judged) => hold(judged).await,
            None => self.conclude(Outcome::default(), line, |_, _| ()).await,
        }
    }

    /// Asks about a login, when it is its turn.
    async fn ask<T: Send + 'static>(
        &self,
        named: Option<Named>,
        line: &Line,
        question: impl FnOnce(&House, Option<&Named>, Caller) -> T + Send + 'static,
    ) -> Option<T> {
        let peer = penalty::address(&line.peer);
        let lane = named
            .as_ref()
            .map(|named| self.house.known.lane(peer, &named.user));
        let caller = Caller {
            peer,
            purpose: line.purpose,
            lane: lane.unwrap_or(Lane::Strangers),
        };
        let question = move |house: &House| question(house, named.as_ref(), caller);
        self.on_a_thread(caller.lane, question).await
    }

    /// Asks on the blocking pool; `None`: a panic, which ends in no more than a refusal to answer.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        lane: Lane,
        question: impl FnOnce(&House) -> T + Send + 'static,
    ) -> Option<T> {
        let house = Arc::clone(&self.house);
        // The permit goes along: a client that leaves does not make room for another hash.
        let permit = Arc::clone(self.checks.of(lane))
            .acquire_owned()
            .await
            .ok()?;
        let asked = blocking::spawn(move || {
            let answer = question(&house);
            drop(permit);
            answer
        });
        asked.await.ok()
    }

    /// A verdict, once it has been told and has taken its time.
    pub(super) async fn conclude(
        &self,
        outcome: Outcome,
        line: &Line,
        tell: impl FnOnce(&Verdict, Option<&str>),
    ) -> Verdict {
        let whence = (penalty::address(&line.peer), line.purpose);
        hold(self.house.judge(outcome, whence, tell)).await
    }

    /// Somebody has had keys made and does not prove anything: it counts as a guess.
    pub(super) fn give_up(&self, outcome: Outcome, line: &Line) {
        let whence = (penalty::address(&line.peer), line.purpose);
        self.house.judge(outcome.refused(), whence, |_, _| ());
    }
}

impl House {
    /// Notes and tells what a login has come to; and how long it is to be held back.
    fn judge(
        &self,
        outcome: Outcome,
        (peer, purpose): (Option<IpAddr>, Purpose),
        tell: impl FnOnce(&Verdict, Option<&str>),
    ) -> (Verdict, Duration) {
        let good = match &outcome.verdict {
            Verdict::Granted(_) => Some(true),
            Verdict::Denied => Some(false),
            Verdict::Disabled(_) | Verdict::Unavailable => None,
        };
        if let (Some(user), Some(good)) = (&outcome.who, good) {
            self.known.note(peer, user, good);
        }
        let peer = peer.filter(|_| purpose != Purpose::Submission { penalty: false });
        let mut delay = Duration::ZERO;
        match outcome.verdict {
            Verdict::Granted(_) => self.penalty.succeeded(peer),
            // Where a source cannot say, another has perhaps said no: it is a guess like others.
            Verdict::Denied | Verdict::Unavailable => {
                delay = self.penalty.failed(peer, Instant::now());
            }
            Verdict::Disabled(_) => {}
        }
        tell(&outcome.verdict, outcome.why.as_deref());
        let delay = match outcome.no_delay {
            true => Duration::ZERO,
            false => delay,
        };
        (outcome.verdict, delay)
    }
}

/// Gives a verdict when its time has come.
async fn hold((verdict, delay): (Verdict, Duration)) -> Verdict {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    verdict
}

#[cfg(test)]
mod discreet;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
