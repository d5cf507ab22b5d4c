//! Waiting for what may take long: until it is done, the client is gone or the server stops, with a word to the
//! client now and then of how far it is (RFC 9585).

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::imap::core::Tag;
use crate::imap::response::{Code, StatusKind};
use crate::mailbox::fault::Fault;
use crate::search::pool::Progress;
use crate::session::reply::{End, Failure};
use crate::session::{Session, stopped};

/// How often a client hears that its command goes on.
const NEWS_EVERY: Duration = Duration::from_secs(10);

/// A command that may take long, in one step or several. When it is dropped, the work for it stops.
pub(crate) struct Waiting {
    /// `None`: the client hears of no progress.
    tag: Option<Tag>,
    progress: Progress,
    goal: u64,
    news_at: Instant,
}

impl Waiting {
    /// A command that has to do with so many messages, each counted as often as it is looked at.
    pub(crate) fn new(tag: &Tag, goal: u64) -> Waiting {
        Waiting::of(Some(tag.clone()), goal)
    }

    /// Work for no command that still runs, or for one that says nothing of it.
    pub(crate) fn silently() -> Waiting {
        Waiting::of(None, 0)
    }

    fn of(tag: Option<Tag>, goal: u64) -> Waiting {
        Waiting {
            tag,
            progress: Progress::new(),
            goal,
            news_at: Instant::now() + NEWS_EVERY,
        }
    }

    /// Where those who do the work say how far they are.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Waits for a step.
    pub(crate) async fn wait<T>(
        &mut self,
        session: &mut Session,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Failure> {
        let Session {
            reader,
            writer,
            stop,
            ..
        } = session;
        writer.flush().await?;
        let mut work = std::pin::pin!(work);
        let mut unsent = false;
        loop {
            tokio::select! {
                done = &mut work => return Ok(done?),
                () = reader.closed() => {
                    return Err(End::from(io::Error::from(io::ErrorKind::UnexpectedEof)).into());
                }
                () = stopped(stop) => return Err(End::STOP.into()),
                // The work goes on while a slow client takes what it is told.
                sent = writer.flush(), if unsent => {
                    sent?;
                    unsent = false;
                }
                () = sleep_until(self.news_at), if self.tag.is_some() && !unsent => {
                    self.news_at += NEWS_EVERY;
                    let code = Some(self.news());
                    writer.status(None, StatusKind::Ok, code, "Still at it");
                    unsent = true;
                }
            }
        }
    }

    /// How far the command is: never all the way, for it still runs (RFC 9585 §4).
    fn news(&self) -> Code {
        let goal = self.goal.max(1);
        let done = self.progress.done().min(goal - 1);
        // A tag with a bracket would end the code (RFC 9585 §4).
        let tag = self.tag.clone().filter(|tag| !tag.as_str().contains(']'));
        Code::InProgress(tag, done, goal)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.progress.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::House;

    #[tokio::test(start_paused = true)]
    async fn a_client_hears_how_far_its_command_is() {
        let house = House::new();
        let (mut client, mut session) = house.session();
        for (tag, quoted) in [("A7", "\"A7\""), ("A]7", "NIL")] {
            let tag = Tag::new(tag.as_bytes()).unwrap();
            let mut waiting = Waiting::new(&tag, 500);
            let progress = waiting.progress();
            let work = async {
                for _ in 0..9 {
                    progress.add(100);
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
                Ok("found")
            };
            assert_eq!(waiting.wait(&mut session, work).await.unwrap(), "found");
            // More is never done than there is to do.
            for done in [400, 499] {
                let line = format!("* OK [INPROGRESS ({quoted} {done} 500)] Still at it");
                assert_eq!(client.line().await, line);
            }
        }
        // Between commands nothing is said.
        let work = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(())
        };
        Waiting::silently().wait(&mut session, work).await.unwrap();
        session.writer.continuation("next");
        session.writer.flush().await.unwrap();
        assert_eq!(client.line().await, "+ next");
    }

    #[tokio::test(start_paused = true)]
    async fn the_work_stops_when_the_client_is_gone() {
        let house = House::new();
        let (client, mut session) = house.session();
        let mut waiting = Waiting::new(&Tag::new(b"A7").unwrap(), 1);
        let progress = waiting.progress();
        drop(client);
        let work = std::future::pending::<Result<(), Fault>>();
        assert!(waiting.wait(&mut session, work).await.is_err());
        assert!(!progress.is_cancelled());
        drop(waiting);
        assert!(progress.part().is_cancelled());
    }
}
