//! Who has messages: a client, or who works on the files. What came of them is known but for what was cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use super::There;
use crate::hands;
use crate::harness::{Chance, Maildir};
use crate::picture::{Flags, change};
use crate::session::{Rule, Session};
use crate::steps::{BOXES, KEYWORDS, SYSTEM};

/// A message's mark, and the mailbox that it is in.
pub type Key = (String, usize);

/// How many messages an owner has at most.
pub const OWN: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    pub flags: Flags,
    /// As it was told to its owner.
    pub uid: Option<u32>,
}

impl Own {
    pub fn may_be_gone(&self) -> bool {
        self.flags.contains("\\Deleted")
    }
}

/// What became of messages in one outcome of a command: `None` where one is not there.
pub type Outcome = Vec<(Key, Option<Own>)>;

#[derive(Clone, Debug)]
pub enum Effect {
    Nothing,
    Append(Key, Flags),
    Store(Vec<Key>, char, Flags),
    Copy(Key, usize),
    Move(Key, usize),
    Gone(Vec<Key>),
}

/// A client, or who works on the files.
pub struct Owner {
    pub own: BTreeMap<Key, Own>,
    /// Of each, one has come true.
    pub doubts: Vec<Vec<Outcome>>,
    pub chance: Chance,
    pub marks: u64,
    pub name: String,
}

impl Owner {
    pub fn new(name: String, seed: u64) -> Owner {
        Owner {
            own: BTreeMap::new(),
            doubts: Vec::new(),
            chance: Chance::new(seed),
            marks: 0,
            name,
        }
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.chance.below(limit.max(1) as u64) as usize
    }

    pub fn mark(&mut self) -> String {
        self.marks += 1;
        format!("{}n{}", self.name, self.marks)
    }

    pub fn flags(&mut self) -> Flags {
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

    pub fn has(&self, mark: &str, mailbox: usize) -> bool {
        self.own.contains_key(&(mark.to_owned(), mailbox))
    }

    /// What comes of it.
    pub fn outcomes(&self, effect: &Effect) -> Vec<[Outcome; 2]> {
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

    pub fn take(&mut self, outcome: Outcome) {
        for (key, own) in outcome {
            match own {
                Some(own) => self.own.insert(key, own),
                None => self.own.remove(&key),
            };
        }
    }

    /// It was done; `uid` is that of what came.
    pub fn done(&mut self, effect: &Effect, uid: Option<u32>) {
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
    pub fn doubt(&mut self, effect: &Effect) {
        for [was, done] in self.outcomes(effect) {
            let halves = match effect {
                Effect::Store(..) => halves(&was, &done),
                _ => Vec::new(),
            };
            self.doubts.push([vec![was], halves, vec![done]].concat());
        }
    }
}

/// What a STORE leaves that was cut off between a file's name and the keywords that no name tells: those are as before.
fn halves(was: &Outcome, done: &Outcome) -> Vec<Outcome> {
    let ([(key, Some(was))], [(_, Some(done))]) = (&was[..], &done[..]) else {
        return Vec::new();
    };
    let changed = was.flags.symmetric_difference(&done.flags);
    let keywords: Vec<&String> = changed.filter(|flag| !flag.starts_with('\\')).collect();
    let half = |late: u32| {
        let mut half = done.clone();
        let late = keywords
            .iter()
            .enumerate()
            .filter(|(at, _)| late >> at & 1 == 1);
        for (_, keyword) in late {
            match was.flags.contains(*keyword) {
                true => half.flags.insert((*keyword).clone()),
                false => half.flags.remove(*keyword),
            };
        }
        vec![(key.clone(), Some(half))]
    };
    (1..1 << keywords.len()).map(half).collect()
}

impl Owner {
    /// What is there is what it was told, or one of what may have come of what was cut off.
    pub fn compare(&self, there: &[There]) -> Rule {
        let doubtful: BTreeSet<&Key> = self
            .doubts
            .iter()
            .flat_map(|outcomes| outcomes.iter().flatten())
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
    pub fn settle(&mut self, there: &[There]) {
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

pub fn holds(outcome: &Outcome, there: &[There]) -> Rule {
    outcome
        .iter()
        .try_for_each(|(key, own)| fits(key, own.as_ref(), there))
}

pub fn fits(key: &Key, own: Option<&Own>, there: &[There]) -> Rule {
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

/// Deliveries, renames, removals and moves of messages that no client touches.
pub fn work_on_files(
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
