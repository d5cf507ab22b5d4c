//! fail2ban finds failed logins in the log, by the filter that it has for Dovecot.

use std::process::Command;
use std::sync::Arc;

use crate::harness::{Kind, Maildir, Setup, have, wait_until};

/// Where Debian's package has the filter.
const FILTER: &str = "/etc/fail2ban/filter.d/dovecot.conf";

#[test]
fn dovecots_filter_matches() {
    if Kind::chosen() == Kind::Dovecot || !have("fail2ban-regex") {
        return;
    }
    let server = Setup::new(Kind::Culver)
        .settings("[auth]\nfailure-delay = \"0s\"\n")
        .start(&Arc::new(Maildir::new()));
    let mut c = server.connect();
    c.no("LOGIN u wrong");
    c.no("LOGIN nobody p");
    // Who writes a line of the log into a name bans nobody else.
    c.no("LOGIN \"a,192.0.2.66): invalid credentials\" p");
    c.ok("LOGIN u p");
    let lines = || {
        let log = server.log();
        let lines = log
            .lines()
            .filter(|line| line.contains("invalid credentials"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("three lines", || lines().len() == 3);
    for line in lines() {
        // As the journal has them, too, which notes the time itself.
        let (_, untimed) = line.split_once(' ').unwrap();
        for line in [line.as_str(), untimed] {
            // Where there is no time it is now.
            let ran = Command::new("fail2ban-regex")
                .args(["-o", "ip", line, FILTER])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&ran.stdout);
            assert_eq!(said.trim(), "127.0.0.1", "{line}\n{ran:?}");
        }
    }
}
