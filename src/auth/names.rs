//! User names: from what was typed to what sources are asked for.

use crate::config::Template;

/// The longest user name, in octets.
const MAX_NAME: usize = 255;

/// How names are taken.
pub(super) struct Names {
    /// `None`: as they are typed.
    pub format: Option<Template>,
    /// Stands between user and master user.
    pub master_separator: Option<char>,
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Whose password it is.
    pub user: String,
    /// As whom, where that is another.
    pub target: Option<String>,
}

impl Named {
    /// Whose mail it is about.
    pub fn whose(&self) -> &str {
        self.target.as_deref().unwrap_or(&self.user)
    }
}

impl Names {
    /// Who logs in by these names, and as whom where that is another. `None`: one of them is no user name.
    pub fn named(&self, typed: &[u8], act_as: Option<&[u8]>) -> Option<Named> {
        let typed = std::str::from_utf8(typed).ok()?;
        let act_as = match act_as {
            Some(name) => Some(std::str::from_utf8(name).ok()?),
            None => None,
        };
        // `user*master`, as Dovecot has it; a name to act as goes before.
        let split = self
            .master_separator
            .and_then(|mark| typed.split_once(mark));
        let (user, target) = match (act_as, split) {
            (None, Some((target, master))) => (master, Some(target)),
            (act_as, _) => (typed, act_as),
        };
        let user = self.normal(user)?;
        let target = match target {
            Some(target) => Some(self.normal(target)?),
            None => None,
        };
        let target = target.filter(|target| *target != user);
        Some(Named { user, target })
    }

    /// A name as the sources know it; `None`: it holds what no user name does.
    pub fn normal(&self, typed: &str) -> Option<String> {
        let Some(format) = &self.format else {
            let good = typed.len() <= MAX_NAME && !typed.contains(|c: char| c.is_control());
            return (good && !typed.is_empty()).then(|| typed.to_owned());
        };
        if !is_user_name(typed) {
            return None;
        }
        let name = format.expand_name(typed);
        is_user_name(&name).then_some(name)
    }
}

/// Whether a name is made of what Dovecot allows by default, and could be part of a path.
pub(super) fn is_user_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte))
        && !name.contains("..")
        && !name.starts_with('.')
}
