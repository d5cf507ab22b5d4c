//! MOVE (RFC 6851, RFC 9051 §6.4.8).

use super::copy::three;
use super::selected::only_where_selected;
use crate::harness::{Server, message};

/// "Servers are also REQUIRED to send the COPYUID response code in an untagged OK before sending EXPUNGE or similar
/// responses." RFC 6851 §4.3: "SHOULD send COPYUID in response to a UID MOVE command." "The flags and internal date of the message(s) SHOULD be preserved."
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

/// `move = "MOVE" SP sequence-set SP mailbox`.
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

/// "response codes for a STORE MUST NOT be generated, and the \Deleted flag MUST NOT be set for any message." Other
/// sessions, here one in IDLE, see no state between: "it appears to the client as a single action".
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

/// "If the destination mailbox does not exist, a server MUST return an error. It MUST NOT automatically create the
/// mailbox. Unless it is certain that the destination mailbox cannot be created, the server MUST send the response code
/// "[TRYCREATE]"".
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

/// "each individual message MUST be either moved or unaffected. The server MUST leave each message in a state where it is
/// in at least one of the source or target mailboxes (no message can be lost or orphaned). The server SHOULD NOT leave
/// any message in both mailboxes". "This is true even if the server returns a tagged NO response to the command."
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

/// "moving a message to the currently selected mailbox (that is, where the source and target mailboxes are the same) is
/// allowed when copying the message to the currently selected mailbox is allowed." It has a new UID then.
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
