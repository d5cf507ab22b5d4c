//! NOOP (RFC 3501 §6.1.2, RFC 9051 §6.1.2).

use super::states;
use crate::harness::{Server, message};

/// "The NOOP command always succeeds. It does nothing."
#[test]
fn grammar_and_every_state() {
    let server = Server::start();
    for c in [
        &mut server.connect(),
        &mut server.client(),
        &mut server.selected("INBOX"),
    ] {
        c.check("NOOP", &[], "OK");
        c.check("nOoP", &[], "OK");
        c.bad_strictly("NOOP ");
        c.bad_strictly("NOOP x");
        c.check("NOOP", &[], "OK");
    }
}

/// "the NOOP command can be used as a periodic poll for new messages or message status updates during a period of
/// inactivity".
#[test]
fn what_came() {
    let server = Server::start();
    let mut c1 = server.selected("INBOX");
    let mut c2 = server.client();
    c2.append("INBOX", "", &message("one"));
    c1.check("NOOP", &["* 1 EXISTS", "* 1 RECENT"], "OK");
    c1.check("NOOP", &[], "OK");
}

/// The example of §6.1.2: EXPUNGE, EXISTS, RECENT and FETCH, each once.
#[test]
fn what_went_and_what_changed() {
    let server = Server::start();
    let mut other = server.client();
    for subject in ["one", "two"] {
        other.append("INBOX", "", &message(subject));
    }
    let mut c = server.selected("INBOX");
    other.ok("SELECT INBOX");
    other.ok("STORE 1 +FLAGS (\\Deleted)");
    other.ok("STORE 2 +FLAGS (\\Flagged)");
    other.ok("EXPUNGE");
    other.append("INBOX", "", &message("three"));
    let told = c.ok("NOOP");
    for line in [
        "* 1 EXPUNGE",
        // Dovecot says it before the EXPUNGE.
        server.either(
            "* 1 FETCH (FLAGS (\\Flagged \\Recent))",
            "* 2 FETCH (FLAGS (\\Flagged \\Recent))",
        ),
        "* 2 EXISTS",
    ] {
        assert!(told.contains(&line.to_owned()), "no {line} in {told:?}");
    }
    c.check("NOOP", &[], "OK");
}

/// RFC 9051 §7.5.2: "If the server chooses to send unsolicited FETCH responses, they MUST include UID FETCH item."
#[test]
fn with_imap4rev2() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    server.selected("INBOX").ok("STORE 1 +FLAGS (\\Flagged)");
    server.maildir.deliver("INBOX", &message("two"));
    let told = c.ok("NOOP");
    assert_eq!(told.len(), 2, "there is no RECENT: {told:?}");
    assert!(told.contains(&"* 1 FETCH (FLAGS (\\Flagged) UID 1)".to_owned()));
    assert!(told.contains(&"* 2 EXISTS".to_owned()));
}
