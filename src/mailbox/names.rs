//! What a mailbox's keywords are called: those with letters, by `dovecot-keywords`, and the others, by
//! `culver.keywords`.
//!
//! A keyword keeps what it got first. Where the tables were tampered with, one name may stand in both: then it is one
//! keyword all the same, which a message has that has either.

use std::sync::Arc;

use crate::imap::flag::Keyword;
use crate::mailbox::fault::Fault;
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;
use crate::spool::extra_keywords::{Change, ExtraNames};
use crate::spool::filename::Letters;
use crate::spool::keyword_set::Extras;
pub use crate::spool::keyword_set::KeywordSet;
use crate::spool::keywords::Keywords;

/// Both tables, as last read or written.
#[derive(Clone, Debug, Default)]
pub struct KeywordNames {
    pub(super) letters: Arc<Keywords>,
    pub(super) extras: Arc<ExtraNames>,
}

impl KeywordNames {
    /// A keyword by its letter and number; the empty set if no message can have it.
    pub fn set(&self, keyword: &Keyword) -> KeywordSet {
        KeywordSet {
            letters: self.letters.letter(keyword).unwrap_or_default(),
            extras: Extras::new(self.extras.number(keyword)),
        }
    }

    /// Those of these keywords that messages can have.
    pub fn set_of(&self, keywords: &[Keyword]) -> KeywordSet {
        let mut letters = Letters::default();
        let mut numbers = Vec::new();
        for keyword in keywords {
            letters.0 |= self.letters.letter(keyword).unwrap_or_default().0;
            numbers.extend(self.extras.number(keyword));
        }
        let extras = Extras::new(numbers);
        KeywordSet { letters, extras }
    }

    /// Whether there is such a keyword.
    pub fn knows(&self, keyword: &Keyword) -> bool {
        self.letters.letter(keyword).is_some() || self.extras.number(keyword).is_some()
    }

    /// The keywords of a set, those with letters first.
    pub fn named<'n>(&'n self, set: &'n KeywordSet) -> impl Iterator<Item = &'n Keyword> + use<'n> {
        let numbers = set.extras.iter();
        let extras = numbers.filter_map(|number| self.extras.name(number));
        let is_lettered = |name| {
            let letter = self.letters.letter(name);
            letter.is_some_and(|letter| letter.0 & set.letters.0 != 0)
        };
        let extras = extras.filter(move |name| !is_lettered(*name));
        self.letters.named(set.letters).chain(extras)
    }

    /// All keywords, those with letters first.
    pub fn all(&self) -> impl Iterator<Item = &Keyword> {
        let extras = self.extras.all();
        let extras = extras.filter(|name| self.letters.letter(name).is_none());
        self.letters.all().chain(extras)
    }

    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.letters.free() == 0 && self.extras.free().next().is_none()
    }

    /// Whether these are the same tables, as far as nobody has written them since.
    fn are(&self, others: &KeywordNames) -> bool {
        Arc::ptr_eq(&self.letters, &others.letters) && Arc::ptr_eq(&self.extras, &others.extras)
    }
}

/// What others have said of messages in `culver.keywords`, and the picture does not show yet.
#[derive(Debug, Default)]
pub(super) struct Unshown {
    /// Anything, of any message.
    all: bool,
    /// Something, of these base names.
    bases: Vec<Box<[u8]>>,
}

