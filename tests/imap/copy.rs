//! COPY (RFC 3501 §6.4.7, RFC 9051 §6.4.7) and its COPYUID (RFC 4315 §3). MOVE: `rfc6851`.

use super::select::validity;
use super::selected::only_where_selected;
use crate::harness::{Client, Server, message};

/// INBOX selected, with three messages; an empty `box`, whose UIDVALIDITY is given.
pub fn three(server: &Server) -> (Client, u32) {
    let mut c = server.client();
    c.append(
        "INBOX",
        "(\\Seen kw) \"01-Feb-2020 03:04:05 +0000\" ",
        &message("one"),
    );
    c.append("INBOX", "", &message("two"));
    c.append("INBOX", "(\\Flagged) ", &message("three"));
    c.ok("CREATE box");
    let target = validity(&c.ok("SELECT box"));
    c.ok("SELECT INBOX");
    (c, target)
}

/// "The COPY command copies the specified message(s) to the end of the specified destination mailbox. The flags and
/// internal date of the message(s) SHOULD be preserved, and the Recent flag SHOULD be set, in the copy."
#[test]
fn copy_keeps_flags_keywords_and_date() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    let date = c.ok("FETCH 1 INTERNALDATE").remove(0);
    // RFC 9051: "On successful completion of a COPY, the server returns a COPYUID response code". RFC 4315 §3: servers
    // "that advertise the UIDPLUS extension SHOULD return these response codes."
    c.check(
        "COPY 1,3 box",
        &[],
        &format!("OK [COPYUID {target} 1,3 1:2]"),
    );
    c.check(
        "UID COPY 2:3 box",
        &[],
        &format!("OK [COPYUID {target} 2:3 3:4]"),
    );
    let own = validity(&server.client().ok("EXAMINE INBOX"));
    c.check(
        "COPY 1 INBOX",
        &["* 4 EXISTS", "* 4 RECENT"],
        &format!("OK [COPYUID {own} 1 4]"),
    );
    let mut c2 = server.selected("box");
    c2.check(
        "FETCH 1:* (UID FLAGS)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent kw) UID 1)",
            "* 2 FETCH (FLAGS (\\Flagged \\Recent) UID 2)",
            "* 3 FETCH (FLAGS (\\Recent) UID 3)",
            "* 4 FETCH (FLAGS (\\Flagged \\Recent) UID 4)",
        ],
        "OK",
    );
    assert_eq!(c2.ok("FETCH 1 INTERNALDATE"), [date]);
    // The source is as it was.
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4"], "OK");
}

/// `copy = "COPY" SP sequence-set SP mailbox`. §7.1, COPYUID: "The source UID set is in the order the message(s) was
/// copied; the destination UID set corresponds to the source UID set and is in the same order. Neither of the UID sets
/// may contain extraneous UIDs or the symbol "*"."
#[test]
fn grammar() {
    let server = Server::start();
    let (mut c, target) = three(&server);
    let mut next = 1;
    for (arguments, from) in [
        ("1 box", "1"),
        ("1,3 box", "1,3"),
        ("3:2 box", "2:3"),
        ("* box", "3"),
        ("1:* box", "1:3"),
        ("3,1,2,1 box", "1:3"),
        ("2 \"box\"", "2"),
        ("2 {3}\r\nbox", "2"),
        ("2 {3+}\r\nbox", "2"),
    ] {
        for command in ["COPY", "UID COPY"] {
            let reply = c.run(&format!("{command} {arguments}"));
            let count = match from {
                "1:3" => 3,
                "1,3" | "2:3" => 2,
                _ => 1,
            };
            let to = match count {
                1 => next.to_string(),
                _ => format!("{next}:{}", next + count - 1),
            };
            // "Responses: no specific responses for this command".
            assert!(reply.untagged.is_empty(), "{arguments}: {reply:?}");
            assert_eq!(
                reply.outcome(),
                format!("OK [COPYUID {target} {from} {to}]"),
                "{command} {arguments}"
            );
            next += count;
        }
    }
    for arguments in [
        "",
        " ",
        " 1",
        " 1 ",
        " box",
        " x box",
        " 0 box",
        " 1 (box)",
        " 1,2, box",
    ] {
        c.bad_strictly(&format!("COPY{arguments}"));
    }
    c.check("NOOP", &[], "OK");
    for arguments in [" 1 box 2", " 1 2 box", " 1  box", " 1:2:3 box"] {
        c.bad_strictly(&format!("COPY{arguments}"));
    }
    // `mailbox = "INBOX" / astring`: in any case.
    assert!(c.outcome("COPY 1 \"inBOX\"").starts_with("OK [COPYUID "));
    c.check("SEARCH ALL", &["* SEARCH 1 2 3 4"], "OK");
}

