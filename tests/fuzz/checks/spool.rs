//! Dovecot's files: whatever is in them, what is read of them is in order, and comes back when it is written.
//!
//! Octet 1 says which file, octet 2 where it was cut off when it was read first; the rest is what is in it.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use culver::imap::flag::Keyword;
use culver::imap::name::MailboxName;
use culver::imap::sequence::Uid;
use culver::mailbox::user::{DiskNames, Layout, Location};
use culver::spool::extra_keywords::ExtraKeywords;
use culver::spool::filename::{FileName, Letters};
use culver::spool::folder::Folder;
use culver::spool::keyword_set::Extras;
use culver::spool::keywords::Keywords;
use culver::spool::subscriptions;
use culver::spool::tree::Tree;
use culver::spool::uidlist::{Change, Read, Record, UidList};
use tempfile::TempDir;

pub fn check(octets: &[u8]) {
    let [which, cut, rest @ ..] = octets else {
        return;
    };
    match which % 4 {
        0 => uidlist(rest, usize::from(*cut)),
        1 if *which >= 128 => extra_keywords(rest, usize::from(*cut)),
        1 => keywords(rest),
        2 => subscriptions(rest, *which, *cut),
        _ => file_name(rest),
    }
}

/// An empty Maildir.
struct Place {
    _root: TempDir,
    root: PathBuf,
    tree: Tree,
}

impl Place {
    fn new(layout: Layout) -> Place {
        let dir = tempfile::Builder::new()
            .prefix("culver-fuzz-")
            .tempdir()
            .unwrap();
        let root = dir.path().join("Maildir");
        let tree = Tree::open(Location {
            root: root.clone(),
            control: None,
            layout,
            names: DiskNames::Utf7,
            follow_links_out: false,
        });
        Place {
            _root: dir,
            root,
            tree: tree.unwrap(),
        }
    }

    fn inbox(&self) -> Folder {
        self.tree.folder(&MailboxName::inbox()).unwrap()
    }

    fn put(&self, name: &str, octets: &[u8]) {
        fs::write(self.root.join(name), octets).unwrap();
    }
}

/// A uidlist that goes on under its UIDVALIDITY, and whether all of it is sound.
fn read(folder: &Folder) -> Option<(UidList, Vec<Record>, bool)> {
    match UidList::read(folder).unwrap() {
        Read::Missing => panic!("it is there"),
        Read::Broken(salvage) => {
            in_order(&salvage.records);
            None
        }
        Read::Whole {
            list,
            records,
            rewrite,
        } => {
            in_order(&records);
            assert!(records.iter().all(|record| record.uid < list.next));
            Some((list, records, !rewrite))
        }
    }
}

fn in_order(records: &[Record]) {
    assert!(records.is_sorted_by(|one, next| one.uid < next.uid));
    let names: HashSet<&[u8]> = records.iter().map(|record| &*record.base).collect();
    assert_eq!(names.len(), records.len());
}

