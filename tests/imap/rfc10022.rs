//! UIDBATCHES (RFC 10022).

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// A mailbox with so many messages.
fn filled(messages: usize) -> (Server, Client) {
    let maildir = Arc::new(Maildir::new());
    let text = message("one");
    for number in 0..messages {
        let name = format!("{}.M{number}.host:2,", 1_700_000_000 + number);
        maildir.place("INBOX", "cur", &name, text.as_bytes());
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let c = server.selected("INBOX");
    (server, c)
}

/// The ranges of one answer.
fn batches(c: &mut Client, arguments: &str) -> Vec<(u32, u32)> {
    let tag = c.next_tag();
    let lines = c.ok(&format!("UIDBATCHES {arguments}"));
    let front = format!("* UIDBATCHES (TAG \"{tag}\")");
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    let ranges = line.strip_prefix(&front).unwrap().trim_start();
    let range = |range: &str| {
        let (high, low) = range.split_once(':').unwrap();
        (high.parse().unwrap(), low.parse().unwrap())
    };
    ranges
        .split(',')
        .filter(|one| !one.is_empty())
        .map(range)
        .collect()
}

/// Ranges come newest first, none of them holds more messages than asked for, and together they hold all.
#[test]
fn newest_first() {
    let (_server, mut c) = filled(2600);
    c.ok("STORE 100:199,2500 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let all = batches(&mut c, "1000");
    assert_eq!(all.first().unwrap().0, 2600);
    assert_eq!(all.last().unwrap().1, 1);
    assert_eq!(all.len(), 3);
    for pair in all.windows(2) {
        assert_eq!(pair[0].1, pair[1].0 + 1);
    }
    let mut left = 2499;
    for (high, low) in &all {
        let found = c.ok(&format!("UID SEARCH UID {high}:{low}"));
        let count = found[0].split(' ').count() - 2;
        assert_eq!(count, left.min(1000));
        left -= count;
    }
    assert_eq!(left, 0);
    // "only batches 10 to 20"; beyond the end there are none.
    assert_eq!(batches(&mut c, "1000 2:3"), all[1..]);
    assert_eq!(batches(&mut c, "1000 4:5"), []);
    assert_eq!(batches(&mut c, "500 1:1").len(), 1);
    // "A mailbox with fewer messages than the batch size gives exactly one range."
    assert_eq!(batches(&mut c, "3000"), [(2600, 1)]);
    // `$` is not touched.
    c.ok("SEARCH RETURN (SAVE) 1:3");
    batches(&mut c, "4000");
    c.check(
        "SEARCH RETURN (COUNT) $",
        &[&format!("* ESEARCH (TAG \"{}\") COUNT 3", c.next_tag())],
        "OK",
    );
}

#[test]
fn an_empty_mailbox() {
    let (_server, mut c) = filled(0);
    assert_eq!(batches(&mut c, "500"), []);
    assert_eq!(batches(&mut c, "4294967295"), []);
}

/// "below its minimum: NO [TOOFEW]"; low above high: `BAD [CLIENTBUG]`.
#[test]
fn what_may_not_be_asked() {
    let (server, mut c) = filled(3);
    for (arguments, outcome) in [
        ("1", "NO [TOOFEW]"),
        ("499", "NO [TOOFEW]"),
        ("500 2:1", "BAD [CLIENTBUG]"),
    ] {
        assert_eq!(c.outcome(&format!("UIDBATCHES {arguments}")), outcome);
    }
    super::states::bad_arguments(
        &server,
        &mut c,
        "UIDBATCHES",
        &[
            "",
            " ",
            " 0",
            " x",
            " 500 1",
            " 500 1:",
            " 500 0:1",
            " 500 1:*",
            " 500 1,2",
            " 500 1:2 3",
        ],
    );
    c.bad("UID UIDBATCHES 500");
    c.ok("UNSELECT");
    c.bad("UIDBATCHES 500");
}

/// The same again is for a mailbox that has changed by half a batch, or was selected anew: `NO [LIMIT]`.
#[test]
fn not_again_and_again() {
    let (_server, mut c) = filled(600);
    batches(&mut c, "500");
    assert_eq!(c.outcome("UIDBATCHES 500"), "NO [LIMIT]");
    batches(&mut c, "501");
    batches(&mut c, "500 1:1");
    batches(&mut c, "500 2:2");
    c.ok("STORE 1:249 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    assert_eq!(c.outcome("UIDBATCHES 500"), "NO [LIMIT]");
    c.append("INBOX", "", &message("new"));
    assert_eq!(batches(&mut c, "500"), [(601, 1)]);
    assert_eq!(c.outcome("UIDBATCHES 500"), "NO [LIMIT]");
    c.ok("SELECT INBOX");
    batches(&mut c, "500");
    // "all ranges for mailboxes up to 100 000 messages must work", one by one too.
    for number in 1..=200 {
        batches(&mut c, &format!("500 {number}:{number}"));
    }
    assert_eq!(c.outcome("UIDBATCHES 500 200:200"), "NO [LIMIT]");
    // What was asked so long ago is forgotten.
    batches(&mut c, "500");
}
