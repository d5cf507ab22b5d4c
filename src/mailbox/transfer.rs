//! Messages that come into a mailbox from another one: COPY and MOVE; and what APPEND shares with them.
//!
//! A message is whole on disk before it gets its name in `new/` or `cur/`. COPY makes hard links, MOVE
//! renames: one step each, so that a crash leaves a message in one mailbox or the other, never in
//! neither. Several messages come all or none: if one fails, those before it are taken back.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::imap::flag::{Keyword, SystemFlags};
use crate::imap::sequence::{NumberSet, Uid, UidValidity};
use crate::mailbox::fault::Fault;
use crate::mailbox::finder::Finder;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::turn::{TOUCH_EVERY, Turn, fresh_name};
use crate::mailbox::uids::Newcomer;
use crate::spool::deliver::Delivery;
use crate::spool::filename::FileName;
use crate::spool::folder::{Folder, Sub};
use crate::spool::keyword_set::{Extras, KeywordSet};
use crate::spool::uidlist::{Fields, guid_number};

/// How often a source file's name is looked up again when it changes under a COPY.
const NAME_TRIES: usize = 10;

/// What a COPY or MOVE did: two lists of the same length, in the same order.
#[derive(Debug)]
pub struct Copied {
    /// The target's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDs in the source, rising.
    pub from: Vec<Uid>,
    /// UIDs in the target, rising.
    pub to: Vec<Uid>,
}

impl Mailbox {
    /// Waits until messages that came in are durable. If they cannot be made so, they are removed: who hears
    /// NO finds the mailbox as it was (RFC 3501 §6.3.11, §6.4.7).
    pub(super) async fn settle_or_take_back(self: &Arc<Self>, uids: &[Uid]) -> Result<(), Fault> {
        let Err(fault) = self.settle_mail().await else {
            return Ok(());
        };
        let uids = uids.to_vec();
        if let Err(error) = self.change_names(move |turn| turn.take_back(&uids)).await {
            tracing::error!(%error, "messages that could not be made durable stay in the mailbox");
        }
        Err(fault)
    }

    /// Copies messages, all or none, with flags, keywords and INTERNALDATE. `Fault::Expunged` if one is gone.
    pub async fn copy(
        self: &Arc<Self>,
        uids: &NumberSet,
        target: &Arc<Mailbox>,
    ) -> Result<Copied, Fault> {
        let _room = self.room_for_copies(uids, &target.quota).await?;
        let (uids, source, straight) = (uids.clone(), Arc::clone(self), target.has_writers());
        let copied = target
            .change(move |turn| {
                let snapshot = source.snapshot();
                let messages = uids
                    .iter()
                    .filter_map(Uid::new)
                    .map(|uid| snapshot.find(uid).cloned());
                let messages: Option<Vec<_>> = messages.collect();
                turn.copy(
                    source.folder(),
                    &snapshot,
                    &messages.ok_or(Fault::Expunged)?,
                    straight,
                )
            })
            .await?;
        target.settle_or_take_back(&copied.to).await?;
        Ok(copied)
    }

    /// Moves messages: each by one rename. `Fault::Expunged` if one is gone before anything was moved.
    pub async fn move_to(
        self: &Arc<Self>,
        uids: &NumberSet,
        target: &Arc<Mailbox>,
    ) -> Result<Copied, Fault> {
        let (uids, straight) = (uids.clone(), target.has_writers());
        let syncs = target.syncs_mail();
        let moved = if self.folder().identity() == target.folder().identity() {
            self.change(move |turn| turn.renumber(&uids, syncs)).await?
        } else {
            self.change_pair(target, move |source, target| {
                move_messages(source, target, &uids, (straight, syncs))
            })
            .await?
        };
        target.settle_mail().await?;
        self.settle_mail().await?;
        Ok(moved)
    }
}

