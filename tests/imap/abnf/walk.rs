//! Random expansions of a grammar's rules: commands, with what the grammar leaves to prose filled in by
//! [`producers`](super::producers).

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{Grammar, Node};
use super::producers::{self, Producer};
use crate::harness::Chance;

/// Rules within rules; below that, the shallowest way out is taken.
const DEEPEST: usize = 24;
/// Most repetitions where the grammar knows no bound.
const MOST: usize = 12;

/// One command as a client sends it.
#[derive(Debug, Default)]
pub struct Said {
    /// All of it, the last CRLF too.
    pub octets: Vec<u8>,
    /// Where the client waits for a continuation request, and before what.
    pub pauses: Vec<(usize, Pause)>,
    /// The rules it was made of.
    pub rules: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A literal's octets, which belong to the command.
    Literal,
    /// A line of its own: DONE, or what SASL asks for.
    Line,
}

impl Said {
    pub fn has(&self, rule: &str) -> bool {
        self.rules.contains(rule)
    }

    /// Enough of it for a failing test's message.
    pub fn shown(&self) -> String {
        let all = self.octets.escape_ascii().to_string();
        all.chars().take(1000).collect()
    }

    pub fn tag(&self) -> &str {
        let tag = self.octets.split(|octet| *octet == b' ').next();
        std::str::from_utf8(tag.unwrap()).unwrap()
    }

    /// The command without its end, and without lines that follow it.
    pub fn command(&self) -> &[u8] {
        let line = self.pauses.iter().find(|(_, pause)| *pause == Pause::Line);
        let end = line.map_or(self.octets.len(), |(at, _)| *at);
        self.octets[..end].strip_suffix(b"\r\n").unwrap()
    }
}

pub struct Walk<'g> {
    pub grammar: &'g Grammar,
    pub chance: Chance,
    pub said: Said,
    /// The rules that are being expanded.
    pub within: Vec<String>,
    /// How often each branch of each choice was taken.
    taken: BTreeMap<(usize, usize), u64>,
    /// Of the choices between commands, the weights of their branches.
    weights: BTreeMap<usize, Vec<u64>>,
    /// Literals are text in UTF-8.
    pub text: bool,
    /// Logins are to succeed.
    pub may_log_in: bool,
    pub count: u64,
}

impl<'g> Walk<'g> {
    pub fn new(grammar: &'g Grammar, seed: u64) -> Walk<'g> {
        Walk {
            grammar,
            chance: Chance::new(seed),
            said: Said::default(),
            within: Vec::new(),
            taken: BTreeMap::new(),
            weights: BTreeMap::new(),
            text: false,
            may_log_in: false,
            count: 0,
        }
    }

    /// The next command.
    pub fn command(&mut self) -> Said {
        self.count += 1;
        self.rule("command");
        let mut said = std::mem::take(&mut self.said);
        // The command's own end is no pause.
        let end = said.octets.len();
        said.pauses.retain(|(at, _)| *at < end);
        said
    }

    /// Expands a rule, by its producer if it has one.
    pub fn rule(&mut self, name: &str) {
        self.said.rules.insert(name.to_owned());
        self.within.push(name.to_owned());
        match producers::of(name) {
            Some(Producer::Instead(produce) | Producer::Around(produce)) => produce(self),
            None => self.body(name),
        }
        self.within.pop();
    }

    /// Expands a rule by its definition.
    pub fn body(&mut self, name: &str) {
        let grammar = self.grammar;
        self.node(grammar.rule(name));
    }

    /// True once in `odds` times.
    pub fn once_in(&mut self, odds: u64) -> bool {
        self.chance.below(odds) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.chance.below(from.len() as u64) as usize]
    }

    pub fn say(&mut self, octets: &[u8]) {
        self.said.octets.extend_from_slice(octets);
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Choice(choice, nodes) => {
                let at = if self.within.len() > DEEPEST {
                    let heights: Vec<usize> =
                        nodes.iter().map(|node| self.grammar.height(node)).collect();
                    let least = heights.iter().min();
                    heights
                        .iter()
                        .position(|height| Some(height) == least)
                        .unwrap()
                } else if self.within.last().is_some_and(|rule| is_of_commands(rule)) {
                    self.weighed(*choice, nodes)
                } else {
                    self.chance.below(nodes.len() as u64) as usize
                };
                *self.taken.entry((*choice, at)).or_default() += 1;
                self.node(&nodes[at]);
            }
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Repeat(choice, least, most, node) => {
                let most = most.unwrap_or(least + MOST);
                let mut times = *least;
                while times < most && self.within.len() <= DEEPEST && !self.once_in(2) {
                    times += 1;
                }
                let more = usize::from(times > *least);
                *self.taken.entry((*choice, more)).or_default() += 1;
                (0..times).for_each(|_| self.node(node));
            }
            Node::Rule(name) => self.rule(name),
            Node::Text(text) => {
                // "Implementations MUST accept these strings in a case-insensitive fashion."
                let mixed = self.once_in(4);
                for octet in text.bytes() {
                    let octet = match mixed && self.once_in(2) {
                        true if octet.is_ascii_uppercase() => octet.to_ascii_lowercase(),
                        true => octet.to_ascii_uppercase(),
                        false => octet,
                    };
                    self.say(&[octet]);
                }
            }
            Node::Octet(first, last) => {
                let octet = u64::from(*first) + self.chance.below(u64::from(last - first) + 1);
                self.say(&[octet as u8]);
            }
        }
    }

    /// One of some alternatives, those that lead to many rules more often than those that lead to few.
    fn weighed(&mut self, choice: usize, nodes: &[Node]) -> usize {
        let weigh = || nodes.iter().map(|node| self.grammar.weight(node)).collect();
        let weights = self.weights.entry(choice).or_insert_with(weigh);
        let mut left = self.chance.below(weights.iter().sum());
        let at = weights.iter().position(|weight| {
            let here = left < *weight;
            left = left.saturating_sub(*weight);
            here
        });
        at.unwrap()
    }

    /// How many rules and branches `command` leads to, and which branches were never taken.
    pub fn coverage(&self) -> Coverage {
        let rules = self.grammar.reach("command", producers::INSTEAD);
        let (mut branches, mut missed) = (0, Vec::new());
        for name in &rules {
            self.grammar.rule(name).visit(&mut |node| {
                let (choice, count) = match node {
                    Node::Choice(choice, nodes) => (choice, nodes.len()),
                    Node::Repeat(choice, ..) => (choice, 2),
                    _ => return,
                };
                branches += count;
                for at in 0..count {
                    if !self.taken.contains_key(&(*choice, at)) {
                        missed.push(format!("{name}: branch {at} of {node:?}"));
                    }
                }
            });
        }
        Coverage {
            rules: rules.len() + producers::INSTEAD.len(),
            branches,
            missed,
        }
    }
}

/// The rules that choose between commands.
fn is_of_commands(rule: &str) -> bool {
    rule.starts_with("command") || rule == "uid"
}

pub struct Coverage {
    pub rules: usize,
    pub branches: usize,
    pub missed: Vec<String>,
}
