//! CHECK (RFC 3501 §6.4.1): OK once everything told about the mailbox is on disk.

use std::sync::Arc;

use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session) -> Result<Reply, Failure> {
    let mailbox = Arc::clone(session.view()?.mailbox());
    mailbox.flush().await?;
    Ok(Reply::ok("Check completed"))
}
