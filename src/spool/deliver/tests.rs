//! Messages as they are stored, named and counted.

use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::imap::flag::SystemFlag;
use crate::spool::testing::{Mail, folder};

/// Delivers the pieces into `new/`; what is stored, and the sizes told.
fn stored(pieces: &[&[u8]]) -> (Vec<u8>, u64, u64) {
    let mail = Mail::new();
    let inbox = folder(&mail);
    let mut delivery = Delivery::create(&inbox).expect("create");
    for piece in pieces {
        delivery.write(piece).expect("write");
    }
    let complete = delivery.finish(None).expect("finish");
    let (size, virtual_size) = (complete.size(), complete.virtual_size());
    let name = complete
        .place(&inbox, Sub::New, SystemFlags::NONE, Letters::default())
        .expect("place");
    assert_eq!(
        (name.size(), name.virtual_size()),
        (Some(size), Some(virtual_size))
    );
    assert!(mail.names("tmp").is_empty());
    let bytes = fs::read(mail.bytes_path("new", name.bytes())).expect("stored");
    (bytes, size, virtual_size)
}

/// What a reader makes of the stored bytes.
fn with_crlf(bytes: &[u8]) -> u64 {
    let bare = |at: usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
    (bytes.len() + (0..bytes.len()).filter(|at| bare(*at)).count()) as u64
}

impl Complete {
    fn place(
        self,
        folder: &Folder,
        sub: Sub,
        flags: SystemFlags,
        letters: Letters,
    ) -> io::Result<FileName> {
        let name = self.fresh_name(sub, flags, letters)?;
        self.place_as(folder, sub, &name)?;
        Ok(name)
    }
}

#[test]
fn line_ends_become_lf_and_nothing_else_changes() {
    for (given, expected, virtual_size) in [
        (b"".as_slice(), b"".as_slice(), 0),
        (b"a\r\nb\r\n", b"a\nb\n", 6),
        (b"a\nb", b"a\nb", 4),
        (b"he\0lo", b"he\0lo", 5),
        (b"a\rb\r", b"a\rb\r", 4),
        (b"\r\r\n", b"\r\n", 2),
        (b"\n\r\n\n", b"\n\n\n", 6),
    ] {
        let (stored, size, counted) = stored(&[given]);
        assert_eq!(stored, expected, "{given:?}");
        assert_eq!(
            (size, counted),
            (stored.len() as u64, virtual_size),
            "{given:?}"
        );
    }
}

#[test]
fn the_name_sorts_flags_and_letters() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    let mut delivery = Delivery::create(&inbox).expect("create");
    delivery.write(b"Subject: x\r\n\r\n").expect("write");
    let date = DateTime {
        seconds: 1_000_000_000,
        offset: 120,
    };
    let complete = delivery.finish(Some(date)).expect("finish");
    let flags = SystemFlags::NONE
        .with(SystemFlag::Seen)
        .with(SystemFlag::Flagged);
    let name = complete
        .place(&inbox, Sub::Cur, flags, Letters(0b101))
        .expect("place");
    let text = String::from_utf8(name.bytes().to_vec()).expect("ASCII");
    assert!(text.ends_with(",S=12,W=14:2,FSac"), "{text}");
    let path = mail.bytes_path("cur", name.bytes());
    assert_eq!(path.metadata().expect("stat").mtime(), 1_000_000_000);
    assert_eq!(path.metadata().expect("stat").mode() & 0o777, 0o600);
}

#[test]
fn in_cur_there_is_always_an_info_suffix() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    let complete = Delivery::create(&inbox)
        .and_then(|delivery| delivery.finish(None))
        .expect("an empty message");
    let name = complete.place(&inbox, Sub::Cur, SystemFlags::NONE, Letters(0));
    assert!(name.expect("place").bytes().ends_with(b",S=0,W=0:2,"));
}

#[test]
fn dropped_at_any_step_it_leaves_nothing() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    let mut delivery = Delivery::create(&inbox).expect("create");
    assert_eq!(mail.names("tmp").len(), 1);
    delivery.write(&[b'x'; 200_000]).expect("write");
    drop(delivery);
    assert!(mail.names("tmp").is_empty());
    let complete = Delivery::create(&inbox)
        .and_then(|delivery| delivery.finish(None))
        .expect("finish");
    assert_eq!(mail.names("tmp").len(), 1);
    drop(complete);
    assert!(mail.names("tmp").is_empty());
}

