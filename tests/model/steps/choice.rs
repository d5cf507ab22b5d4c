//! Which command comes next: random ones, of which the model can say what they do.

use std::collections::BTreeSet;

use super::{BOXES, KEYWORDS, MANY, SYSTEM, World};
use crate::harness::message;
use crate::picture::{Flags, set};
use crate::session::{Act, Command, Key, Kind};

impl World {
    pub(super) fn mark(&mut self) -> String {
        self.marks += 1;
        format!("m{}", self.marks)
    }

    pub(super) fn flags(&mut self, deleted: bool) -> Flags {
        let mut flags = Flags::new();
        for _ in 0..self.below(3) {
            let flag = match self.below(3) {
                0 => KEYWORDS[self.below(KEYWORDS.len())],
                _ => SYSTEM[self.below(SYSTEM.len() - usize::from(!deleted))],
            };
            flags.insert(flag.to_owned());
        }
        flags
    }

    /// UIDs of the picture, a few.
    pub(super) fn some(&mut self, who: usize, most: usize) -> BTreeSet<u32> {
        let uids: Vec<u32> = self.sessions[who].picture.uids().into_iter().collect();
        let (first, count) = (self.below(uids.len()), 1 + self.below(most));
        match self.percent(70) {
            true => uids.into_iter().skip(first).take(count).collect(),
            false => (0..count).map(|_| uids[self.below(uids.len())]).collect(),
        }
    }

    /// `UID ` or nothing, and the set, for messages of the picture.
    pub(super) fn named(
        &mut self,
        who: usize,
        by_uid: bool,
        uids: &BTreeSet<u32>,
    ) -> (&'static str, String) {
        if by_uid {
            return ("UID ", set(uids));
        }
        let entries = self.sessions[who].picture.entries.iter().enumerate();
        let named = entries.filter(|(_, one)| one.uid.is_some_and(|uid| uids.contains(&uid)));
        ("", set(&named.map(|(at, _)| at as u32 + 1).collect()))
    }

    /// A mod-sequence that the client knows, or one that nobody does.
    pub(super) fn modseq(&mut self, who: usize) -> u64 {
        let picture = &self.sessions[who].picture;
        let known: Vec<u64> = picture
            .entries
            .iter()
            .filter_map(|one| one.modseq)
            .collect();
        let safe = picture.modseq;
        match self.below(12) {
            0 => 1,
            1 => 1 << 60,
            2..6 => safe.max(1),
            _ if known.is_empty() => safe.max(1),
            _ => known[self.below(known.len())].max(1) - self.below(2) as u64,
        }
        .max(1)
    }

    pub(super) fn command(&mut self, who: usize, sure: bool) -> Command {
        let Some((here, _)) = self.sessions[who].selected else {
            return match self.below(10) {
                0 => self.append(),
                1 => self.status(),
                _ if sure => self.append(),
                _ => self.open(who),
            };
        };
        let news = |text: &str| Command {
            text: text.into(),
            by_uid: false,
            act: Act::News,
        };
        let many = self.account[here].messages.len() > MANY;
        if self.sessions[who].picture.uids().is_empty() {
            return match self.below(4) {
                0 if !sure => self.open(who),
                1 => news("NOOP"),
                _ => self.append(),
            };
        }
        match self.below(100) {
            0..5 if !sure => self.open(who),
            5..7 if !sure => Command {
                text: "CLOSE".into(),
                by_uid: false,
                act: Act::Close,
            },
            7..9 if !sure => Command {
                text: "UNSELECT".into(),
                by_uid: false,
                act: Act::Unselect,
            },
            9..15 => news("NOOP"),
            15..17 => news("CHECK"),
            17..32 => self.fetch(who, sure),
            32..62 => self.store(who, sure, many),
            62..69 if !many => self.append(),
            69..77 => self.copy(who, sure),
            77..84 => {
                let uids = match self.percent(50) || sure {
                    true => Some(self.some(who, 8)),
                    false => None,
                };
                let text = match &uids {
                    Some(uids) => format!("UID EXPUNGE {}", set(uids)),
                    None => "EXPUNGE".to_owned(),
                };
                Command {
                    text,
                    by_uid: true,
                    act: Act::Expunge(uids),
                }
            }
            84..92 => self.search(who, sure),
            92..96 => self.status(),
            _ if many => self.store(who, sure, true),
            _ => news("NOOP"),
        }
    }

    pub(super) fn open(&mut self, who: usize) -> Command {
        let mailbox = self.below(BOXES.len());
        let read_only = self.percent(20);
        let word = if read_only { "EXAMINE" } else { "SELECT" };
        let (parameters, since) = self.sessions[who].resync(mailbox, &mut self.chance);
        let text = format!("{word} {}{parameters}", BOXES[mailbox]);
        Command {
            text,
            by_uid: false,
            act: Act::Open {
                mailbox,
                read_only,
                since,
            },
        }
    }

