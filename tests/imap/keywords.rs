//! More keywords than a Maildir has letters for: on messages, in searches, in other mailboxes, told to others, and after
//! a restart.

use std::sync::Arc;

use super::rfc4469::literal;
use super::select::validity;
use crate::harness::{Client, Kind, Maildir, Server, Setup, have, message};

/// `k0` and so on.
fn named(numbers: std::ops::Range<usize>) -> String {
    let names: Vec<String> = numbers.map(|number| format!("k{number}")).collect();
    names.join(" ")
}

/// INBOX with three messages that are recent to nobody, the first of which has a hundred keywords.
fn hundred() -> Server {
    let maildir = Arc::new(Maildir::new());
    for name in ["1.one", "2.two", "3.three"] {
        maildir.place(
            "INBOX",
            "cur",
            &format!("{name}:2,"),
            message(name).as_bytes(),
        );
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.ok(&format!("STORE 1 +FLAGS.SILENT ({})", named(0..100)));
    c.ok("UNSELECT");
    server
}

/// A message's keywords.
fn of(c: &mut Client, number: u32) -> Vec<String> {
    let told = c.ok(&format!("FETCH {number} (FLAGS)")).remove(0);
    let flags = told
        .split_once("FLAGS (")
        .unwrap()
        .1
        .split_once(')')
        .unwrap()
        .0;
    let mut flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
    flags.retain(|flag| !flag.starts_with('\\') && !flag.is_empty());
    flags.sort_unstable();
    flags
}

fn sorted(names: &str) -> Vec<String> {
    let mut names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_hundred_of_them() {
    let server = hundred();
    let mut c = server.selected("INBOX");
    assert_eq!(of(&mut c, 1), sorted(&named(0..100)));
    let system = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    let told = c.ok("SELECT INBOX");
    assert!(told.contains(&format!("* FLAGS ({system} {})", named(0..100))));
    let permanent = format!("* OK [PERMANENTFLAGS ({system} {} \\*)]", named(0..100));
    assert!(
        told.iter().any(|line| line.starts_with(&permanent)),
        "{told:?}"
    );
    c.check(
        "STORE 2 +FLAGS (K99 \\Seen)",
        &["* 2 FETCH (FLAGS (\\Seen k99))"],
        "OK",
    );
    c.check("STORE 3 FLAGS.SILENT (k50 k99)", &[], "OK");
    for (key, found) in [
        ("KEYWORD k99", "* SEARCH 1 2 3"),
        ("UNKEYWORD k99", "* SEARCH"),
        ("KEYWORD k50", "* SEARCH 1 3"),
        ("UNKEYWORD K50", "* SEARCH 2"),
        ("KEYWORD k50 UNKEYWORD k0", "* SEARCH 3"),
        ("OR KEYWORD k27 KEYWORD k98", "* SEARCH 1"),
        ("NOT KEYWORD k26", "* SEARCH 2 3"),
    ] {
        c.check(&format!("SEARCH {key}"), &[found], "OK");
    }
    c.check(
        "STORE 2:3 -FLAGS (k99)",
        &["* 2 FETCH (FLAGS (\\Seen))", "* 3 FETCH (FLAGS (k50))"],
        "OK",
    );
    c.check("STORE 1 -FLAGS.SILENT (k50)", &[], "OK");
    assert_eq!(
        of(&mut c, 1),
        sorted(&(named(0..50) + " " + &named(51..100)))
    );
    c.check(
        "STORE 1 FLAGS (k80 k3)",
        &["* 1 FETCH (FLAGS (k3 k80))"],
        "OK",
    );
    c.check(
        "STORE 1 FLAGS (\\Flagged)",
        &["* 1 FETCH (FLAGS (\\Flagged))"],
        "OK",
    );
    c.check("SEARCH KEYWORD k80", &["* SEARCH"], "OK");
}

/// What one client does, the others hear, whether they ask or idle.
#[test]
fn others_hear_of_them() {
    let server = hundred();
    let [mut c, mut asks, mut idles] = [(); 3].map(|()| server.selected("INBOX"));
    let mut idle = idles.idle();
    c.ok("STORE 2 +FLAGS.SILENT (k60)");
    c.ok("STORE 3 +FLAGS.SILENT (\\Seen k61 k2)");
    asks.check(
        "NOOP",
        &[
            "* 2 FETCH (FLAGS (k60))",
            "* 3 FETCH (FLAGS (\\Seen k2 k61))",
        ],
        "OK",
    );
    idle.expect(&[
        "* 2 FETCH (FLAGS (k60))",
        "* 3 FETCH (FLAGS (\\Seen k2 k61))",
    ]);
    idle.done(&[]);
    // By a STORE that is silent alone: the client knows the rest.
    asks.ok("STORE 2 +FLAGS.SILENT (k70)");
    asks.check("NOOP", &[], "OK");
    c.check("NOOP", &["* 2 FETCH (FLAGS (k60 k70))"], "OK");
}

#[test]
fn they_go_where_the_message_goes() {
    let server = hundred();
    let mut c = server.selected("INBOX");
    c.ok("CREATE box");
    // What has a letter there has none here.
    let body = message("other");
    let other: Vec<String> = (0..40).map(|number| format!("o{number}")).collect();
    c.append("box", &format!("({}) ", other.join(" ")), &body);
    c.ok("STORE 2 FLAGS.SILENT (k99 \\Flagged)");
    c.ok("COPY 1:2 box");
    c.ok("COPY 1:2 box");
    c.append("box", "(k98 o39 k0) ", &body);
    c.ok("SELECT box");
    assert_eq!(of(&mut c, 1), sorted(&other.join(" ")));
    for (number, names) in [
        (2, named(0..100)),
        (3, "k99".into()),
        (4, named(0..100)),
        (6, "k98 o39 k0".into()),
    ] {
        assert_eq!(of(&mut c, number), sorted(&names), "{number}");
    }
    c.check("SEARCH KEYWORD k99 FLAGGED", &["* SEARCH 3 5"], "OK");
    c.check("SEARCH KEYWORD k98", &["* SEARCH 2 4 6"], "OK");
    // And back, and within.
    c.ok("MOVE 2:3,6 INBOX");
    c.ok("MOVE 1 box");
    c.ok("SELECT INBOX");
    for (number, names) in [
        (4, named(0..100)),
        (5, "k99".into()),
        (6, "k98 o39 k0".into()),
    ] {
        assert_eq!(of(&mut c, number), sorted(&names), "{number}");
    }
    if server.either(true, false) {
        c.ok(&format!("REPLACE 5 INBOX (k97 later) {}", literal(&body)));
        c.check("SEARCH KEYWORD later KEYWORD k97", &["* SEARCH 6"], "OK");
    }
    c.ok("SELECT box");
    let last = c.ok("STATUS box (MESSAGES)").remove(0);
    assert!(last.contains("MESSAGES 3"), "{last}");
    assert_eq!(of(&mut c, 3), sorted(&other.join(" ")));
}

/// CONDSTORE and QRESYNC (RFC 7162): a change of them is a change of flags.
#[test]
fn they_have_mod_sequences() {
    let server = hundred();
    let told = server.client().ok("SELECT INBOX (CONDSTORE)");
    let since = super::rfc7162::highest(&told);
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    c.ok("STORE 1 -FLAGS.SILENT (k99)");
    c.ok("STORE 2 +FLAGS.SILENT (k98)");
    let changed = c.ok(&format!("FETCH 1:* (FLAGS) (CHANGEDSINCE {since})"));
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(
        changed[1].starts_with("* 2 FETCH (FLAGS (k98) MODSEQ"),
        "{changed:?}"
    );
    let stored = |c: &mut Client, flags: &str| {
        let command = format!("STORE 1:3 (UNCHANGEDSINCE {since}) {flags}");
        c.outcome(&command)
    };
    assert_eq!(stored(&mut c, "FLAGS.SILENT (k97)"), "OK [MODIFIED 1:2]");
    let mut again = server.client();
    again.ok("ENABLE QRESYNC");
    let validity = validity(&told);
    let told = again.ok(&format!("SELECT INBOX (QRESYNC ({validity} {since}))"));
    let news = told.iter().filter(|line| line.contains(" FETCH ("));
    assert_eq!(news.count(), 3, "{told:?}");
    // Nothing new is no news.
    let now = super::rfc7162::highest(&told);
    c.ok("STORE 2 +FLAGS.SILENT (k98)");
    c.ok("STORE 3 -FLAGS.SILENT (k1)");
    let told = again.ok("SELECT INBOX");
    assert_eq!(super::rfc7162::highest(&told), now);
}

/// The server ends and begins anew, and what may be deleted is: nothing is lost, and clients catch up.
#[test]
fn they_outlast_the_server_and_its_caches() {
    let mut server = hundred();
    if server.either(false, true) {
        return; // It loses them with its index.
    }
    let maildir = Arc::clone(&server.maildir);
    let told = server.client().ok("SELECT INBOX (CONDSTORE)");
    let (validity, since) = (validity(&told), super::rfc7162::highest(&told));
    for forgets in [false, true] {
        server.stop();
        if forgets {
            maildir.forget_caches();
        }
        server = Server::on(&maildir);
        let mut c = server.client();
        c.ok("ENABLE QRESYNC");
        let told = c.ok(&format!("SELECT INBOX (QRESYNC ({validity} {since}))"));
        let news = told.iter().filter(|line| line.contains(" FETCH ("));
        assert_eq!(news.count(), if forgets { 3 } else { 0 }, "{told:?}");
        assert_eq!(of(&mut c, 1), sorted(&named(0..100)));
        c.check("SEARCH KEYWORD k99", &["* SEARCH 1"], "OK");
    }
    // The table by itself names them, too.
    server.stop();
    let path = maildir.path().join("culver.keywords");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().filter(|line| line.starts_with("k ")).count(),
        74
    );
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.ends_with(" k40"))
        .collect();
    std::fs::write(&path, without.join("\n") + "\n").unwrap();
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let names = named(0..40) + " unknown-40 " + &named(41..100);
    assert_eq!(of(&mut c, 1), sorted(&names));
}

