//! Both files on disk: appended to, written anew, cut off, changed, copied, and by two processes at once.

use std::fs;

use super::*;
use crate::imap::name::MailboxName;
use crate::imap::sequence::{NumberSet, Uid};
use crate::index::record::Flags;
use crate::spool::folder::Folder;
use crate::spool::tree::{DiskNames, Layout, Location, Tree};

/// A mailbox without mail.
struct Place {
    dir: tempfile::TempDir,
    folder: Folder,
}

fn validity() -> UidValidity {
    UidValidity::new(7).unwrap()
}

fn here(modseq: u64, uid: u32, flags: u64) -> Entry {
    Entry {
        modseq: ModSeq(modseq),
        uid: Uid::new(uid).unwrap(),
        change: Change::Here(Flags(flags)),
    }
}

fn gone(modseq: u64, uid: u32) -> Entry {
    Entry {
        change: Change::Gone,
        ..here(modseq, uid, 0)
    }
}

fn record(uid: u32, flags: u64, modseq: u64) -> Record {
    Record {
        uid: Uid::new(uid).unwrap(),
        flags: Flags(flags),
        modseq: ModSeq(modseq),
    }
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(Location {
            root: dir.path().join("Maildir"),
            control: None,
            layout: Layout::MaildirPlusPlus,
            names: DiskNames::Utf7,
            follow_links_out: false,
        });
        let folder = tree.unwrap().folder(&MailboxName::inbox()).unwrap();
        Place { dir, folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("Maildir").join(name)
    }

    /// Three messages, none gone.
    fn begin(&self, before: Option<&mut Index>) -> Index {
        let records = [record(1, 0, 10), record(2, 8, 11), record(5, 0, 10)];
        let vanished = Vanished::new(ModSeq(9));
        let last = ModSeq(11);
        Index::replace(before, &self.folder, validity(), last, &records, &vanished).unwrap()
    }

    fn read(&self) -> Option<(Index, Known)> {
        Index::read(&self.folder, validity(), 9).unwrap()
    }

    /// As after a start of the machine.
    fn read_later(&self) -> Option<(Index, Known)> {
        Index::read_in(&self.folder, validity(), 9, 1234).unwrap()
    }
}

/// What the changes of most tests come to.
fn changed() -> Vec<Entry> {
    vec![here(12, 2, 0), gone(13, 1), here(14, 9, 1), gone(14, 5)]
}

fn known_after() -> Known {
    let mut vanished = Vanished::new(ModSeq(9));
    vanished.push(&NumberSet::from_ranges([(1, 1)]), ModSeq(13));
    vanished.push(&NumberSet::from_ranges([(5, 5)]), ModSeq(14));
    Known {
        last: ModSeq(14),
        records: vec![record(2, 0, 12), record(9, 1, 14)],
        vanished,
    }
}

#[test]
fn what_was_noted_is_known() {
    let place = Place::new();
    assert!(place.read().is_none());
    let mut index = place.begin(None);
    assert_eq!(place.read().unwrap().1.records.len(), 3);
    index.append(changed().into_iter()).unwrap();
    assert_eq!(place.read().unwrap().1, known_after());
    // Written anew, nothing else is known.
    let known = known_after();
    let (of, records, vanished) = (&place.folder, &known.records, &known.vanished);
    Index::replace(
        Some(&mut index),
        of,
        validity(),
        known.last,
        records,
        vanished,
    )
    .unwrap();
    assert_eq!(place.read().unwrap().1, known);
    assert_eq!(
        fs::metadata(place.path(LOG)).unwrap().len(),
        log::HEADER as u64
    );
    let other = UidValidity::new(8).unwrap();
    assert!(Index::read(&place.folder, other, 9).unwrap().is_none());
}

