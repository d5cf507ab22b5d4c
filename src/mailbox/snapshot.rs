//! A mailbox at one moment: immutable, shared by all who look at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::imap::flag::{Keyword, SystemFlags};
use crate::imap::sequence::{ModSeq, Uid, UidValidity};
use crate::spool::filename::{FileName, Letters};
use crate::spool::folder::Sub;
use crate::spool::keywords::Keywords;

/// One message of a [`Snapshot`].
#[derive(Debug)]
pub struct Message {
    /// Its UID.
    pub uid: Uid,
    /// System flags.
    pub flags: SystemFlags,
    /// Keywords, by the letters of this mailbox.
    pub letters: Letters,
    /// When it or its flags changed last.
    pub modseq: ModSeq,
    /// Which directory its file was in.
    pub sub: Sub,
    /// Its file's name then. A name is a guess: others may rename at any time.
    pub name: Arc<FileName>,
    /// RFC822.SIZE once somebody knows it, else `u64::MAX`.
    virtual_size: AtomicU64,
}

impl Message {
    /// RFC822.SIZE, if it is known without reading the file.
    pub fn virtual_size(&self) -> Option<u64> {
        match self.virtual_size.load(Ordering::Relaxed) {
            u64::MAX => None,
            size => Some(size),
        }
    }

    /// Notes RFC822.SIZE for all who share this message.
    pub fn note_virtual_size(&self, size: u64) {
        self.virtual_size.store(size, Ordering::Relaxed);
    }
}

/// A mailbox at one moment: its messages by rising UID.
#[derive(Debug)]
pub struct Snapshot {
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// The highest mod-sequence given.
    pub modseq: ModSeq,
    /// The names of its keyword letters.
    pub keywords: Arc<Keywords>,
    _private: (),
}

impl Snapshot {
    /// How many messages.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message at a position from 0.
    pub fn get(&self, index: usize) -> Option<&Arc<Message>> {
        let _ = index;
        todo!()
    }

    /// The position of a UID.
    pub fn position(&self, uid: Uid) -> Option<usize> {
        let _ = uid;
        todo!()
    }

    /// The message with a UID.
    pub fn find(&self, uid: Uid) -> Option<&Arc<Message>> {
        self.get(self.position(uid)?)
    }

    /// All messages, rising by UID.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Message>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// How many lack `\Seen`.
    pub fn unseen(&self) -> usize {
        todo!()
    }

    /// The keywords of a message, in letter order.
    pub fn keywords_of(&self, message: &Message) -> impl Iterator<Item = &Keyword> {
        self.keywords.named(message.letters)
    }
}
