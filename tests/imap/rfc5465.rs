//! NOTIFY (RFC 5465): what happens in other mailboxes, and in the selected one without a command.

use std::fs;

use super::limits;
use crate::harness::maildir::own;
use crate::harness::{Client, Kind, Server, message};

const ALL: &str =
    "(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))";

/// Waits for exactly these responses while no command is in progress.
#[track_caller]
fn expect(c: &mut Client, expected: &[&str]) {
    for wanted in expected {
        let line = String::from_utf8(c.line()).unwrap();
        assert_eq!(line, *wanted);
    }
}

/// §3.1: "The NOTIFY command informs the server that the client listens for event notifications all the time (even when
/// no command is in progress)". An MTA delivers where nobody has anything open; flags are changed and messages removed
/// by another program.
#[test]
fn other_mailboxes_between_commands() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Lists");
    c.ok("CREATE misc");
    let mut c = server.selected("INBOX");
    let set =
        "NOTIFY SET STATUS (mailboxes (Lists misc nosuch) (MessageNew MessageExpunge FlagChange))";
    let lines = c.ok(set);
    assert_eq!(lines.len(), 2, "{lines:?}");
    // §3.1: "If MessageNew is enabled, the STATUS response MUST contain MESSAGES, UIDNEXT, and UIDVALIDITY."
    for (line, name) in lines.iter().zip(["Lists", "misc"]) {
        for part in [name, "MESSAGES 0", "UIDNEXT 1", "UIDVALIDITY "] {
            assert!(line.contains(part), "{line} lacks {part}");
        }
    }
    // §5.2: "the server sends an unsolicited STATUS (UIDNEXT MESSAGES) response for the relevant mailbox."
    let base = server.maildir.deliver("Lists", &message("one"));
    expect(&mut c, &["* STATUS Lists (UIDNEXT 2 MESSAGES 1 UNSEEN 1)"]);
    server.maildir.reflag("Lists", &base, "S");
    expect(&mut c, &["* STATUS Lists (UNSEEN 0)"]);
    server.maildir.remove("Lists", &base);
    expect(&mut c, &["* STATUS Lists (UIDNEXT 2 MESSAGES 0)"]);
    server.maildir.deliver("misc", &message("two"));
    expect(&mut c, &["* STATUS misc (UIDNEXT 2 MESSAGES 1 UNSEEN 1)"]);
    // §4: "while processing any IDLE command, the server MUST send exactly the same events".
    let mut idle = c.idle();
    server.maildir.deliver("misc", &message("three"));
    idle.expect(&["* STATUS misc (UIDNEXT 3 MESSAGES 2 UNSEEN 2)"]);
    idle.done(&[]);
    // INBOX is not asked for, and NONE ends all of it.
    c.ok("NOTIFY NONE");
    server.maildir.deliver("misc", &message("four"));
    c.check("NOOP", &[], "OK");
}

/// §5: "The server SHOULD omit notifying the client if the event is caused by this client."
#[test]
fn own_changes_are_not_told() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Lists");
    c.ok(&format!("NOTIFY SET {ALL}"));
    c.append("Lists", "", &message("one"));
    c.check("CREATE A.B", &[], "OK");
    c.check("SUBSCRIBE A.B", &[], "OK");
    c.check("RENAME A.B A.C", &[], "OK");
    c.check("DELETE A.C", &[], "OK");
    c.ok("SELECT Lists");
    c.ok("COPY 1 INBOX");
    c.ok("STORE 1 +FLAGS (\\Deleted)");
    c.check("CLOSE", &[], "OK");
    c.check("NOOP", &[], "OK");
    // Those of others still are.
    let mut other = server.client();
    other.append("Lists", "(\\Seen) ", &message("two"));
    expect(&mut c, &["* STATUS Lists (UIDNEXT 3 MESSAGES 1)"]);
    c.check("NOOP", &[], "OK");
}

