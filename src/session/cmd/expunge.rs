//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1), and what they say after ENABLE QRESYNC (RFC 7162
//! §3.2.7, §3.2.9).

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::flag::SystemFlag;
use crate::imap::sequence::MessageSet;
use crate::mailbox::snapshot::Message;
use crate::session::cmd::{Share, beyond, resolve, uids};
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, updates};

pub(crate) async fn run(session: &mut Session, set: Option<&MessageSet>) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let mailbox = Arc::clone(view.mailbox());
    let mut share = None;
    let named = match set {
        Some(set) => {
            let mut picked = resolve(view, Numbering::Uid, set)?;
            // RFC 9738: EXPUNGE of all is not limited, and what is not deleted does not count.
            if beyond(session.limits.message_limit, picked.len()).is_some() {
                let now = mailbox.snapshot();
                let is_deleted = |message: &Arc<Message>| message.flags.has(SystemFlag::Deleted);
                picked.retain(|picked| now.find(picked.message.uid).is_some_and(is_deleted));
                share = Share::of(session, &mut picked);
            }
            Some(uids(&picked))
        }
        None => None,
    };
    let expunged = mailbox.expunge(named.as_ref()).await?;
    let reply = Reply::ok("Expunge completed");
    let reply = match expunged.is_empty() {
        true => reply,
        false => Reply {
            code: updates::removed_code(session),
            ..reply
        },
    };
    Share::conclude(share, session, reply).await
}
