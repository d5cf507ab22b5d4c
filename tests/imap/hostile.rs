//! Hostile input: what has brought other mail servers down is refused, bounded or plain data here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Client, Kind, Maildir, Server, Setup};

fn culver(maildir: &Arc<Maildir>) -> Server {
    Setup::new(Kind::Culver).start(maildir)
}

/// Runs a command and gives how much the server's memory grew at its highest, in octets.
fn growth(server: &Server, c: &mut Client, command: &str) -> u64 {
    let pid = server.pid();
    // 5: the highest so far is forgotten (proc(5)).
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    let before = server.memory_now();
    c.ok(command);
    server.peak_memory().saturating_sub(before)
}

const MOST: u64 = 64 << 20;

#[test]
fn nothing_sent_before_tls_counts_after_it() {
    let server = culver(&Arc::new(Maildir::new()));
    for ahead in ["b NOOP\r\n", " ", "\r\n", "\u{16}\u{3}\u{1}"] {
        let mut c = server.connect();
        c.send(format!("a STARTTLS\r\n{ahead}").as_bytes());
        assert_eq!(c.rest(), ["* BYE"], "{ahead:?}");
    }
    // In two segments: either it is seen in time, or it is no TLS.
    let mut c = server.connect();
    c.send(b"a STARTTLS\r");
    c.send(b"\n");
    c.send(b"b LOGIN u p\r\n");
    c.doomed = true;
    let mut heard = Vec::new();
    use std::io::Read;
    let mut socket = c.socket();
    let _ = socket.read_to_end(&mut heard);
    let heard = String::from_utf8_lossy(&heard);
    assert!(
        !heard.contains("b OK") && !heard.contains("b NO"),
        "{heard}"
    );
}

#[test]
fn only_configured_mechanisms_are_offered_and_taken() {
    let setup = Setup::new(Kind::Culver).settings("[auth]\nmechanisms = [\"PLAIN\"]\n");
    let server = setup.start(&Arc::new(Maildir::new()));
    let mut c = Client::open(server.imap, Kind::Culver);
    let greeting = c.greeting();
    assert!(greeting.contains("AUTH=PLAIN") && !greeting.contains("AUTH=LOGIN"));
    assert!(!c.ok("CAPABILITY")[0].contains("AUTH=LOGIN"));
    assert!(c.run("AUTHENTICATE LOGIN dQ==").tagged.starts_with("NO"));
    c.ok("AUTHENTICATE PLAIN AHUAcA==");
}

#[test]
fn a_secret_never_reaches_the_log() {
    let maildir = Arc::new(Maildir::new());
    let server = culver(&maildir);
    for line in [
        "a LOGIN u zqsecretqz\r\n",
        "a LOGIN zqother {11+}\r\nzqsecretqz \r\n",
        "a LOGIN zqsecretqz\r\n",
        "zqsecretqz\r\n",
        "a AUTHENTICATE PLAIN AHUAenFzZWNyZXRxeg==\r\n",
        "a AUTHENTICATE LOGIN dQ==\r\nenFzZWNyZXRxeg==\r\n",
    ] {
        let mut c = server.connect();
        c.send(line.as_bytes());
        c.hang_up();
        c.doomed = true;
        c.rest();
    }
    drop(server.client());
    let log = server.log();
    assert!(log.contains("invalid credentials"), "{log}");
    assert!(
        !log.contains("secretqz") && !log.contains("FzZWNyZXR"),
        "{log}"
    );
    assert!(log.lines().all(|line| !line.chars().any(char::is_control)));
}

#[test]
fn names_of_users_are_data() {
    let server = culver(&Arc::new(Maildir::new()));
    let names = [
        "../u",
        "%{user}",
        "u ",
        "u/../u",
        "{3+}\r\nu\nu",
        "{2+}\r\n\u{fe}",
    ];
    let mut waiting = Vec::new();
    for name in names {
        let mut c = server.connect();
        let name = match name.starts_with('{') {
            true => name.to_owned(),
            false => format!("\"{name}\""),
        };
        c.send(format!("a LOGIN {name} p\r\n").as_bytes());
        waiting.push(c);
    }
    for mut c in waiting {
        let reply = c.until_tagged("a");
        assert!(!reply.tagged.starts_with("OK"), "{reply:?}");
    }
}

#[test]
fn names_of_mailboxes_lead_nowhere_else() {
    let maildir = Arc::new(Maildir::new());
    let server = culver(&maildir);
    let mut c = server.client();
    let outside = maildir.home().join("outside");
    std::fs::create_dir_all(outside.join("cur")).unwrap();
    std::os::unix::fs::symlink(&outside, maildir.path().join(".Planted")).unwrap();
    let long = "x".repeat(4096);
    let deep = ["a"; 200].join(".");
    for name in [
        "../outside",
        "/etc",
        "~root",
        "a//b",
        ".",
        "..",
        "...",
        ".a",
        "a..b",
        "\"&AC8-\"",
        "\"&AC4-.\"",
        "\"&AGE-\"",
        "\"&\"",
        "\"&Jjo!\"",
        "\"a&AAo-b\"",
        "\"a&AAA-b\"",
        &long,
        &deep,
    ] {
        for command in [
            format!("CREATE {name}"),
            format!("SELECT {name}"),
            format!("STATUS {name} (MESSAGES)"),
            format!("SUBSCRIBE {name}"),
            format!("DELETE {name}"),
            format!("RENAME INBOX {name}"),
        ] {
            let outcome = c.outcome(&command);
            assert!(
                outcome.starts_with("NO [CANNOT]"),
                "{command:.60}: {outcome}"
            );
        }
    }
    for command in [
        "SELECT Planted",
        "STATUS Planted (MESSAGES)",
        "DELETE Planted",
    ] {
        assert_eq!(c.outcome(command), "NO [NONEXISTENT]");
    }
    assert!(
        !c.ok("LIST \"\" *")
            .iter()
            .any(|line| line.contains("Planted"))
    );
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "untouched");
}

