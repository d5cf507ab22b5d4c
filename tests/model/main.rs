//! A reference model of an account's mailboxes, and sessions of every kind that change it at random, with other programs
//! at work on the files: what each client believes, from nothing but what it was told, is what the model says.
//!
//! It is a test target of its own: it takes its minute beside nobody else's, and what it shows is neither a command's
//! matter (`tests/imap`) nor the files' alone (`tests/spool`).
//!
//! `CULVER_TEST_SEED` sets the chances (1), `CULVER_TEST_SECONDS` how long each test goes on (15), `CULVER_TEST_KILLS` how
//! often the server is killed (15); with `CULVER_TEST_LONG` it is 100,000 steps or half an hour, and 300 times.

#[path = "../harness/mod.rs"]
mod harness;

mod account;
mod crowd;
mod hands;
mod picture;
mod session;
mod steps;

use std::time::{Duration, Instant};

use crowd::Crowd;
use steps::{Chances, World};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

fn is_long() -> bool {
    std::env::var_os("CULVER_TEST_LONG").is_some()
}

fn seed() -> u64 {
    number("CULVER_TEST_SEED").unwrap_or(1)
}

fn seconds() -> u64 {
    number("CULVER_TEST_SECONDS").unwrap_or(if is_long() { 1800 } else { 15 })
}

fn run(what: &str, chances: Chances) {
    let (seed, seconds) = (seed(), seconds());
    let begun = Instant::now();
    let mut world = World::new(seed, chances);
    world.run(100_000, begun + Duration::from_secs(seconds));
    println!(
        "{what}, seed {seed}: {} steps in {:.0?}, {:?}",
        world.steps,
        begun.elapsed(),
        world.told
    );
}

#[test]
fn every_picture_is_the_models() {
    run(
        "one after another",
        Chances {
            restarts: 100,
            forgets: false,
        },
    );
}

#[test]
fn what_may_be_deleted_is_not_missed() {
    run(
        "files deleted",
        Chances {
            restarts: 1_500,
            forgets: true,
        },
    );
}

/// Rounds of half a second, in each of which all sessions work at once.
#[test]
fn all_at_once() {
    let (seed, seconds) = (seed(), seconds());
    let begun = Instant::now();
    let mut crowd = Crowd::new(seed);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let length = crowd.length(1_000);
        crowd.round(length, false);
    }
    println!("at once, seed {seed}: {}", crowd.told());
}

/// Killed in the midst: nothing that was acknowledged is lost, no mod-sequence goes back, and clients go on from what they
/// were told.
#[test]
fn killed_in_the_midst() {
    let seed = seed();
    let kills = number("CULVER_TEST_KILLS").unwrap_or(if is_long() { 300 } else { 15 });
    let mut crowd = Crowd::new(seed);
    for _ in 0..kills {
        let length = crowd.length(300);
        crowd.round(length, true);
        let length = crowd.length(200);
        crowd.round(length, false);
    }
    println!("killed, seed {seed}: {}", crowd.told());
}