impl Turn<'_> {
    /// The UID for the next newcomer after `count` of them.
    pub(super) fn uid_after(&mut self, uid: Uid, count: usize) -> Result<Uid, Fault> {
        if count.is_multiple_of(TOUCH_EVERY) {
            self.touch();
        }
        uid.following()
            .ok_or_else(|| Fault::Cannot("The target has used up its UIDs".into()))
    }

    /// Enters messages that have been placed, and gives their UIDs. If that fails, or `placed` did, all are
    /// taken back: none was acknowledged, and a client that tries again would have them twice.
    pub(super) fn enter_all(
        &mut self,
        placed: Result<(), Fault>,
        newcomers: Vec<Newcomer>,
    ) -> Result<Vec<Uid>, Fault> {
        let names: Vec<(Sub, FileName)> = newcomers
            .iter()
            .map(|new| (new.sub, new.name.clone()))
            .collect();
        let uids = newcomers.iter().map(|new| new.uid).collect();
        match placed.and_then(|()| self.enter(newcomers)) {
            Ok(()) => Ok(uids),
            Err(fault) => {
                for (sub, name) in names {
                    let _ = self.unlink_file(sub, &name);
                }
                Err(fault)
            }
        }
    }

    fn copy(
        &mut self,
        source: &Folder,
        of: &Snapshot,
        messages: &[Arc<Message>],
        straight: bool,
    ) -> Result<Copied, Fault> {
        let mut newcomers = Vec::with_capacity(messages.len());
        let result = self.copy_each(source, of, messages, straight, &mut newcomers);
        let to = self.enter_all(result, newcomers)?;
        Ok(Copied {
            uid_validity: self.draft.uid_validity,
            from: messages.iter().map(|message| message.uid).collect(),
            to,
        })
    }

    fn copy_each(
        &mut self,
        source: &Folder,
        of: &Snapshot,
        messages: &[Arc<Message>],
        straight: bool,
        newcomers: &mut Vec<Newcomer>,
    ) -> Result<(), Fault> {
        let mut uid = self.next_uid()?;
        let mut taken: HashSet<Box<[u8]>> = HashSet::new();
        let mut finder = Finder::default();
        for message in messages {
            let Berth { plain, fields } = self.berth(message, &taken)?;
            let keywords = self.keywords_here(of, message)?;
            self.put_extras(&[(plain.base(), keywords.extras.clone())])?;
            let (sub, name) = name_here(message.flags, &keywords, &plain, straight)?;
            let (mut from, mut old) = (message.sub, (*message.name).clone());
            for attempt in 0.. {
                let linked = copy_file(source, from, &old, &self.disk.folder, sub, &name);
                match linked {
                    Ok(()) => break,
                    Err(error)
                        if error.kind() == io::ErrorKind::NotFound && attempt < NAME_TRIES => {}
                    Err(error) => return Err(self.fault("copying", error)),
                }
                let found = finder
                    .find(source, (from, &old))
                    .map_err(|error| self.fault("copying", error))?;
                (from, old) = found.ok_or(Fault::Expunged)?;
            }
            self.change.add(self.size_of(sub, &name));
            self.note_moved(sub, sub);
            taken.insert(name.base().into());
            newcomers.push(Newcomer {
                uid,
                sub,
                name,
                fields,
            });
            uid = self.uid_after(uid, newcomers.len())?;
        }
        Ok(())
    }

    /// What a message of another mailbox is called here: its own base name, or where that is taken a fresh one, with the
    /// old one as its GUID (record field `G`).
    fn berth(&mut self, message: &Message, taken: &HashSet<Box<[u8]>>) -> Result<Berth, Fault> {
        let base = message.name.base();
        let known = taken.contains(base)
            || self.disk.live.contains_key(base)
            || self.disk.listed.contains_key(base)
            || self.disk.expunged.contains(base);
        let guid = message.listed_guid().or(known.then_some(base));
        let mut fields: Fields = guid.map(guid_field).into_iter().collect();
        let plain = if known {
            fresh_name(&message.name).ok_or_else(unusable)?
        } else {
            // The name tells when it came into the mailbox that it comes from.
            fields.push(saved_field(now()));
            (*message.name).clone()
        };
        if plain.virtual_size().is_none() {
            fields.extend(message.virtual_size().map(size_field));
        }
        Ok(Berth { plain, fields })
    }

    /// The keywords of a message of another mailbox, by our letters and numbers.
    fn keywords_here(&mut self, of: &Snapshot, message: &Message) -> Result<KeywordSet, Fault> {
        let keywords: Vec<Keyword> = of.keywords_of(message).cloned().collect();
        self.keywords_for(&keywords)
    }

    /// Writes down, for messages that are about to be renamed, what their names cannot tell: under their new base names,
    /// and safe with `syncs`, for a power cut after the rename must not find it nowhere.
    fn put_ahead(&mut self, berths: &[(Uid, Berth, Extras)], syncs: bool) -> Result<(), Fault> {
        let sets: Vec<(&[u8], Extras)> = berths
            .iter()
            .map(|(_, berth, extras)| (berth.plain.base(), extras.clone()))
            .collect();
        match self.put_extras(&sets)? && syncs {
            true => self.sync_extras(),
            false => Ok(()),
        }
    }

    /// MOVE within one mailbox: a new base name, and so a new UID.
    fn renumber(&mut self, uids: &NumberSet, syncs: bool) -> Result<Copied, Fault> {
        let mut berths = Vec::new();
        for uid in uids.iter().filter_map(Uid::new) {
            let message = self.draft.find(uid).ok_or(Fault::Expunged)?;
            let plain = fresh_name(&message.name).ok_or_else(unusable)?;
            let guid = message.listed_guid().unwrap_or(message.name.base());
            let mut fields = vec![guid_field(guid)];
            if plain.virtual_size().is_none() {
                fields.extend(message.virtual_size().map(size_field));
            }
            let extras = message.keywords.extras.clone();
            berths.push((uid, Berth { plain, fields }, extras));
        }
        let mut next = self.next_uid()?;
        self.put_ahead(&berths, syncs)?;
        let (mut newcomers, mut from, mut failed) = (Vec::new(), Vec::new(), None);
        for (uid, Berth { plain, fields }, _) in berths {
            let renamed = self.on_file(uid, |turn, message| {
                let name = message.name.with_base(plain.base());
                let name = name.ok_or(io::ErrorKind::InvalidFilename)?;
                turn.disk
                    .folder
                    .rename(message.sub, &message.name, message.sub, &name)?;
                turn.note_moved(message.sub, message.sub);
                Ok((message.sub, name))
            });
            match renamed {
                Ok(Some((sub, name))) => {
                    newcomers.push(Newcomer {
                        uid: next,
                        sub,
                        name,
                        fields,
                    });
                    from.push(uid);
                }
                Ok(None) => failed = Some(Fault::Expunged),
                Err(error) => failed = Some(self.fault("moving", error)),
            }
            match next.following() {
                Some(following) if failed.is_none() => next = following,
                _ => break,
            }
        }
        let to = newcomers.iter().map(|new| new.uid).collect();
        self.drop_gone(&from.iter().copied().collect());
        self.enter(newcomers)?;
        match failed {
            Some(fault) => Err(fault),
            None => Ok(Copied {
                uid_validity: self.draft.uid_validity,
                from,
                to,
            }),
        }
    }
}

