//! UID (RFC 3501 §6.4.8, RFC 9051 §6.4.9): UID COPY, MOVE, FETCH, STORE, EXPUNGE and SEARCH.

use super::select::validity;
use super::selected::only_where_selected;
use crate::harness::{Client, Server, message};

/// INBOX selected, with the UIDs 3, 5, 6 and 9 as messages 1 to 4; and an empty `box`.
fn gaps(server: &Server) -> Client {
    let mut c = server.client();
    for uid in 1..=9 {
        let flags = match uid {
            3 | 5 | 6 | 9 => "",
            _ => "(\\Deleted) ",
        };
        c.append("INBOX", flags, &message(&format!("m{uid}")));
    }
    c.ok("CREATE box");
    c.ok("SELECT INBOX");
    c.ok("EXPUNGE");
    c
}

/// RFC 3501 §9: `uid = "UID" SP (copy / fetch / search / store)`, and RFC 9051: `/ move / uid-expunge`.
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = gaps(&server);
    for command in [
        "UID FETCH 3 FLAGS",
        "uid fetch 3 flags",
        "UID STORE 3 +FLAGS (\\Seen)",
        "Uid Store 3 -flags.silent (\\Seen)",
        "UID COPY 3 box",
        "UID SEARCH ALL",
        "UID EXPUNGE 3",
        "UID MOVE 3 box",
    ] {
        c.ok(command);
    }
    for command in [
        "UID",
        "UID ",
        "UID 3",
        "UID NOOP",
        "UID CHECK",
        "UID CLOSE",
        "UID SELECT INBOX",
        "UID APPEND INBOX",
    ] {
        c.bad(command);
    }
    c.check("NOOP", &[], "OK");
    for command in [
        "UID UID FETCH 3 FLAGS",
        "UID  FETCH 3 FLAGS",
        "UIDFETCH 3 FLAGS",
        "UID FETCH",
        "UID FETCH 3",
        "UID FETCH 0 FLAGS",
        "UID FETCH 4294967296 FLAGS",
        "UID STORE 3",
        "UID COPY 3",
        "UID MOVE 3",
        "UID EXPUNGE",
        "UID SEARCH",
    ] {
        c.bad(command);
    }
    c.check("NOOP", &[], "OK");
}

#[test]
fn states() {
    let server = Server::start();
    for command in [
        "UID FETCH 1:* FLAGS",
        "UID STORE 1:* +FLAGS (\\Seen)",
        "UID COPY 1 INBOX",
        "UID MOVE * INBOX",
        "UID SEARCH ALL",
        "UID EXPUNGE 1:*",
    ] {
        only_where_selected(&server, command);
    }
}

/// "the numbers in the sequence-set argument are unique identifiers instead of message sequence numbers. Sequence-set
/// ranges are permitted, but there is no guarantee that unique identifiers will be contiguous." "a UID range of 559:*
/// always includes the UID of the last message in the mailbox, even if 559 is higher than any assigned UID value."
#[test]
fn sets() {
    let server = Server::start();
    let mut c = gaps(&server);
    for (set, uids) in [
        ("3", "3"),
        ("1:4", "3"),
        ("4:1", "3"),
        ("3,6", "3 6"),
        ("6,3,3:5", "3 5 6"),
        ("*", "9"),
        ("559:*", "9"),
        ("*:6", "6 9"),
        ("7:8", ""),
        ("1,2,4", ""),
        ("1:4294967295", "3 5 6 9"),
    ] {
        let lines = c.ok(&format!("UID FETCH {set} UID"));
        let got: Vec<&str> = lines
            .iter()
            .map(|line| line.split("UID ").nth(1).unwrap().trim_end_matches(')'))
            .collect();
        assert_eq!(got.join(" "), uids, "{set}");
        let found = format!("* SEARCH {uids}");
        c.check(&format!("UID SEARCH UID {set}"), &[found.trim_end()], "OK");
        c.ok(&format!("UID STORE {set} +FLAGS.SILENT (\\Flagged)"));
        c.check("UID SEARCH FLAGGED", &[found.trim_end()], "OK");
        c.ok("STORE 1:* FLAGS.SILENT ()");
    }
    // "unless the mailbox is empty".
    let mut c = server.selected("box");
    for command in [
        "UID FETCH 1:* UID",
        "UID FETCH * UID",
        "UID STORE 559:* +FLAGS (\\Seen)",
        "UID COPY 1:* INBOX",
        "UID MOVE 1:* INBOX",
        "UID EXPUNGE 1:*",
    ] {
        c.check(command, &[], "OK");
    }
    c.check("UID SEARCH UID 559:*", &["* SEARCH"], "OK");
}

