//! INPROGRESS (RFC 9585): how far a command is that takes long. Here one takes long because strace holds it back where it
//! opens a message. How the numbers grow, and that they never reach their goal: `src/session/wait.rs`.

use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup, have};

/// How long the opening takes, in microseconds: longer than a client waits for the first word.
const HELD_BACK: &str = "11000000";

/// Four messages, of which the third takes its time to be opened; `None` where that cannot be had.
fn slow() -> Option<Server> {
    // Dovecot says other things, without a code.
    if Kind::chosen() == Kind::Dovecot || !have("strace") {
        return None;
    }
    let maildir = Arc::new(Maildir::new());
    maildir.numbered("INBOX", 7, 5, &[1, 2, 3, 4]);
    let third = maildir.files("INBOX").remove(2);
    let slow = format!("inject=openat:delay_enter={HELD_BACK}");
    let mut words = vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", &slow];
    words.extend(["-e", "trace=openat", "-P", third.trim_start_matches("cur/")]);
    Some(Setup::new(Kind::Culver).under(&words).start(&maildir))
}

fn line(c: &mut Client) -> String {
    String::from_utf8(c.line()).unwrap()
}

/// §3 and §4: while the command runs an untagged OK names it by its tag, says how much is done and of how much; less is
/// done than there is to do. A tag with a bracket would end the code, and MUST be NIL. The answer itself is as ever.
#[test]
fn a_command_that_takes_long() {
    let Some(server) = slow() else {
        return;
    };
    let mut one = server.selected("INBOX");
    let mut other = server.selected("INBOX");
    let told = format!("{} ", one.ok("CAPABILITY").remove(0));
    assert!(told.contains(" INPROGRESS "), "{told}");
    one.send(b"A7 SEARCH BODY Hello\r\n");
    other.send(b"A]7 SORT (ARRIVAL) UTF-8 BODY Hello\r\n");
    for (c, tag, quoted) in [(&mut one, "A7", "\"A7\""), (&mut other, "A]7", "NIL")] {
        let (mut heard, begin) = (0, format!("* OK [INPROGRESS ({quoted} "));
        let found = loop {
            let news = line(c);
            let Some(rest) = news.strip_prefix(&begin) else {
                break news;
            };
            let numbers = rest.split_once(")] ").unwrap().0;
            let (done, goal) = numbers.split_once(' ').unwrap();
            let [done, goal] = [done, goal].map(|number| number.parse::<u32>().unwrap());
            assert!(done < goal, "{news}");
            heard += 1;
        };
        assert!(found.ends_with(" 1 2 3 4"), "{found}");
        assert!(line(c).starts_with(&format!("{tag} OK ")));
        assert!(heard > 0, "nothing was said of {tag}");
    }
}
