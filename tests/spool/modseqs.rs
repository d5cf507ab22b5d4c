//! Mod-sequences where they cannot be kept: in a mailbox that cannot be written, and on a full disk. None is told then
//! that somebody else may give again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use crate::foreign::small_disk;
use crate::harness::{Client, Kind, Maildir, Server, message};

/// The mod-sequence that STATUS tells; 0 where there is none.
fn status(server: &Server) -> u64 {
    let told = server.client().ok("STATUS INBOX (HIGHESTMODSEQ)");
    number(&told, "HIGHESTMODSEQ ").expect("STATUS")
}

fn number(lines: &[String], key: &str) -> Option<u64> {
    let rest = lines.iter().find_map(|line| line.split(key).nth(1))?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// A client that knows the mailbox up to a mod-sequence.
fn resynchronised(server: &Server, since: u64) -> (Client, Vec<String>) {
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    let validity = c.ok("STATUS INBOX (UIDVALIDITY)");
    let validity = number(&validity, "UIDVALIDITY ").unwrap();
    let mut told = c.ok(&format!("SELECT INBOX (QRESYNC ({validity} {since}))"));
    told.retain(|line| {
        line.contains(" FETCH (") || line.contains("MODSEQ] ") || line.contains("[NOMODSEQ]")
    });
    (c, told)
}

#[test]
fn a_mailbox_that_cannot_be_written() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    for number in 1..=3 {
        let name = format!("{number}.M1P1.host:2,");
        maildir.place("INBOX", "cur", &name, message("one").as_bytes());
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (\\Seen)");
    let known = status(&server);
    drop(c);
    server.stop();
    let mode = |bits: u32| {
        for sub in ["", "cur", "new"] {
            let path = maildir.path().join(sub);
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        }
    };
    let rename = |from: &str, to: &str| {
        let cur = maildir.path().join("cur");
        fs::rename(cur.join(from), cur.join(to)).unwrap();
    };
    mode(0o500);
    let server = Server::on(&maildir);
    assert_eq!(status(&server), known, "what others have noted");
    let (mut c, told) = resynchronised(&server, known);
    assert!(!told.iter().any(|line| line.contains("FETCH")), "{told:?}");
    // What it finds by itself it cannot note.
    if crate::harness::is_root() {
        rename("1.M1P1.host:2,", "1.M1P1.host:2,F");
        c.check("NOOP", &["* 1 FETCH (UID 1 FLAGS (\\Flagged))"], "OK");
        assert_eq!(status(&server), 0);
        c.no("FETCH 1:* FLAGS (CHANGEDSINCE 1)");
        let (_, told) = resynchronised(&server, known);
        assert!(told[0].contains("[NOMODSEQ]"), "{told:?}");
        drop(server);
        let server = Server::on(&maildir);
        assert_eq!(status(&server), 0);
        mode(0o700);
        drop(server);
        let server = Server::on(&maildir);
        assert!(status(&server) > known);
        let (_, told) = resynchronised(&server, known);
        assert!(
            told.iter().any(|line| line.contains("* 1 FETCH")),
            "{told:?}"
        );
        drop(server);
        mode(0o500);
    }
    // Nothing is known of what was given before.
    mode(0o700);
    for name in ["culver.index", "culver.log"] {
        fs::remove_file(maildir.path().join(name)).unwrap();
    }
    mode(0o500);
    let server = Server::on(&maildir);
    assert_eq!(status(&server), 0);
    drop(server);
    mode(0o700);
    let server = Server::on(&maildir);
    assert!(status(&server) > known);
}

/// Needs root for a file system of its own.
#[test]
fn a_full_disk() {
    let Some((maildir, _unmount)) = small_disk() else {
        return;
    };
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.ok("ENABLE QRESYNC");
    c.ok("SELECT INBOX");
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    let known = status(&server);
    assert!(known > 0);
    let filler = maildir.path().join("filler");
    let mut octets = 1 << 20;
    while octets > 0 {
        // As much as there is room for.
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&filler)
            .unwrap();
        while std::io::Write::write_all(&mut file, &vec![0; octets]).is_ok() {}
        octets /= 2;
    }
    let mut told = known;
    for on in ["+", "-", "+"] {
        c.ok(&format!("STORE 1 {on}FLAGS.SILENT (\\Flagged)"));
        told = told.max(status(&server));
    }
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    server.kill();
    // Room again: whatever was told, all is heard of that happened since.
    fs::remove_file(filler).unwrap();
    let server = Server::on(&maildir);
    let now = status(&server);
    assert!(now >= told && now > known, "{known} {told} {now}");
    let (mut c, _) = resynchronised(&server, known);
    let news = c.ok(&format!(
        "UID FETCH 1:* FLAGS (CHANGEDSINCE {known} VANISHED)"
    ));
    assert_eq!(news[0], "* VANISHED (EARLIER) 2");
    assert!(
        news.iter().any(|line| line.contains("\\Flagged")),
        "{news:?}"
    );
}
