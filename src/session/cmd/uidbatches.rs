//! UIDBATCHES (RFC 10022): the mailbox in ranges of UIDs that hold so many messages each, the newest first.

use crate::imap::core::Tag;
use crate::imap::response::{Code, Data};
use crate::imap::sequence::Uid;
use crate::mailbox::view::View;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// Fewest messages of a batch. A server must take 500.
const SMALLEST: u32 = 500;

/// Different questions about one selected mailbox that are kept in mind: as many as the smallest batches of 100,000
/// messages, asked for one by one. Of more the oldest are forgotten.
const KEPT: usize = 200;

/// What was asked, and what the mailbox had then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batched {
    asked: (u32, Option<(u32, u32)>),
    messages: usize,
    last: u32,
}

/// `batches` are the first and the last that are wanted, counted from 1; `None`: all.
pub(crate) async fn run(
    session: &mut Session,
    tag: &Tag,
    size: u32,
    batches: Option<(u32, u32)>,
) -> Result<Reply, Failure> {
    if batches.is_some_and(|(first, last)| first > last) {
        let text = "The first batch comes after the last";
        return Err(Failure::bad(Code::ClientBug, text));
    }
    let uids = uids(session.view()?);
    if size < SMALLEST {
        let text = format!("Batches have {SMALLEST} messages at the least");
        return Err(Failure::No(Some(Code::TooFew), text.into()));
    }
    let now = Batched {
        asked: (size, batches),
        messages: uids.len(),
        last: uids.last().copied().unwrap_or_default(),
    };
    let mut known = session.batched.iter_mut();
    match known.find(|was| was.asked == now.asked) {
        Some(was) if !changed(was, &uids) => {
            let text = "Little has changed since that was asked";
            return Err(Failure::No(Some(Code::Limit), text.into()));
        }
        Some(was) => *was = now,
        None => {
            if session.batched.len() >= KEPT {
                session.batched.pop_front();
            }
            session.batched.push_back(now);
        }
    }
    if let Some(highest) = Uid::new(now.last) {
        session.view()?.mailbox().durable(highest).await?;
    }
    let ranges = ranges(&uids, size, batches);
    session.writer.data(&Data::UidBatches(tag.clone(), ranges));
    Ok(Reply::ok("Uidbatches completed"))
}

/// What the client knows of, rising.
fn uids(view: &View) -> Vec<u32> {
    view.all()
        .iter()
        .map(|picked| picked.message.uid.get())
        .collect()
}

/// Whether half a batch came or went: before that a client "should not" ask again.
fn changed(was: &Batched, uids: &[u32]) -> bool {
    let came = uids.iter().rev().take_while(|uid| **uid > was.last).count();
    let stayed = uids.len().saturating_sub(came);
    let went = was.messages.saturating_sub(stayed);
    let batch = usize::try_from(was.asked.0).unwrap_or(usize::MAX);
    came.saturating_add(went).saturating_mul(2) >= batch
}

/// The higher end of each range first. Nothing is between them, and the last one ends in 1.
fn ranges(uids: &[u32], size: u32, batches: Option<(u32, u32)>) -> Vec<(u32, u32)> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let wanted = |number: usize| {
        batches.is_none_or(|(first, last)| {
            u32::try_from(number).is_ok_and(|number| (first..=last).contains(&number))
        })
    };
    let mut ranges = Vec::new();
    let Some(mut high) = uids.last().copied() else {
        return ranges;
    };
    let (mut left, mut number) = (uids, 1);
    while !left.is_empty() {
        let (older, batch) = left.split_at(left.len().saturating_sub(size));
        let low = match (older.is_empty(), batch.first()) {
            (false, Some(lowest)) => *lowest,
            _ => 1,
        };
        if wanted(number) {
            ranges.push((high, low));
        }
        high = low.saturating_sub(1);
        left = older;
        number += 1;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_first_without_gaps() {
        let uids: Vec<u32> = (1..=10).map(|n| n * 10).collect();
        let all = [(100, 80), (79, 50), (49, 20), (19, 1)];
        assert_eq!(ranges(&uids, 3, None), all);
        assert_eq!(ranges(&uids, 3, Some((2, 3))), all[1..3]);
        assert_eq!(ranges(&uids, 3, Some((4, 9))), all[3..]);
        assert_eq!(ranges(&uids, 3, Some((5, 9))), []);
        assert_eq!(ranges(&uids, 10, None), [(100, 1)]);
        assert_eq!(ranges(&uids, u32::MAX, None), [(100, 1)]);
        assert_eq!(ranges(&uids, 5, None), [(100, 60), (59, 1)]);
        assert_eq!(ranges(&[], 3, None), []);
        assert_eq!(ranges(&[1], 3, None), [(1, 1)]);
    }

    #[test]
    fn what_is_much_of_a_change() {
        let was = Batched {
            asked: (4, None),
            messages: 5,
            last: 50,
        };
        for (uids, much) in [
            (&[10, 20, 30, 40, 50][..], false),
            (&[20, 30, 40, 50], false),
            (&[30, 40, 50], true),
            (&[10, 20, 30, 40, 50, 60], false),
            (&[10, 20, 30, 40, 50, 60, 70], true),
            (&[20, 30, 40, 50, 60], true),
            (&[], true),
        ] {
            assert_eq!(changed(&was, uids), much, "{uids:?}");
        }
    }
}
