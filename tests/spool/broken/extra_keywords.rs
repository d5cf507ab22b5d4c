//! Broken `culver.keywords`: which of the keywords without a letter messages still have.

use std::sync::Arc;

use super::Put::*;
use super::*;
use crate::harness::{Kind, Setup, message};

/// What was done to the file; the keywords of the messages a, b and c; what the log says.
type Row = (&'static str, Put, [&'static str; 3], Option<&'static str>);

const WHOLE: &str = "V\t1\nk 26 Work\nk 27 $Forwarded\nk 28 Later\n\
    m 26 :1700000000.a\nm 26,27 :1700000000.b\nm 28 :1700000000.c\n";
const ALL: [&str; 3] = ["Work", "Work $Forwarded", "Later"];
const NONE: [&str; 3] = [""; 3];
const UNNAMED: [&str; 3] = ["unknown-26", "unknown-26 unknown-27", "unknown-28"];

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let without = |line: &str| text(WHOLE.replace(line, ""));
    let with = |old: &str, new: &str| text(WHOLE.replace(old, new));
    let behind = |line: &str| text(format!("{WHOLE}{line}"));
    let mebibyte = "x".repeat(1 << 20);
    let without_27 = ["Work", "Work unknown-27", "Later"];
    vec![
        ("nothing", text(WHOLE), ALL, None),
        ("missing", Nothing, NONE, None),
        ("empty", text(""), NONE, None),
        ("a directory", Directory, NONE, Some("no file")),
        ("a link", Link, NONE, Some("no file")),
        ("a link to nowhere", DanglingLink, NONE, Some("no file")),
        ("a FIFO", Fifo, NONE, Some("no file")),
        ("a socket", Socket, NONE, Some("no file")),
        ("mode 0", Mode0, ALL, Some("now can")),
        ("another's file", Foreign, NONE, is_root().then_some("no file")),
        // What a process that was stopped has left behind the last line end is nothing.
        ("the last line end missing", text(WHOLE.trim_end()), ["Work", "Work $Forwarded", ""], None),
        ("cut amid a line", text(&WHOLE[..WHOLE.len() - 5]), ["Work", "Work $Forwarded", ""], None),
        ("no version", without("V\t1\n"), ALL, Some("line 1")),
        ("another version", with("V\t1", "V\t2"), ALL, Some("line 1")),
        ("BOM", text(format!("\u{feff}{WHOLE}")), ALL, Some("line 1")),
        ("CRLF", text(WHOLE.replace('\n', "\r\n")), NONE, Some("line 1")),
        ("empty lines", text(WHOLE.replace('\n', "\n\n")), ALL, Some("line 2")),
        ("NUL alone", Bytes(vec![0; 512]), NONE, None),
        ("NUL and a line end", Bytes([vec![0; 512], b"\n".to_vec()].concat()), NONE, Some("line 1")),
        ("a name lost", without("k 27 $Forwarded\n"), without_27, None),
        ("all names lost", without("k 26 Work\nk 27 $Forwarded\nk 28 Later\n"), UNNAMED, None),
        ("names behind messages", text(format!("V\t1\n{}{}", &WHOLE[41..], &WHOLE[4..41])), ALL, None),
        ("NUL in a name", with("$For", "$For\0"), without_27, Some("line 3")),
        ("a name that is no atom", with("$Forwarded", "a]b"), without_27, Some("line 3")),
        ("a name of 8-bit octets", with("$Forwarded", "Entwürfe"), without_27, Some("line 3")),
        ("a name twice", with("$Forwarded", "WORK"), without_27, Some("line 3")),
        ("a number twice", with("k 28", "k 26 Other\nk 28"), ALL, Some("line 4")),
        ("a letter's number", behind("k 25 Low\n"), ALL, Some("line 8")),
        ("a number too high", behind("k 1000 High\n"), ALL, Some("line 8")),
        ("a huge number", behind("k 99999999999999999999 High\n"), ALL, Some("line 8")),
        ("a message's number too high", behind("m 1000 :1700000000.a\n"), ALL, Some("line 8")),
        ("a message without numbers", behind("m  :1700000000.a\n"), ALL, Some("line 8")),
        ("a message taken back", behind("m - :1700000000.a\n"), ["", "Work $Forwarded", "Later"], None),
        ("a message twice", behind("m 28,26 :1700000000.a\n"), ["Work Later", "Work $Forwarded", "Later"], None),
        ("a message that is not there", behind("m 26 :1700000000.zz\n"), ALL, None),
        ("a name that leads out", behind("m 26 :../1700000000.a\n"), ALL, Some("line 8")),
        ("a name with flags", behind("m 28 :1700000000.a:2,S\n"), ALL, Some("line 8")),
        ("no base name", behind("m 26 :\n"), ALL, Some("line 8")),
        ("a line unknown", behind("x 26 :1700000000.a\n"), ALL, Some("line 8")),
        ("garbage behind it", Bytes([WHOLE.as_bytes(), &garbage(5_000), b"\n"].concat()), ALL, Some("line 8")),
        ("a line of 1 MiB", with("k 27 $Forwarded", &format!("k 27 {mebibyte}")), without_27, Some("line 3")),
        ("a message's line of 1 MiB", with("m 26 :", &format!("m 26{} :", ",26".repeat(1 << 18))), ["", "Work $Forwarded", "Later"], Some("line 5")),
        ("more than is read", Bytes([WHOLE.as_bytes(), format!("{mebibyte}\n").repeat(65).as_bytes()].concat()), ALL, Some("line 8")),
    ]
}

#[test]
fn keywords_without_letters_broken_in_every_way() {
    let maildir = Arc::new(Maildir::new());
    let rows = rows();
    println!("{} broken tables of keywords without letters", rows.len());
    let folders: Vec<String> = (0..rows.len()).map(|at| format!("E{at:02}")).collect();
    for (row, folder) in rows.iter().zip(&folders) {
        make_folder(&maildir, folder);
        for base in ["a", "b", "c"] {
            let name = format!("1700000000.{base}:2,");
            maildir.place(folder, "cur", &name, message(base).as_bytes());
        }
        let path = maildir.folder(folder).join("culver.keywords");
        row.1.put(&path, WHOLE.as_bytes());
    }
    for first in [true, false] {
        let server = Setup::new(Kind::Culver).start(&maildir);
        let mut c = server.client();
        for ((what, put, wanted, warning), folder) in rows.iter().zip(&folders) {
            let mut seen = flags_of(&mut c, folder);
            if first {
                let file = format!("/.{folder}/culver.keywords");
                check_warning(&server, &file, *warning, what);
                let path = maildir.folder(folder).join("culver.keywords");
                // A change has the file mended, and a number that is new is no other's.
                let letters: String = (0..26).map(|number| format!(" L{number}")).collect();
                c.ok(&format!("STORE 1 +FLAGS ({})", letters.trim_start()));
                c.ok(&format!("STORE 1 -FLAGS ({})", letters.trim_start()));
                c.ok("STORE 3 +FLAGS (Fresh)");
                check_copy(&path, put, warning.is_some(), what);
            } else {
                assert!(seen[2].ends_with("Fresh"), "{what}: {seen:?}");
                seen[2] = seen[2].replace("Fresh", "").trim_end().to_owned();
            }
            assert_eq!(seen, *wanted, "{what}");
        }
        if !first {
            assert!(!server.log().contains("WARN"), "{}", server.log());
        }
        drop(c);
        server.stop();
    }
}
