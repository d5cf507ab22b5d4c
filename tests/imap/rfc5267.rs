//! ESORT and CONTEXT=SEARCH (RFC 5267). PARTIAL is RFC 9394's by now, and in its file.

use super::rfc4731::esearch;
use crate::harness::{Client, Server, message};

/// Six messages whose subjects sort as 6 2 1 3 4 5, and whose UIDs are higher by one.
fn prepared(server: &Server) -> Client {
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("gone"));
    for (at, subject) in ["banana", "apple", "cherry", "date", "elder", "abacus"]
        .iter()
        .enumerate()
    {
        let flags = if at % 3 == 1 { "(\\Flagged) " } else { "" };
        c.append("INBOX", flags, &message(subject));
    }
    c.ok("SELECT INBOX");
    c.ok("EXPUNGE");
    c
}

/// "The extended SORT command always returns results in the requested sort order, but is otherwise identical in its
/// behaviour to the extended SEARCH command […]. In particular, the extended SORT command returns results in an
/// ESEARCH response."
#[test]
fn sort_returns_what_is_asked_for() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (command, expected) in [
        // "Return all message numbers/UIDs which match the search criteria, in the requested sort order, using a
        // sequence-set."
        ("SORT RETURN (ALL) (SUBJECT) UTF-8 ALL", " ALL 6,2,1,3:5"),
        // "If the list of return options is present but empty, then the server provides the ALL return data item".
        // §3.2: "10:12 is equivalent to 12:10, and 10,11,12", so what falls is no range.
        (
            "SORT RETURN () (REVERSE SUBJECT) UTF-8 ALL",
            " ALL 5,4,3,1:2,6",
        ),
        (
            "UID SORT RETURN () (SUBJECT) UTF-8 ALL",
            " UID ALL 7,3,2,4:6",
        ),
        (
            "uid sort return (all) (reverse subject) utf-8 subject a unflagged",
            " UID ALL 5,2,7",
        ),
        // "the lowest sorted message satisfying the search criteria", "the highest sorted message".
        ("SORT RETURN (MIN MAX) (SUBJECT) UTF-8 ALL", " MIN 6 MAX 5"),
        (
            "SORT RETURN (MIN) (REVERSE SUBJECT) UTF-8 FLAGGED",
            " MIN 5",
        ),
        (
            "UID SORT RETURN (MAX) (SUBJECT) UTF-8 FLAGGED",
            " UID MAX 6",
        ),
        ("SORT RETURN (COUNT) (SUBJECT) UTF-8 FLAGGED", " COUNT 2"),
        (
            "SORT RETURN (MIN COUNT) (SUBJECT) UTF-8 ALL",
            " MIN 6 COUNT 6",
        ),
        (
            "SORT RETURN (MIN MAX ALL COUNT) (SUBJECT) UTF-8 DRAFT",
            " COUNT 0",
        ),
        ("UID SORT RETURN (ALL) (SUBJECT) UTF-8 DRAFT", " UID"),
    ] {
        esearch(&mut c, command, expected);
    }
    // "If this is missing, the server will return results as specified in [SORT]."
    c.check("SORT (SUBJECT) UTF-8 ALL", &["* SORT 6 2 1 3 4 5"], "OK");
    for command in [
        "SORT RETURN (SUBJECT) UTF-8 ALL",
        "SORT RETURN () UTF-8 ALL",
        "SORT RETURN (LEAST) (SUBJECT) UTF-8 ALL",
        "SORT (SUBJECT) RETURN () UTF-8 ALL",
        "SORT (SUBJECT) UTF-8 RETURN () ALL",
        "THREAD RETURN () REFS UTF-8 ALL",
    ] {
        c.bad_strictly(command);
    }
}

