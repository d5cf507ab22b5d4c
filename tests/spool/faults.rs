//! Faults of the machine: a disk without room, calls that fail, files that may not be read, descriptors that
//! run out, clients that stop in the midst. Each is told, changes nothing by halves, and passes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::maildir::own;
use crate::harness::server::mail_uid;
use crate::harness::{Client, Kind, Maildir, Server, Setup, have, is_root, message, wait_until};

/// A Maildir on a file system of its own; `None`, with a line, where none may be mounted.
fn small_disk(options: &str) -> Option<(Arc<Maildir>, Unmount)> {
    if !is_root() || !have("mount") {
        println!("skipped: only root can mount a small file system");
        return None;
    }
    let maildir = Arc::new(Maildir::absent());
    fs::create_dir(maildir.path()).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "none"])
        .arg(maildir.path())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    if !mounted.success() {
        println!("skipped: this container may not mount");
        return None;
    }
    let unmount = Unmount(maildir.path().to_owned());
    for sub in ["cur", "new", "tmp"] {
        fs::create_dir(maildir.path().join(sub)).unwrap();
    }
    maildir.settle();
    Some((maildir, unmount))
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Makes calls of a running server fail, until it is dropped.
struct Injection(Child);

impl Injection {
    /// As `strace -e inject=` has it; `None`, with a line, where nothing may be traced.
    fn into(server: &Server, calls: &str, what: &str) -> Option<Injection> {
        if server.kind == Kind::Dovecot || !have("strace") {
            return None;
        }
        let pid = server.pid();
        let child = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-p", &pid.to_string()])
            .args(["-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:{what}")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut injection = Injection(child);
        let mut refused = false;
        wait_until("strace to attach", || {
            refused = injection.0.try_wait().unwrap().is_some();
            refused || all_traced(pid)
        });
        if refused {
            println!("skipped: this container may not trace");
            return None;
        }
        Some(injection)
    }
}

/// Whether every thread has a tracer.
fn all_traced(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}

impl Drop for Injection {
    fn drop(&mut self) {
        // SIGKILL would leave the server's threads as they are, but they would be let go all the same.
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.0.wait();
    }
}

/// Every file below the Maildir, sorted.
fn tree(maildir: &Maildir) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![maildir.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

#[track_caller]
fn is_full(tagged: &str) {
    assert!(
        (tagged.starts_with("NO [UNAVAILABLE]") || tagged.starts_with("NO [OVERQUOTA]"))
            && tagged.contains("full"),
        "{tagged}"
    );
}

/// Not even a lock can be made: what needs a file is refused at once, and what makes room is not.
#[test]
fn a_disk_without_inodes_refuses_what_needs_one_and_lets_room_be_made() {
    let Some((maildir, _unmount)) = small_disk("size=4m,nr_inodes=60") else {
        return;
    };
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    c.ok("CREATE Other");
    // By hand, without a uidlist.
    for name in [".Hand", ".Hand/cur", ".Hand/new", ".Hand/tmp"] {
        fs::create_dir(maildir.path().join(name)).unwrap();
        own(&maildir.path().join(name));
    }
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "", &message(subject));
    }
    c.ok("SELECT INBOX");
    let mut fillers = Vec::new();
    loop {
        let path = maildir.path().join(format!("filler{}", fillers.len()));
        match fs::write(&path, b"") {
            Ok(()) => fillers.push(path),
            Err(_) => break,
        }
    }
    let before = tree(&maildir);
    let begun = Instant::now();
    let text = message("four");
    let append = format!("APPEND INBOX {{{}+}}\r\n{text}", text.len());
    let replace = format!("REPLACE 1 INBOX {{{}+}}\r\n{text}", text.len());
    for command in [
        append.as_str(),
        "APPEND INBOX CATENATE (URL ;UID=1)",
        replace.as_str(),
        "REPLACE 1 Other CATENATE (URL ;UID=1)",
        "COPY 1:2 Other",
        "MOVE 1:2 Other",
        "STORE 1 +FLAGS (keyword)",
        "CREATE Third",
        "SUBSCRIBE Other",
        "STATUS Hand (MESSAGES)",
    ] {
        is_full(&c.run(command).tagged);
        // A look in the background may be at it for a moment.
        wait_until(command, || tree(&maildir) == before);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "nothing waits");
    assert_eq!(c.ok("UID SEARCH TEXT Hello"), ["* SEARCH 1 2 3"]);
    c.check(
        "FETCH 1 (UID BODY.PEEK[TEXT])",
        &["* 1 FETCH (UID 1 BODY[TEXT] {8}\r\nHello.\r\n)"],
        "OK",
    );
    c.ok("STORE 2 +FLAGS (\\Deleted)");
    c.check("EXPUNGE", &["* 2 EXPUNGE"], "OK");

