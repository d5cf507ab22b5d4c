//! SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 9394): what [`crate::search`] finds, in this client's numbers.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::core::Tag;
use crate::imap::response::{Code, Data, Esearch, Returned, StatusKind};
use crate::imap::search::{ReturnOptions, SearchKey};
use crate::imap::sequence::{ModSeq, NumberList, NumberSet, SeqNum, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::{NotSaved, Picked, View};
use crate::search::CHARSETS;
use crate::search::pool::Progress;
use crate::search::query::Query;
use crate::search::scan::{self, Found, Wanted};
use crate::session::cmd::{Share, at_once, unreadable};
use crate::session::follow::Followed;
use crate::session::reply::{Failure, Reply};
use crate::session::wait::Waiting;
use crate::session::{Session, State};

/// How the client wants to hear of what is found.
pub(crate) struct Asked<'t> {
    /// The command's, for ESEARCH to repeat.
    pub(crate) tag: &'t Tag,
    pub(crate) numbering: Numbering,
    /// `None`: by a SEARCH response.
    pub(crate) returns: Option<ReturnOptions>,
    /// The key names mod-sequences, and so does the answer (RFC 7162 §3.1.5).
    pub(crate) modseq: bool,
}

impl<'t> Asked<'t> {
    /// With what the key itself asks for.
    pub(crate) fn new(
        tag: &'t Tag,
        numbering: Numbering,
        returns: Option<ReturnOptions>,
        key: &SearchKey,
    ) -> Asked<'t> {
        Asked {
            tag,
            numbering,
            returns,
            modseq: key.names_modseq(),
        }
    }
}

pub(crate) async fn run(
    session: &mut Session,
    mut asked: Asked<'_>,
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    check_charset(session, charset)?;
    if asked.modseq {
        session.need_modseqs().await?;
    }
    if session.enabled.rev2 {
        // RFC 9051, Appendix E: "SEARCH command now requires to return the ESEARCH response".
        asked.returns.get_or_insert(ReturnOptions::ALL);
    }
    let result = search(session, &asked, charset, key).await;
    forget_if_failed(session, &asked, &result);
    result
}

/// After ENABLE UTF8=ACCEPT strings are UTF-8.
pub(crate) fn check_charset(session: &Session, charset: Option<&[u8]>) -> Result<(), Failure> {
    if session.enabled.utf8 && charset.is_some() {
        // RFC 9755 §3: "it SHOULD reject the command with a BAD response (due to the conflicting charset labels)."
        return Err(Failure::Bad("No CHARSET after ENABLE UTF8=ACCEPT".into()));
    }
    Ok(())
}

/// "A SEARCH command with the SAVE result option that caused the server to return the NO tagged response sets the
/// value of the search result variable to the empty sequence" (RFC 5182 §2.1); BAD changes nothing.
pub(crate) fn forget_if_failed(
    session: &mut Session,
    asked: &Asked<'_>,
    result: &Result<Reply, Failure>,
) {
    if asked.returns.as_ref().is_some_and(|options| options.save)
        && let Err(Failure::No(..) | Failure::Fault(_)) = result
        && let State::Selected(view, _) = &mut session.state
    {
        view.forget_saved();
    }
}

async fn search(
    session: &mut Session,
    asked: &Asked<'_>,
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    let &Asked {
        tag,
        numbering,
        ref returns,
        modseq,
    } = asked;
    let follows = match returns {
        Some(ReturnOptions {
            update: Some(items),
            ..
        }) => {
            let search = Followed::new(session, tag, numbering, charset, key)?;
            Some(search.and_then(|search| search.fetching(items)))
        }
        _ => None,
    };
    let extent = returns.as_ref().map_or(Extent::ALL, Extent::of);
    let mut waiting = Waiting::new(tag, u64::from(session.view()?.exists()));
    let mut scope = Scope::selected(session.view()?, charset, key)?;
    let share = scope.share(session);
    let look = scope.look(extent, waiting.progress());
    let found = waiting.wait(session, look).await?;
    match returns {
        None => {
            let view = session.view()?;
            let highest = highest_modseq(view, &found.uids).filter(|_| modseq);
            let numbers = spoken(view, numbering, found.uids.clone().into()).await?;
            let numbers = numbers.iter().collect();
            session.writer.data(&Data::Search(numbers, highest));
        }
        Some(_) => answer(session, asked, found.uids.clone().into()).await?,
    }
    if found.unreadable.is_empty()
        && let Some(follows) = follows
        && let Err(text) = match share {
            // What it finds is not all there is.
            Some(_) => Err("Too many messages"),
            None => follows.and_then(|search| search.begin(session, found.uids)),
        }
    {
        not_followed(session, tag, text);
    }
    let reply = ended(session.view()?, "Search", found.expunged, &found.unreadable).await?;
    Share::conclude(share, session, reply).await
}

