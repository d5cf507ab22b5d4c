//! UIDONLY (RFC 9586): once it is enabled no message has a number, in what the client says and in what it hears.
//! Dovecot does not have it.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::rfc4469::literal;
use super::select::validity;
use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// The code that a refusal has, and its kind.
const REQUIRED: &str = "BAD [UIDREQUIRED]";

/// An INBOX with five messages whose numbers are not their UIDs, selected after ENABLE UIDONLY.
fn mailbox() -> (Server, Client) {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    for number in 0..7 {
        c.append("INBOX", "", &message(&format!("{number}")));
    }
    c.ok("SELECT INBOX");
    c.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    c.ok("CLOSE");
    c.check("ENABLE UIDONLY", &["* ENABLED UIDONLY"], "OK");
    c.ok("SELECT INBOX");
    (server, c)
}

/// The first line of an answer's end: its kind and code.
fn refused(c: &mut Client, command: &str) {
    let outcome = c.outcome(command);
    assert!(outcome.starts_with(REQUIRED), "{command}: {outcome}");
}

/// "the client MUST NOT use message sequence numbers (including the special marker '*') in any arguments to IMAP commands,
/// and the server MUST return tagged BAD response".
#[test]
fn nobody_says_a_number() {
    let (_server, mut c) = mailbox();
    let twenty_bad_ones_end_the_session = 8;
    let refusals = [
        "FETCH 1 (FLAGS)",
        "FETCH * (FLAGS)",
        "FETCH $ (FLAGS)",
        "STORE 1:* +FLAGS (\\Seen)",
        "SEARCH ALL",
        "SEARCH UID 1",
        "SEARCH RETURN (SAVE) ALL",
        "COPY 1 INBOX",
        "MOVE 1 INBOX",
        "SORT (DATE) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "UID SEARCH 1:3",
        "UID SEARCH OR NOT (SEEN 2) DELETED",
        "UID SORT (DATE) UTF-8 *",
        "UID THREAD REFERENCES UTF-8 1",
        "ESEARCH IN (personal) 1:2",
    ];
    for (at, command) in refusals.into_iter().enumerate() {
        refused(&mut c, command);
        if at % twenty_bad_ones_end_the_session == 0 {
            c.ok("NOOP");
        }
    }
    refused(
        &mut c,
        &format!("REPLACE 1 INBOX {}", literal(&message("x"))),
    );
    c.check("UID SEARCH ALL", &["* SEARCH 3 4 5 6 7"], "OK");
}

/// What has UIDs alone goes on as before, and no FETCH, EXPUNGE or UNSEEN names a number.
#[test]
fn uids_alone_are_heard() {
    let (_server, mut c) = mailbox();
    let lines = c.ok("SELECT INBOX");
    assert!(lines.contains(&"* 5 EXISTS".to_owned()), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("UNSEEN")),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("[UIDNEXT 8]")),
        "{lines:?}"
    );
    // "UIDFETCH", and the UID as an item only where it is asked for.
    c.check(
        "UID FETCH 1:4 (FLAGS)",
        &["* 3 UIDFETCH (FLAGS ())", "* 4 UIDFETCH (FLAGS ())"],
        "OK",
    );
    c.check("UID FETCH 4 UID", &["* 4 UIDFETCH (UID 4)"], "OK");
    // Also where the answer sets \Seen.
    let lines = c.ok("UID FETCH 4 (BODY[TEXT])");
    assert_eq!(
        lines,
        ["* 4 UIDFETCH (BODY[TEXT] {8}\r\nHello.\r\n FLAGS (\\Seen))"]
    );
    c.check(
        "UID STORE 5,6 +FLAGS (\\Flagged)",
        &[
            "* 5 UIDFETCH (FLAGS (\\Flagged))",
            "* 6 UIDFETCH (FLAGS (\\Flagged))",
        ],
        "OK",
    );
    c.check("UID SEARCH RETURN (SAVE) FLAGGED", &[], "OK");
    c.check(
        "UID FETCH $ (UID)",
        &["* 5 UIDFETCH (UID 5)", "* 6 UIDFETCH (UID 6)"],
        "OK",
    );
    let tag = c.next_tag();
    c.check(
        "UID SORT RETURN (MIN MAX COUNT) (REVERSE DATE) UTF-8 UID 3:*",
        &[&format!(
            "* ESEARCH (TAG \"{tag}\") UID MIN 3 MAX 7 COUNT 5"
        )],
        "OK",
    );
    let lines = c.ok("UID COPY 7 INBOX");
    assert!(lines.contains(&"* 6 EXISTS".to_owned()), "{lines:?}");
    // "EXPUNGE" is "VANISHED", though QRESYNC is not enabled.
    c.ok("UID STORE 4,6 +FLAGS.SILENT (\\Deleted)");
    c.check("UID EXPUNGE 4", &["* VANISHED 4"], "OK");
    c.check("EXPUNGE", &["* VANISHED 6"], "OK");
    c.ok("CREATE Else");
    let lines = c.ok("UID MOVE 3 Else");
    assert!(lines.contains(&"* VANISHED 3".to_owned()), "{lines:?}");
    let lines = c.ok(&format!(
        "UID REPLACE 5 INBOX {}",
        literal(&message("newer"))
    ));
    assert!(lines.contains(&"* VANISHED 5".to_owned()), "{lines:?}");
    c.check("UID SEARCH ALL", &["* SEARCH 7 8 9"], "OK");
}

