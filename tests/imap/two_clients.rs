//! Two and three clients on one mailbox: for every pair of changing operations, exactly what the others
//! hear, and in which order.
//!
//! Client 1 acts (or a program beside the server does), client 2 has the mailbox selected and asks by NOOP,
//! client 3 idles. All three must hold the same picture afterwards.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, message};

/// A mailbox of four messages (UIDs 1 to 4, all seen by an earlier session, the last one `\Deleted`), an
/// empty folder `box`, and three clients that have selected INBOX.
struct Scene {
    server: Server,
    c1: Client,
    c2: Client,
    c3: Client,
}

const NAMES: [&str; 4] = ["1.one", "2.two", "3.three", "4.four"];

impl Scene {
    fn new() -> Scene {
        let maildir = Arc::new(Maildir::new());
        for (name, letters) in NAMES.iter().zip(["", "S", "", "T"]) {
            let text = message(name);
            maildir.place(
                "INBOX",
                "cur",
                &format!("{name}:2,{letters}"),
                text.as_bytes(),
            );
        }
        let server = Server::on(&maildir);
        let mut first = server.client();
        first.ok("CREATE box");
        first.ok("SELECT INBOX");
        first.ok("LOGOUT");
        let [c1, c2, c3] = [(); 3].map(|()| server.selected("INBOX"));
        Scene { server, c1, c2, c3 }
    }

    /// Does `act` by client 1, and demands that client 2 hears `told` at its next NOOP, client 3 while it
    /// idles, and that nothing is left over for anyone.
    #[track_caller]
    fn hears(&mut self, act: impl FnOnce(&mut Client, &Maildir), told: &[&str]) {
        self.hears_each(act, told, told);
    }

    /// The same where client 2 and client 3 are told different things, for one of them owns `\Recent`.
    #[track_caller]
    fn hears_each(
        &mut self,
        act: impl FnOnce(&mut Client, &Maildir),
        second: &[&str],
        third: &[&str],
    ) {
        let mut idle = self.c3.idle();
        act(&mut self.c1, &self.server.maildir);
        if !third.is_empty() {
            idle.expect(third);
        }
        idle.done(&[]);
        self.c1.ok("NOOP");
        self.c2.check("NOOP", second, "OK");
        self.agree();
    }

    /// The three pictures are one, and a fresh session's is the same.
    #[track_caller]
    fn agree(&mut self) {
        let picture = |c: &mut Client| -> Vec<String> {
            c.ok("UID FETCH 1:* FLAGS")
                .iter()
                .map(|line| line.replace(" \\Recent", "").replace("\\Recent", ""))
                .collect()
        };
        let mut fresh = self.server.client();
        fresh.ok("EXAMINE INBOX");
        let first = picture(&mut self.c1);
        assert_eq!(picture(&mut self.c2), first);
        assert_eq!(picture(&mut self.c3), first);
        assert_eq!(picture(&mut fresh), first);
    }
}

/// The ways in which a mailbox changes. Each is done by client 1 or by a program beside the server, to the
/// message given by its place in the first picture (1 to 3; the fourth is there to be expunged).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Append,
    Store,
    Expunge,
    Move,
    Copy,
    Delivery,
    ForeignRename,
    ForeignDelete,
}

use Change::*;

const CHANGES: [Change; 8] = [
    Append,
    Store,
    Expunge,
    Move,
    Copy,
    Delivery,
    ForeignRename,
    ForeignDelete,
];

/// What the others know of the mailbox, told by hand: the model the server is held to.
struct Picture {
    /// UIDs in order.
    uids: Vec<u32>,
    next: u32,
    /// RECENT as each of client 1, 2 and 3 has been told it.
    told: usize,
}

impl Picture {
    fn number(&self, uid: u32) -> usize {
        self.uids.iter().position(|&known| known == uid).unwrap() + 1
    }

    fn remove(&mut self, uid: u32) -> String {
        let number = self.number(uid);
        self.uids.remove(number - 1);
        format!("* {number} EXPUNGE")
    }

    fn add(&mut self) -> String {
        self.uids.push(self.next);
        self.next += 1;
        format!("* {} EXISTS", self.uids.len())
    }
}

