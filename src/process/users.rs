//! Who is logged in: one [`User`] for all connections of an account, so that they share its
//! mailboxes in memory, and a limit on how many there are. Whoever comes brings what the sources say of the account now:
//! its limits hold from then on for all, and mail that is elsewhere is opened for those who come, while others stay.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::auth::Granted;
use crate::blocking;
use crate::mailbox::user::{Account, User};
use crate::process::ServeError;

/// An account nobody is logged in to stays in memory this long, for clients come back soon.
const STAYS: Duration = Duration::from_secs(60);

/// How often those are looked for.
const LOOK: Duration = Duration::from_secs(15);

/// The account of somebody who was let in.
pub type Describe = dyn Fn(&Granted) -> Result<Account, ServeError> + Send + Sync;

/// The accounts that are open.
pub struct Users {
    describe: Box<Describe>,
    /// Most connections of one user.
    per_user: usize,
    accounts: Mutex<HashMap<String, Entry>>,
    /// Accounts that have been forgotten, for as long as somebody is in them.
    replaced: Mutex<Vec<Arc<User>>>,
}

/// An account by the name of its user.
struct Entry {
    /// Set once it is open; connections that come meanwhile wait for the one that opens it.
    user: Arc<OnceCell<Arc<User>>>,
    connections: usize,
    /// Those who bring mail, of whom there may be any number.
    visits: usize,
    /// Since when there are neither.
    idle_since: Instant,
}

/// Why a user who was let in cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// The user has as many connections as are allowed.
    #[error("too many connections of this user")]
    TooMany,
    /// The mail cannot be opened.
    #[error(transparent)]
    Failed(#[from] ServeError),
}

/// What somebody is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session.
    Session,
    /// To bring mail.
    Mail,
}

/// One connection of a user. Dropping it leaves the account.
pub struct Seat {
    user: Arc<User>,
    _counted: Counted,
}

/// A connection's share of its user's limit.
struct Counted {
    users: Arc<Users>,
    name: String,
    purpose: Purpose,
}

impl Users {
    /// No accounts yet; each is opened as `describe` says at its first login.
    pub fn new(per_user: usize, describe: Box<Describe>) -> Arc<Users> {
        Arc::new(Users {
            describe,
            per_user,
            accounts: Mutex::default(),
            replaced: Mutex::default(),
        })
    }

    /// Lets one more connection of a user in, and opens the account if it is the first.
    pub async fn enter(
        self: &Arc<Self>,
        granted: &Granted,
        purpose: Purpose,
    ) -> Result<Seat, Unserved> {
        let cell = {
            let mut accounts = self.lock();
            let entry = accounts
                .entry(granted.user.clone())
                .or_insert_with(|| Entry {
                    user: Arc::default(),
                    connections: 0,
                    visits: 0,
                    idle_since: Instant::now(),
                });
            if purpose == Purpose::Session && entry.connections >= self.per_user {
                return Err(Unserved::TooMany);
            }
            *entry.count(purpose) += 1;
            Arc::clone(&entry.user)
        };
        // From here on the connection is counted, and whatever happens uncounts it.
        let counted = Counted {
            users: Arc::clone(self),
            name: granted.user.clone(),
            purpose,
        };
        let account = (self.describe)(granted)?;
        let mut user = cell
            .get_or_try_init(|| open(&account))
            .await
            .map(Arc::clone)?;
        if !is_current(&user, &account).await {
            let cell = self.renew(&granted.user, &user);
            user = cell
                .get_or_try_init(|| open(&account))
                .await
                .map(Arc::clone)?;
        }
        user.limit(account.quota);
        Ok(Seat {
            user,
            _counted: counted,
        })
    }

    /// Forgets an account whose mail is no longer what it was, for all who come from now on.
    fn renew(&self, name: &str, old: &Arc<User>) -> Arc<OnceCell<Arc<User>>> {
        let mut accounts = self.lock();
        let Some(entry) = accounts.get_mut(name) else {
            return Arc::default();
        };
        if entry.user.get().is_some_and(|user| Arc::ptr_eq(user, old)) {
            entry.user = Arc::default();
            self.replaced().push(Arc::clone(old));
        }
        Arc::clone(&entry.user)
    }

