//! FETCH (RFC 3501 §6.4.5 and §7.4.2, RFC 9051 §6.4.5 and §7.5.2): items and macros, their grammar, sets of
//! messages, and `\Seen`. [`sections`] has BODY[…], [`structure`] what is computed of a message, [`files`] how files
//! are served as they lie on disk. BINARY has its tests in `rfc3516.rs`.

mod files;
mod sections;
mod structure;

use crate::harness::client::literal;
use crate::harness::{Client, Server, message};

/// INBOX with this message, opened by EXAMINE.
fn one(server: &Server, text: &str) -> Client {
    let mut c = server.client();
    c.append("INBOX", "(\\Seen) \"14-Mar-2024 10:00:00 +0000\" ", text);
    c.ok("EXAMINE INBOX");
    c
}

/// The value of a single item that came as a literal, a quoted string or NIL.
fn value(c: &mut Client, item: &str) -> Option<String> {
    let reply = c.run(&format!("FETCH 1 {item}"));
    assert!(reply.tagged.starts_with("OK"), "{item} → {reply:?}");
    assert_eq!(reply.untagged.len(), 1, "{item} → {reply:?}");
    let line = String::from_utf8_lossy(&reply.untagged[0]).into_owned();
    let name = item.replace(".PEEK[", "[");
    let name = match name.rsplit_once('<') {
        Some((name, partial)) if partial.ends_with('>') => {
            format!(
                "{name}<{}>",
                partial.split('.').next().unwrap().trim_end_matches('>')
            )
        }
        _ => name,
    };
    let rest = line
        .strip_prefix(&format!("* 1 FETCH ({name} "))
        .unwrap_or_else(|| panic!("{item} → {line}"));
    if rest == "NIL)" {
        return None;
    }
    if rest.starts_with('{') {
        return Some(String::from_utf8_lossy(literal(&reply.untagged[0])).into_owned());
    }
    Some(
        rest.trim_start_matches('"')
            .trim_end_matches(')')
            .trim_end_matches('"')
            .to_owned(),
    )
}

/// ALL: "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"; FAST: "(FLAGS INTERNALDATE RFC822.SIZE)"; FULL: "(FLAGS
/// INTERNALDATE RFC822.SIZE ENVELOPE BODY)".
#[test]
fn the_plain_items_and_their_macros() {
    let server = Server::start();
    let text = message("one");
    let mut c = one(&server, &text);
    let size = text.len();
    let envelope = "ENVELOPE (\"Thu, 14 Mar 2024 09:00:00 +0100\" \"one\" ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Bob\" NIL \"bob\" \"example.org\")) NIL NIL NIL \"<one@example.org>\")";
    c.check("FETCH 1 (UID)", &["* 1 FETCH (UID 1)"], "OK");
    c.check(
        "FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "FETCH 1 RFC822.SIZE",
        &[&format!("* 1 FETCH (RFC822.SIZE {size})")],
        "OK",
    );
    c.check(
        "FETCH 1 ENVELOPE",
        &[&format!("* 1 FETCH ({envelope})")],
        "OK",
    );
    let date = c.ok("FETCH 1 INTERNALDATE").remove(0);
    let date = date
        .strip_prefix("* 1 FETCH (")
        .unwrap()
        .strip_suffix(')')
        .unwrap()
        .to_owned();
    let fast = format!("FLAGS (\\Seen \\Recent) {date} RFC822.SIZE {size}");
    let body = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 1)";
    c.check("FETCH 1 FAST", &[&format!("* 1 FETCH ({fast})")], "OK");
    c.check(
        "FETCH 1 ALL",
        &[&format!("* 1 FETCH ({fast} {envelope})")],
        "OK",
    );
    c.check(
        "FETCH 1 FULL",
        &[&format!("* 1 FETCH ({fast} {envelope} BODY {body})")],
        "OK",
    );
    c.check(
        "UID FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)"],
        "OK",
    );
    c.check(
        "fetch 1 (flags uid)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)"],
        "OK",
    );
}

