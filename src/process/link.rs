//! The sockets between the server's processes: one message a packet, with descriptors attached.
//!
//! A link is a pair of Unix sockets that keep packets apart (`SOCK_SEQPACKET`), so that there is no length to
//! lie about and a descriptor belongs to its message. What may cross is in [`super::message`]; anything else is an
//! error, and who receives it ends the link. A message may hold a password: its octets are wiped on both sides.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg,
    sendmsg, socketpair, sockopt,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// The longest message, in octets. The largest that crosses are certificate chains and configurations.
const PACKET_MAX: usize = 128 << 10;

/// The most descriptors with one message: the ports that login gets.
const DESCRIPTORS_MAX: usize = 64;

/// A message and the descriptors that came with it.
pub type Received<M> = (M, Vec<OwnedFd>);

/// One end of a link.
#[derive(Debug)]
pub struct Link {
    /// No stream, but nothing that is done with it here asks for one.
    socket: UnixStream,
}

/// Two ends that belong together.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

impl Link {
    /// Takes an end that [`pair`] made. Must run inside the runtime.
    pub fn new(socket: OwnedFd) -> io::Result<Link> {
        Ok(Link {
            socket: UnixStream::from_std(socket.into())?,
        })
    }

    /// Sends a message, as soon as the other end has room for it.
    pub async fn send<M: Serialize>(
        &self,
        message: &M,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let packet = pack(message)?;
        self.socket
            .async_io(Interest::WRITABLE, || {
                send_packet(&self.socket, &packet, descriptors)
            })
            .await
    }

    /// The next message; `None`: the other end is gone. May be cancelled.
    ///
    /// # Errors
    ///
    /// `InvalidData` where something came that is no such message.
    pub async fn receive<M: DeserializeOwned>(&self) -> io::Result<Option<Received<M>>> {
        let receive = || receive_packet(&self.socket);
        match self.socket.async_io(Interest::READABLE, receive).await {
            // Gone with something unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            received => unpack(received?),
        }
    }
}

/// The next message, for a process that has no runtime, or none yet.
pub fn receive_alone<M: DeserializeOwned>(socket: &OwnedFd) -> io::Result<Option<Received<M>>> {
    loop {
        match receive_packet(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match poll(&mut [PollFd::new(socket, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            received => return unpack(received?),
        }
    }
}

/// Sends a message, for a process that has no runtime.
pub fn send_alone<M: Serialize>(
    socket: &OwnedFd,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let packet = pack(message)?;
    loop {
        match send_packet(socket, &packet, descriptors) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match poll(&mut [PollFd::new(socket, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            sent => return sent,
        }
    }
}

/// Whether a descriptor is an end of a link.
pub fn is_link(socket: impl AsFd) -> bool {
    sockopt::socket_type(socket).is_ok_and(|kind| kind == SocketType::SEQPACKET)
}

fn pack<M: Serialize>(message: &M) -> io::Result<Zeroizing<Vec<u8>>> {
    let packet = postcard::to_allocvec(message).map_err(io::Error::other)?;
    let packet = Zeroizing::new(packet);
    match packet.len() <= PACKET_MAX {
        true => Ok(packet),
        false => Err(io::Error::other("the message is too long for a packet")),
    }
}

fn send_packet(socket: impl AsFd, packet: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_some(socket, packet, descriptors).map(drop)
}

/// Sends octets with descriptors; of a stream, perhaps not all of them.
pub(super) fn send_some(
    socket: impl AsFd,
    octets: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for a packet"));
    }
    let slices = [IoSlice::new(octets)];
    Ok(sendmsg(socket, &slices, &mut control, SendFlags::NOSIGNAL)?)
}

/// Receives octets, with descriptors where some come; those that are too many are closed.
pub(super) fn receive_some(
    socket: impl AsFd,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<(usize, ReturnFlags)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok((received.bytes, received.flags))
}

/// An empty packet is the end, for no message is empty.
fn receive_packet(socket: impl AsFd) -> io::Result<Received<Zeroizing<Vec<u8>>>> {
    // With TRUNC a look ahead tells how long the packet is.
    let (_, length) = recv(&socket, &mut [0; 0], RecvFlags::PEEK | RecvFlags::TRUNC)?;
    if length > PACKET_MAX {
        return Err(unexpected("a packet is too long"));
    }
    let mut packet = Zeroizing::new(vec![0; length]);
    let mut descriptors = Vec::new();
    let (length, flags) = receive_some(socket, &mut packet, &mut descriptors)?;
    if flags.contains(ReturnFlags::TRUNC) {
        return Err(unexpected("a packet is longer than it was"));
    }
    // Where there is no room for descriptors the message comes alone, and what it is about is lost.
    if flags.contains(ReturnFlags::CTRUNC) {
        descriptors.clear();
    }
    packet.truncate(length);
    Ok((packet, descriptors))
}

fn unpack<M: DeserializeOwned>(
    (packet, descriptors): Received<Zeroizing<Vec<u8>>>,
) -> io::Result<Option<Received<M>>> {
    if packet.is_empty() {
        return Ok(None);
    }
    match postcard::take_from_bytes(&packet) {
        Ok((message, [])) => Ok(Some((message, descriptors))),
        Ok(_) => Err(unexpected("a message goes on behind its end")),
        Err(error) => Err(unexpected(error)),
    }
}

/// What may not cross a link has crossed it.
pub fn unexpected(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_cross_whole_and_in_order_with_their_descriptors() {
        let (one, two) = pair().unwrap();
        let (one, two) = (Link::new(one).unwrap(), Link::new(two).unwrap());
        let long = "x".repeat(PACKET_MAX / 2);
        let (inside, outside) = pair().unwrap();
        one.send(&(1u32, "a"), &[inside.as_fd()]).await.unwrap();
        one.send(&(2u32, &long), &[]).await.unwrap();
        drop(inside);
        let (first, mut descriptors) = two.receive::<(u32, String)>().await.unwrap().unwrap();
        assert_eq!(first, (1, "a".to_owned()));
        let inside = Link::new(descriptors.pop().unwrap()).unwrap();
        Link::new(outside).unwrap().send(&7u8, &[]).await.unwrap();
        assert_eq!(inside.receive::<u8>().await.unwrap().unwrap().0, 7);
        let (second, descriptors) = two.receive::<(u32, String)>().await.unwrap().unwrap();
        assert_eq!((second, descriptors.len()), ((2, long), 0));
        drop(one);
        assert!(two.receive::<u8>().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        let (one, two) = pair().unwrap();
        for packet in [&b"\xff\xff\xff\xff\x0f"[..], b"\x02a", b"\x01ab"] {
            send_packet(&one, packet, &[]).unwrap();
            let error = receive_alone::<String>(&two).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{packet:?}");
        }
        let too_long = vec![0u8; PACKET_MAX + 1];
        send_packet(&one, &too_long, &[]).unwrap();
        assert!(receive_alone::<String>(&two).is_err());
        let one = Link::new(one).unwrap();
        assert!(one.send(&too_long, &[]).await.is_err());
    }

    #[tokio::test]
    async fn who_sends_waits_for_room() {
        let (one, two) = pair().unwrap();
        let (one, two) = (Link::new(one).unwrap(), Link::new(two).unwrap());
        let message = vec![7u8; 64 << 10];
        let copy = message.clone();
        let sending = tokio::spawn(async move {
            for _ in 0..20 {
                one.send(&copy, &[]).await.unwrap();
            }
        });
        for _ in 0..20 {
            let (received, _) = two.receive::<Vec<u8>>().await.unwrap().unwrap();
            assert_eq!(received, message);
        }
        sending.await.unwrap();
    }
}
