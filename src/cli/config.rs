//! `culver config check` and `culver config show`, and how every command finds the file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Failure, print, say};
use crate::config::check::{self, Finding, Severity};
use crate::config::{Config, ConfigError, DEFAULT_PATH};
use crate::process::survey::survey;

/// Names the file where the command line does not.
const VARIABLE: &str = "CULVER_CONFIG";

/// The file to read: the one named, else the environment's, else the usual one.
pub(super) fn path(named: Option<PathBuf>) -> PathBuf {
    named
        .or_else(from_environment)
        .unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))
}

/// The file that the environment names.
pub(super) fn from_environment() -> Option<PathBuf> {
    std::env::var_os(VARIABLE)
        .filter(|file| !file.is_empty())
        .map(PathBuf::from)
}

/// The usual file, unless it is certain that there is none: one that cannot be looked at may say who the users are.
pub(super) fn usual() -> Option<&'static Path> {
    let usual = Path::new(DEFAULT_PATH);
    may_be_there(usual).then_some(usual)
}

fn may_be_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// Reads the file; every mistake is a line.
pub(super) fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(|error| Failure::Usage(error.to_string()))
}

/// The configuration, if its paths lead to where its writer means.
pub(super) fn placed(path: &Path) -> Result<Config, Failure> {
    let config = load(path)?;
    match check::places(&config) {
        findings if findings.is_empty() => Ok(config),
        findings => Err(refused(path, &findings)),
    }
}

/// The failure that these findings are.
pub(super) fn refused(path: &Path, errors: &[Finding]) -> Failure {
    let line = |error| format!("{}: {error}", path.display());
    let lines: Vec<String> = errors.iter().map(line).collect();
    Failure::Usage(lines.join("\n"))
}

pub(super) fn check(file: Option<PathBuf>, json: bool) -> Result<(), Failure> {
    let path = path(file);
    let name = path.display().to_string();
    let mut lines = Vec::new();
    let mut facts = Vec::new();
    let mut is_good = true;
    match Config::load(&path) {
        Err(ConfigError::Mistakes { mistakes, .. }) => {
            is_good = false;
            for mistake in mistakes {
                facts.push(json!({
                    "severity": Severity::Error.as_str(),
                    "line": mistake.line,
                    "column": mistake.column,
                    "text": mistake.text,
                }));
                lines.push(format!("{name}:{mistake}"));
            }
        }
        Err(error @ ConfigError::Unreadable { .. }) => {
            return Err(Failure::Usage(error.to_string()));
        }
        Ok(config) => {
            let mut findings = check::check(&config);
            if findings
                .iter()
                .all(|finding| finding.severity == Severity::Warning)
            {
                findings.extend(survey(&config));
            }
            for finding in findings {
                is_good &= finding.severity == Severity::Warning;
                facts.push(json!({
                    "severity": finding.severity.as_str(),
                    "key": finding.key,
                    "text": finding.text,
                }));
                lines.push(format!("{name}: {finding}"));
            }
        }
    }
    if json {
        print_json(&json!({ "file": name, "good": is_good, "findings": facts }))?;
        return if is_good {
            Ok(())
        } else {
            Err(Failure::Usage(String::new()))
        };
    }
    let lines = lines.join("\n");
    if !is_good {
        return Err(Failure::Usage(lines));
    }
    say(&lines);
    print(&format!("{name}: no mistakes\n"))
}

pub(super) fn show(file: Option<PathBuf>, defaults: bool, json: bool) -> Result<(), Failure> {
    let config = load(&path(file))?;
    let text = config.to_toml(defaults);
    if !json {
        return print(&text);
    }
    let table: toml::Table = text
        .parse()
        .map_err(|error| Failure::Failed(format!("cannot show the configuration: {error}")))?;
    let value = serde_json::to_value(table)
        .map_err(|error| Failure::Failed(format!("cannot show the configuration: {error}")))?;
    print_json(&value)
}

pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_leads_nowhere_is_refused_before_anything_is_made() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("culver.toml");
        let refuses = |location: &str| {
            fs::write(&file, format!("[mail]\nlocation = {location:?}\n")).unwrap();
            match placed(&file) {
                Err(Failure::Usage(text)) => text,
                other => panic!("{:?}", other.is_ok()),
            }
        };
        let text = refuses("maildir:/x");
        let name = home.path().join("culver.toml").display().to_string();
        let expected = format!(
            "{name}: error: mail.location: must begin with / or ~/: leave \"maildir:\" away"
        );
        assert!(text.starts_with(&expected), "{text}");
        assert!(refuses("x").ends_with("must begin with / or ~/"));
        fs::write(
            home.path().join("culver.toml"),
            "[mail]\nlocation = \"/x\"\n",
        )
        .unwrap();
        assert!(placed(&home.path().join("culver.toml")).is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_looked_at_may_be_there() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(at("there"), "").unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        for (name, may_be) in [
            ("there", true),
            ("not/there", false),
            ("loop/culver.toml", true),
        ] {
            assert_eq!(may_be_there(&at(name)), may_be, "{name}");
        }
    }
}
