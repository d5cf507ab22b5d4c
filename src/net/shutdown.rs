//! The end of the server: a signal says stop, sessions finish what they are at and leave.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{error, info, warn};

/// How long sessions may take to end once they were told. With what follows (flushing, closing
/// down) the server is gone within 10 s.
pub const SESSIONS_GRACE: Duration = Duration::from_secs(7);

/// What SIGHUP means to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The terminal has gone, or whoever was at the other end of standard input: stop.
    Stops,
    /// "Read your configuration again", which needs a restart; sessions go on.
    IsNoted,
}

/// The signals the server listens for, caught from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    hangup_means: Hangup,
}

impl Signals {
    /// Begins to catch SIGINT, SIGTERM and SIGHUP.
    pub fn catch(hangup_means: Hangup) -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            hangup_means,
        })
    }

    /// Waits for the next signal that means stop, and gives its name.
    pub async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => match self.hangup_means {
                    Hangup::Stops => return "SIGHUP",
                    Hangup::IsNoted => {
                        warn!("SIGHUP ignored: a changed configuration takes a restart");
                    }
                },
            }
        }
    }
}

/// Sends `true` on `stop` at the first signal; returns at the second, for who cannot wait.
pub async fn stop_on_signal(mut signals: Signals, stop: watch::Sender<bool>) {
    let name = signals.stop().await;
    info!(signal = name, "stopping");
    stop.send_replace(true);
    let name = signals.stop().await;
    warn!(signal = name, "stopping at once");
}

/// Waits until `stop` says so. A server whose sender is gone is stopping too.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The error says that the sender was dropped.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Waits for the sessions, at most for `grace`; cuts off the rest and gives their number.
pub async fn drain(sessions: &mut JoinSet<()>, grace: Duration) -> usize {
    let all = async {
        while let Some(ended) = sessions.join_next().await {
            note_end(ended);
        }
    };
    if timeout(grace, all).await.is_ok() {
        return 0;
    }
    let left = sessions.len();
    sessions.shutdown().await;
    left
}

/// Logs a session that ended by a panic: the panic ends that session alone.
pub fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!("a session ended by a fault of the server's own");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sessions_that_end_are_waited_for() {
        let mut sessions = JoinSet::new();
        for seconds in 1..5 {
            sessions.spawn(tokio::time::sleep(Duration::from_secs(seconds)));
        }
        let start = tokio::time::Instant::now();
        assert_eq!(drain(&mut sessions, SESSIONS_GRACE).await, 0);
        assert_eq!(start.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_are_cut_off_after_the_grace() {
        let mut sessions = JoinSet::new();
        sessions.spawn(std::future::ready(()));
        sessions.spawn(std::future::pending());
        sessions.spawn(std::future::pending());
        let start = tokio::time::Instant::now();
        assert_eq!(drain(&mut sessions, SESSIONS_GRACE).await, 2);
        assert_eq!(start.elapsed(), SESSIONS_GRACE);
        assert!(sessions.is_empty());
    }

    #[tokio::test]
    async fn a_panic_ends_one_session_only() {
        let mut sessions = JoinSet::new();
        sessions.spawn(async { panic!("on purpose") });
        sessions.spawn(std::future::ready(()));
        assert_eq!(drain(&mut sessions, SESSIONS_GRACE).await, 0);
    }

    #[tokio::test]
    async fn a_dropped_sender_means_stop() {
        let (sender, mut receiver) = watch::channel(false);
        drop(sender);
        stopped(&mut receiver).await;
    }
}
