//! Threading (RFC 5256 §3): messages → a forest of replies. No recursion: a thread may be as deep as the mailbox is
//! long.

use std::collections::{HashMap, HashSet};

/// What stands for a normalized Message-ID or a base subject: two that differ have different ones.
pub type Hash = u128;

/// Steps that looking for loops may take in all, and so many more for each message. Real mail takes one or two for a
/// message; where References are such a tangle, links that may make a loop are left out from then on.
const LOOP_STEPS: usize = 1_000_000;
const LOOP_STEPS_EACH: usize = 100;

/// What threading needs to know of a message.
#[derive(Clone, Debug, Default)]
pub struct Threaded {
    /// Sent date, or INTERNALDATE where there is none: seconds since 1970, UTC.
    pub date: i64,
    /// The collation key of the base subject, if that is not empty.
    pub subject: Option<Hash>,
    /// Whether it is a reply or a forward, by its subject.
    pub is_reply: bool,
    /// Its Message-ID.
    pub id: Option<Hash>,
    /// Its references, oldest first.
    pub references: Vec<Hash>,
}

/// A message in its thread, or a parent that is not among them (`THREAD ((3)(5))`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Index of the message in what was threaded; `None` for a parent that is not there.
    pub message: Option<usize>,
    /// Indices of its children in [`Forest::nodes`], in the order of the answer.
    pub children: Vec<usize>,
}

/// The threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forest {
    /// All nodes; those that are in no thread have no one who names them.
    pub nodes: Vec<Node>,
    /// The first of each thread, in the order of the answer.
    pub roots: Vec<usize>,
}

/// Threads by subject alone: the first of each subject by date is the parent of all others. `messages` are in the
/// mailbox's order.
pub fn ordered_subject(messages: &[Threaded]) -> Forest {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|at| date(messages, *at));
    let mut forest = Forest::default();
    let mut threads: HashMap<Option<Hash>, usize> = HashMap::new();
    for at in order {
        let node = forest.add(Some(at));
        let subject = messages.get(at).and_then(|message| message.subject);
        match threads.get(&subject) {
            Some(first) => forest.adopt(*first, node),
            None => {
                threads.insert(subject, node);
                forest.roots.push(node);
            }
        }
    }
    forest
}

/// Threads by Message-ID and References; with `by_subject` also threads of one subject are put together
/// (REFERENCES), else not, and the thread with the newest message comes last (REFS, as Dovecot has it). `messages`
/// are in the mailbox's order.
pub fn references(messages: &[Threaded], by_subject: bool) -> Forest {
    let links = Links::of(messages);
    let mut forest = links.pruned(messages);
    forest.sort_children(messages);
    if by_subject {
        forest.sort_roots(messages);
        forest.merge(messages);
        forest.sort_children(messages);
        forest.sort_roots(messages);
    } else {
        forest.newest_last(messages);
    }
    forest
}

/// What siblings are sorted by: the date, then the place in the mailbox.
fn date(messages: &[Threaded], at: usize) -> (i64, usize) {
    (
        messages.get(at).map_or(i64::MIN, |message| message.date),
        at,
    )
}

/// Who is whose parent, messages first, then ids that no message has.
struct Links {
    parents: Vec<Option<usize>>,
    /// How many children each has.
    children: Vec<usize>,
    /// Steps that may still be taken to find loops.
    steps: usize,
}

impl Links {
    /// Step 1 of REFERENCES.
    fn of(messages: &[Threaded]) -> Links {
        let mut links = Links {
            parents: vec![None; messages.len()],
            children: vec![0; messages.len()],
            steps: LOOP_STEPS.saturating_add(messages.len().saturating_mul(LOOP_STEPS_EACH)),
        };
        let mut by_id: HashMap<Hash, usize> = HashMap::new();
        for (at, message) in messages.iter().enumerate() {
            if let Some(id) = message.id {
                // Of several with one id the first has it.
                by_id.entry(id).or_insert(at);
            }
        }
        for (at, message) in messages.iter().enumerate() {
            let mut last: Option<usize> = None;
            for id in &message.references {
                let here = *by_id.entry(*id).or_insert_with(|| links.add());
                if let Some(parent) = last
                    && links.parent(here).is_none()
                {
                    links.link(parent, here);
                }
                last = Some(here);
            }
            if links.parent(at) != last {
                links.unlink(at);
                if let Some(parent) = last {
                    links.link(parent, at);
                }
            }
        }
        links
    }

    fn add(&mut self) -> usize {
        self.parents.push(None);
        self.children.push(0);
        self.parents.len() - 1
    }

    fn parent(&self, of: usize) -> Option<usize> {
        self.parents.get(of).copied().flatten()
    }

    /// Makes one the parent of another that has none, unless that would be a loop.
    fn link(&mut self, parent: usize, child: usize) {
        let has_children = self.children.get(child).is_some_and(|count| *count > 0);
        let mut above = Some(parent);
        while let Some(at) = above {
            if at == child || self.steps == 0 {
                return;
            }
            self.steps -= 1;
            // Who has no children is above nobody.
            above = if has_children { self.parent(at) } else { None };
        }
        if let Some(slot) = self.parents.get_mut(child) {
            *slot = Some(parent);
        }
        if let Some(count) = self.children.get_mut(parent) {
            *count += 1;
        }
    }

    fn unlink(&mut self, child: usize) {
        let Some(parent) = self.parents.get_mut(child).and_then(Option::take) else {
            return;
        };
        if let Some(count) = self.children.get_mut(parent) {
            *count -= 1;
        }
    }

