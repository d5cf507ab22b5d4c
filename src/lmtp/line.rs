//! The stream of a connection: lines out of it and octets, replies into it, and the limits of both.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::join;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::command;

/// The longest line of a command, in octets with its end.
pub const LINE_MAX: usize = 8192;

/// How long a client may take for a command, or for more of a message.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long it may do nothing that has to do with mail.
const USELESS_LIMIT: Duration = Duration::from_secs(10 * 60);

/// How long it may take to hear a reply.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// Replies that are ready wait so long for others to go along.
const SOON: Duration = Duration::from_millis(50);

/// Octets read at a time.
pub(super) const PIECE: usize = 64 << 10;

/// Why a connection ends before QUIT.
pub(super) enum End {
    /// The client is gone, or too slow.
    Lost(io::Error),
    /// With these words.
    Said(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        End::Lost(error)
    }
}

/// The stream, and what was read of it beyond what was wanted.
pub(super) struct Line<S> {
    stream: S,
    unread: Vec<u8>,
    /// What is in front of it has been taken.
    at: usize,
    unsent: Vec<u8>,
    /// When it was last of use.
    used: Instant,
    stop: watch::Receiver<bool>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Nothing has been said yet.
    pub fn new(stream: S, stop: watch::Receiver<bool>) -> Line<S> {
        Line {
            stream,
            unread: Vec::new(),
            at: 0,
            unsent: Vec::new(),
            used: Instant::now(),
            stop,
        }
    }

    /// Says a line, when the next is waited for or it is flushed.
    pub fn say(&mut self, reply: &str) {
        self.unsent.extend_from_slice(reply.as_bytes());
        self.unsent.extend_from_slice(b"\r\n");
    }

    /// Sends what was said.
    pub async fn flush(&mut self) -> io::Result<()> {
        let write = self.stream.write_all(&self.unsent);
        timeout(WRITE_LIMIT, write).await??;
        self.unsent.clear();
        self.stream.flush().await
    }

    /// Waits for work that the client waits for. If it takes long, what was said before is sent meanwhile.
    pub async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        let mut work = pin!(work);
        if let Ok(done) = timeout(SOON, &mut work).await {
            return Ok(done);
        }
        let (flushed, done) = join!(self.flush(), work);
        flushed.map(|()| done)
    }

    /// The next line without its end, or what is wrong with it; `None`: the client has hung up.
    pub async fn next(&mut self) -> Result<Option<Result<Vec<u8>, command::Wrong>>, End> {
        let mut too_long = false;
        loop {
            let rest = self.rest();
            if let Some(end) = memchr::memchr(b'\n', rest) {
                let line = rest.get(..end).unwrap_or_default();
                let line = match line.strip_suffix(b"\r") {
                    _ if too_long || end >= LINE_MAX => {
                        Err(command::Wrong("500 5.5.2 Line too long"))
                    }
                    Some(line) => Ok(line.to_vec()),
                    None => Err(command::Wrong("500 5.5.2 A line ends with CRLF")),
                };
                self.taken(end + 1);
                return Ok(Some(line));
            }
            if rest.len() > LINE_MAX {
                too_long = true;
                self.taken(rest.len());
            }
            if self.read(self.used + USELESS_LIMIT).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The connection is of use: it brings mail.
    pub fn used(&mut self) {
        self.used = Instant::now();
    }

    /// What has come of a message, which has to have come `until` then.
    pub async fn some(&mut self, until: Instant) -> Result<&[u8], End> {
        self.used();
        if self.rest().is_empty() && self.read(until).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(self.rest())
    }

    fn rest(&self) -> &[u8] {
        self.unread.get(self.at..).unwrap_or_default()
    }

    /// Has done with so many octets of what has come.
    pub fn taken(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets).min(self.unread.len());
    }

    /// Reads on, when all that there is to say has been said; 0: the client has hung up.
    async fn read(&mut self, until: Instant) -> Result<usize, End> {
        if !self.unsent.is_empty() {
            self.flush().await?;
        }
        self.unread.drain(..self.at);
        self.at = 0;
        self.unread.reserve(PIECE);
        let limit = (Instant::now() + PATIENCE).min(until);
        let read = timeout_at(limit, self.stream.read_buf(&mut self.unread));
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stopping| *stopping) => {
                Err(End::Said("421 4.3.2 Shutting down".to_owned()))
            }
            read = read => match read {
                Ok(read) => Ok(read?),
                Err(_) => Err(End::Said("421 4.4.2 Disconnected for inactivity".to_owned())),
            },
        }
    }
}