fn uidlist(octets: &[u8], cut: usize) {
    let place = Place::new(Layout::MaildirPlusPlus);
    let folder = place.inbox();
    const NAME: &str = "dovecot-uidlist";
    place.put(NAME, octets);
    let Some((mut list, mut records, _)) = read(&folder) else {
        if let Read::Broken(salvage) = UidList::read(&folder).unwrap() {
            begin_anew(&folder, &salvage.records);
        }
        return;
    };
    let (uid_validity, guid, next) = (list.uid_validity, list.guid().to_owned(), list.next);

    // Somebody else writes it line by line, and we read on.
    let (before, behind) = octets.split_at(cut.min(octets.len()));
    let lines = before
        .iter()
        .rposition(|octet| *octet == b'\n')
        .map_or(0, |at| at + 1);
    place.put(NAME, &before[..lines]);
    let sound = read(&folder).is_some_and(|(_, _, sound)| sound);
    place.put(NAME, before);
    if let Some((mut growing, mut seen, _)) = read(&folder).filter(|_| sound && !behind.is_empty())
    {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(place.root.join(NAME))
            .unwrap();
        file.write_all(behind).unwrap();
        let appended = match growing.poll(&folder).unwrap() {
            Change::None => Some(Vec::new()),
            Change::Appended(records) => Some(records),
            Change::Replaced => None,
        };
        if let Some(appended) = appended {
            let names: HashSet<&[u8]> = appended.iter().map(|record| &*record.base).collect();
            seen.retain(|record| !names.contains(&*record.base));
            seen.extend(appended.iter().cloned());
            if names.len() == appended.len() {
                assert_eq!(seen, records);
            }
            assert_eq!(growing.next, next);
        }
    }

    place.put(NAME, octets);
    list.rewrite(&folder, &records).unwrap();
    let (mut again, same, sound) = read(&folder).expect("what we write can be read");
    assert!(sound);
    assert_eq!(same, records);
    assert_eq!((again.uid_validity, again.guid()), (uid_validity, &*guid));
    assert!(again.next >= next);

    let record = Record {
        uid: again.next,
        fields: vec![(b'W', b"1".as_slice().into())],
        base: b"fresh".as_slice().into(),
    };
    again
        .append(&folder, std::slice::from_ref(&record))
        .unwrap();
    records.retain(|old| old.base != record.base);
    records.push(record);
    if let Some((_, same, sound)) = read(&folder) {
        assert!(sound);
        assert_eq!(same, records);
    }
}

/// A file that cannot go on is made anew with what is known.
fn begin_anew(folder: &Folder, records: &[Record]) {
    let uid_validity = culver::imap::sequence::UidValidity::FIRST;
    UidList::create(folder, uid_validity, Uid::FIRST, None, records).unwrap();
    let (_, same, sound) = read(folder).expect("what we write can be read");
    assert!(sound);
    assert_eq!(same, records);
}

fn keywords(octets: &[u8]) {
    let place = Place::new(Layout::MaildirPlusPlus);
    let folder = place.inbox();
    place.put("dovecot-keywords", octets);
    let mut table = Keywords::read(&folder).unwrap();
    let named = |table: &Keywords| -> Vec<(Option<Letters>, Keyword)> {
        let all = table.all().cloned();
        all.map(|keyword| (table.letter(&keyword), keyword))
            .collect()
    };
    let before = named(&table);
    for (letter, keyword) in &before {
        let letter = letter.expect("a letter");
        assert_eq!(letter.0.count_ones(), 1);
        assert!(!table.lacks(letter));
        assert_eq!(table.named(letter).collect::<Vec<_>>(), [keyword]);
    }
    table.write(&folder).unwrap();
    assert!(!table.is_stale(&folder).unwrap());
    let mut again = Keywords::read(&folder).unwrap();
    assert_eq!(named(&again), before);
    let all = Letters((1 << 26) - 1);
    assert_eq!(again.lacks(all), table.lacks(all));
    // Nothing is left to mend.
    let written = fs::read(place.root.join("dovecot-keywords")).unwrap();
    again.mend(&folder).unwrap();
    assert_eq!(
        fs::read(place.root.join("dovecot-keywords")).unwrap(),
        written
    );

    let full = again.free() == 0;
    let fresh = Keyword::new("$Fresh-one").unwrap();
    let known = again.letter(&fresh).is_some();
    assert_eq!(again.assign(&[fresh]).is_some(), known || !full);
    again.name_unknown(all);
    assert!(!again.lacks(all));
    again.write(&folder).unwrap();
    assert_eq!(named(&Keywords::read(&folder).unwrap()), named(&again));
}

