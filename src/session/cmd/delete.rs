//! DELETE (RFC 3501 §6.3.4).

use crate::imap::response::ListAttribute;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let named = session.named(wire).await?;
    session.user.delete(&named.name).await?;
    session.note_own_name(&named.name);
    session.tell_old_name(&named, vec![ListAttribute::NonExistent]);
    Ok(Reply::ok("Delete completed"))
}
