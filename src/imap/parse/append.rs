//! The arguments of APPEND and REPLACE (RFC 3501 §6.3.11, RFC 3502, RFC 4466 §5, RFC 4469 §5, RFC 8508 §5).
//!
//! They come in pieces, for the octets of messages are not kept: the reader stops at each literal with some,
//! and asks for the [`AppendStep`]s up to there. [`Progress`] says where the next piece goes on.

use nom::Parser;
use nom::character::complete::{char, line_ending};
use nom::combinator::opt;
use nom::sequence::{delimited, preceded, terminated};

use crate::imap::command::{
    Announced, AppendHead, AppendOptions, AppendStep, CommandBody, Numbering,
};
use crate::imap::date::DateTime;
use crate::imap::parse::flag::flag_list;
use crate::imap::parse::lexical::{
    Parsed, Wrong, argument, astring, beyond, expected, named, number, quoted, sp, word,
};
use crate::imap::parse::mailbox::mailbox;
use crate::imap::parse::sequence::seq_number;
use crate::imap::sequence::Bound;

/// Most parts in a CATENATE.
const PARTS: usize = 1000;

/// Most octets of a URL.
const URL_OCTETS: usize = 8192;

/// How far the arguments have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    place: Place,
    /// REPLACE has one message.
    single: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A message.
    Message,
    /// What follows the literal that is a message; with `utf8` a parenthesis is open.
    AfterMessage { utf8: bool },
    /// A part, after so many.
    Part { parts: usize },
    /// The URL of one, which is a literal.
    Url { parts: usize },
    /// What follows this many parts; with `utf8` the last one's parenthesis is open.
    AfterPart { parts: usize, utf8: bool },
}

/// Where a piece of the arguments ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// With the command.
    End,
    /// At a literal's mark, which is the last of the steps.
    Literal,
    /// Before the mark of a literal that is a URL.
    Url,
}

/// `mailbox`, and before it the message that REPLACE names.
pub(super) fn head(input: &[u8], numbering: Option<Numbering>) -> Parsed<'_, AppendHead> {
    let (rest, replaces) = replaced(input, numbering)?;
    let (rest, mailbox) = argument(mailbox).parse(rest)?;
    Ok((rest, AppendHead { replaces, mailbox }))
}

/// Whether nothing but the mailbox's name is left to come of a head: it is the literal whose mark follows.
pub(super) fn lacks_mailbox(input: &[u8], numbering: Option<Numbering>) -> bool {
    replaced(input, numbering).is_ok_and(|(rest, _)| rest == b" ")
}

/// `[SP seq-number]`
fn replaced(input: &[u8], numbering: Option<Numbering>) -> Parsed<'_, Option<(Numbering, Bound)>> {
    match numbering {
        None => Ok((input, None)),
        Some(numbering) => argument(seq_number)
            .map(|number| Some((numbering, number)))
            .parse(input),
    }
}

/// All arguments with their literals inline, whose octets are left out of the value.
pub(super) fn whole(input: &[u8], numbering: Option<Numbering>) -> Parsed<'_, CommandBody> {
    let (mut rest, head) = head(input, numbering)?;
    let mut progress = Progress::new(&head);
    let mut steps = Vec::new();
    loop {
        let (after, stop) = progress.piece(rest, &mut steps)?;
        match stop {
            Stop::End => return Ok((after, CommandBody::Append(head, steps))),
            Stop::Literal => {
                let size = AppendStep::announced(&steps).map_or(0, |literal| literal.size);
                rest = skip(after, size)?;
            }
            Stop::Url => return Err(expected(after, "all octets of the literal")),
        }
    }
}

/// What follows a literal whose mark has been read.
fn skip(input: &[u8], size: u64) -> Result<&[u8], nom::Err<Wrong>> {
    let (octets, _) = named("a line's end", line_ending).parse(input)?;
    usize::try_from(size)
        .ok()
        .and_then(|size| octets.get(size..))
        .ok_or_else(|| expected(&[], "all octets of the literal"))
}

impl Progress {
    /// Behind the head.
    pub fn new(head: &AppendHead) -> Progress {
        Progress {
            place: Place::Message,
            single: head.replaces.is_some(),
        }
    }

