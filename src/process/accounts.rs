//! What a configuration and a source of users say of an account, in the terms of the rooms below.

use std::path::{Path, PathBuf};

use crate::auth::{AccountFields, Granted};
use crate::config::{self, Config, ExpandError, Id, Variables};
use crate::mailbox::quota::Limits;
use crate::mailbox::user::{Account, DiskNames, Fsync, Layout, ListAttribute, Location};
use crate::process::ServeError;
use crate::process::privileges::{self, Ids};

/// Whom the mail of a configuration belongs to; `None` where it does not say.
pub fn mail_owner(config: &Config) -> Result<Option<Ids>, ServeError> {
    let number = |id: &Id, found: std::io::Result<Option<u32>>, key: &str| {
        found
            .map_err(ServeError::system(format!("look up {key}")))?
            .ok_or_else(|| ServeError::Usage(format!("{key}: there is no {id} on this system")))
    };
    let users = &config.users;
    let (Some(uid), Some(gid)) = (&users.uid, &users.gid) else {
        return match (&users.uid, &users.gid) {
            (None, None) => Ok(None),
            _ => Err(ServeError::Usage(
                "users.uid and users.gid go together".to_owned(),
            )),
        };
    };
    let ids = Ids {
        uid: number(uid, uid.uid(), "users.uid")?,
        gid: number(gid, gid.gid(), "users.gid")?,
    };
    check_uid(ids.uid, users.first_uid)?;
    Ok(Some(ids))
}

/// Whom a program of a source of users runs as; `None`: as whoever runs the server.
pub fn runs_as(user: Option<&Id>, otherwise: Option<Ids>) -> std::io::Result<Option<Ids>> {
    let (Some(user), Some(_)) = (user, otherwise) else {
        return Ok(otherwise);
    };
    let unknown = || std::io::Error::other(format!("{user} is not known on this system"));
    let uid = user.uid()?.ok_or_else(unknown)?;
    // A number need not be a user's who is known.
    let gid = privileges::system_user(uid).map_or(privileges::NOBODY.gid, |user| user.gid);
    Ok(Some(Ids { uid, gid }))
}

/// Refuses to keep mail as root or as one of the system's own users.
pub fn check_uid(uid: u32, first_uid: u32) -> Result<(), ServeError> {
    if uid == 0 {
        return Err(ServeError::Usage(
            "users.uid: root may not own mail; name a user for it, such as vmail".to_owned(),
        ));
    }
    if uid < first_uid {
        return Err(ServeError::Usage(format!(
            "users.uid: {uid} is below users.first-uid ({first_uid})"
        )));
    }
    Ok(())
}

/// The account of somebody who was let in, whose mail is served by the process of `own_uid`.
pub fn of_granted(config: &Config, own_uid: u32, granted: &Granted) -> Result<Account, ServeError> {
    let fields = &granted.account;
    if let Some(uid) = fields.uid
        && uid != own_uid
    {
        return Err(ServeError::Usage(format!(
            "the user has uid {uid}, and this server serves the mail of uid {own_uid} only"
        )));
    }
    let home = home(config, granted)?;
    let variables = Variables {
        user: &granted.user,
        home: home.as_deref(),
    };
    let root = match &fields.mail {
        Some(mail) => below_home(mail, variables.home)?,
        None => PathBuf::from(config.mail.location.expand(&variables)?),
    };
    let mut account = at(root, config);
    let location = &mut account.location;
    location.control = match (&fields.control, &config.mail.control) {
        (Some(control), _) => Some(below_home(control, variables.home)?),
        (None, Some(template)) => Some(PathBuf::from(template.expand(&variables)?)),
        (None, None) => None,
    };
    location.layout = fields.layout.map_or(location.layout, layout);
    location.names = fields.names.map_or(location.names, names);
    let limit = |own: Option<u64>, of_all| own.map_or(of_all, |own| (own != 0).then_some(own));
    account.quota = Limits {
        storage: limit(fields.quota_storage, account.quota.storage),
        messages: limit(fields.quota_messages, account.quota.messages),
    };
    Ok(account)
}

/// What there is to be said of a user.
pub struct Described {
    /// Who owns the mail; `None`: whoever runs the server.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// The home, where there is one.
    pub home: Option<String>,
    /// The mail.
    pub account: Account,
}

