//! CATENATE (RFC 4469): messages made of literals and of parts of messages that are here already. The URLs
//! themselves: `rfc5092`.

use std::sync::Arc;

use super::select::validity;
use crate::harness::{Client, Kind, Maildir, Server, Setup, client, wait_until};

/// The original of the RFC's examples.
pub const ORIGINAL: &str = "From: Bob Ar <bar@example.org>\r\nSubject: About our holiday trip\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"------------030308070208000400050907\"\r\n\r\n\
    --------------030308070208000400050907\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
    Our travel agent has sent the schedule.\r\n\
    --------------030308070208000400050907\r\nContent-Type: application/x-zip-compressed\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nUEsDBAoAAAAAAA==\r\n\
    --------------030308070208000400050907--\r\n";

const BOUNDARY: &str = "\r\n--------------030308070208000400050907\r\n";

/// A literal that waits.
pub fn literal(text: &str) -> String {
    format!("{{{}}}\r\n{text}", text.len())
}

/// A literal that does not.
pub fn unasked(text: &str) -> String {
    format!("{{{}+}}\r\n{text}", text.len())
}

/// The octets of a section of a message in the selected mailbox.
#[track_caller]
pub fn octets(c: &mut Client, uid: u32, section: &str) -> String {
    let reply = c.run(&format!("UID FETCH {uid} BODY.PEEK[{section}]"));
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    String::from_utf8(client::literal(&reply.untagged[0]).to_vec()).unwrap()
}

/// Drafts with the original (UID 1) and another (UID 2), selected; and its UIDVALIDITY.
pub fn drafts(server: &Server) -> (Client, u32) {
    let mut c = server.client();
    c.ok("CREATE Drafts");
    c.append("Drafts", "", ORIGINAL);
    let attachment = "Content-Type: text/x-new\r\n\r\nnew\r\n";
    c.append("Drafts", "", attachment);
    let validity = validity(&c.ok("SELECT Drafts"));
    (c, validity)
}

/// The UID of an APPENDUID.
#[track_caller]
fn uid(tagged: &str) -> u32 {
    let code = tagged.strip_prefix("OK [APPENDUID ");
    let code = code.unwrap_or_else(|| panic!("{tagged}"));
    code.split([' ', ']']).nth(1).unwrap().parse().unwrap()
}

/// "Example 1: The following example demonstrates how a CATENATE client can replace an attachment in a draft
/// message". "If a message literal is specified (indicated by "TEXT"), the octets following the count are appended.
/// If a message URL is specified (indicated by "URL"), the octets of the body part pointed to by that URL are
/// appended, as if the literal returned in a FETCH BODY response were put in place of the message part specifier."
#[test]
fn an_attachment_is_replaced() {
    let server = Server::start();
    let (mut c, validity) = drafts(&server);
    let url = format!("/Drafts;UIDVALIDITY={validity}/;UID=1/;section=");
    let end = "\r\n--------------030308070208000400050907--\r\n";
    for literal in [literal, unasked] {
        let reply = c.run(&format!(
            "APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL \"{url}HEADER\" TEXT {} URL \"{url}1.MIME\" \
             URL \"{url}1\" TEXT {} URL \"/Drafts;UIDVALIDITY={validity}/;UID=2\" TEXT {})",
            literal(BOUNDARY),
            literal(BOUNDARY),
            literal(end),
        ));
        let uid = uid(&reply.tagged);
        let expected = [
            octets(&mut c, 1, "HEADER"),
            BOUNDARY.into(),
            octets(&mut c, 1, "1.MIME"),
            octets(&mut c, 1, "1"),
            BOUNDARY.into(),
            octets(&mut c, 2, ""),
            end.into(),
        ]
        .concat();
        assert_eq!(octets(&mut c, uid, ""), expected);
        c.check(
            &format!("UID FETCH {uid} FLAGS"),
            &[&format!(
                "* {uid} FETCH (UID {uid} FLAGS (\\Seen \\Draft \\Recent $MDNSent))"
            )],
            "OK",
        );
    }
    // "The APPEND command does not cause the \Seen flag to be set for any catenated body part. The APPEND command
    // does not change the selected mailbox."
    c.check("SEARCH SEEN", &["* SEARCH 3 4"], "OK");
}

