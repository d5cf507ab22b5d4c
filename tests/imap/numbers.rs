//! UIDs and sequence numbers (RFC 3501 §2.3.1, RFC 9051 §2.3.1).

use std::sync::Arc;

use super::select::validity;
use crate::harness::{Client, Maildir, Server, message, wait_until};

/// UIDNEXT and the number of messages, by STATUS.
#[track_caller]
fn next(c: &mut Client, mailbox: &str) -> u32 {
    let line = c.ok(&format!("STATUS {mailbox} (UIDNEXT)")).remove(0);
    line.split("UIDNEXT ")
        .nth(1)
        .unwrap()
        .trim_end_matches(')')
        .parse()
        .unwrap()
}

/// "Unique identifiers are assigned in a strictly ascending fashion in the mailbox; as each message is added to the
/// mailbox it is assigned a higher UID than the message(s) which were added previously." However it is added.
#[test]
fn uids_ascend() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    c.append("box", "", &message("one"));
    c.ok("SELECT box");
    assert_eq!(c.append("INBOX", "", &message("appended")), 1);
    c.ok("COPY 1 INBOX");
    server.maildir.deliver("INBOX", &message("delivered"));
    wait_until("the delivery", || next(&mut c, "INBOX") == 4);
    c.ok("MOVE 1 INBOX");
    assert_eq!(c.append("INBOX", "", &message("appended")), 5);
    c.ok("SELECT INBOX");
    c.check("UID SEARCH ALL", &["* SEARCH 1 2 3 4 5"], "OK");
    c.check("SEARCH SUBJECT delivered", &["* SEARCH 3"], "OK");
}

/// "First, the next unique identifier value MUST NOT change unless new messages are added to the mailbox; and second, the
/// next unique identifier value MUST change whenever new messages are added to the mailbox, even if those new messages are
/// subsequently expunged."
#[test]
fn uidnext() {
    let server = Server::start();
    let maildir = server.maildir.clone();
    let mut c = server.client();
    assert_eq!(next(&mut c, "INBOX"), 1);
    for at in 1..=3 {
        c.append("INBOX", "", &message("x"));
        assert_eq!(next(&mut c, "INBOX"), at + 1);
    }
    c.ok("SELECT INBOX");
    for command in [
        "FETCH 1:* (FLAGS BODY[])",
        "STORE 1:* FLAGS (\\Deleted keyword)",
        "EXPUNGE",
        "NOOP",
        "CHECK",
        "CLOSE",
        "SUBSCRIBE INBOX",
    ] {
        c.ok(command);
        assert_eq!(next(&mut server.client(), "INBOX"), 4, "{command}");
    }
    c.append("INBOX", "(\\Deleted) ", &message("x"));
    c.ok("SELECT INBOX");
    c.ok("EXPUNGE");
    drop(c);
    server.stop();
    maildir.forget_caches();
    let server = Server::on(&maildir);
    assert_eq!(next(&mut server.client(), "INBOX"), 5);
}

/// "The unique identifier of a message MUST NOT change during the session, and SHOULD NOT change between sessions."
/// "Ideally, unique identifiers SHOULD persist at all times."
#[test]
fn uids_stay() {
    let maildir = Arc::new(Maildir::new());
    for at in 0..5 {
        let text = message(&format!("m{at}"));
        maildir.place("INBOX", "cur", &format!("{at}.x:2,"), text.as_bytes());
    }
    let server = Server::on(&maildir);
    let mut c = server.client();
    let told = validity(&c.ok("SELECT INBOX"));
    let by_subject = |c: &mut Client| -> Vec<Vec<String>> {
        (0..5)
            .map(|at| c.ok(&format!("UID SEARCH SUBJECT m{at}")))
            .collect()
    };
    let before = by_subject(&mut c);
    c.ok("STORE 1:5 FLAGS.SILENT (\\Seen \\Flagged)");
    maildir.reflag("INBOX", "3.x", "RS");
    // It may have been done in the same tick of the file system's clock as what the session did.
    wait_until("the flags", || {
        let told = c.ok("NOOP");
        told.iter().any(|line| line.starts_with("* 4 FETCH"))
    });
    assert_eq!(by_subject(&mut c), before, "during the session");
    drop(c);
    server.stop();
    let server = Server::on(&maildir);
    let mut c = server.client();
    assert_eq!(validity(&c.ok("SELECT INBOX")), told);
    assert_eq!(by_subject(&mut c), before, "between sessions");
}