/// RFC 3501 §2.3.3: "In the case of messages delivered via [SMTP], this SHOULD be the date and time of final delivery of the
/// message". RFC 9051: "In the case of messages created by the IMAP4rev2 COPY or MOVE command, this SHOULD be the same as
/// the Internal Date attribute of the source message. In the case of messages created by the IMAP4rev2 APPEND command, this
/// SHOULD be the date and time as specified in the APPEND command description."
#[test]
fn internal_dates() {
    let server = Server::start();
    let maildir = &server.maildir;
    let mut c = server.client();
    c.ok("CREATE box");
    c.append(
        "INBOX",
        "\"14-Mar-2024 10:00:00 +0000\" ",
        &message("appended"),
    );
    let prepared = maildir.prepare("INBOX", message("delivered").as_bytes());
    std::fs::File::options()
        .write(true)
        .open(&prepared)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_710_410_400))
        .unwrap();
    maildir.release("INBOX", &prepared);
    crate::harness::wait_until("the delivery", || {
        c.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 2)"]
    });
    let dates = |c: &mut Client| -> Vec<String> {
        c.ok("FETCH 1:2 INTERNALDATE")
            .iter()
            .map(|line| line.split('"').nth(1).unwrap().to_owned())
            .collect()
    };
    c.ok("SELECT INBOX");
    let given = dates(&mut c);
    assert_eq!(given[0], given[1]);
    c.ok("COPY 1 box");
    c.ok("MOVE 2 box");
    assert_eq!(dates(&mut server.selected("box")), given);
}

#[test]
fn internal_date_is_the_instant_that_append_gave() {
    let server = Server::start();
    let mut c = one(&server, &message("one"));
    let told = c.ok("FETCH 1 INTERNALDATE").remove(0);
    // The zone is the server's; the tests run in any, so only the form and the minutes are fixed.
    let date = told.split('"').nth(1).unwrap();
    assert_eq!(date.len(), 26, "{date}");
    assert_eq!(&date[2..12], "-Mar-2024 ", "{date}");
    assert_eq!(&date[17..20], ":00", "{date}");
}

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")`:
/// every `fetch-att` of RFC 3501 and RFC 9051, alone, in a list, and in small letters.
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = one(&server, &message("one"));
    let items = [
        "ENVELOPE",
        "FLAGS",
        "INTERNALDATE",
        "RFC822",
        "RFC822.HEADER",
        "RFC822.SIZE",
        "RFC822.TEXT",
        "BODY",
        "BODYSTRUCTURE",
        "UID",
        "BODY[]",
        "BODY[]<0.10>",
        "BODY[1]",
        "BODY[1.MIME]",
        "BODY[HEADER]",
        "BODY[HEADER.FIELDS (FROM)]",
        "BODY[HEADER.FIELDS.NOT (FROM TO)]<2.3>",
        "BODY[TEXT]<2.3>",
        "BODY.PEEK[]",
        "BODY.PEEK[]<0.10>",
        "BODY.PEEK[1]<1.2>",
        "BODY.PEEK[HEADER]",
        "BODY.PEEK[HEADER.FIELDS (FROM TO)]<0.1>",
        "BODY.PEEK[TEXT]",
        "BINARY[1]",
        "BINARY[1]<1.2>",
        "BINARY.PEEK[1]",
        "BINARY.PEEK[1]<0.3>",
        "BINARY.SIZE[1]",
    ];
    for item in items {
        // The name that the answer has: without PEEK, and without how much was asked for.
        let name = item.replace(".PEEK", "");
        let name = match name.rsplit_once('.') {
            Some((name, size)) if size.ends_with('>') => format!("{name}>"),
            _ => name,
        };
        for form in [
            item.to_owned(),
            format!("({item})"),
            item.to_lowercase(),
            format!("(UID {item})"),
            format!("({item} FLAGS)"),
        ] {
            let lines = c.ok(&format!("FETCH 1 {form}"));
            assert_eq!(lines.len(), 1, "{form}: {lines:?}");
            assert!(lines[0].starts_with("* 1 FETCH ("), "{form}: {lines:?}");
            let shown = lines[0].to_uppercase();
            assert!(
                shown.contains(&format!("({name} ")) || shown.contains(&format!(" {name} ")),
                "{form}: {lines:?}"
            );
        }
    }
    let all = format!("({})", items.join(" "));
    assert_eq!(c.ok(&format!("FETCH 1 {all}")).len(), 1);
    for each in ["ALL", "FULL", "FAST", "all", "Full", "fast"] {
        assert_eq!(c.ok(&format!("FETCH 1 {each}")).len(), 1);
    }
}

