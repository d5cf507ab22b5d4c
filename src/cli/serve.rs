//! `culver serve`, in its three forms.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Failure, ServeArgs, config, say};
use crate::config::{Config, check};
use crate::process::ServeError;
use crate::process::master;
use crate::process::single::{self, MaildirOptions};

/// Names the password where `--password` does not.
const PASSWORD_VARIABLE: &str = "CULVER_PASSWORD";

pub(super) fn run(args: ServeArgs) -> Result<(), Failure> {
    let result = match (args.stdio, args.maildir) {
        (true, maildir) => {
            let config = for_stdio(args.config, maildir.is_some())?;
            single::serve_stdio(maildir, config)
        }
        (false, Some(maildir)) => {
            let password = match args.password {
                Some(password) => Some(password),
                None => from_environment()?,
            };
            single::serve_maildir(MaildirOptions {
                maildir,
                listen: args.listen,
                listen_tls: args.listen_tls,
                user: args.user,
                password: password.map(Zeroizing::new),
                certificate: args.certificate,
                key: args.key,
            })
        }
        (false, None) => master::serve(supported(&config::path(args.config))?),
    };
    result.map_err(failure)
}

/// The configuration for a session on standard input: where no file is named, the usual one if it is
/// there, and none beside a Maildir.
fn for_stdio(file: Option<PathBuf>, has_maildir: bool) -> Result<Option<Config>, Failure> {
    let named = file.or_else(config::from_environment);
    let usual = || config::usual().filter(|_| !has_maildir);
    match named {
        Some(file) => config::placed(&file).map(Some),
        None => usual().map(config::placed).transpose(),
    }
}

/// The configuration, if this version can do what it must; what it cannot is said.
fn supported(path: &Path) -> Result<Config, Failure> {
    let config = config::load(path)?;
    let (errors, warnings): (Vec<_>, Vec<_>) = check::unsupported(&config)
        .into_iter()
        .partition(|finding| finding.severity == check::Severity::Error);
    for warning in warnings {
        say(&format!("{}: {warning}", path.display()));
    }
    if errors.is_empty() {
        return Ok(config);
    }
    Err(config::refused(path, &errors))
}

fn from_environment() -> Result<Option<String>, Failure> {
    let Some(value) = std::env::var_os(PASSWORD_VARIABLE) else {
        return Ok(None);
    };
    match value.into_string() {
        Ok(password) if !password.is_empty() => Ok(Some(password)),
        Ok(_) => Ok(None),
        Err(_) => Err(Failure::Usage(format!("{PASSWORD_VARIABLE} is not UTF-8"))),
    }
}

/// How a server says why it did not start, or has ended.
pub(super) fn failure(error: ServeError) -> Failure {
    match error.is_usage() {
        true => Failure::Usage(error.to_string()),
        false => Failure::Failed(error.to_string()),
    }
}
