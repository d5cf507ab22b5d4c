//! FETCH (RFC 3501 §6.4.5), perhaps of what has changed since (RFC 7162 §3.1.4, §3.2.6).
//!
//! What the client's picture knows is answered from it; for the rest files are read on the blocking pool,
//! in steps that fill a buffer and let go, so that no thread waits for a slow client ([`render`]).

mod plan;
mod reading;
mod render;

use std::sync::Arc;

use crate::blocking::{self, Lost};
use crate::imap::command::{FetchModifiers, Numbering, StoreAction};
use crate::imap::fetch::FetchItem;
use crate::imap::flag::{Flag, SystemFlag};
use crate::imap::response::Code;
use crate::imap::sequence::{MessageSet, ModSeq, NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::view::{Expunge, Picked};
use crate::session::cmd::fetch::plan::Plan;
use crate::session::cmd::fetch::render::{Job, Render};
use crate::session::cmd::{Share, at_once, resolve, resync, uids, unreadable};
use crate::session::reply::{self, End, Failure, Reply};
use crate::session::updates::By;
use crate::session::{Session, State, unkept, updates, writer};

/// Messages that get `\Seen` together: one change of the mailbox for all of them, but not for messages
/// that a client which breaks off never sees.
const SEEN_BATCH: usize = 64;

pub(crate) async fn run(
    session: &mut Session,
    numbering: Numbering,
    set: &MessageSet,
    mut items: Vec<FetchItem>,
    modifiers: FetchModifiers,
) -> Result<Reply, Failure> {
    if modifiers.vanished && !session.enabled.qresync {
        return Err(Failure::Bad("QRESYNC is not enabled".into()));
    }
    // CHANGEDSINCE "implicitly adds the MODSEQ FETCH message data item" (RFC 7162 §3.1.4.1).
    items.extend(modifiers.changed_since.map(|_| FetchItem::ModSeq));
    if items.contains(&FetchItem::ModSeq) {
        session.need_modseqs().await?;
    }
    let hears_modseqs = session.view()?.hears_modseqs();
    let plan = Plan::new(items, numbering, session.enabled);
    let plan = Arc::new(match hears_modseqs {
        true => plan.with_modseqs(),
        false => plan,
    });
    let mut picked = resolve(session.view()?, numbering, set)?;
    let snapshot = present(session, &mut picked)?;
    if let Some(range) = modifiers.partial {
        at_once(session, range.most())?;
        let range = range.of(picked.len());
        picked.truncate(range.end);
        picked.drain(..range.start);
    }
    if let Some(since) = modifiers.changed_since {
        // "first select the last 30 messages and then only return flag changes for a subset of those messages" (RFC
        // 9394 §3.4).
        let since = session.view()?.mailbox().snapshot().since(since);
        picked.retain(|picked| picked.message.modseq > since);
        if modifiers.vanished {
            tell_vanished(session, set, since).await?;
        }
    }
    let share = Share::of(session, &mut picked);
    let view = session.view()?;
    let mailbox = Arc::clone(view.mailbox());
    let Some(highest) = picked.last().map(|picked| picked.message.uid) else {
        return Ok(Reply::ok("Fetch completed"));
    };
    if share.is_some() {
        // "the server is REQUIRED to process messages from highest to lowest UID" (RFC 9738 §3.1).
        picked.reverse();
    }
    if plan.names_uids() || plan.sets_seen() && hears_modseqs {
        mailbox.durable(highest).await?;
    }
    if plan.needs_previews() {
        // "Servers SHOULD log the client authentication identity on FETCH PREVIEW operations" (RFC 8970 §8): the
        // session's span has it.
        tracing::debug!(messages = picked.len(), "FETCH PREVIEW");
    }
    if plan.shows_modseq() {
        let highest = picked.iter().map(|picked| picked.message.modseq).max();
        view.note_shown(highest.unwrap_or_default());
    }
    let mut render = Render::new(Arc::clone(&plan), Arc::clone(&mailbox));
    if plan.sets_seen() && !view.is_read_only() {
        let mut rest = picked.into_iter();
        loop {
            let batch: Vec<Picked> = rest.by_ref().take(SEEN_BATCH).collect();
            if batch.is_empty() {
                break;
            }
            let by_uid = numbering == Numbering::Uid;
            render.add(mark_seen(session, &mailbox, batch, by_uid).await?);
            render = send(session, &plan, render).await?;
        }
    } else {
        render.add(picked.into_iter().map(|picked| Job {
            picked,
            snapshot: Arc::clone(&snapshot),
            marked: false,
        }));
        render = send(session, &plan, render).await?;
    }

    if !render.unreadable().is_empty() {
        mailbox.durable(highest).await?;
        return Err(unreadable(render.unreadable()));
    }
    if render.met_unknown_encoding() {
        let text = "The content transfer encoding of a part is not known";
        return Err(Failure::No(Some(Code::UnknownCte), text.into()));
    }
    if render.met_unkept() {
        return Err(unkept());
    }
    let reply = if render.met_expunged() {
        // The code RFC 5530 made for this, and its own example.
        Reply::with(Code::ExpungeIssued, "Some messages were already expunged")
    } else {
        Reply::ok("Fetch completed")
    };
    Share::conclude(share, session, reply).await
}

/// The state that an answer shows. A client that wants to hear nothing of the selected mailbox (RFC 5465 §3.1) has a
/// picture that rests; which messages it knows by their numbers does not change, but what they are it hears as they are
/// now, for it asks.
fn present(session: &mut Session, picked: &mut [Picked]) -> Result<Arc<Snapshot>, Failure> {
    let rests = (session.notify.as_ref()).is_some_and(|notify| !notify.selected.messages);
    let view = session.view()?;
    if !rests {
        return Ok(Arc::clone(view.snapshot()));
    }
    let now = view.mailbox().snapshot();
    for one in picked {
        if let Some(message) = now.find(one.message.uid) {
            one.message = Arc::clone(message);
        }
    }
    Ok(now)
}

/// Shows the client messages that it has not asked for by a command (RFC 5465 §5.2). None becomes `\Seen` by that. A
/// client that hears of mod-sequences gets "both UID and mod-sequence data" (RFC 7162 §3.2.4), whatever it wants to see.
pub(crate) async fn push(
    session: &mut Session,
    mut items: Vec<FetchItem>,
    new: &NumberSet,
) -> Result<(), Failure> {
    let enabled = session.enabled;
    let view = session.view()?;
    let mailbox = Arc::clone(view.mailbox());
    let mut picked = view.pick_all(new);
    picked.retain(|picked| !picked.gone);
    let Some(highest) = picked.last().map(|picked| picked.message.uid) else {
        return Ok(());
    };
    match view.tells_modseqs() {
        true if items.contains(&FetchItem::ModSeq) => {}
        true => items.push(FetchItem::ModSeq),
        false => items.retain(|item| *item != FetchItem::ModSeq),
    }
    if view.tells_modseqs() {
        let highest = picked.iter().map(|picked| picked.message.modseq).max();
        view.note_shown(highest.unwrap_or_default());
    }
    let plan = Arc::new(Plan::new(items, Numbering::Uid, enabled));
    mailbox.durable(highest).await?;
    let snapshot = Arc::clone(session.view()?.snapshot());
    let mut render = Render::new(Arc::clone(&plan), mailbox);
    render.add(picked.into_iter().map(|picked| Job {
        picked,
        snapshot: Arc::clone(&snapshot),
        marked: false,
    }));
    send(session, &plan, render).await?;
    Ok(())
}

/// Those of the set's messages that are expunged, before any that are there: "otherwise the client might get confused
/// about how message numbers map to UIDs" (RFC 7162 §3.2.6). What was saved by a SEARCH is there.
async fn tell_vanished(
    session: &mut Session,
    set: &MessageSet,
    since: ModSeq,
) -> Result<(), Failure> {
    let (MessageSet::Numbers(known) | MessageSet::NumbersAndSaved(known)) = set else {
        return Ok(());
    };
    let view = session.view()?;
    let gone = resync::vanished(view, since, Some(known));
    if let Some(highest) = gone.last().and_then(Uid::new) {
        view.mailbox().durable(highest).await?;
    }
    resync::tell_gone(session, gone);
    Ok(())
}

/// Sets `\Seen` first, so that the response that shows a body carries the new flags too. If they cannot be
/// set, the message is shown all the same: it can still be read.
///
/// What else is new is told before: a keyword is defined before it is used, and no state is shown that is
/// older than one told already.
async fn mark_seen(
    session: &mut Session,
    mailbox: &Arc<Mailbox>,
    batch: Vec<Picked>,
    by_uid: bool,
) -> Result<Vec<Job>, Failure> {
    let is_seen = |message: &Message| message.flags.has(SystemFlag::Seen);
    // Another session may have taken the flag away, and this client has not heard of it.
    let now = mailbox.snapshot();
    let unseen = |picked: &&Picked| {
        let seen_now = now.find(picked.message.uid).is_none_or(|one| is_seen(one));
        !(picked.gone || is_seen(&picked.message) && seen_now)
    };
    let unseen = uids(batch.iter().filter(unseen));
    let mut marked = false;
    if !unseen.is_empty() {
        let seen = [Flag::System(SystemFlag::Seen)];
        match mailbox.store(&unseen, StoreAction::Add, &seen).await {
            Ok(stored) => {
                session.view()?.told(&unseen, &stored.snapshot);
                updates::tell(session, Expunge::Held, by_uid, By::Client).await?;
                marked = true;
            }
            Err(Fault::Ended) => return Err(Fault::Ended.into()),
            Err(fault) => reply::log(&fault, "FETCH"),
        }
    }
    let view = session.view()?;
    let pick = |picked: Picked| view.pick(picked.message.uid).unwrap_or(picked);
    let mut batch: Vec<Picked> = batch.into_iter().map(pick).collect();
    let snapshot = present(session, &mut batch)?;
    let job = |picked: Picked| Job {
        marked: marked && unseen.contains(picked.message.uid.get()),
        picked,
        snapshot: Arc::clone(&snapshot),
    };
    Ok(batch.into_iter().map(job).collect())
}

/// Renders into the writer's queue and sends, step by step, until nothing is left to render.
async fn send(session: &mut Session, plan: &Plan, mut render: Render) -> Result<Render, Failure> {
    loop {
        let mut queue = std::mem::take(session.writer.queue());
        let outcome;
        (render, queue, outcome) = if render.reads_files(plan) {
            let step = move || {
                let outcome = render.fill(&mut queue, writer::RELIEF);
                (render, queue, outcome)
            };
            match blocking::spawn(step).await {
                Ok(done) => done,
                // It is this session's panic, wherever it happened.
                Err(Lost::Panicked) => std::panic::resume_unwind(Box::new(Lost::Panicked)),
                Err(Lost::Stopped) => return Err(End::STOP.into()),
            }
        } else {
            let outcome = render.fill(&mut queue, writer::RELIEF);
            (render, queue, outcome)
        };
        *session.writer.queue() = queue;
        match outcome {
            Ok(true) => session.writer.relieve().await?,
            Ok(false) => {
                session.writer.relieve().await?;
                return Ok(render);
            }
            // Octets were promised that are not there. Nothing may be put in their place.
            Err(error) => {
                tracing::error!("message changed while it was sent: {error}");
                session.state = State::Authenticated;
                return Err(End::Gone(error).into());
            }
        }
    }
}
