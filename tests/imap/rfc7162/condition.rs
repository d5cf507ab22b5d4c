//! STORE with UNCHANGEDSINCE (RFC 7162 §3.1.3, §3.1.11, §3.1.12).

use super::{changed, check, filled, modseq, status, stored};
use crate::harness::Server;

/// Examples 3 to 5: all messages pass.
#[test]
fn messages_that_nobody_has_changed() {
    let server = filled(9);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let now = status(&mut c, "INBOX");
    // "An untagged FETCH response MUST be sent, even if the .SILENT suffix is specified, and the response MUST include the
    // MODSEQ message data item."
    check(
        &mut c,
        &format!("UID STORE 6,4,8 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Deleted)"),
        &[
            "* 4 FETCH (UID 4 MODSEQ (#))",
            "* 6 FETCH (UID 6 MODSEQ (#))",
            "* 8 FETCH (UID 8 MODSEQ (#))",
        ],
        "OK",
    );
    check(
        &mut c,
        &format!("STORE * (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Deleted $Processed)"),
        server.either(
            &[
                "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Processed)",
                "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Processed \\*)]",
                &stored(&server, 9),
            ],
            &[
                "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Processed)",
                "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Processed \\*)]",
                &stored(&server, 9),
            ],
        ),
        "OK",
    );
    // Not silent: FLAGS too.
    check(
        &mut c,
        &format!("STORE 1 (UNCHANGEDSINCE {now}) FLAGS (\\Seen)"),
        &[&changed(&server, 1, "\\Seen")],
        "OK",
    );
    c.check("SEARCH DELETED", &["* SEARCH 4 6 8 9"], "OK");
}

/// Examples 6 and 7: "The failure of the conditional STORE operation for any particular message or messages […] does not stop
/// the server from finding all messages that fail the UNCHANGEDSINCE test. All such messages are returned in the MODIFIED
/// response code." "the requested operation MUST NOT be performed. In this case, the mod-sequence attribute of the message
/// is not updated".
#[test]
fn messages_that_somebody_has_changed() {
    let server = filled(9);
    let mut other = server.selected("INBOX");
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let now = status(&mut c, "INBOX");
    other.ok("STORE 7 +FLAGS (\\Seen \\Flagged)");
    other.ok("STORE 9 +FLAGS (\\Answered \\Deleted)");
    other.ok("STORE 9 -FLAGS (\\Deleted)");
    other.ok("STORE 8 +FLAGS (\\Flagged)");
    // Of those that failed, the client is told why.
    check(
        &mut c,
        &format!("STORE 7,5,9 (UNCHANGEDSINCE {now}) FLAGS.SILENT (\\Draft)"),
        &[
            &stored(&server, 5),
            &changed(&server, 7, "\\Flagged \\Seen"),
            &changed(&server, 8, "\\Flagged"),
            &changed(&server, 9, "\\Answered"),
        ],
        "OK [MODIFIED 7,9]",
    );
    check(
        &mut c,
        "FETCH 5,7,9 FLAGS",
        &[
            "* 5 FETCH (FLAGS (\\Draft))",
            "* 7 FETCH (FLAGS (\\Flagged \\Seen))",
            "* 9 FETCH (FLAGS (\\Answered))",
        ],
        "OK",
    );
    // In the UID form, UIDs; here another message goes first, so that they differ.
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let (seventh, since) = (modseq(&mut c, 6), modseq(&mut c, 4));
    assert!(seventh > now);
    let reply = c.run(&format!(
        "UID STORE 5:9 (UNCHANGEDSINCE {now}) FLAGS (\\Draft)"
    ));
    assert_eq!(reply.outcome(), "OK [MODIFIED 5,7:9]");
    assert_eq!(modseq(&mut c, 6), seventh);
    // "If the required metadata items haven't changed, the client SHOULD retry the command with the new mod-sequence."
    let reply = c.run(&format!(
        "UID STORE 5,6 (UNCHANGEDSINCE {since}) FLAGS.SILENT ()"
    ));
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
}

