//! REPLACE (RFC 8508): a message for another, as one act. Dovecot does not have it.

use std::sync::Arc;

use super::rfc4469::{literal, nothing_left, octets, unasked};
use super::select::validity;
use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// Drafts with four messages, selected, and none of them recent any more; and its UIDVALIDITY.
fn drafts() -> Option<(Server, Client, u32)> {
    if Kind::chosen() == Kind::Dovecot {
        return None;
    }
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Drafts");
    for subject in ["one", "two", "three", "four"] {
        c.append("Drafts", "(\\Flagged) ", &message(subject));
    }
    c.ok("SELECT Drafts");
    let validity = validity(&c.ok("SELECT Drafts"));
    Some((server, c, validity))
}

/// §3.2 and §3.3, the examples. "Servers implementing REPLACE and UIDPLUS are also advised to send the APPENDUID
/// response code in an untagged OK before sending the EXPUNGE or replaced responses." (§4.3) "the response codes for
/// APPEND and EXPUNGE will be returned while those for the STORE operation MUST NOT be generated." (§3.4)
#[test]
fn a_draft_is_saved_again() {
    let Some((server, mut c, validity)) = drafts() else {
        return;
    };
    c.check(
        &format!(
            "REPLACE 4 Drafts (\\Seen \\Draft) {}",
            literal(&message("new"))
        ),
        &[
            &format!("* OK [APPENDUID {validity} 5]"),
            "* 5 EXISTS",
            "* 1 RECENT",
            "* 4 EXPUNGE",
        ],
        "OK",
    );
    // "servers supporting the REPLACE command MUST NOT infer any inheritance of content, flags, or annotations from
    // the message being replaced." (§1)
    c.check(
        "FETCH 4 (UID FLAGS)",
        &["* 4 FETCH (UID 5 FLAGS (\\Seen \\Draft \\Recent))"],
        "OK",
    );
    assert_eq!(octets(&mut c, 5, ""), message("new"));
    c.check(
        &format!(
            "UID REPLACE 5 Drafts (\\Seen) \"01-Feb-2020 03:04:05 +0100\" {}",
            unasked(&message("newer"))
        ),
        &[
            &format!("* OK [APPENDUID {validity} 6]"),
            "* 5 EXISTS",
            "* 2 RECENT",
            "* 4 EXPUNGE",
            "* 1 RECENT",
        ],
        "OK",
    );
    c.check("UID SEARCH ON 1-Feb-2020", &["* SEARCH 6"], "OK");
    c.check("UID SEARCH ALL", &["* SEARCH 1 2 3 6"], "OK");
    // Of one in the midst; and of the last one by "*".
    c.check(
        &format!("replace 2 {{6}}\r\nDrafts {}", literal(&message("x"))),
        &[
            &format!("* OK [APPENDUID {validity} 7]"),
            "* 5 EXISTS",
            "* 2 RECENT",
            "* 2 EXPUNGE",
        ],
        "OK",
    );
    c.ok(&format!("UID REPLACE * Drafts {}", unasked(&message("y"))));
    c.check("UID SEARCH ALL", &["* SEARCH 1 3 6 8"], "OK");
    nothing_left(&server, "Drafts", 4);
}

/// "Additionally, the EXPUNGE portion of the sequence only applies to the specified message, not all messages flagged
/// as "\Deleted"." (§3.4)
#[test]
fn others_that_are_deleted_stay() {
    let Some((_server, mut c, _)) = drafts() else {
        return;
    };
    c.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    c.ok(&format!("REPLACE 3 Drafts {}", literal(&message("new"))));
    c.check("UID SEARCH ALL", &["* SEARCH 1 2 4 5"], "OK");
}

