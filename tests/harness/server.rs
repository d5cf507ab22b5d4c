//! A real server in a process of its own: Culver, or Dovecot with a throw-away configuration.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::maildir::{MAIL_UID, own};
use super::{Client, Maildir, PATIENCE, TRACED_CALLS, is_root, wait_until};

/// The one user of a test's server.
pub const USER: &str = "u";
/// And the password.
pub const PASSWORD: &str = "p";

/// The first uid of users that have one of their own.
const OWN_UIDS: u32 = 62_000;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Culver,
    Dovecot,
}

impl Kind {
    /// The one that `CULVER_TEST_SERVER` asks for; Culver by default.
    pub fn chosen() -> Kind {
        match std::env::var("CULVER_TEST_SERVER").as_deref() {
            Ok("dovecot") => Kind::Dovecot,
            _ => Kind::Culver,
        }
    }
}

/// Whether `CULVER_TEST_PROCESSES` has Culver always run by a configuration file, and so as several processes.
fn in_processes() -> bool {
    std::env::var_os("CULVER_TEST_PROCESSES").is_some()
}

/// How to start a server.
pub struct Setup {
    kind: Kind,
    fs_layout: bool,
    extra: Vec<String>,
    settings: String,
    account: [String; 2],
    users: Vec<(String, Arc<Maildir>)>,
    apart: bool,
    mail_settings: String,
    dovecot_settings: String,
    fields: String,
    trace: Option<PathBuf>,
    under: Vec<String>,
}

impl Setup {
    pub fn new(kind: Kind) -> Setup {
        Setup {
            kind,
            fs_layout: false,
            extra: Vec::new(),
            settings: String::new(),
            account: [USER, PASSWORD].map(str::to_owned),
            users: Vec::new(),
            apart: false,
            mail_settings: String::new(),
            dovecot_settings: String::new(),
            fields: String::new(),
            trace: None,
            under: Vec::new(),
        }
    }

    /// Folders as plain directories. Culver then runs by a configuration file with a passwd-file user.
    pub fn fs_layout(mut self) -> Setup {
        self.fs_layout = true;
        self
    }

    /// A further argument of `culver serve`.
    pub fn arg(mut self, arg: &str) -> Setup {
        self.extra.push(arg.to_owned());
        self
    }

    /// Lines for the configuration file. Culver then runs by one.
    pub fn settings(mut self, lines: &str) -> Setup {
        self.settings.push_str(lines);
        self
    }

    /// The one user's name and password, whatever octets they are of.
    pub fn account(mut self, name: &str, password: &str) -> Setup {
        self.account = [name, password].map(str::to_owned);
        self
    }

    /// Several users in place of the one, each with a Maildir. Culver then runs by a configuration file.
    pub fn user(mut self, name: &str, maildir: &Arc<Maildir>) -> Setup {
        self.users.push((name.to_owned(), Arc::clone(maildir)));
        self
    }

    /// Each of the several users has a uid of their own. Needs root.
    pub fn apart(mut self) -> Setup {
        self.apart = true;
        self
    }

    /// The same for the section `[mail]`, which the file has anyway.
    pub fn mail_settings(mut self, lines: &str) -> Setup {
        self.mail_settings.push_str(lines);
        self
    }

    /// Lines for Dovecot's configuration file.
    pub fn dovecot_settings(mut self, lines: &str) -> Setup {
        self.dovecot_settings.push_str(lines);
        self
    }

    /// Extra fields of the users in the passwd-file. Culver then runs by a configuration file.
    pub fn fields(mut self, fields: &str) -> Setup {
        self.fields = fields.to_owned();
        self
    }

    /// Writes a trace of the server's system calls there.
    pub fn trace(mut self, path: &Path) -> Setup {
        self.trace = Some(path.to_owned());
        self
    }

