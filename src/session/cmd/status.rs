//! STATUS (RFC 3501 §6.3.10).

use std::sync::Arc;

use crate::imap::command::StatusItem;
use crate::imap::response::{Code, Data};
use crate::session::cmd::durable;
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, State};

pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    items: &[StatusItem],
) -> Result<Reply, Failure> {
    let name = session.name(wire)?;
    let mailbox = session.user.mailbox(&name).await?;
    mailbox.refresh().await?;
    let snapshot = mailbox.snapshot();
    let names_uids = |item: &StatusItem| match item {
        StatusItem::UidNext | StatusItem::UidValidity => true,
        StatusItem::Messages | StatusItem::Recent | StatusItem::Unseen => false,
    };
    if items.iter().any(names_uids) {
        durable(&mailbox, &snapshot).await?;
    }
    let selected = match &session.state {
        State::Selected(view) if Arc::ptr_eq(view.mailbox(), &mailbox) => Some(view),
        State::Selected(_) | State::Authenticated => None,
    };
    // Messages recent to this session are recent to nobody else.
    let own_recent = selected.map_or(0, |view| u64::from(view.recent()));
    let value = |item: &StatusItem| match item {
        StatusItem::Messages => snapshot.len() as u64,
        StatusItem::Recent => mailbox.unclaimed_recent() as u64 + own_recent,
        StatusItem::UidNext => u64::from(snapshot.uid_next.get()),
        StatusItem::UidValidity => u64::from(snapshot.uid_validity.get()),
        StatusItem::Unseen => snapshot.unseen() as u64,
    };
    let values = items.iter().map(|item| (*item, value(item))).collect();
    session.writer.data(&Data::StatusItems(name, values));
    Ok(if selected.is_some() {
        // RFC 3501 §6.3.10: "the STATUS command SHOULD NOT be used on the currently selected mailbox".
        Reply::with(Code::ClientBug, "Status on selected mailbox completed")
    } else {
        Reply::ok("Status completed")
    })
}
