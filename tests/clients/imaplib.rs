//! Python's imaplib, by a small script: every call of it that a program is likely to make.

use std::process::Command;

use crate::harness::{Server, have};

const SCRIPT: &str = r#"
import imaplib, ssl, sys, time

plain, secure = int(sys.argv[1]), int(sys.argv[2])
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data

with imaplib.IMAP4("127.0.0.1", plain) as m:
    ok(m.starttls(context))
    ok(m.login("u", "p"))
    ok(m.noop())

m = imaplib.IMAP4_SSL("127.0.0.1", secure, ssl_context=context)
ok(m.authenticate("PLAIN", lambda _: b"\0u\0p"))
assert b"IMAP4REV1" in ok(m.capability())[0].upper()
ok(m.create("Entw&APw-rfe"))
ok(m.create('"with space"'))
ok(m.subscribe("Entw&APw-rfe"))
assert len(ok(m.list())) == 3, m.list()
assert b"Entw&APw-rfe" in ok(m.lsub())[0]
text = b"From: a@example.org\r\nSubject: from python\r\n\r\nbody\r\n"
when = imaplib.Time2Internaldate(1700000000)
ok(m.append("INBOX", r"(\Seen)", when, text))
ok(m.append("INBOX", None, None, text))
assert ok(m.select()) == [b"2"]
assert ok(m.search(None, "ALL")) == [b"1 2"]
assert ok(m.search("UTF-8", "SUBJECT", "python", "UNSEEN")) == [b"2"]
data = ok(m.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])"))
assert data[0][1] == text, data
stamp = time.mktime(imaplib.Internaldate2tuple(data[0][0] + data[1]))
assert stamp == 1700000000, stamp
assert rb"\Seen" in b"".join(p for d in data for p in (d if isinstance(d, tuple) else (d,)))
ok(m.store("2", "+FLAGS", r"(\Flagged later)"))
ok(m.uid("STORE", "2", "-FLAGS", "(later)"))
ok(m.copy("1:2", '"with space"'))
assert b"MESSAGES 2" in ok(m.status('"with space"', "(MESSAGES UIDNEXT)"))[0]
ok(m.uid("MOVE", "2", "Entw&APw-rfe"))
assert ok(m.search(None, "ALL")) == [b"1"]
ok(m.store("1", "+FLAGS", r"\Deleted"))
assert ok(m.expunge())[-1] == b"1"
ok(m.check())
ok(m.unselect())
ok(m.select("Entw&APw-rfe", readonly=True))
assert ok(m.fetch("1", "(UID)"))
ok(m.close())
ok(m.rename("Entw&APw-rfe", "Neu"))
ok(m.unsubscribe("Entw&APw-rfe"))
ok(m.delete("Neu"))
assert ok(m.namespace())
kind, data = m.select("nosuch")
assert kind == "NO", (kind, data)
m.logout()
print("done")
"#;

#[test]
fn a_script_of_everyday_calls() {
    if !have("python3") {
        return;
    }
    let server = Server::start();
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .args([
            server.imap.port().to_string(),
            server.imaps.port().to_string(),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stdout == b"done\n",
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
