//! SEARCH for words of many languages, in all charsets and transfer encodings that mailers use, against what Python's
//! `email` package reads in the same messages. Every word with `CULVER_TEST_ALL`, else some.

use crate::harness::{Server, have};
use crate::program::{command, printed};

#[test]
fn words_are_found_where_python_reads_them() {
    if !have("python3") {
        return;
    }
    let server = Server::start();
    let every = match std::env::var_os("CULVER_TEST_ALL") {
        Some(_) => "1",
        None => "40",
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/words/search.py");
    let port = server.imap.port().to_string();
    let mut search = command("python3");
    print!("{}", printed(search.args(["-B", script, &port, every])));
}
