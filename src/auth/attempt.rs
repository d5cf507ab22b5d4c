//! One login as the network sees it: messages to and fro, and a verdict at the end.
//!
//! What the messages mean is known to [`super::sasl`], who may log in to [`super::Authenticator`]; here the two meet,
//! and the log hears of what was refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::sasl::{self, Exchange};
use super::{Authenticator, Credentials, Mechanism, Secret, Step, Verdict};

/// Characters of a failed login's name that the log keeps.
const NAME_MAX: usize = 64;

/// Where a login comes from, and what it is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The client's address, with or without a port; anything else is a client without one.
    pub peer: String,
    /// What it is for.
    pub purpose: Purpose,
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
        }
    }

    /// The name that was given, as sources are asked for it.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Takes the client's next response; `None`: it begins without one. A refusal takes its time.
    pub async fn step(&mut self, response: Option<&Secret>) -> Step {
        let response = response.map(Secret::expose);
        let next = match &mut self.exchange {
            Some(exchange) => exchange.step(response.unwrap_or_default()),
            None => {
                let (exchange, next) = Exchange::start(self.mechanism, response);
                self.exchange = Some(exchange);
                next
            }
        };
        match next {
            sasl::Step::Challenge(challenge) => Step::Challenge(challenge),
            sasl::Step::Failed => Step::Verdict(Verdict::Denied),
            sasl::Step::Done {
                user,
                authorize_as,
                password,
            } => {
                let credentials = Credentials {
                    user,
                    authorize_as,
                    password,
                    line: self.line.clone(),
                };
                self.user = self.auth.user_name(&credentials);
                Step::Verdict(self.check(credentials).await)
            }
        }
    }

    async fn check(&self, credentials: Credentials) -> Verdict {
        // A name goes to the log only as far as it can be one.
        let name = String::from_utf8_lossy(&credentials.user);
        let user: String = name.chars().take(NAME_MAX).collect();
        let peer = &self.line.peer;
        let verdict = self.auth.check(credentials).await;
        match &verdict {
            Verdict::Granted(_) => {}
            Verdict::Denied => info!(user, peer, "login failed"),
            Verdict::Disabled(why) => info!(user, peer, "login refused: {why}"),
            Verdict::Unavailable => error!(user, peer, "a source of users cannot answer"),
        }
        verdict
    }
}
