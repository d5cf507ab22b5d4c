//! Power cuts: a trace of the server's system calls is replayed up to every step, what was not synced is
//! dropped in every way the model knows, and the real server opens what is left. Nothing that a client was
//! told may be missing, and no UID may be used twice (invariants I1 to I6), nor a mod-sequence (I9).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::replay::{Disk, Tree};
use super::told::{BEYOND, Told, flags_in, modseq_in, uid_in};
use super::trace::{self, Step};
use crate::harness::client::literal;
use crate::harness::maildir::own;
use crate::harness::{Client, Kind, Maildir, Server, Setup, have, message};

/// A run to be replayed: the trace and what became of it.
struct Run {
    steps: Vec<Step>,
    start: Tree,
    deliveries: BTreeMap<String, Vec<u8>>,
    /// The subject of each UID, as the living server showed it.
    truth: BTreeMap<u32, String>,
    /// Each message but the last was replaced by the next.
    replaces: bool,
    /// These were expunged.
    expunged: BTreeSet<u32>,
}

/// Runs a dialogue against a traced server on an empty Maildir.
fn record(dialogue: impl FnOnce(&Server, &mut Client, &Maildir) -> Vec<String>) -> Run {
    let maildir = Arc::new(Maildir::new());
    let start = tree_of(maildir.path());
    let log = maildir.home().join("trace");
    let server = Setup::new(Kind::chosen()).trace(&log).start(&maildir);
    let mut c = server.client();
    let delivered = dialogue(&server, &mut c, &maildir);
    let mut truth = BTreeMap::new();
    c.ok("SELECT INBOX");
    for line in c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") {
        let uid = line
            .split("UID ")
            .nth(1)
            .unwrap()
            .split([' ', ')'])
            .next()
            .unwrap();
        truth.insert(uid.parse().unwrap(), subject_in(&line));
    }
    drop(c);
    let mut server = server;
    server.terminate();
    server.wait();
    let text = std::fs::read(&log).unwrap();
    let steps = trace::parse(
        &String::from_utf8_lossy(&text),
        maildir.path().to_str().unwrap(),
    );
    let deliveries = delivered
        .into_iter()
        .map(|name| {
            let path = maildir.find("INBOX", &name).unwrap();
            (format!("new/{name}"), std::fs::read(path).unwrap())
        })
        .collect();
    Run {
        steps,
        start,
        deliveries,
        truth,
        replaces: false,
        expunged: BTreeSet::new(),
    }
}

fn subject_in(line: &str) -> String {
    line.split("Subject: ")
        .nth(1)
        .unwrap()
        .split('\r')
        .next()
        .unwrap()
        .to_owned()
}

/// Every state that a crash may leave, with the most that had been told when it could.
fn states(run: &Run, syncs: bool) -> HashMap<Tree, (usize, Told)> {
    let mut disk = Disk::new(&run.start, run.deliveries.clone());
    let mut told = Told::default();
    let mut states = HashMap::new();
    for (at, step) in run.steps.iter().enumerate() {
        if let Step::Say { bytes, .. } = step {
            told.hear(&String::from_utf8_lossy(bytes));
        }
        if matches!(step, Step::Sync { .. }) && !syncs {
            continue;
        }
        let changed = disk.take(step);
        if changed || matches!(step, Step::Say { .. }) {
            for tree in disk.crashes() {
                states.insert(settled(tree), (at, told.clone()));
            }
        }
    }
    assert!(
        disk.unknown.is_empty(),
        "calls the model does not know: {:#?}",
        disk.unknown
    );
    states
}

/// Dovecot's index files are left out: they are written by mmap, which no trace shows, and may be lost. A
/// lock is shown as of a process that is gone (no process has that number): an empty one would be waited
/// for, as Dovecot's rules want it, for two minutes, and then be the same.
fn settled(mut tree: Tree) -> Tree {
    for (path, content) in &mut tree {
        if path.ends_with(".lock") {
            let host = rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned();
            *content = Some(format!("4194304:{host}").into_bytes());
        }
    }
    tree.retain(|path, _| !path.contains("dovecot.index") && !path.contains("dovecot.list.index"));
    tree
}

