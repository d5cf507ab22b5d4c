//! SEARCH BODY and TEXT over 20,000 messages of about 500 MB, of a word that none has and of ten that some have,
//! for Culver and for Dovecot without full text search, in turns within one run, beside the time that it takes to
//! only read the files: `cargo bench --bench search`. The page cache is warm.
//!
//! The program fails if Culver is slower than it promises, or if it finds something else than is there.

#[path = "corpus.rs"]
mod corpus;
#[path = "../harness/mod.rs"]
mod harness;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use harness::client::timed;
use harness::{Client, Kind, Maildir, Setup, have};

const MESSAGES: usize = 20_000;

/// Rounds in turns; the median counts.
const ROUNDS: usize = 5;

/// What Culver promises: so many times as fast as Dovecot, and so many times what reading alone takes.
const FASTER: f64 = 20.0;
const OVER_READING: f64 = 4.0;

fn main() -> ExitCode {
    let maildir = Arc::new(Maildir::new());
    let octets = corpus::fill(&maildir, "INBOX", MESSAGES);
    let files = files(&maildir);
    println!("{MESSAGES} messages, {} MB", octets / 1_000_000);

    let culver = Setup::new(Kind::Culver).start(&maildir);
    let mut c = culver.selected("INBOX");
    let idle = culver.memory_now();
    // Their own files beside each other's: both servers know the same UIDs.
    let dovecot = have("dovecot").then(|| Setup::new(Kind::Dovecot).start(&maildir));
    let mut d = dovecot.as_ref().map(|server| server.selected("INBOX"));

    let mut reading = Vec::new();
    let mut rows: Vec<Row> = ["BODY absent", "BODY words", "TEXT absent", "TEXT words"]
        .map(Row::new)
        .into();
    for round in 0..=ROUNDS {
        let read = timed(|| read_all(&files)).1;
        for (row, key) in rows.iter_mut().zip(["BODY", "BODY", "TEXT", "TEXT"]) {
            let words: Vec<Option<usize>> = match row.name.ends_with("absent") {
                true => vec![None],
                false => vec![Some(2 * round % 10), Some((2 * round + 1) % 10)],
            };
            for word in words {
                let culver = search(&mut c, key, word);
                // The first round warms up.
                if round == 0 {
                    continue;
                }
                row.culver.push(culver);
                if let Some(d) = &mut d {
                    row.dovecot.push(search(d, key, word));
                }
            }
        }
        if round > 0 {
            reading.push(read);
        }
    }

    let reading = median(&mut reading);
    println!("reading alone, a thread for each core: {reading:.1?}");
    println!(
        "{:<12} {:>10} {:>10} {:>8} {:>14}",
        "", "Culver", "Dovecot", "ratio", "over reading"
    );
    let mut kept = true;
    for row in &mut rows {
        let culver = median(&mut row.culver);
        let over_reading = culver.as_secs_f64() / reading.as_secs_f64();
        let dovecot = (!row.dovecot.is_empty()).then(|| median(&mut row.dovecot));
        let ratio = dovecot.map(|dovecot| dovecot.as_secs_f64() / culver.as_secs_f64());
        println!(
            "{:<12} {:>10} {:>10} {:>8} {over_reading:>14.1}",
            row.name,
            format!("{culver:.1?}"),
            dovecot.map_or("-".into(), |time| format!("{time:.1?}")),
            ratio.map_or("-".into(), |ratio| format!("{ratio:.1}")),
        );
        kept &= over_reading <= OVER_READING && ratio.is_none_or(|ratio| ratio >= FASTER);
    }
    println!(
        "Culver's memory: {} MB selected and idle, {} MB at its peak",
        idle / 1_000_000,
        culver.peak_memory() / 1_000_000
    );
    if !kept {
        println!(
            "too slow: {FASTER} times Dovecot's speed and {OVER_READING} times reading are promised"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct Row {
    name: &'static str,
    culver: Vec<Duration>,
    dovecot: Vec<Duration>,
}

impl Row {
    fn new(name: &'static str) -> Row {
        Row {
            name,
            culver: Vec::new(),
            dovecot: Vec::new(),
        }
    }
}

/// Searches for one of the words that are there, or for one that is not, and says how long it took.
fn search(client: &mut Client, key: &str, word: Option<usize>) -> Duration {
    let text = word.map_or("absentword", |word| corpus::SOUGHT[word]);
    let command = format!("SEARCH CHARSET UTF-8 {key} {{{}+}}\r\n{text}", text.len());
    let (lines, time) = timed(|| client.ok(&command));
    let found = lines
        .iter()
        .find(|line| line.starts_with("* SEARCH"))
        .expect("an answer");
    let count = found.split(' ').count() - 2;
    let expected =
        (0..MESSAGES).filter(|number| word.is_some_and(|word| corpus::sought(*number, word)));
    assert_eq!(count, expected.count(), "{command}");
    time
}

fn files(maildir: &Maildir) -> Vec<PathBuf> {
    let all = std::fs::read_dir(maildir.folder("INBOX").join("cur")).unwrap();
    all.map(|entry| entry.unwrap().path()).collect()
}

/// Reads all files on as many threads as there are cores, and does nothing with them.
fn read_all(files: &[PathBuf]) {
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        for part in files.chunks(files.len().div_ceil(threads)) {
            scope.spawn(move || {
                let mut buffer = vec![0; 1 << 20];
                for file in part {
                    let mut file = File::open(file).unwrap();
                    while file.read(&mut buffer).unwrap() > 0 {}
                }
            });
        }
    });
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
