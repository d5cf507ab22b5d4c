//! `search` (RFC 3501 §9): search keys as a tree, within bounds.

use nom::Parser;
use nom::bytes::complete::tag_no_case;

use crate::imap::command::{CommandBody, Numbering};
use crate::imap::flag::SystemFlag;
use crate::imap::parse::flag::keyword;
use crate::imap::parse::lexical::{
    Parsed, argument, astring, atom, beyond, capital_atom, expected, named, number, nz_number,
    parenthesized, quoted, refused, sp, spaced, word,
};
use crate::imap::parse::sequence::message_set;
use crate::imap::search::{Day, ReturnOptions, SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
use crate::imap::sequence::{MessageSet, SequenceSet};

/// Most keys in a SEARCH, those within others counted too.
const SEARCH_KEYS: usize = 1000;
/// Most criteria in a SORT.
const SORT_CRITERIA: usize = 64;
/// How deep keys may be within NOT, OR and parentheses.
const SEARCH_DEPTH: usize = 32;

/// SEARCH's arguments: perhaps what to return, perhaps a charset, then keys that must all match.
pub(super) fn search(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let announced: Parsed<_> = (sp, tag_no_case("RETURN"), sp).parse(input);
    let (input, returns) = match announced {
        Ok((rest, _)) => return_options.map(Some).parse(rest)?,
        Err(_) => (input, None),
    };
    let announced: Parsed<_> = (sp, tag_no_case("CHARSET"), sp).parse(input);
    let (input, charset) = match announced {
        Ok((rest, _)) => astring.map(Some).parse(rest)?,
        Err(_) => (input, None),
    };
    let mut left = SEARCH_KEYS;
    let (input, key) = argument(|input| keys(input, 0, &mut left)).parse(input)?;
    let body = CommandBody::Search {
        numbering,
        returns,
        charset,
        key,
    };
    Ok((input, body))
}

/// `sort-criteria SP search-criteria` (RFC 5256 §5).
pub(super) fn sort(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let criteria = spaced(SORT_CRITERIA, "sort criteria", sort_criterion);
    let (input, criteria) = argument(parenthesized(criteria)).parse(input)?;
    let (input, (charset, key)) = search_criteria(input)?;
    let body = CommandBody::Sort {
        numbering,
        criteria,
        charset,
        key,
    };
    Ok((input, body))
}

/// `["REVERSE" SP] sort-key`
fn sort_criterion(input: &[u8]) -> Parsed<'_, SortCriterion> {
    let announced: Parsed<_> = (tag_no_case("REVERSE"), sp).parse(input);
    let (input, reverse) = match announced {
        Ok((rest, _)) => (rest, true),
        Err(_) => (input, false),
    };
    let what = "ARRIVAL, CC, DATE, DISPLAYFROM, DISPLAYTO, FROM, SIZE, SUBJECT or TO";
    let (rest, name) = named(what, word).parse(input)?;
    let (_, key) = SortKey::NAMES
        .into_iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| expected(input, what))?;
    Ok((rest, SortCriterion { reverse, key }))
}

/// `thread-alg SP search-criteria` (RFC 5256 §5).
pub(super) fn thread(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let what = "ORDEREDSUBJECT, REFERENCES or REFS";
    let (rest, name) = argument(named(what, capital_atom)).parse(input)?;
    let (_, algorithm) = ThreadAlgorithm::NAMES
        .into_iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| refused(input, "Unknown threading algorithm"))?;
    let (input, (charset, key)) = search_criteria(rest)?;
    let body = CommandBody::Thread {
        numbering,
        algorithm,
        charset,
        key,
    };
    Ok((input, body))
}

/// `charset 1*(SP search-key)`
fn search_criteria(input: &[u8]) -> Parsed<'_, (Vec<u8>, SearchKey)> {
    let mut left = SEARCH_KEYS;
    (
        argument(astring),
        argument(|input| keys(input, 0, &mut left)),
    )
        .parse(input)
}

/// `"(" [search-return-opt *(SP search-return-opt)] ")"`. "If the list of result options is empty, […] This is
/// equivalent to (ALL)" (RFC 4731 §3.1).
fn return_options(input: &[u8]) -> Parsed<'_, ReturnOptions> {
    if let [b'(', b')', rest @ ..] = input {
        return Ok((rest, ReturnOptions::ALL));
    }
    let options = spaced(SEARCH_KEYS, "result options", return_option);
    let (rest, names) = parenthesized(options).parse(input)?;
    let mut all = ReturnOptions::default();
    for set in names {
        set(&mut all);
    }
    Ok((rest, all))
}

/// `search-return-opt`: what it sets.
fn return_option(input: &[u8]) -> Parsed<'_, fn(&mut ReturnOptions)> {
    let what = "MIN, MAX, ALL, COUNT or SAVE";
    let (rest, name) = named(what, word).parse(input)?;
    let set: fn(&mut ReturnOptions) = match name.as_str() {
        "MIN" => |options| options.min = true,
        "MAX" => |options| options.max = true,
        "ALL" => |options| options.all = true,
        "COUNT" => |options| options.count = true,
        "SAVE" => |options| options.save = true,
        _ => return Err(expected(input, what)),
    };
    Ok((rest, set))
}

