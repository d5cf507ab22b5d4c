//! What FETCH asks for: `fetch-att` and `section` (RFC 3501 §9).

use std::num::{NonZeroU32, NonZeroU64};

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::char;
use nom::sequence::{delimited, preceded, separated_pair};

use crate::imap::fetch::{FetchItem, Partial, PreviewForm, Section, SectionText};
use crate::imap::parse::lexical::{
    Parsed, Wrong, argument, astring, beyond, expected, named, number, nz_number, parenthesized,
    sp, spaced, word,
};

/// Most items in a FETCH.
const FETCH_ITEMS: usize = 1000;
/// Most names in `HEADER.FIELDS`.
const HEADER_NAMES: usize = 1000;
/// Most part numbers in a row. A message's own nesting is not followed any deeper.
const SECTION_DEPTH: usize = 128;

/// Everything behind FETCH's sequence set: an item, several in parentheses, or a macro alone.
pub(super) fn fetch_items(input: &[u8]) -> Parsed<'_, Vec<FetchItem>> {
    use FetchItem::*;
    if input.first() == Some(&b'(') {
        return fetch_list(input);
    }
    let mut items = vec![Flags, InternalDate, Rfc822Size];
    let (rest, name) = named(FETCH_ITEM, word).parse(input)?;
    match name.as_str() {
        "FAST" => {}
        "ALL" => items.push(Envelope),
        "FULL" => items.extend([Envelope, Body]),
        _ => return fetch_item.map(|item| vec![item]).parse(input),
    }
    Ok((rest, items))
}

/// `"(" fetch-att *(SP fetch-att) ")"`
pub(super) fn fetch_list(input: &[u8]) -> Parsed<'_, Vec<FetchItem>> {
    parenthesized(spaced(FETCH_ITEMS, "FETCH items", fetch_item)).parse(input)
}

const FETCH_ITEM: &str = "a FETCH item";

/// `fetch-att`
pub(super) fn fetch_item(input: &[u8]) -> Parsed<'_, FetchItem> {
    use FetchItem::*;
    let (rest, name) = named(FETCH_ITEM, word).parse(input)?;
    let item = match (name.as_str(), rest.first()) {
        ("BINARY", _) => return binary(rest, false),
        ("BINARY.PEEK", _) => return binary(rest, true),
        ("BINARY.SIZE", _) => {
            return section_binary.map(|part| BinarySize { part }).parse(rest);
        }
        ("BODY", Some(b'[')) => return body_section(rest, false),
        ("BODY.PEEK", _) => return body_section(rest, true),
        ("BODY", _) => Body,
        ("BODYSTRUCTURE", _) => BodyStructure,
        ("EMAILID", _) => EmailId,
        ("ENVELOPE", _) => Envelope,
        ("FLAGS", _) => Flags,
        ("INTERNALDATE", _) => InternalDate,
        ("MODSEQ", _) => ModSeq,
        ("PREVIEW", _) => return preview(rest, PreviewForm::Plain),
        ("RFC822", _) => Rfc822,
        ("RFC822.HEADER", _) => Rfc822Header,
        ("RFC822.SIZE", _) => Rfc822Size,
        ("RFC822.TEXT", _) => Rfc822Text,
        ("SAVEDATE", _) => SaveDate,
        ("SNIPPET", _) => return preview(rest, PreviewForm::Snippet),
        ("THREADID", _) => ThreadId,
        ("UID", _) => Uid,
        _ => return Err(expected(input, FETCH_ITEM)),
    };
    Ok((rest, item))
}

/// `[SP "(" preview-mod *(SP preview-mod) ")"]` (RFC 8970 §6). Other parentheses may hold modifiers of the FETCH.
fn preview(input: &[u8], form: PreviewForm) -> Parsed<'_, FetchItem> {
    let modifier = alt((
        tag_no_case("LAZY=FUZZY").map(|_| (true, true)),
        tag_no_case("LAZY").map(|_| (true, false)),
        tag_no_case("FUZZY").map(|_| (false, true)),
    ));
    let modifiers = parenthesized(spaced(FETCH_ITEMS, "PREVIEW modifiers", modifier));
    let (rest, modifiers) = match preceded(sp, modifiers).parse(input) {
        Ok(parsed) => parsed,
        Err(_) => (input, Vec::new()),
    };
    let lazy = modifiers.iter().any(|(lazy, _)| *lazy);
    let fuzzy = modifiers.iter().any(|(_, fuzzy)| *fuzzy);
    let form = match form {
        PreviewForm::Plain if fuzzy => PreviewForm::Fuzzy,
        form => form,
    };
    Ok((rest, FetchItem::Preview { lazy, form }))
}

