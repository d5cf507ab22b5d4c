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
use crate::session::{Session, State, follow};

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
) -> Result<(), Failure> {
    // RFC 9051 §7.5.2: "If the server chooses to send unsolicited FETCH responses, they MUST include UID FETCH
    // item."
    let by_uid = by_uid || session.enabled.rev2;
    let view = match &mut session.state {
        State::Selected(view, _) => view,
        State::Authenticated => return Ok(()),
    };
    let Synced {
        gone,
        updates,
        touched,
    } = view.sync(expunge)?;
    let changed: NumberSet = updates.iter().filter_map(changed).collect();
    let mut owes = false;
    if by_uid
        && let Some(highest) = changed.last().and_then(Uid::new)
        && let Err(fault) = view.mailbox().durable(highest).await
    {
        reply::log(&fault, "FETCH");
        view.owe(&changed);
        owes = true;
    }
    follow::tell_gone(session, &gone);
    let Session { writer, state, .. } = session;
    let State::Selected(view, _) = state else {
        return Ok(());
    };
    for update in updates {
        match update {
            Update::Expunge(number) => writer.data(&Data::Expunge(number)),
            Update::Exists(count) => writer.data(&Data::Exists(count)),
            Update::Recent(count) => writer.data(&Data::Recent(count)),
            Update::Keywords => defined_flags(writer, view),
            Update::Flags { .. } if owes => {}
            Update::Flags {
                number,
                message,
                recent,
            } => {
                let shown = Shown {
                    number,
                    message: &message,
                    recent,
                    by_uid,
                };
                flags(writer.queue(), view.snapshot(), shown);
            }
        }
        writer.relieve().await?;
    }
    follow::tell_touched(session, &touched).await
}

fn changed(update: &Update) -> Option<u32> {
    match update {
        Update::Flags { message, .. } => Some(message.uid.get()),
        Update::Expunge(_) | Update::Exists(_) | Update::Recent(_) | Update::Keywords => None,
    }
}

/// A message whose flags are to be shown.
pub(crate) struct Shown<'a> {
    pub(crate) number: SeqNum,
    pub(crate) message: &'a Message,
    pub(crate) recent: bool,
    pub(crate) by_uid: bool,
}

/// `* n FETCH (FLAGS (…))`, with the UID first where it is wanted.
pub(crate) fn flags(out: &mut Vec<u8>, snapshot: &Snapshot, shown: Shown<'_>) {
    let mut items = Items::begin(out, shown.number);
    if shown.by_uid {
        items.uid(out, shown.message.uid);
    }
    items.flags(
        out,
        shown.message.flags,
        shown.recent,
        snapshot.keywords_of(shown.message),
    );
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
