//! For a while no thread can be started: what would need one waits until it can, nobody is cut off, and nothing has to
//! be begun anew.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::hall::{Hall, Shown, show};
use crate::harness::{Client, wait_until};

/// Longer than a thread stays that has nothing to do.
const THREADS_STAY: Duration = Duration::from_secs(3);

/// Where groups of processes are limited, the old way and the new.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];

/// While it is there, a process can start no thread.
enum Shortage {
    Limit(u32, u32, String),
    Group(u32, PathBuf),
}

impl Shortage {
    /// Begins with no thread left that waits for work. `None`, and a line that says so, where there is no such limit.
    fn of(process: &Shown) -> Option<Shortage> {
        let shortage = match process.uid {
            0 => Shortage::by_group(process.pid),
            uid => Some(Shortage::by_limit(process.pid, uid)),
        };
        let shortage = shortage?;
        settle(process.pid);
        Some(shortage)
    }

    fn by_limit(pid: u32, uid: u32) -> Shortage {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let mut limits = limits.lines();
        let before = limits.find_map(|line| line.strip_prefix("Max processes"));
        let before = before.unwrap().split_whitespace().next().unwrap();
        limit(pid, uid, "1");
        Shortage::Limit(pid, uid, before.to_owned())
    }

    /// The same, whoever owns the process.
    fn by_group(pid: u32) -> Option<Shortage> {
        let group = GROUPS.iter().find_map(|groups| {
            let group = PathBuf::from(groups).join(format!("culver-test-{pid}"));
            fs::create_dir(&group).ok()?;
            let shortage = Shortage::Group(pid, group.clone());
            put(&group.join("cgroup.procs"), &pid.to_string()).ok()?;
            Some((put(&group.join("pids.max"), "1").ok()?, shortage))
        });
        if group.is_none() {
            eprintln!("skipped: no group of processes can be limited here");
        }
        group.map(|((), shortage)| shortage)
    }

    /// Leaves so many threads.
    fn leave(&self, more: usize) {
        let Shortage::Group(pid, group) = self else {
            panic!("only a group counts the threads of one process");
        };
        let threads: usize = show(*pid).unwrap().field("Threads:").parse().unwrap();
        put(&group.join("pids.max"), &(threads + more).to_string()).unwrap();
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        match self {
            Shortage::Limit(pid, uid, before) => limit(*pid, *uid, before),
            Shortage::Group(pid, group) => {
                let _ = put(&group.join("pids.max"), "max");
                let above = group.parent().unwrap().join("cgroup.procs");
                let _ = put(&above, &pid.to_string());
                let _ = fs::remove_dir(group);
            }
        }
    }
}

/// Waits until no thread of a process is left that waits for work.
fn settle(pid: u32) {
    let mut last = (Instant::now(), String::new());
    wait_until("threads to end", || {
        let threads = show(pid).unwrap().field("Threads:").to_owned();
        if threads != last.1 {
            last = (Instant::now(), threads);
        }
        last.0.elapsed() > THREADS_STAY
    });
}

/// Writes to a file that is there.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// Says how many threads there may be of whoever owns a process before it can start no more. Who that is may.
fn limit(pid: u32, uid: u32, most: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args([format!("--pid={pid}"), format!("--nproc={most}:")]);
    let status = prlimit.uid(uid).gid(gid(pid)).status();
    assert!(status.unwrap().success());
}

fn gid(pid: u32) -> u32 {
    let process = show(pid).unwrap();
    let mut gids = process.field("Gid:").split_whitespace();
    gids.next().unwrap().parse().unwrap()
}

/// The log says so once, as it is, and not as a fault.
fn wait_for_log(hall: &Hall) {
    wait_until("the log", || {
        hall.log().contains("no thread can be started")
    });
}

fn check_log(hall: &Hall) {
    let log = hall.log();
    assert_eq!(log.matches("no thread can be started").count(), 1, "{log}");
    assert!(!log.contains("fault of the server's own"), "{log}");
}

