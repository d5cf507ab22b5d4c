//! The line between the login process and a worker: a stream for one session.
//!
//! A connection in clear crosses it once, as a descriptor with the [`Entry`]; the line then only tells when the session
//! is over. Of one under TLS the octets cross, for as long as it lasts. Either way the client may give up who it was: the
//! way back is announced by an octet that carries a descriptor, which no octet of a client does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use crate::process::link::{receive_some, send_some, unexpected};
use crate::process::message::{Entry, WayBack};
use crate::session::Opening;

/// The longest message, in octets: what a client may have sent ahead, and what it said in ID.
const FRAME_MAX: usize = 1 << 20;

/// Goes before a message, and takes the descriptor along.
const MARK: u8 = b'>';

/// A line that this process was given.
pub fn line(descriptor: OwnedFd) -> io::Result<UnixStream> {
    let line = std::os::unix::net::UnixStream::from(descriptor);
    line.set_nonblocking(true)?;
    UnixStream::from_std(line)
}

/// Login: tells the worker who comes, and hands over a connection in clear.
pub async fn send_in(
    line: &mut UnixStream,
    entry: &Entry,
    tcp: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    mark(line, tcp).await?;
    write(line, entry).await
}

/// Worker: hears who comes. Where a connection in clear does, it is given too.
pub async fn take_in(line: &mut UnixStream) -> io::Result<(Entry, Option<OwnedFd>)> {
    let mut octet = [0];
    let (length, mut descriptors) = receive(line, &mut octet).await?;
    if length != 1 || octet != [MARK] || descriptors.len() > 1 {
        return Err(unexpected("no session begins like this"));
    }
    Ok((read(line).await?, descriptors.pop()))
}

/// Worker: gives the connection back. What login has sent meanwhile goes with it.
pub async fn send_back(
    line: &mut UnixStream,
    mut opening: Opening,
    tcp: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    // Where the connection is with login already, any descriptor will do.
    let itself = line.as_fd().try_clone_to_owned()?;
    mark(line, Some(tcp.unwrap_or(itself.as_fd()))).await?;
    // It says no more once it has seen the mark.
    let mut rest = Vec::new();
    let most = u64::try_from(FRAME_MAX).unwrap_or(u64::MAX);
    (&mut *line).take(most).read_to_end(&mut rest).await?;
    opening.unread.append(&rest);
    write(line, &WayBack { opening }).await
}

/// Login: takes the connection back, once the mark has come. Nothing may be sent to the worker any more.
pub async fn take_back(line: &mut UnixStream) -> io::Result<Opening> {
    line.shutdown().await?;
    let WayBack { opening } = read(line).await?;
    Ok(opening)
}

/// Login: waits for the end of a session on a connection in clear. Gives the connection if it comes back.
pub async fn await_end(line: &mut UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut octet = [0];
    let (length, mut descriptors) = receive(line, &mut octet).await?;
    match (length, descriptors.pop()) {
        (0, _) => Ok(None),
        (1, Some(tcp)) if octet == [MARK] => Ok(Some(tcp)),
        _ => Err(unexpected("a session in clear said something on the line")),
    }
}

/// Whether what was received last is the mark of the way back; it is then the last octet.
pub fn is_mark(received: &[u8], descriptors: &[OwnedFd]) -> bool {
    !descriptors.is_empty() && received.last() == Some(&MARK)
}

async fn mark(line: &UnixStream, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let send = || send_some(line, &[MARK], descriptor.as_slice());
    line.async_io(Interest::WRITABLE, send).await.map(drop)
}

async fn receive(line: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut descriptors = Vec::new();
    let receive = || receive_some(line, buffer, &mut descriptors);
    let (length, _) = line.async_io(Interest::READABLE, receive).await?;
    Ok((length, descriptors))
}

pub(super) async fn write(line: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    send(line, &pack(message)?).await
}

/// A message as it crosses, for several lines.
pub(super) fn pack(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let message = postcard::to_allocvec(message).map_err(io::Error::other)?;
    Ok(Zeroizing::new(message))
}

