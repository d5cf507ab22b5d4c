//! NOOP, CHECK, LOGOUT, NAMESPACE, ID, ENABLE (RFC 3501 §6.1, §6.4.1; RFC 2342, 2971, 5161).

use crate::harness::{Server, message};

#[test]
fn noop_tells_what_came() {
    let server = Server::start();
    let mut c1 = server.selected("INBOX");
    let mut c2 = server.client();
    c2.append("INBOX", "", &message("one"));
    c1.check("NOOP", &["* 1 EXISTS", "* 1 RECENT"], "OK");
    c1.check("NOOP", &[], "OK");
}

#[test]
fn check_only_where_a_mailbox_is_selected() {
    let server = Server::start();
    let mut c = server.client();
    c.bad("CHECK");
    c.ok("SELECT INBOX");
    c.check("CHECK", &[], "OK");
    c.bad_strictly("CHECK x");
}

#[test]
fn logout_deletes_nothing() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.ok("SELECT INBOX");
    c.check("LOGOUT", &["* BYE"], "OK");
    assert!(c.next_line().is_none(), "the server closes");
    server.client().check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 1)"],
        "OK",
    );
    let mut c = server.connect();
    c.check("LOGOUT", &["* BYE"], "OK");
}

#[test]
fn a_client_may_just_close() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    c.hang_up();
    assert!(c.next_line().is_none_or(|line| line.starts_with(b"* BYE")));
    server.client().ok("NOOP");
}

#[test]
fn namespace() {
    let server = Server::start();
    let mut c = server.client();
    c.check("NAMESPACE", &["* NAMESPACE ((\"\" \".\")) NIL NIL"], "OK");
}

#[test]
fn id_before_and_after_login() {
    let server = Server::start();
    let mut c = server.connect();
    let name = server.either("* ID (\"name\" \"Culver\"", "* ID (\"name\" \"Dovecot\"");
    assert!(c.ok("ID NIL")[0].starts_with(name));
    c.login();
    let told = c.ok("ID (\"name\" \"test\" \"version\" NIL)");
    assert!(told[0].starts_with(name), "{told:?}");
    c.bad_strictly("ID (\"name\")");
    c.bad_strictly("ID");
}

#[test]
fn enable_of_what_is_not_there() {
    let server = Server::start();
    let mut c = server.client();
    let reply = c.run("ENABLE X-NOTHING");
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    assert!(
        reply.plain().iter().all(|line| line == "* ENABLED"),
        "{reply:?}"
    );
    c.bad_strictly("ENABLE");
}
