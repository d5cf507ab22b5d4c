//! Messages on disk against search keys, as a client would see it.

use super::*;

use std::cell::Cell;
use std::io::Write;

use crate::imap::search::SearchKey;
use crate::imap::sequence::NumberSet;

/// Parts of every kind, each with a word of its own.
const MIXED: &str = "\
From: a@b
Date: Mon, 5 Feb 1996 23:30:00 -0800
Subject: outersubject
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b1; x=outerparameter

preamble
--b1
Content-Type: text/plain; name=\"partname\"
Content-Description: =?utf-8?q?beschr=C3=A9ibung?=

textpart
--b1
Content-Type: message/rfc822

From: inner@x
Subject: innersubject =?utf-8?q?inn=C3=A9r?=

innerbody
--b1
Content-Type: application/json

{\"jsonword\":1}
--b1
Content-Type: message/delivery-status

Final-Recipient: rfc822;statusword
--b1
Content-Type: text/html; charset=koi8-r
Content-Transfer-Encoding: base64

8NLJ18XUIM3J0g==
--b1--
epilogue
";

struct Looked {
    matches: bool,
    /// RFC822.SIZE, where it came out.
    size: Option<u64>,
    /// Octets of the file in the thread's buffer.
    held: usize,
}

fn look(message: &[u8], key: &SearchKey) -> Looked {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(message).unwrap();
    let query = Query::compile(key, Some(b"utf-8"), &NumberSet::new()).unwrap();
    let mut scratch = Scratch::default();
    let size = Cell::new(None);
    let matches = examine(
        &query,
        vec![None; query.tests().len()],
        &file,
        &mut scratch,
        &Progress::new(),
        Some(&|known| size.set(Some(known))),
    );
    Looked {
        matches: matches.unwrap(),
        size: size.get(),
        held: scratch.file.len(),
    }
}

fn matches(message: impl AsRef<[u8]>, key: SearchKey) -> bool {
    let plain = look(message.as_ref(), &key).matches;
    let opposite = look(message.as_ref(), &SearchKey::Not(Box::new(key))).matches;
    assert_ne!(plain, opposite);
    plain
}

fn body(text: &str) -> SearchKey {
    SearchKey::Body(text.into())
}

fn text(text: &str) -> SearchKey {
    SearchKey::Text(text.into())
}

fn header(name: &str, text: &str) -> SearchKey {
    SearchKey::Header(name.into(), text.into())
}

fn day(year: u16, month: u8, day: u8) -> Day {
    Day { year, month, day }
}

#[test]
fn body_is_what_is_read_and_text_is_that_and_every_header() {
    for crlf in [false, true] {
        let message = match crlf {
            true => MIXED.replace('\n', "\r\n"),
            false => MIXED.to_owned(),
        };
        for (word, in_body, in_text) in [
            ("textpart", true, true),
            ("INNERBODY", true, true),
            ("statusword", true, true),
            ("привет мир", true, true),
            ("outersubject", false, true),
            ("subject: outer", false, true),
            ("outerparameter", false, true),
            ("partname", false, true),
            ("beschréibung", false, true),
            ("innersubject innér", false, true),
            ("preamble", false, false),
            ("epilogue", false, false),
            ("jsonword", false, false),
            ("8NLJ18XUIM3J0g", false, false),
            ("textpartinner", false, false),
        ] {
            assert_eq!(matches(&message, body(word)), in_body, "BODY {word}");
            assert_eq!(matches(&message, text(word)), in_text, "TEXT {word}");
        }
    }
}

#[test]
fn fields_are_decoded_unfolded_and_looked_at_one_by_one() {
    let message = "\
Received: from one
received: from two
From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
To: undisclosed-recipients:;
Bcc: old . form @ example (x) . org
Subject: =?iso-8859-1?b?Y2Fm6Q==?=
 =?utf-8?q?_au_lait?= folded
\tline
X-Empty:

Subject: body
";
    for (name, word, expected) in [
        ("From", "JÜRGEN", true),
        ("From", "j@example", true),
        ("from", "Jurgen", false),
        ("To", "undisclosed", true),
        ("Bcc", "OLD.form@example.org", true),
        ("Bcc", "form @", true),
        ("Subject", "café au lait folded line", true),
        ("Subject", "subject", false),
        ("Subject", "body", false),
        ("Received", "two", true),
        ("Received", "from one", true),
        ("Received", "onefrom", false),
        ("X-Empty", "", true),
        ("X-Absent", "", false),
        ("Cc", "", false),
        ("Receive", "", false),
    ] {
        let found = matches(message, header(name, word));
        assert_eq!(found, expected, "{name}: {word}");
    }
}

#[test]
fn a_word_is_found_across_encoded_lines() {
    let message = "\
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

One wo=
rd and =C3=
=89t=C3=A9
";
    assert!(matches(message, body("one word and été")));
    let message = "\
Content-Type: text/plain; charset=utf-16le
Content-Transfer-Encoding: base64

TwBuAGUAIAB3
AG8AcgBkAA==
";
    assert!(matches(message, body("one word")));
}

#[test]
fn all_keys_of_a_query_are_answered_from_one_reading() {
    let and = |keys: &[SearchKey]| SearchKey::And(keys.to_vec());
    let or = |a: SearchKey, b: SearchKey| SearchKey::Or(Box::new(a), Box::new(b));
    let not = |key: SearchKey| SearchKey::Not(Box::new(key));
    for (key, expected) in [
        (
            and(&[body("textpart"), body("innerbody"), text("partname")]),
            true,
        ),
        (and(&[body("textpart"), body("absent")]), false),
        (or(body("absent"), text("innersubject")), true),
        (or(header("From", "absent"), body("statusword")), true),
        (or(header("From", "a@b"), body("absent")), true),
        (and(&[header("From", "a@b"), not(body("absent"))]), true),
        (
            and(&[header("From", "a@b"), not(text("outersubject"))]),
            false,
        ),
        (
            and(&[
                SearchKey::SentOn(day(1996, 2, 5)),
                header("Subject", "outer"),
            ]),
            true,
        ),
    ] {
        assert_eq!(matches(MIXED, key.clone()), expected, "{key:?}");
    }
}

#[test]
fn the_sent_day_is_the_date_fields_own() {
    // Already the 6th in UTC.
    assert!(matches(MIXED, SearchKey::SentOn(day(1996, 2, 5))));
    assert!(matches(MIXED, SearchKey::SentSince(day(1996, 2, 5))));
    assert!(!matches(MIXED, SearchKey::SentSince(day(1996, 2, 6))));
    assert!(matches(MIXED, SearchKey::SentBefore(day(1996, 2, 6))));
    for message in [
        "Subject: no date\n\n",
        "Date: garbage\n\n",
        "",
        "\n\nDate: 5 Feb 1996",
    ] {
        for key in [
            SearchKey::SentBefore,
            SearchKey::SentOn,
            SearchKey::SentSince,
        ] {
            assert!(!matches(message, key(day(1996, 2, 5))));
        }
    }
}

#[test]
fn the_internal_date_is_the_files_time() {
    let file = tempfile::tempfile().unwrap();
    let noon = jiff::civil::date(2024, 2, 29).at(12, 0, 0, 0);
    let noon = noon.to_zoned(jiff::tz::TimeZone::system()).unwrap();
    file.set_modified(noon.timestamp().into()).unwrap();
    for (key, expected) in [
        (SearchKey::On(day(2024, 2, 29)), true),
        (SearchKey::Before(day(2024, 2, 29)), false),
        (SearchKey::Before(day(2024, 3, 1)), true),
        (SearchKey::Since(day(2024, 2, 29)), true),
        (SearchKey::Since(day(2024, 3, 1)), false),
    ] {
        let query = Query::compile(&key, None, &NumberSet::new()).unwrap();
        let scratch = &mut Scratch::default();
        let matches = examine(&query, vec![None], &file, scratch, &Progress::new(), None);
        assert_eq!(matches.unwrap(), expected, "{key:?}");
    }
}

#[test]
fn sizes_count_every_line_end_as_crlf() {
    let message = b"A: b\n\nc\r\nd\n";
    let virtual_size = message.len() as u64 + 3;
    for (key, expected) in [
        (SearchKey::Larger(virtual_size - 1), true),
        (SearchKey::Larger(virtual_size), false),
        (SearchKey::Smaller(virtual_size), false),
        (SearchKey::Smaller(virtual_size + 1), true),
    ] {
        let looked = look(message, &key);
        assert_eq!(looked.matches, expected, "{key:?}");
        assert_eq!(looked.size, Some(virtual_size));
    }
    // The file's own size says enough, and nothing is read.
    for key in [SearchKey::Larger(5), SearchKey::Smaller(1000)] {
        let looked = look(message, &key);
        assert!(looked.matches && looked.size.is_none() && looked.held == 0);
    }
    // Who reads the whole message learns its size.
    assert_eq!(look(message, &body("c")).size, Some(virtual_size));
}

#[test]
fn no_more_is_read_than_decides() {
    let mut message = b"From: me\nSubject: one\n\n".to_vec();
    message.resize(500_000, b'x');
    let and = |a, b| SearchKey::And(vec![a, b]);
    assert_eq!(look(&message, &header("From", "me")).held, 16 * 1024);
    let decided = and(body("x"), header("From", "you"));
    assert_eq!(look(&message, &decided).held, 16 * 1024);
    let decided = SearchKey::Or(Box::new(text("x")), Box::new(SearchKey::Smaller(600_000)));
    assert!(
        look(&message, &decided).held >= 500_000,
        "line ends may double the size"
    );
    let decided = SearchKey::Or(Box::new(text("x")), Box::new(SearchKey::Larger(5)));
    assert_eq!(look(&message, &decided).held, 0);
}

#[test]
fn messages_of_any_size_are_searched_to_the_end_in_bounded_memory() {
    // One part in one line, too large to be read as a whole: words across the borders of pieces.
    let mut message = b"Content-Type: text/plain\n\n".to_vec();
    while message.len() < 5 << 18 {
        message.extend_from_slice(format!("{}needle{} ", message.len(), message.len()).as_bytes());
    }
    let last = message[message.len() - 20..].trim_ascii().to_vec();
    let last = String::from_utf8(last).unwrap();
    let looked = look(&message, &body(&last));
    assert!(looked.matches && looked.held == 0);
    assert!(!look(&message, &body("needleneedle")).matches);

    // A header too large for that: in many fields, and in one.
    let mut message = b"X-Many: field\n".repeat(20_000);
    message.extend_from_slice(b"X-Long: ");
    while message.len() < 5 << 18 {
        message.extend_from_slice(b"long words\n and more ");
    }
    message.extend_from_slice(b"end\nSubject: after\n\nbody");
    for (key, expected) in [
        (header("X-Long", "and more end"), true),
        (header("X-Long", "wordsand"), false),
        (header("X-Long", "after"), false),
        (header("Subject", "after"), true),
        (text("subject: after"), true),
        (text("fieldX-Many"), false),
        (header("X-Absent", ""), false),
    ] {
        let looked = look(&message, &key);
        assert_eq!(looked.matches, expected, "{key:?}");
        assert!(looked.held <= 16 * 1024);
    }
}

#[test]
fn a_header_longer_than_what_is_read_first() {
    let mut message = b"X: y\n".repeat(10_000);
    message.extend_from_slice(b"Date: Mon, 5 Feb 1996 23:30:00 -0800\nSubject: end\n\nbody");
    assert!(matches(&message, header("Subject", "end")));
    assert!(matches(&message, SearchKey::SentOn(day(1996, 2, 5))));
    assert!(!matches(&message, header("Subject", "body")));
}

#[test]
fn broken_messages_are_searched_as_far_as_they_go() {
    for message in [
        "",
        "\n",
        "\r\n\r\n",
        "no colon",
        "no colon\n\nbody",
        "\0\n\n\0body\n",
    ] {
        matches(message, body("body"));
        matches(message, text("colon"));
        matches(message, header("From", ""));
    }
    assert!(matches("no colon\n\nthe body", body("body")));
    assert!(matches("no colon\n\nthe body", text("no colon")));
    assert!(matches("\nthe body", body("body")));
    assert!(matches(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nnever closed",
        body("never closed")
    ));
    assert!(matches(
        "Content-Type: text/plain; charset=no-such\n\ncaf\u{e9}",
        body("café")
    ));
}

#[test]
fn a_cancelled_look_ends_soon() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"Content-Type: text/plain\n\n").unwrap();
    // 4 GiB, were it read.
    file.set_len(4 << 30).unwrap();
    let query = Query::compile(&header("Subject", "absent"), None, &NumberSet::new()).unwrap();
    let progress = Progress::new();
    progress.cancel();
    let answers = vec![None; query.tests().len()];
    let scratch = &mut Scratch::default();
    assert!(!examine(&query, answers, &file, scratch, &progress, None).unwrap());
}

