//! LIST-EXTENDED (RFC 5258), and what Dovecot does where RFC 3501 and RFC 5258 leave it open.

use std::sync::Arc;

use crate::harness::server::Setup;
use crate::harness::{Client, Kind, Maildir, Server};

/// A server whose separator is that of the RFC's examples.
fn with_slashes() -> Server {
    Setup::new(Kind::chosen())
        .fs_layout()
        .start(&Arc::new(Maildir::new()))
}

fn make(c: &mut Client, mailboxes: &[&str], subscribed: &[&str]) {
    for name in mailboxes {
        c.ok(&format!("CREATE {name}"));
    }
    for name in subscribed {
        c.ok(&format!("SUBSCRIBE {name}"));
    }
}

/// §5, examples 1 to 6.
#[test]
fn the_rfcs_fruit() {
    let server = with_slashes();
    let mut c = server.client();
    make(
        &mut c,
        &[
            "Fruit",
            "Fruit/Apple",
            "Fruit/Banana",
            "Fruit/Peach",
            "Tofu",
            "Vegetable",
            "Vegetable/Broccoli",
            "Vegetable/Corn",
        ],
        &[
            "INBOX",
            "Fruit/Banana",
            "Fruit/Peach",
            "Vegetable",
            "Vegetable/Broccoli",
        ],
    );
    c.ok("DELETE Fruit/Peach");
    // "the list MUST include exactly those mailbox names that match the canonical list pattern and are
    // subscribed to." And: "the SUBSCRIBED selection option implies the SUBSCRIBED return option".
    let subscribed = [
        "* LIST (\\Subscribed) \"/\" INBOX",
        "* LIST (\\Subscribed) \"/\" Fruit/Banana",
        "* LIST (\\Subscribed \\NonExistent) \"/\" Fruit/Peach",
        "* LIST (\\Subscribed) \"/\" Vegetable",
        "* LIST (\\Subscribed) \"/\" Vegetable/Broccoli",
    ];
    for options in ["SUBSCRIBED", "REMOTE SUBSCRIBED", "subscribed SUBSCRIBED"] {
        c.check_sorted(&format!("LIST ({options}) \"\" \"*\""), &subscribed, "OK");
    }
    let children = [
        "* LIST (\\HasNoChildren) \"/\" INBOX",
        "* LIST (\\HasChildren) \"/\" Fruit",
        "* LIST (\\HasNoChildren) \"/\" Tofu",
        "* LIST (\\HasChildren) \"/\" Vegetable",
    ];
    c.check_sorted("LIST () \"\" \"%\" RETURN (CHILDREN)", &children, "OK");
    c.check_sorted("LIST (REMOTE) \"\" % RETURN (CHILDREN)", &children, "OK");
    c.check_sorted(
        "LIST (REMOTE) \"\" \"*\" RETURN (SUBSCRIBED)",
        &[
            "* LIST (\\Subscribed) \"/\" INBOX",
            "* LIST () \"/\" Fruit",
            "* LIST () \"/\" Fruit/Apple",
            "* LIST (\\Subscribed) \"/\" Fruit/Banana",
            "* LIST () \"/\" Tofu",
            "* LIST (\\Subscribed) \"/\" Vegetable",
            "* LIST (\\Subscribed) \"/\" Vegetable/Broccoli",
            "* LIST () \"/\" Vegetable/Corn",
        ],
        "OK",
    );
}

/// §5, example 8. "The CHILDINFO extended data item MUST NOT be returned unless the client has specified the
/// RECURSIVEMATCH selection option." (§3.5)
#[test]
fn children_that_are_subscribed() {
    let server = with_slashes();
    let mut c = server.client();
    make(&mut c, &["Foo", "Foo/Bar", "Foo/Baz", "Moo"], &["Foo/Baz"]);
    c.check(
        "LIST (SUBSCRIBED) \"\" \"*\"",
        &["* LIST (\\Subscribed) \"/\" Foo/Baz"],
        "OK",
    );
    c.check("LIST (SUBSCRIBED) \"\" \"%\"", &[], "OK");
    let recursive = "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"";
    c.check(
        recursive,
        &["* LIST () \"/\" Foo (CHILDINFO (\"SUBSCRIBED\"))"],
        "OK",
    );
    c.ok("SUBSCRIBE Foo");
    c.check(
        recursive,
        &["* LIST (\\Subscribed) \"/\" Foo (CHILDINFO (\"SUBSCRIBED\"))"],
        "OK",
    );
    c.ok("UNSUBSCRIBE Foo/Baz");
    c.ok("SUBSCRIBE Moo");
    c.check_sorted(
        &format!("{recursive} RETURN (CHILDREN)"),
        &[
            "* LIST (\\Subscribed \\HasChildren) \"/\" Foo",
            "* LIST (\\Subscribed \\HasNoChildren) \"/\" Moo",
        ],
        "OK",
    );
    c.ok("UNSUBSCRIBE Foo");
    c.ok("UNSUBSCRIBE Moo");
    c.check(recursive, &[], "OK");
}

