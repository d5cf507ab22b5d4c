//! IMAP4rev2 (RFC 9051): what it changes for a client that enabled it, and for no other.

use crate::harness::{Client, Server, message};

/// A client of the server's that has enabled IMAP4rev2; `None` with Dovecot, which does not have it.
fn enabled(server: &Server) -> Option<Client> {
    let mut c = server.client();
    if server.either(false, true) {
        return None;
    }
    c.check("ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    Some(c)
}

/// §6.3.2: "The server MUST return a LIST response with the mailbox name." Appendix E: "UNSEEN response code on
/// SELECT/EXAMINE is now deprecated", "RECENT response on SELECT/EXAMINE, \Recent flag" too.
#[test]
fn select_has_list_and_neither_recent_nor_unseen() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    c.ok("CREATE Sent");
    c.append("Sent", "", &message("one"));
    let flags = "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)";
    let lines = c.ok("SELECT Sent");
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(lines[0], flags);
    assert!(lines[1].starts_with("* OK [PERMANENTFLAGS ("));
    assert_eq!(lines[2], "* 1 EXISTS");
    assert_eq!(lines[3], "* LIST (\\Sent) \".\" Sent");
    assert!(lines[4].starts_with("* OK [UIDVALIDITY "));
    assert_eq!(lines[5], "* OK [UIDNEXT 2]");
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"], "OK");
    // "When deselecting a selected mailbox, the server MUST return an untagged OK response with the "[CLOSED]"
    // response code".
    let lines = c.ok("EXAMINE INBOX");
    assert_eq!(lines[0], "* OK [CLOSED]");
    assert!(
        lines.contains(&"* LIST () \".\" INBOX".to_owned()),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("RECENT")),
        "{lines:?}"
    );
    // What is enabled is enabled for one connection.
    server.maildir.deliver("INBOX", &message("two"));
    let lines = server.client().ok("SELECT INBOX");
    assert!(lines.contains(&"* 1 RECENT".to_owned()), "{lines:?}");
    assert!(lines.contains(&"* OK [UNSEEN 1]".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("LIST")), "{lines:?}");
}

/// §7.5.2: "If the server chooses to send unsolicited FETCH responses, they MUST include UID FETCH item."
#[test]
fn news_have_no_recent_and_name_the_uid() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    let mut other = server.selected("INBOX");
    c.ok("SELECT INBOX");
    other.ok("EXPUNGE");
    c.check("NOOP", &["* 1 EXPUNGE"], "OK");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    c.check("NOOP", &["* 1 FETCH (UID 2 FLAGS (\\Flagged))"], "OK");
    c.check(
        "STORE 1 +FLAGS (\\Seen)",
        &["* 1 FETCH (UID 2 FLAGS (\\Flagged \\Seen))"],
        "OK",
    );
    server.maildir.deliver("INBOX", &message("three"));
    let mut idle = c.idle();
    idle.expect(&["* 2 EXISTS"]);
    other.ok("STORE 1 -FLAGS (\\Flagged)");
    idle.expect(&["* 1 FETCH (UID 2 FLAGS (\\Seen))"]);
    idle.done(&[]);
    c.check("FETCH 2 FLAGS", &["* 2 FETCH (FLAGS ())"], "OK");
}

/// Enabled late, which a client must not do and a server need not forbid (§6.3.1), it holds all the same.
#[test]
fn enabled_while_a_mailbox_is_selected() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    c.check("ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"], "OK");
    server.maildir.deliver("INBOX", &message("two"));
    c.check("NOOP", &["* 2 EXISTS"], "OK");
}

/// §5.1: "In IMAP4rev2, mailbox names are encoded in Net-Unicode (this differs from IMAP4rev1)." Appendix A:
/// servers of both "MUST be compatible with the Mailbox International Naming Convention".
#[test]
fn names_are_utf_8_both_ways_and_modified_utf_7_for_others() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    let mut old = server.client();
    c.ok("CREATE \"Entwürfe\"");
    c.ok("CREATE {12+}\r\nLöschen.日");
    c.ok("CREATE R&D");
    old.ok("CREATE Gel&APY-scht");
    c.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" \"Entwürfe\"",
            "* LIST (\\HasNoChildren) \".\" \"Gelöscht\"",
            "* LIST (\\Noselect \\HasChildren) \".\" \"Löschen\"",
            "* LIST (\\HasNoChildren) \".\" \"Löschen.日\"",
            "* LIST (\\HasNoChildren) \".\" R&D",
        ],
        "OK",
    );
    old.check_sorted(
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" Entw&APw-rfe",
            "* LIST (\\HasNoChildren) \".\" Gel&APY-scht",
            "* LIST (\\Noselect \\HasChildren) \".\" L&APY-schen",
            "* LIST (\\HasNoChildren) \".\" L&APY-schen.&ZeU-",
            "* LIST (\\HasNoChildren) \".\" R&-D",
        ],
        "OK",
    );
    c.check(
        "LIST \"\" \"Entwü%\"",
        &["* LIST (\\HasNoChildren) \".\" \"Entwürfe\""],
        "OK",
    );
    c.check(
        "STATUS \"Entwürfe\" (MESSAGES)",
        &["* STATUS \"Entwürfe\" (MESSAGES 0)"],
        "OK",
    );
    c.ok("SUBSCRIBE \"Entwürfe\"");
    old.check("LSUB \"\" *", &["* LSUB () \".\" Entw&APw-rfe"], "OK");
    c.check("LSUB \"\" *", &["* LSUB () \".\" \"Entwürfe\""], "OK");
    c.append("\"Entwürfe\"", "", &message("one"));
    let lines = c.ok("SELECT \"Entwürfe\"");
    assert!(
        lines.contains(&"* LIST () \".\" \"Entwürfe\"".to_owned()),
        "{lines:?}"
    );
    c.ok("COPY 1 \"Gelöscht\"");
    c.ok("RENAME \"Gelöscht\" \"Größe\"");
    c.ok("DELETE \"Größe\"");
    c.check(
        "SELECT Entw&APw-rfe",
        &["* OK [CLOSED]"],
        "NO [NONEXISTENT]",
    );
    // §5.1: "Server implementations MUST prohibit the creation of 8-bit mailbox names that do not comply with
    // Net-Unicode."
    for name in [&b"a\xff"[..], b"\xc3", b"\xed\xa0\x80"] {
        let command = [b"CREATE \"", name, b"\""].concat();
        assert!(c.run_bytes(&command).tagged.starts_with("BAD"));
        let command = [b"LIST \"\" \"", name, b"\""].concat();
        assert!(c.run_bytes(&command).tagged.starts_with("BAD"));
    }
    c.check("CREATE \"a\u{2028}b\"", &[], "NO [CANNOT]");
    c.check("CREATE \"a\u{85}b\"", &[], "NO [CANNOT]");
}

