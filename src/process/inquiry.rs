//! What a process of strangers asks of auth. Whoever asks has a number, and hears what comes back for it: from auth, or
//! from master, which auth has told. Auth may end and begin anew; who waits then learns that nobody answers.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tracing::error;

use crate::net::listener::Seldom;
use crate::process::link::Link;

/// All that ask: auth answers them `M`, which is `T` to them.
pub struct Inquiries<M, T> {
    auth: Mutex<Arc<Link>>,
    waiting: Mutex<HashMap<u64, mpsc::Sender<T>>>,
    next: AtomicU64,
    read: fn(M) -> (u64, T),
    /// There is no speaking with auth any more.
    lost: Notify,
    /// Questions that did not reach it.
    unasked: Mutex<Seldom>,
}

/// One that asks. Dropping it gives up waiting.
pub struct Inquiry<M, T> {
    inquiries: Arc<Inquiries<M, T>>,
    auth: Arc<Link>,
    number: u64,
    answers: mpsc::Receiver<T>,
}

impl<M, T> Inquiries<M, T>
where
    M: DeserializeOwned + Send + 'static,
    T: Send + 'static,
{
    /// Nobody yet, on the link to auth; `read` tells whom an answer is for. Must run inside the runtime.
    pub fn new(auth: OwnedFd, read: fn(M) -> (u64, T)) -> io::Result<Arc<Inquiries<M, T>>> {
        let link = Arc::new(Link::new(auth)?);
        let inquiries = Arc::new(Inquiries {
            auth: Mutex::new(Arc::clone(&link)),
            waiting: Mutex::default(),
            next: AtomicU64::default(),
            read,
            lost: Notify::new(),
            unasked: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&inquiries).hear(link));
        Ok(inquiries)
    }

    /// Turns to another auth process.
    pub fn reach(self: &Arc<Self>, auth: OwnedFd) -> io::Result<()> {
        let link = Arc::new(Link::new(auth)?);
        *self.auth.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&link);
        tokio::spawn(Arc::clone(self).hear(link));
        Ok(())
    }

    /// Passes on what auth says.
    async fn hear(self: Arc<Self>, auth: Arc<Link>) {
        loop {
            match auth.receive().await {
                Ok(Some((said, _))) => {
                    let (number, answer) = (self.read)(said);
                    self.answer(number, answer);
                }
                Ok(None) => break,
                Err(error) => {
                    error!("auth cannot be understood: {error}");
                    self.lost.notify_one();
                    break;
                }
            }
        }
        // Who waits learns that there is nobody to answer: the other end of the channel is gone.
        self.waiting().clear();
    }

    /// Waits until auth has said what it may not say.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }

    /// Passes an answer on. A client that has left waits for nothing, and a line that came along closes.
    pub fn answer(&self, number: u64, answer: T) {
        if let Some(waiting) = self.waiting().get(&number) {
            // One that had its answer has room for no second one.
            let _ = waiting.try_send(answer);
        }
    }

    /// Somebody who asks.
    pub fn begin(self: &Arc<Self>) -> Inquiry<M, T> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = mpsc::channel(1);
        self.waiting().insert(number, sender);
        let auth = Arc::clone(&self.auth.lock().unwrap_or_else(PoisonError::into_inner));
        Inquiry {
            inquiries: Arc::clone(self),
            auth,
            number,
            answers,
        }
    }
}

impl<M, T> Inquiries<M, T> {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M, T> Inquiry<M, T> {
    /// Who asks.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The link to the auth process that is asked.
    pub fn auth(&self) -> &Arc<Link> {
        &self.auth
    }

    /// Says something to auth.
    pub async fn say(&self, said: &impl Serialize) -> io::Result<()> {
        self.auth.send(said, &[]).await
    }

    /// Says in the log that auth cannot be asked, now and then: it may be down, and many may come meanwhile.
    pub fn tell_failure(&self, error: &io::Error) {
        let unasked = &self.inquiries.unasked;
        let mut unasked = unasked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = unasked.is_due() {
            error!(times, "auth cannot be asked: {error}");
        }
    }

    /// The next answer; `None`: there is nobody to answer.
    pub async fn answer(&mut self) -> Option<T> {
        self.answers.recv().await
    }
}

impl<M, T> Drop for Inquiry<M, T> {
    fn drop(&mut self) {
        self.inquiries.waiting().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::link::pair;

    type Answers = Inquiries<(u64, String), String>;

    fn begun() -> (Arc<Answers>, Link) {
        let (here, there) = pair().unwrap();
        let inquiries = Inquiries::new(here, |said: (u64, String)| said).unwrap();
        (inquiries, Link::new(there).unwrap())
    }

    #[tokio::test]
    async fn each_hears_its_own_answer() {
        let (inquiries, auth) = begun();
        let (mut one, mut two) = (inquiries.begin(), inquiries.begin());
        for inquiry in [&one, &two] {
            inquiry.say(&inquiry.number()).await.unwrap();
            let (number, _) = auth.receive::<u64>().await.unwrap().unwrap();
            assert_eq!(number, inquiry.number());
        }
        let answer = (two.number(), "two".to_owned());
        auth.send(&answer, &[]).await.unwrap();
        assert_eq!(two.answer().await.as_deref(), Some("two"));
        inquiries.answer(one.number(), "one".to_owned());
        assert_eq!(one.answer().await.as_deref(), Some("one"));
        drop((one, two));
        assert!(inquiries.waiting().is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_one_that_has_ended_is_told_and_others_ask_the_next() {
        let (inquiries, auth) = begun();
        let mut early = inquiries.begin();
        drop(auth);
        assert_eq!(early.answer().await, None);
        let (here, there) = pair().unwrap();
        inquiries.reach(here).unwrap();
        let auth = Link::new(there).unwrap();
        let late = inquiries.begin();
        late.say(&7u64).await.unwrap();
        assert_eq!(auth.receive::<u64>().await.unwrap().unwrap().0, 7);
    }

    #[tokio::test]
    async fn that_nobody_can_be_asked_is_logged_now_and_then() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let writer = Arc::new(log.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(writer);
        let _guard = tracing::subscriber::set_default(subscriber.finish());
        let (inquiries, auth) = begun();
        drop(auth);
        for _ in 0..1000 {
            let inquiry = inquiries.begin();
            let error = inquiry.say(&7u64).await.unwrap_err();
            inquiry.tell_failure(&error);
        }
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("auth cannot be asked"), "{text}");
    }

    #[tokio::test]
    async fn nonsense_is_noticed() {
        let (inquiries, auth) = begun();
        auth.send(&"nonsense", &[]).await.unwrap();
        inquiries.lost().await;
    }
}