    /// A command that runs the server: its own words, the program's come behind them.
    pub fn under(mut self, words: &[&str]) -> Setup {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// A quota for every user, and Dovecot's plugin for it. Without a limit, what is in the Maildir holds.
    pub fn quota(self, storage: Option<&str>, messages: Option<u32>) -> Setup {
        let mut settings = String::new();
        let mut rule = String::new();
        if let Some(storage) = storage {
            settings.push_str(&format!("storage = \"{storage}\"\n"));
            rule.push_str(&format!(":storage={storage}"));
        }
        if let Some(messages) = messages {
            settings.push_str(&format!("messages = {messages}\n"));
            rule.push_str(&format!(":messages={messages}"));
        }
        let rule = match rule.is_empty() {
            true => rule,
            false => format!("  quota_rule = *{rule}\n"),
        };
        self.settings(&format!("[quota]\n{settings}"))
            .dovecot_settings(&format!(
                "mail_plugins = quota\nprotocol imap {{\n  mail_plugins = quota imap_quota\n}}\n\
                 plugin {{\n  quota = maildir:User quota\n{rule}}}\n"
            ))
    }

    /// Starts it and waits until it listens.
    pub fn start(self, maildir: &Arc<Maildir>) -> Server {
        let mut last = String::new();
        // Ports chosen beforehand may be taken by the time the server wants them.
        for _ in 0..5 {
            match self.attempt(maildir) {
                Ok(server) => return server,
                Err(log) => last = log,
            }
        }
        panic!("the server did not start:\n{last}");
    }

    fn attempt(&self, maildir: &Arc<Maildir>) -> Result<Server, String> {
        let home = tempfile::Builder::new()
            .prefix("culver-server-")
            .tempdir()
            .unwrap();
        own(home.path());
        let ports = [free_port(), free_port()];
        let (mut command, known) = match self.kind {
            Kind::Culver
                if self.fs_layout
                    || !(self.settings.is_empty()
                        && self.mail_settings.is_empty()
                        && self.fields.is_empty()
                        && self.users.is_empty())
                    || (in_processes() && self.extra.is_empty() && self.under.is_empty()) =>
            {
                (self.culver_by_file(maildir, home.path(), ports), true)
            }
            Kind::Culver => (self.culver(maildir), false),
            Kind::Dovecot => (self.dovecot(maildir, home.path(), ports), true),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &log);
        collect(child.stderr.take().unwrap(), &log);

        let end = Instant::now() + PATIENCE;
        let (imap, imaps) = loop {
            let text = log.lock().unwrap().clone();
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!("{status}\n{text}"));
            }
            if known {
                let [imap, imaps] = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
                if std::net::TcpStream::connect(imap).is_ok()
                    && std::net::TcpStream::connect(imaps).is_ok()
                {
                    break (imap, imaps);
                }
            } else if let (Some(imap), Some(imaps)) =
                (announced(&text, "IMAP"), announced(&text, "IMAPS"))
            {
                break (imap, imaps);
            }
            if Instant::now() > end {
                drop(Guard(child));
                return Err(format!("no address in time\n{text}"));
            }
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        };
        Ok(Server {
            kind: self.kind,
            imap,
            imaps,
            maildir: maildir.clone(),
            child: Guard(child),
            traced: self.trace.is_some(),
            log,
            _home: home,
        })
    }

    fn culver(&self, maildir: &Maildir) -> Command {
        let mut command = self.program(&culver_program());
        command.arg("serve").arg(maildir.path());
        command.args(["--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"]);
        command
            .args(["--user", &self.account[0], "--password", &self.account[1]])
            .args(&self.extra);
        command
    }

    fn culver_by_file(&self, maildir: &Maildir, home: &Path, ports: [u16; 2]) -> Command {
        let [imap, imaps] = ports;
        let users = self.users_file(maildir, home);
        let id = mail_uid();
        let config = home.join("culver.toml");
        let layout = if self.fs_layout { "fs" } else { "maildir++" };
        fs::write(
            &config,
            format!(
                "[listen]\nimap = [\"127.0.0.1:{imap}\"]\nimaps = [\"127.0.0.1:{imaps}\"]\n\
                 [mail]\nlocation = \"{}\"\nlayout = \"{layout}\"\n{}\
                 [users]\nfirst-uid = 1\nuid = \"{}\"\ngid = \"{}\"\n\
                 [[auth.source]]\nkind = \"passwd-file\"\npath = \"{}\"\n{}",
                self.location(maildir),
                self.mail_settings,
                user_name(id),
                group_name(mail_gid()),
                users.display(),
                self.settings,
            ),
        )
        .unwrap();
        own(&config);
        let mut command = self.program(&culver_program());
        command
            .args(["serve", "--config"])
            .arg(config)
            .args(&self.extra);
        command
    }

    /// Writes the passwd-file.
    fn users_file(&self, maildir: &Maildir, home: &Path) -> PathBuf {
        let line = |name: &str, password: &str, maildir: &Maildir, id: u32| {
            let home = maildir.home().display();
            let fields = &self.fields;
            format!("{name}:{{PLAIN}}{password}:{id}:{id}::{home}::{fields}\n")
        };
        let lines: String = match &*self.users {
            [] => line(&self.account[0], &self.account[1], maildir, mail_uid()),
            users => (OWN_UIDS..)
                .zip(users)
                .map(|(id, (name, mail))| {
                    let id = if self.apart { id } else { mail_uid() };
                    if self.apart {
                        give(mail.home(), id);
                    }
                    line(name, PASSWORD, mail, id)
                })
                .collect(),
        };
        let path = home.join("users");
        fs::write(&path, lines).unwrap();
        own(&path);
        path
    }

    /// Where a user's mail is.
    fn location(&self, maildir: &Maildir) -> String {
        match &*self.users {
            [] => maildir.path().display().to_string(),
            _ => "~/Maildir".to_owned(),
        }
    }

    fn dovecot(&self, maildir: &Maildir, home: &Path, ports: [u16; 2]) -> Command {
        let [imap, imaps] = ports;
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (cert, key) = (home.join("cert.pem"), home.join("key.pem"));
        fs::write(&cert, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let id = mail_uid();
        let name = user_name(id);
        let layout = if self.fs_layout { ":LAYOUT=fs" } else { "" };
        let (dir, mail) = (home.display(), self.location(maildir));
        let users = self.users_file(maildir, home);
        let conf = home.join("dovecot.conf");
        fs::write(
            &conf,
            format!(
                "protocols = imap\nbase_dir = {dir}/run\nstate_dir = {dir}/state\nlog_path = /dev/stderr\n\
                 default_internal_user = {name}\ndefault_internal_group = {group}\ndefault_login_user = {name}\n\
                 first_valid_uid = 1\nfirst_valid_gid = 1\nmail_uid = {id}\nmail_gid = {gid}\n\
                 mail_location = maildir:{mail}{layout}\nauth_failure_delay = 0\nauth_mechanisms = plain login\n\
                 mail_max_userip_connections = 100\nmail_fsync = always\n\
                 mail_plugins = zlib\nprotocol imap {{\n  mail_plugins = zlib imap_zlib\n}}\n\
                 imap_metadata = yes\nmail_attribute_dict = file:%h/dovecot-attributes\n\
                 ssl = yes\nssl_cert = <{cert}\nssl_key = <{key}\n\
                 passdb {{\n  driver = passwd-file\n  args = {users}\n}}\n\
                 userdb {{\n  driver = passwd-file\n  args = {users}\n}}\n\
                 service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n\
                 service imap-login {{\n  chroot =\n  process_limit = 200\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {imap}\n  }}\n\
                 \x20 inet_listener imaps {{\n    address = 127.0.0.1\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
                 namespace inbox {{\n  inbox = yes\n\
                 \x20 mailbox Drafts {{\n    special_use = \\Drafts\n  }}\n  mailbox Sent {{\n    special_use = \\Sent\n  }}\n\
                 \x20 mailbox Trash {{\n    special_use = \\Trash\n  }}\n  mailbox Junk {{\n    special_use = \\Junk\n  }}\n}}\n{further}",
                further = self.dovecot_settings,
                group = group_name(mail_gid()),
                gid = mail_gid(),
                cert = cert.display(),
                key = key.display(),
                users = users.display(),
            ),
        )
        .unwrap();
        for path in [&cert, &key, &conf] {
            own(path);
        }
        let mut command = self.program("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(conf);
        // Who becomes several users must be root.
        if is_root() && !self.apart {
            command.uid(MAIL_UID).gid(MAIL_UID);
        }
        command
    }

    /// The server's program, or strace in front of it.
    fn program(&self, program: &str) -> Command {
        if let Some((first, words)) = self.under.split_first() {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            return command;
        }
        let Some(trace) = &self.trace else {
            return Command::new(program);
        };
        let mut command = Command::new("strace");
        command
            .args(["-f", "-y", "-xx", "-s", "2000000", "-o"])
            .arg(trace);
        command.args(["-e", TRACED_CALLS]).arg(program);
        command
    }
}

/// A running server; it is killed when dropped.
pub struct Server {
    pub kind: Kind,
    pub imap: SocketAddr,
    pub imaps: SocketAddr,
    pub maildir: Arc<Maildir>,
    child: Guard,
    traced: bool,
    log: Arc<Mutex<String>>,
    _home: tempfile::TempDir,
}

impl Server {
    /// The chosen server on an empty Maildir.
    pub fn start() -> Server {
        Server::on(&Arc::new(Maildir::new()))
    }

    /// The chosen server on this Maildir.
    pub fn on(maildir: &Arc<Maildir>) -> Server {
        Setup::new(Kind::chosen()).start(maildir)
    }

    /// A connection whose greeting has been read.
    pub fn connect(&self) -> Client {
        let mut client = Client::open(self.imap, self.kind);
        client.greeting();
        client
    }

    /// A connection that has logged in.
    pub fn client(&self) -> Client {
        let mut client = self.connect();
        client.login();
        client
    }

    /// A connection that has logged in, to a server that may be killed: `None` if it was.
    pub fn try_client(&self) -> Option<Client> {
        let mut client = Client::try_open(self.imap, self.kind)?;
        client.doomed = true;
        client.next_line()?;
        let reply = client.try_run(&format!("LOGIN {USER} {PASSWORD}"))?;
        assert!(reply.tagged.starts_with("OK"), "{reply:?}");
        Some(client)
    }

    /// A connection that has logged in and selected this mailbox; what SELECT said is thrown away.
    pub fn selected(&self, mailbox: &str) -> Client {
        let mut client = self.client();
        client.ok(&format!("SELECT {mailbox}"));
        client
    }

    /// What Culver answers, or what Dovecot does where Culver differs on purpose.
    pub fn either<T>(&self, culver: T, dovecot: T) -> T {
        match self.kind {
            Kind::Culver => culver,
            Kind::Dovecot => dovecot,
        }
    }

    /// Everything it has printed.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The server's own process, behind strace where it is traced.
    pub fn pid(&self) -> u32 {
        let id = self.child.0.id();
        if !self.traced {
            return id;
        }
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The memory of all processes of the server in bytes, what they share counted once (proportional set size), and
    /// how many there are.
    pub fn proportional_memory(&self) -> (u64, usize) {
        let (mut memory, mut count) = (0, 0);
        for pid in self.processes() {
            // A process may end at any moment.
            let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
                continue;
            };
            memory += kilobytes(&rollup, "Pss:").unwrap_or_default() * 1024;
            count += 1;
        }
        (memory, count)
    }

    /// All processes of the server, its own first.
    pub fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.pid()];
        let mut next = 0;
        while let Some(pid) = all.get(next) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            let children = children.unwrap_or_default();
            let children = children.split_whitespace();
            all.extend(children.filter_map(|child| child.parse::<u32>().ok()));
            next += 1;
        }
        all
    }

    /// The most memory that the processes that are there have ever held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory they hold now, in bytes.
    pub fn memory_now(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> u64 {
        let of = |pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            kilobytes(&status, field)
        };
        self.processes().into_iter().filter_map(of).sum::<u64>() * 1024
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits for the end of a server that was told to go.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the server's end", || {
            status = self.child.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// SIGTERM, and a clean end.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait();
        assert!(
            status.success() || self.kind == Kind::Dovecot,
            "{status} after SIGTERM\n{}",
            self.log()
        );
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server said:\n{}---", self.log());
        }
    }
}

