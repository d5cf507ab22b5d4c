//! ENABLE (RFC 5161, RFC 9051 §6.3.1).

use super::states;
use crate::harness::{Server, message};

/// `enable = "ENABLE" 1*(SP capability)`, `capability = ("AUTH=" auth-type) / atom`. RFC 9051 §6.3.1: "BAD - No
/// arguments, or syntax error in an argument".
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    for arguments in ["X", "x y z", "AUTH=PLAIN", "X X", "X-2.0/b"] {
        c.ok(&format!("eNaBlE {arguments}"));
    }
    let wrong = [
        "", " ", " (X)", " \"X\"", " X ", " X  Y", "  X", " {1}X", " X)", " *", " X%",
    ];
    states::bad_arguments(&server, &mut c, "ENABLE", &wrong);
}

/// §3.1: "If the argument is not an extension known to the server, the server MUST ignore the argument."
#[test]
fn what_is_not_known_is_ignored() {
    let server = Server::start();
    let mut c = server.client();
    // §3.2: "The ENABLED response may contain no capabilities". Dovecot sends none then.
    let none: &[&str] = server.either(&["* ENABLED"], &[]);
    c.check("ENABLE X-GOOD-IDEA", none, "OK");
    // "it is not specifically permitted to be enabled using ENABLE, the server MUST ignore the argument".
    c.check("ENABLE IDLE", none, "OK");
    c.check("ENABLE idle x-good-idea NAMESPACE", none, "OK");
    // RFC 9051 §6.3.1: "The ENABLED response is sent even if no extensions were enabled."
    c.check("ENABLE IMAP4rev1 AUTH=PLAIN LITERAL+", none, "OK");
}

/// §3.1: "The server MUST NOT change the CAPABILITY list as a result of executing ENABLE".
#[test]
fn the_list_of_capabilities_stays() {
    let server = Server::start();
    let mut c = server.client();
    let before = c.ok("CAPABILITY");
    c.ok("ENABLE UTF8=ACCEPT IMAP4rev2 CONDSTORE");
    assert_eq!(c.ok("CAPABILITY"), before);
}

/// §3.1: "The ENABLE command is only valid in the authenticated state".
#[test]
fn not_before_login_and_by_pipelining_right_after_it() {
    let server = Server::start();
    server.connect().bad_strictly("ENABLE UTF8=ACCEPT");
    // RFC 9051 §6.3.1: "There are no limitations on pipelining ENABLE."
    let mut c = server.connect();
    c.send(b"x LOGIN u p\r\ny ENABLE UTF8=ACCEPT\r\nz CREATE \"Entw\xc3\xbcrfe\"\r\nw LIST \"\" Entw*\r\n");
    c.until_tagged("x");
    let enabled = c.until_tagged("y");
    if server.either(true, false) {
        assert_eq!(enabled.plain(), ["* ENABLED UTF8=ACCEPT"]);
        c.until_tagged("z");
        assert_eq!(
            c.until_tagged("w").plain(),
            ["* LIST (\\HasNoChildren) \".\" \"Entwürfe\""]
        );
    }
}

/// RFC 9051 §6.3.1: "each corresponding ENABLED response SHOULD only contain extensions enabled by the
/// corresponding ENABLE command".
#[test]
fn each_answer_names_what_that_command_enabled() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.check("ENABLE utf8=accept", &["* ENABLED UTF8=ACCEPT"], "OK");
    c.check("ENABLE IMAP4REV2 X", &["* ENABLED IMAP4rev2"], "OK");
    c.check(
        "ENABLE IMAP4rev2 UTF8=ACCEPT",
        &["* ENABLED IMAP4rev2 UTF8=ACCEPT"],
        "OK",
    );
}

/// RFC 9051 §6.3.1: "the server MUST enable the extension for the duration of the connection." "It is additive".
#[test]
fn what_is_enabled_stays_so() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.check("ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    c.check("ENABLE X", &["* ENABLED"], "OK");
    c.check("ENABLE UTF8=ACCEPT", &["* ENABLED UTF8=ACCEPT"], "OK");
    for _ in 0..2 {
        let told = c.ok("SELECT INBOX");
        assert!(!told.iter().any(|line| line.ends_with(" RECENT")));
        c.ok("UNSELECT");
    }
    // Of this connection, and of no other.
    let told = server.client().ok("EXAMINE INBOX");
    assert!(
        told.iter().any(|line| line.ends_with(" RECENT")),
        "{told:?}"
    );
}

/// RFC 9051 §6.3.1: "Clients MUST NOT issue ENABLE once they SELECT/EXAMINE a mailbox; however, server implementations
/// don't have to check that no mailbox is selected".
#[test]
fn while_a_mailbox_is_selected() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    let none: &[&str] = server.either(&["* ENABLED"], &[]);
    c.check("ENABLE X", none, "OK");
    c.check("SEARCH ALL", &["* SEARCH"], "OK");
}
