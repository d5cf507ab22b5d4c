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
    /// Users that there should be and are not.
    pub missing: Vec<&'static str>,
}

/// What is said of those that are missing.
pub fn of_missing(missing: &[&str]) -> String {
    let names = missing.join(", ");
    let commands: Vec<String> = missing
        .iter()
        .map(|name| format!("adduser --system --group {name}"))
        .collect();
    let commands = commands.join("; ");
    format!("no such users of the system: {names}; nobody stands in for them; better: {commands}")
}

impl Roles {
    /// Looks them up; lmtp only where it is needed.
    pub fn new(with_lmtp: bool) -> Roles {
        if !privileges::is_root() {
            return Roles {
                login: None,
                auth: None,
                lmtp: None,
                missing: Vec::new(),
            };
        }
        let mut missing = Vec::new();
        let mut find = |name| match privileges::system_user_named(name) {
            Some(ids) => Some(ids),
            None => {
                missing.push(name);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_missing_are_named() {
        assert_eq!(
            of_missing(&["culver-login", "culver-auth"]),
            "no such users of the system: culver-login, culver-auth; nobody stands in for them; better: \
             adduser --system --group culver-login; adduser --system --group culver-auth"
        );
    }
}
