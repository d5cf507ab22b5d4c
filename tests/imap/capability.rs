//! CAPABILITY and the greeting (RFC 3501 §6.1.1, §7.1): only what works is announced.

use crate::harness::{Kind, Server};

/// What every client of today expects after login.
const AFTER_LOGIN: &[&str] = &[
    "APPENDLIMIT",
    "BINARY",
    "CATENATE",
    "CHILDREN",
    "COMPRESS=DEFLATE",
    "CONDSTORE",
    "CONTEXT=SEARCH",
    "CREATE-SPECIAL-USE",
    "ENABLE",
    "ESEARCH",
    "ESORT",
    "I18NLEVEL=1",
    "ID",
    "IDLE",
    "IMAP4rev1",
    "IMAP4rev2",
    "INPROGRESS",
    "LIST-EXTENDED",
    "LIST-METADATA",
    "LIST-STATUS",
    "LITERAL+",
    "METADATA",
    "METADATA-SERVER",
    "MOVE",
    "MULTIAPPEND",
    "MULTISEARCH",
    "NAMESPACE",
    "NOTIFY",
    "OBJECTID",
    "PARTIAL",
    "PREVIEW",
    "PREVIEW=FUZZY",
    "QRESYNC",
    "QUOTA",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-STORAGE",
    "REPLACE",
    "SASL-IR",
    "SAVEDATE",
    "SEARCHRES",
    "SNIPPET=FUZZY",
    "SORT",
    "SORT=DISPLAY",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "UIDBATCHES",
    "UIDONLY",
    "UIDPLUS",
    "UNAUTHENTICATE",
    "UNSELECT",
    "URL-PARTIAL",
    "UTF8=ACCEPT",
    "WITHIN",
];

/// What Dovecot 2.3 does not have of these.
const NOT_DOVECOTS: &[&str] = &[
    "APPENDLIMIT",
    "CREATE-SPECIAL-USE",
    "IMAP4rev2",
    "INPROGRESS",
    "LIST-METADATA",
    "METADATA-SERVER",
    "MULTISEARCH",
    "OBJECTID",
    "PARTIAL",
    "QUOTA",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-STORAGE",
    "REPLACE",
    "UIDBATCHES",
    "UIDONLY",
    "UNAUTHENTICATE",
    "UTF8=ACCEPT",
];

#[test]
fn the_greeting_carries_the_capabilities() {
    let server = Server::start();
    let mut c = crate::harness::Client::open(server.imap, server.kind);
    let greeting = c.greeting();
    let inside = greeting
        .strip_prefix("* OK [")
        .and_then(|rest| rest.split(']').next())
        .unwrap();
    let mut c2 = server.connect();
    assert_eq!(c2.ok("CAPABILITY"), [format!("* {inside}")]);
}

#[test]
fn before_login_on_the_same_address_a_password_may_be_sent() {
    let server = Server::start();
    let names = names(&server.connect().ok("CAPABILITY"));
    for wanted in [
        "IMAP4rev1",
        "SASL-IR",
        "STARTTLS",
        "AUTH=PLAIN",
        "AUTH=LOGIN",
    ] {
        assert!(
            names.contains(&wanted.to_owned()),
            "{wanted} is missing in {names:?}"
        );
    }
    assert!(!names.contains(&"LOGINDISABLED".to_owned()));
    if server.kind == Kind::Culver {
        assert!(
            names.contains(&"LITERAL-".to_owned()),
            "RFC 7888: unasked literals are short before login"
        );
        assert!(
            names.contains(&"IMAP4rev2".to_owned()),
            "RFC 9051 §7.2.2: \"The capability listing MUST include the atom \"IMAP4rev2\"\""
        );
    }
}

#[test]
fn after_login_the_list_is_in_the_tagged_ok() {
    let server = Server::start();
    let reply = server.connect().run("LOGIN u p");
    let code = reply
        .tagged
        .strip_prefix("OK [CAPABILITY ")
        .unwrap_or_else(|| panic!("{reply:?}"));
    let mut told: Vec<String> = code
        .split(']')
        .next()
        .unwrap()
        .split(' ')
        .map(str::to_owned)
        .collect();
    told.sort();
    let asked = names(&server.client().ok("CAPABILITY"));
    assert_eq!(told, asked);
    match server.kind {
        Kind::Culver => assert_eq!(asked, AFTER_LOGIN),
        Kind::Dovecot => assert!(
            AFTER_LOGIN
                .iter()
                .filter(|name| !NOT_DOVECOTS.contains(name))
                .all(|name| asked.contains(&name.to_string()))
        ),
    }
}

