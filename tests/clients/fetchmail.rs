//! fetchmail: fetches what is new and marks it read, or takes everything away; over STARTTLS and TLS; and
//! waits in IDLE for what comes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Server, have, message, wait_until};
use crate::program::{self, Running};

/// What it ends with when there was no mail.
const NO_MAIL: i32 = 1;

struct Near {
    home: TempDir,
    took: PathBuf,
}

impl Near {
    fn new() -> Near {
        let home = tempfile::tempdir().unwrap();
        let took = home.path().join("took");
        Near { home, took }
    }

    /// fetchmail with these options, handing mail to a file.
    fn fetchmail(&self, port: u16, options: &str) -> Command {
        let rc = self.home.path().join("fetchmailrc");
        fs::write(
            &rc,
            format!(
                "poll 127.0.0.1 protocol IMAP port {port} timeout 20 username \"{USER}\" password \"{PASSWORD}\"\n\
                 no sslcertck mda \"cat >> {}\" {options}\n",
                self.took.display(),
            ),
        )
        .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&rc, mode).unwrap();
        let mut command = program::command("fetchmail");
        command.env("FETCHMAILHOME", self.home.path());
        // As root it would keep one for the whole machine.
        command.arg("--pidfile").arg(self.home.path().join("pid"));
        command.args(["--nodetach", "--nosyslog", "-f"]).arg(rc);
        command
    }

    /// The subjects of what it took, in order.
    fn subjects(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.took).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.strip_prefix("Subject: "))
            .map(str::to_owned)
            .collect()
    }
}

#[test]
fn fetches_what_is_new_then_takes_all_away() {
    if !have("fetchmail") {
        return;
    }
    let server = Server::start();
    let mut c = server.client();
    c.append("INBOX", "(\\Seen $Forwarded) ", &message("read"));
    c.append("INBOX", "(\\Flagged) ", &message("one"));
    server.maildir.deliver("INBOX", &message("two"));
    let near = Near::new();

    let mut keeping = near.fetchmail(server.imap.port(), "sslproto \"\" keep");
    program::printed(&mut keeping);
    assert_eq!(near.subjects(), ["one", "two"]);
    assert_eq!(
        crate::disk::messages(&server.maildir, "INBOX"),
        [
            "one\t\\Flagged \\Seen",
            "read\t$Forwarded \\Seen",
            "two\t\\Seen"
        ]
    );
    let again = keeping.output().unwrap();
    assert_eq!(again.status.code(), Some(NO_MAIL), "{again:?}");

    // The text arrives as it was sent, but for fetchmail's own Received and bare line ends.
    let took = fs::read_to_string(&near.took).unwrap();
    assert!(
        took.contains(&message("one").replace("\r\n", "\n")),
        "{took}"
    );

    let options = "sslproto \"auto\" no keep fetchall";
    program::printed(&mut near.fetchmail(server.imap.port(), options));
    assert_eq!(near.subjects(), ["one", "two", "read", "one", "two"]);
    assert_eq!(server.maildir.files("INBOX"), [""; 0]);
    c.check(
        "STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 0)"],
        "OK",
    );
}

#[test]
fn waits_for_deliveries_in_idle() {
    if !have("fetchmail") {
        return;
    }
    let server = Server::start();
    server.maildir.deliver("INBOX", &message("zero"));
    let near = Near::new();
    let mut waiting = near.fetchmail(server.imaps.port(), "ssl idle no keep");
    let mut waiting = Running::start(&mut waiting);
    for (number, subject) in ["zero", "one", "two"].into_iter().enumerate() {
        if number > 0 {
            server.maildir.deliver("INBOX", &message(subject));
        }
        wait_until(subject, || near.subjects().len() > number);
        assert_eq!(near.subjects()[number], subject);
        wait_until("an empty INBOX", || {
            server.maildir.files("INBOX").is_empty()
        });
    }
    assert!(waiting.runs());
}
