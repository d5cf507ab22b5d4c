//! RENAME (RFC 3501 §6.3.5, RFC 9051 §6.3.6), with INBOX's rules and its codes (RFC 5530).

use super::select::validity;
use super::states;
use crate::harness::{Server, message};

/// `rename = "RENAME" SP mailbox SP mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE one");
    for (from, to) in states::forms("one").iter().zip(states::forms("two")) {
        c.check(&format!("rEnAmE {from} {to}"), &[], "OK");
        c.check(&format!("RENAME {to} {from}"), &[], "OK");
    }
    // A separator at the new name's end only says that more will come below it.
    // Dovecot says NO.
    if server.either(true, false) {
        c.check("RENAME one \"two.\"", &[], "OK");
        c.check("RENAME two one", &[], "OK");
    }
    states::bad_arguments(
        &server,
        &mut c,
        "RENAME",
        &[
            "",
            " ",
            " one",
            " one ",
            " one two three",
            "  one two",
            " one  two",
            " one (two)",
            " (one) two",
            " one tw*",
            " on% two",
            " one \"two",
            " one {3}two",
        ],
    );
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" one",
        ],
        "OK",
    );
}

/// RFC 3501 §6.3.5: "If the name has inferior hierarchical names, then the inferior hierarchical names MUST also be
/// renamed."
#[test]
fn messages_uids_and_validity_stay_and_children_come_along() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE old");
    c.ok("CREATE old.sub.deep");
    c.append("old", "(\\Deleted) ", &message("one"));
    c.append("old", "(kw) ", &message("two"));
    let before = validity(&c.ok("SELECT old"));
    c.ok("EXPUNGE");
    c.ok("CLOSE");
    c.check("RENAME old neu", &[], "OK");
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasChildren) \".\" neu",
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" neu.sub.deep",
            "* LIST (\\Noselect \\HasChildren) \".\" neu.sub",
        ],
        "OK",
    );
    let lines = c.ok("SELECT neu");
    assert_eq!(validity(&lines), before);
    assert!(lines.contains(&"* OK [UIDNEXT 3]".to_owned()), "{lines:?}");
    c.check(
        "FETCH 1 (UID FLAGS)",
        &["* 1 FETCH (UID 2 FLAGS (kw))"],
        "OK",
    );
    c.no("SELECT old");
}

/// RFC 3501 §6.3.5: "the server SHOULD create any superior hierarchical names that are needed for the RENAME command
/// to complete successfully."
#[test]
fn of_an_implied_parent_and_into_a_new_place() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE z.y.x");
    c.ok("RENAME z elsewhere.zz");
    c.check_sorted(
        "LIST \"\" e*",
        &[
            "* LIST (\\HasNoChildren) \".\" elsewhere.zz.y.x",
            "* LIST (\\Noselect \\HasChildren) \".\" elsewhere",
            "* LIST (\\Noselect \\HasChildren) \".\" elsewhere.zz",
            "* LIST (\\Noselect \\HasChildren) \".\" elsewhere.zz.y",
        ],
        "OK",
    );
}

/// RFC 3501 §6.3.5: "It is an error to attempt to rename from a mailbox name that does not exist or to a mailbox
/// name that already exists. Any error in renaming will return a tagged NO response."
#[test]
fn what_cannot_be() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE a");
    c.ok("CREATE b");
    c.check("RENAME a b", &[], "NO [ALREADYEXISTS]");
    // "Use of INBOX as a destination gives a NO error" (§9).
    for inbox in states::INBOX {
        c.check(&format!("RENAME a {inbox}"), &[], "NO [ALREADYEXISTS]");
    }
    c.check("RENAME nosuch c", &[], "NO [NONEXISTENT]");
    c.no("RENAME a a");
    c.no("RENAME a a.b");
    for name in ["../b", "x/y", "\"\"", ".", "..", ".x", "x..y", "&bad"] {
        c.no(&format!("RENAME a {name}"));
        c.no(&format!("RENAME {name} c"));
    }
    c.no("RENAME INBOX b");
    c.ok("SELECT a");
    c.ok("SELECT b");
    assert_eq!(c.ok("LIST \"\" *").len(), 3);
}

