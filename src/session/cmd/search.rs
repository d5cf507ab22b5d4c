//! SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182): what [`crate::search`] finds, in this client's numbers.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::core::Tag;
use crate::imap::response::{Code, Data, Esearch};
use crate::imap::search::{ReturnOptions, SearchKey};
use crate::imap::sequence::{NumberSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::view::{NotSaved, View};
use crate::search::CHARSETS;
use crate::search::pool::Cancel;
use crate::search::query::Query;
use crate::search::scan::{self, Found, Wanted};
use crate::session::cmd::unreadable;
use crate::session::reply::{End, Failure, Reply};
use crate::session::{Session, State, stopped};

/// How the client wants to hear of what is found.
pub(crate) struct Asked<'t> {
    /// The command's, for ESEARCH to repeat.
    pub(crate) tag: &'t Tag,
    pub(crate) numbering: Numbering,
    /// `None`: by a SEARCH response.
    pub(crate) returns: Option<ReturnOptions>,
}

pub(crate) async fn run(
    session: &mut Session,
    mut asked: Asked<'_>,
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    if session.enabled.utf8 && charset.is_some() {
        // RFC 9755 §3: "it SHOULD reject the command with a BAD response (due to the conflicting charset labels)."
        return Err(Failure::Bad("No CHARSET after ENABLE UTF8=ACCEPT".into()));
    }
    if session.enabled.rev2 {
        // RFC 9051, Appendix E: "SEARCH command now requires to return the ESEARCH response".
        asked.returns.get_or_insert(ReturnOptions::ALL);
    }
    let saves = asked.returns.is_some_and(|options| options.save);
    let result = search(session, asked, charset, key).await;
    // "A SEARCH command with the SAVE result option that caused the server to return the NO tagged response
    // sets the value of the search result variable to the empty sequence" (RFC 5182 §2.1); BAD changes nothing.
    if saves
        && let Err(Failure::No(..) | Failure::Fault(_)) = result
        && let State::Selected(view) = &mut session.state
    {
        view.forget_saved();
    }
    result
}

async fn search(
    session: &mut Session,
    asked: Asked<'_>,
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    let wanted = match asked.returns {
        Some(options) if options.only_ends() => match (options.min, options.max) {
            (true, true) => Wanted::Ends,
            (true, false) => Wanted::First,
            (false, _) => Wanted::Last,
        },
        _ => Wanted::All,
    };
    let found = find(session, charset, key, wanted).await?;
    let Session { writer, state, .. } = session;
    let State::Selected(view) = state else {
        return Err(Failure::Bad("No mailbox selected".into()));
    };
    let by_uid = asked.numbering == Numbering::Uid;
    if by_uid && let Some(highest) = found.uids.last().and_then(Uid::new) {
        view.mailbox().durable(highest).await?;
    }
    let numbers = match by_uid {
        true => found.uids.clone(),
        false => numbers(view, &found.uids),
    };
    match asked.returns {
        None => writer.data(&Data::Search(numbers.iter().collect())),
        Some(options) => {
            if options.save {
                // What was found is what is kept: of MIN and MAX alone, only these (RFC 5182 §2.4).
                view.save(found.uids).map_err(|NotSaved| {
                    let text = "The result has too many gaps to be saved";
                    Failure::No(Some(Code::NotSaved), text.into())
                })?;
            }
            if options.is_answered() {
                writer.data(&Data::Esearch(Esearch {
                    tag: asked.tag.clone(),
                    by_uid,
                    min: numbers.first().filter(|_| options.min),
                    max: numbers.last().filter(|_| options.max),
                    count: options.count.then(|| numbers.len()),
                    all: options.all.then_some(numbers),
                }));
            }
        }
    }
    ended(view, "Search", found.expunged, &found.unreadable).await
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

/// Finds messages in the selected mailbox.
pub(crate) async fn find(
    session: &mut Session,
    charset: Option<&[u8]>,
    key: &SearchKey,
    wanted: Wanted,
) -> Result<Found, Failure> {
    let view = session.view()?;
    let query = Query::compile(key, charset, view.saved()).map_err(|unknown| {
        let code = Code::BadCharset(CHARSETS.to_vec());
        Failure::No(Some(code), unknown.to_string().into())
    })?;
    let picked = view.all();
    let last = (
        view.exists(),
        picked.last().map_or(0, |picked| picked.message.uid.get()),
    );
    let scan = scan::run(
        Arc::clone(view.mailbox()),
        picked,
        Arc::clone(view.snapshot()),
        last,
        query,
        wanted,
        Cancel::new(),
    );
    unless_gone(session, scan).await
}

/// Waits for what may take long. Nobody waits for it once the client is gone; dropped, it stops.
pub(crate) async fn unless_gone<T>(
    session: &mut Session,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Failure> {
    let Session {
        reader,
        writer,
        stop,
        ..
    } = session;
    writer.flush().await?;
    tokio::select! {
        done = work => Ok(done?),
        () = reader.closed() => {
            Err(End::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)).into())
        }
        () = stopped(stop) => Err(End::STOP.into()),
    }
}

/// The sequence numbers of these UIDs.
fn numbers(view: &View, uids: &NumberSet) -> NumberSet {
    uids.iter()
        .filter_map(|uid| Some(view.number(Uid::new(uid)?)?.0.get()))
        .collect()
}
