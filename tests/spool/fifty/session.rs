//! One of the fifty: random commands, some sent before the last is answered, and a [`Model`] of what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::known::{Known, code};
use super::model::{During, Flags, Model};
use crate::harness::{Chance, Client, message};

/// Messages in a mailbox above which none is added.
pub const MOST: usize = 40;
/// And below which none is removed.
pub const FEWEST: usize = 8;

const SYSTEM: [&str; 4] = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft"];
const KEYWORDS: [&str; 6] = ["$Forwarded", "Work", "Later", "$Junk", "Blue", "Done"];

/// One command.
struct Command {
    text: String,
    during: During,
    wants: Wants,
}

/// What its answer has to bring.
enum Wants {
    Nothing,
    /// A FETCH response for each number.
    Numbers(std::ops::RangeInclusive<usize>),
    /// A FETCH response for each UID, unless it is told as expunged.
    Uids(Vec<u32>),
    /// Nothing: the client itself notes these numbers' or UIDs' new flags.
    Silence(Vec<u32>, char, Flags),
    /// One SEARCH response.
    Found,
    /// Another picture altogether.
    Selected,
    /// IDLE, until something came, or until at once.
    Idle(bool),
}

impl Command {
    fn new(text: String, wants: Wants) -> Command {
        let by_uid = text.starts_with("UID ");
        let name = text.trim_start_matches("UID ").split(' ').next().unwrap();
        let search = name == "SEARCH";
        Command {
            during: During {
                expunge: by_uid || !["FETCH", "STORE", "SEARCH"].contains(&name),
                by_uid,
                search,
            },
            text,
            wants,
        }
    }
}

/// A session and its picture.
pub struct Session {
    pub name: String,
    pub model: Model,
    /// How many commands of each name were answered OK, and NO.
    pub answered: BTreeMap<String, [usize; 2]>,
    /// Everything said, with the UIDs that it is known to be about.
    pub said: Vec<(Instant, Vec<u32>, String)>,
    client: Client,
    chance: Chance,
    tags: usize,
    messages: usize,
    /// How often it has selected the mailbox.
    selections: usize,
    /// What all sessions on it know.
    known: Arc<Mutex<Known>>,
}

impl Session {
    pub fn new(name: String, client: Client, seed: u64, known: Arc<Mutex<Known>>) -> Session {
        let mut session = Session {
            name,
            model: Model::default(),
            answered: BTreeMap::new(),
            said: Vec::new(),
            client,
            chance: Chance::new(seed),
            tags: 0,
            messages: 0,
            selections: 0,
            known,
        };
        session.run(vec![Command::new("SELECT INBOX".into(), Wants::Selected)]);
        session
    }

    /// Random commands until then.
    pub fn work(&mut self, until: Instant) {
        while Instant::now() < until {
            let commands = self.choose();
            self.run(commands);
            self.learn();
        }
    }

    /// A command of which only the news matter. True if there were none.
    pub fn is_quiet(&mut self) -> bool {
        let before = self.said.len();
        self.run(vec![Command::new("NOOP".into(), Wants::Nothing)]);
        self.said.len() == before + 2
    }

    /// Asks for what it was not told unasked.
    pub fn learn(&mut self) {
        while let Some(number) = self.model.unknown() {
            let numbers = number..=self.model.len();
            let text = format!("FETCH {number}:* (UID FLAGS)");
            self.run(vec![Command::new(text, Wants::Numbers(numbers))]);
        }
    }