/// "the REPLACE extension intentionally does not require the two to be the same. As an example, it's possible to use
/// the REPLACE command to replace a message in the \Drafts special-use mailbox with a message in the \Sent special-use
/// mailbox following message submission." (§3.4)
#[test]
fn into_another_mailbox() {
    let Some((server, mut c, _)) = drafts() else {
        return;
    };
    c.ok("CREATE Sent");
    let sent = c.ok("STATUS Sent (UIDVALIDITY)").concat();
    let sent = sent
        .split(['(', ')'])
        .nth(1)
        .unwrap()
        .replace("UIDVALIDITY ", "");
    let mut other = server.selected("Sent");
    let mut drafts = server.selected("Drafts");
    c.check(
        &format!("UID REPLACE 2 Sent (\\Seen) {}", literal(&message("sent"))),
        &[&format!("* OK [APPENDUID {sent} 1]"), "* 2 EXPUNGE"],
        "OK",
    );
    other.check("NOOP", &["* 1 EXISTS", "* 1 RECENT"], "OK");
    drafts.check("NOOP", &["* 2 EXPUNGE"], "OK");
    assert_eq!(octets(&mut other, 1, ""), message("sent"));
    nothing_left(&server, "Sent", 1);
    nothing_left(&server, "Drafts", 3);
}

/// "similar to MOVE, the intermediate states do not occur": another client hears of both at once.
#[test]
fn another_client_sees_one_act() {
    let Some((server, mut c, _)) = drafts() else {
        return;
    };
    let mut other = server.selected("Drafts");
    c.ok(&format!(
        "REPLACE 1 Drafts (\\Seen) {}",
        literal(&message("new"))
    ));
    other.check_sorted("NOOP", &["* 1 EXPUNGE", "* 4 EXISTS"], "OK");
    // What is expunged and not told yet cannot be replaced, and neither can what is gone while the new one comes.
    c.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    other.ok("NOOP");
    c.ok("UID EXPUNGE 2");
    let text = unasked(&message("late"));
    other.check(
        &format!("REPLACE 1 Drafts {text}"),
        &["* 1 EXPUNGE"],
        "NO [EXPUNGEISSUED]",
    );
    other.send(b"x REPLACE 1 Drafts {3}\r\n");
    assert_eq!(other.line(), b"+ OK");
    c.ok("UID EXPUNGE 3");
    other.send(b"abc\r\n");
    let reply = other.until_tagged("x");
    assert_eq!(reply.outcome(), "NO [EXPUNGEISSUED]");
    assert_eq!(reply.plain(), ["* 1 EXPUNGE"]);
    nothing_left(&server, "Drafts", 2);
}

/// "When an error occurs while processing REPLACE or UID REPLACE, the server MUST NOT leave the selected mailbox in an
/// inconsistent state; any untagged EXPUNGE response MUST NOT be sent until all actions are successfully completed."
/// (§3.4)
#[test]
fn what_fails_leaves_the_old_message() {
    let Some((server, mut c, validity)) = drafts() else {
        return;
    };
    let text = message("new");
    for (command, outcome) in [
        ("UID REPLACE 9 Drafts", "NO [NONEXISTENT]"),
        // "Response codes such as TRYCREATE, along with those defined by extensions, are sent as appropriate."
        ("REPLACE 1 nosuch", "NO [TRYCREATE]"),
        ("REPLACE 1 nosuch CATENATE (TEXT", "NO [TRYCREATE]"),
        (
            "REPLACE 1 Drafts CATENATE (URL ;UID=9 TEXT",
            "NO [BADURL ;UID=9]",
        ),
        ("REPLACE 1 a..b", "NO [CANNOT]"),
    ] {
        let end = if command.contains('(') { ")" } else { "" };
        c.check(&format!("{command} {}{end}", unasked(&text)), &[], outcome);
        c.check(&format!("{command} {}{end}", literal(&text)), &[], outcome);
    }
    for command in [
        "REPLACE 5 Drafts",
        "REPLACE 0 Drafts",
        "REPLACE 1:2 Drafts",
        "REPLACE 1 Drafts x",
    ] {
        c.bad(&format!("{command} {}", unasked("x LOGOUT\r\n")));
    }
    c.check("REPLACE 1 Drafts {0+}\r\n", &[], "NO");
    // "This document explicitly does not outline a method for replacing multiple messages concurrently." (§4.7)
    c.bad(&format!(
        "REPLACE 1 Drafts {} {}",
        unasked(&text),
        unasked(&text)
    ));
    c.check("UID SEARCH ALL", &["* SEARCH 1 2 3 4"], "OK");
    nothing_left(&server, "Drafts", 4);

    // After EXAMINE nothing is replaced.
    c.ok("EXAMINE Drafts");
    c.check(&format!("REPLACE 1 Drafts {}", unasked(&text)), &[], "NO");
    c.check(
        &format!("UID REPLACE 1 INBOX {}", literal(&text)),
        &[],
        "NO",
    );
    nothing_left(&server, "Drafts", 4);

    let maildir = Arc::new(Maildir::new());
    let limited = Setup::new(Kind::Culver).mail_settings("max-message-size = \"1K\"\n");
    let limited = limited.start(&maildir);
    let mut c = limited.client();
    c.append("INBOX", "", &text);
    c.ok("SELECT INBOX");
    c.check("REPLACE 1 INBOX {1025}", &[], "NO [TOOBIG]");
    nothing_left(&limited, "INBOX", 1);
    let _ = validity;
}

