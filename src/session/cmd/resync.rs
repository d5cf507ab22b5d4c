//! What has happened in a mailbox since a client knew it (RFC 7162 §3.2.5, §3.2.6): messages expunged, then changed.

use std::sync::Arc;

use crate::imap::command::Resync;
use crate::imap::response::Data;
use crate::imap::sequence::{ModSeq, NumberSet, SequenceSet, Uid};
use crate::mailbox::view::{Picked, View};
use crate::session::Session;
use crate::session::reply::Failure;
use crate::session::updates::{self, Shown};

/// For SELECT with QRESYNC, when the mailbox is open. Where the client knows another UIDVALIDITY, "the server MUST
/// ignore the remaining parameters and behave as if no dynamic message data changed"; so where no mod-sequences are
/// kept.
pub(super) async fn tell(session: &mut Session, resync: &Resync) -> Result<(), Failure> {
    let view = session.view()?;
    let snapshot = Arc::clone(view.snapshot());
    if resync.uid_validity != snapshot.uid_validity || !view.tells_modseqs() {
        return Ok(());
    }
    let since = snapshot.since(resync.modseq);
    let mut gone = vanished(view, since, resync.known.as_ref());
    if let Some(matched) = resync
        .sample
        .as_ref()
        .and_then(|sample| last_match(view, sample))
    {
        gone = gone.difference(&NumberSet::from_ranges([(1, matched.get())]));
    }
    let known = match &resync.known {
        Some(known) => view.pick_all(&known.resolve(u32::MAX)),
        None => view.all(),
    };
    tell_gone(session, gone);
    let changed = known.iter().filter(|one| one.message.modseq > since);
    for Picked {
        number,
        message,
        recent,
        ..
    } in changed
    {
        let shown = Shown {
            number: *number,
            message,
            recent: *recent,
            by_uid: true,
            modseq: true,
            flags: true,
        };
        updates::flags(session.writer.queue(), &snapshot, shown);
        session.writer.relieve().await?;
    }
    Ok(())
}

/// UIDs of messages that are expunged since then, and that this client is not to hear of in another way: it takes those
/// of its picture to be there until it hears of each that it is gone.
pub(super) fn vanished(view: &View, since: ModSeq, known: Option<&SequenceSet>) -> NumberSet {
    let gone = view.mailbox().vanished(since, known);
    let later = NumberSet::from_ranges([(view.snapshot().uid_next.get(), u32::MAX)]);
    gone.difference(&later).difference(&view.uids())
}

/// `* VANISHED (EARLIER) …`, if there are any.
pub(super) fn tell_gone(session: &mut Session, uids: NumberSet) {
    if !uids.is_empty() {
        session.writer.data(&Data::Vanished {
            earlier: true,
            uids,
        });
    }
}

/// The last of the messages that have the sequence numbers and UIDs which the client says they have. Then it "knows of
/// any expunges up to, and including, the message": as many messages are there up to it as the client thinks, and none
/// of them can be new.
fn last_match(view: &View, (numbers, uids): &(SequenceSet, SequenceSet)) -> Option<Uid> {
    let (numbers, uids) = (numbers.resolve(u32::MAX), uids.resolve(u32::MAX));
    let pairs = numbers.iter().zip(uids.iter());
    let known = pairs.take_while(|(number, _)| *number <= view.exists());
    let matching = known.filter(|(number, uid)| {
        let message = view.snapshot().get(*number as usize - 1);
        message.is_some_and(|message| message.uid.get() == *uid)
    });
    matching.last().and_then(|(_, uid)| Uid::new(uid))
}
