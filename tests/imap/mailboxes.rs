//! CREATE, DELETE, RENAME (RFC 3501 §6.3.3 to §6.3.5), with INBOX's rules.

use std::sync::Arc;

use super::select::validity;
use crate::harness::{Maildir, Server, message};

#[test]
fn create_a_mailbox_and_one_deep_in_the_tree() {
    let server = Server::start();
    let mut c = server.client();
    c.check("CREATE one", &[], "OK");
    c.check("CREATE a.b.c", &[], "OK");
    c.check("CREATE \"trailing.\"", &[], "OK");
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" a.b.c",
            "* LIST (\\HasNoChildren) \".\" one",
            "* LIST (\\HasNoChildren) \".\" trailing",
            "* LIST (\\Noselect \\HasChildren) \".\" a",
            "* LIST (\\Noselect \\HasChildren) \".\" a.b",
        ],
        "OK",
    );
    c.no("SELECT a");
    assert_eq!(c.append("a.b.c", "", &message("x")), 1);
    // What was only implied can be made.
    c.ok("CREATE a");
    c.ok("SELECT a");
}

#[test]
fn names_that_cannot_be() {
    let server = Server::start();
    let mut c = server.client();
    c.check("CREATE INBOX", &[], "NO [ALREADYEXISTS]");
    c.check("CREATE inbox", &[], "NO [ALREADYEXISTS]");
    c.ok("CREATE one");
    c.check("CREATE one", &[], "NO [ALREADYEXISTS]");
    for name in [
        "x/y",
        "~home",
        ".foo",
        "foo..bar",
        "../x",
        "/etc/passwd",
        "\"\"",
        "\"..\"",
        "\".\"",
    ] {
        c.check(&format!("CREATE {name}"), &[], "NO [CANNOT]");
    }
    for name in ["&bad", "a&AC8", "&AG8-"] {
        c.no(&format!("CREATE {name}"));
    }
    c.no(&format!("CREATE {}", "x".repeat(4096)));
    let listed = c.ok("LIST \"\" *");
    assert_eq!(listed.len(), 2, "{listed:?}");
}

#[test]
fn delete_keeps_children_and_makes_the_name_an_implied_parent() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE p");
    c.ok("CREATE p.child");
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
    c.check("DELETE p", &[], "NO [NONEXISTENT]");
    c.ok("DELETE p.child");
    c.check("LIST \"\" p*", &[], "OK");
    c.check("DELETE nosuch", &[], "NO [NONEXISTENT]");
    c.no("DELETE INBOX");
    c.no("DELETE inbox");
}

#[test]
fn a_mailbox_made_again_has_a_greater_uidvalidity() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE again");
    let first = validity(&c.ok("SELECT again"));
    c.ok("CLOSE");
    c.ok("DELETE again");
    c.ok("CREATE again");
    assert!(validity(&c.ok("SELECT again")) > first);
}

#[test]
fn rename_keeps_messages_uids_and_validity_and_takes_children_along() {
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

#[test]
fn rename_of_an_implied_parent_and_into_a_new_place() {
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

#[test]
fn rename_that_cannot_be() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE a");
    c.ok("CREATE b");
    c.check("RENAME a b", &[], "NO [ALREADYEXISTS]");
    c.check("RENAME a INBOX", &[], "NO [ALREADYEXISTS]");
    c.check("RENAME nosuch c", &[], "NO [NONEXISTENT]");
    c.no("RENAME a a.b");
    c.no("RENAME a ../b");
    c.bad("RENAME a");
    c.ok("SELECT a");
    c.ok("SELECT b");
}

/// RFC 3501 §6.3.5: "Renaming INBOX is permitted, and has special behavior. It moves all messages in INBOX
/// to a new mailbox with the given name, leaving INBOX empty." Dovecot refuses it on a Maildir.
#[test]
fn rename_of_inbox_moves_its_messages() {
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
}

#[test]
fn the_files_of_a_mailbox_are_where_dovecot_looks_for_them() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("CREATE Entw&APw-rfe.Alt");
    let folder = maildir.folder("Entw&APw-rfe.Alt");
    for sub in ["cur", "new", "tmp", "maildirfolder"] {
        assert!(folder.join(sub).exists(), "{sub}");
    }
    c.append("Entw&APw-rfe.Alt", "", &message("one"));
    assert!(folder.join("dovecot-uidlist").exists());
    assert_eq!(maildir.files("Entw&APw-rfe.Alt").len(), 1);
}
