//! A client that keeps a copy of a mailbox goes away, 10,000 changes happen, and it comes back (RFC 7162): what it is told
//! is exactly what has changed. Octets on the wire and time for Culver and for Dovecot, each with a Maildir of its own and
//! the same history through IMAP, in the same run; the same by Node's imapflow: `cargo bench --bench resync`.
//!
//! The program fails if Culver tells a change too few or too many.

#[path = "../harness/mod.rs"]
mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use harness::{Chance, Client, Kind, Maildir, Server, Setup, have, message};

const MESSAGES: u32 = 20_000;
/// Messages that a change concerns, of each kind.
const FLAGGED: usize = 5_000;
const EXPUNGED: usize = 3_000;
const ARRIVED: usize = 2_000;
/// So many at once.
const BATCH: usize = 50;

/// What a client knows when it goes.
struct Copy {
    validity: u64,
    modseq: u64,
    uids: BTreeSet<u32>,
}

/// What has happened meanwhile, by UID.
#[derive(Default)]
struct History {
    flags: BTreeMap<u32, &'static str>,
    gone: BTreeSet<u32>,
    came: u32,
}

/// What a client was told of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    changed: BTreeSet<u32>,
    vanished: BTreeSet<u32>,
    new: u32,
}

fn main() -> ExitCode {
    println!(
        "{MESSAGES} messages; {FLAGGED} get flags, {EXPUNGED} are expunged, {ARRIVED} arrive while the client is away\n"
    );
    println!(
        "{:<8} {:<26} {:>10} {:>9} {:>9} {:>8} {:>8} {:>6}",
        "server", "client", "received", "sent", "time", "changed", "vanished", "new"
    );
    let mut fine = measure(Kind::Culver);
    if have("dovecot") {
        measure(Kind::Dovecot);
    }
    if !fine {
        println!("these are not the changes");
    }
    fine &= !std::thread::panicking();
    match fine {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// True if the client was told exactly what has changed.
fn measure(kind: Kind) -> bool {
    let maildir = Arc::new(Maildir::new());
    for number in 0..MESSAGES {
        let name = format!("{}.M{number}P1.host:2,S", 1_700_000_000 + number);
        let text = message(&format!("m{number}"));
        std::fs::write(maildir.path().join("cur").join(name), text).unwrap();
    }
    maildir.settle();
    let server = Setup::new(kind).start(&maildir);
    let copy = learn(&mut client(&server));
    let history = happen(&mut server.selected("INBOX"));
    let expected = Told {
        changed: history.flags.keys().copied().collect(),
        vanished: history.gone.clone(),
        new: history.came,
    };

    let report = |who: &str, octets: (usize, usize), time: f64, told: [usize; 3]| {
        let [changed, vanished, new] = told;
        println!(
            "{:<8} {who:<26} {:>10} {:>9} {:>6.0} ms {changed:>8} {vanished:>8} {new:>6}",
            format!("{kind:?}"),
            octets.0,
            octets.1,
            time * 1e3
        );
    };
    let print = |who: &str, octets, time, told: &Told| {
        let counts = [told.changed.len(), told.vanished.len(), told.new as usize];
        report(who, octets, time, counts);
    };
    let known = format!(" {}", set(&copy.uids));
    let mut fine = true;
    for (who, known) in [("QRESYNC with known UIDs", &*known), ("QRESYNC", "")] {
        let mut c = client(&server);
        let start = Instant::now();
        let (mut told, octets) = come_back(&mut c, &copy, known);
        let time = start.elapsed().as_secs_f64();
        if known.is_empty() {
            // All is told, what is new too, and then asked for.
            told.changed.retain(|uid| copy.uids.contains(uid));
        }
        print(who, octets, time, &told);
        fine &= told == expected;
    }
    // What it costs a client that does not know QRESYNC.
    let mut c = server.client();
    let start = Instant::now();
    let mut octets = (0, 0);
    exchange(&mut c, "SELECT INBOX", &mut octets);
    let lines = exchange(&mut c, "UID FETCH 1:* (FLAGS)", &mut octets);
    report(
        "all flags again",
        octets,
        start.elapsed().as_secs_f64(),
        [lines.len() - 1, 0, 0],
    );
    if let Some((octets, time, told)) = imapflow(&server, &copy) {
        report("imapflow", octets, time, told);
        fine &= told
            == [
                expected.changed.len() + expected.new as usize,
                EXPUNGED,
                ARRIVED,
            ];
    }
    fine
}

fn client(server: &Server) -> Client {
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    c
}

/// A copy of the mailbox is made.
fn learn(c: &mut Client) -> Copy {
    let lines = c.ok("SELECT INBOX");
    let copy = Copy {
        validity: number(&lines, "[UIDVALIDITY "),
        modseq: number(&lines, "[HIGHESTMODSEQ "),
        uids: (1..=MESSAGES).collect(),
    };
    assert_eq!(c.ok("UID FETCH 1:* (FLAGS)").len(), MESSAGES as usize);
    c.ok("LOGOUT");
    copy
}

fn number(lines: &[String], word: &str) -> u64 {
    let found = lines.iter().find_map(|line| line.split_once(word));
    let digits = found.unwrap().1.split([']', ' ']).next();
    digits.unwrap().parse().unwrap()
}

/// The same changes for every server.
fn happen(c: &mut Client) -> History {
    let mut chance = Chance::new(1);
    let mut history = History::default();
    let mut order: Vec<u32> = (1..=MESSAGES).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, chance.below(at as u64 + 1) as usize);
    }
    let flags = ["\\Flagged", "\\Answered", "$Forwarded", "Work"];
    let (flagged, rest) = order.split_at(FLAGGED);
    let (expunged, rest) = rest.split_at(EXPUNGED);
    for (at, batch) in flagged.chunks(BATCH).enumerate() {
        let flag = flags[at % flags.len()];
        let uids: BTreeSet<u32> = batch.iter().copied().collect();
        c.ok(&format!("UID STORE {} +FLAGS.SILENT ({flag})", set(&uids)));
        history.flags.extend(uids.iter().map(|uid| (*uid, flag)));
    }
    for batch in expunged.chunks(BATCH) {
        let uids: BTreeSet<u32> = batch.iter().copied().collect();
        c.ok(&format!(
            "UID STORE {} +FLAGS.SILENT (\\Deleted)",
            set(&uids)
        ));
        c.ok(&format!("UID EXPUNGE {}", set(&uids)));
        history.gone.extend(uids);
    }
    for batch in rest[..ARRIVED].chunks(BATCH) {
        let uids: BTreeSet<u32> = batch.iter().copied().collect();
        c.ok(&format!("UID COPY {} INBOX", set(&uids)));
        history.came += uids.len() as u32;
    }
    c.ok("LOGOUT");
    history
}

