//! SEARCH for words of many languages, in all charsets and transfer encodings that mailers use, against what Python's
//! `email` package reads in the same messages. Every word with `CULVER_TEST_LONG`, else some.

use std::process::Command;

use crate::harness::{Server, have};
use crate::program::{command, printed};

#[test]
fn words_are_found_where_python_reads_them() {
    if !have("python3") {
        return;
    }
    let server = Server::start();
    let every = match std::env::var_os("CULVER_TEST_LONG") {
        Some(_) => "1",
        None => "40",
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/words/search.py");
    let port = server.imap.port().to_string();
    // The long form takes longer than a program may otherwise.
    let mut search = match every {
        "1" => Command::new("python3"),
        _ => command("python3"),
    };
    print!("{}", printed(search.args(["-B", script, &port, every])));
}
