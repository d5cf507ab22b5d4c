//! NAMESPACE (RFC 2342): one private namespace without a prefix.

use crate::imap::response::Data;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) fn run(session: &mut Session) -> Result<Reply, Failure> {
    let separator = session.user.separator();
    session.writer.data(&Data::Namespace(separator));
    Ok(Reply::ok("Namespace completed"))
}
