//! Sessions one after another: each step a command or a few, or other programs at work, or an end of a connection or of
//! the server; after each the pictures are the model's.

mod choice;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::account::Mailbox;
use super::hands;
use super::picture::Flags;
use super::session::{Act, Command, Kind, Rule, Session, print_last};
use crate::harness::{Chance, Client, Maildir, PATIENCE, Server};

pub const SESSIONS: usize = 8;
pub const BOXES: [&str; 3] = ["INBOX", "Archive", "Work"];
pub const SYSTEM: [&str; 5] = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted"];
/// More than there are letters for: see [`hands::take_letters`].
pub const KEYWORDS: [&str; 12] = [
    "Work",
    "$Forwarded",
    "$Junk",
    "later",
    "Project-X",
    "$Label1",
    "$Label2",
    "todo",
    "a.b",
    "$MDNSent",
    "NonJunk",
    "x",
];

/// A mailbox with more messages is emptied rather than filled.
const MANY: usize = 50;

/// After so many steps everything is compared.
const CHECKPOINT: u64 = 100;

/// How often LIST-STATUS is asked after that.
const SURVEYS: usize = 6;

/// How often, in 100,000 steps, the server is stopped and started anew.
pub struct Chances {
    pub restarts: u64,
    /// Files that may be deleted are.
    pub forgets: bool,
}

pub struct World {
    seed: u64,
    maildir: Arc<Maildir>,
    server: Option<Server>,
    watcher: Option<Client>,
    account: Vec<Mailbox>,
    sessions: Vec<Session>,
    chance: Chance,
    chances: Chances,
    pub steps: u64,
    marks: u64,
    pub told: Told,
}

/// What happened, to be printed.
#[derive(Debug, Default)]
pub struct Told {
    commands: u64,
    resyncs: u64,
    disconnects: u64,
    lost_answers: u64,
    hands: u64,
    restarts: u64,
    checkpoints: u64,
}

impl World {
    pub fn new(seed: u64, chances: Chances) -> World {
        let maildir = Arc::new(Maildir::new());
        let server = Server::on(&maildir);
        let mut first = server.client();
        for name in &BOXES[1..] {
            first.ok(&format!("CREATE {name}"));
        }
        for name in BOXES {
            hands::take_letters(&maildir, name);
        }
        World {
            seed,
            maildir,
            server: Some(server),
            watcher: None,
            account: BOXES.into_iter().map(Mailbox::new).collect(),
            sessions: (0..SESSIONS)
                .map(|at| Session::new(format!("s{at}")))
                .collect(),
            chance: Chance::new(seed),
            chances,
            steps: 0,
            marks: 0,
            told: Told::default(),
        }
    }