/// Of SORT too SAVE keeps what is found, or what is returned of it (RFC 5182 §2.4).
#[test]
fn sort_saves() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (command, expected) in [
        ("SORT RETURN (SAVE COUNT) (SUBJECT) UTF-8 FLAGGED", " 2 5"),
        ("UID SORT RETURN (SAVE ALL) (SUBJECT) UTF-8 1:3", " 1 2 3"),
        ("SORT RETURN (MIN SAVE) (SUBJECT) UTF-8 ALL", " 6"),
        ("SORT RETURN (MIN SAVE MAX) (SUBJECT) UTF-8 ALL", " 5 6"),
        ("SORT RETURN (SAVE) (SUBJECT) UTF-8 $", " 5 6"),
    ] {
        c.ok(command);
        let expected = format!("* SEARCH{expected}");
        c.check("SEARCH $", &[&expected], "OK");
    }
    c.check("SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL", &[], "OK");
    c.no("SORT RETURN (SAVE) (SUBJECT) X-NONE SUBJECT x");
    c.check("SEARCH $", &["* SEARCH"], "OK");
}

/// "Servers MAY ignore this return option". It asks for no result, so alone it is the empty list.
#[test]
fn context_is_a_hint() {
    let server = Server::start();
    let mut c = prepared(&server);
    esearch(&mut c, "SEARCH RETURN (CONTEXT COUNT) FLAGGED", " COUNT 2");
    esearch(&mut c, "SEARCH RETURN (CONTEXT) FLAGGED", " ALL 2,5");
    esearch(
        &mut c,
        "SORT RETURN (CONTEXT) (SUBJECT) UTF-8 FLAGGED",
        " ALL 2,5",
    );
    c.check("SEARCH RETURN (CONTEXT SAVE) FLAGGED", &[], "OK");
    c.check("SEARCH $", &["* SEARCH 2 5"], "OK");
}

/// Runs a SEARCH with UPDATE that is followed, and gives its tag.
#[track_caller]
fn follow(c: &mut Client, command: &str, expected: &str) -> String {
    let tag = c.next_tag();
    esearch(c, command, expected);
    tag
}

/// What a followed search is told.
fn change(tag: &str, what: &str) -> String {
    format!("* ESEARCH (TAG \"{tag}\") {what}")
}

/// The lines about followed searches, and of expunges and counts.
fn news(lines: Vec<String>) -> Vec<String> {
    let is_news = |line: &String| {
        ["* ESEARCH", "* NO"]
            .iter()
            .any(|start| line.starts_with(start))
            || [" EXPUNGE", " EXISTS"]
                .iter()
                .any(|end| line.ends_with(end))
    };
    lines.into_iter().filter(is_news).collect()
}

/// "The search return option UPDATE […] causes the server to issue unsolicited notifications containing updates to the
/// results that would be returned by an unmodified searching command."
#[test]
fn flags_move_messages_in_and_out() {
    let server = Server::start();
    let mut c = prepared(&server);
    let mut other = server.selected("INBOX");
    c.ok("STORE 1 +FLAGS ($Junk)");
    c.ok("STORE 1 -FLAGS ($Junk)");
    let flagged = follow(
        &mut c,
        "UID SEARCH RETURN (UPDATE COUNT) FLAGGED",
        " UID COUNT 2",
    );
    let unseen = follow(
        &mut c,
        "SEARCH RETURN (UPDATE MIN) UNSEEN SUBJECT a",
        " MIN 1",
    );
    let keyword = follow(&mut c, "SEARCH RETURN (UPDATE) NOT KEYWORD $Junk", "");

    // By another session.
    other.ok("STORE 1,3:4 +FLAGS.SILENT (\\Flagged)");
    other.ok("STORE 2 -FLAGS.SILENT (\\Flagged)");
    other.ok("STORE 4 +FLAGS.SILENT ($Junk)");
    other.ok("STORE 1 +FLAGS.SILENT (\\Seen)");
    let mut told = c.ok("NOOP");
    told.retain(|line| line.starts_with("* ESEARCH"));
    let expected = [
        [
            change(&flagged, "UID REMOVEFROM (0 3)"),
            change(&flagged, "UID ADDTO (0 2,4:5)"),
        ],
        [
            change(&flagged, "UID REMOVEFROM (0 3) ADDTO (0 2,4:5)"),
            String::new(),
        ],
    ];
    let rest = [
        change(&unseen, "REMOVEFROM (0 1)"),
        change(&keyword, "REMOVEFROM (0 4)"),
    ];
    // Both may be in one response, in the order in which they are to be done.
    let is_expected = expected.iter().any(|first| {
        let mut all: Vec<&String> = first.iter().filter(|line| !line.is_empty()).collect();
        all.extend(&rest);
        told.iter().collect::<Vec<_>>() == all
    });
    assert!(is_expected, "{told:#?}");

    // By this one, told or not.
    let own = news(c.ok("STORE 1 -FLAGS (\\Flagged \\Seen)"));
    assert_eq!(
        own,
        [
            change(&flagged, "UID REMOVEFROM (0 2)"),
            change(&unseen, "ADDTO (0 1)"),
        ]
    );
    let silent = c.ok("STORE 4 -FLAGS.SILENT ($Junk)");
    assert_eq!(silent, [change(&keyword, "ADDTO (0 4)")]);
    let seen = news(c.ok("FETCH 1 BODY[TEXT]"));
    assert_eq!(seen, [change(&unseen, "REMOVEFROM (0 1)")]);
    // What changes nothing for them is nothing to them.
    assert_eq!(news(c.ok("STORE 4 +FLAGS (\\Draft)")), [""; 0]);
    assert_eq!(
        news(c.ok("STORE 6 +FLAGS (\\Seen)")),
        [change(&unseen, "REMOVEFROM (0 6)")]
    );
    c.check("NOOP", &[], "OK");
}

