//! Where the kernel gives no inotify instances or watches, mailboxes are looked at from time to time, and the log says
//! once how to raise the limits.
//!
//! A user namespace has limits of its own, so nothing of the machine is changed.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Client, Kind, Maildir, PATIENCE, Server, Setup, have, is_root, message};

/// How often mailboxes are looked at that nobody has selected.
const NOTIFY_ALONE: Duration = Duration::from_secs(30);

/// Sessions of a server that may not watch anything.
struct Unwatched {
    server: Server,
    selected: Client,
    other: Client,
    since: Instant,
}

impl Unwatched {
    fn start(limit: &str) -> Unwatched {
        let maildir = Arc::new(Maildir::new());
        std::fs::create_dir(maildir.folder("Lists")).unwrap();
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir(maildir.folder("Lists").join(sub)).unwrap();
        }
        if is_root() {
            // No other user is there.
            let mut chown = Command::new("chown");
            chown.args(["-R", "0:0"]).arg(maildir.path());
            assert!(chown.status().unwrap().success());
        }
        let script = format!("echo 0 > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
        let server = Setup::new(Kind::Culver)
            .under(&["unshare", "-Ur", "sh", "-c", &script])
            .start(&maildir);
        let mut selected = server.selected("INBOX");
        let mut other = server.client();
        let set = "NOTIFY SET (mailboxes Lists (MessageNew MessageExpunge))";
        let since = Instant::now();
        other.ok(set);
        selected.ok("NOOP");
        Unwatched {
            server,
            selected,
            other,
            since,
        }
    }
}

#[test]
fn mailboxes_are_looked_at_from_time_to_time() {
    let possible = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if Kind::chosen() == Kind::Dovecot
        || !have("unshare")
        || !possible(Command::new("unshare").args(["-Ur", "true"]))
    {
        return;
    }
    let limits = ["max_inotify_instances", "max_inotify_watches"];
    let mut all = limits.map(Unwatched::start);
    // The first look is behind them: the next one tells.
    for one in &all {
        one.server.maildir.deliver("Lists", &message("list"));
    }
    for one in &mut all {
        for count in 1..=2 {
            let mut idle = one.selected.idle();
            one.server.maildir.deliver("INBOX", &message("new"));
            let exists = format!("* {count} EXISTS");
            let recent = format!("* {count} RECENT");
            idle.expect(&[&exists, &recent]);
            idle.done(&[]);
        }
    }
    for one in &mut all {
        let patience = Some(NOTIFY_ALONE + PATIENCE);
        one.other.socket().set_read_timeout(patience).unwrap();
        let mut idle = one.other.idle();
        idle.expect(&["* STATUS Lists (UIDNEXT 2 MESSAGES 1)"]);
        let waited = one.since.elapsed();
        assert!(
            waited >= NOTIFY_ALONE,
            "not by itself, but after {waited:?}"
        );
        idle.done(&[]);
        let log = one.server.log();
        let command = "sysctl fs.inotify.max_user_watches=";
        assert_eq!(log.matches(command).count(), 1, "{log}");
    }
}
