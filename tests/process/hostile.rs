//! What has brought other mail servers down before login, and whose mail a name or a link leads to. Each of these wounds
//! has a test, some of them elsewhere:
//!
//! | wound | test |
//! |---|---|
//! | commands in clear behind STARTTLS are carried out under TLS | `tests/imap/hostile.rs`: `nothing_sent_before_tls_counts_after_it`; `tests/imap/starttls.rs`: `bytes_in_the_clear_behind_starttls_end_the_connection` |
//! | what was said before TLS counts after it; responses in clear are taken for those under TLS | `tests/imap/starttls.rs`: `what_was_said_before_tls_is_forgotten`; here: `nothing_is_said_in_clear_behind_the_ok_to_starttls` |
//! | a PROXY header from anybody | `proxied.rs`: `a_proxy_has_to_say_whose_it_is_and_nobody_else_may` |
//! | literals: huge, many, endless, of impossible sizes | `tests/imap/rfc7888.rs`: `strangers_have_4096_octets`; `tests/imap/malformed/literals.rs`; here: `literals_without_end_cost_a_stranger_the_connection_and_the_server_nothing` |
//! | parentheses without end | here: `parentheses_are_counted_before_login` |
//! | lines without end | `src/session/cut/tests.rs`: `an_endless_line_costs_no_memory`; here, as above |
//! | logins pipelined behind each other | here: `of_logins_in_one_packet_the_first_that_is_good_counts` |
//! | names of users that become paths | `tests/imap/hostile.rs`: `names_of_users_are_data`; here: `no_name_of_a_user_leads_out_of_the_place_for_homes` |
//! | Maildirs, `cur` and messages that are links to another's | `mail.rs`: `mail_behind_a_link_is_served_by_a_worker_of_its_own`; here: `links_lead_to_nobody_elses_mail` |
//! | mailboxes that are links | `tests/imap/hostile.rs`: `names_of_mailboxes_lead_nowhere_else` |
//! | idle connections, handshakes begun and given up | `strangers.rs` |
//! | secrets in the log | `tests/imap/hostile.rs`: `a_secret_never_reaches_the_log` |

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, lchown, symlink};
use std::path::Path;

use crate::hall::{ANN, Hall, VMAIL};
use crate::harness::message;

