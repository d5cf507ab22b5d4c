//! ID (RFC 2971).

use super::states;
use crate::harness::{Client, Server, wait_until};

/// §3.1: in any state, with a list or with NIL; a value may be NIL, too. §3.2: there MUST be an answer each time.
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
            // The example of §3.1.
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

/// §3: nobody MUST be denied anything for what ID says, nor be offered more for it. (Where an administrator says so,
/// `[capabilities]` has exceptions: `capability`.) §3.3: 30 pairs at most, a client's fault in that is no reason to keep
/// what it sends.
#[test]
fn what_a_client_says_of_itself_changes_nothing() {
    let server = Server::start();
    let mut c = server.connect();
    let before = c.ok("CAPABILITY");
    for name in [
        "Outlook",
        "com.apple.email.maild",
        "Thunderbird",
        "Dovecot",
        "x",
    ] {
        told(
            &mut c,
            &server,
            &format!("ID (\"name\" \"{name}\" \"os\" \"BeOS\")"),
        );
        assert_eq!(c.ok("CAPABILITY"), before, "{name}");
    }
    c.login();
    let pairs = |count: usize| format!("ID ({})", vec!["\"f\" \"v\""; count].join(" "));
    told(&mut c, &server, &pairs(30));
    c.bad_strictly(&pairs(31));
    // Values of 1024 octets at most, and fields of 30.
    let long = "v".repeat(1024);
    let field = "f".repeat(30);
    told(&mut c, &server, &format!("ID (\"name\" \"{long}\")"));
    told(&mut c, &server, &format!("ID (\"{field}\" \"{long}\")"));
    c.ok("SELECT INBOX");
}

/// §7: who is not logged in leaves nothing in the log, so that nobody can fill it with garbage.
#[test]
fn strangers_leave_nothing_in_the_log() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    for number in 0..20 {
        let mut c = server.connect();
        c.ok(&format!("ID (\"name\" \"stranger {number}\")"));
        c.check("LOGOUT", &["* BYE"], "OK");
    }
    // One that logs in says who it is all the same, though it said so before.
    let mut c = server.connect();
    c.ok("ID (\"name\" \"a friend\")");
    c.login();
    wait_until("the friend in the log", || {
        server.log().contains("a friend")
    });
    assert!(!server.log().contains("stranger"), "{}", server.log());
}

/// §7: it is logged, but nobody fills the log with it.
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

/// §3.3, of what the server sends: 30 pairs at most, fields of 30 octets, values of 1024, and no field twice, in whatever
/// case. §7: nothing by which a machine could be known.
#[test]
fn the_servers_own_fields() {
    let server = Server::start();
    let line = server.client().ok("ID NIL").remove(0);
    let list = line.strip_prefix("* ID (").unwrap().strip_suffix(')');
    let values = crate::harness::client::split_values(list.unwrap());
    let mut fields: Vec<String> = values
        .iter()
        .step_by(2)
        .map(|field| field.to_ascii_lowercase())
        .collect();
    assert_eq!(values.len(), fields.len() * 2, "{line}");
    assert!(fields.len() <= 30, "{line}");
    for hidden in ["environment", "arguments", "command", "address"] {
        assert!(!fields.contains(&format!("\"{hidden}\"")), "{line}");
    }
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
