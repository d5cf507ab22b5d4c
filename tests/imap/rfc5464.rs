//! METADATA and METADATA-SERVER (RFC 5464): annotations of mailboxes and of the server.

use std::fs;
use std::sync::Arc;

use super::states;
use crate::harness::{Client, Kind, Maildir, Server, Setup, message, wait_until};

/// Sets an entry to a text, or takes it away.
fn set(c: &mut Client, mailbox: &str, entry: &str, value: &str) {
    c.check(
        &format!("SETMETADATA {mailbox} ({entry} {value})"),
        &[],
        "OK",
    );
}

/// Asks for values and demands these. A literal where a quoted string would do is as good as one: Dovecot sends no
/// other.
#[track_caller]
fn values(c: &mut Client, command: &str, expected: &[&str], outcome: &str) {
    let reply = c.run(command);
    let got: Vec<String> = reply.plain().iter().map(|line| quoted(line)).collect();
    assert_eq!(got, expected, "{command}");
    assert_eq!(reply.outcome(), outcome, "{command}");
}

/// The line with short literals of one line between quotes.
fn quoted(line: &str) -> String {
    let Some((front, rest)) = line.split_once("{") else {
        return line.to_owned();
    };
    let Some((size, rest)) = rest.split_once("}\r\n") else {
        return format!("{front}{{{}", quoted(rest));
    };
    let size: usize = size.parse().unwrap();
    let (text, rest) = rest.split_at(size);
    match text.contains('\n') {
        true => format!("{front}{{{size}}}\r\n{text}{}", quoted(rest)),
        false => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{front}\"{text}\"{}", quoted(rest))
        }
    }
}

/// §4.2: "When the mailbox name is the empty string, this command retrieves server annotations." The examples of
/// §4.2 and §4.3.
#[test]
fn the_examples() {
    let server = Server::start();
    let mut c = server.client();
    // Dovecot lets nobody change what is shared there.
    let entry = server.either("/shared/comment", "/private/comment");
    set(&mut c, "\"\"", entry, "\"Shared comment\"");
    values(
        &mut c,
        &format!("GETMETADATA \"\" {entry}"),
        &[&format!("* METADATA \"\" ({entry} \"Shared comment\")")],
        "OK",
    );
    set(&mut c, "INBOX", "/private/comment", "\"My own comment\"");
    values(
        &mut c,
        "GETMETADATA \"INBOX\" /private/comment",
        &["* METADATA INBOX (/private/comment \"My own comment\")"],
        "OK",
    );
    // "Multiple entries can be set in a single SETMETADATA command by listing entry-value pairs in the list."
    c.check(
        "SETMETADATA INBOX (/private/comment \"My new comment\" /shared/comment \"This one is for you!\")",
        &[],
        "OK",
    );
    values(
        &mut c,
        "GETMETADATA \"INBOX\" (/shared/comment /private/comment)",
        &[
            "* METADATA INBOX (/shared/comment \"This one is for you!\" /private/comment \"My new comment\")",
        ],
        "OK",
    );
    // "the entry "/private/comment" is removed from the mailbox "INBOX"."
    set(&mut c, "INBOX", "/private/comment", "NIL");
    values(
        &mut c,
        "GETMETADATA INBOX (/private/comment)",
        &["* METADATA INBOX (/private/comment NIL)"],
        "OK",
    );
    // "My new comment across two lines."
    let text = "My new comment across\r\ntwo lines.\r\n";
    let size = text.len();
    let command = format!("SETMETADATA INBOX (/private/comment {{{size}}}\r\n{text})");
    c.check(&command, &[], "OK");
    let answer = format!("* METADATA INBOX (/private/comment {{{size}}}\r\n{text})");
    values(
        &mut c,
        "GETMETADATA INBOX /private/comment",
        &[&answer],
        "OK",
    );
}

