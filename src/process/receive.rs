//! Mail that a worker is brought: the end of a recipient's line that is in the worker. It takes a message and places it in
//! the user's mail, and gives nothing of that away.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::auth::Granted;
use crate::blocking;
use crate::lmtp::Delivered;
use crate::mailbox::delivery::{Incoming, Target, Whole};
use crate::mailbox::fault::Fault;
use crate::process::link::unexpected;
use crate::process::message::{Bring, Brought, Refused};
use crate::process::ration::{Ration, Rations, Turn};
use crate::process::users::{Purpose, Seat, Users};
use crate::process::way;

/// How long lmtp may take to say what comes.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Octets that lmtp may put before a message of the largest size: its trace.
const TRACE_MAX: u64 = 16 << 10;

/// Lines at a time. Each takes four descriptors: its own, and those of a mailbox.
const VISITS_MAX: usize = 2000;

/// What all lines of a worker share.
pub struct Mail {
    users: Arc<Users>,
    /// The largest message, in octets.
    most: u64,
    rations: Rations,
    visits: Semaphore,
    /// Messages that are whole, by their numbers, for as long as the line is there that they came by.
    whole: Mutex<HashMap<u64, Arc<Whole>>>,
    next: AtomicU64,
}

/// A line, and the mailbox that it is for.
struct Visit<'a> {
    mail: &'a Mail,
    user: &'a str,
    ration: Ration,
    target: Target,
    /// A message that is just coming.
    incoming: Option<Incoming>,
    /// The number of one that came.
    held: Option<u64>,
}

impl Mail {
    /// None yet.
    pub fn new(users: Arc<Users>, most: u64) -> Mail {
        Mail {
            users,
            most: most.saturating_add(TRACE_MAX),
            rations: Rations::new(),
            visits: Semaphore::new(VISITS_MAX),
            whole: Mutex::default(),
            next: AtomicU64::default(),
        }
    }

    /// Takes mail for somebody, to the end of the line.
    pub async fn receive(&self, granted: Granted, line: OwnedFd) -> io::Result<()> {
        let user = granted.user.as_str();
        let Ok(_visit) = self.visits.try_acquire() else {
            warn!(user, "mail refused: there are {VISITS_MAX} others");
            return Ok(());
        };
        let mut line = way::line(line)?;
        let Bring::Open(mailbox, size) = timeout(OPEN_LIMIT, way::read(&mut line)).await?? else {
            return Err(unexpected("no delivery begins like this"));
        };
        let ration = self.rations.of(user);
        let opened = self.open(&granted, &ration, mailbox.as_deref(), size).await;
        let (_seat, target) = match opened {
            Ok(opened) => opened,
            Err(refused) => return way::write(&mut line, &Brought::Refused(refused)).await,
        };
        let mut visit = Visit {
            mail: self,
            user,
            ration,
            target,
            incoming: None,
            held: None,
        };
        let heard = visit.hear(&mut line).await;
        visit.leave().await;
        heard
    }

    /// The account, and the mailbox in it.
    async fn open(
        &self,
        granted: &Granted,
        ration: &Ration,
        mailbox: Option<&str>,
        size: Option<u64>,
    ) -> Result<(Seat, Target), Refused> {
        let user = granted.user.as_str();
        let _turn = turn(ration, user).await?;
        let seat = match self.users.enter(granted, Purpose::Mail).await {
            Ok(seat) => seat,
            Err(error) => {
                error!(user, "mail refused: {error}");
                return Err(Refused::Fault);
            }
        };
        let target = seat.user().target(mailbox).await;
        let target = target.map_err(|fault| refused(user, &fault))?;
        let tried = target.try_out(size).await;
        tried.map_err(|fault| refused(user, &fault))?;
        Ok((seat, target))
    }

