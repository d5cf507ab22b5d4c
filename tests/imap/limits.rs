//! Limits: each of them reached, and what the server says one beyond. The numbers are those of the manual, so
//! that it says what the program does; only the settings have theirs from here.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup, message, wait_until};

const MANUAL: &str = include_str!("../../man/culver.1");

/// The lines of the manual's LIMITS: what, how much, and the answer.
fn manual() -> impl Iterator<Item = (&'static str, usize, &'static str)> {
    MANUAL.lines().filter_map(|line| {
        let mut columns = line.strip_prefix(".It ")?.split(" Ta ");
        let (what, most, answer) = (columns.next()?, columns.next()?, columns.next()?);
        Some((what, most.parse().ok()?, answer))
    })
}

/// What the manual says of one of them.
#[track_caller]
pub(crate) fn stated(what: &str) -> (usize, &'static str) {
    let found = manual().find(|(name, ..)| *name == what);
    let (_, most, answer) = found.unwrap_or_else(|| panic!("{what} is not in the manual"));
    (most, answer)
}

#[test]
fn every_limit_of_the_manual_is_reached_here() {
    let here = [
        include_str!("limits.rs"),
        include_str!("limits_of_messages.rs"),
        include_str!("rfc5465/mod.rs"),
        include_str!("store.rs"),
        include_str!("../process/lmtp.rs"),
    ]
    .concat();
    assert!(manual().count() > 30);
    for (what, ..) in manual() {
        assert!(here.contains(&format!("\"{what}\"")), "{what}");
    }
}

fn culver() -> Setup {
    Setup::new(Kind::Culver)
}

fn words(front: &str, word: &str, count: usize, end: &str) -> String {
    format!("{front}{}{end}", vec![word; count].join(" "))
}

/// What, a command with so many of it, and what answers it where they are not too many.
type List = (&'static str, fn(usize) -> String, &'static str);

