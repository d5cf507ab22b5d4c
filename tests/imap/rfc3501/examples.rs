//! The examples of RFC 3501 §6, command by command, with their own names and numbers. Where a command's own file has its
//! example (NOOP, LOGOUT, EXPUNGE, STARTTLS) it is not here again; and not where it is of news groups, of another user's
//! directory, of a mechanism that is not to be had, or of a command that nobody has.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// A server whose delimiter is the slash of most examples.
fn with_slashes() -> (Server, Client) {
    let server = Setup::new(Kind::chosen())
        .fs_layout()
        .start(&Arc::new(Maildir::new()));
    let c = server.client();
    (server, c)
}

/// The names that LIST gives, and whether each can be selected.
#[track_caller]
fn listed(c: &mut Client, arguments: &str) -> Vec<(String, bool)> {
    let lines = c.ok(&format!("LIST {arguments}"));
    let mut names: Vec<(String, bool)> = lines
        .iter()
        .map(|line| {
            let name = line.rsplit(' ').next().unwrap();
            let selectable = !line.to_ascii_lowercase().contains("\\noselect");
            (name.trim_matches('"').to_owned(), selectable)
        })
        .collect();
    names.retain(|(name, _)| name != "INBOX");
    names.sort();
    names
}

fn named(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    let owned = names.iter().map(|(name, is)| ((*name).to_owned(), *is));
    owned.collect()
}

/// §6.3.1 and §6.3.2: SELECT MUST tell FLAGS, EXISTS, RECENT, and in codes the first unseen, the flags that stay, UIDNEXT
/// and UIDVALIDITY; EXAMINE tells the same, MUST say READ-ONLY, and takes \Recent from nobody.
#[test]
fn select_and_examine() {
    let maildir = Arc::new(Maildir::new());
    let uids: Vec<u32> = (1..=171).collect();
    maildir.numbered("INBOX", 3_857_529_045, 4391, &uids);
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.ok("STORE 1:11 +FLAGS.SILENT (\\Seen)");
    c.ok("CLOSE");
    maildir.deliver("INBOX", &message("172"));
    for (command, outcome, permanent) in [
        ("EXAMINE INBOX", "OK [READ-ONLY]", "()"),
        (
            "SELECT INBOX",
            "OK [READ-WRITE]",
            "(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)",
        ),
    ] {
        let reply = c.run(command);
        assert_eq!(reply.outcome(), outcome);
        let told = reply.plain();
        for line in [
            "* 172 EXISTS",
            "* 1 RECENT",
            "* OK [UNSEEN 12]",
            "* OK [UIDVALIDITY 3857529045]",
            "* OK [UIDNEXT 4392]",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            &format!("* OK [PERMANENTFLAGS {permanent}]"),
        ] {
            let count = told.iter().filter(|one| *one == line).count();
            assert_eq!(count, 1, "{command}: {line} in {told:?}");
        }
    }
    c.ok("UNSELECT");
    let told = c.ok("SELECT INBOX");
    assert!(told.contains(&"* 0 RECENT".to_owned()), "{told:?}");
}

/// §6.3.3: a delimiter at the end is a word of what comes below, and makes the name without it or nothing.
#[test]
fn create() {
    let (_server, mut c) = with_slashes();
    c.ok("CREATE owatagusiam/");
    c.ok("CREATE owatagusiam/blurdybloop");
    let names = listed(&mut c, "\"\" *");
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names[0].0, "owatagusiam");
    assert_eq!(names[1], ("owatagusiam/blurdybloop".to_owned(), true));
}

/// §6.3.4, the first example: a name that cannot be selected goes once there is nothing below it, and not before.
#[test]
fn delete_what_has_mailboxes_below() {
    let (_server, mut c) = with_slashes();
    c.ok("CREATE blurdybloop");
    c.ok("CREATE foo/bar");
    assert_eq!(
        listed(&mut c, "\"\" *"),
        named(&[("blurdybloop", true), ("foo", false), ("foo/bar", true)])
    );
    c.ok("DELETE blurdybloop");
    c.no("DELETE foo");
    c.ok("DELETE foo/bar");
    // The RFC's server still has the name, and takes another DELETE for it; here it goes with what was below it.
    let left = listed(&mut c, "\"\" *");
    if left == named(&[("foo", false)]) {
        c.ok("DELETE foo");
    }
    assert_eq!(listed(&mut c, "\"\" *"), []);
}

