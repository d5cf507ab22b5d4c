//! Searches with UPDATE (RFC 5267 §4.3): what comes to match, and what ceases to, is told as it happens.
//!
//! A search is kept as its key, with the UIDs that the client takes to match. Only what has changed is looked at
//! again: by the client's picture where that decides, else by the search pool. A message that is gone ceases to
//! match at once, though the client may not hear of its EXPUNGE yet; so its number is still good.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::core::Tag;
use crate::imap::fetch::FetchItem;
use crate::imap::name::MailboxName;
use crate::imap::response::{Code, Data, Esearch, Returned, StatusKind};
use crate::imap::search::SearchKey;
use crate::imap::sequence::{NumberSet, SeqNum, SequenceSet, Uid, UidValidity};
use crate::mailbox::view::Picked;
use crate::search::query::Query;
use crate::search::scan::{self, Found, Wanted};
use crate::session::cmd::fetch;
use crate::session::cmd::search::numbers;
use crate::session::reply::{self, Failure};
use crate::session::wait::Waiting;
use crate::session::{Session, State};

/// Searches followed at once in a session.
const FOLLOWED: usize = 16;

/// Octets that the key of a followed search takes, and again those that its items of new messages take.
const KEY_OCTETS: usize = 64 << 10;

/// Ranges of UIDs that the results of all of them have: they take 1 MiB.
const RANGES: usize = 1 << 17;

/// A search whose result is followed.
pub(crate) struct Followed {
    tag: Tag,
    /// Of an ESEARCH command's: its responses name it (RFC 7377 §2.1).
    mailbox: Option<(MailboxName, UidValidity)>,
    numbering: Numbering,
    charset: Option<Vec<u8>>,
    /// Without sequence numbers and `$`.
    key: SearchKey,
    /// What is to be fetched of new messages that match (RFC 5465 §7).
    items: Vec<FetchItem>,
    /// UIDs that the client takes to match.
    matching: NumberSet,
}

/// Why a search is not followed (`NO [NOUPDATE]`).
pub(crate) type Refused = &'static str;

const TOO_LONG: Refused = "The search is too long to be followed";

/// Nothing happens to a message when it grows too old for `YOUNGER`, so nobody would look at it again.
const BY_TIME: Refused = "What OLDER and YOUNGER find changes by time alone, and is not followed";

impl Followed {
    /// "An attempt to use UPDATE where a tag is already in use with a previous searching command that itself used
    /// UPDATE SHALL result in the server rejecting the searching command with a BAD response" (RFC 5267 §4.3).
    pub(crate) fn check_tag(session: &Session, tag: &Tag) -> Result<(), Failure> {
        match &session.state {
            State::Selected(_, followed) if followed.iter().any(|one| one.tag == *tag) => {
                Err(Failure::Bad("Tag reuse".into()))
            }
            _ => Ok(()),
        }
    }

