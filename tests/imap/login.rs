//! LOGIN (RFC 3501 §6.2.3, RFC 9051 §6.2.3), with its codes (RFC 5530). Where it is disabled: `rfc3501`.

use super::states;
use crate::harness::Server;

/// `login = "LOGIN" SP userid SP password`, both an `astring`.
#[test]
fn atoms_strings_and_literals() {
    let server = Server::start();
    for command in [
        "LOGIN u p",
        "login \"u\" \"p\"",
        "LOGIN {1}\r\nu {1}\r\np",
        "LOGIN {1+}\r\nu {1+}\r\np",
        "LOGIN {1}\r\nu \"p\"",
    ] {
        let mut c = server.connect();
        // "A server MAY include a CAPABILITY response code in the tagged OK response to a successful LOGIN command".
        let reply = c.run(command);
        assert!(reply.tagged.starts_with("OK [CAPABILITY "), "{reply:?}");
        assert!(reply.untagged.is_empty(), "{reply:?}");
        c.check("NOOP", &[], "OK");
    }
    let mut c = server.connect();
    states::bad_arguments(
        &server,
        &mut c,
        "LOGIN",
        &[
            "",
            " ",
            " u",
            " u ",
            " u p x",
            "  u p",
            " u  p",
            " u p ",
            " (u) p",
            " u (p)",
            " u p*",
            " u%",
            " \"u p",
            " u {1}p",
            " u \"p\"q",
            " u\"p\"",
        ],
    );
    c.login();
}

/// "NO - login failure: user name or password rejected". RFC 5530 §3 has AUTHENTICATIONFAILED for that.
#[test]
fn a_wrong_password_is_refused_and_the_connection_goes_on() {
    let server = Server::start();
    let mut c = server.connect();
    c.check("LOGIN u wrong", &[], "NO [AUTHENTICATIONFAILED]");
    c.check("LOGIN u \"\"", &[], "NO [AUTHENTICATIONFAILED]");
    c.login();
}

#[test]
fn an_unknown_user_is_told_the_same_as_a_wrong_password() {
    let server = Server::start();
    if server.either(false, true) {
        return; // The throw-away Dovecot takes every name.
    }
    let mut c = server.connect();
    let unknown = c.run("LOGIN nobody p").tagged;
    let wrong = c.run("LOGIN u wrong").tagged;
    assert_eq!(unknown, wrong);
}

/// "OK - login completed, now in authenticated state": there is no second time.
#[test]
fn nobody_logs_in_twice() {
    let server = Server::start();
    let mut c = server.client();
    c.bad("LOGIN u p");
    c.ok("SELECT INBOX");
    c.bad("LOGIN u p");
    c.bad("LOGIN u wrong");
    c.check("NOOP", &[], "OK");
}
