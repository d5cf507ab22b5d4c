//! `search` (RFC 3501 §9): search keys as a tree, within bounds.

use std::num::NonZeroU32;

use nom::Parser;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::char;
use nom::sequence::{preceded, separated_pair};

use crate::imap::command::{CommandBody, Numbering, WireName};
use crate::imap::flag::SystemFlag;
use crate::imap::objectid::ObjectId;
use crate::imap::parse::fetch::fetch_list;
use crate::imap::parse::flag::keyword;
use crate::imap::parse::lexical::{
    Parsed, argument, astring, atom, beyond, capital_atom, expected, named, number, nz_number,
    parenthesized, quoted, refused, sp, spaced, word,
};
use crate::imap::parse::mailbox::mailbox;
use crate::imap::parse::modseq::search_modsequence;
use crate::imap::parse::sequence::message_set;
use crate::imap::search::{
    Day, PartialRange, ReturnOptions, SearchKey, SortCriterion, SortKey, Source, ThreadAlgorithm,
};
use crate::imap::sequence::{Bound, MessageSet, SequenceSet};

/// Most keys in a SEARCH, those within others counted too.
const SEARCH_KEYS: usize = 1000;
/// Most criteria in a SORT.
const SORT_CRITERIA: usize = 64;
/// Most mailboxes that an ESEARCH names.
const MAILBOXES: usize = 1000;
/// Most tags in a CANCELUPDATE.
const CANCELLED: usize = 100;
/// How deep keys may be within NOT, OR and parentheses.
const SEARCH_DEPTH: usize = 32;

/// SEARCH's arguments: perhaps what to return, perhaps a charset, then keys that must all match.
pub(super) fn search(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let (input, returns) = returns(input)?;
    let (input, (charset, key)) = program(input)?;
    let body = CommandBody::Search {
        numbering,
        returns,
        charset,
        key,
    };
    Ok((input, body))
}

/// `["IN" SP "(" source-mbox ")"] [search-return-opts] SP search-program` (RFC 7377 §4). There are no scope options.
pub(super) fn esearch(input: &[u8]) -> Parsed<'_, CommandBody> {
    let announced: Parsed<_> = (sp, tag_no_case("IN"), sp).parse(input);
    let (input, sources) = match announced {
        Ok((rest, _)) => {
            let mut left = MAILBOXES;
            let source = |input| source(input, &mut left);
            let sources = parenthesized(spaced(MAILBOXES, "sources", source));
            named("mailboxes in parentheses", sources)
                .map(Some)
                .parse(rest)?
        }
        Err(_) => (input, None),
    };
    let (input, returns) = returns(input)?;
    let (input, (charset, key)) = program(input)?;
    let body = CommandBody::Esearch {
        sources,
        returns,
        charset,
        key,
    };
    Ok((input, body))
}

/// `filter-mailboxes` (RFC 5465 §8, RFC 7377 §4). `left` is how many more mailboxes the command may name.
fn source<'a>(input: &'a [u8], left: &mut usize) -> Parsed<'a, Source> {
    let what = "inboxes, mailboxes, personal, selected, subscribed, subtree or subtree-one";
    let (rest, name) = named(what, capital_atom).parse(input)?;
    let mut mailboxes = |make: fn(Vec<WireName>) -> Source| {
        let (behind, names) = match rest {
            [b' ', b'(', ..] => {
                argument(parenthesized(spaced(MAILBOXES, "mailboxes", mailbox))).parse(rest)?
            }
            _ => argument(mailbox).map(|name| vec![name]).parse(rest)?,
        };
        *left = left
            .checked_sub(names.len())
            .ok_or_else(|| beyond(rest, format!("More than {MAILBOXES} mailboxes")))?;
        Ok((behind, make(names)))
    };
    match name.as_str() {
        "INBOXES" => Ok((rest, Source::Inboxes)),
        "MAILBOXES" => mailboxes(Source::Mailboxes),
        "PERSONAL" => Ok((rest, Source::Personal)),
        "SELECTED" => Ok((rest, Source::Selected)),
        "SUBSCRIBED" => Ok((rest, Source::Subscribed)),
        "SUBTREE" => mailboxes(Source::Subtree),
        "SUBTREE-ONE" => mailboxes(Source::SubtreeOne),
        _ => Err(expected(input, what)),
    }
}

/// `search-program` (RFC 4466 §6): perhaps a charset, then keys.
fn program(input: &[u8]) -> Parsed<'_, (Option<Vec<u8>>, SearchKey)> {
    let announced: Parsed<_> = (sp, tag_no_case("CHARSET"), sp).parse(input);
    let (input, charset) = match announced {
        Ok((rest, _)) => astring.map(Some).parse(rest)?,
        Err(_) => (input, None),
    };
    let mut left = SEARCH_KEYS;
    let (input, key) = argument(|input| keys(input, 0, &mut left)).parse(input)?;
    Ok((input, (charset, key)))
}

