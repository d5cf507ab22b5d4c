//! The day and time a message says it was sent: its Date: field (RFC 5322 §3.3, §4.3), read leniently.

use crate::imap::search::Day;
use crate::message::lexer::{Cursor, is_space};

/// Words looked at.
const WORDS_MAX: usize = 16;

/// The day that a Date: field's body names, in the field's own zone, time and zone ignored as
/// RFC 3501 §6.4.4 wants for SENTBEFORE, SENTON, SENTSINCE. `None` where there is no date to be read.
///
/// `Mon, 7 Feb 1994`, `7-Feb-94`, `Mon Feb  7 21:52:25 1994`, `February 7, 1994` and `1994-02-07` are all
/// understood; a weekday is not looked at.
pub fn sent_day(raw: &[u8]) -> Option<Day> {
    let words = words(raw);
    let month_at = words.iter().position(|word| month(word.text).is_some());
    let Some(at) = month_at else {
        return iso_day(&words);
    };
    let month = month(words.get(at)?.text)?;
    let number = |at: usize| words.get(at).and_then(|word| number(word.text));
    // The day stands before the month, or (asctime) after it; then the first number of two digits or more
    // that is no time, and no piece of another word, is the year.
    let before = at
        .checked_sub(1)
        .and_then(number)
        .filter(|day| is_day(*day));
    let (day, from) = match before {
        Some(day) => (day, at + 1),
        None => (number(at + 1).filter(|day| is_day(*day))?, at + 2),
    };
    let (year, digits) = (from..words.len())
        .filter(|at| {
            let word = words.get(*at);
            word.is_some_and(|word| (*at == from || word.apart) && !word.signed)
        })
        .find_map(number)
        .filter(|(_, digits)| *digits >= 2)?;
    checked(full_year(year, digits), month, day.0)
}

/// When a Date: field's body says the message was sent, in seconds since 1970, UTC: the sent date of RFC 5256
/// §2.2. A zone that is none counts as UTC, a time that is none as midnight; `None` where there is no date.
pub fn sent_time(raw: &[u8]) -> Option<i64> {
    let day = sent_day(raw)?;
    let mut cursor = Cursor::new(raw);
    let (mut time, mut zone) = (None, None);
    for _ in 0..WORDS_MAX {
        let word = word_of_time(&mut cursor);
        match time {
            None if word.is_empty() && cursor.bump().is_none() => break,
            None => {
                let (before, behind) = without_zone(&word);
                time = clock(before);
                zone = offset(behind);
            }
            Some(_) => {
                zone = zone.or(offset(&word));
                break;
            }
        }
    }
    let (seconds, zulu) = time.unwrap_or_default();
    let zone = if zulu { 0 } else { zone.unwrap_or(0) };
    Some(days_since_1970(day) * 86_400 + seconds - zone)
}

/// The next word. White space and comments around a colon do not end it (RFC 5322 §4.3, `obs-hour` and its like).
fn word_of_time(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut word = Vec::new();
    loop {
        cursor.skip_cfws();
        if !word.is_empty() && !word.ends_with(b":") && cursor.peek() != Some(b':') {
            return word;
        }
        match cursor.take_while(|byte| byte > b' ' && !b"(),".contains(&byte)) {
            b"" => return word,
            more => word.extend_from_slice(more),
        }
    }
}

/// A time, and the zone that some write right behind it.
fn without_zone(word: &[u8]) -> (&[u8], &[u8]) {
    let mut behind_colon = word.iter().zip(0..).skip_while(|(byte, _)| **byte != b':');
    let sign = behind_colon.find(|(byte, _)| matches!(byte, b'+' | b'-'));
    sign.and_then(|(_, at)| word.split_at_checked(at))
        .unwrap_or((word, b""))
}

/// `21:52`, `21:52:25`, `21.52.25`, also behind `1994-02-07T` and before a `Z`: seconds since midnight, and whether there was
/// one.
fn clock(word: &[u8]) -> Option<(i64, bool)> {
    let time = match word.iter().rposition(|byte| matches!(byte, b'T' | b't')) {
        Some(at) => word.get(at + 1..)?,
        None => word,
    };
    let (time, zulu) = match time.strip_suffix(b"Z").or(time.strip_suffix(b"z")) {
        Some(time) => (time, true),
        None => (time, false),
    };
    let mut parts = time.split(|byte| matches!(byte, b':' | b'.'));
    let mut part = |below: u32| {
        let (value, digits) = number(parts.next()?)?;
        (digits <= 2 && value < below).then_some(i64::from(value))
    };
    let (hour, minute) = (part(24)?, part(60)?);
    // A leap second is the next minute's first.
    let second = part(61).unwrap_or(0);
    Some((hour * 3600 + minute * 60 + second, zulu))
}

