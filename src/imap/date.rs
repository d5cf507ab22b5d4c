//! `date-time` and `date` (RFC 3501 §9): INTERNALDATE, APPEND's date, the days of SEARCH.
//!
//! The calendar is the Gregorian one for all years from 0 to 9999. There are no time zones here,
//! only fixed offsets.

use std::fmt;

use crate::imap::search::Day;

/// A moment with the offset from UTC it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z; may be negative.
    pub seconds: i64,
    /// Offset from UTC in minutes, east positive, −1439 to 1439.
    pub offset: i16,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SECONDS_PER_DAY: i64 = 86_400;
/// From 0000-01-01 to 1970-01-01, in days.
const EPOCH: i64 = 719_528;
/// The calendar repeats after this many years and days.
const CYCLE: (i64, i64) = (400, 146_097);
const LAST_YEAR: i64 = 9999;
const MOST_OFFSET: i16 = 24 * 60 - 1;

impl DateTime {
    /// Reads `date-time` without its quotes, such as `17-Jul-1996 02:44:25 -0700`. A second 60 is
    /// the next minute's first. `None` if the form, the day, the time or the zone is not right.
    pub fn parse(text: &[u8]) -> Option<DateTime> {
        let (day, time) = text.split_at_checked(text.len().checked_sub(15)?)?;
        let &[
            b' ',
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            b' ',
            sign,
            z1,
            z2,
            z3,
            z4,
        ] = time
        else {
            return None;
        };
        let day = Day::parse(day)?;
        let hour = number(&[h1, h2]).filter(|hour| *hour < 24)?;
        let minute = number(&[m1, m2]).filter(|minute| *minute < 60)?;
        let second = number(&[s1, s2]).filter(|second| *second <= 60)?;
        let zone_hour = number(&[z1, z2]).filter(|hour| *hour < 24)?;
        let zone_minute = number(&[z3, z4]).filter(|minute| *minute < 60)?;
        let offset = i16::try_from(zone_hour * 60 + zone_minute).ok()?;
        let offset = match sign {
            b'+' => offset,
            b'-' => -offset,
            _ => return None,
        };
        let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        Some(DateTime {
            seconds: (day.number() - EPOCH) * SECONDS_PER_DAY + time - i64::from(offset) * 60,
            offset,
        })
    }

    /// The day, in the offset it was written in. RFC 3501 §6.4.4 compares INTERNALDATE "disregarding
    /// time and timezone". Moments outside the calendar give its first or last day.
    pub fn day(&self) -> Day {
        Day::of_number(self.local_seconds() / SECONDS_PER_DAY)
    }

    /// Seconds since 0000-01-01 00:00:00 in this offset, held within the calendar.
    fn local_seconds(&self) -> i64 {
        let last = days_before(LAST_YEAR + 1) * SECONDS_PER_DAY - 1;
        self.seconds
            .saturating_add(i64::from(self.offset) * 60)
            .saturating_add(EPOCH * SECONDS_PER_DAY)
            .clamp(0, last)
    }
}

/// `date-time` without its quotes, the day with two digits as Dovecot writes it.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.local_seconds() % SECONDS_PER_DAY;
        let offset = self.offset.clamp(-MOST_OFFSET, MOST_OFFSET);
        write!(
            f,
            "{} {:02}:{:02}:{:02} {}{:02}{:02}",
            self.day(),
            time / 3600,
            time / 60 % 60,
            time % 60,
            if offset < 0 { '-' } else { '+' },
            offset.abs() / 60,
            offset.abs() % 60,
        )
    }
}

impl Day {
    /// `None` if there is no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Day> {
        let exists = i64::from(year) <= LAST_YEAR
            && (1..=12).contains(&month)
            && day >= 1
            && i64::from(day) <= days_in(i64::from(year), month);
        exists.then_some(Day { year, month, day })
    }

    /// Reads `date-text`, such as `1-Feb-1994`, `01-Feb-1994` or, as in `date-day-fixed`,
    /// ` 1-Feb-1994`. `None` if the form is not right or there is no such day.
    pub fn parse(text: &[u8]) -> Option<Day> {
        let (day, m, y) = match *text {
            [d, b'-', m1, m2, m3, b'-', y1, y2, y3, y4]
            | [b' ', d, b'-', m1, m2, m3, b'-', y1, y2, y3, y4] => {
                (number(&[d])?, [m1, m2, m3], [y1, y2, y3, y4])
            }
            [d1, d2, b'-', m1, m2, m3, b'-', y1, y2, y3, y4] => {
                (number(&[d1, d2])?, [m1, m2, m3], [y1, y2, y3, y4])
            }
            _ => return None,
        };
        let month = MONTHS
            .iter()
            .zip(1u8..)
            .find_map(|(name, month)| name.as_bytes().eq_ignore_ascii_case(&m).then_some(month))?;
        Day::new(
            u16::try_from(number(&y)?).ok()?,
            month,
            u8::try_from(day).ok()?,
        )
    }

    /// Days since 0000-01-01.
    fn number(self) -> i64 {
        let year = i64::from(self.year);
        let months = (1..self.month).map(|month| days_in(year, month));
        days_before(year) + months.sum::<i64>() + i64::from(self.day) - 1
    }

    /// The day so many days after 0000-01-01, which must be within the calendar.
    fn of_number(number: i64) -> Day {
        let (years, days) = CYCLE;
        // At most a year off, since years differ in length by a day.
        let mut year = number * years / days;
        if days_before(year) > number {
            year -= 1;
        } else if days_before(year + 1) <= number {
            year += 1;
        }
        let mut left = number - days_before(year);
        let mut month = 1;
        while month < 12 && left >= days_in(year, month) {
            left -= days_in(year, month);
            month += 1;
        }
        Day {
            year: year as u16,
            month,
            day: left as u8 + 1,
        }
    }
}

