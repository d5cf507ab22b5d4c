//! The committed inputs, without cargo-fuzz: what once broke a promise, or leads where few inputs do.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Runs a target's inputs, named by their files where one fails.
fn run(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let octets = fs::read(&path).unwrap();
        assert!(
            catch_unwind(|| check(&octets)).is_ok(),
            "{}",
            path.display()
        );
        count += 1;
    }
    assert!(count > 0, "{} is empty", directory.display());
}

#[test]
fn address() {
    run("address", crate::address::check);
}

#[test]
fn date() {
    run("date", crate::date::check);
}

#[test]
fn grammar() {
    run("grammar", crate::grammar::check);
}

#[test]
fn index() {
    run("index", crate::index::check);
}

#[test]
fn lmtp() {
    run("lmtp", crate::lmtp::check);
}

#[test]
fn message() {
    run("message", crate::message::check);
}

#[test]
fn mutf7() {
    run("mutf7", crate::mutf7::check);
}

#[test]
fn reader() {
    run("reader", crate::reader::check);
}

#[test]
fn section() {
    run("section", crate::section::check);
}

#[test]
fn sequence() {
    run("sequence", crate::sequence::check);
}

#[test]
fn session() {
    run("session", crate::session::check);
}

#[test]
fn spool() {
    run("spool", crate::spool::check);
}

#[test]
fn words() {
    run("words", crate::words::check);
}
