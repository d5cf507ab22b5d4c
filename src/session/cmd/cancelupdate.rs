//! CANCELUPDATE (RFC 5267 §4.3.5).

use crate::session::reply::{Failure, Reply};
use crate::session::{Session, State};

/// Ends the searches of these tags, or none where one of them is of no search: that is NO, as in Dovecot.
pub(crate) fn run(session: &mut Session, tags: &[Vec<u8>]) -> Result<Reply, Failure> {
    let State::Selected(_, followed) = &mut session.state else {
        return Err(Failure::Bad("No mailbox selected".into()));
    };
    let is_followed = |tag: &Vec<u8>| followed.iter().any(|one| one.has_tag(tag));
    if !tags.iter().all(is_followed) {
        return Err(Failure::No(None, "Unknown tag".into()));
    }
    followed.retain(|one| !tags.iter().any(|tag| one.has_tag(tag)));
    Ok(Reply::ok("No further updates"))
}
