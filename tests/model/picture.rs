//! What a client believes of a mailbox from nothing but what the server has told it, as a client that keeps its copy
//! over connections does (RFC 7162 §6), and the rules that the server's responses keep.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::client::split_values;

/// Flags without `\Recent`.
pub type Flags = BTreeSet<String>;

/// One message, as far as the client has heard.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    /// `None` too where the client has changed flags and was not told the new one yet.
    pub modseq: Option<u64>,
    /// Its Subject: stands for the body, and is fetched once.
    pub mark: Option<String>,
}

/// What a client has asked for, and so what it may hear.
#[derive(Clone, Copy, Debug, Default)]
pub struct During {
    /// FETCH, STORE or SEARCH by number: nothing may be told as expunged.
    pub holds_numbers: bool,
    /// A FETCH that the client asked for.
    pub fetches: bool,
    /// `VANISHED (EARLIER)` may come.
    pub earlier: bool,
}

/// What has been heard while one command was answered.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// MODSEQ by UID, the last that was told.
    pub modseqs: BTreeMap<u32, u64>,
    /// HIGHESTMODSEQ.
    pub highest: Option<u64>,
    /// UIDs with FETCH responses, of those whose UID is known.
    pub fetched: BTreeSet<u32>,
    pub earlier: BTreeSet<u32>,
    pub found: Option<BTreeSet<u32>>,
    pub found_modseq: Option<u64>,
    pub status: BTreeMap<String, u64>,
    /// COPYUID without UIDVALIDITY.
    pub copied: Option<(Vec<u32>, Vec<u32>)>,
    /// APPENDUID.
    pub appended: Vec<u32>,
    /// The numbers of FETCH responses that named a UID, while a mailbox is opened.
    numbers: Vec<(usize, u32)>,
    /// Nothing else came after HIGHESTMODSEQ.
    pub settled: bool,
    exists: usize,
    /// The highest MODSEQ.
    shown: u64,
}

/// A client's copy of a mailbox.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub entries: Vec<Entry>,
    pub validity: u32,
    /// The mod-sequence to go on from.
    pub modseq: u64,
    /// The client hears of mod-sequences, and of expunges by UID.
    pub condstore: bool,
    pub qresync: bool,
    pub heard: Heard,
    /// Nothing was forgotten when the connection ended.
    pub is_whole: bool,
    opening: bool,
    /// It is opened without known UIDs, and all may be told.
    blank: bool,
}

type Rule = Result<(), String>;

fn ensure(holds: bool, rule: impl FnOnce() -> String) -> Rule {
    if holds { Ok(()) } else { Err(rule()) }
}

impl Picture {
    pub fn uids(&self) -> BTreeSet<u32> {
        self.entries.iter().filter_map(|entry| entry.uid).collect()
    }

    /// The number of the first message of which the UID, the flags or the mark are not known.
    pub fn unknown(&self) -> Option<usize> {
        let is_unknown =
            |entry: &Entry| entry.uid.is_none() || entry.flags.is_none() || entry.mark.is_none();
        self.entries.iter().position(is_unknown).map(|at| at + 1)
    }

    /// A message's flags, as far as they are known.
    pub fn flags(&self, uid: u32) -> Option<&Flags> {
        let entry = self.entries.iter().find(|entry| entry.uid == Some(uid));
        entry?.flags.as_ref()
    }

    /// A message's mod-sequence, as far as it is known.
    pub fn modseq(&self, uid: u32) -> Option<u64> {
        let entry = self.entries.iter().find(|entry| entry.uid == Some(uid));
        entry?.modseq
    }

