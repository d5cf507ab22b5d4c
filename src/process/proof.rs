//! The check of one password of the system, in a process of its own: modules of PAM block, leak and crash, and so do
//! programs that know users. It has
//! master's rights, for shadow(5) can be read by root alone; it hears one question, answers it and ends.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, SystemTime};

use nonstick::items::ItemsMut;
use nonstick::{
    AuthnFlags, ConversationAdapter, ErrorCode, PamShared, Transaction, TransactionBuilder,
};
use rustix::process::{Signal, kill_current_process_group};
use tokio::runtime::Builder;
use zeroize::Zeroizing;

use crate::auth::hash::{DUMMY, Scheme, Stored};
use crate::auth::{Proof, Question};
use crate::config::Source;
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::auth::PROOF_LIMIT;
use crate::process::checkpassword;
use crate::process::link::{Link, receive_alone};
use crate::process::message::ProofSetup;
use crate::process::privileges::{self, Ids};

/// Where the system keeps hashes; root's to read.
const SHADOW: &str = "/etc/shadow";

/// What modules are told that the client sits at, as with Dovecot.
const TTY: &str = "culver";

/// Its fields, counted from 0.
const HASH: usize = 1;
const EXPIRE: usize = 7;

/// What somebody hears whose account has come to its end.
const EXPIRED: &str = "The account has expired";

/// Answers one question.
///
/// # Errors
///
/// Whatever keeps it from hearing or answering it.
pub fn run(setup: &ProofSetup, descriptors: Vec<OwnedFd>) -> Result<(), ServeError> {
    let doing = "check a password";
    privileges::set_limits().map_err(ServeError::system(doing))?;
    privileges::hide().map_err(ServeError::system(doing))?;
    // A module that hangs does not hang for ever, whoever still waits for it.
    thread::spawn(|| {
        thread::sleep(PROOF_LIMIT + Duration::from_secs(1));
        // And all that it has started. Not by exit(3), which would wait for what hangs.
        let _ = kill_current_process_group(Signal::KILL);
        std::process::abort();
    });
    let Some(auth) = descriptors.into_iter().next() else {
        return Err(ServeError::Usage("a socket is missing".to_owned()));
    };
    let question = receive_alone::<Question>(&auth).map_err(ServeError::system(doing))?;
    let Some((question, _)) = question else {
        return Ok(());
    };
    let proof = check(setup, &question);
    let runtime = Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(ServeError::system(doing))?;
    runtime.block_on(async {
        let answer = async { Link::new(auth)?.send(&proof, &[]).await };
        answer.await.map_err(ServeError::system(doing))
    })
}

/// How the passwords of a source are checked that are checked elsewhere. `auth`: whom a program runs as where nothing else
/// is said.
///
/// # Errors
///
/// A source of another kind, and a user who is not there.
pub fn setup(source: Option<&Source>, auth: Option<Ids>) -> io::Result<ProofSetup> {
    match source {
        Some(Source::Pam { service }) => Ok(ProofSetup::Pam(service.clone())),
        Some(Source::Passwd) => Ok(ProofSetup::Shadow),
        Some(Source::Exec { command, user }) => Ok(ProofSetup::Exec {
            command: command.clone(),
            ids: accounts::runs_as(user.as_ref(), auth)?,
        }),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The answer to a question. It may take for ever.
pub fn check(setup: &ProofSetup, question: &Question) -> Proof {
    match setup {
        // What is a text to us is one up to here to C.
        _ if question.user.contains('\0') => Proof::Wrong,
        _ if question.password.as_ref().is_some_and(|it| it.contains(&0)) => Proof::Wrong,
        ProofSetup::Exec { command, ids } => checkpassword::ask(command, *ids, question)
            .unwrap_or_else(|error| Proof::Unavailable(error.to_string())),
        ProofSetup::Pam(service) => by_pam(service, question),
        ProofSetup::Shadow => fs::read(SHADOW)
            .and_then(|shadow| by_shadow(&Zeroizing::new(shadow), question, today()))
            .unwrap_or_else(|error| Proof::Unavailable(format!("{SHADOW}: {error}"))),
    }
}

/// Answers what modules ask: the password where nothing may be seen, the name where it may.
struct Client<'a>(&'a Question);

impl ConversationAdapter for Client<'_> {
    fn prompt(&self, _request: impl AsRef<OsStr>) -> nonstick::Result<std::ffi::OsString> {
        Ok(self.0.user.clone().into())
    }

    fn masked_prompt(&self, _request: impl AsRef<OsStr>) -> nonstick::Result<std::ffi::OsString> {
        use std::os::unix::ffi::OsStrExt;
        let password = self.0.password.as_ref();
        let password = password.map(|password| OsStr::from_bytes(password).to_owned());
        Ok(password.unwrap_or_default())
    }

    // Nobody is there to read it.
    fn error_msg(&self, _message: impl AsRef<OsStr>) {}

    fn info_msg(&self, _message: impl AsRef<OsStr>) {}
}

