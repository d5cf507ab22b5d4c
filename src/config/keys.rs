//! The keys of `culver.toml`, each named once, in the order in which they are written.
//!
//! A [`Section`] shows its keys to whoever asks: the reader fills them, the writer prints them, and
//! [`names`] lists them for the manual's test. So a key cannot be read and not written.

use super::value::Value;
use super::{
    AuthSource, Capabilities, ClientCapabilities, Config, Limits, Listen, Log, Mail, Quota, Sni,
    SocketFile, Source, Tls, Users,
};

/// What may be done with each key of a section.
pub(super) trait Visitor {
    /// A key that may be left out.
    fn key<T: Value>(&mut self, name: &'static str, place: &mut T);

    /// A key that must be there, for its section says nothing without it.
    fn required<T: Value>(&mut self, name: &'static str, place: &mut T);

    /// A section within this one, `[name]`.
    fn section<S: Section>(&mut self, name: &'static str, place: &mut S);

    /// Sections of one kind, `[[name]]`, in the order of the file.
    fn list<S: Section + Default>(&mut self, name: &'static str, place: &mut Vec<S>);
}

/// Something that holds keys.
pub(super) trait Section {
    /// Shows each key to `visitor`.
    fn visit(&mut self, visitor: &mut impl Visitor);
}

impl Section for Config {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("hostname", &mut self.hostname);
        visitor.section("listen", &mut self.listen);
        visitor.section("tls", &mut self.tls);
        visitor.section("mail", &mut self.mail);
        visitor.section("auth", &mut self.auth);
        visitor.section("users", &mut self.users);
        visitor.section("quota", &mut self.quota);
        visitor.section("limits", &mut self.limits);
        visitor.section("capabilities", &mut self.capabilities);
        visitor.section("log", &mut self.log);
    }
}

impl Section for Listen {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("imap", &mut self.imap);
        visitor.key("imaps", &mut self.imaps);
        visitor.key("lmtp", &mut self.lmtp);
        visitor.key::<Vec<SocketFile>>("auth", &mut self.auth);
        visitor.key("metrics", &mut self.metrics);
        visitor.key("proxy-protocol-from", &mut self.proxy_protocol_from);
        visitor.key("xclient-from", &mut self.xclient_from);
    }
}

impl Section for Tls {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("certificate", &mut self.certificate);
        visitor.key("key", &mut self.key);
        visitor.key("minimum-version", &mut self.minimum_version);
        visitor.key("client-ca", &mut self.client_ca);
        visitor.list("sni", &mut self.sni);
    }
}

impl Section for Sni {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.required("certificate", &mut self.certificate);
        visitor.required("key", &mut self.key);
    }
}

impl Section for Mail {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("location", &mut self.location);
        visitor.key("layout", &mut self.layout);
        visitor.key("names", &mut self.names);
        visitor.key("control", &mut self.control);
        visitor.key("index", &mut self.index);
        visitor.key("fsync", &mut self.fsync);
        visitor.key("shared-storage", &mut self.shared_storage);
        visitor.key("follow-links-out", &mut self.follow_links_out);
        visitor.key("auto-create", &mut self.auto_create);
        visitor.key("max-message-size", &mut self.max_message_size);
        visitor.key("attachment-keywords", &mut self.attachment_keywords);
    }
}

impl Section for super::Auth {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("mechanisms", &mut self.mechanisms);
        visitor.key("plaintext-without-tls", &mut self.plaintext_without_tls);
        visitor.key("username-format", &mut self.username_format);
        visitor.key("master-separator", &mut self.master_separator);
        visitor.key("failure-delay", &mut self.failure_delay);
        visitor.key("cache", &mut self.cache);
        visitor.list("source", &mut self.source);
    }
}

