//! NotAuthenticated (RFC 3501 §3.1): only the commands allowed there, for strangers, within tight bounds.
//! Ends with TLS to be begun, with a login to be handed over, or with the connection.

use tokio::io::{ReadHalf, WriteHalf};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::auth::{Line, Mechanism, Purpose, Step, Tls, Verdict, sasl};
use crate::imap::capability;
use crate::imap::command::{Command, CommandBody, StateName};
use crate::imap::core::{Secret, Tag};
use crate::imap::parse;
use crate::imap::response::{Code, StatusKind};
use crate::session::cmd::any;
use crate::session::cut::{self, Cut};
use crate::session::reader::Reader;
use crate::session::reply::End;
use crate::session::writer::Writer;
use crate::session::{
    ClientId, Handover, How, Limits, Opening, Situation, Stop, Stream, farewell, stopped,
};

/// Bad commands in a row before the connection ends.
const BAD_COMMANDS: u32 = 3;

/// Failed logins before the connection ends. How long each takes is auth's matter.
const FAILED_LOGINS: u32 = 10;

/// Who decides over logins. Whether here or in another process is not known here.
pub trait Authenticate {
    /// What is granted: who it is, or the way to whoever serves them.
    type Passage: Send;
    /// A login that has begun. Dropping it gives it up.
    type Attempt: Attempt<Passage = Self::Passage> + Send;

    /// Begins a login.
    fn begin(&self, mechanism: Mechanism, line: Line) -> Self::Attempt;
}

/// A login that has begun.
pub trait Attempt {
    /// See [`Authenticate::Passage`].
    type Passage;

    /// Takes the client's response, out of base64; `None`: it begins without one. May take its time: a refusal is
    /// meant to.
    fn step(
        &mut self,
        response: Option<Secret>,
    ) -> impl Future<Output = Step<Self::Passage>> + Send;
}

/// How NotAuthenticated ends.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for a connection, and it is moved once"
)]
pub enum PreloginEnd<S, P> {
    /// The tagged OK to STARTTLS has been sent and nothing came after the command: TLS may begin on it.
    StartTls(S),
    /// Somebody has logged in, and waits to hear it.
    Handover(Handover<S, P>),
    /// It is over; nothing is left to do.
    Logout,
}

/// Serves a stranger.
pub async fn prelogin<S: Stream, A: Authenticate>(
    stream: S,
    situation: &Situation,
    limits: &Limits,
    auth: &A,
    opening: Opening,
    mut stop: Stop,
) -> PreloginEnd<S, A::Passage> {
    let Opening {
        greeting,
        unread,
        client_id,
        failed_logins,
    } = opening;
    let (input, output) = tokio::io::split(stream);
    let mut stranger = Stranger {
        reader: Reader::new(input, cut::BEFORE_LOGIN, unread),
        writer: Writer::new(output),
        situation,
        limits,
        auth,
        bad_commands: 0,
        failed_logins,
        capability_asked: false,
        client_id,
    };
    let end = tokio::select! {
        biased;
        () = stopped(&mut stop) => Err(End::STOP),
        end = timeout(limits.login_timeout, stranger.serve(greeting)) => {
            end.unwrap_or(Err(End::INACTIVE))
        }
    };
    let Stranger {
        reader,
        mut writer,
        capability_asked,
        client_id,
        failed_logins,
        ..
    } = stranger;
    match end {
        Ok(outcome) => {
            // Nothing is compressed before login.
            let Some((input, unread)) = reader.into_parts() else {
                return PreloginEnd::Logout;
            };
            let stream = input.unsplit(writer.into_half());
            match outcome {
                Outcome::StartTls => PreloginEnd::StartTls(stream),
                Outcome::Login(tag, passage, mechanism) => PreloginEnd::Handover(Handover {
                    stream,
                    unread,
                    tag,
                    passage,
                    how: How {
                        mechanism,
                        tls: situation.tls,
                    },
                    capability_asked,
                    client_id,
                    failed_logins,
                }),
            }
        }
        Err(end) => {
            if let End::Bye(code, reason) = end {
                writer.status(None, StatusKind::Bye, code, reason);
            }
            farewell(reader, writer).await;
            PreloginEnd::Logout
        }
    }
}

/// A connection that nobody has logged in on.
struct Stranger<'a, S, A> {
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
    situation: &'a Situation,
    limits: &'a Limits,
    auth: &'a A,
    bad_commands: u32,
    failed_logins: u32,
    capability_asked: bool,
    client_id: ClientId,
}

/// What there is to do next for somebody else. All that was said before has been sent.
enum Outcome<P> {
    StartTls,
    Login(Tag, P, Mechanism),
}

