//! Which worker serves a user: whose rights it has, and which directories it can name.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::auth::Granted;
use crate::config::{Config, Isolate, Template};
use crate::process::ServeError;
use crate::process::accounts;
use crate::process::privileges::{self, Ids};

/// What makes two users share a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whose rights it has; `None`: master's own, which is not root.
    pub ids: Option<Ids>,
    /// The directories it can name; `None`: any.
    pub reach: Option<Vec<PathBuf>>,
    /// Many users may come.
    pub crowded: bool,
    /// The only user, where each is to have one.
    user: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.ids) {
            (Some(user), _) => f.write_str(user),
            (None, Some(ids)) => write!(f, "uid {}", ids.uid),
            (None, None) => f.write_str("all users"),
        }
    }
}

/// What is the same for all users.
pub struct Places {
    /// Whom the mail belongs to where a source does not say.
    owner: Option<Ids>,
    /// Master's own uid, where that is not root.
    own_uid: Option<u32>,
}

impl Places {
    /// Looks up what the configuration names.
    ///
    /// # Errors
    ///
    /// What it names that is not there, or may not be.
    pub fn new(config: &Config) -> Result<Places, ServeError> {
        let owner = accounts::mail_owner(config)?;
        if privileges::is_root() {
            return Ok(Places {
                owner,
                own_uid: None,
            });
        }
        let own_uid = privileges::own_uid();
        accounts::check_uid(own_uid, config.users.first_uid)?;
        match owner {
            Some(owner) if owner.uid != own_uid => Err(ServeError::Usage(format!(
                "users.uid is {}, but the server was started by uid {own_uid}, not by root",
                owner.uid
            ))),
            _ => Ok(Places {
                owner,
                own_uid: Some(own_uid),
            }),
        }
    }

    /// Where a user is served who was let in; the user's uid is then known.
    ///
    /// # Errors
    ///
    /// A user who has no uid, or one that may not have mail, or no mail.
    pub fn of(
        &self,
        config: &Config,
        mut granted: Granted,
    ) -> Result<(Place, Granted), ServeError> {
        let fields = &mut granted.account;
        let owner = self.owner.as_ref();
        let uid = fields.uid.or(owner.map(|ids| ids.uid)).or(self.own_uid);
        let gid = fields.gid.or(owner.map(|ids| ids.gid));
        let Some(uid) = uid else {
            return Err(no(
                "neither the source nor users.uid says whose the mail is",
            ));
        };
        accounts::check_uid(uid, config.users.first_uid)?;
        let ids = match self.own_uid {
            Some(own) if own != uid => {
                return Err(ServeError::Usage(format!(
                    "the user has uid {uid}, and a server that was not started by root serves uid {own} alone"
                )));
            }
            Some(_) => None,
            None => match gid.filter(|gid| *gid > 0) {
                Some(gid) => Some(Ids { uid, gid }),
                None => return Err(no("neither the source nor users.gid says what group it is")),
            },
        };
        fields.uid = Some(uid);
        let account = accounts::of_granted(config, uid, &granted)?;
        let isolated = config.users.isolate == Isolate::User;
        let mut crowded = false;
        let reach = (!config.mail.follow_links_out).then(|| {
            let control = account.location.control.as_ref();
            let own = [&account.location.root].into_iter().chain(control);
            let templates = [&config.mail.location]
                .into_iter()
                .chain(&config.mail.control);
            let mut reach: Vec<PathBuf> = own
                .zip(templates.chain(std::iter::repeat(&config.mail.location)))
                .map(|(path, template)| match common(config, template, path) {
                    Some(common) if !isolated => {
                        crowded = true;
                        common
                    }
                    _ => path.clone(),
                })
                .collect();
            reach.dedup();
            reach
        });
        let place = Place {
            ids,
            reach,
            crowded,
            user: isolated.then(|| granted.user.clone()),
        };
        Ok((place, granted))
    }
}

