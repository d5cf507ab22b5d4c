//! VANISHED instead of EXPUNGE, and HIGHESTMODSEQ with it (RFC 7162 §3.2.7 to §3.2.10, §6; RFC 6851 §4.4, RFC 8508 §4.5).

use std::sync::Arc;

use super::{check, filled, heard, highest, masked, modseq, number_behind, status};
use crate::harness::{Client, Server, message, wait_until};

/// A client that has enabled QRESYNC.
fn resyncing(server: &Server) -> Client {
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    c.ok("SELECT INBOX");
    c
}

/// §3.2.7, §3.2.9, §3.2.10.2: "the server MUST use the VANISHED response without the EARLIER tag instead of the EXPUNGE
/// response". "If at least one message got expunged and QRESYNC was enabled, the server MUST send the updated per-mailbox
/// modification sequence using the HIGHESTMODSEQ response code […] in the tagged OK response."
#[test]
fn expunge_and_uid_expunge() {
    let server = filled(11);
    let mut c = resyncing(&server);
    let mut plain = server.selected("INBOX");
    c.ok("STORE 3,4,7,11 +FLAGS.SILENT (\\Deleted)");
    let before = status(&mut c, "INBOX");
    let reply = c.run("EXPUNGE");
    assert_eq!(reply.plain(), ["* VANISHED 3:4,7,11"], "{reply:?}");
    let after = highest(&[reply.outcome()]);
    assert!(after > before);
    assert_eq!(status(&mut c, "INBOX"), after);
    // "it is not necessary for the server to send an EXISTS response to report the new message count."
    check(&mut c, "NOOP", &[], "OK");
    check(&mut c, "EXPUNGE", &[], "OK");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4 5 6 7"], "OK");
    // "(Continuing from the previous example.)"
    c.ok("UID STORE 2,5,8 +FLAGS.SILENT (\\Deleted)");
    check(
        &mut c,
        "UID EXPUNGE 2:6",
        &["* VANISHED 2,5"],
        "OK [HIGHESTMODSEQ #]",
    );
    check(&mut c, "UID EXPUNGE 2:6", &[], "OK");
    check(&mut c, "UID EXPUNGE 100:200", &[], "OK");
    check(&mut c, "EXPUNGE", &["* VANISHED 8"], "OK [HIGHESTMODSEQ #]");
    // Who has not enabled it hears of numbers.
    let told = plain.ok("NOOP");
    let expunges = told.iter().filter(|line| line.ends_with(" EXPUNGE"));
    assert_eq!(expunges.count(), 7, "{told:?}");
    // Nor does CONDSTORE alone change that.
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    let reply = c.run("EXPUNGE");
    assert_eq!(reply.plain(), ["* 1 EXPUNGE"]);
    assert!(reply.tagged.starts_with("OK"));
}

/// §3.2.8: "No untagged EXPUNGE (or VANISHED) responses are sent." "The server MUST NOT send the updated per-mailbox modification
/// sequence using the HIGHESTMODSEQ response code".
#[test]
fn close() {
    let server = filled(3);
    let mut c = resyncing(&server);
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    let before = status(&mut c, "INBOX");
    let reply = c.run("CLOSE");
    assert_eq!((reply.plain().len(), &*reply.outcome()), (0, "OK"));
    assert!(status(&mut c, "INBOX") > before);
    c.ok("SELECT INBOX");
    c.check("UID SEARCH ALL", &["* SEARCH 1 3"], "OK");
}

/// RFC 6851 §4.4: "The same requirement applies to MOVE". RFC 8508 §4.5: REPLACE is "as if it were being removed with a UID
/// EXPUNGE command".
#[test]
fn move_and_replace() {
    let server = filled(6);
    let mut c = resyncing(&server);
    c.ok("CREATE box");
    let reply = c.run("UID MOVE 2,4:5 box");
    let lines = reply.plain();
    assert!(lines[0].starts_with("* OK [COPYUID "), "{reply:?}");
    assert_eq!(lines[1], "* VANISHED 2,4:5", "{reply:?}");
    // "in the tagged or untagged OK response"
    let told = [lines, vec![reply.outcome()]].concat();
    let after = highest(&told);
    assert_eq!(status(&mut c, "INBOX"), after);
    check(&mut c, "NOOP", &[], "OK");
    check(&mut c, "UID MOVE 2 box", &[], "OK");
    if server.either(false, true) {
        return;
    }
    let text = message("new");
    let reply = c.run(&format!("REPLACE 1 INBOX {{{}+}}\r\n{text}", text.len()));
    let lines = reply.plain();
    assert!(lines[0].starts_with("* OK [APPENDUID "), "{reply:?}");
    assert_eq!(
        lines[1..],
        ["* 4 EXISTS", "* 1 RECENT", "* VANISHED 1"],
        "{reply:?}"
    );
    assert_eq!(highest(&[reply.outcome()]), status(&mut c, "INBOX"));
    // To a mailbox elsewhere.
    let reply = c.run(&format!("UID REPLACE 3 box {{{}+}}\r\n{text}", text.len()));
    assert!(
        reply.plain().contains(&"* VANISHED 3".to_owned()),
        "{reply:?}"
    );
}

