//! The local delivery agent: one message from standard input into one user's mail, in the process that an MTA has started.
//! It needs no server, and minds one that runs.
//!
//! Nothing is refused for good that might be taken later: an MTA returns a message to its sender only for what cannot
//! change.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::geteuid;

use crate::auth::{AccountFields, Authenticator, Granted, Outside, Proof, Question, Verdict};
use crate::blocking;
use crate::config::{Config, LogTarget};
use crate::lmtp::command::Address;
use crate::lmtp::note::{Client, Note};
use crate::lmtp::{Delivered, MESSAGE_MAX};
use crate::mailbox::delivery::{Incoming, Target};
use crate::mailbox::fault::Fault;
use crate::mailbox::user::{Account, User};
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::errands;
use crate::process::log::Log;
use crate::process::place::Places;
use crate::process::privileges;
use crate::process::start::{THREADS_GRACE, Threads, finish, own_user, runtime};

/// Octets read at a time.
const PIECE: usize = 64 << 10;

/// Begins the line that mbox files part messages by, which some MTAs put there.
const FROM_LINE: &[u8] = b"From ";

/// What is to be delivered where.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The user, perhaps with a sub-address; `None`: who runs this.
    pub user: Option<OsString>,
    /// Who sends, for the log.
    pub sender: Option<OsString>,
    /// The address that the message was sent to, whose sub-address names a mailbox.
    pub recipient: Option<OsString>,
    /// The mailbox, in UTF-8; empty, or what is none: INBOX.
    pub mailbox: Option<OsString>,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such user.
    #[error("{}: there is no such user", shown(.0))]
    NoUser(String),
    /// Who runs this may not deliver to that user.
    #[error("{0}")]
    NoPermission(String),
    /// The user has as much mail as is allowed.
    #[error("{0}")]
    OverQuota(Fault),
    /// The message is larger than is allowed.
    #[error("Message too large, {0} octets at the most")]
    TooLarge(u64),
    /// Anything else: it may be otherwise later.
    #[error("{0}")]
    TryAgain(String),
}

impl From<ServeError> for Undelivered {
    fn from(error: ServeError) -> Undelivered {
        Undelivered::TryAgain(error.to_string())
    }
}

impl From<Fault> for Undelivered {
    fn from(fault: Fault) -> Undelivered {
        match fault {
            Fault::OverQuota | Fault::DiskQuota(_) => Undelivered::OverQuota(fault),
            fault => Undelivered::TryAgain(fault.to_string()),
        }
    }
}

impl From<io::Error> for Undelivered {
    fn from(error: io::Error) -> Undelivered {
        Undelivered::TryAgain(format!("cannot read the message: {error}"))
    }
}

/// Delivers what standard input has to its end. Started as root it becomes the user first, for good.
///
/// # Errors
///
/// Why the message is not there.
pub fn deliver(config: Config, order: &Order) -> Result<(), Undelivered> {
    let way = Way::find(&config, order);
    let level = config.log.level;
    let log = match config.log.target {
        Some(LogTarget::Stderr) => Log::start(level),
        _ => Log::start_beside_caller(level),
    };
    let log = log.map_err(ServeError::system("begin to log"))?;
    let runtime = runtime(Threads::Few)?;
    let most = config.mail.max_message_size.limit().unwrap_or(MESSAGE_MAX);
    let result = way.and_then(|way| runtime.block_on(way.take(io::stdin().lock(), most)));
    let text = |words: &Option<OsString>| {
        let text = words.as_deref().unwrap_or_default().to_string_lossy();
        text.into_owned()
    };
    let (from, to) = (text(&order.sender), order.recipient.as_ref());
    let to = text(&to.or(order.user.as_ref()).cloned());
    let note = Note {
        id: None,
        client: Client(None),
        from: &from,
    };
    match &result {
        Ok(delivered) => note.delivered(&to, delivered),
        Err(error) => note.refused(&to, error),
    }
    finish(&log, runtime, THREADS_GRACE);
    result.map(drop)
}

