//! A client's connection, the copies of mailboxes that it keeps over connections, and how commands are answered: what
//! each does to the account, by the model, and what the server must and may say of it.

mod judge;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::account::Mailbox;
use super::picture::{During, Flags, Heard, Picture, set};
use crate::harness::{Chance, Client, Server};

/// The mod-sequence from which a client goes on, and the UIDs that it knows.
pub type Since = (u64, BTreeSet<u32>);

/// What a command is, with UIDs for messages.
#[derive(Clone, Debug)]
pub enum Act {
    /// NOOP, CHECK, and what else only brings news.
    News,
    Open {
        mailbox: usize,
        read_only: bool,
        /// The mod-sequence and the UIDs of QRESYNC.
        since: Option<Since>,
    },
    Close,
    Unselect,
    Fetch {
        uids: BTreeSet<u32>,
        /// Without PEEK.
        seen: bool,
        /// CHANGEDSINCE, and VANISHED.
        since: Option<(u64, bool)>,
    },
    Store {
        uids: BTreeSet<u32>,
        action: char,
        flags: Flags,
        silent: bool,
        unchanged: Option<u64>,
    },
    Copy {
        uids: BTreeSet<u32>,
        to: usize,
        moves: bool,
    },
    Append {
        to: usize,
        messages: Vec<(String, Flags)>,
    },
    Expunge(Option<BTreeSet<u32>>),
    Search(Key),
    Status(usize),
}

#[derive(Clone, Debug)]
pub enum Key {
    All,
    Flag(&'static str, bool),
    Modseq(u64),
}

#[derive(Clone, Debug)]
pub struct Command {
    pub text: String,
    pub by_uid: bool,
    pub act: Act,
}

/// Which extensions a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Plain,
    Condstore,
    Qresync,
}

/// What a client has heard of a command, and its picture before.
pub struct Answer<'a> {
    heard: &'a Heard,
    tagged: &'a str,
    before: &'a Picture,
}

pub struct Session {
    pub name: String,
    pub client: Option<Client>,
    pub kind: Kind,
    /// Which mailbox, and whether read-only.
    pub selected: Option<(usize, bool)>,
    pub picture: Picture,
    /// Copies of mailboxes that are not selected.
    pub saved: BTreeMap<usize, Picture>,
    pub idling: Option<String>,
    /// The last lines.
    pub said: VecDeque<(Instant, String)>,
    /// The highest mod-sequence that it was told, of each mailbox.
    pub highest: BTreeMap<usize, u64>,
    tags: usize,
}

const REMEMBERED: usize = 200;

pub type Rule = Result<(), String>;

impl Session {
    pub fn new(name: String) -> Session {
        Session {
            name,
            client: None,
            kind: Kind::Plain,
            selected: None,
            picture: Picture::default(),
            saved: BTreeMap::new(),
            idling: None,
            said: VecDeque::new(),
            highest: BTreeMap::new(),
            tags: 0,
        }
    }

    pub fn note(&mut self, line: &str) {
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        let line: String = line.chars().take(300).collect();
        let line = format!("{}: {}", self.name, line.replace("\r\n", "⏎"));
        self.said.push_back((Instant::now(), line));
    }

    /// False if there is no server any more, where it may be killed.
    pub fn connect(&mut self, server: &Server, kind: Kind, mortal: bool) -> Result<bool, String> {
        let enable = match kind {
            Kind::Plain => "NOOP",
            Kind::Condstore => "ENABLE CONDSTORE",
            Kind::Qresync => "ENABLE QRESYNC",
        };
        let mut client = match server.try_client() {
            Some(client) => client,
            None if mortal => return Ok(false),
            None => return Err(format!("{} cannot connect", self.name)),
        };
        self.note(&format!("-- connected, {kind:?}"));
        match client.try_run(enable) {
            Some(reply) if reply.tagged.starts_with("OK") => {}
            None if mortal => return Ok(false),
            other => return Err(format!("{}: {enable} → {other:?}", self.name)),
        }
        self.client = Some(client);
        self.kind = kind;
        Ok(true)
    }