/// §6.3.4, the second example: a mailbox goes, what is below it MUST stay, and its name is one that cannot be selected.
#[test]
fn delete_and_leave_what_is_below() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["blurdybloop", "foo", "foo.bar"] {
        c.ok(&format!("CREATE {name}"));
    }
    let all = [("blurdybloop", true), ("foo", true), ("foo.bar", true)];
    assert_eq!(listed(&mut c, "\"\" *"), named(&all));
    c.ok("DELETE blurdybloop");
    c.ok("DELETE foo");
    if server.either(false, true) {
        return; // Its list is a second old.
    }
    assert_eq!(
        listed(&mut c, "\"\" *"),
        named(&[("foo", false), ("foo.bar", true)])
    );
    assert_eq!(listed(&mut c, "\"\" %"), named(&[("foo", false)]));
}

/// §6.3.5: names below MUST follow; of INBOX the messages go, INBOX stays, and so does what is below it.
#[test]
fn rename() {
    let (_server, mut c) = with_slashes();
    for name in ["blurdybloop", "foo", "foo/bar"] {
        c.ok(&format!("CREATE {name}"));
    }
    c.ok("RENAME blurdybloop sarasoon");
    c.ok("RENAME foo zowie");
    assert_eq!(
        listed(&mut c, "\"\" *"),
        named(&[("sarasoon", true), ("zowie", true), ("zowie/bar", true)])
    );
    let server = Server::start();
    if server.either(false, true) {
        return; // It does not rename INBOX.
    }
    let mut c = server.client();
    c.ok("CREATE INBOX.bar");
    c.append("INBOX", "", &message("one"));
    c.ok("RENAME INBOX old-mail");
    assert_eq!(
        listed(&mut c, "\"\" *"),
        named(&[("INBOX.bar", true), ("old-mail", true)])
    );
    for (name, count) in [("INBOX", 0), ("old-mail", 1)] {
        let line = format!("* STATUS {name} (MESSAGES {count})");
        c.check(&format!("STATUS {name} (MESSAGES)"), &[&line], "OK");
    }
}

/// §6.3.6, §6.3.7 and §6.3.9: of what is subscribed to below a name that "%" ends at, the name is told, as one that cannot
/// be selected.
#[test]
fn subscribe_lsub_and_unsubscribe() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["news.comp.mail.mime", "news.comp.mail.misc"] {
        c.ok(&format!("CREATE {name}"));
        c.ok(&format!("SUBSCRIBE {name}"));
    }
    c.check_sorted(
        "LSUB \"news.\" \"comp.mail.*\"",
        &[
            "* LSUB () \".\" news.comp.mail.mime",
            "* LSUB () \".\" news.comp.mail.misc",
        ],
        "OK",
    );
    c.check(
        "LSUB \"news.\" \"comp.%\"",
        &["* LSUB (\\Noselect) \".\" news.comp.mail"],
        "OK",
    );
    for name in ["news.comp.mail.mime", "news.comp.mail.misc"] {
        c.ok(&format!("UNSUBSCRIBE {name}"));
    }
    c.check("LSUB \"\" *", &[], "OK");
}

/// §6.3.8: the delimiter for the asking, and names behind a reference, one level of them.
#[test]
fn list() {
    let (_server, mut c) = with_slashes();
    c.ok("CREATE Mail/foo");
    c.ok("CREATE Mail/meetings");
    c.ok("CREATE Mail/meetings/below");
    c.check("LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\""], "OK");
    assert_eq!(
        listed(&mut c, "Mail/ %"),
        named(&[("Mail/foo", true), ("Mail/meetings", true)])
    );
}

/// §6.3.10: of a mailbox that is not selected, and of nothing but what was asked for.
#[test]
fn status() {
    let maildir = Arc::new(Maildir::new());
    let uids: Vec<u32> = (1..=231).collect();
    maildir.numbered("blurdybloop", 7, 44292, &uids);
    let server = Server::on(&maildir);
    let line = server
        .client()
        .ok("STATUS blurdybloop (UIDNEXT MESSAGES)")
        .remove(0);
    assert!(
        [
            "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
            "* STATUS blurdybloop (UIDNEXT 44292 MESSAGES 231)",
        ]
        .contains(&&*line),
        "{line}"
    );
}

/// §6.3.11: the message follows the server's "+", 310 octets of it.
#[test]
fn append() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE saved-messages");
    let text = "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\n\
                From: Fred Foobar <foobar@Blurdybloop.COM>\r\nSubject: afternoon meeting\r\n\
                To: mooch@owatagu.siam.edu\r\nMessage-Id: <B27397-0100000@Blurdybloop.COM>\r\n\
                MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n\
                Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n";
    assert_eq!(text.len(), 310);
    c.send(b"A003 APPEND saved-messages (\\Seen) {310}\r\n");
    assert!(c.line().starts_with(b"+ "));
    c.send(format!("{text}\r\n").as_bytes());
    assert!(c.until_tagged("A003").tagged.starts_with("OK"));
    c.ok("EXAMINE saved-messages");
    c.check(
        "FETCH 1 (FLAGS RFC822.SIZE BODY[TEXT])",
        &["* 1 FETCH (BODY[TEXT] {55}\r\nHello Joe, do you think we can meet at 3:30 tomorrow?\r\n \
           FLAGS (\\Seen \\Recent) RFC822.SIZE 310)"],
        "OK",
    );
}

