//! One login as the network sees it: messages to and fro, and a verdict at the end.
//!
//! What the messages mean is known to [`super::sasl`], who may log in to [`super::Authenticator`]; here the two meet,
//! and the log hears of what was refused.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::names::{Named, is_user_name};
use super::sasl::{self, Exchange};
use super::scram::Channel;
use super::sources::Outcome;
use super::{Authenticator, Credentials, Mechanism, Secret, Step, Verdict};

/// What the log calls this part, whatever its file: Dovecot's name for it.
pub const LOG_TARGET: &str = "auth";

/// Characters of a failed login's name that the log keeps.
const NAME_MAX: usize = 64;

/// Where a login comes from, and what it is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The client's address, with or without a port; anything else is a client without one.
    pub peer: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is under TLS.
    pub tls: Tls,
    /// The TLS connection, where a login can be bound to it: see [`Mechanism::is_bound`].
    pub channel: Option<Channel>,
    /// The certificates (DER) that the client has shown, its own first, where it has proven that this is its own; for
    /// [`Mechanism::External`]. Whether they are believed is decided where the login is.
    pub shown: Vec<Vec<u8>>,
    /// Whom they name, once they are believed.
    pub certified: Option<String>,
}

/// Whether a connection is under TLS, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tls {
    /// It is in clear.
    #[default]
    No,
    /// It is, as another says, who does not say of what version.
    Yes,
    /// It is, of version 1.2.
    V1_2,
    /// It is, of version 1.3.
    V1_3,
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tls::No => "no",
            Tls::Yes => "yes",
            Tls::V1_2 => "1.2",
            Tls::V1_3 => "1.3",
        })
    }
}

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Reading mail here.
    Session,
    /// Sending mail: an MTA asks, and no session follows.
    Submission {
        /// Refusals count against the address.
        penalty: bool,
    },
}

/// An exchange of one mechanism (RFC 4422 §3). Dropping it gives it up.
pub struct Attempt {
    auth: Arc<Authenticator>,
    mechanism: Mechanism,
    line: Line,
    /// `None`: the client has said nothing yet.
    exchange: Option<Exchange>,
    /// Once it is known.
    user: Option<String>,
    /// As it was typed, for the log.
    typed: String,
    /// What follows if the client proves who it is.
    outcome: Option<Outcome>,
    /// What the client has to hear of, and say so, before it hears this.
    verdict: Option<Verdict>,
}

impl Attempt {
    /// One that begins with the client's first response.
    pub fn new(auth: Arc<Authenticator>, mechanism: Mechanism, line: Line) -> Attempt {
        Attempt {
            auth,
            mechanism,
            line,
            exchange: None,
            user: None,
            typed: String::new(),
            outcome: None,
            verdict: None,
        }
    }

    /// The name that was given, as sources are asked for it.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether all that is left is that the client has heard the last challenge, which its empty response says.
    pub fn is_told(&self) -> bool {
        self.verdict.is_some()
    }

