use std::collections::HashMap;
use std::fs::{self, OpenOptions};

use proptest::prelude::*;

use super::count::{Count, of_mailbox};
use super::*;
use crate::spool::testing::{Mail, name};
use crate::spool::tree::Layout;

fn amount(storage: u64, messages: u64) -> Amount {
    Amount { storage, messages }
}

fn limits(storage: u64, messages: u64) -> Limits {
    let limit = |number| (number > 0).then_some(number);
    Limits {
        storage: limit(storage),
        messages: limit(messages),
    }
}

/// What a file of these octets is taken for: its limits and sum.
fn taken(mail: &Mail, text: impl AsRef<[u8]>) -> (Option<Limits>, Option<Amount>) {
    mail.write(NAME, text);
    match read(&mail.tree(), None).expect("read") {
        Kept::Nowhere => panic!("there is a file"),
        Kept::Spent(limits) => (limits, None),
        Kept::There(sums) => (Some(sums.limits), Some(sums.usage)),
    }
}

fn total(tree: &Tree) -> Amount {
    let mut count = Count::begin(tree).expect("a count");
    while !count.go_on(tree).expect("counting") {}
    assert!(count.is_as_it_was(tree).expect("looking"));
    count.total()
}

/// Each as Dovecot 2.3.19 takes it, but where it says otherwise.
#[test]
fn what_is_read_is_what_dovecot_reads() {
    let mail = Mail::new();
    let both = limits(10240, 5);
    for (text, limits, sum) in [
        ("10240S,5C\n0 0\n", both, Some((0, 0))),
        ("10240S,5C\n0 0\n38 1\n98 3\n-31 -1\n", both, Some((105, 3))),
        ("5C,10240S\n500 1\n", both, Some((500, 1))),
        ("10240S\n500 1\n", limits(10240, 0), Some((500, 1))),
        ("5C\n500 1\n", limits(0, 5), Some((500, 1))),
        ("0S\n500 1\n", limits(0, 0), Some((500, 1))),
        ("010240S,5C\n500 1\n", both, Some((500, 1))),
        ("10240S,5C,3X\n500 1\n", both, Some((500, 1))),
        ("10240S,5C \n500 1\n", both, Some((500, 1))), // Dovecot counts
        ("10240S,5C\r\n500 1\r\n", both, Some((500, 1))),
        ("10240S,5C\n", both, Some((0, 0))),
        ("10240S,5C\n500 1\n12 4 5\n", both, Some((512, 5))),
        ("10240S,5C\n500 1\n12  4\n", both, Some((512, 5))),
        ("10240S,5C\n 500 1\n", both, Some((500, 1))),
        ("10240S,5C\n+500 +1\n", both, Some((500, 1))),
        ("10240S,5C\n500 1\n\n", both, Some((500, 1))),
        ("10240S,5C\n500 1\n700", both, None), // Dovecot leaves the last line out
        ("10240S,5C\n500 1\n-600 0\n", both, None),
        ("10240S,5C\n500 0\n0 -1\n", both, None),
        ("10240S,5C\n500 1\n12\n", both, None),
        ("10240S,5C\n500 1x\n", both, None), // Dovecot reads the 1
        ("10240S,5C\n500 1\n\0\0\0\n", both, None),
        ("10240S,5C\n9223372036854775807 1\n1 1\n", both, None),
        ("10240S,5C\n99999999999999999999 1\n", both, None),
    ] {
        let sum = sum.map(|(storage, messages)| amount(storage, messages));
        assert_eq!(taken(&mail, text), (Some(limits), sum), "{text:?}");
    }
    for broken in [
        "",
        "\n",
        "10240S,5C",
        "S\n1 1\n",
        "10240\n1 1\n",
        "-5S\n1 1\n",
        "1S 2C\n1 1\n",
        "?\n",
        ",\n",
    ] {
        assert_eq!(taken(&mail, broken).0, None, "{broken:?}");
        assert_eq!(read(&mail.tree(), None).unwrap(), Kept::Spent(None));
    }
}