/// §3.2.10.2: "messages expunged in other connections", and by other programs; in IDLE too.
#[test]
fn by_others() {
    let server = filled(8);
    let mut c = resyncing(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 2,3 +FLAGS.SILENT (\\Deleted)");
    c.ok("NOOP");
    other.ok("EXPUNGE");
    let told = heard(&mut c, "NOOP");
    assert_eq!(told[0], "* VANISHED 2:3", "{told:?}");
    // An expunge has a mod-sequence that no FETCH shows: the client is told, so that it need not hear of it again.
    assert_eq!(highest(&told), status(&mut c, "INBOX"));
    server.maildir.remove("INBOX", "004.M1P1.host");
    crate::harness::wait_until("it is noticed", || {
        let told = c.ok("NOOP");
        assert!(told.is_empty() || told[0] == "* VANISHED 4", "{told:?}");
        !told.is_empty()
    });
    other.ok("NOOP");
    other.ok("UID STORE 6 +FLAGS.SILENT (\\Deleted)");
    c.ok("NOOP");
    let mut idle = c.idle();
    other.ok("EXPUNGE");
    idle.expect(&["* VANISHED 6"]);
    idle.done(&[]);
}

/// "This means that each UID listed in a VANISHED response results in the client decrementing the message count by one":
/// messages that it never heard of are not among them.
#[test]
fn only_what_the_client_knows() {
    let server = filled(3);
    let mut c = resyncing(&server);
    let mut other = server.selected("INBOX");
    other.append("INBOX", "(\\Deleted) ", &message("short"));
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let told = c.ok("NOOP");
    let vanished: Vec<&String> = told
        .iter()
        .filter(|line| line.starts_with("* VANISHED"))
        .collect();
    // Dovecot tells what came and went, EXISTS first.
    if server.either(true, false) {
        assert_eq!(vanished, ["* VANISHED 2"], "{told:?}");
        assert!(
            !told.iter().any(|line| line.ends_with(" EXISTS")),
            "{told:?}"
        );
    }
    c.check("SEARCH ALL", &["* SEARCH 1 2"], "OK");
}

/// "A VANISHED response MUST NOT be sent when no command is in progress, nor while responding to a FETCH, STORE, or SEARCH
/// command. […] the VANISHED response MUST NOT be sent during a UID SEARCH command that contains message numbers in the search
/// criteria."
#[test]
fn when_it_may_not_be_sent() {
    let server = filled(20);
    let mut c = resyncing(&server);
    let mut other = server.selected("INBOX");
    let mut left: Vec<u32> = (1..=20).collect();
    for (command, permitted) in [
        ("FETCH 1 FLAGS", false),
        ("STORE 1 +FLAGS.SILENT (\\Seen)", false),
        ("SEARCH ALL", false),
        ("SORT (DATE) UTF-8 ALL", false),
        ("UID SEARCH 1:3", false),
        ("UID SEARCH OR SEEN NOT (2 FLAGGED)", false),
        ("UID FETCH 1 FLAGS", true),
        ("UID STORE 1 +FLAGS.SILENT (\\Answered)", true),
        ("UID SEARCH UID 1", true),
        ("CHECK", true),
    ] {
        let gone = left.pop().unwrap();
        other.ok(&format!("UID STORE {gone} +FLAGS.SILENT (\\Deleted)"));
        c.ok("NOOP");
        other.ok("EXPUNGE");
        let vanished = format!("* VANISHED {gone}");
        let told = c.ok(command);
        // Dovecot also holds it back where it need not.
        if server.either(true, false) || !permitted {
            let dovecots = server.either(false, command.contains("NOT (2"));
            assert!(
                told.contains(&vanished) == permitted || dovecots,
                "{command}: {told:?}"
            );
        }
        let mut rest = told;
        rest.extend(c.ok("NOOP"));
        let times = rest.iter().filter(|line| **line == vanished).count();
        assert_eq!(times, 1, "{command}: {rest:?}");
    }
}

/// §3.2: "if the server sends MODSEQ FETCH data items while EXPUNGE (or VANISHED) replies with lower mod-sequences being delayed,
/// the server MUST send the HIGHESTMODSEQ response code with a lower value than the EXPUNGE's mod-sequence." The example is
/// that of §6.
#[test]
fn highestmodseq_while_it_is_delayed() {
    let server = filled(9);
    let mut c = resyncing(&server);
    let mut other = server.selected("INBOX");
    let known = status(&mut c, "INBOX");
    other.ok("STORE 8 +FLAGS.SILENT (\\Deleted)");
    c.ok("NOOP");
    let deleted = modseq(&mut c, 8);
    other.ok("EXPUNGE");
    let expunged = status(&mut other, "INBOX");
    // FETCH responses with higher ones …
    let told = heard(&mut c, "STORE 1:2 +FLAGS.SILENT (\\Seen)");
    let shown = number_behind(&told[..1], "MODSEQ (");
    assert!(shown > expunged, "{told:?}");
    // … and a lower one for HIGHESTMODSEQ.
    let lower = highest(&told);
    assert!((known..expunged).contains(&lower), "{told:?}");
    assert!(
        lower >= deleted,
        "nothing is told again needlessly: {told:?}"
    );
    assert!(!told.iter().any(|line| line.starts_with("* VANISHED")));
    // "Still delaying VANISHED"
    let told = heard(&mut c, "STORE 3 +FLAGS.SILENT (\\Seen)");
    assert!(highest(&told) < expunged, "{told:?}");
    let told = heard(&mut c, "FETCH 3 (MODSEQ)");
    assert!(highest(&told) < expunged, "{told:?}");
    // Where none is shown, none need be.
    let told = c.ok("FETCH 3 FLAGS");
    assert_eq!(told.len(), 1, "{told:?}");
    let told = heard(&mut c, "NOOP");
    assert_eq!(told[0], "* VANISHED 8", "{told:?}");
    assert_eq!(highest(&told), status(&mut server.client(), "INBOX"));
    check(&mut c, "NOOP", &[], "OK");
}

/// A client that hears of mod-sequences, but not of VANISHED, is as safe.
#[test]
fn for_condstore_alone() {
    let server = filled(4);
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let mut other = server.selected("INBOX");
    other.ok("STORE 4 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let expunged = status(&mut other, "INBOX");
    let told = c.ok("STORE 1 +FLAGS.SILENT (\\Seen)");
    assert!(highest(&told) < expunged, "{told:?}");
    check(&mut c, "NOOP", &["* 4 EXPUNGE"], "OK");
}

/// What has come, and what nobody sees, raises HIGHESTMODSEQ too.
#[test]
fn highestmodseq_that_no_fetch_shows() {
    let server = filled(2);
    let mut c = resyncing(&server);
    let mut other = server.selected("INBOX");
    other.append("INBOX", "", &message("three"));
    let told = heard(&mut c, "NOOP");
    assert_eq!(told[0], "* 3 EXISTS", "{told:?}");
    assert_eq!(highest(&told), status(&mut server.client(), "INBOX"));
    // With a FETCH the client knows.
    other.ok("STORE 1 +FLAGS.SILENT (\\Seen)");
    let told = c.ok("NOOP");
    let told: Vec<String> = told.iter().map(|line| masked(line)).collect();
    assert_eq!(told, ["* 1 FETCH (FLAGS (\\Seen) MODSEQ (#) UID 1)"]);
}

/// A UID that was told as vanished names no message ever again, though its file comes back while no server runs, under the
/// name that the uidlist still has.
#[test]
fn what_comes_back_while_nobody_looks_has_a_new_uid() {
    let server = filled(3);
    if server.either(false, true) {
        return; // One that is killed has not always written what it told.
    }
    let maildir = Arc::clone(&server.maildir);
    server.stop();
    for killed in [false, true] {
        let own = Server::on(&maildir);
        let mut c = own.client();
        c.ok("ENABLE QRESYNC");
        c.ok("SELECT INBOX");
        let uid = number_behind(&c.ok("FETCH 1 UID"), "UID ");
        let name = maildir.files("INBOX").remove(usize::from(killed));
        let (path, away) = (maildir.path().join(&name), maildir.home().join("away"));
        std::fs::rename(&path, &away).unwrap();
        let gone = format!("* VANISHED {uid}");
        wait_until("the news", || c.ok("NOOP").contains(&gone));
        let next = number_behind(&c.ok("STATUS INBOX (UIDNEXT)"), "UIDNEXT ");
        match killed {
            true => own.kill(),
            false => own.stop(),
        }
        std::fs::rename(&away, &path).unwrap();
        let own = Server::on(&maildir);
        let mut c = own.client();
        c.ok("SELECT INBOX");
        let told = c.ok("UID SEARCH ALL");
        let uids: Vec<u64> = told[0]
            .split(' ')
            .filter_map(|one| one.parse().ok())
            .collect();
        assert_eq!(uids.len(), 3, "{told:?}");
        assert_eq!(uids[2], next, "{told:?}");
        assert!(!uids.contains(&uid), "{told:?}");
        // The old record is gone, for who reads the file next.
        let list = std::fs::read_to_string(maildir.path().join("dovecot-uidlist")).unwrap();
        assert_eq!(list.lines().count(), 4, "{list}");
    }
}