const LISTS: &[List] = &[
    (
        "ranges of a set",
        |count| format!("FETCH {} UID", vec!["1"; count].join(",")),
        "OK",
    ),
    (
        "keys of a SEARCH",
        |count| words("SEARCH ", "ALL", count, ""),
        "OK",
    ),
    (
        "nesting of search keys",
        |depth| format!("SEARCH {}ALL{}", "(".repeat(depth), ")".repeat(depth)),
        "OK",
    ),
    (
        "nesting of search keys",
        |depth| format!("SEARCH {}ALL", "NOT ".repeat(depth)),
        "OK",
    ),
    (
        "nesting of search keys",
        |depth| format!("SEARCH {}ALL", "OR ALL ".repeat(depth)),
        "OK",
    ),
    (
        "result options of a SEARCH",
        |count| words("SEARCH RETURN (", "MIN", count, ") ALL"),
        "OK",
    ),
    (
        "criteria of a SORT",
        |count| words("SORT (", "REVERSE DATE", count, ") UTF-8 ALL"),
        "OK",
    ),
    (
        "mailboxes of an ESEARCH",
        |count| words("ESEARCH IN (mailboxes (", "nosuch", count, ")) ALL"),
        "OK",
    ),
    (
        "tags of a CANCELUPDATE",
        |count| words("CANCELUPDATE ", "\"x\"", count, ""),
        "NO",
    ),
    (
        "items of a FETCH",
        |count| words("FETCH 1 (", "UID", count, ")"),
        "OK",
    ),
    (
        "names in HEADER.FIELDS",
        |count| words("FETCH 1 BODY.PEEK[HEADER.FIELDS (", "A", count, ")]"),
        "OK",
    ),
    (
        "part numbers of a section",
        |count| format!("FETCH 1 BODY.PEEK[{}]", vec!["1"; count].join(".")),
        "OK",
    ),
    (
        "flags of a STORE or APPEND",
        |count| words("STORE 1 FLAGS (", "\\Seen", count, ")"),
        "OK",
    ),
    (
        "flags of a STORE or APPEND",
        |count| words("APPEND INBOX (", "\\Seen", count, ") {2+}\r\nx\n"),
        "OK [APPENDUID",
    ),
    (
        "parts of a CATENATE",
        |count| words("APPEND INBOX CATENATE (", "URL ;UID=1", count, ")"),
        "OK [APPENDUID",
    ),
    (
        "octets of a URL",
        |count| {
            let name = "%61".repeat(count / 3);
            let rest = "x".repeat(count - 3 * (count / 3));
            format!("APPEND INBOX CATENATE (URL \"{rest}{name}\")")
        },
        "NO [BADURL",
    ),
    (
        "octets of a keyword",
        |count| format!("SEARCH KEYWORD {}", "k".repeat(count)),
        "OK",
    ),
    (
        "octets of a mailbox's directory",
        |count| format!("CREATE {}", "x".repeat(count - 1)),
        "OK",
    ),
    (
        "items of a STATUS",
        |count| words("STATUS INBOX (", "UNSEEN", count, ")"),
        "OK",
    ),
    (
        "patterns of a LIST",
        |count| words("LIST \"\" (", "x", count, ")"),
        "OK",
    ),
    (
        "options of a LIST",
        |count| words("LIST (", "REMOTE", count, ") \"\" x"),
        "OK",
    ),
    (
        "options of a LIST",
        |count| words("LIST \"\" x RETURN (", "CHILDREN", count, ")"),
        "OK",
    ),
    (
        "special uses of a CREATE",
        |count| words("CREATE y (USE (", "\\Sent", count, "))"),
        "OK",
    ),
    (
        "resources of a SETQUOTA",
        |count| words("SETQUOTA x (", "X 1", count, ")"),
        "NO [NOPERM]",
    ),
    (
        "entries of a GETMETADATA, SETMETADATA or LIST",
        |count| words("GETMETADATA INBOX (", "/private/x", count, ")"),
        "OK",
    ),
    (
        "entries of a GETMETADATA, SETMETADATA or LIST",
        |count| words("SETMETADATA INBOX (", "/private/x NIL", count, ")"),
        "OK",
    ),
    (
        "entries of a GETMETADATA, SETMETADATA or LIST",
        |count| words("LIST \"\" x RETURN (METADATA (", "/private/x", count, "))"),
        "OK",
    ),
    (
        "entries of a GETMETADATA, SETMETADATA or LIST",
        // However many options they are in.
        |count| {
            let first = words("METADATA (", "/private/x", 50, ")");
            let rest = words("METADATA (", "/private/y", count - 50, ")");
            format!("LIST \"\" x RETURN ({first} {rest})")
        },
        "OK",
    ),
    (
        "event groups of a NOTIFY",
        |count| words("NOTIFY SET ", "(personal NONE)", count, ""),
        "OK",
    ),
    (
        "events of a group in a NOTIFY",
        |count| words("NOTIFY SET (personal (", "MailboxName", count, "))"),
        "OK",
    ),
    (
        "mailboxes that a group in a NOTIFY names",
        |count| words("NOTIFY SET (mailboxes (", "x", count, ") NONE)"),
        "OK",
    ),
    (
        "options of a GETMETADATA",
        |count| words("GETMETADATA (", "DEPTH 0", count, ") INBOX /private/x"),
        "OK",
    ),
    (
        "octets of an annotation's name",
        |count| {
            format!(
                "GETMETADATA INBOX /private/{}",
                "x".repeat(count - "/private/".len())
            )
        },
        "OK",
    ),
    (
        "octets of an annotation",
        |count| {
            let value = "x".repeat(count);
            format!("SETMETADATA INBOX (/private/x {{{count}+}}\r\n{value})")
        },
        "OK",
    ),
    (
        "annotations of a mailbox or the server",
        |count| {
            // One command may not name more, and the first are there when one more is asked for.
            let mut entries = (0..count).map(|at| format!("/private/x{at} \"\""));
            let first: Vec<String> = entries.by_ref().take(100).collect();
            let more: Vec<String> = entries.collect();
            let set = |entries: Vec<String>| format!("SETMETADATA \"\" ({})", entries.join(" "));
            match more.is_empty() {
                true => set(first),
                false => set(more),
            }
        },
        "OK",
    ),
    (
        "names of an ENABLE",
        |count| words("ENABLE ", "X", count, ""),
        "OK",
    ),
    (
        "fields of an ID",
        |count| words("ID (", "\"a\" NIL", count, ")"),
        "OK",
    ),
    (
        "octets of a field of an ID",
        |count| format!("ID (\"a\" \"{}\")", "x".repeat(count)),
        "OK",
    ),
];

