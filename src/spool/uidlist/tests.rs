//! What a uidlist may look like, whole and broken, and what several programs do to it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;

use super::*;
use crate::spool::folder::Folder;
use crate::spool::testing::{Mail, folder};
use crate::spool::tree::Layout;

const BROKEN: &str = "dovecot-uidlist.broken";
const GUID: &str = "d8457f1c082f036bc44c000083ecc375";

fn record(uid: u32, base: &str) -> Record {
    Record {
        uid: Uid::new(uid).expect("a UID"),
        fields: Vec::new(),
        base: base.as_bytes().into(),
    }
}

fn whole(folder: &Folder) -> (UidList, Vec<Record>, bool) {
    match UidList::read(folder).expect("read") {
        Read::Whole {
            list,
            records,
            rewrite,
        } => (list, records, rewrite),
        other => panic!("{other:?}"),
    }
}

fn shown(records: &[Record]) -> Vec<(u32, String)> {
    let base = |record: &Record| String::from_utf8_lossy(&record.base).into_owned();
    records
        .iter()
        .map(|record| (record.uid.get(), base(record)))
        .collect()
}

fn pairs(expected: &[(u32, &str)]) -> Vec<(u32, String)> {
    expected
        .iter()
        .map(|(uid, base)| (*uid, (*base).to_owned()))
        .collect()
}

/// UIDVALIDITY, next UID, records, and whether to rewrite the file.
type Parsed = (u32, u32, Vec<(u32, String)>, bool);

/// Reads the text as a uidlist.
fn parsed(text: impl AsRef<[u8]>) -> Option<Parsed> {
    let mail = Mail::new();
    mail.write(NAME, text);
    match UidList::read(&folder(&mail)).expect("read") {
        Read::Missing => panic!("it is there"),
        Read::Broken(_) => {
            assert!(mail.exists(BROKEN));
            None
        }
        Read::Whole {
            list,
            records,
            rewrite,
        } => {
            let next = list.next.get();
            Some((list.uid_validity.get(), next, shown(&records), rewrite))
        }
    }
}

#[test]
fn version_3_as_dovecot_writes_it() {
    let mail = Mail::new();
    mail.write(
        NAME,
        format!(
            "3 V1795370762 N1 G{GUID} Xfoo Pbar M99\n\
             1 :1795370760.M256008P19652.vm,S=145,W=152\n\
             4 G1795370760.M238081P19652.vm,S=145,W=152 W152 P O7 :1795370760.M849175P19652.vm\n"
        ),
    );
    let (list, records, rewrite) = whole(&folder(&mail));
    assert!(!rewrite);
    assert_eq!(list.uid_validity.get(), 1_795_370_762);
    assert_eq!((list.next.get(), list.record_count()), (5, 2));
    assert_eq!(list.guid(), GUID);
    assert_eq!(
        records[0],
        record(1, "1795370760.M256008P19652.vm,S=145,W=152")
    );
    let keys: Vec<u8> = records[1].fields.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, b"GWPO");
    assert_eq!(records[1].virtual_size(), Some(152));
    assert_eq!(records[0].virtual_size(), None);
}

#[test]
fn what_is_not_understood_survives_a_rewrite() {
    let mail = Mail::new();
    let text = format!("3 V9 N10 G{GUID} Xfoo Pbar M\n2 Zq P :a b.c,S=1\n5 :d\n");
    mail.write(NAME, &text);
    let folder = folder(&mail);
    let (mut list, records, rewrite) = whole(&folder);
    assert!(!rewrite);
    let inode = mail.inode(NAME);
    list.rewrite(&folder, &records).expect("rewrite");
    assert_eq!(mail.read(NAME), text);
    assert_ne!(mail.inode(NAME), inode);
    assert!(!mail.exists(DRAFT));
    assert!(matches!(list.poll(&folder), Ok(Change::None)));
}

