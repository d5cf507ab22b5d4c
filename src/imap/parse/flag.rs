//! `flag` and `flag-list` (RFC 3501 §9).

use nom::Parser;

use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::parse::lexical::{Parsed, atom, beyond, named, parenthesized, refused, spaced};

/// Most flags in a list.
const FLAGS: usize = 1000;

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

/// `flag`, which "does not include "\Recent"" (RFC 3501 §9). A `flag-extension` is refused, as in Dovecot: who sets
/// flags to one that there is not must not lose those that there are.
fn flag(input: &[u8]) -> Parsed<'_, Flag> {
    let [b'\\', after @ ..] = input else {
        return named("a flag", keyword).map(Flag::Keyword).parse(input);
    };
    let (rest, name) = named("a system flag's name", atom).parse(after)?;
    if name.eq_ignore_ascii_case(b"Recent") {
        return Err(refused(input, "\\Recent cannot be set"));
    }
    let flag = SystemFlag::ALL.into_iter().find(|flag| {
        let known = flag.as_str().as_bytes().get(1..).unwrap_or_default();
        known.eq_ignore_ascii_case(name)
    });
    match flag {
        Some(flag) => Ok((rest, Flag::System(flag))),
        None => {
            let name = name.escape_ascii();
            Err(refused(input, format!("Invalid system flag \\{name}")))
        }
    }
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
