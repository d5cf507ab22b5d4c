//! Lines of `culver.keywords` ↔ what they say, and the table of names that comes of them. No file is touched here.

use crate::imap::flag::Keyword;
use crate::spool::filename::{FileName, number};
use crate::spool::keyword_set::Extras;

/// Keywords that a mailbox may have, those with a letter included.
pub const MOST_KEYWORDS: u16 = 1000;

/// The first number: those below are letters.
pub const FIRST: u16 = 26;

/// What a file begins with.
pub(super) const VERSION_1: &[u8] = b"V\t1";

/// No line is longer, in octets: a base name, and all the numbers there are.
pub(super) const LONGEST_LINE: usize = 8 << 10;

/// The names of keywords by their numbers. A name, once given, stays.
#[derive(Clone, Debug, Default)]
pub struct ExtraNames(Vec<Option<Keyword>>);

impl ExtraNames {
    /// The number of a keyword, if it has one.
    pub fn number(&self, keyword: &Keyword) -> Option<u16> {
        let is_it = |name: &Option<Keyword>| name.as_ref() == Some(keyword);
        let at = self.0.iter().position(is_it)?;
        u16::try_from(at).ok()?.checked_add(FIRST)
    }

    /// The name of a number, if it has one.
    pub fn name(&self, number: u16) -> Option<&Keyword> {
        let at = number.checked_sub(FIRST)?;
        self.0.get(usize::from(at))?.as_ref()
    }

    /// All names, by rising number.
    pub fn all(&self) -> impl Iterator<Item = &Keyword> {
        self.0.iter().flatten()
    }

    /// All names with their numbers, rising.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u16, &Keyword)> {
        let numbered = (FIRST..MOST_KEYWORDS).zip(&self.0);
        numbered.filter_map(|(number, name)| Some((number, name.as_ref()?)))
    }

    /// Numbers without a name, rising.
    pub fn free(&self) -> impl Iterator<Item = u16> {
        (FIRST..MOST_KEYWORDS).filter(|number| self.name(*number).is_none())
    }

    /// Names a number; false if it, or the name, is taken.
    pub(super) fn enter(&mut self, number: u16, name: Keyword) -> bool {
        let Some(at) = number.checked_sub(FIRST).map(usize::from) else {
            return false;
        };
        if self.name(number).is_some() || self.number(&name).is_some() {
            return false;
        }
        if self.0.len() <= at {
            self.0.resize(at.saturating_add(1), None);
        }
        match self.0.get_mut(at) {
            Some(place) => *place = Some(name),
            None => return false,
        }
        true
    }

    /// Names a number whose own name is lost, in the way Dovecot names letters.
    pub(super) fn name_unknown(&mut self, number: u16) {
        let mut text = format!("unknown-{number}");
        while let Some(name) = Keyword::new(&text) {
            if self.name(number).is_some() || self.enter(number, name) {
                return;
            }
            text.push('?');
        }
    }
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// A number has this name.
    Name(u16, Keyword),
    /// The message of this base name has these keywords.
    Message(&'l [u8], Extras),
}

impl Line<'_> {
    /// `None` for what is no line that we would write.
    pub(super) fn parse(line: &[u8]) -> Option<Line<'_>> {
        match line {
            [b'k', b' ', rest @ ..] => {
                let (digits, name) = split(rest)?;
                let name = Keyword::new(std::str::from_utf8(name).ok()?)?;
                Some(Line::Name(extra_number(digits)?, name))
            }
            [b'm', b' ', rest @ ..] => {
                let (numbers, base) = split(rest)?;
                let base = base.strip_prefix(b":")?;
                if FileName::new(base)?.base().len() != base.len() {
                    return None;
                }
                let extras = match numbers {
                    b"-" => Extras::default(),
                    numbers => {
                        let numbers = numbers.split(|byte| *byte == b',').map(extra_number);
                        Extras::new(numbers.collect::<Option<Vec<u16>>>()?)
                    }
                };
                Some(Line::Message(base, extras))
            }
            _ => None,
        }
    }

    /// Appends the line.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Line::Name(number, name) => {
                out.extend_from_slice(format!("k {number} {name}\n").as_bytes());
            }
            Line::Message(base, extras) => {
                out.extend_from_slice(b"m ");
                for (at, number) in extras.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    out.extend_from_slice(format!("{comma}{number}").as_bytes());
                }
                if extras.is_empty() {
                    out.push(b'-');
                }
                out.extend_from_slice(b" :");
                out.extend_from_slice(base);
                out.push(b'\n');
            }
        }
    }
}

