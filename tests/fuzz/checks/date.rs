//! Date fields: what is read as a date is one of the calendar, and does not depend on comments and folds around it
//! or on how it is written.

use culver::imap::search::Day;
use culver::message::date::{sent_day, sent_time};

const MONTHS: [(&str, i64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

pub fn check(body: &[u8]) {
    let day = sent_day(body);
    let time = sent_time(body);
    assert_eq!(day.is_some(), time.is_some());

    // RFC 5322 §3.2.2: comments and folds mean nothing.
    let commented = [b" (1 Jan (1999\\))) ", body].concat();
    assert_eq!(sent_day(&commented), day);
    let mut folded = Vec::new();
    for octet in body {
        if *octet == b' ' {
            folded.extend_from_slice(b"\r\n");
        }
        folded.push(*octet);
    }
    if !body.contains(&b'\\') {
        assert_eq!(sent_day(&folded), day);
        assert_eq!(sent_time(&folded), time);
    }

    let (Some(day), Some(time)) = (day, time) else {
        return;
    };
    let midnight = seconds_before(day);
    // No zone is further away than its four digits say, and a leap second belongs to its day.
    let zone = (99 * 60 + 59) * 60;
    let from_midnight = time - midnight;
    assert!((-zone..=86_400 + zone).contains(&from_midnight));

    let (month, _) = MONTHS[usize::from(day.month) - 1];
    let Day {
        year, day: date, ..
    } = day;
    let clock = from_midnight.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let mut forms = vec![
        (
            format!("{date} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000"),
            0,
        ),
        (
            format!("Xyz, {date:02}-{month}-{year:04} {hour}:{minute:02}:{second:02} -0130"),
            -90,
        ),
        (
            format!("Xyz {month} {date:2} {hour:02}:{minute:02}:{second:02} EST {year:04}"),
            -300,
        ),
    ];
    // ISO 8601 has four digits.
    if year <= 9999 {
        let clock = format!("{hour:02}:{minute:02}:{second:02}Z");
        forms.push((format!("{year:04}-{:02}-{date:02}T{clock}", day.month), 0));
    }
    for (text, zone) in forms {
        assert_eq!(sent_day(text.as_bytes()), Some(day), "{text}");
        let expected = midnight + clock - zone * 60;
        assert_eq!(sent_time(text.as_bytes()), Some(expected), "{text}");
    }
}

/// Seconds from 1970 to the beginning of a day that the calendar has: counted, year by year.
fn seconds_before(day: Day) -> i64 {
    let year = i64::from(day.year);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = |year| 365 + i64::from(leap(year));
    let mut days: i64 = (1970..year).map(length).sum();
    days -= (year..1970).map(length).sum::<i64>();
    let month = usize::from(day.month);
    for (at, (_, length)) in MONTHS.iter().enumerate() {
        let length = length + i64::from(at == 1 && leap(year));
        if at + 1 < month {
            days += length;
        } else if at + 1 == month {
            assert!((1..=length).contains(&i64::from(day.day)), "{day:?}");
        }
    }
    assert!((1..=12).contains(&month) && year <= i64::from(u16::MAX));
    (days + i64::from(day.day) - 1) * 86_400
}