/// The memory of a process, in KiB.
fn memory(hall: &Hall, name: &str) -> u64 {
    let shown = hall.process(name, None).unwrap();
    let field = shown.field("VmRSS:");
    field.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn nothing_is_said_in_clear_behind_the_ok_to_starttls() {
    let Some(hall) = Hall::open() else { return };
    // CVE-2020-15685 and its kin: what a server, or somebody between, says there is taken for something under TLS.
    let mut client = hall.stranger();
    client.send(b"a STARTTLS\r\n");
    assert!(client.line().starts_with(b"a OK"));
    let mut socket = client.socket();
    socket
        .set_read_timeout(Some(std::time::Duration::from_millis(300)))
        .unwrap();
    let said = socket.read(&mut [0]);
    assert!(said.is_err(), "silence until the handshake: {said:?}");
    socket
        .set_read_timeout(Some(crate::harness::PATIENCE))
        .unwrap();
    client.secure(&[&rustls::version::TLS13]);
    // No second greeting (RFC 3501 §6.2.1).
    assert!(client.ok("CAPABILITY")[0].starts_with("* CAPABILITY "));
}

#[test]
fn literals_without_end_cost_a_stranger_the_connection_and_the_server_nothing() {
    let Some(hall) = Hall::open() else { return };
    drop(hall.client("ann"));
    let before = memory(&hall, "culver-login");
    let piece = vec![b'x'; 64 << 10];
    for begin in [
        &b"a LOGIN {4294967295+}\r\n"[..],
        b"a LOGIN {99999999999999999999+}\r\n",
        b"a LOGIN u {2000000000}\r\n",
        b"a AUTHENTICATE PLAIN {1000000000+}\r\n",
        b"a AUTHENTICATE PLAIN\r\n",
        b"a NOOP ",
    ] {
        let mut client = hall.stranger();
        client.doomed = true;
        client.send(begin);
        // 8 MiB, or until it is closed.
        for _ in 0..128 {
            if client.try_send(&piece).is_err() {
                break;
            }
        }
        client.hang_up();
        let said = client.rest();
        assert!(
            !said.iter().any(|line| line.starts_with("a OK")),
            "{begin:?}: {said:?}"
        );
    }
    let grown = memory(&hall, "culver-login").saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB");
    hall.client("ann").ok("NOOP");
}

#[test]
fn parentheses_are_counted_before_login() {
    let Some(hall) = Hall::open() else { return };
    // CVE-2026-27857: each was room in memory for ever.
    for command in ["LOGIN", "ID", "SEARCH", "NOOP", "AUTHENTICATE", "STARTTLS"] {
        let mut client = hall.stranger();
        client.doomed = true;
        client.send(format!("a {command} {}\r\n", "(".repeat(100_000)).as_bytes());
        let reply = client.next_line().unwrap();
        assert!(reply.starts_with(b"* BYE [TOOBIG]"), "{command}");
        let mut client = hall.stranger();
        let short = format!("b {command} {}\r\n", "(".repeat(7000));
        client.send(short.as_bytes());
        assert!(client.next_line().unwrap().starts_with(b"b BAD"));
    }
    hall.client("ann").ok("NOOP");
}

#[test]
fn of_logins_in_one_packet_the_first_that_is_good_counts() {
    let Some(hall) = Hall::open() else { return };
    hall.client("ann").append("INBOX", "", &message("ann"));
    hall.client("bert").append("INBOX", "", &message("bert"));
    let mut client = hall.stranger();
    client.send(
        b"a LOGIN bert wrong\r\nb LOGIN ann p\r\nc LOGIN bert p\r\n\
          d AUTHENTICATE PLAIN AGJlcnQAcA==\r\ne EXAMINE INBOX\r\nf FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]\r\n",
    );
    assert!(client.until_tagged("a").tagged.starts_with("NO"));
    assert!(client.until_tagged("b").tagged.starts_with("OK"));
    assert!(client.until_tagged("c").tagged.starts_with("BAD"));
    assert!(client.until_tagged("d").tagged.starts_with("BAD"));
    assert!(client.until_tagged("e").tagged.starts_with("OK"));
    let fetched = client.until_tagged("f");
    let text = fetched.untagged.concat();
    assert!(text.windows(12).any(|part| part == b"Subject: ann"));
}

/// All that is below a directory.
fn names(directory: &Path) -> Vec<String> {
    let found = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = found
        .map(|entry| entry.unwrap())
        // The sockets for MTAs and their directory, which are made beside.
        .filter(|entry| {
            entry.file_name() != "spool" && !entry.file_type().is_ok_and(|kind| kind.is_socket())
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn no_name_of_a_user_leads_out_of_the_place_for_homes() {
    // Every name has this password, so nothing but the name itself is in the way.
    let Some(hall) = Hall::with("kind = \"static\"\npassword = \"p\"\n", "") else {
        return;
    };
    let before = names(hall.home.path());
    let long = "x".repeat(300);
    let deep = ["..", "ann"].join("/");
    for name in [
        "../ann",
        "../../ann",
        &deep,
        "..",
        ".",
        "/etc",
        "a/b",
        "a/../../ann",
        "..%2fann",
        "%2e%2e%2fann",
        "%u",
        "%{user}",
        "~root",
        "..\\ann",
        ".hidden",
        "a..b",
        "carl@..",
        "carl@../..",
        "..@example.org",
        "carl@/etc",
        "carl@example.org/../../ann",
        "a\nb",
        "a\rb",
        "a\tb",
        "a b",
        " ",
        "",
        "a\u{7f}",
        "\u{2025}",
        "a*b",
        &long,
    ] {
        let mut client = hall.stranger();
        let size = name.len();
        client.send(format!("a LOGIN {{{size}+}}\r\n{name} p\r\n").as_bytes());
        let reply = client.until_tagged("a").tagged;
        assert!(
            reply.starts_with("NO ") || reply.starts_with("BAD"),
            "{name:?}: {reply}"
        );
        let plain = format!("\0{name}\0p");
        let plain = base64_simd::STANDARD.encode_to_string(plain);
        let mut client = hall.stranger();
        client.send(format!("a AUTHENTICATE PLAIN {plain}\r\n").as_bytes());
        let reply = client.until_tagged("a").tagged;
        assert!(reply.starts_with("NO "), "{name:?}: {reply}");
    }
    // No octet is cut off: what comes behind NUL is no smaller name.
    let mut client = hall.stranger();
    client.send(b"a LOGIN {6+}\r\ncarl\0x p\r\n");
    assert!(client.until_tagged("a").tagged.starts_with("BAD"));
    assert_eq!(names(hall.home.path()), before);
    assert!(names(&hall.at("vmail")).is_empty());
    for user in ["ann", "bert"] {
        assert!(names(&hall.at(user)).is_empty(), "{user}");
    }
    let log = hall.log();
    assert!(log.lines().all(|line| !line.chars().any(char::is_control)));
    // A name that is one has a home where homes are.
    hall.client("carl@example.org").ok("SELECT INBOX");
    assert_eq!(names(&hall.at("vmail")), ["example.org"]);
}

#[test]
fn links_lead_to_nobody_elses_mail() {
    let Some(hall) = Hall::open() else { return };
    for user in ["bert", "dora@example.org"] {
        hall.client(user).append("INBOX", "", &message("private"));
    }
    let swap = |link: &Path, target: &Path, owner: u32| {
        let _ = fs::remove_dir_all(link);
        symlink(target, link).unwrap();
        lchown(link, Some(owner), Some(owner)).unwrap();
    };
    let shown = |user: &str| {
        let mut client = hall.stranger();
        client.doomed = true;
        let mut heard = Vec::new();
        for command in [
            &format!("LOGIN {user} p"),
            "SELECT INBOX",
            "FETCH 1:* (UID BODY.PEEK[])",
            "SELECT Planted",
            "FETCH 1:* (UID BODY.PEEK[])",
        ] {
            let Some(reply) = client.try_run(command) else {
                break;
            };
            heard.push(format!("{reply:?}"));
        }
        heard.concat()
    };
    // Another user of the system: the rights of the one who logs in end there.
    let bert = hall.at("bert/Maildir");
    hall.client("ann").ok("CREATE Planted");
    for (link, target) in [
        ("ann/Maildir/cur", bert.join("cur")),
        ("ann/Maildir/new", bert.join("new")),
        ("ann/Maildir/.Planted", bert.clone()),
        ("ann/Maildir", bert.clone()),
    ] {
        swap(&hall.at(link), &target, ANN);
        let heard = shown("ann");
        assert!(!heard.contains("private"), "{link}: {heard}");
    }
    // Another virtual user of the same uid: a link out of the user's own mail is not followed.
    let dora = hall.at("vmail/example.org/dora/Maildir");
    hall.client("carl@example.org").ok("CREATE Planted");
    for (link, target) in [
        ("cur", dora.join("cur")),
        ("new", dora.join("new")),
        (".Planted", dora.clone()),
    ] {
        let link = hall.at("vmail/example.org/carl/Maildir").join(link);
        swap(&link, &target, VMAIL);
        let heard = shown("carl@example.org");
        assert!(!heard.contains("private"), "{}: {heard}", link.display());
        fs::remove_file(&link).unwrap();
    }
    // A single message that is a link.
    hall.client("emil@example.net").ok("SELECT INBOX");
    let new = hall.at("vmail/example.net/emil/Maildir/new");
    for directory in ["cur", "new"] {
        for entry in fs::read_dir(dora.join(directory)).unwrap() {
            symlink(entry.unwrap().path(), new.join("1.planted")).unwrap();
        }
    }
    let heard = shown("emil@example.net");
    assert!(!heard.contains("private"), "{heard}");
}
