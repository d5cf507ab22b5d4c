//! Whether time tells who exists: a wrong password takes as long for somebody as for nobody, by Welch's t.
//! Where `CULVER_TEST_LONG` asks for it, for it takes minutes; a machine that does something else meanwhile hides what there is.

use std::process::Command;
use std::time::Instant;

use crate::hall::Hall;
use crate::harness::{Chance, Client};

/// Tries of each kind.
const TRIES: usize = 2000;

/// Beyond this the two are told apart (one in a hundred thousand would be by chance).
const LIMIT: f64 = 4.5;

/// Logins that one connection may get wrong.
const A_CONNECTION: usize = 9;

#[test]
fn nobody_takes_as_long_as_somebody() {
    if std::env::var_os("CULVER_TEST_LONG").is_none() {
        eprintln!("skipped: CULVER_TEST_LONG asks for measurements");
        return;
    }
    for method in ["sha512crypt", "yescrypt"] {
        let made = Command::new("mkpasswd")
            .args(["-m", method, "secret"])
            .output();
        let Ok(made) = made else {
            eprintln!("skipped: mkpasswd is not installed");
            return;
        };
        let hash = String::from_utf8(made.stdout).unwrap();
        let before = format!("cat > HOME/hashed <<'END'\nann:{{CRYPT}}{hash}END\n");
        let source = "kind = \"passwd-file\"\npath = \"HOME/hashed\"\n";
        let Some(hall) = Hall::with(source, &before) else {
            return;
        };
        measure(&hall, method);
    }
}

fn measure(hall: &Hall, method: &str) {
    let mut chance = Chance::new(1);
    let mut times = [Vec::new(), Vec::new()];
    let mut client = hall.stranger();
    let mut tries = 0;
    while times.iter().any(|times| times.len() < TRIES) {
        if tries == A_CONNECTION {
            (client, tries) = (hall.stranger(), 0);
            // The first on a connection pays for more.
            attempt(&mut client, "ann");
        }
        tries += 1;
        let which = usize::try_from(chance.below(2)).unwrap();
        let taken = attempt(&mut client, ["ann", "amy"][which]);
        times[which].push(taken);
    }
    // What others do on this machine makes a few tries very long, and they would drown all else.
    let common = times.clone().map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 9 / 10);
        times
    });
    for (what, [somebody, nobody]) in [("all", &times), ("the faster nine tenths", &common)] {
        let t = welch(somebody, nobody);
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64 * 1e6;
        println!(
            "{method}, {what}: |t| = {:.2}; somebody {:.1} µs, nobody {:.1} µs, of {} and {}",
            t.abs(),
            mean(somebody),
            mean(nobody),
            somebody.len(),
            nobody.len(),
        );
        assert!(t.abs() < LIMIT, "{method}, {what}: t = {t}");
    }
}

fn attempt(client: &mut Client, user: &str) -> f64 {
    let command = format!("LOGIN {user} wrongpassword");
    let start = Instant::now();
    let reply = client.run(&command);
    let taken = start.elapsed().as_secs_f64();
    assert!(reply.tagged.starts_with("NO"), "{reply:?}");
    taken
}

/// Welch's t of two samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let moments = |sample: &[f64]| {
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let squares = sample.iter().map(|value| (value - mean).powi(2));
        (mean, squares.sum::<f64>() / (count - 1.0) / count)
    };
    let ((mean_one, error_one), (mean_other, error_other)) = (moments(one), moments(other));
    (mean_one - mean_other) / (error_one + error_other).sqrt()
}
