//! What a client has asked for by NOTIFY (RFC 5465), and telling it: at a command's end, in IDLE, and while no command
//! is in progress.
//!
//! "The server SHOULD omit notifying the client if the event is caused by this client" (§5): what a command did in
//! other mailboxes is looked at as it ends, before anything is told, and is told only where others did something there
//! too.

use crate::imap::command::StatusItem;
use crate::imap::fetch::FetchItem;
use crate::imap::name::MailboxName;
use crate::imap::response::{
    Code, Data, ListAttribute, ListExtended, ListItem, StatusKind, StatusValue,
};
use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::events::attendance::{Attendance, Changed, Heard};
use crate::mailbox::events::{Counts, NameChange, NameKind};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::view::Expunge;
use crate::session::cmd::{fetch, metadata};
use crate::session::reply::{self, Failure};
use crate::session::{Session, State, updates};

/// Other mailboxes that a command has put messages into are remembered up to so many.
const OWN: usize = 100;

/// What the client has asked for. There is one after the first NOTIFY: from then on what is told is what was asked for.
#[derive(Default)]
pub(crate) struct Notify {
    pub(crate) selected: OfSelected,
    /// `None` where nothing is asked but of the selected mailbox.
    pub(crate) attendance: Option<Attendance>,
    /// Where the running command may put messages, and what the client knows of it.
    target: Option<(MailboxName, Option<Counts>)>,
    /// Messages that commands have made in other mailboxes.
    own: Vec<Own>,
    /// Names that commands have made, changed or removed.
    own_names: Vec<MailboxName>,
    /// Messages that commands have made in the selected mailbox: they are not fetched for the client.
    made: NumberSet,
    /// Messages that are still to be fetched for the client.
    owed: NumberSet,
}

/// What is asked of the selected mailbox, whichever it is.
#[derive(Debug, Default)]
pub(crate) struct OfSelected {
    /// MessageNew and MessageExpunge.
    pub(crate) messages: bool,
    /// FlagChange.
    pub(crate) flags: bool,
    /// SELECTED-DELAYED: no EXPUNGE without a command.
    pub(crate) delayed: bool,
    /// What is to be fetched of each new message.
    pub(crate) items: Vec<FetchItem>,
}

struct Own {
    name: MailboxName,
    known: Option<Counts>,
    made: NumberSet,
}

