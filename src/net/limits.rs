//! How many connections there may be: in all, and from one address before login; and who must go when there is no room.
//!
//! Every accepted connection holds a [`Place`]; dropping it gives everything back. When the server is full, strangers
//! that are there make way for others: those of the address that has most of them, the oldest first, for an address
//! that has fewer, or that somebody has logged in from before. So a flood of strangers, from however many addresses,
//! shuts out no known users, and one from few addresses nobody. Whoever has logged in stays.
//!
//! What the limits do not know is who logged in: the limit per user is with the users.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// An IPv6 customer is given a /64 at the least, so one client has all of it to connect from.
const IPV6_PREFIX_BITS: u32 = 64;

/// Addresses that somebody has logged in from are remembered up to this number at the least, and twice as many at the
/// most.
const KNOWN: usize = 8192;

/// Connections of trusted proxies that have not said yet whose they are.
const NAMELESS: usize = 1024;

/// Counts connections against two limits.
#[derive(Debug)]
pub struct Admission {
    /// Most connections at one time.
    total: usize,
    /// Most of them from one address that have not logged in.
    per_address: usize,
    counts: Mutex<Counts>,
    /// Who may compute what a stranger asks for, as many at once as there are cores: addresses that nobody has logged in
    /// from, and the others, who need not wait for these.
    lanes: [Arc<Semaphore>; 2],
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    nameless: usize,
    /// The number of the last one.
    last: u64,
    /// Addresses with at least one connection before login. The standard map hashes with a random key, so chosen
    /// addresses cannot slow it down.
    strangers: HashMap<IpAddr, Strangers>,
    /// The same by how many may be told to go.
    crowds: BTreeSet<(usize, IpAddr)>,
    known: Known,
}

/// The connections of one address before login.
#[derive(Debug)]
struct Strangers {
    /// The oldest first.
    places: VecDeque<(u64, Arc<Notify>)>,
    /// How many of them may be told to go: none of a known address.
    crowd: usize,
    /// One of them computes at a time.
    turn: Arc<Semaphore>,
}

/// Addresses that somebody has logged in from. When the newer half is full, the older is forgotten.
#[derive(Debug, Default)]
struct Known {
    newer: HashSet<IpAddr>,
    older: HashSet<IpAddr>,
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The server is full.
    #[error("too many connections")]
    Total,
    /// This address has too many connections that have not logged in.
    #[error("too many connections from this address before login")]
    PerAddress,
}

/// One connection's share of the limits. Dropping it gives the share back.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    number: u64,
    counted: Counted,
    turn: Arc<Semaphore>,
    displaced: Arc<Notify>,
}

/// What a connection counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// Nothing: it was not let in.
    Nothing,
    /// A trusted proxy's, that has not said yet whose it is.
    Nameless,
    /// One of this address before login.
    Stranger(IpAddr),
    /// One that has logged in.
    Inside,
}

