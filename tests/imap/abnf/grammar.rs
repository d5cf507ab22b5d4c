//! ABNF (RFC 5234) → rules as values. All of the notation that `*.abnf` here use; no prose in `<>`, no binary or
//! decimal numbers.

use std::collections::{BTreeMap, BTreeSet};

/// Rules by their names in lower case.
#[derive(Default)]
pub struct Grammar {
    rules: BTreeMap<String, Node>,
    /// Of each rule, how many rules deep its shallowest expansion is.
    heights: BTreeMap<String, usize>,
    choices: usize,
}

/// What a rule is made of.
#[derive(Clone, Debug)]
pub enum Node {
    /// One of these. The number is the choice's own, counted over the grammar.
    Choice(usize, Vec<Node>),
    /// All of these.
    Sequence(Vec<Node>),
    /// `least*most`. It is a choice too: of the least number, or more.
    Repeat(usize, usize, Option<usize>, Box<Node>),
    /// Another rule.
    Rule(String),
    /// Characters whose case does not matter.
    Text(String),
    /// One octet of a range.
    Octet(u8, u8),
}

impl Grammar {
    /// Reads rules. Those of later texts may add alternatives (`=/`) to those of earlier ones.
    pub fn read(texts: &[&str]) -> Grammar {
        let mut grammar = Grammar::default();
        for text in texts {
            for definition in definitions(text) {
                grammar.define(&definition);
            }
        }
        for (name, node) in &grammar.rules {
            node.visit(&mut |node| {
                if let Node::Rule(used) = node {
                    assert!(grammar.rules.contains_key(used), "{name} uses {used}");
                }
            });
        }
        grammar.measure();
        grammar
    }

    pub fn rule(&self, name: &str) -> &Node {
        let node = self.rules.get(name);
        node.unwrap_or_else(|| panic!("there is no rule {name}"))
    }

    /// How many rules deep the shallowest expansion of a node is.
    pub fn height(&self, node: &Node) -> usize {
        match node {
            Node::Choice(_, nodes) => nodes.iter().map(|node| self.height(node)).min().unwrap(),
            Node::Sequence(nodes) => nodes.iter().map(|node| self.height(node)).max().unwrap(),
            Node::Repeat(_, 0, ..) | Node::Text(_) | Node::Octet(..) => 0,
            Node::Repeat(.., node) => self.height(node),
            Node::Rule(name) => self.heights.get(name).copied().unwrap_or(usize::MAX),
        }
    }

    /// How many rules a node leads to.
    pub fn weight(&self, node: &Node) -> u64 {
        let mut rules = BTreeSet::new();
        node.visit(&mut |node| {
            if let Node::Rule(name) = node {
                rules.extend(self.reach(name, &[]));
            }
        });
        1 + rules.len() as u64
    }

    /// The rules that `start` leads to. Into those of `opaque` there is no looking.
    pub fn reach(&self, start: &str, opaque: &[&str]) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(name) = next.pop() {
            let (name, node) = self.rules.get_key_value(name).unwrap();
            if opaque.contains(&name.as_str()) || !reached.insert(name.as_str()) {
                continue;
            }
            node.visit(&mut |node| {
                if let Node::Rule(used) = node {
                    next.push(used);
                }
            });
        }
        reached
    }

    fn define(&mut self, definition: &str) {
        let (name, rest) = definition.split_once('=').unwrap();
        let (more, body) = match rest.strip_prefix('/') {
            Some(body) => (true, body),
            None => (false, rest),
        };
        let name = name.trim().to_ascii_lowercase();
        let mut reader = Reader {
            rest: body,
            choices: &mut self.choices,
        };
        let mut node = reader.alternatives();
        assert!(reader.rest.trim().is_empty(), "{name}: {:?}", reader.rest);
        let old = self.rules.remove(&name);
        assert_eq!(
            old.is_some(),
            more,
            "{name} is defined twice, or not at all"
        );
        if let Some(old) = old {
            self.choices += 1;
            node = Node::Choice(self.choices, vec![old, node]);
        }
        self.rules.insert(name, node);
    }

    fn measure(&mut self) {
        loop {
            let mut measured = BTreeMap::new();
            for (name, node) in &self.rules {
                let height = self.height(node);
                if height < usize::MAX {
                    measured.insert(name.clone(), height + 1);
                }
            }
            if measured == self.heights {
                break;
            }
            self.heights = measured;
        }
        for name in self.rules.keys() {
            assert!(self.heights.contains_key(name), "{name} never ends");
        }
    }
}

