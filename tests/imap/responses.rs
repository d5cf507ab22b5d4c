//! Server responses (RFC 3501 §7, RFC 9051 §7): their form, the status responses and their codes, what may come when, and
//! the command continuation request. What each command answers is tested with the command; FETCH data in `fetch.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Client, Reply, Server, message};
use crate::limits::stated;

/// A dialogue in which most responses occur.
const DIALOGUE: &[&str] = &[
    "CAPABILITY",
    "NOOP",
    "LIST \"\" *",
    "CREATE box",
    "CREATE box",
    "SUBSCRIBE box",
    "LSUB \"\" *",
    "STATUS box (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)",
    "SELECT nosuch",
    "SELECT INBOX",
    "CHECK",
    "SEARCH ALL",
    "SEARCH RETURN (MIN COUNT) ALL",
    "SEARCH CHARSET X-NONE ALL",
    "FETCH 1 (FLAGS UID RFC822.SIZE)",
    "STORE 1 +FLAGS (\\Deleted new)",
    "COPY 1 box",
    "COPY 1 nosuch",
    "FETCH 99 FLAGS",
    "NOSUCH",
    "EXPUNGE",
    "UNSELECT",
    "FETCH 1 FLAGS",
    "LOGOUT",
];

/// The response codes of RFC 3501 §7.1 and RFC 9051 §7.1.
#[rustfmt::skip]
const CODES: [&str; 38] = [
    "ALERT", "ALREADYEXISTS", "APPENDUID", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "BADCHARSET", "CANNOT",
    "CAPABILITY", "CLIENTBUG", "CLOSED", "CONTACTADMIN", "COPYUID", "CORRUPTION", "EXPIRED", "EXPUNGEISSUED", "HASCHILDREN",
    "INUSE", "LIMIT", "NONEXISTENT", "NOPERM", "NOTSAVED", "OVERQUOTA", "PARSE", "PERMANENTFLAGS", "PRIVACYREQUIRED",
    "READ-ONLY", "READ-WRITE", "SERVERBUG", "TOOBIG", "TRYCREATE", "UIDNEXT", "UIDNOTSTICKY", "UIDVALIDITY", "UNAVAILABLE",
    "UNKNOWN-CTE", "UNSEEN", "HIGHESTMODSEQ", "MAILBOXID",
];

/// RFC 3501 §9: `response-tagged = tag SP resp-cond-state CRLF`; `resp-cond-state = ("OK" / "NO" / "BAD") SP resp-text`;
/// `resp-text = ["[" resp-text-code "]" SP] text`; `text = 1*TEXT-CHAR`, 7-bit and never empty.
#[track_caller]
fn has_text(line: &str) {
    let (condition, rest) = line.split_once(' ').unwrap_or((line, ""));
    assert!(
        ["OK", "NO", "BAD", "BYE", "PREAUTH"].contains(&condition),
        "{line}"
    );
    let text = match rest.strip_prefix('[') {
        Some(code) => {
            // RFC 3501 §7.1: "Additional response codes […] SHOULD be prefixed with an "X" until they are added to a revision of
            // this protocol."
            let name = code.split([' ', ']']).next().unwrap();
            assert!(CODES.contains(&name), "{line}");
            code.split_once("] ").map_or("", |(_, text)| text)
        }
        None => rest,
    };
    assert!(!text.is_empty(), "no text in {line:?}");
    assert!(
        line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{line:?}"
    );
}

/// "Tagged status responses indicate the completion result (OK, NO, or BAD status) of a client command and have a tag
/// matching the command." "Some status responses, and all server data, are untagged." RFC 9051 §6.5: "Server implementations
/// MUST NOT send any added untagged responses (not specified in this specification), unless the client requested it".
#[test]
fn every_line_has_its_form() {
    let server = Server::start();
    let mut c = server.connect();
    let check = |reply: Reply, command: &str| {
        has_text(&reply.tagged);
        for line in &reply.untagged {
            let line = String::from_utf8(line.clone()).unwrap();
            let data = line
                .strip_prefix("* ")
                .unwrap_or_else(|| panic!("{command}: {line}"));
            let words: Vec<&str> = data.split(' ').collect();
            let known = match words[..] {
                ["OK" | "NO" | "BAD" | "BYE", ..] => {
                    has_text(data);
                    true
                }
                [
                    "FLAGS" | "LIST" | "LSUB" | "SEARCH" | "ESEARCH" | "STATUS" | "CAPABILITY",
                    ..,
                ] => true,
                [count, "EXISTS" | "RECENT"] => count.parse::<u32>().is_ok(),
                [number, "EXPUNGE"] | [number, "FETCH", ..] => {
                    number.parse::<u32>().is_ok_and(|n| n > 0)
                }
                _ => false,
            };
            assert!(known, "{command}: {line}");
        }
    };
    check(c.run("LOGIN u p"), "LOGIN");
    c.append("INBOX", "", &message("one"));
    for command in DIALOGUE {
        check(c.run(command), command);
    }
}

