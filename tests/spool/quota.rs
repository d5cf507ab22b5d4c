//! `maildirsize` beside Dovecot, and by many sessions at once: the sum stays the truth.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Setup, have};

/// A message whose file has so many octets: a line end is stored as one.
fn stored(octets: usize) -> String {
    format!("Subject: x\r\n\r\n{}", "x".repeat(octets - 12))
}

/// Octets and number of the messages in a Maildir, as they are.
fn truth(root: &Path) -> (u64, u64) {
    let (mut octets, mut number) = (0, 0);
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy().into_owned();
        if name.starts_with('.') && path.is_dir() {
            let (more, messages) = truth(&path);
            (octets, number) = (octets + more, number + messages);
        } else if name == "new" || name == "cur" {
            for file in fs::read_dir(path).unwrap() {
                octets += file.unwrap().metadata().unwrap().len();
                number += 1;
            }
        }
    }
    (octets, number)
}

/// The sum of a file.
fn sum(root: &Path) -> (u64, u64) {
    let text = fs::read_to_string(root.join("maildirsize")).unwrap();
    let (mut octets, mut number) = (0i64, 0i64);
    for line in text.lines().skip(1) {
        let (one, other) = line.split_once(' ').unwrap();
        octets += one.parse::<i64>().unwrap();
        number += other.parse::<i64>().unwrap();
    }
    (octets.try_into().unwrap(), number.try_into().unwrap())
}

fn quota(c: &mut Client) -> String {
    c.ok("GETQUOTA \"User quota\"").remove(0)
}

/// Both deliver, copy, move, delete and expunge by turns.
#[test]
fn dovecot_and_we_by_turns() {
    if !have("dovecot") {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    let servers = [Kind::Culver, Kind::Dovecot].map(|kind| {
        let setup = Setup::new(kind).quota(Some("10M"), Some(1000));
        setup.start(&maildir)
    });
    let mut clients = servers.each_ref().map(|server| server.client());
    clients[0].ok("CREATE box");
    for turn in 0..40usize {
        let mailbox = format!("box{turn}");
        let c = &mut clients[turn % 2];
        c.append("INBOX", "", &stored(100 + 37 * turn));
        c.append("INBOX", "(\\Seen) ", &stored(50 + turn));
        c.ok("SELECT INBOX");
        match turn / 2 % 5 {
            0 => drop(c.ok("COPY 1:* box")),
            1 => drop(c.ok("MOVE 1 box")),
            2 => {
                c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
                c.ok("EXPUNGE");
            }
            3 => {
                c.ok(&format!("CREATE {mailbox}"));
                c.ok(&format!("COPY 1 {mailbox}"));
                c.ok(&format!("DELETE {mailbox}"));
            }
            _ => {
                c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
                c.ok("CLOSE");
                c.ok("SELECT box");
                // It may be empty.
                c.run("STORE 1:* +FLAGS.SILENT (\\Deleted)");
                c.ok("CLOSE");
            }
        }
        if turn == 21 {
            fs::remove_file(maildir.path().join("maildirsize")).unwrap();
        }
        let said = clients.each_mut().map(quota);
        assert_eq!(said[0], said[1], "after turn {turn}");
        assert_eq!(
            sum(maildir.path()),
            truth(maildir.path()),
            "after turn {turn}"
        );
    }
}

/// Sessions that append, copy and expunge at once never come above the limit, and lose no line.
#[test]
fn sessions_at_once() {
    const MOST: u32 = 40;
    let maildir = Arc::new(Maildir::new());
    let setup = Setup::new(Kind::Culver).quota(None, Some(MOST));
    let server = setup.start(&maildir);
    let work: Vec<_> = (0..6)
        .map(|number| {
            let mut c = server.client();
            std::thread::spawn(move || {
                let mailbox = format!("box{}", number % 3);
                c.run(&format!("CREATE {mailbox}"));
                c.ok(&format!("SELECT {mailbox}"));
                for step in 0..25 {
                    let text = stored(20 + step);
                    c.run(&format!("APPEND {mailbox} {{{}+}}\r\n{text}", text.len()));
                    match step % 5 {
                        1 => drop(c.run("COPY 1 INBOX")),
                        2 => drop(c.run("MOVE 1 INBOX")),
                        3 => {
                            c.run("STORE 1 +FLAGS.SILENT (\\Deleted)");
                            c.run("EXPUNGE");
                        }
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for one in work {
        one.join().unwrap();
    }
    let (octets, number) = truth(maildir.path());
    assert!(number <= u64::from(MOST), "{number}");
    assert_eq!(sum(maildir.path()), (octets, number));
    // The rest of the room is there.
    let mut c = server.client();
    for _ in number..u64::from(MOST) {
        c.append("INBOX", "", &stored(20));
    }
    let one = stored(20);
    c.check(
        &format!("APPEND INBOX {{{}+}}\r\n{one}", one.len()),
        &[],
        "NO [OVERQUOTA]",
    );
    assert_eq!(
        quota(&mut c),
        format!("* QUOTA \"User quota\" (MESSAGE {MOST} {MOST})")
    );
}

/// Two servers whose limits differ each write their own into the first line, and the sum is the truth all the same.
#[test]
fn limits_that_differ() {
    let maildir = Arc::new(Maildir::new());
    let servers = [50, 70].map(|most| {
        let setup = Setup::new(Kind::Culver).quota(None, Some(most));
        setup.start(&maildir)
    });
    let mut clients = servers.each_ref().map(|server| server.client());
    for turn in 0..10u64 {
        let at = usize::from(turn % 2 == 1);
        clients[at].append("INBOX", "", &stored(100));
        let most = [50, 70][at];
        let expected = format!("* QUOTA \"User quota\" (MESSAGE {} {most})", turn + 1);
        assert_eq!(quota(&mut clients[at]), expected);
        assert_eq!(sum(maildir.path()), (100 * (turn + 1), turn + 1));
    }
}