/// "Servers supporting both REPLACE and CATENATE MUST support the additional append-data and resp-text-code elements
/// defined in Section 5 of [RFC4469] in conjunction with the REPLACE command." The example of §4.2.
#[test]
fn with_catenate() {
    let Some((server, mut c, validity)) = drafts() else {
        return;
    };
    let head = "To: Mitzy <miss.mitzy@example.org>\r\nSubject: My view of the fireworks\r\n";
    assert_eq!(head.len(), 71);
    c.check(
        &format!(
            "UID REPLACE 4 Drafts CATENATE (TEXT {} URL \"/Drafts/;UID=4\")",
            literal(head)
        ),
        &[
            &format!("* OK [APPENDUID {validity} 5]"),
            "* 5 EXISTS",
            "* 1 RECENT",
            "* 4 EXPUNGE",
        ],
        "OK",
    );
    assert_eq!(octets(&mut c, 5, ""), format!("{head}{}", message("four")));
    // All of it on one line; and with the mailbox and the URL as literals.
    c.ok("UID REPLACE 5 Drafts CATENATE (URL ;UID=5/;section=TEXT)");
    assert_eq!(octets(&mut c, 6, ""), "Hello.\r\n");
    c.ok("UID REPLACE 6 {6}\r\nDrafts CATENATE (URL {6}\r\n;UID=6 URL {6+}\r\n;UID=6)");
    assert_eq!(octets(&mut c, 7, ""), "Hello.\r\nHello.\r\n");
    // Binary contents and UTF-8 headers, as APPEND takes them.
    let binary = "MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b";
    let reply = c.run(&format!("UID REPLACE 7 Drafts ~{}", unasked(binary)));
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    assert!(
        octets(&mut c, 8, "").contains("\r\n\r\nYQBi"),
        "{}",
        octets(&mut c, 8, "")
    );
    let text = "Subject: gr\u{fc}n\r\n\r\n";
    c.ok(&format!("REPLACE 4 Drafts UTF8 (~{})", unasked(text)));
    assert_eq!(octets(&mut c, 9, ""), text);
    nothing_left(&server, "Drafts", 4);
}

/// "Unlike the APPEND command, which is valid in the authenticated state, the REPLACE and UID REPLACE commands MUST only
/// be valid in the selected state." (§3.5) The literal is not taken for commands.
#[test]
fn only_where_a_mailbox_is_selected() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    for command in ["REPLACE 1", "UID REPLACE 1"] {
        c.bad(&format!("{command} INBOX {{14+}}\r\na1 LOGOUT\r\n\r\n"));
        c.bad(&format!("{command} INBOX {{14}}"));
        c.bad(&format!("{command} INBOX CATENATE (URL /INBOX/;UID=1)"));
    }
    let mut stranger = server.connect();
    stranger.bad("REPLACE 1 INBOX {14+}\r\na1 LOGOUT\r\n\r\n");
    stranger.check("NOOP", &[], "OK");
    nothing_left(&server, "INBOX", 1);
}

/// A message that an MTA brings while the new one is on its way keeps its own number.
#[test]
fn while_mail_comes_in() {
    let Some((server, mut c, _)) = drafts() else {
        return;
    };
    c.send(b"x REPLACE 4 Drafts {3}\r\n");
    assert_eq!(c.line(), b"+ OK");
    server.maildir.deliver("Drafts", &message("delivered"));
    c.send(b"abc\r\n");
    assert_eq!(c.until_tagged("x").outcome(), "OK");
    c.ok("NOOP");
    let found = c.ok("UID SEARCH SUBJECT delivered").concat();
    assert!(["* SEARCH 5", "* SEARCH 6"].contains(&&*found), "{found}");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4 5"], "OK");
}