    fn whole(&self) -> MutexGuard<'_, HashMap<u64, Arc<Whole>>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit<'_> {
    /// Does what is said, to the end of the line.
    async fn hear(&mut self, line: &mut UnixStream) -> io::Result<()> {
        way::write(line, &Brought::Ready(self.target.device())).await?;
        loop {
            let answer = match way::read(line).await? {
                Bring::Octets(octets) => match self.take(line, octets).await? {
                    Ok(whole) => Brought::Whole(self.hold(whole).await),
                    Err(refused) => Brought::Refused(refused),
                },
                Bring::Place(number) => {
                    let whole = self.mail.whole().get(&number).cloned();
                    let whole = whole.ok_or_else(|| unexpected("a message that is not there"))?;
                    let size = whole.size();
                    let placed = self.place(line, &whole).await;
                    self.let_go(whole).await;
                    match placed? {
                        Ok(()) => Brought::Placed(Delivered {
                            user: self.user.to_owned(),
                            mailbox: self.target.name().to_string(),
                            size,
                        }),
                        Err(refused) => Brought::Refused(refused),
                    }
                }
                Bring::Open(..) | Bring::End => return Err(unexpected("no message is like this")),
            };
            way::write(line, &answer).await?;
        }
    }

    /// A message that begins with these octets, up to its end. One that cannot be written is heard out all the same.
    async fn take(
        &mut self,
        line: &mut UnixStream,
        first: Vec<u8>,
    ) -> io::Result<Result<Whole, Refused>> {
        let (mut octets, mut size, mut refused) = (first, 0u64, None);
        loop {
            size = size.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
            if size > self.mail.most {
                refused = Some(Refused::TooLarge);
            }
            if refused.is_none() {
                refused = self.write(octets).await.err();
            }
            if refused.is_some() {
                self.give_up().await;
            }
            octets = match way::read(line).await? {
                Bring::Octets(octets) => octets,
                Bring::End => break,
                Bring::Open(..) | Bring::Place(_) => {
                    return Err(unexpected("no message goes on like this"));
                }
            };
        }
        Ok(match refused {
            None => self.finish().await,
            Some(refused) => Err(refused),
        })
    }

    async fn write(&mut self, octets: Vec<u8>) -> Result<(), Refused> {
        let _turn = self.turn().await?;
        let fault = |fault: Fault| refused(self.user, &fault);
        let incoming = match &mut self.incoming {
            Some(incoming) => incoming,
            None => {
                let begun = Incoming::begin(&self.target).await;
                self.incoming.insert(begun.map_err(fault)?)
            }
        };
        incoming.write(octets).await.map_err(fault)
    }

    async fn finish(&mut self) -> Result<Whole, Refused> {
        let _turn = self.turn().await?;
        let incoming = self.incoming.take().ok_or(Refused::Fault)?;
        let whole = incoming.end().await;
        whole.map_err(|fault| refused(self.user, &fault))
    }

    /// Keeps a message for as long as the line is there, or until another comes by it. Gives its number.
    async fn hold(&mut self, whole: Whole) -> u64 {
        self.forget().await;
        let number = self.mail.next.fetch_add(1, Ordering::Relaxed);
        self.mail.whole().insert(number, Arc::new(whole));
        self.held = Some(number);
        number
    }

    /// Places a message in the mailbox. Once lmtp is gone, which has then said that it has not come, that is not begun
    /// any more.
    async fn place(&self, line: &UnixStream, whole: &Whole) -> io::Result<Result<(), Refused>> {
        let user = self.user;
        let wanted = Arc::new(AtomicBool::new(true));
        let mut placing = pin!(async {
            let _turn = self.turn().await?;
            let placed = whole.place_if(&self.target, &wanted).await;
            placed.map_err(|fault| refused(user, &fault))
        });
        let gone = tokio::select! {
            biased;
            placed = &mut placing => {
                return Ok(placed);
            }
            gone = gone(line) => gone,
        };
        wanted.store(false, Ordering::Relaxed);
        // What has begun ends, and its thread is counted until then.
        if placing.await.is_ok() {
            warn!(
                user,
                size = whole.size(),
                "mail has come late: it may come again"
            );
        }
        Err(gone)
    }

    /// Ends it: nothing is left that is in no mailbox.
    async fn leave(&mut self) {
        self.give_up().await;
        self.forget().await;
    }

    async fn give_up(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.discard(incoming).await;
        }
    }

    async fn forget(&mut self) {
        let held = self.held.take();
        let whole = held.and_then(|number| self.mail.whole().remove(&number));
        if let Some(whole) = whole {
            self.let_go(whole).await;
        }
    }

    async fn let_go(&self, whole: Arc<Whole>) {
        if let Some(whole) = Arc::into_inner(whole) {
            self.discard(whole).await;
        }
    }

    /// Removes what is in `tmp/`. While the disk hangs that waits, and with it this line, of which there are so many.
    async fn discard<T: Send + 'static>(&self, what: T) {
        let _turn = self.ration.turn_at_last().await;
        // It ends by itself if nobody waits for it.
        let _ = blocking::spawn(move || drop(what)).await;
    }

    async fn turn(&self) -> Result<Turn, Refused> {
        turn(&self.ration, self.user).await
    }
}

async fn turn(ration: &Ration, user: &str) -> Result<Turn, Refused> {
    ration.turn().await.ok_or_else(|| {
        warn!(user, "mail refused: other mail waits for the disk");
        Refused::Fault
    })
}

