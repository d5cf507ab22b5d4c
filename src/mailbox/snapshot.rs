//! A mailbox at one moment: immutable, shared by all who look at it.
//!
//! Messages lie in chunks by rising UID. A change copies the chunks it touches and shares the rest, so
//! a new state of a large mailbox is made, and compared with the one before, at the cost of the change.

mod message;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::imap::flag::{Keyword, SystemFlag};
use crate::imap::objectid::ObjectId;
use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::index::vanished::Vanished;
use crate::mailbox::names::KeywordNames;
pub use crate::mailbox::snapshot::message::{Message, thread_of};
use crate::spool::folder::Sub;

/// Messages in a chunk at the most: small enough to copy for one flag, large enough that a mailbox of
/// 100,000 messages has a few hundred.
const CHUNK: usize = 256;

type Chunk = Vec<Arc<Message>>;

/// A mailbox at one moment: its messages by rising UID.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// MAILBOXID (RFC 8474 §4).
    pub id: ObjectId,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// The highest mod-sequence given.
    pub modseq: ModSeq,
    /// All mod-sequences are kept: whoever changes something later gives a higher one, whatever happens.
    pub(super) kept: bool,
    /// UIDs that are not there any more.
    pub(super) vanished: Arc<Vanished>,
    /// The names of its keywords.
    pub keywords: Arc<KeywordNames>,
    /// Set in a mailbox's last state: it was deleted, or its UIDs are no longer those told.
    pub(super) ended: bool,
    chunks: Vec<Arc<Chunk>>,
    /// Position of each chunk's first message.
    starts: Vec<usize>,
    len: usize,
    /// How many lie in `new/`.
    in_new: usize,
}

