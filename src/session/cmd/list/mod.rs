//! LIST, basic (RFC 3501 §6.3.8) and extended (RFC 5258, RFC 5819, RFC 9590), and LSUB (RFC 3501 §6.3.9), with
//! \HasChildren (RFC 3348) and special uses (RFC 6154). Which names are listed, and with which attributes, is
//! decided in [`choice`].

mod choice;

use std::collections::HashSet;

use crate::imap::command::{List, StatusItem};
use crate::imap::name::{MailboxName, Pattern};
use crate::imap::response::{Data, ListAttribute, ListItem};
use crate::mailbox::annotations::Subject;
use crate::mailbox::fault::Fault;
use crate::mailbox::status::Answer;
use crate::session::Session;
use crate::session::cmd::list::choice::{Line, Wanted};
use crate::session::cmd::{metadata, status};
use crate::session::reply::{self, End, Failure, Reply};

/// So many mailboxes are looked at before the first of them is told.
const GROUP: usize = 64;

/// With more patterns than this, other sessions get their turn after each name.
const FEW_PATTERNS: usize = 10;

pub(crate) async fn list(session: &mut Session, list: &List) -> Result<Reply, Failure> {
    let separator = session.user.separator();
    if list.extended.is_none() && list.patterns.iter().all(Vec::is_empty) {
        let name = root(session, &list.reference)?;
        session.writer.data(&Data::List(ListItem {
            attributes: vec![ListAttribute::NoSelect],
            separator: Some(separator),
            name,
            extended: Vec::new(),
        }));
        return Ok(Reply::ok("List completed"));
    }
    let mut patterns = Vec::with_capacity(list.patterns.len());
    for pattern in &list.patterns {
        // RFC 5258 §3: "the empty string MUST be ignored for the purpose of matching."
        if !pattern.is_empty() {
            patterns.push(self::pattern(session, &list.reference, pattern)?);
        }
    }
    let wanted = Wanted::new(list.extended.as_ref());
    if wanted.status.contains(&StatusItem::HighestModSeq) {
        session.enable_condstore();
    }
    let folders = session.user.list().await?;
    let uses = session.user.special_uses(&folders);
    let use_of = |name: &MailboxName| {
        let found = uses.iter().find(|(other, _)| other == name);
        found.map(|(_, purpose)| *purpose)
    };
    let mut rows = choice::rows(folders);
    if wanted.asks_for_subscriptions() {
        let subscribed = session.user.subscriptions().await?.into_iter().collect();
        choice::subscribe(&mut rows, &subscribed, &wanted, separator, use_of);
    }
    choice::sort(&mut rows, separator);
    let mut asked_for = Vec::with_capacity(rows.len());
    for row in &rows {
        asked_for.push(patterns.iter().any(|one| one.matches(&row.folder.name)));
        if patterns.len() > FEW_PATTERNS {
            tokio::task::yield_now().await;
        }
    }
    let mut lines = choice::lines(&rows, &asked_for, &wanted, separator).into_iter();
    let mut survey = session.user.survey(status::asked(session, &wanted.status));
    loop {
        let group: Vec<Line> = lines.by_ref().take(GROUP).collect();
        if group.is_empty() {
            break;
        }
        if *session.stop.borrow() {
            return Err(End::STOP.into());
        }
        let selected = group.iter().filter(|line| line.has_status(&wanted));
        let names: Vec<MailboxName> = selected.filter_map(|line| line.item.name.clone()).collect();
        let mut answers = match names.is_empty() {
            true => Vec::new(),
            false => survey.of(&names).await?,
        }
        .into_iter();
        for line in group {
            let purpose = line.item.name.as_ref().and_then(use_of);
            let answer = match line.has_status(&wanted) {
                true => answers.next(),
                false => None,
            };
            say(session, line, purpose, answer, &wanted).await?;
        }
    }
    Ok(Reply::ok("List completed"))
}

