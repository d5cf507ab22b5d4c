//! Whom the processes become that speak with strangers, where master is root. `None`: master is not, and they are who it
//! is.

use crate::process::privileges::{self, Ids};

/// Whom login, auth and lmtp become.
pub struct Roles {
    /// Login.
    pub login: Option<Ids>,
    /// Auth.
    pub auth: Option<Ids>,
    /// Lmtp.
    pub lmtp: Option<Ids>,
    /// A user that there should be and is not.
    pub missing: Option<&'static str>,
}

impl Roles {
    /// Looks them up; lmtp only where it is needed.
    pub fn new(with_lmtp: bool) -> Roles {
        if !privileges::is_root() {
            return Roles {
                login: None,
                auth: None,
                lmtp: None,
                missing: None,
            };
        }
        let mut missing = None;
        let mut find = |name| match privileges::system_user_named(name) {
            Some(ids) => Some(ids),
            None => {
                missing = Some(name);
                Some(privileges::NOBODY)
            }
        };
        Roles {
            login: find("culver-login"),
            auth: find("culver-auth"),
            lmtp: with_lmtp.then(|| find("culver-lmtp")).flatten(),
            missing,
        }
    }
}
