//! A view of the files and processes that is a test's own, in which Postfix and Exim are installed.
//!
//! As packages the two exclude each other, and each would take the place of the machine's own. So `contrib/check`
//! unpacks them beside, and here they are laid over `/usr` and `/etc`, with the users they want in passwd(5). What
//! was started in the view ends with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::server::Guard;
use crate::harness::{is_root, wait_until};

/// Whose mail the virtual users' is.
pub const VMAIL: u32 = 61_003;

/// A program's user and group, by name and number, and the number of another group of its own.
const USERS: &str = "vmail:x:61003:61003::/:/bin/false\npostfix:x:61021:61021::/:/bin/false\n\
    Debian-exim:x:61023:61023::/:/bin/false\n";
const GROUPS: &str = "vmail:x:61003:\npostfix:x:61021:\npostdrop:x:61022:\nDebian-exim:x:61023:\n";

pub struct View {
    pub home: tempfile::TempDir,
    /// The process that holds it.
    inside: u32,
    _holder: Guard,
}

impl View {
    /// One in which these lines of sh(1) have been run; `HOME` stands for its home. `None`, and a line that says so, where
    /// none can be had.
    pub fn open(before: &str) -> Option<View> {
        let packages = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()?
            .join("mtas");
        if !is_root() {
            eprintln!("skipped: only root can run an MTA");
            return None;
        }
        if !packages.join("usr").is_dir() {
            eprintln!("skipped: the MTAs are not unpacked (contrib/check does)");
            let all = std::env::var_os("CULVER_TEST_ALL");
            assert!(all.is_none(), "CULVER_TEST_ALL wants every test");
            return None;
        }
        let home = tempfile::Builder::new().prefix("culver-mta-").tempdir();
        let home = home.unwrap();
        let script = format!(
            "mount -t overlay overlay -o lowerdir={packages}/usr:/usr /usr\n\
             mkdir {home}/etc\nmount -t tmpfs tmpfs {home}/etc\nmkdir {home}/etc/upper {home}/etc/work\n\
             mount -t overlay overlay -o \
             lowerdir={packages}/etc:/etc,upperdir={home}/etc/upper,workdir={home}/etc/work /etc\n\
             printf '{USERS}' >> /etc/passwd\nprintf '{GROUPS}' >> /etc/group\n\
             mkdir -p {home}/tiny\nmount -t tmpfs -o size=64k,mode=0700,uid={VMAIL},gid={VMAIL} tmpfs {home}/tiny\n\
             {before}\necho here\nexec sleep infinity",
            packages = packages.display(),
            home = home.path().display(),
            before = before.replace("HOME", &home.path().display().to_string()),
        );
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--pid", "--fork"])
            .args(["--kill-child", "sh", "-ec", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .ok()?;
        let mut line = String::new();
        let said = BufReader::new(holder.stdout.take()?).read_line(&mut line);
        let holder = Guard(holder);
        if said.is_err() || line != "here\n" {
            eprintln!("skipped: no view of the files of one's own can be had here");
            return None;
        }
        let outside = holder.0.id();
        let children = fs::read_to_string(format!("/proc/{outside}/task/{outside}/children"));
        let inside = children.unwrap().trim().parse().unwrap();
        Some(View {
            home,
            inside,
            _holder: holder,
        })
    }

    /// A program that is to see its files.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.inside));
        command.arg("--mount").arg(program.as_ref());
        command
    }

    /// One that is to end with it, and all that it starts.
    pub fn captive(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.inside));
        command.args(["--mount", "--pid", program]);
        command.process_group(0);
        command
    }

    /// Runs one to its end, which has to be a good one.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(program).args(arguments).output().unwrap();
        let log = fs::read_to_string(self.at("postfix.log")).unwrap_or_default();
        assert!(output.status.success(), "{program}: {output:?} {log}");
        output
    }

    /// A file of its home.
    pub fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file as it is seen inside, from outside.
    pub fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.inside))
    }

    /// Waits until a TCP port or a socket answers.
    pub fn await_port(&self, port: u16) {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        wait_until("a port", || std::net::TcpStream::connect(address).is_ok());
    }
}