    fn entry(&mut self, uid: u32) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.uid == Some(uid))
    }

    /// The connection has ended: what lies above a message that is not known is forgotten, for the client would take
    /// it for the last that it knows, and ask for those above it only.
    pub fn close(&mut self) {
        let is_known = |entry: &Entry| entry.uid.is_some() && entry.flags.is_some();
        let known = self.entries.iter().take_while(|entry| is_known(entry));
        let known = known.count();
        self.is_whole = known == self.entries.len();
        self.entries.truncate(known);
        self.heard = Heard::default();
    }

    pub fn begin(&mut self, opening: bool) {
        self.heard = Heard::default();
        self.opening = opening;
        self.blank = opening && self.entries.is_empty();
    }

    /// Takes in one untagged response.
    pub fn hear(&mut self, line: &str, during: During) -> Rule {
        let rest = line.strip_prefix("* ").ok_or("no *")?;
        self.heard.settled = false;
        let (word, more) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Ok(number) = word.parse::<usize>() {
            let (kind, items) = more.split_once(' ').unwrap_or((more, ""));
            return match kind {
                "EXISTS" => self.exists(number),
                "RECENT" => Ok(()),
                "EXPUNGE" => {
                    ensure(!self.qresync, || "EXPUNGE where VANISHED is due".into())?;
                    ensure(!during.holds_numbers, || "EXPUNGE now".into())?;
                    let is_there = (1..=self.entries.len()).contains(&number);
                    ensure(is_there, || format!("EXPUNGE {number}"))?;
                    self.entries.remove(number - 1);
                    Ok(())
                }
                "FETCH" => self.fetch(number, items, during),
                _ => Err("an unknown response".into()),
            };
        }
        match word {
            "VANISHED" => self.vanished(more, during),
            "OK" | "NO" => self.code(more),
            "FLAGS" | "CAPABILITY" | "ENABLED" => Ok(()),
            "SEARCH" => self.search(more),
            "STATUS" => self.status(more),
            _ => Err("an unknown response".into()),
        }
    }

    fn exists(&mut self, number: usize) -> Rule {
        if self.opening {
            self.heard.exists = number;
            return Ok(());
        }
        let known = self.entries.len();
        ensure(number >= known, || format!("{number} EXISTS, of {known}"))?;
        self.entries.resize_with(number, Entry::default);
        Ok(())
    }

    /// A response code, tagged or not.
    pub fn code(&mut self, text: &str) -> Rule {
        let Some((code, _)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) else {
            return Ok(());
        };
        let words: Vec<&str> = code.split(' ').collect();
        match words[..] {
            ["HIGHESTMODSEQ", number] => {
                self.heard.highest = Some(parse(number)?);
                self.heard.settled = true;
            }
            ["UIDVALIDITY", number] => {
                let validity = parse(number)? as u32;
                let same = self.validity == 0 || self.validity == validity;
                ensure(same, || "another UIDVALIDITY".into())?;
                self.validity = validity;
            }
            ["COPYUID", _, from, to] => self.heard.copied = Some((list(from)?, list(to)?)),
            ["APPENDUID", _, uids] => self.heard.appended = list(uids)?,
            ["NOMODSEQ"] => return Err("no mod-sequences".into()),
            _ => {}
        }
        Ok(())
    }

    fn fetch(&mut self, number: usize, items: &str, during: During) -> Rule {
        let inside = items
            .strip_prefix('(')
            .and_then(|items| items.strip_suffix(')'));
        let values = split_values(inside.ok_or("no list")?);
        let mut told = Entry::default();
        for pair in values.chunks(2) {
            let [name, value] = pair else {
                return Err("an item without a value".into());
            };
            match name.as_str() {
                "UID" => told.uid = Some(parse(value)? as u32),
                "FLAGS" => {
                    let flags = value.trim_matches(['(', ')']).split_whitespace();
                    let flags = flags.filter(|flag| *flag != "\\Recent");
                    told.flags = Some(flags.map(str::to_owned).collect());
                }
                "MODSEQ" => told.modseq = Some(parse(value.trim_matches(['(', ')']))?),
                _ if value.contains("Subject: ") => {
                    let rest = value.split("Subject: ").nth(1).unwrap_or_default();
                    told.mark = rest.split('\r').next().map(str::to_owned);
                }
                // It is gone, and the client has not heard of it.
                _ if value == "NIL" => {}
                _ => return Err(format!("unasked {name}")),
            }
        }
        // RFC 7162 §3.1, §3.2.4: "MUST then include mod-sequence data in all subsequent untagged FETCH responses", and
        // after ENABLE QRESYNC the UID.
        if !during.fetches && self.condstore {
            ensure(told.modseq.is_some(), || "a change without MODSEQ".into())?;
        }
        if !during.fetches && self.qresync {
            ensure(told.uid.is_some(), || "a change without a UID".into())?;
        }
        if let Some(modseq) = told.modseq {
            self.heard.shown = self.heard.shown.max(modseq);
        }
        if self.opening {
            let uid = told
                .uid
                .ok_or("FETCH without UID while a mailbox is opened")?;
            self.heard.numbers.push((number, uid));
            let at = self.entries.partition_point(|entry| entry.uid < Some(uid));
            let entry = self.entries.get(at);
            if entry.is_none_or(|entry| entry.uid != Some(uid)) {
                ensure(self.blank, || format!("UID {uid} was not asked for"))?;
                self.entries.insert(at, Entry::default());
            }
            return self.learn(at, told);
        }
        let is_there = (1..=self.entries.len()).contains(&number);
        ensure(is_there, || format!("FETCH {number}"))?;
        self.learn(number - 1, told)
    }

    /// One message's news.
    fn learn(&mut self, at: usize, told: Entry) -> Rule {
        let before = at.checked_sub(1).and_then(|at| self.entries[at].uid);
        let after = self.entries.get(at + 1).and_then(|next| next.uid);
        let entry = &mut self.entries[at];
        if let Some(uid) = told.uid {
            let fits = entry.uid.is_none_or(|known| known == uid);
            ensure(fits, || format!("number {} was {:?}", at + 1, entry.uid))?;
            let ascends = before < Some(uid) && after.is_none_or(|after| uid < after);
            ensure(ascends, || {
                format!("UID {uid} between {before:?} and {after:?}")
            })?;
            entry.uid = told.uid;
        }
        if let (Some(known), Some(modseq)) = (entry.modseq, told.modseq) {
            ensure(modseq >= known, || format!("MODSEQ was {known}"))?;
            if let (Some(known), Some(flags)) = (&entry.flags, &told.flags)
                && entry.modseq == told.modseq
            {
                ensure(known == flags, || {
                    format!("flags were {known:?} with the same MODSEQ")
                })?;
            }
        }
        if told.flags.is_some() && told.modseq.is_none() && told.flags != entry.flags {
            entry.modseq = None;
        }
        if told.modseq.is_some()
            && told.flags.is_none()
            && entry.modseq.is_some_and(|known| told.modseq > Some(known))
        {
            // Only the client's own change may have raised it.
            entry.modseq = None;
        }
        if let Some(known) = &entry.mark
            && let Some(mark) = &told.mark
        {
            ensure(known == mark, || format!("it was {known}"))?;
        }
        entry.modseq = told.modseq.or(entry.modseq);
        entry.flags = told.flags.or(entry.flags.take());
        entry.mark = told.mark.or(entry.mark.take());
        if let Some(uid) = entry.uid {
            self.heard.fetched.insert(uid);
            if let Some(modseq) = told.modseq {
                self.heard.modseqs.insert(uid, modseq);
            }
        }
        Ok(())
    }

    fn vanished(&mut self, text: &str, during: During) -> Rule {
        ensure(self.qresync, || "VANISHED unasked".into())?;
        if let Some(set) = text.strip_prefix("(EARLIER) ") {
            ensure(during.earlier, || "VANISHED (EARLIER) now".into())?;
            let uids: BTreeSet<u32> = list(set)?.into_iter().collect();
            // RFC 7162 §3.2.6: "MUST be returned before any FETCH responses".
            let first = self.heard.fetched.is_empty() && self.heard.earlier.is_empty();
            ensure(first, || "VANISHED (EARLIER) too late".into())?;
            if self.opening {
                self.entries
                    .retain(|entry| entry.uid.is_none_or(|uid| !uids.contains(&uid)));
            } else {
                let mut known = self.entries.iter().filter_map(|entry| entry.uid);
                let both = known.find(|uid| uids.contains(uid));
                ensure(both.is_none(), || format!("{both:?} is in the picture"))?;
            }
            self.heard.earlier = uids;
            return Ok(());
        }
        ensure(!during.holds_numbers && !self.opening, || {
            "VANISHED now".into()
        })?;
        for uid in list(text)? {
            let at = match self.entries.iter().position(|entry| entry.uid == Some(uid)) {
                Some(at) => at,
                // One of those of which only the number is known: those between lower and higher UIDs.
                None => {
                    let first = self
                        .entries
                        .iter()
                        .rposition(|entry| entry.uid.is_some_and(|known| known < uid))
                        .map_or(0, |at| at + 1);
                    let blank = self.entries.get(first).is_some_and(|one| one.uid.is_none());
                    ensure(blank, || format!("VANISHED {uid}, which was not there"))?;
                    first
                }
            };
            self.entries.remove(at);
        }
        Ok(())
    }

    fn search(&mut self, text: &str) -> Rule {
        let (numbers, modseq) = text.split_once("(MODSEQ ").unwrap_or((text, ""));
        let numbers = numbers.split_whitespace();
        let numbers: Result<_, _> = numbers
            .map(|number| parse(number).map(|one| one as u32))
            .collect();
        ensure(self.heard.found.is_none(), || "SEARCH twice".into())?;
        self.heard.found = Some(numbers?);
        if !modseq.is_empty() {
            self.heard.found_modseq = Some(parse(modseq.trim_end_matches(')'))?);
        }
        Ok(())
    }

    fn status(&mut self, text: &str) -> Rule {
        let (_, items) = text.split_once(" (").ok_or("STATUS without items")?;
        let words: Vec<&str> = items.trim_end_matches(')').split(' ').collect();
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                return Err("an item without a value".into());
            };
            self.heard.status.insert((*name).to_owned(), parse(value)?);
        }
        Ok(())
    }

    /// A command is done.
    pub fn end(&mut self, done: bool) -> Rule {
        if self.opening && done {
            self.opening = false;
            let (known, exists) = (self.entries.len(), self.heard.exists);
            ensure(known <= exists, || {
                format!("{exists} EXISTS, but {known} are left that were known")
            })?;
            self.entries.resize_with(exists, Entry::default);
            for (number, uid) in std::mem::take(&mut self.heard.numbers) {
                let at = self.entries.get(number.wrapping_sub(1));
                let fits = at.is_some_and(|entry| entry.uid == Some(uid));
                ensure(fits, || format!("UID {uid} is not number {number}"))?;
            }
        }
        // RFC 7162 §6: "the client MUST use it even if it has seen higher mod-sequences".
        self.modseq = match self.heard.highest {
            Some(highest) => highest,
            None => self.modseq.max(self.heard.shown),
        };
        Ok(())
    }

    /// The highest mod-sequence that was told with the last command.
    pub fn highest(&self) -> u64 {
        self.heard.shown.max(self.heard.highest.unwrap_or(0))
    }

    /// The client's own STORE was cut off: what it believes is what it believed before.
    pub fn doubt(&mut self, uid: u32, before: &Picture) {
        let flags = before.flags(uid).cloned();
        if let Some(entry) = self.entry(uid) {
            (entry.flags, entry.modseq) = (flags.or(entry.flags.take()), None);
        }
    }

    /// The client's own STORE, which it does not hear of.
    pub fn stored(&mut self, uid: u32, action: char, flags: &Flags) {
        if let Some(entry) = self.entry(uid)
            && let Some(known) = &mut entry.flags
        {
            let before = known.clone();
            change(known, action, flags);
            if *known != before {
                entry.modseq = None;
            }
        }
    }
}

/// STORE's `+`, `-`, or `=` for replacement.
pub fn change(known: &mut Flags, action: char, flags: &Flags) {
    match action {
        '+' => known.extend(flags.iter().cloned()),
        '-' => known.retain(|flag| !flags.contains(flag)),
        _ => known.clone_from(flags),
    }
}

pub fn parse(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

/// The numbers of a set.
pub fn list(set: &str) -> Result<Vec<u32>, String> {
    let mut all = Vec::new();
    for range in set.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let (first, last) = (parse(first)? as u32, parse(last)? as u32);
        ensure(last - first < 1_000_000, || format!("{range} is large"))?;
        all.extend(first..=last);
    }
    Ok(all)
}

/// A set of numbers as it is written.
pub fn set(numbers: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let ranges = ranges.iter().map(|&(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    });
    ranges.collect::<Vec<_>>().join(",")
}