/// A length in four octets, the lowest first, and the message.
pub(super) async fn send(line: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    line.write_all(&length.to_le_bytes()).await?;
    line.write_all(message).await
}

pub(super) async fn read<M: DeserializeOwned>(line: &mut UnixStream) -> io::Result<M> {
    let mut length = [0; 4];
    line.read_exact(&mut length).await?;
    let length = u64::from(u32::from_le_bytes(length));
    if usize::try_from(length).map_or(true, |length| length > FRAME_MAX) {
        return Err(unexpected("a message is too long"));
    }
    // It grows as octets come, not as they are announced.
    let mut message = Zeroizing::new(Vec::new());
    (&mut *line).take(length).read_to_end(&mut message).await?;
    postcard::from_bytes(&message).map_err(unexpected)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::os::unix::net::UnixStream as StdStream;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::auth::{Mechanism, Tls};
    use crate::session::How;

    fn entry(unread: &[u8]) -> Entry {
        Entry {
            tag: b"a".to_vec(),
            capability_asked: true,
            how: How {
                mechanism: Mechanism::External,
                tls: Tls::V1_2,
            },
            opening: Opening {
                unread: unread.to_vec().into(),
                client_id: vec![(b"name".to_vec(), None)],
                failed_logins: 3,
                ..Opening::default()
            },
            peer: SocketAddr::from(([192, 0, 2, 1], 7)),
        }
    }

    fn ends() -> (UnixStream, UnixStream) {
        let (one, two) = StdStream::pair().unwrap();
        (line(one.into()).unwrap(), line(two.into()).unwrap())
    }

    #[tokio::test]
    async fn a_connection_in_clear_goes_over_and_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (served, _) = listener.accept().await.unwrap();
        let (mut login, mut worker) = ends();
        let (way, served) = (entry(b"x\r\n"), served.into_std().unwrap());
        send_in(&mut login, &way, Some(served.as_fd()))
            .await
            .unwrap();
        drop(served);
        let (heard, tcp) = take_in(&mut worker).await.unwrap();
        assert_eq!((heard.tag.as_slice(), heard.peer), (&b"a"[..], way.peer));
        assert_eq!(heard.opening.unread, b"x\r\n".to_vec().into());
        let tcp = tcp.unwrap();

        let back = tokio::spawn(async move {
            let opening = heard.opening;
            send_back(&mut worker, opening, Some(tcp.as_fd()))
                .await
                .unwrap();
        });
        let tcp = await_end(&mut login).await.unwrap().unwrap();
        let opening = take_back(&mut login).await.unwrap();
        assert_eq!((opening.failed_logins, opening.greeting), (3, false));
        back.await.unwrap();
        drop(tcp);
        assert_eq!(client.peek(&mut [0]).await.unwrap(), 0);
        assert!(await_end(&mut login).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_was_sent_meanwhile_comes_back_too() {
        let (mut login, mut worker) = ends();
        send_in(&mut login, &entry(b"one "), None).await.unwrap();
        login.write_all(b"two").await.unwrap();
        let (heard, tcp) = take_in(&mut worker).await.unwrap();
        assert!(tcp.is_none());
        let back = tokio::spawn(async move {
            send_back(&mut worker, heard.opening, None).await.unwrap();
        });
        assert!(await_end(&mut login).await.unwrap().is_some());
        let opening = take_back(&mut login).await.unwrap();
        assert_eq!(opening.unread, b"one two".to_vec().into());
        back.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_entry_is_refused() {
        for octets in [
            &b"x"[..],
            b">\xff\xff\xff\xff",
            b">\x01\0\0\0\xff",
            b">\x09\0\0\0a",
        ] {
            let (mut login, mut worker) = ends();
            login.write_all(octets).await.unwrap();
            drop(login);
            assert!(take_in(&mut worker).await.is_err(), "{octets:?}");
        }
    }
}