/// §5.4, §5.5, by another session and by other programs.
#[test]
fn names() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("NOTIFY SET (personal (MailboxName SubscriptionChange))");
    let mut other = server.client();
    other.ok("CREATE NewMailbox");
    expect(&mut c, &["* LIST (\\HasNoChildren) \".\" NewMailbox"]);
    other.ok("SUBSCRIBE NewMailbox");
    expect(
        &mut c,
        &["* LIST (\\Subscribed \\HasNoChildren) \".\" NewMailbox"],
    );
    other.ok("UNSUBSCRIBE NewMailbox");
    expect(&mut c, &["* LIST (\\HasNoChildren) \".\" NewMailbox"]);
    // "containing the OLDNAME extended data item with the old mailbox name."
    other.ok("RENAME NewMailbox Renamed");
    expect(
        &mut c,
        &["* LIST (\\HasNoChildren) \".\" Renamed (OLDNAME (NewMailbox))"],
    );
    let root = server.maildir.path();
    fs::rename(root.join(".Renamed"), root.join(".Again")).unwrap();
    expect(
        &mut c,
        &["* LIST (\\HasNoChildren) \".\" Again (OLDNAME (Renamed))"],
    );
    // "the mailbox itself and its direct parent (whether it is an existing mailbox or not) are considered to be
    // affected."
    other.ok("CREATE Again.Below");
    expect(
        &mut c,
        &[
            "* LIST (\\HasNoChildren) \".\" Again.Below",
            "* LIST (\\HasChildren) \".\" Again",
        ],
    );
    fs::remove_dir_all(root.join(".Again.Below")).unwrap();
    expect(
        &mut c,
        &[
            "* LIST (\\NonExistent) \".\" Again.Below",
            "* LIST (\\HasNoChildren) \".\" Again",
        ],
    );
    c.check("NOOP", &[], "OK");
}

/// §5.2: "the server notifies the client by sending an unsolicited EXISTS response, followed by an unsolicited FETCH
/// response containing the information requested by the client." §5.1: "which MUST include UID and FLAGS".
#[test]
fn the_selected_mailbox() {
    let server = Server::start();
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
    // The number 1 is still the first message's.
    expect(&mut c, &["* 2 EXISTS"]);
    let reply = c.run("NOOP");
    assert!(
        reply.plain().contains(&"* 1 EXPUNGE".to_owned()),
        "{reply:?}"
    );
    c.check("UID SEARCH ALL", &["* SEARCH 2"], "OK");
}

/// §3.1, §5, §6.1.
#[test]
fn what_is_refused() {
    let server = Server::start();
    let mut c = server.client();
    for wrong in [
        "NOTIFY",
        "NOTIFY SET",
        "NOTIFY SET STATUS",
        "NOTIFY NONE now",
        "NOTIFY SET (personal (MessageNew))",
        "NOTIFY SET (personal (MessageExpunge))",
        "NOTIFY SET (personal (FlagChange))",
        "NOTIFY SET (selected (MailboxName))",
        "NOTIFY SET (selected NONE) (selected-delayed NONE)",
        "NOTIFY SET (personal (MessageNew (uid) MessageExpunge))",
    ] {
        c.bad_strictly(wrong);
    }
    // "the server MUST refuse the command with a tagged NO response (not a BAD). This response SHOULD contain the
    // BADEVENT response code, which MUST list names of all events supported by the server."
    let outcome = c.outcome("NOTIFY SET (personal (NoSuchEvent))");
    assert!(
        outcome.starts_with("NO [BADEVENT (MessageNew "),
        "{outcome}"
    );
    if server.kind == Kind::Culver {
        server.connect().bad("NOTIFY NONE");
    }
}

/// §3.1: "the server MAY refuse the command with a tagged NO [NOTIFICATIONOVERFLOW] response." §5.8: "It MUST notify these
/// clients by sending an untagged "OK [NOTIFICATIONOVERFLOW]" response and behave as if a NOTIFY NONE command had just
/// been received."
#[test]
fn too_much() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let root = server.maildir.path();
    let make = |name: String| {
        fs::create_dir(root.join(&name)).unwrap();
        own(&root.join(&name));
    };
    let mut c = server.client();
    c.ok("NOTIFY SET (personal (MailboxName))");
    let (most, _) = limits::stated("names that change before a session under NOTIFY can tell");
    // A command has begun: nothing can be told.
    c.send(b"x NO");
    (0..=most).for_each(|number| make(format!(".c{number}")));
    let mut other = server.client();
    other.ok("NOTIFY SET (personal (MailboxName))");
    c.send(b"OP\r\n");
    let reply = c.until_tagged("x");
    assert_eq!(reply.plain(), ["* OK [NOTIFICATIONOVERFLOW]"]);
    make(".after".to_owned());
    c.check("NOOP", &[], "OK");

    let (most, _) = limits::stated("mailboxes under NOTIFY");
    // INBOX and those made before count too.
    let there = c.ok("LIST \"\" *").len();
    (there..=most).for_each(|number| make(format!(".m{number}")));
    let all = "NOTIFY SET (personal (MessageNew MessageExpunge))";
    assert_eq!(c.outcome(all), "NO [NOTIFICATIONOVERFLOW]");
    c.ok("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))");
}
