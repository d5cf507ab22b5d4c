//! Python's IMAPClient: the live tests that its source package carries for trying out a server, with and
//! without UIDs, over TLS.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Server, have};
use crate::program;

/// The extensions without which a live test may be left out: those that IMAP servers other than Gmail may
/// lack, and Gmail's own.
const MAY_LACK: [&str; 7] = [
    "ACL",
    "Gmail search",
    "SORT",
    "THREAD=REFERENCES",
    "XLIST",
    "labels",
    "test instance not configured for UID operations",
];

#[test]
fn its_own_live_tests() {
    if !have("python3") {
        return;
    }
    let Some(packages) = program::package("python", "imapclient/livetest.py") else {
        return;
    };
    let server = Server::start();
    let config = server.maildir.home().join("livetest.ini");
    fs::write(
        &config,
        format!(
            "[DEFAULT]\nhost = 127.0.0.1\nport = {}\nusername = {USER}\npassword = {PASSWORD}\nssl = true\n\
             ssl_check_hostname = false\nssl_verify_cert = false\ntimeout = 20\n\n\
             [in the clear]\nssl = false\nport = {}\n\n\
             [wrong password]\npassword = wrong\nexpect_failure = AUTHENTICATIONFAILED\n",
            server.imaps.port(),
            server.imap.port(),
        ),
    )
    .unwrap();
    // The class left out wants a server that cannot be connected to within a millisecond.
    let output = program::command("python3")
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(program::beside("imapclient/livetest.py"))
        .arg(config)
        .args(["-v", "TestGeneral", "TestWithUIDs", "TestWithoutUIDs"])
        .output()
        .unwrap();
    let said = program::said(&output);

    let mut outcomes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in said.lines().filter(|line| line.starts_with("test_")) {
        let (name, outcome) = line.split_once(" (").unwrap();
        let (_, outcome) = outcome.rsplit_once(" ... ").unwrap();
        outcomes.entry(name).or_default().push(outcome);
    }
    let count = outcomes.values().map(Vec::len).sum::<usize>();
    assert_eq!(count, 57, "{said}");
    for (name, outcomes) in outcomes {
        for outcome in outcomes {
            let expected = outcome == "ok" || MAY_LACK.iter().any(|lack| outcome.contains(lack));
            assert!(expected, "{name}: {outcome}\n{said}");
        }
    }
}
