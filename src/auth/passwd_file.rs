//! Dovecot's passwd-file: one user a line, `user:password:uid:gid:gecos:home:shell:extra fields`.
//!
//! A line that is empty or begins with `#` or `:` is passed over; nothing is trimmed. The name must
//! equal the one looked up octet by octet, and of two lines for one name the first counts. The extra
//! fields run to the end of the line, parted by spaces: `nologin`, `reason=…`, `allow_nets=…`,
//! `nopassword`, `nodelay`, `user=…`, `domain=…`, and with `userdb_` before them `uid`, `gid`, `home`,
//! `mail`, `mail_path`, `mail_driver`; what else stands there belongs to other programs. Where they
//! are empty and a ninth field follows, that is the mail location, as in Dovecot 1.0. A password that
//! ends in `[13]`, `[34]` or `[56]` is one of libpam-pwdfile's.
//!
//! The file is looked at before each lookup and read again when it has changed. **Blocking.**

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::AccountFields;
use super::hash::Scheme;
use crate::config::{Id, Layout, Names, Network, Template, Variables};

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

/// What a line says of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The password field, with its scheme where it names one. Empty: see `no_password`.
    pub password: String,
    /// The scheme where the password names none; `None`: the source's.
    pub scheme: Option<Scheme>,
    /// Any password will do; means nothing where one is stored.
    pub no_password: bool,
    /// The user may not log in, for this reason.
    pub disabled: Option<String>,
    /// A wrong password is told at once.
    pub no_delay: bool,
    /// The addresses from which alone a login is good.
    pub allowed: Option<Vec<AllowedNet>>,
    /// The name that the user has from here on.
    pub renamed: Option<String>,
    /// What becomes of the account.
    pub account: AccountFields,
}

/// One item of `allow_nets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedNet {
    /// Whoever has no address, such as a program on this host.
    Local,
    /// The addresses of a network.
    Network(Network),
}

/// A source of users: the file at a path, or one file for each domain.
#[derive(Debug)]
pub struct PasswdFile {
    path: Template,
    files: Mutex<HashMap<PathBuf, Loaded>>,
}

/// A file as it was read, and by what it will be known to have changed.
#[derive(Clone, Debug)]
struct Loaded {
    stamp: Stamp,
    lines: Arc<Lines>,
}

/// Inode, size, and modification time to the nanosecond.
type Stamp = (u64, u64, i64, i64);

/// What follows the name and its colon, by name.
type Lines = HashMap<Vec<u8>, Vec<u8>>;

impl PasswdFile {
    /// A source that reads the file at `path`, where `%u`, `%n` and `%d` stand for the login name.
    pub fn new(path: Template) -> PasswdFile {
        PasswdFile {
            path,
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
        let lines = match self.lines(&path) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound && depends_on_user => {
                return Ok(None);
            }
            Err(error) => return Err(PasswdFileError::Unreadable { path, error }),
        };
        let Some(line) = lines.get(user.as_bytes()) else {
            return Ok(None);
        };
        parse_line(user, line).map_err(|why| PasswdFileError::Unsupported {
            path,
            user: user.to_owned(),
            why,
        })
    }

    /// The password field of any user, so that one can be tried in vain for a name that is not there.
    pub fn any_password(&self) -> Option<String> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let line = files.values().find_map(|file| file.lines.values().next())?;
        let password = line.split(|byte| *byte == b':').next()?;
        String::from_utf8(password.to_vec()).ok()
    }

    /// The lines of the file as it is now.
    fn lines(&self, path: &Path) -> io::Result<Arc<Lines>> {
        let stamp = stamp(&fs::metadata(path)?);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = files.get(path)
            && loaded.stamp == stamp
        {
            return Ok(Arc::clone(&loaded.lines));
        }
        let loaded = load(path)?;
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
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}

fn load(path: &Path) -> io::Result<Loaded> {
    let file = File::open(path)?;
    // Before reading: what is written meanwhile makes the stamp old, and the file is read again.
    let stamp = stamp(&file.metadata()?);
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
    Ok(Loaded {
        stamp,
        lines: Arc::new(lines),
    })
}