/// Says all of it.
///
/// # Errors
///
/// There is no telling, or the user may not have mail.
pub fn describe(config: &Config, granted: &Granted) -> Result<Described, ServeError> {
    let fields = &granted.account;
    let owner = mail_owner(config)?;
    let uid = fields.uid.or(owner.map(|ids| ids.uid));
    if let Some(uid) = uid {
        check_uid(uid, config.users.first_uid)?;
    }
    Ok(Described {
        uid,
        gid: fields.gid.or(owner.map(|ids| ids.gid)),
        home: home(config, granted)?,
        account: of_granted(config, uid.unwrap_or_default(), granted)?,
    })
}

/// What other programs are told of a user; `None`: there is no telling, or the user may not have mail.
pub fn described(config: &Config, granted: &Granted) -> Option<Vec<(&'static str, String)>> {
    let Described {
        uid,
        gid,
        home,
        account,
    } = describe(config, granted).ok()?;
    let mut said = Vec::new();
    said.extend(uid.map(|uid| ("uid", uid.to_string())));
    said.extend(gid.map(|gid| ("gid", gid.to_string())));
    said.extend(home.map(|home| ("home", home)));
    said.extend(quota_rule(&granted.account).map(|rule| ("quota_rule", rule)));
    let mail = format!("maildir:{}", account.location.root.display());
    said.push(("mail", mail));
    Some(said)
}

/// What the source says of the user's quota, as Dovecot has it; 0 is no limit. The configuration's own is not told, as
/// Dovecot does not tell its.
fn quota_rule(fields: &AccountFields) -> Option<String> {
    let storage = fields.quota_storage.map(|size| format!(":bytes={size}"));
    let messages = fields
        .quota_messages
        .map(|count| format!(":messages={count}"));
    let limits: String = storage.into_iter().chain(messages).collect();
    (!limits.is_empty()).then(|| format!("*{limits}"))
}

/// The user's home: the source's, or else the configured one. It is absolute: there is nothing that it could be below.
fn home(config: &Config, granted: &Granted) -> Result<Option<String>, ServeError> {
    let variables = Variables {
        user: &granted.user,
        home: None,
    };
    let home = match (&granted.account.home, &config.users.home) {
        (Some(home), _) => home.to_string_lossy().into_owned(),
        (None, Some(template)) => template.expand(&variables)?,
        (None, None) => return Ok(None),
    };
    match Path::new(&home).is_absolute() {
        true => Ok(Some(home)),
        false => Err(ServeError::Usage(format!(
            "the home of this user is {home}, which is no absolute path"
        ))),
    }
}

/// The account in this Maildir, kept as `[mail]` says.
pub fn at(root: PathBuf, config: &Config) -> Account {
    let mail = &config.mail;
    Account {
        location: Location {
            root,
            control: None,
            layout: layout(mail.layout),
            names: names(mail.names),
            follow_links_out: mail.follow_links_out,
        },
        fsync: match mail.fsync {
            config::Fsync::Always => Fsync::Always,
            config::Fsync::Delivery => Fsync::Delivery,
            config::Fsync::Never => Fsync::Never,
        },
        attachment_keywords: mail.attachment_keywords,
        auto_create: mail
            .auto_create
            .iter()
            .map(|(name, special)| (name.clone(), ListAttribute::special_use(special)))
            .collect(),
        quota: Limits {
            storage: config.quota.storage.limit(),
            messages: (config.quota.messages != 0).then(|| u64::from(config.quota.messages)),
        },
    }
}

/// A path as a source of users gives it: absolute, or in the user's home.
fn below_home(path: &str, home: Option<&str>) -> Result<PathBuf, ServeError> {
    let below = path.strip_prefix("~/").or((path == "~").then_some(""));
    let path = match below {
        Some(below) => Path::new(home.ok_or(ExpandError::NoHome)?).join(below),
        None => PathBuf::from(path),
    };
    if !path.is_absolute() {
        return Err(ServeError::Usage(format!(
            "the mail of this user is in {}, which is no absolute path",
            path.display()
        )));
    }
    Ok(path)
}

fn layout(layout: config::Layout) -> Layout {
    match layout {
        config::Layout::MaildirPlusPlus => Layout::MaildirPlusPlus,
        config::Layout::Fs => Layout::Fs,
    }
}