#[test]
fn states() {
    let server = Server::start();
    only_where_selected(&server, "COPY 1 INBOX");
}

/// RFC 9051: "If the destination mailbox does not exist, a server MUST return an error. It MUST NOT automatically create
/// the mailbox. Unless it is certain that the destination mailbox can not be created, the server MUST send the response
/// code "[TRYCREATE]" as the prefix of the text of the tagged NO response." RFC 3501 has SHOULD and SHOULD NOT.
#[test]
fn copy_that_cannot_be_copies_nothing() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    for name in ["nosuch", "nosuch.below", "box.below", "&AOk-"] {
        c.check(&format!("COPY 1 {name}"), &[], "NO [TRYCREATE]");
        c.check(&format!("UID COPY 1 {name}"), &[], "NO [TRYCREATE]");
    }
    assert_eq!(c.ok("LIST \"\" %").len(), 2, "none was created");
    // Certain: such a mailbox "can not be created".
    for name in ["\"\"", ".", "a..b", ".a"] {
        c.check(&format!("COPY 1 {name}"), &[], "NO [CANNOT]");
    }
    c.bad("COPY 1:4 box");
    c.bad("COPY 1");
    c.check("UID COPY 99 box", &[], "OK");
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 0)"],
        "OK",
    );
}

/// "If the COPY command is unsuccessful for any reason, server implementations MUST restore the destination mailbox to its
/// state before the COPY attempt (other than possibly incrementing UIDNEXT), i.e., partial copy MUST NOT be done."
#[test]
fn all_or_nothing() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    let mut other = server.selected("INBOX");
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    // Message 2 is gone, and this client has not heard of it.
    let reply = c.run("COPY 1:3 box");
    assert_eq!(reply.outcome(), "NO [EXPUNGEISSUED]");
    let nothing = ["* STATUS box (MESSAGES 0 UIDNEXT 1)"];
    c.check("STATUS box (MESSAGES UIDNEXT)", &nothing, "OK");
    assert!(server.maildir.files("box").is_empty());
    if server.either(false, true) {
        return; // Dovecot's copies share a file with the original where a directory cannot be written.
    }
    // A destination that cannot be written.
    use std::os::unix::fs::PermissionsExt;
    let permit = |mode| {
        for sub in ["cur", "new", "tmp"] {
            let dir = server.maildir.folder("box").join(sub);
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    c.ok("NOOP");
    permit(0o555);
    c.check("COPY 1:2 box", &[], "NO [NOPERM]");
    permit(0o755);
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 0)"],
        "OK",
    );
    assert!(server.maildir.files("box").is_empty());
    c.ok("COPY 1:2 box");
}

/// RFC 9051 §2.3.2: $Forwarded, $MDNSent, $Junk, $NotJunk, $Phishing "SHOULD be supported (allowed in SEARCH and
/// allowed and preserved in APPEND, COPY, and MOVE commands)".
#[test]
fn the_keywords_that_everybody_knows() {
    let server = Server::start();
    let (mut c, _) = three(&server);
    let all = "$Forwarded $Junk $MDNSent $NotJunk $Phishing";
    c.ok(&format!("STORE 1 +FLAGS.SILENT ({all})"));
    c.ok("COPY 1 box");
    let mut c = server.selected("box");
    for keyword in all.split(' ') {
        c.check(&format!("SEARCH KEYWORD {keyword}"), &["* SEARCH 1"], "OK");
    }
}
