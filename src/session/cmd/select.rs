//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2).

use crate::imap::response::{Code, Data, StatusKind};
use crate::session::cmd::durable;
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, State, updates};

/// The lines come in Dovecot's order, which some clients take for granted. Whatever was selected before is
/// not any more, even if this fails.
pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    read_only: bool,
) -> Result<Reply, Failure> {
    if matches!(session.state, State::Selected(_)) {
        session.state = State::Authenticated;
        session.writer.status(
            None,
            StatusKind::Ok,
            Some(Code::Closed),
            "Previous mailbox closed.",
        );
    }
    let name = session.name(wire)?;
    let mailbox = session.user.mailbox(&name).await?;
    mailbox.refresh().await?;
    let view = mailbox.select(read_only).await?;
    durable(&mailbox, view.snapshot()).await?;

    let writer = &mut session.writer;
    updates::defined_flags(writer, &view);
    writer.data(&Data::Exists(view.exists()));
    writer.data(&Data::Recent(view.recent()));
    let mut tell = |kind, code, text: &'static str| writer.status(None, kind, Some(code), text);
    if let Some(number) = view.first_unseen() {
        tell(StatusKind::Ok, Code::Unseen(number), "First unseen.");
    }
    let snapshot = view.snapshot();
    let uid_validity = Code::UidValidity(snapshot.uid_validity);
    tell(StatusKind::Ok, uid_validity, "UIDs valid");
    let uid_next = Code::UidNext(snapshot.uid_next);
    tell(StatusKind::Ok, uid_next, "Predicted next UID");
    if !mailbox.uids_are_sticky() {
        tell(StatusKind::No, Code::UidNotSticky, "Non-persistent UIDs");
    }
    let code = if view.is_read_only() {
        Code::ReadOnly
    } else {
        Code::ReadWrite
    };
    session.state = State::Selected(Box::new(view));
    Ok(Reply::with(
        code,
        if read_only {
            "Examine completed"
        } else {
            "Select completed"
        },
    ))
}
