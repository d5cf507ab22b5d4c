//! curl: the first thing the README shows.

use std::process::Command;

use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Server, have, message};

fn curl(server: &Server, path: &str, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args([
            "-k",
            "-s",
            "-S",
            "--max-time",
            "20",
            "-u",
            &format!("{USER}:{PASSWORD}"),
        ])
        .arg(format!("imaps://127.0.0.1:{}/{path}", server.imaps.port()))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn reads_lists_searches_and_uploads() {
    if !have("curl") {
        return;
    }
    let server = Server::start();
    server
        .client()
        .append("INBOX", "(\\Flagged) ", &message("one"));
    let told = curl(&server, "INBOX", &["-X", "FETCH 1 (FLAGS ENVELOPE)"]);
    assert!(
        told.contains("* 1 FETCH (") && told.contains("\\Flagged") && told.contains("\"one\""),
        "{told}"
    );
    assert_eq!(curl(&server, "INBOX;UID=1", &[]), message("one"));
    assert_eq!(curl(&server, "INBOX;UID=1;SECTION=TEXT", &[]), "Hello.\r\n");
    assert!(curl(&server, "", &[]).contains("INBOX"));
    assert_eq!(
        curl(&server, "INBOX?SUBJECT%20one", &[]).trim(),
        "* SEARCH 1"
    );

    let file = server.maildir.home().join("upload.eml");
    std::fs::write(&file, message("uploaded")).unwrap();
    curl(&server, "INBOX", &["-T", file.to_str().unwrap()]);
    assert_eq!(curl(&server, "INBOX;UID=2", &[]), message("uploaded"));
}

#[test]
fn starts_tls_on_the_plain_port() {
    if !have("curl") {
        return;
    }
    let server = Server::start();
    server.client().append("INBOX", "", &message("one"));
    let output = Command::new("curl")
        .args([
            "-k",
            "-s",
            "-S",
            "--ssl-reqd",
            "--max-time",
            "20",
            "-u",
            &format!("{USER}:{PASSWORD}"),
        ])
        .arg(format!(
            "imap://127.0.0.1:{}/INBOX;UID=1",
            server.imap.port()
        ))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        message("one"),
        "{output:?}"
    );
}