/// How far a zone is east of UTC, in seconds: `-0800`, `-08:00` (RFC 3339 §5.6), or one of the names in RFC 5322 §4.3. Military letters say
/// nothing (ibid.).
fn offset(word: &[u8]) -> Option<i64> {
    let hours = match word.to_ascii_uppercase().as_slice() {
        b"UT" | b"UTC" | b"GMT" => 0,
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let (value, count) = match digits {
                [a, b, b':', c, d] => number(&[*a, *b, *c, *d])?,
                digits => number(digits)?,
            };
            let (hours, minutes) = (i64::from(value / 100), i64::from(value % 100));
            let seconds = (count == 4 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            return Some(if *sign == b'-' { -seconds } else { seconds });
        }
        _ => return None,
    };
    Some(hours * 3600)
}

/// Days from 1 January 1970 to a day of the Gregorian calendar.
fn days_since_1970(day: Day) -> i64 {
    // Years that begin in March, so that a leap day is the last of its year.
    let (month, year) = (i64::from(day.month), i64::from(day.year));
    let (months, year) = if month > 2 {
        (month - 3, year)
    } else {
        (month + 9, year - 1)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before_month = (153 * months + 2) / 5;
    year * 365 + leap_days + before_month + i64::from(day.day) - 1 - 719_468
}

type Number = (u32, usize);

/// `1994-02-07`, with or without a time behind a `T`.
fn iso_day(words: &[Word<'_>]) -> Option<Day> {
    let (year, digits) = number(words.first()?.text)?;
    let (month, _) = number(words.get(1)?.text)?;
    let day = words.get(2)?.text;
    let day = day.split(|byte| matches!(byte, b'T' | b't')).next()?;
    let (day, _) = number(day)?;
    (digits == 4).then_some(())?;
    checked(year, month, day)
}

/// What stands between white space, commas, hyphens, slashes and comments.
struct Word<'a> {
    text: &'a [u8],
    /// It stands behind neither a hyphen nor a slash.
    apart: bool,
    /// The hyphen just before it stands behind white space, as the sign of a zone does.
    signed: bool,
}

fn words(raw: &[u8]) -> Vec<Word<'_>> {
    let mut cursor = Cursor::new(raw);
    let mut words = Vec::new();
    let (mut before, mut is_sign) = (None, false);
    while words.len() < WORDS_MAX {
        let behind_space = cursor.peek().is_some_and(is_space);
        cursor.skip_cfws();
        let text = cursor.take_while(|byte| byte > b' ' && !b"(),-/".contains(&byte));
        let (first, mut rest) = undivided(text);
        if !first.is_empty() {
            words.push(Word {
                text: first,
                apart: !matches!(before, Some(b'-' | b'/')),
                signed: is_sign && !behind_space,
            });
        }
        while !rest.is_empty() && words.len() < WORDS_MAX {
            let (text, behind) = undivided(rest);
            words.push(Word {
                text,
                apart: false,
                signed: false,
            });
            rest = behind;
        }
        (before, is_sign) = match text {
            [] => match cursor.bump() {
                None => break,
                byte => (byte, behind_space && byte == Some(b'-')),
            },
            _ => (None, false),
        };
    }
    words
}

/// The first of several words that nothing divides, and the others: a day before its month, or a month before its year
/// (RFC 5322 §4.3, where white space between them may be missing). Fewer than four digits behind a month are more
/// likely what is left of a year.
fn undivided(text: &[u8]) -> (&[u8], &[u8]) {
    let run =
        |text: &[u8], is_of: fn(&u8) -> bool| text.iter().take_while(|byte| is_of(byte)).count();
    let digits = run(text, u8::is_ascii_digit);
    let behind = text.get(digits..).unwrap_or_default();
    let letters = run(behind, u8::is_ascii_alphabetic);
    let is_month = behind.get(..letters).and_then(month).is_some();
    let year = behind.get(letters..).unwrap_or_default();
    let first = match digits {
        0 if is_month && run(year, u8::is_ascii_digit) >= 4 => letters,
        1 | 2 if is_month => digits,
        _ => text.len(),
    };
    text.split_at_checked(first).unwrap_or((text, b""))
}