/// "an ADDTO containing message sequence numbers added as a result of those messages being delivered or appended MUST
/// be sent after the EXISTS notification itself, in order that those sequence numbers are valid."
#[test]
fn deliveries_come_after_exists() {
    let server = Server::start();
    let mut c = prepared(&server);
    let all = follow(
        &mut c,
        "UID SEARCH RETURN (UPDATE COUNT) ALL",
        " UID COUNT 6",
    );
    let fresh = follow(
        &mut c,
        "SEARCH RETURN (UPDATE) SUBJECT fresh BODY hello",
        "",
    );
    let flagged = follow(&mut c, "SEARCH RETURN (UPDATE) FLAGGED", "");
    // `8:*` is `7:8` as long as 7 is the last, and Dovecot forgets that.
    let last = follow(&mut c, "SEARCH RETURN (UPDATE) UID 8:*", "");
    let mut other = server.client();
    other.append("INBOX", "", &message("fresh"));
    other.append("INBOX", "(\\Flagged) ", &message("other"));
    other.append("INBOX", "", &message("another fresh"));
    let told = news(c.ok("NOOP"));
    let mut expected = vec![
        "* 9 EXISTS".to_owned(),
        change(&all, "UID ADDTO (0 8:10)"),
        change(&fresh, "ADDTO (0 7,9)"),
        change(&flagged, "ADDTO (0 8)"),
    ];
    if server.either(true, false) {
        expected.push(change(&last, "REMOVEFROM (0 6) ADDTO (0 7:9)"));
    }
    assert_eq!(told, expected);
    c.check("NOOP", &[], "OK");
}

/// "a REMOVEFROM containing message sequence numbers removed as a result of those messages being expunged MUST be sent
/// prior to the expunge notification itself, in order that those sequence numbers remain valid."
#[test]
fn removals_come_before_expunge() {
    let server = Server::start();
    let mut c = prepared(&server);
    let flagged = follow(&mut c, "SEARCH RETURN (UPDATE COUNT) FLAGGED", " COUNT 2");
    let all = follow(&mut c, "UID SEARCH RETURN (UPDATE) ALL", " UID");
    let body = follow(&mut c, "SEARCH RETURN (UPDATE) BODY Hello", "");
    let mut other = server.selected("INBOX");
    other.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    assert_eq!(
        news(c.ok("NOOP")),
        [
            change(&flagged, "REMOVEFROM (0 2)"),
            change(&all, "UID REMOVEFROM (0 3:4)"),
            change(&body, "REMOVEFROM (0 2:3)"),
            "* 3 EXPUNGE".to_owned(),
            "* 2 EXPUNGE".to_owned(),
        ]
    );
    // By this session, one of them a move.
    c.ok("CREATE box");
    let mut told = news(c.ok("MOVE 1 box"));
    // The uncertain part is what MOVE says in between.
    assert_eq!(told.pop().as_deref(), Some("* 1 EXPUNGE"));
    assert_eq!(
        told,
        [
            change(&all, "UID REMOVEFROM (0 2)"),
            change(&body, "REMOVEFROM (0 1)"),
        ]
    );
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(
        news(c.ok("EXPUNGE")),
        [
            change(&all, "UID REMOVEFROM (0 5)"),
            change(&body, "REMOVEFROM (0 1)"),
            "* 1 EXPUNGE".to_owned(),
        ]
    );
    // The numbers have moved.
    assert_eq!(
        news(c.ok("STORE 1 -FLAGS.SILENT (\\Flagged)")),
        [change(&flagged, "REMOVEFROM (0 1)")]
    );
    c.check("NOOP", &[], "OK");
}