/// Says and keeps what RETURN asks for of what was found: UIDs in the order asked for.
pub(crate) async fn answer(
    session: &mut Session,
    asked: &Asked<'_>,
    found: NumberList,
) -> Result<(), Failure> {
    let Some(options) = &asked.returns else {
        return Ok(());
    };
    let view = session.view()?;
    let numbers = spoken(view, asked.numbering, found.clone()).await?;
    save(view, &found, options)?;
    if options.is_answered() {
        let mut returned = Returned::of(numbers, options);
        if asked.modseq {
            let highest = highest_modseq(view, &kept(&found, options));
            returned.extend(highest.map(Returned::ModSeq));
        }
        session.writer.data(&Data::Esearch(Esearch {
            tag: asked.tag.clone(),
            mailbox: None,
            by_uid: asked.numbering == Numbering::Uid,
            returned,
        }));
    }
    Ok(())
}

/// Keeps what SAVE asks for.
pub(crate) fn save(
    view: &mut View,
    found: &NumberList,
    options: &ReturnOptions,
) -> Result<(), Failure> {
    if !options.save {
        return Ok(());
    }
    view.save(kept(found, options)).map_err(|NotSaved| {
        let text = "The result has too many gaps to be saved";
        Failure::No(Some(Code::NotSaved), text.into())
    })
}

/// "an untagged NO is generated during processing of the command with a response-code of NOUPDATE. […] Other return
/// options specified SHALL still be honoured" (RFC 5267 §4.3.1).
pub(crate) fn not_followed(session: &mut Session, tag: &Tag, text: &str) {
    let code = Code::NoUpdate(tag.clone());
    session
        .writer
        .status(None, StatusKind::No, Some(code), text);
}

/// The highest mod-sequence of these messages, if there are any and the client is told of them.
pub(crate) fn highest_modseq(view: &View, uids: &NumberSet) -> Option<ModSeq> {
    if !view.tells_modseqs() {
        return None;
    }
    let messages = view.pick_all(uids);
    messages.iter().map(|one| one.message.modseq).max()
}

/// What SAVE keeps of what was found (RFC 5182 §2.4, RFC 9394 §3.2), and what MODSEQ is of (RFC 4731 §3.2).
pub(crate) fn kept(found: &NumberList, options: &ReturnOptions) -> NumberSet {
    if options.needs_all() {
        return found.iter().collect();
    }
    let min = found.first().filter(|_| options.min);
    let max = found.last().filter(|_| options.max);
    let partial = options.partial.map(|range| found.at(range.of(found.len())));
    let partial = partial.iter().flat_map(NumberList::iter);
    min.into_iter().chain(max).chain(partial).collect()
}

/// UIDs as the client wants to hear of them, when they may be spoken.
pub(crate) async fn spoken(
    view: &View,
    numbering: Numbering,
    uids: NumberList,
) -> Result<NumberList, Failure> {
    if numbering == Numbering::Sequence {
        return Ok(numbers(view, uids.iter()).collect());
    }
    let ends = uids.ranges().iter().map(|range| range.1);
    if let Some(highest) = ends.max().and_then(Uid::new) {
        view.mailbox().durable(highest).await?;
    }
    Ok(uids)
}

/// What a command that looked at messages ends with.
pub(crate) async fn ended(
    view: &View,
    name: &str,
    expunged: bool,
    unread: &[Uid],
) -> Result<Reply, Failure> {
    if let Some(highest) = unread.iter().max() {
        view.mailbox().durable(*highest).await?;
        return Err(unreadable(unread));
    }
    Ok(if expunged {
        let text = format!("{name} completed, some messages were already expunged");
        Reply::with(Code::ExpungeIssued, text)
    } else {
        Reply::ok(format!("{name} completed"))
    })
}

/// How much of what matches is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, or an end.
    Wanted(Wanted),
    /// So many from the first, or from the last.
    Results { from_last: bool, count: usize },
}

impl Extent {
    pub(crate) const ALL: Extent = Extent::Wanted(Wanted::All);

    /// What it takes to return these options' results.
    pub(crate) fn of(options: &ReturnOptions) -> Extent {
        match (options.partial, options.min, options.max) {
            _ if options.needs_all() || options.update.is_some() => Extent::ALL,
            (None, true, true) => Extent::Wanted(Wanted::Ends),
            (None, true, false) => Extent::Wanted(Wanted::First),
            (None, false, _) => Extent::Wanted(Wanted::Last),
            (Some(range), min, max) => match (range.from_last, min, max) {
                (false, _, false) | (true, false, _) => Extent::Results {
                    from_last: range.from_last,
                    count: range.reach(),
                },
                _ => Extent::ALL,
            },
        }
    }
}

/// Messages looked at first where so many results are enough; twice as many each time they were not.
const FIRST_LOOK: usize = 512;

/// What is searched, and for what.
pub(crate) struct Scope {
    mailbox: Arc<Mailbox>,
    snapshot: Arc<Snapshot>,
    messages: Vec<Picked>,
    /// The highest sequence number and UID.
    last: (u32, u32),
    query: Query,
}

