//! EXAMINE (RFC 3501 §6.3.2, RFC 9051 §6.3.3).

use std::sync::Arc;

use super::select::validity;
use super::states;
use crate::harness::{Maildir, Server, message};

/// `examine = "EXAMINE" SP mailbox`. "The text of the tagged OK response to the EXAMINE command MUST begin with the
/// "[READ-ONLY]" response code."
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    for name in states::INBOX {
        assert_eq!(c.outcome(&format!("eXaMiNe {name}")), "OK [READ-ONLY]");
    }
    for form in states::forms("box") {
        assert_eq!(c.outcome(&format!("EXAMINE {form}")), "OK [READ-ONLY]");
    }
    states::takes_one_name(&server, &mut c, "EXAMINE");
}

/// "The EXAMINE command is identical to SELECT and returns the same output".
#[test]
fn the_output_of_select() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Seen kw) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    let mut examined = c.ok("EXAMINE INBOX");
    c.ok("UNSELECT");
    let mut selected = c.ok("SELECT INBOX");
    // Only that nothing can be changed for good.
    for lines in [&mut examined, &mut selected] {
        lines.retain(|line| !line.starts_with("* OK [PERMANENTFLAGS "));
    }
    assert_eq!(examined, selected);
    // "NO - examine failure, now in authenticated state: no such mailbox, can't access mailbox"
    c.check(
        "EXAMINE nosuch",
        &["* OK [CLOSED]"],
        server.either("NO [NONEXISTENT]", "NO"),
    );
    c.bad("FETCH 1 FLAGS");
}

/// RFC 3501 §6.3.2: "No changes to the permanent state of the mailbox, including per-user state, are permitted; in
/// particular, EXAMINE MUST NOT cause messages to lose the \Recent flag."
#[test]
fn examine_changes_nothing() {
    let maildir = Arc::new(Maildir::new());
    let base = maildir.deliver("INBOX", &message("one"));
    let server = Server::on(&maildir);
    let mut c = server.client();
    let lines = c.ok("EXAMINE INBOX");
    let validity = validity(&lines);
    c.check(
        "EXAMINE INBOX",
        &[
            "* OK [CLOSED]",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS ()]",
            "* 1 EXISTS",
            "* 1 RECENT",
            "* OK [UNSEEN 1]",
            &format!("* OK [UIDVALIDITY {validity}]"),
            "* OK [UIDNEXT 2]",
        ],
        "OK [READ-ONLY]",
    );
    assert_eq!(
        maildir.files("INBOX"),
        [format!("new/{base}")],
        "EXAMINE takes nothing over"
    );
    c.check(
        "FETCH 1 BODY[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {8}\r\nHello.\r\n)"],
        "OK",
    );
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    // Dovecot says OK and does nothing.
    let reply = c.run("STORE 1 +FLAGS (\\Seen)");
    assert!(
        reply.tagged.starts_with(server.either("NO", "OK")),
        "{reply:?}"
    );
    let reply = c.run("EXPUNGE");
    assert!(
        reply.tagged.starts_with(server.either("NO", "OK")),
        "{reply:?}"
    );
    if server.either(true, false) {
        c.no("MOVE 1 INBOX"); // Dovecot copies it and leaves the original.
    }
    c.ok("CLOSE");
    assert_eq!(maildir.files("INBOX"), [format!("new/{base}")]);
    // \Recent is still to be had by the first who may have it.
    assert!(c.ok("SELECT INBOX").contains(&"* 1 RECENT".to_owned()));
}
