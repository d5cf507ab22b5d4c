//! SELECT and EXAMINE with QRESYNC, and UID FETCH with VANISHED (RFC 7162 §3.2.5, §3.2.6, §3.2.11).

use super::super::select::validity;
use super::{check, filled, highest, masked, modseq, status};
use crate::harness::{Client, Server, message};

/// What a client has learnt before it went offline: UIDVALIDITY and HIGHESTMODSEQ.
fn learnt(server: &Server) -> (u32, u64) {
    let told = server.client().ok("SELECT INBOX (CONDSTORE)");
    (validity(&told), highest(&told))
}

fn resyncing(server: &Server) -> Client {
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    c
}

/// What a SELECT tells of the past: what follows the responses that each has.
#[track_caller]
fn news(c: &mut Client, command: &str) -> Vec<String> {
    let told = c.ok(command);
    let is_news = |line: &&String| line.contains(" FETCH (") || line.contains(" VANISHED ");
    let news: Vec<String> = told
        .iter()
        .filter(is_news)
        .map(|line| masked(line))
        .collect();
    // "the server MUST send all untagged responses as specified in Sections 6.3.1 and 6.3.2 of [RFC3501]", and before.
    let others = told.len() - news.len();
    for wanted in [
        "FLAGS (",
        "EXISTS",
        "RECENT",
        "UIDVALIDITY",
        "UIDNEXT",
        "HIGHESTMODSEQ",
    ] {
        let at = told.iter().position(|line| line.contains(wanted));
        assert!(at.is_some_and(|at| at < others), "{wanted}: {told:#?}");
    }
    news
}