/// `tag = 1*<any ASTRING-CHAR except "+">`: it comes back as it was.
#[test]
fn tags_match() {
    let server = Server::start();
    let mut c = server.client();
    let long = "t".repeat(100);
    for tag in [
        "0",
        "a.b",
        "A]1",
        "~!#$",
        "[x",
        "NOOP",
        "OK",
        "BAD",
        "a/b:c;d,e",
        &long,
    ] {
        if tag.contains(']') && server.either(false, true) {
            continue; // Dovecot takes it for no tag.
        }
        for (command, condition) in [("NOOP", "OK"), ("DELETE nosuch", "NO"), ("NOSUCH", "BAD")] {
            c.send(format!("{tag} {command}\r\n").as_bytes());
            let reply = c.until_tagged(tag);
            assert!(
                reply.tagged.starts_with(condition),
                "{tag} {command}: {reply:?}"
            );
        }
    }
    // RFC 3501 §7.1.3: "The untagged form indicates a protocol-level error for which the associated command can not be
    // determined".
    for line in ["\r\n", "* NOOP\r\n", "+ NOOP\r\n"] {
        c.send(line.as_bytes());
        let answer = String::from_utf8(c.line()).unwrap();
        if server.either(true, false) {
            assert!(answer.starts_with("* BAD "), "{line:?}: {answer}");
        }
        assert!(answer.contains("BAD "), "{line:?}: {answer}");
        has_text(answer.split_once(' ').unwrap().1);
    }
}

/// §7.1: the response codes, each by a command that brings it. Those of login have their tests in `login.rs`.
#[test]
fn codes() {
    let server = Server::start();
    let mut c = server.connect();
    assert!(
        c.outcome("LOGIN u p")
            .starts_with("OK [CAPABILITY IMAP4rev1 ")
    );
    c.append("INBOX", "", &message("one"));
    let text = "Content-Transfer-Encoding: x-unknown\r\n\r\nx\r\n";
    c.append("INBOX", "", text);
    // UNSEEN: "the number of the first message without the \Seen flag set"; PERMANENTFLAGS, UIDNEXT, UIDVALIDITY.
    let lines = c.ok("SELECT INBOX");
    for code in [
        "PERMANENTFLAGS (",
        "UNSEEN 1]",
        "UIDVALIDITY ",
        "UIDNEXT 3]",
    ] {
        let line = format!("* OK [{code}");
        // "servers SHOULD NOT have any UIDNOTSTICKY mail stores."
        assert!(!lines.iter().any(|line| line.contains("UIDNOTSTICKY")));
        assert!(
            lines.iter().any(|heard| heard.starts_with(&line)),
            "{code}: {lines:?}"
        );
    }
    for (command, outcome) in [
        // "The mailbox is selected as read-only", "as read-write".
        ("EXAMINE INBOX", "OK [READ-ONLY]"),
        ("SELECT INBOX", "OK [READ-WRITE]"),
        // "An APPEND, COPY, or MOVE attempt is failing because the target mailbox does not exist".
        ("COPY 1 nosuch", "NO [TRYCREATE]"),
        ("MOVE 1 nosuch", "NO [TRYCREATE]"),
        (
            "APPEND nosuch {17+}\r\nSubject: x\r\n\r\nx\r\n",
            "NO [TRYCREATE]",
        ),
        // "The operation attempts to create something that already exists".
        ("CREATE INBOX", "NO [ALREADYEXISTS]"),
        // "The operation attempts to delete something that does not exist."
        ("DELETE nosuch", "NO [NONEXISTENT]"),
        ("RENAME nosuch other", "NO [NONEXISTENT]"),
        // "This operation violates some invariant of the server and can never succeed."
        ("CREATE a..b", "NO [CANNOT]"),
        // "The server does not know how to decode the section's Content-Transfer-Encoding."
        ("FETCH 2 BINARY.PEEK[1]", "NO [UNKNOWN-CTE]"),
    ] {
        assert_eq!(c.outcome(command), outcome, "{command}");
    }
    // "A SEARCH failed because the given charset is not supported by this implementation."
    assert!(
        c.outcome("SEARCH CHARSET X-NONE ALL")
            .starts_with("NO [BADCHARSET")
    );
    // "indicates that the message has been appended to the destination mailbox with that UID": "The UID set form […] MUST
    // NOT be used if only a single message was appended. In particular, a server MUST NOT send a range such as 123:123."
    let outcome = c.outcome("APPEND INBOX {17+}\r\nSubject: x\r\n\r\nx\r\n");
    assert!(
        outcome.starts_with("OK [APPENDUID ") && outcome.ends_with(" 3]"),
        "{outcome}"
    );
    c.ok("CREATE box");
    let outcome = c.outcome("COPY 1:3 box");
    assert!(
        outcome.starts_with("OK [COPYUID ") && outcome.ends_with(" 1:3 1:3]"),
        "{outcome}"
    );
    // "A server returns the CLOSED response code when the currently selected mailbox is closed implicitly using the SELECT
    // or EXAMINE command on another mailbox": before anything of the new one.
    assert_eq!(c.ok("SELECT box")[0], "* OK [CLOSED]");
    assert_eq!(c.ok("EXAMINE INBOX")[0], "* OK [CLOSED]");
    c.ok("CLOSE");
    assert!(!c.ok("SELECT INBOX").contains(&"* OK [CLOSED]".to_owned()));
    // "Someone else has issued an EXPUNGE for the same mailbox."
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    assert_eq!(c.outcome("FETCH 1 BODY.PEEK[]"), "OK [EXPUNGEISSUED]");
    assert_eq!(c.outcome("COPY 1 box"), "NO [EXPUNGEISSUED]");
    if server.either(false, true) {
        return;
    }
    // "The access control system […] does not permit this user to carry out an operation".
    let cur = server.maildir.path().join("cur");
    fs::set_permissions(&cur, fs::Permissions::from_mode(0o555)).unwrap();
    assert_eq!(c.outcome("STORE 1 +FLAGS (\\Seen)"), "NO [NOPERM]");
    fs::set_permissions(&cur, fs::Permissions::from_mode(0o755)).unwrap();
    // "The operation ran up against an implementation limit of some kind".
    let (most, answer) = stated("keywords of a mailbox");
    let many: Vec<String> = (0..most).map(|at| format!("k{at}")).collect();
    c.ok(&format!("STORE 1 +FLAGS.SILENT ({})", many.join(" ")));
    assert_eq!(c.outcome("STORE 1 +FLAGS (more)"), answer);
}

