//! What others changed → untagged responses, from the differences between a view and its mailbox.

use tokio::io::AsyncWrite;

use crate::imap::encode::fetch::Items;
use crate::imap::response::{Code, Data, StatusKind};
use crate::imap::sequence::{NumberSet, SeqNum, Uid};
use crate::mailbox::news::{Synced, Update};
use crate::mailbox::snapshot::{Message, Snapshot};
use crate::mailbox::view::{Expunge, View};
use crate::session::reply::{self, Failure};
use crate::session::writer::Writer;
use crate::session::{Enabled, Session, State, follow, notify};

/// Whose changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The client has changed something itself, and hears what became of it.
    Client,
    /// Others alone: they are told as far as the client wants to hear of them (RFC 5465).
    Others,
}

/// Tells the client what is new in the selected mailbox, as far as `expunge` allows. With `by_uid`, FETCH
/// responses name the UID; those of messages whose UID may not be spoken, because the disk fails, are left for the
/// next time.
///
/// Once the picture has moved on, nothing but the end of the session keeps the client from hearing of it: without one
/// EXPUNGE it would take every number after that for another message.
pub(crate) async fn tell(
    session: &mut Session,
    expunge: Expunge,
    by_uid: bool,
    by: By,
) -> Result<(), Failure> {
    let selected = session.notify.as_ref().map(|notify| &notify.selected);
    let (tells_messages, tells_flags, notifies) = match selected {
        Some(wanted) => {
            let own = by == By::Client;
            (wanted.messages || own, wanted.flags || own, wanted.flags)
        }
        None => (true, true, false),
    };
    if !tells_messages {
        return Ok(());
    }
    let view = match &mut session.state {
        State::Selected(view, _) => view,
        State::Authenticated => return Ok(()),
    };
    // RFC 9051 §7.5.2: "If the server chooses to send unsolicited FETCH responses, they MUST include UID FETCH
    // item." RFC 7162 §3.2.4: "both UID and mod-sequence data".
    let Synced {
        gone,
        mut updates,
        touched,
        new,
    } = view.sync(expunge)?;
    let modseqs = view.tells_modseqs();
    let hears_modseqs = view.hears_modseqs();
    let naming = Naming::of(session.enabled, by_uid || hears_modseqs || notifies);
    if !tells_flags {
        // They are told when the client changes flags itself, or wants to hear of them again.
        let untold: NumberSet = updates.iter().filter_map(changed).collect();
        updates.retain(|update| !matches!(update, Update::Flags { .. }));
        view.owe(&untold);
    }
    let changed: NumberSet = updates.iter().filter_map(changed).collect();
    let mut owes = false;
    if naming.speaks_uids()
        && let Some(highest) = changed.last().and_then(Uid::new)
        && let Err(fault) = view.mailbox().durable(highest).await
    {
        reply::log(&fault, "FETCH");
        view.owe(&changed);
        owes = true;
    }
    let mut vanished = NumberSet::new();
    let uid_only = session.enabled.uid_only;
    if uid_only || session.enabled.qresync && (modseqs || view.awaits_modseqs()) {
        vanished = updates.iter().filter_map(expunged).collect();
        // What happens to a message is heard in any case, if need be by its number; or by a UID that the client, where it
        // did not hear it before, can do nothing with.
        if let Some(highest) = vanished.last().and_then(Uid::new)
            && let Err(fault) = view.mailbox().durable(highest).await
        {
            reply::log(&fault, "VANISHED");
            if !uid_only {
                vanished = NumberSet::new();
            }
        }
    }
    follow::tell_gone(session, &gone);
    let Session { writer, state, .. } = session;
    let State::Selected(view, _) = state else {
        return Ok(());
    };
    if !vanished.is_empty() {
        writer.data(&Data::Vanished {
            earlier: false,
            uids: vanished.clone(),
        });
    }
    for update in updates {
        match update {
            Update::Expunge(..) if !vanished.is_empty() => {}
            Update::Expunge(number, _) => writer.data(&Data::Expunge(number)),
            Update::Exists(count) => writer.data(&Data::Exists(count)),
            Update::Recent(count) => writer.data(&Data::Recent(count)),
            Update::Keywords => defined_flags(writer, view),
            Update::Flags { .. } if owes => {}
            Update::Flags {
                number,
                message,
                recent,
                known,
            } => {
                let shown = Shown {
                    number,
                    message: &message,
                    recent,
                    naming,
                    modseq: modseqs,
                    flags: !known,
                };
                flags(writer.queue(), view.snapshot(), shown);
            }
        }
        writer.relieve().await?;
    }
    if let Some(notify) = &mut session.notify {
        notify.note_new(&new);
    }
    if matches!(&session.state, State::Selected(_, followed) if !followed.is_empty()) {
        // In a box of its own, for few sessions follow any.
        Box::pin(follow::tell_touched(session, &touched, &new)).await?;
    }
    // "The FETCH response(s) MUST follow any ESEARCH ADDTO responses" (RFC 5465 §5.2).
    notify::fetch_new(session).await
}

