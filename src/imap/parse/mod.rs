//! Bytes → [`Command`]. The grammar of RFC 3501 §9 and of the extensions that are announced.
//!
//! The reader cuts literals before the grammar sees them: what comes here is one whole command, its
//! literals inline as on the wire (`{n}` CRLF and n octets), without the last CRLF.
//!
//! The grammar is taken at its word: one space where it says SP, nothing behind the last argument.
//! Only bytes beyond ASCII in quoted strings are let through. What could make a command costly has a
//! limit, a constant in the file it belongs to; what is not limited there is by the command's length.

mod append;
mod fetch;
mod flag;
mod lexical;
mod list;
mod login;
mod mailbox;
mod message;
mod metadata;
mod modseq;
mod notify;
mod quota;
mod search;
mod sequence;
#[cfg(test)]
mod tests;

use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::combinator::eof;

use crate::imap::command::{AppendHead, AppendStep, Command, CommandBody, Numbering};
use crate::imap::core::{Tag, is_astring_char};
use crate::imap::fetch::Section;
use crate::imap::parse::lexical::{
    LARGEST_NUMBER, Parsed, Reason, Wrong, argument, capital_atom, expected, named, refused,
};
use crate::imap::response::Code;

pub use crate::imap::parse::append::{Progress, Stop};

/// Why a command is BAD. The text says what was expected and where; it goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}")]
pub struct ParseError {
    /// The tag, where there was one.
    pub tag: Option<Tag>,
    /// What the grammar wanted instead, such as `Expected a sequence set (octet 9)`, octets counted
    /// from 1 in the whole command, or why something well-formed will not do.
    pub expected: String,
    /// `[LIMIT]` or `[TOOBIG]` where nothing is wrong but the amount.
    pub code: Option<Code>,
}

/// A literal that a line's end announces (RFC 3501 §4.3, RFC 7888, RFC 3516).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiteralMark {
    /// Octets that follow. Numbers beyond 2^63 − 1 are an error of the announcement.
    pub size: u64,
    /// `{n+}`: the client does not wait.
    pub non_sync: bool,
    /// `~{n}`: literal8.
    pub binary: bool,
    /// Where in the line the mark begins.
    pub start: usize,
}

/// Parses a whole command. An APPEND may have its messages inline, but the value is without them: a reader
/// that keeps messages asks [`append_head`] first, and then for [`append_steps`].
pub fn command(bytes: &[u8]) -> Result<Command, ParseError> {
    let (rest, tag) = tag(bytes).map_err(|error| explain(bytes, None, error))?;
    match whole(rest) {
        Ok(body) => Ok(Command { tag, body }),
        Err(error) => Err(explain(bytes, Some(tag), error)),
    }
}

/// What a line's end says about a literal: `Ok(None)` if it announces none, an error if it ends like an
/// announcement whose number is too big. The line is without CRLF; the error is without tag.
pub fn literal_mark(line: &[u8]) -> Result<Option<LiteralMark>, ParseError> {
    let Some(inner) = line.strip_suffix(b"}") else {
        return Ok(None);
    };
    let (inner, non_sync) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    let digits = inner
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let (before, digits) = inner.split_at(inner.len().saturating_sub(digits));
    let Some(before) = before.strip_suffix(b"{").filter(|_| !digits.is_empty()) else {
        return Ok(None);
    };
    let before_tilde = before.strip_suffix(b"~");
    let size = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .filter(|size| *size <= LARGEST_NUMBER)
        .ok_or_else(|| ParseError {
            tag: None,
            expected: "Literal size too large".to_owned(),
            code: Some(Code::TooBig),
        })?;
    Ok(Some(LiteralMark {
        size,
        non_sync,
        binary: before_tilde.is_some(),
        start: before_tilde.unwrap_or(before).len(),
    }))
}