/// "A non-existent unique identifier is ignored without any error message generated. Thus, it is possible for a UID FETCH
/// command to return an OK without any data or a UID COPY, UID MOVE, or UID STORE to return an OK without performing any
/// operations."
#[test]
fn uids_that_do_not_exist() {
    let server = Server::start();
    let mut c = gaps(&server);
    for set in ["1", "4,7:8", "10:4294967295"] {
        for arguments in [
            "FETCH # (FLAGS BODY[])",
            "STORE # +FLAGS (\\Deleted new)",
            "COPY # box",
            "MOVE # box",
            "EXPUNGE #",
        ] {
            let command = format!("UID {}", arguments.replace('#', set));
            // A keyword is made or not, where no message gets it.
            let lines = c.ok(&command);
            assert!(
                lines.iter().all(|line| line.contains("FLAGS (\\Answered")),
                "{command}: {lines:?}"
            );
        }
        c.check(&format!("UID SEARCH UID {set}"), &["* SEARCH"], "OK");
    }
    c.check("UID SEARCH ALL", &["* SEARCH 3 5 6 9"], "OK");
    c.check(
        "STATUS box (MESSAGES UIDNEXT)",
        &["* STATUS box (MESSAGES 0 UIDNEXT 1)"],
        "OK",
    );
    // Beside some that do.
    let target = validity(&server.client().ok("EXAMINE box"));
    c.check(
        "UID COPY 1:5 box",
        &[],
        &format!("OK [COPYUID {target} 3,5 1:2]"),
    );
}

/// "The number after the "*" in an untagged FETCH or EXPUNGE response is always a message sequence number, not a unique
/// identifier, even for a UID command response. However, server implementations MUST implicitly include the UID message
/// data item as part of any FETCH response caused by a UID command, regardless of whether a UID was specified as a
/// message data item to the FETCH."
#[test]
fn the_uid_is_told_and_the_number_is_the_number() {
    let server = Server::start();
    let mut c = gaps(&server);
    c.check(
        "UID FETCH 5 FLAGS",
        &["* 2 FETCH (UID 5 FLAGS (\\Recent))"],
        "OK",
    );
    c.check(
        "UID FETCH 5 (UID FLAGS)",
        &["* 2 FETCH (UID 5 FLAGS (\\Recent))"],
        "OK",
    );
    c.check(
        "UID FETCH 5:6 BODY.PEEK[TEXT]",
        &[
            "* 2 FETCH (UID 5 BODY[TEXT] {8}\r\nHello.\r\n)",
            "* 3 FETCH (UID 6 BODY[TEXT] {8}\r\nHello.\r\n)",
        ],
        "OK",
    );
    c.check(
        "UID FETCH 9 BODY[TEXT]",
        &["* 4 FETCH (UID 9 BODY[TEXT] {8}\r\nHello.\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "UID STORE 6 +FLAGS (\\Seen)",
        &["* 3 FETCH (UID 6 FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    for each in ["ALL", "FAST", "FULL"] {
        let lines = c.ok(&format!("UID FETCH 3 {each}"));
        assert!(
            lines.len() == 1 && lines[0].contains(" UID 3"),
            "{each}: {lines:?}"
        );
    }
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.check("UID EXPUNGE 5", &["* 2 EXPUNGE"], "OK");
    if server.either(false, true) {
        return; // Dovecot does not.
    }
    // "Although it is unlikely that the other UID commands will cause an untagged FETCH, this rule applies to these
    // commands as well." What another session stored is told with the UID, too.
    let mut other = server.selected("INBOX");
    for (at, command) in [
        "UID SEARCH UID 3",
        "UID COPY 3 box",
        "UID FETCH 3 UID",
        "UID EXPUNGE 3",
    ]
    .into_iter()
    .enumerate()
    {
        other.ok(&format!("UID STORE 9 FLAGS.SILENT (k{at})"));
        let lines = c.ok(command);
        let news = lines.iter().find(|line| {
            line.contains(&format!("(k{at})")) || line.contains(&format!("\\Recent k{at})"))
        });
        let news = news.filter(|line| line.contains("FETCH"));
        assert!(
            news.is_some_and(|line| line.contains("UID 9")),
            "{command}: {lines:?}"
        );
    }
}

/// "the numbers returned in an ESEARCH response for a UID SEARCH command are unique identifiers instead of message sequence
/// numbers. Also, the corresponding ESEARCH response MUST include the UID indicator." "For example, the command UID
/// SEARCH 1:100 UID 443:557 returns the unique identifiers corresponding to the intersection of two sequence sets, the
/// message sequence number range 1:100, and the UID range 443:557."
#[test]
fn uid_search() {
    let server = Server::start();
    let mut c = gaps(&server);
    c.check("UID SEARCH 1:3 UID 4:9", &["* SEARCH 5 6"], "OK");
    c.check("SEARCH 1:3 UID 4:9", &["* SEARCH 2 3"], "OK");
    c.check("UID SEARCH 4", &["* SEARCH 9"], "OK");
    for (options, expected) in [
        ("RETURN ()", "UID ALL 3,5:6,9"),
        ("RETURN (MIN)", "UID MIN 3"),
        ("RETURN (MAX)", "UID MAX 9"),
        ("RETURN (COUNT)", "UID COUNT 4"),
    ] {
        let line = format!("* ESEARCH (TAG \"{}\") {expected}", c.next_tag());
        c.check(&format!("UID SEARCH {options} 1:*"), &[&line], "OK");
    }
    if server.either(true, false) {
        c.ok("ENABLE IMAP4rev2");
        let line = format!("* ESEARCH (TAG \"{}\") UID ALL 3,5:6,9", c.next_tag());
        c.check("UID SEARCH ALL", &[&line], "OK");
        let line = format!("* ESEARCH (TAG \"{}\") UID", c.next_tag());
        c.check("UID SEARCH UID 7", &[&line], "OK");
    }
}
