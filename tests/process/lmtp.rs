//! Mail by LMTP, into the mail of users of several uids.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::hall::{ANN, BERT, Hall, Shown, VMAIL};
use crate::harness::server::free_port;
use crate::harness::{PATIENCE, wait_until};

/// An MTA that is connected.
pub struct Mta(BufReader<UnixStream>);

impl Mta {
    /// One that has been greeted.
    pub fn open(hall: &Hall) -> Mta {
        let mut mta = None;
        wait_until("the greeting of LMTP", || {
            mta = Mta::try_open(&hall.at("lmtp"));
            mta.is_some()
        });
        mta.unwrap()
    }

    fn try_open(socket: &Path) -> Option<Mta> {
        let stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut mta = Mta(BufReader::new(stream));
        mta.try_reply()?.starts_with("220 ").then_some(mta)
    }

    fn try_reply(&mut self) -> Option<String> {
        let mut reply = String::new();
        loop {
            let from = reply.len();
            if self.0.read_line(&mut reply).ok()? == 0 {
                return None;
            }
            if reply.get(from + 3..from + 4) != Some("-") {
                return Some(reply.trim_end().to_owned());
            }
        }
    }

    /// The next reply.
    pub fn reply(&mut self) -> String {
        self.try_reply().expect("a reply")
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).unwrap();
    }

    /// Says something and hears the reply.
    pub fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// An envelope of which everybody is taken.
    pub fn envelope(&mut self, recipients: &[&str]) {
        assert_eq!(self.say("MAIL FROM:<sender@remote.test>"), "250 2.1.0 OK");
        for recipient in recipients {
            let reply = self.say(&format!("RCPT TO:<{recipient}>"));
            assert_eq!(reply, "250 2.1.5 OK", "{recipient}");
        }
    }

    /// A message to these; a reply for each, without the transfer's name.
    pub fn bring(&mut self, recipients: &[&str], text: &str) -> Vec<String> {
        self.envelope(recipients);
        assert_eq!(self.say("DATA"), "354 OK");
        self.send(text.as_bytes());
        self.send(b".\r\n");
        recipients.iter().map(|_| self.outcome()).collect()
    }

    /// A recipient's reply, without the transfer's name.
    pub fn outcome(&mut self) -> String {
        let reply = self.reply();
        match reply.strip_suffix(" Saved") {
            Some(rest) => format!("{} Saved", rest.rsplit_once(' ').unwrap().0),
            None => reply,
        }
    }

    /// Whether it has been hung up on: what it had said last may not have been heard.
    pub fn is_over(&mut self) -> bool {
        let mut rest = Vec::new();
        let reset = std::io::ErrorKind::ConnectionReset;
        match self.0.read_to_end(&mut rest) {
            Ok(length) => length == 0,
            Err(error) => error.kind() == reset && rest.is_empty(),
        }
    }
}

/// The messages in `new/` and `cur/` of a Maildir.
pub fn mail(hall: &Hall, maildir: &str) -> Vec<PathBuf> {
    let subs = ["new", "cur"].map(|sub| hall.at(maildir).join(sub));
    let entries = subs
        .iter()
        .filter_map(|sub| fs::read_dir(sub).ok())
        .flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// What is left behind the trace.
pub fn without_trace(file: &Path) -> String {
    let text = fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&text);
    text.split_once(" +0000\n").unwrap().1.to_owned()
}

const ANNS: &str = "ann/Maildir";
const CARLS: &str = "vmail/example.org/carl/Maildir";
const DORAS: &str = "vmail/example.org/dora/Maildir";

