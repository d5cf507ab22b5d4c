//! Who may log in: credentials in, a verdict out.
//!
//! [`Authenticator`] asks the sources of `[[auth.source]]` in their order and slows down who
//! guesses. A verdict says who the user is and what the source knows of the account; whether the
//! mail opens, and with whose rights, is not decided here. Of the configuration this room takes
//! values and templates.

mod attempt;
mod chain;
mod cram_md5;
mod crypt;
mod digest;
mod elsewhere;
pub mod hash;
mod lanes;
pub mod mta;
mod names;
mod passwd_file;
mod passwd_line;
mod penalty;
mod pretence;
pub mod proofread;
mod quota_rule;
pub mod sasl;
mod scram;
mod scram_keys;
mod source;
mod sources;
mod stand_ins;
mod system;
mod trial;
mod turns;
pub mod userdb;
mod verified;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::{Layout, Names};
pub use crate::imap::core::Secret;

pub use self::attempt::{Attempt, LOG_TARGET, Line, Purpose, Tls};
pub use self::chain::Authenticator;
pub use self::scram::Channel;
pub use self::scram_keys::Hash;
pub use self::source::{Outside, Proof, Question};
pub use self::trial::{Answer, Known, Trial};

/// What a client has sent to log in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name, as it was typed.
    pub user: Vec<u8>,
    /// Whom to act as, where that was said (`authzid`, RFC 4616 §2).
    pub authorize_as: Option<Vec<u8>>,
    /// The password.
    pub password: Secret,
    /// Where they come from, and what for.
    pub line: Line,
}

/// How credentials came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// PLAIN (RFC 4616), and the command LOGIN.
    Plain,
    /// The mechanism LOGIN.
    Login,
    /// RFC 5802.
    Scram(Scram),
    /// By the client's certificate (RFC 4422 appendix A).
    External,
}

/// Which SCRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scram {
    /// By which hash.
    pub hash: Hash,
    /// Bound to the TLS connection.
    pub plus: bool,
}

impl Mechanism {
    /// All there are.
    pub const ALL: [Mechanism; 7] = [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::scram(Hash::Sha1, false),
        Mechanism::scram(Hash::Sha1, true),
        Mechanism::scram(Hash::Sha256, false),
        Mechanism::scram(Hash::Sha256, true),
        Mechanism::External,
    ];

    const fn scram(hash: Hash, plus: bool) -> Mechanism {
        Mechanism::Scram(Scram { hash, plus })
    }

    /// How it is announced (RFC 3501 §6.1.1).
    pub fn capability(self) -> &'static str {
        match self {
            Mechanism::Plain => "AUTH=PLAIN",
            Mechanism::Login => "AUTH=LOGIN",
            Mechanism::External => "AUTH=EXTERNAL",
            Mechanism::Scram(Scram { hash, plus }) => match (hash, plus) {
                (Hash::Sha1, false) => "AUTH=SCRAM-SHA-1",
                (Hash::Sha1, true) => "AUTH=SCRAM-SHA-1-PLUS",
                (Hash::Sha256, false) => "AUTH=SCRAM-SHA-256",
                (Hash::Sha256, true) => "AUTH=SCRAM-SHA-256-PLUS",
            },
        }
    }

    /// Its name (RFC 4422 §3.1).
    pub fn name(self) -> &'static str {
        self.capability().trim_start_matches("AUTH=")
    }

    /// Whether the password itself crosses the line.
    pub fn is_plaintext(self) -> bool {
        matches!(self, Mechanism::Plain | Mechanism::Login)
    }

    /// Whether it binds a login to its TLS connection, and so needs one.
    pub fn is_bound(self) -> bool {
        matches!(self, Mechanism::Scram(Scram { plus: true, .. }))
    }

    /// The mechanism that a client names, in any case of letters.
    pub fn named(name: &str) -> Option<Mechanism> {
        let mut all = Mechanism::ALL.into_iter();
        all.find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

/// What the source says of an account; `None`: what `[users]` and `[mail]` say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFields {
    /// Who owns the mail, never 0.
    pub uid: Option<u32>,
    /// The group of the mail, never 0.
    pub gid: Option<u32>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The Maildir, variables expanded; a leading `~/` is the home.
    pub mail: Option<String>,
    /// How folders become directories.
    pub layout: Option<Layout>,
    /// How folder names are written on disk.
    pub names: Option<Names>,
    /// As `[mail] control`, variables expanded.
    pub control: Option<String>,
    /// As `[mail] index`, variables expanded.
    pub index: Option<String>,
    /// Octets of mail, 0 for any.
    pub quota_storage: Option<u64>,
    /// Messages, 0 for any.
    pub quota_messages: Option<u64>,
}

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The user, as the sources and `[auth] username-format` have the name.
    pub user: String,
    /// Who has logged in as that user, where it is another.
    pub master: Option<String>,
    /// What the source says of the account.
    pub account: AccountFields,
}

/// What comes of a login. Where auth is another process, what is granted is the way to the user's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<G = Granted> {
    /// It is good.
    Granted(G),
    /// Wrong password, or no such user: nobody is told which.
    Denied,
    /// The password is right, but this user may not log in, for the reason given.
    Disabled(String),
    /// A source cannot answer now.
    Unavailable,
}

/// What follows from what a client has said in its exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<G = Granted> {
    /// The client is to answer this.
    Challenge(Vec<u8>),
    /// It is over.
    Verdict(Verdict<G>),
}
