//! DELETE (RFC 3501 §6.3.4).

use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let name = session.name(wire)?;
    session.user.delete(&name).await?;
    Ok(Reply::ok("Delete completed"))
}