impl Turn<'_> {
    /// Hears what others have written to both tables. False if what they did in `culver.keywords` is left for who has
    /// the lock.
    pub(super) fn hear_keywords(&mut self) -> Result<bool, Fault> {
        let folder = &self.disk.folder;
        let news = match self.disk.keywords.is_stale(folder) {
            Ok(false) => Ok(None),
            Ok(true) => Keywords::read(folder).map(Some),
            Err(error) => Err(error),
        };
        if let Some(keywords) =
            news.map_err(|error| self.fault("reading dovecot-keywords", error))?
        {
            self.disk.keywords = Arc::new(keywords);
        }
        self.write_keywords();
        let waits = self.lock.is_none() && self.disk.folder.is_writable() && !self.first;
        if !waits {
            self.poll_extras()?;
        }
        self.show_names();
        Ok(!waits || !self.disk.owes_extras())
    }

    fn poll_extras(&mut self) -> Result<(), Fault> {
        let change = self.disk.extras.poll(&self.disk.folder);
        match change.map_err(|error| self.fault("reading culver.keywords", error))? {
            Change::None => {}
            Change::Appended(bases) => {
                self.disk.unshown.bases.extend(bases);
                // They are told once.
                self.durability.note_extras(self.disk.extras.file());
            }
            Change::Replaced => {
                self.disk.unshown.all = true;
                self.disk.dead_extras = 0;
            }
        }
        // Whoever removes the mailbox must not find it made anew.
        if self.lock.is_some() && self.disk.extras.is_to_be_mended() && self.disk.rests() {
            match self.disk.extras.mend(&self.disk.folder) {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(mailbox = %self.disk.folder.path().display(), %error, "culver.keywords cannot be written");
                }
            }
        }
        Ok(())
    }

    /// Shows what has been heard, and nobody gave a mod-sequence for: it gets this turn's.
    pub(super) fn show_heard_extras(&mut self) {
        let unshown = std::mem::take(&mut self.disk.unshown);
        let messages: Vec<Arc<Message>> = match unshown.all {
            true => self.draft.iter().cloned().collect(),
            false => {
                let bases = unshown.bases.iter();
                let uids = bases.filter_map(|base| self.disk.live.get(base));
                uids.filter_map(|uid| self.draft.find(*uid).cloned())
                    .collect()
            }
        };
        for message in messages {
            let extras = self.disk.extras.of(message.name.base());
            if extras != message.keywords.extras {
                self.show_extras(&message, extras);
            }
        }
    }

    /// A message has other keywords of those without a letter, and they stand in the file.
    pub(super) fn show_extras(&mut self, message: &Message, extras: Extras) {
        let changed = message.with_extras(extras, self.modseq);
        self.note_here(&changed);
        self.draft.replace(changed);
    }

    /// Shows the names there are.
    pub(super) fn show_names(&mut self) {
        let names = self.disk.keyword_names();
        if !self.draft.keywords.are(&names) {
            self.draft.keywords = Arc::new(names);
        }
    }

    /// Keywords by letters and numbers; new ones are written down first. They get the lowest free letters, and numbers
    /// when there is no letter left.
    pub(super) fn keywords_for(&mut self, keywords: &[Keyword]) -> Result<KeywordSet, Fault> {
        let names = self.disk.keyword_names();
        let is_new = |keyword: &&Keyword| !names.knows(keyword);
        let new: Vec<Keyword> = keywords.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Ok(names.set_of(keywords));
        }
        if self.lock.is_none() {
            return Err(Fault::DiskFull("locking for a new keyword".into()));
        }
        let lettered = new.len().min(names.letters.free());
        let (lettered, numbered) = new.split_at_checked(lettered).unwrap_or_default();
        if numbered.len() > names.extras.free().count() {
            return Err(Fault::TooManyKeywords);
        }
        if !numbered.is_empty() {
            let named = self.disk.extras.name(&self.disk.folder, numbered);
            let named = named.map_err(|error| self.extras_fault(error))?;
            named.ok_or(Fault::TooManyKeywords)?;
            self.durability.note_extras(self.disk.extras.file());
        }
        if !lettered.is_empty() {
            let mut with = (*self.disk.keywords).clone();
            with.assign(lettered).ok_or(Fault::TooManyKeywords)?;
            with.write(&self.disk.folder)
                .map_err(|error| self.fault("writing dovecot-keywords", error))?;
            self.disk.keywords = Arc::new(with);
        }
        self.show_names();
        Ok(self.draft.keywords.set_of(keywords))
    }

    /// Says which keywords without a letter messages have, by base name. True if that is news; then it is not synced yet.
    pub(super) fn put_extras(&mut self, sets: &[(&[u8], Extras)]) -> Result<bool, Fault> {
        let is_known = |(base, set): &(&[u8], Extras)| self.disk.extras.of(base) == *set;
        if sets.iter().all(is_known) {
            return Ok(false);
        }
        if self.lock.is_none() {
            return Err(Fault::DiskFull("locking for keywords".into()));
        }
        let put = self.disk.extras.put(&self.disk.folder, sets);
        put.map_err(|error| self.extras_fault(error))?;
        self.durability.note_extras(self.disk.extras.file());
        Ok(true)
    }

    /// Makes `culver.keywords` safe: messages are about to leave the place where their keywords were safe.
    pub(super) fn sync_extras(&mut self) -> Result<(), Fault> {
        let Some(file) = self.disk.extras.file() else {
            return Ok(());
        };
        file.sync_data().map_err(|error| {
            self.durability.note_failed();
            self.fault("syncing culver.keywords", error)
        })
    }

    fn extras_fault(&self, error: std::io::Error) -> Fault {
        match error.kind() {
            std::io::ErrorKind::FileTooLarge => Fault::TooManyKeywords,
            _ => self.fault("writing culver.keywords", error),
        }
    }

    /// Counts what `culver.keywords` says of messages that are not here. To be called when all that are have been seen.
    pub(super) fn count_dead_extras(&mut self) {
        let (extras, live) = (&self.disk.extras, &self.disk.live);
        let is_dead = |base: &&[u8]| !live.contains_key(*base);
        self.disk.dead_extras = extras.bases().filter(is_dead).count();
    }

    /// Drops lines that say nothing any more, where that is worth it. If it cannot be done they do no harm.
    pub(super) fn compact_extras(&mut self) {
        let disk = &mut *self.disk;
        if self.lock.is_none() || disk.rescan || !disk.extras.is_mostly_dead(disk.dead_extras) {
            return;
        }
        let (live, listed) = (&disk.live, &disk.listed);
        let stays = |base: &[u8]| live.contains_key(base) || listed.contains_key(base);
        match disk.extras.rewrite(&disk.folder, stays) {
            Ok(()) => disk.dead_extras = 0,
            Err(error) => {
                tracing::warn!(mailbox = %disk.folder.path().display(), %error, "dead lines stay in culver.keywords");
            }
        }
    }

    /// Letters that a file carries and `dovecot-keywords` does not name get a name, as Dovecot gives it.
    pub(super) fn name_letters(&mut self, letters: Letters) {
        if !self.disk.keywords.lacks(letters) {
            return;
        }
        Arc::make_mut(&mut self.disk.keywords).name_unknown(letters);
        self.disk.unwritten_keywords = true;
        self.write_keywords();
        self.show_names();
    }

    /// Writes keywords that were named while there was no lock.
    fn write_keywords(&mut self) {
        if !self.disk.unwritten_keywords || self.asks_for_lock() {
            return;
        }
        self.disk.unwritten_keywords = false;
        let keywords = Arc::make_mut(&mut self.disk.keywords);
        // Those named before may have been lost when the file was read again.
        let used = self.draft.iter().map(|message| message.keywords.letters.0);
        keywords.name_unknown(Letters(used.fold(0, |all, letters| all | letters)));
        if let Err(error) = keywords.write(&self.disk.folder) {
            tracing::warn!(mailbox = %self.disk.folder.path().display(), %error, "dovecot-keywords cannot be written");
        }
    }
}