impl Node {
    /// Calls `see` with the node and everything in it.
    pub fn visit<'n>(&'n self, see: &mut impl FnMut(&'n Node)) {
        see(self);
        match self {
            Node::Choice(_, nodes) | Node::Sequence(nodes) => {
                nodes.iter().for_each(|node| node.visit(see));
            }
            Node::Repeat(.., node) => node.visit(see),
            Node::Rule(_) | Node::Text(_) | Node::Octet(..) => {}
        }
    }
}

/// Each definition on one line, without comments.
fn definitions(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut quoted = false;
        let end = line.find(|character| {
            quoted ^= character == '"';
            character == ';' && !quoted
        });
        let line = &line[..end.unwrap_or(line.len())];
        if line.trim().is_empty() {
            continue;
        }
        match all.last_mut().filter(|_| line.starts_with(' ')) {
            Some(last) => last.push_str(line),
            None => all.push(line.to_owned()),
        }
    }
    all
}

struct Reader<'t, 'g> {
    rest: &'t str,
    choices: &'g mut usize,
}

impl Reader<'_, '_> {
    fn eat(&mut self, text: &str) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, wanted: fn(char) -> bool) -> &str {
        let end = self.rest.find(|character| !wanted(character));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn choice(&mut self) -> usize {
        *self.choices += 1;
        *self.choices
    }

    fn alternatives(&mut self) -> Node {
        let mut nodes = vec![self.sequence()];
        while self.eat("/") {
            nodes.push(self.sequence());
        }
        match nodes.len() {
            1 => nodes.remove(0),
            _ => Node::Choice(self.choice(), nodes),
        }
    }

    fn sequence(&mut self) -> Node {
        let mut nodes = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || self.rest.starts_with(['/', ')', ']']) {
                break;
            }
            nodes.push(self.repetition());
        }
        match nodes.len() {
            1 => nodes.remove(0),
            _ => Node::Sequence(nodes),
        }
    }

    fn repetition(&mut self) -> Node {
        let digit = |character: char| character.is_ascii_digit();
        let least: Option<usize> = self.take(digit).parse().ok();
        if !self.eat("*") {
            let node = self.element();
            return match least {
                Some(exactly) => Node::Sequence(vec![node; exactly]),
                None => node,
            };
        }
        let most = self.take(digit).parse().ok();
        let choice = self.choice();
        Node::Repeat(choice, least.unwrap_or(0), most, Box::new(self.element()))
    }

    fn element(&mut self) -> Node {
        if self.eat("(") {
            let node = self.alternatives();
            assert!(self.eat(")"), "no ) at {:?}", self.rest);
            return node;
        }
        if self.eat("[") {
            let choice = self.choice();
            let node = self.alternatives();
            assert!(self.eat("]"), "no ] at {:?}", self.rest);
            return Node::Repeat(choice, 0, Some(1), Box::new(node));
        }
        if self.eat("\"") {
            let text = self.take(|character| character != '"').to_owned();
            assert!(self.eat("\""));
            return Node::Text(text);
        }
        if self.eat("%x") {
            let first = self.octet();
            return match self.eat("-") {
                true => Node::Octet(first, self.octet()),
                false => Node::Octet(first, first),
            };
        }
        let name = self.take(|character| character.is_ascii_alphanumeric() || character == '-');
        assert!(!name.is_empty(), "what is {:?}", self.rest);
        Node::Rule(name.to_ascii_lowercase())
    }

    fn octet(&mut self) -> u8 {
        u8::from_str_radix(self.take(|character| character.is_ascii_hexdigit()), 16).unwrap()
    }
}

#[test]
fn the_notation_is_read() {
    let grammar = Grammar::read(&[
        "a = \"x;\" *2b ; comment\n  [c] 1*(b / c)\nb = 2%x30-39\n",
        "c = %x41 a / b\nc =/ \"y\"\n",
    ]);
    assert_eq!(grammar.height(grammar.rule("a")), 1);
    assert_eq!(grammar.height(grammar.rule("b")), 0);
    let reached: Vec<&str> = grammar.reach("c", &["a"]).into_iter().collect();
    assert_eq!(reached, ["b", "c"]);
    let shown = format!("{:?}", grammar.rule("b"));
    assert_eq!(shown, "Sequence([Octet(48, 57), Octet(48, 57)])");
}
