//! Messages made to cost (`harness/bombs.rs`; `cargo bench --bench bombs` shows what they do) are answered as any
//! other.

use std::sync::Arc;

use crate::harness::bombs::SHAPES;
use crate::harness::client::literal;
use crate::harness::{Kind, Maildir, Setup};

/// Octets of each. More than is kept of a header field, and than is read at once.
const SIZE: usize = 320 << 10;

#[test]
fn messages_made_to_cost_are_answered_right() {
    let maildir = Arc::new(Maildir::new());
    for (at, shape) in SHAPES.iter().enumerate() {
        let name = format!("{at:02}.bomb:2,S");
        maildir.place("INBOX", "cur", &name, &(shape.make)(SIZE));
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.selected("INBOX");
    for (at, shape) in SHAPES.iter().enumerate() {
        let (name, number) = (shape.name, at + 1);
        let message = as_sent(&(shape.make)(SIZE));
        let subject = String::from_utf8_lossy(&message)
            .starts_with("Subject: bomb\r\n")
            .then_some("\"bomb\"");

        let told = c.ok(&format!(
            "FETCH {number} (RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
        ));
        let told = told.first().unwrap_or_else(|| panic!("{name}"));
        let size = format!("RFC822.SIZE {}", message.len());
        assert!(told.contains(&size), "{name}: no {size}");
        if let Some(subject) = subject {
            assert!(told.contains(subject), "{name}");
        }

        let whole = c.run(&format!("FETCH {number} BODY.PEEK[]"));
        assert!(literal(&whole.untagged[0]) == message, "{name}");
        let text = c.run(&format!("FETCH {number} BODY.PEEK[TEXT]"));
        assert!(message.ends_with(literal(&text.untagged[0])), "{name}");
        let first = c.run(&format!("FETCH {number} BODY.PEEK[1]"));
        let [first] = first.untagged.as_slice() else {
            panic!("{name}: {first:?}");
        };
        assert!(first.contains(&b'{') || first.ends_with(b"\"\")"), "{name}");
        let end = c.run(&format!(
            "FETCH {number} BODY.PEEK[]<{}.100>",
            message.len() - 50
        ));
        assert_eq!(
            literal(&end.untagged[0]),
            &message[message.len() - 50..],
            "{name}"
        );
    }
    let all: Vec<String> = (1..=SHAPES.len())
        .map(|number| number.to_string())
        .collect();
    let listed = all.join(" ");
    for search in [
        "BODY needle",
        "TEXT needle",
        "NOT TEXT absent",
        "NOT HEADER SUBJECT absent",
    ] {
        c.check(
            &format!("SEARCH {search}"),
            &[&format!("* SEARCH {listed}")],
            "OK",
        );
    }
    for command in ["SORT (SUBJECT FROM TO CC DATE)", "SORT (DISPLAYFROM SIZE)"] {
        let sorted = c.ok(&format!("{command} UTF-8 ALL")).remove(0);
        let mut numbers: Vec<&str> = sorted.split(' ').skip(2).collect();
        numbers.sort_by_key(|number| number.parse::<usize>().ok());
        assert_eq!(numbers, all, "{command}");
    }
    for algorithm in ["REFERENCES", "ORDEREDSUBJECT"] {
        let threads = c.ok(&format!("THREAD {algorithm} UTF-8 ALL")).remove(0);
        let digits = |c: char| !c.is_ascii_digit();
        let mut numbers: Vec<&str> = threads
            .split(digits)
            .filter(|part| !part.is_empty())
            .collect();
        numbers.sort_by_key(|number| number.parse::<usize>().ok());
        assert_eq!(numbers, all, "{algorithm}");
    }
}

/// As a client gets it: line ends as CRLF, and 0x80 for a NUL.
fn as_sent(octets: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(octets.len() * 2);
    for octet in octets {
        match octet {
            b'\n' if out.last() != Some(&b'\r') => out.extend_from_slice(b"\r\n"),
            0 => out.push(0x80),
            _ => out.push(*octet),
        }
    }
    out
}
