//! APPEND (RFC 3501 §6.3.11, RFC 4315 §3): a message is streamed into the target's `tmp/`, and is in the
//! mailbox, whole and durable, before the client hears OK.

use tokio::time::timeout;

use crate::imap::command::Append;
use crate::imap::response::Code;
use crate::session::cmd::{target, target_is_gone};
use crate::session::cut::Cut;
use crate::session::reply::{End, Failure, Reply};
use crate::session::{Session, stopped};

/// Where the message's octets are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Literal {
    /// The client waits for `+ OK`.
    Held,
    /// On their way.
    Coming,
    /// All here, the end of the line too.
    Read,
}

/// Reads the message announced and appends it. If it cannot be, the message is swallowed, so that nothing
/// of it is taken for a command.
pub(crate) async fn run(
    session: &mut Session,
    head: Append,
    size: u64,
    non_sync: bool,
) -> Result<Reply, Failure> {
    let mut literal = if non_sync {
        Literal::Coming
    } else {
        Literal::Held
    };
    let result = receive(session, head, size, &mut literal).await;
    if let Err(failure) = &result
        && !matches!(failure, Failure::End(_))
        && literal != Literal::Read
    {
        let coming = literal == Literal::Coming;
        session.reader.give_up_message(coming);
        if coming && session.next().await? == Cut::Flood {
            return Err(End::FLOOD.into());
        }
    }
    result
}

async fn receive(
    session: &mut Session,
    head: Append,
    size: u64,
    literal: &mut Literal,
) -> Result<Reply, Failure> {
    if size == 0 {
        return Err(Failure::No(None, "Can't save a zero byte message".into()));
    }
    if let Some(most) = session.limits.max_message_size
        && size > most
    {
        let text = format!("Message too large, {most} octets at the most");
        return Err(Failure::No(Some(Code::Limit), text.into()));
    }
    let mailbox = target(session, &head.mailbox).await?;
    let mut upload = mailbox.upload().await.map_err(target_is_gone)?;
    if *literal == Literal::Held {
        session.writer.continuation("OK");
        *literal = Literal::Coming;
    }
    session.writer.flush().await?;
    while let Some(piece) = next_piece(session).await? {
        upload.write(piece).await?;
    }
    let rest = session.next().await?;
    *literal = Literal::Read;
    match rest {
        Cut::Command(_) => {}
        Cut::Refused(refusal) => return Err(Failure::Bad(refusal.text.into())),
        Cut::Flood | Cut::Literal | Cut::Message { .. } => return Err(End::FLOOD.into()),
    }
    let appended = mailbox.append(upload, &head.flags, head.date).await;
    let (uid_validity, uid) = appended.map_err(target_is_gone)?;
    Ok(if mailbox.uids_are_sticky() {
        Reply::with(Code::AppendUid(uid_validity, uid), "Append completed")
    } else {
        Reply::ok("Append completed")
    })
}

/// The next piece of the message. The client has as much time for each as for a command.
async fn next_piece(session: &mut Session) -> Result<Option<Vec<u8>>, End> {
    tokio::select! {
        biased;
        () = stopped(&mut session.stop) => Err(End::STOP),
        piece = timeout(session.limits.idle_timeout, session.reader.message()) => match piece {
            Ok(piece) => Ok(piece?),
            Err(_) => Err(End::INACTIVE),
        },
    }
}
