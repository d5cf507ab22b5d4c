//! STATUS (RFC 3501 §6.3.10): of any mailbox. Of the selected one too, with the same answer, although a
//! client should know that one better.

use std::sync::Arc;

use crate::imap::command::StatusItem;
use crate::imap::response::Data;
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
    // Messages recent to this session are recent to nobody else.
    let own_recent = match &session.state {
        State::Selected(view) if Arc::ptr_eq(view.mailbox(), &mailbox) => view.recent(),
        State::Selected(_) | State::Authenticated => 0,
    };
    let value = |item: &StatusItem| match item {
        StatusItem::Messages => snapshot.len() as u64,
        StatusItem::Recent => mailbox.unclaimed_recent() as u64 + u64::from(own_recent),
        StatusItem::UidNext => u64::from(snapshot.uid_next.get()),
        StatusItem::UidValidity => u64::from(snapshot.uid_validity.get()),
        StatusItem::Unseen => snapshot.unseen() as u64,
    };
    let values = items.iter().map(|item| (*item, value(item))).collect();
    session.writer.data(&Data::StatusItems(name, values));
    Ok(Reply::ok("Status completed"))
}
