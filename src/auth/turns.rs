//! How much is computed and asked at once: hashes, for which the cores are there, and checks elsewhere, which only take
//! time. **Blocking.**

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::source::Proof;

/// How many checks elsewhere there are at once, and how long one waits for its turn.
const PROOFS: usize = 64;
const PROOF_TURN: Duration = Duration::from_secs(10);

/// Those of one lane.
pub(super) struct Turns {
    /// As many permits as there are cores, for hashes.
    hashing: Semaphore,
    /// For checks elsewhere, some of which may hang.
    proving: Semaphore,
}

impl Turns {
    pub fn new() -> Turns {
        Turns {
            hashing: Semaphore::new(cores()),
            proving: Semaphore::new(PROOFS),
        }
    }

    /// Computes a hash, when it is its turn. Not for a thread of the runtime.
    pub fn hash<T>(&self, compute: impl FnOnce() -> T) -> T {
        // The semaphore is never closed, so there is always a permit.
        let _permit = Handle::current().block_on(self.hashing.acquire());
        compute()
    }

    /// Has something checked elsewhere, if its turn comes soon enough. Not for a thread of the runtime.
    pub fn prove(&self, ask: impl FnOnce() -> io::Result<Proof>) -> io::Result<Proof> {
        let turn = async { timeout(PROOF_TURN, self.proving.acquire()).await };
        let Ok(_permit) = Handle::current().block_on(turn) else {
            return Err(io::Error::other("too many are being checked"));
        };
        ask()
    }
}

/// How many hashes are computed at once.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
