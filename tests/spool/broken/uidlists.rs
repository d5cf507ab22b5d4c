//! Broken `dovecot-uidlist`s: which messages keep their UIDs, and what becomes of UIDVALIDITY.
//!
//! One way cannot be told from a whole file: it is cut off exactly between two records that were appended
//! since its header was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Put::*;
use super::*;
use crate::harness::{Kind, Setup, have, message};

/// The messages, by subject and UID. UIDs 1, 4 and 6 were given too, so 9 is the last.
const MESSAGES: [(&str, u32); 6] = [("a", 2), ("b", 3), ("c", 5), ("d", 7), ("e", 8), ("f", 9)];
const LAST_GIVEN: u32 = 9;
const VALIDITY: u32 = 1_700_000_000;
const HEADER: &str = "3 V1700000000 N5 Gd8457f1c082f036bc44c000083ecc375";
const RECORDS: [&str; 8] = [
    "2 :1700000000.a",
    "3 W7 :1700000000.b",
    "4 :1700000000.dead",
    "5 :1700000000.c",
    "6 :1700000000.dead2",
    "7 :1700000000.d",
    "8 G1234 :1700000000.e",
    "9 :1700000000.f",
];

/// The file with this header.
fn under(header: impl AsRef<[u8]>) -> Put {
    let mut bytes = header.as_ref().to_vec();
    bytes.push(b'\n');
    for record in RECORDS {
        bytes.extend_from_slice(record.as_bytes());
        bytes.push(b'\n');
    }
    Bytes(bytes)
}

fn whole() -> Vec<u8> {
    match under(HEADER) {
        Bytes(bytes) => bytes,
        _ => unreachable!(),
    }
}

/// The file with another line in the place of this record.
fn with(record: &str, line: impl AsRef<[u8]>) -> Put {
    let mut bytes = Vec::new();
    for old in [HEADER].iter().chain(&RECORDS) {
        match *old != HEADER && old.split(' ').next() == Some(record) {
            true => bytes.extend_from_slice(line.as_ref()),
            false => bytes.extend_from_slice(old.as_bytes()),
        }
        bytes.push(b'\n');
    }
    Bytes(bytes)
}

/// The file up to this text, and then something else.
fn cut(before: &str, then: impl AsRef<[u8]>) -> Put {
    let whole = whole();
    let at = memchr::memmem::find(&whole, before.as_bytes()).unwrap();
    Bytes([&whole[..at], then.as_ref()].concat())
}

/// What becomes of UIDVALIDITY.
#[derive(Clone, Copy, PartialEq)]
enum Validity {
    Kept,
    /// Larger than this.
    Above(u32),
}

use Validity::*;

const LARGER: Validity = Above(VALIDITY);

/// What was done to the file, whose messages keep their UIDs, what UIDVALIDITY becomes, what the log says.
type Row = (
    &'static str,
    Put,
    &'static str,
    Validity,
    Option<&'static str>,
);

