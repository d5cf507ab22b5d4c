//! LOGOUT (RFC 3501 §6.1.3, RFC 9051 §6.1.3), and clients that go without it.

use crate::harness::{Client, Server, message};

/// "The server MUST send a BYE untagged response before the (tagged) OK response, and then close the network
/// connection."
#[test]
fn grammar_and_every_state() {
    let server = Server::start();
    for command in ["LOGOUT", "lOgOuT"] {
        let mut secured = Client::open(server.imaps, server.kind);
        secured.secure(rustls::ALL_VERSIONS);
        secured.greeting();
        for mut c in [
            server.connect(),
            server.client(),
            server.selected("INBOX"),
            secured,
        ] {
            c.bad_strictly("NOOP it");
            c.check(command, &["* BYE"], "OK");
            assert!(c.next_line().is_none(), "the server closes");
        }
    }
    let mut c = server.client();
    if server.either(true, false) {
        c.bad("LOGOUT now");
        c.bad("LOGOUT ");
        c.check("NOOP", &[], "OK");
    }
}

#[test]
fn nothing_behind_it_is_carried_out() {
    let server = Server::start();
    let mut c = server.client();
    c.send(b"x CREATE before\r\ny LOGOUT\r\nz CREATE behind\r\n");
    assert!(c.until_tagged("x").tagged.starts_with("OK"));
    let reply = c.until_tagged("y");
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    assert_eq!(reply.plain(), ["* BYE"]);
    assert!(c.rest().is_empty());
    server.client().check(
        "LIST \"\" be*",
        &["* LIST (\\HasNoChildren) \".\" before"],
        "OK",
    );
}

#[test]
fn it_deletes_nothing() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.ok("SELECT INBOX");
    c.check("LOGOUT", &["* BYE"], "OK");
    server.client().check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 1)"],
        "OK",
    );
}

#[test]
fn a_client_may_just_close() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.hang_up();
    assert!(c.next_line().is_none_or(|line| line.starts_with(b"* BYE")));
    server.client().ok("NOOP");
}
