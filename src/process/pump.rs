//! Octets between TLS, which stays in the login process, and the worker's line, both ways.
//!
//! Most connections rest most of the time, so one that does holds no buffer: octets are read into one that belongs to
//! the thread, and only what the other side has no room for is kept.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Sleep, sleep};

use crate::process::link::receive_some;
use crate::process::way;

/// Octets that are read at a time.
const SCRATCH: usize = 16 << 10;

/// How long a client may take to make room for what it is sent. The worker gives up on it no later.
const STUCK: Duration = Duration::from_secs(6 * 60);

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// How pumping ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Pumped {
    /// The connection is over.
    Over,
    /// The worker gives the connection back. These octets of the client's it has not been sent.
    Back(Vec<u8>),
}

/// Moves octets until the client or the worker ends the connection, or the worker gives it back.
///
/// # Errors
///
/// What a socket says, and `TimedOut` for a client that takes nothing any more.
pub async fn pump<S>(client: &mut S, line: &mut UnixStream) -> io::Result<Pumped>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut pump = Pump {
        client,
        line,
        inward: Rest::default(),
        outward: Rest::default(),
        heard_all: false,
        end: None,
        flushing: false,
        stuck: None,
    };
    poll_fn(|cx| BUFFER.with_borrow_mut(|buffer| pump.poll(cx, buffer))).await
}

struct Pump<'a, S> {
    client: &'a mut S,
    line: &'a mut UnixStream,
    /// For the worker.
    inward: Rest,
    /// For the client.
    outward: Rest,
    /// The client has said its last.
    heard_all: bool,
    /// The worker has.
    end: Option<Last>,
    /// The client has been sent something that it has not taken.
    flushing: bool,
    /// Runs while the client makes no room.
    stuck: Option<Pin<Box<Sleep>>>,
}

/// The worker's last word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Over,
    Back,
}

/// What found no room.
#[derive(Default)]
struct Rest {
    octets: Vec<u8>,
    from: usize,
}

impl Rest {
    fn left(&self) -> &[u8] {
        self.octets.get(self.from..).unwrap_or_default()
    }