/// `[search-return-opts] SP sort-criteria SP search-criteria` (RFC 5256 §5, RFC 5267 §5).
pub(super) fn sort(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let (input, returns) = returns(input)?;
    let criteria = spaced(SORT_CRITERIA, "sort criteria", sort_criterion);
    let (input, criteria) = argument(parenthesized(criteria)).parse(input)?;
    let (input, (charset, key)) = search_criteria(input)?;
    let body = CommandBody::Sort {
        numbering,
        returns,
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

/// `[SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"]` (RFC 4466 §3). "If the list of result
/// options is empty, […] This is equivalent to (ALL)" (RFC 4731 §3.1), and CONTEXT asks for no result.
fn returns(input: &[u8]) -> Parsed<'_, Option<ReturnOptions>> {
    let announced: Parsed<_> = (sp, tag_no_case("RETURN"), sp).parse(input);
    let Ok((input, _)) = announced else {
        return Ok((input, None));
    };
    if let [b'(', b')', rest @ ..] = input {
        return Ok((rest, Some(ReturnOptions::ALL)));
    }
    let mut options = ReturnOptions::default();
    let option = |input| return_option(input, &mut options);
    let (rest, _) = parenthesized(spaced(SEARCH_KEYS, "result options", option)).parse(input)?;
    if options == ReturnOptions::default() {
        options = ReturnOptions::ALL;
    }
    Ok((rest, Some(options)))
}

/// `search-return-opt`, of which all but PARTIAL may be repeated.
fn return_option<'a>(input: &'a [u8], options: &mut ReturnOptions) -> Parsed<'a, ()> {
    let what = "MIN, MAX, ALL, COUNT, SAVE, PARTIAL, UPDATE or CONTEXT";
    let (mut rest, name) = named(what, word).parse(input)?;
    match name.as_str() {
        "MIN" => options.min = true,
        "MAX" => options.max = true,
        "ALL" => options.all = true,
        "COUNT" => options.count = true,
        "SAVE" => options.save = true,
        "PARTIAL" => {
            let (behind, range) = argument(partial_range).parse(rest)?;
            if options.partial.replace(range).is_some() {
                return Err(refused(input, "PARTIAL can be used only once"));
            }
            rest = behind;
        }
        "UPDATE" => {
            let items = match rest {
                [b' ', b'(', ..] => {
                    let (behind, items) = argument(fetch_list).parse(rest)?;
                    rest = behind;
                    items
                }
                _ => Vec::new(),
            };
            options.update = Some(items);
        }
        "CONTEXT" => {}
        _ => return Err(expected(input, what)),
    }
    // "either one PARTIAL, one ALL, or neither PARTIAL nor ALL is allowed" (RFC 9394 §3.1).
    if options.all && options.partial.is_some() {
        return Err(refused(input, "PARTIAL cannot be used with ALL"));
    }
    Ok((rest, ()))
}

/// `partial-range` (RFC 9394 §4).
pub(super) fn partial_range(input: &[u8]) -> Parsed<'_, PartialRange> {
    let from_last = input.first() == Some(&b'-');
    let end = |input| match from_last {
        true => preceded(char('-'), nz_number).parse(input),
        false => nz_number(input),
    };
    separated_pair(end, char(':'), end)
        .map(|ends| PartialRange { from_last, ends })
        .parse(input)
}

/// `"CANCELUPDATE" 1*(SP quoted)` (RFC 5267 §5).
pub(super) fn cancel_update(input: &[u8]) -> Parsed<'_, CommandBody> {
    let tag = named("a tag in quotes", quoted);
    argument(spaced(CANCELLED, "tags", tag))
        .map(|tags| CommandBody::CancelUpdate { tags })
        .parse(input)
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
        "EMAILID" => argument(object_id).map(EmailId).parse(rest),
        "FLAGGED" => flag(SystemFlag::Flagged),
        "HEADER" => {
            let (rest, name) = argument(astring).parse(rest)?;
            let (rest, text) = argument(astring).parse(rest)?;
            Ok((rest, Header(name, text)))
        }
        "KEYWORD" => argument(keyword).map(Keyword).parse(rest),
        "LARGER" => octets(Larger),
        "MODSEQ" => search_modsequence(rest),
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
        "THREADID" => argument(object_id).map(ThreadId).parse(rest),
        "SAVEDATESUPPORTED" => Ok((rest, All)),
        "SAVEDBEFORE" => on_day(SavedBefore),
        "SAVEDON" => on_day(SavedOn),
        "SAVEDSINCE" => on_day(SavedSince),
        "SEEN" => flag(SystemFlag::Seen),
        "SENTBEFORE" => on_day(SentBefore),
        "SENTON" => on_day(SentOn),
        "SENTSINCE" => on_day(SentSince),
        "SINCE" => on_day(Since),
        "SMALLER" => octets(Smaller),
        "TEXT" => text(Text),
        "UID" => argument(|input| set_of(input, Uid)).parse(rest),
        // RFC 9738: as sets.
        "UIDAFTER" => argument(nz_number)
            .map(|uid| uids(uid.checked_add(1), Some(u32::MAX)))
            .parse(rest),
        "UIDBEFORE" => argument(nz_number)
            .map(|uid| uids(Some(NonZeroU32::MIN), uid.get().checked_sub(1)))
            .parse(rest),
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

/// All UIDs of a range, or none where there is none.
fn uids(from: Option<NonZeroU32>, to: Option<u32>) -> SearchKey {
    match (from, to.and_then(NonZeroU32::new)) {
        (Some(from), Some(to)) if from <= to => {
            let range = (Bound::Number(from), Bound::Number(to));
            match SequenceSet::new(vec![range]) {
                Some(set) => SearchKey::Uid(set),
                None => SearchKey::All,
            }
        }
        _ => SearchKey::Not(Box::new(SearchKey::All)),
    }
}

/// `objectid` (RFC 8474 §7).
fn object_id(input: &[u8]) -> Parsed<'_, ObjectId> {
    let end = input.iter().position(|octet| !ObjectId::may_hold(*octet));
    let (id, rest) = input
        .split_at_checked(end.unwrap_or(input.len()))
        .unwrap_or_default();
    let id = std::str::from_utf8(id).ok().and_then(ObjectId::new);
    match id {
        Some(id) => Ok((rest, id)),
        None => Err(expected(input, "an object identifier")),
    }
}
