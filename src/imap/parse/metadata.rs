//! The arguments of GETMETADATA and SETMETADATA (RFC 5464 §5), and LIST's METADATA (RFC 9590).

use nom::Parser;
use nom::bytes::complete::tag_no_case;

use crate::imap::command::CommandBody;
use crate::imap::metadata::{Depth, EntryName, LONGEST_ENTRY, NotAnEntry};
use crate::imap::parse::lexical::{
    Parsed, argument, astring, beyond, named, nstring_or_literal8, number, parenthesized, refused,
    sp, spaced, word,
};
use crate::imap::parse::mailbox::mailbox;

/// Most entries that one command names.
pub(super) const ENTRIES: usize = 100;

/// Most options of a GETMETADATA.
const OPTIONS: usize = 100;

/// What GETMETADATA may be asked in parentheses; `None` where it was not.
#[derive(Default)]
struct Options {
    max_size: Option<u64>,
    depth: Option<Depth>,
}

/// GETMETADATA. The grammar has the options before the mailbox, the examples of §4.2.1 and §4.2.2 behind it, and
/// clients do either.
pub(super) fn get(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, _) = sp(input)?;
    let (rest, before) = match rest.first() {
        Some(b'(') => {
            let (rest, options) = options(rest)?;
            let (rest, _) = sp(rest)?;
            (rest, Some(options))
        }
        _ => (rest, None),
    };
    let (rest, mailbox) = mailbox(rest)?;
    let (rest, _) = sp(rest)?;
    // An entry begins with a slash, perhaps in a string.
    let (rest, options) = match rest {
        [b'(', first, ..] if before.is_none() && first.is_ascii_alphabetic() => {
            let (rest, options) = options(rest)?;
            let (rest, _) = sp(rest)?;
            (rest, options)
        }
        _ => (rest, before.unwrap_or_default()),
    };
    let (rest, entries) = match rest.first() {
        Some(b'(') => entry_list(rest)?,
        // As in the examples of §4.4.1.
        _ => spaced(ENTRIES, "entries", entry).parse(rest)?,
    };
    let body = CommandBody::GetMetadata {
        mailbox,
        entries,
        depth: options.depth.unwrap_or_default(),
        max_size: options.max_size,
    };
    Ok((rest, body))
}

/// SETMETADATA
pub(super) fn set(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    let values = parenthesized(spaced(ENTRIES, "entries", entry_value));
    let (rest, values) = argument(values).parse(rest)?;
    Ok((rest, CommandBody::SetMetadata { mailbox, values }))
}

/// `"(" entry *(SP entry) ")"`
pub(super) fn entry_list(input: &[u8]) -> Parsed<'_, Vec<EntryName>> {
    parenthesized(spaced(ENTRIES, "entries", entry)).parse(input)
}

/// `entry`
fn entry(input: &[u8]) -> Parsed<'_, EntryName> {
    let (rest, text) = named("an entry", astring).parse(input)?;
    match EntryName::new(&text) {
        Ok(entry) => Ok((rest, entry)),
        Err(NotAnEntry::Invalid) => Err(refused(input, "Not the name of an entry")),
        Err(NotAnEntry::TooLong) => {
            let text = format!("An entry's name has {LONGEST_ENTRY} octets at the most");
            Err(beyond(input, text))
        }
    }
}

/// `entry-value`
fn entry_value(input: &[u8]) -> Parsed<'_, (EntryName, Option<Vec<u8>>)> {
    let (rest, entry) = entry(input)?;
    if !entry.may_have_value() {
        return Err(refused(input, "Not the name of an entry with a value"));
    }
    let (rest, value) = argument(nstring_or_literal8).parse(rest)?;
    Ok((rest, (entry, value)))
}

/// `getmetadata-options`. The last of several of a kind counts.
fn options(input: &[u8]) -> Parsed<'_, Options> {
    let (rest, list) = parenthesized(spaced(OPTIONS, "options", option)).parse(input)?;
    let options = list
        .into_iter()
        .fold(Options::default(), |all, one| Options {
            max_size: one.max_size.or(all.max_size),
            depth: one.depth.or(all.depth),
        });
    Ok((rest, options))
}

/// `maxsize-opt` or `scope-opt`
fn option(input: &[u8]) -> Parsed<'_, Options> {
    let (rest, name) = named("MAXSIZE or DEPTH", word).parse(input)?;
    let mut options = Options::default();
    match name.as_str() {
        "MAXSIZE" => {
            let (rest, size) = argument(number).parse(rest)?;
            options.max_size = Some(size);
            Ok((rest, options))
        }
        "DEPTH" => {
            let depth = |text, depth| tag_no_case(text).map(move |_| depth);
            let depths = nom::branch::alt((
                depth("0", Depth::Zero),
                depth("1", Depth::One),
                depth("infinity", Depth::Infinity),
            ));
            let (rest, depth) = argument(named("0, 1 or infinity", depths)).parse(rest)?;
            options.depth = Some(depth);
            Ok((rest, options))
        }
        _ => Err(refused(input, "Unknown GETMETADATA option")),
    }
}
