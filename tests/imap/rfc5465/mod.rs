//! NOTIFY (RFC 5465): what happens in other mailboxes, and in the selected one without a command.
//!
//! Dovecot hears what happens in mailboxes that nobody has selected only where it was itself that did it, half a second
//! or more later and several things at once; so other programs' changes are Culver's alone, and only the last state is
//! compared where Dovecot runs. Where it departs from the RFC, the test says so.

mod names;
mod selected;

use std::collections::BTreeMap;
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

/// A STATUS response: the mailbox and its numbers.
#[track_caller]
fn numbers(line: &str) -> (String, BTreeMap<String, u64>) {
    let rest = line.strip_prefix("* STATUS ").unwrap();
    let (name, items) = rest.split_once(" (").unwrap();
    let items: Vec<&str> = items.strip_suffix(')').unwrap().split(' ').collect();
    let pair = |pair: &[&str]| (pair[0].to_owned(), pair[1].parse().unwrap());
    (name.to_owned(), items.chunks(2).map(pair).collect())
}

/// Waits for the STATUS that has these items. Culver tells each state, and nothing else; Dovecot may pass over some.
#[track_caller]
fn told(c: &mut Client, server: &Server, name: &str, wanted: &[(&str, u64)]) {
    loop {
        let line = String::from_utf8(c.line()).unwrap();
        let (of, items) = numbers(&line);
        let has = |(item, value): &(&str, u64)| items.get(*item) == Some(value);
        let is_it = of == name && wanted.iter().all(has);
        if is_it && (server.kind == Kind::Dovecot || items.len() == wanted.len()) {
            return;
        }
        assert_eq!(server.kind, Kind::Dovecot, "{line}, not {wanted:?}");
    }
}

/// §3.1: "The NOTIFY command informs the server that the client listens for event notifications all the time (even when
/// no command is in progress)".
#[test]
fn other_mailboxes_between_commands() {
    let server = Server::start();
    let mut other = server.client();
    other.ok("CREATE Lists");
    other.ok("CREATE misc");
    let mut c = server.selected("INBOX");
    let set =
        "NOTIFY SET STATUS (mailboxes (Lists misc nosuch) (MessageNew MessageExpunge FlagChange))";
    let mut lines = c.ok(set);
    // "If the name does not refer to an existing mailbox, the server MUST ignore it."
    lines.retain(|line| line.starts_with("* STATUS"));
    lines.sort();
    let mut told_of = Vec::new();
    for line in &lines {
        // "If MessageNew is enabled, the STATUS response MUST contain MESSAGES, UIDNEXT, and UIDVALIDITY." With
        // FlagChange, "UIDVALIDITY and HIGHESTMODSEQ".
        let (name, items) = numbers(line);
        assert_eq!((items["MESSAGES"], items["UIDNEXT"]), (0, 1), "{line}");
        assert!(items["UIDVALIDITY"] > 0 && items["HIGHESTMODSEQ"] > 0);
        told_of.push(name);
    }
    assert_eq!(told_of, ["Lists", "misc"]);
    // §5.2: "the server sends an unsolicited STATUS (UIDNEXT MESSAGES) response for the relevant mailbox."
    other.append("Lists", "", &message("one"));
    let one = [("UIDNEXT", 2), ("MESSAGES", 1), ("UNSEEN", 1)];
    told(&mut c, &server, "Lists", &one);
    other.ok("SELECT Lists");
    other.ok("STORE 1 +FLAGS (\\Seen)");
    told(&mut c, &server, "Lists", &[("UNSEEN", 0)]);
    other.ok("STORE 1 +FLAGS (\\Deleted)");
    other.ok("CLOSE");
    let none = [("UIDNEXT", 2), ("MESSAGES", 0)];
    told(&mut c, &server, "Lists", &none);
    // §4: "while processing any IDLE command, the server MUST send exactly the same events".
    c.send(b"i IDLE\r\n");
    assert!(c.line().starts_with(b"+"));
    other.append("misc", "", &message("two"));
    told(&mut c, &server, "misc", &one);
    c.send(b"DONE\r\n");
    c.until_tagged("i");
    // INBOX is not asked for.
    other.append("INBOX", "", &message("three"));
    c.check("NOOP", &[], "OK");
    // "e notify set […] S: e OK done": without STATUS nothing is told of what there is.
    // What has happened in INBOX is told now, but for Dovecot.
    let news = server.either(&["* 1 EXISTS", "* 1 RECENT"][..], &[]);
    c.check(&set.replace(" STATUS", ""), news, "OK");
    // NONE ends all of it.
    c.ok("NOTIFY NONE");
    other.append("misc", "", &message("four"));
    c.check("NOOP", &[], "OK");
}

