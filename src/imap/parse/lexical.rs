//! What every rule of the grammar is made of: spaces, atoms, strings, numbers, lists, and the error
//! that knows where it was.
//!
//! Rules look ahead by a character or a word and never go back, so an error is that of the place
//! where the command went wrong.

use std::num::NonZeroU32;

use nom::Parser;
use nom::bytes::complete::{tag_no_case, take_while1};
use nom::character::complete::{char, line_ending};
use nom::combinator::opt;
use nom::error::ErrorKind;
use nom::sequence::{delimited, preceded};

use crate::imap::core::{is_astring_char, is_atom_char};
use crate::imap::response::Code;

/// What a rule gives: the rest of the command and a value, or what is wrong.
pub(super) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Wrong>;

/// Largest `number64` (RFC 9051 §9), 2^63 − 1.
pub(super) const LARGEST_NUMBER: u64 = i64::MAX as u64;

/// Why a rule does not fit.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Octets of the command from the place on; the first ones are what was found there.
    pub(super) left: usize,
    pub(super) reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    /// The grammar wants this.
    Expected(&'static str),
    /// The grammar wants this character.
    Character(char),
    /// It fits the grammar and still will not do; the whole text for the client, and the code.
    Refused(String, Option<Code>),
}

impl nom::error::ParseError<&[u8]> for Wrong {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Wrong {
        Wrong {
            left: input.len(),
            reason: Reason::Expected("something else"),
        }
    }

    fn from_char(input: &[u8], wanted: char) -> Wrong {
        Wrong {
            left: input.len(),
            reason: Reason::Character(wanted),
        }
    }

    fn append(_: &[u8], _: ErrorKind, other: Wrong) -> Wrong {
        other
    }
}

/// The error that `what` was expected at `input`.
pub(super) fn expected(input: &[u8], what: &'static str) -> nom::Err<Wrong> {
    nom::Err::Error(Wrong {
        left: input.len(),
        reason: Reason::Expected(what),
    })
}

/// The error that what is at `input` will not do, whatever follows.
pub(super) fn refused(input: &[u8], text: impl Into<String>) -> nom::Err<Wrong> {
    nom::Err::Failure(Wrong {
        left: input.len(),
        reason: Reason::Refused(text.into(), None),
    })
}

/// The same error where a limit of ours is the only reason (RFC 5530: LIMIT).
pub(super) fn beyond(input: &[u8], text: impl Into<String>) -> nom::Err<Wrong> {
    nom::Err::Failure(Wrong {
        left: input.len(),
        reason: Reason::Refused(text.into(), Some(Code::Limit)),
    })
}

/// A rule with a name: where it does not even begin to fit, the error says that `what` was expected.
pub(super) fn named<'a, T>(
    what: &'static str,
    mut rule: impl Parser<&'a [u8], Output = T, Error = Wrong>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, T> {
    move |input| {
        rule.parse(input).map_err(|error| {
            error.map(|wrong| match wrong.reason {
                Reason::Expected(_) | Reason::Character(_) if wrong.left == input.len() => Wrong {
                    reason: Reason::Expected(what),
                    ..wrong
                },
                _ => wrong,
            })
        })
    }
}

/// `SP`
pub(super) fn sp(input: &[u8]) -> Parsed<'_, char> {
    named("a space", char(' ')).parse(input)
}

/// `SP` and an argument.
pub(super) fn argument<'a, T>(
    rule: impl Parser<&'a [u8], Output = T, Error = Wrong>,
) -> impl Parser<&'a [u8], Output = T, Error = Wrong> {
    preceded(sp, rule)
}

/// `item *(SP item)`, at most `most` of the things that `plural` names.
pub(super) fn spaced<'a, T>(
    most: usize,
    plural: &'static str,
    mut item: impl Parser<&'a [u8], Output = T, Error = Wrong>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, Vec<T>> {
    move |input| {
        let (mut input, first) = item.parse(input)?;
        let mut items = vec![first];
        while let Ok((after, _)) = sp(input) {
            if items.len() == most {
                return Err(beyond(after, format!("More than {most} {plural}")));
            }
            let (rest, next) = item.parse(after)?;
            items.push(next);
            input = rest;
        }
        Ok((input, items))
    }
}

/// A rule between parentheses.
pub(super) fn parenthesized<'a, T>(
    rule: impl Parser<&'a [u8], Output = T, Error = Wrong>,
) -> impl Parser<&'a [u8], Output = T, Error = Wrong> {
    delimited(char('('), rule, char(')'))
}

/// Letters, digits, `.` and `-`: a word of the grammar itself, in capitals. What may follow one, such
/// as `[`, ends it.
pub(super) fn word(input: &[u8]) -> Parsed<'_, String> {
    take_while1(|byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .map(capitals)
        .parse(input)
}

/// `atom`
pub(super) fn atom(input: &[u8]) -> Parsed<'_, &[u8]> {
    named("an atom", take_while1(is_atom_char)).parse(input)
}

/// An atom whose case does not matter, in capitals.
pub(super) fn capital_atom(input: &[u8]) -> Parsed<'_, String> {
    atom.map(capitals).parse(input)
}

/// The text in capitals. Rules call it with ASCII only.
fn capitals(text: &[u8]) -> String {
    text.iter()
        .map(|byte| char::from(byte.to_ascii_uppercase()))
        .collect()
}

