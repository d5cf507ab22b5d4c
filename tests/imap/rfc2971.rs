//! ID (RFC 2971).

use super::states;
use crate::harness::{Client, Server};

/// §3.1: "This command is valid in any state." §3.2: "A server MUST send a tagged ID response to an ID command."
#[test]
fn in_every_state() {
    let server = Server::start();
    for c in [
        &mut server.connect(),
        &mut server.client(),
        &mut server.selected("INBOX"),
    ] {
        told(c, &server, "ID NIL");
        told(c, &server, "ID (\"name\" \"test\" \"version\" NIL)");
    }
}

/// `id ::= "ID" SPACE id_params_list`, `id_params_list ::= "(" #(string SPACE nstring) ")" / nil`
#[test]
fn grammar() {
    let server = Server::start();
    for c in [&mut server.connect(), &mut server.client()] {
        for command in [
            "id nil",
            "ID ()",
            "ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" \"Pink Floyd Music Limited\")",
            "ID ({4+}\r\nname {4+}\r\nsodr)",
            "ID ({4}\r\nname NIL)",
            "ID (\"name\" \"\")",
        ] {
            told(c, &server, command);
        }
        states::bad_arguments(
            &server,
            c,
            "ID",
            &[
                "",
                " ",
                " x",
                " \"name\"",
                " (\"name\")",
                " (NIL \"x\")",
                " (\"name\" x)",
                " (\"name\" \"x\" \"version\")",
                " (\"name\" \"x\"",
                " NIL NIL",
                " () x",
            ],
        );
    }
}

/// §2: "Servers MUST NOT deny access to or refuse service for a client based on information from the ID command."
/// §3.3: "Implementations MUST NOT send more than 30 field-value pairs." A client's fault in that is no reason
/// either to keep what it sends.
#[test]
fn what_a_client_says_of_itself_changes_nothing() {
    let server = Server::start();
    let mut c = server.connect();
    let before = c.ok("CAPABILITY");
    told(&mut c, &server, "ID (\"name\" \"Outlook\" \"os\" \"BeOS\")");
    assert_eq!(c.ok("CAPABILITY"), before);
    c.login();
    let pairs = |count: usize| format!("ID ({})", vec!["\"f\" \"v\""; count].join(" "));
    told(&mut c, &server, &pairs(30));
    c.bad_strictly(&pairs(31));
    // "Value strings MUST NOT be longer than 1024 octets."
    let long = "v".repeat(1024);
    told(&mut c, &server, &format!("ID (\"name\" \"{long}\")"));
    c.ok("SELECT INBOX");
}

/// It is logged, but nobody fills the log with it.
#[test]
fn a_client_cannot_fill_the_log() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    for number in 0..50 {
        c.ok(&format!("ID (\"name\" \"client {number}\")"));
        c.ok(&format!("ID (\"name\" \"client {number}\")"));
    }
    let lines = server.log().matches("client's ID: ").count();
    assert!((1..=3).contains(&lines), "{lines}");
}

/// §3.3: "Implementations MUST NOT send the same field name more than once."
#[test]
fn the_servers_own_fields() {
    let server = Server::start();
    let line = server.client().ok("ID NIL").remove(0);
    let list = line.strip_prefix("* ID (").unwrap().strip_suffix(')');
    let values = crate::harness::client::split_values(list.unwrap());
    let mut fields: Vec<&String> = values.iter().step_by(2).collect();
    assert_eq!(values.len(), fields.len() * 2, "{line}");
    assert!(fields.iter().all(|field| field.len() <= 32));
    assert!(values.iter().all(|value| value.len() <= 1026));
    fields.sort();
    fields.dedup();
    assert_eq!(values.len(), fields.len() * 2, "{line}");
}

/// Sends ID: one untagged response has to come, with the server's name.
#[track_caller]
fn told(c: &mut Client, server: &Server, command: &str) {
    let lines = c.ok(command);
    let name = server.either("* ID (\"name\" \"Culver\"", "* ID (\"name\" \"Dovecot\"");
    assert!(
        lines.len() == 1 && lines[0].starts_with(name),
        "{command} → {lines:?}"
    );
}
