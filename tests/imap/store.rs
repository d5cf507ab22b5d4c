//! STORE (RFC 3501 §6.4.6, RFC 9051 §6.4.6).

use crate::harness::{Client, Server, message};
use crate::limits::stated;

fn three(server: &Server) -> Client {
    let mut c = server.client();
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    c.ok("EXAMINE INBOX");
    c.ok("SELECT INBOX");
    c
}

/// `store = "STORE" SP sequence-set SP store-att-flags`;
/// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`: each of the six items,
/// with a list in parentheses, an empty one, and without parentheses.
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = three(&server);
    let mut stores = |item: &str, flags: &str, told: &[&str], then: &str| {
        c.ok("STORE 1 FLAGS.SILENT (\\Answered \\Flagged)");
        c.check(&format!("STORE 1 {item} {flags}"), told, "OK");
        c.check(
            "FETCH 1 FLAGS",
            &[&format!("* 1 FETCH (FLAGS ({then}\\Recent))")],
            "OK",
        );
    };
    for (flags, replaced, added, removed) in [
        (
            "(\\Seen \\Flagged)",
            "\\Flagged \\Seen ",
            "\\Answered \\Flagged \\Seen ",
            "\\Answered ",
        ),
        (
            "\\Seen \\Flagged",
            "\\Flagged \\Seen ",
            "\\Answered \\Flagged \\Seen ",
            "\\Answered ",
        ),
        (
            "(\\FLAGGED)",
            "\\Flagged ",
            "\\Answered \\Flagged ",
            "\\Answered ",
        ),
        (
            "\\Draft",
            "\\Draft ",
            "\\Answered \\Flagged \\Draft ",
            "\\Answered \\Flagged ",
        ),
    ] {
        for (item, then) in [("FLAGS", replaced), ("+FLAGS", added), ("-FLAGS", removed)] {
            // "The new value of the flags is returned as if a FETCH of those flags was done."
            let told = format!("* 1 FETCH (FLAGS ({then}\\Recent))");
            let unchanged = then == "\\Answered \\Flagged ";
            if !unchanged || server.either(true, false) {
                stores(item, flags, &[&told], then);
                stores(&item.to_lowercase(), flags, &[&told], then);
            }
            // "Equivalent to FLAGS, but without returning a new value." "the server SHOULD assume that the client has
            // determined the updated value itself or does not care about the updated value."
            stores(&format!("{item}.SILENT"), flags, &[], then);
            stores(&format!("{item}.silent"), flags, &[], then);
        }
    }
    stores("FLAGS", "()", &["* 1 FETCH (FLAGS (\\Recent))"], "");
    stores("FLAGS.SILENT", "()", &[], "");
    stores("+FLAGS.SILENT", "()", &[], "\\Answered \\Flagged ");
    stores("-FLAGS.SILENT", "()", &[], "\\Answered \\Flagged ");
}

#[test]
fn states() {
    let server = Server::start();
    super::selected::only_where_selected(&server, "STORE 1 +FLAGS (\\Seen)");
}

/// The sets that STORE takes are those of FETCH; the flags of each message are its own.
#[test]
fn sets() {
    let server = Server::start();
    let mut c = three(&server);
    for (set, expected) in [
        ("1", "1"),
        ("1,3", "1 3"),
        ("3:2", "2 3"),
        ("*", "3"),
        ("*:2", "2 3"),
        ("1:*", "1 2 3"),
        ("2,2,2", "2"),
    ] {
        c.ok("STORE 1:* FLAGS.SILENT ()");
        c.check(&format!("STORE {set} +FLAGS.SILENT (\\Seen)"), &[], "OK");
        c.check("SEARCH SEEN", &[&format!("* SEARCH {expected}")], "OK");
    }
}

/// "Add", "remove", "replace the flags for the message (other than \Recent) with the argument".
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

/// "Regardless of whether or not the ".SILENT" suffix was used, the server SHOULD send an untagged FETCH response if a
/// change to a message's flags from an external source is observed."
#[test]
fn what_others_changed_is_told_also_to_the_silent() {
    let server = Server::start();
    let mut c = three(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)");
    other.ok("STORE 3 +FLAGS.SILENT (\\Draft)");
    // Of message 1 the client knows its own change, and must hear of the other's.
    c.check_sorted(
        "STORE 1:2 +FLAGS.SILENT (\\Seen)",
        &[
            "* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))",
            "* 3 FETCH (FLAGS (\\Draft \\Recent))",
        ],
        "OK",
    );
    c.check("NOOP", &[], "OK");
}

/// RFC 3501 §7.4.2: flags in the FLAGS and PERMANENTFLAGS lists first; `flag-keyword = atom`.
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