#[test]
fn version_1_is_read_and_becomes_version_3() {
    let mail = Mail::sample("v1", Layout::MaildirPlusPlus);
    let folder = folder(&mail);
    let (mut list, records, rewrite) = whole(&folder);
    assert!(rewrite);
    assert_eq!(
        (list.uid_validity.get(), list.next.get()),
        (1_234_567_890, 101)
    );
    let uids: Vec<u32> = records.iter().map(|record| record.uid.get()).collect();
    assert_eq!(uids, [10, 25, 26, 99]);
    assert_eq!(&*records[0].base, b"1650000000.M1P1.h,S=70");
    assert!(list.append(&folder, &[record(101, "x")]).is_err());
    list.rewrite(&folder, &records).expect("rewrite");
    let first = mail.read(NAME).lines().next().map(str::to_owned);
    assert_eq!(first, Some(format!("3 V1234567890 N101 G{}", list.guid())));
    list.append(&folder, &[record(101, "x")]).expect("append");
    let (list, records, rewrite) = whole(&folder);
    assert!(!rewrite);
    assert_eq!((list.next.get(), records.len()), (102, 5));
}

#[test]
fn headers_that_cannot_be_used() {
    let good = format!("3 V9 N10 G{GUID}\n1 :a\n");
    assert!(parsed(good).is_some());
    for header in [
        "",
        "\n",
        "3",
        "3  \n",
        "3V9 N10\n",
        "3 N10\n",
        "3 V9\n",
        "3 V0 N10\n",
        "3 V9 N0\n",
        "3 V9x N10\n",
        "3 V9 N-1\n",
        "3 V4294967296 N1\n",
        "3 V N1\n",
        "1 9\n",
        "1 9 0\n",
        "1 9 10 11\n",
        "3 V9 N10 V8\n",
        "3 V9 N10 Nx\n",
        "3 V9 N4294967295\n",
        "\0\0\0\0\n",
    ] {
        assert_eq!(parsed(format!("{header}1 :a\n")), None, "{header:?}");
    }
    assert_eq!(parsed("3".repeat(100_000)), None);
}

#[test]
fn headers_that_can() {
    for (header, next) in [
        (format!("3 N10 G{GUID} V9"), 10),
        (format!("3  V9   N10 G{GUID} "), 10),
        (format!("3 V9 N1 G{GUID}"), 2),
        (format!("3 V9 N4294967293 G{GUID}"), u32::MAX - 2),
    ] {
        let read = parsed(format!("{header}\n1 :a\n"));
        assert_eq!(read, Some((9, next, pairs(&[(1, "a")]), false)), "{header}");
    }
    // Without a GUID, or with one that is none, it gets a new one.
    for header in ["3 V9 N10", "3 V9 N10 Gxyz", "3 V9 N10 G"] {
        let read = parsed(format!("{header}\n1 :a\n"));
        assert_eq!(read, Some((9, 10, pairs(&[(1, "a")]), true)), "{header}");
    }
}

#[test]
fn headers_that_are_mended() {
    for header in [
        "2 V9 N10",
        "9 V9 N10",
        "30 V9 N10",
        "x V9 N10",
        "V9 N10",
        "\u{feff}3 V9 N10",
        "3 V9 N10 N9",
    ] {
        let read = parsed(format!("{header} G{GUID}\n1 :a\n"));
        assert_eq!(read, Some((9, 10, pairs(&[(1, "a")]), true)), "{header:?}");
    }
    let read = parsed(format!("3 V9 N10 G{GUID}\r\n1 :a\r\n"));
    assert_eq!(read, Some((9, 10, pairs(&[(1, "a")]), true)));
    let long = format!("3 V9 N10 G{GUID} {}\n1 :a\n", "x".repeat(20_000));
    assert_eq!(parsed(long), Some((9, 10, pairs(&[(1, "a")]), true)));
}

