//! Dovecot's passwd-file, one user a line.
//!
//! A line that is empty or begins with `#` or `:` is passed over; nothing is trimmed. The name must
//! equal the one looked up octet by octet, and of two lines for one name the first counts. What a
//! line says is `passwd_line`'s affair.
//!
//! The file is looked at before each lookup and read again when it has changed. **Blocking.**

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::passwd_line::{self, Entry};
use super::stand_ins::StandIns;
use crate::config::{Template, Variables};

/// The largest file that is read, in octets: some half a million users.
const MAX_FILE: u64 = 64 << 20;

/// How many files are kept in memory where the path has variables.
const MAX_FILES: usize = 64;

/// Why a lookup has no answer.
#[derive(Debug, thiserror::Error)]
pub enum PasswdFileError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What reading it said.
        error: io::Error,
    },
    /// The user's line asks for what is not known here.
    #[error("{}: user {user}: {why}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The user.
        user: String,
        /// What it asks for.
        why: String,
    },
}

/// Opens the file for a user, at a path; may block.
pub type Open = dyn Fn(&str, &Path) -> io::Result<File> + Send + Sync;

/// A source of users: the file at a path, or one file for each domain.
pub struct PasswdFile {
    path: Template,
    open: Box<Open>,
    files: Mutex<HashMap<PathBuf, Loaded>>,
}

/// A file as it was read, and by what it will be known to have changed.
#[derive(Clone, Debug)]
struct Loaded {
    stamp: Stamp,
    lines: Arc<Lines>,
    stand_ins: Arc<StandIns>,
}

/// Device, inode, size, and the time of the last change to the nanosecond: not of the last modification, which whoever
/// writes may set back.
type Stamp = (u64, u64, u64, i64, i64);

/// What follows the name and its colon, by name.
type Lines = HashMap<Vec<u8>, Vec<u8>>;

impl PasswdFile {
    /// A source that reads the file at `path`, where `%u`, `%n` and `%d` stand for the login name.
    pub fn new(path: Template, open: Box<Open>) -> PasswdFile {
        PasswdFile {
            path,
            open,
            files: Mutex::new(HashMap::new()),
        }
    }

    /// What the file says of `user`; `None`: nothing. Where the path depends on the user, a file
    /// that is not there knows no users.
    ///
    /// # Errors
    ///
    /// [`PasswdFileError`]: the file is missing or cannot be read, or the line cannot be followed.
    pub fn lookup(&self, user: &str) -> Result<Option<Entry>, PasswdFileError> {
        let variables = Variables { user, home: None };
        let Ok(path) = self.path.expand(&variables) else {
            return Ok(None);
        };
        let depends_on_user = path != self.path.as_str();
        let path = PathBuf::from(path);
        let lines = match self.lines(user, &path) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound && depends_on_user => {
                return Ok(None);
            }
            Err(error) => return Err(PasswdFileError::Unreadable { path, error }),
        };
        let Some(line) = lines.get(user.as_bytes()) else {
            return Ok(None);
        };
        passwd_line::parse(user, line).map_err(|why| PasswdFileError::Unsupported {
            path,
            user: user.to_owned(),
            why,
        })
    }

    /// Who stand for those who are not in the file that `user` would be in; where that file is not there, those of
    /// another. `None`: no file has been read.
    pub fn stand_ins(&self, user: &str) -> Option<Arc<StandIns>> {
        let variables = Variables { user, home: None };
        let path = self.path.expand(&variables).map(PathBuf::from);
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let own = path.ok().and_then(|path| files.get(&path));
        let other = || files.iter().min_by_key(|(path, _)| path.as_path());
        let file = own.or_else(|| other().map(|(_, file)| file))?;
        Some(Arc::clone(&file.stand_ins))
    }

    /// The lines of the file as it is now.
    fn lines(&self, user: &str, path: &Path) -> io::Result<Arc<Lines>> {
        // Opened each time: who may not look at the file may be given it.
        let file = (self.open)(user, path)?;
        // Before reading: what is written meanwhile makes the stamp old, and the file is read again.
        let stamp = stamp(&file.metadata()?);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = files.get(path)
            && loaded.stamp == stamp
        {
            return Ok(Arc::clone(&loaded.lines));
        }
        let loaded = load(file, stamp, path)?;
        let lines = Arc::clone(&loaded.lines);
        if files.len() >= MAX_FILES && !files.contains_key(path) {
            files.clear();
        }
        files.insert(path.to_owned(), loaded);
        Ok(lines)
    }
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