#[test]
fn modes_come_from_the_mailbox_and_tmp_is_made_again() {
    let mail = Mail::new();
    fs::set_permissions(mail.path(""), fs::Permissions::from_mode(0o755)).expect("mode");
    let inbox = folder(&mail);
    fs::remove_dir(mail.path("tmp")).expect("tmp");
    fs::remove_dir(mail.path("new")).expect("new");
    let complete = Delivery::create(&inbox)
        .and_then(|delivery| delivery.finish(None))
        .expect("finish");
    let name = complete
        .place(&inbox, Sub::New, SystemFlags::NONE, Letters(0))
        .expect("place");
    let path = mail.bytes_path("new", name.bytes());
    assert_eq!(path.metadata().expect("stat").mode() & 0o777, 0o644);
    assert_eq!(
        mail.path("tmp").metadata().expect("stat").mode() & 0o777,
        0o755
    );
}

#[test]
fn a_mailbox_renamed_meanwhile_gets_its_message() {
    let mail = Mail::new();
    let tree = mail.tree();
    let name = crate::spool::testing::name("A", '.');
    tree.create(&name).expect("create");
    let target = tree.folder(&name).expect("open");
    let mut delivery = Delivery::create(&target).expect("create");
    fs::rename(mail.path(".A"), mail.path(".B")).expect("rename");
    delivery.write(b"x").expect("write");
    let complete = delivery.finish(None).expect("finish");
    complete
        .place(&target, Sub::New, SystemFlags::NONE, Letters(0))
        .expect("place");
    assert_eq!(mail.names(".B/new").len(), 1);
}

#[test]
fn a_copy_is_octet_for_octet() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    let mut source = tempfile::tempfile().expect("a file");
    source.write_all(b"a\r\nb\nc\r").expect("write");
    source.rewind().expect("rewind");
    let mut delivery = Delivery::create(&inbox).expect("create");
    delivery.copy_from(&source).expect("copy");
    let complete = delivery.finish(None).expect("finish");
    assert_eq!((complete.size(), complete.virtual_size()), (7, 8));
    let name = complete
        .place(&inbox, Sub::New, SystemFlags::NONE, Letters(0))
        .expect("place");
    let path = mail.bytes_path("new", name.bytes());
    assert_eq!(fs::read(path).expect("stored"), b"a\r\nb\nc\r");
}

#[test]
fn after_a_full_disk_nothing_is_placed() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    let mut delivery = Delivery::create(&inbox).expect("create");
    delivery.write(b"half of it").expect("write");
    delivery.failed = true;
    assert!(delivery.write(b"the rest").is_err());
    assert!(delivery.finish(None).is_err());
    assert!(mail.names("tmp").is_empty() && mail.names("new").is_empty());
}

#[test]
fn old_files_in_tmp_go_by_their_ctime_when_nobody_has_looked_for_a_week() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    mail.write("tmp/1600000000.old.host", "x");
    mail.set_mtime("tmp/1600000000.old.host", -100_000_000);
    fs::create_dir(mail.path("tmp/directory")).expect("a directory");
    let day = Duration::from_secs(24 * 60 * 60);
    let now = SystemTime::now();
    // The time of the last look is the access time, and is set by whoever looks.
    let look = |at| clear_old_at(&inbox, at).expect("a look");
    look(now);
    look(now + day * 6);
    assert_eq!(mail.names("tmp").len(), 2);
    look(now + day * 8);
    assert_eq!(mail.names("tmp"), ["directory"]);
    // A look that came long after the last change has found all.
    mail.write("tmp/2.h", "x");
    let tmp = File::open(mail.path("tmp")).expect("open");
    let later = fs::FileTimes::new().set_accessed(now + day * 3);
    tmp.set_times(later).expect("times");
    look(now + day * 20);
    assert_eq!(mail.names("tmp").len(), 2);
    let recent = fs::FileTimes::new().set_accessed(now + day / 2);
    tmp.set_times(recent).expect("times");
    look(now + day);
    assert_eq!(mail.names("tmp").len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_do_not_matter(text in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..24), cut in 1usize..6) {
        let at_once = stored(&[&text]);
        let pieces: Vec<&[u8]> = text.chunks(cut).collect();
        prop_assert_eq!(&stored(&pieces), &at_once);
        prop_assert_eq!(at_once.2, with_crlf(&at_once.0));
        let expected = String::from_utf8(text).expect("ASCII").replace("\r\n", "\n");
        prop_assert_eq!(at_once.0, expected.into_bytes());
    }
}