/// A difference between two states, as [`Snapshot::compare`] finds it.
pub(super) enum Difference<'s> {
    /// In the old state only.
    Removed(&'s Arc<Message>),
    /// In both, not the same value.
    Changed(&'s Arc<Message>, &'s Arc<Message>),
    /// In the new state only.
    Added(&'s Arc<Message>),
}

impl Snapshot {
    /// A state without messages.
    pub(super) fn empty(
        id: ObjectId,
        uid_validity: UidValidity,
        uid_next: Uid,
        keywords: Arc<KeywordNames>,
    ) -> Snapshot {
        Snapshot {
            id,
            uid_validity,
            uid_next,
            modseq: ModSeq(1),
            kept: false,
            vanished: Arc::new(Vanished::new(ModSeq(1))),
            keywords,
            ended: false,
            chunks: Vec::new(),
            starts: Vec::new(),
            len: 0,
            in_new: 0,
        }
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The message at a position from 0.
    pub fn get(&self, index: usize) -> Option<&Arc<Message>> {
        let chunk = self
            .starts
            .partition_point(|&start| start <= index)
            .checked_sub(1)?;
        self.chunks.get(chunk)?.get(index - self.starts.get(chunk)?)
    }

    /// How many messages have a UID below this one: the position it has or would have.
    pub(super) fn rank(&self, uid: Uid) -> usize {
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first().is_some_and(|first| first.uid <= uid));
        let Some(at) = after.checked_sub(1) else {
            return 0;
        };
        match (self.chunks.get(at), self.starts.get(at)) {
            (Some(chunk), Some(start)) => {
                start + chunk.partition_point(|message| message.uid < uid)
            }
            _ => 0,
        }
    }

    /// The position of a UID.
    pub fn position(&self, uid: Uid) -> Option<usize> {
        let rank = self.rank(uid);
        self.get(rank)
            .filter(|message| message.uid == uid)
            .map(|_| rank)
    }

    /// The message with a UID.
    pub fn find(&self, uid: Uid) -> Option<&Arc<Message>> {
        self.get(self.rank(uid))
            .filter(|message| message.uid == uid)
    }

    /// All messages, rising by UID.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// How many lie in `new/`.
    pub(super) fn in_new(&self) -> usize {
        self.in_new
    }

    /// How many lack `\Seen`.
    pub fn unseen(&self) -> usize {
        self.iter()
            .filter(|message| !message.flags.has(SystemFlag::Seen))
            .count()
    }

    /// How many have `\Deleted`.
    pub fn deleted(&self) -> usize {
        self.iter()
            .filter(|message| message.flags.has(SystemFlag::Deleted))
            .count()
    }

    /// The keywords of a message, those with letters first.
    pub fn keywords_of<'s>(
        &'s self,
        message: &'s Message,
    ) -> impl Iterator<Item = &'s Keyword> + use<'s> {
        self.keywords.named(&message.keywords)
    }

    /// What has happened from this state to `new`. Chunks that both share cost nothing.
    pub(super) fn compare<'s>(&'s self, new: &'s Snapshot, mut tell: impl FnMut(Difference<'s>)) {
        let (mut old_at, mut new_at) = (Cursor::default(), Cursor::default());
        loop {
            if old_at.message == 0
                && new_at.message == 0
                && let (Some(one), Some(other)) =
                    (self.chunks.get(old_at.chunk), new.chunks.get(new_at.chunk))
                && Arc::ptr_eq(one, other)
            {
                old_at.chunk += 1;
                new_at.chunk += 1;
                continue;
            }
            match (old_at.peek(self), new_at.peek(new)) {
                (None, None) => return,
                (Some(was), Some(is)) if was.uid == is.uid => {
                    if !Arc::ptr_eq(was, is) {
                        tell(Difference::Changed(was, is));
                    }
                    old_at.advance(self);
                    new_at.advance(new);
                }
                (Some(was), is) if is.is_none_or(|is| was.uid < is.uid) => {
                    tell(Difference::Removed(was));
                    old_at.advance(self);
                }
                (_, Some(is)) => {
                    tell(Difference::Added(is));
                    new_at.advance(new);
                }
                (Some(_), None) => return, // the arm with the guard has taken it
            }
        }
    }

    /// Whether anything a client could see or ask for is other than in `before`, or a file has another name.
    pub(super) fn differs_from(&self, before: &Snapshot) -> bool {
        let same_chunks = self.chunks.len() == before.chunks.len()
            && self
                .chunks
                .iter()
                .zip(&before.chunks)
                .all(|(one, other)| Arc::ptr_eq(one, other));
        !same_chunks
            || self.ended != before.ended
            || self.uid_next != before.uid_next
            || self.modseq != before.modseq
            || self.kept != before.kept
            || !Arc::ptr_eq(&self.vanished, &before.vanished)
            || !Arc::ptr_eq(&self.keywords, &before.keywords)
    }

    /// Adds a message whose UID is above all others.
    pub(super) fn push(&mut self, message: Message) {
        self.uid_next = self
            .uid_next
            .max(Uid::new(message.uid.get().saturating_add(1)).unwrap_or(message.uid));
        self.modseq = self.modseq.max(message.modseq);
        self.in_new += usize::from(message.sub == Sub::New);
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(Arc::new(message)),
            _ => {
                self.starts.push(self.len);
                self.chunks.push(Arc::new(vec![Arc::new(message)]));
            }
        }
        self.len += 1;
    }

    /// Puts a new value in the place of the message with the same UID.
    pub(super) fn replace(&mut self, message: Message) {
        self.modseq = self.modseq.max(message.modseq);
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first().is_some_and(|first| first.uid <= message.uid));
        let Some(chunk) = after.checked_sub(1).and_then(|at| self.chunks.get_mut(at)) else {
            return;
        };
        if let Ok(at) = chunk.binary_search_by_key(&message.uid, |held| held.uid)
            && let Some(place) = Arc::make_mut(chunk).get_mut(at)
        {
            self.in_new -= usize::from(place.sub == Sub::New);
            self.in_new += usize::from(message.sub == Sub::New);
            *place = Arc::new(message);
        }
    }

    /// Takes messages out; `modseq` is that of their going. Chunks that hold none of them cost nothing.
    pub(super) fn remove(&mut self, gone: &BTreeSet<Uid>, modseq: ModSeq) {
        if gone.is_empty() {
            return;
        }
        self.modseq = self.modseq.max(modseq);
        // From the end, so that a chunk left empty stands behind those still looked for.
        let mut rest = gone.iter().rev().peekable();
        while let Some(uid) = rest.next() {
            let after = self
                .chunks
                .partition_point(|chunk| chunk.first().is_some_and(|first| first.uid <= *uid));
            let Some(chunk) = after.checked_sub(1).and_then(|at| self.chunks.get_mut(at)) else {
                break;
            };
            let first = chunk.first().map(|first| first.uid);
            while rest.next_if(|uid| Some(**uid) >= first).is_some() {}
            if chunk.iter().any(|message| gone.contains(&message.uid)) {
                let in_new = &mut self.in_new;
                Arc::make_mut(chunk).retain(|message| {
                    let stays = !gone.contains(&message.uid);
                    *in_new -= usize::from(!stays && message.sub == Sub::New);
                    stays
                });
            }
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.len = 0;
        self.starts.clear();
        for chunk in &self.chunks {
            self.starts.push(self.len);
            self.len += chunk.len();
        }
    }
}

