//! What each command does to the account, by the model, and what the server must and may say of it.

use std::collections::BTreeSet;

use super::{Act, Answer, Command, Key, Kind, Rule, Session};
use crate::account::Mailbox;
use crate::picture::{Flags, Picture, list};

impl Session {
    /// The model does it, and is compared with the answer.
    pub(super) fn judge(
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
                // News come with it all the same.
                false => self.settle(account, false),
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
    pub(super) fn settle(&mut self, account: &mut [Mailbox], complete: bool) -> Rule {
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
        // Whatever was told was given.
        mailbox.highest = mailbox.highest.max(self.picture.highest());
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

    pub(super) fn judge_search(
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
    pub(super) fn difference(&self, mailbox: &Mailbox) -> String {
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
