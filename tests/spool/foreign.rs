//! Other programs at work in a Maildir that is being served: an MTA, a mail reader, a rename storm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Chance, Kind, Maildir, Server, Setup, have, message, wait_until};

/// mutt opens a mailbox: all of `new/` goes to `cur/`, flags change, a message is thrown away.
#[test]
fn a_mail_reader_on_the_files_while_the_mailbox_is_selected() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let names: Vec<String> = (0..3)
        .map(|at| maildir.deliver("INBOX", &message(&format!("m{at}"))))
        .collect();
    c.idle_until(&["* 3 EXISTS"]);
    for name in &names {
        maildir.reflag("INBOX", name, "S");
    }
    c.idle_until(&[
        "* 1 FETCH (FLAGS (\\Seen \\Recent))",
        "* 2 FETCH (FLAGS (\\Seen \\Recent))",
        "* 3 FETCH (FLAGS (\\Seen \\Recent))",
    ]);
    maildir.remove("INBOX", &names[1]);
    c.idle_until(&["* 2 EXPUNGE"]);
    c.check("UID SEARCH ALL", &["* SEARCH 1 3"], "OK");
    // What we write is seen by the next program: flags go into the name that is there now.
    c.ok("STORE 1 +FLAGS (\\Flagged)");
    let path = maildir.find("INBOX", &names[0]).unwrap();
    assert!(path.to_string_lossy().ends_with(":2,FS"), "{path:?}");
}

/// A file renamed between the listing and the opening is found again by its base name.
#[test]
fn a_body_is_served_though_its_file_was_renamed_a_moment_ago() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let base = maildir.deliver("INBOX", &message("one"));
    let mut c = server.selected("INBOX");
    let letters = ["", "S", "F", "FS", "R", "RS"];
    for turn in 0..200 {
        maildir.reflag("INBOX", &base, letters[turn % letters.len()]);
        let reply = c.run("UID FETCH 1 BODY.PEEK[TEXT]");
        let lines = reply.plain();
        assert!(
            lines
                .iter()
                .any(|line| line.contains("BODY[TEXT] {8}\r\nHello.\r\n")),
            "turn {turn}: {reply:?}"
        );
    }
}

/// Whoever removes a mailbox's directory finds it empty at the end, though sessions look at it all along; they
/// are told that it is gone.
#[test]
fn a_selected_mailbox_can_be_removed_by_rm() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    for round in 0..10 {
        let name = format!("Box{round}");
        server.client().ok(&format!("CREATE {name}"));
        for at in 0..20 {
            maildir.deliver(&name, &message(&format!("m{at}")));
        }
        let mut idling = server.selected(&name);
        let mut asking = server.selected(&name);
        idling.send(b"i IDLE\r\n");
        assert!(idling.line().starts_with(b"+ "));
        let path = maildir.folder(&name);
        let remover = std::thread::spawn(move || std::fs::remove_dir_all(path));
        while !remover.is_finished() && asking.try_run("NOOP").is_some() {}
        remover.join().unwrap().unwrap();
        let said = idling.rest();
        let last = said.last().map_or("", |last| last);
        assert!(last.starts_with("* BYE"), "{said:?}");
        while asking.try_run("NOOP").is_some() {}
    }
    assert_eq!(server.client().ok("LIST \"\" Box*"), [""; 0]);
}

/// Without its directories or its uidlist a mailbox goes on, with the same UIDs, once something comes.
#[test]
fn a_mailbox_without_its_directories_takes_new_mail() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.append("INBOX", "", &message("one"));
    for name in ["cur", "new", "tmp"] {
        std::fs::remove_dir_all(maildir.path().join(name)).unwrap();
    }
    std::fs::remove_file(maildir.path().join("dovecot-uidlist")).unwrap();
    c.idle_until(&["* 1 EXPUNGE"]);
    assert_eq!(c.append("INBOX", "", &message("two")), 2);
    std::fs::create_dir(maildir.path().join("new")).unwrap();
    maildir.deliver("INBOX", &message("three"));
    wait_until("the third", || {
        c.ok("NOOP");
        c.ok("UID SEARCH ALL") == ["* SEARCH 2 3"]
    });
    assert_eq!(maildir.files("INBOX").len(), 2);
    let list = std::fs::read_to_string(maildir.path().join("dovecot-uidlist")).unwrap();
    assert!(list.lines().count() >= 3, "{list}");
}

