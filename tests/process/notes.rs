//! What an administrator finds in the log: who got which mail, who did not and why, and who was let in or not.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::hall::Hall;
use crate::harness::server::culver_program;
use crate::harness::wait_until;
use crate::lmtp::{Mta, mail};

/// The lines with these words, once there are so many.
fn lines(hall: &Hall, words: &str, count: usize) -> Vec<String> {
    let found = || {
        let log = hall.log();
        let lines = log.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until(words, || found().len() >= count);
    let found = found();
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

/// What stands behind these words.
fn behind<'a>(line: &'a str, words: &str) -> &'a str {
    let (_, rest) = line.split_once(words).unwrap_or_else(|| panic!("{line}"));
    rest
}

#[test]
fn each_recipient_has_a_line() {
    let Some(hall) = Hall::open() else { return };
    hall.client("carl@example.org").ok("CREATE Lists.Box");
    let mut mta = Mta::open(&hall);
    mta.say("LHLO client.test");
    let to = ["Carl+Lists.Box@Example.Org", "ann"];
    mta.envelope(&to);
    let unknown = "no\u{1b}body@example.org".replace('\u{1b}', "\u{202e}");
    assert!(mta.say(&format!("RCPT TO:<{unknown}>")).starts_with("550 "));
    assert_eq!(mta.say("DATA"), "354 OK");
    mta.send(b"Subject: x\r\n\r\n.\r\n");
    let reply = mta.reply();
    let id = reply.split(' ').nth(3).unwrap();
    mta.reply();
    let [carl, ann] = lines(&hall, "mail delivered", 2).try_into().unwrap();
    let size = |maildir: &str| {
        let [file] = mail(&hall, maildir).try_into().unwrap();
        fs::metadata(file).unwrap().len()
    };
    let boxes = size("vmail/example.org/carl/Maildir/.Lists.Box");
    let from = "from=\"sender@remote.test\"";
    assert_eq!(
        behind(&carl, "mail delivered "),
        format!(
            "id=\"{id}\" user=\"carl@example.org\" mailbox=\"Lists.Box\" size={boxes} client=local \
             to=\"Carl+Lists.Box@Example.Org\" {from}"
        )
    );
    assert_eq!(
        behind(&ann, "mail delivered "),
        format!(
            "id=\"{id}\" user=\"ann\" mailbox=\"INBOX\" size={} client=local to=\"ann\" {from}",
            size("ann/Maildir")
        )
    );
    let [refused] = lines(&hall, "mail refused", 1).try_into().unwrap();
    assert_eq!(
        behind(&refused, "mail refused: "),
        format!("there is no such user client=local to=\"no\\u{{202e}}body@example.org\" {from}")
    );
}

#[test]
fn who_gets_no_mail_has_one_too() {
    let Some(hall) = Hall::set(&[("mail", "max-message-size = \"2000\"")]) else {
        return;
    };
    let mut mta = Mta::open(&hall);
    // Nobody gets more of the log than a line, nor anything into it that looks like one.
    let long = format!("\"{}\"@x", "\\\"".repeat(450));
    assert!(mta.say(&format!("MAIL FROM:<{long}>")).starts_with("250 "));
    let nobody = format!("{}@x", "y".repeat(900));
    assert!(mta.say(&format!("RCPT TO:<{nobody}>")).starts_with("550 "));
    let [line] = lines(&hall, "mail refused", 1).try_into().unwrap();
    assert!(line.len() < 2000, "{line}");
    assert!(line.contains("there is no such user client=local to=\"yyy"));
    mta.say("RSET");
    assert!(mta.say("MAIL FROM:<a@b> SIZE=2001").starts_with("552 "));
    let [_, line] = lines(&hall, "mail refused", 2).try_into().unwrap();
    assert_eq!(
        behind(&line, "mail refused: "),
        "the message is too large client=local from=\"a@b\""
    );
    mta.envelope(&["ann"]);
    mta.send(b"BDAT 2001\r\n");
    mta.send(&[b'x'; 2001]);
    assert!(mta.reply().starts_with("552 "));
    let [_, _, line] = lines(&hall, "mail refused", 3).try_into().unwrap();
    assert!(
        line.contains("too large id=") && line.contains(" to=\"ann\" "),
        "{line}"
    );
    let full = "full@example.org";
    let text = format!("{}\r\n", "x".repeat(1900));
    assert!(mta.bring(&[full], &text)[0].starts_with("552 "));
    let [_, _, _, line] = lines(&hall, "mail refused", 4).try_into().unwrap();
    let end = "client=local to=\"full@example.org\" from=\"sender@remote.test\"";
    let line = behind(&line, "mail refused: ");
    assert!(line.starts_with("the quota is exceeded id=\""), "{line}");
    assert!(line.ends_with(end), "{line}");
    fs::write(hall.at("bert/Maildir"), "no directory").unwrap();
    mta.say("MAIL FROM:<a@b>");
    assert!(mta.say("RCPT TO:<bert>").starts_with("451 "));
    lines(&hall, "for a reason that another line has", 1);
    let [why] = lines(&hall, "user=\"bert\"", 1).try_into().unwrap();
    assert!(why.contains("ERROR"), "{why}");
}