/// As another process sees it that read the file when it was shorter, too.
fn extra_keywords(octets: &[u8], cut: usize) {
    let place = Place::new(Layout::MaildirPlusPlus);
    let folder = place.inbox();
    let said = |table: &ExtraKeywords| {
        let names: Vec<Keyword> = table.names().all().cloned().collect();
        let mut sets: Vec<(Vec<u8>, Extras)> = table
            .bases()
            .map(|base| (base.to_vec(), table.of(base)))
            .collect();
        sets.sort_by(|(one, _), (other, _)| one.cmp(other));
        (names, sets)
    };
    place.put("culver.keywords", octets.get(..cut).unwrap_or(octets));
    let mut other = ExtraKeywords::read(&folder).unwrap();
    place.put("culver.keywords", octets);
    let mut table = ExtraKeywords::read(&folder).unwrap();
    let before = said(&table);
    for (_, set) in &before.1 {
        assert!(!set.is_empty());
        assert!(
            set.iter()
                .all(|number| table.names().name(number).is_some())
        );
    }
    other.poll(&folder).unwrap();
    if !other.is_to_be_mended() && !table.is_to_be_mended() {
        assert_eq!(said(&other), before);
    }
    // It is appended to or written anew; either way it says what it said.
    let base = &b"1700000000.M1P1.host"[..];
    let free = table.names().free().next();
    let name = Keyword::new("$Fresh-one").unwrap();
    let named = table.name(&folder, &[name]).unwrap();
    assert!(named.is_some() || free.is_none());
    let set = Extras::new([26]);
    if table.names().name(26).is_some() {
        table.put(&folder, &[(base, set.clone())]).unwrap();
        assert_eq!(table.of(base), set);
    }
    table.mend(&folder).unwrap();
    let again = ExtraKeywords::read(&folder).unwrap();
    assert!(!again.is_to_be_mended());
    assert_eq!(said(&again), said(&table));
    other.poll(&folder).unwrap();
    assert_eq!(said(&other), said(&table));
    table.rewrite(&folder, |_| true).unwrap();
    assert_eq!(said(&ExtraKeywords::read(&folder).unwrap()), said(&again));
}

fn subscriptions(octets: &[u8], which: u8, change: u8) {
    let layout = match which & 4 {
        0 => Layout::MaildirPlusPlus,
        _ => Layout::Fs,
    };
    let place = Place::new(layout);
    let tree = &place.tree;
    place.put("subscriptions", octets);
    let names = subscriptions::read(tree).unwrap();
    let unique: HashSet<&MailboxName> = names.iter().collect();
    assert_eq!(unique.len(), names.len());

    let other = MailboxName::from_utf8("Some other/Mailbox", '/').unwrap();
    let name = names.get(usize::from(change)).unwrap_or(&other);
    if tree.check(name).is_err() {
        return;
    }
    subscriptions::change(tree, name, true).unwrap();
    let added = subscriptions::read(tree).unwrap();
    let mut expected = names.clone();
    if !names.contains(name) {
        expected.push(name.clone());
    }
    assert_eq!(added, expected);
    subscriptions::change(tree, name, false).unwrap();
    expected.retain(|other| other != name);
    assert_eq!(subscriptions::read(tree).unwrap(), expected);
}

fn file_name(octets: &[u8]) {
    let Some(name) = FileName::new(octets) else {
        return;
    };
    let (flags, letters) = name.flags();
    let _ = (name.size(), name.virtual_size());
    assert!(name.arrival_order(&name).is_eq());
    if let Some(same) = name.with_flags(flags, letters) {
        assert_eq!((same.flags(), same.base()), ((flags, letters), name.base()));
        let again = same.with_flags(flags, letters);
        assert_eq!(again.as_ref(), Some(&same));
        // Sizes in the base name stay.
        let base = FileName::new(name.base()).unwrap();
        for size in [FileName::size, FileName::virtual_size] {
            if let Some(octets) = size(&base) {
                assert_eq!([size(&name), size(&same)], [Some(octets); 2]);
            }
        }
    }
    if let Some(taken) = name.taken_over() {
        assert_eq!((taken.flags(), taken.base()), (name.flags(), name.base()));
        let other = FileName::new(b"a").unwrap();
        assert_eq!(
            name.arrival_order(&other),
            other.arrival_order(&name).reverse()
        );
    }
    if let Some(other) = name.with_base(b"other") {
        assert_eq!(other.base(), b"other");
        assert_eq!(other.flags(), name.flags());
    }
}