/// A message from somebody, of a day, with a text.
fn from(who: &str, date: &str, text: &str) -> String {
    format!(
        "Date: {date}\r\nFrom: {who}\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
}

/// §6.4.4: several keys are one and the other; nothing that is found is an answer too; a literal in UTF-8, that MUST be
/// understood where the charset is.
#[test]
fn search() {
    let server = Server::start();
    let mut c = server.client();
    let internal = |year: u32| format!("\" 7-Feb-{year} 22:43:04 -0800\" ");
    for (flags, year, who, text) in [
        ("(\\Flagged) ", 1993, "Joe", "a"),
        ("(\\Flagged) ", 1994, "Joe", "b"),
        ("(\\Flagged) ", 1994, "John Smith <js@example.org>", "c"),
        ("", 1995, "Joe", "мир"),
        ("(\\Flagged \\Deleted) ", 1996, "Joe", "d"),
    ] {
        let options = format!("{flags}{}", internal(year));
        c.append(
            "INBOX",
            &options,
            &from(who, "Mon, 7 Feb 1994 21:52:25 -0800", text),
        );
    }
    c.ok("SELECT INBOX");
    c.check(
        "SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        &["* SEARCH 2 5"],
        "OK",
    );
    c.check("SEARCH TEXT \"string not in mailbox\"", &["* SEARCH"], "OK");
    c.check(
        "SEARCH CHARSET UTF-8 TEXT {6}\r\nмир",
        &["* SEARCH 4"],
        "OK",
    );
}

/// §6.4.5 and §6.4.6: fields of the header as they are, which is reading; and flags that are added to others.
#[test]
fn fetch_and_store() {
    let server = Server::start();
    let mut c = server.client();
    for flags in ["", "", "(\\Seen) ", "(\\Flagged \\Seen) "] {
        c.append(
            "INBOX",
            flags,
            &from(
                "Joe <joe@example.org>",
                "Mon, 7 Feb 1994 21:52:25 -0800",
                "x",
            ),
        );
    }
    c.ok("SELECT INBOX");
    // Nothing is recent to the next one.
    c.ok("SELECT INBOX");
    let fields = "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: Joe <joe@example.org>\r\n\r\n";
    let line = |number: u32, flags: &str| {
        format!(
            "* {number} FETCH (BODY[HEADER.FIELDS (DATE FROM)] {{{}}}\r\n{fields} FLAGS ({flags}))",
            fields.len()
        )
    };
    let expected = [
        line(2, "\\Seen"),
        line(3, "\\Seen"),
        line(4, "\\Flagged \\Seen"),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    c.check(
        "FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
        &expected,
        "OK",
    );
    c.ok("STORE 3 -FLAGS.SILENT (\\Seen)");
    c.check(
        "STORE 2:4 +FLAGS (\\Deleted)",
        &[
            "* 2 FETCH (FLAGS (\\Deleted \\Seen))",
            "* 3 FETCH (FLAGS (\\Deleted))",
            "* 4 FETCH (FLAGS (\\Flagged \\Deleted \\Seen))",
        ],
        "OK",
    );
}

/// §6.4.7 and §6.4.8: the numbers behind FETCH are of the mailbox, those asked for are UIDs, and most of them do not exist.
#[test]
fn copy_and_uid_fetch() {
    let maildir = Arc::new(Maildir::new());
    let last = [4_827_313, 4_827_943, 4_828_442, 4_828_443];
    let uids: Vec<u32> = (1..=22).chain(last).collect();
    maildir.numbered("INBOX", 7, 5_000_000, &uids);
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.ok("STORE 23:25 +FLAGS.SILENT (\\Seen)");
    c.check(
        "UID FETCH 4827313:4828442 FLAGS",
        &[
            "* 23 FETCH (FLAGS (\\Seen) UID 4827313)",
            "* 24 FETCH (FLAGS (\\Seen) UID 4827943)",
            "* 25 FETCH (FLAGS (\\Seen) UID 4828442)",
        ],
        "OK",
    );
    c.ok("CREATE MEETING");
    c.ok("COPY 2:4 MEETING");
    c.ok("SELECT MEETING");
    for (number, subject) in [(1, "m2"), (2, "m3"), (3, "m4")] {
        let found = format!("* SEARCH {number}");
        c.check(&format!("SEARCH SUBJECT {subject}"), &[&found], "OK");
    }
    c.check("SEARCH ALL", &["* SEARCH 1 2 3"], "OK");
}