/// `date-text`, the day with two digits.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = usize::from(self.month).checked_sub(1);
        let month = month.and_then(|at| MONTHS.get(at)).unwrap_or(&"Jan");
        write!(f, "{:02}-{month}-{:04}", self.day, self.year)
    }
}

/// Days from 0000-01-01 to the first of `year`: each earlier year that 4 divides was a leap year,
/// unless 100 divides it and 400 does not.
fn days_before(year: i64) -> i64 {
    365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400
}

/// Days in a month, 1 to 12.
fn days_in(year: i64, month: u8) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        // What the other months, 337 days together, leave of the year.
        2 => days_before(year + 1) - days_before(year) - 337,
        _ => 31,
    }
}

/// The number that decimal digits spell. `None` if one is no digit.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<(i64, i16)> {
        DateTime::parse(text.as_bytes()).map(|date| (date.seconds, date.offset))
    }

    #[test]
    fn date_time() {
        for (text, seconds, offset) in [
            (" 1-Jan-1970 00:00:00 +0000", 0, 0),
            ("01-Jan-1970 00:00:00 -0000", 0, 0),
            ("1-Jan-1970 00:00:00 +0000", 0, 0),
            ("17-Jul-1996 02:44:25 -0700", 837_596_665, -420),
            ("31-dec-1969 23:59:59 +0000", -1, 0),
            ("29-FEB-2000 12:00:00 +0530", 951_805_800, 330),
            ("30-Jun-2015 23:59:60 +0000", 1_435_708_800, 0),
            ("01-Jan-0000 00:00:00 +0000", -62_167_219_200, 0),
            ("31-Dec-9999 23:59:59 +0000", 253_402_300_799, 0),
            ("01-Jan-2020 00:00:00 +2359", 1_577_750_460, 1439),
        ] {
            assert_eq!(parse(text), Some((seconds, offset)), "{text}");
        }
    }

    #[test]
    fn not_a_date_time() {
        for text in [
            "",
            "17-Jul-1996",
            "17-Jul-1996 02:44:25",
            "17-Jul-1996 02:44:25 0700",
            "17-Jul-1996 02:44:25 UT",
            "17-Jul-1996  02:44:25 -0700",
            "17-Jul-1996 02:44:25 -07:00",
            "17-Jul-96 02:44:25 -0700",
            "17 Jul 1996 02:44:25 -0700",
            "17-Jux-1996 02:44:25 -0700",
            "17-7-1996 02:44:25 -0700",
            "31-Jun-1996 02:44:25 -0700",
            "29-Feb-1900 00:00:00 +0000",
            "30-Feb-2000 00:00:00 +0000",
            "0-Jan-2000 00:00:00 +0000",
            " 0-Jan-2000 00:00:00 +0000",
            "32-Jan-2000 00:00:00 +0000",
            "1--Jan-2000 00:00:00 +0000",
            "01-Jan-2000 24:00:00 +0000",
            "01-Jan-2000 00:60:00 +0000",
            "01-Jan-2000 00:00:61 +0000",
            "01-Jan-2000 00:00:00 +2400",
            "01-Jan-2000 00:00:00 +0060",
            "01-Jan-2000 00:00:00 +0000 ",
            "01-Jan-2000 0a:00:00 +0000",
            "\u{661}-Jan-2000 00:00:00 +0000",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_in_its_own_offset() {
        let written = |text: &str| DateTime::parse(text.as_bytes()).unwrap();
        let late = written("17-Jul-1996 23:44:25 -0700");
        assert_eq!(late.day(), Day::new(1996, 7, 17).unwrap());
        assert_eq!(late.to_string(), "17-Jul-1996 23:44:25 -0700");
        let early = written("01-Jan-2020 00:00:00 +0130");
        assert_eq!(early.day(), Day::new(2020, 1, 1).unwrap());
        assert_eq!(early.to_string(), "01-Jan-2020 00:00:00 +0130");
    }

    #[test]
    fn moments_outside_the_calendar_are_held_in_it() {
        let shown = |seconds| DateTime { seconds, offset: 0 }.to_string();
        assert_eq!(shown(i64::MIN), "01-Jan-0000 00:00:00 +0000");
        assert_eq!(shown(i64::MAX), "31-Dec-9999 23:59:59 +0000");
        let far = DateTime {
            seconds: i64::MAX,
            offset: i16::MIN,
        };
        assert_eq!(far.to_string(), "31-Dec-9999 23:59:59 -2359");
    }

    #[test]
    fn every_day_of_the_calendar() {
        let last = days_before(LAST_YEAR + 1);
        let mut before = None;
        for number in 0..last {
            let day = Day::of_number(number);
            assert_eq!(day.number(), number);
            assert_eq!(Day::new(day.year, day.month, day.day), Some(day));
            assert!(before < Some(day));
            before = Some(day);
        }
    }

    proptest! {
        #[test]
        fn dates_come_back(
            seconds in -62_167_000_000i64..253_402_000_000,
            offset in -MOST_OFFSET..=MOST_OFFSET,
        ) {
            let date = DateTime { seconds, offset };
            prop_assert_eq!(DateTime::parse(date.to_string().as_bytes()), Some(date));
            prop_assert_eq!(Day::parse(date.day().to_string().as_bytes()), Some(date.day()));
        }

        #[test]
        fn any_bytes(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = DateTime::parse(&text);
        }

        #[test]
        fn any_numbers(seconds: i64, offset: i16) {
            let _ = DateTime { seconds, offset }.to_string();
        }
    }
}