/// Example 8: "Use of UNCHANGEDSINCE with a modification sequence of 0 always fails if the metadata item exists. A system
/// flag MUST always be considered existent, whether it was set or not."
#[test]
fn zero() {
    let server = filled(2);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    c.ok("STORE 2 +FLAGS.SILENT ($MDNSent)");
    for flag in ["$MDNSent", "\\Seen", "\\Deleted"] {
        for action in ["+FLAGS.SILENT", "-FLAGS", "FLAGS"] {
            let command = format!("STORE 2 (UNCHANGEDSINCE 0) {action} ({flag})");
            assert_eq!(c.outcome(&command), "OK [MODIFIED 2]", "{command}");
        }
    }
    check(
        &mut c,
        "FETCH 2 FLAGS",
        &["* 2 FETCH (FLAGS ($MDNSent))"],
        "OK",
    );
}

/// "a server implementation SHOULD avoid generating spurious MODIFIED responses for +FLAGS/-FLAGS STORE operations, even when
/// the server stores a single mod-sequence per message" (§3.1.3, §3.1.12; example 10's last case). Dovecot does not avoid it.
#[test]
fn another_flag_has_changed() {
    let server = filled(4);
    let mut other = server.selected("INBOX");
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let now = status(&mut c, "INBOX");
    other.ok("STORE 1:3 +FLAGS (\\Deleted \\Answered)");
    let spurious = server.either("OK", "OK [MODIFIED 1]");
    let reply = c.run(&format!(
        "STORE 1 (UNCHANGEDSINCE {now}) +FLAGS.SILENT ($Processed)"
    ));
    assert_eq!(reply.outcome(), spurious);
    if server.either(false, true) {
        return;
    }
    let lines = reply.plain();
    assert_eq!(
        super::masked(lines.last().unwrap()),
        changed(&server, 3, "\\Answered \\Deleted")
    );
    assert!(lines.iter().any(|line| {
        super::masked(line) == changed(&server, 1, "\\Answered \\Deleted $Processed")
    }));
    // "the optimization described in this section can't be performed in case of a conditional STORE FLAGS (without "+" or
    // "-") operation"; nor for the flags themselves, nor by a client that knows the messages as they are.
    for change in ["FLAGS.SILENT ($Processed)", "+FLAGS.SILENT (\\Deleted)"] {
        let command = format!("STORE 2 (UNCHANGEDSINCE {now}) {change}");
        assert_eq!(c.outcome(&command), "OK [MODIFIED 2]", "{command}");
    }
    let command = format!("STORE 3 (UNCHANGEDSINCE {now}) +FLAGS ($Processed)");
    assert_eq!(c.outcome(&command), "OK [MODIFIED 3]");
    let now = status(&mut c, "INBOX");
    let command = format!("STORE 3 (UNCHANGEDSINCE {now}) +FLAGS ($Processed)");
    assert_eq!(c.outcome(&command), "OK");
}

