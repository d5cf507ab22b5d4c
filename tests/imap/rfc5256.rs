//! SORT and THREAD (RFC 5256). SORT=DISPLAY: `rfc5957`.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server};

/// One message: its header, and its INTERNALDATE's day in January 2020.
type Row = (u32, &'static str);

fn filled(server: &Server, rows: &[Row]) -> Client {
    let mut c = server.client();
    for (day, header) in rows {
        let header = header.replace('\n', "\r\n");
        let date = format!("\"{day:02}-Jan-2020 12:00:00 +0000\" ");
        c.append("INBOX", &date, &format!("{header}\r\n\r\nbody\r\n"));
    }
    c.ok("SELECT INBOX");
    c
}

const ADDRESSES: [Row; 6] = [
    (
        6,
        "From: zoe@x.org\nTo: \"Ann\" <n@x>\nCc: b@x\nSubject: Re: banana\nDate: 3 Jan 2020 10:00:00 +0000",
    ),
    (
        5,
        "From: Bob <adam@x.org>\nTo: m@x, a@x\nSubject: [list] apple (fwd)\nDate: 1 Jan 2020 23:30:00 -0200",
    ),
    (
        4,
        "From: =?utf-8?Q?=C3=A4rmel?= <b@y.org>\nCc: a@x\nSubject: cherry\nDate: 2 Jan 2020 01:00:00 +0000",
    ),
    (
        3,
        "To: \"\" <z@x>\nSubject: =?utf-8?Q?Fwd=3A_Apple?=\nDate: rubbish",
    ),
    (2, "From: _under@x\nSubject: APPLE"),
    (
        1,
        "From: Zack@x\nTo: \"zoo\" <a@x>\nSubject: _under\nDate: 1 Jan 2020 00:00:00 +0000",
    ),
];

#[test]
fn sort_by_each_criterion() {
    let server = Server::start();
    let mut c = filled(&server, &ADDRESSES);
    for (criteria, expected) in [
        // "ARRIVAL: Internal date and time of the message."
        ("ARRIVAL", "6 5 4 3 2 1"),
        ("REVERSE ARRIVAL", "1 2 3 4 5 6"),
        // "The empty string always collates before non-empty strings."
        ("CC", "2 4 5 6 3 1"),
        // "adjusted by time zone to normalize to UTC"; without a date INTERNALDATE is used.
        ("DATE", "6 3 2 5 1 4"),
        // "[IMAP] addr-mailbox of the first 'From' address."
        ("FROM", "4 2 3 6 1 5"),
        ("TO", "3 5 6 2 1 4"),
        // "these messages are sorted according to the order in which they appear in the mailbox"
        ("SUBJECT", "2 4 5 1 3 6"),
        // "REVERSE only reverses a single criterion, and does not affect the implicit 'sequence number'"
        ("REVERSE SUBJECT", "6 3 1 2 4 5"),
        ("SUBJECT REVERSE DATE", "4 5 2 1 3 6"),
        ("SUBJECT ARRIVAL", "5 4 2 1 3 6"),
    ] {
        let expected = format!("* SORT {expected}");
        c.check(&format!("SORT ({criteria}) UTF-8 ALL"), &[&expected], "OK");
    }
    // "smaller sizes sort before larger sizes"
    let sizes = c.ok("FETCH 1:* RFC822.SIZE");
    let size = |line: &String| {
        line.rsplit(' ')
            .next()
            .unwrap()
            .trim_end_matches(')')
            .parse::<u32>()
    };
    let mut order: Vec<usize> = (1..=6).collect();
    order.sort_by_key(|number| size(&sizes[number - 1]).unwrap());
    let order: Vec<String> = order.iter().map(ToString::to_string).collect();
    c.check(
        "SORT (SIZE) UTF-8 ALL",
        &[&format!("* SORT {}", order.join(" "))],
        "OK",
    );
}

#[test]
fn sort_finds_as_search_does() {
    let server = Server::start();
    let mut c = filled(&server, &ADDRESSES);
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    c.check(
        "SORT (REVERSE ARRIVAL) US-ASCII SUBJECT apple",
        &["* SORT 1 3 4"],
        "OK",
    );
    // "There is also a UID SORT command that returns unique identifiers instead of message sequence numbers."
    c.check(
        "UID SORT (REVERSE ARRIVAL) UTF-8 SUBJECT apple",
        &["* SORT 2 4 5"],
        "OK",
    );
    c.check("UID SORT (ARRIVAL) UTF-8 1:2", &["* SORT 3 2"], "OK");
    c.check(
        "SORT (SUBJECT) US-ASCII TEXT \"not in mailbox\"",
        &["* SORT"],
        "OK",
    );
    c.check(
        "THREAD REFERENCES US-ASCII TEXT \"not in mailbox\"",
        &[server.either("* THREAD", "* THREAD ")],
        "OK",
    );
    // "NO - sort error: can't sort that charset or criteria"
    for unknown in [
        "SORT (SUBJECT) X-NONE SUBJECT x",
        "THREAD REFERENCES X-NONE SUBJECT x",
    ] {
        let outcome = c.outcome(unknown);
        assert!(outcome.starts_with("NO [BADCHARSET"), "{outcome}");
    }
    // "BAD - command unknown or arguments invalid"
    for wrong in [
        "SORT",
        "SORT ()",
        "SORT () UTF-8 ALL",
        "SORT SUBJECT UTF-8 ALL",
        "SORT (SUBJECT) UTF-8",
        "SORT (REVERSE) UTF-8 ALL",
        "SORT (COLOUR) UTF-8 ALL",
        "THREAD UTF-8 ALL",
        "THREAD REFERENCES UTF-8",
        "THREAD BYCOLOUR UTF-8 ALL",
    ] {
        c.bad(wrong);
    }
    c.ok("CLOSE");
    c.bad("SORT (SUBJECT) UTF-8 ALL");
    c.bad("THREAD REFERENCES UTF-8 ALL");
}

#[test]
fn thread_by_each_algorithm() {
    let rows: [Row; 9] = [
        (
            1,
            "Message-ID: <a@x>\nSubject: plan\nDate: 1 Jan 2020 10:00:00 +0000",
        ),
        (
            2,
            "Message-ID: <b@x>\nIn-Reply-To: <a@x> of Monday\nSubject: Re: plan\nDate: 2 Jan 2020 10:00:00 +0000",
        ),
        (
            3,
            "Message-ID: <c@x>\nReferences: <a@x> <b@x>\nSubject: Re: plan\nDate: 9 Jan 2020 10:00:00 +0000",
        ),
        (
            4,
            "Message-ID: <d@x>\nReferences: <a@x>\nSubject: other\nDate: 3 Jan 2020 10:00:00 +0000",
        ),
        (
            5,
            "Message-ID: <e@x>\nReferences: <gone@x>\nSubject: lost\nDate: 4 Jan 2020 10:00:00 +0000",
        ),
        (
            6,
            "Message-ID: <f@x>\nReferences: <gone@x>\nSubject: lost too\nDate: 3 Jan 2020 11:00:00 +0000",
        ),
        (
            7,
            "Message-ID: <g@x>\nSubject: Re: plan\nDate: 5 Jan 2020 10:00:00 +0000",
        ),
        // "MUST be interpreted as being the same Message ID."
        (
            8,
            "Message-ID: <h@x>\nReferences: <\"g\"@x>\nSubject: Fwd: plan\nDate: 6 Jan 2020 10:00:00 +0000",
        ),
        // "If two or more messages have the same Message ID, then only use that Message ID in the first"
        (
            9,
            "Message-ID: <a@x>\nSubject: again\nDate: 7 Jan 2020 10:00:00 +0000",
        ),
    ];
    let server = Server::start();
    let mut c = filled(&server, &rows);
    for (algorithm, expected) in [
        ("ORDEREDSUBJECT", "(1 (2)(7)(8)(3))(4)(6)(5)(9)"),
        ("REFERENCES", "(1 (2 3)(4)(7 8))((6)(5))(9)"),
        ("REFS", "((6)(5))(7 8)(9)(1 (2 3)(4))"),
    ] {
        let expected = format!("* THREAD {expected}");
        c.check(&format!("THREAD {algorithm} UTF-8 ALL"), &[&expected], "OK");
    }
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    c.check(
        "UID THREAD REFS UTF-8 UID 2:4",
        &["* THREAD ((2 3)(4))"],
        "OK",
    );
    c.check("THREAD REFS UTF-8 UID 2:4", &["* THREAD ((1 2)(3))"], "OK");
}

/// "Untagged EXPUNGE responses are not permitted while the server is responding to a SORT command, but are
/// permitted during a UID SORT command."; and of THREAD the same.
#[test]
fn expunges_wait_for_sort_and_thread() {
    let server = Server::start();
    let mut c = filled(&server, &ADDRESSES);
    let mut other = server.selected("INBOX");
    for (held, allowed) in [
        ("SORT (ARRIVAL) UTF-8 ALL", "UID SORT (ARRIVAL) UTF-8 ALL"),
        ("THREAD REFS UTF-8 ALL", "UID THREAD REFS UTF-8 ALL"),
    ] {
        other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
        other.ok("EXPUNGE");
        let is_expunge = |line: &String| line.ends_with(" EXPUNGE");
        // What is gone is not sorted; both is said (RFC 5530 §3).
        assert!(!c.ok(held).iter().any(is_expunge), "{held}");
        if server.kind == Kind::Culver {
            assert!(c.ok(allowed).iter().any(is_expunge), "{allowed}");
        }
        c.ok("NOOP");
    }
}

/// Subjects that begin alike for longer than a sort holds of any, and end each its own way; the shorter ones leave
/// the way of the others earlier. Of every three two are the same.
#[test]
fn subjects_are_compared_to_their_ends() {
    let subject = |number: usize| {
        let (number, alike) = (number / 3 * 3 + number % 3 / 2, "long ".repeat(5_000));
        match number % 2 {
            0 => format!("{alike}{number:02}"),
            _ => format!("{}{number:02}", &alike[..alike.len() - 301 * number]),
        }
    };
    let mut rows: Vec<(String, usize)> = (0..60).map(|at| (subject(at * 7 % 60), at + 1)).collect();
    let maildir = Arc::new(Maildir::new());
    for (text, number) in &rows {
        let message = format!("Subject: Re: {text}\n\nx\n");
        maildir.place(
            "INBOX",
            "cur",
            &format!("{number:02}.x:2,S"),
            message.as_bytes(),
        );
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    rows.sort();
    let numbers = |rows: &[(String, usize)]| {
        let numbers: Vec<String> = rows.iter().map(|(_, number)| number.to_string()).collect();
        format!("* SORT {}", numbers.join(" "))
    };
    c.check("SORT (SUBJECT) UTF-8 ALL", &[&numbers(&rows)], "OK");
    rows.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    c.check(
        "SORT (FROM REVERSE SUBJECT) UTF-8 ALL",
        &[&numbers(&rows)],
        "OK",
    );
    let threads = c.ok("THREAD ORDEREDSUBJECT UTF-8 ALL").remove(0);
    assert_eq!(threads.matches("(").count(), 40, "{threads}");
}
