//! The first minute of the mail programs that people have: Thunderbird, Apple Mail on a Mac and a phone,
//! Outlook, K-9 (Thunderbird for Android). Written from what these programs are publicly known to send:
//! several connections at once, forms that depend on what is announced, header fields in each program's own
//! spelling; then IDLE, a delivery, flags, moves, drafts and sent mail, deletion.

use crate::harness::{Client, Server, message};

/// Four folders, three of them with a use, and three messages in INBOX, the first of them read.
fn mail(server: &Server) {
    let mut c = server.client();
    for folder in ["Drafts", "Sent", "Trash", "Lists.rust"] {
        c.ok(&format!("CREATE {folder}"));
        c.ok(&format!("SUBSCRIBE {folder}"));
    }
    c.ok("SUBSCRIBE INBOX");
    for (subject, flags) in [("one", "(\\Seen) "), ("two", ""), ("three", "")] {
        c.append("INBOX", flags, &message(subject));
    }
    // Who selects first takes \Recent away, so that no test depends on it.
    c.ok("SELECT INBOX");
}

/// What is announced after login.
fn announced(c: &mut Client) -> Vec<String> {
    let lines = c.ok("CAPABILITY");
    let line = lines.iter().find(|line| line.starts_with("* CAPABILITY "));
    let words = line.unwrap().split(' ').skip(2);
    words.map(str::to_owned).collect()
}

fn has(capabilities: &[String], name: &str) -> bool {
    capabilities.iter().any(|word| word == name)
}

/// What SELECT must tell, whatever else a server adds.
#[track_caller]
fn select(c: &mut Client, command: &str, exists: usize) {
    let told = c.ok(command);
    assert!(told.contains(&format!("* {exists} EXISTS")), "{told:?}");
    for part in ["* FLAGS (", "* OK [PERMANENTFLAGS (", "* OK [UIDVALIDITY "] {
        assert!(told.iter().any(|line| line.starts_with(part)), "{told:?}");
    }
}

/// The names that LIST or LSUB told, sorted.
fn names(told: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = told
        .iter()
        .filter(|line| line.starts_with("* LIST (") || line.starts_with("* LSUB ("))
        .filter_map(|line| line.rsplit_once("\".\" "))
        .map(|(_, name)| name.trim_matches('"'))
        .collect();
    names.sort_unstable();
    names
}

/// A FETCH or STORE that is answered with this many responses that have the first of these parts; each must
/// have the others too. A server may add what nobody asked for: new keywords, MODSEQ.
#[track_caller]
fn fetch(c: &mut Client, command: &str, count: usize, parts: &[&str]) -> Vec<String> {
    let mut told = c.ok(command);
    told.retain(|line| line.contains(" FETCH (") && line.contains(parts[0]));
    assert_eq!(told.len(), count, "{command} → {told:?}");
    for line in &told {
        for part in parts {
            assert!(line.contains(part), "{command}: no {part:?} in {line}");
        }
    }
    told
}

/// A STORE that must not be answered with flags.
#[track_caller]
fn silent(c: &mut Client, command: &str) {
    for line in c.ok(command) {
        assert!(!line.contains(" FETCH (FLAGS"), "{command} → {line}");
    }
}

const ALL: [&str; 6] = ["Drafts", "INBOX", "Lists", "Lists.rust", "Sent", "Trash"];
const SUBSCRIBED: [&str; 5] = ["Drafts", "INBOX", "Lists.rust", "Sent", "Trash"];

