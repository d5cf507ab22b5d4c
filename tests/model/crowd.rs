//! Sessions that work at once, with other programs beside them, and a server that may be killed under them.
//!
//! The order of what they do is open, so the model is that of each message: every client, and who works on the files,
//! has messages of its own, which nobody else changes; only what is marked `\Deleted` goes at anybody's EXPUNGE. Between
//! rounds all stand still: every picture is what is there, and what is there is what the owners were told. Of what was
//! cut off, either outcome is right.

mod member;
mod owner;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hands;
use crate::harness::{Chance, Client, Maildir, PATIENCE, Server};
use crate::picture::Flags;
use crate::session::{Act, Command, Kind, Rule, Session, print_last};
use crate::steps::{BOXES, SESSIONS};
use member::Member;
use owner::{Effect, Owner, work_on_files};

/// What is there: by UID, the flags and the mark.
type There = BTreeMap<u32, (Flags, String)>;

pub struct Crowd {
    seed: u64,
    maildir: Arc<Maildir>,
    server: Option<Server>,
    members: Vec<Member>,
    hands: Owner,
    /// What it did.
    acts: Session,
    /// The base names of the messages that it has delivered, by mark.
    bases: BTreeMap<String, String>,
    chance: Chance,
    /// Which message each UID has ever named, and whether it is gone.
    history: BTreeMap<(usize, u32), (String, bool)>,
    rounds: u64,
    kills: u64,
    slowest: Duration,
}

impl Crowd {
    pub fn new(seed: u64) -> Crowd {
        let maildir = Arc::new(Maildir::new());
        let server = Server::on(&maildir);
        let mut first = server.client();
        for name in &BOXES[1..] {
            first.ok(&format!("CREATE {name}"));
        }
        for name in BOXES {
            hands::take_letters(&maildir, name);
        }
        let member = |at: usize| Member {
            session: Session::new(format!("s{at}")),
            owner: Owner::new(format!("c{at}"), seed * 100 + at as u64),
        };
        Crowd {
            seed,
            maildir,
            server: Some(server),
            members: (0..SESSIONS).map(member).collect(),
            hands: Owner::new("h".to_owned(), seed * 100 + 99),
            acts: Session::new("hands".to_owned()),
            bases: BTreeMap::new(),
            chance: Chance::new(seed),
            history: BTreeMap::new(),
            rounds: 0,
            kills: 0,
            slowest: Duration::ZERO,
        }
    }

