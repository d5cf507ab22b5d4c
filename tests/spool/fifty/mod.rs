//! Fifty sessions of ten users, five on each mailbox, change them at random, while mail is delivered and other
//! programs rename and remove files: whatever each is told keeps the rules, and at the end the pictures of all
//! five, of a fresh session and of the disk are one.
//!
//! `CULVER_TEST_SECONDS` sets for how long (10), `CULVER_TEST_SEED` the chances (1).

mod known;
mod model;
mod others;
mod session;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::{Kind, Maildir, PATIENCE, Server, Setup};
use known::Known;
use model::Flags;
use others::{Acts, Done};
use session::Session;

const USERS: usize = 10;
const SESSIONS: usize = 5;

/// Flags by UID.
type Picture = BTreeMap<u32, Flags>;

/// A user's mail, the sessions on INBOX, and what other programs did there.
struct User {
    name: String,
    maildir: Arc<Maildir>,
    sessions: Vec<Session>,
    acts: Acts,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn fifty_sessions_agree_at_the_end() {
    let seconds = number("CULVER_TEST_SECONDS", 10);
    let seed = number("CULVER_TEST_SEED", 1) << 8;
    let maildirs: Vec<_> = (0..USERS).map(|_| Arc::new(Maildir::new())).collect();
    let start = |kind| {
        let users = maildirs.iter().enumerate();
        let setup = users.fold(Setup::new(kind), |setup, (at, maildir)| {
            setup.user(&format!("u{at}"), maildir)
        });
        setup.start(&maildirs[0])
    };
    let server = start(Kind::Culver);
    let log_in = |user: &str| {
        let mut client = server.connect();
        client.login_as(user);
        client
    };
    let done = Arc::new(Done::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut users = Vec::new();
    let mut threads = Vec::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    for (at, maildir) in maildirs.iter().enumerate() {
        let name = format!("u{at}");
        log_in(&name).ok("CREATE Other");
        let known = Arc::new(Mutex::new(Known::default()));
        for number in 0..SESSIONS {
            let session = Session::new(
                format!("{name}.{number}"),
                log_in(&name),
                seed + (at * SESSIONS + number) as u64,
                Arc::clone(&known),
            );
            threads.push(std::thread::spawn(move || {
                let mut session = session;
                session.work(until);
                session
            }));
        }
        let others = others::start(at, maildir, seed + at as u64, &done, &stop);
        users.push((name, maildir, others));
    }
    let mut sessions = threads.into_iter().map(|thread| thread.join().unwrap());
    let mut ended: Vec<Vec<Session>> = Vec::new();
    for _ in 0..USERS {
        ended.push(sessions.by_ref().take(SESSIONS).collect());
    }
    stop.store(true, Ordering::Relaxed);
    let users = users.into_iter().zip(ended);
    let users = users.map(|((name, maildir, others), sessions)| User {
        name,
        maildir: Arc::clone(maildir),
        sessions,
        acts: others
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect(),
    });
    let mut users: Vec<User> = users.collect();
    tell(&users, &done, seconds, seed >> 8);

    let pictures: Vec<_> = users.iter_mut().map(|user| user.agree(&server)).collect();
    drop(users);
    let log = server.log();
    for bad in ["ERROR", "panicked"] {
        assert!(!log.contains(bad), "{bad} in the log");
    }
    for warning in log.lines().filter(|line| line.contains(" WARN ")) {
        println!("{warning}");
    }
    server.stop();
    // A server that starts anew sees the same.
    let server = start(Kind::Culver);
    for (at, picture) in pictures.iter().enumerate() {
        assert_eq!(
            fresh(&server, &format!("u{at}"), "INBOX"),
            *picture,
            "u{at}"
        );
    }
}

/// Prints what happened.
fn tell(users: &[User], done: &Done, seconds: u64, seed: u64) {
    let mut answered: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let (mut expunges, mut lines) = (0, 0);
    for session in users.iter().flat_map(|user| &user.sessions) {
        for (name, counts) in &session.answered {
            let sum = answered.entry(name).or_default();
            *sum = [sum[0] + counts[0], sum[1] + counts[1]];
        }
        expunges += session.model.expunges;
        lines += session.said.len();
    }
    let all: usize = answered.values().flatten().sum();
    println!(
        "seed {seed}, {seconds} s: {all} commands, {lines} lines, {expunges} EXPUNGE; {done:?}"
    );
    println!("OK and NO: {answered:?}");
}

impl User {
    /// Waits until nobody hears news and the disk is as shown; demands that all pictures are one, and gives
    /// it.
    fn agree(&mut self, server: &Server) -> Picture {
        let end = Instant::now() + PATIENCE;
        let picture = loop {
            let mut quiet = true;
            for session in &mut self.sessions {
                quiet &= session.is_quiet();
            }
            let fresh = fresh(server, &self.name, "INBOX");
            let disk = on_disk(&self.maildir, "INBOX");
            if quiet && is_shown(&fresh, &disk) {
                break fresh;
            }
            if Instant::now() > end {
                self.differ("a fresh session", &fresh, "the disk", &first_of(&disk));
            }
        };
        let other = fresh(server, &self.name, "Other");
        let disk = on_disk(&self.maildir, "Other");
        assert!(
            is_shown(&other, &disk),
            "{}: Other: {other:?}, on disk {disk:?}",
            self.name
        );
        for at in 0..SESSIONS {
            let session = &mut self.sessions[at];
            let name = session.name.clone();
            session.learn();
            let believed = session.model.picture().unwrap();
            session.fetch_all();
            let fetched = session.model.picture().unwrap();
            if believed != fetched {
                self.differ(&name, &believed, "its own FETCH", &fetched);
            }
            if believed != picture {
                self.differ(&name, &believed, "a fresh session", &picture);
            }
        }
        picture
    }

    /// Ends the test, with all that was said of one message in which two pictures differ.
    fn differ(&self, one: &str, left: &Picture, other: &str, right: &Picture) -> ! {
        let uids: BTreeSet<u32> = left.keys().chain(right.keys()).copied().collect();
        let uids: Vec<u32> = uids
            .into_iter()
            .filter(|uid| left.get(uid) != right.get(uid))
            .collect();
        let uid = uids[0];
        let base = records(&self.maildir, "INBOX")
            .into_iter()
            .find(|(_, known)| *known == uid);
        let base = base.map_or("?".to_owned(), |(base, _)| base);
        let mut said: Vec<(Instant, String)> = Vec::new();
        for session in &self.sessions {
            for (at, (time, about, line)) in session.said.iter().enumerate() {
                if !about.contains(&uid) {
                    continue;
                }
                // With the command that it came in.
                let is_command = |(_, _, line): &&(_, _, String)| line.starts_with('t');
                if let Some((when, _, command)) = session.said[..at].iter().rev().find(is_command) {
                    said.push((*when, format!("{}: {command:.200}", session.name)));
                }
                said.push((*time, format!("{}:      {line:.200}", session.name)));
            }
        }
        let acts = self
            .acts
            .iter()
            .filter(|(_, act)| act.contains(&base))
            .cloned();
        said.extend(acts);
        said.sort();
        said.dedup();
        let since = said.first().map(|(time, _)| *time);
        let lines = said.iter().map(|(time, line)| {
            format!(
                "{:10.3} ms {line}\n",
                (*time - since.unwrap()).as_secs_f64() * 1e3
            )
        });
        let lines: Vec<String> = lines.collect();
        let last = &lines[lines.len().saturating_sub(80)..];
        panic!(
            "{one} and {other} differ in {uids:?}; UID {uid} ({base}): {:?} and {:?}\n{}",
            left.get(&uid),
            right.get(&uid),
            last.concat()
        );
    }
}

/// What a client that comes now is shown.
fn fresh(server: &Server, user: &str, mailbox: &str) -> Picture {
    let mut client = server.connect();
    client.login_as(user);
    client.ok(&format!("EXAMINE {mailbox}"));
    let mut picture = Picture::new();
    for line in client.ok("UID FETCH 1:* (UID FLAGS)") {
        let Some((_, items)) = line.split_once(" FETCH (FLAGS (") else {
            continue;
        };
        let (flags, uid) = items.split_once(") UID ").unwrap();
        let mut flags: Flags = flags.split_whitespace().map(str::to_owned).collect();
        flags.remove("\\Recent");
        picture.insert(uid.trim_end_matches(')').parse().unwrap(), flags);
    }
    picture
}

/// The uidlist's records: base name and UID.
fn records(maildir: &Maildir, mailbox: &str) -> HashMap<String, u32> {
    let text = fs::read_to_string(maildir.folder(mailbox).join("dovecot-uidlist")).unwrap();
    let record = |line: &str| {
        let (uid, base) = (line.split(' ').next()?, line.split_once(" :")?.1);
        Some((base.to_owned(), uid.parse().ok()?))
    };
    text.lines().skip(1).filter_map(record).collect()
}

/// By UID, the flags that each of its file's names has: mostly it has one name. A file without a UID counts as
/// UID 0.
fn on_disk(maildir: &Maildir, mailbox: &str) -> BTreeMap<u32, Vec<Flags>> {
    let table = maildir.folder(mailbox).join("dovecot-keywords");
    let table = fs::read_to_string(table).unwrap_or_default();
    let keywords: HashMap<char, &str> = table
        .lines()
        .map(|line| {
            let (number, name) = line.split_once(' ').unwrap();
            ((b'a' + number.parse::<u8>().unwrap()) as char, name)
        })
        .collect();
    let flag = |letter: char| match letter {
        'S' => "\\Seen",
        'F' => "\\Flagged",
        'R' => "\\Answered",
        'D' => "\\Draft",
        'T' => "\\Deleted",
        letter => keywords[&letter],
    };
    let records = records(maildir, mailbox);
    let mut disk: BTreeMap<u32, Vec<Flags>> = BTreeMap::new();
    for file in maildir.files(mailbox) {
        let (base, letters) = file[4..].split_once(":2,").unwrap_or((&file[4..], ""));
        let flags = letters.chars().map(|letter| flag(letter).to_owned());
        let uid = records.get(base).copied().unwrap_or(0);
        disk.entry(uid).or_default().push(flags.collect());
    }
    disk
}

fn is_shown(picture: &Picture, disk: &BTreeMap<u32, Vec<Flags>>) -> bool {
    picture.keys().eq(disk.keys()) && picture.iter().all(|(uid, flags)| disk[uid].contains(flags))
}

fn first_of(disk: &BTreeMap<u32, Vec<Flags>>) -> Picture {
    disk.iter()
        .map(|(uid, flags)| (*uid, flags[0].clone()))
        .collect()
}
