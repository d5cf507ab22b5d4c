//! APPEND (RFC 3501 §6.3.11, RFC 3502, RFC 4315 §3): messages are streamed into the target's `tmp/`, and are in
//! the mailbox, whole and durable, all of them or none, before the client hears OK.

use tokio::time::timeout;

use crate::imap::response::Code;
use crate::session::cmd::{target, target_is_gone};
use crate::session::cut::{Announced, Cut};
use crate::session::reply::{End, Failure, Reply};
use crate::session::{Session, stopped};

/// Messages of one APPEND at the most.
const MESSAGES: usize = 10_000;

/// Where a message's octets are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Literal {
    /// The client waits for `+ OK`.
    Held,
    /// On their way.
    Coming,
    /// All here, the end of the line too.
    Read,
}

impl Literal {
    fn of(message: &Announced) -> Literal {
        match message.non_sync {
            true => Literal::Coming,
            false => Literal::Held,
        }
    }
}

/// Reads the messages announced and appends them. If they cannot be, the rest of the command is swallowed,
/// so that nothing of it is taken for another.
pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    first: Announced,
) -> Result<Reply, Failure> {
    let mut literal = Literal::of(&first);
    let result = receive(session, wire, first, &mut literal).await;
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
    wire: &[u8],
    first: Announced,
    literal: &mut Literal,
) -> Result<Reply, Failure> {
    let mailbox = target(session, wire).await?;
    let mut upload = mailbox.upload()?;
    let mut count = 0;
    let mut next = Some(first);
    while let Some(message) = next {
        count += 1;
        if count > MESSAGES {
            let text = format!("{MESSAGES} messages at the most");
            return Err(Failure::No(Some(Code::Limit), text.into()));
        }
        judge(session, &message)?;
        upload.begin(message.binary).await.map_err(target_is_gone)?;
        if *literal == Literal::Held {
            session.writer.continuation("OK");
            *literal = Literal::Coming;
        }
        session.writer.flush().await?;
        while let Some(piece) = next_piece(session).await? {
            upload.write(piece).await?;
        }
        let options = message.options;
        let ended = upload.end(&options.flags, options.date).await;
        ended.map_err(target_is_gone)?;
        let rest = session.next().await?;
        *literal = Literal::Read;
        next = match rest {
            Cut::Command(_) => None,
            Cut::Message(message) => {
                *literal = Literal::of(&message);
                Some(message)
            }
            Cut::Refused(refusal) => return Err(Failure::Refused(refusal)),
            Cut::Append { .. } | Cut::Flood | Cut::Literal => return Err(End::FLOOD.into()),
        };
    }
    let (uid_validity, uids) = mailbox.append(upload).await.map_err(target_is_gone)?;
    let uids = uids.iter().map(|uid| uid.get()).collect();
    Ok(if mailbox.uids_are_sticky() {
        Reply::with(Code::AppendUid(uid_validity, uids), "Append completed")
    } else {
        Reply::ok("Append completed")
    })
}

/// "A zero-length message literal argument is an error, and MUST return a NO. This can be used to cancel the
/// append" (RFC 3502).
fn judge(session: &Session, message: &Announced) -> Result<(), Failure> {
    if message.size == 0 {
        return Err(Failure::No(None, "Can't save a zero byte message".into()));
    }
    if let Some(most) = session.limits.max_message_size
        && message.size > most
    {
        let text = format!("Message too large, {most} octets at the most");
        return Err(Failure::No(Some(Code::TooBig), text.into()));
    }
    Ok(())
}

/// The next piece of a message. The client has as much time for each as for a command.
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