    pub fn run(&mut self, steps: u64, until: Instant) {
        while self.steps < steps && Instant::now() < until {
            self.steps += 1;
            if let Err(rule) = self.step() {
                panic!("step {} of seed {}: {rule}", self.steps, self.seed);
            }
        }
        if let Err(rule) = self.compare_all() {
            panic!("after step {} of seed {}: {rule}", self.steps, self.seed);
        }
        let log = self.server.as_ref().unwrap().log();
        for bad in ["ERROR", "panicked"] {
            assert!(!log.contains(bad), "{bad} in the log");
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.chance.below(limit.max(1) as u64) as usize
    }

    fn percent(&mut self, share: u64) -> bool {
        self.chance.below(100) < share
    }

    fn step(&mut self) -> Rule {
        if self.chance.below(100_000) < self.chances.restarts {
            return self.restart();
        }
        if self.steps.is_multiple_of(CHECKPOINT) {
            return self.compare_all();
        }
        if self.percent(12) {
            return self.foreign();
        }
        let who = self.below(SESSIONS);
        if self.sessions[who].client.is_none() {
            let kind = match self.below(10) {
                0..6 => Kind::Qresync,
                6..8 => Kind::Condstore,
                _ => Kind::Plain,
            };
            let server = self.server.as_ref().unwrap();
            return self.sessions[who].connect(server, kind, false).map(drop);
        }
        if self.sessions[who].idling.is_some() {
            let waits = self.percent(50);
            self.sessions[who].done(&mut self.account, waits)?;
            return self.learn(who);
        }
        match self.below(100) {
            0..2 => {
                self.told.disconnects += 1;
                self.sessions[who].disconnect();
                Ok(())
            }
            2..4 => self.lose(who),
            4..9 if self.sessions[who].selected.is_some() => self.sessions[who].idle(),
            9..16 => self.burst(who),
            _ => {
                let command = self.command(who, false);
                self.run_all(who, &[command])
            }
        }
    }

    /// Several commands at once.
    fn burst(&mut self, who: usize) -> Rule {
        let mut commands = Vec::new();
        for _ in 0..2 + self.below(3) {
            let command = self.command(who, true);
            if !matches!(command.act, Act::Open { .. } | Act::Close | Act::Unselect) {
                commands.push(command);
            }
        }
        self.run_all(who, &commands)
    }

    fn run_all(&mut self, who: usize, commands: &[Command]) -> Rule {
        self.told.commands += commands.len() as u64;
        let session = &mut self.sessions[who];
        session.send(commands);
        for command in commands {
            if matches!(command.act, Act::Open { since: Some(_), .. }) {
                self.told.resyncs += 1;
            }
            session.answer(command, &mut self.account)?;
        }
        self.learn(who)
    }

    /// Asks for what was not told unasked.
    fn learn(&mut self, who: usize) -> Rule {
        let session = &mut self.sessions[who];
        if let Some(command) = session.learn() {
            session.send(std::slice::from_ref(&command));
            session.answer(&command, &mut self.account)?;
            session.check_what_is_there(&mut self.account)?;
        }
        Ok(())
    }

    /// A command is carried out, but the client hears little of it, and not the end.
    fn lose(&mut self, who: usize) -> Rule {
        let command = self.command(who, true);
        let here = self.sessions[who].selected.map(|(at, _)| at);
        let is_there = |uids: &BTreeSet<u32>| {
            let known = here.map(|at| &self.account[at].messages);
            uids.iter()
                .all(|uid| known.is_some_and(|known| known.contains_key(uid)))
        };
        let is_sure = match &command.act {
            Act::Store {
                uids, unchanged, ..
            } => unchanged.is_none() && is_there(uids),
            Act::Copy { uids, .. } => is_there(uids),
            Act::Fetch { seen, .. } => !seen,
            _ => true,
        };
        let read_only = self.sessions[who].selected.is_some_and(|(_, only)| only);
        let writes = matches!(
            command.act,
            Act::Store { .. } | Act::Expunge(_) | Act::Copy { moves: true, .. }
        );
        if !is_sure || matches!(command.act, Act::Open { .. }) {
            return Ok(());
        }
        self.told.lost_answers += 1;
        self.told.disconnects += 1;
        let heard = self.below(4);
        let session = &mut self.sessions[who];
        session.lose(&command, heard)?;
        if !(writes && read_only) {
            session.apply(&command, true, None, &mut self.account)?;
        }
        if let Some((at, _)) = session.selected {
            let mailbox = &mut self.account[at];
            mailbox.highest = mailbox.highest.max(session.picture.highest());
        }
        session.disconnect();
        Ok(())
    }

    /// Other programs; then it is waited for until the server shows what they did.
    fn foreign(&mut self) -> Rule {
        let at = self.below(BOXES.len());
        self.hands(at)?;
        for at in 0..BOXES.len() {
            self.watch(at)?;
        }
        Ok(())
    }

    /// What they do to a mailbox. What has come is in the model with the UIDs that it must get.
    fn hands(&mut self, at: usize) -> Rule {
        self.told.hands += 1;
        let name = BOXES[at];
        let uids: Vec<u32> = self.account[at].messages.keys().copied().collect();
        let what = self.below(100);
        if uids.is_empty() || (what < 30 && uids.len() < MANY) {
            let (mark, how) = (self.mark(), self.chance.below(4));
            let (_, flags) = hands::deliver(&self.maildir, name, &mark, how);
            let uid = self.account[at].add(&mark, flags);
            self.note(&format!("-- {mark} was delivered to {name}, UID {uid}"));
            return Ok(());
        }
        let uid = uids[self.below(uids.len())];
        match what {
            0..65 => {
                let table = hands::keywords(&self.maildir, name);
                let is_in_name =
                    |flag: &String| flag.starts_with('\\') || table.values().any(|one| one == flag);
                let mut flags = self.flags(true);
                flags.retain(is_in_name);
                let by_link = self.percent(20);
                hands::reflag(&self.maildir, name, uid, &flags, by_link);
                self.note(&format!("-- UID {uid} of {name} was renamed: {flags:?}"));
                let others = self.account[at].messages[&uid].flags.iter();
                flags.extend(others.filter(|flag| !is_in_name(flag)).cloned());
                self.account[at].store(uid, '=', &flags);
            }
            65..85 => {
                hands::remove(&self.maildir, name, uid);
                self.note(&format!("-- UID {uid} of {name} was removed"));
                self.account[at].remove(uid);
            }
            _ => {
                let to = (at + 1 + self.below(BOXES.len() - 1)) % BOXES.len();
                let message = self.account[at].messages[&uid].clone();
                let has_keywords = message.flags.iter().any(|flag| !flag.starts_with('\\'));
                // Where nobody knows that it was there and told as gone, its old UID would be its own again. Nobody does
                // before the mailboxes are watched again.
                let fresh = self.watcher.is_none() && self.chances.forgets;
                let as_new = has_keywords || self.percent(30);
                let carried = hands::carry(&self.maildir, name, uid, BOXES[to], as_new, fresh);
                if let Some(base) = carried {
                    let mut flags = if as_new { Flags::new() } else { message.flags };
                    // It may have been there before.
                    flags.extend(hands::extras(&self.maildir, BOXES[to], &base));
                    self.account[at].remove(uid);
                    let new = self.account[to].add(&message.mark, flags);
                    let to = BOXES[to];
                    self.note(&format!(
                        "-- UID {uid} of {name} was moved to {to}, UID {new}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, line: &str) {
        self.sessions[0].note(line);
    }

    /// Looks at a mailbox until it is as the model has it.
    fn watch(&mut self, at: usize) -> Rule {
        let end = Instant::now() + PATIENCE;
        let server = self.server.as_ref().unwrap();
        let watcher = self.watcher.get_or_insert_with(|| server.client());
        let mailbox = &self.account[at];
        let expected: Vec<String> = mailbox
            .messages
            .iter()
            .map(|(uid, one)| {
                let flags: Vec<&str> = one.flags.iter().map(String::as_str).collect();
                format!("{uid} {}", flags.join(" "))
            })
            .collect();
        loop {
            watcher.ok(&format!("EXAMINE {}", mailbox.name));
            let told: Vec<String> = match expected.is_empty() {
                true => watcher.ok("UID SEARCH ALL"),
                false => watcher.ok("UID FETCH 1:* (UID FLAGS)"),
            };
            let told: Vec<String> = told.iter().filter_map(|line| as_expected(line)).collect();
            if told == expected {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!(
                    "{} is\n{told:#?}\nand not\n{expected:#?}",
                    mailbox.name
                ));
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Every session's picture, STATUS, and the files.
    fn compare_all(&mut self) -> Rule {
        self.told.checkpoints += 1;
        for who in 0..SESSIONS {
            self.sessions[who].done(&mut self.account, true)?;
            self.learn(who)?;
            if self.sessions[who].client.is_none() {
                continue;
            }
            let command = match self.sessions[who].selected {
                Some(_) => Command {
                    text: "NOOP".into(),
                    by_uid: false,
                    act: Act::News,
                },
                None => self.status(),
            };
            self.run_all(who, &[command])?;
        }
        for at in 0..BOXES.len() {
            self.watch(at)?;
            hands::compare(&self.maildir, &self.account[at])?;
        }
        Ok(())
    }

    /// The server ends and begins anew; other programs are at work meanwhile, and what may be deleted may be.
    fn restart(&mut self) -> Rule {
        self.told.restarts += 1;
        for session in &mut self.sessions {
            if session.client.is_some() {
                self.told.disconnects += 1;
                session.disconnect();
            }
        }
        self.watcher = None;
        self.server.take().unwrap().stop();
        self.note("-- the server has stopped");
        if self.chances.forgets {
            self.maildir.forget_caches();
            self.account.iter_mut().for_each(Mailbox::forget);
        }
        if self.percent(50) {
            let at = self.below(BOXES.len());
            self.hands(at)?;
        }
        self.server = Some(Server::on(&self.maildir));
        // Nobody has any mailbox open: they are opened, and what is found is noted for the next time.
        for _ in 0..SURVEYS {
            self.survey()?;
            if self.percent(30) {
                let at = self.below(BOXES.len());
                self.hands(at)?;
            }
        }
        for at in 0..BOXES.len() {
            self.watch(at)?;
        }
        Ok(())
    }

    /// What LIST-STATUS tells of mailboxes that nobody has open.
    fn survey(&mut self) -> Rule {
        let end = Instant::now() + PATIENCE;
        let expected: Vec<String> = BOXES
            .iter()
            .zip(&self.account)
            .map(|(name, mailbox)| {
                let lacks = |flag: &str| {
                    let all = mailbox.messages.values();
                    all.filter(|one| !one.flags.contains(flag)).count()
                };
                let count = mailbox.messages.len();
                let (unseen, deleted) = (lacks("\\Seen"), count - lacks("\\Deleted"));
                format!("* STATUS {name} (MESSAGES {count} UNSEEN {unseen} DELETED {deleted})")
            })
            .collect();
        let mut client = self.server.as_ref().unwrap().client();
        loop {
            let told = client.ok("LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN DELETED))");
            if expected.iter().all(|line| told.contains(line)) {
                break;
            }
            if Instant::now() > end {
                return Err(format!("{told:#?}\nand not\n{expected:#?}"));
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        client.ok("LOGOUT");
        Ok(())
    }
}

/// `* 3 FETCH (FLAGS (\Seen) UID 7)` as `7 \Seen`.
fn as_expected(line: &str) -> Option<String> {
    let (_, items) = line.split_once(" FETCH (FLAGS (")?;
    let (flags, uid) = items.split_once(") UID ")?;
    let flags: Flags = flags.split_whitespace().map(str::to_owned).collect();
    let flags: Vec<&str> = flags
        .iter()
        .map(String::as_str)
        .filter(|one| *one != "\\Recent")
        .collect();
    Some(format!("{} {}", uid.trim_end_matches(')'), flags.join(" ")))
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        print_last(self.sessions.iter(), 120);
        eprintln!("CULVER_TEST_SEED={}", self.seed);
    }
}
