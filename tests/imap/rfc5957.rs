//! SORT=DISPLAY (RFC 5957): messages in the order of the names that a client shows.

use crate::harness::{Client, Server};

/// The addresses of a header field, and what they are sorted by. They come from ENVELOPE, so the field may be From or To.
const ADDRESSES: [(&str, &str); 12] = [
    ("Zoe <a@example.org>", "zoe"),
    // Encoded words are decoded first (§3); of several addresses the first counts (§4).
    (
        "=?utf-8?Q?=C3=84rmel?= <z@example.org>, Aaron <b@example.org>",
        "ärmel",
    ),
    ("=?iso-8859-1?Q?=D6rtel?= <c@example.org>", "örtel"),
    // Without a name: mailbox and host.
    ("mike@example.org", "mike@example.org"),
    ("mike@example.net", "mike@example.net"),
    // A name that is empty, at once or when it is decoded, is none.
    ("\"\" <nobody@example.org>", "nobody@example.org"),
    ("=?utf-8?Q??= <other@example.org>", "other@example.org"),
    // A group is a mailbox without a host.
    ("friends: Ann <n@example.org>;", "friends"),
    // The whole name, and no part of it (§7).
    ("Bob Adams <d@example.org>", "bob adams"),
    ("\"Adams, Bob\" <e@example.org>", "adams, bob"),
    // The same by the collation (§7), whatever the case: as they lie in the mailbox.
    ("bob adams <f@example.org>", "bob adams"),
    // No address at all.
    ("", ""),
];

/// INBOX selected, with a message for each of the addresses in this field.
fn filled(server: &Server, field: &str) -> Client {
    let mut c = server.client();
    for (number, (addresses, _)) in ADDRESSES.iter().enumerate() {
        let line = match addresses.is_empty() {
            true => String::new(),
            false => format!("{field}: {addresses}\r\n"),
        };
        // The other field would give another order.
        let other = if field == "From" { "To" } else { "From" };
        let order = ADDRESSES.len() - number;
        let message =
            format!("{line}{other}: n{order:02} <x@example.org>\r\nSubject: x\r\n\r\nx\r\n");
        c.append("INBOX", "", &message);
    }
    c.ok("SELECT INBOX");
    c
}

/// The numbers in the order of what they are sorted by; accents come behind the letter they stand on.
fn in_order(reverse: bool) -> String {
    let mut rows: Vec<(String, usize)> = ADDRESSES
        .iter()
        .enumerate()
        .map(|(at, (_, by))| {
            let plain = by.replace('ä', "a\u{308}").replace('ö', "o\u{308}");
            (plain, at + 1)
        })
        .collect();
    match reverse {
        false => rows.sort(),
        true => rows.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1))),
    }
    let numbers: Vec<String> = rows.iter().map(|(_, number)| number.to_string()).collect();
    numbers.join(" ")
}

/// §3 and §4: what each address is sorted by MUST be derived as told there, from `env-from` and from `env-to`.
#[test]
fn by_what_is_displayed() {
    for (field, key) in [("From", "DISPLAYFROM"), ("To", "DISPLAYTO")] {
        let server = Server::start();
        let mut c = filled(&server, field);
        let told = format!("{} ", c.ok("CAPABILITY").remove(0));
        assert!(told.contains(" SORT=DISPLAY "), "{told}");
        let forward = format!("* SORT {}", in_order(false));
        c.check(&format!("SORT ({key}) UTF-8 ALL"), &[&forward], "OK");
        c.check(
            &format!("UID SORT ({}) US-ASCII ALL", key.to_lowercase()),
            &[&forward],
            "OK",
        );
        // RFC 5256 §3: REVERSE leaves those that are the same in their order.
        let backward = format!("* SORT {}", in_order(true));
        c.check(
            &format!("SORT (REVERSE {key}) UTF-8 ALL"),
            &[&backward],
            "OK",
        );
        // One key among others: the days are all the same.
        c.check(
            &format!("SORT (SUBJECT {key} ARRIVAL) UTF-8 ALL"),
            &[&forward],
            "OK",
        );
        c.bad(&format!("SORT ({key} REVERSE) UTF-8 ALL"));
        c.bad(&format!("SORT ({key}CC) UTF-8 ALL"));
    }
}

/// §1: FROM and TO go by the mailbox, these by the name.
#[test]
fn other_than_from_and_to() {
    let server = Server::start();
    let mut c = server.client();
    for (name, mailbox) in [("Zack", "adam"), ("Anna", "zoe")] {
        c.append(
            "INBOX",
            "",
            &format!("From: {name} <{mailbox}@x>\r\nTo: {name} <{mailbox}@x>\r\n\r\nx\r\n"),
        );
    }
    c.ok("SELECT INBOX");
    for key in ["FROM", "TO"] {
        c.check(&format!("SORT ({key}) UTF-8 ALL"), &["* SORT 1 2"], "OK");
        c.check(
            &format!("SORT (DISPLAY{key}) UTF-8 ALL"),
            &["* SORT 2 1"],
            "OK",
        );
    }
}