/// What others do, during NOOP and IDLE.
#[test]
fn what_others_do() {
    let (server, mut c) = mailbox();
    let mut other = server.selected("INBOX");
    other.ok("STORE 2 +FLAGS (\\Answered)");
    c.check("NOOP", &["* 4 UIDFETCH (FLAGS (\\Answered))"], "OK");
    other.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let lines = c.ok("NOOP");
    assert_eq!(lines.first().map(String::as_str), Some("* VANISHED 4:5"));
    let mut idle = c.idle();
    other.ok("STORE 1 +FLAGS (\\Deleted)");
    idle.expect(&["* 3 UIDFETCH (FLAGS (\\Deleted))"]);
    other.ok("EXPUNGE");
    idle.expect(&["* VANISHED 3"]);
    idle.done(&[]);
}

/// "when the UIDONLY extension is enabled", what NOTIFY tells of new messages is by UID too.
#[test]
fn with_notify() {
    let (server, mut c) = mailbox();
    c.ok("NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))");
    let mut other = server.client();
    other.append("INBOX", "(\\Seen) ", &message("new"));
    let told = loop {
        let line = String::from_utf8(c.line()).unwrap();
        if line.contains("FETCH") {
            break line;
        }
    };
    assert!(told.starts_with("* 8 UIDFETCH (FLAGS (\\Seen"), "{told}");
}

/// With CONDSTORE and QRESYNC everything is by UID, and sequence match data is not.
#[test]
fn with_mod_sequences() {
    let (server, mut c) = mailbox();
    let lines = c.ok("ENABLE QRESYNC");
    assert!(lines.iter().any(|line| line.contains("HIGHESTMODSEQ")));
    let lines = c.ok("SELECT INBOX");
    let validity = validity(&lines);
    let before = highest(&lines);
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS (\\Seen)");
    let lines = c.ok("NOOP");
    let now = highest_of_fetch(&lines[0]);
    assert_eq!(
        lines[0],
        format!("* 3 UIDFETCH (FLAGS (\\Seen) MODSEQ ({now}))")
    );
    let outcome = c.outcome(&format!(
        "UID STORE 3:4 (UNCHANGEDSINCE {before}) +FLAGS.SILENT (\\Flagged)"
    ));
    assert!(outcome.starts_with("OK [MODIFIED 3]"), "{outcome}");
    other.ok("STORE 5 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    c.ok("CLOSE");
    let lines = c.ok(&format!("SELECT INBOX (QRESYNC ({validity} {before} 1:7))"));
    assert!(
        lines.contains(&"* VANISHED (EARLIER) 7".to_owned()),
        "{lines:?}"
    );
    let changed: Vec<&String> = lines.iter().filter(|line| line.contains("FETCH")).collect();
    assert_eq!(changed.len(), 2, "{lines:?}");
    assert!(changed[0].starts_with("* 3 UIDFETCH (FLAGS (\\Seen) MODSEQ ("));
    let lines = c.ok(&format!(
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before} VANISHED)"
    ));
    assert_eq!(lines[0], "* VANISHED (EARLIER) 7");
    assert!(lines[1].starts_with("* 3 UIDFETCH (FLAGS (\\Seen) MODSEQ ("));
    refused(
        &mut c,
        &format!("SELECT INBOX (QRESYNC ({validity} {before} 1:7 (1 3)))"),
    );
    // Nothing was done: the mailbox is selected as it was.
    c.check("UID SEARCH UID 3", &["* SEARCH 3"], "OK");
}

/// UIDs that do not last name nothing: such a mailbox cannot be selected.
#[test]
fn where_uids_do_not_last() {
    let maildir = Arc::new(Maildir::new());
    let text = message("x");
    maildir.place("INBOX", "cur", "1700000000.M1.host:2,", text.as_bytes());
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(maildir.path(), permissions).unwrap();
    };
    let server = Setup::new(Kind::Culver).start(&maildir);
    mode(0o555);
    let mut c = server.client();
    c.ok("ENABLE UIDONLY");
    let outcome = c.outcome("SELECT INBOX");
    assert!(outcome.starts_with("NO [UIDNOTSTICKY]"), "{outcome}");
    mode(0o755);
}

fn highest(lines: &[String]) -> u64 {
    let line = lines.iter().find(|line| line.contains("HIGHESTMODSEQ"));
    let (_, number) = line.unwrap().split_once("HIGHESTMODSEQ ").unwrap();
    number.split(']').next().unwrap().parse().unwrap()
}

fn highest_of_fetch(line: &str) -> u64 {
    let (_, number) = line.split_once("MODSEQ (").unwrap();
    number.split(')').next().unwrap().parse().unwrap()
}
