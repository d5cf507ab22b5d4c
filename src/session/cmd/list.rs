//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9), with \HasChildren (RFC 3348) and special uses (RFC 6154).

use std::collections::HashSet;

use crate::imap::name::{MailboxName, Pattern};
use crate::imap::response::{Data, ListAttribute, ListItem};
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

pub(crate) async fn list(
    session: &mut Session,
    reference: &[u8],
    pattern: &[u8],
) -> Result<Reply, Failure> {
    let separator = session.user.separator();
    if pattern.is_empty() {
        // A question for the separator alone.
        session.writer.data(&Data::List(ListItem {
            attributes: vec![ListAttribute::NoSelect],
            separator: Some(separator),
            name: None,
        }));
        return Ok(Reply::ok("List completed"));
    }
    let pattern = Pattern::new(reference, pattern, false, separator);
    for folder in session.user.list().await? {
        if !pattern.matches(&folder.name) {
            continue;
        }
        let mut attributes = Vec::with_capacity(3);
        if !folder.selectable {
            attributes.push(ListAttribute::NoSelect);
        }
        attributes.push(if folder.has_children {
            ListAttribute::HasChildren
        } else {
            ListAttribute::HasNoChildren
        });
        attributes.extend(folder.special_use);
        session.writer.data(&Data::List(ListItem {
            attributes,
            separator: Some(separator),
            name: Some(folder.name),
        }));
        session.writer.relieve().await?;
    }
    Ok(Reply::ok("List completed"))
}

/// Subscribed names, whether or not their mailboxes are there. RFC 3501 §6.3.9: where a pattern stops at a
/// parent of a subscribed name (with `%`), the parent is shown instead, as `\Noselect`.
pub(crate) async fn lsub(
    session: &mut Session,
    reference: &[u8],
    pattern: &[u8],
) -> Result<Reply, Failure> {
    let separator = session.user.separator();
    let pattern = Pattern::new(reference, pattern, false, separator);
    let subscribed = session.user.subscriptions().await?;
    let (shown, below): (Vec<MailboxName>, Vec<MailboxName>) = subscribed
        .into_iter()
        .partition(|name| pattern.matches(name));
    let mut seen: HashSet<MailboxName> = HashSet::new();
    for name in shown {
        if seen.insert(name.clone()) {
            let attributes = session.user.special_use(&name).into_iter().collect();
            lsub_line(session, attributes, name).await?;
        }
    }
    for parent in below.iter().flat_map(|name| pattern.matching_parents(name)) {
        if seen.insert(parent.clone()) {
            lsub_line(session, vec![ListAttribute::NoSelect], parent).await?;
        }
    }
    Ok(Reply::ok("Lsub completed"))
}

async fn lsub_line(
    session: &mut Session,
    attributes: Vec<ListAttribute>,
    name: MailboxName,
) -> Result<(), Failure> {
    let separator = Some(session.user.separator());
    session.writer.data(&Data::Lsub(ListItem {
        attributes,
        separator,
        name: Some(name),
    }));
    Ok(session.writer.relieve().await?)
}
