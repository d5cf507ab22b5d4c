//! Sessions that work at once, with other programs beside them, and a server that may be killed under them.
//!
//! The order of what they do is open, so the model is that of each message: every client, and who works on the files,
//! has messages of its own, which nobody else changes; only what is marked `\Deleted` goes at anybody's EXPUNGE. Between
//! rounds all stand still: every picture is what is there, and what is there is what the owners were told. Of what was
//! cut off, either outcome is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hands;
use super::picture::{Flags, change, list, set};
use super::session::{Act, Command, Key as Sought, Kind, Rule, Session, print_last};
use super::steps::{BOXES, KEYWORDS, SESSIONS, SYSTEM};
use crate::harness::{Chance, Client, Maildir, PATIENCE, Server, message};

/// A message's mark, and the mailbox that it is in.
type Key = (String, usize);

/// How many messages an owner has at most.
const OWN: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    flags: Flags,
    /// As it was told to its owner.
    uid: Option<u32>,
}

impl Own {
    fn may_be_gone(&self) -> bool {
        self.flags.contains("\\Deleted")
    }
}

/// What became of messages in one outcome of a command: `None` where one is not there.
type Outcome = Vec<(Key, Option<Own>)>;

#[derive(Clone, Debug)]
enum Effect {
    Nothing,
    Append(Key, Flags),
    Store(Vec<Key>, char, Flags),
    Copy(Key, usize),
    Move(Key, usize),
    Gone(Vec<Key>),
}

/// A client, or who works on the files.
struct Owner {
    own: BTreeMap<Key, Own>,
    /// Of each, one has come true.
    doubts: Vec<[Outcome; 2]>,
    chance: Chance,
    marks: u64,
    name: String,
}

impl Owner {
    fn new(name: String, seed: u64) -> Owner {
        Owner {
            own: BTreeMap::new(),
            doubts: Vec::new(),
            chance: Chance::new(seed),
            marks: 0,
            name,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.chance.below(limit.max(1) as u64) as usize
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("{}n{}", self.name, self.marks)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::new();
        for _ in 0..self.below(3) {
            let flag = match self.below(3) {
                0 => KEYWORDS[self.below(KEYWORDS.len())],
                _ => SYSTEM[self.below(SYSTEM.len() - 1)],
            };
            flags.insert(flag.to_owned());
        }
        flags
    }

    fn has(&self, mark: &str, mailbox: usize) -> bool {
        self.own.contains_key(&(mark.to_owned(), mailbox))
    }

    /// What comes of it.
    fn outcomes(&self, effect: &Effect) -> Vec<[Outcome; 2]> {
        let was = |key: &Key| (key.clone(), self.own.get(key).cloned());
        let new = |flags: &Flags| Own {
            flags: flags.clone(),
            uid: None,
        };
        match effect {
            Effect::Nothing => Vec::new(),
            Effect::Append(key, flags) => {
                vec![[
                    vec![(key.clone(), None)],
                    vec![(key.clone(), Some(new(flags)))],
                ]]
            }
            Effect::Store(keys, action, flags) => {
                let each = keys.iter().map(|key| {
                    let mut then = self.own[key].clone();
                    change(&mut then.flags, *action, flags);
                    [vec![was(key)], vec![(key.clone(), Some(then))]]
                });
                each.collect()
            }
            Effect::Copy(key, to) => {
                let target = (key.0.clone(), *to);
                let copy = new(&self.own[key].flags);
                vec![[vec![(target.clone(), None)], vec![(target, Some(copy))]]]
            }
            Effect::Move(key, to) => {
                let target = (key.0.clone(), *to);
                let moved = new(&self.own[key].flags);
                vec![[
                    vec![was(key), (target.clone(), None)],
                    vec![(key.clone(), None), (target, Some(moved))],
                ]]
            }
            Effect::Gone(keys) => {
                let each = keys.iter();
                each.map(|key| [vec![was(key)], vec![(key.clone(), None)]])
                    .collect()
            }
        }
    }

    fn take(&mut self, outcome: Outcome) {
        for (key, own) in outcome {
            match own {
                Some(own) => self.own.insert(key, own),
                None => self.own.remove(&key),
            };
        }
    }

    /// It was done; `uid` is that of what came.
    fn done(&mut self, effect: &Effect, uid: Option<u32>) {
        for [_, done] in self.outcomes(effect) {
            self.take(done);
        }
        let new = match effect {
            Effect::Append(key, _) => key.clone(),
            Effect::Copy(key, to) | Effect::Move(key, to) => (key.0.clone(), *to),
            _ => return,
        };
        self.own.get_mut(&new).unwrap().uid = uid;
    }

    /// It was cut off.
    fn doubt(&mut self, effect: &Effect) {
        let doubts = self.outcomes(effect);
        self.doubts.extend(doubts);
    }
}

/// A client.
struct Member {
    session: Session,
    owner: Owner,
}

/// Whether the server is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alive {
    Lives,
    Dead,
}