    /// Asks for everything.
    pub fn fetch_all(&mut self) {
        if self.model.len() > 0 {
            let numbers = 1..=self.model.len();
            let text = "FETCH 1:* (UID FLAGS)".to_owned();
            self.run(vec![Command::new(text, Wants::Numbers(numbers))]);
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.chance.below(limit.max(1) as u64) as usize
    }

    /// Up to four commands that may be sent together: none by number behind one that may tell EXPUNGE.
    fn choose(&mut self) -> Vec<Command> {
        let wanted = match self.below(3) {
            0 => 1 + self.below(4),
            _ => 1,
        };
        let mut commands: Vec<Command> = Vec::new();
        while commands.len() < wanted {
            let shaken = commands.iter().any(|command| command.during.expunge);
            let command = self.command(shaken, wanted == 1);
            commands.push(command);
        }
        commands
    }

    fn command(&mut self, by_uid: bool, alone: bool) -> Command {
        let many = self.model.len() > MOST;
        let few = self.model.len() < FEWEST;
        let uids = self.model.uids();
        match self.below(100) {
            _ if few || uids.is_empty() => self.append(),
            0..18 => self.fetch(by_uid),
            18..44 => self.store(by_uid, false),
            44..52 if !many => self.append(),
            52..58 if !many => {
                let target = self.target();
                let (prefix, set, _) = self.some(by_uid, 3);
                Command::new(format!("{prefix}COPY {set} {target}"), Wants::Nothing)
            }
            58..63 => {
                let target = self.target();
                let (prefix, set, _) = self.some(by_uid, 2);
                Command::new(format!("{prefix}MOVE {set} {target}"), Wants::Nothing)
            }
            63..67 => self.store(by_uid, true),
            67..70 => Command::new("EXPUNGE".into(), Wants::Nothing),
            70..73 => {
                let (first, last) = (uids[0], uids[uids.len() - 1]);
                let middle = first + self.below((last - first) as usize) as u32;
                Command::new(format!("UID EXPUNGE {middle}:*"), Wants::Nothing)
            }
            73..79 => self.search(by_uid),
            79..90 if alone => Command::new("IDLE".into(), Wants::Idle(self.chance.below(2) == 0)),
            90..92 => Command::new("CHECK".into(), Wants::Nothing),
            92..94 if alone => {
                let first = ["SELECT INBOX", "CLOSE", "UNSELECT"][self.below(3)];
                if first != "SELECT INBOX" {
                    self.run(vec![Command::new(first.into(), Wants::Nothing)]);
                }
                Command::new("SELECT INBOX".into(), Wants::Selected)
            }
            _ if many => self.store(by_uid, true),
            _ => Command::new("NOOP".into(), Wants::Nothing),
        }
    }

    fn target(&mut self) -> &'static str {
        ["INBOX", "INBOX", "Other"][self.below(3)]
    }

    /// A few messages, as `UID ` or nothing, a set, and its members.
    fn some(&mut self, by_uid: bool, most: usize) -> (&'static str, String, Vec<u32>) {
        let first = 1 + self.below(self.model.len());
        let last = (first + self.below(most)).min(self.model.len());
        let uids: Vec<u32> = self.model.entries[first - 1..last]
            .iter()
            .filter_map(|entry| entry.uid)
            .collect();
        if (by_uid || self.below(2) == 0) && !uids.is_empty() {
            let set: Vec<String> = uids.iter().map(u32::to_string).collect();
            return ("UID ", set.join(","), uids);
        }
        assert!(!by_uid, "{}: no UID is known", self.name);
        let numbers = (first as u32..=last as u32).collect();
        ("", format!("{first}:{last}"), numbers)
    }

    fn append(&mut self) -> Command {
        self.messages += 1;
        let text = message(&format!("{}-{}", self.name, self.messages));
        let flags: Vec<String> = self.flags().into_iter().collect();
        let mailbox = ["INBOX", "INBOX", "INBOX", "Other"][self.below(4)];
        Command::new(
            format!(
                "APPEND {mailbox} ({}) {{{}+}}\r\n{text}",
                flags.join(" "),
                text.len()
            ),
            Wants::Nothing,
        )
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::new();
        for _ in 0..self.below(3) {
            let flag = match self.below(3) {
                0 => KEYWORDS[self.below(KEYWORDS.len())],
                _ => SYSTEM[self.below(SYSTEM.len())],
            };
            flags.insert(flag.to_owned());
        }
        flags
    }

