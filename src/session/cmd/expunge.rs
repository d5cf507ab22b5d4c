//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1), and what they say after ENABLE QRESYNC (RFC 7162
//! §3.2.7, §3.2.9).

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::sequence::MessageSet;
use crate::session::cmd::{resolve, uids};
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, updates};

pub(crate) async fn run(session: &mut Session, set: Option<&MessageSet>) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let named = match set {
        Some(set) => Some(uids(&resolve(view, Numbering::Uid, set)?)),
        None => None,
    };
    let mailbox = Arc::clone(view.mailbox());
    let expunged = mailbox.expunge(named.as_ref()).await?;
    let reply = Reply::ok("Expunge completed");
    Ok(match expunged.is_empty() {
        true => reply,
        false => Reply {
            code: updates::removed_code(session),
            ..reply
        },
    })
}
