//! How many connections there may be: in all, and from one address before login.
//!
//! Every accepted connection holds a [`Place`]; dropping it gives everything back. What the limits
//! do not know is who logged in: the limit per user is with the users.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// An IPv6 customer is given a /64 at the least, so one client has all of it to connect from.
const IPV6_PREFIX_BITS: u32 = 64;

/// Counts connections against two limits.
#[derive(Debug)]
pub struct Admission {
    /// Most connections at one time.
    total: usize,
    /// Most of them from one address that have not logged in.
    per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Addresses with at least one connection before login. The standard map hashes with a random
    /// key, so chosen addresses cannot slow it down.
    before_login: HashMap<IpAddr, usize>,
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
    /// Set until login.
    address: Option<IpAddr>,
}

impl Admission {
    /// Sets the limits: connections in all, and those of one address (of one /64 for IPv6) that
    /// have not logged in.
    pub fn new(total: usize, per_address: usize) -> Arc<Admission> {
        Arc::new(Admission {
            total,
            per_address,
            counts: Mutex::default(),
        })
    }

    /// Lets a connection in, or says which limit it would pass.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let address = counted_as(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.total {
            return Err(Refused::Total);
        }
        let here = counts.before_login.get(&address).copied().unwrap_or(0);
        if here >= self.per_address {
            return Err(Refused::PerAddress);
        }
        counts.before_login.insert(address, here + 1);
        counts.total += 1;
        Ok(Place {
            admission: Arc::clone(self),
            address: Some(address),
        })
    }

    /// How many connections there are now.
    pub fn connections(&self) -> usize {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .total
    }
}

impl Place {
    /// The client has logged in: its address is no longer counted.
    pub fn logged_in(&mut self) {
        let admission = Arc::clone(&self.admission);
        let mut counts = admission
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.forget_address(&mut counts);
    }

    /// The client is nobody again, and its address is counted, above the limit too.
    pub fn logged_out(&mut self, address: IpAddr) {
        if self.address.is_none() {
            let address = counted_as(address);
            self.address = Some(address);
            let mut counts = (self.admission.counts.lock()).unwrap_or_else(PoisonError::into_inner);
            *counts.before_login.entry(address).or_default() += 1;
        }
    }

    fn forget_address(&mut self, counts: &mut Counts) {
        let Some(address) = self.address.take() else {
            return;
        };
        if let Some(here) = counts.before_login.get_mut(&address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                counts.before_login.remove(&address);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let admission = Arc::clone(&self.admission);
        let mut counts = admission
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.forget_address(&mut counts);
        counts.total = counts.total.saturating_sub(1);
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
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_total_is_kept_and_given_back() {
        let admission = Admission::new(2, 10);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        let _second = admission.admit(ip("192.0.2.2")).unwrap();
        assert_eq!(
            admission.admit(ip("192.0.2.3")).unwrap_err(),
            Refused::Total
        );
        drop(first);
        assert_eq!(admission.connections(), 1);
        admission.admit(ip("192.0.2.3")).unwrap();
    }

    #[test]
    fn an_address_counts_until_login_only() {
        let admission = Admission::new(100, 2);
        let mut first = admission.admit(ip("192.0.2.1")).unwrap();
        let second = admission.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(
            admission.admit(ip("192.0.2.1")).unwrap_err(),
            Refused::PerAddress
        );
        admission.admit(ip("192.0.2.2")).unwrap();
        first.logged_in();
        first.logged_in();
        let third = admission.admit(ip("192.0.2.1")).unwrap();
        assert!(admission.admit(ip("192.0.2.1")).is_err());
        assert_eq!(admission.connections(), 3);
        drop((first, second, third));
        assert_eq!(admission.connections(), 0);
        assert!(admission.counts.lock().unwrap().before_login.is_empty());
    }

    #[test]
    fn one_ipv6_network_is_one_client_and_mapped_addresses_are_ipv4() {
        let admission = Admission::new(100, 1);
        let _one = admission.admit(ip("2001:db8::1")).unwrap();
        assert!(admission.admit(ip("2001:db8::ffff:1")).is_err());
        let _other = admission.admit(ip("2001:db8:0:1::1")).unwrap();
        let _mapped = admission.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(admission.admit(ip("192.0.2.1")).is_err());
        let _next = admission.admit(ip("::ffff:192.0.2.2")).unwrap();
    }
}
