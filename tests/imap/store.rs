//! STORE (RFC 3501 §6.4.6).

use crate::harness::{Client, Server, message};

fn three(server: &Server) -> Client {
    let mut c = server.client();
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    c.ok("EXAMINE INBOX");
    c.ok("SELECT INBOX");
    c
}

#[test]
fn add_remove_replace() {
    let server = Server::start();
    let mut c = three(&server);
    c.check(
        "STORE 1:2 +FLAGS (\\Seen \\Flagged)",
        &[
            "* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))",
            "* 2 FETCH (FLAGS (\\Flagged \\Seen \\Recent))",
        ],
        "OK",
    );
    c.check(
        "STORE 1 -FLAGS (\\Flagged)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
    c.check(
        "STORE 1 FLAGS (\\Draft)",
        &["* 1 FETCH (FLAGS (\\Draft \\Recent))"],
        "OK",
    );
    c.check("STORE 1 FLAGS ()", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    c.check(
        "STORE 3 FLAGS \\Answered \\Deleted",
        &["* 3 FETCH (FLAGS (\\Answered \\Deleted \\Recent))"],
        "OK",
    );
    c.check(
        "UID STORE 3 -flags \\DELETED",
        &["* 3 FETCH (UID 3 FLAGS (\\Answered \\Recent))"],
        "OK",
    );
    c.check("STORE 2:3 +FLAGS.SILENT (\\Deleted)", &[], "OK");
    c.check(
        "FETCH 1:* FLAGS",
        &[
            "* 1 FETCH (FLAGS (\\Recent))",
            "* 2 FETCH (FLAGS (\\Flagged \\Deleted \\Seen \\Recent))",
            "* 3 FETCH (FLAGS (\\Answered \\Deleted \\Recent))",
        ],
        "OK",
    );
}

#[test]
fn a_store_that_changes_nothing_still_shows_the_flags() {
    let server = Server::start();
    let mut c = three(&server);
    c.ok("STORE 1 +FLAGS (\\Seen)");
    // RFC 3501 §6.4.6: "the updated value of the data is returned"; Dovecot says nothing of what is as it was.
    let told = ["* 1 FETCH (FLAGS (\\Seen \\Recent))"];
    c.check(
        "STORE 1 +FLAGS (\\Seen)",
        server.either(&told[..], &[]),
        "OK",
    );
}

#[test]
fn a_new_keyword_is_announced_before_it_is_used() {
    let server = Server::start();
    let mut c = three(&server);
    c.check(
        "STORE 1 +FLAGS ($MDNSent \\Seen)",
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent \\*)]",
            "* 1 FETCH (FLAGS (\\Seen \\Recent $MDNSent))",
        ],
        "OK",
    );
    // Keywords are case-insensitive.
    c.check(
        "STORE 2 +FLAGS ($mdnsent)",
        &["* 2 FETCH (FLAGS (\\Recent $MDNSent))"],
        "OK",
    );
    c.check(
        "STORE 1:2 -FLAGS ($MDNSENT)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent))",
            "* 2 FETCH (FLAGS (\\Recent))",
        ],
        "OK",
    );
}

#[test]
fn flags_go_into_the_file_name() {
    let server = Server::start();
    let mut c = three(&server);
    c.ok("STORE 1 FLAGS (\\Seen \\Answered \\Flagged \\Draft \\Deleted kw)");
    let files = server.maildir.files("INBOX");
    assert_eq!(
        files
            .iter()
            .filter(|name| name.ends_with(":2,DFRSTa"))
            .count(),
        1,
        "{files:?}"
    );
    c.ok("STORE 1 FLAGS ()");
    let files = server.maildir.files("INBOX");
    assert!(files.iter().all(|name| name.ends_with(":2,")), "{files:?}");
}

#[test]
fn what_cannot_be() {
    let server = Server::start();
    let mut c = three(&server);
    c.bad("STORE 4 +FLAGS (\\Seen)");
    c.bad("STORE 0 +FLAGS (\\Seen)");
    c.bad("STORE 1 +FLAGS (\\Recent)");
    // Not in PERMANENTFLAGS: "the server will either ignore the change or store the state change for the remainder
    // of the current session only" (RFC 3501 §7.1). Dovecot takes it for an error.
    if server.either(true, false) {
        let told = ["* 1 FETCH (FLAGS (\\Recent))"];
        c.check("STORE 1 +FLAGS (\\Nosuch)", &told, "OK");
    }
    c.bad("STORE 1 FLAG (\\Seen)");
    c.bad_strictly("STORE 1 +FLAGS");
    c.bad("STORE 1 (\\Seen)");
    c.check("UID STORE 99 +FLAGS (\\Seen)", &[], "OK");
    c.check(
        "FETCH 1:3 FLAGS",
        &[
            "* 1 FETCH (FLAGS (\\Recent))",
            "* 2 FETCH (FLAGS (\\Recent))",
            "* 3 FETCH (FLAGS (\\Recent))",
        ],
        "OK",
    );
}

#[test]
fn a_keyword_beyond_the_26_letters_is_kept_or_refused_but_never_dropped() {
    let server = Server::start();
    let mut c = three(&server);
    for number in 0..26 {
        c.ok(&format!("STORE 1 +FLAGS (kw{number})"));
    }
    let reply = c.run("STORE 1 +FLAGS (kw26)");
    let shown = c.ok("FETCH 1 FLAGS").remove(0);
    match &reply.tagged[..2] {
        "OK" => assert!(shown.contains("kw26"), "{shown}"),
        _ => assert!(
            reply.tagged.starts_with("NO") && !shown.contains("kw26"),
            "{reply:?} {shown}"
        ),
    }
    assert!(shown.contains("kw25"), "{shown}");
}

/// A body that is shown sets `\Seen`, and comes with the flags: a keyword among them that another client has just
/// made is defined first (RFC 3501 §7.2.6).
#[test]
fn a_new_keyword_is_defined_before_a_body_is_shown_with_it() {
    let server = Server::start();
    let mut a = server.client();
    a.append("INBOX", "", &message("one"));
    a.ok("SELECT INBOX");
    server.selected("INBOX").ok("STORE 1 +FLAGS (Fresh)");
    let lines = a.ok("FETCH 1 BODY[TEXT]");
    let at = |what: &dyn Fn(&&String) -> bool| lines.iter().position(|line| what(&line));
    let defined = at(&|line| line.starts_with("* FLAGS ") && line.contains("Fresh"));
    let used = at(&|line| line.contains("FETCH (") && line.contains("Fresh"));
    assert!(defined.is_some() && defined < used, "{lines:#?}");
    let seen = lines
        .iter()
        .rfind(|line| line.contains("FLAGS (") && line.contains("FETCH"));
    assert!(seen.unwrap().contains("\\Seen"), "{lines:#?}");
}