#[test]
fn what_a_header_that_cannot_be_used_leaves() {
    let salvaged = |text: String| {
        let mail = Mail::new();
        mail.write(NAME, text);
        match UidList::read(&folder(&mail)).expect("read") {
            Read::Broken(salvage) => (
                salvage.uid_validity.map(|validity| validity.get()),
                shown(&salvage.records),
            ),
            other => panic!("{other:?}"),
        }
    };
    for (header, validity) in [
        ("garbage", None),
        ("", None),
        ("3 V9", Some(9)),
        ("3 V9 N0", Some(9)),
        ("3 V9 V10 N5", Some(10)),
        ("3 V0 N5", None),
        ("3 V9x N5", None),
        ("3 N5 Vx V9", Some(9)),
        ("1 9 x", Some(9)),
        ("1 9", Some(9)),
        ("3 V4294967295", Some(u32::MAX)),
    ] {
        let records = pairs(&[(4, "a"), (6, "b")]);
        let read = salvaged(format!("{header}\n4 :a\n6 :b\n"));
        assert_eq!(read, (validity, records), "{header:?}");
    }
    // The header alone is missing.
    assert_eq!(
        salvaged("4 :a\n6 :b\n".into()).1,
        pairs(&[(4, "a"), (6, "b")])
    );
    // No UID is left: the messages are numbered anew.
    let used_up = format!("3 V9 N5 G{GUID}\n4 :a\n4294967293 :b\n");
    assert_eq!(salvaged(used_up), (Some(9), Vec::new()));
}

#[test]
fn of_uids_that_do_not_rise_the_certain_ones_stand() {
    for (uids, kept) in [
        (&[1, 2, 3][..], &[1, 2, 3][..]),
        (&[1, 9, 3, 4, 5], &[1, 3, 4, 5]),
        (&[1, 2, 9, 3], &[1, 2]),
        (&[1, 2, 2, 3], &[1, 3]),
        (&[2, 1], &[]),
        (&[3, 2, 1], &[]),
        (&[5, 6, 7, 1, 2, 3, 4], &[1, 2, 3, 4]),
        (&[1, 2, 3, 1, 2, 3], &[]),
        (&[1, 2, 3, 10, 4, 5, 6, 11, 7], &[1, 2, 3, 4, 5, 6]),
    ] {
        let lines: String = uids
            .iter()
            .enumerate()
            .map(|(at, uid)| format!("{uid} :f{at}\n"))
            .collect();
        let (_, next, records, _) = parsed(format!("3 V9 N1 G{GUID}\n{lines}")).expect("whole");
        let read: Vec<u32> = records.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(read, kept, "{uids:?}");
        assert_eq!(Some(next), uids.iter().max().map(|uid| uid + 1));
    }
}

#[test]
fn a_file_that_comes_twice_says_the_same_twice() {
    let text = "1 :a\n2 :b\n3 :c\n".repeat(2);
    let read = parsed(format!("3 V9 N1 G{GUID}\n{text}"));
    let kept = pairs(&[(1, "a"), (2, "b"), (3, "c")]);
    assert_eq!(read, Some((9, 4, kept, true)));
}

#[test]
fn where_the_end_is_lost_uids_are_passed_over() {
    for (tail, lost) in [
        ("", false),
        ("\0\0\0\0\n", true),
        ("garbage\n", true),
        ("3 :c", true),
        ("3", true),
        ("garbage\n3 :c\n", false),
    ] {
        let mail = Mail::new();
        let folder = folder(&mail);
        mail.write(NAME, format!("3 V9 N1 G{GUID}\n1 :a\n2 :b\n{tail}"));
        for at in 0..10 {
            mail.write(&format!("cur/{at}"), "");
        }
        let (mut list, records, rewrite) = whole(&folder);
        assert_eq!(rewrite, !tail.is_empty());
        let next = list.next.get();
        assert!(next <= 4);
        list.rewrite(&folder, &records).expect("rewrite");
        let passed = if lost { 20 + whole::DEAD_AT_LEAST } else { 0 };
        assert_eq!(list.next.get(), next + passed, "{tail:?}");
        assert_eq!(mail.exists(BROKEN), !tail.is_empty());
    }
}

