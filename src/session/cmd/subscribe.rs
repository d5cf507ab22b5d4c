//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn subscribe(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let name = session.name(wire).await?;
    session.user.subscribe(&name, true).await?;
    session.note_own_name(&name);
    Ok(Reply::ok("Subscribe completed"))
}

pub(crate) async fn unsubscribe(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let name = session.name(wire).await?;
    session.user.subscribe(&name, false).await?;
    session.note_own_name(&name);
    Ok(Reply::ok("Unsubscribe completed"))
}