impl Member {
    /// Commands until then, or until the server is dead.
    fn work(&mut self, server: &Server, until: Instant, mortal: bool) -> Rule {
        while Instant::now() < until {
            let outcome = self.step(server, mortal);
            if let Err(rule) = &outcome {
                self.session.note(&format!("-- {rule}"));
            }
            if outcome? == Alive::Dead {
                return Ok(());
            }
        }
        Ok(())
    }

    fn step(&mut self, server: &Server, mortal: bool) -> Result<Alive, String> {
        if self.session.client.is_none() {
            let kind = match self.owner.below(8) {
                0..6 => Kind::Qresync,
                6 => Kind::Condstore,
                _ => Kind::Plain,
            };
            if !self.session.connect(server, kind, mortal)? {
                return Ok(Alive::Dead);
            }
        }
        let lost = self.owner.below(100);
        if lost < 2 {
            self.session.disconnect();
            return Ok(Alive::Lives);
        }
        let mut commands = vec![self.command()];
        let in_mailbox = self.session.selected.is_some();
        if in_mailbox && lost > 80 && !matches!(commands[0].0.act, Act::Open { .. } | Act::Close) {
            // Sent at once, for messages of their own each.
            let more = self.command();
            let (one, other) = (keys(&commands[0].1), keys(&more.1));
            let leaves = matches!(more.0.act, Act::Open { .. } | Act::Close | Act::Unselect);
            let leaves = leaves || matches!(commands[0].0.act, Act::Unselect);
            if !leaves && more.0.by_uid && one.is_disjoint(&other) {
                commands.push(more);
            }
        }
        if !self.perform(&commands, mortal)? {
            return Ok(Alive::Dead);
        }
        if let Some(command) = self.session.learn()
            && !self.perform(&[(command, Effect::Nothing)], mortal)?
        {
            return Ok(Alive::Dead);
        }
        Ok(Alive::Lives)
    }

    /// False if the server is dead.
    fn perform(&mut self, commands: &[(Command, Effect)], mortal: bool) -> Result<bool, String> {
        let sent: Vec<Command> = commands
            .iter()
            .map(|(command, _)| command.clone())
            .collect();
        let sent = self.session.send(&sent);
        for (at, (command, effect)) in commands.iter().enumerate() {
            let tagged = match sent {
                true => self.session.read(command)?,
                false => None,
            };
            let Some(tagged) = tagged else {
                if !mortal {
                    return Err(format!("{}: the connection is gone", self.session.name));
                }
                for (_, effect) in &commands[at..] {
                    self.owner.doubt(effect);
                }
                self.session.disconnect();
                return Ok(false);
            };
            self.judge(command, effect, &tagged)?;
        }
        Ok(true)
    }

