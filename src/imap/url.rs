//! IMAP URLs (RFC 5092) that name a message of this session, or a part of one, as CATENATE takes them.
//!
//! "Use of an absolute IMAP URL or any URL that refers to anything other than a message or message part from the
//! current authenticated IMAP session is outside the scope" (RFC 4469 §3): such URLs are read as far as to say what
//! they are. Of relative ones there are two: with a path from the root, and `;UID=…`, which is for the selected
//! mailbox (RFC 5092 §9.1). No other relative path is taken (§7.2).

use std::num::NonZeroU32;

use crate::imap::fetch::{Partial, Section};
use crate::imap::parse;
use crate::imap::sequence::{Uid, UidValidity};

/// A message or a part of one (RFC 5092 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageUrl {
    /// The mailbox's name as UTF-8; `None` for the selected one.
    pub mailbox: Option<String>,
    /// What its UIDVALIDITY was when the URL was made.
    pub uid_validity: Option<UidValidity>,
    /// The message.
    pub uid: Uid,
    /// What FETCH has between the brackets of `BODY.PEEK[…]`; empty for the whole message.
    pub section: Section,
    /// And behind them (RFC 5550 §5.7.1).
    pub partial: Option<Partial>,
}

/// Why a URL is of no use here. The text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It has a scheme or a server.
    #[error("only URLs relative to this session are taken")]
    Absolute,
    /// Not of the grammar.
    #[error("invalid IMAP URL")]
    Invalid,
    /// The server itself, a mailbox, or the result of a search.
    #[error("the URL names no message")]
    NoMessage,
    /// A relative path other than `;UID=…`.
    #[error("relative paths are not taken")]
    RelativePath,
}

impl MessageUrl {
    /// Reads a URL.
    pub fn parse(url: &[u8]) -> Result<MessageUrl, UrlError> {
        if !url.iter().all(|byte| is_url_char(*byte)) {
            return Err(UrlError::Invalid);
        }
        if url.starts_with(b"//") || has_scheme(url) {
            return Err(UrlError::Absolute);
        }
        let Some(path) = url.strip_prefix(b"/") else {
            return match starts_with(url, b";UID=") {
                Some(_) => message(None, None, &resolved(url)),
                None => Err(UrlError::RelativePath),
            };
        };
        let path = resolved(path);
        // bchar has no ";": the first one ends the mailbox's name.
        let end = path.iter().position(|byte| matches!(byte, b';' | b'?'));
        let (name, rest) = path.split_at(end.unwrap_or(path.len()));
        let (name, uid_validity, rest) = match starts_with(rest, b";UIDVALIDITY=") {
            Some(rest) => {
                let (number, rest) = nz_number(rest)?;
                match rest {
                    [] | [b'?', ..] => return Err(UrlError::NoMessage),
                    [b'/', rest @ ..] => (name, Some(UidValidity(number)), rest),
                    _ => return Err(UrlError::Invalid),
                }
            }
            None if matches!(rest, [] | [b'?', ..]) => return Err(UrlError::NoMessage),
            None => match name {
                [name @ .., b'/'] => (name, None, rest),
                _ => return Err(UrlError::Invalid),
            },
        };
        let name = decoded(name).and_then(|name| String::from_utf8(name).ok());
        match name {
            Some(name) if !name.is_empty() => message(Some(name), uid_validity, rest),
            _ => Err(UrlError::Invalid),
        }
    }
}

/// `iuid-only ["/" isection-only] ["/" ipartial-only]`
fn message(
    mailbox: Option<String>,
    uid_validity: Option<UidValidity>,
    path: &[u8],
) -> Result<MessageUrl, UrlError> {
    let rest = starts_with(path, b";UID=").ok_or(UrlError::Invalid)?;
    let (uid, mut rest) = nz_number(rest)?;
    let mut section = Section::default();
    if let Some(after) = starts_with(rest, b"/;SECTION=") {
        // A section may hold "/", but no ";".
        let end = after.iter().position(|byte| *byte == b';');
        let (text, partial) = match end.and_then(|at| at.checked_sub(1)) {
            Some(at) => after.split_at(at),
            None => (after, &b""[..]),
        };
        section = Some(text)
            .filter(|text| !text.is_empty())
            .and_then(decoded)
            .and_then(|text| parse::section(&text))
            .ok_or(UrlError::Invalid)?;
        rest = partial;
    }
    let mut partial = None;
    if let Some(after) = starts_with(rest, b"/;PARTIAL=") {
        let (offset, after) = number(after)?;
        let (length, after) = match after {
            [b'.', after @ ..] => number(after)?,
            _ => (u64::MAX, after),
        };
        if length == 0 {
            return Err(UrlError::Invalid);
        }
        partial = Some(Partial { offset, length });
        rest = after;
    }
    match rest {
        [] => Ok(MessageUrl {
            mailbox,
            uid_validity,
            uid: Uid(uid),
            section,
            partial,
        }),
        _ => Err(UrlError::Invalid),
    }
}

/// What URIs are made of (RFC 3986 §2), but for what no IMAP URL may hold.
fn is_url_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$'()*+,;&=:@/?".contains(&byte)
}

/// `scheme ":"` (RFC 3986 §3.1)
fn has_scheme(url: &[u8]) -> bool {
    let end = url
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')));
    let (scheme, rest) = url.split_at(end.unwrap_or(url.len()));
    rest.first() == Some(&b':') && scheme.first().is_some_and(u8::is_ascii_alphabetic)
}

/// A path without its root, with its dot segments resolved (RFC 3986 §5.2.4). Only bare ones count: a mailbox
/// whose name has them is written with `%2E` (RFC 5092 §7).
fn resolved(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push(b"");
        }
    }
    kept.join(&b'/')
}

/// What follows a word of the grammar, in any case.
fn starts_with<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (front, rest) = text.split_at_checked(word.len())?;
    front.eq_ignore_ascii_case(word).then_some(rest)
}

/// `number`, and `number64` with it.
fn number(text: &[u8]) -> Result<(u64, &[u8]), UrlError> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let number = std::str::from_utf8(digits).ok();
    let number = number.and_then(|digits| digits.parse::<i64>().ok());
    match number.and_then(|number| u64::try_from(number).ok()) {
        Some(number) => Ok((number, rest)),
        None => Err(UrlError::Invalid),
    }
}

/// `nz-number`
fn nz_number(text: &[u8]) -> Result<(NonZeroU32, &[u8]), UrlError> {
    let (number, rest) = number(text)?;
    let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
    match (text.first(), number) {
        (Some(b'1'..=b'9'), Some(number)) => Ok((number, rest)),
        _ => Err(UrlError::Invalid),
    }
}

/// Percent-encoded text as it is meant (RFC 3986 §2.1). `None` where `%` is not followed by two digits.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let byte = digit(*high)? << 4 | digit(*low)?;
                out.push(u8::try_from(byte).ok()?);
                after
            }
            (b'%', _) => return None,
            (byte, after) => {
                out.push(*byte);
                after
            }
        };
    }
    Some(out)
}

#[cfg(test)]
mod tests;
