//! MOVE (RFC 6851, RFC 9051 §6.4.8).

use std::sync::Arc;

use super::copy::three;
use super::selected::only_where_selected;
use crate::harness::{Maildir, Server, message};

/// §3.3, the example with its numbers: UID 42 is the 22nd message. The EXPUNGEs may come in any order that has the same
/// end.
#[test]
fn the_rfcs_example() {
    let maildir = Arc::new(Maildir::new());
    let uids: Vec<u32> = (21..=69).chain([80]).collect();
    maildir.numbered("INBOX", 7, 100, &uids);
    maildir.numbered("foo", 432_432, 1202, &[]);
    let server = Server::on(&maildir);
    let mut c = server.client();
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" MOVE "), "{told}");
    c.ok("SELECT INBOX");
    let mut lines = c.ok("UID MOVE 42:69 foo");
    lines.retain(|line| !line.ends_with(" RECENT"));
    assert_eq!(lines.remove(0), "* OK [COPYUID 432432 42:69 1202:1229]");
    let mut left = uids.clone();
    for line in lines {
        let number = line
            .strip_prefix("* ")
            .and_then(|rest| rest.strip_suffix(" EXPUNGE"))
            .unwrap_or_else(|| panic!("{line}"));
        left.remove(number.parse::<usize>().unwrap() - 1);
    }
    let expected: Vec<u32> = (21..=41).chain([80]).collect();
    assert_eq!(left, expected);
    c.check("SEARCH UID 42:69", &["* SEARCH"], "OK");
    c.ok("SELECT foo");
    c.check("UID SEARCH SUBJECT m42", &["* SEARCH 1202"], "OK");
    c.check("UID SEARCH SUBJECT m69", &["* SEARCH 1229"], "OK");
}

/// §4.4: the mod-sequence of the source MUST go up, and those of the messages moved MUST be above all that were in the
/// target before. (VANISHED, and HIGHESTMODSEQ in an OK: `rfc7162::vanished`.)
#[test]
fn mod_sequences_go_up() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    c.append("box", "", &message("there"));
    let mut other = server.client();
    other.ok("ENABLE CONDSTORE");
    let mut highest = |name: &str| -> u64 {
        let line = other
            .ok(&format!("STATUS {name} (HIGHESTMODSEQ)"))
            .remove(0);
        let number = line.rsplit(' ').next().unwrap().trim_end_matches(')');
        number.parse().unwrap()
    };
    let mut target = server.client();
    for command in ["MOVE 1 box", "UID MOVE 2 box"] {
        let before = [highest("INBOX"), highest("box")];
        c.ok(command);
        assert!(highest("INBOX") > before[0], "{command}: {before:?}");
        target.ok("SELECT box (CONDSTORE)");
        let line = target.ok("FETCH * (MODSEQ)").remove(0);
        let modseq = line.split("MODSEQ (").nth(1).unwrap();
        let modseq: u64 = modseq.trim_end_matches(')').parse().unwrap();
        assert!(modseq > before[1], "{command}: {modseq}, {before:?}");
    }
    // Where nothing is moved nothing goes up.
    let before = [highest("INBOX"), highest("box")];
    c.check("UID MOVE 99 box", &[], "OK");
    assert_eq!([highest("INBOX"), highest("box")], before);
}

/// §3.3: what others expunged may be told along with it; and what comes behind it in the same breath is safe where it
/// names messages by UID.
#[test]
fn among_other_commands() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    server.selected("INBOX").ok("MOVE 1 box");
    c.send(b"x UID MOVE 2 box\r\ny UID FETCH 3 FLAGS\r\nz UID MOVE 3 box\r\n");
    // Dovecot begins with the second before the first is through.
    let told: Vec<String> = ["x", "y", "z"]
        .iter()
        .flat_map(|tag| c.until_tagged(tag).plain())
        .collect();
    for uid in [2, 3] {
        let copied = format!("* OK [COPYUID {target} {uid} {uid}]");
        assert!(told.contains(&copied), "{told:?}");
    }
    let fetched = told.iter().find(|line| line.contains("FETCH")).unwrap();
    assert!(fetched.contains("UID 3"), "{told:?}");
    c.ok("NOOP");
    c.check("SEARCH ALL", &["* SEARCH"], "OK");
}