#[test]
fn each_recipient_gets_it_and_those_of_one_uid_the_same_file() {
    let Some(hall) = Hall::open() else { return };
    hall.client("carl@example.org").ok("CREATE Lists.Box");
    let mut mta = Mta::open(&hall);
    assert!(mta.say("LHLO client.test").ends_with("250 SMTPUTF8"));
    let unknown = "nobody@example.org";
    assert_eq!(mta.say("MAIL FROM:<sender@remote.test>"), "250 2.1.0 OK");
    assert_eq!(
        mta.say(&format!("RCPT TO:<{unknown}>")),
        format!("550 5.1.1 <{unknown}> User doesn't exist: {unknown}")
    );
    mta.say("RSET");
    let all = [
        "ann",
        "Carl@Example.Org",
        "bert",
        "carl+Lists.Box@example.org",
        "dora+none@example.org",
    ];
    let saved = all.map(|to| format!("250 2.0.0 <{to}> Saved"));
    assert_eq!(mta.bring(&all, "Subject: all\r\n\r\n..dot\r\n"), saved);
    // The name it had while it came goes last.
    for maildir in [ANNS, "bert/Maildir", CARLS, DORAS] {
        let tmp = hall.at(maildir).join("tmp");
        wait_until("an empty tmp/", || fs::read_dir(&tmp).unwrap().count() == 0);
    }
    let boxes = format!("{CARLS}/.Lists.Box");
    let mut shared = Vec::new();
    for (maildir, uid) in [
        (ANNS, ANN),
        ("bert/Maildir", BERT),
        (CARLS, VMAIL),
        (&boxes, VMAIL),
        (DORAS, VMAIL),
    ] {
        let [file] = mail(&hall, maildir).try_into().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with(
                "Return-Path: <sender@remote.test>\nReceived: from client.test\n\tby "
            )
        );
        assert!(!text.contains("Delivered-To") && !text.contains("\tfor "));
        assert_eq!(without_trace(&file), "Subject: all\n\n.dot\n");
        let stat = fs::metadata(&file).unwrap();
        assert_eq!((stat.uid(), stat.mode() & 0o777), (uid, 0o600), "{maildir}");
        assert_eq!(stat.nlink(), if uid == VMAIL { 3 } else { 1 });
        if uid == VMAIL {
            shared.push(stat.ino());
        }
    }
    shared.dedup();
    assert_eq!(shared.len(), 1);
    // One alone is told who it was for.
    mta.bring(&["Dora+none@example.org"], "Subject: one\r\n\r\n");
    let files = mail(&hall, DORAS);
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let to = "Return-Path: <sender@remote.test>\nDelivered-To: Dora+none@example.org\nReceived: ";
    assert!(
        texts
            .into_iter()
            .any(|text| text.starts_with(to) && text.contains("\n\tfor <Dora+none@example.org>; "))
    );
    assert_eq!(mta.say("QUIT"), "221 2.0.0 Bye");
    assert!(mta.is_over());
}

#[test]
fn who_is_in_idle_hears_it() {
    let Some(hall) = Hall::open() else { return };
    let mut client = hall.client("ann");
    client.ok("SELECT INBOX");
    client.send(b"a IDLE\r\n");
    assert!(client.line().starts_with(b"+ "));
    let mut mta = Mta::open(&hall);
    mta.bring(&["ann"], "Subject: x\r\n\r\ny\r\n");
    assert_eq!(client.line(), b"* 1 EXISTS");
}

#[test]
fn whoever_is_full_gets_nothing_and_the_others_do() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    let full = "full@example.org";
    let over = format!("552 5.2.2 <{full}> Quota exceeded (mailbox for user is full)");
    let text = format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(400));
    assert_eq!(
        mta.bring(&[full], &text),
        [format!("250 2.0.0 <{full}> Saved")]
    );
    let replies = mta.bring(&[full, "carl@example.org"], &text);
    assert_eq!(
        replies,
        [over, "250 2.0.0 <carl@example.org> Saved".to_owned()]
    );
    assert_eq!(mail(&hall, "vmail/example.org/full/Maildir").len(), 1);
    let quota = hall.client(full).ok("GETQUOTAROOT INBOX");
    assert!(
        quota.iter().any(|line| line.contains("(STORAGE 1 ")),
        "{quota:?}"
    );
    // What is in the way is no longer there.
    let mut client = hall.client(full);
    client.ok("SELECT INBOX");
    client.ok("STORE 1 FLAGS (\\Deleted)");
    client.ok("EXPUNGE");
    assert_eq!(
        mta.bring(&[full], &text),
        [format!("250 2.0.0 <{full}> Saved")]
    );
}

