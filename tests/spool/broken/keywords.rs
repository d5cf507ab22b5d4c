//! Broken `dovecot-keywords`: what the letters in file names still mean.

use std::sync::Arc;

use super::Put::*;
use super::*;
use crate::harness::{Kind, Setup, have, message};

/// What was done to the file; the keywords of the messages with letters a, ab and c; what the log says.
type KeywordRow = (&'static str, Put, [&'static str; 3], Option<&'static str>);

const KEYWORDS: &str = "0 Work\n1 $Forwarded\n2 Later\n";
const NAMED: [&str; 3] = ["Work", "Work $Forwarded", "Later"];
const UNNAMED: [&str; 3] = ["unknown-0", "unknown-0 unknown-1", "unknown-2"];

#[rustfmt::skip]
fn keywords() -> Vec<KeywordRow> {
    let mebibyte = "x".repeat(1 << 20);
    let without_1 = ["Work", "Work unknown-1", "Later"];
    vec![
        ("nothing", text(KEYWORDS), NAMED, None),
        ("missing", Nothing, UNNAMED, None),
        ("empty", text(""), UNNAMED, None),
        ("a directory", Directory, UNNAMED, Some("no file")),
        ("a link", Link, UNNAMED, Some("no file")),
        ("a FIFO", Fifo, UNNAMED, Some("no file")),
        ("mode 0", Mode0, NAMED, Some("now can")),
        ("another's file", Foreign, UNNAMED, is_root().then_some("no file")),
        ("the last line end missing", text(KEYWORDS.trim_end()), NAMED, Some("line 3")),
        ("cut behind a number", text("0 Work\n1 $Forwarded\n2"), ["Work", "Work $Forwarded", "unknown-2"], Some("line 3")),
        ("BOM", text(format!("\u{feff}{KEYWORDS}")), NAMED, Some("line 1")),
        ("CRLF", text(KEYWORDS.replace('\n', "\r\n")), NAMED, Some("line 1")),
        ("empty lines", text(KEYWORDS.replace('\n', "\n\n")), NAMED, Some("line 2")),
        ("NUL alone", Bytes(vec![0; 512]), UNNAMED, Some("line 1")),
        ("NUL in a name", text("0 Work\n1 $For\0arded\n2 Later\n"), without_1, Some("line 2")),
        ("garbage", Bytes(garbage(10_000)), UNNAMED, Some("line 1")),
        ("a garbage line", text("0 Work\n\u{7}%&/\n2 Later\n1 $Forwarded\n"), NAMED, Some("line 2")),
        ("number 26", text(format!("26 Far\n{KEYWORDS}")), NAMED, Some("line 1")),
        ("number -1", text(format!("{KEYWORDS}-1 Less\n")), NAMED, Some("line 4")),
        ("number huge", text(format!("{KEYWORDS}99999999999999999999 Far\n")), NAMED, Some("line 4")),
        ("a number twice", text("0 Work\n1 $Old\n2 Later\n1 $Forwarded\n"), NAMED, Some("line 4")),
        ("a name twice", text("0 Work\n1 WORK\n2 Later\n"), without_1, Some("line 2")),
        ("no name", text("0 Work\n1 \n2 Later\n"), without_1, Some("line 2")),
        ("no number", text("0 Work\n$Forwarded\n2 Later\n"), without_1, Some("line 2")),
        ("a name that is no atom", text("0 Work\n1 a]b\n2 Later\n"), ["Work", "Work", "Later"], None),
        ("a name of 8-bit octets", text("0 Work\n1 Entwürfe\n2 Later\n"), ["Work", "Work", "Later"], None),
        ("a line of 1 MiB", text(format!("0 Work\n1 {mebibyte}\n2 Later\n")), without_1, Some("line 2")),
        ("more than is read", text(format!("{KEYWORDS}{}", mebibyte.repeat(5))), NAMED, Some("line 4")),
    ]
}

#[test]
fn keywords_broken_in_every_way() {
    let maildir = Arc::new(Maildir::new());
    let rows = keywords();
    println!("{} broken tables of keywords", rows.len());
    let folders: Vec<String> = (0..rows.len()).map(|at| format!("K{at:02}")).collect();
    for (row, folder) in rows.iter().zip(&folders) {
        make_folder(&maildir, folder);
        for letters in ["a", "ab", "c"] {
            let name = format!("1700000000.{letters}:2,{letters}");
            maildir.place(folder, "cur", &name, message(letters).as_bytes());
        }
        let path = maildir.folder(folder).join("dovecot-keywords");
        row.1.put(&path, KEYWORDS.as_bytes());
    }
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    for ((what, put, wanted, warning), folder) in rows.iter().zip(&folders) {
        assert_eq!(flags_of(&mut c, folder), *wanted, "{what}");
        let file = format!("/.{folder}/dovecot-keywords");
        check_warning(&server, &file, *warning, what);
        let path = maildir.folder(folder).join("dovecot-keywords");
        check_copy(&path, put, warning.is_some(), what);
        c.ok("STORE 1 +FLAGS (Fresh)");
    }
    drop(c);
    server.stop();
    let mut servers = vec![Kind::Culver];
    servers.extend(have("dovecot").then_some(Kind::Dovecot));
    for kind in servers {
        let server = Setup::new(kind).start(&maildir);
        let mut c = server.client();
        for ((what, _, wanted, _), folder) in rows.iter().zip(&folders) {
            if what.contains("a name ") && what.contains("o") && kind == Kind::Dovecot {
                continue; // Dovecot shows names that no client can be sent.
            }
            let mut seen = flags_of(&mut c, folder);
            assert!(
                seen[0].split(' ').any(|flag| flag == "Fresh"),
                "{kind:?}: {what}"
            );
            seen[0] = seen[0].replace(" Fresh", "");
            assert_eq!(seen, *wanted, "{kind:?}: {what}");
        }
        assert!(!server.log().contains("WARN"), "{}", server.log());
        drop(c);
        server.stop();
    }
}