    /// Closes accounts that nobody uses any more, for as long as it is polled.
    pub async fn close_unused(self: Arc<Self>) {
        let mut look = interval(LOOK);
        loop {
            look.tick().await;
            for (name, user) in self.unused() {
                // While it is still found here, so that whoever comes meanwhile shares it.
                user.flush().await;
                let unused = {
                    let mut accounts = self.lock();
                    match accounts.get(&name) {
                        Some(entry) if entry.is_unused() => accounts.remove(&name),
                        _ => None,
                    }
                };
                // Giving up many watches takes its time.
                blocking::spawn(move || drop((unused, user)));
            }
            self.close_replaced().await;
        }
    }

    /// Closes those of the forgotten accounts that nobody is in any more.
    async fn close_replaced(&self) {
        let is_left = |user: &&Arc<User>| Arc::strong_count(user) == 1;
        let left: Vec<_> = self.replaced().iter().filter(is_left).cloned().collect();
        for user in left {
            user.flush().await;
            self.replaced().retain(|other| !Arc::ptr_eq(other, &user));
            blocking::spawn(move || drop(user));
        }
    }

    /// Makes all that anybody was told durable.
    pub async fn flush(&self) {
        let mut users = self.replaced().clone();
        users.extend(
            self.lock()
                .values()
                .filter_map(|entry| entry.user.get().cloned()),
        );
        let mut flushing: JoinSet<()> = users
            .into_iter()
            .map(|user| async move { user.flush().await })
            .collect();
        while flushing.join_next().await.is_some() {}
    }

    fn unused(&self) -> Vec<(String, Arc<User>)> {
        let mut accounts = self.lock();
        // Those that could not be opened have nothing to close.
        accounts.retain(|_, entry| entry.is_in_use() || entry.user.initialized());
        accounts
            .iter()
            .filter(|(_, entry)| entry.is_unused())
            .filter_map(|(name, entry)| Some((name.clone(), Arc::clone(entry.user.get()?))))
            .collect()
    }

    fn replaced(&self) -> MutexGuard<'_, Vec<Arc<User>>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open(account: &Account) -> Result<Arc<User>, ServeError> {
    let account = account.clone();
    let opened = blocking::spawn(move || User::open(account)).await;
    let opened = opened.map_err(|error| ServeError::system("open the mail")(error.into()))?;
    Ok(opened?)
}

async fn is_current(user: &Arc<User>, account: &Account) -> bool {
    if *user.location() != account.location {
        return false;
    }
    let user = Arc::clone(user);
    blocking::spawn(move || user.is_current())
        .await
        .unwrap_or(true)
}

impl Entry {
    fn is_unused(&self) -> bool {
        !self.is_in_use() && self.idle_since.elapsed() >= STAYS
    }

    fn is_in_use(&self) -> bool {
        self.connections > 0 || self.visits > 0
    }

    fn count(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Session => &mut self.connections,
            Purpose::Mail => &mut self.visits,
        }
    }
}

impl Seat {
    /// The account.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(entry) = self.users.lock().get_mut(&self.name) {
            let count = entry.count(self.purpose);
            *count = count.saturating_sub(1);
            entry.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;
    use crate::auth::AccountFields;
    use crate::config::Config;
    use crate::process::accounts;

    fn granted(user: &str) -> Granted {
        Granted {
            user: user.to_owned(),
            master: None,
            account: AccountFields::default(),
        }
    }

    /// Users whose mail cannot be opened, and how often that was tried.
    fn nowhere(per_user: usize) -> (Arc<Users>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let describe = move |_: &Granted| {
            counter.fetch_add(1, Ordering::Relaxed);
            Err(ServeError::Usage("nowhere".to_owned()))
        };
        (Users::new(per_user, Box::new(describe)), asked)
    }