/// "Example 2": the text is new, the attachment the old one. "If the server implements the IMAP UIDPLUS extension, it
/// will also return an APPENDUID response code in the tagged OK response."
#[test]
fn edited_text() {
    let server = Server::start();
    let (mut c, validity) = drafts(&server);
    let head = format!("Subject: new\r\nMIME-Version: 1.0\r\n{BOUNDARY}\r\nCheers,\r\nBob\r\n");
    let url = format!("/Drafts;UIDVALIDITY={validity}/;UID=1/;Section=");
    c.check(
        &format!(
            "APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (TEXT {} URL \"{url}2.MIME\" URL \"{url}2\" TEXT {})",
            literal(&head),
            literal("\r\n--end--\r\n")
        ),
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent \\*)]",
            "* 3 EXISTS",
            "* 3 RECENT",
        ],
        &format!("OK [APPENDUID {validity} 3]"),
    );
    let expected = format!(
        "{head}Content-Type: application/x-zip-compressed\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         UEsDBAoAAAAAAA==\r\n--end--\r\n"
    );
    assert_eq!(octets(&mut c, 3, ""), expected);
}

/// "Example 4: The following example demonstrates a failed APPEND command. The server returns the BADURL response
/// code to indicate that one of the provided URLs is invalid." "The BADURL response code contains the first URL
/// specified as a parameter to the APPEND command that has caused the operation to fail." "Note that the server could
/// have validated the URLs as they were received and therefore could have returned the tagged NO response with BADURL
/// response-code in place of any continuation request after the URL was received."
#[test]
fn a_digest_with_a_message_that_is_expunged() {
    let server = Server::start();
    let (mut c, validity) = drafts(&server);
    c.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    let url = |uid: u32, rest: &str| format!("/Drafts;UIDVALIDITY={validity}/;UID={uid}{rest}");
    // Dovecot takes what follows its NO for commands.
    let other: fn(&str) -> String = server.either(unasked, literal);
    for literal in [literal, other] {
        let reply = c.run(&format!(
            "APPEND Drafts (\\Seen $MDNSent) CATENATE (TEXT {} URL \"{}\" TEXT {} URL \"{}\" TEXT {} URL \"{}\" TEXT {})",
            literal("Subject: Digest\r\n\r\n"),
            url(1, ""),
            literal(BOUNDARY),
            url(2, "/;section=1.5.9"),
            literal("a1 LOGOUT\r\n"),
            url(1, ""),
            literal("a1 LOGOUT\r\n"),
        ));
        let bad = url(2, "/;section=1.5.9");
        assert_eq!(reply.outcome(), format!("NO [BADURL {bad}]"));
        c.ok("NOOP");
    }
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
    nothing_left(&server, "Drafts", 1);
}

/// `tmp/` is empty, and so many messages are there.
#[track_caller]
pub fn nothing_left(server: &Server, mailbox: &str, messages: usize) {
    let tmp = std::fs::read_dir(server.maildir.folder(mailbox).join("tmp")).unwrap();
    assert_eq!(tmp.count(), 0);
    assert_eq!(server.maildir.files(mailbox).len(), messages);
}

/// "The CATENATE extension can also coexist with the MULTIAPPEND extension to APPEND multiple messages in a single
/// command."
#[test]
fn several_messages() {
    let server = Server::start();
    let (mut c, validity) = drafts(&server);
    let one = "Subject: one\r\n\r\n";
    for (literal, uids, first) in [
        (literal as fn(&str) -> String, "3:6", 3),
        (unasked, "7:10", 7),
    ] {
        let reply = c.run(&format!(
            "APPEND Drafts (\\Seen) {} (\\Draft) \" 7-Feb-1994 22:43:04 -0800\" CATENATE (TEXT {} URL ;UID=2) \
             CATENATE (URL /Drafts/;UID=1) {}",
            literal(one),
            literal(one),
            literal(one)
        ));
        assert_eq!(reply.outcome(), format!("OK [APPENDUID {validity} {uids}]"));
        let second = octets(&mut c, 2, "");
        assert_eq!(octets(&mut c, first, ""), one);
        assert_eq!(octets(&mut c, first + 1, ""), format!("{one}{second}"));
        assert_eq!(octets(&mut c, first + 2, ""), ORIGINAL);
        assert_eq!(octets(&mut c, first + 3, ""), one);
        let date = format!("UID SEARCH UID {first}:* BEFORE 1-Jan-2000");
        c.check(&date, &[&format!("* SEARCH {}", first + 1)], "OK");
    }
    // All or none.
    let unasked: fn(&str) -> String = server.either(unasked, literal);
    c.check(
        &format!(
            "APPEND Drafts {} CATENATE (TEXT {} URL ;UID=2) CATENATE (TEXT {} URL ;UID=99 TEXT {}) {}",
            unasked(one),
            unasked(one),
            unasked(one),
            unasked("a1 LOGOUT\r\n"),
            unasked(one)
        ),
        &[],
        "NO [BADURL ;UID=99]",
    );
    c.check("NOOP", &[], "OK");
    nothing_left(&server, "Drafts", 10);
}

