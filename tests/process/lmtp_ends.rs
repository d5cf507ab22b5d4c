//! Mail on its way when a process ends: nobody is told that it has come who has not got it.

use rustix::process::Signal;

use crate::hall::{ANN, Hall, signal};
use crate::harness::wait_until;
use crate::lmtp::{Mta, mail};

#[test]
fn a_worker_that_dies_costs_its_own_recipients_a_while() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    mta.envelope(&["ann", "bert", "ann+x"]);
    assert_eq!(mta.say("DATA"), "354 OK");
    mta.send(b"Subject: x\r\n\r\nhalf");
    let worker = hall.process("culver-worker", Some(ANN)).unwrap();
    signal(worker.pid, Signal::STOP);
    mta.send(b" and half\r\n.\r\n");
    signal(worker.pid, Signal::KILL);
    assert_eq!(mta.outcome(), "451 4.2.0 <ann> Temporary internal error");
    assert_eq!(mta.outcome(), "250 2.0.0 <bert> Saved");
    assert_eq!(mta.outcome(), "451 4.2.0 <ann+x> Temporary internal error");
    assert_eq!(mail(&hall, "bert/Maildir").len(), 1);
    assert!(mail(&hall, "ann/Maildir").is_empty());
    // It comes again, and is there once.
    assert_eq!(
        mta.bring(&["ann"], "Subject: x\r\n\r\n"),
        ["250 2.0.0 <ann> Saved"]
    );
    assert_eq!(mail(&hall, "ann/Maildir").len(), 1);
}

#[test]
fn auth_may_end_and_recipients_are_known_again() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    mta.envelope(&["ann"]);
    let auth = hall.process("culver-auth", None).unwrap();
    signal(auth.pid, Signal::STOP);
    mta.send(b"RCPT TO:<bert>\r\n");
    signal(auth.pid, Signal::KILL);
    assert_eq!(mta.reply(), "451 4.3.0 <bert> Temporary internal error");
    wait_until("a recipient", || {
        mta.say("RCPT TO:<bert>") == "250 2.1.5 OK"
    });
    assert_eq!(mta.say("DATA"), "354 OK");
    mta.send(b"Subject: x\r\n\r\n.\r\n");
    assert_eq!(mta.outcome(), "250 2.0.0 <ann> Saved");
    assert_eq!(mta.outcome(), "250 2.0.0 <bert> Saved");
}

#[test]
fn lmtp_is_started_again_and_half_a_message_is_none() {
    let Some(hall) = Hall::open() else { return };
    let mut inside = hall.client("ann");
    let mut mta = Mta::open(&hall);
    mta.envelope(&["ann"]);
    assert_eq!(mta.say("DATA"), "354 OK");
    mta.send(b"Subject: x\r\n\r\nhalf\r\n");
    let lmtp = hall.process("culver-lmtp", None).unwrap();
    signal(lmtp.pid, Signal::KILL);
    assert!(mta.is_over());
    let mut mta = Mta::open(&hall);
    assert_eq!(
        mta.bring(&["ann"], "Subject: x\r\n\r\n"),
        ["250 2.0.0 <ann> Saved"]
    );
    assert_eq!(mail(&hall, "ann/Maildir").len(), 1);
    inside.ok("NOOP");
}

#[test]
fn a_server_that_stops_says_so_in_the_midst_of_a_message() {
    let Some(mut hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    mta.envelope(&["ann", "carl@example.org"]);
    assert_eq!(mta.say("DATA"), "354 OK");
    mta.send(b"Subject: x\r\n\r\nhalf\r\n");
    signal(hall.master(), Signal::TERM);
    assert_eq!(mta.reply(), "421 4.3.2 Shutting down");
    assert!(mta.is_over());
    assert!(hall.end().success());
    assert!(mail(&hall, "ann/Maildir").is_empty());
    let tmp = std::fs::read_dir(hall.at("ann/Maildir/tmp")).unwrap();
    assert_eq!(tmp.count(), 0);
}
