//! SIGTERM: running commands finish, BYE is said, nothing is lost.

use std::sync::Arc;

use crate::harness::{Maildir, Server, message};

#[test]
fn idle_and_waiting_clients_hear_bye() {
    let mut server = Server::start();
    let mut idling = server.selected("INBOX");
    let mut waiting = server.selected("INBOX");
    let mut strange = server.connect();
    idling.send(b"i IDLE\r\n");
    assert!(idling.line().starts_with(b"+"));
    server.terminate();
    for c in [&mut idling, &mut waiting, &mut strange] {
        let last = c.rest();
        assert!(
            last.iter().any(|line| line.starts_with("* BYE")),
            "{last:?}"
        );
    }
    let status = server.wait();
    assert!(status.success() || server.either(false, true), "{status}");
}

#[test]
fn an_append_under_way_is_finished_or_leaves_nothing() {
    let maildir = Arc::new(Maildir::new());
    let mut server = Server::on(&maildir);
    let mut c = server.client();
    let text = message("half");
    c.send(format!("x APPEND INBOX {{{}+}}\r\n{}", text.len(), &text[..50]).as_bytes());
    let mut other = server.client();
    other.ok("NOOP");
    server.terminate();
    let _ = c.try_send(format!("{}\r\n", &text[50..]).as_bytes());
    let answers = c.rest();
    server.wait();
    let kept = maildir.files("INBOX").len();
    let acknowledged = answers.iter().any(|line| line.starts_with("x OK"));
    assert!(
        kept <= 1 && (kept == 1 || !acknowledged),
        "{answers:?}, {kept} files"
    );
    let server = Server::on(&maildir);
    let status = server.client().ok("STATUS INBOX (MESSAGES)");
    assert_eq!(status, [format!("* STATUS INBOX (MESSAGES {kept})")]);
}

#[test]
fn a_new_server_starts_where_one_was_killed() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    let mut c = server.client();
    c.append("INBOX", "(\\Flagged) ", &message("one"));
    server.kill();
    let server = Server::on(&maildir);
    let mut c = server.selected("INBOX");
    assert!(c.ok("FETCH 1 FLAGS")[0].contains("\\Flagged"));
}