#[test]
fn thunderbird() {
    let server = Server::start();
    mail(&server);
    let mut c = server.connect();
    c.ok("capability");
    let reply = c.run("authenticate PLAIN AHUAcA==");
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    let can = announced(&mut c);
    c.ok("ID (\"name\" \"Thunderbird\" \"version\" \"128.5.0\")");
    if has(&can, "UTF8=ACCEPT") {
        c.ok("ENABLE UTF8=ACCEPT");
    }
    c.check("namespace", &["* NAMESPACE ((\"\" \".\")) NIL NIL"], "OK");
    if has(&can, "LIST-EXTENDED") {
        let told = c.ok("list (subscribed) \"\" \"*\" return (special-use)");
        assert_eq!(names(&told), SUBSCRIBED);
        let told = c.ok("list (special-use) \"\" \"*\"");
        assert_eq!(names(&told), ["Drafts", "Sent", "Trash"]);
    } else {
        assert_eq!(names(&c.ok("lsub \"\" \"*\"")), SUBSCRIBED);
    }
    let told = c.ok("list \"\" \"INBOX\"");
    assert_eq!(names(&told), ["INBOX"]);
    let condstore = has(&can, "CONDSTORE");
    let how = if condstore { " (CONDSTORE)" } else { "" };
    select(&mut c, &format!("select \"INBOX\"{how}"), 3);

    fetch(&mut c, "UID fetch 1:* (FLAGS)", 3, &["FLAGS (", "UID "]);
    let fields = "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To \
                  Content-Type Reply-To";
    let command =
        format!("UID fetch 2:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({fields})])");
    let told = fetch(&mut c, &command, 2, &["RFC822.SIZE 1", "FLAGS ()"]);
    assert!(told[0].contains("Subject: two\r\n"), "{told:?}");
    assert!(!told[0].contains("Hello."), "{told:?}");

    // A second connection asks after the other folders, while the first idles.
    let mut c2 = server.client();
    c2.ok("ID (\"name\" \"Thunderbird\" \"version\" \"128.5.0\")");
    let mut idle = c.idle();
    for folder in ["Drafts", "Sent", "Trash", "Lists.rust"] {
        let told = c2.ok(&format!(
            "STATUS \"{folder}\" (UIDNEXT MESSAGES UNSEEN RECENT)"
        ));
        assert_eq!(told.len(), 1);
        for part in ["MESSAGES 0", "UNSEEN 0", "UIDNEXT 1"] {
            assert!(told[0].contains(part), "{told:?}");
        }
    }
    server.maildir.deliver("INBOX", &message("four"));
    idle.expect(&["* 4 EXISTS", "* 1 RECENT"]);
    idle.done(&[]);
    let command =
        format!("UID fetch 4 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({fields})])");
    fetch(&mut c, &command, 1, &["Subject: four\r\n", "\\Recent"]);
    fetch(
        &mut c,
        "UID fetch 4 (UID RFC822.SIZE BODY[])",
        1,
        &["Hello.\r\n", "\\Seen"],
    );
    fetch(&mut c, "uid store 4 +Flags (NonJunk)", 1, &["NonJunk"]);
    fetch(&mut c, "uid store 2 +FLAGS ($label1)", 1, &["$label1"]);

    // It files the sent copy over its second connection, and looks for it there.
    let uid = c2.append("\"Sent\"", "(\\Seen) ", &message("sent"));
    select(&mut c2, &format!("select \"Sent\"{how}"), 1);
    c2.check(
        "UID SEARCH UNDELETED HEADER Message-ID <sent@example.org>",
        &[&format!("* SEARCH {uid}")],
        "OK",
    );
    let reply = c.run("uid move 2:3 \"Trash\"");
    assert_eq!(reply.outcome(), "OK", "{reply:?}");
    let told = reply.plain();
    assert!(told[0].starts_with("* OK [COPYUID "), "{told:?}");
    assert!(
        told[1..]
            .iter()
            .filter(|line| line.ends_with(" EXPUNGE"))
            .count()
            == 2,
        "{told:?}"
    );
    fetch(
        &mut c,
        "uid store 1 +Flags (\\Seen \\Deleted)",
        1,
        &["\\Deleted"],
    );
    c.check("expunge", &["* 1 EXPUNGE"], "OK");
    fetch(&mut c, "UID fetch 4:* (FLAGS)", 1, &["NonJunk", "UID 4"]);
    c.ok("close");
    c.check("logout", &["* BYE"], "OK");
}