/// §5, example 9. "it doesn't matter whether or not the submailbox matches the canonical LIST pattern." (§3.1)
#[test]
fn children_that_no_pattern_asks_for() {
    let server = with_slashes();
    let mut c = server.client();
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
    make(&mut c, &["foo2", "baz2"], &[]);
    make(&mut c, &subscribed, &subscribed);
    c.check_sorted(
        "LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"",
        &[
            "* LIST () \"/\" foo2 (CHILDINFO (\"SUBSCRIBED\"))",
            "* LIST (\\Subscribed) \"/\" foo2/bar2",
            "* LIST (\\Subscribed) \"/\" baz2/bar2",
            "* LIST (\\Subscribed) \"/\" baz2/bar22",
            "* LIST (\\Subscribed) \"/\" baz2/bar222",
            "* LIST (\\Subscribed) \"/\" eps2 (CHILDINFO (\"SUBSCRIBED\"))",
            "* LIST (\\Subscribed) \"/\" qux2/bar2",
        ],
        "OK",
    );
}

/// §3: the attribute \NonExistent "MUST be supported and MUST be accurately computed."
#[test]
fn implied_parents_and_what_is_subscribed_but_missing() {
    let server = Server::start();
    let mut c = server.client();
    let made = ["a.b.c", "a.x", "gone", "lost.deep", "Sent"];
    make(&mut c, &made, &["a.b.c", "gone", "lost.deep", "Sent"]);
    c.ok("DELETE gone");
    c.ok("DELETE lost.deep");
    // Dovecot leaves out the \HasChildren that §3.5 asks for.
    let implied = server.either("\\NonExistent \\HasChildren", "\\NonExistent");
    for form in [
        "() \"\" %",
        "\"\" (%)",
        "\"\" % RETURN ()",
        "(REMOTE) \"\" %",
    ] {
        c.check_sorted(
            &format!("LIST {form}"),
            &[
                &format!("* LIST ({implied}) \".\" a"),
                "* LIST () \".\" Sent",
                "* LIST () \".\" INBOX",
            ],
            "OK",
        );
    }
    c.check_sorted(
        "LIST \"\" % RETURN (CHILDREN SUBSCRIBED SPECIAL-USE)",
        &[
            "* LIST (\\NonExistent \\HasChildren) \".\" a",
            "* LIST (\\Subscribed \\HasNoChildren \\Sent) \".\" Sent",
            "* LIST (\\HasNoChildren) \".\" INBOX",
        ],
        "OK",
    );
    // The basic form has no \NonExistent.
    c.check_sorted(
        "LIST \"\" %",
        &[
            "* LIST (\\Noselect \\HasChildren) \".\" a",
            "* LIST (\\HasNoChildren \\Sent) \".\" Sent",
            "* LIST (\\HasNoChildren) \".\" INBOX",
        ],
        "OK",
    );
    c.check_sorted(
        "LIST (SUBSCRIBED) \"\" % RETURN (CHILDREN)",
        &[
            "* LIST (\\Subscribed \\NonExistent \\HasNoChildren) \".\" gone",
            "* LIST (\\Subscribed \\HasNoChildren) \".\" Sent",
        ],
        "OK",
    );
    // What is below "lost" does not exist. Dovecot says that it does.
    let lost = server.either("\\HasNoChildren", "\\HasChildren");
    c.check_sorted(
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (CHILDREN)",
        &[
            "* LIST (\\NonExistent \\HasChildren) \".\" a (CHILDINFO (\"SUBSCRIBED\"))",
            &format!("* LIST (\\NonExistent {lost}) \".\" lost (CHILDINFO (\"SUBSCRIBED\"))"),
            "* LIST (\\Subscribed \\NonExistent \\HasNoChildren) \".\" gone",
            "* LIST (\\Subscribed \\HasNoChildren) \".\" Sent",
        ],
        "OK",
    );
    // §3.5: "servers SHOULD suppress redundant CHILDINFO responses."
    c.check_sorted(
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *",
        &[
            "* LIST (\\Subscribed) \".\" a.b.c",
            "* LIST (\\Subscribed) \".\" Sent",
            "* LIST (\\Subscribed \\NonExistent) \".\" gone",
            "* LIST (\\Subscribed \\NonExistent) \".\" lost.deep",
        ],
        "OK",
    );
    for pattern in ["a", "%"] {
        let reply = c.run(&format!("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" {pattern}"));
        let line = "* LIST (\\NonExistent) \".\" a (CHILDINFO (\"SUBSCRIBED\"))";
        assert!(reply.plain().contains(&line.to_owned()), "{reply:?}");
    }
}

/// In the fs layout a parent has a directory, and is no mailbox: \Noselect, as in Dovecot.
#[test]
fn directories_that_are_no_mailboxes() {
    let server = with_slashes();
    let mut c = server.client();
    make(&mut c, &["a/b", "p", "p/q"], &[]);
    c.ok("DELETE p/q");
    c.check_sorted(
        "LIST () \"\" * RETURN (CHILDREN)",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\Noselect \\HasChildren) \"/\" a",
            "* LIST (\\HasNoChildren) \"/\" a/b",
            "* LIST (\\HasNoChildren) \"/\" p",
        ],
        "OK",
    );
    // RFC 9051 §6.3.5: "The NO response SHOULD include the HASCHILDREN response code."
    c.check("DELETE a", &[], server.either("NO [HASCHILDREN]", "NO"));
}

