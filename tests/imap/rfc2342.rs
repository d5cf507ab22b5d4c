//! NAMESPACE (RFC 2342, RFC 9051 §6.3.10). A user's own namespace is the only one there is: of the RFC's examples
//! those with others' mailboxes show what is not told here.

use std::sync::Arc;

use crate::harness::{Kind, Maildir, Server, Setup};

/// §5: each class that is not available is NIL. §4: in the authenticated and in the selected state. §2: one Personal
/// Namespace alone, as is usual (SHOULD). RFC 9051 §6.3.10: all of it in one untagged response.
#[test]
fn one_of_ones_own_and_no_others() {
    let server = Server::start();
    for c in [&mut server.client(), &mut server.selected("INBOX")] {
        let told = format!("{} ", c.ok("CAPABILITY").remove(0));
        assert!(told.contains(" NAMESPACE "), "{told}");
        let line = ["* NAMESPACE ((\"\" \".\")) NIL NIL"];
        c.check("NAMESPACE", &line, "OK");
        c.check("nAmEsPaCe", &line, "OK");
        c.bad_strictly("NAMESPACE x");
        c.bad_strictly("NAMESPACE ");
    }
    server.connect().bad("NAMESPACE");
}

/// §5, example 5.1, where "/" is the delimiter. It is the one that LIST tells; §2: INBOX MUST be in the Personal
/// Namespace, so that LIST finds it behind the prefix.
#[test]
fn the_delimiter_and_the_prefix_are_those_of_list() {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::chosen()).fs_layout().start(&maildir);
    let mut c = server.client();
    c.check("NAMESPACE", &["* NAMESPACE ((\"\" \"/\")) NIL NIL"], "OK");
    c.check("LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\""], "OK");
    c.check(
        "LIST \"\" %",
        &["* LIST (\\HasNoChildren) \"/\" INBOX"],
        "OK",
    );
}

/// §5, examples 5.5 and 5.6: a client puts the prefix before a name of its own and makes that mailbox. Names that others
/// take for a namespace are no mailboxes, and are not made.
#[test]
fn a_client_makes_its_sent_mail() {
    let server = Server::start();
    let mut c = server.client();
    let line = c.ok("NAMESPACE").remove(0);
    let prefix = line
        .strip_prefix("* NAMESPACE ((\"")
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    c.ok(&format!("CREATE \"{prefix}Sent Mail\""));
    c.ok(&format!("CREATE \"{prefix}Deleted Items\""));
    c.check_sorted(
        &format!("LIST \"\" \"{prefix}%\""),
        &[
            "* LIST (\\HasNoChildren) \".\" \"Deleted Items\"",
            "* LIST (\\HasNoChildren) \".\" \"Sent Mail\"",
            "* LIST (\\HasNoChildren) \".\" INBOX",
        ],
        "OK",
    );
    c.no("CREATE \"#mh/Deleted Items\"");
}

/// §5 and §7: users who granted nothing SHOULD NOT be told of, whatever prefix is tried: those of examples 5.7 to 5.9,
/// and the ways that lead to a neighbour's directory.
#[test]
fn nobody_hears_of_another_user() {
    let maildirs = [Arc::new(Maildir::new()), Arc::new(Maildir::new())];
    let server = Setup::new(Kind::chosen())
        .user("anna", &maildirs[0])
        .user("mike", &maildirs[1])
        .start(&maildirs[0]);
    let mut mike = server.connect();
    mike.login_as("mike");
    mike.ok("CREATE Foo");
    let mut c = server.connect();
    c.login_as("anna");
    for pattern in [
        "Other Users/%",
        "Other Users/Mike",
        "#Users/%",
        "#Users/mike/%",
        "~mike/%",
        "~%",
        "#%",
        "../mike/%",
    ] {
        // Dovecot says NO to some of these, as §5 allows.
        let reply = c.run(&format!("LIST \"\" \"{pattern}\""));
        assert!(reply.untagged.is_empty(), "{pattern} → {reply:?}");
        if server.either(true, false) {
            assert_eq!(reply.outcome(), "OK", "{pattern}");
        }
    }
    c.check(
        "LIST \"\" *",
        &["* LIST (\\HasNoChildren) \".\" INBOX"],
        "OK",
    );
    for name in ["#Users/mike/Foo", "~mike/Foo", "Other Users/mike/Foo"] {
        c.no(&format!("SELECT \"{name}\""));
    }
}
