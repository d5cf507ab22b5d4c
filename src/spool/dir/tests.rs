//! The ways out of a root, and files replaced whole.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

#[test]
fn without_openat2_no_link_is_followed() {
    let outer = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(outer.path().join("root/a/b")).expect("directories");
    symlink("a", outer.path().join("root/link")).expect("a link");
    symlink("b", outer.path().join("root/a/last")).expect("a link");
    let root = Root::open(&outer.path().join("root"), false).expect("open");
    let walked = |path: &str| walk(root.dir(), Path::new(path), DIRECTORY).map(drop);
    assert_eq!(walked("a/b"), Ok(()));
    assert_eq!(walked("a/gone"), Err(Errno::NOENT));
    for refused in ["link/b", "a/last", "link"] {
        assert!(matches!(walked(refused), Err(Errno::NOTDIR | Errno::LOOP)));
    }
    for refused in ["..", "a/../..", "/etc", ""] {
        assert!(matches!(walked(refused), Err(Errno::XDEV | Errno::NOENT)));
    }
    // What the walk refuses is then judged by where it lands.
    for allowed in ["link/b", "a/last"] {
        let opened = root.open_landing(root.dir(), Path::new(allowed), DIRECTORY);
        assert!(opened.is_ok(), "{allowed}");
    }
}

#[test]
fn nothing_beside_the_root_is_opened() {
    let outer = tempfile::tempdir().expect("a directory");
    for name in ["root", "root-of-another", "root/a"] {
        fs::create_dir(outer.path().join(name)).expect(name);
    }
    symlink("../root-of-another", outer.path().join("root/out")).expect("a link");
    symlink("/proc/self/root/etc", outer.path().join("root/proc")).expect("a link");
    symlink(outer.path().join("root/a"), outer.path().join("root/in")).expect("a link");
    let root = Root::open(&outer.path().join("root"), false).expect("open");
    for refused in ["out", "proc", "..", "a/../.."] {
        let opened = root.open_at(root.dir(), Path::new(refused), DIRECTORY);
        let kind = opened.expect_err(refused).kind();
        assert_eq!(kind, io::ErrorKind::PermissionDenied, "{refused}");
    }
    for allowed in ["a", "in", "a/../a"] {
        let opened = root.open_at(root.dir(), Path::new(allowed), DIRECTORY);
        assert!(opened.is_ok(), "{allowed}");
    }
}

#[test]
fn a_draft_replaces_whole_or_not_at_all() {
    let place = tempfile::tempdir().expect("a directory");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    let dir = open_at(rustix::fs::CWD, place.path(), DIRECTORY).expect("open");
    fs::write(place.path().join("file"), "old").expect("write");
    fs::write(place.path().join("draft"), "left by a crash").expect("write");
    let draft = Draft::create(dir.as_fd(), "draft").expect("create");
    drop(draft);
    assert!(!place.path().join("draft").exists());
    let draft = Draft::create(dir.as_fd(), "draft").expect("create");
    io::Write::write_all(&mut &draft.file, b"new").expect("write");
    draft.publish("file").expect("publish");
    assert_eq!(fs::read(place.path().join("file")).expect("read"), b"new");
    let mode = place.path().join("file").metadata().expect("stat").mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn the_group_matters_only_where_it_may_do_more_or_less() {
    let place = tempfile::tempdir().expect("a directory");
    for (mode, group) in [
        (0o700, false),
        (0o750, true),
        (0o755, false),
        (0o2750, false),
    ] {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).expect("mode");
        let dir = open_at(rustix::fs::CWD, place.path(), DIRECTORY).expect("open");
        let modes = Modes::of(dir.as_fd()).expect("stat");
        assert_eq!(modes.group.is_some(), group, "{mode:o}");
        assert_eq!(modes.file.bits(), mode & 0o666);
        assert_eq!(modes.dir.bits(), mode);
    }
}
