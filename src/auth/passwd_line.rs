//! One line of a passwd-file: `user:password:uid:gid:gecos:home:shell:extra fields`.
//!
//! The extra fields run to the end of the line, parted by spaces: `nologin`, `reason=…`,
//! `allow_nets=…`, `nopassword`, `nodelay`, `user=…`, `domain=…`, and with `userdb_` before them `uid`,
//! `gid`, `home`, `mail`, `mail_path`, `mail_driver`, and the quota ([`quota_rule`]); what else stands there belongs to other programs.
//! Where they are empty and a ninth field follows, that is the mail location, as in Dovecot 1.0. A
//! password that ends in `[13]`, `[34]` or `[56]` is one of libpam-pwdfile's.

use std::io;
use std::path::{Path, PathBuf};

use super::AccountFields;
use super::hash::Scheme;
use super::quota_rule;
use crate::config::{Id, Layout, Names, Network, Template, Variables};

/// What a line says of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The password field, with its scheme where it names one. Empty: see `no_password`.
    pub password: String,
    /// The scheme where the password names none; `None`: the source's.
    pub scheme: Option<Scheme>,
    /// Any password will do; means nothing where one is stored.
    pub no_password: bool,
    /// The user may have no session, for this reason.
    pub disabled: Option<String>,
    /// The user may not log in at all, for this reason.
    pub expired: Option<String>,
    /// A wrong password is told at once.
    pub no_delay: bool,
    /// The addresses from which alone a login is good.
    pub allowed: Option<Vec<AllowedNet>>,
    /// The name that the user has from here on.
    pub renamed: Option<String>,
    /// What becomes of the account.
    pub account: AccountFields,
}

impl Entry {
    /// Whether it says of the user no more than the name.
    pub(super) fn is_name_alone(&self) -> bool {
        self.password.is_empty() && self.account == AccountFields::default()
    }

    /// What another source says of the same user, which counts where both say something.
    pub(super) fn add(&mut self, other: Entry) {
        let own = std::mem::replace(self, other);
        let (account, before) = (&mut self.account, own.account);
        self.disabled = self.disabled.take().or(own.disabled);
        account.uid = account.uid.or(before.uid);
        account.gid = account.gid.or(before.gid);
        account.home = account.home.take().or(before.home);
        account.mail = account.mail.take().or(before.mail);
        account.layout = account.layout.or(before.layout);
        account.names = account.names.or(before.names);
        account.control = account.control.take().or(before.control);
        account.index = account.index.take().or(before.index);
        account.quota_storage = account.quota_storage.or(before.quota_storage);
        account.quota_messages = account.quota_messages.or(before.quota_messages);
    }
}

/// One item of `allow_nets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedNet {
    /// Whoever has no address, such as a program on this host.
    Local,
    /// The addresses of a network.
    Network(Network),
}

/// Why a line is no user's.
pub(super) const BAD_ID: &str = "uid or gid is 0, too large, or not known";

/// Takes what follows the name and its colon apart. `None`: the line is no user's, for it names no good uid.
pub(super) fn parse(user: &str, line: &[u8]) -> Result<Option<Entry>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?;
    let mut fields = line.splitn(7, ':');
    let mut next = || fields.next().unwrap_or("");
    let (password, uid, gid, _gecos, home, _shell, extra) =
        (next(), next(), next(), next(), next(), next(), next());
    let mut entry = Entry::default();
    (entry.password, entry.scheme) = password_field(password);
    let (Ok(uid), Ok(gid)) = (number(uid, Id::uid), number(gid, Id::gid)) else {
        tracing::error!("user {user}: {BAD_ID}; the line is passed over");
        return Ok(None);
    };
    entry.account.uid = uid;
    entry.account.gid = gid;
    entry.account.home = (!home.is_empty()).then(|| PathBuf::from(home));

    let mut mail = None;
    let mut fields = Vec::new();
    match extra.strip_prefix(':') {
        Some(location) => mail = Some(location),
        None => {
            let pairs = extra.split(' ');
            fields.extend(pairs.map(|field| field.split_once('=').unwrap_or((field, ""))));
        }
    }
    Ok(take(user, &mut entry, &fields, mail)?.then_some(entry))
}

/// The entry that these fields alone make, as a line's extra fields. `None`: as for a line.
pub(super) fn of_fields(user: &str, fields: &[(String, String)]) -> Result<Option<Entry>, String> {
    let mut entry = Entry::default();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Ok(take(user, &mut entry, &fields, None)?.then_some(entry))
}

