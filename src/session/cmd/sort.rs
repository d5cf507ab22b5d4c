//! SORT and THREAD (RFC 5256, RFC 5957, RFC 5267 §3): what [`crate::search`] finds, in an order asked for.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::core::Tag;
use crate::imap::response::{Data, ThreadItem};
use crate::imap::search::{SearchKey, SortCriterion, ThreadAlgorithm};
use crate::imap::sequence::{NumberList, Uid};
use crate::mailbox::snapshot::Message;
use crate::mailbox::view::View;
use crate::search::rank::{self, Ranked};
use crate::search::scan::Found;
use crate::search::thread::Forest;
use crate::session::Session;
use crate::session::cmd::search::{
    Asked, answer, ended, find, forget_if_failed, highest_modseq, not_followed, spoken,
};
use crate::session::follow::Followed;
use crate::session::reply::{Failure, Reply};
use crate::session::wait::Waiting;

pub(crate) async fn sort(
    session: &mut Session,
    asked: Asked<'_>,
    criteria: Vec<SortCriterion>,
    charset: &[u8],
    key: &SearchKey,
) -> Result<Reply, Failure> {
    let returns = asked.returns.as_ref();
    if returns.is_some_and(|options| options.update.is_some()) {
        // For BAD where the tag is that of a search already followed. This one will not be.
        Followed::check_tag(session, asked.tag)?;
    }
    if asked.modseq {
        session.need_modseqs().await?;
    }
    let result = sorted(session, &asked, criteria, charset, key).await;
    forget_if_failed(session, &asked, &result);
    result
}

async fn sorted(
    session: &mut Session,
    asked: &Asked<'_>,
    criteria: Vec<SortCriterion>,
    charset: &[u8],
    key: &SearchKey,
) -> Result<Reply, Failure> {
    let (mut waiting, found, messages) = found(session, asked.tag, charset, key).await?;
    let mailbox = Arc::clone(session.view()?.mailbox());
    let sorting = rank::sort(mailbox, messages, criteria, waiting.progress());
    let ranked = waiting.wait(session, sorting).await?;
    let uids: NumberList = ranked.uids.iter().map(|uid| uid.get()).collect();
    match &asked.returns {
        None => {
            let view = session.view()?;
            let highest = highest_modseq(view, &uids.iter().collect()).filter(|_| asked.modseq);
            let numbers = spoken(view, asked.numbering, uids).await?;
            let numbers = numbers.iter().collect();
            session.writer.data(&Data::Sort(numbers, highest));
        }
        Some(options) => {
            answer(session, asked, uids).await?;
            if options.update.is_some() {
                not_followed(session, asked.tag, "Sorted results are not followed");
            }
        }
    }
    end(session, "Sort", found, ranked).await
}

pub(crate) async fn thread(
    session: &mut Session,
    tag: &Tag,
    numbering: Numbering,
    algorithm: ThreadAlgorithm,
    charset: &[u8],
    key: &SearchKey,
) -> Result<Reply, Failure> {
    if key.names_modseq() {
        session.need_modseqs().await?;
    }
    let (mut waiting, found, messages) = found(session, tag, charset, key).await?;
    let mailbox = Arc::clone(session.view()?.mailbox());
    let threading = rank::thread(mailbox, messages, algorithm, waiting.progress());
    let ranked = waiting.wait(session, threading).await?;
    let numbers = numbers(session.view()?, numbering, &ranked).await?;
    let items = written(&ranked.forest, &numbers);
    session.writer.data(&Data::Thread(items));
    end(session, "Thread", found, ranked).await
}

