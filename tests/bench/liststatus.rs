//! LIST with STATUS of 500 folders with 100,000 messages (RFC 5819), for Culver and for Dovecot in turns within one run:
//! `cargo bench --bench liststatus`. Each has a Maildir of its own, made alike.
//!
//! - first: the server sees the folders for the first time.
//! - cold: the server was started anew; what it keeps beside the mail is there. The page cache is warm.
//! - warm: once more on the same connection, nothing has changed.
//! - changed: the same after a delivery to ten folders.

#[path = "../harness/mod.rs"]
mod harness;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harness::client::timed;
use harness::{Client, Kind, Maildir, Server, Setup, have, message};

const FOLDERS: usize = 500;
const MESSAGES: usize = 200;

/// Rounds; the median counts.
const ROUNDS: usize = 5;

/// Folders that get a message each.
const CHANGED: usize = 10;

const COMMAND: &str = "LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN SIZE HIGHESTMODSEQ))";

fn main() {
    let culver = measure(Kind::Culver);
    let dovecot = have("dovecot").then(|| measure(Kind::Dovecot));
    println!("{FOLDERS} folders of {MESSAGES} messages");
    println!(
        "{:<10} {:>10} {:>10} {:>8}",
        "", "Culver", "Dovecot", "ratio"
    );
    for (at, what) in ["first", "cold", "warm", "changed"].into_iter().enumerate() {
        let dovecot = dovecot.map(|times| times[at]);
        println!(
            "{what:<10} {:>10} {:>10} {:>8}",
            format!("{:.1?}", culver[at]),
            dovecot.map_or("-".into(), |time| format!("{time:.1?}")),
            dovecot.map_or("-".into(), |time| format!(
                "{:.1}",
                time.as_secs_f64() / culver[at].as_secs_f64()
            )),
        );
    }
}

/// How long it takes: first, cold, warm and changed.
fn measure(kind: Kind) -> [Duration; 4] {
    let maildir = Arc::new(Maildir::new());
    for folder in 0..FOLDERS {
        let name = format!("f{folder}");
        let path = maildir.folder(&name);
        for sub in ["", "cur", "new", "tmp"] {
            fs::create_dir(path.join(sub)).unwrap();
        }
        fill(&path, folder);
    }
    maildir.settle();
    let start = || Setup::new(kind).start(&maildir);
    let (mut cold, mut warm, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let server = start();
    let first = ask(&mut server.client(), FOLDERS * MESSAGES);
    server.stop();
    for round in 0..ROUNDS {
        let before = FOLDERS * MESSAGES + round * CHANGED;
        let server = start();
        let mut client = server.client();
        cold.push(ask(&mut client, before));
        warm.push(ask(&mut client, before));
        (0..CHANGED).for_each(|folder| {
            maildir.deliver(&format!("f{folder}"), &message("new"));
        });
        changed.push(ask(&mut client, before + CHANGED));
        memory(kind, &server, round);
        server.stop();
    }
    [first, median(cold), median(warm), median(changed)]
}

/// Messages as an LDA of Dovecot's places them, with their sizes in their names; some are seen.
fn fill(folder: &Path, which: usize) {
    for number in 0..MESSAGES {
        let line = format!("{}\r\n", "x".repeat(70));
        let text = message(&format!("{which}-{number}")) + &line.repeat(number % 40);
        let (octets, flags) = (text.len(), if number % 3 == 0 { "" } else { "S" });
        let seconds = 1_700_000_000 + which * MESSAGES + number;
        let name = format!("{seconds}.M{number}P1.host,S={octets},W={octets}:2,{flags}");
        fs::write(folder.join("cur").join(name), text).unwrap();
    }
}

fn memory(kind: Kind, server: &Server, round: usize) {
    if kind == Kind::Culver && round == 0 {
        println!(
            "Culver's memory at its peak: {} MB",
            server.peak_memory() / 1_000_000
        );
    }
}

/// Asks, and demands that so many messages are there.
fn ask(client: &mut Client, expected: usize) -> Duration {
    let (lines, time) = timed(|| client.ok(COMMAND));
    let status = lines.iter().filter(|line| line.starts_with("* STATUS "));
    let counts = status.map(|line| {
        let (_, rest) = line.split_once("MESSAGES ").unwrap();
        let end = rest.find([' ', ')']).unwrap();
        rest[..end].parse::<usize>().unwrap()
    });
    assert_eq!(counts.sum::<usize>(), expected);
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
