//! APPEND and REPLACE, whole and in pieces: the steps they are, and what is none.

use super::*;
use crate::imap::command::{Announced, AppendOptions};
use crate::imap::date::DateTime;
use crate::imap::flag::{Flag, SystemFlag};

fn literal(size: u64, non_sync: bool, binary: bool) -> AppendStep {
    AppendStep::Literal(Announced {
        size,
        non_sync,
        binary,
    })
}

fn begin(catenate: bool) -> AppendStep {
    let options = AppendOptions::default();
    AppendStep::Begin { options, catenate }
}

fn url(text: &str) -> AppendStep {
    AppendStep::Url(text.into())
}

fn to(mailbox: &str) -> AppendHead {
    AppendHead {
        replaces: None,
        mailbox: mailbox.into(),
    }
}

/// The steps of an APPEND to `x`, literals inline.
fn steps(arguments: &str) -> Vec<AppendStep> {
    match body(format!("APPEND x {arguments}")) {
        CommandBody::Append(head, steps) if head == to("x") => steps,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_message_and_several() {
    let seen = Flag::System(SystemFlag::Seen);
    let date = DateTime::parse(b"07-Feb-1994 21:52:25 -0800");
    for (text, mailbox, flags, date) in [
        ("saved-messages ", "saved-messages", vec![], None),
        ("\"a b\" (\\Seen) ", "a b", vec![seen.clone()], None),
        ("{5}\r\na b c () ", "a b c", vec![], None),
        ("{5+}\r\nINBOX (\\seen) ", "INBOX", vec![seen.clone()], None),
        ("x \" 7-Feb-1994 21:52:25 -0800\" ", "x", vec![], date),
        (
            "x (\\Seen) \"07-Feb-1994 21:52:25 -0800\" ",
            "x",
            vec![seen.clone()],
            date,
        ),
    ] {
        let begin_with = |flags, date| AppendStep::Begin {
            options: AppendOptions { flags, date },
            catenate: false,
        };
        for (message, octets) in [
            ("{5}\r\nhello", literal(5, false, false)),
            ("{5+}\r\nhello", literal(5, true, false)),
            ("~{5}\r\nhe\0lo", literal(5, false, true)),
            ("UTF8 (~{5+}\r\nhello)", literal(5, true, true)),
            ("{0}\r\n", literal(0, false, false)),
        ] {
            let first = [
                begin_with(flags.clone(), date),
                octets.clone(),
                AppendStep::End,
            ];
            let whole = body(format!("APPEND {text}{message}"));
            assert_eq!(whole, CommandBody::Append(to(mailbox), first.to_vec()));
            let plain = [begin(false), octets.clone(), AppendStep::End];
            let last = [
                begin_with(vec![seen.clone()], None),
                octets,
                AppendStep::End,
            ];
            let whole = body(format!(
                "APPEND {text}{message} {message} (\\Seen) {message}"
            ));
            let all = [first, plain, last].concat();
            assert_eq!(whole, CommandBody::Append(to(mailbox), all));
        }
    }
}

/// RFC 4469 §5.
#[test]
fn parts() {
    assert_eq!(
        steps("CATENATE (URL /a/;UID=1)"),
        [begin(true), url("/a/;UID=1"), AppendStep::End]
    );
    assert_eq!(
        steps(
            "catenate (text {2}\r\nab url \"x\" Url {3+}\r\n\"y\" UTF8 (~{1+}\r\nc) TEXT {0}\r\n)"
        ),
        [
            begin(true),
            literal(2, false, false),
            url("x"),
            url("\"y\""),
            literal(1, true, true),
            literal(0, false, false),
            AppendStep::End
        ]
    );
    assert_eq!(
        steps("CATENATE (URL x) () {1}\r\na CATENATE (TEXT {1+}\r\nb)"),
        [
            begin(true),
            url("x"),
            AppendStep::End,
            begin(false),
            literal(1, false, false),
            AppendStep::End,
            begin(true),
            literal(1, true, false),
            AppendStep::End,
        ]
    );
}

/// RFC 8508 §5.
#[test]
fn replace() {
    let four = NonZeroU32::new(4).map(Bound::Number).unwrap();
    for (text, replaces) in [
        ("REPLACE 4", (Numbering::Sequence, four)),
        ("uid replace 4", (Numbering::Uid, four)),
        ("Replace *", (Numbering::Sequence, Bound::Last)),
    ] {
        let head = AppendHead {
            replaces: Some(replaces),
            ..to("Drafts")
        };
        let whole = body(format!("{text} Drafts () {{2}}\r\nab"));
        let steps = vec![begin(false), literal(2, false, false), AppendStep::End];
        assert_eq!(whole, CommandBody::Append(head.clone(), steps));
        let whole = body(format!("{text} Drafts CATENATE (URL x)"));
        let steps = vec![begin(true), url("x"), AppendStep::End];
        assert_eq!(whole, CommandBody::Append(head, steps));
    }
}

#[test]
fn what_is_none() {
    let data = "a literal with the message, CATENATE or UTF8";
    let part = "TEXT, URL or UTF8";
    let date = "a date-time such as \"17-Jul-1996 02:44:25 -0700\"";
    let octets = "all octets of the literal";
    for (text, expected, at) in [
        ("APPEND", "a space", 9),
        ("APPEND x", "a space", 11),
        ("APPEND x ", data, 12),
        ("APPEND x hello", data, 12),
        ("APPEND x \"hello\"", date, 12),
        ("APPEND x (\\Seen)", "a space", 19),
        ("APPEND x {5}\r\nabc", octets, 20),
        ("APPEND x {3}\r\nabc ", data, 21),
        ("APPEND x {3}\r\nabc {3}\r\nab", octets, 28),
        ("APPEND x {3}\r\nabcd", "the command's end", 20),
        ("APPEND x {3}", "a line's end", 15),
        ("APPEND x {3} abc", "a line's end", 15),
        ("APPEND x UTF8", "a space", 16),
        ("APPEND x UTF8 {1}\r\na", "(", 17),
        ("APPEND x UTF8 ({1}\r\na)", "a literal8", 18),
        ("APPEND x UTF8 (~{1}\r\na", ")", 25),
        ("APPEND x UTF8 (~{1}\r\na))", "the command's end", 26),
        ("APPEND x CATENATE", "a space", 20),
        ("APPEND x CATENATE ", "(", 21),
        ("APPEND x CATENATE ()", part, 22),
        ("APPEND x CATENATE ( URL y)", part, 22),
        ("APPEND x CATENATE {1}\r\na", "(", 21),
        ("APPEND x CATENATE (URL y", "a space or )", 27),
        ("APPEND x CATENATE (URL y ", part, 28),
        ("APPEND x CATENATE (URL y )", part, 28),
        ("APPEND x CATENATE (URL y)x", "the command's end", 28),
        ("APPEND x CATENATE (URL y) ", data, 29),
        ("APPEND x CATENATE (URL)", "a space", 25),
        ("APPEND x CATENATE (URL )", "a URL", 26),
        ("APPEND x CATENATE (URL ~{1}\r\ny)", "a space or )", 27),
        ("APPEND x CATENATE (URL {1}", octets, 26),
        ("APPEND x CATENATE (TEXT {1}\r\na", "a space or )", 33),
        ("APPEND x CATENATE (TEXT y)", "a literal", 27),
        ("APPEND x CATENATE (TEXT \"y\")", "a literal", 27),
        ("APPEND x CATENATE (TEXT ~{1}\r\na)", "a literal", 27),
        ("APPEND x CATENATE (UTF8 {1}\r\na)", "(", 27),
        ("APPEND x CATENATE (UTF8 (~{1}\r\na", ")", 35),
        ("APPEND x CATENATE (FILE y)", part, 22),
        ("REPLACE", "a space", 10),
        (
            "REPLACE x y {1}\r\na",
            "a number from 1 to 4294967295 or *",
            11,
        ),
        (
            "REPLACE 0 y {1}\r\na",
            "a number from 1 to 4294967295 or *",
            11,
        ),
        ("REPLACE 1:2 y {1}\r\na", "a space", 12),
        (
            "REPLACE $ y {1}\r\na",
            "a number from 1 to 4294967295 or *",
            11,
        ),
        ("REPLACE 1 {1}\r\na", "a space", 19),
        ("REPLACE 1 y ", data, 15),
        ("REPLACE 1 y {1}\r\na {1}\r\nb", "the command's end", 21),
        (
            "UID REPLACE 1 y CATENATE (URL z) {1}\r\nb",
            "the command's end",
            35,
        ),
        ("UID APPEND x {1}\r\na", "", 0),
    ] {
        let expected = match at {
            0 => "Unknown command".to_owned(),
            at => format!("Expected {expected} (octet {at})"),
        };
        assert_eq!(error(text), expected, "{text}");
    }
    let recent = error("APPEND x (\\Recent) {1}\r\nx");
    assert_eq!(recent, "\\Recent cannot be set");
    let future = error("APPEND x (\\Seen \\Future) {1}\r\nx");
    assert_eq!(future, "Invalid system flag \\Future");
}

/// Limits of ours: the code says so.
#[test]
fn beyond_the_limits() {
    let beyond = |text: String| {
        let error = command(text.as_bytes()).unwrap_err();
        assert_eq!(error.code, Some(Code::Limit));
        error.expected
    };
    let parts = |count| format!("a APPEND x CATENATE ({})", vec!["URL y"; count].join(" "));
    assert!(command(parts(1000).as_bytes()).is_ok());
    assert_eq!(beyond(parts(1001)), "More than 1000 parts in a CATENATE");
    let long = |octets| format!("a APPEND x CATENATE (URL {})", "y".repeat(octets));
    assert!(command(long(8192).as_bytes()).is_ok());
    assert_eq!(beyond(long(8193)), "More than 8192 octets in a URL");
}

/// What the reader asks: the head, and the steps up to each literal.
#[test]
fn in_pieces() {
    let line = b"a APPEND {1}\r\nx (\\Seen) ";
    let (tag, head, octets) = append_head(line).unwrap().unwrap();
    assert_eq!((tag.as_str(), &head, octets), ("a", &to("x"), 15));
    let mut progress = Progress::new(&head);
    let mut piece = |text: &str, expected: &[AppendStep], stop| {
        let (steps, stopped) = append_steps(&mut progress, text.as_bytes(), 0).unwrap();
        assert_eq!((&steps[..], stopped), (expected, stop), "{text}");
    };
    use AppendStep::End;
    piece(
        " CATENATE (URL a URL {5+}",
        &[begin(true), url("a")],
        Stop::Url,
    );
    piece("{5+}\r\nabcde URL {1}", &[url("abcde")], Stop::Url);
    piece(
        "{1}\r\nb UTF8 (~{7}",
        &[url("b"), literal(7, false, true)],
        Stop::Literal,
    );
    piece(") TEXT {8+}", &[literal(8, true, false)], Stop::Literal);
    piece(
        ") ~{9}",
        &[End, begin(false), literal(9, false, true)],
        Stop::Literal,
    );
    piece(
        " UTF8 (~{3}",
        &[End, begin(false), literal(3, false, true)],
        Stop::Literal,
    );
    piece(
        ") CATENATE (URL c)",
        &[End, begin(true), url("c"), End],
        Stop::End,
    );
    assert_eq!(
        append_steps(&mut Progress::new(&head), b" FILE", 20)
            .unwrap_err()
            .expected,
        "Expected a literal with the message, CATENATE or UTF8 (octet 22)"
    );
    for text in [" {3}{3}", " {3} {3}", " CATENATE (TEXT {3} URL x)"] {
        let error = append_steps(&mut Progress::new(&head), text.as_bytes(), 0).unwrap_err();
        assert!(
            error.expected.starts_with("Expected a line's end"),
            "{error}"
        );
        assert_eq!(error.tag, None);
    }
}

#[test]
fn heads() {
    for other in [
        "a APPEND ",
        "a append ",
        "a REPLACE 4 ",
        "a UID REPLACE * ",
        "a UID",
        "a UID ",
        "a UID FETCH 1 ",
        "a LOGIN ",
        "a SEARCH TEXT ",
        "a SEARCH TEXT {1}\r\n1 TEXT ",
        "",
        "a",
        "+ APPEND x ",
        "(",
    ] {
        assert_eq!(append_head(other.as_bytes()), Ok(None), "{other}");
    }
    for (line, expected) in [
        ("a APPEND", "Expected a space (octet 9)"),
        ("a APPEND  ", "Expected a mailbox name (octet 10)"),
        (
            "a REPLACE ",
            "Expected a number from 1 to 4294967295 or * (octet 11)",
        ),
        ("a REPLACE 4", "Expected a space (octet 12)"),
        ("a UID REPLACE 4  ", "Expected a mailbox name (octet 17)"),
    ] {
        let error = append_head(line.as_bytes()).unwrap_err();
        assert_eq!(error.expected, expected, "{line}");
        assert_eq!(error.tag.unwrap().as_str(), "a");
    }
}
