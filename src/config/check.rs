//! What a well-formed configuration still lacks: files that are not there, users nobody knows, keys
//! that contradict each other, and parts that this version does not have.
//!
//! `config check` reports all of it; [`unsupported`] alone is asked before serving, for the rest
//! shows itself there. **Blocking**: files are looked at.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::{
    AuthSource, Config, Id, LogForm, LogTarget, Plaintext, SaslMechanism, Source, Template,
};

/// What `auto-create` may say of a mailbox (RFC 6154 §2).
const SPECIAL_USES: [&str; 7] = [
    "\\All",
    "\\Archive",
    "\\Drafts",
    "\\Flagged",
    "\\Junk",
    "\\Sent",
    "\\Trash",
];

/// A server "MUST" not log a client out sooner (RFC 3501 §5.4).
const SHORTEST_IDLE: Duration = Duration::from_secs(30 * 60);

/// RFC 9738: no smaller limit may be announced.
const LOWEST_MESSAGE_LIMIT: u32 = 1000;

/// Capabilities without which there is no session, or that other settings decide.
const NEEDED_CAPABILITIES: [&str; 3] = ["IMAP4rev1", "STARTTLS", "LOGINDISABLED"];

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The server does not start, or nobody can log in.
    Error,
    /// It starts, and does less than the file says or more than is wise.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Something to be said of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The full name of the key.
    pub key: &'static str,
    /// What is the matter.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.severity.as_str(), self.key, self.text)
    }
}

/// What who copies Dovecot's `mail_location` has to do.
const FROM_DOVECOT: &str = "must begin with / or ~/: leave \"maildir:\" away, and say what follows the path by \
                            mail.layout, mail.control and mail.names";

/// Gathers findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, key: &'static str, text: impl Into<String>) {
        self.0.push(Finding {
            severity: Severity::Error,
            key,
            text: text.into(),
        });
    }

    fn warning(&mut self, key: &'static str, text: impl Into<String>) {
        self.0.push(Finding {
            severity: Severity::Warning,
            key,
            text: text.into(),
        });
    }
}

/// Where services of PAM are described, a file each.
const PAM: &str = "/etc/pam.d";

/// Everything there is to say of `config` on this system.
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Findings(unsupported(config));
    listeners(config, &mut findings);
    certificates(config, &mut findings);
    sources(config, &mut findings);
    owner(config, &mut findings);
    mail(config, &mut findings);
    if config.auth.plaintext_without_tls == Plaintext::Always {
        findings.warning(
            "auth.plaintext-without-tls",
            "\"always\" lets passwords cross the network in clear",
        );
    }
    capabilities(config, &mut findings);
    message_limits(config, &mut findings);
    let idle = config.limits.idle_timeout.limit();
    if idle.is_some_and(|idle| idle < SHORTEST_IDLE) {
        findings.warning(
            "limits.idle-timeout",
            "RFC 3501 §5.4 asks for 30 minutes at least",
        );
    }
    findings.0
}

/// What is wrong with [`places`], and what is set and not there in this version: an error where leaving it out would make the server
/// less strict than its file, or useless; else a warning.
pub fn unsupported(config: &Config) -> Vec<Finding> {
    const TEXT: &str = "not supported by this version yet";
    let mut findings = Findings(places(config));
    let mechanisms = &config.auth.mechanisms;
    let external = mechanisms.contains(&SaslMechanism::External);
    if external && config.tls.client_ca.is_none() {
        let text = "EXTERNAL is not offered: it needs tls.client-ca";
        findings.warning("auth.mechanisms", text);
    }
    if !external && config.tls.client_ca.is_some() {
        let text = "only EXTERNAL asks for it, and auth.mechanisms has none";
        findings.warning("tls.client-ca", text);
    }
    let offered = config.auth.offered();
    for mechanism in mechanisms.iter().filter(|one| one.is_scram()) {
        if !offered.contains(mechanism) {
            let name = mechanism.as_str();
            let text = format!("{name} is not offered: a source cannot answer it");
            findings.warning("auth.mechanisms", text);
        }
    }
    let works =
        |one: &SaslMechanism| *one != SaslMechanism::External || config.tls.client_ca.is_some();
    if !offered.iter().any(works) {
        findings.error("auth.mechanisms", "none that works: nobody could log in");
    }
    let warnings = [
        (config.listen.metrics.is_some(), "listen.metrics"),
        (config.mail.index.is_some(), "mail.index"),
        (config.mail.shared_storage, "mail.shared-storage"),
        (config.log.target == Some(LogTarget::Syslog), "log.target"),
        (config.log.form == LogForm::Dovecot, "log.form"),
    ];
    for (is_set, key) in warnings {
        if is_set {
            findings.warning(key, TEXT);
        }
    }
    findings.0
}