/// §4.2.1: "Only entry values that are less than or equal in octet size to the specified MAXSIZE limit are returned.
/// If there are any entries with values larger than the MAXSIZE limit, the server MUST include the METADATA
/// LONGENTRIES response code in the tagged OK response".
#[test]
fn maxsize() {
    let server = Server::start();
    let mut c = server.client();
    let long = format!("{{2199+}}\r\n{}", "x".repeat(2199));
    set(&mut c, "INBOX", "/shared/comment", &long);
    set(&mut c, "INBOX", "/private/comment", "\"My own comment\"");
    let own = "* METADATA INBOX (/private/comment \"My own comment\")";
    let both = "(/shared/comment /private/comment)";
    for command in [
        format!("GETMETADATA \"INBOX\" (MAXSIZE 1024) {both}"),
        format!("GETMETADATA (MAXSIZE 1024) \"INBOX\" {both}"),
    ] {
        // Dovecot knows the one form alone.
        if server.kind == Kind::Culver || command.starts_with("GETMETADATA (") {
            values(&mut c, &command, &[own], "OK [METADATA LONGENTRIES 2199]");
        }
    }
    values(
        &mut c,
        "GETMETADATA (MAXSIZE 14) INBOX (/private/comment)",
        &[own],
        "OK",
    );
    values(
        &mut c,
        "GETMETADATA (MAXSIZE 13) INBOX /private/comment",
        &[],
        "OK [METADATA LONGENTRIES 14]",
    );
}

/// §4.2.2: the three depths, and ""depth 1" for an entry "/a" will match "/a" as well as its children entries (e.g.,
/// "/a/b"), but will not match grandchildren entries (e.g., "/a/b/c")."
#[test]
fn depth() {
    let server = Server::start();
    let mut c = server.client();
    for (below, value) in [
        ("small", "SMALLER 5000"),
        ("boss", "FROM \\\"boss@example.com\\\""),
        ("deep/er", "x"),
        ("deep/er/still", "y"),
    ] {
        let value = format!("\"{value}\"");
        set(
            &mut c,
            "INBOX",
            &format!("/private/filters/values/{below}"),
            &value,
        );
    }
    let entries = |c: &mut Client, command: &str| {
        let mut found: Vec<String> = Vec::new();
        for line in c.ok(command) {
            let line = quoted(&line);
            let values = line.strip_prefix("* METADATA INBOX (").unwrap();
            let values = crate::harness::client::split_values(values.trim_end_matches(')'));
            let names = values.chunks(2).filter(|pair| pair[1] != "NIL");
            found.extend(names.map(|pair| pair[0].trim_start_matches("/private/").to_owned()));
        }
        found.sort();
        found
    };
    let values = "/private/filters/values";
    for (depth, expected) in [
        ("0", &[][..]),
        ("1", &["filters/values/boss", "filters/values/small"]),
        (
            "infinity",
            &[
                "filters/values/boss",
                "filters/values/deep/er",
                "filters/values/deep/er/still",
                "filters/values/small",
            ],
        ),
    ] {
        let command = format!("GETMETADATA (DEPTH {depth}) INBOX ({values})");
        assert_eq!(entries(&mut c, &command), expected, "{depth}");
    }
    let at = format!("GETMETADATA (DEPTH 1) INBOX ({values}/deep/er)");
    assert_eq!(
        entries(&mut c, &at),
        ["filters/values/deep/er", "filters/values/deep/er/still"]
    );
    if server.kind == Kind::Culver {
        // The form of the example, and what is named twice comes once.
        let command = format!("GETMETADATA INBOX (DEPTH 1) ({values} {values}/boss {values})");
        let all = c.ok(&command);
        assert_eq!(
            all,
            [
                "* METADATA INBOX (/private/filters/values/boss \"FROM \\\"boss@example.com\\\"\" \
              /private/filters/values/small \"SMALLER 5000\")"
            ]
        );
        let command = "GETMETADATA (DEPTH infinity) INBOX /private";
        assert_eq!(entries(&mut c, command).len(), 4);
    }
}