#[test]
fn lines_that_cannot_be_used_cost_only_themselves() {
    let head = format!("3 V9 N4 G{GUID}\n");
    for (line, next) in [
        ("garbage", 4),
        ("", 4),
        ("\0\0\0", 4),
        ("2", 4),
        ("2 ", 4),
        ("2 :", 4),
        ("2 b c", 4),
        ("2 W5 G7", 4),
        ("2 :a/b", 4),
        ("2 :b\0", 4),
        ("0 :b", 4),
        ("-2 :b", 4),
        ("+2 :b", 4),
        ("4294967295 :b", 4),
        ("99999999999999999999 :b", 4),
    ] {
        let read = parsed(format!("{head}1 :a\n{line}\n3 :c\n"));
        let kept = pairs(&[(1, "a"), (3, "c")]);
        assert_eq!(read, Some((9, next, kept, true)), "{line:?}");
    }
    // A number that was given to a line nobody can read is not given again.
    let read = parsed(format!("{head}1 :a\n7 :bro/ken\n"));
    assert_eq!(read, Some((9, 8, pairs(&[(1, "a")]), true)));
    let long = "x".repeat(300_000);
    let read = parsed(format!("{head}1 :a\n9 :{long}\n"));
    assert_eq!(read, Some((9, 10, pairs(&[(1, "a")]), true)));
    let read = parsed(format!("{head}1 :a\n2 :{long}\n3 :c\n"));
    assert_eq!(read, Some((9, 4, pairs(&[(1, "a"), (3, "c")]), true)));
}

