//! STORE (RFC 3501 §6.4.6).

use std::sync::Arc;

use crate::imap::command::{Numbering, StoreAction};
use crate::imap::flag::Flag;
use crate::imap::response::Code;
use crate::imap::sequence::{MessageSet, NumberSet, Uid};
use crate::mailbox::view::Expunge;
use crate::session::Session;
use crate::session::cmd::{Share, resolve, uids};
use crate::session::reply::{Failure, Reply};
use crate::session::updates::{self, Shown};

/// Messages that others have expunged, but that this client has not heard of (RFC 2180 §4.2): the rest is
/// changed. `.SILENT` then is OK; so is a mixture, with `[EXPUNGEISSUED]`; if nothing is left, NO.
pub(crate) async fn run(
    session: &mut Session,
    numbering: Numbering,
    set: &MessageSet,
    action: StoreAction,
    silent: bool,
    flags: &[Flag],
) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let mut picked = resolve(view, numbering, set)?;
    let share = Share::of(session, &mut picked);
    let view = session.writable_view()?;
    let named = uids(picked.iter().filter(|picked| !picked.gone));
    let mut gone = picked.len() as u64 > named.len();
    if !named.is_empty() {
        let mailbox = Arc::clone(view.mailbox());
        let stored = mailbox.store(&named, action, flags).await?;
        gone |= !stored.gone.is_empty();
        if silent {
            view.silenced(&named, &stored);
        } else {
            view.told(&named, &stored.snapshot);
            show(session, &named, numbering == Numbering::Uid).await?;
        }
        if stored.gone.len() < named.len() {
            let reply = Reply::ok("Store completed");
            let reply = match gone && !silent {
                true => partly(reply),
                false => reply,
            };
            return Share::conclude(share, reply);
        }
    }
    if gone && !silent {
        return Err(Failure::No(
            Some(Code::ExpungeIssued),
            "The messages no longer exist".into(),
        ));
    }
    Share::conclude(share, Reply::ok("Store completed"))
}

fn partly(reply: Reply) -> Reply {
    Reply {
        code: Some(Code::ExpungeIssued),
        ..reply
    }
}

/// A FETCH response with the flags of each message. What else is new comes before it: a new keyword is
/// defined before it is used, and no state is shown that is older than one told already.
async fn show(session: &mut Session, named: &NumberSet, by_uid: bool) -> Result<(), Failure> {
    let by_uid = by_uid || session.enabled.rev2;
    updates::tell(session, Expunge::Held, by_uid).await?;
    if by_uid && let Some(highest) = named.ranges().last().and_then(|range| Uid::new(range.1)) {
        let mailbox = Arc::clone(session.view()?.mailbox());
        if let Err(fault) = mailbox.durable(highest).await {
            session.view()?.owe(named);
            return Err(fault.into());
        }
    }
    for uid in named.iter().filter_map(Uid::new) {
        let crate::session::Session { writer, state, .. } = &mut *session;
        let crate::session::State::Selected(view, _) = state else {
            return Ok(());
        };
        let Some(picked) = view.pick(uid).filter(|picked| !picked.gone) else {
            continue;
        };
        let shown = Shown {
            number: picked.number,
            message: &picked.message,
            recent: picked.recent,
            by_uid,
        };
        updates::flags(writer.queue(), view.snapshot(), shown);
        writer.relieve().await?;
    }
    Ok(())
}