#[test]
fn sets() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..5 {
        c.append("INBOX", "", &message("x"));
    }
    c.ok("SELECT INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let mut numbers = |set: &str| -> String {
        let lines = c.ok(&format!("{set} (UID)"));
        let uids: Vec<&str> = lines
            .iter()
            .map(|line| line.split("UID ").nth(1).unwrap().trim_end_matches(')'))
            .collect();
        uids.join(" ")
    };
    assert_eq!(numbers("FETCH 1:*"), "1 3 4 5");
    assert_eq!(numbers("FETCH *"), "5");
    assert_eq!(numbers("FETCH 4:2"), "3 4 5");
    assert_eq!(numbers("FETCH *:3"), "4 5");
    assert_eq!(numbers("FETCH 1,1,2:3,2"), "1 3 4");
    assert_eq!(numbers("UID FETCH 2:4"), "3 4");
    assert_eq!(numbers("UID FETCH 9:*"), "5");
    assert_eq!(numbers("UID FETCH 4294967295"), "");
    for set in [
        "5",
        "1:5",
        "0",
        "1:",
        ":1",
        "1,,2",
        "1:2:3",
        "a",
        "4294967296",
        "-1",
    ] {
        c.bad(&format!("FETCH {set} (UID)"));
    }
    // Sets without end are one set.
    let long = vec!["1:*"; 5000].join(",");
    assert_eq!(c.ok(&format!("FETCH {long} (UID)")).len(), 4);
}

#[test]
fn what_does_not_parse() {
    let server = Server::start();
    let mut c = one(&server, &message("one"));
    for items in [
        // "A macro must be used by itself and not in conjunction with other macros or data items."
        "(ALL)",
        "(FAST FLAGS)",
        "(FLAGS FULL)",
        "ALL FAST",
        "FLAGS UID",
    ] {
        c.bad_strictly(&format!("FETCH 1 {items}"));
    }
    c.check("NOOP", &[], "OK");
    for items in [
        "",
        "NOSUCH",
        "(FLAGS",
        "FLAGS)",
        "()",
        "BODY[",
        "BODY[0]",
        "BODY[1.]",
        "BODY[.1]",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[HEADER.FIELDS FROM]",
        // "The MIME part specifier MUST be prefixed by one or more numeric part specifiers."
        "BODY[MIME]",
        "BODY[TEXT.HEADER]",
        "BODY.PEEK",
        "(ALL FLAGS",
    ] {
        c.bad_strictly(&format!("FETCH 1 {items}"));
    }
    c.check("NOOP", &[], "OK");
}

/// "The \Seen flag is implicitly set; if this causes the flags to change, they SHOULD be included as part of the FETCH
/// responses." PEEK is "An alternate form of BODY[<section>] that does not implicitly set the \Seen flag."
#[test]
fn a_body_that_is_read_is_seen_and_one_peeked_at_is_not() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..4 {
        c.append("INBOX", "", "Subject: s\r\n\r\nx\r\n");
    }
    c.ok("SELECT INBOX");
    c.check(
        // RFC822.HEADER: "Functionally equivalent to BODY.PEEK[HEADER]".
        "FETCH 1 (BODY.PEEK[TEXT] RFC822.HEADER)",
        &["* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n RFC822.HEADER {14}\r\nSubject: s\r\n\r\n)"],
        "OK",
    );
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    c.check(
        "FETCH 1 BODY[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "FETCH 1 BODY[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n)"],
        "OK",
    );
    c.check(
        "FETCH 2 (RFC822.TEXT FLAGS)",
        &["* 2 FETCH (RFC822.TEXT {3}\r\nx\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "FETCH 3 RFC822",
        &["* 3 FETCH (RFC822 {17}\r\nSubject: s\r\n\r\nx\r\n FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check("SEARCH UNSEEN", &["* SEARCH 4"], "OK");
}

/// RFC 9051 §9: "The server should respond with a tagged BAD response to a command that uses a message sequence number
/// greater than the number of messages in the selected mailbox. This includes "*" if the selected mailbox is empty."
#[test]
fn an_empty_mailbox() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.check("UID FETCH 1:* FLAGS", &[], "OK");
    c.bad("FETCH 1 FLAGS");
    c.bad("FETCH * FLAGS");
    c.bad("FETCH 1:* FLAGS");
}

#[test]
fn states() {
    let server = Server::start();
    super::selected::only_where_selected(&server, "FETCH 1 (FLAGS BODY.PEEK[])");
}

/// "Most data items, identified in the formal syntax under the msg-att-static rule, are static and MUST NOT change for
/// any particular message." RFC 9051 §2.3.1.1: "the internal date, RFC822.SIZE, envelope, body structure, and message
/// texts (all BODY[...] fetch data items) MUST never change." Not by STORE, nor by other sessions, nor with another start of the server.
#[test]
fn what_is_static() {
    let server = Server::start();
    let maildir = server.maildir.clone();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("gone"));
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let items = "(UID INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[] RFC822.HEADER BODY.PEEK[1.MIME])";
    let first = c.ok(&format!("UID FETCH 2 {items}"));
    assert_eq!(c.ok(&format!("FETCH 2 {items}")), first);
    c.ok("STORE 2 FLAGS (\\Answered keyword)");
    assert_eq!(c.ok(&format!("FETCH 2 {items}")), first);
    c.ok("EXPUNGE");
    let first = [first[0].replacen("* 2 ", "* 1 ", 1)];
    assert_eq!(c.ok(&format!("FETCH 1 {items}")), first);
    drop(c);
    server.stop();
    maildir.forget_caches();
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    assert_eq!(c.ok(&format!("FETCH 1 {items}")), first);
    // RFC 9051 §2.3.4: "This size SHOULD match the result of a "FETCH BODY[]" command."
    let size = literal(&c.run("FETCH 1 BODY.PEEK[]").untagged[0]).len();
    c.check(
        "FETCH 1 RFC822.SIZE",
        &[&format!("* 1 FETCH (RFC822.SIZE {size})")],
        "OK",
    );
}

