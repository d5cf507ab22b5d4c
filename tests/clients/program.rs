//! How programs are run: within a limit of time, with a home of their own, and those that come as packages
//! of a language from where `contrib/check` keeps them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// How long a program may take before it is stopped and the test fails, in seconds.
const LIMIT: &str = "100";

/// A command for this program that is stopped when it takes too long.
pub fn command(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT, program]);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Runs a command to its end and gives what it printed; it must succeed.
#[track_caller]
pub fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        said(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// All that a program printed, for messages.
pub fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// A program that runs beside the test and is ended with it.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Running(child.unwrap())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM: `timeout` hands it on.
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id() as i32)
            && self.runs()
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.0.wait();
        }
    }
}

/// Where `contrib/check` keeps the packages of a language, such as `node`, if this one is among them. Prints
/// a line where it is not, for the test then shows nothing.
pub fn package(language: &str, path: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let dir = target.join("clients").join(language);
    if dir.join(path).exists() {
        return Some(dir);
    }
    missing(path);
    None
}

/// Whether a file of a Debian package is there; else as [`package`].
pub fn file(path: &str) -> bool {
    let found = Path::new(path).exists();
    if !found {
        missing(path);
    }
    found
}

fn missing(what: &str) {
    eprintln!("skipped: {what} is not installed (contrib/check installs it)");
    assert!(
        std::env::var_os("CULVER_TEST_ALL").is_none(),
        "{what} is missing, and CULVER_TEST_ALL wants every test"
    );
}

/// A file of this directory.
pub fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(path)
}
