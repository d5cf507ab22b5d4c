//! STORE and EXPUNGE: what renames and removes a mailbox's own messages; and a mod-sequence for what changes beside
//! them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::imap::command::StoreAction;
use crate::imap::flag::{Flag, Keyword, SystemFlag, SystemFlags};
use crate::imap::sequence::{ModSeq, NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::turn::{TOUCH_EVERY, Turn};
use crate::spool::folder::Sub;
use crate::spool::keyword_set::{Extras, KeywordSet};
use crate::spool::scan;

/// What a STORE did.
#[derive(Debug)]
pub struct Stored {
    /// The state after it.
    pub snapshot: Arc<Snapshot>,
    /// UIDs that were named and are gone.
    pub gone: NumberSet,
    /// UIDs of messages left alone, for they do not meet the [`Condition`].
    pub modified: NumberSet,
    change: FlagChange,
}

impl Stored {
    /// The flags that a message has with this STORE done, for who knows of no other change.
    pub(super) fn expected(&self, was: (SystemFlags, KeywordSet)) -> (SystemFlags, KeywordSet) {
        let named = self.snapshot.keywords.set_of(&self.change.keywords);
        self.change.apply((was.0, &was.1), &named)
    }
}

/// UNCHANGEDSINCE: a message is changed only if nobody else has changed it (RFC 7162 §3.1.3).
#[derive(Clone, Debug)]
pub struct Condition {
    /// Since this mod-sequence.
    pub since: ModSeq,
    /// The picture of the client that says so.
    pub picture: Arc<Snapshot>,
}

impl Condition {
    /// "a server implementation SHOULD avoid generating spurious MODIFIED responses for +FLAGS/-FLAGS STORE
    /// operations, even when the server stores a single mod-sequence per message" (RFC 7162 §3.1.3): where the picture
    /// is old enough, it shows whether the flags in question are those that have changed (§3.1.12).
    fn is_met(&self, message: &Message, change: &FlagChange, named: &KeywordSet) -> bool {
        if message.modseq <= self.since {
            return true;
        }
        let was = self.picture.find(message.uid);
        let was =
            was.filter(|was| was.modseq <= self.since && change.action != StoreAction::Replace);
        let same = |flag| was.is_some_and(|was| was.flags.has(flag) == message.flags.has(flag));
        was.is_some_and(|was| was.keywords.agrees_on(&message.keywords, named))
            && change.system.iter().all(same)
    }
}

/// What became of one message in a STORE.
enum Step {
    /// Its file has the name with its new flags.
    Renamed,
    Same,
    Modified,
    /// The first that is to be changed: now the keywords need their letters and numbers.
    Unnamed,
}

/// Keywords of messages that are not in their files' names.
type Beside = Vec<(Uid, Extras)>;

impl Mailbox {
    /// STORE: changes flags of these messages, all or none, in one batch, durable when it returns.
    pub async fn store(
        self: &Arc<Self>,
        uids: &NumberSet,
        action: StoreAction,
        flags: &[Flag],
    ) -> Result<Stored, Fault> {
        self.store_if(uids, action, flags, None).await
    }

    /// The same for those of them that meet a condition when it is their turn: nobody else changes them between.
    pub async fn store_if(
        self: &Arc<Self>,
        uids: &NumberSet,
        action: StoreAction,
        flags: &[Flag],
        condition: Option<Condition>,
    ) -> Result<Stored, Fault> {
        let (uids, change) = (uids.clone(), FlagChange::new(action, flags));
        let flags = change.clone();
        let (gone, modified) = self
            .change_names(move |turn| turn.store(&uids, &flags, condition.as_ref()))
            .await?;
        self.settle_flags().await?;
        Ok(Stored {
            snapshot: self.snapshot(),
            gone,
            modified,
            change,
        })
    }

    /// Something that is no message has changed (RFC 7162 §3.2).
    pub(super) async fn raise_modseq(self: &Arc<Self>) -> Result<(), Fault> {
        self.change_names(|turn| {
            turn.disk.given.raised = true;
            Ok(())
        })
        .await
    }

    /// Expunges the messages with `\Deleted` (of these UIDs, where given). Gives the UIDs expunged.
    pub async fn expunge(self: &Arc<Self>, uids: Option<&NumberSet>) -> Result<NumberSet, Fault> {
        let uids = uids.cloned();
        let gone = self
            .change_names(move |turn| turn.expunge(uids.as_ref()))
            .await?;
        if !gone.is_empty() {
            self.settle_mail().await?;
        }
        Ok(gone)
    }
}

/// What a STORE does to one message's flags.
#[derive(Clone, Debug)]
struct FlagChange {
    action: StoreAction,
    system: SystemFlags,
    keywords: Vec<Keyword>,
}

impl FlagChange {
    fn new(action: StoreAction, flags: &[Flag]) -> FlagChange {
        let (system, keywords) = split_flags(flags);
        FlagChange {
            action,
            system,
            keywords,
        }
    }

    fn apply(
        &self,
        (flags, kept): (SystemFlags, &KeywordSet),
        named: &KeywordSet,
    ) -> (SystemFlags, KeywordSet) {
        match self.action {
            StoreAction::Add => (flags.union(self.system), kept.union(named)),
            StoreAction::Remove => (flags.difference(self.system), kept.difference(named)),
            StoreAction::Replace => (self.system, named.clone()),
        }
    }
}

/// Flags of a command, sorted into system flags and keywords.
pub(super) fn split_flags(flags: &[Flag]) -> (SystemFlags, Vec<Keyword>) {
    let mut system = SystemFlags::NONE;
    let mut keywords: Vec<Keyword> = Vec::new();
    for flag in flags {
        match flag {
            Flag::System(flag) => system = system.with(*flag),
            Flag::Keyword(keyword) if keywords.contains(keyword) => {}
            Flag::Keyword(keyword) => keywords.push(keyword.clone()),
        }
    }
    (system, keywords)
}

impl Turn<'_> {
    /// Renames each message to the name with its new flags, and says of those whose keywords have no letter which they
    /// are. If something fails, those renamed before get their old names back. Gives the UIDs that are gone, and those
    /// that do not meet the condition.
    fn store(
        &mut self,
        uids: &NumberSet,
        change: &FlagChange,
        condition: Option<&Condition>,
    ) -> Result<(NumberSet, NumberSet), Fault> {
        // Keywords without a letter or number get one if a message is to have them, not because they are named.
        let names = self.disk.keyword_names();
        let mut named = names.set_of(&change.keywords);
        let mut all_named = change.action == StoreAction::Remove
            || change.keywords.iter().all(|keyword| names.knows(keyword));
        let (mut gone, mut modified) = (NumberSet::new(), NumberSet::new());
        let (mut done, mut beside) = (Vec::new(), Beside::new());
        for (count, uid) in uids.iter().filter_map(Uid::new).enumerate() {
            let mut store = |turn: &mut Self, named: &KeywordSet, all_named| {
                turn.store_one(uid, change, condition, (named, all_named), &mut beside)
            };
            let mut stored = store(self, &named, all_named);
            if let Ok(Some(Step::Unnamed)) = stored {
                named = self.keywords_for(&change.keywords)?;
                all_named = true;
                stored = store(self, &named, all_named);
            }
            match stored {
                Ok(Some(Step::Renamed)) => done.extend(self.draft.find(uid).cloned()),
                Ok(Some(Step::Same | Step::Unnamed)) => {}
                Ok(Some(Step::Modified)) => modified.insert(uid.get()),
                Ok(None) => gone.insert(uid.get()),
                Err(error) => {
                    self.undo_store(done);
                    return Err(self.fault("changing flags", error));
                }
            }
            if count % TOUCH_EVERY == TOUCH_EVERY - 1 {
                self.touch();
            }
        }
        if let Err(fault) = self.store_beside(beside) {
            self.undo_store(done);
            return Err(fault);
        }
        Ok((gone, modified))
    }

    /// What is to stand beside the name when all are renamed goes to `beside`.
    fn store_one(
        &mut self,
        uid: Uid,
        change: &FlagChange,
        condition: Option<&Condition>,
        (named, all_named): (&KeywordSet, bool),
        beside: &mut Beside,
    ) -> std::io::Result<Option<Step>> {
        let stored = self.on_file(uid, |turn, message| {
            if condition.is_some_and(|condition| !condition.is_met(message, change, named)) {
                return Ok((Step::Modified, None));
            }
            let (flags, keywords) = change.apply((message.flags, &message.keywords), named);
            let news = keywords.extras != message.keywords.extras;
            if !all_named || (flags, keywords.letters) == (message.flags, message.keywords.letters)
            {
                // No other name; but a name that somebody changed meanwhile counts.
                if !turn.disk.folder.exists(message.sub, &message.name)? {
                    return Err(std::io::ErrorKind::NotFound.into());
                }
                return Ok(match all_named {
                    true => (Step::Same, news.then_some(keywords.extras)),
                    false => (Step::Unnamed, None),
                });
            }
            let name = message.name.with_flags(flags, keywords.letters);
            let name =
                name.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidFilename))?;
            turn.rename(message, Sub::Cur, name)?;
            Ok((Step::Renamed, news.then_some(keywords.extras)))
        })?;
        Ok(stored.map(|(step, extras)| {
            beside.extend(extras.map(|extras| (uid, extras)));
            step
        }))
    }

    /// All or none.
    fn store_beside(&mut self, beside: Beside) -> Result<(), Fault> {
        let found = beside.into_iter().filter_map(|(uid, extras)| {
            let message = self.draft.find(uid)?;
            Some((Arc::clone(message), extras))
        });
        let found: Vec<(Arc<Message>, Extras)> = found.collect();
        let sets: Vec<(&[u8], Extras)> = found
            .iter()
            .map(|(message, extras)| (message.name.base(), extras.clone()))
            .collect();
        self.stirs |= self.put_extras(&sets)?;
        for (message, _) in found {
            let extras = self.disk.extras.of(message.name.base());
            self.show_extras(&message, extras);
        }
        self.compact_extras();
        Ok(())
    }

    fn undo_store(&mut self, done: Vec<Arc<Message>>) {
        let before = Arc::clone(&self.before);
        for message in done.into_iter().rev() {
            let Some(old) = before.find(message.uid) else {
                continue;
            };
            let (sub, name) = (old.sub, (*old.name).clone());
            match self
                .disk
                .folder
                .rename(message.sub, &message.name, sub, &name)
            {
                Ok(()) => self.note_name(&message, sub, name),
                Err(error) => {
                    tracing::warn!(uid = message.uid.get(), %error, "a flag change cannot be taken back")
                }
            }
        }
    }

    /// Unlinks a message's file. If others have linked it under another name with the same base, that is the
    /// same message, and goes too.
    pub(super) fn unlink(&mut self, message: &Message) -> std::io::Result<()> {
        let folder = &self.disk.folder;
        let doubled = self.disk.doubled.contains(message.name.base());
        let inode = match doubled {
            true => folder.inode(message.sub, &message.name)?,
            false => None,
        };
        self.unlink_file(message.sub, &message.name)?;
        self.note_moved(message.sub, message.sub);
        let Some((device, number, _)) = inode else {
            return Ok(());
        };
        for (sub, name) in scan::scan(&self.disk.folder)?.entries {
            let folder = &self.disk.folder;
            if name.base() == message.name.base()
                && let Some((at, other, _)) = folder.inode(sub, &name)?
                && (at, other) == (device, number)
            {
                self.unlink_file(sub, &name)?;
                self.note_moved(sub, sub);
            }
        }
        Ok(())
    }

    /// Takes back messages that came in but could not be made durable: nobody was told OK.
    pub(super) fn take_back(&mut self, uids: &[Uid]) -> Result<(), Fault> {
        let mut gone = BTreeSet::new();
        for &uid in uids {
            match self.on_file(uid, Turn::unlink) {
                Ok(Some(())) => drop(gone.insert(uid)),
                Ok(None) => {}
                Err(error) => {
                    self.drop_gone(&gone);
                    return Err(self.fault("taking back a message", error));
                }
            }
        }
        self.drop_gone(&gone);
        Ok(())
    }

    /// Unlinks every message that has `\Deleted` now, by its file's present name.
    fn expunge(&mut self, uids: Option<&NumberSet>) -> Result<NumberSet, Fault> {
        let doomed: Vec<Uid> = (self.draft.iter())
            .filter(|message| message.flags.has(SystemFlag::Deleted))
            .map(|message| message.uid)
            .filter(|uid| uids.is_none_or(|uids| uids.contains(uid.get())))
            .collect();
        let mut gone: BTreeSet<Uid> = BTreeSet::new();
        let mut failed = None;
        for uid in doomed {
            let unlinked = self.on_file(uid, |turn, message| {
                if !message.flags.has(SystemFlag::Deleted) {
                    return Ok(false); // somebody has taken the flag away meanwhile
                }
                turn.unlink(message)?;
                Ok(true)
            });
            match unlinked {
                Ok(Some(true)) => {
                    gone.insert(uid);
                    if gone.len().is_multiple_of(TOUCH_EVERY) {
                        self.touch();
                    }
                }
                Ok(Some(false) | None) => {}
                Err(error) => {
                    failed = Some(self.fault("expunging", error));
                    break;
                }
            }
        }
        self.drop_gone(&gone);
        match failed {
            Some(fault) => Err(fault),
            None => {
                self.compact_uidlist();
                self.compact_extras();
                Ok(gone.into_iter().map(Uid::get).collect())
            }
        }
    }
}