/// RFC 3501 §6.1.1: "The server MUST send a single untagged CAPABILITY response with "IMAP4rev1" as one of the listed
/// capabilities before the (tagged) OK response."
#[test]
fn grammar_and_every_state() {
    let server = Server::start();
    for c in [
        &mut server.connect(),
        &mut server.client(),
        &mut server.selected("INBOX"),
    ] {
        for command in ["CAPABILITY", "cApAbIlItY"] {
            let names = names(&c.ok(command));
            assert!(names.contains(&"IMAP4rev1".to_owned()), "{names:?}");
            let mut once = names.clone();
            once.dedup();
            assert_eq!(names, once);
        }
        super::states::bad_arguments(&server, c, "CAPABILITY", &[" ", " x", " IMAP4rev1", "\t"]);
    }
}

/// RFC 3501 §6.1.1: "Client and server implementations MUST implement the STARTTLS, LOGINDISABLED, and AUTH=PLAIN
/// (described in [IMAP-TLS]) capabilities." RFC 9051 §6.1.1: "on both cleartext and Implicit TLS ports." LOGINDISABLED:
/// `login`.
#[test]
fn under_tls() {
    let server = Server::start();
    let mut c = crate::harness::Client::open(server.imaps, server.kind);
    c.secure(rustls::ALL_VERSIONS);
    c.greeting();
    let names = names(&c.ok("CAPABILITY"));
    assert!(names.contains(&"AUTH=PLAIN".to_owned()), "{names:?}");
    assert!(!names.contains(&"STARTTLS".to_owned()), "{names:?}");
    assert!(!names.contains(&"LOGINDISABLED".to_owned()), "{names:?}");
}

fn names(lines: &[String]) -> Vec<String> {
    let [line] = lines else {
        panic!("one line was expected: {lines:?}")
    };
    let list = line.strip_prefix("* CAPABILITY ").unwrap();
    let mut names: Vec<String> = list.split(' ').map(str::to_owned).collect();
    names.sort();
    names
}

const TABLE: &str = include_str!("../../contrib/capabilities.md");

/// The rows of `contrib/capabilities.md`: name, RFC, state, note.
fn table() -> Vec<[&'static str; 4]> {
    let rows = TABLE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let (rfc, state) = (cells.next()?, cells.next()?);
        let note = cells.next().unwrap_or_default();
        Some([name, rfc, state, note.trim_end_matches(['|', ' '])])
    });
    rows.collect()
}

/// What is announced has tests that go through its RFC, under the RFC's name: a file, or a directory.
#[test]
fn every_capability_has_tests_named_after_its_rfc() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap");
    let mut count = 0;
    for [name, rfc, state, _] in table() {
        // Some are in drafts alone.
        if ["not yet", "declined"].contains(&state) || rfc.starts_with("draft-") {
            continue;
        }
        let number: u32 = rfc.parse().unwrap();
        let places = [format!("rfc{number}.rs"), format!("rfc{number}/mod.rs")];
        assert!(
            places.iter().any(|place| dir.join(place).is_file()),
            "{name}: none of {places:?}"
        );
        let module = format!("\nmod rfc{number};\n");
        assert!(
            include_str!("main.rs").contains(&module),
            "{name}: {module}"
        );
        count += 1;
    }
    assert!(count > 50, "{count}");
}