#[test]
fn sets_and_patterns_cost_what_the_mailbox_costs() {
    let maildir = Arc::new(Maildir::new());
    for count in 0..20 {
        maildir.place("INBOX", "cur", &format!("{count}.a:2,S"), b"Subject: x\n\n");
    }
    let server = culver(&maildir);
    let mut c = server.selected("INBOX");
    for count in 0..20 {
        c.ok(&format!("CREATE {}{count}", "a".repeat(60)));
    }
    let begun = Instant::now();
    let set = ["1:*"; 15_000].join(",");
    assert_eq!(c.ok(&format!("FETCH {set} UID")).len(), 20);
    assert_eq!(c.ok(&format!("UID FETCH {set} UID")).len(), 20);
    assert_eq!(c.ok("UID FETCH 4294967295:1 UID").len(), 20);
    assert_eq!(c.ok("FETCH *:* UID").len(), 1);
    for set in ["0", "4294967296", "1:2:3", ",", "1,", "-1", "1:0"] {
        c.bad(&format!("UID FETCH {set} UID"));
    }
    for pattern in [
        "*%".repeat(64),
        "*a".repeat(100),
        "%a".repeat(1000),
        "*".repeat(10_000),
    ] {
        c.ok(&format!("LIST \"\" \"{pattern}b\""));
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    for command in [
        format!("SEARCH {}", "ALL ".repeat(2000) + "ALL"),
        format!("SEARCH {}ALL", "NOT ".repeat(40)),
        format!("SEARCH {}ALL", "(".repeat(60_000)),
        format!("FETCH 1 BODY[{}]", ["1"; 1000].join(".")),
        format!("FETCH 1 BODY[HEADER.FIELDS ({})]", ["A"; 2000].join(" ")),
        format!("FETCH 1 ({})", ["UID"; 2000].join(" ")),
        "FETCH 1 BODY[]<0.0>".to_owned(),
        "FETCH 1 BODY[0]".to_owned(),
    ] {
        c.bad(&command);
    }
    let beyond = c.ok("FETCH 1 BODY.PEEK[]<4294967295.4294967295>");
    assert_eq!(beyond.len(), 1);
}

/// Asked a thousand times for one thing, it is given once.
#[test]
fn the_answer_is_bounded_by_the_message_and_not_by_the_command() {
    let maildir = Arc::new(Maildir::new());
    let mut parts = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
    for count in 0..5000 {
        parts += &format!("--b\nContent-Type: text/plain; name=\"file{count}.txt\"\n\nhello\n");
    }
    maildir.place("INBOX", "cur", "1.parts:2,S", parts.as_bytes());
    let nested = (0..20_000)
        .map(|count| format!("Content-Type: multipart/mixed; boundary=b{count}\n\n--b{count}\n"))
        .collect::<String>();
    maildir.place("INBOX", "cur", "2.nested:2,S", nested.as_bytes());
    let server = culver(&maildir);
    let mut c = server.selected("INBOX");
    let many = |item: &str| format!("({})", [item; 500].join(" "));
    for command in [
        format!("FETCH 1:2 {}", many("BODYSTRUCTURE")),
        format!("FETCH 1:2 {}", many("ENVELOPE")),
        "SEARCH BODY nothing".to_owned(),
    ] {
        let grown = growth(&server, &mut c, &command);
        assert!(grown < MOST, "{command:.40}: {grown} octets");
    }
}

#[test]
fn a_header_of_any_length_is_served_in_bounded_memory() {
    let maildir = Arc::new(Maildir::new());
    let line = format!("X-Junk: {}\n", "j".repeat(70));
    let text = format!("Subject: x\n{}\nbody\n", line.repeat(300_000));
    maildir.place("INBOX", "cur", "1.header:2,S", text.as_bytes());
    drop(text);
    let server = culver(&maildir);
    let mut c = server.selected("INBOX");
    for items in [
        "BODY.PEEK[HEADER.FIELDS (X-JUNK)]",
        "(BODY.PEEK[HEADER.FIELDS (X-JUNK)] BODY.PEEK[HEADER.FIELDS (X-JUNK A)] \
         BODY.PEEK[HEADER.FIELDS.NOT (B)] BODY.PEEK[HEADER.FIELDS.NOT (C)])",
        "ENVELOPE",
        "BODY.PEEK[HEADER.FIELDS (X-JUNK)]<1000.1000>",
    ] {
        let grown = growth(&server, &mut c, &format!("FETCH 1 {items}"));
        assert!(grown < MOST, "{items}: {grown} octets");
    }
}