/// Takes extra fields; false if one names no good uid. `mail` is the location where none says otherwise.
fn take<'a>(
    user: &str,
    entry: &mut Entry,
    fields: &[(&'a str, &'a str)],
    mut mail: Option<&'a str>,
) -> Result<bool, String> {
    // Location and names wait for the home, which may come after them.
    let mut mail_path = None;
    let mut domain = None;
    let mut reason = None;
    for (key, value) in fields.iter().copied() {
        match key {
            "nologin" => {
                entry.disabled = Some(String::new());
                if !value.is_empty() && value != "y" && value != "yes" {
                    reason = Some(value);
                }
            }
            "reason" => reason = Some(value),
            "nodelay" => entry.no_delay = true,
            "nopassword" => entry.no_password = true,
            "allow_nets" => entry.allowed = Some(allowed_nets(value)?),
            "user" => entry.renamed = Some(expanded(value, user, None)?),
            "domain" => domain = Some(expanded(value, user, None)?),
            "proxy" | "proxy_maybe" | "host" => {
                return Err("proxying is not supported".to_owned());
            }
            "userdb_uid" | "userdb_gid" => {
                let id = if key == "userdb_uid" {
                    number(value, Id::uid)
                } else {
                    number(value, Id::gid)
                };
                let Ok(id) = id else {
                    tracing::error!("user {user}: {key}={value}: {BAD_ID}");
                    return Ok(false);
                };
                match key {
                    "userdb_uid" => entry.account.uid = id,
                    _ => entry.account.gid = id,
                }
            }
            "userdb_home" => {
                let home = expanded(value, user, None)?;
                entry.account.home = (!home.is_empty()).then(|| PathBuf::from(home));
            }
            "userdb_mail" => mail = Some(value),
            "userdb_mail_path" => mail_path = Some(value),
            "userdb_mail_driver" if value != "maildir" => {
                return Err(format!("mail_driver {value:?} is not supported"));
            }
            key => {
                if let Some(field) = key.strip_prefix("userdb_") {
                    quota_rule::take(&mut entry.account, user, field, value)?;
                }
            }
        }
    }
    if entry.disabled.is_some() {
        entry.disabled = Some(reason.unwrap_or("This account is disabled.").to_owned());
    }
    if let Some(domain) = domain {
        let name = entry.renamed.as_deref().unwrap_or(user);
        let local = name.split_once('@').map_or(name, |(local, _)| local);
        entry.renamed = Some(format!("{local}@{domain}"));
    }
    let name = entry.renamed.clone().unwrap_or_else(|| user.to_owned());
    let home = entry.account.home.clone();
    if let Some(home) = home.as_ref().filter(|home| !home.is_absolute()) {
        return Err(format!("home {home:?} is no absolute path"));
    }
    let home = home.as_deref().and_then(Path::to_str);
    if let Some(location) = mail.filter(|location| !location.is_empty()) {
        mail_location(location, &name, home, &mut entry.account)?;
    }
    if let Some(path) = mail_path {
        entry.account.mail = Some(expanded(path, &name, home)?);
    }
    Ok(true)
}

/// The password without libpam-pwdfile's mark, and the scheme that this one names.
pub(super) fn password_field(field: &str) -> (String, Option<Scheme>) {
    const MARKS: [(&str, Scheme); 3] = [
        ("[13]", Scheme::DesCrypt),
        ("[34]", Scheme::PlainMd5),
        ("[56]", Scheme::DigestMd5),
    ];
    for (mark, scheme) in MARKS {
        if let Some(hash) = field.strip_suffix(mark)
            && !field.starts_with('{')
        {
            return (hash.to_owned(), Some(scheme));
        }
    }
    (field.to_owned(), None)
}

/// A uid or gid by number or name; an error for 0 and for a name that nobody has.
fn number(field: &str, find: fn(&Id) -> io::Result<Option<u32>>) -> Result<Option<u32>, ()> {
    if field.is_empty() {
        return Ok(None);
    }
    match Id::parse(field).map(|id| find(&id)) {
        Some(Ok(Some(number))) if number != 0 => Ok(Some(number)),
        _ => Err(()),
    }
}

