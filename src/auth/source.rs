//! One source of users: what it says of a name, and whether a password is that user's.
//!
//! What auth cannot do itself (PAM may hang, crash, and needs root; so do shadow(5) and programs) it has done
//! [`Outside`]. **Blocking.**

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::elsewhere::{know, prove};
use super::hash::{DUMMY, Scheme, Stored};
use super::lanes::{Lane, Lanes};
use super::passwd_file::PasswdFile;
use super::passwd_line::Entry;
use super::scram_keys::{Hash, Keys};
use super::turns::Turns;
use super::verified::Verified;
use super::{AccountFields, Purpose, Verdict, system};
use crate::config;
use crate::imap::core::Secret;

/// What auth has others do. May block.
pub trait Outside: Send + Sync {
    /// Opens a file of users for reading: that of the source of this place in the configuration, as it is for a user,
    /// by its path.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn open(&self, source: usize, user: &str, path: &Path) -> io::Result<File>;

    /// Has a password checked by the source of this place in the configuration.
    ///
    /// # Errors
    ///
    /// Why nobody can say.
    fn prove(&self, source: usize, question: Question) -> io::Result<Proof>;
}

/// A password that is checked elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// The user's name.
    pub user: String,
    /// The password; `None`: only what is known of the user is asked, or whether one of the system may log in.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The client's address.
    pub peer: Option<IpAddr>,
    /// What for.
    pub purpose: Purpose,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// It is the user's.
    Right,
    /// The same, and this is said of the user, in the fields of a passwd-file.
    Known(Vec<(String, String)>),
    /// It is not, or there is no such user.
    Wrong,
    /// It is, but the user may not log in, for this reason.
    Disabled(String),
    /// Nobody can say now, for this reason.
    Unavailable(String),
}

/// Where names and passwords are known.
pub(super) enum Source {
    PasswdFile(PasswdFile),
    /// One user, whose password is in memory.
    Single {
        user: String,
        password: Secret,
    },
    /// Every name, with one password.
    Static {
        password: String,
    },
    /// The system's users; their passwords are checked elsewhere.
    System {
        outside: Arc<dyn Outside>,
        number: usize,
        first_uid: u32,
    },
    /// Users that a program knows.
    Exec {
        outside: Arc<dyn Outside>,
        number: usize,
    },
}

/// What asking several sources has come to so far.
#[derive(Default)]
pub(super) struct Tally {
    pub unavailable: bool,
    pub no_delay: bool,
    /// Hashes that were not computed, because the user is not known or the password was remembered. Whoever is refused
    /// waits for them, so that each refusal takes as long.
    pub owed: Vec<Stored>,
    /// Which sources know the user, by their places in the configuration.
    pub found: Vec<usize>,
    /// Why the user may have no session, where that is so.
    pub closed: Option<String>,
    /// Why somebody is not let in of whom nothing was wrong.
    pub against: Option<String>,
    /// The user may log in from some addresses only.
    pub is_near: bool,
}

impl Tally {
    /// Notes why somebody is not let in of whom nothing was wrong; what comes first counts.
    pub fn hold_against(&mut self, why: impl Into<String>) {
        self.against.get_or_insert(why.into());
    }

    /// What is said to whom nobody lets in.
    pub fn refusal(&self) -> Verdict {
        match self.unavailable {
            true => Verdict::Unavailable,
            false => Verdict::Denied,
        }
    }
}

/// What all sources share.
pub(super) struct Means {
    pub verified: Verified,
    turns: Lanes<Turns>,
}

impl Means {
    /// Remembers a good password for so long.
    pub fn new(cache: Duration) -> Means {
        Means {
            verified: Verified::new(cache),
            turns: Lanes::new(|_| Turns::new()),
        }
    }

    /// Whose turn it is.
    pub fn turns(&self, lane: Lane) -> &Turns {
        self.turns.of(lane)
    }
}

/// Who wants to log in.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub peer: Option<IpAddr>,
    pub purpose: Purpose,
    pub lane: Lane,
}

/// Who asks for what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub user: &'a str,
    pub password: &'a [u8],
    pub caller: Caller,
}

impl Source {
    /// The source of this place in the configuration.
    pub fn new(
        number: usize,
        source: &config::Source,
        first_uid: u32,
        outside: &Arc<dyn Outside>,
    ) -> Source {
        let outside = Arc::clone(outside);
        match source {
            config::Source::PasswdFile { path, .. } => {
                let open = move |user: &str, path: &Path| outside.open(number, user, path);
                Source::PasswdFile(PasswdFile::new(path.clone(), Box::new(open)))
            }
            config::Source::Static { password } => Source::Static {
                password: password.clone(),
            },
            config::Source::Pam { .. } | config::Source::Passwd => Source::System {
                outside,
                number,
                first_uid,
            },
            config::Source::Exec { .. } => Source::Exec { outside, number },
        }
    }

