//! FETCH MODSEQ and CHANGEDSINCE (RFC 7162 §3.1.4, §3.2.4), also beside PARTIAL (RFC 9394 §3.4).

use super::{changed, check, filled, masked, modseq, number_behind, status, stored};
use crate::harness::{Kind, message};

/// §3.1.4.2, example 13.
#[test]
fn the_item() {
    let server = filled(3);
    let mut c = server.selected("INBOX");
    c.ok("ENABLE CONDSTORE");
    check(
        &mut c,
        "FETCH 1:3 (MODSEQ)",
        &[
            "* 1 FETCH (MODSEQ (#))",
            "* 2 FETCH (MODSEQ (#))",
            "* 3 FETCH (MODSEQ (#))",
        ],
        "OK",
    );
    check(
        &mut c,
        "UID FETCH 2 (modseq FLAGS)",
        &["* 2 FETCH (FLAGS () MODSEQ (#) UID 2)"],
        "OK",
    );
    // §3.2.4: "this rule doesn't affect untagged FETCH responses caused by a FETCH command that doesn't include UID and/or a
    // MODSEQ FETCH data item (and doesn't implicitly set the \Seen flag) or UID FETCH without the MODSEQ FETCH data item."
    check(&mut c, "FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"], "OK");
    check(
        &mut c,
        "UID FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS () UID 1)"],
        "OK",
    );
    let told = c.ok("FETCH 1 (MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    assert!(masked(&told[0]).contains("MODSEQ (#)"), "{told:?}");
}

/// §3.1.4.1, example 12: "The information described by message data items is only returned for messages that have a
/// mod-sequence bigger than <mod-sequence>. […] it implicitly adds the MODSEQ FETCH message data item".
#[test]
fn what_has_changed_since() {
    let server = filled(8);
    let mut c = server.selected("INBOX");
    let before = status(&mut c, "INBOX");
    c.ok("STORE 4 +FLAGS.SILENT (\\Seen)");
    let between = modseq(&mut c, 4);
    c.ok("STORE 6 +FLAGS.SILENT (\\Deleted)");
    c.ok("STORE 8 +FLAGS.SILENT ($NoJunk $MDNSent)");
    let all: [&str; 3] = [
        "* 4 FETCH (FLAGS (\\Seen) MODSEQ (#) UID 4)",
        "* 6 FETCH (FLAGS (\\Deleted) MODSEQ (#) UID 6)",
        "* 8 FETCH (FLAGS ($NoJunk $MDNSent) MODSEQ (#) UID 8)",
    ];
    let since = |command: &str, modseq: u64| format!("{command} (CHANGEDSINCE {modseq})");
    check(&mut c, &since("UID FETCH 1:* (FLAGS)", before), &all, "OK");
    check(
        &mut c,
        &since("UID FETCH 1:* (FLAGS MODSEQ)", between),
        &all[1..],
        "OK",
    );
    check(
        &mut c,
        &since("FETCH 5:7 (UID FLAGS)", before),
        &all[1..2],
        "OK",
    );
    let last = status(&mut c, "INBOX");
    check(&mut c, &since("FETCH 1:* FLAGS", last), &[], "OK");
    // One that was never given is another server's, or one of a history that is lost: all may have changed since.
    for modseq in [last + 1, i64::MAX as u64] {
        let told = c.ok(&since("FETCH 1:* FLAGS", modseq));
        assert_eq!(told.len(), server.either(8, 0), "{told:?}");
    }
    let everything = c.ok(&since("FETCH 1:8 (FLAGS)", 1));
    assert!(everything.len() >= 3, "{everything:?}");
    check(
        &mut c,
        &since("FETCH 4 UID", before),
        &["* 4 FETCH (MODSEQ (#) UID 4)"],
        "OK",
    );
    // Of what was saved.
    c.ok("SEARCH RETURN (SAVE) 5:6");
    check(
        &mut c,
        &since("UID FETCH $ FLAGS", before),
        &all[1..2],
        "OK",
    );
    for wrong in [
        "(CHANGEDSINCE 0)",
        "(CHANGEDSINCE)",
        "(CHANGEDSINCE x)",
        "(CHANGEDSINCE 9223372036854775808)",
        "(CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "(UNCHANGEDSINCE 1)",
        "CHANGEDSINCE 1",
        "()",
    ] {
        c.bad_strictly(&format!("FETCH 1 FLAGS {wrong}"));
        c.ok("NOOP");
    }
}

/// RFC 9394 §3.4: "first select the last 30 messages and then only return flag changes for a subset of those messages that
/// have MODSEQ higher"; "the order of PARTIAL and CHANGEDSINCE FETCH modifiers in the UID FETCH command is not important".
#[test]
fn some_by_position() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let server = filled(8);
    let mut c = server.selected("INBOX");
    let before = status(&mut c, "INBOX");
    c.ok("STORE 2,7 +FLAGS.SILENT (\\Flagged)");
    for modifiers in [
        format!("(PARTIAL -1:-3 CHANGEDSINCE {before})"),
        format!("(CHANGEDSINCE {before} PARTIAL -1:-3)"),
    ] {
        check(
            &mut c,
            &format!("UID FETCH 1:8 (UID FLAGS) {modifiers}"),
            &["* 7 FETCH (FLAGS (\\Flagged) MODSEQ (#) UID 7)"],
            "OK",
        );
    }
}

