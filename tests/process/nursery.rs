//! Workers are begun by a process of its own: what becomes of logins where it cannot.

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::ends::rest;
use crate::hall::{ANN, Hall, Shown, USERS, show, signal};
use crate::harness::wait_until;

/// It has its name a moment after the server listens.
fn nursery(hall: &Hall) -> Shown {
    let mut found = None;
    wait_until("the nursery", || {
        found = hall.process("culver-nursery", None);
        found.is_some()
    });
    found.unwrap()
}

/// Sets how many descriptors a process may have; gives what it was.
fn limit_descriptors(pid: u32, most: u64) -> Rlimit {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(1000),
    };
    prlimit(pid, Resource::Nofile, limit).unwrap()
}

#[test]
fn a_worker_that_cannot_begin_is_a_login_refused() {
    let Some(hall) = Hall::open() else { return };
    let nursery = nursery(&hall);
    // What it has and no more: 0 to 2, and the link to master.
    let before = limit_descriptors(nursery.pid, 4);
    let mut client = hall.stranger();
    assert_eq!(client.outcome("LOGIN ann p"), "NO [UNAVAILABLE]");
    limit_descriptors(nursery.pid, before.current.unwrap().min(1000));
    client.ok("LOGIN ann p");
    client.ok("SELECT INBOX");
    let log = hall.log();
    assert!(
        log.contains("the worker of uid 61001 could not begin"),
        "{log}"
    );
    assert!(!log.contains("sessions with it"), "{log}");
}

#[test]
fn one_that_hangs_is_replaced() {
    let Some(hall) = Hall::open() else { return };
    let mut there = hall.client("bert");
    let nursery = nursery(&hall);
    signal(nursery.pid, Signal::STOP);
    let mut client = hall.stranger();
    assert_eq!(client.outcome("LOGIN ann p"), "NO [UNAVAILABLE]");
    there.ok("NOOP");
    wait_until("another nursery", || {
        hall.process("culver-nursery", None)
            .is_some_and(|other| other.pid != nursery.pid)
    });
    client.ok("LOGIN ann p");
    client.ok("SELECT INBOX");
}

#[test]
fn ends_are_seen_though_who_starts_the_server_ignores_those_of_its_own() {
    let Some(hall) = Hall::with(USERS, "trap '' CHLD\n") else {
        return;
    };
    let nursery = nursery(&hall);
    let ann = hall.client("ann");
    let worker = hall.process("culver-worker", Some(ANN)).unwrap();
    signal(worker.pid, Signal::KILL);
    wait_until("the log", || {
        hall.log()
            .contains("the worker of uid 61001 has ended, and its sessions with it: signal: 9")
    });
    drop(ann);
    hall.client("ann").ok("SELECT INBOX");
    assert!(show(nursery.pid).is_some());
}

#[test]
fn without_the_nursery_those_who_are_there_stay_and_another_starts_the_next() {
    let Some(hall) = Hall::open() else { return };
    let mut ann = hall.client("ann");
    let nursery = nursery(&hall);
    let worker = hall.process("culver-worker", Some(ANN)).unwrap();
    signal(nursery.pid, Signal::KILL);
    wait_until("another nursery", || {
        hall.process("culver-nursery", None)
            .is_some_and(|other| other.pid != nursery.pid)
    });
    ann.ok("SELECT INBOX");
    hall.client("bert").ok("SELECT INBOX");
    // And who comes meets the others in the worker that was there.
    hall.client("ann").ok("SELECT INBOX");
    signal(worker.pid, Signal::KILL);
    assert!(rest(&mut ann).is_empty());
    wait_until("the log", || {
        hall.log()
            .contains("the worker of uid 61001 has ended, and its sessions with it: nobody has")
    });
    hall.client("ann").ok("SELECT INBOX");
}