    /// The parameters with which a mailbox is opened, if the client has a copy of it, and whence it goes on.
    pub fn resync(&self, mailbox: usize, chance: &mut Chance) -> (String, Option<Since>) {
        let here = self.selected.map(|(at, _)| at);
        // Of a mailbox that is opened again, the copy is the picture.
        let copy = match here == Some(mailbox) {
            true => Some(self.picture.clone()).map(|mut copy| {
                copy.close();
                copy
            }),
            false => self.saved.get(&mailbox).cloned(),
        };
        let copy = copy.filter(|copy| copy.qresync && copy.modseq > 0);
        // Without a known UID everything is told that has changed, but not what the client has forgotten.
        let copy = copy.filter(|copy| copy.is_whole || !copy.entries.is_empty());
        let Some(copy) = copy.filter(|_| self.kind == Kind::Qresync && chance.below(8) > 0) else {
            let condstore = self.kind >= Kind::Condstore && chance.below(3) == 0;
            return (if condstore { " (CONDSTORE)" } else { "" }.to_owned(), None);
        };
        let known = copy.uids();
        let mut parameters = format!("{} {}", copy.validity, copy.modseq);
        if !known.is_empty() {
            parameters += &format!(" {}", set(&known));
            if chance.below(2) == 0 {
                // Numbers and UIDs of which the client is sure.
                let all: Vec<u32> = known.iter().copied().collect();
                let at: BTreeSet<usize> = (0..3)
                    .map(|_| chance.below(all.len() as u64) as usize)
                    .collect();
                let numbers: BTreeSet<u32> = at.iter().map(|at| *at as u32 + 1).collect();
                let uids: BTreeSet<u32> = at.iter().map(|at| all[*at]).collect();
                parameters += &format!(" ({} {})", set(&numbers), set(&uids));
            }
        }
        (
            format!(" (QRESYNC ({parameters}))"),
            Some((copy.modseq, known)),
        )
    }

    /// The connection is gone, with all that was still to come.
    pub fn disconnect(&mut self) {
        self.note("-- disconnected");
        self.client = None;
        self.idling = None;
        self.leave();
    }

    /// No mailbox is selected any more; its copy is kept.
    pub fn leave(&mut self) {
        if let Some((mailbox, _)) = self.selected.take() {
            let mut picture = std::mem::take(&mut self.picture);
            picture.close();
            match picture.qresync && picture.modseq > 0 {
                true => self.saved.insert(mailbox, picture),
                false => self.saved.remove(&mailbox),
            };
        }
    }

    /// Sends several commands at once; the answers are read by [`Session::answer`]. False if the connection is gone.
    pub fn send(&mut self, commands: &[Command]) -> bool {
        let mut bytes = String::new();
        for (at, command) in commands.iter().enumerate() {
            let tag = self.tags + 1 + at;
            self.note(&format!("t{tag} {}", command.text));
            bytes.push_str(&format!("t{tag} {}\r\n", command.text));
        }
        let client = self.client.as_mut().unwrap();
        client.try_send(bytes.as_bytes()).is_ok()
    }

    /// Begins to IDLE.
    pub fn idle(&mut self) -> Rule {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.note(&format!("{tag} IDLE"));
        self.picture.begin(false);
        self.say(&format!("{tag} IDLE\r\n"));
        while let Some(line) = self.line() {
            if line.starts_with("+ ") {
                self.idling = Some(tag);
                return Ok(());
            }
            self.hear(&line, During::default())?;
        }
        Err("the connection is gone".into())
    }

    fn say(&mut self, text: &str) {
        let _ = self.client.as_mut().unwrap().try_send(text.as_bytes());
    }

