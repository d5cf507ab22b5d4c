//! COPY (RFC 3501 §6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315 §3). All of the messages or none.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::response::{Code, StatusKind};
use crate::imap::sequence::{MessageSet, NumberSet};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::transfer::Copied;
use crate::mailbox::view::Picked;
use crate::session::cmd::{
    Share, beyond, one_is_gone, resolve, save_limit, target, target_is_gone, too_many, uids,
};
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, updates};

pub(crate) async fn copy(
    session: &mut Session,
    numbering: Numbering,
    set: &MessageSet,
    wire: &[u8],
) -> Result<Reply, Failure> {
    session.view()?;
    let picked = resolve(session.view()?, numbering, set)?;
    if let Some((limit, beyond)) = beyond(save_limit(session), picked.len()) {
        let lowest = picked.get(beyond).map(|picked| picked.message.uid);
        if let Some(lowest) = lowest {
            session.view()?.mailbox().durable(lowest).await?;
        }
        return Err(too_many(limit, lowest));
    }
    let Some(work) = prepare(session, picked, wire).await? else {
        return Ok(Reply::ok("No messages found"));
    };
    let copied = work.source.copy(&work.uids, &work.target).await;
    let copied = copied.map_err(target_is_gone)?;
    session.note_made(&work.target, copied.to.iter().copied());
    Ok(match code(&copied, &work.target) {
        Some(code) => Reply::with(code, "Copy completed"),
        None => Reply::ok("Copy completed"),
    })
}

/// The untagged COPYUID comes first, the EXPUNGEs next, so that a client knows where its messages are
/// before it forgets where they were (RFC 6851 §4.3). "If at least one message was moved, the server MUST send the
/// updated per-mailbox modification sequence using the HIGHESTMODSEQ response code" (§4.4).
pub(crate) async fn move_to(
    session: &mut Session,
    numbering: Numbering,
    set: &MessageSet,
    wire: &[u8],
) -> Result<Reply, Failure> {
    session.writable_view()?;
    let mut picked = resolve(session.view()?, numbering, set)?;
    let share = Share::of(session, &mut picked);
    let Some(work) = prepare(session, picked, wire).await? else {
        return Ok(Reply::ok("No messages found"));
    };
    let moved = work.source.move_to(&work.uids, &work.target).await;
    let moved = moved.map_err(|fault| one_is_gone(fault, &work.source))?;
    session.note_made(&work.target, moved.to.iter().copied());
    if let Some(code) = code(&moved, &work.target) {
        session
            .writer
            .status(None, StatusKind::Ok, Some(code), "Moved UIDs.");
    }
    let reply = Reply::ok("Move completed");
    let reply = match moved.from.is_empty() {
        true => reply,
        false => Reply {
            code: updates::removed_code(session),
            ..reply
        },
    };
    Share::conclude(share, session, reply).await
}

struct Work {
    source: Arc<Mailbox>,
    uids: NumberSet,
    target: Arc<Mailbox>,
}

/// `None` where UIDs are named that do not exist: that is no error (RFC 3501 §6.4.8).
async fn prepare(
    session: &mut Session,
    picked: Vec<Picked>,
    wire: &[u8],
) -> Result<Option<Work>, Failure> {
    let source = Arc::clone(session.view()?.mailbox());
    if picked.iter().any(|picked| picked.gone) {
        return Err(Fault::Expunged.into());
    }
    let target = target(session, wire).await?;
    Ok((!picked.is_empty()).then(|| Work {
        source,
        uids: uids(&picked),
        target,
    }))
}

fn code(copied: &Copied, target: &Mailbox) -> Option<Code> {
    let set = |uids: &[crate::imap::sequence::Uid]| -> NumberSet {
        uids.iter().map(|uid| uid.get()).collect()
    };
    (target.uids_are_sticky() && !copied.from.is_empty())
        .then(|| Code::CopyUid(copied.uid_validity, set(&copied.from), set(&copied.to)))
}