/// The same of other programs: an MTA delivers where nobody has anything open, flags are changed and messages removed.
#[test]
fn foreign_hands() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    c.ok("CREATE Lists");
    c.ok("NOTIFY SET (mailboxes Lists (MessageNew MessageExpunge FlagChange))");
    let base = server.maildir.deliver("Lists", &message("one"));
    expect(&mut c, &["* STATUS Lists (UIDNEXT 2 MESSAGES 1 UNSEEN 1)"]);
    server.maildir.reflag("Lists", &base, "S");
    expect(&mut c, &["* STATUS Lists (UNSEEN 0)"]);
    server.maildir.remove("Lists", &base);
    expect(&mut c, &["* STATUS Lists (UIDNEXT 2 MESSAGES 0)"]);
    // §5.1: "the server MUST notify the client about mailbox UIDVALIDITY changes."
    let validity = |c: &mut Client| {
        let lines = c.ok("STATUS Lists (UIDVALIDITY)");
        numbers(&lines[0]).1["UIDVALIDITY"]
    };
    let before = validity(&mut c);
    let list = server.maildir.folder("Lists").join("dovecot-uidlist");
    let other = list.with_extension("other");
    let guid = "0123456789abcdef".repeat(2);
    fs::write(&other, format!("3 V{} N1 G{guid}\n", before + 7)).unwrap();
    own(&other);
    fs::rename(&other, &list).unwrap();
    server.maildir.deliver("Lists", &message("two"));
    let line = String::from_utf8(c.line()).unwrap();
    let (name, items) = numbers(&line);
    assert_eq!((&*name, items["MESSAGES"]), ("Lists", 1), "{line}");
    assert!(items["UIDVALIDITY"] > before, "{line}");
    assert_eq!(validity(&mut c), items["UIDVALIDITY"]);
}

/// §5.1, §5.2, §5.3: with CONDSTORE or QRESYNC "the HIGHESTMODSEQ status data item MUST be included in the STATUS
/// response", and "at least HIGHESTMODSEQ and UIDVALIDITY" where flags have changed.
#[test]
fn modseqs() {
    let server = Server::start();
    let mut other = server.client();
    other.ok("CREATE Lists");
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    c.ok("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))");
    // Dovecot leaves UIDVALIDITY out.
    let of_flags: &[&str] = server.either(&["UIDVALIDITY"], &[]);
    let mut before = 0;
    let mut step = |c: &mut Client, items: &[&str]| {
        let line = String::from_utf8(c.line()).unwrap();
        let (name, told) = numbers(&line);
        assert_eq!(name, "Lists");
        for item in items {
            assert!(told.contains_key(*item), "{line} lacks {item}");
        }
        assert!(told["HIGHESTMODSEQ"] > before, "{line}");
        before = told["HIGHESTMODSEQ"];
    };
    other.append("Lists", "", &message("one"));
    step(&mut c, &["UIDNEXT", "MESSAGES"]);
    other.ok("SELECT Lists");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    step(&mut c, of_flags);
    other.ok("STORE 1 +FLAGS (\\Deleted)");
    step(&mut c, of_flags);
    other.ok("EXPUNGE");
    step(&mut c, &["UIDNEXT", "MESSAGES"]);
}

