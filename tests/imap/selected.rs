//! What the commands of the selected state have in common (RFC 3501 §3 and §6.4, RFC 9051 §3 and §6.4): where
//! they are allowed, and that their names are the same in any case.

use crate::harness::{Server, message};

/// Demands that a command is understood in the selected state, in capitals or not, and nowhere else. It may
/// name message 1, which is there.
#[track_caller]
pub fn only_where_selected(server: &Server, command: &str) {
    // RFC 3501 §3: "It is a protocol error for the client to attempt a command while the connection is in an
    // inappropriate state, and the server will respond with a BAD or NO (depending upon server implementation)
    // command completion result."
    let mut c = server.connect();
    c.bad(command);
    c.login();
    c.append("INBOX", "", &message("one"));
    c.bad(command);
    // §3.3: "This state is entered when a mailbox has been successfully selected."
    c.ok("SELECT INBOX");
    c.ok(command);
    // RFC 9051 §9: "Implementations MUST accept these strings in a case-insensitive fashion."
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    c.ok(&command.to_ascii_lowercase());
    // §3.2: Authenticated is entered "after an error in selecting a mailbox, or after a successful CLOSE command".
    c.ok("SELECT INBOX");
    c.no("SELECT nosuch");
    c.bad(command);
    c.ok("SELECT INBOX");
    c.ok("CLOSE");
    c.bad(command);
}

/// Every command of RFC 9051 §6.4 and RFC 3501 §6.4, once more in one place.
#[test]
fn all_of_them() {
    let server = Server::start();
    server.client().ok("CREATE box");
    for command in [
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "EXPUNGE",
        "SEARCH ALL",
        "FETCH 1 FLAGS",
        "FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "STORE 1 +FLAGS (\\Seen)",
        "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
        "COPY 1 box",
        "MOVE 1 box",
        "UID EXPUNGE 1",
        "UID SEARCH ALL",
        "SORT (DATE) UTF-8 ALL",
        "SORT RETURN () (DATE) UTF-8 ALL",
        "THREAD REFS UTF-8 ALL",
        "UID SORT (DATE) UTF-8 ALL",
        "UID THREAD REFS UTF-8 ALL",
        "UID FETCH 1 FLAGS",
        "UID STORE 1 +FLAGS (\\Seen)",
        "UID COPY 1 box",
        "UID MOVE 1 box",
    ] {
        only_where_selected(&server, command);
    }
    // RFC 8508 §3.5: "the REPLACE and UID REPLACE commands MUST only be valid in the selected state."
    for command in [
        "UIDBATCHES 1000",
        "REPLACE 1 box {2+}\r\nab",
        "UID REPLACE * box CATENATE (TEXT {2+}\r\nab)",
    ] {
        if server.either(true, false) {
            only_where_selected(&server, command);
        }
    }
}

/// RFC 3501 §6.4: "In addition to the universal commands […] and the authenticated state commands […], the
/// following commands are valid in the selected state". The others leave the selection alone.
#[test]
fn commands_of_other_states_leave_the_selection() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    for command in [
        "CAPABILITY",
        "NOOP",
        "CREATE other",
        "SUBSCRIBE other",
        "LIST \"\" *",
        "LSUB \"\" *",
        "STATUS other (MESSAGES)",
        "RENAME other another",
        "UNSUBSCRIBE other",
        "DELETE another",
        "SETMETADATA INBOX (/private/comment \"x\")",
        "GETMETADATA INBOX /private/comment",
        "NAMESPACE",
        "NOTIFY SET (mailboxes other (MessageNew MessageExpunge))",
        "NOTIFY NONE",
    ] {
        c.ok(command);
        c.check("FETCH 1 UID", &["* 1 FETCH (UID 1)"], "OK");
    }
    // RFC 9051 §6: "A rejected command (BAD response) never changes the state of the connection or of the
    // selected mailbox. A failed command (NO response) generally does not".
    for command in ["LOGIN u p", "NOSUCH", "FETCH 9 FLAGS", "SEARCH NOSUCH"] {
        c.bad(command);
        c.check("FETCH 1 UID", &["* 1 FETCH (UID 1)"], "OK");
    }
    for command in ["COPY 1 nosuch", "CREATE INBOX", "DELETE nosuch"] {
        c.no(command);
        c.check("FETCH 1 UID", &["* 1 FETCH (UID 1)"], "OK");
    }
}

/// RFC 3501 §6.3.2: "No changes to the permanent state of the mailbox, including per-user state, are permitted"
/// after EXAMINE. What only reads is served; what would write is refused, and nothing of it done.
#[test]
fn after_examine() {
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("CREATE box");
    c.ok("SELECT INBOX");
    let files = server.maildir.files("INBOX");
    c.ok("EXAMINE INBOX");
    c.check("SEARCH DELETED", &["* SEARCH 1"], "OK");
    c.check("UID FETCH 2 UID", &["* 2 FETCH (UID 2)"], "OK");
    c.check("CHECK", &[], "OK");
    let outcome = c.outcome("COPY 2 box");
    assert!(outcome.starts_with("OK [COPYUID "), "{outcome}");
    // The result "NO - … can't expunge (e.g., permission denied)"; Dovecot says OK and does nothing, and its MOVE
    // copies.
    for command in [
        "EXPUNGE",
        "UID EXPUNGE 1",
        "STORE 2 +FLAGS (\\Seen)",
        "STORE 2 FLAGS.SILENT ()",
        "UID STORE 2 -FLAGS (\\Deleted)",
        "MOVE 2 box",
        "UID MOVE 2 box",
        "REPLACE 2 INBOX {2+}\r\nab",
        "UID REPLACE 2 box CATENATE (URL ;UID=2)",
    ] {
        if server.either(true, false) {
            c.check(command, &[], "NO");
        } else if !command.contains("MOVE") && !command.contains("REPLACE") {
            c.check(command, &[], "OK");
        }
    }
    c.check(
        "FETCH 2 BODY[TEXT]",
        &["* 2 FETCH (BODY[TEXT] {8}\r\nHello.\r\n)"],
        "OK",
    );
    c.check("CLOSE", &[], "OK");
    assert_eq!(server.maildir.files("INBOX"), files);
    c.check(
        "STATUS box (MESSAGES)",
        &["* STATUS box (MESSAGES 1)"],
        "OK",
    );
}