/// Where the message goes.
struct Way {
    user: String,
    account: Account,
    mailbox: Option<String>,
}

impl Way {
    /// Finds out, and becomes who owns the mail.
    fn find(config: &Config, order: &Order) -> Result<Way, Undelivered> {
        let address = |words: &OsString| Address::parse(&words.to_string_lossy());
        let named = order.user.as_ref().map(address);
        let (user, account) = match &named {
            Some(Address {
                user: Some(user), ..
            }) => find(config, user)?,
            Some(address) => return Err(Undelivered::NoUser(address.text.clone())),
            None => own(config)?,
        };
        let detail = |address: &Address| address.detail.clone();
        let sub_address = || {
            let recipient = order.recipient.as_ref().map(address);
            let of_user = named.as_ref().and_then(detail);
            of_user.or_else(|| recipient.as_ref().and_then(detail))
        };
        let mailbox = match &order.mailbox {
            // The name of no mailbox, like one that is not there.
            Some(name) => Some(name.to_str().unwrap_or_default().to_owned()),
            None => sub_address(),
        };
        privileges::set_limits().map_err(ServeError::system("set the limits of the process"))?;
        Ok(Way {
            user,
            account,
            mailbox,
        })
    }

    /// Takes a message to its end and places it there.
    async fn take(self, from: impl Read, most: u64) -> Result<Delivered, Undelivered> {
        let account = self.account;
        let opened = blocking::spawn(move || User::open(account)).await;
        let account = opened.map_err(io::Error::other)??;
        let target = account.target(self.mailbox.as_deref()).await?;
        Ok(Delivered {
            size: pour(from, &target, most).await?,
            mailbox: target.name().to_string(),
            user: self.user,
        })
    }
}

/// Takes a message to its end and places it. Gives the size of the file.
async fn pour(mut from: impl Read, target: &Target, most: u64) -> Result<u64, Undelivered> {
    let mut incoming = Incoming::begin(target).await?;
    let (mut front, mut size) = (Front::default(), 0u64);
    let mut piece = vec![0; PIECE];
    loop {
        let got = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            got => got?,
        };
        let came = piece.get(..got).unwrap_or_default();
        let octets = front.take(came);
        // A line that is left out counts until it ends: it might not.
        size = size.saturating_add(match front {
            Front::Dropping => u64::try_from(got).unwrap_or(u64::MAX),
            _ => u64::try_from(octets.len()).unwrap_or(u64::MAX),
        });
        if size > most {
            return Err(Undelivered::TooLarge(most));
        }
        if !octets.is_empty() {
            incoming.write(octets).await?;
        }
        if got == 0 {
            break;
        }
    }
    let whole = incoming.end().await?;
    whole.place(target).await?;
    Ok(whole.size())
}

/// A name as it is shown, which may be of any octets, or of none.
fn shown(name: &str) -> String {
    match name {
        "" => "the name is empty".to_owned(),
        name => name.escape_debug().to_string(),
    }
}

/// The beginning of a message, where a line may stand that is none of it.
#[derive(Debug)]
enum Front {
    /// So much has come, which may become that line.
    Unknown(Vec<u8>),
    /// In that line.
    Dropping,
    /// Behind it.
    Passed,
}

impl Default for Front {
    fn default() -> Front {
        Front::Unknown(Vec::new())
    }
}

impl Front {
    /// What has come, or nothing at the end; gives what of it belongs to the message.
    fn take(&mut self, octets: &[u8]) -> Vec<u8> {
        let octets = match self {
            Front::Unknown(before) => {
                before.extend_from_slice(octets);
                let may_become = before.len() < FROM_LINE.len() && FROM_LINE.starts_with(before);
                if may_become && !octets.is_empty() {
                    return Vec::new();
                }
                let all = std::mem::take(before);
                *self = match all.starts_with(FROM_LINE) {
                    true => Front::Dropping,
                    false => Front::Passed,
                };
                all
            }
            Front::Dropping | Front::Passed => octets.to_vec(),
        };
        if !matches!(self, Front::Dropping) {
            return octets;
        }
        match memchr::memchr(b'\n', &octets) {
            Some(end) => {
                *self = Front::Passed;
                octets.get(end + 1..).unwrap_or_default().to_vec()
            }
            None => Vec::new(),
        }
    }
}

