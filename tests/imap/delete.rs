//! DELETE (RFC 3501 §6.3.4, RFC 9051 §6.3.5), with its codes (RFC 5530).

use super::select::validity;
use super::states;
use crate::harness::{Server, message};

/// `delete = "DELETE" SP mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    for form in states::forms("box") {
        c.ok("CREATE box");
        c.check(&format!("dElEtE {form}"), &[], "OK");
        c.check("LIST \"\" box", &[], "OK");
    }
    c.ok("CREATE box");
    states::takes_one_name(&server, &mut c, "DELETE");
    // DELETE takes no wildcard.
    c.no("DELETE \"*\"");
    c.no("DELETE \"b%\"");
    assert_eq!(c.ok("LIST \"\" box").len(), 1);
}

/// RFC 3501 §6.3.4: "It is an error to attempt to delete INBOX or a mailbox name that does not exist." The grammar
/// says of INBOX: "Use of INBOX gives a NO error".
#[test]
fn what_cannot_be_deleted() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    for inbox in states::INBOX {
        c.no(&format!("DELETE {inbox}"));
    }
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 1)"],
        "OK",
    );
    c.check("DELETE nosuch", &[], "NO [NONEXISTENT]");
    for name in ["\"\"", "..", "../x", "/etc", "a..b", ".", "x/y"] {
        c.no(&format!("DELETE {name}"));
    }
    assert!(server.maildir.path().join("cur").is_dir());
}

/// RFC 3501 §6.3.4: "The DELETE command MUST NOT remove inferior hierarchical names."
#[test]
fn children_stay_and_the_name_becomes_an_implied_parent() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE p");
    c.ok("CREATE p.child");
    c.append("p.child", "", &message("kept"));
    // "all messages in that mailbox are removed, and the name will acquire the \Noselect mailbox name attribute."
    // Dovecot's list is a second behind.
    let parent = server.either(
        "* LIST (\\Noselect \\HasChildren) \".\" p",
        "* LIST (\\HasChildren) \".\" p",
    );
    c.append("p", "", &message("one"));
    c.check("DELETE p", &[], "OK");
    c.check_sorted(
        "LIST \"\" p*",
        &["* LIST (\\HasNoChildren) \".\" p.child", parent],
        "OK",
    );
    c.no("SELECT p");
    // "It is an error to attempt to delete a name that has inferior hierarchical names and also has the \Noselect
    // mailbox name attribute".
    c.check("DELETE p", &[], "NO [NONEXISTENT]");
    c.check(
        "STATUS p.child (MESSAGES)",
        &["* STATUS p.child (MESSAGES 1)"],
        "OK",
    );
    c.ok("DELETE p.child");
    c.check("LIST \"\" p*", &[], "OK");
}

/// RFC 3501 §6.3.4: "The value of the highest-used unique identifier of the deleted mailbox MUST be preserved so
/// that a new mailbox created with the same name will not reuse the identifiers of the former incarnation, UNLESS
/// the new incarnation has a different unique identifier validity value."
#[test]
fn what_takes_the_name_has_another_uidvalidity() {
    let server = Server::start();
    let mut c = server.client();
    let mut last = 0;
    for by_rename in [false, true, false] {
        if by_rename {
            c.ok("CREATE other");
            c.ok("RENAME other box");
        } else {
            c.ok("CREATE box");
        }
        c.append("box", "", &message("one"));
        let validity = validity(&c.ok("SELECT box"));
        assert_ne!(validity, last);
        last = validity;
        c.ok("UNSELECT");
        c.ok("DELETE box");
    }
}

/// RFC 9051 §6.3.5: "If the server decides to convert (normalize) the mailbox name, it SHOULD return an untagged
/// LIST with the "\NonExistent" attribute and OLDNAME extended data item".
#[test]
fn a_name_in_another_form_is_told() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    c.ok("CREATE \"caf\u{e9}\"");
    c.check(
        "DELETE \"cafe\u{301}\"",
        &["* LIST (\\NonExistent) \".\" \"caf\u{e9}\" (OLDNAME (\"cafe\u{301}\"))"],
        "OK",
    );
    c.check("DELETE \"caf\u{e9}\"", &[], "NO [NONEXISTENT]");
}
