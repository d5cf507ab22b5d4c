//! One connection, from the greeting to its end (RFC 2033): commands in their order, and a reply for each recipient once
//! the message is in the mailbox. Replies to commands that were sent together go out together (PIPELINING, RFC 2920).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::command::{self, Address, Command, Mail};
use super::data::Dots;
use super::line::{End, Line, PIECE};
use super::note::{Client, Note};
use super::trace::{Trace, fresh_id};
use super::xclient::{ATTRIBUTES, Attribute};
use super::{Desk, Refusal, Transfer, Wanted};

/// The most recipients of a message; RFC 5321 §4.5.3.1.8 asks for as many.
pub const RECIPIENTS_MAX: usize = 100;

/// So many lines that are no command, one after the other, and the connection ends.
pub const WRONG_MAX: usize = 10;

/// How long it may take to find a recipient: a client waits for five minutes.
const FIND_LIMIT: Duration = Duration::from_secs(60);

/// How long a message may take to come: on a line that is slow it is not kept open for one octet at a time.
const MESSAGE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How long bringing a message to all may take from its end: Exim waits for five minutes and Postfix for ten, and they
/// bring it again if they have heard nothing.
const END_LIMIT: Duration = Duration::from_secs(4 * 60);

/// What all connections share, and who is at the other end of this one.
#[derive(Clone, Debug)]
pub struct Setting {
    /// This host's name.
    pub host: String,
    /// The largest message, in octets.
    pub most: u64,
    /// The client's address, where it has one.
    pub peer: Option<IpAddr>,
    /// Whether it is believed for whom it speaks (XCLIENT).
    pub xclient: bool,
}

/// Serves a client to the end of its connection. When `stop` says so, a message that is not whole yet is given up.
///
/// # Errors
///
/// What the stream says.
pub async fn serve<S, D>(
    stream: S,
    desk: &D,
    setting: &Setting,
    stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Desk,
{
    let mut session = Session {
        line: Line::new(stream, stop),
        desk,
        setting,
        origin: Origin {
            address: setting.peer,
            helo: None,
        },
        client: None,
        envelope: None,
        chunks: None,
        wrong: 0,
    };
    session.welcome();
    let last = match session.run().await {
        Ok(()) => "221 2.0.0 Bye".to_owned(),
        Err(End::Said(last)) => last,
        Err(End::Lost(error)) => return Err(error),
    };
    session.line.say(&last);
    session.line.flush().await
}

struct Session<'a, S, D: Desk> {
    line: Line<S>,
    desk: &'a D,
    setting: &'a Setting,
    origin: Origin,
    /// Who the client says it is.
    client: Option<String>,
    /// From MAIL to the end of the message.
    envelope: Option<Envelope<D::Recipient>>,
    /// From the first BDAT to the last.
    chunks: Option<Chunks<D::Transfer>>,
    wrong: usize,
}

/// Where mail comes from: the client, or whom it speaks for.
struct Origin {
    address: Option<IpAddr>,
    /// Who that says it is; else what the client says of itself counts.
    helo: Option<String>,
}

impl Origin {
    /// How the log has a message from there.
    fn note<'a>(&self, id: Option<&'a str>, from: &'a str) -> Note<'a> {
        let client = Client(self.address);
        Note { id, client, from }
    }
}

/// A message's envelope.
struct Envelope<R> {
    mail: Mail,
    recipients: Vec<(Address, R)>,
}

/// A message that has begun to come.
struct Chunks<T> {
    id: String,
    sender: String,
    addresses: Vec<Address>,
    transfer: T,
    size: u64,
    /// Until when all of it has to have come.
    until: Instant,
}

impl<S, D> Session<'_, S, D>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Desk,
{
    async fn run(&mut self) -> Result<(), End> {
        loop {
            let parsed = match self.line.next().await? {
                Some(Ok(line)) => command::parse(&line),
                Some(Err(wrong)) => Err(wrong),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            };
            let command = match parsed {
                Ok(Command::Quit) => return Ok(()),
                Ok(command) => command,
                Err(wrong) => {
                    self.wrong += 1;
                    if self.wrong >= WRONG_MAX {
                        let host = &self.setting.host;
                        return Err(End::Said(format!(
                            "421 4.7.0 {host} Too many invalid commands."
                        )));
                    }
                    self.line.say(wrong.0);
                    continue;
                }
            };
            self.wrong = 0;
            self.obey(command).await?;
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Lhlo(client) => {
                self.client = client;
                self.reset();
                self.greet();
            }
            Command::Mail(mail) => {
                let reply = self.begin(mail);
                self.line.say(reply);
            }
            Command::Rcpt(address) => self.add(address).await?,
            Command::Data => return self.data().await,
            Command::Bdat(size, last) => return self.chunk(size, last).await,
            Command::Rset => {
                self.reset();
                self.line.say("250 2.0.0 OK");
            }
            Command::Noop => self.line.say("250 2.0.0 OK"),
            Command::Xclient(attributes) => self.speak_for(attributes),
            Command::Vrfy => self.line.say("252 2.3.3 Try RCPT instead"),
            // Has been obeyed.
            Command::Quit => {}
        }
        Ok(())
    }

