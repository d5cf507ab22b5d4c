//! `flag` and `flag-list` (RFC 3501 §9).

use nom::Parser;
use nom::bytes::complete::take_while;

use crate::imap::core::is_atom_char;
use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::parse::lexical::{Parsed, atom, beyond, named, parenthesized, refused, spaced};

/// Most flags in a list.
const FLAGS: usize = 1000;
/// How much of a wrong flag is repeated to the client.
const FLAG_SHOWN: usize = 64;

/// `flag-list`: flags in parentheses, or none.
pub(super) fn flag_list(input: &[u8]) -> Parsed<'_, Vec<Flag>> {
    match input {
        [b'(', b')', rest @ ..] => Ok((rest, Vec::new())),
        _ => parenthesized(flags).parse(input),
    }
}

/// Flags without parentheses, one at least.
pub(super) fn flags(input: &[u8]) -> Parsed<'_, Vec<Flag>> {
    spaced(FLAGS, "flags", flag).parse(input)
}

/// `flag`, but for those that no client can set.
fn flag(input: &[u8]) -> Parsed<'_, Flag> {
    let [b'\\', after @ ..] = input else {
        return named("a flag", keyword).map(Flag::Keyword).parse(input);
    };
    let (rest, name) = take_while(is_atom_char).parse(after)?;
    SystemFlag::ALL
        .into_iter()
        .find(|flag| {
            let known = flag.as_str().as_bytes().get(1..).unwrap_or_default();
            known.eq_ignore_ascii_case(name)
        })
        .map(|flag| (rest, Flag::System(flag)))
        .ok_or_else(|| {
            let shown: String = name
                .iter()
                .take(FLAG_SHOWN)
                .map(|b| char::from(*b))
                .collect();
            refused(input, format!("Invalid system flag \\{shown}"))
        })
}

/// `flag-keyword`
pub(super) fn keyword(input: &[u8]) -> Parsed<'_, Keyword> {
    let (rest, text) = atom(input)?;
    std::str::from_utf8(text)
        .ok()
        .and_then(Keyword::new)
        .map(|keyword| (rest, keyword))
        .ok_or_else(|| {
            let longest = Keyword::LONGEST;
            beyond(input, format!("Keyword longer than {longest} octets"))
        })
}
