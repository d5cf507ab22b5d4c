//! EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1).

use crate::harness::{Client, Server, message};

fn five(server: &Server) -> Client {
    let mut c = server.client();
    for flags in ["", "(\\Deleted) ", "(\\Deleted) ", "", "(\\Deleted) "] {
        c.append("INBOX", flags, &message("x"));
    }
    c.ok("SELECT INBOX");
    c
}

#[test]
fn the_deleted_go_and_numbers_close_up() {
    let server = Server::start();
    let mut c = five(&server);
    let told = ["* 5 EXPUNGE", "* 3 EXPUNGE", "* 2 EXPUNGE"];
    let reply = c.run("EXPUNGE");
    let lines: Vec<String> = reply
        .plain()
        .into_iter()
        .filter(|line| !line.ends_with(" RECENT"))
        .collect();
    assert_eq!(lines, told);
    c.check("UID SEARCH ALL", &["* SEARCH 1 4"], "OK");
    c.check("EXPUNGE", &[], "OK");
    assert_eq!(server.maildir.files("INBOX").len(), 2);
}

#[test]
fn uid_expunge_takes_only_the_deleted_among_the_uids() {
    let server = Server::start();
    let mut c = five(&server);
    let lines: Vec<String> = c
        .ok("UID EXPUNGE 1:2,5:99")
        .into_iter()
        .filter(|line| !line.ends_with(" RECENT"))
        .collect();
    assert_eq!(lines, ["* 5 EXPUNGE", "* 2 EXPUNGE"]);
    c.check("UID SEARCH DELETED", &["* SEARCH 3"], "OK");
    c.bad("UID EXPUNGE");
    c.bad_strictly("EXPUNGE 1");
}

/// UIDs do not come back, and UIDNEXT does not go back, also when the highest message is gone.
#[test]
fn the_next_uid_stays_ahead() {
    let server = Server::start();
    let mut c = five(&server);
    c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    assert_eq!(
        c.ok("STATUS INBOX (MESSAGES UIDNEXT)"),
        ["* STATUS INBOX (MESSAGES 0 UIDNEXT 6)"]
    );
    assert_eq!(c.append("INBOX", "", &message("y")), 6);
}