#[rustfmt::skip]
fn uidlists() -> Vec<Row> {
    let mebibyte = "x".repeat(1 << 20);
    vec![
        ("nothing", under(HEADER), "abcdef", Kept, None),
        // Not there, or no file.
        ("missing", Nothing, "", LARGER, None),
        ("empty", text(""), "", LARGER, Some("line 1")),
        ("one line end", text("\n"), "", LARGER, Some("line 1")),
        ("a directory", Directory, "", LARGER, Some("no file")),
        ("a link", Link, "", LARGER, Some("no file")),
        ("a link to nowhere", DanglingLink, "", LARGER, Some("no file")),
        ("a FIFO", Fifo, "", LARGER, Some("no file")),
        ("a socket", Socket, "", LARGER, Some("no file")),
        ("mode 0", Mode0, "abcdef", Kept, Some("now can")),
        ("another's file", Foreign, "", LARGER, is_root().then_some("no file")),
        // Cut off.
        ("cut in the header", cut("0000 N5", ""), "", LARGER, Some("line 1")),
        ("cut before the header's end", text(HEADER), "", LARGER, Some("line 1")),
        ("cut behind a true header", text("3 V1700000000 N10\n"), "", Kept, None),
        ("cut in a name", cut("00.c", ""), "ab", Kept, Some("cut off")),
        ("cut in a field", cut("7 :", ""), "a", Kept, Some("cut off")),
        ("cut behind a UID", cut(" :1700000000.d\n", ""), "abc", Kept, Some("cut off")),
        ("cut in the first record", cut("\n3 W7", ""), "", Kept, Some("cut off")),
        ("cut before the last line end", cut("f\n", "f"), "abcde", Kept, Some("cut off")),
        // The header.
        ("header garbage", under("%PDF-1.4 \u{7}"), "abcdef", LARGER, Some("line 1")),
        ("header gone", cut("3 V", RECORDS.join("\n") + "\n"), "abcdef", LARGER, Some("line 1")),
        ("header empty", under(""), "abcdef", LARGER, Some("line 1")),
        ("N missing", under("3 V1700000000"), "abcdef", LARGER, Some("next UID")),
        ("N = 0", under("3 V1700000000 N0"), "abcdef", LARGER, Some("next UID")),
        ("N huge", under("3 V1700000000 N99999999999"), "abcdef", LARGER, Some("next UID")),
        ("N no number", under("3 V1700000000 Nx5"), "abcdef", LARGER, Some("next UID")),
        ("N twice", under("3 V1700000000 N11 N12 N5"), "abcdef", Kept, Some("line 1")),
        ("N twice, once no number", under("3 V1700000000 N5 Nx"), "abcdef", LARGER, Some("next UID")),
        ("N lower than the last UID", under(HEADER.replace("N5", "N1")), "abcdef", Kept, None),
        ("N the last number", under("3 V1700000000 N4294967295"), "", LARGER, Some("used up")),
        ("V missing", under("3 N5"), "abcdef", LARGER, Some("UIDVALIDITY")),
        ("V = 0", under("3 V0 N5"), "abcdef", LARGER, Some("UIDVALIDITY")),
        ("V huge", under("3 V99999999999 N5"), "abcdef", LARGER, Some("UIDVALIDITY")),
        ("V far ahead, N missing", under("3 V4000000000"), "abcdef", Above(4_000_000_000), Some("next UID")),
        ("V twice", under("3 V1700000000 N5 V4000000001"), "abcdef", Above(4_000_000_001), Some("next UID")),
        ("version 2", under("2 V1700000000 N5"), "abcdef", Kept, Some("line 1")),
        ("version 9", under("9 V1700000000 N5"), "abcdef", Kept, Some("line 1")),
        ("version missing", under("V1700000000 N5"), "abcdef", Kept, Some("line 1")),
        ("GUID garbage", under("3 V1700000000 N5 Gzzz"), "abcdef", Kept, None),
        ("unknown fields", under("3 V1700000000 N5 Xfoo Pbar"), "abcdef", Kept, None),
        ("a header of 1 MiB", under(format!("{HEADER} X{mebibyte}")), "abcdef", Kept, Some("line 1")),
        ("BOM", under(format!("\u{feff}{HEADER}")), "abcdef", Kept, Some("line 1")),
        // The lines.
        ("CRLF", Bytes(replaced(&whole(), "\n", "\r\n")), "abcdef", Kept, Some("line 1, and 8 more")),
        ("LF twice", Bytes(replaced(&whole(), "\n", "\n\n")), "abcdef", Kept, Some("line 2, and 8 more")),
        ("NUL for a line", with("3", [0; 20]), "acdef", Kept, Some("line 3")),
        ("NUL to the end", cut("5 :", [0; 99]), "ab", Kept, Some("cut off")),
        ("NUL lines to the end", cut("5 :", [0, 10, 0, 10]), "ab", Kept, Some("line 5, and 1 more")),
        ("NUL over a line end", Bytes(replaced(&whole(), "00.c\n6 :", "\0\0\0\0\0\0\0\0")), "abdef", Kept, Some("line 5")),
        ("NUL alone", Bytes(vec![0; 4096]), "", LARGER, Some("line 1")),
        ("garbage in the middle", with("5", "#%&\n\u{fffd}\n-- "), "abdef", Kept, Some("line 5, and 2 more")),
        ("garbage at the end", with("9", "#%&"), "abcde", Kept, Some("line 9")),
        ("garbage alone", Bytes(garbage(100_000)), "", LARGER, Some("line 1")),
        ("a line of 1 MiB", with("5", format!("5 :{mebibyte}")), "abdef", Kept, Some("line 5")),
        ("a UID twice", with("9", "8 :1700000000.f"), "abcd", Kept, Some("line 9")),
        ("a name twice", with("9", "9 :1700000000.f\n10 :1700000000.e"), "abcdf", Kept, Some("named twice")),
        ("all lines twice", cut("2 :", (RECORDS.join("\n") + "\n").repeat(2)), "abcdef", Kept, Some("line 10")),
        ("two lines exchanged", with("7", "8 :1700000000.e\n7 :1700000000.d\n9 :1700000000.f"), "abcf", Kept, Some("line 8")),
        ("a UID far too high", with("5", "4000000 :1700000000.c"), "abdef", Kept, Some("line 6")),
        ("UIDs fall", cut("2 :", falling()), "", Kept, Some("line 3, and 6 more")),
        ("UID 0", with("5", "0 :1700000000.c"), "abdef", Kept, Some("line 5")),
        ("UID 4294967295", with("5", "4294967295 :1700000000.c"), "abdef", Kept, Some("line 5")),
        ("UID 4294967294", with("9", "4294967294 :1700000000.f"), "", LARGER, Some("used up")),
        ("UID huge", with("5", "99999999999999999999 :1700000000.c"), "abdef", Kept, Some("line 5")),
        ("UID negative", with("5", "-5 :1700000000.c"), "abdef", Kept, Some("line 5")),
        ("UID alone", with("5", "5"), "abdef", Kept, Some("line 5")),
        ("no name", with("5", "5 :"), "abdef", Kept, Some("line 5")),
        ("a name with /", with("5", "5 :cur/1700000000.c"), "abdef", Kept, Some("line 5")),
        ("a name with NUL", with("5", "5 :1700000000\0.c"), "abdef", Kept, Some("line 5")),
        ("a name with flags", with("5", "5 :1700000000.c:2,S"), "abcdef", Kept, None),
        ("TAB for a space", with("5", "5\t:1700000000.c"), "abdef", Kept, Some("line 5")),
        ("a field's key is no letter", with("5", "5 ?1 :1700000000.c"), "abcdef", Kept, None),
        // The versions.
        ("version 1", text(version_1("1 1700000000 10")), "abcdef", Kept, None),
        ("version 1, next UID too low", text(version_1("1 1700000000 2")), "abcdef", Kept, None),
        ("version 1, next UID missing", text(version_1("1 1700000000")), "abcdef", LARGER, Some("next UID")),
        ("version 1, lines of version 3", under("1 1700000000 10"), "abcdef", Kept, None),
        ("version 3, lines of version 1", text(version_1(HEADER)), "abcdef", Kept, Some("line 2, and 5 more")),
    ]
}

