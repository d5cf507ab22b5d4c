//! Culver's own files: whatever is in them, what is believed of them is in order, can be gone on with, and comes back
//! when it is written.
//!
//! Octet 1 says which file, and whether the rest is all of it, or what follows the header, with sums that are right.

use std::fs;
use std::path::PathBuf;

use culver::imap::name::MailboxName;
use culver::imap::sequence::{ModSeq, Uid, UidValidity};
use culver::index::log::{Change, Entry};
use culver::index::record::{Flags, Known, Record};
use culver::index::vanished::Vanished;
use culver::index::{Index, News};
use culver::mailbox::user::{DiskNames, Layout, Location};
use culver::spool::folder::Folder;
use culver::spool::tree::Tree;

/// What of the index's header is as it was written: the rest is input.
const KEPT: usize = 40;

/// The log's header.
const HEADER: usize = 40;

/// An entry without its sum.
const ENTRY: usize = 24;

pub fn check(octets: &[u8]) {
    let Some((which, rest)) = octets.split_first() else {
        return;
    };
    let dir = tempfile::Builder::new()
        .prefix("culver-fuzz-")
        .tempdir()
        .unwrap();
    let root = dir.path().join("Maildir");
    let tree = Tree::open(Location {
        root: root.clone(),
        control: None,
        layout: Layout::MaildirPlusPlus,
        names: DiskNames::Utf7,
        follow_links_out: false,
    });
    let folder = tree.unwrap().folder(&MailboxName::inbox()).unwrap();
    let record = |uid, flags, modseq| Record {
        uid: Uid::new(uid).unwrap(),
        flags: Flags(flags),
        modseq: ModSeq(modseq),
    };
    let known = Known {
        last: ModSeq(20),
        records: vec![record(1, 0, 20), record(7, 8, 15)],
        vanished: Vanished::new(ModSeq(10)),
    };
    write(&folder, None, &known);
    let [index, log] = ["culver.index", "culver.log"].map(|name| root.join(name));
    match which % 4 {
        0 => fs::write(index, rest).unwrap(),
        1 => fs::write(log, rest).unwrap(),
        2 => fill_index(&index, rest),
        _ => fill_log(&log, rest),
    }
    let Some((mut index, known)) = read(&folder) else {
        return;
    };
    is_in_order(&known);
    if index.is_due(0, 0) {
        return;
    }
    assert!(matches!(index.poll(&folder).unwrap(), News::None));
    let entry = Entry {
        modseq: ModSeq(known.last.0 + 1),
        uid: Uid::new(u32::MAX).unwrap(),
        change: Change::Here(Flags(1)),
    };
    let appended = index.append([entry].into_iter());
    appended.unwrap();
    index.close(&folder).unwrap();
    let last = known.last;
    let (mut index, known) = read(&folder).expect("closed");
    assert_eq!(known.last.0, last.0 + 1);
    is_in_order(&known);
    write(&folder, Some(&mut index), &known);
    let (_, same) = read(&folder).expect("just written");
    assert_eq!(same, known);
}

fn read(folder: &Folder) -> Option<(Index, Known)> {
    Index::read(folder, UidValidity::FIRST, 2).unwrap()
}

fn write(folder: &Folder, before: Option<&mut Index>, known: &Known) {
    let first = UidValidity::FIRST;
    let (last, records) = (known.last, &known.records);
    Index::replace(before, folder, first, last, records, &known.vanished).unwrap();
}

fn is_in_order(known: &Known) {
    let uids = known.records.iter().map(|record| record.uid);
    assert!(uids.is_sorted_by(|one, other| one < other));
    assert!(
        known
            .records
            .iter()
            .all(|record| record.modseq <= known.last)
    );
    let begins = known.vanished.begins();
    let all = known.vanished.since(begins).expect("all of the history");
    for range in known.vanished.ranges() {
        assert!(range.modseq >= begins && range.from <= range.to);
        assert!(range.modseq == begins || all.contains(range.to));
    }
}

/// The octets behind what is kept of the header, with a right sum.
fn fill_index(path: &PathBuf, rest: &[u8]) {
    let mut octets = fs::read(path).unwrap();
    octets.truncate(KEPT);
    octets.extend(rest);
    octets.extend(sum(&octets).to_le_bytes());
    fs::write(path, octets).unwrap();
}

/// Entries with right sums, and what is left.
fn fill_log(path: &PathBuf, rest: &[u8]) {
    let mut octets = fs::read(path).unwrap();
    octets.truncate(HEADER);
    let number = octets[8..16].to_vec();
    let (entries, over) = rest.as_chunks::<ENTRY>();
    for entry in entries {
        octets.extend(entry);
        octets.extend(sum(&[&number[..], entry].concat()).to_le_bytes());
    }
    octets.extend(over);
    fs::write(path, octets).unwrap();
}

/// CRC-32, bit by bit.
fn sum(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| match sum & 1 {
            1 => sum >> 1 ^ 0xEDB8_8320,
            _ => sum >> 1,
        })
    })
}