#[test]
fn after_a_start_of_the_machine_only_what_was_closed_is_believed() {
    let place = Place::new();
    let mut index = place.begin(None);
    index.append(changed().into_iter()).unwrap();
    assert!(place.read_later().is_none());
    index.close(&place.folder).unwrap();
    assert_eq!(place.read_later().unwrap().1, known_after());
    assert_eq!(place.read().unwrap().1, known_after());
    // Whoever appends takes it back first.
    let (mut later, _) = place.read_later().unwrap();
    later.append([here(20, 9, 0)].into_iter()).unwrap();
    assert_eq!(place.read_later().unwrap().1.last, ModSeq(20));
    assert!(place.read().is_none());
    let log = fs::read(place.path(LOG)).unwrap();
    let (lines, _) = log::decode(&log[log::HEADER..], later.number).unwrap();
    assert_eq!(lines[4..6], [Line::Closed, Line::Open(1234)]);
    // Closed twice is closed once.
    later.close(&place.folder).unwrap();
    later.close(&place.folder).unwrap();
    assert!(place.read().is_some());
}

#[test]
fn two_processes_hear_of_each_other() {
    let place = Place::new();
    let mut one = place.begin(None);
    let (mut other, _) = place.read().unwrap();
    assert!(matches!(other.poll(&place.folder).unwrap(), News::None));
    one.append(changed().into_iter()).unwrap();
    match other.poll(&place.folder).unwrap() {
        News::Entries(entries) => assert_eq!(entries, changed()),
        news => panic!("{news:?}"),
    }
    other.append([here(15, 9, 0)].into_iter()).unwrap();
    match one.poll(&place.folder).unwrap() {
        News::Entries(entries) => assert_eq!(entries, [here(15, 9, 0)]),
        news => panic!("{news:?}"),
    }
    // What one closes the other opens again.
    one.close(&place.folder).unwrap();
    assert!(matches!(other.poll(&place.folder).unwrap(), News::None));
    other.append([here(16, 9, 1)].into_iter()).unwrap();
    assert!(matches!(one.poll(&place.folder).unwrap(), News::Entries(_)));
    assert!(one.is_open());
    place.begin(Some(&mut one));
    assert!(matches!(other.poll(&place.folder).unwrap(), News::Replaced));
}

#[test]
fn a_deleted_file_of_the_two_is_noticed_and_the_other_not_believed() {
    for name in [INDEX, LOG] {
        let place = Place::new();
        let mut index = place.begin(None);
        fs::remove_file(place.path(name)).unwrap();
        assert!(matches!(index.poll(&place.folder).unwrap(), News::Replaced));
        assert!(place.read().is_none(), "{name}");
    }
}

#[test]
fn an_entry_cut_off_is_cut_away() {
    let place = Place::new();
    let mut index = place.begin(None);
    index.append(changed().into_iter()).unwrap();
    let whole = fs::read(place.path(LOG)).unwrap();
    for length in 0..whole.len() {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(place.path(LOG))
            .unwrap();
        file.set_len(length as u64).unwrap();
        let Some((mut index, known)) = place.read() else {
            assert!(length < log::HEADER, "{length}");
            fs::write(place.path(LOG), &whole).unwrap();
            continue;
        };
        let count = (length - log::HEADER) / log::ENTRY;
        let last = changed().iter().take(count).map(|entry| entry.modseq).max();
        assert_eq!(known.last, last.unwrap_or(ModSeq(11)));
        assert!(matches!(index.poll(&place.folder).unwrap(), News::None));
        index.append([here(30, 9, 3)].into_iter()).unwrap();
        let (_, known) = place.read().unwrap();
        assert_eq!(
            (known.last, known.records.last().unwrap().flags),
            (ModSeq(30), Flags(3))
        );
        fs::write(place.path(LOG), &whole).unwrap();
    }
}

#[test]
fn an_octet_changed_anywhere_raises_doubt() {
    let place = Place::new();
    place.begin(None).append(changed().into_iter()).unwrap();
    for name in [INDEX, LOG] {
        let whole = fs::read(place.path(name)).unwrap();
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 0x40;
            fs::write(place.path(name), other).unwrap();
            assert!(place.read().is_none(), "{name}, octet {at}");
        }
        fs::write(place.path(name), whole).unwrap();
        assert!(place.read().is_some());
    }
}

#[test]
fn a_copy_is_not_taken_for_what_was_written() {
    for name in [INDEX, LOG] {
        let place = Place::new();
        let _index = place.begin(None);
        let copy = place.path("copy");
        fs::copy(place.path(name), &copy).unwrap();
        fs::rename(copy, place.path(name)).unwrap();
        assert!(place.read().is_none(), "{name}");
    }
}