/// §3.2: "Entry names are case-insensitive." A value is octets: "NIL (has no value), or a string or binary data of
/// zero or more octets."
#[test]
fn names_and_values() {
    let server = Server::start();
    let mut c = server.client();
    set(&mut c, "INBOX", "/Shared/Comment", "\"\"");
    for name in ["/shared/comment", "/SHARED/Comment"] {
        // In the client's own spelling; Dovecot's is in lower case.
        let shown = server.either(name, "/shared/comment");
        let answer = format!("* METADATA INBOX ({shown} \"\")");
        let command = format!("GETMETADATA INBOX {name}");
        values(&mut c, &command, &[&answer], "OK");
    }
    if server.either(false, true) {
        return;
    }
    let name = "/private/vendor/example/zwölf";
    let literal = format!("{{{}+}}\r\n{name}", name.len());
    c.bad(&format!("GETMETADATA INBOX {literal}"));
    let spaced = "\"/private/vendor/example/two words\"";
    set(&mut c, "INBOX", spaced, "{6+}\r\nzw\u{f6}lf");
    c.check(
        &format!("GETMETADATA INBOX {spaced}"),
        &[&format!("* METADATA INBOX ({spaced} {{6}}\r\nzw\u{f6}lf)")],
        "OK",
    );
    // `value = nstring / literal8`
    let all: Vec<u8> = (0..=255).collect();
    let command = [
        b"SETMETADATA INBOX (/private/comment ~{256+}\r\n",
        &*all,
        b")",
    ]
    .concat();
    assert_eq!(c.run_bytes(&command).outcome(), "OK");
    let tag = c.next_tag();
    c.send(format!("{tag} GETMETADATA INBOX /private/comment\r\n").as_bytes());
    let line = c.line();
    let front = b"* METADATA INBOX (/private/comment ~{256}\r\n";
    assert_eq!(line, [front, &*all, b")"].concat());
    assert_eq!(c.until_tagged(&tag).outcome(), "OK");
}

/// §3.2: "Invalid entry names result in a BAD response in any IMAP command in which they are used."
#[test]
fn what_is_no_name() {
    let server = Server::start();
    let mut c = server.client();
    for name in [
        "/comment",
        "/shared",
        "/shared/",
        "/shared//comment",
        "/shared/com*ment",
        "/shared/com%ment",
        "/shared/vendor/example",
    ] {
        let wrong = format!("SETMETADATA INBOX (\"{name}\" \"x\")");
        // Dovecot says NO to some of them, and takes others.
        if server.kind == Kind::Culver {
            c.bad(&wrong);
        } else {
            c.run(&wrong);
        }
    }
    let wrong = [
        "",
        " ",
        " INBOX",
        " INBOX ()",
        " INBOX x",
        " (SIZE 1) INBOX /shared/x",
    ];
    states::bad_arguments(&server, &mut c, "GETMETADATA", &wrong);
    let wrong = [
        "",
        " INBOX",
        " INBOX ()",
        " INBOX /shared/x \"y\"",
        " INBOX (/shared/x y)",
    ];
    states::bad_arguments(&server, &mut c, "SETMETADATA", &wrong);
}

/// §4.1: "Servers SHOULD ensure that mailbox annotations are automatically moved when the mailbox they refer to is
/// renamed", "annotations are copied from the original INBOX to the renamed mailbox", and "SHOULD delete annotations
/// for a mailbox when the mailbox is deleted".
#[test]
fn they_go_where_their_mailbox_goes() {
    for fs_layout in [false, true] {
        let maildir = Arc::new(Maildir::new());
        let setup = Setup::new(Kind::chosen());
        let setup = if fs_layout { setup.fs_layout() } else { setup };
        let server = setup.start(&maildir);
        let mut c = server.client();
        let comment = |c: &mut Client, mailbox: &str| {
            let lines = c.ok(&format!("GETMETADATA {mailbox} /shared/comment"));
            let front = format!("* METADATA {mailbox} (/shared/comment ");
            quoted(&lines[0]).strip_prefix(&front).unwrap().to_owned()
        };
        c.ok("CREATE a");
        set(&mut c, "a", "/shared/comment", "\"of a\"");
        c.ok("RENAME a b");
        assert_eq!(comment(&mut c, "b"), "\"of a\")");
        c.ok("CREATE a");
        assert_eq!(comment(&mut c, "a"), "NIL)");
        c.ok("DELETE b");
        c.ok("CREATE b");
        assert_eq!(comment(&mut c, "b"), "NIL)");
        if server.kind == Kind::Culver {
            set(&mut c, "INBOX", "/shared/comment", "\"of INBOX\"");
            c.ok("RENAME INBOX old");
            assert_eq!(comment(&mut c, "INBOX"), "\"of INBOX\")");
            assert_eq!(comment(&mut c, "old"), "\"of INBOX\")");
        }
        // "the server MUST respond with a NO response" where the mailbox is not there.
        c.no("GETMETADATA nosuch /shared/comment");
        c.no("SETMETADATA nosuch (/shared/comment \"x\")");
    }
}