/// For an APPEND or REPLACE cut off just before its first literal's mark or its second's: its tag, what precedes
/// its messages, and how many octets that is. `None` if this literal is the mailbox's name (or the command is
/// another).
pub fn append_head(bytes: &[u8]) -> Result<Option<(Tag, AppendHead, usize)>, ParseError> {
    let Ok((arguments, (tag, verb))) = (tag, verb).parse(bytes) else {
        return Ok(None);
    };
    let (arguments, verb, by_uid) = match verb.as_str() {
        "UID" => match argument(capital_atom).parse(arguments) {
            Ok((arguments, verb)) => (arguments, verb, true),
            Err(_) => return Ok(None),
        },
        _ => (arguments, verb, false),
    };
    let numbering = match (verb.as_str(), by_uid) {
        ("APPEND", false) => None,
        ("REPLACE", false) => Some(Numbering::Sequence),
        ("REPLACE", true) => Some(Numbering::Uid),
        _ => return Ok(None),
    };
    if append::lacks_mailbox(arguments, numbering) {
        return Ok(None);
    }
    match append::head(arguments, numbering) {
        Ok((rest, head)) => Ok(Some((tag, head, bytes.len().saturating_sub(rest.len())))),
        Err(error) => Err(explain(bytes, Some(tag), error)),
    }
}

/// For the same command: the steps of its messages up to the next literal, whose mark `bytes` end in, or to its
/// end. The error is without tag; `before` is how many octets of the command it counts before these.
pub fn append_steps(
    progress: &mut Progress,
    bytes: &[u8],
    before: usize,
) -> Result<(Vec<AppendStep>, Stop), ParseError> {
    let mut steps = Vec::new();
    let piece = progress.piece(bytes, &mut steps);
    let stop = piece.and_then(|(rest, stop)| match (rest, stop) {
        ([], _) | (_, Stop::Url) => Ok(stop),
        (rest, Stop::Literal) => Err(expected(rest, "a line's end")),
        (rest, Stop::End) => Err(expected(rest, "the command's end")),
    });
    match stop {
        Ok(stop) => Ok((steps, stop)),
        Err(error) => Err(explain_at(before, bytes, None, error)),
    }
}

/// `section-spec` as it stands between the brackets of `BODY[…]`, and in URLs (RFC 5092 §6). `None` for anything
/// else.
pub fn section(bytes: &[u8]) -> Option<Section> {
    let text = [bytes, b"]"].concat();
    let (rest, section) = fetch::section_spec(&text).ok()?;
    (rest == b"]").then_some(section)
}

/// The tag that a command, or the beginning of one, has: for an answer to what is not parsed.
pub fn tag_of(bytes: &[u8]) -> Option<Tag> {
    let (_, tag) = tag(bytes).ok()?;
    Some(tag)
}

/// The word behind the tag in capitals, such as `APPEND`, whether or not it is a command.
pub fn verb_of(bytes: &[u8]) -> Option<String> {
    let (_, (_, verb)) = (tag, verb).parse(bytes).ok()?;
    Some(verb)
}

/// `tag`, which ends at a space or with the command: anything else there makes all of it no tag.
fn tag(input: &[u8]) -> Parsed<'_, Tag> {
    let tag = take_while1(|byte| byte != b'+' && is_astring_char(byte)).map_opt(Tag::new);
    let (rest, tag) = named("a tag", tag).parse(input)?;
    match rest {
        [] | [b' ', ..] => Ok((rest, tag)),
        _ => Err(expected(rest, "a space")),
    }
}

/// The space behind the tag and the command's name.
fn verb(input: &[u8]) -> Parsed<'_, String> {
    argument(named("a command", capital_atom)).parse(input)
}

/// Everything behind the tag, to the command's end.
fn whole(input: &[u8]) -> Result<CommandBody, nom::Err<Wrong>> {
    let (rest, body) = body(input)?;
    named("the command's end", eof).parse(rest)?;
    Ok(body)
}