/// §3: "If a mailbox name matches multiple mailbox patterns from the list, the server SHOULD return only a
/// single LIST response." And "the empty string MUST be ignored for the purpose of matching."
#[test]
fn several_patterns() {
    let server = Server::start();
    let mut c = server.client();
    make(
        &mut c,
        &["Sent.March2004", "Sent.August2004", "x", "y"],
        &[],
    );
    c.check_sorted(
        "LIST \"\" (\"INBOX\" \"in%\" \"Sent.%\" Sent.Mar* \"\" {1}\r\nx)",
        &[
            "* LIST () \".\" INBOX",
            "* LIST () \".\" Sent.March2004",
            "* LIST () \".\" Sent.August2004",
            "* LIST () \".\" x",
        ],
        "OK",
    );
    c.check_sorted(
        "LIST (REMOTE) Sent. (A% M% x)",
        &[
            "* LIST () \".\" Sent.March2004",
            "* LIST () \".\" Sent.August2004",
        ],
        "OK",
    );
    // "ANY extended LIST command … MUST NOT treat the empty mailbox name as such a special request".
    for form in ["() \"\" \"\"", "\"\" (\"\")", "\"\" \"\" RETURN ()"] {
        c.check(&format!("LIST {form}"), &[], "OK");
    }
}

#[test]
fn very_many_patterns() {
    let server = Server::start();
    let mut c = server.client();
    make(&mut c, &["a.b", "x"], &[]);
    let patterns = |count: usize| format!("LIST \"\" ({}x)", "*%b*a ".repeat(count - 1));
    c.check(&patterns(1000), &["* LIST () \".\" x"], "OK");
    if server.either(true, false) {
        c.bad(&patterns(1001));
    }
}

/// §3: "A server MUST respond to options it does not recognize with a BAD response." §3.1: RECURSIVEMATCH alone
/// or with REMOTE: "The server MUST return BAD tagged response in such case."
#[test]
fn what_is_bad() {
    let server = Server::start();
    let mut c = server.client();
    for command in [
        "LIST (RECURSIVEMATCH) \"\" *",
        "LIST (REMOTE RECURSIVEMATCH) \"\" *",
        "LIST (BOGUS) \"\" *",
        "LIST (SUBSCRIBED BOGUS) \"\" *",
        "LIST \"\" * RETURN (BOGUS)",
        "LIST \"\" * RETURN",
        "LIST \"\" * RETURN CHILDREN",
        "LIST \"\" * BOGUS",
        "LIST \"\" (a",
        "LIST (SUBSCRIBED \"\" *",
        "LIST ()",
        "LIST \"\" * RETURN () x",
    ] {
        c.bad(command);
    }
    c.bad_strictly("LIST \"\" ()");
    c.bad_strictly("LIST \"\" * RETURN ( CHILDREN)");
}