#[test]
fn lists_end_somewhere() {
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "1.one:2,", message("one").as_bytes());
    let server = culver().start(&maildir);
    for (what, command, served) in LISTS {
        let (most, answer) = stated(what);
        let mut c = server.selected("INBOX");
        let outcome = c.outcome(&command(most));
        assert!(outcome.starts_with(served), "{most} {what}: {outcome}");
        assert_eq!(c.outcome(&command(most + 1)), answer, "{} {what}", most + 1);
        c.ok("NOOP");
    }
}

/// Sends octets and gives the next line's condition and code, with `a ` or `* ` before it.
fn said(c: &mut Client, octets: &str) -> String {
    let _ = c.try_send(octets.as_bytes());
    let line = String::from_utf8(c.line()).unwrap();
    let (tag, rest) = line.split_once(' ').unwrap();
    let plain = crate::harness::client::plain(&format!("* {rest}"));
    plain.replacen('*', if tag.len() > 100 { "long" } else { tag }, 1)
}

#[test]
fn lines_commands_and_literals() {
    let server = culver().start(&Arc::new(Maildir::new()));
    let mut stranger = server.connect();
    let mut user = server.selected("INBOX");

    let (most, answer) = stated("octets of a line before login");
    let line = |octets: usize| format!("{} NOOP\r\n", "x".repeat(octets - " NOOP\r".len()));
    assert_eq!(said(&mut stranger, &line(most)), "long OK");
    assert_eq!(said(&mut stranger, &line(most + 1)), format!("* {answer}"));

    let (most, answer) = stated("octets of a line after login");
    let line = |octets: usize| {
        format!(
            "a SEARCH TEXT \"{}\"\r\n",
            "x".repeat(octets - "a SEARCH TEXT \"\"\r".len())
        )
    };
    assert_eq!(said(&mut user, &line(most)), "* SEARCH");
    user.until_tagged("a");
    assert_eq!(said(&mut user, &line(most + 1)), format!("a {answer}"));

    let (most, answer) = stated("octets of a command before login");
    let fields = format!("\"a\" {{4090+}}\r\n{} ", "x".repeat(4090)).repeat(3);
    let command = |octets: usize| {
        let rest = octets - "a ID (\"b\" \"\")".len() - fields.len();
        format!("a ID ({fields}\"b\" \"{}\")\r\n", "x".repeat(rest))
    };
    let fits = said(&mut stranger, &command(most));
    assert!(fits.starts_with("* ID"), "{fits}");
    stranger.until_tagged("a");
    assert_eq!(
        said(&mut stranger, &command(most + 1)),
        format!("a {answer}")
    );

    let (most, answer) = stated("octets of a command after login");
    let command = |octets: usize| {
        let literal = octets - "a SEARCH TEXT {1000000+}\r\n".len();
        format!(
            "a SEARCH TEXT {{{literal}+}}\r\n{}\r\n",
            "x".repeat(literal)
        )
    };
    assert_eq!(said(&mut user, &command(most)), "* SEARCH");
    user.until_tagged("a");
    assert_eq!(said(&mut user, &command(most + 1)), format!("a {answer}"));
    let alone = format!("a SEARCH TEXT {{{}}}\r\n", most + 1);
    assert_eq!(said(&mut user, &alone), "a BAD [TOOBIG]");

    let (most, answer) = stated("octets of a literal before login");
    let literal = |octets| format!("a ID (\"a\" {{{octets}+}}\r\n{})\r\n", "x".repeat(octets));
    let fits = said(&mut stranger, &literal(most));
    assert!(fits.starts_with("* ID"), "{fits}");
    stranger.until_tagged("a");
    assert_eq!(
        said(&mut stranger, &literal(most + 1)),
        format!("a {answer}")
    );

    for (what, mut c) in [
        ("octets dropped before login", stranger),
        ("octets dropped after login", user),
    ] {
        let (most, answer) = stated(what);
        let refused = format!("a X {{{most}+}}\r\n{}\r\n", "x".repeat(most));
        assert_eq!(said(&mut c, &refused), "a BAD [TOOBIG]");
        let flood = format!("a X {{{}+}}\r\n", most + 1);
        assert_eq!(said(&mut c, &flood), format!("* {answer}"));
        assert!(c.rest().is_empty());
    }
}