fn allowed_nets(value: &str) -> Result<Vec<AllowedNet>, String> {
    value
        .split(',')
        .filter(|item| !item.is_empty())
        .map(|item| match item {
            "local" => Ok(AllowedNet::Local),
            item => item.parse().map(AllowedNet::Network),
        })
        .collect()
}

/// A value with its variables put in.
fn expanded(value: &str, user: &str, home: Option<&str>) -> Result<String, String> {
    // A home at the beginning is left to whoever opens the path: it may come from `[users]`.
    let below_home = value.strip_prefix("~/").or(value.strip_prefix("%h/"));
    let (tilde, rest) = match below_home {
        Some(rest) => ("~/", rest),
        None => ("", value),
    };
    let rest = Template::parse(rest, "undh")?
        .expand(&Variables { user, home })
        .map_err(|error| error.to_string())?;
    Ok(format!("{tilde}{rest}"))
}

/// `driver:path:KEY=value:…`, a colon within a value doubled.
fn mail_location(
    location: &str,
    user: &str,
    home: Option<&str>,
    account: &mut AccountFields,
) -> Result<(), String> {
    let unsupported = |what: &str| Err(format!("mail location {what:?} is not supported"));
    let Some(rest) = location.strip_prefix("maildir:") else {
        return unsupported(location);
    };
    // What was doubled becomes a character that no path holds, until the fields are apart.
    let rest = rest.replace("::", "\u{1}");
    let mut fields = rest.split(':').map(|field| field.replace('\u{1}', ":"));
    account.mail = Some(expanded(&fields.next().unwrap_or_default(), user, home)?);
    for field in fields {
        let (key, value) = field.split_once('=').unwrap_or((&field, ""));
        match key {
            "LAYOUT" if value.eq_ignore_ascii_case("maildir++") => {
                account.layout = Some(Layout::MaildirPlusPlus);
            }
            "LAYOUT" if value == "fs" => account.layout = Some(Layout::Fs),
            "UTF-8" => account.names = Some(Names::Utf8),
            "CONTROL" => account.control = Some(expanded(value, user, home)?),
            // In memory or not at all: that index is Dovecot's own affair.
            "INDEX" if value == "MEMORY" => {}
            "INDEX" => account.index = Some(expanded(value, user, home)?),
            "INDEXCACHE" | "INDEXPVT" | "LISTINDEX" | "VOLATILEDIR" => {}
            _ => return unsupported(&field),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(line: &str) -> Entry {
        let parsed = parse("ann@example.org", line.as_bytes());
        parsed.expect(line).expect(line)
    }

    #[test]
    fn the_fields_of_a_line() {
        let entry = entry("{PLAIN}x:5000:5001:Ann:/var/vmail/ann:/bin/sh:");
        assert_eq!(entry.password, "{PLAIN}x");
        assert_eq!(entry.account.uid, Some(5000));
        assert_eq!(entry.account.gid, Some(5001));
        assert_eq!(entry.account.home, Some(PathBuf::from("/var/vmail/ann")));
    }

    #[test]
    fn fields_may_be_empty_or_missing() {
        for line in ["{PLAIN}x", "{PLAIN}x::::::", "{PLAIN}x:::::: "] {
            let entry = entry(line);
            assert_eq!(entry.account, AccountFields::default(), "{line}");
            assert_eq!(entry.password, "{PLAIN}x");
        }
        assert_eq!(entry("").password, "");
    }

    #[test]
    fn ids_by_name_and_never_zero() {
        assert_eq!(entry("x:nobody:nogroup::::").account.uid, Some(65_534));
        for bad in [
            "x:0:5:",
            "x:root:5:",
            "x:no-such-user-here:5:",
            "x:5:0:",
            "x:5:5::::userdb_uid=0",
            "x:5:5::::userdb_gid=root",
            "x:-1:5:",
            "x:4294967295:5:",
            "x:5:4294967295:",
            "x:5:04294967295:",
            "x:5:5::::userdb_uid=4294967295",
            "x:5:5::::userdb_gid=4294967295",
        ] {
            assert_eq!(parse("ann", bad.as_bytes()), Ok(None), "{bad}");
        }
    }

    #[test]
    fn extra_fields() {
        let entry = entry(
            "x:1:1::/h:: nodelay  allow_nets=192.0.2.0/24,local,2001:db8::1 userdb_uid=7 \
             userdb_gid=8 userdb_home=/v/%d/%n userdb_quota_rule=*:storage=1G unknown",
        );
        assert!(entry.no_delay);
        assert_eq!(entry.allowed.as_ref().map(Vec::len), Some(3));
        assert_eq!(entry.account.uid, Some(7));
        assert_eq!(entry.account.gid, Some(8));
        assert_eq!(
            entry.account.home,
            Some(PathBuf::from("/v/example.org/ann"))
        );
        assert_eq!(entry.account.quota_storage, Some(1 << 30));
        assert_eq!(entry.account.quota_messages, Some(0));
        assert_eq!(entry.disabled, None);
    }

    #[test]
    fn a_disabled_user_has_a_reason() {
        let reason = |extra: &str| entry(&format!("x::::::{extra}")).disabled;
        assert_eq!(
            reason("nologin").as_deref(),
            Some("This account is disabled.")
        );
        assert_eq!(reason("nologin=y reason=Unpaid").as_deref(), Some("Unpaid"));
        assert_eq!(reason("reason=Unpaid"), None);
    }

    #[test]
    fn other_names() {
        let name = |extra: &str| entry(&format!("x::::::{extra}")).renamed;
        assert_eq!(name("user=eve").as_deref(), Some("eve"));
        assert_eq!(name("user=%n@other.org").as_deref(), Some("ann@other.org"));
        assert_eq!(name("domain=other.org").as_deref(), Some("ann@other.org"));
        assert_eq!(name("user=eve domain=b.c").as_deref(), Some("eve@b.c"));
    }

    #[test]
    fn mail_locations() {
        let account = |extra: &str| entry(&format!("x:1:1::/h::{extra}")).account;
        assert_eq!(
            account("userdb_mail=maildir:~/Mail").mail.as_deref(),
            Some("~/Mail")
        );
        assert_eq!(
            account("userdb_mail=maildir:/v/%d/%n").mail.as_deref(),
            Some("/v/example.org/ann")
        );
        assert_eq!(
            account("userdb_mail=maildir:%h/m").mail.as_deref(),
            Some("~/m")
        );
        let full = account("userdb_mail=maildir:/a::b:LAYOUT=fs:UTF-8:CONTROL=/c/%u:INDEX=/i");
        assert_eq!(full.mail.as_deref(), Some("/a:b"));
        assert_eq!(full.layout, Some(Layout::Fs));
        assert_eq!(full.names, Some(Names::Utf8));
        assert_eq!(full.control.as_deref(), Some("/c/ann@example.org"));
        assert_eq!(full.index.as_deref(), Some("/i"));
        assert_eq!(account("userdb_mail_path=~/x").mail.as_deref(), Some("~/x"));
        // The ninth field, as Dovecot 1.0 had it.
        assert_eq!(account(":maildir:~/Old").mail.as_deref(), Some("~/Old"));
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for bad in [
            "h3::",
            "~::",
            "./h::",
            "/h::userdb_home=h",
            "/h::userdb_home=~/h",
        ] {
            let line = format!("x:1:1::{bad}");
            let why = parse("ann", line.as_bytes()).unwrap_err();
            assert!(why.contains("no absolute path"), "{why}");
        }
        assert!(parse("ann", b"x:1:1::h::userdb_home=/h").is_ok());
        for bad in [
            "userdb_mail=mbox:~/mail",
            "userdb_mail=maildir:~/m:INBOX=/x",
            "userdb_mail_driver=sdbox",
            "proxy host=192.0.2.1",
            "allow_nets=nonsense",
            "userdb_home=/v/%q",
            "userdb_quota_rule=*:storage=lots",
        ] {
            let line = format!("x:1:1::/h::{bad}");
            assert!(parse("ann", line.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse("../ann", b"x::::::userdb_home=/v/%u").is_err());
    }

    #[test]
    fn marks_of_pam_pwdfile() {
        let field = password_field("xnxCN6qIIfSHE[13]");
        assert_eq!(field, ("xnxCN6qIIfSHE".to_owned(), Some(Scheme::DesCrypt)));
        assert_eq!(password_field("x[34]").1, Some(Scheme::PlainMd5));
        assert_eq!(
            password_field("{PLAIN}x[34]"),
            ("{PLAIN}x[34]".to_owned(), None)
        );
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "[a-z0-9:=/%~@{}$ ,_é\\[\\]-]{0,80}") {
            let _ = parse("ann@example.org", line.as_bytes());
        }
    }
}
