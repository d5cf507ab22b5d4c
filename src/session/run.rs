//! Authenticated and Selected (RFC 3501 §3.2, §3.3): read a command, carry it out, tell the news, answer.
//! One command at a time, in the order they came (RFC 3501 §5.5 leaves that to the server; with it no two
//! commands of one client can be ambiguous).

mod dispatch;
mod news;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use crate::imap::capability::{self, AfterLogin};
use crate::imap::command::{Command, CommandBody, StateName};
use crate::imap::core::Tag;
use crate::imap::parse::{self, ParseError};
use crate::imap::response::{Code, StatusKind};
use crate::mailbox::user::User;
use crate::session::cmd::idle::annotated;
use crate::session::cmd::{any, append, compress};
use crate::session::cut::{Cut, Refusal};
use crate::session::notify::{self as unasked, Notify};
use crate::session::reader::{Reader, Unread};
use crate::session::reply::{self, End, Failure};
use crate::session::run::news::News;
use crate::session::writer::Writer;
use crate::session::{
    ClientId, Handover, Limits, Opening, Released, Session, State, Stop, Stream, farewell, stopped,
};

/// Bad commands in a row before the session ends.
const BAD_COMMANDS: u32 = 20;

/// Lines that are too long before the session ends.
const LONG_LINES: u32 = 3;

/// Answers a login that was granted, and serves the user until LOGOUT, BYE or `stop`; or until UNAUTHENTICATE, where
/// the connection goes on.
pub fn run<S: Stream>(
    handover: Handover<S>,
    user: Arc<User>,
    limits: Limits,
    stop: Stop,
) -> impl Future<Output = Option<Released<S>>> + Send {
    let span = tracing::info_span!("session", user = handover.passage.user);
    let Handover {
        stream,
        unread,
        tag,
        capability_asked,
        client_id,
        failed_logins,
        ..
    } = handover;
    let mut session = Session::new(Box::new(stream), unread, user, limits, stop);
    session.client_id = client_id;
    session.may_unauthenticate = true;
    let list = session.capabilities();
    // A client that asked CAPABILITY before looks for the new list in the same form.
    let code = if capability_asked {
        any::capability(&mut session.writer, list);
        None
    } else {
        Some(Code::Capability(list))
    };
    session
        .writer
        .status(Some(&tag), StatusKind::Ok, code, "Logged in");
    span.in_scope(|| any::note_client(&session.client_id));
    async move {
        let (stream, unread, client_id) = session.serve().instrument(span).await?;
        // It is what it was before it became one among others.
        let stream = *stream.into_any().downcast::<S>().ok()?;
        let opening = Opening {
            greeting: false,
            unread,
            client_id,
            failed_logins,
        };
        Some(Released { stream, opening })
    }
}

/// Greets a user who needs no login (`serve --stdio`) and serves until the end.
pub async fn preauth<S: Stream>(
    stream: S,
    user_name: &str,
    user: Arc<User>,
    limits: Limits,
    stop: Stop,
) {
    let span = tracing::info_span!("session", user = user_name);
    let mut session = Session::new(Box::new(stream), Unread::default(), user, limits, stop);
    session.writer.status(
        None,
        StatusKind::PreAuth,
        Some(Code::Capability(session.capabilities())),
        format!("Logged in as {user_name}"),
    );
    session.serve().instrument(span).await;
}

/// Answers a login that was granted with NO, because the user cannot be served, and ends the connection.
pub async fn turn_away<S: Stream>(handover: Handover<S>, code: Code, text: &str) {
    let (input, output) = tokio::io::split(handover.stream);
    let reader =
        crate::session::Reader::new(input, crate::session::cut::AFTER_LOGIN, Unread::default());
    let mut writer = crate::session::Writer::new(output);
    writer.status(Some(&handover.tag), StatusKind::No, Some(code), text);
    writer.status(None, StatusKind::Bye, None, text);
    farewell(reader, writer).await;
}

/// A client that says nothing for so long rests.
const REST: Duration = Duration::from_secs(2);

/// What counts against a client.
#[derive(Default)]
struct Patience {
    bad_commands: u32,
    long_lines: u32,
}

