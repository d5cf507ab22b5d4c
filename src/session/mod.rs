//! One connection, from greeting to BYE.
//!
//! [`prelogin()`] serves strangers and ends in a [`Handover`]; [`run()`] takes it and serves the user.
//! Octets come in through [`reader`] (cut by [`cut`]), become commands in [`crate::imap::parse`], are
//! carried out one at a time and in order by a function of [`cmd`], and are answered through [`writer`].
//! What went wrong becomes NO, BAD or BYE in [`reply`]; what others changed is told by [`updates`],
//! what that changes in the result of a search by [`follow`], and what happens elsewhere in the account by
//! [`notify`]. What may take long is waited for in
//! [`wait`], which tells the client now and then that it goes on.
//!
//! Rules that no type can hold:
//! - A UID, UIDNEXT or UIDVALIDITY is spoken only when the uidlist that holds it is on disk.
//! - Nothing waits for a client while holding a lock or a thread.
//! - The tagged line comes last, after the news that the command permits.

#[cfg(test)]
mod client;
pub mod cmd;
pub mod compress;
pub mod cut;
pub mod follow;
pub mod notify;
pub mod prelogin;
pub mod reader;
pub mod reply;
pub mod run;
pub mod updates;
mod wait;
pub mod withdrawn;
pub mod writer;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::auth::{Channel, Granted, Mechanism, Tls};
use crate::imap::core::Tag;
use crate::imap::name::MailboxName;
pub use crate::imap::response::Code;
use crate::imap::response::{Data, ListAttribute, ListExtended, ListItem, StatusKind};
use crate::mailbox::annotations::Listener;
use crate::mailbox::user::User;
use crate::mailbox::view::{Expunge, View};
use crate::session::cmd::uidbatches::Batched;
use crate::session::follow::Followed;
use crate::session::notify::Notify;
use crate::session::reader::{Reader, Unread};
use crate::session::reply::Failure;
use crate::session::updates::By;
use crate::session::wait::Waiting;
use crate::session::withdrawn::Withdrawn;
use crate::session::writer::Writer;

pub use crate::session::prelogin::prelogin;
pub use crate::session::run::{preauth, run, turn_away};

/// What a client that is being told BYE may take to hear it.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a command that asks for mod-sequences waits until they are kept again.
const MODSEQS_WAIT: Duration = Duration::from_secs(10);

/// What a session is spoken over: a socket, TLS on one, or two pipes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Itself, as what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static> Stream for S {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Turns true once: the running command is finished, `* BYE` sent, the connection ended.
pub type Stop = watch::Receiver<bool>;

/// How long and how much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the greeting (or the end of STARTTLS) to a successful login.
    pub login_timeout: Duration,
    /// For each command, and each piece of an APPEND's message, to arrive. IDLE is not limited by it.
    pub idle_timeout: Duration,
    /// Octets of an APPEND's message. `None`: no limit.
    pub max_message_size: Option<u64>,
    /// Messages that one command may process (RFC 9738).
    pub message_limit: Option<u32>,
    /// Messages that one APPEND or COPY may make where nothing else is limited (RFC 9738).
    pub save_limit: Option<u32>,
    /// Capabilities that are not offered.
    pub withdrawn: Arc<Withdrawn>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            login_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30 * 60),
            max_message_size: None,
            message_limit: None,
            save_limit: None,
            withdrawn: Arc::default(),
        }
    }
}

/// What the greeting and CAPABILITY depend on before login.
#[derive(Clone, Debug)]
pub struct Situation {
    /// Whether the line is protected by TLS.
    pub tls: Tls,
    /// STARTTLS is possible.
    pub starttls: bool,
    /// A plain password may cross this line.
    pub login_allowed: bool,
    /// The SASL mechanisms offered, in this order.
    pub mechanisms: Arc<[Mechanism]>,
    /// The TLS connection, where a mechanism that binds to it is offered.
    pub channel: Option<Channel>,
    /// The certificates that the client has shown, its own first; they were found good.
    pub shown: Vec<Vec<u8>>,
    /// The client's address, for the log and for auth.
    pub peer: String,
}

/// A client's name for itself: fields and values of ID (RFC 2971).
pub type ClientId = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A connection whose client has logged in, but has not been told so yet.
#[derive(Debug)]
pub struct Handover<S, P = Granted> {
    /// The connection.
    pub stream: S,
    /// What the client sent ahead.
    pub unread: Unread,
    /// The tag of the LOGIN or AUTHENTICATE to answer.
    pub tag: Tag,
    /// What was granted: who it is, or the way to whoever serves them.
    pub passage: P,
    /// How the client has logged in, and under what, for the log.
    pub how: How,
    /// The client asked CAPABILITY before: it is answered in the form it then expects.
    pub capability_asked: bool,
    /// What the client said in ID; empty if nothing.
    pub client_id: ClientId,
    /// Logins that failed on this connection.
    pub failed_logins: u32,
}

