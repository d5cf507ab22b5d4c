//! How a lock is waited for that another program holds: how long, and how long from one try to the next.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a foreign lock is waited for, as long as Dovecot does.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(120);

/// Between the first try and the second. Most locks are held for as long as one message takes.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// Between two tries, after many.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The wait for one lock.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    /// It is over after so long.
    pub(super) fn new(limit: Duration) -> Patience {
        Patience {
            deadline: Instant::now() + limit,
            pause: FIRST_PAUSE,
        }
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Waits for the next try, so long at least; longer each time.
    pub(super) async fn pause(&mut self, least: Duration) {
        sleep(self.pause.max(least)).await;
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}
