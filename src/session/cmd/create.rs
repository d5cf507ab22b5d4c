//! CREATE (RFC 3501 §6.3.3).

use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// A separator at the name's end only says that more will come below it.
pub(crate) async fn run(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let name = session.name(without_separator(session, wire))?;
    session.user.create(&name).await?;
    Ok(Reply::ok("Create completed"))
}

/// The name without one separator at its end. Both separators are themselves in modified UTF-7.
pub(super) fn without_separator<'w>(session: &Session, wire: &'w [u8]) -> &'w [u8] {
    let mut utf8 = [0; 4];
    let separator = session.user.separator().encode_utf8(&mut utf8).as_bytes();
    wire.strip_suffix(separator).unwrap_or(wire)
}
