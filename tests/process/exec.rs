//! Programs that know users (checkpassword), and the socket on which others ask what is known of them.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::hall::{ANN, BERT, Hall, children, show};
use crate::harness::server::culver_program;
use crate::harness::{is_root, wait_until};

/// A program that knows `ann`, by the password `right`. With others it does what programs should not.
pub fn before() -> String {
    format!(
        r#"cat > HOME/check <<'END'
#!/bin/sh
exec 2>/dev/null
IFS= read -r said <<MESSAGE
$(tr '\0' '|' <&3)
MESSAGE
id -u > HOME/spool/as
echo "$SERVICE $TCPREMOTEIP $said" >> HOME/spool/asked
case "$said" in
    ann\|\|*) [ "$AUTHORIZED" = 1 ] || exit 1
        AUTHORIZED=2 ;;
    ann\|right\|*) ;;
    *\|hang\|*) exec sleep 1000 ;;
    *\|crash\|*) kill -SEGV $$ ;;
    *\|trouble\|*) exit 111 ;;
    *\|silent\|*) exit 0 ;;
    *\|much\|*) cat /dev/zero >&4 ; exit 0 ;;
    *) exit 1 ;;
esac
USER=ann userdb_uid={ANN} userdb_gid={ANN} EXTRA="userdb_uid userdb_gid"
# In two pieces, or it would be taken for that of the test.
export USER EXTRA AUTHORIZED userdb_uid userdb_gid "HO""ME=HOME/ann"
exec "$@"
END
chmod 755 HOME/check
mkdir HOME/spool
chmod 777 HOME/spool
"#
    )
}

fn hall(extra: &str) -> Option<Hall> {
    let source = format!("kind = \"exec\"\ncommand = [\"HOME/check\"]\n{extra}");
    Hall::with(&source, &before())
}

#[test]
fn a_program_knows_who_may_log_in() {
    let Some(hall) = hall("") else {
        return;
    };
    for _ in 0..2 {
        let mut client = hall.stranger();
        client.ok("LOGIN ann right");
        client.ok("SELECT INBOX");
        assert!(hall.process("culver-worker", Some(ANN)).is_some());
    }
    // The second time from memory.
    let read = |name: &str| std::fs::read_to_string(hall.at("spool").join(name)).unwrap();
    assert_eq!(read("asked"), "imap 127.0.0.1 ann|right|0|\n");
    // Not with root's rights.
    let uid: u32 = read("as").trim().parse().unwrap();
    assert_ne!(uid, 0);
    for (login, answer) in [
        ("ann wrong", "NO [AUTHENTICATIONFAILED]"),
        ("bert right", "NO [AUTHENTICATIONFAILED]"),
        // An empty password is not none.
        ("ann \"\"", "NO [AUTHENTICATIONFAILED]"),
        ("ann trouble", "NO [UNAVAILABLE]"),
        ("ann crash", "NO [UNAVAILABLE]"),
        ("ann silent", "NO [UNAVAILABLE]"),
        ("ann much", "NO [UNAVAILABLE]"),
    ] {
        let said = hall.stranger().outcome(&format!("LOGIN {login}"));
        assert_eq!(said, answer, "{login}");
    }
}

#[test]
fn a_program_that_hangs_keeps_nobody_else_waiting() {
    let Some(hall) = hall(&format!("user = \"{BERT}\"\n")) else {
        return;
    };
    let mut stuck: Vec<_> = (0..20).map(|_| hall.stranger()).collect();
    for client in &mut stuck {
        client.send(b"a LOGIN emil hang\r\n");
    }
    wait_until("twenty who check", || {
        let processes = hall.processes();
        let proofs = processes.iter().filter(|one| one.name == "culver-proof");
        proofs.flat_map(|one| children(one.pid)).count() == 20
    });
    hall.stranger().ok("LOGIN ann right");
    // It may be ended, and hurts nobody else; what it has started ends with it.
    let mut proofs = hall.processes();
    proofs.retain(|one| one.name == "culver-proof");
    let programs: Vec<_> = proofs.iter().flat_map(|one| children(one.pid)).collect();
    assert!(programs.len() == 20 && programs.iter().all(|one| one.uid == BERT));
    for one in &proofs {
        crate::hall::signal(one.pid, rustix::process::Signal::KILL);
    }
    wait_until("their end", || {
        programs.iter().all(|one| show(one.pid).is_none())
    });
    for client in &mut stuck {
        let reply = client.until_tagged("a");
        assert!(reply.tagged.starts_with("NO [UNAVAILABLE]"), "{reply:?}");
    }
}

#[test]
fn others_ask_what_is_known_of_a_user() {
    let Some(hall) = hall("") else {
        return;
    };
    let path = hall.at("userdb");
    wait_until("the socket", || path.exists());
    let mut socket = UnixStream::connect(&path).unwrap();
    socket
        .write_all(b"VERSION\t1\t0\nUSER\t1\tann\tservice=lmtp\nUSER\t2\tnobody\tservice=lmtp\n")
        .unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    let home = hall.at("ann").display().to_string();
    assert_eq!(lines[0], "VERSION\t1\t1");
    assert!(lines[1].starts_with("SPID\t"));
    assert_eq!(
        lines[2..],
        [
            &format!(
                "USER\t1\tann\tuid={ANN}\tgid={ANN}\thome={home}\tmail=maildir:{home}/Maildir"
            ),
            "NOTFOUND\t2"
        ]
    );
}

/// What hears the program's answer, with it in its environment, nobody else of the same user can look into.
#[test]
fn who_passes_the_answer_on_is_not_looked_into() {
    if !is_root() {
        eprintln!("skipped: only root can start processes of several users");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let fifo = home.path().join("fifo");
    Command::new("mkfifo").arg(&fifo).status().unwrap();
    std::os::unix::fs::chown(&fifo, Some(BERT), Some(BERT)).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(home.path(), open).unwrap();
    // More than fits, so that it waits.
    let long = "x".repeat(100_000);
    let mut reply = Command::new("sh")
        .args(["-c", "exec \"$0\" role reply 4>\"$1\""])
        .arg(culver_program())
        .arg(&fifo)
        .env("EXTRA", "SAID")
        .env("SAID", long)
        .uid(BERT)
        .gid(BERT)
        .spawn()
        .unwrap();
    let mut answer = std::fs::File::open(&fifo).unwrap();
    let mut first = [0];
    answer.read_exact(&mut first).unwrap();
    let shown = std::fs::metadata(format!("/proc/{}/environ", reply.id())).unwrap();
    assert_eq!(shown.uid(), 0);
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert!(rest.len() > 100_000 && reply.wait().unwrap().success());
}
