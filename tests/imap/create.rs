//! CREATE (RFC 3501 §6.3.3, RFC 9051 §6.3.4), with its codes (RFC 5530). Its parameter USE: `rfc6154`.

use std::sync::Arc;

use super::select::validity;
use super::states;
use crate::harness::{Maildir, Server, message};

/// `create = "CREATE" SP mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    for form in states::forms("box") {
        c.check(&format!("CREATE {form}"), &[], "OK");
        c.check(
            "LIST \"\" b*",
            &["* LIST (\\HasNoChildren) \".\" box"],
            "OK",
        );
        c.ok("DELETE box");
    }
    for (name, listed) in [
        ("a]b", "a]b"),
        ("\"sp ace\"", "\"sp ace\""),
        ("\"\\\\\\\"\"", "\"\\\\\\\"\""),
        ("{3}\r\n(%)", "\"(%)\""),
        ("cReAtE", "cReAtE"),
        ("NIL", "\"NIL\""),
    ] {
        c.check(&format!("create {name}"), &[], "OK");
        let lines = c.ok("LIST \"\" *");
        let line = format!("* LIST (\\HasNoChildren) \".\" {listed}");
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    states::takes_one_name(&server, &mut c, "CREATE");
}

/// RFC 3501 §6.3.3: "An OK response is returned only if a new mailbox with that name has been created."
#[test]
fn a_mailbox_and_one_deep_in_the_tree() {
    let server = Server::start();
    let mut c = server.client();
    c.check("CREATE one", &[], "OK");
    // "the server SHOULD create any superior hierarchical names that are needed for the CREATE command".
    c.check("CREATE a.b.c", &[], "OK");
    // "Server implementations that do not require this declaration MUST ignore the declaration. In any case,
    // the name created is without the trailing hierarchy delimiter."
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

/// RFC 3501 §6.3.3: "It is an error to attempt to create INBOX or a mailbox with a name that refers to an extant
/// mailbox. Any error in creation will return a tagged NO response."
#[test]
fn names_that_cannot_be() {
    let server = Server::start();
    let mut c = server.client();
    for inbox in states::INBOX {
        c.check(&format!("CREATE {inbox}"), &[], "NO [ALREADYEXISTS]");
    }
    c.ok("CREATE one");
    c.check("CREATE one", &[], "NO [ALREADYEXISTS]");
    c.check("CREATE one.", &[], "NO [ALREADYEXISTS]");
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

/// RFC 9051 §6.3.4: "If a client attempts to create a UTF-8 mailbox name that is not a valid Net-Unicode name, the
/// server MUST reject the creation or convert the name to Net-Unicode prior to creating the mailbox."
#[test]
fn utf_8_is_converted_to_normal_form() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    // "it SHOULD return an untagged LIST with an OLDNAME extended data item, with the OLDNAME value being the
    // supplied mailbox name and the name parameter being the normalized mailbox name."
    c.check(
        "CREATE \"ue\u{308}ber\"",
        &["* LIST () \".\" \"u\u{eb}ber\" (OLDNAME (\"ue\u{308}ber\"))"],
        "OK",
    );
    c.check("CREATE \"u\u{eb}ber\"", &[], "NO [ALREADYEXISTS]");
    c.check("CREATE \"line\u{2028}break\"", &[], "NO [CANNOT]");
}

/// RFC 3501 §6.3.3: "its unique identifiers MUST be greater than any unique identifiers used in the previous
/// incarnation of the mailbox UNLESS the new incarnation has a different unique identifier validity value."
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

/// RFC 5530 §3, CANNOT and NOPERM: what the file system does not let be is NO, and nothing is left of it.
#[test]
fn a_directory_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;

    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("STATUS INBOX (UIDNEXT)");
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(maildir.path(), mode).unwrap();
    };
    mode(0o500);
    // Where the tests run as root, the server has given up root's rights.
    let code = server.either("NO [NOPERM]", "NO [SERVERBUG]");
    c.check("CREATE box", &[], code);
    mode(0o700);
    c.check("LIST \"\" box", &[], "OK");
    c.check("CREATE box", &[], "OK");
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