/// They are on disk when the OK comes, the server's beside the subscriptions; and each user has their own.
#[test]
fn they_are_kept() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let maildirs = [Arc::new(Maildir::new()), Arc::new(Maildir::new())];
    let setup = || {
        Setup::new(Kind::Culver)
            .user("anna", &maildirs[0])
            .user("bert", &maildirs[1])
    };
    let server = setup().start(&maildirs[0]);
    let mut c = server.connect();
    c.login_as("anna");
    set(&mut c, "\"\"", "/shared/comment", "\"of the server\"");
    set(&mut c, "INBOX", "/private/comment", "\"of INBOX\"");
    let text = |name: &str| fs::read_to_string(maildirs[0].path().join(name)).unwrap();
    assert_eq!(
        text("culver.metadata-server"),
        "V\t1\n/shared/comment\tof the server\n"
    );
    assert_eq!(
        text("culver.metadata"),
        "V\t1\n/private/comment\tof INBOX\n"
    );
    server.kill();
    let server = setup().start(&maildirs[0]);
    for (user, comment) in [("anna", "\"of the server\""), ("bert", "NIL")] {
        let mut c = server.connect();
        c.login_as(user);
        let answer = format!("* METADATA \"\" (/shared/comment {comment})");
        c.check("GETMETADATA \"\" /shared/comment", &[&answer], "OK");
    }
}

/// §4.3: "When any one annotation fails to be set, resulting in a tagged NO response from the server, then the server
/// MUST NOT change the values for other annotations specified in the SETMETADATA command." §3.2.1.1 of
/// `/shared/admin`: "This entry is always read-only -- clients cannot change it."
#[test]
fn all_or_nothing() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    set(&mut c, "\"\"", "/shared/comment", "\"before\"");
    c.check(
        "SETMETADATA \"\" (/shared/comment \"after\" /shared/Admin \"mailto:me\")",
        &[],
        "NO [NOPERM]",
    );
    let long = format!("{{70000+}}\r\n{}", "x".repeat(70_000));
    c.check(
        &format!("SETMETADATA \"\" (/shared/comment \"after\" /private/comment {long})"),
        &[],
        "NO [METADATA MAXSIZE 65536]",
    );
    c.check(
        "GETMETADATA \"\" (/shared/comment /shared/admin)",
        &["* METADATA \"\" (/shared/comment \"before\" /shared/admin NIL)"],
        "OK",
    );
    // Where the last of several values for one entry is the one.
    set(
        &mut c,
        "\"\"",
        "/shared/comment \"x\" /Shared/Comment",
        "\"y\"",
    );
    c.check(
        "GETMETADATA \"\" /shared/comment",
        &["* METADATA \"\" (/shared/comment \"y\")"],
        "OK",
    );
}

/// §4.4: "When unsolicited responses are activated by the ENABLE command for this extension, servers MUST send
/// unsolicited METADATA responses if server or mailbox annotations are changed by a third-party". §4.1: they "MUST only
/// send unsolicited responses if the client used the ENABLE command". They "MUST only contain entry names".
#[test]
fn what_others_change() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut hears = server.client();
    hears.check("ENABLE METADATA", &["* ENABLED METADATA"], "OK");
    let mut idles = server.selected("INBOX");
    idles.check(
        "enable metadata-server",
        &["* ENABLED METADATA-SERVER"],
        "OK",
    );
    let mut deaf = server.client();
    let mut c = server.client();
    let mut idle = idles.idle();
    set(&mut c, "\"\"", "/shared/comment", "\"x\"");
    idle.expect(&["* METADATA \"\" /shared/comment"]);
    c.check(
        "SETMETADATA INBOX (/shared/comment \"x\" /private/comment \"y\")",
        &[],
        "OK",
    );
    idle.done(&["* METADATA INBOX /shared/comment /private/comment"]);
    hears.check(
        "NOOP",
        &[
            "* METADATA \"\" /shared/comment",
            "* METADATA INBOX /shared/comment /private/comment",
        ],
        "OK",
    );
    deaf.check("NOOP", &[], "OK");
    // §4.3: "The server SHOULD NOT return a METADATA response containing the updated annotation data."
    set(&mut hears, "INBOX", "/private/comment", "NIL");
    hears.check("NOOP", &[], "OK");
    // What is not to be said goes with none.
    c.check(
        "SETMETADATA nosuch (/shared/comment \"x\")",
        &[],
        "NO [NONEXISTENT]",
    );
    hears.check("NOOP", &[], "OK");
    // News of messages beside it.
    c.append("INBOX", "", &message("one"));
    set(&mut c, "INBOX", "/private/comment", "\"z\"");
    let news = [
        "* METADATA INBOX /private/comment",
        "* METADATA INBOX /private/comment",
        "* 1 EXISTS",
    ];
    idles.check("NOOP", &news, "OK");
}