/// What a message that comes in is called, whatever its flags.
struct Berth {
    plain: FileName,
    /// Extension fields of its record.
    fields: Fields,
}

/// The name of a message that comes in, with its flags.
fn name_here(
    flags: SystemFlags,
    keywords: &KeywordSet,
    plain: &FileName,
    straight: bool,
) -> Result<(Sub, FileName), Fault> {
    let sub = landing(flags, keywords, straight);
    let name = match sub {
        Sub::New => FileName::new(plain.base()),
        Sub::Cur => plain.with_flags(flags, keywords.letters),
    };
    Ok((sub, name.ok_or_else(unusable)?))
}

fn unusable() -> Fault {
    Fault::Cannot("The message's file name has no room for its flags".into())
}

/// Renames each message into the target. What has been renamed stays moved even if a later one fails: a
/// MOVE may end half-way (RFC 6851 §3.3), but no message is ever in both or in neither.
fn move_messages(
    source: &mut Turn<'_>,
    target: &mut Turn<'_>,
    uids: &NumberSet,
    (straight, syncs): (bool, bool),
) -> Result<Copied, Fault> {
    let mut next = target.next_uid()?;
    let (mut berths, mut taken) = (Vec::new(), HashSet::new());
    for uid in uids.iter().filter_map(Uid::new) {
        let message = source.draft.find(uid).ok_or(Fault::Expunged)?;
        let berth = target.berth(message, &taken)?;
        taken.insert(berth.plain.base().into());
        let keywords = target.keywords_here(&source.draft, message)?;
        berths.push((uid, berth, keywords.extras));
    }
    target.put_ahead(&berths, syncs)?;
    let (mut newcomers, mut from, mut failed) = (Vec::new(), Vec::new(), None);
    for (uid, Berth { plain, fields }, _) in berths {
        let mut refused = None;
        let moved = source.on_file(uid, |source, message| {
            // Its name may be another one by now, with other flags.
            let keywords = target.keywords_here(&source.draft, message);
            let named = keywords.and_then(|keywords| {
                let plain = message.name.with_base(plain.base());
                let plain = plain.ok_or_else(unusable)?;
                name_here(message.flags, &keywords, &plain, straight)
            });
            let (sub, name) = match named {
                Ok(named) => named,
                Err(fault) => {
                    refused = Some(fault);
                    return Ok(None);
                }
            };
            move_file(
                &source.disk.folder,
                message,
                &target.disk.folder,
                sub,
                &name,
            )?;
            source.note_moved(message.sub, message.sub);
            target.note_moved(sub, sub);
            Ok(Some((sub, name)))
        });
        match moved {
            Ok(Some(Some((sub, name)))) => {
                newcomers.push(Newcomer {
                    uid: next,
                    sub,
                    name,
                    fields,
                });
                from.push(uid);
            }
            Ok(Some(None)) => failed = refused,
            Ok(None) => failed = Some(Fault::Expunged),
            Err(error) => failed = Some(source.fault("moving", error)),
        }
        match next.following() {
            Some(following) if failed.is_none() => next = following,
            _ => break,
        }
        if from.len().is_multiple_of(TOUCH_EVERY) {
            source.touch();
            target.touch();
        }
    }
    let to = newcomers.iter().map(|new: &Newcomer| new.uid).collect();
    let entered = target.enter(newcomers);
    source.drop_gone(&from.iter().copied().collect());
    entered?;
    match failed {
        Some(fault) => Err(fault),
        None => {
            source.compact_uidlist();
            source.compact_extras();
            Ok(Copied {
                uid_validity: target.draft.uid_validity,
                from,
                to,
            })
        }
    }
}