/// The root of a reference, for `LIST reference ""` (RFC 3501 §6.3.8): its first level with the separator
/// behind it, if it has more than one level.
fn root(session: &Session, reference: &[u8]) -> Result<Option<MailboxName>, Failure> {
    let utf8 = session.is_utf8(reference)?;
    let separator = session.user.separator();
    let end = reference
        .iter()
        .position(|byte| char::from(*byte) == separator);
    Ok(end
        .and_then(|end| reference.get(..=end))
        .and_then(|root| MailboxName::from_wire(root, utf8, separator).ok()))
}

fn pattern(session: &Session, reference: &[u8], pattern: &[u8]) -> Result<Pattern, Failure> {
    let utf8 = session.is_utf8(&[reference, pattern].concat())?;
    let separator = session.user.separator();
    Ok(Pattern::new(reference, pattern, utf8, separator))
}

/// A name's LIST response, and its STATUS behind it where that is asked for. RFC 5819 §2: if the mailbox went
/// meanwhile, "the STATUS response MUST NOT be returned and the LIST response MUST include the \NoSelect
/// attribute."
///
/// The same of METADATA (RFC 9590 §3): LIST does not fail for it.
async fn say(
    session: &mut Session,
    line: Line,
    purpose: Option<ListAttribute>,
    answer: Option<Result<Answer, Fault>>,
    wanted: &Wanted,
) -> Result<(), Failure> {
    let Line { mut item, selected } = line;
    let (mut status, mut values) = (None, Vec::new());
    let name = item.name.clone().filter(|_| selected);
    if *session.stop.borrow() {
        return Err(End::STOP.into());
    }
    match answer {
        None => {}
        Some(Ok(answer)) => {
            let name = name.clone();
            status = name.map(|name| status::data(session, name, &wanted.status, &answer));
        }
        Some(Err(Fault::NonExistent(_) | Fault::Ended)) => {
            item.attributes.push(ListAttribute::NoSelect);
        }
        // "it MAY drop the corresponding STATUS reply."
        Some(Err(fault)) => reply::log(&fault, "LIST"),
    }
    let subject = name.map(Subject::Mailbox);
    if let Some(subject) = &subject
        && !wanted.metadata.is_empty()
    {
        match metadata::listed(session, subject, purpose, &wanted.metadata).await {
            Ok(found) => values = found,
            Err(Failure::Fault(Fault::NonExistent(_) | Fault::Ended)) => {}
            Err(Failure::Fault(fault)) => reply::log(&fault, "LIST"),
            Err(failure) => return Err(failure),
        }
    }
    session.writer.data(&Data::List(item));
    if let Some(status) = status {
        session.writer.data(&status);
    }
    if let Some(subject) = &subject {
        metadata::tell_values(session, subject, values).await?;
    }
    Ok(session.writer.relieve().await?)
}

/// Subscribed names, whether or not their mailboxes are there. RFC 3501 §6.3.9: where a pattern stops at a
/// parent of a subscribed name, because it ends in `%`, the parent is shown instead, as `\Noselect`.
pub(crate) async fn lsub(
    session: &mut Session,
    reference: &[u8],
    wire: &[u8],
) -> Result<Reply, Failure> {
    let pattern = pattern(session, reference, wire)?;
    let subscribed = session.user.subscriptions().await?;
    let (shown, below): (Vec<MailboxName>, Vec<MailboxName>) = subscribed
        .into_iter()
        .partition(|name| pattern.matches(name));
    let mut seen: HashSet<MailboxName> = HashSet::new();
    let uses = session.user.special_uses(&session.user.list().await?);
    for name in shown {
        if seen.insert(name.clone()) {
            let purpose = uses.iter().find(|(other, _)| *other == name);
            let attributes = purpose.map(|(_, purpose)| *purpose).into_iter().collect();
            lsub_line(session, attributes, name).await?;
        }
    }
    if wire.ends_with(b"%") {
        for parent in below.iter().flat_map(|name| pattern.matching_parents(name)) {
            if seen.insert(parent.clone()) {
                lsub_line(session, vec![ListAttribute::NoSelect], parent).await?;
            }
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
        extended: Vec::new(),
    }));
    Ok(session.writer.relieve().await?)
}
