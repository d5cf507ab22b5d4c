//! Mailbox size and message status updates (RFC 3501 §5.2 and §5.3, RFC 9051 §5.2 and §5.3; the EXISTS and RECENT
//! responses of §7.3). When EXPUNGE may be told is in `responses.rs`; what others hear of each change in `two_clients.rs`.

use std::io::Read;

use crate::harness::{Server, message};

/// "A server MUST send mailbox size updates automatically if a mailbox size change is observed during the processing of a
/// command." Every command observes it that does not end the selection. "A server SHOULD send message flag updates
/// automatically, without requiring the client to request such updates explicitly." §7: "Server implementations that offer
/// multiple simultaneous access to the same mailbox SHOULD also send appropriate unilateral untagged FETCH and EXPUNGE
/// responses if another agent changes the state of any message flags or expunges any messages."
#[test]
fn every_command_brings_the_news() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    c.append("INBOX", "", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    let mut other = server.selected("INBOX");
    let mut count = 2;
    let mut flags = ["(\\Flagged)", "(\\Draft)"].into_iter().cycle();
    for command in [
        "NOOP",
        "CHECK",
        "CAPABILITY",
        "FETCH 1 UID",
        "STORE 1 +FLAGS.SILENT (\\Answered)",
        "SEARCH ALL",
        "COPY 1 box",
        "UID FETCH 1 UID",
        "UID STORE 1 -FLAGS.SILENT (\\Answered)",
        "UID SEARCH ALL",
        "UID COPY 1 box",
        "UID EXPUNGE 1",
        "EXPUNGE",
        "CREATE other",
        "SUBSCRIBE other",
        "LIST \"\" %",
        "LSUB \"\" %",
        "STATUS box (MESSAGES)",
        "RENAME other another",
        "UNSUBSCRIBE other",
        "DELETE another",
        "NAMESPACE",
        "APPEND box {17+}\r\nSubject: x\r\n\r\nx\r\n",
        "COPY 1 nosuch",
    ] {
        other.append("INBOX", "", &message("more"));
        count += 1;
        let flag = flags.next().unwrap();
        other.ok(&format!("STORE 2 FLAGS.SILENT {flag}"));
        let reply = c.run(command);
        let mut lines = reply.plain();
        if server.either(false, true) {
            lines.extend(c.ok("NOOP")); // Dovecot's commands that have nothing to do with a mailbox look at none.
        }
        let exists = format!("* {count} EXISTS");
        assert!(lines.contains(&exists), "{command}: {reply:?}");
        let changed = lines.iter().any(|line| {
            line.starts_with("* 2 FETCH (") && line.contains(flag.trim_matches(['(', ')']))
        });
        assert!(changed, "{command}: {reply:?}");
        // Once.
        c.check("NOOP", &[], "OK");
    }
}

/// "it is NOT permitted to send an EXISTS response that would reduce the number of messages in the mailbox; only the
/// EXPUNGE response can do this." And §7.4.1: "it is not necessary to send an EXISTS response with the new value".
#[test]
fn exists_only_grows() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let mut other = server.selected("INBOX");
    let mut known = 0_usize;
    let mut hear = |lines: Vec<String>| {
        for line in lines {
            let mut words = line.split(' ').skip(1);
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            match (number.parse::<usize>(), what) {
                (Ok(count), "EXISTS") => {
                    assert!(count >= known, "{count} EXISTS after {known}");
                    known = count;
                }
                (Ok(number), "EXPUNGE") => {
                    assert!((1..=known).contains(&number), "{number} of {known}");
                    known -= 1;
                }
                _ => {}
            }
        }
        known
    };
    for round in 0..6 {
        for _ in 0..round + 2 {
            other.append("INBOX", "", &message("x"));
        }
        other.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
        // Those that came and went between two looks are two expunges and one count at most.
        match round % 3 {
            0 => drop(other.ok("EXPUNGE")),
            1 => {
                hear(c.ok("NOOP"));
                other.ok("EXPUNGE");
            }
            _ => {
                other.ok("EXPUNGE");
                other.append("INBOX", "", &message("y"));
            }
        }
        let known = hear(c.ok("NOOP"));
        let found = c.ok("SEARCH ALL").remove(0);
        assert_eq!(found.split(' ').count() - 2, known, "{found}");
        other.append("INBOX", "", &message("z"));
        other.append("INBOX", "", &message("z"));
        other.ok("NOOP");
        hear(c.ok("NOOP"));
    }
}

/// §7.3.1: EXISTS "occurs as a result of a SELECT or EXAMINE command, and if the size of the mailbox changes"; §7.3.2: so
/// does RECENT.
#[test]
fn exists_and_recent() {
    let server = Server::start();
    let mut c = server.client();
    for count in 0..3 {
        for command in ["SELECT INBOX", "EXAMINE INBOX"] {
            let lines = c.ok(command);
            assert!(lines.contains(&format!("* {count} EXISTS")), "{lines:?}");
            assert_eq!(
                lines
                    .iter()
                    .filter(|line| line.ends_with(" RECENT"))
                    .count(),
                1,
                "{lines:?}"
            );
        }
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    // RECENT "reports the number of messages with the \Recent flag set".
    server.client().append("INBOX", "", &message("x"));
    c.check("NOOP", &["* 4 EXISTS", "* 2 RECENT"], "OK");
    c.check("SEARCH RECENT", &["* SEARCH 3 4"], "OK");
}

/// §5.3: "Server implementations that send such responses MUST deal with flow control considerations. Specifically, they MUST
/// either (1) verify that the size of the data does not exceed the underlying transport's available window size or (2) use
/// non-blocking writes." A client that does
/// not read holds up nobody else, and then hears it all.
#[test]
fn a_client_that_does_not_read() {
    let server = Server::start();
    let mut c = server.client();
    let text = format!("Subject: long\r\n\r\n{}\r\n", "x".repeat(1 << 20));
    for _ in 0..8 {
        c.append("INBOX", "", &text);
    }
    let mut slow = server.selected("INBOX");
    slow.send(b"f FETCH 1:8 BODY.PEEK[]\r\n");
    // Its answer has begun, and fills every buffer between.
    let mut octet = [0];
    assert_eq!(slow.socket().peek(&mut octet).unwrap(), 1);
    c.ok("SELECT INBOX");
    c.check("SEARCH SUBJECT long", &["* SEARCH 1 2 3 4 5 6 7 8"], "OK");
    c.ok("STORE 1 +FLAGS.SILENT (\\Flagged)");
    c.append("INBOX", "", &message("more"));
    let reply = slow.until_tagged("f");
    let bodies = reply.untagged.iter().filter(|line| line.len() > 1 << 20);
    assert_eq!(bodies.count(), 8);
    let mut lines = reply.plain();
    lines.extend(slow.ok("NOOP"));
    assert!(lines.contains(&"* 9 EXISTS".to_owned()));
    slow.hang_up();
    let mut rest = Vec::new();
    slow.socket().read_to_end(&mut rest).unwrap();
}

/// "The \\Seen flag is implicitly set" (RFC 3501 §6.4.5) also where this client takes it to be set, for it has not
/// heard yet that another took it away.
#[test]
fn a_body_that_is_read_is_seen_whatever_the_client_believed() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Seen) ", &message("one"));
    c.ok("SELECT INBOX");
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 -FLAGS (\\Seen)");
    c.ok("FETCH 1 BODY[TEXT]");
    c.ok("NOOP");
    let told = other.ok("FETCH 1 FLAGS");
    assert!(told.last().unwrap().contains("\\Seen"), "{told:?}");
}