    fn welcome(&mut self) {
        let host = &self.setting.host;
        self.line.say(&format!("220 {host} Culver ready."));
    }

    /// XCLIENT: begins anew, for somebody else. What an earlier one said holds, but for what this one says.
    fn speak_for(&mut self, attributes: Vec<Attribute>) {
        if !self.setting.xclient {
            self.line.say("550 5.7.0 Insufficient authorization");
            return;
        }
        if self.envelope.is_some() || self.chunks.is_some() {
            self.line.say("503 5.5.1 Mail transaction in progress");
            return;
        }
        let (mut name, mut login) = (None, None);
        for attribute in attributes {
            match attribute {
                Attribute::Address(address) => self.origin.address = address,
                Attribute::Helo(helo) => self.origin.helo = helo,
                Attribute::Name(said) => name = said,
                Attribute::Login(said) => login = said,
                Attribute::Other => {}
            }
        }
        let (proxy, client) = (Client(self.setting.peer), Client(self.origin.address));
        let helo = &self.origin.helo;
        info!(%proxy, %client, helo, name, login, "an MTA speaks for a client");
        self.client = None;
        self.welcome();
    }

    fn greet(&mut self) {
        let size = format!("SIZE {}", self.setting.most);
        let host = &self.setting.host;
        for word in [
            host,
            "8BITMIME",
            "CHUNKING",
            "ENHANCEDSTATUSCODES",
            "PIPELINING",
            &size,
        ] {
            self.line.say(&format!("250-{word}"));
        }
        if self.setting.xclient {
            self.line.say(&format!("250-XCLIENT {ATTRIBUTES}"));
        }
        self.line.say("250 SMTPUTF8");
    }

    fn reset(&mut self) {
        self.envelope = None;
        self.chunks = None;
    }

