//! What messages made to cost do cost: `cargo bench --bench bombs`. Each shape is served at three sizes, every one
//! twice the one before; the processor's time that the server takes for it is printed, and may about double too.

#[path = "../harness/mod.rs"]
mod harness;

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use harness::bombs::SHAPES;
use harness::{Kind, Maildir, Server, Setup};

/// Octets of the smallest message.
const SMALLEST: usize = 1 << 20;
/// Each size is measured so often, by another server each time, and the least counts.
const RUNS: usize = 3;
/// Time for a message of twice the size, at the most.
const MOST: f64 = 3.0;
/// What is shorter is not compared: the commands themselves are seen in it, and the clock, which has ticks of 10 ms.
const FLOOR: Duration = Duration::from_millis(30);

/// What is done with each message: everything that reads it.
const COMMANDS: [&str; 8] = [
    "FETCH # (ENVELOPE BODYSTRUCTURE)",
    "FETCH # (BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])",
    "FETCH # (BINARY.SIZE[1] BINARY.PEEK[1.1.1])",
    "FETCH # (PREVIEW)",
    "SEARCH # TEXT absent",
    "SEARCH # OR HEADER SUBJECT absent OR FROM absent SENTON 1-Jan-2024",
    "SORT (SUBJECT FROM CC DISPLAYTO DATE) UTF-8 #",
    "THREAD REFERENCES UTF-8 #",
];

fn main() -> ExitCode {
    println!(
        "{:<34} {:>9} {:>9} {:>9}  ratios",
        "shape", "1 MiB", "2 MiB", "4 MiB"
    );
    let mut slow = Vec::new();
    for shape in SHAPES {
        let maildir = Arc::new(Maildir::new());
        for doubled in 0..3 {
            let name = format!("{doubled}.bomb:2,S");
            maildir.place("INBOX", "cur", &name, &(shape.make)(SMALLEST << doubled));
        }
        let mut times = [Duration::MAX; 3];
        for _ in 0..RUNS {
            // Another server: one that has made a preview has it at hand.
            let server = Setup::new(Kind::Culver).start(&maildir);
            for (number, least) in (1..).zip(&mut times) {
                *least = measure(&server, number).min(*least);
            }
        }
        let ratios = [(0, 1), (1, 2)].map(|(one, two)| {
            times[two].max(FLOOR).as_secs_f64() / times[one].max(FLOOR).as_secs_f64()
        });
        let [one, two, four] = times.map(|time| format!("{time:.1?}"));
        let [first, second] = ratios;
        println!(
            "{:<34} {one:>9} {two:>9} {four:>9}  {first:.2} {second:.2}",
            shape.name
        );
        if first.max(second) > MOST {
            slow.push(shape.name);
        }
    }
    if slow.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("more than {MOST} times as long for twice the size: {slow:?}");
    ExitCode::FAILURE
}

/// The processor's time for all commands with one message, that the server has not yet read.
fn measure(server: &Server, number: u32) -> Duration {
    let mut c = server.selected("INBOX");
    let start = processor_time(server);
    for command in COMMANDS {
        let reply = c.run(&command.replace('#', &number.to_string()));
        assert!(
            reply.tagged.starts_with("OK"),
            "{command}: {}",
            reply.tagged
        );
    }
    processor_time(server).saturating_sub(start)
}

/// What the server's threads have taken so far, those that have ended among them: proc(5), `utime` and `stime`, in
/// hundredths of a second.
fn processor_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(10 * ticks)
}