impl<S: Stream, A: Authenticate> Stranger<'_, S, A> {
    async fn serve(&mut self, greeting: bool) -> Result<Outcome<A::Passage>, End> {
        if greeting {
            let code = Some(Code::Capability(self.capabilities()));
            self.writer
                .status(None, StatusKind::Ok, code, "Culver ready.");
        }
        loop {
            self.writer.flush().await?;
            match self.reader.next().await? {
                Cut::Command(bytes) => {
                    // It may hold a password.
                    let bytes = Zeroizing::new(bytes);
                    match parse::command(&bytes) {
                        Ok(command) => {
                            if let Some(outcome) = self.command(command).await? {
                                return Ok(outcome);
                            }
                        }
                        Err(error) => self.bad(error.tag.as_ref(), error.code, &error.expected)?,
                    }
                }
                Cut::Literal => self.writer.continuation("OK"),
                Cut::Refused(refusal) => {
                    self.bad(refusal.tag.as_ref(), refusal.code, &refusal.text)?;
                }
                // Messages are not cut off before login: here is nobody who may append one.
                Cut::Append { .. } | Cut::AppendOn(_) | Cut::Flood => return Err(End::FLOOD),
            }
        }
    }

    async fn command(&mut self, command: Command) -> Result<Option<Outcome<A::Passage>>, End> {
        let Command { tag, body } = command;
        if !body.allowed_in(StateName::NotAuthenticated) {
            self.bad(Some(&tag), None, "Log in first")?;
            return Ok(None);
        }
        let withdrawn = |capability: &&str| self.limits.withdrawn.has(capability, &self.client_id);
        if let Some(capability) = body.capability().filter(withdrawn) {
            self.bad(Some(&tag), None, &format!("{capability} is switched off"))?;
            return Ok(None);
        }
        self.bad_commands = 0;
        match body {
            CommandBody::Capability => {
                self.capability_asked = true;
                let list = self.capabilities();
                any::capability(&mut self.writer, list);
                self.ok(
                    &tag,
                    "Pre-login capabilities listed, post-login capabilities have more.",
                );
            }
            CommandBody::Noop => self.ok(&tag, "NOOP completed."),
            CommandBody::Id(fields) => {
                self.client_id = fields.unwrap_or_default();
                any::id(&mut self.writer);
                self.ok(&tag, "ID completed.");
            }
            CommandBody::Logout => {
                any::logout(&mut self.writer, &tag);
                return Err(End::Logout);
            }
            CommandBody::StartTls => return self.starttls(&tag).await,
            CommandBody::Login { user, password } => {
                if !self.situation.login_allowed {
                    self.writer.status(
                        None,
                        StatusKind::Bad,
                        Some(Code::Alert),
                        "Plaintext authentication not allowed without SSL/TLS, but your client did it \
                         anyway. If anyone was listening, the password was exposed.",
                    );
                    self.no(
                        &tag,
                        Code::PrivacyRequired,
                        "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
                    );
                    return Ok(None);
                }
                // LOGIN gives what PLAIN gives (RFC 3501 §6.2.3), and neither can hold a NUL.
                let message = sasl::plain_message(&user, &password);
                return self.exchange(tag, Mechanism::Plain, Some(message)).await;
            }
            CommandBody::Authenticate { mechanism, initial } => {
                return self.authenticate(tag, &mechanism, initial).await;
            }
            // Everything else was refused above.
            _ => self.bad(Some(&tag), None, "Log in first")?,
        }
        Ok(None)
    }

    /// STARTTLS (RFC 3501 §6.2.1). What an attacker on the line slipped in behind it must not be taken for
    /// the client's words after TLS has begun, so any of it ends the connection.
    async fn starttls(&mut self, tag: &Tag) -> Result<Option<Outcome<A::Passage>>, End> {
        if self.is_secure() || !self.situation.starttls {
            self.bad(Some(tag), None, "TLS is active already, or not available")?;
            return Ok(None);
        }
        if self.reader.is_ahead() {
            return Err(End::Bye(None, "Input after STARTTLS in the clear.".into()));
        }
        self.ok(tag, "Begin TLS negotiation now.");
        self.writer.flush().await?;
        Ok(Some(Outcome::StartTls))
    }

    /// AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959).
    async fn authenticate(
        &mut self,
        tag: Tag,
        mechanism: &str,
        initial: Option<Secret>,
    ) -> Result<Option<Outcome<A::Passage>>, End> {
        let named = Mechanism::named(mechanism);
        let Some(mechanism) = named.filter(|named| self.offered().any(|one| one == *named)) else {
            self.no(&tag, Code::Alert, "Unsupported authentication mechanism.");
            return Ok(None);
        };
        if mechanism.is_plaintext() && !self.situation.login_allowed {
            let text = "Plaintext authentication disabled.";
            self.no(&tag, Code::PrivacyRequired, text);
            return Ok(None);
        }
        self.exchange(tag, mechanism, initial).await
    }

    /// The messages of a login, to its verdict.
    async fn exchange(
        &mut self,
        tag: Tag,
        mechanism: Mechanism,
        initial: Option<Secret>,
    ) -> Result<Option<Outcome<A::Passage>>, End> {
        let line = Line {
            peer: self.situation.peer.clone(),
            purpose: Purpose::Session,
            tls: self.situation.tls,
            channel: self.situation.channel.clone(),
            shown: match mechanism {
                Mechanism::External => self.situation.shown.clone(),
                _ => Vec::new(),
            },
            certified: None,
        };
        let mut attempt = self.auth.begin(mechanism, line);
        let mut step = attempt.step(initial).await;
        loop {
            let challenge = match step {
                Step::Challenge(challenge) => challenge,
                Step::Verdict(Verdict::Granted(passage)) => {
                    return Ok(Some(Outcome::Login(tag, passage, mechanism)));
                }
                Step::Verdict(refusal) => {
                    self.refuse(&tag, refusal)?;
                    return Ok(None);
                }
            };
            self.writer.continuation(&sasl::encode(&challenge));
            self.writer.flush().await?;
            let line = match self.reader.line().await? {
                Cut::Command(line) => Zeroizing::new(line),
                Cut::Refused(refusal) => {
                    self.bad(Some(&tag), refusal.code, &refusal.text)?;
                    return Ok(None);
                }
                Cut::Literal | Cut::Append { .. } | Cut::AppendOn(_) | Cut::Flood => {
                    return Err(End::FLOOD);
                }
            };
            if *line == b"*" {
                self.bad(Some(&tag), None, "Authentication aborted by client.")?;
                return Ok(None);
            }
            let Some(response) = sasl::decode(&line) else {
                let text = "Invalid base64 data in continued response";
                self.bad(Some(&tag), None, text)?;
                return Ok(None);
            };
            step = attempt.step(Some(response)).await;
        }
    }

    /// Says why nobody is let in.
    fn refuse(&mut self, tag: &Tag, verdict: Verdict<A::Passage>) -> Result<(), End> {
        match verdict {
            Verdict::Granted(_) => {}
            Verdict::Denied => self.failed(tag)?,
            Verdict::Disabled(reason) => {
                self.no(tag, Code::AuthorizationFailed, &reason);
            }
            Verdict::Unavailable => {
                let text = "Temporary authentication failure.";
                self.no(tag, Code::Unavailable, text);
            }
        }
        Ok(())
    }

    fn is_secure(&self) -> bool {
        self.situation.tls != Tls::No
    }

    /// The same words, whoever it was and whatever was wrong.
    fn failed(&mut self, tag: &Tag) -> Result<(), End> {
        self.no(tag, Code::AuthenticationFailed, "Authentication failed.");
        self.failed_logins += 1;
        if self.failed_logins >= FAILED_LOGINS {
            return Err(End::Bye(None, "Too many failed logins.".into()));
        }
        Ok(())
    }

    /// The mechanisms there are on this line.
    fn offered(&self) -> impl Iterator<Item = Mechanism> {
        let is_bound = self.situation.channel.is_some();
        let all = self.situation.mechanisms.iter().copied();
        let is_certified = !self.situation.shown.is_empty();
        all.filter(move |mechanism| {
            (is_bound || !mechanism.is_bound())
                && (is_certified || *mechanism != Mechanism::External)
        })
    }

    fn capabilities(&self) -> Vec<std::borrow::Cow<'static, str>> {
        // A password in clear is not asked for where it may not be sent.
        let allowed = self.situation.login_allowed;
        let announced = self.offered().filter(|one| allowed || !one.is_plaintext());
        let mechanisms: Vec<&str> = announced.map(Mechanism::capability).collect();
        let list = capability::before_login(capability::BeforeLogin {
            starttls: self.situation.starttls && !self.is_secure(),
            login_allowed: self.situation.login_allowed,
            mechanisms: &mechanisms,
        });
        self.limits.withdrawn.announced(list, &self.client_id)
    }

    fn ok(&mut self, tag: &Tag, text: &str) {
        self.writer.status(Some(tag), StatusKind::Ok, None, text);
    }

    fn no(&mut self, tag: &Tag, code: Code, text: &str) {
        self.writer
            .status(Some(tag), StatusKind::No, Some(code), text);
    }

    fn bad(&mut self, tag: Option<&Tag>, code: Option<Code>, text: &str) -> Result<(), End> {
        self.writer.status(tag, StatusKind::Bad, code, text);
        self.bad_commands += 1;
        if self.bad_commands >= BAD_COMMANDS {
            return Err(End::TOO_MANY_BAD);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