#[test]
fn patience_ends() {
    let server = culver().start(&Arc::new(Maildir::new()));
    let long = format!("a NOOP {}\r\n", "x".repeat(70_000));
    for (what, mut c, wrong, answer) in [
        (
            "wrong commands in a row before login",
            server.connect(),
            "a X\r\n",
            "a BAD",
        ),
        (
            "wrong commands in a row after login",
            server.client(),
            "a X\r\n",
            "a BAD",
        ),
        (
            "lines too long after login",
            server.client(),
            &*long,
            "a BAD [LIMIT]",
        ),
        (
            "failed logins",
            server.connect(),
            "a AUTHENTICATE PLAIN =\r\n",
            "a NO [AUTHENTICATIONFAILED]",
        ),
    ] {
        let (most, end) = stated(what);
        for _ in 1..most {
            assert_eq!(said(&mut c, wrong), answer);
        }
        c.ok("NOOP");
        // What is in a row begins again; what is not goes on.
        let more = if what.contains("in a row") { most } else { 1 };
        for _ in 0..more {
            assert_eq!(said(&mut c, wrong), answer, "{what}");
        }
        assert_eq!(c.rest(), [format!("* {end}")], "{what}");
    }
}

#[test]
fn a_message_of_a_size() {
    let setup = culver().mail_settings("max-message-size = \"1K\"\n");
    let server = setup.start(&Arc::new(Maildir::new()));
    let mut c = server.selected("INBOX");
    let append = |octets: usize, plus: &str| {
        format!(
            "a APPEND INBOX {{{octets}{plus}}}\r\n{}\r\n",
            "x".repeat(octets)
        )
    };
    assert_eq!(said(&mut c, "a APPEND INBOX {1025}\r\n"), "a NO [TOOBIG]");
    assert_eq!(
        said(&mut c, "a APPEND INBOX {4294967296}\r\n"),
        "a NO [TOOBIG]"
    );
    assert_eq!(said(&mut c, &append(1025, "+")), "a NO [TOOBIG]");
    c.send(append(1024, "+").as_bytes());
    assert!(c.until_tagged("a").tagged.starts_with("OK [APPENDUID"));
}

/// Connects until as many are let in; those that the harness tried the server with may not be gone yet.
fn let_in(server: &Server, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    wait_until("places", || {
        let mut c = Client::open(server.imap, Kind::Culver);
        if c.greeting().starts_with("* OK") {
            clients.push(c);
        }
        clients.len() == count
    });
    clients
}

#[track_caller]
fn turned_away(server: &Server) {
    let mut c = Client::open(server.imap, Kind::Culver);
    assert_eq!(c.rest(), ["* BYE"]);
}

#[test]
fn so_many_connections() {
    let maildir = Arc::new(Maildir::new());
    let server = culver()
        .settings("[limits]\nconnections = 3\n")
        .start(&maildir);
    let mut clients = let_in(&server, 3);
    turned_away(&server);
    for c in &mut clients {
        c.login();
    }
    turned_away(&server);
    clients.pop();
    let_in(&server, 1);

    let setup = culver().settings("[limits]\nconnections-per-address = 2\n");
    let server = setup.start(&maildir);
    let mut clients = let_in(&server, 2);
    turned_away(&server);
    clients[0].login();
    let_in(&server, 1);

    let setup = culver().settings("[limits]\nconnections-per-user = 1\n");
    let server = setup.start(&maildir);
    let mut first = server.client();
    let mut second = server.connect();
    assert_eq!(said(&mut second, "a LOGIN u p\r\n"), "a NO [LIMIT]");
    assert_eq!(second.rest(), ["* BYE"]);
    first.ok("NOOP");
}

#[test]
fn so_much_time() {
    let maildir = Arc::new(Maildir::new());
    let setup = culver().settings("[limits]\nlogin-timeout = \"5s\"\nidle-timeout = \"5s\"\n");
    let server = setup.start(&maildir);
    let mut idler = server.client();
    let idle = idler.idle();
    let mut silent = [server.connect(), server.client()];
    let mut halfway = [server.connect(), server.client()];
    halfway[0].send(b"a LOGIN u {5}\r\n");
    halfway[1].send(b"a APPEND INBOX {5}\r\nhel");
    for c in &mut silent {
        assert_eq!(c.rest(), ["* BYE"]);
    }
    for c in &mut halfway {
        assert_eq!(c.rest(), ["+ OK", "* BYE"]);
    }
    idle.done(&[]);
}

