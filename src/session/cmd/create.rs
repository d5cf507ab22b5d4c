//! CREATE (RFC 3501 §6.3.3), with the parameter USE (RFC 6154 §3).

use crate::imap::response::Code;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// A separator at the name's end only says that more will come below it.
///
/// A special use belongs to a name, by configuration or by custom, and is not stored. So a mailbox can be made
/// for the use that its name has, and for no other; CREATE-SPECIAL-USE is not announced.
pub(crate) async fn run(
    session: &mut Session,
    wire: &[u8],
    uses: &[String],
) -> Result<Reply, Failure> {
    let named = session.named(without_separator(session, wire)).await?;
    let given = session.user.special_use(&named.name);
    let fits =
        |wanted: &String| given.is_some_and(|given| given.as_str().eq_ignore_ascii_case(wanted));
    // RFC 6154 §3: "it MUST NOT create the mailbox, and MUST respond to the CREATE command with a tagged NO
    // response".
    if let Some(wanted) = uses.iter().find(|wanted| !fits(wanted)) {
        let text = format!("{wanted} cannot be given to this name");
        return Err(Failure::No(Some(Code::UseAttr), text.into()));
    }
    session.user.create(&named.name).await?;
    session.tell_old_name(&named, Vec::new());
    Ok(Reply::ok("Create completed"))
}

/// The name without one separator at its end. Both separators are themselves in modified UTF-7.
pub(super) fn without_separator<'w>(session: &Session, wire: &'w [u8]) -> &'w [u8] {
    let mut utf8 = [0; 4];
    let separator = session.user.separator().encode_utf8(&mut utf8).as_bytes();
    wire.strip_suffix(separator).unwrap_or(wire)
}