/// By what and under what somebody has logged in, and for whom.
#[test]
fn logins_have_what_they_came_by() {
    let masters = "kind = \"passwd-file\"\npath = \"HOME/users\"\n\
        [[auth.source]]\nkind = \"passwd-file\"\nmaster = true\npath = \"HOME/masters\"\n";
    let more = [("auth", "master-separator = \"*\"")];
    let hall = Hall::with_all(masters, "", &more, |home| {
        fs::write(home.join("masters"), "chief:{PLAIN}p\n").unwrap();
        let mut users = File::options()
            .append(true)
            .open(home.join("users"))
            .unwrap();
        writeln!(users, "near:{{PLAIN}}p::::::allow_nets=192.0.2.1").unwrap();
    });
    let Some(hall) = hall else { return };
    let mut client = hall.stranger();
    client.ok("LOGIN \"ann*chief\" p");
    drop(hall.secure_client("bert"));
    let [ann, bert] = lines(&hall, " logged in ", 2).try_into().unwrap();
    let end = "mechanism=\"PLAIN\" tls=no master=\"chief\"";
    assert!(
        ann.contains("user=\"ann\" peer=127.0.0.1:") && ann.ends_with(end),
        "{ann}"
    );
    let end = "mechanism=\"PLAIN\" tls=1.3";
    assert!(
        bert.contains("user=\"bert\" peer=") && bert.ends_with(end),
        "{bert}"
    );
    let [master] = lines(&hall, "master user chief logs in as ann", 1)
        .try_into()
        .unwrap();
    assert!(master.contains("mechanism=\"PLAIN\" tls=no"), "{master}");
    let mut client = hall.stranger();
    for (user, password, why) in [
        ("near", "p", " why=\"the address is not in allow_nets\""),
        ("near", "x", ""),
        ("who", "p", ""),
    ] {
        client.no(&format!("LOGIN {user} {password}"));
        let words = format!("login({user},127.0.0.1): invalid credentials");
        wait_until(&words, || hall.log().contains(&words));
        let log = hall.log();
        let line = log.lines().rfind(|line| line.contains(&words)).unwrap();
        let end =
            format!("{words} user=\"{user}\" peer=\"127.0.0.1\" mechanism=\"PLAIN\" tls=no{why}");
        assert!(line.ends_with(&end), "{line}");
    }
}

/// An MTA that says what is in no protocol is cut off, and the log hears of it once, however often it comes.
#[test]
fn who_breaks_the_protocol_is_named_now_and_then() {
    let Some(hall) = Hall::open() else { return };
    for (socket, said) in [("auth", "NONSENSE\t1\n"), ("userdb", "PASS\t1\tx\n")] {
        let path = hall.at(socket);
        wait_until("the socket", || path.exists());
        for _ in 0..3 {
            let mut mta = UnixStream::connect(&path).unwrap();
            mta.write_all(said.as_bytes()).unwrap();
            let mut heard = Vec::new();
            // What it had said may not have been heard when it was cut off.
            let _ = mta.read_to_end(&mut heard);
        }
        let words = format!("socket=\"{}\" times=1", path.display());
        let [line] = lines(&hall, &words, 1).try_into().unwrap();
        assert!(
            line.contains("WARN") && line.contains("a line that is no request"),
            "{line}"
        );
    }
}

/// Where the journal reads standard error, it gets what the caller does not.
#[test]
fn deliver_tells_the_journal_and_not_its_caller() {
    let Some(hall) = Hall::open() else { return };
    let run = |user: &str, is_journal: bool| {
        let (path, mut message) = (hall.at("said"), tempfile::tempfile().unwrap());
        message.write_all(b"Subject: x\n\ny\n").unwrap();
        std::io::Seek::rewind(&mut message).unwrap();
        let said = File::create(&path).unwrap();
        let stat = said.metadata().unwrap();
        let mut command = Command::new(culver_program());
        command.args([
            "deliver",
            "-f",
            "s\n@t",
            "-a",
            "ann+x@example.org",
            "-d",
            user,
        ]);
        command.arg("--config").arg(hall.at("culver.toml"));
        if is_journal {
            command.env("JOURNAL_STREAM", format!("{}:{}", stat.dev(), stat.ino()));
        }
        command
            .stdin(Stdio::from(message))
            .stderr(Stdio::from(said));
        let code = command.status().unwrap().code();
        (code, fs::read_to_string(&path).unwrap())
    };
    assert_eq!(run("ann", false), (Some(0), String::new()));
    let (code, said) = run("ann", true);
    assert_eq!(code, Some(0));
    assert_eq!(
        behind(&said, "mail delivered "),
        "user=\"ann\" mailbox=\"INBOX\" size=14 client=local to=\"ann+x@example.org\" from=\"s\\n@t\"\n"
    );
    let wrong = "culver: who: there is no such user\n";
    assert_eq!(run("who", false), (Some(67), wrong.to_owned()));
    let (code, said) = run("who", true);
    assert_eq!(code, Some(67));
    assert_eq!(
        behind(&said, "mail refused: "),
        format!(
            "who: there is no such user client=local to=\"ann+x@example.org\" from=\"s\\n@t\"\n{wrong}"
        )
    );
}

/// What never ends fills no disk.
#[test]
fn deliver_comes_to_an_end() {
    let Some(hall) = Hall::set(&[("mail", "max-message-size = \"1M\"")]) else {
        return;
    };
    for front in ["", "From "] {
        let mut command = Command::new("sh");
        let script = "(printf '%s' \"$1\"; cat /dev/zero) | \"$0\" deliver -d ann --config \"$2\"";
        command
            .args(["-c", script])
            .arg(culver_program())
            .arg(front);
        let output = command.arg(hall.at("culver.toml")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(77), "{said}");
        assert!(said.contains("Message too large, 1048576 octets"), "{said}");
    }
    for sub in ["new", "tmp"] {
        let left = fs::read_dir(hall.at("ann/Maildir").join(sub)).unwrap();
        assert_eq!(left.count(), 0, "{sub}");
    }
}