fn falling() -> String {
    RECORDS
        .iter()
        .rev()
        .map(|line| format!("{line}\n"))
        .collect()
}

fn version_1(header: &str) -> String {
    let records = MESSAGES.map(|(subject, uid)| format!("{uid} 1700000000.{subject}\n"));
    format!("{header}\n{}", records.concat())
}

fn uids_after(row: &Row, folder: &str, c: &mut Client) -> (u32, BTreeMap<String, u32>) {
    let (what, _, kept, validity, _) = row;
    let (is, uids) = picture(c, folder);
    match validity {
        Kept => assert_eq!(is, VALIDITY, "{what}"),
        Above(before) => assert!(is > *before, "{what}: UIDVALIDITY {is}"),
    }
    assert_eq!(uids.len(), MESSAGES.len(), "{what}: {uids:?}");
    for (subject, old) in MESSAGES {
        let new = uids[subject];
        if kept.contains(subject) {
            assert_eq!(new, old, "{what}: {subject} keeps its UID; {uids:?}");
        } else if *validity == Kept {
            assert!(
                new > LAST_GIVEN,
                "{what}: {subject} has {new}, which was another's; {uids:?}"
            );
        }
    }
    (is, uids)
}

#[test]
fn uidlists_broken_in_every_way() {
    let maildir = Arc::new(Maildir::new());
    let rows = uidlists();
    println!("{} broken uidlists", rows.len());
    let folders: Vec<String> = (0..rows.len()).map(|at| format!("U{at:02}")).collect();
    for (row, folder) in rows.iter().zip(&folders) {
        make_folder(&maildir, folder);
        for (subject, _) in MESSAGES {
            let name = format!("1700000000.{subject}:2,S");
            maildir.place(folder, "cur", &name, message(subject).as_bytes());
        }
        let path = maildir.folder(folder).join("dovecot-uidlist");
        row.1.put(&path, &whole());
    }
    let mut found = Vec::new();
    let server = Setup::new(Kind::Culver).start(&maildir);
    let mut c = server.client();
    for (row, folder) in rows.iter().zip(&folders) {
        let file = format!("/.{folder}/dovecot-uidlist");
        let (validity, mut uids) = uids_after(row, folder, &mut c);
        check_warning(&server, &file, row.4, row.0);
        let path = maildir.folder(folder).join("dovecot-uidlist");
        check_copy(&path, &row.1, row.4.is_some(), row.0);
        // It is an ordinary mailbox: a message can be added, and has a UID above all others.
        let uid = c.append(folder, "", &message("new"));
        assert!(
            uids.values().all(|other| *other < uid),
            "{}: {uids:?} {uid}",
            row.0
        );
        uids.insert("new".to_owned(), uid);
        found.push((validity, uids));
        check_warning(&server, &file, row.4, row.0);
    }
    drop(c);
    server.stop();
    // After a restart nothing has changed, and nobody complains.
    let mut servers = vec![Kind::Culver];
    servers.extend(have("dovecot").then_some(Kind::Dovecot));
    for kind in servers {
        let server = Setup::new(kind).start(&maildir);
        let mut c = server.client();
        for ((row, folder), found) in rows.iter().zip(&folders).zip(&found) {
            assert_eq!(picture(&mut c, folder), *found, "{kind:?}: {}", row.0);
        }
        assert!(!server.log().contains("WARN"), "{}", server.log());
        assert!(!server.log().contains("rror: "), "{}", server.log());
        drop(c);
        server.stop();
    }
}
