//! What an attacker who has taken a process over can do with it: less than it takes to read anybody else's mail, or to
//! get at a key or a password.

use std::fs;
use std::io;

use crate::captive::Captive;
use crate::hall::{ANN, BERT, Hall, Shown, VMAIL};
use crate::harness::message;

/// The error, or what the call gave, which it should not have.
#[track_caller]
fn refused<T: std::fmt::Debug>(what: &str, said: io::Result<T>) {
    match said {
        Ok(gave) => panic!("{what} gave {gave:?}"),
        Err(error) => println!("  {what}: {error}"),
    }
}

/// A hall in which everybody has a message and a session.
struct Busy {
    hall: Hall,
    _sessions: Vec<crate::harness::Client>,
}

impl Busy {
    fn open() -> Option<Busy> {
        let hall = Hall::open()?;
        let users = ["ann", "bert", "carl@example.org", "dora@example.org"];
        let sessions = users.map(|user| {
            let mut client = hall.secure_client(user);
            client.append("INBOX", "", &message("hello"));
            client.ok("SELECT INBOX");
            client
        });
        Some(Busy {
            hall,
            _sessions: sessions.into(),
        })
    }

    /// A file with a message of this Maildir.
    fn message(&self, maildir: &str) -> String {
        let new = ["new", "cur"].into_iter().find_map(|sub| {
            let dir = self.hall.at(maildir).join(sub);
            Some(fs::read_dir(dir).ok()?.next()?.unwrap().path())
        });
        new.unwrap().to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.hall.at(name).to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn process(&self, name: &str, uid: Option<u32>) -> Shown {
        self.hall.process(name, uid).expect(name)
    }
}

/// What holds for every process, whatever it does.
fn no_way_out(captive: &Captive, own: &Shown, hall: &Hall) {
    refused("a program", captive.execute("/bin/sh"));
    refused("a second process", captive.fork());
    let others = hall.processes();
    let others = others.iter().map(|one| (one.name.as_str(), one.pid));
    for (name, pid) in others.chain([("master", hall.master())]) {
        if pid == own.pid {
            continue;
        }
        refused(&format!("memory of {name}"), captive.look_into(pid));
        refused(
            &format!("the other way into {name}"),
            captive.open(&format!("/proc/{pid}/mem")),
        );
        refused(&format!("control over {name}"), captive.attach(pid));
        refused(&format!("a signal to {name}"), captive.signal(pid));
    }
}

#[test]
fn everybody_is_who_they_should_be() {
    let Some(busy) = Busy::open() else { return };
    let _in_clear = busy.hall.client("ann");
    let mut uids = Vec::new();
    for process in busy.hall.processes() {
        println!(
            "{:14} uid {:5} NoNewPrivs {} Seccomp {} CapEff {}",
            process.name,
            process.uid,
            process.field("NoNewPrivs:"),
            process.field("Seccomp:"),
            process.field("CapEff:"),
        );
        assert_eq!(process.field("NoNewPrivs:"), "1");
        if process.name == "culver-nursery" {
            // As master, it is root for what it starts: setuid, setgid, setpcap and kill, and hears nobody but master.
            assert_eq!(process.uid, 0);
            assert_eq!(process.field("CapEff:"), "00000000000001e0");
            continue;
        }
        for set in ["CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:"] {
            assert_eq!(process.field(set), "0000000000000000", "{set}");
        }
        let numbers: Vec<&str> = process.field("Uid:").split_whitespace().collect();
        assert!(numbers.iter().all(|one| *one == numbers[0] && *one != "0"));
        assert_eq!(process.field("Seccomp:"), "2");
        if process.name == "culver-worker" {
            uids.push(process.uid);
        }
    }
    uids.sort_unstable();
    assert_eq!(uids, [ANN, BERT, VMAIL]);
}

#[test]
fn a_users_worker_reads_that_users_mail_and_nothing_else() {
    let Some(busy) = Busy::open() else { return };
    for (uid, own, others) in [
        (
            ANN,
            "ann/Maildir",
            ["bert/Maildir", "vmail/example.org/carl/Maildir"],
        ),
        (
            VMAIL,
            "vmail/example.org/dora/Maildir",
            ["ann/Maildir", "bert/Maildir"],
        ),
    ] {
        let worker = busy.process("culver-worker", Some(uid));
        println!("{worker:?}");
        let captive = Captive::take(worker.pid);
        captive.open(&busy.message(own)).unwrap();
        for other in others {
            refused(other, captive.open(&busy.message(other)));
        }
        for secret in ["users", "key.pem", "culver.toml", "cert.pem"] {
            refused(secret, captive.open(&busy.path(secret)));
        }
        for open_to_all in [
            "/",
            "/etc/passwd",
            "/etc/hostname",
            "/dev/null",
            "/bin/sh",
            "/tmp",
        ] {
            refused(open_to_all, captive.open(open_to_all));
        }
        for family in [
            libc::AF_INET,
            libc::AF_INET6,
            libc::AF_UNIX,
            libc::AF_NETLINK,
        ] {
            refused("a socket", captive.socket(family));
        }
        no_way_out(&captive, &worker, &busy.hall);
    }
}

/// Landlock holds files' contents and names; what it does not is refused otherwise.
#[test]
fn the_worker_of_one_user_takes_nothing_from_the_others_of_its_uid() {
    let Some(hall) = Hall::set(&[("users", "isolate = \"user\"\n")]) else {
        return;
    };
    let mut dora = hall.client("dora@example.org");
    let worker = hall.process("culver-worker", Some(VMAIL)).unwrap();
    let mut carl = hall.client("carl@example.org");
    for client in [&mut dora, &mut carl] {
        client.ok("SELECT INBOX");
    }
    let captive = Captive::take(worker.pid);
    let of = |user: &str| hall.at(&format!("vmail/example.org/{user}/Maildir/cur"));
    let of = |user: &str| of(user).display().to_string();
    captive.open(&of("dora")).unwrap();
    refused("another's mail", captive.open(&of("carl")));
    refused("another's rights", captive.close_to_all(&of("carl")));
    refused("another's times", captive.touch(&of("carl")));
}

#[test]
fn login_and_lmtp_open_nothing_at_all() {
    let Some(busy) = Busy::open() else { return };
    for name in ["culver-login", "culver-lmtp"] {
        opens_nothing(&busy, &busy.process(name, None));
    }
}

fn opens_nothing(busy: &Busy, login: &Shown) {
    let captive = Captive::take(login.pid);
    let message = busy.message("ann/Maildir");
    for path in [
        "/",
        ".",
        "..",
        "/proc/self/maps",
        "/etc/passwd",
        "/dev/null",
        &message,
    ] {
        refused(path, captive.open(path));
    }
    for secret in ["users", "key.pem", "culver.toml", "cert.pem"] {
        refused(secret, captive.open(&busy.path(secret)));
    }
    for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX] {
        refused("a socket", captive.socket(family));
    }
    no_way_out(&captive, login, &busy.hall);
}

#[test]
fn auth_reads_no_mail() {
    let Some(busy) = Busy::open() else { return };
    let auth = busy.process("culver-auth", None);
    let captive = Captive::take(auth.pid);
    for maildir in ["ann/Maildir", "vmail/example.org/carl/Maildir"] {
        refused(maildir, captive.open(&busy.message(maildir)));
    }
    for secret in ["key.pem", "culver.toml"] {
        refused(secret, captive.open(&busy.path(secret)));
    }
    captive.open("/etc/passwd").unwrap();
    for family in [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] {
        refused("a socket", captive.socket(family));
    }
    no_way_out(&captive, &auth, &busy.hall);
}

#[test]
fn roots_mail_and_the_systems_is_served_to_nobody() {
    let Some(hall) = Hall::open() else { return };
    // A line for root is no line, as in Dovecot; one for another user of the system cannot be served.
    for (user, answer) in [("root", "AUTHENTICATIONFAILED"), ("daemon", "UNAVAILABLE")] {
        let mut client = hall.stranger();
        let said = client.outcome(&format!("LOGIN {user} p"));
        assert_eq!(said, format!("NO [{answer}]"), "{user}");
        assert!(!hall.at(user).exists());
    }
    assert!(hall.process("culver-worker", None).is_none());
}
