//! REPLACE: a message comes in and another one goes, in one turn.
//!
//! The new message is safe on disk, its name in the directory and its record in the uidlist too, before the old
//! one's file is removed: a crash at any moment leaves one of them at least, and a disk that fails leaves the old
//! one alone. Nobody sees a state between, for it is the end of the turn that is published.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::imap::sequence::{Uid, UidValidity};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::turn::Turn;
use crate::mailbox::upload::{Upload, Whole};
use crate::spool::folder::Sub;

impl Mailbox {
    /// Appends what was uploaded to `target`, durably, and expunges this mailbox's message `uid` for it: both or
    /// neither. Gives the new message's UID. `Fault::Expunged` if the old one is gone.
    ///
    /// The old one's end is synced after that; if this fails it is logged, for nothing can be taken back any more, and
    /// a power cut may bring the old one back at worst.
    pub async fn replace(
        self: &Arc<Self>,
        uid: Uid,
        upload: Upload,
        target: &Arc<Mailbox>,
    ) -> Result<(UidValidity, Vec<Uid>), Fault> {
        let (straight, syncs) = (target.has_writers(), self.syncs_mail());
        let (messages, _room) = upload.into_whole().await?;
        let named = if self.folder().identity() == target.folder().identity() {
            self.change(move |turn| {
                turn.must_have(uid)?;
                let named = turn.bring_in(messages, straight, syncs)?;
                let removed = turn.remove(uid);
                turn.take_back_unless(removed, &named.1)?;
                Ok(named)
            })
            .await?
        } else {
            self.change_pair(target, move |source, target| {
                source.must_have(uid)?;
                let named = target.bring_in(messages, straight, syncs)?;
                let removed = source.remove(uid);
                target.take_back_unless(removed, &named.1)?;
                Ok(named)
            })
            .await?
        };
        for mailbox in [target, self] {
            if let Err(fault) = mailbox.settle_mail().await {
                tracing::error!(mailbox = %mailbox.folder().path().display(), %fault, "a message was replaced, and syncing failed after that");
            }
        }
        Ok(named)
    }
}

impl Turn<'_> {
    fn must_have(&self, uid: Uid) -> Result<(), Fault> {
        self.draft.find(uid).map(|_| ()).ok_or(Fault::Expunged)
    }

    /// Appends messages, and with `syncs` makes them safe before another step is taken. If that fails, none is
    /// there.
    fn bring_in(
        &mut self,
        messages: Vec<Whole>,
        straight: bool,
        syncs: bool,
    ) -> Result<(UidValidity, Vec<Uid>), Fault> {
        let named = self.append(messages, straight)?;
        let synced = match syncs {
            true => self.sync_names(&named.1),
            false => Ok(()),
        };
        self.take_back_unless(synced, &named.1)?;
        Ok(named)
    }

    /// Makes the names of messages safe, and their records.
    fn sync_names(&mut self, uids: &[Uid]) -> Result<(), Fault> {
        let folder = &self.disk.folder;
        let messages = uids.iter().filter_map(|uid| self.draft.find(*uid));
        let subs: Vec<Sub> = messages.map(|message| message.sub).collect();
        let mut synced = match self.disk.extras.file() {
            Some(file) => file.sync_data(),
            None => Ok(()),
        };
        synced = synced.and_then(|()| subs.iter().try_for_each(|sub| folder.sync(*sub)));
        if let (Ok(()), Some(list)) = (&synced, &self.disk.uidlist) {
            synced = list.sync(folder);
        }
        match synced {
            Ok(()) => {
                self.durability.note_synced(&subs, uids.last().copied());
                Ok(())
            }
            Err(error) => {
                self.durability.note_failed();
                Err(self.fault("syncing", error))
            }
        }
    }

    /// Unlinks one message's file, whatever its flags.
    fn remove(&mut self, uid: Uid) -> Result<(), Fault> {
        match self.on_file(uid, Turn::unlink) {
            Ok(Some(())) => {
                self.drop_gone(&BTreeSet::from([uid]));
                Ok(())
            }
            Ok(None) => Err(Fault::Expunged),
            Err(error) => Err(self.fault("expunging", error)),
        }
    }

    /// Removes messages that came in if what they came for failed.
    fn take_back_unless(&mut self, done: Result<(), Fault>, uids: &[Uid]) -> Result<(), Fault> {
        if done.is_err()
            && let Err(fault) = self.take_back(uids)
        {
            tracing::error!(%fault, "a message that replaced none stays in the mailbox");
        }
        done
    }
}
