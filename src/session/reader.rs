//! Socket → lines, literals and commands. Refuses what is too large; waits, and nothing else.
//!
//! Every wait here may be cancelled: what has come stays, and the next call goes on from there.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use zeroize::Zeroize;

use crate::session::compress::{Inflate, pass_end};
use crate::session::cut::{Budget, Cut, Cutter};

/// Room made for input at a time.
const CHUNK: usize = 4 << 10;

/// An APPEND's literal is taken in pieces of this size (the last one is shorter).
pub const PIECE: usize = 64 << 10;

/// How far [`Reader::closed`] reads ahead of a running command.
const AHEAD: usize = 64 << 10;

/// What came and was not used, for another reader.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    octets: Vec<u8>,
    /// The end of a compressed stream may come before what is said.
    ends_stream: bool,
}

impl Unread {
    /// Takes what came later.
    pub fn append(&mut self, more: &[u8]) {
        self.octets.extend_from_slice(more);
    }
}

impl From<Vec<u8>> for Unread {
    fn from(octets: Vec<u8>) -> Unread {
        Unread {
            octets,
            ends_stream: false,
        }
    }
}

/// The reading half of a connection.
#[derive(Debug)]
pub struct Reader<R> {
    half: R,
    cutter: Cutter,
    /// What comes is compressed.
    inflate: Option<Box<Inflate>>,
    /// It was, and its end may still come.
    ends_stream: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from `half`; what another reader left over comes first.
    pub fn new(half: R, budget: Budget, unread: impl Into<Unread>) -> Reader<R> {
        let Unread {
            mut octets,
            ends_stream,
        } = unread.into();
        let ends_stream = ends_stream && pass_end(&mut octets);
        Reader {
            half,
            cutter: Cutter::new(budget, octets),
            inflate: None,
            ends_stream,
        }
    }

    /// What comes from now on is compressed, and so is what has come behind the last command.
    pub fn inflate(&mut self) {
        let rest = std::mem::take(self.cutter.input());
        self.cutter.forget();
        self.inflate = Some(Box::new(Inflate::new(rest)));
    }

    /// The next cut, if it is here already.
    pub fn buffered(&mut self) -> Option<Cut> {
        self.cutter.cut()
    }

    /// The next cut. An error if the client is gone.
    pub async fn next(&mut self) -> io::Result<Cut> {
        loop {
            if let Some(cut) = self.cutter.cut() {
                return Ok(cut);
            }
            self.fill(CHUNK).await?;
        }
    }

    /// The next line, as [`Cut::Command`], whatever it announces.
    pub async fn line(&mut self) -> io::Result<Cut> {
        loop {
            if let Some(cut) = self.cutter.cut_line() {
                return Ok(cut);
            }
            self.fill(CHUNK).await?;
        }
    }

    /// The next piece of an APPEND's literal; `None` after the last.
    pub async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let left = self.cutter.message_left();
        if left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        while self.cutter.ahead() < wanted {
            self.fill(wanted - self.cutter.ahead()).await?;
        }
        Ok(Some(self.cutter.message(wanted)))
    }

    /// See [`Cutter::give_up_message`].
    pub fn give_up_message(&mut self, coming: bool) {
        self.cutter.give_up_message(coming);
    }

    /// Whether input has come that no command was made of yet.
    pub fn is_ahead(&self) -> bool {
        self.cutter.ahead() > 0
    }

    /// Waits until the client is gone. What it sends meanwhile is kept, up to a bound.
    ///
    /// One that has closed its direction with more commands sent, be it LOGOUT, waits for their answers and is
    /// not gone: so do programs that send a whole dialogue at once.
    pub async fn closed(&mut self) {
        while self.cutter.ahead() < AHEAD {
            match self.fill(CHUNK).await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.is_ahead() => {
                    break;
                }
                Err(_) => return,
            }
        }
        std::future::pending().await
    }

    /// Reads and drops what comes, until the client has closed too.
    pub async fn drain(&mut self) -> io::Result<()> {
        let mut sink = [0; 1 << 10];
        while self.half.read(&mut sink).await? > 0 {}
        Ok(())
    }

    /// The half, and what came and was not used; compression is over. `None` if something compressed was not used, or is
    /// broken.
    pub fn into_parts(self) -> Option<(R, Unread)> {
        let octets = self.cutter.into_rest();
        let (octets, ends_stream) = match self.inflate {
            None => (octets, self.ends_stream),
            Some(_) if !octets.is_empty() => return None,
            Some(inflate) => inflate.into_rest()?,
        };
        let unread = Unread {
            octets,
            ends_stream,
        };
        Some((self.half, unread))
    }

    async fn fill(&mut self, most: usize) -> io::Result<()> {
        let input = self.cutter.input();
        if input.is_empty() {
            // Who waits needs no room: idle sessions cost little.
            *input = Vec::new();
        }
        let Some(inflate) = &mut self.inflate else {
            read(&mut self.half, input, most).await?;
            if self.ends_stream {
                self.ends_stream = pass_end(input);
                self.cutter.forget();
            }
            return Ok(());
        };
        let before = input.len();
        // A flush of the client's alone gives nothing.
        while input.len() == before {
            if let Some((packed, wanted)) = inflate.wants() {
                read(&mut self.half, packed, wanted).await?;
            }
            let mut piece = Vec::with_capacity(most);
            inflate.inflate(&mut piece)?;
            input.append(&mut piece);
        }
        Ok(())
    }
}