/// Thousands of renames beside scans: readdir misses and repeats entries, and yet nobody hears of an expunge
/// and no message gets a second UID (threat F13).
#[test]
fn a_rename_storm_expunges_nothing() {
    let maildir = Arc::new(Maildir::new());
    let count = 2_000;
    for at in 0..count {
        maildir.place(
            "INBOX",
            "cur",
            &format!("{at}.storm:2,"),
            b"Subject: s\n\nx\n",
        );
    }
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let stop = Arc::new(AtomicBool::new(false));
    let storm = std::thread::spawn({
        let (maildir, stop) = (maildir.clone(), stop.clone());
        move || {
            let mut letters = vec![false; count];
            let mut chance = Chance::new(7);
            let name = |at: usize, seen: bool| {
                let letters = if seen { "S" } else { "" };
                maildir
                    .path()
                    .join("cur")
                    .join(format!("{at}.storm:2,{letters}"))
            };
            let mut renames = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let at = chance.below(count as u64) as usize;
                if std::fs::rename(name(at, letters[at]), name(at, !letters[at])).is_ok() {
                    letters[at] = !letters[at];
                    renames += 1;
                }
            }
            renames
        }
    });
    let mut heard = Vec::new();
    for _ in 0..60 {
        heard.extend(c.ok("NOOP"));
        let mut fresh = server.client();
        heard.extend(fresh.ok("SELECT INBOX"));
    }
    stop.store(true, Ordering::Relaxed);
    let renames = storm.join().unwrap();
    heard.extend(c.ok("NOOP"));
    println!("{renames} renames");
    let expunged = heard
        .iter()
        .filter(|line| line.ends_with(" EXPUNGE"))
        .count();
    println!("{expunged} EXPUNGE responses");
    if server.kind == Kind::Dovecot {
        return; // Dovecot tells some hundreds, as threat F13 says.
    }
    assert_eq!(expunged, 0, "of {count} messages none was expunged");
    let wanted = format!("* OK [UIDNEXT {}]", count + 1);
    assert!(
        server.client().ok("EXAMINE INBOX").contains(&wanted),
        "no message got a second UID"
    );
    // And in the end every flag is as the storm left it.
    let mut c = server.selected("INBOX");
    let on_disk = maildir
        .files("INBOX")
        .iter()
        .filter(|name| name.ends_with(":2,S"))
        .count();
    // The last events may still be on their way.
    wait_until("every flag", || {
        c.ok("NOOP");
        c.ok("SEARCH SEEN").remove(0).split(' ').count() - 2 == on_disk
    });
}

/// An MTA delivers while clients append, flag and expunge: every message has one UID, and none is missing.
#[test]
fn deliveries_beside_changes() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    let mta = std::thread::spawn({
        let maildir = maildir.clone();
        move || {
            for at in 0..200 {
                maildir.deliver("INBOX", &message(&format!("mta{at}")));
            }
        }
    });
    for at in 0..100 {
        c.append("INBOX", "(\\Seen) ", &message(&format!("own{at}")));
        if at % 10 == 9 {
            c.ok("STORE 1 +FLAGS (\\Flagged)");
        }
    }
    mta.join().unwrap();
    wait_until("300 messages", || {
        c.ok("NOOP");
        c.ok("SEARCH ALL").remove(0).split(' ').count() == 302
    });
    let mut subjects = BTreeMap::new();
    for line in c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") {
        let subject = line
            .split("Subject: ")
            .nth(1)
            .unwrap()
            .split('\r')
            .next()
            .unwrap()
            .to_owned();
        *subjects.entry(subject).or_insert(0) += 1;
    }
    assert_eq!(subjects.len(), 300);
    assert!(subjects.values().all(|&times| times == 1));
}

/// Entries that are no messages are left alone, and get no UID.
#[test]
fn what_is_no_message_is_not_shown() {
    use std::os::unix::fs::symlink;
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "1.good:2,S", b"Subject: good\n\n");
    maildir.place("INBOX", "cur", ".hidden", b"Subject: hidden\n\n");
    std::fs::create_dir(maildir.path().join("cur/2.directory:2,")).unwrap();
    symlink("/nonexistent", maildir.path().join("cur/3.dangling:2,")).unwrap();
    symlink("/etc/passwd", maildir.path().join("cur/4.out:2,")).unwrap();
    let fifo = maildir.path().join("cur/5.fifo:2,");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    let server = Server::on(&maildir);
    if server.kind == Kind::Dovecot {
        return; // Dovecot gives UIDs to some of these.
    }
    let mut c = server.selected("INBOX");
    c.check(
        "FETCH 1:* (UID FLAGS)",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)"],
        "OK",
    );
    assert!(fifo.exists() && maildir.path().join("cur/2.directory:2,").exists());
}

