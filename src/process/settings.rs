//! What a configuration says, in the terms of the rooms below.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Mechanism;
use crate::config::{Auth, Capabilities, Config, Listen, Source, Tls, TlsVersion};
use crate::net::tls::MinimumVersion;
use crate::process::ServeError;
use crate::session;
use crate::session::withdrawn::Withdrawn;

/// Stands for "no limit" where a time is needed: a year.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The limits of every session.
pub fn session_limits(config: &Config) -> session::Limits {
    session::Limits {
        login_timeout: config.limits.login_timeout.limit().unwrap_or(UNLIMITED),
        idle_timeout: config.limits.idle_timeout.limit().unwrap_or(UNLIMITED),
        max_message_size: config.mail.max_message_size.limit(),
        message_limit: Some(config.limits.message_limit).filter(|limit| *limit > 0),
        save_limit: Some(config.limits.save_limit).filter(|limit| *limit > 0),
        withdrawn: Arc::new(withdrawn(&config.capabilities)),
    }
}

/// What the configuration withdraws from clients.
fn withdrawn(capabilities: &Capabilities) -> Withdrawn {
    let clients = capabilities.client.iter();
    Withdrawn::new(
        capabilities.off.clone(),
        clients
            .map(|client| (client.name.clone(), client.off.clone()))
            .collect(),
    )
}

/// The configured mechanisms that there are already and every source can answer; `config check` warns of others.
pub fn mechanisms(config: &Config) -> Arc<[Mechanism]> {
    let offered = config.auth.offered().into_iter();
    offered
        .filter_map(|mechanism| Mechanism::named(mechanism.as_str()))
        .collect()
}

/// A number of the configuration, where 0 means no limit.
pub fn at_most(number: u32) -> usize {
    match number {
        0 => usize::MAX,
        number => usize::try_from(number).unwrap_or(usize::MAX),
    }
}

/// What the login process needs: no source of users, and nothing of the mail but its limits.
pub fn for_login(config: &Config) -> String {
    let auth = Auth {
        mechanisms: config.auth.offered(),
        // One that could answer them all: what the real ones can is settled.
        source: vec![Source::of_nobody().into()],
        ..config.auth.clone()
    };
    let mut own = Config {
        auth,
        limits: config.limits.clone(),
        capabilities: config.capabilities.clone(),
        log: config.log.clone(),
        ..Config::default()
    };
    own.tls.minimum_version = config.tls.minimum_version;
    own.listen.proxy_protocol_from = config.listen.proxy_protocol_from.clone();
    own.mail.max_message_size = config.mail.max_message_size;
    own.to_toml(false)
}

/// What the lmtp process needs: how large a message may be, and whom it believes.
pub fn for_lmtp(config: &Config) -> String {
    let mut own = Config {
        log: config.log.clone(),
        ..Config::default()
    };
    own.mail.max_message_size = config.mail.max_message_size;
    own.listen.xclient_from = config.listen.xclient_from.clone();
    own.to_toml(false)
}

/// What the auth process needs: the sources of users, and what it says of those to others.
pub fn for_auth(config: &Config) -> String {
    let own = Config {
        auth: config.auth.clone(),
        users: config.users.clone(),
        mail: config.mail.clone(),
        log: config.log.clone(),
        ..Config::default()
    };
    own.to_toml(false)
}

/// What a worker needs: all but where users, keys and ports are.
pub fn for_worker(config: &Config) -> String {
    let own = Config {
        auth: Auth::default(),
        tls: Tls::default(),
        listen: Listen::default(),
        ..config.clone()
    };
    own.to_toml(false)
}

/// One of these, in the process that it was written for.
pub fn read(text: &str) -> Result<Config, ServeError> {
    Config::parse(text).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        ServeError::Usage(lines.join("\n"))
    })
}

/// The lowest version of TLS, for the room that speaks it.
pub fn minimum_version(version: TlsVersion) -> MinimumVersion {
    match version {
        TlsVersion::Tls12 => MinimumVersion::Tls12,
        TlsVersion::Tls13 => MinimumVersion::Tls13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_gets_what_it_needs_and_no_more() {
        let all = Config::parse(
            "[listen]\nimap = [\"127.0.0.1:1\"]\nxclient-from = [\"10.0.0.0/8\"]\n[tls]\ncertificate = \"/c\"\nkey = \"/k\"\nminimum-version = \"1.3\"\n\
             [mail]\nlocation = \"/v/%u\"\nmax-message-size = \"7K\"\n[auth]\nmechanisms = [\"PLAIN\"]\nfailure-delay = \"3s\"\n\
             [[auth.source]]\nkind = \"static\"\npassword = \"geheim\"\n[users]\nuid = \"7\"\ngid = \"8\"\n\
             [limits]\nconnections = 9\n[log]\nlevel = \"debug\"\n",
        )
        .unwrap();
        let login = read(&for_login(&all)).unwrap();
        let auth = read(&for_auth(&all)).unwrap();
        let worker = read(&for_worker(&all)).unwrap();
        let lmtp = read(&for_lmtp(&all)).unwrap();
        assert_eq!(lmtp.listen.xclient_from, all.listen.xclient_from);
        for text in [for_login(&all), for_worker(&all), for_lmtp(&all)] {
            assert!(!text.contains("geheim") && !text.contains("/k"), "{text}");
        }
        assert_eq!(
            (login.limits, &login.auth.mechanisms),
            (all.limits.clone(), &all.auth.mechanisms)
        );
        assert_eq!(login.tls.minimum_version, all.tls.minimum_version);
        assert_eq!(
            (login.mail.max_message_size, &login.mail.location),
            (all.mail.max_message_size, &Config::default().mail.location)
        );
        assert_eq!((auth.auth, auth.tls), (all.auth, Config::default().tls));
        assert_eq!((&worker.mail, &worker.users), (&all.mail, &all.users));
        for config in [login.log, auth.log, worker.log] {
            assert_eq!(config, all.log);
        }
    }
}
