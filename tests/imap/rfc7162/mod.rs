//! CONDSTORE and QRESYNC (RFC 7162): what turns them on, and what HIGHESTMODSEQ and MODSEQ are. The commands are in the
//! files beside this one. Mod-sequences are the server's own; where their relations do not matter they are compared as `#`.

mod condition;
mod fetch;
mod offline;
mod resync;
mod search;
mod vanished;

use std::sync::Arc;

use crate::harness::{Client, Maildir, Server, message};

/// A line with `#` for each mod-sequence in it.
fn masked(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("MODSEQ ") {
        let (before, after) = rest.split_at(at + "MODSEQ ".len());
        out.push_str(before);
        let after = after.strip_prefix('(').map_or(after, |after| {
            out.push('(');
            after
        });
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            out.push('#');
        }
        rest = &after[digits..];
    }
    out + rest
}

/// Runs a command and demands exactly these responses and this outcome, mod-sequences masked. RECENT is passed over, and
/// the order of FETCH responses is the server's.
#[track_caller]
fn check(c: &mut Client, command: &str, untagged: &[&str], outcome: &str) {
    let reply = c.run(command);
    let mut got: Vec<String> = reply.plain().iter().map(|line| masked(line)).collect();
    got.retain(|line| !line.ends_with(" RECENT"));
    let is_fetch = |line: &String| line.contains(" FETCH (");
    if got.iter().filter(|line| is_fetch(line)).count() > 1 {
        got.sort_by_key(|line| (is_fetch(line), is_fetch(line).then(|| line.clone())));
    }
    let expected: Vec<String> = untagged
        .iter()
        .map(|line| crate::harness::client::plain(line))
        .collect();
    assert!(
        got == expected && masked(&reply.outcome()) == outcome,
        "{command:.300}\n  expected {expected:#?} {outcome}\n  but got  {got:#?} {}",
        reply.tagged
    );
}

