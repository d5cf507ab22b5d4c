//! Every command in every state (RFC 3501 §3 and §6, RFC 9051 §3 and §6), and the forms in which a mailbox's
//! name may come, which the files of the single commands share.

use crate::harness::{Client, Server};

/// `command-any`. LOGOUT is one too, and has its own file.
const ANY: &[&str] = &["CAPABILITY", "NOOP", "ID NIL"];

/// `command-nonauth`.
const NOT_AUTHENTICATED: &[&str] = &[
    "AUTHENTICATE PLAIN AHUAcA==",
    "AUTHENTICATE PLAIN",
    "LOGIN u p",
    "STARTTLS",
];

/// `command-auth`. IDLE is one too, and waits for DONE where it is allowed.
const AUTHENTICATED: &[&str] = &[
    "ENABLE IDLE",
    "SELECT INBOX",
    "EXAMINE INBOX",
    "SELECT INBOX (CONDSTORE)",
    "CREATE made",
    "RENAME made named",
    "SUBSCRIBE named",
    "UNSUBSCRIBE named",
    "DELETE named",
    "LIST \"\" *",
    "LSUB \"\" *",
    "NAMESPACE",
    "STATUS INBOX (MESSAGES)",
    "STATUS INBOX (HIGHESTMODSEQ)",
    "STATUS INBOX (MAILBOXID)",
    "GETMETADATA INBOX /shared/comment",
    "SETMETADATA INBOX (/shared/comment \"x\")",
    "GETMETADATA \"\" (/shared/comment)",
    "ESEARCH IN (personal) ALL",
    "NOTIFY SET STATUS (personal (MessageNew MessageExpunge))",
    "NOTIFY NONE",
    "APPEND INBOX {14+}\r\nSubject: x\r\n\r\n",
    "APPEND INBOX CATENATE (TEXT {14+}\r\nSubject: x\r\n\r\n)",
];

/// The same; Dovecot has these where its plugin is loaded.
const QUOTA: &[&str] = &[
    "GETQUOTAROOT INBOX",
    "STATUS INBOX (DELETED DELETED-STORAGE)",
];

/// `command-select`.
const SELECTED: &[&str] = &[
    "CHECK",
    "EXPUNGE",
    "SEARCH ALL",
    "FETCH 1 FLAGS",
    "FETCH 1 MODSEQ",
    "FETCH 1 (EMAILID THREADID SAVEDATE)",
    "UID FETCH 1 FLAGS (CHANGEDSINCE 1)",
    "STORE 1 FLAGS (\\Seen)",
    "STORE 1 (UNCHANGEDSINCE 1) FLAGS (\\Seen)",
    "SEARCH MODSEQ 1",
    "SEARCH EMAILID x",
    "SEARCH THREADID x",
    "SEARCH SAVEDON 1-Jan-2015",
    "COPY 1 INBOX",
    "MOVE 1 INBOX",
    "UID SEARCH ALL",
    "ESEARCH ALL",
    "SORT (DATE) UTF-8 ALL",
    "SORT RETURN () (DATE) UTF-8 ALL",
    "THREAD REFS UTF-8 ALL",
    "UID SORT (DATE) UTF-8 ALL",
    "UID THREAD REFS UTF-8 ALL",
    "UID FETCH 1 FLAGS",
    "UID STORE 1 FLAGS (\\Seen)",
    "UID COPY 1 INBOX",
    "UID MOVE 1 INBOX",
    "UID EXPUNGE 1",
    "UNSELECT",
    "CLOSE",
];

/// The same; Dovecot does not have these.
const REPLACE: &[&str] = &[
    "UIDBATCHES 500",
    "REPLACE 1 INBOX {14+}\r\nSubject: x\r\n\r\n",
    "UID REPLACE * INBOX {14+}\r\nSubject: x\r\n\r\n",
    "REPLACE 1 INBOX CATENATE (TEXT {14+}\r\nSubject: x\r\n\r\n)",
];

/// What leads elsewhere. Dovecot has the second, and does not say so.
const AWAY: &[&str] = &["COMPRESS DEFLATE", "UNAUTHENTICATE"];