    // Mail that comes in the meantime is shown when there is room for its UID.
    fs::remove_file(fillers.pop().unwrap()).unwrap();
    maildir.deliver("INBOX", &message("new"));
    for filler in fillers {
        fs::remove_file(filler).unwrap();
    }
    wait_until("the new message", || {
        c.ok("NOOP");
        c.ok("UID SEARCH ALL") == ["* SEARCH 1 3 4"]
    });
    c.ok("COPY 1 Other");
    c.ok("LOGOUT");
}

/// NO to a CREATE or a RENAME of INBOX means that nothing was made: who tries again when there is room is not told that it
/// is there.
#[test]
fn a_full_disk_leaves_no_mailbox_behind() {
    for (is_fs, deep) in [(false, "A.B.C"), (true, "A/B/C")] {
        let Some((maildir, _unmount)) = small_disk("size=1m") else {
            return;
        };
        let setup = Setup::new(Kind::Culver);
        let server = match is_fs {
            true => setup.fs_layout().start(&maildir),
            false => setup.start(&maildir),
        };
        let mut c = server.client();
        for subject in ["one", "two"] {
            c.append("INBOX", "", &message(subject));
        }
        c.ok("SELECT INBOX");
        let filler = maildir.path().join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        while file.write_all(&[b'x'; 512]).is_ok() {}
        drop(file);
        // The next UIDVALIDITY is another one in any case.
        let left = || {
            let mut tree = tree(&maildir);
            tree.retain(|path| !path.to_string_lossy().contains("dovecot-uidvalidity"));
            tree
        };
        let before = left();
        let deep = format!("CREATE {deep}");
        let commands = [
            "CREATE X",
            "CREATE Y (USE (\\Archive))",
            &deep,
            "RENAME INBOX Old",
        ];
        for command in commands.iter().chain(&commands) {
            is_full(&c.run(command).tagged);
            wait_until(command, || left() == before);
        }
        assert_eq!(c.ok("LIST \"\" *"), c.ok("LIST \"\" INBOX"));
        assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1 2"]);
        fs::remove_file(&filler).unwrap();
        for command in commands {
            c.ok(command);
        }
        let moved = c.ok("STATUS Old (MESSAGES)");
        assert_eq!(moved, ["* STATUS Old (MESSAGES 2)"]);
    }
}

/// What could not be made durable is not there, also after the disk is well again.
#[test]
fn a_sync_that_fails_is_never_ok_and_leaves_the_mailbox_as_it_was() {
    let server = Setup::new(Kind::Culver).start(&Arc::new(Maildir::new()));
    let mut c = server.client();
    c.ok("CREATE Other");
    c.append("Other", "", &message("zero"));
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let text = message("two");
    let append = format!("APPEND INBOX {{{}+}}\r\n{text}", text.len());
    for calls in ["fdatasync", "fsync", "fsync,fdatasync"] {
        let Some(injection) = Injection::into(&server, calls, "error=EIO") else {
            return;
        };
        let outcome = c.outcome(&append);
        assert_eq!(outcome, "NO [SERVERBUG]", "APPEND without {calls}");
        let outcome = c.outcome("COPY 1 Other");
        assert_eq!(outcome, "NO [SERVERBUG]", "COPY without {calls}");
        for mailbox in ["INBOX", "Other"] {
            let replace = format!("REPLACE 1 {mailbox} {{{}+}}\r\n{text}", text.len());
            let outcome = c.outcome(&replace);
            assert_eq!(outcome, "NO [SERVERBUG]", "REPLACE without {calls}");
        }
        drop(injection);
        assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1"]);
        let counted = c.ok("STATUS Other (MESSAGES)");
        assert_eq!(counted, ["* STATUS Other (MESSAGES 1)"]);
        assert_eq!(server.maildir.files("INBOX").len(), 1);
        assert_eq!(server.maildir.files("Other").len(), 1);
    }
    let uid = c.append("INBOX", "", &message("three"));
    assert!(uid > 1);
    c.ok("FETCH 1:* UID");
}