/// A place in a [`Snapshot`] while two are compared.
#[derive(Default)]
struct Cursor {
    chunk: usize,
    message: usize,
}

impl Cursor {
    fn peek<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<Message>> {
        snapshot.chunks.get(self.chunk)?.get(self.message)
    }

    fn advance(&mut self, snapshot: &Snapshot) {
        self.message += 1;
        if snapshot
            .chunks
            .get(self.chunk)
            .is_none_or(|chunk| self.message >= chunk.len())
        {
            *self = Cursor {
                chunk: self.chunk + 1,
                message: 0,
            };
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::mailbox::disk::Listed;
    use crate::spool::filename::FileName;
    use crate::spool::keyword_set::Extras;

    pub fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    pub fn message(number: u32, info: &str, modseq: u64) -> Message {
        let name = FileName::new(format!("{number}.M1P1.host:2,{info}").as_bytes()).unwrap();
        let listed = Listed {
            uid: uid(number),
            virtual_size: None,
            guid: None,
            saved: None,
        };
        Message::new(listed, Sub::Cur, name, Extras::default(), ModSeq(modseq))
    }

    pub fn snapshot(numbers: impl IntoIterator<Item = u32>) -> Snapshot {
        let mut made = Snapshot::empty(
            ObjectId::of('F', 1),
            UidValidity::new(1).unwrap(),
            uid(1),
            Arc::default(),
        );
        numbers
            .into_iter()
            .for_each(|number| made.push(message(number, "", 1)));
        made
    }

    #[test]
    fn positions_and_uids_agree_across_chunks() {
        let made = snapshot((1..=1000).map(|n| n * 2));
        assert_eq!(made.len(), 1000);
        assert_eq!(made.uid_next, uid(2001));
        for index in 0..1000 {
            let message = made.get(index).unwrap();
            assert_eq!(made.position(message.uid), Some(index));
        }
        assert_eq!(made.position(uid(3)), None);
        assert_eq!(made.rank(uid(3)), 1);
        assert_eq!(made.rank(uid(1)), 0);
        assert!(made.get(1000).is_none());
    }

    #[test]
    fn a_comparison_tells_removed_changed_and_added() {
        let old = snapshot(1..=600);
        let mut new = old.clone();
        new.remove(&[1, 300, 600, 700].map(uid).into(), ModSeq(2));
        new.replace(message(2, "S", 3));
        new.push(message(601, "", 4));
        let mut told = Vec::new();
        old.compare(&new, |difference| {
            told.push(match difference {
                Difference::Removed(message) => -i64::from(message.uid.get()),
                Difference::Changed(_, is) => i64::from(is.uid.get()),
                Difference::Added(_) => 10_000,
            });
        });
        assert_eq!(told, [-1, 2, -300, -600, 10_000]);
        assert_eq!(new.modseq, ModSeq(4));
        assert_eq!(new.len(), 598);
        assert_eq!(new.position(uid(301)), Some(298));
    }

    #[test]
    fn removing_all_leaves_an_empty_state_that_can_grow() {
        let mut made = snapshot(1..=800);
        made.remove(&(1..=800).map(uid).collect(), ModSeq(2));
        assert!(made.is_empty());
        made.push(message(801, "", 3));
        assert_eq!(made.position(uid(801)), Some(0));
    }
}
