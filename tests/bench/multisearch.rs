//! ESEARCH over 200 folders with 100,000 messages (RFC 7377); how soon a search ends whose client is gone; and what
//! another session's FETCH costs while one runs: `cargo bench --bench multisearch`.
//!
//! The program fails if Culver is slower than it promises.

#[path = "corpus.rs"]
mod corpus;
#[path = "../harness/mod.rs"]
mod harness;

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::client::timed;
use harness::{Client, Kind, Maildir, Server, Setup};

const FOLDERS: usize = 200;
const MESSAGES: usize = 500;

/// FETCH commands measured with and without a search beside them.
const FETCHES: usize = 1000;

/// What Culver promises: how soon a search stops, and how much longer a FETCH takes beside one.
const STOPS: Duration = Duration::from_millis(100);
const SLOWER: f64 = 1.5;

fn main() -> ExitCode {
    let maildir = Arc::new(Maildir::new());
    for folder in 0..FOLDERS {
        let path = maildir.folder(&format!("f{folder}"));
        for sub in ["", "cur", "new", "tmp"] {
            fs::create_dir(path.join(sub)).unwrap();
        }
        corpus::fill(&maildir, &format!("f{folder}"), MESSAGES);
    }
    maildir.settle();
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    let idle = server.memory_now();
    println!("{FOLDERS} folders of {MESSAGES} messages");
    for (what, key, found) in [
        ("flags, mailboxes opened first", "UNSEEN", 0),
        ("flags", "SEEN", FOLDERS),
        ("header", "SUBJECT nosuchword", 0),
        ("body, absent word", "BODY nosuchword", 0),
        (
            "body, a word in one of a hundred",
            "BODY xylograph",
            FOLDERS,
        ),
    ] {
        let (lines, time) = timed(|| search(&mut c, key));
        assert_eq!(lines, found, "{key}");
        println!("{what:<34} {time:>10.1?}");
    }

    let mut kept = true;
    for key in ["BODY nosuchword", "TEXT nosuchword"] {
        let stops = stops(&server, key);
        println!(
            "{:<34} {stops:>10.1?}",
            format!("stops without its client, {}", &key[..4])
        );
        kept &= stops <= STOPS;
    }

    let mut reader = server.selected("f0");
    let alone = fetches(&mut reader);
    let done = AtomicBool::new(false);
    let beside = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                search(&mut c, "BODY nosuchword");
            }
        });
        let beside = fetches(&mut reader);
        done.store(true, Ordering::Relaxed);
        beside
    });
    println!("p95 of FETCH: {alone:.1?} alone, {beside:.1?} beside a search");
    println!(
        "memory: {} MB before, {} MB at its peak",
        idle / 1_000_000,
        server.peak_memory() / 1_000_000
    );
    kept &= beside.as_secs_f64() <= alone.as_secs_f64() * SLOWER;
    if !kept {
        println!("too slow: {STOPS:?} and {SLOWER} times are promised");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Searches everywhere and gives the number of mailboxes that have something.
fn search(client: &mut Client, key: &str) -> usize {
    client.send(format!("s ESEARCH IN (personal) {key}\r\n").as_bytes());
    let mut found = 0;
    loop {
        let line = client.line();
        found += usize::from(line.starts_with(b"* ESEARCH "));
        if line.starts_with(b"s ") {
            assert!(
                line.starts_with(b"s OK"),
                "{}",
                String::from_utf8_lossy(&line)
            );
            return found;
        }
    }
}

/// How long the server's threads work on after the client of a search has closed its connection.
fn stops(server: &Server, key: &str) -> Duration {
    let mut client = server.client();
    client.send(format!("s ESEARCH IN (personal) {key}\r\n").as_bytes());
    let before = cpu(server);
    while cpu(server) < before + 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The last moment at which it still worked, as finely as ticks are counted.
    let (mut worked, mut used) = (Duration::ZERO, cpu(server));
    let closed = Instant::now();
    client.hang_up();
    drop(client);
    while closed.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(5));
        let now = cpu(server);
        if now > used {
            (worked, used) = (closed.elapsed(), now);
        }
    }
    worked
}

/// Ticks of processor time, a hundredth of a second each, that the server has used.
fn cpu(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The 95th percentile of single FETCH commands of whole messages.
fn fetches(client: &mut Client) -> Duration {
    let mut times: Vec<Duration> = (0..FETCHES)
        .map(|count| {
            let number = count % MESSAGES + 1;
            timed(|| client.ok(&format!("FETCH {number} (FLAGS BODY.PEEK[])"))).1
        })
        .collect();
    times.sort();
    times[times.len() * 95 / 100]
}