/// Another program that knows nothing of them sets the flags it knows.
#[test]
fn flags_by_other_programs_leave_them_alone() {
    let server = hundred();
    let mut c = server.selected("INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (k0 k99)");
    server.maildir.reflag("INBOX", "2.two", "S");
    c.check("NOOP", &["* 2 FETCH (FLAGS (\\Seen k99))"], "OK");
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.check("EXPUNGE", &["* 2 EXPUNGE"], "OK");
    c.check("SEARCH KEYWORD k99", &["* SEARCH 1"], "OK");
}

/// `mail.attachment-keywords` has room, however many letters are taken.
#[test]
fn what_arrives_gets_them_too() {
    let server = hundred();
    if server.either(false, true) {
        return;
    }
    let maildir = Arc::clone(&server.maildir);
    server.stop();
    let settings = "attachment-keywords = true\n";
    let server = Setup::new(Kind::Culver)
        .mail_settings(settings)
        .start(&maildir);
    let mut c = server.selected("INBOX");
    c.append("INBOX", "(k77) ", &message("four"));
    maildir.deliver("INBOX", &message("five"));
    c.ok("NOOP");
    c.check("SEARCH KEYWORD $HasNoAttachment", &["* SEARCH 4 5"], "OK");
    c.check("SEARCH KEYWORD k77", &["* SEARCH 1 4"], "OK");
    c.check(
        "FETCH 5 FLAGS",
        &["* 5 FETCH (FLAGS (\\Recent $HasNoAttachment))"],
        "OK",
    );
    c.ok("CLOSE");
    c.ok("SELECT INBOX");
    c.check("SEARCH KEYWORD $HasNoAttachment", &["* SEARCH 4 5"], "OK");
}

