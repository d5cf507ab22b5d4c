//! What clients have been told, as a trace shows it, for [`super::crash`] to hold the server to.

use std::collections::{BTreeMap, BTreeSet};

/// A keyword that has no letter.
pub const BEYOND: &str = "beyond-letters";

/// What clients have been told up to a step. It only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub uids: BTreeSet<u32>,
    pub validity: Option<u32>,
    pub next: u32,
    /// UIDs whose STORE of `\Flagged` was answered OK.
    pub flagged: BTreeSet<u32>,
    /// A message was told to have the keyword [`BEYOND`].
    pub beyond: bool,
    /// UIDs whose EXPUNGE or MOVE was answered OK: they need not be there any more.
    pub gone: BTreeSet<u32>,
    /// The highest mod-sequence.
    pub modseq: u64,
    /// What FETCH responses with MODSEQ said of each message last, but for numbers.
    pub seen: BTreeMap<u32, String>,
}

impl Told {
    /// Takes in what one write to a client says.
    pub fn hear(&mut self, text: &str) {
        for line in text.split("\r\n") {
            for (word, is_uid) in [
                ("APPENDUID ", true),
                ("UIDVALIDITY ", false),
                ("COPYUID ", false),
            ] {
                if let Some(rest) = line.split(word).nth(1) {
                    let mut numbers = rest.split([' ', ']', ')']);
                    let validity = numbers.next().and_then(|number| number.parse().ok());
                    if !line.contains("COPYUID") {
                        self.validity = validity.or(self.validity);
                    }
                    if is_uid {
                        self.uids
                            .extend(numbers.next().and_then(|number| number.parse::<u32>().ok()));
                    }
                }
            }
            if let Some(rest) = line.split("UIDNEXT ").nth(1)
                && let Ok(next) = rest
                    .trim_end_matches(|c: char| !c.is_ascii_digit())
                    .split([' ', ']', ')'])
                    .next()
                    .unwrap()
                    .parse()
            {
                self.next = self.next.max(next);
            }
            self.beyond |= line.contains(BEYOND);
            let modseq = modseq_in(line);
            self.modseq = self.modseq.max(modseq);
            if modseq > 0
                && let Some(uid) = uid_in(line)
            {
                self.seen.insert(uid, flags_in(line));
            }
            if let Some(rest) = line.strip_prefix("* VANISHED ") {
                self.gone
                    .extend(rest.split(',').filter_map(|uid| uid.parse::<u32>().ok()));
            }
            if line.contains(" FETCH (")
                && let Some(rest) = line.split("UID ").nth(1)
                && let Ok(uid) = rest.split([' ', ')']).next().unwrap().parse::<u32>()
            {
                self.uids.insert(uid);
                if line.contains("\\Flagged") {
                    self.flagged.insert(uid);
                }
            }
            if let Some(rest) = line.strip_prefix("* SEARCH ") {
                self.uids
                    .extend(rest.split(' ').filter_map(|uid| uid.parse::<u32>().ok()));
            }
        }
    }
}

/// The mod-sequence in a line, or 0.
pub fn modseq_in(line: &str) -> u64 {
    let rest = line.split("MODSEQ ").nth(1).unwrap_or_default();
    let digits = rest.trim_start_matches('(').split([' ', ']', ')']).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

pub fn uid_in(line: &str) -> Option<u32> {
    let rest = line.split("UID ").nth(1)?;
    rest.split([' ', ')']).next()?.parse().ok()
}

/// The flags in a line, but for `\Recent`.
pub fn flags_in(line: &str) -> String {
    let rest = line.split("FLAGS (").nth(1).unwrap_or_default();
    let flags = rest.split(')').next().unwrap_or_default().split(' ');
    let flags: Vec<&str> = flags.filter(|flag| *flag != "\\Recent").collect();
    flags.join(" ")
}