/// A mailbox whose files may not be changed opens read-only and says so.
#[test]
fn a_mailbox_that_cannot_be_written_opens_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.append("INBOX", "(\\Seen) ", &message("one"));
    drop(c);
    server.stop();
    let mode = |bits: u32| {
        for sub in ["", "cur", "new", "tmp"] {
            let path = maildir.path().join(sub);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
        }
    };
    mode(0o500);
    let server = Setup::new(Kind::chosen()).start(&maildir);
    let mut c = server.client();
    let reply = c.run("SELECT INBOX");
    if server.kind == Kind::Culver {
        assert_eq!(reply.outcome(), "OK [READ-ONLY]");
        assert!(
            reply.plain().contains(&"* 1 EXISTS".to_owned()),
            "{reply:?}"
        );
        c.check(
            "FETCH 1 (UID BODY.PEEK[TEXT])",
            &["* 1 FETCH (UID 1 BODY[TEXT] {8}\r\nHello.\r\n)"],
            "OK",
        );
        c.no("STORE 1 +FLAGS (\\Deleted)");
        let text = message("two");
        c.no(&format!("APPEND INBOX {{{}+}}\r\n{text}", text.len()));
    }
    drop(server);
    mode(0o700);
}

/// A Maildir with little room, on a file system of its own. `None` where that cannot be had.
pub(super) fn small_disk() -> Option<(Arc<Maildir>, Unmount)> {
    if !crate::harness::is_root() || !have("mount") {
        println!("skipped: only root can mount a small file system");
        return None;
    }
    let maildir = Arc::new(Maildir::absent());
    std::fs::create_dir(maildir.path()).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "none"])
        .arg(maildir.path())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    if !mounted.success() {
        println!("skipped: this container may not mount");
        return None;
    }
    let unmount = Unmount(maildir.path().to_owned());
    for sub in ["cur", "new", "tmp"] {
        std::fs::create_dir(maildir.path().join(sub)).unwrap();
    }
    maildir.settle();
    Some((maildir, unmount))
}

/// A disk without space: NO with the cause, nothing half-made, and reading goes on. Needs root for a file
/// system of its own.
#[test]
fn a_full_disk_is_told_and_changes_nothing() {
    let Some((maildir, _unmount)) = small_disk() else {
        return;
    };
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    c.append("INBOX", "", &message("one"));
    let big = format!("Subject: big\r\n\r\n{}", "x".repeat(1 << 20));
    let reply = c.run(&format!("APPEND INBOX {{{}+}}\r\n{big}", big.len()));
    assert!(reply.tagged.starts_with("NO"), "{:.200}", reply.tagged);
    println!("{:.200}", reply.tagged);
    assert!(
        std::fs::read_dir(maildir.path().join("tmp"))
            .unwrap()
            .next()
            .is_none(),
        "tmp is empty"
    );
    c.ok("NOOP");
    assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1"]);
    c.ok("STORE 1 +FLAGS (\\Deleted)");
    c.ok("EXPUNGE");
    c.append("INBOX", "", &message("two"));
}

pub(super) struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

/// Dovecot and Culver serve one Maildir at the same time: no UID is given twice, nothing is lost.
#[test]
fn dovecot_beside_us_on_the_same_maildir() {
    if !have("dovecot") {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    server.client().ok("SELECT INBOX");
    let dovecot = Setup::new(Kind::Dovecot).start(&maildir);
    let writers: Vec<_> = [(&server, "ours"), (&dovecot, "its")]
        .into_iter()
        .map(|(server, who)| {
            let mut c = server.client();
            std::thread::spawn(move || -> Vec<(u32, String)> {
                (0..60)
                    .map(|at| {
                        let subject = format!("{who}{at}");
                        (
                            c.append(
                                "INBOX",
                                if at % 2 == 0 { "(\\Seen) " } else { "" },
                                &message(&subject),
                            ),
                            subject,
                        )
                    })
                    .collect()
            })
        })
        .collect();
    let mut told = BTreeMap::new();
    for writer in writers {
        for (uid, subject) in writer.join().unwrap() {
            let before = told.insert(uid, subject.clone());
            assert_eq!(before, None, "UID {uid} was given twice, also to {subject}");
        }
    }
    for server in [&server, &dovecot] {
        let mut c = server.selected("INBOX");
        let mut seen = BTreeMap::new();
        for line in c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") {
            let subject = line
                .split("Subject: ")
                .nth(1)
                .unwrap()
                .split('\r')
                .next()
                .unwrap();
            let uid = line.split("UID ").nth(1).unwrap().trim_end_matches(')');
            seen.insert(uid.parse::<u32>().unwrap(), subject.to_owned());
        }
        assert_eq!(seen, told, "{:?}", server.kind);
    }
}
