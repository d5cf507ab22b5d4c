//! `search` (RFC 3501 §9, RFC 9051 §9): every key in every form of its arguments, and what does not parse.

use super::{finds, prepared};
use crate::harness::Server;

/// The four forms of an `astring`.
fn strings(text: &str) -> [String; 4] {
    let length = text.len();
    [
        text.to_owned(),
        format!("\"{text}\""),
        format!("{{{length}}}\r\n{text}"),
        format!("{{{length}+}}\r\n{text}"),
    ]
}

/// `"BCC" SP astring`, and so on. RFC 9051 §9: "Implementations MUST accept these strings in a case-insensitive
/// fashion."
#[test]
fn keys_with_a_string() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, text, expected) in [
        ("BCC", "dora", "5"),
        ("BODY", "treasure", "5"),
        ("CC", "carl", "1"),
        ("FROM", "anna", "1 2 3 4 5 6"),
        ("SUBJECT", "alpha", "1"),
        ("TEXT", "alpha", "1"),
        ("TO", "bob", "1 2 3 4 5 6"),
        // `"HEADER" SP header-fld-name SP astring`; `header-fld-name = astring`
        ("HEADER X-Spam", "yes", "2"),
        ("HEADER \"X-Spam\"", "yes", "2"),
        ("HEADER {6+}\r\nX-Spam", "yes", "2"),
    ] {
        for text in strings(text) {
            finds(&mut c, &format!("{key} {text}"), expected);
        }
        finds(&mut c, &format!("{} {text}", key.to_lowercase()), expected);
    }
    // Strings in a row, and after them other keys.
    finds(
        &mut c,
        "FROM {4}\r\nanna TO {3}\r\nbob SUBJECT {5+}\r\nalpha SEEN",
        "1",
    );
    // `ASTRING-CHAR = ATOM-CHAR / resp-specials`
    finds(&mut c, "SUBJECT a]b", "");
}

/// `date = date-text / DQUOTE date-text DQUOTE`; `date-text = date-day "-" date-month "-" date-year`;
/// `date-day = 1*2DIGIT`.
#[test]
fn keys_with_a_date() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("BEFORE", "1 2"),
        ("ON", "3"),
        ("SINCE", "3 4 5 6"),
        ("SENTBEFORE", "1 2"),
        ("SENTON", "3"),
        ("SENTSINCE", "3 4 5 6"),
    ] {
        for date in [
            "12-Jan-2020",
            "\"12-Jan-2020\"",
            "12-JAN-2020",
            "\"12-jan-2020\"",
        ] {
            finds(&mut c, &format!("{key} {date}"), expected);
        }
        finds(
            &mut c,
            &format!("{} 12-Jan-2020", key.to_lowercase()),
            expected,
        );
    }
    for month in [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ] {
        finds(&mut c, &format!("SINCE 1-{month}-2019"), "1 2 3 4 5 6");
        finds(&mut c, &format!("BEFORE 01-{month}-2019"), "");
    }
    for date in [
        "12-01-2020",
        "2020-01-12",
        "12-Jan-20",
        "12-January-2020",
        "0-Jan-2020",
        "32-Jan-2020",
        "012-Jan-2020",
        "12 Jan 2020",
        "yesterday",
        "\"\"",
        "()",
        "{11+}\r\n12-Jan-2020",
    ] {
        c.bad_strictly(&format!("SEARCH ON {date}"));
        c.check("NOOP", &[], "OK");
    }
}

/// `"KEYWORD" SP flag-keyword`, `"LARGER" SP number` (RFC 9051: `number64`), `"UID" SP sequence-set`, `sequence-set`.
#[test]
fn keys_with_a_flag_a_number_or_a_set() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("KEYWORD $Junk", "3"),
        ("keyword $junk", "3"),
        ("UNKEYWORD $Junk", "1 2 4 5 6"),
        ("LARGER 0", "1 2 3 4 5 6"),
        ("LARGER 4294967295", ""),
        ("SMALLER 0", ""),
        ("SMALLER 4294967295", "1 2 3 4 5 6"),
        ("SMALLER 9223372036854775807", "1 2 3 4 5 6"),
        ("UID 2", "2"),
        ("UID 2,4", "2 4"),
        ("UID 4:2", "2 3 4"),
        ("UID *", "6"),
        ("UID *:5", "5 6"),
        ("UID 2,4:5,77", "2 4 5"),
        ("2", "2"),
        ("2,4", "2 4"),
        ("4:2", "2 3 4"),
        ("*", "6"),
        ("*:5", "5 6"),
        ("1,1,1:2", "1 2"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// `"NOT" SP search-key`, `"OR" SP search-key SP search-key`, `"(" search-key *(SP search-key) ")"`.
#[test]
fn keys_within_keys() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (key, expected) in [
        ("NOT 2", "1 3 4 5 6"),
        ("not (2 seen)", "1 2 3 4 5 6"),
        ("OR 1 2", "1 2"),
        ("OR NOT 1:5 OR 1 2", "1 2 6"),
        ("(1)", "1"),
        ("(1:3 (2:4 (3:5)))", "3"),
        ("ALL (SEEN) NOT (OR SUBJECT alpha DRAFT)", "6"),
    ] {
        finds(&mut c, key, expected);
    }
}