/// The number behind a word in these lines, once.
#[track_caller]
fn number_behind(lines: &[String], word: &str) -> u64 {
    let found: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(word).map(|(_, rest)| rest))
        .collect();
    let [rest] = found[..] else {
        panic!("{word} not once in {lines:?}")
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// HIGHESTMODSEQ in these lines.
#[track_caller]
pub(super) fn highest(lines: &[String]) -> u64 {
    number_behind(lines, "[HIGHESTMODSEQ ")
}

/// The responses to a command that must succeed, the tagged one too: HIGHESTMODSEQ may be in either.
#[track_caller]
fn heard(c: &mut Client, command: &str) -> Vec<String> {
    let reply = c.run(command);
    assert!(reply.tagged.starts_with("OK"), "{command}: {reply:?}");
    [reply.plain(), vec![reply.outcome()]].concat()
}

/// The mod-sequence of a message.
#[track_caller]
fn modseq(c: &mut Client, number: u32) -> u64 {
    number_behind(&c.ok(&format!("FETCH {number} MODSEQ")), "MODSEQ (")
}

/// HIGHESTMODSEQ by STATUS.
#[track_caller]
fn status(c: &mut Client, mailbox: &str) -> u64 {
    let mut told = c.ok(&format!("STATUS {mailbox} (HIGHESTMODSEQ)"));
    told.retain(|line| line.starts_with("* STATUS "));
    number_behind(&told, "HIGHESTMODSEQ ")
}

/// A server with so many messages in INBOX, which are recent to nobody any more.
fn filled(count: u32) -> Server {
    let maildir = Arc::new(Maildir::new());
    for number in 1..=count {
        let text = message(&format!("number{number}"));
        maildir.place(
            "INBOX",
            "cur",
            &format!("{number:03}.M1P1.host:2,"),
            text.as_bytes(),
        );
    }
    let server = Server::on(&maildir);
    server.selected("INBOX");
    server
}

/// What a client that hears of mod-sequences is told of a message whose flags have changed. §3.2.4: "both UID and
/// mod-sequence data"; Dovecot tells the UID only after ENABLE QRESYNC.
fn changed(server: &Server, number: u32, flags: &str) -> String {
    let uid = server.either(format!(" UID {number}"), String::new());
    format!("* {number} FETCH (FLAGS ({flags}) MODSEQ (#){uid})")
}

/// The same of one whose flags it knows.
fn stored(server: &Server, number: u32) -> String {
    let uid = server.either(format!(" UID {number}"), String::new());
    format!("* {number} FETCH (MODSEQ (#){uid})")
}

/// §3.1.2: "One of these two response codes MUST be returned in an OK untagged response for any successful SELECT/EXAMINE
/// command issued after a CONDSTORE enabling command." §3.1.7: STATUS gives "the same value".
#[test]
pub(super) fn highestmodseq_when_a_mailbox_is_opened() {
    let server = filled(3);
    let mut c = server.client();
    if server.either(true, false) {
        highest(&c.ok("SELECT INBOX")); // before, too
    }
    let first = highest(&c.ok("SELECT INBOX (CONDSTORE)"));
    assert!((1..1 << 63).contains(&first));
    for command in ["EXAMINE INBOX", "SELECT INBOX (CONDSTORE)", "SELECT INBOX"] {
        assert_eq!(highest(&c.ok(command)), first, "{command}");
    }
    assert_eq!(status(&mut c, "INBOX"), first);
    // "the highest mod-sequence value of all messages in the mailbox".
    let all: Vec<u64> = (1..=3).map(|number| modseq(&mut c, number)).collect();
    assert!(all.iter().all(|one| (1..=first).contains(one)), "{all:?}");
    let mut other = server.selected("INBOX");
    other.ok("STORE 2 +FLAGS (\\Seen)");
    let second = highest(&c.ok("SELECT INBOX"));
    assert!(second > first);
    assert_eq!(modseq(&mut c, 2), second);
    assert_eq!(status(&mut server.client(), "INBOX"), second);
    // Another mailbox has its own.
    c.ok("CREATE box");
    assert!(highest(&c.ok("SELECT box")) > 0);
    assert_eq!(status(&mut c, "INBOX"), second);
}

/// §3.1.8, example 18, and §3.1.7, example 17.
#[test]
fn condstore_at_select_and_status() {
    let server = filled(2);
    let mut c = server.client();
    let reply = c.run("SELECT INBOX (CONDSTORE)");
    assert_eq!(reply.outcome(), "OK [READ-WRITE]");
    highest(&reply.plain());
    let mut c = server.client();
    let told = c.ok("STATUS INBOX (UIDNEXT MESSAGES HIGHESTMODSEQ)");
    let line = masked(&told[0]);
    assert_eq!(
        line,
        server.either(
            "* STATUS INBOX (UIDNEXT 3 MESSAGES 2 HIGHESTMODSEQ #)",
            "* STATUS INBOX (MESSAGES 2 UIDNEXT 3 HIGHESTMODSEQ #)"
        )
    );
    let told = c.ok("LIST \"\" INBOX RETURN (STATUS (HIGHESTMODSEQ))");
    assert_eq!(
        masked(&told[1]),
        "* STATUS INBOX (HIGHESTMODSEQ #)",
        "{told:?}"
    );
}

/// §3.1: the "CONDSTORE enabling commands". "A first CONDSTORE enabling command executed in the session with a mailbox
/// selected MUST cause the server to return HIGHESTMODSEQ". "The server MUST then include mod-sequence data in all
/// subsequent untagged FETCH responses (until the connection is closed), whether they were caused by a regular STORE, a
/// STORE with an UNCHANGEDSINCE modifier, or an external agent."
#[test]
fn commands_that_turn_it_on() {
    let server = filled(2);
    let mut other = server.selected("INBOX");
    let mut flags = ["\\Flagged", "\\Draft"].into_iter().cycle();
    for command in [
        "STATUS INBOX (HIGHESTMODSEQ)",
        "FETCH 1 (MODSEQ)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "UID FETCH 1 MODSEQ",
        "SEARCH MODSEQ 1",
        "UID SEARCH NOT MODSEQ 1",
        "SEARCH RETURN () OR MODSEQ 0 SEEN",
        "SORT (DATE) UTF-8 MODSEQ 1",
        "THREAD REFS UTF-8 MODSEQ 1",
        "STORE 1 (UNCHANGEDSINCE 9223372036854775807) +FLAGS.SILENT (\\Answered)",
        "UID STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Answered)",
        "ENABLE CONDSTORE",
        "ENABLE QRESYNC",
        "ENABLE QRESYNC CONDSTORE",
    ] {
        let mut c = server.selected("INBOX");
        let qresync = command.contains("QRESYNC");
        let lines = c.run(command).plain();
        // Once: Dovecot tells it for ENABLE only after a look at the mailbox, and for STATUS not at all.
        if server.either(true, false) {
            highest(&lines);
        }
        assert!(
            !c.run(command)
                .plain()
                .iter()
                .any(|line| line.starts_with("* OK [HIGHESTMODSEQ")),
            "{command}"
        );
        let flag = flags.next().unwrap();
        let before = modseq(&mut c, 2);
        other.ok(&format!("STORE 2 FLAGS ({flag})"));
        // By an external agent.
        let told = c.ok("NOOP");
        let wanted = match qresync {
            true => format!("* 2 FETCH (FLAGS ({flag}) MODSEQ (#) UID 2)"),
            false => changed(&server, 2, flag),
        };
        assert_eq!(masked(&told[0]), wanted, "{command}");
        let after = number_behind(&told[..1], "MODSEQ (");
        assert!(after > before, "{command}");
        // By a regular STORE, also in another mailbox.
        let told = c.ok("STORE 1 FLAGS (\\Seen)");
        assert!(number_behind(&told, "MODSEQ (") > after, "{command}");
        c.ok("STORE 1 FLAGS ()");
        c.ok("EXAMINE INBOX");
        other.ok("STORE 2 FLAGS ()");
        let told = c.ok("NOOP");
        assert!(masked(&told[0]).contains("MODSEQ (#)"), "{told:?}");
    }
}

/// A client that asks for none hears of none.
#[test]
fn nobody_hears_of_it_unasked() {
    let server = filled(2);
    let mut c = server.selected("INBOX");
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS (\\Seen)");
    other.ok("UID STORE 2 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    let reply = c.run("NOOP");
    let mut lines = reply.plain();
    lines.sort();
    assert_eq!(
        lines,
        ["* 1 FETCH (FLAGS (\\Seen))", "* 2 EXPUNGE"],
        "{reply:?}"
    );
    let reply = c.run("STORE 1 +FLAGS (\\Deleted)");
    assert_eq!(reply.plain(), ["* 1 FETCH (FLAGS (\\Deleted \\Seen))"]);
    let reply = c.run("STORE 1 +FLAGS.SILENT (\\Draft)");
    assert!(reply.plain().is_empty(), "{reply:?}");
    let reply = c.run("EXPUNGE");
    assert_eq!((reply.plain().len(), &*reply.outcome()), (1, "OK"));
}

/// §3.1: "any two successful STORE operations performed in the same session on the same mailbox, the mod-sequence of the
/// second completed operation MUST be greater"; "Setting a flag that is already set, or clearing a flag that is not set,
/// SHOULD NOT change the mod-sequence"; a message that is appended gets one "that is higher than the highest modification
/// sequence of all messages in the mailbox"; the server "MUST increment the per-mailbox mod-sequence when one or more
/// messages are expunged" (§3.2).
#[test]
fn when_mod_sequences_rise() {
    let server = filled(3);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let mut last = status(&mut c, "INBOX");
    let mut rises = |c: &mut Client, command: &str, rises: bool| {
        c.ok(command);
        c.ok("NOOP");
        let now = status(c, "INBOX");
        assert_eq!(now > last, rises, "{command}: {last} {now}");
        assert!(now >= last);
        last = now;
    };
    rises(&mut c, "STORE 1 +FLAGS (\\Seen)", true);
    rises(&mut c, "STORE 1 +FLAGS (\\Seen)", false);
    rises(&mut c, "STORE 2 -FLAGS (\\Seen)", false);
    rises(&mut c, "STORE 1 FLAGS (\\Seen)", false);
    rises(&mut c, "STORE 2 +FLAGS.SILENT (new)", true);
    rises(&mut c, "STORE 2 +FLAGS.SILENT (NEW)", false);
    rises(&mut c, "STORE 3 FLAGS (\\Seen)", true);
    let third = modseq(&mut c, 3);
    assert!(third > modseq(&mut c, 2) && modseq(&mut c, 2) > modseq(&mut c, 1));
    rises(&mut c, "FETCH 1 BODY[]", false);
    rises(&mut c, "FETCH 2 BODY[]", true);
    rises(&mut c, "COPY 3 INBOX", true);
    assert!(modseq(&mut c, 4) > modseq(&mut c, 2));
    rises(&mut c, "FETCH 4 BODY[HEADER]", false);
    c.append("INBOX", "", &message("more"));
    rises(&mut c, "NOOP", true);
    assert_eq!(modseq(&mut c, 5), status(&mut c, "INBOX"));
    rises(&mut c, "STORE 1 +FLAGS (\\Deleted)", true);
    rises(&mut c, "EXPUNGE", true);
    rises(&mut c, "EXPUNGE", false);
    c.ok("CREATE box");
    let box_before = status(&mut c, "box");
    rises(&mut c, "MOVE 1 box", true);
    assert!(status(&mut c, "box") > box_before);
    rises(&mut c, "UID STORE 3 +FLAGS.SILENT (\\Deleted)", true);
    rises(&mut c, "UID EXPUNGE 3", true);
    rises(&mut c, "STORE 1 +FLAGS.SILENT (\\Deleted)", true);
    c.ok("CLOSE");
    let closed = status(&mut c, "INBOX");
    c.ok("SELECT INBOX");
    assert!(closed > 0 && c.ok("SEARCH ALL") == ["* SEARCH 1"]);
    // By others.
    server.maildir.deliver("INBOX", &message("delivered"));
    c.ok("NOOP");
    assert!(status(&mut c, "INBOX") > closed);
}

/// §3.2.3: "ENABLE QRESYNC" and "ENABLE QRESYNC CONDSTORE".
#[test]
fn enable() {
    let server = Server::start();
    for (names, told) in [
        ("CONDSTORE", "* ENABLED CONDSTORE"),
        ("qresync", "* ENABLED QRESYNC"),
        ("QRESYNC CONDSTORE", "* ENABLED QRESYNC CONDSTORE"),
        ("CONDSTORE QRESYNC", "* ENABLED QRESYNC CONDSTORE"),
        ("QRESYNC X-NONE", "* ENABLED QRESYNC"),
    ] {
        let mut c = server.client();
        let told = match (names, server.either(false, true)) {
            ("CONDSTORE QRESYNC", true) => "* ENABLED CONDSTORE QRESYNC",
            _ => told,
        };
        c.check(&format!("ENABLE {names}"), &[told], "OK");
        c.ok("NOOP");
    }
    // "servers SHOULD also advertise "CONDSTORE"" (§3.2.2).
    let told = server.client().ok("CAPABILITY");
    assert!(told[0].contains(" CONDSTORE") && told[0].contains(" QRESYNC"));
}

/// §3.1.2.2: "A server that returned the NOMODSEQ response code for a mailbox MUST reject (with a tagged BAD response) any of
/// the following commands while the mailbox remains selected"; §3.1.7: "the server MUST return 0".
#[test]
fn where_no_mod_sequences_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let maildir = Arc::new(Maildir::new());
    let text = message("one");
    maildir.place("INBOX", "cur", "001.M1P1.host:2,", text.as_bytes());
    let root = maildir.path().to_owned();
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&root, permissions).unwrap();
    };
    let server = Server::on(&maildir);
    if server.either(false, true) {
        return;
    }
    mode(0o555);
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    let told = c.ok("SELECT INBOX");
    for code in ["* NO [UIDNOTSTICKY]", "* OK [NOMODSEQ]"] {
        assert!(told.contains(&code.to_owned()), "{told:?}");
    }
    for command in [
        "FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "FETCH 1 (MODSEQ)",
        "SEARCH MODSEQ 1",
        "SORT (DATE) UTF-8 MODSEQ 1",
        "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
        "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
    ] {
        c.bad(command);
    }
    c.check(
        "STATUS INBOX (HIGHESTMODSEQ)",
        &["* STATUS INBOX (HIGHESTMODSEQ 0)"],
        "OK",
    );
    c.check("FETCH 1 UID", &["* 1 FETCH (UID 1)"], "OK");
    c.ok("SELECT INBOX (QRESYNC (1 1))");
    mode(0o755);
}
