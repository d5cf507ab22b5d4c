//! What a good configuration lacks on this system that shows itself only when somebody comes: users of the system that
//! the processes become, lines in files of users, programs, directories of sockets. **Blocking**: files are read.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::auth::proofread::proofread;
use crate::config::check::{Finding, Severity};
use crate::config::{Config, Endpoint, Source, Template};
use crate::process::checkpassword::PATH;
use crate::process::errands;
use crate::process::roles::{self, Roles};

/// The largest file of users that is read, in octets.
const FILE_MAX: u64 = 64 << 20;

/// Broken lines of a file that are named.
const NAMED_MAX: usize = 20;

/// What there is to be warned of. Whom the processes become is known where this is root alone.
pub fn survey(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let missing = Roles::new(!config.listen.lmtp.is_empty()).missing;
    if !missing.is_empty() {
        found.push(warning("users", roles::of_missing(&missing)));
    }
    for one in &config.auth.source {
        match &one.source {
            Source::PasswdFile { path, .. } => lines(path, &mut found),
            Source::Exec { command, .. } => found.extend(program(command)),
            Source::Static { .. } | Source::Pam { .. } | Source::Passwd => {}
        }
    }
    for socket in &config.listen.auth {
        found.extend(directory("listen.auth", &socket.path));
    }
    for place in &config.listen.lmtp {
        if let Endpoint::Socket(socket) = place {
            found.extend(directory("listen.lmtp", &socket.path));
        }
    }
    found
}

fn warning(key: &'static str, text: String) -> Finding {
    Finding {
        severity: Severity::Warning,
        key,
        text,
    }
}

/// Broken lines of a file of users. One that cannot be read another check has said; of one with variables nobody knows
/// which files there are.
fn lines(path: &Template, found: &mut Vec<Finding>) {
    let name = path.as_str();
    if name.contains('%') || name.starts_with('~') {
        return;
    }
    let mut text = Vec::new();
    let read = errands::open_regular(Path::new(name))
        .and_then(|file| file.take(FILE_MAX).read_to_end(&mut text));
    if read.is_err() {
        return;
    }
    let key = "auth.source.path";
    let faults = proofread(&text);
    let more = faults.len().saturating_sub(NAMED_MAX);
    for (line, wrong) in faults.into_iter().take(NAMED_MAX) {
        found.push(warning(key, format!("{name}:{line}: {wrong}")));
    }
    if more > 0 {
        found.push(warning(key, format!("{name}: {more} more such lines")));
    }
}

/// A program that is not there, or is none.
fn program(command: &[String]) -> Option<Finding> {
    let program = command.first()?;
    let is_program = |path: &Path| {
        let found = fs::metadata(path);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let is_there = match program.contains('/') {
        true => is_program(Path::new(program)),
        false => PATH
            .split(':')
            .any(|directory| is_program(&Path::new(directory).join(program))),
    };
    let text = format!("{program} is not there, or cannot be run");
    (!is_there).then(|| warning("auth.source.command", text))
}

/// The directory of a socket that is not there.
fn directory(key: &'static str, socket: &Path) -> Option<Finding> {
    let directory = socket.parent()?;
    if directory.is_dir() {
        return None;
    }
    let (directory, socket) = (directory.display(), socket.display());
    let text = format!("no directory {directory}: {socket} is made once it is there");
    Some(warning(key, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name).display().to_string();
        let many: String = (0..30).map(|number| format!("{number}\n")).collect();
        fs::write(at("users"), "ann:{PLAIN}p\nbad\n").unwrap();
        fs::write(at("many"), many).unwrap();
        fs::write(at("script"), "").unwrap();
        let mut text = format!(
            "[listen]\nauth = [{:?}, {:?}]\nlmtp = [{:?}, \"127.0.0.1:24\"]\n",
            at("auth"),
            at("not/auth"),
            at("nor/lmtp"),
        );
        for file in ["users", "many", "missing", "%d"] {
            text += &format!(
                "[[auth.source]]\nkind = \"passwd-file\"\npath = {:?}\n",
                at(file)
            );
        }
        for command in [at("script"), "no-such-program".to_owned(), "sh".to_owned()] {
            text += &format!("[[auth.source]]\nkind = \"exec\"\ncommand = [{command:?}]\n");
        }
        let found = survey(&Config::parse(&text).unwrap());
        let found = found.iter().filter(|found| found.key != "users");
        let mut said: Vec<String> = found.map(ToString::to_string).collect();
        let of_many = said.iter().filter(|line| line.contains("/many")).count();
        assert_eq!(of_many, NAMED_MAX + 1, "{said:#?}");
        said.retain(|line| !line.contains("/many"));
        let home = home.path().display();
        assert_eq!(
            said,
            [
                format!("warning: auth.source.path: {home}/users:2: no colon behind the name"),
                format!(
                    "warning: auth.source.command: {home}/script is not there, or cannot be run"
                ),
                "warning: auth.source.command: no-such-program is not there, or cannot be run"
                    .to_owned(),
                format!(
                    "warning: listen.auth: no directory {home}/not: {home}/not/auth is made once it is there"
                ),
                format!(
                    "warning: listen.lmtp: no directory {home}/nor: {home}/nor/lmtp is made once it is there"
                ),
            ]
        );
    }
}
