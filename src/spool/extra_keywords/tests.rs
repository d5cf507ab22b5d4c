//! The file on disk: read, appended to by two, torn, broken, gone, written anew.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::spool::testing::{Mail, folder};

const TEXT: &str = "V\t1\nk 26 One\nk 27 Two\nm 26 :a\nm 26,27 :b c\n";

fn keyword(text: &str) -> Keyword {
    Keyword::new(text).unwrap()
}

fn set(numbers: &[u16]) -> Extras {
    Extras::new(numbers.iter().copied())
}

/// Everything that is known, as the lines of a file written anew.
fn known(all: &ExtraKeywords) -> String {
    let mut out = b"V\t1\n".to_vec();
    for (number, name) in all.names.numbered() {
        Line::Name(number, name.clone()).write(&mut out);
    }
    let sets: BTreeMap<_, _> = all.sets.iter().collect();
    for (base, set) in sets {
        Line::Message(base, set.clone()).write(&mut out);
    }
    String::from_utf8(out).unwrap()
}

fn read(folder: &Folder) -> ExtraKeywords {
    ExtraKeywords::read(folder).unwrap()
}

#[test]
fn what_is_written_is_read_and_told_to_who_looks() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let (mut mine, mut others) = (read(&folder), read(&folder));
    assert_eq!(mine.poll(&folder).unwrap(), Change::None);
    assert!(
        mine.name(&folder, &[keyword("One"), keyword("ONE")])
            .unwrap()
            .is_some()
    );
    assert!(others.is_stale(&folder).unwrap() && !mine.is_stale(&folder).unwrap());
    assert_eq!(others.poll(&folder).unwrap(), Change::Replaced);
    mine.put(&folder, &[(b"a", set(&[26]))]).unwrap();
    mine.put(&folder, &[(b"a", set(&[26])), (b"x", set(&[]))])
        .unwrap();
    assert_eq!(mail.read("culver.keywords"), "V\t1\nk 26 One\nm 26 :a\n");
    assert_eq!(
        others.poll(&folder).unwrap(),
        Change::Appended(vec![b"a"[..].into()])
    );
    assert!(
        others
            .name(&folder, &[keyword("Two"), keyword("One")])
            .unwrap()
            .is_some()
    );
    others.put(&folder, &[(b"b c", set(&[27, 26]))]).unwrap();
    assert_eq!(
        mine.poll(&folder).unwrap(),
        Change::Appended(vec![b"b c"[..].into()])
    );
    let text = "V\t1\nk 26 One\nm 26 :a\nk 27 Two\nm 26,27 :b c\n";
    assert_eq!(mail.read("culver.keywords"), text);
    for all in [&mine, &others, &read(&folder)] {
        assert_eq!(known(all), TEXT);
        assert_eq!((all.of(b"a"), all.of(b"none")), (set(&[26]), set(&[])));
    }
    mine.put(&folder, &[(b"a", set(&[]))]).unwrap();
    assert_eq!(
        others.poll(&folder).unwrap(),
        Change::Appended(vec![b"a"[..].into()])
    );
    assert_eq!(known(&others), TEXT.replace("m 26 :a\n", ""));
    assert_eq!(
        mail.names(".")
            .iter()
            .filter(|name| name.starts_with("culver"))
            .count(),
        1
    );
}

#[test]
fn all_or_none_when_the_numbers_run_out() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let mut all = read(&folder);
    let many: Vec<Keyword> = (0..973)
        .map(|number| keyword(&format!("k{number}")))
        .collect();
    assert!(all.name(&folder, &many).unwrap().is_some());
    assert!(
        all.name(&folder, &[keyword("x"), keyword("y")])
            .unwrap()
            .is_none()
    );
    assert_eq!(all.names().number(&keyword("x")), None);
    assert!(
        all.name(&folder, &[keyword("x"), keyword("K7")])
            .unwrap()
            .is_some()
    );
    assert_eq!(all.names().number(&keyword("x")), Some(999));
    assert_eq!(known(&read(&folder)), known(&all));
}

#[test]
fn what_follows_the_last_line_end_is_nothing() {
    let mail = Mail::new();
    let folder = folder(&mail);
    for torn in ["m 26 :to", "k 28 Thr", "m", "\0\0\0", "m 26,27 :a"] {
        mail.write("culver.keywords", format!("{TEXT}{torn}"));
        let mut all = read(&folder);
        assert!(!all.is_to_be_mended(), "it may be being written");
        assert_eq!(known(&all), TEXT);
        let mut others = read(&folder);
        all.put(&folder, &[(b"d", set(&[27]))]).unwrap();
        assert_eq!(mail.read("culver.keywords"), format!("{TEXT}m 27 :d\n"));
        assert_eq!(others.poll(&folder).unwrap(), Change::Replaced);
        assert_eq!(known(&read(&folder)), known(&all));
    }
    assert!(!mail.exists("culver.keywords.broken"));
}

