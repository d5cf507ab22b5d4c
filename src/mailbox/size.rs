//! How large a mailbox is (STATUS SIZE, RFC 8438): what RFC822.SIZE says of its messages, together. And how much of the
//! disk they take, by which quotas go.

use std::sync::Arc;

use crate::imap::flag::SystemFlag;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::message::Source;
use crate::message::crlf;

/// Files that are read in one go. Between two of them whoever waits may give up.
const BATCH: usize = 64;

impl Mailbox {
    /// The sum of all sizes in octets. Nearly always they are in the files' names or the uidlist; a file
    /// whose size nobody knows is read, once, and its size is noted for everybody. A message that is gone
    /// meanwhile counts for nothing.
    pub async fn size(self: &Arc<Self>, snapshot: &Snapshot) -> Result<u64, Fault> {
        let mut total = 0u64;
        let mut unknown = Vec::new();
        for message in snapshot.iter() {
            match message.virtual_size() {
                Some(size) => total = total.saturating_add(size),
                None => unknown.push(Arc::clone(message)),
            }
        }
        for batch in unknown.chunks(BATCH) {
            let (mailbox, batch) = (Arc::clone(self), batch.to_vec());
            let sizes = blocking("measuring messages", move || {
                batch
                    .iter()
                    .map(|message| mailbox.measure(message))
                    .collect::<Result<Vec<u64>, Fault>>()
            })
            .await??;
            total = sizes.into_iter().fold(total, u64::saturating_add);
        }
        Ok(total)
    }

    /// The octets of these messages' files, as their names say or as they are. One that is gone has none.
    pub async fn storage(self: &Arc<Self>, messages: Vec<Arc<Message>>) -> Result<u64, Fault> {
        let named = messages.iter().filter_map(|message| message.name.size());
        let mut total = named.fold(0, u64::saturating_add);
        let mut unnamed = messages;
        unnamed.retain(|message| message.name.size().is_none());
        for batch in unnamed.chunks(BATCH) {
            let (mailbox, batch) = (Arc::clone(self), batch.to_vec());
            let sizes = blocking("measuring messages", move || {
                let sizes = batch
                    .iter()
                    .map(|message| match mailbox.file_size(message) {
                        Err(Fault::Expunged) => Ok(0),
                        size => size,
                    });
                sizes.collect::<Result<Vec<u64>, Fault>>()
            })
            .await??;
            total = sizes.into_iter().fold(total, u64::saturating_add);
        }
        Ok(total)
    }

    /// What an EXPUNGE would free (RFC 9208 §4.1.4), in octets.
    pub async fn deleted_storage(self: &Arc<Self>, snapshot: &Snapshot) -> Result<u64, Fault> {
        let is_deleted = |message: &&Arc<Message>| message.flags.has(SystemFlag::Deleted);
        let deleted = snapshot.iter().filter(is_deleted);
        self.storage(deleted.cloned().collect()).await
    }

    /// **Blocking**.
    fn measure(&self, message: &Message) -> Result<u64, Fault> {
        let file = match self.open(message) {
            Ok(file) => file,
            Err(Fault::Expunged) => return Ok(0),
            Err(fault) => return Err(fault),
        };
        let size = Source::len(&file)
            .and_then(|length| crlf::virtual_size(&file, 0..length))
            .map_err(|error| {
                let (uid, place) = (message.uid, self.folder().path().display());
                Fault::from_io(format!("measuring UID {uid} in {place}"), error)
            })?;
        message.note_virtual_size(size);
        Ok(size)
    }
}
