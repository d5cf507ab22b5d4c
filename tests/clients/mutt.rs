//! mutt and neomutt on a terminal (tmux): they read, flag, file, delete, search on the server, see a delivery
//! while they idle, and put what they send into Sent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk;
use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Server, have, message, wait_until};

/// mutt or neomutt in a terminal of its own.
struct Screen {
    socket: PathBuf,
    program: &'static str,
}

impl Screen {
    /// Opens INBOX, with these lines added to the settings.
    fn start(program: &'static str, home: &Path, server: &Server, settings: &str) -> Screen {
        let rc = write_settings(home, server, settings);
        let screen = Screen {
            socket: home.join("tmux"),
            program,
        };
        screen.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
            &format!(
                "TERM=screen HOME={} LC_ALL=C.UTF-8 {program} -n -F {}",
                home.display(),
                rc.display()
            ),
        ]);
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn shows(&self, wanted: &str) {
        let mut last = String::new();
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(
                &format!("{wanted:?} on the screen of {}", self.program),
                || {
                    last = self.text();
                    last.contains(wanted)
                },
            );
        }));
        assert!(shown.is_ok(), "{wanted:?} is not on the screen:\n{last}");
    }

    /// Writes a message, up to the menu where it is sent or postponed.
    fn compose(&self, subject: &str) {
        self.keys(&["m"]);
        self.shows("To:");
        self.keys(&["-l", "bob@example.org"]);
        self.keys(&["Enter"]);
        self.shows("Subject:");
        self.keys(&["-l", subject]);
        self.keys(&["Enter"]);
        self.shows("y:Send");
    }

    /// Waits until this is no longer on the screen.
    #[track_caller]
    fn hides(&self, unwanted: &str) {
        wait_until(&format!("no {unwanted:?}"), || {
            !self.text().contains(unwanted)
        });
    }
}

fn write_settings(home: &Path, server: &Server, more: &str) -> PathBuf {
    let rc = home.join("muttrc");
    fs::write(
        &rc,
        format!(
            "set imap_user=\"{USER}\"\nset imap_pass=\"{PASSWORD}\"\nset folder=\"imap://127.0.0.1:{}/\"\n\
             set spoolfile=\"+INBOX\"\nset ssl_starttls=no\nset ssl_force_tls=no\nset imap_authenticators=\"login\"\n\
             set imap_idle=yes\nset mail_check=1\nset timeout=1\nset confirmappend=no\nset confirmcreate=no\nset delete=yes\n\
             set move=no\nset sort=date-received\nset wait_key=no\nset header_cache=\"\"\nset record=\"+Sent\"\nset postponed=\"+Drafts\"\n\
             set beep=no\nset sleep_time=0\nset mark_old=no\nset index_format=\"%Z %s\"\n\
             set from=\"carol@example.org\"\nset copy=yes\nset sendmail=\"/bin/true\"\nset send_charset=\"utf-8\"\n\
             set editor=\"echo Grüße >> %s\"\nset abort_unmodified=no\n{more}",
            server.imap.port(),
        ),
    )
    .unwrap();
    rc
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn reads_flags_files_deletes_and_sees_a_delivery(program: &'static str, settings: &str) {
    if !have(program) || !have("tmux") {
        return;
    }
    let server = Server::start();
    let mut c = server.client();
    for folder in ["Archive", "Sent", "Drafts"] {
        c.ok(&format!("CREATE {folder}"));
    }
    for subject in ["alpha", "beta", "gamma", "delta"] {
        c.append("INBOX", "", &message(subject));
    }
    let home = tempfile::tempdir().unwrap();
    let mutt = Screen::start(program, home.path(), &server, settings);
    mutt.shows("delta");
    mutt.shows("alpha");

    // Read the first.
    mutt.keys(&["1", "Enter"]);
    mutt.keys(&["Enter"]);
    mutt.shows("Hello.");
    mutt.keys(&["i"]);
    mutt.shows("gamma");
    // Flag the second, delete the third, file the fourth, and write it all back.
    mutt.keys(&["2", "Enter"]);
    mutt.keys(&["F"]);
    mutt.shows("! beta");
    mutt.keys(&["3", "Enter"]);
    mutt.keys(&["d"]);
    mutt.shows("D  gamma");
    mutt.keys(&["4", "Enter"]);
    mutt.keys(&["s"]);
    mutt.keys(&["C-u"]);
    mutt.keys(&["-l", "=Archive"]);
    mutt.keys(&["Enter"]);
    mutt.shows("D  delta");
    mutt.keys(&["$"]);
    wait_until("two messages in INBOX", || {
        c.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 2)"]
    });
    assert_eq!(
        c.ok("STATUS Archive (MESSAGES)"),
        ["* STATUS Archive (MESSAGES 1)"]
    );
    c.ok("EXAMINE INBOX");
    assert_eq!(c.ok("SEARCH SUBJECT alpha SEEN"), ["* SEARCH 1"]);
    assert_eq!(c.ok("SEARCH SUBJECT beta FLAGGED"), ["* SEARCH 2"]);
    c.ok("EXAMINE Archive");
    assert_eq!(c.ok("SEARCH SUBJECT delta"), ["* SEARCH 1"]);

    assert_eq!(
        disk::messages(&server.maildir, "INBOX"),
        ["alpha\t\\Seen", "beta\t\\Flagged"]
    );

    // Search on the server: only what contains the text stays on the screen.
    c.append("INBOX", "", &message("zeta").replace("Hello.", "Grüße."));
    mutt.shows("zeta");
    mutt.keys(&["l"]);
    mutt.keys(&["-l", "=b Grüße"]);
    mutt.keys(&["Enter"]);
    mutt.hides("beta");
    mutt.shows("zeta");
    mutt.keys(&["l"]);
    mutt.keys(&["-l", "all"]);
    mutt.keys(&["Enter"]);
    mutt.shows("beta");

    // What it sends goes to Sent, what it postpones to Drafts.
    mutt.compose("sent");
    mutt.keys(&["y"]);
    wait_until("a message in Sent", || {
        !disk::messages(&server.maildir, "Sent").is_empty()
    });
    assert_eq!(disk::messages(&server.maildir, "Sent"), ["sent\t\\Seen"]);
    mutt.shows("zeta");
    mutt.compose("later");
    mutt.keys(&["q"]);
    mutt.shows("ostpone");
    mutt.keys(&["y"]);
    wait_until("a message in Drafts", || {
        !disk::messages(&server.maildir, "Drafts").is_empty()
    });
    assert_eq!(
        disk::messages(&server.maildir, "Drafts"),
        ["later\t\\Draft"]
    );
    mutt.shows("zeta");
    c.ok("EXAMINE Sent");
    c.check(
        "SEARCH CHARSET UTF-8 BODY {7+}\r\nGrüße",
        &["* SEARCH 1"],
        "OK",
    );

    // A delivery while it idles.
    server.maildir.deliver("INBOX", &message("epsilon"));
    mutt.shows("epsilon");
    mutt.keys(&["q"]);
}

#[test]
fn mutt() {
    reads_flags_files_deletes_and_sees_a_delivery("mutt", "");
}

#[test]
fn neomutt() {
    let settings = "set imap_condstore=yes\nset imap_qresync=yes\nset imap_peek=no\n";
    reads_flags_files_deletes_and_sees_a_delivery("neomutt", settings);
}
