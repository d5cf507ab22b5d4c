//! ESEARCH (RFC 7377): a search in several mailboxes at once, selected or not. While one is searched, the next is
//! opened.

use std::collections::HashSet;
use std::sync::Arc;

use crate::imap::name::MailboxName;
use crate::imap::response::{Code, Data, Esearch, Returned};
use crate::imap::search::{SearchKey, Source};
use crate::imap::sequence::{NumberList, NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::user::User;
use crate::session::cmd::search::{
    Asked, Extent, Scope, check_charset, compile, forget_if_failed, not_followed, save,
};
use crate::session::follow::Followed;
use crate::session::reply::{self, Failure, Reply};
use crate::session::wait::Waiting;
use crate::session::{Session, State};

pub(crate) async fn run(
    session: &mut Session,
    asked: Asked<'_>,
    sources: &[Source],
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    check_charset(session, charset)?;
    let selected = matches!(session.state, State::Selected(..));
    let options = asked.returns.unwrap_or_default();
    // RFC 7377 §2.2: each of these "MUST return a "BAD" result."
    if !selected && (options.update || sources.contains(&Source::Selected)) {
        return Err(Failure::Bad("No mailbox selected".into()));
    }
    if options.save && sources.iter().any(|source| *source != Source::Selected) {
        return Err(Failure::Bad(
            "SAVE is for the selected mailbox alone".into(),
        ));
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
    let options = asked.returns.unwrap_or_default();
    let extent = Extent::of(&options);
    // What was saved is of the selected mailbox.
    let query = compile(key, charset, &NumberSet::new())?;
    let mut follows = match options.update {
        true => Some(Followed::new(
            session,
            asked.tag,
            asked.numbering,
            charset,
            key,
        )?),
        false => None,
    };
    let mut left = Left::new(session, sources).await?;
    let mut waiting = Waiting::new(asked.tag, left.names.len() as u64);
    let progress = waiting.progress();
    let mut outcome = Outcome::default();
    let mut opened = waiting.wait(session, left.open()).await?;
    while let Some((name, mailbox)) = opened {
        let view = session.view().ok();
        let view = view.filter(|view| Arc::ptr_eq(view.mailbox(), &mailbox));
        let (scope, selected) = match view {
            Some(view) => (Scope::selected(view, charset, key)?, true),
            None => (Scope::other(Arc::clone(&mailbox), query.clone()), false),
        };
        let look = scope.look(extent, progress.part());
        let work = async { tokio::try_join!(look, left.open()) };
        let (found, next) = waiting.wait(session, work).await?;
        opened = next;
        progress.add(1);

        if !found.unreadable.is_empty() {
            outcome.failed.push(name.clone());
        }
        outcome.expunged |= found.expunged;
        let uids = NumberList::from(found.uids.clone());
        if selected {
            save(session.view()?, &uids, &options)?;
            if let Some(follows) = follows.take()
                && found.unreadable.is_empty()
                && let Err(text) = follows.and_then(|search| search.begin(session, found.uids))
            {
                not_followed(session, asked.tag, text);
            }
        }
        // "An ESEARCH response MUST NOT be returned for mailboxes that contain no matching messages. This is true
        // even when result options such as MIN, MAX, and COUNT are specified" (RFC 7377 §2.1).
        if !uids.is_empty() && options.is_answered() {
            let highest = uids.ranges().iter().map(|range| range.1).max();
            if let Some(highest) = highest.and_then(Uid::new) {
                mailbox.durable(highest).await?;
            }
            session.writer.data(&Data::Esearch(Esearch {
                tag: asked.tag.clone(),
                mailbox: Some((name, mailbox.snapshot().uid_validity)),
                by_uid: true,
                returned: Returned::of(uids, &options),
            }));
            session.writer.relieve().await?;
        }
    }
    outcome.failed.append(&mut left.failed);
    outcome.reply()
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
    names: Vec<MailboxName>,
    /// The selected one, which the client sees as it was told of it.
    selected: Option<Arc<Mailbox>>,
    /// Searched already, by where they are: a link may lead to one again.
    seen: HashSet<(u64, u64)>,
    /// Those that could not be opened.
    failed: Vec<MailboxName>,
}

impl Left {
    async fn new(session: &Session, sources: &[Source]) -> Result<Left, Failure> {
        let selected = match &session.state {
            State::Selected(view, _) => Some(Arc::clone(view.mailbox())),
            State::Authenticated => None,
        };
        let mut names = names(session, sources, selected.as_ref()).await?;
        names.reverse();
        Ok(Left {
            user: Arc::clone(&session.user),
            names,
            selected,
            seen: HashSet::new(),
            failed: Vec::new(),
        })
    }

    /// Opens the next one. What is not there is passed over: "Mailboxes matching the source options for which the
    /// logged-in user lacks sufficient rights MUST be ignored", and no other answer may show the difference.
    async fn open(&mut self) -> Result<Option<(MailboxName, Arc<Mailbox>)>, Fault> {
        while let Some(name) = self.names.pop() {
            match self.open_one(&name).await {
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

/// The mailboxes that the sources mean, each once, in the order they are named.
async fn names(
    session: &Session,
    sources: &[Source],
    selected: Option<&Arc<Mailbox>>,
) -> Result<Vec<MailboxName>, Failure> {
    let separator = session.user.separator();
    let mut folders = Vec::new();
    if sources.iter().any(|source| *source != Source::Selected) {
        folders = session.user.list().await?;
        folders.retain(|folder| folder.selectable);
        folders.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    }
    let all = || folders.iter().map(|folder| folder.name.clone());
    let mut names = Vec::new();
    for source in sources {
        match source {
            // Any mailbox may be delivered to: "If the IMAP server cannot easily compute this set, it MUST treat
            // "inboxes" as equivalent to "personal"" (RFC 5465 §6.3).
            Source::Inboxes | Source::Personal => names.extend(all()),
            Source::Subscribed => {
                let subscribed = session.user.subscriptions().await?;
                names.extend(all().filter(|name| subscribed.contains(name)));
            }
            Source::Selected => {
                if let Some(mailbox) = selected {
                    names.extend(session.user.name_of(mailbox).await);
                }
            }
            Source::Mailboxes(wire) => {
                for wire in wire {
                    names.push(session.name(wire).await?);
                }
            }
            Source::Subtree(wire) | Source::SubtreeOne(wire) => {
                let one_level = matches!(source, Source::SubtreeOne(_));
                for wire in wire {
                    let root = Root::new(session, wire).await?;
                    names.extend(all().filter(|name| root.has(name, separator, one_level)));
                }
            }
        }
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

/// Where a subtree begins.
enum Root {
    /// Above all mailboxes: the empty name.
    Top,
    Mailbox(MailboxName),
}

impl Root {
    async fn new(session: &Session, wire: &[u8]) -> Result<Root, Failure> {
        Ok(match wire {
            b"" => Root::Top,
            wire => Root::Mailbox(session.name(wire).await?),
        })
    }

    /// Whether a mailbox is in the subtree, or in its first level.
    fn has(&self, name: &MailboxName, separator: char, one_level: bool) -> bool {
        let parent = || name.parent(separator);
        match self {
            Root::Top => !one_level || parent().is_none(),
            Root::Mailbox(root) if name == root => true,
            Root::Mailbox(root) if one_level => parent().as_ref() == Some(root),
            Root::Mailbox(root) => name.is_below(root, separator),
        }
    }
}
