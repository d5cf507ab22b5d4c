//! Threads of small mailboxes, and of large and hostile ones.

use super::*;

fn hash(id: &str) -> Hash {
    id.bytes()
        .fold(1, |hash, byte| hash << 8 | Hash::from(byte))
}

/// `id<references subject @date`, the last two left out where they don't matter.
fn message(text: &str) -> Threaded {
    let (text, date) = text.split_once(" @").unwrap_or((text, "0"));
    let (links, subject) = text.split_once(' ').unwrap_or((text, ""));
    let (id, references) = links.split_once('<').unwrap_or((links, ""));
    let (is_reply, subject) = match subject.strip_prefix("re:") {
        Some(rest) => (true, rest),
        None => (false, subject),
    };
    Threaded {
        date: date.parse().unwrap(),
        subject: (!subject.is_empty()).then(|| hash(subject)),
        is_reply,
        id: (!id.is_empty()).then(|| hash(id)),
        references: (references.split(',').filter(|id| !id.is_empty()))
            .map(hash)
            .collect(),
    }
}

/// The forest as THREAD writes it.
fn shown(forest: &Forest) -> String {
    fn node(forest: &Forest, at: usize, out: &mut String) {
        let node_here = &forest.nodes[at];
        out.extend(node_here.message.map(|message| (message + 1).to_string()));
        match node_here.children.as_slice() {
            [only] if node_here.message.is_some() => {
                out.push(' ');
                node(forest, *only, out);
            }
            children => {
                if node_here.message.is_some() && !children.is_empty() {
                    out.push(' ');
                }
                for child in children {
                    out.push('(');
                    node(forest, *child, out);
                    out.push(')');
                }
            }
        }
    }
    let mut out = String::new();
    for root in &forest.roots {
        out.push('(');
        node(forest, *root, &mut out);
        out.push(')');
    }
    out
}

fn threads(messages: &[&str], by_subject: bool) -> String {
    let messages: Vec<Threaded> = messages.iter().map(|text| message(text)).collect();
    shown(&references(&messages, by_subject))
}

#[test]
fn by_references() {
    let table: [(&[&str], &str); 16] = [
        (&[], ""),
        (&["a", "b"], "(1)(2)"),
        (&["a", "b<a", "c<a,b"], "(1 2 3)"),
        (&["a", "b<a", "c<a"], "(1 (2)(3))"),
        // In any order of arrival.
        (&["c<a,b", "b<a", "a"], "(3 2 1)"),
        // Of a parent that is not there: alone it is left out, for several it stays.
        (&["b<a", "c<b"], "(1 2)"),
        (&["b<a", "c<a"], "((1)(2))"),
        (&["c<a,b", "d<a,b"], "((1)(2))"),
        (&["c<a,b", "d<a"], "((1)(2))"),
        (&["a", "d<a,b,c"], "(1 2)"),
        // Loops are not made.
        (&["a<b", "b<a"], "(2 1)"),
        (&["a<a"], "(1)"),
        (&["a<b,a", "b<a,b"], "(1)(2)"),
        // Its own References say more than those of others; two with one id; none at all.
        (&["x<a,c", "c<b", "b"], "(3 2 1)"),
        (&["a", "a<a", "c<a"], "(1 (2)(3))"),
        (&["", "<a", "a"], "(1)(3 2)"),
    ];
    for (messages, expected) in table {
        assert_eq!(threads(messages, false), expected, "{messages:?}");
    }
}

#[test]
fn siblings_by_date() {
    let found = threads(
        &["a @5", "b<a @4", "c<a @3", "d @2", "e<x @1", "f<x @9"],
        false,
    );
    // The last three by their newest: d, a with its replies, e and f.
    assert_eq!(found, "(4)(1 (3)(2))((5)(6))");
}

/// RFC 5256 has no REFS: as Dovecot, threads whose beginning is missing first, then by the number of the beginning.
#[test]
fn of_one_newest_date() {
    let found = threads(
        &["c<a @9", "b @9", "d<y @9", "a @1", "e<x @9", "f<x @8"],
        false,
    );
    assert_eq!(found, "(3)((6)(5))(2)(4 1)");
}

#[test]
fn by_subject() {
    let table: [(&[&str], &str); 9] = [
        (&["a s", "b re:s"], "(1 2)"),
        (&["a re:s", "b s"], "(2 1)"),
        (&["a s", "b s"], "((1)(2))"),
        (&["a re:s", "b re:s"], "((1)(2))"),
        (&["a s", "b s", "c re:s"], "((1)(2)(3))"),
        (&["a", "b"], "(1)(2)"),
        (&["a<x s", "b<x s", "c<y s", "d<y s"], "((1)(2)(3)(4))"),
        (&["a<x s", "b<x t", "c s", "d re:s"], "((1)(2)(3)(4))"),
        (&["a s", "b re:s", "c<b t", "d t"], "(1 2 3)(4)"),
    ];
    for (messages, expected) in table {
        assert_eq!(threads(messages, true), expected, "{messages:?}");
    }
}

#[test]
fn ordered_by_subject() {
    let messages = ["a s @3", "b t @2", "c re:s @1", "d s @4", "e @0", "f @9"].map(message);
    assert_eq!(shown(&ordered_subject(&messages)), "(5 6)(3 (1)(4))(2)");
}

#[test]
fn as_deep_as_it_is_long() {
    let count = 100_000;
    let chain = |at: usize| Threaded {
        id: Some(at as Hash),
        references: vec![at as Hash + 1],
        ..Threaded::default()
    };
    let messages: Vec<Threaded> = (0..count).map(chain).collect();
    let forest = references(&messages, true);
    assert_eq!(forest.roots, [count - 1]);
    let reversed: Vec<Threaded> = (0..count).rev().map(chain).collect();
    assert_eq!(references(&reversed, true).roots, [0]);
}

/// A chain, and messages that say again and again that its end is above its beginning.
#[test]
fn a_tangle_is_given_up_in_bounded_time() {
    let chain = |at: Hash| Threaded {
        id: Some(at),
        references: vec![at.saturating_sub(1)],
        ..Threaded::default()
    };
    let mut messages: Vec<Threaded> = (0..100_000).map(chain).collect();
    let tangle: Vec<Hash> = [99_999, 0].repeat(50);
    messages.extend((0..2000).map(|at| Threaded {
        id: Some(200_000 + at),
        references: tangle.clone(),
        ..Threaded::default()
    }));
    let links = Links::of(&messages);
    assert_eq!(links.steps, 0);
    assert_eq!(references(&messages, false).nodes.len(), messages.len());
}
