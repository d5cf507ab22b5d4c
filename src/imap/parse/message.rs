//! The arguments of commands about messages: FETCH, STORE, COPY, MOVE (RFC 3501 §6.4).

use nom::Parser;

use crate::imap::command::{CommandBody, Numbering, StoreAction, WireName};
use crate::imap::parse::fetch::fetch_items;
use crate::imap::parse::flag::{flag_list, flags};
use crate::imap::parse::lexical::{Parsed, argument, expected, named, parenthesized, sp, word};
use crate::imap::parse::mailbox::mailbox;
use crate::imap::parse::search::partial_range;
use crate::imap::parse::sequence::message_set;
use crate::imap::search::PartialRange;
use crate::imap::sequence::MessageSet;

/// FETCH
pub(super) fn fetch(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let (rest, set) = argument(message_set).parse(input)?;
    let (rest, items) = argument(fetch_items).parse(rest)?;
    let (rest, partial) = match rest {
        [b' ', b'(', ..] => argument(parenthesized(fetch_modifiers)).parse(rest)?,
        _ => (rest, None),
    };
    let body = CommandBody::Fetch {
        numbering,
        set,
        items,
        partial,
    };
    Ok((rest, body))
}

/// `fetch-modifier *(SP fetch-modifier)` (RFC 4466 §6), of which PARTIAL is the one that is known (RFC 9394 §4).
fn fetch_modifiers(input: &[u8]) -> Parsed<'_, Option<PartialRange>> {
    let (rest, name) = named("PARTIAL", word).parse(input)?;
    match name.as_str() {
        "PARTIAL" => argument(partial_range).map(Some).parse(rest),
        _ => Err(expected(input, "PARTIAL")),
    }
}

/// STORE. The flags may be in parentheses or not.
pub(super) fn store(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let (rest, set) = argument(message_set).parse(input)?;
    let (rest, (action, silent)) = argument(store_action).parse(rest)?;
    let (rest, _) = sp(rest)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => flag_list(rest)?,
        _ => flags(rest)?,
    };
    let body = CommandBody::Store {
        numbering,
        set,
        action,
        silent,
        flags,
    };
    Ok((rest, body))
}

/// `["+" / "-"] "FLAGS" [".SILENT"]`
fn store_action(input: &[u8]) -> Parsed<'_, (StoreAction, bool)> {
    let what = "FLAGS, +FLAGS or -FLAGS, perhaps with .SILENT";
    let (action, name) = match input {
        [b'+', name @ ..] => (StoreAction::Add, name),
        [b'-', name @ ..] => (StoreAction::Remove, name),
        _ => (StoreAction::Replace, input),
    };
    let (rest, name) = named(what, word).parse(name)?;
    match name.as_str() {
        "FLAGS" => Ok((rest, (action, false))),
        "FLAGS.SILENT" => Ok((rest, (action, true))),
        _ => Err(expected(input, what)),
    }
}

/// The set and the mailbox of COPY and MOVE, which `make` turns into the command.
pub(super) fn to_mailbox(
    input: &[u8],
    make: impl FnOnce(MessageSet, WireName) -> CommandBody,
) -> Parsed<'_, CommandBody> {
    let (rest, set) = argument(message_set).parse(input)?;
    let (rest, mailbox) = argument(mailbox).parse(rest)?;
    Ok((rest, make(set, mailbox)))
}
