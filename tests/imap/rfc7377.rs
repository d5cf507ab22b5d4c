//! MULTISEARCH (RFC 7377): ESEARCH in mailboxes that are not selected. Dovecot has none of it.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// `folder1`, `folder2/banana`, `folder2/peach/ripe`, `folder2/salmon` and INBOX, with messages in all but
/// `folder2` and `salmon`.
fn prepared() -> (Server, Client) {
    let server = Setup::new(Kind::Culver).start(&Arc::new(Maildir::new()));
    let mut c = server.client();
    for name in [
        "folder1",
        "folder2",
        "folder2.banana",
        "folder2.peach",
        "folder2.peach.ripe",
        "folder2.salmon",
    ] {
        c.ok(&format!("CREATE {name}"));
    }
    for (name, subjects) in [
        ("INBOX", ["chad", "other", "chad"].as_slice()),
        ("folder1", &["chad", "chad", "other"]),
        ("folder2.banana", &["other", "chad"]),
        ("folder2.peach", &["chad"]),
        ("folder2.peach.ripe", &["chad"]),
        ("folder2.salmon", &["other"]),
    ] {
        for subject in subjects {
            c.append(name, "", &message(subject));
        }
    }
    (server, c)
}

/// The ESEARCH responses to a command, with UIDVALIDITY checked and left out.
#[track_caller]
fn esearch(c: &mut Client, command: &str, expected: &[&str]) {
    let tag = c.next_tag();
    let lines = c.ok(command);
    let got: Vec<String> = lines
        .iter()
        .map(|line| without_uid_validity(line))
        .collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|rest| format!("* ESEARCH (TAG \"{tag}\" MAILBOX {rest}"))
        .collect();
    assert_eq!(got, expected, "{command}");
}

/// `(TAG "t" MAILBOX name UIDVALIDITY 1) UID ALL 1` as `(TAG "t" MAILBOX name) UID ALL 1`.
#[track_caller]
fn without_uid_validity(line: &str) -> String {
    let (before, rest) = line.split_once(" UIDVALIDITY ").expect(line);
    let (number, rest) = rest.split_once(')').expect(line);
    assert!(number.parse::<u32>().unwrap() > 0, "{line}");
    format!("{before}){rest}")
}

/// §3, one after the other: "The server MAY perform consecutive ESEARCH commands in parallel".
#[test]
fn the_example() {
    let (_server, mut c) = prepared();
    c.ok("SELECT folder2.salmon");
    c.ok("STORE 1 +FLAGS (\\Seen)");
    c.ok("UNSELECT");
    esearch(
        &mut c,
        "ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\") unseen",
        &[
            "folder1) UID ALL 1:3",
            "folder2.banana) UID ALL 1:2",
            "folder2.peach) UID ALL 1",
            "folder2.peach.ripe) UID ALL 1",
        ],
    );
    esearch(
        &mut c,
        "ESEARCH IN (mailboxes \"folder1\" subtree-one \"folder2\") subject \"chad\"",
        &[
            "folder1) UID ALL 1:2",
            "folder2.banana) UID ALL 2",
            "folder2.peach) UID ALL 1",
        ],
    );
}

#[test]
fn which_mailboxes_are_searched() {
    let (_server, mut c) = prepared();
    let everything = [
        "INBOX) UID ALL 1,3",
        "folder1) UID ALL 1:2",
        "folder2.banana) UID ALL 2",
        "folder2.peach) UID ALL 1",
        "folder2.peach.ripe) UID ALL 1",
    ];
    for all in [
        "personal",
        "inboxes",
        "subtree \"\"",
        "PERSONAL personal",
        "subtree (\"\" \"\" folder1 \"\") subtree folder2",
    ] {
        let command = format!("ESEARCH IN ({all}) SUBJECT chad");
        esearch(&mut c, &command, &everything);
    }
    esearch(
        &mut c,
        "ESEARCH IN (subtree-one \"\") SUBJECT chad",
        &everything[..2],
    );
    esearch(&mut c, "ESEARCH IN (subscribed) SUBJECT chad", &[]);
    c.ok("SUBSCRIBE folder1");
    // One that is subscribed and not there.
    c.ok("CREATE nosuch");
    c.ok("SUBSCRIBE nosuch");
    c.ok("DELETE nosuch");
    esearch(
        &mut c,
        "ESEARCH IN (subscribed) SUBJECT chad",
        &everything[1..2],
    );
    // "there is no way to use wildcard characters to search all mailboxes", and what is not there is passed over.
    esearch(
        &mut c,
        "ESEARCH IN (mailboxes (\"%\" nosuch folder2.peach inbox folder2.peach)) SUBJECT chad",
        &[everything[3], everything[0]],
    );
    esearch(&mut c, "ESEARCH IN (mailboxes nosuch) ALL", &[]);
    esearch(&mut c, "ESEARCH IN (subtree nosuch) ALL", &[]);
    // A new message is found, without SELECT.
    c.append("folder2.salmon", "", &message("chad"));
    esearch(
        &mut c,
        "ESEARCH IN (subtree folder2.salmon) SUBJECT chad",
        &["folder2.salmon) UID ALL 2"],
    );
}