#[test]
fn one_that_has_grown_is_spent_and_one_that_is_huge_is_not_read() {
    let mail = Mail::new();
    let line = "10240S,5C\n500 1\n";
    for (lines, spent) in [(1275, false), (1276, true), (1277, true)] {
        let text = format!("{line}{}", "0 0\n".repeat(lines));
        assert_eq!(text.len() as u64 >= LARGEST, spent);
        assert_eq!(taken(&mail, text).1.is_none(), spent);
    }
    let file = fs::File::create(mail.path(NAME)).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(read(&mail.tree(), None).unwrap(), Kept::Spent(None));
}

#[test]
fn what_is_no_file_is_replaced_by_one() {
    let mail = Mail::new();
    let tree = mail.tree();
    assert_eq!(read(&tree, None).unwrap(), Kept::Nowhere);
    let mut change = Change::default();
    change.add(5);
    assert!(!append(&tree, change).unwrap());
    mail.write("elsewhere", "1S\n");
    let path = mail.path(NAME);
    let make: [&dyn Fn(); 3] = [
        &|| fs::create_dir(&path).unwrap(),
        &|| std::os::unix::fs::symlink("elsewhere", &path).unwrap(),
        &|| {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let fifo = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).unwrap();
        },
    ];
    for make in make {
        make();
        assert_eq!(read(&tree, None).unwrap(), Kept::Spent(None));
        append(&tree, change).unwrap_err();
        write(&tree, limits(9, 0), amount(3, 1)).unwrap();
        assert_eq!(mail.read(NAME), "9S\n3 1\n");
        mail.remove(NAME);
    }
    assert_eq!(mail.read("elsewhere"), "1S\n");
}

#[test]
fn a_change_is_a_line_and_a_new_file_two() {
    let mail = Mail::new();
    let tree = mail.tree();
    for (limits, first) in [
        (limits(10240, 5), "10240S,5C"),
        (limits(10240, 0), "10240S"),
        (limits(0, 5), "5C"),
        (limits(0, 0), "0S"),
    ] {
        let sums = write(&tree, limits, amount(77, 1)).unwrap();
        assert_eq!(mail.read(NAME), format!("{first}\n77 1\n"));
        assert_eq!(read(&tree, None).unwrap(), Kept::There(sums));
    }
    let mut change = Change::default();
    assert!(change.is_nothing());
    change.add(300);
    change.add(45);
    change.remove(10);
    assert!(append(&tree, change).unwrap());
    assert!(append(&tree, Change::loss(amount(12, 2))).unwrap());
    assert_eq!(mail.read(NAME), "0S\n77 1\n335 1\n-12 -2\n");
    let left = mail.names("").into_iter();
    let left: Vec<String> = left.filter(|name| name.starts_with(NAME)).collect();
    assert_eq!(left, [NAME]);
}

/// One that was read stays known as long as nobody touches it.
#[test]
fn what_others_append_is_seen() {
    let mail = Mail::new();
    let tree = mail.tree();
    let mut known = Some(write(&tree, limits(10, 0), amount(1, 1)).unwrap());
    for more in 1..20u64 {
        let mut file = OpenOptions::new()
            .append(true)
            .open(mail.path(NAME))
            .unwrap();
        file.write_all(b"1 0\n").unwrap();
        let Kept::There(sums) = read(&tree, known).unwrap() else {
            panic!("a file");
        };
        assert_eq!(sums.usage.storage, more + 1);
        known = Some(sums);
        assert_eq!(read(&tree, known).unwrap(), Kept::There(sums));
    }
}

#[test]
fn a_number_that_may_be_old_is_told() {
    let mail = Mail::new();
    let tree = mail.tree();
    let fresh = |text: &str, age: i64| {
        mail.write(NAME, text);
        mail.set_mtime(NAME, -age);
        match read(&tree, None).unwrap() {
            Kept::There(sums) => sums.are_fresh(SystemTime::now()),
            other => panic!("{other:?}"),
        }
    };
    assert!(fresh("5S\n5 1\n", 0));
    assert!(fresh("5S\n5 1\n", 600));
    assert!(!fresh("5S\n5 1\n", 901));
    assert!(!fresh("5S\n5 1\n", -2000));
    assert!(!fresh("5S\n4 1\n1 1\n", 0));
}

