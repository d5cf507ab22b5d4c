//! PARTIAL (RFC 9394; RFC 5267 §4.4 before it): some of the results of SEARCH, SORT and FETCH by their positions.

use std::sync::Arc;

use super::rfc4731::esearch;
use crate::harness::{Client, Maildir, Server, message};

/// Nine messages, of which all but 4 and 5 are flagged; UIDs are higher by one.
fn prepared(server: &Server) -> Client {
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("gone"));
    for number in 1..=9 {
        let flags = match number {
            4 | 5 => "",
            _ => "(\\Flagged) ",
        };
        c.append("INBOX", flags, &message(&format!("number{number}")));
    }
    c.ok("SELECT INBOX");
    c.ok("EXPUNGE");
    c
}

#[test]
fn results_by_their_positions() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (range, expected) in [
        // "The first result (message with the lowest matching Unique Identifier (UID)) is 1".
        ("1:3", "1:3"),
        ("2:5", "2:3,6:7"),
        ("4:4", "6"),
        // "the server returns the results that are in the set", with "the original range".
        ("6:100", "8:9"),
        ("1:4294967295", "1:3,6:9"),
        // "If the whole range references results that do not exist, a special value "NIL" is returned".
        ("8:9", "NIL"),
        ("4294967295:4294967295", "NIL"),
    ] {
        esearch(
            &mut c,
            &format!("SEARCH RETURN (PARTIAL {range}) FLAGGED"),
            &format!(" PARTIAL ({range} {expected})"),
        );
    }
    esearch(
        &mut c,
        "UID SEARCH RETURN (partial 3:4) FLAGGED",
        " UID PARTIAL (3:4 4,7)",
    );
    esearch(
        &mut c,
        "SEARCH RETURN (PARTIAL 1:5) DRAFT",
        " PARTIAL (1:5 NIL)",
    );
    // "A range 500:400 is the same as 400:500." Dovecot repeats the one for the other.
    let line = server.either(" PARTIAL (3:2 2:3)", " PARTIAL (2:3 2:3)");
    esearch(&mut c, "SEARCH RETURN (PARTIAL 3:2) FLAGGED", line);
    for options in [
        "PARTIAL",
        "PARTIAL 1",
        "PARTIAL 1:",
        "PARTIAL :1",
        "PARTIAL 0:1",
        "PARTIAL 1:0",
        "PARTIAL 1:*",
        "PARTIAL *",
        "PARTIAL 1,2",
        "PARTIAL (1:2)",
        "PARTIAL 1:-1",
        "PARTIAL -1:1",
        "PARTIAL -1",
        "PARTIAL --1:-2",
        "PARTIAL 4294967296:1",
        // "either one PARTIAL, one ALL, or neither PARTIAL nor ALL is allowed".
        "PARTIAL 1:2 PARTIAL 3:4",
        "PARTIAL 1:2 ALL",
        "ALL PARTIAL 1:2",
    ] {
        c.bad_strictly(&format!("SEARCH RETURN ({options}) ALL"));
        c.bad_strictly(&format!("UID SEARCH RETURN (COUNT {options} SAVE) ALL"));
        c.ok("NOOP");
    }
}

/// "This can be done by prepending "-" to the index. For example, -1 is the last message, -2 is next to the last, and
/// so on."
#[test]
fn results_from_the_last() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = prepared(&server);
    for (range, expected) in [
        ("-1:-1", "9"),
        ("-1:-3", "7:9"),
        // "A range -500:-400 is the same as -400:-500."
        ("-5:-2", "3,6:8"),
        ("-2:-5", "3,6:8"),
        ("-6:-100", "1:2"),
        ("-8:-9", "NIL"),
    ] {
        esearch(
            &mut c,
            &format!("SEARCH RETURN (PARTIAL {range}) FLAGGED"),
            &format!(" PARTIAL ({range} {expected})"),
        );
    }
    esearch(
        &mut c,
        "UID SEARCH RETURN (PARTIAL -1:-3) BODY Hello",
        " UID PARTIAL (-1:-3 8:10)",
    );
}

