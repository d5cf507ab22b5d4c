//! What SORT compares of a message (RFC 5256, RFC 5957), and what THREAD wants to know of it.

use std::cmp::Ordering;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::string::FromUtf8Error;
use std::sync::LazyLock;

use crate::imap::search::{SortCriterion, SortKey};
use crate::imap::structure::Address;
use crate::message::date::sent_time;
use crate::message::decode::collated_text;
use crate::message::header::{HEADER_MAX, Header};
use crate::message::ids::message_ids;
use crate::message::{Source, address};
use crate::search::fold::fold;
use crate::search::key::Key;
use crate::search::subject::base_subject;
use crate::search::thread::{Hash, Threaded};

/// References that count, the last of them.
const REFERENCES_MAX: usize = 100;

/// One value of a sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Seconds since 1970, or octets.
    Number(i64),
    /// A text, by its collation key.
    Text(Key),
}

/// What is known of a message without its header.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// INTERNALDATE, in seconds since 1970.
    pub arrival: i64,
    /// RFC822.SIZE; only wanted where it is sorted by.
    pub size: u64,
}

/// Whether the header has to be read for these criteria.
pub fn needs_header(criteria: &[SortCriterion]) -> bool {
    criteria
        .iter()
        .any(|criterion| field(criterion.key).is_some())
}

/// The values of a message for these criteria, in their order. `source` may be empty where no header is needed.
pub fn values<S: Source + ?Sized>(
    source: &S,
    criteria: &[SortCriterion],
    known: Known,
) -> io::Result<Vec<Value>> {
    let fields = read(source, |name| {
        criteria
            .iter()
            .filter_map(|criterion| field(criterion.key))
            .any(|wanted| name.eq_ignore_ascii_case(wanted))
    })?;
    Ok(criteria
        .iter()
        .map(|criterion| value(&fields, criterion.key, known))
        .collect())
}

/// The whole collation key of the text that a message has for a sort key; empty where that is none of a text.
pub fn text<S: Source + ?Sized>(source: &S, key: SortKey) -> io::Result<Vec<u8>> {
    let wanted = field(key).unwrap_or_default();
    let fields = read(source, |name| name.eq_ignore_ascii_case(wanted))?;
    Ok(collated(&fields, key).unwrap_or_default())
}