/// "OK - fetch completed", "NO - fetch error: can't fetch that data": RFC 5530's EXPUNGEISSUED where a message has
/// gone meanwhile, and what is left of it.
#[test]
fn a_message_that_has_gone() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Seen) ", &message("one"));
    c.append("INBOX", "(\\Seen) ", &message("two"));
    c.ok("SELECT INBOX");
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let reply = c.run("FETCH 1:2 (UID BODY.PEEK[TEXT])");
    assert_eq!(reply.outcome(), "OK [EXPUNGEISSUED]");
    assert_eq!(
        reply.plain()[..2],
        [
            "* 1 FETCH (BODY[TEXT] NIL UID 1)",
            "* 2 FETCH (BODY[TEXT] {8}\r\nHello.\r\n UID 2)"
        ]
    );
    c.check("NOOP", &["* 1 EXPUNGE"], "OK");
}

/// "NO - fetch error: can't fetch that data": of a file that cannot be read comes what is known without it, and of the
/// others everything. SEARCH likewise: "NO - search error: can't search that [CHARSET] or criteria".
#[test]
fn a_message_that_cannot_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot ends the session.
    }
    let mut c = server.client();
    for name in ["one", "two", "three"] {
        c.append("INBOX", "(\\Seen) ", &message(name));
    }
    c.ok("SELECT INBOX");
    let second = server.maildir.files("INBOX").into_iter().find(|name| {
        let path = server.maildir.path().join(name);
        std::fs::read_to_string(path)
            .unwrap()
            .contains("Subject: two")
    });
    let second = server.maildir.path().join(second.unwrap());
    std::fs::set_permissions(&second, std::fs::Permissions::from_mode(0o000)).unwrap();
    c.check(
        "FETCH 1:3 (UID BODY.PEEK[TEXT])",
        &[
            "* 1 FETCH (UID 1 BODY[TEXT] {8}\r\nHello.\r\n)",
            "* 2 FETCH (UID 2)",
            "* 3 FETCH (UID 3 BODY[TEXT] {8}\r\nHello.\r\n)",
        ],
        "NO [SERVERBUG]",
    );
    c.check("SEARCH BODY hello", &["* SEARCH 1 3"], "NO [SERVERBUG]");
    for (command, known) in [
        ("SORT (ARRIVAL) UTF-8 BODY hello", "* SORT 1 3"),
        ("SORT (SUBJECT) UTF-8 ALL", "* SORT 1 3"),
        ("THREAD REFS UTF-8 BODY hello", "* THREAD (1)(3)"),
        ("THREAD REFS UTF-8 ALL", "* THREAD (1)(3)"),
    ] {
        c.check(command, &[known], "NO [SERVERBUG]");
    }
    // What needs no file is served as ever.
    c.check("SEARCH SEEN", &["* SEARCH 1 2 3"], "OK");
    c.check("SORT (ARRIVAL SIZE) UTF-8 1:2", &["* SORT 1 2"], "OK");
    c.check(
        "FETCH 2 FLAGS",
        &["* 2 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
}
