//! CREATE (RFC 3501 §6.3.3, RFC 8474 §4.1), with the parameter USE (RFC 6154 §3).

use crate::imap::response::{Code, ListAttribute};
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// A separator at the name's end only says that more will come below it.
pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    uses: &[String],
) -> Result<Reply, Failure> {
    let named = session.named(without_separator(session, wire)).await?;
    let purpose = purpose(uses)?;
    match purpose {
        None => session.user.create(&named.name).await?,
        Some(purpose) => {
            // "Alternatively, servers MAY refuse the creation, considering the designation to be a conflict."
            let folders = session.user.list().await?;
            let taken = folders
                .iter()
                .any(|folder| folder.special_use == Some(purpose) && folder.name != named.name);
            let given = session.user.configured_use(&named.name);
            if given.is_some_and(|given| given != purpose) {
                return Err(refused("This name is for another use".to_owned()));
            }
            if taken {
                return Err(refused(format!(
                    "There is a mailbox for {}",
                    purpose.as_str()
                )));
            }
            session.user.create_for(&named.name, purpose).await?;
        }
    }
    // "MUST include the MAILBOXID response code in the tagged OK response to all successful CREATE commands" (RFC 8474
    // §4.1).
    let snapshot = session.user.open_made(&named.name).await?.snapshot();
    session.note_own_name(&named.name);
    if purpose.is_some() {
        let by = session.annotations.as_ref();
        session.user.tell_made_for(&named.name, by);
    }
    session.tell_old_name(&named, Vec::new());
    Ok(Reply::with(
        Code::MailboxId(snapshot.id.clone()),
        "Create completed",
    ))
}

/// What the mailbox is to be for: one use at the most, and one that is a matter of what users put there. `\All`
/// and `\Flagged` would show what lies elsewhere.
pub(super) fn purpose(uses: &[String]) -> Result<Option<ListAttribute>, Failure> {
    let mut wanted = None;
    for text in uses {
        match ListAttribute::special_use(text) {
            None | Some(ListAttribute::All | ListAttribute::Flagged) => {
                return Err(refused(format!("{text} cannot be given to a mailbox")));
            }
            Some(purpose) if wanted.is_some_and(|other| other != purpose) => {
                return Err(refused("One special use at the most".to_owned()));
            }
            Some(purpose) => wanted = Some(purpose),
        }
    }
    Ok(wanted)
}

/// RFC 6154 §3: "it MUST NOT create the mailbox, and MUST respond to the CREATE command with a tagged NO response".
fn refused(text: String) -> Failure {
    Failure::No(Some(Code::UseAttr), text.into())
}

/// The name without one separator at its end. Both separators are themselves in modified UTF-7.
pub(super) fn without_separator<'w>(session: &Session, wire: &'w [u8]) -> &'w [u8] {
    let mut utf8 = [0; 4];
    let separator = session.user.separator().encode_utf8(&mut utf8).as_bytes();
    wire.strip_suffix(separator).unwrap_or(wire)
}