    fn judge(&mut self, command: &Command, effect: &Effect, tagged: &str) -> Rule {
        let ok = tagged.starts_with("OK");
        let may_be_gone = match effect {
            Effect::Store(keys, ..) => keys.iter().any(|key| self.owner.own[key].may_be_gone()),
            Effect::Nothing => tagged.contains("[EXPUNGEISSUED]"),
            _ => false,
        };
        if !ok && !may_be_gone {
            return Err(format!(
                "{}: {} → {tagged}",
                self.session.name, command.text
            ));
        }
        let heard = &self.session.picture.heard;
        let uid = match effect {
            Effect::Append(..) => heard.appended.first().copied(),
            Effect::Copy(..) | Effect::Move(..) => {
                let copied = heard.copied.as_ref();
                copied.and_then(|(_, to)| to.first().copied())
            }
            _ => None,
        };
        let comes = matches!(
            effect,
            Effect::Append(..) | Effect::Copy(..) | Effect::Move(..)
        );
        if comes && uid.is_none() {
            return Err(format!("{}: no UID in {tagged}", self.session.name));
        }
        let mut effect = effect.clone();
        if let Effect::Store(keys, action, flags) = &mut effect {
            let modified: Vec<u32> = match tagged.split_once("[MODIFIED ") {
                Some((_, rest)) => list(rest.split(']').next().unwrap_or_default())?,
                None => Vec::new(),
            };
            let here = self.session.selected.map(|(at, _)| at);
            if let Act::Store {
                uids,
                unchanged: Some(_),
                silent: true,
                ..
            } = &command.act
            {
                for uid in uids.iter().filter(|uid| !modified.contains(uid)) {
                    self.session.picture.stored(*uid, *action, flags);
                }
            }
            let entries = &self.session.picture.entries;
            keys.retain(|(mark, at)| {
                let entry = entries.iter().find(|one| one.mark.as_ref() == Some(mark));
                Some(*at) == here
                    && !entry
                        .and_then(|one| one.uid)
                        .is_some_and(|uid| modified.contains(&uid))
            });
        }
        self.owner.done(&effect, uid);
        match &command.act {
            Act::Open {
                mailbox, read_only, ..
            } => self.session.selected = Some((*mailbox, *read_only)),
            Act::Close | Act::Unselect => self.session.leave(),
            _ => {}
        }
        Ok(())
    }

    /// Own messages of the mailbox that the client knows of, with their UIDs.
    fn known(&self, here: usize) -> Vec<(Key, u32)> {
        let entries = self.session.picture.entries.iter();
        let known = entries.filter_map(|one| Some(((one.mark.clone()?, here), one.uid?)));
        known
            .filter(|(key, _)| self.owner.own.contains_key(key))
            .collect()
    }

