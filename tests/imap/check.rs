//! CHECK (RFC 3501 §6.4.1). RFC 9051 has no such command any more; it is served all the same.

use super::select::validity;
use super::selected::only_where_selected;
use crate::harness::{Server, message};

/// "Responses: no specific responses for this command".
#[test]
fn check() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check("CHECK", &[], "OK");
    // "Arguments: none", and so BAD: "command unknown or arguments invalid".
    c.bad_strictly("CHECK x");
    c.bad_strictly("CHECK ");
    c.bad_strictly("CHECK INBOX");
}

#[test]
fn states() {
    only_where_selected(&Server::start(), "CHECK");
}

/// "A checkpoint refers to any implementation-dependent housekeeping associated with the mailbox (e.g., resolving
/// the server's in-memory state of the mailbox with the state on its disk)". What was told outlasts a server that
/// is killed then.
#[test]
fn what_was_told_is_on_disk() {
    let server = Server::start();
    let maildir = server.maildir.clone();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.append("INBOX", "", &message("two"));
    let told = validity(&c.ok("SELECT INBOX"));
    c.ok("STORE 2 +FLAGS.SILENT (\\Flagged later)");
    c.check("CHECK", &[], "OK");
    server.kill();
    let server = Server::on(&maildir);
    let mut c = server.client();
    assert_eq!(validity(&c.ok("SELECT INBOX")), told);
    c.check("UID SEARCH ALL", &["* SEARCH 1 2"], "OK");
    c.check("UID SEARCH FLAGGED KEYWORD later", &["* SEARCH 2"], "OK");
}

/// "There is no guarantee that an EXISTS untagged response will happen as a result of CHECK." Here it does, for
/// §5.2: "A server MUST send mailbox size updates automatically if a mailbox size change is observed during the
/// processing of a command."
#[test]
fn it_tells_news_as_noop_does() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let mut other = server.client();
    other.append("INBOX", "", &message("one"));
    c.check("CHECK", &["* 1 EXISTS", "* 1 RECENT"], "OK");
    other.ok("SELECT INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    c.check("CHECK", &["* 1 EXPUNGE"], "OK");
}