#[test]
fn lines_that_are_cleaned() {
    let head = format!("3 V9 N4 G{GUID}\n");
    let kept = Some((9, 4, pairs(&[(1, "a")]), true));
    for lines in ["1 :a:2,FS\n", "1 1x :a\n", "1 x W5 :a\n", "1 :a\n1 :a\n"] {
        assert_eq!(parsed(format!("{head}{lines}")), kept, "{lines:?}");
    }
    // Lines of the other version, and of another system.
    for line in ["2 b", "2 :b\r", "2 W5 :b\r"] {
        let read = parsed(format!("{head}1 :a\n{line}\n3 :c\n"));
        let kept = pairs(&[(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(read, Some((9, 4, kept, true)), "{line:?}");
    }
    let mixed = parsed("1 9 4\n1 a\n2 W5 :b\n3 c:2,S\n");
    let kept = pairs(&[(1, "a"), (2, "b"), (3, "c")]);
    assert_eq!(mixed, Some((9, 4, kept, true)));
    let spaced = parsed(format!("{head}1   W5   :a\n"));
    assert_eq!(spaced, Some((9, 4, pairs(&[(1, "a")]), false)));
    // Of two with one base name the later counts.
    let doubled = parsed(format!("{head}1 :a\n2 :b\n3 :a\n"));
    assert_eq!(doubled, Some((9, 4, pairs(&[(2, "b"), (3, "a")]), true)));
}

#[test]
fn the_situations_dovecot_was_seen_in() {
    let head = format!("3 V9 N1 G{GUID}\n");
    // A header of garbage: what follows is lost, and the file is kept for the admin.
    assert_eq!(parsed("garbage\n1 :a\n2 :b\n3 :c\n"), None);
    // Deleted.
    let mail = Mail::new();
    assert!(matches!(UidList::read(&folder(&mail)), Ok(Read::Missing)));
    // The third line is garbage: Dovecot keeps UID 1 only, we keep 3 too; V and G stay.
    let read = parsed(format!("{head}1 :a\n#%&\n3 :c\n"));
    assert_eq!(read, Some((9, 4, pairs(&[(1, "a"), (3, "c")]), true)));
    // N lowered by hand.
    let read = parsed(format!("{head}1 :a\n2 :b\n3 :c\n"));
    assert_eq!(read.map(|read| (read.1, read.3)), Some((4, false)));
    // V changed, or UIDs renumbered, by hand: the file counts.
    let read = parsed(format!("3 V8 N9 G{GUID}\n4 :b\n5 :a\n"));
    assert_eq!(read, Some((8, 9, pairs(&[(4, "b"), (5, "a")]), false)));
}

#[test]
fn cut_off_at_any_octet_it_never_gives_a_uid_to_another() {
    let text = format!(
        "3 V1795370762 N7 G{GUID}\n\
         1 :1795370760.M256008P19652.vm,S=145,W=152\n\
         2 W152 :b\n\
         9 G1795370760.M238081P19652.vm :c.d\n\
         12 :1795370760.M849175P19652.vm,S=145,W=152\n"
    );
    let Some((_, _, full, _)) = parsed(&text) else {
        panic!("it is whole");
    };
    let full: BTreeMap<u32, String> = full.into_iter().collect();
    for length in 0..text.len() {
        let cut = &text[..length];
        let Some((validity, next, records, _)) = parsed(cut) else {
            assert!(!cut.contains('\n'), "{cut:?}");
            continue;
        };
        assert_eq!(validity, 1_795_370_762);
        assert!(next >= 7);
        assert_eq!(records.len() + 1, cut.matches('\n').count());
        for (uid, base) in records {
            assert_eq!(full.get(&uid), Some(&base));
            assert!(next > uid);
        }
    }
}

#[test]
fn a_line_cut_off_is_not_glued_to_the_next() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let head = format!("3 V9 N1 G{GUID}\n1 :a\n");
    mail.write(NAME, format!("{head}2 :b,S=1"));
    let (mut list, records, rewrite) = whole(&folder);
    assert!(rewrite);
    assert_eq!((shown(&records), list.next.get()), (pairs(&[(1, "a")]), 3));
    list.append(&folder, &[record(3, "c")]).expect("append");
    assert_eq!(mail.read(NAME), format!("{head}3 :c\n"));
    assert!(matches!(list.poll(&folder), Ok(Change::None)));
    list.append(&folder, &[record(4, "d")]).expect("append");
    assert_eq!(mail.read(NAME), format!("{head}3 :c\n4 :d\n"));
}

#[test]
fn a_line_that_is_finished_later_is_seen_then() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let head = format!("3 V9 N1 G{GUID}\n");
    mail.write(NAME, &head);
    let (mut list, ..) = whole(&folder);
    let add = |text: &str| {
        let mut file = File::options()
            .append(true)
            .open(mail.path(NAME))
            .expect("open");
        file.write_all(text.as_bytes()).expect("write");
    };
    add("1 :a\n2 :b");
    match list.poll(&folder).expect("poll") {
        Change::Appended(records) => assert_eq!(shown(&records), pairs(&[(1, "a")])),
        other => panic!("{other:?}"),
    }
    assert_eq!(list.next.get(), 3);
    assert!(matches!(list.poll(&folder), Ok(Change::None)));
    add("b\n");
    match list.poll(&folder).expect("poll") {
        Change::Appended(records) => assert_eq!(shown(&records), pairs(&[(2, "bb")])),
        other => panic!("{other:?}"),
    }
    assert_eq!(list.record_count(), 2);
    add("5 broken\n");
    assert!(matches!(list.poll(&folder), Ok(Change::Replaced)));
}

#[test]
fn two_writers_take_turns() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let validity = UidValidity::new(9).expect("not 0");
    let first = Uid::new(1).expect("not 0");
    let mut one = UidList::create(&folder, validity, first, None, &[]).expect("create");
    assert_eq!(mail.read(NAME), format!("3 V9 N1 G{}\n", one.guid()));
    let (mut two, ..) = whole(&folder);
    one.append(&folder, &[record(1, "a"), record(2, "b")])
        .expect("append");
    assert!(matches!(one.poll(&folder), Ok(Change::None)));
    // Without having looked, the other must not write.
    assert!(two.append(&folder, &[record(1, "x")]).is_err());
    match two.poll(&folder).expect("poll") {
        Change::Appended(records) => assert_eq!(shown(&records), pairs(&[(1, "a"), (2, "b")])),
        other => panic!("{other:?}"),
    }
    two.append(&folder, &[record(3, "c")]).expect("append");
    assert!(matches!(one.poll(&folder), Ok(Change::Appended(_))));
    assert_eq!((one.next, two.next), (two.next, one.next));
    two.rewrite(&folder, &[record(2, "b")]).expect("rewrite");
    assert!(matches!(one.poll(&folder), Ok(Change::Replaced)));
    assert!(one.append(&folder, &[record(9, "z")]).is_err());
    assert_eq!(mail.read(NAME), format!("3 V9 N4 G{}\n2 :b\n", two.guid()));
    let (_, records, _) = whole(&folder);
    assert_eq!(shown(&records), pairs(&[(2, "b")]));
}

