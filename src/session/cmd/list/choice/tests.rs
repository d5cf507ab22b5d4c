//! The examples of RFC 5258 §5, by their numbers.

use super::*;
use crate::imap::name::Pattern;

/// The responses to a LIST, as attributes, name and CHILDINFO in one string each.
fn list(
    folders: &[&str],
    subscribed: &[&str],
    select: &[SelectOption],
    returns: &[ReturnOption],
    patterns: &[&str],
) -> Vec<String> {
    let options = ListOptions {
        select: select.to_vec(),
        returns: returns.to_vec(),
    };
    shown(folders, subscribed, Some(&options), patterns)
}

fn shown(
    folders: &[&str],
    subscribed: &[&str],
    options: Option<&ListOptions>,
    patterns: &[&str],
) -> Vec<String> {
    let name = |text: &str| MailboxName::from_utf8(text, '/').unwrap();
    let mailboxes: HashSet<MailboxName> = folders.iter().map(|text| name(text)).collect();
    let mut all = mailboxes.clone();
    for mailbox in &mailboxes {
        let mut parent = mailbox.parent('/');
        while let Some(implied) = parent {
            parent = implied.parent('/');
            all.insert(implied);
        }
    }
    let folders = all
        .iter()
        .map(|one| Folder {
            selectable: mailboxes.contains(one),
            exists: mailboxes.contains(one),
            has_children: all.iter().any(|other| other.is_below(one, '/')),
            special_use: (one.as_str() == "Sent").then_some(ListAttribute::Sent),
            name: one.clone(),
        })
        .collect();
    let wanted = Wanted::new(options);
    let mut rows = rows(folders);
    if wanted.asks_for_subscriptions() {
        let subscribed = subscribed.iter().map(|text| name(text)).collect();
        subscribe(&mut rows, &subscribed, &wanted, '/', |_| None);
    }
    let patterns: Vec<Pattern> = patterns
        .iter()
        .map(|pattern| Pattern::new(b"", pattern.as_bytes(), false, '/'))
        .collect();
    sort(&mut rows, '/');
    let asked_for: Vec<bool> = rows
        .iter()
        .map(|row| patterns.iter().any(|one| one.matches(&row.folder.name)))
        .collect();
    lines(&rows, &asked_for, &wanted, '/')
        .into_iter()
        .map(|line| {
            let mut words: Vec<String> = line
                .item
                .attributes
                .iter()
                .map(|attribute| attribute.as_str().to_owned())
                .collect();
            words.push(line.item.name.unwrap().to_string());
            for extended in line.item.extended {
                let ListExtended::ChildInfo(criteria) = extended else {
                    panic!("{extended:?}")
                };
                words.push(format!("CHILDINFO {}", criteria.join(" ")));
            }
            if line.selected {
                words.push("+".to_owned());
            }
            words.join(" ")
        })
        .collect()
}

use ReturnOption::Children;
use SelectOption::{RecursiveMatch, Remote, SpecialUse, Subscribed};

const FRUIT: [&str; 8] = [
    "INBOX",
    "Fruit",
    "Fruit/Apple",
    "Fruit/Banana",
    "Tofu",
    "Vegetable",
    "Vegetable/Broccoli",
    "Vegetable/Corn",
];
const FRUIT_SUBSCRIBED: [&str; 5] = [
    "INBOX",
    "Fruit/Banana",
    "Fruit/Peach",
    "Vegetable",
    "Vegetable/Broccoli",
];

#[test]
fn examples_2_to_6_subscriptions_and_children() {
    let subscribed = [
        "\\Subscribed Fruit/Banana +",
        "\\Subscribed \\NonExistent Fruit/Peach",
        "\\Subscribed INBOX +",
        "\\Subscribed Vegetable +",
        "\\Subscribed Vegetable/Broccoli +",
    ];
    for select in [&[Subscribed][..], &[Remote, Subscribed, Subscribed]] {
        let lines = list(&FRUIT, &FRUIT_SUBSCRIBED, select, &[], &["*"]);
        assert_eq!(lines, subscribed);
    }
    for select in [&[][..], &[Remote]] {
        assert_eq!(
            list(&FRUIT, &FRUIT_SUBSCRIBED, select, &[Children], &["%"]),
            [
                "\\HasChildren Fruit +",
                "\\HasNoChildren INBOX +",
                "\\HasNoChildren Tofu +",
                "\\HasChildren Vegetable +",
            ]
        );
    }
    // "the output of this command is not a superset of the output in the previous example, as it doesn't
    // include LIST response for the non-existent "Fruit/Peach"."
    let returns = [ReturnOption::Subscribed];
    assert_eq!(
        list(&FRUIT, &FRUIT_SUBSCRIBED, &[Remote], &returns, &["*"]),
        [
            "Fruit +",
            "Fruit/Apple +",
            "\\Subscribed Fruit/Banana +",
            "\\Subscribed INBOX +",
            "Tofu +",
            "\\Subscribed Vegetable +",
            "\\Subscribed Vegetable/Broccoli +",
            "Vegetable/Corn +",
        ]
    );
}

#[test]
fn example_7_several_patterns() {
    let folders = ["INBOX", "Drafts", "Sent/March2004", "Sent/August2004", "x"];
    assert_eq!(
        list(
            &folders,
            &[],
            &[],
            &[],
            &["INBOX", "Drafts", "Sent/%", "IN*", "INBOX"]
        ),
        [
            "Drafts +",
            "INBOX +",
            "Sent/August2004 +",
            "Sent/March2004 +"
        ]
    );
}

