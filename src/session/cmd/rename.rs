//! RENAME (RFC 3501 §6.3.5).

use crate::session::cmd::create::without_separator;
use crate::session::reply::{Failure, Reply};
use crate::session::{Named, Session};

pub(crate) async fn run(session: &mut Session, from: &[u8], to: &[u8]) -> Result<Reply, Failure> {
    let from = session.named(from).await?;
    let to = session.named(without_separator(session, to)).await?;
    session.user.rename(&from.name, &to.name).await?;
    session.note_own_name(&from.name);
    session.note_own_name(&to.name);
    // RFC 9051 §6.3.6: "the server SHOULD return an untagged LIST response with an OLDNAME extended data item,
    // with the OLDNAME value being the supplied existing mailbox name and the name parameter being the
    // normalized new mailbox name".
    if from.old.is_some() || to.old.is_some() {
        let renamed = Named {
            name: to.name,
            old: Some(from.old.unwrap_or(from.name)),
        };
        session.tell_old_name(&renamed, Vec::new());
    }
    Ok(Reply::ok("Rename completed"))
}