/// RFC 3501 §6.3.5: "The value of the highest-used unique identifier of the old mailbox name MUST be preserved so
/// that a new mailbox created with the same name will not reuse the identifiers of the former incarnation, UNLESS
/// the new incarnation has a different unique identifier validity value."
#[test]
fn what_takes_the_old_name_has_another_uidvalidity() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE old");
    c.append("old", "", &message("one"));
    let first = validity(&c.ok("SELECT old"));
    c.ok("UNSELECT");
    c.ok("RENAME old new");
    c.ok("CREATE old");
    assert!(validity(&c.ok("SELECT old")) > first);
    assert_eq!(validity(&c.ok("SELECT new")), first);
}

/// RFC 9051 §6.3.6: "Note that renaming a mailbox doesn't update subscription information on the original name."
#[test]
fn subscriptions_stay_as_they_are() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE x");
    c.ok("SUBSCRIBE x");
    c.ok("RENAME x y");
    c.check("LSUB \"\" *", &["* LSUB () \".\" x"], "OK");
}

/// RFC 9051 §6.3.6: "the server SHOULD return an untagged LIST response with an OLDNAME extended data item, with the
/// OLDNAME value being the supplied existing mailbox name and the name parameter being the normalized new mailbox
/// name".
#[test]
fn names_in_another_form_are_told() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    c.ok("CREATE plain");
    for (from, to, told) in [
        ("plain", "cafe\u{301}", true),
        ("caf\u{e9}", "plain", false),
        ("plain", "caf\u{e9}", false),
        ("cafe\u{301}", "plain", true),
    ] {
        let quoted = |name: &str| match name.is_ascii() {
            true => name.to_owned(),
            false => format!("\"{name}\""),
        };
        let normal = quoted(&to.replace("e\u{301}", "\u{e9}"));
        let old = format!("* LIST () \".\" {normal} (OLDNAME ({}))", quoted(from));
        let lines: &[&str] = if told { &[&old] } else { &[] };
        c.check(&format!("RENAME \"{from}\" \"{to}\""), lines, "OK");
    }
}

/// RFC 3501 §6.3.5: "Renaming INBOX is permitted, and has special behavior. It moves all messages in INBOX
/// to a new mailbox with the given name, leaving INBOX empty." Dovecot refuses it on a Maildir.
#[test]
fn of_inbox_moves_its_messages() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.ok("CREATE INBOX.child");
    c.append(
        "INBOX",
        "(\\Flagged kw) \"01-Feb-2020 03:04:05 +0000\" ",
        &message("one"),
    );
    c.append("INBOX", "", &message("two"));
    let before = validity(&c.ok("SELECT INBOX"));
    c.ok("UNSELECT");
    c.check("RENAME INBOX Archive.2024", &[], "OK");
    let lines = c.ok("SELECT INBOX");
    assert_eq!(validity(&lines), before);
    assert!(lines.contains(&"* 0 EXISTS".to_owned()));
    assert!(lines.contains(&"* OK [UIDNEXT 3]".to_owned()), "{lines:?}");
    c.ok("SELECT Archive.2024");
    let dates = c.ok("FETCH 1 INTERNALDATE");
    assert!(
        dates[0].contains("2020"),
        "INTERNALDATE goes along: {dates:?}"
    );
    assert!(
        c.ok("FETCH 1 FLAGS")[0].contains("\\Flagged"),
        "and so do the flags"
    );
    c.check("SEARCH KEYWORD kw", &["* SEARCH 1"], "OK");
    assert_eq!(
        c.ok("LIST \"\" INBOX.child").len(),
        1,
        "inferiors of INBOX stay"
    );
    // An empty one too, and to a name below it.
    c.ok("UNSELECT");
    c.check("RENAME inbox INBOX.empty", &[], "OK");
    c.check(
        "STATUS INBOX.empty (MESSAGES)",
        &["* STATUS INBOX.empty (MESSAGES 0)"],
        "OK",
    );
    c.check("RENAME INBOX Archive.2024", &[], "NO [ALREADYEXISTS]");
}
