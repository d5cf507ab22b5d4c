//! What STATUS tells of mailboxes. One that is open is asked; of one that is not, what was noted
//! ([`crate::index::status`]) is told where nothing has happened since. Only else it is opened.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::{JoinHandle, JoinSet};

use crate::imap::name::MailboxName;
use crate::imap::sequence::Uid;
pub use crate::index::status::Status;
use crate::index::status::{self, Marks};
use crate::mailbox::closing::{SETTLE, together};
use crate::mailbox::disk::Disk;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::user::User;

/// How many mailboxes are opened at once for one [`Survey`].
const AT_ONCE: usize = 8;

/// Mailboxes that a [`Survey`] has opened and that may leave at the same time.
const HELD_MAX: usize = 64;

/// A mailbox with so many messages stays open a while after a [`Survey`]: opening it takes its time.
const WORTH_KEEPING: usize = 2000;

/// What is asked of a mailbox.
#[derive(Clone, Default)]
pub struct Asked {
    /// SIZE, which may have to be measured.
    pub size: bool,
    /// DELETED-STORAGE, which is not noted where it is not 0.
    pub deleted_storage: bool,
    /// UIDs, UIDVALIDITY or MAILBOXID: what must not be spoken before it is on disk.
    pub lasting: bool,
    /// The mailbox that the client has selected.
    pub selected: Option<Arc<Mailbox>>,
}

/// What is told.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The numbers.
    pub status: Status,
    /// Octets that an EXPUNGE would free (RFC 9208 §4.1.4), if that was asked.
    pub deleted_storage: u64,
    /// It is the mailbox that the client has selected.
    pub selected: bool,
}

/// STATUS of many mailboxes, some at a time. Those that had to be opened leave memory soon.
pub struct Survey {
    user: Arc<User>,
    asked: Asked,
    /// Those that leave now.
    leaving: Vec<JoinHandle<()>>,
    /// How many mailboxes they hold.
    held: usize,
}

/// What is known of a mailbox before anybody opens it.
#[derive(Debug)]
pub(super) enum Known {
    /// All that is asked.
    Noted(Status),
    /// It is open, or being opened.
    Open,
    /// Nothing.
    Unknown,
}

impl User {
    /// STATUS of one mailbox. If it had to be opened it stays so for a while.
    pub async fn status(
        self: &Arc<Self>,
        name: &MailboxName,
        asked: &Asked,
    ) -> Result<Answer, Fault> {
        let known = self.known(vec![name.clone()], asked).await?;
        match known.into_iter().next() {
            Some(Known::Noted(status)) => Ok(Answer::noted(status)),
            _ => Ok(self.examine(name, asked).await?.0),
        }
    }

    /// STATUS of many.
    pub fn survey(self: &Arc<Self>, asked: Asked) -> Survey {
        Survey {
            user: Arc::clone(self),
            asked,
            leaving: Vec::new(),
            held: 0,
        }
    }

    /// What is known without opening any.
    pub(super) async fn known(
        &self,
        names: Vec<MailboxName>,
        asked: &Asked,
    ) -> Result<Vec<Known>, Fault> {
        let (mut open, mut opening) = (Vec::new(), Vec::new());
        for (name, slot) in self.open.lock().await.iter() {
            match slot.mailbox.get() {
                Some(mailbox) if mailbox.has_ended() => {}
                Some(mailbox) => open.push(mailbox.identity()),
                None => opening.push(name.clone()),
            }
        }
        open.sort_unstable();
        let (tree, size) = (Arc::clone(&self.tree), asked.size);
        let storage = asked.deleted_storage;
        blocking("reading what was noted", move || {
            let known = |name: &MailboxName| {
                if opening.contains(name) {
                    return Known::Open;
                }
                // Whatever is in the way of a look stands in the way of opening it, too: that tells.
                let Ok(Some(site)) = tree.site(name) else {
                    return Known::Unknown;
                };
                let identity = site.identity().ok();
                if identity.is_some_and(|identity| open.binary_search(&identity).is_ok()) {
                    return Known::Open;
                }
                match status::read(&site) {
                    Ok(Some(status))
                        if (status.size.is_some() || !size)
                            && (status.deleted == 0 || !storage) =>
                    {
                        Known::Noted(status)
                    }
                    _ => Known::Unknown,
                }
            };
            names.iter().map(known).collect()
        })
        .await
    }

