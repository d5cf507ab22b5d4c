//! `[[auth.source]]`: where users and passwords are known, and what follows from what one says.

use super::Auth;
use super::system::Id;
use super::template::Template;
use super::words::{Rule, SaslMechanism, Skip, SourceKind};

/// `[[auth.source]]`: a source, and its part in the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthSource {
    /// What it is.
    pub source: Source,
    /// What follows from what it says.
    pub rules: Rules,
}

impl From<Source> for AuthSource {
    fn from(source: Source) -> AuthSource {
        AuthSource {
            source,
            rules: Rules::default(),
        }
    }
}

/// What follows from what a source says, as with Dovecot's passdbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The password is right.
    pub success: Rule,
    /// It is wrong, or there is no such user.
    pub failure: Rule,
    /// The source cannot say.
    pub internal_failure: Rule,
    /// When the source is not asked at all.
    pub skip: Skip,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            success: Rule::ReturnOk,
            failure: Rule::Continue,
            internal_failure: Rule::Continue,
            skip: Skip::Never,
        }
    }
}

/// One place that knows users and passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `"pam"`: the system's users, through the PAM service named.
    Pam {
        /// The file in `/etc/pam.d`.
        service: String,
    },
    /// `"passwd"`: the system's users by its user database, hashes included.
    Passwd,
    /// `"passwd-file"`: a file in Dovecot's format.
    PasswdFile {
        /// The file; `%d` and the other variables of the login name may stand in it.
        path: Template,
        /// Whether those in it are master users, who log in as others.
        master: bool,
    },
    /// `"static"`: every name, with one password.
    Static {
        /// The password or its hash, `{SCHEME}…`.
        password: String,
    },
    /// `"exec"`: a program in the manner of checkpassword.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
        /// Whom it runs as; `None`: as the auth process.
        user: Option<Id>,
    },
}

impl Default for Source {
    fn default() -> Source {
        Source::Pam {
            service: "culver".to_owned(),
        }
    }
}

impl Source {
    /// A source of this kind about which nothing else is said.
    pub(super) fn of_kind(kind: SourceKind) -> Source {
        match kind {
            SourceKind::Pam => Source::default(),
            SourceKind::Passwd => Source::Passwd,
            SourceKind::PasswdFile => Source::PasswdFile {
                path: Template::default(),
                master: false,
            },
            SourceKind::Static => Source::Static {
                password: String::new(),
            },
            SourceKind::Exec => Source::Exec {
                command: Vec::new(),
                user: None,
            },
        }
    }

    /// One that knows nobody: a file that is not there.
    pub fn of_nobody() -> Source {
        Source::PasswdFile {
            path: Template::constant("/dev/null"),
            master: false,
        }
    }

    /// Whether it can know what SCRAM needs of a password: the password itself, or keys made of it. One that only tries
    /// passwords does not.
    pub fn knows_keys(&self) -> bool {
        match self {
            Source::PasswdFile { .. } => true,
            // What is stored in another scheme gives no keys.
            Source::Static { password } => {
                let label = password
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'));
                label.is_none_or(|(label, _)| {
                    let name = label
                        .split('.')
                        .next()
                        .unwrap_or(label)
                        .to_ascii_uppercase();
                    matches!(name.as_str(), "PLAIN" | "CLEAR" | "CLEARTEXT")
                })
            }
            Source::Pam { .. } | Source::Passwd | Source::Exec { .. } => false,
        }
    }

    /// The word that `kind` has for it.
    pub fn kind(&self) -> SourceKind {
        match self {
            Source::Pam { .. } => SourceKind::Pam,
            Source::Passwd => SourceKind::Passwd,
            Source::PasswdFile { .. } => SourceKind::PasswdFile,
            Source::Static { .. } => SourceKind::Static,
            Source::Exec { .. } => SourceKind::Exec,
        }
    }
}

impl Auth {
    /// The mechanisms that every source can answer, of those that are wanted.
    pub fn offered(&self) -> Vec<SaslMechanism> {
        let sources_know = self.source.iter().all(|one| one.source.knows_keys());
        let wanted = self.mechanisms.iter().copied();
        wanted
            .filter(|mechanism| sources_know || !mechanism.is_scram())
            .collect()
    }
}
