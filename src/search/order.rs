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
use crate::search::subject::base_subject;
use crate::search::thread::{IdHash, Threaded};

/// Octets of a text that it is sorted by: so many at least, and as many more as give all messages together
/// [`KEYS_TOTAL`].
const KEY_MIN: usize = 512;

/// What the texts of one criterion may come to in all messages together.
const KEYS_TOTAL: usize = 8 * 1024 * 1024;

/// References that count, the last of them.
const REFERENCES_MAX: usize = 100;

/// One value of a sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Seconds since 1970, or octets.
    Number(i64),
    /// Octets of a collation key.
    Text(Vec<u8>),
}

/// What is known of a message without its header.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// INTERNALDATE, in seconds since 1970.
    pub arrival: i64,
    /// RFC822.SIZE; only wanted where it is sorted by.
    pub size: u64,
}

/// Octets of a text by which one of so many messages is sorted.
pub fn key_max(messages: usize) -> usize {
    KEYS_TOTAL
        .checked_div(messages)
        .unwrap_or_default()
        .max(KEY_MIN)
}

/// Whether the header has to be read for these criteria.
pub fn needs_header(criteria: &[SortCriterion]) -> bool {
    criteria
        .iter()
        .any(|criterion| field(criterion.key).is_some())
}

/// The values of a message for these criteria, in their order; of a text, `key_max` octets. `source` may be empty
/// where no header is needed.
pub fn values<S: Source + ?Sized>(
    source: &S,
    criteria: &[SortCriterion],
    known: Known,
    key_max: usize,
) -> io::Result<Vec<Value>> {
    let fields = read(source, |name| {
        criteria
            .iter()
            .filter_map(|criterion| field(criterion.key))
            .any(|wanted| name.eq_ignore_ascii_case(wanted))
    })?;
    Ok(criteria
        .iter()
        .map(|criterion| value(&fields, criterion.key, known, key_max))
        .collect())
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

/// What THREAD wants to know of a message; of its subject, `key_max` octets.
pub fn threaded<S: Source + ?Sized>(
    source: &S,
    arrival: i64,
    key_max: usize,
) -> io::Result<Threaded> {
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
        ids.iter().map(|id| id_hash(id)).collect::<Vec<IdHash>>()
    };
    let mut references = ids(b"References");
    if references.is_empty() {
        references = ids(b"In-Reply-To");
        references.truncate(1);
    }
    references.drain(..references.len().saturating_sub(REFERENCES_MAX));
    let (subject, is_reply) = subject(&fields, key_max);
    Ok(Threaded {
        date: sent(&fields, arrival),
        subject,
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

fn value(fields: &Header, key: SortKey, known: Known, key_max: usize) -> Value {
    match key {
        SortKey::Arrival => Value::Number(known.arrival),
        SortKey::Size => Value::Number(i64::try_from(known.size).unwrap_or(i64::MAX)),
        SortKey::Date => Value::Number(sent(fields, known.arrival)),
        SortKey::Subject => Value::Text(subject(fields, key_max).0),
        SortKey::Cc => mailbox(fields, b"Cc", key_max),
        SortKey::From => mailbox(fields, b"From", key_max),
        SortKey::To => mailbox(fields, b"To", key_max),
        SortKey::DisplayFrom => display(fields, b"From", key_max),
        SortKey::DisplayTo => display(fields, b"To", key_max),
    }
}

fn sent(fields: &Header, arrival: i64) -> i64 {
    fields.first(b"Date").and_then(sent_time).unwrap_or(arrival)
}

/// The base subject as it is compared, and whether it is of a reply or forward. "the pre-processing necessary to
/// extract the base subject text from a Subject header occurs prior to the application of a comparator" (RFC 5255
/// §4.2).
fn subject(fields: &Header, key_max: usize) -> (Vec<u8>, bool) {
    match collated_text(fields.first(b"Subject").unwrap_or_default()) {
        Ok(text) => {
            let base = base_subject(&text);
            (collation_key(&base.text, key_max), base.is_reply)
        }
        Err(octets) => {
            // What is taken off is ASCII: so each octet may be a character as well.
            let text: String = octets.iter().copied().map(char::from).collect();
            let base = base_subject(&text);
            let octets = base.text.chars().map(|octet| octet as u8).collect();
            (octets_key(octets, key_max), base.is_reply)
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
fn mailbox(fields: &Header, name: &[u8], key_max: usize) -> Value {
    let first = first_address(fields, name).and_then(|address| address.mailbox);
    let text = String::from_utf8(first.unwrap_or_default()).map_err(FromUtf8Error::into_bytes);
    Value::Text(key(text, key_max))
}

/// The display name of the first address, else `mailbox@host` (RFC 5957 §3).
fn display(fields: &Header, name: &[u8], key_max: usize) -> Value {
    let Some(address) = first_address(fields, name) else {
        return Value::Text(Vec::new());
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
    Value::Text(key(text, key_max))
}

/// Ids may be long and many, so hashes stand for them; with a key, so that nobody can make two that are equal.
fn id_hash(id: &[u8]) -> IdHash {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    let [high, low] = KEYS.each_ref().map(|key| IdHash::from(key.hash_one(id)));
    high << 64 | low
}

/// What is compared of a text, or of octets that are none.
fn key(text: Result<String, Vec<u8>>, key_max: usize) -> Vec<u8> {
    match text {
        Ok(text) => collation_key(&text, key_max),
        Err(octets) => octets_key(octets, key_max),
    }
}

/// `i;octet`, behind all texts: "The resulting sorted list is produced by appending all collated "failed" strings
/// after all strings collated using the active comparator" (RFC 5255 §4.6). No UTF-8 has the octet before them.
fn octets_key(mut octets: Vec<u8>, key_max: usize) -> Vec<u8> {
    octets.truncate(key_max);
    octets.insert(0, 0xff);
    octets
}

/// What texts are sorted by: `i;unicode-casemap` (RFC 5051).
fn collation_key(text: &str, key_max: usize) -> Vec<u8> {
    let text = text
        .get(..text.floor_char_boundary(key_max))
        .unwrap_or(text);
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
    fn long_subjects_are_told_apart_where_memory_allows() {
        assert_eq!(key_max(0), KEY_MIN);
        assert_eq!(key_max(1), KEYS_TOTAL);
        assert_eq!(key_max(1_000_000), KEY_MIN);
        let criteria = [SortCriterion {
            key: SortKey::Subject,
            reverse: false,
        }];
        let known = Known {
            arrival: 0,
            size: 0,
        };
        let message = |last: &str| format!("Subject: {}{last}\n\n", "x".repeat(3000));
        let [one, other] = ["a", "b"].map(message);
        for (messages, order) in [(1000, Ordering::Less), (1_000_000, Ordering::Equal)] {
            let key = |message: &str| {
                values(message.as_bytes(), &criteria, known, key_max(messages)).unwrap()
            };
            assert_eq!(compare(&criteria, &key(&one), &key(&other)), order);
            let subject = |message: &str| {
                let threaded = threaded(message.as_bytes(), 0, key_max(messages));
                threaded.unwrap().subject
            };
            assert_eq!(subject(&one).cmp(&subject(&other)), order);
        }
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
            values(message.as_bytes(), &criteria, known, KEY_MIN).unwrap()
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
