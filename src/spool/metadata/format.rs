//! The grammar of `culver.metadata`: octets ↔ annotations. No file is touched here.

use crate::spool::metadata::{Annotations, SPECIAL_USE};

/// What a file begins with.
const VERSION_1: &[u8] = b"V\t1\n";

/// A file's contents.
#[derive(Default)]
pub(super) struct Parsed {
    /// The annotations.
    pub(super) values: Annotations,
    /// Lines that are no annotations, as they are.
    pub(super) others: Vec<Vec<u8>>,
}

impl Parsed {
    /// `None` for what is no such file.
    pub(super) fn of(bytes: &[u8]) -> Option<Parsed> {
        let lines = bytes.strip_prefix(VERSION_1)?;
        let mut file = Parsed::default();
        for line in lines.split(|byte| *byte == b'\n') {
            match annotation(line) {
                Some((entry, value)) => {
                    file.values.entry(entry).or_insert(value);
                }
                None if line.is_empty() => {}
                None => file.others.push(line.to_vec()),
            }
        }
        Some(file)
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION_1.to_vec();
        let is_first = |entry: &str| entry == SPECIAL_USE;
        let (first, rest): (Vec<_>, Vec<_>) =
            self.values.iter().partition(|(entry, _)| is_first(entry));
        for (entry, value) in first.into_iter().chain(rest) {
            bytes.extend_from_slice(entry.as_bytes());
            bytes.push(b'\t');
            spell(&mut bytes, value);
            bytes.push(b'\n');
        }
        for line in &self.others {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        bytes
    }
}

/// The entry and the value of a line.
fn annotation(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let tab = memchr::memchr(b'\t', line)?;
    let (entry, value) = line.split_at_checked(tab)?;
    let entry = std::str::from_utf8(entry).ok()?;
    let known = entry.starts_with("/private/") || entry.starts_with("/shared/");
    known.then(|| {
        (
            entry.to_ascii_lowercase(),
            unspell(value.get(1..).unwrap_or_default()),
        )
    })
}

fn spell(out: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        match byte {
            b'%' | 0x7f | ..b' ' => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.push(*byte),
        }
    }
}

/// A `%` that no two digits follow stands for itself.
fn unspell(mut spelled: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(spelled.len());
    while let [first, rest @ ..] = spelled {
        spelled = rest;
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        if let ([high, low, after @ ..], b'%') = (rest, first)
            && let (Some(high), Some(low)) = (digit(high), digit(low))
            && let Ok(byte) = u8::try_from(high * 16 + low)
        {
            value.push(byte);
            spelled = after;
        } else {
            value.push(*first);
        }
    }
    value
}
