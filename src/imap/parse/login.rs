//! The arguments of commands about the connection itself: AUTHENTICATE, LOGIN, ENABLE, COMPRESS, ID.

use nom::Parser;
use nom::bytes::complete::{tag_no_case, take_while1};

use crate::imap::command::CommandBody;
use crate::imap::core::Secret;
use crate::imap::parse::lexical::{
    Parsed, argument, astring, beyond, capital_atom, named, nstring, parenthesized, refused, sp,
    spaced, string,
};

/// Most capabilities in one ENABLE.
const ENABLE_NAMES: usize = 100;
/// RFC 2971 §3.3: "Implementations MUST NOT send more than 30 field-value pairs."
const ID_PAIRS: usize = 30;
/// Longest field or value of ID in octets. RFC 2971 §3.3 asks clients for 30 and 1024.
const ID_STRING: usize = 4096;

/// AUTHENTICATE (RFC 3501 §6.2.2), perhaps with an initial response (RFC 4959).
pub(super) fn authenticate(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, mechanism) =
        argument(named("an authentication mechanism", capital_atom)).parse(input)?;
    let (rest, initial) = match rest {
        [b' ', response @ ..] => named("an initial response", initial_response)
            .map(Some)
            .parse(response)?,
        _ => (rest, None),
    };
    Ok((rest, CommandBody::Authenticate { mechanism, initial }))
}

/// `"=" / base64`, decoded.
fn initial_response(input: &[u8]) -> Parsed<'_, Secret> {
    let (rest, base64) = take_while1(|byte| byte != b' ').parse(input)?;
    if base64 == b"=" {
        return Ok((rest, Secret::new(Vec::new())));
    }
    match base64_simd::STANDARD.decode_to_vec(base64) {
        Ok(response) => Ok((rest, Secret::new(response))),
        Err(_) => Err(refused(input, "Invalid base64 data in initial response")),
    }
}

/// LOGIN (RFC 3501 §6.2.3).
pub(super) fn login(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, user) = argument(astring).parse(input)?;
    let (rest, password) = argument(astring).map(Secret::new).parse(rest)?;
    Ok((rest, CommandBody::Login { user, password }))
}

/// ENABLE (RFC 5161 §3.1).
pub(super) fn enable(input: &[u8]) -> Parsed<'_, CommandBody> {
    argument(spaced(
        ENABLE_NAMES,
        "capabilities",
        named("a capability", capital_atom),
    ))
    .map(CommandBody::Enable)
    .parse(input)
}

/// COMPRESS (RFC 4978 §5).
pub(super) fn compress(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (input, _) = sp(input)?;
    match named("a compression mechanism", capital_atom).parse(input)? {
        (rest, name) if name == "DEFLATE" => Ok((rest, CommandBody::Compress)),
        _ => Err(refused(input, "Unknown compression mechanism")),
    }
}

/// ID (RFC 2971 §3.1): NIL, or fields with their values.
pub(super) fn id(input: &[u8]) -> Parsed<'_, CommandBody> {
    let pair = |input| {
        let (rest, field) = string(input)?;
        let (rest, value) = argument(nstring).parse(rest)?;
        let longest = value.as_ref().map_or(0, Vec::len).max(field.len());
        if longest > ID_STRING {
            return Err(beyond(input, format!("ID longer than {ID_STRING} octets")));
        }
        Ok((rest, (field, value)))
    };
    let pairs = |inside| spaced(ID_PAIRS, "ID fields", pair).parse(inside);
    let (input, _) = sp(input)?;
    let (rest, fields) = match input {
        [b'(', b')', rest @ ..] => (rest, Some(Vec::new())),
        [b'(', ..] => parenthesized(pairs).map(Some).parse(input)?,
        _ => named("a list or NIL", tag_no_case("NIL"))
            .map(|_| None)
            .parse(input)?,
    };
    Ok((rest, CommandBody::Id(fields)))
}