#[test]
fn example_8_children_that_are_subscribed() {
    let folders = ["INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo"];
    let recursive = [Subscribed, RecursiveMatch];
    let plain =
        |subscribed: &[&str], pattern| list(&folders, subscribed, &[Subscribed], &[], &[pattern]);
    let deep = |subscribed: &[&str], returns: &[ReturnOption]| {
        list(&folders, subscribed, &recursive, returns, &["%"])
    };
    assert_eq!(plain(&["Foo/Baz"], "*"), ["\\Subscribed Foo/Baz +"]);
    assert_eq!(plain(&["Foo/Baz"], "%"), [""; 0]);
    assert_eq!(deep(&["Foo/Baz"], &[]), ["Foo CHILDINFO SUBSCRIBED"]);
    // A1
    assert_eq!(
        deep(&["Foo", "Foo/Baz"], &[]),
        ["\\Subscribed Foo CHILDINFO SUBSCRIBED +"]
    );
    // A2
    assert_eq!(
        list(&["Foo/Baz"], &["Foo/Baz"], &recursive, &[], &["%"]),
        ["\\NonExistent Foo CHILDINFO SUBSCRIBED"]
    );
    // B
    assert_eq!(deep(&[], &[]), [""; 0]);
    // C
    assert_eq!(
        deep(&["Foo", "Moo"], &[Children]),
        [
            "\\Subscribed \\HasChildren Foo +",
            "\\Subscribed \\HasNoChildren Moo +",
        ]
    );
}

#[test]
fn example_9_children_that_no_pattern_asks_for() {
    let folders = [
        "INBOX",
        "foo2",
        "foo2/bar1",
        "foo2/bar2",
        "baz2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "qux2/bar2",
    ];
    let subscribed = [
        "foo2/bar1",
        "foo2/bar2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "qux2/bar2",
    ];
    let recursive = [RecursiveMatch, Subscribed];
    assert_eq!(
        list(&folders, &subscribed, &recursive, &[], &["*2"]),
        [
            "\\Subscribed baz2/bar2 +",
            "\\Subscribed baz2/bar22 +",
            "\\Subscribed baz2/bar222 +",
            "\\Subscribed eps2 CHILDINFO SUBSCRIBED +",
            "foo2 CHILDINFO SUBSCRIBED",
            "\\Subscribed foo2/bar2 +",
            "\\Subscribed qux2/bar2 +",
        ]
    );
    // RFC 5258 §3.5: "servers SHOULD suppress redundant CHILDINFO responses." The RFC's own next example does
    // not; Dovecot does.
    assert_eq!(
        list(&folders, &subscribed, &recursive, &[], &["*"]),
        [
            "\\Subscribed baz2/bar2 +",
            "\\Subscribed baz2/bar22 +",
            "\\Subscribed baz2/bar222 +",
            "\\Subscribed eps2 CHILDINFO SUBSCRIBED +",
            "\\Subscribed eps2/mamba +",
            "\\Subscribed foo2/bar1 +",
            "\\Subscribed foo2/bar2 +",
            "\\Subscribed qux2/bar2 +",
        ]
    );
}

#[test]
fn example_10_child_info_is_not_has_children() {
    let folders = ["foo"];
    let subscribed = ["foo/bar"];
    assert_eq!(list(&folders, &subscribed, &[], &[], &["foo"]), ["foo +"]);
    assert_eq!(
        list(&folders, &subscribed, &[Subscribed], &[], &["foo/*"]),
        ["\\Subscribed \\NonExistent foo/bar"]
    );
    let recursive = [Subscribed, RecursiveMatch];
    assert_eq!(
        list(&folders, &subscribed, &recursive, &[Children], &["foo"]),
        ["\\HasNoChildren foo CHILDINFO SUBSCRIBED"]
    );
}

#[test]
fn example_11_implied_parents() {
    let folders = ["music/rock"];
    let music = "\\NonExistent \\HasChildren music";
    assert_eq!(list(&folders, &[], &[], &[], &["%"]), [music]);
    assert_eq!(list(&folders, &[], &[Remote], &[], &["%"]), [music]);
    assert_eq!(
        list(&folders, &[], &[], &[], &["%", "music/rock"]),
        [music, "music/rock +"]
    );
    // The basic form knows no \NonExistent.
    assert_eq!(
        shown(&folders, &[], None, &["*"]),
        [
            "\\Noselect \\HasChildren music",
            "\\HasNoChildren music/rock +"
        ]
    );
}

#[test]
fn what_is_subscribed_without_being_there_has_parents_too() {
    let recursive = [Subscribed, RecursiveMatch];
    let lines = |pattern| list(&["a"], &["x/y/z", "x/y"], &recursive, &[], &[pattern]);
    assert_eq!(lines("%"), ["\\NonExistent x CHILDINFO SUBSCRIBED"]);
    assert_eq!(
        lines("%/%"),
        ["\\Subscribed \\NonExistent x/y CHILDINFO SUBSCRIBED"]
    );
    assert_eq!(lines("x/y/z"), ["\\Subscribed \\NonExistent x/y/z"]);
    assert_eq!(lines("x/y/z/%"), [""; 0]);
}

#[test]
fn special_uses_are_selected_and_shown() {
    let folders = ["Sent", "Sent/Old", "a"];
    assert_eq!(
        list(&folders, &[], &[SpecialUse], &[], &["*"]),
        ["\\Sent Sent +"]
    );
    assert_eq!(
        list(&folders, &["a"], &[SpecialUse, Subscribed], &[], &["*"]),
        [""; 0]
    );
    assert_eq!(
        list(
            &folders,
            &["Sent"],
            &[SpecialUse, Subscribed],
            &[Children],
            &["*"]
        ),
        ["\\Subscribed \\HasChildren \\Sent Sent +"]
    );
    assert_eq!(
        list(&folders, &[], &[], &[ReturnOption::SpecialUse], &["%"]),
        ["\\Sent Sent +", "a +"]
    );
}