/// Has another session expunge message 1 of three, of which this client then has not heard.
fn unheard(server: &Server, c: &mut Client) {
    c.ok("NOOP");
    c.append("INBOX", "", &message("more"));
    c.ok("NOOP");
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    // That is told at once, so that only the expunge is news.
    c.ok("NOOP");
    other.ok("EXPUNGE");
}

/// §7.4.1 (RFC 9051 §7.5.1): "An EXPUNGE response MUST NOT be sent when no command is in progress, nor while responding to
/// a FETCH, STORE, or SEARCH command." "UID FETCH, UID STORE, and UID SEARCH are different commands from FETCH, STORE, and
/// SEARCH. An EXPUNGE response MAY be sent during a UID command."
#[test]
fn when_expunge_may_come() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    for _ in 0..2 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    let expunges = |lines: &[String]| {
        lines
            .iter()
            .filter(|line| line.ends_with(" EXPUNGE"))
            .count()
    };
    for command in [
        "FETCH 2 FLAGS",
        "FETCH 1:3 (UID BODY.PEEK[])",
        "STORE 2 +FLAGS (\\Seen)",
        "STORE 2 -FLAGS.SILENT (\\Seen)",
        "SEARCH ALL",
        "SEARCH RETURN (ALL) TEXT x",
        "FETCH 9 FLAGS",
    ] {
        unheard(&server, &mut c);
        let reply = c.run(command);
        assert_eq!(expunges(&reply.plain()), 0, "{command}: {reply:?}");
        // The numbers hold until it is told, and then it is told once.
        c.check("FETCH 3 FLAGS", &["* 3 FETCH (FLAGS (\\Recent))"], "OK");
        assert_eq!(expunges(&c.ok("NOOP")), 1, "after {command}");
        assert_eq!(expunges(&c.ok("NOOP")), 0, "after {command}");
    }
    for command in [
        "NOOP",
        "CHECK",
        "STATUS box (MESSAGES)",
        "LIST \"\" %",
        "COPY 2 box",
        "UID FETCH 1:* FLAGS",
        "UID STORE 1:* +FLAGS.SILENT (\\Seen)",
        "UID SEARCH ALL",
        "UID COPY 1:* box",
        "CREATE new",
        "DELETE new",
    ] {
        unheard(&server, &mut c);
        let reply = c.run(command);
        let mut told = expunges(&reply.plain());
        if server.either(false, true) {
            // It may, and need not.
            told += expunges(&c.ok("NOOP"));
        }
        assert_eq!(told, 1, "{command}: {reply:?}");
    }
}

