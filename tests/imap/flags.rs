//! Flags (RFC 3501 §2.3.2, RFC 9051 §2.3.2), and the FLAGS response and PERMANENTFLAGS code (RFC 3501 §7.1, §7.2.6).

use std::sync::Arc;

use crate::harness::{Client, Maildir, Server, message};

const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// RFC 9051: "These keywords SHOULD be supported (allowed in SEARCH and allowed and preserved in APPEND, COPY, and MOVE
/// commands) by server implementations".
const KEYWORDS: [&str; 5] = ["$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing"];

/// The flags of message 1 without `\Recent`, in order.
#[track_caller]
fn flags(c: &mut Client) -> Vec<String> {
    let line = c.ok("FETCH 1 FLAGS").remove(0);
    let list = line.split("FLAGS (").nth(1).unwrap();
    let mut flags: Vec<String> = list
        .trim_end_matches(')')
        .split_whitespace()
        .filter(|flag| *flag != "\\Recent")
        .map(str::to_owned)
        .collect();
    flags.sort();
    flags
}

/// "A flag is set by its addition to this list and is cleared by its removal." "Permanent flags are those that the client
/// can add or remove from the message flags permanently; that is, concurrent and subsequent sessions will see any change
/// in permanent flags."
#[test]
fn each_flag_is_permanent() {
    let server = Server::start();
    let maildir = server.maildir.clone();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let mut concurrent = server.selected("INBOX");
    let mut expected = Vec::new();
    for flag in SYSTEM.into_iter().chain(KEYWORDS).chain(["Custom"]) {
        c.ok(&format!("STORE 1 +FLAGS ({flag})"));
        expected.push(flag.to_owned());
        expected.sort();
        assert_eq!(flags(&mut c), expected);
        concurrent.ok("NOOP");
        assert_eq!(flags(&mut concurrent), expected, "a concurrent session");
    }
    assert_eq!(flags(&mut server.selected("INBOX")), expected);
    drop((c, concurrent));
    server.stop();
    maildir.forget_caches();
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    assert_eq!(flags(&mut c), expected, "a subsequent session");
    for flag in SYSTEM.into_iter().chain(KEYWORDS).chain(["Custom"]) {
        c.ok(&format!("STORE 1 -FLAGS ({flag})"));
        expected.retain(|kept| kept != flag);
        assert_eq!(flags(&mut c), expected);
    }
}

#[test]
fn the_common_keywords() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    let all = KEYWORDS.join(" ");
    c.append("INBOX", &format!("({all}) "), &message("one"));
    c.ok("SELECT INBOX");
    let mut expected: Vec<String> = KEYWORDS.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(flags(&mut c), expected);
    c.ok("COPY 1 box");
    assert_eq!(flags(&mut server.selected("box")), expected);
    for keyword in KEYWORDS {
        c.check(&format!("SEARCH KEYWORD {keyword}"), &["* SEARCH 1"], "OK");
        c.check(&format!("SEARCH UNKEYWORD {keyword}"), &["* SEARCH"], "OK");
    }
    c.ok("MOVE 1 box");
    let mut c = server.selected("box");
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    assert_eq!(flags(&mut c), expected, "what was moved");
}

