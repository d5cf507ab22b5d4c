//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1).

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::sequence::MessageSet;
use crate::session::Session;
use crate::session::cmd::{Share, resolve, uids};
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session, set: Option<&MessageSet>) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let mailbox = Arc::clone(view.mailbox());
    let mut share = None;
    let named = match set {
        Some(set) => {
            let mut picked = resolve(view, Numbering::Uid, set)?;
            // RFC 9738: EXPUNGE of all is not limited.
            share = Share::of(session, &mut picked);
            Some(uids(&picked))
        }
        None => None,
    };
    mailbox.expunge(named.as_ref()).await?;
    Share::conclude(share, Reply::ok("Expunge completed"))
}
