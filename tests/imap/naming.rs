//! Mailbox names (RFC 3501 §5.1, RFC 9051 §5.1 and Appendix A.1). UTF-8 names are in `rfc9051.rs`.

use crate::harness::{Client, Server, message};

/// The names that LIST gives, in order.
#[track_caller]
fn listed(c: &mut Client) -> Vec<String> {
    let mut names: Vec<String> = c
        .ok("LIST \"\" *")
        .iter()
        .map(|line| line.rsplit("\".\" ").next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// "The case-insensitive mailbox name INBOX is a special name reserved to mean "the primary mailbox for this user on this
/// server"." §9: "All case variants of INBOX (e.g., "iNbOx") MUST be interpreted as INBOX not as an astring."
#[test]
fn inbox_in_any_case() {
    let server = Server::start();
    let mut c = server.client();
    for (at, name) in ["INBOX", "inbox", "iNbOx", "\"Inbox\"", "{5+}\r\ninboX"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(c.append(name, "", &message("x")), at as u32 + 1);
        c.ok(&format!("SELECT {name}"));
        c.check("UID SEARCH UID *", &[&format!("* SEARCH {}", at + 1)], "OK");
        c.ok("UNSELECT");
        c.ok(&format!("SUBSCRIBE {name}"));
        c.no(&format!("CREATE {name}"));
        c.no(&format!("DELETE {name}"));
        let lines = c.ok(&format!("STATUS {name} (MESSAGES)"));
        assert!(
            lines[0].ends_with(&format!("(MESSAGES {})", at + 1)),
            "{lines:?}"
        );
    }
    assert_eq!(listed(&mut c), ["INBOX"]);
    assert_eq!(server.maildir.files("INBOX").len(), 5);
    // RFC 9051 §5.1.2: "If an INBOX exists for a user, it MUST appear within the user's Personal Namespace." "there SHOULD be
    // only one Personal Namespace per user on a server."
    c.check("NAMESPACE", &["* NAMESPACE ((\"\" \".\")) NIL NIL"], "OK");
}

/// "mailbox names MUST be left-to-right hierarchical using a single character to separate levels of hierarchy. The same
/// hierarchy separator character is used for all levels of hierarchy within a single name."
#[test]
fn hierarchy() {
    let server = Server::start();
    let mut c = server.client();
    c.check("LIST \"\" \"\"", &["* LIST (\\Noselect) \".\" \"\""], "OK");
    c.ok("CREATE a.b.c");
    c.ok("CREATE a.d");
    for line in c.ok("LIST \"\" *") {
        assert!(line.contains(") \".\" "), "{line}");
    }
    assert_eq!(listed(&mut c), ["INBOX", "a", "a.b", "a.b.c", "a.d"]);
}

/// Whether names other than INBOX are case-sensitive is the server's choice: "Some server implementations are fully
/// case-sensitive". This one is.
#[test]
fn other_names_are_case_sensitive() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["box", "Box", "BOX"] {
        c.ok(&format!("CREATE {name}"));
        c.append(name, "", &message(name));
    }
    assert_eq!(listed(&mut c), ["BOX", "Box", "INBOX", "box"]);
    for name in ["box", "Box", "BOX"] {
        let expected = format!("* STATUS {name} (MESSAGES 1)");
        c.check(&format!("STATUS {name} (MESSAGES)"), &[&expected], "OK");
    }
    c.no("SELECT bOx");
}

/// "Any character which is one of the atom-specials (see the Formal Syntax) will require that the mailbox name be
/// represented as a quoted string or literal": and so LIST gives it.
#[test]
fn characters_that_are_no_atom() {
    let server = Server::start();
    let mut c = server.client();
    for (name, shown) in [
        ("with space", "\"with space\""),
        ("(paren", "\"(paren\""),
        ("per%cent", "\"per%cent\""),
        ("st*ar", "\"st*ar\""),
        ("{3}", "\"{3}\""),
        ("quo\\\"te", "\"quo\\\"te\""),
        ("back\\\\slash", "\"back\\\\slash\""),
        ("#news", "#news"),
        ("a]b[c", "a]b[c"),
        ("a'b", "a'b"),
    ] {
        c.ok(&format!("CREATE \"{name}\""));
        c.ok(&format!("SELECT \"{name}\""));
        let names = listed(&mut c);
        let escaped = format!("\"{name}\"");
        assert!(
            names
                .iter()
                .any(|name| name == shown || *name == escaped || name.starts_with('{')),
            "{shown} in {names:?}"
        );
        let reply = c.run(&format!("STATUS \"{name}\" (MESSAGES)"));
        assert!(reply.tagged.starts_with("OK"), "{name}: {reply:?}");
        c.ok("UNSELECT");
        c.ok(&format!("DELETE \"{name}\""));
    }
}

/// RFC 3501: "Server implementations SHOULD prohibit the creation of 8-bit mailbox names, and SHOULD NOT return 8-bit
/// mailbox names in LIST or LSUB." §5.1.3: servers "which export a mail store that does not follow the modified UTF-7 convention
/// MUST convert to modified UTF-7 any mailbox name that contains either non-ASCII characters or the "&" character." What Culver takes in UTF-8, as RFC 9755 has it, it returns in modified UTF-7.
#[test]
fn eight_bit_names() {
    let server = Server::start();
    let mut c = server.client();
    for name in [&b"caf\xe9"[..], b"\xff\xfe", b"a\xc3"] {
        for command in [&b"CREATE"[..], b"SUBSCRIBE"] {
            let reply = c.run_bytes(&[command, b" \"", name, b"\""].concat());
            assert!(!reply.tagged.starts_with("OK"), "{name:?}: {reply:?}");
        }
    }
    c.run("CREATE \"caf\u{e9}\"");
    c.run("SUBSCRIBE \"caf\u{e9}\"");
    for command in ["LIST \"\" *", "LSUB \"\" *"] {
        for line in c.run(command).untagged {
            assert!(line.is_ascii(), "{line:?}");
        }
    }
}

/// §5.1.3: "Server implementations SHOULD verify that any mailbox name with an embedded "&" character, used as an argument
/// to CREATE, is: in the correctly modified UTF-7 syntax, has no superfluous shifts, and has no encoding in modified BASE64
/// of any printing US-ASCII character which can represent itself."
#[test]
fn modified_utf_7() {
    let server = Server::start();
    let mut c = server.client();
    // The RFC's example (but for its "~"), and "&" itself. "server implementations MUST preserve the exact form of the modified BASE64
    // portion of a modified UTF-7 name and treat that text as case-sensitive".
    let good = [
        "peter.mail.&U,BTFw-.&ZeVnLIqe-",
        "&Jjo-!",
        "&U,BTF2XlZyyKng-",
        "a&-b",
        "&AOk-",
        "&AOkA6Q-",
    ];
    for name in good {
        c.ok(&format!("CREATE \"{name}\""));
        assert!(
            listed(&mut c)
                .iter()
                .any(|listed| listed.trim_matches('"') == name),
            "{name}"
        );
        c.ok(&format!("SELECT \"{name}\""));
        c.ok("UNSELECT");
    }
    // In another case it is another name: U+00E9 and U+0039 U+… are not the same.
    c.no("SELECT &aok-");
    for (name, why) in [
        ("&Jjo!", "no shift to US-ASCII before the \"!\""),
        ("&U,BTFw-&ZeVnLIqe-", "a superfluous shift"),
        ("&", "an end within BASE64"),
        (
            "a&AOk",
            "\"all names start in US-ASCII, and MUST end in US-ASCII\"",
        ),
        (
            "&AGE-",
            "BASE64 \"MUST NOT be used to represent any printing US-ASCII character\": an a",
        ),
        ("&AOkAYQ-", "and of another"),
        ("&A-", "not whole characters"),
        ("&2D0-", "half a surrogate pair"),
        ("&AO/p-", "\"/\" for \",\""),
        ("&AOl-", "bits left over that are not zero"),
    ] {
        let outcome = c.outcome(&format!("CREATE \"{name}\""));
        assert!(outcome.starts_with("NO"), "{name}: {why}: {outcome}");
    }
    let names = listed(&mut c);
    assert_eq!(
        names.iter().filter(|name| name.contains('&')).count(),
        good.len() + 1,
        "{names:?}"
    );
}

/// RFC 9051 §5.1: "Servers that choose to accept such denormalized UTF-8 mailbox names MUST accept them in all IMAP commands
/// that have a mailbox name parameter."
#[test]
fn denormalized_names_in_every_command() {
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot 2.3 has no IMAP4rev2.
    }
    let mut c = server.client();
    c.ok("ENABLE IMAP4rev2");
    let (apart, joined) = ("cafe\u{301}", "caf\u{e9}");
    c.append("INBOX", "", &message("one"));
    c.append("INBOX", "", &message("two"));
    for command in [
        "CREATE #",
        "STATUS # (MESSAGES)",
        "SUBSCRIBE #",
        "EXAMINE #",
        "SELECT INBOX",
        "COPY 1 #",
        "MOVE 1 #",
        "APPEND # {17+}\r\nSubject: x\r\n\r\nx\r\n",
        "SELECT #",
        "UNSELECT",
        "LIST \"\" #",
        "LSUB \"\" #",
        "UNSUBSCRIBE #",
        "RENAME # \"x#\"",
        "RENAME \"x#\" #",
    ] {
        let command = command.replace("\"x#\"", &format!("\"x{apart}\""));
        c.ok(&command.replace('#', &format!("\"{apart}\"")));
    }
    c.check(
        &format!("STATUS \"{joined}\" (MESSAGES)"),
        &[&format!("* STATUS \"{joined}\" (MESSAGES 3)")],
        "OK",
    );
    c.ok(&format!("DELETE \"{apart}\""));
    c.no(&format!("SELECT \"{joined}\""));
}