/// "A command is not "in progress" until the complete command has been received; in particular, a command is not "in
/// progress" during the negotiation of command continuation."
#[test]
fn no_expunge_before_the_command_is_complete() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..2 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    let mut watcher = server.selected("INBOX");
    for _ in 0..2 {
        unheard(&server, &mut c);
        watcher.ok("NOOP");
        let mut idle = watcher.idle();
        // Whoever idles hears of the next one, and so could the client that has no command in progress.
        let mut other = server.selected("INBOX");
        other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
        idle.expect(&["* 1 FETCH (FLAGS (\\Deleted))"]);
        other.ok("EXPUNGE");
        idle.expect(&["* 1 EXPUNGE"]);
        idle.done(&[]);
        let mut octet = [0];
        c.socket().set_nonblocking(true).unwrap();
        let heard = c.socket().peek(&mut octet);
        c.socket().set_nonblocking(false).unwrap();
        assert!(heard.is_err(), "something came without a command");
        // Nor while its literal is asked for.
        c.send(b"s SEARCH SUBJECT {1}\r\n");
        assert!(c.line().starts_with(b"+"));
        c.send(b"m NOT FLAGGED\r\n");
        let reply = c.until_tagged("s");
        let lines = reply.plain();
        assert!(
            !lines.iter().any(|line| line.ends_with("EXPUNGE")),
            "{reply:?}"
        );
        let mut lines = c.ok("NOOP");
        lines.retain(|line| line.ends_with("EXPUNGE"));
        assert_eq!(lines, ["* 2 EXPUNGE", "* 1 EXPUNGE"]);
        c.append("INBOX", "", &message("x"));
        watcher.ok("NOOP");
    }
}

/// §7.5 (RFC 9051 §7.6): "This form of response indicates that the server is ready to accept the continuation of a command
/// from the client. The remainder of this response is a line of text."
/// RFC 3501 §9: `continue-req = "+" SP (resp-text / base64) CRLF`.
#[test]
fn continuation() {
    let server = Server::start();
    let mut c = server.connect();
    let asked = |c: &mut Client| {
        let line = String::from_utf8(c.line()).unwrap();
        let text = line.strip_prefix("+ ").unwrap_or_else(|| panic!("{line}"));
        assert!(!text.is_empty());
    };
    // The RFC's example: "The remainder of the command, including the CRLF that terminates a command, follows the octets
    // of the literal. If there are any additional command arguments, the literal octets are followed by a space and those
    // arguments."
    c.send(b"A001 LOGIN {1}\r\n");
    asked(&mut c);
    c.send(b"u {1}\r\n");
    asked(&mut c);
    c.send(b"p\r\n");
    assert!(c.until_tagged("A001").tagged.starts_with("OK"));
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    // An empty one, and several.
    c.send(b"A002 SEARCH SUBJECT {0}\r\n");
    asked(&mut c);
    c.send(b" FROM {4}\r\n");
    asked(&mut c);
    c.send(b"anna TO bob\r\n");
    assert_eq!(c.until_tagged("A002").plain(), ["* SEARCH 1"]);
    // What looks like a line, or another literal, is text there.
    c.send(b"A003 SEARCH TEXT {14}\r\n");
    asked(&mut c);
    c.send(b"\r\nx LOGOUT {3}\r\n");
    assert_eq!(c.until_tagged("A003").plain(), ["* SEARCH"]);
    // RFC 9051 §9: "A non-synchronizing literal is distinguished from a synchronizing literal by the presence of "+"":
    // nothing is asked for.
    c.send(b"A004 SEARCH FROM {4+}\r\nanna SUBJECT {3+}\r\none\r\n");
    assert_eq!(c.line(), b"* SEARCH 1");
    assert!(c.until_tagged("A004").tagged.starts_with("OK"));
    // A literal that cannot be taken is refused before it is sent: "This permits the server to process commands and reject
    // errors on a line-by-line basis."
    c.send(b"A044 SEARCH TEXT {4000000000}\r\n");
    let line = String::from_utf8(c.line()).unwrap();
    // Dovecot says BYE.
    assert!(
        line.starts_with(server.either("A044 BAD ", "* BYE ")),
        "{line}"
    );
    if server.either(true, false) {
        c.check("NOOP", &[], "OK");
    }
}
