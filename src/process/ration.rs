//! How many of a worker's threads for files mail may take: no more than half of them, so that a disk that hangs leaves the
//! others to sessions, and few for one account, so that it leaves some to the mail of others. Whoever gets none in time has
//! its mail brought again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::process::start::DISK_THREADS;

/// Threads for all mail,
const IN_ALL: usize = DISK_THREADS / 2;

/// and for that of one account.
const OF_ONE: usize = 2;

/// How long one is waited for: less than lmtp waits for a recipient.
const PATIENCE: Duration = Duration::from_secs(45);

/// What there is for all accounts.
pub struct Rations {
    all: Arc<Semaphore>,
    accounts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// What there is for one.
pub struct Ration {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// Leave to have one thread wait for a disk. It is to be kept for as long as the thread does, whoever still waits for that.
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Rations {
    /// All of it.
    pub fn new() -> Rations {
        Rations {
            all: Arc::new(Semaphore::new(IN_ALL)),
            accounts: Mutex::default(),
        }
    }

    /// That of a user.
    pub fn of(&self, user: &str) -> Ration {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = accounts.get(user).and_then(Weak::upgrade);
        let own = known.unwrap_or_else(|| {
            accounts.retain(|_, own| own.strong_count() > 0);
            let own = Arc::new(Semaphore::new(OF_ONE));
            accounts.insert(user.to_owned(), Arc::downgrade(&own));
            own
        });
        Ration {
            all: Arc::clone(&self.all),
            own,
        }
    }
}

impl Ration {
    /// Waits for a turn, but not long.
    pub async fn turn(&self) -> Option<Turn> {
        timeout(PATIENCE, self.turn_at_last()).await.ok().flatten()
    }

    /// Waits for a turn however long that takes: for as long as the disk hangs.
    pub async fn turn_at_last(&self) -> Option<Turn> {
        // Its own comes first: those who wait for that keep nobody else waiting.
        let own = Arc::clone(&self.own).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn {
            _own: own,
            _all: all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_account_leaves_threads_to_others_and_all_to_sessions() {
        let rations = Rations::new();
        let mut taken = Vec::new();
        for account in 0..IN_ALL / OF_ONE {
            let user = format!("user{account}");
            for _ in 0..OF_ONE {
                taken.push(rations.of(&user).turn().await.unwrap());
            }
            assert!(rations.of(&user).turn().await.is_none());
        }
        assert!(rations.of("late").turn().await.is_none());
        drop(taken.pop());
        let late = rations.of("late").turn().await.unwrap();
        drop((late, taken));
        rations.of("last").turn().await.unwrap();
        assert_eq!(rations.accounts.lock().unwrap().len(), 1);
        assert_eq!(rations.all.available_permits(), IN_ALL);
    }
}
