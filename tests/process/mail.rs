//! Where mail is, and what can happen to it and to a process beside.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::process::Command;

use crate::hall::{ANN, Hall, VMAIL};
use crate::harness::{Client, Kind, message, wait_until};

#[test]
fn what_a_first_login_makes_is_for_its_user_alone() {
    let Some(hall) = Hall::open() else { return };
    for (user, maildir) in [
        ("ann", "ann/Maildir"),
        ("carl@example.org", "vmail/example.org/carl/Maildir"),
    ] {
        let mut client = hall.client(user);
        client.append("INBOX", "", &message("hello"));
        client.ok("CREATE Foo");
        for dir in ["", "cur", "new", "tmp", ".Foo"] {
            let mode = fs::metadata(hall.at(maildir).join(dir)).unwrap().mode();
            assert_eq!(mode & 0o077, 0, "{maildir}/{dir}: {mode:o}");
        }
    }
}

#[test]
fn mail_that_others_put_in_its_place_is_served() {
    let Some(hall) = Hall::open() else { return };
    let mut old = hall.client("ann");
    old.append("INBOX", "", &message("hello"));
    fs::rename(hall.at("ann/Maildir"), hall.at("ann/Old")).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .args([hall.at("ann/Old"), hall.at("ann/Maildir")])
        .status();
    assert!(copied.unwrap().success());
    let mut new = hall.client("ann");
    assert!(new.ok("SELECT INBOX").contains(&"* 1 EXISTS".to_owned()));
    old.ok("NOOP");
    // The old worker is there for as long as its sessions are.
    let workers = || hall.processes().iter().filter(|one| one.uid == ANN).count();
    assert_eq!(workers(), 2);
    old.ok("LOGOUT");
    wait_until("the old worker's end", || workers() == 1);
    new.ok("NOOP");
}

#[test]
fn mail_behind_a_link_is_served_by_a_worker_of_its_own() {
    let Some(hall) = Hall::open() else { return };
    let disk = hall.at("disk");
    fs::create_dir(&disk).unwrap();
    chown(&disk, Some(VMAIL), Some(VMAIL)).unwrap();
    symlink(&disk, hall.at("vmail/example.net")).unwrap();
    let mut near = hall.client("carl@example.org");
    let mut far = hall.client("emil@example.net");
    for client in [&mut near, &mut far] {
        client.append("INBOX", "", &message("hello"));
        client.ok("SELECT INBOX");
    }
    assert!(disk.join("emil/Maildir/cur").is_dir());
}

#[test]
fn without_descriptors_login_waits_and_loses_nobody() {
    let source = "kind = \"passwd-file\"\npath = \"HOME/users\"\n";
    let Some(hall) = Hall::with(source, "ulimit -n 50") else {
        return;
    };
    let mut inside = [hall.client("ann"), hall.secure_client("bert")];
    let login = hall.process("culver-login", None).unwrap();
    // Those who come last hear that there is no room, or wait.
    let mut crowd: Vec<Client> = (0..60)
        .map(|_| Client::open(hall.imap, Kind::Culver))
        .collect();
    crowd[0].greeting();
    crowd[0].send(b"a LOGIN carl@example.org p\r\n");
    for client in &mut inside {
        client.ok("NOOP");
    }
    drop(crowd);
    wait_until("room", || {
        let mut client = Client::open(hall.imap, Kind::Culver);
        client.doomed = true;
        client
            .next_line()
            .is_some_and(|line| line.starts_with(b"* OK"))
            && client
                .try_run("LOGIN dora@example.org p")
                .is_some_and(|reply| reply.tagged.starts_with("OK"))
    });
    for client in &mut inside {
        client.ok("NOOP");
    }
    assert_eq!(hall.process("culver-login", None).unwrap().pid, login.pid);
}
