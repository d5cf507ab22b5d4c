//! APPEND (RFC 3501 §6.3.11, RFC 9051 §6.3.12; RFC 4315 APPENDUID). Several messages: `rfc3502`.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::select::validity;
use super::states;
use crate::harness::{Client, Maildir, Server, message};

/// `append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    let validity = validity(&c.ok("SELECT box"));
    c.ok("UNSELECT");
    let literals = ["{14}\r\nSubject: x\r\n\r\n", "{14+}\r\nSubject: x\r\n\r\n"];
    let mut uid = 0;
    let mut appended = |c: &mut Client, arguments: &str| {
        uid += 1;
        let code = format!("OK [APPENDUID {validity} {uid}]");
        c.check(&format!("aPpEnD {arguments}"), &[], &code);
    };
    for form in states::forms("box") {
        for literal in literals {
            appended(&mut c, &format!("{form} {literal}"));
        }
    }
    let dates = [
        "\"01-Feb-2020 03:04:05 +0100\"",
        // date-day-fixed = (SP DIGIT) / 2DIGIT
        "\" 1-fEB-2020 23:59:59 -1130\"",
    ];
    let flags = [
        "()",
        "(\\Seen)",
        "(\\aNsWeReD \\Flagged \\Deleted \\Seen \\Draft)",
        "($MDNSent $Forwarded keyword)",
    ];
    for flags in flags {
        appended(&mut c, &format!("box {flags} {}", literals[1]));
        for date in dates {
            appended(&mut c, &format!("box {flags} {date} {}", literals[0]));
            appended(&mut c, &format!("box {date} {}", literals[1]));
        }
    }
    for inbox in states::INBOX {
        assert!(
            c.outcome(&format!("APPEND {inbox} {}", literals[1]))
                .starts_with("OK")
        );
    }
    states::bad_arguments(
        &server,
        &mut c,
        "APPEND",
        &[
            "",
            " ",
            " box",
            " box ",
            " box ()",
            " box () ",
            " box \"Subject: x\"",
            " box Subject",
            " box (\\Seen) \"01-Feb-2020 03:04:05 +0100\"",
        ],
    );
    let status = c.ok("STATUS box (MESSAGES)");
    assert_eq!(status, [format!("* STATUS box (MESSAGES {uid})")]);
}

/// What no append-opts can be: BAD, and the message is not taken for commands.
#[test]
fn bad_flags_and_dates() {
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot takes some of these, and the message of others for commands.
    }
    let mut c = server.client();
    for options in [
        "(\\Seen",
        "\\Seen",
        "(\\Seen )",
        "(\\Seen  \\Draft)",
        "( \\Seen)",
        "(\\)",
        "(\\*)",
        "(a\"b)",
        "(\"quoted\")",
        "\"01-Feb-20 03:04:05 +0100\"",
        "\"01-Xxx-2020 03:04:05 +0100\"",
        "\"00-Feb-2020 03:04:05 +0100\"",
        "\"01-Feb-2020 24:04:05 +0100\"",
        "\"01-Feb-2020 03:60:05 +0100\"",
        "\"01-Feb-2020 03:04:05 0100\"",
        "\"01-Feb-2020 03:04:05 +01:00\"",
        "\"01-Feb-2020 03:04:05 CET\"",
        "\"01-Feb-2020 03:04 +0100\"",
        "\"01-Feb-2020T03:04:05 +0100\"",
        "\"\"",
        "01-Feb-2020",
        "\"01-Feb-2020 03:04:05 +0100\" ()",
        "() ()",
    ] {
        c.bad(&format!("APPEND INBOX {options} {{11+}}\r\nx1 LOGOUT\r\n"));
        c.check("NOOP", &[], "OK");
    }
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

/// RFC 3501 §6.3.11: "If a flag parenthesized list is specified, the flags SHOULD be set in the resulting message". "In
/// either case, the Recent flag is also set." "If a date-time is specified, the internal date SHOULD be set".
/// "Specifically, the server SHOULD notify the client immediately via an untagged EXISTS response."
#[test]
fn with_flags_keywords_and_a_date() {
    let server = Server::start();
    let mut c = server.client();
    let validity = validity(&c.ok("SELECT INBOX"));
    let text = message("one");
    let size = text.len();
    c.check_sorted(
        &format!("APPEND INBOX (\\Seen \\Answered kw) \"01-Feb-2020 03:04:05 +0100\" {{{size}}}\r\n{text}"),
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft kw)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft kw \\*)]",
            "* 1 EXISTS",
            "* 1 RECENT",
        ],
        &format!("OK [APPENDUID {validity} 1]"),
    );
    c.check(
        "FETCH 1 (UID FLAGS RFC822.SIZE)",
        &[&format!(
            "* 1 FETCH (FLAGS (\\Answered \\Seen \\Recent kw) RFC822.SIZE {size} UID 1)"
        )],
        "OK",
    );
    // The instant is kept; the zone is the server's to choose.
    let file = server.maildir.files("INBOX").remove(0);
    assert_eq!(
        server.maildir.path().join(file).metadata().unwrap().mtime(),
        1_580_522_645
    );
}

/// RFC 3501 §6.3.11: "otherwise, the flag list of the resulting message is set to empty by default." "otherwise, the
/// internal date of the resulting message is set to the current date and time by default."
#[test]
fn without_flags_and_without_a_date() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    c.check("SEARCH YOUNGER 3600", &["* SEARCH 1"], "OK");
    c.check("SEARCH OLDER 3600", &["* SEARCH"], "OK");
}

