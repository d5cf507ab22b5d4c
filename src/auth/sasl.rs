//! One SASL exchange as a value: what the server asks next, or what the client has said.
//!
//! PLAIN (RFC 4616), LOGIN (never standardised; what every server does), [SCRAM](super::scram) and EXTERNAL (RFC 4422
//! appendix A). Octets here are already out of base64; who may log in is not decided here.

use crate::auth::scram::{self, Channel, First};
use crate::auth::scram_keys::{Hash, Keys};
use crate::auth::{Mechanism, Scram};
use crate::imap::core::Secret;

/// The challenges of LOGIN, as clients expect them.
const USERNAME: &[u8] = b"Username:";
const PASSWORD: &[u8] = b"Password:";

/// An exchange that has begun.
#[derive(Debug)]
pub struct Exchange {
    expects: Expects,
}

/// What the next response is.
#[derive(Debug)]
enum Expects {
    /// PLAIN's only message.
    PlainMessage,
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password, for this user.
    LoginPassword(Vec<u8>),
    /// EXTERNAL's only message.
    ExternalMessage,
    /// SCRAM's first message. The channel is there where -PLUS is offered.
    ScramFirst(Scram, Option<Channel>),
    /// What was said in it, until it is known whom it names.
    ScramKeys(Hash, First),
    /// SCRAM's proof.
    ScramProof(scram::Exchange),
    /// None: the exchange is over.
    Nothing,
}

/// What follows from a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this (in base64) and give the answer to [`Exchange::step`].
    Challenge(Vec<u8>),
    /// The client has said who it is.
    Done {
        /// The name to log in with (`authcid`).
        user: Vec<u8>,
        /// The name to act as (`authzid`), where it was given.
        authorize_as: Option<Vec<u8>>,
        /// The password.
        password: Secret,
    },
    /// The client has said whom it will prove to be: give the keys to [`Exchange::challenge`].
    Keys {
        /// Of which kind.
        hash: Hash,
        /// Whose.
        user: String,
        /// As whom to act, where that was said.
        authorize_as: Option<String>,
    },
    /// The client is who its certificate says.
    Certified {
        /// The name to act as, where it was given.
        authorize_as: Option<Vec<u8>>,
    },
    /// It has proven it; this is the proof that the server knows it.
    Proven(Vec<u8>),
    /// What the client sent is not what the mechanism says, or no proof.
    Failed,
}

impl Exchange {
    /// Begins an exchange, with the initial response of RFC 4959 where there is one. `channel`: what the -PLUS mechanisms
    /// bind to, where they are offered.
    pub fn start(
        mechanism: Mechanism,
        channel: Option<Channel>,
        initial: Option<&[u8]>,
    ) -> (Exchange, Step) {
        let (expects, challenge): (Expects, &[u8]) = match mechanism {
            Mechanism::Plain => (Expects::PlainMessage, b""),
            Mechanism::Login => (Expects::LoginUser, USERNAME),
            Mechanism::External => (Expects::ExternalMessage, b""),
            Mechanism::Scram(scram) => (Expects::ScramFirst(scram, channel), b""),
        };
        let mut exchange = Exchange { expects };
        let step = match initial {
            Some(response) => exchange.step(response),
            None => Step::Challenge(challenge.to_vec()),
        };
        (exchange, step)
    }

    /// Takes the client's answer to the last challenge.
    pub fn step(&mut self, response: &[u8]) -> Step {
        match std::mem::replace(&mut self.expects, Expects::Nothing) {
            Expects::PlainMessage => plain(response),
            Expects::ExternalMessage => Step::Certified {
                authorize_as: (!response.is_empty()).then(|| response.to_vec()),
            },
            Expects::LoginUser if response.is_empty() => Step::Failed,
            Expects::LoginUser => {
                self.expects = Expects::LoginPassword(response.to_vec());
                Step::Challenge(PASSWORD.to_vec())
            }
            // PLAIN cannot say it, and libraries take it for the end.
            Expects::LoginPassword(_) if response.contains(&0) => Step::Failed,
            Expects::LoginPassword(user) => Step::Done {
                user,
                authorize_as: None,
                password: Secret::new(response.to_vec()),
            },
            Expects::ScramFirst(scram, channel) => {
                let Some(first) = First::parse(response, scram.plus, channel.as_ref()) else {
                    return Step::Failed;
                };
                let step = Step::Keys {
                    hash: scram.hash,
                    user: first.user.clone(),
                    authorize_as: first.authorize_as.clone(),
                };
                self.expects = Expects::ScramKeys(scram.hash, first);
                step
            }
            Expects::ScramProof(exchange) => match exchange.finish(response) {
                Some(proof) => Step::Proven(proof.into_bytes()),
                None => Step::Failed,
            },
            Expects::ScramKeys(..) | Expects::Nothing => Step::Failed,
        }
    }

