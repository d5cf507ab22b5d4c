//! AUTHENTICATE (RFC 3501 §6.2.2, RFC 9051 §6.2.2), with its codes (RFC 5530). What PLAIN is: `rfc4616`; initial
//! responses: `rfc4959`.

use crate::harness::{Client, Server};

/// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)`, `initial-resp = (base64 / "=")`
#[test]
fn grammar() {
    let server = Server::start();
    for command in [
        "AUTHENTICATE PLAIN AHUAcA==",
        "authenticate plain AHUAcA==",
        "AUTHENTICATE Login dQ==",
    ] {
        let mut c = server.connect();
        let responses: &[&str] = if command.contains("ogin") {
            &["cA=="]
        } else {
            &[]
        };
        assert_eq!(exchange(&mut c, command, responses), "OK", "{command}");
        c.ok("STATUS INBOX (MESSAGES)");
    }
    let mut c = server.connect();
    for arguments in [
        "",
        " ",
        "  PLAIN",
        " PLAIN  AHUAcA==",
        " PLAIN AHUAcA== x",
        // RFC 9051 §6.2.2: "It also MUST be transmitted outside of a quoted string or literal."
        " \"PLAIN\" AHUAcA==",
        " PLAIN \"AHUAcA==\"",
        " PLAIN {8+}\r\nAHUAcA==",
        " (PLAIN)",
    ] {
        // Dovecot takes a mechanism's name in any form, and says NO to what is none.
        if server.either(true, false) {
            c.bad(&format!("AUTHENTICATE{arguments}"));
            c.check("NOOP", &[], "OK");
        }
    }
    c.login();
}

#[test]
fn login() {
    let server = Server::start();
    let mut c = server.connect();
    assert_eq!(
        exchange(&mut c, "AUTHENTICATE LOGIN", &["dQ==", "cA=="]),
        "OK"
    );
    let mut c = server.connect();
    assert_eq!(exchange(&mut c, "AUTHENTICATE LOGIN dQ==", &["cA=="]), "OK");
}

/// RFC 3501 §6.2.2: "If the requested authentication mechanism is not supported, the server SHOULD reject the
/// AUTHENTICATE command by sending a tagged NO response."
#[test]
fn a_mechanism_that_is_not_supported() {
    let server = Server::start();
    let mut c = server.connect();
    for mechanism in [
        "X-NONE",
        "GSSAPI",
        "CRAM-MD5 =",
        "EXTERNAL =",
        "PLAI",
        "PLAIN2",
    ] {
        c.no(&format!("AUTHENTICATE {mechanism}"));
    }
    // "the client MAY request authentication types in decreasing order of preference, with the LOGIN command as a last
    // resort."
    c.check(
        "AUTHENTICATE PLAIN AHUAeA==",
        &[],
        "NO [AUTHENTICATIONFAILED]",
    );
    c.login();
}

/// RFC 3501 §6.2.2: "The server SHOULD list its supported authentication mechanisms in the response to the CAPABILITY
/// command": what is listed can be begun.
#[test]
fn each_mechanism_that_is_listed() {
    let server = Server::start();
    let mut c = server.connect();
    let told = c.ok("CAPABILITY").remove(0);
    let names: Vec<&str> = (told
        .split(' ')
        .filter_map(|name| name.strip_prefix("AUTH=")))
    .collect();
    assert!(names.contains(&"PLAIN"), "{told}");
    for name in names {
        assert_eq!(
            exchange(&mut c, &format!("AUTHENTICATE {name}"), &["*"]),
            "BAD"
        );
        c.ok("NOOP");
    }
}

/// RFC 3501 §6.2.2: "If the server receives such a response, it MUST reject the AUTHENTICATE command by sending a
/// tagged BAD response."
#[test]
fn a_star_ends_it() {
    let server = Server::start();
    let mut c = server.connect();
    for (command, responses) in [
        ("AUTHENTICATE PLAIN", &["*"][..]),
        ("AUTHENTICATE LOGIN", &["*"]),
        ("AUTHENTICATE LOGIN", &["dQ==", "*"]),
        ("AUTHENTICATE LOGIN dQ==", &["*"]),
    ] {
        assert_eq!(exchange(&mut c, command, responses), "BAD");
        c.check("NOOP", &[], "OK");
    }
    c.login();
}

/// No base64: characters that it does not have, "=" elsewhere than at the end, octets that are missing or too many.
pub const NOT_BASE64: &[&str] = &[
    "!!!!",
    "=AAA",
    "AAA=BBB",
    "A",
    "AH",
    "AHU",
    "AHUAcA",
    "AHUAcA=",
    "AHUAcA===",
    "AHU-cA==",
    "AHU=cA==",
    "**",
    "====",
    "AHVAcA== ",
];

/// RFC 9051 §6.2.2: "or if it receives an invalid base64 string (e.g., characters outside the base64 alphabet or
/// non-terminal "="), it MUST reject the AUTHENTICATE command by sending a tagged BAD response."
#[test]
fn what_is_not_base64() {
    let server = Server::start();
    for line in NOT_BASE64 {
        let mut c = server.connect();
        // Dovecot says NO, and takes some of these.
        if server.either(true, false) {
            assert_eq!(
                exchange(&mut c, "AUTHENTICATE PLAIN", &[line]),
                "BAD",
                "{line}"
            );
            c.check("NOOP", &[], "OK");
            assert_eq!(
                exchange(&mut c, "AUTHENTICATE LOGIN", &["dQ==", line]),
                "BAD",
                "{line}"
            );
            c.check("NOOP", &[], "OK");
        }
        c.login();
    }
}

/// RFC 3501 §6.2: "Once authenticated (including as anonymous), it is not possible to re-enter not authenticated state."
#[test]
fn once_only() {
    let server = Server::start();
    let mut c = server.client();
    c.bad("AUTHENTICATE PLAIN AHUAcA==");
    c.ok("SELECT INBOX");
    c.bad("AUTHENTICATE PLAIN");
    c.bad("AUTHENTICATE X-NONE");
    c.check("NOOP", &[], "OK");
}

/// RFC 3501 §6.2.2: "A server MAY include a CAPABILITY response code in the tagged OK response of a successful
/// AUTHENTICATE command".
#[test]
fn the_capabilities_come_with_it() {
    let server = Server::start();
    let mut c = server.connect();
    let reply = c.run("AUTHENTICATE PLAIN AHUAcA==");
    assert!(reply.tagged.starts_with("OK [CAPABILITY "), "{reply:?}");
    let told = reply.outcome();
    let inside = told.trim_start_matches("OK [").trim_end_matches(']');
    c.check("CAPABILITY", &[&format!("* {inside}")], "OK");
}

/// Sends AUTHENTICATE and an answer to each challenge; gives the outcome without its capabilities.
pub fn exchange(c: &mut Client, command: &str, responses: &[&str]) -> String {
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