    /// Opens a mailbox, or finds it open, and asks it.
    pub(super) async fn examine(
        self: &Arc<Self>,
        name: &MailboxName,
        asked: &Asked,
    ) -> Result<(Answer, Arc<Mailbox>), Fault> {
        let mailbox = self.mailbox(name).await?;
        mailbox.refresh().await?;
        let snapshot = mailbox.snapshot();
        if asked.lasting {
            // In an empty mailbox UIDVALIDITY alone is waited for.
            let last = Uid::new(snapshot.uid_next.get() - 1).unwrap_or(snapshot.uid_next);
            mailbox.durable(last).await?;
        }
        let size = match asked.size {
            true => Some(mailbox.size(&snapshot).await?),
            false => None,
        };
        let deleted_storage = match asked.deleted_storage {
            true => mailbox.deleted_storage(&snapshot).await?,
            false => 0,
        };
        let status = Status::of(&snapshot, mailbox.unclaimed_recent(), size);
        let selected = asked.selected.as_ref();
        let selected = selected.is_some_and(|selected| Arc::ptr_eq(selected, &mailbox));
        let answer = Answer {
            status,
            deleted_storage,
            selected,
        };
        Ok((answer, mailbox))
    }

    /// Mailboxes that were opened leave memory, once they are closed and it is noted what STATUS tells of them.
    async fn leave(self: Arc<Self>, opened: Vec<(MailboxName, Arc<Mailbox>)>) {
        let held = opened.iter().map(|(_, mailbox)| Arc::clone(mailbox));
        together(held.collect(), |mailbox| async move {
            if let Err(fault) = mailbox.close().await {
                tracing::debug!(%fault, "closing a mailbox");
            }
        })
        .await;
        tokio::time::sleep(SETTLE).await;
        together(opened, |(name, mailbox)| {
            let user = Arc::clone(&self);
            async move { user.let_go(&name, mailbox).await }
        })
        .await;
    }
}

impl Survey {
    /// STATUS of some of them, in their order.
    pub async fn of(&mut self, names: &[MailboxName]) -> Result<Vec<Result<Answer, Fault>>, Fault> {
        let known = self.user.known(names.to_vec(), &self.asked).await?;
        let mut answers: HashMap<usize, Result<Answer, Fault>> = HashMap::new();
        let (mut running, mut opened) = (JoinSet::new(), Vec::new());
        let mut note = |answers: &mut HashMap<_, _>, examined: Examined| {
            let Examined {
                at,
                name,
                found,
                was_open,
            } = examined;
            let answer = found.map(|(answer, mailbox)| {
                if !was_open && leaves(&mailbox) {
                    opened.push((name, mailbox));
                }
                answer
            });
            answers.insert(at, answer);
        };
        for (at, (name, known)) in names.iter().zip(known).enumerate() {
            let was_open = match known {
                Known::Noted(status) => {
                    answers.insert(at, Ok(Answer::noted(status)));
                    continue;
                }
                Known::Open => true,
                Known::Unknown => false,
            };
            if running.len() >= AT_ONCE
                && let Some(Ok(examined)) = running.join_next().await
            {
                note(&mut answers, examined);
            }
            let (user, name, asked) = (Arc::clone(&self.user), name.clone(), self.asked.clone());
            running.spawn(async move {
                let found = user.examine(&name, &asked).await;
                Examined {
                    at,
                    name,
                    found,
                    was_open,
                }
            });
        }
        while let Some(joined) = running.join_next().await {
            if let Ok(examined) = joined {
                note(&mut answers, examined);
            }
        }
        if !opened.is_empty() {
            // What is open at once has a bound; a few that have changed are not waited for.
            if self.held.saturating_add(opened.len()) > HELD_MAX {
                self.end().await;
            }
            self.held = self.held.saturating_add(opened.len());
            let leaving = Arc::clone(&self.user).leave(opened);
            self.leaving.push(tokio::spawn(leaving));
        }
        let panicked = || {
            Err(Fault::Io(
                "STATUS".into(),
                Arc::new(io::Error::other("panicked")),
            ))
        };
        let answer = |at| answers.remove(&at).unwrap_or_else(panicked);
        Ok((0..names.len()).map(answer).collect())
    }
}