/// The list for people and what is announced are the same.
#[test]
fn every_capability_of_the_registry_is_accounted_for() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let plain = |name: &String| match name.split_once('=') {
        Some((family @ ("APPENDLIMIT" | "MESSAGELIMIT" | "SAVELIMIT"), _)) => family.to_owned(),
        _ => name.clone(),
    };
    let after: Vec<String> = names(&server.client().ok("CAPABILITY"))
        .iter()
        .map(plain)
        .collect();
    let before: Vec<String> = names(&server.connect().ok("CAPABILITY"))
        .iter()
        .map(plain)
        .collect();
    let table = table();
    assert!(table.len() > 70);
    for [name, _, state, note] in &table {
        let is_after = after.contains(&(*name).to_owned());
        let is_before = before.contains(&(*name).to_owned());
        match *state {
            "yes" => {
                assert!(is_after, "{name} is not announced");
                assert_eq!(
                    is_before,
                    note.contains("before login too"),
                    "{name} before login"
                );
            }
            // Not each of them at the same time.
            "before login" => assert!(!is_after, "{name} is announced after login"),
            "not yet" => assert!(!is_after && !is_before, "{name} is announced"),
            // Settings decide it.
            "where set" => assert!(!is_after && !is_before, "{name} is announced"),
            "declined" => {
                assert!(!is_after && !is_before, "{name} is announced");
                assert!(!note.is_empty(), "{name}: why?");
            }
            other => panic!("{name}: {other}"),
        }
    }
    for name in after.iter().chain(&before) {
        let rows = table.iter().filter(|[known, ..]| known == name).count();
        assert_eq!(
            rows, 1,
            "{name} is not in contrib/capabilities.md, or twice"
        );
    }
}

/// `[capabilities]`: what is switched off is not announced, not enabled, and its commands are unknown; for all, or for
/// clients by the name they give in ID.
#[test]
fn switched_off() {
    let settings = "[capabilities]\noff = [\"COMPRESS=DEFLATE\", \"metadata\", \"IMAP4rev1\"]\n\
                    [[capabilities.client]]\nname = \"Some Client\"\noff = [\"IMAP4rev2\", \"SORT\", \"APPENDLIMIT\"]\n";
    let maildir = std::sync::Arc::new(crate::harness::Maildir::new());
    let server = crate::harness::Setup::new(Kind::Culver)
        .settings(settings)
        .start(&maildir);
    let mut c = server.client();
    let without = |off: &[&str]| -> Vec<String> {
        let kept = AFTER_LOGIN.iter().filter(|name| !off.contains(name));
        kept.map(|name| name.to_string()).collect()
    };
    let for_all = [
        "COMPRESS=DEFLATE",
        "METADATA",
        "METADATA-SERVER",
        "LIST-METADATA",
    ];
    assert_eq!(names(&c.ok("CAPABILITY")), without(&for_all));
    c.bad("COMPRESS DEFLATE");
    c.bad("GETMETADATA INBOX /shared/comment");
    c.bad("LIST \"\" x RETURN (METADATA (/shared/comment))");
    c.check("ENABLE METADATA-SERVER", &["* ENABLED"], "OK");
    c.check("ENABLE METADATA IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    // A client that gives a name before login, after it, or in another case.
    for before in [true, false] {
        let mut c = server.connect();
        if before {
            c.ok("ID (\"name\" \"some client\")");
            assert!(!names(&c.ok("CAPABILITY")).contains(&"IMAP4rev2".to_owned()));
        }
        c.login();
        if !before {
            c.ok("ID (\"NAME\" \"Some Client\")");
        }
        let its_own = ["IMAP4rev2", "SORT", "SORT=DISPLAY", "ESORT", "APPENDLIMIT"];
        let off = [&for_all[..], &its_own].concat();
        assert_eq!(names(&c.ok("CAPABILITY")), without(&off));
        c.check("ENABLE IMAP4rev2", &["* ENABLED"], "OK");
        c.ok("SELECT INBOX");
        c.bad("SORT (DATE) UTF-8 ALL");
        c.ok("ID NIL");
        c.ok("SORT (DATE) UTF-8 ALL");
    }
    let server = crate::harness::Setup::new(Kind::Culver)
        .settings("[capabilities]\noff = [\"ID\", \"MOVE\"]\n")
        .start(&maildir);
    let mut c = server.connect();
    c.bad("ID NIL");
    assert!(!names(&c.ok("CAPABILITY")).contains(&"IMAP4rev2".to_owned()));
    c.login();
    c.bad("ID NIL");
    c.check("ENABLE IMAP4rev2", &["* ENABLED"], "OK");
}