    pub(super) fn fetch(&mut self, who: usize, sure: bool) -> Command {
        let kind = self.sessions[who].kind;
        let uids = self.some(who, 6);
        let by_uid = sure || self.percent(50);
        if kind >= Kind::Condstore && self.percent(50) {
            let modseq = self.modseq(who);
            if kind == Kind::Qresync && self.percent(60) {
                return Command {
                    text: format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)"),
                    by_uid: true,
                    act: Act::Fetch {
                        uids: self.sessions[who].picture.uids(),
                        seen: false,
                        since: Some((modseq, true)),
                    },
                };
            }
            let (prefix, named) = self.named(who, by_uid, &uids);
            return Command {
                text: format!("{prefix}FETCH {named} (FLAGS UID) (CHANGEDSINCE {modseq})"),
                by_uid,
                act: Act::Fetch {
                    uids,
                    seen: false,
                    since: Some((modseq, false)),
                },
            };
        }
        let seen = self.percent(30);
        let items = match (seen, kind >= Kind::Condstore) {
            (true, _) => "BODY[HEADER]",
            (false, true) => "(FLAGS MODSEQ)",
            (false, false) => "(UID FLAGS)",
        };
        let (prefix, named) = self.named(who, by_uid, &uids);
        Command {
            text: format!("{prefix}FETCH {named} {items}"),
            by_uid,
            act: Act::Fetch {
                uids,
                seen,
                since: None,
            },
        }
    }

    pub(super) fn store(&mut self, who: usize, sure: bool, deletes: bool) -> Command {
        let uids = self.some(who, if deletes { 12 } else { 4 });
        let by_uid = sure || self.percent(50);
        let condstore = self.sessions[who].kind >= Kind::Condstore;
        let unchanged = match condstore && self.percent(40) {
            true => Some(self.modseq(who)),
            false => None,
        };
        let (action, flags) = match deletes || self.percent(15) {
            true => ('+', Flags::from(["\\Deleted".to_owned()])),
            false => (['+', '-', '='][self.below(3)], self.flags(true)),
        };
        let silent = self.percent(50);
        let condition = unchanged.map_or(String::new(), |one| format!("(UNCHANGEDSINCE {one}) "));
        let sign = if action == '=' {
            String::new()
        } else {
            action.to_string()
        };
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (prefix, named) = self.named(who, by_uid, &uids);
        Command {
            text: format!(
                "{prefix}STORE {named} {condition}{sign}FLAGS{} ({})",
                if silent { ".SILENT" } else { "" },
                list.join(" ")
            ),
            by_uid,
            act: Act::Store {
                uids,
                action,
                flags,
                silent,
                unchanged,
            },
        }
    }

    pub(super) fn copy(&mut self, who: usize, sure: bool) -> Command {
        let uids = self.some(who, 4);
        let to = self.below(BOXES.len());
        let moves = self.percent(50) || self.account[to].messages.len() > MANY;
        let by_uid = sure || self.percent(50);
        let (prefix, named) = self.named(who, by_uid, &uids);
        let word = if moves { "MOVE" } else { "COPY" };
        Command {
            text: format!("{prefix}{word} {named} {}", BOXES[to]),
            by_uid,
            act: Act::Copy { uids, to, moves },
        }
    }

    pub(super) fn append(&mut self) -> Command {
        let to = self.below(BOXES.len());
        let mut text = format!("APPEND {}", BOXES[to]);
        let mut messages = Vec::new();
        for _ in 0..1 + self.below(4) / 3 {
            let (mark, flags) = (self.mark(), self.flags(true));
            let list: Vec<&str> = flags.iter().map(String::as_str).collect();
            let body = message(&mark);
            text += &format!(" ({}) {{{}+}}\r\n{body}", list.join(" "), body.len());
            messages.push((mark, flags));
        }
        Command {
            text,
            by_uid: false,
            act: Act::Append { to, messages },
        }
    }

    pub(super) fn search(&mut self, who: usize, sure: bool) -> Command {
        let by_uid = sure || self.percent(50);
        let condstore = self.sessions[who].kind >= Kind::Condstore;
        let (text, key) = match self.below(6) {
            0 => ("ALL".to_owned(), Key::All),
            1 => ("UNSEEN".to_owned(), Key::Flag("\\Seen", false)),
            2 => ("FLAGGED".to_owned(), Key::Flag("\\Flagged", true)),
            3 => ("DELETED".to_owned(), Key::Flag("\\Deleted", true)),
            4 if condstore => {
                let modseq = self.modseq(who);
                (format!("MODSEQ {modseq}"), Key::Modseq(modseq))
            }
            _ => {
                let word = KEYWORDS[self.below(KEYWORDS.len())];
                (format!("UNKEYWORD {word}"), Key::Flag(word, false))
            }
        };
        let prefix = if by_uid { "UID " } else { "" };
        Command {
            text: format!("{prefix}SEARCH {text}"),
            by_uid,
            act: Act::Search(key),
        }
    }

    pub(super) fn status(&mut self) -> Command {
        let mailbox = self.below(BOXES.len());
        Command {
            text: format!(
                "STATUS {} (MESSAGES UIDNEXT UNSEEN DELETED HIGHESTMODSEQ)",
                BOXES[mailbox]
            ),
            by_uid: true,
            act: Act::Status(mailbox),
        }
    }
}
