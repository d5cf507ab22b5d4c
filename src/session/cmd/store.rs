//! STORE (RFC 3501 §6.4.6), perhaps under a condition (RFC 7162 §3.1.3).

use std::sync::Arc;

use crate::imap::command::{Numbering, StoreAction};
use crate::imap::flag::Flag;
use crate::imap::response::Code;
use crate::imap::sequence::{MessageSet, ModSeq, NumberSet, Uid};
use crate::mailbox::alter::Condition;
use crate::mailbox::view::Expunge;
use crate::session::Session;
use crate::session::cmd::search::numbers;
use crate::session::cmd::{Share, resolve, uids};
use crate::session::reply::{Failure, Reply};
use crate::session::updates::{self, By, Naming};

/// What is to be done to the messages.
pub(crate) struct Change<'f> {
    pub(crate) unchanged_since: Option<ModSeq>,
    pub(crate) action: StoreAction,
    pub(crate) silent: bool,
    pub(crate) flags: &'f [Flag],
}

/// Messages that others have expunged, but that this client has not heard of (RFC 2180 §4.2): the rest is
/// changed. `.SILENT` then is OK; so is a mixture, with `[EXPUNGEISSUED]`; if nothing is left, NO.
pub(crate) async fn run(
    session: &mut Session,
    numbering: Numbering,
    set: &MessageSet,
    change: Change<'_>,
) -> Result<Reply, Failure> {
    let Change {
        unchanged_since,
        action,
        silent,
        flags,
    } = change;
    let conditional = unchanged_since.is_some();
    if conditional {
        session.need_modseqs().await?;
    }
    let view = session.writable_view()?;
    let mut picked = resolve(view, numbering, set)?;
    let share = Share::of(session, &mut picked);
    let view = session.writable_view()?;
    let named = uids(picked.iter().filter(|picked| !picked.gone));
    let mut gone = picked.len() as u64 > named.len();
    if !named.is_empty() {
        let mailbox = Arc::clone(view.mailbox());
        let condition = unchanged_since.map(|since| Condition {
            since,
            picture: Arc::clone(view.snapshot()),
        });
        let stored = mailbox.store_if(&named, action, flags, condition).await?;
        gone |= !stored.gone.is_empty();
        let view = session.view()?;
        if silent {
            view.silenced(&named.difference(&stored.modified), &stored, conditional);
            // "It is RECOMMENDED that the server avoids the need for the client" to ask "by sending an unsolicited
            // FETCH response" (RFC 7162 §3.1.3).
            view.owe(&stored.modified);
        } else {
            view.owe(&named);
        }
        if !silent || view.tells_modseqs() {
            show(session, &named, numbering == Numbering::Uid).await?;
        }
        if !stored.modified.is_empty() {
            let reply = modified(session, numbering, stored.modified)?;
            let reply = Share::conclude(share, session, reply).await?;
            return match gone && !silent {
                true => {
                    let text = "Some of the messages no longer exist";
                    Err(Failure::No(reply.code, text.into()))
                }
                false => Ok(reply),
            };
        }
        if stored.gone.len() < named.len() {
            let reply = Reply::ok("Store completed");
            let reply = match gone && !silent {
                true => partly(reply),
                false => reply,
            };
            return Share::conclude(share, session, reply).await;
        }
    }
    if gone && !silent {
        let reply = Reply::with(Code::ExpungeIssued, "The messages no longer exist");
        let Reply { code, text } = Share::conclude(share, session, reply).await?;
        return Err(Failure::No(code, text));
    }
    Share::conclude(share, session, Reply::ok("Store completed")).await
}

fn partly(reply: Reply) -> Reply {
    Reply {
        code: Some(Code::ExpungeIssued),
        ..reply
    }
}

/// "If this list is non-empty, the server MUST return in the tagged response a MODIFIED response code" (RFC 7162
/// §3.1.3); where messages are gone besides, that is a NO as in the RFC's example 11.
fn modified(
    session: &mut Session,
    numbering: Numbering,
    uids: NumberSet,
) -> Result<Reply, Failure> {
    let code = Code::Modified(match numbering {
        Numbering::Uid => uids,
        Numbering::Sequence => numbers(session.view()?, uids.iter()).collect(),
    });
    Ok(Reply::with(code, "Conditional STORE failed"))
}

/// Tells what there is to hear of these messages, with what else is new: a keyword is defined before it is used.
async fn show(session: &mut Session, named: &NumberSet, by_uid: bool) -> Result<(), Failure> {
    let view = session.view()?;
    let mailbox = Arc::clone(view.mailbox());
    let hears_modseqs = view.hears_modseqs();
    let naming = Naming::of(session.enabled, by_uid || hears_modseqs);
    if naming.speaks_uids()
        && let Some(highest) = named.last().and_then(Uid::new)
    {
        mailbox.durable(highest).await?;
    }
    updates::tell(session, Expunge::Held, by_uid, By::Client).await
}