/// `url = "URL" SP astring`: in each form; and names in any case.
#[test]
fn forms_of_a_url() {
    let server = Server::start();
    let (mut c, _) = drafts(&server);
    let url = ";UID=2";
    let size = octets(&mut c, 2, "").len();
    for form in super::states::forms(url) {
        c.ok(&format!("APPEND Drafts CATENATE (URL {form})"));
        c.ok(&format!(
            "append Drafts cAtEnAtE (tExT {} uRl {form} TEXT {} Url {form} URL {form})",
            literal("a"),
            unasked("b")
        ));
        let status = c.ok("STATUS Drafts (UIDNEXT)").concat();
        let next = status.split(['(', ')']).nth(1).unwrap();
        let next: u32 = next.replace("UIDNEXT ", "").parse().unwrap();
        assert_eq!(octets(&mut c, next - 2, "").len(), size, "{form}");
        assert_eq!(octets(&mut c, next - 1, "").len(), 3 * size + 2, "{form}");
    }
}

/// A text of no octets is no cancelled APPEND; a message of none is.
#[test]
fn empty_parts() {
    let server = Server::start();
    let (mut c, _) = drafts(&server);
    c.ok(&format!(
        "APPEND INBOX CATENATE (TEXT {} URL /Drafts/;UID=2 TEXT {})",
        unasked(""),
        literal("")
    ));
    if server.either(false, true) {
        return; // Dovecot keeps it.
    }
    c.no("APPEND INBOX CATENATE (TEXT {0}\r\n)");
    c.no("APPEND INBOX CATENATE (URL \"/Drafts/;UID=2/;PARTIAL=5000.1\")");
    nothing_left(&server, "INBOX", 1);
}

/// "it does no data conversion (e.g., MIME transfer encodings) nor any verification". What a file has as LF comes as FETCH
/// would send it, and NUL too.
#[test]
fn octets_are_those_of_fetch() {
    let server = Server::start();
    let mut c = server.client();
    server.maildir.deliver(
        "INBOX",
        "Subject: x\nContent-Transfer-Encoding: base64\n\nYQ==\nb\0c\rd\r\ne",
    );
    c.ok("SELECT INBOX");
    for section in ["", "TEXT", "HEADER"] {
        let expected = c.run(&format!("FETCH 1 BODY.PEEK[{section}]"));
        let expected = client::literal(&expected.untagged[0]).to_vec();
        c.ok(&format!(
            "APPEND INBOX CATENATE (URL /INBOX/;UID=1{})",
            match section {
                "" => String::new(),
                section => format!("/;SECTION={section}"),
            }
        ));
        let got = c.run("FETCH * BODY.PEEK[]");
        assert_eq!(client::literal(&got.untagged[0]), expected, "{section}");
    }
}

/// RFC 6855 §4: "If the server also advertises the "CATENATE" capability, the client can use the same data extension to
/// include such a message in a catenated message part."
#[test]
fn utf8_parts() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let (mut c, _) = drafts(&server);
    let head = "Subject: gr\u{fc}n\r\n";
    for literal in [literal, unasked] {
        c.ok(&format!(
            "APPEND Drafts CATENATE (UTF8 (~{}) URL ;UID=2)",
            literal(head)
        ));
    }
    c.ok(&format!(
        "APPEND Drafts UTF8 (~{}) (\\Seen) UTF8 (~{})",
        unasked(head),
        literal(head)
    ));
    let second = octets(&mut c, 2, "");
    assert_eq!(octets(&mut c, 3, ""), format!("{head}{second}"));
    assert_eq!(octets(&mut c, 4, ""), format!("{head}{second}"));
    assert_eq!(octets(&mut c, 5, ""), head);
    assert_eq!(octets(&mut c, 6, ""), head);
}

/// §4.2: "The server may also wish to return the TOOBIG response code if the resulting message exceeds a server-specific
/// message size limit." Before anything is copied, and what comes unasked is swallowed.
#[test]
fn too_big() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    let setup = Setup::new(Kind::Culver).mail_settings("max-message-size = \"10K\"\n");
    let server = setup.start(&maildir);
    let mut c = server.client();
    c.append("INBOX", "", &"x".repeat(4000));
    let two = "URL /INBOX/;UID=1 URL /INBOX/;UID=1";
    let fits = "x".repeat(10_240 - 8000);
    let more = format!("{fits}x");
    c.check(
        &format!("APPEND INBOX CATENATE ({two} URL /INBOX/;UID=1)"),
        &[],
        "NO [TOOBIG]",
    );
    c.check(
        &format!("APPEND INBOX CATENATE ({two} TEXT {})", literal(&more)),
        &[],
        "NO [TOOBIG]",
    );
    c.check(
        &format!("APPEND INBOX CATENATE ({two} TEXT {})", unasked(&more)),
        &[],
        "NO [TOOBIG]",
    );
    c.check(
        &format!("APPEND INBOX CATENATE (TEXT {} {two})", unasked(&more)),
        &[],
        "NO [TOOBIG]",
    );
    nothing_left(&server, "INBOX", 1);
    c.ok(&format!(
        "APPEND INBOX CATENATE ({two} TEXT {})",
        unasked(&fits)
    ));
    nothing_left(&server, "INBOX", 2);
}