    /// Takes the client's next response; `None`: it begins without one. A refusal takes its time.
    pub async fn step(&mut self, response: Option<&Secret>) -> Step {
        let response = response.map(Secret::expose);
        if let Some(verdict) = self.verdict.take() {
            let heard = response.is_none_or(<[u8]>::is_empty);
            return Step::Verdict(if heard { verdict } else { Verdict::Denied });
        }
        let next = match &mut self.exchange {
            Some(exchange) => exchange.step(response.unwrap_or_default()),
            None => {
                let channel = self.line.channel.take();
                let (exchange, next) = Exchange::start(self.mechanism, channel, response);
                self.exchange = Some(exchange);
                next
            }
        };
        match next {
            sasl::Step::Challenge(challenge) => Step::Challenge(challenge),
            sasl::Step::Done {
                user,
                authorize_as,
                password,
            } => {
                self.name(&user, authorize_as.as_deref());
                let credentials = Credentials {
                    user,
                    authorize_as,
                    password,
                    line: self.line.clone(),
                };
                let report = self.report();
                let verdict = self
                    .auth
                    .log_in(credentials, move |it, why| report.tell(it, why));
                Step::Verdict(verdict.await)
            }
            sasl::Step::Certified { authorize_as } => {
                let Some(own) = self.line.certified.take() else {
                    return self.conclude(Outcome::denied()).await;
                };
                // Nothing in a certificate stands for two names.
                let act_as = authorize_as.as_deref().unwrap_or(own.as_bytes());
                let named = self.name(own.as_bytes(), Some(act_as));
                let report = self.report();
                let verdict = self
                    .auth
                    .certified(named, &self.line, move |it, why| report.tell(it, why));
                Step::Verdict(verdict.await)
            }
            sasl::Step::Keys {
                hash,
                user,
                authorize_as,
            } => {
                let act_as = authorize_as.as_deref().map(str::as_bytes);
                let named = self.name(user.as_bytes(), act_as);
                let challenge = self.auth.challenge(named, hash, &self.line).await;
                let (Some(challenge), Some(exchange)) = (challenge, &mut self.exchange) else {
                    return self.conclude(Outcome::default()).await;
                };
                match exchange.challenge(challenge.keys) {
                    sasl::Step::Challenge(said) => {
                        self.outcome = Some(challenge.outcome);
                        Step::Challenge(said)
                    }
                    _ => self.conclude(Outcome::default()).await,
                }
            }
            sasl::Step::Proven(proof) => {
                let Some(outcome) = self.outcome.take() else {
                    return Step::Verdict(Verdict::Denied);
                };
                match self.conclude(outcome).await {
                    Step::Verdict(Verdict::Granted(granted)) => {
                        self.verdict = Some(Verdict::Granted(granted));
                        Step::Challenge(proof)
                    }
                    refusal => refusal,
                }
            }
            sasl::Step::Failed => match self.outcome.take() {
                // A proof that is none is a wrong password.
                Some(outcome) => self.conclude(outcome.refused()).await,
                None => Step::Verdict(Verdict::Denied),
            },
        }
    }

    async fn conclude(&self, outcome: Outcome) -> Step {
        let report = self.report();
        let verdict = self
            .auth
            .conclude(outcome, &self.line, |it, why| report.tell(it, why));
        Step::Verdict(verdict.await)
    }

    /// Notes who logs in.
    fn name(&mut self, user: &[u8], authorize_as: Option<&[u8]>) -> Option<Named> {
        let named = self.auth.named(user, authorize_as);
        self.user = named.as_ref().map(|named| named.whose().to_owned());
        // A name goes to the log only as far as it can be one.
        let typed = String::from_utf8_lossy(user);
        self.typed = typed.chars().take(NAME_MAX).collect();
        named
    }

    fn report(&self) -> Report {
        Report {
            name: self.user.clone().unwrap_or_default(),
            typed: self.typed.clone(),
            peer: self.line.peer.clone(),
            mechanism: self.mechanism,
            tls: self.line.tls,
        }
    }
}

impl Drop for Attempt {
    /// Keys cost as much whether or not somebody makes use of them.
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.auth.give_up(outcome, &self.line);
        }
    }
}

/// A login as the log hears of it.
struct Report {
    name: String,
    typed: String,
    peer: String,
    mechanism: Mechanism,
    tls: Tls,
}

impl Report {
    /// What a login has come to; and why it was refused on our side, where all that the client gave was right.
    fn tell(&self, verdict: &Verdict, why: Option<&str>) {
        let Report {
            name,
            typed,
            peer,
            mechanism,
            tls,
        } = self;
        let (user, mechanism) = (typed, mechanism.name());
        match verdict {
            Verdict::Granted(granted) => {
                if let Some(master) = &granted.master {
                    let named = &granted.user;
                    info!(user, peer, mechanism, %tls, "master user {master} logs in as {named}");
                }
            }
            // In words that programs which read Dovecot's log take for a wrong password; so no name may stand in it that
            // could pass for something else.
            Verdict::Denied => {
                let name = if is_user_name(name) { name } else { "" };
                info!(
                    target: LOG_TARGET, user, peer, mechanism, %tls, why,
                    "login({name},{peer}): invalid credentials"
                );
            }
            Verdict::Disabled(why) => {
                info!(user, peer, mechanism, %tls, "login refused: {why}");
            }
            Verdict::Unavailable => {
                error!(user, peer, mechanism, %tls, why, "a source of users cannot answer");
            }
        }
    }
}

#[cfg(test)]
mod tests;
