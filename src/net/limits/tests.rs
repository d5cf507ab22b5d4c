//! Limits reached, and who makes way for whom.

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
    let counts = admission.counts();
    assert!(counts.strangers.is_empty() && counts.crowds.is_empty());
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

/// Whether a connection was told to go.
fn is_displaced(place: &Place) -> bool {
    use std::task::{Context, Poll, Waker};
    let mut waiting = std::pin::pin!(place.displaced());
    let polled = waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    polled == Poll::Ready(())
}

#[test]
fn who_has_many_makes_way_for_who_has_fewer() {
    let admission = Admission::new(5, 4);
    let many: Vec<Place> = (0..4)
        .map(|_| admission.admit(ip("192.0.2.1")).unwrap())
        .collect();
    let _one = admission.admit(ip("192.0.2.2")).unwrap();
    let _two = admission.admit(ip("192.0.2.2")).unwrap();
    let gone: Vec<bool> = many.iter().map(is_displaced).collect();
    assert_eq!(gone, [true, false, false, false], "the oldest");
    let _third = admission.admit(ip("192.0.2.3")).unwrap();
    assert_eq!(admission.connections(), 5);
    // Two, two and one: nobody has less to lose.
    let refused = admission.admit(ip("192.0.2.3")).unwrap_err();
    assert_eq!(refused, Refused::Total);
    drop(many);
    assert_eq!(admission.connections(), 3, "each is counted once");
}

#[test]
fn known_addresses_come_in_and_stay() {
    let admission = Admission::new(3, 4);
    admission.admit(ip("192.0.2.1")).unwrap().logged_in();
    let strangers = ["192.0.2.2", "192.0.2.3", "192.0.2.4"];
    let strangers = strangers.map(|address| admission.admit(ip(address)).unwrap());
    assert!(admission.admit(ip("192.0.2.5")).is_err());
    let known: Vec<Place> = (0..3)
        .map(|_| admission.admit(ip("192.0.2.1")).unwrap())
        .collect();
    assert!(strangers.iter().all(is_displaced));
    assert!(!known.iter().any(is_displaced));
    assert!(admission.admit(ip("192.0.2.5")).is_err());
    assert!(admission.admit(ip("192.0.2.1")).is_err());
}

#[test]
fn who_was_told_to_go_and_is_inside_by_then_stays() {
    let admission = Admission::new(2, 4);
    let mut first = admission.admit(ip("192.0.2.1")).unwrap();
    let _second = admission.admit(ip("192.0.2.1")).unwrap();
    let _other = admission.admit(ip("192.0.2.2")).unwrap();
    first.logged_in();
    assert_eq!(admission.connections(), 3);
    first.logged_out(ip("192.0.2.1"));
    assert!(!is_displaced(&first));
    drop(first);
    assert_eq!(admission.connections(), 2);
}

#[test]
fn a_proxys_connection_is_counted_once_it_is_known_whose_it_is() {
    let admission = Admission::new(10, 1);
    let mut one = admission.admit_nameless().unwrap();
    let mut two = admission.admit_nameless().unwrap();
    one.is_of(ip("192.0.2.1")).unwrap();
    assert_eq!(two.is_of(ip("192.0.2.1")), Err(Refused::PerAddress));
    assert_eq!(admission.connections(), 1);
    drop((one, two));
    assert_eq!(admission.connections(), 0);
    let many: Vec<Place> = (0..NAMELESS)
        .map(|_| admission.admit_nameless().unwrap())
        .collect();
    assert_eq!(admission.admit_nameless().unwrap_err(), Refused::Total);
    drop(many);
    assert_eq!(admission.connections(), 0);
}

#[test]
fn what_is_known_is_bounded() {
    let mut known = Known::default();
    for number in 0..3 * KNOWN {
        known.insert(IpAddr::V4(u32::try_from(number).unwrap().into()));
    }
    assert!(known.newer.len() + known.older.len() <= 2 * KNOWN);
    assert!(known.contains(ip("0.0.95.255")) && !known.contains(ip("0.0.0.1")));
}

#[tokio::test]
async fn strangers_wait_for_each_other_and_known_addresses_for_no_stranger() {
    let admission = Admission::new(1000, 10);
    admission.admit(ip("192.0.2.1")).unwrap().logged_in();
    let cores = admission.lanes[0].available_permits();
    let mut turns = Vec::new();
    for number in 0..u8::try_from(cores).unwrap() {
        let place = admission
            .admit(IpAddr::V4([198, 51, 100, number].into()))
            .unwrap();
        turns.push((place.turn().await, place));
    }
    let stranger = admission.admit(ip("192.0.2.2")).unwrap();
    let known = [(); 2].map(|()| admission.admit(ip("192.0.2.1")).unwrap());
    tokio::select! {
        biased;
        _ = stranger.turn() => panic!("there are no more cores"),
        _turn = known[0].turn() => {
            tokio::select! {
                biased;
                _ = known[1].turn() => panic!("it is the other's turn"),
                () = std::future::ready(()) => {}
            }
        }
    }
    turns.pop();
    stranger.turn().await;
}