    /// Ends it, perhaps only when all there is to hear was heard.
    pub fn done(&mut self, account: &mut [Mailbox], waits: bool) -> Rule {
        let Some(tag) = self.idling.take() else {
            return Ok(());
        };
        let mailbox = self.selected.map(|(mailbox, _)| mailbox);
        while waits && !mailbox.is_none_or(|at| self.agrees_so_far(&account[at])) {
            let line = self.line().ok_or("the connection is gone")?;
            self.hear(&line, During::default())?;
        }
        self.note("DONE");
        self.say("DONE\r\n");
        let tag = format!("{tag} ");
        loop {
            let line = self.line().ok_or("the connection is gone")?;
            if let Some(tagged) = line.strip_prefix(&tag) {
                if !tagged.starts_with("OK") {
                    return Err(format!("IDLE → {tagged}"));
                }
                self.picture
                    .code(tagged.split_once(' ').map_or("", |(_, rest)| rest))?;
                self.picture.end(true)?;
                self.settle(account, true)?;
                return self.check(account);
            }
            self.hear(&line, During::default())?;
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            let line = self.client.as_mut()?.next_line()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            self.note(&line);
            if !line.starts_with("* OK [INPROGRESS") && line != "* OK Still here" {
                return Some(line);
            }
        }
    }

    fn hear(&mut self, line: &str, during: During) -> Rule {
        let heard = self.picture.hear(line, during);
        heard.map_err(|rule| format!("{}: {rule}, in {line:.300}", self.name))
    }

    fn agrees_so_far(&self, mailbox: &Mailbox) -> bool {
        let entries = &self.picture.entries;
        entries.len() == mailbox.messages.len()
            && entries
                .iter()
                .zip(&mailbox.messages)
                .all(|(entry, (uid, message))| {
                    entry.uid.is_none_or(|known| known == *uid)
                        && entry
                            .flags
                            .as_ref()
                            .is_none_or(|flags| *flags == message.flags)
                })
    }

    /// Reads the untagged responses to a command, and gives the tagged one without its tag; `None` where the
    /// connection ended.
    pub fn read(&mut self, command: &Command) -> Result<Option<String>, String> {
        self.tags += 1;
        let tag = format!("t{} ", self.tags);
        let mut old = None;
        let before = self.picture.clone();
        match &command.act {
            Act::Open { mailbox, since, .. } => {
                if self.selected.is_some() {
                    old = Some(());
                    self.picture.begin(false);
                } else {
                    self.open(*mailbox, since.is_some());
                }
            }
            _ => self.picture.begin(false),
        }
        if let Act::Store {
            uids,
            action,
            flags,
            silent: true,
            unchanged: None,
        } = &command.act
            && !self.is_read_only()
        {
            for uid in uids {
                self.picture.stored(*uid, *action, flags);
            }
        }
        let during = self.during(command);
        loop {
            let Some(line) = self.line() else {
                self.doubt(command, &before);
                return Ok(None);
            };
            if old.is_some() && line.starts_with("* OK [CLOSED]") {
                old = None;
                self.leave();
                if let Act::Open { mailbox, since, .. } = &command.act {
                    self.open(*mailbox, since.is_some());
                }
                continue;
            }
            let Some(tagged) = line.strip_prefix(&tag) else {
                self.hear(
                    &line,
                    if old.is_some() {
                        During::default()
                    } else {
                        during
                    },
                )?;
                continue;
            };
            if old.is_some() {
                return Err(format!("{}: no CLOSED", self.name));
            }
            let code = tagged.split_once(' ').map_or("", |(_, rest)| rest);
            let end = self.picture.code(code);
            let end = end.and_then(|()| self.picture.end(tagged.starts_with("OK")));
            end.map_err(|rule| format!("{}: {rule}, at the end of {}", self.name, command.text))?;
            let opened = match &command.act {
                Act::Open { mailbox, .. } => Some(*mailbox),
                _ => self.selected.map(|(at, _)| at),
            };
            if let Some(at) = opened {
                let highest = self.highest.entry(at).or_default();
                *highest = (*highest).max(self.picture.highest());
            }
            return Ok(Some(tagged.to_owned()));
        }
    }