/// Opens one state with the real server and says what is wrong with it.
fn fault(tree: &Tree, told: &Told, run: &Run) -> Option<String> {
    let truth = &run.truth;
    let maildir = Arc::new(Maildir::absent());
    lay_out(maildir.path(), tree);
    let server = Server::on(&maildir);
    let mut c = server.client();
    let lines = c.ok("SELECT INBOX");
    let code = |word: &str| -> u64 {
        let line = lines
            .iter()
            .find_map(|line| line.strip_prefix(&format!("* OK [{word} ")));
        line.unwrap().trim_end_matches(']').parse().unwrap()
    };
    if told
        .validity
        .is_some_and(|validity| u64::from(validity) != code("UIDVALIDITY"))
    {
        return Some(format!(
            "UIDVALIDITY was {:?}, is {}",
            told.validity,
            code("UIDVALIDITY")
        ));
    }
    if code("UIDNEXT") < u64::from(told.next) {
        return Some(format!("UIDNEXT was {}, is {}", told.next, code("UIDNEXT")));
    }
    if told.modseq > 0 {
        // Whatever the clock says then.
        if floor(tree) <= told.modseq {
            return Some(format!(
                "{} was told, the floor is {}",
                told.modseq,
                floor(tree)
            ));
        }
        if code("HIGHESTMODSEQ") < told.modseq {
            let (was, is) = (told.modseq, code("HIGHESTMODSEQ"));
            return Some(format!("HIGHESTMODSEQ was {was}, is {is}"));
        }
        // What the client is not told as changed is as it was told.
        for line in c.ok("UID FETCH 1:* (FLAGS MODSEQ)") {
            let Some(uid) = uid_in(&line) else { continue };
            let known = told.seen.get(&uid);
            if modseq_in(&line) <= told.modseq
                && known.is_some_and(|known| *known != flags_in(&line))
            {
                return Some(format!("UID {uid} was {known:?}, is {line}"));
            }
        }
    }
    let mut found = BTreeMap::new();
    let mut subjects = BTreeSet::new();
    let reply = c.run("UID FETCH 1:* (FLAGS BODY.PEEK[])");
    for line in &reply.untagged {
        let text = String::from_utf8_lossy(line).into_owned();
        if !text.contains("BODY[] {") {
            return Some(format!("an empty or unreadable message: {text:.200}"));
        }
        let body = String::from_utf8_lossy(literal(line)).into_owned();
        let uid: u32 = text
            .split("UID ")
            .nth(1)
            .unwrap()
            .split([' ', ')'])
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let Some(subject) = body.contains("Subject: ").then(|| subject_in(&body)) else {
            return Some(format!("UID {uid} is half a message: {body:?}"));
        };
        if body != message(&subject) {
            return Some(format!("UID {uid} is not whole: {body:?}"));
        }
        if !subjects.insert(subject.clone()) {
            return Some(format!("{subject} is there twice"));
        }
        if told.flagged.contains(&uid) && !text.contains("\\Flagged") {
            return Some(format!("UID {uid} has lost its flag"));
        }
        if told.beyond && !text.contains(BEYOND) {
            return Some(format!("UID {uid} has lost its keyword"));
        }
        found.insert(uid, subject);
    }
    for uid in told.uids.difference(&told.gone) {
        if run.expunged.contains(uid) || run.replaces && found.keys().any(|there| there >= uid) {
            continue;
        }
        if found.get(uid) != truth.get(uid) {
            return Some(format!(
                "UID {uid} was {:?}, is {:?}",
                truth.get(uid),
                found.get(uid)
            ));
        }
    }
    let next = c.append("INBOX", "", &message("after the crash"));
    if told.uids.last().is_some_and(|last| next <= *last) || next < told.next {
        return Some(format!("UID {next} is used again"));
    }
    None
}