    fn begin(&mut self, mail: Mail) -> &'static str {
        if self.envelope.is_some() || self.chunks.is_some() {
            return "503 5.5.0 MAIL already given";
        }
        if self.is_too_large(mail.size.unwrap_or(0)) {
            self.origin
                .note(None, &mail.sender)
                .refused_at_once(Refusal::TooLarge);
            return "552 5.3.4 Message too large";
        }
        self.envelope = Some(Envelope {
            mail,
            recipients: Vec::new(),
        });
        "250 2.1.0 OK"
    }

    async fn add(&mut self, address: Address) -> Result<(), End> {
        let Some(envelope) = &self.envelope else {
            self.line.say("503 5.5.0 MAIL needed first");
            return Ok(());
        };
        if envelope.recipients.len() >= RECIPIENTS_MAX {
            let note = self.origin.note(None, &envelope.mail.sender);
            note.refused(&address.text, "the message has too many recipients");
            self.line.say("452 4.5.3 Too many recipients");
            return Ok(());
        }
        let found = match &address.user {
            Some(user) => {
                let wanted = Wanted {
                    user,
                    mailbox: address.detail.as_deref(),
                    size: envelope.mail.size,
                };
                let find = timeout(FIND_LIMIT, self.desk.find(wanted));
                let found = self.line.meanwhile(find).await?;
                found.unwrap_or_else(|_| {
                    warn!("a recipient is not found in time");
                    Err(Refusal::Temporary)
                })
            }
            None => Err(Refusal::Unknown),
        };
        let reply = match (found, &mut self.envelope) {
            (Ok(recipient), Some(envelope)) => {
                envelope.recipients.push((address, recipient));
                self.line.used();
                "250 2.1.5 OK".to_owned()
            }
            (found, envelope) => {
                let refusal = found.err().unwrap_or(Refusal::Temporary);
                if let Some(Envelope { mail, .. }) = envelope {
                    let note = self.origin.note(None, &mail.sender);
                    note.refused(&address.text, refusal);
                }
                refusal.reply(&address, "4.3.0")
            }
        };
        self.line.say(&reply);
        Ok(())
    }

    /// DATA: the message up to its dot, and a reply for each recipient.
    async fn data(&mut self) -> Result<(), End> {
        let Some(mut chunks) = (match self.chunks {
            Some(_) => None,
            None => self.open().await?,
        }) else {
            self.line.say("503 5.5.0 No valid recipients");
            return Ok(());
        };
        self.line.say("354 OK");
        let (mut dots, mut piece) = (Dots::default(), Vec::with_capacity(PIECE));
        let mut came = Instant::now();
        while !dots.is_over() {
            let octets = self.line.some(chunks.until).await?;
            came = Instant::now();
            let taken = dots.take(octets, &mut piece);
            self.line.taken(taken);
            let take = chunks.take(&piece, self.setting.most);
            self.line.meanwhile(take).await?;
            piece.clear();
        }
        self.conclude(chunks, came + END_LIMIT).await
    }

    /// BDAT (RFC 3030): a chunk, and after the last one a reply for each recipient. "the receiver-SMTP […] MUST […]
    /// discard" one that may not come now.
    async fn chunk(&mut self, size: u64, last: bool) -> Result<(), End> {
        let begun = match self.chunks.take() {
            Some(chunks) => Some(chunks),
            None => self.open().await?,
        };
        let Some(mut chunks) = begun else {
            self.swallow(size, None).await?;
            self.line.say("503 5.5.0 No valid recipients");
            return Ok(());
        };
        let came = self.swallow(size, Some(&mut chunks)).await?;
        if last {
            return self.conclude(chunks, came + END_LIMIT).await;
        }
        if self.is_too_large(chunks.size) {
            let note = self.origin.note(Some(&chunks.id), &chunks.sender);
            for address in &chunks.addresses {
                note.refused(&address.text, Refusal::TooLarge);
            }
            self.line.say("552 5.3.4 Message too large");
        } else {
            self.line.say(&format!("250 2.0.0 Added {size} octets"));
            self.chunks = Some(chunks);
        }
        Ok(())
    }

    /// So many octets, for a message or for nobody. Gives when the last of them had come.
    async fn swallow(
        &mut self,
        size: u64,
        mut chunks: Option<&mut Chunks<D::Transfer>>,
    ) -> Result<Instant, End> {
        let (mut left, most) = (size, self.setting.most);
        let mut came = Instant::now();
        let until = match &chunks {
            Some(chunks) => chunks.until,
            None => came + MESSAGE_LIMIT,
        };
        while left > 0 {
            let octets = self.line.some(until).await?;
            came = Instant::now();
            let wanted = usize::try_from(left).unwrap_or(usize::MAX);
            let octets = octets.get(..wanted).unwrap_or(octets);
            let taken = octets.len();
            if let Some(chunks) = chunks.as_deref_mut() {
                chunks.take(octets, most).await;
            }
            self.line.taken(taken);
            left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        }
        Ok(came)
    }

    /// Begins a message with its trace; `None` where nobody is to get it.
    async fn open(&mut self) -> Result<Option<Chunks<D::Transfer>>, End> {
        if self
            .envelope
            .as_ref()
            .is_none_or(|envelope| envelope.recipients.is_empty())
        {
            return Ok(None);
        }
        let Some(Envelope { mail, recipients }) = self.envelope.take() else {
            return Ok(None);
        };
        let id = fresh_id()?;
        let (addresses, recipients): (Vec<Address>, Vec<D::Recipient>) =
            recipients.into_iter().unzip();
        let only = match addresses.as_slice() {
            [only] => Some(only.text.as_str()),
            _ => None,
        };
        let trace = Trace {
            sender: &mail.sender,
            recipient: only,
            client: self.origin.helo.as_deref().or(self.client.as_deref()),
            address: self.origin.address,
            host: &self.setting.host,
            id: &id,
            time: Timestamp::now(),
        };
        let header = trace.header();
        let mut transfer = self.desk.begin(recipients);
        transfer.write(header.as_bytes()).await;
        Ok(Some(Chunks {
            id,
            sender: mail.sender,
            addresses,
            transfer,
            size: 0,
            until: Instant::now() + MESSAGE_LIMIT,
        }))
    }

    /// The message has come as a whole. Whoever says that it was brought does so at once, for the client forgets it then.
    async fn conclude(
        &mut self,
        chunks: Chunks<D::Transfer>,
        deadline: Instant,
    ) -> Result<(), End> {
        // To one that has been seen to go it is not brought: it comes again. One that goes later has it twice (RFC 1047).
        self.line.flush().await?;
        let Chunks {
            id,
            sender,
            addresses,
            transfer,
            size,
            ..
        } = chunks;
        let results = match self.is_too_large(size) {
            true => vec![Err(Refusal::TooLarge); addresses.len()],
            false => transfer.end(deadline).await,
        };
        self.line.used();
        let note = self.origin.note(Some(&id), &sender);
        let mut results = results.into_iter();
        for address in addresses {
            // Of whom nothing is known nothing is claimed.
            let result = results.next().unwrap_or(Err(Refusal::Temporary));
            let to = &address.text;
            let reply = match result {
                Ok(delivered) => {
                    note.delivered(to, &delivered);
                    format!("250 2.0.0 <{to}> {id} Saved")
                }
                Err(refusal) => {
                    note.refused(to, refusal);
                    refusal.reply(&address, "4.2.0")
                }
            };
            self.line.say(&reply);
        }
        Ok(self.line.flush().await?)
    }

    fn is_too_large(&self, size: u64) -> bool {
        size > self.setting.most
    }
}

impl<T: Transfer> Chunks<T> {
    /// More of it has come. What is too much goes nowhere.
    async fn take(&mut self, octets: &[u8], most: u64) {
        let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(length);
        if !octets.is_empty() && self.size <= most {
            self.transfer.write(octets).await;
        }
    }
}

#[cfg(test)]
mod tests;