/// The messages that match, in the mailbox's order. What is put in order is not done by shares.
async fn found(
    session: &mut Session,
    tag: &Tag,
    charset: &[u8],
    key: &SearchKey,
) -> Result<(Waiting, Found, Vec<Arc<Message>>), Failure> {
    // Each message is looked at twice at the most: whether it matches, and where it belongs.
    let mut waiting = Waiting::new(tag, 2 * u64::from(session.view()?.exists()));
    let found = find(session, &mut waiting, Some(charset), key).await?;
    let view = session.view()?;
    let messages = view
        .all()
        .into_iter()
        .map(|picked| picked.message)
        .filter(|message| found.uids.contains(message.uid.get()))
        .collect();
    Ok((waiting, found, messages))
}

/// The end, with what the search and the ordering have met.
async fn end(
    session: &mut Session,
    name: &str,
    found: Found,
    ranked: Ranked,
) -> Result<Reply, Failure> {
    let unreadable = [found.unreadable, ranked.unreadable].concat();
    let expunged = found.expunged || ranked.expunged;
    ended(session.view()?, name, expunged, &unreadable).await
}

/// UIDs or sequence numbers, as the client wants them.
async fn numbers(
    view: &View,
    numbering: Numbering,
    ranked: &Ranked,
) -> Result<Vec<Option<u32>>, Failure> {
    if numbering == Numbering::Uid {
        if let Some(highest) = ranked.uids.iter().max() {
            view.mailbox().durable(*highest).await?;
        }
        return Ok(ranked.uids.iter().map(|uid| Some(uid.get())).collect());
    }
    let number = |uid: &Uid| Some(view.number(*uid)?.0.get());
    Ok(ranked.uids.iter().map(number).collect())
}

/// The threads as they are written (RFC 5256 §4): a parent before its only child, several children each in
/// parentheses.
fn written(forest: &Forest, numbers: &[Option<u32>]) -> Vec<ThreadItem> {
    enum Step {
        Node(usize),
        Close,
    }
    let mut items = Vec::new();
    let mut steps = Vec::new();
    for root in &forest.roots {
        items.push(ThreadItem::Open);
        steps.extend([Step::Close, Step::Node(*root)]);
        while let Some(step) = steps.pop() {
            let Step::Node(at) = step else {
                items.push(ThreadItem::Close);
                // What was closed may have siblings.
                if let Some(Step::Node(_)) = steps.last() {
                    items.push(ThreadItem::Open);
                }
                continue;
            };
            let Some(node) = forest.nodes.get(at) else {
                continue;
            };
            let number = node.message.and_then(|message| *numbers.get(message)?);
            items.extend(number.map(ThreadItem::Number));
            match node.children.as_slice() {
                [] => {}
                [only] => steps.push(Step::Node(*only)),
                [_, ..] => {
                    for child in node.children.iter().rev() {
                        steps.extend([Step::Close, Step::Node(*child)]);
                    }
                    items.push(ThreadItem::Open);
                }
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::thread::Node;

    #[test]
    fn the_example_of_rfc_5256() {
        let node = |message: usize, children: &[usize]| Node {
            message: Some(message),
            children: children.to_vec(),
        };
        // 2, 3, 6, 4, 23, 44, 7, 96, and a parent of 4 and 44 that is not there.
        let numbers = [2, 3, 6, 4, 23, 44, 7, 96].map(Some);
        let dummy = Node {
            message: None,
            children: vec![3, 5],
        };
        let nodes = vec![
            node(0, &[]),
            node(1, &[2]),
            node(2, &[3, 5]),
            node(3, &[4]),
            node(4, &[]),
            node(5, &[6]),
            node(6, &[7]),
            node(7, &[]),
            dummy,
        ];
        for (roots, expected) in [
            (vec![0, 1], "* THREAD (2)(3 6 (4 23)(44 7 96))\r\n"),
            (vec![8], "* THREAD ((4 23)(44 7 96))\r\n"),
            (vec![], "* THREAD\r\n"),
        ] {
            let forest = Forest {
                nodes: nodes.clone(),
                roots,
            };
            let mut out = Vec::new();
            let data = Data::Thread(written(&forest, &numbers));
            crate::imap::encode::data(&mut out, &data, crate::imap::encode::NameForm::Utf8);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
