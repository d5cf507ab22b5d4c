//! kill -9 at random moments under eight writing clients: after each new start everything that was answered
//! OK is there, each message once, and no UID has ever named two messages (invariants I1, I3, I4, I5, I8). No
//! mod-sequence that a client was told is above HIGHESTMODSEQ, and who resynchronises by it misses nothing.
//!
//! `CULVER_TEST_KILLS` sets how many times (200), `CULVER_TEST_SEED` the chances (1).

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use crate::harness::{Chance, Client, Kind, Maildir, Reply, Server, message};

const CLIENTS: usize = 8;
const BOXES: [&str; 2] = ["INBOX", "Archive"];
/// How many messages each client keeps in INBOX.
const OWN_AT_MOST: usize = 8;

/// One copy of a message, as its owner has been told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    uid: u32,
    flagged: bool,
}

/// A client's messages by mark and mailbox.
type Own = BTreeMap<(String, &'static str), Known>;

/// What a client was doing when the server died.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Append(String),
    Flag(String),
    Copy(String),
    Move(String),
    /// The first by the second.
    Replace(String, String),
    Expunge(String),
}

/// Writes until the server dies; gives what it was doing then, and the highest mod-sequence it was told.
fn write(
    c: &mut Client,
    own: &mut Own,
    who: usize,
    count: &mut u32,
    chance: &mut Chance,
) -> (Doing, u64) {
    let mut told = 0;
    loop {
        let doing = choose(own, who, count, chance);
        if act(c, own, &doing, &mut told).is_none() {
            return (doing, told);
        }
    }
}

/// Runs a command and notes the mod-sequences that its answer tells.
fn run(c: &mut Client, command: &str, told: &mut u64) -> Option<Reply> {
    let reply = c.try_run(command)?;
    let lines = reply.untagged.iter();
    let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned());
    for line in lines.chain([reply.tagged.clone()]) {
        for key in ["HIGHESTMODSEQ ", "MODSEQ ("] {
            *told = (*told).max(number(&line, key).unwrap_or_default());
        }
    }
    Some(reply)
}