/// Paths that lead nowhere, or to wherever the server was started: nothing may be served by them.
pub fn places(config: &Config) -> Vec<Finding> {
    let mut findings = Findings::default();
    let mail = &config.mail;
    let templates = [
        ("mail.location", Some(&mail.location)),
        ("mail.control", mail.control.as_ref()),
        ("mail.index", mail.index.as_ref()),
        ("users.home", config.users.home.as_ref()),
    ];
    for (key, template) in templates {
        let Some(template) = template else {
            continue;
        };
        let text = template.as_str();
        let below_home = ["~/", "%h", "%Lh", "%Uh"];
        if !text.starts_with('/') && !below_home.iter().any(|home| text.starts_with(home)) {
            findings.error(
                key,
                match text.starts_with("maildir:") {
                    true => FROM_DOVECOT,
                    false => "must begin with / or ~/",
                },
            );
        }
        if key == "users.home" && needs_home(template) {
            findings.error(key, "cannot stand on the home that it says");
        }
    }
    findings.0
}

/// What RFC 9738 asks of its two numbers: a server has one of the limits.
fn message_limits(config: &Config, findings: &mut Findings) {
    let (messages, saved) = (config.limits.message_limit, config.limits.save_limit);
    for (key, limit) in [
        ("limits.message-limit", messages),
        ("limits.save-limit", saved),
    ] {
        if (1..LOWEST_MESSAGE_LIMIT).contains(&limit) {
            let text = format!("RFC 9738 asks for {LOWEST_MESSAGE_LIMIT} at the least, or 0");
            findings.error(key, text);
        }
    }
    if saved != 0 && messages != 0 {
        let text = "limits.message-limit limits what is saved too";
        findings.error("limits.save-limit", text);
    }
}

/// Names that no capability can have, and such that stay whatever is said.
fn capabilities(config: &Config, findings: &mut Findings) {
    let off = |key, names: &[String], findings: &mut Findings| {
        for name in names {
            if NEEDED_CAPABILITIES
                .iter()
                .any(|needed| name.eq_ignore_ascii_case(needed))
                || name.to_ascii_uppercase().starts_with("AUTH=")
            {
                findings.warning(key, format!("{name} cannot be switched off here"));
            } else if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                findings.error(key, format!("{name:?} is no capability"));
            }
        }
    };
    off("capabilities.off", &config.capabilities.off, findings);
    for client in &config.capabilities.client {
        off("capabilities.client", &client.off, findings);
        if client.name.is_empty() {
            findings.error("capabilities.client", "a client without a name");
        }
    }
}

fn listeners(config: &Config, findings: &mut Findings) {
    let listen = &config.listen;
    if listen.imap.is_empty() && listen.imaps.is_empty() {
        findings.error(
            "listen.imap",
            "empty, as is listen.imaps: there is nothing to serve",
        );
    }
    let mut seen = Vec::new();
    for address in listen.imap.iter().chain(&listen.imaps) {
        if address.port() != 0 && seen.contains(address) {
            findings.error("listen.imaps", format!("{address} is there twice"));
        }
        seen.push(*address);
    }
}

fn certificates(config: &Config, findings: &mut Findings) {
    let tls = &config.tls;
    match (&tls.certificate, &tls.key) {
        (None, None) => findings.warning(
            "tls.certificate",
            "none: a self-signed one is made, which clients do not trust",
        ),
        (Some(certificate), Some(key)) => {
            readable("tls.certificate", certificate, findings);
            secret("tls.key", key, findings);
        }
        (Some(_), None) => findings.error("tls.key", "missing; tls.certificate needs it"),
        (None, Some(_)) => findings.error("tls.certificate", "missing; tls.key needs it"),
    }
    if let Some(authorities) = &tls.client_ca {
        readable("tls.client-ca", authorities, findings);
    }
    for sni in &tls.sni {
        readable("tls.sni.certificate", &sni.certificate, findings);
        secret("tls.sni.key", &sni.key, findings);
    }
}