fn names(names: config::Names) -> DiskNames {
    match names {
        config::Names::Utf7 => DiskNames::Utf7,
        config::Names::Utf8 => DiskNames::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Template;

    fn virtual_users() -> Config {
        let mut config = Config::default();
        config.mail.location = Template::parse("/var/vmail/%d/%n/Maildir", "undh").unwrap();
        config
    }

    fn granted(user: &str, account: AccountFields) -> Granted {
        Granted {
            user: user.to_owned(),
            master: None,
            account,
        }
    }

    #[test]
    fn root_and_the_systems_users_own_no_mail() {
        let mut config = virtual_users();
        assert_eq!(mail_owner(&config).unwrap(), None);
        config.users.uid = Some(Id::Number(5000));
        assert!(mail_owner(&config).unwrap_err().is_usage());
        config.users.gid = Some(Id::Number(5001));
        let ids = Ids {
            uid: 5000,
            gid: 5001,
        };
        assert_eq!(mail_owner(&config).unwrap(), Some(ids));
        for id in [
            Id::Number(0),
            Id::Number(499),
            Id::Name("nobody-here".into()),
        ] {
            config.users.uid = Some(id);
            assert!(mail_owner(&config).unwrap_err().is_usage());
        }
    }

    #[test]
    fn a_user_has_the_configured_place_unless_the_entry_says_otherwise() {
        let config = virtual_users();
        let plain = granted("ana@example.org", AccountFields::default());
        let account = of_granted(&config, 5000, &plain).unwrap();
        assert_eq!(
            account.location.root,
            PathBuf::from("/var/vmail/example.org/ana/Maildir")
        );
        let fields = AccountFields {
            uid: Some(5000),
            home: Some(PathBuf::from("/srv/ana")),
            mail: Some("~/mail".to_owned()),
            control: Some("/srv/control".to_owned()),
            layout: Some(config::Layout::Fs),
            names: Some(config::Names::Utf8),
            ..AccountFields::default()
        };
        let own = granted("ana@example.org", fields);
        let location = of_granted(&config, 5000, &own).unwrap().location;
        assert_eq!(location.root, PathBuf::from("/srv/ana/mail"));
        assert_eq!(location.control, Some(PathBuf::from("/srv/control")));
        assert_eq!(location.layout, Layout::Fs);
        assert_eq!(location.names, DiskNames::Utf8);
        of_granted(&config, 5001, &own).unwrap_err();
    }

    #[test]
    fn a_home_is_absolute() {
        let mut config = virtual_users();
        config.mail.location = Template::parse("~/Maildir", "undh").unwrap();
        for (home, good) in [("/srv/ana", true), ("h3", false), ("~", false), ("", false)] {
            let fields = AccountFields {
                uid: Some(5000),
                home: Some(PathBuf::from(home)),
                ..AccountFields::default()
            };
            let ana = granted("ana@example.org", fields);
            assert_eq!(of_granted(&config, 5000, &ana).is_ok(), good, "{home}");
            assert_eq!(describe(&config, &ana).is_ok(), good, "{home}");
        }
    }

    #[test]
    fn others_are_told_of_the_users_own_quota() {
        let config = virtual_users();
        for (storage, messages, rule) in [
            (None, None, None),
            (
                Some(5 << 20),
                Some(1000),
                Some("*:bytes=5242880:messages=1000"),
            ),
            (Some(0), None, Some("*:bytes=0")),
            (None, Some(7), Some("*:messages=7")),
        ] {
            let fields = AccountFields {
                uid: Some(5000),
                gid: Some(5001),
                home: Some(PathBuf::from("/srv/ana")),
                quota_storage: storage,
                quota_messages: messages,
                ..AccountFields::default()
            };
            let said = described(&config, &granted("ana@example.org", fields)).unwrap();
            let told = said.iter().find(|(key, _)| *key == "quota_rule");
            assert_eq!(told.map(|(_, value)| value.as_str()), rule);
            assert_eq!(said.len(), 4 + usize::from(rule.is_some()));
        }
    }

    #[test]
    fn a_place_that_cannot_be_told_is_refused() {
        let config = virtual_users();
        for (user, mail) in [
            ("ana@example.org", Some("~/mail")),
            ("ana@example.org", Some("mail")),
            ("ana", None),
            ("../ana@example.org", None),
        ] {
            let fields = AccountFields {
                mail: mail.map(str::to_owned),
                ..AccountFields::default()
            };
            let result = of_granted(&config, 5000, &granted(user, fields));
            assert!(result.is_err(), "{user} {mail:?}");
        }
    }

    #[test]
    fn mailboxes_to_make_keep_their_special_use() {
        let mut config = virtual_users();
        let made = [("Drafts", "\\Drafts"), ("Lists", "")];
        config.mail.auto_create = made
            .map(|(name, special)| (name.to_owned(), special.to_owned()))
            .into();
        assert_eq!(
            at(PathBuf::new(), &config).auto_create,
            [
                ("Drafts".to_owned(), Some(ListAttribute::Drafts)),
                ("Lists".to_owned(), None)
            ]
        );
    }
}