/// Does a change and gives what the two others must hear of it, RECENT left aside. `turn` is 0 for the
/// first of a pair and 1 for the second, so that a pair of the same change touches two messages.
fn perform(
    change: Change,
    turn: usize,
    picture: &mut Picture,
    c: &mut Client,
    maildir: &Maildir,
) -> Vec<String> {
    match change {
        Append => {
            c.append("INBOX", "(\\Seen) ", &message("appended"));
            vec![picture.add()]
        }
        Copy => {
            c.ok("UID COPY 1 INBOX");
            vec![picture.add()]
        }
        Delivery => {
            maildir.deliver("INBOX", &message("delivered"));
            vec![picture.add()]
        }
        Store => {
            let flag = ["\\Flagged", "\\Answered"][turn];
            c.ok(&format!("UID STORE 1 FLAGS ({flag})"));
            vec![format!("* {} FETCH (FLAGS ({flag}))", picture.number(1))]
        }
        ForeignRename => {
            let (letters, flag) = [("F", "\\Flagged"), ("R", "\\Answered")][turn];
            maildir.reflag("INBOX", NAMES[0], letters);
            vec![format!("* {} FETCH (FLAGS ({flag}))", picture.number(1))]
        }
        Expunge => {
            // The first of a pair takes UID 4, which is \Deleted; the second must mark one first, in silence
            // to none: the others hear of the mark and of the end, or of the end alone.
            if turn == 1 && !picture.uids.contains(&4) {
                c.ok("UID STORE 3 +FLAGS.SILENT (\\Deleted)");
                c.ok("UID EXPUNGE 3");
                return vec![picture.remove(3)];
            }
            c.ok("EXPUNGE");
            vec![picture.remove(4)]
        }
        Move => {
            let uid = [2, 3][turn];
            c.ok(&format!("UID MOVE {uid} box"));
            vec![picture.remove(uid)]
        }
        ForeignDelete => {
            let uid = [2, 3][turn];
            let uid = if picture.uids.contains(&uid) { uid } else { 3 };
            maildir.remove("INBOX", NAMES[uid as usize - 1]);
            vec![picture.remove(uid)]
        }
    }
}

/// Every pair, one change after the other: each is told to the idling client as it happens, and both
/// together to the one that asks at the end.
#[test]
fn each_pair_of_changes_one_after_the_other() {
    for first in CHANGES {
        for second in CHANGES {
            let mut scene = Scene::new();
            let Scene { server, c1, c2, c3 } = &mut scene;
            let mut picture = Picture {
                uids: vec![1, 2, 3, 4],
                next: 5,
                told: 0,
            };
            let _ = picture.told;
            let mut idle = Watcher::start(c3);
            for (turn, change) in [first, second].into_iter().enumerate() {
                let told = perform(change, turn, &mut picture, c1, &server.maildir);
                idle.hears(&told, &format!("{first:?} then {second:?}"));
                c1.ok("NOOP");
            }
            idle.end();
            // The client that slept through both hears where the mailbox is now: expunges, then the count,
            // then flags; and nothing of what came and went.
            let reply = c2.run("NOOP");
            let heard = without_recent(reply.plain());
            check_summary(&heard, first, second, &picture);
            scene.agree();
        }
    }
}

/// The idling client: collects what it hears but for RECENT.
struct Watcher<'c> {
    client: &'c mut Client,
}