/// What a file of /proc says behind this word, in kilobytes.
fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Ends the whole process group with the test.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.try_wait().ok().flatten().is_none()
            && let Some(group) = rustix::process::Pid::from_raw(self.0.id() as i32)
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

/// The program under test: the one cargo has just built, unless `CULVER_TEST_PROGRAM` names another, such
/// as an installed one.
pub fn culver_program() -> String {
    std::env::var("CULVER_TEST_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_culver").to_owned())
}

/// The numeric owner of test mail.
pub fn mail_uid() -> u32 {
    if is_root() {
        MAIL_UID
    } else {
        rustix::process::getuid().as_raw()
    }
}

fn mail_gid() -> u32 {
    if is_root() {
        MAIL_UID
    } else {
        rustix::process::getgid().as_raw()
    }
}

fn user_name(id: u32) -> String {
    name_in("/etc/passwd", id)
}

fn group_name(id: u32) -> String {
    name_in("/etc/group", id)
}

fn name_in(file: &str, id: u32) -> String {
    let text = fs::read_to_string(file).unwrap();
    let id = id.to_string();
    let line = text
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&id));
    line.and_then(|line| line.split(':').next())
        .unwrap_or(&id)
        .to_owned()
}

/// The first address after `word` on the screen that `culver serve` prints.
fn announced(text: &str, word: &str) -> Option<SocketAddr> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == word).then_some(())?;
        words.next()?.parse().ok()
    })
}

/// Makes a directory and all that is in it somebody's.
fn give(path: &Path, id: u32) {
    let mut chown = Command::new("chown");
    chown.arg("-R").arg(format!("{id}:{id}")).arg(path);
    assert!(chown.status().unwrap().success());
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub fn collect(stream: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            let mut log = log.lock().unwrap();
            log.push_str(&String::from_utf8_lossy(&line));
            log.push('\n');
        }
    });
}