impl Section for AuthSource {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        let mut kind = self.source.kind();
        visitor.required("kind", &mut kind);
        if kind != self.source.kind() {
            self.source = Source::of_kind(kind);
        }
        match &mut self.source {
            Source::Pam { service } => visitor.key("service", service),
            Source::Passwd => {}
            Source::PasswdFile { path, master } => {
                visitor.required("path", path);
                visitor.key("master", master);
            }
            Source::Static { password } => visitor.required("password", password),
            Source::Exec { command, user } => {
                visitor.required("command", command);
                visitor.key("user", user);
            }
        }
        let rules = &mut self.rules;
        visitor.key("result-success", &mut rules.success);
        visitor.key("result-failure", &mut rules.failure);
        visitor.key("result-internalfail", &mut rules.internal_failure);
        visitor.key("skip", &mut rules.skip);
    }
}

impl Section for Users {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("uid", &mut self.uid);
        visitor.key("gid", &mut self.gid);
        visitor.key("home", &mut self.home);
        visitor.key("first-uid", &mut self.first_uid);
        visitor.key("isolate", &mut self.isolate);
    }
}

impl Section for Quota {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("storage", &mut self.storage);
        visitor.key("messages", &mut self.messages);
    }
}

impl Section for Limits {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("connections", &mut self.connections);
        visitor.key("connections-per-address", &mut self.connections_per_address);
        visitor.key("connections-per-user", &mut self.connections_per_user);
        visitor.key("login-timeout", &mut self.login_timeout);
        visitor.key("idle-timeout", &mut self.idle_timeout);
        visitor.key("message-limit", &mut self.message_limit);
        visitor.key("save-limit", &mut self.save_limit);
    }
}

impl Section for Capabilities {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("off", &mut self.off);
        visitor.list("client", &mut self.client);
    }
}

impl Section for ClientCapabilities {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.required("name", &mut self.name);
        visitor.required("off", &mut self.off);
    }
}

impl Section for Log {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.key("target", &mut self.target);
        visitor.key("level", &mut self.level);
        visitor.key("form", &mut self.form);
    }
}

/// The full name of every key, such as `listen.imap` or `auth.source.kind`.
pub fn names() -> Vec<String> {
    let mut lister = Lister::default();
    Config::default().visit(&mut lister);
    for kind in super::SourceKind::ALL {
        lister.within("auth.source", &mut AuthSource::from(Source::of_kind(*kind)));
    }
    lister.names
}

/// The keys of one section alone, for a suggestion.
pub(super) fn names_in(section: &mut impl Section) -> Vec<&'static str> {
    let mut lister = Shallow(Vec::new());
    section.visit(&mut lister);
    lister.0
}

/// Gathers full names.
#[derive(Default)]
struct Lister {
    prefix: String,
    names: Vec<String>,
}

impl Lister {
    fn within(&mut self, prefix: &str, section: &mut impl Section) {
        let outer = std::mem::replace(&mut self.prefix, format!("{prefix}."));
        section.visit(self);
        self.prefix = outer;
    }
}

impl Visitor for Lister {
    fn key<T: Value>(&mut self, name: &'static str, _: &mut T) {
        let name = format!("{}{name}", self.prefix);
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    fn required<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.key(name, place);
    }

    fn section<S: Section>(&mut self, name: &'static str, place: &mut S) {
        self.within(&format!("{}{name}", self.prefix), place);
    }

    fn list<S: Section + Default>(&mut self, name: &'static str, _: &mut Vec<S>) {
        self.within(&format!("{}{name}", self.prefix), &mut S::default());
    }
}

/// Gathers the names of one section.
struct Shallow(Vec<&'static str>);

impl Visitor for Shallow {
    fn key<T: Value>(&mut self, name: &'static str, _: &mut T) {
        self.0.push(name);
    }

    fn required<T: Value>(&mut self, name: &'static str, _: &mut T) {
        self.0.push(name);
    }

    fn section<S: Section>(&mut self, name: &'static str, _: &mut S) {
        self.0.push(name);
    }

    fn list<S: Section + Default>(&mut self, name: &'static str, _: &mut Vec<S>) {
        self.0.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_full_name() {
        let names = names();
        for name in [
            "hostname",
            "tls.sni.key",
            "auth.source.path",
            "limits.idle-timeout",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), names.len());
    }
}
