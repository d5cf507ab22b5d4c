//! A client that keeps a picture of a mailbox and resynchronises it as RFC 7162 §6 says: whatever happens while it is away, it
//! has the server's picture afterwards. It goes away at any moment.

use std::collections::BTreeMap;

use super::super::select::validity;
use super::{filled, highest, number_behind};
use crate::harness::client::split_values;
use crate::harness::{Chance, Client, Server, message};

/// What the client has stored.
#[derive(Default)]
struct Cache {
    validity: u32,
    highest: u64,
    /// Up to this UID it has heard of every message.
    discovered: u32,
    /// UIDs, each with its flags.
    messages: BTreeMap<u32, Vec<String>>,
    /// UIDs by number, as far as they are known: as long as the mailbox.
    numbers: Vec<Option<u32>>,
}

impl Cache {
    /// "Whenever the client receives a tagged response to a command, it checks the received unsolicited responses to calculate
    /// the new HIGHESTMODSEQ value. If the HIGHESTMODSEQ response code is received, the client MUST use it even if it has seen
    /// higher mod-sequences. Otherwise, the client calculates the highest value among all MODSEQ FETCH data items".
    fn hear(&mut self, lines: &[String]) {
        let mut shown = self.highest;
        let mut told = None;
        for line in lines {
            if let Some(rest) = line.strip_prefix("* VANISHED (EARLIER) ") {
                for uid in uids(rest) {
                    self.messages.remove(&uid);
                }
            } else if let Some(rest) = line.strip_prefix("* VANISHED ") {
                for uid in uids(rest) {
                    self.messages.remove(&uid);
                    // A message of which no FETCH has told the UID is one of those that are not known.
                    let at = self.numbers.iter().position(|known| *known == Some(uid));
                    let at = at.or_else(|| self.numbers.iter().position(Option::is_none));
                    self.numbers
                        .remove(at.expect("a message that is not there vanished"));
                }
            } else if let Some(count) = line.strip_suffix(" EXISTS") {
                let count: usize = count.trim_start_matches("* ").parse().unwrap();
                assert!(count >= self.numbers.len(), "{line}");
                self.numbers.resize(count, None);
            } else if let Some((number, items)) = line.split_once(" FETCH (") {
                let number: usize = number.trim_start_matches("* ").parse().unwrap();
                shown = shown.max(self.fetched(number, items.strip_suffix(')').unwrap()));
            } else if line.contains("[HIGHESTMODSEQ ") {
                told = Some(number_behind(std::slice::from_ref(line), "[HIGHESTMODSEQ "));
            }
        }
        self.highest = told.unwrap_or(shown);
    }

    /// Notes what a FETCH response says, and gives its mod-sequence.
    fn fetched(&mut self, number: usize, items: &str) -> u64 {
        let values = split_values(items);
        let value = |name: &str| {
            let at = values.iter().position(|value| value == name)?;
            values.get(at + 1)
        };
        let modseq =
            value("MODSEQ").map_or(0, |text| text.trim_matches(['(', ')']).parse().unwrap());
        let known = self.numbers[number - 1];
        let uid = value("UID").map_or(known, |uid| Some(uid.parse().unwrap()));
        assert!(
            known.is_none() || known == uid,
            "number {number} has another UID"
        );
        self.numbers[number - 1] = uid;
        if let (Some(uid), Some(flags)) = (uid, value("FLAGS")) {
            let flags = flags.trim_matches(['(', ')']);
            let mut flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
            flags.retain(|flag| !flag.is_empty() && flag != "\\Recent");
            flags.sort();
            self.messages.insert(uid, flags);
        }
        modseq
    }

