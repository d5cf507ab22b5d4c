//! ENABLE (RFC 5161).

use crate::harness::Server;

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
    c.bad_strictly("ENABLE");
    c.bad_strictly("ENABLE (IDLE)");
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