/// Takes the fields after the name apart. `None`: the line is no user's, for it names no good uid.
fn parse_line(user: &str, line: &[u8]) -> Result<Option<Entry>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?;
    let mut fields = line.splitn(7, ':');
    let mut next = || fields.next().unwrap_or("");
    let (password, uid, gid, _gecos, home, _shell, extra) =
        (next(), next(), next(), next(), next(), next(), next());
    let mut entry = Entry::default();
    (entry.password, entry.scheme) = password_field(password);
    let (Ok(uid), Ok(gid)) = (number(uid, Id::uid), number(gid, Id::gid)) else {
        tracing::error!("user {user}: uid or gid is 0 or not known; the line is passed over");
        return Ok(None);
    };
    entry.account.uid = uid;
    entry.account.gid = gid;
    entry.account.home = (!home.is_empty()).then(|| PathBuf::from(home));

    // Location and names wait for the home, which may come after them.
    let mut mail = None;
    let mut mail_path = None;
    let mut domain = None;
    let mut reason = None;
    if let Some(location) = extra.strip_prefix(':') {
        mail = (!location.is_empty()).then_some(location);
    } else {
        for field in extra.split(' ') {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            match key {
                "nologin" => {
                    entry.disabled = Some(String::new());
                    if !value.is_empty() && value != "y" && value != "yes" {
                        reason = Some(value);
                    }
                }
                "reason" => reason = Some(value),
                "nodelay" => entry.no_delay = true,
                "nopassword" => entry.no_password = true,
                "allow_nets" => entry.allowed = Some(allowed_nets(value)?),
                "user" => entry.renamed = Some(expanded(value, user, None)?),
                "domain" => domain = Some(expanded(value, user, None)?),
                "proxy" | "proxy_maybe" | "host" => {
                    return Err("proxying is not supported".to_owned());
                }
                "userdb_uid" | "userdb_gid" => {
                    let id = if key == "userdb_uid" {
                        number(value, Id::uid)
                    } else {
                        number(value, Id::gid)
                    };
                    let Ok(id) = id else {
                        tracing::error!("user {user}: {key}={value} is 0 or not known");
                        return Ok(None);
                    };
                    match key {
                        "userdb_uid" => entry.account.uid = id,
                        _ => entry.account.gid = id,
                    }
                }
                "userdb_home" => {
                    let home = expanded(value, user, None)?;
                    entry.account.home = (!home.is_empty()).then(|| PathBuf::from(home));
                }
                "userdb_mail" => mail = Some(value),
                "userdb_mail_path" => mail_path = Some(value),
                "userdb_mail_driver" if value != "maildir" => {
                    return Err(format!("mail_driver {value:?} is not supported"));
                }
                _ => {}
            }
        }
    }
    if entry.disabled.is_some() {
        entry.disabled = Some(reason.unwrap_or("This account is disabled.").to_owned());
    }
    if let Some(domain) = domain {
        let name = entry.renamed.as_deref().unwrap_or(user);
        let local = name.split_once('@').map_or(name, |(local, _)| local);
        entry.renamed = Some(format!("{local}@{domain}"));
    }
    let name = entry.renamed.clone().unwrap_or_else(|| user.to_owned());
    let home = entry.account.home.clone();
    let home = home.as_deref().and_then(Path::to_str);
    if let Some(location) = mail.filter(|location| !location.is_empty()) {
        mail_location(location, &name, home, &mut entry.account)?;
    }
    if let Some(path) = mail_path {
        entry.account.mail = Some(expanded(path, &name, home)?);
    }
    Ok(Some(entry))
}

/// The password without libpam-pwdfile's mark, and the scheme that this one names.
fn password_field(field: &str) -> (String, Option<Scheme>) {
    const MARKS: [(&str, Scheme); 3] = [
        ("[13]", Scheme::DesCrypt),
        ("[34]", Scheme::PlainMd5),
        ("[56]", Scheme::DigestMd5),
    ];
    for (mark, scheme) in MARKS {
        if let Some(hash) = field.strip_suffix(mark)
            && !field.starts_with('{')
        {
            return (hash.to_owned(), Some(scheme));
        }
    }
    (field.to_owned(), None)
}

/// A uid or gid by number or name; an error for 0 and for a name that nobody has.
fn number(field: &str, find: fn(&Id) -> io::Result<Option<u32>>) -> Result<Option<u32>, ()> {
    if field.is_empty() {
        return Ok(None);
    }
    match Id::parse(field).map(|id| find(&id)) {
        Some(Ok(Some(number))) if number != 0 => Ok(Some(number)),
        _ => Err(()),
    }
}

