//! The selected mailbox (RFC 5465 §5.1 to §5.3, §6.1), and searches that are followed (§7).

use crate::harness::{Client, Kind, Server, message};

use super::{expect, told};

/// §3.1: "If the SELECTED/SELECTED-DELAYED mailbox selector is not specified in the NOTIFY SET command, this means that
/// the client doesn't want to receive any <message-event>s for the currently selected mailbox." And "A successful NOTIFY
/// SET command MUST cause the server to immediately return any accumulated changes to the currently selected mailbox".
#[test]
fn not_asked_for() {
    let server = Server::start();
    let mut other = server.client();
    other.ok("CREATE Lists");
    let mut c = server.selected("INBOX");
    for set in [
        "NOTIFY SET (personal (MessageNew MessageExpunge))",
        "NOTIFY SET (selected NONE) (personal (MessageNew MessageExpunge))",
    ] {
        c.ok(set);
        // "even if the selected mailbox also appears by name (or matches a pattern) in the command."
        let uid = other.append("INBOX", "", &message("one"));
        c.check("NOOP", &[], "OK");
        let news = [format!("* {uid} EXISTS"), format!("* {uid} RECENT")];
        let news = news.each_ref().map(String::as_str);
        // Dovecot keeps it to itself.
        let news = server.either(&news[..], &[]);
        c.check("NOTIFY SET (selected NONE)", news, "OK");
    }
    // It is not the selected one any more.
    c.ok("SELECT Lists");
    c.ok("NOTIFY SET (personal (MessageNew MessageExpunge))");
    other.append("INBOX", "", &message("three"));
    told(&mut c, &server, "INBOX", &[("UIDNEXT", 4), ("MESSAGES", 3)]);
}

/// §5.2: "the server notifies the client by sending an unsolicited EXISTS response, followed by an unsolicited FETCH
/// response containing the information requested by the client." §5.1: "which MUST include UID and FLAGS".
#[test]
fn the_selected_mailbox() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        // It waits for the next command, or for IDLE.
        return;
    }
    let mut c = server.selected("INBOX");
    c.ok("NOTIFY SET (selected (MessageNew (uid body.peek[header.fields (subject)]) MessageExpunge FlagChange))");
    let base = server.maildir.deliver("INBOX", &message("one"));
    expect(&mut c, &["* 1 EXISTS", "* 1 RECENT"]);
    let line = String::from_utf8(c.line()).unwrap();
    assert!(
        line.starts_with("* 1 FETCH (UID 1 BODY[HEADER.FIELDS (subject)] {")
            && line.contains("Subject: one\r\n"),
        "{line}"
    );
    server.maildir.reflag("INBOX", &base, "F");
    expect(&mut c, &["* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent))"]);
    server.maildir.remove("INBOX", &base);
    expect(&mut c, &["* 1 EXPUNGE"]);
    c.check("NOOP", &[], "OK");
}

/// §6.1.2: "The SELECTED-DELAYED mailbox specifier requires the server to delay a MessageExpunge event until the client
/// issues a command that allows returning information about expunged messages".
#[test]
fn selected_delayed() {
    let server = Server::start();
    let first = server.maildir.deliver("INBOX", &message("one"));
    let mut c = server.selected("INBOX");
    c.ok("NOTIFY SET (selected-delayed (MessageNew MessageExpunge))");
    server.maildir.remove("INBOX", &first);
    server.maildir.deliver("INBOX", &message("two"));
    if server.kind == Kind::Culver {
        // The number 1 is still the first message's.
        expect(&mut c, &["* 2 EXISTS"]);
    }
    let reply = c.run("NOOP");
    assert!(
        reply.plain().contains(&"* 1 EXPUNGE".to_owned()),
        "{reply:?}"
    );
    c.check("UID SEARCH ALL", &["* SEARCH 2"], "OK");
}

