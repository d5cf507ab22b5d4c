//! SASL-IR (RFC 4959): an initial response in the AUTHENTICATE command itself.

use std::sync::Arc;

use super::authenticate::{NOT_BASE64, exchange};
use super::rfc4616::PATIENT;
use crate::harness::{Client, Kind, Maildir, Server, Setup};

/// The user of the examples, on TLS.
fn secured() -> (Server, Client) {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::chosen())
        .account("test", "test")
        .settings("[auth]\nfailure-delay = \"0s\"\n")
        .dovecot_settings(PATIENT)
        .start(&maildir);
    let c = secure(&server);
    (server, c)
}

fn secure(server: &Server) -> Client {
    let mut c = server.connect();
    c.ok("STARTTLS");
    c.secure(rustls::ALL_VERSIONS);
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" SASL-IR ") && told.contains(" AUTH=PLAIN "));
    c
}

/// §4, the two examples with PLAIN. A client that gives no initial response MUST be served as ever: the challenge is empty,
/// and a space follows its "+".
#[test]
fn the_rfcs_examples() {
    let (server, mut c) = secured();
    let response = "dGVzdAB0ZXN0AHRlc3Q=";
    c.ok(&format!("AUTHENTICATE PLAIN {response}"));
    c.ok("STATUS INBOX (MESSAGES)");
    let mut c = secure(&server);
    c.send(b"A01 AUTHENTICATE PLAIN\r\n");
    assert_eq!(c.line(), b"+ ");
    c.send(format!("{response}\r\n").as_bytes());
    assert!(c.until_tagged("A01").tagged.starts_with("OK"));
    c.ok("STATUS INBOX (MESSAGES)");
    // What is said in one line is judged as what is said in two.
    let wrong = "dGVzdAB0ZXN0AHRlc3Rz";
    let mut c = secure(&server);
    assert_eq!(exchange(&mut c, "AUTHENTICATE PLAIN", &[wrong]), "NO");
    c.check(
        &format!("AUTHENTICATE PLAIN {wrong}"),
        &[],
        "NO [AUTHENTICATIONFAILED]",
    );
    c.ok(&format!("authenticate plain {response}"));
}

/// §3: "=" is a response of no octets, which is not the same as none. EXTERNAL of the examples is not to be had here: NO,
/// and no challenge. For PLAIN nothing is a message without its parts, and no exchange goes on.
#[test]
fn a_response_of_no_octets() {
    let (_server, mut c) = secured();
    c.check("AUTHENTICATE PLAIN =", &[], "NO [AUTHENTICATIONFAILED]");
    c.no("AUTHENTICATE EXTERNAL =");
    c.no("AUTHENTICATE EXTERNAL");
    c.check("NOOP", &[], "OK");
    c.ok("AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=");
}

/// §3: what is no base64 MUST be treated as in any other response of the client: BAD.
#[test]
fn what_is_not_base64() {
    let server = Server::start();
    if server.either(false, true) {
        return; // It says NO, and takes some of these.
    }
    let mut c = server.connect();
    for line in NOT_BASE64 {
        c.bad(&format!("AUTHENTICATE PLAIN {line}"));
        c.check("NOOP", &[], "OK");
    }
    c.ok("AUTHENTICATE PLAIN AHUAcA==");
}

/// §3: it MUST NOT be a quoted string or a literal. §7: a single space before it, and nothing behind.
#[test]
fn neither_quoted_nor_a_literal() {
    let server = Server::start();
    if server.either(false, true) {
        return; // It takes strings, too.
    }
    let mut c = server.connect();
    for arguments in [
        "\"AHUAcA==\"",
        "{8+}\r\nAHUAcA==",
        "{8}\r\nAHUAcA==",
        " AHUAcA==",
        "AHUAcA== x",
        "",
    ] {
        c.bad(&format!("AUTHENTICATE PLAIN {arguments}"));
        c.check("NOOP", &[], "OK");
    }
    c.ok("AUTHENTICATE PLAIN AHUAcA==");
}

/// §3: for a mechanism in which the server begins there MUST NOT be one. LOGIN, which nobody defined, is taken with a name
/// in it, as Dovecot takes it; a response of no octets is no name.
#[test]
fn of_login() {
    let server = Server::start();
    let mut c = server.connect();
    let wrong = exchange(&mut c, "AUTHENTICATE LOGIN dQ==", &["eA=="]);
    assert_eq!(wrong, "NO");
    if server.either(true, false) {
        c.no("AUTHENTICATE LOGIN =");
    }
    assert_eq!(exchange(&mut c, "AUTHENTICATE LOGIN dQ==", &["cA=="]), "OK");
}

/// §6: the largest initial response that a mechanism may have MUST fit the line: three times 255 octets and two between
/// them for PLAIN (RFC 4616 §2).
#[test]
fn the_largest_fits() {
    let longest = "n".repeat(255);
    let password = "p".repeat(255);
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::chosen())
        .account(&longest, &password)
        .start(&maildir);
    let message = format!("{longest}\0{longest}\0{password}");
    let base64 = base64_simd::STANDARD.encode_to_string(message);
    assert_eq!(base64.len(), 1024);
    server.connect().ok(&format!("AUTHENTICATE PLAIN {base64}"));
    let mut c = server.connect();
    assert_eq!(exchange(&mut c, "AUTHENTICATE PLAIN", &[&base64]), "OK");
}