impl Notify {
    /// Resolves when there may be something to tell of other mailboxes. May be cancelled.
    pub(crate) async fn hears(&mut self) {
        match &mut self.attendance {
            Some(attendance) => attendance.hears().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the client wants to hear of changes to the annotations of a mailbox, or of the server.
    pub(crate) fn wants_metadata(&self, mailbox: Option<&MailboxName>) -> bool {
        self.attendance
            .as_ref()
            .is_some_and(|attendance| match mailbox {
                Some(name) => attendance.wants(name).metadata,
                None => attendance.scope().server_metadata,
            })
    }

    /// Whether there are any annotations that it wants to hear of.
    pub(crate) fn wants_any_metadata(&self) -> bool {
        self.attendance.as_ref().is_some_and(|attendance| {
            let scope = attendance.scope();
            scope.server_metadata || scope.wants_of_any().metadata
        })
    }

    /// Messages that are new in the selected mailbox: those that are to be fetched for the client.
    pub(crate) fn note_new(&mut self, new: &NumberSet) {
        if !self.selected.items.is_empty() {
            let others = new.difference(&self.made);
            self.owed = self.owed.union(&others);
        }
        self.made = NumberSet::new();
    }

    /// What is still to be fetched for the client of a message, which somebody else does now.
    pub(crate) fn owed(&mut self, uid: u32) -> Vec<FetchItem> {
        match self.owed.remove(uid) {
            true => self.selected.items.clone(),
            false => Vec::new(),
        }
    }
}

impl Session {
    /// A command may put messages there.
    pub(super) fn note_target(&mut self, name: &MailboxName) {
        if let Some(notify) = &mut self.notify {
            let attendance = notify.attendance.as_ref();
            let known = attendance.and_then(|attendance| attendance.known(name));
            notify.target = Some((name.clone(), known));
        }
    }

    /// A command has made these messages there.
    pub(super) fn note_made(&mut self, mailbox: &Mailbox, uids: impl IntoIterator<Item = Uid>) {
        let is_selected = match &self.state {
            State::Selected(view, _) => view.mailbox().identity() == mailbox.identity(),
            State::Authenticated => false,
        };
        let Some(notify) = &mut self.notify else {
            return;
        };
        let made: NumberSet = uids.into_iter().map(Uid::get).collect();
        if is_selected {
            notify.made = notify.made.union(&made);
        } else if let Some((name, known)) = notify.target.take()
            && notify.own.len() < OWN
        {
            notify.own.push(Own { name, known, made });
        }
    }

    /// A command has made, changed or removed this name.
    pub(super) fn note_own_name(&mut self, name: &MailboxName) {
        if let Some(notify) = &mut self.notify {
            notify.own_names.push(name.clone());
        }
    }

    /// What the selected mailbox is known by.
    pub(super) fn selected_identity(&self) -> Option<(u64, u64)> {
        match &self.state {
            State::Selected(view, _) => Some(view.mailbox().identity()),
            State::Authenticated => None,
        }
    }

    /// A mailbox is not selected any more: what happened until now is no news.
    pub(super) async fn note_left(&mut self, left: (u64, u64)) {
        if let Some(notify) = &mut self.notify
            && let Some(attendance) = &mut notify.attendance
        {
            attendance.leave(left).await;
        }
    }
}

/// Tells what is new while no command is in progress, as far as the client wants to hear of it then.
pub(super) async fn tell_unasked(session: &mut Session) -> Result<(), Failure> {
    let Some(notify) = &session.notify else {
        return Ok(());
    };
    let expunge = match notify.selected.delayed {
        true => Expunge::Held,
        false => Expunge::Allowed,
    };
    metadata::tell(session).await?;
    tell(session).await?;
    updates::tell(session, expunge, true, updates::By::Others).await?;
    updates::tell_modseq(session, None);
    Ok(())
}

/// Tells what others did in mailboxes that are not selected.
pub(crate) async fn tell(session: &mut Session) -> Result<(), Failure> {
    let selected = session.selected_identity();
    let Some(notify) = &mut session.notify else {
        return Ok(());
    };
    notify.target = None;
    let (own, own_names) = (
        std::mem::take(&mut notify.own),
        std::mem::take(&mut notify.own_names),
    );
    let Some(attendance) = &mut notify.attendance else {
        return Ok(());
    };
    for Own { name, known, made } in own {
        attendance.did(&name, known, &made).await;
    }
    if !own_names.is_empty()
        && let Err(fault) = attendance.look_at_names().await
    {
        reply::log(&fault, "NOTIFY");
    }
    let Heard {
        names,
        mailboxes,
        overflow,
    } = attendance.take(selected);
    if overflow {
        // "behave as if a NOTIFY NONE command had just been received" (§5.8).
        **notify = Notify::default();
        let code = Some(Code::NotificationOverflow);
        let text = "More has happened than can be told";
        session.writer.status(None, StatusKind::Ok, code, text);
        return Ok(());
    }
    let separator = session.user.separator();
    let is_own = |name: &MailboxName| {
        let above = |own: &MailboxName| own == name || own.is_below(name, separator);
        own_names.iter().any(above)
    };
    for change in names {
        let by_us = match &change.kind {
            NameKind::Renamed(old) => is_own(old) || is_own(&change.folder.name),
            NameKind::Came | NameKind::Subscribed => is_own(&change.folder.name),
        };
        if !by_us {
            session.writer.data(&Data::List(line(&change, separator)));
        }
    }
    for changed in mailboxes {
        let items = news(
            &changed,
            session.enabled.condstore || session.enabled.qresync,
        );
        if !items.is_empty() {
            let values = values(&changed.counts, &items);
            let data = Data::StatusItems(changed.name, values);
            session.writer.data(&data);
            session.writer.relieve().await?;
        }
    }
    Ok(())
}

/// Tells what the mailboxes are that are asked for, but for the selected one.
pub(super) async fn tell_all(session: &mut Session) -> Result<(), Failure> {
    let selected = session.selected_identity();
    let attendance = session
        .notify
        .as_ref()
        .and_then(|notify| notify.attendance.as_ref());
    let Some(attendance) = attendance else {
        return Ok(());
    };
    for changed in attendance.all(selected) {
        let mut items = Vec::new();
        // "If MessageNew is enabled, the STATUS response MUST contain MESSAGES, UIDNEXT, and UIDVALIDITY. If
        // MessageExpunge is enabled, the STATUS response MUST contain MESSAGES." (§3.1)
        items.extend([
            StatusItem::Messages,
            StatusItem::UidNext,
            StatusItem::UidValidity,
        ]);
        // "If either AnnotationChange or FlagChange are included and the server also supports the CONDSTORE [...] the
        // STATUS response MUST contain UIDVALIDITY and HIGHESTMODSEQ." UNSEEN is what later ones differ from.
        if changed.wants.flags {
            items.extend([StatusItem::Unseen, StatusItem::HighestModSeq]);
        }
        let values = values(&changed.counts, &items);
        let data = Data::StatusItems(changed.name, values);
        session.writer.data(&data);
        session.writer.relieve().await?;
    }
    Ok(())
}

/// The items of the STATUS that tells of a change; none where it is not to be told.
fn news(changed: &Changed, modseqs: bool) -> Vec<StatusItem> {
    let mut items = Vec::new();
    // "the server sends an unsolicited STATUS (UIDNEXT MESSAGES) response" (§5.2, §5.3).
    if changed.messages || changed.validity {
        items.extend([StatusItem::UidNext, StatusItem::Messages]);
    }
    // "When this event is requested, the server MUST notify the client about mailbox UIDVALIDITY changes." (§5.1)
    if changed.validity || changed.flags && modseqs {
        items.push(StatusItem::UidValidity);
    }
    // "If CONDSTORE/QRESYNC is not enabled by the client and the server chooses not to include the UNSEEN data item,
    // the server does not notify the client."
    if changed.unseen && changed.wants.flags {
        items.push(StatusItem::Unseen);
    }
    if modseqs && (changed.messages || changed.flags || changed.validity) {
        items.push(StatusItem::HighestModSeq);
    }
    items
}

fn values(counts: &Counts, items: &[StatusItem]) -> Vec<(StatusItem, StatusValue)> {
    let value = |item: &StatusItem| {
        let value = match item {
            StatusItem::HighestModSeq => counts.modseq.0,
            StatusItem::Messages => counts.messages as u64,
            StatusItem::UidNext => u64::from(counts.uid_next.get()),
            StatusItem::UidValidity => u64::from(counts.uid_validity.get()),
            StatusItem::Unseen => counts.unseen as u64,
            StatusItem::AppendLimit
            | StatusItem::Deleted
            | StatusItem::DeletedStorage
            | StatusItem::MailboxId
            | StatusItem::Recent
            | StatusItem::Size => return None,
        };
        Some((*item, StatusValue::Number(value)))
    };
    items.iter().filter_map(value).collect()
}

/// The LIST that tells of a name. Its attributes "MUST be accurately computed" (§5.5).
fn line(change: &NameChange, separator: char) -> ListItem {
    let folder = &change.folder;
    let mut attributes = Vec::with_capacity(3);
    if change.subscribed {
        attributes.push(ListAttribute::Subscribed);
    }
    if !folder.exists {
        attributes.push(ListAttribute::NonExistent);
    } else if !folder.selectable {
        attributes.push(ListAttribute::NoSelect);
    }
    if folder.exists || folder.has_children {
        attributes.push(match folder.has_children {
            true => ListAttribute::HasChildren,
            false => ListAttribute::HasNoChildren,
        });
    }
    attributes.extend(folder.special_use);
    let extended = match &change.kind {
        NameKind::Renamed(old) => vec![ListExtended::OldName(old.clone())],
        NameKind::Came | NameKind::Subscribed => Vec::new(),
    };
    ListItem {
        attributes,
        separator: Some(separator),
        name: Some(folder.name.clone()),
        extended,
    }
}

/// Shows the client the new messages of the selected mailbox, in the way it asked for. What cannot be shown now is
/// shown the next time.
pub(super) async fn fetch_new(session: &mut Session) -> Result<(), Failure> {
    let Some(notify) = &mut session.notify else {
        return Ok(());
    };
    if notify.owed.is_empty() {
        return Ok(());
    }
    let (items, new) = (
        notify.selected.items.clone(),
        std::mem::take(&mut notify.owed),
    );
    match fetch::push(session, items, &new).await {
        Err(Failure::Fault(fault)) => {
            reply::log(&fault, "NOTIFY");
            if let Some(notify) = &mut session.notify {
                notify.owed = notify.owed.union(&new);
            }
            Ok(())
        }
        outcome => outcome,
    }
}
