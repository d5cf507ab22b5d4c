//! `culver deliver`: with a server, beside one, and as whom.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use crate::hall::{ANN, BERT, Hall, VMAIL, signal};
use crate::harness::server::culver_program;
use crate::lmtp::mail;

const TEXT: &str = "From sender@remote.test Mon Jan  1 00:00:00 2024\nSubject: x\r\n\r\ny\n";

/// Runs it, as this user where one is named.
fn deliver(hall: &Hall, uid: Option<u32>, arguments: &[impl AsRef<OsStr>]) -> Output {
    run(
        Command::new(culver_program()).arg("deliver"),
        hall,
        uid,
        arguments,
    )
}

fn run(
    command: &mut Command,
    hall: &Hall,
    uid: Option<u32>,
    arguments: &[impl AsRef<OsStr>],
) -> Output {
    command.arg("--config").arg(hall.at("culver.toml"));
    command.args(arguments).current_dir("/");
    command.env("HOME", "/nonexistent").env_remove("USER");
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    fed(command)
}

/// Runs it with a message.
fn fed(command: &mut Command) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // What makes no sense is not read.
    let _ = child.stdin.take().unwrap().write_all(TEXT.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn exits(output: &Output, code: i32, said: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(said), "{stderr}");
    assert!(
        stderr.lines().count() <= 1 && output.stdout.is_empty(),
        "{stderr}"
    );
}

fn owner(file: &Path) -> (u32, u32) {
    let stat = fs::metadata(file).unwrap();
    (stat.uid(), stat.gid())
}

#[test]
fn as_root_it_becomes_the_user_and_needs_no_server() {
    let Some(mut hall) = Hall::open() else { return };
    let mut client = hall.client("ann");
    client.ok("CREATE Box");
    client.ok("SELECT INBOX");
    client.send(b"a IDLE\r\n");
    assert!(client.line().starts_with(b"+ "));
    exits(
        &deliver(&hall, None, &["-d", "ann", "-f", "s@t", "-a", "ann@x"]),
        0,
        "",
    );
    assert_eq!(client.line(), b"* 1 EXISTS");
    client.send(b"DONE\r\n");
    client.until_tagged("a");
    signal(hall.master(), Signal::TERM);
    hall.end();
    for (arguments, maildir) in [
        (&["-d", "ann"][..], "ann/Maildir"),
        (&["-d", "ann", "-m", "Box"], "ann/Maildir/.Box"),
        (&["-d", "ann+Box"], "ann/Maildir/.Box"),
        (
            &["-d", "ann", "-a", "ann+Box@example.org"],
            "ann/Maildir/.Box",
        ),
        (&["-d", "ann+Box", "-m", ""], "ann/Maildir"),
        (&["-d", "ann", "-m", "../../bert"], "ann/Maildir"),
        (&["-d", "bert"], "bert/Maildir"),
        (
            &["-d", "Carl@example.org"],
            "vmail/example.org/carl/Maildir",
        ),
    ] {
        let before = mail(&hall, maildir).len();
        exits(&deliver(&hall, None, arguments), 0, "");
        let files = mail(&hall, maildir);
        assert_eq!(files.len(), before + 1, "{arguments:?}");
        let uid = match maildir.split('/').next() {
            Some("ann") => ANN,
            Some("bert") => BERT,
            _ => VMAIL,
        };
        for file in files {
            assert_eq!(owner(&file), (uid, uid));
            // As it came, but for the line that parts messages in an mbox.
            assert_eq!(fs::read(&file).unwrap(), b"Subject: x\n\ny\n");
        }
    }
}

#[test]
fn what_is_wrong_is_said_as_mtas_understand_it() {
    let Some(hall) = Hall::open() else { return };
    exits(&deliver(&hall, None, &[""; 0]), 64, "root has no mail");
    exits(
        &deliver(&hall, None, &["--nonsense"]),
        64,
        "unexpected argument",
    );
    exits(&deliver(&hall, None, &["-d"]), 64, "a value is required");
    for unknown in ["nobody@example.org", "../ann", "root", ""] {
        exits(&deliver(&hall, None, &["-d", unknown]), 67, "no such user");
    }
    // Mail as one of the system's own users: somebody may mend that.
    exits(&deliver(&hall, None, &["-d", "daemon"]), 75, "first-uid");
    let full = "full@example.org";
    let maildir = hall.at("vmail/example.org/full/Maildir");
    exits(&deliver(&hall, None, &["-d", full]), 0, "");
    fs::write(maildir.join("maildirsize"), "1000S\n1000 1\n").unwrap();
    fs::set_permissions(maildir.join("maildirsize"), Permissions::from_mode(0o666)).unwrap();
    exits(&deliver(&hall, None, &["-d", full]), 75, "Quota exceeded");
    exits(
        &deliver(&hall, None, &["-e", "-d", full]),
        77,
        "Quota exceeded",
    );
    fs::write(hall.at("ann/Maildir"), "no directory").unwrap();
    exits(&deliver(&hall, None, &["-d", "ann"]), 75, "opening");
    // A configuration that is being written.
    fs::write(hall.at("culver.toml"), "[users\n").unwrap();
    let output = deliver(&hall, None, &["-d", "bert"]);
    assert_eq!(output.status.code(), Some(75));
}