impl<'c> Watcher<'c> {
    fn start(client: &'c mut Client) -> Watcher<'c> {
        client.send(b"idle IDLE\r\n");
        assert!(client.line().starts_with(b"+"));
        Watcher { client }
    }

    /// Waits for these responses; a FETCH of flags that were marked on the way may come as well.
    fn hears(&mut self, told: &[String], what: &str) {
        for expected in told {
            loop {
                let line =
                    crate::harness::client::plain(&String::from_utf8_lossy(&self.client.line()))
                        .replace(" \\Recent", "")
                        .replace("(\\Recent)", "()");
                if line == *expected {
                    break;
                }
                let passing =
                    line.ends_with(" RECENT") || line == "* OK" || line.contains("\\Deleted");
                assert!(passing, "{what}: expected {expected}, heard {line}");
            }
        }
    }

    fn end(self) {
        self.client.send(b"DONE\r\n");
        let reply = self.client.until_tagged("idle");
        let left = without_recent(reply.plain());
        assert!(left.is_empty(), "left over: {left:?}");
    }
}

fn without_recent(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .filter(|line| !line.ends_with(" RECENT"))
        .map(|line| line.replace(" \\Recent", "").replace("(\\Recent)", "()"))
        .collect()
}

/// What a client that knew the first picture (UIDs 1 to 4) must hear to come to the last one.
fn check_summary(heard: &[String], first: Change, second: Change, picture: &Picture) {
    let mut expected = Vec::new();
    let mut known = vec![1, 2, 3, 4];
    for uid in [4, 3, 2, 1] {
        if !picture.uids.contains(&uid) {
            let number = known
                .iter()
                .position(|&uid_known| uid_known == uid)
                .unwrap()
                + 1;
            known.remove(number - 1);
            expected.push(format!("* {number} EXPUNGE"));
        }
    }
    if picture.uids.len() > known.len() {
        expected.push(format!("* {} EXISTS", picture.uids.len()));
    }
    let flagging = |change: Change| matches!(change, Store | ForeignRename);
    let flags = match (flagging(first), flagging(second)) {
        (_, true) => Some("\\Answered"),
        (true, false) => Some("\\Flagged"),
        (false, false) => None,
    };
    if let Some(flags) = flags {
        expected.push(format!("* 1 FETCH (FLAGS ({flags}))"));
    }
    let mut heard = heard.to_vec();
    // A server may send these three kinds in another order; numbers then still mean the same, for message 1
    // stays message 1 and the expunges come highest first.
    heard.sort_by_key(|line| (line.contains("FETCH"), line.ends_with("EXISTS")));
    assert_eq!(heard, expected, "{first:?} then {second:?}");
}

#[test]
fn append_is_told_with_its_recent_to_one() {
    let mut scene = Scene::new();
    scene.hears(
        |c, _| {
            c.ok("STORE 1 +FLAGS (\\Seen)");
        },
        &["* 1 FETCH (FLAGS (\\Seen))"],
    );
    scene.hears(
        |c, _| {
            c.ok("STORE 1 +FLAGS.SILENT (\\Flagged)");
        },
        &["* 1 FETCH (FLAGS (\\Flagged \\Seen))"],
    );
    scene.hears(
        |c, _| {
            c.ok("EXPUNGE");
        },
        &["* 4 EXPUNGE"],
    );
    scene.hears(
        |c, _| {
            c.ok("MOVE 1,3 box");
        },
        &["* 3 EXPUNGE", "* 1 EXPUNGE"],
    );
    scene.hears(
        |_, maildir| maildir.reflag("INBOX", NAMES[1], "DS"),
        &["* 1 FETCH (FLAGS (\\Seen \\Draft))"],
    );
    scene.hears(
        |_, maildir| maildir.remove("INBOX", NAMES[1]),
        &["* 1 EXPUNGE"],
    );
}

#[test]
fn a_new_keyword_of_one_is_announced_to_the_others() {
    let mut scene = Scene::new();
    scene.hears(
        |c, _| {
            c.ok("STORE 2 +FLAGS (later)");
        },
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft later)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft later \\*)]",
            "* 2 FETCH (FLAGS (\\Seen later))",
        ],
    );
}

#[test]
fn the_seen_of_a_fetch_is_told_to_the_others() {
    let mut scene = Scene::new();
    scene.hears(
        |c, _| {
            c.check(
                "FETCH 1 BODY[TEXT]",
                &["* 1 FETCH (BODY[TEXT] {8}\r\nHello.\r\n FLAGS (\\Seen))"],
                "OK",
            );
        },
        &["* 1 FETCH (FLAGS (\\Seen))"],
    );
}

#[test]
fn expunges_wait_during_fetch_store_and_search() {
    let mut scene = Scene::new();
    let Scene { c1, c2, server, .. } = &mut scene;
    c1.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    c2.check("NOOP", &["* 2 FETCH (FLAGS (\\Deleted \\Seen))"], "OK");
    c1.ok("EXPUNGE");
    // The numbers of client 2 hold until a command that may tell it.
    c2.check("FETCH 3 UID", &["* 3 FETCH (UID 3)"], "OK");
    c2.check("SEARCH UID 3", &["* SEARCH 3"], "OK");
    c2.check(
        "STORE 3 +FLAGS (\\Seen)",
        &["* 3 FETCH (FLAGS (\\Seen))"],
        "OK",
    );
    let reply = c2.run("FETCH 2 (UID BODY.PEEK[TEXT])");
    assert!(
        reply.tagged.starts_with("OK [EXPUNGEISSUED]") || reply.tagged.starts_with("NO"),
        "{reply:?}"
    );
    assert!(
        !reply.plain().iter().any(|line| line.ends_with("EXPUNGE")),
        "{reply:?}"
    );
    let reply = c2.run("COPY 2 box");
    assert_eq!(reply.outcome(), "NO [EXPUNGEISSUED]");
    let mut heard = reply.plain();
    heard.extend(c2.ok("NOOP"));
    heard.retain(|line| !line.ends_with(" RECENT"));
    assert_eq!(heard, ["* 4 EXPUNGE", "* 2 EXPUNGE"]);
    c2.check("FETCH 2 UID", &["* 2 FETCH (UID 3)"], "OK");
    assert_eq!(
        server.client().ok("STATUS box (MESSAGES)"),
        ["* STATUS box (MESSAGES 0)"]
    );
}

#[test]
fn uid_commands_may_tell_expunges() {
    let mut scene = Scene::new();
    let Scene { c1, c2, .. } = &mut scene;
    c1.ok("EXPUNGE");
    let reply = c2.run("UID FETCH 3 FLAGS");
    assert!(reply.tagged.starts_with("OK"));
    let mut lines = reply.plain();
    assert_eq!(lines.remove(0), "* 3 FETCH (FLAGS () UID 3)");
    lines.extend(c2.ok("NOOP"));
    assert_eq!(lines, ["* 4 EXPUNGE"]);
}