    fn command(&mut self) -> (Command, Effect) {
        let plain = |text: &str, act: Act| Command {
            text: text.to_owned(),
            by_uid: true,
            act,
        };
        let Some((here, read_only)) = self.session.selected else {
            return (self.open(), Effect::Nothing);
        };
        let known = self.known(here);
        let owner = &mut self.owner;
        let what = owner.below(100);
        let few = owner.own.len() < OWN;
        let kind = self.session.kind;
        match what {
            0..8 => return (self.open(), Effect::Nothing),
            8..10 => return (plain("UNSELECT", Act::Unselect), Effect::Nothing),
            10..20 => return (plain("NOOP", Act::News), Effect::Nothing),
            20..26 => {
                let key = Sought::All;
                return (plain("UID SEARCH ALL", Act::Search(key)), Effect::Nothing);
            }
            26..34 if kind == Kind::Qresync => {
                let since = self.session.picture.modseq.max(1);
                let text = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since} VANISHED)");
                let fetch = Act::Fetch {
                    uids: BTreeSet::new(),
                    seen: false,
                    since: Some((since, true)),
                };
                return (plain(&text, fetch), Effect::Nothing);
            }
            34..50 if few => {
                let (mark, flags) = (owner.mark(), owner.flags());
                let to = owner.below(BOXES.len());
                let body = message(&mark);
                let names: Vec<&str> = flags.iter().map(String::as_str).collect();
                let text = format!(
                    "APPEND {} ({}) {{{}+}}\r\n{body}",
                    BOXES[to],
                    names.join(" "),
                    body.len()
                );
                let messages = vec![(mark.clone(), flags.clone())];
                let append = plain(&text, Act::Append { to, messages });
                return (append, Effect::Append((mark, to), flags));
            }
            50..56 if !read_only => {
                // What is marked in this mailbox goes, and whatever else others have marked.
                let marked = owner
                    .own
                    .iter()
                    .filter(|(key, own)| key.1 == here && own.may_be_gone());
                let marked = marked.map(|(key, _)| key.clone()).collect();
                let command = match what {
                    50 => plain("CLOSE", Act::Close),
                    _ => plain("EXPUNGE", Act::Expunge(None)),
                };
                return (command, Effect::Gone(marked));
            }
            _ => {}
        }
        if known.is_empty() || read_only {
            return (plain("NOOP", Act::News), Effect::Nothing);
        }
        let (key, uid) = known[owner.below(known.len())].clone();
        let own = owner.own[&key].clone();
        let to = owner.below(BOXES.len());
        let uids = BTreeSet::from([uid]);
        match owner.below(10) {
            0 if own.may_be_gone() => {
                let expunge = plain(&format!("UID EXPUNGE {uid}"), Act::Expunge(Some(uids)));
                (expunge, Effect::Gone(vec![key]))
            }
            moves @ 1..4 if !own.may_be_gone() && !owner.has(&key.0, to) => {
                let moves = moves < 3 || !few;
                let word = if moves { "MOVE" } else { "COPY" };
                let copy = plain(
                    &format!("UID {word} {uid} {}", BOXES[to]),
                    Act::Copy { uids, to, moves },
                );
                let effect = match moves {
                    true => Effect::Move(key, to),
                    false => Effect::Copy(key, to),
                };
                (copy, effect)
            }
            _ => self.store(known, kind),
        }
    }

    fn store(&mut self, mut known: Vec<(Key, u32)>, kind: Kind) -> (Command, Effect) {
        let owner = &mut self.owner;
        let first = owner.below(known.len());
        known.drain(..first);
        known.truncate(1 + owner.below(3));
        let marked = known.iter().any(|(key, _)| owner.own[key].may_be_gone());
        let (action, flags) = match owner.below(5) {
            0 => ('+', Flags::from(["\\Deleted".to_owned()])),
            1 | 2 if !marked => (['-', '='][owner.below(2)], owner.flags()),
            _ => ('+', owner.flags()),
        };
        let unchanged = match kind >= Kind::Condstore && owner.below(3) == 0 {
            true => Some(self.session.picture.modseq.max(1)),
            false => None,
        };
        let silent = owner.below(2) == 0;
        let uids: BTreeSet<u32> = known.iter().map(|(_, uid)| *uid).collect();
        let condition = unchanged.map_or(String::new(), |one| format!("(UNCHANGEDSINCE {one}) "));
        let sign = action.to_string().replace('=', "");
        let names: Vec<&str> = flags.iter().map(String::as_str).collect();
        let text = format!(
            "UID STORE {} {condition}{sign}FLAGS{} ({})",
            set(&uids),
            if silent { ".SILENT" } else { "" },
            names.join(" ")
        );
        let keys = known.into_iter().map(|(key, _)| key).collect();
        let effect = Effect::Store(keys, action, flags.clone());
        let act = Act::Store {
            uids,
            action,
            flags,
            silent,
            unchanged,
        };
        let by_uid = true;
        (Command { text, by_uid, act }, effect)
    }

    fn open(&mut self) -> Command {
        let mailbox = self.owner.below(BOXES.len());
        let read_only = self.owner.below(5) == 0;
        let word = if read_only { "EXAMINE" } else { "SELECT" };
        let (parameters, since) = self.session.resync(mailbox, &mut self.owner.chance);
        Command {
            text: format!("{word} {}{parameters}", BOXES[mailbox]),
            by_uid: false,
            act: Act::Open {
                mailbox,
                read_only,
                since,
            },
        }
    }
}

fn keys(effect: &Effect) -> BTreeSet<Key> {
    match effect {
        Effect::Nothing => BTreeSet::new(),
        Effect::Append(key, _) => BTreeSet::from([key.clone()]),
        Effect::Store(keys, ..) | Effect::Gone(keys) => keys.iter().cloned().collect(),
        Effect::Copy(key, to) | Effect::Move(key, to) => {
            BTreeSet::from([key.clone(), (key.0.clone(), *to)])
        }
    }
}

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

impl Owner {
    /// What is there is what it was told, or one of what may have come of what was cut off.
    fn compare(&self, there: &[There]) -> Rule {
        let doubtful: BTreeSet<&Key> = self
            .doubts
            .iter()
            .flat_map(|[one, other]| one.iter().chain(other))
            .map(|(key, _)| key)
            .collect();
        for (key, own) in self.own.iter().filter(|(key, _)| !doubtful.contains(key)) {
            fits(key, Some(own), there)?;
        }
        for outcomes in &self.doubts {
            let mut any = outcomes.iter().map(|outcome| holds(outcome, there));
            if !any.any(|fits| fits.is_ok()) {
                return Err(format!("{}: neither of {outcomes:?}", self.name));
            }
        }
        Ok(())
    }