    /// Whether it waits for others, who may take their time.
    pub fn waits(&self) -> bool {
        matches!(self, Source::System { .. } | Source::Exec { .. })
    }

    /// What the source says of `user`; `None`: nothing, or it cannot say, which is counted. `login`: who logs in by other
    /// means than a password, where that is so; users of the system are then asked whether they may.
    pub fn lookup(
        &self,
        user: &str,
        login: Option<Caller>,
        means: (&Means, Lane),
        tally: &mut Tally,
    ) -> Option<Entry> {
        match self {
            Source::PasswdFile(file) => file.lookup(user).unwrap_or_else(|error| {
                tracing::error!("{error}");
                tally.unavailable = true;
                None
            }),
            Source::Single { user: known, .. } => {
                (known.to_lowercase() == user.to_lowercase()).then(Entry::default)
            }
            Source::Static { password } => Some(Entry {
                password: password.clone(),
                ..Entry::default()
            }),
            Source::System {
                outside,
                number,
                first_uid,
            } => {
                let account = system_account(user, tally)?;
                if !serves(&account, *first_uid) {
                    if login.is_some() {
                        tally.hold_against(UNSERVED);
                    }
                    return None;
                }
                let entry = match login {
                    Some(_) => know(outside.as_ref(), *number, (user, login), means, tally)?,
                    None => Entry::default(),
                };
                Some(Entry { account, ..entry })
            }
            Source::Exec { outside, number } => {
                know(outside.as_ref(), *number, (user, login), means, tally)
            }
        }
    }

    /// Whether there is such a user; `None`: only who has the password is told.
    pub fn knows(&self, user: &str, means: (&Means, Lane)) -> Option<bool> {
        let mut tally = Tally::default();
        match self {
            Source::Exec { .. } => None,
            _ => Some(self.lookup(user, None, means, &mut tally).is_some()),
        }
    }

    /// Finds out whether it could say something of a user by SCRAM.
    pub fn may_know(&self, user: &str, means: (&Means, Lane), tally: &mut Tally) {
        if !self.waits() {
            let _ = self.lookup(user, None, means, tally);
        }
    }

    /// The entry of a user, and the keys for SCRAM; nothing where the password is stored in a way that gives none.
    pub fn scram(
        &self,
        user: &str,
        (hash, salt): (Hash, &[u8]),
        (means, lane): (&Means, Lane),
        tally: &mut Tally,
    ) -> Option<(Entry, Keys)> {
        if self.waits() {
            return None;
        }
        let entry = self.lookup(user, None, (means, lane), tally)?;
        tally.no_delay |= entry.no_delay;
        let stored = match self {
            Source::Single { password, .. } => Ok(Stored::plain(password.expose())),
            _ if entry.password.is_empty() => return None,
            _ => Stored::parse(&entry.password, self.scheme(&entry)),
        };
        let turns = means.turns(lane);
        match stored.and_then(|stored| turns.hash(|| stored.scram(hash, salt))) {
            Ok(keys) => Some((entry, keys?)),
            // As what gives no keys: otherwise it would be told that there is such a user.
            Err(error) => {
                tracing::warn!("user {user}: no password is right: {error}");
                None
            }
        }
    }

    /// The scheme of a password that names none.
    fn scheme(&self, entry: &Entry) -> Scheme {
        entry.scheme.unwrap_or(match self {
            Source::Static { .. } => Scheme::Plain,
            _ => Scheme::Crypt,
        })
    }

    /// The entry of a user whose password this is.
    pub fn log_in(&self, asked: Asked<'_>, means: &Means, tally: &mut Tally) -> Option<Entry> {
        if let Source::Exec { outside, number } = self {
            return prove(outside.as_ref(), *number, asked, means, tally);
        }
        if let Source::System {
            outside,
            number,
            first_uid,
        } = self
        {
            let account = system_account(asked.user, tally);
            // Root's password is not tried out here, nor are those of other users of the system's own.
            if account
                .as_ref()
                .is_some_and(|account| !serves(account, *first_uid))
            {
                tally.hold_against(UNSERVED);
                return None;
            }
            // Who does not exist is asked about all the same, for time would tell it.
            let mut entry = prove(outside.as_ref(), *number, asked, means, tally)?;
            entry.account = account?;
            return Some(entry);
        }
        let before = tally.unavailable;
        let lookup = (means, asked.caller.lane);
        let Some(entry) = self.lookup(asked.user, None, lookup, tally) else {
            // A file that cannot be read takes no longer for somebody.
            if tally.unavailable == before {
                tally.owed.extend(self.stand_in(asked.user, None));
            }
            return None;
        };
        tally.no_delay |= entry.no_delay;
        self.verify(asked, &entry, means, tally).then_some(entry)
    }