impl Scope {
    /// The selected mailbox, as its client sees it.
    pub(crate) fn selected(
        view: &View,
        charset: Option<&[u8]>,
        key: &SearchKey,
    ) -> Result<Scope, Failure> {
        let mut scope = Scope {
            mailbox: Arc::clone(view.mailbox()),
            snapshot: Arc::clone(view.snapshot()),
            messages: view.all(),
            last: (view.exists(), view.last_uid().map_or(0, Uid::get)),
            query: compile(key, charset, view.saved())?,
        };
        scope.narrow(view.saved(), key);
        Ok(scope)
    }

    /// Leaves out messages that the key's sets rule out, so that they do not count against a limit and a client that
    /// goes on below a UID gets on.
    fn narrow(&mut self, saved: &NumberSet, key: &SearchKey) {
        match key {
            SearchKey::And(keys) => keys.iter().for_each(|key| self.narrow(saved, key)),
            SearchKey::Uid(set) => {
                let uids = set.resolve(self.last.1);
                let is_in = |picked: &Picked| uids.contains(picked.message.uid.get());
                self.messages.retain(is_in);
            }
            SearchKey::Sequence(set) => {
                let numbers = set.resolve(self.last.0);
                let is_in = |picked: &Picked| numbers.contains(picked.number.0.get());
                self.messages.retain(is_in);
            }
            SearchKey::Saved => {
                let is_in = |picked: &Picked| saved.contains(picked.message.uid.get());
                self.messages.retain(is_in);
            }
            _ => {}
        }
    }

    /// Any other mailbox, as it is now. Nothing in it is recent to this client, and nothing saved is of it.
    pub(crate) fn other(mailbox: Arc<Mailbox>, query: Query, key: &SearchKey) -> Scope {
        let snapshot = mailbox.snapshot();
        let numbers = (1..).map_while(NonZeroU32::new).map(SeqNum);
        let messages = numbers
            .zip(snapshot.iter())
            .map(|(number, message)| Picked {
                number,
                message: Arc::clone(message),
                gone: false,
                recent: false,
            });
        let messages: Vec<Picked> = messages.collect();
        let last = messages
            .last()
            .map_or((0, 0), |last| (last.number.0.get(), last.message.uid.get()));
        let mut scope = Scope {
            mailbox,
            snapshot,
            messages,
            last,
            query,
        };
        scope.narrow(&NumberSet::new(), key);
        scope
    }

    /// What is searched, as it was when that began.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    /// How many messages are looked at.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// See [`Share::of`].
    pub(super) fn share(&mut self, session: &Session) -> Option<Share> {
        Share::of(session, &mut self.messages)
    }

    /// Finds as much as is wanted.
    pub(crate) async fn look(self, extent: Extent, progress: Progress) -> Result<Found, Fault> {
        let Scope {
            mailbox,
            snapshot,
            messages: mut left,
            last,
            query,
        } = self;
        let scan = |picked, query, wanted| {
            let (mailbox, snapshot) = (Arc::clone(&mailbox), Arc::clone(&snapshot));
            scan::run(
                mailbox,
                picked,
                snapshot,
                last,
                query,
                wanted,
                progress.clone(),
            )
        };
        let (from_last, count) = match extent {
            Extent::Wanted(wanted) => return scan(left, query, wanted).await,
            Extent::Results { from_last, count } => (from_last, count as u64),
        };
        let (mut found, mut step) = (Found::default(), FIRST_LOOK);
        while !left.is_empty() && found.uids.len() < count {
            let part = match from_last {
                true => left.split_off(left.len().saturating_sub(step)),
                false => {
                    let behind = left.split_off(step.min(left.len()));
                    std::mem::replace(&mut left, behind)
                }
            };
            let more = scan(part, query.clone(), Wanted::All).await?;
            found.uids = found.uids.union(&more.uids);
            found.expunged |= more.expunged;
            found.unreadable.extend(more.unreadable);
            step = step.saturating_mul(2);
        }
        Ok(found)
    }
}

/// The key as a query, `saved` being what `$` stands for.
pub(crate) fn compile(
    key: &SearchKey,
    charset: Option<&[u8]>,
    saved: &NumberSet,
) -> Result<Query, Failure> {
    Query::compile(key, charset, saved).map_err(|unknown| {
        let code = Code::BadCharset(CHARSETS.to_vec());
        Failure::No(Some(code), unknown.to_string().into())
    })
}

/// Finds messages in the selected mailbox, all of those that match.
pub(crate) async fn find(
    session: &mut Session,
    waiting: &mut Waiting,
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Found, Failure> {
    let scope = Scope::selected(session.view()?, charset, key)?;
    at_once(session, scope.len())?;
    let look = scope.look(Extent::ALL, waiting.progress());
    waiting.wait(session, look).await
}

/// The sequence numbers of these UIDs.
pub(crate) fn numbers(view: &View, uids: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    uids.filter_map(|uid| Some(view.number(Uid::new(uid)?)?.0.get()))
}