/// RFC 3501 §6.3.8: "an empty ("" string) mailbox name argument is a special request to return the hierarchy
/// delimiter and the root name of the name given in the reference." A root ends in the separator.
#[test]
fn the_root_of_a_reference() {
    let server = Server::start();
    let mut c = server.client();
    for (reference, root) in [
        ("\"\"", "\"\""),
        ("a", "\"\""),
        ("a.", "a."),
        ("a.b.c", "a."),
        ("/x/y", "\"\""),
        ("#news.", "#news."),
        ("\"*\"", "\"\""),
    ] {
        let line = format!("* LIST (\\Noselect) \".\" {root}");
        c.check(&format!("LIST {reference} \"\""), &[&line], "OK");
    }
    let server = with_slashes();
    let line = ["* LIST (\\Noselect) \"/\" /"];
    server.client().check("LIST /usr/staff \"\"", &line, "OK");
}

/// Names that look like patterns, and patterns with wildcards at every place.
#[test]
fn wildcards_at_every_place() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["a.b.c", "a.x", "\"st*r\"", "\"per%cent\"", "INBOX.kid"] {
        c.ok(&format!("CREATE {name}"));
    }
    for (pattern, names) in [
        ("\"\" \"a*c\"", "a.b.c"),
        ("\"\" \"*.%\"", "INBOX.kid a.b a.b.c a.x"),
        ("\"\" \"%.*\"", "INBOX.kid a.b a.b.c a.x"),
        ("\"\" \"%c\"", ""),
        ("\"\" \"*c\"", "a.b.c"),
        ("\"\" \"INB%\"", "INBOX"),
        ("\"\" \"inbox*\"", "INBOX INBOX.kid"),
        ("\"\" \"InBoX.%\"", "INBOX.kid"),
        ("inbox .%", "INBOX.kid"),
        ("in box", "INBOX"),
        ("a *", "a a.b a.b.c a.x"),
        ("\"a.%\" .c", "a.b.c"),
        ("\"\" a.", ""),
        ("\"\" .a", ""),
        ("\"\" .", ""),
        ("\"\" a..b", ""),
        ("\"\" \"%.%.%\"", "a.b.c"),
        ("\"\" \"st*r\"", "\"st*r\""),
        ("\"\" \"st%r\"", "\"st*r\""),
        ("\"\" \"per%\"", "\"per%cent\""),
        ("\"\" \"&*\"", ""),
        ("\"\" \"../*\"", ""),
        ("\"\" \"~*\"", ""),
    ] {
        let mut listed: Vec<String> = c
            .ok(&format!("LIST {pattern}"))
            .iter()
            .map(|line| line.split(" \".\" ").nth(1).unwrap().to_owned())
            .collect();
        listed.sort();
        assert_eq!(listed.join(" "), names, "{pattern}");
    }
}

/// RFC 3501 §6.3.9: "a "%" wildcard to LSUB must return foo, not foo/bar, in the LSUB response, and it MUST be
/// flagged with the \Noselect attribute." Only at the pattern's end, as in Dovecot.
#[test]
fn lsub() {
    let server = Server::start();
    let mut c = server.client();
    let made = ["a.b.c", "Sent", "gone", "lost.deep", "p", "p.q", "\"st*r\""];
    make(&mut c, &made, &made);
    c.ok("DELETE gone");
    c.ok("DELETE lost.deep");
    for (pattern, lines) in [
        (
            "%",
            &[
                "(\\Noselect) \".\" a",
                "(\\Sent) \".\" Sent",
                "() \".\" gone",
                "(\\Noselect) \".\" lost",
                "() \".\" p",
                "() \".\" \"st*r\"",
            ][..],
        ),
        ("a.%", &["(\\Noselect) \".\" a.b"]),
        ("a%", &["(\\Noselect) \".\" a"]),
        ("a.b", &[]),
        ("%.b", &[]),
        ("a*", &["() \".\" a.b.c"]),
        ("lost", &[]),
        ("\"\"", &[]),
        (
            "*.%",
            &["() \".\" a.b.c", "() \".\" lost.deep", "() \".\" p.q"],
        ),
        (
            "%.%",
            &[
                "(\\Noselect) \".\" a.b",
                "() \".\" lost.deep",
                "() \".\" p.q",
            ],
        ),
        ("\"st%\"", &["() \".\" \"st*r\""]),
    ] {
        let lines: Vec<String> = lines.iter().map(|line| format!("* LSUB {line}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        c.check_sorted(&format!("LSUB \"\" {pattern}"), &lines, "OK");
    }
}

/// XLIST is what Gmail's clients said before RFC 6154: a LIST by another name, not announced.
#[test]
fn xlist() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Sent");
    c.check_sorted(
        "XLIST \"\" %",
        &[
            "* LIST (\\HasNoChildren \\Sent) \".\" Sent",
            "* LIST (\\HasNoChildren) \".\" INBOX",
        ],
        "OK",
    );
    assert!(!c.ok("CAPABILITY")[0].contains("XLIST"));
}