/// §5: "The server SHOULD omit notifying the client if the event is caused by this client." Dovecot tells of them.
#[test]
fn own_changes_are_not_told() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
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

/// §6: which mailboxes.
#[test]
fn which_mailboxes() {
    let server = Server::start();
    let mut other = server.client();
    for name in ["Lists", "Lists.a", "Lists.a.b", "Listserv", "wild"] {
        other.ok(&format!("CREATE {name}"));
    }
    other.ok("SUBSCRIBE Listserv");
    let of = |filter: &str| {
        let mut c = server.client();
        let set = format!("NOTIFY SET STATUS ({filter} (MessageNew MessageExpunge))");
        let mut lines = c.ok(&set);
        lines.retain(|line| line.starts_with("* STATUS"));
        let mut names: Vec<String> = lines.iter().map(|line| numbers(line).0).collect();
        names.sort();
        names.join(" ")
    };
    let all = "INBOX Lists Lists.a Lists.a.b Listserv wild";
    // "If the IMAP server cannot easily compute this set, it MUST treat "inboxes" as equivalent to "personal"."
    for filter in ["personal", "PERSONAL", "inboxes"] {
        assert_eq!(of(filter), all);
    }
    assert_eq!(of("subscribed"), "Listserv");
    // "a subtree refers to all selectable mailboxes that are subordinate to the specified mailbox plus the specified
    // mailbox itself."
    assert_eq!(of("subtree Lists"), "Lists Lists.a Lists.a.b");
    assert_eq!(of("subtree (Lists.a wild)"), "Lists.a Lists.a.b wild");
    // "The server MUST NOT do a wildcard expansion."
    assert_eq!(of("mailboxes (\"Lists*\" wild)"), "wild");
    assert_eq!(of("mailboxes inbox"), "INBOX");
    // §6.4: "If the subscription list changes, the server MUST reevaluate the list."
    let mut c = server.client();
    c.ok("NOTIFY SET (subscribed (MessageNew MessageExpunge)) (personal (SubscriptionChange))");
    other.append("wild", "", &message("one"));
    c.check("NOOP", &[], "OK");
    if server.kind == Kind::Dovecot {
        // It reads the list when NOTIFY is given, and not again.
        return;
    }
    other.ok("SUBSCRIBE wild");
    expect(
        &mut c,
        &["* LIST (\\Subscribed \\HasNoChildren) \".\" wild"],
    );
    // A mailbox that is wanted only now: what is in it is no news, what comes is.
    other.append("wild", "", &message("two"));
    told(&mut c, &server, "wild", &[("UIDNEXT", 3), ("MESSAGES", 2)]);
    other.ok("UNSUBSCRIBE wild");
    expect(&mut c, &["* LIST (\\HasNoChildren) \".\" wild"]);
    other.append("wild", "", &message("three"));
    other.append("Listserv", "", &message("four"));
    let one = [("UIDNEXT", 2), ("MESSAGES", 1)];
    told(&mut c, &server, "Listserv", &one);
    c.check("NOOP", &[], "OK");
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
    if server.kind == Kind::Dovecot {
        // BAD.
        return;
    }
    for events in ["NoSuchEvent", "MessageNew MessageExpunge AnnotationChange"] {
        let outcome = c.outcome(&format!("NOTIFY SET (personal ({events}))"));
        assert!(
            outcome.starts_with("NO [BADEVENT (MessageNew "),
            "{outcome}"
        );
    }
    server.connect().bad("NOTIFY NONE");
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

    drop(other);
    let (most, _) = limits::stated("mailboxes under NOTIFY");
    // INBOX and those made before count too.
    let there = c.ok("LIST \"\" *").len();
    (there..=most).for_each(|number| make(format!(".m{number}")));
    let all = "NOTIFY SET (personal (MessageNew MessageExpunge))";
    assert_eq!(c.outcome(all), "NO [NOTIFICATIONOVERFLOW]");
    c.ok("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))");
}
