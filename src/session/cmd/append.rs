//! APPEND (RFC 3501 §6.3.11, RFC 3502, RFC 4315 §3): messages are streamed into the target's `tmp/`, and are in
//! the mailbox, whole and durable, all of them or none, before the client hears OK. Of CATENATE (RFC 4469) a
//! message's octets come from several literals and from messages that are here already ([`part`]).

use tokio::time::timeout;

use crate::imap::command::{AppendHead, AppendOptions, AppendStep};
use crate::imap::response::Code;
use crate::mailbox::upload::Upload;
use crate::session::cmd::part::{self, Part};
use crate::session::cmd::{beyond, replace, save_limit, target, target_is_gone, too_many};
use crate::session::cut::Cut;
use crate::session::reply::{End, Failure, Reply};
use crate::session::{Session, stopped};

/// Messages of one APPEND at the most.
const MESSAGES: usize = 10_000;

/// Octets of a message made by CATENATE, where no size is set: the largest that RFC 3501 has a number for.
/// "TOOBIG response code is returned if the resulting message will exceed the 4-GB IMAP message limit" (RFC 4469
/// §4.2).
const LARGEST: u64 = u32::MAX as u64;

/// Where the octets of the next literal are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Literal {
    /// The client waits for `+ OK`.
    Held,
    /// On their way.
    Coming,
    /// There is none: the whole command is here.
    Read,
}

impl Literal {
    fn of(steps: &[AppendStep]) -> Literal {
        match AppendStep::announced(steps) {
            None => Literal::Read,
            Some(literal) if literal.non_sync => Literal::Coming,
            Some(_) => Literal::Held,
        }
    }
}

/// The messages of an APPEND or REPLACE, as far as they have come.
pub(crate) struct Incoming {
    /// Up to the next literal.
    steps: Vec<AppendStep>,
    literal: Literal,
}

/// Reads the messages announced and appends them. If they cannot be, the rest of the command is swallowed,
/// so that nothing of it is taken for another.
pub(crate) async fn run(
    session: &mut Session,
    head: &AppendHead,
    steps: Vec<AppendStep>,
) -> Result<Reply, Failure> {
    let mut incoming = Incoming {
        literal: Literal::of(&steps),
        steps,
    };
    let result = match head.replaces {
        Some(_) if session.is_withdrawn("REPLACE") => {
            Err(Failure::Bad("REPLACE is switched off".into()))
        }
        None => append(session, &head.mailbox, &mut incoming).await,
        Some(replaced) => replace::run(session, replaced, &head.mailbox, &mut incoming).await,
    };
    if let Err(failure) = &result
        && !matches!(failure, Failure::End(_))
        && incoming.literal != Literal::Read
    {
        let coming = incoming.literal == Literal::Coming;
        session.reader.give_up_message(coming);
        if coming && session.next().await? == Cut::Flood {
            return Err(End::FLOOD.into());
        }
    }
    result
}

async fn append(
    session: &mut Session,
    wire: &[u8],
    incoming: &mut Incoming,
) -> Result<Reply, Failure> {
    let mailbox = target(session, wire).await?;
    let upload = receive(session, mailbox.upload()?, incoming).await?;
    let (uid_validity, uids) = mailbox.append(upload).await.map_err(target_is_gone)?;
    session.note_made(&mailbox, uids.iter().copied());
    let uids = uids.iter().map(|uid| uid.get()).collect();
    Ok(if mailbox.uids_are_sticky() {
        Reply::with(Code::AppendUid(uid_validity, uids), "Append completed")
    } else {
        Reply::ok("Append completed")
    })
}

/// A message that is being written.
struct Draft {
    options: AppendOptions,
    catenate: bool,
    /// Its octets so far.
    size: u64,
}

