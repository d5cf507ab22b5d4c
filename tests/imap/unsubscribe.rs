//! UNSUBSCRIBE (RFC 3501 §6.3.7, RFC 9051 §6.3.8).

use super::states;
use crate::harness::Server;

/// `unsubscribe = "UNSUBSCRIBE" SP mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    for form in states::forms("box") {
        c.ok("SUBSCRIBE box");
        c.check(&format!("uNsUbScRiBe {form}"), &[], "OK");
        c.check("LSUB \"\" *", &[], "OK");
    }
    for inbox in states::INBOX {
        c.ok("SUBSCRIBE INBOX");
        c.check(&format!("UNSUBSCRIBE {inbox}"), &[], "OK");
        c.check("LSUB \"\" *", &[], "OK");
    }
    c.ok("SUBSCRIBE box");
    states::takes_one_name(&server, &mut c, "UNSUBSCRIBE");
    c.check("LSUB \"\" *", &["* LSUB () \".\" box"], "OK");
}

/// RFC 9051 §6.3.8: "This command returns a tagged OK response if the unsubscription is successful or if the mailbox
/// is not subscribed."
#[test]
fn what_is_not_subscribed() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    c.check("UNSUBSCRIBE box", &[], "OK");
    c.check("UNSUBSCRIBE nosuch", &[], "OK");
    // "NO - unsubscribe failure: can't unsubscribe that name"
    c.no("UNSUBSCRIBE ../x");
    c.no("UNSUBSCRIBE \"\"");
}

#[test]
fn one_whose_mailbox_is_gone_and_no_other() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["p", "p.q", "gone"] {
        c.ok(&format!("CREATE {name}"));
        c.ok(&format!("SUBSCRIBE {name}"));
    }
    c.ok("DELETE gone");
    c.check("UNSUBSCRIBE gone", &[], "OK");
    c.check("UNSUBSCRIBE p", &[], "OK");
    c.check("LSUB \"\" *", &["* LSUB () \".\" p.q"], "OK");
    assert_eq!(c.ok("LIST \"\" p").len(), 1, "the mailbox is there still");
}
