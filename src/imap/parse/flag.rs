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

/// Flags without parentheses, one at least. Those of `flag-extension` are passed over: they are not in
/// PERMANENTFLAGS, and of a flag that is not the server may "ignore the change" (RFC 3501 §7.1).
pub(super) fn flags(input: &[u8]) -> Parsed<'_, Vec<Flag>> {
    spaced(FLAGS, "flags", flag)
        .map(|flags| flags.into_iter().flatten().collect())
        .parse(input)
}

/// `flag`, which "does not include "\Recent"" (RFC 3501 §9); `None` for a `flag-extension`.
fn flag(input: &[u8]) -> Parsed<'_, Option<Flag>> {
    let [b'\\', after @ ..] = input else {
        return named("a flag", keyword)
            .map(|keyword| Some(Flag::Keyword(keyword)))
            .parse(input);
    };
    let (rest, name) = named("a system flag's name", atom).parse(after)?;
    if name.eq_ignore_ascii_case(b"Recent") {
        return Err(refused(input, "\\Recent cannot be set"));
    }
    let flag = SystemFlag::ALL.into_iter().find(|flag| {
        let known = flag.as_str().as_bytes().get(1..).unwrap_or_default();
        known.eq_ignore_ascii_case(name)
    });
    Ok((rest, flag.map(Flag::System)))
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
