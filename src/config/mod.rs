//! `culver.toml`, typed: what may be set, the default of each key, and its unit.
//!
//! A [`Config`] is a value that is handed down; no room reads a global one. [`parse`] makes one out
//! of text and names every mistake in it at once, [`show`] writes one that reads back the same, and
//! [`check`] says what a well-formed one still lacks on this system. The keys themselves stand in
//! `keys.rs`, once for reading and writing alike. Nothing here opens mail or a socket.

pub mod address;
pub mod amount;
pub mod check;
mod keys;
pub mod parse;
pub mod show;
mod source;
pub mod system;
pub mod template;
mod value;
pub mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use self::address::{Endpoint, Network, SocketFile};
pub use self::amount::{Size, Time};
pub use self::keys::names;
pub use self::parse::{ConfigError, Mistake};
pub use self::source::{AuthSource, Rules, Source};
pub use self::system::Id;
pub use self::template::{ExpandError, Template, Variables};
pub use self::words::{
    AuthProtocol, Fsync, Isolate, Layout, LogForm, LogLevel, LogTarget, Names, Plaintext, Rule,
    SaslMechanism, Skip, SourceKind, TlsVersion,
};

/// Where the configuration is read from unless another file is named.
pub const DEFAULT_PATH: &str = "/etc/culver/culver.toml";

/// The whole configuration. The default is what an empty file means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The name this host gives itself; `None`: the system's.
    pub hostname: Option<String>,
    /// `[listen]`: where clients and programs connect.
    pub listen: Listen,
    /// `[tls]`: certificates and versions.
    pub tls: Tls,
    /// `[mail]`: where the mail is and how it is kept.
    pub mail: Mail,
    /// `[auth]`: who may log in, and how that is found out.
    pub auth: Auth,
    /// `[users]`: what a source of users does not say.
    pub users: Users,
    /// `[quota]`: how much one user may keep.
    pub quota: Quota,
    /// `[limits]`: connections and times.
    pub limits: Limits,
    /// `[capabilities]`: what is withdrawn from clients.
    pub capabilities: Capabilities,
    /// `[log]`: where the log goes, and what stands in it.
    pub log: Log,
}

/// `[listen]`: where clients and programs connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Addresses for IMAP in clear, with STARTTLS offered.
    pub imap: Vec<SocketAddr>,
    /// Addresses for IMAP inside TLS from the first byte.
    pub imaps: Vec<SocketAddr>,
    /// Where an MTA delivers by LMTP.
    pub lmtp: Vec<Endpoint>,
    /// Sockets on which an MTA asks for SASL, in Dovecot's auth-client protocol.
    pub auth: Vec<SocketFile>,
    /// Where figures are served as OpenMetrics.
    pub metrics: Option<SocketAddr>,
    /// Whose PROXY headers (versions 1 and 2) are believed.
    pub proxy_protocol_from: Vec<Network>,
    /// Who is believed by LMTP for whom it speaks (XCLIENT).
    pub xclient_from: Vec<Network>,
}

impl Default for Listen {
    fn default() -> Listen {
        let any = |port| SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port));
        Listen {
            imap: vec![any(143)],
            imaps: vec![any(993)],
            lmtp: Vec::new(),
            auth: Vec::new(),
            metrics: None,
            proxy_protocol_from: Vec::new(),
            xclient_from: Vec::new(),
        }
    }
}

/// `[tls]`: certificates and versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the certificate and its chain; `None`: a self-signed one is made.
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    pub key: Option<PathBuf>,
    /// The oldest version of TLS that is spoken.
    pub minimum_version: TlsVersion,
    /// PEM file with the authorities of client certificates, for EXTERNAL.
    pub client_ca: Option<PathBuf>,
    /// `[[tls.sni]]`: certificates for further names.
    pub sni: Vec<Sni>,
}

/// `[[tls.sni]]`: one more certificate, served by the names it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sni {
    /// PEM file with the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// `[mail]`: where the mail is and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The user's Maildir; a leading `~/` is the user's home.
    pub location: Template,
    /// How folders become directories.
    pub layout: Layout,
    /// How folder names are written on disk.
    pub names: Names,
    /// Directory for uidlist, keywords and Culver's own lasting files; `None`: the Maildir.
    pub control: Option<Template>,
    /// Directory for what may be deleted at any time; `None`: the Maildir.
    pub index: Option<Template>,
    /// What is on disk before a client is answered.
    pub fsync: Fsync,
    /// Whether the mail lies on storage that other hosts change too (NFS, CephFS).
    pub shared_storage: bool,
    /// Whether symbolic links may lead out of the user's mail.
    pub follow_links_out: bool,
    /// Mailboxes made and subscribed at first login, with the SPECIAL-USE attribute of each
    /// (RFC 6154), empty for none.
    pub auto_create: BTreeMap<String, String>,
    /// The largest message taken, in octets.
    pub max_message_size: Size,
    /// Whether arriving messages get `$HasAttachment` or `$HasNoAttachment`.
    pub attachment_keywords: bool,
}

