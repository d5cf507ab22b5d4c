//! LOGIN, AUTHENTICATE and what is allowed before them (RFC 3501 §6.2, RFC 4616, RFC 4959).

use crate::harness::{Client, Server};

#[test]
fn login_takes_atoms_strings_and_literals() {
    let server = Server::start();
    for command in [
        "LOGIN u p",
        "login \"u\" \"p\"",
        "LOGIN {1}\r\nu {1}\r\np",
        "LOGIN {1+}\r\nu {1+}\r\np",
        "LOGIN {1}\r\nu \"p\"",
    ] {
        let mut c = server.connect();
        assert!(c.run(command).tagged.starts_with("OK"), "{command}");
        c.check("NOOP", &[], "OK");
    }
}

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

#[test]
fn authenticate_plain_with_and_without_an_initial_response() {
    let server = Server::start();
    // "\0u\0p" and "u\0u\0p"
    for response in ["AHUAcA==", "dQB1AHA="] {
        let mut c = server.connect();
        assert!(
            c.run(&format!("AUTHENTICATE PLAIN {response}"))
                .tagged
                .starts_with("OK")
        );
        let mut c = server.connect();
        assert_eq!(exchange(&mut c, "authenticate plain", &[response]), "OK");
    }
    let mut c = server.connect();
    assert_eq!(
        c.outcome("AUTHENTICATE PLAIN AHUAeA=="),
        "NO [AUTHENTICATIONFAILED]"
    );
    c.login();
}

#[test]
fn authenticate_login() {
    let server = Server::start();
    let mut c = server.connect();
    assert_eq!(
        exchange(&mut c, "AUTHENTICATE LOGIN", &["dQ==", "cA=="]),
        "OK"
    );
    let mut c = server.connect();
    assert_eq!(exchange(&mut c, "AUTHENTICATE LOGIN dQ==", &["cA=="]), "OK");
}

#[test]
fn authenticate_is_ended_by_a_star_bad_base64_or_an_unknown_mechanism() {
    let server = Server::start();
    let mut c = server.connect();
    assert_eq!(exchange(&mut c, "AUTHENTICATE PLAIN", &["*"]), "BAD");
    assert_eq!(
        exchange(&mut c, "AUTHENTICATE LOGIN", &["dQ==", "*"]),
        "BAD"
    );
    assert_eq!(
        exchange(&mut c, "AUTHENTICATE PLAIN", &["!!!!"]),
        server.either("BAD", "NO")
    );
    let mut c = server.connect();
    assert!(c.outcome("AUTHENTICATE PLAIN ???").starts_with("BAD"));
    // RFC 3501 §6.2.2: a mechanism that is not supported gets NO.
    c.no("AUTHENTICATE X-NONE");
    c.login();
}

#[test]
fn nothing_but_the_commands_of_its_state_is_allowed_before_login() {
    let server = Server::start();
    for command in [
        "SELECT INBOX",
        "LIST \"\" *",
        "FETCH 1 FLAGS",
        "IDLE",
        "APPEND INBOX {3+}\r\nabc",
    ] {
        let mut c = server.connect();
        c.bad(command);
        c.check("NOOP", &[], "OK");
    }
}

#[test]
fn nobody_logs_in_twice() {
    let server = Server::start();
    let mut c = server.client();
    c.bad("LOGIN u p");
    c.bad("AUTHENTICATE PLAIN AHUAcA==");
    c.bad("STARTTLS");
    c.check("NOOP", &[], "OK");
}

/// Sends AUTHENTICATE and an answer to each challenge; gives the outcome without its capabilities.
fn exchange(c: &mut Client, command: &str, responses: &[&str]) -> String {
    c.send(format!("x {command}\r\n").as_bytes());
    for response in responses {
        let challenge = c.line();
        assert!(
            challenge.starts_with(b"+ "),
            "{:?}",
            String::from_utf8_lossy(&challenge)
        );
        c.send(format!("{response}\r\n").as_bytes());
    }
    let reply = c.until_tagged("x");
    reply.tagged.split(' ').next().unwrap().to_owned()
}
