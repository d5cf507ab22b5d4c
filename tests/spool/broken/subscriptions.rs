//! Broken `subscriptions`: which names are still subscribed, and what the next change makes of the file.

use std::sync::Arc;

use super::Put::*;
use super::*;
use crate::harness::{Kind, Setup};

/// What was done to the file; the names that are still subscribed; the file after the next change, up to
/// the new name; what the log says.
type SubscriptionRow = (
    &'static str,
    Put,
    &'static [&'static str],
    &'static str,
    Option<&'static str>,
);

const SUBSCRIPTIONS: &str = "V\t2\n\nINBOX\nArchive\t2024\nDrafts\n";
const ALL: &[&str] = &["INBOX", "Archive.2024", "Drafts"];

#[rustfmt::skip]
fn subscriptions() -> Vec<SubscriptionRow> {
    let mebibyte = "x".repeat(1 << 20);
    let new = "V\t2\n\n";
    let garbage = || "\u{7}\0\u{fffd}\n".repeat(100);
    vec![
        ("nothing", text(SUBSCRIPTIONS), ALL, SUBSCRIPTIONS, None),
        ("missing", Nothing, &[], new, None),
        ("empty", text(""), &[], "", None),
        ("a directory", Directory, &[], new, Some("no file")),
        ("a link", Link, &[], new, Some("no file")),
        ("a FIFO", Fifo, &[], new, Some("no file")),
        ("mode 0", Mode0, ALL, SUBSCRIPTIONS, Some("now can")),
        ("version 1", text("INBOX\nArchive.2024\nDrafts\n"), ALL, "INBOX\nArchive.2024\nDrafts\n", None),
        ("version 9", text(SUBSCRIPTIONS.replace("V\t2", "V\t9")), ALL, SUBSCRIPTIONS, Some("line 1")),
        ("header cut", text(SUBSCRIPTIONS.replace("V\t2", "V\t")), ALL, SUBSCRIPTIONS, Some("line 1")),
        ("header gone", text(&SUBSCRIPTIONS[5..]), ALL, SUBSCRIPTIONS, Some("line 1")),
        ("BOM", text(format!("\u{feff}{SUBSCRIPTIONS}")), ALL, SUBSCRIPTIONS, Some("line 1")),
        ("CRLF", text(SUBSCRIPTIONS.replace('\n', "\r\n")), ALL, SUBSCRIPTIONS, Some("line 1")),
        ("NUL alone", Bytes(vec![0; 512]), &[], "", Some("line 1")),
        ("NUL in the middle", text("V\t2\n\nINBOX\n\0\0\0\0\nDrafts\n"), &["INBOX", "Drafts"], "V\t2\n\nINBOX\nDrafts\n", Some("line 4")),
        ("garbage alone", text(garbage()), &[], "", Some("line 1")),
        ("garbage behind", text(format!("{SUBSCRIPTIONS}{}", garbage())), ALL, SUBSCRIPTIONS, Some("line 6")),
        ("no mUTF-7", text(format!("{SUBSCRIPTIONS}&bad\nEntw\u{fc}rfe\n&-ok\n")), &["INBOX", "Archive.2024", "Drafts", "&-ok"], "V\t2\n\nINBOX\nArchive\t2024\nDrafts\n&-ok\n", Some("line 6")),
        ("names twice", text("V\t2\n\nDrafts\nDrafts\n"), &["Drafts"], "V\t2\n\nDrafts\nDrafts\n", None),
        ("names that cannot be", text("V\t2\n\n..\n/etc\nDrafts\n~root\nA\t\tB\n"), &["Drafts"], "V\t2\n\n..\n/etc\nDrafts\n~root\nA\t\tB\n", None),
        ("a line of 1 MiB", text(format!("V\t2\n\n{mebibyte}\nDrafts\n")), &["Drafts"], "V\t2\n\nDrafts\n", Some("line 3")),
        ("the last line end missing", text(SUBSCRIPTIONS.trim_end()), ALL, SUBSCRIPTIONS, None),
    ]
}

#[test]
fn subscriptions_broken_in_every_way() {
    let rows = subscriptions();
    println!("{} broken subscriptions", rows.len());
    for (what, put, names, after, warning) in rows {
        let maildir = Arc::new(Maildir::new());
        let path = maildir.path().join("subscriptions");
        put.put(&path, SUBSCRIPTIONS.as_bytes());
        let server = Setup::new(Kind::Culver).start(&maildir);
        let mut c = server.client();
        let lsub = |c: &mut Client| -> Vec<String> {
            let lines = c.ok("LSUB \"\" *");
            let name = |line: &String| {
                line.rsplit(' ')
                    .next()
                    .unwrap()
                    .trim_matches('"')
                    .to_owned()
            };
            lines.iter().map(name).collect()
        };
        assert_eq!(lsub(&mut c), names, "{what}");
        c.ok("CREATE New");
        c.ok("SUBSCRIBE New");
        let wanted: Vec<&str> = names.iter().copied().chain(["New"]).collect();
        assert_eq!(lsub(&mut c), wanted, "{what}");
        check_warning(&server, "/subscriptions", warning, what);
        check_copy(&path, &put, warning.is_some(), what);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{after}New\n"), "{what}");
        drop(c);
        server.stop();
    }
}
