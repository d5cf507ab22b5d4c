//! UIDPLUS (RFC 4315): UID EXPUNGE, APPENDUID and COPYUID. Several messages in one APPEND: `rfc3502`; sets of COPY and
//! of UID EXPUNGE in all their forms: `copy`, `expunge`; MOVE: `rfc6851`.

use std::sync::Arc;

use super::copy::three;
use super::expunge::{expunged, five};
use super::select::validity;
use crate::harness::{Maildir, Server, message};

/// §2.1, the example: three messages of which the first is the third in the mailbox. Each number is that of the moment, so
/// any order will do that ends with these three gone.
#[test]
fn uid_expunge_as_in_the_example() {
    let maildir = Arc::new(Maildir::new());
    maildir.numbered("INBOX", 1, 4000, &[7, 9, 3000, 3001, 3002, 3003]);
    let server = Server::on(&maildir);
    let mut c = server.client();
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" UIDPLUS "), "{told}");
    c.ok("SELECT INBOX");
    c.ok("STORE 1:5 +FLAGS.SILENT (\\Deleted)");
    let mut uids = vec![7, 9, 3000, 3001, 3002, 3003];
    for number in expunged(&mut c, "UID EXPUNGE 3000:3002") {
        uids.remove(number - 1);
    }
    assert_eq!(uids, [7, 9, 3003]);
    c.check("UID SEARCH ALL", &["* SEARCH 7 9 3003"], "OK");
}

/// §2.1: what is in the set and \Deleted goes; what is only the one or only the other stays.
#[test]
fn uid_expunge() {
    let server = Server::start();
    let mut c = five(&server);
    assert_eq!(expunged(&mut c, "UID EXPUNGE 1:2,5:99"), [5, 2]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 3 4"], "OK");
    c.check("UID SEARCH DELETED", &["* SEARCH 3"], "OK");
    // What other clients have marked is safe.
    server.selected("INBOX").ok("STORE 1 +FLAGS (\\Deleted)");
    c.ok("NOOP");
    assert_eq!(expunged(&mut c, "UID EXPUNGE 3"), [2]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 4"], "OK");
    // The numbers are UIDs, and one that does not exist is passed over.
    assert_eq!(expunged(&mut c, "UID EXPUNGE 2,3,5:4294967295"), [0; 0]);
    // What the responses name are sequence numbers.
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(expunged(&mut c, "UID EXPUNGE 4"), [2]);
}

/// §4: a range is the same both ways round.
#[test]
fn a_range_both_ways_round() {
    let server = Server::start();
    let mut c = five(&server);
    assert_eq!(expunged(&mut c, "UID EXPUNGE 3:2"), [3, 2]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 4 5"], "OK");
}

/// §3, the example's A003 to A005, with its numbers: the UIDVALIDITY is that of the destination, the sets are of what was
/// copied, in order and without a "*"; where nothing was, there is no code.
#[test]
fn appenduid_and_copyuid_as_in_the_example() {
    let maildir = Arc::new(Maildir::new());
    maildir.numbered("INBOX", 7, 321, &[300, 304, 319, 320]);
    maildir.numbered("saved-messages", 38505, 3955, &[3900]);
    maildir.numbered("meeting", 38505, 3956, &[]);
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let text = "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@example.com>\r\n\
                Subject: afternoon meeting\r\nTo: mooch@example.com\r\n\
                Message-Id: <B27397-0100000@example.com>\r\nMIME-Version: 1.0\r\n\
                Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n\
                Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n";
    c.check(
        &format!(
            "APPEND saved-messages (\\Seen) {{{}}}\r\n{text}",
            text.len()
        ),
        &[],
        "OK [APPENDUID 38505 3955]",
    );
    c.check(
        "COPY 2:4 meeting",
        &[],
        "OK [COPYUID 38505 304,319:320 3956:3958]",
    );
    c.check("UID COPY 305:310 meeting", &[], "OK");
    // They are where the codes say.
    c.ok("SELECT saved-messages");
    c.check(
        "UID SEARCH SUBJECT \"afternoon meeting\"",
        &["* SEARCH 3955"],
        "OK",
    );
    c.ok("SELECT meeting");
    for (uid, subject) in [(3956, "m304"), (3957, "m319"), (3958, "m320")] {
        let found = format!("* SEARCH {uid}");
        c.check(&format!("UID SEARCH SUBJECT {subject}"), &[&found], "OK");
    }
}

/// §3: a single message has a single UID, and never a range such as 123:123, be it appended or copied; also where
/// others, that do not exist, were asked for.
#[test]
fn one_message_has_one_number() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    let text = message("four");
    let literal = format!("{{{}+}}\r\n{text}", text.len());
    c.check(
        &format!("APPEND box {literal}"),
        &[],
        &format!("OK [APPENDUID {target} 1]"),
    );
    c.check("COPY 2 box", &[], &format!("OK [COPYUID {target} 2 2]"));
    c.check("COPY * box", &[], &format!("OK [COPYUID {target} 3 3]"));
    c.check(
        "UID COPY 3:99 box",
        &[],
        &format!("OK [COPYUID {target} 3 4]"),
    );
    // Several at once are a set (where MULTIAPPEND is).
    c.check(
        &format!("APPEND box {literal} {literal}"),
        &[],
        &format!("OK [APPENDUID {target} 5:6]"),
    );
}

/// §3: UIDs that do not exist are not copied, and none of them is named.
#[test]
fn copyuid_names_what_was_copied() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    c.check(
        "UID COPY 1:99 box",
        &[],
        &format!("OK [COPYUID {target} 1,3 1:2]"),
    );
    c.check("UID COPY 2,4:99 box", &[], "OK");
    c.check("STATUS box (UIDNEXT)", &["* STATUS box (UIDNEXT 3)"], "OK");
}

/// §3: a mailbox whose UIDs do not last SHOULD NOT be: none here is UIDNOTSTICKY, and what a code named is found again
/// in every later session.
#[test]
fn uids_last() {
    let maildir = Arc::new(Maildir::new());
    let (mut uid, mut last) = (0, 0);
    for round in 0..3 {
        let server = Server::on(&maildir);
        let mut c = server.client();
        let told = c.ok("SELECT INBOX");
        assert!(!told.iter().any(|line| line.contains("UIDNOTSTICKY")));
        if round > 0 {
            assert_eq!(validity(&told), last);
            let found = format!("* SEARCH {uid}");
            let subject = format!("UID SEARCH SUBJECT round{}", round - 1);
            c.check(&subject, &[&found], "OK");
        }
        last = validity(&told);
        uid = c.append("INBOX", "", &message(&format!("round{round}")));
        server.stop();
    }
}
