//! SAVEDATE (RFC 8514): when a message came into the mailbox that it is in.

use std::fs;
use std::sync::Arc;

use jiff::Zoned;

use crate::harness::{Client, Kind, Maildir, Server, message};

/// A file's name from long ago, and its day in every zone that is not at the date line.
const OLD: &str = "1700049600.M1P1.host";
const OLD_DAY: &str = "15-Nov-2023";

/// What FETCH says of a message, in seconds since 1970.
#[track_caller]
fn saved(c: &mut Client, uid: u32) -> i64 {
    let lines = c.ok(&format!("UID FETCH {uid} (SAVEDATE)"));
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    let date = line.split('"').nth(1).unwrap_or_else(|| panic!("{line}"));
    let date = Zoned::strptime("%d-%b-%Y %H:%M:%S %z", date.trim());
    date.unwrap().timestamp().as_second()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// §3: "this date and time value cannot be set arbitrarily when a message is delivered by the IMAP APPEND command." §4.2 and
/// §4.3, with their examples.
#[test]
fn fetch_and_search() {
    let server = Server::start();
    let mut c = server.client();
    let before = now();
    let date = "\"01-Jan-2015 18:50:53 +0100\" ";
    c.append("INBOX", date, &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    let after = now();
    for uid in [1, 2] {
        assert!((before..=after).contains(&saved(&mut c, uid)));
    }
    c.check("SEARCH ON 1-Jan-2015", &["* SEARCH 1"], "OK");
    c.check("SEARCH SAVEDON 1-Jan-2015", &["* SEARCH"], "OK");
    c.check("SEARCH SAVEDBEFORE 1-Jan-2016", &["* SEARCH"], "OK");
    c.check("SEARCH SAVEDSINCE 1-Jan-2016", &["* SEARCH 1 2"], "OK");
    c.check(
        "UID SEARCH OR SAVEDBEFORE 2-Jan-2015 NOT SAVEDON \"1-Jan-2015\"",
        &["* SEARCH 1 2"],
        "OK",
    );
    // "Matches all messages in the mailbox when the underlying storage of that mailbox supports the save date attribute."
    c.check("SEARCH SAVEDATESUPPORTED", &["* SEARCH 1 2"], "OK");
    c.check("SEARCH NOT SAVEDATESUPPORTED", &["* SEARCH"], "OK");
    let lines = c.ok("FETCH 1 (INTERNALDATE SAVEDATE UID)");
    assert!(
        lines[0].contains("INTERNALDATE \" 1-Jan-2015")
            || lines[0].contains("INTERNALDATE \"01-Jan-2015")
    );
    assert!(lines[0].contains(" SAVEDATE \""), "{lines:?}");
    for wrong in ["SAVEDON", "SAVEDBEFORE x", "SAVEDSINCE 32-Jan-2015"] {
        c.bad_strictly(&format!("SEARCH {wrong}"));
    }
}

/// "when a message is delivered to the mailbox by the IMAP COPY command or the IMAP MOVE command, the save date attribute is not
/// copied from the source message. Instead, the current date and time […] MUST be used". "Once calculated, the save date
/// attribute MUST NOT change as long as the message is contained within the same mailbox." "the save date of the message in the
/// source mailbox remains unaffected".
#[test]
fn copies_are_new_and_nothing_else_changes_it() {
    let maildir = Arc::new(Maildir::new());
    for number in 0..3 {
        let name = format!("{OLD}{number}:2,");
        maildir.place("INBOX", "cur", &name, message("old").as_bytes());
    }
    let begin = now();
    {
        let server = Server::on(&maildir);
        if server.kind == Kind::Dovecot {
            // It takes the file's ctime, which every renaming changes.
            return;
        }
        let mut c = server.selected("INBOX");
        c.check(
            &format!("SEARCH SAVEDON {OLD_DAY}"),
            &["* SEARCH 1 2 3"],
            "OK",
        );
        c.ok("CREATE box");
        c.ok("COPY 1 box");
        c.ok("MOVE 2 box");
        c.ok("COPY 1 INBOX");
        c.check(
            &format!("UID SEARCH SAVEDON {OLD_DAY}"),
            &["* SEARCH 1 3"],
            "OK",
        );
        assert_eq!(saved(&mut c, 1), 1_700_049_600);
        assert!((begin..=now()).contains(&saved(&mut c, 4)));
        c.ok("UID STORE 1:* +FLAGS (\\Flagged kw)");
        c.ok("SELECT box");
        for uid in [1, 2] {
            assert!((begin..=now()).contains(&saved(&mut c, uid)));
        }
        c.ok("STORE 1:* +FLAGS (\\Seen)");
        server.stop();
    }
    let end = now();
    maildir.forget_caches();
    let server = Server::on(&maildir);
    let mut c = server.selected("box");
    for uid in [1, 2] {
        assert!((begin..=end).contains(&saved(&mut c, uid)));
    }
    c.ok("SELECT INBOX");
    assert_eq!(saved(&mut c, 1), 1_700_049_600);
    assert!((begin..=end).contains(&saved(&mut c, 4)));
}

/// A message that another program moves here under its old name came here now, as one does whose name tells no time. Of what
/// lay here before under such a name nobody knows: its internal date is what there is, and stays.
#[test]
fn what_others_put_here() {
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "first:2,", message("first").as_bytes());
    maildir.place("INBOX", "cur", "second:2,", message("second").as_bytes());
    let path = |name: &str| maildir.folder("INBOX").join(name);
    fs::write(
        path("dovecot-uidlist"),
        "3 V7 N2 G0123456789abcdef0123456789abcdef\n1 :first\n",
    )
    .unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_049_600);
    for name in ["first", "second"] {
        let file = fs::File::options()
            .write(true)
            .open(path(&format!("cur/{name}:2,")));
        file.unwrap().set_modified(old).unwrap();
    }
    let begin = now();
    let server = Server::on(&maildir);
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.selected("INBOX");
    assert_eq!(saved(&mut c, 1), 1_700_049_600);
    assert_eq!(saved(&mut c, 2), 1_700_049_600);
    c.check(
        &format!("SEARCH SAVEDON {OLD_DAY}"),
        &["* SEARCH 1 2"],
        "OK",
    );
    c.ok("STORE 1:2 +FLAGS (\\Flagged)");
    let name = format!("{OLD}:2,S");
    maildir.place("INBOX", "cur", &name, message("moved").as_bytes());
    c.ok("NOOP");
    maildir.place("INBOX", "cur", "third:2,", message("third").as_bytes());
    c.ok("NOOP");
    for uid in [3, 4] {
        assert!((begin..=now()).contains(&saved(&mut c, uid)));
    }
    c.check(
        &format!("SEARCH SAVEDON {OLD_DAY}"),
        &["* SEARCH 1 2"],
        "OK",
    );
}
