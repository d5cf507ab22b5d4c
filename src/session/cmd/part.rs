//! What a URL of CATENATE names: octets of a message that is here already (RFC 4469 §3, RFC 5092 §6).
//!
//! They are those that FETCH would send for `BODY.PEEK[…]<…>`, with CRLF, and are read piece by piece. Messages
//! are looked for in the selected mailbox or by name, and get no `\Seen`.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::blocking::{self, Lost};
use crate::imap::fetch::{Partial, Section};
use crate::imap::response::Code;
use crate::imap::sequence::Uid;
use crate::imap::url::MessageUrl;
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Message;
use crate::message::Source as _;
use crate::message::crlf::{self, CrlfStream};
use crate::message::mime::{self, Structure};
use crate::message::section::{self, Octets};
use crate::session::cmd::unreadable;
use crate::session::reply::{self, Failure};
use crate::session::wait::Waiting;
use crate::session::{Session, State};

/// Octets read at a time.
const PIECE: usize = 256 << 10;

/// The message that was read last: the next URL often names another part of it.
pub(super) struct Source {
    mailbox: Arc<Mailbox>,
    uid: Uid,
    file: Arc<File>,
    structure: Option<Structure>,
}

/// Octets to be read.
pub(super) struct Part {
    uid: Uid,
    file: Arc<File>,
    /// Where they are, if not in the file.
    memory: Option<Vec<u8>>,
    octets: CrlfStream,
}

/// Finds what a URL names. `[BADURL]` where it names nothing.
pub(super) async fn open(
    session: &mut Session,
    url: &[u8],
    last: &mut Option<Source>,
) -> Result<Part, Failure> {
    let bad = |text: &str| {
        let code = Code::BadUrl(url.to_vec());
        Failure::No(Some(code), format!("CATENATE failed: {text}").into())
    };
    let named = MessageUrl::parse(url).map_err(|error| bad(&error.to_string()))?;
    let mailbox = match &named.mailbox {
        None => match &session.state {
            State::Selected(view, _) => Arc::clone(view.mailbox()),
            State::Authenticated => return Err(bad("no mailbox is selected")),
        },
        Some(name) => {
            let name = session.user.name(name.as_bytes(), true);
            let name = name.map_err(|error| bad(&error.to_string()))?;
            let name = session.user.canonical(name).await?;
            match session.user.mailbox(&name).await {
                Err(Fault::NonExistent(_) | Fault::Ended) => {
                    return Err(bad("there is no such mailbox"));
                }
                opened => opened?,
            }
        }
    };
    let known = last
        .take()
        .filter(|last| Arc::ptr_eq(&last.mailbox, &mailbox) && last.uid == named.uid);
    let found = find(&mailbox, &named).await.map_err(|fault| match fault {
        Fault::Ended => bad("there is no such mailbox"),
        fault => fault.into(),
    })?;
    let message = found.map_err(bad)?;
    let section = named.section;
    let mut waiting = Waiting::silently();
    let located = waiting.wait(session, async move {
        let locate = move || {
            let mut source = match known {
                Some(source) => source,
                None => Source {
                    uid: message.uid,
                    file: Arc::new(mailbox.open(&message)?),
                    structure: None,
                    mailbox,
                },
            };
            let octets = source.locate(&section);
            let octets = octets.map_err(|error| Fault::from_io("reading a message", error))?;
            Ok((source, octets))
        };
        reading(locate).await
    });
    let (source, octets) = match located.await {
        Err(Failure::Fault(Fault::Expunged)) => return Err(bad("the message is expunged")),
        Err(Failure::Fault(fault)) => return Err(unread(&fault, named.uid)),
        located => located?,
    };
    let octets = octets.ok_or_else(|| bad("the message has no such part"))?;
    let part = Part::new(&source, octets, named.partial);
    *last = Some(source);
    Ok(part)
}

/// The message, or why there is none.
async fn find(
    mailbox: &Arc<Mailbox>,
    named: &MessageUrl,
) -> Result<Result<Arc<Message>, &'static str>, Fault> {
    let mut snapshot = mailbox.snapshot();
    if snapshot.find(named.uid).is_none() {
        mailbox.refresh().await?;
        snapshot = mailbox.snapshot();
    }
    Ok(match (named.uid_validity, snapshot.find(named.uid)) {
        (Some(then), _) if then != snapshot.uid_validity => Err("UIDVALIDITY has changed"),
        (_, Some(message)) => Ok(Arc::clone(message)),
        (_, None) => Err("there is no such message"),
    })
}

impl Source {
    fn locate(&mut self, section: &Section) -> io::Result<Option<Octets>> {
        let mut room = section::FIELDS_MAX;
        if *section == Section::default() {
            let range = 0..self.file.len()?;
            let virtual_size = crlf::virtual_size(&*self.file, range.clone())?;
            return Ok(Some(Octets::File {
                range,
                virtual_size,
            }));
        }
        if let Some(octets) = section::locate_in_header(&*self.file, section, &mut room)? {
            return Ok(Some(octets));
        }
        let structure = match self.structure.take() {
            Some(structure) => structure,
            None => mime::parse(&*self.file)?,
        };
        let structure = self.structure.insert(structure);
        section::locate(structure, &*self.file, section, &mut room)
    }
}

impl Part {
    fn new(source: &Source, octets: Octets, partial: Option<Partial>) -> Part {
        let (offset, length) = match partial {
            Some(Partial { offset, length }) => (offset, length),
            None => (0, u64::MAX),
        };
        let (range, virtual_size, memory) = match octets {
            Octets::File {
                range,
                virtual_size,
            } => (range, virtual_size, None),
            Octets::Memory(octets) => {
                let size = octets.len() as u64;
                (0..size, size, Some(octets))
            }
        };
        Part {
            uid: source.uid,
            file: Arc::clone(&source.file),
            memory,
            octets: CrlfStream::new(range, virtual_size, offset, length),
        }
    }

    /// Octets that are still to be read.
    pub(super) fn remaining(&self) -> u64 {
        self.octets.remaining()
    }

    /// The next octets. Nobody waits for them once the client is gone.
    pub(super) async fn read(mut self, session: &mut Session) -> Result<(Part, Vec<u8>), Failure> {
        let uid = self.uid;
        let read = move || {
            let mut out = Vec::new();
            let done = match &self.memory {
                Some(memory) => self.octets.fill(memory.as_slice(), &mut out, PIECE),
                None => self.octets.fill(&*self.file, &mut out, PIECE),
            };
            done.map_err(|error| Fault::from_io("reading a message", error))?;
            Ok((self, out))
        };
        match Waiting::silently().wait(session, reading(read)).await {
            Err(Failure::Fault(fault)) => Err(unread(&fault, uid)),
            read => read,
        }
    }
}

/// What a client hears of a message that is there and could not be read: as from FETCH, and not as if what it
/// appends to were at fault.
fn unread(fault: &Fault, uid: Uid) -> Failure {
    reply::log(fault, "CATENATE");
    unreadable(&[uid])
}

/// Reads on the blocking pool.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let lost = |lost: Lost| Fault::from_io("reading a message", lost.into());
    blocking::spawn(read).await.map_err(lost)?
}
