//! A client's connection, the copies of mailboxes that it keeps over connections, and how commands are answered: what
//! each does to the account, by the model, and what the server must and may say of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::account::Mailbox;
use super::picture::{During, Flags, Heard, Picture, list, set};
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

    /// The model does it, and is compared with the answer.
    fn judge(
        &mut self,
        command: &Command,
        before: &Picture,
        tagged: &str,
        account: &mut [Mailbox],
    ) -> Rule {
        let ok = tagged.starts_with("OK");
        let heard = self.picture.heard.clone();
        let read_only = self.is_read_only();
        let here = self.selected.map(|(mailbox, _)| mailbox);
        let writes = match &command.act {
            Act::Store { .. } | Act::Expunge(_) => true,
            Act::Copy { moves, .. } => *moves,
            _ => false,
        };
        if writes && read_only {
            return match ok {
                true => Err("in a mailbox that was opened by EXAMINE".into()),
                false => Ok(()),
            };
        }
        let missing = |uids: &BTreeSet<u32>, account: &[Mailbox]| {
            let known = here.map(|at| &account[at].messages);
            !uids
                .iter()
                .all(|uid| known.is_some_and(|known| known.contains_key(uid)))
        };
        let excused = match &command.act {
            Act::Fetch { uids, .. } | Act::Store { uids, .. } | Act::Copy { uids, .. } => {
                missing(uids, account)
            }
            _ => false,
        };
        if !ok && !excused {
            return Err("not OK".into());
        }
        match &command.act {
            Act::Open {
                mailbox,
                read_only,
                since,
            } => {
                self.selected = Some((*mailbox, *read_only));
                let mailbox = &mut account[*mailbox];
                if mailbox.validity == 0 {
                    mailbox.validity = self.picture.validity;
                }
                if mailbox.validity != self.picture.validity {
                    return Err("another UIDVALIDITY".into());
                }
                let highest = heard.highest.ok_or("no HIGHESTMODSEQ")?;
                mailbox.told_highest(highest)?;
                if let Some((since, known)) = since {
                    // "If the client does not provide the list of known UIDs, the server acts as if the client has
                    // specified 1:<maxuid>" (RFC 7162 §3.2.5.1).
                    let all = (1..mailbox.next).collect();
                    let known = if known.is_empty() { &all } else { known };
                    mailbox.changed_since(*since, known, &heard.fetched)?;
                    mailbox.vanished_since(*since, known, &heard.earlier)?;
                }
            }
            Act::Fetch { uids, seen, since } => {
                let mailbox = &mut account[here.unwrap()];
                let there: BTreeSet<u32> = uids
                    .iter()
                    .copied()
                    .filter(|uid| mailbox.messages.contains_key(uid))
                    .collect();
                if *seen && !read_only {
                    let flag = Flags::from(["\\Seen".to_owned()]);
                    for uid in &there {
                        mailbox.store(*uid, '+', &flag);
                    }
                }
                match since {
                    None => {
                        if let Some(uid) = there.iter().find(|uid| !heard.fetched.contains(uid)) {
                            return Err(format!("UID {uid} was not told"));
                        }
                    }
                    Some((since, vanished)) => {
                        // A message that was changed and changed back while nobody looked is as the client believes.
                        let is_news = |uid: &u32| {
                            heard.fetched.contains(uid)
                                || before.flags(*uid) != Some(&mailbox.messages[uid].flags)
                                || before.modseq(*uid) == Some(mailbox.messages[uid].modseq.most)
                        };
                        let there = there.into_iter().filter(is_news).collect();
                        mailbox.changed_since(*since, &there, &heard.fetched)?;
                        if *vanished {
                            // What came and went while nobody looked is above all that the client knows.
                            let known = before.uids();
                            let last = known.last().copied().unwrap_or(0);
                            let is_asked = |uid: &u32| {
                                !known.contains(uid)
                                    && (*uid <= last || heard.earlier.contains(uid))
                            };
                            let asked = (1..mailbox.next).filter(is_asked);
                            mailbox.vanished_since(*since, &asked.collect(), &heard.earlier)?;
                        }
                    }
                }
            }
            Act::Search(key) => {
                self.judge_search(command, key, before, &mut account[here.unwrap()])?
            }
            Act::Status(of) => {
                let mailbox = &mut account[*of];
                for (name, value) in &heard.status {
                    match name.as_str() {
                        "HIGHESTMODSEQ" => mailbox.told_highest(*value)?,
                        name if mailbox.status(name) != *value => {
                            return Err(format!("{name} is {}", mailbox.status(name)));
                        }
                        _ => {}
                    }
                }
                self.kind = self.kind.max(Kind::Condstore);
                self.picture.condstore = true;
            }
            _ => {}
        }
        let answer = Answer {
            heard: &heard,
            tagged,
            before,
        };
        self.apply(command, ok, Some(answer), account)?;
        if matches!(command.act, Act::Close | Act::Unselect) {
            self.leave();
        }
        let complete = !self.during(command).holds_numbers;
        self.settle(account, complete)?;
        match complete {
            true => self.check(account),
            false => Ok(()),
        }
    }

    /// What was told of mod-sequences is compared with the model.
    fn settle(&mut self, account: &mut [Mailbox], complete: bool) -> Rule {
        let Some((mailbox, _)) = self.selected else {
            return Ok(());
        };
        let heard = &self.picture.heard;
        let mailbox = &mut account[mailbox];
        for (uid, modseq) in &heard.modseqs {
            mailbox.told(*uid, *modseq)?;
        }
        if let Some(highest) = heard.highest
            && complete
            && heard.settled
        {
            mailbox.told_highest(highest)?;
        }
        Ok(())
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

    /// After a FETCH by number: the picture has messages that are gone, but lacks none that it was told.
    pub fn check_what_is_there(&mut self, account: &mut [Mailbox]) -> Rule {
        let Some((at, _)) = self.selected else {
            return Ok(());
        };
        let known = &account[at].messages;
        for entry in &self.picture.entries {
            let there = entry.uid.and_then(|uid| known.get(&uid));
            if let Some(there) = there
                && (entry.flags.as_ref() != Some(&there.flags)
                    || entry.mark.as_ref() != Some(&there.mark))
            {
                return Err(format!("{}: {entry:?} is {there:?}", self.name));
            }
        }
        Ok(())
    }

    /// What a command does to the account. `answer` is what the client has heard of it, unless that was lost.
    pub fn apply(
        &mut self,
        command: &Command,
        ok: bool,
        answer: Option<Answer>,
        account: &mut [Mailbox],
    ) -> Rule {
        let Some(here) = self.selected.map(|(mailbox, _)| mailbox) else {
            if let Act::Append { to, messages } = &command.act {
                return append(&mut account[*to], messages, answer);
            }
            return Ok(());
        };
        match &command.act {
            Act::Store {
                uids,
                action,
                flags,
                silent,
                unchanged,
            } => {
                let mut modified = BTreeSet::new();
                if let Some(answer) = &answer
                    && let Some((_, rest)) = answer.tagged.split_once("[MODIFIED ")
                {
                    let numbers = list(rest.split(']').next().unwrap_or_default())?;
                    let entries = &self.picture.entries;
                    modified = match command.by_uid {
                        true => numbers.into_iter().collect(),
                        false => numbers
                            .iter()
                            .filter_map(|number| entries.get(*number as usize - 1)?.uid)
                            .collect(),
                    };
                    if !modified.is_subset(uids) {
                        return Err(format!("{modified:?} were not named"));
                    }
                }
                for uid in uids {
                    if let Some(unchanged) = unchanged
                        && let Some(message) = account[here].messages.get_mut(uid)
                    {
                        // "a server implementation SHOULD avoid generating spurious MODIFIED responses for +FLAGS/-FLAGS
                        // STORE operations" (RFC 7162 §3.1.3): where other flags have changed than these.
                        let modified = modified.contains(uid);
                        let was = answer.as_ref().and_then(|answer| answer.before.flags(*uid));
                        let others = *action != '='
                            && was.is_some_and(|was| {
                                let same =
                                    |flag| was.contains(flag) == message.flags.contains(flag);
                                flags.iter().all(same)
                            });
                        if modified || !others {
                            let above = message.modseq.is_above(*unchanged, modified);
                            above.map_err(|rule| format!("UID {uid}: {rule}"))?;
                        }
                    }
                    if modified.contains(uid) {
                        continue;
                    }
                    account[here].store(*uid, *action, flags);
                    if *silent && unchanged.is_some() && answer.is_some() {
                        self.picture.stored(*uid, *action, flags);
                    }
                }
            }
            Act::Copy { uids, to, moves } if ok => {
                let from: Vec<u32> = uids
                    .iter()
                    .copied()
                    .filter(|uid| account[here].messages.contains_key(uid))
                    .collect();
                let mut made = Vec::new();
                for uid in &from {
                    let message = account[here].messages[uid].clone();
                    made.push(account[*to].add(&message.mark, message.flags));
                }
                if *moves {
                    for uid in &from {
                        account[here].remove(*uid);
                    }
                }
                if let Some(Answer { heard, .. }) = answer
                    && !from.is_empty()
                    && heard.copied != Some((from.clone(), made.clone()))
                {
                    return Err(format!("COPYUID {:?}, not {from:?} {made:?}", heard.copied));
                }
            }
            Act::Append { to, messages } => append(&mut account[*to], messages, answer)?,
            Act::Expunge(uids) => {
                for uid in account[here].deleted() {
                    if uids.as_ref().is_none_or(|uids| uids.contains(&uid)) {
                        account[here].remove(uid);
                    }
                }
            }
            Act::Close if !self.is_read_only() => {
                for uid in account[here].deleted() {
                    account[here].remove(uid);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn judge_search(
        &self,
        command: &Command,
        key: &Key,
        before: &Picture,
        mailbox: &mut Mailbox,
    ) -> Rule {
        let found = self.picture.heard.found.clone().ok_or("no SEARCH")?;
        let found: BTreeSet<u32> = match command.by_uid {
            true => found,
            false => {
                let uid = |number: &u32| self.picture.entries.get(*number as usize - 1)?.uid;
                found.iter().filter_map(uid).collect()
            }
        };
        for entry in &before.entries {
            let (Some(uid), Some(flags)) = (entry.uid, &entry.flags) else {
                continue;
            };
            let Some(message) = mailbox.messages.get_mut(&uid) else {
                continue;
            };
            if message.flags != *flags {
                continue; // either way: the client has not heard of it yet
            }
            let is_known =
                |modseq: u64| message.modseq.above < modseq && modseq == message.modseq.most;
            if matches!(key, Key::Modseq(_)) && !entry.modseq.is_some_and(is_known) {
                continue;
            }
            let told = found.contains(&uid);
            let fits = match key {
                Key::All => told,
                Key::Flag(flag, set) => told == (flags.contains(*flag) == *set),
                Key::Modseq(modseq) => message
                    .modseq
                    .is_above(modseq.saturating_sub(1), told)
                    .is_ok(),
            };
            if !fits {
                return Err(format!("UID {uid} found: {told}, {message:?}"));
            }
        }
        Ok(())
    }

    /// The picture is the model's, as far as it is known.
    pub fn check(&mut self, account: &mut [Mailbox]) -> Rule {
        let Some((at, _)) = self.selected else {
            return Ok(());
        };
        let mailbox = &mut account[at];
        if !self.agrees_so_far(mailbox) {
            return Err(format!(
                "{}: the picture of {} is not the model's:\n{}",
                self.name,
                mailbox.name,
                self.difference(mailbox)
            ));
        }
        for entry in &self.picture.entries {
            let Some(uid) = entry.uid else { continue };
            if let Some(modseq) = entry.modseq
                && modseq > mailbox.messages[&uid].modseq.most
            {
                return Err(format!("{}: UID {uid} has MODSEQ {modseq}", self.name));
            }
            if let Some(mark) = &entry.mark
                && *mark != mailbox.messages[&uid].mark
            {
                return Err(format!("{}: UID {uid} is {mark}", self.name));
            }
        }
        Ok(())
    }

    /// How the picture and the model differ.
    fn difference(&self, mailbox: &Mailbox) -> String {
        let mut text = format!(
            "  told {} messages, {} are there\n",
            self.picture.entries.len(),
            mailbox.messages.len()
        );
        for entry in &self.picture.entries {
            let there = entry.uid.and_then(|uid| mailbox.messages.get(&uid));
            if there.is_none() || there.map(|one| &one.flags) != entry.flags.as_ref() {
                text += &format!("  told {entry:?}\n  and is {there:?}\n");
            }
        }
        let known = self.picture.uids();
        let untold = mailbox
            .messages
            .iter()
            .filter(|(uid, _)| !known.contains(uid));
        untold.for_each(|one| text += &format!("  not told: {one:?}\n"));
        text
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

fn append(mailbox: &mut Mailbox, messages: &[(String, Flags)], answer: Option<Answer>) -> Rule {
    let made: Vec<u32> = messages
        .iter()
        .map(|(mark, flags)| mailbox.add(mark, flags.clone()))
        .collect();
    match answer {
        Some(Answer { heard, .. }) if heard.appended != made => {
            Err(format!("APPENDUID {:?}, not {made:?}", heard.appended))
        }
        _ => Ok(()),
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