/// Authenticates, where there is a password, and asks whether the account is good (pam(3)). A session is not opened.
fn by_pam(service: &str, question: &Question) -> Proof {
    let begin = || -> nonstick::Result<_> {
        let mut transaction = TransactionBuilder::new_with_service(service)
            .username(&question.user)
            .build(Client(question).into_conversation())?;
        let mut items = transaction.items_mut();
        items.set_tty_name(Some(OsStr::new(TTY)))?;
        if let Some(peer) = question.peer {
            items.set_remote_host(Some(OsStr::new(&peer.to_string())))?;
        }
        drop(items);
        Ok(transaction)
    };
    let mut transaction = match begin() {
        Ok(transaction) => transaction,
        Err(error) => return unavailable(error),
    };
    if question.password.is_some()
        && let Err(error) = transaction.authenticate(AuthnFlags::empty())
    {
        return refused(error);
    }
    match transaction.account_management(AuthnFlags::empty()) {
        Ok(()) => Proof::Right,
        Err(error) => closed(error),
    }
}

/// What follows from an error before the password is known to be right: nobody hears why, for it would tell of a user to
/// whoever asks.
fn refused(error: ErrorCode) -> Proof {
    match error {
        ErrorCode::AuthenticationError
        | ErrorCode::UserUnknown
        | ErrorCode::MaxTries
        | ErrorCode::PermissionDenied
        | ErrorCode::AccountExpired
        | ErrorCode::NewAuthTokRequired
        | ErrorCode::AuthTokExpired
        | ErrorCode::CredentialsExpired => Proof::Wrong,
        error => unavailable(error),
    }
}

/// What follows from an error of the account.
fn closed(error: ErrorCode) -> Proof {
    let why = match error {
        ErrorCode::AuthenticationError | ErrorCode::UserUnknown | ErrorCode::MaxTries => {
            return Proof::Wrong;
        }
        ErrorCode::PermissionDenied => "Login is not permitted",
        ErrorCode::AccountExpired => EXPIRED,
        ErrorCode::NewAuthTokRequired | ErrorCode::AuthTokExpired => "The password has expired",
        error => return unavailable(error),
    };
    Proof::Disabled(why.to_owned())
}

fn unavailable(error: ErrorCode) -> Proof {
    Proof::Unavailable(format!("PAM: {error}"))
}

/// Compares with the hash in shadow(5), where there is a password, and looks whether the account is good.
fn by_shadow(shadow: &[u8], question: &Question, today: u64) -> io::Result<Proof> {
    let lines = || {
        let lines = shadow.split(|byte| *byte == b'\n');
        lines.map(|line| line.split(|byte| *byte == b':').collect::<Vec<_>>())
    };
    let name = question.user.as_bytes();
    let own = lines().find(|fields| fields.first() == Some(&name));
    let field = |number: usize| own.as_ref()?.get(number).copied();
    let last_day = field(EXPIRE).and_then(|day| std::str::from_utf8(day).ok()?.parse().ok());
    let account = match last_day {
        Some(last_day) if today >= last_day => Proof::Disabled(EXPIRED.to_owned()),
        _ => Proof::Right,
    };
    let Some(password) = &question.password else {
        // A mark before a hash closes an account (usermod(8)); alone it says only that there is no password.
        let is_locked = field(HASH).is_some_and(|hash| hash.starts_with(b"!") && hash.len() > 2);
        return Ok(match is_locked {
            true => Proof::Disabled("The account is locked".to_owned()),
            false => account,
        });
    };
    // `!` and `*` begin what is no hash: nobody logs in by it. An empty one asks for no password, and is none here.
    let hash = |field: Option<&[u8]>| {
        let hash = field.filter(|hash| !matches!(hash.first(), None | Some(b'!' | b'*')));
        let hash = hash.and_then(|hash| std::str::from_utf8(hash).ok())?;
        let stored = Stored::parse(hash, Scheme::Crypt).ok();
        stored.filter(|stored| !stored.is_locked())
    };
    let own = hash(field(HASH));
    let is_known = own.is_some();
    // Who has none takes as long as the user who was added last.
    let last = || lines().filter_map(|fields| hash(fields.get(HASH).copied()));
    let nobodys = || Stored::parse(DUMMY, Scheme::Crypt).map_err(io::Error::other);
    let stored = own.or_else(|| last().next_back());
    let stored = stored.map_or_else(nobodys, Ok)?;
    let is_right = match stored.verify(&question.user, password) {
        Ok(is_right) => is_right,
        // No password is right where the hash is none; and that is not to be told from a wrong one.
        Err(_) => nobodys()?
            .verify(&question.user, password)
            .is_ok_and(|_| false),
    };
    Ok(match is_right && is_known {
        true => account,
        false => Proof::Wrong,
    })
}

