//! A throw-away Maildir, and the programs that write to one beside the server: an MTA, a mail reader.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::is_root;

/// Who owns mail when the tests run as root: an ordinary user, so that the server drops its rights.
pub const MAIL_UID: u32 = 65_534;

/// What may be deleted at any time.
const CACHES: [&str; 4] = [
    "culver.index",
    "culver.log",
    "culver.cache",
    "culver.status",
];

/// A Maildir in a directory of its own.
pub struct Maildir {
    home: TempDir,
    path: PathBuf,
}

impl Maildir {
    /// An empty one: `cur`, `new`, `tmp`.
    pub fn new() -> Maildir {
        let maildir = Maildir::absent();
        for sub in ["", "cur", "new", "tmp"] {
            fs::create_dir(maildir.path.join(sub)).unwrap();
        }
        maildir.settle();
        maildir
    }

    /// None yet: only the directory it would lie in.
    pub fn absent() -> Maildir {
        let home = tempfile::Builder::new()
            .prefix("culver-test-")
            .tempdir()
            .unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        own(home.path());
        let path = home.path().join("Maildir");
        Maildir { home, path }
    }

    /// One from a tar file that holds `Maildir/`, times and modes kept.
    pub fn unpack(tar: &Path) -> Maildir {
        let maildir = Maildir::absent();
        let status = Command::new("tar")
            .args(["--no-same-owner", "-xpf"])
            .arg(tar)
            .arg("-C")
            .arg(maildir.home())
            .status()
            .unwrap();
        assert!(status.success(), "tar could not unpack {}", tar.display());
        maildir.settle();
        maildir
    }

    /// The Maildir's root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory around it, for a test's own files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Gives everything in it to the mail user, where the tests run as root.
    pub fn settle(&self) {
        if is_root() {
            let status = Command::new("chown")
                .args(["-hR", &format!("{MAIL_UID}:{MAIL_UID}")])
                .arg(&self.path)
                .status()
                .unwrap();
            assert!(status.success());
        }
    }

    /// A folder's directory: the root for `INBOX`, else `.NAME`.
    pub fn folder(&self, name: &str) -> PathBuf {
        match name {
            "INBOX" => self.path.clone(),
            _ => self.path.join(format!(".{name}")),
        }
    }

    /// Writes a message to `tmp/` as an MTA does and gives the path; [`Maildir::release`] delivers it.
    pub fn prepare(&self, folder: &str, message: &[u8]) -> PathBuf {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let seconds = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let name = format!("{seconds}.P{}Q{count}.mta", std::process::id());
        let path = self.folder(folder).join("tmp").join(name);
        let mut file = fs::File::create_new(&path).unwrap();
        file.write_all(message).unwrap();
        file.sync_all().unwrap();
        own(&path);
        path
    }

    /// Renames a prepared message into `new/` and gives its name.
    pub fn release(&self, folder: &str, prepared: &Path) -> String {
        let name = prepared.file_name().unwrap().to_str().unwrap().to_owned();
        fs::rename(prepared, self.folder(folder).join("new").join(&name)).unwrap();
        name
    }

    /// Delivers a message as an MTA does, and gives its base name.
    pub fn deliver(&self, folder: &str, message: &str) -> String {
        let prepared = self.prepare(folder, message.as_bytes());
        self.release(folder, &prepared)
    }

    /// Puts a file into `cur/` or `new/` under exactly this name.
    pub fn place(&self, folder: &str, sub: &str, name: &str, message: &[u8]) -> PathBuf {
        let path = self.folder(folder).join(sub).join(name);
        fs::write(&path, message).unwrap();
        own(&path);
        path
    }

    /// A folder as Dovecot left it, with this UIDVALIDITY, the next UID, and messages in `cur/` that have these UIDs. It
    /// may be the root, which is there, or one that is made.
    pub fn numbered(&self, folder: &str, validity: u32, next: u32, uids: &[u32]) {
        for sub in ["", "cur", "new", "tmp"] {
            let dir = self.folder(folder).join(sub);
            if !dir.is_dir() {
                fs::create_dir(&dir).unwrap();
                own(&dir);
            }
        }
        let guid = "0123456789abcdef".repeat(2);
        let mut list = format!("3 V{validity} N{next} G{guid}\n");
        for uid in uids {
            let base = format!("{}.M{uid}P1.host", 1_700_000_000 + uid);
            let text = super::message(&format!("m{uid}"));
            self.place(folder, "cur", &format!("{base}:2,"), text.as_bytes());
            list.push_str(&format!("{uid} :{base}\n"));
        }
        let path = self.folder(folder).join("dovecot-uidlist");
        fs::write(&path, list).unwrap();
        own(&path);
    }

    /// The files of a folder's `cur/` and `new/`, sorted, as `cur/NAME`.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        for sub in ["cur", "new"] {
            for entry in fs::read_dir(self.folder(folder).join(sub)).unwrap() {
                names.push(format!(
                    "{sub}/{}",
                    entry.unwrap().file_name().to_string_lossy()
                ));
            }
        }
        names.sort_by_cached_key(|name| in_order(name));
        names
    }

    /// Where the message with this base name lies now, whatever its flags.
    pub fn find(&self, folder: &str, base: &str) -> Option<PathBuf> {
        let found = self.files(folder).into_iter().find(|name| {
            let name = &name[4..];
            name.split(':').next() == Some(base) || name.split(&[':', ','][..]).next() == Some(base)
        })?;
        Some(self.folder(folder).join(found))
    }

    /// Changes a message's flag letters by renaming its file, as mutt does.
    pub fn reflag(&self, folder: &str, base: &str, letters: &str) {
        let old = self.find(folder, base).unwrap();
        let name = old.file_name().unwrap().to_str().unwrap();
        let stem = name.split(':').next().unwrap();
        fs::rename(
            &old,
            self.folder(folder)
                .join("cur")
                .join(format!("{stem}:2,{letters}")),
        )
        .unwrap();
    }

    /// Removes a message's file, as any program may.
    pub fn remove(&self, folder: &str, base: &str) {
        fs::remove_file(self.find(folder, base).unwrap()).unwrap();
    }

    /// Removes the files that may be deleted at any time.
    pub fn forget_caches(&self) {
        fn walk(dir: &Path) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if path.is_dir() && !path.is_symlink() {
                    walk(&path);
                } else if CACHES.contains(&name.as_str()) {
                    fs::remove_file(&path).unwrap();
                }
            }
        }
        walk(&self.path);
    }
}

/// Gives one path to the mail user, where the tests run as root.
pub fn own(path: &Path) {
    if is_root() {
        chown(path, Some(MAIL_UID), Some(MAIL_UID)).unwrap();
    }
}

/// A name as it sorts by the numbers in it: microseconds have as many digits as they need.
fn in_order(name: &str) -> Vec<(u64, String)> {
    name.split_inclusive(|one: char| !one.is_ascii_digit())
        .map(|part| {
            let digits = part.trim_end_matches(|one: char| !one.is_ascii_digit());
            (digits.parse().unwrap_or(0), part.to_owned())
        })
        .collect()
}