#[test]
fn room_is_for_what_fits_and_for_what_takes_no_more_than_it_frees() {
    let none = Amount::default();
    for (limits, usage, more, freed, room) in [
        (
            limits(0, 0),
            amount(u64::MAX, u64::MAX),
            amount(9, 1),
            none,
            true,
        ),
        (limits(10, 0), amount(4, 1), amount(6, 1), none, true),
        (limits(10, 0), amount(4, 1), amount(7, 1), none, false),
        (limits(0, 2), amount(4, 1), amount(7, 1), none, true),
        (limits(0, 2), amount(4, 2), amount(7, 1), none, false),
        (
            limits(10, 2),
            amount(4, 1),
            amount(u64::MAX, 1),
            none,
            false,
        ),
        (
            limits(10, 2),
            amount(10, 2),
            amount(7, 1),
            amount(7, 1),
            true,
        ),
        (
            limits(10, 2),
            amount(10, 2),
            amount(8, 1),
            amount(7, 1),
            false,
        ),
        (
            limits(10, 2),
            amount(20, 9),
            amount(6, 1),
            amount(7, 1),
            true,
        ),
    ] {
        let case = format!("{limits:?} {usage:?} {more:?} {freed:?}");
        assert_eq!(limits.have_room(usage, more, freed), room, "{case}");
    }
}

/// The trees that Dovecot made: what it said there is, and what its file says.
#[test]
fn dovecots_own_sums() {
    for (sample, layout) in [
        ("std", Layout::MaildirPlusPlus),
        ("fs", Layout::Fs),
        ("messy", Layout::MaildirPlusPlus),
        ("v1", Layout::MaildirPlusPlus),
    ] {
        let mail = Mail::sample(sample, layout);
        if sample == "std" {
            // Put there by hand, and not into the file.
            for name in mail.names(".Lists/new") {
                mail.remove(&format!(".Lists/new/{name}"));
            }
        }
        let tree = mail.tree();
        let counted = total(&tree);
        let expected = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let expected = expected.join("tests/maildirs").join(sample);
        let expected = fs::read_to_string(expected.join("expected.json")).unwrap();
        let said = format!(
            "(STORAGE {} 10240 MESSAGE {} 1000)",
            counted.storage.div_ceil(1024),
            counted.messages
        );
        assert!(expected.contains(&said), "{sample}: {said}");
        match read(&tree, None).unwrap() {
            Kept::There(sums) => {
                assert_eq!(sums.limits, limits(10 << 20, 1000), "{sample}");
                assert_eq!(sums.usage, counted, "{sample}");
            }
            other => assert_eq!(other, Kept::Nowhere, "{sample}"),
        }
    }
}

#[test]
fn every_file_counts_by_its_name_or_as_it_is() {
    for layout in [Layout::MaildirPlusPlus, Layout::Fs] {
        let mail = Mail::with(layout);
        let tree = mail.tree();
        let sub = name("A", tree.separator());
        tree.create(&sub).unwrap();
        let below = match layout {
            Layout::MaildirPlusPlus => ".A",
            Layout::Fs => "A",
        };
        assert_eq!(total(&tree), amount(0, 0));
        mail.write("new/1.a,S=1000", "x");
        mail.write("cur/2.b:2,S", "xx");
        mail.write("cur/.hidden", "xxx");
        mail.write("cur/..nothing", "xxxx");
        mail.write("tmp/3.c", "xxxxx");
        fs::create_dir(mail.path("cur/4.d,S=9")).unwrap();
        mail.write(&format!("{below}/cur/5.e,S=x:2,"), "xxxxxx");
        std::os::unix::fs::symlink("2.b:2,S", mail.path("cur/6.f")).unwrap();
        std::os::unix::fs::symlink("nothing", mail.path("cur/7.g,S=7")).unwrap();
        assert_eq!(total(&tree), amount(1000 + 2 + 3 + 6 + 2, 5), "{layout:?}");
        assert_eq!(of_mailbox(&tree, &sub).unwrap(), amount(6, 1));
        // A mailbox under two names is there once.
        let other = match layout {
            Layout::MaildirPlusPlus => ".B",
            Layout::Fs => "B",
        };
        std::os::unix::fs::symlink(below, mail.path(other)).unwrap();
        assert_eq!(total(&tree), amount(1000 + 2 + 3 + 6 + 2, 5), "{layout:?}");
    }
}

