//! What happens when a process ends.

use rustix::process::Signal;

use crate::hall::{ANN, Hall, show, signal};
use crate::harness::{Client, message, wait_until};

/// Everything that the server says until it closes; a connection that is reset says no more.
pub fn rest(client: &mut Client) -> Vec<String> {
    client.doomed = true;
    let mut said = Vec::new();
    while let Some(line) = client.next_line() {
        said.push(String::from_utf8_lossy(&line).into_owned());
    }
    said
}

#[test]
fn a_worker_takes_its_own_users_sessions_along_and_no_others() {
    let Some(hall) = Hall::open() else { return };
    let mut ann = [hall.client("ann"), hall.secure_client("ann")];
    let mut bert = [hall.client("bert"), hall.secure_client("bert")];
    for client in ann.iter_mut().chain(&mut bert) {
        client.append("INBOX", "", &message("kept"));
    }
    let worker = hall.process("culver-worker", Some(ANN)).unwrap();
    signal(worker.pid, Signal::KILL);
    for client in &mut ann {
        assert!(rest(client).is_empty());
    }
    for client in &mut bert {
        client.ok("NOOP");
    }
    wait_until("the log", || {
        hall.log().contains("the worker of uid 61001 has ended")
    });
    let mut again = hall.client("ann");
    assert!(again.ok("SELECT INBOX").contains(&"* 2 EXISTS".to_owned()));
}

#[test]
fn login_takes_tls_along_and_is_started_again() {
    let Some(hall) = Hall::open() else { return };
    let (mut clear, mut secure) = (hall.client("ann"), hall.secure_client("bert"));
    let mut stranger = hall.stranger();
    let login = hall.process("culver-login", None).unwrap();
    signal(login.pid, Signal::KILL);
    assert!(rest(&mut stranger).is_empty());
    assert!(rest(&mut secure).is_empty());
    clear.ok("NOOP");
    wait_until("another login process", || {
        hall.process("culver-login", None)
            .is_some_and(|other| other.pid != login.pid)
    });
    wait_until("a greeting", || {
        let mut client = Client::open(hall.imap, crate::harness::Kind::Culver);
        client.doomed = true;
        client.next_line().is_some()
    });
    hall.client("ann").ok("SELECT INBOX");
    hall.secure_client("bert").ok("SELECT INBOX");
    clear.ok("NOOP");
}

#[test]
fn auth_is_started_again_and_whoever_was_asking_is_told_to_try_later() {
    let Some(hall) = Hall::open() else { return };
    let mut inside = hall.client("ann");
    let mut asking = hall.stranger();
    asking.send(b"a AUTHENTICATE PLAIN\r\n");
    assert_eq!(asking.line(), b"+ ");
    let auth = hall.process("culver-auth", None).unwrap();
    signal(auth.pid, Signal::KILL);
    asking.send(b"AGFubgBw\r\n");
    let reply = asking.until_tagged("a");
    assert!(reply.tagged.starts_with("NO [UNAVAILABLE]"), "{reply:?}");
    inside.ok("NOOP");
    wait_until("another auth process", || {
        hall.process("culver-auth", None)
            .is_some_and(|other| other.pid != auth.pid)
    });
    wait_until("a login", || {
        asking.outcome("LOGIN bert p").starts_with("OK")
    });
    asking.ok("SELECT INBOX");
}

#[test]
fn at_sigterm_all_end_in_order() {
    let begun = std::time::SystemTime::now();
    let Some(mut hall) = Hall::open() else { return };
    let mut clients = [
        hall.client("ann"),
        hall.secure_client("bert"),
        hall.stranger(),
    ];
    let pids: Vec<u32> = hall.processes().iter().map(|one| one.pid).collect();
    assert_eq!(pids.len(), 6);
    let sockets = ["auth", "userdb", "lmtp"].map(|name| hall.at(name));
    wait_until("the sockets", || sockets.iter().all(|path| path.exists()));
    signal(hall.master(), Signal::TERM);
    for client in &mut clients {
        assert!(rest(client).last().unwrap().starts_with("* BYE"));
    }
    assert!(hall.end().success());
    for socket in sockets {
        assert!(!socket.exists(), "left behind: {}", socket.display());
    }
    wait_until("the end of all", || {
        pids.iter().all(|pid| show(*pid).is_none())
    });
    for place in ["/run", "/tmp", "/"] {
        for pid in &pids {
            let empty = std::path::Path::new(place).join(format!("culver-{pid}"));
            // Not one of a former process with that number.
            let made = std::fs::metadata(&empty).and_then(|it| it.modified());
            assert!(
                made.is_err() || made.unwrap() < begun,
                "left behind: {}",
                empty.display()
            );
        }
    }
}

#[test]
fn without_master_nobody_stays() {
    let Some(mut hall) = Hall::open() else { return };
    let mut clients = [hall.client("ann"), hall.secure_client("bert")];
    for client in &mut clients {
        client.append("INBOX", "", &message("kept"));
    }
    let pids: Vec<u32> = hall.processes().iter().map(|one| one.pid).collect();
    signal(hall.master(), Signal::KILL);
    hall.end();
    for client in &mut clients {
        rest(client);
    }
    wait_until("the end of all", || {
        pids.iter().all(|pid| show(*pid).is_none())
    });
}

#[test]
fn a_worker_that_hangs_is_killed_at_the_end() {
    let Some(mut hall) = Hall::open() else { return };
    let ann = hall.client("ann");
    let worker = hall.process("culver-worker", Some(ANN)).unwrap();
    signal(worker.pid, Signal::STOP);
    signal(hall.master(), Signal::TERM);
    wait_until("the log", || hall.log().contains("stopping"));
    // A second signal waits for nobody.
    signal(hall.master(), Signal::TERM);
    assert!(hall.end().success());
    wait_until("its end", || show(worker.pid).is_none());
    drop(ann);
}
