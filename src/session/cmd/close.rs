//! CLOSE (RFC 3501 §6.4.2) and UNSELECT (RFC 3691): back to Authenticated.

use std::sync::Arc;

use crate::mailbox::fault::Fault;
use crate::session::reply::{self, Failure, Reply};
use crate::session::{Session, State};

/// Expunges without a word and closes. The mailbox is closed even where the expunge fails: CLOSE has no NO,
/// and the messages are still there, marked, when it is selected again.
pub(crate) async fn close(session: &mut Session) -> Result<Reply, Failure> {
    let view = session.view()?;
    let mailbox = Arc::clone(view.mailbox());
    let expunges = !view.is_read_only();
    session.state = State::Authenticated;
    if expunges
        && let Err(fault) = mailbox.expunge(None).await
        && !matches!(fault, Fault::Ended)
    {
        reply::log(&fault, "CLOSE");
    }
    Ok(Reply::ok("Close completed"))
}

/// Closes, and expunges nothing.
pub(crate) fn unselect(session: &mut Session) -> Reply {
    session.state = State::Authenticated;
    Reply::ok("Unselect completed")
}
