//! The reference model: what is in an account's mailboxes, by the RFCs alone.
//!
//! Mod-sequences are the server's own; the model knows bounds of each, which what clients are told makes closer.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{Flags, change};

/// Above the first, at most the second.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub above: u64,
    pub most: u64,
}

impl Bounds {
    fn new(above: u64) -> Bounds {
        Bounds {
            above,
            most: u64::MAX,
        }
    }

    /// It is this one.
    fn is(&mut self, modseq: u64) -> Result<(), String> {
        let fits = self.above < modseq && modseq <= self.most;
        if !fits {
            return Err(format!("MODSEQ {modseq}, but {self:?}"));
        }
        (self.above, self.most) = (modseq - 1, modseq);
        Ok(())
    }

    /// Whether it is above one: the server says so, or not.
    pub fn is_above(&mut self, modseq: u64, said: bool) -> Result<(), String> {
        let possible = match said {
            true => self.most > modseq,
            false => self.above < modseq,
        };
        if !possible {
            return Err(format!("is above {modseq}: {said}, but {self:?}"));
        }
        match said {
            true => self.above = self.above.max(modseq),
            false => self.most = self.most.min(modseq),
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub struct Message {
    pub mark: String,
    pub flags: Flags,
    pub modseq: Bounds,
}

#[derive(Debug)]
pub struct Mailbox {
    pub name: &'static str,
    pub validity: u32,
    pub next: u32,
    pub messages: BTreeMap<u32, Message>,
    /// What is gone, and since when.
    pub gone: BTreeMap<u32, Bounds>,
    /// The highest mod-sequence that anybody was told.
    pub highest: u64,
    /// VANISHED is exact for this mod-sequence and those above.
    exact: u64,
    /// The highest that was told before the history was lost.
    lost: u64,
    /// Whether something has changed since `highest` was told.
    changed: bool,
}

impl Mailbox {
    pub fn new(name: &'static str) -> Mailbox {
        Mailbox {
            name,
            validity: 0,
            next: 1,
            messages: BTreeMap::new(),
            gone: BTreeMap::new(),
            highest: 0,
            exact: 0,
            lost: 0,
            changed: true,
        }
    }

    pub fn add(&mut self, mark: &str, flags: Flags) -> u32 {
        let uid = self.next;
        self.next += 1;
        self.changed = true;
        let message = Message {
            mark: mark.to_owned(),
            flags,
            modseq: Bounds::new(self.highest),
        };
        self.messages.insert(uid, message);
        uid
    }

    pub fn remove(&mut self, uid: u32) -> Option<Message> {
        self.changed = true;
        self.gone.insert(uid, Bounds::new(self.highest));
        self.messages.remove(&uid)
    }

    /// `+`, `-` or `=`: whether that changed anything.
    pub fn store(&mut self, uid: u32, action: char, flags: &Flags) -> bool {
        let Some(message) = self.messages.get_mut(&uid) else {
            return false;
        };
        let before = message.flags.clone();
        change(&mut message.flags, action, flags);
        if message.flags == before {
            return false;
        }
        message.modseq = Bounds::new(self.highest);
        self.changed = true;
        true
    }

    /// Somebody was told a message's mod-sequence.
    pub fn told(&mut self, uid: u32, modseq: u64) -> Result<(), String> {
        self.note_given(modseq);
        self.highest = self.highest.max(modseq);
        match self.messages.get_mut(&uid) {
            Some(message) => {
                let told = message.modseq.is(modseq);
                told.map_err(|rule| format!("UID {uid} of {}: {rule}", self.name))
            }
            None => Ok(()),
        }
    }

    /// The history begins with what was given first since it was lost.
    fn note_given(&mut self, modseq: u64) {
        if modseq > self.lost {
            self.exact = self.exact.min(modseq);
        }
    }

    /// Somebody was told HIGHESTMODSEQ and knows of everything.
    pub fn told_highest(&mut self, modseq: u64) -> Result<(), String> {
        if modseq < self.highest || !self.changed && modseq != self.highest {
            let (name, highest, changed) = (self.name, self.highest, self.changed);
            return Err(format!(
                "HIGHESTMODSEQ {modseq} of {name}: it was {highest}, changed since: {changed}"
            ));
        }
        self.note_given(modseq);
        self.highest = modseq;
        self.changed = false;
        let all = self
            .messages
            .values_mut()
            .map(|message| &mut message.modseq);
        for bounds in all.chain(self.gone.values_mut()) {
            bounds.most = bounds.most.min(modseq);
        }
        Ok(())
    }

    /// What the server said has changed since then, of those that the client asked for.
    pub fn changed_since(
        &mut self,
        since: u64,
        asked: &BTreeSet<u32>,
        told: &BTreeSet<u32>,
    ) -> Result<(), String> {
        // "never given": everything has changed.
        let given = since <= self.highest;
        for (uid, message) in &mut self.messages {
            if !asked.contains(uid) {
                continue;
            }
            let told = told.contains(uid);
            let fits = match given {
                true => message.modseq.is_above(since, told),
                false if told => Ok(()),
                false => Err("not told, though the mod-sequence was never given".into()),
            };
            fits.map_err(|rule| format!("UID {uid} of {}: {rule}", self.name))?;
        }
        Ok(())
    }

    /// What the server said has vanished since then.
    pub fn vanished_since(
        &mut self,
        since: u64,
        asked: &BTreeSet<u32>,
        told: &BTreeSet<u32>,
    ) -> Result<(), String> {
        if let Some(uid) = told.iter().find(|uid| !asked.contains(uid)) {
            return Err(format!("{uid} was not asked for"));
        }
        let exact = self.exact <= since && since <= self.highest;
        for uid in asked.iter().filter(|uid| **uid < self.next) {
            let told = told.contains(uid);
            let fits = match self.gone.get_mut(uid) {
                None => match told {
                    true => Err("told as gone".into()),
                    false => Ok(()),
                },
                Some(bounds) if exact => bounds.is_above(since, told),
                Some(_) if told => Ok(()),
                Some(bounds) if since <= self.highest => bounds.is_above(since, false),
                Some(_) => Err("not told as gone".into()),
            };
            fits.map_err(|rule| format!("UID {uid} of {}: {rule}", self.name))?;
        }
        Ok(())
    }

    /// What may be forgotten was: mod-sequences go on from a higher one, and what is gone is told again.
    pub fn forget(&mut self) {
        self.changed = true;
        (self.exact, self.lost) = (u64::MAX, self.highest);
        for message in self.messages.values_mut() {
            message.modseq = Bounds::new(message.modseq.above);
        }
    }

    pub fn status(&self, name: &str) -> u64 {
        let count = |wanted: &dyn Fn(&Message) -> bool| {
            self.messages.values().filter(|one| wanted(one)).count() as u64
        };
        match name {
            "MESSAGES" => count(&|_| true),
            "UNSEEN" => count(&|one| !one.flags.contains("\\Seen")),
            "DELETED" => count(&|one| one.flags.contains("\\Deleted")),
            "UIDNEXT" => u64::from(self.next),
            "UIDVALIDITY" => u64::from(self.validity),
            _ => panic!("{name}"),
        }
    }

    /// UIDs with `\Deleted`.
    pub fn deleted(&self) -> BTreeSet<u32> {
        let all = self.messages.iter();
        all.filter(|(_, one)| one.flags.contains("\\Deleted"))
            .map(|(uid, _)| *uid)
            .collect()
    }
}
