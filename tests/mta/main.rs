//! Postfix and Exim from Debian beside Culver: who may send they ask Culver, what comes they give to Culver or put
//! into the Maildir themselves. All of it needs root.

#[path = "../harness/mod.rs"]
mod harness;

mod exim;
mod postfix;
mod smtp;
mod together;
mod view;
mod world;

use exim::Exim;
use harness::wait_until;
use postfix::Postfix;
use smtp::Smtp;
use world::{Mta, World};

/// The same for both.
macro_rules! with_both {
    ($($test:ident),* $(,)?) => {
        mod by_postfix {
            $(#[test] fn $test() { super::$test::<super::Postfix>(); })*
        }
        mod by_exim {
            $(#[test] fn $test() { super::$test::<super::Exim>(); })*
        }
    };
}

with_both!(
    who_may_send_is_asked,
    mail_comes_by_the_mtas_own_maildir_transport,
    every_way_delivers_once,
    who_is_nobody_is_told_to_the_sender,
    over_quota_is_no_loss,
    a_full_disk_puts_off,
    a_server_that_is_stopped_puts_off,
    a_server_that_is_killed_loses_nothing,
);

/// Who writes, and is told what became of it.
const SENDER: &str = "bert@own.example";

fn who_may_send_is_asked<M: Mta>() {
    let Some(mut world) = World::<M>::open() else {
        return;
    };
    let port = world.mta.port();
    for mechanism in [Smtp::plain, Smtp::login] {
        for (user, password, code) in [
            ("ann@own.example", "secret", 235),
            ("ANN@own.example", "secret", 235),
            ("ann@own.example", "wrong", 535),
            ("nobody@own.example", "secret", 535),
        ] {
            let (mut smtp, offered) = Smtp::open(port);
            for name in ["PLAIN", "LOGIN"] {
                assert!(offered.iter().any(|one| one == name), "{offered:?}");
            }
            assert_eq!(
                mechanism(&mut smtp, user, password),
                code,
                "{user} {password}"
            );
            let sent = smtp.send("ann@own.example", &["bert@own.example"], "s", "t");
            assert_eq!(sent == 250, code == 235, "{sent}");
        }
    }
    world.await_subjects("bert@own.example", &["s"; 4]);
    // Nobody to ask is no verdict, and a new one is asked without more ado.
    world.stop(rustix::process::Signal::TERM);
    let (mut smtp, _) = Smtp::open(port);
    assert!([435, 454, 503].contains(&smtp.plain("ann@own.example", "secret")));
    world.resume();
    world.sender();
}

fn mail_comes_by_the_mtas_own_maildir_transport<M: Mta>() {
    let Some(mut world) = World::<M>::open() else {
        return;
    };
    let mut sender = world.sender();
    let mut send = |subject: &str| {
        let to = ["ann@own.example", "bert@own.example"];
        assert_eq!(sender.send("bert@own.example", &to, subject, "text"), 250);
    };
    send("1");
    world.await_subjects("ann@own.example", &["1"]);
    // With nobody there it comes all the same.
    world.stop(rustix::process::Signal::TERM);
    send("2");
    world.await_empty();
    world.resume();
    world.await_subjects("ann@own.example", &["1", "2"]);
    world.await_subjects("bert@own.example", &["1", "2"]);
}

fn every_way_delivers_once<M: Mta>() {
    let Some(world) = World::<M>::open() else {
        return;
    };
    let mut sender = world.sender();
    let all = [
        "ann@lmtp.example",
        "bert@lmtp.example",
        "ann@pipe.example",
        "ann@own.example",
    ];
    let subjects: Vec<String> = (10..30).map(|number| format!("mail {number}")).collect();
    for subject in &subjects {
        assert_eq!(sender.send(SENDER, &all, subject, ".. text\r\n..."), 250);
    }
    let expected: Vec<&str> = subjects.iter().map(String::as_str).collect();
    for user in all {
        world.await_subjects(user, &expected);
    }
    world.await_empty();
    assert_eq!(world.subjects(SENDER), Vec::<String>::new());
}

fn who_is_nobody_is_told_to_the_sender<M: Mta>() {
    let Some(world) = World::<M>::open() else {
        return;
    };
    let mut sender = world.sender();
    for ghost in ["ghost@lmtp.example", "ghost@pipe.example"] {
        let to = [ghost, "ann@lmtp.example"];
        assert_eq!(sender.send(SENDER, &to, ghost, "text"), 250);
    }
    world.await_notices(2);
    world.await_subjects(
        "ann@lmtp.example",
        &["ghost@lmtp.example", "ghost@pipe.example"],
    );
    world.await_empty();
}

/// As with Dovecot: LMTP refuses it, so that the sender is told; `culver deliver` has it wait.
fn over_quota_is_no_loss<M: Mta>() {
    let Some(world) = World::<M>::open() else {
        return;
    };
    let mut sender = world.sender();
    let much = "more than fits\r\n".repeat(1500);
    for (subject, text) in [("1", "little"), ("2", &*much)] {
        let to = ["full@lmtp.example", "full@pipe.example"];
        assert_eq!(sender.send(SENDER, &to, subject, text), 250);
    }
    world.await_deferred("full@pipe.example", 1);
    world.await_notices(1);
    for user in ["full@lmtp.example", "full@pipe.example"] {
        world.await_subjects(user, &["1"]);
    }
    assert_eq!(world.mta.waiting(&world.view), 1);
}

fn a_full_disk_puts_off<M: Mta>() {
    let Some(world) = World::<M>::open() else {
        return;
    };
    let filler = world
        .view
        .inside(&format!("{}/tiny/filler", world.view.home.path().display()));
    let filling = vec![0; 1 << 20];
    let filled = std::fs::write(&filler, filling);
    assert!(filled.is_err(), "the disk was to be full");
    let mut sender = world.sender();
    let to = ["tiny@lmtp.example", "tiny@pipe.example"];
    assert_eq!(sender.send(SENDER, &to, "1", &"text\r\n".repeat(1000)), 250);
    for one in to {
        world.await_deferred(one, 1);
    }
    std::fs::remove_file(filler).unwrap();
    world.flush_until_empty();
    for one in to {
        world.await_subjects(one, &["1"]);
    }
    assert_eq!(world.subjects(SENDER), Vec::<String>::new());
}

fn a_server_that_is_stopped_puts_off<M: Mta>() {
    let Some(mut world) = World::<M>::open() else {
        return;
    };
    let mut sender = world.sender();
    world.stop(rustix::process::Signal::TERM);
    let all = ["ann@lmtp.example", "ann@pipe.example", "ann@own.example"];
    assert_eq!(sender.send(SENDER, &all, "1", "text"), 250);
    world.await_deferred("ann@lmtp.example", 1);
    // Who needs no server has it already.
    wait_until("one alone that waits", || {
        world.mta.waiting(&world.view) == 1
    });
    world.resume();
    world.flush_until_empty();
    for user in all {
        world.await_subjects(user, &["1"]);
    }
    assert_eq!(world.subjects(SENDER), Vec::<String>::new());
}

fn a_server_that_is_killed_loses_nothing<M: Mta>() {
    let Some(mut world) = World::<M>::open() else {
        return;
    };
    let mut sender = world.sender();
    let subjects: Vec<String> = (10..40).map(|number| format!("mail {number}")).collect();
    for (number, subject) in subjects.iter().enumerate() {
        let to = ["ann@lmtp.example", "bert@lmtp.example"];
        assert_eq!(sender.send(SENDER, &to, subject, "text"), 250);
        if number % 10 == 5 {
            world.stop(rustix::process::Signal::KILL);
            world.resume();
        }
    }
    for user in ["ann@lmtp.example", "bert@lmtp.example"] {
        wait_until("all mail", || {
            world.mta.flush(&world.view);
            let mut here = world.subjects(user);
            // One that was written, but not acknowledged in time, comes twice.
            here.dedup();
            here == subjects
        });
    }
    assert_eq!(world.subjects(SENDER), Vec::<String>::new());
}
