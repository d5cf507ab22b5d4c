//! The arguments of GETQUOTA and SETQUOTA (RFC 9208 §7).

use nom::Parser;

use crate::imap::command::CommandBody;
use crate::imap::parse::lexical::{
    Parsed, argument, astring, capital_atom, named, number, parenthesized, spaced,
};

/// Most resources that one SETQUOTA names: four are registered.
pub(super) const RESOURCES: usize = 100;

/// GETQUOTA
pub(super) fn get(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, root) = argument(named("a quota root", astring)).parse(input)?;
    Ok((rest, CommandBody::GetQuota { root }))
}

/// SETQUOTA
pub(super) fn set(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, root) = argument(named("a quota root", astring)).parse(input)?;
    let (rest, limits) = match rest.strip_prefix(b" ()") {
        Some(rest) => (rest, Vec::new()),
        None => argument(parenthesized(spaced(RESOURCES, "resources", resource))).parse(rest)?,
    };
    Ok((rest, CommandBody::SetQuota { root, limits }))
}

/// `setquota-resource`
fn resource(input: &[u8]) -> Parsed<'_, (String, u64)> {
    let (rest, name) = named("a resource", capital_atom).parse(input)?;
    let (rest, limit) = argument(number).parse(rest)?;
    Ok((rest, (name, limit)))
}