    /// Goes on after [`Step::Keys`].
    pub fn challenge(&mut self, keys: Keys) -> Step {
        let expects = std::mem::replace(&mut self.expects, Expects::Nothing);
        let (Expects::ScramKeys(hash, first), Some(nonce)) = (expects, scram::nonce()) else {
            return Step::Failed;
        };
        let (exchange, challenge) = first.answer(hash, keys, &nonce);
        self.expects = Expects::ScramProof(exchange);
        Step::Challenge(challenge.into_bytes())
    }
}

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd` (RFC 4616 §2).
fn plain(message: &[u8]) -> Step {
    let mut fields = message.split(|byte| *byte == 0);
    let (Some(authorize_as), Some(user), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Step::Failed;
    };
    if user.is_empty() {
        return Step::Failed;
    }
    Step::Done {
        user: user.to_vec(),
        authorize_as: (!authorize_as.is_empty()).then(|| authorize_as.to_vec()),
        password: Secret::new(password.to_vec()),
    }
}

/// What a client would say by PLAIN to log in as itself. Neither part holds a NUL, or it says nothing.
pub fn plain_message(user: &[u8], password: &Secret) -> Secret {
    let parts = [&b"\0"[..], user, b"\0", password.expose()];
    // In one piece, so that no copy of it is left behind.
    Secret::new(parts.concat())
}

/// A client's response line out of base64 (RFC 3501 §6.2.2). `None` if it is not that.
pub fn decode(line: &[u8]) -> Option<Secret> {
    let decoded = base64_simd::STANDARD.decode_to_vec(line);
    decoded.ok().map(Secret::new)
}

/// A challenge in base64.
pub fn encode(challenge: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(user: &[u8], authorize_as: Option<&[u8]>, password: &[u8]) -> Step {
        Step::Done {
            user: user.to_vec(),
            authorize_as: authorize_as.map(<[u8]>::to_vec),
            password: Secret::new(password.to_vec()),
        }
    }

    #[test]
    fn plain_in_one_message() {
        let (_, step) = Exchange::start(Mechanism::Plain, None, Some(b"\0tim\0tanstaaftanstaaf"));
        assert_eq!(step, done(b"tim", None, b"tanstaaftanstaaf"));
        let (_, step) = Exchange::start(Mechanism::Plain, None, Some(b"Ursel\0Kurt\0xipj3plmq"));
        assert_eq!(step, done(b"Kurt", Some(b"Ursel"), b"xipj3plmq"));
    }

    #[test]
    fn plain_after_an_empty_challenge() {
        let (mut exchange, step) = Exchange::start(Mechanism::Plain, None, None);
        assert_eq!(step, Step::Challenge(Vec::new()));
        assert_eq!(exchange.step(b"\0u\0"), done(b"u", None, b""));
        assert_eq!(exchange.step(b"\0u\0p"), Step::Failed, "it is over");
    }

    #[test]
    fn plain_with_too_few_or_too_many_fields() {
        for message in [
            &b""[..],
            b"user",
            b"\0user",
            b"\0\0password",
            b"a\0b\0c\0d",
            b"\0u\0p\0",
        ] {
            let (_, step) = Exchange::start(Mechanism::Plain, None, Some(message));
            assert_eq!(step, Step::Failed, "{message:?}");
        }
    }

    #[test]
    fn login_asks_twice_or_once() {
        let (mut exchange, step) = Exchange::start(Mechanism::Login, None, None);
        assert_eq!(step, Step::Challenge(b"Username:".to_vec()));
        assert_eq!(exchange.step(b"u"), Step::Challenge(b"Password:".to_vec()));
        assert_eq!(exchange.step(b"p"), done(b"u", None, b"p"));

        let (mut exchange, step) = Exchange::start(Mechanism::Login, None, Some(b"u"));
        assert_eq!(step, Step::Challenge(b"Password:".to_vec()));
        assert_eq!(exchange.step(b"p"), done(b"u", None, b"p"));

        let (_, step) = Exchange::start(Mechanism::Login, None, Some(b""));
        assert_eq!(step, Step::Failed);
    }

    #[test]
    fn base64_is_strict() {
        assert_eq!(encode(USERNAME), "VXNlcm5hbWU6");
        assert_eq!(
            decode(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm"),
            Some(Secret::new(b"\0tim\0tanstaaftanstaaf".to_vec()))
        );
        assert_eq!(decode(b""), Some(Secret::new(Vec::new())));
        for line in [&b"="[..], b"A", b"AHR", b"AHRp!", b"AHRp AHRp", b"*"] {
            assert!(decode(line).is_none(), "{line:?}");
        }
    }
}