/// The number behind a word.
fn number(line: &str, key: &str) -> Option<u64> {
    let (_, rest) = line.split_once(key)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn choose(own: &Own, who: usize, count: &mut u32, chance: &mut Chance) -> Doing {
    let inbox: Vec<&String> = own
        .keys()
        .filter(|(_, mailbox)| *mailbox == "INBOX")
        .map(|(mark, _)| mark)
        .collect();
    if inbox.len() < 3 || (inbox.len() < OWN_AT_MOST && chance.below(2) == 0) {
        *count += 1;
        return Doing::Append(format!("c{who}n{count}"));
    }
    let mark = inbox[chance.below(inbox.len() as u64) as usize].clone();
    let archived = own.contains_key(&(mark.clone(), "Archive"));
    match chance.below(5) {
        0 if !archived => Doing::Copy(mark),
        1 if !archived => Doing::Move(mark),
        2 => Doing::Flag(mark),
        3 if Kind::chosen() == Kind::Culver => {
            *count += 1;
            Doing::Replace(mark, format!("c{who}n{count}"))
        }
        _ => Doing::Expunge(mark),
    }
}

/// Does it; `None` if the server died before it answered.
fn act(c: &mut Client, own: &mut Own, doing: &Doing, told: &mut u64) -> Option<()> {
    let uid_of = |own: &Own, mark: &String| own[&(mark.clone(), "INBOX")].uid;
    let target = |text: &str| -> Option<u32> {
        let rest = text.split("COPYUID ").nth(1)?;
        rest.split([' ', ']']).nth(2)?.parse().ok()
    };
    let fine = |tagged: &str| assert!(tagged.starts_with("OK"), "{doing:?} → {tagged}");
    match doing {
        Doing::Nothing => {}
        Doing::Append(mark) => {
            let text = message(mark);
            let reply = run(
                c,
                &format!("APPEND INBOX {{{}+}}\r\n{text}", text.len()),
                told,
            )?;
            fine(&reply.tagged);
            let uid = reply
                .tagged
                .split([' ', ']'])
                .nth(3)
                .unwrap()
                .parse()
                .unwrap();
            own.insert(
                (mark.clone(), "INBOX"),
                Known {
                    uid,
                    flagged: false,
                },
            );
        }
        Doing::Flag(mark) => {
            let uid = uid_of(own, mark);
            fine(
                &run(
                    c,
                    &format!("UID STORE {uid} +FLAGS.SILENT (\\Flagged)"),
                    told,
                )?
                .tagged,
            );
            own.get_mut(&(mark.clone(), "INBOX")).unwrap().flagged = true;
        }
        Doing::Copy(mark) => {
            let uid = uid_of(own, mark);
            let reply = run(c, &format!("UID COPY {uid} Archive"), told)?;
            fine(&reply.tagged);
            let flagged = own[&(mark.clone(), "INBOX")].flagged;
            let uid = target(&reply.tagged).unwrap();
            own.insert((mark.clone(), "Archive"), Known { uid, flagged });
        }
        Doing::Move(mark) => {
            let uid = uid_of(own, mark);
            let reply = run(c, &format!("UID MOVE {uid} Archive"), told)?;
            fine(&reply.tagged);
            let Known { flagged, .. } = own.remove(&(mark.clone(), "INBOX")).unwrap();
            let lines = reply
                .untagged
                .iter()
                .map(|line| String::from_utf8_lossy(line).into_owned());
            let uid = lines
                .chain([reply.tagged.clone()])
                .find_map(|line| target(&line))
                .unwrap();
            own.insert((mark.clone(), "Archive"), Known { uid, flagged });
        }
        Doing::Replace(mark, with) => {
            let uid = uid_of(own, mark);
            let text = message(with);
            let size = text.len();
            let reply = run(
                c,
                &format!("UID REPLACE {uid} INBOX {{{size}+}}\r\n{text}"),
                told,
            )?;
            fine(&reply.tagged);
            own.remove(&(mark.clone(), "INBOX"));
            let lines = reply
                .untagged
                .iter()
                .map(|line| String::from_utf8_lossy(line));
            let mut code = lines.filter_map(|line| {
                let code = line.strip_prefix("* OK [APPENDUID ")?;
                code.split([' ', ']']).nth(1)?.parse().ok()
            });
            let known = Known {
                uid: code.next_back().unwrap(),
                flagged: false,
            };
            own.insert((with.clone(), "INBOX"), known);
        }
        Doing::Expunge(mark) => {
            let uid = uid_of(own, mark);
            fine(
                &run(
                    c,
                    &format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"),
                    told,
                )?
                .tagged,
            );
            fine(&run(c, &format!("UID EXPUNGE {uid}"), told)?.tagged);
            own.remove(&(mark.clone(), "INBOX"));
        }
    }
    Some(())
}

/// Everything the whole test remembers.
#[derive(Default)]
struct World {
    own: Vec<Own>,
    /// Which message each UID has ever named.
    history: BTreeMap<(&'static str, u32), String>,
    validity: BTreeMap<&'static str, String>,
    /// The highest mod-sequence of INBOX that anybody was told.
    told: u64,
    /// What a client knows that was there after the last start.
    left: Option<Left>,
}

/// INBOX as a client left it.
struct Left {
    uid_validity: u64,
    since: u64,
    picture: Picture,
}

/// Flags by UID.
type Picture = BTreeMap<u64, Vec<String>>;

/// What a client that resynchronises makes of what it is told.
fn apply(picture: &mut Picture, lines: &[String]) {
    for line in lines {
        if let Some((_, uids)) = line.split_once("* VANISHED (EARLIER) ") {
            for range in uids.split(',') {
                let (from, to) = range.split_once(':').unwrap_or((range, range));
                let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
                picture.retain(|uid, _| *uid < from || *uid > to);
            }
        }
        if let Some((_, flags)) = line
            .split_once("FLAGS (")
            .filter(|_| line.contains(" FETCH "))
        {
            let flags = flags.split(')').next().unwrap().split_ascii_whitespace();
            let mut flags: Vec<String> = flags.map(str::to_owned).collect();
            flags.retain(|flag| flag != "\\Recent");
            flags.sort();
            picture.insert(number(line, "UID ").unwrap(), flags);
        }
    }
}

impl World {
    /// A client comes back that was there after the last start.
    fn resynchronise(&mut self, server: &Server, round: usize) {
        if server.kind == Kind::Dovecot {
            return;
        }
        let mut c = server.client();
        c.ok("ENABLE QRESYNC");
        let lines = c.ok(&match &self.left {
            Some(left) => format!(
                "SELECT INBOX (QRESYNC ({} {}))",
                left.uid_validity, left.since
            ),
            None => "SELECT INBOX".to_owned(),
        });
        let code = |key| lines.iter().find_map(|line| number(line, key)).unwrap();
        let (uid_validity, since) = (code("UIDVALIDITY "), code("HIGHESTMODSEQ "));
        assert!(since >= self.told, "round {round}: {since}, {}", self.told);
        let mut picture = Picture::new();
        apply(&mut picture, &c.ok("UID FETCH 1:* (FLAGS)"));
        if let Some(mut left) = self.left.take() {
            apply(&mut left.picture, &lines);
            assert_eq!(left.picture, picture, "round {round}: {lines:#?}");
        }
        self.left = Some(Left {
            uid_validity,
            since,
            picture,
        });
    }

    /// Compares the mailboxes with what the clients were told, and learns how what was cut off ended.
    fn compare(&mut self, server: &Server, doing: &[Doing], round: usize) {
        let mut c = server.client();
        let mut found: BTreeMap<(String, &str), Known> = BTreeMap::new();
        for mailbox in BOXES {
            let lines = c.ok(&format!("SELECT {mailbox}"));
            let validity = lines
                .iter()
                .find(|line| line.contains("UIDVALIDITY"))
                .unwrap()
                .clone();
            let before = self
                .validity
                .entry(mailbox)
                .or_insert_with(|| validity.clone());
            assert_eq!(*before, validity, "round {round}: {mailbox}");
            for line in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])") {
                let uid = line
                    .rsplit("UID ")
                    .next()
                    .unwrap()
                    .trim_end_matches(')')
                    .parse()
                    .unwrap();
                let mark = line
                    .split("Subject: ")
                    .nth(1)
                    .and_then(|rest| rest.split('\r').next());
                let mark = mark
                    .unwrap_or_else(|| panic!("round {round}: half a message: {line}"))
                    .to_owned();
                assert!(
                    line.contains(&message(&mark)),
                    "round {round}: not whole: {line}"
                );
                let named = self
                    .history
                    .entry((mailbox, uid))
                    .or_insert_with(|| mark.clone());
                assert_eq!(
                    *named, mark,
                    "round {round}: UID {uid} of {mailbox} names another message"
                );
                let known = Known {
                    uid,
                    flagged: line.contains("\\Flagged"),
                };
                let twice = found.insert((mark.clone(), mailbox), known);
                assert!(
                    twice.is_none(),
                    "round {round}: {mark} is twice in {mailbox}"
                );
            }
        }
        for (own, doing) in self.own.iter_mut().zip(doing) {
            settle(own, doing, &found, round);
            for ((mark, mailbox), known) in own.iter() {
                let got = found.remove(&(mark.clone(), *mailbox));
                assert_eq!(
                    got,
                    Some(*known),
                    "round {round}: {mark} in {mailbox}, while {doing:?}"
                );
            }
        }
        assert!(
            found.is_empty(),
            "round {round}: nobody knows of {found:?}, {doing:?}"
        );
    }
}

