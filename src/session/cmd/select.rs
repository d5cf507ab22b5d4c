//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2; RFC 9051 §6.3.2, §6.3.3), with their parameters (RFC 7162 §3.1.8,
//! §3.2.5).

use std::time::Duration;

use crate::imap::command::SelectParameters;
use crate::imap::response::{Code, Data, ListExtended, ListItem, StatusKind};
use crate::session::cmd::{durable, resync};
use crate::session::reply::{Failure, Reply};
use crate::session::{Enabled, Session, State, updates};

/// How long SELECT waits for mod-sequences to be kept again before it says that there are none.
const MODSEQS_WAIT: Duration = Duration::from_secs(1);

/// The lines come in Dovecot's order, which some clients take for granted. Whatever was selected before is
/// not any more, even if this fails.
pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    read_only: bool,
    parameters: &SelectParameters,
) -> Result<Reply, Failure> {
    if parameters.qresync.is_some() && !session.enabled.qresync {
        // "A server MUST respond with a tagged BAD response if the Quick Resynchronization parameter […] is specified
        // and the client hasn't issued "ENABLE QRESYNC"" (RFC 7162 §3.2.5), as if its syntax were wrong.
        return Err(Failure::Bad("QRESYNC is not enabled".into()));
    }
    if matches!(session.state, State::Selected(..)) {
        session.state = State::Authenticated;
        session.writer.status(
            None,
            StatusKind::Ok,
            Some(Code::Closed),
            "Previous mailbox closed.",
        );
    }
    // Of the mailbox that is selected now, as of any other after it.
    session.enabled.condstore |= parameters.condstore;
    session.batched.clear();
    let named = session.named(wire).await?;
    let mailbox = session.user.mailbox(&named.name).await?;
    mailbox.refresh().await?;
    let Enabled { rev2, uid_only, .. } = session.enabled;
    if uid_only && !mailbox.uids_are_sticky() {
        // Messages that have no numbers have no names at all if their UIDs do not last either.
        let text = "UIDONLY is enabled, and UIDs do not last here";
        return Err(Failure::No(Some(Code::UidNotSticky), text.into()));
    }
    let mut view = mailbox.select(read_only).await?;
    let highest = view.begin_modseqs(MODSEQS_WAIT).await?;
    durable(&mailbox, view.snapshot()).await?;

    let special_use = match rev2 {
        true => session.user.special_use(&named.name).await?,
        false => None,
    };
    let writer = &mut session.writer;
    updates::defined_flags(writer, &view);
    writer.data(&Data::Exists(view.exists()));
    if rev2 {
        view.without_recent();
        // RFC 9051 §6.3.2: "The server MUST return a LIST response with the mailbox name. The list of mailbox
        // attributes MUST be accurate." Whether there are children is left open: that takes the whole tree.
        writer.data(&Data::List(ListItem {
            attributes: special_use.into_iter().collect(),
            separator: Some(session.user.separator()),
            name: Some(named.name),
            extended: named.old.map(ListExtended::OldName).into_iter().collect(),
        }));
    } else {
        writer.data(&Data::Recent(view.recent()));
    }
    let mut tell = |kind, code, text: &'static str| writer.status(None, kind, Some(code), text);
    if !rev2
        && !uid_only
        && let Some(number) = view.first_unseen()
    {
        tell(StatusKind::Ok, Code::Unseen(number), "First unseen.");
    }
    let snapshot = view.snapshot();
    let uid_validity = Code::UidValidity(snapshot.uid_validity);
    tell(StatusKind::Ok, uid_validity, "UIDs valid");
    let uid_next = Code::UidNext(snapshot.uid_next);
    tell(StatusKind::Ok, uid_next, "Predicted next UID");
    // "on all successful SELECT and EXAMINE commands" (RFC 8474 §4.2).
    let id = Code::MailboxId(snapshot.id.clone());
    tell(StatusKind::Ok, id, "Object identifier");
    // "One of these two response codes MUST be returned in an OK untagged response for any successful SELECT/EXAMINE
    // command issued after a CONDSTORE enabling command" (RFC 7162 §3.1.2); some ask for it before.
    match highest {
        Some(modseq) => tell(StatusKind::Ok, Code::HighestModSeq(modseq), "Highest"),
        None => tell(StatusKind::Ok, Code::NoModSeq, "No mod-sequences are kept"),
    }
    if !mailbox.uids_are_sticky() {
        tell(StatusKind::No, Code::UidNotSticky, "Non-persistent UIDs");
    }
    let code = if view.is_read_only() {
        Code::ReadOnly
    } else {
        Code::ReadWrite
    };
    if session.enabled.condstore {
        view.with_modseqs();
    }
    session.state = State::Selected(Box::new(view), Vec::new());
    if let Some(resync) = &parameters.qresync {
        resync::tell(session, resync).await?;
    }
    Ok(Reply::with(
        code,
        if read_only {
            "Examine completed"
        } else {
            "Select completed"
        },
    ))
}