#[test]
fn a_full_disk_is_its_owners_and_for_a_while() {
    let before =
        format!("mount -t tmpfs -o size=500k,mode=0700,uid={ANN},gid={ANN} tmpfs HOME/ann");
    let source = "kind = \"passwd-file\"\npath = \"HOME/users\"\n";
    let Some(hall) = Hall::with(source, &before) else {
        return;
    };
    let mut mta = Mta::open(&hall);
    let text = format!("Subject: x\r\n\r\n{}", "y\r\n".repeat(400_000));
    let full = "452 4.3.1 <ann> Out of disk space";
    assert_eq!(
        mta.bring(&["ann", "bert"], &text),
        [full, "250 2.0.0 <bert> Saved"]
    );
    // Of those on one disk only one has tried it, whichever it is: nothing is claimed of the other.
    let replies = mta.bring(&["ann", "ann+x"], &text);
    let tried = |reply: &&String| reply.starts_with("452 4.3.1 ");
    let others = |reply: &&String| reply.starts_with("451 4.2.0 ");
    assert_eq!(replies.iter().filter(tried).count(), 1, "{replies:?}");
    assert_eq!(replies.iter().filter(others).count(), 1, "{replies:?}");
    let small = mta.bring(&["ann"], "Subject: x\r\n\r\n");
    assert_eq!(small, ["250 2.0.0 <ann> Saved"]);
    let mut client = hall.client("ann");
    assert!(client.ok("SELECT INBOX").contains(&"* 1 EXISTS".to_owned()));
}

#[test]
fn a_mailbox_that_cannot_be_written_is_its_owners_trouble() {
    let Some(hall) = Hall::open() else { return };
    let (carl, dora) = ("carl@example.org", "dora@example.org");
    let mut mta = Mta::open(&hall);
    mta.bring(&[carl, dora], "Subject: x\r\n\r\n");
    let later = format!("451 4.3.0 <{carl}> Temporary internal error");
    for sub in ["tmp", "new"] {
        let closed = hall.at(CARLS).join(sub);
        fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
        mta.say("MAIL FROM:<sender@remote.test> SIZE=1000");
        assert_eq!(mta.say(&format!("RCPT TO:<{carl}>")), later, "{sub}");
        mta.say("RSET");
        let replies = mta.bring(&[dora], "Subject: x\r\n\r\n");
        assert_eq!(replies, [format!("250 2.0.0 <{dora}> Saved")]);
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    }
    // One that becomes so after that.
    mta.envelope(&[dora, carl, dora]);
    let closed = hall.at(CARLS).join("new");
    fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
    mta.say("DATA");
    mta.send(b"Subject: x\r\n\r\n.\r\n");
    let saved = format!("250 2.0.0 <{dora}> Saved");
    let later = format!("451 4.2.0 <{carl}> Temporary internal error");
    assert_eq!(
        [(); 3].map(|()| mta.outcome()),
        [saved.clone(), later, saved]
    );
    assert_eq!(mail(&hall, DORAS).len(), 5);
}

#[test]
fn a_quota_that_is_changed_holds_at_once() {
    let Some(hall) = Hall::open() else { return };
    let full = "full@example.org";
    let mut client = hall.client(full);
    let text = format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(400));
    let mut mta = Mta::open(&hall);
    let first = mta.bring(&[full], &text);
    assert_eq!(first, [format!("250 2.0.0 <{full}> Saved")]);
    let users = fs::read_to_string(hall.at("users")).unwrap();
    fs::write(hall.at("users"), users.replace("bytes=1000", "bytes=1M")).unwrap();
    let mut last = Vec::new();
    wait_until("the new limit", || {
        last = mta.bring(&[full], &text);
        last[0].ends_with("Saved")
    });
    let quota = client.ok("GETQUOTAROOT INBOX");
    assert!(
        quota.iter().any(|line| line.contains(" 1024)")),
        "{quota:?}"
    );
}

#[test]
fn many_at_once_bring_each_message_once() {
    let Some(hall) = Hall::open() else { return };
    let mut client = hall.client("ann");
    client.ok("SELECT INBOX");
    let all = ["ann", "carl@example.org", "dora@example.org"];
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let hall = &hall;
            scope.spawn(move || {
                let mut mta = Mta::open(hall);
                for number in 0..10 {
                    let text = format!("Subject: {thread}-{number}\r\n\r\n");
                    let replies = mta.bring(&all, &text);
                    assert_eq!(replies, all.map(|to| format!("250 2.0.0 <{to}> Saved")));
                }
            });
        }
    });
    for (user, maildir) in [(all[0], ANNS), (all[1], CARLS), (all[2], DORAS)] {
        let mut client = hall.client(user);
        let told = client.ok("SELECT INBOX");
        assert!(told.contains(&"* 80 EXISTS".to_owned()), "{user}: {told:?}");
        let mut texts: Vec<String> = mail(&hall, maildir)
            .iter()
            .map(|file| without_trace(file))
            .collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 80, "{user}");
    }
}

