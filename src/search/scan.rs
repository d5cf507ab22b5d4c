//! Running a query: what the client's picture decides is decided at once, the rest on the pool of threads that
//! read the files.

use std::cell::RefCell;
use std::sync::Arc;

use tracing::warn;

use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::Picked;
use crate::search::examine::{Scratch, examine};
use crate::search::pool::{Progress, spread};
use crate::search::query::{Picture, Query};

/// Messages decided by memory between two looks at what else the session's thread has to do.
const BREATH: usize = 4096;

/// Which of the messages that match are to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every one.
    All,
    /// The one with the lowest UID.
    First,
    /// The one with the highest.
    Last,
    /// These two, which may be the same.
    Ends,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// UIDs of the messages that match, as far as they were wanted.
    pub uids: NumberSet,
    /// Some messages could not be looked at because they are gone: `OK [EXPUNGEISSUED]` (RFC 5530).
    pub expunged: bool,
    /// UIDs of messages that are there and could not be read: whether they match is not known.
    pub unreadable: Vec<Uid>,
}

/// Finds which of `picked`, in rising order, match. `last` is the highest sequence number and UID of the
/// client's picture. No more is looked at than it takes to find what is `wanted`.
///
/// A message that is gone matches by what memory knows of it, or not at all. One that cannot be read is
/// logged and named. Stopped through `progress`, it fails with [`io::ErrorKind::Interrupted`]; dropping
/// the future stops it as well.
pub async fn run(
    mailbox: Arc<Mailbox>,
    mut picked: Vec<Picked>,
    snapshot: Arc<Snapshot>,
    last: (u32, u32),
    query: Query,
    wanted: Wanted,
    progress: Progress,
) -> Result<Found, Fault> {
    let picture = query.picture(last, &snapshot);
    let search = Arc::new(Search {
        mailbox,
        query,
        picture,
        progress,
    });
    let (mut uids, mut found) = (Vec::new(), Found::default());
    let forward = match wanted {
        Wanted::All | Wanted::First => std::mem::take(&mut picked),
        Wanted::Ends => picked.clone(),
        Wanted::Last => Vec::new(),
    };
    let only_first = wanted != Wanted::All;
    look_through(&search, forward, only_first, &mut uids, &mut found).await?;
    // What is left is looked through from its end, down to the first that was found.
    match uids.first() {
        Some(first) => picked.retain(|picked| picked.message.uid.get() > *first),
        None if wanted == Wanted::Ends => picked.clear(),
        None => {}
    }
    picked.reverse();
    look_through(&search, picked, true, &mut uids, &mut found).await?;
    found.uids = uids.into_iter().collect();
    found.unreadable.sort_unstable();
    found.unreadable.dedup();
    Ok(found)
}

/// Adds the UIDs of those that match, or of the first of them alone, to `uids`; in `found` it notes those that
/// might have matched, but are gone or cannot be read.
async fn look_through(
    search: &Arc<Search>,
    picked: Vec<Picked>,
    only_first: bool,
    uids: &mut Vec<u32>,
    found: &mut Found,
) -> Result<(), Fault> {
    let mut undecided = Vec::new();
    // The first that memory knows of. One that the files have to decide may precede it.
    let mut known_first = None;
    for (count, message) in picked.into_iter().enumerate() {
        if count % BREATH == BREATH - 1 {
            tokio::task::yield_now().await;
        }
        let uid = message.message.uid.get();
        let verdict = search
            .query
            .decide(|test| search.picture.answer(test, &message));
        if verdict.is_some() {
            search.progress.add(1);
        }
        match verdict {
            Some(true) if only_first => {
                known_first = Some(uid);
                break;
            }
            Some(true) => uids.push(uid),
            Some(false) => {}
            None if message.gone => found.expunged = true,
            None => undecided.push(message),
        }
    }
    let enough = |outcome: &Outcome| only_first && matches!(outcome, Outcome::Match);
    let looking = Arc::clone(search);
    let look = move |message: &Picked| looking.look(message);
    let looked = spread(undecided, search.progress.clone(), enough, look).await?;
    for (message, outcome) in looked {
        match outcome {
            Outcome::Match => {
                uids.push(message.message.uid.get());
                if only_first {
                    return Ok(());
                }
            }
            Outcome::NoMatch => {}
            Outcome::Gone => found.expunged = true,
            Outcome::Unreadable => found.unreadable.push(message.message.uid),
        }
    }
    uids.extend(known_first);
    Ok(())
}

/// One search, as the threads of the pool share it.
struct Search {
    mailbox: Arc<Mailbox>,
    query: Query,
    picture: Picture,
    progress: Progress,
}

/// What looking at a message's file brought.
enum Outcome {
    Match,
    NoMatch,
    Gone,
    Unreadable,
}

impl Search {
    fn look(&self, picked: &Picked) -> Outcome {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let message = &picked.message;
        let file = match self.mailbox.open(message) {
            Ok(file) => file,
            Err(Fault::Expunged) => return Outcome::Gone,
            Err(fault) => {
                warn!(uid = message.uid.get(), %fault, "SEARCH cannot open a message");
                return Outcome::Unreadable;
            }
        };
        let answers = (0..self.query.tests().len())
            .map(|test| self.picture.answer(test, picked))
            .collect();
        let note_size = |size| message.note_virtual_size(size);
        let note_size: Option<&dyn Fn(u64)> = match message.virtual_size() {
            Some(_) => None,
            None => Some(&note_size),
        };
        let matches = SCRATCH.with_borrow_mut(|scratch| {
            examine(
                &self.query,
                answers,
                &file,
                scratch,
                &self.progress,
                note_size,
            )
        });
        match matches {
            Ok(true) => Outcome::Match,
            Ok(false) => Outcome::NoMatch,
            Err(error) => {
                warn!(uid = message.uid.get(), %error, "SEARCH cannot read a message");
                Outcome::Unreadable
            }
        }
    }
}