/// RFC 6154 §4: a server "SHOULD tie the special-use attributes for a mailbox to its metadata entry
/// "/private/specialuse"", and "MUST check the validity of changes". Its example of §5.4.
#[test]
fn special_use() {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::Culver)
        .mail_settings("auto-create = { Post = \"\\\\Archive\" }\n")
        .start(&maildir);
    let mut c = server.client();
    for name in [
        "SentMail (USE (\\Sent))",
        "MyDrafts (USE (\\Drafts))",
        "SavedDrafts",
        "Trash",
    ] {
        c.ok(&format!("CREATE {name}"));
    }
    c.check(
        "GETMETADATA MyDrafts /private/specialuse",
        &["* METADATA MyDrafts (/private/specialuse \"\\\\Drafts\")"],
        "OK",
    );
    let mut other = server.client();
    other.ok("ENABLE METADATA");
    // "Set new use for SavedDrafts; MyDrafts changes automatically".
    set(
        &mut c,
        "SavedDrafts",
        "/private/specialuse",
        "\"\\\\drafts\"",
    );
    other.check(
        "NOOP",
        &[
            "* METADATA SavedDrafts /private/specialuse",
            "* METADATA MyDrafts /private/specialuse",
        ],
        "OK",
    );
    set(&mut c, "SentMail", "/private/specialuse", "NIL");
    c.check_sorted(
        "LIST \"\" \"%\" RETURN (SPECIAL-USE)",
        &[
            "* LIST () \".\" INBOX",
            "* LIST () \".\" SentMail",
            "* LIST () \".\" MyDrafts",
            "* LIST (\\Drafts) \".\" SavedDrafts",
            "* LIST (\\Trash) \".\" Trash",
            "* LIST (\\Archive) \".\" Post",
        ],
        "OK",
    );
    // By its name or by the configuration it is tied too.
    for (name, purpose) in [("Trash", "\\\\Trash"), ("Post", "\\\\Archive")] {
        let answer = format!("* METADATA {name} (/private/specialuse \"{purpose}\")");
        c.check(
            &format!("GETMETADATA {name} /private/specialuse"),
            &[&answer],
            "OK",
        );
        let nil = format!("SETMETADATA {name} (/private/specialuse NIL)");
        c.check(&nil, &[], "NO [USEATTR]");
    }
    c.check(
        "GETMETADATA (DEPTH infinity) Trash /private",
        &["* METADATA Trash (/private/specialuse \"\\\\Trash\")"],
        "OK",
    );
    for wrong in [
        "\\\\All",
        "\\\\Flagged",
        "\\\\Future",
        "Sent",
        "\\\\Sent \\\\Junk",
    ] {
        let command = format!("SETMETADATA SentMail (/private/specialuse \"{wrong}\")");
        c.check(&command, &[], "NO [USEATTR]");
    }
    let other_use = "SETMETADATA Post (/private/specialuse \"\\\\Sent\")";
    c.check(other_use, &[], "NO [USEATTR]");
    // A name that only guesses stands back.
    set(&mut c, "SentMail", "/private/specialuse", "\"\\\\Trash\"");
    set(&mut c, "Trash", "/private/specialuse", "NIL");
    c.check(
        "LIST (SPECIAL-USE) \"\" *",
        &[
            "* LIST (\\Archive) \".\" Post",
            "* LIST (\\Drafts) \".\" SavedDrafts",
            "* LIST (\\Trash) \".\" SentMail",
        ],
        "OK",
    );
}

/// Sessions that change one mailbox's annotations at once lose none.
#[test]
fn at_once() {
    let server = Server::start();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let mut c = server.client();
            std::thread::spawn(move || {
                for round in 0..10 {
                    set(
                        &mut c,
                        "INBOX",
                        &format!("/private/t{thread}/r{round}"),
                        "\"x\"",
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let mut c = server.client();
    let lines = c
        .ok("GETMETADATA (DEPTH infinity) INBOX (/private/t0 /private/t1 /private/t2 /private/t3)");
    assert_eq!(quoted(&lines.concat()).matches("\"x\"").count(), 40);
    wait_until("no lock stays", || {
        !server.maildir.path().join("culver.metadata.lock").exists()
    });
}