impl Session {
    fn capabilities(&self) -> Vec<Cow<'static, str>> {
        let list = capability::after_login(AfterLogin {
            append_limit: self.limits.max_message_size,
            message_limit: self.limits.message_limit,
            save_limit: self.limits.save_limit,
            unauthenticate: self.may_unauthenticate,
        });
        self.limits.withdrawn.announced(list, &self.client_id)
    }

    /// Gives what goes on after UNAUTHENTICATE. In boxes is what comes seldom and takes room: most sessions wait most of
    /// the time.
    async fn serve(mut self: Box<Self>) -> Option<(Box<dyn Stream>, Unread, ClientId)> {
        let end = match self.commands().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        match end {
            End::Logout => {}
            End::Unauthenticate(tag) => return Box::pin(self.release(&tag)).await,
            End::Bye(code, reason) => {
                tracing::debug!("ended: {reason}");
                self.writer.status(None, StatusKind::Bye, code, reason);
            }
            End::Gone(error) => {
                tracing::debug!("client gone: {error}");
                return None;
            }
        }
        // The selection ends before the client hears that it is over.
        self.state = State::Authenticated;
        let Session { reader, writer, .. } = *self;
        Box::pin(farewell(reader, writer)).await;
        None
    }

    /// UNAUTHENTICATE (RFC 8437): all that was the user's is given up, then the client is told. There is no NO.
    async fn release(
        mut self: Box<Self>,
        tag: &Tag,
    ) -> Option<(Box<dyn Stream>, Unread, ClientId)> {
        self.state = State::Authenticated;
        self.annotations = None;
        self.writer
            .status(Some(tag), StatusKind::Ok, None, "Unauthenticate completed");
        if let Err(error) = self.writer.flush().await {
            tracing::debug!("client gone: {error}");
            return None;
        }
        tracing::info!("unauthenticated");
        let Session {
            reader,
            writer,
            client_id,
            ..
        } = *self;
        match reader.into_parts() {
            Some((input, unread)) => {
                let stream = input.unsplit(writer.into_half());
                Some((stream, unread, client_id))
            }
            None => {
                tracing::debug!("compressed input behind UNAUTHENTICATE");
                None
            }
        }
    }

    async fn commands(&mut self) -> Result<std::convert::Infallible, End> {
        let mut patience = Patience::default();
        // The client has sent a part of a command.
        let mut in_progress = false;
        loop {
            let next = match in_progress {
                true => self.next().await?,
                false => self.next_command().await?,
            };
            in_progress = next == Cut::Literal;
            match next {
                Cut::Command(bytes) => match parse::command(&bytes) {
                    Ok(Command { tag, body }) => self.command(tag, body, &mut patience).await?,
                    Err(ParseError {
                        tag,
                        code,
                        expected,
                    }) => self.bad(tag.as_ref(), code, &expected, &mut patience)?,
                },
                Cut::Literal => self.writer.continuation("OK"),
                Cut::Append { tag, head, steps } => {
                    let (name, news) = (head.name(), News::of_append(&head));
                    let result = Box::pin(append::run(self, &head, steps)).await;
                    let end = self.conclude(&tag, name, news, result, &mut patience);
                    Box::pin(end).await?;
                }
                Cut::Refused(refusal) => self.refused(refusal, &mut patience)?,
                // An APPEND goes on nowhere else.
                Cut::Flood | Cut::AppendOn(_) => return Err(End::FLOOD),
            }
            self.writer.relieve().await?;
        }
    }

    /// The next command, or what of it must be answered first. Until it comes, the client hears what it wants to hear
    /// of "all the time (even when no command is in progress)" (RFC 5465 §3.1).
    async fn next_command(&mut self) -> Result<Cut, End> {
        let patience = Instant::now() + self.limits.idle_timeout;
        while self.notify.is_some() {
            if *self.stop.borrow() {
                return Err(End::STOP);
            }
            if let Some(cut) = self.reader.buffered() {
                return Ok(cut);
            }
            self.writer.flush().await?;
            let (state, notify) = (&mut self.state, &mut self.notify);
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return Err(End::STOP),
                cut = next_or_rest(&mut self.reader, &mut self.writer) => return Ok(cut?),
                () = sleep_until(patience) => return Err(End::INACTIVE),
                () = happens(state, notify) => {}
                () = annotated(&mut self.annotations) => {}
            }
            if self.reader.is_ahead() {
                // A command has begun to come: what is new is told at its end.
                break;
            }
            match Box::pin(unasked::tell_unasked(self)).await {
                Ok(()) | Err(Failure::Bad(_) | Failure::No(..) | Failure::Refused(_)) => {}
                Err(Failure::End(end)) => return Err(end),
                Err(Failure::Fault(fault)) => {
                    reply::answer(&fault, "NOTIFY")?;
                }
            }
        }
        self.next().await
    }

    /// The next thing the client says. What has been answered goes out before there is a wait for it.
    pub(crate) async fn next(&mut self) -> Result<Cut, End> {
        if *self.stop.borrow() {
            return Err(End::STOP);
        }
        if let Some(cut) = self.reader.buffered() {
            return Ok(cut);
        }
        self.writer.flush().await?;
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Err(End::STOP),
            cut = timeout(self.limits.idle_timeout, next_or_rest(&mut self.reader, &mut self.writer)) => {
                match cut {
                    Ok(cut) => Ok(cut?),
                    Err(_) => Err(End::INACTIVE),
                }
            }
        }
    }

    async fn command(
        &mut self,
        tag: Tag,
        body: CommandBody,
        patience: &mut Patience,
    ) -> Result<(), End> {
        let state = match self.state {
            State::Authenticated => StateName::Authenticated,
            State::Selected(..) => StateName::Selected,
        };
        let name = body.name();
        let news = News::of(&body);
        if matches!(body, CommandBody::Compress)
            && !self.is_withdrawn("COMPRESS=DEFLATE")
            && !self.writer.is_deflating()
        {
            patience.bad_commands = 0;
            return Box::pin(compress::run(self, &tag)).await;
        }
        let withdrawn = body
            .capability()
            .filter(|capability| self.is_withdrawn(capability));
        let selected = self.selected_identity();
        let result = if let Some(capability) = withdrawn {
            Err(Failure::Bad(format!("{capability} is switched off").into()))
        } else if self.enabled.uid_only && body.names_numbers() {
            Err(Failure::uid_required())
        } else if body.allowed_in(state) {
            self.dispatch(&tag, body).await
        } else if body.allowed_in(StateName::Selected) {
            Err(Failure::Bad("No mailbox selected".into()))
        } else {
            Err(Failure::Bad("Already logged in".into()))
        };
        if let Some(left) = selected
            && self.selected_identity() != selected
        {
            Box::pin(self.note_left(left)).await;
        }
        Box::pin(self.conclude(&tag, name, news, result, patience)).await
    }

    fn refused(&mut self, refusal: Refusal, patience: &mut Patience) -> Result<(), End> {
        if refusal.long_line {
            patience.long_lines += 1;
        }
        self.bad(refusal.tag.as_ref(), refusal.code, &refusal.text, patience)?;
        if patience.long_lines >= LONG_LINES {
            return Err(End::TOO_MANY_BAD);
        }
        Ok(())
    }

    fn bad(
        &mut self,
        tag: Option<&Tag>,
        code: Option<Code>,
        text: &str,
        patience: &mut Patience,
    ) -> Result<(), End> {
        self.writer.status(tag, StatusKind::Bad, code, text);
        patience.bad_commands += 1;
        if patience.bad_commands >= BAD_COMMANDS {
            return Err(End::TOO_MANY_BAD);
        }
        Ok(())
    }
}

/// The next cut. A client that says nothing for a while need not cost what compression does.
async fn next_or_rest<R, W>(reader: &mut Reader<R>, writer: &mut Writer<W>) -> std::io::Result<Cut>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    if writer.is_awake() {
        match timeout(REST, reader.next()).await {
            Ok(cut) => return cut,
            Err(_) => writer.rest(),
        }
    }
    reader.next().await
}

/// Resolves when something has happened that the client may want to hear of. May be cancelled.
async fn happens(state: &mut State, notify: &mut Option<Box<Notify>>) {
    let Some(notify) = notify else {
        return std::future::pending().await;
    };
    match state {
        State::Selected(view, _) if notify.selected.messages => tokio::select! {
            () = view.changed_since() => {}
            () = notify.hears() => {}
        },
        State::Selected(..) | State::Authenticated => notify.hears().await,
    }
}