#[test]
fn apple_mail_on_a_mac() {
    let server = Server::start();
    mail(&server);
    // Its tags have a dot.
    let mut c = server.connect();
    c.send(b"1.20 CAPABILITY\r\n");
    assert!(c.until_tagged("1.20").tagged.starts_with("OK"));
    c.send(b"2.20 AUTHENTICATE PLAIN\r\n");
    assert!(c.line().starts_with(b"+"));
    c.send(b"AHUAcA==\r\n");
    let reply = c.until_tagged("2.20");
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    let reply = format!("{reply:?}");
    assert!(reply.contains("CAPABILITY IMAP4rev1 "), "{reply}");
    let can = announced(&mut c);
    let id = "ID (\"name\" \"Mac OS X Mail\" \"version\" \"16.0 (3774.600.62)\" \"os\" \"Mac OS X\" \
              \"os-version\" \"14.4 (23E214)\" \"vendor\" \"Apple Inc.\")";
    assert!(c.ok(id)[0].starts_with("* ID "));
    if has(&can, "ENABLE") && has(&can, "CONDSTORE") {
        c.ok("ENABLE CONDSTORE");
    }
    let told = c.ok("LIST \"\" \"\"");
    assert_eq!(told, ["* LIST (\\Noselect) \".\" \"\""]);
    if has(&can, "LIST-EXTENDED") && has(&can, "LIST-STATUS") {
        let told = c.ok(
            "LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN))",
        );
        assert_eq!(names(&told), ALL);
        let statuses = told.iter().filter(|line| line.starts_with("* STATUS "));
        assert_eq!(statuses.count(), 5, "{told:?}");
    } else {
        assert_eq!(names(&c.ok("LIST \"\" \"*\"")), ALL);
        assert_eq!(names(&c.ok("LSUB \"\" \"*\"")), SUBSCRIBED);
        for folder in ["Drafts", "Lists.rust", "Sent", "Trash"] {
            c.ok(&format!(
                "STATUS {folder} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"
            ));
        }
    }
    select(&mut c, "SELECT INBOX", 3);
    c.check("UID SEARCH 1:* NOT DELETED", &["* SEARCH 1 2 3"], "OK");
    fetch(&mut c, "FETCH 1:3 (FLAGS UID)", 3, &["FLAGS ("]);
    let fields = "date subject from to cc message-id in-reply-to references content-type x-priority \
                  x-uniform-type-identifier x-universally-unique-identifier list-id list-unsubscribe";
    let command = format!(
        "FETCH 1:3 (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({fields})])"
    );
    fetch(
        &mut c,
        &command,
        3,
        &["INTERNALDATE \"", "Subject: ", "Message-ID: "],
    );
    fetch(
        &mut c,
        "UID FETCH 2,3 (BODYSTRUCTURE BODY.PEEK[HEADER])",
        2,
        &["BODYSTRUCTURE (\"text\" \"plain\"", "To: Bob"],
    );
    fetch(
        &mut c,
        "UID FETCH 2 BODY.PEEK[1]<0.32768>",
        1,
        &["BODY[1]<0> {8}\r\nHello.\r\n"],
    );
    silent(&mut c, "UID STORE 2 +FLAGS.SILENT (\\Seen $NotJunk)");

    // A connection of its own idles on INBOX; a third one works in Drafts.
    let mut c2 = server.client();
    select(&mut c2, "SELECT INBOX", 3);
    let mut idle = c2.idle();
    let mut c3 = server.client();
    let draft =
        message("draft").replace("To: ", "X-Universally-Unique-Identifier: 6B7A-11\r\nTo: ");
    let old = c3.append("Drafts", "(\\Seen \\Draft $NotJunk) ", &draft);
    let new = c3.append("Drafts", "(\\Seen \\Draft $NotJunk) ", &draft);
    select(&mut c3, "SELECT Drafts", 2);
    c3.check(
        "UID SEARCH NOT DELETED HEADER X-Universally-Unique-Identifier 6B7A-11",
        &[&format!("* SEARCH {old} {new}")],
        "OK",
    );
    silent(
        &mut c3,
        &format!("UID STORE {old} +FLAGS.SILENT (\\Deleted)"),
    );
    c3.check(&format!("UID EXPUNGE {old}"), &["* 1 EXPUNGE"], "OK");
    server.maildir.deliver("INBOX", &message("four"));
    idle.expect(&["* 4 EXISTS"]);
    idle.done(&[]);
    c.check("NOOP", &["* 4 EXISTS"], "OK");

    // Moved to the trash: by MOVE where there is one, and by hand as it was before.
    let reply = c.run("UID MOVE 3 Trash");
    assert_eq!(reply.outcome(), "OK", "{reply:?}");
    assert!(c.outcome("UID COPY 2 Trash").starts_with("OK [COPYUID "));
    silent(&mut c, "UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.check("EXPUNGE", &["* 2 EXPUNGE"], "OK");
    c.check("UID SEARCH 1:* NOT DELETED", &["* SEARCH 1 4"], "OK");
    c.check(
        "STATUS Trash (MESSAGES)",
        &["* STATUS Trash (MESSAGES 2)"],
        "OK",
    );
    c.check("CLOSE", &[], "OK");
    c.check("LOGOUT", &["* BYE"], "OK");
}

#[test]
fn apple_mail_on_a_phone() {
    let server = Server::start();
    mail(&server);
    let mut c = server.client();
    let id = "ID (\"name\" \"iPhone Mail\" \"version\" \"21E236\" \"os\" \"iOS\" \"os-version\" \"17.4.1 (21E236)\")";
    c.ok(id);
    let can = announced(&mut c);
    let told = if has(&can, "LIST-EXTENDED") {
        c.ok("LIST \"\" \"*\" RETURN (SPECIAL-USE)")
    } else {
        c.ok("LIST \"\" \"*\"")
    };
    assert_eq!(names(&told), ALL);
    for (folder, attribute) in [
        ("Drafts", "\\Drafts"),
        ("Sent", "\\Sent"),
        ("Trash", "\\Trash"),
    ] {
        let line = told.iter().find(|line| line.ends_with(folder));
        assert!(line.unwrap().contains(attribute), "{told:?}");
    }
    // It asks for all folders in a row, without waiting for answers.
    let mut burst = String::new();
    for (at, folder) in ["INBOX", "Drafts", "Sent", "Trash", "Lists.rust"]
        .iter()
        .enumerate()
    {
        burst.push_str(&format!(
            "s{at} STATUS \"{folder}\" (UNSEEN UIDNEXT UIDVALIDITY MESSAGES)\r\n"
        ));
    }
    c.send(burst.as_bytes());
    for at in 0..5 {
        let reply = c.until_tagged(&format!("s{at}"));
        assert!(reply.tagged.starts_with("OK"), "{reply:?}");
        assert_eq!(reply.untagged.len(), 1, "{reply:?}");
    }
    select(&mut c, "SELECT INBOX", 3);
    let fields = "date subject from to cc message-id in-reply-to references content-type x-priority \
                  list-id list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash \
                  authentication-results dkim-signature";
    let command = format!(
        "UID FETCH 1:3 (INTERNALDATE UID RFC822.SIZE FLAGS BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS ({fields})])"
    );
    fetch(&mut c, &command, 3, &["Subject: ", "BODYSTRUCTURE ("]);
    c.check(
        "UID SEARCH UNSEEN NOT DELETED SINCE 1-Jan-2020",
        &["* SEARCH 2 3"],
        "OK",
    );
    fetch(&mut c, "UID FETCH 2 BODY[1]", 1, &["Hello.\r\n", "\\Seen"]);
    fetch(
        &mut c,
        "UID STORE 2 +FLAGS (\\Flagged $MailFlagBit0)",
        1,
        &["\\Flagged", "$MailFlagBit0"],
    );
    let uid = c.append("Sent", "(\\Seen) ", &message("sent"));
    assert_eq!(uid, 1);
    let mut idle = c.idle();
    server.maildir.deliver("INBOX", &message("four"));
    idle.expect(&["* 4 EXISTS", "* 1 RECENT"]);
    idle.done(&[]);
    c.check("LOGOUT", &["* BYE"], "OK");
}

#[test]
fn outlook() {
    let server = Server::start();
    mail(&server);
    let mut c = server.connect();
    c.ok("CAPABILITY");
    c.ok("LOGIN \"u\" {1+}\r\np");
    let can = announced(&mut c);
    if has(&can, "ID") {
        c.ok("ID (\"name\" \"Microsoft.Outlook\" \"version\" \"16.0.17328\" \"vendor\" NIL)");
    }
    if has(&can, "XLIST") {
        assert_eq!(names(&c.ok("XLIST \"\" \"*\"")), ALL);
    }
    assert_eq!(names(&c.ok("LIST \"\" \"*\"")), ALL);
    assert_eq!(names(&c.ok("LSUB \"\" \"*\"")), SUBSCRIBED);
    assert_eq!(names(&c.ok("LIST \"\" \"Sent\"")), ["Sent"]);
    for folder in ["INBOX", "Drafts", "Sent", "Trash"] {
        let told = c.ok(&format!(
            "STATUS \"{folder}\" (UIDNEXT UIDVALIDITY UNSEEN MESSAGES)"
        ));
        assert_eq!(told.len(), 1);
    }
    select(&mut c, "SELECT \"INBOX\"", 3);
    fetch(&mut c, "UID FETCH 1:* (UID FLAGS)", 3, &["UID ", "FLAGS ("]);
    let fields = "References X-Ref X-Priority X-MSMail-Priority X-MSOESRec Newsgroups";
    let command = format!(
        "UID FETCH 1:3 (BODY.PEEK[HEADER.FIELDS ({fields})] ENVELOPE RFC822.SIZE UID FLAGS INTERNALDATE)"
    );
    fetch(
        &mut c,
        &command,
        3,
        &[
            "ENVELOPE (\"Thu, 14 Mar 2024 09:00:00 +0100\"",
            "{2}\r\n\r\n",
            "INTERNALDATE \"",
        ],
    );
    fetch(
        &mut c,
        "UID FETCH 3 (UID RFC822.SIZE BODY.PEEK[] INTERNALDATE)",
        1,
        &["Hello.\r\n"],
    );
    fetch(&mut c, "UID STORE 3 +FLAGS (\\Seen)", 1, &["\\Seen"]);

    // Its second connection idles on INBOX, while the first one works on.
    let mut c2 = server.client();
    select(&mut c2, "SELECT \"INBOX\"", 3);
    let mut idle = c2.idle();
    let date = "\"14-Mar-2024 09:00:00 +0100\" ";
    c.append("\"Sent\"", &format!("(\\Seen) {date}"), &message("sent"));
    c.append(
        "\"Drafts\"",
        &format!("(\\Draft \\Seen) {date}"),
        &message("draft"),
    );
    assert!(
        c.outcome("UID COPY 3 \"Trash\"")
            .starts_with("OK [COPYUID ")
    );
    fetch(
        &mut c,
        "UID STORE 3 +FLAGS (\\Deleted \\Seen)",
        1,
        &["\\Deleted"],
    );
    idle.expect(&["* 3 FETCH (FLAGS (\\Deleted \\Seen))"]);
    c.check("EXPUNGE", &["* 3 EXPUNGE"], "OK");
    idle.expect(&["* 3 EXPUNGE"]);
    server.maildir.deliver("INBOX", &message("four"));
    idle.expect(&["* 3 EXISTS"]);
    idle.done(&[]);
    c.check("NOOP", &["* 3 EXISTS"], "OK");
    fetch(&mut c, "UID FETCH 4:* (UID FLAGS)", 1, &["UID 4"]);
    c.check("CLOSE", &[], "OK");
    c.check("LOGOUT", &["* BYE"], "OK");
}

#[test]
fn k9() {
    let server = Server::start();
    mail(&server);
    let mut c = server.connect();
    c.ok("CAPABILITY");
    c.ok("STARTTLS");
    c.secure(rustls::ALL_VERSIONS);
    c.ok("CAPABILITY");
    c.ok("AUTHENTICATE PLAIN AHUAcA==");
    let can = announced(&mut c);
    c.ok("ID (\"name\" \"Thunderbird for Android\" \"version\" \"8.0\")");
    c.check("NAMESPACE", &["* NAMESPACE ((\"\" \".\")) NIL NIL"], "OK");
    if has(&can, "LIST-EXTENDED") && has(&can, "SPECIAL-USE") {
        let told = c.ok("LIST \"\" \"*\" RETURN (SPECIAL-USE)");
        assert_eq!(names(&told), ALL);
    } else {
        assert_eq!(names(&c.ok("LIST \"\" \"*\"")), ALL);
    }
    assert_eq!(names(&c.ok("LSUB \"\" \"*\"")), SUBSCRIBED);
    select(&mut c, "SELECT \"INBOX\"", 3);
    c.check("UID SEARCH 1:* NOT DELETED", &["* SEARCH 1 2 3"], "OK");
    let fields = "date subject from content-type to cc reply-to message-id references in-reply-to \
                  list-unsubscribe sender X-K9mail-Identity Chat-Version";
    let command = format!(
        "UID FETCH 3,2,1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({fields})])"
    );
    fetch(&mut c, &command, 3, &["Subject: ", "Message-ID: ", "UID "]);
    fetch(
        &mut c,
        "UID FETCH 3 (UID BODYSTRUCTURE)",
        1,
        &["BODYSTRUCTURE (\"text\" \"plain\""],
    );
    fetch(
        &mut c,
        "UID FETCH 3 (UID BODY.PEEK[]<0.32768>)",
        1,
        &["BODY[]<0> {", "Hello."],
    );
    fetch(
        &mut c,
        "UID FETCH 2 (UID BODY.PEEK[TEXT])",
        1,
        &["BODY[TEXT] {8}\r\nHello."],
    );
    silent(&mut c, "UID STORE 3 +FLAGS.SILENT (\\Seen)");

    // Push has a connection for each folder; INBOX's hears of everything the others do.
    let mut push = server.client();
    select(&mut push, "SELECT \"INBOX\"", 3);
    let mut trash = server.client();
    select(&mut trash, "SELECT \"Trash\"", 0);
    let mut idle = push.idle();
    let mut idle_trash = trash.idle();
    let reply = c.run("UID MOVE 2 \"Trash\"");
    assert_eq!(reply.outcome(), "OK", "{reply:?}");
    idle.expect(&["* 2 EXPUNGE"]);
    idle_trash.expect(&["* 1 EXISTS"]);
    silent(&mut c, "UID STORE 1 +FLAGS.SILENT (\\Answered)");
    idle.expect(&["* 1 FETCH (FLAGS (\\Answered \\Seen))"]);
    server.maildir.deliver("INBOX", &message("four"));
    idle.expect(&["* 3 EXISTS"]);
    idle.done(&[]);
    idle_trash.done(&[]);
    c.check("NOOP", &["* 3 EXISTS"], "OK");

    let sent = message("sent");
    let uid = c.append("\"Sent\"", "(\\Seen) ", &sent);
    let mut c2 = server.selected("\"Sent\"");
    c2.check(
        "UID SEARCH HEADER MESSAGE-ID \"<sent@example.org>\"",
        &[&format!("* SEARCH {uid}")],
        "OK",
    );
    assert!(
        c.outcome("UID COPY 4 \"Trash\"")
            .starts_with("OK [COPYUID ")
    );
    silent(&mut c, "UID STORE 4 +FLAGS.SILENT (\\Deleted \\Seen)");
    c.check("UID EXPUNGE 4", &["* 3 EXPUNGE"], "OK");
    c.check("UID SEARCH 1:* NOT DELETED", &["* SEARCH 1 3"], "OK");
    c.check("LOGOUT", &["* BYE"], "OK");
}