/// The directory in which the configuration has the mail of many, if this path lies there.
fn common(config: &Config, template: &Template, path: &Path) -> Option<PathBuf> {
    let in_home = template.as_str().starts_with("~/") || template.as_str().starts_with("%h");
    let template = match in_home {
        true => config.users.home.as_ref()?.as_str(),
        false => template.as_str(),
    };
    let (fixed, _) = template.split_once('%')?;
    let (directory, _) = fixed.rsplit_once('/')?;
    let directory = Path::new(directory);
    let is_plain = directory.is_absolute() && directory.components().count() > 1;
    let up = |path: &Path| {
        path.components()
            .any(|part| part == std::path::Component::ParentDir)
    };
    (is_plain && path.starts_with(directory) && !up(path)).then(|| directory.to_owned())
}

fn no(why: &str) -> ServeError {
    ServeError::Usage(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AccountFields;

    const OWNED: &str = "[users]\nuid = \"5000\"\ngid = \"5001\"\n";

    fn root(config: &Config) -> Places {
        Places {
            owner: accounts::mail_owner(config).unwrap(),
            own_uid: None,
        }
    }

    fn granted(user: &str, account: AccountFields) -> Granted {
        Granted {
            user: user.to_owned(),
            master: None,
            account,
        }
    }

    fn place(text: &str, user: &str, account: AccountFields) -> Result<Place, ServeError> {
        let config = Config::parse(text).unwrap();
        let (place, granted) = root(&config).of(&config, granted(user, account))?;
        assert!(granted.account.uid.is_some());
        Ok(place)
    }

    #[test]
    fn virtual_users_share_a_worker_that_reaches_their_common_directory() {
        let text = format!("[mail]\nlocation = \"/var/vmail/%d/%n/Maildir\"\n{OWNED}");
        let one = place(&text, "ann@example.org", AccountFields::default()).unwrap();
        let two = place(&text, "bob@example.net", AccountFields::default()).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.reach, Some(vec![PathBuf::from("/var/vmail")]));
        assert!(one.crowded);
        // One whose mail is elsewhere has a worker of his own.
        let elsewhere = AccountFields {
            mail: Some("/srv/carl".to_owned()),
            ..AccountFields::default()
        };
        let three = place(&text, "carl@example.org", elsewhere).unwrap();
        assert_eq!(three.reach, Some(vec![PathBuf::from("/srv/carl")]));
        assert!(!three.crowded);
    }

    #[test]
    fn homes_by_a_template_are_common_too() {
        let text = format!("{OWNED}home = \"/var/vmail/%d/%n\"\n");
        let one = place(&text, "ann@example.org", AccountFields::default()).unwrap();
        assert_eq!(one.reach, Some(vec![PathBuf::from("/var/vmail")]));
    }

    #[test]
    fn each_has_one_where_that_is_wanted() {
        let text = format!("[mail]\nlocation = \"/var/vmail/%n\"\n{OWNED}isolate = \"user\"\n");
        let one = place(&text, "ann", AccountFields::default()).unwrap();
        assert_eq!(one.reach, Some(vec![PathBuf::from("/var/vmail/ann")]));
        assert_ne!(one, place(&text, "bob", AccountFields::default()).unwrap());
    }

    #[test]
    fn system_users_have_their_own_rights_and_reach_their_own_mail() {
        let fields = |uid, gid| AccountFields {
            uid: Some(uid),
            gid: Some(gid),
            home: Some("/home/ann".into()),
            ..AccountFields::default()
        };
        let ann = place("", "ann", fields(1001, 1002)).unwrap();
        let ids = Ids {
            uid: 1001,
            gid: 1002,
        };
        assert_eq!(ann.ids, Some(ids));
        assert_eq!(ann.reach, Some(vec![PathBuf::from("/home/ann/Maildir")]));
        assert!(!ann.crowded);
        for (uid, gid) in [(0, 1002), (499, 1002), (1001, 0)] {
            assert!(place("", "ann", fields(uid, gid)).is_err(), "{uid} {gid}");
        }
        assert!(place("", "ann", AccountFields::default()).is_err());
    }

    #[test]
    fn links_that_lead_out_need_all_of_the_files() {
        let text =
            format!("[mail]\nlocation = \"/var/vmail/%n\"\nfollow-links-out = true\n{OWNED}");
        assert_eq!(
            place(&text, "ann", AccountFields::default()).unwrap().reach,
            None
        );
    }
}