/// §3.2.5.1: "The server sends the client any pending flag changes (using FETCH responses that MUST contain UIDs) and expunges
/// those that have occurred in this mailbox since the provided modification sequence." The example of §6.
#[test]
fn what_has_happened() {
    let server = filled(10);
    let (validity, since) = learnt(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 2,5:6,10 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    other.ok("STORE 2 +FLAGS.SILENT (\\Seen \\Answered)");
    other.ok("UID STORE 9 +FLAGS.SILENT ($Forwarded)");
    other.append("INBOX", "(\\Flagged) ", &message("eleven"));
    let mut c = resyncing(&server);
    let all = [
        "* VANISHED (EARLIER) 2,5:6,10",
        "* 2 FETCH (FLAGS (\\Answered \\Seen) MODSEQ (#) UID 3)",
        "* 6 FETCH (FLAGS ($Forwarded) MODSEQ (#) UID 9)",
        "* 7 FETCH (FLAGS (\\Flagged) MODSEQ (#) UID 11)",
    ];
    for verb in ["EXAMINE", "SELECT"] {
        let command = format!("{verb} INBOX (QRESYNC ({validity} {since}))");
        let told: Vec<String> = news(&mut c, &command)
            .iter()
            .map(|line| crate::harness::client::plain(&line.replace(" \\Recent", "")))
            .collect();
        assert_eq!(told, all, "{command}");
    }
    // "the server should only report flag changes and expunges for the specified messages."
    let command = format!("SELECT INBOX (QRESYNC ({validity} {since} 1:5,9))");
    assert_eq!(
        news(&mut c, &command),
        ["* VANISHED (EARLIER) 2,5", all[1], all[2]]
    );
    let command = format!("SELECT INBOX (QRESYNC ({validity} {since} 1,4,7:8))");
    assert!(news(&mut c, &command).is_empty());
    // Since then nothing.
    let now = status(&mut c, "INBOX");
    let command = format!("SELECT INBOX (QRESYNC ({validity} {now}))");
    assert!(news(&mut c, &command).is_empty());
    // In the order of both: CONDSTORE may stand beside it.
    let command = format!("SELECT INBOX (CONDSTORE QRESYNC ({validity} {now}))");
    assert!(news(&mut c, &command).is_empty());
    // The picture is whole: what happens now is told as news.
    other.ok("UID STORE 3 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let told = c.ok("NOOP");
    assert_eq!(told[0], "* VANISHED 3", "{told:?}");
}

/// "If the provided UIDVALIDITY doesn't match the UIDVALIDITY for the mailbox being opened, then the server MUST ignore the
/// remaining parameters and behave as if no dynamic message data changed."
#[test]
fn another_uidvalidity() {
    let server = filled(3);
    let (validity, since) = learnt(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let mut c = resyncing(&server);
    for wrong in [validity - 1, validity + 1, 1, u32::MAX] {
        let command = format!("SELECT INBOX (QRESYNC ({wrong} {since} 1:3))");
        assert!(news(&mut c, &command).is_empty());
    }
    c.check("SEARCH ALL", &["* SEARCH 1 2"], "OK");
}

/// §3.2.5.2: "If a pair matches, then the client knows of any expunges up to, and including, the message; thus, it will not
/// include that range in the VANISHED response, even if the "mod-sequence-value" provided by the client is too old". The two
/// examples: "only UIDs with messages divisible by three are present".
#[test]
fn known_sequence_numbers() {
    let server = filled(30);
    let (validity, _) = learnt(&server);
    let mut other = server.selected("INBOX");
    let gone: Vec<String> = (1..=30u32)
        .filter(|uid| uid % 3 != 0)
        .map(|uid| uid.to_string())
        .collect();
    other.ok(&format!(
        "STORE {} +FLAGS.SILENT (\\Deleted)",
        gone.join(",")
    ));
    other.ok("EXPUNGE");
    let mut c = resyncing(&server);
    // The mod-sequence is too old for any server.
    let mut vanished = |known: &str| {
        let command = format!("SELECT INBOX (QRESYNC ({validity} 1{known}))");
        let mut told = news(&mut c, &command);
        told.retain(|line| line.contains("VANISHED"));
        assert!(told.len() <= 1, "{told:?}");
        let told = told.pop();
        told.map(|line| {
            line.strip_prefix("* VANISHED (EARLIER) ")
                .unwrap()
                .to_owned()
        })
    };
    let all = "1:2,4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26,28:29";
    assert_eq!(vanished(" 1:30").as_deref(), Some(all));
    assert_eq!(vanished("").as_deref(), Some(all));
    // "If the queue contains data back to the requested mod-sequence, this data can be ignored" (§5.3).
    if server.either(exact(), true) {
        return;
    }
    assert_eq!(vanished(" 1:30 (5,8:10 15,24,27,30)"), None);
    // "If the (N+1)th message number is 12, and the (N+1)th UID is 24, and the (N+1)th message in the mailbox has UID 25, then the
    // lowest UID included in the VANISHED response would be 9."
    let behind = Some("25:26,28:29");
    assert_eq!(vanished(" 1:30 (4,8,9 12,24,26)").as_deref(), behind);
    assert_eq!(vanished(" (4,8,9 12,24,26)").as_deref(), behind);
    assert_eq!(vanished(" 1:30 (8 24)").as_deref(), behind);
    assert_eq!(vanished(" 26:30 (8 24)").as_deref(), Some("26,28:29"));
    // Nothing matches, or there is no such message.
    assert_eq!(vanished(" 1:30 (1:9 1:9)").as_deref(), Some(all));
    assert_eq!(
        vanished(" 1:30 (11:4294967295 33:4294967295)").as_deref(),
        Some(all)
    );
}

/// "A server MUST respond with a tagged BAD response if the Quick Resynchronization parameter to the SELECT/EXAMINE command is
/// specified and the client hasn't issued "ENABLE QRESYNC" in the current connection". "If any parameter is not syntactically
/// valid, the server returns the tagged BAD response, and the mailbox remains unselected."
#[test]
fn refused() {
    let server = filled(2);
    let (validity, since) = learnt(&server);
    let whole = format!("(QRESYNC ({validity} {since}))");
    for enabled in ["", "ENABLE CONDSTORE"] {
        let mut c = server.client();
        if !enabled.is_empty() {
            c.ok(enabled);
        }
        c.bad(&format!("SELECT INBOX {whole}"));
        c.bad(&format!("EXAMINE INBOX {whole}"));
        c.bad("CHECK");
        c.ok("SELECT INBOX");
        let outcome = c.outcome("UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)");
        assert_eq!(outcome, "BAD");
    }
    let mut c = resyncing(&server);
    for parameters in [
        "()",
        "(QRESYNC)",
        "(QRESYNC ())",
        "(QRESYNC 1 1)",
        "(QRESYNC (1))",
        "(QRESYNC (0 1))",
        "(QRESYNC (1 0))",
        "(QRESYNC (1 x))",
        "(QRESYNC (4294967296 1))",
        "(QRESYNC (1 9223372036854775808))",
        "(QRESYNC (1 1 *))",
        "(QRESYNC (1 1 1:*))",
        "(QRESYNC (1 1 1:2 (1)))",
        "(QRESYNC (1 1 1:2 (1 *)))",
        "(QRESYNC (1 1 1:2 (1 1) 1))",
        "(QRESYNC (1 1) QRESYNC (1 1))",
        "(CONDSTORE CONDSTORE)",
        "(X-NONE)",
        "CONDSTORE",
    ] {
        c.bad_strictly(&format!("SELECT INBOX {parameters}"));
        c.ok("NOOP");
    }
    c.ok(&format!("SELECT INBOX {whole}"));
    // §3.2.6: "NOT allowed with a FETCH command", and "MUST only be specified together with the CHANGEDSINCE UID FETCH modifier".
    c.bad("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)");
    c.bad("UID FETCH 1 FLAGS (VANISHED)");
    c.ok("UID FETCH 1 FLAGS (VANISHED CHANGEDSINCE 1)");
}

/// §3.2.6, its two examples: "report those messages from the UID set parameter that have been expunged and whose associated
/// mod-sequence is larger than the specified mod-sequence." "Any VANISHED (EARLIER) responses MUST be returned before any
/// FETCH responses".
#[test]
fn uid_fetch_with_vanished() {
    let server = filled(12);
    let (_, since) = learnt(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 1:3,5,11:12 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    other.ok("UID STORE 4 FLAGS.SILENT (\\Seen)");
    other.ok("UID STORE 6 FLAGS.SILENT (\\Answered)");
    other.ok("UID STORE 8 FLAGS.SILENT ($NoJunk $AutoJunk $MDNSent)");
    let mut c = resyncing(&server);
    c.ok("SELECT INBOX");
    let changed = [
        "* 1 FETCH (FLAGS (\\Seen) MODSEQ (#) UID 4)",
        "* 2 FETCH (FLAGS (\\Answered) MODSEQ (#) UID 6)",
        "* 4 FETCH (FLAGS ($NoJunk $AutoJunk $MDNSent) MODSEQ (#) UID 8)",
    ];
    let modifiers = format!("(CHANGEDSINCE {since} VANISHED)");
    for (set, vanished, from) in [
        ("1:12", Some("1:3,5,11:12"), 0),
        ("3:11", Some("3,5,11"), 0),
        ("5:7", Some("5"), 1),
        ("6:8", None, 1),
        // `*` is beyond what was there last.
        ("7:*", Some("11:12"), 2),
        ("1:*", Some("1:3,5,11:12"), 0),
    ] {
        let vanished = vanished.map(|uids| format!("* VANISHED (EARLIER) {uids}"));
        let to = if set == "5:7" { 2 } else { 3 };
        let expected: Vec<&str> = vanished
            .as_deref()
            .into_iter()
            .chain(changed[from..to].iter().copied())
            .collect();
        check(
            &mut c,
            &format!("UID FETCH {set} (FLAGS) {modifiers}"),
            &expected,
            "OK",
        );
    }
    // It is not the news of this session.
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4 5 6"], "OK");
    let since = modseq(&mut c, 2);
    check(
        &mut c,
        &format!("UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE {since})"),
        server.either(
            &["* VANISHED (EARLIER) 1:3,5,11:12", changed[2]][usize::from(exact())..],
            &[changed[2]],
        ),
        "OK",
    );
    // One that was never given: all that has vanished, and all that is there.
    let told = c.ok(&format!(
        "UID FETCH 1:12 FLAGS (VANISHED CHANGEDSINCE {})",
        i64::MAX
    ));
    if server.either(true, false) {
        assert_eq!(told[0], "* VANISHED (EARLIER) 1:3,5,11:12");
        assert_eq!(told.len(), 7, "{told:?}");
    }
}

/// Whether the server remembers when a message was expunged. "Such implementations return all expunged messages specified in the
/// UID set […] every time" (§5.1).
fn exact() -> bool {
    true
}

/// A message that is gone and that the client has not heard of yet is told as news, and not as the past.
#[test]
fn gone_meanwhile() {
    let server = filled(6);
    let (_, since) = learnt(&server);
    let mut c = resyncing(&server);
    c.ok("SELECT INBOX");
    let mut other = server.selected("INBOX");
    other.ok("STORE 3 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let told = c.ok(&format!(
        "UID FETCH 1:* FLAGS (CHANGEDSINCE {since} VANISHED)"
    ));
    let vanished: Vec<&String> = told
        .iter()
        .filter(|line| line.contains(" VANISHED "))
        .collect();
    if server.either(true, false) {
        assert_eq!(vanished, ["* VANISHED 3"], "{told:?}");
    }
    c.ok("NOOP");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4 5"], "OK");
}

/// §3.2.11: "a server implementing the extension […] MUST return the CLOSED response code when the currently selected mailbox is
/// closed implicitly using the SELECT/EXAMINE command on another mailbox"; "all responses before the CLOSED response code relate
/// to the mailbox that was closed".
#[test]
fn closed() {
    let server = filled(2);
    let (validity, since) = learnt(&server);
    let mut c = resyncing(&server);
    c.ok("CREATE box");
    c.ok("SELECT box");
    let told = c.ok(&format!("SELECT INBOX (QRESYNC ({validity} {since}))"));
    assert_eq!(told[0], "* OK [CLOSED]", "{told:?}");
    let told = c.ok("SELECT box");
    assert_eq!(told[0], "* OK [CLOSED]", "{told:?}");
    for command in ["CLOSE", "UNSELECT"] {
        c.ok("SELECT INBOX");
        assert!(c.ok(command).is_empty());
    }
}

/// An empty mailbox that never had a message: "lack of the list of UIDs is interpreted as an empty set of UIDs".
#[test]
fn an_empty_mailbox() {
    let server = Server::start();
    let (validity, since) = learnt(&server);
    let mut c = resyncing(&server);
    for parameters in ["", " 1:5", " 1:5 (1 1)"] {
        for since in [1, since] {
            let command = format!("SELECT INBOX (QRESYNC ({validity} {since}{parameters}))");
            let told = news_of_empty(&mut c, &command);
            assert!(told.is_empty(), "{told:?}");
        }
    }
}

fn news_of_empty(c: &mut Client, command: &str) -> Vec<String> {
    let mut told = c.ok(command);
    told.retain(|line| line.contains(" FETCH (") || line.contains("VANISHED"));
    told
}

/// §4: a client may send "approximately 8192 octets". UIDs with gaps, as many as fit.
#[test]
fn long_command_lines() {
    let server = filled(3);
    let (validity, since) = learnt(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let mut c = resyncing(&server);
    let odd: Vec<String> = (0..1_600)
        .map(|number| (number * 2 + 10_001).to_string())
        .collect();
    let odd = format!("1,3,{}", odd.join(","));
    assert!(odd.len() > 7_500);
    let command = format!("SELECT INBOX (QRESYNC ({validity} {since} {odd}))");
    let told = news(&mut c, &command);
    assert_eq!(told, ["* VANISHED (EARLIER) 1,3"]);
    c.ok(&format!(
        "UID FETCH {odd} FLAGS (CHANGEDSINCE {since} VANISHED)"
    ));
}
