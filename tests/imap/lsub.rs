//! LSUB (RFC 3501 §6.3.9; RFC 9051 has LIST (SUBSCRIBED) instead). More patterns: `rfc5258`.

use super::states;
use crate::harness::{Client, Server};

fn make(c: &mut Client, names: &[&str]) {
    for name in names {
        c.ok(&format!("CREATE {name}"));
        c.ok(&format!("SUBSCRIBE {name}"));
    }
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    make(&mut c, &["box"]);
    let line = ["* LSUB () \".\" box"];
    for reference in states::forms("b") {
        for pattern in states::forms("o*").iter().chain(&states::forms("%x")) {
            c.check(&format!("lSuB {reference} {pattern}"), &line, "OK");
        }
    }
    for form in states::forms("box") {
        c.check(&format!("LSUB \"\" {form}"), &line, "OK");
        c.check(&format!("LSUB {form} \"\""), &line, "OK");
    }
    states::bad_arguments(
        &server,
        &mut c,
        "LSUB",
        &[
            "",
            " \"\"",
            " \"\" ",
            " *",
            " * *",
            " \"\" * *",
            "  \"\" *",
            " \"\"  *",
            " \"\" (*)",
            " (SUBSCRIBED) \"\" *",
            " \"\" * RETURN (CHILDREN)",
            " \"\" \"*",
            " \"\" {1}*",
        ],
    );
}

/// "The LSUB command returns a subset of names from the set of names that the user has declared as being "active" or
/// "subscribed". Zero or more untagged LSUB replies are returned."
#[test]
fn what_is_subscribed_and_matches() {
    let server = Server::start();
    let mut c = server.client();
    c.check("LSUB \"\" *", &[], "OK");
    c.ok("CREATE silent");
    make(&mut c, &["a.b", "c"]);
    c.ok("SUBSCRIBE INBOX");
    c.check_sorted(
        "LSUB \"\" *",
        &[
            "* LSUB () \".\" INBOX",
            "* LSUB () \".\" a.b",
            "* LSUB () \".\" c",
        ],
        "OK",
    );
    c.check("LSUB a. *", &["* LSUB () \".\" a.b"], "OK");
    c.check("LSUB \"\" in%", &["* LSUB () \".\" INBOX"], "OK");
    c.check("LSUB \"\" silent", &[], "OK");
}

/// "A "%" wildcard to LSUB must return foo, not foo/bar, in the LSUB response, and it MUST be flagged with the
/// \Noselect attribute."
#[test]
fn a_parent_that_is_not_subscribed() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE foo");
    make(&mut c, &["foo.bar"]);
    // Although foo itself can be selected: "the flags in the untagged LIST are considered more authoritative."
    c.check("LSUB \"\" %", &["* LSUB (\\Noselect) \".\" foo"], "OK");
    c.check_sorted(
        "LIST \"\" %",
        &[
            "* LIST (\\HasChildren) \".\" foo",
            "* LIST (\\HasNoChildren) \".\" INBOX",
        ],
        "OK",
    );
    c.check("LSUB \"\" *", &["* LSUB () \".\" foo.bar"], "OK");
    c.ok("SUBSCRIBE foo");
    c.check("LSUB \"\" %", &["* LSUB () \".\" foo"], "OK");
}

/// "The server MUST NOT unilaterally remove an existing mailbox name from the subscription list even if a mailbox by
/// that name no longer exists."
#[test]
fn what_is_subscribed_without_a_mailbox() {
    let server = Server::start();
    let mut c = server.client();
    make(&mut c, &["gone"]);
    c.ok("DELETE gone");
    for _ in 0..2 {
        c.check("LSUB \"\" *", &["* LSUB () \".\" gone"], "OK");
    }
    c.ok("CREATE gone");
    c.check("LSUB \"\" *", &["* LSUB () \".\" gone"], "OK");
}

/// A client of IMAP4rev2 that asks all the same is answered.
#[test]
fn with_imap4rev2() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    make(&mut c, &["\"\u{e9}\""]);
    c.check("LSUB \"\" *", &["* LSUB () \".\" \"\u{e9}\""], "OK");
}