    fn fetch(&mut self, by_uid: bool) -> Command {
        let items = [
            "(UID FLAGS)",
            "FLAGS",
            "(FLAGS RFC822.SIZE INTERNALDATE)",
            "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
            "BODY[TEXT]",
            "(UID RFC822.HEADER)",
        ][self.below(6)];
        let (prefix, set, named) = self.some(by_uid, 6);
        let wants = match prefix {
            "" => Wants::Numbers(named[0] as usize..=named[named.len() - 1] as usize),
            _ => Wants::Uids(named),
        };
        Command::new(format!("{prefix}FETCH {set} {items}"), wants)
    }

    fn store(&mut self, by_uid: bool, deleted: bool) -> Command {
        let (prefix, set, named) = self.some(by_uid, 4);
        let action = match deleted {
            true => '+',
            false => ['+', '-', ' '][self.below(3)],
        };
        let flags = match deleted {
            true => Flags::from(["\\Deleted".to_owned()]),
            false => self.flags(),
        };
        let list: Vec<String> = flags.iter().cloned().collect();
        let silent = if self.below(2) == 0 { ".SILENT" } else { "" };
        let text = format!(
            "{prefix}STORE {set} {}FLAGS{silent} ({})",
            action.to_string().trim(),
            list.join(" ")
        );
        let wants = match silent {
            "" => Wants::Nothing,
            _ => Wants::Silence(named, action, flags),
        };
        Command::new(text, wants)
    }

    fn search(&mut self, by_uid: bool) -> Command {
        let key = [
            "ALL",
            "UNSEEN",
            "FLAGGED DELETED",
            "KEYWORD Work",
            "SUBJECT u1",
            "NOT SEEN BODY Hello",
        ];
        let key = key[self.below(key.len())];
        let prefix = match by_uid || self.below(2) == 0 {
            true => "UID ",
            false => "",
        };
        Command::new(format!("{prefix}SEARCH {key}"), Wants::Found)
    }

    /// Sends all of them, and reads the answers one after the other.
    fn run(&mut self, commands: Vec<Command>) {
        let first = self.tags + 1;
        let mut bytes = String::new();
        for command in &commands {
            self.tags += 1;
            write!(bytes, "t{} {}\r\n", self.tags, command.text).unwrap();
        }
        self.client.send(bytes.as_bytes());
        for (tag, command) in (first..).zip(commands) {
            let line = format!("t{tag} {}", command.text.lines().next().unwrap());
            self.note(Vec::new(), line);
            self.answer(&format!("t{tag} "), &command);
        }
    }

    fn note(&mut self, uids: Vec<u32>, line: String) {
        self.said.push((Instant::now(), uids, line));
    }

    /// Reads the answer to one command.
    fn answer(&mut self, tag: &str, command: &Command) {
        self.model.begin();
        match &command.wants {
            Wants::Selected => {
                self.selections += 1;
                self.model.reset();
            }
            Wants::Silence(named, action, flags) => {
                let places = self.places(named, command.during.by_uid);
                for at in &places {
                    self.model.change(*at, *action, flags);
                }
                if let Some((_, uids, _)) = self.said.last_mut() {
                    uids.extend(places.iter().filter_map(|at| self.model.entries[*at].uid));
                }
            }
            _ => {}
        }
        let mut idling = false;
        let tagged = loop {
            let line = self.client.line();
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(tagged) = line.strip_prefix(tag) {
                let tagged = tagged.to_owned();
                self.note(Vec::new(), line);
                break tagged;
            }
            let done = match &command.wants {
                Wants::Idle(at_once) if !idling && line.starts_with("+ ") => {
                    idling = true;
                    *at_once
                }
                _ => {
                    let heard = self.model.hear(&line, command.during);
                    self.note(heard.iter().flatten().copied().collect(), line);
                    if let Err(rule) = heard {
                        self.fail(&rule);
                    }
                    idling
                }
            };
            if done {
                self.client.send(b"DONE\r\n");
                idling = false;
            }
        };
        self.check(command, &tagged);
    }