    /// `1*append-message`, of REPLACE only one, on from the place where it was left.
    pub(super) fn piece<'a>(
        &mut self,
        input: &'a [u8],
        steps: &mut Vec<AppendStep>,
    ) -> Parsed<'a, Stop> {
        let mut rest = input;
        loop {
            let (after, stop) = match self.place {
                Place::Message => self.message(rest, steps)?,
                Place::AfterMessage { utf8 } => self.end(closing(rest, utf8)?, steps)?,
                Place::Part { parts } => self.part(rest, parts, steps)?,
                Place::Url { parts } => self.url(rest, parts, steps)?,
                Place::AfterPart { parts, utf8 } => match closing(rest, utf8)? {
                    [b')', after @ ..] => self.end(after, steps)?,
                    after => {
                        let (after, _) = named("a space or )", char(' ')).parse(after)?;
                        self.place = Place::Part { parts };
                        (after, None)
                    }
                },
            };
            match stop {
                Some(stop) => return Ok((after, stop)),
                None => rest = after,
            }
        }
    }

    /// `append-message` as far as its first literal, or the parenthesis that CATENATE opens.
    fn message<'a>(
        &mut self,
        input: &'a [u8],
        steps: &mut Vec<AppendStep>,
    ) -> Parsed<'a, Option<Stop>> {
        let what = "a literal with the message, CATENATE or UTF8";
        let (data, options) = append_options(input)?;
        if let Some(b'{' | b'~') = data.first() {
            let (rest, announced) = named(what, mark).parse(data)?;
            let catenate = false;
            steps.push(AppendStep::Begin { options, catenate });
            return Ok(self.literal(rest, announced, Place::AfterMessage { utf8: false }, steps));
        }
        let (rest, name) = named(what, word).parse(data)?;
        match name.as_str() {
            "CATENATE" => {
                let (rest, _) = argument(char('(')).parse(rest)?;
                let catenate = true;
                steps.push(AppendStep::Begin { options, catenate });
                self.place = Place::Part { parts: 0 };
                Ok((rest, None))
            }
            "UTF8" => {
                let (rest, announced) = utf8_literal(rest)?;
                let catenate = false;
                steps.push(AppendStep::Begin { options, catenate });
                Ok(self.literal(rest, announced, Place::AfterMessage { utf8: true }, steps))
            }
            _ => Err(expected(data, what)),
        }
    }

    /// `cat-part`, or what of it precedes a literal.
    fn part<'a>(
        &mut self,
        input: &'a [u8],
        parts: usize,
        steps: &mut Vec<AppendStep>,
    ) -> Parsed<'a, Option<Stop>> {
        if parts == PARTS {
            let text = format!("More than {PARTS} parts in a CATENATE");
            return Err(beyond(input, text));
        }
        let what = "TEXT, URL or UTF8";
        let (rest, name) = named(what, word).parse(input)?;
        let after = |utf8| Place::AfterPart {
            parts: parts + 1,
            utf8,
        };
        match name.as_str() {
            "TEXT" => {
                let literal = mark.map_opt(|mark| (!mark.binary).then_some(mark));
                let (rest, announced) = argument(named("a literal", literal)).parse(rest)?;
                Ok(self.literal(rest, announced, after(false), steps))
            }
            "UTF8" => {
                let (rest, announced) = utf8_literal(rest)?;
                Ok(self.literal(rest, announced, after(true), steps))
            }
            "URL" => {
                let (rest, _) = sp(rest)?;
                match mark(rest) {
                    Ok(([], announced)) if !announced.binary => {
                        self.place = Place::Url { parts };
                        Ok((rest, Some(Stop::Url)))
                    }
                    _ => self.url(rest, parts, steps),
                }
            }
            _ => Err(expected(input, what)),
        }
    }

    /// `astring` with a URL, whatever that is.
    fn url<'a>(
        &mut self,
        input: &'a [u8],
        parts: usize,
        steps: &mut Vec<AppendStep>,
    ) -> Parsed<'a, Option<Stop>> {
        let (rest, url) = named("a URL", astring).parse(input)?;
        if url.len() > URL_OCTETS {
            let text = format!("More than {URL_OCTETS} octets in a URL");
            return Err(beyond(input, text));
        }
        steps.push(AppendStep::Url(url));
        self.place = Place::AfterPart {
            parts: parts + 1,
            utf8: false,
        };
        Ok((rest, None))
    }

    /// A literal's mark has been read.
    fn literal<'a>(
        &mut self,
        rest: &'a [u8],
        announced: Announced,
        after: Place,
        steps: &mut Vec<AppendStep>,
    ) -> (&'a [u8], Option<Stop>) {
        steps.push(AppendStep::Literal(announced));
        self.place = after;
        (rest, Some(Stop::Literal))
    }

    /// A message is complete; another one may follow.
    fn end<'a>(&mut self, rest: &'a [u8], steps: &mut Vec<AppendStep>) -> Parsed<'a, Option<Stop>> {
        steps.push(AppendStep::End);
        self.place = Place::Message;
        match rest.first() {
            None => Ok((rest, Some(Stop::End))),
            Some(b' ') if !self.single => Ok((rest, None)),
            Some(_) => Err(expected(rest, "the command's end")),
        }
    }
}

/// `append-opts SP`
fn append_options(input: &[u8]) -> Parsed<'_, AppendOptions> {
    let (rest, _) = sp(input)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => terminated(flag_list, sp).parse(rest)?,
        _ => (rest, Vec::new()),
    };
    let (rest, date) = match rest.first() {
        Some(b'"') => terminated(date_time, sp).map(Some).parse(rest)?,
        _ => (rest, None),
    };
    Ok((rest, AppendOptions { flags, date }))
}

/// `date-time`
fn date_time(input: &[u8]) -> Parsed<'_, DateTime> {
    let (rest, text) = quoted(input)?;
    match DateTime::parse(&text) {
        Some(date) => Ok((rest, date)),
        None => Err(expected(
            input,
            "a date-time such as \"17-Jul-1996 02:44:25 -0700\"",
        )),
    }
}

/// `["~"] "{" number64 ["+"] "}"`
fn mark(input: &[u8]) -> Parsed<'_, Announced> {
    let plus = opt(char('+')).map(|plus| plus.is_some());
    let tilde = opt(char('~')).map(|tilde| tilde.is_some());
    (tilde, delimited(char('{'), (number, plus), char('}')))
        .map(|(binary, (size, non_sync))| Announced {
            size,
            non_sync,
            binary,
        })
        .parse(input)
}

/// `SP "(" literal8`: what follows UTF8 (RFC 6855 §4), but for the parenthesis after its octets.
fn utf8_literal(input: &[u8]) -> Parsed<'_, Announced> {
    let literal8 = mark.map_opt(|mark| mark.binary.then_some(mark));
    argument(preceded(char('('), named("a literal8", literal8))).parse(input)
}

/// The parenthesis after the octets of UTF8.
fn closing(input: &[u8], open: bool) -> Result<&[u8], nom::Err<Wrong>> {
    match (open, input) {
        (false, _) => Ok(input),
        (true, [b')', rest @ ..]) => Ok(rest),
        (true, _) => Err(expected(input, ")")),
    }
}