fn allowed_nets(value: &str) -> Result<Vec<AllowedNet>, String> {
    value
        .split(',')
        .filter(|item| !item.is_empty())
        .map(|item| match item {
            "local" => Ok(AllowedNet::Local),
            item => item.parse().map(AllowedNet::Network),
        })
        .collect()
}

/// A value with its variables put in.
fn expanded(value: &str, user: &str, home: Option<&str>) -> Result<String, String> {
    // A leading `~/` is left to whoever opens the path.
    let template = Template::parse(value, "undh")?;
    let (tilde, rest) = match value.strip_prefix("~/") {
        Some(rest) => ("~/", Template::parse(rest, "undh")?),
        None => ("", template),
    };
    let rest = rest
        .expand(&Variables { user, home })
        .map_err(|error| error.to_string())?;
    Ok(format!("{tilde}{rest}"))
}

/// `driver:path:KEY=value:…`, a colon within a value doubled.
fn mail_location(
    location: &str,
    user: &str,
    home: Option<&str>,
    account: &mut AccountFields,
) -> Result<(), String> {
    let unsupported = |what: &str| Err(format!("mail location {what:?} is not supported"));
    let Some(rest) = location.strip_prefix("maildir:") else {
        return unsupported(location);
    };
    // What was doubled becomes a character that no path holds, until the fields are apart.
    let rest = rest.replace("::", "\u{1}");
    let mut fields = rest.split(':').map(|field| field.replace('\u{1}', ":"));
    account.mail = Some(expanded(&fields.next().unwrap_or_default(), user, home)?);
    for field in fields {
        let (key, value) = field.split_once('=').unwrap_or((&field, ""));
        match key {
            "LAYOUT" if value.eq_ignore_ascii_case("maildir++") => {
                account.layout = Some(Layout::MaildirPlusPlus);
            }
            "LAYOUT" if value == "fs" => account.layout = Some(Layout::Fs),
            "UTF-8" => account.names = Some(Names::Utf8),
            "CONTROL" => account.control = Some(expanded(value, user, home)?),
            // In memory or not at all: that index is Dovecot's own affair.
            "INDEX" if value == "MEMORY" => {}
            "INDEX" => account.index = Some(expanded(value, user, home)?),
            "INDEXCACHE" | "INDEXPVT" | "LISTINDEX" | "VOLATILEDIR" => {}
            _ => return unsupported(&field),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Entry {
        let parsed = parse_line("ann@example.org", line.as_bytes());
        parsed.expect(line).expect(line)
    }

    #[test]
    fn the_fields_of_a_line() {
        let entry = entry("{PLAIN}x:5000:5001:Ann:/var/vmail/ann:/bin/sh:");
        assert_eq!(entry.password, "{PLAIN}x");
        assert_eq!(entry.account.uid, Some(5000));
        assert_eq!(entry.account.gid, Some(5001));
        assert_eq!(entry.account.home, Some(PathBuf::from("/var/vmail/ann")));
    }

    #[test]
    fn fields_may_be_empty_or_missing() {
        for line in ["{PLAIN}x", "{PLAIN}x::::::", "{PLAIN}x:::::: "] {
            let entry = entry(line);
            assert_eq!(entry.account, AccountFields::default(), "{line}");
            assert_eq!(entry.password, "{PLAIN}x");
        }
        assert_eq!(entry("").password, "");
    }

    #[test]
    fn ids_by_name_and_never_zero() {
        assert_eq!(entry("x:nobody:nogroup::::").account.uid, Some(65_534));
        for bad in [
            "x:0:5:",
            "x:root:5:",
            "x:no-such-user-here:5:",
            "x:5:0:",
            "x:5:5::::userdb_uid=0",
            "x:5:5::::userdb_gid=root",
            "x:-1:5:",
        ] {
            assert_eq!(parse_line("ann", bad.as_bytes()), Ok(None), "{bad}");
        }
    }

    #[test]
    fn extra_fields() {
        let entry = entry(
            "x:1:1::/h:: nodelay  allow_nets=192.0.2.0/24,local,2001:db8::1 userdb_uid=7 \
             userdb_gid=8 userdb_home=/v/%d/%n userdb_quota_rule=*:storage=1G unknown",
        );
        assert!(entry.no_delay);
        assert_eq!(entry.allowed.as_ref().map(Vec::len), Some(3));
        assert_eq!(entry.account.uid, Some(7));
        assert_eq!(entry.account.gid, Some(8));
        assert_eq!(
            entry.account.home,
            Some(PathBuf::from("/v/example.org/ann"))
        );
        assert_eq!(entry.disabled, None);
    }

    #[test]
    fn a_disabled_user_has_a_reason() {
        let reason = |extra: &str| entry(&format!("x::::::{extra}")).disabled;
        assert_eq!(
            reason("nologin").as_deref(),
            Some("This account is disabled.")
        );
        assert_eq!(reason("nologin=y reason=Unpaid").as_deref(), Some("Unpaid"));
        assert_eq!(reason("reason=Unpaid"), None);
    }

    #[test]
    fn other_names() {
        let name = |extra: &str| entry(&format!("x::::::{extra}")).renamed;
        assert_eq!(name("user=eve").as_deref(), Some("eve"));
        assert_eq!(name("user=%n@other.org").as_deref(), Some("ann@other.org"));
        assert_eq!(name("domain=other.org").as_deref(), Some("ann@other.org"));
        assert_eq!(name("user=eve domain=b.c").as_deref(), Some("eve@b.c"));
    }

    #[test]
    fn mail_locations() {
        let account = |extra: &str| entry(&format!("x:1:1::/h::{extra}")).account;
        assert_eq!(
            account("userdb_mail=maildir:~/Mail").mail.as_deref(),
            Some("~/Mail")
        );
        assert_eq!(
            account("userdb_mail=maildir:/v/%d/%n").mail.as_deref(),
            Some("/v/example.org/ann")
        );
        assert_eq!(
            account("userdb_mail=maildir:%h/m").mail.as_deref(),
            Some("/h/m")
        );
        let full = account("userdb_mail=maildir:/a::b:LAYOUT=fs:UTF-8:CONTROL=/c/%u:INDEX=/i");
        assert_eq!(full.mail.as_deref(), Some("/a:b"));
        assert_eq!(full.layout, Some(Layout::Fs));
        assert_eq!(full.names, Some(Names::Utf8));
        assert_eq!(full.control.as_deref(), Some("/c/ann@example.org"));
        assert_eq!(full.index.as_deref(), Some("/i"));
        assert_eq!(account("userdb_mail_path=~/x").mail.as_deref(), Some("~/x"));
        // The ninth field, as Dovecot 1.0 had it.
        assert_eq!(account(":maildir:~/Old").mail.as_deref(), Some("~/Old"));
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for bad in [
            "userdb_mail=mbox:~/mail",
            "userdb_mail=maildir:~/m:INBOX=/x",
            "userdb_mail_driver=sdbox",
            "proxy host=192.0.2.1",
            "allow_nets=nonsense",
            "userdb_home=/v/%q",
        ] {
            let line = format!("x:1:1::/h::{bad}");
            assert!(parse_line("ann", line.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse_line("../ann", b"x::::::userdb_home=/v/%u").is_err());
    }

    #[test]
    fn marks_of_pam_pwdfile() {
        let field = password_field("xnxCN6qIIfSHE[13]");
        assert_eq!(field, ("xnxCN6qIIfSHE".to_owned(), Some(Scheme::DesCrypt)));
        assert_eq!(password_field("x[34]").1, Some(Scheme::PlainMd5));
        assert_eq!(
            password_field("{PLAIN}x[34]"),
            ("{PLAIN}x[34]".to_owned(), None)
        );
    }

    fn source(directory: &Path, name: &str) -> PasswdFile {
        let path = format!("{}/{name}", directory.display());
        PasswdFile::new(Template::parse(&path, "und").unwrap())
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
        assert!(source.any_password().is_some());
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
    fn a_file_for_each_domain() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.org"), "ann@a.org:1\n").unwrap();
        let source = source(directory.path(), "%d");
        assert!(source.lookup("ann@a.org").unwrap().is_some());
        assert!(source.lookup("ann@b.org").unwrap().is_none());
        assert!(source.lookup("ann@../a.org").unwrap().is_none());
        assert!(source.lookup("ann").unwrap().is_none());
    }
}