/// §5.1: "SELECT <name> must open the same mailbox that was successfully created with CREATE <name>, even if
/// <name> is a denormalized UTF-8 mailbox name." §6.3.9.7 has the responses.
#[test]
fn a_name_in_another_form_is_told_with_oldname() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    // e and a combining accent; and é.
    let (apart, joined) = ("cafe\u{301}", "caf\u{e9}");
    let told = |attributes: &str, name: &str, old: &str| {
        format!("* LIST ({attributes}) \".\" \"{name}\" (OLDNAME (\"{old}\"))")
    };
    c.check(
        &format!("CREATE \"{apart}\""),
        &[&told("", joined, apart)],
        "OK",
    );
    c.check(&format!("CREATE \"{joined}\""), &[], "NO [ALREADYEXISTS]");
    for name in [apart, joined] {
        let lines = c.ok(&format!("SELECT \"{name}\""));
        let line = if name == apart {
            told("", joined, apart)
        } else {
            format!("* LIST () \".\" \"{joined}\"")
        };
        assert!(lines.contains(&line), "{lines:?}");
        c.ok(&format!("STATUS \"{name}\" (MESSAGES)"));
        c.ok("UNSELECT");
    }
    c.check(
        &format!("RENAME \"{apart}\" \"{apart}.x\""),
        &[],
        "NO [CANNOT]",
    );
    c.check(
        &format!("RENAME \"{joined}\" \"x{apart}\""),
        &[&told("", &format!("x{joined}"), joined)],
        "OK",
    );
    c.check(
        &format!("DELETE \"x{apart}\""),
        &[&told(
            "\\NonExistent",
            &format!("x{joined}"),
            &format!("x{apart}"),
        )],
        "OK",
    );
    // Modified UTF-7 keeps forms apart. What was made so stays within reach.
    let mut old = server.client();
    old.ok("CREATE cafe&AwE-");
    let lines = c.ok(&format!("SELECT \"{apart}\""));
    assert!(
        lines.contains(&format!("* LIST () \".\" \"{apart}\"")),
        "{lines:?}"
    );
}

/// Appendix A: "With the exception of obsolete SEARCH and RECENT responses, servers advertising both IMAP4rev1 and
/// IMAP4rev2 would never return such removed response data items/responses unless explicitly requested". What is
/// asked for is answered.
#[test]
fn what_is_obsolete_still_works() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    c.append("INBOX", "", &message("one"));
    c.check(
        "STATUS INBOX (RECENT)",
        &["* STATUS INBOX (RECENT 1)"],
        "OK",
    );
    c.ok("SELECT INBOX");
    c.check("CHECK", &[], "OK");
    c.check("LSUB \"\" *", &[], "OK");
    assert_eq!(c.ok("FETCH 1 RFC822.HEADER").len(), 1);
}

/// Appendix E: "SEARCH command now requires to return the ESEARCH response (SEARCH response is now deprecated)."
#[test]
fn search_is_answered_by_esearch() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    for text in ["one", "two", "three"] {
        c.append("INBOX", "", &message(text));
    }
    c.ok("SELECT INBOX");
    for (command, answer) in [
        ("SEARCH ALL", "ALL 1:3"),
        ("SEARCH SUBJECT two", "ALL 2"),
        ("SEARCH RETURN (COUNT) ALL", "COUNT 3"),
        ("SEARCH RETURN () NOT 2", "ALL 1,3"),
        ("SEARCH CHARSET UTF-8 SUBJECT two", "ALL 2"),
    ] {
        let line = format!("* ESEARCH (TAG \"{}\") {answer}", c.next_tag());
        c.check(command, &[&line], "OK");
    }
    let line = format!("* ESEARCH (TAG \"{}\")", c.next_tag());
    c.check("SEARCH SUBJECT four", &[&line], "OK");
    let line = format!("* ESEARCH (TAG \"{}\") UID ALL 1:3", c.next_tag());
    c.check("UID SEARCH ALL", &[&line], "OK");
}