/// §4.3: COPYUID SHOULD be sent, and before the EXPUNGE, in an untagged OK (RFC 9051 §6.4.8: REQUIRED). The flags and the
/// internal date go along, as with COPY.
#[test]
fn move_tells_copyuid_then_expunge() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    let date = c.ok("FETCH 1 INTERNALDATE").remove(0);
    let copied = format!("* OK [COPYUID {target} 1,3 1:2]");
    let reply = c.run("MOVE 1,3 box");
    let lines: Vec<String> = reply
        .plain()
        .into_iter()
        .filter(|line| !line.ends_with(" RECENT"))
        .collect();
    assert_eq!(lines, [copied, "* 3 EXPUNGE".into(), "* 1 EXPUNGE".into()]);
    assert!(reply.tagged.starts_with("OK"));
    c.check("UID SEARCH ALL", &["* SEARCH 2"], "OK");
    let mut c2 = server.selected("box");
    c2.check(
        "FETCH 1:* (UID FLAGS)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent kw) UID 1)",
            "* 2 FETCH (FLAGS (\\Flagged \\Recent) UID 2)",
        ],
        "OK",
    );
    assert_eq!(c2.ok("FETCH 1 INTERNALDATE"), [date]);
    let reply = c.run("UID MOVE 2 box");
    assert!(
        reply
            .plain()
            .contains(&format!("* OK [COPYUID {target} 2 3]")),
        "{reply:?}"
    );
    assert!(
        reply.plain().contains(&"* 1 EXPUNGE".to_owned()),
        "{reply:?}"
    );
    c.check("SEARCH ALL", &["* SEARCH"], "OK");
}

/// §5: `move = "MOVE" SP sequence-set SP mailbox`.
#[test]
fn grammar() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    for number in 4..=12 {
        c.append("INBOX", "", &message(&number.to_string()));
    }
    c.ok("NOOP");
    for (command, moved) in [
        ("MOVE 12 box", "12"),
        ("MOVE 11,9 box", "9,11"),
        ("MOVE 9:8 box", "8,10"),
        ("MOVE * box", "7"),
        ("move 5:* box", "5:6"),
        ("MOVE 4 \"box\"", "4"),
        ("MOVE 3 {3}\r\nbox", "3"),
        ("UID MOVE 2,77 {3+}\r\nbox", "2"),
    ] {
        let lines = c.ok(command);
        let code = lines[0].split(' ').nth(4);
        assert_eq!(code, Some(moved), "{command}: {lines:?}");
    }
    c.check("UID SEARCH ALL", &["* SEARCH 1"], "OK");
    for arguments in [
        "",
        " ",
        " 1",
        " 1 ",
        " box",
        " x box",
        " 0 box",
        " 1 (box)",
        " 1,2, box",
    ] {
        c.bad_strictly(&format!("MOVE{arguments}"));
    }
    c.check("NOOP", &[], "OK");
    for arguments in [" 1:2:3 box", " 2 box", " 1:2 box"] {
        c.bad(&format!("MOVE{arguments}"));
    }
    c.bad_strictly("MOVE 1 box 2");
    if server.either(true, false) {
        c.bad("MOVE 1  box");
    }
}

#[test]
fn states() {
    let server = Server::start();
    only_where_selected(&server, "MOVE 1 INBOX");
}