#[test]
fn whatever_mail_is_called_is_taken() {
    let Some(hall) = Hall::open() else { return };
    let of = |octets: &[u8]| OsString::from_vec(octets.to_vec());
    let taken: [&[&[u8]]; 5] = [
        &[b"-f", b"-foo@example.org"],
        &[b"-f-foo@example.org", b"-a", b"-ann+x"],
        &[b"-f", b"\xff@example.org", b"-a", b"ann+\xff@example.org"],
        &[b"-m", b"-e"],
        &[b"-m", b"B\xf6x"],
    ];
    for (count, arguments) in taken.into_iter().enumerate() {
        let mut all = vec![of(b"-d"), of(b"ann")];
        all.extend(arguments.iter().map(|words| of(words)));
        exits(&deliver(&hall, None, &all), 0, "");
        assert_eq!(mail(&hall, "ann/Maildir").len(), count + 1, "{all:?}");
    }
    for nobody in [&b"-foo@example.org"[..], b"\xff@example.org", b"an\xff"] {
        let output = deliver(&hall, None, &[of(b"-d"), of(nobody)]);
        exits(&output, 67, "no such user");
    }
    // Who it is for is not in question.
    exits(&deliver(&hall, None, &[of(b"-d"), of(b"ann+\xff")]), 0, "");
}

#[test]
fn a_configuration_that_cannot_be_looked_at_is_waited_for() {
    let Some(hall) = Hall::open() else { return };
    let closed = hall.at("closed");
    fs::create_dir(&closed).unwrap();
    fs::rename(hall.at("culver.toml"), closed.join("culver.toml")).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    symlink("closed/culver.toml", hall.at("culver.toml")).unwrap();
    exits(
        &deliver(&hall, Some(ANN), &["-d", "ann"]),
        75,
        "culver.toml",
    );
    // The same where nobody names it.
    let script = "mount -t tmpfs tmpfs /etc && mkdir -m 700 /etc/culver && \
        exec setpriv --reuid 61001 --regid 61001 --clear-groups \"$0\" deliver -d ann";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", script]);
    command.arg(culver_program()).env_remove("CULVER_CONFIG");
    let output = fed(&mut command);
    exits(&output, 75, "/etc/culver/culver.toml");
}

#[test]
fn who_is_not_root_delivers_as_who_it_is() {
    let Some(hall) = Hall::open() else { return };
    for open in ["culver.toml", "users"] {
        fs::set_permissions(hall.at(open), Permissions::from_mode(0o644)).unwrap();
    }
    exits(
        &deliver(&hall, Some(VMAIL), &["-d", "carl@example.org"]),
        0,
        "",
    );
    exits(&deliver(&hall, Some(ANN), &["-d", "ann"]), 0, "");
    exits(
        &deliver(&hall, Some(ANN), &["-d", "bert"]),
        77,
        "may not deliver",
    );
    for (maildir, uid) in [
        ("vmail/example.org/carl/Maildir", VMAIL),
        ("ann/Maildir", ANN),
    ] {
        let [file] = mail(&hall, maildir).try_into().unwrap();
        assert_eq!(owner(&file), (uid, uid));
    }
    // A source that cannot be read knows more, perhaps.
    fs::set_permissions(hall.at("users"), Permissions::from_mode(0o600)).unwrap();
    exits(
        &deliver(&hall, Some(VMAIL), &["-d", "x@example.org"]),
        75,
        "",
    );
}

#[test]
fn by_its_other_name_and_for_who_runs_it() {
    let Some(hall) = Hall::open() else { return };
    let lda = hall.at("culver-lda");
    symlink(culver_program(), &lda).unwrap();
    exits(
        &run(&mut Command::new(&lda), &hall, None, &["-d", "ann"]),
        0,
        "",
    );
    exits(
        &run(&mut Command::new(&lda), &hall, None, &["-x"]),
        64,
        "unexpected",
    );
    assert_eq!(mail(&hall, "ann/Maildir").len(), 1);
    // Without -d the system says where home is, and where it knows nobody the environment.
    let config = "[mail]\nlocation = \"~/Maildir\"\n";
    fs::write(hall.at("culver.toml"), config).unwrap();
    fs::set_permissions(hall.at("culver.toml"), Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new("env");
    command.arg(format!("HOME={}", hall.at("bert").display()));
    command.arg(&lda);
    exits(&run(&mut command, &hall, Some(BERT), &[""; 0]), 0, "");
    assert_eq!(mail(&hall, "bert/Maildir").len(), 1);
}
