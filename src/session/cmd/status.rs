//! STATUS (RFC 3501 §6.3.10, RFC 9051 §6.3.11, RFC 7162, RFC 7889, RFC 8438, RFC
//! 8474): of any mailbox. Of the selected one too, with the
//! same answer, although a client should know that one better.

use std::sync::Arc;

use crate::imap::command::StatusItem;
use crate::imap::name::MailboxName;
use crate::imap::response::{Data, StatusValue};
use crate::mailbox::status::{Answer, Asked};
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
    let answer = session.user.status(&name, &asked(session, items)).await?;
    session.writer.data(&data(session, name, items, &answer));
    Ok(Reply::ok("Status completed"))
}

/// What these items take to be found out.
pub(super) fn asked(session: &Session, items: &[StatusItem]) -> Asked {
    let lasting = [
        StatusItem::MailboxId,
        StatusItem::UidNext,
        StatusItem::UidValidity,
    ];
    Asked {
        size: items.contains(&StatusItem::Size),
        deleted_storage: items.contains(&StatusItem::DeletedStorage),
        lasting: items.iter().any(|item| lasting.contains(item)),
        selected: match &session.state {
            State::Selected(view, _) => Some(Arc::clone(view.mailbox())),
            State::Authenticated => None,
        },
    }
}

/// The response about one mailbox, each item once.
pub(super) fn data(
    session: &Session,
    name: MailboxName,
    items: &[StatusItem],
    answer: &Answer,
) -> Data {
    let status = &answer.status;
    let mut values: Vec<(StatusItem, StatusValue)> = Vec::with_capacity(items.len());
    for item in items {
        if values.iter().any(|(known, _)| known == item) {
            continue;
        }
        let number = |number: u32| StatusValue::Number(u64::from(number));
        let value = match item {
            StatusItem::AppendLimit => {
                let limit = session.limits.max_message_size;
                limit.map_or(StatusValue::Nil, StatusValue::Number)
            }
            StatusItem::MailboxId => StatusValue::Id(status.id.clone()),
            StatusItem::Deleted => number(status.deleted),
            StatusItem::DeletedStorage => StatusValue::Number(answer.deleted_storage),
            // "If the server doesn't support the persistent storage of mod-sequences for the mailbox […] the server
            // MUST return 0" (RFC 7162 §3.1.7).
            StatusItem::HighestModSeq => {
                StatusValue::Number(status.modseq.map_or(0, |modseq| modseq.0))
            }
            StatusItem::Messages => number(status.messages),
            StatusItem::Recent => {
                // Messages recent to this session are recent to nobody else.
                let own = match &session.state {
                    State::Selected(view, _) if answer.selected => view.recent(),
                    State::Selected(..) | State::Authenticated => 0,
                };
                number(status.recent.saturating_add(own))
            }
            StatusItem::Size => StatusValue::Number(status.size.unwrap_or_default()),
            StatusItem::UidNext => number(status.uid_next.get()),
            StatusItem::UidValidity => number(status.uid_validity.get()),
            StatusItem::Unseen => number(status.unseen),
        };
        values.push((*item, value));
    }
    Data::StatusItems(name, values)
}
