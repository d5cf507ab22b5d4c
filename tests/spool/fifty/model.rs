//! What a client believes of a mailbox from nothing but untagged responses, and the rules that these keep
//! (RFC 3501 §5.5, §7; RFC 4315; RFC 6851).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::known::code;
use crate::harness::client::split_values;

/// Flags without `\Recent`.
pub type Flags = BTreeSet<String>;

/// One message, as far as the client has heard.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
}

/// What a command permits the server to say while it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct During {
    /// Anything but FETCH, STORE and SEARCH by number.
    pub expunge: bool,
    /// A UID command: every FETCH response has the UID.
    pub by_uid: bool,
    /// A SEARCH.
    pub search: bool,
}

/// A client's picture of the selected mailbox.
#[derive(Debug, Default)]
pub struct Model {
    pub entries: Vec<Entry>,
    pub validity: u32,
    /// FLAGS.
    defined: Flags,
    /// UIDs told as expunged.
    pub gone: HashSet<u32>,
    /// Numbers or UIDs for which FETCH responses came since [`Model::begin`].
    pub fetched: BTreeSet<u32>,
    pub fetched_uids: BTreeSet<u32>,
    /// SEARCH responses since then.
    pub found: usize,
    /// `Subject` lines by UID, and UIDs with `\Recent`, since they were last taken away.
    pub subjects: Vec<(u32, String)>,
    pub recent: Vec<u32>,
    /// An untagged COPYUID.
    pub copied: Option<(u32, Vec<Vec<u32>>)>,
    /// EXPUNGE responses, all in all.
    pub expunges: usize,
}

impl Model {
    /// A command begins to be answered.
    pub fn begin(&mut self) {
        self.fetched.clear();
        self.fetched_uids.clear();
        self.found = 0;
        self.copied = None;
    }

    /// The mailbox is selected anew.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The UIDs known, by rising number.
    pub fn uids(&self) -> Vec<u32> {
        self.entries.iter().filter_map(|entry| entry.uid).collect()
    }

    /// The first number of which UID or flags are not known.
    pub fn unknown(&self) -> Option<usize> {
        let is_known = |entry: &Entry| entry.uid.is_some() && entry.flags.is_some();
        let at = self.entries.iter().position(|entry| !is_known(entry))?;
        Some(at + 1)
    }

    /// All of it, if nothing is unknown.
    pub fn picture(&self) -> Option<BTreeMap<u32, Flags>> {
        let pair = |entry: &Entry| Some((entry.uid?, entry.flags.clone()?));
        self.entries.iter().map(pair).collect()
    }

    /// What the client itself has changed and will not be told.
    pub fn change(&mut self, at: usize, action: char, named: &Flags) {
        let Some(flags) = &mut self.entries[at].flags else {
            return;
        };
        match action {
            '+' => flags.extend(named.iter().cloned()),
            '-' => flags.retain(|flag| !named.contains(flag)),
            _ => *flags = named.clone(),
        }
    }

    /// Takes an untagged response; the rule that it breaks, if it does. The UID it is about is given.
    pub fn hear(&mut self, line: &str, during: During) -> Result<Option<u32>, String> {
        let line = line.strip_prefix("* ").ok_or("neither tagged nor *")?;
        let mut words = line.splitn(3, ' ');
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if let Ok(number) = first.parse::<usize>() {
            return match second {
                "EXISTS" => self.exists(number).map(|()| None),
                "EXPUNGE" => self.expunge(number, during),
                "RECENT" if number > self.len() => Err("RECENT above EXISTS".into()),
                "RECENT" => Ok(None),
                "FETCH" => self.fetch(number, words.next().unwrap_or(""), during),
                _ => Err("an unknown response".into()),
            };
        }
        match first {
            "FLAGS" => {
                let list = line
                    .strip_prefix("FLAGS (")
                    .and_then(|list| list.strip_suffix(')'));
                self.defined = words_of(list.ok_or("no list of flags")?);
            }
            "SEARCH" => {
                self.found += 1;
                if !during.search || self.found > 1 {
                    return Err("a SEARCH response nobody asked for".into());
                }
                self.search(line, during)?;
            }
            "OK" => {
                self.copied = self.copied.take().or(code(line, "COPYUID"));
                if let Some(rest) = line.split("[UIDVALIDITY ").nth(1) {
                    let validity = rest
                        .split(']')
                        .next()
                        .and_then(|digits| digits.parse().ok());
                    self.validity = validity.ok_or("no UIDVALIDITY")?;
                }
            }
            _ => return Err("a response that should not come".into()),
        }
        Ok(None)
    }