fn asked(hall: &Hall, user: &str) -> Client {
    let mut client = hall.stranger();
    client.send(format!("x LOGIN {user} p\r\n").as_bytes());
    client
}

#[test]
fn logins_wait_while_auth_can_start_no_thread() {
    let Some(hall) = Hall::open() else { return };
    drop(hall.client("ann"));
    let auth = hall.process("culver-auth", None).unwrap();
    let Some(shortage) = Shortage::of(&auth) else {
        return;
    };
    // More than are asked about at once.
    let mut clients: Vec<Client> = (0..8).map(|_| asked(&hall, "ann")).collect();
    wait_for_log(&hall);
    drop(shortage);
    for client in &mut clients {
        assert!(client.until_tagged("x").outcome().starts_with("OK"));
    }
    hall.client("bert").ok("NOOP");
    assert_eq!(hall.process("culver-auth", None).unwrap().pid, auth.pid);
    check_log(&hall);
}

#[test]
fn commands_wait_while_a_worker_can_start_no_thread() {
    let Some(hall) = Hall::open() else { return };
    let mut client = hall.client("ann");
    let worker = hall.processes();
    let worker = worker.iter().find(|one| one.uid == crate::hall::ANN);
    let Some(shortage) = Shortage::of(worker.unwrap()) else {
        return;
    };
    client.send(b"x CREATE made\r\ny STATUS made (MESSAGES)\r\n");
    wait_for_log(&hall);
    let mut second = asked(&hall, "ann");
    drop(shortage);
    for tag in ["x", "y"] {
        assert!(client.until_tagged(tag).outcome().starts_with("OK"));
    }
    assert!(second.until_tagged("x").outcome().starts_with("OK"));
    check_log(&hall);
}

/// The one thread is for the work; for the watch there is none, and what is opened later is watched.
#[test]
fn one_thread_is_enough_for_commands() {
    let Some(hall) = Hall::open() else { return };
    let mut client = hall.client("ann");
    client.ok("CREATE other");
    let mut second = hall.client("ann");
    let worker = hall.processes();
    let worker = worker.iter().find(|one| one.uid == crate::hall::ANN);
    let worker = worker.unwrap().pid;
    let Some(shortage) = Shortage::by_group(worker) else {
        return;
    };
    settle(worker);
    client.send(b"x SELECT INBOX\r\n");
    wait_for_log(&hall);
    shortage.leave(1);
    assert!(client.until_tagged("x").outcome().starts_with("OK"));
    assert!(hall.log().contains("mailboxes cannot be watched"));
    assert!(!is_watching(worker));
    drop(shortage);
    second.ok("SELECT other");
    wait_until("the watch", || is_watching(worker));
    check_log(&hall);
}

fn is_watching(pid: u32) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    files.flatten().any(|file| {
        let info = fs::read_to_string(file.path());
        info.is_ok_and(|info| info.contains("inotify wd:"))
    })
}

#[test]
fn users_come_again_after_master_could_start_no_thread() {
    let Some(hall) = Hall::open() else { return };
    drop(hall.client("ann"));
    let Some(shortage) = Shortage::of(&show(hall.master()).unwrap()) else {
        return;
    };
    // Some wait for the same look, and all are told that they may come again.
    wait_for_log(&hall);
    let mut clients: Vec<Client> = (0..3).map(|_| asked(&hall, "bert")).collect();
    for client in &mut clients {
        let outcome = client.until_tagged("x").outcome();
        assert!(outcome.starts_with("NO [UNAVAILABLE]"), "{outcome}");
    }
    drop(shortage);
    wait_until("a login", || {
        let outcome = asked(&hall, "bert").until_tagged("x").outcome();
        outcome.starts_with("OK")
    });
    // It goes on looking for new certificates.
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(hall.at("cert.pem"), made.cert.pem()).unwrap();
    fs::write(hall.at("key.pem"), made.signing_key.serialize_pem()).unwrap();
    wait_until("the new certificate", || {
        hall.log().contains("certificates have been renewed")
    });
    check_log(&hall);
}
