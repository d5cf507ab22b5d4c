//! mutt on a terminal (tmux): reads, flags, files, deletes, and sees a delivery while it idles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Server, have, message, wait_until};

/// mutt in a terminal of its own.
struct Screen {
    socket: PathBuf,
}

impl Screen {
    fn start(home: &Path, server: &Server) -> Screen {
        let rc = home.join("muttrc");
        fs::write(
            &rc,
            format!(
                "set imap_user=\"{USER}\"\nset imap_pass=\"{PASSWORD}\"\nset folder=\"imap://127.0.0.1:{}/\"\n\
                 set spoolfile=\"+INBOX\"\nset ssl_starttls=no\nset ssl_force_tls=no\nset imap_authenticators=\"login\"\n\
                 set imap_idle=yes\nset mail_check=1\nset timeout=1\nset confirmappend=no\nset confirmcreate=no\nset delete=yes\n\
                 set move=no\nset sort=date-received\nset wait_key=no\nset header_cache=\"\"\nset record=\"\"\nset postponed=\"\"\n\
                 set beep=no\nset sleep_time=0\nset mark_old=no\nset index_format=\"%Z %s\"\n",
                server.imap.port(),
            ),
        )
        .unwrap();
        let screen = Screen {
            socket: home.join("tmux"),
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
                "TERM=screen HOME={} LC_ALL=C.UTF-8 mutt -n -F {}",
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
            wait_until(&format!("{wanted:?} on mutt's screen"), || {
                last = self.text();
                last.contains(wanted)
            });
        }));
        assert!(shown.is_ok(), "{wanted:?} is not on the screen:\n{last}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn reads_flags_files_deletes_and_sees_a_delivery() {
    if !have("mutt") || !have("tmux") {
        return;
    }
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Archive");
    for subject in ["alpha", "beta", "gamma", "delta"] {
        c.append("INBOX", "", &message(subject));
    }
    let home = tempfile::tempdir().unwrap();
    let mutt = Screen::start(home.path(), &server);
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

    // A delivery while mutt idles.
    server.maildir.deliver("INBOX", &message("epsilon"));
    mutt.shows("epsilon");
    mutt.keys(&["q"]);
}
