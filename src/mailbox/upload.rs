//! APPEND: messages that a client sends, written to `tmp/` as they come and placed when all of them are whole.

use std::io;
use std::sync::Arc;

use crate::imap::date::DateTime;
use crate::imap::flag::{Flag, Keyword, SystemFlags};
use crate::imap::sequence::{Uid, UidValidity};
use crate::mailbox::alter::split_flags;
use crate::mailbox::attachments::keyword_for;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::quota::{Amount, Room};
use crate::mailbox::transfer::{landing, size_field};
use crate::mailbox::turn::Turn;
use crate::mailbox::uids::Newcomer;
use crate::message::binary::without_binary;
use crate::spool::deliver::{Complete, Delivery};
use crate::spool::folder::Folder;

/// Messages being appended together: bytes go to files in the target's `tmp/`. Dropping it leaves nothing.
pub struct Upload {
    folder: Arc<Folder>,
    /// The message being written; away while a piece is, and between two messages.
    delivery: Option<Delivery>,
    /// Those that are whole, in their order.
    whole: Vec<Whole>,
    /// The message being written may have binary contents: it is kept as it comes, and rewritten when all of it
    /// is known.
    binary: bool,
    /// See [`crate::mailbox::attachments`].
    attachment_keywords: bool,
    /// In the account, for all of them.
    room: Room,
    /// Messages begun that no room has been taken for.
    begun: u64,
}

/// A message on its way that only has to be placed.
pub(super) struct Whole {
    complete: Complete,
    flags: SystemFlags,
    keywords: Vec<Keyword>,
    /// What else it says of itself, if there is room.
    attachment: Option<Keyword>,
}

impl Upload {
    /// Says that mail goes for what comes: room is needed for no more than the difference.
    pub fn replaces(&mut self, messages: u64, octets: u64) {
        self.room.free(Amount {
            storage: octets,
            messages,
        });
    }

    /// Says how much of the message begun is to come, before it does: so many octets more. [`Fault::OverQuota`] if the
    /// account has no room for them.
    pub async fn announce(&mut self, octets: u64) -> Result<(), Fault> {
        let more = Amount {
            storage: octets,
            messages: std::mem::take(&mut self.begun),
        };
        self.room.take(more).await
    }

    /// Begins the next message. In a `binary` one, contents that cannot be kept as they are become base64.
    pub async fn begin(&mut self, binary: bool) -> Result<(), Fault> {
        let folder = Arc::clone(&self.folder);
        let last = self.whole.pop();
        let (last, delivery) = blocking("creating a message", move || {
            let delivery = match &last {
                Some(last) => last.complete.another(&folder),
                None => Delivery::create(&folder),
            };
            (last, delivery)
        })
        .await?;
        self.whole.extend(last);
        let delivery = delivery.map_err(|error| self.fault("creating a message", error))?;
        self.delivery = Some(delivery);
        self.begun = 1;
        self.binary = binary;
        Ok(())
    }