/// How a client has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// By which mechanism.
    pub mechanism: Mechanism,
    /// Whether under TLS.
    pub tls: Tls,
}

/// How NotAuthenticated begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Opening {
    /// The client is to be greeted: not after STARTTLS, nor after UNAUTHENTICATE.
    pub greeting: bool,
    /// What the client has sent already.
    pub unread: Unread,
    /// What it said in ID before. RFC 8437 §3: "caching it for the duration of the client connection can be useful".
    pub client_id: ClientId,
    /// Logins that have failed on this connection.
    pub failed_logins: u32,
}

/// A connection whose client has given up who it was (RFC 8437) and knows it.
#[derive(Debug)]
pub struct Released<S> {
    /// The connection.
    pub stream: S,
    /// How it goes on.
    pub opening: Opening,
}

/// The states of RFC 3501 §3 after login. NotAuthenticated is [`prelogin()`], a type of its own.
pub(crate) enum State {
    /// No mailbox is selected.
    Authenticated,
    /// A mailbox is. This is the client's picture of it, and these are the searches in it that the client wants to
    /// hear of on and on.
    Selected(Box<View>, Vec<Followed>),
}

/// What the client has asked for by ENABLE (RFC 5161), or as if by that. It is for the rest of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Enabled {
    /// IMAP4rev2 (RFC 9051, Appendix E): what that leaves out is not sent any more.
    pub(crate) rev2: bool,
    /// UTF8=ACCEPT (RFC 9755).
    pub(crate) utf8: bool,
    /// CONDSTORE, by whichever command (RFC 7162 §3.1).
    pub(crate) condstore: bool,
    /// QRESYNC, and CONDSTORE with it (RFC 7162 §3.2.3).
    pub(crate) qresync: bool,
    /// UIDONLY (RFC 9586): messages have no numbers but their UIDs.
    pub(crate) uid_only: bool,
    /// METADATA or METADATA-SERVER (RFC 5464 §4.1): what others change is told.
    pub(crate) metadata: bool,
}

impl Enabled {
    /// Whether mailbox names are UTF-8 on the wire; else they are modified UTF-7.
    pub(crate) fn utf8_names(self) -> bool {
        self.rev2 || self.utf8
    }
}

/// A mailbox's name from the wire.
pub(crate) struct Named {
    /// As the account has it.
    pub(crate) name: MailboxName,
    /// As the client has it, where that is another form of the same text.
    pub(crate) old: Option<MailboxName>,
}

/// A user's connection.
pub(crate) struct Session {
    reader: Reader<ReadHalf<Box<dyn Stream>>>,
    writer: Writer<WriteHalf<Box<dyn Stream>>>,
    user: Arc<User>,
    limits: Limits,
    stop: Stop,
    state: State,
    enabled: Enabled,
    /// Where it hears of annotations that others change, if the client wants to.
    annotations: Option<Listener>,
    /// What it has asked for by NOTIFY, once it has.
    notify: Option<Box<Notify>>,
    /// What was asked by UIDBATCHES of the selected mailbox.
    batched: VecDeque<Batched>,
    /// What the client says that it is.
    client_id: ClientId,
    /// How often it said something else.
    ids_noted: u32,
    /// Whoever is logged in may give that up.
    may_unauthenticate: bool,
}

impl Session {
    fn new(
        stream: Box<dyn Stream>,
        unread: Unread,
        user: Arc<User>,
        limits: Limits,
        stop: Stop,
    ) -> Box<Session> {
        let (input, output) = tokio::io::split(stream);
        Box::new(Session {
            reader: Reader::new(input, cut::AFTER_LOGIN, unread),
            writer: Writer::new(output),
            user,
            limits,
            stop,
            state: State::Authenticated,
            enabled: Enabled::default(),
            annotations: None,
            notify: None,
            batched: VecDeque::new(),
            client_id: ClientId::new(),
            ids_noted: 0,
            may_unauthenticate: false,
        })
    }

    /// Whether this client is not offered a capability.
    fn is_withdrawn(&self, capability: &str) -> bool {
        self.limits.withdrawn.has(capability, &self.client_id)
    }

    /// The selected mailbox.
    fn view(&mut self) -> Result<&mut View, Failure> {
        match &mut self.state {
            State::Selected(view, _) => Ok(view),
            State::Authenticated => Err(Failure::Bad("No mailbox selected".into())),
        }
    }

