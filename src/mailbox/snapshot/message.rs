//! One message of a [`Snapshot`](crate::mailbox::snapshot::Snapshot).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::imap::flag::SystemFlags;
use crate::imap::objectid::ObjectId;
use crate::imap::sequence::{ModSeq, Uid};
use crate::mailbox::disk::Listed;
use crate::mailbox::transfer::{guid_field, saved_field};
use crate::spool::filename::FileName;
use crate::spool::folder::Sub;
use crate::spool::keyword_set::{Extras, KeywordSet};
use crate::spool::uidlist::{self, Fields};

/// A message as it was at one moment.
#[derive(Debug)]
pub struct Message {
    /// Its UID.
    pub uid: Uid,
    /// System flags.
    pub flags: SystemFlags,
    /// Keywords, by the letters and numbers of this mailbox.
    pub keywords: KeywordSet,
    /// When it or its flags changed last.
    pub modseq: ModSeq,
    /// Which directory its file was in.
    pub sub: Sub,
    /// Its file's name then. A name is a guess: others may rename at any time.
    pub name: Arc<FileName>,
    /// RFC822.SIZE once somebody knows it, else `u64::MAX`.
    virtual_size: AtomicU64,
    /// The GUID that the uidlist has for it, where it is not the base name.
    guid: Option<Arc<[u8]>>,
    /// When it came, where its base name tells another time.
    saved: Option<u32>,
}

impl Message {
    /// A message as a file name shows it, with what the uidlist and `culver.keywords` add to that.
    pub(in crate::mailbox) fn new(
        listed: Listed,
        sub: Sub,
        name: FileName,
        extras: Extras,
        modseq: ModSeq,
    ) -> Message {
        let (flags, letters) = name.flags();
        let size = name.virtual_size().or(listed.virtual_size);
        Message {
            uid: listed.uid,
            guid: listed.guid,
            saved: listed.saved,
            flags,
            keywords: KeywordSet { letters, extras },
            modseq,
            sub,
            name: Arc::new(name),
            virtual_size: AtomicU64::new(size.unwrap_or(u64::MAX)),
        }
    }

    /// The same message under another name, and so perhaps with other flags.
    pub(in crate::mailbox) fn renamed(&self, sub: Sub, name: FileName, modseq: ModSeq) -> Message {
        let (flags, letters) = name.flags();
        let modseq = if (flags, letters) == (self.flags, self.keywords.letters) {
            self.modseq
        } else {
            modseq
        };
        let extras = self.keywords.extras.clone();
        Message {
            flags,
            keywords: KeywordSet { letters, extras },
            sub,
            name: Arc::new(name),
            ..self.at(modseq)
        }
    }

    /// The same message with other keywords of those that have no letter.
    pub(in crate::mailbox) fn with_extras(&self, extras: Extras, modseq: ModSeq) -> Message {
        let letters = self.keywords.letters;
        Message {
            keywords: KeywordSet { letters, extras },
            ..self.at(modseq)
        }
    }

    /// The same message with another mod-sequence.
    pub(in crate::mailbox) fn at(&self, modseq: ModSeq) -> Message {
        Message {
            uid: self.uid,
            flags: self.flags,
            keywords: self.keywords.clone(),
            modseq,
            sub: self.sub,
            name: Arc::clone(&self.name),
            virtual_size: AtomicU64::new(self.virtual_size.load(Ordering::Relaxed)),
            guid: self.guid.clone(),
            saved: self.saved,
        }
    }

    /// SAVEDATE (RFC 8514 §3): when it came into this mailbox, in seconds since 1970. `None` where neither the uidlist nor
    /// the file's name tells.
    pub fn saved(&self) -> Option<i64> {
        let saved = self.saved.or_else(|| self.name.placed());
        saved.map(i64::from)
    }

    /// What of it the uidlist's record keeps, besides the UID and the base name.
    pub(in crate::mailbox) fn fields(&self) -> Fields {
        let guid = self.listed_guid().map(guid_field);
        guid.into_iter()
            .chain(self.saved.map(saved_field))
            .collect()
    }

    /// The GUID that the uidlist has for it, where it is not the base name.
    pub(in crate::mailbox) fn listed_guid(&self) -> Option<&[u8]> {
        self.guid.as_deref()
    }

    /// EMAILID (RFC 8474 §5.1): the same for all copies of the message, in whatever mailbox.
    pub fn email_id(&self) -> ObjectId {
        let guid = self.guid.as_deref().unwrap_or(self.name.base());
        ObjectId::of('M', uidlist::guid_number(guid))
    }

    /// THREADID (RFC 8474 §5.2): the same for all messages whose headers name the same first one, whatever mailbox they
    /// are in; `first` is its Message-ID. A message that names none is a thread of its own.
    pub fn thread_id(&self, first: Option<&[u8]>) -> ObjectId {
        thread_of(first.unwrap_or_else(|| self.guid.as_deref().unwrap_or(self.name.base())))
    }

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

    /// Whether a client would see the same flags.
    pub(in crate::mailbox) fn same_flags(&self, other: &Message) -> bool {
        self.flags == other.flags && self.keywords == other.keywords
    }
}

/// THREADID of the thread that begins with the message of this Message-ID.
pub fn thread_of(first: &[u8]) -> ObjectId {
    ObjectId::of('T', uidlist::guid_number(first))
}
