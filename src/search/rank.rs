//! SORT and THREAD over what a search found: each message's header is read on the pool, then all are put in order
//! there.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tracing::warn;

use crate::imap::search::{SortCriterion, SortKey, ThreadAlgorithm};
use crate::imap::sequence::Uid;
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Message;
use crate::message::{Source, crlf};
use crate::search::order::{self, Known};
use crate::search::pool::{Progress, spread};
use crate::search::thread::{self, Forest};

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Ranked {
    /// UIDs: of SORT in its order, of THREAD as the forest's indices name them.
    pub uids: Vec<Uid>,
    /// THREAD's.
    pub forest: Forest,
    /// Some messages are left out because they are gone (`OK [EXPUNGEISSUED]`, RFC 5530).
    pub expunged: bool,
    /// UIDs of those that are left out because they cannot be read.
    pub unreadable: Vec<Uid>,
}

/// Sorts messages, which come in the mailbox's order. Dropping the future stops the reading.
pub async fn sort(
    mailbox: Arc<Mailbox>,
    messages: Vec<Arc<Message>>,
    mut criteria: Vec<SortCriterion>,
    progress: Progress,
) -> Result<Ranked, Fault> {
    // A key that comes again decides nothing.
    let mut keys = Vec::new();
    criteria.retain(|criterion| {
        let first = !keys.contains(&criterion.key);
        keys.push(criterion.key);
        first
    });
    let criteria = Arc::new(criteria);
    let by = Arc::clone(&criteria);
    let sizes = by.iter().any(|criterion| criterion.key == SortKey::Size);
    let key_max = order::key_max(messages.len());
    let header = order::needs_header(&criteria);
    let needs = move |message: &Message| header || sizes && message.virtual_size().is_none();
    let read = move |file: Option<&File>, message: &Message, arrival| {
        let measured = file.filter(|_| sizes).map(|file| size(file, message));
        let size = measured
            .transpose()?
            .or(message.virtual_size())
            .unwrap_or(0);
        let known = Known { arrival, size };
        match file.filter(|_| header) {
            Some(file) => order::values(file, &by, known, key_max),
            None => order::values(&[][..], &by, known, key_max),
        }
    };
    let (read, mut ranked) = read_all(mailbox, messages, needs, read, progress).await?;
    let in_order = on_pool(read, move |read| {
        let mut sorted: Vec<_> = read.iter().collect();
        sorted.sort_by(|(_, one), (_, other)| order::compare(&criteria, one, other));
        sorted.into_iter().map(|(uid, _)| *uid).collect()
    });
    ranked.uids = in_order.await?;
    Ok(ranked)
}

/// Threads messages, which come in the mailbox's order. Dropping the future stops the reading.
pub async fn thread(
    mailbox: Arc<Mailbox>,
    messages: Vec<Arc<Message>>,
    algorithm: ThreadAlgorithm,
    progress: Progress,
) -> Result<Ranked, Fault> {
    let key_max = order::key_max(messages.len());
    let read = move |file: Option<&File>, _: &Message, arrival| match file {
        Some(file) => order::threaded(file, arrival, key_max),
        None => order::threaded(&[][..], arrival, key_max),
    };
    let (read, mut ranked) = read_all(mailbox, messages, |_| true, read, progress).await?;
    let (uids, messages): (Vec<Uid>, Vec<_>) = read.into_iter().unzip();
    ranked.uids = uids;
    ranked.forest = on_pool(messages, move |messages| match algorithm {
        ThreadAlgorithm::OrderedSubject => thread::ordered_subject(messages),
        ThreadAlgorithm::References => thread::references(messages, true),
        ThreadAlgorithm::Refs => thread::references(messages, false),
    })
    .await?;
    Ok(ranked)
}

/// What looking at a message's file brought.
enum Outcome<T> {
    Read(T),
    Gone,
    Unreadable,
}

/// Reads something from each message's INTERNALDATE, and from its file where it `needs` that.
async fn read_all<T: Send + 'static>(
    mailbox: Arc<Mailbox>,
    messages: Vec<Arc<Message>>,
    needs: impl Fn(&Message) -> bool + Send + Sync + 'static,
    read: impl Fn(Option<&File>, &Message, i64) -> io::Result<T> + Send + Sync + 'static,
    progress: Progress,
) -> Result<(Vec<(Uid, T)>, Ranked), Fault> {
    let look = move |message: &Arc<Message>| {
        let file = needs(message).then(|| mailbox.open(message)).transpose();
        let opened = file.and_then(|file| Ok((file, mailbox.internal_date(message)?)));
        let (file, arrival) = match opened {
            Ok(opened) => opened,
            Err(Fault::Expunged) => return Outcome::Gone,
            Err(fault) => {
                warn!(uid = message.uid.get(), %fault, "a message to be sorted cannot be opened");
                return Outcome::Unreadable;
            }
        };
        match read(file.as_ref(), message, arrival) {
            Ok(value) => Outcome::Read(value),
            Err(error) => {
                warn!(uid = message.uid.get(), %error, "a message to be sorted cannot be read");
                Outcome::Unreadable
            }
        }
    };
    let looked = spread(messages, progress, |_| false, look).await?;
    let (mut values, mut ranked) = (Vec::with_capacity(looked.len()), Ranked::default());
    for (message, outcome) in looked {
        match outcome {
            Outcome::Read(value) => values.push((message.uid, value)),
            Outcome::Gone => ranked.expunged = true,
            Outcome::Unreadable => ranked.unreadable.push(message.uid),
        }
    }
    Ok((values, ranked))
}

/// Does one piece of work on the pool: a worker thread of the sessions is no place for it.
async fn on_pool<T: Send + 'static, R: Send + Default + 'static>(
    of: T,
    work: impl Fn(&T) -> R + Send + Sync + 'static,
) -> Result<R, Fault> {
    let done = spread(vec![of], Progress::new(), |_| false, work).await?;
    Ok(done
        .into_iter()
        .next()
        .map(|(_, result)| result)
        .unwrap_or_default())
}

/// RFC822.SIZE, which is nearly always known.
fn size(file: &File, message: &Message) -> io::Result<u64> {
    if let Some(size) = message.virtual_size() {
        return Ok(size);
    }
    let size = crlf::virtual_size(file, 0..Source::len(file)?)?;
    message.note_virtual_size(size);
    Ok(size)
}