/// Whether what was cut off happened or not, either is right; but it happened wholly or not at all.
fn settle(own: &mut Own, doing: &Doing, found: &BTreeMap<(String, &str), Known>, round: usize) {
    let at = |mark: &String, mailbox: &'static str| found.get(&(mark.clone(), mailbox)).copied();
    match doing {
        Doing::Nothing => {}
        Doing::Append(mark) => {
            if let Some(known) = at(mark, "INBOX") {
                own.insert((mark.clone(), "INBOX"), known);
            }
        }
        Doing::Copy(mark) => {
            if let Some(known) = at(mark, "Archive") {
                own.insert((mark.clone(), "Archive"), known);
            }
        }
        Doing::Flag(mark) => {
            let own = own.get_mut(&(mark.clone(), "INBOX")).unwrap();
            if let Some(known) = at(mark, "INBOX") {
                own.flagged |= known.flagged;
            }
        }
        Doing::Expunge(mark) => {
            if at(mark, "INBOX").is_none() {
                own.remove(&(mark.clone(), "INBOX"));
            }
        }
        // Both may be there, but never neither.
        Doing::Replace(mark, with) => match (at(mark, "INBOX"), at(with, "INBOX")) {
            (Some(_), None) => {}
            (old, Some(known)) => {
                if old.is_none() {
                    own.remove(&(mark.clone(), "INBOX"));
                }
                own.insert((with.clone(), "INBOX"), known);
            }
            neither => panic!("round {round}: a REPLACE of {mark} left {neither:?}"),
        },
        Doing::Move(mark) => match (at(mark, "INBOX"), at(mark, "Archive")) {
            (Some(_), None) => {}
            // Dovecot's MOVE is a copy and an expunge.
            (Some(_), Some(known)) if Kind::chosen() == Kind::Dovecot => {
                own.insert((mark.clone(), "Archive"), known);
            }
            (None, Some(known)) => {
                own.remove(&(mark.clone(), "INBOX"));
                own.insert((mark.clone(), "Archive"), known);
            }
            both => panic!("round {round}: a MOVE of {mark} that was cut off left {both:?}"),
        },
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let (kills, seed) = (
        number("CULVER_TEST_KILLS", 200),
        number("CULVER_TEST_SEED", 1),
    );
    let maildir = Arc::new(Maildir::new());
    let mut chance = Chance::new(seed);
    let mut world = World {
        own: vec![Own::new(); CLIENTS],
        ..World::default()
    };
    let mut counts = [0_u32; CLIENTS];
    let mut slowest = Duration::ZERO;
    let mut doing = vec![Doing::Nothing; CLIENTS];
    let mut appended = 0;
    for round in 0..kills as usize {
        let begun = Instant::now();
        let server = Server::on(&maildir);
        slowest = slowest.max(begun.elapsed());
        if round == 0 {
            server.client().ok("CREATE Archive");
        }
        world.resynchronise(&server, round);
        world.compare(&server, &doing, round);
        if world.own.iter().map(Own::len).sum::<usize>() > 250 {
            clear_archive(&server, &mut world);
        }
        let ready = Barrier::new(CLIENTS + 1);
        std::thread::scope(|scope| {
            let writers: Vec<_> = world
                .own
                .iter_mut()
                .zip(&mut counts)
                .enumerate()
                .map(|(who, (own, count))| {
                    let mut c = server.client();
                    // Half of them hear of mod-sequences.
                    if who % 2 == 0 && server.kind == Kind::Culver {
                        c.ok("ENABLE QRESYNC");
                    }
                    c.ok("SELECT INBOX");
                    let mut chance = Chance::new(chance.next());
                    let ready = &ready;
                    scope.spawn(move || {
                        ready.wait();
                        write(&mut c, own, who, count, &mut chance)
                    })
                })
                .collect();
            ready.wait();
            std::thread::park_timeout(Duration::from_micros(chance.below(120_000)));
            server.kill();
            let ended = writers.into_iter().map(|writer| writer.join().unwrap());
            let told: Vec<u64>;
            (doing, told) = ended.unzip();
            world.told = told.into_iter().fold(world.told, u64::max);
        });
        appended = counts.iter().sum();
    }
    let server = Server::on(&maildir);
    world.resynchronise(&server, kills as usize);
    world.compare(&server, &doing, kills as usize);
    println!(
        "{kills} kills, {appended} messages appended, slowest start {slowest:?} (seed {seed})"
    );
}

/// Keeps the second mailbox small.
fn clear_archive(server: &Server, world: &mut World) {
    let mut c = server.selected("Archive");
    c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    for own in &mut world.own {
        own.retain(|(_, mailbox), _| *mailbox != "Archive");
    }
}