    /// Writes the next bytes of the literal, on the blocking pool.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Fault> {
        let mut delivery = self.take()?;
        let binary = self.binary;
        let (delivery, result) = blocking("writing a message", move || {
            let result = match binary {
                true => delivery.write_as_is(&bytes),
                false => delivery.write(&bytes),
            };
            (delivery, result)
        })
        .await?;
        result.map_err(|error| Fault::from_io("writing a message", error))?;
        self.delivery = Some(delivery);
        Ok(())
    }

    /// Ends the message: it is whole and synced.
    pub async fn end(&mut self, flags: &[Flag], date: Option<DateTime>) -> Result<(), Fault> {
        let delivery = self.take()?;
        let (folder, binary) = (Arc::clone(&self.folder), self.binary);
        let (flags, keywords) = split_flags(flags);
        let has = self.attachment_keywords.then(|| keywords.clone());
        let finished = blocking("finishing a message", move || {
            let mut delivery = match binary {
                true => rewrite(&folder, delivery)?,
                false => delivery,
            };
            let attachment = match has {
                Some(has) => keyword_for(delivery.written()?, &has),
                None => None,
            };
            Ok((delivery.finish(date)?, attachment))
        })
        .await?;
        let (complete, attachment) =
            finished.map_err(|error| self.fault("finishing a message", error))?;
        self.whole.push(Whole {
            complete,
            flags,
            keywords,
            attachment,
        });
        Ok(())
    }

    /// The messages that are whole, and the room that they need, which may be more than was announced.
    pub(super) async fn into_whole(mut self) -> Result<(Vec<Whole>, Room), Fault> {
        let sizes = self.whole.iter().map(|whole| Amount {
            storage: whole.complete.size(),
            messages: 1,
        });
        let all = sizes.fold(Amount::default(), Amount::and);
        self.room.take_in_all(all).await?;
        Ok((self.whole, self.room))
    }

    /// An error of the disk, or of the mailbox being gone.
    fn fault(&self, doing: &str, error: io::Error) -> Fault {
        match self.folder.is_removed() {
            Ok(true) => Fault::Ended,
            _ => Fault::from_io(doing, error),
        }
    }

    fn take(&mut self) -> Result<Delivery, Fault> {
        let cut_off = || {
            Fault::from_io(
                "writing a message",
                io::Error::other("an earlier piece was not written"),
            )
        };
        self.delivery.take().ok_or_else(cut_off)
    }
}

impl Mailbox {
    /// Begins an APPEND.
    pub fn upload(&self) -> Result<Upload, Fault> {
        if !self.folder().is_writable() {
            return Err(Fault::NoPermission("the mailbox is read-only".into()));
        }
        Ok(Upload {
            folder: Arc::clone(self.folder()),
            delivery: None,
            whole: Vec::new(),
            binary: false,
            attachment_keywords: self.attachment_keywords,
            room: self.quota.room(Amount::default()),
            begun: 0,
        })
    }

    /// Ends an APPEND: all its messages are in the mailbox, durably, under the UIDs given, in their order; or
    /// none is.
    pub async fn append(
        self: &Arc<Self>,
        upload: Upload,
    ) -> Result<(UidValidity, Vec<Uid>), Fault> {
        let straight = self.has_writers();
        let (messages, _room) = upload.into_whole().await?;
        let named = self
            .change(move |turn| turn.append(messages, straight))
            .await?;
        self.settle_or_take_back(&named.1).await?;
        Ok(named)
    }
}

impl Turn<'_> {
    pub(super) fn append(
        &mut self,
        messages: Vec<Whole>,
        straight: bool,
    ) -> Result<(UidValidity, Vec<Uid>), Fault> {
        let mut newcomers = Vec::with_capacity(messages.len());
        let result = self.append_each(messages, straight, &mut newcomers);
        let uids = self.enter_all(result, newcomers)?;
        Ok((self.draft.uid_validity, uids))
    }

    fn append_each(
        &mut self,
        messages: Vec<Whole>,
        straight: bool,
        newcomers: &mut Vec<Newcomer>,
    ) -> Result<(), Fault> {
        let mut uid = self.next_uid()?;
        for Whole {
            complete,
            flags,
            keywords,
            attachment,
        } in messages
        {
            let keywords = self.keywords_for(&keywords)?;
            let keywords = self.with_keyword(&keywords, attachment);
            let sub = landing(flags, &keywords, straight);
            let (size, virtual_size) = (complete.size(), complete.virtual_size());
            let name = complete.fresh_name(sub, flags, keywords.letters);
            let name = name.map_err(|error| self.fault("delivering a message", error))?;
            self.put_extras(&[(name.base(), keywords.extras)])?;
            let placed = complete.place_as(&self.disk.folder, sub, &name);
            placed.map_err(|error| self.fault("delivering a message", error))?;
            self.change.add(size);
            self.note_moved(sub, sub);
            let fields = if name.virtual_size().is_none() {
                vec![size_field(virtual_size)]
            } else {
                Vec::new()
            };
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
}

/// The message again, with its binary contents in base64.
fn rewrite(folder: &Folder, mut raw: Delivery) -> io::Result<Delivery> {
    let mut delivery = raw.another(folder)?;
    without_binary(raw.written()?, |piece| delivery.write(piece))?;
    Ok(delivery)
}