/// Positions of SORT's results are those of its order.
#[test]
fn of_sort_in_its_order() {
    let server = Server::start();
    let mut c = prepared(&server);
    esearch(
        &mut c,
        "SORT RETURN (PARTIAL 2:4 COUNT) (REVERSE SUBJECT) UTF-8 ALL",
        server.either(
            " COUNT 9 PARTIAL (2:4 8,7,6)",
            " PARTIAL (2:4 8,7,6) COUNT 9",
        ),
    );
    esearch(
        &mut c,
        "UID SORT RETURN (PARTIAL 9:12) (REVERSE SUBJECT) UTF-8 ALL",
        " UID PARTIAL (9:12 2)",
    );
    if server.either(true, false) {
        esearch(
            &mut c,
            "SORT RETURN (PARTIAL -1:-3) (REVERSE SUBJECT) UTF-8 ALL",
            " PARTIAL (-1:-3 3,2,1)",
        );
    }
}

/// Table 1 of §3.2. "The SAVE result option doesn't change whether the server would return items corresponding to
/// PARTIAL SEARCH result options."
#[test]
fn beside_the_other_options() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (options, items, saved) in [
        ("SAVE PARTIAL 2:3", vec!["PARTIAL (2:3 2:3)"], "2 3"),
        (
            "PARTIAL 2:3 SAVE MIN",
            vec!["MIN 1", "PARTIAL (2:3 2:3)"],
            "1 2 3",
        ),
        (
            "SAVE MAX PARTIAL 2:3",
            vec!["MAX 9", "PARTIAL (2:3 2:3)"],
            "2 3 9",
        ),
        (
            "SAVE PARTIAL 4:4 MIN MAX",
            vec!["MIN 1", "MAX 9", "PARTIAL (4:4 6)"],
            "1 6 9",
        ),
        (
            "SAVE PARTIAL 2:3 COUNT",
            vec!["COUNT 7", "PARTIAL (2:3 2:3)"],
            "1 2 3 6 7 8 9",
        ),
        (
            "SAVE PARTIAL 2:3 COUNT MIN MAX",
            vec!["MIN 1", "MAX 9", "COUNT 7", "PARTIAL (2:3 2:3)"],
            "1 2 3 6 7 8 9",
        ),
        ("SAVE PARTIAL 8:9", vec!["PARTIAL (8:9 NIL)"], ""),
        (
            "SAVE PARTIAL 8:9 MAX",
            vec!["MAX 9", "PARTIAL (8:9 NIL)"],
            "9",
        ),
        ("SAVE PARTIAL -1:-2", vec!["PARTIAL (-1:-2 8:9)"], "8 9"),
        (
            "SAVE PARTIAL -1:-2 MIN",
            vec!["MIN 1", "PARTIAL (-1:-2 8:9)"],
            "1 8 9",
        ),
        (
            "SAVE PARTIAL -2:-2 MAX",
            vec!["MAX 9", "PARTIAL (-2:-2 8)"],
            "8 9",
        ),
    ] {
        if options.contains('-') && server.either(false, true) {
            continue;
        }
        for key in ["FLAGGED", "FLAGGED BODY Hello"] {
            let tag = c.next_tag();
            let lines = c.ok(&format!("SEARCH RETURN ({options}) {key}"));
            let [line] = &lines[..] else {
                panic!("{options}: {lines:?}");
            };
            let start = format!("* ESEARCH (TAG \"{tag}\") ");
            let mut rest = line.strip_prefix(&start).unwrap().to_owned() + " ";
            // In any order (RFC 4466 §2.6.2).
            for item in &items {
                assert!(rest.contains(item), "{options}: {line}");
                rest = rest.replace(&format!("{item} "), "");
            }
            assert_eq!(rest, "", "{options}: {line}");
            let found = c.ok("SEARCH $");
            assert_eq!(found[0].trim_end(), format!("* SEARCH {saved}").trim_end());
        }
    }
}