/// RFC 3501 §2.3.2: "\Recent can not be used as an argument in a STORE or APPEND command". RFC 9051 §9: `flag`
/// "Does not include "\Recent"", and other names with a backslash are for future standards.
#[test]
fn what_cannot_be() {
    let server = Server::start();
    let mut c = three(&server);
    for arguments in [
        "",
        " 1",
        " 1 FLAGS",
        " 1 +FLAGS (\\Seen",
        " 1 +FLAGS \\Seen)",
        " 1 +FLAGS (\\Seen) \\Flagged",
        " 1 ++FLAGS (\\Seen)",
        " 1 FLAGS.LOUD (\\Seen)",
        " x +FLAGS (\\Seen)",
    ] {
        c.bad_strictly(&format!("STORE{arguments}"));
    }
    c.ok("STORE 1:3 FLAGS.SILENT ()");
    for arguments in [
        " 1 UID 5",
        " 1 +FLAGS (\\*)",
        " 1 +FLAGS (())",
        " 1 +FLAGS (a\"b)",
        " 1:4 +FLAGS.SILENT (\\Seen)",
    ] {
        c.bad_strictly(&format!("STORE{arguments}"));
    }
    c.ok("STORE 1:3 FLAGS.SILENT ()");
    c.bad("STORE 4 +FLAGS (\\Seen)");
    c.bad("STORE 0 +FLAGS (\\Seen)");
    c.bad("STORE 1 +FLAGS (\\Recent)");
    c.bad("STORE 1 +FLAGS (\\Nosuch)");
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

/// RFC 9051 §7.1, LIMIT: "The operation ran up against an implementation limit of some kind, such as the number of flags
/// […] used in a mailbox." PERMANENTFLAGS: "if the server has a limit on the number of different keywords that can be
/// stored in a mailbox and that limit is reached, the server MUST send a new PERMANENTFLAGS response code without the
/// special flag \*."
#[test]
fn the_limit_of_keywords() {
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot has no such limit.
    }
    let mut c = three(&server);
    let (most, answer) = stated("keywords of a mailbox");
    let keywords: Vec<String> = (0..most).map(|number| format!("kw{number}")).collect();
    let (last, others) = keywords.split_last().unwrap();
    c.ok(&format!("STORE 1 +FLAGS.SILENT ({})", others.join(" ")));
    let all = keywords.join(" ");
    let system = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    c.check(
        &format!("STORE 2 +FLAGS ({last})"),
        &[
            &format!("* FLAGS ({system} {all})"),
            &format!("* OK [PERMANENTFLAGS ({system} {all})]"),
            &format!("* 2 FETCH (FLAGS (\\Recent {last}))"),
        ],
        "OK",
    );
    // All of a STORE or nothing of it.
    c.check("STORE 2 FLAGS (\\Seen kw1 more)", &[], answer);
    c.check("STORE 3 +FLAGS.SILENT (more)", &[], answer);
    c.check(
        "FETCH 2:3 FLAGS",
        &[
            &format!("* 2 FETCH (FLAGS (\\Recent {last}))"),
            "* 3 FETCH (FLAGS (\\Recent))",
        ],
        "OK",
    );
    // Those that are there can be used as before.
    c.check("STORE 3 +FLAGS.SILENT (KW7)", &[], "OK");
    c.check("SEARCH KEYWORD kw7", &["* SEARCH 1 3"], "OK");
}

/// "NO - store error: can't store that data".
#[test]
fn a_mailbox_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    if server.either(false, true) {
        return; // Dovecot shows the new flags, and says by an untagged NO that they are not kept.
    }
    let mut c = three(&server);
    let cur = server.maildir.path().join("cur");
    let permit = |mode| {
        std::fs::set_permissions(&cur, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    permit(0o555);
    c.check("STORE 1 +FLAGS (\\Seen)", &[], "NO [NOPERM]");
    c.check("STORE 1 +FLAGS.SILENT (\\Seen)", &[], "NO [NOPERM]");
    c.check("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"], "OK");
    permit(0o755);
    c.check(
        "STORE 1 +FLAGS (\\Seen)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent))"],
        "OK",
    );
}

#[test]
fn a_keyword_beyond_the_26_letters_is_kept() {
    let server = Server::start();
    let mut c = three(&server);
    for number in 0..26 {
        c.ok(&format!("STORE 1 +FLAGS (kw{number})"));
    }
    c.ok("STORE 1 +FLAGS (kw26)");
    let shown = c.ok("FETCH 1 FLAGS").remove(0);
    assert!(shown.contains("kw25") && shown.contains("kw26"), "{shown}");
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

/// A system flag that there is not is no reason to take those away that a message has. RFC 3501 §2.3.2: "A system flag is
/// a flag name that is pre-defined in this specification." §9 of `flag-extension`: "Server implementations MUST NOT generate
/// flag-extension flags except as defined by future standard or standards-track revisions of this specification."
#[test]
fn an_unknown_system_flag_changes_nothing() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Flagged) ", &message("one"));
    c.ok("SELECT INBOX");
    for wrong in [
        "STORE 1 FLAGS (\\Foo)",
        "STORE 1 FLAGS.SILENT (\\Seen \\Foo)",
        "STORE 1 -FLAGS \\Foo",
        "UID STORE 1 +FLAGS (\\Deleted \\Foo)",
        "STORE 1 FLAGS (\\Recent)",
        "APPEND INBOX (\\Foo) {1}",
    ] {
        c.bad(wrong);
    }
    let flags = c.ok("FETCH 1 FLAGS").remove(0);
    assert!(flags.starts_with("* 1 FETCH (FLAGS (\\Flagged"), "{flags}");
    assert!(!flags.contains("Seen") && !flags.contains("Foo"), "{flags}");
}