/// A file under another name in another mailbox: by hard link, or where the file system has none or it is
/// another one, byte for byte.
fn copy_file(
    source: &Folder,
    from: Sub,
    old: &FileName,
    target: &Folder,
    to: Sub,
    new: &FileName,
) -> io::Result<()> {
    match source.link_into(from, old, target, to, new) {
        Err(error) if needs_bytes(&error) => {
            let file = source.open(from, old)?;
            Delivery::copy_of(target, &file)?.place_as(target, to, new)
        }
        linked => linked,
    }
}

fn move_file(
    source: &Folder,
    message: &Message,
    target: &Folder,
    to: Sub,
    new: &FileName,
) -> io::Result<()> {
    match source.rename_into(message.sub, &message.name, target, to, new) {
        Err(error) if needs_bytes(&error) => {
            let file = source.open(message.sub, &message.name)?;
            Delivery::copy_of(target, &file)?.place_as(target, to, new)?;
            // The copy is safe first; a crash before the unlink leaves the message in both.
            target.sync(to)?;
            source.unlink(message.sub, &message.name)
        }
        renamed => renamed,
    }
}

fn needs_bytes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::CrossesDevices | io::ErrorKind::TooManyLinks | io::ErrorKind::Unsupported
    ) || error.kind() == io::ErrorKind::PermissionDenied
}

/// Where a message comes to lie: `new/` if it has no flags and nobody would take it over at once.
pub(super) fn landing(flags: SystemFlags, keywords: &KeywordSet, straight: bool) -> Sub {
    if straight || !flags.is_empty() || !keywords.is_empty() {
        Sub::Cur
    } else {
        Sub::New
    }
}

/// The field of a uidlist's record for a message's size with CRLF.
pub(super) fn size_field(virtual_size: u64) -> (u8, Box<[u8]>) {
    (b'W', virtual_size.to_string().into_bytes().into())
}

/// Seconds since 1970.
pub(super) fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    })
}

/// The field of a uidlist's record for when a message came into the mailbox.
pub(super) fn saved_field(seconds: u32) -> (u8, Box<[u8]>) {
    (b'D', seconds.to_string().into_bytes().into())
}

/// The field of a uidlist's record for a message's GUID, such as the base name that it had before. What has a space in
/// it fits in no record, but its number does, and is the same GUID.
pub(super) fn guid_field(guid: &[u8]) -> (u8, Box<[u8]>) {
    match guid.contains(&b' ') {
        false => (b'G', guid.into()),
        true => (
            b'G',
            format!("{:032x}", guid_number(guid)).into_bytes().into(),
        ),
    }
}
