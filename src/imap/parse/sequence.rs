//! `sequence-set` (RFC 3501 §9).

use nom::Parser;
use nom::character::complete::char;

use crate::imap::command::CommandBody;
use crate::imap::parse::lexical::{Parsed, argument, beyond, expected, named, nz_number};
use crate::imap::sequence::{Bound, MessageSet, SequenceSet};

/// Most ranges in a set. Some clients list every UID they mean; of numbers that all differ, a line of 64 KiB
/// holds fewer than this.
pub(super) const SET_RANGES: usize = 16_384;

/// `sequence-set` as RFC 5182 §3 extends it: `seq-number` or `seq-range`, separated by commas, or `$`. The rule
/// calls itself behind a comma, so `$` may also be the last of several; never the first.
pub(super) fn message_set(input: &[u8]) -> Parsed<'_, MessageSet> {
    if let [b'$', rest @ ..] = input {
        return Ok((rest, MessageSet::Saved));
    }
    let (mut rest, first) = named("a sequence set", range).parse(input)?;
    let mut ranges = vec![first];
    let mut saved = false;
    while let [b',', after @ ..] = rest
        && !saved
    {
        if let [b'$', behind @ ..] = after {
            saved = true;
            rest = behind;
            continue;
        }
        if ranges.len() == SET_RANGES {
            let text = format!("More than {SET_RANGES} ranges in a set");
            return Err(beyond(after, text));
        }
        let (behind, next) = range(after)?;
        ranges.push(next);
        rest = behind;
    }
    let set = SequenceSet::new(ranges).ok_or_else(|| expected(input, "a sequence set"))?;
    Ok((
        rest,
        match saved {
            true => MessageSet::NumbersAndSaved(set),
            false => MessageSet::Numbers(set),
        },
    ))
}

/// `seq-number` or `seq-range`.
fn range(input: &[u8]) -> Parsed<'_, (Bound, Bound)> {
    let (rest, from) = seq_number(input)?;
    match rest {
        [b':', rest @ ..] => seq_number.map(|to| (from, to)).parse(rest),
        _ => Ok((rest, (from, from))),
    }
}

/// `seq-number`
pub(super) fn seq_number(input: &[u8]) -> Parsed<'_, Bound> {
    match input {
        [b'*', rest @ ..] => Ok((rest, Bound::Last)),
        _ => named("a number from 1 to 4294967295 or *", nz_number)
            .map(Bound::Number)
            .parse(input),
    }
}

/// The arguments of UIDBATCHES (RFC 10022): `SP nz-number [SP nz-number ":" nz-number]`.
pub(super) fn uid_batches(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, size) = argument(nz_number).parse(input)?;
    let (rest, batches) = match rest {
        [b' ', ..] => {
            let range = (nz_number, char(':'), nz_number);
            argument(range)
                .map(|(first, _, last)| Some((first.get(), last.get())))
                .parse(rest)?
        }
        _ => (rest, None),
    };
    let size = size.get();
    Ok((rest, CommandBody::UidBatches { size, batches }))
}