/// A number of one to five digits, and how many they are.
fn number(word: &[u8]) -> Option<Number> {
    if word.is_empty() || word.len() > 5 || !word.iter().all(u8::is_ascii_digit) {
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
    fn times() {
        let table = [
            ("Thu, 1 Jan 1970 00:00:00 +0000", Some(0)),
            ("31 Dec 2000 16:01:33 -0800", Some(978_307_293)),
            ("1 Jan 2001 00:01:33 +0000", Some(978_307_293)),
            ("1 Jan 2001 05:31:33 +0530", Some(978_307_293)),
            ("1 Jan 2001 00:01:33", Some(978_307_293)),
            ("1 Jan 2001 00:01:33 Z", Some(978_307_293)),
            ("1 Jan 2001 00:01:33 +9999", Some(978_307_293)),
            ("1 Jan 2001 00:01:33 -123", Some(978_307_293)),
            ("31 Dec 2000 19:01:33 EST", Some(978_307_293)),
            ("Mon Jan  1 00:01:33 2001", Some(978_307_293)),
            ("Sun Dec 31 16:01:33 PST 2000", Some(978_307_293)),
            ("2001-01-01T00:01:33Z", Some(978_307_293)),
            ("1 (x) Jan 2001 (y) 00:01:33 (z) +0000", Some(978_307_293)),
            ("1 Jan 2001 00:01", Some(978_307_260)),
            // No white space before the zone; and RFC 3339's form of one.
            ("31 Dec 2000 16:01:33-0800", Some(978_307_293)),
            ("1 Jan 2001 05:31:33+0530 (x)", Some(978_307_293)),
            ("2001-01-01T05:31:33+05:30", Some(978_307_293)),
            ("2000-12-31 16:01:33 -08:00", Some(978_307_293)),
            ("1 Jan 2001 00:01:33+1", Some(978_307_293)),
            ("1 Jan 2001 00.01.33 +0000", Some(978_307_293)),
            ("1 Jan 2001 00 : 01\r\n :(x)33 -0100", Some(978_310_893)),
            ("1 Jan 2001 25:01:33 +0000", Some(978_307_200)),
            ("1 Jan 2001", Some(978_307_200)),
            ("1Jan2001 05:31:33 +0530", Some(978_307_293)),
            ("29 Feb 2000 23:59:60 +0000", Some(951_868_800)),
            ("1 Jan 1900", Some(-2_208_988_800)),
            ("no date", None),
        ];
        for (raw, expected) in table {
            assert_eq!(sent_time(raw.as_bytes()), expected, "{raw}");
        }
    }

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
            // "year = 4*DIGIT" (RFC 5322 §3.3).
            ("9 Sep 20017 01:46:40 -0800", "20017-9-9"),
            ("9 Sep 99999 01:46:40 -0800", "none"),
            ("12 Nov 2005k04:59:21 -0330", "none"),
            ("5 Jan 20@04 11:58:39 -0500", "none"),
            (
                "20 Jun 2rom: =?iso-8859-8-I?Q?=F9?= <a@example.com>",
                "none",
            ),
            ("12 Nov -0330", "none"),
            ("12 - Nov - 1994", "1994-11-12"),
            ("-12 Nov 1994", "1994-11-12"),
            (" -12 Nov 1994", "1994-11-12"),
            ("12 / Nov /94", "1994-11-12"),
            // "obs-day = [CFWS] 1*2DIGIT [CFWS]" (RFC 5322 §4.3), and the year likewise.
            ("Sun, 9Sep 2001 01:46:40 +0000", "2001-9-9"),
            ("9Sep2001 01:46:40 +0000", "2001-9-9"),
            ("09 September2001", "2001-9-9"),
            ("09 Sep001 01:46:40", "none"),
            ("9x Sep 2001", "none"),
            ("119Sep 2001", "none"),
            ("9 Sep 20k04", "none"),
            ("9 Sept. 2001", "2001-9-9"),
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