#[test]
fn what_cannot_be_listed_is_not_expunged() {
    let server = Setup::new(Kind::Culver).start(&Arc::new(Maildir::new()));
    let mut c = server.client();
    for subject in ["one", "two", "three"] {
        c.append("INBOX", "(\\Seen) ", &message(subject));
    }
    c.ok("SELECT INBOX");
    let Some(injection) = Injection::into(&server, "getdents64", "error=EIO") else {
        return;
    };
    let base = server.maildir.files("INBOX")[0][4..].to_owned();
    let base = base.split(':').next().unwrap().to_owned();
    server.maildir.reflag("INBOX", &base, "FS");
    for _ in 0..20 {
        let heard = c.ok("NOOP");
        assert!(!heard.iter().any(|line| line.ends_with("EXPUNGE")));
    }
    assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1 2 3"]);
    drop(injection);
    wait_until("the new flag", || {
        c.ok("NOOP");
        c.ok("UID SEARCH FLAGGED") == ["* SEARCH 1"]
    });
    assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1 2 3"]);
}

/// NO, and the rest is answered: no empty message in its place, and no search that passes it over.
#[test]
fn a_message_that_cannot_be_read_is_named() {
    let maildir = Arc::new(Maildir::new());
    let shut = maildir.place("INBOX", "cur", "1.a:2,S", message("one").as_bytes());
    maildir.place("INBOX", "cur", "2.b:2,S", message("two").as_bytes());
    let server = Setup::new(Kind::Culver).start(&maildir);
    if mail_uid() == 0 {
        println!("skipped: the superuser may read everything");
        return;
    }
    let mut c = server.selected("INBOX");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o0)).unwrap();
    c.check(
        "FETCH 1:2 BODY.PEEK[TEXT]",
        &["* 2 FETCH (BODY[TEXT] {8}\r\nHello.\r\n)"],
        "NO [SERVERBUG]",
    );
    c.check("SEARCH TEXT Hello", &["* SEARCH 2"], "NO [SERVERBUG]");
    for command in ["APPEND INBOX", "REPLACE 2 INBOX"] {
        let parts = "URL ;UID=2 URL ;UID=1 TEXT {5+}\r\nhello";
        c.check(
            &format!("{command} CATENATE ({parts})"),
            &[],
            "NO [SERVERBUG]",
        );
    }
    c.check("SEARCH SEEN", &["* SEARCH 1 2"], "OK");
    let dates = c.ok("FETCH 1 INTERNALDATE");
    assert_eq!(dates.len(), 1, "a date needs no reading: {dates:?}");
}

#[test]
fn a_mailbox_that_may_not_be_changed_says_that_it_may_not() {
    if mail_uid() == 0 {
        println!("skipped: the superuser may write everywhere");
        return;
    }
    let maildir = Arc::new(Maildir::new());
    maildir.place("INBOX", "cur", "1.a:2,S", message("one").as_bytes());
    drop(Server::on(&maildir).selected("INBOX"));
    let mode = |bits: u32| {
        for sub in ["", "cur", "new", "tmp"] {
            let path = maildir.path().join(sub);
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        }
    };
    mode(0o500);
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    assert_eq!(c.outcome("SELECT INBOX"), "OK [READ-ONLY]");
    for command in ["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "MOVE 1 INBOX"] {
        assert_eq!(c.outcome(command), "NO [NOPERM]", "{command}");
    }
    mode(0o700);
    // EXAMINE is the client's own wish.
    c.ok("EXAMINE INBOX");
    assert_eq!(c.outcome("EXPUNGE"), "NO");
}

/// A server of its own, started through another program.
struct Bare {
    child: Child,
    address: std::net::SocketAddr,
}

