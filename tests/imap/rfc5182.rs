//! SEARCHRES (RFC 5182, RFC 9051 §6.4.4.1): what a SEARCH saved, named by `$`.

use super::rfc4731::esearch;
use crate::harness::{Client, Server, message};

/// Six messages, of which 2, 4 and 5 are flagged; UIDs are higher by ten.
fn prepared(server: &Server) -> Client {
    let mut c = server.client();
    for _ in 0..10 {
        c.append("INBOX", "(\\Deleted) ", &message("gone"));
    }
    for number in 1..=6 {
        let flags = match number {
            2 | 4 | 5 => "(\\Flagged) ",
            _ => "",
        };
        c.append("INBOX", flags, &message(&format!("number{number}")));
    }
    c.ok("CREATE other");
    c.ok("SELECT INBOX");
    c.ok("EXPUNGE");
    c
}

/// What `$` holds now, as sequence numbers.
#[track_caller]
fn holds(c: &mut Client, expected: &str) {
    let expected = format!("* SEARCH{expected}");
    c.check("SEARCH $", &[&expected], "OK");
    c.check("SEARCH UID $", &[&expected], "OK");
}

/// Examples 1 to 4 and 6 of §2.2.
#[test]
fn found_once_and_named_again() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.check(
        "SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        &[],
        "OK",
    );
    c.check(
        "FETCH $ (UID)",
        &[
            "* 2 FETCH (UID 12)",
            "* 4 FETCH (UID 14)",
            "* 5 FETCH (UID 15)",
        ],
        "OK",
    );
    c.check(
        "UID SEARCH UID $ SMALLER 4096",
        &["* SEARCH 12 14 15"],
        "OK",
    );
    c.check("UID SEARCH $ SMALLER 4096", &["* SEARCH 12 14 15"], "OK");
    c.check(
        "SEARCH CHARSET UTF-8 (OR $ 1,6) TEXT {5}\r\nHello",
        &["* SEARCH 1 2 4 5 6"],
        "OK",
    );
    c.check("SEARCH NOT $", &["* SEARCH 1 3 6"], "OK");
    // "it is not an error to use the "$" marker when it contains no messages"
    c.check("SEARCH RETURN (SAVE) FROM nobody", &[], "OK");
    c.check("COPY $ other", &[], "OK");
    holds(&mut c, "");
    c.check("SEARCH NOT $", &["* SEARCH 1 2 3 4 5 6"], "OK");
}

/// "the "$" marker can be set as a result of a SEARCH (SAVE) command and used as a parameter to a UID FETCH
/// command […], or the "$" marker can be set as a result of a UID SEARCH (SAVE) command and used as a
/// parameter to a FETCH command".
#[test]
fn in_every_command_that_takes_a_set() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.check("UID SEARCH RETURN (SAVE) 2", &[], "OK");
    c.check(
        "FETCH $ FLAGS",
        &["* 2 FETCH (FLAGS (\\Flagged \\Recent))"],
        "OK",
    );
    c.check("SEARCH RETURN (SAVE) UID 12", &[], "OK");
    c.check(
        "UID FETCH $ FLAGS",
        &["* 2 FETCH (UID 12 FLAGS (\\Flagged \\Recent))"],
        "OK",
    );
    c.check(
        "STORE $ +FLAGS (\\Seen)",
        &["* 2 FETCH (FLAGS (\\Flagged \\Seen \\Recent))"],
        "OK",
    );
    c.check("UID STORE $ +FLAGS.SILENT (\\Answered)", &[], "OK");
    let outcome = c.outcome("COPY $ other");
    assert!(outcome.ends_with(" 12 1]"), "{outcome}");
    let outcome = c.outcome("UID COPY $ other");
    assert!(outcome.ends_with(" 12 2]"), "{outcome}");
    let mut lines = c.ok("MOVE $ other");
    lines.retain(|line| !line.ends_with(" RECENT"));
    assert!(lines[0].ends_with(" 12 3]"), "{lines:?}");
    assert_eq!(lines[1..], ["* 2 EXPUNGE"]);
    // What was moved is there no more.
    c.check("UID MOVE $ other", &[], "OK");

    c.ok("SEARCH RETURN (SAVE) 4");
    c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.check("UID EXPUNGE $", &["* 4 EXPUNGE"], "OK");
    // An empty `$` is an empty set, not all that is \Deleted.
    c.check("UID EXPUNGE $", &[], "OK");
    c.check(
        "STATUS other (MESSAGES)",
        &["* STATUS other (MESSAGES 3)"],
        "OK",
    );
}

/// Example 7 of §2.3: "a server MUST execute the two commands in the order they were received".
#[test]
fn pipelined() {
    let server = Server::start();
    let mut c = prepared(&server);
    let mut send = |commands: &[(&str, &str)], found: &[&str]| {
        for (tag, command) in commands {
            c.send(format!("{tag} {command}\r\n").as_bytes());
        }
        let mut heard = Vec::new();
        for (tag, _) in commands {
            let reply = c.until_tagged(tag);
            assert!(reply.tagged.starts_with("OK"), "{reply:?}");
            heard.extend(reply.plain());
        }
        assert_eq!(heard, found);
    };
    let search = ("F282", "SEARCH RETURN (SAVE) FLAGGED");
    send(&[search, ("F283", "COPY $ other")], &[]);
    let store = ("F284", "STORE $ +FLAGS.Silent (\\Deleted)");
    send(&[store, ("F285", "SEARCH DELETED")], &["* SEARCH 2 4 5"]);
    c.check(
        "STATUS other (MESSAGES)",
        &["* STATUS other (MESSAGES 3)"],
        "OK",
    );
}

