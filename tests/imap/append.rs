//! APPEND (RFC 3501 §6.3.11; RFC 4315 APPENDUID; RFC 7888 LITERAL+).

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::select::validity;
use crate::harness::{Maildir, Server, message};

#[test]
fn with_flags_keywords_and_a_date() {
    let server = Server::start();
    let mut c = server.client();
    let validity = validity(&c.ok("SELECT INBOX"));
    let text = message("one");
    let size = text.len();
    c.check_sorted(
        &format!("APPEND INBOX (\\Seen \\Answered kw) \"01-Feb-2020 03:04:05 +0100\" {{{size}}}\r\n{text}"),
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft kw)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft kw \\*)]",
            "* 1 EXISTS",
            "* 1 RECENT",
        ],
        &format!("OK [APPENDUID {validity} 1]"),
    );
    c.check(
        "FETCH 1 (UID FLAGS RFC822.SIZE)",
        &[&format!(
            "* 1 FETCH (FLAGS (\\Answered \\Seen \\Recent kw) RFC822.SIZE {size} UID 1)"
        )],
        "OK",
    );
    // The instant is kept; the zone is the server's to choose.
    let file = server.maildir.files("INBOX").remove(0);
    assert_eq!(
        server.maildir.path().join(file).metadata().unwrap().mtime(),
        1_580_522_645
    );
}

#[test]
fn the_bytes_come_back_whole() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("SELECT INBOX");
    for text in [
        "Subject: no body\r\n\r\n",
        "no header at all",
        "Subject: no end of line\r\n\r\nlast",
        "Subject: 8-bit gr\u{fc}\u{df}e\r\n\r\nna\u{ef}ve\r\n",
        "Subject: dots\r\n\r\n.\r\n..\r\n",
    ] {
        let uid = c.append("INBOX", "", text);
        let lines = c.ok(&format!("UID FETCH {uid} BODY.PEEK[]"));
        let expected = format!("BODY[] {{{}}}\r\n{text} UID {uid})", text.len());
        assert!(lines[0].ends_with(&expected), "{lines:?}");
    }
}

#[test]
fn literals_that_do_not_wait() {
    let server = Server::start();
    let mut c = server.client();
    let text = message("one");
    let reply = c.run(&format!(
        "APPEND {{5+}}\r\nINBOX () {{{}+}}\r\n{text}",
        text.len()
    ));
    assert!(reply.tagged.starts_with("OK [APPENDUID "), "{reply:?}");
}

#[test]
fn to_a_mailbox_that_is_not_there() {
    let server = Server::start();
    let mut c = server.client();
    // Refused before the message is sent, and with a literal that does not wait it is swallowed.
    c.check("APPEND nosuch {9}\r\nA1 LOGOUT", &[], "NO [TRYCREATE]");
    c.check("APPEND nosuch {9+}\r\nA1 LOGOUT", &[], "NO [TRYCREATE]");
    c.check("NOOP", &[], "OK");
    c.no("APPEND ../x {3+}\r\nabc");
    c.check("NOOP", &[], "OK");
}

#[test]
fn what_does_not_parse_is_swallowed_with_its_literal() {
    let server = Server::start();
    let mut c = server.client();
    // Dovecot takes the literal of a bad APPEND for commands; Culver throws it away.
    if server.either(false, true) {
        return;
    }
    c.bad("APPEND INBOX \"bad date\" {10+}\r\nA1 LOGOUT\r");
    c.check("NOOP", &[], "OK");
    c.bad("APPEND INBOX (\\Recent) {10+}\r\nA1 LOGOUT\r");
    c.bad("APPEND INBOX (\\Nosuch {10+}\r\nA1 LOGOUT\r");
    c.bad("APPEND INBOX \"31-Feb-2020 00:00:00 +0000\" {3+}\r\nabc");
    c.bad("APPEND INBOX {3+}\r\nabc trailing");
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

#[test]
fn an_empty_message_is_refused() {
    let server = Server::start();
    let mut c = server.client();
    c.no("APPEND INBOX {0+}\r\n");
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

#[test]
fn cut_off_in_the_middle_it_leaves_nothing() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("SELECT INBOX");
    let mut rude = server.client();
    rude.send(b"x APPEND INBOX {1000+}\r\nSubject: half\r\n\r\n");
    rude.hang_up();
    rude.rest();
    c.check("NOOP", &[], "OK");
    crate::harness::wait_until("an empty tmp", || {
        std::fs::read_dir(server.maildir.path().join("tmp"))
            .unwrap()
            .next()
            .is_none()
    });
    assert!(server.maildir.files("INBOX").is_empty());
}

#[test]
fn the_file_is_as_dovecot_writes_it() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.append("INBOX", "", "Subject: x\r\n\r\nab\r\n");
    c.append("INBOX", "(\\Seen kw) ", "Subject: x\r\n\r\nab\r\n");
    let files = maildir.files("INBOX");
    let flagged = files.iter().find(|name| name.starts_with("cur/")).unwrap();
    let plain = files.iter().find(|name| name.starts_with("new/")).unwrap();
    assert!(flagged.ends_with(",S=15,W=18:2,Sa"), "{flagged}");
    assert!(plain.ends_with(",S=15,W=18"), "{plain}");
    assert_eq!(
        std::fs::read(maildir.path().join(plain)).unwrap(),
        b"Subject: x\n\nab\n"
    );
    assert_eq!(
        std::fs::read_to_string(maildir.path().join("dovecot-keywords")).unwrap(),
        "0 kw\n"
    );
}
