//! The grammar itself as the test: random commands that RFC 9051 §9 allows, none of which may be refused for its
//! syntax. `*.abnf` are the rules, `grammar` reads them, `walk` expands them, `producers` knows what they leave to
//! prose, `drive` speaks to a server.

mod drive;
mod grammar;
mod producers;
mod walk;

use std::collections::BTreeMap;

use culver::imap::parse;
use drive::{Drive, verb};
use grammar::Grammar;
use walk::Walk;

use crate::harness::Kind;
use crate::harness::client::timed;

const RFC9051: &str = include_str!("rfc9051.abnf");
const EXTENSIONS: &str = include_str!("extensions.abnf");

/// As many commands as each test says.
const COMMANDS: u64 = 20_000;

/// `CULVER_TEST_SEED` asks for other commands.
fn seed() -> u64 {
    let seed = std::env::var("CULVER_TEST_SEED");
    let seed = seed.map_or(9051, |seed| seed.parse().unwrap());
    eprintln!("CULVER_TEST_SEED={seed}");
    seed
}

/// The parser takes every one.
fn parsed(texts: &[&str], commands: u64) {
    let grammar = Grammar::read(texts);
    let mut walk = Walk::new(&grammar, seed());
    let (mut octets, mut verbs) = (0, BTreeMap::<String, u64>::new());
    for _ in 0..commands {
        let said = walk.command();
        octets += said.octets.len();
        *verbs.entry(verb(&said)).or_default() += 1;
        match parse::command(said.command()) {
            Ok(command) => assert_eq!(command.tag.as_str(), said.tag()),
            Err(error) => panic!("{error}: {}", said.shown()),
        }
    }
    let coverage = walk.coverage();
    println!(
        "{commands} commands, {octets} octets; {} rules, {} branches; {verbs:?}",
        coverage.rules, coverage.branches
    );
    assert!(
        coverage.missed.is_empty(),
        "never taken: {:#?}",
        coverage.missed
    );
}

#[test]
fn every_command_of_rfc_9051_parses() {
    parsed(&[RFC9051], COMMANDS);
}

#[test]
fn so_does_every_command_of_rfc_3501_and_the_extensions() {
    // More of them say little but of messages.
    parsed(&[RFC9051, EXTENSIONS], 5 * COMMANDS);
}

/// A server answers each as a command in a state that permits it.
fn answered(texts: &[&str], commands: u64, seed: u64) {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let grammar = Grammar::read(texts);
    let tallies = std::thread::scope(|scope| {
        let halves = [seed, seed + 1].map(|seed| {
            let grammar = &grammar;
            scope.spawn(move || {
                let mut walk = Walk::new(grammar, seed);
                walk.may_log_in = true;
                let mut drive = Drive::new();
                for _ in 0..commands / 2 {
                    let said = walk.command();
                    drive.say(&said, &mut walk);
                }
                let tally = std::mem::take(&mut drive.tally);
                drive.end();
                tally
            })
        });
        halves.map(|half| half.join().unwrap())
    });
    let mut whole = BTreeMap::<String, u64>::new();
    for (what, count) in tallies.into_iter().flatten() {
        *whole.entry(what).or_default() += count;
    }
    println!("{whole:#?}");
    assert_eq!(whole.values().sum::<u64>(), commands);
}

#[test]
fn every_command_of_rfc_9051_is_answered() {
    let ((), time) = timed(|| answered(&[RFC9051], COMMANDS, seed()));
    println!("{COMMANDS} commands in {time:?}");
}

#[test]
fn so_are_those_of_rfc_3501_and_the_extensions() {
    answered(&[RFC9051, EXTENSIONS], COMMANDS / 4, seed());
}
