//! LITERAL+ and LITERAL- (RFC 7888): literals that do not wait. What is malformed in them: `malformed::literals`.

use std::sync::Arc;

use super::select::validity;
use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

fn has(c: &mut Client, name: &str) -> bool {
    let told = c.ok("CAPABILITY").remove(0);
    told.split(' ').any(|one| one == name)
}

/// §5: a server MUST NOT announce both at the same time. Strangers have LITERAL-, users LITERAL+.
#[test]
fn never_both_at_once() {
    let server = Server::start();
    let mut secured = Client::open(server.imaps, server.kind);
    secured.secure(rustls::ALL_VERSIONS);
    secured.greeting();
    for mut c in [server.connect(), secured] {
        // Dovecot has LITERAL+ from the beginning.
        assert_eq!(has(&mut c, "LITERAL-"), server.either(true, false));
        assert_eq!(has(&mut c, "LITERAL+"), server.either(false, true));
        c.login();
        for command in ["NOOP", "SELECT INBOX", "CLOSE"] {
            c.ok(command);
            assert!(has(&mut c, "LITERAL+"), "{command}");
            assert!(!has(&mut c, "LITERAL-"), "{command}");
        }
    }
}

/// §3, the example, in both its forms. Nothing is asked for in between: the tagged response is the first that comes. The
/// literal ends with its last octet, and the space between the two is behind it.
#[test]
fn the_rfcs_example() {
    let server = Setup::new(Kind::chosen())
        .account("FRED FOOBAR", "fat man")
        .dovecot_settings("auth_username_chars =\nauth_username_format = %u\n")
        .start(&Arc::new(Maildir::new()));
    for login in [
        "LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man",
        "LOGIN \"FRED FOOBAR\" \"fat man\"",
        "LOGIN {11+}\r\nFRED FOOBAR \"fat man\"",
    ] {
        let mut c = server.connect();
        c.send(format!("A001 {login}\r\n").as_bytes());
        let line = String::from_utf8(c.line()).unwrap();
        assert!(line.starts_with("A001 OK "), "{login} → {line}");
    }
    // Of the two kinds, one after the other, only that without the "+" is asked for.
    let mut c = server.connect();
    c.send(b"A001 LOGIN {11+}\r\nFRED FOOBAR {7}\r\n");
    assert!(c.line().starts_with(b"+ "));
    c.send(b"fat man\r\n");
    assert!(c.line().starts_with(b"A001 OK "));
}

/// §3: the end of every line MUST be looked at, whatever the command is: the octets announced and the line behind them
/// belong to it, and are never commands of their own.
#[test]
fn at_the_end_of_every_line() {
    let server = Server::start();
    let mut c = server.client();
    for command in [
        "NOOP {10+}\r\ny LOGOUT\r\n",
        "NOSUCH {10+}\r\ny LOGOUT\r\n {10+}\r\ny LOGOUT\r\n",
        "CREATE \"a{10+}\r\ny LOGOUT\r\n",
    ] {
        // Dovecot reads the octets behind what it refuses as commands.
        c.bad_strictly(command);
        if server.either(true, false) {
            c.check("NOOP", &[], "OK");
        } else {
            c = server.client();
        }
    }
    // Elsewhere in the line, and inside of a literal, the sign means nothing.
    c.ok("CREATE \"a{3+}b\"");
    c.ok("CREATE {4+}\r\n{2+}");
    c.append("INBOX", "", "Subject: {3+}\r\n\r\n{9+}\r\n");
    c.ok("SELECT INBOX");
    c.check("SEARCH BODY {4+}\r\n{9+}", &["* SEARCH 1"], "OK");
    c.check(
        "SEARCH OR SUBJECT {0+}\r\n BODY {4+}\r\n\r\nab",
        &["* SEARCH 1"],
        "OK",
    );
}