/// §7: "the UPDATE return option is extended so that a client can request that FETCH attributes be returned when a new
/// message is added to the context result set." "the EXISTS response MUST precede any FETCH responses, and together they
/// MUST precede the ESEARCH response."
#[test]
fn followed_searches_with_items() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        // It announces CONTEXT=SEARCH, but never tells.
        return;
    }
    server.maildir.deliver("INBOX", &message("before"));
    let mut c = server.selected("INBOX");
    let tag = c.next_tag();
    c.ok("SEARCH RETURN (COUNT UPDATE (BODY.PEEK[HEADER.FIELDS (SUBJECT)])) SUBJECT boss");
    let other = c.next_tag();
    c.ok("UID SEARCH RETURN (UPDATE (RFC822.SIZE)) SUBJECT boss");
    c.ok("NOTIFY SET (selected (MessageNew (UID) MessageExpunge FlagChange))");
    // "These attributes SHOULD be combined into a single FETCH response."
    let base = server.maildir.deliver("INBOX", &message("boss"));
    let size = message("boss").len();
    expect(
        &mut c,
        &[
            "* 2 EXISTS",
            "* 2 RECENT",
            &format!(
                "* 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {{17}}\r\nSubject: boss\r\n\r\n RFC822.SIZE {size} UID 2)"
            ),
            &format!("* ESEARCH (TAG \"{tag}\") ADDTO (0 2)"),
            &format!("* ESEARCH (TAG \"{other}\") UID ADDTO (0 2)"),
        ],
    );
    // What does not match is shown as NOTIFY asks; §5.2: "The FETCH response(s) MUST follow any ESEARCH ADDTO".
    server.maildir.deliver("INBOX", &message("nobody"));
    expect(&mut c, &["* 3 EXISTS", "* 3 RECENT", "* 3 FETCH (UID 3)"]);
    // "No untagged FETCH response SHOULD be returned if a message becomes a member of UPDATE SEARCH due to flag or
    // annotation changes." §5.1: "the FETCH response MUST precede the ESEARCH response."
    let flagged = c.next_tag();
    c.ok("SEARCH RETURN (UPDATE (RFC822.SIZE)) FLAGGED");
    server.maildir.reflag("INBOX", &base, "F");
    expect(
        &mut c,
        &[
            "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent))",
            &format!("* ESEARCH (TAG \"{flagged}\") ADDTO (0 2)"),
        ],
    );
}

/// §3.1: "the client doesn't want to receive any <message-event>s for the currently selected mailbox": not by FETCH either,
/// which answers what it was asked, by the numbers that the client knows.
#[test]
fn fetch_tells_nothing_that_is_not_asked_for() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        // It tells.
        return;
    }
    for text in ["one", "two", "three"] {
        server.maildir.deliver("INBOX", &message(text));
    }
    let mut other = server.selected("INBOX");
    let mut c = server.selected("INBOX");
    c.ok("NOTIFY SET (selected NONE)");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    other.ok("STORE 2 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    other.append("INBOX", "", &message("four"));
    for _ in 0..2 {
        // It asks for the flags as they are, and its numbers stand.
        c.check(
            "FETCH 1,3 (UID FLAGS)",
            &[
                "* 1 FETCH (UID 1 FLAGS (\\Flagged))",
                "* 3 FETCH (UID 3 FLAGS ())",
            ],
            "OK",
        );
        c.check("UID FETCH 3:* (UID)", &["* 3 FETCH (UID 3)"], "OK");
        c.check("NOOP", &[], "OK");
    }
    let gone = c.run("FETCH 2 (BODY.PEEK[TEXT])");
    assert!(gone.tagged.contains("[EXPUNGEISSUED]"), "{gone:?}");
    // "A successful NOTIFY SET command MUST cause the server to immediately return any accumulated changes".
    let told = c.run("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))");
    let plain = told.plain();
    for line in ["* 2 EXPUNGE", "* 3 EXISTS"] {
        assert!(plain.iter().any(|told| told == line), "{plain:?}");
    }
}

/// RFC 7162 §3.2.4: "Once a CONDSTORE enabling command is issued by the client, the server MUST automatically include both
/// UID and mod-sequence data in all subsequent untagged FETCH responses […], whether they were caused by a regular STORE
/// […], or an external agent." So too where the client says what it wants to see of new messages.
#[test]
fn new_messages_with_mod_sequences() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut other = server.selected("INBOX");
    let mut number = 0;
    for (enabled, by_uid) in [
        ("CONDSTORE", false),
        ("QRESYNC", false),
        ("QRESYNC UIDONLY", true),
    ] {
        let mut c = server.client();
        c.ok(&format!("ENABLE {enabled}"));
        c.ok("SELECT INBOX");
        c.ok("NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))");
        other.append("INBOX", "(\\Seen) ", &message("one"));
        number += 1;
        let first = shown(&mut c, number, by_uid);
        c.ok("NOTIFY SET (selected (MessageNew MessageExpunge))");
        c.ok("UID SEARCH RETURN (COUNT UPDATE (FLAGS)) ALL");
        other.append("INBOX", "(\\Seen) ", &message("two"));
        number += 1;
        let second = shown(&mut c, number, by_uid);
        assert!(second > first);
    }
}

/// Waits for the FETCH of a new message, and gives its mod-sequence.
#[track_caller]
fn shown(c: &mut Client, number: u32, by_uid: bool) -> u64 {
    let line = loop {
        let line = String::from_utf8(c.line()).unwrap();
        if line.contains("FETCH") {
            break line;
        }
    };
    let line = line.replace(" \\Recent", "");
    let head = match by_uid {
        true => format!("* {number} UIDFETCH (FLAGS (\\Seen) MODSEQ ("),
        false => format!("* {number} FETCH (UID {number} FLAGS (\\Seen) MODSEQ ("),
    };
    let rest = line
        .strip_prefix(&head)
        .and_then(|rest| rest.strip_suffix("))"));
    match rest.map(str::parse) {
        Some(Ok(modseq)) => modseq,
        _ => panic!("{line}, not {head}"),
    }
}
