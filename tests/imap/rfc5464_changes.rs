//! What follows from a change of annotations (RFC 5464): who hears of it, and what becomes of mod-sequences.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup};

/// The mailbox's HIGHESTMODSEQ.
fn highest(c: &mut Client, mailbox: &str) -> u64 {
    let line = c.ok(&format!("STATUS {mailbox} (HIGHESTMODSEQ)")).concat();
    let (_, number) = line.split_once("(HIGHESTMODSEQ ").unwrap();
    number.split(')').next().unwrap().parse().unwrap()
}

/// RFC 7162 §3.2: "if the server also supports the IMAP METADATA extension, it MUST increment the per-mailbox
/// mod-sequence when SETMETADATA successfully changes an annotation on the corresponding mailbox."
#[test]
fn a_higher_mod_sequence() {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    c.ok("CREATE box");
    let mut selected = server.client();
    selected.ok("ENABLE QRESYNC");
    selected.ok("SELECT INBOX");
    let before = highest(&mut c, "INBOX");
    let other = highest(&mut c, "box");
    c.ok("SETMETADATA INBOX (/private/comment \"x\")");
    let after = highest(&mut c, "INBOX");
    assert!(after > before, "{before} {after}");
    let told = format!("* OK [HIGHESTMODSEQ {after}]");
    selected.check("NOOP", &[&told], "OK");
    // What changes nothing, or not this mailbox, raises nothing.
    c.ok("SETMETADATA INBOX (/private/comment \"x\" /private/y NIL)");
    c.ok("SETMETADATA \"\" (/private/comment \"x\")");
    assert_eq!(highest(&mut c, "INBOX"), after);
    assert_eq!(highest(&mut c, "box"), other);
    // Another loses what it was for.
    c.ok("SETMETADATA box (/private/specialuse \"\\\\Sent\")");
    let other = highest(&mut c, "box");
    c.ok("CREATE chest");
    c.ok("SETMETADATA chest (/private/specialuse \"\\\\Sent\")");
    assert!(highest(&mut c, "box") > other);
    drop((c, selected, server));
    let server = Setup::new(Kind::Culver).start(&maildir);
    assert_eq!(highest(&mut server.client(), "INBOX"), after);
}

/// §4.4: "servers MUST send unsolicited METADATA responses if server or mailbox annotations are changed by a
/// third-party". What is set to what it was is not changed.
#[test]
fn made_and_removed_with_their_mailbox() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut hears = server.client();
    hears.ok("ENABLE METADATA");
    let mut c = server.client();
    c.ok("CREATE box (USE (\\Drafts))");
    let told = "* METADATA box /private/specialuse";
    hears.check("NOOP", &[told], "OK");
    c.ok("SETMETADATA box (/private/comment \"x\" /private/y NIL)");
    hears.check("NOOP", &["* METADATA box /private/comment"], "OK");
    c.ok("SETMETADATA box (/private/comment \"x\")");
    hears.check("NOOP", &[], "OK");
    c.ok("DELETE box");
    let told = "* METADATA box /private/comment /private/specialuse";
    hears.check("NOOP", &[told], "OK");
    // Who does it knows.
    hears.ok("CREATE box (USE (\\Drafts))");
    hears.ok("DELETE box");
    hears.check("NOOP", &[], "OK");
}

/// Long names are told in several responses.
#[test]
fn long_names() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut hears = server.client();
    hears.ok("ENABLE METADATA");
    let long = "x".repeat(900);
    let entries: Vec<String> = (0..20)
        .map(|number| format!("/private/{long}{number} \"\""))
        .collect();
    let set = format!("SETMETADATA INBOX ({})", entries.join(" "));
    server.client().ok(&set);
    let told = hears.run("NOOP").plain();
    assert!(told.iter().all(|line| line.len() < 6000));
    let names: usize = told
        .iter()
        .map(|line| line.matches("/private/").count())
        .sum();
    assert_eq!((told.len(), names), (4, 20));
}
