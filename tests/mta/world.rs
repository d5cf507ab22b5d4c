//! Culver and an MTA beside each other, as on one host: users by a file, the MTA's socket, LMTP and `culver deliver`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::harness::server::{Guard, collect, culver_program, free_port};
use crate::harness::{Client, Kind, wait_until};
use crate::smtp::Smtp;
use crate::view::{VMAIL, View};

/// Who may get mail, as the MTA knows; that `ghost` is nobody is for Culver to say.
pub const BOXES: [(&str, &str); 11] = [
    ("ann", "lmtp.example"),
    ("bert", "lmtp.example"),
    ("full", "lmtp.example"),
    ("tiny", "lmtp.example"),
    ("ghost", "lmtp.example"),
    ("ann", "pipe.example"),
    ("full", "pipe.example"),
    ("tiny", "pipe.example"),
    ("ghost", "pipe.example"),
    ("ann", "own.example"),
    ("bert", "own.example"),
];

/// What a host has beside these.
#[derive(Default)]
pub struct Host {
    /// Further lines of sh(1), run first: who is a user of the system. `HOME` stands for its home.
    pub before: String,
    /// Further virtual users: local part and domain.
    pub boxes: Vec<(String, &'static str)>,
    /// Further lines of the configuration file; sources of users behind the passwd-file among them.
    pub settings: String,
}

/// An MTA that runs in a view.
pub trait Mta: Sized {
    /// Starts it on a host with these boxes.
    fn start(view: &View, boxes: &[(String, &'static str)]) -> Self;
    fn port(&self) -> u16;
    /// Has it try all that waits again.
    fn flush(&self, view: &View);
    /// How many messages wait.
    fn waiting(&self, view: &View) -> usize;
    /// How often mail for this address was put off.
    fn has_deferred(&self, view: &View, to: &str) -> usize;
    fn log(&self, view: &View) -> String;
}

pub struct World<M: Mta> {
    pub mta: M,
    pub culver: Option<Guard>,
    pub view: View,
    pub imap: u16,
    said: Arc<Mutex<String>>,
}

impl<M: Mta> World<M> {
    pub fn open() -> Option<World<M>> {
        World::on(Host::default())
    }

    /// One on a host that has more.
    pub fn on(host: Host) -> Option<World<M>> {
        let view = View::open(&host.before)?;
        let boxes = BOXES.map(|(name, domain)| (name.to_owned(), domain));
        let boxes: Vec<_> = boxes.into_iter().chain(host.boxes).collect();
        let home = view.home.path().display();
        fs::set_permissions(view.home.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(view.at("run")).unwrap();
        fs::set_permissions(view.at("run"), Permissions::from_mode(0o755)).unwrap();
        let mut users = String::new();
        for (name, domain) in &boxes {
            let (home, more) = match name.as_str() {
                "ghost" => continue,
                "tiny" => (format!("{home}/tiny/{domain}"), ""),
                "full" => (
                    format!("{home}/vmail/{domain}/{name}"),
                    "userdb_quota_rule=*:storage=10K",
                ),
                _ => (format!("{home}/vmail/{domain}/{name}"), ""),
            };
            users += &format!("{name}@{domain}:{{PLAIN}}secret:{VMAIL}:{VMAIL}::{home}::{more}\n");
            for dir in [
                "vmail",
                &format!("vmail/{domain}"),
                &format!("vmail/{domain}/{name}"),
            ] {
                if *name != "tiny" && !view.at(dir).is_dir() {
                    fs::create_dir(view.at(dir)).unwrap();
                    chown(view.at(dir), Some(VMAIL), Some(VMAIL)).unwrap();
                }
            }
        }
        fs::write(view.at("users"), users).unwrap();
        chown(view.at("users"), Some(0), Some(VMAIL)).unwrap();
        fs::set_permissions(view.at("users"), Permissions::from_mode(0o640)).unwrap();
        let imap = free_port();
        let config = format!(
            "[listen]\nimap = [\"127.0.0.1:{imap}\"]\nimaps = []\nlmtp = [\"{home}/run/lmtp\"]\n\
             auth = [{{ path = \"{home}/run/auth\", mode = \"0666\" }}]\n\
             [auth]\nfailure-delay = \"0s\"\n\
             [users]\nuid = \"{VMAIL}\"\ngid = \"{VMAIL}\"\nhome = \"{home}/vmail/%d/%n\"\n\
             [[auth.source]]\nkind = \"passwd-file\"\npath = \"{home}/users\"\n{settings}",
            settings = host.settings,
        );
        fs::write(view.at("culver.toml"), config).unwrap();
        let said = Arc::default();
        let culver = Some(start(&view, imap, &said));
        Some(World {
            mta: M::start(&view, &boxes),
            culver,
            view,
            imap,
            said,
        })
    }

    /// Ends the server. Mail goes on coming.
    pub fn stop(&mut self, signal: rustix::process::Signal) {
        let mut culver = self.culver.take().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(culver.0.id()).unwrap()).unwrap();
        rustix::process::kill_process_group(pid, signal).unwrap();
        culver.0.wait().unwrap();
        // Its other processes were told, too, and hold the port until they have heard.
        wait_until("a free port", || {
            std::net::TcpListener::bind(("127.0.0.1", self.imap)).is_ok()
        });
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        self.culver = Some(start(&self.view, self.imap, &self.said));
    }

    /// A client of the MTA that may send.
    pub fn sender(&self) -> Smtp {
        let (mut smtp, _) = Smtp::open(self.mta.port());
        assert_eq!(smtp.plain("ann@own.example", "secret"), 235);
        smtp
    }

    /// Subjects of what lies in somebody's INBOX, in order, as Culver tells them.
    pub fn subjects(&self, user: &str) -> Vec<String> {
        let mut client = Client::open(([127, 0, 0, 1], self.imap).into(), Kind::Culver);
        client.greeting();
        client.ok(&format!("LOGIN {user} secret"));
        client.ok("EXAMINE INBOX");
        let lines = client.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]");
        let subject = |line: String| {
            let (_, rest) = line.split_once("Subject: ")?;
            Some(rest.split(['\r', '\n']).next()?.to_owned())
        };
        let mut subjects: Vec<_> = lines.into_iter().filter_map(subject).collect();
        subjects.sort();
        subjects
    }

    /// Waits until this is what lies there.
    pub fn await_subjects(&self, user: &str, expected: &[&str]) {
        let mut last = Vec::new();
        let end = std::time::Instant::now() + crate::harness::PATIENCE;
        while std::time::Instant::now() < end {
            last = self.subjects(user);
            if last == expected {
                return;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        panic!("{user} has {last:?} and not {expected:?}");
    }

    /// Waits until the sender has been told so often that something could not be delivered.
    pub fn await_notices(&self, count: usize) {
        wait_until("a notice", || {
            let subjects = self.subjects(crate::SENDER);
            let is_notice =
                |one: &&String| one.starts_with("Undelivered") || one.contains("failed");
            assert!(subjects.len() <= count, "{subjects:?}");
            subjects.iter().filter(is_notice).count() == count
        });
    }

    /// Waits until mail for an address has been put off so often.
    pub fn await_deferred(&self, to: &str, times: usize) {
        wait_until("mail put off", || {
            self.mta.has_deferred(&self.view, to) >= times
        });
    }

    /// Has all that waits tried again, until nothing does: what is just being tried is passed over.
    pub fn flush_until_empty(&self) {
        wait_until("an empty queue", || {
            self.mta.flush(&self.view);
            self.mta.waiting(&self.view) == 0
        });
    }

    /// Waits until nothing waits.
    pub fn await_empty(&self) {
        wait_until("an empty queue", || self.mta.waiting(&self.view) == 0);
    }
}

impl<M: Mta> Drop for World<M> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the MTA said:\n{}", self.mta.log(&self.view));
            eprintln!("--- Culver said:\n{}---", self.said.lock().unwrap());
        }
    }
}

fn start(view: &View, imap: u16, said: &Arc<Mutex<String>>) -> Guard {
    let mut command = view.command(culver_program());
    command
        .args(["serve", "--config"])
        .arg(view.at("culver.toml"));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = std::os::unix::process::CommandExt::process_group(&mut command, 0)
        .spawn()
        .unwrap();
    collect(child.stderr.take().unwrap(), said);
    let culver = Guard(child);
    view.await_port(imap);
    for socket in ["run/auth", "run/lmtp"] {
        wait_until("a socket", || {
            std::os::unix::net::UnixStream::connect(view.at(socket)).is_ok()
        });
    }
    culver
}
