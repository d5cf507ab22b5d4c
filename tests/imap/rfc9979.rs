//! `$HasAttachment` and `$HasNoAttachment` (RFC 9979): where a setting asks for it, arriving messages get one of them.

use std::sync::Arc;

use super::rfc4469::literal;
use crate::harness::{Kind, Maildir, Setup, message};
use crate::limits::stated;

fn attached(subject: &str) -> String {
    format!(
        "Subject: {subject}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n\
         Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n%PDF\r\n--b--\r\n"
    )
}

#[test]
fn what_arrives_says_whether_it_has_attachments() {
    let maildir = Arc::new(Maildir::new());
    maildir.place(
        "INBOX",
        "cur",
        "1700000000.M1.host:2,",
        attached("old").as_bytes(),
    );
    let settings = "attachment-keywords = true\n";
    let server = Setup::new(Kind::Culver)
        .mail_settings(settings)
        .start(&maildir);
    let mut c = server.selected("INBOX");
    c.append("INBOX", "", &attached("one"));
    c.append("INBOX", "(\\Seen kw) ", &message("two"));
    // Who says it already is believed.
    c.append("INBOX", "($hasnoattachment) ", &attached("three"));
    maildir.deliver("INBOX", &attached("four"));
    maildir.deliver("INBOX", &message("five"));
    c.ok("NOOP");
    c.check("SEARCH KEYWORD $HasAttachment", &["* SEARCH 2 5"], "OK");
    c.check("SEARCH KEYWORD $HasNoAttachment", &["* SEARCH 3 4 6"], "OK");
    c.check("SEARCH KEYWORD kw SEEN", &["* SEARCH 3"], "OK");
    // "exclusive of each other" is for whoever sets them later; a copy has what the message has.
    c.ok("CREATE box");
    c.ok("COPY 2 box");
    let lines = c.ok(&format!("REPLACE 4 INBOX {}", literal(&attached("three"))));
    assert!(!lines.is_empty());
    c.ok("SELECT box");
    c.check("SEARCH KEYWORD $HasAttachment", &["* SEARCH 1"], "OK");
}

/// That all keywords are taken keeps no message from arriving; and without the setting nothing is said.
#[test]
fn where_nothing_is_said() {
    let maildir = Arc::new(Maildir::new());
    let settings = "attachment-keywords = true\n";
    {
        let server = Setup::new(Kind::Culver).start(&maildir);
        let mut c = server.selected("INBOX");
        c.append("INBOX", "", &attached("one"));
        let (most, _) = stated("keywords of a mailbox");
        let keywords: Vec<String> = (0..most).map(|number| format!("k{number}")).collect();
        c.ok(&format!("STORE 1 FLAGS.SILENT ({})", keywords.join(" ")));
        c.ok("STORE 1 FLAGS.SILENT ()");
        server.stop();
    }
    let server = Setup::new(Kind::Culver)
        .mail_settings(settings)
        .start(&maildir);
    let mut c = server.selected("INBOX");
    c.append("INBOX", "", &attached("two"));
    maildir.deliver("INBOX", &attached("three"));
    c.ok("NOOP");
    c.check("SEARCH ALL", &["* SEARCH 1 2 3"], "OK");
    c.check("SEARCH KEYWORD $HasAttachment", &["* SEARCH"], "OK");
}