#[test]
fn mailboxes_lie_so_deep() {
    let (most, answer) = stated("levels of a mailbox's name");
    let server = culver().fs_layout().start(&Arc::new(Maildir::new()));
    let mut c = server.client();
    assert_eq!(
        c.outcome(&format!("CREATE {}", vec!["a"; most].join("/"))),
        "OK"
    );
    assert_eq!(
        c.outcome(&format!("CREATE {}", vec!["b"; most + 1].join("/"))),
        answer
    );
}

/// What SEARCH with UPDATE and a key is answered with: whether it is followed, and how it ended.
fn followed(c: &mut Client, options: &str, key: &str) -> (bool, String) {
    let tag = c.next_tag();
    let refused = format!("* NO [NOUPDATE \"{tag}\"]");
    let reply = c.run(&format!("SEARCH RETURN ({options}) {key}"));
    (!reply.plain().contains(&refused), reply.outcome())
}

#[test]
fn so_many_searches_are_followed() {
    let (most, answer) = stated("searches followed");
    assert_eq!(answer, "NO [NOUPDATE]");
    let server = culver().start(&Arc::new(Maildir::new()));
    let mut c = server.selected("INBOX");
    let tags: Vec<String> = (0..most)
        .map(|_| {
            let tag = c.next_tag();
            assert_eq!(followed(&mut c, "UPDATE", "ALL"), (true, "OK".into()));
            tag
        })
        .collect();
    // "Other return options specified SHALL still be honoured" (RFC 5267 §4.3.1).
    let tag = c.next_tag();
    c.check(
        "SEARCH RETURN (UPDATE COUNT) ALL",
        &[
            &format!("* ESEARCH (TAG \"{tag}\") COUNT 0"),
            &format!("* NO [NOUPDATE \"{tag}\"]"),
        ],
        "OK",
    );
    c.ok(&format!("CANCELUPDATE \"{}\"", tags[3]));
    assert_eq!(followed(&mut c, "UPDATE", "ALL"), (true, "OK".into()));
    assert_eq!(followed(&mut c, "UPDATE", "ALL"), (false, "OK".into()));
    c.ok("SELECT INBOX");
    // A key may not take more than 64 KiB.
    let long = |octets: usize| format!("SUBJECT {{{octets}+}}\r\n{}", "x".repeat(octets));
    assert_eq!(
        followed(&mut c, "UPDATE", &long(65_000)),
        (true, "OK".into())
    );
    assert_eq!(
        followed(&mut c, "UPDATE", &long(65_536)),
        (false, "OK".into())
    );
    let many = vec!["1"; 9000].join(",");
    let none = format!("NOT UID {many}");
    assert_eq!(
        followed(&mut c, "UPDATE COUNT", &none),
        (false, "OK".into())
    );
}

/// Values of the largest size, one after another, until there is no more room.
#[test]
fn annotations_end_somewhere() {
    let (most, answer) = stated("octets of all of them");
    let (largest, _) = stated("octets of an annotation");
    let server = culver().start(&Arc::new(Maildir::new()));
    let mut c = server.client();
    let set = |number: usize, octets: usize| {
        let value = "x".repeat(octets);
        format!("SETMETADATA INBOX (/private/x{number} {{{octets}+}}\r\n{value})")
    };
    for number in 0..most / largest {
        assert_eq!(c.outcome(&set(number, largest)), "OK");
    }
    assert_eq!(c.outcome(&set(1000, 1)), answer);
    assert_eq!(c.outcome(&set(0, largest - 1)), "OK");
    assert_eq!(c.outcome(&set(1000, 1)), "OK");
    // All of it is told, in responses that are not large.
    let reply = c.run("GETMETADATA (DEPTH infinity) INBOX /private");
    assert!(reply.untagged.len() >= most / largest / 2);
    let entries: Vec<String> = (0..most / largest)
        .map(|at| format!("/private/x{at}"))
        .collect();
    let list = format!("LIST \"\" INBOX RETURN (METADATA ({}))", entries.join(" "));
    assert_eq!(c.run(&list).untagged.len(), most / largest);
}
