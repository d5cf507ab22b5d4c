//! Address lists and lists of message ids: whatever the field holds, what is answered is a list whose groups are
//! closed, holds no more than the field did, and written out as RFC 5322 wants it means the same again.

use culver::imap::structure::Address;
use culver::message::address;
use culver::message::ids::message_ids;

pub fn check(body: &[u8]) {
    let mut list = Vec::new();
    address::parse(body, &mut list);
    grouped(&list);
    bounded(body, &list);
    written_again(&list);
    ids(body);
}

/// An address has a mailbox and a host; a group begins, holds addresses and ends, and holds no other group.
fn grouped(list: &[Address]) {
    let mut in_group = false;
    for address in list {
        match (&address.mailbox, &address.host) {
            (Some(_), Some(_)) => {}
            (Some(_), None) => assert!(!std::mem::replace(&mut in_group, true)),
            (None, None) => assert!(std::mem::take(&mut in_group)),
            (None, Some(_)) => panic!("{address:?}"),
        }
        if address.host.is_none() {
            assert_eq!((&address.name, &address.adl), (&None, &None));
        }
    }
    assert!(!in_group);
}

/// No octet of the field is shown twice, and nothing that breaks a line.
fn bounded(body: &[u8], list: &[Address]) {
    let mut length = 0;
    for address in list {
        for text in strings(address) {
            length += text.len();
            for octet in [b'\r', b'\n', b'\t', 0] {
                assert!(!text.contains(&octet), "{}", text.escape_ascii());
            }
            assert!(!text.starts_with(b" ") && !text.ends_with(b" "));
            assert!(!text.windows(2).any(|two| two == b"  "));
        }
    }
    // A word may get a space before it, a NUL becomes three octets, and each address may say what is missing.
    let marks = 3 * "MISSING_MAILBOX".len() * list.len();
    let nuls = body.iter().filter(|octet| **octet == 0).count();
    assert!(length <= 2 * body.len() + 2 * nuls + marks);
    assert!(list.len() <= 2 * body.len());
}

/// The list in the strict syntax is the same list.
fn written_again(list: &[Address]) {
    let mut out = Vec::new();
    for address in list {
        if strings(address).any(|text| text.contains(&b'[')) {
            // A domain literal stays as it is, backslashes and all; two blanks of it become one.
            return;
        }
        if address.name.as_deref() == Some(b"") {
            // An empty quoted string that has no address.
            return;
        }
        match (&address.mailbox, &address.host) {
            (Some(mailbox), Some(host)) => {
                if let Some(name) = &address.name {
                    quoted(&mut out, name);
                }
                out.extend_from_slice(b" <");
                match address.adl.as_deref() {
                    Some(b"INVALID_ROUTE") => return,
                    Some(route) => {
                        out.extend_from_slice(route);
                        out.push(b':');
                    }
                    None => {}
                }
                quoted(&mut out, mailbox);
                out.push(b'@');
                out.extend_from_slice(host);
                out.extend_from_slice(b">,");
            }
            (Some(name), None) => {
                quoted(&mut out, name);
                out.push(b':');
            }
            _ => out.push(b';'),
        }
    }
    let mut again = Vec::new();
    address::parse(&out, &mut again);
    assert_eq!(again, list, "{}", out.escape_ascii());
}

fn strings(address: &Address) -> impl Iterator<Item = &Vec<u8>> {
    [&address.name, &address.adl, &address.mailbox, &address.host]
        .into_iter()
        .flatten()
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for octet in text {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*octet);
    }
    out.push(b'"');
}

/// Ids have two sides, come from the field, and are the same when they are all that it holds.
fn ids(body: &[u8]) {
    let ids = message_ids(body);
    assert!(ids.iter().map(|id| id.len() + 2).sum::<usize>() <= body.len());
    let mut out = Vec::new();
    for id in &ids {
        let at = id.iter().rposition(|octet| *octet == b'@');
        assert!(at.is_some_and(|at| at > 0 && at + 1 < id.len()));
        out.push(b'<');
        quoted(&mut out, id);
        out.push(b'>');
    }
    assert_eq!(message_ids(&out), ids, "{}", out.escape_ascii());
}