    /// All work for so long; then all stand still, or the server is killed.
    pub fn round(&mut self, length: Duration, kills: bool) {
        self.rounds += 1;
        let until = Instant::now() + length;
        let server = self.server.take().unwrap();
        let (maildir, hands, bases) = (&self.maildir, &mut self.hands, &mut self.bases);
        let acts = &mut self.acts;
        let members = &mut self.members;
        let outcomes: Vec<Rule> = std::thread::scope(|scope| {
            let server = &server;
            // With a limit, for a server that is killed ends them sooner.
            let end = if kills { until + PATIENCE } else { until };
            let threads: Vec<_> = members
                .iter_mut()
                .map(|member| scope.spawn(move || member.work(server, end, kills)))
                .collect();
            let others = scope.spawn(move || work_on_files(hands, bases, acts, maildir, until));
            if kills {
                while let Some(left) = until.checked_duration_since(Instant::now()) {
                    std::thread::park_timeout(left);
                }
                let pid = rustix::process::Pid::from_raw(server.pid() as i32).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
            others.join().unwrap();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let mut outcome: Rule = outcomes.into_iter().collect();
        if kills {
            self.kills += 1;
            server.kill();
            let begun = Instant::now();
            let server = Server::on(&self.maildir);
            self.slowest = self.slowest.max(begun.elapsed());
            self.server = Some(server);
        } else {
            let log = server.log();
            self.server = Some(server);
            if log.contains("panicked") || log.contains("ERROR") {
                outcome = outcome.and(Err("an error in the log".into()));
            }
        }
        let outcome = outcome.and_then(|()| self.compare());
        if let Err(rule) = outcome {
            panic!("round {} of seed {}: {rule}", self.rounds, self.seed);
        }
    }

    /// All stand still.
    fn compare(&mut self) -> Rule {
        let server = self.server.as_ref().unwrap();
        let mut watcher = server.client();
        let end = Instant::now() + PATIENCE;
        let there = loop {
            let there: Vec<There> = (0..BOXES.len()).map(|at| look(&mut watcher, at)).collect();
            let owners = self.members.iter().map(|member| &member.owner);
            let mut owners = owners.chain([&self.hands]);
            match owners.try_for_each(|owner| owner.compare(&there)) {
                Ok(()) => break there,
                Err(rule) if Instant::now() > end => return Err(rule),
                Err(_) => std::thread::park_timeout(Duration::from_millis(2)),
            }
        };
        let owners = self.members.iter_mut().map(|member| &mut member.owner);
        for owner in owners.chain([&mut self.hands]) {
            owner.settle(&there);
        }
        self.remember(&there)?;
        // Whose they are.
        for (at, box_) in there.iter().enumerate() {
            for (uid, (_, mark)) in box_ {
                let owners = self.members.iter().map(|member| &member.owner);
                let mut owners = owners.chain([&self.hands]);
                if !owners.any(|owner| owner.has(mark, at)) {
                    return Err(format!("{mark}, UID {uid} of {}, is nobody's", BOXES[at]));
                }
            }
        }
        for (at, name) in BOXES.iter().enumerate() {
            let told = watcher.ok(&format!("STATUS {name} (HIGHESTMODSEQ)"));
            let mut told = told.iter().filter(|line| line.starts_with("* STATUS "));
            let told = told.find_map(|line| line.split_once("HIGHESTMODSEQ "));
            let now: u64 = told.unwrap().1.trim_end_matches(')').parse().unwrap();
            for member in &self.members {
                let highest = member.session.highest.get(&at).copied().unwrap_or(0);
                if highest > now {
                    let who = &member.session.name;
                    return Err(format!("{who} was told {highest} of {name}, it is {now}"));
                }
            }
        }
        // Each client hears what it lacks, those that were away by QRESYNC.
        for member in &mut self.members {
            if member.session.client.is_none() {
                let server = self.server.as_ref().unwrap();
                member.session.connect(server, Kind::Qresync, false)?;
            }
            let command = match member.session.selected {
                Some(_) => Command {
                    text: "NOOP".into(),
                    by_uid: true,
                    act: Act::News,
                },
                None => member.open(),
            };
            member.perform(&[(command, Effect::Nothing)], false)?;
            while let Some(command) = member.session.learn() {
                member.perform(&[(command, Effect::Nothing)], false)?;
            }
            let (at, _) = member.session.selected.unwrap();
            let entries = member.session.picture.entries.iter();
            let believed: There = entries
                .filter_map(|one| Some((one.uid?, (one.flags.clone()?, one.mark.clone()?))))
                .collect();
            if believed != there[at] {
                let who = &member.session.name;
                let differ = |(uid, one): &(&u32, &(Flags, String)), other: &There| {
                    other.get(uid) != Some(*one)
                };
                let wrong: Vec<_> = believed
                    .iter()
                    .filter(|one| differ(one, &there[at]))
                    .collect();
                let right: Vec<_> = there[at]
                    .iter()
                    .filter(|one| differ(one, &believed))
                    .collect();
                return Err(format!(
                    "{who} believes of {}: {wrong:?}, and there is {right:?}",
                    BOXES[at]
                ));
            }
        }
        Ok(())
    }

    /// A UID names one message, and comes never again.
    fn remember(&mut self, there: &[There]) -> Rule {
        for ((at, uid), (_, gone)) in &mut self.history {
            *gone |= !there[*at].contains_key(uid);
        }
        for (at, box_) in there.iter().enumerate() {
            for (uid, (_, mark)) in box_ {
                let known = self.history.entry((at, *uid));
                let (known, gone) = known.or_insert_with(|| (mark.clone(), false));
                if known != mark || *gone {
                    let name = BOXES[at];
                    return Err(format!(
                        "UID {uid} of {name} is {mark}; it was {known}, gone: {gone}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What happened.
    pub fn told(&self) -> String {
        let messages = self.history.len();
        let Crowd {
            rounds,
            kills,
            slowest,
            ..
        } = self;
        format!("{rounds} rounds, {kills} kills, {messages} UIDs, slowest start {slowest:.1?}")
    }

    /// How long the next round is: up to so many milliseconds.
    pub fn length(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.chance.below(most * 1000))
    }
}

fn look(c: &mut Client, mailbox: usize) -> There {
    let told = c.ok(&format!("EXAMINE {}", BOXES[mailbox]));
    if told.contains(&"* 0 EXISTS".to_owned()) {
        return There::new();
    }
    let told = c.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    let message = |line: &String| {
        let flags = line.split_once("FLAGS (")?.1.split_once(')')?.0;
        let flags = flags.split_whitespace().filter(|flag| *flag != "\\Recent");
        let mark = line.split_once("Subject: ")?.1.split('\r').next()?;
        let uid = line.split_once("UID ")?.1;
        let uid = uid.split([' ', ')']).next()?.parse().ok()?;
        Some((uid, (flags.map(str::to_owned).collect(), mark.to_owned())))
    };
    told.iter().filter_map(message).collect()
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let sessions = self.members.iter().map(|member| &member.session);
            print_last(sessions.chain([&self.acts]), 400);
            eprintln!("CULVER_TEST_SEED={}", self.seed);
        }
    }
}
