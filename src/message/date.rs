//! The day a message says it was sent: its Date: field (RFC 5322 §3.3, §4.3), read leniently.

use crate::imap::search::Day;
use crate::message::lexer::Cursor;

/// Words looked at.
const WORDS_MAX: usize = 16;

/// The day that a Date: field's body names, in the field's own zone, time and zone ignored as
/// RFC 3501 §6.4.4 wants for SENTBEFORE, SENTON, SENTSINCE. `None` where there is no date to be read.
///
/// `Mon, 7 Feb 1994`, `7-Feb-94`, `Mon Feb  7 21:52:25 1994`, `February 7, 1994` and `1994-02-07` are all
/// understood; a weekday is not looked at.
pub fn sent_day(raw: &[u8]) -> Option<Day> {
    let words = words(raw);
    let month_at = words.iter().position(|word| month(word).is_some());
    let Some(at) = month_at else {
        return iso_day(&words);
    };
    let month = month(words.get(at)?)?;
    let number = |at: usize| words.get(at).and_then(|word| number(word));
    // The day stands before the month, or (asctime) after it; then the first number of two digits or more
    // that is no time is the year.
    let before = at
        .checked_sub(1)
        .and_then(number)
        .filter(|day| is_day(*day));
    let (day, from) = match before {
        Some(day) => (day, at + 1),
        None => (number(at + 1).filter(|day| is_day(*day))?, at + 2),
    };
    let (year, digits) = (from..words.len())
        .find_map(number)
        .filter(|(_, digits)| *digits >= 2)?;
    checked(full_year(year, digits), month, day.0)
}

type Number = (u32, usize);

/// `1994-02-07`, with or without a time behind a `T`.
fn iso_day(words: &[Vec<u8>]) -> Option<Day> {
    let (year, digits) = number(words.first()?)?;
    let (month, _) = number(words.get(1)?)?;
    let day = words.get(2)?;
    let day = day.split(|byte| matches!(byte, b'T' | b't')).next()?;
    let (day, _) = number(day)?;
    (digits == 4).then_some(())?;
    checked(year, month, day)
}

/// The words between white space, commas, hyphens and comments.
fn words(raw: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = Cursor::new(raw);
    let mut words = Vec::new();
    while words.len() < WORDS_MAX {
        cursor.skip_cfws();
        let word = cursor.take_while(|byte| byte > b' ' && !b"(),-/".contains(&byte));
        if !word.is_empty() {
            words.push(word.to_vec());
        } else if cursor.bump().is_none() {
            break;
        }
    }
    words
}

/// A number of one to four digits, and how many they are.
fn number(word: &[u8]) -> Option<Number> {
    if word.is_empty() || word.len() > 4 || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = word
        .iter()
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some((value, word.len()))
}

fn is_day((value, digits): Number) -> bool {
    (1..=31).contains(&value) && digits <= 2
}

/// A month by its English name, of which three letters are enough.
fn month(word: &[u8]) -> Option<u32> {
    const NAMES: [&[u8]; 12] = [
        b"january",
        b"february",
        b"march",
        b"april",
        b"may",
        b"june",
        b"july",
        b"august",
        b"september",
        b"october",
        b"november",
        b"december",
    ];
    let word = word.strip_suffix(b".").unwrap_or(word).to_ascii_lowercase();
    let at = NAMES
        .iter()
        .position(|name| word.len() >= 3 && name.starts_with(&word))?;
    u32::try_from(at + 1).ok()
}

/// Years of two and three digits as RFC 5322 §4.3 has them.
fn full_year(year: u32, digits: usize) -> u32 {
    match (digits, year) {
        (2, 0..=49) => year + 2000,
        (2 | 3, _) => year + 1900,
        _ => year,
    }
}

fn checked(year: u32, month: u32, day: u32) -> Option<Day> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    Some(Day {
        year: u16::try_from(year).ok()?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let table = [
            ("Mon, 7 Feb 1994 21:52:25 -0800 (PST)", "1994-2-7"),
            (" Mon,\r\n 07 Feb 1994 21:52 +0000\r\n", "1994-2-7"),
            ("7 Feb 94 21:52:25 EST", "1994-2-7"),
            ("Mon 7 Feb 1994", "1994-2-7"),
            ("Wed, 7 Feb 1994", "1994-2-7"),
            ("7-Feb-94", "1994-2-7"),
            ("Monday, 07-Feb-1994 21:52:25 GMT", "1994-2-7"),
            ("Mon Feb  7 21:52:25 1994", "1994-2-7"),
            ("Mon Feb  7 21:52:25 PST 1994", "1994-2-7"),
            ("February 7, 1994", "1994-2-7"),
            ("Mon, (c (d)) 7 (x) feb. 1994 (y)", "1994-2-7"),
            ("1994-02-07T21:52:25Z", "1994-2-7"),
            ("1994/02/07 21:52", "1994-2-7"),
            ("1 Jan 00 00:00:00 +0000", "2000-1-1"),
            ("1 Jan 49 00:00:00 +0000", "2049-1-1"),
            ("1 Jan 50 00:00:00 +0000", "1950-1-1"),
            ("1 Jan 103 00:00:00 +0000", "2003-1-1"),
            ("29 Feb 2000", "2000-2-29"),
            ("29 Feb 1900", "none"),
            ("31 Apr 2000", "none"),
            ("0 Jan 2000", "none"),
            ("32 Jan 2000", "none"),
            ("Mon, 7 Foo 1994", "none"),
            ("7 Feb", "none"),
            ("Feb 1994", "none"),
            ("", "none"),
            ("Thu, 99999999999999999999 Jan 99999999999999999999", "none"),
        ];
        for (raw, expected) in table {
            let day = sent_day(raw.as_bytes()).map_or("none".to_owned(), |day| {
                format!("{}-{}-{}", day.year, day.month, day.day)
            });
            assert_eq!(day, expected, "{raw}");
        }
    }
}
