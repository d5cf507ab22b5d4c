//! MULTIAPPEND (RFC 3502): several messages in one APPEND, all or none.

use super::select::validity;
use crate::harness::{Client, Server, message};

/// `{n}`, the message, and nothing else.
fn literal(text: &str) -> String {
    format!("{{{}}}\r\n{text}", text.len())
}

#[track_caller]
fn holds(c: &mut Client, mailbox: &str, count: usize) {
    c.check(
        &format!("STATUS {mailbox} (MESSAGES)"),
        &[&format!("* STATUS {mailbox} (MESSAGES {count})")],
        "OK",
    );
}

/// The RFC's first example. "The UIDs returned should be in the order the articles where appended."
#[test]
fn two_messages_with_flags_and_dates() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE saved-messages");
    let validity = validity(&c.ok("SELECT saved-messages"));
    let first = "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.example.COM>\r\n\
                 Subject: afternoon meeting\r\n\r\nHello Joe, do you think we can meet at 3:30 tomorrow?\r\n";
    let second = "Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)\r\nFrom: Joe Mooch <mooch@OWaTaGu.example.net>\r\n\
                  Subject: Re: afternoon meeting\r\n\r\n3:30 is fine with me.\r\n";
    c.check(
        &format!(
            "APPEND saved-messages (\\Seen) {} (\\Seen \\Flagged) \" 7-Feb-1994 22:43:04 -0800\" {}",
            literal(first),
            literal(second)
        ),
        &["* 2 EXISTS", "* 2 RECENT"],
        &format!("OK [APPENDUID {validity} 1:2]"),
    );
    c.check(
        "FETCH 1:* (UID FLAGS RFC822.SIZE)",
        &[
            &format!(
                "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) RFC822.SIZE {})",
                first.len()
            ),
            &format!(
                "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen \\Recent) RFC822.SIZE {})",
                second.len()
            ),
        ],
        "OK",
    );
    let lines = c.ok("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] INTERNALDATE)");
    assert!(
        lines[0].contains("Subject: Re: afternoon meeting"),
        "{lines:?}"
    );
    c.check("SEARCH BEFORE 1-Jan-2000", &["* SEARCH 2"], "OK");
}

#[test]
fn literals_that_do_not_wait() {
    let server = Server::start();
    let mut c = server.client();
    let texts: Vec<String> = (0..50).map(|n| message(&format!("n{n}"))).collect();
    let parts: Vec<String> = texts
        .iter()
        .map(|text| format!(" {{{}+}}\r\n{text}", text.len()))
        .collect();
    let outcome = c.outcome(&format!("APPEND INBOX{}", parts.concat()));
    assert!(outcome.ends_with(" 1:50]"), "{outcome}");
    c.ok("SELECT INBOX");
    let size = texts[49].len();
    c.check(
        "FETCH 50 RFC822.SIZE",
        &[&format!("* 50 FETCH (RFC822.SIZE {size})")],
        "OK",
    );
    c.check("SEARCH SUBJECT n49", &["* SEARCH 50"], "OK");
}

/// "If the append is unsuccessful for any reason (including being cancelled), the mailbox MUST be restored to
/// its state before the APPEND attempt; no partial appending is permitted." "A zero-length message literal
/// argument is an error, and MUST return a NO. This can be used to cancel the append."
#[test]
fn all_or_none() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("before"));
    let text = message("x");
    let good = literal(&text);
    let unasked = format!("{{{}+}}\r\n{text}", text.len());
    c.no(&format!("APPEND INBOX {good} {{0+}}\r\n"));
    c.no(&format!("APPEND INBOX {good} (\\Seen) {good} {{0+}}\r\n"));
    c.no(&format!("APPEND INBOX {unasked} {{0+}}\r\n"));
    if server.either(true, false) {
        // Dovecot takes what follows its NO for commands.
        c.no(&format!("APPEND INBOX {unasked} {{0+}}\r\n {unasked}"));
        c.bad(&format!(
            "APPEND INBOX {unasked} (\\Recent) {unasked} {unasked}"
        ));
        c.bad(&format!(
            "APPEND INBOX {good} \"no date\" {{10}}\r\n0123456789"
        ));
        c.bad(&format!("APPEND INBOX {good} "));
        c.bad(&format!("APPEND INBOX {good} x"));
    }
    holds(&mut c, "INBOX", 1);
    assert_eq!(server.maildir.files("INBOX").len(), 1);
    let tmp = std::fs::read_dir(server.maildir.path().join("tmp")).unwrap();
    assert_eq!(tmp.count(), 0);
    c.check("NOOP", &[], "OK");
}

/// "If the destination mailbox does not exist, a server MUST return an error, and MUST NOT automatically create
/// the mailbox. […] the server MUST send the response code "[TRYCREATE]"".
#[test]
fn to_a_mailbox_that_is_not_there() {
    let server = Server::start();
    let mut c = server.client();
    c.check("APPEND bogusname (\\Flagged) {1023}", &[], "NO [TRYCREATE]");
    let text = message("x");
    let unasked = format!("{{{}+}}\r\n{text}", text.len());
    c.check(
        &format!("APPEND bogusname (\\Flagged) {unasked} {unasked} {unasked}"),
        &[],
        "NO [TRYCREATE]",
    );
    c.check("NOOP", &[], "OK");
}

#[test]
fn a_client_that_breaks_off_leaves_nothing() {
    let server = Server::start();
    let mut c = server.client();
    let mut rude = server.client();
    let text = message("x");
    let unasked = format!("{{{}+}}\r\n{text}", text.len());
    rude.send(format!("x APPEND INBOX {unasked} {unasked} {{1000+}}\r\nSubject: half").as_bytes());
    rude.hang_up();
    rude.rest();
    crate::harness::wait_until("an empty tmp", || {
        let tmp = std::fs::read_dir(server.maildir.path().join("tmp")).unwrap();
        tmp.count() == 0
    });
    holds(&mut c, "INBOX", 0);
    assert!(server.maildir.files("INBOX").is_empty());
}

/// Several hundred messages wait for the last one without a descriptor each.
#[test]
fn many_messages_take_few_descriptors() {
    let server = Server::start();
    if server.either(false, true) {
        return; // It has a process for each connection.
    }
    let mut c = server.client();
    let text = message("x");
    let one = format!(" {{{}+}}\r\n{text}", text.len());
    let before = descriptors(&server);
    c.send(format!("x APPEND INBOX{}", one.repeat(300)).as_bytes());
    let tmp = server.maildir.path().join("tmp");
    crate::harness::wait_until("300 files in tmp", || {
        std::fs::read_dir(&tmp).unwrap().count() == 300
    });
    let during = descriptors(&server);
    assert!(during < before + 20, "{before} → {during}");
    c.send(b"\r\n");
    let reply = c.until_tagged("x");
    assert!(reply.tagged.contains(" 1:300]"), "{reply:?}");
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
}

fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count()
}