/// Where the results asked for are enough, no more is looked for; that makes no difference to them.
#[test]
fn in_a_large_mailbox() {
    let maildir = Arc::new(Maildir::new());
    for number in 1..=2000 {
        let word = if number % 10 == 0 { "needle" } else { "straw" };
        let name = format!("{}.M{number:06}P1.host:2,", 1_600_000_000 + number);
        let text = format!("Subject: {number}\n\n{word}\n");
        maildir.place("INBOX", "cur", &name, text.as_bytes());
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    for (range, expected) in [
        ("1:2", "10,20"),
        ("60:62", "600,610,620"),
        ("199:300", "1990,2000"),
        ("200:1", ""),
        ("201:300", "NIL"),
        ("-1:-2", "1990,2000"),
        ("-62:-60", "1390,1400,1410"),
        ("-199:-300", "10,20"),
        ("-201:-300", "NIL"),
    ] {
        if (range.contains('-') || expected.is_empty()) && server.either(false, true) {
            continue;
        }
        let all = (1..=200).map(|n| (n * 10).to_string()).collect::<Vec<_>>();
        let expected = match expected {
            "" => all.join(","),
            some => some.to_owned(),
        };
        esearch(
            &mut c,
            &format!("SEARCH RETURN (PARTIAL {range}) BODY needle"),
            &format!(" PARTIAL ({range} {expected})"),
        );
    }
}

/// "The presence of the PARTIAL FETCH modifier instructs the server to only return FETCH results for messages in the
/// specified range." Dovecot 2.3 does not have it.
#[test]
fn fetch() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = prepared(&server);
    c.ok("STORE 5 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let uids = |numbers: &[u32]| {
        let line = |number: &u32| {
            let uid = if *number < 5 { number + 1 } else { number + 2 };
            format!("* {number} FETCH (UID {uid})")
        };
        numbers.iter().map(line).collect::<Vec<_>>()
    };
    for (command, expected) in [
        ("UID FETCH 3:9 (UID) (PARTIAL -1:-3)", &[5, 6, 7][..]),
        ("UID FETCH 3:9 (UID) (PARTIAL 1:5)", &[2, 3, 4, 5, 6]),
        ("UID FETCH 3:9 UID (partial 5:1)", &[2, 3, 4, 5, 6]),
        ("UID FETCH 1:* (UID) (PARTIAL -2:-2)", &[7]),
        ("UID FETCH 1:* (UID) (PARTIAL 7:20)", &[7, 8]),
        ("UID FETCH 1:* (UID) (PARTIAL 9:20)", &[]),
        ("UID FETCH 50:60 (UID) (PARTIAL 1:20)", &[]),
        ("FETCH 2:8 (UID) (PARTIAL 2:3)", &[3, 4]),
        ("FETCH 2:8 UID (PARTIAL -2:-1)", &[7, 8]),
    ] {
        let expected = uids(expected);
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        c.check(command, &expected, "OK");
    }
    // Nothing is done to the others.
    c.ok("UID FETCH 1:* BODY[] (PARTIAL -1:-1)");
    c.check("SEARCH SEEN", &["* SEARCH 8"], "OK");
    c.ok("SEARCH RETURN (SAVE) 2:4");
    c.check(
        "UID FETCH $ (UID) (PARTIAL -1:-1)",
        &["* 4 FETCH (UID 5)"],
        "OK",
    );
    for modifiers in [
        "()",
        "(PARTIAL)",
        "(PARTIAL 1)",
        "(PARTIAL 1:-1)",
        "(PARTIAL 0:1)",
        "(PARTIAL 1:*)",
        "(PARTIAL 1:2 PARTIAL 3:4)",
        "(PARTIAL 1:2",
        "(NOSUCH)",
        "PARTIAL 1:2",
        "(PARTIAL 1:2) (PARTIAL 1:2)",
    ] {
        c.bad_strictly(&format!("UID FETCH 1:* (UID) {modifiers}"));
    }
    c.bad("FETCH 9 (UID) (PARTIAL 1:1)");
}
