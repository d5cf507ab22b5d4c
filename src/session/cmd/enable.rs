//! ENABLE (RFC 5161).

use crate::imap::response::Data;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// Nothing that is announced has to be enabled, and what is not known is passed over: the list is empty.
pub(crate) fn run(session: &mut Session, _names: &[String]) -> Result<Reply, Failure> {
    session.writer.data(&Data::Enabled(Vec::new()));
    Ok(Reply::ok("Enabled"))
}
