//! ESEARCH (RFC 7377): a search in several mailboxes at once, selected or not. While one is searched, the next is
//! opened.

use std::collections::HashSet;
use std::iter::successors;
use std::sync::Arc;

use crate::imap::name::MailboxName;
use crate::imap::response::{Code, Data, Esearch, Returned};
use crate::imap::search::{SearchKey, Source};
use crate::imap::sequence::{NumberList, NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::user::User;
use crate::session::cmd::search::{
    Asked, Extent, Scope, check_charset, compile, forget_if_failed, highest_modseq, kept,
    not_followed, save,
};
use crate::session::cmd::{Share, at_once};
use crate::session::follow::Followed;
use crate::session::reply::{self, Failure, Reply};
use crate::session::wait::Waiting;
use crate::session::{Session, State};

/// So many names are looked at before others have their turn.
const NAMES_AT_ONCE: usize = 1000;

pub(crate) async fn run(
    session: &mut Session,
    asked: Asked<'_>,
    sources: &[Source],
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    check_charset(session, charset)?;
    let selected = matches!(session.state, State::Selected(..));
    let options = asked.returns.clone().unwrap_or_default();
    // RFC 7377 §2.2: each of these "MUST return a "BAD" result."
    if !selected && (options.update.is_some() || sources.contains(&Source::Selected)) {
        return Err(Failure::Bad("No mailbox selected".into()));
    }
    if options.save && sources.iter().any(|source| *source != Source::Selected) {
        return Err(Failure::Bad(
            "SAVE is for the selected mailbox alone".into(),
        ));
    }
    if asked.modseq {
        session.enable_condstore();
    }
    let result = search(session, &asked, sources, charset, key).await;
    forget_if_failed(session, &asked, &result);
    result
}

async fn search(
    session: &mut Session,
    asked: &Asked<'_>,
    sources: &[Source],
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    let options = asked.returns.clone().unwrap_or_default();
    let extent = Extent::of(&options);
    // What was saved is of the selected mailbox.
    let query = compile(key, charset, &NumberSet::new())?;
    let follows = match &options.update {
        Some(items) => {
            let search = Followed::new(session, asked.tag, asked.numbering, charset, key)?;
            Some(search.and_then(|search| search.fetching(items)))
        }
        None => None,
    };
    let mut left = Left::new(session, sources).await?;
    let mut waiting = Waiting::new(asked.tag, left.goals.len() as u64);
    let progress = waiting.progress();
    let (mut outcome, mut ours) = (Outcome::default(), None);
    // Alone, the selected mailbox is searched as by SEARCH. UIDs of several do not tell where to go on.
    let alone = sources == [Source::Selected];
    let (mut share, mut messages) = (None, 0);
    let mut opened = waiting.wait(session, left.open()).await?;
    while let Some((name, mailbox)) = opened {
        let view = session.view().ok();
        let view = view.filter(|view| Arc::ptr_eq(view.mailbox(), &mailbox));
        let (mut scope, selected) = match view {
            Some(view) => (Scope::selected(view, charset, key)?, true),
            None => (
                Scope::other(Arc::clone(&mailbox), query.clone(), key),
                false,
            ),
        };
        if alone {
            share = scope.share(session);
        }
        messages += scope.len();
        let snapshot = scope.snapshot();
        at_once(session, messages)?;
        let look = scope.look(extent, progress.part());
        let work = async { tokio::try_join!(look, left.open()) };
        let (found, next) = waiting.wait(session, work).await?;
        opened = next;
        progress.add(1);

        if !found.unreadable.is_empty() {
            outcome.failed.push(name.clone());
        }
        outcome.expunged |= found.expunged;
        let named = (name, snapshot.uid_validity);
        let uids = NumberList::from(found.uids.clone());
        if selected {
            ours = Some((named.clone(), found.uids));
        }
        // "An ESEARCH response MUST NOT be returned for mailboxes that contain no matching messages. This is true
        // even when result options such as MIN, MAX, and COUNT are specified" (RFC 7377 §2.1).
        if !uids.is_empty() && options.is_answered() {
            let highest = uids.ranges().iter().map(|range| range.1).max();
            if let Some(highest) = highest.and_then(Uid::new) {
                mailbox.durable(highest).await?;
            }
            let returned = kept(&uids, &options);
            let highest = match (asked.modseq, session.view()) {
                (false, _) => None,
                (true, Ok(view)) if selected => highest_modseq(view, &returned),
                (true, _) if !snapshot.keeps_modseqs() => None,
                (true, _) => {
                    let messages = returned.iter().filter_map(Uid::new);
                    let messages = messages.filter_map(|uid| snapshot.find(uid));
                    messages.map(|message| message.modseq).max()
                }
            };
            let mut returned = Returned::of(uids, &options);
            returned.extend(highest.map(Returned::ModSeq));
            session.writer.data(&Data::Esearch(Esearch {
                tag: asked.tag.clone(),
                mailbox: Some(named),
                by_uid: true,
                returned,
            }));
            session.writer.relieve().await?;
        }
    }
    outcome.failed.append(&mut left.failed);
    let reply = outcome.reply()?;
    // From here on it is OK, but for what cannot be saved: what is refused is neither saved nor followed.
    if let Some((_, found)) = &ours {
        save(session.view()?, &found.clone().into(), &options)?;
    }
    if let Some(follows) = follows {
        let begun = match ours {
            // What it finds is not all there is.
            _ if share.is_some() => Err("Too many messages"),
            Some((named, found)) => {
                follows.and_then(|search| search.in_mailbox(named).begin(session, found))
            }
            None => Err("The selected mailbox is not among those searched"),
        };
        if let Err(text) = begun {
            not_followed(session, asked.tag, text);
        }
    }
    Share::conclude(share, session, reply).await
}

/// What was met on the way.
#[derive(Default)]
struct Outcome {
    expunged: bool,
    /// Mailboxes of which not everything could be looked at.
    failed: Vec<MailboxName>,
}

impl Outcome {
    /// Of the mailboxes that failed so many are named.
    const NAMED: usize = 20;

    fn reply(self) -> Result<Reply, Failure> {
        if !self.failed.is_empty() {
            let named = self.failed.iter().take(Outcome::NAMED);
            let named: Vec<&str> = named.map(MailboxName::as_str).collect();
            let text = format!("Not all could be searched in: {}", named.join(", "));
            return Err(Failure::No(Some(Code::ServerBug), text.into()));
        }
        Ok(match self.expunged {
            true => Reply::with(
                Code::ExpungeIssued,
                "Search completed, some messages were already expunged",
            ),
            false => Reply::ok("Search completed"),
        })
    }
}

/// Mailboxes that are still to be searched.
struct Left {
    user: Arc<User>,
    /// In reverse order.
    goals: Vec<Goal>,
    /// The selected one, which the client sees as it was told of it.
    selected: Option<Arc<Mailbox>>,
    /// Searched already, by where they are: a link may lead to one again.
    seen: HashSet<(u64, u64)>,
    /// Those that could not be opened.
    failed: Vec<MailboxName>,
}

/// A mailbox to be searched.
struct Goal {
    name: MailboxName,
    /// The selected one, whatever its name means by now.
    mailbox: Option<Arc<Mailbox>>,
}

impl Goal {
    fn is_open(&self) -> bool {
        self.mailbox.is_some()
    }
}

impl Left {
    async fn new(session: &Session, sources: &[Source]) -> Result<Left, Failure> {
        let selected = match &session.state {
            State::Selected(view, _) => Some(Arc::clone(view.mailbox())),
            State::Authenticated => None,
        };
        let mut goals = goals(session, sources, selected.as_ref()).await?;
        goals.reverse();
        Ok(Left {
            user: Arc::clone(&session.user),
            goals,
            selected,
            seen: HashSet::new(),
            failed: Vec::new(),
        })
    }

    /// Opens the next one. What is not there is passed over: "Mailboxes matching the source options for which the
    /// logged-in user lacks sufficient rights MUST be ignored", and no other answer may show the difference.
    async fn open(&mut self) -> Result<Option<(MailboxName, Arc<Mailbox>)>, Fault> {
        while let Some(Goal { name, mailbox }) = self.goals.pop() {
            let opened = match mailbox {
                Some(mailbox) => Ok(mailbox),
                None => self.open_one(&name).await,
            };
            match opened {
                Ok(mailbox) if self.seen.insert(mailbox.identity()) => {
                    return Ok(Some((name, mailbox)));
                }
                Ok(_) | Err(Fault::NonExistent(_) | Fault::Ended | Fault::NoPermission(_)) => {}
                Err(fault) => {
                    reply::log(&fault, "ESEARCH");
                    self.failed.push(name);
                }
            }
        }
        Ok(None)
    }

    async fn open_one(&self, name: &MailboxName) -> Result<Arc<Mailbox>, Fault> {
        let mailbox = self.user.mailbox(name).await?;
        let is_selected = |selected: &Arc<Mailbox>| Arc::ptr_eq(selected, &mailbox);
        if !self.selected.as_ref().is_some_and(is_selected) {
            mailbox.refresh().await?;
        }
        Ok(mailbox)
    }
}

/// The mailboxes that the sources mean, each name once: first those that are named one by one, then of all the account
/// has those that are meant.
async fn goals(
    session: &Session,
    sources: &[Source],
    selected: Option<&Arc<Mailbox>>,
) -> Result<Vec<Goal>, Failure> {
    let (mut goals, mut seen) = (Vec::new(), HashSet::new());
    let (mut meant, mut subscribed) = (Meant::default(), false);
    for source in sources {
        match source {
            // Any mailbox may be delivered to: "If the IMAP server cannot easily compute this set, it MUST treat
            // "inboxes" as equivalent to "personal"" (RFC 5465 §6.3).
            Source::Inboxes | Source::Personal => meant.all = true,
            Source::Subscribed => subscribed = true,
            Source::Selected => {
                if let Some(mailbox) = selected
                    && !goals.iter().any(Goal::is_open)
                    && let Some(name) = session.user.name_of(mailbox).await
                {
                    let mailbox = Some(Arc::clone(mailbox));
                    goals.push(Goal { name, mailbox });
                }
            }
            Source::Mailboxes(wire) => {
                for wire in wire {
                    let name = session.name(wire).await?;
                    if seen.insert(name.clone()) {
                        let mailbox = None;
                        goals.push(Goal { name, mailbox });
                    }
                }
            }
            Source::Subtree(wire) => {
                for wire in wire {
                    match root(session, wire).await? {
                        None => meant.all = true,
                        Some(root) => _ = meant.trees.insert(root),
                    }
                }
            }
            Source::SubtreeOne(wire) => {
                for wire in wire {
                    let root = root(session, wire).await?;
                    meant.names.extend(root.clone());
                    meant.levels.insert(root);
                }
            }
        }
    }
    if subscribed && !meant.all {
        meant.names.extend(session.user.subscriptions().await?);
    }
    if meant.is_nothing() {
        return Ok(goals);
    }
    let separator = session.user.separator();
    let mut folders = session.user.list().await?;
    folders.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    for (at, folder) in folders.into_iter().enumerate() {
        if at % NAMES_AT_ONCE == NAMES_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let name = folder.name;
        if folder.selectable && meant.has(&name, separator) && !seen.contains(&name) {
            let mailbox = None;
            goals.push(Goal { name, mailbox });
        }
    }
    Ok(goals)
}

/// Where a subtree begins; `None` is above all mailboxes, the empty name.
async fn root(session: &Session, wire: &[u8]) -> Result<Option<MailboxName>, Failure> {
    Ok(match wire {
        b"" => None,
        wire => Some(session.name(wire).await?),
    })
}

/// What is meant of all that the account has.
#[derive(Default)]
struct Meant {
    all: bool,
    names: HashSet<MailboxName>,
    /// Each with all that is below it.
    trees: HashSet<MailboxName>,
    /// Of each what is right below it; `None`: the first level.
    levels: HashSet<Option<MailboxName>>,
}

impl Meant {
    fn is_nothing(&self) -> bool {
        !self.all && self.names.is_empty() && self.trees.is_empty() && self.levels.is_empty()
    }

    fn has(&self, name: &MailboxName, separator: char) -> bool {
        let parent = name.parent(separator);
        self.all
            || self.names.contains(name)
            || self.trees.contains(name)
            || self.levels.contains(&parent)
            || successors(parent, |name| name.parent(separator))
                .any(|one| self.trees.contains(&one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant() {
        let name = |text: &str| MailboxName::from_utf8(text, '.').unwrap();
        let all = ["INBOX", "a", "a.b", "a.b.c", "ab", "d.e.f"];
        let meant = |trees: &[&str], levels: &[&str]| {
            let level = |text: &&str| (!text.is_empty()).then(|| name(text));
            let meant = Meant {
                trees: trees.iter().map(|text| name(text)).collect(),
                names: levels.iter().filter_map(level).collect(),
                levels: levels.iter().map(level).collect(),
                all: false,
            };
            let mut found = all.to_vec();
            found.retain(|text| meant.has(&name(text), '.'));
            found
        };
        assert_eq!(meant(&["a"], &[]), ["a", "a.b", "a.b.c"]);
        assert_eq!(meant(&["a.b", "d"], &[]), ["a.b", "a.b.c", "d.e.f"]);
        assert_eq!(meant(&[], &["a"]), ["a", "a.b"]);
        assert_eq!(meant(&[], &["", "d.e"]), ["INBOX", "a", "ab", "d.e.f"]);
        assert!(meant(&[], &[]).is_empty() && Meant::default().is_nothing());
    }
}