    /// A search before it has run.
    pub(crate) fn new(
        session: &Session,
        tag: &Tag,
        numbering: Numbering,
        charset: Option<&[u8]>,
        key: &SearchKey,
    ) -> Result<Result<Followed, Refused>, Failure> {
        Followed::check_tag(session, tag)?;
        let State::Selected(view, followed) = &session.state else {
            return Err(Failure::Bad("No mailbox selected".into()));
        };
        if followed.len() >= FOLLOWED {
            return Ok(Err("Too many searches are followed"));
        }
        let mut freezer = Freezer {
            uids: view.all().iter().map(|one| one.message.uid).collect(),
            saved: view.saved(),
            left: KEY_OCTETS.saturating_sub(charset.map_or(0, <[u8]>::len)),
        };
        let key = match freezer.frozen(key) {
            Ok(key) => key,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(Ok(Followed {
            tag: tag.clone(),
            mailbox: None,
            numbering,
            charset: charset.map(<[u8]>::to_vec),
            key,
            items: Vec::new(),
            matching: NumberSet::new(),
        }))
    }

    /// "a client can request that FETCH attributes be returned when a new message is added to the context result set"
    /// (RFC 5465 §7).
    pub(crate) fn fetching(mut self, items: &[FetchItem]) -> Result<Followed, Refused> {
        if items.iter().map(FetchItem::octets).sum::<usize>() > KEY_OCTETS {
            return Err(TOO_LONG);
        }
        self.items = items.to_vec();
        Ok(self)
    }

    /// The same for a command that searches several mailboxes: this is the selected one.
    pub(crate) fn in_mailbox(mut self, named: (MailboxName, UidValidity)) -> Followed {
        self.mailbox = Some(named);
        self
    }

    /// Whether this is its command's tag.
    pub(crate) fn has_tag(&self, tag: &[u8]) -> bool {
        self.tag.as_str().as_bytes() == tag
    }

    /// Follows it from what was found.
    pub(crate) fn begin(
        mut self,
        session: &mut Session,
        matching: NumberSet,
    ) -> Result<(), Refused> {
        let State::Selected(_, followed) = &mut session.state else {
            return Ok(());
        };
        let kept: usize = followed.iter().map(Followed::ranges).sum();
        if kept + matching.ranges().len() > RANGES {
            return Err("The result has too many gaps to be followed");
        }
        self.matching = matching;
        followed.push(self);
        Ok(())
    }

    fn ranges(&self) -> usize {
        self.matching.ranges().len()
    }

    /// Looks again at messages of the picture, `last` being the highest number and UID in it, and gives what has
    /// come to match and what has ceased to.
    async fn look(
        &mut self,
        session: &mut Session,
        picked: Vec<Picked>,
        last: (u32, u32),
    ) -> Result<(NumberSet, NumberSet), Failure> {
        let view = session.view()?;
        let mut looked: NumberSet = picked.iter().map(|one| one.message.uid.get()).collect();
        let query = Query::compile(&self.key, self.charset.as_deref(), view.saved())
            .map_err(|unknown| Failure::No(None, unknown.to_string().into()))?;
        let mut waiting = Waiting::silently();
        let scan = scan::run(
            Arc::clone(view.mailbox()),
            picked,
            Arc::clone(view.snapshot()),
            last,
            query,
            Wanted::All,
            waiting.progress(),
        );
        let Found {
            uids, unreadable, ..
        } = waiting.wait(session, scan).await?;
        // Of a message that cannot be read nothing new is known.
        looked = looked.difference(&unreadable.into_iter().map(Uid::get).collect());
        let came = uids.difference(&self.matching);
        let failed = looked.difference(&uids);
        let went = failed.iter().filter(|uid| self.matching.contains(*uid));
        let went: NumberSet = went.collect();
        self.matching = self.matching.union(&came).difference(&went);
        Ok((came, went))
    }

    /// Its response with what has changed.
    fn response(&self, returned: Vec<Returned>) -> Data {
        Data::Esearch(Esearch {
            tag: self.tag.clone(),
            mailbox: self.mailbox.clone(),
            by_uid: self.numbering == Numbering::Uid,
            returned,
        })
    }
}

/// Tells which results are gone. "a REMOVEFROM containing message sequence numbers removed as a result of those
/// messages being expunged MUST be sent prior to the expunge notification itself" (RFC 5267 §4.3.4).
pub(crate) fn tell_gone(session: &mut Session, gone: &[(SeqNum, Uid)]) {
    let State::Selected(_, followed) = &mut session.state else {
        return;
    };
    for one in followed {
        let went = gone
            .iter()
            .filter(|(_, uid)| one.matching.contains(uid.get()));
        let uids: NumberSet = went.clone().map(|(_, uid)| uid.get()).collect();
        if uids.is_empty() {
            continue;
        }
        let told = match one.numbering {
            Numbering::Uid => uids.clone(),
            Numbering::Sequence => went.map(|(number, _)| number.0.get()).collect(),
        };
        one.matching = one.matching.difference(&uids);
        session
            .writer
            .data(&one.response(vec![Returned::RemoveFrom(told)]));
    }
}

/// Looks again at messages that are new or changed, and tells what that changes. "an ADDTO containing message
/// sequence numbers added as a result of those messages being delivered or appended MUST be sent after the EXISTS
/// notification itself" (RFC 5267 §4.3.3), and after the FETCH of those that are `new` (RFC 5465 §7).
pub(crate) async fn tell_touched(
    session: &mut Session,
    touched: &NumberSet,
    new: &NumberSet,
) -> Result<(), Failure> {
    let State::Selected(view, followed) = &mut session.state else {
        return Ok(());
    };
    if followed.is_empty() || touched.is_empty() {
        return Ok(());
    }
    // Those that are gone no longer match, though the picture still has them.
    let mut picked = view.pick_all(touched);
    picked.retain(|one| !one.gone);
    let last = (view.exists(), view.last_uid().map_or(0, Uid::get));
    let mut looked = Vec::with_capacity(followed.len());
    for mut one in std::mem::take(followed) {
        let found = one.look(session, picked.clone(), last).await;
        looked.push((one, found));
    }
    fetch_new(session, &looked, new).await?;
    let mut kept = 0;
    for (one, found) in looked {
        let told = match found {
            Ok((came, went)) => tell_one(session, &one, came, went).await,
            Err(failure) => Err(failure),
        };
        let refused = match told {
            Ok(()) if kept + one.ranges() > RANGES => Some("The result has too many gaps by now"),
            Ok(()) => None,
            Err(Failure::End(end)) => return Err(end.into()),
            Err(failure) => {
                if let Failure::Fault(fault) = failure {
                    reply::log(&fault, "UPDATE");
                }
                Some(reply::INTERNAL)
            }
        };
        match refused {
            // What cannot be told any more is said to be over; nothing else would be right for the client.
            Some(text) => {
                let code = Code::NoUpdate(one.tag);
                let writer = &mut session.writer;
                writer.status(None, StatusKind::No, Some(code), text);
            }
            None => {
                kept += one.ranges();
                if let State::Selected(_, followed) = &mut session.state {
                    followed.push(one);
                }
            }
        }
        session.writer.relieve().await?;
    }
    Ok(())
}

/// What has come to match, and what has ceased to.
type Changes = (NumberSet, NumberSet);

/// Shows the client what it wants to see of new messages that match. "Both the NOTIFY command and the SEARCH and SORT
/// commands […] can specify attributes to be returned for new messages. These attributes SHOULD be combined into a
/// single FETCH response." (RFC 5465 §5.2)
async fn fetch_new(
    session: &mut Session,
    looked: &[(Followed, Result<Changes, Failure>)],
    new: &NumberSet,
) -> Result<(), Failure> {
    let mut groups: Vec<(Vec<FetchItem>, NumberSet)> = Vec::new();
    for uid in new.iter() {
        let came = looked.iter().filter(|(one, found)| {
            let came = found.as_ref().is_ok_and(|(came, _)| came.contains(uid));
            came && !one.items.is_empty()
        });
        let mut items: Vec<FetchItem> = Vec::new();
        for item in came.flat_map(|(one, _)| &one.items) {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        if items.is_empty() {
            continue;
        }
        for item in session
            .notify
            .iter_mut()
            .flat_map(|notify| notify.owed(uid))
        {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        match groups.last_mut() {
            Some((same, uids)) if *same == items => {
                uids.insert(uid);
            }
            _ => groups.push((items, [uid].into_iter().collect())),
        }
    }
    for (items, uids) in groups {
        match fetch::push(session, items, &uids).await {
            Err(Failure::Fault(fault)) => reply::log(&fault, "UPDATE"),
            outcome => outcome?,
        }
    }
    Ok(())
}

async fn tell_one(
    session: &mut Session,
    one: &Followed,
    came: NumberSet,
    went: NumberSet,
) -> Result<(), Failure> {
    let view = session.view()?;
    if one.numbering == Numbering::Uid
        && let Some(highest) = came.last().and_then(Uid::new)
    {
        view.mailbox().durable(highest).await?;
    }
    let told = |uids: NumberSet| match one.numbering {
        Numbering::Uid => uids,
        Numbering::Sequence => numbers(view, uids.iter()).collect(),
    };
    let changes = [
        Some(told(went))
            .filter(|went| !went.is_empty())
            .map(Returned::RemoveFrom),
        Some(told(came))
            .filter(|came| !came.is_empty())
            .map(Returned::AddTo),
    ];
    let changes: Vec<Returned> = changes.into_iter().flatten().collect();
    if !changes.is_empty() {
        let response = one.response(changes);
        session.writer.data(&response);
    }
    Ok(())
}

/// Takes from a key what changes its meaning: "any message sequence numbers used in the search program are evaluated
/// at the time the command is received" (RFC 5267 §4.3), and `$` is what it is then.
struct Freezer<'v> {
    /// UIDs of the picture's messages, in order.
    uids: Vec<Uid>,
    saved: &'v NumberSet,
    /// Octets that the key may still take.
    left: usize,
}

impl Freezer<'_> {
    /// Fails where it takes too much, or asks for what changes by time alone. Recursion is as deep as the key, which the parser bounds.
    fn frozen(&mut self, key: &SearchKey) -> Result<SearchKey, Refused> {
        let mut boxed = |key: &SearchKey| self.frozen(key).map(Box::new);
        let frozen = match key {
            SearchKey::And(keys) => {
                let keys: Result<Vec<SearchKey>, Refused> =
                    keys.iter().map(|key| self.frozen(key)).collect();
                return keys.map(SearchKey::And);
            }
            SearchKey::Or(one, other) => return Ok(SearchKey::Or(boxed(one)?, boxed(other)?)),
            SearchKey::Not(key) => return Ok(SearchKey::Not(boxed(key)?)),
            SearchKey::Sequence(set) => self.named(set),
            SearchKey::Saved => {
                let octets = size_of_val(self.saved.ranges());
                self.left.checked_sub(octets).ok_or(TOO_LONG)?;
                among(self.saved)
            }
            SearchKey::Older(_) | SearchKey::Younger(_) => return Err(BY_TIME),
            other => other.clone(),
        };
        self.left = self.left.checked_sub(frozen.octets()).ok_or(TOO_LONG)?;
        Ok(frozen)
    }

    /// The messages of these numbers. Between the UIDs of two messages no message will ever have one, so a range
    /// stays one.
    fn named(&self, set: &SequenceSet) -> SearchKey {
        let count = u32::try_from(self.uids.len()).unwrap_or(u32::MAX);
        let uid = |number: u32| Some(self.uids.get(number.checked_sub(1)? as usize)?.get());
        let numbers = set.resolve(count);
        let ranges = numbers.ranges().iter();
        let ranges = ranges.filter_map(|&(from, to)| Some((uid(from)?, uid(to.min(count))?)));
        among(&NumberSet::from_ranges(ranges))
    }
}

/// The key for these UIDs.
fn among(uids: &NumberSet) -> SearchKey {
    match uids.to_sequence_set() {
        Some(set) => SearchKey::Uid(set),
        None => SearchKey::Not(Box::new(SearchKey::All)),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::imap::sequence::Bound;

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        let bound = |number| NonZeroU32::new(number).map_or(Bound::Last, Bound::Number);
        let ranges = ranges.iter().map(|&(from, to)| (bound(from), bound(to)));
        SequenceSet::new(ranges.collect()).unwrap()
    }

    #[test]
    fn numbers_become_uids() {
        let saved: NumberSet = [7, 20].into_iter().collect();
        let mut freezer = Freezer {
            uids: [3, 7, 8, 20, 21].into_iter().filter_map(Uid::new).collect(),
            saved: &saved,
            left: KEY_OCTETS,
        };
        let nothing = SearchKey::Not(Box::new(SearchKey::All));
        // 0 is `*`.
        for (numbers, expected) in [
            (
                set(&[(1, 1), (3, 4)]),
                SearchKey::Uid(set(&[(3, 3), (8, 20)])),
            ),
            (set(&[(0, 4)]), SearchKey::Uid(set(&[(20, 21)]))),
            (set(&[(4, 99)]), SearchKey::Uid(set(&[(20, 21)]))),
            (set(&[(6, 7)]), nothing.clone()),
        ] {
            let key = SearchKey::Not(Box::new(SearchKey::Sequence(numbers)));
            let expected = SearchKey::Not(Box::new(expected));
            assert_eq!(freezer.frozen(&key), Ok(expected));
        }
        let key = SearchKey::And(vec![SearchKey::Saved, SearchKey::New]);
        let uids = SearchKey::Uid(set(&[(7, 7), (20, 20)]));
        let expected = SearchKey::And(vec![uids, SearchKey::New]);
        assert_eq!(freezer.frozen(&key), Ok(expected));
        freezer.uids.clear();
        let last = SearchKey::Sequence(set(&[(0, 0)]));
        assert_eq!(freezer.frozen(&last), Ok(nothing));
        let young = SearchKey::Younger(NonZeroU32::MIN);
        let key = SearchKey::Not(Box::new(SearchKey::And(vec![young])));
        assert_eq!(freezer.frozen(&key), Err(BY_TIME));
    }

    #[test]
    fn a_key_takes_so_much() {
        let scattered: NumberSet = (1..10_000).map(|number| number * 2).collect();
        let few: NumberSet = [1, 3, 5, 7].into_iter().collect();
        for (key, saved, fits) in [
            (SearchKey::Text(vec![b'x'; 60_000]), &few, true),
            (SearchKey::Text(vec![b'x'; KEY_OCTETS]), &few, false),
            (SearchKey::Saved, &few, true),
            (SearchKey::Saved, &scattered, false),
            (SearchKey::And(vec![SearchKey::Saved; 1000]), &few, false),
            (SearchKey::And(vec![SearchKey::All; 500]), &few, true),
        ] {
            let mut freezer = Freezer {
                uids: Vec::new(),
                saved,
                left: KEY_OCTETS,
            };
            assert_eq!(freezer.frozen(&key).is_ok(), fits);
        }
    }
}
