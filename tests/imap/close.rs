//! CLOSE (RFC 3501 §6.4.2, RFC 9051 §6.4.1).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::selected::only_where_selected;
use crate::harness::{Client, Server, message};

/// INBOX with a message to keep between two that are `\Deleted`.
fn three(server: &Server) -> Client {
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.append("INBOX", "(\\Deleted \\Seen) ", &message("three"));
    c
}

/// How many messages are there, by STATUS.
#[track_caller]
fn counts(server: &Server, messages: u32) {
    let expected = format!("* STATUS INBOX (MESSAGES {messages})");
    server
        .client()
        .check("STATUS INBOX (MESSAGES)", &[&expected], "OK");
}

/// "The CLOSE command permanently removes all messages that have the \Deleted flag set from the currently selected
/// mailbox, and it returns to the authenticated state from the selected state."
#[test]
fn close() {
    let server = Server::start();
    let mut c = three(&server);
    c.ok("SELECT INBOX");
    // "No untagged EXPUNGE responses are sent." RFC 9051 §7.1, CLOSED: "There is no need to return the CLOSED
    // response code on completion of the CLOSE or the UNSELECT command".
    c.check("CLOSE", &[], "OK");
    c.bad("FETCH 1 FLAGS");
    assert_eq!(server.maildir.files("INBOX").len(), 1);
    c.ok("SELECT INBOX");
    c.check("UID SEARCH ALL", &["* SEARCH 2"], "OK");
    // Another time there is nothing to remove.
    c.check("CLOSE", &[], "OK");
    counts(&server, 1);
}

/// "Arguments: none".
#[test]
fn it_has_no_arguments() {
    let server = Server::start();
    let mut c = three(&server);
    for line in ["CLOSE now", "CLOSE ", "CLOSE INBOX"] {
        c.ok("SELECT INBOX");
        c.bad_strictly(line);
        if server.either(true, false) {
            c.check("UID SEARCH DELETED", &["* SEARCH 1 3"], "OK");
        }
    }
}

#[test]
fn states() {
    only_where_selected(&Server::start(), "CLOSE");
}

/// "No messages are removed, and no error is given, if the mailbox is selected by an EXAMINE command or is
/// otherwise selected as read-only."
#[test]
fn read_only() {
    let server = Server::start();
    let mut c = three(&server);
    c.ok("EXAMINE INBOX");
    c.check("CLOSE", &[], "OK");
    counts(&server, 3);
    if server.either(false, true) {
        return; // Dovecot warns by an untagged NO where it cannot write.
    }
    let dirs = ["", "cur", "new"].map(|sub| server.maildir.path().join(sub));
    let permit = |mode| {
        for dir in &dirs {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    permit(0o555);
    assert_eq!(c.outcome("SELECT INBOX"), "OK [READ-ONLY]");
    c.check("CLOSE", &[], "OK");
    permit(0o755);
    counts(&server, 3);
}

/// "The SELECT, EXAMINE, and LOGOUT commands implicitly close the currently selected mailbox without doing an
/// expunge."
#[test]
fn other_ends_of_a_selection_expunge_nothing() {
    let server = Server::start();
    let mut c = three(&server);
    c.ok("CREATE box");
    for command in ["SELECT box", "EXAMINE box", "SELECT INBOX", "EXAMINE INBOX"] {
        c.ok("SELECT INBOX");
        c.ok(command);
        counts(&server, 3);
    }
    c.ok("SELECT INBOX");
    c.no("SELECT nosuch");
    counts(&server, 3);
    c.ok("SELECT INBOX");
    c.check("LOGOUT", &["* BYE"], "OK");
    counts(&server, 3);
    // Nor does a connection that breaks off.
    let mut c = server.selected("INBOX");
    c.hang_up();
    c.rest();
    counts(&server, 3);
}

/// The others hear of it as of any expunge, and whoever closed hears nothing of the mailbox any more.
#[test]
fn the_others_are_told() {
    let server = Server::start();
    let mut c = three(&server);
    let mut other = server.selected("INBOX");
    c.ok("SELECT INBOX");
    c.check("CLOSE", &[], "OK");
    other.check("NOOP", &["* 3 EXPUNGE", "* 1 EXPUNGE"], "OK");
    other.append("INBOX", "", &message("four"));
    c.check("NOOP", &[], "OK");
}
