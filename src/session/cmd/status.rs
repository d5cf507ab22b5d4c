//! STATUS (RFC 3501 §6.3.10, RFC 9051 §6.3.11, RFC 7162, RFC 7889, RFC 8438, RFC
//! 8474): of any mailbox. Of the selected one too, with the
//! same answer, although a client should know that one better.

use std::sync::Arc;

use crate::imap::command::StatusItem;
use crate::imap::name::MailboxName;
use crate::imap::response::{Data, StatusValue};
use crate::session::cmd::durable;
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, State};

pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    items: &[StatusItem],
) -> Result<Reply, Failure> {
    if items.contains(&StatusItem::HighestModSeq) {
        session.enable_condstore();
    }
    let name = session.name(wire).await?;
    let status = status(session, name, items).await?;
    session.writer.data(&status);
    Ok(Reply::ok("Status completed"))
}

/// The response about one mailbox, each item once.
pub(super) async fn status(
    session: &Session,
    name: MailboxName,
    items: &[StatusItem],
) -> Result<Data, Failure> {
    let mailbox = session.user.mailbox(&name).await?;
    mailbox.refresh().await?;
    let snapshot = mailbox.snapshot();
    let mut values: Vec<(StatusItem, StatusValue)> = Vec::with_capacity(items.len());
    for item in items {
        if values.iter().any(|(known, _)| known == item) {
            continue;
        }
        let value = match item {
            StatusItem::AppendLimit => {
                let limit = session.limits.max_message_size;
                values.push((*item, limit.map_or(StatusValue::Nil, StatusValue::Number)));
                continue;
            }
            StatusItem::MailboxId => {
                durable(&mailbox, &snapshot).await?;
                values.push((*item, StatusValue::Id(snapshot.id.clone())));
                continue;
            }
            StatusItem::Deleted => snapshot.deleted() as u64,
            StatusItem::DeletedStorage => mailbox.deleted_storage(&snapshot).await?,
            // "If the server doesn't support the persistent storage of mod-sequences for the mailbox […] the server
            // MUST return 0" (RFC 7162 §3.1.7).
            StatusItem::HighestModSeq => match snapshot.keeps_modseqs() {
                true => snapshot.modseq.0,
                false => 0,
            },
            StatusItem::Messages => snapshot.len() as u64,
            StatusItem::Recent => {
                // Messages recent to this session are recent to nobody else.
                let own = match &session.state {
                    State::Selected(view, _) if Arc::ptr_eq(view.mailbox(), &mailbox) => {
                        view.recent()
                    }
                    State::Selected(..) | State::Authenticated => 0,
                };
                mailbox.unclaimed_recent() as u64 + u64::from(own)
            }
            StatusItem::Size => mailbox.size(&snapshot).await?,
            StatusItem::UidNext => {
                durable(&mailbox, &snapshot).await?;
                u64::from(snapshot.uid_next.get())
            }
            StatusItem::UidValidity => {
                durable(&mailbox, &snapshot).await?;
                u64::from(snapshot.uid_validity.get())
            }
            StatusItem::Unseen => snapshot.unseen() as u64,
        };
        values.push((*item, StatusValue::Number(value)));
    }
    Ok(Data::StatusItems(name, values))
}
