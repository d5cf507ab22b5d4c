//! The arguments of commands about mailboxes: SELECT to STATUS, and APPEND (RFC 3501 §6.3).

use nom::Parser;
use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::terminated;

use crate::imap::command::{Append, CommandBody, StatusItem, WireName};
use crate::imap::date::DateTime;
use crate::imap::parse::flag::flag_list;
use crate::imap::parse::lexical::{
    Parsed, argument, astring, expected, list_mailbox, literal_header, named, parenthesized,
    quoted, sp, spaced, word,
};

/// Most items in a STATUS.
const STATUS_ITEMS: usize = 100;

/// A mailbox's name as the only argument, which `make` turns into the command.
pub(super) fn one_mailbox(
    input: &[u8],
    make: impl FnOnce(WireName) -> CommandBody,
) -> Parsed<'_, CommandBody> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    Ok((rest, make(mailbox)))
}

/// `mailbox`
pub(super) fn mailbox(input: &[u8]) -> Parsed<'_, WireName> {
    named("a mailbox name", astring).parse(input)
}

/// RENAME
pub(super) fn rename(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, from) = argument(mailbox).parse(input)?;
    let (rest, to) = argument(mailbox).parse(rest)?;
    Ok((rest, CommandBody::Rename { from, to }))
}

/// The reference and the pattern of LIST and LSUB, which `make` turns into the command.
pub(super) fn list(
    input: &[u8],
    make: impl FnOnce(WireName, WireName) -> CommandBody,
) -> Parsed<'_, CommandBody> {
    let (rest, reference) = argument(named("a reference name", astring)).parse(input)?;
    let (rest, pattern) = argument(list_mailbox).parse(rest)?;
    Ok((rest, make(reference, pattern)))
}

/// STATUS
pub(super) fn status(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    let items = parenthesized(spaced(STATUS_ITEMS, "STATUS items", status_item));
    let (rest, items) = argument(items).parse(rest)?;
    Ok((rest, CommandBody::Status { mailbox, items }))
}

/// `status-att`
fn status_item(input: &[u8]) -> Parsed<'_, StatusItem> {
    let what = "MESSAGES, RECENT, UIDNEXT, UIDVALIDITY or UNSEEN";
    let (rest, name) = named(what, word).parse(input)?;
    let item = match name.as_str() {
        "MESSAGES" => StatusItem::Messages,
        "RECENT" => StatusItem::Recent,
        "UIDNEXT" => StatusItem::UidNext,
        "UIDVALIDITY" => StatusItem::UidValidity,
        "UNSEEN" => StatusItem::Unseen,
        _ => return Err(expected(input, what)),
    };
    Ok((rest, item))
}

/// APPEND with its message inline, which is measured and left out of the value.
pub(super) fn append(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, head) = append_head(input)?;
    let literal = (opt(char('~')), literal_header).map(|(_, size)| size);
    let (octets, size) = named("a literal with the message", literal).parse(rest)?;
    usize::try_from(size)
        .ok()
        .and_then(|size| octets.get(size..))
        .map(|rest| (rest, CommandBody::Append(head)))
        .ok_or_else(|| expected(&[], "all octets of the literal"))
}

/// APPEND's arguments up to its message, with the space before that.
pub(super) fn append_head(input: &[u8]) -> Parsed<'_, Append> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    let (rest, _) = sp(rest)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => terminated(flag_list, sp).parse(rest)?,
        _ => (rest, Vec::new()),
    };
    let (rest, date) = match rest.first() {
        Some(b'"') => terminated(date_time, sp).map(Some).parse(rest)?,
        _ => (rest, None),
    };
    let head = Append {
        mailbox,
        flags,
        date,
    };
    Ok((rest, head))
}

/// `date-time`
fn date_time(input: &[u8]) -> Parsed<'_, DateTime> {
    let (rest, text) = quoted(input)?;
    match DateTime::parse(&text) {
        Some(date) => Ok((rest, date)),
        None => Err(expected(
            input,
            "a date-time such as \"17-Jul-1996 02:44:25 -0700\"",
        )),
    }
}
