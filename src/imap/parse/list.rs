//! The arguments of LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 5258 §6; RFC 5819; RFC 6154 §6; RFC
//! 9590).

use nom::Parser;
use nom::bytes::complete::tag_no_case;

use crate::imap::command::{CommandBody, List, ListOptions, ReturnOption, SelectOption, WireName};
use crate::imap::parse::lexical::{
    Parsed, argument, astring, beyond, list_mailbox, named, parenthesized, refused, sp, spaced,
    word,
};
use crate::imap::parse::mailbox::status_items;
use crate::imap::parse::metadata::{ENTRIES, entry_list};

/// Most patterns in a LIST.
const PATTERNS: usize = 1000;

/// Most options in each of LIST's two lists.
const OPTIONS: usize = 100;

/// LIST, basic or extended.
pub(super) fn list(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, _) = sp(input)?;
    let (rest, select) = match rest.first() {
        Some(b'(') => {
            let (after, select) = options(rest, select_option)?;
            // RFC 5258 §3.1: "The server MUST return BAD tagged response in such case."
            if select.contains(&SelectOption::RecursiveMatch)
                && !select.contains(&SelectOption::SpecialUse)
                && !select.contains(&SelectOption::Subscribed)
            {
                return Err(refused(
                    rest,
                    "RECURSIVEMATCH must not be the only selection",
                ));
            }
            let (after, _) = sp(after)?;
            (after, Some(select))
        }
        _ => (rest, None),
    };
    let (rest, reference) = reference(rest)?;
    let (rest, _) = sp(rest)?;
    let listed = rest.first() == Some(&b'(');
    let (rest, patterns) = if listed {
        parenthesized(spaced(PATTERNS, "patterns", list_mailbox)).parse(rest)?
    } else {
        list_mailbox.map(|pattern| vec![pattern]).parse(rest)?
    };
    let (rest, returns) = match rest {
        [b' ', ..] => {
            let named_list = (named("RETURN", tag_no_case("RETURN")), sp);
            let (begun, _) = argument(named_list).parse(rest)?;
            let (after, returns) = options(begun, return_option)?;
            let entries = returns.iter().map(|option| match option {
                ReturnOption::Metadata(entries) => entries.len(),
                _ => 0,
            });
            if entries.sum::<usize>() > ENTRIES {
                return Err(beyond(begun, format!("More than {ENTRIES} entries")));
            }
            (after, Some(returns))
        }
        _ => (rest, None),
    };
    let extended = (select.is_some() || listed || returns.is_some()).then(|| ListOptions {
        select: select.unwrap_or_default(),
        returns: returns.unwrap_or_default(),
    });
    let list = List {
        reference,
        patterns,
        extended,
    };
    Ok((rest, CommandBody::List(list)))
}

/// LSUB, which was never extended.
pub(super) fn lsub(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, reference) = argument(reference).parse(input)?;
    let (rest, pattern) = argument(list_mailbox).parse(rest)?;
    Ok((rest, CommandBody::Lsub { reference, pattern }))
}

fn reference(input: &[u8]) -> Parsed<'_, WireName> {
    named("a reference name", astring).parse(input)
}

/// `"(" [option *(SP option)] ")"`
fn options<'a, T>(input: &'a [u8], option: fn(&'a [u8]) -> Parsed<'a, T>) -> Parsed<'a, Vec<T>> {
    match input {
        [b'(', b')', rest @ ..] => Ok((rest, Vec::new())),
        _ => parenthesized(spaced(OPTIONS, "LIST options", option)).parse(input),
    }
}

/// `list-select-opt`. RFC 5258 §3: "A server MUST respond to options it does not recognize with a BAD
/// response."
fn select_option(input: &[u8]) -> Parsed<'_, SelectOption> {
    let (rest, name) = named("a selection option", word).parse(input)?;
    let option = match name.as_str() {
        "RECURSIVEMATCH" => SelectOption::RecursiveMatch,
        "REMOTE" => SelectOption::Remote,
        "SPECIAL-USE" => SelectOption::SpecialUse,
        "SUBSCRIBED" => SelectOption::Subscribed,
        _ => return Err(refused(input, "Unknown LIST selection option")),
    };
    Ok((rest, option))
}

/// `return-option`
fn return_option(input: &[u8]) -> Parsed<'_, ReturnOption> {
    let (rest, name) = named("a return option", word).parse(input)?;
    let option = match name.as_str() {
        "CHILDREN" => ReturnOption::Children,
        "METADATA" => return argument(entry_list).map(ReturnOption::Metadata).parse(rest),
        "SPECIAL-USE" => ReturnOption::SpecialUse,
        "STATUS" => return argument(status_items).map(ReturnOption::Status).parse(rest),
        "SUBSCRIBED" => ReturnOption::Subscribed,
        _ => return Err(refused(input, "Unknown LIST return option")),
    };
    Ok((rest, option))
}