/// §3.1.4.2, example 14: what other sessions of the user hear. (All flags are shared here.)
#[test]
fn what_others_hear() {
    let server = filled(7);
    let [mut one, mut two] = [(); 2].map(|()| {
        let mut c = server.client();
        c.ok("SELECT INBOX (CONDSTORE)");
        c
    });
    let mut plain = server.selected("INBOX");
    one.ok("STORE 7 +FLAGS.SILENT (\\Answered)");
    two.ok("NOOP");
    plain.ok("NOOP");
    let mut heard = Vec::new();
    for (command, flags) in [
        ("STORE 7 +FLAGS.SILENT (\\Deleted)", "\\Answered \\Deleted"),
        (
            "STORE 7 +FLAGS.SILENT (\\Seen)",
            "\\Answered \\Deleted \\Seen",
        ),
        ("STORE 7 -FLAGS.SILENT (\\Answered \\Seen)", "\\Deleted"),
    ] {
        let told = one.ok(command);
        assert_eq!(masked(&told[0]), stored(&server, 7), "{command}");
        let modseq = number_behind(&told, "MODSEQ (");
        let told = two.ok("NOOP");
        assert_eq!(masked(&told[0]), changed(&server, 7, flags));
        assert_eq!(number_behind(&told[..1], "MODSEQ ("), modseq);
        let fetch = format!("* 7 FETCH (FLAGS ({flags}))");
        plain.check("NOOP", &[&fetch], "OK");
        heard.push(modseq);
    }
    assert!(heard.is_sorted(), "{heard:?}");
    // In IDLE too.
    let mut idle = plain.idle();
    one.ok("STORE 7 FLAGS ()");
    idle.expect(&["* 7 FETCH (FLAGS ())"]);
    idle.done(&[]);
    let told = two.ok("NOOP");
    assert_eq!(masked(&told[0]), changed(&server, 7, ""));
}

/// A session hears nothing of the FLAGS of its own silent STORE, but of others' changes all the same.
#[test]
fn silent_stores() {
    let server = filled(3);
    let mut other = server.selected("INBOX");
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    other.ok("STORE 3 +FLAGS (\\Draft)");
    let told = c.ok("STORE 1:2 +FLAGS.SILENT (\\Seen)");
    let mut told: Vec<String> = told.iter().map(|line| masked(line)).collect();
    told.sort();
    assert_eq!(
        told,
        [
            changed(&server, 1, "\\Flagged \\Seen"),
            stored(&server, 2),
            changed(&server, 3, "\\Draft"),
        ]
    );
    check(&mut c, "NOOP", &[], "OK");
    // A change and its opposite: the flags are as before, the mod-sequence is not.
    let before = modseq(&mut c, 2);
    other.ok("STORE 2 -FLAGS (\\Seen)");
    other.ok("STORE 2 +FLAGS (\\Seen)");
    let told = c.ok("NOOP");
    if server.either(true, false) {
        assert_eq!(masked(&told[0]), changed(&server, 2, "\\Seen"));
        assert!(number_behind(&told, "MODSEQ (") > before);
    }
}

/// §3.2.4: "a FETCH/UID FETCH that implicitly set the \Seen flag" tells mod-sequence and UID.
#[test]
fn a_fetch_that_sets_seen() {
    let server = filled(4);
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    c.ok("SELECT INBOX");
    let text = format!("{{{}}}\r\n{}", message("number1").len(), message("number1"));
    let told = c.ok("FETCH 1 BODY[]");
    let wanted = format!("* 1 FETCH (BODY[] {text} FLAGS (\\Seen) MODSEQ (#) UID 1)");
    let dovecots = told.len() == 2; // the flags in a response of their own
    if server.either(true, false) {
        assert_eq!(masked(&told[0]), wanted);
    } else {
        assert!(
            told.iter().any(|line| line.contains("MODSEQ (")),
            "{told:?} {dovecots}"
        );
    }
    assert_eq!(modseq(&mut c, 1), status(&mut c, "INBOX"));
    // Seen already: what was asked for.
    let told = c.ok("FETCH 1 BODY[]");
    assert_eq!(told, [format!("* 1 FETCH (BODY[] {text})")]);
    if server.either(false, true) {
        return;
    }
    let told = c.ok("UID FETCH 2 (FLAGS RFC822.TEXT MODSEQ)");
    assert_eq!(
        masked(&told[0]),
        "* 2 FETCH (FLAGS (\\Seen) MODSEQ (#) RFC822.TEXT {8}\r\nHello.\r\n UID 2)"
    );
    // Others hear it too.
    let mut other = server.client();
    other.ok("SELECT INBOX (CONDSTORE)");
    c.ok("FETCH 3:4 BODY[TEXT]");
    check(
        &mut other,
        "NOOP",
        &[
            &changed(&server, 3, "\\Seen"),
            &changed(&server, 4, "\\Seen"),
        ],
        "OK",
    );
}