#[test]
fn other_changes_are_replacements() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let text = format!("3 V9 N1 G{GUID}\n1 :a\n");
    let fresh = || {
        mail.write(NAME, &text);
        whole(&folder).0
    };
    let mut list = fresh();
    mail.remove(NAME);
    assert!(matches!(list.poll(&folder), Ok(Change::Replaced)));
    let mut list = fresh();
    mail.write(NAME, "3");
    assert!(matches!(list.poll(&folder), Ok(Change::Replaced)));
    let mut list = fresh();
    mail.write(NAME, text.replace("V9", "V8"));
    mail.set_mtime(NAME, 100);
    assert!(matches!(list.poll(&folder), Ok(Change::Replaced)));
    // The same octets in another file.
    let mut list = fresh();
    std::fs::copy(mail.path(NAME), mail.path("copy")).expect("copy");
    std::fs::rename(mail.path("copy"), mail.path(NAME)).expect("rename");
    assert!(matches!(list.poll(&folder), Ok(Change::Replaced)));
}

#[test]
fn records_that_could_not_be_read_back_are_refused() {
    let mail = Mail::new();
    let folder = folder(&mail);
    mail.write(NAME, format!("3 V9 N1 G{GUID}\n5 :a\n"));
    let (mut list, ..) = whole(&folder);
    let with = |field: (u8, &[u8])| Record {
        fields: vec![(field.0, field.1.into())],
        ..record(6, "b")
    };
    for bad in [
        record(5, "b"),
        record(u32::MAX, "b"),
        record(6, ""),
        record(6, "a:2,S"),
        record(6, "a/b"),
        record(6, "a\nb"),
        record(6, &"x".repeat(256)),
        with((b'w', b"1")),
        with((b'W', b"1 2")),
        with((b'W', b"1\n")),
    ] {
        let error = list
            .append(&folder, std::slice::from_ref(&bad))
            .expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(list.rewrite(&folder, &[record(5, "a"), bad]).is_err());
    }
    assert_eq!(mail.read(NAME), format!("3 V9 N1 G{GUID}\n5 :a\n"));
    assert!(!mail.exists(DRAFT));
    list.append(&folder, &[record(u32::MAX - 1, "last")])
        .expect("the last UID");
    assert_eq!(list.next.get(), u32::MAX);
    assert!(matches!(UidList::read(&folder), Ok(Read::Broken(_))));
}

#[test]
fn a_broken_file_is_copied_once() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let text = format!("3 V9 N1 G{GUID}\n1 :a\nbroken\n");
    mail.write(NAME, &text);
    whole(&folder);
    assert_eq!(mail.read(BROKEN), text);
    let inode = mail.inode(BROKEN);
    whole(&folder);
    assert_eq!(mail.inode(BROKEN), inode);
}

