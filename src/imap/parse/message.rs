//! The arguments of commands about messages: FETCH, STORE, COPY, MOVE (RFC 3501 §6.4).

use nom::Parser;

use crate::imap::command::{CommandBody, FetchModifiers, Numbering, StoreAction, WireName};
use crate::imap::parse::fetch::fetch_items;
use crate::imap::parse::flag::{flag_list, flags};
use crate::imap::parse::lexical::{
    Parsed, argument, expected, named, parenthesized, refused, sp, spaced, word,
};
use crate::imap::parse::mailbox::mailbox;
use crate::imap::parse::modseq::{mod_sequence_value, store_modifier};
use crate::imap::parse::search::partial_range;
use crate::imap::parse::sequence::message_set;
use crate::imap::sequence::MessageSet;

/// Most modifiers of a FETCH or STORE; none may come twice.
const MODIFIERS: usize = 100;

/// FETCH
pub(super) fn fetch(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let (rest, set) = argument(message_set).parse(input)?;
    let (rest, items) = argument(fetch_items).parse(rest)?;
    let mut modifiers = FetchModifiers::default();
    let rest = match rest {
        [b' ', b'(', ..] => {
            let one = |input| fetch_modifier(input, numbering, &mut modifiers);
            let all = parenthesized(spaced(MODIFIERS, "FETCH modifiers", one));
            let (behind, _) = argument(all).parse(rest)?;
            // RFC 7162 §3.2.6: "If the VANISHED UID FETCH modifier is used without the CHANGEDSINCE UID FETCH
            // modifier, the server MUST respond with a tagged BAD response."
            if modifiers.vanished && modifiers.changed_since.is_none() {
                return Err(refused(rest, "VANISHED needs CHANGEDSINCE"));
            }
            behind
        }
        _ => rest,
    };
    let body = CommandBody::Fetch {
        numbering,
        set,
        items,
        modifiers,
    };
    Ok((rest, body))
}

/// `fetch-modifier` (RFC 4466 §6): those of RFC 7162 §7 and RFC 9394 §4, each once.
fn fetch_modifier<'a>(
    input: &'a [u8],
    numbering: Numbering,
    modifiers: &mut FetchModifiers,
) -> Parsed<'a, ()> {
    let what = "CHANGEDSINCE, PARTIAL or VANISHED";
    let (rest, name) = named(what, word).parse(input)?;
    let (rest, repeated) = match name.as_str() {
        "CHANGEDSINCE" => {
            let (rest, since) = argument(mod_sequence_value).parse(rest)?;
            (rest, modifiers.changed_since.replace(since).is_some())
        }
        "PARTIAL" => {
            let (rest, range) = argument(partial_range).parse(rest)?;
            (rest, modifiers.partial.replace(range).is_some())
        }
        // "NOT allowed with a FETCH command" (RFC 7162 §3.2.6).
        "VANISHED" if numbering == Numbering::Sequence => {
            return Err(refused(input, "VANISHED is for UID FETCH alone"));
        }
        "VANISHED" => (rest, std::mem::replace(&mut modifiers.vanished, true)),
        _ => return Err(expected(input, what)),
    };
    match repeated {
        true => Err(refused(input, "A FETCH modifier can be used only once")),
        false => Ok((rest, ())),
    }
}

/// STORE, perhaps with modifiers (RFC 4466 §2.5). The flags may be in parentheses or not.
pub(super) fn store(input: &[u8], numbering: Numbering) -> Parsed<'_, CommandBody> {
    let (rest, set) = argument(message_set).parse(input)?;
    let mut unchanged_since = None;
    let rest = match rest {
        [b' ', b'(', ..] => {
            let one = |input| store_modifier(input, &mut unchanged_since);
            let all = parenthesized(spaced(MODIFIERS, "STORE modifiers", one));
            let (behind, _) = argument(all).parse(rest)?;
            behind
        }
        _ => rest,
    };
    let (rest, (action, silent)) = argument(store_action).parse(rest)?;
    let (rest, _) = sp(rest)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => flag_list(rest)?,
        _ => flags(rest)?,
    };
    let body = CommandBody::Store {
        numbering,
        set,
        unchanged_since,
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