    /// The places in the model of what a command names.
    fn places(&self, named: &[u32], by_uid: bool) -> Vec<usize> {
        let all = self.model.entries.iter().enumerate();
        let is_named = |(at, entry): &(usize, &super::model::Entry)| match by_uid {
            true => entry.uid.is_some_and(|uid| named.contains(&uid)),
            false => named.contains(&(*at as u32 + 1)),
        };
        all.filter(is_named).map(|(at, _)| at).collect()
    }

    /// Whether the answer brought what it had to.
    fn check(&mut self, command: &Command, tagged: &str) {
        let words: Vec<&str> = command.text.split(' ').take(2).collect();
        let name = match words[0] {
            "UID" => words[..].join(" "),
            name => name.to_owned(),
        };
        let no = !tagged.starts_with("OK");
        self.answered.entry(name.clone()).or_default()[usize::from(no)] += 1;
        let issued = tagged.contains("[EXPUNGEISSUED]");
        let may_miss = ["FETCH", "STORE", "COPY", "MOVE"];
        let excused = issued && may_miss.iter().any(|word| name.ends_with(word));
        if no && !excused {
            self.fail(&format!("{name} was answered {tagged}"));
        }
        let model = &self.model;
        let missing: BTreeSet<u32> = match &command.wants {
            _ if issued => BTreeSet::new(),
            Wants::Numbers(numbers) => {
                let all = numbers.clone().map(|number| number as u32);
                all.filter(|number| !model.fetched.contains(number))
                    .collect()
            }
            Wants::Uids(uids) => {
                let told =
                    |uid: &&u32| !model.fetched_uids.contains(uid) && !model.gone.contains(uid);
                uids.iter().filter(told).copied().collect()
            }
            Wants::Found if model.found == 0 => BTreeSet::from([0]),
            _ => BTreeSet::new(),
        };
        if !missing.is_empty() {
            self.fail(&format!("{name} did not answer for {missing:?}"));
        }
        if let Err(rule) = self.compare(command, tagged) {
            self.fail(&rule);
        }
    }

    /// Compares with what others were told.
    fn compare(&mut self, command: &Command, tagged: &str) -> Result<(), String> {
        let selection = format!("{} since its SELECT {}", self.name, self.selections);
        let mut known = self.known.lock().unwrap();
        for (uid, subject) in self.model.subjects.drain(..) {
            known.name(uid, &subject)?;
        }
        for uid in self.model.recent.drain(..) {
            known.recent(uid, &selection)?;
        }
        let mut words = command.text.trim_start_matches("UID ").split(' ');
        let name = words.next().unwrap();
        if name == "APPEND" {
            let (_, sets) = code(tagged, "APPENDUID").ok_or("no APPENDUID")?;
            let subject = command.text.split("Subject: ").nth(1).unwrap();
            if words.next() == Some("INBOX") {
                known.name(sets[0][0], subject.split('\r').next().unwrap())?;
            }
        }
        if name == "COPY" || name == "MOVE" {
            let told = code(tagged, "COPYUID").or_else(|| self.model.copied.take());
            if let Some((validity, sets)) = told {
                let [from, to] = &*sets else {
                    return Err("COPYUID without two sets".into());
                };
                if from.len() != to.len() {
                    return Err("COPYUID with unequal sets".into());
                }
                if validity == self.model.validity && command.text.ends_with(" INBOX") {
                    known.copied(from, to)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the test, with what was said last.
    pub fn fail(&self, rule: &str) -> ! {
        let mut text = format!("{}: {rule}\n", self.name);
        let from = self.said.len().saturating_sub(60);
        for (_, uids, line) in &self.said[from..] {
            writeln!(text, "  {line:.300}   {uids:?}").unwrap();
        }
        panic!("{text}");
    }
}