    /// Steps 2 and 3: without the ids that no message has, but for those at the top that keep several together. Threads
    /// that begin with such an id come first, as the ids did; then the others, as their first messages did.
    fn pruned(&self, messages: &[Threaded]) -> Forest {
        let mut forest = Forest::default();
        for at in 0..messages.len() {
            forest.add(Some(at));
        }
        // For an id without a message: the nearest message above it, or else the topmost id.
        let mut above: Vec<Option<usize>> = vec![None; self.parents.len()];
        let mut orphans: Vec<(usize, usize)> = Vec::new();
        let mut roots = Vec::new();
        let mut path = Vec::new();
        for at in 0..messages.len() {
            let Some(mut parent) = self.parent(at) else {
                roots.push(at);
                continue;
            };
            path.clear();
            while parent >= messages.len() {
                if let Some(known) = above.get(parent).copied().flatten() {
                    parent = known;
                    break;
                }
                path.push(parent);
                match self.parent(parent) {
                    Some(next) => parent = next,
                    None => break,
                }
            }
            for passed in &path {
                if let Some(slot) = above.get_mut(*passed) {
                    *slot = Some(parent);
                }
            }
            if parent < messages.len() {
                forest.adopt(parent, at);
            } else {
                orphans.push((parent, at));
            }
        }
        orphans.sort_unstable();
        for siblings in orphans.chunk_by(|one, next| one.0 == next.0) {
            match siblings {
                [(_, only)] => forest.roots.push(*only),
                several => {
                    let dummy = forest.add(None);
                    several.iter().for_each(|(_, at)| forest.adopt(dummy, *at));
                    forest.roots.push(dummy);
                }
            }
        }
        forest.roots.append(&mut roots);
        forest
    }
}

impl Forest {
    fn add(&mut self, message: Option<usize>) -> usize {
        self.nodes.push(Node {
            message,
            children: Vec::new(),
        });
        self.nodes.len() - 1
    }

    fn adopt(&mut self, parent: usize, child: usize) {
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push(child);
        }
    }

    fn take_children(&mut self, of: usize) -> Vec<usize> {
        self.nodes
            .get_mut(of)
            .map(|node| std::mem::take(&mut node.children))
            .unwrap_or_default()
    }

    /// The message of a node, or of its first child.
    fn first(&self, at: usize) -> Option<usize> {
        let node = self.nodes.get(at)?;
        node.message
            .or_else(|| self.nodes.get(*node.children.first()?)?.message)
    }

    fn is_dummy(&self, at: usize) -> bool {
        self.nodes
            .get(at)
            .is_some_and(|node| node.message.is_none())
    }

    /// Steps 4 and 6, below the threads' beginnings: siblings by date.
    fn sort_children(&mut self, messages: &[Threaded]) {
        // Dummies are at the top only, so every child is a message.
        for at in 0..self.nodes.len() {
            let mut children = self.take_children(at);
            children.sort_by_key(|child| self.first(*child).map(|first| date(messages, first)));
            if let Some(node) = self.nodes.get_mut(at) {
                node.children = children;
            }
        }
    }

    /// Steps 4 and 6: threads by date; those whose parent is not there by its first child.
    fn sort_roots(&mut self, messages: &[Threaded]) {
        let mut roots = std::mem::take(&mut self.roots);
        roots.sort_by_key(|root| self.first(*root).map(|first| date(messages, first)));
        self.roots = roots;
    }

    /// Sorts threads by the newest date of each; those of one date stay in their order.
    fn newest_last(&mut self, messages: &[Threaded]) {
        let mut newest = HashMap::new();
        for root in &self.roots {
            let (mut stack, mut latest) = (vec![*root], None);
            while let Some(node) = stack.pop().and_then(|at| self.nodes.get(at)) {
                latest = latest.max(node.message.map(|message| date(messages, message).0));
                stack.extend(&node.children);
            }
            newest.insert(*root, latest);
        }
        self.roots.sort_by_key(|root| newest.get(root).copied());
    }

    /// Step 5: puts threads of one subject together.
    fn merge(&mut self, messages: &[Threaded]) {
        let of = |forest: &Forest, at| messages.get(forest.first(at)?);
        let is_reply = |forest: &Forest, at| {
            !forest.is_dummy(at) && of(forest, at).is_some_and(|message| message.is_reply)
        };
        let subject = |forest: &Forest, at| of(forest, at)?.subject;
        let mut table: HashMap<Hash, usize> = HashMap::new();
        for &at in &self.roots {
            let Some(subject) = subject(self, at) else {
                continue;
            };
            let known = table.entry(subject).or_insert(at);
            if !self.is_dummy(*known)
                && (self.is_dummy(at) || is_reply(self, *known) && !is_reply(self, at))
            {
                *known = at;
            }
        }
        // Those that have found a parent.
        let mut adopted = HashSet::new();
        let mut roots = std::mem::take(&mut self.roots);
        for position in 0..roots.len() {
            let Some(&at) = roots.get(position) else {
                break;
            };
            let Some(head) = subject(self, at).and_then(|subject| table.get_mut(&subject)) else {
                continue;
            };
            if *head == at || adopted.contains(&at) {
                continue;
            }
            if self.is_dummy(*head) && self.is_dummy(at) {
                for child in self.take_children(at) {
                    self.adopt(*head, child);
                }
            } else if self.is_dummy(*head) || is_reply(self, at) && !is_reply(self, *head) {
                self.adopt(*head, at);
            } else {
                let dummy = self.add(None);
                self.adopt(dummy, *head);
                self.adopt(dummy, at);
                adopted.insert(*head);
                roots.push(dummy);
                *head = dummy;
            }
            adopted.insert(at);
        }
        roots.retain(|root| !adopted.contains(root));
        self.roots = roots;
    }
}

#[cfg(test)]
mod tests;
