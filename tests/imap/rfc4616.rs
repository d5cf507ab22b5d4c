//! PLAIN (RFC 4616): a name to act as, a name, and a password, in one message. That it SHOULD NOT be offered without TLS
//! (§5): `rfc3501`.

use std::sync::Arc;

use super::authenticate::exchange;
use crate::harness::{Kind, Maildir, Server, Setup};

/// A server that answers a wrong password at once, and its user.
fn house(name: &str, password: &str) -> Server {
    // Dovecot writes names small.
    Setup::new(Kind::chosen())
        .account(name, password)
        .settings("[auth]\nfailure-delay = \"0s\"\nusername-format = \"%u\"\n")
        .dovecot_settings(PATIENT)
        .dovecot_settings("auth_username_format = %u\n")
        .start(&Arc::new(Maildir::new()))
}

/// Dovecot lets an address wait that sends wrong passwords.
pub const PATIENT: &str =
    "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n";

/// What the server says to a message of PLAIN, sent as a response and as an initial one.
#[track_caller]
fn outcome(server: &Server, message: &[u8]) -> String {
    let base64 = base64_simd::STANDARD.encode_to_string(message);
    let mut c = server.connect();
    let one = exchange(&mut c, "AUTHENTICATE PLAIN", &[&base64]);
    let mut c = server.connect();
    let reply = c.run(&format!("AUTHENTICATE PLAIN {base64}"));
    let other = reply.tagged.split(' ').next().unwrap();
    assert_eq!(one, other, "{}", message.escape_ascii());
    one
}

/// §4, the first example, in the forms of IMAP: behind STARTTLS, with an empty challenge. §2: nobody to act as is named, so
/// it is who has the password.
#[test]
fn the_first_example() {
    let server = house("tim", "tanstaaftanstaaf");
    let mut c = server.connect();
    c.ok("STARTTLS");
    c.secure(rustls::ALL_VERSIONS);
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" AUTH=PLAIN "), "{told}");
    c.send(b"a002 AUTHENTICATE PLAIN\r\n");
    assert_eq!(c.line(), b"+ ");
    c.send(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
    assert!(c.until_tagged("a002").tagged.starts_with("OK"));
    c.append("INBOX", "", "Subject: his\r\n\r\n");
    // To act as oneself needs no right.
    assert_eq!(outcome(&server, b"tim\0tim\0tanstaaftanstaaf"), "OK");
}

/// §4, the second example: the password is right, and Kurt may not act as Ursel. §2: both steps have to succeed.
#[test]
fn the_second_example() {
    let server = house("Kurt", "xipj3plmq");
    assert_eq!(outcome(&server, b"Ursel\0Kurt\0xipj3plmq"), "NO");
    assert_eq!(outcome(&server, b"\0Kurt\0xipj3plmq"), "OK");
    assert_eq!(outcome(&server, b"Kurt\0Ursel\0xipj3plmq"), "NO");
}

/// §2: 255 octets of each part MUST be taken, here of characters that have two octets each, four, and one.
#[test]
fn parts_of_255_octets() {
    let name = format!("{}x", "\u{fc}".repeat(127));
    let password = format!("{}abc", "\u{1f511}".repeat(63));
    assert_eq!([name.len(), password.len()], [255; 2]);
    // Culver's users in files have plain names, the one of its command line has any.
    let server = Setup::new(Kind::chosen())
        .account(&name, &password)
        .dovecot_settings("auth_username_chars =\nauth_username_format = %u\n")
        .dovecot_settings(PATIENT)
        .start(&Arc::new(Maildir::new()));
    let message = format!("{name}\0{name}\0{password}");
    assert_eq!(outcome(&server, message.as_bytes()), "OK");
    // To the last octet.
    let wrong = format!("\0{name}\0{}abd", "\u{1f511}".repeat(63));
    let base64 = base64_simd::STANDARD.encode_to_string(wrong);
    server.connect().no(&format!("AUTHENTICATE PLAIN {base64}"));
}

/// §2: `[authzid] NUL authcid NUL passwd`, each of at least one character of UTF-8 other than NUL. The answer is NO, for the
/// base64 is good; and the connection goes on.
#[test]
fn what_is_no_message() {
    let server = house("u", "p");
    for message in [
        &b""[..],
        b"u",
        b"u\0p",
        b"\0u",
        b"\0u\0",
        b"\0\0p",
        b"\0\0",
        b"\0u\0p\0",
        b"\0u\0p\0x",
        b"\0\0u\0p",
        b"\0u\xff\0p",
        b"\0u\0p\xff",
        b"\0\xc0\xf5\0p",
        b"\0u\0p\r\n",
        b"\0u\0p ",
    ] {
        let base64 = base64_simd::STANDARD.encode_to_string(message);
        let mut c = server.connect();
        let outcome = exchange(&mut c, "AUTHENTICATE PLAIN", &[&base64]);
        assert_eq!(outcome, "NO", "{}", message.escape_ascii());
        c.check("NOOP", &[], "OK");
        let initial = if base64.is_empty() { "=" } else { &base64 };
        c.no(&format!("AUTHENTICATE PLAIN {initial}"));
    }
    assert_eq!(outcome(&server, b"\0u\0p"), "OK");
}
