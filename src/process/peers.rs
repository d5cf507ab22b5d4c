//! How many MTAs are served at a time, and to how many recipients they bring mail: so many in all, and of one peer no more
//! than its share, so that there is room for another. A peer is an address, or whoever runs what has connected to a path.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at a time; others wait for a place.
const CONNECTIONS_MAX: usize = 200;

/// Connections of one peer; more are turned away.
const SHARE: usize = 100;

/// Recipients at a time, from RCPT to the reply: each has a line to a worker, where a mailbox is open for it.
const RECIPIENTS_MAX: usize = 2000;

/// Recipients of one peer.
const RECIPIENTS_SHARE: usize = 1000;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The host of this address.
    Host(IpAddr),
    /// The user of this uid.
    User(u32),
}

/// All that are there.
#[derive(Debug)]
pub struct Peers {
    places: Arc<Semaphore>,
    recipients: Arc<Semaphore>,
    shares: Mutex<HashMap<Peer, Share>>,
}

/// What a peer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    connections: usize,
    recipients: usize,
}

/// Room for one more, whoever comes.
#[derive(Debug)]
pub struct Place {
    peers: Arc<Peers>,
    _permit: OwnedSemaphorePermit,
}

/// A place that is taken. Dropping it leaves.
#[derive(Debug)]
pub struct Seat {
    place: Place,
    peer: Peer,
}

/// A recipient who is counted, for as long as it is there.
#[derive(Debug)]
pub struct Addressee {
    peers: Arc<Peers>,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

impl Peers {
    /// Nobody yet.
    pub fn new() -> Arc<Peers> {
        Arc::new(Peers {
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            recipients: Arc::new(Semaphore::new(RECIPIENTS_MAX)),
            shares: Mutex::default(),
        })
    }

    /// Waits until there is room for one more; `None`: there never will be.
    pub async fn place(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(Place {
            peers: Arc::clone(self),
            _permit: permit,
        })
    }

    /// Counts a recipient of a peer's; `None`: there are too many.
    fn recipient(self: &Arc<Self>, peer: Peer) -> Option<Addressee> {
        let permit = Arc::clone(&self.recipients).try_acquire_owned().ok()?;
        let mut shares = self.shares();
        let share = shares.entry(peer).or_default();
        if share.recipients >= RECIPIENTS_SHARE {
            return None;
        }
        share.recipients += 1;
        Some(Addressee {
            peers: Arc::clone(self),
            peer,
            _permit: permit,
        })
    }

    /// Takes from what a peer has.
    fn less(&self, peer: Peer, take: impl FnOnce(&mut Share) -> &mut usize) {
        let mut shares = self.shares();
        if let Some(share) = shares.get_mut(&peer) {
            let count = take(share);
            *count = count.saturating_sub(1);
            if *share == Share::default() {
                shares.remove(&peer);
            }
        }
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<Peer, Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// This one has come.
    ///
    /// # Errors
    ///
    /// The place, where its share is used up.
    pub fn take(self, peer: Peer) -> Result<Seat, Place> {
        let peer = match peer {
            // One host may have all of a /64.
            Peer::Host(IpAddr::V6(address)) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Peer::Host(Ipv6Addr::from_bits(network).into())
            }
            peer => peer,
        };
        {
            let mut shares = self.peers.shares();
            let share = shares.entry(peer).or_default();
            if share.connections >= SHARE {
                drop(shares);
                return Err(self);
            }
            share.connections += 1;
        }
        Ok(Seat { place: self, peer })
    }
}

impl Seat {
    /// One more recipient; `None`: there are too many.
    pub fn recipient(&self) -> Option<Addressee> {
        self.place.peers.recipient(self.peer)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        (self.place.peers).less(self.peer, |share| &mut share.connections);
    }
}

impl Drop for Addressee {
    fn drop(&mut self) {
        self.peers.less(self.peer, |share| &mut share.recipients);
    }
}

#[cfg(test)]
impl Addressee {
    /// One who is alone.
    pub fn alone() -> Addressee {
        Peers::new().recipient(Peer::User(7)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_peer_leaves_room_for_others() {
        let peers = Peers::new();
        let host = |text: &str| Peer::Host(text.parse().unwrap());
        let mut seats = Vec::new();
        for peer in [host("2001:db8::1"), Peer::User(7)] {
            for _ in 0..SHARE - 1 {
                seats.push(peers.place().await.unwrap().take(peer).unwrap());
            }
        }
        let near = host("2001:db8::2");
        let last = peers.place().await.unwrap().take(near).unwrap();
        peers.place().await.unwrap().take(near).unwrap_err();
        let other = peers.place().await.unwrap();
        let other = other.take(host("2001:db8:0:1::1")).unwrap();
        // Those of one host are counted, and there is no room for anybody now.
        assert_eq!(peers.places.available_permits(), 0);
        drop((last, other));
        peers.place().await.unwrap().take(near).unwrap();
        seats.clear();
        assert!(peers.shares().is_empty());
        assert_eq!(peers.places.available_permits(), CONNECTIONS_MAX);
    }

    #[tokio::test]
    async fn recipients_of_one_peer_leave_room_for_those_of_others() {
        let peers = Peers::new();
        let seat = |uid| {
            let peers = Arc::clone(&peers);
            async move { peers.place().await.unwrap().take(Peer::User(uid)).unwrap() }
        };
        let (one, same, other) = (seat(1).await, seat(1).await, seat(2).await);
        let mut counted: Vec<_> = (0..RECIPIENTS_SHARE)
            .map(|_| one.recipient().unwrap())
            .collect();
        assert!(same.recipient().is_none());
        counted.extend((0..RECIPIENTS_MAX - RECIPIENTS_SHARE).map(|_| other.recipient().unwrap()));
        assert!(seat(3).await.recipient().is_none());
        counted.truncate(1);
        // They may stay longer than the connection.
        drop((one, same, other));
        assert_eq!(peers.shares().len(), 1);
        counted.clear();
        assert!(peers.shares().is_empty());
        assert_eq!(peers.recipients.available_permits(), RECIPIENTS_MAX);
    }
}
