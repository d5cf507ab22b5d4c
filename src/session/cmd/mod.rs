//! The commands: a file for each, or for two that differ in little. Each takes the session and its
//! arguments, queues the untagged responses it makes itself, and gives the rest of its tagged line.
//! What it changed is told like everybody's changes, after it has ended, by [`crate::session::run`].

pub mod any;
pub mod append;
pub mod cancelupdate;
pub mod check;
pub mod close;
pub mod compress;
pub mod copy;
pub mod create;
pub mod delete;
pub mod enable;
pub mod esearch;
pub mod expunge;
pub mod fetch;
pub mod idle;
pub mod list;
pub mod metadata;
pub mod namespace;
pub mod notify;
mod part;
pub mod quota;
pub mod rename;
pub mod replace;
mod resync;
pub mod search;
pub mod select;
pub mod sort;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod uidbatches;

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::response::{Code, StatusKind};
use crate::imap::sequence::{MessageSet, NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::{Picked, View};
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// Of messages that could not be read, this many are named.
const NAMED_UNREADABLE: usize = 20;

/// The mailbox that messages are to be put into. A missing one is `[TRYCREATE]` (RFC 3501 §6.3.11, §6.4.7).
async fn target(session: &mut Session, wire: &[u8]) -> Result<Arc<Mailbox>, Failure> {
    let named = session.named(wire).await?;
    session.note_target(&named.name);
    match session.user.mailbox(&named.name).await {
        Ok(mailbox) => {
            session.tell_old_name(&named, Vec::new());
            Ok(mailbox)
        }
        Err(fault @ Fault::NonExistent(_)) => {
            Err(Failure::No(Some(Code::TryCreate), fault.to_string().into()))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// The answer where the mailbox that messages were to be put into was removed meanwhile.
fn target_is_gone(fault: Fault) -> Failure {
    match fault {
        Fault::Ended => Failure::No(
            Some(Code::TryCreate),
            "Mailbox was deleted meanwhile".into(),
        ),
        fault => fault.into(),
    }
}

/// The same where the mailbox that they come from may be the one that was removed.
fn one_is_gone(fault: Fault, source: &Mailbox) -> Failure {
    match source.has_ended() {
        true => fault.into(),
        false => target_is_gone(fault),
    }
}

/// The messages that a command names.
fn resolve(view: &View, numbering: Numbering, set: &MessageSet) -> Result<Vec<Picked>, Failure> {
    let numbered = |set| {
        view.resolve(numbering, set)
            .map_err(|_| Failure::Bad("Invalid messageset".into()))
    };
    match set {
        MessageSet::Numbers(set) => numbered(set),
        MessageSet::NumbersAndSaved(set) => {
            let mut picked = numbered(set)?;
            picked.extend(view.resolve_saved());
            picked.sort_by_key(|picked| picked.number);
            picked.dedup_by_key(|picked| picked.number);
            Ok(picked)
        }
        MessageSet::Saved => Ok(view.resolve_saved()),
    }
}

/// How much of what a command names it does (RFC 9738): all, or the messages with the highest UIDs.
#[derive(Clone, Copy, Debug)]
struct Share {
    limit: u32,
    /// The lowest UID that is done.
    lowest: Uid,
}

impl Share {
    /// Takes as many messages as one command may process. `None`: that is all of them.
    fn of(session: &Session, picked: &mut Vec<Picked>) -> Option<Share> {
        let (limit, beyond) = beyond(session.limits.message_limit, picked.len())?;
        picked.drain(..beyond);
        let lowest = picked.first()?.message.uid;
        Some(Share { limit, lowest })
    }

    /// What a command that did its share ends with: the client goes on below that UID. Where the tagged OK has
    /// another code to carry, an untagged NO before it says so.
    async fn conclude(
        share: Option<Share>,
        session: &mut Session,
        reply: Reply,
    ) -> Result<Reply, Failure> {
        let Some(Share { limit, lowest }) = share else {
            return Ok(reply);
        };
        session.view()?.mailbox().durable(lowest).await?;
        let code = Code::MessageLimit(limit, Some(lowest));
        if reply.code.is_some() {
            let text = format!("Only the newest {limit} messages were processed");
            let writer = &mut session.writer;
            writer.status(None, StatusKind::No, Some(code), text);
            return Ok(reply);
        }
        let text = format!("{}: the newest {limit} messages", reply.text);
        Ok(Reply::with(code, text))
    }
}

/// The limit, if there is one and there are more messages, and how many more.
fn beyond(limit: Option<u32>, messages: usize) -> Option<(u32, usize)> {
    let limit = limit?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let beyond = messages.checked_sub(most).filter(|beyond| *beyond > 0)?;
    Some((limit, beyond))
}

/// Refuses what is not done by shares where it is of more messages than one command may process (RFC 9738).
fn at_once(session: &Session, messages: usize) -> Result<(), Failure> {
    match beyond(session.limits.message_limit, messages) {
        Some((limit, _)) => Err(too_many(limit, None)),
        None => Ok(()),
    }
}

/// So many messages one APPEND or COPY may make, all of them or none.
fn save_limit(session: &Session) -> Option<u32> {
    session.limits.message_limit.or(session.limits.save_limit)
}

/// `lowest` is where a share would end.
fn too_many(limit: u32, lowest: Option<Uid>) -> Failure {
    let text = format!("{limit} messages at a time");
    Failure::No(Some(Code::MessageLimit(limit, lowest)), text.into())
}

/// The UIDs of messages.
fn uids<'a>(picked: impl IntoIterator<Item = &'a Picked>) -> NumberSet {
    picked
        .into_iter()
        .map(|picked| picked.message.uid.get())
        .collect()
}

/// What a client hears of messages that are there and could not be read.
fn unreadable(uids: &[Uid]) -> Failure {
    let named: Vec<String> = (uids.iter().take(NAMED_UNREADABLE))
        .map(ToString::to_string)
        .collect();
    let text = format!("Messages that cannot be read: UID {}", named.join(", "));
    Failure::No(Some(Code::ServerBug), text.into())
}

/// Waits until UIDNEXT, UIDVALIDITY and every UID of a snapshot may be spoken.
async fn durable(mailbox: &Mailbox, snapshot: &Snapshot) -> Result<(), Failure> {
    let last = snapshot.uid_next.get() - 1;
    // In an empty mailbox UIDVALIDITY alone is waited for.
    let last = Uid::new(last).unwrap_or(snapshot.uid_next);
    Ok(mailbox.durable(last).await?)
}
