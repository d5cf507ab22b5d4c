//! DELETE (RFC 3501 §6.3.4). A mailbox's annotations end with it, and who listens hears of that (RFC 5464 §4.4.2).

use crate::imap::response::ListAttribute;
use crate::mailbox::annotations::Subject;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn run(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let named = session.named(wire).await?;
    let subject = Subject::Mailbox(named.name.clone());
    let known = session.user.annotations(&subject).await.unwrap_or_default();
    session.user.delete(&named.name).await?;
    let by = session.annotations.as_ref();
    session.user.tell_gone(&named.name, &known, by);
    session.note_own_name(&named.name);
    session.tell_old_name(&named, vec![ListAttribute::NonExistent]);
    Ok(Reply::ok("Delete completed"))
}
