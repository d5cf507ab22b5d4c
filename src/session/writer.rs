//! Answers → socket: gathered, bounded, and given up on where the client does not read them.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::imap::core::Tag;
use crate::imap::encode::{self, NameForm};
use crate::imap::response::{Code, Data, Status, StatusKind};
use crate::session::compress::Deflate;

/// A client that takes nothing for so long is gone.
const STALL: Duration = Duration::from_secs(5 * 60);

/// [`Writer::relieve`] sends once so much is queued. A FETCH step renders as much at the most, so the queue stays under
/// 256 KiB there. The result of a SEARCH, SORT, THREAD or ESEARCH is one line and queued as a whole: it takes up to 11
/// octets for each message that is found, and THREAD's parentheses beside that.
pub(super) const RELIEF: usize = 128 << 10;

/// A queue that grew beyond this is let go when it is empty: idle sessions cost little.
const KEPT: usize = 16 << 10;

/// The writing half of a connection.
#[derive(Debug)]
pub struct Writer<W> {
    half: W,
    /// Octets to send; those before `sent` are gone already, or compressed.
    queue: Vec<u8>,
    sent: usize,
    names: NameForm,
    packing: Option<Packing>,
}

/// Compression of what is sent.
#[derive(Debug, Default)]
struct Packing {
    deflate: Deflate,
    /// Compressed octets to send; those before `sent` are gone already.
    packed: Vec<u8>,
    sent: usize,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes to `half`.
    pub fn new(half: W) -> Writer<W> {
        Writer {
            half,
            queue: Vec::new(),
            sent: 0,
            names: NameForm::Mutf7,
            packing: None,
        }
    }

    /// Mailbox names are written in UTF-8 from now on.
    pub fn use_utf8_names(&mut self) {
        self.names = NameForm::Utf8;
    }

    /// The queue, for what is rendered in place.
    pub fn queue(&mut self) -> &mut Vec<u8> {
        &mut self.queue
    }

    /// What is queued from now on is compressed; what was must have been flushed.
    pub fn deflate(&mut self) {
        self.packing = Some(Packing::default());
    }

    /// Whether what is sent is compressed.
    pub fn is_deflating(&self) -> bool {
        self.packing.is_some()
    }

    /// Whether [`Writer::rest`] would let go of memory.
    pub fn is_awake(&self) -> bool {
        let deflate = self.packing.as_ref().map(|packing| &packing.deflate);
        deflate.is_some_and(Deflate::is_awake)
    }

    /// Lets go of what compression keeps to do better next time: there will be nothing to say for a while.
    pub fn rest(&mut self) {
        if let Some(packing) = &mut self.packing {
            packing.deflate.rest();
        }
    }

    /// Queues untagged data.
    pub fn data(&mut self, data: &Data) {
        encode::data(&mut self.queue, data, self.names);
    }

    /// Queues a status response: tagged, or untagged where `tag` is `None`.
    pub fn status(
        &mut self,
        tag: Option<&Tag>,
        kind: StatusKind,
        code: Option<Code>,
        text: impl Into<String>,
    ) {
        let status = Status {
            tag: tag.cloned(),
            kind,
            code,
            text: text.into(),
        };
        encode::status(&mut self.queue, &status);
    }

    /// Queues a continuation request.
    pub fn continuation(&mut self, text: &str) {
        encode::continuation(&mut self.queue, text);
    }

    /// Sends if much is queued. To be called in every loop that queues.
    pub async fn relieve(&mut self) -> io::Result<()> {
        if self.queue.len() - self.sent >= RELIEF {
            self.send(false).await?;
        }
        Ok(())
    }