/// "the server MUST defend against loops in the hierarchy": a link within the account leads to a mailbox that has
/// another name already.
#[test]
fn a_mailbox_under_two_names_is_searched_once() {
    let (server, mut c) = prepared();
    let maildir = server.maildir.path();
    std::os::unix::fs::symlink(".folder1", maildir.join(".folder1.again")).unwrap();
    std::os::unix::fs::symlink(".", maildir.join(".loop")).unwrap();
    esearch(
        &mut c,
        "ESEARCH IN (subtree (folder1 loop)) SUBJECT other",
        &["folder1) UID ALL 3", "loop) UID ALL 2"],
    );
    esearch(
        &mut c,
        "ESEARCH IN (mailboxes (INBOX loop)) SUBJECT other",
        &["INBOX) UID ALL 2"],
    );
}

/// "This is true even when result options such as MIN, MAX, and COUNT are specified […], and the values returned […]
/// apply to the mailbox reported in that ESEARCH response."
#[test]
fn result_options() {
    let (_server, mut c) = prepared();
    for (options, expected) in [
        ("()", ["1,3", "1:2", "2"].map(|set| format!("ALL {set}"))),
        (
            "(COUNT)",
            ["2", "2", "1"].map(|count| format!("COUNT {count}")),
        ),
        (
            "(MIN MAX)",
            ["MIN 1 MAX 3", "MIN 1 MAX 2", "MIN 2 MAX 2"].map(str::to_owned),
        ),
        // "The PARTIAL search return option […] applies to each mailbox searched".
        (
            "(PARTIAL 2:2)",
            ["3", "2", "NIL"].map(|set| format!("PARTIAL (2:2 {set})")),
        ),
        (
            "(CONTEXT)",
            ["1,3", "1:2", "2"].map(|set| format!("ALL {set}")),
        ),
    ] {
        let [inbox, folder1, banana] = expected;
        esearch(
            &mut c,
            &format!(
                "ESEARCH IN (mailboxes (INBOX folder1 folder2.banana folder2.salmon)) RETURN {options} SUBJECT chad"
            ),
            &[
                &format!("INBOX) UID {inbox}"),
                &format!("folder1) UID {folder1}"),
                &format!("folder2.banana) UID {banana}"),
            ],
        );
    }
}

/// "If the source options include (or default to) "selected", the IMAP session MUST be in "selected" state. […] If the
/// session is not in a correct state, the ESEARCH command MUST return a "BAD" result."
#[test]
fn the_selected_mailbox() {
    let (_server, mut c) = prepared();
    for command in [
        "ESEARCH ALL",
        "ESEARCH RETURN (COUNT) ALL",
        "ESEARCH IN (selected) ALL",
        "ESEARCH IN (personal selected) ALL",
        "ESEARCH IN (personal) RETURN (UPDATE) ALL",
    ] {
        c.bad(command);
    }
    c.ok("SELECT folder1");
    c.ok("STORE 1 +FLAGS (\\Deleted)");
    c.ok("EXPUNGE");
    // "the responses MUST contain information about UIDs, not message numbers. This is true even if the source options
    // specify that only the selected mailbox be searched."
    esearch(&mut c, "ESEARCH SUBJECT chad", &["folder1) UID ALL 2"]);
    esearch(
        &mut c,
        "ESEARCH IN (selected) 1:2",
        &["folder1) UID ALL 2:3"],
    );
    esearch(&mut c, "ESEARCH SUBJECT nothing", &[]);
    // "it MUST NOT be considered an error if the search terms include a range of message numbers that extends (or, in
    // fact, starts) beyond the end of the mailbox."
    esearch(&mut c, "ESEARCH 2:100", &["folder1) UID ALL 3"]);
    esearch(&mut c, "ESEARCH 100:200", &[]);
    // In other mailboxes numbers are those of the mailbox as it is.
    esearch(
        &mut c,
        "ESEARCH IN (mailboxes (folder2.banana folder1)) 2",
        &["folder2.banana) UID ALL 2", "folder1) UID ALL 3"],
    );
    // "An ESEARCH command with source options does not affect which mailbox, if any, is currently selected".
    assert_eq!(c.ok("FETCH 1 UID"), ["* 1 FETCH (UID 2)"]);
    // It has the name that it has now.
    c.ok("RENAME folder1 renamed");
    esearch(&mut c, "ESEARCH SUBJECT chad", &["renamed) UID ALL 2"]);
}