#[test]
fn the_file_is_no_link_and_no_directory() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let validity = UidValidity::new(9).expect("not 0");
    std::os::unix::fs::symlink("/etc/passwd", mail.path(NAME)).expect("a link");
    assert!(matches!(UidList::read(&folder), Ok(Read::Broken(_))));
    UidList::create(&folder, validity, Uid::FIRST, None, &[]).expect("in its place");
    assert!(mail.path(BROKEN).is_symlink());
    mail.remove(NAME);
    std::fs::create_dir(mail.path(NAME)).expect("a directory");
    assert!(matches!(UidList::read(&folder), Ok(Read::Broken(_))));
    UidList::create(&folder, validity, Uid::FIRST, None, &[]).expect("in its place");
    assert!(mail.path("dovecot-uidlist.broken.2").is_dir());
}

#[test]
fn a_control_directory_is_made_when_it_is_needed() {
    for (layout, place) in [(Layout::MaildirPlusPlus, ".INBOX"), (Layout::Fs, "INBOX")] {
        let mut mail = Mail::with(layout);
        let control = mail.outside().join("control");
        mail.location.control = Some(control.clone());
        let folder = folder(&mail);
        assert!(matches!(UidList::read(&folder), Ok(Read::Missing)));
        assert!(!control.join(place).exists());
        assert!(folder.is_writable());
        let validity = UidValidity::new(9).expect("not 0");
        UidList::create(&folder, validity, Uid::new(1).expect("not 0"), None, &[]).expect("create");
        assert!(control.join(place).join(NAME).exists());
        assert!(!mail.exists(NAME));
        let mode = control.join(place).metadata().expect("stat").mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_large_file_is_read_whole() {
    let mut text = format!("3 V9 N1 G{GUID}\n");
    for uid in 1..=100_000 {
        text.push_str(&format!("{uid} :1795370760.M{uid}P1.vm\n"));
    }
    let read = parsed(text).expect("whole");
    assert_eq!((read.1, read.2.len(), read.3), (100_001, 100_000, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn anything_can_be_read(text in proptest::collection::vec(any::<u8>(), 0..200), with_header: bool) {
        let mut file = if with_header { format!("3 V9 N3 G{GUID}\n").into_bytes() } else { Vec::new() };
        file.extend(text);
        if let Some((_, next, records, _)) = parsed(&file) {
            prop_assert!(records.iter().all(|(uid, _)| *uid < next));
            prop_assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn lines_in_any_pieces_are_the_same(lines in proptest::collection::vec("[0-9]{0,2} ?[A-Zx]?[0-9]? ?:?[a-c/]{0,3}", 0..8), piece in 1usize..9) {
        let text = format!("3 V9 N3 G{GUID}\n{}", lines.join("\n"));
        let mut at_once = Parser::default();
        at_once.feed(text.as_bytes());
        let mut in_pieces = Parser::default();
        for bytes in text.as_bytes().chunks(piece) {
            in_pieces.feed(bytes);
        }
        prop_assert_eq!(&at_once.records, &in_pieces.records);
        prop_assert_eq!((at_once.whole, at_once.broken_lines), (in_pieces.whole, in_pieces.broken_lines));
        let last = text.rfind('\n').map_or(0, |at| at + 1);
        prop_assert_eq!(at_once.whole, last as u64);
    }

    #[test]
    fn what_is_written_is_read(uids in proptest::collection::btree_set(1u32..1000, 0..20), next in 1u32..2000) {
        let mail = Mail::new();
        let folder = folder(&mail);
        let records: Vec<Record> = uids.iter().map(|uid| Record {
            fields: vec![(b'W', uid.to_string().into_bytes().into()), (b'P', Box::default())],
            ..record(*uid, &format!("{uid}.x y"))
        }).collect();
        let validity = UidValidity::new(7).expect("not 0");
        let list = UidList::create(&folder, validity, Uid::new(next).expect("not 0"), None, &records).expect("create");
        let (read, same, rewrite) = whole(&folder);
        prop_assert!(!rewrite);
        prop_assert_eq!(same, records);
        prop_assert_eq!((read.next, read.guid()), (list.next, list.guid()));
        prop_assert!(list.next.get() >= next);
    }
}
