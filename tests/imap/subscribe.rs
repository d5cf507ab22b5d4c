//! SUBSCRIBE (RFC 3501 §6.3.6, RFC 9051 §6.3.7).

use std::sync::Arc;

use super::states;
use crate::harness::{Maildir, Server};

/// `subscribe = "SUBSCRIBE" SP mailbox`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    for form in states::forms("box") {
        c.check(&format!("sUbScRiBe {form}"), &[], "OK");
        c.check("LSUB \"\" *", &["* LSUB () \".\" box"], "OK");
        c.ok("UNSUBSCRIBE box");
    }
    for inbox in states::INBOX {
        c.check(&format!("SUBSCRIBE {inbox}"), &[], "OK");
        c.check("LSUB \"\" *", &["* LSUB () \".\" INBOX"], "OK");
    }
    states::takes_one_name(&server, &mut c, "SUBSCRIBE");
}

/// RFC 9051 §6.3.7: "This command returns a tagged OK response if the subscription is successful or if the mailbox
/// is already subscribed." RFC 3501 had it: "only if the subscription is successful".
#[test]
fn once_and_again() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE a.b");
    c.check("SUBSCRIBE a.b", &[], "OK");
    c.check("SUBSCRIBE a.b", &[], "OK");
    c.check("LSUB \"\" *", &["* LSUB () \".\" a.b"], "OK");
    // The implied parent is not a mailbox, and is not subscribed with its child.
    c.check(
        "LIST (SUBSCRIBED) \"\" *",
        &["* LIST (\\Subscribed) \".\" a.b"],
        "OK",
    );
}

/// RFC 3501 §6.3.6: "A server MAY validate the mailbox argument to SUBSCRIBE to verify that it exists." "NO -
/// subscribe failure: can't subscribe to that name".
#[test]
fn what_cannot_be_subscribed() {
    let server = Server::start();
    let mut c = server.client();
    c.no("SUBSCRIBE nosuch");
    for name in ["../x", "\"\"", "a..b", "x/y", "&bad"] {
        c.no(&format!("SUBSCRIBE {name}"));
    }
    c.check("LSUB \"\" *", &[], "OK");
}

/// RFC 3501 §6.3.6: "it MUST NOT unilaterally remove an existing mailbox name from the subscription list even if a
/// mailbox by that name no longer exists."
#[test]
fn a_name_stays_subscribed_without_its_mailbox() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    for name in ["deleted", "renamed", "removed", "stays"] {
        c.ok(&format!("CREATE {name}"));
        c.ok(&format!("SUBSCRIBE {name}"));
    }
    c.ok("DELETE deleted");
    c.ok("RENAME renamed elsewhere");
    std::fs::remove_dir_all(maildir.folder("removed")).unwrap();
    let all = [
        "* LSUB () \".\" deleted",
        "* LSUB () \".\" removed",
        "* LSUB () \".\" renamed",
        "* LSUB () \".\" stays",
    ];
    c.check_sorted("LSUB \"\" *", &all, "OK");
    // Nor when others are added and removed, nor by a new server.
    c.ok("SUBSCRIBE elsewhere");
    c.ok("UNSUBSCRIBE elsewhere");
    drop(c);
    server.stop();
    let server = Server::on(&maildir);
    server.client().check_sorted("LSUB \"\" *", &all, "OK");
}

/// Each session has the one list of the user.
#[test]
fn another_session_knows_it_at_once() {
    let server = Server::start();
    let mut c1 = server.client();
    let mut c2 = server.client();
    c1.ok("SUBSCRIBE INBOX");
    c2.check("LSUB \"\" *", &["* LSUB () \".\" INBOX"], "OK");
    c2.ok("UNSUBSCRIBE INBOX");
    c1.check("LSUB \"\" *", &[], "OK");
}