    #[tokio::test]
    async fn a_failed_opening_is_uncounted_and_tried_again() {
        let (users, asked) = nowhere(1);
        for round in 1..4 {
            let error = users
                .enter(&granted("ana"), Purpose::Session)
                .await
                .err()
                .unwrap();
            assert!(matches!(error, Unserved::Failed(_)), "{error}");
            assert_eq!(asked.load(Ordering::Relaxed), round);
        }
        assert!(users.unused().is_empty());
        assert!(users.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_shared_and_stays_for_a_minute() {
        let home = tempfile::tempdir().unwrap();
        let maildir = home.path().join("Maildir");
        let describe = move |_: &Granted| Ok(accounts::at(maildir.clone(), &Config::default()));
        let users = Users::new(2, Box::new(describe));
        let ana = granted("ana");
        let first = users.enter(&ana, Purpose::Session).await.unwrap();
        let second = users.enter(&ana, Purpose::Session).await.unwrap();
        assert!(Arc::ptr_eq(first.user(), second.user()));
        assert!(matches!(
            users.enter(&ana, Purpose::Session).await,
            Err(Unserved::TooMany)
        ));
        drop(first);
        drop(users.enter(&ana, Purpose::Session).await.unwrap());
        drop(second);

        let closing = tokio::spawn(Arc::clone(&users).close_unused());
        sleep(STAYS / 2).await;
        assert_eq!(users.lock().len(), 1);
        sleep(STAYS).await;
        assert!(users.lock().is_empty());
        closing.abort();
    }

    #[tokio::test]
    async fn a_maildir_that_was_put_into_anothers_place_is_opened() {
        let home = tempfile::tempdir().unwrap();
        let maildir = home.path().join("Maildir");
        let at = maildir.clone();
        let describe = move |_: &Granted| Ok(accounts::at(at.clone(), &Config::default()));
        let users = Users::new(9, Box::new(describe));
        let ana = granted("ana");
        let old = users.enter(&ana, Purpose::Session).await.unwrap();
        std::fs::rename(&maildir, home.path().join("aside")).unwrap();
        let new = users.enter(&ana, Purpose::Session).await.unwrap();
        assert!(!Arc::ptr_eq(old.user(), new.user()));
        assert!(maildir.join("cur").is_dir());
        let next = users.enter(&ana, Purpose::Session).await.unwrap();
        assert!(Arc::ptr_eq(new.user(), next.user()));
        std::fs::remove_dir_all(&maildir).unwrap();
        let last = users.enter(&ana, Purpose::Session).await.unwrap();
        assert!(last.user().is_current() && !new.user().is_current());
    }

    #[tokio::test]
    async fn what_the_source_says_holds_when_somebody_comes() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| accounts::at(home.path().join(name), &Config::default());
        let said = Arc::new(Mutex::new(at("one")));
        let source = Arc::clone(&said);
        let describe = move |_: &Granted| Ok(source.lock().unwrap().clone());
        let users = Users::new(9, Box::new(describe));
        let ana = granted("ana");
        let enter = async || users.enter(&ana, Purpose::Session).await.unwrap();
        let limit = async |seat: &Seat| {
            let state = seat.user().quota().state().await.unwrap();
            state.and_then(|state| state.limits.messages)
        };
        let first = enter().await;
        assert_eq!(limit(&first).await, None);
        for most in [Some(7), Some(9)] {
            said.lock().unwrap().quota.messages = most;
            let next = enter().await;
            assert!(Arc::ptr_eq(first.user(), next.user()));
            assert_eq!(limit(&first).await, most);
        }
        // Mail that is elsewhere is for those who come.
        *said.lock().unwrap() = at("two");
        let moved = enter().await;
        assert!(!Arc::ptr_eq(first.user(), moved.user()));
        assert!(home.path().join("two/cur").is_dir());
        assert_eq!((limit(&first).await, limit(&moved).await), (Some(9), None));
        assert!(Arc::ptr_eq(moved.user(), enter().await.user()));
        // The other is known for as long as somebody is there.
        users.close_replaced().await;
        assert_eq!(users.replaced().len(), 1);
        drop(first);
        users.close_replaced().await;
        assert!(users.replaced().is_empty());
    }

    #[tokio::test]
    async fn the_limit_is_per_user_and_none_for_mail() {
        let (users, asked) = nowhere(0);
        let error = users
            .enter(&granted("ana"), Purpose::Session)
            .await
            .err()
            .unwrap();
        assert!(matches!(error, Unserved::TooMany), "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let error = users
            .enter(&granted("ana"), Purpose::Mail)
            .await
            .err()
            .unwrap();
        assert!(matches!(error, Unserved::Failed(_)), "{error}");
    }
}