/// The command's name, and the rule that belongs to it.
fn body(input: &[u8]) -> Parsed<'_, CommandBody> {
    use CommandBody::*;
    let (rest, verb) = verb(input)?;
    let bare = |body| Ok((rest, body));
    match verb.as_str() {
        "APPEND" => append::whole(rest, None),
        "AUTHENTICATE" => login::authenticate(rest),
        "CANCELUPDATE" => search::cancel_update(rest),
        "CAPABILITY" => bare(Capability),
        "CHECK" => bare(Check),
        "CLOSE" => bare(Close),
        "COMPRESS" => login::compress(rest),
        "CREATE" => mailbox::create(rest),
        "DELETE" => mailbox::one_mailbox(rest, |mailbox| Delete { mailbox }),
        "ENABLE" => login::enable(rest),
        "ESEARCH" => search::esearch(rest),
        "EXAMINE" => mailbox::select(rest, true),
        "EXPUNGE" => bare(Expunge { uids: None }),
        "GETMETADATA" => metadata::get(rest),
        "GETQUOTA" => quota::get(rest),
        "GETQUOTAROOT" => mailbox::one_mailbox(rest, |mailbox| GetQuotaRoot { mailbox }),
        "ID" => login::id(rest),
        "IDLE" => bare(Idle),
        // What Gmail's clients said before RFC 6154; not announced.
        "LIST" | "XLIST" => list::list(rest),
        "LOGIN" => login::login(rest),
        "LOGOUT" => bare(Logout),
        "LSUB" => list::lsub(rest),
        "NAMESPACE" => bare(Namespace),
        "NOOP" => bare(Noop),
        "NOTIFY" => notify::notify(rest),
        "RENAME" => mailbox::rename(rest),
        "SELECT" => mailbox::select(rest, false),
        "SETMETADATA" => metadata::set(rest),
        "SETQUOTA" => quota::set(rest),
        "STARTTLS" => bare(StartTls),
        "STATUS" => mailbox::status(rest),
        "SUBSCRIBE" => mailbox::one_mailbox(rest, |mailbox| Subscribe { mailbox }),
        "UID" => {
            let (rest, verb) = argument(named("a command after UID", capital_atom)).parse(rest)?;
            match verb.as_str() {
                "EXPUNGE" => argument(sequence::message_set)
                    .map(|set| Expunge { uids: Some(set) })
                    .parse(rest),
                verb => numbered(verb, rest, Numbering::Uid),
            }
        }
        "UIDBATCHES" => sequence::uid_batches(rest),
        "UNAUTHENTICATE" => bare(Unauthenticate),
        "UNSELECT" => bare(Unselect),
        "UNSUBSCRIBE" => mailbox::one_mailbox(rest, |mailbox| Unsubscribe { mailbox }),
        verb => numbered(verb, rest, Numbering::Sequence),
    }
}

/// The commands that may have UID before them.
fn numbered<'a>(verb: &str, rest: &'a [u8], numbering: Numbering) -> Parsed<'a, CommandBody> {
    match verb {
        "COPY" => message::to_mailbox(rest, |set, mailbox| CommandBody::Copy {
            numbering,
            set,
            mailbox,
        }),
        "FETCH" => message::fetch(rest, numbering),
        "MOVE" => message::to_mailbox(rest, |set, mailbox| CommandBody::Move {
            numbering,
            set,
            mailbox,
        }),
        "REPLACE" => append::whole(rest, Some(numbering)),
        "SEARCH" => search::search(rest, numbering),
        "SORT" => search::sort(rest, numbering),
        "STORE" => message::store(rest, numbering),
        "THREAD" => search::thread(rest, numbering),
        _ => Err(refused(rest, "Unknown command")),
    }
}

/// The error for the client: where in the command `bytes` it is, and what should be there.
fn explain(bytes: &[u8], tag: Option<Tag>, error: nom::Err<Wrong>) -> ParseError {
    explain_at(0, bytes, tag, error)
}

/// The same where `bytes` have so many octets of the command before them.
fn explain_at(before: usize, bytes: &[u8], tag: Option<Tag>, error: nom::Err<Wrong>) -> ParseError {
    let expected = match error {
        nom::Err::Incomplete(_) => "Expected more".to_owned(),
        nom::Err::Error(wrong) | nom::Err::Failure(wrong) => {
            let at = bytes.len().saturating_sub(wrong.left);
            let expected = match (wrong.reason, bytes.get(at)) {
                (Reason::Refused(text, code), _) => {
                    return ParseError {
                        tag,
                        expected: text,
                        code,
                    };
                }
                (_, Some(0x80..)) => "8bit data in atom".to_owned(),
                (Reason::Expected(what), _) => format!("Expected {what}"),
                (Reason::Character(' '), _) => "Expected a space".to_owned(),
                (Reason::Character(character), _) => format!("Expected {character}"),
            };
            format!(
                "{expected} (octet {})",
                before.saturating_add(at).saturating_add(1)
            )
        }
    };
    ParseError {
        tag,
        expected,
        code: None,
    }
}