/// RFC 3501: `\Recent`: "This session is the first session to have been notified about this message; if the session is
/// read-write, subsequent sessions will not see \Recent set for this message. This flag can not be altered by the client."
#[test]
fn recent() {
    let maildir = Arc::new(Maildir::new());
    maildir.deliver("INBOX", &message("one"));
    let server = Server::on(&maildir);
    // Read-only sessions see it, and take it from nobody.
    for _ in 0..2 {
        let mut c = server.client();
        assert!(c.ok("EXAMINE INBOX").contains(&"* 1 RECENT".to_owned()));
        c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
        c.check("SEARCH RECENT", &["* SEARCH 1"], "OK");
    }
    let mut c = server.client();
    assert!(c.ok("SELECT INBOX").contains(&"* 1 RECENT".to_owned()));
    let mut later = server.client();
    assert!(later.ok("SELECT INBOX").contains(&"* 0 RECENT".to_owned()));
    later.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"], "OK");
    later.check("SEARCH RECENT", &["* SEARCH"], "OK");
    // "\Recent can not be used as an argument in a STORE or APPEND command, and thus can not be changed at all."
    for command in [
        "STORE 1 +FLAGS (\\Recent)",
        "STORE 1 -FLAGS (\\Recent)",
        "STORE 1 FLAGS (\\Seen \\Recent)",
    ] {
        c.bad(command);
    }
    if server.either(true, false) {
        // Dovecot takes the literal for commands.
        c.bad("APPEND INBOX (\\Recent) {17+}\r\nSubject: x\r\n\r\nx\r\n");
    }
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    // FLAGS replaces "the flags for the message (other than \Recent)".
    c.check(
        "STORE 1 FLAGS (\\Seen)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check("STORE 1 FLAGS ()", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
}

/// RFC 3501 §7.2.6: "The flag parenthesized list identifies the flags (at a minimum, the system-defined flags) that are
/// applicable for this mailbox." §7.1, PERMANENTFLAGS: "indicates which of the known flags the client can change
/// permanently. […] The PERMANENTFLAGS list can also include the special flag \*, which indicates that it is possible to
/// create new keywords".
#[test]
fn flags_and_permanentflags() {
    let server = Server::start();
    let mut c = server.client();
    let system = SYSTEM.join(" ");
    let told = |c: &mut Client, command: &str| {
        let mut lines = c.ok(command);
        lines.retain(|line| line.contains("FLAGS ("));
        lines
    };
    assert_eq!(
        told(&mut c, "SELECT INBOX"),
        [
            format!("* FLAGS ({system})"),
            format!("* OK [PERMANENTFLAGS ({system} \\*)]")
        ]
    );
    // None can be changed after EXAMINE.
    assert_eq!(
        told(&mut c, "EXAMINE INBOX"),
        [
            format!("* FLAGS ({system})"),
            "* OK [PERMANENTFLAGS ()]".into()
        ]
    );
    // Once a keyword is there, it is applicable to whoever selects.
    c.append("INBOX", "(Custom) ", &message("one"));
    assert_eq!(
        told(&mut c, "SELECT INBOX"),
        [
            format!("* FLAGS ({system} Custom)"),
            format!("* OK [PERMANENTFLAGS ({system} Custom \\*)]")
        ]
    );
    assert_eq!(
        told(&mut c, "EXAMINE INBOX"),
        [
            format!("* FLAGS ({system} Custom)"),
            "* OK [PERMANENTFLAGS ()]".into()
        ]
    );
}

/// `flag-keyword = atom`: keywords are any atoms, and "do not begin with "\"". They keep the case in which they came
/// first, and are one in any case.
#[test]
fn keywords_are_atoms() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let keywords = [
        "a",
        "NonJunk",
        "$label1",
        "with-dash",
        "under_score",
        "1st",
        "a.b",
        "a/b",
        "[x",
        "#+~!",
    ];
    c.ok(&format!("STORE 1 FLAGS.SILENT ({})", keywords.join(" ")));
    let mut expected: Vec<String> = keywords.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(flags(&mut c), expected);
    for keyword in keywords {
        c.check(&format!("SEARCH KEYWORD {keyword}"), &["* SEARCH 1"], "OK");
        let other = keyword.to_uppercase();
        c.check(&format!("SEARCH KEYWORD {other}"), &["* SEARCH 1"], "OK");
        c.ok(&format!("STORE 1 +FLAGS.SILENT ({other})"));
    }
    assert_eq!(flags(&mut c), expected);
    for keyword in ["a%b", "a*b", "a\"b", "{1", "a]b"] {
        c.bad_strictly(&format!("STORE 1 +FLAGS.SILENT ({keyword})"));
    }
}
