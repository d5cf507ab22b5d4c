//! SORT and THREAD over what a search found: each message's header is read on the pool, then all are put in order
//! there. Where texts begin alike for long, SORT reads them again.

use std::collections::HashMap;
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
use crate::search::key::{self, Alike, Key};
use crate::search::order::{self, Known, Value};
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
            Some(file) => order::values(file, &by, known),
            None => order::values(&[][..], &by, known),
        }
    };
    let mut reader = Reader::new(mailbox, progress);
    let mut rows = reader.read(messages, needs, read).await?;
    for (column, criterion) in criteria.iter().enumerate() {
        rows = reader.tell_apart(rows, column, criterion.key).await?;
    }
    let (rows, in_order) = on_pool(rows, move |rows: &Vec<Row>| {
        let mut sorted: Vec<_> = rows.iter().zip(0..).collect();
        sorted.sort_by(|((_, one), _), ((_, other), _)| order::compare(&criteria, one, other));
        sorted.into_iter().map(|(_, at)| at).collect::<Vec<usize>>()
    })
    .await?;
    let uid = |at: usize| rows.get(at).map(|(message, _)| message.uid);
    reader.ranked.uids = in_order.into_iter().filter_map(uid).collect();
    Ok(reader.ranked)
}

/// Threads messages, which come in the mailbox's order. Dropping the future stops the reading.
pub async fn thread(
    mailbox: Arc<Mailbox>,
    messages: Vec<Arc<Message>>,
    algorithm: ThreadAlgorithm,
    progress: Progress,
) -> Result<Ranked, Fault> {
    let read = move |file: Option<&File>, _: &Message, arrival| match file {
        Some(file) => order::threaded(file, arrival),
        None => order::threaded(&[][..], arrival),
    };
    let mut reader = Reader::new(mailbox, progress);
    let read = reader.read(messages, |_| true, read).await?;
    let (messages, threaded): (Vec<Arc<Message>>, Vec<_>) = read.into_iter().unzip();
    let (_, forest) = on_pool(threaded, move |messages: &Vec<_>| match algorithm {
        ThreadAlgorithm::OrderedSubject => thread::ordered_subject(messages),
        ThreadAlgorithm::References => thread::references(messages, true),
        ThreadAlgorithm::Refs => thread::references(messages, false),
    })
    .await?;
    reader.ranked.uids = messages.iter().map(|message| message.uid).collect();
    reader.ranked.forest = forest;
    Ok(reader.ranked)
}

/// A message and its values for the criteria of a SORT.
type Row = (Arc<Message>, Vec<Value>);

/// Reads messages, and keeps what came of those that cannot be read.
struct Reader {
    mailbox: Arc<Mailbox>,
    progress: Progress,
    ranked: Ranked,
}

impl Reader {
    fn new(mailbox: Arc<Mailbox>, progress: Progress) -> Reader {
        Reader {
            mailbox,
            progress,
            ranked: Ranked::default(),
        }
    }

    /// Reads something from each message's INTERNALDATE, and from its file where it `needs` that.
    async fn read<T: Send + 'static>(
        &mut self,
        messages: Vec<Arc<Message>>,
        needs: impl Fn(&Message) -> bool + Send + Sync + 'static,
        read: impl Fn(Option<&File>, &Message, i64) -> io::Result<T> + Send + Sync + 'static,
    ) -> Result<Vec<(Arc<Message>, T)>, Fault> {
        let mailbox = Arc::clone(&self.mailbox);
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
        let looked = spread(messages, self.progress.clone(), |_| false, look).await?;
        let mut values = Vec::with_capacity(looked.len());
        for (message, outcome) in looked {
            match outcome {
                Outcome::Read(value) => values.push((message, value)),
                Outcome::Gone => self.ranked.expunged = true,
                Outcome::Unreadable => self.ranked.unreadable.push(message.uid),
            }
        }
        Ok(values)
    }

    /// Reads the texts of one criterion again until the keys tell all apart that are not the same.
    async fn tell_apart(
        &mut self,
        mut rows: Vec<Row>,
        column: usize,
        key: SortKey,
    ) -> Result<Vec<Row>, Fault> {
        while rows
            .iter()
            .filter_map(|row| text_key(row, column))
            .any(Key::is_cut)
        {
            let keys = move |rows: &Vec<Row>| {
                key::alike(rows.iter().filter_map(|row| text_key(row, column)))
            };
            let (back, Alike { ranks, groups }) = on_pool(rows, keys).await?;
            rows = back;
            for ((_, values), rank) in rows.iter_mut().zip(&ranks) {
                put(values, column, Key::of_rank(*rank));
            }
            for group in groups {
                let message = |at: &usize| rows.get(*at).map(|(message, _)| Arc::clone(message));
                let messages = group.iter().filter_map(message).collect();
                let rank = group.first().and_then(|at| ranks.get(*at));
                let mut keys = self.beside(messages, key, *rank.unwrap_or(&0)).await?;
                for at in group {
                    if let Some((message, values)) = rows.get_mut(at) {
                        match keys.remove(&message.uid) {
                            Some(key) => put(values, column, key),
                            None => values.clear(),
                        }
                    }
                }
            }
            rows.retain(|(_, values)| !values.is_empty());
        }
        Ok(rows)
    }

    /// The keys of texts of one rank, by the first that can be read.
    async fn beside(
        &mut self,
        messages: Vec<Arc<Message>>,
        key: SortKey,
        rank: usize,
    ) -> Result<HashMap<Uid, Key>, Fault> {
        let text = move |file: Option<&File>| match file {
            Some(file) => order::text(file, key),
            None => Ok(Vec::new()),
        };
        let mut rest = messages.into_iter();
        while let Some(message) = rest.next() {
            let whole = move |file: Option<&File>, _: &Message, _| text(file);
            let Some((message, pivot)) = self.read(vec![message], |_| true, whole).await?.pop()
            else {
                continue;
            };
            let key = move |file: Option<&File>, _: &Message, _| {
                Ok(Key::beside(rank, &text(file)?, &pivot))
            };
            let others = self.read(rest.collect(), |_| true, key).await?;
            let others = others.into_iter().map(|(message, key)| (message.uid, key));
            return Ok(others.chain([(message.uid, Key::of_rank(rank))]).collect());
        }
        Ok(HashMap::new())
    }
}

/// What looking at a message's file brought.
enum Outcome<T> {
    Read(T),
    Gone,
    Unreadable,
}

fn text_key((_, values): &Row, column: usize) -> Option<&Key> {
    match values.get(column)? {
        Value::Text(key) => Some(key),
        Value::Number(_) => None,
    }
}

fn put(values: &mut [Value], column: usize, key: Key) {
    if let Some(value) = values.get_mut(column) {
        *value = Value::Text(key);
    }
}

/// Does one piece of work on the pool: a worker thread of the sessions is no place for it.
async fn on_pool<T: Send + Default + 'static, R: Send + Default + 'static>(
    of: T,
    work: impl Fn(&T) -> R + Send + Sync + 'static,
) -> Result<(T, R), Fault> {
    let done = spread(vec![of], Progress::new(), |_| false, work).await?;
    Ok(done.into_iter().next().unwrap_or_default())
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