/// Example 10 of §2.4 and its table.
#[test]
fn beside_the_other_options() {
    let server = Server::start();
    let mut c = prepared(&server);
    esearch(&mut c, "SEARCH RETURN (ALL) FLAGGED", " ALL 2,4:5");
    holds(&mut c, "");
    esearch(&mut c, "SEARCH RETURN (ALL SAVE) FLAGGED", " ALL 2,4:5");
    holds(&mut c, " 2 4 5");
    esearch(&mut c, "SEARCH RETURN (SAVE MIN) FLAGGED", " MIN 2");
    holds(&mut c, " 2");
    esearch(&mut c, "SEARCH RETURN (SAVE MAX) FLAGGED", " MAX 5");
    holds(&mut c, " 5");
    esearch(
        &mut c,
        "SEARCH RETURN (MAX SAVE MIN) FLAGGED",
        " MIN 2 MAX 5",
    );
    holds(&mut c, " 2 5");
    esearch(
        &mut c,
        "SEARCH RETURN (MAX SAVE MIN COUNT) FLAGGED",
        " MIN 2 MAX 5 COUNT 3",
    );
    holds(&mut c, " 2 4 5");
    esearch(
        &mut c,
        "SEARCH RETURN (ALL SAVE MIN) UNFLAGGED",
        " MIN 1 ALL 1,3,6",
    );
    holds(&mut c, " 1 3 6");
    esearch(&mut c, "SEARCH RETURN (COUNT SAVE) FLAGGED", " COUNT 3");
    holds(&mut c, " 2 4 5");
    esearch(&mut c, "SEARCH RETURN (MIN SAVE) DRAFT", "");
    holds(&mut c, "");
}

/// "Any of the following SEARCH commands MUST NOT change the search result variable" (§2.1), and the one that
/// empties it (Example 5).
#[test]
fn what_changes_it_and_what_does_not() {
    let server = Server::start();
    let mut c = prepared(&server);
    c.ok("SEARCH RETURN (SAVE) FLAGGED");
    // "a SEARCH command that caused the server to return the BAD tagged response"
    c.bad("SEARCH RETURN (SAVE) NOSUCH");
    holds(&mut c, " 2 4 5");
    // "a SEARCH command with no SAVE result option that caused the server to return NO tagged response"
    c.no("SEARCH CHARSET X-NONE TEXT x");
    c.no("SEARCH RETURN (ALL) CHARSET X-NONE TEXT x");
    holds(&mut c, " 2 4 5");
    // "a successful SEARCH command with no SAVE result option"
    c.ok("SEARCH 1");
    c.ok("SEARCH RETURN (MIN) 1");
    holds(&mut c, " 2 4 5");
    // "A SEARCH command with the SAVE result option that caused the server to return the NO tagged response
    // sets the value of the search result variable to the empty sequence."
    c.no("SEARCH RETURN (SAVE) CHARSET X-NONE (OR $ 1,3) TEXT x");
    holds(&mut c, "");
}

/// "Upon successful completion of a SELECT or an EXAMINE command […], the current search result variable is
/// reset to the empty sequence."
#[test]
fn selecting_empties_it() {
    let server = Server::start();
    let mut c = prepared(&server);
    for command in ["SELECT INBOX", "EXAMINE INBOX"] {
        c.ok("SEARCH RETURN (SAVE) ALL");
        c.ok(command);
        holds(&mut c, "");
        c.check("FETCH $ FLAGS", &[], "OK");
    }
    c.ok("UNSELECT");
    c.bad("FETCH $ FLAGS");
}

/// "When a message listed in the search result variable is EXPUNGEd, it is automatically removed from the list." "if the
/// server stores the list as a list of message numbers, it MUST automatically adjust them when notifying the client about
/// expunged messages".
#[test]
fn expunges_take_messages_out_of_it() {
    let server = Server::start();
    let mut c = prepared(&server);
    let mut other = server.selected("INBOX");
    c.ok("SEARCH RETURN (SAVE) FLAGGED");
    other.ok("STORE 1,4 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let mut lines = c.ok("NOOP");
    lines.retain(|line| line.ends_with("EXPUNGE"));
    assert_eq!(lines, ["* 4 EXPUNGE", "* 1 EXPUNGE"]);
    holds(&mut c, " 1 3");
    c.check("UID SEARCH $", &["* SEARCH 12 15"], "OK");
    c.check(
        "FETCH $ UID",
        &["* 1 FETCH (UID 12)", "* 3 FETCH (UID 15)"],
        "OK",
    );
}

/// §3, by the rule for sets, which calls itself: `$` may be the last of several, and nothing else. Dovecot has it
/// alone only.
#[test]
fn with_numbers_it_comes_last() {
    let server = Server::start();
    let mut c = prepared(&server);
    for command in [
        "FETCH $,1 FLAGS",
        "FETCH 1:$ FLAGS",
        "FETCH $$ FLAGS",
        "SEARCH $:2",
        "SEARCH 1,$,2",
    ] {
        c.bad_strictly(command);
    }
    if server.either(false, true) {
        return;
    }
    c.ok("SEARCH RETURN (SAVE) FLAGGED");
    holds(&mut c, " 2 4 5");
    c.check("SEARCH 1,4,$", &["* SEARCH 1 2 4 5"], "OK");
    c.check("UID SEARCH UID 12,$", &["* SEARCH 12 14 15"], "OK");
    let uids = [
        "* 1 FETCH (UID 11)",
        "* 2 FETCH (UID 12)",
        "* 4 FETCH (UID 14)",
        "* 5 FETCH (UID 15)",
    ];
    c.check("FETCH 4,1,$ UID", &uids, "OK");
    c.check("UID FETCH 11,14,$ UID", &uids, "OK");
    c.bad("FETCH 9,$ UID");
}