impl Survey {
    /// Waits until those that were opened so far have left memory.
    pub async fn end(&mut self) {
        for leaving in self.leaving.drain(..) {
            let _ = leaving.await;
        }
        self.held = 0;
    }
}

/// What came of opening one mailbox.
struct Examined {
    /// Its place among the names.
    at: usize,
    name: MailboxName,
    found: Result<(Answer, Arc<Mailbox>), Fault>,
    /// Somebody else uses it.
    was_open: bool,
}

/// Whether a mailbox leaves memory: opening it again costs little, and tells all that is known now.
fn leaves(mailbox: &Mailbox) -> bool {
    let snapshot = mailbox.snapshot();
    snapshot.len() < WORTH_KEEPING && mailbox.unclaimed_recent() == snapshot.in_new()
}

impl Answer {
    fn noted(status: Status) -> Answer {
        let selected = false; // that one is open
        Answer {
            status,
            deleted_storage: 0,
            selected,
        }
    }
}

impl Status {
    /// Those of a state.
    fn of(snapshot: &Snapshot, recent: usize, size: Option<u64>) -> Status {
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Status {
            id: snapshot.id.clone(),
            uid_validity: snapshot.uid_validity,
            uid_next: snapshot.uid_next,
            messages: count(snapshot.len()),
            recent: count(recent),
            unseen: count(snapshot.unseen()),
            deleted: count(snapshot.deleted()),
            size,
            modseq: snapshot.keeps_modseqs().then_some(snapshot.modseq),
        }
    }
}

impl Mailbox {
    /// Notes what STATUS tells, if it is sure that whoever opens the mailbox later, and finds all as it is now, would tell
    /// the same. Nothing depends on it.
    pub(super) async fn note_status(self: &Arc<Self>) {
        self.note_status_at(SystemTime::now).await;
    }

    /// The same, when it is `now`.
    pub(super) async fn note_status_at(
        self: &Arc<Self>,
        now: impl Fn() -> SystemTime + Send + 'static,
    ) {
        let mailbox = Arc::clone(self);
        let noted = async {
            let disk = self.enter_queue().await?;
            blocking("noting what STATUS tells", move || {
                mailbox.try_note_status(&disk, now())
            })
            .await?
        };
        match noted.await {
            Ok(()) | Err(Fault::Ended) => {}
            Err(fault) => {
                let mailbox = self.folder().path().display();
                tracing::debug!(%mailbox, %fault, "what STATUS tells is not noted");
            }
        }
    }

    fn try_note_status(&self, disk: &Disk, now: SystemTime) -> Result<(), Fault> {
        let snapshot = self.snapshot();
        let doing = "noting what STATUS tells";
        let site = (self.folder().site()).map_err(|error| Fault::from_io(doing, error))?;
        let Some(site) = site else { return Ok(()) };
        let marks = status::marks(&site).map_err(|error| Fault::from_io(doing, error))?;
        let Some(marks) = marks else { return Ok(()) };
        if !marks.are_settled(now) || !self.is_all_told(disk, &snapshot, &marks) {
            return Ok(());
        }
        let mut sizes = snapshot.iter().map(|message| message.virtual_size());
        let size = sizes.try_fold(0_u64, |all, size| Some(all.saturating_add(size?)));
        // Who opens it finds those recent that lie in new/.
        let status = Status::of(&snapshot, snapshot.in_new(), size);
        status::note(&site, &marks, &status).map_err(|error| Fault::from_io(doing, error))
    }

    /// Whether the picture is that of the disk, all that others and we did is on it, and nothing is owed.
    fn is_all_told(&self, disk: &Disk, snapshot: &Snapshot, marks: &Marks) -> bool {
        let last = Uid::new(snapshot.uid_next.get() - 1).unwrap_or(snapshot.uid_next);
        disk.opened
            && snapshot.keeps_modseqs()
            && disk.proven == Some(marks.subs.map(|mark| mark.stamp))
            && !disk.is_in_doubt()
            && !disk.unnumbered
            && !disk.rewrite
            && !disk.unwritten_keywords
            && disk.doubled.is_empty()
            && (disk.uidlist.as_ref()).is_some_and(|list| list.is_as(&marks.uidlist.stamp))
            && !disk.given.is_open()
            && disk.given.heard.is_empty()
            && !disk.given.has_news(&disk.folder)
            && !self.durability().has_doubt()
            && self.durability().is_safe(last)
    }
}
