//! LIST (RFC 3501 §6.3.8, RFC 9051 §6.3.9). Its extended form: `rfc5258`, `rfc5819`, `rfc6154`.

use std::fs;
use std::sync::Arc;

use super::states;
use crate::harness::maildir::own;
use crate::harness::{Maildir, Server, message};

/// `list = "LIST" SP mailbox SP list-mailbox`, `list-mailbox = 1*list-char / string`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    c.ok("CREATE a]b");
    let line = ["* LIST (\\HasNoChildren) \".\" box"];
    for reference in states::forms("b") {
        for pattern in states::forms("o*").iter().chain(&states::forms("%x")) {
            c.check(&format!("lIsT {reference} {pattern}"), &line, "OK");
        }
    }
    c.check(
        "LIST \"\" a]%",
        &["* LIST (\\HasNoChildren) \".\" a]b"],
        "OK",
    );
    for inbox in states::INBOX {
        c.check(
            &format!("LIST \"\" {inbox}"),
            &["* LIST (\\HasNoChildren) \".\" INBOX"],
            "OK",
        );
    }
    states::bad_arguments(
        &server,
        &mut c,
        "LIST",
        &[
            "",
            " ",
            " \"\"",
            " \"\" ",
            " *",
            " * *",
            " %b *",
            " \"\" * *",
            "  \"\" *",
            " \"\"  *",
            " \"\" *)",
            " \"\" \"*",
            " \"\" a\"b",
            " \"\" {1}*",
            " \"\" a{1}b",
        ],
    );
}

/// RFC 3501 §6.3.8: "An empty ("" string) mailbox name argument is a special request to return the hierarchy
/// delimiter and the root name of the name given in the reference." It has an answer "even when no mailboxes by that
/// name currently exist."
#[test]
fn the_separator_and_the_root() {
    let server = Server::start();
    let mut c = server.client();
    c.check("LIST \"\" \"\"", &["* LIST (\\Noselect) \".\" \"\""], "OK");
    let empty = ["* LIST (\\Noselect) \".\" nosuch."];
    c.check("LIST nosuch.at.all {0}\r\n", &empty, "OK");
}

/// RFC 3501 §6.3.8: "The special name INBOX is included in the output from LIST, if INBOX is supported by this server
/// for this user and if the uppercase string "INBOX" matches the interpreted reference and mailbox name arguments".
#[test]
fn inbox() {
    let server = Server::start();
    let mut c = server.client();
    let line = ["* LIST (\\HasNoChildren) \".\" INBOX"];
    for arguments in [
        "\"\" *", "\"\" %", "\"\" I%X", "INB *", "inb %x", "\"\" *o*",
    ] {
        c.check(&format!("LIST {arguments}"), &line, "OK");
    }
    for arguments in ["INBOX. *", "\"\" %.%", "\"\" INBOXES", "\"\" INBO"] {
        c.check(&format!("LIST {arguments}"), &[], "OK");
    }
}

/// RFC 3501 §6.3.8: "Any part of the reference argument that is included in the interpreted form SHOULD prefix the
/// interpreted form. It SHOULD also be in the same form as the reference name argument."
#[test]
fn the_reference_is_the_beginning_of_the_names() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Arch.Mail.2024");
    for reference in ["A", "Arch", "Arch.", "Arch.Mail.", "Arch.Mail.2"] {
        let lines = c.ok(&format!("LIST {reference} *"));
        assert!(!lines.is_empty(), "{reference}");
        for line in lines {
            let name = line.split(" \".\" ").nth(1).unwrap();
            assert!(name.starts_with(reference), "{reference}: {line}");
        }
    }
    // But for INBOX, which is so called in any form.
    c.check(
        "LIST inB *",
        &["* LIST (\\HasNoChildren) \".\" INBOX"],
        "OK",
    );
}

/// RFC 9051 §6.3.9: "Any syntactically valid pattern that is not accepted by a server for any reason MUST be silently
/// ignored, i.e., it results in no LIST responses, and the LIST command still returns a tagged OK response."
#[test]
fn patterns_that_can_match_nothing() {
    let server = Server::start();
    let mut c = server.client();
    for pattern in [
        "../*",
        "/etc/*",
        "~root/*",
        "\"&bad\"",
        "..",
        "\"..*\"",
        "x/y",
        "\"#news.*\"",
    ] {
        c.check(&format!("LIST \"\" {pattern}"), &[], "OK");
    }
    let long = "x".repeat(5000);
    c.check(&format!("LIST \"\" {long}*"), &[], "OK");
}