    /// Whether a command was carried out is not known: a STORE that is not told of may be, or not.
    fn doubt(&mut self, command: &Command, before: &Picture) {
        if let Act::Store {
            uids, silent: true, ..
        } = &command.act
        {
            for uid in uids {
                self.picture.doubt(*uid, before);
            }
        }
    }

    fn open(&mut self, mailbox: usize, resyncs: bool) {
        let saved = self.saved.remove(&mailbox);
        self.picture = match saved {
            Some(saved) if resyncs => saved,
            _ => Picture::default(),
        };
        self.picture.condstore = self.kind >= Kind::Condstore;
        self.picture.qresync = self.kind == Kind::Qresync;
        self.picture.begin(true);
    }

    fn during(&self, command: &Command) -> During {
        let holds = matches!(
            command.act,
            Act::Fetch { .. } | Act::Store { .. } | Act::Search(_)
        );
        During {
            holds_numbers: holds && !command.by_uid,
            fetches: matches!(command.act, Act::Fetch { .. } | Act::Status(_)),
            earlier: matches!(
                command.act,
                Act::Fetch {
                    since: Some((_, true)),
                    ..
                } | Act::Open { since: Some(_), .. }
            ),
        }
    }

    fn is_read_only(&self) -> bool {
        self.selected.is_some_and(|(_, read_only)| read_only)
    }

    /// Reads the answer to a command that was sent, and demands that it is what the model says.
    pub fn answer(&mut self, command: &Command, account: &mut [Mailbox]) -> Rule {
        let before = self.picture.clone();
        let tagged = self.read(command)?;
        let tagged = tagged.ok_or("the server closed the connection")?;
        let outcome = self.judge(command, &before, &tagged, account);
        outcome.map_err(|rule| format!("{}: {:.200} → {tagged}: {rule}", self.name, command.text))
    }

    /// Sends a command of which only so many lines are heard, though it is carried out; then the connection is gone.
    pub fn lose(&mut self, command: &Command, lines: usize) -> Rule {
        self.send(std::slice::from_ref(command));
        self.tags += 1;
        let tag = format!("t{} ", self.tags);
        let client = self.client.as_mut().unwrap();
        client.hang_up();
        let before = self.picture.clone();
        self.picture.begin(false);
        let during = self.during(command);
        let mut left = lines;
        while let Some(line) = self.line() {
            left = if line.starts_with(&tag) { 0 } else { left };
            if left > 0 && self.selected.is_some() {
                left -= 1;
                self.hear(&line, during)?;
            }
        }
        self.doubt(command, &before);
        Ok(())
    }

    /// A command that asks for what was not told unasked: marks of messages that are new, and their UIDs and flags.
    pub fn learn(&self) -> Option<Command> {
        let first = self.picture.unknown()?;
        let entries = self.picture.entries.iter().enumerate().skip(first - 1);
        let unknown = entries
            .filter(|(_, one)| one.uid.is_none() || one.flags.is_none() || one.mark.is_none());
        let numbers: BTreeSet<u32> = unknown.map(|(at, _)| at as u32 + 1).collect();
        let modseq = if self.picture.condstore {
            " MODSEQ"
        } else {
            ""
        };
        Some(Command {
            text: format!(
                "FETCH {} (UID FLAGS{modseq} BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
                set(&numbers)
            ),
            by_uid: false,
            act: Act::Fetch {
                uids: BTreeSet::new(),
                seen: false,
                since: None,
            },
        })
    }
}

/// Prints the last lines of several sessions, in the order of time.
pub fn print_last<'a>(sessions: impl Iterator<Item = &'a Session>, count: usize) {
    let mut all: Vec<_> = sessions.flat_map(|session| &session.said).collect();
    all.sort_by_key(|(time, _)| *time);
    let from = all.len().saturating_sub(count);
    for (_, line) in &all[from..] {
        eprintln!("{line}");
    }
}
