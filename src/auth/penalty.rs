//! How long a refusal is held back: longer with each one of an address, up to a limit.
//!
//! The table is bounded: when it is full, the address that failed longest ago is forgotten.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many addresses are remembered.
const MAX_ADDRESSES: usize = 4096;

/// How long a failure counts against an address.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// The longest delay, as a multiple of the first (15 s of 2 s).
const LARGEST: f64 = 7.5;

/// Failures by address.
#[derive(Debug)]
pub struct Penalty {
    /// What the first failure costs.
    first: Duration,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Penalty {
    /// An empty table; `first` is what the first failure costs, 0 for no delays at all.
    pub fn new(first: Duration) -> Penalty {
        Penalty {
            first,
            failures: Mutex::new(HashMap::new()),
        }
    }

    /// Counts a failure at `now` and gives the time to hold its answer back: 2, 4, 8, 15 s where the
    /// first is 2 s.
    pub fn failed(&self, peer: Option<IpAddr>, now: Instant) -> Duration {
        let Some(address) = peer.map(network) else {
            return self.first;
        };
        let mut table = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MAX_ADDRESSES && !table.contains_key(&address) {
            table.retain(|_, failures| now.saturating_duration_since(failures.last) < MEMORY);
            if table.len() >= MAX_ADDRESSES {
                let oldest = table.iter().min_by_key(|(_, failures)| failures.last);
                if let Some(oldest) = oldest.map(|(address, _)| *address) {
                    table.remove(&oldest);
                }
            }
        }
        let failures = table.entry(address).or_insert(Failures {
            count: 0,
            last: now,
        });
        if now.saturating_duration_since(failures.last) >= MEMORY {
            failures.count = 0;
        }
        let times = f64::from(1u32 << failures.count.min(3)).min(LARGEST);
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        self.first.mul_f64(times)
    }

    /// Forgets the failures of an address that has logged in.
    pub fn succeeded(&self, peer: Option<IpAddr>) {
        if let Some(address) = peer.map(network) {
            let mut table = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            table.remove(&address);
        }
    }
}

/// The client's address, without its port.
pub fn address(peer: &str) -> Option<IpAddr> {
    let address = match peer.parse::<SocketAddr>() {
        Ok(address) => address.ip(),
        Err(_) => peer.parse().ok()?,
    };
    Some(address.to_canonical())
}

/// What counts as one address: of IPv6 the first half, for the other is the client's to choose.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(2);

    fn seconds(penalty: &Penalty, peer: &str, now: Instant) -> u64 {
        penalty.failed(address(peer), now).as_secs()
    }

    #[test]
    fn delays_grow_to_a_limit_and_are_forgotten() {
        let penalty = Penalty::new(FIRST);
        let now = Instant::now();
        let delays: Vec<u64> = (0..6)
            .map(|_| seconds(&penalty, "192.0.2.1", now))
            .collect();
        assert_eq!(delays, [2, 4, 8, 15, 15, 15]);
        assert_eq!(seconds(&penalty, "192.0.2.2", now), 2);
        assert_eq!(seconds(&penalty, "192.0.2.1", now + MEMORY), 2);
        penalty.succeeded(address("192.0.2.2:4711"));
        assert_eq!(seconds(&penalty, "192.0.2.2", now), 2);
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let penalty = Penalty::new(FIRST);
        let now = Instant::now();
        assert_eq!(seconds(&penalty, "2001:db8::1", now), 2);
        assert_eq!(seconds(&penalty, "[2001:db8::ffff:1]:99", now), 4);
        assert_eq!(seconds(&penalty, "2001:db8:0:1::1", now), 2);
        assert_eq!(seconds(&penalty, "::ffff:192.0.2.9", now), 2);
        assert_eq!(seconds(&penalty, "192.0.2.9:1", now), 4);
    }

    #[test]
    fn without_an_address_or_a_delay_there_is_no_growth() {
        let now = Instant::now();
        let penalty = Penalty::new(FIRST);
        assert_eq!(seconds(&penalty, "stdio", now), 2);
        assert_eq!(seconds(&penalty, "stdio", now), 2);
        let off = Penalty::new(Duration::ZERO);
        assert_eq!(seconds(&off, "192.0.2.1", now), 0);
        assert_eq!(off.failed(address("192.0.2.1"), now), Duration::ZERO);
    }

    #[test]
    fn the_table_is_bounded() {
        let penalty = Penalty::new(FIRST);
        let start = Instant::now();
        for number in 0..4200u32 {
            let now = start + Duration::from_millis(u64::from(number));
            penalty.failed(Some(IpAddr::V4(number.into())), now);
        }
        let table = penalty.failures.lock().unwrap();
        assert!(table.len() <= MAX_ADDRESSES);
        assert!(table.contains_key(&IpAddr::V4(4_199u32.into())));
    }
}
