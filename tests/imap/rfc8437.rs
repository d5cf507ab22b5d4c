//! UNAUTHENTICATE (RFC 8437).

use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};

use super::states;
use crate::harness::{Client, Kind, Maildir, Server, Setup, message, wait_until};

/// Two users, `anna` with one message and `bert` with none.
fn house() -> (Server, [Arc<Maildir>; 2]) {
    let maildirs = [Arc::new(Maildir::new()), Arc::new(Maildir::new())];
    maildirs[0].deliver("INBOX", &message("hers"));
    let server = Setup::new(Kind::Culver)
        .user("anna", &maildirs[0])
        .user("bert", &maildirs[1])
        .start(&maildirs[0]);
    (server, maildirs)
}

fn capabilities(c: &mut Client) -> String {
    format!("{} ", c.ok("CAPABILITY").remove(0))
}

/// §3: "This command directs the server to reset all connection state except for the state of the TLS layer. Upon
/// completion, the server connection is placed in not authenticated state."
#[test]
fn back_to_not_authenticated() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    let before = capabilities(&mut c);
    assert!(!before.contains(" UNAUTHENTICATE "));
    c.bad("UNAUTHENTICATE");
    for round in 0..20 {
        c.login_as("anna");
        assert!(capabilities(&mut c).contains(" UNAUTHENTICATE "));
        states::bad_arguments(&server, &mut c, "UNAUTHENTICATE", &[" ", " x"]);
        let exists = c.ok("SELECT INBOX");
        assert!(exists.contains(&"* 1 EXISTS".to_owned()), "{exists:?}");
        // "the mailbox ceases to be selected, but no expunge event is generated."
        if round == 0 {
            c.ok("STORE 1 +FLAGS (\\Deleted)");
        }
        c.check("UnAuthenticate", &[], "OK");
        assert_eq!(capabilities(&mut c), before);
        for command in [
            "SELECT INBOX",
            "NAMESPACE",
            "FETCH 1 FLAGS",
            "UNAUTHENTICATE",
        ] {
            c.bad(command);
            c.ok("NOOP");
        }
        c.login_as("bert");
        c.bad("FETCH 1 FLAGS");
        let exists = c.ok("SELECT INBOX");
        assert!(exists.contains(&"* 0 EXISTS".to_owned()), "{exists:?}");
        c.check("UNAUTHENTICATE", &[], "OK");
    }
    c.check("LOGOUT", &["* BYE"], "OK");
}

/// §4.1: "Any extensions enabled by the IMAP ENABLE command cease to be enabled"; "METADATA, METADATA-SERVER, and
/// UTF8=ACCEPT" among them. "discards any saved search results so that '$' subsequently represents the empty set."
/// "includes an implicit CANCELUPDATE".
#[test]
fn nothing_stays_enabled() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    c.login_as("anna");
    c.ok("ENABLE IMAP4rev2 UTF8=ACCEPT METADATA");
    c.ok("CREATE \"Entwürfe\"");
    c.ok("SELECT INBOX");
    c.ok("SEARCH RETURN (SAVE) ALL");
    c.ok("SEARCH RETURN (UPDATE) ALL");
    c.check("UNAUTHENTICATE", &[], "OK");
    c.login_as("anna");
    c.check(
        "LIST \"\" Entw*",
        &["* LIST (\\HasNoChildren) \".\" Entw&APw-rfe"],
        "OK",
    );
    let told = c.ok("SELECT INBOX");
    assert!(
        !told.iter().any(|line| line.starts_with("* LIST")),
        "{told:?}"
    );
    c.check("FETCH $ UID", &[], "OK");
    let mut other = server.connect();
    other.login_as("anna");
    other.ok("SETMETADATA INBOX (/private/comment \"x\")");
    other.append("INBOX", "", &message("two"));
    c.check("NOOP", &["* 2 EXISTS"], "OK");
}

/// §3: "the client is permitted to pipeline the UNAUTHENTICATE command with a subsequent AUTHENTICATE command."
#[test]
fn in_one_round_trip() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    c.login_as("anna");
    // anna and her password, bert and his.
    c.send(
        b"x UNAUTHENTICATE\r\ny AUTHENTICATE PLAIN AGJlcnQAcA==\r\nz STATUS INBOX (MESSAGES)\r\n",
    );
    assert_eq!(c.until_tagged("x").outcome(), "OK");
    assert!(c.until_tagged("y").tagged.starts_with("OK [CAPABILITY "));
    let status = c.until_tagged("z");
    assert_eq!(status.plain(), ["* STATUS INBOX (MESSAGES 0)"]);
}

/// TLS stays; STARTTLS, which was not used, is possible again; where a password may not cross the line, LOGINDISABLED
/// is said again.
#[test]
fn tls_stays() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    c.login_as("anna");
    c.ok("UNAUTHENTICATE");
    assert!(capabilities(&mut c).contains(" STARTTLS "));
    c.ok("STARTTLS");
    c.secure(rustls::ALL_VERSIONS);
    for user in ["bert", "anna", "bert"] {
        c.login_as(user);
        c.ok("UNAUTHENTICATE");
        assert!(!capabilities(&mut c).contains(" STARTTLS "));
        c.bad("STARTTLS");
    }
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::Culver)
        .settings("[auth]\nplaintext-without-tls = \"never\"\n")
        .start(&maildir);
    let mut c = server.connect();
    assert!(capabilities(&mut c).contains(" LOGINDISABLED "));
    c.ok("STARTTLS");
    c.secure(rustls::ALL_VERSIONS);
    c.login();
    c.ok("UNAUTHENTICATE");
    assert!(!capabilities(&mut c).contains(" LOGINDISABLED "));
    c.login();
}

