//! IMAP4rev1 (RFC 3501), with STARTTLS and LOGINDISABLED: the connection that the RFC shows as a sample, what it wants of
//! every server at its beginning, and, in `examples`, the examples of its commands. What it demands of each command is
//! held in the command's own file; and beside these:
//!
//! | sections | where |
//! |---|---|
//! | §2.2, §4, §9 | `responses`, `malformed`, `abnf`, `numbers` |
//! | §2.3.1 | `uid`, `append`, `expunge`, `create`, `rename` |
//! | §2.3.2, §2.3.3 | `flags`, `store`, `append`, `copy` |
//! | §3 | `states`, `selected`, `logout` |
//! | §5.1 | `naming`, `list`, `namespace` in `rfc2342` |
//! | §5.2, §7.3, §7.4 | `updates`, `two_clients`, `noop` |
//! | §5.4 | `src/session/tests/life.rs` |
//! | §5.5 | `pipeline` |
//! | §6.1.1, §7.2.1 | `capability` |
//! | §6.2.1, §11.1 | `starttls` |
//! | §7.4.2 | `fetch` |

mod examples;

use std::fs;
use std::sync::Arc;

use crate::harness::maildir::own;
use crate::harness::{Client, Kind, Maildir, Setup};

/// §8, the sample connection, with its numbers: 18 messages of which two are recent and the 17th is the first unseen. Case
/// means nothing in it. (The RFC's message is shorter than the size it tells of it.)
#[test]
fn the_sample_connection() {
    let maildir = Arc::new(Maildir::new());
    let uids: Vec<u32> = (1..=16).collect();
    maildir.numbered("INBOX", 3_857_529_045, 17, &uids);
    let header = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
                  Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
                  cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
                  Message-Id: <B27397-0100000@cac.washington.edu>\r\nMIME-Version: 1.0\r\n\
                  Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n";
    assert_eq!(header.len(), 342);
    // 92 lines of 3028 octets.
    let line = |length: usize| format!("{}\r\n", "x".repeat(length));
    let body = line(31).repeat(91) + &line(23);
    assert_eq!((body.len(), body.lines().count()), (3028, 92));
    for (at, name) in maildir.files("INBOX").into_iter().enumerate() {
        let path = maildir.path().join(&name);
        if at == 11 {
            fs::write(&path, format!("{header}{body}")).unwrap();
            own(&path);
            let file = fs::File::options().write(true).open(&path).unwrap();
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(837_596_665);
            file.set_modified(then).unwrap();
        }
        fs::rename(&path, format!("{}S", path.display())).unwrap();
    }
    let size = header.len() + body.len();
    let server = Setup::new(Kind::chosen())
        .account("mrc", "secret")
        .start(&maildir);
    let mut c = Client::open(server.imap, server.kind);
    assert!(c.greeting().starts_with("* OK "));
    maildir.deliver("INBOX", "Subject: 17\r\n\r\n");
    maildir.deliver("INBOX", "Subject: 18\r\n\r\n");
    c.ok("login mrc secret");
    let reply = c.run("select inbox");
    assert_eq!(reply.outcome(), "OK [READ-WRITE]");
    let told = reply.plain();
    for line in [
        "* 18 EXISTS",
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
        "* 2 RECENT",
        "* OK [UNSEEN 17]",
        "* OK [UIDVALIDITY 3857529045]",
    ] {
        assert!(told.contains(&line.to_owned()), "{line} in {told:?}");
    }
    // RFC822.SIZE and the time come as they are; the time's zone is the server's.
    let line = c.ok("fetch 12 full").remove(0);
    let (before, after) = line.split_once(" INTERNALDATE \"").unwrap();
    let (date, after) = after.split_once('"').unwrap();
    assert_eq!(minutes(date), 9 * 60 + 44, "{date}");
    assert_eq!(
        format!("{before}{after}").to_ascii_uppercase(),
        format!(
            "* 12 FETCH (BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92) \
             ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\") FLAGS (\\Seen) RFC822.SIZE {size})"
        )
        .to_ascii_uppercase()
    );
    c.check(
        "fetch 12 body[header]",
        &[&format!("* 12 FETCH (BODY[HEADER] {{342}}\r\n{header})")],
        "OK",
    );
    c.check(
        "store 12 +flags \\deleted",
        &["* 12 FETCH (FLAGS (\\Deleted \\Seen))"],
        "OK",
    );
    c.check("logout", &["* BYE"], "OK");
    assert!(c.next_line().is_none());
}

/// The minute of the day in UTC of an INTERNALDATE.
fn minutes(date: &str) -> i32 {
    let (time, zone) = date.split_once(' ').unwrap().1.split_once(' ').unwrap();
    let two = |text: &str, at: usize| text[at..at + 2].parse::<i32>().unwrap();
    let away = two(zone, 1) * 60 + two(zone, 3);
    let away = if zone.starts_with('-') { -away } else { away };
    (two(time, 0) * 60 + two(time, 3) - away).rem_euclid(24 * 60)
}

/// §6.1.1, the example, with §6.2.2, §6.2.3, §7.2.1 and §11.1: a server MUST have a configuration in which no password is
/// taken in clear: LOGINDISABLED is announced, no mechanism is, and STARTTLS leads to both.
#[test]
fn not_in_the_clear() {
    if Kind::chosen() == Kind::Dovecot {
        return; // Its configuration here is another.
    }
    let server = Setup::new(Kind::Culver)
        .settings("[auth]\nplaintext-without-tls = \"never\"\n")
        .start(&Arc::new(Maildir::new()));
    let mut c = server.connect();
    let told = c.ok("CAPABILITY").remove(0);
    assert!(told.contains(" LOGINDISABLED"), "{told}");
    assert!(told.contains(" STARTTLS"), "{told}");
    assert!(!told.contains("AUTH="), "{told}");
    // RFC 5530 §3, PRIVACYREQUIRED. Wrong or right, the password is not looked at.
    for password in ["p", "wrong"] {
        c.check(
            &format!("LOGIN u {password}"),
            &["* BAD [ALERT]"],
            "NO [PRIVACYREQUIRED]",
        );
    }
    for command in [
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE PLAIN AHUAcA==",
        "AUTHENTICATE LOGIN",
    ] {
        c.check(command, &[], "NO [PRIVACYREQUIRED]");
    }
    c.bad("SELECT INBOX");
    c.ok("STARTTLS");
    c.secure(rustls::ALL_VERSIONS);
    let told = c.ok("CAPABILITY").remove(0);
    assert!(!told.contains("LOGINDISABLED"), "{told}");
    assert!(told.contains(" AUTH=PLAIN"), "{told}");
    c.login();
    let mut c = Client::open(server.imaps, server.kind);
    c.secure(rustls::ALL_VERSIONS);
    c.greeting();
    c.login();
}