/// Reads all messages into the `tmp/` of the mailbox that they are for; first it is known whether there is room.
pub(crate) async fn receive(
    session: &mut Session,
    mut upload: Upload,
    incoming: &mut Incoming,
) -> Result<Upload, Failure> {
    let mut draft = None;
    let mut source = None;
    let mut count = 0;
    loop {
        let steps = std::mem::take(&mut incoming.steps);
        let binary = AppendStep::announced(&steps).is_some_and(|literal| literal.binary);
        for step in steps {
            match (step, &mut draft) {
                (AppendStep::Begin { options, catenate }, None) => {
                    count += 1;
                    if let Some((limit, _)) = beyond(save_limit(session), count) {
                        return Err(too_many(limit, None));
                    }
                    if count > MESSAGES {
                        let text = format!("{MESSAGES} messages at the most");
                        return Err(Failure::No(Some(Code::Limit), text.into()));
                    }
                    let begun = upload.begin(binary && !catenate).await;
                    begun.map_err(target_is_gone)?;
                    draft = Some(Draft {
                        options,
                        catenate,
                        size: 0,
                    });
                }
                (AppendStep::Literal(announced), Some(draft))
                    if incoming.literal != Literal::Read =>
                {
                    draft.grow(session, announced.size)?;
                    upload.announce(announced.size).await?;
                    take(session, &mut upload, incoming).await?;
                }
                (AppendStep::Url(url), Some(draft)) => {
                    let part = part::open(session, &url, &mut source).await?;
                    draft.grow(session, part.remaining())?;
                    upload.announce(part.remaining()).await?;
                    copy(session, &mut upload, part).await?;
                }
                (AppendStep::End, Some(Draft { size: 0, .. })) => return Err(empty()),
                (AppendStep::End, Some(Draft { options, .. })) => {
                    let ended = upload.end(&options.flags, options.date).await;
                    ended.map_err(target_is_gone)?;
                    draft = None;
                }
                // The grammar has no others.
                _ => return Err(Failure::Bad("APPEND needs a message".into())),
            }
        }
        if incoming.literal == Literal::Read {
            return Ok(upload);
        }
        let next = next_steps(session).await?;
        incoming.literal = Literal::Read;
        match next {
            Cut::AppendOn(steps) => {
                incoming.literal = Literal::of(&steps);
                incoming.steps = steps;
            }
            Cut::Refused(refusal) => return Err(Failure::Refused(refusal)),
            _ => return Err(End::FLOOD.into()),
        }
    }
}

/// What comes after a literal; another one in between that is a URL is asked for.
async fn next_steps(session: &mut Session) -> Result<Cut, End> {
    loop {
        match session.next().await? {
            Cut::Literal => session.writer.continuation("OK"),
            next => return Ok(next),
        }
    }
}

impl Draft {
    /// More octets are to come: before they do, it is known whether they are too many.
    ///
    /// "A zero-length message literal argument is an error, and MUST return a NO. This can be used to cancel the
    /// append" (RFC 3502).
    fn grow(&mut self, session: &Session, octets: u64) -> Result<(), Failure> {
        if octets == 0 && !self.catenate {
            return Err(empty());
        }
        self.size = self.size.saturating_add(octets);
        let catenated = self.catenate.then_some(LARGEST);
        match session.limits.max_message_size.or(catenated) {
            Some(most) if self.size > most => {
                let text = format!("Message too large, {most} octets at the most");
                Err(Failure::No(Some(Code::TooBig), text.into()))
            }
            _ => Ok(()),
        }
    }
}

fn empty() -> Failure {
    Failure::No(None, "Can't save a zero byte message".into())
}

/// Takes a literal's octets from the client.
async fn take(
    session: &mut Session,
    upload: &mut Upload,
    incoming: &mut Incoming,
) -> Result<(), Failure> {
    if incoming.literal == Literal::Held {
        session.writer.continuation("OK");
        incoming.literal = Literal::Coming;
    }
    session.writer.flush().await?;
    while let Some(piece) = next_piece(session).await? {
        upload.write(piece).await?;
    }
    Ok(())
}

/// Takes octets from a message that is here.
async fn copy(session: &mut Session, upload: &mut Upload, mut part: Part) -> Result<(), Failure> {
    while part.remaining() > 0 {
        let octets;
        (part, octets) = part.read(session).await?;
        upload.write(octets).await?;
    }
    Ok(())
}

/// The next piece of a literal. The client has as much time for each as for a command.
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
