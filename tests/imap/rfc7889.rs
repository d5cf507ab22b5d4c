//! APPENDLIMIT (RFC 7889): how large a message may be.

use std::sync::Arc;

use crate::harness::{Kind, Maildir, Server, Setup, message};

/// Culver with `max-message-size`; Dovecot knows nothing of this.
fn limited(settings: &str) -> Option<Server> {
    let maildir = Arc::new(Maildir::new());
    (Kind::chosen() == Kind::Culver).then(|| {
        Setup::new(Kind::Culver)
            .mail_settings(settings)
            .start(&maildir)
    })
}

/// "(a) APPENDLIMIT=<number>: This indicates that the IMAP server has the same upload limit for all mailboxes."
#[test]
fn the_limit_is_announced() {
    let Some(server) = limited("max-message-size = \"10K\"\n") else {
        return;
    };
    let mut c = server.client();
    let line = c.ok("CAPABILITY").concat();
    assert!(line.contains(" APPENDLIMIT=10240"), "{line}");
    c.check(
        "STATUS INBOX (APPENDLIMIT)",
        &["* STATUS INBOX (APPENDLIMIT 10240)"],
        "OK",
    );
    c.check(
        "STATUS INBOX (MESSAGES APPENDLIMIT)",
        &["* STATUS INBOX (MESSAGES 0 APPENDLIMIT 10240)"],
        "OK",
    );
    // "The IMAP server MUST recognize the APPENDLIMIT attribute and include an appropriate STATUS response for
    // each matching mailbox" (§3.2).
    let lines = c.ok("LIST \"\" INBOX RETURN (STATUS (APPENDLIMIT))");
    assert_eq!(lines.last().unwrap(), "* STATUS INBOX (APPENDLIMIT 10240)");
}

/// "it can publish "NIL" for a mailbox to convey that there is no APPENDLIMIT for that mailbox".
#[test]
fn without_a_limit() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    let line = c.ok("CAPABILITY").concat();
    assert!(format!("{line} ").contains(" APPENDLIMIT "), "{line}");
    c.check(
        "STATUS INBOX (APPENDLIMIT)",
        &["* STATUS INBOX (APPENDLIMIT NIL)"],
        "OK",
    );
}

/// "If a client uploads a message that exceeds the maximum upload size set for that mailbox, then the server
/// SHALL reject the APPEND command with a tagged TOOBIG response code."
#[test]
fn what_is_too_big_is_refused() {
    let Some(server) = limited("max-message-size = \"10K\"\n") else {
        return;
    };
    let mut c = server.client();
    let large = format!("{}{}\r\n", message("large"), "x".repeat(10_240));
    let size = large.len();
    // Before it is sent, where the client asks first.
    c.check(&format!("APPEND INBOX {{{size}}}"), &[], "NO [TOOBIG]");
    c.check(
        &format!("APPEND INBOX {{{size}+}}\r\n{large}"),
        &[],
        "NO [TOOBIG]",
    );
    let small = message("small");
    let good = format!("{{{}+}}\r\n{small}", small.len());
    // One of several: none is appended.
    c.check(
        &format!("APPEND INBOX {good} {{{size}+}}\r\n{large} {good}"),
        &[],
        "NO [TOOBIG]",
    );
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
    let just = format!("Subject: x\r\n\r\n{}", "x".repeat(10_240 - 14));
    assert_eq!(c.append("INBOX", "", &just), 1);
}