    /// Sends all that is queued; to be called before waiting for the client. May be cancelled, and goes on
    /// then where it was.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.send(true).await?;
        if self.queue.capacity() > KEPT {
            self.queue = Vec::new();
        }
        stalled(self.half.flush()).await
    }

    /// Sends all that is queued and ends the connection in order.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        stalled(self.half.shutdown()).await
    }

    /// The half. What is queued must have been flushed.
    pub fn into_half(self) -> W {
        self.half
    }

    /// Sends all that is queued. `flush`: so that the client can read it all, if it is compressed.
    async fn send(&mut self, flush: bool) -> io::Result<()> {
        match &mut self.packing {
            None => write(&mut self.half, &self.queue, &mut self.sent).await?,
            Some(packing) => loop {
                write(&mut self.half, &packing.packed, &mut packing.sent).await?;
                packing.packed = Vec::new();
                packing.sent = 0;
                let rest = self.queue.get(self.sent..).unwrap_or_default();
                self.sent += packing.deflate.deflate(rest, &mut packing.packed, flush)?;
                let all = self.sent == self.queue.len() && packing.packed.is_empty();
                if all && (packing.deflate.is_flushed() || !flush) {
                    break;
                }
            },
        }
        self.queue.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Writes octets from `sent` on, which says how far it came if it is cancelled.
async fn write<W: AsyncWrite + Unpin>(
    half: &mut W,
    octets: &[u8],
    sent: &mut usize,
) -> io::Result<()> {
    while let Some(rest @ [_, ..]) = octets.get(*sent..) {
        match stalled(half.write(rest)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => *sent += count,
        }
    }
    Ok(())
}

async fn stalled<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(STALL, step)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_is_given_up_on() {
        let (mut client, server) = tokio::io::duplex(1000);
        let mut writer = Writer::new(server);
        writer.queue().resize(3000, b'x');
        let begun = Instant::now();
        let reads = tokio::spawn(async move {
            // Slow is not gone.
            tokio::time::sleep(STALL - Duration::from_secs(1)).await;
            let mut octets = [0; 500];
            client.read_exact(&mut octets).await.unwrap();
            client
        });
        let error = writer.flush().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let waited = begun.elapsed();
        assert!(waited >= STALL * 2 - Duration::from_secs(1) && waited < STALL * 2);
        reads.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_that_was_cancelled_goes_on_where_it_was() {
        let (mut client, server) = tokio::io::duplex(10);
        let mut writer = Writer::new(server);
        let octets: Vec<u8> = (0..100).collect();
        writer.queue().extend_from_slice(&octets);
        let cancelled = timeout(Duration::from_secs(1), writer.flush()).await;
        assert!(cancelled.is_err());
        let mut heard = vec![0; 100];
        let (flushed, read) = tokio::join!(writer.flush(), client.read_exact(&mut heard));
        flushed.unwrap();
        read.unwrap();
        assert_eq!(heard, octets);
    }

    #[tokio::test(start_paused = true)]
    async fn a_compressed_flush_that_was_cancelled_goes_on_where_it_was() {
        let (mut client, server) = tokio::io::duplex(10);
        let mut writer = Writer::new(server);
        writer.deflate();
        let octets: Vec<u8> = (0..200_000u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        writer.queue().extend_from_slice(&octets);
        let reads = tokio::spawn(async move {
            let (mut packed, mut heard) = (Vec::new(), Vec::with_capacity(1 << 20));
            let mut inflate = flate2::Decompress::new(false);
            while heard.len() < 200_000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                packed.clear();
                assert!(client.read_buf(&mut packed).await.unwrap() > 0);
                inflate
                    .decompress_vec(&packed, &mut heard, flate2::FlushDecompress::None)
                    .unwrap();
            }
            heard
        });
        let mut relieved = timeout(Duration::from_millis(7), writer.relieve())
            .await
            .is_ok();
        while !relieved {
            relieved = timeout(Duration::from_millis(7), writer.flush())
                .await
                .is_ok();
        }
        assert!(reads.await.unwrap() == octets);
        assert!(writer.is_awake());
        writer.rest();
        assert!(!writer.is_awake());
    }

    #[tokio::test]
    async fn little_is_kept_until_it_is_flushed() {
        let (_client, server) = tokio::io::duplex(1 << 20);
        let mut writer = Writer::new(server);
        writer.continuation("idling");
        writer.relieve().await.unwrap();
        assert_eq!(writer.queue().len(), "+ idling\r\n".len());
        writer.queue().resize(RELIEF, b'x');
        writer.relieve().await.unwrap();
        assert!(writer.queue().is_empty());
        writer.queue().reserve(1 << 20);
        writer.flush().await.unwrap();
        assert_eq!(writer.queue().capacity(), 0, "memory is let go");
    }
}
