//! How many MTAs are served at a time: so many in all, for whom others wait, and of one peer no more than its share, so that
//! there is room for another. A peer is an address, or whoever runs what has connected to a path.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at a time; others wait for a place.
const CONNECTIONS_MAX: usize = 200;

/// Connections of one peer; more are turned away.
const SHARE: usize = 100;

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
    shares: Mutex<HashMap<Peer, usize>>,
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

impl Peers {
    /// Nobody yet.
    pub fn new() -> Arc<Peers> {
        Arc::new(Peers {
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
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

    fn shares(&self) -> MutexGuard<'_, HashMap<Peer, usize>> {
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
            if *share >= SHARE {
                drop(shares);
                return Err(self);
            }
            *share += 1;
        }
        Ok(Seat { place: self, peer })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut shares = self.place.peers.shares();
        if let Some(share) = shares.get_mut(&self.peer) {
            *share = share.saturating_sub(1);
            if *share == 0 {
                shares.remove(&self.peer);
            }
        }
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
}