/// "This may be useful for clients wishing to show this behavior without losing the benefit of sequence numbering":
/// "a context that notifies immediately about expunged messages, yet will not affect message sequence numbers until the
/// normal EXPUNGE message can be sent" (Appendix A.3). Dovecot waits for that.
#[test]
fn removals_do_not_wait_for_expunge() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = prepared(&server);
    let all = follow(&mut c, "SEARCH RETURN (UPDATE) ALL", "");
    let mut other = server.selected("INBOX");
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    other.append("INBOX", "", &message("new"));
    c.check(
        "FETCH 3 UID",
        &[
            "* 3 FETCH (UID 4)",
            &change(&all, "REMOVEFROM (0 2)"),
            "* 7 EXISTS",
            &change(&all, "ADDTO (0 7)"),
        ],
        "OK",
    );
    // One that begins meanwhile has the message, as far as it is known, and hears of it in time.
    let deleted = follow(&mut c, "SEARCH RETURN (UPDATE COUNT) UID 3", " COUNT 1");
    assert_eq!(
        news(c.ok("NOOP")),
        [
            change(&deleted, "REMOVEFROM (0 2)"),
            "* 2 EXPUNGE".to_owned()
        ]
    );
    c.check("NOOP", &[], "OK");
}

/// "servers MAY send such responses when no command is in progress, during the processing of any command, or when the
/// client is using the IDLE facility"; they "SHOULD be delivered to clients in a timely manner".
#[test]
fn in_idle() {
    let server = Server::start();
    let mut c = prepared(&server);
    let fresh = follow(&mut c, "SEARCH RETURN (UPDATE) BODY fresh", "");
    let all = follow(&mut c, "UID SEARCH RETURN (UPDATE) ALL", " UID");
    let mut other = server.selected("INBOX");
    let mut idle = c.idle();
    other.append("INBOX", "(\\Deleted) ", "Subject: x\r\n\r\nfresh\r\n");
    let expected = [
        "* 7 EXISTS".to_owned(),
        change(&fresh, "ADDTO (0 7)"),
        change(&all, "UID ADDTO (0 8)"),
    ];
    idle.expect(&expected.each_ref().map(String::as_str));
    other.ok("EXPUNGE");
    let expected = [
        change(&fresh, "REMOVEFROM (0 7)"),
        change(&all, "UID REMOVEFROM (0 8)"),
        "* 7 EXPUNGE".to_owned(),
    ];
    idle.expect(&expected.each_ref().map(String::as_str));
    idle.done(&[]);
}

/// "any message sequence numbers used in the search program are evaluated at the time the command is received;
/// therefore, if the messages referred to by such message sequence numbers change, no notifications will be emitted."
#[test]
fn sequence_numbers_are_those_of_the_time() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.ok("SEARCH RETURN (SAVE) 5:6");
    follow(&mut c, "SEARCH RETURN (UPDATE COUNT) 3:9", " COUNT 4");
    let saved = follow(&mut c, "SEARCH RETURN (UPDATE SAVE) $ UNSEEN", "");
    let outside = follow(&mut c, "SEARCH RETURN (UPDATE) NOT (7:9)", "");
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    other.append("INBOX", "", &message("new"));
    let told = news(c.ok("NOOP"));
    // Dovecot takes the numbers for what they are now.
    if server.either(true, false) {
        assert_eq!(
            told,
            [
                change(&outside, "REMOVEFROM (0 1)"),
                "* 1 EXPUNGE".to_owned(),
                "* 6 EXISTS".to_owned(),
                change(&outside, "ADDTO (0 6)"),
            ]
        );
    }
    assert_eq!(
        news(c.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")),
        [change(&saved, "REMOVEFROM (0 4:5)")]
    );
}