/// It is one's turn to compute, until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _lane: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Sets the limits: connections in all, and those of one address (of one /64 for IPv6) that
    /// have not logged in.
    pub fn new(total: usize, per_address: usize) -> Arc<Admission> {
        let cores = available_parallelism().map_or(1, usize::from);
        Arc::new(Admission {
            total,
            per_address,
            counts: Mutex::default(),
            lanes: std::array::from_fn(|_| Arc::new(Semaphore::new(cores))),
        })
    }

    /// Lets a connection in, or says which limit it would pass.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let mut place = self.place();
        place.enter(&mut self.counts(), address)?;
        Ok(place)
    }

    /// Lets the connection of a proxy in, which will say whose it is: see [`Place::is_of`].
    pub fn admit_nameless(self: &Arc<Self>) -> Result<Place, Refused> {
        let mut counts = self.counts();
        if counts.nameless >= NAMELESS {
            return Err(Refused::Total);
        }
        counts.nameless += 1;
        let mut place = self.place();
        place.counted = Counted::Nameless;
        Ok(place)
    }

    /// How many connections there are now.
    pub fn connections(&self) -> usize {
        let counts = self.counts();
        counts.total.saturating_add(counts.nameless)
    }

    /// One that counts as nothing yet.
    fn place(self: &Arc<Self>) -> Place {
        Place {
            admission: Arc::clone(self),
            number: 0,
            counted: Counted::Nothing,
            turn: Arc::new(Semaphore::new(1)),
            displaced: Arc::new(Notify::new()),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Lets one more in from this address, to which others may have to make way.
    fn enter(&mut self, limits: &Admission, address: IpAddr) -> Result<(), Refused> {
        let here = self.strangers.get(&address).map_or(0, Strangers::count);
        if here >= limits.per_address {
            return Err(Refused::PerAddress);
        }
        if self.total >= limits.total {
            let (most, whose) = self.crowds.last().copied().ok_or(Refused::Total)?;
            // Who comes counts too.
            let fewer = here.saturating_add(1) < most;
            if most == 0 || !(fewer || self.known.contains(address)) {
                return Err(Refused::Total);
            }
            self.displace(whose);
        }
        self.total = self.total.saturating_add(1);
        Ok(())
    }

    /// Has the oldest stranger of this address go.
    fn displace(&mut self, address: IpAddr) {
        let oldest = self.strangers.get_mut(&address);
        if let Some((_, displaced)) = oldest.and_then(|here| here.places.pop_front()) {
            displaced.notify_one();
            self.total = self.total.saturating_sub(1);
        }
        self.rank(address);
    }

    /// Counts a stranger's connection, and gives whose turn it will be with others of the address.
    fn add(&mut self, address: IpAddr, displaced: &Arc<Notify>) -> (u64, Arc<Semaphore>) {
        self.last = self.last.wrapping_add(1);
        let here = self.strangers.entry(address).or_insert_with(|| Strangers {
            places: VecDeque::new(),
            crowd: 0,
            turn: Arc::new(Semaphore::new(1)),
        });
        here.places.push_back((self.last, Arc::clone(displaced)));
        let added = (self.last, Arc::clone(&here.turn));
        self.rank(address);
        added
    }

    /// No longer counts it; `false`: it was told to go, and is not counted any more.
    fn remove(&mut self, address: IpAddr, number: u64) -> bool {
        let Some(here) = self.strangers.get_mut(&address) else {
            return false;
        };
        let found = here.places.iter().position(|(one, _)| *one == number);
        if let Some(place) = found {
            here.places.remove(place);
            self.rank(address);
        }
        found.is_some()
    }

    /// Brings the order of the addresses up to date after a change of this one.
    fn rank(&mut self, address: IpAddr) {
        let Some(here) = self.strangers.get_mut(&address) else {
            return;
        };
        self.crowds.remove(&(here.crowd, address));
        if here.places.is_empty() {
            self.strangers.remove(&address);
            return;
        }
        here.crowd = match self.known.contains(address) {
            true => 0,
            false => here.places.len(),
        };
        self.crowds.insert((here.crowd, address));
    }
}

impl Strangers {
    fn count(&self) -> usize {
        self.places.len()
    }
}

impl Known {
    fn contains(&self, address: IpAddr) -> bool {
        self.newer.contains(&address) || self.older.contains(&address)
    }

    fn insert(&mut self, address: IpAddr) {
        if self.newer.len() >= KNOWN && !self.newer.contains(&address) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(address);
    }
}

impl Place {
    /// A proxy has said whose connection it is: it counts as that address's from now on.
    pub fn is_of(&mut self, address: IpAddr) -> Result<(), Refused> {
        let admission = Arc::clone(&self.admission);
        let mut counts = admission.counts();
        self.leave(&mut counts);
        self.enter(&mut counts, address)
    }

    /// The client has logged in: its address is no longer counted, and known from now on.
    pub fn logged_in(&mut self) {
        let Counted::Stranger(address) = self.counted else {
            return;
        };
        let admission = Arc::clone(&self.admission);
        let mut counts = admission.counts();
        counts.known.insert(address);
        if !counts.remove(address, self.number) {
            // It was told to go, and was inside before it heard of it.
            counts.total = counts.total.saturating_add(1);
        }
        counts.rank(address);
        self.counted = Counted::Inside;
    }

    /// The client is nobody again, and its address is counted, above the limit too.
    pub fn logged_out(&mut self, address: IpAddr) {
        if self.counted == Counted::Inside {
            let admission = Arc::clone(&self.admission);
            // What was meant for the stranger before.
            self.displaced = Arc::new(Notify::new());
            self.count(&mut admission.counts(), counted_as(address));
        }
    }

    /// Waits until it has to make way for others. Not for who has logged in.
    pub fn displaced(&self) -> impl Future<Output = ()> + use<> {
        let displaced = Arc::clone(&self.displaced);
        async move { displaced.notified().await }
    }

    /// Waits until it may compute something that costs: one of an address at a time, and known addresses do not wait
    /// for strangers.
    pub async fn turn(&self) -> Turn {
        let known = match self.counted {
            Counted::Stranger(address) => self.admission.counts().known.contains(address),
            Counted::Nothing | Counted::Nameless | Counted::Inside => false,
        };
        let [strangers, others] = &self.admission.lanes;
        let lane = if known { others } else { strangers };
        // They are never closed, so there is always a permit.
        let own = Arc::clone(&self.turn).acquire_owned().await.ok();
        let lane = Arc::clone(lane).acquire_owned().await.ok();
        Turn {
            _own: own,
            _lane: lane,
        }
    }

    fn enter(&mut self, counts: &mut Counts, address: IpAddr) -> Result<(), Refused> {
        let address = counted_as(address);
        counts.enter(&self.admission, address)?;
        self.count(counts, address);
        Ok(())
    }

    fn count(&mut self, counts: &mut Counts, address: IpAddr) {
        (self.number, self.turn) = counts.add(address, &self.displaced);
        self.counted = Counted::Stranger(address);
    }

    fn leave(&mut self, counts: &mut Counts) {
        match self.counted {
            Counted::Nothing => {}
            Counted::Nameless => counts.nameless = counts.nameless.saturating_sub(1),
            Counted::Stranger(address) => {
                if counts.remove(address, self.number) {
                    counts.total = counts.total.saturating_sub(1);
                }
            }
            Counted::Inside => counts.total = counts.total.saturating_sub(1),
        }
        self.counted = Counted::Nothing;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let admission = Arc::clone(&self.admission);
        self.leave(&mut admission.counts());
    }
}

/// The address that stands for all a client can connect from.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mask = u128::MAX << (u128::BITS - IPV6_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