/// What the uidlist has for all mod-sequences that may have been told to be below.
fn floor(tree: &Tree) -> u64 {
    let list = tree.get("dovecot-uidlist").and_then(Option::as_ref);
    let list = String::from_utf8_lossy(list.map_or(b"", Vec::as_slice));
    let fields = list.lines().next().unwrap_or_default().split(' ');
    let floor = fields.filter_map(|field| field.strip_prefix('M')?.parse().ok());
    floor.max().unwrap_or(0)
}

/// Checks all states of a run, on a few threads; gives the faults found.
fn faults(run: &Run, syncs: bool, stop_at_first: bool) -> Vec<String> {
    let mut states: Vec<_> = states(run, syncs).into_iter().collect();
    states.sort_by_key(|(_, (at, _))| *at);
    if stop_at_first {
        states.reverse();
    }
    println!(
        "{} steps, {} states after a crash",
        run.steps.len(),
        states.len()
    );
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((tree, (at, told))) = states.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop_at_first && !found.lock().unwrap().is_empty() {
                        return;
                    }
                    let seen = catch_unwind(AssertUnwindSafe(|| fault(tree, told, run)));
                    let fault = seen.unwrap_or_else(|_| Some("it cannot be read".to_owned()));
                    if let Some(fault) = fault {
                        let names: Vec<String> = tree
                            .iter()
                            .map(|(path, bytes)| match bytes {
                                Some(bytes) if path.starts_with("dovecot") || path.starts_with("culver") => {
                                    format!("{path}: {:?}", String::from_utf8_lossy(bytes))
                                }
                                Some(bytes) => format!("{path} ({} octets)", bytes.len()),
                                None => format!("{path}/"),
                            })
                            .collect();
                        let steps: Vec<String> = run.steps[at.saturating_sub(12)..=*at]
                            .iter()
                            .map(|step| format!("{:.160}", format!("{step:?}")))
                            .collect();
                        found.lock().unwrap().push(format!(
                            "{fault}\n  after step {at}, having told {told:?}\n  left: {names:#?}\n  last steps: {steps:#?}"
                        ));
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[track_caller]
fn survives(run: &Run) {
    let faults = faults(run, true, false);
    if Kind::chosen() == Kind::Dovecot {
        // It does not sync the directory of a new uidlist, so a UIDVALIDITY already told may be lost.
        println!("Dovecot: {} faults", faults.len());
        return;
    }
    assert!(
        faults.is_empty(),
        "{} faults; the first:\n{}",
        faults.len(),
        faults[0]
    );
}

fn tree_of(root: &Path) -> Tree {
    fn walk(dir: &Path, root: &Path, tree: &mut Tree) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                tree.insert(name, None);
                walk(&path, root, tree);
            } else {
                tree.insert(name, Some(std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut tree = Tree::new();
    walk(root, root, &mut tree);
    tree
}

fn lay_out(root: &Path, tree: &Tree) {
    std::fs::create_dir(root).unwrap();
    own(root);
    for (name, content) in tree {
        let path = root.join(name);
        match content {
            None => std::fs::create_dir(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        if name.ends_with(".lock") {
            let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
            std::fs::File::open(&path)
                .unwrap()
                .set_modified(before)
                .unwrap();
        }
        own(&path);
    }
}

/// APPENDs with and without flags and keywords, and what a client then asks.
fn appends() -> Run {
    record(|_, c, _| {
        c.append("INBOX", "", &message("one"));
        c.append("INBOX", "(\\Seen) ", &message("two"));
        c.ok("STATUS INBOX (UIDNEXT UIDVALIDITY)");
        c.append("INBOX", "(kw) ", &message("three"));
        Vec::new()
    })
}

#[test]
fn a_power_cut_during_append_loses_nothing_acknowledged() {
    if have("strace") {
        survives(&appends());
    }
}

#[test]
fn a_power_cut_after_a_delivery_takes_no_uid_back() {
    if !have("strace") {
        return;
    }
    survives(&record(|_, c, maildir| {
        c.ok("SELECT INBOX");
        let mut names = Vec::new();
        for (at, subject) in ["one", "two", "three"].iter().enumerate() {
            names.push(maildir.deliver("INBOX", &message(subject)));
            c.idle_until(&[&format!("* {} EXISTS", at + 1)]);
            c.ok(&format!("FETCH {} (UID)", at + 1));
        }
        names
    }));
}

#[test]
fn a_power_cut_during_store_keeps_what_was_answered() {
    if !have("strace") {
        return;
    }
    survives(&record(|_, c, _| {
        c.append("INBOX", "", &message("one"));
        c.append("INBOX", "", &message("two"));
        c.ok("SELECT INBOX");
        c.ok("UID STORE 1 +FLAGS (\\Flagged)");
        c.ok("UID STORE 1:2 +FLAGS (\\Flagged kw)");
        Vec::new()
    }));
}

/// A keyword that no file name tells is as safe as those that are told by one, also while its message gets another name.
#[test]
fn a_power_cut_takes_no_keyword_beyond_the_letters() {
    if !have("strace") || Kind::chosen() == Kind::Dovecot {
        return;
    }
    let mut run = record(|_, c, _| {
        let letters: Vec<String> = (0..26).map(|number| format!("kw{number}")).collect();
        c.append("INBOX", "", &message("one"));
        c.ok("SELECT INBOX");
        c.ok(&format!("STORE 1 FLAGS.SILENT ({})", letters.join(" ")));
        c.ok(&format!("UID STORE 1 FLAGS ({BEYOND})"));
        c.ok("UID STORE 1 +FLAGS (another)");
        c.ok("UID MOVE 1 INBOX");
        c.ok("UID STORE 2 +FLAGS (third \\Flagged)");
        Vec::new()
    });
    run.expunged.insert(1);
    survives(&run);
}

#[test]
fn a_power_cut_takes_no_mod_sequence_back() {
    if !have("strace") || Kind::chosen() == Kind::Dovecot {
        return;
    }
    let mut run = record(|_, c, _| {
        c.append("INBOX", "", &message("one"));
        c.append("INBOX", "", &message("two"));
        c.ok("ENABLE QRESYNC");
        c.ok("SELECT INBOX");
        c.ok("FETCH 1:* (FLAGS)");
        c.ok("UID STORE 1 +FLAGS (\\Flagged)");
        c.ok("UID STORE 1:2 +FLAGS (kw \\Deleted)");
        c.ok("UID EXPUNGE 2");
        c.ok("UID STORE 1 -FLAGS (\\Deleted)");
        Vec::new()
    });
    run.expunged.insert(2);
    survives(&run);
}

/// RFC 8508: at any moment the old message is there, or the new one.
#[test]
fn a_power_cut_during_replace_never_takes_both() {
    if !have("strace") || Kind::chosen() == Kind::Dovecot {
        return;
    }
    let mut run = record(|_, c, _| {
        c.append("INBOX", "(\\Seen) ", &message("one"));
        c.ok("SELECT INBOX");
        for (uid, subject, flags) in [
            (1, "two", "(\\Draft) "),
            (2, "three", ""),
            (3, "four", "(kw) "),
        ] {
            let text = message(subject);
            let size = text.len();
            c.ok(&format!(
                "UID REPLACE {uid} INBOX {flags}{{{size}}}\r\n{text}"
            ));
        }
        Vec::new()
    });
    run.replaces = true;
    survives(&run);
}

/// The same replay with every fsync left out of the trace must find losses: so the check can see them.
#[test]
fn the_check_sees_what_a_missing_fsync_loses() {
    if !have("strace") {
        return;
    }
    let faults = faults(&appends(), false, true);
    assert!(!faults.is_empty(), "without any fsync nothing was lost");
}
