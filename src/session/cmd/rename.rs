//! RENAME (RFC 3501 §6.3.5).

use crate::session::Session;
use crate::session::cmd::create::without_separator;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session, from: &[u8], to: &[u8]) -> Result<Reply, Failure> {
    let from = session.name(from)?;
    let to = session.name(without_separator(session, to))?;
    session.user.rename(&from, &to).await?;
    Ok(Reply::ok("Rename completed"))
}