#[test]
fn mail_that_cannot_be_written_comes_again() {
    let Some(hall) = Hall::open() else { return };
    fs::write(hall.at("ann/Maildir"), "no directory").unwrap();
    let mut mta = Mta::open(&hall);
    assert_eq!(mta.say("MAIL FROM:<>"), "250 2.1.0 OK");
    assert_eq!(
        mta.say("RCPT TO:<ann>"),
        "451 4.3.0 <ann> Temporary internal error"
    );
    // Whom the system's own uid belongs to gets none here, and it may be otherwise later.
    assert_eq!(
        mta.say("RCPT TO:<daemon>"),
        "451 4.3.0 <daemon> Temporary internal error"
    );
    fs::remove_file(hall.at("ann/Maildir")).unwrap();
    assert_eq!(mta.say("RCPT TO:<ann>"), "250 2.1.5 OK");
}

#[test]
fn names_lead_nowhere_but_to_users() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    mta.say("MAIL FROM:<a@b>");
    for name in [
        "../x",
        "../ann/Maildir",
        "%2fetc",
        "..%2fann",
        "ann/../bert",
        "carl@../example.org",
        "carl@example.org/../..",
        ".",
        "\"../x\"",
        "ann\\",
        "root",
    ] {
        let reply = mta.say(&format!("RCPT TO:<{name}>"));
        assert!(reply.starts_with("550 5.1.1 "), "{name}: {reply}");
    }
    for line in ["RCPT TO:<a\0nn>", "RCPT TO:<ann\u{7f}>", "RCPT TO:<an\rn>"] {
        assert_eq!(
            mta.say(line),
            "500 5.5.2 Invalid command syntax",
            "{line:?}"
        );
    }
    for name in [&b"an\xff"[..], b"\xffann", b"ann\xf6@example.org"].repeat(4) {
        mta.send(&[b"RCPT TO:<", name, b">\r\n"].concat());
        let reply = mta.reply();
        assert!(reply.starts_with("550 5.1.1 <"), "{name:?}: {reply}");
    }
    mta.say("RSET");
    for name in [
        "ann+../x",
        "ann+../../bert/Maildir",
        "ann+/etc",
        "ann+%2fetc",
        "ann+.",
        "ann+cur",
    ] {
        let replies = mta.bring(&[name], "Subject: x\r\n\r\n");
        assert_eq!(replies, [format!("250 2.0.0 <{name}> Saved")]);
    }
    assert_eq!(mail(&hall, ANNS).len(), 6);
    assert!(!hall.at("x").exists() && !hall.at("ann/x").exists());
}

#[test]
fn one_message_is_one_message() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r"] {
        let before = mail(&hall, ANNS).len();
        let text = format!(
            "Subject: x\r\n\r\na{end}MAIL FROM:<evil@x>\r\nRCPT TO:<bert>\r\nDATA\r\nSubject: y\r\n\r\n"
        );
        assert_eq!(mta.bring(&["ann"], &text), ["250 2.0.0 <ann> Saved"]);
        assert_eq!(mta.say("NOOP"), "250 2.0.0 OK");
        assert_eq!(mail(&hall, ANNS).len(), before + 1, "{end:?}");
    }
    assert!(!hall.at("bert/Maildir").exists());
}

/// How much the manual says of something.
fn stated(what: &str) -> usize {
    let manual = include_str!("../../man/culver.1");
    let line = manual
        .lines()
        .find(|line| line.contains(&format!("{what} Ta ")));
    line.unwrap().split(" Ta ").nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_the_manual_says_is_too_much_is() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    let longest = stated("octets of a line of LMTP") - "NOOP \r\n".len();
    let noop = |length| format!("NOOP {}", "x".repeat(length));
    assert_eq!(mta.say(&noop(longest)), "250 2.0.0 OK");
    assert_eq!(mta.say(&noop(longest + 1)), "500 5.5.2 Line too long");
    let largest = stated("octets of a message by LMTP");
    let reply = mta.say(&format!("MAIL FROM:<a@b> SIZE={}", largest + 1));
    assert_eq!(reply, "552 5.3.4 Message too large");
    assert_eq!(
        mta.say(&format!("MAIL FROM:<a@b> SIZE={largest}")),
        "250 2.1.0 OK"
    );
    mta.say("RSET");
    mta.envelope(&vec!["ann"; stated("recipients of a message by LMTP")]);
    let reply = mta.say("RCPT TO:<ann>");
    assert_eq!(reply, "452 4.5.3 Too many recipients");
    for _ in 1..stated("wrong lines of LMTP in a row") {
        assert_eq!(mta.say("HELO x"), "500 5.5.1 Unknown command");
    }
    assert!(mta.say("HELO x").starts_with("421 4.7.0 "));
    assert!(mta.is_over());
}