    /// Writes it; ready once nothing is left.
    fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.left().is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, self.left()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.from = self.from.saturating_add(written);
        }
        *self = Rest::default();
        Poll::Ready(Ok(()))
    }

    /// Writes `octets`, and keeps what finds no room. Nothing is left from before.
    fn poll_first<W: AsyncWrite + Unpin>(
        &mut self,
        octets: &[u8],
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let written = match Pin::new(to).poll_write(cx, octets) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.octets
            .extend(octets.get(written..).unwrap_or_default());
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Pumped>> {
        if self.end.is_none() {
            self.poll_inward(cx, buffer)?;
        }
        if let Poll::Ready(last) = self.poll_outward(cx, buffer)? {
            return Poll::Ready(Ok(match last {
                Last::Over => Pumped::Over,
                Last::Back => Pumped::Back(self.inward.left().to_vec()),
            }));
        }
        self.poll_stuck(cx)
    }

    /// Client → worker, as far as it goes.
    fn poll_inward(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.inward.poll(self.line, cx) {
                Poll::Ready(Ok(())) => {}
                // A worker that hears no more may still have something to say.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.heard_all = true;
                    return Ok(());
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
            if self.heard_all {
                return Ok(());
            }
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut *self.client).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) => {}
                // Many clients leave without the end of TLS.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
            if read.filled().is_empty() {
                self.heard_all = true;
                // The worker hears the end; a socket shuts down at once.
                let _ = Pin::new(&mut *self.line).poll_shutdown(cx)?;
                return Ok(());
            }
            let read = read.filled();
            match self.inward.poll_first(read, self.line, cx) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.heard_all = true,
                written => written?,
            }
        }
    }

    /// Worker → client, as far as it goes; ready when the worker has said its last and the client was sent it.
    fn poll_outward(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Last>> {
        loop {
            ready!(self.outward.poll(self.client, cx))?;
            // TLS takes much at once, and what it has taken waits here.
            self.flushing = true;
            ready!(Pin::new(&mut *self.client).poll_flush(cx))?;
            self.flushing = false;
            self.stuck = None;
            match self.end {
                Some(Last::Back) => return Poll::Ready(Ok(Last::Back)),
                Some(Last::Over) => {
                    ready!(Pin::new(&mut *self.client).poll_shutdown(cx))?;
                    return Poll::Ready(Ok(Last::Over));
                }
                None => {}
            }
            let mut descriptors = Vec::new();
            let Some(length) = ready!(self.poll_receive(cx, buffer, &mut descriptors))? else {
                continue;
            };
            let received = buffer.get(..length).unwrap_or_default();
            let received = match way::is_mark(received, &descriptors) {
                true => {
                    self.end = Some(Last::Back);
                    received.get(..length - 1).unwrap_or_default()
                }
                false => {
                    if received.is_empty() {
                        self.end = Some(Last::Over);
                    }
                    received
                }
            };
            if !received.is_empty() {
                self.outward.poll_first(received, self.client, cx)?;
            }
        }
    }

    /// `None`: nothing was there after all.
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> Poll<io::Result<Option<usize>>> {
        ready!(self.line.poll_read_ready(cx))?;
        let line = &*self.line;
        let receive = || receive_some(line, buffer, descriptors);
        match line.try_io(Interest::READABLE, receive) {
            Ok((length, _)) => Poll::Ready(Ok(Some(length))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Ready(Ok(None)),
            // A worker that died over what it was sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Poll::Ready(Ok(Some(0)))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Gives up on a client that has taken nothing for long. Polled whenever something waits for the client.
    fn poll_stuck(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pumped>> {
        if self.outward.left().is_empty() && !self.flushing && self.end.is_none() {
            return Poll::Pending;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(STUCK)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream, duplex};

    use super::*;
    use crate::session::Opening;

    fn ends() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    #[tokio::test]
    async fn much_goes_both_ways_at_once_through_little_room() {
        let (client, mut far) = duplex(100);
        let (mut line, worker) = ends();
        let pumping = tokio::spawn(async move {
            let mut client = client;
            pump(&mut client, &mut line).await
        });
        let text: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let (mut worker_in, mut worker_out) = worker.into_split();
        let sent = text.clone();
        let (to, from) = (text.clone(), text.clone());
        let worker = tokio::spawn(async move {
            let mut heard = Vec::new();
            let (said, read) = tokio::join!(
                worker_out.write_all(&sent),
                worker_in.read_to_end(&mut heard)
            );
            said.unwrap();
            read.unwrap();
            heard
        });
        let mut heard = vec![0; from.len()];
        {
            let (mut read, mut write) = tokio::io::split(&mut far);
            let (said, got) = tokio::join!(write.write_all(&to), read.read_exact(&mut heard));
            said.unwrap();
            got.unwrap();
            write.shutdown().await.unwrap();
        }
        assert!(heard == from && worker.await.unwrap() == to);
        assert_eq!(pumping.await.unwrap().unwrap(), Pumped::Over);
    }

    #[tokio::test]
    async fn a_worker_that_is_gone_ends_the_connection_after_its_last_words() {
        let (mut client, mut far) = duplex(1000);
        let (mut line, mut worker) = ends();
        worker.write_all(b"* BYE\r\n").await.unwrap();
        drop(worker);
        let end = pump(&mut client, &mut line).await.unwrap();
        assert_eq!(end, Pumped::Over);
        drop(client);
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "* BYE\r\n");
    }

    #[tokio::test]
    async fn the_way_back_keeps_every_octet() {
        let (mut client, mut far) = duplex(1000);
        let (mut line, mut worker) = ends();
        worker.write_all(b"said").await.unwrap();
        far.write_all(b"one two").await.unwrap();
        let back = tokio::spawn(async move {
            let mut first = [0; 4];
            worker.read_exact(&mut first).await.unwrap();
            way::send_back(&mut worker, Opening::default(), None)
                .await
                .unwrap();
            first
        });
        let Pumped::Back(kept) = pump(&mut client, &mut line).await.unwrap() else {
            panic!("over");
        };
        assert!(kept.is_empty());
        let opening = way::take_back(&mut line).await.unwrap();
        assert_eq!(&back.await.unwrap(), b"one ");
        assert_eq!(opening.unread, b"two".to_vec().into());
        let mut heard = [0; 4];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"said");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut client, _far) = duplex(10);
        let (mut line, mut worker) = ends();
        worker.write_all(&[b'x'; 1000]).await.unwrap();
        let error = pump(&mut client, &mut line).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // TLS has room where the client has none.
        let (mut line, mut worker) = ends();
        let mut client = BufStream::with_capacity(10, 1 << 16, client);
        worker.write_all(&[b'x'; 1000]).await.unwrap();
        let error = pump(&mut client, &mut line).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