/// §3: where a string may be a literal, it may be one of these; in all commands (§1).
#[test]
fn in_all_commands() {
    let server = Server::start();
    let mut c = server.client();
    let text = message("one");
    let literal = format!("{{{}+}}\r\n{text}", text.len());
    for (command, begins) in [
        ("CREATE {3+}\r\nbox", "OK"),
        ("SUBSCRIBE {3+}\r\nbox", "OK"),
        ("LIST {0+}\r\n {3+}\r\nb%x", "OK"),
        ("STATUS {3+}\r\nbox (MESSAGES)", "OK"),
        (
            &format!("APPEND {{3+}}\r\nbox () {literal}"),
            "OK [APPENDUID ",
        ),
        ("SELECT {3+}\r\nbox", "OK"),
        ("SEARCH HEADER {7+}\r\nSubject {3+}\r\none", "OK"),
        (
            "FETCH 1 BODY.PEEK[HEADER.FIELDS ({4+}\r\nFrom {2+}\r\nTo)]",
            "OK",
        ),
        ("COPY 1 {5+}\r\nINBOX", "OK [COPYUID "),
        ("RENAME {3+}\r\nbox {5+}\r\nother", "OK"),
        ("ID ({4+}\r\nname {4+}\r\ntest)", "OK"),
        ("DELETE {5+}\r\nother", "OK"),
    ] {
        c.send(format!("x {command}\r\n").as_bytes());
        let reply = c.until_tagged("x");
        assert!(reply.tagged.starts_with(begins), "{command} → {reply:?}");
    }
}

/// §5: with LITERAL- those of 4096 octets are taken, and larger ones MUST NOT be sent; of APPEND the answer to them MUST
/// have TOOBIG, and so SHOULD a BYE. §4: they are read, and refused, where they are not too many. With LITERAL+ they are
/// taken.
#[test]
fn strangers_have_4096_octets() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let id = |size: usize| format!("ID (\"x\" {{{size}+}}\r\n{})", "x".repeat(size));
    let mut c = server.connect();
    c.ok(&id(4096));
    c.check(&id(4097), &[], "BAD [TOOBIG]");
    c.check("NOOP", &[], "OK");
    let text = "x".repeat(4097);
    c.check(
        &format!("APPEND INBOX {{4097+}}\r\n{text}"),
        &[],
        "BAD [TOOBIG]",
    );
    c.login();
    c.ok("SELECT INBOX");
    let text = "x".repeat(60_000);
    c.check(
        &format!("SEARCH SUBJECT {{60000+}}\r\n{text}"),
        &["* SEARCH"],
        "OK",
    );
    let reply = c.run(&format!("APPEND INBOX {{60000+}}\r\n{text}"));
    assert!(reply.tagged.starts_with("OK [APPENDUID "), "{reply:?}");
    let mut c = server.connect();
    c.send(b"x APPEND INBOX {100000000+}\r\n");
    assert_eq!(c.rest(), ["* BYE [TOOBIG]"]);
}

/// §3: the server MUST NOT send them itself, whatever the client sends.
#[test]
fn the_server_sends_the_other_kind() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE {5+}\r\na\"b\\c");
    let text = "Subject: \"\r\n\r\n{1+}\r\n";
    c.run(&format!("APPEND INBOX {{{}+}}\r\n{text}", text.len()));
    c.ok("SELECT INBOX");
    for command in [
        "LIST \"\" *",
        "FETCH 1 (ENVELOPE BODY.PEEK[TEXT] BODY.PEEK[HEADER])",
    ] {
        for line in c.run(command).untagged {
            let line = String::from_utf8(line).unwrap();
            let head = line.split("\r\n").next().unwrap();
            assert!(!head.ends_with("+}"), "{line}");
        }
    }
    c.check(
        "FETCH 1 BODY.PEEK[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {6}\r\n{1+}\r\n)"],
        "OK",
    );
}

/// §6 and §7: literals with NUL in them (RFC 3516) and the several messages of one APPEND (RFC 3502) need not wait
/// either.
#[test]
fn of_several_messages_and_of_binary_ones() {
    let server = Server::start();
    let mut c = server.client();
    let validity = validity(&c.ok("SELECT INBOX"));
    c.ok("UNSELECT");
    let text = message("one");
    let literal = format!("{{{}+}}\r\n{text}", text.len());
    c.send(format!("x APPEND INBOX {literal} (\\Seen) {literal}\r\n").as_bytes());
    assert_eq!(
        c.until_tagged("x").outcome(),
        format!("OK [APPENDUID {validity} 1:2]")
    );
    let binary = "Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b";
    c.send(format!("x APPEND INBOX ~{{{}+}}\r\n{binary}\r\n", binary.len()).as_bytes());
    assert_eq!(
        c.until_tagged("x").outcome(),
        format!("OK [APPENDUID {validity} 3]")
    );
}