#[test]
fn whom_a_trusted_filter_names_is_in_the_trace() {
    let port = free_port();
    let all = [("listen", "xclient-from = [\"127.0.0.0/30\"]")];
    let hall = Hall::prepared(&all, |home| {
        let file = home.join("culver.toml");
        let text = fs::read_to_string(&file).unwrap();
        let with_port = format!("/lmtp\", \"127.0.0.1:{port}\"]");
        fs::write(&file, text.replace("/lmtp\"]", &with_port)).unwrap();
    });
    let Some(hall) = hall else { return };
    let mut stream = None;
    wait_until("the port of LMTP", || {
        stream = TcpStream::connect(("127.0.0.1", port)).ok();
        stream.is_some()
    });
    let mut stream = stream.unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let said = "LHLO filter.test\r\nXCLIENT ADDR=192.0.2.7 HELO=client.test\r\nLHLO filter.test\r\n\
        MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n.\r\nQUIT\r\n";
    stream.write_all(said.as_bytes()).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.contains("\r\n250-XCLIENT ") && heard.contains(" Saved\r\n221 "));
    let [file] = mail(&hall, ANNS).try_into().unwrap();
    let text = fs::read_to_string(file).unwrap();
    assert!(
        text.contains("\nReceived: from client.test ([192.0.2.7])\n"),
        "{text}"
    );
    wait_until("a line of the log", || {
        hall.log()
            .contains(" client=192.0.2.7 to=\"ann\" from=\"a@b\"")
    });
    // Whoever may connect to a path may be anybody.
    let mut mta = Mta::open(&hall);
    assert!(!mta.say("LHLO x").contains("XCLIENT"));
    let reply = mta.say("XCLIENT ADDR=192.0.2.7");
    assert_eq!(reply, "550 5.7.0 Insufficient authorization");
}

#[test]
fn one_user_of_the_system_leaves_room_for_others() {
    let Some(hall) = Hall::open() else { return };
    let mut mtas = vec![Mta::open(&hall)];
    // Those that were tried before it listened are gone.
    while let Some(mta) = Mta::try_open(&hall.at("lmtp")) {
        mtas.push(mta);
        assert!(mtas.len() <= 100);
    }
    assert_eq!(mtas.len(), 100);
    wait_until("a line of the log", || {
        hall.log().contains("too many connections")
    });
    mtas.pop();
    wait_until("a place", || Mta::try_open(&hall.at("lmtp")).is_some());
}

/// The most memory that a process has had, in KiB.
fn peak(process: &Shown) -> u64 {
    let shown = crate::hall::show(process.pid).unwrap();
    let size = shown.field("VmHWM:").split_whitespace().next().unwrap();
    size.parse().unwrap()
}

#[test]
fn headers_and_lines_without_end_cost_nothing() {
    let Some(hall) = Hall::open() else { return };
    let mut mta = Mta::open(&hall);
    mta.bring(&["ann"], "Subject: x\r\n\r\n");
    let processes = [
        hall.process("culver-lmtp", None).unwrap(),
        hall.process("culver-worker", Some(ANN)).unwrap(),
    ];
    let before: Vec<u64> = processes.iter().map(peak).collect();
    let many = "X-Header: of very many\r\n".repeat(1_000_000);
    let long = format!("Subject: {}\r\n\r\n", "x".repeat(24_000_000));
    for text in [many, long] {
        assert_eq!(mta.bring(&["ann"], &text), ["250 2.0.0 <ann> Saved"]);
    }
    for (process, before) in processes.iter().zip(before) {
        let grown = peak(process) - before;
        assert!(grown < 8 << 10, "{process:?}: {grown} KiB");
    }
}
