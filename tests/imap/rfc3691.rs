//! UNSELECT (RFC 3691, RFC 9051 §6.4.2).

use super::selected::only_where_selected;
use crate::harness::{Server, message};

/// §2, the example: as CLOSE, but nothing is expunged.
#[test]
fn unselect() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted \\Seen)");
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" UNSELECT "), "{told}");
    // No untagged response; RFC 9051 §7.1: no need of CLOSED either.
    c.check("UNSELECT", &[], "OK");
    c.check(
        "STATUS INBOX (MESSAGES UNSEEN)",
        &["* STATUS INBOX (MESSAGES 2 UNSEEN 1)"],
        "OK",
    );
    c.ok("SELECT INBOX");
    c.check("UID SEARCH DELETED", &["* SEARCH 1 2"], "OK");
    // After EXAMINE as well.
    c.ok("EXAMINE INBOX");
    c.check("UNSELECT", &[], "OK");
    c.bad("FETCH 1 FLAGS");
    // BAD where none is selected, and with an argument.
    c.bad("UNSELECT");
    c.ok("SELECT INBOX");
    c.bad_strictly("UNSELECT INBOX");
    c.bad_strictly("UNSELECT ");
}

/// §2 and §4: of the selected state, and back to the authenticated one; in capitals or not.
#[test]
fn states() {
    only_where_selected(&Server::start(), "UNSELECT");
}

/// §2: what the mailbox took is freed. The session hears no more of it, nothing is recent to it any more, and the mailbox
/// can be removed under it.
#[test]
fn what_was_selected_is_let_go() {
    let server = Server::start();
    let mut c = server.client();
    let mut other = server.client();
    c.ok("CREATE box");
    c.ok("SELECT box");
    c.ok("UNSELECT");
    other.append("box", "", &message("one"));
    c.check("NOOP", &[], "OK");
    assert!(other.ok("SELECT box").contains(&"* 1 RECENT".to_owned()));
    other.ok("UNSELECT");
    other.ok("DELETE box");
    c.check("NOOP", &[], "OK");
    c.no("SELECT box");
}
