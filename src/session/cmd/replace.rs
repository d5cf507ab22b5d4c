//! REPLACE and UID REPLACE (RFC 8508): a message for another, as one act.
//!
//! What the client hears comes in the order of the RFC's examples: APPENDUID, EXISTS, and the EXPUNGE last.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::response::{Code, StatusKind};
use crate::imap::sequence::{Bound, SequenceSet};
use crate::mailbox::fault::Fault;
use crate::mailbox::view::Expunge;
use crate::session::cmd::append::{self, Incoming};
use crate::session::cmd::{one_is_gone, target};
use crate::session::reply::{Failure, Reply};
use crate::session::updates::By;
use crate::session::{Session, updates};

pub(crate) async fn run(
    session: &mut Session,
    (numbering, number): (Numbering, Bound),
    wire: &[u8],
    incoming: &mut Incoming,
) -> Result<Reply, Failure> {
    if session.enabled.uid_only && numbering == Numbering::Sequence {
        return Err(Failure::uid_required());
    }
    let view = session.writable_view()?;
    let mailbox = Arc::clone(view.mailbox());
    let invalid = || Failure::Bad("Invalid messageset".into());
    let set = SequenceSet::new(vec![(number, number)]).ok_or_else(invalid)?;
    let picked = view.resolve(numbering, &set).map_err(|_| invalid())?;
    let Some(old) = picked.first() else {
        return Err(Failure::No(
            Some(Code::NonExistent),
            "There is no such message".into(),
        ));
    };
    if old.gone {
        return Err(Fault::Expunged.into());
    }
    let old = Arc::clone(&old.message);
    let target = target(session, wire).await?;
    let mut upload = target.upload()?;
    // "the quota implications of APPEND are evaluated within the context of the pending EXPUNGE so that only the net
    // quota consumption is considered" (§3.4).
    upload.replaces(1, mailbox.storage(vec![Arc::clone(&old)]).await?);
    let upload = append::receive(session, upload, incoming).await?;
    let old = old.uid;
    let replaced = mailbox.replace(old, upload, &target).await;
    let (uid_validity, uids) = match Arc::ptr_eq(&mailbox, &target) {
        true => replaced?,
        false => replaced.map_err(|fault| one_is_gone(fault, &mailbox))?,
    };
    session.note_made(&target, uids.iter().copied());
    // "Servers implementing REPLACE and UIDPLUS are also advised to send the APPENDUID response code in an untagged
    // OK before sending the EXPUNGE" (§4.3).
    if target.uids_are_sticky() {
        let uids = uids.iter().map(|uid| uid.get()).collect();
        let code = Code::AppendUid(uid_validity, uids);
        session.writer.status(
            None,
            StatusKind::Ok,
            Some(code),
            "Replacement message ready",
        );
    }
    let told = updates::tell(
        session,
        Expunge::Held,
        numbering == Numbering::Uid,
        By::Client,
    )
    .await;
    // The message is replaced, whatever else is wrong: that will be said where news is told the next time.
    if let Err(Failure::End(end)) = told {
        return Err(end.into());
    }
    // "Servers implementing both REPLACE and CONDSTORE/QRESYNC [RFC7162] MUST treat the message being replaced as if it
    // were being removed with a UID EXPUNGE command" (§4.5).
    Ok(Reply {
        code: updates::removed_code(session),
        ..Reply::ok("Replace completed")
    })
}