    /// Learns what came of what was cut off, and what others have expunged.
    fn settle(&mut self, there: &[There]) {
        for outcomes in std::mem::take(&mut self.doubts) {
            let came = outcomes
                .into_iter()
                .rev()
                .find(|one| holds(one, there).is_ok());
            self.take(came.unwrap_or_default());
        }
        self.own.retain(|key, own| {
            let known = there[key.1].iter().find(|(_, (_, mark))| *mark == key.0);
            own.uid = known.map(|(uid, _)| *uid);
            known.is_some()
        });
    }
}

fn holds(outcome: &Outcome, there: &[There]) -> Rule {
    outcome
        .iter()
        .try_for_each(|(key, own)| fits(key, own.as_ref(), there))
}

fn fits(key: &Key, own: Option<&Own>, there: &[There]) -> Rule {
    let (mark, at) = key;
    let found: Vec<_> = there[*at]
        .iter()
        .filter(|(_, (_, known))| known == mark)
        .collect();
    let fits = match (own, &found[..]) {
        (None, []) => true,
        (Some(own), []) => own.may_be_gone(),
        (Some(own), [(uid, (flags, _))]) => {
            own.flags == *flags && own.uid.is_none_or(|known| known == **uid)
        }
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "{mark} in {}: told {own:?}, there is {found:?}",
            BOXES[*at]
        )),
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

/// Deliveries, renames, removals and moves of messages that no client touches.
fn work_on_files(
    owner: &mut Owner,
    bases: &mut BTreeMap<String, String>,
    acts: &mut Session,
    maildir: &Maildir,
    until: Instant,
) {
    loop {
        let mailbox = owner.below(BOXES.len());
        let here: Vec<Key> = owner
            .own
            .keys()
            .filter(|key| key.1 == mailbox)
            .cloned()
            .collect();
        let what = owner.below(10);
        let name = BOXES[mailbox];
        if here.is_empty() || what < 3 && owner.own.len() < OWN {
            let (mark, how) = (owner.mark(), owner.chance.below(4));
            let (base, flags) = hands::deliver(maildir, name, &mark, how);
            acts.note(&format!("delivered {mark} to {name} as {base}"));
            bases.insert(mark.clone(), base);
            owner.done(&Effect::Append((mark, mailbox), flags), None);
        } else {
            let key = here[owner.below(here.len())].clone();
            let base = &bases[&key.0];
            match what {
                0..7 => {
                    let mut flags = owner.flags();
                    flags.retain(|flag| flag.starts_with('\\'));
                    let by_link = owner.below(5) == 0;
                    let new = maildir
                        .folder(name)
                        .join("cur")
                        .join(hands::named(base, &flags));
                    hands::with_file(maildir, name, base, |old| match by_link {
                        _ if *old == new => Ok(()),
                        true if old.parent() == new.parent() => {
                            fs::hard_link(old, &new).and_then(|()| fs::remove_file(old))
                        }
                        _ => fs::rename(old, &new),
                    });
                    owner.done(&Effect::Store(vec![key], '=', flags), None);
                }
                7 | 8 => {
                    acts.note(&format!("removes {} from {name}", key.0));
                    hands::with_file(maildir, name, base, |path| fs::remove_file(path));
                    owner.done(&Effect::Gone(vec![key]), None);
                }
                _ => {
                    let to = (mailbox + 1 + owner.below(BOXES.len() - 1)) % BOXES.len();
                    let new = hands::named(base, &owner.own[&key].flags);
                    let new = maildir.folder(BOXES[to]).join("cur").join(new);
                    acts.note(&format!("moves {} from {name} to {}", key.0, BOXES[to]));
                    hands::with_file(maildir, name, base, |old| fs::rename(old, &new));
                    owner.done(&Effect::Move(key, to), None);
                }
            }
        }
        let Some(left) = until.checked_duration_since(Instant::now()) else {
            return;
        };
        let pause = Duration::from_micros(500 + owner.chance.below(8_000));
        std::thread::park_timeout(pause.min(left));
    }
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