/// "the "SAVE" result option is valid only if "selected" is specified or defaulted to as the sole mailbox to be
/// searched. If any source option other than "selected" is specified, the ESEARCH command MUST return a "BAD" result."
#[test]
fn saved_results() {
    let (_server, mut c) = prepared();
    c.ok("SELECT INBOX");
    c.bad("ESEARCH IN (personal) RETURN (SAVE) ALL");
    c.bad("ESEARCH IN (selected mailboxes INBOX) RETURN (SAVE) ALL");
    esearch(&mut c, "ESEARCH RETURN (SAVE) SUBJECT chad", &[]);
    assert_eq!(c.ok("UID SEARCH $"), ["* SEARCH 1 3"]);
    esearch(
        &mut c,
        "ESEARCH IN (selected) RETURN (SAVE COUNT) SUBJECT other",
        &["INBOX) UID COUNT 1"],
    );
    // What is saved is of the selected mailbox, and of no other.
    esearch(&mut c, "ESEARCH IN (personal) $", &["INBOX) UID ALL 2"]);
    esearch(&mut c, "ESEARCH RETURN (SAVE) SUBJECT nothing", &[]);
    assert_eq!(c.ok("UID SEARCH $"), ["* SEARCH"]);
}

/// "If the UPDATE return option is used (Section 4.3 of [RFC5267]), it MUST apply only to the currently selected
/// mailbox."
#[test]
fn results_followed() {
    let (_server, mut c) = prepared();
    c.ok("SELECT INBOX");
    let tag = c.next_tag();
    esearch(
        &mut c,
        "ESEARCH IN (mailboxes (INBOX folder1)) RETURN (UPDATE COUNT) UNFLAGGED",
        &["INBOX) UID COUNT 3", "folder1) UID COUNT 3"],
    );
    c.append("folder1", "", &message("new"));
    assert_eq!(c.ok("NOOP"), Vec::<String>::new());
    let lines = c.ok("STORE 2 +FLAGS (\\Flagged)");
    // "the ESEARCH response […] MUST contain the MAILBOX, TAG, and UIDVALIDITY correlators."
    let told = format!("* ESEARCH (TAG \"{tag}\" MAILBOX INBOX) UID REMOVEFROM (0 2)");
    let line = lines.iter().find(|line| line.contains("ESEARCH")).unwrap();
    assert_eq!(without_uid_validity(line), told);
    c.ok(&format!("CANCELUPDATE \"{tag}\""));
}

#[test]
fn a_search_of_others_is_not_followed() {
    let (_server, mut c) = prepared();
    c.ok("SELECT INBOX");
    let tag = c.next_tag();
    let lines = c.ok("ESEARCH IN (mailboxes folder1) RETURN (UPDATE COUNT) ALL");
    let refused = format!("* NO [NOUPDATE \"{tag}\"]");
    assert!(lines.contains(&refused), "{lines:?}");
    c.no(&format!("CANCELUPDATE \"{tag}\""));
}

#[test]
fn names_and_charsets() {
    let (_server, mut c) = prepared();
    c.ok("CREATE &ZeVnLIqe-");
    c.append(
        "&ZeVnLIqe-",
        "",
        "Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\nx\r\n",
    );
    esearch(
        &mut c,
        "ESEARCH IN (personal) CHARSET UTF-8 SUBJECT {5+}\r\n\u{c9}T\u{c9}",
        &["&ZeVnLIqe-) UID ALL 1"],
    );
    let outcome = c.outcome("ESEARCH IN (personal) CHARSET X-NONE ALL");
    assert!(outcome.starts_with("NO [BADCHARSET ("), "{outcome}");
    let mut c = _server.connect();
    c.login();
    c.ok("ENABLE IMAP4rev2");
    esearch(
        &mut c,
        "ESEARCH IN (subtree \"\u{65e5}\u{672c}\u{8a9e}\") ALL",
        &["\"\u{65e5}\u{672c}\u{8a9e}\") UID ALL 1"],
    );
}