/// What stands before the first space, and after it.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(memchr::memchr(b' ', text)?)?;
    Some((before, after.strip_prefix(b" ")?))
}

fn extra_number(digits: &[u8]) -> Option<u16> {
    let number = number(digits).and_then(|number| u16::try_from(number).ok());
    number.filter(|number| (FIRST..MOST_KEYWORDS).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(text: &str) -> Keyword {
        Keyword::new(text).unwrap()
    }

    #[test]
    fn lines_say_what_was_written() {
        let base = b"1700000000.M1P1.host,S=3 \xff";
        let all: Vec<u16> = (FIRST..MOST_KEYWORDS).collect();
        let lines = [
            (Line::Name(26, keyword("$Label1")), "k 26 $Label1\n"),
            (
                Line::Message(base, Extras::new([30, 26])),
                "m 26,30 :1700000000.M1P1.host,S=3 \u{ff}\n",
            ),
            (Line::Message(b"x", Extras::default()), "m - :x\n"),
        ];
        for (line, text) in &lines {
            let mut out = Vec::new();
            line.write(&mut out);
            let text: Vec<u8> = text.chars().map(|octet| octet as u8).collect();
            assert_eq!(out, text);
            let read = Line::parse(out.strip_suffix(b"\n").unwrap());
            assert_eq!(read.as_ref(), Some(line));
        }
        let (longest_base, mut out) = ([b'b'; 255], Vec::new());
        Line::Message(&longest_base, Extras::new(all)).write(&mut out);
        assert!(out.len() <= LONGEST_LINE, "{}", out.len());
    }

    #[test]
    fn what_nobody_would_write_is_no_line() {
        for text in [
            "",
            "k",
            "k ",
            "k 26",
            "k 26 ",
            "k 25 Low",
            "k 1000 High",
            "k 99999999999999999999 x",
            "k 26  Two",
            "k 26 a]b",
            "k 26 a b",
            "k x Name",
            "k 26 Name\r",
            "K 26 Name",
            "26 Name",
            "m",
            "m 26",
            "m 26 ",
            "m 26 x",
            "m 26 :",
            "m 26 :.x",
            "m 26 :a:b",
            "m 26 :a/b",
            "m 26 :a\0",
            "m  :x",
            "m , :x",
            "m 26, :x",
            "m 25 :x",
            "m 1000 :x",
            "m 26,x :x",
            "m 26 :x\r",
            "n 26 :x",
        ] {
            assert_eq!(Line::parse(text.as_bytes()), None, "{text:?}");
        }
        let long = format!("k 26 {}", "k".repeat(51));
        assert_eq!(Line::parse(long.as_bytes()), None);
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = ExtraNames::default();
        assert!(names.enter(27, keyword("Two")));
        assert!(!names.enter(27, keyword("Other")) && !names.enter(28, keyword("TWO")));
        assert!(!names.enter(25, keyword("Letter")));
        assert_eq!(names.free().take(3).collect::<Vec<_>>(), [26, 28, 29]);
        assert!(names.enter(28, keyword("unknown-26")));
        names.name_unknown(26);
        names.name_unknown(27);
        let all: Vec<&str> = names.all().map(Keyword::as_str).collect();
        assert_eq!(all, ["unknown-26?", "Two", "unknown-26"]);
        assert_eq!(names.number(&keyword("two")), Some(27));
        assert_eq!(names.name(29), None);
        for number in names.free().collect::<Vec<_>>() {
            names.name_unknown(number);
        }
        assert_eq!((names.free().count(), names.all().count()), (0, 974));
    }
}