/// Waits until lmtp gives up waiting for an answer: it says nothing meanwhile.
async fn gone(line: &UnixStream) -> io::Error {
    loop {
        let read = match line.readable().await {
            Ok(()) => line.try_read(&mut [0]),
            Err(error) => return error,
        };
        match read {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => return unexpected("nothing is said before the answer"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return error,
        }
    }
}

fn refused(user: &str, fault: &Fault) -> Refused {
    match fault {
        // Lmtp says all that there is to say.
        Fault::OverQuota => Refused::OverQuota,
        Fault::OverQuotaForNow => Refused::FullForNow,
        Fault::DiskQuota(_) => {
            warn!(user, "mail refused: {fault}");
            Refused::FullForNow
        }
        Fault::DiskFull(_) => {
            warn!(user, "mail refused: {fault}");
            Refused::DiskFull
        }
        _ => {
            error!(user, "mail refused: {fault}");
            Refused::Fault
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixStream as StdStream;
    use std::path::Path;

    use super::*;
    use crate::auth::AccountFields;
    use crate::config::Config;
    use crate::lmtp::MESSAGE_MAX;
    use crate::process::accounts;

    fn mail(home: &Path) -> (Arc<Mail>, Granted) {
        let maildir = home.join("Maildir");
        let describe = move |_: &Granted| Ok(accounts::at(maildir.clone(), &Config::default()));
        let ana = Granted {
            user: "ana".to_owned(),
            master: None,
            account: AccountFields::default(),
        };
        let mail = Mail::new(Users::new(9, Box::new(describe)), MESSAGE_MAX);
        (Arc::new(mail), ana)
    }

    /// Lmtp's end of a line, and what becomes of the other.
    fn line(
        mail: &Arc<Mail>,
        granted: &Granted,
    ) -> (UnixStream, tokio::task::JoinHandle<io::Result<()>>) {
        let (one, two) = StdStream::pair().unwrap();
        let (mail, granted) = (Arc::clone(mail), granted.clone());
        let receiving = tokio::spawn(async move { mail.receive(granted, two.into()).await });
        (way::line(one.into()).unwrap(), receiving)
    }

    async fn say(line: &mut UnixStream, said: Bring) -> Brought {
        way::write(line, &said).await.unwrap();
        way::read(line).await.unwrap()
    }

    /// Has a message come, and gives its number.
    async fn bring(line: &mut UnixStream) -> u64 {
        let ready = say(line, Bring::Open(None, None)).await;
        assert!(matches!(ready, Brought::Ready(_)), "{ready:?}");
        way::write(line, &Bring::Octets(b"text".to_vec()))
            .await
            .unwrap();
        match say(line, Bring::End).await {
            Brought::Whole(number) => number,
            other => panic!("{other:?}"),
        }
    }

    fn count(home: &Path, sub: &str) -> usize {
        fs::read_dir(home.join("Maildir").join(sub))
            .unwrap()
            .count()
    }

    #[tokio::test]
    async fn a_message_is_placed_and_leaves_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let (mail, ana) = mail(home.path());
        let (mut first, receiving) = line(&mail, &ana);
        let number = bring(&mut first).await;
        let (mut second, other) = line(&mail, &ana);
        say(&mut second, Bring::Open(None, None)).await;
        for line in [&mut first, &mut second] {
            let placed = say(line, Bring::Place(number)).await;
            let Brought::Placed(delivered) = placed else {
                panic!("{placed:?}");
            };
            let Delivered {
                user,
                mailbox,
                size,
            } = delivered;
            assert_eq!((&*user, &*mailbox, size), ("ana", "INBOX", 4));
        }
        assert_eq!(count(home.path(), "tmp"), 1);
        drop((first, second));
        receiving.await.unwrap().unwrap_err();
        other.await.unwrap().unwrap_err();
        assert_eq!(
            (count(home.path(), "new"), count(home.path(), "tmp")),
            (2, 0)
        );

        // Half of one, too.
        let (mut third, receiving) = line(&mail, &ana);
        say(&mut third, Bring::Open(None, None)).await;
        let half = Bring::Octets(b"half".to_vec());
        way::write(&mut third, &half).await.unwrap();
        drop(third);
        receiving.await.unwrap().unwrap_err();
        assert_eq!(
            (count(home.path(), "new"), count(home.path(), "tmp")),
            (2, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_disk_hangs_nobody_else_waits_on_a_thread() {
        let home = tempfile::tempdir().unwrap();
        let (mail, ana) = mail(home.path());
        let ration = mail.rations.of("ana");
        let hanging = (ration.turn().await, ration.turn().await);
        for _ in 0..3 {
            let (mut line, _receiving) = line(&mail, &ana);
            let refused = say(&mut line, Bring::Open(None, None)).await;
            assert!(matches!(refused, Brought::Refused(Refused::Fault)));
        }
        assert!(!home.path().join("Maildir").exists());
        drop(hanging);
        bring(&mut line(&mail, &ana).0).await;
    }

    #[tokio::test]
    async fn what_lmtp_has_given_up_is_not_placed() {
        let home = tempfile::tempdir().unwrap();
        let (mail, ana) = mail(home.path());
        let (mut line, receiving) = line(&mail, &ana);
        let number = bring(&mut line).await;
        let ration = mail.rations.of("ana");
        let hanging = (ration.turn().await, ration.turn().await);
        way::write(&mut line, &Bring::Place(number)).await.unwrap();
        // It waits by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(line);
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(hanging);
        receiving.await.unwrap().unwrap_err();
        assert_eq!(
            (count(home.path(), "new"), count(home.path(), "tmp")),
            (0, 0)
        );
    }
}