    /// The selected mailbox, if it may be changed.
    fn writable_view(&mut self) -> Result<&mut View, Failure> {
        let view = self.view()?;
        if view.is_read_only() {
            let code = view.is_forbidden().then_some(Code::NoPerm);
            return Err(Failure::No(code, "Mailbox is read-only".into()));
        }
        Ok(view)
    }

    /// From now on the client hears of mod-sequences. "A first CONDSTORE enabling command executed in the session with
    /// a mailbox selected MUST cause the server to return HIGHESTMODSEQ […] unless the server has sent a NOMODSEQ"
    /// (RFC 7162 §3.1).
    fn enable_condstore(&mut self) {
        if std::mem::replace(&mut self.enabled.condstore, true) {
            return;
        }
        if let State::Selected(view, _) = &mut self.state
            && view.with_modseqs()
        {
            let code = Code::HighestModSeq(view.highest_modseq());
            self.writer
                .status(None, StatusKind::Ok, Some(code), "Highest");
        }
    }

    /// The same for a command that asks for mod-sequences in the selected mailbox. "A server that returned the NOMODSEQ
    /// response code for a mailbox MUST reject (with a tagged BAD response)" these (RFC 7162 §3.1.2.2). One that did
    /// not waits until they are kept, but not for ever.
    async fn need_modseqs(&mut self) -> Result<(), Failure> {
        self.enable_condstore();
        let view = self.view()?;
        if view.tells_modseqs() {
            return Ok(());
        }
        if !view.awaits_modseqs() {
            return Err(Failure::Bad("Mailbox does not keep mod-sequences".into()));
        }
        let mailbox = Arc::clone(view.mailbox());
        let kept = mailbox.await_modseqs(MODSEQS_WAIT);
        Waiting::silently().wait(self, kept).await?;
        updates::tell(self, Expunge::Held, true, By::Client).await?;
        match self.view()?.tells_modseqs() {
            true => Ok(()),
            false => Err(unkept()),
        }
    }

    /// A mailbox's name as the client wrote it.
    async fn name(&self, wire: &[u8]) -> Result<MailboxName, Failure> {
        Ok(self.named(wire).await?.name)
    }

    /// The same, with what to tell a client whose name is not in Normalization Form C (RFC 9051 §5.1).
    async fn named(&self, wire: &[u8]) -> Result<Named, Failure> {
        let utf8 = self.is_utf8(wire)?;
        let given = self
            .user
            .name(wire, utf8)
            .map_err(|error| Failure::No(Some(Code::Cannot), error.to_string().into()))?;
        if !utf8 {
            return Ok(Named {
                name: given,
                old: None,
            });
        }
        let name = self.user.canonical(given.clone()).await?;
        let old = (name != given).then_some(given);
        Ok(Named { name, old })
    }

    /// Whether a name or pattern is in UTF-8. RFC 9755 §3: a server that also knows modified UTF-7 must
    /// take names in UTF-8 whether or not that was enabled, and answer BAD to what is not UTF-8.
    fn is_utf8(&self, wire: &[u8]) -> Result<bool, Failure> {
        if std::str::from_utf8(wire).is_err() {
            return Err(Failure::Bad("Mailbox name is not valid UTF-8".into()));
        }
        Ok(self.enabled.utf8_names() || !wire.is_ascii())
    }

    /// Tells a client that knows the extended LIST what became of the name it gave, if it was another.
    fn tell_old_name(&mut self, named: &Named, attributes: Vec<ListAttribute>) {
        if let Some(old) = named.old.clone().filter(|_| self.enabled.rev2) {
            self.writer.data(&Data::List(ListItem {
                attributes,
                separator: Some(self.user.separator()),
                name: Some(named.name.clone()),
                extended: vec![ListExtended::OldName(old)],
            }));
        }
    }
}

/// The answer to who asks for mod-sequences that may be kept again later.
fn unkept() -> Failure {
    Failure::No(None, "Mod-sequences are not kept at present".into())
}

/// Ends a connection in order. What the client still sends is read and dropped for a moment: closing over
/// unread input would reset the connection, and take our last words with it.
async fn farewell<S: Stream>(mut reader: Reader<ReadHalf<S>>, mut writer: Writer<WriteHalf<S>>) {
    let last_words = async {
        writer.shutdown().await?;
        reader.drain().await
    };
    // It is over, whether or not the client heard.
    let _ = timeout(FAREWELL, last_words).await;
}

/// Resolves when the server is to stop; never, if nobody is left to say so.
async fn stopped(stop: &mut Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