/// §3.3: one act. No response of a STORE is made and nothing becomes \Deleted (MUST NOT), and other sessions, here in
/// IDLE, see no state between.
#[test]
fn no_state_between_is_seen() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    let mut source = server.selected("INBOX");
    let mut target = server.selected("box");
    let mut source = source.idle();
    let mut target = target.idle();
    let lines = c.ok("MOVE 2:3 box");
    assert!(
        !lines.iter().any(|line| line.contains("FETCH")),
        "{lines:?}"
    );
    source.expect(&["* 3 EXPUNGE", "* 2 EXPUNGE"]);
    target.expect(&["* 2 EXISTS"]);
    source.done(&[]);
    target.done(&[]);
    let mut c = server.selected("box");
    c.check("SEARCH DELETED", &["* SEARCH"], "OK");
    // What is \Deleted stays so, and is not expunged by a MOVE of others.
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("four"));
    c.append("INBOX", "", &message("five"));
    c.ok("SELECT INBOX");
    c.ok("MOVE 3 box");
    c.check("SEARCH DELETED", &["* SEARCH 2"], "OK");
    c.ok("MOVE 2 box");
    server
        .selected("box")
        .check("SEARCH DELETED", &["* SEARCH 4"], "OK");
}

/// §3.3: TRYCREATE as with COPY; RFC 9051 §6.4.8: a mailbox that does not exist MUST NOT be made, and is told of by
/// TRYCREATE unless it never could be made.
#[test]
fn move_that_cannot_be_moves_nothing() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    for name in ["nosuch", "nosuch.below", "&AOk-"] {
        c.check(&format!("MOVE 1 {name}"), &[], "NO [TRYCREATE]");
        c.check(&format!("UID MOVE 1 {name}"), &[], "NO [TRYCREATE]");
    }
    assert_eq!(c.ok("LIST \"\" %").len(), 2, "none was created");
    c.check("MOVE 1 a..b", &[], "NO [CANNOT]");
    c.bad("MOVE 1:4 box");
    c.check("UID MOVE 99 box", &[], "OK");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3"], "OK");
}

/// §3.3: each message is moved or is not (SHOULD; RFC 9051 §6.4.8: MUST), it MUST be in one of the mailboxes and SHOULD NOT
/// be in both, whatever the tagged response is.
#[test]
fn each_message_is_in_one_place() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let count = |folder: &str| server.maildir.files(folder).len();
    // One of the three is gone, and this client has not heard of it. Dovecot moves the others.
    let reply = c.run("MOVE 1:3 box");
    assert_eq!(count("INBOX") + count("box"), 2, "{reply:?}");
    if server.either(false, true) {
        return;
    }
    assert_eq!(reply.outcome(), "NO [EXPUNGEISSUED]");
    assert_eq!((count("INBOX"), count("box")), (2, 0));
    c.ok("NOOP");
    // A target that cannot be written; then a source.
    use std::os::unix::fs::PermissionsExt;
    for folder in ["box", "INBOX"] {
        let permit = |mode| {
            for sub in ["cur", "new"] {
                let dir = server.maildir.folder(folder).join(sub);
                std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        permit(0o555);
        c.check("MOVE 1:2 box", &[], "NO [NOPERM]");
        permit(0o755);
        assert_eq!((count("INBOX"), count("box")), (2, 0), "{folder}");
        c.check("UID SEARCH ALL", &["* SEARCH 1 3"], "OK");
    }
    c.ok("MOVE 1:2 box");
    assert_eq!((count("INBOX"), count("box")), (0, 2));
}

/// §3.3: into the mailbox it comes from, as COPY can. It has a new UID then.
#[test]
fn within_one_mailbox() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    let mut lines = c.ok("MOVE 1 INBOX");
    lines.retain(|line| !line.ends_with(" RECENT"));
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].ends_with(" 1 4]"),
        "{lines:?}"
    );
    assert_eq!(lines[1..], ["* 1 EXPUNGE", "* 3 EXISTS"]);
    c.check("UID SEARCH ALL", &["* SEARCH 2 3 4"], "OK");
    c.check(
        "FETCH 3 FLAGS",
        &["* 3 FETCH (FLAGS (\\Seen \\Recent kw))"],
        "OK",
    );
    assert_eq!(server.maildir.files("INBOX").len(), 3);
}

#[test]
fn move_within_a_file_system_leaves_one_file() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    let before = server.maildir.files("INBOX").len();
    c.ok("MOVE 2 box");
    assert_eq!(server.maildir.files("INBOX").len(), before - 1);
    assert_eq!(server.maildir.files("box").len(), 1);
}