/// `["CHARSET" SP charset SP] search-key *(SP search-key)`. RFC 9051 §9: `charset = atom / quoted`.
#[test]
fn charset() {
    let server = Server::start();
    let mut c = prepared(&server);
    for charset in ["UTF-8", "utf-8", "\"UTF-8\"", "US-ASCII", "\"us-ascii\""] {
        finds(&mut c, &format!("CHARSET {charset} SUBJECT alpha"), "1");
    }
    finds(&mut c, "charset utf-8 (SUBJECT {5}\r\nalpha) SEEN", "1");
}

/// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`. RFC 9051: "all options specified
/// above MUST result in a single ESEARCH response if used by themselves or in combination"; §7.3.4: "any return item name
/// SHOULD appear only once in an ESEARCH response"; ALL: "Each set MUST be complete; in particular, a UID set is returned in
/// an ESEARCH response only when each number in the range corresponds to an existing (matching) message."
#[test]
fn result_options() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.ok("STORE 3 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    for options in [
        "",
        "MIN",
        "MAX",
        "ALL",
        "COUNT",
        "MIN MAX",
        "ALL COUNT",
        "ALL ALL COUNT ALL",
        "COUNT MIN COUNT",
        "SAVE MIN",
        "SAVE ALL",
        "MAX SAVE COUNT",
        "all count",
    ] {
        let tag = c.next_tag();
        let lines = c.ok(&format!("UID SEARCH RETURN ({options}) ALL"));
        assert_eq!(lines.len(), 1, "{options}: {lines:?}");
        let data = lines[0].strip_prefix(&format!("* ESEARCH (TAG \"{tag}\") UID "));
        let data = data.unwrap_or_else(|| panic!("{options}: {lines:?}"));
        let words: Vec<&str> = data.split(' ').collect();
        let mut got: Vec<&[&str]> = words.chunks(2).collect();
        got.sort();
        let asked = options.to_uppercase();
        let expected: Vec<[&str; 2]> = [
            ["ALL", "1:2,4:6"],
            ["COUNT", "5"],
            ["MAX", "6"],
            ["MIN", "1"],
        ]
        .into_iter()
        .filter(|[name, _]| asked.contains(name) || asked.is_empty() && *name == "ALL")
        .collect();
        assert_eq!(got, expected, "{options}");
    }
    c.check("SEARCH RETURN (SAVE) ALL", &[], "OK");
    // "Any options not defined by extensions that the server supports MUST be rejected with a BAD response."
    for options in ["NOSUCH", "MIN NOSUCH", "(MIN)", "MIN,MAX"] {
        c.bad(&format!("SEARCH RETURN ({options}) ALL"));
    }
}

#[test]
fn what_does_not_parse() {
    let server = Server::start();
    for keys in [
        &[
            "", " ALL", "ALL ", "ALL  ALL", "NOSUCH", "NOT", "NOT ", "OR SEEN", "OR SEEN ",
        ][..],
        &[
            "(SEEN", "SEEN)", "()", "( SEEN)", "(SEEN )", "(1)(2)", "ALL,SEEN", "UNRECENT",
        ],
        &[
            "BEFORE",
            "LARGER",
            "LARGER x",
            "LARGER -1",
            "SMALLER 1k",
            "SMALLER \"1\"",
            "FROM",
        ],
        &[
            "KEYWORD",
            "KEYWORD (x)",
            "KEYWORD \"x\"",
            "KEYWORD \\Seen",
            "UNKEYWORD",
        ],
        &[
            "HEADER", "HEADER x", "FROM (x)", "TEXT", "UID", "UID x", "UID 0", "7:x", "0", "1,",
        ],
        &[
            "CHARSET",
            "CHARSET UTF-8",
            "CHARSET UTF-8 ",
            "ALL CHARSET UTF-8",
            "CHARSET () ALL",
        ],
    ] {
        let mut c = server.selected("INBOX");
        for key in keys {
            c.bad_strictly(&format!("SEARCH {key}"));
        }
        c.check("NOOP", &[], "OK");
    }
}
