//! How far a message is looked into, by the numbers of the manual; and messages made to cost.

use std::sync::Arc;

use crate::harness::{Kind, Maildir, Server, Setup, client};
use crate::limits::stated;

/// What FETCH says of the structure and envelope of a message.
fn told(server: &Server, number: usize) -> String {
    let mut c = server.client();
    c.ok("EXAMINE INBOX");
    c.ok(&format!("FETCH {number} (ENVELOPE BODYSTRUCTURE)"))
        .remove(0)
}

#[test]
fn messages_are_looked_into_so_far() {
    let maildir = Arc::new(Maildir::new());
    let (depth, _) = stated("nesting of MIME parts");
    let (parts, _) = stated("MIME parts");
    let (field, _) = stated("octets of a header field");
    let (header, _) = stated("octets of a header");
    let (fields, _) = stated("fields of one name in a header");
    let (addresses, _) = stated("addresses of a field");
    let (parameters, _) = stated("parameters of a field");
    let nested = |levels: usize| -> String {
        (1..levels)
            .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at:04}\n\n--b{at:04}\n"))
            .collect::<String>()
            + "Content-Type: text/deepest\n\nx\n"
    };
    let wide = |parts: usize| {
        let front = "Content-Type: multipart/mixed; boundary=b\n\n".to_owned();
        front + &"--b\n\nx\n".repeat(parts - 2) + "--b\nContent-Type: text/last\n\nx\n"
    };
    let subject = |octets: usize| format!("Subject: {}\n\nx\n", "x".repeat(octets));
    let full = |octets: usize| {
        let quarter = "x".repeat(octets / 4);
        let names = ["Subject", "Date", "Message-ID", "In-Reply-To"];
        let front: String = names.map(|name| format!("{name}: {quarter}\n")).concat();
        front + "To: a@b\n\nx\n"
    };
    let from = |count: usize| format!("From: {}\n\nx\n", vec!["a@b"; count].join(","));
    let froms = |count: usize| format!("{}\nx\n", "From: a@b\n".repeat(count));
    let typed = |count: usize| {
        let all: String = (0..count).map(|at| format!("; p{at}=x")).collect();
        format!("Content-Type: text/plain{all}\n\nx\n")
    };
    let messages = [
        nested(depth),
        nested(depth + 1),
        // The last part there may be is the one that holds the rest.
        wide(parts - 1),
        wide(parts),
        subject(field),
        subject(field + 1),
        from(addresses),
        from(addresses + 1),
        froms(fields),
        froms(fields + 1),
        typed(parameters),
        typed(parameters + 1),
        full(header - 100),
        full(header),
    ];
    for (at, text) in messages.iter().enumerate() {
        maildir.place("INBOX", "cur", &format!("{at:02}.x:2,S"), text.as_bytes());
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let count = |number: usize, what: &str| told(&server, number).matches(what).count();
    for (number, found) in [(1, 1), (2, 0)] {
        assert_eq!(count(number, "\"deepest\""), found, "nested, {number}");
    }
    for (number, found) in [(3, 1), (4, 0)] {
        assert_eq!(count(number, "\"last\""), found, "wide, {number}");
    }
    for number in [5, 6] {
        assert!(count(number, "x") >= field, "{number}");
    }
    assert_eq!(told(&server, 5).len(), told(&server, 6).len());
    // From: stands for Sender: and Reply-To: too.
    for number in [7, 8] {
        assert_eq!(count(number, "NIL \"a\" \"b\""), 3 * addresses, "{number}");
    }
    for number in [9, 10] {
        assert_eq!(count(number, "NIL \"a\" \"b\""), 3 * fields, "{number}");
    }
    for number in [11, 12] {
        assert_eq!(count(number, "\"x\""), parameters, "{number}");
    }
    for (number, found) in [(13, 1), (14, 0)] {
        assert_eq!(count(number, "NIL \"a\" \"b\""), found, "full, {number}");
    }
}

#[test]
fn texts_are_sorted_by_so_much() {
    let (field, _) = stated("octets of a header field");
    // The space before the text counts too.
    for (alike, order) in [(field - 2, "2 1"), (field - 1, "1 2")] {
        let maildir = Arc::new(Maildir::new());
        for (at, last) in ["b", "a"].iter().enumerate() {
            let text = format!("Subject: {}{last}\n\nx\n", "x".repeat(alike));
            maildir.place("INBOX", "cur", &format!("{at}.x:2,S"), text.as_bytes());
        }
        let server = Setup::new(Kind::Culver).start(&maildir);
        let mut c = server.selected("INBOX");
        c.check(
            "SORT (SUBJECT) UTF-8 ALL",
            &[&format!("* SORT {order}")],
            "OK",
        );
    }
}

