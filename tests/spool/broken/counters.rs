//! Broken `dovecot-uidvalidity`: the next mailbox gets a UIDVALIDITY above all that were given all the same.

use std::sync::Arc;

use super::Put::*;
use super::*;
use crate::harness::{Kind, Setup};

const LAST: u32 = 0x7000_0000;

/// What was done; the file; its twins; what the next value must be above; what the log says.
type Row<'a> = (&'a str, Put, &'a [&'a str], u32, Option<&'a str>);

#[test]
#[rustfmt::skip]
fn counters_of_uidvalidity_broken_in_every_way() {
    let last = &["dovecot-uidvalidity.70000000"][..];
    let rows: Vec<Row> = vec![
        ("nothing", text("70000000"), last, LAST, None),
        ("both missing", Nothing, &[], 1_700_000_000, None),
        ("the file missing", Nothing, last, LAST, None),
        ("the twin missing", text("70000000"), &[], LAST, None),
        ("empty", text(""), last, LAST, Some("line 1")),
        ("cut", text("7000"), last, LAST, Some("line 1")),
        ("a line end", text("70000000\n"), last, LAST, Some("line 1")),
        ("garbage", text("zzzzzzzz"), last, LAST, Some("line 1")),
        ("NUL", text([0; 8]), last, LAST, Some("line 1")),
        ("zero", text("00000000"), last, LAST, Some("line 1")),
        ("too low", text("00000001"), last, LAST, None),
        ("too high", text("ffffffff"), last, LAST, None),
        ("1 MiB", text("7".repeat(1 << 20)), last, LAST, Some("line 1")),
        ("a directory", Directory, last, LAST, Some("no file")),
        ("a link", Link, last, LAST, Some("no file")),
        ("a FIFO", Fifo, last, LAST, Some("no file")),
        ("mode 0", Mode0, last, LAST, Some("now can")),
        ("many twins", text("6fffffff"), &["dovecot-uidvalidity.70000000", "dovecot-uidvalidity.6fffffff", "dovecot-uidvalidity.00000001"], LAST, None),
        ("twins that are none", text("70000000"), &["dovecot-uidvalidity.70000000", "dovecot-uidvalidity.", "dovecot-uidvalidity.7000000G", "dovecot-uidvalidity.7FFFFFFF", "dovecot-uidvalidity.broken.2"], LAST, None),
    ];
    println!("{} broken counters", rows.len());
    for (what, put, twins, above, warning) in rows {
        let maildir = Arc::new(Maildir::new());
        let path = maildir.path().join("dovecot-uidvalidity");
        put.put(&path, b"70000000");
        for twin in twins {
            let path = maildir.path().join(twin);
            fs::write(&path, "").unwrap();
            own(&path);
        }
        let server = Setup::new(Kind::Culver).start(&maildir);
        let mut c = server.client();
        let mut before = above;
        for name in ["One", "Two"] {
            c.ok(&format!("CREATE {name}"));
            let (validity, _) = picture(&mut c, name);
            assert!(validity > before, "{what}: {validity} after {before}");
            before = validity;
        }
        check_warning(&server, "/dovecot-uidvalidity", warning, what);
        check_copy(&path, &put, warning.is_some(), what);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{before:08x}"),
            "{what}"
        );
        assert!(
            maildir
                .path()
                .join(format!("dovecot-uidvalidity.{before:08x}"))
                .exists()
        );
        drop(c);
        server.stop();
    }
}
