//! Culver and Dovecot asked the same about copies of one Maildir: `contrib/differential` on a sixteenth of its
//! messages. Every difference must have a class (on so few, one may hold more than 1 %); the whole is run by hand.
//! And what has no class: answers that Culver never gave.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::have;
use crate::program;

fn of_the_source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_difference_from_dovecot_is_explained() {
    if !have("dovecot") || !have("python3") || !have("iconv") {
        return;
    }
    let culver = std::env::var("CULVER_TEST_PROGRAM")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_culver").to_owned());
    let mut differential = program::command("python3");
    differential
        .arg(of_the_source("contrib/differential/differential.py"))
        .args(["--every", "16", "--share", "5", "--culver", &culver]);
    let printed = program::printed(&mut differential);
    assert!(printed.contains(" messages, "), "{printed}");
}

#[test]
fn a_wrong_answer_of_culvers_has_no_class() {
    if !have("python3") || !have("iconv") {
        return;
    }
    let mut test = program::command("python3");
    test.arg(of_the_source("contrib/differential/selftest.py"));
    program::printed(&mut test);
}

#[test]
fn the_readme_says_of_each_kind_of_breakage_where_it_is_seen() {
    if !have("python3") {
        return;
    }
    let mut kinds = Command::new("python3");
    kinds.args(["-B", "generate.py", "--kinds"]);
    kinds.current_dir(of_the_source("tests/messages/corpus"));
    let readme = std::fs::read_to_string(of_the_source("tests/messages/README.md")).unwrap();
    let kinds = program::printed(&mut kinds);
    assert!(kinds.lines().count() >= 30);
    for line in kinds.lines() {
        assert!(readme.contains(line), "{line}");
    }
}