/// `search-key *(SP search-key)`. `left` is how many more keys the command may have.
fn keys<'a>(input: &'a [u8], depth: usize, left: &mut usize) -> Parsed<'a, SearchKey> {
    spaced(SEARCH_KEYS, "search keys", |input| key(input, depth, left))
        .map(|keys| match <[SearchKey; 1]>::try_from(keys) {
            Ok([only]) => only,
            Err(keys) => SearchKey::And(keys),
        })
        .parse(input)
}

/// `search-key`. It calls itself for keys within keys, [`SEARCH_DEPTH`] deep at the most.
fn key<'a>(input: &'a [u8], depth: usize, left: &mut usize) -> Parsed<'a, SearchKey> {
    use SearchKey::*;
    if depth > SEARCH_DEPTH {
        let text = format!("Search keys nested more than {SEARCH_DEPTH} deep");
        return Err(beyond(input, text));
    }
    *left = left
        .checked_sub(1)
        .ok_or_else(|| beyond(input, format!("More than {SEARCH_KEYS} search keys")))?;

    match input.first() {
        Some(b'(') => {
            return parenthesized(|inside| keys(inside, depth + 1, left)).parse(input);
        }
        Some(b'0'..=b'9' | b'*' | b'$') => return set_of(input, Sequence),
        _ => {}
    }

    let (rest, name) = named("a search key", word).parse(input)?;
    let flag = |flag| Ok((rest, Flag(flag)));
    let no_flag = |flag| Ok((rest, Not(Box::new(Flag(flag)))));
    let text = |make: fn(Vec<u8>) -> SearchKey| argument(astring).map(make).parse(rest);
    let field = || {
        let (rest, text) = argument(astring).parse(rest)?;
        Ok((rest, Header(name.clone().into_bytes(), text)))
    };
    let on_day = |make: fn(Day) -> SearchKey| argument(day).map(make).parse(rest);
    let octets = |make: fn(u64) -> SearchKey| argument(number).map(make).parse(rest);
    match name.as_str() {
        "ALL" => Ok((rest, All)),
        "ANSWERED" => flag(SystemFlag::Answered),
        "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => field(),
        "BEFORE" => on_day(Before),
        "BODY" => text(Body),
        "DELETED" => flag(SystemFlag::Deleted),
        "DRAFT" => flag(SystemFlag::Draft),
        "FLAGGED" => flag(SystemFlag::Flagged),
        "HEADER" => {
            let (rest, name) = argument(astring).parse(rest)?;
            let (rest, text) = argument(astring).parse(rest)?;
            Ok((rest, Header(name, text)))
        }
        "KEYWORD" => argument(keyword).map(Keyword).parse(rest),
        "LARGER" => octets(Larger),
        "NEW" => Ok((rest, New)),
        "NOT" => {
            let (rest, inner) = argument(|input| key(input, depth + 1, left)).parse(rest)?;
            Ok((rest, Not(Box::new(inner))))
        }
        "OLD" => Ok((rest, Old)),
        "OLDER" => argument(nz_number).map(Older).parse(rest),
        "ON" => on_day(On),
        "OR" => {
            let (rest, one) = argument(|input| key(input, depth + 1, left)).parse(rest)?;
            let (rest, other) = argument(|input| key(input, depth + 1, left)).parse(rest)?;
            Ok((rest, Or(Box::new(one), Box::new(other))))
        }
        "RECENT" => Ok((rest, Recent)),
        "SEEN" => flag(SystemFlag::Seen),
        "SENTBEFORE" => on_day(SentBefore),
        "SENTON" => on_day(SentOn),
        "SENTSINCE" => on_day(SentSince),
        "SINCE" => on_day(Since),
        "SMALLER" => octets(Smaller),
        "TEXT" => text(Text),
        "UID" => argument(|input| set_of(input, Uid)).parse(rest),
        "UNANSWERED" => no_flag(SystemFlag::Answered),
        "UNDELETED" => no_flag(SystemFlag::Deleted),
        "UNDRAFT" => no_flag(SystemFlag::Draft),
        "UNFLAGGED" => no_flag(SystemFlag::Flagged),
        "UNKEYWORD" => argument(keyword)
            .map(|keyword| Not(Box::new(Keyword(keyword))))
            .parse(rest),
        "UNSEEN" => no_flag(SystemFlag::Seen),
        "YOUNGER" => argument(nz_number).map(Younger).parse(rest),
        _ => Err(expected(input, "a search key")),
    }
}

/// A sequence set as a key, which `make` turns numbers into. `$` names messages, whatever their numbers are.
fn set_of(input: &[u8], make: fn(SequenceSet) -> SearchKey) -> Parsed<'_, SearchKey> {
    message_set
        .map(|set| match set {
            MessageSet::Numbers(set) => make(set),
            MessageSet::NumbersAndSaved(set) => {
                SearchKey::Or(Box::new(make(set)), Box::new(SearchKey::Saved))
            }
            MessageSet::Saved => SearchKey::Saved,
        })
        .parse(input)
}

/// `date`: a day, in quotes or not.
fn day(input: &[u8]) -> Parsed<'_, Day> {
    let what = "a date such as 1-Feb-1994";
    let (rest, text) = match input.first() {
        Some(b'"') => quoted(input)?,
        _ => named(what, atom).map(<[u8]>::to_vec).parse(input)?,
    };
    match Day::parse(&text) {
        Some(day) => Ok((rest, day)),
        None => Err(expected(input, what)),
    }
}