/// Reads what there is, `most` octets of it at the most. An error at the end. Room is made when there is something.
async fn read<R: AsyncRead + Unpin>(
    half: &mut R,
    into: &mut Vec<u8>,
    most: usize,
) -> io::Result<()> {
    if most > CHUNK {
        into.reserve(most);
        return match half.read_buf(into).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        };
    }
    poll_fn(|cx| {
        let mut piece = [0; CHUNK];
        let mut piece = ReadBuf::new(piece.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(&mut *half).poll_read(cx, &mut piece))?;
        into.extend_from_slice(piece.filled());
        let came = !piece.filled().is_empty();
        // Passwords may be among it.
        piece.filled_mut().zeroize();
        Poll::Ready(match came {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::time::timeout;

    use super::*;
    use crate::imap::command::AppendStep;
    use crate::session::cut::AFTER_LOGIN;

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_cancelled_loses_nothing() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let mut reader = Reader::new(server, AFTER_LOGIN, b"a N".to_vec());
        for octets in ["OO", "P {", "3+}\r", "\nxy", "z"] {
            client.write_all(octets.as_bytes()).await.unwrap();
            let cancelled = timeout(Duration::from_secs(1), reader.next()).await;
            assert!(cancelled.is_err());
        }
        client.write_all(b"\r\nrest").await.unwrap();
        let cut = reader.next().await.unwrap();
        assert_eq!(cut, Cut::Command(b"a NOOP {3+}\r\nxyz".to_vec()));
        let (_, unread) = reader.into_parts().unwrap();
        assert_eq!(unread, Unread::from(b"rest".to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_comes_in_pieces_of_a_size() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let mut reader = Reader::new(server, AFTER_LOGIN, Vec::new());
        let octets: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        client.write_all(b"a APPEND x {200000+}\r\n").await.unwrap();
        assert!(matches!(reader.next().await.unwrap(), Cut::Append { .. }));
        let mut taken = Vec::new();
        for part in octets.chunks(70_000) {
            let waiting = timeout(Duration::from_secs(1), reader.message()).await;
            assert!(waiting.is_err(), "there is no whole piece");
            client.write_all(part).await.unwrap();
            let piece = reader.message().await.unwrap().unwrap();
            assert_eq!(piece.len(), PIECE);
            taken.extend(piece);
        }
        client.write_all(b"\r\n").await.unwrap();
        taken.extend(reader.message().await.unwrap().unwrap());
        assert_eq!(reader.message().await.unwrap(), None);
        assert!(taken == octets);
        let end = Cut::AppendOn(vec![AppendStep::End]);
        assert_eq!(reader.next().await.unwrap(), end);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_is_noticed_and_one_that_talks_is_kept_waiting() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let mut reader = Reader::new(server, AFTER_LOGIN, Vec::new());
        client
            .write_all(&b"a NOOP\r\n".repeat(20_000))
            .await
            .unwrap();
        assert!(
            timeout(Duration::from_secs(1), reader.closed())
                .await
                .is_err()
        );
        assert!(reader.cutter.ahead() < AHEAD + CHUNK + PIECE);

        let (mut client, server) = tokio::io::duplex(1 << 20);
        let mut reader = Reader::new(server, AFTER_LOGIN, Vec::new());
        client.write_all(b"a NOOP\r\n").await.unwrap();
        drop(client);
        // It may wait for the answer.
        let gone = timeout(Duration::from_secs(1), reader.closed()).await;
        assert!(gone.is_err());
        assert_eq!(
            reader.next().await.unwrap(),
            Cut::Command(b"a NOOP".to_vec())
        );
        reader.closed().await;
        assert!(reader.next().await.is_err());
    }
}
