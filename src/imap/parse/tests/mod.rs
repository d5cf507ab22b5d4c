//! The grammar: what is a command and what value it has (`accepted`), what is none and what its
//! error says (`rejected`), and that every value comes back from its bytes (`round_trip`). APPEND, which comes in pieces,
//! annotations, quotas, and what RFC 7162 adds have files of their own.

mod accepted;
mod append;
mod metadata;
mod modseq;
mod notify;
mod quota;
mod rejected;
mod round_trip;
mod writer;

use super::*;
use crate::imap::sequence::{Bound, MessageSet, SequenceSet};
use std::num::NonZeroU32;

/// The body of a command whose tag is `a`.
fn body(text: impl AsRef<[u8]>) -> CommandBody {
    let bytes = [b"a ", text.as_ref()].concat();
    let command = command(&bytes).unwrap_or_else(|error| panic!("{error}: {}", shown(&bytes)));
    assert_eq!(command.tag.as_str(), "a");
    command.body
}

/// The error of a command whose tag is `a`, behind which octets are counted from 3.
fn error(text: impl AsRef<[u8]>) -> String {
    let bytes = [b"a ", text.as_ref()].concat();
    match command(&bytes) {
        Ok(command) => panic!("{} gave {command:?}", shown(&bytes)),
        Err(error) => {
            assert_eq!(error.tag.as_ref().map(Tag::as_str), Some("a"));
            assert!(error.expected.len() < 200 && error.expected.is_ascii());
            error.expected
        }
    }
}

/// Some of a command, for a failing test's message.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(80).collect()
}

/// A set of ranges; 0 is `*`.
fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let bound = |number| NonZeroU32::new(number).map_or(Bound::Last, Bound::Number);
    SequenceSet::new(ranges.iter().map(|&(a, b)| (bound(a), bound(b))).collect()).unwrap()
}

/// A command's set of these ranges.
fn numbers(ranges: &[(u32, u32)]) -> MessageSet {
    MessageSet::Numbers(set(ranges))
}