/// `number`, and `number64` with it: at most [`LARGEST_NUMBER`].
pub(super) fn number(input: &[u8]) -> Parsed<'_, u64> {
    let (rest, digits) =
        named("a number", take_while1(|byte: u8| byte.is_ascii_digit())).parse(input)?;
    digits
        .iter()
        .try_fold(0u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .filter(|number| *number <= LARGEST_NUMBER)
        .map(|number| (rest, number))
        .ok_or_else(|| refused(input, "Number too large"))
}

/// `nz-number`: 1 to 2^32 − 1, and no zero at its front.
pub(super) fn nz_number(input: &[u8]) -> Parsed<'_, NonZeroU32> {
    let what = "a number from 1 to 4294967295";
    let (rest, number) = named(what, number).parse(input)?;
    let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
    match (input.first(), number) {
        (Some(b'1'..=b'9'), Some(number)) => Ok((rest, number)),
        _ => Err(expected(input, what)),
    }
}

/// `astring`
pub(super) fn astring(input: &[u8]) -> Parsed<'_, Vec<u8>> {
    match input.first() {
        Some(b'"' | b'{') => string(input),
        _ => named("an atom or a string", take_while1(is_astring_char))
            .map(<[u8]>::to_vec)
            .parse(input),
    }
}

/// `nstring`: `None` for NIL.
pub(super) fn nstring(input: &[u8]) -> Parsed<'_, Option<Vec<u8>>> {
    match input.first() {
        Some(b'"' | b'{') => string.map(Some).parse(input),
        _ => named("a string or NIL", tag_no_case("NIL"))
            .map(|_| None)
            .parse(input),
    }
}

/// `nstring / literal8` (RFC 5464 §5 `value`): `None` for NIL.
pub(super) fn nstring_or_literal8(input: &[u8]) -> Parsed<'_, Option<Vec<u8>>> {
    match input {
        [b'~', mark @ ..] => {
            let (rest, octets) = literal_octets(mark)?;
            Ok((rest, Some(octets.to_vec())))
        }
        _ => nstring(input),
    }
}

/// `string`
pub(super) fn string(input: &[u8]) -> Parsed<'_, Vec<u8>> {
    match input.first() {
        Some(b'"') => quoted(input),
        Some(b'{') => literal(input),
        _ => Err(expected(input, "a string")),
    }
}

/// `quoted`. Bytes beyond ASCII are taken as they are: Dovecot does so, clients send passwords and
/// search strings so, and RFC 9755 makes it the rule for UTF-8.
pub(super) fn quoted(input: &[u8]) -> Parsed<'_, Vec<u8>> {
    let (inside, _) = char('"').parse(input)?;
    let mut escaped = false;
    let end = inside.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    });
    // Its length is known before it is copied: no half of a password stays behind in memory.
    let mut text = Vec::with_capacity(end.unwrap_or_default());
    let mut rest = inside;
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Ok((after, text)),
            [b'\\', byte @ (b'"' | b'\\'), after @ ..] => {
                text.push(*byte);
                after
            }
            [b'\\', after @ ..] => return Err(expected(after, "\" or \\ after a backslash")),
            [] | [0 | b'\r' | b'\n', ..] => {
                return Err(expected(rest, "the quoted string's end"));
            }
            [byte, after @ ..] => {
                text.push(*byte);
                after
            }
        }
    }
}

/// `literal`, also in its form that does not wait (RFC 7888). Its octets are here already.
fn literal(input: &[u8]) -> Parsed<'_, Vec<u8>> {
    let (rest, text) = literal_octets(input)?;
    let octets = input
        .get(input.len() - rest.len() - text.len()..)
        .unwrap_or(rest);
    // CHAR8 is "any OCTET except NUL" (RFC 3501 §9).
    match text.iter().position(|byte| *byte == 0) {
        Some(at) => Err(expected(octets.get(at..).unwrap_or(rest), "no NUL")),
        None => Ok((rest, text.to_vec())),
    }
}

/// A literal's mark, and its octets whatever they are.
fn literal_octets(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (octets, size) = literal_header(input)?;
    let (text, rest) = usize::try_from(size)
        .ok()
        .and_then(|size| octets.split_at_checked(size))
        .ok_or_else(|| expected(&[], "all octets of the literal"))?;
    Ok((rest, text))
}

/// `{n}` or `{n+}` and the line's end, of which the reader takes LF alone too; gives how many octets
/// follow.
pub(super) fn literal_header(input: &[u8]) -> Parsed<'_, u64> {
    delimited(
        char('{'),
        number,
        (
            opt(char('+')),
            char('}'),
            named("a line's end", line_ending),
        ),
    )
    .parse(input)
}

/// `list-mailbox`: a string, or an atom that may hold `*`, `%` and `]`.
pub(super) fn list_mailbox(input: &[u8]) -> Parsed<'_, Vec<u8>> {
    match input.first() {
        Some(b'"' | b'{') => string(input),
        _ => named(
            "a mailbox pattern",
            take_while1(|byte| is_astring_char(byte) || matches!(byte, b'%' | b'*')),
        )
        .map(<[u8]>::to_vec)
        .parse(input),
    }
}
