//! The arguments of commands about mailboxes: SELECT to STATUS, and APPEND (RFC 3501 §6.3).

use nom::Parser;
use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::terminated;

use crate::imap::command::{Append, AppendOptions, CommandBody, StatusItem, WireName};
use crate::imap::date::DateTime;
use crate::imap::parse::flag::flag_list;
use crate::imap::parse::lexical::{
    Parsed, Wrong, argument, astring, expected, list_mailbox, literal_header, named, parenthesized,
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

/// APPEND with its messages inline, which are measured and left out of the value.
pub(super) fn append(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (mut rest, mailbox) = argument(mailbox).parse(input)?;
    let mut messages = Vec::new();
    while messages.is_empty() || rest.first() == Some(&b' ') {
        let (after, options) = append_options(rest)?;
        messages.push(options);
        rest = skip_message(after)?;
    }
    Ok((rest, CommandBody::Append(Append { mailbox, messages })))
}

/// What follows a message.
fn skip_message(input: &[u8]) -> Result<&[u8], nom::Err<Wrong>> {
    let literal = (opt(char('~')), literal_header).map(|(_, size)| size);
    let (octets, size) = named("a literal with the message", literal).parse(input)?;
    usize::try_from(size)
        .ok()
        .and_then(|size| octets.get(size..))
        .ok_or_else(|| expected(&[], "all octets of the literal"))
}

/// APPEND's arguments up to its first message, with the space before that.
pub(super) fn append_head(input: &[u8]) -> Parsed<'_, (WireName, AppendOptions)> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    let (rest, options) = append_options(rest)?;
    Ok((rest, (mailbox, options)))
}

/// `append-opts SP`
pub(super) fn append_options(input: &[u8]) -> Parsed<'_, AppendOptions> {
    let (rest, _) = sp(input)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => terminated(flag_list, sp).parse(rest)?,
        _ => (rest, Vec::new()),
    };
    let (rest, date) = match rest.first() {
        Some(b'"') => terminated(date_time, sp).map(Some).parse(rest)?,
        _ => (rest, None),
    };
    Ok((rest, AppendOptions { flags, date }))
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