/// "An attempt to use UPDATE where a tag is already in use with a previous searching command that itself used UPDATE
/// SHALL result in the server rejecting the searching command with a BAD response."
#[test]
fn a_tag_once() {
    let server = Server::start();
    let mut c = prepared(&server);
    let mut run = |command: &str| {
        c.send(format!("B01 {command}\r\n").as_bytes());
        c.until_tagged("B01")
    };
    let reply = run("UID SEARCH RETURN (UPDATE COUNT) FLAGGED");
    assert_eq!(reply.plain(), ["* ESEARCH (TAG \"B01\") UID COUNT 2"]);
    for command in [
        "SEARCH RETURN (UPDATE) FLAGGED",
        "UID SEARCH RETURN (UPDATE COUNT) ALL",
        "SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED",
    ] {
        let reply = run(command);
        assert!(reply.tagged.starts_with("BAD"), "{command}: {reply:?}");
    }
    // It goes on as it was.
    let reply = run("STORE 1 +FLAGS.SILENT (\\Flagged)");
    assert_eq!(reply.plain(), ["* ESEARCH (TAG \"B01\") UID ADDTO (0 2)"]);
    assert!(run("CANCELUPDATE \"B01\"").tagged.starts_with("OK"));
    let reply = run("SEARCH RETURN (UPDATE COUNT) FLAGGED");
    assert_eq!(reply.plain(), ["* ESEARCH (TAG \"B01\") COUNT 3"]);
}

/// "Updates will cease when the mailbox is no longer selected, or when the CANCELUPDATE command […] is issued by the
/// client, whichever is sooner." That "takes, as arguments, one or more tags".
#[test]
fn until_it_is_cancelled() {
    let server = Server::start();
    let mut c = prepared(&server);
    let tags: Vec<String> = (0..4)
        .map(|_| follow(&mut c, "SEARCH RETURN (UPDATE) FLAGGED", ""))
        .collect();
    // None of them, where one is unknown.
    c.no(&format!("CANCELUPDATE \"nosuch\" \"{}\"", tags[0]));
    for wrong in [
        "CANCELUPDATE",
        "CANCELUPDATE ()",
        "CANCELUPDATE a1",
        "CANCELUPDATE \"a1\" a2",
    ] {
        c.bad_strictly(wrong);
    }
    c.ok(&format!("CANCELUPDATE \"{}\" \"{}\"", tags[1], tags[3]));
    c.no(&format!("CANCELUPDATE \"{}\"", tags[1]));
    assert_eq!(
        news(c.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")),
        [
            change(&tags[0], "ADDTO (0 1)"),
            change(&tags[2], "ADDTO (0 1)")
        ]
    );
    c.ok("SELECT INBOX");
    c.no(&format!("CANCELUPDATE \"{}\"", tags[0]));
    assert_eq!(news(c.ok("STORE 1 -FLAGS.SILENT (\\Flagged)")), [""; 0]);
    c.ok("UNSELECT");
    if server.either(true, false) {
        c.bad("CANCELUPDATE \"a1\"");
        server.connect().bad("CANCELUPDATE \"a1\"");
    }
}

/// "an untagged NO is generated during processing of the command with a response-code of NOUPDATE. The response-code
/// contains, as argument, the tag of the search command for which the server is refusing to honour the UPDATE request.
/// Other return options specified SHALL still be honoured." CONTEXT=SORT is not announced. (Dovecot updates SORT as if
/// it were SEARCH.)
#[test]
fn sort_is_not_followed() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = prepared(&server);
    let tag = c.next_tag();
    c.check(
        "UID SORT RETURN (UPDATE COUNT SAVE) (SUBJECT) UTF-8 FLAGGED",
        &[
            &format!("* ESEARCH (TAG \"{tag}\") UID COUNT 2"),
            &format!("* NO [NOUPDATE \"{tag}\"]"),
        ],
        "OK",
    );
    c.check("SEARCH $", &["* SEARCH 2 5"], "OK");
    c.check("STORE 2 -FLAGS.SILENT (\\Flagged)", &[], "OK");
    c.no(&format!("CANCELUPDATE \"{tag}\""));
}