fn load(file: File, stamp: Stamp, path: &Path) -> io::Result<Loaded> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("the file is larger than 64 MiB"));
    }
    let mut lines = Lines::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if matches!(line.first(), None | Some(b'#' | b':')) {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (user, rest) = line.split_at(colon.unwrap_or(line.len()));
        let rest = rest.strip_prefix(b":").unwrap_or(rest);
        if lines.contains_key(user) {
            let user = String::from_utf8_lossy(user);
            tracing::error!(
                "{}: user {user:?} is there twice; the first line counts",
                path.display()
            );
            continue;
        }
        lines.insert(user.to_vec(), rest.to_vec());
    }
    let users = lines.iter();
    let stand_ins = StandIns::of(users.map(|(user, line)| (user.as_slice(), line.as_slice())));
    Ok(Loaded {
        stamp,
        lines: Arc::new(lines),
        stand_ins: Arc::new(stand_ins),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hash::Stored;

    fn source(directory: &Path, name: &str) -> PasswdFile {
        let path = format!("{}/{name}", directory.display());
        let open = |_: &str, path: &Path| File::open(path);
        PasswdFile::new(Template::parse(&path, "und").unwrap(), Box::new(open))
    }

    #[test]
    fn lookups_are_exact_and_the_first_line_counts() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("users"),
            "# comment\n\n:x\nann:{PLAIN}1\nann:{PLAIN}2\n #bob:{PLAIN}3\nCarl:{PLAIN}4\ndora",
        )
        .unwrap();
        let source = source(directory.path(), "users");
        let password = |user| source.lookup(user).unwrap().map(|entry| entry.password);
        assert_eq!(password("ann").as_deref(), Some("{PLAIN}1"));
        assert_eq!(password(" #bob").as_deref(), Some("{PLAIN}3"));
        assert_eq!(password("bob"), None);
        assert_eq!(password("carl"), None);
        assert_eq!(password("dora").as_deref(), Some(""));
        assert_eq!(password(""), None);
        assert_eq!(password("# comment"), None);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let source = source(directory.path(), "users");
        assert!(matches!(
            source.lookup("ann"),
            Err(PasswdFileError::Unreadable { .. })
        ));
        fs::write(&path, "ann:1\n").unwrap();
        assert!(source.lookup("ann").unwrap().is_some());
        fs::write(&path, "bob:22\n").unwrap();
        assert!(source.lookup("ann").unwrap().is_none());
        assert!(source.lookup("bob").unwrap().is_some());
        fs::remove_file(&path).unwrap();
        assert!(source.lookup("bob").is_err());
    }

    #[test]
    fn a_file_of_the_same_size_and_time_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let source = source(directory.path(), "users");
        fs::write(&path, "ann:1\n").unwrap();
        assert!(source.lookup("ann").unwrap().is_some());
        let before = fs::metadata(&path).unwrap();
        // The system's clock may not go on at once.
        while fs::metadata(&path).unwrap().ctime_nsec() == before.ctime_nsec() {
            fs::write(&path, "bob:1\n").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
        }
        let after = fs::metadata(&path).unwrap();
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        assert!(source.lookup("ann").unwrap().is_none());
        assert!(source.lookup("bob").unwrap().is_some());
    }

    #[test]
    fn a_file_for_each_domain() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.org"), "ann@a.org:1\n").unwrap();
        let source = source(directory.path(), "%d");
        assert!(source.lookup("ann@a.org").unwrap().is_some());
        assert!(source.lookup("ann@b.org").unwrap().is_none());
        assert!(source.lookup("ann@../a.org").unwrap().is_none());
        assert!(source.lookup("ann").unwrap().is_none());
    }

    #[test]
    fn who_stands_for_nobody_is_of_the_same_domain() {
        let directory = tempfile::tempdir().unwrap();
        for domain in ["a", "b"] {
            let line = format!("ann@{domain}:{{PLAIN}}{domain}\n");
            fs::write(directory.path().join(domain), line).unwrap();
        }
        let source = source(directory.path(), "%d");
        let password = |user: &str| {
            assert!(source.lookup(user).unwrap().is_none());
            let all = source.stand_ins(user);
            all.map(|all| all.of_name(user, |_| true).cloned().unwrap())
        };
        assert_eq!(password("x@c"), None);
        assert_eq!(password("x@b"), Some(Stored::plain(b"b")));
        assert_eq!(password("x@a"), Some(Stored::plain(b"a")));
        assert_eq!(password("x@b"), Some(Stored::plain(b"b")));
        assert_eq!(password("x@c"), Some(Stored::plain(b"a")));
    }
}
