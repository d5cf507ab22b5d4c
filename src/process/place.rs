//! Which worker serves a user: whose rights it has, and which directories it can name.

use std::fmt;
use std::path::{Component, Path, PathBuf};

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

impl Place {
    /// One for all users of a uid.
    #[cfg(test)]
    pub fn of_uid(uid: u32) -> Place {
        Place {
            ids: Some(Ids { uid, gid: uid }),
            reach: None,
            crowded: false,
            user: None,
        }
    }

    /// The directory of the mail of all its users.
    pub fn common(&self) -> Option<&Path> {
        self.reach.as_ref()?.first().map(PathBuf::as_path)
    }

    /// The same for a user whose mail is elsewhere.
    pub fn alone(mut self, root: PathBuf) -> Place {
        if let Some(first) = self.reach.as_mut().and_then(|reach| reach.first_mut()) {
            *first = root;
        }
        self.crowded = false;
        self
    }
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
    /// The directory that holds the mail of all of the owner's users that have come so far and whose place the
    /// configuration does not name.
    seen: Option<PathBuf>,
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
                seen: None,
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
                seen: None,
            }),
        }
    }

    /// Where a user is served who was let in; the user's uid is then known, and where the mail is.
    ///
    /// # Errors
    ///
    /// A user who has no uid, or one that may not have mail, or no mail.
    pub fn of(
        &mut self,
        config: &Config,
        mut granted: Granted,
    ) -> Result<(Place, Granted, PathBuf), ServeError> {
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
        let shared = !isolated && self.own_uid.or(owner.map(|ids| ids.uid)) == Some(uid);
        let location = &account.location;
        let reach = (!config.mail.follow_links_out).then(|| {
            let root = match shared {
                true => self.shared(config, &location.root, fields_home(&granted)),
                false => location.root.clone(),
            };
            let control = location.control.as_ref().map(|control| {
                let template = config.mail.control.as_ref().filter(|_| shared);
                let common = template.and_then(|template| common(config, template, control));
                common.unwrap_or_else(|| control.clone())
            });
            let mut reach = vec![root];
            reach.extend(control);
            reach.dedup();
            reach
        });
        let place = Place {
            ids,
            reach,
            crowded: shared,
            user: isolated.then(|| granted.user.clone()),
        };
        Ok((place, granted, account.location.root))
    }

    /// The directory of the mail of many users of the owner, this one's among them: where the configuration has it,
    /// or else where those are who have come. Each time that becomes a wider one another worker begins, but there are not
    /// many directories on the way up.
    fn shared(&mut self, config: &Config, root: &Path, home: Option<&Path>) -> PathBuf {
        if let Some(common) = common(config, &config.mail.location, root) {
            return common;
        }
        let own = home.filter(|home| root.starts_with(home)).unwrap_or(root);
        let near = own.parent().unwrap_or(own);
        let wider = match &self.seen {
            Some(seen) => near.ancestors().find(|above| seen.starts_with(above)),
            None => Some(near),
        };
        match wider.filter(|wider| wider.parent().is_some() && !goes_up(root)) {
            Some(wider) => {
                self.seen = Some(wider.to_owned());
                wider.to_owned()
            }
            // Whoever has nothing in common with the others has a worker alone.
            None => root.to_owned(),
        }
    }
}

fn fields_home(granted: &Granted) -> Option<&Path> {
    granted.account.home.as_deref()
}

fn goes_up(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
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
            seen: None,
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
        let (place, granted, _) = root(&config).of(&config, granted(user, account))?;
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
        // One whose mail is elsewhere is in another's.
        let elsewhere = AccountFields {
            mail: Some("/srv/carl".to_owned()),
            ..AccountFields::default()
        };
        let three = place(&text, "carl@example.org", elsewhere).unwrap();
        assert_eq!(three.reach, Some(vec![PathBuf::from("/srv")]));
    }

    #[test]
    fn homes_by_a_template_are_common_too() {
        let text = format!("{OWNED}home = \"/var/vmail/%d/%n\"\n");
        let one = place(&text, "ann@example.org", AccountFields::default()).unwrap();
        assert_eq!(one.reach, Some(vec![PathBuf::from("/var/vmail")]));
    }

    #[test]
    fn homes_that_only_the_source_knows_are_common_as_far_as_they_were_seen() {
        let config = Config::parse(OWNED).unwrap();
        let mut places = root(&config);
        let mut reach = |home: &str| {
            let account = AccountFields {
                home: Some(home.into()),
                ..AccountFields::default()
            };
            let (place, _, _) = places.of(&config, granted("u", account)).unwrap();
            let mut reach = place.reach.unwrap();
            assert_eq!(reach.len(), 1);
            reach.remove(0).display().to_string()
        };
        for (home, common) in [
            ("/var/vmail/a.org/ann", "/var/vmail/a.org"),
            ("/var/vmail/a.org/bob", "/var/vmail/a.org"),
            ("/var/vmail/b.org/carl", "/var/vmail"),
            ("/var/vmail/a.org/ann", "/var/vmail"),
            // Nothing is above both but the root of all.
            ("/srv/dora", "/srv/dora/Maildir"),
            ("/var/vmail/../../etc", "/var/vmail/../../etc/Maildir"),
            ("/var/vmail/b.org/carl", "/var/vmail"),
        ] {
            assert_eq!(reach(home), common, "{home}");
        }
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