#[test]
fn who_is_stopped_between_the_two_files_loses_nothing() {
    let place = Place::new();
    let mut index = place.begin(None);
    index.append(changed().into_iter()).unwrap();
    fs::hard_link(place.path(LOG), place.path("old")).unwrap();
    let known = known_after();
    let (of, records, vanished) = (&place.folder, &known.records, &known.vanished);
    Index::replace(
        Some(&mut index),
        of,
        validity(),
        known.last,
        records,
        vanished,
    )
    .unwrap();
    fs::rename(place.path("old"), place.path(LOG)).unwrap();
    let (mut index, read) = place.read().unwrap();
    assert_eq!(read, known);
    assert!(matches!(index.poll(&place.folder).unwrap(), News::None));
    assert!(index.is_due(0, 1_000_000));
    assert!(place.read_later().is_none());
}

#[test]
fn what_is_no_file_is_no_index() {
    for name in [INDEX, LOG] {
        let place = Place::new();
        let _index = place.begin(None);
        fs::remove_file(place.path(name)).unwrap();
        fs::create_dir(place.path(name)).unwrap();
        assert!(place.read().is_none());
        fs::remove_dir(place.path(name)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path(name)).unwrap();
        assert!(place.read().is_none());
    }
}

#[test]
fn a_long_log_is_to_be_written_anew() {
    let place = Place::new();
    let mut index = place.begin(None);
    assert!(!index.is_due(SHORT, 0));
    assert!(index.is_due(SHORT + 1, 0));
    assert!(!index.is_due(SHORT + 1, SHORT * 8));
    let many = (1..=SHORT as u32).map(|uid| here(u64::from(uid), uid, 0));
    index.append(many).unwrap();
    assert!(index.is_due(1, 0));
}

/// Old files that a power cut brings back lack what was told since.
#[test]
fn files_that_were_not_believed_are_not_believed_later() {
    let place = Place::new();
    place.begin(None).close(&place.folder).unwrap();
    fs::hard_link(place.path(LOG), place.path("old")).unwrap();
    fs::hard_link(place.path(INDEX), place.path("old index")).unwrap();
    // Somebody does not believe them: say the uidlist was made anew for a while.
    let gone = || !place.path(LOG).exists();
    fs::create_dir(place.path(INDEX_DRAFT)).unwrap();
    let (of, none) = (&place.folder, Vanished::new(ModSeq(20)));
    let replaced = Index::replace(None, of, validity(), ModSeq(20), &[], &none);
    assert!(replaced.is_err() && gone(), "the log goes first, for good");
    assert!(place.read_later().is_none());
    fs::remove_dir(place.path(INDEX_DRAFT)).unwrap();
    Index::replace(None, of, validity(), ModSeq(20), &[], &none).unwrap();
    fs::rename(place.path("old index"), place.path(INDEX)).unwrap();
    assert!(place.read().is_none());
}

/// Octets that nobody wrote cost no memory.
#[test]
fn a_file_that_is_larger_than_it_says_is_not_read() {
    for name in [INDEX, LOG] {
        let place = Place::new();
        let mut index = place.begin(None);
        let file = fs::OpenOptions::new().write(true).open(place.path(name));
        file.unwrap().set_len(1 << 40).unwrap();
        assert!(place.read().is_none(), "{name}");
        if name == LOG {
            assert!(matches!(index.poll(&place.folder).unwrap(), News::Replaced));
        }
    }
    // One that says so itself is not believed either.
    let place = Place::new();
    place.begin(None);
    let mut octets = fs::read(place.path(INDEX)).unwrap();
    octets[60..64].copy_from_slice(&(PLENTY as u32 + 1).to_le_bytes());
    fs::write(place.path(INDEX), &octets).unwrap();
    let size = record::HEADER + (PLENTY + 1) * 20 + 4;
    let file = fs::OpenOptions::new().write(true).open(place.path(INDEX));
    file.unwrap().set_len(size as u64).unwrap();
    assert!(place.read().is_none());
    assert_eq!(record::size(&octets, PLENTY), None);
    assert_eq!(record::size(&octets, PLENTY + 1), Some(size as u64));
}