/// "a 64-bit value that MUST NOT refer to any other message in the mailbox or any subsequent mailbox with the same name
/// forever". RFC 9051: "If the mailbox is deleted/renamed and a new mailbox with the same name is created at a later date,
/// the server must either keep track of unique identifiers from the previous instance of the mailbox or assign a new
/// UIDVALIDITY value to the new instance of the mailbox." "the unique identifier validity value MUST be greater than the one
/// used in the earlier session."
#[test]
fn a_new_mailbox_of_an_old_name() {
    let server = Server::start();
    let mut c = server.client();
    let mut before = 0;
    for end in [
        "DELETE box",
        "RENAME box other",
        "DELETE box",
        "RENAME box another",
    ] {
        c.ok("CREATE box");
        assert_eq!(c.append("box", "", &message("x")), 1);
        let now = validity(&c.ok("EXAMINE box"));
        assert!(now > before, "{before} then {now}");
        before = now;
        c.ok("UNSELECT");
        c.ok(end);
    }
}

/// RFC 9051: "if message 287 in a 523-message mailbox has UID 12345, there are exactly 286 messages that have lesser UIDs
/// and 236 messages that have greater UIDs." "This position MUST be ordered by ascending unique identifiers."
/// "Unique identifiers MUST be strictly ascending in the mailbox at all times."
#[test]
fn sequence_numbers_are_positions() {
    let maildir = Arc::new(Maildir::new());
    for at in 0..60 {
        maildir.place("INBOX", "cur", &format!("{at}.x:2,"), b"Subject: x\n\nx\n");
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.ok("UID STORE 1,5:9,20,31:39,60 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let lines = c.ok("FETCH 1:* UID");
    let uids: Vec<u32> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let uid = line
                .strip_prefix(&format!("* {} FETCH (UID ", at + 1))
                .unwrap();
            uid.trim_end_matches(')').parse().unwrap()
        })
        .collect();
    assert_eq!(uids.len(), 60 - 17);
    assert!(uids.is_sorted_by(|a, b| a < b), "{uids:?}");
    // "As each new message is added, it is assigned a message sequence number that is 1 higher than the number of
    // messages in the mailbox before that new message was added."
    let uid = c.append("INBOX", "", &message("new"));
    c.check("FETCH 44 UID", &[&format!("* 44 FETCH (UID {uid})")], "OK");
    // "if an untagged "11 EXISTS" is received, and previously an untagged "8 EXISTS" was received, three new messages have
    // arrived with message sequence numbers of 9, 10, and 11."
    let mut other = server.client();
    for _ in 0..3 {
        other.append("INBOX", "", &message("more"));
    }
    c.check("NOOP", &["* 47 EXISTS"], "OK");
    c.check("SEARCH SUBJECT more", &["* SEARCH 45 46 47"], "OK");
    // "when a message is permanently removed (expunged) from the mailbox, the message sequence number for all subsequent
    // messages is decremented." "Similarly, a new message can be assigned a message sequence number that was once held by
    // some other message prior to an expunge."
    c.ok("STORE 46 +FLAGS.SILENT (\\Deleted)");
    c.check("EXPUNGE", &["* 46 EXPUNGE"], "OK");
    let last = c.append("INBOX", "", &message("last"));
    c.check(
        "FETCH 46:47 UID",
        &[
            &format!("* 46 FETCH (UID {})", last - 1),
            &format!("* 47 FETCH (UID {last})"),
        ],
        "OK",
    );
}

/// "Any change of unique identifiers between sessions MUST be detectable using the UIDVALIDITY mechanism": where the file
/// that held them is gone, UIDs are others only under another UIDVALIDITY.
#[test]
fn lost_uids_are_detectable() {
    let server = Server::start();
    let maildir = server.maildir.clone();
    let mut c = server.client();
    for at in 0..4 {
        c.append("INBOX", "", &message(&format!("m{at}")));
    }
    let before = validity(&c.ok("SELECT INBOX"));
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    drop(c);
    server.stop();
    for entry in std::fs::read_dir(maildir.path()).unwrap() {
        let path = entry.unwrap().path();
        // The counter of the whole account stays: without it, only the time would tell the old from the new.
        let counter = path.to_string_lossy().contains("dovecot-uidvalidity");
        if path.is_file() && !counter {
            std::fs::remove_file(path).unwrap();
        }
    }
    let server = Server::on(&maildir);
    let mut c = server.client();
    let now = validity(&c.ok("SELECT INBOX"));
    let uids = c.ok("UID SEARCH ALL").remove(0);
    assert!(
        now > before || uids == "* SEARCH 2 3 4",
        "{before}, {now}: {uids}"
    );
    assert_eq!(uids.split(' ').count(), 5, "all three are there: {uids}");
}
