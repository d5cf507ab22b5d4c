//! The keys that have one of a few words for a value, and the words.

use toml::Spanned;
use toml::de::DeValue;

#[cfg(doc)]
use super::Source;
use super::value::{Complaint, Value, from_string, quoted};

/// An enum whose variants are words in the file.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$meta:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$meta])* $variant,)+
        }

        impl $name {
            /// Every variant.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word for it in the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }

        impl Value for $name {
            fn read(
                from: &Spanned<DeValue<'_>>,
                complaints: &mut Vec<Complaint>,
            ) -> Option<Self> {
                read_word(from, $name::ALL, $name::as_str, complaints)
            }

            fn write(&self) -> Option<String> {
                Some(quoted(self.as_str()))
            }
        }
    };
}

words! {
    /// The oldest version of TLS that is spoken.
    pub enum TlsVersion {
        /// TLS 1.2 (RFC 5246).
        #[default]
        Tls12 = "1.2",
        /// TLS 1.3 (RFC 8446).
        Tls13 = "1.3",
    }
}

words! {
    /// How folders become directories.
    pub enum Layout {
        /// `a/b` is the directory `.a.b` in the Maildir.
        #[default]
        MaildirPlusPlus = "maildir++",
        /// `a/b` is the directory `a/b`.
        Fs = "fs",
    }
}

words! {
    /// How folder names are written on disk.
    pub enum Names {
        /// Modified UTF-7 (RFC 3501 §5.1.3).
        #[default]
        Utf7 = "utf-7",
        /// UTF-8.
        Utf8 = "utf-8",
    }
}

words! {
    /// What is on disk before a client is answered.
    pub enum Fsync {
        /// Everything a client was told.
        #[default]
        Always = "always",
        /// Mail and UIDs; flags follow.
        Delivery = "delivery",
        /// Nothing, but for CHECK.
        Never = "never",
    }
}

words! {
    /// SASL mechanisms that may be offered.
    pub enum SaslMechanism {
        /// RFC 4616.
        #[default]
        Plain = "PLAIN",
        /// The old exchange of name and password.
        Login = "LOGIN",
        /// RFC 5802.
        ScramSha1 = "SCRAM-SHA-1",
        /// RFC 5802, bound to the TLS channel.
        ScramSha1Plus = "SCRAM-SHA-1-PLUS",
        /// RFC 7677.
        ScramSha256 = "SCRAM-SHA-256",
        /// RFC 7677, bound to the TLS channel.
        ScramSha256Plus = "SCRAM-SHA-256-PLUS",
        /// RFC 4422 appendix A: by client certificate.
        External = "EXTERNAL",
    }
}

impl SaslMechanism {
    /// Whether it is SCRAM, in whatever form.
    pub fn is_scram(self) -> bool {
        self.as_str().starts_with("SCRAM-")
    }
}

words! {
    /// Who may send a password over a line without TLS.
    pub enum Plaintext {
        /// A client on the server's own address.
        #[default]
        Loopback = "loopback",
        /// Nobody.
        Never = "never",
        /// Everybody.
        Always = "always",
    }
}

words! {
    /// The kinds of [`Source`].
    pub enum SourceKind {
        /// [`Source::Pam`].
        #[default]
        Pam = "pam",
        /// [`Source::Passwd`].
        Passwd = "passwd",
        /// [`Source::PasswdFile`].
        PasswdFile = "passwd-file",
        /// [`Source::Static`].
        Static = "static",
        /// [`Source::Exec`].
        Exec = "exec",
    }
}

words! {
    /// Which of Dovecot's protocols an [`super::AuthSocket`] speaks.
    pub enum AuthProtocol {
        /// SASL.
        #[default]
        Client = "client",
        /// What is known of users.
        Userdb = "userdb",
    }
}

words! {
    /// What follows from what a source says of a user.
    pub enum Rule {
        /// The user is let in.
        ReturnOk = "return-ok",
        /// What was found so far is the verdict.
        Return = "return",
        /// The user is not let in.
        ReturnFail = "return-fail",
        /// The next source is asked.
        #[default]
        Continue = "continue",
        /// The same, and unless one of those says otherwise the user is let in.
        ContinueOk = "continue-ok",
        /// The same, and unless one of those says otherwise the user is not let in.
        ContinueFail = "continue-fail",
    }
}

words! {
    /// When a source is not asked.
    pub enum Skip {
        /// It always is.
        #[default]
        Never = "never",
        /// Where an earlier one has let the user in.
        Authenticated = "authenticated",
        /// Where none has.
        Unauthenticated = "unauthenticated",
    }
}

words! {
    /// What shares a worker process.
    pub enum Isolate {
        /// All users of one uid.
        #[default]
        Uid = "uid",
        /// Nobody: each user has one.
        User = "user",
    }
}

words! {
    /// Where the log goes.
    pub enum LogTarget {
        /// systemd's journal.
        #[default]
        Journal = "journal",
        /// Standard error.
        Stderr = "stderr",
        /// syslog(3).
        Syslog = "syslog",
    }
}

words! {
    /// How weighty a line must be to be written.
    pub enum LogLevel {
        /// What failed and needs someone.
        Error = "error",
        /// And what may need someone.
        Warn = "warn",
        /// And who logged in, and what was delivered.
        #[default]
        Info = "info",
        /// And how things came about.
        Debug = "debug",
        /// And the protocol, secrets masked.
        Trace = "trace",
    }
}

words! {
    /// How a log line looks.
    pub enum LogForm {
        /// Fields with names.
        #[default]
        Fields = "fields",
        /// As Dovecot's, for the tools that read those.
        Dovecot = "dovecot",
    }
}

/// Reads one of a few words; upper and lower case are the same.
fn read_word<T: Copy>(
    from: &Spanned<DeValue<'_>>,
    all: &[T],
    word: fn(T) -> &'static str,
    complaints: &mut Vec<Complaint>,
) -> Option<T> {
    from_string(from, "a string", complaints, |text| {
        let found = all
            .iter()
            .find(|one| word(**one).eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| {
            let allowed: Vec<String> = all.iter().map(|one| format!("{:?}", word(*one))).collect();
            format!("{text:?} is not one of {}", allowed.join(", "))
        })
    })
}