#[test]
fn a_delivery_is_recent_to_exactly_one() {
    let mut scene = Scene::new();
    let Scene { c1, c2, c3, server } = &mut scene;
    server.maildir.deliver("INBOX", &message("new"));
    let mut recent = 0;
    for c in [&mut *c1, &mut *c2, &mut *c3] {
        // By IDLE, for the news of a foreign program need not be there at the first NOOP.
        c.send(b"i IDLE\r\n");
        assert!(c.line().starts_with(b"+"));
        while c.line() != b"* 5 EXISTS" {}
        c.send(b"DONE\r\n");
        c.until_tagged("i");
        let flags = c.ok("FETCH 5 FLAGS").remove(0);
        recent += usize::from(flags.contains("\\Recent"));
        let found = c.ok("SEARCH RECENT").remove(0);
        assert_eq!(
            found.ends_with(" 5"),
            flags.contains("\\Recent"),
            "{found} {flags}"
        );
    }
    assert_eq!(recent, 1, "RFC 3501 §2.3.2");
}

#[test]
fn a_mailbox_deleted_under_a_session_is_not_served_under_its_old_name() {
    let server = Server::start();
    let mut c1 = server.client();
    let mut c2 = server.client();
    c1.ok("CREATE doomed");
    c1.append("doomed", "", &message("one"));
    c2.ok("SELECT doomed");
    c1.ok("DELETE doomed");
    c2.send(b"x NOOP\r\ny FETCH 1 BODY.PEEK[]\r\nz LOGOUT\r\n");
    let answers = c2.rest();
    assert!(
        !answers.iter().any(|line| line.contains("Hello.")),
        "{answers:?}"
    );
    assert!(
        answers
            .iter()
            .any(|line| line.starts_with("* BYE") || line.contains("NO ")),
        "{answers:?}"
    );
    c1.no("SELECT doomed");
}

#[test]
fn a_mailbox_renamed_under_a_session_gets_no_mail_under_its_old_name() {
    let server = Server::start();
    let mut c1 = server.client();
    let mut c2 = server.client();
    c1.ok("CREATE old");
    c1.append("old", "", &message("one"));
    c2.ok("SELECT old");
    c1.ok("RENAME old neu");
    let text = message("two");
    c2.send(
        format!(
            "x NOOP\r\ny APPEND old {{{}+}}\r\n{text}\r\nz LOGOUT\r\n",
            text.len()
        )
        .as_bytes(),
    );
    let answers = c2.rest();
    assert!(
        !answers.iter().any(|line| line.starts_with("y OK")),
        "{answers:?}"
    );
    let mut listed = c1.ok("LIST \"\" *");
    listed.retain(|line| line.ends_with(" old"));
    assert!(listed.is_empty());
}

/// Three sessions change one mailbox at random, each believing only what it is told: their pictures are one.
#[test]
fn pictures_agree_after_many_changes_by_all() {
    let mut scene = Scene::new();
    let mut chance = crate::harness::Chance::new(1);
    for _ in 0..300 {
        let Scene { c1, c2, c3, server } = &mut scene;
        let c = match chance.below(3) {
            0 => c1,
            1 => c2,
            _ => c3,
        };
        let uid = chance.below(40) + 1;
        match chance.below(8) {
            0 => {
                c.append("INBOX", "", &message("x"));
            }
            1 => {
                server.maildir.deliver("INBOX", &message("y"));
            }
            2 => drop(c.run(&format!("UID STORE {uid} +FLAGS (\\Flagged k{})", uid % 5))),
            3 => drop(c.run(&format!("UID STORE {uid} FLAGS (\\Seen)"))),
            4 => {
                c.run(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"));
                c.run("EXPUNGE");
            }
            5 => drop(c.run(&format!("UID MOVE {uid} box"))),
            6 => drop(c.run(&format!("UID COPY {uid} INBOX"))),
            _ => drop(c.run("NOOP")),
        }
    }
    let Scene { c1, c2, c3, server } = &mut scene;
    // A last delivery: who has heard of it has heard of all before it.
    let mark = server
        .maildir
        .deliver("INBOX", "Subject: the last\r\n\r\n\r\n");
    assert!(!mark.is_empty());
    for c in [&mut *c1, &mut *c2, &mut *c3] {
        crate::harness::wait_until("the last delivery", || {
            c.ok("NOOP");
            c.ok("SEARCH SUBJECT \"the last\"").remove(0) != "* SEARCH"
        });
    }
    for c in [c1, c2, c3] {
        c.ok("NOOP");
    }
    if scene.server.kind == Kind::Culver {
        scene.agree();
    }
}
