//! STATUS (RFC 3501 §6.3.10).

use super::select::validity;
use crate::harness::{Server, message};

#[test]
fn every_item_in_the_order_asked() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    c.append("box", "(\\Seen) ", &message("one"));
    c.append("box", "", &message("two"));
    c.append("box", "", &message("three"));
    let lines = c.ok("EXAMINE box");
    let validity = validity(&lines);
    c.ok("UNSELECT");
    let told = c.ok("STATUS box (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)");
    assert_eq!(
        told,
        [format!(
            "* STATUS box (MESSAGES 3 RECENT 3 UIDNEXT 4 UIDVALIDITY {validity} UNSEEN 2)"
        )]
    );
    c.check("STATUS box (UNSEEN)", &["* STATUS box (UNSEEN 2)"], "OK");
    // STATUS takes no \Recent away.
    assert!(c.ok("SELECT box").contains(&"* 3 RECENT".to_owned()));
}

#[test]
fn of_a_delivery_that_nobody_has_seen_and_of_the_selected_mailbox() {
    let server = Server::start();
    let mut c = server.client();
    server.maildir.deliver("INBOX", &message("one"));
    c.check(
        "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)",
        &["* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"],
        "OK",
    );
    c.ok("SELECT INBOX");
    let reply = c.run("STATUS INBOX (MESSAGES)");
    assert_eq!(reply.plain(), ["* STATUS INBOX (MESSAGES 1)"]);
    assert!(reply.tagged.starts_with("OK"));
}

#[test]
fn what_cannot_be() {
    let server = Server::start();
    let mut c = server.client();
    c.check(
        "STATUS nosuch (MESSAGES)",
        &[],
        server.either("NO [NONEXISTENT]", "NO"),
    );
    c.ok("CREATE a.b");
    c.no("STATUS a (MESSAGES)");
    c.bad("STATUS INBOX (NOSUCH)");
    c.bad("STATUS INBOX MESSAGES");
    c.bad("STATUS INBOX");
}