/// RFC 3501 §6.3.8: "The LIST command SHOULD return its data quickly, without undue delay. For example, it SHOULD NOT
/// go to excess trouble to calculate the \Marked or \Unmarked status": neither is said, and no message is looked at.
#[test]
fn without_looking_into_mailboxes() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("CREATE box");
    maildir.deliver("box", &message("one"));
    // Dovecot marks what it happens to know.
    let lines = c.ok("LIST \"\" box");
    if server.either(true, false) {
        assert_eq!(lines, ["* LIST (\\HasNoChildren) \".\" box"]);
    }
    assert_eq!(maildir.files("box").len(), 1);
    assert!(maildir.files("box")[0].starts_with("new/"));
}

/// RFC 9051 §6.3.9: "A server MUST respond to options it does not recognize with a BAD response." "if the client does
/// this, the server MUST act as if it received the option only once." Initial options "MUST be supported".
#[test]
fn options() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE foo");
    c.ok("CREATE foo.bar");
    c.ok("SUBSCRIBE foo");
    for form in [
        "(SUBSCRIBED) \"\" *",
        "(SUBSCRIBED SUBSCRIBED) \"\" *",
        "(SUBSCRIBED REMOTE) \"\" * RETURN (SUBSCRIBED SUBSCRIBED)",
        "(RECURSIVEMATCH SUBSCRIBED) \"\" *",
    ] {
        // §6.3.9.1: "the list MUST include exactly those mailbox names that match the canonical list pattern and are
        // subscribed to."
        c.check(
            &format!("LIST {form}"),
            &["* LIST (\\Subscribed) \".\" foo"],
            "OK",
        );
    }
    // §6.3.9.2: "The "\Subscribed" attribute MUST be supported and MUST be accurately computed". §6.3.9.5: "If the
    // CHILDREN return option is present, the server MUST return these attributes".
    for returns in [
        "SUBSCRIBED CHILDREN",
        "CHILDREN SUBSCRIBED CHILDREN SUBSCRIBED",
    ] {
        c.check_sorted(
            &format!("LIST \"\" (*) RETURN ({returns})"),
            &[
                "* LIST (\\HasNoChildren) \".\" INBOX",
                "* LIST (\\HasNoChildren) \".\" foo.bar",
                "* LIST (\\Subscribed \\HasChildren) \".\" foo",
            ],
            "OK",
        );
    }
    // §6.3.9.2: "the server MUST return an untagged LIST response followed by an untagged STATUS response".
    c.check(
        "LIST \"\" foo RETURN (STATUS (MESSAGES))",
        &["* LIST () \".\" foo", "* STATUS foo (MESSAGES 0)"],
        "OK",
    );
    // "Return options MUST NOT cause the server to report information about additional mailbox names".
    c.check(
        "LIST \"\" foo.% RETURN (SUBSCRIBED)",
        &["* LIST () \".\" foo.bar"],
        "OK",
    );
    // §6.3.9.1: RECURSIVEMATCH "MUST NOT occur as the only selection option (or only with REMOTE)". "The server MUST
    // return a BAD tagged response in such case."
    for form in [
        "(RECURSIVEMATCH) \"\" *",
        "(REMOTE RECURSIVEMATCH) \"\" *",
        "(NOSUCH) \"\" *",
        "\"\" * RETURN (NOSUCH)",
        "\"\" * RETURN (REMOTE)",
    ] {
        c.bad(&format!("LIST {form}"));
    }
    // "In the extended syntax, any mailbox name arguments that are empty strings are ignored."
    c.check("LIST () \"\" (\"\")", &[], "OK");
}

/// RFC 3501 §6.3.8: "The character "*" is a wildcard, and matches zero or more characters at this position. The
/// character "%" is similar to "*", but it does not match a hierarchy delimiter." "The returned mailbox names MUST
/// match the supplied mailbox name pattern."
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