/// The client resynchronises, and asks for what is new.
fn come_back(c: &mut Client, copy: &Copy, known: &str) -> (Told, (usize, usize)) {
    let mut octets = (0, 0);
    let mut told = Told::default();
    let Copy {
        validity, modseq, ..
    } = copy;
    let select = format!("SELECT INBOX (QRESYNC ({validity} {modseq}{known}))");
    for line in exchange(c, &select, &mut octets) {
        if let Some(uids) = line.strip_prefix("* VANISHED (EARLIER) ") {
            told.vanished = list(uids);
        } else if line.contains(" FETCH (") {
            told.changed.insert(uid(&line));
        }
    }
    let fetch = format!("UID FETCH {}:* (FLAGS)", MESSAGES + 1);
    let new = exchange(c, &fetch, &mut octets);
    told.new = new.iter().filter(|line| line.contains(" FETCH (")).count() as u32;
    (told, octets)
}

fn uid(line: &str) -> u32 {
    let rest = line.split_once("UID ").unwrap().1;
    rest.split([' ', ')']).next().unwrap().parse().unwrap()
}

/// A command and all that is said to it; octets received and sent are counted.
fn exchange(c: &mut Client, command: &str, octets: &mut (usize, usize)) -> Vec<String> {
    let tag = c.next_tag();
    let reply = c.run(command);
    assert!(
        reply.tagged.starts_with("OK"),
        "{command:.100} → {}",
        reply.tagged
    );
    let lines: usize = reply.untagged.iter().map(|line| line.len() + 2).sum();
    octets.0 += lines + tag.len() + 1 + reply.tagged.len() + 2;
    octets.1 += tag.len() + 1 + command.len() + 2;
    let lines = reply
        .untagged
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned());
    lines.chain([reply.tagged]).collect()
}

/// The same by imapflow, which counts for itself: octets, time, and how many changes, vanished and new messages.
fn imapflow(server: &Server, copy: &Copy) -> Option<((usize, usize), f64, [usize; 3])> {
    if !have("node") {
        return None;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let packages = target.join("clients/node/node_modules");
    if !packages.join("imapflow").exists() {
        println!("skipped: imapflow is not installed (contrib/check installs it)");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/imapflow/resync.js");
    let output = Command::new("node")
        .env("NODE_PATH", packages)
        .arg(script)
        .args(
            [server.imap.port().into(), copy.validity, copy.modseq].map(|one: u64| one.to_string()),
        )
        .arg(MESSAGES.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let numbers: Vec<usize> = text
        .split_whitespace()
        .map(|one| one.parse().unwrap())
        .collect();
    let [received, sent, time, changed, vanished, new] = numbers[..] else {
        panic!("{text}")
    };
    Some((
        (received, sent),
        time as f64 / 1e3,
        [changed, vanished, new],
    ))
}

fn list(set: &str) -> BTreeSet<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        first.parse().unwrap()..=last.parse::<u32>().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

fn set(numbers: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |&(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}
