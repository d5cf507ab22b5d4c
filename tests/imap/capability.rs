//! CAPABILITY and the greeting (RFC 3501 §6.1.1, §7.1): only what works is announced.

use crate::harness::{Kind, Server};

/// What every client of today expects after login.
const AFTER_LOGIN: &[&str] = &[
    "APPENDLIMIT",
    "BINARY",
    "CATENATE",
    "CHILDREN",
    "COMPRESS=DEFLATE",
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
    "PARTIAL",
    "PREVIEW",
    "REPLACE",
    "SASL-IR",
    "SEARCHRES",
    "SORT",
    "SORT=DISPLAY",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
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
    "PARTIAL",
    "REPLACE",
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