/// `section-binary [partial]`
fn binary(input: &[u8], peek: bool) -> Parsed<'_, FetchItem> {
    let (rest, part) = section_binary(input)?;
    let (rest, partial) = maybe_partial(rest)?;
    let item = FetchItem::Binary {
        peek,
        part,
        partial,
    };
    Ok((rest, item))
}

/// `"[" [section-part] "]"`
fn section_binary(input: &[u8]) -> Parsed<'_, Vec<NonZeroU32>> {
    let (mut rest, _) = char('[').parse(input)?;
    let mut part = Vec::new();
    let mut more = rest.first() != Some(&b']');
    while more {
        if part.len() == SECTION_DEPTH {
            return Err(too_deep(rest));
        }
        let (after, number) = nz_number(rest)?;
        part.push(number);
        (rest, more) = match after {
            [b'.', after @ ..] => (after, true),
            _ => (after, false),
        };
    }
    let (rest, _) = char(']').parse(rest)?;
    Ok((rest, part))
}

/// `section ["<" number "." nz-number ">"]`
fn body_section(input: &[u8], peek: bool) -> Parsed<'_, FetchItem> {
    let (rest, section) = delimited(char('['), section_spec, char(']')).parse(input)?;
    let (rest, partial) = maybe_partial(rest)?;
    let item = FetchItem::BodySection {
        peek,
        section,
        partial,
    };
    Ok((rest, item))
}

/// `["<" number "." nz-number ">"]`
fn maybe_partial(input: &[u8]) -> Parsed<'_, Option<Partial>> {
    match input.first() {
        Some(b'<') => delimited(char('<'), partial, char('>'))
            .map(Some)
            .parse(input),
        _ => Ok((input, None)),
    }
}

/// What is between `<` and `>`. The length is a `number64` as in RFC 9051, since messages may be that long.
fn partial(input: &[u8]) -> Parsed<'_, Partial> {
    let length = |input| {
        let (rest, length) = number(input)?;
        match NonZeroU64::new(length) {
            Some(length) => Ok((rest, length.get())),
            None => Err(expected(input, "a length of 1 at least")),
        }
    };
    separated_pair(number, char('.'), length)
        .map(|(offset, length)| Partial { offset, length })
        .parse(input)
}

/// `[section-spec]`: part numbers, then perhaps what of the part.
pub(super) fn section_spec(input: &[u8]) -> Parsed<'_, Section> {
    let mut part: Vec<NonZeroU32> = Vec::new();
    let mut rest = input;
    while matches!(rest.first(), Some(b'0'..=b'9')) {
        if part.len() == SECTION_DEPTH {
            return Err(too_deep(rest));
        }
        let (after, number) = nz_number(rest)?;
        part.push(number);
        let [b'.', after @ ..] = after else {
            let text = SectionText::Whole;
            return Ok((after, Section { part, text }));
        };
        rest = after;
    }
    if rest.first() == Some(&b']') && part.is_empty() {
        return Ok((rest, Section::default()));
    }
    let (rest, text) = section_text(rest, !part.is_empty())?;
    Ok((rest, Section { part, text }))
}

fn too_deep(input: &[u8]) -> nom::Err<Wrong> {
    let text = format!("More than {SECTION_DEPTH} part numbers in a section");
    beyond(input, text)
}

/// `section-text` where it follows part numbers, else `section-msgtext`.
fn section_text(input: &[u8], of_part: bool) -> Parsed<'_, SectionText> {
    let what = if of_part {
        "a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME"
    } else {
        "a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT or TEXT"
    };
    let names =
        |rest| argument(parenthesized(spaced(HEADER_NAMES, "header names", astring))).parse(rest);
    let (rest, name) = named(what, word).parse(input)?;
    match name.as_str() {
        "HEADER" => Ok((rest, SectionText::Header)),
        "HEADER.FIELDS" => {
            let (rest, names) = names(rest)?;
            Ok((rest, SectionText::HeaderFields(names)))
        }
        "HEADER.FIELDS.NOT" => {
            let (rest, names) = names(rest)?;
            Ok((rest, SectionText::HeaderFieldsNot(names)))
        }
        "TEXT" => Ok((rest, SectionText::Text)),
        "MIME" if of_part => Ok((rest, SectionText::Mime)),
        _ => Err(expected(input, what)),
    }
}
