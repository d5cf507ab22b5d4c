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

/// §7.2.2: "If both IMAP4rev1 and IMAP4rev2 capabilities are advertised, server responses MUST conform to [RFC3501]
/// until the client issues a command that uses an additional capability."
#[test]
fn both_are_announced_and_only_the_old_one_is_spoken() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    for mut c in [server.connect(), server.client()] {
        let line = format!("{} ", c.ok("CAPABILITY").concat());
        assert!(line.contains(" IMAP4rev1 ") && line.contains(" IMAP4rev2 "));
    }
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    let lines = c.ok("SELECT INBOX");
    assert!(lines.contains(&"* 1 RECENT".to_owned()), "{lines:?}");
    c.check("SEARCH ALL", &["* SEARCH 1"], "OK");
    c.check(
        "STORE 1 +FLAGS (\\Seen)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    // §6.3.1: "The server MUST NOT change the CAPABILITY list as a result of executing ENABLE".
    let before = c.ok("CAPABILITY");
    c.check("ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    assert_eq!(c.ok("CAPABILITY"), before);
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
    assert_eq!(lines.len(), 8, "{lines:?}");
    assert!(lines[6].starts_with("* OK [MAILBOXID "));
    assert!(lines[7].starts_with("* OK [HIGHESTMODSEQ "));
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

/// §6.4.4: "if CHARSET is not provided, IMAP4rev2 servers MUST assume UTF-8"; "If the server does not support the
/// specified [CHARSET], it MUST return a tagged NO response (not a BAD)."; "Any options not defined by extensions
/// that the server supports MUST be rejected with a BAD response."
#[test]
fn search_is_in_utf_8() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    c.append("INBOX", "", "Subject: =?utf-8?q?=C3=BCber?=\r\n\r\nx\r\n");
    c.ok("SELECT INBOX");
    // §4.3.1: "IMAP4rev2 implementations MUST accept and MAY transmit [UTF-8] text in quoted-strings".
    for text in ["\"über\"", "{5}\r\nüber", "{5+}\r\nüber"] {
        let line = format!("* ESEARCH (TAG \"{}\") ALL 1", c.next_tag());
        c.check(&format!("SEARCH SUBJECT {text}"), &[&line], "OK");
    }
    let outcome = c.outcome("SEARCH CHARSET x-none TEXT a");
    assert!(outcome.starts_with("NO [BADCHARSET (UTF-8 "), "{outcome}");
    c.bad("SEARCH RETURN (FOO) ALL");
    // §6.4.4: "In absence of any other SEARCH result option, the SAVE result option also suppresses any ESEARCH
    // response".
    c.check("SEARCH RETURN (SAVE) ALL", &[], "OK");
    c.check("FETCH $ FLAGS", &["* 1 FETCH (FLAGS ())"], "OK");
    // "This result option MUST always be included in the ESEARCH response."
    let line = format!("* ESEARCH (TAG \"{}\") COUNT 0", c.next_tag());
    c.check("SEARCH RETURN (MIN MAX COUNT) DELETED", &[&line], "OK");
}

/// §9: `media-message` is "RFC822" or "GLOBAL"; of `body-type-basic`, "MESSAGE subtype MUST NOT be "RFC822" or
/// "GLOBAL"". RFC 3501 §9 knows RFC822 alone. §7.5.2: "the server should decode them per [RFC2231], convert to UTF-8,
/// concatenate, and return the resulting value as a parameter "foo*"."
#[test]
fn body_structures() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    let mail = "Content-Type: message/global\r\n\
         Content-Disposition: attachment; f*0*=iso-8859-1'de'%E4; f*1*=%F6; g*=utf-8''x\r\n\r\n\
         Subject: \u{e4}\r\nFrom:\r\n\r\nhello\r\n";
    c.append("INBOX", "", mail);
    c.ok("SELECT INBOX");
    let inner = "(NIL {2}\r\n\u{e4} NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1";
    let size = "Subject: \u{e4}\r\nFrom:\r\n\r\nhello\r\n".len();
    c.check(
        "FETCH 1 BODY",
        &[&format!(
            "* 1 FETCH (BODY (\"message\" \"global\" NIL NIL NIL \"7bit\" {size} {inner}) 4))"
        )],
        "OK",
    );
    c.check(
        "FETCH 1 BODYSTRUCTURE",
        &[&format!(
            "* 1 FETCH (BODYSTRUCTURE (\"message\" \"global\" NIL NIL NIL \"7bit\" {size} {inner} NIL NIL NIL NIL) 4 \
             NIL (\"attachment\" (\"f*\" {{4}}\r\n\u{e4}\u{f6} \"g*\" \"x\")) NIL NIL))"
        )],
        "OK",
    );
    // Parts are numbered the same for all.
    c.check(
        "FETCH 1 BODY.PEEK[1.TEXT]",
        &["* 1 FETCH (BODY[1.TEXT] {7}\r\nhello\r\n)"],
        "OK",
    );
    let mut old = server.selected("INBOX");
    let lines = old.ok("FETCH 1 BODYSTRUCTURE");
    assert_eq!(
        lines,
        [format!(
            "* 1 FETCH (BODYSTRUCTURE (\"message\" \"global\" NIL NIL NIL \"7bit\" {size} \
             NIL (\"attachment\" (\"f*\" \"iso-8859-1'de'%E4%F6\" \"g*\" \"utf-8''x\")) NIL NIL))"
        )]
    );
}