/// RFC 3501 §3: "It is a protocol error for the client to attempt a command while the connection is in an
/// inappropriate state, and the server will respond with a BAD or NO".
#[test]
fn not_authenticated() {
    let server = Server::start();
    let (quota, replace) = (server.either(QUOTA, &[]), server.either(REPLACE, &[]));
    for command in [AUTHENTICATED, quota, SELECTED, replace, AWAY, &["IDLE"]].concat() {
        let mut c = server.connect();
        // Dovecot ignores an early ENABLE.
        if command.starts_with("ENABLE") {
            c.bad_strictly(command);
        } else {
            c.bad(command);
        }
        // §6.1: "The following commands are valid in any state: CAPABILITY, NOOP, and LOGOUT."
        c.check("NOOP", &[], "OK");
    }
    for command in ANY {
        server.connect().ok(command);
    }
    // §6.2: "the following commands are valid in the not authenticated state: STARTTLS, AUTHENTICATE and LOGIN."
    for command in ["LOGIN u p", "AUTHENTICATE PLAIN AHUAcA==", "STARTTLS"] {
        server.connect().ok(command);
    }
    // Nothing of what was refused has been done.
    server.client().check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

#[test]
fn authenticated() {
    let server = Server::start();
    server.client().append("INBOX", "", "Subject: x\r\n\r\n");
    let mut c = server.client();
    // RFC 3501 §6.2: "Once authenticated (including as anonymous), it is not possible to re-enter not
    // authenticated state."
    let replace = server.either(REPLACE, &[]);
    for command in [NOT_AUTHENTICATED, SELECTED, replace].concat() {
        c.bad(command);
        c.check("NOOP", &[], "OK");
    }
    for command in [ANY, AUTHENTICATED, server.either(QUOTA, &[])].concat() {
        c.ok(command);
        c.run("UNSELECT");
    }
    c.idle().done(&[]);
    for command in AWAY {
        server.client().ok(command);
    }
}

#[test]
fn selected() {
    let server = Server::start();
    let mut c = server.client();
    for _ in 0..2 {
        c.append("INBOX", "", "Subject: x\r\n\r\n");
    }
    c.ok("SELECT INBOX");
    for command in NOT_AUTHENTICATED {
        c.bad(command);
        c.check("NOOP", &[], "OK");
    }
    // §6.4: the universal commands and those of the authenticated state are valid here too.
    for command in [ANY, AUTHENTICATED, SELECTED, server.either(REPLACE, &[])].concat() {
        let mut c = server.selected("INBOX");
        c.ok(command);
    }
    server.selected("INBOX").idle().done(&[]);
    for command in AWAY {
        server.selected("INBOX").ok(command);
    }
}

/// `mailbox = "INBOX" / astring`: each form that an astring has, and a literal that does not wait.
pub fn forms(name: &str) -> [String; 4] {
    let size = name.len();
    [
        name.to_owned(),
        format!("\"{name}\""),
        format!("{{{size}}}\r\n{name}"),
        format!("{{{size}+}}\r\n{name}"),
    ]
}

/// RFC 3501 §9: "All case variants of INBOX (e.g., "iNbOx") MUST be interpreted as INBOX".
pub const INBOX: &[&str] = &["INBOX", "inbox", "iNbOx", "\"Inbox\"", "{5}\r\ninBOX"];

/// No mailbox names.
const NO_NAMES: &[&str] = &[
    "",
    " ",
    " a b",
    " (a)",
    " a(",
    " {1}a",
    " \"a",
    " \"a\"b",
    " \"a\\b\"",
    " a\"",
    " a\\b",
    "  a",
    " a ",
];

/// What is no mailbox name has to be BAD behind a command that takes one name.
#[track_caller]
pub fn takes_one_name(server: &Server, c: &mut Client, command: &str) {
    bad_arguments(server, c, command, NO_NAMES);
    bad_arguments(server, c, command, &[" %", " *", " a*"]);
}

/// Each of these is BAD behind the command, and the session goes on. Dovecot is lenient with some of them.
#[track_caller]
pub fn bad_arguments(server: &Server, c: &mut Client, command: &str, arguments: &[&str]) {
    if server.either(false, true) {
        return;
    }
    for arguments in arguments {
        c.bad(&format!("{command}{arguments}"));
        c.check("NOOP", &[], "OK");
    }
}

/// A client of the server's that has enabled IMAP4rev2; `None` with Dovecot, which does not have it.
pub fn rev2(server: &Server) -> Option<Client> {
    if server.either(false, true) {
        return None;
    }
    let mut c = server.client();
    c.check("ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2"], "OK");
    Some(c)
}