/// Tells the client of a mod-sequence that it has to know of at a command's end, when its news have been told. Of one
/// that has risen only clients hear that resynchronise by it; and nobody who hears it by `code` in the tagged line,
/// which this gives.
pub(crate) fn tell_modseq(session: &mut Session, code: Option<Code>) -> Option<Code> {
    let State::Selected(view, _) = &mut session.state else {
        return code;
    };
    let settled = view.settle_modseq(session.enabled.qresync);
    let news = view.take_owed_modseq().or(settled);
    match (code, news) {
        (Some(Code::HighestModSeq(_)), _) => Some(Code::HighestModSeq(view.highest_modseq())),
        (code, Some(modseq)) if view.hears_modseqs() => {
            let highest = Some(Code::HighestModSeq(modseq));
            session
                .writer
                .status(None, StatusKind::Ok, highest, "Highest");
            code
        }
        (code, _) => code,
    }
}

/// The code of a command that has removed messages: "If at least one message got expunged and QRESYNC was enabled, the
/// server MUST send the updated per-mailbox modification sequence using the HIGHESTMODSEQ response code […] in the
/// tagged OK response" (RFC 7162 §3.2.7). What it is then will be known when the news are told.
pub(crate) fn removed_code(session: &mut Session) -> Option<Code> {
    let tells = session.enabled.qresync;
    let view = session
        .view()
        .ok()
        .filter(|view| tells && view.tells_modseqs())?;
    Some(Code::HighestModSeq(view.highest_modseq()))
}

fn changed(update: &Update) -> Option<u32> {
    match update {
        Update::Flags { message, .. } => Some(message.uid.get()),
        Update::Expunge(..) | Update::Exists(_) | Update::Recent(_) | Update::Keywords => None,
    }
}

fn expunged(update: &Update) -> Option<u32> {
    match update {
        Update::Expunge(_, uid) => Some(uid.get()),
        _ => None,
    }
}

/// A message of which something is to be shown: its flags, or but its mod-sequence.
pub(crate) struct Shown<'a> {
    pub(crate) number: SeqNum,
    pub(crate) message: &'a Message,
    pub(crate) recent: bool,
    pub(crate) naming: Naming,
    pub(crate) modseq: bool,
    pub(crate) flags: bool,
}

/// By what FETCH responses that nobody asked for name their messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By number.
    Number,
    /// By number, and the UID is the first item.
    NumberAndUid,
    /// By UID alone, after ENABLE UIDONLY.
    Uid,
}

impl Naming {
    /// For a client that has enabled this, where UIDs are wanted or not. With IMAP4rev2 they always are.
    pub(crate) fn of(enabled: Enabled, by_uid: bool) -> Naming {
        match by_uid || enabled.rev2 {
            _ if enabled.uid_only => Naming::Uid,
            true => Naming::NumberAndUid,
            false => Naming::Number,
        }
    }

    /// Whether UIDs are told.
    pub(crate) fn speaks_uids(self) -> bool {
        self != Naming::Number
    }
}

/// `* n FETCH (FLAGS (…))`, with the UID first where it is wanted, and the mod-sequence last.
pub(crate) fn flags(out: &mut Vec<u8>, snapshot: &Snapshot, shown: Shown<'_>) {
    let uid = shown.message.uid;
    let mut items = match shown.naming {
        Naming::Uid => Items::begin_by_uid(out, uid),
        Naming::Number | Naming::NumberAndUid => Items::begin(out, shown.number),
    };
    if shown.naming == Naming::NumberAndUid {
        items.uid(out, uid);
    }
    if shown.flags {
        items.flags(
            out,
            shown.message.flags,
            shown.recent,
            snapshot.keywords_of(shown.message),
        );
    }
    if shown.modseq {
        items.modseq(out, shown.message.modseq);
    }
    items.end(out);
}

/// `* FLAGS` and PERMANENTFLAGS (RFC 3501 §7.1, §7.2.6), as SELECT begins and as new keywords are told.
pub(crate) fn defined_flags<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, view: &View) {
    let (system, keywords, more) = view.defined_flags();
    writer.data(&Data::Flags(system, keywords.clone()));
    let (code, text) = if view.is_read_only() {
        let none = crate::imap::flag::SystemFlags::NONE;
        (
            Code::PermanentFlags(none, Vec::new(), false),
            "Read-only mailbox.",
        )
    } else {
        (
            Code::PermanentFlags(system, keywords, more),
            "Flags permitted.",
        )
    };
    writer.status(None, StatusKind::Ok, Some(code), text);
}