/// No file gets another name for them, and still a session under NOTIFY (RFC 5465) hears that flags were changed, though
/// it has another mailbox selected; so does one of another process in IDLE.
#[test]
fn who_waits_is_told_though_no_file_is_renamed() {
    let server = hundred();
    if server.either(false, true) {
        return; // Its NOTIFY tells such things later, and several at once.
    }
    let second = Server::on(&server.maildir);
    for other in [&server, &second] {
        let mut c = server.client();
        c.ok("ENABLE QRESYNC");
        c.ok("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))");
        let mut idles = server.selected("INBOX");
        let mut idle = idles.idle();
        let mut acts = other.selected("INBOX");
        let number = if std::ptr::eq(other, &server) { 2 } else { 3 };
        acts.ok(&format!("STORE {number} +FLAGS.SILENT (k60)"));
        idle.expect(&[&format!("* {number} FETCH (FLAGS (k60))")]);
        idle.done(&[]);
        let line = String::from_utf8(c.line()).unwrap();
        assert!(line.starts_with("* STATUS INBOX ("), "{line}");
        assert!(line.contains("HIGHESTMODSEQ "), "{line}");
    }
}

/// Dovecot works in the same Maildir, at the same time: it does not see them, and leaves them alone.
#[test]
fn dovecot_leaves_them_alone() {
    let server = hundred();
    if server.either(false, true) || !have("dovecot") {
        return;
    }
    let dovecot = Setup::new(Kind::Dovecot).start(&server.maildir);
    let mut c = server.selected("INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (k99 k0)");
    let mut d = dovecot.selected("INBOX");
    assert_eq!(of(&mut d, 1), sorted(&named(0..26)));
    d.check("STORE 1:2 +FLAGS.SILENT (\\Seen)", &[], "OK");
    d.check("STORE 2 -FLAGS.SILENT (k0)", &[], "OK");
    d.append("INBOX", "(k3) ", &message("four"));
    c.ok("NOOP");
    assert_eq!(of(&mut c, 1), sorted(&named(0..100)));
    assert_eq!(of(&mut c, 2), ["k99"]);
    assert_eq!(of(&mut c, 4), ["k3"]);
    c.check("SEARCH SEEN", &["* SEARCH 1 2"], "OK");
    c.ok("STORE 4 +FLAGS.SILENT (k70)");
    d.check("SEARCH KEYWORD k3", &["* SEARCH 1 4"], "OK");
    assert_eq!(of(&mut c, 4), ["k3", "k70"]);
}
