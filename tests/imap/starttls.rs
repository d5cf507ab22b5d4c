//! STARTTLS and implicit TLS (RFC 3501 §6.2.1, RFC 9051 §6.2.1, RFC 8314), and what must not slip in before it.

use crate::harness::{Client, Server, message};

#[test]
fn starttls_with_both_versions() {
    let server = Server::start();
    for (version, name) in [
        (&rustls::version::TLS12, rustls::ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, rustls::ProtocolVersion::TLSv1_3),
    ] {
        let mut c = server.connect();
        c.check("STARTTLS", &[], "OK");
        c.secure(&[version]);
        // RFC 9051 §6.2.1: the server "SHOULD NOT advertise the STARTTLS capability, after a successful STARTTLS
        // command."
        let told = c.ok("CAPABILITY").remove(0);
        assert!(!told.contains("STARTTLS"), "{told}");
        assert_eq!(c.tls_version(), Some(name));
        // "BAD - STARTTLS received after a successful TLS negotiation".
        c.bad("STARTTLS");
        c.login();
        c.bad("STARTTLS");
        c.append("INBOX", "", &message("one"));
    }
}

#[test]
fn implicit_tls() {
    let server = Server::start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut c = Client::open(server.imaps, server.kind);
        c.secure(&[version]);
        let greeting = c.greeting();
        assert!(
            greeting.starts_with("* OK [CAPABILITY IMAP4rev1"),
            "{greeting}"
        );
        assert!(!greeting.contains("STARTTLS"), "{greeting}");
        // RFC 9051 §6.2.1: "The server MUST always respond with a tagged BAD response when the STARTTLS command is
        // received on an Implicit TLS port."
        c.bad("STARTTLS");
        c.login();
        c.bad("STARTTLS");
        c.check("NOOP", &[], "OK");
        c.check("LOGOUT", &["* BYE"], "OK");
        assert!(c.next_line().is_none());
    }
}

/// Commands sent in the clear behind STARTTLS are not carried out under TLS (CVE-2011-0411 and its many
/// children): the connection ends and nothing of them is executed. RFC 9051 §6.2.1: "server implementations MUST do one
/// of the following if any data is received in the same TCP buffer": it is "interpreted as the beginning of the TLS
/// handshake" or "thrown away". Culver is stricter than either: it ends what a handshake would fail on.
#[test]
fn bytes_in_the_clear_behind_starttls_end_the_connection() {
    let server = Server::start();
    for rest in ["b LOGIN u p\r\n", "b NOOP\r\n", "b", "\r\n"] {
        let mut c = server.connect();
        c.send(format!("a STARTTLS\r\n{rest}").as_bytes());
        // Culver ends it by itself; Dovecot throws the bytes away and waits for a handshake.
        if server.either(false, true) {
            c.hang_up();
        }
        let answers: Vec<String> = c.rest();
        assert!(
            answers.iter().all(|line| line.starts_with("a OK")
                || line.starts_with("* BYE")
                || line.starts_with("a BAD")
                || line.starts_with("a NO")),
            "{rest:?} → {answers:?}"
        );
    }
}

/// RFC 3501 §6.2.1: "The server remains in the non-authenticated state, even if client credentials are supplied
/// during the [TLS] negotiation."
#[test]
fn what_was_said_before_tls_is_forgotten() {
    let server = Server::start();
    let mut c = server.connect();
    // "A [TLS] negotiation begins immediately after the CRLF at the end of the tagged OK response from the server."
    c.check("sTaRtTlS", &[], "OK");
    c.secure(rustls::ALL_VERSIONS);
    // Nobody is logged in.
    c.bad("SELECT INBOX");
    c.login();
}

#[test]
fn starttls_takes_no_arguments_and_garbage_is_not_tls() {
    let server = Server::start();
    let mut c = server.connect();
    if server.either(true, false) {
        c.bad("STARTTLS now");
        c.bad("STARTTLS ");
    }
    c.check("STARTTLS", &[], "OK");
    c.send(b"this is no handshake at all\r\n\r\n");
    // Whatever a TLS stack says last, it is no IMAP, and the connection ends.
    let mut end = Vec::new();
    let _ = std::io::Read::read_to_end(&mut c.socket(), &mut end);
    assert!(!end.windows(2).any(|pair| pair == b"OK"), "{end:?}");
    server.client().ok("NOOP");
}

#[test]
fn large_messages_cross_tls_whole() {
    let server = Server::start();
    let mut c = Client::open(server.imaps, server.kind);
    c.secure(rustls::ALL_VERSIONS);
    c.greeting();
    c.login();
    let text = format!(
        "Subject: big\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(200_000)
    );
    c.append("INBOX", "", &text);
    c.ok("SELECT INBOX");
    let reply = c.run("FETCH 1 BODY.PEEK[]");
    assert!(crate::harness::client::literal(&reply.untagged[0]) == text.as_bytes());
}