fn sources(config: &Config, findings: &mut Findings) {
    let mut users = false;
    for AuthSource { source, .. } in &config.auth.source {
        match source {
            Source::PasswdFile { path, master } => {
                users |= !master;
                // One with variables is a file for each domain or user.
                if !path.as_str().contains('%') && !path.as_str().starts_with('~') {
                    secret("auth.source.path", Path::new(path.as_str()), findings);
                }
            }
            Source::Static { password } => {
                users = true;
                if password.is_empty() {
                    findings.error("auth.source.password", "empty");
                }
            }
            Source::Exec { command, .. } => {
                users = true;
                if command.is_empty() {
                    findings.error("auth.source.command", "empty");
                }
            }
            Source::Pam { service } => {
                users = true;
                let file = Path::new(PAM).join(service);
                if !file.exists() {
                    let text = format!("no {}: PAM goes by {PAM}/other", file.display());
                    findings.warning("auth.source.service", text);
                }
            }
            Source::Passwd => users = true,
        }
    }
    if !users {
        findings.error(
            "auth.source",
            "only master users: there is nobody to log in as",
        );
    }
}

fn owner(config: &Config, findings: &mut Findings) {
    let users = &config.users;
    if users.uid.is_some() != users.gid.is_some() {
        findings.error(
            "users.uid",
            "goes together with users.gid: set both or none",
        );
    }
    let mut number = |key, id: &Option<Id>, find: fn(&Id) -> io::Result<Option<u32>>| {
        let id = id.as_ref()?;
        match find(id) {
            Ok(Some(number)) => return Some(number),
            Ok(None) => findings.error(key, format!("{id} is not known on this system")),
            Err(error) => findings.error(key, format!("{id} cannot be looked up: {error}")),
        }
        None
    };
    let uid = number("users.uid", &users.uid, Id::uid);
    let gid = number("users.gid", &users.gid, Id::gid);
    match uid {
        Some(0) => findings.error("users.uid", "root may not own mail"),
        Some(uid) if uid < users.first_uid => findings.error(
            "users.uid",
            format!("{uid} is below users.first-uid, {}", users.first_uid),
        ),
        _ => {}
    }
    if gid == Some(0) {
        findings.warning("users.gid", "mail of root's group");
    }
}

fn mail(config: &Config, findings: &mut Findings) {
    let mail = &config.mail;
    let from_files = config.auth.source.iter().any(|one| {
        matches!(
            one.source,
            Source::PasswdFile { .. } | Source::Static { .. }
        )
    });
    if from_files && needs_home(&mail.location) && config.users.home.is_none() {
        findings.warning(
            "mail.location",
            "needs a home, and users.home is not set: only users whose entry names one have mail",
        );
    }
    for (name, special_use) in &mail.auto_create {
        let known = SPECIAL_USES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(special_use));
        if !known && !special_use.is_empty() {
            findings.error(
                "mail.auto-create",
                format!(
                    "{name:?}: {special_use:?} is none of {}",
                    SPECIAL_USES.join(" ")
                ),
            );
        }
    }
}

fn needs_home(template: &Template) -> bool {
    let text = template.as_str();
    text.starts_with("~/") || ["%h", "%Lh", "%Uh"].iter().any(|home| text.contains(home))
}

/// Says if a file cannot be read.
fn readable(key: &'static str, path: &Path, findings: &mut Findings) {
    match fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => findings.error(key, format!("{} is no file", path.display())),
        // The server starts as root; whoever checks may be somebody else.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !am_root() => {
            findings.warning(key, format!("{}: {error}", path.display()));
        }
        Err(error) => findings.error(key, format!("{}: {error}", path.display())),
    }
}

/// Says if a file cannot be read, or can be by everybody.
fn secret(key: &'static str, path: &Path, findings: &mut Findings) {
    readable(key, path, findings);
    if let Ok(metadata) = fs::metadata(path)
        && metadata.permissions().mode() & 0o004 != 0
    {
        findings.warning(key, format!("{} can be read by everybody", path.display()));
    }
}

fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests;
