//! The system's users, from wherever the name service has them (nsswitch.conf(5)): files, LDAP, sssd. **Blocking.**

use std::io;

use nix::unistd::User;

use super::AccountFields;

/// What the system says of a user's account; `None`: there is no such user.
///
/// # Errors
///
/// What the name service says.
pub fn account(user: &str) -> io::Result<Option<AccountFields>> {
    let found = User::from_name(user)?;
    Ok(found.map(|user| AccountFields {
        uid: Some(user.uid.as_raw()),
        gid: Some(user.gid.as_raw()),
        home: Some(user.dir),
        ..AccountFields::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_there_and_nobody_else_of_a_strange_name() {
        let root = account("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (Some(0), Some(0)));
        assert_eq!(account("no-such-user").unwrap(), None);
    }
}
