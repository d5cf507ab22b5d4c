//! WITHIN (RFC 5032): OLDER and YOUNGER.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::harness::{Maildir, Server, message};

/// Messages that came so many seconds ago, in this order.
fn received(ages: &[u64]) -> Arc<Maildir> {
    let maildir = Arc::new(Maildir::new());
    for (at, age) in ages.iter().enumerate() {
        let path = maildir.place("INBOX", "cur", &format!("{at}.x:2,"), b"Subject: x\n\n");
        let time = SystemTime::now() - Duration::from_secs(*age);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    maildir
}

/// "For OLDER, messages match if the INTERNALDATE is less recent than or equal to the target time. For YOUNGER,
/// messages match if the INTERNALDATE is more recent than or equal to the target time." (RFC 5032 §2)
#[test]
fn older_and_younger() {
    // 259200 seconds are the three days of the RFC's own example.
    let server = Server::on(&received(&[300_000, 200_000, 1000, 0]));
    let mut c = server.selected("INBOX");
    c.ok("STORE 4 +FLAGS.SILENT (\\Seen)");
    for (key, expected) in [
        ("UNSEEN YOUNGER 259200", " 2 3"),
        ("YOUNGER 259200", " 2 3 4"),
        ("OLDER 259200", " 1"),
        ("OLDER 900 YOUNGER 250000", " 2 3"),
        ("NOT YOUNGER 259200", " 1"),
        ("NOT OLDER 259200", " 2 3 4"),
        ("OLDER 4000000000", ""),
        ("YOUNGER 4294967295", " 1 2 3 4"),
        ("OR OLDER 259200 YOUNGER 900", " 1 4"),
    ] {
        c.check(
            &format!("SEARCH {key}"),
            &[&format!("* SEARCH{expected}")],
            "OK",
        );
    }
    c.check("UID SEARCH older 259200", &["* SEARCH 1"], "OK");
}

/// `search-key =/ ( "OLDER" / "YOUNGER" ) SP nz-number`
#[test]
fn intervals_that_are_none() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    for interval in ["0", "-1", "x", "", "4294967296", "1d"] {
        c.bad_strictly(&format!("SEARCH OLDER {interval}"));
        c.bad_strictly(&format!("SEARCH YOUNGER {interval}"));
    }
}

/// Nothing happens to a message when it grows too old, so nothing would be told. (Dovecot does not look at it again.)
#[test]
fn what_changes_by_time_is_not_followed() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "", &message("x"));
    c.ok("SELECT INBOX");
    for key in ["YOUNGER 1000", "NOT OR OLDER 5 SEEN"] {
        let tag = c.next_tag();
        let lines = c.ok(&format!("SEARCH RETURN (UPDATE COUNT) {key}"));
        let refused = format!("* NO [NOUPDATE \"{tag}\"]");
        assert!(lines.contains(&refused), "{lines:?}");
    }
}