/// RFC 3501 §6.3.11: "8-bit characters are permitted in the message." "There MAY be exceptions, e.g., draft messages, in
/// which required [RFC-2822] header lines are omitted".
#[test]
fn the_bytes_come_back_whole() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("SELECT INBOX");
    for text in [
        "Subject: no body\r\n\r\n",
        "no header at all",
        "Subject: no end of line\r\n\r\nlast",
        "Subject: 8-bit gr\u{fc}\u{df}e\r\n\r\nna\u{ef}ve\r\n",
        "Subject: dots\r\n\r\n.\r\n..\r\n",
    ] {
        let uid = c.append("INBOX", "", text);
        let lines = c.ok(&format!("UID FETCH {uid} BODY.PEEK[]"));
        let expected = format!("BODY[] {{{}}}\r\n{text} UID {uid})", text.len());
        assert!(lines[0].ends_with(&expected), "{lines:?}");
    }
}

/// RFC 3501 §6.3.11: "If the destination mailbox does not exist, a server MUST return an error, and MUST NOT
/// automatically create the mailbox. Unless it is certain that the destination mailbox can not be created, the server
/// MUST send the response code "[TRYCREATE]" as the prefix of the text of the tagged NO response."
#[test]
fn to_a_mailbox_that_is_not_there() {
    let server = Server::start();
    let mut c = server.client();
    // Refused before the message is sent, and with a literal that does not wait it is swallowed.
    c.check("APPEND nosuch {9}\r\nA1 LOGOUT", &[], "NO [TRYCREATE]");
    c.check("APPEND nosuch {9+}\r\nA1 LOGOUT", &[], "NO [TRYCREATE]");
    c.check("NOOP", &[], "OK");
    // Here it is certain.
    for name in ["../x", "\"\"", "a..b", "&bad"] {
        let outcome = c.outcome(&format!("APPEND {name} {{3+}}\r\nabc"));
        assert_eq!(outcome, server.either("NO [CANNOT]", &outcome));
    }
    c.check("NOOP", &[], "OK");
    c.check("LIST \"\" nosuch", &[], "OK");
    // "it can attempt a CREATE command and retry the APPEND if the CREATE is successful."
    c.ok("CREATE nosuch");
    c.append("nosuch", "", &message("one"));
    // An implied parent can be created too.
    c.ok("CREATE a.b");
    c.check("APPEND a {3+}\r\nabc", &[], "NO [TRYCREATE]");
}

/// RFC 9051 §6.3.12: "If the server decides to convert (normalize) the mailbox name, it SHOULD return an untagged LIST
/// with an OLDNAME extended data item".
#[test]
fn a_name_in_another_form_is_told() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    c.ok("CREATE \"\u{e9}\"");
    let reply = c.run("APPEND \"e\u{301}\" {3+}\r\nabc");
    assert!(reply.tagged.starts_with("OK [APPENDUID "), "{reply:?}");
    assert_eq!(
        reply.plain(),
        ["* LIST () \".\" \"\u{e9}\" (OLDNAME (\"e\u{301}\"))"]
    );
}

#[test]
fn what_does_not_parse_is_swallowed_with_its_literal() {
    let server = Server::start();
    let mut c = server.client();
    // Dovecot takes the literal of a bad APPEND for commands; Culver throws it away.
    if server.either(false, true) {
        return;
    }
    c.bad("APPEND INBOX \"bad date\" {10+}\r\nA1 LOGOUT\r");
    c.check("NOOP", &[], "OK");
    c.bad("APPEND INBOX (\\Recent) {10+}\r\nA1 LOGOUT\r");
    c.bad("APPEND INBOX (\\Nosuch {10+}\r\nA1 LOGOUT\r");
    c.bad("APPEND INBOX \"31-Feb-2020 00:00:00 +0000\" {3+}\r\nabc");
    c.bad("APPEND INBOX {3+}\r\nabc trailing");
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

#[test]
fn an_empty_message_is_refused() {
    let server = Server::start();
    let mut c = server.client();
    c.no("APPEND INBOX {0+}\r\n");
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

/// RFC 3501 §6.3.11: "If the append is unsuccessful for any reason, the mailbox MUST be restored to its state before the
/// APPEND attempt; no partial appending is permitted."
#[test]
fn cut_off_in_the_middle_it_leaves_nothing() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("SELECT INBOX");
    let mut rude = server.client();
    rude.send(b"x APPEND INBOX {1000+}\r\nSubject: half\r\n\r\n");
    rude.hang_up();
    rude.rest();
    c.check("NOOP", &[], "OK");
    crate::harness::wait_until("an empty tmp", || {
        std::fs::read_dir(server.maildir.path().join("tmp"))
            .unwrap()
            .next()
            .is_none()
    });
    assert!(server.maildir.files("INBOX").is_empty());
}

#[test]
fn the_file_is_as_dovecot_writes_it() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.append("INBOX", "", "Subject: x\r\n\r\nab\r\n");
    c.append("INBOX", "(\\Seen kw) ", "Subject: x\r\n\r\nab\r\n");
    let files = maildir.files("INBOX");
    let flagged = files.iter().find(|name| name.starts_with("cur/")).unwrap();
    let plain = files.iter().find(|name| name.starts_with("new/")).unwrap();
    assert!(flagged.ends_with(",S=15,W=18:2,Sa"), "{flagged}");
    assert!(plain.ends_with(",S=15,W=18"), "{plain}");
    assert_eq!(
        std::fs::read(maildir.path().join(plain)).unwrap(),
        b"Subject: x\n\nab\n"
    );
    assert_eq!(
        std::fs::read_to_string(maildir.path().join("dovecot-keywords")).unwrap(),
        "0 kw\n"
    );
}