#[test]
fn header_fields_are_given_so_far() {
    let (most, _) = stated("octets of header fields in an answer");
    let line = format!("X-Junk: {}\r\n", "j".repeat(90));
    let text = line.repeat(most / line.len() + 1000) + "\r\nbody\r\n";
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "1.junk:2,S", text.as_bytes());
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.selected("INBOX");
    let some = c.run("FETCH 1 BODY.PEEK[HEADER.FIELDS (X-JUNK)]");
    let some = client::literal(&some.untagged[0]).len();
    assert!((most - 2 * line.len()..=most + 2).contains(&some), "{some}");
    let all = c.run("FETCH 1 BODY.PEEK[HEADER]");
    let all = client::literal(&all.untagged[0]).len();
    assert_eq!(all, text.len() - "body\r\n".len());
}

/// Said before any octet is sent, or copied.
#[test]
fn messages_are_made_so_large() {
    let (most, answer) = stated("octets of a message made by CATENATE");
    let server = Setup::new(Kind::Culver).start(&Arc::new(Maildir::new()));
    let mut c = server.client();
    c.append("INBOX", "", "Subject: x\r\n\r\n");
    let append = |octets: usize| {
        let parts = format!("URL /INBOX/;UID=1 TEXT {{{octets}}}");
        format!("a APPEND INBOX CATENATE ({parts}\r\n")
    };
    c.send(append(most - 13).as_bytes());
    assert_eq!(c.until_tagged("a").outcome(), answer);
    c.send(append(most - 14).as_bytes());
    assert_eq!(c.line(), b"+ OK");
}

#[test]
fn previews_look_so_far() {
    let (characters, _) = stated("characters of a PREVIEW");
    let (octets, _) = stated("octets that PREVIEW looks at");
    let maildir = Arc::new(Maildir::new());
    let late = |blanks: usize| format!("A: b\n\n{}x", " ".repeat(blanks - "A: b\n\nx".len()));
    for (at, text) in [
        format!("A: b\n\n{}", "x".repeat(characters)),
        format!("A: b\n\n{}", "x".repeat(characters + 1)),
        late(octets),
        late(octets + 1),
    ]
    .iter()
    .enumerate()
    {
        maildir.place("INBOX", "cur", &format!("{at}.x:2,S"), text.as_bytes());
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.selected("INBOX");
    let told = c.ok("FETCH 1:4 PREVIEW");
    let expected = [characters, characters, 1, 0].map(|count| "x".repeat(count));
    for (told, expected) in told.iter().zip(expected) {
        assert!(
            told.ends_with(&format!("(PREVIEW \"{expected}\")")),
            "{told}"
        );
    }
    // Previews that were made stay at hand, so many at the most.
    let told = c.ok("FETCH 1:4 PREVIEW (LAZY)");
    assert!(!told.iter().any(|line| line.contains("NIL")), "{told:?}");
}

#[test]
fn mime_bombs_are_served_in_bounded_time_and_memory() {
    use std::fmt::Write;
    let maildir = Arc::new(Maildir::new());
    let mut deep = String::from("Subject: deep\n");
    for level in 0..10_000 {
        write!(
            deep,
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        )
        .unwrap();
    }
    maildir.place("INBOX", "cur", "1.deep:2,", deep.as_bytes());
    let mut wide = String::from("Subject: wide\nContent-Type: multipart/mixed; boundary=b\n\n");
    wide += &"--b\n\nx\n".repeat(100_000);
    maildir.place("INBOX", "cur", "2.wide:2,", wide.as_bytes());
    let from = format!("{}\n\n", "From: a@example.org\n".repeat(500_000));
    maildir.place("INBOX", "cur", "3.from:2,", from.as_bytes());
    let parameters: String = (0..100_000).map(|at| format!("; p*{at}*=x")).collect();
    maildir.place(
        "INBOX",
        "cur",
        "4.params:2,",
        format!("Content-Type: text/plain{parameters}\n\n").as_bytes(),
    );
    let comment = format!("From: {}\n\n", "(".repeat(1 << 20));
    maildir.place("INBOX", "cur", "5.comment:2,", comment.as_bytes());
    let header = format!("Subject: {}\n\nbody\n", "x".repeat(50 << 20));
    maildir.place("INBOX", "cur", "6.header:2,", header.as_bytes());
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let idle = server.memory_now();
    for number in 1..=6 {
        let (reply, took) =
            client::timed(|| c.run(&format!("FETCH {number} (ENVELOPE BODYSTRUCTURE)")));
        println!(
            "bomb {number}: {took:?}, {} octets",
            reply.untagged.first().map_or(0, Vec::len)
        );
        assert!(reply.tagged.starts_with("OK"), "{number}: {}", reply.tagged);
    }
    if server.kind == Kind::Culver {
        let grown = server.peak_memory().saturating_sub(idle);
        println!("peak {} KiB above idle", grown / 1024);
        assert!(grown <= 64 << 20, "{} MiB above idle", grown >> 20);
    }
    c.check("NOOP", &[], "OK");
}