impl Bare {
    /// Nobody reads its log.
    fn start(maildir: &Maildir, through: &[&str]) -> Bare {
        let program = env!("CARGO_BIN_EXE_culver");
        let words = [through, &[program]].concat();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg("serve")
            .arg(maildir.path())
            .args(["--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"])
            .args(["--user", "u", "--password", "p"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut screen = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        let mut octet = [0; 1];
        while !screen.contains("STARTTLS") {
            assert!(stdout.read(&mut octet).unwrap() > 0, "{screen}");
            screen.push(char::from(octet[0]));
        }
        let mut words = screen.split_whitespace();
        words.find(|word| *word == "IMAP");
        let address = words.next().unwrap().parse().unwrap();
        Bare { child, address }
    }

    fn client(&self) -> Client {
        let mut client = Client::open(self.address, Kind::Culver);
        client.greeting();
        client.login();
        client
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        assert!(self.child.wait().unwrap().success());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn descriptors_run_out_and_come_back() {
    if !have("prlimit") {
        return;
    }
    let maildir = Maildir::new();
    let server = Bare::start(&maildir, &["prlimit", "--nofile=48:48"]);
    let mut c = server.client();
    c.append("INBOX", "", &message("one"));
    c.ok("SELECT INBOX");
    let mut crowd = Vec::new();
    let mut refused = 0;
    while refused < 3 {
        assert!(crowd.len() < 60, "the limit was not reached");
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let mut heard = [0; 200];
        match stream.read(&mut heard) {
            Ok(count) if heard[..count].starts_with(b"* OK") => {}
            Ok(count) => {
                assert!(count == 0 || heard.starts_with(b"* BYE"));
                refused += 1;
            }
            Err(_) => refused += 1,
        }
        crowd.push(stream);
    }
    // Sessions that are there go on.
    for _ in 0..10 {
        c.ok("NOOP");
    }
    assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1"]);
    drop(crowd);
    let begun = Instant::now();
    let mut again = server.client();
    assert!(begun.elapsed() < Duration::from_secs(2));
    again.ok("SELECT INBOX");
    c.append("INBOX", "", &message("two"));
    server.stop();
}

/// A message of this many octets with LF line ends.
fn place_large(maildir: &Maildir, name: &str, octets: usize) {
    let line = [&[b'x'; 79][..], b"\n"].concat();
    let text = [b"Subject: large\n\n".as_slice(), &line.repeat(octets / 80)].concat();
    maildir.place("INBOX", "cur", name, &text);
}

#[test]
fn clients_that_stop_in_the_midst_leave_nothing_behind() {
    let maildir = Arc::new(Maildir::new());
    place_large(&maildir, "1.large:2,S", 30 << 20);
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.selected("INBOX");
    let before = server.memory_now();
    for _ in 0..8 {
        let mut reader = server.selected("INBOX");
        reader.send(b"f FETCH 1 BODY.PEEK[]\r\n");
        let mut some = [0; 10_000];
        reader.socket().read_exact(&mut some).unwrap();
        let mut writer = server.client();
        writer.send(b"a APPEND INBOX {1000000}\r\n");
        assert!(writer.line().starts_with(b"+"));
        writer.send(&[b'x'; 300_000]);
    }
    let left = || fs::read_dir(maildir.path().join("tmp")).unwrap().count();
    wait_until("the temporary files to go", || left() == 0);
    assert_eq!(c.ok("UID SEARCH ALL"), ["* SEARCH 1"]);
    let grown = server.memory_now().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} octets more");
}

/// Clients that read nothing are cut off, and the rest hears BYE, all within ten seconds.
#[test]
fn stopping_waits_for_nobody_who_does_not_read() {
    let maildir = Arc::new(Maildir::new());
    place_large(&maildir, "1.large:2,S", 30 << 20);
    let mut server = Setup::new(Kind::Culver).start(&maildir);
    let mut stuck = Vec::new();
    let mut appending = Vec::new();
    let mut idling = Vec::new();
    for count in 0..7 {
        let mut c = server.selected("INBOX");
        c.send(b"f FETCH 1 BODY.PEEK[]\r\n");
        stuck.push(c);
        let mut c = server.client();
        c.send(b"a APPEND INBOX {1000}\r\n");
        assert!(c.line().starts_with(b"+"));
        c.send(&vec![b'x'; count * 160]);
        appending.push(c);
        let mut c = server.selected("INBOX");
        c.send(b"i IDLE\r\n");
        assert!(c.line().starts_with(b"+"));
        idling.push(c);
    }
    let begun = Instant::now();
    server.terminate();
    for c in appending.iter_mut().chain(&mut idling) {
        assert!(c.rest().last().is_some_and(|line| line == "* BYE"));
    }
    assert!(server.wait().success());
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(maildir.files("INBOX").len(), 1);
    assert_eq!(fs::read_dir(maildir.path().join("tmp")).unwrap().count(), 0);
    drop(stuck);
}

/// More lines than a pipe holds, and than are kept for it.
#[test]
fn nobody_waits_for_the_log() {
    let maildir = Maildir::new();
    let server = Bare::start(&maildir, &[]);
    for _ in 0..1500 {
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        stream.write_all(b"a LOGIN u p\r\nb LOGOUT\r\n").unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert!(heard.contains("b OK"), "{heard}");
    }
    server.stop();
}
