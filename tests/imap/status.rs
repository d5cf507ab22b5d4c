//! STATUS (RFC 3501 §6.3.10, RFC 9051 §6.3.11). SIZE and DELETED: `rfc8438`.

use std::sync::Arc;

use super::select::validity;
use super::states;
use crate::harness::{Kind, Maildir, Server, message};

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
#[test]
fn grammar() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    for form in states::forms("box") {
        c.check(
            &format!("sTaTuS {form} (mEsSaGeS)"),
            &["* STATUS box (MESSAGES 0)"],
            "OK",
        );
    }
    for inbox in states::INBOX {
        let told = c.ok(&format!("STATUS {inbox} (RECENT UNSEEN)"));
        // Dovecot repeats the name as it was given.
        if server.either(true, false) {
            assert_eq!(told, ["* STATUS INBOX (RECENT 0 UNSEEN 0)"]);
        }
    }
    states::bad_arguments(
        &server,
        &mut c,
        "STATUS",
        &[
            "",
            " ",
            " box",
            " box ",
            " box MESSAGES",
            " box ()",
            " box (MESSAGES",
            " box MESSAGES)",
            " box (MESSAGES )",
            " box ( MESSAGES)",
            " box (MESSAGES  UNSEEN)",
            " box (MESSAGES)(UNSEEN)",
            " box (\"MESSAGES\")",
            " box (NOSUCH)",
            " box (MESSAGES NOSUCH)",
            " box (MESSAGES) x",
            "  box (MESSAGES)",
            " box  (MESSAGES)",
            " (box) (MESSAGES)",
            // "Also unlike the LIST command, the STATUS command does not accept wildcards."
            " * (MESSAGES)",
            " b% (MESSAGES)",
        ],
    );
    c.no("STATUS \"*\" (MESSAGES)");
}

/// "STATUS MUST NOT cause messages to lose the \Recent flag".
#[test]
fn every_item_in_the_order_asked() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    c.append("box", "(\\Seen) ", &message("one"));
    c.append("box", "", &message("two"));
    c.append("box", "", &message("three"));
    let lines = c.ok("EXAMINE box");
    let validity = validity(&lines);
    c.ok("UNSELECT");
    let told = c.ok("STATUS box (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)");
    assert_eq!(
        told,
        [format!(
            "* STATUS box (MESSAGES 3 RECENT 3 UIDNEXT 4 UIDVALIDITY {validity} UNSEEN 2)"
        )]
    );
    c.check("STATUS box (UNSEEN)", &["* STATUS box (UNSEEN 2)"], "OK");
    // STATUS takes no \Recent away.
    assert!(c.ok("SELECT box").contains(&"* 3 RECENT".to_owned()));
}

/// RFC 9051 §6.3.11: "However, servers MUST be able to execute the STATUS command on the selected mailbox."
#[test]
fn of_a_delivery_that_nobody_has_seen_and_of_the_selected_mailbox() {
    let server = Server::start();
    let mut c = server.client();
    server.maildir.deliver("INBOX", &message("one"));
    c.check(
        "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)",
        &["* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"],
        "OK",
    );
    c.ok("SELECT INBOX");
    let reply = c.run("STATUS INBOX (MESSAGES)");
    assert_eq!(reply.plain(), ["* STATUS INBOX (MESSAGES 1)"]);
    assert!(reply.tagged.starts_with("OK"));
}

/// "It does not change the currently selected mailbox, nor does it affect the state of any messages in the queried
/// mailbox".
#[test]
fn it_changes_nothing() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE box");
    server.maildir.deliver("box", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.ok("SELECT INBOX");
    for _ in 0..2 {
        c.check(
            "STATUS box (MESSAGES RECENT UNSEEN)",
            &["* STATUS box (MESSAGES 1 RECENT 1 UNSEEN 1)"],
            "OK",
        );
    }
    c.check("SEARCH ALL", &["* SEARCH 1"], "OK");
    assert!(server.maildir.files("box")[0].starts_with("new/"));
    assert!(c.ok("SELECT box").contains(&"* 1 RECENT".to_owned()));
}

