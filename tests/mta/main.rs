//! Postfix and Exim from Debian beside Culver: who may send they ask Culver, what comes they give to Culver or put
//! into the Maildir themselves. All of it needs root.

#[path = "../harness/mod.rs"]
mod harness;

mod exim;
mod postfix;
mod smtp;
mod view;
mod world;

use exim::Exim;
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
);

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