/// How two messages stand to each other; where all is equal, their order in the mailbox decides.
pub fn compare(criteria: &[SortCriterion], one: &[Value], other: &[Value]) -> Ordering {
    criteria
        .iter()
        .zip(one.iter().zip(other))
        .map(|(criterion, (one, other))| match criterion.reverse {
            false => one.cmp(other),
            true => other.cmp(one),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What THREAD wants to know of a message.
pub fn threaded<S: Source + ?Sized>(source: &S, arrival: i64) -> io::Result<Threaded> {
    const WANTED: [&[u8]; 5] = [
        b"Date",
        b"Subject",
        b"Message-ID",
        b"References",
        b"In-Reply-To",
    ];
    let fields = read(source, |name| {
        WANTED
            .iter()
            .any(|wanted| name.eq_ignore_ascii_case(wanted))
    })?;
    let ids = |name| {
        let ids = fields.first(name).map(message_ids).unwrap_or_default();
        ids.iter().map(|id| hash(id)).collect::<Vec<Hash>>()
    };
    let mut references = ids(b"References");
    if references.is_empty() {
        references = ids(b"In-Reply-To");
        references.truncate(1);
    }
    references.drain(..references.len().saturating_sub(REFERENCES_MAX));
    let (subject, is_reply) = subject(&fields);
    Ok(Threaded {
        date: sent(&fields, arrival),
        subject: (!subject.is_empty()).then(|| hash(&subject)),
        is_reply,
        id: ids(b"Message-ID").into_iter().next(),
        references,
    })
}

fn read<S: Source + ?Sized>(source: &S, wanted: impl Fn(&[u8]) -> bool) -> io::Result<Header> {
    Header::read(source, 0..source.len()?, HEADER_MAX, wanted)
}

/// The header field that a key needs.
fn field(key: SortKey) -> Option<&'static [u8]> {
    match key {
        SortKey::Arrival | SortKey::Size => None,
        SortKey::Cc => Some(b"Cc"),
        SortKey::Date => Some(b"Date"),
        SortKey::From | SortKey::DisplayFrom => Some(b"From"),
        SortKey::To | SortKey::DisplayTo => Some(b"To"),
        SortKey::Subject => Some(b"Subject"),
    }
}

fn value(fields: &Header, key: SortKey, known: Known) -> Value {
    match key {
        SortKey::Arrival => Value::Number(known.arrival),
        SortKey::Size => Value::Number(i64::try_from(known.size).unwrap_or(i64::MAX)),
        SortKey::Date => Value::Number(sent(fields, known.arrival)),
        _ => Value::Text(Key::new(&collated(fields, key).unwrap_or_default())),
    }
}

/// The collation key of a sort key's text.
fn collated(fields: &Header, key: SortKey) -> Option<Vec<u8>> {
    match key {
        SortKey::Arrival | SortKey::Size | SortKey::Date => None,
        SortKey::Subject => Some(subject(fields).0),
        SortKey::Cc => Some(mailbox(fields, b"Cc")),
        SortKey::From => Some(mailbox(fields, b"From")),
        SortKey::To => Some(mailbox(fields, b"To")),
        SortKey::DisplayFrom => Some(display(fields, b"From")),
        SortKey::DisplayTo => Some(display(fields, b"To")),
    }
}

fn sent(fields: &Header, arrival: i64) -> i64 {
    fields.first(b"Date").and_then(sent_time).unwrap_or(arrival)
}

/// The base subject as it is compared, and whether it is of a reply or forward. "the pre-processing necessary to
/// extract the base subject text from a Subject header occurs prior to the application of a comparator" (RFC 5255
/// §4.2).
fn subject(fields: &Header) -> (Vec<u8>, bool) {
    match collated_text(fields.first(b"Subject").unwrap_or_default()) {
        Ok(text) => {
            let base = base_subject(&text);
            (collation_key(&base.text), base.is_reply)
        }
        Err(octets) => {
            // What is taken off is ASCII: so each octet may be a character as well.
            let text: String = octets.iter().copied().map(char::from).collect();
            let base = base_subject(&text);
            let octets = base.text.chars().map(|octet| octet as u8).collect();
            (octets_key(octets), base.is_reply)
        }
    }
}

fn first_address(fields: &Header, name: &[u8]) -> Option<Address> {
    let mut list = Vec::new();
    fields
        .all(name)
        .for_each(|body| address::parse(body, &mut list));
    list.into_iter().next()
}

/// `addr-mailbox` of the first address.
fn mailbox(fields: &Header, name: &[u8]) -> Vec<u8> {
    let first = first_address(fields, name).and_then(|address| address.mailbox);
    let text = String::from_utf8(first.unwrap_or_default()).map_err(FromUtf8Error::into_bytes);
    key(text)
}

/// The display name of the first address, else `mailbox@host` (RFC 5957 §3).
fn display(fields: &Header, name: &[u8]) -> Vec<u8> {
    let Some(address) = first_address(fields, name) else {
        return Vec::new();
    };
    let name = address.name.map(|name| collated_text(&name));
    // An encoded word may hold nothing.
    let text = name.filter(|name| name.as_ref().ok().is_none_or(|text| !text.is_empty()));
    let text = text.unwrap_or_else(|| {
        let mut shown = address.mailbox.unwrap_or_default();
        if let Some(host) = address.host {
            shown.push(b'@');
            shown.extend(host);
        }
        String::from_utf8(shown).map_err(FromUtf8Error::into_bytes)
    });
    key(text)
}

/// Ids and subjects may be long and many, so hashes stand for them; with a key, so that nobody can make two that are
/// equal.
fn hash(octets: &[u8]) -> Hash {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    let [high, low] = KEYS.each_ref().map(|key| Hash::from(key.hash_one(octets)));
    high << 64 | low
}

/// What is compared of a text, or of octets that are none.
fn key(text: Result<String, Vec<u8>>) -> Vec<u8> {
    match text {
        Ok(text) => collation_key(&text),
        Err(octets) => octets_key(octets),
    }
}

/// `i;octet`, behind all texts: "The resulting sorted list is produced by appending all collated "failed" strings
/// after all strings collated using the active comparator" (RFC 5255 §4.6). No UTF-8 has the octet before them.
fn octets_key(mut octets: Vec<u8>) -> Vec<u8> {
    octets.insert(0, 0xff);
    octets
}

/// What texts are sorted by: `i;unicode-casemap` (RFC 5051).
fn collation_key(text: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(text.len());
    fold(text, &mut key);
    // The fold has the case of ASCII letters the other way round, which matters to what stands between the two.
    for byte in &mut key {
        if byte.is_ascii_alphabetic() {
            *byte ^= 0x20;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_subjects_are_the_same_to_their_ends() {
        let subject = |last: &str| {
            let message = format!("Subject: {}{last}\n\n", "x".repeat(200_000));
            threaded(message.as_bytes(), 0).unwrap().subject
        };
        assert_eq!(subject("a"), subject("A"));
        assert_ne!(subject("a"), subject("b"));
    }

    #[test]
    fn a_display_name_of_nothing_is_none() {
        let criteria = [SortKey::DisplayFrom, SortKey::DisplayTo].map(|key| SortCriterion {
            key,
            reverse: false,
        });
        let known = Known {
            arrival: 0,
            size: 0,
        };
        let shown = |address: &str| {
            let message = format!("From: {address}\nTo: {address}\n\n");
            values(message.as_bytes(), &criteria, known).unwrap()
        };
        // "If the resulting octet string is not the empty string, use it as the sort value for the address."
        // (RFC 5957 §3)
        for name in ["", "\"\"", "=?utf-8?q??=", "=?utf-8?b??= =?utf-8?q??="] {
            let found = shown(&format!("{name} <zz@b.example>"));
            assert_eq!(found, shown("zz@b.example"), "{name}");
        }
        assert_ne!(shown("=?utf-8?q?a?= <zz@b.example>"), shown("zz@b.example"));
    }
}
