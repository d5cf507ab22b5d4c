//! LIST, LSUB, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 §6.3.6 to §6.3.9; RFC 3348; RFC 6154).

use std::fs;
use std::sync::Arc;

use crate::harness::maildir::own;
use crate::harness::{Maildir, Server};

#[test]
fn the_separator_and_the_root() {
    let server = Server::start();
    let mut c = server.client();
    c.check("LIST \"\" \"\"", &["* LIST (\\Noselect) \".\" \"\""], "OK");
}

#[test]
fn wildcards() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["a.b.c", "a.x", "ab", "b", "\"sp ace\""] {
        c.ok(&format!("CREATE {name}"));
    }
    let mut names = |pattern: &str| {
        let mut names: Vec<String> = c
            .ok(&format!("LIST {pattern}"))
            .iter()
            .map(|line| line.split(" \".\" ").nth(1).unwrap().to_owned())
            .collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("\"\" *"), "\"sp ace\" INBOX a a.b a.b.c a.x ab b");
    assert_eq!(names("\"\" %"), "\"sp ace\" INBOX a ab b");
    assert_eq!(names("\"\" a%"), "a ab");
    assert_eq!(names("\"\" a*"), "a a.b a.b.c a.x ab");
    assert_eq!(names("\"\" %.%"), "a.b a.x");
    assert_eq!(names("a. %"), "a.b a.x");
    assert_eq!(names("\"a\" \".%\""), "a.b a.x");
    assert_eq!(names("\"\" *c"), "a.b.c");
    assert_eq!(names("\"\" A*"), "");
    assert_eq!(names("\"\" inbox"), "INBOX");
    assert_eq!(names("\"\" in*"), "INBOX");
    assert_eq!(names("\"\" \"sp %\""), "\"sp ace\"");
    assert_eq!(names("\"\" nosuch"), "");
    assert_eq!(names(&format!("\"\" {}", "*%".repeat(64))), names("\"\" *"));
}

#[test]
fn special_use_of_the_usual_names() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["Drafts", "Junk", "Sent", "Trash", "Other"] {
        c.ok(&format!("CREATE {name}"));
    }
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren \\Drafts) \".\" Drafts",
            "* LIST (\\HasNoChildren \\Junk) \".\" Junk",
            "* LIST (\\HasNoChildren \\Sent) \".\" Sent",
            "* LIST (\\HasNoChildren \\Trash) \".\" Trash",
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" Other",
        ],
        "OK",
    );
}

#[test]
fn subscriptions() {
    let server = Server::start();
    let mut c = server.client();
    c.check("LSUB \"\" *", &[], "OK");
    c.ok("CREATE a.b");
    c.ok("CREATE c");
    c.check("SUBSCRIBE a.b", &[], "OK");
    c.check("SUBSCRIBE a.b", &[], "OK");
    c.check("SUBSCRIBE c", &[], "OK");
    c.check("SUBSCRIBE INBOX", &[], "OK");
    c.no("SUBSCRIBE nosuch");
    c.check_sorted(
        "LSUB \"\" *",
        &[
            "* LSUB () \".\" INBOX",
            "* LSUB () \".\" a.b",
            "* LSUB () \".\" c",
        ],
        "OK",
    );
    // RFC 3501 §6.3.9: a parent that is not subscribed is shown by % as \Noselect.
    c.check_sorted(
        "LSUB \"\" %",
        &[
            "* LSUB () \".\" INBOX",
            "* LSUB () \".\" c",
            "* LSUB (\\Noselect) \".\" a",
        ],
        "OK",
    );
    // RFC 3501 §6.3.6: a name stays subscribed when its mailbox goes.
    c.ok("DELETE c");
    assert!(c.ok("LSUB \"\" c").len() == 1);
    c.check("UNSUBSCRIBE c", &[], "OK");
    c.check("LSUB \"\" c", &[], "OK");
    c.check("UNSUBSCRIBE nosuch", &[], "OK");
    c.no("SUBSCRIBE ../x");
}

#[test]
fn folders_that_others_made() {
    let maildir = Arc::new(Maildir::new());
    for path in ["", "/cur", "/new", "/tmp"] {
        for folder in [
            ".Made",
            ".NoParent.Child",
            "..DOVECOT-TRASHED",
            "notafolder",
        ] {
            let dir = format!("{}/{folder}{path}", maildir.path().display());
            fs::create_dir(&dir).unwrap();
            own(dir.as_ref());
        }
    }
    maildir.place("INBOX", "", ".afile", b"");
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" Made",
            "* LIST (\\HasNoChildren) \".\" NoParent.Child",
            "* LIST (\\Noselect \\HasChildren) \".\" NoParent",
        ],
        "OK",
    );
    // And one that comes while the server runs.
    for path in ["", "/cur", "/new", "/tmp"] {
        let dir = format!("{}/.Later{path}", maildir.path().display());
        fs::create_dir(&dir).unwrap();
        own(dir.as_ref());
    }
    // Dovecot trusts its list of a second ago.
    if server.either(false, true) {
        return;
    }
    c.check(
        "LIST \"\" Later",
        &["* LIST (\\HasNoChildren) \".\" Later"],
        "OK",
    );
    c.ok("SELECT Later");
}
