//! A Maildir of its own for each test.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::imap::name::MailboxName;
use crate::spool::folder::Folder;
use crate::spool::tree::{DiskNames, Layout, Location, Tree};

/// A directory with a Maildir in it; gone when dropped.
pub(super) struct Mail {
    dir: tempfile::TempDir,
    pub(super) location: Location,
}

impl Mail {
    /// An empty Maildir, Maildir++ and modified UTF-7.
    pub(super) fn new() -> Mail {
        Mail::with(Layout::MaildirPlusPlus)
    }

    pub(super) fn with(layout: Layout) -> Mail {
        let dir = tempfile::tempdir().expect("a directory");
        let mail = Mail {
            location: Location {
                root: dir.path().join("Maildir"),
                control: None,
                layout,
                names: DiskNames::Utf7,
                follow_links_out: false,
            },
            dir,
        };
        mail.tree();
        mail
    }

    /// One of the trees in tests/maildirs.
    pub(super) fn sample(name: &str, layout: Layout) -> Mail {
        let mut mail = Mail::with(layout);
        let tar = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/maildirs")
            .join(name)
            .join("maildir.tar");
        let unpacked = std::process::Command::new("tar")
            .arg("--no-same-owner")
            .arg("-xpf")
            .arg(tar)
            .arg("-C")
            .arg(mail.dir.path())
            .status()
            .expect("tar");
        assert!(unpacked.success());
        mail.location.root = mail.dir.path().join("Maildir");
        mail
    }

    pub(super) fn tree(&self) -> Tree {
        Tree::open(self.location.clone()).expect("a tree")
    }

    /// The directory around the Maildir.
    pub(super) fn outside(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.location.root.join(name.as_ref())
    }

    pub(super) fn bytes_path(&self, sub: &str, name: &[u8]) -> PathBuf {
        self.path(sub).join(OsStr::from_bytes(name))
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect(name);
    }

    pub(super) fn read(&self, name: &str) -> String {
        String::from_utf8(fs::read(self.path(name)).expect(name)).expect(name)
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect(name);
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    pub(super) fn mtime(&self, name: &str) -> i64 {
        fs::metadata(self.path(name)).expect(name).mtime()
    }

    pub(super) fn inode(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).expect(name).ino()
    }

    /// Sets a file's time to so many seconds from now.
    pub(super) fn set_mtime(&self, name: &str, seconds: i64) {
        let now = SystemTime::now();
        let by = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { now - by } else { now + by };
        let file = fs::File::open(self.path(name)).expect(name);
        file.set_modified(time).expect(name);
    }

    /// The names in a directory.
    pub(super) fn names(&self, dir: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(dir))
            .expect(dir)
            .map(|entry| entry.expect(dir).file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// INBOX, open.
pub(super) fn folder(mail: &Mail) -> Folder {
    mail.tree().folder(&MailboxName::inbox()).expect("INBOX")
}

pub(super) fn name(text: &str, separator: char) -> MailboxName {
    MailboxName::from_utf8(text, separator).expect(text)
}