#[test]
fn a_line_that_is_finished_later_is_heard() {
    let mail = Mail::new();
    let folder = folder(&mail);
    mail.write("culver.keywords", format!("{TEXT}m 27 :a"));
    let mut all = read(&folder);
    mail.write("culver.keywords", format!("{TEXT}m 27 :ax\nm 26"));
    assert_eq!(
        all.poll(&folder).unwrap(),
        Change::Appended(vec![b"ax"[..].into()])
    );
    assert_eq!(all.of(b"ax"), set(&[27]));
}

#[test]
fn of_a_broken_file_every_good_line_counts_and_what_was_is_kept() {
    let long = format!("m 26 :{}\n", "x".repeat(LONGEST_LINE));
    for (name, text, says) in [
        ("no version", TEXT.replace("V\t1\n", ""), TEXT.to_owned()),
        (
            "another version",
            TEXT.replace("V\t1", "V\t2"),
            TEXT.to_owned(),
        ),
        (
            "garbage",
            TEXT.replace("k 27", "\0\0\nk 27"),
            TEXT.to_owned(),
        ),
        ("empty lines", TEXT.replace('\n', "\n\n"), TEXT.to_owned()),
        (
            "a line too long",
            TEXT.replace("k 27", &format!("{long}k 27")),
            TEXT.to_owned(),
        ),
        (
            "a number twice",
            TEXT.replace("m 26 :a", "k 26 Three\nm 26 :a"),
            TEXT.to_owned(),
        ),
        (
            "a name twice",
            TEXT.replace("m 26 :a", "k 28 one\nm 26 :a"),
            TEXT.to_owned(),
        ),
        (
            "a name lost",
            TEXT.replace("k 27 Two\n", ""),
            TEXT.replace("Two", "unknown-27"),
        ),
        (
            "a name late",
            TEXT.replace("k 26 One\n", "") + "k 26 One\n",
            TEXT.to_owned(),
        ),
        ("all lost", "\0".repeat(5000) + "\n", "V\t1\n".to_owned()),
    ] {
        let mail = Mail::new();
        let folder = folder(&mail);
        mail.write("culver.keywords", &text);
        let mut all = read(&folder);
        assert_eq!(known(&all), says, "{name}");
        let is_late = name == "a name late";
        assert_eq!(all.is_to_be_mended(), !is_late, "{name}");
        let is_lost = name == "a name lost";
        assert_eq!(
            mail.exists("culver.keywords.broken"),
            !is_late && !is_lost,
            "{name}"
        );
        if is_late {
            continue;
        }
        all.mend(&folder).unwrap();
        assert_eq!(mail.read("culver.keywords"), says, "{name}");
        assert!(!all.is_to_be_mended() && !read(&folder).is_to_be_mended());
        if !is_lost {
            assert_eq!(mail.read("culver.keywords.broken"), text, "{name}");
        }
    }
}

#[test]
fn what_is_no_file_is_put_aside() {
    let mail = Mail::new();
    let folder = folder(&mail);
    std::fs::create_dir(mail.path("culver.keywords")).unwrap();
    let mut all = read(&folder);
    assert_eq!(all.poll(&folder).unwrap(), Change::None);
    all.name(&folder, &[keyword("One")]).unwrap().unwrap();
    assert_eq!(mail.read("culver.keywords"), "V\t1\nk 26 One\n");
    assert!(mail.path("culver.keywords.broken").is_dir());
}

#[test]
fn a_file_that_is_gone_is_restored_and_another_ones_counts() {
    let mail = Mail::new();
    let folder = folder(&mail);
    mail.write("culver.keywords", TEXT);
    let mut all = read(&folder);
    mail.remove("culver.keywords");
    assert_eq!(all.poll(&folder).unwrap(), Change::None);
    assert_eq!(
        (all.poll(&folder).unwrap(), known(&all)),
        (Change::None, TEXT.to_owned())
    );
    all.mend(&folder).unwrap();
    assert_eq!(mail.read("culver.keywords"), TEXT);
    mail.remove("culver.keywords");
    mail.write("culver.keywords", "V\t1\nk 26 Other\n");
    assert_eq!(all.poll(&folder).unwrap(), Change::Replaced);
    assert_eq!(known(&all), "V\t1\nk 26 Other\n");
}

#[test]
fn one_that_may_only_be_read_or_whose_sync_failed_is_replaced() {
    let mail = Mail::new();
    let folder = folder(&mail);
    mail.write("culver.keywords", TEXT);
    let mut all = read(&folder);
    let inode = mail.inode("culver.keywords");
    all.put(&folder, &[(b"d", set(&[26]))]).unwrap();
    assert_eq!(mail.inode("culver.keywords"), inode);
    all.note_doubt();
    all.put(&folder, &[(b"e", set(&[26]))]).unwrap();
    assert_ne!(mail.inode("culver.keywords"), inode);
    assert_eq!(mail.read("culver.keywords"), known(&all));
    let mut again = read(&folder);
    let only_read = std::fs::Permissions::from_mode(0o400);
    std::fs::set_permissions(mail.path("culver.keywords"), only_read).unwrap();
    again.put(&folder, &[(b"f", set(&[26]))]).unwrap();
    assert_eq!(mail.read("culver.keywords"), known(&again));
}