#[test]
fn what_changes_while_it_is_counted_is_counted_again() {
    let mail = Mail::new();
    let tree = mail.tree();
    let sub = name("A", '.');
    tree.create(&sub).unwrap();
    mail.write("cur/1.a,S=10", "");
    let mut count = Count::begin(&tree).unwrap();
    assert!(count.go_on(&tree).unwrap());
    assert_eq!(count.total(), amount(10, 1));
    mail.write(".A/new/2.b,S=5", "");
    mail.set_mtime(".A/new", -50);
    tree.create(&name("B", '.')).unwrap();
    mail.write(".B/cur/3.c,S=7", "");
    assert!(!count.is_as_it_was(&tree).unwrap());
    assert!(count.go_on(&tree).unwrap());
    assert_eq!(count.total(), amount(22, 3));
    assert!(count.is_as_it_was(&tree).unwrap());
    tree.delete(&sub).unwrap();
    assert!(!count.is_as_it_was(&tree).unwrap());
    assert_eq!(count.total(), amount(17, 2));
}

/// What happens to the mail, and who does it.
#[derive(Clone, Debug)]
enum Act {
    Ours(u16),
    Foreign(u16),
    Expunge(usize, bool),
    Recount,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<u16>().prop_map(Act::Ours),
        4 => any::<u16>().prop_map(Act::Foreign),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(at, ours)| Act::Expunge(at, ours)),
        1 => Just(Act::Recount),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_sum_is_the_truth_whoever_appends(acts in proptest::collection::vec(act(), 0..60)) {
        let mail = Mail::new();
        let tree = mail.tree();
        let mut files: HashMap<usize, u64> = HashMap::new();
        write(&tree, limits(1 << 40, 0), amount(0, 0)).unwrap();
        let foreign = |line: String| {
            let mut file = OpenOptions::new().append(true).open(mail.path(NAME)).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        };
        let path = |number: usize, size: u64| format!("cur/{number}.x,S={size}:2,");
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Ours(size) => {
                    mail.write(&path(number, size.into()), "");
                    files.insert(number, size.into());
                    let mut change = Change::default();
                    change.add(size.into());
                    prop_assert!(append(&tree, change).unwrap());
                }
                Act::Foreign(size) => {
                    mail.write(&path(number, size.into()), "");
                    files.insert(number, size.into());
                    foreign(format!("{size} 1\n"));
                }
                Act::Expunge(at, ours) => {
                    let mut all: Vec<_> = files.iter().map(|(number, size)| (*number, *size)).collect();
                    all.sort_unstable();
                    let Some((number, size)) = all.get(at % all.len().max(1)).copied() else { continue };
                    files.remove(&number);
                    mail.remove(&path(number, size));
                    match ours {
                        true => {
                            let mut change = Change::default();
                            change.remove(size);
                            prop_assert!(append(&tree, change).unwrap());
                        }
                        false => foreign(format!("-{size} -1\n")),
                    }
                }
                Act::Recount => drop(write(&tree, limits(1 << 40, 0), total(&tree)).unwrap()),
            }
            let truth = amount(files.values().sum(), files.len() as u64);
            let Kept::There(sums) = read(&tree, None).unwrap() else { panic!("a file") };
            prop_assert_eq!(sums.usage, truth);
            prop_assert_eq!(total(&tree), truth);
        }
    }

    #[test]
    fn no_file_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[0-9SC, +\\-\n\0]{0,60}") {
        parse(&bytes);
        parse(text.as_bytes());
    }
}