impl Default for Mail {
    fn default() -> Mail {
        Mail {
            location: Template::constant("~/Maildir"),
            layout: Layout::default(),
            names: Names::default(),
            control: None,
            index: None,
            fsync: Fsync::default(),
            shared_storage: false,
            follow_links_out: false,
            auto_create: BTreeMap::new(),
            max_message_size: Size::UNLIMITED,
            attachment_keywords: false,
        }
    }
}

/// `[auth]`: who may log in, and how that is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// SASL mechanisms offered, in this order.
    pub mechanisms: Vec<SaslMechanism>,
    /// Who may send a password over a line without TLS.
    pub plaintext_without_tls: Plaintext,
    /// What a name that was typed is turned into before it is looked up; knows `%u`, `%n`, `%d`.
    pub username_format: Template,
    /// Stands between user and master user in a login name (`user*master`); `None`: not split.
    pub master_separator: Option<char>,
    /// How long a refusal is held back; 0: not at all.
    pub failure_delay: Time,
    /// How long a good verdict is remembered; 0: not at all.
    pub cache: Time,
    /// `[[auth.source]]`: asked in this order.
    pub source: Vec<AuthSource>,
}

impl Default for Auth {
    fn default() -> Auth {
        Auth {
            mechanisms: vec![SaslMechanism::Plain, SaslMechanism::Login],
            plaintext_without_tls: Plaintext::default(),
            username_format: Template::constant("%Lu"),
            master_separator: None,
            failure_delay: Time(Duration::from_secs(2)),
            cache: Time(Duration::from_secs(60)),
            source: vec![AuthSource::default()],
        }
    }
}

/// `[users]`: what a source of users does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// Who owns the mail; `None`: the system user's own.
    pub uid: Option<Id>,
    /// The group of the mail; `None`: the system user's own.
    pub gid: Option<Id>,
    /// The user's home; knows `%u`, `%n`, `%d`.
    pub home: Option<Template>,
    /// The lowest uid that may have mail; uid 0 never may.
    pub first_uid: u32,
    /// What shares a worker process.
    pub isolate: Isolate,
}

impl Default for Users {
    fn default() -> Users {
        Users {
            uid: None,
            gid: None,
            home: None,
            first_uid: 500,
            isolate: Isolate::default(),
        }
    }
}

/// `[quota]`: how much one user may keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets of mail.
    pub storage: Size,
    /// Messages; 0: no limit.
    pub messages: u32,
}

/// `[limits]`: connections and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all; 0: no limit.
    pub connections: u32,
    /// Connections of one address that have not logged in; 0: no limit.
    pub connections_per_address: u32,
    /// Connections of one user; 0: no limit.
    pub connections_per_user: u32,
    /// Time from the connection to the login, all in all.
    pub login_timeout: Time,
    /// Time without a command after which a session is ended (RFC 3501 §5.4: at least 30 minutes).
    pub idle_timeout: Time,
    /// Messages that one command may process (RFC 9738); 0: no limit.
    pub message_limit: u32,
    /// Messages that one APPEND or COPY may make, where nothing else is limited (RFC 9738); 0: no such limit.
    pub save_limit: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 8000,
            connections_per_address: 50,
            connections_per_user: 100,
            login_timeout: Time(Duration::from_secs(60)),
            idle_timeout: Time(Duration::from_secs(30 * 60)),
            message_limit: 0,
            save_limit: 0,
        }
    }
}

/// `[capabilities]`: what is withdrawn from clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Capabilities that nobody is offered.
    pub off: Vec<String>,
    /// `[[capabilities.client]]`: and those kept from certain clients.
    pub client: Vec<ClientCapabilities>,
}

/// `[[capabilities.client]]`: what is kept from one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// The `name` it gives in its ID command (RFC 2971 §3.3).
    pub name: String,
    /// The capabilities withdrawn.
    pub off: Vec<String>,
}

/// `[log]`: where the log goes, and what stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Where it goes; `None`: the journal where systemd runs the server, else stderr.
    pub target: Option<LogTarget>,
    /// The least weighty line that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub form: LogForm,
}
