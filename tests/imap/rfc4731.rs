//! ESEARCH (RFC 4731, RFC 9051 §6.4.4 and §7.3.4): SEARCH with RETURN.

use crate::harness::{Client, Server};

/// Twelve messages, of which 2, 10 and 11 are flagged; UIDs are higher by one.
fn prepared(server: &Server) -> Client {
    let mut c = server.client();
    for number in 0..=12 {
        let flags = match number {
            2 | 10 | 11 => "(\\Flagged) ",
            _ => "",
        };
        let from = if number == 11 { "Smith" } else { "Jones" };
        let text =
            format!("From: {from} <x@example.org>\r\nSubject: {number}\r\n\r\nbody {number}\r\n");
        c.append("INBOX", flags, &text);
    }
    c.ok("SELECT INBOX");
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    c
}

/// Runs a SEARCH that must be answered by one ESEARCH response, whose data is given.
#[track_caller]
pub fn esearch(c: &mut Client, command: &str, expected: &str) {
    let tag = c.next_tag();
    c.check(
        command,
        &[&format!("* ESEARCH (TAG \"{tag}\"){expected}")],
        "OK",
    );
}

/// The examples of §3.1, on fewer messages.
#[test]
fn what_is_asked_for_is_returned() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (command, expected) in [
        (
            "SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
            " MIN 2 COUNT 2",
        ),
        // "If the list of result options is empty, that requests the server to return an ESEARCH response
        // instead of the SEARCH response. This is equivalent to (ALL)."
        ("SEARCH RETURN () FLAGGED", " ALL 2,10:11"),
        ("SEARCH RETURN (ALL) FLAGGED", " ALL 2,10:11"),
        ("SEARCH RETURN (MIN) FLAGGED", " MIN 2"),
        ("SEARCH RETURN (MAX) FLAGGED", " MAX 11"),
        ("search return (min max) flagged", " MIN 2 MAX 11"),
        ("SEARCH RETURN (MIN MAX) 7", " MIN 7 MAX 7"),
        ("SEARCH RETURN (COUNT) FLAGGED", " COUNT 3"),
        (
            "SEARCH RETURN (MIN MAX ALL) FLAGGED",
            " MIN 2 MAX 11 ALL 2,10:11",
        ),
        ("SEARCH RETURN (MAX MAX MAX) FLAGGED", " MAX 11"),
        (
            "SEARCH RETURN (MIN) CHARSET UTF-8 TEXT {4}\r\nbody",
            " MIN 1",
        ),
        ("SEARCH RETURN (MAX) BODY \"body 1\"", " MAX 12"),
        ("SEARCH RETURN (MIN MAX) BODY \"body 1\"", " MIN 1 MAX 12"),
        ("SEARCH RETURN (MIN) OR BODY \"body 5\" 7", " MIN 5"),
        ("SEARCH RETURN (MAX) OR BODY \"body 5\" 3", " MAX 5"),
        (
            "SEARCH RETURN (MAX MIN) OR BODY \"body 5\" 3",
            " MIN 3 MAX 5",
        ),
    ] {
        esearch(&mut c, command, expected);
    }
}

/// "An extended UID SEARCH command MUST cause an ESEARCH response with the UID indicator present."
#[test]
fn uid_search_says_so() {
    let server = Server::start();
    let mut c = prepared(&server);
    esearch(
        &mut c,
        "UID SEARCH RETURN (MIN MAX) 1:12",
        " UID MIN 2 MAX 13",
    );
    esearch(&mut c, "UID SEARCH RETURN () FLAGGED", " UID ALL 3,11:12");
    esearch(&mut c, "UID SEARCH RETURN (COUNT) FLAGGED", " UID COUNT 3");
    esearch(&mut c, "UID SEARCH RETURN (MIN) UID 99", " UID");
}

/// "If the SEARCH results in no matches, the server MUST NOT include the MIN result option in the ESEARCH
/// response; however, it still MUST send the ESEARCH response"; likewise MAX and ALL. COUNT "MUST always be
/// included in the ESEARCH response".
#[test]
fn nothing_found() {
    let server = Server::start();
    let mut c = prepared(&server);
    for (options, expected) in [
        ("MIN", ""),
        ("MAX", ""),
        ("MIN MAX", ""),
        ("ALL", ""),
        ("", ""),
        ("COUNT", " COUNT 0"),
        ("MIN MAX ALL COUNT", " COUNT 0"),
    ] {
        for key in ["DRAFT", "BODY nowhere", "BODY nowhere DRAFT"] {
            esearch(
                &mut c,
                &format!("SEARCH RETURN ({options}) {key}"),
                expected,
            );
        }
    }
}

#[test]
fn all_four_in_any_order() {
    let server = Server::start();
    let mut c = prepared(&server);
    let tag = c.next_tag();
    let lines = c.ok("SEARCH RETURN (COUNT ALL MAX MIN) FLAGGED");
    let [line] = &lines[..] else {
        panic!("one response was expected: {lines:?}");
    };
    let data = line
        .strip_prefix(&format!("* ESEARCH (TAG \"{tag}\") "))
        .unwrap();
    // "Search data pairs may be returned in any order" (RFC 4466 §2.6.2).
    let words: Vec<&str> = data.split(' ').collect();
    let mut pairs: Vec<_> = words.chunks(2).map(|pair| pair.join(" ")).collect();
    pairs.sort();
    assert_eq!(pairs, ["ALL 2,10:11", "COUNT 3", "MAX 11", "MIN 2"]);
}

#[test]
fn without_return_the_answer_is_a_search_response() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.check("SEARCH FLAGGED", &["* SEARCH 2 10 11"], "OK");
    c.check("UID SEARCH FLAGGED", &["* SEARCH 3 11 12"], "OK");
}

#[test]
fn an_empty_mailbox() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    esearch(&mut c, "SEARCH RETURN (MIN MAX ALL COUNT) ALL", " COUNT 0");
    esearch(&mut c, "UID SEARCH RETURN (MIN MAX) 1:*", " UID");
}

#[test]
fn what_cannot_be() {
    let server = Server::start();
    let mut c = prepared(&server);
    for arguments in [
        "RETURN",
        "RETURN ALL",
        "RETURN (MIN)",
        "RETURN (LEAST) ALL",
        "RETURN (MIN, MAX) ALL",
        "RETURN (MIN ALL",
        "RETURN ( MIN) ALL",
        "CHARSET UTF-8 RETURN (MIN) ALL",
        "RETURN (MIN) RETURN (MAX) ALL",
    ] {
        c.bad_strictly(&format!("SEARCH {arguments}"));
    }
    c.check("NOOP", &[], "OK");
}