/// Finds a user by the sources that the server asks, and becomes who owns the mail.
fn find(config: &Config, name: &str) -> Result<(String, Account), Undelivered> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::system("start threads"))?;
    let authenticator = {
        let outside: Arc<dyn Outside> = Arc::new(ByItself);
        Authenticator::new(&config.auth, config.users.first_uid, &outside)
    };
    let verdict = runtime.block_on(authenticator.lookup(name.to_owned()));
    // No thread is left of it when rights are dropped.
    drop(runtime);
    let granted = match verdict {
        Verdict::Granted(granted) => granted,
        Verdict::Denied => return Err(Undelivered::NoUser(name.to_owned())),
        Verdict::Disabled(_) | Verdict::Unavailable => {
            let text = format!("{name}: a source of users cannot be asked");
            return Err(Undelivered::TryAgain(text));
        }
    };
    let user = granted.user.clone();
    if geteuid().is_root() {
        let (place, granted, _) = Places::new(config)?.of(config, granted)?;
        privileges::become_role(place.ids).map_err(ServeError::system("drop root's rights"))?;
        let account = accounts::of_granted(config, privileges::own_uid(), &granted)?;
        return Ok((user, account));
    }
    let own_uid = privileges::own_uid();
    let owner = accounts::mail_owner(config)?.map(|ids| ids.uid);
    let uid = granted.account.uid.or(owner).unwrap_or(own_uid);
    if uid != own_uid {
        return Err(Undelivered::NoPermission(format!(
            "the mail of {user} belongs to uid {uid}: uid {own_uid} may not deliver there"
        )));
    }
    accounts::check_uid(uid, config.users.first_uid)?;
    let account = accounts::of_granted(config, own_uid, &granted)?;
    Ok((user, account))
}

/// The user of the system who runs this.
fn own(config: &Config) -> Result<(String, Account), Undelivered> {
    if geteuid().is_root() {
        let text = "root has no mail: name the user with -d";
        return Err(Undelivered::Usage(text.to_owned()));
    }
    let (system, uid) = (own_user(), privileges::own_uid());
    let granted = Granted {
        user: system.name.clone(),
        master: None,
        account: AccountFields {
            home: Some(PathBuf::from(system.home)),
            ..AccountFields::default()
        },
    };
    accounts::check_uid(uid, config.users.first_uid)?;
    let account = accounts::of_granted(config, uid, &granted)?;
    Ok((system.name, account))
}

/// There is nobody to ask: files are opened here, and no password is checked.
struct ByItself;

impl Outside for ByItself {
    fn open(&self, _source: usize, _user: &str, path: &Path) -> io::Result<File> {
        errands::open_regular(path)
    }

    fn prove(&self, _source: usize, _question: Question) -> io::Result<Proof> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_mbox_is_no_part_of_the_message() {
        for (text, message) in [
            ("From a@b Mon Jan 1\nSubject: x\n\ny\n", "Subject: x\n\ny\n"),
            ("From: a@b\n\nFrom me\n", "From: a@b\n\nFrom me\n"),
            ("From ", ""),
            ("From \n", ""),
            ("Fro", "Fro"),
            ("", ""),
            (">From x\n", ">From x\n"),
        ] {
            for size in [1, 3, 100] {
                let mut front = Front::default();
                let mut out = Vec::new();
                for piece in text.as_bytes().chunks(size) {
                    out.extend(front.take(piece));
                }
                out.extend(front.take(b""));
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    message,
                    "{text:?} by {size}"
                );
            }
        }
    }
}
