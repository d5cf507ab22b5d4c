//! Whose turn it is to compute: strangers wait for one another, and those who are known do not wait for strangers. So a
//! flood of guesses, from however many addresses, keeps nobody from mail who has logged in from the same place before.
//!
//! A user is known at an address as long as the last login there by that name was good. Whoever guesses at an address
//! that others log in from, or has an account of their own to guess from, is a stranger all the same.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::penalty::network;

/// So many users are remembered at the least, and twice as many at the most.
const KNOWN: usize = 8192;

/// Addresses of one user. Whoever has an account cannot make others forgotten, from however many addresses.
const PLACES: usize = 16;

/// Who waits for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Strangers,
    Known,
    /// Those who ask of users without being any: there may be many, for names that nobody has.
    Lookups,
}

/// One for each lane.
pub(super) struct Lanes<T> {
    strangers: T,
    known: T,
    lookups: T,
}

impl<T> Lanes<T> {
    pub fn new(make: impl Fn(Lane) -> T) -> Lanes<T> {
        Lanes {
            strangers: make(Lane::Strangers),
            known: make(Lane::Known),
            lookups: make(Lane::Lookups),
        }
    }

    pub fn of(&self, lane: Lane) -> &T {
        match lane {
            Lane::Strangers => &self.strangers,
            Lane::Known => &self.known,
            Lane::Lookups => &self.lookups,
        }
    }
}

/// Users and the addresses (of IPv6 the /64) that they are known at.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Table>);

/// When the newer half is full, the older is forgotten.
#[derive(Debug, Default)]
struct Table {
    newer: HashMap<String, Places>,
    older: HashMap<String, Places>,
}

/// The addresses of one user, the latest last.
type Places = VecDeque<IpAddr>;

impl Known {
    /// The lane for a login by this name; without an address there is one for all.
    pub fn lane(&self, peer: Option<IpAddr>, user: &str) -> Lane {
        let Some(peer) = peer.map(network) else {
            return Lane::Strangers;
        };
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut halves = [&table.newer, &table.older].into_iter();
        let is_known = halves.any(|half| half.get(user).is_some_and(|it| it.contains(&peer)));
        match is_known {
            true => Lane::Known,
            false => Lane::Strangers,
        }
    }

    /// Notes how a login by this name has ended.
    pub fn note(&self, peer: Option<IpAddr>, user: &str, good: bool) {
        let Some(peer) = peer.map(network) else {
            return;
        };
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !good {
            let Table { newer, older } = &mut *table;
            for half in [newer, older] {
                if let Some(places) = half.get_mut(user) {
                    places.retain(|place| *place != peer);
                }
            }
            return;
        }
        if table.newer.len() >= KNOWN && !table.newer.contains_key(user) {
            table.older = std::mem::take(&mut table.newer);
        }
        let places = table.newer.entry(user.to_owned()).or_default();
        places.retain(|place| *place != peer);
        if places.len() >= PLACES {
            places.pop_front();
        }
        places.push_back(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_is_known_where_the_last_login_was_good() {
        let known = Known::default();
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        known.note(here, "ann", true);
        assert_eq!(known.lane(here, "ann"), Lane::Known);
        assert_eq!(known.lane(there, "ann"), Lane::Strangers);
        assert_eq!(known.lane(here, "bob"), Lane::Strangers);
        known.note(here, "bob", false);
        assert_eq!(known.lane(here, "ann"), Lane::Known);
        known.note(here, "ann", false);
        assert_eq!(known.lane(here, "ann"), Lane::Strangers);
        known.note(None, "ann", true);
        assert_eq!(known.lane(None, "ann"), Lane::Strangers);
        known.note(address("2001:db8::1"), "ann", true);
        assert_eq!(known.lane(address("2001:db8::2"), "ann"), Lane::Known);
    }

    #[test]
    fn the_table_is_bounded_and_who_comes_again_stays() {
        let known = Known::default();
        let here = address("192.0.2.1");
        for number in 0..3 * KNOWN {
            known.note(here, "ann", true);
            known.note(here, &number.to_string(), true);
        }
        let table = known.0.lock().unwrap();
        assert!(table.newer.len() + table.older.len() <= 2 * KNOWN);
        drop(table);
        assert_eq!(known.lane(here, "ann"), Lane::Known);
        assert_eq!(known.lane(here, "0"), Lane::Strangers);
    }

    #[test]
    fn one_user_pushes_out_nobody() {
        let known = Known::default();
        let here = address("192.0.2.1");
        known.note(here, "ann", true);
        for number in 0..4 * KNOWN as u32 {
            known.note(Some(IpAddr::V4(number.into())), "bob", true);
        }
        assert_eq!(known.lane(here, "ann"), Lane::Known);
        let last = IpAddr::V4((4 * KNOWN as u32 - 1).into());
        assert_eq!(known.lane(Some(last), "bob"), Lane::Known);
        assert_eq!(known.0.lock().unwrap().newer["bob"].len(), PLACES);
    }
}