/// Example 11 "demonstrates that the MODIFIED response code MAY also be returned in the tagged NO response".
#[test]
fn some_are_expunged() {
    let server = filled(7);
    let mut other = server.selected("INBOX");
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let now = status(&mut c, "INBOX");
    other.ok("STORE 2 +FLAGS.SILENT (\\Flagged \\Answered)");
    other.ok("STORE 4:7 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let reply = c.run(&format!("STORE 1:7 (UNCHANGEDSINCE {now}) FLAGS (\\Seen)"));
    assert_eq!(
        reply.outcome(),
        server.either("NO [MODIFIED 2]", "OK [MODIFIED 2,4:7]"),
        "{reply:?}"
    );
    let lines: Vec<String> = reply
        .plain()
        .iter()
        .map(|line| super::masked(line))
        .collect();
    for number in [1, 3] {
        assert!(
            lines.contains(&changed(&server, number, "\\Seen")),
            "{lines:?}"
        );
    }
    assert!(!lines.iter().any(|line| line.contains("EXPUNGE")));
    let told = c.ok("NOOP");
    let expunges = told.iter().filter(|line| line.ends_with(" EXPUNGE"));
    assert_eq!(expunges.count(), 4, "{told:?}");
    let second = modseq(&mut c, 2);
    let command = format!("STORE 2 (UNCHANGEDSINCE {second}) +FLAGS (\\Seen)");
    check(
        &mut c,
        &command,
        &[&changed(&server, 2, "\\Answered \\Flagged \\Seen")],
        "OK",
    );
}

/// "If a message is specified multiple times in the message set, […] it MUST NOT fail the conditional STORE operation for the
/// second (or subsequent) occurrence of the message if the operation completed successfully for the first occurrence."
#[test]
fn a_message_named_twice() {
    let server = filled(9);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let now = status(&mut c, "INBOX");
    let command = format!("STORE 7,3:9,7 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Deleted)");
    assert_eq!(c.outcome(&command), "OK");
    c.check("SEARCH DELETED", &["* SEARCH 3 4 5 6 7 8 9"], "OK");
}

/// A STORE that changes nothing does not raise the mod-sequence (§3.1.11), and what is conditional is answered all the same.
#[test]
fn a_flag_that_is_set_already() {
    let server = filled(1);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    c.ok("STORE 1 +FLAGS (\\Seen)");
    let now = modseq(&mut c, 1);
    let command = format!("STORE 1 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Seen)");
    let told = c.ok(&command);
    if server.either(true, false) {
        assert_eq!(super::number_behind(&told, "MODSEQ ("), now);
    }
    assert_eq!(modseq(&mut c, 1), now);
    // Without a condition nothing is new.
    assert!(c.ok("STORE 1 +FLAGS.SILENT (\\Seen)").is_empty());
}

/// The test and the change are one: of several that change the same message, one wins each time. With Dovecot it may be two.
#[test]
fn one_of_many_wins() {
    let server = filled(1);
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 12; // More keywords than there are letters.
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut c = server.client();
            c.ok("SELECT INBOX (CONDSTORE)");
            c
        })
        .collect();
    for round in 0..ROUNDS {
        let now = status(&mut clients[0], "INBOX");
        let wins: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = clients
                .iter_mut()
                .enumerate()
                .map(|(at, c)| {
                    let command =
                        format!("STORE 1 (UNCHANGEDSINCE {now}) FLAGS.SILENT (r{round}c{at})");
                    scope.spawn(move || match &*c.outcome(&command) {
                        "OK" => 1,
                        "OK [MODIFIED 1]" => 0,
                        other => panic!("{other}"),
                    })
                })
                .collect();
            tries.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert!(
            wins == 1 || server.either(false, wins > 1),
            "{wins} in round {round}"
        );
    }
}

/// A change by another program, which nobody has noticed yet, counts too.
#[test]
fn changed_by_another_program() {
    let server: Server = filled(2);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let now = status(&mut c, "INBOX");
    server.maildir.reflag("INBOX", "001.M1P1.host", "S");
    let command = format!("STORE 1:2 (UNCHANGEDSINCE {now}) FLAGS.SILENT (\\Draft)");
    if server.either(false, true) {
        return; // It notices later.
    }
    assert_eq!(c.outcome(&command), "OK [MODIFIED 1]");
    check(
        &mut c,
        "FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (\\Seen))"],
        "OK",
    );
}

/// A keyword that no message gets, because none meets the condition, is none: there are but 26 letters.
#[test]
fn what_is_not_stored_uses_up_no_keyword() {
    let server = filled(1);
    if server.either(false, true) {
        return; // It has more of them.
    }
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    for number in 0..40 {
        let command = format!("STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (kw{number})");
        assert_eq!(c.outcome(&command), "OK [MODIFIED 1]");
    }
    c.ok("STORE 1 +FLAGS.SILENT (real)");
    check(&mut c, "FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (real))"], "OK");
    let keywords = server.maildir.folder("INBOX").join("dovecot-keywords");
    assert_eq!(std::fs::read_to_string(keywords).unwrap(), "0 real\n");
    let more = server.maildir.folder("INBOX").join("culver.keywords");
    assert!(!more.exists());
}

/// A mailbox that cannot be changed, and what is no condition.
#[test]
fn refused() {
    let server = filled(1);
    let mut c = server.client();
    c.ok("EXAMINE INBOX");
    c.no("STORE 1 (UNCHANGEDSINCE 5) +FLAGS (\\Seen)");
    c.ok("SELECT INBOX");
    for modifiers in [
        "()",
        "(UNCHANGEDSINCE)",
        "(UNCHANGEDSINCE x)",
        "(UNCHANGEDSINCE -1)",
        "(UNCHANGEDSINCE 9223372036854775808)",
        "(CHANGEDSINCE 5)",
        "(UNCHANGEDSINCE 5 UNCHANGEDSINCE 5)",
        "UNCHANGEDSINCE 5",
    ] {
        c.bad_strictly(&format!("STORE 1 {modifiers} +FLAGS (\\Seen)"));
    }
    if server.either(true, false) {
        c.check("SEARCH SEEN", &["* SEARCH"], "OK");
    }
}