/// RFC 5032 §2: "Both OLDER and YOUNGER searches always result in exact matching, to the resolution of a
/// second", and both count the moment itself.
#[test]
fn ages_to_the_second() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"Subject: x\n\n").unwrap();
    let key = |make: fn(std::num::NonZeroU32) -> SearchKey| make(1000.try_into().unwrap());
    let moment = |query: &Query| match query.tests() {
        [Test::ReceivedBy(moment)] => *moment,
        other => panic!("{other:?}"),
    };
    let older = Query::compile(&key(SearchKey::Older), None, &NumberSet::new()).unwrap();
    let younger = Query::compile(&key(SearchKey::Younger), None, &NumberSet::new()).unwrap();
    for (query, target, earlier, same, later) in [
        (&older, moment(&older), true, true, false),
        (&younger, moment(&younger) + 1, false, true, true),
    ] {
        for (seconds, expected) in [(-1, earlier), (0, same), (1, later)] {
            let moment = u64::try_from(target + seconds).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::new(moment, 999_999_999);
            file.set_modified(time).unwrap();
            let matches = examine(
                query,
                vec![None],
                &file,
                &mut Scratch::default(),
                &Progress::new(),
                None,
            );
            assert_eq!(matches.unwrap(), expected, "{query:?} {seconds}");
        }
    }
}