/// A mailbox that is not there, flags that cannot be, and grammar that is none: said before the first text is asked for,
/// and with texts that come unasked swallowed.
#[test]
fn what_cannot_be() {
    let server = Server::start();
    let (mut c, _) = drafts(&server);
    c.check(
        "APPEND nosuch CATENATE (URL ;UID=1 TEXT {9}",
        &[],
        "NO [TRYCREATE]",
    );
    c.check("APPEND nosuch CATENATE (URL ;UID=1)", &[], "NO [TRYCREATE]");
    if server.either(true, false) {
        c.check(
            &format!(
                "APPEND nosuch CATENATE (URL ;UID=1 TEXT {} TEXT {})",
                unasked("a1 LOGOUT\r\n"),
                literal("x")
            ),
            &[],
            "NO [TRYCREATE]",
        );
        for arguments in [
            "CATENATE",
            "CATENATE ()",
            "CATENATE (URL)",
            "CATENATE (TEXT x)",
            "CATENATE (TEXT ~{11+}\r\na1 LOGOUT\r\n)",
            "CATENATE (URL ;UID=1",
            "CATENATE (URL ;UID=1 )",
            "CATENATE (URL ;UID=1) ",
            "CATENATE (URL ;UID=1)x",
            "CATENATE URL ;UID=1",
            "CATENATE (FILE x)",
            "CATENATE (TEXT {11+}\r\na1 LOGOUT\r\n",
            "CATENATE (TEXT {11+}\r\na1 LOGOUT\r\n TEXT)",
            "CATENATE (TEXT {11+}\r\na1 LOGOUT\r\n) x",
            "CATENATE (TEXT {11+}\r\na1 LOGOUT\r\n)(TEXT {1+}\r\nx)",
            "CATENATE (TEXT {11+}\r\na1 LOGOUT\r\n URL {11+}\r\na1 LOGOUT\r\n",
            "(\\Recent) CATENATE (TEXT {11+}\r\na1 LOGOUT\r\n)",
            "UTF8 {11+}\r\na1 LOGOUT\r\n",
        ] {
            c.bad(&format!("APPEND Drafts {arguments}"));
            c.check("NOOP", &[], "OK");
        }
    }
    nothing_left(&server, "Drafts", 2);
}

/// A client that breaks off leaves nothing, wherever it does.
#[test]
fn a_client_that_breaks_off_leaves_nothing() {
    let server = Server::start();
    drafts(&server);
    for begun in [
        "CATENATE (TEXT {1000+}\r\nhalf",
        "CATENATE (URL /Drafts/;UID=1 TEXT {4+}\r\nhalf",
        "CATENATE (URL /Drafts/;UID=1 TEXT {4+}\r\nhalf URL {50+}\r\n/Dra",
        "CATENATE (TEXT {4+}\r\nhalf URL /Drafts/;UID=1) CATENATE (TEXT {4+}\r\nhalf",
    ] {
        let mut rude = server.client();
        rude.send(format!("x APPEND Drafts {begun}").as_bytes());
        rude.hang_up();
        rude.rest();
    }
    let tmp = server.maildir.folder("Drafts").join("tmp");
    wait_until("an empty tmp", || {
        std::fs::read_dir(&tmp).unwrap().count() == 0
    });
    nothing_left(&server, "Drafts", 2);
}

/// A large message is copied with little memory.
#[test]
fn a_large_part_takes_little_memory() {
    let server = Server::start();
    let mut c = server.client();
    let line = "0123456789".repeat(7) + "\n";
    let large = format!("Subject: large\n\n{}", line.repeat(400_000));
    server.maildir.deliver("INBOX", &large);
    c.ok("SELECT INBOX");
    let before = server.memory_now();
    c.ok(&format!(
        "APPEND INBOX CATENATE (URL ;UID=1 TEXT {} URL ;UID=1/;SECTION=TEXT)",
        literal("between\r\n")
    ));
    let virtual_size = large.len() + large.matches('\n').count();
    let expected = 2 * virtual_size - "Subject: large\r\n\r\n".len() + 9;
    c.check(
        "FETCH 2 RFC822.SIZE",
        &[&format!("* 2 FETCH (RFC822.SIZE {expected})")],
        "OK",
    );
    if server.kind == Kind::Culver {
        let grown = server.peak_memory().saturating_sub(before);
        println!("{} KiB above idle for {expected} octets", grown / 1024);
        assert!(grown < 8 << 20, "{} KiB", grown / 1024);
    }
}