/// §4.1: "If IMAP COMPRESS is active, the server terminates its outgoing compression layer after it sends the CRLF
/// following the OK response."
#[test]
fn compression_stops() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    for user in ["anna", "bert", "anna"] {
        c.login_as(user);
        c.compress();
        c.ok("SELECT INBOX");
        c.check("UNAUTHENTICATE", &[], "OK");
        assert!(c.compressed_no_more() > 0);
        c.check("NOOP", &[], "OK");
    }
    // In one round trip too: what is behind the flush is in clear.
    c.login_as("anna");
    c.compress();
    let packed = c.packed(b"x UNAUTHENTICATE\r\n");
    c.send_raw(&[&packed, &b"y AUTHENTICATE PLAIN AGJlcnQAcA==\r\n"[..]].concat())
        .unwrap();
    assert_eq!(c.until_tagged("x").outcome(), "OK");
    c.compressed_no_more();
    assert!(c.until_tagged("y").tagged.starts_with("OK [CAPABILITY "));
    // "The client terminates its outgoing compression layer after the CRLF following the UNAUTHENTICATE command": with
    // an end behind the flush, there at once or later, or with the end alone.
    for ends in [
        &[&b"\x03\0y NOOP\r\n"[..]][..],
        &[b"\x03", b"\0y NO", b"OP\r\n"],
        &[b"", b"\x03\0y NOOP\r\n"],
        &[b"\x01\0\0\xff\xff", b"y NOOP\r\n"],
    ] {
        c.compress();
        let packed = c.packed(b"x UNAUTHENTICATE\r\n");
        c.send_raw(&[&packed[..], ends[0]].concat()).unwrap();
        assert_eq!(c.until_tagged("x").outcome(), "OK");
        c.compressed_no_more();
        for piece in &ends[1..] {
            c.send_raw(piece).unwrap();
        }
        assert_eq!(c.until_tagged("y").outcome(), "OK");
        c.login_as("bert");
    }
    // After another flush than deflate's own for messages the stream is not aligned, and nothing can follow it.
    c.compress();
    let mut packed = Vec::with_capacity(1000);
    Compress::new(Compression::default(), false)
        .compress_vec(b"x UNAUTHENTICATE\r\n", &mut packed, FlushCompress::Partial)
        .unwrap();
    packed.extend_from_slice(b"y NOOP\r\n");
    c.send_raw(&packed).unwrap();
    assert_eq!(c.until_tagged("x").outcome(), "OK");
    c.compressed_no_more();
    assert!(c.rest().is_empty());
    c = server.connect();
    c.login_as("anna");
    // What is compressed behind it belongs to nothing.
    c.compress();
    c.send(b"x UNAUTHENTICATE\r\ny NOOP\r\n");
    assert_eq!(c.until_tagged("x").outcome(), "OK");
    assert!(c.rest().is_empty());
}

/// A user's place is free again, and so is what the session held.
#[test]
fn the_users_place_is_free() {
    let maildirs = [Arc::new(Maildir::new()), Arc::new(Maildir::new())];
    let server = Setup::new(Kind::Culver)
        .user("anna", &maildirs[0])
        .user("bert", &maildirs[1])
        .settings("[limits]\nconnections-per-user = 1\nconnections-per-address = 3\n")
        .start(&maildirs[0]);
    let mut c = server.connect();
    c.login_as("anna");
    c.ok("UNAUTHENTICATE");
    c.login_as("bert");
    let mut other = server.connect();
    other.login_as("anna");
    other.ok("UNAUTHENTICATE");
    // Who is nobody is counted as nobody, once whoever serves strangers answers.
    other.ok("NOOP");
    let strangers: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    let mut refused = Client::open(server.imap, Kind::Culver);
    assert_eq!(refused.rest(), ["* BYE"]);
    drop(strangers);
    c.ok("NOOP");
}

/// Failed logins are counted for the connection.
#[test]
fn failures_are_not_forgotten() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    let wrong = "AUTHENTICATE PLAIN =";
    for _ in 0..5 {
        assert_eq!(c.outcome(wrong), "NO [AUTHENTICATIONFAILED]");
    }
    c.login_as("anna");
    c.ok("UNAUTHENTICATE");
    for _ in 0..4 {
        assert_eq!(c.outcome(wrong), "NO [AUTHENTICATIONFAILED]");
    }
    c.send(b"x AUTHENTICATE PLAIN =\r\n");
    assert_eq!(c.rest().last().unwrap(), "* BYE");
}

/// §3: "the interaction between IMAP ID and the UNAUTHENTICATE command is defined by the implementation": what the
/// client said of itself goes to the log of the next session too, on one line.
#[test]
fn id_is_kept() {
    let (server, _maildirs) = house();
    let mut c = server.connect();
    c.ok("ID (\"name\" {8+}\r\nA\r\nB\x1b\"\\C \"version\" \"2\")");
    c.login_as("anna");
    c.ok("UNAUTHENTICATE");
    c.login_as("bert");
    c.ok("NOOP");
    let told = || {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains("client's ID"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("two lines in the log", || told().len() >= 2);
    let lines = told();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, user) in lines.iter().zip(["anna", "bert"]) {
        assert!(line.contains(user), "{line}");
        assert!(line.contains(r#"name="A\r\nB\x1b\"\\C"#), "{line}");
        assert!(line.contains(r#"version="2""#), "{line}");
    }
}