/// The day, as shadow(5) counts.
fn today() -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    let since = SystemTime::UNIX_EPOCH.elapsed();
    since.map_or(0, |since| since.as_secs() / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Purpose;

    /// Of `secret`.
    const BERT: &str = "$6$./q00xZ.qcMRoCOb$8YoWIjjHHoJlPVgbfcJL3hDAA0Qn6y7pdBFdL9Fbq9LZbVKK9YPs.0xkMTg2XIGG7Vnn2G1bWOWVdh0..Sc78/";

    fn asked(user: &str, password: Option<&str>) -> Proof {
        let shadow = format!(
            "root:*:19000::::::\nbert:{BERT}:19000:0:99999:7:::\nlocked:!{BERT}:19000::::::\n\
             none:!:19000::::::\nstar:*:19000::::::\nempty::19000::::::\nold:{BERT}:19000:::::19001:\n\
             young:{BERT}:19000:::::19002:\nshort:{BERT}\n\
             x:x:19000::::::\nbroken:$6$salt salt:19000::::::\n"
        );
        let question = Question {
            user: user.to_owned(),
            password: password.map(|password| Zeroizing::new(password.as_bytes().to_vec())),
            peer: None,
            purpose: Purpose::Session,
        };
        by_shadow(shadow.as_bytes(), &question, 19001).unwrap()
    }

    #[test]
    fn what_shadow_says() {
        let disabled = |why: &str| Proof::Disabled(why.to_owned());
        for (user, by_password, without) in [
            ("bert", Proof::Right, Proof::Right),
            ("short", Proof::Right, Proof::Right),
            ("young", Proof::Right, Proof::Right),
            ("old", disabled(EXPIRED), disabled(EXPIRED)),
            ("locked", Proof::Wrong, disabled("The account is locked")),
            // By a certificate they log in, for nothing is said against it.
            ("none", Proof::Wrong, Proof::Right),
            ("star", Proof::Wrong, Proof::Right),
            ("x", Proof::Wrong, Proof::Right),
            ("broken", Proof::Wrong, Proof::Right),
            ("empty", Proof::Wrong, Proof::Right),
            ("nobody", Proof::Wrong, Proof::Right),
        ] {
            assert_eq!(asked(user, Some("secret")), by_password, "{user}");
            assert_eq!(asked(user, Some("wrong")), Proof::Wrong, "{user}");
            assert_eq!(asked(user, Some("")), Proof::Wrong, "{user}");
            assert_eq!(asked(user, None), without, "{user}");
        }
    }

    #[test]
    fn what_pam_says_before_the_password_was_right_tells_nothing() {
        for error in [
            ErrorCode::AuthenticationError,
            ErrorCode::UserUnknown,
            ErrorCode::MaxTries,
            ErrorCode::PermissionDenied,
            ErrorCode::AccountExpired,
            ErrorCode::NewAuthTokRequired,
            ErrorCode::AuthTokExpired,
        ] {
            assert_eq!(refused(error), Proof::Wrong, "{error:?}");
            assert!(!matches!(closed(error), Proof::Unavailable(_)), "{error:?}");
        }
        for error in [
            ErrorCode::AuthInfoUnavailable,
            ErrorCode::SystemError,
            ErrorCode::OpenError,
            ErrorCode::Abort,
        ] {
            assert!(matches!(refused(error), Proof::Unavailable(_)), "{error:?}");
            assert!(matches!(closed(error), Proof::Unavailable(_)), "{error:?}");
        }
    }
}
