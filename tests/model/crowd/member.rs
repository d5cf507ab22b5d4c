//! A client among others: random commands about its own messages, and what comes of them.

use std::collections::BTreeSet;
use std::time::Instant;

use super::owner::{Effect, Key, OWN, Owner};
use crate::harness::{Server, message};
use crate::picture::{Flags, list, set};
use crate::session::{Act, Command, Key as Sought, Kind, Rule, Session};
use crate::steps::BOXES;

/// A client.
pub struct Member {
    pub session: Session,
    pub owner: Owner,
}

/// Whether the server is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Alive {
    Lives,
    Dead,
}

impl Member {
    /// Commands until then, or until the server is dead.
    pub fn work(&mut self, server: &Server, until: Instant, mortal: bool) -> Rule {
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

    pub fn step(&mut self, server: &Server, mortal: bool) -> Result<Alive, String> {
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
    pub fn perform(
        &mut self,
        commands: &[(Command, Effect)],
        mortal: bool,
    ) -> Result<bool, String> {
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

    pub fn judge(&mut self, command: &Command, effect: &Effect, tagged: &str) -> Rule {
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
    pub fn known(&self, here: usize) -> Vec<(Key, u32)> {
        let entries = self.session.picture.entries.iter();
        let known = entries.filter_map(|one| Some(((one.mark.clone()?, here), one.uid?)));
        known
            .filter(|(key, _)| self.owner.own.contains_key(key))
            .collect()
    }

    pub fn command(&mut self) -> (Command, Effect) {
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

    pub fn store(&mut self, mut known: Vec<(Key, u32)>, kind: Kind) -> (Command, Effect) {
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

    pub fn open(&mut self) -> Command {
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

pub fn keys(effect: &Effect) -> BTreeSet<Key> {
    match effect {
        Effect::Nothing => BTreeSet::new(),
        Effect::Append(key, _) => BTreeSet::from([key.clone()]),
        Effect::Store(keys, ..) | Effect::Gone(keys) => keys.iter().cloned().collect(),
        Effect::Copy(key, to) | Effect::Move(key, to) => {
            BTreeSet::from([key.clone(), (key.0.clone(), *to)])
        }
    }
}
