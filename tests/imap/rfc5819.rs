//! LIST-STATUS (RFC 5819).

use crate::harness::{Server, message};

/// §2: "For each selectable mailbox matching the list pattern and selection options, the server MUST return an
/// untagged LIST response followed by an untagged STATUS response".
#[test]
fn a_status_behind_each_mailbox() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE foo");
    c.ok("CREATE bar.child");
    c.append("INBOX", "", &message("one"));
    c.append("INBOX", "(\\Seen) ", &message("two"));
    c.append("foo", "", &message("three"));
    let lines = c.ok("LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))");
    // "bar" is not selectable, so it has no STATUS.
    let bar = server.either(
        "* LIST (\\NonExistent \\HasChildren) \".\" bar",
        "* LIST (\\NonExistent) \".\" bar",
    );
    for pair in [
        &[
            "* LIST () \".\" INBOX",
            "* STATUS INBOX (MESSAGES 2 UNSEEN 1)",
        ][..],
        &["* LIST () \".\" foo", "* STATUS foo (MESSAGES 1 UNSEEN 1)"],
        &[bar],
    ] {
        assert!(
            lines.windows(pair.len()).any(|window| window == pair),
            "{pair:?} is not in {lines:?}"
        );
    }
    assert_eq!(lines.len(), 5);
}

/// §3: "The LIST reply for "foo" is returned because it has matching children, but no STATUS reply is returned
/// because "foo" itself doesn't match the selection criteria."
#[test]
fn none_behind_what_does_not_match_itself() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["foo", "foo.sub"] {
        c.ok(&format!("CREATE {name}"));
    }
    for name in ["INBOX", "foo.sub"] {
        c.ok(&format!("SUBSCRIBE {name}"));
    }
    let lines = c.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (STATUS (MESSAGES))");
    for line in [
        "* LIST () \".\" foo (CHILDINFO (\"SUBSCRIBED\"))",
        "* LIST (\\Subscribed) \".\" INBOX",
        "* STATUS INBOX (MESSAGES 0)",
    ] {
        assert!(lines.contains(&line.to_owned()), "{lines:?}");
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn of_the_selected_mailbox_too() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.ok("SELECT INBOX");
    c.check(
        "LIST \"\" INBOX RETURN (STATUS (MESSAGES UIDNEXT) CHILDREN)",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)",
        ],
        "OK",
    );
    for command in [
        "LIST \"\" % RETURN (STATUS)",
        "LIST \"\" % RETURN (STATUS ())",
        "LIST \"\" % RETURN (STATUS (BOGUS))",
    ] {
        c.bad(command);
    }
}
