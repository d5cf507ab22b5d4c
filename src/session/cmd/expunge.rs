//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1).

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::sequence::MessageSet;
use crate::session::Session;
use crate::session::cmd::{resolve, uids};
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session, set: Option<&MessageSet>) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let named = match set {
        Some(set) => Some(uids(&resolve(view, Numbering::Uid, set)?)),
        None => None,
    };
    let mailbox = Arc::clone(view.mailbox());
    mailbox.expunge(named.as_ref()).await?;
    Ok(Reply::ok("Expunge completed"))
}