    fn verify(&self, asked: Asked<'_>, entry: &Entry, means: &Means, tally: &mut Tally) -> bool {
        let Asked { user, password, .. } = asked;
        if let Source::Single { password: own, .. } = self {
            return own.expose().ct_eq(password).into();
        }
        if entry.password.is_empty() {
            tally.owed.extend(self.stand_in(user, None));
            return entry.no_password;
        }
        let now = Instant::now();
        let stored = Stored::parse(&entry.password, self.scheme(entry));
        if stored.as_ref().is_ok_and(Stored::is_locked) {
            tally.owed.extend(self.stand_in(user, None));
            return false;
        }
        let known = means.verified.find(user, &entry.password, password, now);
        if known.is_some() {
            tally.owed.extend(stored);
            return true;
        }
        let turns = means.turns(asked.caller.lane);
        let verified = match &stored {
            Ok(stored) => turns.hash(|| stored.verify(user, password)),
            Err(error) => Err(error.clone()),
        };
        match verified {
            Ok(true) => {
                means
                    .verified
                    .insert((user, &entry.password, password), Entry::default(), now);
                true
            }
            Ok(false) => false,
            // A wrong password like others: otherwise it would be told that there is such a user.
            Err(error) => {
                tracing::warn!("user {user}: no password is right: {error}");
                tally.owed.extend(self.stand_in(user, stored.ok().as_ref()));
                false
            }
        }
    }

    /// The password to try in vain for a name that is not there, or whose own cannot be tried.
    fn stand_in(&self, user: &str, own: Option<&Stored>) -> Option<Stored> {
        let Source::PasswdFile(file) = self else {
            return None;
        };
        match file.stand_ins(user) {
            Some(all) => all.of_name(user, |one| Some(one) != own).cloned(),
            None => Stored::parse(DUMMY, Scheme::Crypt).ok(),
        }
    }

    /// The password that keys for SCRAM are made of for a name that is not there, and how many users are like that.
    pub fn scram_stand_in(&self, user: &str, hash: Hash) -> Option<(usize, Stored)> {
        match self {
            Source::PasswdFile(file) => {
                let all = file.stand_ins(user)?;
                let one = all.of_name(user, |stored| stored.gives_scram(hash))?;
                Some((all.count, one.clone()))
            }
            Source::Single { password, .. } => Some((1, Stored::plain(password.expose()))),
            Source::Static { password } => {
                let stored = Stored::parse(password, Scheme::Plain).ok();
                let stored = stored.filter(|stored| stored.gives_scram(hash));
                stored.map(|stored| (1, stored))
            }
            Source::System { .. } | Source::Exec { .. } => None,
        }
    }

    /// The user's name as the source writes it.
    pub fn user_name(&self, user: &str) -> String {
        match self {
            Source::Single { user: known, .. } => known.clone(),
            _ => user.to_owned(),
        }
    }
}

/// Why users of the system's own have no mail, nor others of such a uid.
const UNSERVED: &str = "uid 0, one below users.first-uid, or none at all";

/// Whether an account may have mail here.
fn serves(account: &AccountFields, first_uid: u32) -> bool {
    // To the system calls that change users the largest says that there is nothing to be changed.
    let is_nobody = |id: Option<u32>| id == Some(u32::MAX);
    let is_served = |uid: u32| uid > 0 && uid >= first_uid;
    account.uid.is_some_and(is_served) && !is_nobody(account.uid) && !is_nobody(account.gid)
}

/// What the system says of a user's account; nothing, or it cannot say, which is counted.
fn system_account(user: &str, tally: &mut Tally) -> Option<AccountFields> {
    system::account(user).unwrap_or_else(|error| {
        tracing::error!("user {user}: {error}");
        tally.unavailable = true;
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_nobody_has_no_mail() {
        for (uid, gid, good) in [
            (None, Some(500), false),
            (Some(0), Some(500), false),
            (Some(499), Some(500), false),
            (Some(500), Some(0), true),
            (Some(u32::MAX), Some(500), false),
            (Some(500), Some(u32::MAX), false),
            (Some(u32::MAX - 1), None, true),
        ] {
            let account = AccountFields {
                uid,
                gid,
                ..AccountFields::default()
            };
            assert_eq!(serves(&account, 500), good, "{uid:?} {gid:?}");
        }
    }
}
