//! The programs beside the fifty sessions: an MTA, a mail reader on the files, and somebody who removes them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::session::{FEWEST, MOST};
use crate::harness::{Chance, Maildir, message};

/// What they did, all of them together.
#[derive(Debug, Default)]
pub struct Done {
    pub deliveries: AtomicUsize,
    pub renames: AtomicUsize,
    /// Renames of files that were not there any more.
    pub missed: AtomicUsize,
    pub removals: AtomicUsize,
}

/// What one of them did, and when.
pub type Acts = Vec<(Instant, String)>;

/// Starts the three on one mailbox.
pub fn start(
    user: usize,
    maildir: &Arc<Maildir>,
    seed: u64,
    done: &Arc<Done>,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<Acts>> {
    [deliver, rename, remove]
        .into_iter()
        .zip(1..)
        .map(|(act, at)| {
            let mut chance = Chance::new(seed ^ (at << 32));
            let (maildir, done, stop) = (maildir.clone(), done.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut acts = Acts::new();
                while !stop.load(Ordering::Relaxed) {
                    if let Some(what) = act(user, &maildir, &mut chance, &done) {
                        acts.push((Instant::now(), what));
                    }
                    std::thread::park_timeout(Duration::from_millis(1 + chance.below(150)));
                }
                acts
            })
        })
        .collect()
}

fn below(chance: &mut Chance, limit: usize) -> usize {
    chance.below(limit.max(1) as u64) as usize
}

/// As an MTA without renames: written to `tmp/`, linked to `new/`, unlinked.
fn deliver(user: usize, maildir: &Maildir, _: &mut Chance, done: &Done) -> Option<String> {
    if maildir.files("INBOX").len() > MOST {
        return None;
    }
    let count = done.deliveries.fetch_add(1, Ordering::Relaxed);
    let text = message(&format!("mta{user}-{count}"));
    let prepared = maildir.prepare("INBOX", text.as_bytes());
    let name = prepared.file_name().unwrap();
    fs::hard_link(&prepared, maildir.path().join("new").join(name)).unwrap();
    fs::remove_file(&prepared).unwrap();
    Some(format!("delivers {}", name.display()))
}

/// As mutt: what is new becomes old, and flags change; by rename, or by link and unlink.
fn rename(_: usize, maildir: &Maildir, chance: &mut Chance, done: &Done) -> Option<String> {
    let files = maildir.files("INBOX");
    let old = files.get(below(chance, files.len()))?;
    let name = &old[4..];
    let (base, letters) = name.split_once(":2,").unwrap_or((name, ""));
    let mut letters: Vec<char> = letters.chars().collect();
    let flag = ['S', 'F', 'R', 'D', 'T'][below(chance, 5)];
    match letters.iter().position(|letter| *letter == flag) {
        Some(at) => drop(letters.remove(at)),
        // What is thrown away is thrown away seldom.
        None if flag != 'T' || chance.below(4) == 0 => letters.push(flag),
        None => {}
    }
    letters.sort_unstable();
    let letters: String = letters.into_iter().collect();
    let new = format!("cur/{base}:2,{letters}");
    if new == *old {
        return None;
    }
    let (from, to) = (maildir.path().join(old), maildir.path().join(&new));
    let (renamed, how) = match chance.below(3) {
        0 => (link_and_unlink(&from, &to), "links"),
        _ => (fs::rename(&from, &to), "renames"),
    };
    let count = match &renamed {
        Ok(()) => &done.renames,
        Err(_) => &done.missed,
    };
    count.fetch_add(1, Ordering::Relaxed);
    Some(format!("{how} {old} → {new}: {renamed:?}"))
}

fn link_and_unlink(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

fn remove(_: usize, maildir: &Maildir, chance: &mut Chance, done: &Done) -> Option<String> {
    let files = maildir.files("INBOX");
    if files.len() < 2 * FEWEST || chance.below(4) > 0 {
        return None;
    }
    let name = &files[below(chance, files.len())];
    fs::remove_file(maildir.path().join(name)).ok()?;
    done.removals.fetch_add(1, Ordering::Relaxed);
    Some(format!("removes {name}"))
}
