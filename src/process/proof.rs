//! The check of one password of the system, in a process of its own: modules of PAM block, leak and crash, and so do
//! programs that know users. It has
//! master's rights, for shadow(5) can be read by root alone; it hears one question, answers it and ends.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use nonstick::items::ItemsMut;
use nonstick::{
    AuthnFlags, ConversationAdapter, ErrorCode, PamShared, Transaction, TransactionBuilder,
};
use rustix::process::{Signal, kill_current_process_group};
use tokio::runtime::Builder;

use crate::auth::hash::{DUMMY, Scheme, Stored};
use crate::auth::{Proof, Question};
use crate::process::ServeError;
use crate::process::auth::PROOF_LIMIT;
use crate::process::checkpassword;
use crate::process::link::{Link, receive_first};
use crate::process::message::ProofSetup;
use crate::process::privileges;

/// Where the system keeps hashes; root's to read.
const SHADOW: &str = "/etc/shadow";

/// What modules are told that the client sits at, as with Dovecot.
const TTY: &str = "culver";

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
    let question = receive_first::<Question>(&auth).map_err(ServeError::system(doing))?;
    let Some((question, _)) = question else {
        return Ok(());
    };
    let proof = match setup {
        // What is a text to us is one up to here to C.
        _ if question.user.contains('\0') => Proof::Wrong,
        _ if question.password.as_ref().is_some_and(|it| it.contains(&0)) => Proof::Wrong,
        ProofSetup::Exec { command, ids } => checkpassword::ask(command, *ids, &question)
            .unwrap_or_else(|error| Proof::Unavailable(error.to_string())),
        ProofSetup::Pam(service) => by_pam(service, &question),
        ProofSetup::Shadow => by_shadow(&question)
            .unwrap_or_else(|error| Proof::Unavailable(format!("{SHADOW}: {error}"))),
    };
    let runtime = Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(ServeError::system(doing))?;
    runtime.block_on(async {
        let answer = async { Link::new(auth)?.send(&proof, &[]).await };
        answer.await.map_err(ServeError::system(doing))
    })
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

/// Authenticates, and asks whether the account is good (pam(3)). A session is not opened.
fn by_pam(service: &str, question: &Question) -> Proof {
    let ask = || -> nonstick::Result<()> {
        let mut transaction = TransactionBuilder::new_with_service(service)
            .username(&question.user)
            .build(Client(question).into_conversation())?;
        let mut items = transaction.items_mut();
        items.set_tty_name(Some(OsStr::new(TTY)))?;
        if let Some(peer) = question.peer {
            items.set_remote_host(Some(OsStr::new(&peer.to_string())))?;
        }
        drop(items);
        transaction.authenticate(AuthnFlags::empty())?;
        transaction.account_management(AuthnFlags::empty())
    };
    match ask() {
        Ok(()) => Proof::Right,
        Err(ErrorCode::AuthenticationError | ErrorCode::UserUnknown | ErrorCode::MaxTries) => {
            Proof::Wrong
        }
        Err(ErrorCode::PermissionDenied) => Proof::Disabled("Login is not permitted".to_owned()),
        Err(ErrorCode::AccountExpired) => Proof::Disabled("The account has expired".to_owned()),
        Err(ErrorCode::NewAuthTokRequired | ErrorCode::AuthTokExpired) => {
            Proof::Disabled("The password has expired".to_owned())
        }
        Err(error) => Proof::Unavailable(format!("PAM: {error}")),
    }
}

/// Compares with the hash in shadow(5).
fn by_shadow(question: &Question) -> io::Result<Proof> {
    let shadow = zeroize::Zeroizing::new(fs::read(SHADOW)?);
    let mut lines = shadow.split(|byte| *byte == b'\n');
    let fields = lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        (fields.next()? == question.user.as_bytes()).then_some(fields)
    });
    let hash = fields.and_then(|mut fields| fields.next());
    // `!` and `*` begin what is no hash: nobody logs in by it. An empty one asks for no password, and is none here.
    let hash = hash.filter(|hash| !matches!(hash.first(), None | Some(b'!' | b'*')));
    let hash = hash.and_then(|hash| std::str::from_utf8(hash).ok());
    let password = question.password.as_ref();
    let password = password.map_or(&b""[..], |password| password.as_slice());
    // Who has none takes as long.
    let is_right = Stored::parse(hash.unwrap_or(DUMMY), Scheme::Crypt)
        .and_then(|stored| stored.verify(&question.user, password))
        .map_err(io::Error::other)?;
    Ok(match is_right && hash.is_some() {
        true => Proof::Right,
        false => Proof::Wrong,
    })
}