/// §7.5.2: "If the Date, Subject, In-Reply-To, and Message-ID header fields are absent in the [RFC5322] header, the
/// corresponding member of the envelope is NIL; if these header fields are present but empty, the corresponding
/// member of the envelope is the empty string." "If the Sender or Reply-To header fields are absent […], or are
/// present but empty, the server sets the corresponding member of the envelope to be the same value as the from
/// member".
#[test]
fn envelopes() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    c.append(
        "INBOX",
        "",
        "Subject:\r\nMessage-ID:\r\nFrom: a@b\r\nSender:\r\nTo: g: c@d;\r\nCc:\r\n\r\n",
    );
    c.ok("SELECT INBOX");
    let from = "((NIL NIL \"a\" \"b\"))";
    c.check(
        "FETCH 1 ENVELOPE",
        &[&format!(
            "* 1 FETCH (ENVELOPE (NIL \"\" {from} {from} {from} \
             ((NIL NIL \"g\" NIL)(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) NIL NIL NIL \"\"))"
        )],
        "OK",
    );
}

/// What RFC 9051 took over from extensions (Appendix E, 2 and 3), each held at length by the extension's own file.
#[test]
fn what_was_folded_in() {
    let server = Server::start();
    let Some(mut c) = enabled(&server) else {
        return;
    };
    let mail = message("one");
    let size = mail.len();
    c.append("INBOX", "(\\Deleted) ", &mail);
    // §2.3.2: "These keywords SHOULD be supported (allowed in SEARCH and allowed and preserved in APPEND, COPY, and
    // MOVE commands)".
    let keywords = "$Forwarded $MDNSent $Junk $NotJunk $Phishing";
    c.append("INBOX", &format!("({keywords}) "), &mail);
    c.check(
        "STATUS INBOX (SIZE DELETED)",
        &[&format!("* STATUS INBOX (SIZE {} DELETED 1)", 2 * size)],
        "OK",
    );
    // §6.3.10.
    c.check("NAMESPACE", &["* NAMESPACE ((\"\" \".\")) NIL NIL"], "OK");
    let lines = c.ok("SELECT INBOX");
    let valid = lines
        .iter()
        .find_map(|line| line.strip_prefix("* OK [UIDVALIDITY "));
    assert!(valid.is_some(), "{lines:?}");
    c.check(
        "FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])",
        &["* 1 FETCH (BINARY.SIZE[1] 8 BINARY[1] {8}\r\nHello.\r\n)"],
        "OK",
    );
    // §6.4.7 and §6.4.8: "It MUST NOT automatically create the mailbox." "the server MUST send the response code
    // "[TRYCREATE]"".
    for command in [
        "COPY 1 New",
        "MOVE 1 New",
        "UID MOVE 1 New",
        "APPEND New {1+}\r\nx",
    ] {
        c.check(command, &[], "NO [TRYCREATE]");
    }
    c.ok("CREATE New");
    // §6.4.8: "Servers are also REQUIRED to send the COPYUID response code in an untagged OK before sending EXPUNGE".
    let reply = c.run("MOVE 2 New");
    let plain = reply.plain();
    assert!(plain[0].starts_with("* OK [COPYUID "), "{reply:?}");
    assert_eq!(plain[1..], ["* 2 EXPUNGE"]);
    assert_eq!(reply.outcome(), "OK");
    let reply = c.run("UID COPY 1 New");
    assert!(reply.tagged.starts_with("OK [COPYUID "), "{reply:?}");
    // §6.4.9: UID EXPUNGE.
    c.check("UID EXPUNGE 2:4", &[], "OK");
    c.check("UID EXPUNGE 1", &["* 1 EXPUNGE"], "OK");
    c.ok("UNSELECT");
    c.ok("EXAMINE New");
    let line = format!("* 1 FETCH (FLAGS ({keywords}))");
    c.check("FETCH 1 FLAGS", &[&line], "OK");
}
