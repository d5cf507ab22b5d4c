//! A server with two users of the system, each with a uid of their own, and two virtual ones.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::harness::server::{Guard, collect, culver_program, free_port};
use crate::harness::{Client, Kind, is_root, wait_until};

/// Uids that no user of the system has; each has the group of the same number.
pub const ANN: u32 = 61_001;
pub const BERT: u32 = 61_002;
pub const VMAIL: u32 = 61_003;

pub const USERS: &str = "kind = \"passwd-file\"\npath = \"HOME/users\"\n";

/// A running server and its files.
pub struct Hall {
    pub home: tempfile::TempDir,
    pub imap: SocketAddr,
    pub imaps: SocketAddr,
    child: Guard,
    log: Arc<Mutex<String>>,
}

/// A process as /proc shows it.
#[derive(Debug)]
pub struct Shown {
    pub pid: u32,
    pub name: String,
    pub uid: u32,
    status: String,
}

impl Shown {
    /// What its status says behind this word.
    pub fn field(&self, name: &str) -> &str {
        let line = self.status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {}", self.status))
            .trim()
    }
}

impl Hall {
    /// One whose users stand in a file. `None`, and a line that says so, where the tests do not run as root.
    pub fn open() -> Option<Hall> {
        Hall::with(USERS, "")
    }

    /// One with more lines in sections of its configuration: their names, and the lines. `HOME` stands for its home.
    pub fn set(more: &[(&str, &str)]) -> Option<Hall> {
        Hall::prepared(more, |_| {})
    }

    /// The same, with something done in its home before it begins.
    pub fn prepared(more: &[(&str, &str)], prepare: impl Fn(&Path)) -> Option<Hall> {
        Hall::made(USERS, "", more, prepare)
    }

    /// One with this source of users, and with all that the others may have.
    pub fn with_all(
        source: &str,
        before: &str,
        more: &[(&str, &str)],
        prepare: impl Fn(&Path),
    ) -> Option<Hall> {
        Hall::made(source, before, more, prepare)
    }

    /// One with this source of users, begun after a few lines of sh(1) in a view of the files that is its own. `HOME`
    /// stands for its home.
    pub fn with(source: &str, before: &str) -> Option<Hall> {
        Hall::made(source, before, &[], |_| {})
    }

    fn made(
        source: &str,
        before: &str,
        more: &[(&str, &str)],
        prepare: impl Fn(&Path),
    ) -> Option<Hall> {
        let unshare = Command::new("unshare").args(["--mount", "true"]).status();
        let may_not = match before {
            _ if !is_root() => Some("only root can start processes of several users"),
            "" => None,
            _ if unshare.is_ok_and(|status| status.success()) => None,
            _ => Some("no view of the files of one's own can be had here"),
        };
        if let Some(why) = may_not {
            eprintln!("skipped: {why}");
            return None;
        }
        // Ports chosen beforehand may be taken by the time the server wants them.
        let hall = (0..5).find_map(|_| Hall::try_open(source, before, more, &prepare));
        Some(hall.expect("the server does not start"))
    }

