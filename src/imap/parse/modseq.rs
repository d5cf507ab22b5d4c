//! Mod-sequences as clients write them: parameters, modifiers and the search key of RFC 7162 §7.

use nom::Parser;
use nom::bytes::complete::tag_no_case;

use crate::imap::command::{Resync, SelectParameters};
use crate::imap::core::is_atom_char;
use crate::imap::parse::lexical::{
    Parsed, argument, capital_atom, expected, named, number, nz_number, parenthesized, quoted,
    refused, word,
};
use crate::imap::parse::sequence::message_set;
use crate::imap::search::SearchKey;
use crate::imap::sequence::{Bound, MessageSet, ModSeq, SequenceSet, UidValidity};

/// `mod-sequence-valzer`: a [`mod_sequence_value`] or 0.
fn mod_sequence_valzer(input: &[u8]) -> Parsed<'_, ModSeq> {
    named("a mod-sequence", number).map(ModSeq).parse(input)
}

/// `mod-sequence-value`: 1 to 2^63 − 1.
pub(super) fn mod_sequence_value(input: &[u8]) -> Parsed<'_, ModSeq> {
    match mod_sequence_valzer(input)? {
        (_, ModSeq(0)) => Err(expected(input, "a mod-sequence of 1 at least")),
        parsed => Ok(parsed),
    }
}

/// `select-param`: `CONDSTORE` or `QRESYNC (…)`.
pub(super) fn select_parameter<'a>(
    input: &'a [u8],
    parameters: &mut SelectParameters,
) -> Parsed<'a, ()> {
    let what = "CONDSTORE or QRESYNC";
    let (rest, name) = named(what, word).parse(input)?;
    let (rest, repeated) = match name.as_str() {
        "CONDSTORE" => (rest, std::mem::replace(&mut parameters.condstore, true)),
        "QRESYNC" => {
            let (rest, resync) = argument(parenthesized(resync)).parse(rest)?;
            (rest, parameters.qresync.replace(resync).is_some())
        }
        _ => return Err(expected(input, what)),
    };
    match repeated {
        true => Err(refused(input, "A parameter can be used only once")),
        false => Ok((rest, ())),
    }
}

/// `uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data]`
fn resync(input: &[u8]) -> Parsed<'_, Resync> {
    let (rest, uid_validity) = nz_number.map(UidValidity).parse(input)?;
    let (rest, modseq) = argument(mod_sequence_value).parse(rest)?;
    let (rest, known) = match rest {
        [b' ', first, ..] if *first != b'(' => argument(set_without_last).map(Some).parse(rest)?,
        _ => (rest, None),
    };
    let (rest, sample) = match rest {
        [b' ', ..] => {
            let sets = (set_without_last, argument(set_without_last));
            argument(parenthesized(sets)).map(Some).parse(rest)?
        }
        _ => (rest, None),
    };
    let resync = Resync {
        uid_validity,
        modseq,
        known,
        sample,
    };
    Ok((rest, resync))
}

/// `sequence-set` where "* is not allowed", nor is `$`.
fn set_without_last(input: &[u8]) -> Parsed<'_, SequenceSet> {
    let number = |(from, to): &(Bound, Bound)| *from != Bound::Last && *to != Bound::Last;
    match message_set(input)? {
        (rest, MessageSet::Numbers(set)) if set.ranges().iter().all(number) => Ok((rest, set)),
        _ => Err(expected(input, "numbers without * and $")),
    }
}

/// `store-modifier`: `"UNCHANGEDSINCE" SP mod-sequence-valzer`, of which "only a single" one "may be specified".
pub(super) fn store_modifier<'a>(input: &'a [u8], since: &mut Option<ModSeq>) -> Parsed<'a, ()> {
    let (rest, _) = named("UNCHANGEDSINCE", tag_no_case("UNCHANGEDSINCE")).parse(input)?;
    let (rest, modseq) = argument(mod_sequence_valzer).parse(rest)?;
    match since.replace(modseq) {
        Some(_) => Err(refused(input, "UNCHANGEDSINCE can be used only once")),
        None => Ok((rest, ())),
    }
}

/// `[search-modseq-ext] SP mod-sequence-valzer`, behind `MODSEQ`.
pub(super) fn search_modsequence(input: &[u8]) -> Parsed<'_, SearchKey> {
    let rest = match input {
        [b' ', b'"', ..] => {
            let (rest, _) = argument(entry_name).parse(input)?;
            let (rest, _) = argument(entry_type).parse(rest)?;
            rest
        }
        _ => input,
    };
    argument(mod_sequence_valzer)
        .map(SearchKey::ModSeq)
        .parse(rest)
}

/// `entry-flag-name`: `/flags/` and a flag, in quotes.
fn entry_name(input: &[u8]) -> Parsed<'_, ()> {
    const FLAGS: &[u8] = b"/flags/";
    let (rest, name) = quoted(input)?;
    let flag = match name.split_at_checked(FLAGS.len()) {
        Some((prefix, flag)) if prefix.eq_ignore_ascii_case(FLAGS) => flag,
        _ => return Err(expected(input, "an entry such as \"/flags/\\\\seen\"")),
    };
    let atom = flag.strip_prefix(b"\\").unwrap_or(flag);
    match !atom.is_empty() && atom.iter().all(|byte| is_atom_char(*byte)) {
        true => Ok((rest, ())),
        false => Err(expected(input, "an entry such as \"/flags/\\\\seen\"")),
    }
}

/// `entry-type-req`
fn entry_type(input: &[u8]) -> Parsed<'_, ()> {
    let what = "priv, shared or all";
    let (rest, name) = named(what, capital_atom).parse(input)?;
    match name.as_str() {
        "PRIV" | "SHARED" | "ALL" => Ok((rest, ())),
        _ => Err(expected(input, what)),
    }
}
