//! COPY and MOVE (RFC 3501 §6.4.7, RFC 6851, RFC 4315 COPYUID).

use super::select::validity;
use crate::harness::{Client, Server, message};

fn three(server: &Server) -> (Client, u32) {
    let mut c = server.client();
    c.append(
        "INBOX",
        "(\\Seen kw) \"01-Feb-2020 03:04:05 +0000\" ",
        &message("one"),
    );
    c.append("INBOX", "", &message("two"));
    c.append("INBOX", "(\\Flagged) ", &message("three"));
    c.ok("CREATE box");
    let target = validity(&c.ok("SELECT box"));
    c.ok("SELECT INBOX");
    (c, target)
}

#[test]
fn copy_keeps_flags_keywords_and_date() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    let date = c.ok("FETCH 1 INTERNALDATE").remove(0);
    c.check(
        "COPY 1,3 box",
        &[],
        &format!("OK [COPYUID {target} 1,3 1:2]"),
    );
    c.check(
        "UID COPY 2:3 box",
        &[],
        &format!("OK [COPYUID {target} 2:3 3:4]"),
    );
    let own = validity(&server.client().ok("EXAMINE INBOX"));
    c.check(
        "COPY 1 INBOX",
        &["* 4 EXISTS", "* 4 RECENT"],
        &format!("OK [COPYUID {own} 1 4]"),
    );
    let mut c2 = server.selected("box");
    c2.check(
        "FETCH 1:* (UID FLAGS)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent kw) UID 1)",
            "* 2 FETCH (FLAGS (\\Flagged \\Recent) UID 2)",
            "* 3 FETCH (FLAGS (\\Recent) UID 3)",
            "* 4 FETCH (FLAGS (\\Flagged \\Recent) UID 4)",
        ],
        "OK",
    );
    assert_eq!(c2.ok("FETCH 1 INTERNALDATE"), [date]);
    // The source is as it was.
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4"], "OK");
}

#[test]
fn copy_that_cannot_be_copies_nothing() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    c.check("COPY 1 nosuch", &[], "NO [TRYCREATE]");
    c.bad("COPY 1:4 box");
    c.bad("COPY 1");
    c.check("UID COPY 99 box", &[], "OK");
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 0)"],
        "OK",
    );
}

#[test]
fn move_tells_copyuid_then_expunge() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    let copied = format!("* OK [COPYUID {target} 1,3 1:2]");
    // RFC 6851 §4.3 recommends COPYUID in an untagged OK, before the EXPUNGEs.
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

#[test]
fn move_that_cannot_be_moves_nothing() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    c.check("MOVE 1 nosuch", &[], "NO [TRYCREATE]");
    c.bad("MOVE 1:4 box");
    c.check("UID MOVE 99 box", &[], "OK");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3"], "OK");
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
