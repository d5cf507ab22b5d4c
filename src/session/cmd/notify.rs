//! NOTIFY (RFC 5465 §3.1). What it asks for is told by [`crate::session::notify`].

use crate::imap::command::WireName;
use crate::imap::fetch::FetchItem;
use crate::imap::name::MailboxName;
use crate::imap::notify::{Event, EventGroup, Filter, NotifySet};
use crate::imap::response::Code;
use crate::mailbox::events::MAILBOXES;
use crate::mailbox::events::attendance::Overflow;
use crate::mailbox::events::scope::{Scope, Wants, Which};
use crate::session::Session;
use crate::session::notify::{self, Notify, OfSelected};
use crate::session::reply::{Failure, Reply};
use crate::session::wait::Waiting;

pub(crate) async fn run(session: &mut Session, set: Option<NotifySet>) -> Result<Reply, Failure> {
    let Some(NotifySet { status, groups }) = set else {
        session.notify = Some(Box::default());
        return Ok(Reply::ok("Notify completed"));
    };
    // "If the client requests information for events of an unsupported type, the server MUST refuse the command with a
    // tagged NO response (not a BAD). This response SHOULD contain the BADEVENT response code".
    let mut events = groups.iter().flat_map(|group| &group.events);
    if !events.all(Event::is_supported) {
        let text = "There is no such event here";
        return Err(Failure::No(Some(Code::BadEvent), text.into()));
    }
    let mut wanted = Notify::default();
    let mut scope = Scope::default();
    for EventGroup { filter, events } in groups {
        let which = match filter {
            Filter::Selected | Filter::SelectedDelayed => {
                wanted.selected = of_selected(filter == Filter::SelectedDelayed, events);
                continue;
            }
            Filter::Inboxes | Filter::Personal => Which::Personal,
            Filter::Subscribed => Which::Subscribed,
            Filter::Mailboxes(names) => Which::Mailboxes(known(session, &names).await?),
            Filter::Subtree(names) => Which::Subtree(known(session, &names).await?),
        };
        scope.server_metadata |= events.contains(&Event::ServerMetadataChange);
        let wants = wants(&events);
        if wants != Wants::default() {
            scope.groups.push((which, wants));
        }
    }
    if wanted.selected.items.contains(&FetchItem::ModSeq) {
        session.enable_condstore();
    }
    // What was asked for before is told up to now.
    notify::tell(session).await?;
    if scope != Scope::default() {
        let user = session.user.clone();
        let listens = Waiting::silently()
            .wait(session, user.attend(scope))
            .await?;
        match listens {
            Ok(attendance) => wanted.attendance = Some(attendance),
            Err(Overflow) => {
                let text = format!("More than {MAILBOXES} mailboxes");
                let code = Code::NotificationOverflow;
                return Err(Failure::No(Some(code), text.into()));
            }
        }
    }
    if wanted.wants_any_metadata() && session.annotations.is_none() {
        session.annotations = Some(session.user.listen());
    }
    session.notify = Some(Box::new(wanted));
    if status {
        notify::tell_all(session).await?;
    }
    Ok(Reply::ok("Notify completed"))
}

fn of_selected(delayed: bool, events: Vec<Event>) -> OfSelected {
    let mut selected = OfSelected {
        flags: events.contains(&Event::FlagChange),
        messages: events.contains(&Event::MessageExpunge),
        delayed,
        items: Vec::new(),
    };
    for event in events {
        if let Event::MessageNew(items) = event {
            selected.items.extend(items);
        }
    }
    selected
}

fn wants(events: &[Event]) -> Wants {
    let has = |event: Event| events.contains(&event);
    Wants {
        messages: has(Event::MessageExpunge),
        flags: has(Event::FlagChange),
        names: has(Event::MailboxName),
        subscriptions: has(Event::SubscriptionChange),
        metadata: has(Event::MailboxMetadataChange),
    }
}

/// "If the name does not refer to an existing mailbox, the server MUST ignore it", and so one that can be none.
async fn known(session: &Session, names: &[WireName]) -> Result<Vec<MailboxName>, Failure> {
    let mut known = Vec::with_capacity(names.len());
    for wire in names {
        match session.name(wire).await {
            Ok(name) if !known.contains(&name) => known.push(name),
            Ok(_) | Err(Failure::No(..)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(known)
}