    /// Step d) of §6.
    fn resynchronise(&mut self, server: &Server) -> Client {
        let mut c = server.client();
        c.ok("ENABLE QRESYNC");
        self.numbers.clear();
        self.messages.retain(|uid, _| *uid <= self.discovered);
        let known = match self.messages.is_empty() {
            true => "SELECT INBOX (CONDSTORE)".to_owned(),
            false => format!(
                "SELECT INBOX (QRESYNC ({} {}))",
                self.validity, self.highest
            ),
        };
        let reply = c.run(&known);
        assert_eq!(reply.outcome(), "OK [READ-WRITE]");
        let lines = reply.plain();
        let now = validity(&lines);
        assert!(self.messages.is_empty() || now == self.validity);
        (self.validity, self.highest) = (now, 0);
        self.hear(&lines);
        self.highest = highest(&lines);
        // Of what it knew, what is left comes first.
        let exists = self.numbers.len();
        let old = self.messages.keys().filter(|uid| **uid <= self.discovered);
        self.numbers = old.map(|uid| Some(*uid)).collect();
        assert!(self.numbers.len() <= exists);
        self.numbers.resize(exists, None);
        // "Discover new messages."
        let lines = c.ok(&format!("UID FETCH {}:* (FLAGS)", self.discovered + 1));
        self.hear(&lines);
        let last = self.messages.keys().next_back().copied();
        self.discovered = self.discovered.max(last.unwrap_or(0));
        c
    }
}

fn uids(set: &str) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    set.split(',')
        .flat_map(|range| match range.split_once(':') {
            Some((from, to)) => number(from)..=number(to),
            None => number(range)..=number(range),
        })
        .collect()
}

/// The server's picture.
fn truth(server: &Server) -> BTreeMap<u32, Vec<String>> {
    let mut cache = Cache::default();
    let mut c = server.client();
    let lines = c.ok("EXAMINE INBOX");
    cache.hear(&lines);
    cache.hear(&c.ok("UID FETCH 1:* (FLAGS)"));
    cache.messages
}

const FLAGS: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Work"];

/// Something happens to the mailbox.
fn change(chance: &mut Chance, other: &mut Client) {
    let count = other.ok("SEARCH ALL")[0].split(' ').count() as u64 - 2;
    match (chance.below(10), count) {
        (0, _) | (_, 0) => {
            other.append("INBOX", "", &message("more"));
            other.ok("NOOP");
        }
        (1, _) => {
            let number = chance.below(count) + 1;
            other.ok(&format!("STORE {number} +FLAGS.SILENT (\\Deleted)"));
            other.ok("EXPUNGE");
        }
        (2, _) => {
            let number = chance.below(count) + 1;
            other.ok(&format!("COPY {number} INBOX"));
            other.ok("NOOP");
        }
        (sort, _) => {
            let (from, to) = (chance.below(count) + 1, chance.below(count) + 1);
            let flag = FLAGS[chance.below(FLAGS.len() as u64) as usize];
            let action = if sort % 2 == 0 { "+" } else { "-" };
            other.ok(&format!("STORE {from}:{to} {action}FLAGS.SILENT ({flag})"));
        }
    }
}

#[test]
fn a_client_comes_and_goes() {
    let server = filled(12);
    let mut chance = Chance::new(7162);
    let mut other = server.selected("INBOX");
    let mut cache = Cache::default();
    for round in 0..40 {
        for _ in 0..chance.below(6) {
            change(&mut chance, &mut other);
        }
        let mut c = cache.resynchronise(&server);
        assert_eq!(cache.messages, truth(&server), "round {round}");
        // For a while it is there, and does something itself. It goes without a word, often before it has heard all.
        for _ in 0..chance.below(5) {
            change(&mut chance, &mut other);
            let exists = cache.numbers.len() as u64;
            let number = chance.below(exists.max(1)) + 1;
            let command = match chance.below(6) {
                _ if exists == 0 => "NOOP".to_owned(),
                0 => format!("STORE {number} +FLAGS.SILENT ($Own)"),
                1 => format!("FETCH {number} (FLAGS UID MODSEQ)"),
                2 => format!(
                    "UID FETCH 1:* (FLAGS) (CHANGEDSINCE {} VANISHED)",
                    cache.highest
                ),
                3 => "UID SEARCH ALL".to_owned(),
                4 => "FETCH 1 BODY[TEXT]".to_owned(),
                _ => "NOOP".to_owned(),
            };
            let reply = c.run(&command);
            // Its own silent STORE it knows of.
            if let Some(uid) = cache.numbers.get(number as usize - 1).copied().flatten()
                && command.contains("$Own")
                && reply.tagged.starts_with("OK S")
                && let Some(flags) = cache.messages.get_mut(&uid)
                && !flags.contains(&"$Own".to_owned())
            {
                flags.push("$Own".to_owned());
                flags.sort();
            }
            let mut lines = reply.plain();
            lines.push(format!("* {}", reply.tagged));
            cache.hear(&lines);
        }
    }
}
