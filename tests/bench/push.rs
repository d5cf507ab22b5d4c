//! How long it takes from a delivery (a rename into `new/`) until a client in IDLE hears EXISTS, for Culver
//! and for Dovecot in the same run: `cargo bench --bench push`.
//!
//! Deliveries come one by one, 5 to 65 ms after the client has heard of the one before. Dovecot gathers
//! events for half a second, so it gets fewer. The program fails if Culver is slower than it promises.

#[path = "../harness/mod.rs"]
mod harness;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Chance, Kind, Maildir, Setup, have, message};

/// What Culver promises.
const MEDIAN: Duration = Duration::from_millis(5);
const P99: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    println!(
        "{:<8} {:>10} {:>10} {:>10} {:>10}",
        "server", "deliveries", "median", "p99", "longest"
    );
    let [median, p99] = measure(Kind::Culver, 1000);
    if have("dovecot") {
        measure(Kind::Dovecot, 100);
    }
    if median > MEDIAN || p99 > P99 {
        println!("too slow: {MEDIAN:?} and {P99:?} are promised");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn measure(kind: Kind, count: usize) -> [Duration; 2] {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(kind).start(&maildir);
    let mut c = server.selected("INBOX");
    c.send(b"i IDLE\r\n");
    assert!(c.line().starts_with(b"+"));
    let mut chance = Chance::new(1);
    let mut times = Vec::with_capacity(count);
    for number in 1..=count {
        let prepared = maildir.prepare("INBOX", message("push").as_bytes());
        std::thread::sleep(Duration::from_millis(5 + chance.below(60)));
        let start = Instant::now();
        maildir.release("INBOX", &prepared);
        let wanted = format!("* {number} EXISTS");
        while c.line() != wanted.as_bytes() {}
        times.push(start.elapsed());
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (median, p99, longest) = (at(0.5), at(0.99), at(1.0));
    println!(
        "{:<8} {count:>10} {:>10} {:>10} {:>10}",
        format!("{kind:?}"),
        format!("{median:.1?}"),
        format!("{p99:.1?}"),
        format!("{longest:.1?}")
    );
    [median, p99]
}