/// RFC 9051 §6.3.11: SIZE "MUST be equal to or greater than the sum of the values of the RFC822.SIZE FETCH message data
/// items". A client of IMAP4rev2 gets each item of its list.
#[test]
fn with_imap4rev2() {
    let server = Server::start();
    let Some(mut c) = states::rev2(&server) else {
        return;
    };
    let text = message("one");
    c.append("INBOX", "(\\Deleted) ", &text);
    let validity = validity(&c.ok("EXAMINE INBOX"));
    let told = format!(
        "* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY {validity} UNSEEN 1 DELETED 1 SIZE {})",
        text.len()
    );
    c.check(
        "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE)",
        &[&told],
        "OK",
    );
}

/// The server need not open a mailbox for it. What it tells after a restart is what it told before, as long as nothing has
/// happened in the mailbox; whatever other programs do there is not missed.
#[test]
fn after_a_restart_and_after_what_others_did() {
    let items = match Kind::chosen() {
        Kind::Culver => "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ MAILBOXID",
        Kind::Dovecot => "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ",
    };
    let maildir = Arc::new(Maildir::new());
    for name in ["box", "other"] {
        for sub in ["", "cur", "new", "tmp"] {
            std::fs::create_dir(maildir.folder(name).join(sub)).unwrap();
        }
    }
    let cur = maildir.folder("box").join("cur");
    let text = message("one").replace("\r\n", "\n");
    for name in ["1.M1P1.host:2,", "2.M1P1.host:2,S"] {
        std::fs::write(cur.join(name), &text).unwrap();
    }
    maildir.settle();
    let list = format!("LIST \"\" \"*\" RETURN (STATUS ({items}))");
    let one = format!("STATUS box ({items})");
    let about = |lines: &[String]| {
        let status = lines.iter().find(|line| line.starts_with("* STATUS box "));
        status.expect("STATUS").clone()
    };
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("SELECT box");
    c.ok("UNSELECT");
    maildir.deliver("box", &message("two"));
    let before = about(&c.ok(&list));
    let size = message("one").len() * 2 + message("two").len();
    for part in [
        "MESSAGES 3 RECENT 1 UIDNEXT 4 ".to_owned(),
        " UNSEEN 2 ".to_owned(),
        format!(" SIZE {size}"),
    ] {
        assert!(before.contains(&part), "{before}");
    }
    c.ok("LOGOUT");
    server.stop();
    for command in [&list, &one] {
        let server = Server::on(&maildir);
        let mut c = server.client();
        assert_eq!(about(&c.ok(command)), before);
        assert_eq!(about(&c.ok(command)), before);
        c.ok("LOGOUT");
        server.stop();
    }
    let server = Server::on(&maildir);
    let mut c = server.client();
    let mut last = highest(&before);
    let hands: [(&dyn Fn(), &str); 4] = [
        (
            &|| std::fs::rename(cur.join("1.M1P1.host:2,"), cur.join("1.M1P1.host:2,S")).unwrap(),
            "UNSEEN 1 ",
        ),
        (
            &|| drop(maildir.deliver("box", &message("three"))),
            "MESSAGES 4 RECENT 2 UIDNEXT 5 ",
        ),
        (
            &|| std::fs::remove_file(cur.join("2.M1P1.host:2,S")).unwrap(),
            "MESSAGES 3 RECENT 2 UIDNEXT 5 ",
        ),
        (
            &|| {
                server.client().ok("SELECT box");
            },
            "MESSAGES 3 RECENT 0 UIDNEXT 5 ",
        ),
    ];
    for (at, (hand, told)) in hands.into_iter().enumerate() {
        hand();
        for command in [&one, &list, &one] {
            let status = about(&c.ok(command));
            assert!(status.contains(told), "{status}");
            assert!(highest(&status) >= last, "{status}");
            assert!(at == 3 || highest(&status) > last || !server.either(true, false));
        }
        last = highest(&about(&c.ok(&one)));
    }
}

/// HIGHESTMODSEQ in a STATUS response.
fn highest(status: &str) -> u64 {
    let (_, rest) = status.split_once("HIGHESTMODSEQ ").unwrap();
    let digits = rest.split(|one: char| !one.is_ascii_digit()).next();
    digits.unwrap().parse().unwrap()
}

/// "NO - status failure: no status for that name"
#[test]
fn what_cannot_be() {
    let server = Server::start();
    let mut c = server.client();
    c.check(
        "STATUS nosuch (MESSAGES)",
        &[],
        server.either("NO [NONEXISTENT]", "NO"),
    );
    c.ok("CREATE a.b");
    c.no("STATUS a (MESSAGES)");
    for name in ["../x", "\"\"", "a..b", "&bad"] {
        c.no(&format!("STATUS {name} (MESSAGES)"));
    }
}