    fn exists(&mut self, number: usize) -> Result<(), String> {
        if number < self.len() {
            return Err(format!("EXISTS fell from {}", self.len()));
        }
        self.entries.resize(number, Entry::default());
        Ok(())
    }

    fn expunge(&mut self, number: usize, during: During) -> Result<Option<u32>, String> {
        if !during.expunge {
            return Err("EXPUNGE during a command that forbids it".into());
        }
        if number == 0 || number > self.len() {
            return Err(format!("EXPUNGE of {number} out of {}", self.len()));
        }
        self.expunges += 1;
        let uid = self.entries.remove(number - 1).uid;
        self.gone.extend(uid);
        Ok(uid)
    }

    fn search(&self, line: &str, during: During) -> Result<(), String> {
        let numbers: Result<Vec<u32>, _> = line.split(' ').skip(1).map(str::parse).collect();
        let numbers = numbers.map_err(|_| "SEARCH of no numbers")?;
        if !numbers.is_sorted_by(|one, other| one < other) {
            return Err("SEARCH out of order".into());
        }
        let Some(last) = numbers.last() else {
            return Ok(());
        };
        if !during.by_uid && *last as usize > self.len() {
            return Err(format!("SEARCH found {last} out of {}", self.len()));
        }
        match numbers
            .iter()
            .find(|uid| during.by_uid && self.gone.contains(uid))
        {
            Some(uid) => Err(format!("UID SEARCH found {uid}, told as expunged")),
            None => Ok(()),
        }
    }

    fn fetch(&mut self, number: usize, items: &str, during: During) -> Result<Option<u32>, String> {
        if number == 0 || number > self.len() {
            return Err(format!("FETCH of {number} out of {}", self.len()));
        }
        let items = items
            .strip_prefix('(')
            .and_then(|items| items.strip_suffix(')'));
        let values = split_values(items.ok_or("FETCH without a list")?);
        let item = |name: &str| {
            let pair = values.chunks(2).find(|pair| pair[0] == name)?;
            pair.get(1)
        };
        if let Some(uid) = item("UID") {
            let uid = uid.parse().map_err(|_| "a UID that is no number")?;
            self.learn(number, uid)?;
        } else if during.by_uid {
            return Err("no UID in a FETCH response to a UID command".into());
        }
        let uid = self.entries[number - 1].uid;
        if let Some(list) = item("FLAGS") {
            let mut flags = words_of(list.trim_matches(['(', ')']));
            if flags.remove("\\Recent") {
                self.recent.extend(uid);
            }
            if let Some(unknown) = flags.difference(&self.defined).next() {
                return Err(format!("{unknown} before FLAGS has it: {:?}", self.defined));
            }
            self.entries[number - 1].flags = Some(flags);
        }
        if let Some(rest) = items.and_then(|items| items.split("Subject: ").nth(1))
            && let (Some(uid), Some(subject)) = (uid, rest.split('\r').next())
        {
            self.subjects.push((uid, subject.to_owned()));
        }
        self.fetched.insert(number as u32);
        self.fetched_uids.extend(uid);
        Ok(uid)
    }

    fn learn(&mut self, number: usize, uid: u32) -> Result<(), String> {
        let at = number - 1;
        match self.entries[at].uid {
            Some(known) if known == uid => return Ok(()),
            Some(known) => return Err(format!("message {number} had UID {known}, now {uid}")),
            None => {}
        }
        let below = self.entries[..at].iter().rev().find_map(|entry| entry.uid);
        let above = self.entries[at + 1..].iter().find_map(|entry| entry.uid);
        if below.is_some_and(|below| below >= uid) || above.is_some_and(|above| above <= uid) {
            return Err(format!("UID {uid} between {below:?} and {above:?}"));
        }
        if self.gone.contains(&uid) {
            return Err(format!("UID {uid} was told as expunged"));
        }
        self.entries[at].uid = Some(uid);
        Ok(())
    }
}

fn words_of(list: &str) -> Flags {
    list.split_whitespace().map(str::to_owned).collect()
}
