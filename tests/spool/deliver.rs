//! `culver deliver` and the disk: when it ends well, the message is there whatever happens then; and when it is killed,
//! there is all of it or nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::trace::{self, Step};
use crate::harness::server::{culver_program, mail_uid};
use crate::harness::{Chance, Maildir, TRACED_CALLS, have};

/// A configuration in which the Maildir is ann's.
fn configure(maildir: &Maildir) {
    let (home, root, uid) = (
        maildir.home().display(),
        maildir.path().display(),
        mail_uid(),
    );
    fs::write(maildir.home().join("users"), "ann:{PLAIN}p:::::\n").unwrap();
    let config = format!(
        "[mail]\nlocation = \"{root}\"\n[users]\nuid = {uid}\ngid = {uid}\n\
         [[auth.source]]\nkind = \"passwd-file\"\npath = \"{home}/users\"\n"
    );
    fs::write(maildir.home().join("culver.toml"), config).unwrap();
}

fn deliver(mut command: Command, home: &Path) -> Child {
    command
        .arg("deliver")
        .arg("--config")
        .arg(home.join("culver.toml"));
    command.args(["-d", "ann"]).stdin(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_message_and_its_name_are_synced_before_it_ends() {
    if !have("strace") {
        return;
    }
    let maildir = Maildir::new();
    configure(&maildir);
    let log = maildir.home().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-xx", "-s", "2000000", "-o"]);
    strace
        .arg(&log)
        .args(["-e", TRACED_CALLS])
        .arg(culver_program());
    let mut child = deliver(strace, maildir.home());
    let text = "Subject: x\n\n".to_owned() + &"y\n".repeat(100_000);
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());

    let log = fs::read(&log).unwrap();
    let root = maildir.path().to_str().unwrap();
    let steps = trace::parse(&String::from_utf8_lossy(&log), root);
    let place = |what: &str, is: &dyn Fn(&Step) -> bool| {
        let found = steps.iter().position(is);
        found.unwrap_or_else(|| panic!("no {what} in {steps:?}"))
    };
    let linked = place(
        "link",
        &|step| matches!(step, Step::Link { to, .. } if to.starts_with("new/")),
    );
    let Step::Link { from: whole, .. } = &steps[linked] else {
        unreachable!()
    };
    let renamed = place(
        "whole message",
        &|step| matches!(step, Step::Rename { to, .. } if to == whole),
    );
    let Step::Rename { from: file, .. } = &steps[renamed] else {
        unreachable!()
    };
    let synced = place(
        "synced message",
        &|step| matches!(step, Step::Sync { path } if path == file),
    );
    let written = steps
        .iter()
        .rposition(|step| matches!(step, Step::Write { path, .. } if path == file));
    let name = steps
        .iter()
        .rposition(|step| matches!(step, Step::Sync { path } if path == "new"));
    assert!(written.unwrap() < synced && synced < linked && linked < name.unwrap());
}

#[test]
fn killed_it_leaves_all_of_a_message_or_nothing() {
    let maildir = Maildir::new();
    configure(&maildir);
    let text = "Subject: x\n\n".to_owned() + &"y\n".repeat(100_000);
    let mut chance = Chance::new(7);
    let mut acknowledged = 0;
    for _ in 0..30 {
        let mut child = deliver(Command::new(culver_program()), maildir.home());
        let mut input = child.stdin.take().unwrap();
        // Somewhere in the message, or after its end.
        let most = u64::try_from(text.len()).unwrap();
        let cut = usize::try_from(chance.below(most * 2)).unwrap();
        let piece = text.get(..cut).unwrap_or(&text);
        input.write_all(piece.as_bytes()).unwrap();
        if cut >= text.len() {
            drop(input);
            for _ in 0..chance.below(200_000) {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
        } else {
            child.kill().unwrap();
            drop(input);
        }
        acknowledged += usize::from(child.wait().unwrap().success());
    }
    let new = fs::read_dir(maildir.path().join("new")).unwrap();
    let mut there = 0;
    for entry in new {
        assert_eq!(fs::read_to_string(entry.unwrap().path()).unwrap(), text);
        there += 1;
    }
    assert!(there >= acknowledged, "{there} of {acknowledged}");
}