    fn try_open(
        source: &str,
        before: &str,
        more: &[(&str, &str)],
        prepare: &impl Fn(&Path),
    ) -> Option<Hall> {
        let home = tempfile::Builder::new()
            .prefix("culver-hall-")
            .tempdir()
            .unwrap();
        let at = |name: &str| home.path().join(name);
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        for (name, id) in [("ann", ANN), ("bert", BERT), ("vmail", VMAIL)] {
            private(&at(name), id);
        }
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(at("cert.pem"), made.cert.pem()).unwrap();
        fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let (dir, ports) = (home.path().display(), [free_port(), free_port()]);
        let users = format!(
            "ann:{{PLAIN}}p:{ANN}:{ANN}::{dir}/ann::\nbert:{{PLAIN}}p:{BERT}:{BERT}::{dir}/bert::\n\
             carl@example.org:{{PLAIN}}p:::::\ndora@example.org:{{PLAIN}}p:::::\n\
             emil@example.net:{{PLAIN}}p:::::\n\
             full@example.org:{{PLAIN}}p::::::userdb_quota_rule=*:bytes=1000\n\
             root:{{PLAIN}}p:0:0::{dir}/root::\ndaemon:{{PLAIN}}p:2:2::{dir}/daemon::\n"
        );
        fs::write(at("users"), users).unwrap();
        let [imap, imaps] = ports;
        let mut config = format!(
            "[listen]\nimap = [\"127.0.0.1:{imap}\"]\nimaps = [\"127.0.0.1:{imaps}\"]\n\
             auth = [{{ path = \"{dir}/spool/auth\", user = \"{BERT}\", mode = \"0660\" }}, \"{dir}/auth\",\n\
             {{ path = \"{dir}/userdb\", kind = \"userdb\" }}]\n\
             lmtp = [\"{dir}/lmtp\"]\n\
             [tls]\ncertificate = \"{dir}/cert.pem\"\nkey = \"{dir}/key.pem\"\n\
             [auth]\nfailure-delay = \"0s\"\n\
             [users]\nuid = \"{VMAIL}\"\ngid = \"{VMAIL}\"\nhome = \"{dir}/vmail/%d/%n\"\n\
             [[auth.source]]\n{source}",
            source = source.replace("HOME", &dir.to_string()),
        );
        for (section, lines) in more {
            let begin = format!("[{section}]\n");
            let lines = lines.replace("HOME", &dir.to_string());
            match config.contains(&begin) {
                true => config = config.replace(&begin, &format!("{begin}{lines}\n")),
                false => config.push_str(&format!("{begin}{lines}\n")),
            }
        }
        fs::write(at("culver.toml"), config).unwrap();
        for secret in ["users", "key.pem", "culver.toml"] {
            fs::set_permissions(at(secret), Permissions::from_mode(0o600)).unwrap();
        }
        prepare(home.path());
        let mut command = match before {
            "" => Command::new(culver_program()),
            before => {
                let script = before.replace("HOME", &dir.to_string());
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
                command
                    .arg(format!("{script}\nexec \"$0\" \"$@\""))
                    .arg(culver_program());
                command
            }
        };
        command.args(["serve", "--config"]).arg(at("culver.toml"));
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = std::os::unix::process::CommandExt::process_group(&mut command, 0)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().unwrap(), &log);
        let mut hall = Hall {
            imap: SocketAddr::from(([127, 0, 0, 1], imap)),
            imaps: SocketAddr::from(([127, 0, 0, 1], imaps)),
            home,
            child: Guard(child),
            log,
        };
        let mut ended = None;
        wait_until("the ports", || {
            ended = hall.child.0.try_wait().unwrap();
            ended.is_some() || std::net::TcpStream::connect(hall.imaps).is_ok()
        });
        if let Some(status) = ended {
            eprintln!("{status}\n{}", hall.log());
            return None;
        }
        Some(hall)
    }

    /// A connection in clear that this user has logged in on.
    pub fn client(&self, user: &str) -> Client {
        let mut client = self.stranger();
        client.login_as(user);
        client
    }

    /// The same under TLS.
    pub fn secure_client(&self, user: &str) -> Client {
        let mut client = Client::open(self.imaps, Kind::Culver);
        client.secure(&[&rustls::version::TLS13]);
        client.greeting();
        client.login_as(user);
        client
    }

    /// A connection whose greeting has been read.
    pub fn stranger(&self) -> Client {
        let mut client = Client::open(self.imap, Kind::Culver);
        client.greeting();
        client
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its first process.
    pub fn master(&self) -> u32 {
        self.child.0.id()
    }

    /// All its processes but the first.
    pub fn processes(&self) -> Vec<Shown> {
        let mut all = children(self.master());
        let nursery = all.iter().find(|one| one.name == "culver-nursery");
        let workers = nursery.map(|nursery| children(nursery.pid));
        all.extend(workers.unwrap_or_default());
        all
    }

    /// The process of this name, and uid where one is given.
    pub fn process(&self, name: &str, uid: Option<u32>) -> Option<Shown> {
        let all = self.processes().into_iter();
        let mut all = all.filter(|one| one.name == name);
        all.find(|one| uid.is_none_or(|uid| one.uid == uid))
    }

    /// The end of its first process, once it has come.
    pub fn end(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        wait_until("the server's end", || {
            status = self.child.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// A file of its home.
    pub fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server said:\n{}---", self.log());
        }
    }
}

/// What the first thread of a process has started.
pub fn children(pid: u32) -> Vec<Shown> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
    children.filter_map(show).collect()
}

/// A process, if it is there.
pub fn show(pid: u32) -> Option<Shown> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut shown = Shown {
        pid,
        name: String::new(),
        uid: 0,
        status,
    };
    shown.name = shown.field("Name:").to_owned();
    shown.uid = shown
        .field("Uid:")
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    (shown.field("State:") != "Z (zombie)").then_some(shown)
}

/// A directory that nobody else may enter.
fn private(path: &Path, id: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    chown(path, Some(id), Some(id)).unwrap();
}

/// Sends a signal.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