#[test]
fn a_file_of_dead_lines_is_worth_writing_anew() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let mut all = read(&folder);
    all.name(&folder, &[keyword("One")]).unwrap().unwrap();
    for round in 0..300 {
        let with: &[u16] = if round % 2 == 0 { &[26] } else { &[] };
        all.put(&folder, &[(b"a", set(with)), (b"b", set(with))])
            .unwrap();
        assert_eq!(all.is_mostly_dead(0), round >= 249, "round {round}");
    }
    let (mut others, lines) = (read(&folder), all.lines);
    assert_eq!((others.lines, lines), (602, 602));
    all.put(&folder, &[(b"a", set(&[26])), (b"b", set(&[26]))])
        .unwrap();
    others.poll(&folder).unwrap();
    all.rewrite(&folder, |base| base == b"b").unwrap();
    let says = "V\t1\nk 26 One\nm 26 :b\n";
    assert_eq!(
        (mail.read("culver.keywords"), all.lines),
        (says.to_owned(), 3)
    );
    assert_eq!(others.poll(&folder).unwrap(), Change::Replaced);
    assert_eq!(
        (known(&all), known(&others)),
        (says.to_owned(), says.to_owned())
    );
}

/// One thing that happens to the file.
#[derive(Clone, Debug)]
enum Step {
    Name(u8),
    Put(Vec<(u8, Vec<u16>)>),
    Rewrite,
    /// The process is stopped after so many thousandths of what the next step appends.
    Stop(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = prop::collection::vec(26_u16..32, 0..4);
    let sets = prop::collection::vec((0_u8..5, numbers), 1..4);
    let step = prop_oneof![
        (0_u8..6).prop_map(Step::Name),
        sets.prop_map(Step::Put),
        Just(Step::Rewrite),
        (0_u16..1000).prop_map(Step::Stop),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever reads the file knows what was written, wherever a writer was stopped: of what it appended last, some
    /// first lines.
    #[test]
    fn the_file_says_what_happened_whoever_is_stopped_where(steps in steps()) {
        let mail = Mail::new();
        let folder = folder(&mail);
        let all_names: Vec<Keyword> = (0..6).map(|at| keyword(&format!("k{at}"))).collect();
        let (mut mine, mut others) = (read(&folder), read(&folder));
        // All numbers that sets may have.
        mine.name(&folder, &all_names).unwrap().unwrap();
        let mut stop = None;
        let mut model: BTreeMap<Vec<u8>, Extras> = BTreeMap::new();
        for (at, step) in steps.into_iter().enumerate() {
            let before = (std::fs::read(mail.path("culver.keywords")).unwrap(), model.clone());
            let inode = mail.inode("culver.keywords");
            match step {
                Step::Name(number) => {
                    let name = keyword(&format!("k{at}-{number}"));
                    mine.name(&folder, &[name]).unwrap().unwrap();
                }
                Step::Put(sets) => {
                    let bases: Vec<(Vec<u8>, Extras)> = sets
                        .into_iter()
                        .map(|(base, numbers)| (format!("base{base}").into_bytes(), Extras::new(numbers)))
                        .collect();
                    let put: Vec<(&[u8], Extras)> = bases.iter().map(|(base, set)| (&base[..], set.clone())).collect();
                    mine.put(&folder, &put).unwrap();
                    model.extend(bases);
                }
                Step::Rewrite => {
                    model.remove(&b"base0"[..]);
                    mine.rewrite(&folder, |base| base != b"base0").unwrap();
                }
                Step::Stop(part) => {
                    stop = Some(part);
                    continue;
                }
            }
            let after = std::fs::read(mail.path("culver.keywords")).unwrap();
            // A file that is replaced is the old one or the new one.
            let is_same = mail.inode("culver.keywords") == inode;
            if let (Some(part), Some(added)) = (stop.take(), after.strip_prefix(&before.0[..]))
                && is_same
            {
                let part = added.len() * usize::from(part) / 1000;
                std::fs::write(mail.path("culver.keywords"), &after[..before.0.len() + part]).unwrap();
                mine = read(&folder);
                prop_assert!(!mine.is_to_be_mended());
                model = before.1;
                for line in added[..part].split_inclusive(|byte| *byte == b'\n') {
                    let line = line.strip_suffix(b"\n").and_then(Line::parse);
                    if let Some(Line::Message(base, set)) = line {
                        model.insert(base.to_vec(), set);
                    }
                }
            }
            model.retain(|_, set| !set.is_empty());
            others.poll(&folder).unwrap();
            for all in [&mine, &others, &read(&folder)] {
                let says: BTreeMap<Vec<u8>, Extras> =
                    all.sets.iter().map(|(base, set)| (base.to_vec(), set.clone())).collect();
                prop_assert_eq!(&says, &model);
            }
        }
    }
}
